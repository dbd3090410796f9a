//! The invariants, and what has to be remembered to judge them.
//!
//! Sees everything: the truth about the cluster, who wrote which record, what the operator was shown.
//! Judges in its own words and must not call any decision of `core`.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use bigip_tunnel_core::budget;
use bigip_tunnel_core::claims::{ClaimState, Claims};
use bigip_tunnel_core::mac::MacAddress;
use bigip_tunnel_core::record::Records;

use super::cluster::{Node, Nodes, Selector, ip, needed};
use super::device::{Write, endpoint_of, mac_of};
use super::operation::{ADDRESSES, DEVICES, Depth};
use super::operator::{SETTLE, Turn};
use super::world::{Broken, DEVICE_NAMES, World};

const HOUR: u64 = 3600;

#[derive(Default)]
pub(super) struct Witness {
    pub(super) devices: [DeviceWitness; DEVICES],
    /// What a person let go, until it is wanted again.
    pub(super) approved: BTreeSet<MacAddress>,
    /// Removals that were counted, until no device has them as leaving.
    spent: BTreeSet<MacAddress>,
    removals: Vec<Removal>,
    /// The machine of the node that a claim names, when it was named first.
    machines: BTreeMap<(MacAddress, String), u64>,
}

/// Removals that were allowed at once.
struct Removal {
    at: u64,
    /// How many records were claimed before.
    claimed: usize,
    /// How many of them belong to a machine that is still there.
    costs: usize,
}

#[derive(Default)]
pub(super) struct DeviceWitness {
    /// The records as they have to be, to the letter.
    texts: BTreeMap<String, String>,
    /// Claimed records that are ours to correct: seen right, or made by us, and not lost since.
    rights: BTreeSet<MacAddress>,
    /// Since when this process has seen no node that wants the record.
    absent_since: BTreeMap<MacAddress, u64>,
    /// The node that this process saw last with the record.
    holders: BTreeMap<MacAddress, String>,
    pub(super) uncertain_at: Option<u64>,
    /// Nodes that changed while a pass was under way.
    forgiven: BTreeSet<String>,
    served: BTreeMap<String, Served>,
}

/// A node that has been selected, with an address, without a break.
struct Served {
    uid: u64,
    /// Its records: the one of its address, and earlier ones until that was there.
    macs: BTreeSet<MacAddress>,
    /// Whether one of them has been there.
    held: bool,
}

fn address_of(mac: MacAddress) -> Option<Ipv4Addr> {
    match mac.octets() {
        [0x0a, 0x0a, a, b, c, d] => Some(Ipv4Addr::new(a, b, c, d)),
        _ => None,
    }
}

/// The records that selected nodes want, and the oldest node that wants each: it is the one whose
/// record it is.
fn wanted(nodes: &Nodes, selector: Selector) -> BTreeMap<MacAddress, &String> {
    let mut selected: Vec<_> = nodes
        .iter()
        .filter(|(_, node)| node.is_selected(selector))
        .collect();
    selected.sort_by_key(|(name, node)| (std::cmp::Reverse(node.uid), std::cmp::Reverse(*name)));
    let wanted = selected.into_iter();
    wanted
        .filter_map(|(name, node)| Some((mac_of(node.address()?), name)))
        .collect()
}

impl Witness {
    pub(super) fn restarted(&mut self) {
        for device in &mut self.devices {
            device.absent_since.clear();
            device.holders.clear();
            device.uncertain_at = None;
        }
    }

    /// The operator was shown these nodes while it worked on a device.
    pub(super) fn saw_nodes(
        &mut self,
        device: usize,
        nodes: &Nodes,
        selector: Selector,
        clock: u64,
    ) {
        let device = &mut self.devices[device];
        let before = std::mem::take(&mut device.absent_since);
        let wanted = wanted(nodes, selector);
        for (mac, name) in &wanted {
            device.holders.insert(*mac, (*name).clone());
        }
        // All records that there can be: those that were never wanted have been absent, too.
        let unwanted = (1..=ADDRESSES).map(|address| mac_of(ip(address)));
        for mac in unwanted.filter(|mac| !wanted.contains_key(mac)) {
            let since = before.get(&mac).copied().unwrap_or(clock);
            device.absent_since.insert(mac, since);
        }
    }

    /// The watch showed these nodes: what one of them wants is not approved any more.
    pub(super) fn watched(&mut self, nodes: &Nodes, selector: Selector) {
        let wanted = wanted(nodes, selector);
        self.approved.retain(|mac| !wanted.contains_key(mac));
    }

    /// Claims were stored.
    pub(super) fn stored(&mut self, claims: &Claims, nodes: &Nodes) {
        let (_, leaving) = count(claims);
        let macs = || claims.devices().flat_map(|device| claims.of(device).keys());
        let named = macs().flat_map(|mac| claims.nodes().of(*mac).map(|name| (*mac, name)));
        let named: BTreeSet<_> = named.map(|(mac, name)| (mac, name.to_string())).collect();
        self.machines.retain(|key, _| named.contains(key));
        for (mac, name) in named {
            if let Some(node) = nodes.get(&name) {
                self.machines.entry((mac, name)).or_insert(node.uid);
            }
        }
        self.spent.retain(|mac| leaving.contains(mac));
        for (device, name) in self.devices.iter_mut().zip(DEVICE_NAMES) {
            device
                .rights
                .retain(|mac| claims.of(name).contains_key(mac));
        }
    }
}

impl DeviceWitness {
    /// The operator read the device.
    pub(super) fn saw_records(&mut self, wanted: &Records, found: &Records) {
        let right = wanted
            .iter()
            .filter(|(mac, endpoint)| found.get(mac) == Some(endpoint));
        self.rights.extend(right.map(|(mac, _)| *mac));
    }

    /// Somebody else changed these records, or a lost write did.
    pub(super) fn touched(
        &mut self,
        macs: impl IntoIterator<Item = MacAddress>,
        texts: &BTreeMap<String, String>,
    ) {
        for mac in macs {
            let key = mac.to_string();
            match texts.get(&key) {
                Some(endpoint) => self.texts.insert(key, endpoint.clone()),
                None => self.texts.remove(&key),
            };
            for served in self.served.values_mut().filter(|s| s.macs.contains(&mac)) {
                served.held = false;
            }
        }
    }

    /// The operator wrote, and the device carried it out.
    pub(super) fn wrote(&mut self, write: Write) {
        match write {
            Write::Add(mac, endpoint) | Write::Correct(mac, endpoint) => {
                self.texts.insert(mac.to_string(), endpoint.to_string());
                self.rights.insert(mac);
            }
            Write::Remove(mac) => {
                self.texts.remove(&mac.to_string());
            }
        }
    }

    /// A node changed while a pass was under way: until that is over it is not served. What the pass
    /// was made from cannot show it.
    pub(super) fn forgive(&mut self, node: &str) {
        self.forgiven.insert(node.to_owned());
    }

    /// The pass is over.
    pub(super) fn pass_is_over(&mut self) {
        self.forgiven.clear();
    }

    fn follow(&mut self, nodes: &Nodes, selector: Selector, present: &Records) -> Option<String> {
        let is_followed = |node: &Node| node.is_selected(selector) && node.address().is_some();
        self.served.retain(|name, served| {
            let node = nodes.get(name).filter(|node| is_followed(node));
            let is_same = node.is_some_and(|node| node.uid == served.uid);
            is_same && !self.forgiven.contains(name)
        });
        let followed = nodes.iter().filter(|(_, node)| is_followed(node));
        for (name, node) in followed.filter(|(name, _)| !self.forgiven.contains(*name)) {
            let Some(address) = node.address() else {
                continue;
            };
            let served = self.served.entry(name.clone()).or_insert_with(|| Served {
                uid: node.uid,
                macs: BTreeSet::new(),
                held: false,
            });
            let mac = mac_of(address);
            if present.contains_key(&mac) {
                // From here on this one counts.
                served.macs.clear();
            }
            served.macs.insert(mac);
            let is_there = served.macs.iter().any(|mac| present.contains_key(mac));
            if served.held && !is_there {
                return Some(format!("{name} had a record and has none now"));
            }
            served.held = is_there;
        }
        None
    }
}

/// How many records are claimed and stay, and which are leaving somewhere.
fn count(claims: &Claims) -> (usize, BTreeSet<MacAddress>) {
    let all = || claims.devices().flat_map(|device| claims.of(device));
    let leaving = all().filter(|(_, state)| **state == ClaimState::Leaving);
    let leaving: BTreeSet<MacAddress> = leaving.map(|(mac, _)| *mac).collect();
    let macs: BTreeSet<MacAddress> = all().map(|(mac, _)| *mac).collect();
    (macs.difference(&leaving).count(), leaving)
}

fn holds(truth: bool, what: impl FnOnce() -> String) -> Result<(), Broken> {
    if truth { Ok(()) } else { Err(what()) }
}

impl World {
    /// Every record is as the last one left it who may change it.
    pub(super) fn check_nothing_else_changed(&self) -> Result<(), Broken> {
        for (device, witness) in self.devices.iter().zip(&self.witness.devices) {
            let texts = device.texts();
            holds(texts == witness.texts, || {
                format!("foreign: {:?} became {texts:?}", witness.texts)
            })?;
        }
        Ok(())
    }

    /// A node that had a record has one.
    pub(super) fn check_no_gap(&mut self) -> Result<(), Broken> {
        let selector = self.settings.selector;
        for (device, witness) in self.devices.iter().zip(&mut self.witness.devices) {
            let gap = witness.follow(self.cluster.now(), selector, &device.records());
            if let Some(gap) = gap {
                return Err(format!("gap: {gap}"));
            }
        }
        Ok(())
    }

    /// Whether the operator may send this write now.
    pub(super) fn check_write(&self, turn: &Turn, write: Write) -> Result<(), Broken> {
        let mac = write.mac();
        let claim = self.ledger.claims.of(DEVICE_NAMES[turn.device]).get(&mac);
        let is_claimed = match write {
            Write::Add(..) => matches!(claim, Some(ClaimState::Pending | ClaimState::Owned)),
            Write::Correct(..) => claim == Some(&ClaimState::Owned),
            Write::Remove(_) => claim == Some(&ClaimState::Leaving),
        };
        holds(is_claimed, || {
            format!("unclaimed: {write:?} with the claim {claim:?}")
        })?;
        match write {
            Write::Add(_, endpoint) | Write::Correct(_, endpoint) => {
                let wanted = |node: &Node| {
                    let is_its_own = |a| mac_of(a) == mac && endpoint_of(a) == endpoint;
                    node.is_selected(self.settings.selector)
                        && node.address().is_some_and(is_its_own)
                };
                let is_wanted = turn.listed.values().any(wanted);
                holds(is_wanted, || {
                    format!("endpoint: no node asks for {write:?}")
                })?;
                let witness = &self.witness.devices[turn.device];
                let is_ours = matches!(write, Write::Add(..)) || witness.rights.contains(&mac);
                holds(is_ours, || format!("foreign: {write:?}"))
            }
            Write::Remove(mac) => self.check_removal(turn, mac),
        }
    }

    fn check_removal(&self, turn: &Turn, mac: MacAddress) -> Result<(), Broken> {
        let broken = |why: &str| format!("removal of {mac}: {why}");
        let check = |truth: bool, why: &str| holds(truth, || broken(why));
        let address = address_of(mac).ok_or_else(|| broken("foreign, not of our form"))?;
        check(
            turn.claims.contains_key(&mac),
            "foreign, not claimed before",
        )?;
        let read = turn.records.get(&mac).map(|endpoint| endpoint.address);
        check(
            read == Some(address.into()),
            "foreign, for another endpoint",
        )?;
        check(turn.depth == Depth::Removal, "no list was made for it")?;
        let selector = self.settings.selector;
        let selected = || {
            turn.listed
                .values()
                .filter(|node| node.is_selected(selector))
        };
        check(selected().count() > 0, "no node is selected")?;
        check(
            !selected().any(|node| node.lists(address)),
            "a selected node lists the address",
        )?;
        let is_explained = turn.listed.values().any(|node| node.lists(address));
        let is_clear = is_explained || selected().all(|node| node.address().is_some());
        check(is_clear, "it may be the record of a node without address")?;
        let witness = &self.witness.devices[turn.device];
        let holder = witness
            .holders
            .get(&mac)
            .and_then(|name| self.cluster.now().get(name));
        let is_back = holder.is_some_and(|n| n.is_selected(selector) && n.lists(address));
        check(!is_back, "its node is back")?;
        let since = witness.absent_since.get(&mac);
        let is_due = since.is_some_and(|since| since + self.settings.delay_seconds <= self.clock);
        check(is_due, "the delay has not passed")?;
        let is_over = |then: u64| then + SETTLE.as_secs() <= self.clock;
        check(is_over(self.operator.started), "the process is young")?;
        check(
            witness.uncertain_at.is_none_or(is_over),
            "the device was uncertain",
        )
    }

    /// The removals that are about to be stored are within the budget. What belongs to a machine that is
    /// still there costs in any case; what belonged to one that is gone may have been replaced.
    pub(super) fn check_budget(&mut self, removing: &BTreeSet<MacAddress>) -> Result<(), Broken> {
        let nodes = self.cluster.now();
        let witness = &mut self.witness;
        let is_there = |mac: &MacAddress| {
            let machines = witness.machines.iter().filter(|((of, _), _)| of == mac);
            let mut existing = machines.map(|((_, name), uid)| (nodes.get(name), uid));
            existing.any(|(node, uid)| node.is_some_and(|node| node.uid == *uid))
        };
        let is_free =
            |mac: &MacAddress| witness.spent.contains(mac) || witness.approved.contains(mac);
        let counted = removing.iter().filter(|mac| !is_free(mac));
        let costs = counted.filter(|mac| is_there(mac)).count();
        witness.spent.extend(removing);
        let claimed = count(&self.ledger.claims).0;
        let clock = self.clock;
        witness.removals.retain(|removal| clock - removal.at < HOUR);
        witness.removals.push(Removal {
            at: clock,
            claimed,
            costs,
        });
        // Removals of the same five minutes are kept together.
        let before = witness.removals.iter().map(|removal| removal.claimed);
        let baseline = before.max().unwrap_or(claimed);
        let removed: usize = witness.removals.iter().map(|removal| removal.costs).sum();
        let allowed = self.allowed_of(baseline);
        holds(costs == 0 || removed <= allowed, || {
            format!("budget: {removed} of {baseline} removed within an hour, {allowed} may be")
        })
    }

    /// Whether these removals can be more than the stored window leaves room for. It may hold more than
    /// was counted here: an approval is lost with the process, and without saving each device costs.
    pub(super) fn is_over_budget(&self, removing: &BTreeSet<MacAddress>) -> bool {
        let now = self.now().time;
        let window = &self.ledger.window;
        let steps = window.steps.iter();
        let mut counting = steps.filter(|step| now.duration_since(step.time) < budget::HOUR);
        let first = counting.clone().next();
        let baseline = first.map_or(count(&self.ledger.claims).0, |first| first.claimed);
        let nodes = needed(self.cluster.now(), self.settings.selector).len();
        let before = counting.clone().map(|step| step.nodes);
        let highest = before.chain(window.nodes).max().unwrap_or(nodes);
        let removed = counting.by_ref().map(|step| step.removed);
        let for_itself = |tally: budget::Tally| tally.deselected + tally.address_changed;
        let removed: usize = removed.map(for_itself).sum();
        let most = removed + removing.len() + highest.saturating_sub(nodes);
        self.settings.percent == 0 || most > self.allowed_of(baseline)
    }

    fn allowed_of(&self, baseline: usize) -> usize {
        let share = baseline * usize::from(self.settings.percent) / 100;
        if self.settings.percent == 0 {
            0
        } else {
            share.max(2)
        }
    }
}
