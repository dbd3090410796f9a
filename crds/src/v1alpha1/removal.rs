//! What the operator reports of removals: those that are held, and those of the last hour.
//!
//! Doc comments are written for users, since they become the descriptions in the CRD. Must not know how a
//! removal is counted.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Removals that wait for a person's approval.
#[derive(JsonSchema, Serialize, Deserialize, Debug, Clone, PartialEq)]
pub struct HeldRemoval {
    /// Names exactly this set of records. As the value of the annotation
    /// `bigip-tunnel.dev/approve-removal` it lets them go, once.
    #[schemars(length(max = 64))]
    pub digest: String,
    /// When the set was first held.
    pub since: Time,
    /// How many records it has.
    pub count: i32,
    /// The MAC addresses of the first 16 of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 16),
        inner(length(max = 17), regex(pattern = "^([0-9a-f]{2}:){5}[0-9a-f]{2}$")),
        extend("x-kubernetes-list-type" = "atomic")
    )]
    pub sample: Vec<String>,
}

/// The removals of the last hour.
#[derive(JsonSchema, Serialize, Deserialize, Debug, Clone, PartialEq)]
pub struct RemovalWindow {
    /// When the first of them was allowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<Time>,
    /// How many records were claimed then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<i32>,
    /// How many records have been removed since, for whatever cause.
    #[serde(default)]
    pub removed: i32,
    /// The highest number of nodes since the last removal. Records of deleted nodes count by how far the
    /// number of nodes falls below the highest one of the hour.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nodes: Option<i32>,
    /// The removals one after the other, oldest first; those of the same five minutes together.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "atomic"))]
    pub steps: Vec<RemovalStep>,
}

/// Removals that were allowed about the same time.
#[derive(JsonSchema, Serialize, Deserialize, Debug, Clone, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct RemovalStep {
    /// When the last of them was allowed. An hour later they no longer count.
    pub time: Time,
    /// How many records were claimed before the first of them.
    pub claimed: i32,
    /// The highest number of nodes before them.
    #[serde(default)]
    pub nodes: i32,
    /// How many they are.
    pub removed: i32,
    /// How many of them were records of nodes that are gone.
    #[serde(default)]
    pub node_deleted: i32,
    /// How many of them were records of nodes that are no longer selected. The others are records of nodes
    /// that have another address now.
    #[serde(default)]
    pub deselected: i32,
}
