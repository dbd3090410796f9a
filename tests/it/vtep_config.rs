//! CiliumVTEPConfigs that the operator writes, on a real API server with both shapes of the kind: what is written, what
//! is refused, and that objects of others stay as they are to the byte.

mod v2;

use std::time::Duration;

use bigip_sim::TunnelConfig;
use bigip_tunnel_crds::ANNOTATION_RELEASE;
use bigip_tunnel_crds::v1alpha1::BigIpTunnelStatus;
use bigip_tunnel_harness::account::rule;
use bigip_tunnel_harness::chart;
use bigip_tunnel_harness::control_plane::{self, ControlPlane};
use bigip_tunnel_harness::devices::DevicePair;
use bigip_tunnel_harness::paths;
use bigip_tunnel_harness::products::Product;
use bigip_tunnel_harness::proxy::Proxy;
use bigip_tunnel_harness::wait::{Answer, eventually};
use k8s_openapi::api::core::v1::{ConfigMap, Node};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::api::{DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::{Api, Client, ResourceExt as _};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use crate::cilium::{api, apply, serve};
use crate::events::until_told;
use crate::rights::all_rights;
use crate::world::{LOCAL_ADDRESS, NAME, NODES, TUNNEL_PATH, World, condition, find};

/// How long something may take that has no limit of its own.
const LIMIT: Duration = Duration::from_secs(90);
/// What opens the feature gate.
const GATE: &str = "--feature-gates=VTEPConfig=true";
const KIND: &str = "CiliumVTEPConfig";
const PLURAL: &str = "ciliumvtepconfigs";

/// Installs the kinds of a fixture. Returns the CiliumVTEPConfigs.
async fn install(client: &Client, version: &str) -> Api<DynamicObject> {
    let folder = paths::workspace_root().join("tests/fixtures/cilium-crds");
    let text = std::fs::read_to_string(folder.join(format!("{version}.yaml"))).unwrap();
    let definitions: Api<CustomResourceDefinition> = Api::all(client.clone());
    for definition in chart::objects(&text).unwrap() {
        let definition = serde_json::from_value(definition).unwrap();
        definitions
            .create(&PostParams::default(), &definition)
            .await
            .unwrap();
    }
    let configs = api(client, version, KIND, PLURAL);
    let served = eventually("CiliumVTEPConfig served", LIMIT, async || {
        let listed = configs.list(&ListParams::default()).await;
        Answer::when(listed.map(|_| ()), Result::is_ok)
    });
    served.await.unwrap().unwrap();
    configs
}

/// A control plane with the shape of upstream, which tests share whose networks differ.
async fn upstream() -> &'static ControlPlane {
    static CONTROL_PLANE: OnceCell<ControlPlane> = OnceCell::const_new();
    let start = async || {
        let control_plane = ControlPlane::start().unwrap();
        let client = control_plane::client(control_plane.kubeconfig()).await;
        install(&client.unwrap(), "v2alpha1").await;
        control_plane
    };
    CONTROL_PLANE.get_or_init(start).await
}

/// A world with this self IP on its units, nodes whose pods have networks, and a configuration of Cilium.
async fn world(control_plane: &ControlPlane, name: &str, self_ip: &str) -> World {
    let tunnel = TunnelConfig::vxlan(TUNNEL_PATH, LOCAL_ADDRESS);
    let devices = DevicePair::start_with(&tunnel, |_, config| {
        for own in &mut config.self_ips {
            if own.vlan == TUNNEL_PATH {
                self_ip.clone_into(&mut own.address);
            }
        }
    });
    let devices = devices.await.unwrap();
    let world = World::of(control_plane, name, tunnel, devices).await;
    world.create_nodes().await;
    let nodes: Api<Node> = Api::all(world.client.clone());
    for (node, _) in NODES {
        let cidr = format!("10.71.{node}.0/24");
        let spec = Patch::Merge(json!({"spec": {"podCIDR": cidr, "podCIDRs": [cidr]}}));
        let name = world.node_name(node);
        nodes
            .patch(&name, &PatchParams::default(), &spec)
            .await
            .unwrap();
    }
    let config = serde_json::from_value(json!({
        "metadata": {"name": "cilium-config"},
        "data": {"enable-vtep": "true", "routing-mode": "tunnel", "ipam": "kubernetes"},
    }));
    let configs: Api<ConfigMap> = Api::namespaced(world.client.clone(), &world.name);
    configs
        .create(&PostParams::default(), &config.unwrap())
        .await
        .unwrap();
    world
}

async fn start(world: &mut World) {
    let namespace = format!("--cilium-namespace={}", world.name);
    world.start_operator_with(&[&namespace, GATE]).await;
}

/// Makes the object, with one unit, and asks for its CiliumVTEPConfig.
async fn create(world: &World) {
    let mut spec = world.spec();
    spec["devices"] = json!([spec["devices"][0]]);
    spec["cilium"] = json!({"vtepConfig": "Managed"});
    world.create(spec).await;
    world.until_ready().await;
}

fn name(world: &World) -> String {
    format!("bigip-tunnel.{}.{NAME}", world.name)
}

fn configs(world: &World, version: &str) -> Api<DynamicObject> {
    api(&world.client, version, KIND, PLURAL)
}

/// Waits for the condition with this status and reason.
async fn until(world: &World, status: &str, reason: &str) -> Condition {
    let is_it = |seen: &BigIpTunnelStatus| {
        let found = find(&seen.conditions, "VTEPConfigured");
        found.is_some_and(|found| found.status == status && found.reason == reason)
    };
    let what = format!("VTEPConfigured={status}/{reason}");
    let seen = world.until_status(&what, is_it).await;
    condition(&seen.conditions, "VTEPConfigured").clone()
}

/// Waits until the CiliumVTEPConfig of the object is so.
async fn until_config(
    world: &World,
    configs: &Api<DynamicObject>,
    is_so: impl Fn(Option<&DynamicObject>) -> bool,
) -> Option<DynamicObject> {
    let found = eventually("the CiliumVTEPConfig", LIMIT, async || {
        let found = configs.get_opt(&name(world)).await.unwrap();
        Answer::when(found, |found| is_so(found.as_ref()))
    });
    world.must(found.await).await
}

/// An object to the byte.
async fn bytes(configs: &Api<DynamicObject>, name: &str) -> String {
    serde_json::to_string(&configs.get(name).await.unwrap()).unwrap()
}

/// The changes of CiliumVTEPConfigs that were sent.
fn writes(proxy: &Proxy) -> Vec<String> {
    let seen = proxy.seen(|seen| seen.path.contains(PLURAL) && seen.method.as_str() != "GET");
    let real = seen
        .into_iter()
        .filter(|seen| !seen.query.contains("dryRun"));
    real.map(|seen| seen.method.to_string()).collect()
}

/// Another client's object in the shape of upstream.
fn foreign(name: &str, cidr: &str) -> Value {
    json!({
        "apiVersion": "cilium.io/v2alpha1", "kind": KIND, "metadata": {"name": name},
        "spec": {"vtepEndpoints": [
            {"name": "gateway", "tunnelEndpoint": "192.0.2.50", "cidr": cidr, "mac": "02:00:00:00:00:50"},
        ]},
    })
}

/// What the agent of a node says it has programmed: these entries.
async fn report(world: &World, entries: &Value) {
    let kind = "CiliumVTEPNodeConfig";
    let nodes = api(&world.client, "v2alpha1", kind, "ciliumvtepnodeconfigs");
    let statuses: Vec<Value> = entries
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| json!({"name": entry["name"], "synced": true}))
        .collect();
    for (node, _) in NODES {
        let name = world.node_name(node);
        let object = json!({
            "apiVersion": "cilium.io/v2alpha1", "kind": kind, "metadata": {"name": name},
            "spec": {"vtepEndpoints": entries},
        });
        apply(&nodes, object).await;
        let generation = nodes.get(&name).await.unwrap().metadata.generation;
        let status = json!({"status": {
            "vtepEndpointStatuses": statuses,
            "conditions": [{"type": "Ready", "status": "True", "observedGeneration": generation}],
        }});
        nodes
            .patch_status(&name, &PatchParams::default(), &Patch::Merge(status))
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn life_of_a_vtep_config_beside_a_foreign_one() {
    let control_plane = ControlPlane::start().unwrap();
    let mut world = world(&control_plane, "vtep-life", "10.61.1.1/24").await;
    let configs = install(&world.client, "v2alpha1").await;
    apply(&configs, foreign("gateway", "10.60.0.0/24")).await;
    let before = bytes(&configs, "gateway").await;
    let proxy = world.start_proxy().await;
    start(&mut world).await;
    create(&world).await;
    until(&world, "Unknown", "VTEPNotConfirmed").await;
    let unit = &world.devices.units()[0];
    let mac = unit.tunnel_mac(TUNNEL_PATH).unwrap();
    let written = configs.get(&name(&world)).await.unwrap();
    let entry = |mac: &str| json!({"name": "bigip-a", "tunnelEndpoint": LOCAL_ADDRESS, "cidr": "10.61.1.0/24", "mac": mac});
    assert_eq!(
        written.data["spec"],
        json!({"vtepEndpoints": [entry(&mac)]})
    );
    let (uid, status) = (world.object().await.uid().unwrap(), world.status().await);
    assert_eq!(written.annotations()["bigip-tunnel.dev/owner-uid"], uid);
    assert_eq!(
        written.labels()["app.kubernetes.io/managed-by"],
        "bigip-tunnel-operator"
    );
    assert!(written.owner_references().is_empty());
    let managers: Vec<_> = written
        .managed_fields()
        .iter()
        .map(|m| m.manager.as_deref())
        .collect();
    assert_eq!(managers, [Some("bigip-tunnel-operator")]);
    assert_eq!(status.vtep_config, Some(name(&world)));
    report(&world, &json!([entry(&mac)])).await;
    let programmed = until(&world, "True", "VTEPProgrammed").await;
    assert!(
        programmed.message.contains("3 nodes of 3"),
        "{programmed:?}"
    );
    // At rest nothing is written, whatever agents and passes do.
    world.settle().await;
    assert_eq!(writes(&proxy), ["PATCH"]);
    assert!(unit.set_tunnel_mac(TUNNEL_PATH, Some("02:01:23:00:00:09")));
    // The facts of a unit are read again before anything is removed.
    world.delete_node("3").await;
    let moved = json!({"vtepEndpoints": [entry("02:01:23:00:00:09")]});
    until_config(&world, &configs, |found| {
        found.is_some_and(|f| f.data["spec"] == moved)
    })
    .await;
    until(&world, "Unknown", "VTEPNotConfirmed").await;
    assert_eq!(writes(&proxy), ["PATCH"; 2]);
    world.delete(NAME).await;
    world.until_gone(NAME).await;
    assert_eq!(configs.get_opt(&name(&world)).await.unwrap(), None);
    assert_eq!(writes(&proxy), ["PATCH", "PATCH", "DELETE"]);
    assert_eq!(bytes(&configs, "gateway").await, before);
}

#[tokio::test]
async fn closed_gate_writes_nothing_and_says_so() {
    let mut world = world(upstream().await, "vtep-gate", "10.61.2.1/24").await;
    let proxy = world.start_proxy().await;
    world.start_operator().await;
    create(&world).await;
    let closed = until(&world, "False", "FeatureGateDisabled").await;
    assert!(
        closed.message.contains("--feature-gates=VTEPConfig=true"),
        "{closed:?}"
    );
    assert_eq!(world.status().await.vtep_config, None);
    world.delete(NAME).await;
    world.until_gone(NAME).await;
    assert!(writes(&proxy).is_empty());
}

#[tokio::test]
async fn unknown_feature_gate_ends_the_operator() {
    let operator = Product::Operator.path().unwrap();
    let output = tokio::process::Command::new(operator)
        .arg("--feature-gates=Teleport=true")
        .output()
        .await
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        said.contains("\"Teleport\"; known are: VTEPConfig"),
        "{said}"
    );
}

#[tokio::test]
async fn objects_and_fields_of_others_are_never_overwritten() {
    let mut world = world(upstream().await, "vtep-others", "10.61.3.1/24").await;
    let configs = configs(&world, "v2alpha1");
    apply(&configs, foreign(&name(&world), "10.60.3.0/24")).await;
    let before = bytes(&configs, &name(&world)).await;
    start(&mut world).await;
    create(&world).await;
    let refused = until(&world, "False", "VTEPConfigNotOurs").await;
    assert!(
        refused.message.contains("bigip-tunnel.dev/owner-uid"),
        "{refused:?}"
    );
    world.settle().await;
    assert_eq!(bytes(&configs, &name(&world)).await, before);
    let delete = DeleteParams::default();
    configs.delete(&name(&world), &delete).await.unwrap();
    until(&world, "Unknown", "VTEPNotConfirmed").await;
    // Another manager takes the MAC address over.
    let mut theirs =
        configs.get(&name(&world)).await.unwrap().data["spec"]["vtepEndpoints"][0].clone();
    let ours = theirs["mac"].clone();
    let mut take = async |mac: Value| {
        theirs["mac"] = mac;
        let mut object = foreign(&name(&world), "");
        object["spec"]["vtepEndpoints"] = json!([theirs]);
        apply(&configs, object).await;
    };
    take(json!("02:00:00:00:00:77")).await;
    let before = bytes(&configs, &name(&world)).await;
    let conflict = until(&world, "False", "VTEPConfigConflict").await;
    assert!(conflict.message.contains("someone"), "{conflict:?}");
    world.settle().await;
    assert_eq!(bytes(&configs, &name(&world)).await, before);
    take(ours).await;
    until(&world, "Unknown", "VTEPNotConfirmed").await;
}

#[tokio::test]
async fn right_lost_at_deletion_is_named_and_release_lets_go() {
    let mut world = world(upstream().await, "vtep-rights", "10.61.4.1/24").await;
    let configs = configs(&world, "v2alpha1");
    let account = world.restrict_operator().await;
    let mut rights = all_rights().await;
    let verbs = ["list", "create", "patch", "delete"];
    rights.push(rule("cilium.io", &[PLURAL], &verbs));
    account.allow(&rights).await.unwrap();
    start(&mut world).await;
    create(&world).await;
    until(&world, "Unknown", "VTEPNotConfirmed").await;
    let before = bytes(&configs, &name(&world)).await;
    account.allow(&all_rights().await).await.unwrap();
    world.delete(NAME).await;
    let status = world.until_reason("CleanupFailed").await;
    let ready = condition(&status.conditions, "Ready");
    for said in [
        "may not delete",
        "cilium.manage.enabled",
        ANNOTATION_RELEASE,
    ] {
        assert!(ready.message.contains(said), "{ready:?}");
    }
    until(&world, "False", "VTEPConfigForbidden").await;
    world.devices.units().iter().for_each(|unit| {
        assert!(unit.records(TUNNEL_PATH).is_empty());
    });
    world.annotate(ANNOTATION_RELEASE, "true").await;
    world.until_gone(NAME).await;
    until_told(&world, "VTEPConfigLeft", &[&name(&world)]).await;
    assert_eq!(bytes(&configs, &name(&world)).await, before);
}

#[tokio::test]
async fn objects_that_do_not_write_keep_their_hands_off() {
    let mut world = world(upstream().await, "vtep-idle", "10.61.5.1/24").await;
    let configs = configs(&world, "v2alpha1");
    start(&mut world).await;
    create(&world).await;
    let is_there = |found: Option<&DynamicObject>| found.is_some();
    let take_away = async || {
        let delete = DeleteParams::default();
        configs.delete(&name(&world), &delete).await.unwrap();
    };
    let policy = async |policy: &str| {
        world.patch_spec(json!({"managementPolicy": policy})).await;
    };
    until_config(&world, &configs, is_there).await;
    policy("Observe").await;
    world
        .until_status("Observed", |status| {
            find(&status.conditions, "Ready").is_some_and(|ready| ready.reason == "Observed")
        })
        .await;
    take_away().await;
    let observed = until(&world, "Unknown", "Observed").await;
    assert!(
        observed.message.contains("would be created"),
        "{observed:?}"
    );
    assert_eq!(configs.get_opt(&name(&world)).await.unwrap(), None);
    policy("FDBOnly").await;
    until_config(&world, &configs, is_there).await;
    world.patch_spec(json!({"suspend": true})).await;
    until(&world, "Unknown", "Suspended").await;
    take_away().await;
    world.settle().await;
    assert_eq!(configs.get_opt(&name(&world)).await.unwrap(), None);
    world.patch_spec(json!({"suspend": false})).await;
    until_config(&world, &configs, is_there).await;
    world
        .patch_spec(json!({"cilium": {"vtepConfig": "None"}}))
        .await;
    until_config(&world, &configs, |found| found.is_none()).await;
    let is_over = |status: &BigIpTunnelStatus| {
        status.vtep_config.is_none() && find(&status.conditions, "VTEPConfigured").is_none()
    };
    world.until_status("no CiliumVTEPConfig", is_over).await;
}

#[tokio::test]
async fn retained_object_leaves_its_vtep_config() {
    let mut world = world(upstream().await, "vtep-retain", "10.61.6.1/24").await;
    let configs = configs(&world, "v2alpha1");
    start(&mut world).await;
    create(&world).await;
    until(&world, "Unknown", "VTEPNotConfirmed").await;
    let before = bytes(&configs, &name(&world)).await;
    world.patch_spec(json!({"deletionPolicy": "Retain"})).await;
    world.delete(NAME).await;
    world.until_gone(NAME).await;
    until_told(&world, "VTEPConfigLeft", &[&name(&world)]).await;
    assert_eq!(bytes(&configs, &name(&world)).await, before);
}

#[tokio::test]
async fn unit_without_a_mac_and_a_missing_kind_are_refused() {
    let control_plane = ControlPlane::start().unwrap();
    let mut world = world(&control_plane, "vtep-refused", "10.61.7.1/24").await;
    assert!(world.devices.units()[0].set_tunnel_mac(TUNNEL_PATH, None));
    start(&mut world).await;
    create(&world).await;
    let missing = until(&world, "False", "VTEPConfigNotServed").await;
    assert!(missing.message.contains("-o helm"), "{missing:?}");
    let configs = install(&world.client, "v2alpha1").await;
    until(&world, "False", "VTEPMACUnknown").await;
    assert!(
        configs
            .list(&ListParams::default())
            .await
            .unwrap()
            .items
            .is_empty()
    );
    assert!(world.devices.units()[0].set_tunnel_mac(TUNNEL_PATH, Some("02:01:23:00:00:08")));
    // The facts of a unit are read when a process begins.
    world.kill_operator().await;
    start(&mut world).await;
    until_config(&world, &configs, |found| found.is_some()).await;
}
