//! The changed configuration outlives a reboot where that is asked for, and is left alone where not.

use std::time::Duration;

use bigip_sim::{Effect, Fault, Method, Simulator};
use serde_json::json;

use crate::world::{
    NAME, NEW_NODE, NEW_RECORD, RECORD_1, RECORD_2, RECORD_3, TUNNEL_PATH, World, condition,
    device, find, mutations, requests, to_map,
};

/// How long a save that is due at once may take.
const LIMIT: Duration = Duration::from_secs(60);

/// A world with three records on both units and this `saveConfig`.
async fn programmed(name: &str, save_config: serde_json::Value) -> World {
    let mut world = World::new(name).await;
    world.create_nodes().await;
    world.start_operator().await;
    let mut spec = world.spec();
    spec["saveConfig"] = save_config;
    world.create(spec).await;
    world.until_ready().await;
    world
}

#[tokio::test]
async fn records_are_saved_after_the_quiet_time() {
    let world = programmed("save-change", json!({"delaySeconds": 1})).await;
    let expected = to_map(&[RECORD_1, RECORD_2, RECORD_3]);
    for unit in world.devices.units() {
        unit.wait_until(LIMIT, |state| state.saved_records(TUNNEL_PATH) == expected)
            .await
            .unwrap();
        let posts = requests(unit, &Method::POST).into_iter();
        let to_save = posts.filter(|post| post.path.ends_with("/mgmt/tm/sys/config"));
        assert_eq!(to_save.count(), 1);
    }
    let status = world
        .until_status("both units saved", |status| {
            status.devices.iter().all(|device| {
                find(&device.conditions, "Saved").is_some_and(|saved| saved.status == "True")
            })
        })
        .await;
    assert!(device(&status, "bigip-a").last_save_time.is_some());
    assert_eq!(device(&status, "bigip-a").unsaved_since, None);
}

#[tokio::test]
async fn unsaved_records_are_shown_in_the_status() {
    let world = programmed("save-pending", json!({"delaySeconds": 3600})).await;
    let status = world.status().await;
    let unit = device(&status, "bigip-b");
    assert!(unit.unsaved_since.is_some());
    let saved = condition(&unit.conditions, "Saved");
    assert_eq!((&*saved.status, &*saved.reason), ("False", "SavePending"));
    assert_eq!(
        world.devices.standby().saved_records(TUNNEL_PATH),
        to_map(&[])
    );
}

#[tokio::test]
async fn unit_saved_externally_is_never_saved() {
    let world = programmed("save-never", json!({"policy": "Never"})).await;
    let status = world.status().await;
    assert_eq!(find(&device(&status, "bigip-a").conditions, "Saved"), None);
    world.delete(NAME).await;
    world.until_gone(NAME).await;
    world.assert_records(&[]);
    let of_records = |unit: &Simulator| {
        let writes = mutations(unit);
        writes.iter().all(|write| write.path.contains("/records"))
    };
    assert!(world.devices.units().iter().all(of_records));
}

/// A world whose units save in this way, with a save that was tried on both.
async fn with_save_tried(name: &str, effect: &Effect) -> World {
    let mut world = World::new(name).await;
    for unit in world.devices.units() {
        unit.fault(
            Fault::new(effect.clone())
                .method(Method::POST)
                .path_contains("/sys/config"),
        );
    }
    world.create_nodes().await;
    world.start_operator().await;
    let mut spec = world.spec();
    spec["saveConfig"] = json!({"delaySeconds": 0});
    world.create(spec).await;
    for unit in world.devices.units() {
        let tried = unit.wait_until(LIMIT, |state| {
            let mut requests = state.requests();
            requests.any(|request| request.path.ends_with("/sys/config"))
        });
        tried.await.unwrap();
    }
    world
}

#[tokio::test]
async fn refused_save_is_reported_and_delays_no_record() {
    let refusal = Effect::status(
        400,
        "application/json; charset=UTF-8",
        r#"{"code":400,"message":"01071488:3: no","errorStack":[],"apiError":3}"#,
    );
    let world = with_save_tried("save-refused", &refusal).await;
    let status = world
        .until_status("the save failed", |status| {
            status.devices.iter().all(|device| {
                find(&device.conditions, "Saved").is_some_and(|saved| saved.reason == "SaveFailed")
            })
        })
        .await;
    assert!(device(&status, "bigip-a").unsaved_since.is_some());
    world.create_node(NEW_NODE).await;
    world
        .until_records(&[RECORD_1, RECORD_2, RECORD_3, NEW_RECORD])
        .await;
    world.until_ready().await;
}

#[tokio::test]
async fn slow_save_delays_no_record() {
    let world = with_save_tried("save-slow", &Effect::stall()).await;
    world.create_node(NEW_NODE).await;
    world
        .until_records(&[RECORD_1, RECORD_2, RECORD_3, NEW_RECORD])
        .await;
    for unit in world.devices.units() {
        unit.clear_faults();
    }
    world.until_ready().await;
}

#[tokio::test]
async fn last_removal_is_saved_before_object_deletion() {
    let world = programmed("save-last", json!({"delaySeconds": 1})).await;
    let active = world.devices.active();
    let all = to_map(&[RECORD_1, RECORD_2, RECORD_3]);
    let saved = active.wait_until(LIMIT, |state| state.saved_records(TUNNEL_PATH) == all);
    saved.await.unwrap();
    world.delete(NAME).await;
    world.until_gone(NAME).await;
    for unit in world.devices.units() {
        assert_eq!(unit.saved_records(TUNNEL_PATH), to_map(&[]));
    }
}

#[tokio::test]
async fn record_added_before_a_crash_is_saved() {
    let mut world = World::new("save-crash").await;
    world.create_nodes().await;
    world.start_operator().await;
    let mut spec = world.spec();
    spec["saveConfig"] = json!({"delaySeconds": 1});
    // The last record is there and nothing is left to write, but nobody has told the process so.
    let last_addition = Fault::new(Effect::commit_then_stall())
        .method(Method::POST)
        .path_contains("/records")
        .nth(3);
    world.devices.active().fault(last_addition);
    world.create(spec).await;
    let held = world
        .devices
        .active()
        .wait_until(LIMIT, |state| state.held_requests() == 1);
    held.await.unwrap();
    world.kill_operator().await;
    world.devices.active().clear_faults();
    world.start_operator().await;
    let expected = to_map(&[RECORD_1, RECORD_2, RECORD_3]);
    let saved = world
        .devices
        .active()
        .wait_until(LIMIT, |state| state.saved_records(TUNNEL_PATH) == expected);
    saved.await.unwrap();
}
