//! Devices that leave the list, get another name, or cannot be cleaned up.

use bigip_tunnel_crds::{ANNOTATION_ALLOWED_ADDRESSES, ANNOTATION_RELEASE};
use bigip_tunnel_harness::objects::SECRET;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::json;

use crate::world::{
    FOREIGN, NAME, RECORD_1, RECORD_2, RECORD_3, TUNNEL_PATH, World, claims, condition, mutations,
    to_map,
};

/// All records of a world in sync.
const ALL: [(&str, &str); 3] = [RECORD_1, RECORD_2, RECORD_3];

/// Takes the standby unit off the list.
async fn unlist_standby(world: &World) {
    let devices = world.devices.spec_devices();
    world.patch_spec(json!({"devices": [devices[0]]})).await;
}

pub(crate) async fn delete_secret(world: &World) {
    let api: Api<Secret> = Api::namespaced(world.client.clone(), &world.name);
    api.delete(SECRET, &DeleteParams::default()).await.unwrap();
}

#[tokio::test]
async fn a_device_that_leaves_the_list_loses_its_records_and_no_others() {
    let mut world = World::new("former-gone").await;
    let standby = world.devices.standby();
    standby
        .seed_record(TUNNEL_PATH, FOREIGN.0, FOREIGN.1)
        .unwrap();
    world = world.into_sync().await;
    unlist_standby(&world).await;
    let status = world
        .until_status("no former device", |status| {
            status.former_devices.is_empty() && claims(status, "bigip-b").is_empty()
        })
        .await;
    assert_eq!(status.devices.len(), 1);
    world.until_each([&to_map(&ALL), &to_map(&[FOREIGN])]).await;
    world.until_ready().await;
}

#[tokio::test]
async fn a_device_that_replaces_another_in_one_edit_is_filled_and_the_other_is_cleaned_up() {
    let mut world = World::new("former-replaced").await;
    world.create_nodes().await;
    world.start_operator().await;
    let (mut spec, both) = (world.spec(), world.devices.spec_devices());
    spec["devices"] = json!([both[0]]);
    world.create(spec).await;
    world.until_ready().await;
    world.until_each([&to_map(&ALL), &to_map(&[])]).await;
    world.patch_spec(json!({"devices": [both[1]]})).await;
    world.until_each([&to_map(&[]), &to_map(&ALL)]).await;
    let status = world.until_ready().await;
    assert!(status.former_devices.is_empty());
    assert!(claims(&status, "bigip-a").is_empty());
}

#[tokio::test]
async fn a_device_that_left_while_the_operator_was_away_is_cleaned_up_all_the_same() {
    let mut world = World::in_sync("former-away").await;
    world.terminate_operator().await;
    unlist_standby(&world).await;
    world.start_operator().await;
    world.until_each([&to_map(&ALL), &to_map(&[])]).await;
    world.until_ready().await;
}

#[tokio::test]
async fn a_device_that_left_and_does_not_answer_is_shown_until_it_is_clean() {
    let world = World::in_sync("former-down").await;
    world.devices.standby().set_responsive(false);
    unlist_standby(&world).await;
    let status = world.until_reason("CleanupFailed").await;
    let former = &status.former_devices[0];
    assert_eq!(former.name, "bigip-b");
    assert!(former.reason.is_some(), "{former:?}");
    assert_eq!(claims(&status, "bigip-b").len(), 3);
    world.devices.standby().set_responsive(true);
    world.until_each([&to_map(&ALL), &to_map(&[])]).await;
    world.until_ready().await;
}

#[tokio::test]
async fn a_live_session_cleans_up_a_device_whose_secret_is_gone() {
    let world = World::in_sync("former-secret").await;
    delete_secret(&world).await;
    unlist_standby(&world).await;
    world.until_each([&to_map(&ALL), &to_map(&[])]).await;
}

#[tokio::test]
async fn a_former_device_that_cannot_be_reached_any_more_is_released_by_name() {
    let world = World::in_sync("former-release").await;
    world.devices.standby().set_responsive(false);
    unlist_standby(&world).await;
    let status = world.until_reason("CleanupFailed").await;
    let message = &condition(&status.conditions, "Ready").message;
    assert!(message.contains(ANNOTATION_RELEASE), "{message}");
    world.annotate(ANNOTATION_RELEASE, "bigip-b").await;
    let status = world.until_ready().await;
    assert!(status.former_devices.is_empty());
    assert!(claims(&status, "bigip-b").is_empty());
    world.assert_records(&ALL);
}

#[tokio::test]
async fn a_device_that_gets_another_name_keeps_its_records_and_claims() {
    let world = World::in_sync("former-renamed").await;
    world.settle().await;
    world.devices.standby().clear_log();
    let renamed = world.devices_with_standby(&json!({"name": "bigip-z"}));
    world.patch_spec(json!({"devices": renamed})).await;
    let status = world
        .until_status("the claims under the new name", |status| {
            claims(status, "bigip-z").len() == 3 && claims(status, "bigip-b").is_empty()
        })
        .await;
    assert!(status.former_devices.is_empty());
    world.until_ready().await;
    world.settle().await;
    world.assert_records(&ALL);
    assert_eq!(mutations(world.devices.standby()), []);
}

#[tokio::test]
async fn a_released_object_goes_and_leaves_its_records() {
    let mut world = World::in_sync("former-object").await;
    world.kill_operator().await;
    delete_secret(&world).await;
    world.delete(NAME).await;
    // After a restart there is no session that could finish the work.
    world.start_operator().await;
    let status = world.until_reason("CleanupFailed").await;
    let message = &condition(&status.conditions, "Ready").message;
    assert!(message.contains(SECRET), "{message}");
    assert!(message.contains(ANNOTATION_RELEASE), "{message}");
    world.annotate(ANNOTATION_RELEASE, "true").await;
    world.until_gone(NAME).await;
    world.assert_records(&ALL);
}

#[tokio::test]
async fn a_live_session_cleans_up_an_object_whose_secret_went_first() {
    let world = World::in_sync("former-namespace").await;
    // As in a namespace that is being deleted: the Secret goes first, and cannot come back.
    delete_secret(&world).await;
    world.delete(NAME).await;
    world.until_gone(NAME).await;
    world.assert_records(&[]);
}

#[tokio::test]
async fn a_password_is_not_sent_to_an_address_that_its_secret_does_not_allow() {
    let world = World::in_sync("former-allowed").await;
    let api: Api<Secret> = Api::namespaced(world.client.clone(), &world.name);
    let active = world.devices.active().address();
    let patch = json!({"metadata": {"annotations": {
        ANNOTATION_ALLOWED_ADDRESSES: format!("{active}"),
    }}});
    api.patch(SECRET, &PatchParams::default(), &Patch::Merge(patch))
        .await
        .unwrap();
    world.reconcile().await;
    let status = world.until_reason("AddressNotAllowed").await;
    let message = &condition(&status.conditions, "Ready").message;
    assert!(message.contains(SECRET), "{message}");
    world.devices.standby().clear_log();
    world.settle().await;
    assert_eq!(world.devices.standby().requests(), []);
    world.assert_records(&ALL);
}
