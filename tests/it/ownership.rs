//! Whose record is whose: nobody else's is ever touched, and ours are found again.

use bigip_sim::Simulator;
use bigip_tunnel_crds::MANAGER_OPERATOR;
use bigip_tunnel_crds::v1alpha1::{BigIpTunnel, ClaimState, ProblemKind};
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use crate::world::{
    FOREIGN, NAME, NEW_NODE, NEW_RECORD, RECORD_1, RECORD_2, RECORD_3, TUNNEL_PATH, World, claims,
    condition, device, to_map,
};

/// Writes a record on both units behind the operator's back.
fn seed(world: &World, (mac, endpoint): (&str, &str)) {
    for unit in world.devices.units() {
        unit.seed_record(TUNNEL_PATH, mac, endpoint).unwrap();
    }
}

fn mutations(world: &World) -> [u64; 2] {
    world.devices.units().each_ref().map(Simulator::mutations)
}

async fn replace_status(world: &World, name: &str, status: Value) {
    let patch = json!([{"op": "add", "path": "/status", "value": status}]);
    let patch = Patch::<()>::Json(serde_json::from_value(patch).unwrap());
    world
        .objects()
        .patch_status(name, &PatchParams::default(), &patch)
        .await
        .unwrap();
}

#[tokio::test]
async fn records_that_match_are_adopted_without_a_write() {
    let world = World::new("owner-adopt").await;
    for record in [RECORD_1, RECORD_2, RECORD_3] {
        seed(&world, record);
    }
    let world = world.into_sync().await;
    let status = world.status().await;
    let owned = [RECORD_1, RECORD_2, RECORD_3].map(|(mac, _)| (mac.to_owned(), ClaimState::Owned));
    for (name, _) in world.devices.named() {
        assert_eq!(claims(&status, name), owned.clone().into());
    }
    assert_eq!(mutations(&world), [0, 0]);
}

#[tokio::test]
async fn adopted_record_is_removed_with_its_node() {
    let world = World::new("owner-adopted").await;
    for record in [RECORD_1, RECORD_2, RECORD_3] {
        seed(&world, record);
    }
    let world = world.into_sync().await;
    world.delete_node("1").await;
    world.until_records(&[RECORD_2, RECORD_3]).await;
}

#[tokio::test]
async fn foreign_record_is_never_removed() {
    let world = World::new("owner-foreign").await;
    seed(&world, FOREIGN);
    let world = world.into_sync().await;
    world.assert_records(&[FOREIGN, RECORD_1, RECORD_2, RECORD_3]);
    let status = world.status().await;
    let unit = device(&status, "bigip-a");
    assert_eq!(unit.records.as_ref().unwrap().foreign, 1);
    let problem = &unit.problems[0];
    assert_eq!(
        (&*problem.mac, problem.kind),
        (FOREIGN.0, ProblemKind::Foreign)
    );
    world.create_node(NEW_NODE).await;
    world.delete_node("1").await;
    world
        .until_records(&[FOREIGN, RECORD_2, RECORD_3, NEW_RECORD])
        .await;
    world.delete(NAME).await;
    world.until_gone(NAME).await;
    world.assert_records(&[FOREIGN]);
}

#[tokio::test]
async fn orphaned_record_is_reported_and_kept() {
    let world = World::new("owner-unclaimed").await;
    let leftover = ("0a:0a:0a:09:09:09", "10.9.9.9%0");
    seed(&world, leftover);
    let world = world.into_sync().await;
    let status = world.status().await;
    let unit = device(&status, "bigip-b");
    assert_eq!(unit.records.as_ref().unwrap().unclaimed, 1);
    assert_eq!(unit.problems[0].kind, ProblemKind::Unclaimed);
    world.delete_node("1").await;
    world.until_records(&[leftover, RECORD_2, RECORD_3]).await;
    world.delete(NAME).await;
    world.until_gone(NAME).await;
    world.assert_records(&[leftover]);
}

#[tokio::test]
async fn desired_mac_of_a_foreign_record_is_a_conflict() {
    let mut world = World::new("owner-conflict").await;
    let taken = (RECORD_1.0, "10.9.9.9%0");
    seed(&world, taken);
    world.create_nodes().await;
    world.start_operator().await;
    world.create(world.spec()).await;
    let status = world.until_reason("Conflict").await;
    world.until_records(&[taken, RECORD_2, RECORD_3]).await;
    let unit = device(&status, "bigip-a");
    assert_eq!(condition(&unit.conditions, "Programmed").reason, "Conflict");
    assert_eq!(condition(&unit.conditions, "Reachable").status, "True");
    let problem = &unit.problems[0];
    assert_eq!(
        (&*problem.mac, problem.kind),
        (taken.0, ProblemKind::Conflict)
    );
    assert_eq!(problem.endpoint.as_deref(), Some(taken.1));
    let status = world.until_status("the others owned", |status| {
        claims(status, "bigip-a").len() == 2 && claims(status, "bigip-b").len() == 2
    });
    assert!(!claims(&status.await, "bigip-a").contains_key(taken.0));
    // Neither its node nor the object takes it along.
    world.delete_node("1").await;
    world.settle().await;
    world.delete(NAME).await;
    world.until_gone(NAME).await;
    world.assert_records(&[taken]);
}

#[tokio::test]
async fn lost_record_is_restored() {
    let world = World::in_sync("owner-lost").await;
    assert!(world.devices.active().drop_record(TUNNEL_PATH, RECORD_1.0));
    world.reconcile().await;
    world.until_records(&[RECORD_1, RECORD_2, RECORD_3]).await;
}

#[tokio::test]
async fn owned_record_with_another_endpoint_is_corrected() {
    let world = World::in_sync("owner-correct").await;
    let standby = world.devices.standby();
    standby
        .seed_record(TUNNEL_PATH, RECORD_1.0, "10.9.9.9%0")
        .unwrap();
    world.reconcile().await;
    world.until_records(&[RECORD_1, RECORD_2, RECORD_3]).await;
}

#[tokio::test]
async fn deleted_object_removes_only_its_own_records() {
    let world = World::new("owner-delete").await;
    let (mac, endpoint) = FOREIGN;
    world
        .devices
        .active()
        .seed_record(TUNNEL_PATH, mac, endpoint)
        .unwrap();
    let world = world.into_sync().await;
    world.delete(NAME).await;
    world.until_gone(NAME).await;
    world.until_each([&to_map(&[FOREIGN]), &to_map(&[])]).await;
}

#[tokio::test]
async fn retained_records_stay_after_deletion() {
    let world = World::in_sync("owner-retain").await;
    let before = mutations(&world);
    world.patch_spec(json!({"deletionPolicy": "Retain"})).await;
    world.until_ready().await;
    world.delete(NAME).await;
    world.until_gone(NAME).await;
    world.assert_records(&[RECORD_1, RECORD_2, RECORD_3]);
    assert_eq!(mutations(&world), before);
}

#[tokio::test]
async fn wiped_status_is_rebuilt_without_a_write() {
    let mut world = World::in_sync("owner-wiped").await;
    let before = mutations(&world);
    world.kill_operator().await;
    replace_status(&world, NAME, json!({})).await;
    world.start_operator().await;
    let status = world.until_ready().await;
    assert_eq!(claims(&status, "bigip-a").len(), 3);
    world.assert_records(&[RECORD_1, RECORD_2, RECORD_3]);
    assert_eq!(mutations(&world), before);
}

#[tokio::test]
async fn status_wiped_at_runtime_removes_no_record() {
    let world = World::in_sync("owner-wiped-live").await;
    let before = mutations(&world);
    replace_status(&world, NAME, json!({})).await;
    world.settle().await;
    let status = world
        .until_status("all records claimed again", |status| {
            claims(status, "bigip-a").len() == 3 && claims(status, "bigip-b").len() == 3
        })
        .await;
    let mut of_active = claims(&status, "bigip-a").into_values();
    assert!(of_active.all(|state| state == ClaimState::Owned));
    world.assert_records(&[RECORD_1, RECORD_2, RECORD_3]);
    assert_eq!(mutations(&world), before);
}

#[tokio::test]
async fn copied_status_removes_nothing() {
    let mut world = World::new("owner-copied").await;
    let others = ("0a:0a:0a:09:09:09", "10.9.9.9%0");
    seed(&world, others);
    world.create_nodes().await;
    world.create(world.spec()).await;
    let claim = json!({"devices": ["bigip-a", "bigip-b"], "state": "Owned", "macs": [others.0]});
    let ownership = json!({"uid": "4f0c8f5e-0000-0000-0000-000000000000", "claims": [claim]});
    replace_status(&world, NAME, json!({"ownership": ownership})).await;
    world.start_operator().await;
    let status = world.until_ready().await;
    assert_eq!(
        status.ownership.as_ref().unwrap().uid,
        world.object().await.metadata.uid.unwrap()
    );
    assert!(!claims(&status, "bigip-a").contains_key(others.0));
    // A removal looks at every record; this one is left alone.
    world.delete_node("1").await;
    world.until_records(&[others, RECORD_2, RECORD_3]).await;
    world.delete(NAME).await;
    world.until_gone(NAME).await;
    world.assert_records(&[others]);
}

#[tokio::test]
async fn record_in_other_notation_is_adopted_and_removed() {
    let capitals = ("0A:0A:0A:A9:48:EF", "10.169.72.239");
    let world = World::new("owner-notation").await;
    seed(&world, capitals);
    let world = world.into_sync().await;
    world.assert_records(&[capitals, RECORD_2, RECORD_3]);
    world.delete_node("1").await;
    world.until_records(&[RECORD_2, RECORD_3]).await;
}

#[tokio::test]
async fn recreated_object_starts_with_new_ownership() {
    let world = World::in_sync("owner-again").await;
    let first = world.object().await.metadata.uid;
    world.delete(NAME).await;
    world.until_gone(NAME).await;
    world.assert_records(&[]);
    world.create(world.spec()).await;
    let status = world.until_ready().await;
    world.assert_records(&[RECORD_1, RECORD_2, RECORD_3]);
    let second = world.object().await.metadata.uid;
    assert_ne!(first, second);
    assert_eq!(Some(status.ownership.unwrap().uid), second);
}

/// The fields of an object that a client manages, by the name of the client and the subresource.
fn managed_by(object: &BigIpTunnel, manager: &str, subresource: Option<&str>) -> Value {
    let entries = object.metadata.managed_fields.iter().flatten();
    let mut entries = entries.filter(|entry| {
        entry.manager.as_deref() == Some(manager) && entry.subresource.as_deref() == subresource
    });
    let fields = entries.next().and_then(|entry| entry.fields_v1.clone());
    fields.map_or(Value::Null, |fields| fields.0)
}

#[tokio::test]
async fn claim_takes_no_field_from_another_manager() {
    let world = World::new("owner-managed").await.into_sync().await;
    let applied = json!({
        "apiVersion": "bigip-tunnel.dev/v1alpha1", "kind": "BigIpTunnel",
        "metadata": {
            "name": NAME, "labels": {"team": "net"}, "annotations": {"example.com/note": "a"},
        },
        "spec": {"suspend": false},
    });
    let objects = world.objects();
    let params = PatchParams::apply("gitops");
    let before = objects.patch(NAME, &params, &Patch::Apply(&applied)).await;
    let before = before.unwrap();
    world.create_node(NEW_NODE).await;
    world
        .until_records(&[RECORD_1, RECORD_2, RECORD_3, NEW_RECORD])
        .await;
    let after = world.object().await;
    assert_ne!(
        after.metadata.resource_version,
        before.metadata.resource_version
    );
    let managed = managed_by(&before, "gitops", None);
    assert_ne!(managed["f:metadata"]["f:labels"], Value::Null, "{managed}");
    assert_eq!(managed_by(&after, "gitops", None), managed);
    assert_eq!(after.metadata.labels, before.metadata.labels);
    assert_eq!(after.metadata.annotations, before.metadata.annotations);
    let ours = managed_by(&after, MANAGER_OPERATOR, Some("status"));
    assert_ne!(ours["f:status"]["f:ownership"], Value::Null, "{ours}");
}
