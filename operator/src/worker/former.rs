//! Devices that have left the list and still hold records of the object.
//!
//! A device has left only if neither its name nor its address nor its unit is listed any more: an entry
//! that got another name keeps its claims. What is needed to reach a device that has left is kept in
//! the status until its records are gone, and it is only ever tried with its own Secret. Touches no device.

use bigip_tunnel_core::reason::Reason;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bigip_tunnel_core::answers::Answer;
use bigip_tunnel_core::claims::NodeChanges;
use bigip_tunnel_core::former::{Fate, GivenUp, LeftDevice, ListedDevice, fate, surplus};
use bigip_tunnel_core::outcome::{DeviceReport, Failure, Reach};
use bigip_tunnel_core::unit::Place;
use bigip_tunnel_crds::status;
use bigip_tunnel_crds::v1alpha1::{BigIpTunnel, BigIpTunnelStatus, DeletionPolicy, FormerDevice};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::Worker;
use crate::settings::{DeviceSettings, Settings};

/// Devices that have left the list and still hold records.
#[derive(Debug, Default)]
pub(super) struct Former {
    /// Their names, and what is needed to reach them.
    pub(super) devices: BTreeMap<String, FormerDevice>,
    /// Whether their clean-up waits for a listed device whose unit is not known yet.
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

impl Worker {
    /// Notes which devices with claims have left the spec, and how they were reached. Done before anything of
    /// the spec is read, also by an object that only looks: with the next status that is forgotten.
    pub(super) async fn note_former(&mut self, object: &BigIpTunnel) {
        let claims = self.ledger.claims().await;
        let stored = self.ledger.status().await;
        let is_listed = |name: &str| object.spec.devices.iter().any(|device| device.name == name);
        self.former
            .devices
            .retain(|name, _| !is_listed(name) && !claims.of(name).is_empty());
        for name in claims.devices().filter(|name| !is_listed(name)) {
            let known = self.former.devices.contains_key(name);
            if let Some(former) = self.describe(name, &stored).filter(|_| !known) {
                self.former.devices.insert(name.to_owned(), former);
            }
        }
    }

    /// Takes a spec in that can be worked with. Behind another address there may be another unit, also before
    /// it is asked.
    pub(super) fn note_settings(&mut self, settings: &Arc<Settings>) {
        self.identities.list(&settings.devices);
        self.last = Some(settings.clone());
    }

    /// The devices that are to be cleaned up now.
    pub(super) async fn former_work(
        &mut self,
        settings: &Settings,
        deleting: bool,
    ) -> Arc<[DeviceSettings]> {
        // One that only looks moves no claim and removes nothing.
        if settings.observes {
            return Arc::default();
        }
        self.settle_former(settings, deleting).await
    }

    /// Settles what becomes of claims on devices that are not listed. Returns the devices that are to
    /// be cleaned up now: no other one is ever touched.
    async fn settle_former(
        &mut self,
        settings: &Settings,
        deleting: bool,
    ) -> Arc<[DeviceSettings]> {
        let claims = self.ledger.claims().await;
        let object = self.object.borrow().clone();
        let release = self.release(&object).await;
        let mut to_clean = Vec::new();
        let unlisted = claims
            .devices()
            .filter(|name| settings.device(name).is_none());
        for name in unlisted {
            match self.fate(name, settings, release.as_ref()) {
                Fate::Move(to) => self.move_claims(name, &to).await,
                Fate::GiveUp(why) => self.give_up(&object, name, why).await,
                Fate::CleanUp => to_clean.push(name.to_owned()),
            }
        }
        let max = status::DEVICES_MAX;
        let former = self.former.devices.values();
        let over = surplus(former.map(|f| (&*f.name, f.since.0)), max);
        for name in &over {
            self.give_up(&object, name, GivenUp::TooMany(max)).await;
        }
        // While the unit of a listed device is not known, it may be one that seems to have left.
        let known = deleting || self.all_identified(settings);
        self.former.waits = !(known || to_clean.is_empty());
        if self.former.waits {
            return Arc::default();
        }
        let former = to_clean.iter().filter(|name| !over.contains(*name));
        let former = former.filter_map(|name| self.former.devices.get(name));
        former.filter_map(DeviceSettings::of_former).collect()
    }

    fn fate(&self, name: &str, settings: &Settings, release: Option<&Answer>) -> Fate {
        let left = self.former.devices.get(name).map(|former| LeftDevice {
            name,
            place: place_of(former),
            identity: former.identity.as_deref(),
        });
        let listed = settings.devices.iter().map(|device| {
            let proven = self.identities.of(&device.name);
            ListedDevice {
                name: &device.name,
                place: device.place(),
                identity: proven.map(|unit| unit.identity.to_string()),
            }
        });
        let listed: Vec<_> = listed.collect();
        let is_retained = settings.deletion_policy == DeletionPolicy::Retain;
        fate(left.as_ref(), &listed, is_retained, release)
    }

    /// Whether this process has seen every listed device at the address that it has now. What an
    /// earlier one has seen may have been at another one.
    fn all_identified(&self, settings: &Settings) -> bool {
        let mut devices = settings.devices.iter();
        devices.all(|device| self.identities.of(&device.name).is_some())
    }

    /// What is known of a device that is not listed any more: from the spec before, or, after a
    /// restart, from the status. Its Secret is the one that it had; where that is not known, none is guessed.
    fn describe(&self, name: &str, stored: &BigIpTunnelStatus) -> Option<FormerDevice> {
        let last = self.last.as_ref();
        let before = last.and_then(|settings| settings.device(name));
        let seen = self
            .identities
            .of(name)
            .map(|seen| seen.identity.to_string());
        let (address, port, access) = if let Some(before) = before {
            let access = before.access();
            let (secret, tls) = (Some(access.secret), access.tls);
            (before.host.clone(), i32::from(before.port), (secret, tls))
        } else {
            let mut devices = stored.devices.iter();
            let device = devices.find(|device| device.name == name)?;
            let access = (device.credentials_secret_ref.clone(), device.tls.clone());
            (device.address.clone()?, device.port.unwrap_or(443), access)
        };
        Some(FormerDevice {
            name: name.to_owned(),
            address,
            port,
            credentials_secret_ref: access.0,
            tls: access.1,
            // It comes with each status.
            login: None,
            identity: seen.or_else(|| status::known_identity(stored, name).map(str::to_owned)),
            since: Time(self.shared.clock.time()),
            records: None,
            reason: None,
            message: None,
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

    async fn give_up(&mut self, object: &BigIpTunnel, device: &str, why: GivenUp) {
        self.stop_devices(|name| name == device);
        let claims = self.ledger.claims().await;
        let changes = claims.of(device).keys().map(|mac| (*mac, None)).collect();
        match self
            .ledger
            .claim(device, &changes, &NodeChanges::new(), None, None)
            .await
        {
            Ok(_) => {
                let event = why.event(device, changes.len());
                tracing::warn!(device, count = changes.len(), "{}", event.note);
                self.shared.events.tell(object, Some(event));
                self.former.devices.remove(device);
                if why == GivenUp::Released {
                    self.note_released();
                }
                self.write_soon(Duration::ZERO);
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
            let last = handle.and_then(|handle| handle.last.as_ref());
            let port = u16::try_from(former.port).unwrap_or_default();
            let (name, address) = (former.name.clone(), former.address.clone());
            let mut report = last.map_or_else(
                || DeviceReport::pending(name, address, port),
                |update| update.report.clone(),
            );
            // The unit that the records are on.
            report.identity.clone_from(&former.identity);
            let failure = match &former.credentials_secret_ref {
                None => Some(credentials_unknown()),
                Some(_) if last.is_none() && self.former.waits => Some(unit_unknown()),
                Some(_) => None,
            };
            if let Some(failure) = failure {
                report.reach = Reach::Failed(failure);
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
            .is_some_and(|update| update.clean);
        if is_clean && self.former.devices.remove(name).is_some() {
            self.stop_devices(|device| device == name);
        }
    }
}

/// Where a former device was reached.
fn place_of(former: &FormerDevice) -> Option<Place> {
    let port = u16::try_from(former.port).ok()?;
    Some(Place::new(&former.address, port))
}

/// The Secret of a former device is not known.
fn credentials_unknown() -> Failure {
    Failure {
        reason: Reason::CredentialsUnknown,
        message: "its Secret is not known, and no other one is tried: list it again with its \
                  credentialsSecretRef until it is in sync, then take it off the list"
            .to_owned(),
        retryable: false,
    }
}

/// A former device may be the unit of a listed device.
fn unit_unknown() -> Failure {
    Failure {
        reason: Reason::Pending,
        message: "the unit of a listed BIG-IP is not known yet, and could be this one".to_owned(),
        retryable: true,
    }
}
