//! What the operator reports: the status of `BigIpTunnel`.
//!
//! Doc comments are written for users, since they become the descriptions in the CRD. Absent and
//! empty values are not stored, so that an unchanged status serialises equal. Must not know how a
//! value is found out.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::device::{SecretRef, Tls};
use super::login::LoginStatus;
use super::ownership::Ownership;
use super::removal::{HeldRemoval, RemovalWindow};
use crate::schema;

/// Observed state of the tunnel.
#[derive(JsonSchema, Serialize, Deserialize, Debug, Clone, PartialEq, Default)]
#[serde(rename_all = "camelCase", default)]
pub struct BigIpTunnelStatus {
    /// `metadata.generation` that the conditions describe; -1 until the operator has seen the object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// The last value of the annotation `bigip-tunnel.dev/reconcile-requested-at` that was acted on.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub last_handled_reconcile_at: Option<String>,

    /// When all BIG-IPs were last read and held what they should. Moves with every other change of the status, at
    /// rest at most every 10 minutes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_verified_time: Option<Time>,

    /// Counters in the form that `kubectl get` shows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summary: Option<Summary>,

    /// How many nodes are in which state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nodes: Option<NodeCounts>,

    /// The first 16 nodes that are selected and have no record, or an unstable address, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 16),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"])
    )]
    pub skipped_nodes: Vec<SkippedNode>,

    /// The first 16 nodes that left and whose record still waits for its removal.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "atomic"))]
    pub leaving_nodes: Vec<LeavingNode>,

    /// Removals that are more than `nodes.maxRemovalPercent` allows, and wait for a person.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held_removal: Option<HeldRemoval>,

    /// The removals of the last hour, counted against `nodes.maxRemovalPercent`. Brought up to date
    /// when records are removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub removal_window: Option<RemovalWindow>,

    /// The last value of the annotation `bigip-tunnel.dev/approve-removal` that was acted on.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub last_handled_approval: Option<String>,

    /// The values of the annotation `bigip-tunnel.dev/accept-device` that were acted on, or ignored
    /// because they are about another unit: of each device and unit the last one, the oldest first. They
    /// do nothing again.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 16),
        inner(length(max = 400)),
        extend("x-kubernetes-list-type" = "atomic")
    )]
    pub handled_acceptances: Vec<String>,

    /// The same of the annotation `bigip-tunnel.dev/release`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 16),
        inner(length(max = 400)),
        extend("x-kubernetes-list-type" = "atomic")
    )]
    pub handled_releases: Vec<String>,

    /// The BIG-IPs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 8),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"])
    )]
    pub devices: Vec<DeviceStatus>,

    /// BIG-IPs that are no longer listed and still hold records of this object.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 8),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"])
    )]
    pub former_devices: Vec<FormerDevice>,

    /// The operator process that works on this object. Another one that has worked on it before stops
    /// when it sees this.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub writer: Option<String>,

    /// Name of the CiliumVTEPConfig that was written for this object, or is about to be: it is noted before the first
    /// write, and removed once the CiliumVTEPConfig is gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub vtep_config: Option<String>,

    /// Conditions of the tunnel: Ready, Available, Accepted, `TunnelUsable` and `PeersCovered`
    /// Reconciling, Stalled and Paused only while they are true.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::conditions")]
    pub conditions: Vec<Condition>,

    /// Which FDB records belong to this object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ownership: Option<Ownership>,

    /// Top-level fields that this version does not know, as they are stored: a claim replaces the status, and keeps
    /// what a newer version has written there. Unknown fields inside known ones are not kept.
    #[serde(flatten)]
    #[schemars(skip)]
    pub unknown: Map<String, Value>,
}

/// Counters in the form that `kubectl get` shows.
#[derive(JsonSchema, Serialize, Deserialize, Debug, Clone, PartialEq, Eq, Default)]
pub struct Summary {
    /// BIG-IPs in sync / listed.
    #[schemars(length(max = 16))]
    pub devices: String,
    /// Nodes programmed on every BIG-IP / selected; `?` while a BIG-IP does not answer.
    #[schemars(length(max = 16))]
    pub nodes: String,
    /// Records present / desired, over all BIG-IPs; those of one that does not answer count as not present.
    #[schemars(length(max = 24))]
    pub records: String,
}

/// How many nodes are in which state.
#[derive(JsonSchema, Serialize, Deserialize, Debug, Clone, PartialEq, Eq, Default)]
pub struct NodeCounts {
    /// Nodes that the selector selects.
    pub selected: i32,
    /// Selected nodes that have their record on every BIG-IP; 0 while one of these does not answer.
    pub programmed: i32,
    /// Nodes that left and whose record still waits for its removal.
    pub leaving: i32,
    /// Selected nodes that cannot have a record, or whose address keeps changing.
    pub skipped: i32,
    /// Selected nodes that have just joined and have no usable address yet.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub joining: i32,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes fields by reference"
)]
fn is_zero(count: &i32) -> bool {
    *count == 0
}

/// A node that is selected and cannot have a record, or whose address keeps changing.
#[derive(JsonSchema, Serialize, Deserialize, Debug, Clone, PartialEq, Eq)]
pub struct SkippedNode {
    /// Name of the node.
    #[schemars(length(max = 253))]
    pub name: String,
    /// Why, as one word.
    #[schemars(length(max = 128))]
    pub reason: String,
    /// Why, as a sentence.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 512))]
    pub message: String,
}

/// A node that left and whose record still waits for its removal.
#[derive(JsonSchema, Serialize, Deserialize, Debug, Clone, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct LeavingNode {
    /// Name of the node, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub name: Option<String>,
    /// Address that its record points to.
    #[schemars(length(max = 45))]
    pub address: String,
    /// When the node was first seen missing.
    pub since: Time,
    /// When the record may go at the earliest. Absent while something else than time keeps it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removable_at: Option<Time>,
}

/// One BIG-IP.
#[derive(JsonSchema, Serialize, Deserialize, Debug, Clone, PartialEq, Default)]
#[serde(rename_all = "camelCase")]
pub struct DeviceStatus {
    /// Name of the BIG-IP in the spec.
    #[schemars(length(max = 63))]
    pub name: String,
    /// Address of the BIG-IP in the spec.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub address: Option<String>,
    /// TCP port of iControl REST in the spec.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<i32>,
    /// Secret with its login, as in the spec. Kept so that the records can be removed when the BIG-IP is no
    /// longer listed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials_secret_ref: Option<SecretRef>,
    /// How its certificate is verified, as in the spec.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<Tls>,
    /// The last login that was tried on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login: Option<LoginStatus>,
    /// Host name of the unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub hostname: Option<String>,
    /// What tells this unit from others: its device name and base MAC address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub identity: Option<String>,
    /// SHA-256 of the public key of the certificate that the unit presented when it was last read, in hex
    /// digits. A unit cannot repeat another unit's key, as it can repeat its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64), regex(pattern = "^[0-9a-f]{64}$"))]
    pub key_fingerprint: Option<String>,
    /// The identity of the unit that answers in its place, where that is another one. Nothing is written
    /// to it until the annotation `bigip-tunnel.dev/accept-device` names it: `NAME=IDENTITY`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub found_identity: Option<String>,
    /// TMOS version of the unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub version: Option<String>,
    /// The unit's part in its HA pair.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failover_state: Option<FailoverState>,
    /// The tunnel as read from the unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tunnel: Option<TunnelStatus>,
    /// How many records are in which state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub records: Option<RecordCounts>,
    /// The first 16 records that are not as they should be, or not ours.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "atomic"))]
    pub problems: Vec<Problem>,
    /// When the operator last changed a record on the unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_change_time: Option<Time>,
    /// When the operator last saved the unit's configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_save_time: Option<Time>,
    /// When the oldest change was made that is not saved. Such changes do not outlive a reboot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unsaved_since: Option<Time>,
    /// Conditions of the unit: Reachable, Programmed and, where saving is asked for, Saved.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::conditions")]
    pub conditions: Vec<Condition>,
}

/// A BIG-IP that is no longer listed, with what is needed to remove the records from it.
#[derive(JsonSchema, Serialize, Deserialize, Debug, Clone, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct FormerDevice {
    /// Name that it had in the spec.
    #[schemars(length(max = 63))]
    pub name: String,
    /// Address that it had.
    #[schemars(length(max = 253))]
    pub address: String,
    /// TCP port that it had.
    pub port: i32,
    /// Secret with its login. Where it is not known no other one is tried, and the records wait
    /// (`CredentialsUnknown`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials_secret_ref: Option<SecretRef>,
    /// How its certificate is verified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<Tls>,
    /// The last login that was tried on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login: Option<LoginStatus>,
    /// What tells the unit from others. Nothing is removed from another one behind its address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub identity: Option<String>,
    /// When it was first seen not to be listed. Of more than 8 such BIG-IPs the oldest are given up.
    pub since: Time,
    /// How many records of this object it held when they were last read; absent while it does not answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub records: Option<i32>,
    /// Why its records are still there, as one word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub reason: Option<String>,
    /// Why its records are still there, as a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub message: Option<String>,
}

/// A unit's part in its HA pair.
#[derive(JsonSchema, Serialize, Deserialize, Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailoverState {
    /// Handles traffic.
    Active,
    /// Waits to take over.
    Standby,
    /// Set offline by a person.
    ForcedOffline,
    /// Not in service.
    Offline,
    /// The unit says something else.
    Unknown,
}

/// The tunnel as read from a unit.
#[derive(JsonSchema, Serialize, Deserialize, Debug, Clone, PartialEq, Eq, Default)]
#[serde(rename_all = "camelCase")]
pub struct TunnelStatus {
    /// Path of the tunnel, as the unit shows it.
    #[schemars(length(max = 320))]
    pub full_path: String,
    /// Local address of the tunnel, with its route domain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub local_address: Option<String>,
    /// Virtual network identifier (the tunnel's key). Cilium uses 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vni: Option<i64>,
    /// Path of the tunnel's profile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 320))]
    pub profile: Option<String>,
    /// Kind of the profile: `vxlan`, `geneve` or another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub encapsulation: Option<String>,
    /// UDP port of the profile. Cilium uses 8472 for VXLAN and 6081 for Geneve.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<i32>,
    /// Flooding type of the profile. Cilium needs `multipoint`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub flooding_type: Option<String>,
    /// The first 8 self IPs on the tunnel, with prefix length.
    #[serde(default, rename = "selfIPs", skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 8),
        inner(length(max = 64)),
        extend("x-kubernetes-list-type" = "atomic")
    )]
    pub self_ips: Vec<String>,
    /// How many more self IPs are on the tunnel, where there are more than are listed.
    #[serde(
        default,
        rename = "selfIPsOmitted",
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(range(min = 1))]
    pub self_ips_omitted: Option<i32>,
    /// MAC address of the tunnel itself, where the unit says it. Cilium has to send to it (`vtep-mac`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 17))]
    pub mac: Option<String>,
}

/// How many records of a unit are in which state.
#[derive(JsonSchema, Serialize, Deserialize, Debug, Clone, PartialEq, Eq, Default)]
pub struct RecordCounts {
    /// Records that the unit should hold.
    pub desired: i32,
    /// Desired records that it holds.
    pub present: i32,
    /// Desired records that it does not hold, or holds with another endpoint.
    pub missing: i32,
    /// Records of ours that are no longer desired.
    pub stale: i32,
    /// Records of our form that nobody has claimed: leftovers, or another cluster's. Never touched.
    pub unclaimed: i32,
    /// Records that are not ours in any way. Never touched.
    pub foreign: i32,
}

/// A record that is not as it should be, or not ours.
#[derive(JsonSchema, Serialize, Deserialize, Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// MAC address, the key of the record.
    #[schemars(length(max = 17))]
    pub mac: String,
    /// Endpoint of the record: the observed one, if it can be read, or the desired one of a record that is
    /// missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub endpoint: Option<String>,
    /// What is the matter with it.
    pub kind: ProblemKind,
}

/// What is the matter with a record.
#[derive(
    JsonSchema, Serialize, Deserialize, Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord,
)]
pub enum ProblemKind {
    /// Desired, and not on the unit.
    Missing,
    /// Desired and ours, and on the unit with another endpoint.
    Incorrect,
    /// Desired, and on the unit with another endpoint that is not ours to correct.
    Conflict,
    /// Desired, and on the unit in a form that cannot be read: neither written nor removed.
    Unreadable,
    /// Ours, and no longer desired.
    Stale,
    /// Of our form, and claimed by nobody.
    Unclaimed,
    /// Not ours in any way.
    Foreign,
    /// Of a node whose address is the tunnel's own local address: it has no record here, since the
    /// unit would send to itself.
    OwnAddress,
}
