//! What an object's worker makes of the reports: the status, the answer to a held removal, the end of
//! an object that is going.

use std::collections::BTreeSet;
use std::sync::Arc;

use bigip_tunnel_core::desired::{Desired, desired};
use bigip_tunnel_core::mac::MacAddress;
use bigip_tunnel_core::outcome::{DeviceReport, Reach};
use bigip_tunnel_crds::v1alpha1::{BigIpTunnel, DeletionPolicy, Device};
use bigip_tunnel_crds::{ANNOTATION_APPROVE_REMOVAL, ANNOTATION_RECONCILE_REQUESTED_AT};
use kube::ResourceExt;

use super::{DeviceHandle, Worker};
use crate::device::Work;
use crate::finalizer;
use crate::ledger::LedgerError;
use crate::steps::write_status::{Summary, write_paused, write_status};

impl Worker {
    /// Writes the status; for an object that is going, lets it go when nothing is left.
    pub(super) async fn act(&mut self) -> Result<(), LedgerError> {
        let object = self.object.borrow().clone();
        let deleting = object.metadata.deletion_timestamp.is_some();
        if deleting && self.is_clean().await {
            self.say_what_stays(&object).await;
            if let Err(error) = finalizer::clear(&self.api, &object).await {
                tracing::warn!(name = object.name_any(), "the finalizer stays: {error}");
                self.retry();
            }
            return Ok(());
        }
        let result = self.write(&object, deleting).await;
        if result.is_ok() && !self.blocked {
            self.failures = 0;
        }
        if let Err(error) = &result {
            tracing::warn!(name = object.name_any(), "{error}");
            self.retry();
        }
        result
    }

    /// An object that nobody works on takes nothing along.
    async fn say_what_stays(&self, object: &BigIpTunnel) {
        let claims = self.ledger.claims().await;
        if self.paused.is_some() && !claims.is_empty() {
            tracing::warn!(
                name = object.name_any(),
                count = claims.len(),
                "deleted while paused: its records stay on the BIG-IPs"
            );
        }
    }

    /// Whether nothing keeps the object: its records stay on purpose, or every device is clean.
    async fn is_clean(&self) -> bool {
        let policy = self.object.borrow().spec.deletion_policy;
        let retains = self.is_released || policy == DeletionPolicy::Retain;
        if retains || self.paused.is_some() {
            return true;
        }
        let settings = self
            .work
            .as_ref()
            .map(|work| work.borrow().settings.clone());
        match settings {
            Some(settings) => settings.devices.iter().all(|device| {
                let last = self.devices.get(&device.name).and_then(|d| d.last.as_ref());
                last.is_some_and(|news| news.clean)
            }),
            None => self.ledger.claims().await.is_empty(),
        }
    }

    async fn write(&mut self, object: &BigIpTunnel, deleting: bool) -> Result<(), LedgerError> {
        if let Some(why) = self.paused {
            let request = object.annotations().get(ANNOTATION_RECONCILE_REQUESTED_AT);
            let generation = object.metadata.generation.unwrap_or_default();
            let request = request.map(String::as_str);
            return write_paused(&self.shared, &self.ledger, why, generation, request).await;
        }
        let work = self.work.as_ref().map(|work| work.borrow().clone());
        let desired = match &work {
            Some(work) if !deleting => {
                desired(&work.nodes, work.settings.prefix, &work.settings.addresses)
            }
            _ => Desired::default(),
        };
        let reports = self.reports(object);
        let unclear = self.ask_and_hear(object, &reports, &desired).await;
        let handled = work.as_ref().and_then(|work| {
            let all = self.devices.values();
            let answered = |d: &DeviceHandle| d.last.as_ref()?.request.clone();
            let mut all = all.map(answered);
            let same = work.request.is_some() && all.all(|request| request == work.request);
            work.request.clone().filter(|_| same)
        });
        // While the nodes are not known, the work may still be that of an older spec.
        let current = work.as_ref().filter(|_| self.nodes_failure.is_none());
        let generation = current.map(|work| work.generation);
        let summary = Summary {
            rejected: self.rejected.as_ref(),
            nodes_failure: self.nodes_failure.as_ref(),
            desired: &desired,
            devices: &reports,
            held: self.approval.held(),
            keep_held: unclear,
            handled_approval: self.approval.handled(),
            deleting,
            generation: generation
                .or(object.metadata.generation)
                .unwrap_or_default(),
            handled_request: handled.as_deref(),
        };
        write_status(&self.shared, &self.ledger, &summary).await
    }

    /// Brings the held removal up to date, and acts on a person's answer to it. Returns whether the
    /// question has to stay as it stands, because what is due cannot be told now: a device has not
    /// reported yet, or a delay begins anew.
    async fn ask_and_hear(
        &mut self,
        object: &BigIpTunnel,
        reports: &[DeviceReport],
        desired: &Desired,
    ) -> bool {
        let stored = self.ledger.status().await;
        let over_budget: BTreeSet<MacAddress> = reports
            .iter()
            .flat_map(|r| r.over_budget.iter().copied())
            .collect();
        let waits = |report: &DeviceReport| report.leaving.iter().any(|l| l.removable_at.is_some());
        let unclear = reports.iter().any(|report| report.reach == Reach::Pending)
            || (over_budget.is_empty() && reports.iter().any(waits));
        if !unclear {
            let stale = reports.iter().filter_map(|report| report.plan.as_ref());
            let stale = stale.flat_map(|plan| plan.remove.keys().copied());
            let unwanted = stale
                .filter(|mac| !desired.nodes.contains_key(mac))
                .collect();
            let now = self.shared.clock.time();
            self.approval.update(over_budget, &unwanted, &stored, now);
        }
        let answer = object
            .annotations()
            .get(ANNOTATION_APPROVE_REMOVAL)
            .map(String::as_str);
        if self
            .approval
            .answer(answer, stored.last_handled_approval.as_deref())
            && let Some(sender) = &self.work
        {
            let approved = self.approval.approved();
            sender.send_modify(|work| {
                *work = Arc::new(Work {
                    approved,
                    ..Work::clone(work)
                });
            });
        }
        unclear
    }

    /// What the devices reported about this generation. One that has not, and any while the object
    /// is not worked on, counts as not asked yet.
    fn reports(&self, object: &BigIpTunnel) -> Vec<DeviceReport> {
        let generation = self.work.as_ref().map(|work| work.borrow().generation);
        let report = |device: &Device| {
            let last = self
                .devices
                .get(&device.name)
                .and_then(|handle| handle.last.as_ref());
            let current = last.filter(|news| generation.is_some_and(|g| news.generation >= g));
            current.map_or_else(
                || {
                    let address = device.address.to_ascii_lowercase();
                    DeviceReport::pending(device.name.clone(), address)
                },
                |news| news.report.clone(),
            )
        };
        object.spec.devices.iter().map(report).collect()
    }
}
