//! Bodies as they stand on the wire, as far as they are used.
//!
//! Names are the device's. Properties that are not listed are let through: versions differ in them.
//! Nothing here is checked beyond its JSON type; that is `normalise`. Knows nothing of pages.

use std::collections::BTreeMap;
use std::fmt;

use bigip_tunnel_core::record::Records;
use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

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

/// What is around the entries of statistics.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AroundStats {
    pub(crate) kind: String,
    #[serde(default)]
    pub(crate) next_link: Option<String>,
}

/// What is around the members of a collection. One without members comes with an empty `items` or, from older
/// versions and other collections, without the key (11.6, f5-common-python `device_configs`).
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Envelope {
    pub(crate) kind: String,
    /// Empty: the members are taken out.
    #[serde(default, rename = "items")]
    _items: [(); 0],
    /// There if more members follow: a link of the device's own to them.
    #[serde(default)]
    pub(crate) next_link: Option<String>,
}

/// The longest text that a property of a list's member is kept with. More than any path of an object on a
/// BIG-IP can have (*assumed*).
const TEXT_BYTES_MAX: usize = 512;

/// A value of any kind, kept only if it is a text: what is odd about one property must cost neither the
/// other properties nor the other members of a list.
enum Plain {
    Text(String),
    Null,
    Other,
}

impl<'de> Deserialize<'de> for Plain {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(AnyValue)
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Plain;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_str<E>(self, text: &str) -> Result<Plain, E> {
        Ok(if text.len() <= TEXT_BYTES_MAX {
            Plain::Text(text.to_owned())
        } else {
            Plain::Other
        })
    }

    fn visit_bool<E>(self, _: bool) -> Result<Plain, E> {
        Ok(Plain::Other)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Plain, E> {
        Ok(Plain::Other)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Plain, E> {
        Ok(Plain::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Plain, E> {
        Ok(Plain::Other)
    }

    fn visit_unit<E>(self) -> Result<Plain, E> {
        Ok(Plain::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Plain, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Plain::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Plain, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Plain::Other)
    }
}

/// A text, if it is one; anything else is as good as absent.
fn text<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    Ok(match Plain::deserialize(from)? {
        Plain::Text(text) => Some(text),
        Plain::Null | Plain::Other => None,
    })
}

/// A member of `cm device`.
#[derive(Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UnitEntry {
    #[serde(default, deserialize_with = "text")]
    pub(crate) name: Option<String>,
    #[serde(default, deserialize_with = "text")]
    pub(crate) base_mac: Option<String>,
    #[serde(default, deserialize_with = "text")]
    pub(crate) hostname: Option<String>,
    #[serde(default, deserialize_with = "text")]
    pub(crate) failover_state: Option<String>,
    /// The text `true` on the unit that answers (14.1.2.1).
    #[serde(default, deserialize_with = "text")]
    pub(crate) self_device: Option<String>,
}

/// A member of `net self`.
#[derive(Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SelfIp {
    #[serde(default, deserialize_with = "text")]
    pub(crate) full_path: Option<String>,
    #[serde(default, deserialize_with = "text")]
    pub(crate) address: Option<String>,
    /// Full path of the VLAN or tunnel it is on.
    #[serde(default, deserialize_with = "text")]
    pub(crate) vlan: Option<String>,
    /// `enabled` or `disabled`.
    #[serde(default, deserialize_with = "text")]
    pub(crate) floating: Option<String>,
    #[serde(default)]
    pub(crate) allow_service: Services,
}

/// `allowService` of a self IP: `all`, `none`, or a list of services.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Services {
    /// Also where the property is absent (*assumed*).
    #[default]
    None,
    Some,
}

impl<'de> Deserialize<'de> for Services {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Ok(match Plain::deserialize(from)? {
            Plain::Null => Self::None,
            Plain::Text(word) if word == "none" => Self::None,
            Plain::Text(_) | Plain::Other => Self::Some,
        })
    }
}

/// An item of `net route`.
#[derive(Deserialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Route {
    pub(crate) full_path: String,
    pub(crate) network: String,
    /// Full path of the VLAN or tunnel that it leads into.
    #[serde(default)]
    pub(crate) tm_interface: Option<String>,
}

/// An item of `ltm virtual`.
#[derive(Deserialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub(crate) struct VirtualServer {
    pub(crate) full_path: String,
    #[serde(default)]
    pub(crate) pool: Option<String>,
    #[serde(default)]
    pub(crate) source_address_translation: Option<Translation>,
}

#[derive(Deserialize, PartialEq)]
pub(crate) struct Translation {
    /// `none`, `automap`, `snat` or `lsn`.
    #[serde(rename = "type")]
    pub(crate) kind: String,
    #[serde(default)]
    pub(crate) pool: Option<String>,
}

/// An item of `ltm pool` with its members.
#[derive(Deserialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Pool {
    pub(crate) full_path: String,
    #[serde(default)]
    pub(crate) members_reference: PoolMembers,
}

#[derive(Deserialize, PartialEq, Default)]
pub(crate) struct PoolMembers {
    #[serde(default)]
    pub(crate) items: Vec<PoolMember>,
}

#[derive(Deserialize, PartialEq)]
pub(crate) struct PoolMember {
    #[serde(default)]
    pub(crate) address: Option<String>,
}

/// An item of `ltm snatpool`.
#[derive(Deserialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SnatPool {
    pub(crate) full_path: String,
    /// Paths of SNAT translations.
    #[serde(default)]
    pub(crate) members: Vec<String>,
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
#[derive(Deserialize, Default)]
pub(crate) struct Record {
    #[serde(default, deserialize_with = "text")]
    pub(crate) name: Option<String>,
    #[serde(default, deserialize_with = "text")]
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

/// The object of a tunnel's FDB as it was read, with this list of records.
#[derive(Serialize)]
pub(crate) struct WithRecords<'a> {
    #[serde(flatten)]
    pub(crate) object: &'a serde_json::Map<String, serde_json::Value>,
    pub(crate) records: ListedRecords<'a>,
}

/// A list of records, written one by one.
pub(crate) struct ListedRecords<'a>(pub(crate) &'a Records);

impl Serialize for ListedRecords<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(self.0.iter().map(|(mac, endpoint)| ListedRecord {
            name: mac.to_string(),
            partition: (),
            endpoint: endpoint.to_string(),
        }))
    }
}

/// A record inside a whole-list write, as F5 CIS sends it: with a partition that is null
/// (request recorded on 14.1.3.1, CIS#1730).
#[derive(Serialize)]
struct ListedRecord {
    name: String,
    partition: (),
    endpoint: String,
}

/// Body of `POST sys/config`.
#[derive(Serialize)]
pub(crate) struct Command {
    pub(crate) command: &'static str,
}

/// Body of `POST util/ping`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Utility {
    pub(crate) command: &'static str,
    /// Words for the program.
    pub(crate) util_cmd_args: String,
}

/// Its answer.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UtilityResult {
    /// What the program printed; absent where it printed nothing.
    #[serde(default)]
    pub(crate) command_result: Option<String>,
}
