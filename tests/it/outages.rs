//! A device, or the definition of the resource, that does not behave: nothing is lost, and
//! everything else goes on.

use std::time::Duration;

use bigip_sim::{
    Effect, Fault, HeaderName, HeaderValue, Method, Preset, TmosVersion, TunnelConfig,
};
use bigip_tunnel_harness::control_plane::ControlPlane;
use bigip_tunnel_harness::objects;
use bigip_tunnel_harness::wait::{Answer, eventually};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::json;

use crate::world::{
    LOCAL_ADDRESS, NAME, NEW_NODE, NEW_RECORD, RECORD_1, RECORD_2, RECORD_3, TUNNEL_PATH, World,
    condition, device, find, requests, say,
};

/// How long a new node's record may take on a loaded machine; the measured time is printed.
const NEW_NODE_MAX: Duration = Duration::from_secs(5);

/// An answer of the REST front end that refuses a request.
pub(crate) fn refused_by_restjavad(code: u16, message: &str) -> Effect {
    let body = json!({
        "code": code, "message": message, "referer": "127.0.0.1", "restOperationId": 6_229_426,
        "kind": ":resterrorresponse",
    });
    Effect::status(code, "application/json; charset=UTF-8", body.to_string())
}

#[tokio::test]
async fn dead_device_delays_only_itself() {
    let mut world = World::new("out-hole").await;
    world.devices.standby().set_responsive(false);
    world.create_nodes().await;
    world.start_operator().await;
    world.create(world.spec()).await;
    let status = world.until_reason("DeviceUnreachable").await;
    let reachable = condition(&device(&status, "bigip-b").conditions, "Reachable");
    assert_eq!(
        (&*reachable.status, &*reachable.reason),
        ("False", "Timeout")
    );
    let active = world.devices.active();
    world
        .until_unit(active, &[RECORD_1, RECORD_2, RECORD_3])
        .await;
    world.create_node(NEW_NODE).await;
    let all = [RECORD_1, RECORD_2, RECORD_3, NEW_RECORD];
    let took = world.until_unit(active, &all).await;
    say(&format!(
        "beside a dead unit a new node's record was on the other one after {} ms",
        took.as_millis()
    ));
    assert!(took < NEW_NODE_MAX, "{took:?}");
    world.devices.standby().set_responsive(true);
    world.until_ready().await;
    world.until_records(&all).await;
}

#[tokio::test]
async fn device_that_fails_during_a_pass_delays_only_itself() {
    let world = World::in_sync("out-dies").await;
    let (active, standby) = (world.devices.active(), world.devices.standby());
    standby.set_responsive(false);
    world.create_node(NEW_NODE).await;
    world.create_node(("5", "10.169.72.242")).await;
    let last = ("0a:0a:0a:a9:48:f2", "10.169.72.242%0");
    let all = [RECORD_1, RECORD_2, RECORD_3, NEW_RECORD, last];
    let took = world.until_unit(active, &all).await;
    assert!(took < NEW_NODE_MAX, "{took:?}");
    standby.set_responsive(true);
    world.until_records(&all).await;
    world.until_ready().await;
}

/// Breaks the standby unit, and checks the reason, that nothing is lost, and that it heals.
async fn assert_outage_passes(name: &str, effect: Effect, reason: &str) {
    let world = World::in_sync(name).await;
    let standby = world.devices.standby();
    let before = standby.mutations();
    standby.fault(Fault::new(effect));
    world.reconcile().await;
    let status = world.until_reason(reason).await;
    let reachable = condition(&device(&status, "bigip-b").conditions, "Reachable");
    assert_eq!((&*reachable.status, &*reachable.reason), ("False", reason));
    assert!(
        find(&status.conditions, "Reconciling").is_some(),
        "{:?}",
        status.conditions
    );
    assert_eq!(standby.mutations(), before);
    world.assert_records(&[RECORD_1, RECORD_2, RECORD_3]);
    world.create_node(NEW_NODE).await;
    let all = [RECORD_1, RECORD_2, RECORD_3, NEW_RECORD];
    world.until_unit(world.devices.active(), &all).await;
    standby.clear_faults();
    world.until_ready().await;
    world.until_records(&all).await;
}

#[tokio::test]
async fn restarting_device_is_retried_until_ready() {
    assert_outage_passes(
        "out-503",
        Effect::preset(Preset::Restarting),
        "DeviceNotReady",
    )
    .await;
}

#[tokio::test]
async fn starting_device_without_paths_has_not_lost_its_tunnel() {
    assert_outage_passes(
        "out-404",
        Effect::preset(Preset::NotRegistered),
        "DeviceNotReady",
    )
    .await;
}

#[tokio::test]
async fn expired_token_is_renewed_without_a_status_change() {
    let world = World::in_sync("out-expired").await;
    world.until_cilium_is_judged().await;
    let active = world.devices.active();
    let (logins, tried) = (active.logins(), world.status().await.conditions);
    let expired = refused_by_restjavad(401, "X-F5-Auth-Token has expired.");
    active.fault(
        Fault::new(expired)
            .method(Method::GET)
            .path_contains("/records")
            .nth(1),
    );
    world.reconcile().await;
    assert_eq!(active.logins(), logins + 1);
    assert_eq!(active.failed_logins(), 0);
    assert_eq!(world.status().await.conditions, tried);
}

#[tokio::test]
async fn device_that_refuses_every_token_gets_few_logins() {
    let world = World::in_sync("out-401").await;
    let standby = world.devices.standby();
    let logins = standby.logins();
    let refused = refused_by_restjavad(401, "X-F5-Auth-Token does not exist.");
    standby.fault(Fault::new(refused).path_contains("/mgmt/tm/"));
    world.reconcile().await;
    let status = world
        .until_status("the standby unit failed", |status| {
            let reachable = find(&device(status, "bigip-b").conditions, "Reachable");
            reachable.is_some_and(|c| c.status == "False")
        })
        .await;
    assert_eq!(status.summary.unwrap().devices, "1/2");
    assert!(
        standby.logins() <= logins + 3,
        "{} logins",
        standby.logins() - logins
    );
    assert_eq!(standby.failed_logins(), 0);
    world.assert_records(&[RECORD_1, RECORD_2, RECORD_3]);
    standby.clear_faults();
    world.reconcile().await;
    world.until_ready().await;
}

/// Makes the standby unit refuse one write: the first from now on.
fn refuse_next_write(world: &World) {
    let refusal = Effect::status(
        400,
        "application/json; charset=UTF-8",
        json!({"code": 400, "message": "no", "errorStack": [], "apiError": 3}).to_string(),
    );
    let fault = Fault::new(refusal)
        .method(Method::POST)
        .path_contains("/records");
    world.devices.standby().fault(fault.nth(1));
}

#[tokio::test]
async fn refused_write_stops_no_other_record_of_the_pass() {
    let mut world = World::new("out-refused").await;
    refuse_next_write(&world);
    world.create_nodes().await;
    world.start_operator().await;
    world.create(world.spec()).await;
    let status = world.until_reason("RequestRefused").await;
    let programmed = condition(&device(&status, "bigip-b").conditions, "Programmed");
    assert_eq!(
        (&*programmed.status, &*programmed.reason),
        ("False", "RequestRefused")
    );
    // Records are written in the order of their addresses: the first one was refused.
    assert!(
        programmed.message.contains(RECORD_2.0),
        "{}",
        programmed.message
    );
    world
        .until_unit(world.devices.standby(), &[RECORD_1, RECORD_3])
        .await;
    world
        .until_unit(world.devices.active(), &[RECORD_1, RECORD_2, RECORD_3])
        .await;
    world.reconcile().await;
    world.until_ready().await;
    world.assert_records(&[RECORD_1, RECORD_2, RECORD_3]);
}

#[tokio::test]
async fn record_with_a_server_error_delays_no_other() {
    let mut world = World::new("out-500").await;
    let standby = world.devices.standby();
    let body = r#"{"code":500,"message":"01070734:3: no","errorStack":[],"apiError":3}"#;
    let fails = Fault::new(Effect::status(500, "application/json", body)).method(Method::POST);
    standby.fault(fails.path_contains("/records").times(2));
    world.create_nodes().await;
    world.start_operator().await;
    world.create(world.spec()).await;
    // The two before it, in the order of their addresses, were failed on.
    world.until_unit(world.devices.standby(), &[RECORD_3]).await;
    let status = world.until_reason("ServerError").await;
    let unit = device(&status, "bigip-b");
    assert_eq!(condition(&unit.conditions, "Reachable").status, "True");
    world.reconcile().await;
    world.until_ready().await;
    world.assert_records(&[RECORD_1, RECORD_2, RECORD_3]);
}

#[tokio::test]
async fn refused_write_delays_no_later_node() {
    let mut world = World::new("out-refused-later").await;
    refuse_next_write(&world);
    world.create_nodes().await;
    world.start_operator().await;
    world.create(world.spec()).await;
    world.until_reason("RequestRefused").await;
    world.create_node(NEW_NODE).await;
    let standby = world.devices.standby();
    let arrived = standby.wait_until(NEW_NODE_MAX, |state| {
        state.records(TUNNEL_PATH).contains_key(NEW_RECORD.0)
    });
    let log = requests(standby, &Method::POST);
    arrived
        .await
        .unwrap_or_else(|timeout| panic!("{timeout}: {log:#?}"));
}

#[tokio::test]
async fn object_stays_until_every_device_is_cleaned_up() {
    let world = World::in_sync("out-cleanup").await;
    let standby = world.devices.standby();
    standby.fault(Fault::new(Effect::preset(Preset::Restarting)));
    world.delete(NAME).await;
    let status = world.until_reason("CleanupFailed").await;
    let message = &condition(&status.conditions, "Ready").message;
    assert!(message.contains("bigip-b"), "{message}");
    world.until_unit(world.devices.active(), &[]).await;
    standby.clear_faults();
    world.until_gone(NAME).await;
    world.assert_records(&[]);
}

/// Takes the list of allowed values away from a field, so that a value can be stored that the
/// operator's types do not know: what an older operator meets after a newer CRD.
async fn loosen_crd(world: &World) {
    let field =
        "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/deletionPolicy/enum";
    let patch = serde_json::from_value(json!([{"op": "remove", "path": field}])).unwrap();
    let api: Api<CustomResourceDefinition> = Api::all(world.client.clone());
    let name = "bigiptunnels.bigip-tunnel.dev";
    api.patch(name, &PatchParams::default(), &Patch::<()>::Json(patch))
        .await
        .unwrap();
}

#[tokio::test]
async fn unparsable_object_is_reported_and_stops_no_other() {
    let own = ControlPlane::start().unwrap();
    let tunnel = TunnelConfig::vxlan(TUNNEL_PATH, LOCAL_ADDRESS);
    let mut world = World::on(&own, "out-parse", tunnel).await;
    loosen_crd(&world).await;
    let mut odd = world.spec();
    odd["deletionPolicy"] = json!("Perhaps");
    let accepted = eventually(
        "the odd object stored",
        Duration::from_secs(30),
        async || {
            let created = objects::create_tunnel(&world.client, &world.name, "odd", odd.clone());
            match created.await {
                Ok(_) => Answer::Done(()),
                Err(error) => Answer::NotYet(error.to_string()),
            }
        },
    );
    world.must(accepted.await).await;
    world.create_nodes().await;
    world.start_operator().await;
    world.create(world.spec()).await;
    world.until_ready().await;
    world.assert_records(&[RECORD_1, RECORD_2, RECORD_3]);
    let api = objects::tunnels(&world.client, &world.name);
    let said = eventually(
        "InvalidSpec on the odd object",
        Duration::from_secs(20),
        async || {
            let object = api.get("odd").await.unwrap();
            let conditions = object
                .data
                .pointer("/status/conditions")
                .cloned()
                .unwrap_or_default();
            let all = conditions.as_array().cloned().unwrap_or_default();
            let accepted = all
                .into_iter()
                .find(|condition| condition["type"] == "Accepted");
            match accepted {
                Some(condition) if condition["reason"] == "InvalidSpec" => Answer::Done(condition),
                _ => Answer::NotYet(conditions.to_string()),
            }
        },
    );
    let condition = world.must(said.await).await;
    let message = condition["message"].as_str().unwrap();
    assert!(
        message.contains("deletionPolicy") || message.contains("Perhaps"),
        "{message}"
    );
}

#[tokio::test]
async fn unit_upgrade_causes_no_write() {
    let world = World::in_sync("out-upgrade").await;
    let active = world.devices.active();
    let before = active.mutations();
    active.set_version(TmosVersion::V15_1);
    world.reconcile().await;
    active.set_version(TmosVersion::V16_1);
    world.reconcile().await;
    // The facts of a unit are read anew before long; a restart does it at once.
    world.until_ready().await;
    assert_eq!(active.mutations(), before);
    world.assert_records(&[RECORD_1, RECORD_2, RECORD_3]);
}

#[tokio::test]
async fn device_with_retry_after_gets_no_earlier_request() {
    let world = World::in_sync("out-pause").await;
    let standby = world.devices.standby();
    let answer = Effect::status(429, "text/html", "slow down");
    let answer = answer.header(
        HeaderName::from_static("retry-after"),
        HeaderValue::from_static("60"),
    );
    let busy = standby.fault(Fault::new(answer).path_contains("/mgmt/tm/"));
    world.create_node(NEW_NODE).await;
    world.until_reason("DeviceBusy").await;
    let asked = standby.requests().len();
    world.delete_node("4").await;
    world
        .until_unit(world.devices.active(), &[RECORD_1, RECORD_2, RECORD_3])
        .await;
    assert_eq!(standby.requests().len(), asked);
    standby.remove_fault(busy);
    world.reconcile().await;
    world.until_ready().await;
}

#[tokio::test]
async fn too_old_unit_is_named_and_never_written() {
    let mut world = World::new("out-old").await;
    world.devices.standby().set_version(TmosVersion::V12_1);
    world.create_nodes().await;
    world.start_operator().await;
    world.create(world.spec()).await;
    let status = world.until_reason("UnsupportedVersion").await;
    let programmed = condition(&device(&status, "bigip-b").conditions, "Programmed");
    assert!(
        programmed.message.contains("13.1"),
        "{}",
        programmed.message
    );
    world
        .until_unit(world.devices.active(), &[RECORD_1, RECORD_2, RECORD_3])
        .await;
    world.settle().await;
    assert_eq!(world.devices.standby().mutations(), 0);
}
