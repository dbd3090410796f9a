//! `net/arp`: static entries.

use bigip_sim::TmosVersion;
use serde_json::json;

use crate::routing::assert_refused;
use crate::support::{MAC, world, world_of};

pub(crate) const ARP: &str = "/mgmt/tm/net/arp";

/// 14.1.2.1 for the empty list, the CCCL fixture for an entry, in a folder as recorded.
#[test]
fn static_arp_entries_match_the_recording() {
    let mut world = world_of(TmosVersion::V14_1);
    let recorded = r#"{"kind":"tm:net:arp:arpcollectionstate","selfLink":"https://localhost/mgmt/tm/net/arp?ver=14.1.2.1","items":[]}"#;
    assert_eq!(world.get(ARP).text, recorded);

    world.post(
        "/mgmt/tm/sys/folder",
        &json!({ "name": "x.app", "partition": "Common" }),
    );
    let body = json!({
        "name": "y", "partition": "Common", "subPath": "x.app",
        "ipAddress": "1.2.3.4%0", "macAddress": "12:ab:34:cd:56:ef",
    });
    let made = world.post(ARP, &body);
    let generation = &made.json()["generation"];
    let expected = format!(
        r#"{{"kind":"tm:net:arp:arpstate","name":"y","partition":"Common","subPath":"x.app","fullPath":"/Common/x.app/y","generation":{generation},"selfLink":"https://localhost/mgmt/tm/net/arp/~Common~x.app~y?ver=14.1.2.1","ipAddress":"1.2.3.4%0","macAddress":"12:ab:34:cd:56:ef"}}"#
    );
    assert_eq!(made.text, expected);
}

/// CCCL and FCP hold to it; the words are those of routes.
#[test]
fn arp_entry_address_is_immutable_but_not_its_mac() {
    let mut world = world();
    let body = json!({ "name": "a", "ipAddress": "10.1.1.9", "macAddress": MAC });
    world.post(ARP, &body);
    let uri = format!("{ARP}/~Common~a");
    let answer = world.patch(&uri, &json!({ "ipAddress": "10.1.1.10" }));
    assert_refused(&answer, 400, r#""ipAddress" may not be specified"#);
    let changed = world
        .patch(&uri, &json!({ "macAddress": "0a:0a:0a:a9:48:f0" }))
        .json();
    assert_eq!(
        (&changed["ipAddress"], &changed["macAddress"]),
        (&json!("10.1.1.9"), &json!("0a:0a:0a:a9:48:f0"))
    );
    assert_eq!(
        world.patch(&uri, &json!({ "macAddress": "0a-0a" })).status,
        400
    );
    assert_eq!(world.delete(&uri).status, 200);
    assert_eq!(world.get(ARP).json()["items"], json!([]));
}

/// FCP#1519.
#[test]
fn arp_entry_list_is_empty_on_13_1_1_2() {
    let mut world = world_of(TmosVersion::V13_1);
    let body = json!({ "name": "a", "ipAddress": "10.1.1.9", "macAddress": MAC });
    assert_eq!(world.post(ARP, &body).status, 200);

    assert!(world.get(ARP).json().get("items").is_none());
    assert_eq!(
        world.get(&format!("{ARP}/~Common~a")).json()["macAddress"],
        MAC
    );
}
