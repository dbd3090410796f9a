//! The conditions of a suspended object: what was last seen is shown as last seen, never as known.
//!
//! Knows nothing of storage: what the conditions said before is a parameter.

use jiff::Timestamp;

use super::{Condition, Truth};
use crate::condition::ConditionType;
use crate::reason::Reason;

/// What a condition said before.
#[derive(Debug, Clone, Copy)]
pub struct Before<'a> {
    /// Its type.
    pub kind: ConditionType,
    /// Its status.
    pub status: &'a str,
    /// Its reason.
    pub reason: &'a str,
    /// Its message.
    pub message: &'a str,
    /// When its status last changed: it was seen to be so then, or later.
    pub since: Timestamp,
}

/// Conditions of the object that say what was seen on its BIG-IPs, or compared with it.
const OBSERVED: [ConditionType; 5] = [
    ConditionType::Available,
    ConditionType::TunnelUsable,
    ConditionType::PeersCovered,
    ConditionType::CiliumReady,
    ConditionType::VtepConfigured,
];
/// The same for those of a device.
const OBSERVED_OF_DEVICE: [ConditionType; 3] = [
    ConditionType::Reachable,
    ConditionType::Programmed,
    ConditionType::Saved,
];
/// Conditions that are about work, which has stopped.
const ENDED: [ConditionType; 5] = [
    ConditionType::Ready,
    ConditionType::Reconciling,
    ConditionType::Stalled,
    ConditionType::NodesResolved,
    ConditionType::Paused,
];

/// The conditions of an object that is suspended (`why`), from those that it had before. `verified` is
/// when its devices were last read, where this process has seen that. Conditions that are missing in
/// the result stay as they are.
pub fn suspended_conditions(
    why: Reason,
    before: &[Before<'_>],
    verified: Option<Timestamp>,
) -> Vec<Condition> {
    let ready = super::condition(ConditionType::Ready, Truth::Unknown, why, stopped(why));
    let mut conditions = vec![ready];
    conditions.extend(unverified(&OBSERVED, why, before, verified));
    conditions.push(paused(why));
    conditions
}

/// The same for a device.
pub fn suspended_device_conditions(
    why: Reason,
    before: &[Before<'_>],
    verified: Option<Timestamp>,
) -> Vec<Condition> {
    unverified(&OBSERVED_OF_DEVICE, why, before, verified).collect()
}

/// Whether a condition of this type goes, or is replaced, when its object is suspended.
pub fn ends_when_suspended(kind: ConditionType) -> bool {
    ENDED.contains(&kind)
}

/// The condition of an object that is not worked on.
pub fn paused(why: Reason) -> Condition {
    super::condition(ConditionType::Paused, Truth::True, why, stopped(why))
}

fn stopped(why: Reason) -> &'static str {
    match why {
        Reason::Suspended => "spec.suspend is set: nothing is read or written",
        _ => "the annotation bigip-tunnel.dev/paused is set: nothing is read or written",
    }
}

fn unverified(
    kinds: &'static [ConditionType],
    why: Reason,
    before: &[Before<'_>],
    verified: Option<Timestamp>,
) -> impl Iterator<Item = Condition> {
    kinds.iter().filter_map(move |&kind| {
        let before = before.iter().find(|before| before.kind == kind)?;
        let message = last_verified(before, verified);
        Some(super::condition(kind, Truth::Unknown, why, message))
    })
}

/// What a condition said when it was last verified, and when that was.
fn last_verified(before: &Before<'_>, verified: Option<Timestamp>) -> String {
    let Before {
        status,
        reason,
        message,
        ..
    } = *before;
    let is_suspended = matches!(
        Reason::parse(reason),
        Some(Reason::Suspended | Reason::PausedByAnnotation)
    );
    if is_suspended {
        return message.to_owned();
    }
    if status == Truth::Unknown.as_str() {
        return format!("not known when the object was suspended: {message}");
    }
    let at = verified.map_or(before.since, |at| at.max(before.since));
    format!("last verified {at:.0}: {reason}: {message}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn before<'a>(
        kind: ConditionType,
        status: &'a str,
        reason: Reason,
        message: &'a str,
    ) -> Before<'a> {
        Before {
            kind,
            status,
            reason: reason.as_str(),
            message,
            since: at(1_000),
        }
    }

    fn words(conditions: &[Condition]) -> Vec<String> {
        let word = |c: &Condition| format!("{}={}/{}", c.kind, c.truth.as_str(), c.reason);
        conditions.iter().map(word).collect()
    }

    #[test]
    fn suspended_object_is_unknown_and_shows_last_state() {
        let was = [
            before(ConditionType::Ready, "True", Reason::InSync, "3 nodes"),
            before(
                ConditionType::Available,
                "True",
                Reason::DevicesProgrammed,
                "2 of 2",
            ),
            before(
                ConditionType::Accepted,
                "True",
                Reason::Accepted,
                "the spec is valid",
            ),
        ];
        let now = suspended_conditions(Reason::Suspended, &was, Some(at(1_200)));
        let expected = [
            "Ready=Unknown/Suspended",
            "Available=Unknown/Suspended",
            "Paused=True/Suspended",
        ];
        assert_eq!(words(&now), expected);
        let message = "last verified 1970-01-01T00:20:00Z: DevicesProgrammed: 2 of 2";
        assert_eq!(now[1].message, message);
    }

    #[test]
    fn suspended_device_shows_its_last_state() {
        let was = [
            before(
                ConditionType::Reachable,
                "False",
                Reason::Timeout,
                "no answer",
            ),
            before(
                ConditionType::Programmed,
                "Unknown",
                Reason::Timeout,
                "2 of 2",
            ),
            before(ConditionType::Saved, "True", Reason::Saved, "saved"),
        ];
        let now = suspended_device_conditions(Reason::PausedByAnnotation, &was, None);
        let messages: Vec<&str> = now.iter().map(|c| c.message.as_str()).collect();
        let expected = [
            "last verified 1970-01-01T00:16:40Z: Timeout: no answer",
            "not known when the object was suspended: 2 of 2",
            "last verified 1970-01-01T00:16:40Z: Saved: saved",
        ];
        assert_eq!(messages, expected);
        assert!(now.iter().all(|c| c.truth == Truth::Unknown));
    }

    #[test]
    fn second_suspend_reason_keeps_last_verified_state() {
        let message = "last verified 12:03: Saved: saved";
        let was = [before(
            ConditionType::Saved,
            "Unknown",
            Reason::Suspended,
            message,
        )];
        let now = suspended_device_conditions(Reason::PausedByAnnotation, &was, Some(at(9_000)));
        assert_eq!(now[0].message, message);
        assert_eq!(now[0].reason, Reason::PausedByAnnotation);
    }
}
