//! What objects are rendered, refused and compared.

use super::*;
use crate::render::{Shape, vtep_configs};
use crate::testing::{cluster, scope, tunnel, unit};

/// A tunnel of two units.
fn east() -> Tunnel {
    tunnel(vec![
        unit(
            "east",
            "a",
            "10.9.0.1",
            &["10.1.1.1/24", "10.1.5.1/24"],
            "02:AB:00:00:00:01",
        ),
        unit(
            "east",
            "b",
            "10.9.0.2",
            &["10.1.2.2/24"],
            "02:00:00:00:00:02",
        ),
    ])
}

fn west() -> Tunnel {
    let unit = unit(
        "west",
        "c",
        "10.9.0.3",
        &["10.1.3.3/24"],
        "02:00:00:00:00:03",
    );
    tunnel(vec![unit])
}

fn entry(name: &str, endpoint: &str, cidr: &str, mac: &str) -> WrittenEntry {
    WrittenEntry {
        name: name.to_owned(),
        endpoint: endpoint.to_owned(),
        cidr: cidr.to_owned(),
        mac: mac.to_owned(),
    }
}

fn object(name: &str, scope: Scope, entries: Vec<WrittenEntry>) -> VtepObject {
    VtepObject {
        name: name.to_owned(),
        scope,
        entries,
        failed: Vec::new(),
    }
}

fn made(live: Vec<VtepObject>, tunnels: &[Tunnel]) -> Result<Objects, Vec<Refusal>> {
    let mut cluster = cluster();
    cluster.vtep_objects = Ok(Some(live));
    let config = BTreeMap::new();
    of_tunnels(Some(Config(&config)), &cluster, tunnels)
}

/// The object of `east` as a cluster would have it, in another order and spelling.
fn live_east() -> VtepObject {
    let entries = vec![
        entry("b", "10.9.0.2", "10.1.2.0/24", "02-00-00-00-00-02"),
        entry("a", "10.9.0.1", "10.1.1.9/24", "02:AB:00:00:00:01"),
        entry("a-2", "10.9.0.1", "10.1.5.0/24", "02:ab:00:00:00:01"),
    ];
    object("bigip-tunnel.bigip.east", Scope::All, entries)
}

#[test]
fn object_per_tunnel_is_rendered_in_the_served_shape() {
    let objects = made(Vec::new(), &[west(), east()]).unwrap().wanted;
    let text = vtep_configs(&objects, Shape::V2);
    let wanted = "\
apiVersion: cilium.io/v2
kind: CiliumVTEPConfig
metadata:
  name: bigip-tunnel.bigip.east
spec:
  endpoints:
    - name: \"a\"
      tunnelEndpoint: \"10.9.0.1\"
      cidr: \"10.1.1.0/24\"
      mac: \"02:ab:00:00:00:01\"
    - name: \"a-2\"
      tunnelEndpoint: \"10.9.0.1\"
      cidr: \"10.1.5.0/24\"
      mac: \"02:ab:00:00:00:01\"
    - name: \"b\"
      tunnelEndpoint: \"10.9.0.2\"
      cidr: \"10.1.2.0/24\"
      mac: \"02:00:00:00:00:02\"
---
";
    assert!(text.starts_with(wanted), "{text}");
    assert_eq!(text.matches("kind: CiliumVTEPConfig").count(), 2);
    let upstream = vtep_configs(&objects, Shape::V2Alpha1);
    assert!(upstream.contains("cilium.io/v2alpha1") && upstream.contains("  vtepEndpoints:\n"));
}

#[test]
fn two_tunnels_never_share_the_name_of_an_object() {
    let key = |namespace: &str, object: &str| UnitKey {
        namespace: namespace.to_owned(),
        object: object.to_owned(),
        device: String::new(),
    };
    assert_ne!(name(&key("a-b", "c")), name(&key("a", "b-c")));
}

#[test]
fn objects_in_another_order_and_spelling_are_equal() {
    assert!(!made(vec![live_east()], &[east()]).unwrap().differ());
}

#[test]
fn entry_that_cannot_be_read_is_a_difference() {
    let mut live = live_east();
    live.entries.push(entry("x", "bigip", "10.1.9.0/24", ""));
    assert!(made(vec![live], &[east()]).unwrap().differ());
    assert!(made(Vec::new(), &[east()]).unwrap().differ());
}

#[test]
fn own_network_in_a_foreign_object_is_refused() {
    let refused = |endpoint: &str, cidr: &str, scope: Scope| {
        let entries = vec![entry("x", endpoint, cidr, "02:00:00:00:00:09")];
        made(vec![object("other", scope, entries)], &[east()]).is_err()
    };
    assert!(refused("10.8.0.1", "10.1.1.0/24", Scope::All));
    assert!(refused("10.9.0.1", "10.1.1.0/24", scope(&["n1"])));
    assert!(refused("10.8.0.1", "10.1.0.0/16", Scope::All));
    assert!(!refused("10.8.0.1", "10.7.1.0/24", Scope::All));
    assert!(!refused("10.8.0.1", "10.1.1.0/24", scope(&[])));
}

#[test]
fn more_networks_than_a_table_holds_are_refused() {
    let others = |number: usize| {
        let entry = |n: usize| {
            entry(
                "x",
                "10.8.0.1",
                &format!("10.7.{n}.0/24"),
                "02:00:00:00:00:09",
            )
        };
        vec![object(
            "other",
            Scope::All,
            (0..number).map(entry).collect(),
        )]
    };
    assert!(made(others(5), &[east()]).is_ok());
    let refused = made(others(6), &[east()]).unwrap_err();
    assert_eq!(refused, [Refusal::TooMany(9)]);
}

#[test]
fn several_objects_are_a_caution() {
    let said = |live: Vec<VtepObject>, tunnels: &[Tunnel]| {
        let cautions = made(live, tunnels).unwrap().cautions;
        cautions
            .iter()
            .any(|text| text.contains("merges") || text.contains("merge them"))
    };
    assert!(!said(vec![live_east()], &[east()]));
    assert!(said(Vec::new(), &[east(), west()]));
    let entries = vec![entry("x", "10.8.0.1", "10.7.1.0/24", "02:00:00:00:00:09")];
    assert!(said(vec![object("other", Scope::All, entries)], &[east()]));
}

#[test]
fn names_of_entries_are_distinct_labels() {
    let long = "a".repeat(63);
    let two = &["10.1.1.1/24", "10.1.5.1/24"];
    let of = |device: &str, other: &str| {
        let units = vec![
            unit("east", device, "10.9.0.1", two, "02:00:00:00:00:01"),
            unit(
                "east",
                other,
                "10.9.0.2",
                &["10.1.2.2/24"],
                "02:00:00:00:00:02",
            ),
        ];
        let objects = made(Vec::new(), &[tunnel(units)]).unwrap().wanted;
        let labels = objects[0].entries.iter().map(|entry| entry.name.clone());
        labels.collect::<Vec<_>>()
    };
    assert_eq!(of("a", "b"), ["a", "a-2", "b"]);
    // A device may have the name that an entry would get.
    assert_eq!(of("a", "a-2"), ["a", "a-2", "a-3"]);
    let labels = of(&long, "b");
    assert!(
        labels.contains(&long) && labels.iter().all(|label| label.len() <= 63),
        "{labels:?}"
    );
    assert_eq!(labels.len(), 3);
}

#[test]
fn device_name_of_another_tunnel_is_not_taken() {
    let other = unit(
        "west",
        "a",
        "10.9.0.3",
        &["10.1.3.3/24"],
        "02:00:00:00:00:03",
    );
    let made = made(vec![], &[east(), tunnel(vec![other])]).unwrap();
    let names: Vec<Vec<&str>> = made
        .wanted
        .iter()
        .map(|object| object.entries.iter().map(|entry| &*entry.name).collect())
        .collect();
    assert_eq!(names, [vec!["a", "a-2", "b"], vec!["a"]]);
}
