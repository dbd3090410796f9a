//! The part of the demo in which a packet arrives: a data plane for one unit, and a stand-in for the node that joins.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use bigip_sim::netns::Namespace;
use bigip_sim::{DataPlaneConfig, SelfIp, SimConfig, Simulator};
use bigip_tunnel_dataplane::{Node, Underlay, UnderlayError, Vtep, VtepTable, http_get, parse_mac};

use super::DemoError;
use super::world::TUNNEL_PATH;

/// The pod of the node that joins.
pub(super) const POD: Ipv4Addr = Ipv4Addr::new(10, 0, 4, 7);
/// The network of all pods.
const PODS: &str = "10.0.0.0/16";
const LOCAL_ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 169, 72, 34);
const SELF_IP: &str = "10.1.6.34/24";
/// How long one request may take: longer than ARP asks again.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long the pod may stay silent after its node has joined.
const LIMIT: Duration = Duration::from_secs(20);

/// A network with one unit on it.
pub(super) struct Packets {
    underlay: Underlay,
    unit: Namespace,
}

impl Packets {
    /// Sets up the network.
    pub(super) async fn new() -> Result<Self, UnderlayError> {
        let underlay = Underlay::new().await?;
        let unit = underlay.add_host(host(LOCAL_ADDRESS)).await?;
        Ok(Self { underlay, unit })
    }

    /// Gives the first unit a data plane.
    pub(super) fn adjust(&self, unit: usize, config: &mut SimConfig) {
        if unit == 0 {
            config.self_ips = vec![SelfIp {
                path: format!("{TUNNEL_PATH}_self"),
                address: SELF_IP.to_owned(),
                vlan: TUNNEL_PATH.to_owned(),
            }];
            config.data_plane = Some(DataPlaneConfig::Separate {
                underlay: Some(self.unit.path()),
            });
        }
    }

    /// Routes the pods into the tunnel of that unit.
    pub(super) fn route(unit: &Simulator) -> Result<(), DemoError> {
        Ok(unit.add_route("/Common/pods", PODS, TUNNEL_PATH)?)
    }

    /// Starts the machine of a node, with Cilium's VTEP configuration for that unit and with the pod.
    pub(super) async fn start_node(
        &self,
        unit: &Simulator,
        address: &str,
    ) -> Result<Node, DemoError> {
        let failed = |why: String| DemoError::Packets(why);
        let address = address
            .parse()
            .map_err(|_| failed(format!("{address} is no address")))?;
        let namespace = self.underlay.add_host(host(address)).await;
        let namespace = namespace.map_err(|error| failed(error.to_string()))?;
        let mac = unit.tunnel_mac(TUNNEL_PATH).and_then(|mac| parse_mac(&mac));
        let vtep = Vtep {
            network: SELF_IP.parse().unwrap_or_default(),
            endpoint: LOCAL_ADDRESS,
            mac: mac.ok_or_else(|| failed("the tunnel has no MAC address".to_owned()))?,
        };
        let table = VtepTable::new(vtep.network.prefix_len(), &[vtep]);
        let node = Node::start(&namespace, address, table);
        let node = node.map_err(|error| failed(error.to_string()))?;
        node.add_pod(POD);
        Ok(node)
    }
}

/// Asks the pod once: the first line of its answer, or why there is none.
pub(super) async fn ask(unit: &Simulator) -> Result<String, String> {
    let namespace = unit.namespace().ok_or("there is no data plane")?;
    let answer = http_get(namespace, POD, PATIENCE).await;
    let answer = answer.map_err(|error| error.to_string())?;
    Ok(answer.lines().next().unwrap_or_default().to_owned())
}

/// Asks the pod until it answers.
pub(super) async fn until_answered(unit: &Simulator) -> Result<String, DemoError> {
    let started = Instant::now();
    loop {
        match ask(unit).await {
            Ok(answer) => return Ok(answer),
            Err(why) if started.elapsed() > LIMIT => {
                return Err(DemoError::Packets(format!(
                    "pod {POD} does not answer: {why}"
                )));
            }
            Err(_) => {}
        }
    }
}

fn host(address: Ipv4Addr) -> ipnet::Ipv4Net {
    ipnet::Ipv4Net::new(address, 24).unwrap_or_default()
}
