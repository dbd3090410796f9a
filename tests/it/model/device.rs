//! A device: the simulator's store, and the writes that are still on their way to it.
//!
//! Knows who wrote a record last, which no real device tells. Must not know of claims.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use bigip_sim::{SimConfig, State, TunnelConfig};
use bigip_tunnel_core::endpoint::Endpoint;
use bigip_tunnel_core::mac::MacAddress;
use bigip_tunnel_core::record::Records;

use super::cluster::ip;
use super::operation::Edit;

const TUNNEL: &str = "/Common/flannel_vxlan";
/// The route domain of the tunnel, and one that is not.
const DOMAIN: u16 = 7;
const OTHER_DOMAIN: u16 = 8;
/// A device works on a request for so long at most, in seconds.
const LATE_MAX: u64 = 60;

/// A request to change a record.
#[derive(Debug, Clone, Copy)]
pub(super) enum Write {
    Add(MacAddress, Endpoint),
    Correct(MacAddress, Endpoint),
    Remove(MacAddress),
}

impl Write {
    pub(super) fn mac(self) -> MacAddress {
        let (Self::Add(mac, _) | Self::Correct(mac, _) | Self::Remove(mac)) = self;
        mac
    }
}

/// A lost write that will take effect.
struct Late {
    /// The latest moment.
    until: u64,
    write: Write,
}

pub(super) struct Device {
    state: State,
    /// What was saved, and which of it the operator had written.
    saved: (BTreeMap<String, String>, BTreeSet<MacAddress>),
    /// The oldest first.
    late: Vec<Late>,
    /// The records that the operator wrote and nobody has changed since.
    pub(super) by_operator: BTreeSet<MacAddress>,
}

/// The MAC address of a node's record, by the rule of the README.
pub(super) fn mac_of(address: Ipv4Addr) -> MacAddress {
    let [a, b, c, d] = address.octets();
    MacAddress::new([0x0a, 0x0a, a, b, c, d])
}

/// The endpoint of a node's record.
pub(super) fn endpoint_of(address: Ipv4Addr) -> Endpoint {
    format!("{address}%{DOMAIN}").parse().unwrap()
}

impl Device {
    pub(super) fn new() -> Self {
        let local_address = format!("10.0.0.254%{DOMAIN}");
        let config = SimConfig {
            tunnels: vec![TunnelConfig::vxlan(TUNNEL, local_address)],
            ..SimConfig::default()
        };
        Self {
            state: State::new(&config, 0).unwrap(),
            saved: Default::default(),
            late: Vec::new(),
            by_operator: BTreeSet::new(),
        }
    }

    /// The records to the letter.
    pub(super) fn texts(&self) -> BTreeMap<String, String> {
        self.state.records(TUNNEL)
    }

    pub(super) fn records(&self) -> Records {
        let texts = self.texts().into_iter();
        let records =
            texts.map(|(mac, endpoint)| (mac.parse().unwrap(), endpoint.parse().unwrap()));
        records.collect()
    }

    pub(super) fn save(&mut self) {
        self.saved = (self.texts(), self.by_operator.clone());
    }

    /// Carries a write out as iControl REST does: a `POST` changes no record that is there, a
    /// `PATCH` makes none. Returns whether anything changed.
    pub(super) fn commit(&mut self, write: Write) -> bool {
        let is_there = self.records().contains_key(&write.mac());
        match write {
            Write::Add(mac, endpoint) if !is_there => self.put(mac, &endpoint.to_string()),
            Write::Correct(mac, endpoint) if is_there => self.put(mac, &endpoint.to_string()),
            Write::Remove(mac) if is_there => {
                self.state.drop_record(TUNNEL, &mac.to_string());
            }
            _ => return false,
        }
        self.by_operator.insert(write.mac());
        true
    }

    /// Keeps a lost write that takes effect within the next minute.
    pub(super) fn delay(&mut self, write: Write, now: u64) {
        self.late.push(Late {
            until: now + LATE_MAX,
            write,
        });
    }

    /// Carries the oldest lost write out, if it can still be. Returns what it touched.
    pub(super) fn commit_late(&mut self) -> Option<MacAddress> {
        let late = (!self.late.is_empty()).then(|| self.late.remove(0))?;
        let mac = late.write.mac();
        let has_changed = self.commit(late.write);
        has_changed.then_some(mac)
    }

    /// The same for one that takes effect at the last moment, before `now`.
    pub(super) fn commit_overdue(&mut self, now: u64) -> Option<MacAddress> {
        self.late.first().filter(|late| late.until < now)?;
        self.commit_late().or_else(|| self.commit_overdue(now))
    }

    /// Carries out what somebody else does. Returns the records it touched.
    pub(super) fn edit(&mut self, edit: &Edit) -> BTreeSet<MacAddress> {
        let touched = match edit {
            Edit::AddForeign(number) => {
                let mac = MacAddress::new([0x52, 0x54, 0, 0, 0, *number]);
                // Their own spelling stays as it is.
                self.put(mac, &format!("192.0.2.{number}"));
                mac
            }
            Edit::AddOurForm(address) => {
                let mac = mac_of(ip(*address));
                if !self.records().contains_key(&mac) {
                    self.put(mac, &endpoint_of(ip(*address)).to_string());
                }
                mac
            }
            Edit::Redirect(address) => {
                self.put(mac_of(ip(*address)), "192.0.2.99");
                mac_of(ip(*address))
            }
            Edit::RedirectDomain(address) => {
                let address = ip(*address);
                self.put(mac_of(address), &format!("{address}%{OTHER_DOMAIN}"));
                mac_of(address)
            }
            Edit::Delete(address) => {
                let mac = mac_of(ip(*address));
                self.state.drop_record(TUNNEL, &mac.to_string());
                mac
            }
            Edit::Reboot => return self.reboot(),
        };
        self.by_operator.remove(&touched);
        // Who gave a record away has no right to what a reboot brings back.
        self.saved.1.remove(&touched);
        [touched].into()
    }

    fn reboot(&mut self) -> BTreeSet<MacAddress> {
        let before = self.records();
        for mac in before.keys() {
            self.state.drop_record(TUNNEL, &mac.to_string());
        }
        for (mac, endpoint) in self.saved.0.clone() {
            self.state.seed_record(TUNNEL, &mac, &endpoint).unwrap();
        }
        self.by_operator = self.saved.1.clone();
        let after = self.records();
        // Nobody keeps a request over a reboot.
        self.late.clear();
        let all: BTreeSet<MacAddress> = before.keys().chain(after.keys()).copied().collect();
        let differs = |mac: &MacAddress| before.get(mac) != after.get(mac);
        all.into_iter().filter(differs).collect()
    }

    fn put(&mut self, mac: MacAddress, endpoint: &str) {
        let mac = mac.to_string();
        self.state.seed_record(TUNNEL, &mac, endpoint).unwrap();
    }
}
