//! Nodes come, and their records are on both units: exact, fast, and with few requests.

use std::time::Duration;

use bigip_sim::{Method, Simulator, TunnelConfig};
use serde_json::json;

use crate::world::{
    LOCAL_ADDRESS, NEW_NODE, NEW_RECORD, RECORD_1, RECORD_2, RECORD_3, TUNNEL_PATH, World,
    condition, device, mutations, requests, say, to_map,
};

/// How long a new node's record may take here, where two cores are shared by several operators and
/// devices. On idle ones it is below a second; the measured time is printed.
const NEW_NODE_MAX: Duration = Duration::from_secs(5);

/// More than two verifications that are 10 s apart.
const TWO_VERIFICATIONS: Duration = Duration::from_secs(40);

#[tokio::test]
async fn three_nodes_give_the_three_published_records_on_both_units() {
    let world = World::in_sync("converge-three").await;
    world.assert_records(&[RECORD_1, RECORD_2, RECORD_3]);
}

#[tokio::test]
async fn status_reports_the_converged_state() {
    let world = World::in_sync("converge-status").await;
    world.until_cilium_is_judged().await;
    let object = world.object().await;
    let status = object.status.unwrap();
    assert_eq!(status.observed_generation, object.metadata.generation);
    let ready = condition(&status.conditions, "Ready");
    assert_eq!((&*ready.status, &*ready.reason), ("True", "InSync"));
    assert_eq!(ready.observed_generation, object.metadata.generation);
    assert_eq!(condition(&status.conditions, "Available").status, "True");
    assert_eq!(condition(&status.conditions, "Accepted").status, "True");
    let kinds: Vec<&str> = status.conditions.iter().map(|c| &*c.type_).collect();
    let always = [
        "Ready",
        "Available",
        "Accepted",
        "TunnelUsable",
        "PeersCovered",
        "SecureTransport",
        "CiliumReady",
    ];
    assert_eq!(kinds, always);
    let summary = status.summary.clone().unwrap();
    let summary = [summary.devices, summary.nodes, summary.records];
    assert_eq!(summary, ["2/2", "3/3", "6/6"]);
    let unit = device(&status, "bigip-a");
    assert_eq!(condition(&unit.conditions, "Reachable").reason, "Answered");
    assert_eq!(condition(&unit.conditions, "Programmed").reason, "InSync");
    assert_eq!(unit.hostname.as_deref(), Some("bigip-a.example.com"));
    let tunnel = unit.tunnel.as_ref().unwrap();
    assert_eq!(tunnel.full_path, TUNNEL_PATH);
    assert_eq!(tunnel.encapsulation.as_deref(), Some("vxlan"));
}

#[tokio::test]
async fn new_node_is_on_both_units_at_once() {
    let world = World::in_sync("converge-new").await;
    world.create_node(NEW_NODE).await;
    let took = world
        .until_records(&[RECORD_1, RECORD_2, RECORD_3, NEW_RECORD])
        .await;
    say(&format!(
        "a new node's record was on both units after {} ms",
        took.as_millis()
    ));
    assert!(took < NEW_NODE_MAX, "{took:?}");
}

/// Checks what one new node has cost a unit since its log was cleared.
fn assert_cost_of_one_node(unit: &Simulator) {
    let (all, writes) = (unit.requests(), mutations(unit));
    assert!(all.len() <= 3, "{all:#?}");
    assert_eq!(writes.len(), 1, "{all:#?}");
    assert_eq!(writes[0].method, Method::POST);
}

#[tokio::test]
async fn new_node_takes_at_most_three_requests_per_unit() {
    let world = World::in_sync("converge-cost").await;
    let units = world.devices.units();
    units.iter().for_each(Simulator::clear_log);
    world.create_node(NEW_NODE).await;
    world
        .until_status("four nodes programmed", |status| {
            status.summary.as_ref().is_some_and(|s| s.nodes == "4/4")
        })
        .await;
    units.iter().for_each(assert_cost_of_one_node);
}

/// Makes many nodes at once, and an operator that has work for all of them.
async fn with_many_nodes(name: &str, count: u32) -> World {
    let mut world = World::new(name).await;
    world.create_many_nodes(count).await;
    world.start_operator().await;
    world.create(world.spec()).await;
    world.until_ready().await;
    world
}

#[tokio::test]
async fn new_node_takes_the_same_requests_with_200_nodes() {
    let world = with_many_nodes("converge-many", 200).await;
    let units = world.devices.units();
    units.iter().for_each(Simulator::clear_log);
    world.create_node(NEW_NODE).await;
    world
        .until_status("201 nodes programmed", |status| {
            status
                .summary
                .as_ref()
                .is_some_and(|s| s.nodes == "201/201")
        })
        .await;
    units.iter().for_each(assert_cost_of_one_node);
}

#[tokio::test]
async fn backlog_is_written_once_and_read_back_by_lists() {
    let world = with_many_nodes("converge-backlog", 150).await;
    let status = world.status().await;
    assert_eq!(status.summary.unwrap().records, "300/300");
    for unit in world.devices.units() {
        assert_eq!(mutations(unit).len(), 150);
        let reads = requests(unit, &Method::GET).into_iter();
        let reads = reads.filter(|read| read.path.contains("/records")).count();
        // Three batches of at most 64, each read before and after.
        assert!(reads <= 6, "{reads} reads");
    }
}

#[tokio::test]
async fn unchanged_verification_is_one_request_per_device() {
    let world = World::in_sync("converge-verify").await;
    world
        .patch_spec(json!({"drift": {"intervalSeconds": 10}}))
        .await;
    world.until_ready().await;
    for unit in world.devices.units() {
        unit.clear_log();
        unit.wait_until(TWO_VERIFICATIONS, |state| state.requests().count() == 2)
            .await
            .unwrap();
        let seen = unit.requests();
        for request in &seen {
            assert_eq!(request.method, Method::GET, "{seen:#?}");
            assert!(request.path.ends_with("/records"), "{seen:#?}");
        }
        let apart = seen[1].at.duration_since(seen[0].at).as_secs_f64();
        assert!((8.0..=13.0).contains(&apart), "{apart} s apart");
    }
}

#[tokio::test]
async fn idle_status_stays_byte_identical() {
    let world = World::in_sync("converge-rest").await;
    world
        .patch_spec(json!({"drift": {"intervalSeconds": 10}}))
        .await;
    world.until_ready().await;
    world.until_cilium_is_judged().await;
    world.settle().await;
    let before = world.object().await.metadata.resource_version;
    for unit in world.devices.units() {
        unit.clear_log();
    }
    for unit in world.devices.units() {
        // When the second verification asks, the first one has long been reported.
        unit.wait_until(TWO_VERIFICATIONS, |state| state.requests().count() >= 2)
            .await
            .unwrap();
    }
    assert_eq!(world.object().await.metadata.resource_version, before);
}

#[tokio::test]
async fn node_heartbeat_causes_no_device_request() {
    let world = World::in_sync("converge-beat").await;
    world.settle().await;
    let units = world.devices.units();
    units.iter().for_each(Simulator::clear_log);
    world.nodes.heartbeat(&world.node_name("1")).await.unwrap();
    world.nodes.heartbeat(&world.node_name("1")).await.unwrap();
    // The watch is in order: when the new node has been seen, the heartbeats have been too.
    world.create_node(NEW_NODE).await;
    world
        .until_records(&[RECORD_1, RECORD_2, RECORD_3, NEW_RECORD])
        .await;
    for unit in units {
        let seen = unit.requests();
        assert_eq!(seen[0].method, Method::POST, "{seen:#?}");
    }
}

#[tokio::test]
async fn geneve_tunnel_is_programmed_like_vxlan() {
    let tunnel = TunnelConfig::geneve(TUNNEL_PATH, LOCAL_ADDRESS);
    let world = World::with_tunnel("converge-geneve", tunnel).await;
    world
        .devices
        .active()
        .seed_record(TUNNEL_PATH, "52:54:00:c0:ff:ee", "192.0.2.99%0")
        .unwrap();
    let world = world.into_sync().await;
    let status = world.status().await;
    let shown = device(&status, "bigip-a").tunnel.as_ref().unwrap();
    assert_eq!(shown.encapsulation.as_deref(), Some("geneve"));
    world.create_node(NEW_NODE).await;
    world.delete_node("2").await;
    let ours = to_map(&[RECORD_1, RECORD_3, NEW_RECORD]);
    let mut with_foreign = ours.clone();
    with_foreign.insert("52:54:00:c0:ff:ee".into(), "192.0.2.99%0".into());
    world.until_each([&with_foreign, &ours]).await;
}

#[tokio::test]
async fn endpoints_lie_in_the_route_domain_of_the_tunnel() {
    let tunnel = TunnelConfig::vxlan(TUNNEL_PATH, format!("{LOCAL_ADDRESS}%7"));
    let world = World::with_tunnel("converge-domain", tunnel).await;
    let world = world.into_sync().await;
    world.assert_records(&[
        (RECORD_1.0, "10.169.72.239%7"),
        (RECORD_2.0, "10.169.72.233%7"),
        (RECORD_3.0, "10.169.72.240%7"),
    ]);
}

#[tokio::test]
async fn another_mac_prefix_makes_other_addresses() {
    let mut world = World::new("converge-prefix").await;
    world.create_node(("1", "10.169.72.239")).await;
    world.start_operator().await;
    let mut spec = world.spec();
    spec["fdb"] = json!({"macPrefix": "0e:0b"});
    world.create(spec).await;
    world.until_ready().await;
    world.assert_records(&[("0e:0b:0a:a9:48:ef", "10.169.72.239%0")]);
}

#[tokio::test]
async fn tunnel_in_a_folder_is_found() {
    let tunnel = TunnelConfig::vxlan("/Common/app/flannel_vxlan", LOCAL_ADDRESS);
    let mut world = World::with_tunnel("converge-folder", tunnel).await;
    world.create_nodes().await;
    world.start_operator().await;
    let mut spec = world.spec();
    spec["tunnel"]["partition"] = json!("Common/app");
    world.create(spec).await;
    world.until_ready().await;
    world.assert_records(&[RECORD_1, RECORD_2, RECORD_3]);
    let posts = requests(world.devices.active(), &Method::POST);
    assert!(
        posts
            .iter()
            .any(|post| post.path.contains("~Common~app~flannel_vxlan")),
        "{posts:#?}"
    );
}

#[tokio::test]
async fn own_address_of_the_tunnel_gets_no_record() {
    let world = World::in_sync("converge-own").await;
    world.create_node(("itself", LOCAL_ADDRESS)).await;
    world.create_node(NEW_NODE).await;
    world
        .until_records(&[RECORD_1, RECORD_2, RECORD_3, NEW_RECORD])
        .await;
    world.settle().await;
    world.until_ready().await;
    world.assert_records(&[RECORD_1, RECORD_2, RECORD_3, NEW_RECORD]);
}
