//! What most likely is in the way of a path: the findings of `check` that fit what the ping and ARP showed.
//!
//! The judgement is that of `check`; here it is only chosen from. Which finding fits which outcome is what a real
//! Cilium datapath was seen to do: a wrong network, endpoint, port or VNI keeps the ARP answer away, a wrong MAC
//! address lets ARP through and loses every frame behind it.

use bigip_tunnel_cilium::finding::UnitKey;
use bigip_tunnel_core::verify::{Doubt, NotAsked, Outcome};
use serde::Serialize;

use super::Asked;
use crate::catalogue::{
    BTN0113, BTN0201, BTN0202, BTN0203, BTN0204, BTN0205, BTN0206, BTN0208, BTN0209, BTN0210,
    BTN0216, BTN0301, BTN0401, BTN0402, BTN0403, BTN0404, BTN0405, BTN0406, BTN0407, BTN0408,
    BTN0410, BTN0411, BTN0412, BTN0413, BTN0414, BTN0415, BTN0416, BTN0421, Code,
};
use crate::report::check::{Check, CheckReport, Verdict, code_of};

/// What most likely is in the way.
#[derive(Serialize, Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cause {
    pub(crate) code: Code,
    pub(crate) text: String,
    /// What to do about it.
    pub(crate) hint: String,
    /// Where to read more.
    pub(crate) link: String,
}

/// What keeps ARP requests from nodes, or their answers from the BIG-IP, in the order of the path. BTN0206 stands behind
/// what is more exact: it is also the code of a tunnel that is unusable for any reason.
const WITHOUT_ARP: &[Code] = &[
    BTN0201, BTN0216, BTN0210, BTN0202, BTN0203, BTN0206, BTN0208, BTN0204, BTN0205, BTN0401,
    BTN0402, BTN0414, BTN0404, BTN0410, BTN0408, BTN0421, BTN0406, BTN0415, BTN0413, BTN0407,
    BTN0405, BTN0411, BTN0416, BTN0209,
];

/// What lets ARP through and loses what follows. A policy is the first thing to think of.
const BEHIND_ARP: &[Code] = &[
    BTN0412, BTN0403, BTN0413, BTN0407, BTN0405, BTN0411, BTN0209, BTN0416,
];

/// Why a BIG-IP sends no ping at all.
const NOT_SENT: &[Code] = &[BTN0208, BTN0210, BTN0205];

impl Cause {
    fn new(code: Code, text: impl Into<String>) -> Self {
        Self {
            code,
            text: text.into(),
            hint: code.fix(),
            link: code.link(),
        }
    }

    fn of(check: &Check) -> Option<Self> {
        let code = check.code?;
        let hint = check.hint.clone().unwrap_or_else(|| code.fix());
        Some(Self {
            hint,
            ..Self::new(code, check.description.clone())
        })
    }
}

/// The cause of an outcome on a unit; nothing where all is well, or nothing that is known fits.
pub(crate) fn likely(asked: &Asked, unit: &UnitKey, report: &CheckReport) -> Option<Cause> {
    let found = |codes| first(codes, unit, report);
    let device = &unit.device;
    let no_record = || {
        Cause::new(
            BTN0301,
            format!("{device} does not hold the record of the node"),
        )
    };
    match &asked.outcome {
        Outcome::Reached(doubts) if doubts.contains(&Doubt::NoRecord) => Some(no_record()),
        Outcome::Reached(doubts) if doubts.contains(&Doubt::NotFlooding) => found(&[BTN0206]),
        Outcome::Proven | Outcome::Reached(_) => None,
        Outcome::NoArpAnswer if asked.has_record == Some(false) => Some(no_record()),
        Outcome::NoArpAnswer => found(WITHOUT_ARP),
        Outcome::ArpMacZero => found(&[BTN0411]).or_else(|| {
            let text = "Cilium answers ARP with the MAC address 0 (cilium#44453)";
            Some(Cause::new(BTN0411, text))
        }),
        Outcome::NoReply(_) => found(BEHIND_ARP).or_else(|| {
            let text = "ARP works, so that a policy is the first thing to look for; none was found";
            Some(Cause::new(BTN0412, text))
        }),
        Outcome::NotAsked(why) => match why {
            NotAsked::NoSelfIp => found(&[BTN0216]),
            NotAsked::NotSent(_) => found(NOT_SENT),
            NotAsked::Failed { reason, message } => Some(Cause::new(
                code_of(reason.as_str(), BTN0113),
                message.clone(),
            )),
            NotAsked::SelfIpElsewhere
            | NotAsked::RouteDomain(_)
            | NotAsked::NoAddress(_)
            | NotAsked::OutOfTime => None,
        },
    }
}

/// The first of these codes that `check` found about the unit, or about everything; faults before warnings.
fn first(codes: &[Code], unit: &UnitKey, report: &CheckReport) -> Option<Cause> {
    let tunnel = format!("{}/{}", unit.namespace, unit.object);
    let categories = report.categories.iter();
    let meant = categories
        .filter(|category| category.category_name == tunnel || category.category_name == "cilium");
    let checks = meant.flat_map(|category| &category.checks);
    let about = checks.filter(|check| check.about.as_ref().is_none_or(|about| about == unit));
    let ranked = about.filter_map(|check| {
        let rank = codes.iter().position(|code| Some(*code) == check.code)?;
        let is_found = check.result >= Verdict::Warning;
        is_found.then_some(((check.result != Verdict::Error, rank), check))
    });
    let (_, best) = ranked.min_by_key(|(rank, _)| *rank)?;
    Cause::of(best)
}

#[cfg(test)]
mod tests;
