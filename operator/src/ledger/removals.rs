//! What an object's stored claims say about its removals: what is leaving, and what may still go.
//!
//! Pure. The budget itself is `core::budget`.

use std::collections::BTreeSet;

use bigip_tunnel_core::budget::{self, OverBudget, Window};
use bigip_tunnel_core::claims::ClaimState;
use bigip_tunnel_core::mac::MacAddress;
use bigip_tunnel_core::record::Records;
use bigip_tunnel_crds::convert;
use jiff::Timestamp;

use super::Stored;

/// What is known of an object's removals.
#[derive(Debug, Clone)]
pub(crate) struct Removals {
    /// The removals of the last hour.
    pub(crate) window: Window,
    /// How many records are claimed and not leaving.
    pub(crate) claimed: usize,
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
        let (mut staying, mut leaving) = (BTreeSet::new(), BTreeSet::new());
        let mut elsewhere = BTreeSet::new();
        for device in stored.claims.devices().filter(|device| is_listed(device)) {
            for (mac, state) in stored.claims.of(device) {
                let set = if *state == ClaimState::Leaving {
                    &mut leaving
                } else {
                    &mut staying
                };
                set.insert(*mac);
                if device != asked_for && *state != ClaimState::Leaving {
                    elsewhere.insert(*mac);
                }
            }
        }
        let claimed = staying.difference(&leaving).count();
        Self {
            window: convert::removal_window(&stored.status),
            claimed,
            room_bytes: stored.room_bytes(),
            leaving,
            elsewhere,
        }
    }
}

/// How removals are paid for.
pub(crate) struct Spending<'a> {
    /// Whether a device is in the spec.
    pub(crate) is_listed: &'a (dyn Fn(&str) -> bool + Sync),
    /// The records that are about to be removed.
    pub(crate) removing: &'a Records,
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
        let paid =
            |mac: &&MacAddress| removals.leaving.contains(*mac) || self.approved.contains(*mac);
        let count = self.removing.keys().filter(|mac| !paid(mac)).count();
        if count == 0 {
            return Ok(None);
        }
        let Removals {
            window, claimed, ..
        } = removals;
        budget::spend(&window, claimed, count, self.percent, self.now).map(Some)
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
        assert_eq!((removals.claimed, removals.leaving.len()), (1, 0));
        let both = Removals::of(&stored, "listed", &|_| true);
        assert_eq!((both.claimed, both.leaving.len()), (0, 1));
    }
}
