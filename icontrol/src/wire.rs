//! Bodies as they stand on the wire, as far as they are used.
//!
//! Names are the device's. Properties that are not listed are let through: versions differ in them.
//! Nothing here is checked beyond its JSON type; that is `normalise`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Body of `POST /mgmt/shared/authn/login`. Holds the password: never to be shown.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Credentials<'a> {
    pub(crate) username: &'a str,
    pub(crate) password: &'a str,
    pub(crate) login_provider_name: &'a str,
}

/// Its answer. The token stands inside an object of the same name. Neither has `Debug`: they hold
/// a secret.
#[derive(Deserialize)]
pub(crate) struct LoggedIn {
    pub(crate) token: Token,
}

#[derive(Deserialize)]
pub(crate) struct Token {
    /// 26 letters and digits in every recorded answer.
    pub(crate) token: String,
    /// Lifetime in seconds, 1,200 by default.
    #[serde(default)]
    pub(crate) timeout: Option<u64>,
}

/// Body of `PATCH /mgmt/shared/authz/tokens/<token>`.
#[derive(Serialize)]
pub(crate) struct TokenChange {
    /// Lifetime in seconds, from the login on.
    pub(crate) timeout: u64,
}

/// Its answer: the token itself, not inside another object (go-bigip).
#[derive(Deserialize)]
pub(crate) struct ChangedToken {
    pub(crate) timeout: u64,
}

/// `sys/ready` and `sys/version`: entries under a key that is a URL.
#[derive(Deserialize)]
pub(crate) struct Stats {
    #[serde(default)]
    pub(crate) entries: BTreeMap<String, StatsEntry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StatsEntry {
    pub(crate) nested_stats: NestedStats,
}

#[derive(Deserialize)]
pub(crate) struct NestedStats {
    #[serde(default)]
    pub(crate) entries: BTreeMap<String, StatsValue>,
}

#[derive(Deserialize)]
pub(crate) struct StatsValue {
    #[serde(default)]
    pub(crate) description: Option<String>,
}

/// A collection. One without members comes with an empty `items` or, from older versions and other
/// collections, without the key (11.6, f5-common-python `device_configs`).
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Collection<T> {
    pub(crate) kind: String,
    #[serde(default = "Vec::new")]
    pub(crate) items: Vec<T>,
    /// There if more members follow: a link of the device's own to them.
    #[serde(default)]
    pub(crate) next_link: Option<String>,
}

/// A member of `cm device`.
#[derive(Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UnitEntry {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) base_mac: Option<String>,
    #[serde(default)]
    pub(crate) hostname: Option<String>,
    #[serde(default)]
    pub(crate) failover_state: Option<String>,
    /// The text `true` on the unit that answers (14.1.2.1).
    #[serde(default)]
    pub(crate) self_device: Option<String>,
}

/// A member of `net self`.
#[derive(Deserialize, PartialEq, Eq)]
pub(crate) struct SelfIp {
    #[serde(default)]
    pub(crate) address: Option<String>,
    /// Full path of the VLAN or tunnel it is on.
    #[serde(default)]
    pub(crate) vlan: Option<String>,
}

/// `net tunnels tunnel`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Tunnel {
    pub(crate) full_path: String,
    pub(crate) local_address: String,
    pub(crate) key: u32,
    pub(crate) profile: String,
    pub(crate) profile_reference: Reference,
}

#[derive(Deserialize)]
pub(crate) struct Reference {
    pub(crate) link: String,
}

/// `net tunnels vxlan` and `geneve`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Profile {
    #[serde(default)]
    pub(crate) port: Option<u16>,
    #[serde(default)]
    pub(crate) flooding_type: Option<String>,
    /// Absent on Geneve profiles and before 12.1.
    #[serde(default)]
    pub(crate) encapsulation_type: Option<String>,
}

/// A record as read. It has neither partition nor owner.
#[derive(Deserialize, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) endpoint: Option<String>,
}

/// Body of `POST .../records`.
#[derive(Serialize)]
pub(crate) struct NewRecord {
    pub(crate) name: String,
    pub(crate) endpoint: String,
}

/// Body of `PATCH .../records/<mac>`.
#[derive(Serialize)]
pub(crate) struct RecordChange {
    pub(crate) endpoint: String,
}

/// A record inside a whole-list write, as F5 CIS sends it: with a partition that is null
/// (request recorded on 14.1.3.1, CIS#1730).
#[derive(Serialize)]
pub(crate) struct ListedRecord {
    pub(crate) name: String,
    pub(crate) partition: (),
    pub(crate) endpoint: String,
}

/// Body of `POST sys/config`.
#[derive(Serialize)]
pub(crate) struct Command {
    pub(crate) command: &'static str,
}
