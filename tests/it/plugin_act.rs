//! The verbs of the plugin that change something: what they write, what the operator makes of it, and
//! what they refuse.

use bigip_tunnel_crds::{
    ANNOTATION_APPROVE_REMOVAL, ANNOTATION_RECONCILE_REQUESTED_AT, ANNOTATION_RELEASE,
    ANNOTATION_SUSPEND_REASON, MANAGER_CLI,
};
use bigip_tunnel_harness::account::rule;
use kube::ResourceExt as _;
use serde_json::{Value, json};

use crate::approval::{REPLACEMENT, exchanged, two_of_three_nodes_leave};
use crate::former::{delete_secret, unlist_standby};
use crate::world::plugin::Ended;
use crate::world::{
    FOREIGN, NAME, NEW_NODE, NEW_RECORD, NODES, RECORD_1, RECORD_2, RECORD_3, TUNNEL_PATH, World,
    claims, find,
};

/// All records of a world in sync.
const ALL: [(&str, &str); 3] = [RECORD_1, RECORD_2, RECORD_3];

/// Checks that the plugin did its work and printed this.
fn assert_done(ended: &Ended, out: &str) {
    let expected = format!("bigiptunnel.bigip-tunnel.dev/{out}\n");
    assert_eq!(
        (ended.code, &*ended.out),
        (Some(0), &*expected),
        "{ended:?}"
    );
}

/// Checks that the plugin refused, with these words in its error.
fn assert_refused(ended: &Ended, code: i32, words: &[&str]) {
    assert_eq!((ended.code, &*ended.out), (Some(code), ""), "{ended:?}");
    for words in words {
        assert!(ended.err.contains(words), "{words:?} in {ended:?}");
    }
}

async fn annotation(world: &World, key: &str) -> Option<String> {
    world.object().await.annotations().get(key).cloned()
}

#[tokio::test]
async fn requested_pass_is_awaited_and_reported() {
    let world = World::in_sync("plugin-reconcile").await;
    assert!(world.devices.active().drop_record(TUNNEL_PATH, RECORD_1.0));
    let ended = world.plugin(&["reconcile", NAME]).await;
    assert_done(
        &ended,
        "prod-east reconciled: InSync: 3 nodes on 2 of 2 BIG-IPs",
    );
    world.assert_records(&ALL);
    let object = world.object().await;
    let asked = object.annotations().get(ANNOTATION_RECONCILE_REQUESTED_AT);
    let handled = object.status.as_ref().unwrap();
    assert_eq!(handled.last_handled_reconcile_at.as_ref(), asked);
    let managers = object.managed_fields();
    assert!(
        managers
            .iter()
            .any(|m| m.manager.as_deref() == Some(MANAGER_CLI))
    );

    world.devices.standby().set_responsive(false);
    let ended = world.plugin(&["reconcile", "--all", "-o", "json"]).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let report: Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!(report["kind"], "ActionReport");
    assert_eq!(report["tunnels"][0]["action"], "reconciled");
    assert_eq!(report["tunnels"][0]["ready"]["status"], "False");
}

#[tokio::test]
async fn pending_reconcile_request_exits_with_4() {
    let mut world = World::in_sync("plugin-late").await;
    world.kill_operator().await;
    let ended = world.plugin(&["reconcile", NAME, "--timeout", "2s"]).await;
    assert_eq!(ended.code, Some(4), "{ended:?}");
    assert!(
        ended.out.ends_with("/prod-east reconcile requested\n"),
        "{ended:?}"
    );
    assert!(
        ended.err.contains("within 2 s; Ready is True: InSync"),
        "{ended:?}"
    );
    assert!(
        ended.err.contains("hint: see whether the operator runs"),
        "{ended:?}"
    );
    let progress = format!("waiting for the operator: {}/prod-east\n", world.name);
    assert!(ended.err.starts_with(&progress), "{ended:?}");
    let first = annotation(&world, ANNOTATION_RECONCILE_REQUESTED_AT).await;
    assert!(first.is_some());

    let ended = world.plugin(&["reconcile", NAME, "--no-wait"]).await;
    assert_done(&ended, "prod-east reconcile requested");
    let second = annotation(&world, ANNOTATION_RECONCILE_REQUESTED_AT).await;
    assert_ne!(second, first);
}

#[tokio::test]
async fn suspended_tunnel_gets_no_record_until_resumed() {
    let world = World::in_sync("plugin-suspend").await;
    let suspend = ["suspend", NAME, "--reason", "upgrade CHG1"];
    let dry = world
        .plugin(&[&suspend[..], &["--dry-run=server"]].concat())
        .await;
    assert_done(&dry, "prod-east suspended (server dry run)");
    assert!(!world.object().await.spec.suspend);

    let ended = world.plugin(&suspend).await;
    assert_done(&ended, "prod-east suspended");
    assert!(ended.err.contains("keep their records"), "{ended:?}");
    let reason = annotation(&world, ANNOTATION_SUSPEND_REASON).await;
    assert_eq!(reason.as_deref(), Some("upgrade CHG1"));
    world
        .until_status("Paused", |status| {
            find(&status.conditions, "Paused").is_some_and(|c| c.reason == "Suspended")
        })
        .await;
    assert_done(&world.plugin(&suspend).await, "prod-east already suspended");
    let status = world.plugin(&["status", NAME]).await;
    assert!(
        status.out.contains("Suspended (upgrade CHG1)"),
        "{status:?}"
    );

    world.create_node(NEW_NODE).await;
    let ended = world.plugin(&["reconcile", NAME]).await;
    let hint = format!(
        "hint: kubectl bigip-tunnel resume prod-east -n {}",
        world.name
    );
    assert_refused(&ended, 1, &["it is suspended", &hint]);
    world.reconcile().await;
    world.assert_records(&ALL);

    assert_done(&world.plugin(&["resume", NAME]).await, "prod-east resumed");
    assert_eq!(annotation(&world, ANNOTATION_SUSPEND_REASON).await, None);
    world
        .until_records(&[RECORD_1, RECORD_2, RECORD_3, NEW_RECORD])
        .await;
    let again = world.plugin(&["resume", NAME]).await;
    assert_done(&again, "prod-east already resumed");
}

#[tokio::test]
async fn of_several_tunnels_none_is_changed_when_one_is_not_there() {
    let world = World::new("plugin-several").await;
    world.create(world.spec()).await;
    let ended = world
        .plugin(&["suspend", NAME, "prod-west", "--reason", "r"])
        .await;
    assert_refused(&ended, 1, &["\"prod-west\" not found"]);
    assert!(!world.object().await.spec.suspend);
}

#[tokio::test]
async fn approve_command_releases_a_blocked_removal() {
    let (world, digest) = two_of_three_nodes_leave("plugin-approve").await;
    let ended = world.plugin(&["approve", NAME]).await;
    assert_refused(
        &ended,
        2,
        &[&digest, RECORD_2.0, RECORD_3.0, "hint: give --yes"],
    );
    let dry = ["approve", NAME, "--dry-run=server"];
    let ended = world.plugin(&dry).await;
    assert_done(&ended, "prod-east removal approved (server dry run)");
    assert_eq!(annotation(&world, ANNOTATION_APPROVE_REMOVAL).await, None);
    world.settle().await;
    world.assert_records(&ALL);

    let ended = world.plugin(&["approve", NAME, "--yes"]).await;
    assert_done(&ended, "prod-east removal approved");
    let approved = annotation(&world, ANNOTATION_APPROVE_REMOVAL).await;
    assert_eq!(approved, Some(digest));
    world.until_records(&[RECORD_1]).await;
    world.until_ready().await;
    let ended = world.plugin(&["approve", NAME, "--yes"]).await;
    assert_refused(&ended, 1, &["no removal is pending approval"]);
}

#[tokio::test]
async fn approve_command_shows_and_approves_every_record() {
    let mut world = World::new("plugin-approve-all").await;
    world.create_many_nodes(30).await;
    world.start_operator().await;
    let mut spec = world.spec();
    spec["nodes"]["maxRemovalPercent"] = json!(0);
    world.create(spec).await;
    world.until_ready().await;
    for number in 0..20 {
        world.delete_node(&format!("n{number}")).await;
    }
    world
        .until_status("20 records held", |status| {
            let held = status.held_removal.as_ref();
            held.is_some_and(|held| held.count == 20)
        })
        .await;
    let dry = world
        .plugin(&["approve", NAME, "--dry-run=client", "-o", "json"])
        .await;
    assert_eq!(dry.code, Some(0), "{dry:?}");
    let report: Value = serde_json::from_str(&dry.out).unwrap();
    let records = report["tunnels"][0]["heldRemoval"]["records"].as_array();
    let records = records.unwrap();
    assert_eq!(records.len(), 20);
    let is_right = |record: &&Value| {
        let node = record["nodes"][0].as_str().unwrap_or_default();
        let is_named = node.starts_with(&world.node_name("n"));
        is_named && record["cause"] == "NodeDeleted" && record["nodeExists"] == false
    };
    assert!(
        records.iter().all(|record| is_right(&record)),
        "{records:?}"
    );
    let ended = world.plugin(&["approve", NAME, "--yes"]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(
        ended.err.matches("0a:0a:0a:14:00:").count(),
        20,
        "{ended:?}"
    );
    world
        .until_status("the removal approved", |status| {
            status.last_handled_approval.is_some() && status.held_removal.is_none()
        })
        .await;
}

#[tokio::test]
async fn declined_confirmation_changes_nothing() {
    let (world, _) = two_of_three_nodes_leave("plugin-no").await;
    let asking = world.plugin_asking(&["approve", NAME]).await;
    assert!(
        asking.shown.contains("Let 2 records be removed?"),
        "{}",
        asking.shown
    );
    let ended = asking.answer("n").await;
    assert_refused(&ended, 1, &["not confirmed; nothing was changed"]);
    assert_eq!(annotation(&world, ANNOTATION_APPROVE_REMOVAL).await, None);
}

#[tokio::test]
async fn removal_changed_since_display_is_not_approved() {
    let (world, digest) = two_of_three_nodes_leave("plugin-conflict").await;
    let asking = world.plugin_asking(&["approve", NAME]).await;
    // One of the nodes comes back while the person thinks.
    world.create_node(NODES[2]).await;
    world
        .until_status("another held removal", |status| {
            let held = status.held_removal.as_ref();
            held.is_some_and(|held| held.digest != digest && held.count == 1)
        })
        .await;
    let ended = asking.answer("y").await;
    assert_refused(
        &ended,
        1,
        &["has changed since it was shown; nothing was written"],
    );
    assert_eq!(annotation(&world, ANNOTATION_APPROVE_REMOVAL).await, None);
    world.settle().await;
    world.assert_records(&ALL);
}

#[tokio::test]
async fn unrelated_change_does_not_invalidate_the_approval() {
    let (world, digest) = two_of_three_nodes_leave("plugin-retry").await;
    let asking = world.plugin_asking(&["approve", NAME]).await;
    world.annotate("example.net/note", "something else").await;
    assert_done(&asking.answer("yes").await, "prod-east removal approved");
    let approved = annotation(&world, ANNOTATION_APPROVE_REMOVAL).await;
    assert_eq!(approved, Some(digest));
    world.until_records(&[RECORD_1]).await;
}

#[tokio::test]
async fn accept_device_command_accepts_a_replaced_unit() {
    let (world, replacement) = exchanged("plugin-accept", &[FOREIGN]).await;
    let accept = ["accept-device", NAME, "bigip-b"];
    let ended = world.plugin(&accept).await;
    assert_refused(
        &ended,
        2,
        &[REPLACEMENT, "On the known box 3 records are claimed"],
    );
    let ended = world
        .plugin(&["accept-device", NAME, "bigip-a", "--yes"])
        .await;
    assert_refused(&ended, 1, &["no other unit than"]);

    let ended = world.plugin(&[&accept[..], &["--yes"]].concat()).await;
    assert_done(&ended, "prod-east bigip-b accepted");
    let expected = [FOREIGN, RECORD_1, RECORD_2, RECORD_3];
    world.until_unit(&replacement, &expected).await;
    world.until_ready().await;
}

#[tokio::test]
async fn release_command_releases_a_former_device() {
    let world = World::in_sync("plugin-former").await;
    let ended = world.plugin(&["release", NAME, "bigip-b", "--yes"]).await;
    assert_refused(&ended, 1, &["bigip-b is listed"]);
    world.devices.standby().set_responsive(false);
    unlist_standby(&world).await;
    world.until_reason("CleanupFailed").await;
    let status = world.plugin(&["status", NAME]).await;
    let next = "kubectl bigip-tunnel release prod-east bigip-b";
    assert!(status.out.contains(next), "{status:?}");

    let asking = world.plugin_asking(&["release", NAME, "bigip-b"]).await;
    assert!(asking.shown.contains(RECORD_1.0), "{}", asking.shown);
    assert_done(&asking.answer("y").await, "prod-east bigip-b released");
    let status = world.until_ready().await;
    assert!(claims(&status, "bigip-b").is_empty());
    world.assert_records(&ALL);
}

#[tokio::test]
async fn release_command_releases_a_blocked_tunnel() {
    let mut world = World::in_sync("plugin-release").await;
    let ended = world.plugin(&["release", NAME, "--yes"]).await;
    assert_refused(&ended, 1, &["it is not being deleted"]);
    assert_eq!(annotation(&world, ANNOTATION_RELEASE).await, None);

    world.kill_operator().await;
    delete_secret(&world).await;
    world.delete(NAME).await;
    world.start_operator().await;
    world.until_reason("CleanupFailed").await;
    let ended = world
        .plugin(&["suspend", NAME, "--reason", "to be rid of it"])
        .await;
    assert_refused(&ended, 1, &["it is being deleted", "release prod-east"]);

    let ended = world.plugin(&["release", NAME, "--yes"]).await;
    assert_done(&ended, "prod-east released");
    assert!(ended.err.contains("leaves up to 6 records"), "{ended:?}");
    world.until_gone(NAME).await;
    world.assert_records(&ALL);
}

#[tokio::test]
async fn missing_patch_permission_is_named_with_exit_3() {
    let world = World::new("plugin-rights").await;
    world.create(world.spec()).await;
    let account = world.account().await;
    let reading = [rule(
        "bigip-tunnel.dev",
        &["bigiptunnels"],
        &["get", "list"],
    )];
    account.allow(&reading).await.unwrap();
    for verb in [
        &["suspend", NAME, "--reason", "r"][..],
        &["reconcile", NAME, "--no-wait"],
    ] {
        let ended = world.plugin_as(&account, verb).await;
        let hint = "hint: needed is the right to patch bigiptunnels.bigip-tunnel.dev";
        assert_refused(&ended, 3, &["not allowed to patch bigiptunnels", hint]);
    }
    let object = world.object().await;
    assert!(!object.spec.suspend);
    let annotations = object.annotations();
    assert!(!annotations.contains_key(ANNOTATION_SUSPEND_REASON));
}
