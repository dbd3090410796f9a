//! Patches of the status, carried out on JSON as the API server does it.

use bigip_tunnel_crds::v1alpha1::{ClaimState, NodeCounts};
use serde_json::json;

use super::*;

fn row(devices: &[&str], state: ClaimState, records: &[&str]) -> Claim {
    let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    Claim {
        devices: owned(devices),
        state,
        records: owned(records),
        macs: Vec::new(),
    }
}

fn owning(claims: Vec<Claim>) -> Ownership {
    Ownership {
        uid: "uid-1".to_owned(),
        claims,
    }
}

/// Carries the patch out. Returns how many operations it had, and what came of it.
fn patched(stored: &Ownership, wanted: &Ownership) -> (usize, Ownership) {
    let operations = ownership(Some(stored), wanted).unwrap();
    let mut object = json!({"status": {"ownership": stored}});
    json_patch::patch(&mut object, &operations).unwrap();
    let after = serde_json::from_value(object["status"]["ownership"].clone()).unwrap();
    (operations.len(), after)
}

/// The rows without regard to their order and that of their entries.
fn sorted(ownership: &Ownership) -> Vec<(Vec<String>, String, BTreeSet<String>)> {
    let row = |claim: &Claim| {
        let records = claim.records.iter().cloned().collect();
        (claim.devices.clone(), format!("{:?}", claim.state), records)
    };
    let mut rows: Vec<_> = ownership.claims.iter().map(row).collect();
    rows.sort();
    rows
}

use ClaimState::{Leaving, Owned, Pending};

#[test]
fn added_record_is_one_operation() {
    let stored = owning(vec![row(&["a"], Owned, &["m1 n1", "m3 n3"])]);
    let wanted = owning(vec![row(&["a"], Owned, &["m1 n1", "m2 n2", "m3 n3"])]);
    let (count, after) = patched(&stored, &wanted);
    assert_eq!(count, 1);
    assert_eq!(sorted(&after), sorted(&wanted));
}

#[test]
fn records_that_change_their_row_are_moved_entry_by_entry() {
    let stored = owning(vec![
        row(&["a", "b"], Owned, &["m4 n4", "m1 n1", "m2 n2", "m3 n3"]),
        row(&["a", "b"], Pending, &["m5 n5"]),
        row(&["a"], Leaving, &["m6 n6"]),
    ]);
    let wanted = owning(vec![
        row(&["a", "b"], Leaving, &["m4 n4", "m2 n2"]),
        row(&["a", "b"], Owned, &["m1 n1", "m3 n3", "m5 n5"]),
    ]);
    let (count, after) = patched(&stored, &wanted);
    assert_eq!(count, 6);
    assert_eq!(sorted(&after), sorted(&wanted));
}

#[test]
fn older_form_is_replaced_as_a_whole() {
    let mut older = row(&["a"], Owned, &[]);
    older.macs = vec!["m1".to_owned()];
    let wanted = owning(vec![row(&["a"], Owned, &["m1 n1"])]);
    assert_eq!(patched(&owning(vec![older]), &wanted), (1, wanted));
}

#[test]
fn claims_of_another_object_and_many_changes_are_replaced_as_a_whole() {
    let many: Vec<String> = (0..OPERATIONS_MAX + 2).map(|n| format!("m{n} n")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let wanted = owning(vec![row(&["a"], Owned, &many)]);
    let stored = owning(vec![row(&["a"], Owned, &["m0 n"])]);
    assert_eq!(patched(&stored, &wanted), (1, wanted.clone()));
    let others = Ownership {
        uid: "uid-2".to_owned(),
        ..stored
    };
    assert_eq!(patched(&others, &wanted), (1, wanted.clone()));
    assert_eq!(patched(&owning(Vec::new()), &wanted), (1, wanted));
}

fn status(selected: i32) -> BigIpTunnelStatus {
    let nodes = Some(NodeCounts {
        selected,
        ..NodeCounts::default()
    });
    BigIpTunnelStatus {
        nodes,
        ..BigIpTunnelStatus::default()
    }
}

fn shown(before: &BigIpTunnelStatus, after: &BigIpTunnelStatus) -> Value {
    serde_json::to_value(display(before, after).unwrap()).unwrap()
}

#[test]
fn an_unchanged_display_needs_no_patch() {
    assert_eq!(shown(&status(3), &status(3)), json!([]));
}

#[test]
fn only_the_fields_that_changed_are_patched() {
    let operations = shown(&status(3), &status(4));
    assert_eq!(operations.as_array().unwrap().len(), 1);
    assert_eq!(operations[0]["path"], "/status/nodes");
}

#[test]
fn a_field_that_is_gone_is_removed() {
    assert_eq!(
        shown(&status(3), &BigIpTunnelStatus::default()),
        json!([{"op": "remove", "path": "/status/nodes"}])
    );
}

#[test]
fn a_display_never_touches_the_claims() {
    let claimed = BigIpTunnelStatus {
        ownership: Some(owning(Vec::new())),
        ..status(3)
    };
    assert_eq!(shown(&claimed, &status(3)), json!([]));
}
