//! Tests of the index: which objects have a part in a unit and tunnel, and for how long.

use std::time::Duration;

use bigip_tunnel_core::mac::MacAddress;
use bigip_tunnel_core::proven::Verified;
use bigip_tunnel_core::sharing::Why;
use bigip_tunnel_core::unit::{ProvenUnit, PublicKeyHash, UnitIdentity};
use kube::ResourceExt;
use serde_json::{Value, json};

use super::*;

const M1: &str = "0a:0a:0a:00:00:01";
/// The address of the unit that object `a` works on.
const HERE: &str = "192.0.2.11";

fn at(minute: u64) -> Moment {
    Moment::since_start(Duration::from_secs(minute * 60))
}

/// An object of this key, on the tunnel and unit of object `a`, that claims these records.
fn object((namespace, name): (&str, &str), claimed: &[&str]) -> Value {
    json!({
        "apiVersion": "bigip-tunnel.dev/v1alpha1",
        "kind": "BigIpTunnel",
        "metadata": {"name": name, "namespace": namespace, "uid": name, "generation": 1},
        "spec": {
            "credentialsSecretRef": {"name": "login"},
            "devices": [{"name": "unit", "address": HERE}],
            "tunnel": {"name": "t1"},
        },
        "status": {"ownership": {"uid": name, "claims": [
            {"devices": ["unit"], "state": "Owned", "records": claimed},
        ]}},
    })
}

const A: (&str, &str) = ("bigip", "a");
const B: (&str, &str) = ("bigip", "b");
const STRANGER: (&str, &str) = ("tenant", "b");

fn key((namespace, name): (&str, &str)) -> ObjectKey {
    (namespace.to_owned(), name.to_owned())
}

fn insert(index: &Index, object: &Value, minute: u64) {
    let object: DynamicObject = serde_json::from_value(object.clone()).unwrap();
    let key = (object.namespace().unwrap(), object.name_any());
    index.insert(&key, &object, at(minute));
}

/// Object `a`, which is verified on its unit, and this one, both seen at minute 0.
fn index_with(other: &Value) -> Index {
    let index = Index::default();
    insert(&index, &object(A, &[M1]), 0);
    insert(&index, other, 0);
    prove(&index, A, "bigip01", HERE);
    index.set_complete();
    index
}

/// Notes that the device of an object was proven to be this unit, and verified at minute 0.
fn prove(index: &Index, object: (&str, &str), unit: &str, host: &str) {
    let identities = index.identities(&key(object), object.1);
    let unit = ProvenUnit {
        identity: UnitIdentity {
            device_name: unit.to_owned(),
            base_mac: "00:0c:29:35:0d:bd".to_owned(),
        },
        key: PublicKeyHash([1; 32]),
    };
    let tunnel = settings().tunnel;
    let place = Place::new(host, 443);
    identities.note("unit", &place, &unit);
    let at = at(0);
    identities.note_verified("unit", Verified { place, tunnel, at });
}

fn settings() -> Settings {
    let spec = object(A, &[])["spec"].take();
    Settings::read(&serde_json::from_value(spec).unwrap()).unwrap()
}

/// What the others need of the unit of object `a`.
fn needs_at(index: &Index, minute: u64) -> Option<Needs> {
    let settings = settings();
    index.needs(&Asker {
        key: &key(A),
        device: &settings.devices[0],
        settings: &settings,
        identities: &index.identities(&key(A), A.1),
        deleting: false,
        nodes: &NodeState::empty(),
        now: at(minute),
    })
}

/// Why the record stays for the others, at this minute.
fn why(index: &Index, minute: u64) -> Option<Why> {
    let mac: MacAddress = M1.parse().unwrap();
    let held = needs_at(index, minute).unwrap().holder(mac);
    held.map(|held| held.why)
}

#[test]
fn claim_of_another_object_on_the_tunnel_is_needed() {
    assert_eq!(why(&index_with(&object(B, &[M1])), 0), Some(Why::Claims));
    assert_eq!(why(&index_with(&object(B, &[])), 0), None);
}

#[test]
fn object_on_another_tunnel_has_no_part() {
    for object_key in [B, STRANGER] {
        let mut other = object(object_key, &[M1]);
        other["spec"]["tunnel"]["name"] = json!("t2");
        other["spec"]["nodes"] =
            json!({"selector": {"matchExpressions": [{"key": "k", "operator": "In"}]}});
        other["spec"]["devices"] = json!("none");
        other["status"]["ownership"]["claims"] = json!(7);
        let needs = needs_at(&index_with(&other), 0);
        assert_eq!(needs, Some(Needs::default()), "{object_key:?}");
    }
}

#[test]
fn invalid_foreign_object_on_the_unit_blocks_nothing() {
    let mut other = object(STRANGER, &[M1]);
    other["spec"]["nodes"] =
        json!({"selector": {"matchExpressions": [{"key": "k", "operator": "In"}]}});
    assert_eq!(why(&index_with(&other), 0), None);
    other["status"]["ownership"]["claims"] = json!(7);
    assert_eq!(why(&index_with(&other), 0), None);
    other["spec"] = json!({});
    assert_eq!(why(&index_with(&other), 0), None);
}

#[test]
fn foreign_object_without_cilium_nodes_blocks_nothing() {
    let mut other = object(STRANGER, &[]);
    other["spec"]["nodes"] = json!({"addressSource": {"type": "CiliumNode"}});
    let index = index_with(&other);
    assert_eq!(why(&index, 0), None);
    // With a login and a tunnel of its own it counts, and what it needs is not known.
    prove(&index, STRANGER, "bigip01", HERE);
    let mut nodes = object(STRANGER, &[]);
    nodes["spec"] =
        json!({"devices": other["spec"]["devices"], "tunnel": {"name": "t1"}, "nodes": 7});
    insert(&index, &nodes, 0);
    assert_eq!(why(&index, 10), Some(Why::DesiresUnknown));
    assert_eq!(why(&index, 11), None);
}

#[test]
fn unreadable_spec_of_a_peer_blocks_for_ten_minutes() {
    let mut other = object(B, &[]);
    other["spec"]["nodes"] = json!("odd");
    let index = index_with(&other);
    assert_eq!(why(&index, 9), Some(Why::DesiresUnknown));
    assert_eq!(why(&index, 10), None);
    // An edit and its undoing do not begin it again; another address does, and another object.
    insert(&index, &other, 9);
    assert_eq!(why(&index, 10), None);
    let mut moved = other.clone();
    moved["spec"]["devices"][0]["address"] = json!("bigip-a.example.com");
    insert(&index, &moved, 9);
    assert_eq!(why(&index, 18), Some(Why::DesiresUnknown));
    insert(&index, &other, 9);
    assert_eq!(why(&index, 10), None);
    other["metadata"]["uid"] = json!("another");
    insert(&index, &other, 9);
    assert_eq!(why(&index, 18), Some(Why::DesiresUnknown));
}

#[test]
fn sites_of_an_object_edited_in_a_loop_are_bounded() {
    let mut other = object(B, &[]);
    other["spec"]["nodes"] = json!("odd");
    let index = index_with(&other);
    let edit = |number: usize, minute: u64| {
        let mut edited = other.clone();
        edited["spec"]["devices"][0]["address"] = json!(format!("bigip-{number}.example.com"));
        insert(&index, &edited, minute);
        index.lock().all[&key(B)].first_seen.len()
    };
    for number in 0..1_000 {
        assert!(edit(number, 1) <= SITES_MAX);
    }
    // The last one was not noted: only claims count, and they do.
    assert_eq!(why(&index, 1), None);
    let mut claims = object(B, &[M1]);
    claims["spec"]["devices"][0]["address"] = json!("bigip-999.example.com");
    insert(&index, &claims, 1);
    assert_eq!(why(&index, 1), Some(Why::Claims));
    // What is neither listed nor young is forgotten.
    assert_eq!(edit(0, 11), 1);
    assert_eq!(why(&index, 11), None);
    assert_eq!(edit(1_000, 12), 1);
    assert_eq!(why(&index, 12), Some(Why::DesiresUnknown));
}

#[test]
fn unreadable_claims_of_a_peer_block_permanently() {
    let mut other = object(B, &[]);
    other["status"]["ownership"]["claims"] = json!(7);
    assert_eq!(why(&index_with(&other), 600), Some(Why::ClaimsUnreadable));
}

#[test]
fn object_proven_on_another_unit_counts_only_in_doubt() {
    let mut other = object(B, &[M1]);
    other["spec"]["devices"][0]["address"] = json!("192.0.2.12");
    let index = index_with(&other);
    assert_eq!(why(&index, 600), Some(Why::Claims));
    prove(&index, B, "bigip02", "192.0.2.12");
    assert_eq!(needs_at(&index, 600), Some(Needs::default()));
    index.identities(&key(B), B.1).note_doubt("unit");
    assert_eq!(why(&index, 600), Some(Why::Claims));
}

#[test]
fn object_with_another_unit_name_counts_before_login() {
    let mut other = object(B, &[M1]);
    other["spec"]["devices"][0]["address"] = json!("bigip-a.example.com");
    let index = index_with(&other);
    let mac = M1.parse().unwrap();
    let left = |index: &Index| needs_at(index, 0).unwrap().is_left_to_another(mac);
    assert_eq!(why(&index, 0), Some(Why::Claims));
    other["spec"]["suspend"] = json!(true);
    insert(&index, &other, 0);
    assert!(!left(&index));
    prove(&index, B, "bigip01", "bigip-a.example.com");
    // One that writes nothing keeps its claim, so the other one gives its own up.
    assert!(left(&index));
}

#[test]
fn proof_outlives_an_edit_but_not_the_object() {
    let index = index_with(&object(B, &[]));
    prove(&index, B, "bigip01", HERE);
    insert(&index, &object(B, &[M1]), 1);
    assert!(index.identities(&key(B), B.1).of("unit").is_some());
    assert!(index.identities(&key(B), "another").of("unit").is_none());
    index.remove(&key(B));
    insert(&index, &object(B, &[M1]), 2);
    assert!(index.identities(&key(B), B.1).of("unit").is_none());
}

#[test]
fn needs_are_unknown_until_all_objects_were_read() {
    let index = Index::default();
    insert(&index, &object(A, &[]), 0);
    assert_eq!(needs_at(&index, 0), None);
    index.set_complete();
    assert_eq!(needs_at(&index, 0), Some(Needs::default()));
}

#[test]
fn many_foreign_objects_need_no_derivation() {
    let index = index_with(&object(B, &[]));
    for number in 0..200 {
        let name = format!("s{number}");
        insert(&index, &object(("tenant", &name), &[]), 0);
    }
    let objects = index.lock();
    let strangers = objects.all.iter().filter(|(key, _)| key.0 == "tenant");
    let strangers: Vec<Arc<Entry>> = strangers.map(|(_, entry)| entry.clone()).collect();
    drop(objects);
    needs_at(&index, 0);
    assert_eq!(strangers.len(), 200);
    assert!(strangers.iter().all(|entry| entry.desires.is_unasked()));
}
