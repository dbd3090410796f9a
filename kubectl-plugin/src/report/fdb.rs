//! What `fdb` found: every node, its record, and how far each BIG-IP is with it.
//!
//! Derived from the nodes and the spec as the operator derives it, and compared with what the
//! operator wrote into the status. No BIG-IP is asked, so a cell says what was last known; it is
//! marked where that may have changed.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use bigip_tunnel_core::claims::{ClaimState, Claims};
use bigip_tunnel_core::desired::{Desired, DesiredNode, desired};
use bigip_tunnel_core::endpoint::Endpoint;
use bigip_tunnel_core::mac::{MacAddress, MacPrefix};
use bigip_tunnel_core::node::NodeView;
use bigip_tunnel_crds::convert;
use bigip_tunnel_crds::v1alpha1::{
    BigIpTunnel, BigIpTunnelStatus, DeviceStatus, ManagementPolicy, ProblemKind, RecordCounts,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt as _;
use serde::Serialize;

use super::status::is_verified;
use crate::error::{Outcome, Unusable};

/// Everything that `fdb` found.
#[derive(Serialize, Debug)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FdbReport {
    pub(crate) namespace: String,
    pub(crate) name: String,
    /// Path of the tunnel on the BIG-IPs.
    pub(crate) tunnel: String,
    /// The BIG-IPs, in the order of the spec.
    pub(crate) devices: Vec<String>,
    /// The nodes that have or should have a record, in the order of their names; then records
    /// without a node.
    pub(crate) rows: Vec<Row>,
    /// How many nodes are selected.
    pub(crate) nodes: usize,
    /// How many of them were asked for, if not all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) nodes_asked_for: Option<usize>,
    /// How many records are in which state on all of them together.
    pub(crate) records: BTreeMap<State, usize>,
    /// How many of the nodes have no record anywhere.
    pub(crate) skipped: usize,
    /// How many records on the BIG-IPs are not ours, of which the rows show the first ones.
    pub(crate) extra: i32,
}

/// Which part of the report is wanted. What is empty asks for everything.
#[derive(Debug, Default)]
pub(crate) struct Wanted<'a> {
    pub(crate) devices: &'a [String],
    pub(crate) nodes: &'a [String],
    pub(crate) only_problems: bool,
}

/// A node and its record, or a record without a node.
#[derive(Serialize, Debug)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Row {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) node: Option<String>,
    /// Status of the node's condition `Ready`. Its record does not depend on it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) node_ready: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) address: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) mac: Option<String>,
    /// Why the node has no record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) skipped: Option<Skipped>,
    /// When the record may go, if its node left.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) removable_at: Option<Time>,
    /// The record on each BIG-IP, in the order of `devices`.
    pub(crate) cells: Vec<Cell>,
}

/// Why a node has no record.
#[derive(Serialize, Debug, Clone)]
pub(crate) struct Skipped {
    pub(crate) reason: &'static str,
    pub(crate) message: String,
}

/// One record on one BIG-IP.
#[derive(Serialize, Debug, Clone)]
pub(crate) struct Cell {
    pub(crate) device: String,
    pub(crate) state: State,
    /// Whether this is what the BIG-IP held when it was last verified, rather than some time before.
    pub(crate) verified: bool,
    /// Endpoint of the record there: the observed one of a record that is not as it should be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) endpoint: Option<String>,
}

/// How far a BIG-IP is with a record.
#[derive(Serialize, Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "camelCase")]
pub(crate) enum State {
    /// It holds the record.
    Ok,
    /// The record is being written.
    Pending,
    /// It does not hold the record.
    Missing,
    /// It holds the record with another endpoint; the operator corrects it.
    Incorrect,
    /// It holds a record of this MAC that is not ours.
    Conflict,
    /// It holds a record of this MAC in a form that cannot be read.
    Unreadable,
    /// Nothing is known about it.
    Unknown,
    /// The node has no record anywhere.
    Skipped,
    /// No record is wanted there: the address is the tunnel's own.
    Own,
    /// The node left; its record goes after the delay.
    Leaving,
    /// Its record is gone from the running configuration, which is not saved yet.
    Removed,
    /// A leftover, or another cluster's. Never touched.
    Unclaimed,
    /// Somebody else's. Never touched.
    Foreign,
    /// It has nothing to do with this record.
    Absent,
}

impl State {
    /// The word in the table.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Pending => "pending",
            Self::Missing => "missing",
            Self::Incorrect => "incorrect",
            Self::Conflict => "conflict",
            Self::Unreadable => "unreadable",
            Self::Unknown => "unknown",
            Self::Skipped => "skipped",
            Self::Own => "own",
            Self::Leaving => "leaving",
            Self::Removed => "removed",
            Self::Unclaimed => "unclaimed",
            Self::Foreign => "foreign",
            Self::Absent => "-",
        }
    }

    /// Whether a node with this cell is not served as it should be.
    pub(crate) const fn is_finding(self) -> bool {
        !matches!(self, Self::Ok | Self::Own | Self::Leaving | Self::Removed)
    }

    /// Whether the cell has nothing to do with any node.
    pub(crate) const fn is_nothing_of_ours(self) -> bool {
        matches!(self, Self::Unclaimed | Self::Foreign | Self::Absent)
    }

    /// Whether the cell stands for a record that is ours, or should be.
    pub(crate) const fn is_record_of_ours(self) -> bool {
        !matches!(self, Self::Skipped | Self::Own) && !self.is_nothing_of_ours()
    }
}

impl FdbReport {
    /// Compares the nodes with what the operator wrote. Tells only what is wanted.
    pub(crate) fn new(
        object: &BigIpTunnel,
        nodes: &[NodeView],
        wanted: &Wanted<'_>,
    ) -> Result<Self, Unusable> {
        let tunnel = convert::tunnel_path(&object.spec)?;
        let prefix = convert::mac_prefix(&object.spec)?;
        let nothing = BigIpTunnelStatus::default();
        let status = object.status.as_ref().unwrap_or(&nothing);
        let claims = convert::claims(status, &object.uid().unwrap_or_default())?;
        let is_observed = object.spec.management_policy == ManagementPolicy::Observe;
        let devices = &object.spec.devices;
        let devices: Vec<DeviceView<'_>> = devices
            .iter()
            .filter(|device| is_wanted(wanted.devices, &device.name))
            .map(|device| DeviceView::new(&device.name, status, &claims, is_observed))
            .collect();
        let desired = desired(nodes, prefix, &convert::address_rule(&object.spec)?);

        let mut rows = node_rows(&desired, &devices);
        rows.extend(leaving_rows(&desired, &devices, status, prefix));
        rows.extend(extra_rows(&desired, &devices));
        rows.retain(|row| {
            let node = row.node.as_deref().unwrap_or_default();
            is_wanted(wanted.nodes, node)
        });
        let mut records = BTreeMap::new();
        for cell in rows.iter().flat_map(|row| &row.cells) {
            *records.entry(cell.state).or_default() += 1;
        }
        let skipped = rows.iter().filter(|row| row.skipped.is_some()).count();
        rows.retain(|row| !wanted.only_problems || row.is_problem());
        let extra = |counts: &RecordCounts| counts.unclaimed.saturating_add(counts.foreign);
        Ok(Self {
            namespace: object.namespace().unwrap_or_default(),
            name: object.name_any(),
            tunnel: tunnel.to_string(),
            nodes: desired.selected(),
            nodes_asked_for: (!wanted.nodes.is_empty()).then_some(wanted.nodes.len()),
            rows,
            records,
            skipped,
            extra: devices
                .iter()
                .filter_map(|device| device.counts())
                .map(extra)
                .sum(),
            devices: devices
                .iter()
                .map(|device| device.name.to_owned())
                .collect(),
        })
    }

    /// Notes whether the nodes are ready.
    pub(crate) fn note_readiness(&mut self, ready: &BTreeMap<String, String>) {
        for row in &mut self.rows {
            row.node_ready = row.node.as_ref().and_then(|name| ready.get(name).cloned());
        }
    }

    /// Whether every node is known to be served.
    pub(crate) fn outcome(&self) -> Outcome {
        Outcome::fine_if(!self.rows.iter().any(Row::is_problem))
    }
}

/// Whether a name is among those that are asked for, if any are.
fn is_wanted(asked: &[String], name: &str) -> bool {
    asked.is_empty() || asked.iter().any(|asked| asked == name)
}

impl Row {
    /// Whether it is not known to be right on every BIG-IP.
    pub(crate) fn is_problem(&self) -> bool {
        self.cells.iter().any(|cell| {
            let is_sure = cell.verified && !cell.state.is_finding();
            !cell.state.is_nothing_of_ours() && !is_sure
        })
    }
}

/// What is known about one BIG-IP.
struct DeviceView<'a> {
    name: &'a str,
    status: Option<&'a DeviceStatus>,
    claims: &'a BTreeMap<MacAddress, ClaimState>,
    problems: BTreeMap<MacAddress, (ProblemKind, Option<Endpoint>)>,
    local: Option<Endpoint>,
    is_verified: bool,
    /// Whether more records are wrong than the status names.
    hides_problems: bool,
    /// Whether nothing is claimed, since nothing is written: what is not wrong is there.
    is_observed: bool,
}

impl<'a> DeviceView<'a> {
    /// Whether this record, of ours and wanted by nobody, is no longer on the BIG-IP. Its claim stays
    /// until the configuration is saved.
    fn has_removed(&self, mac: MacAddress) -> bool {
        let named = || {
            self.problems
                .iter()
                .filter(|(_, (kind, _))| *kind == ProblemKind::Stale)
        };
        // Where all that are left are named, the others are gone.
        let are_all_named = |counts: &RecordCounts| {
            usize::try_from(counts.stale).is_ok_and(|stale| stale <= named().count())
        };
        self.counts().is_some_and(are_all_named) && named().all(|(left, _)| *left != mac)
    }

    fn new(
        name: &'a str,
        status: &'a BigIpTunnelStatus,
        claims: &'a Claims,
        is_observed: bool,
    ) -> Self {
        let status = status.devices.iter().find(|device| device.name == name);
        let problems: BTreeMap<_, _> = status
            .into_iter()
            .flat_map(|status| &status.problems)
            .filter_map(|problem| {
                let endpoint = problem.endpoint.as_ref().and_then(|text| text.parse().ok());
                Some((problem.mac.parse().ok()?, (problem.kind, endpoint)))
            })
            .collect();
        let wrong = |kind: ProblemKind| {
            matches!(
                kind,
                ProblemKind::Missing
                    | ProblemKind::Incorrect
                    | ProblemKind::Conflict
                    | ProblemKind::Unreadable
            )
        };
        let named = problems.values().filter(|(kind, _)| wrong(*kind)).count();
        let missing = status
            .and_then(|status| status.records.as_ref())
            .map_or(0, |r| r.missing);
        let tunnel = status.and_then(|status| status.tunnel.as_ref());
        Self {
            name,
            status,
            claims: claims.of(name),
            local: tunnel
                .and_then(|t| t.local_address.as_ref())
                .and_then(|text| text.parse().ok()),
            is_verified: status.is_some_and(is_verified),
            hides_problems: usize::try_from(missing).is_ok_and(|missing| missing > named),
            is_observed,
            problems,
        }
    }

    fn counts(&self) -> Option<&RecordCounts> {
        self.status.and_then(|status| status.records.as_ref())
    }

    fn cell(&self, state: State, endpoint: Option<Endpoint>) -> Cell {
        let hidden = self.hides_problems && state == State::Ok;
        Cell {
            device: self.name.to_owned(),
            state,
            verified: self.is_verified && !hidden,
            endpoint: endpoint.map(|endpoint| endpoint.to_string()),
        }
    }

    /// The record of a node.
    fn node_cell(&self, mac: MacAddress, address: Ipv4Addr) -> Cell {
        let wanted = self
            .local
            .map(|local| Endpoint::v4(address, local.route_domain));
        if self
            .local
            .is_some_and(|local| local.address == IpAddr::V4(address))
        {
            return self.cell(State::Own, None);
        }
        match (self.problems.get(&mac), self.claims.get(&mac)) {
            (Some((ProblemKind::Conflict, found)), _) => self.cell(State::Conflict, *found),
            (Some((ProblemKind::Unreadable, _)), _) => self.cell(State::Unreadable, None),
            (Some((ProblemKind::Incorrect, _)), _) => self.cell(State::Incorrect, wanted),
            (Some((ProblemKind::Missing, _)), None | Some(ClaimState::Owned)) => {
                self.cell(State::Missing, wanted)
            }
            (_, Some(ClaimState::Owned)) => self.cell(State::Ok, wanted),
            // A record that was leaving when its node came back is taken back.
            (_, Some(ClaimState::Pending | ClaimState::Leaving)) => {
                self.cell(State::Pending, wanted)
            }
            (_, None) if self.is_observed && self.is_verified && !self.hides_problems => {
                self.cell(State::Ok, wanted)
            }
            (_, None) if self.is_verified && !self.is_observed => self.cell(State::Missing, wanted),
            (_, None) => self.cell(State::Unknown, wanted),
        }
    }
}

fn node_rows(desired: &Desired, devices: &[DeviceView<'_>]) -> Vec<Row> {
    let record = |(mac, node): (&MacAddress, &DesiredNode)| Row {
        node: Some(node.name.clone()),
        node_ready: None,
        address: Some(IpAddr::V4(node.address)),
        mac: Some(mac.to_string()),
        skipped: None,
        removable_at: None,
        cells: devices
            .iter()
            .map(|device| device.node_cell(*mac, node.address))
            .collect(),
    };
    let mut rows: Vec<Row> = desired.nodes.iter().map(record).collect();
    rows.extend(desired.skipped.iter().map(|node| {
        Row {
            node: Some(node.name.clone()),
            node_ready: None,
            address: None,
            mac: None,
            skipped: Some(Skipped {
                reason: node.reason.as_str(),
                message: node.message.clone(),
            }),
            removable_at: None,
            cells: devices
                .iter()
                .map(|device| device.cell(State::Skipped, None))
                .collect(),
        }
    }));
    rows.sort_by(|a, b| a.node.cmp(&b.node));
    rows
}

/// Claimed records whose node left.
fn leaving_rows(
    desired: &Desired,
    devices: &[DeviceView<'_>],
    status: &BigIpTunnelStatus,
    prefix: MacPrefix,
) -> Vec<Row> {
    let claimed: BTreeSet<MacAddress> = devices
        .iter()
        .flat_map(|device| device.claims.keys())
        .copied()
        .collect();
    let left = claimed
        .into_iter()
        .filter(|mac| !desired.nodes.contains_key(mac));
    left.map(|mac| {
        let address = mac.encoded_address(prefix);
        let shown = address.map(|address| address.to_string());
        let known = status
            .leaving_nodes
            .iter()
            .find(|left| Some(&left.address) == shown.as_ref());
        let cell = |device: &DeviceView<'_>| {
            let endpoint = address
                .zip(device.local)
                .map(|(address, local)| Endpoint::v4(address, local.route_domain));
            match device.claims.get(&mac) {
                Some(ClaimState::Leaving) if device.has_removed(mac) => {
                    device.cell(State::Removed, endpoint)
                }
                Some(_) => device.cell(State::Leaving, endpoint),
                None => device.cell(State::Absent, None),
            }
        };
        Row {
            node: known.and_then(|known| known.name.clone()),
            node_ready: None,
            address: address.map(IpAddr::V4),
            mac: Some(mac.to_string()),
            skipped: None,
            removable_at: known.and_then(|known| known.removable_at.clone()),
            cells: devices.iter().map(cell).collect(),
        }
    })
    .collect()
}

/// Records that are not ours, as far as the status names them.
fn extra_rows(desired: &Desired, devices: &[DeviceView<'_>]) -> Vec<Row> {
    let extra = |kind: ProblemKind| match kind {
        ProblemKind::Unclaimed => Some(State::Unclaimed),
        ProblemKind::Foreign => Some(State::Foreign),
        _ => None,
    };
    let named: BTreeSet<(MacAddress, Option<Endpoint>)> = devices
        .iter()
        .flat_map(|device| &device.problems)
        .filter(|(mac, (kind, _))| extra(*kind).is_some() && !desired.nodes.contains_key(mac))
        .map(|(mac, (_, endpoint))| (*mac, *endpoint))
        .collect();
    let row = |(mac, endpoint): (MacAddress, Option<Endpoint>)| {
        let cell = |device: &DeviceView<'_>| match device.problems.get(&mac) {
            Some((kind, found)) if *found == endpoint => {
                device.cell(extra(*kind).unwrap_or(State::Absent), endpoint)
            }
            _ => device.cell(State::Absent, None),
        };
        Row {
            node: None,
            node_ready: None,
            address: endpoint.map(|endpoint| endpoint.address),
            mac: Some(mac.to_string()),
            skipped: None,
            removable_at: None,
            cells: devices.iter().map(cell).collect(),
        }
    };
    named.into_iter().map(row).collect()
}
