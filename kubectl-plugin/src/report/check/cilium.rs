//! Checks of Cilium: what the crate `cilium` finds, with the check codes of the plugin.

use bigip_tunnel_cilium::finding::{Finding, Problem, Weight};
use bigip_tunnel_cilium::seen::Node;
use bigip_tunnel_cilium::unit::Tunnel;
use bigip_tunnel_cilium::{Judge, Selection, Subject};
use bigip_tunnel_crds::convert;
use kube::core::{Selector, SelectorExt as _};

use super::evidence::Evidence;
use super::{Category, Check, Verdict};
use crate::catalogue::{
    BTN0011, BTN0202, BTN0203, BTN0401, BTN0402, BTN0403, BTN0404, BTN0405, BTN0406, BTN0407,
    BTN0408, BTN0410, BTN0411, BTN0412, BTN0413, BTN0414, BTN0415, BTN0416, BTN0417, BTN0419,
    BTN0420, BTN0421, BTN0422, Code,
};

/// The checks.
pub(super) fn category(evidence: &Evidence) -> Category {
    let objects = evidence.tunnels.iter().flatten();
    let objects: Vec<_> = objects.filter_map(|o| o.0.as_ref().ok()).collect();
    let tunnels = objects.iter().map(|object| convert::cilium::tunnel(object));
    let tunnels: Vec<Tunnel> = tunnels.collect();
    let judge = Judge::new(&evidence.cilium, &tunnels);
    let selectors = objects.iter().map(|o| convert::selector(&o.spec).ok());
    let selectors: Vec<Option<Selector>> = selectors.collect();
    // One that cannot be read may select any node.
    let selects = |selector: &Option<Selector>, node: &Node| {
        let selector = selector.as_ref();
        selector.is_none_or(|selector| selector.matches(&node.labels))
    };
    let selections = selectors.iter();
    let selections = selections.map(|selector| judge.select(|node| selects(selector, node)));
    let selections: Vec<Selection<'_>> = selections.collect();
    let subjects = tunnels.iter().zip(&selections);
    let subjects: Vec<_> = subjects
        .map(|(tunnel, nodes)| Subject { tunnel, nodes })
        .collect();
    let of_any = judge.select(|node| {
        let mut selectors = selectors.iter();
        subjects.is_empty() || selectors.any(|selector| selects(selector, node))
    });
    let findings = judge.judge(&subjects, &of_any);
    Category::new("cilium", findings.into_iter().map(check).collect())
}

fn check(finding: Finding) -> Check {
    let Finding {
        weight,
        problem,
        text,
        fix,
        unit,
    } = finding;
    let check = match (weight, problem) {
        (Weight::Holds, _) | (_, None) => return Check::ok(text),
        (Weight::NotJudged, Some(problem)) => Check::found(Verdict::Skipped, code(problem), text),
        (Weight::Warning, Some(problem)) => Check::warning(code(problem), text),
        (Weight::Error, Some(problem)) => Check::error(code(problem), text),
    };
    let check = match fix {
        Some(fix) => check.with_hint(fix),
        None => check,
    };
    match unit {
        Some(unit) => check.about(&unit),
        None => check,
    }
}

/// The code of a problem.
const fn code(problem: Problem) -> Code {
    match problem {
        Problem::Unreadable => BTN0011,
        Problem::WrongVni => BTN0202,
        Problem::WrongProtocol => BTN0203,
        Problem::VtepOff => BTN0401,
        Problem::EndpointMissing => BTN0402,
        Problem::MacMismatch => BTN0403,
        Problem::NetworkMismatch => BTN0404,
        Problem::AgentsOutdated => BTN0405,
        Problem::NativeRouting => BTN0406,
        Problem::Encryption => BTN0407,
        Problem::TooManyEntries => BTN0408,
        Problem::InvalidEntry => BTN0410,
        Problem::BrokenVersion => BTN0411,
        Problem::PoliciesClosed => BTN0412,
        Problem::NetworkOverlap => BTN0413,
        Problem::NetworkTwice => BTN0414,
        Problem::NoIpv4 => BTN0415,
        Problem::NodesDiffer => BTN0416,
        Problem::ConfigMissing => BTN0417,
        Problem::Overridden => BTN0419,
        Problem::TwoSources => BTN0420,
        Problem::NotProgrammed => BTN0421,
        Problem::Mtu => BTN0422,
    }
}
