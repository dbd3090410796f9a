//! Rights, locks, versions, reboots and restored configurations.

use bigip_sim::{Rights, SimConfig, TmosVersion, UserConfig};

use crate::support::{
    ENDPOINT, MAC, RECORDS_URI, TUNNEL, World, config, pair, record, world, world_of,
};

fn world_with(user: UserConfig) -> World {
    World::new(&SimConfig {
        users: vec![user],
        ..config()
    })
}

#[test]
fn read_only_user_is_refused_as_on_15_1_1() {
    let mut world = world_with(UserConfig {
        rights: Rights::ReadOnly,
        ..UserConfig::new("admin", "s3cret")
    });
    assert_eq!(world.get(RECORDS_URI).status, 200);
    let refused = world.post(RECORDS_URI, &record(MAC, ENDPOINT));
    assert_eq!(refused.status, 401);
    let message = refused.message();
    assert!(
        message.starts_with("Authorization failed: user="),
        "{message}"
    );
    assert!(world.stored().is_empty());
}

#[test]
fn manager_of_another_partition_is_refused_by_icrd() {
    let mut world = world_with(UserConfig {
        rights: Rights::Manager("Other".to_owned()),
        ..UserConfig::new("admin", "s3cret")
    });
    let refused = world.post(RECORDS_URI, &record(MAC, ENDPOINT));
    assert_eq!(refused.status, 400);
    assert!(
        refused
            .message()
            .contains("does not have update access to partition (Common)")
    );
}

#[test]
fn locked_account_stays_locked_until_unlocked() {
    let mut world = world_with(UserConfig {
        lock_after: Some(3),
        ..UserConfig::new("admin", "s3cret")
    });
    for _ in 0..3 {
        assert_eq!(world.login("admin", "wrong").status, 401);
    }
    assert_eq!(world.login("admin", "s3cret").status, 401);
    assert!(world.state.unlock_user("admin"));
    assert_eq!(world.login("admin", "s3cret").status, 200);
}

#[test]
fn before_13_1_there_is_no_readiness_and_no_limit_of_tokens() {
    let mut old = world_of(TmosVersion::V12_1);
    assert!(old.get("/mgmt/tm/sys/ready").status >= 400);
    let logins = (0..150).map(|_| old.login("admin", "s3cret").status);
    assert!(logins.max() == Some(200));
    let mut newer = world_of(TmosVersion::V13_1);
    assert_eq!(newer.get("/mgmt/tm/sys/ready").status, 200);
}

#[test]
fn before_16_1_a_refusal_is_cut_at_2_kb() {
    let long = "x".repeat(5_000);
    let body = serde_json::json!({"name": long, "endpoint": ENDPOINT});
    let length = |version| world_of(version).post(RECORDS_URI, &body).text.len();
    assert_eq!(length(TmosVersion::V15_1), 2_048);
    assert!(length(TmosVersion::V16_1) > 5_000);
}

#[test]
fn reboot_loses_unsaved_changes_and_takes_time() {
    let mut world = world();
    world.post(RECORDS_URI, &record(MAC, ENDPOINT));
    let reboot = world.state.begin_reboot();
    assert_eq!(world.get(RECORDS_URI).status, 503);
    world.state.remove_fault(reboot.web_front_end);
    let starting = world.get(RECORDS_URI);
    assert_eq!(
        (starting.status, starting.json()["kind"].as_str()),
        (404, Some(":resterrorresponse"))
    );
    world.state.remove_fault(reboot.workers);
    assert_eq!(world.get(RECORDS_URI).status, 200);
    assert!(world.stored().is_empty());
}

#[test]
fn older_configuration_can_be_restored() {
    let mut world = world();
    world.post(RECORDS_URI, &record(MAC, ENDPOINT));
    let archive = world.state.snapshot();
    world.delete(&format!("{RECORDS_URI}/{MAC}"));
    assert!(world.stored().is_empty());
    world.state.restore(&archive);
    assert_eq!(world.stored(), [pair(MAC, ENDPOINT)]);
    assert_eq!(world.state.saved_records(TUNNEL).len(), 1);
}

#[test]
fn upgrade_keeps_records_and_changes_the_version() {
    let mut world = world_of(TmosVersion::V15_1);
    world.post(RECORDS_URI, &record(MAC, ENDPOINT));
    world.state.set_version(TmosVersion::V17_1);
    let list = world.get(RECORDS_URI);
    assert!(
        list.json()["selfLink"]
            .as_str()
            .unwrap()
            .ends_with("ver=17.1.2.1")
    );
    assert_eq!(world.stored(), [pair(MAC, ENDPOINT)]);
}
