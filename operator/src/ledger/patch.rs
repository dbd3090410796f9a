//! (pure) The JSON patches of a status, as typed operations.
//!
//! A patch that cannot be built is an error: one that says less than was meant would be taken for a
//! write that was made. Knows nothing of when a patch is sent.

use bigip_tunnel_crds::v1alpha1::BigIpTunnelStatus;
use json_patch::jsonptr::PointerBuf;
use json_patch::{AddOperation, PatchOperation, RemoveOperation, ReplaceOperation};
use serde::Serialize;
use serde_json::{Map, Value};

/// A patch that could not be built.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PatchError {
    /// A value is not JSON.
    #[error(transparent)]
    Value(#[from] serde_json::Error),
    /// The status is not a JSON object.
    #[error("the status is not a JSON object")]
    NotAnObject,
    /// The object has no resource version, so the write would be no compare-and-swap.
    #[error("the object has no resource version")]
    NoResourceVersion,
}

/// Where a value is: keys and positions, from the root of the object.
fn pointer<const N: usize>(tokens: [&str; N]) -> PointerBuf {
    PointerBuf::from_tokens(tokens)
}

/// Sets a field of the status.
pub(super) fn set(field: &str, value: &impl Serialize) -> Result<PatchOperation, PatchError> {
    add(pointer(["status", field]), value)
}

/// Sets the status itself.
pub(super) fn set_status() -> PatchOperation {
    PatchOperation::Add(AddOperation {
        path: pointer(["status"]),
        value: Value::Object(Map::new()),
    })
}

/// Makes the patch a compare-and-swap. A stale resource version makes the API server answer 409 (a
/// `test` operation would give an opaque 422).
pub(super) fn at_version(resource_version: &str) -> PatchOperation {
    PatchOperation::Replace(ReplaceOperation {
        path: pointer(["metadata", "resourceVersion"]),
        value: resource_version.into(),
    })
}

fn add(path: PointerBuf, value: &impl Serialize) -> Result<PatchOperation, PatchError> {
    Ok(PatchOperation::Add(AddOperation {
        path,
        value: serde_json::to_value(value)?,
    }))
}

fn remove(path: PointerBuf) -> PatchOperation {
    PatchOperation::Remove(RemoveOperation { path })
}

/// The operations that turn one displayed status into the other, field by field. They never touch the
/// claims.
pub(super) fn display(
    before: &BigIpTunnelStatus,
    after: &BigIpTunnelStatus,
) -> Result<Vec<PatchOperation>, PatchError> {
    let (before, after) = (displayed(before)?, displayed(after)?);
    let removed = before.keys().filter(|key| !after.contains_key(*key));
    let mut operations: Vec<_> = removed
        .map(|key| remove(pointer(["status", key])))
        .collect();
    for (key, value) in &after {
        if before.get(key) != Some(value) {
            operations.push(set(key, value)?);
        }
    }
    Ok(operations)
}

fn displayed(status: &BigIpTunnelStatus) -> Result<Map<String, Value>, PatchError> {
    let without_claims = BigIpTunnelStatus {
        ownership: None,
        writer: None,
        // Other versions write them.
        unknown: Map::new(),
        ..status.clone()
    };
    match serde_json::to_value(without_claims)? {
        Value::Object(fields) => Ok(fields),
        _ => Err(PatchError::NotAnObject),
    }
}

#[cfg(test)]
mod tests;
