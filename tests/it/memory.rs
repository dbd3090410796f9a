//! The operator under the chart's memory limit, in a cgroup of its own: units whose lists do not end, and
//! connections that never finish their headers, cost neither its life nor another unit's records.
//!
//! Needs the right to make a cgroup: run as root it fails without, as anybody else it is passed over.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bigip_sim::{Delivery, Effect, Fault, Method, TunnelConfig};
use bigip_tunnel_crds::ANNOTATION_RECONCILE_REQUESTED_AT;
use bigip_tunnel_crds::v1alpha1::BigIpTunnel;
use bigip_tunnel_harness::devices::DevicePair;
use bigip_tunnel_harness::operator::{OperatorOptions, OperatorProcess};
use bigip_tunnel_harness::products::Product;
use bigip_tunnel_harness::supervise::Exit;
use bigip_tunnel_harness::wait::{Answer, eventually};
use bigip_tunnel_harness::{chart, objects, paths};
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};
use tokio::net::TcpStream;

use crate::world::{
    LOCAL_ADDRESS, NEW_NODE, NEW_RECORD, RECORD_1, RECORD_2, RECORD_3, TUNNEL, TUNNEL_PATH, World,
    find, say,
};

const LIMIT: Duration = Duration::from_secs(120);
const MIB: u64 = 1 << 20;
/// Connections to the metrics port that never finish their headers, and what each of them sends of these.
const HALF_OPEN: usize = 400;
const HALF_A_HEADER: usize = 390_000;
/// Records of a list that is too long.
const MASSES: u32 = 95_000;
/// Records of a list that is not, and is followed by spaces without end.
const MANY: u32 = 39_000;

/// The memory limit of the container in the chart.
fn chart_limit() -> u64 {
    let values = paths::workspace_root().join("charts/bigip-tunnel-operator/values.yaml");
    let values = chart::objects(&fs::read_to_string(values).unwrap()).unwrap();
    let limit = values[0]["resources"]["limits"]["memory"].as_str().unwrap();
    let mebibytes: u64 = limit.strip_suffix("Mi").unwrap().parse().unwrap();
    mebibytes * MIB
}

/// A cgroup with a memory limit, of either version. Gone with this value.
struct Cgroup {
    folder: PathBuf,
    /// What its processes hold of memory that cannot be dropped, in `memory.stat`.
    held: &'static str,
}

impl Cgroup {
    fn new(name: &str, limit: u64) -> io::Result<Self> {
        let root = Path::new("/sys/fs/cgroup");
        let (parent, file, held) = if root.join("memory/memory.limit_in_bytes").exists() {
            (root.join("memory"), "memory.limit_in_bytes", "total_rss ")
        } else {
            // Version 2: the controller has to be passed on. Where it is already, this is refused.
            let _ = fs::write(root.join("cgroup.subtree_control"), "+memory");
            (root.to_owned(), "memory.max", "anon ")
        };
        let folder = parent.join(format!("{name}-{}", std::process::id()));
        fs::create_dir(&folder)?;
        let cgroup = Self { folder, held };
        fs::write(cgroup.folder.join(file), limit.to_string())?;
        // Memory that is moved to a disk would hide what is held.
        let no_swap = ["memory.swap.max", "memory.swappiness"];
        for file in no_swap.map(|file| cgroup.folder.join(file)) {
            if file.exists() {
                fs::write(file, "0")?;
            }
        }
        Ok(cgroup)
    }

    /// A program that enters the cgroup and then becomes the operator.
    fn entrance(&self, folder: &Path, operator: &Path) -> PathBuf {
        let program = folder.join("operator-in-cgroup");
        let script = format!(
            "#!/bin/sh\nset -e\necho $$ > '{}'\nexec '{}' \"$@\"\n",
            self.folder.join("cgroup.procs").display(),
            operator.display()
        );
        fs::write(&program, script).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o700)).unwrap();
        program
    }

    fn held_bytes(&self) -> u64 {
        let stat = fs::read_to_string(self.folder.join("memory.stat")).unwrap();
        let held = stat.lines().find_map(|line| line.strip_prefix(self.held));
        held.unwrap().parse().unwrap()
    }

    fn is_empty(&self) -> bool {
        let processes = fs::read_to_string(self.folder.join("cgroup.procs"));
        processes.is_ok_and(|text| text.is_empty())
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        // A process that was killed is in it for a moment.
        let until = Instant::now() + Duration::from_secs(10);
        while fs::remove_dir(&self.folder).is_err() && Instant::now() < until {
            std::thread::yield_now();
        }
    }
}

/// A list of so many records in the typical form, up to the last one.
fn list(count: u32) -> String {
    let kind = "tm:net:fdb:tunnel:records:recordscollectionstate";
    let mut text = format!(r#"{{"kind":"{kind}","items":["#);
    for number in 0..count {
        let comma = if number == 0 { "" } else { "," };
        let [a, b, c, d] = (0x0a20_0000 + number).to_be_bytes();
        let mac = format!("0a:0a:{a:02x}:{b:02x}:{c:02x}:{d:02x}");
        let link =
            format!("https://localhost/mgmt/tm/net/fdb/tunnel/~Common~{TUNNEL}/records/{mac}");
        let kind = "tm:net:fdb:tunnel:records:recordsstate";
        write!(
            text,
            r#"{comma}{{"kind":"{kind}","name":"{mac}","fullPath":"{mac}","generation":130,"selfLink":"{link}?ver=16.1.2","endpoint":"{a}.{b}.{c}.{d}%0"}}"#
        )
        .unwrap();
    }
    text
}

fn listing(effect: Effect) -> Fault {
    Fault::new(effect)
        .method(Method::GET)
        .path_ends_with("/records")
}

/// The operator in its cgroup, and what it has to stand.
struct Siege {
    // Ends before its cgroup does.
    operator: Option<OperatorProcess>,
    cgroup: Cgroup,
    entrance: PathBuf,
    namespaces: Vec<String>,
    hostile: Vec<DevicePair>,
    half_open: Vec<TcpStream>,
    most_held: std::cell::Cell<u64>,
    _folder: tempfile::TempDir,
}

impl Siege {
    async fn new(world: &World, limit: u64) -> Self {
        let cgroup = Cgroup::new(&world.name, limit).unwrap_or_else(|error| {
            panic!("root cannot make a cgroup with a memory limit in /sys/fs/cgroup: {error}")
        });
        let folder = tempfile::tempdir().unwrap();
        let entrance = cgroup.entrance(folder.path(), &Product::Operator.path().unwrap());
        let mut siege = Self {
            operator: None,
            cgroup,
            entrance,
            namespaces: vec![world.name.clone()],
            hostile: Vec::new(),
            half_open: Vec::new(),
            most_held: std::cell::Cell::default(),
            _folder: folder,
        };
        for number in 1..=2 {
            siege.add_hostile_pair(world, number).await;
        }
        siege
    }

    /// Two units with an object each. Three of the four have masses of records, the last one an answer
    /// without an end.
    async fn add_hostile_pair(&mut self, world: &World, number: usize) {
        let tunnel = TunnelConfig::vxlan(TUNNEL_PATH, LOCAL_ADDRESS);
        let pair = DevicePair::start(&tunnel).await.unwrap();
        let namespace = format!("{}-{number}", world.name);
        objects::create_namespace(&world.client, &namespace)
            .await
            .unwrap();
        objects::create_access(&world.client, &namespace, &pair)
            .await
            .unwrap();
        let json = "application/json; charset=UTF-8";
        for (index, unit) in pair.units().iter().enumerate() {
            let effect = if (number, index) == (2, 1) {
                Effect {
                    delivery: Delivery::Endless,
                    ..Effect::status(200, json, list(MANY))
                }
            } else {
                Effect::status(200, json, list(MASSES) + "]}")
            };
            unit.fault(listing(effect));
            let mut spec = world.spec();
            spec["devices"] = json!([pair.spec_devices()[index]]);
            let name = format!("hostile-{index}");
            objects::create_tunnel(&world.client, &namespace, &name, spec)
                .await
                .unwrap();
        }
        self.namespaces.push(namespace);
        self.hostile.push(pair);
    }

    async fn start_operator(&mut self, world: &World) {
        let options = OperatorOptions {
            kubeconfig: Some(world.kubeconfig.clone()),
            watch_namespaces: self.namespaces.clone(),
            settle_seconds: Some(0),
            ..OperatorOptions::default()
        };
        let supervisor = Product::ControlPlane.path().unwrap();
        let started = OperatorProcess::start_program(&supervisor, &self.entrance, options).await;
        self.operator = Some(started.unwrap());
        assert!(!self.cgroup.is_empty(), "the operator is not in its cgroup");
        self.open_halves().await;
    }

    /// Opens connections that send a part of their headers and no more.
    async fn open_halves(&mut self) {
        let address = self.operator.as_ref().unwrap().listen_address();
        let mut part = b"GET /metrics HTTP/1.1\r\nHost: x\r\nX-Long: ".to_vec();
        part.resize(HALF_A_HEADER, b'x');
        self.half_open.clear();
        for _ in 0..HALF_OPEN {
            let stream = TcpStream::connect(address).await.unwrap();
            stream.writable().await.unwrap();
            // As much as is taken; what is not stays unsent.
            let _ = stream.try_write(&part);
            self.half_open.push(stream);
        }
    }

    fn note_held(&self) {
        let held = self.cgroup.held_bytes().max(self.most_held.get());
        self.most_held.set(held);
    }

    /// Has every hostile unit read again, and waits until each has got its reason.
    async fn until_hostile_are_told(&self, world: &World, request: &str) {
        let expected = [
            (1, 0, "TooManyRecords"),
            (1, 1, "TooManyRecords"),
            (2, 0, "TooManyRecords"),
            (2, 1, "ProtocolError"),
        ];
        let tunnels = |number: usize| -> Api<BigIpTunnel> {
            Api::namespaced(world.client.clone(), &self.namespaces[number])
        };
        for (number, index, _) in expected {
            let annotations = json!({ANNOTATION_RECONCILE_REQUESTED_AT: request});
            let patch = Patch::Merge(json!({"metadata": {"annotations": annotations}}));
            let name = format!("hostile-{index}");
            let (tunnels, params) = (tunnels(number), PatchParams::default());
            tunnels.patch(&name, &params, &patch).await.unwrap();
        }
        for (number, index, reason) in expected {
            let what = format!("{reason} of hostile unit {number}/{index} after {request}");
            let told = eventually(what, LIMIT, async || {
                self.note_held();
                let object = tunnels(number)
                    .get(&format!("hostile-{index}"))
                    .await
                    .unwrap();
                let status = object.status.unwrap_or_default();
                let handled = status.last_handled_reconcile_at.as_deref() == Some(request);
                let ready = find(&status.conditions, "Ready").map(|ready| ready.reason.clone());
                if handled && ready.as_deref() == Some(reason) {
                    Answer::Done(())
                } else {
                    Answer::NotYet(format!("{ready:?}, {:?}", self.last_lines()))
                }
            });
            world.must(told.await).await;
        }
    }

    async fn until_healthy_unit_holds(&self, world: &World, records: &[(&str, &str)]) {
        self.note_held();
        world.until_unit(world.devices.active(), records).await;
        self.note_held();
    }

    fn last_lines(&self) -> Vec<String> {
        let log = self.operator.as_ref().map(OperatorProcess::log);
        let log = log.unwrap_or_default();
        log[log.len().saturating_sub(5)..].to_vec()
    }
}

/// The healthy unit alone.
fn healthy_spec(world: &World) -> Value {
    let mut spec = world.spec();
    spec["devices"] = json!([world.devices.spec_devices()[0]]);
    spec
}

#[tokio::test]
async fn hostile_units_and_connections_leave_the_operator_alive() {
    if !rustix::process::geteuid().is_root() {
        say("passed over: only root can make a cgroup");
        return;
    }
    let world = World::new("memory-siege").await;
    world.create_nodes().await;
    let limit = chart_limit();
    let mut siege = Siege::new(&world, limit).await;
    siege.start_operator(&world).await;
    world.create(healthy_spec(&world)).await;
    world.until_ready().await;
    siege.until_hostile_are_told(&world, "first").await;
    siege.open_halves().await;
    world.create_node(NEW_NODE).await;
    let all = [RECORD_1, RECORD_2, RECORD_3, NEW_RECORD];
    siege.until_healthy_unit_holds(&world, &all).await;
    // It would be killed again after each restart, too.
    siege.operator.take().unwrap().kill().await;
    siege.start_operator(&world).await;
    siege.until_hostile_are_told(&world, "second").await;
    let fifth = ("5", "10.169.72.242");
    world.create_node(fifth).await;
    let fifth = ("0a:0a:0a:a9:48:f2", "10.169.72.242%0");
    let all = [RECORD_1, RECORD_2, RECORD_3, NEW_RECORD, fifth];
    siege.until_healthy_unit_holds(&world, &all).await;
    let ended = siege.operator.take().unwrap().terminate().await.unwrap();
    assert_eq!(ended, Exit::Code(0), "not killed");
    let (held, limit) = (siege.most_held.get() / MIB, limit / MIB);
    say(&format!("the operator held {held} MiB of {limit} MiB"));
    assert!(held < limit * 3 / 4, "{held} of {limit} MiB");
}
