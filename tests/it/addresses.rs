//! Which of a node's addresses its record points to, and what becomes of nodes that have none.

use bigip_sim::{Method, TunnelConfig};
use bigip_tunnel_crds::cilium::CiliumNode;
use bigip_tunnel_crds::v1alpha1::ProblemKind;
use bigip_tunnel_harness::control_plane::ControlPlane;
use bigip_tunnel_harness::objects;
use k8s_openapi::jiff::Timestamp;
use kube::api::{DeleteParams, DynamicObject, Patch, PatchParams};
use kube::core::ApiResource;
use kube::{Api, Client};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use crate::cilium::serve;
use crate::world::{
    LOCAL_ADDRESS, NAME, RECORD_1, RECORD_2, RECORD_3, TUNNEL_PATH, World, device, requests,
};

/// A running operator and an object with this source of addresses.
async fn begin(world: &mut World, source: Value) {
    world.start_operator().await;
    let mut spec = world.spec();
    spec["nodes"]["addressSource"] = source;
    spec["nodes"]["maxRemovalPercent"] = json!(100);
    world.create(spec).await;
}

/// Makes a node with these addresses.
async fn create_node(world: &World, node: &str, addresses: &[(&str, &str)]) {
    let name = world.node_name(node);
    world.nodes.create_with(&name, addresses).await.unwrap();
}

#[tokio::test]
async fn external_node_address_counts_if_the_spec_sets_it() {
    let mut world = World::new("addr-external").await;
    let both = [("InternalIP", "10.77.2.1"), ("ExternalIP", "203.0.113.1")];
    create_node(&world, "1", &both).await;
    begin(&mut world, json!({"type": "ExternalIP"})).await;
    world
        .until_records(&[("0a:0a:cb:00:71:01", "203.0.113.1%0")])
        .await;
    world.until_ready().await;
}

#[tokio::test]
async fn first_node_address_counts_and_not_the_last() {
    let mut world = World::new("addr-first").await;
    let several = [
        ("Hostname", "worker"),
        ("InternalIP", "fd00::1"),
        ("InternalIP", "10.77.4.9"),
        ("InternalIP", "10.77.4.1"),
    ];
    create_node(&world, "1", &several).await;
    begin(&mut world, json!({})).await;
    world
        .until_records(&[("0a:0a:0a:4d:04:09", "10.77.4.9%0")])
        .await;
}

#[tokio::test]
async fn networks_pick_among_several_addresses_of_one_type() {
    let mut world = World::new("addr-cidrs").await;
    let several = [
        ("InternalIP", "10.77.3.1"),
        ("InternalIP", "10.78.3.1"),
        ("InternalIP", "10.79.3.1"),
    ];
    create_node(&world, "1", &several).await;
    create_node(&world, "outside", &[("InternalIP", "10.77.3.2")]).await;
    let cidrs = json!({"cidrs": ["10.79.0.0/16", "10.78.0.0/16"]});
    begin(&mut world, cidrs).await;
    world
        .until_records(&[("0a:0a:0a:4e:03:01", "10.78.3.1%0")])
        .await;
    let status = world.until_reason("NodesSkipped").await;
    assert_eq!(status.skipped_nodes.len(), 1);
    assert_eq!(status.skipped_nodes[0].name, world.node_name("outside"));
    assert_eq!(status.skipped_nodes[0].reason, "NodeAddressOutsideCIDRs");
}

#[tokio::test]
async fn non_ipv4_network_is_refused() {
    let world = World::new("addr-refused").await;
    for field in ["cidrs", "excludeCIDRs"] {
        for cidr in ["10.0.0.0", "10.0.0.0/33", "fd00::/64"] {
            let mut spec = world.spec();
            spec["nodes"]["addressSource"] = json!({field: ["192.0.2.0/24", cidr]});
            let created = objects::create_tunnel(&world.client, &world.name, NAME, spec).await;
            let said = created.unwrap_err().to_string();
            assert!(said.contains("must be a CIDR of IPv4, such as"), "{said}");
        }
    }
}

#[tokio::test]
async fn virtual_address_that_is_excluded_moves_no_record() {
    const VIRTUAL: (&str, &str) = ("InternalIP", "10.77.9.100");
    let mut world = World::new("addr-excluded").await;
    let docker = ("InternalIP", "172.17.0.1");
    let own = [("InternalIP", "10.77.9.1"), ("InternalIP", "10.77.9.2")];
    create_node(&world, "1", &[VIRTUAL, docker, own[0]]).await;
    create_node(&world, "2", &[docker, own[1]]).await;
    create_node(&world, "only", &[docker]).await;
    let exclude = json!({"excludeCIDRs": ["10.77.9.100/32", "172.17.0.0/16"]});
    begin(&mut world, exclude).await;
    let records = [
        ("0a:0a:0a:4d:09:01", "10.77.9.1%0"),
        ("0a:0a:0a:4d:09:02", "10.77.9.2%0"),
    ];
    world.until_records(&records).await;
    let status = world.until_reason("NodesSkipped").await;
    assert_eq!(status.skipped_nodes[0].name, world.node_name("only"));
    assert_eq!(status.skipped_nodes[0].reason, "NodeAddressExcluded");
    // It moves to the other node.
    let before = world.devices.active().mutations();
    for (node, addresses) in [("1", &[docker, own[0]][..]), ("2", &[VIRTUAL, own[1]])] {
        let name = world.node_name(node);
        world.nodes.set_addresses(&name, addresses).await.unwrap();
    }
    world.settle().await;
    world.assert_records(&records);
    assert_eq!(world.devices.active().mutations(), before);
}

#[tokio::test]
async fn address_source_is_defaulted_in_every_object() {
    let world = World::new("addr-default").await;
    let spec = world.spec();
    let created = objects::create_tunnel(&world.client, &world.name, NAME, spec).await;
    let source = &created.unwrap().data["spec"]["nodes"]["addressSource"];
    assert_eq!(*source, json!({"type": "InternalIP"}));
}

#[tokio::test]
async fn nodes_with_unusable_addresses_are_named_with_reason() {
    let mut world = World::new("addr-skipped").await;
    create_node(&world, "good", &[("InternalIP", "10.77.5.1")]).await;
    create_node(&world, "six", &[("InternalIP", "fd00::5")]).await;
    create_node(&world, "loop", &[("InternalIP", "127.0.0.1")]).await;
    create_node(&world, "none", &[("ExternalIP", "203.0.113.5")]).await;
    begin(&mut world, json!({})).await;
    world
        .until_records(&[("0a:0a:0a:4d:05:01", "10.77.5.1%0")])
        .await;
    let status = world.until_reason("NodesSkipped").await;
    let skipped: Vec<(&str, &str)> = status
        .skipped_nodes
        .iter()
        .map(|node| (&*node.name, &*node.reason))
        .collect();
    assert_eq!(status.nodes.unwrap().joining, 1);
    let names = ["loop", "six"].map(|node| world.node_name(node));
    assert_eq!(
        skipped,
        [
            (&*names[0], "NodeAddressUnusable"),
            (&*names[1], "NodeAddressNotIPv4"),
        ]
    );
}

#[tokio::test]
async fn node_with_own_tunnel_address_is_named_without_record() {
    let mut world = World::new("addr-own").await;
    world.create_nodes().await;
    world.create_node(("dummy", LOCAL_ADDRESS)).await;
    begin(&mut world, json!({})).await;
    let status = world.until_ready().await;
    assert_eq!(status.summary.as_ref().unwrap().nodes, "4/4");
    for (name, _) in world.devices.named() {
        let problems = &device(&status, name).problems;
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert_eq!(problems[0].kind, ProblemKind::OwnAddress);
        assert_eq!(problems[0].endpoint.as_deref(), Some("10.169.72.34%0"));
    }
    world.assert_records(&[RECORD_1, RECORD_2, RECORD_3]);
}

/// When every unit was asked to add its last and to remove its first record.
fn turns(world: &World) -> Vec<(Timestamp, Timestamp)> {
    let units = world.devices.units().iter();
    let of_records = |unit, method| {
        let mut asked = requests(unit, method);
        asked.retain(|request| request.path.contains("/records"));
        asked
    };
    units
        .map(|unit| {
            let added = of_records(unit, &Method::POST).last().unwrap().at;
            let removed = of_records(unit, &Method::DELETE).first().unwrap().at;
            (added, removed)
        })
        .collect()
}

#[tokio::test]
async fn edited_address_source_replaces_old_records() {
    let mut world = World::new("addr-edit").await;
    for last in ["1", "2"] {
        let internal = format!("10.77.7.{last}");
        let external = format!("203.0.113.7{last}");
        let both = [("InternalIP", &*internal), ("ExternalIP", &*external)];
        create_node(&world, last, &both).await;
    }
    begin(&mut world, json!({})).await;
    world.until_ready().await;
    world.assert_records(&[
        ("0a:0a:0a:4d:07:01", "10.77.7.1%0"),
        ("0a:0a:0a:4d:07:02", "10.77.7.2%0"),
    ]);
    let source = json!({"nodes": {"addressSource": {"type": "ExternalIP"}}});
    world.patch_spec(source).await;
    world
        .until_records(&[
            ("0a:0a:cb:00:71:47", "203.0.113.71%0"),
            ("0a:0a:cb:00:71:48", "203.0.113.72%0"),
        ])
        .await;
    for (added, removed) in turns(&world) {
        assert!(added < removed, "added {added}, removed {removed}");
    }
}

#[tokio::test]
async fn retyped_address_keeps_its_record_under_the_same_spec() {
    let mut world = World::new("addr-retyped").await;
    create_node(&world, "1", &[("InternalIP", "10.77.8.1")]).await;
    create_node(&world, "2", &[("InternalIP", "10.77.8.2")]).await;
    begin(&mut world, json!({})).await;
    world.until_ready().await;
    let retyped = [("InternalIP", "10.77.8.11"), ("ExternalIP", "10.77.8.1")];
    let name = world.node_name("1");
    world.nodes.set_addresses(&name, &retyped).await.unwrap();
    // The record that does go shows that removals were looked at.
    create_node(&world, "3", &[("InternalIP", "10.77.8.3")]).await;
    world.delete_node("2").await;
    let kept = [
        ("0a:0a:0a:4d:08:01", "10.77.8.1%0"),
        ("0a:0a:0a:4d:08:03", "10.77.8.3%0"),
        ("0a:0a:0a:4d:08:0b", "10.77.8.11%0"),
    ];
    world.until_records(&kept).await;
    world.settle().await;
    world.assert_records(&kept);
}

/// A world on a control plane whose API server knows `CiliumNode`.
pub(crate) async fn cilium_world(name: &str) -> World {
    static CONTROL_PLANE: OnceCell<ControlPlane> = OnceCell::const_new();
    let start = async || {
        let control_plane = ControlPlane::start().unwrap();
        install(&control_plane.client().await.unwrap()).await;
        control_plane
    };
    let control_plane = CONTROL_PLANE.get_or_init(start).await;
    World::on(control_plane, name, tunnel()).await
}

fn tunnel() -> TunnelConfig {
    TunnelConfig::vxlan(TUNNEL_PATH, LOCAL_ADDRESS)
}

fn cilium_nodes(client: &Client) -> Api<DynamicObject> {
    Api::all_with(client.clone(), &ApiResource::erase::<CiliumNode>(&()))
}

/// Installs the resource as Cilium does, without the rules of its schema.
async fn install(client: &Client) {
    serve(client, "v2", "CiliumNode", "ciliumnodes").await;
}

/// Writes the `CiliumNode` of a node as the agent there does.
async fn write_cilium_node(world: &World, node: &str, address: &str) {
    let addresses = json!([
        {"type": "CiliumInternalIP", "ip": "10.244.0.7"},
        {"type": "InternalIP", "ip": address},
    ]);
    write_cilium_node_with(world, node, json!({"addresses": addresses})).await;
}

/// The same with this spec.
pub(crate) async fn write_cilium_node_with(world: &World, node: &str, spec: Value) {
    let name = world.node_name(node);
    let written = json!({
        "apiVersion": "cilium.io/v2",
        "kind": "CiliumNode",
        "metadata": {"name": name},
        "spec": spec,
    });
    let agent = PatchParams::apply("cilium-agent").force();
    cilium_nodes(&world.client)
        .patch(&name, &agent, &Patch::Apply(written))
        .await
        .unwrap();
}

async fn delete_cilium_node(world: &World, node: &str) {
    cilium_nodes(&world.client)
        .delete(&world.node_name(node), &DeleteParams::default())
        .await
        .unwrap();
}

#[tokio::test]
async fn missing_cilium_nodes_are_reported_and_used_once_served() {
    let control_plane = ControlPlane::start().unwrap();
    let mut world = World::on(&control_plane, "addr-no-cilium", tunnel()).await;
    world.create_nodes().await;
    begin(&mut world, json!({"type": "CiliumNode"})).await;
    let status = world.until_reason("CiliumNodesUnavailable").await;
    assert!(status.conditions.iter().any(|c| c.type_ == "Stalled"));
    world.assert_records(&[]);

    install(&world.client).await;
    write_cilium_node(&world, "1", "10.169.72.239").await;
    write_cilium_node(&world, "2", "10.169.72.233").await;
    world.until_records(&[RECORD_1, RECORD_2]).await;
    world
        .until_status("the third node waits for its address", |status| {
            status
                .nodes
                .as_ref()
                .is_some_and(|nodes| nodes.joining == 1)
        })
        .await;
    write_cilium_node(&world, "3", "10.169.72.240").await;
    world.until_records(&[RECORD_1, RECORD_2, RECORD_3]).await;
    world.until_ready().await;
}

#[tokio::test]
async fn spec_with_missing_cilium_nodes_keeps_records() {
    let control_plane = ControlPlane::start().unwrap();
    let mut world = World::on(&control_plane, "addr-lost-cilium", tunnel()).await;
    world.create_nodes().await;
    begin(&mut world, json!({})).await;
    world.until_ready().await;
    let source = json!({"nodes": {"addressSource": {"type": "CiliumNode"}}});
    world.patch_spec(source).await;
    world.until_reason("CiliumNodesUnavailable").await;
    world.assert_records(&[RECORD_1, RECORD_2, RECORD_3]);
    let back = json!({"nodes": {"addressSource": {"type": "InternalIP"}}});
    world.patch_spec(back).await;
    world.until_ready().await;
    world.settle().await;
    world.assert_records(&[RECORD_1, RECORD_2, RECORD_3]);
}

#[tokio::test]
async fn cilium_node_gives_address_and_node_its_existence() {
    let mut world = cilium_world("addr-cilium").await;
    for (node, address) in [("1", "10.88.1.1"), ("2", "10.88.1.2"), ("3", "10.88.1.3")] {
        world
            .create_node((node, &address.replace("88", "77")))
            .await;
        write_cilium_node(&world, node, address).await;
    }
    // One without a Node is nobody's.
    write_cilium_node(&world, "4", "10.88.1.4").await;
    begin(&mut world, json!({"type": "CiliumNode"})).await;
    let first = ("0a:0a:0a:58:01:01", "10.88.1.1%0");
    let second = ("0a:0a:0a:58:01:02", "10.88.1.2%0");
    let third = ("0a:0a:0a:58:01:03", "10.88.1.3%0");
    world.until_records(&[first, second, third]).await;
    world.until_ready().await;
    // Its CiliumNode is still there when the Node has gone.
    world.delete_node("3").await;
    world.until_records(&[first, second]).await;
    write_cilium_node(&world, "2", "10.88.1.12").await;
    world
        .until_records(&[first, ("0a:0a:0a:58:01:0c", "10.88.1.12%0")])
        .await;
}

#[tokio::test]
async fn node_without_its_cilium_node_keeps_its_record() {
    let mut world = cilium_world("addr-cilium-lost").await;
    for (node, address) in [("1", "10.88.2.1"), ("2", "10.88.2.2")] {
        world
            .create_node((node, &address.replace("88", "77")))
            .await;
        write_cilium_node(&world, node, address).await;
    }
    begin(&mut world, json!({"type": "CiliumNode"})).await;
    world.until_ready().await;
    delete_cilium_node(&world, "2").await;
    let status = world.until_reason("NodesSkipped").await;
    assert_eq!(status.skipped_nodes[0].name, world.node_name("2"));
    world.settle().await;
    world.assert_records(&[
        ("0a:0a:0a:58:02:01", "10.88.2.1%0"),
        ("0a:0a:0a:58:02:02", "10.88.2.2%0"),
    ]);
}
