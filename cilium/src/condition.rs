//! Findings about one tunnel as the condition `CiliumReady` of its object. Judges nothing again.

use bigip_tunnel_core::condition::ConditionType;
use std::collections::BTreeSet;

use bigip_tunnel_core::conditions::{Condition, Truth};
use bigip_tunnel_core::reason::Reason;

use crate::finding::{Finding, Problem, UnitKey, Weight};
use crate::unit::Tunnel;
use crate::words::{count, some_of};

/// What the condition says where nothing is found.
const VERIFIED: &str = "Cilium's configuration matches the tunnel on every BIG-IP";

/// The condition of the tunnel's object. A fault is `False`; what may be one, or could not be judged, is
/// `Unknown`, because nothing is `True` that is not known to be right.
///
/// The first fault in the order of the findings gives the reason and the message, with the lines to change. The
/// others are counted: `check` lists them.
pub fn condition(findings: &[Finding], tunnel: &Tunnel) -> Condition {
    let of_weight = |weight: Weight| {
        let found = findings.iter().filter(move |found| found.weight == weight);
        found.filter_map(|found| Some((reason_of(found.problem?)?, found)))
    };
    let mut open = [Weight::Error, Weight::Warning, Weight::NotJudged]
        .into_iter()
        .flat_map(of_weight);
    let first = open.next();
    let unread: Vec<&str> = tunnel.unread.iter().map(|key| &*key.device).collect();
    let (truth, reason, message) = match first {
        Some((reason, found)) if found.weight == Weight::Error => {
            (Truth::False, reason, sentence(found, open.count()))
        }
        _ if !unread.is_empty() => {
            let message = format!("not read yet: the tunnel on {}", some_of(&unread));
            (Truth::Unknown, Reason::Pending, message)
        }
        Some((reason, found)) => (Truth::Unknown, reason, sentence(found, open.count())),
        None => (Truth::True, Reason::CiliumVerified, VERIFIED.to_owned()),
    };
    Condition {
        kind: ConditionType::CiliumReady,
        truth,
        reason,
        message,
    }
}

/// The condition while nothing of Cilium is read.
pub fn off() -> Condition {
    Condition {
        kind: ConditionType::CiliumReady,
        truth: Truth::Unknown,
        reason: Reason::CiliumVerificationOff,
        message: "the operator reads nothing of Cilium: --cilium-verify=false (the chart's value \
                  cilium.verify.enabled)"
            .to_owned(),
    }
}

fn sentence(found: &Finding, others: usize) -> String {
    let fix = found.fix.as_ref();
    let fix = fix.map_or_else(String::new, |fix| format!(": {fix}"));
    let others = match others {
        0 => String::new(),
        _ => format!(
            ". {} in kubectl bigip-tunnel check",
            count(others, "more finding")
        ),
    };
    format!("{}{fix}{others}", found.text)
}

/// The units to whose tunnels pods send with another MAC address than theirs.
pub fn mac_mismatches(findings: &[Finding]) -> BTreeSet<UnitKey> {
    let differ = findings.iter().filter(|found| {
        found.problem == Some(Problem::MacMismatch) && found.weight >= Weight::Warning
    });
    differ.filter_map(|found| found.unit.clone()).collect()
}

/// The reason of a problem. `None` for one that is about pods, and not about the tunnel.
const fn reason_of(problem: Problem) -> Option<Reason> {
    Some(match problem {
        Problem::PoliciesClosed => return None,
        Problem::Unreadable => Reason::CiliumUnreadable,
        Problem::WrongVni => Reason::VniMismatch,
        Problem::WrongProtocol => Reason::EncapsulationMismatch,
        Problem::VtepOff => Reason::VtepDisabled,
        Problem::EndpointMissing => Reason::VtepEndpointMissing,
        Problem::MacMismatch => Reason::VtepMacMismatch,
        Problem::NetworkMismatch => Reason::VtepNetworkMismatch,
        Problem::AgentsOutdated => Reason::AgentsOutdated,
        Problem::NativeRouting => Reason::NativeRouting,
        Problem::Encryption => Reason::EncryptionUnsupported,
        Problem::TooManyEntries => Reason::TooManyVtepEntries,
        Problem::InvalidEntry => Reason::VtepEntryInvalid,
        Problem::BrokenVersion => Reason::CiliumVersionBroken,
        Problem::NetworkOverlap => Reason::VtepNetworkOverlap,
        Problem::NetworkTwice => Reason::VtepNetworkDuplicate,
        Problem::NoIpv4 => Reason::NoIpv4,
        Problem::NodesDiffer => Reason::CiliumNodesDiffer,
        Problem::ConfigMissing => Reason::CiliumConfigMissing,
        Problem::Overridden => Reason::CiliumConfigOverridden,
        Problem::TwoSources => Reason::VtepSourcesDiffer,
        Problem::NotProgrammed => Reason::VtepNotProgrammed,
        Problem::Mtu => Reason::MtuTooLarge,
    })
}

#[cfg(test)]
mod tests {
    use bigip_tunnel_core::condition::ConditionType;

    use super::*;
    use crate::testing::{tunnel, unit};

    fn key(device: &str) -> UnitKey {
        unit("east", device, "10.9.0.1", &[], "02:00:00:00:00:01").key
    }

    fn said(findings: &[Finding]) -> (Truth, Reason, String) {
        let Condition {
            kind,
            truth,
            reason,
            message,
        } = condition(findings, &tunnel(Vec::new()));
        assert_eq!(kind, ConditionType::CiliumReady);
        (truth, reason, message)
    }

    #[test]
    fn nothing_found_is_true() {
        let policies = Finding::warning(Problem::PoliciesClosed, "in 1 namespace");
        for findings in [vec![], vec![Finding::holds("matches"), policies]] {
            let (truth, reason, _) = said(&findings);
            assert_eq!((truth, reason), (Truth::True, Reason::CiliumVerified));
        }
    }

    #[test]
    fn fault_precedes_earlier_findings() {
        let findings = [
            Finding::not_judged(Problem::Unreadable, "agents: no"),
            Finding::warning(Problem::Mtu, "mtu 9000"),
            Finding::error(Problem::WrongVni, "a has VNI 3").with_fix("set key 2"),
        ];
        assert_eq!(
            said(&findings),
            (
                Truth::False,
                Reason::VniMismatch,
                "a has VNI 3: set key 2. 2 more findings in kubectl bigip-tunnel check".to_owned()
            )
        );
    }

    #[test]
    fn warning_or_unjudged_finding_is_unknown() {
        let not_judged = Finding::not_judged(Problem::Unreadable, "agents: no");
        let warning = Finding::warning(Problem::AgentsOutdated, "1 of 2 agents");
        let (truth, reason, message) = said(std::slice::from_ref(&not_judged));
        assert_eq!((truth, reason), (Truth::Unknown, Reason::CiliumUnreadable));
        assert_eq!(message, "agents: no");
        let (truth, reason, message) = said(&[not_judged, warning]);
        assert_eq!((truth, reason), (Truth::Unknown, Reason::AgentsOutdated));
        assert!(message.contains("1 more finding in"), "{message}");
    }

    #[test]
    fn unread_unit_is_never_true_and_hides_no_fault() {
        let mut tunnel = tunnel(Vec::new());
        tunnel.unread.push(key("bigip-a"));
        let unread = condition(&[], &tunnel);
        assert_eq!(
            (unread.truth, unread.reason),
            (Truth::Unknown, Reason::Pending)
        );
        assert!(unread.message.ends_with("bigip-a"), "{unread:?}");
        let off = [Finding::error(Problem::VtepOff, "VTEP is off")];
        assert_eq!(condition(&off, &tunnel).reason, Reason::VtepDisabled);
    }

    #[test]
    fn each_kind_has_a_reason_of_its_own_but_policies() {
        let reasons: BTreeSet<_> = Problem::ALL.into_iter().filter_map(reason_of).collect();
        assert_eq!(reasons.len(), Problem::ALL.len() - 1);
        assert_eq!(reason_of(Problem::PoliciesClosed), None);
    }

    #[test]
    fn unit_with_two_wrong_entries_counts_once() {
        let differs =
            |device: &str| Finding::error(Problem::MacMismatch, "differs").about(&key(device));
        let unknown = Finding::not_judged(Problem::MacMismatch, "?").about(&key("c"));
        let other = Finding::error(Problem::WrongVni, "VNI").about(&key("d"));
        let findings = [differs("a"), differs("a"), differs("b"), unknown, other];
        assert_eq!(mac_mismatches(&findings).len(), 2);
    }
}
