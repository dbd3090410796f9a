//! The verbs of the plugin that look: what they say of a tunnel in each state, how they exit, and that
//! they need no more rights than to read nodes and tunnels.

use bigip_sim::{Effect, Fault, Preset};
use bigip_tunnel_crds::v1alpha1::BigIpTunnel;
use bigip_tunnel_harness::account::rule;
use bigip_tunnel_harness::devices::USER;
use k8s_openapi::api::core::v1::Event;
use k8s_openapi::api::rbac::v1::PolicyRule;
use kube::api::PostParams;
use kube::{Api, Resource as _};
use serde_json::{Value, json};

use crate::approval::two_of_three_nodes_leave;
use crate::devices::{create_secret, patch_secret};
use crate::world::plugin::Ended;
use crate::world::{FOREIGN, NAME, RECORD_1, TUNNEL_PATH, World};

/// All that is needed to look.
fn reader() -> Vec<PolicyRule> {
    vec![
        rule("", &["nodes"], &["get", "list"]),
        rule("bigip-tunnel.dev", &["bigiptunnels"], &["get", "list"]),
    ]
}

/// What the verbs say.
struct Said {
    status: Ended,
    fdb: Ended,
    tree: Ended,
    graph: Ended,
}

/// Has all of them look at the tunnel, as somebody who may do nothing else.
async fn look(world: &World) -> Said {
    let account = world.account().await;
    account.allow(&reader()).await.unwrap();
    Said {
        status: world.plugin_as(&account, &["status", NAME]).await,
        fdb: world.plugin_as(&account, &["fdb", NAME]).await,
        tree: world.plugin_as(&account, &["tree", NAME]).await,
        graph: world.plugin_as(&account, &["graph", NAME]).await,
    }
}

/// Checks how a verb ended, and that these lines stand in its output, whatever the widths of columns.
fn assert_said(ended: &Ended, code: i32, lines: &[&str]) {
    assert_eq!((ended.code, &*ended.err), (Some(code), ""), "{ended:?}");
    let squeeze = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let said: Vec<String> = ended.out.lines().map(squeeze).collect();
    for line in lines {
        let is_said = said.iter().any(|said| said.starts_with(line));
        assert!(is_said, "no line begins with {line:?}:\n{}", ended.out);
    }
}

#[tokio::test]
async fn reader_of_nodes_and_tunnels_sees_healthy_status() {
    let world = World::in_sync("see-healthy").await;
    let said = look(&world).await;
    let title = format!("Tunnel {}/prod-east /Common/flannel_vxlan", world.name);
    assert_said(
        &said.status,
        0,
        &[
            &title,
            "Status ✔ Ready for",
            "Nodes 3 programmed of 3 selected, 0 leaving, 0 skipped",
            "bigip-a 127.0.0.1 InSync Active 3/3 0 0",
            "bigip-b 127.0.0.1 InSync Standby 3/3 0 0",
        ],
    );
    assert!(!said.status.out.contains("Next:"), "{:?}", said.status);
    assert_said(
        &said.fdb,
        0,
        &[
            "NODE ADDRESS MAC BIGIP-A BIGIP-B",
            "see-healthy-1 10.169.72.239 0a:0a:0a:a9:48:ef ok ok",
            "3 nodes; records: 6 ok",
            "tmsh list net fdb tunnel /Common/flannel_vxlan",
        ],
    );
    assert_said(
        &said.tree,
        0,
        &[
            "BigIpTunnel/prod-east True InSync",
            "├─BigIp/bigip-a True InSync",
            "│ └─3 records True ok <none> see-healthy-1, see-healthy-2, see-healthy-3",
            "├─Secret/bigip-login <none> <none> <none> login of bigip-a, bigip-b",
            "└─ConfigMap/bigip-ca <none> <none> <none> CA bundle of bigip-a, bigip-b",
        ],
    );
    assert_said(
        &said.graph,
        0,
        &["bigip-a Active 10.169.72.34%0 ══╗ ╔══ see-healthy-1 10.169.72.239"],
    );
}

#[tokio::test]
async fn unreachable_unit_is_named_with_its_last_state() {
    let world = World::in_sync("see-down").await;
    world.devices.standby().set_responsive(false);
    world.reconcile().await;
    world.until_reason("DeviceUnreachable").await;
    let said = look(&world).await;
    assert_said(
        &said.status,
        1,
        &[
            "Status ✖ Not ready for",
            "Available ✔ Yes",
            "bigip-a 127.0.0.1 InSync Active 3/3 0 0",
            "bigip-b 127.0.0.1 Timeout",
            "Next: see whether bigip-b answers inside the cluster: https://127.0.0.1:",
        ],
    );
    assert_said(
        &said.fdb,
        1,
        &[
            "see-down-1 10.169.72.239 0a:0a:0a:a9:48:ef ok ok?",
            "3 nodes; records: 6 ok",
            "?: last known, the BIG-IP could not be verified since",
        ],
    );
    assert_said(&said.tree, 1, &["│ └─3 records Unknown ok?"]);
    assert!(
        said.graph.out.contains("◌ ok? on bigip-b"),
        "{:?}",
        said.graph
    );
    assert_eq!(said.graph.code, Some(1));

    let problems = world.plugin(&["fdb", NAME, "--problems"]).await;
    assert_said(&problems, 1, &["see-down-1 10.169.72.239"]);
    let healthy = world.plugin(&["fdb", NAME, "--device", "bigip-a"]).await;
    assert_said(&healthy, 0, &["3 nodes; records: 3 ok"]);
    let nobody = world.plugin(&["fdb", NAME, "--device", "bigip-z"]).await;
    assert_eq!((nobody.code, &*nobody.out), (Some(1), ""), "{nobody:?}");
    assert!(
        nobody.err.contains("hint: it has bigip-a, bigip-b"),
        "{nobody:?}"
    );
}

#[tokio::test]
async fn wrong_password_is_shown_with_the_secret_to_correct() {
    let world = World::in_sync("see-password").await;
    let wrong = [("username", USER), ("password", "wrong-guess")];
    create_secret(&world, "wrong-login", &wrong).await;
    world
        .patch_standby(&json!({"credentialsSecretRef": {"name": "wrong-login"}}))
        .await;
    world.until_reason("AuthenticationFailed").await;
    let said = look(&world).await;
    assert_said(
        &said.status,
        1,
        &[
            "bigip-b 127.0.0.1 AuthenticationFailed",
            "Next: correct Secret wrong-login in namespace see-password",
        ],
    );
    assert_said(
        &said.tree,
        1,
        &[
            "├─BigIp/bigip-b False AuthenticationFailed",
            "├─Secret/wrong-login <none> <none> <none> login of bigip-b",
        ],
    );
    assert_eq!((said.fdb.code, said.graph.code), (Some(1), Some(1)));
    for ended in [&said.status, &said.fdb, &said.tree, &said.graph] {
        assert!(!ended.out.contains("wrong-guess"), "{ended:?}");
    }
    patch_secret(
        &world,
        "wrong-login",
        json!({"password": world.devices.password()}),
    )
    .await;
    let ready = world.plugin(&["status", NAME, "--wait"]).await;
    assert_eq!(ready.code, Some(0), "{ready:?}");
    assert!(ready.out.contains("✔ Ready"), "{ready:?}");
}

#[tokio::test]
async fn blocked_removal_is_shown_with_the_approve_command() {
    let (world, _) = two_of_three_nodes_leave("see-held").await;
    let said = look(&world).await;
    assert_said(
        &said.status,
        1,
        &[
            "Status ✖ Not ready for",
            "Held 2 removals for",
            "Leaving see-held-2: record is kept for now (and 1 more)",
            "Next: if these nodes are really gone: kubectl bigip-tunnel approve prod-east -n see-held",
        ],
    );
    // No node waits for anything.
    assert_said(
        &said.fdb,
        0,
        &["see-held-2 10.169.72.233 0a:0a:0a:a9:48:e9 leaving leaving"],
    );
    assert_said(
        &said.tree,
        1,
        &[
            "BigIpTunnel/prod-east False MassRemovalBlocked",
            "│ └─2 records True leaving <none> see-held-2, see-held-3",
        ],
    );
    assert!(said.graph.out.contains("leaving on bigip-a, bigip-b"));
}

#[tokio::test]
async fn observed_tunnel_is_ready_and_shows_its_differences() {
    let mut world = World::new("see-observe").await;
    world.create_nodes().await;
    let active = world.devices.active();
    for (mac, endpoint) in [RECORD_1, FOREIGN] {
        active.seed_record(TUNNEL_PATH, mac, endpoint).unwrap();
    }
    world.start_operator().await;
    let mut spec = world.spec();
    spec["managementPolicy"] = json!("Observe");
    world.create(spec).await;
    world.until_ready().await;
    let said = look(&world).await;
    assert_said(
        &said.status,
        0,
        &[
            "Status ✔ Ready for",
            "bigip-a 127.0.0.1 Observed Active 1/3 0 1",
        ],
    );
    assert_said(
        &said.fdb,
        1,
        &[
            "see-observe-1 10.169.72.239 0a:0a:0a:a9:48:ef ok missing",
            "see-observe-2 10.169.72.233 0a:0a:0a:a9:48:e9 missing missing",
            "<none> 192.0.2.99 52:54:00:c0:ff:ee foreign -",
            "3 nodes; records: 1 ok, 5 missing; 1 not ours and kept",
        ],
    );
    assert_said(&said.tree, 1, &["│ ├─2 records False missing"]);
    assert!(
        said.graph.out.contains("✖ missing on bigip-b"),
        "{:?}",
        said.graph
    );
}

#[tokio::test]
async fn blocked_deletion_shows_its_cause() {
    let world = World::in_sync("see-deleting").await;
    let standby = world.devices.standby();
    standby.fault(Fault::new(Effect::preset(Preset::Restarting)));
    world.delete(NAME).await;
    world.until_reason("CleanupFailed").await;
    let said = look(&world).await;
    assert_said(
        &said.status,
        1,
        &[
            "Status ✖ Being deleted for",
            "Next: if it cannot be reached any more: kubectl bigip-tunnel release prod-east",
        ],
    );
    assert_said(
        &said.tree,
        1,
        &["BigIpTunnel/prod-east False CleanupFailed"],
    );
    assert_eq!((said.fdb.code, said.graph.code), (Some(1), Some(1)));
    standby.clear_faults();
    world.until_gone(NAME).await;
    let gone = world.plugin(&["status", NAME]).await;
    assert_eq!((gone.code, &*gone.out), (Some(1), ""), "{gone:?}");
    assert!(gone.err.contains("not found"), "{gone:?}");
}

#[tokio::test]
async fn wait_timeout_exits_with_4_and_shows_the_status() {
    let world = World::in_sync("see-wait").await;
    world.devices.standby().set_responsive(false);
    world.reconcile().await;
    world.until_reason("DeviceUnreachable").await;
    let late = world
        .plugin(&["status", NAME, "--wait", "--timeout", "2s"])
        .await;
    assert_eq!(late.code, Some(4), "{late:?}");
    assert!(late.out.contains("✖ Not ready"), "{late:?}");
    assert!(late.out.contains("\nNext: "), "{late:?}");
    assert!(
        late.err.ends_with(
            "error: not ready within 2 s: see-wait/prod-east (DeviceUnreachable)\n\
             hint: --timeout says how long to wait\n"
        ),
        "{late:?}"
    );
    assert!(
        late.err
            .starts_with("waiting for see-wait/prod-east (DeviceUnreachable)\n")
    );

    let waiting = world.plugin(&["status", "--wait", "--timeout", "60s", "-o", "name"]);
    let (ready, ()) = tokio::join!(waiting, async {
        world.devices.standby().set_responsive(true);
        world.reconcile().await;
    });
    assert_eq!(ready.code, Some(0), "{ready:?}");
    assert_eq!(ready.out, "bigiptunnel.bigip-tunnel.dev/prod-east\n");
}

#[tokio::test]
async fn several_tunnels_print_a_line_each_and_labels_filter() {
    let world = World::in_sync("see-several").await;
    let mut spec = world.spec();
    spec["suspend"] = json!(true);
    world.create_named("prod-west", spec).await;
    let both = world.plugin(&["status", NAME, "prod-west"]).await;
    assert_eq!(both.code, Some(1), "{both:?}");
    assert!(both.out.ends_with("\n1 of 2 ready\n"), "{both:?}");
    world
        .patch(json!({"metadata": {"labels": {"team": "network"}}}))
        .await;
    let args = ["status", "-l", "team=network", "--no-headers"];
    let chosen = world.plugin(&args).await;
    assert_said(&chosen, 0, &["prod-east True 2/2 3/3 6/6"]);
    assert_eq!(chosen.out.lines().count(), 1);
    let none = world.plugin(&["status", "-l", "team=none"]).await;
    assert_eq!((none.code, &*none.out), (Some(0), ""), "{none:?}");
    assert_eq!(
        none.err,
        "No BigIpTunnels found in see-several namespace.\n"
    );
}

#[tokio::test]
async fn colour_and_symbols_follow_flags_and_environment() {
    let world = World::in_sync("see-colour").await;
    let (force, none) = (("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1"));
    let status = ["status", NAME];
    let always = ["status", NAME, "--color", "always"];
    let never = ["status", NAME, "--color", "never"];
    for (environment, args, coloured) in [
        (&[][..], &status[..], false),
        (&[force], &status, true),
        (&[force, none], &status, false),
        (&[none], &always, true),
        (&[force], &never, false),
    ] {
        let ended = world.plugin_in(environment, args).await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        let has_colour = ended.out.contains("\u{1b}[32m✔ Ready\u{1b}[0m");
        assert_eq!(has_colour, coloured, "{environment:?} {args:?} {ended:?}");
        assert!(coloured || !ended.out.contains('\u{1b}'), "{ended:?}");
    }
    let elsewhere = world.plugin_in(&[("LC_ALL", "C")], &status).await;
    assert!(elsewhere.out.is_ascii(), "{elsewhere:?}");
    assert!(elsewhere.out.contains("OK Ready"), "{elsewhere:?}");
}

#[tokio::test]
async fn events_are_shown_with_read_permission() {
    let world = World::new("see-events").await;
    world.create(world.spec()).await;
    let none = world.plugin(&["events"]).await;
    assert_eq!((none.code, &*none.out), (Some(0), ""), "{none:?}");
    assert!(
        none.err
            .starts_with("No events of BigIpTunnels found in see-events")
    );

    let object: BigIpTunnel = world.object().await;
    let event: Event = serde_json::from_value(json!({
        "metadata": {"name": "e1", "namespace": world.name},
        "involvedObject": object.object_ref(&()),
        "type": "Warning",
        "reason": "LookedAt",
        "message": "somebody looked",
        "lastTimestamp": "2026-01-01T00:00:00Z",
    }))
    .unwrap();
    let events: Api<Event> = Api::namespaced(world.client.clone(), &world.name);
    events.create(&PostParams::default(), &event).await.unwrap();
    let shown = world.plugin(&["events", NAME, "-o", "json"]).await;
    assert_eq!(shown.code, Some(0), "{shown:?}");
    let report: Value = serde_json::from_str(&shown.out).unwrap();
    assert_eq!(report["events"][0]["reason"], "LookedAt");
    let others = world.plugin(&["events", "prod-west"]).await;
    assert_eq!((others.code, &*others.out), (Some(0), ""), "{others:?}");

    let account = world.account().await;
    account.allow(&reader()).await.unwrap();
    let refused = world.plugin_as(&account, &["events"]).await;
    assert_eq!((refused.code, &*refused.out), (Some(3), ""), "{refused:?}");
    assert!(
        refused
            .err
            .contains("hint: needed is the right to list events"),
        "{refused:?}"
    );
}

#[tokio::test]
async fn labels_that_cannot_be_read_are_a_usage_error() {
    let world = World::new("see-labels").await;
    let ended = world.plugin(&["status", "-l", "team in network"]).await;
    assert_eq!((ended.code, &*ended.out), (Some(2), ""), "{ended:?}");
    let said = "error: the labels of --selector cannot be read: ";
    assert!(ended.err.starts_with(said), "{ended:?}");
}
