//! What of Cilium the operator reads for its condition, and what it says where it cannot.

use std::time::Duration;

use bigip_tunnel_harness::control_plane::ControlPlane;
use bigip_tunnel_harness::proxy::{Seen, Trouble};
use bigip_tunnel_harness::wait::{Answer, eventually};
use k8s_openapi::api::rbac::v1::PolicyRule;

use crate::cilium::{begin, configure, fit, fitting, mac, run_agent, serve, tunnel, until, world};
use crate::events::until_told;
use crate::rights::all_rights;
use crate::world::operator::get;
use crate::world::{NEW_NODE, NEW_RECORD, RECORD_1, RECORD_2, RECORD_3, World, condition, find};

/// How soon a kind is read that was not served at first.
const LIMIT: Duration = Duration::from_secs(120);

/// Whether a request is about Cilium.
fn is_about_cilium(seen: &Seen) -> bool {
    let plural = seen.path.rsplit('/').next().unwrap_or_default();
    plural.starts_with("cilium")
        || plural == "pods"
        || seen.path.ends_with("/configmaps") && seen.query.contains("cilium-config")
}

#[tokio::test]
async fn follower_reads_nothing_of_cilium() {
    let mut world = world("cilium-follower", tunnel()).await;
    world.elect(&[]).await;
    let mut world = begin(world).await;
    let mac = mac(&world).await;
    run_agent(&world).await;
    configure(&world, &fitting(&mac)).await;
    until(&world, "True", "CiliumVerified").await;
    let proxy = world.start_proxy().await;
    let follower = world.another_operator().await;
    let waits = eventually("another process leads", LIMIT, async || {
        let log = follower.log();
        let says = log
            .iter()
            .any(|line| line.contains("another process leads"));
        Answer::when(says, |says| *says)
    });
    waits.await.unwrap();
    let mut data = fitting(&mac);
    data["vtep-mac"] = "02:00:00:00:00:07".into();
    configure(&world, &data).await;
    until(&world, "False", "VTEPMACMismatch").await;
    assert_eq!(proxy.seen(is_about_cilium), []);
    let metrics = get(&follower, "/metrics").await;
    assert!(
        !metrics.contains("\nbigiptunnel_cilium_mac_mismatches "),
        "{metrics}"
    );
    // It goes on with the judgement when it leads.
    world.kill_operator().await;
    configure(&world, &fitting(&mac)).await;
    until(&world, "True", "CiliumVerified").await;
    assert_ne!(proxy.seen(is_about_cilium), []);
}

#[tokio::test]
async fn hung_list_is_unknown_and_everything_else_goes_on() {
    let (mut world, _) = fit("cilium-hung").await;
    world.kill_operator().await;
    let proxy = world.start_proxy().await;
    let hung = proxy.make_trouble(Trouble::Silence, |seen| seen.path.ends_with("/pods"));
    world.start_operator().await;
    // What an older process has found does not count for ever.
    let found = until(&world, "Unknown", "CiliumUnreadable").await;
    for said in ["pods could not be read", "within 15 s"] {
        assert!(found.message.contains(said), "{found:?}");
    }
    world.create_node(NEW_NODE).await;
    let unit = &world.devices.units()[0];
    let records = [RECORD_1, RECORD_2, RECORD_3, NEW_RECORD];
    world.until_unit(unit, &records).await;
    let status = world.status().await;
    assert_eq!(condition(&status.conditions, "Ready").status, "True");
    proxy.remove(hung);
    until(&world, "True", "CiliumVerified").await;
}

#[tokio::test]
async fn kind_that_is_installed_later_is_read_without_restart() {
    let control_plane = ControlPlane::start().unwrap();
    let world = begin(World::on(&control_plane, "cilium-later", tunnel()).await).await;
    let mac = mac(&world).await;
    run_agent(&world).await;
    configure(&world, &fitting(&mac)).await;
    until(&world, "True", "CiliumVerified").await;
    serve(&world.client, "v2", "CiliumNode", "ciliumnodes").await;
    let found = eventually("CiliumNodesDiffer", LIMIT, async || {
        let status = world.status().await;
        let found = find(&status.conditions, "CiliumReady").map(|found| found.reason.clone());
        Answer::when(found, |found| found.as_deref() == Some("CiliumNodesDiffer"))
    });
    found.await.unwrap();
}

/// A world whose operator lacks the right that this rule gives.
async fn without(name: &str, is_lacking: fn(&PolicyRule) -> bool) -> World {
    let mut world = world(name, tunnel()).await;
    let account = world.restrict_operator().await;
    let mut rights = all_rights().await;
    let all = rights.len();
    rights.retain(|rule| !is_lacking(rule));
    assert_eq!(rights.len(), all - 1);
    account.allow(&rights).await.unwrap();
    let world = begin(world).await;
    let mac = mac(&world).await;
    run_agent(&world).await;
    configure(&world, &fitting(&mac)).await;
    world
}

async fn assert_refused(world: &World, call: &str) {
    let found = until(world, "Unknown", "CiliumUnreadable").await;
    let call = format!("may not {call} in the namespace {}", world.name);
    for said in [&*call, "cilium.verify.enabled"] {
        assert!(found.message.contains(said), "{found:?}");
    }
    let status = world.status().await;
    assert_eq!(condition(&status.conditions, "Ready").status, "True");
}

#[tokio::test]
async fn agents_that_may_not_be_read_are_unknown() {
    let is_lacking = |rule: &PolicyRule| rule.resources.iter().flatten().any(|r| r == "pods");
    let world = without("cilium-no-pods", is_lacking).await;
    assert_refused(&world, "list and watch pods").await;
}

#[tokio::test]
async fn configuration_that_may_not_be_read_is_unknown() {
    let is_lacking = |rule: &PolicyRule| {
        let mut names = rule.resource_names.iter().flatten();
        names.any(|name| name == "cilium-config")
    };
    let world = without("cilium-no-config", is_lacking).await;
    assert_refused(&world, "list and watch configmaps").await;
}

#[tokio::test]
async fn operator_that_does_not_verify_reads_nothing() {
    let mut world = world("cilium-off", tunnel()).await;
    let proxy = world.start_proxy().await;
    world.create_nodes().await;
    world.start_operator_with(&["--cilium-verify=false"]).await;
    crate::cilium::create(&world).await;
    let found = until(&world, "Unknown", "CiliumVerificationOff").await;
    assert!(found.message.contains("cilium.verify.enabled"), "{found:?}");
    world.settle().await;
    assert_eq!(proxy.seen(is_about_cilium), []);
    world
        .patch_spec(serde_json::json!({"cilium": {"verify": "Off"}}))
        .await;
    world
        .until_status("no CiliumReady", |status| {
            find(&status.conditions, "CiliumReady").is_none()
        })
        .await;
}

#[tokio::test]
async fn cilium_that_stops_to_match_gives_events() {
    let (world, mac) = fit("cilium-events").await;
    let mut data = fitting(&mac);
    data["routing-mode"] = "native".into();
    configure(&world, &data).await;
    let parts = ["Warning", "routingMode=tunnel"];
    until_told(&world, "NativeRouting", &parts).await;
    configure(&world, &fitting(&mac)).await;
    until_told(&world, "CiliumVerified", &["Normal"]).await;
}
