//! What an object's worker makes of the reports: the status, the answer to a held removal, the end of
//! an object that is going.

use std::collections::BTreeSet;
use std::time::Duration;

use bigip_tunnel_core::answers::Subject;
use bigip_tunnel_core::budget::Census;
use bigip_tunnel_core::claims::Claims;
use bigip_tunnel_core::desired::Desired;
use bigip_tunnel_core::mac::MacAddress;
use bigip_tunnel_core::outcome::{DeviceReport, Failure, Reach};
use bigip_tunnel_core::reason::Reason;
use bigip_tunnel_crds::v1alpha1::{
    BigIpTunnel, BigIpTunnelSpec, DeletionPolicy, Device, FormerDevice, ManagementPolicy,
};
use bigip_tunnel_crds::{ANNOTATION_APPROVE_REMOVAL, ANNOTATION_RECONCILE_REQUESTED_AT};
use jiff::Timestamp;
use kube::ResourceExt;

use super::Worker;
use super::devices::DeviceHandle;
use super::phase::Phase;
use super::status::{Summary, write_paused, write_status};
use crate::device::Work;
use crate::finalizer;
use crate::ledger::LedgerError;

impl Worker {
    /// Writes the status; for an object that is going, lets it go when nothing is left.
    pub(super) async fn write_status_or_finalize(&mut self) -> Result<(), LedgerError> {
        if self.ledger.is_displaced().await {
            return Ok(());
        }
        self.ledger.check_readable().await?;
        let object = self.object.borrow().clone();
        let deleting = object.metadata.deletion_timestamp.is_some();
        if deleting && self.is_clean().await {
            let claims = self.log_retained_records().await;
            self.tell_of_left_vtep_config(&object).await;
            if let Err(error) = finalizer::clear(&self.api, &self.shared.leadership, &object).await
            {
                tracing::warn!("the finalizer stays: {error}");
                self.retry();
                return Ok(());
            }
            let devices: Vec<&str> = claims.devices().collect();
            let left = (!claims.is_empty()).then_some((claims.len(), devices.as_slice()));
            self.shared.events.tell(&object, self.journal.end(left));
            return Ok(());
        }
        let result = self.write(&object, deleting).await;
        let status = self.ledger.status().await;
        let objects = &self.shared.metrics.objects;
        objects.show(&self.key, &object.spec, &status);
        if result.is_ok() && !self.blocked {
            self.failures = 0;
        }
        if let Err(error) = &result {
            tracing::warn!("{error}");
            self.retry();
        }
        result
    }

    /// An object that is not cleaned up takes nothing along. Returns what is claimed still.
    async fn log_retained_records(&self) -> Claims {
        let claims = self.ledger.claims().await;
        let devices: Vec<&str> = claims.devices().collect();
        if !claims.is_empty() {
            tracing::warn!(
                count = claims.len(),
                devices = devices.join(", "),
                "the object goes and its records stay on the BIG-IPs"
            );
        }
        claims
    }

    /// Whether the deletion is meant for this object. When the resource definition is removed all
    /// objects go with it, which is an uninstallation and no order to empty every BIG-IP.
    pub(super) async fn may_clean_up(&mut self) -> bool {
        let object = self.object.borrow().clone();
        let release = self.release(&object).await;
        self.is_released |= release.is_some_and(|answer| answer.subject == Subject::Object);
        if self.is_released || self.phase.work().is_some_and(|work| work.deleting) {
            return true;
        }
        match finalizer::definition_is_going(&self.shared.client).await {
            Ok(false) => true,
            Ok(true) => {
                tracing::warn!(
                    "the resource definition is being removed; the records stay on the BIG-IPs"
                );
                self.is_released = true;
                true
            }
            Err(error) => {
                self.nodes_failure = Some(Failure {
                    reason: Reason::KubernetesUnavailable,
                    message: format!(
                        "whether the resource definition is being removed could not be read, so \
                         nothing is cleaned up yet: {error}"
                    ),
                    retryable: true,
                });
                self.retry_blocked();
                false
            }
        }
    }

    /// Whether an object that goes leaves its records.
    pub(super) fn retains(&self, spec: &BigIpTunnelSpec) -> bool {
        self.is_released
            || spec.deletion_policy == DeletionPolicy::Retain
            || spec.management_policy == ManagementPolicy::Observe
    }

    /// Whether nothing keeps the object: what it has stays on purpose, or nothing is left of it. Its
    /// CiliumVTEPConfig goes after its records.
    async fn is_clean(&self) -> bool {
        if matches!(self.phase, Phase::Paused(_)) || self.retains(&self.object.borrow().spec) {
            self.shared.vtep.retain(&self.key);
            return true;
        }
        self.is_clean_of_records().await && self.has_no_vtep_config().await
    }

    /// Whether no device has a record of it.
    pub(super) async fn is_clean_of_records(&self) -> bool {
        // Claims may have been moved to a device after it was found clean.
        if !self.ledger.claims().await.is_empty() {
            return false;
        }
        let Some(work) = self.phase.work() else {
            return true;
        };
        let listed = work.settings.devices.iter().map(|device| &device.name);
        listed.chain(self.former.devices.keys()).all(|name| {
            let last = self.devices.get(name).and_then(|d| d.last.as_ref());
            last.is_some_and(|update| update.clean)
        })
    }

    async fn write(&mut self, object: &BigIpTunnel, deleting: bool) -> Result<(), LedgerError> {
        if let Phase::Paused(why) = self.phase {
            return self.write_paused(object, why).await;
        }
        let work = self.phase.work();
        let desired = match &work {
            Some(work) if !deleting => work.settings.desired(&work.nodes),
            _ => Desired::default(),
        };
        let reports = self.reports(object);
        let former_reports = self.former_reports();
        let current = self
            .last
            .as_ref()
            .filter(|_| self.phase.rejected().is_none());
        let transport = current.map(|settings| settings.transport());
        let access = current.map(|settings| settings.access());
        let former: Vec<FormerDevice> = self.former.devices.values().cloned().collect();
        let unclear = self.update_approval(object, &reports, &desired).await;
        self.judge_answers(object).await;
        let handled = self.handled_request(object, work.as_deref());
        // While the nodes are not known, the work may still be that of an older spec.
        let current = work.as_ref().filter(|_| self.nodes_failure.is_none());
        let generation = current.map(|work| work.generation);
        let doubt = self.shared.nodes.doubt(self.shared.clock.now());
        let now = self.shared.clock.time();
        let vtep_failure = self.vtep_failure(object).await;
        let vtep_name = self.ledger.status().await.vtep_config;
        let summary = Summary {
            rejected: self.phase.rejected(),
            nodes_doubt: doubt.as_ref(),
            nodes_failure: self.nodes_failure.as_ref().or(vtep_failure.as_ref()),
            desired: &desired,
            devices: &reports,
            former_reports: &former_reports,
            former: &former,
            transport: transport.as_ref(),
            observing: work.as_ref().is_some_and(|work| work.settings.observes),
            held: self.approval.held(),
            keep_held: unclear,
            handled_approval: self.approval.handled(),
            handled_acceptances: self.answers.handled_acceptances(),
            handled_releases: self.answers.handled_releases(),
            access: access.as_deref().unwrap_or_default(),
            census: self.census(work.as_deref(), &desired).await,
            deleting,
            now,
            generation: generation
                .or(object.metadata.generation)
                .unwrap_or_default(),
            handled_request: handled.as_deref(),
            cilium: self.cilium.verified(&self.key, object),
            vtep: self.vtep.tell(&self.key, object, vtep_name.as_deref()),
        };
        write_status(&self.shared, &self.ledger, &summary).await?;
        let both = self.shared.clock.both();
        let told = self.journal.look(&summary.report(), both);
        let shown = self.cilium.of_status(object);
        let of_cilium = shown.and_then(|found| self.journal.cilium(found, both));
        let told = told.into_iter().chain(of_cilium);
        self.shared.events.tell(object, told);
        self.plan_overdue(&desired, now);
        Ok(())
    }

    /// The status of an object that is not worked on.
    async fn write_paused(&mut self, object: &BigIpTunnel, why: Reason) -> Result<(), LedgerError> {
        let request = object.annotations().get(ANNOTATION_RECONCILE_REQUESTED_AT);
        let generation = object.metadata.generation.unwrap_or_default();
        let request = request.map(String::as_str);
        let verified = &self.verified;
        let cilium = self.cilium.verified(&self.key, object);
        write_paused(
            &self.shared,
            &self.ledger,
            why,
            verified,
            generation,
            request,
            cilium,
        )
        .await?;
        let both = self.shared.clock.both();
        let shown = self.cilium.of_status(object);
        let of_cilium = shown.and_then(|found| self.journal.cilium(found, both));
        let told = self.journal.pause(why, both).into_iter().chain(of_cilium);
        self.shared.events.tell(object, told);
        Ok(())
    }

    /// The records and nodes that there are. Not known of an object that removes nothing, or whose nodes are
    /// not known.
    async fn census(&self, work: Option<&Work>, desired: &Desired) -> Option<Census> {
        let work = work.filter(|work| !work.deleting && !work.settings.observes)?;
        if self.phase.rejected().is_some() || self.nodes_failure.is_some() {
            return None;
        }
        let claims = self.ledger.claims().await;
        let is_listed = |name: &str| work.settings.device(name).is_some();
        let (staying, _) = claims.staying_and_leaving(&is_listed);
        Some(Census::of(&staying, desired))
    }

    /// Notes when the devices were last read, before they are stopped.
    pub(super) fn note_verified(&mut self) {
        let read = self.devices.iter().filter_map(|(name, device)| {
            Some((name.clone(), device.last.as_ref()?.report.last_read_time?))
        });
        self.verified.extend(read);
    }

    /// Tries again later, for something without which no work is given to the devices.
    pub(super) fn retry_blocked(&mut self) {
        self.blocked = true;
        self.retry();
    }

    /// A node that has just joined becomes a failure by time alone.
    fn plan_overdue(&mut self, desired: &Desired, now: Timestamp) {
        if let Some(overdue) = desired.next_overdue(now) {
            let delay = Duration::try_from(overdue.duration_since(now));
            self.write_soon(delay.unwrap_or_default());
        }
    }

    /// The reconcile request that has been answered: by every device, or, where a spec cannot be worked with,
    /// by saying so.
    fn handled_request(&self, object: &BigIpTunnel, work: Option<&Work>) -> Option<String> {
        if self.phase.rejected().is_some() {
            let requested = object.annotations().get(ANNOTATION_RECONCILE_REQUESTED_AT);
            return requested.cloned();
        }
        let work = work?;
        let mut listed = self
            .devices
            .iter()
            .filter(|(name, _)| !self.former.devices.contains_key(*name));
        let is_answered = |device: &DeviceHandle| {
            let last = device.last.as_ref();
            last.and_then(|update| update.request.as_ref()) == work.request.as_ref()
        };
        let by_all = listed.all(|(_, device)| is_answered(device));
        work.request.clone().filter(|_| by_all)
    }

    /// Brings the held removal up to date, and acts on a person's answer to it. Returns whether the
    /// question has to stay as it stands, because what is due is not known now: a device has not
    /// reported yet, or a delay starts again.
    async fn update_approval(
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
        {
            let approved = self.approval.approved();
            self.phase.update(|work| work.approved = approved);
        }
        unclear
    }

    /// What the devices reported about this generation. One that has not, and any while the object
    /// is not worked on, counts as not asked yet.
    fn reports(&self, object: &BigIpTunnel) -> Vec<DeviceReport> {
        let generation = self.phase.work().map(|work| work.generation);
        let report = |device: &Device| {
            let last = self
                .devices
                .get(&device.name)
                .and_then(|handle| handle.last.as_ref());
            let current = last.filter(|update| generation.is_some_and(|g| update.generation >= g));
            current.map_or_else(
                || {
                    let address = device.address.to_ascii_lowercase();
                    let port = u16::try_from(device.port).unwrap_or_default();
                    DeviceReport::pending(device.name.clone(), address, port)
                },
                |update| update.report.clone(),
            )
        };
        object.spec.devices.iter().map(report).collect()
    }
}
