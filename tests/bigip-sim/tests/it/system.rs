//! Partitions, folders, database variables and the state of the device.

use bigip_sim::TmosVersion;
use serde_json::{Value, json};

use crate::support::{TUNNEL, World, world, world_of};

const PARTITIONS: &str = "/mgmt/tm/auth/partition";
const FOLDERS: &str = "/mgmt/tm/sys/folder";

/// 14.1.2.1, genieparser.
#[test]
fn partitions_and_folders_match_14_1_2_1() {
    let mut world = world_of(TmosVersion::V14_1);
    let recorded = r#"{"kind":"tm:auth:partition:partitioncollectionstate","selfLink":"https://localhost/mgmt/tm/auth/partition?ver=14.1.2.1","items":[{"kind":"tm:auth:partition:partitionstate","name":"Common","fullPath":"Common","generation":0,"selfLink":"https://localhost/mgmt/tm/auth/partition/Common?ver=14.1.2.1","defaultRouteDomain":0,"description":"Repository for system objects and shared objects."}]}"#;
    assert_eq!(world.get(PARTITIONS).text, recorded);

    let recorded = r#"{"kind":"tm:sys:folder:foldercollectionstate","selfLink":"https://localhost/mgmt/tm/sys/folder?ver=14.1.2.1","items":[{"kind":"tm:sys:folder:folderstate","name":"/","fullPath":"/","generation":1,"selfLink":"https://localhost/mgmt/tm/sys/folder/~?ver=14.1.2.1","deviceGroup":"none","hidden":"false","inheritedDevicegroup":"false","inheritedTrafficGroup":"false","noRefCheck":"false","trafficGroup":"/Common/traffic-group-1","trafficGroupReference":{"link":"https://localhost/mgmt/tm/cm/traffic-group/~Common~traffic-group-1?ver=14.1.2.1"}},{"kind":"tm:sys:folder:folderstate","name":"Common","subPath":"/","fullPath":"/Common","generation":1,"selfLink":"https://localhost/mgmt/tm/sys/folder/~Common?ver=14.1.2.1","deviceGroup":"none","hidden":"false","inheritedDevicegroup":"true","inheritedTrafficGroup":"true","noRefCheck":"false","trafficGroup":"/Common/traffic-group-1","trafficGroupReference":{"link":"https://localhost/mgmt/tm/cm/traffic-group/~Common~traffic-group-1?ver=14.1.2.1"}},{"kind":"tm:sys:folder:folderstate","name":"Drafts","partition":"Common","fullPath":"/Common/Drafts","generation":1,"selfLink":"https://localhost/mgmt/tm/sys/folder/~Common~Drafts?ver=14.1.2.1","deviceGroup":"none","hidden":"false","inheritedDevicegroup":"true","inheritedTrafficGroup":"true","noRefCheck":"false","trafficGroup":"/Common/traffic-group-1","trafficGroupReference":{"link":"https://localhost/mgmt/tm/cm/traffic-group/~Common~traffic-group-1?ver=14.1.2.1"}}]}"#;
    assert_eq!(world.get(FOLDERS).text, recorded);
    for (uri, index) in [("~", 0), ("~Common", 1), ("~Common~Drafts", 2)] {
        let items: Value = serde_json::from_str(recorded).unwrap();
        assert_eq!(
            world.get(&format!("{FOLDERS}/{uri}")).json(),
            items["items"][index]
        );
    }
}

#[test]
fn partition_is_a_top_level_folder_and_vice_versa() {
    let mut world = world();
    let made = world
        .post(PARTITIONS, &json!({ "name": "k8s", "description": "ours" }))
        .json();
    assert_eq!(
        (&made["fullPath"], &made["description"]),
        (&json!("k8s"), &json!("ours"))
    );
    assert_eq!(world.get(&format!("{FOLDERS}/~k8s")).json()["subPath"], "/");

    let made = world
        .post(FOLDERS, &json!({ "name": "ocp", "partition": "/" }))
        .json();
    assert_eq!(
        (&made["name"], &made["fullPath"]),
        (&json!("ocp"), &json!("/ocp"))
    );
    assert_eq!(
        world.get(&format!("{PARTITIONS}/ocp")).json()["name"],
        "ocp"
    );

    assert_eq!(world.delete(&format!("{PARTITIONS}/k8s")).status, 200);
    assert_eq!(world.get(&format!("{FOLDERS}/~k8s")).status, 404);
    assert_eq!(world.delete(&format!("{FOLDERS}/~ocp")).status, 200);
    assert_eq!(world.get(&format!("{PARTITIONS}/ocp")).status, 404);
}

#[test]
fn folders_nest() {
    let mut world = world();
    for body in [
        json!({ "name": "a", "partition": "Common" }),
        json!({ "name": "b", "partition": "Common", "subPath": "a" }),
        json!({ "name": "/Common/a/b/c" }),
        json!({ "name": "top", "subPath": "/" }),
    ] {
        assert_eq!(world.post(FOLDERS, &body).status, 200, "{body}");
    }
    let deep = world.get(&format!("{FOLDERS}/~Common~a~b~c")).json();
    assert_eq!(
        [&deep["name"], &deep["partition"], &deep["subPath"]],
        [&json!("c"), &json!("Common"), &json!("a/b")]
    );
    assert_eq!(world.get(&format!("{PARTITIONS}/top")).status, 200);
    let orphan = world.post(FOLDERS, &json!({ "name": "x", "partition": "gone" }));
    assert_eq!(
        orphan.message(),
        "The requested folder (/gone) was not found."
    );
    assert_eq!(world.post(FOLDERS, &json!({ "name": "a" })).status, 409);
}

/// AS3#126 and AS3#585.
#[test]
fn non_empty_partition_or_folder_cannot_be_deleted() {
    let mut world = world();
    world.post(PARTITIONS, &json!({ "name": "k8s" }));
    world.post(FOLDERS, &json!({ "name": "app", "partition": "k8s" }));
    let profile = json!({ "name": "p", "partition": "k8s", "subPath": "app" });
    world.post("/mgmt/tm/net/tunnels/vxlan", &profile);

    let answer = world.delete(&format!("{PARTITIONS}/k8s"));
    let text = "0107082a:3: All objects must be removed from a partition (k8s) before the \
                partition may be removed, type ID (";
    assert!(answer.message().starts_with(text), "{}", answer.text);
    assert_eq!(answer.status, 400);
    let answer = world.delete(&format!("{FOLDERS}/~k8s~app"));
    let text = "010713f9:3: The folder /k8s/app cannot be deleted because it contains \
                configuration item (";
    assert!(answer.message().starts_with(text), "{}", answer.text);
    assert_eq!(answer.status, 400);

    world.delete("/mgmt/tm/net/tunnels/vxlan/~k8s~app~p");
    assert_eq!(world.delete(&format!("{FOLDERS}/~k8s~app")).status, 200);
    assert_eq!(world.delete(&format!("{PARTITIONS}/k8s")).status, 200);
    assert_eq!(
        world.delete(&format!("{PARTITIONS}/Common")).status,
        501,
        "built in"
    );
}

#[test]
fn default_route_domain_of_a_partition_must_exist() {
    let mut world = world();
    let answer = world.patch(
        &format!("{PARTITIONS}/Common"),
        &json!({ "defaultRouteDomain": 9 }),
    );
    assert_eq!(answer.status, 404);
    assert_eq!(
        answer.message(),
        "01020036:3: The requested route domain (9) was not found."
    );
    assert_eq!(
        world.get(&format!("{PARTITIONS}/Common")).json()["defaultRouteDomain"],
        0
    );
}

#[test]
fn partition_name_has_no_slash() {
    let mut world = world();
    for name in ["/k8s", "a/b", "", "a~b"] {
        assert_eq!(
            world.post(PARTITIONS, &json!({ "name": name })).status,
            400,
            "{name}"
        );
    }
    world.post(PARTITIONS, &json!({ "name": "k8s" }));
    assert_eq!(
        world.post(PARTITIONS, &json!({ "name": "k8s" })).status,
        409
    );
}

/// TS fixture, 14.1.2.
#[test]
fn database_variable_matches_14_1_2() {
    let answer = world_of(TmosVersion::V14_1).get("/mgmt/tm/sys/db/systemauth.disablebash");

    let recorded = r#"{"kind":"tm:sys:db:dbstate","name":"systemauth.disablebash","fullPath":"systemauth.disablebash","generation":1,"selfLink":"https://localhost/mgmt/tm/sys/db/systemauth.disablebash?ver=14.1.2","defaultValue":"false","scfConfig":"true","value":"false","valueRange":"false true"}"#;
    assert_eq!(answer.text, recorded.replace("14.1.2", "14.1.2.1"));
}

#[test]
fn database_variable_changes_only_within_its_range() {
    let mut world = world();
    let uri = "/mgmt/tm/sys/db/arp.maxentries";
    assert_eq!(world.get(uri).json()["value"], "8192");
    assert_eq!(
        world.get("/mgmt/tm/sys/db/icrd.timeout").json()["value"],
        "60"
    );
    assert_eq!(
        world.patch(uri, &json!({ "value": "16384" })).json()["value"],
        "16384"
    );
    for value in ["519", "many", "-1", "65537", ""] {
        assert_eq!(
            world.patch(uri, &json!({ "value": value })).status,
            400,
            "{value}"
        );
    }
    let bash = "/mgmt/tm/sys/db/systemauth.disablebash";
    assert_eq!(world.patch(bash, &json!({ "value": "maybe" })).status, 400);
    assert_eq!(world.get(uri).json()["value"], "16384");
    assert_eq!(
        world.patch(uri, &json!({ "value": null })).json()["value"],
        "8192"
    );
    assert_eq!(world.delete(uri).status, 501, "none is made or deleted");
}

/// 14.1.2.1, genieparser: it has 2,257, of which `no.such.variable` is none.
#[test]
fn variable_that_no_device_has_is_missing() {
    let mut world = world();
    let uri = |name: &str| format!("/mgmt/tm/sys/db/{name}");
    assert_eq!(world.get(&uri("log.gtm.level")).status, 501);

    for answer in [
        world.get(&uri("no.such.variable")),
        world.patch(&uri("no.such.variable"), &json!({ "value": "x" })),
        world_of(TmosVersion::V14_1).get(&uri("icrd.timeout")),
    ] {
        assert_eq!(answer.status, 404, "{}", answer.text);
        assert!(answer.message().starts_with("01020036:3: "));
    }
}

#[test]
fn variable_comes_and_goes_with_the_version() {
    let mut world = world_of(TmosVersion::V14_1);
    let count = |world: &mut World| {
        let list = world.get("/mgmt/tm/sys/db").json();
        list["items"].as_array().unwrap().len()
    };
    assert_eq!(count(&mut world), 64);
    world.state.set_version(TmosVersion::V15_1);
    assert_eq!(count(&mut world), 67);
    let timeout = world.get("/mgmt/tm/sys/db/restjavad.timeout").json();
    assert_eq!(timeout["value"], "60");
}

/// The words of the Ansible modules `bigip_device_syslog` and `bigip_device_httpd`.
#[test]
fn setting_takes_only_its_choices() {
    let mut world = world();
    for (path, name, word) in [
        ("sys/syslog", "cronFrom", "err"),
        ("sys/httpd", "authPamValidateIp", "off"),
        ("sys/aom", "ipmi", "enabled"),
    ] {
        let uri = format!("/mgmt/tm/{path}");
        for (value, status) in [("loud", 400), (word, 200)] {
            let answer = world.patch(&uri, &json!({ name: value }));
            assert_eq!(answer.status, status, "{path} {name} {value}");
        }
        assert_eq!(world.get(&uri).json()[name], word);
    }
}

/// 14.1.2.1, genieparser.
#[test]
fn mcpd_state_matches_14_1_2_1() {
    let answer = world_of(TmosVersion::V14_1).get("/mgmt/tm/sys/mcp-state");

    let recorded = r#"{"kind":"tm:sys:mcp-state:mcp-statestats","selfLink":"https://localhost/mgmt/tm/sys/mcp-state?ver=14.1.2.1","entries":{"https://localhost/mgmt/tm/sys/mcp-state/0":{"nestedStats":{"entries":{"endPlatformIdReceived":{"description":"true"},"lastLoad":{"description":"full-config-load-succeed"},"phase":{"description":"running"}}}}}}"#;
    assert_eq!(
        answer.json(),
        serde_json::from_str::<Value>(recorded).unwrap()
    );
}

/// CLIBS.
#[test]
fn workers_report_their_availability() {
    let mut world = world();
    for uri in [
        "/mgmt/shared/echo/available",
        "/mgmt/tm/sys/available",
        "/mgmt/tm/cm/available",
    ] {
        assert_eq!(world.get(uri).status, 200, "{uri}");
        assert_eq!(world.delete(uri).status, 501, "{uri}");
    }
    assert_eq!(world.get("/mgmt/tm/net/available").status, 400);
}

/// 14.1.2.1, genieparser.
#[test]
fn fdb_types_match_14_1_2_1() {
    let answer = world_of(TmosVersion::V14_1).get("/mgmt/tm/net/fdb");

    let recorded = r#"{"kind":"tm:net:fdb:fdbcollectionstate","selfLink":"https://localhost/mgmt/tm/net/fdb?ver=14.1.2.1","items":[{"reference":{"link":"https://localhost/mgmt/tm/net/fdb/tunnel?ver=14.1.2.1"}},{"reference":{"link":"https://localhost/mgmt/tm/net/fdb/vlan?ver=14.1.2.1"}}]}"#;
    assert_eq!(answer.text, recorded);
}

#[test]
fn reboot_restores_the_saved_configuration() {
    let mut world = world();
    world.post(PARTITIONS, &json!({ "name": "kept" }));
    world.post("/mgmt/tm/sys/config", &json!({ "command": "save" }));
    world.post(PARTITIONS, &json!({ "name": "lost" }));
    world.delete("/mgmt/tm/net/tunnels/tunnel/~Common~flannel_vxlan");
    let open = world.post("/mgmt/tm/transaction", &json!({})).json();
    world.state.reboot();

    assert_eq!(world.get(&format!("{PARTITIONS}/kept")).status, 200);
    assert_eq!(world.get(&format!("{PARTITIONS}/lost")).status, 404);
    assert!(
        world
            .state
            .seed_record(TUNNEL, "0a:0a:0a:0a:0a:0a", "10.1.1.1")
            .is_ok()
    );
    let uri = format!("/mgmt/tm/transaction/{}", open["transId"]);
    assert_eq!(world.get(&uri).status, 404);
}
