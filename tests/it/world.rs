//! The world of one test: what it starts, how it looks at it, and what it says when something does
//! not become true.
//!
//! Must not know what a single test is about.

mod nodes;
pub(crate) mod operator;
pub(crate) mod plugin;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use bigip_sim::{LoggedRequest, Method, Simulator, TunnelConfig};
use bigip_tunnel_crds::ANNOTATION_RECONCILE_REQUESTED_AT;
use bigip_tunnel_crds::v1alpha1::{BigIpTunnel, BigIpTunnelStatus, ClaimState, DeviceStatus};
use bigip_tunnel_harness::control_plane::{self, ControlPlane};
use bigip_tunnel_harness::devices::DevicePair;
use bigip_tunnel_harness::nodes::Nodes;
use bigip_tunnel_harness::objects;
use bigip_tunnel_harness::operator::{OperatorOptions, OperatorProcess};
use bigip_tunnel_harness::supervise::Exit;
use bigip_tunnel_harness::wait::{Answer, Timeout, eventually};
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::api::{DeleteParams, Patch, PatchParams};
use kube::{Api, Client};
use serde_json::{Value, json};

use crate::witness::Witness;

/// Name of the tunnel on the devices.
pub(crate) const TUNNEL: &str = "flannel_vxlan";
/// The same as a full path.
pub(crate) const TUNNEL_PATH: &str = "/Common/flannel_vxlan";
/// Local address of the tunnel.
pub(crate) const LOCAL_ADDRESS: &str = "10.169.72.34";
/// Name of the object.
pub(crate) const NAME: &str = "prod-east";

/// Record of the first node of [`NODES`].
pub(crate) const RECORD_1: (&str, &str) = ("0a:0a:0a:a9:48:ef", "10.169.72.239%0");
/// Record of the second one.
pub(crate) const RECORD_2: (&str, &str) = ("0a:0a:0a:a9:48:e9", "10.169.72.233%0");
/// Record of the third one.
pub(crate) const RECORD_3: (&str, &str) = ("0a:0a:0a:a9:48:f0", "10.169.72.240%0");
/// Record of [`NEW_NODE`].
pub(crate) const NEW_RECORD: (&str, &str) = ("0a:0a:0a:a9:48:f1", "10.169.72.241%0");
/// A record that somebody else has made.
pub(crate) const FOREIGN: (&str, &str) = ("52:54:00:c0:ff:ee", "192.0.2.99%0");

/// The nodes of the published example, and their records worked out by hand.
pub(crate) const NODES: [(&str, &str); 3] = [
    ("1", "10.169.72.239"),
    ("2", "10.169.72.233"),
    ("3", "10.169.72.240"),
];
/// A node that comes later.
pub(crate) const NEW_NODE: (&str, &str) = ("4", "10.169.72.241");

/// How long something may take that has no limit of its own. Far more than it does take.
const LIMIT: Duration = Duration::from_secs(90);
/// Lines of the operator's log that are shown when a test fails.
const LOG_LINES: usize = 30;

/// Everything that runs for one test. The operator ends before the devices do.
pub(crate) struct World {
    /// The first field, so that it judges before the operator and the devices end.
    pub(crate) witness: Witness,
    operator: Option<OperatorProcess>,
    pub(crate) devices: DevicePair,
    pub(crate) nodes: Nodes,
    pub(crate) client: Client,
    /// Name of the namespace, and beginning of the names of the nodes.
    pub(crate) name: String,
    tunnel: TunnelConfig,
    pub(crate) kubeconfig: PathBuf,
    /// More arguments of operators that are elected; none are.
    election: Option<Vec<String>>,
    requests: Cell<u32>,
}

impl World {
    /// A world with the usual tunnel, without nodes, object and operator. `name` is the test's own.
    pub(crate) async fn new(name: &str) -> Self {
        Self::with_tunnel(name, TunnelConfig::vxlan(TUNNEL_PATH, LOCAL_ADDRESS)).await
    }

    /// The same with another tunnel on both devices.
    pub(crate) async fn with_tunnel(name: &str, tunnel: TunnelConfig) -> Self {
        let control_plane = ControlPlane::shared().unwrap();
        Self::on(control_plane, name, tunnel).await
    }

    /// The same on a control plane of the test's own.
    pub(crate) async fn on(control_plane: &ControlPlane, name: &str, tunnel: TunnelConfig) -> Self {
        let devices = DevicePair::start(&tunnel).await.unwrap();
        Self::of(control_plane, name, tunnel, devices).await
    }

    /// The same with these devices, which have the tunnel.
    pub(crate) async fn of(
        control_plane: &ControlPlane,
        name: &str,
        tunnel: TunnelConfig,
        devices: DevicePair,
    ) -> Self {
        let kubeconfig = control_plane.kubeconfig().to_owned();
        let client = control_plane::client(&kubeconfig).await.unwrap();
        objects::create_namespace(&client, name).await.unwrap();
        objects::create_access(&client, name, &devices)
            .await
            .unwrap();
        let witness = Witness::new(&kubeconfig, name);
        for unit in devices.units() {
            witness.watch(unit);
        }
        Self {
            witness,
            operator: None,
            devices,
            nodes: Nodes::new(client.clone(), name),
            client,
            name: name.to_owned(),
            tunnel,
            kubeconfig,
            election: None,
            requests: Cell::new(0),
        }
    }

    /// A world with the three nodes of the example and a running operator, and both devices in sync.
    pub(crate) async fn in_sync(name: &str) -> Self {
        Self::new(name).await.into_sync().await
    }

    /// Adds the three nodes, the operator and the object, and waits until both devices are in sync.
    pub(crate) async fn into_sync(mut self) -> Self {
        self.create_nodes().await;
        self.start_operator().await;
        self.create(self.spec()).await;
        self.until_ready().await;
        self
    }

    /// Starts an operator that watches this namespace only and may remove at once.
    pub(crate) async fn start_operator(&mut self) {
        self.start_operator_that_settles_for(0).await;
    }

    /// The same with more arguments.
    pub(crate) async fn start_operator_with(&mut self, args: &[&str]) {
        let args = args.iter().map(|arg| (*arg).to_owned()).collect();
        let options = OperatorOptions {
            args,
            ..self.operator_options(0)
        };
        self.operator = Some(OperatorProcess::start(options).await.unwrap());
    }

    /// The same with everything logged that there is.
    pub(crate) async fn start_operator_that_logs_all(&mut self) {
        let options = OperatorOptions {
            env: vec![("RUST_LOG".to_owned(), "trace".to_owned())],
            ..self.operator_options(0)
        };
        self.operator = Some(OperatorProcess::start(options).await.unwrap());
    }

    /// The same for one namespace more.
    pub(crate) async fn start_operator_also_in(&mut self, namespace: &str) {
        let options = OperatorOptions {
            watch_namespaces: vec![self.name.clone(), namespace.to_owned()],
            ..self.operator_options(0)
        };
        self.operator = Some(OperatorProcess::start(options).await.unwrap());
    }

    /// The same with another `--settle-seconds`.
    pub(crate) async fn start_operator_that_settles_for(&mut self, seconds: u32) {
        let options = self.operator_options(seconds);
        self.operator = Some(OperatorProcess::start(options).await.unwrap());
    }

    fn operator_options(&self, settle_seconds: u32) -> OperatorOptions {
        // What other tests make of Cilium is none of this one's.
        let mut args = vec![format!("--cilium-namespace={}", self.name)];
        args.extend(self.election.iter().flatten().cloned());
        OperatorOptions {
            kubeconfig: Some(self.kubeconfig.clone()),
            watch_namespaces: vec![self.name.clone()],
            settle_seconds: Some(settle_seconds),
            lease: self.lease(),
            args,
            ..OperatorOptions::default()
        }
    }

    /// Kills the operator as a crash would.
    pub(crate) async fn kill_operator(&mut self) {
        self.take_operator().kill().await;
    }

    /// Ends the operator with SIGTERM.
    pub(crate) async fn terminate_operator(&mut self) -> Exit {
        self.take_operator().terminate().await.unwrap()
    }

    /// The operator, for a test that ends it in its own way.
    pub(crate) fn take_operator(&mut self) -> OperatorProcess {
        self.operator.take().unwrap()
    }

    /// The spec for both devices and the nodes of this test. Removals wait for nothing, and nothing
    /// is verified unless the test asks for it.
    pub(crate) fn spec(&self) -> Value {
        let nodes = json!({"selector": self.nodes.selector(), "removalDelaySeconds": 0});
        let mut spec = objects::tunnel_spec(&self.devices, TUNNEL, &nodes);
        spec["drift"] = json!({"intervalSeconds": 3600});
        spec
    }

    /// Makes the object.
    pub(crate) async fn create(&self, spec: Value) {
        self.create_named(NAME, spec).await;
    }

    /// Makes another object.
    pub(crate) async fn create_named(&self, name: &str, spec: Value) {
        objects::create_tunnel(&self.client, &self.name, name, spec)
            .await
            .unwrap();
    }

    /// Changes parts of the spec, as `kubectl patch --type merge` does.
    pub(crate) async fn patch_spec(&self, spec: Value) {
        self.patch(json!({ "spec": spec })).await;
    }

    /// Sets an annotation of the object.
    pub(crate) async fn annotate(&self, annotation: &str, value: &str) {
        self.patch(json!({"metadata": {"annotations": {annotation: value}}}))
            .await;
    }

    /// Makes the object trust these certificates.
    pub(crate) async fn trust(&self, bundles: &[&str]) {
        let api: Api<ConfigMap> = Api::namespaced(self.client.clone(), &self.name);
        let patch = Patch::Merge(json!({"data": {"ca.crt": bundles.concat()}}));
        let name = objects::CA_CONFIG_MAP;
        api.patch(name, &PatchParams::default(), &patch)
            .await
            .unwrap();
    }

    /// Changes what the spec says about the standby unit.
    pub(crate) async fn patch_standby(&self, fields: &Value) {
        self.patch_spec(json!({"devices": self.devices_with_standby(fields)}))
            .await;
    }

    /// `spec.devices` with other fields for the standby unit.
    pub(crate) fn devices_with_standby(&self, fields: &Value) -> Value {
        let mut devices = self.devices.spec_devices();
        let standby = devices[1].as_object_mut().unwrap();
        standby.extend(fields.as_object().unwrap().clone());
        devices
    }

    /// Merges anything into the object.
    pub(crate) async fn patch(&self, patch: Value) {
        self.objects()
            .patch(NAME, &PatchParams::default(), &Patch::Merge(patch))
            .await
            .unwrap();
    }

    /// Deletes the object. Does not wait until it is gone.
    pub(crate) async fn delete(&self, name: &str) {
        self.objects()
            .delete(name, &DeleteParams::default())
            .await
            .unwrap();
    }

    /// Waits until the object is gone.
    pub(crate) async fn until_gone(&self, name: &str) {
        let gone = eventually(format!("object {name} gone"), LIMIT, async || {
            let left = self.objects().get_opt(name).await.unwrap();
            let left = left.map(|object| object.status.map(|status| status.conditions));
            Answer::when(left, Option::is_none)
        });
        self.must(gone.await).await;
    }

    /// The objects of this namespace.
    pub(crate) fn objects(&self) -> Api<BigIpTunnel> {
        Api::namespaced(self.client.clone(), &self.name)
    }

    /// The object.
    pub(crate) async fn object(&self) -> BigIpTunnel {
        self.objects().get(NAME).await.unwrap()
    }

    /// Its status.
    pub(crate) async fn status(&self) -> BigIpTunnelStatus {
        self.object().await.status.unwrap_or_default()
    }

    /// Starts one more operator for this namespace.
    pub(crate) async fn another_operator(&self) -> OperatorProcess {
        let options = self.operator_options(0);
        OperatorProcess::start(options).await.unwrap()
    }

    /// Waits until both devices hold exactly these records. Returns how long that took.
    pub(crate) async fn until_records(&self, records: &[(&str, &str)]) -> Duration {
        let expected = to_map(records);
        self.until_each([&expected, &expected]).await
    }

    /// Waits until the active and the standby unit hold exactly these records.
    pub(crate) async fn until_each(&self, expected: [&BTreeMap<String, String>; 2]) -> Duration {
        let started = Instant::now();
        let seen = self
            .devices
            .until_records(&self.tunnel.path, expected, LIMIT);
        self.must(seen.await).await;
        started.elapsed()
    }

    /// Waits until one device holds exactly these records. Returns how long that took.
    pub(crate) async fn until_unit(&self, unit: &Simulator, records: &[(&str, &str)]) -> Duration {
        let (started, expected) = (Instant::now(), to_map(records));
        let seen = eventually("the records of one unit", LIMIT, async || {
            Answer::when(unit.records(&self.tunnel.path), |seen| *seen == expected)
        });
        self.must(seen.await).await;
        started.elapsed()
    }

    /// Checks that both devices hold exactly these records now.
    pub(crate) fn assert_records(&self, records: &[(&str, &str)]) {
        for (name, unit) in self.devices.named() {
            assert_eq!(unit.records(&self.tunnel.path), to_map(records), "{name}");
        }
    }

    /// Waits until the status is as it should be.
    pub(crate) async fn until_status(
        &self,
        what: &str,
        is_right: impl Fn(&BigIpTunnelStatus) -> bool,
    ) -> BigIpTunnelStatus {
        let seen = eventually(what, LIMIT, async || {
            let status = self.status().await;
            if is_right(&status) {
                Answer::Done(status)
            } else {
                Answer::NotYet(format!("{:?}", status.summary))
            }
        });
        self.must(seen.await).await
    }

    /// Waits until the object is Ready in its current generation.
    pub(crate) async fn until_ready(&self) -> BigIpTunnelStatus {
        let generation = self.object().await.metadata.generation;
        self.until_status("Ready", |status| {
            let ready = find(&status.conditions, "Ready");
            status.observed_generation >= generation && ready.is_some_and(|c| c.status == "True")
        })
        .await
    }

    /// Waits until Ready is False for this reason in the object's current generation.
    pub(crate) async fn until_reason(&self, reason: &str) -> BigIpTunnelStatus {
        let generation = self.object().await.metadata.generation;
        self.until_status(&format!("Ready=False/{reason}"), |status| {
            let ready = find(&status.conditions, "Ready");
            status.observed_generation >= generation
                && ready.is_some_and(|c| c.reason == reason && c.status == "False")
        })
        .await
    }

    /// Asks for a pass over every device and waits until it was made.
    pub(crate) async fn reconcile(&self) {
        self.requests.set(self.requests.get() + 1);
        let value = format!("request-{}", self.requests.get());
        let annotation = json!({ANNOTATION_RECONCILE_REQUESTED_AT: value});
        self.patch(json!({"metadata": {"annotations": annotation}}))
            .await;
        self.until_status(&format!("{value} handled"), |status| {
            status.last_handled_reconcile_at.as_ref() == Some(&value)
        })
        .await;
    }

    /// Waits until nothing that was due before this call can still be done. A pass may be followed
    /// by one more at once; the second request is answered after that one.
    pub(crate) async fn settle(&self) {
        self.reconcile().await;
        self.reconcile().await;
    }

    /// The value, or a failure that shows the status and the operator's log.
    pub(crate) async fn must<T>(&self, result: Result<T, Timeout>) -> T {
        let timeout = match result {
            Ok(value) => return value,
            Err(timeout) => timeout,
        };
        let object = self.objects().get_opt(NAME).await;
        let status = object.map(|object| object.and_then(|object| object.status));
        let status = serde_json::to_string(&status.ok()).unwrap_or_default();
        let log = self.operator.as_ref().map(OperatorProcess::log);
        let log = log.unwrap_or_default();
        let last = &log[log.len().saturating_sub(LOG_LINES)..];
        panic!(
            "{timeout}\nstatus: {status}\noperator:\n{}",
            last.join("\n")
        );
    }
}

/// Records as the simulator shows them.
pub(crate) fn to_map(records: &[(&str, &str)]) -> BTreeMap<String, String> {
    let records = records.iter().copied();
    records
        .map(|(mac, endpoint)| (mac.into(), endpoint.into()))
        .collect()
}

/// The condition of this type.
pub(crate) fn find<'a>(conditions: &'a [Condition], kind: &str) -> Option<&'a Condition> {
    conditions.iter().find(|condition| condition.type_ == kind)
}

/// The condition of this type, which has to be there.
pub(crate) fn condition<'a>(conditions: &'a [Condition], kind: &str) -> &'a Condition {
    find(conditions, kind).unwrap_or_else(|| panic!("no condition {kind} in {conditions:?}"))
}

/// What the status says about one device.
pub(crate) fn device<'a>(status: &'a BigIpTunnelStatus, name: &str) -> &'a DeviceStatus {
    let mut devices = status.devices.iter();
    devices.find(|device| device.name == name).unwrap()
}

/// The claims of one device: MAC address and state.
pub(crate) fn claims(status: &BigIpTunnelStatus, device: &str) -> BTreeMap<String, ClaimState> {
    let rows = status
        .ownership
        .iter()
        .flat_map(|ownership| &ownership.claims);
    rows.filter(|row| row.devices.iter().any(|name| name == device))
        .flat_map(|row| {
            let macs = row.mac_addresses().into_iter();
            macs.map(|mac| (mac.to_owned(), row.state))
        })
        .collect()
}

/// The requests of one method that a device has seen since its log was cleared.
pub(crate) fn requests(unit: &Simulator, method: &Method) -> Vec<LoggedRequest> {
    let requests = unit.requests().into_iter();
    requests
        .filter(|request| request.method == *method)
        .collect()
}

/// The requests that change the configuration since the log was cleared.
pub(crate) fn mutations(unit: &Simulator) -> Vec<LoggedRequest> {
    let requests = unit.requests().into_iter();
    requests.filter(LoggedRequest::is_mutation).collect()
}

/// Writes a line that is seen also when the test passes.
pub(crate) fn say(line: &str) {
    // A closed standard error is no failure: nobody reads it.
    let _ = std::io::stderr().write_all(format!("{line}\n").as_bytes());
}
