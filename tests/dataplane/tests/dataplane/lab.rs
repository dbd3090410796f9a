//! The world of one test: an underlay with two simulated BIG-IPs and stand-ins for nodes on it, a namespace of the real
//! API server, and the operator as a process.
//!
//! It must not know what a single test is about.

mod plugin;
mod requests;

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::Ipv4Addr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use bigip_sim::netns::Namespace;
use bigip_sim::{DataPlaneConfig, SelfIp, SimConfig, Simulator, TunnelConfig};
use bigip_tunnel_crds::ANNOTATION_RECONCILE_REQUESTED_AT;
use bigip_tunnel_crds::v1alpha1::BigIpTunnel;
use bigip_tunnel_dataplane::{Node, Seen, Underlay, Vtep, VtepTable, parse_mac};
use bigip_tunnel_harness::control_plane::ControlPlane;
use bigip_tunnel_harness::devices::DevicePair;
use bigip_tunnel_harness::nodes::Nodes;
use bigip_tunnel_harness::objects;
use bigip_tunnel_harness::operator::{OperatorOptions, OperatorProcess};
use bigip_tunnel_harness::wait::{Answer, eventually};
use kube::api::{Patch, PatchParams};
use kube::{Api, Client};
use serde_json::json;

/// Name of the tunnel on the devices.
const TUNNEL: &str = "flannel_vxlan";
/// The same as a full path.
pub(crate) const TUNNEL_PATH: &str = "/Common/flannel_vxlan";
/// Name of the object.
const NAME: &str = "prod-east";
/// The network of all pods, which is routed into the tunnel.
const PODS: &str = "10.0.0.0/16";
/// How long something may take that has no limit of its own. Far more than it does take.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);
/// With the value `required` in it no test is skipped.
const REQUIRED: &str = "BIGIP_TUNNEL_DATAPLANE";
/// How long a TCP connection may take.
const HTTP_LIMIT: Duration = Duration::from_secs(5);

/// What differs from a lab in which everything works.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// Self IP of each unit on the tunnel.
    pub(crate) self_ips: [&'static str; 2],
    /// The network of each unit in Cilium's VTEP configuration.
    pub(crate) vtep_networks: [&'static str; 2],
    /// Prefix length of `vtep-mask`.
    pub(crate) mask_length: u8,
    /// Changes the tunnel of the first unit.
    pub(crate) tunnel: fn(&mut TunnelConfig),
    /// Changes the VTEP entry of the first unit.
    pub(crate) vtep: fn(&mut Vtep),
    /// Whether each unit routes the pods into the tunnel.
    pub(crate) has_route: [bool; 2],
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            self_ips: ["10.1.6.34/24", "10.1.5.36/24"],
            vtep_networks: ["10.1.6.0/24", "10.1.5.0/24"],
            mask_length: 24,
            tunnel: |_| {},
            vtep: |_| {},
            has_route: [true, true],
        }
    }
}

/// A unit with its addresses.
#[derive(Debug, Clone, Copy)]
struct Unit {
    local: Ipv4Addr,
    self_ip: Ipv4Addr,
}

/// Everything that runs for one test. The operator ends before the devices do.
pub(crate) struct Lab {
    operator: OperatorProcess,
    devices: DevicePair,
    units: [Unit; 2],
    nodes: Nodes,
    vteps: [Vtep; 2],
    mask_length: u8,
    underlay: Underlay,
    client: Client,
    name: String,
}

/// What a ping came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ping {
    Answered,
    Silent,
}

/// What a unit knows by ARP of an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Learned {
    /// It never asked.
    Absent,
    /// It asked, and has no answer.
    Incomplete,
    /// The MAC address.
    Resolved(String),
}

/// A program that ends with this value.
pub(crate) struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let ended = self.0.wait();
        assert!(
            ended.is_ok_and(|status| status.success()),
            "the program ended with an error"
        );
    }
}

/// Why the tests cannot run here, if they cannot. They have to for root, and where [`REQUIRED`] says so.
pub(crate) async fn missing_right() -> Option<String> {
    let error = Underlay::new().await.err()?;
    let has_to_run = rustix::process::geteuid().is_root()
        || std::env::var(REQUIRED).as_deref() == Ok("required");
    assert!(!has_to_run, "packets cannot be tested here: {error}");
    Some(error.to_string())
}

/// Whether a test cannot run here, with a line that says so.
pub(crate) async fn is_skipped(name: &str) -> bool {
    let missing = missing_right().await;
    if let Some(reason) = &missing {
        say(&format!("skipped: {name}: {reason}"));
    }
    missing.is_some()
}

impl Lab {
    /// A lab in which everything works; `None`, with a line that says so, where the rights are missing. `name` is the
    /// test's own.
    pub(crate) async fn new(name: &str) -> Option<Self> {
        Self::with(name, Settings::default()).await
    }

    /// A lab with other settings.
    pub(crate) async fn with(name: &str, settings: Settings) -> Option<Self> {
        if is_skipped(name).await {
            return None;
        }
        let underlay = Underlay::new().await.unwrap();
        let locals = ["10.169.72.34", "10.169.72.36"];
        let hosts = [
            underlay.add_host(network(locals[0])).await.unwrap(),
            underlay.add_host(network(locals[1])).await.unwrap(),
        ];
        let units = [0, 1].map(|index| Unit {
            local: locals[index].parse().unwrap(),
            self_ip: host_of(settings.self_ips[index]),
        });
        let devices = start_devices(&settings, &units, &hosts).await;
        let plane = ControlPlane::shared().unwrap();
        let client = plane.client().await.unwrap();
        let name = format!("packets-{name}");
        objects::create_namespace(&client, &name).await.unwrap();
        objects::create_access(&client, &name, &devices)
            .await
            .unwrap();
        let nodes = Nodes::new(client.clone(), &name);
        let selector = json!({"selector": nodes.selector(), "removalDelaySeconds": 0});
        let mut spec = objects::tunnel_spec(&devices, TUNNEL, &selector);
        // A record that is lost stays lost until the test asks.
        spec["drift"] = json!({"intervalSeconds": 3600});
        objects::create_tunnel(&client, &name, NAME, spec)
            .await
            .unwrap();
        let options = OperatorOptions {
            kubeconfig: Some(plane.kubeconfig().to_owned()),
            watch_namespaces: vec![name.clone()],
            settle_seconds: Some(0),
            ..OperatorOptions::default()
        };
        Some(Self {
            operator: OperatorProcess::start(options).await.unwrap(),
            vteps: vteps(&settings, &units, &devices),
            mask_length: settings.mask_length,
            devices,
            units,
            nodes,
            underlay,
            client,
            name,
        })
    }

    /// A host on the underlay that is neither unit nor node.
    pub(crate) async fn add_host(&self, address: &str) -> Namespace {
        self.underlay.add_host(network(address)).await.unwrap()
    }

    /// A node with these pods that is not in Kubernetes yet.
    pub(crate) async fn start_node(&self, address: &str, pods: &[&str]) -> Node {
        let host = self.add_host(address).await;
        let table = VtepTable::new(self.mask_length, &self.vteps);
        let node = Node::start(&host, address.parse().unwrap(), table).unwrap();
        for pod in pods {
            node.add_pod(pod.parse().unwrap());
        }
        node
    }

    /// The same as a program of its own.
    pub(crate) async fn start_program(&self, address: &str, pod: &str) -> Program {
        let host = self.add_host(address).await;
        let mut command = Command::new(env!("CARGO_BIN_EXE_node-stand-in"));
        command
            .arg("--exit-with-stdin")
            .args(["--address", address, "--pod", pod]);
        for vtep in &self.vteps {
            command.args(["--vtep", &vtep.to_string()]);
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        // A child is in the namespace of the thread that starts it.
        let mut process = host.within(|| command.spawn()).unwrap().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        assert_eq!(line, format!("node {address} listens\n"));
        Program(process)
    }

    /// Writes the Node object.
    pub(crate) async fn join(&self, address: &str) {
        self.nodes
            .create(&self.node_name(address), address)
            .await
            .unwrap();
    }

    /// A node with these pods, in Kubernetes, with its record on both units.
    pub(crate) async fn add_node(&self, address: &str, pods: &[&str]) -> Node {
        let node = self.start_node(address, pods).await;
        self.join(address).await;
        self.until_record(address, true).await;
        node
    }

    /// Deletes the Node object, and waits until its record is gone.
    pub(crate) async fn leave(&self, address: &str) {
        self.nodes.delete(&self.node_name(address)).await.unwrap();
        self.until_record(address, false).await;
    }

    fn node_name(&self, address: &str) -> String {
        format!("{}-{}", self.name, address.replace('.', "-"))
    }

    /// Waits until both units have the record of a node, or have it no more.
    pub(crate) async fn until_record(&self, address: &str, is_there: bool) {
        let mac = mac(address);
        for unit in self.devices.units() {
            let waited = unit.wait_until(LIMIT, |state| {
                state.has_record(TUNNEL_PATH, &mac) == is_there
            });
            if waited.await.is_err() {
                let records = unit.records(TUNNEL_PATH);
                let log = self.operator.log().join("\n");
                panic!("{mac} on the unit: wanted {is_there}, has {records:?}; operator:\n{log}");
            }
        }
    }

    /// One of the units: 0 is the active one.
    pub(crate) fn unit(&self, unit: usize) -> &Simulator {
        &self.devices.units()[unit]
    }

    /// Takes the record of a node from a unit, as a person at its console would. [`Self::assert_lost`]
    /// shows afterwards that the operator has left it so.
    pub(crate) async fn lose_record(&self, unit: usize, address: &str) {
        self.come_to_rest().await;
        assert!(
            self.unit(unit).drop_record(TUNNEL_PATH, &mac(address)),
            "{address}"
        );
    }

    /// What was seen since the record was lost was seen without it.
    pub(crate) fn assert_lost(&self, unit: usize, address: &str) {
        let records = self.unit(unit).records(TUNNEL_PATH);
        assert!(!records.contains_key(&mac(address)), "{records:?}");
    }

    /// Waits until the operator has nothing left to do, so that it does not repair what a test breaks.
    pub(crate) async fn come_to_rest(&self) {
        self.reconcile("rest").await;
    }

    /// Requests a reconciliation, and waits until it is done.
    pub(crate) async fn reconcile(&self, request: &str) {
        let objects: Api<BigIpTunnel> = Api::namespaced(self.client.clone(), &self.name);
        let annotations = json!({ANNOTATION_RECONCILE_REQUESTED_AT: request});
        let patch = Patch::Merge(json!({"metadata": {"annotations": annotations}}));
        objects
            .patch(NAME, &PatchParams::default(), &patch)
            .await
            .unwrap();
        let handled = eventually(format!("{request} handled"), LIMIT, async || {
            let status = objects.get(NAME).await.unwrap().status.unwrap_or_default();
            Answer::when(status.last_handled_reconcile_at, |seen| {
                seen.as_deref() == Some(request)
            })
        });
        handled.await.unwrap();
    }
}

async fn start_devices(
    settings: &Settings,
    units: &[Unit; 2],
    hosts: &[Namespace; 2],
) -> DevicePair {
    let tunnel = |index: usize| {
        let mut tunnel = TunnelConfig::vxlan(TUNNEL_PATH, units[index].local.to_string());
        if index == 0 {
            (settings.tunnel)(&mut tunnel);
        }
        tunnel
    };
    let adjust = |index: usize, config: &mut SimConfig| {
        config.tunnels = vec![tunnel(index)];
        config.self_ips = vec![
            SelfIp {
                path: format!("{TUNNEL_PATH}_self"),
                address: settings.self_ips[index].to_owned(),
                vlan: TUNNEL_PATH.to_owned(),
            },
            // The underlay is what it is; that the unit has the address is for `check`.
            SelfIp {
                path: "/Common/underlay_self".to_owned(),
                address: format!("{}/24", units[index].local),
                vlan: "/Common/underlay".to_owned(),
            },
        ];
        config.data_plane = Some(DataPlaneConfig::Separate {
            underlay: Some(hosts[index].path()),
        });
    };
    let devices = DevicePair::start_with(&tunnel(1), adjust).await.unwrap();
    for (unit, has_route) in devices.units().iter().zip(settings.has_route) {
        if has_route {
            unit.add_route("/Common/pods", PODS, TUNNEL_PATH).unwrap();
        }
    }
    devices
}

/// The configuration that Cilium needs for the units, apart from what the settings change.
fn vteps(settings: &Settings, units: &[Unit; 2], devices: &DevicePair) -> [Vtep; 2] {
    [0, 1].map(|index| {
        let mac = devices.units()[index].tunnel_mac(TUNNEL_PATH).unwrap();
        let mut entry = Vtep {
            network: settings.vtep_networks[index].parse().unwrap(),
            endpoint: units[index].local,
            mac: parse_mac(&mac).unwrap(),
        };
        if index == 0 {
            (settings.vtep)(&mut entry);
        }
        entry
    })
}

/// The MAC address of the record of a node, worked out here.
pub(crate) fn mac(address: &str) -> String {
    let [a, b, c, d] = address.parse::<Ipv4Addr>().unwrap().octets();
    format!("0a:0a:{a:02x}:{b:02x}:{c:02x}:{d:02x}")
}

/// The MAC address with which the stand-in for a node answers, worked out here.
pub(crate) fn node_mac(address: &str) -> String {
    let [a, b, c, d] = address.parse::<Ipv4Addr>().unwrap().octets();
    format!("06:c1:{a:02x}:{b:02x}:{c:02x}:{d:02x}")
}

/// An address in the network of the underlay.
pub(crate) fn network(address: &str) -> ipnet::Ipv4Net {
    format!("{address}/24").parse().unwrap()
}

fn host_of(self_ip: &str) -> Ipv4Addr {
    self_ip.parse::<ipnet::Ipv4Net>().unwrap().addr()
}

/// How many more of each arrived since before.
pub(crate) fn since(before: Seen, now: Seen) -> Seen {
    Seen {
        arp_requests: now.arp_requests - before.arp_requests,
        arp_answers: now.arp_answers - before.arp_answers,
        delivered: now.delivered - before.delivered,
        wrong_vni: now.wrong_vni - before.wrong_vni,
        strangers: now.strangers - before.strangers,
    }
}

/// Writes a line that is seen also when the test passes.
pub(crate) fn say(line: &str) {
    // A closed standard error is no failure of the test.
    let _ = io::stderr().write_all(format!("{line}\n").as_bytes());
}
