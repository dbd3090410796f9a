//! Which records belong to an object: the claims in the status of `BigIpTunnel`.
//!
//! Doc comments are written for users, since they become the descriptions in the CRD. Must not know how a
//! claim comes about.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schema;

/// Which FDB records belong to this object. The operator removes no other record.
#[derive(JsonSchema, Serialize, Deserialize, Debug, Clone, PartialEq, Eq, Default)]
// What is not known here is a claim of another version: it must not be read as less than it is.
#[serde(deny_unknown_fields)]
pub struct Ownership {
    /// `metadata.uid` of the object that the claims are valid for. A copied or restored status names
    /// another one, and its claims are void.
    #[schemars(length(max = 64))]
    pub uid: String,
    /// The claims. In the normal case one row names all BIG-IPs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), extend("x-kubernetes-list-type" = "atomic"))]
    pub claims: Vec<Claim>,
}

/// Records that belong to this object, in one state, on the same BIG-IPs.
#[derive(JsonSchema, Serialize, Deserialize, Debug, Clone, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// Names of the BIG-IPs.
    #[schemars(
        length(max = 16),
        inner(length(max = 63)),
        extend("x-kubernetes-list-type" = "atomic")
    )]
    pub devices: Vec<String>,
    /// How far the claim has come.
    pub state: ClaimState,
    /// The records, each as its MAC address, a blank and the name of the node that it is for. A record
    /// that several nodes have had has one entry for each; one whose node is not known by name has its
    /// MAC address alone, and is removed only when that is approved. In no particular order. The API server
    /// does not validate the entries; one that the operator cannot read makes the claims unreadable.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::not_validated")]
    pub records: Vec<String>,
    /// MAC addresses of records, as versions before this one stored them. Read as records without the
    /// name of a node, and never written.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 20000),
        inner(length(max = 17), regex(pattern = "^([0-9a-f]{2}:){5}[0-9a-f]{2}$")),
        extend("x-kubernetes-list-type" = "atomic")
    )]
    pub macs: Vec<String>,
}

impl Claim {
    /// The MAC addresses of the records, each once.
    pub fn mac_addresses(&self) -> BTreeSet<&str> {
        let entries = self.records.iter().chain(&self.macs);
        entries
            .map(|entry| entry.split_once(' ').map_or(entry.as_str(), |(mac, _)| mac))
            .collect()
    }
}

/// How far a claim has come.
#[derive(JsonSchema, Serialize, Deserialize, Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClaimState {
    /// About to be written, or written and not read back yet.
    Pending,
    /// Read on the BIG-IP as it should be.
    Owned,
    /// About to be removed, or removed and not known to be out of the saved configuration.
    Leaving,
}
