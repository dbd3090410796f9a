//! What `diff` found: per BIG-IP, what separates its records from those that it should hold.
//!
//! The comparison is the operator's own. What the BIG-IPs hold is either what they said just now, or
//! what the status says of them.

use bigip_tunnel_core::reason::Reason;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::net::IpAddr;

use bigip_tunnel_core::claims::Claims;
use bigip_tunnel_core::desired::{Desired, desired};
use bigip_tunnel_core::endpoint::Endpoint;
use bigip_tunnel_core::mac::{MacAddress, MacPrefix};
use bigip_tunnel_core::node::NodeView;
use bigip_tunnel_core::plan::{Plan, plan};
use bigip_tunnel_core::record::{ObservedRecords, Records};
use bigip_tunnel_crds::convert::{self, InvalidSpec};
use bigip_tunnel_crds::v1alpha1::{BigIpTunnel, BigIpTunnelStatus, SavePolicy};
use kube::ResourceExt as _;
use serde::{Serialize, Serializer};

use super::fdb::{FdbReport, Row, State};
use crate::direct::Trouble;
use crate::error::Outcome;

/// Everything that `diff` found.
#[derive(Serialize, Debug)]
pub(crate) struct DiffReport {
    pub(crate) namespace: String,
    pub(crate) name: String,
    /// Path of the tunnel on the BIG-IPs.
    pub(crate) tunnel: String,
    pub(crate) source: Source,
    /// Whether the operator saves after a change.
    pub(crate) saves: bool,
    pub(crate) devices: Vec<DeviceDiff>,
}

/// Where it is known from what the BIG-IPs hold.
#[derive(Serialize, Debug, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Source {
    /// From the status, which names the first differences.
    Status,
    /// From the BIG-IPs themselves.
    Live,
}

/// One BIG-IP.
#[derive(Serialize, Debug)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DeviceDiff {
    pub(crate) device: String,
    /// Why nothing is known of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) trouble: Option<Trouble>,
    /// Whether all differences are listed: the status names the first ones.
    pub(crate) is_complete: bool,
    /// How many desired records are right.
    pub(crate) right: usize,
    pub(crate) changes: Vec<Change>,
    /// What it holds, as far as it is known. For the formats that show it.
    #[serde(skip)]
    pub(crate) held: Records,
}

/// A record that is not as it should be, or not ours.
#[derive(Serialize, Debug, Clone, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) action: Action,
    #[serde(serialize_with = "shown")]
    pub(crate) mac: MacAddress,
    /// The endpoint that the record has, or should have; none where it cannot be read.
    #[serde(
        serialize_with = "shown_if_any",
        skip_serializing_if = "Option::is_none"
    )]
    pub(crate) endpoint: Option<Endpoint>,
    /// The endpoint that it has, where it should have another. The status does not keep it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) was: Option<String>,
    /// The node.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) node: Option<String>,
}

fn shown<T: Display, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

#[expect(clippy::ref_option, reason = "serde passes a reference to the field")]
fn shown_if_any<T: Display, S: Serializer>(
    value: &Option<T>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => shown(value, serializer),
        None => serializer.serialize_none(),
    }
}

/// What is done with a record.
#[derive(Serialize, Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Action {
    Add,
    Correct,
    Remove,
    /// It is in the way of a node and not ours: nothing is done.
    Conflict,
    /// It is not ours: nothing is done.
    Keep,
}

/// What a tunnel should be.
pub(crate) struct Wish<'a> {
    /// The tunnel as it is in the cluster, or as somebody wants to make it.
    pub(crate) object: &'a BigIpTunnel,
    /// The nodes, as its selector sees them.
    pub(crate) nodes: &'a [NodeView],
}

/// What a BIG-IP holds.
pub(crate) struct Held {
    pub(crate) observed: ObservedRecords,
    pub(crate) local: Endpoint,
    pub(crate) is_complete: bool,
}

impl DiffReport {
    /// Compares. `held`: what each BIG-IP holds, by its name.
    pub(crate) fn new(
        wish: &Wish<'_>,
        claims: &Claims,
        source: Source,
        held: Vec<(String, Result<Held, Trouble>)>,
    ) -> Result<Self, InvalidSpec> {
        let spec = &wish.object.spec;
        let prefix = convert::mac_prefix(spec)?;
        let desired = desired(wish.nodes, prefix, &convert::address_rule(spec)?);
        let device = |(device, held): (String, Result<Held, Trouble>)| match held {
            Ok(held) => {
                let mut diff = DeviceDiff::new(device, held, &desired, claims, prefix);
                if source == Source::Status {
                    diff.forget_what_was();
                }
                diff
            }
            Err(trouble) => DeviceDiff::unknown(device, trouble),
        };
        Ok(Self {
            namespace: wish.object.namespace().unwrap_or_default(),
            name: wish.object.name_any(),
            tunnel: convert::tunnel_path(spec)?.to_string(),
            source,
            saves: spec.save_config.policy == SavePolicy::OnChange,
            devices: held.into_iter().map(device).collect(),
        })
    }

    /// Whether anything differs.
    pub(crate) fn outcome(&self) -> Outcome {
        Outcome::fine_if(!self.devices.iter().any(DeviceDiff::differs))
    }

    /// The first BIG-IP of which nothing is known.
    pub(crate) fn trouble(&self) -> Option<(&str, &Trouble)> {
        let mut devices = self.devices.iter();
        devices.find_map(|device| Some((device.device.as_str(), device.trouble.as_ref()?)))
    }
}

impl DeviceDiff {
    fn new(
        device: String,
        held: Held,
        desired: &Desired,
        claims: &Claims,
        prefix: MacPrefix,
    ) -> Self {
        let wanted = desired.records(held.local);
        let plan = plan(&wanted, &held.observed, claims.of(&device), prefix);
        let readable = held.observed.records;
        Self {
            device,
            trouble: None,
            is_complete: held.is_complete,
            right: plan.present().len(),
            changes: changes(&plan, &readable, desired),
            held: readable,
        }
    }

    fn unknown(device: String, trouble: Trouble) -> Self {
        Self {
            device,
            trouble: Some(trouble),
            is_complete: false,
            right: 0,
            changes: Vec::new(),
            held: Records::new(),
        }
    }

    /// What a record was that is to be corrected, the status does not tell.
    fn forget_what_was(&mut self) {
        for change in &mut self.changes {
            if change.was.take().is_some() {
                self.held.remove(&change.mac);
            }
        }
    }

    /// How many records something is done with.
    pub(crate) fn count(&self, action: Action) -> usize {
        let all = self.changes.iter();
        all.filter(|change| change.action == action).count()
    }

    /// Whether a record is not as it should be.
    pub(crate) fn differs(&self) -> bool {
        let is_kept = |change: &Change| change.action == Action::Keep;
        !self.is_complete || !self.changes.iter().all(is_kept)
    }

    /// What it would hold with all changes made.
    pub(crate) fn wanted(&self) -> Records {
        let mut records = self.held.clone();
        for change in &self.changes {
            match change.action {
                Action::Add | Action::Correct => {
                    records.extend(change.endpoint.map(|endpoint| (change.mac, endpoint)));
                }
                Action::Remove => {
                    records.remove(&change.mac);
                }
                Action::Conflict | Action::Keep => {}
            }
        }
        records
    }
}

fn changes(plan: &Plan, held: &Records, desired: &Desired) -> Vec<Change> {
    let known = |(mac, endpoint): (&MacAddress, &Endpoint)| (*mac, Some(*endpoint));
    let change = |action, (mac, endpoint): (MacAddress, Option<Endpoint>)| Change {
        action,
        mac,
        endpoint,
        was: held
            .get(&mac)
            .filter(|_| action == Action::Correct)
            .map(Endpoint::to_string),
        node: desired.nodes.get(&mac).map(|node| node.name.clone()),
    };
    let sets = [
        (Action::Add, &plan.add),
        (Action::Correct, &plan.correct),
        (Action::Remove, &plan.remove),
        (Action::Conflict, &plan.conflict),
    ];
    let mut changes: Vec<Change> = sets
        .into_iter()
        .flat_map(|(action, set)| set.iter().map(move |record| change(action, known(record))))
        .collect();
    let in_the_way = plan.unreadable.iter().map(|mac| (*mac, None));
    changes.extend(in_the_way.map(|record| change(Action::Conflict, record)));
    let unclaimed = plan.unclaimed.iter().map(known);
    let unreadable = plan.unreadable_stale.union(&plan.unreadable_unclaimed);
    let foreign = plan.foreign.iter().map(|(mac, endpoint)| (*mac, *endpoint));
    let kept = unclaimed
        .chain(unreadable.map(|mac| (*mac, None)))
        .chain(foreign);
    changes.extend(kept.map(|record| change(Action::Keep, record)));
    changes
}

/// What the status says that the BIG-IPs hold, as far as it names records.
pub(crate) fn held_by_status(
    object: &BigIpTunnel,
    fdb: &FdbReport,
) -> BTreeMap<String, Result<Held, Trouble>> {
    let nothing = BigIpTunnelStatus::default();
    let status = object.status.as_ref().unwrap_or(&nothing);
    let devices = fdb.devices.iter().map(|name| {
        let known = status.devices.iter().find(|device| &device.name == name);
        let tunnel = known.and_then(|device| device.tunnel.as_ref());
        let local = tunnel.and_then(|tunnel| tunnel.local_address.as_ref());
        let held = match local.and_then(|text| text.parse().ok()) {
            Some(local) => Ok(held(name, local, &fdb.rows)),
            None => Err(not_looked_at()),
        };
        (name.clone(), held)
    });
    devices.collect()
}

/// Nothing is known of a BIG-IP that the operator has not looked at.
pub(crate) fn not_looked_at() -> Trouble {
    Trouble {
        reason: Reason::Pending,
        message: "the status says nothing of its records; --direct asks the BIG-IP".to_owned(),
    }
}

fn held(device: &str, local: Endpoint, rows: &[Row]) -> Held {
    let mut held = Held {
        observed: ObservedRecords::default(),
        local,
        is_complete: true,
    };
    for row in rows {
        let Some(cell) = row.cells.iter().find(|cell| cell.device == device) else {
            continue;
        };
        held.is_complete &= cell.verified && cell.state != State::Unknown;
        let is_there = matches!(
            cell.state,
            State::Ok
                | State::Incorrect
                | State::Conflict
                | State::Leaving
                | State::Unclaimed
                | State::Foreign
        );
        let mac = row.mac.as_ref().and_then(|text| text.parse().ok());
        if let (State::Unreadable, Some(mac)) = (cell.state, mac) {
            held.observed.unreadable.insert(mac);
        }
        let endpoint = cell.endpoint.as_ref().and_then(|text| text.parse().ok());
        let derived = || match row.address? {
            IpAddr::V4(address) => Some(Endpoint::v4(address, local.route_domain)),
            IpAddr::V6(_) => None,
        };
        // What an incorrect one is the status does not tell; any other endpoint will do.
        let endpoint = match cell.state {
            State::Incorrect => Some(local),
            _ => endpoint.or_else(derived),
        };
        if let (true, Some(mac), Some(endpoint)) = (is_there, mac, endpoint) {
            held.observed.records.insert(mac, endpoint);
        }
    }
    held
}
