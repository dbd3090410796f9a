//! Two simulated units of a high-availability (HA) pair, in this process, and what an object in
//! Kubernetes says about them.
//!
//! It must not know how the devices answer.

use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

use bigip_sim::{
    FailoverState, Peer, SelfIp, SimConfig, Simulator, StartError, TunnelConfig, TwoCredentials,
    UserConfig,
};
use serde_json::{Value, json};

use crate::wait::Timeout;

/// Login name on every device.
pub const USER: &str = "bigip-tunnel";

/// One unit as the other one lists it.
struct Unit {
    /// Name in `spec.devices`.
    name: &'static str,
    hostname: &'static str,
    base_mac: &'static str,
    management_ip: &'static str,
    failover_state: FailoverState,
}

const UNITS: [Unit; 2] = [
    Unit {
        name: "bigip-a",
        hostname: "bigip-a.example.com",
        base_mac: "00:94:a1:00:0a:00",
        management_ip: "192.0.2.11",
        failover_state: FailoverState::Active,
    },
    Unit {
        name: "bigip-b",
        hostname: "bigip-b.example.com",
        base_mac: "00:94:a1:00:0b:00",
        management_ip: "192.0.2.12",
        failover_state: FailoverState::Standby,
    },
];

/// The units of an HA pair, the active one first. They end when this value goes.
#[derive(Debug)]
pub struct DevicePair {
    units: [Simulator; 2],
    password: String,
}

impl DevicePair {
    /// Starts both with the same tunnel.
    pub async fn start(tunnel: &TunnelConfig) -> Result<Self, StartError> {
        Self::start_with(tunnel, |_, _| {}).await
    }

    /// The same, but `adjust` changes what each is started with: 0 is the active unit.
    pub async fn start_with(
        tunnel: &TunnelConfig,
        adjust: impl Fn(usize, &mut SimConfig),
    ) -> Result<Self, StartError> {
        let password = format!("pw-{:016x}", RandomState::new().hash_one("password"));
        let [active, standby] = UNITS;
        let mut first = config(&active, &standby, tunnel, &password);
        adjust(0, &mut first);
        let mut second = config(&standby, &active, tunnel, &password);
        adjust(1, &mut second);
        let units = [
            Simulator::start(first).await?,
            Simulator::start(second).await?,
        ];
        Ok(Self { units, password })
    }

    /// Both units, the active one first.
    pub fn units(&self) -> &[Simulator; 2] {
        &self.units
    }

    /// The active unit.
    pub fn active(&self) -> &Simulator {
        let [active, _] = &self.units;
        active
    }

    /// The standby unit.
    pub fn standby(&self) -> &Simulator {
        let [_, standby] = &self.units;
        standby
    }

    /// Both units with their names in `spec.devices`.
    pub fn named(&self) -> impl Iterator<Item = (&'static str, &Simulator)> {
        UNITS.iter().map(|unit| unit.name).zip(&self.units)
    }

    /// The password of [`USER`] on both.
    pub fn password(&self) -> &str {
        &self.password
    }

    /// The certificates to trust: each unit has a certificate authority of its own.
    pub fn ca_bundle(&self) -> String {
        self.units.iter().map(Simulator::ca_pem).collect()
    }

    /// Both units as `spec.devices` takes them.
    pub fn spec_devices(&self) -> Value {
        let device = |(name, unit): (&str, &Simulator)| {
            let address = unit.address();
            json!({"name": name, "address": address.ip().to_string(), "port": address.port()})
        };
        self.named().map(device).collect()
    }

    /// Waits until both units hold exactly these records of a tunnel. Woken by each change, so that
    /// the time it takes can be measured.
    pub async fn until_records(
        &self,
        tunnel: &str,
        expected: [&BTreeMap<String, String>; 2],
        limit: Duration,
    ) -> Result<(), Timeout> {
        let [active, standby] = expected;
        let (first, second) = tokio::join!(
            self.active()
                .wait_until(limit, |state| state.records(tunnel) == *active),
            self.standby()
                .wait_until(limit, |state| state.records(tunnel) == *standby),
        );
        first.and(second).map_err(|_| Timeout {
            what: format!("the records of {tunnel} on both units"),
            waited: limit,
            last: format!(
                "{:?}",
                [
                    self.active().records(tunnel),
                    self.standby().records(tunnel)
                ]
            ),
        })
    }
}

/// The self IP that a unit needs on a tunnel of this path.
pub fn self_ip(tunnel: &str) -> SelfIp {
    SelfIp {
        path: format!("{tunnel}_self"),
        address: "10.244.255.1/16".to_owned(),
        vlan: tunnel.to_owned(),
    }
}

fn config(unit: &Unit, peer: &Unit, tunnel: &TunnelConfig, password: &str) -> SimConfig {
    SimConfig {
        hostname: unit.hostname.to_owned(),
        base_mac: unit.base_mac.to_owned(),
        management_ip: unit.management_ip.to_owned(),
        failover_state: unit.failover_state,
        peers: vec![Peer {
            hostname: peer.hostname.to_owned(),
            base_mac: peer.base_mac.to_owned(),
            management_ip: peer.management_ip.to_owned(),
            failover_state: peer.failover_state,
        }],
        users: vec![UserConfig::new(USER, password)],
        self_ips: vec![self_ip(&tunnel.path)],
        tunnels: vec![tunnel.clone()],
        // The stricter device: the product sends a token alone.
        two_credentials: TwoCredentials::Refused,
        ..SimConfig::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TUNNEL: &str = "/Common/flannel_vxlan";

    #[tokio::test]
    async fn both_units_are_reached_with_one_bundle() {
        let pair = DevicePair::start(&TunnelConfig::vxlan(TUNNEL, "10.169.72.34"))
            .await
            .unwrap();
        let [first, second] = pair.units();
        assert_ne!(first.address(), second.address());
        assert_eq!(pair.ca_bundle().matches("BEGIN CERTIFICATE").count(), 2);
        let devices = pair.spec_devices();
        assert_eq!(devices[0]["name"], "bigip-a");
        assert_eq!(devices[1]["port"], second.address().port());
    }

    #[tokio::test]
    async fn record_on_only_one_unit_does_not_suffice() {
        let pair = DevicePair::start(&TunnelConfig::vxlan(TUNNEL, "10.169.72.34"))
            .await
            .unwrap();
        let one = BTreeMap::from([("0a:0a:0a:a9:48:ef".to_owned(), "10.169.72.239%0".to_owned())]);
        let wait = |limit| pair.until_records(TUNNEL, [&one, &one], limit);
        pair.active()
            .seed_record(TUNNEL, "0a:0a:0a:a9:48:ef", "10.169.72.239%0")
            .unwrap();
        let timeout = wait(Duration::from_millis(1)).await.unwrap_err();
        assert!(timeout.last.ends_with("{}]"), "{timeout}");
        pair.standby()
            .seed_record(TUNNEL, "0a:0a:0a:a9:48:ef", "10.169.72.239%0")
            .unwrap();
        wait(Duration::from_secs(5)).await.unwrap();
    }
}
