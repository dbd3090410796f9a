//! Device groups, and sharing the configuration of a pair.

use bigip_sim::{FailoverState, Peer, SimConfig, TmosVersion};
use serde_json::{Value, json};

use crate::support::{
    Answer, ENDPOINT, MAC, RECORDS_URI, TUNNEL, TUNNEL_URI, World, config, record, world, world_of,
};

const GROUPS: &str = "/mgmt/tm/cm/device-group";

pub(crate) fn pair() -> World {
    let peer = Peer {
        hostname: "bigip02.lab.local".to_owned(),
        base_mac: "00:0c:29:35:0d:be".to_owned(),
        management_ip: "192.168.189.234".to_owned(),
        failover_state: FailoverState::Standby,
    };
    World::new(&SimConfig {
        peers: vec![peer],
        ..config()
    })
}

fn sync(world: &mut World, args: &str) -> Answer {
    let body = json!({ "command": "run", "utilCmdArgs": format!("config-sync {args}") });
    world.post("/mgmt/tm/cm", &body)
}

fn sync_status(world: &mut World) -> Value {
    let answer = world.get("/mgmt/tm/cm/sync-status").json();
    let key = "https://localhost/mgmt/tm/cm/sync-status/0";
    answer["entries"][key]["nestedStats"]["entries"].clone()
}

fn status(world: &mut World) -> String {
    let entries = sync_status(world);
    entries["status"]["description"]
        .as_str()
        .unwrap()
        .to_owned()
}

/// The lines of details, as f5-cloud-libs reads them.
fn details(world: &mut World) -> Vec<String> {
    let entries = sync_status(world);
    let key = "https://localhost/mgmt/tm/cm/syncStatus/0/details";
    let lines = entries[key]["nestedStats"]["entries"].as_object().unwrap();
    let texts = lines
        .values()
        .map(|line| &line["nestedStats"]["entries"]["details"]);
    texts
        .map(|text| text["description"].as_str().unwrap().to_owned())
        .collect()
}

/// 14.1.2.1, genieparser.
#[test]
fn built_in_groups_match_14_1_2_1() {
    let answer = world_of(TmosVersion::V14_1).get(GROUPS);

    let recorded = r#"{"kind":"tm:cm:device-group:device-groupcollectionstate","selfLink":"https://localhost/mgmt/tm/cm/device-group?ver=14.1.2.1","items":[{"kind":"tm:cm:device-group:device-groupstate","name":"device_trust_group","partition":"Common","fullPath":"/Common/device_trust_group","generation":1,"selfLink":"https://localhost/mgmt/tm/cm/device-group/~Common~device_trust_group?ver=14.1.2.1","asmSync":"disabled","autoSync":"enabled","fullLoadOnSync":"false","incrementalConfigSyncSizeMax":1024,"networkFailover":"disabled","saveOnAutoSync":"false","type":"sync-only","devicesReference":{"link":"https://localhost/mgmt/tm/cm/device-group/~Common~device_trust_group/devices?ver=14.1.2.1","isSubcollection":true}},{"kind":"tm:cm:device-group:device-groupstate","name":"gtm","partition":"Common","fullPath":"/Common/gtm","generation":1,"selfLink":"https://localhost/mgmt/tm/cm/device-group/~Common~gtm?ver=14.1.2.1","asmSync":"disabled","autoSync":"disabled","fullLoadOnSync":"false","incrementalConfigSyncSizeMax":1024,"networkFailover":"disabled","saveOnAutoSync":"false","type":"sync-only","devicesReference":{"link":"https://localhost/mgmt/tm/cm/device-group/~Common~gtm/devices?ver=14.1.2.1","isSubcollection":true}}]}"#;
    assert_eq!(answer.text, recorded);
}

#[test]
fn group_of_a_pair_has_both_devices() {
    let mut world = pair();
    let group = world
        .get(&format!("{GROUPS}/~Common~failover-group"))
        .json();
    assert_eq!(
        [
            &group["type"],
            &group["autoSync"],
            &group["networkFailover"]
        ],
        [
            &json!("sync-failover"),
            &json!("disabled"),
            &json!("enabled")
        ]
    );
    let devices = format!("{GROUPS}/~Common~failover-group/devices");
    let listed = world.get(&devices).json();
    assert_eq!(
        listed["kind"],
        "tm:cm:device-group:devices:devicescollectionstate"
    );
    let names: Vec<_> = listed["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| &it["name"])
        .collect();
    assert_eq!(names, ["bigip01.lab.local", "bigip02.lab.local"]);

    let one = world
        .get(&format!("{devices}/~Common~bigip02.lab.local"))
        .json();
    assert_eq!(one, listed["items"][1]);
    assert_eq!(one["kind"], "tm:cm:device-group:devices:devicesstate");
    let missing = world.get(&format!("{devices}/~Common~bigip03.lab.local"));
    assert_eq!(
        missing.message(),
        "Object not found - /Common/bigip03.lab.local"
    );
    assert_eq!(
        world.get(&format!("{GROUPS}/~Common~gone/devices")).status,
        404
    );
    assert_eq!(world.delete(&devices).status, 501);
    assert_eq!(
        world
            .delete(&format!("{GROUPS}/~Common~failover-group"))
            .status,
        501
    );
}

#[test]
fn single_device_is_served() {
    let mut world = pair();
    let all = world.get("/mgmt/tm/cm/device").json();
    let one = world
        .get("/mgmt/tm/cm/device/~Common~bigip02.lab.local")
        .json();
    assert_eq!(one, all["items"][1]);
    let missing = world.get("/mgmt/tm/cm/device/~Common~gone");
    assert_eq!(missing.status, 404);
    assert!(
        missing.message().starts_with("01020036:3: "),
        "{}",
        missing.text
    );
}

/// EC.
#[test]
fn sync_returns_its_command_and_needs_its_group() {
    let mut world = world();
    let recorded =
        r#"{"kind":"tm:cm:runstate","utilCmdArgs":"config-sync to-group gtm","command":"run"}"#;
    assert_eq!(sync(&mut world, "to-group gtm").text, recorded);
    let recorded = r#"{"code":400,"message":"01070734:3: Configuration error: Device group (GROUP) not found in device group sync","errorStack":[],"apiError":3}"#;
    assert_eq!(sync(&mut world, "to-group GROUP").text, recorded);
    assert_eq!(sync(&mut world, "from-group gtm").status, 501);
    assert_eq!(
        world.get("/mgmt/tm/cm").status,
        200,
        "a list of what is in it"
    );
}

#[test]
fn only_synced_changes_make_a_sync_needed() {
    let mut world = pair();
    assert_eq!(status(&mut world), "In Sync");
    assert_eq!(details(&mut world), ["bigip02.lab.local: connected"]);

    world.patch(
        "/mgmt/tm/net/tunnels/tunnel/~Common~flannel_vxlan",
        &json!({ "key": 7 }),
    );
    assert_eq!(status(&mut world), "Changes Pending");
    assert_eq!(sync_status(&mut world)["color"]["description"], "yellow");
    let advice = "Recommended action: Synchronize bigip01.lab.local to group failover-group";
    assert_eq!(
        details(&mut world),
        ["bigip02.lab.local: connected", advice]
    );

    assert_eq!(sync(&mut world, "to-group device_trust_group").status, 200);
    assert_eq!(status(&mut world), "Changes Pending", "another group");
    assert_eq!(sync(&mut world, "to-group failover-group").status, 200);
    assert_eq!(status(&mut world), "In Sync");

    world.delete("/mgmt/tm/net/tunnels/tunnel/~Common~flannel_vxlan");
    assert_eq!(status(&mut world), "Changes Pending");
    let forced = "force-full-load-push to-group /Common/failover-group";
    assert_eq!(sync(&mut world, forced).status, 200);
    assert_eq!(status(&mut world), "In Sync");
}

/// CIDOCS: config-sync carries neither; that the status stays is assumed.
#[test]
fn records_and_arp_entries_leave_the_pair_in_sync() {
    let mut world = pair();
    world.post(RECORDS_URI, &record(MAC, ENDPOINT));
    world.put(TUNNEL_URI, &json!({ "records": [] }));
    let entry = json!({ "name": "a", "ipAddress": "10.1.1.9", "macAddress": MAC });
    world.post("/mgmt/tm/net/arp", &entry);
    world.delete("/mgmt/tm/net/arp/~Common~a");

    assert_eq!(status(&mut world), "In Sync");
}

#[test]
fn only_a_self_ip_that_floats_is_shared() {
    let mut world = pair();
    let body = json!({ "name": "s", "address": "10.1.1.1/24", "vlan": TUNNEL });
    world.post("/mgmt/tm/net/self", &body);
    assert_eq!(status(&mut world), "In Sync");
    let uri = "/mgmt/tm/net/self/~Common~s";
    for group in ["traffic-group-1", "traffic-group-local-only"] {
        world.patch(uri, &json!({ "trafficGroup": group }));
        assert_eq!(status(&mut world), "Changes Pending", "{group}");
        sync(&mut world, "to-group failover-group");
    }
}

#[test]
fn standalone_device_shares_nothing() {
    let mut world = world();
    world.patch(
        "/mgmt/tm/net/tunnels/tunnel/~Common~flannel_vxlan",
        &json!({ "key": 7 }),
    );

    assert_eq!(status(&mut world), "Standalone");
    assert_eq!(
        world
            .get(&format!("{GROUPS}/~Common~failover-group"))
            .status,
        404
    );
}
