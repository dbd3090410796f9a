//! Refused logins stay rare, over restarts of the operator, too: BIG-IP locks accounts.

use std::time::Duration;

use bigip_sim::Simulator;
use bigip_tunnel_crds::v1alpha1::LoginStatus;
use bigip_tunnel_harness::devices::USER;
use bigip_tunnel_harness::objects::SECRET;
use bigip_tunnel_harness::proxy::Trouble;
use http::StatusCode;
use serde_json::json;

use crate::api_server::is_status_write;
use crate::devices::{create_secret, patch_secret};
use crate::world::{NAME, NEW_NODE, NEW_RECORD, RECORD_1, RECORD_2, RECORD_3, World, device};

/// How long the API server may be asked until it has failed often enough.
const LIMIT: Duration = Duration::from_secs(60);

/// The row of the standby unit's last login.
async fn row(world: &World) -> LoginStatus {
    let status = world.status().await;
    device(&status, "bigip-b").login.clone().unwrap()
}

/// Makes the object whose standby unit has a Secret of its own, with this password.
async fn create_with(world: &World, password: &str) {
    create_secret(
        world,
        "own-login",
        &[("username", USER), ("password", password)],
    )
    .await;
    let own = json!({"credentialsSecretRef": {"name": "own-login"}});
    let mut spec = world.spec();
    spec["devices"] = world.devices_with_standby(&own);
    world.create(spec).await;
}

#[tokio::test]
async fn wrong_secret_and_four_restarts_give_two_refusals() {
    let mut world = World::new("login-restarts").await;
    world.create_nodes().await;
    world.start_operator().await;
    create_with(&world, "wrong-guess").await;
    world.until_reason("AuthenticationFailed").await;
    for _ in 0..4 {
        world.kill_operator().await;
        world.start_operator().await;
        world.reconcile().await;
    }
    assert!(world.devices.standby().failed_logins() <= 2);
    // A user asks to try again, too.
    for _ in 0..3 {
        world.reconcile().await;
    }
    assert_eq!(world.devices.standby().failed_logins(), 2);
    let row = row(&world).await;
    assert!(row.accepted_time.is_none() && row.window_start.is_some());
    assert_eq!(row.refusals, 1, "a request begins the schedule again");
    let status = serde_json::to_string(&world.status().await).unwrap();
    assert!(!status.contains("wrong-guess") && !status.contains(&format!("\"{USER}\"")));
}

#[tokio::test]
async fn other_wrong_password_after_a_restart_shares_the_budget() {
    let mut world = World::new("login-changed").await;
    world.create_nodes().await;
    world.start_operator().await;
    create_with(&world, "wrong-0").await;
    world.until_reason("AuthenticationFailed").await;
    for guess in 1..4 {
        world.kill_operator().await;
        let password = json!({"password": format!("wrong-{guess}")});
        patch_secret(&world, "own-login", password).await;
        world.start_operator().await;
        world.reconcile().await;
    }
    assert_eq!(world.devices.standby().failed_logins(), 2);
    // The active unit knows the user too, and refused nothing: it is an account of its own.
    assert_eq!(world.devices.active().failed_logins(), 0);
}

#[tokio::test]
async fn new_password_is_not_sent_while_the_status_cannot_be_written() {
    let mut world = World::new("login-unstored").await;
    let proxy = world.start_proxy().await;
    world.create_nodes().await;
    world.start_operator().await;
    let fails = Trouble::Answer(StatusCode::INTERNAL_SERVER_ERROR, None);
    let failing = proxy.make_trouble(fails, is_status_write);
    world.create(world.spec()).await;
    // Five tries for each device and for the status, and the same once more.
    proxy.until_effects(failing, 20, LIMIT).await.unwrap();
    assert_eq!(
        world.devices.units().each_ref().map(Simulator::logins),
        [0; 2]
    );
    proxy.clear();
    world.until_ready().await;
    assert_eq!(
        world.devices.units().each_ref().map(Simulator::logins),
        [1; 2]
    );
}

#[tokio::test]
async fn new_password_waits_until_all_namespaces_are_listed() {
    let mut world = World::new("login-unlisted").await;
    let proxy = world.start_proxy().await;
    world.create_nodes().await;
    let forbidden = Trouble::Answer(StatusCode::FORBIDDEN, None);
    proxy.make_trouble(forbidden, |seen| {
        seen.path.contains("/namespaces/elsewhere/bigiptunnels")
    });
    world.start_operator_also_in("elsewhere").await;
    world.create(world.spec()).await;
    world.reconcile().await;
    let logins = || world.devices.units().each_ref().map(Simulator::logins);
    assert_eq!(logins(), [0; 2]);
    proxy.clear();
    world.until_ready().await;
    assert_eq!(logins(), [1; 2]);
}

#[tokio::test]
async fn consecutive_crashes_take_one_login_each() {
    const CRASHES: u64 = 6;
    let mut world = World::in_sync("login-crashes").await;
    let (written, before) = (
        world.object().await.metadata.resource_version,
        row(&world).await,
    );
    for _ in 0..CRASHES {
        world.kill_operator().await;
        world.start_operator().await;
        world.reconcile().await;
    }
    // The password was accepted: its row does not move, so that only the requests are noted.
    assert_eq!(row(&world).await, before);
    assert!(before.accepted_time.is_some() && before.refusals == 0);
    assert_ne!(world.object().await.metadata.resource_version, written);
    world.create_node(NEW_NODE).await;
    world
        .until_records(&[RECORD_1, RECORD_2, RECORD_3, NEW_RECORD])
        .await;
    for unit in world.devices.units() {
        assert_eq!((unit.logins(), unit.failed_logins()), (1 + CRASHES, 0));
        assert!(unit.live_tokens(USER) <= 10);
    }
}

#[tokio::test]
async fn constantly_changed_secret_gives_two_refusals() {
    let mut world = World::in_sync("login-changes").await;
    for round in 0..5 {
        for change in 0..10 {
            let password = json!({"password": format!("wrong-{round}-{change}")});
            patch_secret(&world, SECRET, password).await;
        }
        world.reconcile().await;
    }
    // The login with the password before goes on.
    world.create_node(NEW_NODE).await;
    world
        .until_records(&[RECORD_1, RECORD_2, RECORD_3, NEW_RECORD])
        .await;
    for unit in world.devices.units() {
        assert_eq!(unit.failed_logins(), 2);
    }
    let right = json!({"password": world.devices.password()});
    patch_secret(&world, SECRET, right).await;
    world.reconcile().await;
    world.until_ready().await;
    for unit in world.devices.units() {
        assert_eq!((unit.logins(), unit.failed_logins()), (1 + 2, 2));
    }
    // The row of the login that goes on still shows the refusals, also to the next process.
    world.kill_operator().await;
    patch_secret(&world, SECRET, json!({"password": "wrong-again"})).await;
    world.start_operator().await;
    world.reconcile().await;
    for unit in world.devices.units() {
        assert_eq!(unit.failed_logins(), 2);
    }
}

#[tokio::test]
async fn direct_call_sends_no_password_over_the_budget() {
    let mut world = World::new("login-direct").await;
    world.create_nodes().await;
    world.start_operator().await;
    create_with(&world, "wrong-guess").await;
    world.until_reason("AuthenticationFailed").await;
    let right = json!({"password": world.devices.password()});
    let diff = ["diff", NAME, "--direct", "--device", "bigip-b"];

    world.reconcile().await;
    world.kill_operator().await;
    patch_secret(&world, "own-login", right).await;
    let standby = world.devices.standby();
    assert_eq!((standby.logins(), standby.failed_logins()), (2, 2));
    let ended = world.plugin(&diff).await;
    assert_eq!(ended.code, Some(3), "{ended:?}");
    for told in ["no login attempted", "next attempt within", USER] {
        assert!(ended.err.contains(told), "{told}: {ended:?}");
    }
    assert_eq!(standby.logins(), 2);
}

#[tokio::test]
async fn direct_call_continues_while_the_budget_allows() {
    let mut world = World::new("login-direct-on").await;
    world.create_nodes().await;
    world.start_operator().await;
    create_with(&world, "wrong-guess").await;
    world.until_reason("AuthenticationFailed").await;
    world.kill_operator().await;
    let diff = ["diff", NAME, "--direct", "--device", "bigip-b"];
    // The password that was refused is not sent again at once; a corrected one is.
    assert_eq!(world.plugin(&diff).await.code, Some(3));
    let standby = world.devices.standby();
    assert_eq!((standby.logins(), standby.failed_logins()), (1, 1));
    let right = json!({"password": world.devices.password()});
    patch_secret(&world, "own-login", right).await;
    let ended = world.plugin(&diff).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert_eq!((standby.logins(), standby.failed_logins()), (2, 1));
}
