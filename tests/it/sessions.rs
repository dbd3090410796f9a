//! What a device says about the login, its tokens and its rights: said to the user, and never answered
//! by more logins.

use bigip_sim::{Fault, Method, Rights, UserConfig};
use bigip_tunnel_harness::devices::USER;

use crate::outages::refused_by_restjavad;
use crate::world::{
    NEW_NODE, NEW_RECORD, RECORD_1, RECORD_2, RECORD_3, TUNNEL_PATH, World, condition, device,
    requests,
};

/// A record of somebody else.
const FOREIGN: (&str, &str) = ("02:00:00:00:00:01", "10.9.9.9%0");

/// Takes rights away from the user on the standby unit, and gives them back.
async fn assert_named_without_harm(name: &str, rights: Rights) {
    let world = World::in_sync(name).await;
    let standby = world.devices.standby();
    standby
        .seed_record(TUNNEL_PATH, FOREIGN.0, FOREIGN.1)
        .unwrap();
    let user = |rights| UserConfig {
        rights,
        ..UserConfig::new(USER, world.devices.password())
    };
    standby.set_user(&user(rights));
    let logins = standby.logins();
    world.create_node(NEW_NODE).await;
    let status = world.until_reason("AuthorizationFailed").await;
    let programmed = condition(&device(&status, "bigip-b").conditions, "Programmed");
    assert_eq!(
        (&*programmed.status, &*programmed.reason),
        ("False", "AuthorizationFailed")
    );
    assert!(
        programmed.message.contains("Administrator"),
        "{}",
        programmed.message
    );
    world
        .until_unit(
            world.devices.active(),
            &[RECORD_1, RECORD_2, RECORD_3, NEW_RECORD],
        )
        .await;
    world.settle().await;
    let before = [RECORD_1, RECORD_2, RECORD_3, FOREIGN];
    world.until_unit(standby, &before).await;
    assert_eq!(standby.logins(), logins);
    standby.set_user(&user(Rights::All));
    world.reconcile().await;
    world.until_ready().await;
}

#[tokio::test]
async fn read_only_user_is_named_without_login_or_record_loss() {
    assert_named_without_harm("session-read-only", Rights::ReadOnly).await;
}

#[tokio::test]
async fn role_refused_by_icrd_is_named_without_record_loss() {
    assert_named_without_harm("session-operator", Rights::Operator).await;
}

#[tokio::test]
async fn token_limit_is_named_and_causes_no_login_storm() {
    let mut world = World::new("session-tokens").await;
    let standby = world.devices.standby();
    // CIS#3780.
    let message = "user bigip-tunnel has reached maximum active login tokens";
    let full = Fault::new(refused_by_restjavad(400, message)).path_contains("/authn/login");
    standby.fault(full);
    world.create_nodes().await;
    world.start_operator().await;
    world.create(world.spec()).await;
    let status = world.until_reason("TooManyTokens").await;
    let reachable = condition(&device(&status, "bigip-b").conditions, "Reachable");
    assert!(reachable.message.contains("100"), "{}", reachable.message);
    world
        .until_unit(world.devices.active(), &[RECORD_1, RECORD_2, RECORD_3])
        .await;
    // Every node wakes the device.
    world.create_node(NEW_NODE).await;
    world
        .until_unit(
            world.devices.active(),
            &[RECORD_1, RECORD_2, RECORD_3, NEW_RECORD],
        )
        .await;
    let tried = requests(world.devices.standby(), &Method::POST);
    assert_eq!(tried.len(), 1, "{tried:?}");
}

#[tokio::test]
async fn operator_keeps_one_token_per_device_and_deletes_it() {
    let mut world = World::in_sync("session-one").await;
    world.create_node(NEW_NODE).await;
    world
        .until_records(&[RECORD_1, RECORD_2, RECORD_3, NEW_RECORD])
        .await;
    world.settle().await;
    for unit in world.devices.units() {
        assert_eq!((unit.logins(), unit.live_tokens(USER)), (1, 1));
    }
    world.terminate_operator().await;
    for unit in world.devices.units() {
        assert_eq!((unit.logins(), unit.live_tokens(USER)), (1, 0));
    }
}
