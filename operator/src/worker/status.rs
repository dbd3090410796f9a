//! (pure, then I/O) The devices' reports → status, written if it differs.

use std::collections::BTreeMap;

use bigip_tunnel_core::budget::Census;
use bigip_tunnel_core::desired::Desired;
use bigip_tunnel_core::node_evidence::Doubt;
use bigip_tunnel_core::outcome::{DeviceReport, Failure, HeldRemoval, Transport, TunnelReport};
use bigip_tunnel_core::reason::Reason;
use bigip_tunnel_crds::status::{self, Access, Managed, Verified, Written};
use bigip_tunnel_crds::v1alpha1::FormerDevice;
use jiff::{SignedDuration, Timestamp};

use crate::ledger::{Ledger, LedgerError};
use crate::shared::Shared;

/// What the object's task knows when it writes a status.
pub(crate) struct Summary<'a> {
    /// What in the spec cannot be worked with.
    pub(crate) rejected: Option<&'a Failure>,
    /// Why the nodes are not known.
    pub(crate) nodes_failure: Option<&'a Failure>,
    /// Why nothing may be removed by what Kubernetes says of its nodes.
    pub(crate) nodes_doubt: Option<&'a Doubt>,
    /// What the nodes ask for.
    pub(crate) desired: &'a Desired,
    /// The devices, in the order of the spec.
    pub(crate) devices: &'a [DeviceReport],
    /// Devices that are no longer listed and still hold records: what they reported …
    pub(crate) former_reports: &'a [DeviceReport],
    /// … and how they are reached.
    pub(crate) former: &'a [FormerDevice],
    /// Whether the object only looks.
    pub(crate) observing: bool,
    /// How certificates are verified.
    pub(crate) transport: Option<&'a Transport>,
    /// Removals that wait for a person.
    pub(crate) held: Option<&'a HeldRemoval>,
    /// Whether a removal that was held before is shown on: whether it still is, is not known now.
    pub(crate) keep_held: bool,
    /// The approval that was acted on.
    pub(crate) handled_approval: Option<&'a str>,
    /// The acceptances of other units that were handled.
    pub(crate) handled_acceptances: &'a [String],
    /// The releases that were handled.
    pub(crate) handled_releases: &'a [String],
    /// How the listed devices are reached, if the spec can be worked with.
    pub(crate) access: &'a [Access],
    /// The records and nodes that there are, while both are known.
    pub(crate) census: Option<Census>,
    /// Whether the object is being deleted.
    pub(crate) deleting: bool,
    /// Now.
    pub(crate) now: Timestamp,
    /// `metadata.generation` of the object that the reports are about.
    pub(crate) generation: i64,
    /// The reconcile request that every device has answered.
    pub(crate) handled_request: Option<&'a str>,
    /// What is found of Cilium's side.
    pub(crate) cilium: Verified<'a>,
    /// What became of the CiliumVTEPConfig.
    pub(crate) vtep: Managed<'a>,
}

impl Summary<'_> {
    /// The part that says how the object is.
    pub(crate) fn report(&self) -> TunnelReport<'_> {
        TunnelReport {
            rejected: self.rejected,
            nodes_failure: self.nodes_failure,
            nodes_doubt: self.nodes_doubt,
            desired: self.desired,
            devices: self.devices,
            former: self.former_reports,
            observing: self.observing,
            transport: self.transport,
            held: self.held,
            deleting: self.deleting,
            now: self.now,
        }
    }
}

/// Writes the status, unless it already says this.
pub(crate) async fn write_status(
    shared: &Shared,
    ledger: &Ledger,
    summary: &Summary<'_>,
) -> Result<(), LedgerError> {
    let report = summary.report();
    let written = Written {
        generation: summary.generation,
        handled_request: summary.handled_request,
        handled_approval: summary.handled_approval,
        handled_acceptances: summary.handled_acceptances,
        handled_releases: summary.handled_releases,
        access: summary.access,
        keep_held: summary.keep_held,
        former: summary.former,
        census: summary.census,
        cilium: summary.cilium,
        vtep: summary.vtep,
        leading_since: leading_since(shared),
        now: summary.now,
    };
    if ledger
        .display(|previous| status::next(previous, &report, &written))
        .await?
    {
        shared.metrics.record_status_write();
    }
    Ok(())
}

/// The same for an object that is not worked on. `why` is the reason of its condition, `verified` when
/// each device was last read.
pub(crate) async fn write_paused(
    shared: &Shared,
    ledger: &Ledger,
    why: Reason,
    verified: &BTreeMap<String, Timestamp>,
    generation: i64,
    handled_request: Option<&str>,
    cilium: Verified<'_>,
) -> Result<(), LedgerError> {
    let written = Written {
        generation,
        handled_request,
        handled_approval: None,
        handled_acceptances: &[],
        handled_releases: &[],
        access: &[],
        keep_held: true,
        former: &[],
        census: None,
        cilium,
        // It is not worked on, either.
        vtep: Managed::Pending,
        leading_since: leading_since(shared),
        now: shared.clock.time(),
    };
    if ledger
        .display(|previous| status::paused(previous, why, verified, &written))
        .await?
    {
        shared.metrics.record_status_write();
    }
    Ok(())
}

/// When this process began to lead, to the second and no later.
fn leading_since(shared: &Shared) -> Timestamp {
    let (now, time) = shared.clock.both();
    let led = shared.leadership.since().until(now);
    let led = SignedDuration::try_from(led).unwrap_or(SignedDuration::MAX);
    time.saturating_sub(led + SignedDuration::from_secs(1))
        .unwrap_or(Timestamp::UNIX_EPOCH)
}
