//! Answers of a user about one device: each counts once, and only for the unit that it names.

use bigip_tunnel_crds::{ANNOTATION_ACCEPT_DEVICE, ANNOTATION_RELEASE};
use serde_json::json;

use crate::approval::{REPLACEMENT, exchanged};
use crate::events::until_told;
use crate::former::{STANDBY, unlist_standby};
use crate::world::{
    FOREIGN, NEW_NODE, NEW_RECORD, RECORD_1, RECORD_2, RECORD_3, World, claims, condition, device,
    to_map,
};

/// All records of a world in sync.
const ALL: [(&str, &str); 3] = [RECORD_1, RECORD_2, RECORD_3];

/// Releases the standby unit, which has left and does not answer. Returns the answer.
async fn release_standby(world: &World) -> String {
    world.devices.standby().set_responsive(false);
    unlist_standby(world).await;
    world.until_reason("CleanupFailed").await;
    let answer = format!("bigip-b={STANDBY}");
    world.annotate(ANNOTATION_RELEASE, &answer).await;
    let status = world.until_ready().await;
    assert!(status.former_devices.is_empty());
    world
        .until_status("the release handled", |status| {
            status.handled_releases.contains(&answer)
        })
        .await;
    answer
}

#[tokio::test]
async fn released_device_relisted_and_unlisted_is_cleaned_up() {
    let world = World::in_sync("answer-release").await;
    let answer = release_standby(&world).await;
    until_told(&world, "RecordsLeft", &["3 records", "bigip-b", "released"]).await;
    world.assert_records(&ALL);

    // It comes back, and leaves again. The annotation is still there.
    world.devices.standby().set_responsive(true);
    let both = world.devices.spec_devices();
    world.patch_spec(json!({"devices": both})).await;
    let status = world.until_ready().await;
    assert_eq!(claims(&status, "bigip-b").len(), 3);
    unlist_standby(&world).await;
    world.until_each([&to_map(&ALL), &to_map(&[])]).await;
    let status = world.until_ready().await;
    assert_eq!(status.handled_releases, [answer]);
}

#[tokio::test]
async fn repeated_release_counts_again() {
    let world = World::in_sync("answer-again").await;
    let answer = release_standby(&world).await;
    world.devices.standby().set_responsive(true);
    let both = world.devices.spec_devices();
    world.patch_spec(json!({"devices": both})).await;
    world.until_ready().await;
    world.devices.standby().set_responsive(false);
    unlist_standby(&world).await;
    world.until_reason("CleanupFailed").await;
    let verb = ["release", "prod-east", "bigip-b", "--yes"];
    let ended = world.plugin(&verb).await;
    assert!(ended.out.contains("released"), "{ended:?}");
    world.until_ready().await;
    let status = world
        .until_status("the second release handled", |status| {
            !status.handled_releases.contains(&answer)
        })
        .await;
    assert_eq!(status.handled_releases, [format!("{answer};2")]);
}

#[tokio::test]
async fn release_of_another_unit_is_ignored_and_reported() {
    let world = World::in_sync("answer-other").await;
    world.devices.standby().set_responsive(false);
    unlist_standby(&world).await;
    world.until_reason("CleanupFailed").await;
    for answer in [format!("bigip-b={REPLACEMENT}"), "bigip-b".to_owned()] {
        world.annotate(ANNOTATION_RELEASE, &answer).await;
        let status = world
            .until_status("the release handled", |status| {
                status.handled_releases.contains(&answer)
            })
            .await;
        assert_eq!(claims(&status, "bigip-b").len(), 3);
    }
    until_told(&world, "AnswerIgnored", &[STANDBY, REPLACEMENT]).await;
    until_told(&world, "AnswerIgnored", &["DEVICE=IDENTITY"]).await;
    world.devices.standby().set_responsive(true);
    world.until_each([&to_map(&ALL), &to_map(&[])]).await;
}

#[tokio::test]
async fn release_before_a_deletion_leaves_no_record() {
    let world = World::in_sync("answer-early").await;
    world.annotate(ANNOTATION_RELEASE, "true").await;
    world
        .until_status("the release handled", |status| {
            status.handled_releases == ["true"]
        })
        .await;
    world.delete(crate::world::NAME).await;
    world.until_gone(crate::world::NAME).await;
    world.assert_records(&[]);
}

#[tokio::test]
async fn accepted_unit_is_not_accepted_for_another_device() {
    let (world, replacement) = exchanged("answer-accept", &[FOREIGN]).await;
    let answer = format!("bigip-b={REPLACEMENT}");
    world.annotate(ANNOTATION_ACCEPT_DEVICE, &answer).await;
    world
        .until_status("the acceptance handled", |status| {
            status.handled_acceptances.contains(&answer)
        })
        .await;
    world.until_ready().await;
    let expected = [FOREIGN, RECORD_1, RECORD_2, RECORD_3];
    world.until_unit(&replacement, &expected).await;

    // The other entry is pointed at the accepted unit, and the answer is still there.
    let mut devices = world.devices.spec_devices();
    devices[0]["port"] = json!(replacement.address().port());
    devices[1]["port"] = json!(world.devices.standby().address().port());
    world.patch_spec(json!({"devices": devices})).await;
    let status = world.until_reason("DeviceIdentityChanged").await;
    let programmed = condition(&device(&status, "bigip-a").conditions, "Programmed");
    assert_eq!(programmed.reason, "DeviceIdentityChanged");
    world.settle().await;
    let status = world.status().await;
    assert_eq!(claims(&status, "bigip-a").len(), 3);
    assert_eq!(claims(&status, "bigip-b").len(), 3);
    world.create_node(NEW_NODE).await;
    world.settle().await;
    world.until_unit(&replacement, &expected).await;
    world.until_unit(world.devices.standby(), &ALL).await;
    assert!(!to_map(&expected).contains_key(NEW_RECORD.0));
}

#[tokio::test]
async fn acceptance_of_another_unit_is_ignored_and_reported() {
    let (world, replacement) = exchanged("answer-wrong", &[FOREIGN]).await;
    for (answer, says) in [
        ("bigip-b=third.example.com 00:94:a1:00:ff:99", REPLACEMENT),
        (REPLACEMENT, "DEVICE=IDENTITY"),
        (&*format!("bigip-z={REPLACEMENT}"), "not listed"),
    ] {
        world.annotate(ANNOTATION_ACCEPT_DEVICE, answer).await;
        world
            .until_status("the acceptance handled", |status| {
                status
                    .handled_acceptances
                    .iter()
                    .any(|handled| handled == answer)
            })
            .await;
        until_told(&world, "AnswerIgnored", &["accept-device", says]).await;
    }
    world.settle().await;
    world.until_unit(&replacement, &[FOREIGN]).await;
    assert_eq!(claims(&world.status().await, "bigip-b").len(), 3);
}
