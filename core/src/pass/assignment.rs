//! What a pass is for: the object's spec as far as one device needs it, and the nodes.
//!
//! A value that does not change while the pass runs. Deletion and observing are values of [`Purpose`].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use crate::answers::Answer;
use crate::desired::{Desired, desired};
use crate::drift::DriftPolicy;
use crate::mac::{MacAddress, MacPrefix};
use crate::node::{AddressRule, NodeView};
use crate::time::Moment;
use crate::tunnel::TunnelPath;

/// What is to become of the object's records on the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// They are kept equal to the selected nodes.
    Maintain,
    /// Nothing is written: the plan is reported.
    Observe,
    /// They are removed.
    CleanUp(CleanUp),
}

/// Why everything of the object is removed from a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CleanUp {
    /// The object is being deleted.
    ObjectDeleted,
    /// The device has left the object's list.
    DeviceRemoved,
}

impl Purpose {
    /// Whether everything of the object is removed from the device.
    pub const fn is_clean_up(self) -> bool {
        matches!(self, Self::CleanUp(_))
    }
}

/// What a pass works on.
#[derive(Debug, Clone)]
pub struct Assignment {
    /// Name of the device in the spec.
    pub device: String,
    /// Host name or IP address of the device, in lower case.
    pub host: String,
    /// TCP port of iControl REST.
    pub port: u16,
    /// What the pass is for.
    pub purpose: Purpose,
    /// The tunnel.
    pub tunnel: TunnelPath,
    /// Prefix of the derived MAC addresses.
    pub prefix: MacPrefix,
    /// Which of a node's addresses its record points to.
    pub addresses: AddressRule,
    /// `nodes.removalDelaySeconds`.
    pub removal_delay: Duration,
    /// `nodes.maxRemovalPercent`.
    pub removal_percent: u8,
    /// Quiet time before the unit's configuration is saved; `None` when it is not saved.
    pub save_delay: Option<Duration>,
    /// What is done about records that were removed or changed by another writer.
    pub drift: DriftPolicy,
    /// Whether an empty tunnel may be filled by one write of the whole list.
    pub bulk_writes: bool,
    /// The devices of the spec.
    pub listed: Arc<BTreeSet<String>>,
    /// All nodes, as the object's selector and damping show them.
    pub nodes: Arc<[NodeView]>,
    /// When nodes came that came since the object is worked on, by name.
    pub arrivals: Arc<BTreeMap<String, Moment>>,
    /// Records whose removal a user has approved.
    pub approved: Arc<BTreeSet<MacAddress>>,
    /// Records that unstable nodes have left behind and that count against those nodes alone.
    pub against_nodes: Arc<BTreeSet<MacAddress>>,
    /// The unit that a user has accepted behind one of the devices.
    pub accepted: Option<Answer>,
}

impl Assignment {
    /// What these nodes ask of the device. What is cleaned up desires nothing.
    pub fn desired(&self, nodes: &[NodeView]) -> Desired {
        if self.purpose.is_clean_up() {
            Desired::default()
        } else {
            desired(nodes, self.prefix, &self.addresses)
        }
    }

    /// Whether the spec lists the device.
    pub fn is_listed(&self) -> bool {
        self.listed.contains(&self.device)
    }

    /// Whether the unit's configuration is saved after changes.
    pub const fn saves(&self) -> bool {
        self.save_delay.is_some()
    }

    /// Whether one of these nodes desires a record that is not among those known when the pass began.
    pub fn brings_record(&self, nodes: &[NodeView], known: &Desired) -> bool {
        let mut selected = nodes.iter().filter(|node| node.selected);
        selected.any(|node| {
            let address = node.tunnel_address(&self.addresses);
            address.is_ok_and(|address| !known.nodes.contains_key(&self.prefix.derive(address)))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pass::testing::assignment;
    use crate::testing::worker;

    #[test]
    fn clean_up_desires_no_record() {
        let nodes = [worker("a", "10.0.0.1")];
        let mut work = assignment(&nodes);
        assert_eq!(work.desired(&nodes).nodes.len(), 1);
        work.purpose = Purpose::CleanUp(CleanUp::DeviceRemoved);
        assert_eq!(work.desired(&nodes), Desired::default());
    }

    #[test]
    fn only_new_address_of_selected_node_brings_record() {
        let known = [worker("a", "10.0.0.1")];
        let work = assignment(&known);
        let desired = work.desired(&known);
        assert!(!work.brings_record(&known, &desired));
        assert!(work.brings_record(&[worker("b", "10.0.0.2")], &desired));
        let mut unselected = worker("b", "10.0.0.2");
        unselected.selected = false;
        assert!(!work.brings_record(&[unselected], &desired));
        assert!(!work.brings_record(&[worker("b", "")], &desired));
    }
}
