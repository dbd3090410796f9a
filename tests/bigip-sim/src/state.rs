//! The device as one state machine: a request and the time go in, an answer comes out.
//!
//! No input, no output, no clock. It must not know of connections: what it cannot say with an answer
//! (drop, wait) it says with a [`Reply`].

#[cfg(target_os = "linux")]
mod data_plane;
mod edits;
mod handling;
mod routing;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::accounts::Accounts;
use crate::config::{
    ConfigError, FailoverState, FloodingType, SelfIp, SimConfig, TunnelConfig, UserConfig,
    VirtualServer,
};
use crate::configuration::{Configuration, TUNNEL};
use crate::faults::{Answer, Effect, Fault, FaultId, Faults, Preset};
use crate::journal::{Journal, WriteId};
use crate::log::{EntryId, Log, LoggedRequest};
use crate::resources::{Device, Learned, Transactions, TunnelMacs, given_mac};
use crate::tmos::TmosVersion;
use crate::wire::Links;

#[cfg(target_os = "linux")]
pub(crate) use self::handling::Pinged;
pub use self::handling::{Client, Held, Reply};

/// After how long a ping is answered, in microseconds, if nothing else is said.
const PING_US: u64 = 350;

/// A simulated device.
#[derive(Debug)]
pub struct State {
    device: Device,
    accounts: Accounts,
    faults: Faults,
    log: Log,
    journal: Journal,
    /// Requests that wait, and for which fault to be removed.
    held: Vec<(Option<FaultId>, EntryId)>,
    /// The configuration as of when a fault was set that answers so.
    pasts: BTreeMap<FaultId, Configuration>,
    /// The configuration of a device that has loaded none.
    unloaded: Configuration,
    /// `restOperationId` of the last restjavad answer.
    operations: u64,
    /// Whether a data plane follows the configuration.
    #[cfg(target_os = "linux")]
    has_data_plane: bool,
}

/// A configuration to go back to.
#[derive(Debug, Clone)]
pub struct Snapshot(Configuration);

/// What a rebooting device has not started yet: the faults to remove one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reboot {
    /// Until it is removed every request is answered with the 503 of a restarting web front end.
    pub web_front_end: FaultId,
    /// After that and until it is removed, what is below `/mgmt/tm` is not registered.
    pub workers: FaultId,
}

impl State {
    /// A device just started: what is configured is saved. Token values depend on `seed`.
    pub fn new(config: &SimConfig, seed: u64) -> Result<Self, ConfigError> {
        let configuration = Configuration::new(config)?;
        let device = Device {
            links: Links::new(config.version),
            hostname: config.hostname.clone(),
            base_mac: config.base_mac.clone(),
            management_ip: config.management_ip.clone(),
            failover_state: config.failover_state,
            peers: config.peers.clone(),
            repeated_records: config.repeated_records,
            saved: configuration.clone(),
            running: configuration,
            transactions: Transactions::default(),
            pings: config
                .answers_ping
                .iter()
                .map(|it| (*it, PING_US))
                .collect(),
            learned: Vec::new(),
            answers_arp: BTreeMap::new(),
            macs: TunnelMacs {
                doubled_keys: config.doubled_stats_keys,
                told: BTreeMap::new(),
                seen: BTreeMap::new(),
            },
        };
        Ok(Self {
            device,
            accounts: Accounts::new(config, seed),
            faults: Faults::default(),
            log: Log::default(),
            journal: Journal::default(),
            held: Vec::new(),
            pasts: BTreeMap::new(),
            unloaded: Configuration::new(&SimConfig::default())?,
            operations: 0,
            #[cfg(target_os = "linux")]
            has_data_plane: config.data_plane.is_some(),
        })
    }
}

/// What a test may look at.
impl State {
    /// The records of a tunnel as stored, MAC address to endpoint; empty if there is no such tunnel.
    pub fn records(&self, tunnel: &str) -> BTreeMap<String, String> {
        records_in(&self.device.running, tunnel)
    }

    /// Whether it is among them, by the MAC address as it is stored.
    pub fn has_record(&self, tunnel: &str, mac: &str) -> bool {
        let mut records = self.device.running.records(tunnel);
        records.any(|record| record.name == mac)
    }

    /// The same as of the last save.
    pub fn saved_records(&self, tunnel: &str) -> BTreeMap<String, String> {
        records_in(&self.device.saved, tunnel)
    }

    /// Requests to change the configuration, whatever came of them: single ones, and the commands of
    /// every transaction whose commit was asked for. Clearing the log does not reset it.
    pub fn mutations(&self) -> u64 {
        self.log.mutations() + self.device.transactions.carried_out()
    }

    /// The requests since the log was cleared, oldest first.
    pub fn requests(&self) -> impl Iterator<Item = &LoggedRequest> {
        self.log.requests()
    }

    /// Requests that wait, to be answered or to be carried out.
    pub fn held_requests(&self) -> usize {
        self.held.len()
    }

    /// The requests that one fault holds.
    pub fn held_by(&self, fault: FaultId) -> impl Iterator<Item = &LoggedRequest> {
        let held = self.held.iter().filter(move |(by, _)| *by == Some(fault));
        held.filter_map(|(_, entry)| self.log.get(*entry))
    }

    /// The MAC address that the device tells of a tunnel; `None` if it tells none, or there is no such tunnel.
    pub fn tunnel_mac(&self, tunnel: &str) -> Option<String> {
        let device = &self.device;
        if device.macs.told.get(tunnel) == Some(&None) {
            return None;
        }
        let tunnel = device.running.get(TUNNEL, tunnel)?;
        let mac = given_mac(&device.running, &device.base_mac, &device.macs, tunnel);
        Some(mac)
    }

    /// Login attempts (`shared/authn/login`).
    pub fn logins(&self) -> u64 {
        self.accounts.logins()
    }

    /// Passwords refused, at the login or as Basic credentials: a wrong name or password, or a locked account.
    /// Each counts towards the lock of its account.
    pub fn failed_logins(&self) -> u64 {
        self.accounts.failed_logins()
    }

    /// Tokens of a user that are good at this time.
    pub fn live_tokens(&self, user: &str, now: Timestamp) -> usize {
        self.accounts.live_tokens(user, now)
    }
}

/// What a test may do behind the back of the REST interface. Nothing of it is logged or counted.
impl State {
    /// Writes a record as a person at tmsh would, but takes any text for MAC address and endpoint.
    pub fn seed_record(
        &mut self,
        tunnel: &str,
        mac: &str,
        endpoint: &str,
    ) -> Result<(), ConfigError> {
        let is_there = self.noting(None, Some(mac), |state| {
            state.device.running.put_record(tunnel, mac, endpoint, None)
        });
        if is_there {
            Ok(())
        } else {
            Err(ConfigError::NoSuchTunnel(tunnel.to_owned()))
        }
    }

    /// Gives a record properties that no REST client of it would write, such as `replicators`; `null` takes
    /// a property away, `endpoint` too. A record that is new has no endpoint but what this says.
    pub fn seed_odd_record(
        &mut self,
        tunnel: &str,
        mac: &str,
        properties: Map<String, Value>,
    ) -> Result<(), ConfigError> {
        let is_there = self.noting(None, Some(mac), |state| {
            state.device.running.put_odd_record(tunnel, mac, properties)
        });
        if is_there {
            Ok(())
        } else {
            Err(ConfigError::NoSuchTunnel(tunnel.to_owned()))
        }
    }

    /// Removes a record as a person at tmsh would; false if there was none.
    pub fn drop_record(&mut self, tunnel: &str, mac: &str) -> bool {
        self.noting(None, Some(mac), |state| {
            state.device.running.remove_record(tunnel, mac)
        })
    }

    /// Makes a tunnel, and its profile if it is new.
    pub fn add_tunnel(&mut self, tunnel: &TunnelConfig) -> Result<(), ConfigError> {
        self.device.running.add_tunnel(tunnel)
    }

    /// Makes a self IP, or changes the one of this path.
    pub fn add_self_ip(&mut self, self_ip: &SelfIp) -> Result<(), ConfigError> {
        self.device.running.add_self_ip(self_ip)
    }

    /// Gives a self IP to the unit that takes over; false if there is none.
    pub fn float_self_ip(&mut self, path: &str) -> bool {
        self.device.running.float_self_ip(path)
    }

    /// Makes a route to what is behind a tunnel or VLAN.
    pub fn add_route(
        &mut self,
        path: &str,
        network: &str,
        interface: &str,
    ) -> Result<(), ConfigError> {
        self.device.running.add_route(path, network, interface)
    }

    /// Makes a virtual server with its pools.
    pub fn add_virtual_server(&mut self, server: &VirtualServer) -> Result<(), ConfigError> {
        self.device.running.add_virtual_server(server)
    }

    /// Gives a tunnel another MAC address, which the interface of a data plane takes, too, or none that the device would
    /// tell; false if there is no such tunnel. It stays when the tunnel is made again.
    pub fn set_tunnel_mac(&mut self, tunnel: &str, mac: Option<&str>) -> bool {
        let told = &mut self.device.macs.told;
        told.insert(tunnel.to_owned(), mac.map(str::to_owned));
        self.device.running.has(TUNNEL, tunnel)
    }

    /// Lets an address answer pings of the device, after this many microseconds, or no more.
    pub fn answer_ping(&mut self, address: Ipv4Addr, after_us: Option<u64>) {
        match after_us {
            Some(after_us) => self.device.pings.insert(address, after_us),
            None => self.device.pings.remove(&address),
        };
    }

    /// Lets a ping of an address that the device knows nothing of have it learn this MAC address, or without one ask
    /// and get no answer.
    pub fn answer_arp(&mut self, address: Ipv4Addr, mac: Option<&str>, interface: &str) {
        let learned = Learned::new(&address.to_string(), mac, interface);
        self.device.answers_arp.insert(address, learned);
    }

    /// Lets the device have learned the MAC address of an address, in place of what it knew of it; without one it
    /// has asked and got no answer.
    pub fn learn_arp(&mut self, address: &str, mac: Option<&str>, interface: &str) {
        self.forget_arp(address);
        let learned = Learned::new(address, mac, interface);
        self.device.learned.push(learned);
    }

    /// Lets the device forget what it has learned of an address.
    pub fn forget_arp(&mut self, address: &str) {
        self.device
            .learned
            .retain(|learned| learned.address != address);
    }

    /// Deletes a self IP; false if there was none.
    pub fn delete_self_ip(&mut self, path: &str) -> bool {
        self.device.running.delete_self_ip(path)
    }

    /// Changes how the profile of a tunnel floods; false if there is no such tunnel.
    pub fn set_flooding_type(&mut self, tunnel: &str, flooding_type: FloodingType) -> bool {
        self.device.running.set_flooding_type(tunnel, flooding_type)
    }

    /// Changes the local address of a tunnel; false if there is no such tunnel.
    pub fn set_local_address(&mut self, tunnel: &str, address: &str) -> bool {
        self.device.running.set_local_address(tunnel, address)
    }

    /// Restarts at once with the saved configuration, as a reboot does. Tokens stay good (*assumed*).
    pub fn reboot(&mut self) {
        self.noting(None, None, |state| {
            state.device.running = state.device.saved.clone();
        });
        self.device.transactions.drop_all();
        self.accounts.forget_leaked_tokens();
    }

    /// The same, but the device is up only when both faults are removed.
    pub fn begin_reboot(&mut self) -> Reboot {
        self.reboot();
        let starting = Fault::new(Effect::preset(Preset::NotRegistered));
        Reboot {
            web_front_end: self.fault(Fault::new(Effect::preset(Preset::Restarting))),
            workers: self.fault(starting.path("/mgmt/tm/*")),
        }
    }

    /// The running configuration as it is now.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot(self.device.running.clone())
    }

    /// Puts an older configuration in place of the running and the saved one, as loading an archive (UCS)
    /// does.
    pub fn restore(&mut self, snapshot: &Snapshot) {
        self.noting(None, None, |state| {
            state.device.running = snapshot.0.clone();
        });
        self.device.saved = snapshot.0.clone();
    }

    /// Goes on as another version, as after an upgrade. Configuration and tokens stay (*assumed* of the
    /// tokens).
    pub fn set_version(&mut self, version: TmosVersion) {
        self.device.links = Links::new(version);
        self.accounts.set_version(version);
    }

    /// Deletes a tunnel, its records and the self IPs on it; false if there was none.
    pub fn delete_tunnel(&mut self, path: &str) -> bool {
        self.noting(None, None, |state| state.device.running.delete_tunnel(path))
    }

    /// Changes a password, or adds the user. Tokens given out before stay good, a locked account stays
    /// locked (both *assumed*).
    pub fn set_password(&mut self, user: &str, password: &str) {
        self.accounts.set_password(user, password);
    }

    /// Adds a user, or changes the one of this name. Tokens given out before stay good (*assumed*).
    pub fn set_user(&mut self, user: &UserConfig) {
        self.accounts.set_user(user);
    }

    /// Removes a user; false if there was none. Its tokens are refused from then on.
    pub fn remove_user(&mut self, user: &str) -> bool {
        self.accounts.remove_user(user)
    }

    /// Lets a locked account log in again; false if there is no such user.
    pub fn unlock_user(&mut self, user: &str) -> bool {
        self.accounts.unlock_user(user)
    }

    /// Changes what this device does in its pair; what it believes of its peers stays.
    pub fn set_failover_state(&mut self, state: FailoverState) {
        self.device.failover_state = state;
    }

    /// Sets a fault; it stays until it is removed, also when it can strike no more.
    pub fn fault(&mut self, fault: Fault) -> FaultId {
        let answers_from_the_past = fault.effect().answer == Answer::Stale;
        let id = self.faults.add(fault);
        if answers_from_the_past {
            self.pasts.insert(id, self.device.running.clone());
        }
        id
    }

    /// Removes a fault; requests it held go on.
    pub fn remove_fault(&mut self, id: FaultId) {
        self.faults.remove(id);
        self.pasts.remove(&id);
    }

    /// Removes all faults.
    pub fn clear_faults(&mut self) {
        self.faults.clear();
        self.pasts.clear();
    }

    /// Forgets the logged requests; the counters stay.
    pub fn clear_log(&mut self) {
        self.log.clear();
    }
}

impl State {
    /// What was asked to change, and what has changed, since the start.
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// Does something, and notes which records it changes: any, or those of one name.
    fn noting<T>(
        &mut self,
        write: Option<WriteId>,
        mac: Option<&str>,
        action: impl FnOnce(&mut Self) -> T,
    ) -> T {
        let before = self.device.running.endpoints(mac);
        let result = action(self);
        let after = self.device.running.endpoints(mac);
        self.journal.changed(before, after, write);
        result
    }
}

fn records_in(configuration: &Configuration, tunnel: &str) -> BTreeMap<String, String> {
    let records = configuration.records(tunnel);
    records
        .map(|record| (record.name.clone(), record.endpoint.clone()))
        .collect()
}
