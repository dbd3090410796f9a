//! The device on the network, as the handle that tests hold.
//!
//! It decides nothing about requests.

mod broken;
mod connection;
#[cfg(target_os = "linux")]
mod packets;

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, Value};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use self::connection::Shared;
use crate::config::{
    ConfigError, FailoverState, FloodingType, SelfIp, SimConfig, TunnelConfig, UserConfig,
    VirtualServer,
};
#[cfg(target_os = "linux")]
use crate::dataplane::{DataPlane, DataPlaneError};
use crate::faults::{Fault, FaultId};
use crate::journal::Journal;
use crate::log::LoggedRequest;
#[cfg(target_os = "linux")]
use crate::netns::Namespace;
use crate::state::{Reboot, Snapshot, State};
use crate::tls::{Tls, TlsError, TlsProfile};
use crate::tmos::TmosVersion;

/// A simulated BIG-IP that listens; dropping it ends it, with its connections.
#[derive(Debug)]
pub struct Simulator {
    shared: Arc<Shared>,
    address: SocketAddr,
    accepting: JoinHandle<()>,
    #[cfg(target_os = "linux")]
    following: Option<JoinHandle<()>>,
}

/// The journal of a device, also after the device has ended.
#[derive(Debug, Clone)]
pub struct Watched {
    shared: Arc<Shared>,
    address: SocketAddr,
}

impl Watched {
    /// Where the device listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What was asked to change, and what has changed, up to now.
    pub fn journal(&self) -> Journal {
        self.shared.state.borrow().journal().clone()
    }
}

/// The device cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// What it should be makes no sense.
    #[error("the configuration cannot be simulated")]
    Config(#[from] ConfigError),
    /// Its certificates cannot be made.
    #[error("TLS cannot be set up")]
    Tls(#[from] TlsError),
    /// The address is taken or not of this machine.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// Its tunnels cannot carry packets.
    #[cfg(target_os = "linux")]
    #[error("cannot make the data plane")]
    DataPlane(#[from] DataPlaneError),
}

/// The state never became as it should.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the simulated device was not in the expected state within {} ms", .0.as_millis())]
pub struct Timeout(Duration);

impl Simulator {
    /// Starts a device on the running Tokio runtime.
    pub async fn start(config: SimConfig) -> Result<Self, StartError> {
        let state = State::new(&config, RandomState::new().hash_one("tokens"))?;
        let failed = |source| StartError::Listen {
            address: config.listen,
            source,
        };
        let listener = TcpListener::bind(config.listen).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let mut names = vec![address.ip()];
        if address.ip().is_unspecified() {
            names.push(IpAddr::V4(Ipv4Addr::LOCALHOST));
        }
        // Clients may reach it by the address that it shows, by way of a translation on the way.
        let shown = config.management_ip.parse::<IpAddr>().ok();
        names.extend(shown.filter(|shown| !names.contains(shown)));
        let tls = Tls::new(config.tls, names)?;
        #[cfg_attr(
            not(target_os = "linux"),
            expect(unused_mut, reason = "only a data plane is added")
        )]
        let mut shared = Shared::new(state, tls, config.latency_ms);
        #[cfg(target_os = "linux")]
        if let Some(config) = &config.data_plane {
            shared.start_data_plane(config).await?;
        }
        let shared = Arc::new(shared);
        let accepting = tokio::spawn(connection::accept(listener, Arc::clone(&shared)));
        Ok(Self {
            address,
            accepting,
            #[cfg(target_os = "linux")]
            following: packets::follow(&shared),
            shared,
        })
    }

    /// The network namespace of its data plane, if it has one. In it are the tunnels, their addresses and the routes
    /// into them, as a TMM has them.
    #[cfg(target_os = "linux")]
    pub fn namespace(&self) -> Option<&Namespace> {
        self.shared.data_plane.as_ref().map(DataPlane::namespace)
    }

    /// Ends it, and removes the tunnels that carry packets from a namespace that goes on.
    ///
    /// # Errors
    ///
    /// The kernel does not remove them.
    pub async fn close(self) -> Result<(), StartError> {
        #[cfg(target_os = "linux")]
        {
            let mut this = self;
            // Nothing brings them back: both tasks have ended.
            this.accepting.abort();
            let _ = (&mut this.accepting).await;
            if let Some(following) = this.following.take() {
                following.abort();
                let _ = following.await;
            }
            if let Some(data_plane) = &this.shared.data_plane {
                data_plane.close().await?;
            }
        }
        Ok(())
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The certificate to trust, in PEM. It is another one after [`Self::renew_authority`], and while the
    /// device presents its own.
    pub fn ca_pem(&self) -> String {
        self.shared.tls.borrow().ca_pem.clone()
    }

    /// SHA-256 of the certificate that it presents, or would if it spoke TLS, in hexadecimal.
    pub fn fingerprint(&self) -> String {
        self.shared.tls.borrow().fingerprint.clone()
    }

    /// Greets so from now on, with a new certificate; where an authority is known, by the same one. Ends
    /// all connections, as a restart of the web server does; requests that arrived go on.
    pub fn set_tls(&self, profile: TlsProfile) -> Result<(), TlsError> {
        let tls = self.shared.tls.borrow().renewed(profile)?;
        self.shared.tls.send_replace(tls);
        Ok(())
    }

    /// Takes a new authority, and a certificate by it. Ends all connections.
    pub fn renew_authority(&self) -> Result<(), TlsError> {
        let tls = self.shared.tls.borrow().with_new_authority()?;
        self.shared.tls.send_replace(tls);
        Ok(())
    }

    /// Presents the certificate and the key of another device from now on, as a unit does that took over its
    /// configuration. Ends all connections.
    pub fn present_as(&self, other: &Self) {
        let tls = other.shared.tls.borrow().clone();
        self.shared.tls.send_replace(tls);
    }

    /// See [`State::records`].
    pub fn records(&self, tunnel: &str) -> BTreeMap<String, String> {
        self.shared.state.borrow().records(tunnel)
    }

    /// See [`State::saved_records`].
    pub fn saved_records(&self, tunnel: &str) -> BTreeMap<String, String> {
        self.shared.state.borrow().saved_records(tunnel)
    }

    /// See [`State::mutations`].
    pub fn mutations(&self) -> u64 {
        self.shared.state.borrow().mutations()
    }

    /// See [`State::requests`].
    pub fn requests(&self) -> Vec<LoggedRequest> {
        self.shared.state.borrow().requests().cloned().collect()
    }

    /// See [`State::held_by`].
    pub fn held_by(&self, fault: FaultId) -> Vec<LoggedRequest> {
        self.shared.state.borrow().held_by(fault).cloned().collect()
    }

    /// A handle to the journal that outlives a borrow of the device.
    pub fn watched(&self) -> Watched {
        Watched {
            shared: Arc::clone(&self.shared),
            address: self.address,
        }
    }

    /// See [`State::logins`].
    pub fn logins(&self) -> u64 {
        self.shared.state.borrow().logins()
    }

    /// See [`State::failed_logins`].
    pub fn failed_logins(&self) -> u64 {
        self.shared.state.borrow().failed_logins()
    }

    /// Tokens of a user that are good now.
    pub fn live_tokens(&self, user: &str) -> usize {
        self.shared
            .state
            .borrow()
            .live_tokens(user, Timestamp::now())
    }

    /// Waits until the device is in a state. Looked at once now and again after every change; the
    /// condition must not call this simulator.
    pub async fn wait_until(
        &self,
        timeout: Duration,
        condition: impl FnMut(&State) -> bool,
    ) -> Result<(), Timeout> {
        let mut state = self.shared.state.subscribe();
        match tokio::time::timeout(timeout, state.wait_for(condition)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(Timeout(timeout)),
        }
    }

    /// See [`State::seed_record`].
    pub fn seed_record(&self, tunnel: &str, mac: &str, endpoint: &str) -> Result<(), ConfigError> {
        self.shared
            .change(|state| state.seed_record(tunnel, mac, endpoint))
    }

    /// See [`State::seed_odd_record`].
    pub fn seed_odd_record(
        &self,
        tunnel: &str,
        mac: &str,
        properties: Map<String, Value>,
    ) -> Result<(), ConfigError> {
        self.shared
            .change(|state| state.seed_odd_record(tunnel, mac, properties))
    }

    /// See [`State::drop_record`].
    pub fn drop_record(&self, tunnel: &str, mac: &str) -> bool {
        self.shared.change(|state| state.drop_record(tunnel, mac))
    }

    /// See [`State::add_tunnel`].
    pub fn add_tunnel(&self, tunnel: &TunnelConfig) -> Result<(), ConfigError> {
        self.shared.change(|state| state.add_tunnel(tunnel))
    }

    /// See [`State::add_self_ip`].
    pub fn add_self_ip(&self, self_ip: &SelfIp) -> Result<(), ConfigError> {
        self.shared.change(|state| state.add_self_ip(self_ip))
    }

    /// See [`State::float_self_ip`].
    pub fn float_self_ip(&self, path: &str) -> bool {
        self.shared.change(|state| state.float_self_ip(path))
    }

    /// See [`State::add_route`].
    pub fn add_route(&self, path: &str, network: &str, interface: &str) -> Result<(), ConfigError> {
        self.shared
            .change(|state| state.add_route(path, network, interface))
    }

    /// See [`State::add_virtual_server`].
    pub fn add_virtual_server(&self, server: &VirtualServer) -> Result<(), ConfigError> {
        self.shared.change(|state| state.add_virtual_server(server))
    }

    /// See [`State::tunnel_mac`].
    pub fn tunnel_mac(&self, tunnel: &str) -> Option<String> {
        self.shared.state.borrow().tunnel_mac(tunnel)
    }

    /// See [`State::set_tunnel_mac`].
    pub fn set_tunnel_mac(&self, tunnel: &str, mac: Option<&str>) -> bool {
        self.shared
            .change(|state| state.set_tunnel_mac(tunnel, mac))
    }

    /// See [`State::answer_ping`].
    pub fn answer_ping(&self, address: Ipv4Addr, after_us: Option<u64>) {
        self.shared
            .change(|state| state.answer_ping(address, after_us));
    }

    /// See [`State::answer_arp`].
    pub fn answer_arp(&self, address: Ipv4Addr, mac: Option<&str>, interface: &str) {
        let learn = |state: &mut State| state.answer_arp(address, mac, interface);
        self.shared.change(learn);
    }

    /// See [`State::learn_arp`].
    pub fn learn_arp(&self, address: &str, mac: Option<&str>, interface: &str) {
        let learn = |state: &mut State| state.learn_arp(address, mac, interface);
        self.shared.change(learn);
    }

    /// See [`State::forget_arp`].
    pub fn forget_arp(&self, address: &str) {
        self.shared.change(|state| state.forget_arp(address));
    }

    /// See [`State::delete_self_ip`].
    pub fn delete_self_ip(&self, path: &str) -> bool {
        self.shared.change(|state| state.delete_self_ip(path))
    }

    /// See [`State::set_flooding_type`].
    pub fn set_flooding_type(&self, tunnel: &str, flooding_type: FloodingType) -> bool {
        self.shared
            .change(|state| state.set_flooding_type(tunnel, flooding_type))
    }

    /// See [`State::set_local_address`].
    pub fn set_local_address(&self, tunnel: &str, address: &str) -> bool {
        self.shared
            .change(|state| state.set_local_address(tunnel, address))
    }

    /// See [`State::reboot`].
    pub fn reboot(&self) {
        self.shared.change(State::reboot);
    }

    /// See [`State::begin_reboot`]. Ends all connections.
    pub fn begin_reboot(&self) -> Reboot {
        let reboot = self.shared.change(State::begin_reboot);
        self.shared.end_connections();
        reboot
    }

    /// See [`State::snapshot`].
    pub fn snapshot(&self) -> Snapshot {
        self.shared.state.borrow().snapshot()
    }

    /// See [`State::restore`].
    pub fn restore(&self, snapshot: &Snapshot) {
        self.shared.change(|state| state.restore(snapshot));
    }

    /// See [`State::set_version`].
    pub fn set_version(&self, version: TmosVersion) {
        self.shared.change(|state| state.set_version(version));
    }

    /// See [`State::delete_tunnel`].
    pub fn delete_tunnel(&self, path: &str) -> bool {
        self.shared.change(|state| state.delete_tunnel(path))
    }

    /// See [`State::set_password`].
    pub fn set_password(&self, user: &str, password: &str) {
        self.shared
            .change(|state| state.set_password(user, password));
    }

    /// See [`State::set_user`].
    pub fn set_user(&self, user: &UserConfig) {
        self.shared.change(|state| state.set_user(user));
    }

    /// See [`State::remove_user`].
    pub fn remove_user(&self, user: &str) -> bool {
        self.shared.change(|state| state.remove_user(user))
    }

    /// See [`State::unlock_user`].
    pub fn unlock_user(&self, user: &str) -> bool {
        self.shared.change(|state| state.unlock_user(user))
    }

    /// See [`State::set_failover_state`].
    pub fn set_failover_state(&self, failover: FailoverState) {
        self.shared
            .change(|state| state.set_failover_state(failover));
    }

    /// See [`State::fault`].
    pub fn fault(&self, fault: Fault) -> FaultId {
        self.shared.change(|state| state.fault(fault))
    }

    /// See [`State::remove_fault`].
    pub fn remove_fault(&self, id: FaultId) {
        self.shared.change(|state| state.remove_fault(id));
    }

    /// See [`State::clear_faults`].
    pub fn clear_faults(&self) {
        self.shared.change(State::clear_faults);
    }

    /// See [`State::clear_log`].
    pub fn clear_log(&self) {
        self.shared.change(State::clear_log);
    }

    /// Makes every request from now on take this long before it is worked on, in milliseconds.
    pub fn set_latency_ms(&self, latency_ms: u64) {
        self.shared.latency_ms.store(latency_ms, Ordering::Relaxed);
    }

    /// Turns the device into a black hole, or back. While it is one, connections are accepted but
    /// neither handshakes nor requests are answered; when it is back they go on.
    pub fn set_responsive(&self, responsive: bool) {
        self.shared.responsive.send_replace(responsive);
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.accepting.abort();
        #[cfg(target_os = "linux")]
        if let Some(following) = &self.following {
            following.abort();
        }
        // Requests in flight run in tasks of their own: let go of those that wait.
        self.clear_faults();
    }
}
