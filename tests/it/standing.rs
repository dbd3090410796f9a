//! Which other objects count on a unit and tunnel: replaced objects, strangers, objects with standing.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bigip_sim::{Effect, Fault, FaultId, Method, Simulator};
use bigip_tunnel_harness::devices::USER;
use bigip_tunnel_harness::objects::SECRET;
use bigip_tunnel_harness::proxy::{Rule, Seen, Trouble};
use bigip_tunnel_harness::wait::{Answer, eventually};
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use crate::devices::{create_secret, patch_secret};
use crate::former::delete_secret;
use crate::world::{
    NAME, NEW_NODE, RECORD_1, RECORD_2, RECORD_3, World, claims, condition, requests,
};

/// All records of a world in sync.
const ALL: [(&str, &str); 3] = [RECORD_1, RECORD_2, RECORD_3];
/// Name of a second object.
const SECOND: &str = "second";
/// How long something outside of the first object may take.
const LIMIT: Duration = Duration::from_secs(60);

/// `spec.devices` with the units under their other name.
fn by_other_name(world: &World) -> Value {
    let mut devices = world.devices.spec_devices();
    for device in devices.as_array_mut().unwrap() {
        device["address"] = json!("localhost");
    }
    devices
}

/// Has logins wait on both units until the faults are removed.
fn hold_logins(world: &World) -> Vec<(&Simulator, FaultId)> {
    let held = |unit: &'_ Simulator| {
        let login = Fault::new(Effect::stall()).path_contains("/authn/login");
        unit.fault(login.method(Method::POST))
    };
    let units = world.devices.units().iter();
    units.map(|unit| (unit, held(unit))).collect()
}

/// Waits until a login is under way on both units.
async fn until_logins_wait(world: &World, held: &[(&Simulator, FaultId)]) {
    let waiting = eventually("a login on both units", LIMIT, async || {
        let count = held
            .iter()
            .filter(|(unit, id)| !unit.held_by(*id).is_empty());
        Answer::when(count.count(), |count| *count == held.len())
    });
    world.must(waiting.await).await;
}

async fn until_second_claims_all(world: &World) {
    let seen = eventually("the claims of the second object", LIMIT, async || {
        let status = world.objects().get(SECOND).await.unwrap().status;
        let status = status.unwrap_or_default();
        let claimed = ["bigip-a", "bigip-b"].map(|device| claims(&status, device).len());
        Answer::when(claimed, |claimed| *claimed == [ALL.len(); 2])
    });
    world.must(seen.await).await;
}

fn assert_nothing_removed(world: &World) {
    world.assert_records(&ALL);
    for unit in world.devices.units() {
        assert_eq!(requests(unit, &Method::DELETE), []);
    }
}

/// The object is replaced by one with these devices whose first login takes long, and deleted meanwhile.
async fn is_replaced(world: &World, mut spec: Value, devices: Value) {
    let held = hold_logins(world);
    spec["devices"] = devices;
    world.create_named(SECOND, spec).await;
    until_logins_wait(world, &held).await;
    world.delete(NAME).await;
    let status = world.until_reason("HeldByNeighbour").await;
    let message = &condition(&status.conditions, "Ready").message;
    assert!(message.contains("BigIpTunnel second"), "{message}");
    assert_nothing_removed(world);
    for (unit, id) in held {
        unit.remove_fault(id);
    }
    world.until_gone(NAME).await;
    until_second_claims_all(world).await;
    assert_nothing_removed(world);
}

#[tokio::test]
async fn replaced_object_with_another_spelling_loses_no_record() {
    let world = World::in_sync("standing-spelling").await;
    is_replaced(&world, world.spec(), by_other_name(&world)).await;
}

#[tokio::test]
async fn replaced_object_with_the_same_spelling_loses_no_record() {
    let world = World::in_sync("standing-same").await;
    // With another Secret it has a login of its own.
    let login = [("username", USER), ("password", world.devices.password())];
    create_secret(&world, "own-login", &login).await;
    let mut spec = world.spec();
    spec["credentialsSecretRef"] = json!({"name": "own-login"});
    is_replaced(&world, spec, world.devices.spec_devices()).await;
}

#[tokio::test]
async fn replaced_object_with_a_fast_login_loses_no_record() {
    let world = World::in_sync("standing-fast").await;
    let mut spec = world.spec();
    spec["devices"] = by_other_name(&world);
    world.create_named(SECOND, spec).await;
    world.delete(NAME).await;
    world.until_gone(NAME).await;
    until_second_claims_all(&world).await;
    assert_nothing_removed(&world);
}

#[tokio::test]
async fn objects_of_a_namespace_keep_shared_records_after_a_restart() {
    let mut world = World::in_sync("standing-restart").await;
    let mut spec = world.spec();
    spec["devices"] = by_other_name(&world);
    world.create_named(SECOND, spec).await;
    until_second_claims_all(&world).await;
    world.kill_operator().await;
    world.delete(NAME).await;
    world.start_operator().await;
    world.until_gone(NAME).await;
    assert_nothing_removed(&world);
}

/// Takes from the status of the second object what an older release did not write.
async fn forget_keys(world: &World) {
    let object = world.objects().get(SECOND).await.unwrap();
    let mut devices = json!(object.status.unwrap().devices);
    for device in devices.as_array_mut().unwrap() {
        device.as_object_mut().unwrap().remove("keyFingerprint");
    }
    let patch = Patch::Merge(json!({"status": {"devices": devices}}));
    world
        .objects()
        .patch_status(SECOND, &PatchParams::default(), &patch)
        .await
        .unwrap();
}

#[tokio::test]
async fn claims_of_suspended_object_block_a_deletion() {
    let mut world = World::in_sync("standing-suspended").await;
    let mut spec = world.spec();
    spec["devices"] = by_other_name(&world);
    world.create_named(SECOND, spec).await;
    until_second_claims_all(&world).await;
    world.kill_operator().await;
    forget_keys(&world).await;
    let suspend = async |suspend: bool| {
        let patch = Patch::Merge(json!({"spec": {"suspend": suspend}}));
        let objects = world.objects();
        objects
            .patch(SECOND, &PatchParams::default(), &patch)
            .await
            .unwrap();
    };
    suspend(true).await;
    world.delete(NAME).await;
    world.start_operator().await;
    let status = world.until_reason("HeldByNeighbour").await;
    let message = &condition(&status.conditions, "Ready").message;
    assert!(
        message.contains("BigIpTunnel second claims them too"),
        "{message}"
    );
    let patch = Patch::Merge(json!({"spec": {"suspend": false}}));
    let objects = world.objects();
    objects
        .patch(SECOND, &PatchParams::default(), &patch)
        .await
        .unwrap();
    world.until_gone(NAME).await;
    assert_nothing_removed(&world);
}

/// An owner whose operator watches the namespace of a stranger as well, and that stranger, who has an
/// object for the nodes, units and tunnel of the owner. With a login only if `may_log_in`.
async fn owner_and_stranger(name: &str, may_log_in: bool) -> (World, World, Value) {
    let owner = World::new(name).await;
    let stranger = World::new(&format!("{name}-tenant")).await;
    if may_log_in {
        let password = json!({"password": owner.devices.password()});
        patch_secret(&stranger, SECRET, password).await;
        stranger.trust(&[&owner.devices.ca_bundle()]).await;
    } else {
        delete_secret(&stranger).await;
    }
    let mut spec = owner.spec();
    spec["devices"] = owner.devices.spec_devices();
    (owner, stranger, spec)
}

/// Starts the operator, the owner's object, and then the one of the stranger.
async fn both_at_work(owner: &mut World, stranger: &World, spec: Value) {
    owner.create_nodes().await;
    let tenant = format!("--watch-namespace={}", stranger.name);
    owner.start_operator_with(&[&tenant]).await;
    owner.create(owner.spec()).await;
    owner.until_ready().await;
    stranger.create(spec).await;
    stranger
        .until_status("seen by the operator", |status| {
            status.observed_generation == Some(1)
        })
        .await;
}

/// A removal of the owner and the deletion of the owner's object go on.
pub(crate) async fn assert_owner_is_free(owner: &World) {
    owner.delete_node("1").await;
    owner.until_records(&[RECORD_2, RECORD_3]).await;
    owner.settle().await;
    owner.until_ready().await;
    owner.delete(NAME).await;
    owner.until_gone(NAME).await;
    owner.assert_records(&[]);
}

#[tokio::test]
async fn foreign_object_without_cilium_nodes_blocks_no_record() {
    let (mut owner, stranger, mut spec) = owner_and_stranger("standing-cilium", true).await;
    spec["nodes"]["addressSource"] = json!({"type": "CiliumNode"});
    both_at_work(&mut owner, &stranger, spec).await;
    assert_owner_is_free(&owner).await;
}

#[tokio::test]
async fn foreign_object_without_a_secret_blocks_no_record() {
    let (mut owner, stranger, spec) = owner_and_stranger("standing-secret", false).await;
    both_at_work(&mut owner, &stranger, spec).await;
    stranger.until_reason("SecretNotFound").await;
    assert_owner_is_free(&owner).await;
}

#[tokio::test]
async fn foreign_object_with_standing_blocks_a_deletion() {
    let (mut owner, stranger, spec) = owner_and_stranger("standing-holds", true).await;
    let proxy = owner.start_proxy().await;
    // The second write of its status is its first claim: by then it has read the tunnel.
    let (path, seen) = (
        format!("/{}/bigiptunnels/{NAME}/status", stranger.name),
        AtomicUsize::new(0),
    );
    let is_claim = move |request: &Seen| {
        request.is_mutation()
            && request.path.ends_with(&path)
            && seen.fetch_add(1, Ordering::Relaxed) > 0
    };
    let held = proxy.add(Rule::new(Trouble::Silence, is_claim));
    owner.create_nodes().await;
    let tenant = format!("--watch-namespace={}", stranger.name);
    owner.start_operator_with(&[&tenant]).await;
    owner.create(owner.spec()).await;
    owner.until_ready().await;
    stranger.create(spec).await;
    let waiting = proxy.until_effects(held, 1, LIMIT).await;
    owner.must(waiting).await;

    owner.delete(NAME).await;
    let status = owner.until_reason("HeldByNeighbour").await;
    let message = &condition(&status.conditions, "Ready").message;
    assert!(message.contains("in another namespace"), "{message}");
    assert!(!message.contains(&stranger.name), "{message}");
    let named = format!("\"neighbour\":\"{}/{NAME}\"", stranger.name);
    owner.until_logged(&["HeldByNeighbour", &named]).await;
    assert_nothing_removed(&owner);
    proxy.remove(held);
    owner.until_gone(NAME).await;
    stranger.until_ready().await;
    assert_nothing_removed(&owner);
}

#[tokio::test]
async fn node_that_only_another_object_selects_keeps_its_record() {
    let world = World::in_sync("standing-pool").await;
    let mut spec = world.spec();
    spec["devices"] = by_other_name(&world);
    world.create_named(SECOND, spec).await;
    until_second_claims_all(&world).await;
    let selector = json!({"matchLabels": {"bigip-tunnel.dev/none": "x"}});
    let third = world.node_name("3");
    let label = Some("x");
    world
        .nodes
        .set_label(&third, "bigip-tunnel.dev/none", label)
        .await
        .unwrap();
    let nodes = json!({"selector": selector, "maxRemovalPercent": 100});
    world.patch_spec(json!({"nodes": nodes})).await;
    world.create_node(NEW_NODE).await;
    let all = [RECORD_1, RECORD_2, RECORD_3, crate::world::NEW_RECORD];
    world.until_records(&all).await;
    let left = |status: &_| claims(status, "bigip-a").len() == 1;
    world
        .until_status("one claim of the first object", left)
        .await;
    world.settle().await;
    world.until_ready().await;
    world.assert_records(&all);
}
