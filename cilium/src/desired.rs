//! The VTEP entries that the tunnels need, beside those that others have.
//!
//! Foreign entries of the lists stay as they stand and where they stand; an entry of ours that is there keeps
//! its place, and a new one is appended, by namespace, object and device. Must not know a format.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::fmt;
use std::net::Ipv4Addr;

use bigip_tunnel_core::mac::MacAddress;
use bigip_tunnel_core::node::Ipv4Net;

use crate::config::{Config, Switch};
use crate::finding::{UnitKey, Weight};
use crate::network::overlap;
use crate::overlap;
use crate::seen::{Cluster, Scope};
use crate::unit::{Tunnel, Unit};
use crate::vtep::{self, ENTRIES_MAX, Entry, Source};

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
}

/// Why no entries can be given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// There is no unit.
    NoUnit,
    /// The entries of others are not known, because there is no `cilium-config`.
    NoConfig,
    /// The unit's tunnel was not read yet.
    TunnelUnread(UnitKey),
    /// The unit has more self IPs than are known.
    SelfIpsCut(UnitKey),
    /// Two units with different local addresses share a self IP: it moves between them, and an entry does not.
    Floating(Ipv4Addr, Box<(UnitKey, UnitKey)>),
    /// The object would have a name that is too long.
    NameTooLong(String),
    /// The unit's tunnel has no local IPv4 address.
    NoEndpoint(UnitKey),
    /// No self IP is on the unit's tunnel.
    NoNetwork(UnitKey),
    /// The unit does not say its tunnel's MAC address.
    MacUnknown(UnitKey),
    /// The unit says a MAC address to which no frame can be sent.
    MacUnusable(UnitKey, MacAddress),
    /// Two units share endpoint and network and have different MAC addresses.
    MacsDiffer(Box<(UnitKey, UnitKey)>),
    /// An entry of others cannot be used, and would be written again.
    Faulty(String),
    /// Two entries with different endpoints have overlapping networks.
    NetworkTaken(Ipv4Net, Ipv4Net),
    /// An entry of an object of others has a network of ours, or leads a part of it elsewhere.
    ObjectHasNetwork(String, Ipv4Net),
    /// A network of ours overlaps one of the cluster.
    Overlaps(String),
    /// The lists have one mask for all networks.
    PrefixesDiffer(Vec<Ipv4Net>),
    /// There are more entries than a table holds.
    TooMany(usize),
}

impl fmt::Display for UnitKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}/{}", self.device, self.namespace, self.object)
    }
}

const NO_CONFIG: &str = "there is no ConfigMap cilium-config in the namespaces that were searched, so the VTEP \
                         entries of others are not known and would be removed; name Cilium's namespace with \
                         --cilium-namespace";
const SELF_IPS_CUT: &str = "the status does not list all self IPs of its tunnel, so a network may be missing; \
                            write the entries of this unit by hand";

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoUnit => f.write_str("there is no BigIpTunnel with a BIG-IP"),
            Self::NoConfig => f.write_str(NO_CONFIG),
            Self::TunnelUnread(unit) => write!(
                f,
                "{unit}: its tunnel has not been read, so its entries are not known and would be removed"
            ),
            Self::SelfIpsCut(unit) => write!(f, "{unit}: {SELF_IPS_CUT}"),
            Self::Floating(address, units) => write!(
                f,
                "the self IP {address} floats between {} and {}, whose tunnels have different local \
                 addresses; an entry leads to one of them only: give each unit a self IP in a network of \
                 its own, or both tunnels one floating local address",
                units.0, units.1
            ),
            Self::NameTooLong(name) => write!(
                f,
                "the name of the CiliumVTEPConfig {name} has more than 253 characters; shorten the name of \
                 the BigIpTunnel"
            ),
            Self::NoEndpoint(unit) => write!(f, "{unit}: its tunnel has no local IPv4 address"),
            Self::NoNetwork(unit) => write!(f, "{unit}: no self IP is on its tunnel"),
            Self::MacUnknown(unit) => write!(
                f,
                "{unit}: the MAC address of its tunnel is not known; tmsh show net tunnels tunnel PATH \
                 all-properties shows it"
            ),
            Self::MacUnusable(unit, mac) => {
                write!(
                    f,
                    "{unit}: its tunnel has the MAC address {mac}, which is not a unicast address"
                )
            }
            Self::MacsDiffer(units) => write!(
                f,
                "{} and {} have one local address and network, and different MAC addresses; Cilium \
                 holds one of them",
                units.0, units.1
            ),
            Self::Faulty(entry) => write!(f, "{entry}; correct or remove it first"),
            Self::NetworkTaken(one, other) => {
                write!(
                    f,
                    "{one} and {other} overlap, and lead to different endpoints"
                )
            }
            Self::ObjectHasNetwork(entry, cidr) => write!(
                f,
                "{entry} has the network {cidr} or a part of it already; remove that entry first"
            ),
            Self::Overlaps(text) => f.write_str(text),
            Self::PrefixesDiffer(networks) => {
                let networks: Vec<String> = networks.iter().map(ToString::to_string).collect();
                write!(
                    f,
                    "the lists have one mask for all networks, and the prefixes of {} differ; use equal \
                     prefixes or CiliumVTEPConfig (-o vtepconfig)",
                    networks.join(", ")
                )
            }
            Self::TooMany(number) => {
                write!(
                    f,
                    "{number} entries, and the table of an agent holds {ENTRIES_MAX}"
                )
            }
        }
    }
}

/// The entries of the tunnels, by namespace, object and device.
///
/// # Errors
///
/// What is not known of a unit, all of it.
pub fn of_tunnels<T: Borrow<Tunnel>>(tunnels: &[T]) -> Result<Vec<Row>, Vec<Refusal>> {
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

fn of_unit(unit: &Unit) -> Result<Vec<Row>, Refusal> {
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

/// The lists with the entries of the tunnels. `config`: what stands there now.
///
/// # Errors
///
/// Every reason not to configure them.
pub fn lists<T: Borrow<Tunnel>>(
    config: Config<'_>,
    cluster: &Cluster,
    tunnels: &[T],
) -> Result<Desired, Vec<Refusal>> {
    let ours = of_tunnels(tunnels)?;
    let (live, lengths) = vtep::of_lists(config);
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
            (None, _) if is_ours => stale.push(*cidr),
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
    refusals.extend(unfit(&rows, config, cluster));
    if !refusals.is_empty() {
        return Err(refusals);
    }
    stale.retain(|cidr| !rows.iter().any(|row| row.cidr == *cidr));
    let differs = !is_live(&rows, &live, config) || !lengths.are_equal();
    let cautions = cautions(&rows, Some(config), cluster);
    Ok(Desired {
        rows,
        stale,
        differs,
        cautions,
    })
}

/// Why agents would not start with these rows, or would cut something off.
fn unfit(rows: &[Row], config: Config<'_>, cluster: &Cluster) -> Vec<Refusal> {
    let mut refusals = taken(rows);
    if rows.len() > ENTRIES_MAX {
        refusals.push(Refusal::TooMany(rows.len()));
    }
    let networks: Vec<Ipv4Net> = rows.iter().map(|row| row.cidr).collect();
    let first = networks.first().map(Ipv4Net::prefix_len);
    if networks.iter().any(|net| Some(net.prefix_len()) != first) {
        refusals.push(Refusal::PrefixesDiffer(networks));
    }
    refusals.extend(overlaps(rows, config, cluster));
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
