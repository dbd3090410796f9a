//! A removal that waits for an approval: all of its records, and why each is due.
//!
//! The status holds the digest of the set and the first records of it. The others are looked for among the
//! claims, and count only where they give exactly that digest: what is approved is what was shown.

use bigip_tunnel_core::reason::Reason;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use bigip_tunnel_core::cause::{Cause, causes};
use bigip_tunnel_core::claims::Claims;
use bigip_tunnel_core::desired::desired;
use bigip_tunnel_core::endpoint::{Endpoint, RouteDomain};
use bigip_tunnel_core::guard::{Absences, Evidence, guard};
use bigip_tunnel_core::mac::{MacAddress, MacPrefix};
use bigip_tunnel_core::node::{AddressRule, NodeView};
use bigip_tunnel_core::outcome::HeldRemoval;
use bigip_tunnel_core::sharing::Needs;
use bigip_tunnel_core::time::Moment;
use bigip_tunnel_crds::convert::InvalidSpec;
use bigip_tunnel_crds::v1alpha1::{self, BigIpTunnel, BigIpTunnelStatus};
use bigip_tunnel_crds::{ANNOTATION_APPROVE_REMOVAL, convert};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde::Serialize;

use super::release::title;
use crate::error::Obstacle;

/// Of so many records at most it is tried which one is not held: that takes less than a second.
const TRIED_MAX: usize = 2_000;

/// The records that are held.
#[derive(Serialize, Debug, Clone)]
pub(crate) struct Held {
    /// Namespace and name of the tunnel.
    #[serde(skip)]
    pub(crate) tunnel: String,
    /// Names exactly this set.
    pub(crate) digest: String,
    /// Since when it is held.
    pub(crate) since: Time,
    /// How many records it has.
    pub(crate) count: usize,
    /// All of them, by cause and MAC address.
    pub(crate) records: Vec<HeldRecord>,
}

/// One of the records.
#[derive(Serialize, Debug, Clone)]
#[serde(rename_all = "camelCase")]
pub(crate) struct HeldRecord {
    pub(crate) cause: HeldCause,
    pub(crate) mac: String,
    /// The node's address that the MAC is made of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) address: Option<Ipv4Addr>,
    /// Names of the nodes that it is claimed for.
    pub(crate) nodes: Vec<String>,
    /// Whether one of them exists now.
    pub(crate) node_exists: bool,
    /// The BIG-IPs that it is claimed on.
    pub(crate) devices: Vec<String>,
}

/// Why a record is due.
#[derive(Serialize, Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum HeldCause {
    NodeDeleted,
    Deselected,
    AddressChanged,
}

impl HeldCause {
    /// The heading of such records.
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::NodeDeleted => "Node deleted",
            Self::Deselected => "Node no longer selected",
            Self::AddressChanged => "Address of the node changed",
        }
    }
}

impl From<Cause> for HeldCause {
    fn from(cause: Cause) -> Self {
        match cause {
            Cause::NodeDeleted => Self::NodeDeleted,
            Cause::Deselected => Self::Deselected,
            Cause::AddressChanged => Self::AddressChanged,
        }
    }
}

impl Held {
    /// The removal that waits for an answer, with the nodes as they are now.
    pub(crate) fn of(object: &BigIpTunnel, nodes: &[NodeView]) -> Result<Self, Obstacle> {
        let status = object.status.as_ref();
        let Some((status, held)) = status.and_then(|s| s.held_removal.as_ref().map(|h| (s, h)))
        else {
            return Err(Obstacle {
                problem: "no removal is pending approval".to_owned(),
                hint: "kubectl bigip-tunnel status shows what it waits for, if anything".to_owned(),
            });
        };
        let uid = object.metadata.uid.as_deref().unwrap_or_default();
        let claims = convert::claims(status, uid)?;
        let refused = |problem: InvalidSpec| Obstacle {
            problem: problem.to_string(),
            hint: "correct the spec; kubectl bigip-tunnel lint shows where".to_owned(),
        };
        let prefix = convert::mac_prefix(&object.spec).map_err(refused)?;
        let rule = convert::address_rule(&object.spec).map_err(refused)?;
        let seen = Seen {
            object,
            status,
            claims: &claims,
            nodes,
            prefix,
            rule: &rule,
        };
        let set = seen.held_set(held).ok_or_else(|| seen.unknown(held))?;
        Ok(Self {
            tunnel: title(object),
            digest: held.digest.clone(),
            since: held.since.clone(),
            count: set.len(),
            records: seen.records(&set),
        })
    }

    /// The annotation that lets the set go, and its value.
    pub(crate) fn annotation(&self) -> (&'static str, &str) {
        (ANNOTATION_APPROVE_REMOVAL, &self.digest)
    }

    /// The records, by cause.
    pub(crate) fn groups(&self) -> BTreeMap<HeldCause, Vec<&HeldRecord>> {
        let mut groups: BTreeMap<HeldCause, Vec<&HeldRecord>> = BTreeMap::new();
        for record in &self.records {
            groups.entry(record.cause).or_default().push(record);
        }
        groups
    }
}

/// The records that the status names.
fn sample(held: &v1alpha1::HeldRemoval) -> BTreeSet<MacAddress> {
    let sample = held.sample.iter().map(|mac| mac.parse().ok());
    sample.collect::<Option<_>>().unwrap_or_default()
}

/// Whether the set is exactly the one that the status means.
fn is_held(set: &BTreeSet<MacAddress>, held: &v1alpha1::HeldRemoval) -> bool {
    let removal = HeldRemoval {
        macs: set.clone(),
        since: held.since.0,
    };
    usize::try_from(held.count).is_ok_and(|count| count == set.len())
        && removal.digest() == held.digest
}

/// The set that is meant, where it is this one but for one record: that stays for another object.
fn without_one(
    set: &BTreeSet<MacAddress>,
    held: &v1alpha1::HeldRemoval,
) -> Option<BTreeSet<MacAddress>> {
    let one_more = usize::try_from(held.count).ok()?.checked_add(1)?;
    if set.len() != one_more || one_more > TRIED_MAX {
        return None;
    }
    let named = sample(held);
    let others = set.difference(&named);
    let mut sets = others.map(|mac| {
        let others = set.iter().filter(|other| *other != mac);
        others.copied().collect()
    });
    sets.find(|set| is_held(set, held))
}

/// What the set is found by.
struct Seen<'a> {
    object: &'a BigIpTunnel,
    status: &'a BigIpTunnelStatus,
    claims: &'a Claims,
    nodes: &'a [NodeView],
    prefix: MacPrefix,
    rule: &'a AddressRule,
}

impl Seen<'_> {
    /// The set with exactly the digest of the status, if it can be told.
    fn held_set(&self, held: &v1alpha1::HeldRemoval) -> Option<BTreeSet<MacAddress>> {
        let not_waiting = self.not_waiting();
        let due = self.due(&not_waiting);
        let stable = |set: &BTreeSet<MacAddress>| self.without_unstable(set);
        let stable = [stable(&due), stable(&not_waiting)];
        let sets = [sample(held), not_waiting, due].into_iter().chain(stable);
        let sets: Vec<BTreeSet<MacAddress>> = sets.collect();
        let is_held = |set: &BTreeSet<MacAddress>| is_held(set, held);
        let found = sets.iter().find(|set| is_held(set)).cloned();
        found.or_else(|| sets.iter().find_map(|set| without_one(set, held)))
    }

    /// That the set cannot be told, and what is known of it.
    fn unknown(&self, held: &v1alpha1::HeldRemoval) -> Obstacle {
        let named = sample(held);
        let others = usize::try_from(held.count).unwrap_or_default();
        let others = others.saturating_sub(named.len());
        let candidates = self.without_unstable(&self.due(&self.not_waiting()));
        let candidates = candidates.difference(&named).count();
        let unknown = match others {
            0 => "and they do not give its digest".to_owned(),
            _ => format!(
                "and not which the other {others} are: {candidates} more claimed records have no node, and \
                 with them the digest is not that of the status"
            ),
        };
        Obstacle {
            problem: format!(
                "of the held removal of {} the status names {}, {unknown}; nothing is approved",
                super::act::records(held.count),
                named.len()
            ),
            hint: "records that wait for their time, for a node or for another object are not among them: \
                   run again when nodes.removalDelaySeconds has passed since the last node left"
                .to_owned(),
        }
    }

    /// These records without those of nodes whose address keeps changing: their records stay.
    fn without_unstable(&self, set: &BTreeSet<MacAddress>) -> BTreeSet<MacAddress> {
        let skipped = self.status.skipped_nodes.iter();
        let unstable = skipped.filter(|node| node.reason == Reason::NodeAddressUnstable.as_str());
        let unstable: BTreeSet<&str> = unstable.map(|node| node.name.as_str()).collect();
        let is_stable = |mac: &&MacAddress| {
            let mut names = self.claims.nodes().of(**mac);
            !names.any(|name| unstable.contains(&**name))
        };
        set.iter().filter(is_stable).copied().collect()
    }

    /// Claimed records that no node desires and that do not wait for their time.
    fn not_waiting(&self) -> BTreeSet<MacAddress> {
        let desired = desired(self.nodes, self.prefix, self.rule);
        let leaving = self.status.leaving_nodes.iter();
        let waiting = leaving.filter(|node| node.removable_at.is_some());
        let waiting: BTreeSet<&str> = waiting.map(|node| node.address.as_str()).collect();
        let devices = self.object.spec.devices.iter();
        let claimed = devices.flat_map(|device| self.claims.of(&device.name).keys().copied());
        claimed
            .filter(|mac| !desired.nodes.contains_key(mac))
            .filter(|mac| {
                let address = mac.encoded_address(self.prefix);
                address.is_none_or(|address| !waiting.contains(&*address.to_string()))
            })
            .collect()
    }

    /// Those of them that nothing but the budget keeps, as far as the nodes tell.
    fn due(&self, candidates: &BTreeSet<MacAddress>) -> BTreeSet<MacAddress> {
        let nowhere = Endpoint {
            address: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            route_domain: RouteDomain::ZERO,
        };
        let records = candidates.iter().map(|mac| (*mac, nowhere)).collect();
        let evidence = Evidence {
            nodes: self.nodes,
            prefix: self.prefix,
            rule: self.rule,
            absences: &Absences::default(),
            claimed_nodes: self.claims.nodes(),
            delay: Duration::ZERO,
            settled_at: Moment::default(),
            present: 1,
            needs: Some(&Needs::default()),
            now: Moment::default(),
        };
        guard(&records, &evidence).remove
    }

    fn records(&self, set: &BTreeSet<MacAddress>) -> Vec<HeldRecord> {
        let names = self.claims.nodes();
        let causes = causes(set.iter().copied(), self.nodes, names, &Absences::default());
        let existing: BTreeSet<&str> = self.nodes.iter().map(|n| n.name.as_str()).collect();
        let record = |(mac, cause): (MacAddress, Cause)| {
            let nodes: Vec<String> = names.of(mac).map(ToString::to_string).collect();
            let holds = |device: &&str| self.claims.of(device).contains_key(&mac);
            HeldRecord {
                cause: cause.into(),
                mac: mac.to_string(),
                address: mac.encoded_address(self.prefix),
                node_exists: nodes.iter().any(|name| existing.contains(name.as_str())),
                nodes,
                devices: self
                    .claims
                    .devices()
                    .filter(holds)
                    .map(str::to_owned)
                    .collect(),
            }
        };
        let mut records: Vec<HeldRecord> = causes.into_iter().map(record).collect();
        records.sort_by_key(|record| record.cause);
        records
    }
}
