//! Tests of the choice of a node's address: one rule each.

use super::*;
use crate::testing::node;

fn rule(kind: AddressKind, cidrs: &[&str]) -> AddressRule {
    let cidrs = cidrs.iter().map(|cidr| cidr.parse().unwrap()).collect();
    AddressRule {
        kind,
        cidrs,
        exclude: Vec::new(),
    }
}

fn internal(values: &[&str]) -> NodeView {
    let listed = values
        .iter()
        .fold(node("a"), |node, value| node.address(INTERNAL_IP, value));
    listed.build()
}

fn problem(node: &NodeView, rule: &AddressRule) -> (Reason, String) {
    let problem = node.tunnel_address(rule).unwrap_err();
    (problem.reason(), problem.to_string())
}

#[test]
fn first_usable_internal_address_counts() {
    let several = node("a").address(EXTERNAL_IP, "203.0.113.1");
    let several = several
        .address(INTERNAL_IP, "fd00::1")
        .address(INTERNAL_IP, "127.0.0.1")
        .address(INTERNAL_IP, "10.0.0.1");
    let several = several.address(INTERNAL_IP, "10.0.0.2").build();
    let address = several.tunnel_address(&AddressRule::default());
    assert_eq!(address, Ok(Ipv4Addr::new(10, 0, 0, 1)));
}

#[test]
fn external_address_counts_if_the_spec_sets_it() {
    let both = node("a").address(INTERNAL_IP, "10.0.0.1");
    let both = both.address(EXTERNAL_IP, "203.0.113.1").build();
    let address = both.tunnel_address(&rule(AddressKind::ExternalIp, &[]));
    assert_eq!(address, Ok(Ipv4Addr::new(203, 0, 113, 1)));
}

#[test]
fn first_address_within_the_networks_counts() {
    let several = internal(&["192.168.0.1", "10.2.0.1", "10.1.0.1", "10.1.0.2"]);
    let pick = |cidrs| several.tunnel_address(&rule(AddressKind::InternalIp, cidrs));
    assert_eq!(pick(&["10.1.0.0/16"]), Ok(Ipv4Addr::new(10, 1, 0, 1)));
    // The order of the node decides, not that of the networks.
    let both = pick(&["10.1.0.0/16", "10.2.0.0/16"]);
    assert_eq!(both, Ok(Ipv4Addr::new(10, 2, 0, 1)));
    // Bits behind the prefix do not count.
    assert_eq!(pick(&["10.1.0.99/24"]), Ok(Ipv4Addr::new(10, 1, 0, 1)));
}

#[test]
fn cilium_node_alone_counts_if_the_spec_sets_it() {
    let view = node("a").address(INTERNAL_IP, "10.0.0.1");
    let view = view
        .cilium_address("CiliumInternalIP", "10.244.0.7")
        .cilium_address(INTERNAL_IP, "10.9.0.1")
        .build();
    let address = view.tunnel_address(&rule(AddressKind::CiliumNode, &[]));
    assert_eq!(address, Ok(Ipv4Addr::new(10, 9, 0, 1)));
    let unasked = view.tunnel_address(&AddressRule::default());
    assert_eq!(unasked, Ok(Ipv4Addr::new(10, 0, 0, 1)));
}

#[test]
fn node_without_address_of_the_type_names_the_type() {
    let external = node("a").address(EXTERNAL_IP, "203.0.113.1").build();
    let missing = |text: &str| (Reason::NodeAddressMissing, text.to_owned());
    assert_eq!(
        problem(&external, &AddressRule::default()),
        missing("the node lists no InternalIP")
    );
    assert_eq!(
        problem(
            &internal(&["10.0.0.1"]),
            &rule(AddressKind::ExternalIp, &[])
        ),
        missing("the node lists no ExternalIP")
    );
    let cilium = rule(AddressKind::CiliumNode, &[]);
    assert_eq!(
        problem(&internal(&["10.0.0.1"]), &cilium),
        missing("there is no CiliumNode of its name")
    );
    let other = node("a").cilium_address("Hostname", "a").build();
    assert_eq!(
        problem(&other, &cilium),
        missing("its CiliumNode lists no InternalIP")
    );
}

#[test]
fn addresses_that_no_record_can_hold_are_refused() {
    for value in ["fd00::1", "::ffff:10.0.0.1", "x", ""] {
        let (reason, message) = problem(&internal(&[value]), &AddressRule::default());
        assert_eq!(reason, Reason::NodeAddressNotIpv4);
        assert!(message.contains(&format!("{value:?}")), "{message}");
    }
}

#[test]
fn addresses_that_no_vtep_can_have_are_refused() {
    for value in ["0.0.0.0", "127.0.0.1", "224.0.0.1", "255.255.255.255"] {
        let (reason, message) = problem(&internal(&[value]), &AddressRule::default());
        assert_eq!(reason, Reason::NodeAddressUnusable);
        assert!(message.contains(value), "{message}");
    }
}

#[test]
fn problem_nearest_to_a_usable_address_is_reported() {
    let rule = rule(AddressKind::InternalIp, &["10.1.0.0/16"]);
    let (found, _) = problem(&internal(&["fd00::1", "127.0.0.1", "::1"]), &rule);
    assert_eq!(found, Reason::NodeAddressUnusable);
    let outside = internal(&["127.0.0.1", "10.2.0.1", "10.3.0.1", "fd00::1"]);
    let (found, message) = problem(&outside, &rule);
    assert_eq!(found, Reason::NodeAddressOutsideCidrs);
    assert!(
        message.starts_with("the InternalIP 10.2.0.1 is outside of"),
        "{message}"
    );
}

#[test]
fn address_of_the_cilium_node_alone_is_listed() {
    let view = node("a").cilium_address(INTERNAL_IP, "10.9.0.1").build();
    assert!(view.lists(Ipv4Addr::new(10, 9, 0, 1)));
}

#[test]
fn address_is_listed_under_any_type_and_spelling() {
    let wanted = Ipv4Addr::new(10, 0, 0, 1);
    assert!(
        node("a")
            .address("ExternalIP", "10.0.0.1")
            .build()
            .lists(wanted)
    );
    assert!(
        node("a")
            .address(INTERNAL_IP, "::ffff:10.0.0.1")
            .build()
            .lists(wanted)
    );
    assert!(
        !node("a")
            .address("Hostname", "worker-01")
            .build()
            .lists(wanted)
    );
}

#[test]
fn excluded_address_is_skipped() {
    let virtual_first = internal(&["10.1.0.100", "172.17.0.1", "10.1.0.1"]);
    let excluding = |cidrs: &[&str], exclude: &[&str]| AddressRule {
        exclude: exclude.iter().map(|cidr| cidr.parse().unwrap()).collect(),
        ..rule(AddressKind::InternalIp, cidrs)
    };
    let both = excluding(&[], &["10.1.0.100/32", "172.17.0.0/16"]);
    assert_eq!(
        virtual_first.tunnel_address(&both),
        Ok(Ipv4Addr::new(10, 1, 0, 1))
    );
    // Also where a network that is asked for holds it.
    let inside = excluding(&["10.1.0.0/16"], &["10.1.0.100/32"]);
    assert_eq!(
        virtual_first.tunnel_address(&inside),
        Ok(Ipv4Addr::new(10, 1, 0, 1))
    );
    let (found, message) = problem(&virtual_first, &excluding(&[], &["0.0.0.0/0"]));
    assert_eq!(found, Reason::NodeAddressExcluded);
    assert!(message.contains("10.1.0.100 is inside of spec.nodes.addressSource.excludeCIDRs"));
    // Its record is not removed while the node lists it.
    assert!(virtual_first.lists(Ipv4Addr::new(10, 1, 0, 100)));
}
