//! Others on the same devices: people with records of their own, other objects, other namespaces,
//! other clusters.

use std::time::Duration;

use bigip_sim::{Method, Simulator, TunnelConfig};
use bigip_tunnel_harness::control_plane::ControlPlane;
use bigip_tunnel_harness::objects::SECRET;
use bigip_tunnel_harness::wait::{Answer, eventually};
use kube::api::{Patch, PatchParams};
use serde_json::json;

use crate::devices::patch_secret;
use crate::former::delete_secret;
use crate::witness::Rule;
use crate::world::{
    LOCAL_ADDRESS, NAME, NEW_NODE, NEW_RECORD, RECORD_1, RECORD_2, RECORD_3, TUNNEL_PATH, World,
    claims, condition, device, mutations, requests,
};

/// All records of a world in sync.
const ALL: [(&str, &str); 3] = [RECORD_1, RECORD_2, RECORD_3];
/// Name of a second object.
const SECOND: &str = "second";
/// How long the second object may take.
const LIMIT: Duration = Duration::from_secs(60);

/// Waits until the second object claims this many records on the active unit.
async fn until_second_claims(world: &World, count: usize) {
    let seen = eventually("the claims of the second object", LIMIT, async || {
        let object = world.objects().get(SECOND).await.unwrap();
        let claims = claims(&object.status.unwrap_or_default(), "bigip-a");
        Answer::when(claims.len(), |claimed| *claimed == count)
    });
    world.must(seen.await).await;
}

#[tokio::test]
async fn equal_objects_that_diverge_remove_no_shared_record() {
    const POOL: &str = "bigip-tunnel.dev/pool";
    let world = World::in_sync("near-part").await;
    world.create_named(SECOND, world.spec()).await;
    until_second_claims(&world, 3).await;
    let third = world.node_name("3");
    world
        .nodes
        .set_label(&third, POOL, Some("a"))
        .await
        .unwrap();
    let selector = json!({"matchLabels": {POOL: "a"}});
    let patch = json!({"spec": {"nodes": {"selector": selector, "maxRemovalPercent": 100}}});
    world
        .objects()
        .patch(SECOND, &PatchParams::default(), &Patch::Merge(patch))
        .await
        .unwrap();
    until_second_claims(&world, 1).await;
    world.settle().await;
    world.assert_records(&ALL);
    for unit in world.devices.units() {
        assert_eq!(requests(unit, &Method::DELETE), []);
    }
    // The first object goes with what only it wants.
    world.delete(NAME).await;
    world.until_gone(NAME).await;
    world.assert_records(&[RECORD_3]);
}

#[tokio::test]
async fn object_uses_only_logins_of_its_namespace() {
    let owner = World::in_sync("near-owner").await;
    let mut tenant = World::new("near-tenant").await;
    delete_secret(&tenant).await;
    tenant.trust(&[&owner.devices.ca_bundle()]).await;
    owner.settle().await;
    owner.devices.units().iter().for_each(Simulator::clear_log);
    tenant.create_node(NEW_NODE).await;
    tenant.start_operator().await;
    let mut spec = tenant.spec();
    spec["devices"] = owner.devices.spec_devices();
    tenant.create(spec).await;
    let status = tenant.until_reason("SecretNotFound").await;
    let message = &condition(&status.conditions, "Ready").message;
    assert!(message.contains("near-tenant/"), "{message}");
    for unit in owner.devices.units() {
        assert_eq!(unit.requests(), []);
    }
    owner.assert_records(&ALL);
}

/// Two clusters that cannot see each other, on one tunnel of the first one's devices.
async fn two_clusters(name: &str, other: &ControlPlane) -> (World, World) {
    let first = World::in_sync(name).await;
    let tunnel = TunnelConfig::vxlan(TUNNEL_PATH, LOCAL_ADDRESS);
    let mut second = World::on(other, &format!("{name}-other"), tunnel).await;
    let password = json!({"password": first.devices.password()});
    patch_secret(&second, SECRET, password).await;
    second.trust(&[&first.devices.ca_bundle()]).await;
    second.create_node(NEW_NODE).await;
    second.create_node(("5", "10.169.72.242")).await;
    second.start_operator().await;
    let mut spec = second.spec();
    spec["devices"] = first.devices.spec_devices();
    second.create(spec).await;
    second.until_ready().await;
    (first, second)
}

#[tokio::test]
async fn two_clusters_on_one_tunnel_keep_each_others_records() {
    let last = ("0a:0a:0a:a9:48:f2", "10.169.72.242%0");
    let other = ControlPlane::start().unwrap();
    let (first, second) = two_clusters("near-clusters", &other).await;
    let reason = "two clusters share no lease, and take turns on the tunnel";
    first.witness.exempt(Rule::WritersInTurn, reason);
    first
        .until_records(&[RECORD_1, RECORD_2, RECORD_3, NEW_RECORD, last])
        .await;
    first.settle().await;
    let status = first.status().await;
    let counts = device(&status, "bigip-a").records.clone().unwrap();
    assert_eq!((counts.unclaimed, counts.missing, counts.stale), (2, 0, 0));
    // A removal of one looks at all records and takes its own only.
    first.delete_node("1").await;
    first
        .until_records(&[RECORD_2, RECORD_3, NEW_RECORD, last])
        .await;
    // One cluster empties, and then its object goes.
    second.nodes.delete_all().await.unwrap();
    second.until_reason("NoNodesSelected").await;
    second.delete(NAME).await;
    second.until_gone(NAME).await;
    first.until_records(&[RECORD_2, RECORD_3]).await;
    first.settle().await;
    first.until_ready().await;
    first.assert_records(&[RECORD_2, RECORD_3]);
}

#[tokio::test]
async fn repeatedly_changed_records_are_corrected_once() {
    let world = World::in_sync("near-edits").await;
    let active = world.devices.active();
    active.clear_log();
    for (mac, _) in ALL {
        active.seed_record(TUNNEL_PATH, mac, "192.0.2.7%0").unwrap();
        world.settle().await;
    }
    world.until_reason("ForeignWriter").await;
    let writes: Vec<_> = mutations(active)
        .into_iter()
        .map(|write| write.method)
        .collect();
    assert_eq!(writes, [Method::PATCH]);
}

#[tokio::test]
async fn constantly_changed_foreign_records_stay_unchanged() {
    let world = World::in_sync("near-busy").await;
    let active = world.devices.active();
    let theirs = |number: u8| format!("52:54:00:00:00:{number:02x}");
    for number in 0..6 {
        let endpoint = format!("192.0.2.{number}%0");
        active
            .seed_record(TUNNEL_PATH, &theirs(number), &endpoint)
            .unwrap();
        active
            .seed_record(TUNNEL_PATH, &theirs(0), &endpoint)
            .unwrap();
        match number {
            1 => world.create_node(NEW_NODE).await,
            3 => world.delete_node("1").await,
            _ => world.reconcile().await,
        }
    }
    let ours = [RECORD_2, RECORD_3, NEW_RECORD];
    world.until_unit(world.devices.standby(), &ours).await;
    world.until_ready().await;
    world.settle().await;
    let mut expected: std::collections::BTreeMap<String, String> = crate::world::to_map(&ours);
    for number in 1..6 {
        expected.insert(theirs(number), format!("192.0.2.{number}%0"));
    }
    expected.insert(theirs(0), "192.0.2.5%0".to_owned());
    assert_eq!(active.records(TUNNEL_PATH), expected);
    let ours_only = |request: &bigip_sim::LoggedRequest| {
        let record = request.record.as_deref().unwrap_or_default();
        record.starts_with("0a:0a:")
    };
    assert!(mutations(active).iter().all(ours_only));
}
