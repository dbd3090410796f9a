//! One object's claims and status, as stored in Kubernetes.
//!
//! The only writer of `status`. Every write is a compare-and-swap on the resource version, and the
//! claims are written before a device is touched: no claim, no device write. Claims and display are
//! separate patches, so that one odd value in the display never blocks a claim. Decides nothing.

mod claiming;
mod removals;

use std::sync::{Arc, MutexGuard, PoisonError};

use bigip_tunnel_core::budget::OverBudget;
use bigip_tunnel_core::claims::{Claims, DeviceClaims};
use bigip_tunnel_core::outcome::Failure;
use bigip_tunnel_core::vocabulary::reason;
use bigip_tunnel_crds::status::DEVICES_MAX;
use bigip_tunnel_crds::v1alpha1::{BigIpTunnel, BigIpTunnelStatus, DeviceStatus};
use bigip_tunnel_crds::{MANAGER_OPERATOR, convert};
use kube::api::{Patch, PatchParams};
use kube::{Api, ResourceExt};
use serde_json::{Value, json};
use tokio::sync::Mutex;

use self::claiming::Waiting;
pub(crate) use self::removals::{Removals, Spending};
use crate::kubernetes::{self, CallError, READ_DEADLINE, call};
use crate::lease::Leadership;

/// How often a write is tried against an object that others keep changing.
const CONFLICT_TRIES: u32 = 5;

/// Why a claim or a status could not be written.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum LedgerError {
    /// The object is gone, or another one of the same name has taken its place.
    #[error("the object is gone")]
    Gone,
    /// Somebody else changed the claims: what was planned on them has to be planned again.
    #[error("the claims were changed by somebody else")]
    Overtaken,
    /// More records were to go than may be removed within an hour.
    #[error(transparent)]
    OverBudget(#[from] OverBudget),
    /// Another operator process has taken the object over. Nothing is written any more.
    #[error("another operator works on the object: {0}")]
    Displaced(String),
    /// Others keep changing the object.
    #[error("the object kept changing while its status was written")]
    Busy,
    /// The API server did not take the write.
    #[error("the status could not be written: {0}")]
    Call(Arc<CallError>),
}

impl From<CallError> for LedgerError {
    fn from(error: CallError) -> Self {
        Self::Call(Arc::new(error))
    }
}

impl LedgerError {
    /// The failure as a user sees it.
    pub(crate) fn failure(&self) -> Failure {
        let reason = match self {
            Self::OverBudget(_) => reason::MASS_REMOVAL_BLOCKED,
            Self::Call(error) if matches!(**error, CallError::NotLeading) => reason::NOT_LEADING,
            Self::Gone | Self::Overtaken | Self::Displaced(_) | Self::Busy | Self::Call(_) => {
                reason::KUBERNETES_UNAVAILABLE
            }
        };
        Failure {
            reason,
            message: self.to_string(),
            retryable: true,
        }
    }
}

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
}

/// What the API server last said.
struct Stored {
    resource_version: String,
    /// Whether there is a status at all. The schema gives every object one; a status that somebody
    /// took away altogether cannot be patched field by field.
    has_status: bool,
    status: BigIpTunnelStatus,
    claims: Claims,
}

impl Stored {
    /// Claims that were made for another object (a restored or copied status) are void.
    fn read(object: &BigIpTunnel, uid: &str) -> Self {
        let status = object.status.clone().unwrap_or_default();
        let claims = convert::claims(&status, uid);
        Self {
            resource_version: object.resource_version().unwrap_or_default(),
            has_status: object.status.is_some(),
            status,
            claims,
        }
    }

    fn writer(&self) -> Option<&str> {
        self.status.writer.as_deref()
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
        }
    }

    /// A panic cannot leave the list half changed.
    fn waiting(&self) -> MutexGuard<'_, Vec<Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes this process the one that writes. Whatever another one has in mind for the object fails
    /// from then on: its next write meets another resource version, and this name.
    pub(crate) async fn take_over(&self) -> Result<(), LedgerError> {
        let mut stored = self.stored.lock().await;
        for _ in 0..CONFLICT_TRIES {
            if stored.writer().is_none_or(|writer| writer == self.writer) {
                // Where there is no name yet, the first write brings it.
                return Ok(());
            }
            match self
                .patch_as_writer(&mut stored, vec![self.name_writer()])
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

    fn name_writer(&self) -> Value {
        json!({"op": "add", "path": "/status/writer", "value": self.writer})
    }

    /// Takes over what somebody else has written, when it is newer than what is known. Returns
    /// whether the status differs from what was last written: then it has to be written again.
    pub(crate) async fn observe(&self, object: &BigIpTunnel) -> bool {
        let mut stored = self.stored.lock().await;
        let seen = Stored::read(object, &self.uid);
        if !is_newer(&seen.resource_version, &stored.resource_version) {
            return false;
        }
        let differs = seen.status != stored.status;
        *stored = seen;
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

    /// What removals are judged by, as far as it is stored here.
    pub(crate) async fn removals(
        &self,
        device: &str,
        is_listed: &(dyn Fn(&str) -> bool + Sync),
    ) -> Removals {
        let stored = self.stored.lock().await;
        Removals::of(&stored, device, is_listed)
    }

    /// Moves all claims on one device to another name, and what the status knows of the device with
    /// them.
    pub(crate) async fn rename(&self, from: &str, to: &str) -> Result<(), LedgerError> {
        let renamed = |stored: &Stored| {
            let mut wanted = stored.claims.clone();
            if !wanted.rename(from, to) {
                return Vec::new();
            }
            let mut operations = vec![self.ownership(&wanted)];
            operations.extend(renamed_device(&stored.status, from, to));
            operations
        };
        self.bring_to(renamed).await.map(|_| ())
    }

    fn ownership(&self, claims: &Claims) -> Value {
        let ownership = convert::ownership(claims, &self.uid);
        let value = serde_json::to_value(&ownership).unwrap_or_default();
        json!({"op": "add", "path": "/status/ownership", "value": value})
    }

    /// Brings the displayed part of the status to what `next` makes of the stored one. Returns
    /// whether anything was written.
    pub(crate) async fn display(
        &self,
        next: impl Fn(&BigIpTunnelStatus) -> BigIpTunnelStatus,
    ) -> Result<bool, LedgerError> {
        let displayed = |stored: &Stored| display_operations(&stored.status, &next(&stored.status));
        self.bring_to(displayed).await
    }

    /// Patches what is stored by what `operations` makes of it, again if somebody else was faster. No
    /// operations: nothing to do. Returns whether anything was written.
    async fn bring_to(
        &self,
        operations: impl Fn(&Stored) -> Vec<Value>,
    ) -> Result<bool, LedgerError> {
        let mut stored = self.stored.lock().await;
        for _ in 0..CONFLICT_TRIES {
            let operations = operations(&stored);
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
        mut operations: Vec<Value>,
    ) -> Result<(), LedgerError> {
        match stored.writer() {
            Some(writer) if writer != self.writer => {
                return Err(LedgerError::Displaced(writer.to_owned()));
            }
            Some(_) => {}
            None => operations.push(self.name_writer()),
        }
        self.patch_as_writer(stored, operations).await
    }

    /// A stale resource version makes the API server answer 409 (a `test` operation would give an
    /// opaque 422), so this is the compare-and-swap.
    async fn patch_as_writer(
        &self,
        stored: &mut Stored,
        mut operations: Vec<Value>,
    ) -> Result<(), LedgerError> {
        let version = json!({
            "op": "replace",
            "path": "/metadata/resourceVersion",
            "value": stored.resource_version,
        });
        if !stored.has_status {
            operations.insert(0, json!({"op": "add", "path": "/status", "value": {}}));
        }
        operations.insert(0, version);
        let patch = serde_json::from_value(Value::Array(operations)).unwrap_or_default();
        let params = PatchParams {
            field_manager: Some(MANAGER_OPERATOR.into()),
            ..Default::default()
        };
        let patch = Patch::<BigIpTunnel>::Json(patch);
        let request = self.api.patch_status(&self.name, &params, &patch);
        match kubernetes::write(&self.leadership, request).await {
            Ok(object) => {
                *stored = Stored::read(&object, &self.uid);
                Ok(())
            }
            Err(error) => {
                if error.code() == Some(404) {
                    // Only the object's own absence ends the work on it, not one odd answer.
                    self.reread(stored).await?;
                }
                Err(error.into())
            }
        }
    }

    async fn reread(&self, stored: &mut Stored) -> Result<(), LedgerError> {
        let object = call(READ_DEADLINE, self.api.get_opt(&self.name)).await?;
        match object {
            Some(object) if object.uid().as_deref() == Some(&self.uid) => {
                *stored = Stored::read(&object, &self.uid);
                Ok(())
            }
            _ => Err(LedgerError::Gone),
        }
    }
}

/// The operation that makes what the status knows of one device that of another name: above all which
/// box the claims were made on. None when the name has an entry already.
fn renamed_device(status: &BigIpTunnelStatus, from: &str, to: &str) -> Option<Value> {
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
            ..DeviceStatus::default()
        });
    }
    let value = serde_json::to_value(&devices).unwrap_or_default();
    Some(json!({"op": "add", "path": "/status/devices", "value": value}))
}

/// Kubernetes promises that resource versions of one kind of object compare as numbers.
fn is_newer(seen: &str, known: &str) -> bool {
    match (seen.parse::<u128>(), known.parse::<u128>()) {
        (Ok(seen), Ok(known)) => seen > known,
        _ => seen != known,
    }
}

/// Whether the object has to be read again before anything is known: somebody was faster (409), or
/// the write may have been carried out although its answer is missing.
fn may_be_stored(error: &CallError) -> bool {
    match error.code() {
        Some(code) => code == 409 || code >= 500,
        None => !matches!(error, CallError::NotLeading),
    }
}

/// The JSON patch operations that turn one displayed status into the other, field by field.
fn display_operations(before: &BigIpTunnelStatus, after: &BigIpTunnelStatus) -> Vec<Value> {
    let fields = |status: &BigIpTunnelStatus| match serde_json::to_value(status) {
        Ok(Value::Object(mut fields)) => {
            fields.remove("ownership");
            fields.remove("removalWindow");
            fields.remove("writer");
            fields
        }
        _ => serde_json::Map::new(),
    };
    let (before, after) = (fields(before), fields(after));
    let removed = before.keys().filter(|key| !after.contains_key(*key));
    let mut operations: Vec<Value> = removed
        .map(|key| json!({"op": "remove", "path": format!("/status/{key}")}))
        .collect();
    for (key, value) in after {
        if before.get(&key) != Some(&value) {
            operations.push(json!({"op": "add", "path": format!("/status/{key}"), "value": value}));
        }
    }
    operations
}

#[cfg(test)]
mod tests {
    use bigip_tunnel_crds::v1alpha1::{NodeCounts, Ownership};

    use super::*;

    fn status(selected: i32) -> BigIpTunnelStatus {
        let nodes = Some(NodeCounts {
            selected,
            ..NodeCounts::default()
        });
        BigIpTunnelStatus {
            nodes,
            ..BigIpTunnelStatus::default()
        }
    }

    #[test]
    fn an_unchanged_display_needs_no_patch() {
        assert_eq!(
            display_operations(&status(3), &status(3)),
            Vec::<Value>::new()
        );
    }

    #[test]
    fn only_the_fields_that_changed_are_patched() {
        let operations = display_operations(&status(3), &status(4));
        assert_eq!(operations.len(), 1);
        assert_eq!(operations[0]["path"], "/status/nodes");
    }

    #[test]
    fn a_field_that_is_gone_is_removed() {
        let operations = display_operations(&status(3), &BigIpTunnelStatus::default());
        assert_eq!(
            operations,
            [json!({"op": "remove", "path": "/status/nodes"})]
        );
    }

    #[test]
    fn a_display_never_touches_the_claims() {
        let claimed = BigIpTunnelStatus {
            ownership: Some(Ownership {
                uid: "uid-1".into(),
                claims: vec![],
            }),
            ..status(3)
        };
        assert_eq!(
            display_operations(&claimed, &status(3)),
            Vec::<Value>::new()
        );
    }

    #[test]
    fn a_device_that_comes_back_under_another_name_is_still_known_as_its_box() {
        let status: BigIpTunnelStatus = serde_json::from_value(json!({
            "formerDevices": [{
                "name": "a", "address": "192.0.2.11", "port": 443, "identity": "box",
                "credentialsSecretRef": {"name": "login"}, "since": "2026-11-22T06:39:22Z",
            }],
        }))
        .unwrap();
        let renamed = renamed_device(&status, "a", "b").unwrap();
        assert_eq!(renamed["value"][0]["name"], "b");
        assert_eq!(renamed["value"][0]["identity"], "box");
        assert_eq!(renamed_device(&status, "c", "b"), None);
    }

    #[test]
    fn resource_versions_compare_as_numbers() {
        assert!(is_newer("100", "99"));
        assert!(!is_newer("99", "100"));
        assert!(!is_newer("100", "100"));
    }
}
