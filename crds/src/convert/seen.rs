//! What a stored status has told already, so that a new process does not tell it again as an event.
//!
//! Takes the status for what was said, not for what is so.

use std::collections::{BTreeMap, BTreeSet};

use bigip_tunnel_core::condition::ConditionType;
use bigip_tunnel_core::conditions::Truth;
use bigip_tunnel_core::events::{Said, Seen};
use bigip_tunnel_core::reason::Reason;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use crate::v1alpha1::BigIpTunnelStatus;

/// What this status says. Lists that it shows only the beginning of are not known.
pub fn seen(status: &BigIpTunnelStatus) -> Seen {
    let nodes = status.nodes.clone().unwrap_or_default();
    let skipped: BTreeSet<String> = status
        .skipped_nodes
        .iter()
        .map(|node| node.name.clone())
        .collect();
    let leaving: BTreeSet<_> = status
        .leaving_nodes
        .iter()
        .filter_map(|node| node.address.parse().ok())
        .collect();
    let names_all = |shown: usize, count: i32| usize::try_from(count).is_ok_and(|n| n <= shown);
    Seen {
        conditions: conditions(&status.conditions),
        devices: status
            .devices
            .iter()
            .map(|device| (device.name.clone(), conditions(&device.conditions)))
            .collect(),
        held: status.held_removal.as_ref().map(|held| held.digest.clone()),
        skipped: Some(skipped).filter(|shown| names_all(shown.len(), nodes.skipped)),
        leaving: Some(leaving).filter(|shown| names_all(shown.len(), nodes.leaving)),
    }
}

/// What was said. That something is not known says nothing.
fn conditions(conditions: &[Condition]) -> BTreeMap<ConditionType, Said> {
    let said = conditions.iter().filter_map(|condition| {
        let kind = ConditionType::parse(&condition.type_)?;
        let truth = match condition.status.as_str() {
            "True" => Truth::True,
            "False" => Truth::False,
            _ => return None,
        };
        let said = Said {
            truth,
            reason: Reason::parse(&condition.reason),
            since: condition.last_transition_time.0,
        };
        Some((kind, said))
    });
    said.collect()
}

#[cfg(test)]
mod tests {
    use bigip_tunnel_core::desired::{Desired, desired};
    use bigip_tunnel_core::events::Journal;
    use bigip_tunnel_core::mac::MacPrefix;
    use bigip_tunnel_core::node::{AddressRule, NodeTraits, NodeView};
    use bigip_tunnel_core::outcome::{
        DeviceReport, Failure, HeldRemoval, Leaving, Reach, TunnelReport,
    };
    use bigip_tunnel_core::time::Moment;
    use jiff::Timestamp;

    use super::*;
    use crate::status::{Written, next, paused};

    fn node(name: &str) -> NodeView {
        NodeView {
            name: name.into(),
            uid: name.into(),
            created: None,
            selected: true,
            addresses: Vec::new(),
            cilium_addresses: None,
            damped: None,
            traits: NodeTraits::default(),
        }
    }

    fn leaving(last: u8) -> Leaving {
        Leaving {
            node: None,
            address: [10, 0, 0, last].into(),
            since: Timestamp::UNIX_EPOCH,
            removable_at: Some(Timestamp::UNIX_EPOCH),
        }
    }

    fn written() -> Written<'static> {
        Written {
            generation: 1,
            handled_request: None,
            handled_approval: None,
            handled_acceptances: &[],
            handled_releases: &[],
            access: &[],
            keep_held: false,
            former: &[],
            census: None,
            cilium: crate::status::Verified::Off,
            vtep: crate::status::Managed::Off,
            leading_since: Timestamp::UNIX_EPOCH,
            now: Timestamp::UNIX_EPOCH,
        }
    }

    /// What is told by a process that reads the status which another one has written of this.
    fn told_after_a_restart(desired: &Desired, device: DeviceReport) -> Vec<&'static str> {
        let held = HeldRemoval {
            macs: BTreeSet::new(),
            since: Timestamp::UNIX_EPOCH,
        };
        let report = TunnelReport {
            rejected: None,
            nodes_failure: None,
            nodes_doubt: None,
            desired,
            devices: &[device],
            former: &[],
            observing: false,
            transport: None,
            held: Some(&held),
            deleting: false,
            now: Timestamp::UNIX_EPOCH,
        };
        let status = next(&BigIpTunnelStatus::default(), &report, &written());
        let mut journal = Journal::new(seen(&status));
        let told = journal.look(&report, (Moment::default(), Timestamp::UNIX_EPOCH));
        told.iter().map(|event| event.reason.as_str()).collect()
    }

    fn device() -> DeviceReport {
        let mut device = DeviceReport::pending("a".into(), "192.0.2.1".into(), 443);
        device.reach = Reach::Failed(Failure {
            reason: Reason::Timeout,
            message: "no answer within 30 s".into(),
            retryable: true,
        });
        device.save.enabled = true;
        device.save.failure = Some(Failure {
            reason: Reason::Timeout,
            message: "no answer within 120 s".into(),
            retryable: true,
        });
        device
    }

    #[test]
    fn restart_repeats_no_event_of_the_status() {
        let nodes = [node("one"), node("two")];
        let desired = desired(&nodes, MacPrefix::DEFAULT, &AddressRule::default());
        let mut device = device();
        device.leaving = vec![leaving(1), leaving(2)];
        assert_eq!(told_after_a_restart(&desired, device), [""; 0]);
    }

    #[test]
    fn restart_repeats_no_event_of_nodes_beyond_the_status() {
        let nodes: Vec<NodeView> = (0..40).map(|number| node(&number.to_string())).collect();
        let desired = desired(&nodes, MacPrefix::DEFAULT, &AddressRule::default());
        let mut device = device();
        device.leaving = (0..40).map(leaving).collect();
        assert_eq!(told_after_a_restart(&desired, device), [""; 0]);
    }

    #[test]
    fn restart_repeats_no_event_of_a_pause() {
        let (nothing, none) = (BigIpTunnelStatus::default(), BTreeMap::new());
        let status = paused(&nothing, Reason::Suspended, &none, &written());
        let mut journal = Journal::new(seen(&status));
        let now = (Moment::default(), Timestamp::UNIX_EPOCH);
        assert_eq!(journal.pause(Reason::Suspended, now), None);
    }
}
