//! What `tree` found: a tunnel, its BIG-IPs with their records, and what they need.
//!
//! The same facts as in `status` and `fdb`, put where they belong. Children that are alike are one
//! branch unless that is not wanted. Reads no Secret: it says which ones the spec names.

use std::collections::BTreeMap;

use bigip_tunnel_crds::convert;
use bigip_tunnel_crds::v1alpha1::{BigIpTunnel, BundleKind, Device, DeviceStatus, FormerDevice};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde::Serialize;

use super::fdb::{Cell, FdbReport, Row, State};
use super::status::{DeviceReport, TunnelReport, shown};
use crate::error::Outcome;

/// Everything that `tree` found.
#[derive(Serialize, Debug)]
pub(crate) struct TreeReport {
    pub(crate) namespace: String,
    /// The tunnel and everything below it.
    pub(crate) root: Branch,
    #[serde(skip)]
    is_fine: bool,
}

/// One thing, or several that are alike.
#[derive(Serialize, Debug, Default)]
pub(crate) struct Branch {
    /// What it is.
    pub(crate) kind: &'static str,
    /// Their names: one, unless several are alike.
    pub(crate) names: Vec<String>,
    /// `True`, `False` or `Unknown`, where it can be ready.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ready: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
    /// Since when it is so, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) since: Option<Time>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) message: String,
    /// How far the records are, if these are some.
    #[serde(skip)]
    pub(crate) record: Option<(State, bool)>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) children: Vec<Branch>,
}

impl TreeReport {
    /// Puts together what is known of a tunnel and its records.
    pub(crate) fn new(object: &BigIpTunnel, fdb: &FdbReport, grouping: bool) -> Self {
        let tunnel = TunnelReport::new(object);
        let mut children: Vec<Branch> = tunnel
            .devices
            .iter()
            .map(|report| device(report, records(&report.status.name, fdb, grouping)))
            .collect();
        children.extend(tunnel.former_devices.iter().map(former));
        children.extend(skipped(fdb, grouping));
        children.extend(secrets(object));
        children.extend(ca_bundles(object));
        let is_fine = tunnel.is_ready() && fdb.outcome() == Outcome::Fine;
        let root = Branch {
            kind: "BigIpTunnel",
            names: vec![tunnel.name],
            ready: Some(tunnel.ready.status),
            reason: Some(tunnel.ready.reason),
            since: tunnel.ready.since,
            message: tunnel.ready.message,
            children,
            ..Branch::default()
        };
        Self {
            namespace: tunnel.namespace,
            root,
            is_fine,
        }
    }

    /// Whether the tunnel is ready and every node is known to be served.
    pub(crate) const fn outcome(&self) -> Outcome {
        Outcome::fine_if(self.is_fine)
    }
}

fn device(report: &DeviceReport, records: Vec<Branch>) -> Branch {
    let condition = shown(&report.status);
    let unknown = "Unknown".to_owned();
    Branch {
        kind: "BigIp",
        names: vec![report.status.name.clone()],
        ready: Some(condition.map_or(unknown, |condition| condition.status.clone())),
        reason: Some(report.state.clone()),
        since: condition.map(|condition| condition.last_transition_time.clone()),
        message: match condition {
            Some(condition) if report.is_failing() => condition.message.clone(),
            _ => facts(&report.status),
        },
        children: records,
        ..Branch::default()
    }
}

/// What a healthy BIG-IP is told by.
fn facts(status: &DeviceStatus) -> String {
    let role = status.failover_state.map(|state| format!("{state:?}"));
    let version = status.version.as_ref();
    let version = version.map(|version| format!("TMOS {version}"));
    let local = status
        .tunnel
        .as_ref()
        .and_then(|t| t.local_address.as_ref());
    let local = local.map(|local| format!("local address {local}"));
    let mac = status
        .tunnel
        .as_ref()
        .and_then(|tunnel| tunnel.mac.as_ref());
    let mac = mac.map(|mac| format!("MAC {mac}"));
    let facts: Vec<String> = [role, version, local, mac].into_iter().flatten().collect();
    facts.join(", ")
}

/// The records of one BIG-IP, those that are alike together.
fn records(device: &str, fdb: &FdbReport, grouping: bool) -> Vec<Branch> {
    let cells = fdb.rows.iter().filter_map(|row| {
        let cell = row.cells.iter().find(|cell| cell.device == device)?;
        let is_there = !matches!(cell.state, State::Absent | State::Skipped);
        is_there.then_some((row, cell))
    });
    let mut groups: BTreeMap<(State, bool), Vec<(&Row, &Cell)>> = BTreeMap::new();
    for (row, cell) in cells {
        let group = groups.entry((cell.state, cell.verified)).or_default();
        group.push((row, cell));
    }
    let mut branches = Vec::new();
    for group in groups.into_values() {
        match group.as_slice() {
            [first, _, ..] if grouping => {
                let names = group.iter().map(|(row, _)| name(row)).collect();
                let message = String::new();
                branches.push(Branch {
                    names,
                    message,
                    ..record(*first)
                });
            }
            _ => branches.extend(group.into_iter().map(record)),
        }
    }
    branches
}

fn record((row, cell): (&Row, &Cell)) -> Branch {
    let ready = match (cell.verified, cell.state.is_finding()) {
        (false, _) => "Unknown",
        (true, false) => "True",
        (true, true) => "False",
    };
    let ready = (!cell.state.is_nothing_of_ours()).then(|| ready.to_owned());
    let mac = row.mac.as_deref().unwrap_or_default();
    let message = match &cell.endpoint {
        Some(endpoint) => format!("{mac} to {endpoint}"),
        None => mac.to_owned(),
    };
    Branch {
        kind: "Record",
        names: vec![name(row)],
        ready,
        reason: Some(cell.state.as_str().to_owned()),
        message,
        record: Some((cell.state, cell.verified)),
        ..Branch::default()
    }
}

/// A record is called by its node, where there is one.
fn name(row: &Row) -> String {
    let name = row.node.as_ref().or(row.mac.as_ref());
    name.cloned().unwrap_or_default()
}

fn former(device: &FormerDevice) -> Branch {
    let going = "it is no longer listed, and its records are being removed";
    Branch {
        kind: "FormerBigIp",
        names: vec![device.name.clone()],
        ready: Some("False".to_owned()),
        reason: device.reason.clone(),
        since: Some(device.since.clone()),
        message: device.message.clone().unwrap_or_else(|| going.to_owned()),
        ..Branch::default()
    }
}

/// Nodes that have no record, those with the same reason together.
fn skipped(fdb: &FdbReport, grouping: bool) -> Vec<Branch> {
    let mut branches: Vec<Branch> = Vec::new();
    for row in &fdb.rows {
        let Some(skipped) = &row.skipped else {
            continue;
        };
        let mut alike = branches.iter_mut().filter(|_| grouping);
        let alike = alike.find(|branch| branch.message == skipped.message);
        match alike {
            Some(branch) => branch.names.push(name(row)),
            None => branches.push(Branch {
                kind: "Node",
                names: vec![name(row)],
                ready: Some("False".to_owned()),
                reason: Some(skipped.reason.to_owned()),
                message: skipped.message.clone(),
                ..Branch::default()
            }),
        }
    }
    branches
}

/// The Secrets with the logins.
fn secrets(object: &BigIpTunnel) -> Vec<Branch> {
    let named = |device: &Device| {
        let name = convert::secret_name(device, &object.spec).ok()?;
        Some(("Secret", name.to_owned()))
    };
    used(object, "login of", named)
}

/// What certificates are verified by.
fn ca_bundles(object: &BigIpTunnel) -> Vec<Branch> {
    let named = |device: &Device| {
        let tls = device.tls.as_ref().or(object.spec.tls.as_ref())?;
        let bundle = tls.ca_bundle_ref.as_ref()?;
        let kind = match bundle.kind {
            BundleKind::ConfigMap => "ConfigMap",
            BundleKind::Secret => "Secret",
        };
        Some((kind, bundle.name.clone()))
    };
    used(object, "CA bundle of", named)
}

/// What the BIG-IPs of the spec name, and which of them do.
fn used(
    object: &BigIpTunnel,
    what: &str,
    named: impl Fn(&Device) -> Option<(&'static str, String)>,
) -> Vec<Branch> {
    let mut users: BTreeMap<(&str, String), Vec<&str>> = BTreeMap::new();
    for device in &object.spec.devices {
        if let Some(thing) = named(device) {
            users.entry(thing).or_default().push(&device.name);
        }
    }
    let branch = |((kind, name), users): ((&'static str, String), Vec<&str>)| Branch {
        kind,
        names: vec![name],
        message: format!("{what} {}", users.join(", ")),
        ..Branch::default()
    };
    users.into_iter().map(branch).collect()
}
