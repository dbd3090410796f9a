//! What an object's stored claims say about its removals: what is leaving, and what may still go.
//!
//! Pure. The budget itself is `core::budget`.

use std::collections::{BTreeMap, BTreeSet};

use bigip_tunnel_core::budget::{self, Census, Due, OverBudget, Window};
use bigip_tunnel_core::cause::Cause;
use bigip_tunnel_core::claims::{ClaimState, Claims};
use bigip_tunnel_core::desired::Desired;
use bigip_tunnel_core::mac::MacAddress;
use bigip_tunnel_crds::convert;
use jiff::Timestamp;

use super::Stored;

/// What is known of an object's removals.
#[derive(Debug, Clone)]
pub(crate) struct Removals {
    /// The removals of the last hour.
    pub(crate) window: Window,
    /// Records that are claimed and not leaving.
    pub(crate) staying: BTreeSet<MacAddress>,
    /// How many more bytes of claims can be stored.
    pub(crate) room_bytes: usize,
    /// Records that are leaving on some device.
    pub(crate) leaving: BTreeSet<MacAddress>,
    /// Records that stay claimed on another device than the one that is asked for.
    pub(crate) elsewhere: BTreeSet<MacAddress>,
}

impl Removals {
    /// A device that is no longer listed is cleaned up without being measured, and pays for nothing.
    pub(super) fn of(stored: &Stored, asked_for: &str, is_listed: &dyn Fn(&str) -> bool) -> Self {
        let (staying, leaving) = stored.claims.staying_and_leaving(is_listed);
        let mut elsewhere = BTreeSet::new();
        let others = stored.claims.devices().filter(|device| is_listed(device));
        for device in others.filter(|device| *device != asked_for) {
            let claims = stored.claims.of(device).iter();
            let kept = claims.filter(|(_, state)| **state != ClaimState::Leaving);
            elsewhere.extend(kept.map(|(mac, _)| *mac));
        }
        Self {
            window: convert::removal_window(&stored.status),
            staying,
            room_bytes: stored.room_bytes(),
            leaving,
            elsewhere,
        }
    }

    /// The records and nodes that there are.
    pub(crate) fn census(&self, desired: &Desired) -> Census {
        Census::of(&self.staying, desired)
    }
}

/// The records and nodes that there are, by these claims.
pub(crate) fn census_of(
    claims: &Claims,
    is_listed: &dyn Fn(&str) -> bool,
    desired: &Desired,
) -> Census {
    Census::of(&claims.staying_and_leaving(is_listed).0, desired)
}

/// How removals are paid for.
pub(crate) struct Spending<'a> {
    /// Whether a device is in the spec.
    pub(crate) is_listed: &'a (dyn Fn(&str) -> bool + Sync),
    /// The records that are about to be removed, and why.
    pub(crate) removing: &'a BTreeMap<MacAddress, Cause>,
    /// What the nodes ask for.
    pub(crate) desired: &'a Desired,
    /// `nodes.maxRemovalPercent`.
    pub(crate) percent: u8,
    /// Records that a person has approved.
    pub(crate) approved: &'a BTreeSet<MacAddress>,
    /// Now.
    pub(crate) now: Timestamp,
}

impl Spending<'_> {
    /// The window after these changes, or `None` when they cost nothing.
    pub(super) fn window(
        &self,
        stored: &Stored,
        device: &str,
    ) -> Result<Option<Window>, OverBudget> {
        let removals = Removals::of(stored, device, self.is_listed);
        let due = Due::of(self.removing, &removals.leaving, self.approved);
        if due.is_nothing() {
            return Ok(None);
        }
        let census = removals.census(self.desired);
        budget::spend(&removals.window, census, due, self.percent, self.now).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use bigip_tunnel_crds::v1alpha1::BigIpTunnel;
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_device_that_left_the_list_is_cleaned_of_pays_for_no_removal() {
        let mac = "0a:0a:0a:00:00:01";
        let object: BigIpTunnel = serde_json::from_value(json!({
            "apiVersion": "bigip-tunnel.dev/v1alpha1",
            "kind": "BigIpTunnel",
            "metadata": {"name": "a", "namespace": "bigip", "uid": "uid"},
            "spec": {"devices": [], "tunnel": {"name": "t"}},
            "status": {"ownership": {"uid": "uid", "claims": [
                {"devices": ["listed"], "state": "Owned", "records": [mac]},
                {"devices": ["left"], "state": "Leaving", "records": [mac]},
            ]}},
        }))
        .unwrap();
        let stored = Stored::read(&object, "uid");
        let removals = Removals::of(&stored, "listed", &|name| name == "listed");
        assert_eq!((removals.staying.len(), removals.leaving.len()), (1, 0));
        let both = Removals::of(&stored, "listed", &|_| true);
        assert_eq!((both.staying.len(), both.leaving.len()), (0, 1));
    }
}
