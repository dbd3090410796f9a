//! What a user asks for: the spec of `BigIpTunnel`.
//!
//! Doc comments are written for users, since they become the descriptions in the CRD. Must not know
//! how a value is carried out.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::cilium::Cilium;
use super::device::{Device, SecretRef, Tls};
use super::status::BigIpTunnelStatus;
use crate::schema;

/// Desired state of the tunnel.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Debug, Clone, PartialEq)]
#[serde(rename_all = "camelCase")]
#[kube(
    group = "bigip-tunnel.dev",
    version = "v1alpha1",
    kind = "BigIpTunnel",
    namespaced,
    status = "BigIpTunnelStatus",
    derive = "PartialEq",
    doc = "BigIpTunnel keeps the forwarding database (FDB) of one VXLAN or Geneve tunnel on F5 BIG-IPs equal to the selected nodes of the cluster.",
    shortname = "btun",
    category = "bigip",
    label("app.kubernetes.io/name", "bigip-tunnel-operator"),
    label("app.kubernetes.io/part-of", "bigip-tunnel"),
    selectable = ".spec.tunnel.name",
    selectable = ".spec.tunnel.partition",
    selectable = ".spec.managementPolicy",
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].status"#,
        description = "Whether all BIG-IPs hold exactly the desired records"
    ),
    printcolumn(
        name = "Devices",
        type_ = "string",
        json_path = ".status.summary.devices",
        description = "BIG-IPs in sync / listed"
    ),
    printcolumn(
        name = "Nodes",
        type_ = "string",
        json_path = ".status.summary.nodes",
        description = "Nodes programmed on every BIG-IP / selected"
    ),
    printcolumn(
        name = "Records",
        type_ = "string",
        json_path = ".status.summary.records",
        description = "FDB records present / desired, over all BIG-IPs"
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].reason"#,
        description = "Reason of the Ready condition"
    ),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp",
        description = "Time since the object was created"
    ),
    printcolumn(
        name = "Tunnel",
        type_ = "string",
        json_path = ".spec.tunnel.name",
        description = "Name of the tunnel on the BIG-IPs",
        priority = 1
    ),
    printcolumn(
        name = "Partition",
        type_ = "string",
        json_path = ".spec.tunnel.partition",
        description = "Partition of the tunnel",
        priority = 1
    ),
    printcolumn(
        name = "Policy",
        type_ = "string",
        json_path = ".spec.managementPolicy",
        description = "What may be written to the BIG-IPs",
        priority = 1
    ),
    printcolumn(
        name = "Suspended",
        type_ = "boolean",
        json_path = ".spec.suspend",
        description = "Whether work on the object is stopped",
        priority = 1
    ),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].message"#,
        description = "Message of the Ready condition",
        priority = 1
    )
)]
#[x_kube(
    validation = Rule::new("has(self.credentialsSecretRef) || self.devices.all(d, has(d.credentialsSecretRef))")
        .message("set spec.credentialsSecretRef, or credentialsSecretRef on every device")
        .reason(Reason::FieldValueRequired),
    validation = Rule::new("self.devices.all(d, self.devices.exists_one(e, e.address.lowerAscii() == d.address.lowerAscii() && e.port == d.port))")
        .message("two devices have the same address and port")
        .field_path(".devices"),
)]
pub struct BigIpTunnelSpec {
    /// Secret with the login for the BIG-IPs. Needed unless every device names its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials_secret_ref: Option<SecretRef>,

    /// The BIG-IPs that hold this tunnel. Each unit of an HA pair is listed: FDB records are not
    /// carried over by config-sync. Cilium's VTEP table holds at most 8 endpoints, so does this list.
    #[schemars(
        length(min = 1, max = 8),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"])
    )]
    pub devices: Vec<Device>,

    /// How the certificate of iControl REST is verified. Without this field chain, time and name are
    /// checked against the system's certificate authorities.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<Tls>,

    /// The tunnel on the BIG-IPs. It has to exist there; it is not created or changed.
    pub tunnel: Tunnel,

    /// Which nodes have a record, and when they lose it.
    #[serde(default)]
    pub nodes: Nodes,

    /// Form of the FDB records.
    #[serde(default)]
    pub fdb: Fdb,

    /// What may be written. `FDBOnly`: the FDB records of the tunnel, and nothing else on the
    /// BIG-IPs. `Observe`: nothing; the status says what would be done. An object that is deleted
    /// while it only observes leaves its records.
    #[serde(default)]
    pub management_policy: ManagementPolicy,

    /// What happens to the records of this object when it is deleted: `Delete` removes them from the
    /// BIG-IPs, `Retain` leaves them there.
    #[serde(default)]
    pub deletion_policy: DeletionPolicy,

    /// How a BIG-IP that no longer matches is found out, and what is done about it.
    #[serde(default)]
    pub drift: Drift,

    /// When the running configuration is saved on the BIG-IPs, so that the records outlive a reboot.
    #[serde(default)]
    pub save_config: SaveConfig,

    /// What is done about Cilium's side of the tunnel.
    #[serde(default)]
    pub cilium: Cilium,

    /// Stops all work on this object. The BIG-IPs keep what they have, also when it is deleted.
    #[serde(default)]
    pub suspend: bool,
}

/// The tunnel on the BIG-IPs.
#[derive(KubeSchema, Serialize, Deserialize, Debug, Clone, PartialEq, Eq)]
pub struct Tunnel {
    /// Name of the tunnel, without its partition. Cannot be changed.
    #[schemars(
        length(min = 1, max = 63),
        regex(pattern = r"^[A-Za-z][A-Za-z0-9_.-]*$")
    )]
    #[x_kube(
        validation = Rule::new("self == oldSelf")
            .message("tunnel.name is immutable; create a new BigIpTunnel")
    )]
    pub name: String,

    /// Partition of the tunnel; may name a folder in it (`Common/app`). Cannot be changed.
    #[serde(default = "default_partition")]
    #[schemars(
        length(min = 1, max = 255),
        regex(pattern = r"^[A-Za-z][A-Za-z0-9_.-]*(/[A-Za-z][A-Za-z0-9_.-]*)*$")
    )]
    #[x_kube(
        validation = Rule::new("self == oldSelf")
            .message("tunnel.partition is immutable; create a new BigIpTunnel")
    )]
    pub partition: String,
}

fn default_partition() -> String {
    "Common".into()
}

/// Which nodes have a record, and when they lose it.
#[derive(JsonSchema, Serialize, Deserialize, Debug, Clone, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Nodes {
    /// Labels of the nodes that have a record. Without it, every node has one. Whether a node is
    /// Ready, cordoned or tainted does not matter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::label_selector")]
    pub selector: Option<LabelSelector>,

    /// Which of a node's addresses its record points to.
    #[serde(default)]
    pub address_source: AddressSource,

    /// How many seconds the record of a node that left stays.
    #[serde(default = "default_removal_delay_seconds")]
    #[schemars(range(min = 0, max = 86400))]
    pub removal_delay_seconds: i32,

    /// How large a share of the records may be removed within any hour, in percent of those claimed at its
    /// start; two may in any case. Records of deleted nodes count by how far the number of nodes has fallen
    /// below the highest one of the hour, so that a rolling replacement costs nothing. When more are due,
    /// nothing is removed until a person approves it. 0: every removal needs that.
    #[serde(default = "default_max_removal_percent")]
    #[schemars(range(min = 0, max = 100))]
    pub max_removal_percent: i32,
}

fn default_max_removal_percent() -> i32 {
    25
}

fn default_removal_delay_seconds() -> i32 {
    60
}

impl Default for Nodes {
    fn default() -> Self {
        Self {
            selector: None,
            address_source: AddressSource::default(),
            removal_delay_seconds: default_removal_delay_seconds(),
            max_removal_percent: default_max_removal_percent(),
        }
    }
}

/// Which of a node's addresses its record points to: the first IPv4 address that fits, in the order
/// in which the node lists them.
#[derive(KubeSchema, Serialize, Deserialize, Debug, Clone, PartialEq, Eq, Default)]
#[serde(rename_all = "camelCase")]
pub struct AddressSource {
    /// `InternalIP` and `ExternalIP` are types of addresses in the status of the Node. `CiliumNode`
    /// takes the `InternalIP` in the spec of the CiliumNode of the same name, which is what Cilium
    /// itself sends tunnel traffic to; the operator needs the right to get, list and watch them.
    #[serde(default, rename = "type")]
    pub kind: AddressType,

    /// Networks of which one has to hold the address, where nodes have several. Without any, every
    /// address will do.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 8),
        inner(length(max = 43)),
        extend("x-kubernetes-list-type" = "atomic")
    )]
    #[x_kube(
        validation = Rule::new("self.all(c, isCIDR(c) && cidr(c).ip().family() == 4)")
            .message("must be a CIDR of IPv4, such as 10.0.0.0/8: records are made of IPv4 addresses")
    )]
    pub cidrs: Vec<String>,

    /// Networks whose addresses are never taken for a node's, such as a virtual address that moves between
    /// nodes, or the network of docker0; a single address as `192.0.2.10/32`. They come before `cidrs`. A
    /// record stays while a node lists its address, also an excluded one, unless the spec was edited.
    #[serde(
        default,
        rename = "excludeCIDRs",
        skip_serializing_if = "Vec::is_empty"
    )]
    #[schemars(
        length(max = 8),
        inner(length(max = 43)),
        extend("x-kubernetes-list-type" = "atomic")
    )]
    #[x_kube(
        validation = Rule::new("self.all(c, isCIDR(c) && cidr(c).ip().family() == 4)")
            .message("must be a CIDR of IPv4, such as 192.0.2.10/32: records are made of IPv4 addresses")
    )]
    pub exclude_cidrs: Vec<String>,
}

/// Where the address of a node is taken from.
#[derive(JsonSchema, Serialize, Deserialize, Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AddressType {
    /// An address of type `InternalIP` of the Node.
    #[default]
    #[serde(rename = "InternalIP")]
    InternalIp,
    /// An address of type `ExternalIP` of the Node.
    #[serde(rename = "ExternalIP")]
    ExternalIp,
    /// An address of type `InternalIP` of the `CiliumNode`.
    CiliumNode,
}

/// Form of the FDB records.
#[derive(KubeSchema, Serialize, Deserialize, Debug, Clone, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Fdb {
    /// First two octets of the derived MAC addresses; the node's IPv4 address makes the other four.
    /// Locally administered and unicast. Cannot be changed.
    #[serde(default = "default_mac_prefix")]
    #[schemars(length(max = 5), regex(pattern = "^[0-9a-f][26ae]:[0-9a-f]{2}$"))]
    #[x_kube(
        validation = Rule::new("self == oldSelf")
            .message("fdb.macPrefix is immutable; create a new BigIpTunnel")
    )]
    pub mac_prefix: String,

    /// Whether records may be written as a whole list. `Never`: one by one. `WhenEmpty`: where more
    /// than 64 are to be added to a tunnel that holds none, they are written at once, after looking
    /// twice. A record that somebody else adds in that moment is lost: only for tunnels that nobody
    /// else writes.
    #[serde(default)]
    pub bulk_writes: BulkWrites,
}

/// Whether records may be written as a whole list.
#[derive(JsonSchema, Serialize, Deserialize, Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BulkWrites {
    /// One by one.
    #[default]
    Never,
    /// As a whole list where there is none yet.
    WhenEmpty,
}

fn default_mac_prefix() -> String {
    "0a:0a".into()
}

impl Default for Fdb {
    fn default() -> Self {
        Self {
            mac_prefix: default_mac_prefix(),
            bulk_writes: BulkWrites::default(),
        }
    }
}

/// What may be written to the BIG-IPs.
#[derive(JsonSchema, Serialize, Deserialize, Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ManagementPolicy {
    /// The FDB records of the tunnel.
    #[default]
    #[serde(rename = "FDBOnly")]
    FdbOnly,
    /// Nothing.
    Observe,
}

/// What happens to the records of an object when it is deleted.
#[derive(JsonSchema, Serialize, Deserialize, Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DeletionPolicy {
    /// The records are removed from the BIG-IPs.
    #[default]
    Delete,
    /// The records stay on the BIG-IPs.
    Retain,
}

/// How a BIG-IP that no longer matches is found out.
#[derive(JsonSchema, Serialize, Deserialize, Debug, Clone, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Drift {
    /// What is done about records of this object that somebody else removed or changed. `Correct`
    /// puts them back, at most once a minute where it happens again and again. `Report` only says so.
    #[serde(default)]
    pub policy: DriftPolicy,

    /// How many seconds pass until a BIG-IP is read back although nothing changed.
    #[serde(default = "default_interval_seconds")]
    #[schemars(range(min = 10, max = 86400))]
    pub interval_seconds: i32,
}

/// What is done about records that somebody else removed or changed.
#[derive(JsonSchema, Serialize, Deserialize, Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DriftPolicy {
    /// They are put back.
    #[default]
    Correct,
    /// They are reported.
    Report,
}

fn default_interval_seconds() -> i32 {
    60
}

impl Default for Drift {
    fn default() -> Self {
        Self {
            policy: DriftPolicy::default(),
            interval_seconds: default_interval_seconds(),
        }
    }
}

/// When the running configuration is saved on the BIG-IPs.
#[derive(JsonSchema, Serialize, Deserialize, Debug, Clone, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct SaveConfig {
    /// `OnChange` saves after records were changed, as `tmsh save sys config` does: changes that
    /// other people have not saved are saved with them. `Never` leaves saving to others.
    #[serde(default)]
    pub policy: SavePolicy,

    /// How many seconds without a change pass before the configuration is saved.
    #[serde(default = "default_save_delay_seconds")]
    #[schemars(range(min = 0, max = 3600))]
    pub delay_seconds: i32,
}

fn default_save_delay_seconds() -> i32 {
    300
}

impl Default for SaveConfig {
    fn default() -> Self {
        Self {
            policy: SavePolicy::default(),
            delay_seconds: default_save_delay_seconds(),
        }
    }
}

/// Whether the configuration is saved.
#[derive(JsonSchema, Serialize, Deserialize, Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SavePolicy {
    /// Changes are saved.
    #[default]
    OnChange,
    /// Changes are not saved.
    Never,
}
