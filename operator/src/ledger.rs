//! One object's claims and status, as stored in Kubernetes.
//!
//! The only writer of `status`. Every write is a compare-and-swap on the resource version, and the
//! claims are written before a device is touched: no claim, no device write. Claims and display are
//! separate writes, so that one odd value in the next display never blocks a claim. Decides nothing.

mod claiming;
mod error;
mod logins;
mod patch;
mod replacement;

use std::collections::BTreeSet;
use std::sync::{MutexGuard, OnceLock, PoisonError};

use bigip_tunnel_core::claims::{Claims, DeviceClaims};
use bigip_tunnel_core::pass::inputs::{ClaimView, Removals};
use bigip_tunnel_crds::convert::UnreadableClaims;
use bigip_tunnel_crds::status::DEVICES_MAX;
use bigip_tunnel_crds::v1alpha1::{BigIpTunnel, BigIpTunnelStatus, DeviceStatus};
use bigip_tunnel_crds::{MANAGER_OPERATOR, convert};
use json_patch::PatchOperation;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, ResourceExt};
use tokio::sync::Mutex;

use self::claiming::Waiting;
pub(crate) use self::error::LedgerError;
use self::error::{is_too_large, may_be_stored};
use self::logins::Logins;
use self::patch::PatchError;
use self::replacement::Replacement;
use crate::kubernetes::{self, CallError, READ_DEADLINE, call};
use crate::lease::Leadership;

/// How often a write is tried against an object that others keep changing.
const CONFLICT_TRIES: u32 = 5;

/// The claims and status of one object.
pub(crate) struct Ledger {
    api: Api<BigIpTunnel>,
    name: String,
    uid: String,
    /// This process.
    writer: String,
    leadership: Leadership,
    stored: Mutex<Stored>,
    /// Claims that the next write takes along.
    waiting: std::sync::Mutex<Vec<Waiting>>,
    /// What this process has tried.
    logins: std::sync::Mutex<Logins>,
}

/// What the API server last said.
struct Stored {
    /// What a write repeats of the metadata. Without a resource version nothing is written.
    metadata: ObjectMeta,
    /// Whether there is a status at all. The schema gives every object one; a status that was
    /// removed altogether cannot be patched field by field.
    has_status: bool,
    status: BigIpTunnelStatus,
    /// The last claims that could be read.
    claims: Claims,
    /// How many more bytes of them can be stored. Every pass asks, and it takes all of them to tell.
    room_bytes: OnceLock<usize>,
    /// Why the claims as they are stored now cannot be read, if they cannot.
    unreadable: Option<UnreadableClaims>,
}

impl Stored {
    /// Claims that were made for another object (a restored or copied status) are void.
    fn read(object: &BigIpTunnel, uid: &str) -> Self {
        let status = object.status.clone().unwrap_or_default();
        let (claims, unreadable) = match convert::claims(&status, uid) {
            Ok(claims) => (claims, None),
            Err(problem) => (Claims::default(), Some(problem)),
        };
        Self {
            metadata: replacement::repeated(&object.metadata),
            has_status: object.status.is_some(),
            status,
            claims,
            room_bytes: OnceLock::new(),
            unreadable,
        }
    }

    /// How many more bytes of claims can be stored.
    fn room_bytes(&self) -> usize {
        *self.room_bytes.get_or_init(|| self.claims.room_bytes())
    }

    /// Takes over what is stored now. Claims that cannot be read leave those known before.
    fn replace(&mut self, mut now: Self) {
        if now.unreadable.is_some() {
            now.claims = std::mem::take(&mut self.claims);
        }
        *self = now;
    }

    fn check_readable(&self) -> Result<(), LedgerError> {
        self.unreadable
            .clone()
            .map_or(Ok(()), |problem| Err(problem.into()))
    }

    fn writer(&self) -> Option<&str> {
        self.status.writer.as_deref()
    }

    fn version(&self) -> Option<&str> {
        self.metadata.resource_version.as_deref()
    }

    /// The resource version as a number: a list of nodes that is older shows the past, since the API server
    /// keeps both in one history. 0 where it is not a number, and then no list is older.
    fn version_number(&self) -> u128 {
        self.version()
            .map_or(0, |version| version.parse().unwrap_or(0))
    }

    /// What the removals on `device` are judged by.
    fn removals(&self, device: &str, listed: &BTreeSet<String>) -> Removals {
        let window = convert::removal_window(&self.status);
        Removals::of((&self.claims, self.room_bytes()), window, device, listed)
    }
}

impl Ledger {
    /// The ledger of this object.
    pub(crate) fn new(
        api: Api<BigIpTunnel>,
        object: &BigIpTunnel,
        writer: &str,
        leadership: Leadership,
    ) -> Self {
        let uid = object.uid().unwrap_or_default();
        let stored = Mutex::new(Stored::read(object, &uid));
        Self {
            api,
            name: object.name_any(),
            uid,
            writer: writer.to_owned(),
            leadership,
            stored,
            waiting: std::sync::Mutex::default(),
            logins: std::sync::Mutex::default(),
        }
    }

    /// A panic cannot leave the list half changed.
    fn waiting(&self) -> MutexGuard<'_, Vec<Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes this process the one that writes. Whatever another one has in mind for the object fails
    /// from then on: its next write meets another resource version, and this name. Asks the API server
    /// for the object first: a watch may show it without the claims that were written last.
    pub(crate) async fn take_over(&self) -> Result<(), LedgerError> {
        let mut stored = self.stored.lock().await;
        self.reread(&mut stored).await?;
        for _ in 0..CONFLICT_TRIES {
            if stored.writer().is_none_or(|writer| writer == self.writer) {
                // Where there is no name yet, the first write brings it.
                return Ok(());
            }
            match self
                .patch_as_writer(&mut stored, vec![self.name_writer()?])
                .await
            {
                Err(LedgerError::Call(error)) if may_be_stored(&error) => {
                    self.reread(&mut stored).await?;
                }
                result => return result,
            }
        }
        Err(LedgerError::Busy)
    }

    /// Whether another process has taken the object over since.
    pub(crate) async fn is_displaced(&self) -> bool {
        let stored = self.stored.lock().await;
        stored.writer().is_some_and(|writer| writer != self.writer)
    }

    /// Why what is claimed is not known, if it is not. Such an object is not worked on.
    pub(crate) async fn check_readable(&self) -> Result<(), LedgerError> {
        self.stored.lock().await.check_readable()
    }

    fn name_writer(&self) -> Result<PatchOperation, PatchError> {
        patch::set("writer", &self.writer)
    }

    /// Takes over what another client has written, when it is newer than what is known. Returns
    /// whether the status differs from what was last written: then it has to be written again.
    pub(crate) async fn observe(&self, object: &BigIpTunnel) -> bool {
        let mut stored = self.stored.lock().await;
        let seen = Stored::read(object, &self.uid);
        let new = seen.version();
        if !new.is_some_and(|new| is_newer(new, stored.version())) {
            return false;
        }
        let differs = seen.status != stored.status;
        stored.replace(seen);
        differs
    }

    /// The claims for one device.
    pub(crate) async fn claims_of(&self, device: &str) -> DeviceClaims {
        self.stored.lock().await.claims.of(device).clone()
    }

    /// All claims.
    pub(crate) async fn claims(&self) -> Claims {
        self.stored.lock().await.claims.clone()
    }

    /// The status as stored.
    pub(crate) async fn status(&self) -> BigIpTunnelStatus {
        self.stored.lock().await.status.clone()
    }

    /// What is stored, as far as a pass over one device needs it. `listed`: the devices of the spec.
    pub(crate) async fn view(&self, device: &str, listed: &BTreeSet<String>) -> ClaimView {
        let stored = self.stored.lock().await;
        ClaimView {
            claims: stored.claims.of(device).clone(),
            names: stored.claims.nodes().clone(),
            removals: stored.removals(device, listed),
            version: stored.version_number(),
        }
    }

    /// Moves all claims on one device to another name, and what the status knows of the device with
    /// them.
    pub(crate) async fn rename(&self, from: &str, to: &str) -> Result<(), LedgerError> {
        let renamed = |stored: &Stored| {
            stored.check_readable()?;
            let mut wanted = stored.claims.clone();
            if !wanted.rename(from, to) {
                return Ok(Vec::new());
            }
            let ownership = convert::ownership(&wanted, &self.uid);
            let mut operations = vec![patch::set("ownership", &ownership)?];
            if let Some(devices) = renamed_device(&stored.status, from, to) {
                operations.push(patch::set("devices", &devices)?);
            }
            Ok(operations)
        };
        self.bring_to(renamed).await?;
        self.rename_login(from, to);
        Ok(())
    }

    /// Brings the displayed part of the status to what `next` makes of the stored one. Returns
    /// whether anything was written.
    pub(crate) async fn display(
        &self,
        next: impl Fn(&BigIpTunnelStatus) -> BigIpTunnelStatus,
    ) -> Result<bool, LedgerError> {
        let displayed = |stored: &Stored| {
            // Such an object has conditions of its own.
            stored.check_readable()?;
            let next = self.with_logins(&stored.status, next(&stored.status));
            Ok(patch::display(&stored.status, &next)?)
        };
        self.bring_to(displayed).await
    }

    /// Patches what is stored by what `operations` makes of it, again if another client was faster. No
    /// operations: nothing to do. Returns whether anything was written.
    async fn bring_to(
        &self,
        operations: impl Fn(&Stored) -> Result<Vec<PatchOperation>, LedgerError>,
    ) -> Result<bool, LedgerError> {
        let mut stored = self.stored.lock().await;
        for _ in 0..CONFLICT_TRIES {
            let operations = operations(&stored)?;
            if operations.is_empty() {
                return Ok(false);
            }
            match self.patch(&mut stored, operations).await {
                Err(LedgerError::Call(error)) if may_be_stored(&error) => {
                    self.reread(&mut stored).await?;
                }
                result => return result.map(|()| true),
            }
        }
        Err(LedgerError::Busy)
    }

    /// Patches, unless another process is the writer now.
    async fn patch(
        &self,
        stored: &mut Stored,
        mut operations: Vec<PatchOperation>,
    ) -> Result<(), LedgerError> {
        self.check_writer(stored)?;
        if stored.writer().is_none() {
            operations.push(self.name_writer()?);
        }
        self.patch_as_writer(stored, operations).await
    }

    fn check_writer(&self, stored: &Stored) -> Result<(), LedgerError> {
        match stored.writer() {
            Some(writer) if writer != self.writer => Err(LedgerError::Displaced(writer.to_owned())),
            _ => Ok(()),
        }
    }

    /// Sends a patch as a compare-and-swap, and takes over what the API server shows then.
    async fn patch_as_writer(
        &self,
        stored: &mut Stored,
        mut operations: Vec<PatchOperation>,
    ) -> Result<(), LedgerError> {
        let version = stored.version().ok_or(PatchError::NoResourceVersion)?;
        let version = patch::at_version(version);
        if !stored.has_status {
            operations.insert(0, patch::set_status());
        }
        operations.insert(0, version);
        let params = PatchParams {
            field_manager: Some(MANAGER_OPERATOR.into()),
            ..Default::default()
        };
        let patch = Patch::<BigIpTunnel>::Json(json_patch::Patch(operations));
        let request = self.api.patch_status(&self.name, &params, &patch);
        let written = kubernetes::write(&self.leadership, request).await;
        self.take_result(stored, written).await
    }

    /// Replaces the status as a compare-and-swap, unless another process is the writer now, and takes over
    /// what the API server shows then.
    async fn replace(
        &self,
        stored: &mut Stored,
        mut status: BigIpTunnelStatus,
    ) -> Result<(), LedgerError> {
        self.check_writer(stored)?;
        status.writer = Some(self.writer.clone());
        let params = PostParams {
            field_manager: Some(MANAGER_OPERATOR.into()),
            ..Default::default()
        };
        let object = Replacement::of(&stored.metadata, status)?;
        let request = self
            .api
            .replace_subresource("status", &self.name, &params, &object);
        let written = kubernetes::write(&self.leadership, request).await;
        self.take_result(stored, written).await
    }

    async fn take_result(
        &self,
        stored: &mut Stored,
        written: Result<BigIpTunnel, CallError>,
    ) -> Result<(), LedgerError> {
        match written {
            Ok(object) => self.take_answer(stored, &object),
            Err(error) => {
                if error.code() == Some(404) {
                    // Only the object's own absence ends the work on it, not one odd answer.
                    self.reread(stored).await?;
                }
                if is_too_large(&error) {
                    return Err(LedgerError::TooLarge);
                }
                Err(error.into())
            }
        }
    }

    /// Takes over the answer to a write: it has to be about this object, and not older than what is
    /// known.
    fn take_answer(&self, stored: &mut Stored, object: &BigIpTunnel) -> Result<(), LedgerError> {
        let seen = Stored::read(object, &self.uid);
        let (version, known) = (seen.version(), stored.version());
        let is_current = version.is_some_and(|new| Some(new) == known || is_newer(new, known));
        if object.uid().as_deref() != Some(&self.uid) || !is_current {
            return Err(LedgerError::NotAsSent);
        }
        stored.replace(seen);
        Ok(())
    }

    async fn reread(&self, stored: &mut Stored) -> Result<(), LedgerError> {
        let object = call(READ_DEADLINE, self.api.get_opt(&self.name)).await?;
        match object {
            Some(object) if object.uid().as_deref() == Some(&self.uid) => {
                stored.replace(Stored::read(&object, &self.uid));
                Ok(())
            }
            _ => Err(LedgerError::Gone),
        }
    }
}

/// The devices of the status, with what it knows of one device under another name: above all which
/// unit the claims were made on. `None` when the name has an entry already.
fn renamed_device(status: &BigIpTunnelStatus, from: &str, to: &str) -> Option<Vec<DeviceStatus>> {
    let mut devices = status.devices.clone();
    if devices.iter().any(|device| device.name == to) {
        return None;
    }
    if let Some(device) = devices.iter_mut().find(|device| device.name == from) {
        to.clone_into(&mut device.name);
    } else {
        let former = status.former_devices.iter().find(|f| f.name == from)?;
        if devices.len() >= DEVICES_MAX {
            return None;
        }
        devices.push(DeviceStatus {
            name: to.to_owned(),
            address: Some(former.address.clone()),
            port: Some(former.port),
            identity: former.identity.clone(),
            credentials_secret_ref: former.credentials_secret_ref.clone(),
            tls: former.tls.clone(),
            login: former.login.clone(),
            ..DeviceStatus::default()
        });
    }
    Some(devices)
}

/// Kubernetes promises that resource versions of one kind of object compare as numbers.
fn is_newer(seen: &str, known: Option<&str>) -> bool {
    let Some(known) = known else { return true };
    match (seen.parse::<u128>(), known.parse::<u128>()) {
        (Ok(seen), Ok(known)) => seen > known,
        _ => seen != known,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn returning_device_with_another_name_is_the_same_unit() {
        let status: BigIpTunnelStatus = serde_json::from_value(json!({
            "formerDevices": [{
                "name": "a", "address": "192.0.2.11", "port": 443, "identity": "unit",
                "credentialsSecretRef": {"name": "login"}, "since": "2026-11-22T06:39:22Z",
            }],
        }))
        .unwrap();
        let renamed = renamed_device(&status, "a", "b").unwrap();
        assert_eq!(renamed[0].name, "b");
        assert_eq!(renamed[0].identity.as_deref(), Some("unit"));
        assert_eq!(renamed_device(&status, "c", "b"), None);
    }

    #[test]
    fn resource_versions_compare_as_numbers() {
        assert!(is_newer("100", Some("99")));
        assert!(!is_newer("99", Some("100")));
        assert!(!is_newer("100", Some("100")));
    }
}
