//! Cilium's side of a tunnel, as the operator judges it on a real API server: the condition follows what agents are
//! told, and nothing else depends on it.

use std::time::Duration;

use bigip_sim::TunnelConfig;
use bigip_tunnel_crds::v1alpha1::BigIpTunnelStatus;
use bigip_tunnel_harness::control_plane::ControlPlane;
use bigip_tunnel_harness::wait::{Answer, eventually};
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::api::{
    ApiResource, DynamicObject, GroupVersionKind, ListParams, Patch, PatchParams, PostParams,
};
use kube::{Api, Client};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use crate::rights::rights_without;
use crate::world::{LOCAL_ADDRESS, TUNNEL_PATH, World, condition, find, mutations};

/// How long a kind may take to be served.
const LIMIT: Duration = Duration::from_secs(60);
/// The network of the simulated units' self IP.
const NETWORK: &str = "10.244.0.0/16";

/// Makes the object with one unit: Cilium cannot have the MAC addresses of both for their common address.
pub(crate) async fn create(world: &World) {
    world.create(one_unit(world, 0)).await;
    world.until_ready().await;
}

/// The spec with one of the units.
fn one_unit(world: &World, unit: usize) -> Value {
    let mut spec = world.spec();
    spec["devices"] = json!([spec["devices"][unit]]);
    spec
}

/// A world with nodes, an object with one unit, and the operator.
pub(crate) async fn begin(mut world: World) -> World {
    world.create_nodes().await;
    world.start_operator().await;
    create(&world).await;
    world
}

/// The MAC address of the unit's tunnel.
pub(crate) async fn mac(world: &World) -> String {
    let status = world.status().await;
    let tunnel = status.devices[0].tunnel.clone().unwrap();
    assert_eq!(tunnel.self_ips, ["10.244.255.1/16"]);
    tunnel.mac.unwrap()
}

/// The configuration that fits.
pub(crate) fn fitting(mac: &str) -> Value {
    json!({
        "enable-vtep": "true",
        "routing-mode": "tunnel",
        "vtep-endpoint": LOCAL_ADDRESS,
        "vtep-cidr": NETWORK,
        "vtep-mask": "255.255.0.0",
        "vtep-mac": mac,
    })
}

pub(crate) async fn configure(world: &World, data: &Value) {
    let config = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "cilium-config"}, "data": data,
    });
    let api: Api<ConfigMap> = Api::namespaced(world.client.clone(), &world.name);
    let apply = PatchParams::apply("helm").force();
    api.patch("cilium-config", &apply, &Patch::Apply(config))
        .await
        .unwrap();
}

/// An agent that was started after any change that a test makes.
pub(crate) async fn run_agent(world: &World) {
    let pods: Api<Pod> = Api::namespaced(world.client.clone(), &world.name);
    let pod = serde_json::from_value(json!({
        "metadata": {"name": "cilium-x", "labels": {"k8s-app": "cilium"}},
        "spec": {"nodeName": world.node_name("1"), "containers": [
            {"name": "cilium-agent", "image": "quay.io/cilium/cilium:v1.17.13"},
        ]},
    }));
    pods.create(&PostParams::default(), &pod.unwrap())
        .await
        .unwrap();
    let running = json!({"status": {"phase": "Running", "startTime": "2100-01-01T00:00:00Z"}});
    pods.patch_status("cilium-x", &PatchParams::default(), &Patch::Merge(running))
        .await
        .unwrap();
}

/// Waits for the condition with this status and reason.
pub(crate) async fn until(world: &World, status: &str, reason: &str) -> Condition {
    let is_it = |seen: &BigIpTunnelStatus| {
        let found = find(&seen.conditions, "CiliumReady");
        found.is_some_and(|found| found.status == status && found.reason == reason)
    };
    let what = format!("CiliumReady={status}/{reason}");
    let seen = world.until_status(&what, is_it).await;
    condition(&seen.conditions, "CiliumReady").clone()
}

/// A world on a control plane of these tests: `check` of another test would find their agents.
pub(crate) async fn world(name: &str, tunnel: TunnelConfig) -> World {
    static CONTROL_PLANE: OnceCell<ControlPlane> = OnceCell::const_new();
    let start = async || ControlPlane::start().unwrap();
    let control_plane = CONTROL_PLANE.get_or_init(start).await;
    World::on(control_plane, name, tunnel).await
}

pub(crate) fn tunnel() -> TunnelConfig {
    TunnelConfig::vxlan(TUNNEL_PATH, LOCAL_ADDRESS)
}

/// A world whose Cilium fits, and the MAC address of its tunnel.
pub(crate) async fn fit(name: &str) -> (World, String) {
    let world = begin(world(name, tunnel()).await).await;
    until(&world, "Unknown", "CiliumConfigMissing").await;
    let mac = mac(&world).await;
    run_agent(&world).await;
    configure(&world, &fitting(&mac)).await;
    until(&world, "True", "CiliumVerified").await;
    (world, mac)
}

#[tokio::test]
async fn condition_follows_the_agent_configuration() {
    let (world, mac) = fit("cilium-follows").await;
    let ready = |status: &BigIpTunnelStatus| condition(&status.conditions, "Ready").clone();
    let before = ready(&world.status().await);
    let written = world.devices.units().each_ref().map(mutations);
    for (key, value, reason, said) in [
        ("vtep-mac", "02:00:00:00:00:07", "VTEPMACMismatch", &*mac),
        ("vtep-cidr", "10.245.0.0/16", "VTEPNetworkMismatch", NETWORK),
        (
            "vtep-endpoint",
            "10.169.72.35",
            "VTEPEndpointMissing",
            LOCAL_ADDRESS,
        ),
        (
            "enable-vtep",
            "false",
            "VTEPDisabled",
            "rollout restart ds/cilium",
        ),
    ] {
        let mut data = fitting(&mac);
        data[key] = json!(value);
        configure(&world, &data).await;
        let found = until(&world, "False", reason).await;
        assert!(found.message.contains(said), "{found:?}");
        let mismatches = world.counter("bigiptunnel_cilium_mac_mismatches", "").await;
        assert_eq!(mismatches, u64::from(key == "vtep-mac"), "{key}");
    }
    configure(&world, &fitting(&mac)).await;
    until(&world, "True", "CiliumVerified").await;
    assert_eq!(ready(&world.status().await), before);
    assert_eq!(world.devices.units().each_ref().map(mutations), written);
}

#[tokio::test]
async fn status_is_written_only_when_the_condition_changes() {
    let (world, mac) = fit("cilium-rest").await;
    let before = world.object().await.metadata.resource_version;
    // Nothing of this changes what is found.
    let label = Patch::Merge(json!({"metadata": {"labels": {"a": "b"}}}));
    let (client, params) = (world.client.clone(), PatchParams::default());
    let configs: Api<ConfigMap> = Api::namespaced(client.clone(), &world.name);
    configs
        .patch("cilium-config", &params, &label)
        .await
        .unwrap();
    let pods: Api<Pod> = Api::namespaced(client, &world.name);
    pods.patch("cilium-x", &params, &label).await.unwrap();
    let mut data = fitting(&mac);
    data["debug"] = json!("true");
    configure(&world, &data).await;
    // What comes after it is judged with it.
    world.create_named("other", one_unit(&world, 1)).await;
    let of_other = eventually("CiliumReady of the other object", LIMIT, async || {
        let other = world.objects().get("other").await.unwrap();
        let conditions = other.status.unwrap_or_default().conditions;
        let found = find(&conditions, "CiliumReady").map(|found| found.reason.clone());
        Answer::when(found, |found| found.as_deref() == Some("VTEPMACMismatch"))
    });
    of_other.await.unwrap();
    assert_eq!(world.object().await.metadata.resource_version, before);
}

#[tokio::test]
async fn restart_keeps_the_condition_and_off_removes_it() {
    let (mut world, _) = fit("cilium-restart").await;
    let before = world.status().await;
    world.kill_operator().await;
    world.start_operator().await;
    world.settle().await;
    let after = condition(&world.status().await.conditions, "CiliumReady").clone();
    assert_eq!(&after, condition(&before.conditions, "CiliumReady"));
    world.patch_spec(json!({"cilium": {"verify": "Off"}})).await;
    let is_gone = |status: &BigIpTunnelStatus| find(&status.conditions, "CiliumReady").is_none();
    world.until_status("no CiliumReady", is_gone).await;
}

#[tokio::test]
async fn wrong_vni_is_reported_in_the_cilium_condition() {
    let mut other = tunnel();
    other.key = 3;
    let mut world = world("cilium-vni", other).await;
    world.create_nodes().await;
    world.start_operator().await;
    world.create(one_unit(&world, 0)).await;
    world.until_reason("TunnelUnusable").await;
    let mac = mac(&world).await;
    run_agent(&world).await;
    configure(&world, &fitting(&mac)).await;
    let found = until(&world, "False", "VNIMismatch").await;
    assert!(found.message.contains("VNI 3"), "{found:?}");
}

#[tokio::test]
async fn missing_right_is_unknown_and_stops_nothing() {
    let mut world = world("cilium-rights", tunnel()).await;
    let account = world.restrict_operator().await;
    let rights = rights_without("ciliumvtepconfigs").await;
    account.allow(&rights).await.unwrap();
    let world = begin(world).await;
    let mac = mac(&world).await;
    run_agent(&world).await;
    configure(&world, &fitting(&mac)).await;
    let found = until(&world, "Unknown", "CiliumUnreadable").await;
    for said in [
        "may not list and watch ciliumvtepconfigs",
        "cilium.verify.enabled",
    ] {
        assert!(found.message.contains(said), "{found:?}");
    }
    let status = world.status().await;
    assert_eq!(condition(&status.conditions, "Ready").status, "True");
    // What may be read is judged all the same.
    let mut data = fitting(&mac);
    data["routing-mode"] = json!("native");
    configure(&world, &data).await;
    until(&world, "False", "NativeRouting").await;
}

/// A kind of Cilium in one version.
pub(crate) fn api(client: &Client, version: &str, kind: &str, plural: &str) -> Api<DynamicObject> {
    let kind = GroupVersionKind::gvk("cilium.io", version, kind);
    let resource = ApiResource::from_gvk_with_plural(&kind, plural);
    Api::all_with(client.clone(), &resource)
}

/// Installs a kind, without the rules of its schema.
pub(crate) async fn serve(
    client: &Client,
    version: &str,
    kind: &str,
    plural: &str,
) -> Api<DynamicObject> {
    let definition: CustomResourceDefinition = serde_json::from_value(json!({
        "metadata": {"name": format!("{plural}.cilium.io")},
        "spec": {
            "group": "cilium.io",
            "scope": "Cluster",
            "names": {"kind": kind, "plural": plural, "singular": kind.to_lowercase()},
            "versions": [{
                "name": version, "served": true, "storage": true,
                "schema": {"openAPIV3Schema": {
                    "type": "object",
                    "x-kubernetes-preserve-unknown-fields": true,
                }},
            }],
        },
    }))
    .unwrap();
    let definitions: Api<CustomResourceDefinition> = Api::all(client.clone());
    definitions
        .create(&PostParams::default(), &definition)
        .await
        .unwrap();
    let api = api(client, version, kind, plural);
    let served = eventually(format!("{plural} served"), LIMIT, async || {
        let listed = api.list(&ListParams::default()).await;
        Answer::when(listed.map(|_| ()), Result::is_ok)
    });
    served.await.unwrap().unwrap();
    api
}

pub(crate) async fn apply(api: &Api<DynamicObject>, object: Value) {
    let name = object["metadata"]["name"].as_str().unwrap().to_owned();
    let params = PatchParams::apply("someone").force();
    api.patch(&name, &params, &Patch::Apply(object))
        .await
        .unwrap();
}

#[tokio::test]
async fn cilium_objects_are_verified_where_served() {
    let control_plane = ControlPlane::start().unwrap();
    let world = World::on(&control_plane, "cilium-objects", tunnel()).await;
    let (client, version) = (&world.client, "v2alpha1");
    let nodes = serve(client, "v2", "CiliumNode", "ciliumnodes").await;
    let configs = serve(client, version, "CiliumVTEPConfig", "ciliumvtepconfigs").await;
    let of_nodes = serve(
        client,
        version,
        "CiliumVTEPNodeConfig",
        "ciliumvtepnodeconfigs",
    )
    .await;
    let world = begin(world).await;
    let mac = mac(&world).await;
    run_agent(&world).await;
    let object = |mac: &str| {
        json!({
            "apiVersion": "cilium.io/v2alpha1", "kind": "CiliumVTEPConfig",
            "metadata": {"name": "bigips"},
            "spec": {"vtepEndpoints": [
                {"name": "a", "tunnelEndpoint": LOCAL_ADDRESS, "cidr": NETWORK, "mac": mac},
            ]},
        })
    };
    configure(
        &world,
        &json!({"enable-vtep": "true", "routing-mode": "tunnel"}),
    )
    .await;
    apply(&configs, object(&mac)).await;
    let found = until(&world, "Unknown", "CiliumNodesDiffer").await;
    assert!(found.message.contains("3 selected nodes"), "{found:?}");
    for (node, address) in crate::world::NODES {
        let addresses = json!([{"type": "InternalIP", "ip": address}]);
        let node = json!({
            "apiVersion": "cilium.io/v2", "kind": "CiliumNode",
            "metadata": {"name": world.node_name(node)}, "spec": {"addresses": addresses},
        });
        apply(&nodes, node).await;
    }
    until(&world, "True", "CiliumVerified").await;
    apply(&configs, object("02:00:00:00:00:07")).await;
    let found = until(&world, "False", "VTEPMACMismatch").await;
    assert!(
        found.message.contains("CiliumVTEPConfig bigips"),
        "{found:?}"
    );
    apply(&configs, object(&mac)).await;
    until(&world, "True", "CiliumVerified").await;
    let failed = json!({
        "apiVersion": "cilium.io/v2alpha1", "kind": "CiliumVTEPNodeConfig",
        "metadata": {"name": world.node_name("2")},
        "status": {"vtepEndpointStatuses": [{"name": "a", "synced": false, "error": "full"}]},
    });
    apply(&of_nodes, failed).await;
    let found = until(&world, "False", "VTEPNotProgrammed").await;
    assert!(found.message.contains("full"), "{found:?}");
}
