//! What a BIG-IP checks before it takes a request body or an FDB record.
//!
//! Pure functions over text and JSON. It must not know the stored state.

use std::net::IpAddr;

use hyper::HeaderMap;
use hyper::header::CONTENT_TYPE;
use serde_json::{Map, Value};

use crate::failure::Failure;

/// The longest text that mcpd takes (BRG `bigip/requests.go`).
const STRING_CHARS_MAX: usize = 65535;

/// What a request asks to be a record, before it is checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WrittenRecord {
    pub(crate) name: String,
    pub(crate) endpoint: Option<String>,
    pub(crate) description: Option<String>,
}

impl WrittenRecord {
    /// Reads an item of `records` or the body of a POST. Unknown, read-only and `null` properties
    /// pass (request recorded on 14.1.3.1, CIS#1730).
    pub(crate) fn from_json(item: &Value) -> Result<Self, Failure> {
        let properties = item
            .as_object()
            .ok_or_else(|| Failure::bad_value("records", item))?;
        let name = text(properties, "name")?.unwrap_or_default();
        Self::named(name, properties)
    }

    /// Reads the properties of a record whose name is known, as from the URI.
    pub(crate) fn named(name: String, properties: &Map<String, Value>) -> Result<Self, Failure> {
        Ok(Self {
            name,
            endpoint: text(properties, "endpoint")?,
            description: text(properties, "description")?,
        })
    }

    /// Its name, if that is a MAC address.
    pub(crate) fn checked_name(&self) -> Result<&str, Failure> {
        if is_mac(&self.name) {
            Ok(&self.name)
        } else {
            Err(Failure::bad_value("name", &Value::from(self.name.as_str())))
        }
    }

    /// Its endpoint with the route domain that is in, if it has one.
    pub(crate) fn checked_endpoint(&self) -> Result<Option<(&str, u16)>, Failure> {
        let Some(endpoint) = self.endpoint.as_deref().filter(|text| !text.is_empty()) else {
            return Ok(None);
        };
        match route_domain(endpoint) {
            Some(domain) => Ok(Some((endpoint, domain))),
            None => Err(Failure::bad_value("endpoint", &Value::from(endpoint))),
        }
    }
}

/// The value of an optional text property; `null` counts as absent.
pub(crate) fn text(properties: &Map<String, Value>, key: &str) -> Result<Option<String>, Failure> {
    match properties.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(other) => Err(Failure::bad_value(key, other)),
    }
}

/// The body of a write to the configuration: JSON by its content type and by its content. *Assumed*:
/// an array or a bare value is refused like broken JSON, and a missing content type counts as
/// `application/octet-stream`.
pub(crate) fn json_object(headers: &HeaderMap, body: &[u8]) -> Result<Map<String, Value>, Failure> {
    let received = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or("application/octet-stream");
    let media_type = received.split(';').next().unwrap_or_default().trim();
    if !media_type.eq_ignore_ascii_case("application/json") {
        return Err(Failure::content_type(received));
    }
    if body.contains(&b'<') && body.contains(&b'>') {
        return Err(Failure::html_tag());
    }
    let properties: Map<String, Value> =
        serde_json::from_slice(body).map_err(|_| Failure::invalid_json())?;
    if properties.values().any(is_too_long) {
        return Err(Failure::long_string());
    }
    Ok(properties)
}

/// Whether it is or holds a text longer than mcpd takes.
fn is_too_long(value: &Value) -> bool {
    match value {
        Value::String(text) => text.chars().count() > STRING_CHARS_MAX,
        Value::Array(items) => items.iter().any(is_too_long),
        Value::Object(properties) => properties.values().any(is_too_long),
        _ => false,
    }
}

/// Route domain of an address as a BIG-IP writes it: `10.1.2.3` is in 0, `10.1.2.3%20` in 20. `None`
/// if it is no address.
pub(crate) fn route_domain(address: &str) -> Option<u16> {
    let (address, domain) = match address.split_once('%') {
        Some((address, domain)) => (address, domain.parse().ok()?),
        None => (address, 0),
    };
    address.parse::<IpAddr>().ok().map(|_| domain)
}

/// Route domain of a tunnel's local address, which may also be `any` or `any6` (*assumed* to be in 0
/// without a suffix).
pub(crate) fn local_route_domain(local_address: &str) -> Option<u16> {
    match local_address.split_once('%') {
        Some(("any" | "any6", domain)) => domain.parse().ok(),
        None if matches!(local_address, "any" | "any6") => Some(0),
        _ => route_domain(local_address),
    }
}

/// Six pairs of hex digits with colons between. *Assumed*: a device may take shorter forms too.
pub(crate) fn is_mac(text: &str) -> bool {
    text.split(':').count() == 6
        && text
            .split(':')
            .all(|pair| pair.len() == 2 && pair.bytes().all(|digit| digit.is_ascii_hexdigit()))
}
