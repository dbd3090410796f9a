//! Patches of the status, carried out on JSON as the API server does it.

use bigip_tunnel_crds::v1alpha1::{NodeCounts, Ownership};
use serde_json::json;

use super::*;

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
fn unchanged_display_needs_no_patch() {
    assert_eq!(shown(&status(3), &status(3)), json!([]));
}

#[test]
fn only_the_fields_that_changed_are_patched() {
    let operations = shown(&status(3), &status(4));
    assert_eq!(operations.as_array().unwrap().len(), 1);
    assert_eq!(operations[0]["path"], "/status/nodes");
}

#[test]
fn absent_field_is_removed() {
    assert_eq!(
        shown(&status(3), &BigIpTunnelStatus::default()),
        json!([{"op": "remove", "path": "/status/nodes"}])
    );
}

#[test]
fn display_never_touches_the_claims() {
    let claimed = BigIpTunnelStatus {
        ownership: Some(Ownership::default()),
        ..status(3)
    };
    assert_eq!(shown(&claimed, &status(3)), json!([]));
}

#[test]
fn display_never_touches_fields_of_newer_versions() {
    let newer = BigIpTunnelStatus {
        unknown: Map::from_iter([("provisioning".to_owned(), json!(1))]),
        ..status(3)
    };
    assert_eq!(shown(&newer, &status(3)), json!([]));
}
