//! What is rendered, and by which start-up rules of the agent it is judged.

use super::*;
use crate::render::Lists;
use crate::testing::{cluster, data, tunnel, unit};

/// Two HA pairs.
fn pairs() -> Vec<Tunnel> {
    vec![
        tunnel(vec![
            unit(
                "west",
                "c",
                "10.9.0.3",
                &["10.1.3.3/24"],
                "02:00:00:00:00:03",
            ),
            unit(
                "west",
                "d",
                "10.9.0.4",
                &["10.1.4.4/24"],
                "02:00:00:00:00:04",
            ),
        ]),
        tunnel(vec![
            unit(
                "east",
                "b",
                "10.9.0.2",
                &["10.1.2.2/24"],
                "02:00:00:00:00:02",
            ),
            unit(
                "east",
                "a",
                "10.9.0.1",
                &["10.1.1.1/24"],
                "02:AB:00:00:00:01",
            ),
        ]),
    ]
}

fn foreign() -> BTreeMap<String, String> {
    data("10.8.0.1", "10.7.1.0/24", "02:00:00:00:08:01")
}

fn rendered(data: &BTreeMap<String, String>, tunnels: &[Tunnel]) -> Result<Desired, Vec<Refusal>> {
    lists(Config(data), &cluster(), tunnels)
}

#[test]
fn helm_values_of_two_pairs_and_a_foreign_entry() {
    let desired = rendered(&foreign(), &pairs()).unwrap();
    let text = Lists::new(&desired.rows).helm();
    let wanted = "\
vtep:
  enabled: true
  endpoint: \"10.8.0.1 10.9.0.1 10.9.0.2 10.9.0.3 10.9.0.4\"
  cidr: \"10.7.1.0/24 10.1.1.0/24 10.1.2.0/24 10.1.3.0/24 10.1.4.0/24\"
  mask: \"255.255.255.0\"
  mac: \"02:00:00:00:08:01 02:ab:00:00:00:01 02:00:00:00:00:02 02:00:00:00:00:03 02:00:00:00:00:04\"
";
    assert_eq!(text, wanted);
    let mut reversed = pairs();
    reversed.reverse();
    let again = rendered(&foreign(), &reversed).unwrap();
    assert_eq!(Lists::new(&again.rows).helm(), wanted);
    assert!(desired.differs && desired.stale.is_empty());
}

#[test]
fn rendered_lists_render_to_the_same() {
    let lists = Lists::new(&rendered(&foreign(), &pairs()).unwrap().rows);
    let live = data(&lists.endpoint, &lists.cidr, &lists.mac);
    let again = rendered(&live, &pairs()).unwrap();
    assert_eq!(Lists::new(&again.rows), lists);
    assert!(!again.differs);
}

/// The rules by which an agent starts (cilium, `pkg/datapath/vtep`): lists of one length, at most 8, IPv4
/// endpoints and networks, MAC addresses, one mask; and those that were seen to matter beyond.
#[test]
fn rendered_lists_pass_the_rules_of_the_agent() {
    let desired = rendered(&foreign(), &pairs()).unwrap();
    let lists = Lists::new(&desired.rows);
    let data = data(&lists.endpoint, &lists.cidr, &lists.mac);
    let (entries, lengths) = vtep::of_lists(Config(&data));
    assert!(lengths.are_equal() && entries.len() <= ENTRIES_MAX);
    for entry in &entries {
        assert_eq!(entry.faults(), [""; 0], "{entry}");
        let cidr = entry.cidr.as_ref().unwrap();
        assert_eq!(cidr.netmask().to_string(), lists.mask, "{entry}");
        assert!(entry.finds(cidr.network(), Some(cidr.prefix_len())));
    }
    assert!(!lists.mac.contains(|c: char| c.is_ascii_uppercase()));
}

#[test]
fn new_unit_is_appended_and_moves_nothing() {
    let all = pairs();
    let before = Lists::new(&rendered(&foreign(), &all[..1]).unwrap().rows);
    let live = data(&before.endpoint, &before.cidr, &before.mac);
    let after = Lists::new(&rendered(&live, &all).unwrap().rows);
    assert!(after.endpoint.starts_with(&before.endpoint), "{after:?}");
}

#[test]
fn removed_entry_is_named_for_deletion() {
    let live = data("10.9.0.1", "10.1.9.0/24", "02:00:00:00:00:01");
    let desired = rendered(&live, &pairs()).unwrap();
    assert_eq!(desired.stale, ["10.1.9.0/24".parse().unwrap()]);
    assert!(
        desired
            .rows
            .iter()
            .all(|row| row.cidr.to_string() != "10.1.9.0/24")
    );
}

#[test]
fn new_mac_address_keeps_the_place_of_its_entry() {
    let live = data(
        "10.9.0.2 10.9.0.1",
        "10.1.2.0/24 10.1.1.0/24",
        "02:00:00:00:00:02 02:00:00:00:00:99",
    );
    let desired = rendered(&live, &pairs()[1..]).unwrap();
    let mac = "02:00:00:00:00:02 02:ab:00:00:00:01";
    assert_eq!(Lists::new(&desired.rows).mac, mac);
    assert!(desired.differs);
}

#[test]
fn floating_network_is_an_entry_of_its_own() {
    let self_ips = ["10.1.1.1/24", "10.1.5.1/24", "10.1.1.9/24"];
    let unit = unit("east", "a", "10.9.0.1", &self_ips, "02:00:00:00:00:01");
    let rows = of_tunnels(&[tunnel(vec![unit])]).unwrap();
    let networks: Vec<String> = rows.iter().map(|row| row.cidr.to_string()).collect();
    assert_eq!(networks, ["10.1.1.0/24", "10.1.5.0/24"]);
}

#[test]
fn incomplete_unit_is_refused() {
    let of = |local: &str, self_ips: &[&str], mac: &str| {
        let unit = unit("east", "a", local, self_ips, mac);
        let key = unit.key.clone();
        (of_tunnels(&[tunnel(vec![unit])]), key)
    };
    let (found, key) = of("10.9.0.1", &["10.1.1.1/24"], "");
    assert_eq!(found, Err(vec![Refusal::MacUnknown(key)]));
    let (found, key) = of("", &["10.1.1.1/24"], "02:00:00:00:00:01");
    assert_eq!(found, Err(vec![Refusal::NoEndpoint(key)]));
    let (found, key) = of("10.9.0.1", &[], "02:00:00:00:00:01");
    assert_eq!(found, Err(vec![Refusal::NoNetwork(key)]));
    for mac in ["01:00:00:00:00:01", "00:00:00:00:00:00"] {
        let (found, key) = of("10.9.0.1", &["10.1.1.1/24"], mac);
        let refusal = Refusal::MacUnusable(key, mac.parse().unwrap());
        assert_eq!(found, Err(vec![refusal]));
    }
    assert_eq!(of_tunnels::<Tunnel>(&[]), Err(vec![Refusal::NoUnit]));
}

#[test]
fn lists_that_no_agent_starts_with_are_refused() {
    let refused = |data: &BTreeMap<String, String>| rendered(data, &pairs()).unwrap_err();
    let prefix = data("10.8.0.1", "10.7.1.0/25", "02:00:00:00:08:01");
    assert!(matches!(*refused(&prefix), [Refusal::PrefixesDiffer(_)]));
    let faulty = data("10.8.0.1", "10.7.1.0/24", "03:00:00:00:08:01");
    assert!(matches!(*refused(&faulty), [Refusal::Faulty(_)]));
    let join = |text: &dyn Fn(u8) -> String| (1..6).map(text).collect::<Vec<_>>().join(" ");
    let many = data(
        &join(&|n| format!("10.8.0.{n}")),
        &join(&|n| format!("10.7.{n}.0/24")),
        &join(&|n| format!("02:00:00:00:08:0{n}")),
    );
    assert_eq!(refused(&many), [Refusal::TooMany(9)]);
}

/// The reasons why units are left out of lists, and the endpoints that the lists have.
fn left_out(data: &BTreeMap<String, String>, tunnels: &[Tunnel]) -> (Vec<Refusal>, Vec<String>) {
    let desired = rendered(data, tunnels).unwrap();
    let endpoints = desired.rows.iter().map(|row| row.endpoint.to_string());
    (desired.left_out, endpoints.collect())
}

#[test]
fn unit_whose_network_is_not_free_is_left_out_alone() {
    let taken = data("10.8.0.1", "10.1.1.0/24", "02:00:00:00:08:01");
    let mut services = foreign();
    services.insert("ipv4-service-range".to_owned(), "10.1.1.0/24".to_owned());
    for values in [taken, services] {
        let (refusals, endpoints) = left_out(&values, &pairs());
        let [Refusal::Unit(unit, why)] = &*refusals else {
            panic!("{refusals:?}");
        };
        assert_eq!((&*unit.object, &*unit.device), ("east", "a"));
        assert!(matches!(
            **why,
            Refusal::NetworkTaken(..) | Refusal::Overlaps(_)
        ));
        assert_eq!(endpoints, ["10.8.0.1", "10.9.0.2", "10.9.0.3", "10.9.0.4"]);
    }
}

#[test]
fn unit_that_is_not_known_hides_no_other() {
    type Change = fn(&mut Tunnel);
    let changes: [Change; 4] = [
        |tunnel| tunnel.units[1].mac = None,
        |tunnel| tunnel.units[1].self_ips.clear(),
        |tunnel| tunnel.units[1].local = None,
        |tunnel| {
            let unit = tunnel.units.remove(1);
            tunnel.unread.push(unit.key);
        },
    ];
    for change in changes {
        let mut tunnels = pairs();
        change(&mut tunnels[0]);
        // What may be its own entry stays as it stands.
        let live = data("10.9.0.4", "10.1.4.0/24", "02:00:00:00:00:99");
        let (refusals, endpoints) = left_out(&live, &tunnels);
        assert_eq!(refusals.len(), 1, "{refusals:?}");
        let [unit] = *refusals[0].units() else {
            panic!("{refusals:?}");
        };
        assert_eq!((&*unit.object, &*unit.device), ("west", "d"));
        assert_eq!(endpoints, ["10.9.0.4", "10.9.0.1", "10.9.0.2", "10.9.0.3"]);
    }
    let none = [tunnel(vec![unit("east", "a", "10.9.0.1", &[], "")])];
    assert!(rendered(&foreign(), &none).is_err());
}

#[test]
fn entry_that_a_hidden_unit_may_have_is_not_stale() {
    let old = data("10.9.0.1", "10.1.9.0/24", "02:00:00:00:00:01");
    let units = || {
        let a = unit(
            "east",
            "a",
            "10.9.0.1",
            &["10.1.1.1/24"],
            "02:00:00:00:00:01",
        );
        let b = unit("east", "b", "10.9.0.1", &["10.1.9.1/24"], "");
        [a, b]
    };
    let stale = |tunnel: Tunnel| rendered(&old, &[tunnel]).unwrap().stale;
    let [alone, _] = units();
    assert_eq!(stale(tunnel(vec![alone])).len(), 1);
    assert_eq!(stale(tunnel(units().into())), []);
    let [alone, other] = units();
    let mut unread = tunnel(vec![alone]);
    unread.unread.push(other.key);
    assert_eq!(stale(unread), []);
}

#[test]
fn pair_with_one_address_and_two_mac_addresses_is_refused() {
    let units = ["a", "b"].map(|device| {
        let mac = format!("02:00:00:00:00:0{device}");
        unit("east", device, "10.9.0.1", &["10.1.1.1/24"], &mac)
    });
    let refused = of_tunnels(&[tunnel(units.into())]).unwrap_err();
    assert!(matches!(*refused, [Refusal::MacsDiffer(..)]), "{refused:?}");
}

#[test]
fn unit_with_unread_tunnel_is_refused() {
    let mut tunnels = pairs();
    let unread = UnitKey {
        namespace: "bigip".to_owned(),
        object: "west".to_owned(),
        device: "e".to_owned(),
    };
    tunnels[0].unread.push(unread.clone());
    let refused = of_tunnels(&tunnels);
    assert_eq!(refused, Err(vec![Refusal::TunnelUnread(unread)]));
}

#[test]
fn unit_that_has_more_self_ips_is_refused() {
    let mut tunnels = pairs();
    tunnels[0].units[0].has_more_self_ips = true;
    let key = tunnels[0].units[0].key.clone();
    assert_eq!(of_tunnels(&tunnels), Err(vec![Refusal::SelfIpsCut(key)]));
}

#[test]
fn self_ip_of_two_units_is_refused_as_floating() {
    let units = ["1", "2"].map(|n| {
        let self_ips = [&*format!("10.1.{n}.{n}/24"), "10.1.5.5/24"];
        let (local, mac) = (format!("10.9.0.{n}"), format!("02:00:00:00:00:0{n}"));
        unit("east", n, &local, &self_ips, &mac)
    });
    let keys = Box::new((units[0].key.clone(), units[1].key.clone()));
    let address = Ipv4Addr::new(10, 1, 5, 5);
    let refused = of_tunnels(&[tunnel(units.into())]);
    assert_eq!(refused, Err(vec![Refusal::Floating(address, keys)]));
}

#[test]
fn pool_overlapping_an_own_network_is_a_caution() {
    let mut values = foreign();
    values.insert("cluster-pool-ipv4-cidr".to_owned(), "10.0.0.0/8".to_owned());
    let desired = rendered(&values, &pairs()).unwrap();
    assert_eq!(desired.cautions.len(), 5, "{:?}", desired.cautions);
    assert!(desired.cautions[0].contains("a node may get a part of it"));
    assert!(desired.cautions[4].contains("pod networks"));
}

#[test]
fn live_lists_in_another_spelling_are_equal() {
    let pairs = &pairs()[1..];
    let live = data(
        "10.9.0.1,10.9.0.2",
        "10.1.1.7/24\n10.1.2.0/24",
        "02:AB:00:00:00:01 02-00-00-00-00-02",
    );
    let desired = rendered(&live, pairs).unwrap();
    assert!(!desired.differs);
    assert_eq!(Lists::live(Config(&live)), Some(Lists::new(&desired.rows)));
}

#[test]
fn live_lists_that_cannot_be_read_differ() {
    let live = data(
        "10.9.0.1 10.9.0.2",
        "10.1.1.0/24 10.1.2.0/24",
        "02:ab:00:00:00:01",
    );
    let desired = rendered(&live, &pairs()[1..]).unwrap();
    assert!(desired.differs);
    let lists = Lists::live(Config(&live)).unwrap();
    assert_eq!(lists.mac, "02:ab:00:00:00:01");
    let off = BTreeMap::new();
    assert_eq!(Lists::live(Config(&off)), None);
}
