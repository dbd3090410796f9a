//! Recorded bodies, and bodies that no device should send.

use proptest::prelude::*;

use super::*;
use crate::collection::{Collected, Members, read_in_pieces};
use crate::error::ErrorKind;
use crate::fuzzing::parse_as_everything;
use crate::testing::recorded;
use bigip_tunnel_core::listing::Listing;

fn mac(text: &str) -> MacAddress {
    text.parse().unwrap()
}

const RECORDS_KIND: &str = <Listing as Collected>::KIND;

/// All records of a list that comes whole.
fn whole(body: &str) -> Result<Listing, ErrorKind> {
    read_in_pieces(body.as_bytes(), 7).map(|(listing, ..)| listing)
}

fn list(items: &str) -> Result<Listing, ErrorKind> {
    whole(&format!(r#"{{"kind":"{RECORDS_KIND}",{items}}}"#))
}

/// The unit in a list of devices.
fn unit_of(members: &[&str]) -> Result<Unit, Mismatch> {
    let (entries, ..) =
        read_in_pieces::<Members<wire::UnitEntry>>(recorded::devices(members).as_bytes(), 7)
            .unwrap();
    unit(entries.items)
}

fn path() -> TunnelPath {
    TunnelPath::new("Common".parse().unwrap(), "flannel_vxlan".parse().unwrap())
}

#[test]
fn recorded_list_is_read() {
    let listing = whole(recorded::RECORDS).unwrap();
    let expected: Records = [
        (
            mac("0a:0a:c0:a8:c8:41"),
            "192.168.200.65%0".parse().unwrap(),
        ),
        (
            mac("0a:0a:c0:a8:c8:42"),
            "192.168.200.66%0".parse().unwrap(),
        ),
    ]
    .into();
    assert_eq!(listing.observed, expected.into());
}

#[test]
fn empty_list_is_read_with_and_without_items() {
    assert_eq!(whole(recorded::NO_RECORDS), Ok(Listing::default()));
    assert_eq!(list(r#""selfLink":"x""#), Ok(Listing::default()));
}

#[test]
fn other_body_is_not_an_empty_record_list() {
    for body in [
        "",
        "null",
        "{}",
        "[]",
        "<html></html>",
        r#"{"items":[]}"#,
        r#"{"kind":"x","items":[]}"#,
    ] {
        assert!(whole(body).is_err(), "{body}");
    }
}

#[test]
fn next_page_link_gives_only_numbers() {
    let next = |link: &str| {
        let body = format!(r#"{{"kind":"{RECORDS_KIND}","items":[],"nextLink":"{link}"}}"#);
        read_in_pieces::<Listing>(body.as_bytes(), 7).map(|(.., next)| next)
    };
    let there = |top, skip| Ok(Some(NextPage { top, skip }));
    // As f5-telemetry-streaming has it.
    let recorded = next("https://localhost/mgmt/tm/x?%24top=60&%24skip=30");
    assert_eq!(recorded, there(Some(60), 30));
    let elsewhere = next("http://192.0.2.66/y?$skip=7&ver=16.1.2");
    assert_eq!(elsewhere, there(None, 7));
    let resource = "list of records";
    for unusable in [
        "",
        "x",
        "https://localhost/x?%24top=60",
        "x?$skip=",
        "x?$skip=-1",
    ] {
        assert_eq!(
            next(unusable),
            Err(Mismatch::Paged { resource }.into()),
            "{unusable}"
        );
    }
}

#[test]
fn record_is_addressed_as_the_device_spells_it() {
    let listing = list(
        r#""items":[{"name":"0A-0A-C0-A8-C8-41","endpoint":"192.168.200.65"},{"name":"0a:0a:c0:a8:c8:42","endpoint":"192.168.200.66%7"}]"#,
    )
    .unwrap();
    let odd = mac("0a:0a:c0:a8:c8:41");
    assert_eq!(
        listing.observed.records[&odd],
        "192.168.200.65%0".parse().unwrap()
    );
    assert_eq!(listing.name_of(odd).as_str(), "0A-0A-C0-A8-C8-41");
    assert_eq!(
        listing.name_of(mac("0A:0A:C0:A8:C8:42")).as_str(),
        "0a:0a:c0:a8:c8:42"
    );
    assert_eq!(
        listing.name_of(mac("0A:0A:00:00:00:01")).as_str(),
        "0a:0a:00:00:00:01"
    );
}

#[test]
fn record_that_cannot_be_read_is_listed_as_such() {
    const GOOD: &str = r#"{"name":"0a:0a:c0:a8:c8:42","endpoint":"10.0.0.2"}"#;
    let odd = mac("0a:0a:c0:a8:c8:41");
    for properties in [
        r#""endpoint":"canary""#,
        r#""endpoint":null"#,
        r#""endpoint":7"#,
        r#""endpoint":["10.0.0.1"]"#,
        r#""endpoint":{"a":[1]}"#,
        r#""replicators":"10.0.0.1 10.0.0.2""#,
        r#""endpoint":"10.0.0.1 10.0.0.2""#,
    ] {
        let item = format!(r#"{{"name":"0a:0a:c0:a8:c8:41",{properties}}}"#);
        let observed = list(&format!(r#""items":[{GOOD},{item}]"#))
            .unwrap()
            .observed;
        assert_eq!(observed.unreadable, [odd].into(), "{item}");
        assert_eq!((observed.records.len(), observed.unnamed), (1, 0), "{item}");
    }
}

#[test]
fn record_with_properties_beyond_its_endpoint_is_read() {
    let item = r#"{"name":"0a:0a:c0:a8:c8:41","endpoint":"10.0.0.1","replicators":"x","new":[{}]}"#;
    let observed = list(&format!(r#""items":[{item}]"#)).unwrap().observed;
    assert_eq!(observed.records.len(), 1);
}

#[test]
fn record_without_a_mac_address_is_counted() {
    let long = format!(r#""{}""#, "x".repeat(10_000));
    for name in [r#""canary""#, "null", "7", "{}", &long] {
        let item = format!(r#"{{"name":{name},"endpoint":"10.0.0.1"}}"#);
        let observed = list(&format!(r#""items":[{item},{{}}]"#)).unwrap().observed;
        assert_eq!((observed.records.len(), observed.unnamed), (0, 2), "{name}");
        assert!(!observed.is_empty());
    }
    let observed = list(r#""items":[7,"x",null,[{}],true]"#).unwrap().observed;
    assert_eq!(observed.unnamed, 5);
}

#[test]
fn peer_or_self_ip_with_odd_properties_stops_nothing() {
    let peer = r#"{"name":7,"baseMac":["x"],"selfDevice":null,"new":{}}"#;
    let unit = unit_of(&[peer, recorded::DEVICE]).unwrap();
    assert!(unit.peers.is_empty());
    let kind = <wire::SelfIp as Member>::KIND;
    let odd = r#"{"fullPath":1,"address":{},"vlan":[],"allowService":9}"#;
    let good = r#"{"address":"10.1.6.34/24","vlan":"/Common/flannel_vxlan"}"#;
    let body = format!(r#"{{"kind":"{kind}","items":[{odd},{good},{{}}]}}"#);
    let (all, ..) = read_in_pieces::<Members<wire::SelfIp>>(body.as_bytes(), 7).unwrap();
    assert_eq!(self_ips(all.items, &path()), ["10.1.6.34/24"]);
}

#[test]
fn mac_address_that_is_listed_twice_is_unreadable() {
    let observed = list(
        r#""items":[{"name":"0a:0a:c0:a8:c8:41","endpoint":"10.0.0.1"},{"name":"0A:0A:C0:A8:C8:41","endpoint":"10.0.0.1"},{"name":"0a:0a:c0:a8:c8:41","endpoint":"10.0.0.1"}]"#,
    );
    let observed = observed.unwrap().observed;
    assert_eq!(observed.unreadable, [mac("0a:0a:c0:a8:c8:41")].into());
    assert!(observed.records.is_empty());
}

#[test]
fn answer_for_another_record_is_refused() {
    let name = RecordName::from(mac("0a:0a:c0:a8:c8:42"));
    let other = record(recorded::RECORD.as_bytes(), &name);
    assert_eq!(other, Err(Mismatch::OtherObject { resource: "record" }));
}

#[test]
fn unit_is_ready_only_if_every_entry_is_yes() {
    assert_eq!(not_ready(recorded::READY.as_bytes()), Ok(None));
    let waiting = recorded::READY.replace(
        r#""licenseReady":{"description":"yes"}"#,
        r#""licenseReady":{"description":"no"}"#,
    );
    let cause = "`licenseReady` is not `yes`".to_owned();
    assert_eq!(not_ready(waiting.as_bytes()), Ok(Some(cause)));
    for nothing in [
        r#"{"entries":{}}"#,
        "{}",
        r#"{"entries":{"a":{"nestedStats":{}}}}"#,
        r#"{"entries":{"a":{"nestedStats":{"entries":{"mcpdReady":{}}}}}}"#,
        r#"{"entries":{"a":{"nestedStats":{"entries":{"mcpdReady":{"description":null}}}}}}"#,
    ] {
        assert!(
            not_ready(nothing.as_bytes()).unwrap().is_some(),
            "{nothing}"
        );
    }
}

#[test]
fn answering_unit_is_read_from_two_units() {
    let peer = recorded::DEVICE
        .replace(r#""selfDevice":"true""#, r#""selfDevice":"false""#)
        .replace("bigip01", "bigip02");
    let identity = |name: &str| UnitIdentity {
        device_name: name.into(),
        base_mac: "00:0c:29:35:0d:bd".into(),
    };
    assert_eq!(
        unit_of(&[&peer, recorded::DEVICE]),
        Ok(Unit {
            identity: identity("bigip01.lab.local"),
            hostname: "bigip01.lab.local".into(),
            failover_state: FailoverState::Active,
            peers: vec![identity("bigip02.lab.local")],
        })
    );
}

#[test]
fn unit_without_identity_is_refused() {
    let without = recorded::DEVICE.replace("baseMac", "otherMac");
    let missing = |property| {
        Err(Mismatch::Property {
            resource: "list of devices",
            property,
        })
    };
    assert_eq!(unit_of(&[&without]), missing("baseMac"));
    assert_eq!(unit_of(&[]), missing("selfDevice"));
}

#[test]
fn unrecognised_failover_state_is_unknown() {
    for (word, state) in [
        ("standby", FailoverState::Standby),
        ("forced-offline", FailoverState::ForcedOffline),
        ("offline", FailoverState::Offline),
        ("dancing", FailoverState::Unknown),
    ] {
        let device = recorded::DEVICE.replace(r#""active""#, &format!(r#""{word}""#));
        let read = unit_of(&[&device]).unwrap();
        assert_eq!(read.failover_state, state, "{word}");
    }
}

#[test]
fn local_address_keeps_its_route_domain() {
    let local = |text: &str| {
        let body = recorded::tunnel("vxlan", text);
        tunnel(body.as_bytes(), &path()).unwrap().local_address
    };
    assert_eq!(
        local("192.168.11.23%1"),
        Some("192.168.11.23%1".parse().unwrap())
    );
    assert_eq!(
        local("192.168.11.23"),
        Some("192.168.11.23%0".parse().unwrap())
    );
    for none in ["any", "any6", "any6%1", "0.0.0.0", "::", ""] {
        assert_eq!(local(none), None, "{none}");
    }
}

#[test]
fn answer_for_another_tunnel_is_refused() {
    let other = TunnelPath::new("Common".parse().unwrap(), "other".parse().unwrap());
    let body = recorded::tunnel("vxlan", "10.0.0.1");
    assert_eq!(
        tunnel(body.as_bytes(), &other),
        Err(Mismatch::OtherObject { resource: "tunnel" })
    );
}

#[test]
fn profile_type_is_read_from_its_link() {
    let kind = |kind: &str| {
        let body = recorded::tunnel(kind, "10.0.0.1");
        tunnel(body.as_bytes(), &path()).map(|facts| facts.encapsulation)
    };
    assert_eq!(kind("vxlan"), Ok(Encapsulation::Vxlan));
    assert_eq!(kind("geneve"), Ok(Encapsulation::Geneve));
    assert_eq!(kind("ipsec"), Ok(Encapsulation::Other("ipsec".into())));
    assert!(kind("").is_err());
}

#[test]
fn profile_name_with_control_characters_is_refused() {
    let body = recorded::tunnel("vxlan", "any").replace("/Common/cilium\"", "/Common/\\u001b[2J\"");
    let unusable = Mismatch::Property {
        resource: "tunnel",
        property: "profile",
    };
    assert_eq!(tunnel(body.as_bytes(), &path()), Err(unusable));
}

#[test]
fn vxlan_profile_with_another_protocol_is_not_vxlan() {
    let body = recorded::tunnel("vxlan", "10.0.0.1");
    let mut facts = tunnel(body.as_bytes(), &path()).unwrap();
    let gpe = recorded::VXLAN.replace(
        r#""encapsulationType":"vxlan""#,
        r#""encapsulationType":"vxlan-gpe""#,
    );
    add_profile(&mut facts, gpe.as_bytes()).unwrap();
    assert_eq!(
        facts.encapsulation,
        Encapsulation::Other("vxlan-gpe".into())
    );
}

#[test]
fn token_unfit_for_a_header_is_refused() {
    for token in ["", "a b", "a/b", "a\\r\\nX: y", "ä"] {
        let body = format!(r#"{{"token":{{"token":"{token}","timeout":1200}}}}"#);
        assert!(login(body.as_bytes()).is_err(), "{token}");
    }
    for body in ["", "null", "{}", "<html></html>", r#"{"token":"ABC"}"#] {
        assert!(login(body.as_bytes()).is_err(), "{body}");
    }
}

/// Any JSON, a few levels deep, with the keys that the parsers look for.
fn json() -> impl Strategy<Value = Value> {
    let key = prop_oneof![
        Just("kind"),
        Just("items"),
        Just("nextLink"),
        Just("name"),
        Just("endpoint"),
        Just("entries"),
        Just("nestedStats"),
        Just("description"),
        Just("Version"),
        Just("token"),
        Just("selfDevice"),
        Just("fullPath"),
        Just("profileReference"),
        Just("link"),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".{0,20}".prop_map(Value::from),
        Just(Value::from(RECORDS_KIND)),
        Just(Value::from("0a:0a:c0:a8:c8:41")),
    ];
    leaf.prop_recursive(4, 32, 6, move |inner| {
        let object = prop::collection::vec((key.clone(), inner.clone()), 0..6).prop_map(|pairs| {
            Value::Object(pairs.into_iter().map(|(k, v)| (k.to_owned(), v)).collect())
        });
        prop_oneof![
            prop::collection::vec(inner, 0..6).prop_map(Value::Array),
            object
        ]
    })
}

proptest! {
    #[test]
    fn written_record_parses_to_the_same(
        octets: [u8; 6], address: std::net::IpAddr, number in 0_u32..65535
    ) {
        let route_domain = bigip_tunnel_core::endpoint::RouteDomain::new(number).unwrap();
        let mac = MacAddress::new(octets);
        let endpoint = Endpoint { address, route_domain };
        let body = render(&new_record(FdbRecord { mac, endpoint }));
        prop_assert_eq!(record(&body, &RecordName::from(mac)), Ok(endpoint));
        let listed = list(&format!(r#""items":[{}]"#, String::from_utf8(body).unwrap())).unwrap();
        prop_assert_eq!(listed.observed, Records::from([(mac, endpoint)]).into());
    }

    #[test]
    fn no_json_makes_a_parser_panic(value in json()) {
        parse_as_everything(value.to_string().as_bytes());
    }

    #[test]
    fn no_bytes_make_a_parser_panic(bytes: Vec<u8>) {
        parse_as_everything(&bytes);
    }
}

#[test]
fn only_self_ips_on_the_tunnel_are_read() {
    let body = recorded::self_ips(&[
        ("10.1.6.34/24", "/Common/flannel_vxlan"),
        ("172.16.2.233/24", "/Common/internal"),
    ]);
    let (all, ..) = read_in_pieces::<Members<wire::SelfIp>>(body.as_bytes(), 7).unwrap();
    let all = all.items;
    assert_eq!(self_ips(all, &path()), ["10.1.6.34/24"]);
    let devices = recorded::devices(&[]);
    let other = read_in_pieces::<Members<wire::SelfIp>>(devices.as_bytes(), 7);
    let resource = "list of self IPs";
    assert_eq!(other.err(), Some(Mismatch::OtherObject { resource }.into()));
}
