//! What an object's spec and status say, as numbers under labels.
//!
//! Knows nothing of how they are scraped.

use bigip_tunnel_core::condition::ConditionType;
use std::collections::BTreeMap;

use bigip_tunnel_crds::v1alpha1::{
    BigIpTunnelSpec, BigIpTunnelStatus, DeviceStatus, ManagementPolicy,
};

/// A value under its labels besides those of the object.
pub(super) type Sample = (Vec<(&'static str, String)>, i64);

/// The numbers of a status.
#[derive(Debug, Default)]
pub(super) struct Snapshot {
    info: Vec<Sample>,
    interval: Vec<Sample>,
    conditions: Vec<Sample>,
    nodes: Vec<Sample>,
    records: Vec<Sample>,
    claims: Vec<Sample>,
    removals_held: Vec<Sample>,
    device_up: Vec<Sample>,
    device_unsaved: Vec<Sample>,
    device_info: Vec<Sample>,
}

/// Name, help, and where the samples are.
pub(super) type Gauge = (&'static str, &'static str, fn(&Snapshot) -> &[Sample]);

pub(super) const GAUGES: [Gauge; 10] = [
    ("info", "What a tunnel is about; always 1", |s| &s.info),
    (
        "interval_seconds",
        "After how long the BIG-IPs of a tunnel are read although nothing changed",
        |s| &s.interval,
    ),
    (
        "condition",
        "What a condition says; 1 for its status now",
        |s| &s.conditions,
    ),
    ("nodes", "Nodes by state", |s| &s.nodes),
    ("records", "FDB records of a device by state", |s| {
        &s.records
    }),
    ("claims", "FDB records that belong to the object", |s| {
        &s.claims
    }),
    (
        "removals_held",
        "Records whose removal waits for an approval",
        |s| &s.removals_held,
    ),
    (
        "device_up",
        "Whether a device answered when it was last asked",
        |s| &s.device_up,
    ),
    (
        "device_unsaved_changes",
        "Whether a restart of the device would lose changes",
        |s| &s.device_unsaved,
    ),
    (
        "device_info",
        "What a device says that it is; always 1",
        |s| &s.device_info,
    ),
];

impl Snapshot {
    /// Of an object as it was last seen.
    pub(super) fn of(spec: &BigIpTunnelSpec, status: &BigIpTunnelStatus) -> Self {
        let nodes = status.nodes.clone().unwrap_or_default();
        let counts = [
            ("selected", nodes.selected),
            ("programmed", nodes.programmed),
            ("leaving", nodes.leaving),
            ("skipped", nodes.skipped),
            ("joining", nodes.joining),
        ];
        let of_devices = |sample: fn(&DeviceStatus) -> Option<i64>| {
            let devices = status.devices.iter();
            let sample = |device: &DeviceStatus| Some((of_device(&device.name), sample(device)?));
            devices.filter_map(sample).collect()
        };
        let conditions = status.conditions.iter().map(|condition| {
            let labels = vec![
                ("type", condition.type_.clone()),
                ("status", condition.status.clone()),
            ];
            (labels, 1)
        });
        let held = status.held_removal.as_ref();
        Self {
            info: vec![(about(spec), 1)],
            interval: vec![(Vec::new(), spec.drift.interval_seconds.into())],
            conditions: conditions.collect(),
            nodes: counts.map(in_state).into(),
            records: status.devices.iter().flat_map(records).collect(),
            claims: claims(status),
            removals_held: vec![(Vec::new(), held.map_or(0, |held| i64::from(held.count)))],
            device_up: of_devices(is_up),
            device_unsaved: of_devices(|device| Some(device.unsaved_since.is_some().into())),
            device_info: status.devices.iter().filter_map(info).collect(),
        }
    }
}

pub(super) fn of_device(name: &str) -> Vec<(&'static str, String)> {
    vec![("device", name.to_owned())]
}

fn in_state((state, count): (&str, i32)) -> Sample {
    (vec![("state", state.to_owned())], i64::from(count))
}

fn about(spec: &BigIpTunnelSpec) -> Vec<(&'static str, String)> {
    let policy = match spec.management_policy {
        ManagementPolicy::FdbOnly => "FDBOnly",
        ManagementPolicy::Observe => "Observe",
    };
    vec![
        ("partition", spec.tunnel.partition.clone()),
        ("tunnel", spec.tunnel.name.clone()),
        ("management_policy", policy.to_owned()),
        ("save_config", format!("{:?}", spec.save_config.policy)),
    ]
}

/// `None` while it is not known.
fn is_up(device: &DeviceStatus) -> Option<i64> {
    let mut conditions = device.conditions.iter();
    let reachable =
        conditions.find(|condition| condition.type_ == ConditionType::Reachable.as_str())?;
    match reachable.status.as_str() {
        "True" => Some(1),
        "False" => Some(0),
        _ => None,
    }
}

/// `None` until it was asked.
fn info(device: &DeviceStatus) -> Option<Sample> {
    let hostname = device.hostname.clone()?;
    let text = |value: Option<String>| value.unwrap_or_default();
    let mut labels = of_device(&device.name);
    labels.push(("hostname", hostname));
    labels.push(("version", text(device.version.clone())));
    let state = device
        .failover_state
        .as_ref()
        .map(|state| format!("{state:?}"));
    labels.push(("failover_state", text(state)));
    Some((labels, 1))
}

/// None of a device that does not answer: what it holds is not known.
fn records(device: &DeviceStatus) -> Vec<Sample> {
    let Some(records) = device.records.as_ref().filter(|_| is_up(device) == Some(1)) else {
        return Vec::new();
    };
    let states = [
        ("desired", records.desired),
        ("present", records.present),
        ("missing", records.missing),
        ("stale", records.stale),
        ("unclaimed", records.unclaimed),
        ("foreign", records.foreign),
    ];
    let sample = |state| {
        let (mut labels, count) = in_state(state);
        labels.insert(0, ("device", device.name.clone()));
        (labels, count)
    };
    states.map(sample).into()
}

fn claims(status: &BigIpTunnelStatus) -> Vec<Sample> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let rows = status.ownership.iter().flat_map(|owned| &owned.claims);
    for row in rows {
        for device in &row.devices {
            *counts.entry(device).or_default() += row.mac_addresses().len();
        }
    }
    let sample = |(device, count)| (of_device(device), i64::try_from(count).unwrap_or(i64::MAX));
    counts.into_iter().map(sample).collect()
}
