//! Which paths a device has: listed, answered, honestly not simulated, or none of it.

use bigip_sim::TmosVersion;
use serde_json::Value;

use crate::support::{World, world, world_of};

fn listed(world: &mut World, path: &str) -> Vec<String> {
    let answer = world.get(&format!("/mgmt/tm/{path}")).json();
    let items = answer["items"].as_array().unwrap();
    let name = |item: &Value| {
        let link = item["reference"]["link"].as_str().unwrap().to_owned();
        let path = link.split('?').next().unwrap().to_owned();
        path.trim_start_matches("https://localhost/mgmt/tm/")
            .to_owned()
    };
    items.iter().map(name).collect()
}

#[test]
fn modules_list_their_contents() {
    let mut world = world();
    for module in ["auth", "cli", "cm", "ltm", "net", "sys"] {
        let answer = world.get(&format!("/mgmt/tm/{module}/"));
        assert_eq!(answer.status, 200, "{}", answer.text);
        let answer = answer.json();
        assert_eq!(
            answer["kind"],
            format!("tm:{module}:{module}collectionstate")
        );
        let link = format!("https://localhost/mgmt/tm/{module}?ver=17.1.2.1");
        assert_eq!(answer["selfLink"], link);
    }
    let names = listed(&mut world, "net");
    assert!(names.contains(&"net/self".to_owned()), "{names:?}");
    assert!(!names.contains(&"net/clone-stats".to_owned()), "{names:?}");
    assert_eq!(
        listed(&mut world, "net/fdb"),
        ["net/fdb/tunnel", "net/fdb/vlan"]
    );
}

/// Walks everything that is listed, from the top down.
#[test]
fn everything_that_is_listed_is_answered_or_not_simulated() {
    for version in TmosVersion::ALL {
        let mut world = world_of(version);
        let mut open: Vec<String> = ["auth", "cli", "cm", "ltm", "net", "sys"]
            .map(str::to_owned)
            .into();
        let mut count = 0;
        while let Some(path) = open.pop() {
            let answer = world.get(&format!("/mgmt/tm/{path}"));
            assert!(
                matches!(answer.status, 200 | 501),
                "{path}: {}",
                answer.text
            );
            if answer.status == 200 {
                let is_list = answer.json()["items"][0].get("reference").is_some();
                open.extend(
                    is_list
                        .then(|| listed(&mut world, &path))
                        .into_iter()
                        .flatten(),
                );
            }
            count += 1;
        }
        assert!(count > 350, "{version}: {count}");
    }
}

#[test]
fn unknown_path_is_an_unexpected_uri() {
    let mut world = world();
    for path in [
        "nets",
        "net/fdbs",
        "net/tunnels/vxlans/~Common~x",
        "sys/no-such-thing",
    ] {
        let answer = world.get(&format!("/mgmt/tm/{path}"));
        let message = format!("Found unexpected URI tmapi_mapper/{path}");
        assert_eq!((answer.status, answer.message()), (400, message));
    }
    assert_eq!(world.get("/mgmt/shared/no-such-worker").status, 404);
    let old = world_of(TmosVersion::V12_1).get("/mgmt/tm/sys/ready");
    assert_eq!(old.status, 400, "12.1 has none");
}

#[test]
fn object_that_no_device_has_is_missing() {
    let mut world = world();
    for (path, message) in [
        (
            "net/trunk/t",
            "01020036:3: The requested trunk (t) was not found.",
        ),
        (
            "ltm/snat-translation/~Common~s",
            "01020036:3: The requested snat translation (/Common/s) was not found.",
        ),
        (
            "net/trunk/t/x",
            "01020036:3: The requested trunk (t) was not found.",
        ),
        (
            "net/self/~Common~x/x",
            "01020036:3: The requested self IP (/Common/x) was not found.",
        ),
    ] {
        let answer = world.get(&format!("/mgmt/tm/{path}"));
        assert_eq!(
            (answer.status, answer.message().as_str()),
            (404, message),
            "{path}"
        );
        let is_below = path.ends_with("/x");
        let deleted = world.delete(&format!("/mgmt/tm/{path}"));
        assert_eq!(deleted.status, if is_below { 501 } else { 404 }, "{path}");
    }
}

/// bmarshall13/f5-rest-swagger: the schema of 12.0.
#[test]
fn path_that_12_0_lacks_is_not_simulated_on_12_1() {
    for path in [
        "sys/turboflex",
        "sys/aom",
        "ltm/rule-profiler",
        "net/sfc/sf",
    ] {
        let uri = format!("/mgmt/tm/{path}");
        assert_eq!(world_of(TmosVersion::V12_1).get(&uri).status, 501, "{path}");
        assert_eq!(world_of(TmosVersion::V13_1).get(&uri).status, 200, "{path}");
    }
    let mut old = world_of(TmosVersion::V12_1);
    let names = listed(&mut old, "sys");
    assert!(names.contains(&"sys/ntp".to_owned()), "{names:?}");
    assert!(!names.contains(&"sys/aom".to_owned()), "{names:?}");
}
