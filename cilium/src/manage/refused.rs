//! Why no entries can be given, as a condition. Decides nothing.

use bigip_tunnel_core::conditions::{Condition, Truth};
use bigip_tunnel_core::reason::Reason;
use bigip_tunnel_core::vocabulary::reason;

use super::said;
use crate::desired::Refusal;

/// The first refusal gives the reason, all of them the message. What is only not known yet is no fault.
pub(super) fn condition(refusals: &[Refusal]) -> Condition {
    let fault = refusals.iter().find(|refusal| !is_unread(refusal));
    let texts: Vec<String> = refusals.iter().map(ToString::to_string).collect();
    let message = format!("no CiliumVTEPConfig is written: {}", texts.join("; "));
    match fault {
        Some(refusal) => said(Truth::False, reason_of(refusal), message),
        None => said(Truth::Unknown, reason::PENDING, message),
    }
}

fn is_unread(refusal: &Refusal) -> bool {
    reason_of(refusal) == reason::PENDING
}

fn reason_of(refusal: &Refusal) -> Reason {
    match refusal {
        Refusal::Unit(_, why) => reason_of(why),
        Refusal::NoUnit | Refusal::TunnelUnread(_) => reason::PENDING,
        Refusal::NoConfig => reason::CILIUM_CONFIG_MISSING,
        Refusal::SelfIpsCut(_) => reason::TOO_MANY_SELF_IPS,
        Refusal::Floating(..) => reason::SELF_IP_FLOATING,
        Refusal::NameTooLong(_) => reason::NAME_TOO_LONG,
        Refusal::NoEndpoint(_) => reason::TUNNEL_MISMATCH,
        Refusal::NoNetwork(_) => reason::TUNNEL_UNUSABLE,
        Refusal::MacUnknown(_) => reason::VTEP_MAC_UNKNOWN,
        Refusal::MacUnusable(..) => reason::VTEP_MAC_INVALID,
        Refusal::MacsDiffer(_) => reason::VTEP_MAC_AMBIGUOUS,
        Refusal::Faulty(_) => reason::VTEP_ENTRY_INVALID,
        Refusal::NetworkTaken(..) | Refusal::ObjectHasNetwork(..) => reason::VTEP_NETWORK_DUPLICATE,
        Refusal::Overlaps(_) => reason::VTEP_NETWORK_OVERLAP,
        Refusal::PrefixesDiffer(_) => reason::VTEP_PREFIXES_DIFFER,
        Refusal::TooMany(_) => reason::TOO_MANY_VTEP_ENTRIES,
    }
}
