//! The VTEP entries that the tunnels need, beside those that others have.
//!
//! Foreign entries of the lists stay as they stand and where they stand; an entry of ours that is there keeps
//! its place, and a new one is appended, by namespace, object and device. Must not know a format.

mod refusal;

use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use bigip_tunnel_core::mac::MacAddress;
use bigip_tunnel_core::node::Ipv4Net;

use crate::advice::Advice;
use crate::config::{Config, Switch};
use crate::finding::{UnitKey, Weight};
use crate::network::overlap;
use crate::overlap;
use crate::seen::{Cluster, Scope};
use crate::settings;
use crate::unit::{Tunnel, Unit};
use crate::vtep::{self, ENTRIES_MAX, Entry, Source};

pub use self::refusal::Refusal;

/// An entry to be configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The unit that it is of. `None` for one of others.
    pub unit: Option<UnitKey>,
    /// Where agents send to.
    pub endpoint: Ipv4Addr,
    /// The network behind it.
    pub cidr: Ipv4Net,
    /// The MAC address that pods send to.
    pub mac: MacAddress,
}

/// The lists as they should be, and what that means for agents that run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Desired {
    /// The entries, in their order.
    pub rows: Vec<Row>,
    /// Networks that no entry has any more: agents serve them until they are deleted. One that stays with
    /// another endpoint or MAC address is written over (cilium, `pkg/maps/vtep`).
    pub stale: Vec<Ipv4Net>,
    /// Whether the configuration differs from this, so that agents have to be restarted once it is changed.
    pub differs: bool,
    /// What may go wrong with the entries, or could not be checked.
    pub cautions: Vec<String>,
    /// Why entries of units are not among them.
    pub left_out: Vec<Refusal>,
}

impl Row {
    /// Whether it is of one of these units.
    fn is_of(&self, units: &BTreeSet<UnitKey>) -> bool {
        self.unit.as_ref().is_some_and(|unit| units.contains(unit))
    }
}

/// The entries of the tunnels, by namespace, object and device.
///
/// # Errors
///
/// What is not known of a unit, all of it.
pub fn of_tunnels<T: Borrow<Tunnel>>(tunnels: &[T]) -> Result<Vec<Row>, Vec<Refusal>> {
    let (rows, mut refusals) = all(tunnels);
    if rows.is_empty() && refusals.is_empty() {
        refusals.push(Refusal::NoUnit);
    }
    let is_said = |net: Ipv4Net| {
        let mut floats = refusals.iter();
        floats.any(|refusal| matches!(refusal, Refusal::Floating(own, _) if net.contains(own)))
    };
    let taken = taken(&rows).into_iter().filter(
        |refusal| !matches!(refusal, Refusal::NetworkTaken(one, other) if is_said(*one) && is_said(*other)),
    );
    let taken: Vec<Refusal> = taken.collect();
    refusals.extend(taken);
    if refusals.is_empty() {
        Ok(rows)
    } else {
        Err(refusals)
    }
}

/// The entries of the units of which they are known, and what is not known of others.
fn all<T: Borrow<Tunnel>>(tunnels: &[T]) -> (Vec<Row>, Vec<Refusal>) {
    let tunnels = || tunnels.iter().map(Borrow::borrow);
    let mut units: Vec<&Unit> = tunnels().flat_map(|tunnel| &tunnel.units).collect();
    units.sort_by(|one, other| one.key.cmp(&other.key));
    let unread = tunnels().flat_map(|tunnel| &tunnel.unread);
    let mut refusals: Vec<Refusal> = unread.cloned().map(Refusal::TunnelUnread).collect();
    refusals.extend(floating(&units));
    let mut rows = Vec::<Row>::new();
    for unit in units {
        let of_unit = match of_unit(unit) {
            Ok(of_unit) => of_unit,
            Err(refusal) => {
                refusals.push(refusal);
                continue;
            }
        };
        for row in of_unit {
            let same = rows
                .iter()
                .find(|known| (known.endpoint, known.cidr) == (row.endpoint, row.cidr));
            match (same, &row.unit) {
                (None, _) => rows.push(row),
                (Some(known), Some(unit)) if known.mac != row.mac => {
                    let first = known.unit.clone().unwrap_or_else(|| unit.clone());
                    refusals.push(Refusal::MacsDiffer(Box::new((first, unit.clone()))));
                }
                (Some(_), _) => {}
            }
        }
    }
    (rows, refusals)
}

/// Self IPs that two units with different local addresses have.
fn floating(units: &[&Unit]) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    for (index, unit) in units.iter().enumerate() {
        let before = units.iter().take(index);
        for other in before.filter(|other| other.local != unit.local) {
            let addresses = unit.self_ips.iter().map(Ipv4Net::addr);
            let shared =
                addresses.filter(|own| other.self_ips.iter().any(|net| net.addr() == *own));
            let keys = || Box::new((other.key.clone(), unit.key.clone()));
            refusals.extend(shared.map(|address| Refusal::Floating(address, keys())));
        }
    }
    refusals
}

/// The entries of a unit.
pub(crate) fn of_unit(unit: &Unit) -> Result<Vec<Row>, Refusal> {
    let key = || unit.key.clone();
    let endpoint = unit.local.ok_or_else(|| Refusal::NoEndpoint(key()))?;
    let mac = unit.mac.ok_or_else(|| Refusal::MacUnknown(key()))?;
    let [first, ..] = mac.octets();
    if first & 1 == 1 || mac == MacAddress::new([0; 6]) {
        return Err(Refusal::MacUnusable(key(), mac));
    }
    if unit.has_more_self_ips {
        return Err(Refusal::SelfIpsCut(key()));
    }
    let mut networks: Vec<Ipv4Net> = unit.self_ips.iter().map(Ipv4Net::trunc).collect();
    networks.sort_unstable();
    networks.dedup();
    if networks.is_empty() {
        return Err(Refusal::NoNetwork(key()));
    }
    let rows = networks.into_iter().map(|cidr| Row {
        unit: Some(key()),
        endpoint,
        cidr,
        mac,
    });
    Ok(rows.collect())
}

/// Networks that lead to two endpoints.
fn taken(rows: &[Row]) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    for (index, row) in rows.iter().enumerate() {
        let before = rows.iter().take(index);
        let others =
            before.filter(|other| other.endpoint != row.endpoint && overlap(other.cidr, row.cidr));
        refusals.extend(others.map(|other| Refusal::NetworkTaken(other.cidr, row.cidr)));
    }
    refusals
}

/// The lists with the entries of the tunnels, but for those of units that are not known, or whose network another
/// has: entries that may be theirs stay as they stand. `config`: what stands there now.
///
/// # Errors
///
/// Every reason not to configure them.
pub fn lists<T: Borrow<Tunnel>>(
    config: Config<'_>,
    cluster: &Cluster,
    tunnels: &[T],
) -> Result<Desired, Vec<Refusal>> {
    let (live, lengths) = vtep::of_lists(config);
    let (ours, left_out) = without_refused(config, cluster, tunnels, &live);
    if ours.is_empty() {
        let none = || vec![Refusal::NoUnit];
        return Err(if left_out.is_empty() {
            none()
        } else {
            left_out
        });
    }
    let hidden = Hidden::new(tunnels, &left_out);
    let mut refusals = Vec::new();
    let mut waiting: BTreeMap<(Ipv4Addr, Ipv4Net), Row> = BTreeMap::new();
    for row in &ours {
        waiting.insert((row.endpoint, row.cidr), row.clone());
    }
    let (mut rows, mut stale) = (Vec::new(), Vec::new());
    for entry in &live {
        let is_ours = ours.iter().any(|row| Ok(row.endpoint) == entry.endpoint);
        let (Ok(endpoint), Ok(cidr)) = (&entry.endpoint, &entry.cidr) else {
            refusals.push(Refusal::Faulty(format!(
                "{entry}: {}",
                entry.faults().join(", ")
            )));
            continue;
        };
        match (waiting.remove(&(*endpoint, *cidr)), &entry.mac) {
            (Some(row), _) => rows.push(row),
            (None, _) if is_ours && !hidden.may_have(*endpoint) => stale.push(*cidr),
            (None, Ok(mac)) => rows.push(Row {
                unit: None,
                endpoint: *endpoint,
                cidr: *cidr,
                mac: *mac,
            }),
            (None, Err(fault)) => refusals.push(Refusal::Faulty(format!("{entry}: {fault}"))),
        }
    }
    let appended = ours
        .iter()
        .filter(|row| waiting.contains_key(&(row.endpoint, row.cidr)));
    rows.extend(appended.cloned());
    refusals.extend(unfit(&rows));
    if !refusals.is_empty() {
        return Err([refusals, left_out].concat());
    }
    stale.retain(|cidr| !rows.iter().any(|row| row.cidr == *cidr));
    let differs = !is_live(&rows, &live, config) || !lengths.are_equal();
    let cautions = cautions(&rows, Some(config), cluster);
    Ok(Desired {
        rows,
        stale,
        differs,
        cautions,
        left_out,
    })
}

/// The entries of the tunnels without those of units that a refusal concerns, and these refusals.
fn without_refused<T: Borrow<Tunnel>>(
    config: Config<'_>,
    cluster: &Cluster,
    tunnels: &[T],
    live: &[Entry],
) -> (Vec<Row>, Vec<Refusal>) {
    let (mut rows, mut refusals) = all(tunnels);
    let mut units: BTreeSet<UnitKey> = refusals.iter().flat_map(Refusal::units).cloned().collect();
    let known: Vec<Row> = rows
        .iter()
        .filter(|row| !row.is_of(&units))
        .cloned()
        .collect();
    let endpoints: BTreeSet<Ipv4Addr> = rows.iter().map(|row| row.endpoint).collect();
    let foreign = live.iter().filter_map(|entry| {
        let endpoint = *entry.endpoint.as_ref().ok()?;
        let cidr = *entry.cidr.as_ref().ok()?;
        (!endpoints.contains(&endpoint)).then_some((endpoint, cidr))
    });
    let foreign: Vec<(Ipv4Addr, Ipv4Net)> = foreign.collect();
    for row in &known {
        let others = known.iter().map(|other| (other.endpoint, other.cidr));
        let mut others = others.chain(foreign.iter().copied());
        let taken =
            others.find(|(endpoint, cidr)| *endpoint != row.endpoint && overlap(*cidr, row.cidr));
        let mut of_row: Vec<Refusal> = taken
            .map(|(_, cidr)| Refusal::NetworkTaken(cidr, row.cidr))
            .into_iter()
            .collect();
        of_row.extend(overlaps(std::slice::from_ref(row), config, cluster));
        if let Some(unit) = row.unit.as_ref().filter(|_| !of_row.is_empty()) {
            units.insert(unit.clone());
            let of_unit = of_row
                .into_iter()
                .map(|why| Refusal::Unit(unit.clone(), Box::new(why)));
            refusals.extend(of_unit);
        }
    }
    rows.retain(|row| !row.is_of(&units));
    (rows, refusals)
}

/// Units without entries of ours, which may have entries all the same.
struct Hidden {
    /// Whether there is one whose local address is not known.
    anywhere: bool,
    /// The local addresses of the others.
    endpoints: BTreeSet<Ipv4Addr>,
}

impl Hidden {
    fn new<T: Borrow<Tunnel>>(tunnels: &[T], left_out: &[Refusal]) -> Self {
        let keys: BTreeSet<&UnitKey> = left_out.iter().flat_map(Refusal::units).collect();
        let tunnels = || tunnels.iter().map(Borrow::borrow);
        let units = tunnels().flat_map(|tunnel| &tunnel.units);
        let hidden: Vec<&Unit> = units.filter(|unit| keys.contains(&unit.key)).collect();
        let mut unread = tunnels().flat_map(|tunnel| &tunnel.unread);
        Self {
            anywhere: unread.next().is_some() || hidden.iter().any(|unit| unit.local.is_none()),
            endpoints: hidden.iter().filter_map(|unit| unit.local).collect(),
        }
    }

    /// Whether one of them may have this local address.
    fn may_have(&self, endpoint: Ipv4Addr) -> bool {
        self.anywhere || self.endpoints.contains(&endpoint)
    }
}

/// Why agents would not start with these rows.
fn unfit(rows: &[Row]) -> Vec<Refusal> {
    let mut refusals = taken(rows);
    if rows.len() > ENTRIES_MAX {
        refusals.push(Refusal::TooMany(rows.len()));
    }
    let networks: Vec<Ipv4Net> = rows.iter().map(|row| row.cidr).collect();
    let first = networks.first().map(Ipv4Net::prefix_len);
    if networks.iter().any(|net| Some(net.prefix_len()) != first) {
        refusals.push(Refusal::PrefixesDiffer(networks));
    }
    refusals
}

/// What our networks take from the cluster: pod networks, node addresses, the range of the Services.
pub(crate) fn overlaps(rows: &[Row], config: Config<'_>, cluster: &Cluster) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    for row in rows.iter().filter(|row| row.unit.is_some()) {
        let errors = texts(row, config, cluster, Weight::Error).into_iter();
        refusals.extend(errors.map(Refusal::Overlaps));
        let services = config.networks("ipv4-service-range").into_iter();
        refusals.extend(
            services
                .filter(|services| overlap(*services, row.cidr))
                .map(|services| {
                    let cidr = row.cidr;
                    Refusal::Overlaps(format!(
                        "{}: the network {cidr} overlaps the Services' {services}",
                        row.endpoint
                    ))
                }),
        );
    }
    refusals
}

/// What our networks may take from the cluster one day, and what of the cluster is not known.
pub(crate) fn cautions(rows: &[Row], config: Option<Config<'_>>, cluster: &Cluster) -> Vec<String> {
    let empty = BTreeMap::new();
    let values = config.unwrap_or(Config(&empty));
    let ours = rows.iter().filter(|row| row.unit.is_some());
    let mut cautions: Vec<String> = ours
        .flat_map(|row| texts(row, values, cluster, Weight::Warning))
        .collect();
    if let Some(config) = config {
        let advice = Advice::new(cluster.namespace(), []);
        let settings = settings::findings(config, &advice).into_iter();
        let wrong = settings.filter(|found| found.weight >= Weight::Warning);
        cautions.extend(wrong.map(|found| match &found.fix {
            Some(fix) => format!("{}: {fix}", found.text),
            None => found.text,
        }));
    }
    let unknown = overlap::not_seen(config, cluster);
    if !unknown.is_empty() {
        let unknown = unknown.join("; ");
        cautions.push(format!(
            "not checked for overlaps, because not known: {unknown}"
        ));
    }
    cautions
}

/// The overlaps of this weight that an entry has with networks of nodes and pods.
fn texts(row: &Row, config: Config<'_>, cluster: &Cluster, weight: Weight) -> Vec<String> {
    let entry = Entry {
        source: Source::Lists(0),
        scope: Scope::All,
        endpoint: Ok(row.endpoint),
        cidr: Ok(row.cidr),
        mac: Ok(row.mac),
    };
    let found = overlap::findings(&entry, config, cluster).into_iter();
    let prefix = format!("{entry}: ");
    let texts = found
        .filter(|finding| finding.weight == weight)
        .map(|finding| {
            let text = finding.text.strip_prefix(&prefix).unwrap_or(&finding.text);
            format!("{}: {text}", row.endpoint)
        });
    texts.collect()
}

/// Whether the lists hold exactly this.
fn is_live(rows: &[Row], live: &[Entry], config: Config<'_>) -> bool {
    let prefix = rows.first().map(|row| row.cidr.prefix_len());
    config.switch("enable-vtep") == Switch::On
        && config.vtep_prefix() == prefix
        && rows.len() == live.len()
        && rows.iter().zip(live).all(|(row, entry)| {
            let Row {
                unit: _,
                endpoint,
                cidr,
                mac,
            } = row;
            (&entry.endpoint, &entry.cidr, &entry.mac) == (&Ok(*endpoint), &Ok(*cidr), &Ok(*mac))
        })
}

#[cfg(test)]
mod tests;
