//! The rules, and what breaks them. Pure.
//!
//! Must not know how a history was found out.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use bigip_sim::{Journal, RecordChange, Write};
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::history::{History, NodeState, ObjectState, Span};

/// A node counts as live for a removal if it was so for this long before, ...
const BEFORE: SignedDuration = SignedDuration::from_secs(1);
/// ... and for this long after: what was seen later may have happened earlier.
const AFTER: SignedDuration = SignedDuration::from_millis(500);
/// How late it may be noticed that the client of a write is gone.
const CLIENT_GONE: SignedDuration = SignedDuration::from_secs(5);
/// First octets of a MAC address by default.
const MAC_PREFIX: &str = "0a:0a";

/// What the product promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rule {
    /// A record of a live selected node is never removed.
    LiveRecord,
    /// A foreign record is never changed or removed.
    ForeignRecord,
    /// Nothing but records is ever changed on a unit.
    OtherObject,
    /// A unit has one record write in flight at a time.
    OneWriteAtATime,
    /// A writer that another one has followed on a unit never comes back.
    WritersInTurn,
}

/// What one unit noted.
pub(super) struct Unit {
    pub(super) port: u16,
    pub(super) writes: Vec<Write>,
    pub(super) changes: Vec<RecordChange>,
}

impl Unit {
    pub(super) fn new(port: u16, journal: &Journal) -> Self {
        Self {
            port,
            writes: journal.writes().to_vec(),
            changes: journal.changes().to_vec(),
        }
    }

    fn record_writes(&self) -> impl Iterator<Item = &Write> {
        self.writes.iter().filter(|write| is_of_records(write))
    }
}

fn is_of_records(write: &Write) -> bool {
    write.path.starts_with("/mgmt/tm/net/fdb/tunnel/")
}

/// What broke which rule on a unit.
pub(super) fn violations(history: &History, unit: &Unit) -> Vec<(Rule, String)> {
    let mut found = Vec::new();
    let mut say = |rule, what: Vec<String>| found.extend(what.into_iter().map(|what| (rule, what)));
    say(Rule::LiveRecord, live_records(history, unit));
    say(Rule::ForeignRecord, foreign_records(history, unit));
    say(Rule::OtherObject, other_objects(unit));
    say(Rule::OneWriteAtATime, writes_at_once(unit));
    say(Rule::WritersInTurn, alternating_writers(history, unit));
    found
}

fn live_records(history: &History, unit: &Unit) -> Vec<String> {
    let mut broken = Vec::new();
    for change in unit.changes.iter().filter(|change| change.after.is_none()) {
        let Some(write) = change.write.and_then(|write| unit.writes.get(write)) else {
            continue;
        };
        let protectors = history.objects.iter().filter(|object| {
            covers(object, write.began) && wants_records_on(object, unit, change, history)
        });
        for object in protectors {
            let holder = history.nodes.iter().find(|node| {
                covers(node, write.began)
                    && is_selected(&object.state, &node.state)
                    && lists(&node.state, &change.mac)
            });
            if let Some(node) = holder {
                let (object, node) = (&object.name, &node.name);
                broken.push(format!("{node} selected by {object}: {change:?} {write:?}"));
            }
        }
    }
    broken
}

fn covers<T>(span: &Span<T>, at: Timestamp) -> bool {
    span.covers(at - BEFORE, at + AFTER)
}

/// Whether an object keeps records like this on the unit, and derives them as it always did.
fn wants_records_on(
    object: &Span<ObjectState>,
    unit: &Unit,
    change: &RecordChange,
    history: &History,
) -> bool {
    let spec = &object.state.spec;
    let prefix = text(spec, "/fdb/macPrefix").unwrap_or(MAC_PREFIX);
    let is_active = object.state.is_reconciled
        && spec.pointer("/suspend") != Some(&Value::Bool(true))
        && text(spec, "/managementPolicy") != Some("Observe");
    let mut versions = history.objects.iter().filter(|o| o.name == object.name);
    let derives = |spec: &Value| spec.pointer("/nodes/addressSource").cloned();
    is_active
        && lists_unit(spec, unit.port)
        && tunnel_of(spec) == change.tunnel
        && digits(&change.mac).starts_with(&digits(prefix))
        && versions.all(|version| derives(&version.state.spec) == derives(spec))
}

fn text<'a>(spec: &'a Value, pointer: &str) -> Option<&'a str> {
    spec.pointer(pointer)?.as_str()
}

fn devices(spec: &Value) -> impl Iterator<Item = &Value> {
    let devices = spec.pointer("/devices").and_then(Value::as_array);
    devices.into_iter().flatten()
}

fn lists_unit(spec: &Value, port: u16) -> bool {
    devices(spec).any(|device| device.pointer("/port") == Some(&Value::from(port)))
}

fn tunnel_of(spec: &Value) -> String {
    let partition = text(spec, "/tunnel/partition").unwrap_or("Common");
    format!(
        "/{partition}/{}",
        text(spec, "/tunnel/name").unwrap_or_default()
    )
}

fn is_selected(object: &ObjectState, node: &NodeState) -> bool {
    let Some(selector) = object.spec.pointer("/nodes/selector") else {
        return true;
    };
    let labels = selector.pointer("/matchLabels").and_then(Value::as_object);
    let are_equal = labels.into_iter().flatten().all(|(key, value)| {
        let label = node.labels.get(key).map(String::as_str);
        label.is_some() && label == value.as_str()
    });
    let terms = selector
        .pointer("/matchExpressions")
        .and_then(Value::as_array);
    are_equal && terms.into_iter().flatten().all(|term| is_met(term, node))
}

fn is_met(term: &Value, node: &NodeState) -> bool {
    let label = node.labels.get(text(term, "/key").unwrap_or_default());
    let values = term.pointer("/values").and_then(Value::as_array);
    let mut values = values.into_iter().flatten();
    let is_among = label.is_some_and(|label| values.any(|value| value.as_str() == Some(label)));
    match text(term, "/operator") {
        Some("In") => is_among,
        Some("NotIn") => !is_among,
        Some("Exists") => label.is_some(),
        Some("DoesNotExist") => label.is_none(),
        _ => false,
    }
}

fn digits(mac: &str) -> String {
    let digits = mac.chars().filter(char::is_ascii_hexdigit);
    digits.map(|digit| digit.to_ascii_lowercase()).collect()
}

/// The IPv4 address that the last four octets of a MAC address spell.
fn address_of(mac: &str) -> Option<Ipv4Addr> {
    let digits = digits(mac);
    let octets = digits.get(4..12).filter(|_| digits.len() == 12)?;
    u32::from_str_radix(octets, 16).ok().map(Ipv4Addr::from)
}

fn lists(node: &NodeState, mac: &str) -> bool {
    let address = address_of(mac).map(|address| address.to_string());
    address.is_some_and(|address| node.addresses.contains(&address))
}

fn is_endpoint_of(endpoint: &str, mac: &str) -> bool {
    let address = endpoint
        .split('%')
        .next()
        .and_then(|text| text.parse().ok());
    address.is_some() && address == address_of(mac)
}

/// A record is ours from when a write of ours, or anything else, made it what a node of the world asks for.
fn foreign_records(history: &History, unit: &Unit) -> Vec<String> {
    let (mut ours, mut broken) = (BTreeSet::new(), Vec::new());
    for change in &unit.changes {
        let key = (&change.tunnel, &change.mac);
        let is_node = || {
            let mut nodes = history.nodes.iter();
            nodes.any(|node| lists(&node.state, &change.mac))
        };
        let is_right = |endpoint: &Option<String>| {
            let endpoint = endpoint.as_ref();
            endpoint.is_some_and(|endpoint| is_endpoint_of(endpoint, &change.mac))
        };
        if is_right(&change.before) && is_node() {
            ours.insert(key);
        }
        if change.write.is_some() && change.before.is_some() && !ours.contains(&key) {
            broken.push(format!("{change:?}"));
        }
        if is_right(&change.after) && (change.write.is_some() || is_node()) {
            ours.insert(key);
        }
    }
    broken
}

fn other_objects(unit: &Unit) -> Vec<String> {
    let is_allowed = |write: &&Write| {
        is_of_records(write)
            || write.path.starts_with("/mgmt/tm/transaction")
            || write.path == "/mgmt/tm/sys/config"
    };
    let others = unit.writes.iter().filter(|write| !is_allowed(write));
    others.map(|write| format!("{write:?}")).collect()
}

fn writes_at_once(unit: &Unit) -> Vec<String> {
    let mut broken = Vec::new();
    let mut earlier: Option<&Write> = None;
    for write in unit.record_writes() {
        if let Some(earlier) = earlier {
            let grace = if earlier.is_answered {
                SignedDuration::ZERO
            } else {
                CLIENT_GONE
            };
            let is_over = earlier.ended.is_some_and(|end| end <= write.began + grace);
            if !is_over {
                broken.push(format!("{earlier:?} and {write:?}"));
            }
        }
        earlier = Some(write);
    }
    broken
}

fn alternating_writers(history: &History, unit: &Unit) -> Vec<String> {
    // With other settings objects have other sessions, and take turns on the unit.
    let settings = history.objects.iter().flat_map(|object| {
        let spec = &object.state.spec;
        let devices = devices(spec);
        devices
            .filter(|device| device.pointer("/port") == Some(&Value::from(unit.port)))
            .map(move |device| {
                let own = ["address", "credentialsSecretRef", "tls"];
                let common = ["credentialsSecretRef", "tls"];
                let own = own.map(|field| device.get(field).cloned());
                format!("{own:?} {:?}", common.map(|field| spec.get(field).cloned()))
            })
    });
    if settings.collect::<BTreeSet<_>>().len() > 1 {
        return Vec::new();
    }
    let (mut followed, mut current, mut broken) = (BTreeSet::new(), None, Vec::new());
    for write in unit.record_writes() {
        if current != Some(write.session) {
            followed.extend(current);
            current = Some(write.session);
            if followed.contains(&write.session) {
                broken.push(format!(
                    "{write:?} of a session that another one had followed"
                ));
            }
        }
    }
    broken
}
