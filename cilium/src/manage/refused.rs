//! Why no entries can be given, as a condition. Decides nothing.

use bigip_tunnel_core::conditions::{Condition, Truth};
use bigip_tunnel_core::reason::Reason;

use super::said;
use crate::desired::Refusal;

/// The first refusal gives the reason, all of them the message. What is only not known yet is no fault.
pub(super) fn condition(refusals: &[Refusal]) -> Condition {
    let fault = refusals.iter().find(|refusal| !is_unread(refusal));
    let texts: Vec<String> = refusals.iter().map(ToString::to_string).collect();
    let message = format!("no CiliumVTEPConfig is written: {}", texts.join("; "));
    match fault {
        Some(refusal) => said(Truth::False, reason_of(refusal), message),
        None => said(Truth::Unknown, Reason::Pending, message),
    }
}

fn is_unread(refusal: &Refusal) -> bool {
    reason_of(refusal) == Reason::Pending
}

fn reason_of(refusal: &Refusal) -> Reason {
    match refusal {
        Refusal::Unit(_, why) => reason_of(why),
        Refusal::NoUnit | Refusal::TunnelUnread(_) => Reason::Pending,
        Refusal::NoConfig => Reason::CiliumConfigMissing,
        Refusal::SelfIpsCut(_) => Reason::TooManySelfIps,
        Refusal::Floating(..) => Reason::SelfIpFloating,
        Refusal::NameTooLong(_) => Reason::NameTooLong,
        Refusal::NoEndpoint(_) => Reason::TunnelMismatch,
        Refusal::NoNetwork(_) => Reason::TunnelUnusable,
        Refusal::MacUnknown(_) => Reason::VtepMacUnknown,
        Refusal::MacUnusable(..) => Reason::VtepMacInvalid,
        Refusal::MacsDiffer(_) => Reason::VtepMacAmbiguous,
        Refusal::Faulty(_) => Reason::VtepEntryInvalid,
        Refusal::NetworkTaken(..) | Refusal::ObjectHasNetwork(..) => Reason::VtepNetworkDuplicate,
        Refusal::Overlaps(_) => Reason::VtepNetworkOverlap,
        Refusal::PrefixesDiffer(_) => Reason::VtepPrefixesDiffer,
        Refusal::TooMany(_) => Reason::TooManyVtepEntries,
    }
}
