//! A unit whose tunnels are in the network namespace that it is started in, as in a pod, without the right to make
//! namespaces.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, Command, Stdio};

use bigip_sim::netns::Namespace;
use bigip_tunnel_dataplane::{Node, Underlay, Vtep, VtepTable, parse_mac};
use bigip_tunnel_harness::products::Product;
use futures::TryStreamExt as _;
use rtnetlink::packet_route::link::LinkAttribute;
use rustix::thread::{CapabilitySet, remove_capability_from_bounding_set};
use serde_json::{Value, json};
use tempfile::NamedTempFile;

use crate::lab::{TUNNEL_PATH, missing_right, network, say};

const UNIT: &str = "10.169.72.34";
const NODE: &str = "10.169.72.239";
const POD: &str = "10.0.0.130";
const PASSWORD: &str = "s3cret";
const STATS: &str = "net/tunnels/tunnel/~Common~flannel_vxlan/stats?options=all-properties";

/// A network with a host for a unit, which is a program without `CAP_SYS_ADMIN`.
struct World {
    underlay: Underlay,
    unit: Namespace,
    client: Namespace,
    password: NamedTempFile,
}

/// A running unit. It is killed with this value.
struct Program {
    process: Child,
    /// What it said when it was ready.
    ready: Value,
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl World {
    /// `None`, with a line that says so, where the rights are missing.
    async fn new(name: &str) -> Option<Self> {
        if let Some(reason) = missing_right().await {
            say(&format!("skipped: {name}: {reason}"));
            return None;
        }
        let underlay = Underlay::new().await.unwrap();
        let mut password = NamedTempFile::new().unwrap();
        password.write_all(PASSWORD.as_bytes()).unwrap();
        Some(Self {
            unit: underlay.add_host(network(UNIT)).await.unwrap(),
            client: underlay.add_host(network("10.169.72.9")).await.unwrap(),
            underlay,
            password,
        })
    }

    /// Starts the program in the unit's namespace, where it may not make another one.
    fn spawn(&self, options: &[&str]) -> Child {
        let mut command = Command::new(Product::Simulator.path().unwrap());
        command
            .args(["--listen", &format!("{UNIT}:0"), "--exit-with-stdin"])
            .args(["--tunnel", TUNNEL_PATH, "--local-address", UNIT])
            .args(["--self-ip", "10.1.6.34/24"])
            .args(["--record", &format!("0a:0a:0a:a9:48:ef={NODE}%0")])
            .arg("--password-file")
            .arg(self.password.path())
            .args(options)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let spawn = || {
            // Of this thread alone, and of what it starts.
            remove_capability_from_bounding_set(CapabilitySet::SYS_ADMIN).unwrap();
            command.spawn()
        };
        self.unit.within(spawn).unwrap().unwrap()
    }

    fn start(&self) -> Program {
        let mut process = self.spawn(&["--dataplane=in-place"]);
        let mut line = String::new();
        BufReader::new(process.stdout.as_mut().unwrap())
            .read_line(&mut line)
            .unwrap();
        let ready = serde_json::from_str(&line).unwrap_or_else(|error| {
            panic!("{error}: {line}{}", end(&mut process));
        });
        Program { process, ready }
    }

    /// Sends a request to a unit, from another host. Returns the body of the answer.
    async fn rest(&self, unit: &Program, method: &str, path: &str, body: Option<Value>) -> Value {
        let authority = unit.ready["ca"].as_str().unwrap().as_bytes();
        let authority = reqwest::Certificate::from_pem(authority).unwrap();
        let url = format!("https://{UNIT}:{}/mgmt/tm/{path}", unit.ready["port"]);
        let (client, method) = (self.client.clone(), method.parse().unwrap());
        let send = async move {
            let client = reqwest::Client::builder()
                .tls_certs_only([authority])
                .build()
                .unwrap();
            let request = client.request(method, url);
            let request = request.basic_auth("admin", Some(PASSWORD));
            let request = match body {
                Some(body) => request.json(&body),
                None => request,
            };
            let response = request.send().await.unwrap();
            assert_eq!(response.status(), 200, "{}", response.url());
            response.json().await.unwrap()
        };
        // The connections of a runtime are in the namespace of its thread.
        let inside = move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            client.within(|| runtime.unwrap().block_on(send)).unwrap()
        };
        tokio::task::spawn_blocking(inside).await.unwrap()
    }

    /// Routes the pods into the tunnel, and pings one from the self IP: what ping prints.
    async fn ping(&self, unit: &Program) -> String {
        let route = json!({"name": "pods", "network": "10.0.0.0/16", "tmInterface": TUNNEL_PATH});
        self.rest(unit, "POST", "net/route", Some(route)).await;
        let args = format!("-n -c 1 -i 0.05 -W 1 -w 30 -I 10.1.6.34 {POD}");
        let body = json!({"command": "run", "utilCmdArgs": args});
        let answer = self.rest(unit, "POST", "util/ping", Some(body)).await;
        answer["commandResult"].as_str().unwrap().to_owned()
    }

    /// A node with the pod, with the VTEP entry of a unit.
    async fn start_node(&self, unit: &Program) -> Node {
        let stats = self.rest(unit, "GET", STATS, None).await;
        let entries = stats["entries"].as_object().unwrap().values().next();
        let mac = &entries.unwrap()["nestedStats"]["entries"]["macAddr"]["description"];
        let vtep = Vtep {
            network: "10.1.6.0/24".parse().unwrap(),
            endpoint: UNIT.parse().unwrap(),
            mac: parse_mac(mac.as_str().unwrap()).unwrap(),
        };
        let host = self.underlay.add_host(network(NODE)).await.unwrap();
        let node = Node::start(&host, NODE.parse().unwrap(), VtepTable::new(24, &[vtep])).unwrap();
        node.add_pod(POD.parse().unwrap());
        node
    }

    /// The interfaces of the unit's namespace.
    async fn interfaces(&self) -> Vec<String> {
        // The way to them has to be there until all are read.
        let way = self.unit.netlink().unwrap();
        let links: Vec<_> = way.link().get().execute().try_collect().await.unwrap();
        let attributes = links.into_iter().flat_map(|link| link.attributes);
        let names = attributes.filter_map(|attribute| match attribute {
            LinkAttribute::IfName(name) => Some(name),
            _ => None,
        });
        names.collect()
    }

    /// Requires that a tunnel has an interface, or that none has.
    async fn assert_has_tunnel(&self, has_one: bool) {
        let interfaces = self.interfaces().await;
        let found = interfaces.iter().any(|name| name.starts_with("tunnel"));
        assert_eq!(found, has_one, "{interfaces:?}");
    }
}

/// Closes the input of a program. Returns what it said on standard error.
fn end(process: &mut Child) -> String {
    drop(process.stdin.take());
    let mut said = String::new();
    let mut stderr = process.stderr.take().unwrap();
    stderr.read_to_string(&mut said).unwrap();
    said
}

/// What a program says that does not start.
fn complaint(mut process: Child) -> String {
    let said = end(&mut process);
    assert!(!process.wait().unwrap().success(), "{said}");
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn unit_in_place_reaches_pods_without_sys_admin() {
    let Some(world) = World::new("in-place").await else {
        return;
    };
    let mut unit = world.start();
    let _node = world.start_node(&unit).await;
    let said = world.ping(&unit).await;
    assert!(said.contains(" 1 received, "), "{said}");

    world.assert_has_tunnel(true).await;
    let said = end(&mut unit.process);
    assert!(unit.process.wait().unwrap().success(), "{said}");
    world.assert_has_tunnel(false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tunnels_of_a_killed_unit_are_replaced() {
    let Some(world) = World::new("in-place-killed").await else {
        return;
    };
    let unit = world.start();
    let _node = world.start_node(&unit).await;
    drop(unit);
    world.assert_has_tunnel(true).await;

    let unit = world.start();
    let said = world.ping(&unit).await;
    assert!(said.contains(" 1 received, "), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn second_unit_in_a_namespace_is_refused() {
    let Some(world) = World::new("in-place-twice").await else {
        return;
    };
    let _first = world.start();
    let said = complaint(world.spawn(&["--dataplane=in-place"]));
    assert!(said.contains("another bigip-sim has its tunnels"), "{said}");
    // Those of the first one stay.
    world.assert_has_tunnel(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_right_names_the_other_place() {
    let Some(world) = World::new("separate-refused").await else {
        return;
    };
    let said = complaint(world.spawn(&["--dataplane"]));
    assert!(said.contains("CAP_SYS_ADMIN is missing"), "{said}");
    assert!(said.contains("--dataplane=in-place"), "{said}");
    let underlay = ["--dataplane=in-place", "--underlay=/run/netns/lab"];
    let said = complaint(world.spawn(&underlay));
    assert!(said.contains("goes with --dataplane=separate"), "{said}");
}
