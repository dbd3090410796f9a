//! The work on one device of one object.
//!
//! `task` decides when a pass is made, `pass` shows what is done in it, `ports` what it asks for; `io`, `login` and
//! `secrets` carry the requests out. What is decided is decided in `core::pass`.

mod apply;
mod identities;
mod io;
mod login;
mod observe;
mod pass;
mod ports;
mod save;
mod secrets;
mod task;
#[cfg(test)]
pub(crate) mod testing;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bigip_tunnel_core::answers::Answer;
use bigip_tunnel_core::damping::same_selected;
use bigip_tunnel_core::mac::MacAddress;
use bigip_tunnel_core::node::NodeView;
use bigip_tunnel_core::pass::PassError;
use bigip_tunnel_core::pass::assignment::{Assignment, CleanUp, Purpose};
use bigip_tunnel_core::sharing::Needs;
use bigip_tunnel_core::time::Moment;
use bigip_tunnel_core::turns::Applicant;
use tokio_util::sync::CancellationToken;

pub(crate) use self::identities::Identities;
pub(crate) use self::task::{DeviceUpdate, keep_running};
use crate::index::Asker;
use crate::ledger::Ledger;
use crate::metrics::DeviceMetrics;
use crate::nodes::NodeState;
use crate::settings::{DeviceSettings, Settings};
use crate::shared::Shared;

/// What never changes while the device's task lives.
pub(crate) struct DeviceContext {
    /// What all objects share.
    pub(crate) shared: Arc<Shared>,
    /// Namespace of the object.
    pub(crate) namespace: String,
    /// Name of the object.
    pub(crate) object: String,
    /// Name of the device in the spec.
    pub(crate) device: String,
    /// What is counted of it.
    pub(crate) metrics: Arc<DeviceMetrics>,
    /// The object's claims.
    pub(crate) ledger: Arc<Ledger>,
    /// Which units the object's devices have proven to be.
    pub(crate) identities: Arc<Identities>,
    /// Cancelled when the task is to end.
    pub(crate) stop: CancellationToken,
}

/// What the object's worker gives its devices: the object and the nodes, as they are now.
#[derive(Debug, Clone)]
pub(crate) struct Work {
    /// The spec, read.
    pub(crate) settings: Arc<Settings>,
    /// All nodes, as this object's selector sees them.
    pub(crate) nodes: Arc<[NodeView]>,
    /// When nodes came that came since the object is worked on, by name.
    pub(crate) arrivals: Arc<BTreeMap<String, Moment>>,
    /// `metadata.generation`.
    pub(crate) generation: i64,
    /// Whether the object is being deleted.
    pub(crate) deleting: bool,
    /// Devices that are no longer listed and are to be cleaned up.
    pub(crate) former: Arc<[DeviceSettings]>,
    /// Records whose removal a user has approved.
    pub(crate) approved: Arc<BTreeSet<MacAddress>>,
    /// The unit that a user has accepted behind one of the devices.
    pub(crate) accepted: Option<Answer>,
    /// Records that unstable nodes have left behind and that count against those nodes alone.
    pub(crate) against_nodes: Arc<BTreeSet<MacAddress>>,
    /// Value of the annotation `reconcile-requested-at`.
    pub(crate) request: Option<String>,
}

impl Work {
    /// The device of this name: in the spec, or one that has left it.
    fn device(&self, name: &str) -> Option<&DeviceSettings> {
        self.settings.device(name).or_else(|| self.former(name))
    }

    fn former(&self, name: &str) -> Option<&DeviceSettings> {
        self.former.iter().find(|device| device.name == name)
    }

    /// What a pass over this device is for.
    fn purpose(&self, device: &str) -> Purpose {
        if self.deleting {
            Purpose::CleanUp(CleanUp::ObjectDeleted)
        } else if self.former(device).is_some() {
            Purpose::CleanUp(CleanUp::DeviceRemoved)
        } else if self.settings.observes {
            Purpose::Observe
        } else {
            Purpose::Maintain
        }
    }

    /// What a pass over this device works on. `None` for a device that is neither listed nor to be cleaned up.
    fn assignment(&self, device: &str) -> Option<Assignment> {
        let settings = &self.settings;
        let place = self.device(device)?;
        Some(Assignment {
            device: place.name.clone(),
            host: place.host.clone(),
            port: place.port,
            purpose: self.purpose(device),
            tunnel: settings.tunnel.clone(),
            prefix: settings.prefix,
            addresses: settings.addresses.clone(),
            removal_delay: settings.removal_delay,
            removal_percent: settings.removal_percent,
            save_delay: settings.save_delay,
            drift: settings.drift,
            bulk_writes: settings.bulk_writes,
            listed: settings.listed.clone(),
            nodes: self.nodes.clone(),
            arrivals: self.arrivals.clone(),
            approved: self.approved.clone(),
            against_nodes: self.against_nodes.clone(),
            accepted: self.accepted.clone(),
        })
    }

    /// Whether the selected nodes are the same as before, as far as a record depends on them.
    pub(crate) fn has_same_nodes(&self, before: &Self) -> bool {
        same_selected(&before.nodes, &self.nodes, &self.settings.addresses)
    }

    /// Whether it asks something of the devices that the work before it did not, besides the nodes.
    pub(crate) fn asks_for_more(&self, before: &Self) -> bool {
        let Self {
            generation,
            deleting,
            former,
            approved,
            accepted,
            against_nodes,
            request,
            // Part of the generation, or asked for apart.
            settings: _,
            nodes: _,
            arrivals: _,
        } = self;
        (generation, deleting, former) != (&before.generation, &before.deleting, &before.former)
            || (approved, accepted) != (&before.approved, &before.accepted)
            || (against_nodes, request) != (&before.against_nodes, &before.request)
    }

    /// When nodes came that came, or came to be as they are, since the object is worked on. `before`: the
    /// work before this one, which selected others.
    pub(crate) fn arrivals_since(&self, before: &Self, now: Moment) -> BTreeMap<String, Moment> {
        let selected = |node: &&NodeView| node.selected;
        let known = before.nodes.iter().filter(selected);
        let known: BTreeMap<&str, &NodeView> = known.map(|n| (n.name.as_str(), n)).collect();
        let arrivals = self.nodes.iter().filter(selected).filter_map(|node| {
            let came = match known.get(node.name.as_str()) {
                Some(before_now) if *before_now == node => *before.arrivals.get(&node.name)?,
                _ => now,
            };
            Some((node.name.clone(), came))
        });
        arrivals.collect()
    }
}

impl DeviceContext {
    /// The object, as the writer queues know it.
    fn applicant(&self) -> Applicant {
        Applicant {
            namespace: self.namespace.clone(),
            object: self.object.clone(),
        }
    }

    /// Waits for a read, but not when the task is to end: nothing is lost with an answer that is not needed.
    /// Writes are never given up this way.
    async fn unless_stopping<T>(&self, read: impl Future<Output = T>) -> Result<T, PassError> {
        let answer = self.stop.run_until_cancelled(read).await;
        answer.ok_or(PassError::Stopping)
    }

    /// The device listed before this one that is the same unit.
    fn twin(&self, work: &Work) -> Option<String> {
        self.identities.twin(&self.device, &work.settings.devices)
    }

    /// Notes that it is not known any more which unit the device is, where this error shows that.
    fn note_doubt_of(&self, error: &PassError) {
        if matches!(error, PassError::Unreachable { .. }) {
            self.identities.note_doubt(&self.device);
        }
    }
}

/// What other objects need on the device; `None` while that is not known.
fn needs_of_others(ctx: &DeviceContext, work: &Work, nodes: &NodeState) -> Option<Needs> {
    ctx.shared.index.needs(&Asker {
        key: &(ctx.namespace.clone(), ctx.object.clone()),
        settings: &work.settings,
        device: work.device(&ctx.device)?,
        identities: &ctx.identities,
        deleting: work.deleting,
        nodes,
        now: ctx.shared.clock.now(),
    })
}

#[cfg(test)]
mod tests {
    use super::testing::work;
    use super::*;

    #[test]
    fn deletion_and_removal_from_the_list_come_before_observing() {
        let mut work = work(&[]);
        assert_eq!(work.purpose("a"), Purpose::Maintain);
        Arc::make_mut(&mut work.settings).observes = true;
        assert_eq!(work.purpose("a"), Purpose::Observe);
        let mut left = work.settings.devices[0].clone();
        left.name = "left".into();
        work.former = [left].into();
        let removed = Purpose::CleanUp(CleanUp::DeviceRemoved);
        assert_eq!(work.purpose("left"), removed);
        work.deleting = true;
        let deleted = Purpose::CleanUp(CleanUp::ObjectDeleted);
        assert_eq!(work.purpose("a"), deleted);
    }

    #[test]
    fn only_listed_and_former_devices_are_assigned() {
        let mut work = work(&[]);
        let assignment = work.assignment("b").unwrap();
        assert_eq!(assignment.host, "192.0.2.12");
        assert!(assignment.is_listed());
        assert!(work.assignment("c").is_none());
        let mut left = work.settings.devices[0].clone();
        left.name = "c".into();
        work.former = [left].into();
        assert!(!work.assignment("c").unwrap().is_listed());
    }
}
