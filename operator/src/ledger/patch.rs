//! (pure) The JSON patches of a status, as typed operations.
//!
//! A patch that cannot be built is an error: one that says less than was meant would be taken for a
//! write that was made. Knows nothing of when a patch is sent.

use std::collections::BTreeSet;

use bigip_tunnel_crds::v1alpha1::{BigIpTunnelStatus, Claim, Ownership};
use json_patch::jsonptr::PointerBuf;
use json_patch::{AddOperation, PatchOperation, RemoveOperation, ReplaceOperation};
use serde::Serialize;
use serde_json::{Map, Value};

/// More operations than this are not sent: the whole ownership is then shorter to say. The API server
/// takes 10,000.
const OPERATIONS_MAX: usize = 512;

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

/// The whole ownership.
pub(super) fn whole_ownership(wanted: &Ownership) -> Result<Vec<PatchOperation>, PatchError> {
    Ok(vec![set("ownership", wanted)?])
}

/// The operations that turn the stored ownership into the wanted one: entry by entry where few differ,
/// else as a whole. Positions are those of the stored one, which the patch's resource version fixes.
pub(super) fn ownership(
    stored: Option<&Ownership>,
    wanted: &Ownership,
) -> Result<Vec<PatchOperation>, PatchError> {
    let stored = stored.filter(|stored| stored.uid == wanted.uid && !stored.claims.is_empty());
    let Some(edits) = stored.and_then(|stored| Edits::between(&stored.claims, &wanted.claims))
    else {
        return whole_ownership(wanted);
    };
    if edits.len() > OPERATIONS_MAX {
        return whole_ownership(wanted);
    }
    edits.operations()
}

/// What differs between stored and wanted rows.
#[derive(Default)]
struct Edits<'a> {
    /// Entries to take out of a row and to add to it.
    changed: Vec<RowEdit<'a>>,
    /// Positions of rows that go, ascending.
    gone: Vec<usize>,
    /// Rows that come.
    new: Vec<&'a Claim>,
}

struct RowEdit<'a> {
    row: usize,
    /// Positions of entries that go, ascending.
    gone: Vec<usize>,
    new: Vec<&'a String>,
}

impl<'a> Edits<'a> {
    /// `None` where the stored rows are not of the form that is written: those are replaced as a whole.
    fn between(stored: &'a [Claim], wanted: &'a [Claim]) -> Option<Self> {
        let mut edits = Self::default();
        let mut kept = BTreeSet::new();
        for (row, claim) in stored.iter().enumerate() {
            let mut same = wanted
                .iter()
                .enumerate()
                .filter(|(_, other)| other.state == claim.state && other.devices == claim.devices);
            match same.next() {
                None => edits.gone.push(row),
                Some((position, _)) if !kept.insert(position) => return None,
                Some((_, other)) => edits.changed.push(RowEdit::between(row, claim, other)?),
            }
        }
        let new = wanted.iter().enumerate();
        edits.new = new
            .filter(|(position, _)| !kept.contains(position))
            .map(|(_, claim)| claim)
            .collect();
        Some(edits)
    }

    fn len(&self) -> usize {
        let changed = self.changed.iter().map(|e| e.gone.len() + e.new.len());
        changed.sum::<usize>() + self.gone.len() + self.new.len()
    }

    fn operations(&self) -> Result<Vec<PatchOperation>, PatchError> {
        let mut operations = Vec::new();
        for RowEdit { row, gone, new } in &self.changed {
            let row = row.to_string();
            let entry = |at: &str| pointer(["status", "ownership", "claims", &row, "records", at]);
            // From behind, so that the positions before stay what they are.
            let gone = gone.iter().rev();
            operations.extend(gone.map(|at| remove(entry(&at.to_string()))));
            for text in new {
                operations.push(add(entry("-"), text)?);
            }
        }
        let row = |at: &str| pointer(["status", "ownership", "claims", at]);
        let gone = self.gone.iter().rev();
        operations.extend(gone.map(|at| remove(row(&at.to_string()))));
        for claim in &self.new {
            operations.push(add(row("-"), claim)?);
        }
        Ok(operations)
    }
}

impl<'a> RowEdit<'a> {
    fn between(row: usize, stored: &'a Claim, wanted: &'a Claim) -> Option<Self> {
        let before: BTreeSet<&String> = stored.records.iter().collect();
        let after: BTreeSet<&String> = wanted.records.iter().collect();
        let is_plain = stored.macs.is_empty() && before.len() == stored.records.len();
        if !is_plain || before.is_empty() {
            return None;
        }
        let entries = stored.records.iter().enumerate();
        let gone = entries.filter(|(_, entry)| !after.contains(entry));
        Some(Self {
            row,
            gone: gone.map(|(position, _)| position).collect(),
            new: after.difference(&before).copied().collect(),
        })
    }
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
        ..status.clone()
    };
    match serde_json::to_value(without_claims)? {
        Value::Object(fields) => Ok(fields),
        _ => Err(PatchError::NotAnObject),
    }
}

#[cfg(test)]
mod tests;
