//! Devices that have left the list and still hold records of the object.
//!
//! A device has left only if neither its name nor its address nor its box is listed any more: an entry
//! that got another name keeps its claims. What is needed to reach a device that has left is kept in
//! the status until its records are gone. Touches no device.

use std::collections::BTreeMap;
use std::sync::Arc;

use bigip_tunnel_core::claims::NodeChanges;
use bigip_tunnel_core::outcome::{DeviceReport, Failure, Reach};
use bigip_tunnel_core::vocabulary::reason;
use bigip_tunnel_crds::v1alpha1::{
    BigIpTunnel, BigIpTunnelStatus, DeletionPolicy, FormerDevice, Tls,
};
use bigip_tunnel_crds::{ANNOTATION_RELEASE, status};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;

use super::Worker;
use crate::settings::{DeviceSettings, Settings};

/// Devices that have left the list and still hold records.
#[derive(Debug, Default)]
pub(super) struct Former {
    /// Their names, and what is needed to reach them.
    pub(super) devices: BTreeMap<String, FormerDevice>,
    /// Whether their clean-up waits for a listed device to say which box it is.
    pub(super) waits: bool,
}

impl Former {
    /// Those that the object's status knows.
    pub(super) fn of(object: &BigIpTunnel) -> Self {
        let stored = object.status.iter().flat_map(|s| &s.former_devices);
        let devices = stored.map(|former| (former.name.clone(), former.clone()));
        Self {
            devices: devices.collect(),
            waits: false,
        }
    }
}

/// What becomes of the claims on a device that is not listed.
enum Fate {
    /// They are those of this listed device.
    Move(String),
    /// They are given up, and the records stay.
    GiveUp(&'static str),
    /// The records are removed.
    CleanUp,
}

impl Worker {
    /// Notes which devices with claims have left the spec, and how they were reached. Done whenever the
    /// spec is read, also by an object that only looks: with the next status that is forgotten.
    pub(super) async fn note_former(&mut self, settings: &Arc<Settings>) {
        let claims = self.ledger.claims().await;
        let stored = self.ledger.status().await;
        let is_claimed = |name: &str| !claims.of(name).is_empty();
        self.former
            .devices
            .retain(|name, _| settings.device(name).is_none() && is_claimed(name));
        let unlisted = claims
            .devices()
            .filter(|name| settings.device(name).is_none());
        for name in unlisted {
            let known = self.former.devices.contains_key(name);
            if let Some(former) = self.describe(name, &stored).filter(|_| !known) {
                self.former.devices.insert(name.to_owned(), former);
            }
        }
        // Behind another address there may be another box, also before anybody has asked.
        let before = self.last.iter().flat_map(|settings| &settings.devices);
        for device in before {
            let now = settings.device(&device.name);
            if now.is_none_or(|now| !now.is_at(&device.host, device.port)) {
                self.identities.forget(&device.name);
            }
        }
        self.last = Some(settings.clone());
    }

    /// Settles what becomes of claims on devices that are not listed. Returns the devices that are to
    /// be cleaned up now: no other one is ever touched.
    pub(super) async fn settle_former(
        &mut self,
        settings: &Settings,
        deleting: bool,
    ) -> Arc<[DeviceSettings]> {
        let claims = self.ledger.claims().await;
        let mut to_clean = Vec::new();
        let unlisted = claims
            .devices()
            .filter(|name| settings.device(name).is_none());
        for name in unlisted {
            match self.fate(name, settings) {
                Fate::Move(to) => self.move_claims(name, &to).await,
                Fate::GiveUp(why) => self.give_up(name, why).await,
                Fate::CleanUp => to_clean.push(name.to_owned()),
            }
        }
        // While a listed device has not said which box it is, it may be one that seems to have left.
        let known = deleting || self.all_identified(settings);
        self.former.waits = !(known || to_clean.is_empty());
        if self.former.waits {
            return Arc::default();
        }
        let former = to_clean
            .iter()
            .filter_map(|name| self.former.devices.get(name));
        former.filter_map(DeviceSettings::of_former).collect()
    }

    fn fate(&self, name: &str, settings: &Settings) -> Fate {
        let Some(former) = self.former.devices.get(name) else {
            return Fate::GiveUp("where it was is not known");
        };
        if let Some(listed) = self.listed_as(former, settings) {
            return Fate::Move(listed);
        }
        let object = self.object.borrow();
        let released = object.annotations().get(ANNOTATION_RELEASE);
        if settings.deletion_policy == DeletionPolicy::Retain {
            Fate::GiveUp("deletionPolicy is Retain")
        } else if released.is_some_and(|released| released == name) {
            Fate::GiveUp("a person has released it")
        } else if self.former.devices.len() > status::DEVICES_MAX {
            Fate::GiveUp("there are too many such devices")
        } else {
            Fate::CleanUp
        }
    }

    /// The name under which a device is listed now, by its box or, while that is not known, by its
    /// address.
    fn listed_as(&self, former: &FormerDevice, settings: &Settings) -> Option<String> {
        let host = former.address.to_ascii_lowercase();
        let is_same = |device: &&DeviceSettings| {
            let seen = self
                .identities
                .of(&device.name)
                .map(|seen| seen.identity.to_string());
            match (&former.identity, seen) {
                (Some(known), Some(seen)) => *known == seen,
                _ => u16::try_from(former.port).is_ok_and(|port| device.is_at(&host, port)),
            }
        };
        let listed = settings.devices.iter().find(is_same);
        listed.map(|device| device.name.clone())
    }

    /// Whether this process has seen every listed device at the address that it has now. What an
    /// earlier one has seen may have been at another one.
    fn all_identified(&self, settings: &Settings) -> bool {
        let mut devices = settings.devices.iter();
        devices.all(|device| self.identities.of(&device.name).is_some())
    }

    /// What is known of a device that is not listed any more: from the spec before, or, after a
    /// restart, from the status, with the login that the others have.
    fn describe(&self, name: &str, stored: &BigIpTunnelStatus) -> Option<FormerDevice> {
        let last = self.last.as_ref();
        let before = last.and_then(|settings| settings.device(name).cloned());
        let seen = self
            .identities
            .of(name)
            .map(|seen| seen.identity.to_string());
        let identity = seen.or_else(|| status::known_identity(stored, name).map(str::to_owned));
        let since = Time(self.shared.clock.time());
        let (reason, message) = (None, None);
        if let Some(before) = before {
            return Some(FormerDevice {
                name: name.to_owned(),
                address: before.host.clone(),
                port: i32::from(before.port),
                credentials_secret_ref: before.secret_ref(),
                tls: Some(before.tls.clone()).filter(|tls| *tls != Tls::default()),
                identity,
                since,
                reason,
                message,
            });
        }
        let mut devices = stored.devices.iter();
        let device = devices.find(|device| device.name == name)?;
        let object = self.object.borrow();
        let spec = &object.spec;
        let own = spec
            .devices
            .iter()
            .find_map(|device| device.credentials_secret_ref.clone());
        Some(FormerDevice {
            name: name.to_owned(),
            address: device.address.clone()?,
            port: device.port.unwrap_or(443),
            credentials_secret_ref: spec.credentials_secret_ref.clone().or(own)?,
            tls: spec.tls.clone(),
            identity,
            since,
            reason,
            message,
        })
    }

    async fn move_claims(&mut self, from: &str, to: &str) {
        self.stop_devices(|name| name == from);
        match self.ledger.rename(from, to).await {
            Ok(()) => {
                tracing::info!(from, to, "a device got another name");
                self.former.devices.remove(from);
            }
            Err(error) => {
                tracing::warn!(from, to, "{error}");
                self.retry_blocked();
            }
        }
    }

    async fn give_up(&mut self, device: &str, why: &str) {
        self.stop_devices(|name| name == device);
        let claims = self.ledger.claims().await;
        let changes = claims.of(device).keys().map(|mac| (*mac, None)).collect();
        match self
            .ledger
            .claim(device, &changes, &NodeChanges::new(), None, None)
            .await
        {
            Ok(()) => {
                tracing::warn!(
                    device,
                    count = changes.len(),
                    "records stay on a BIG-IP that is no longer listed: {why}"
                );
                self.former.devices.remove(device);
            }
            Err(error) => {
                tracing::warn!(device, "{error}");
                self.retry_blocked();
            }
        }
    }

    /// What the devices that have left reported.
    pub(super) fn former_reports(&self) -> Vec<DeviceReport> {
        let report = |former: &FormerDevice| {
            let handle = self.devices.get(&former.name);
            if let Some(news) = handle.and_then(|handle| handle.last.as_ref()) {
                return news.report.clone();
            }
            let port = u16::try_from(former.port).unwrap_or_default();
            let mut report =
                DeviceReport::pending(former.name.clone(), former.address.clone(), port);
            if self.former.waits {
                report.reach = Reach::Failed(Failure {
                    reason: reason::PENDING,
                    message:
                        "a BIG-IP that is listed has not said yet which unit it is, and could be \
                              this one"
                            .to_owned(),
                    retryable: true,
                });
            }
            report
        };
        self.former.devices.values().map(report).collect()
    }

    /// Whether this device was to be cleaned up because it has left the list, and is clean now. It is
    /// forgotten then.
    pub(super) fn forget_if_clean(&mut self, name: &str) {
        let handle = self.devices.get(name);
        let is_clean = handle
            .and_then(|handle| handle.last.as_ref())
            .is_some_and(|news| news.clean);
        if is_clean && self.former.devices.remove(name).is_some() {
            self.stop_devices(|device| device == name);
        }
    }
}
