//! Self IPs, routes, route domains and ARP entries.

use bigip_sim::{SelfIp, SimConfig, TmosVersion, TunnelConfig};
use serde_json::{Value, json};

use crate::arp::ARP;
use crate::support::{Answer, MAC, TUNNEL, World, config, world, world_of};

const SELF_IPS: &str = "/mgmt/tm/net/self";
const ROUTES: &str = "/mgmt/tm/net/route";
const DOMAINS: &str = "/mgmt/tm/net/route-domain";

/// The tunnel of the recordings of 12.1.2.
fn world_of_12_1_2() -> World {
    let tunnel = TunnelConfig::vxlan("/Common/comcast-xre-vpn", "10.0.0.4");
    World::new(&SimConfig {
        version: TmosVersion::V12_1,
        tunnels: vec![tunnel],
        ..config()
    })
}

/// What was recorded, as a device with another count of changes says it.
fn told_by(answer: &Answer, recorded: &str, generation: u64) -> String {
    let own = format!(r#""generation":{}"#, answer.json()["generation"]);
    recorded.replace(&format!(r#""generation":{generation}"#), &own)
}

#[track_caller]
pub(crate) fn assert_refused(answer: &Answer, status: u16, text: &str) {
    assert_eq!(answer.status, status, "{}", answer.text);
    assert!(answer.message().contains(text), "{}", answer.text);
}

/// 12.1.2: bare names, one with a dash, and `allowService` as a word.
#[test]
fn new_self_ip_matches_12_1_2() {
    let body = json!({
        "name": "comcast-xre-vpn", "address": "1.1.1.1/32", "vlan": "comcast-xre-vpn",
        "traffic-group": "traffic-group-local-only", "allowService": "all",
    });
    let answer = world_of_12_1_2().post(SELF_IPS, &body);

    let recorded = r#"{"kind":"tm:net:self:selfstate","name":"comcast-xre-vpn","partition":"Common","fullPath":"/Common/comcast-xre-vpn","generation":40,"selfLink":"https://localhost/mgmt/tm/net/self/~Common~comcast-xre-vpn?ver=12.1.2","address":"1.1.1.1/32","addressSource":"from-user","floating":"disabled","inheritedTrafficGroup":"false","trafficGroup":"/Common/traffic-group-local-only","trafficGroupReference":{"link":"https://localhost/mgmt/tm/cm/traffic-group/~Common~traffic-group-local-only?ver=12.1.2"},"unit":0,"vlan":"/Common/comcast-xre-vpn","vlanReference":{"link":"https://localhost/mgmt/tm/net/tunnels/tunnel/~Common~comcast-xre-vpn?ver=12.1.2"},"allowService":"all"}"#;
    assert_eq!(answer.text, told_by(&answer, recorded, 40));
}

/// 12.1.2.
#[test]
fn new_route_over_a_tunnel_matches_12_1_2() {
    let body = json!({
        "name": "comcast-xre-vpn", "tmInterface": "/Common/comcast-xre-vpn",
        "network": "10.0.0.0/8", "mtu": 0,
    });
    let answer = world_of_12_1_2().post(ROUTES, &body);

    let recorded = r#"{"kind":"tm:net:route:routestate","name":"comcast-xre-vpn","partition":"Common","fullPath":"/Common/comcast-xre-vpn","generation":43,"selfLink":"https://localhost/mgmt/tm/net/route/~Common~comcast-xre-vpn?ver=12.1.2","tmInterface":"/Common/comcast-xre-vpn","tmInterfaceReference":{"link":"https://localhost/mgmt/tm/net/tunnels/tunnel/~Common~comcast-xre-vpn?ver=12.1.2"},"mtu":0,"network":"10.0.0.0/8"}"#;
    assert_eq!(answer.text, told_by(&answer, recorded, 43));
}

/// 14.1.2.1, genieparser: a self IP on a VLAN, and a route through its network.
#[test]
fn self_ip_and_default_route_match_14_1_2_1() {
    let self_ip = SelfIp {
        path: "/Common/External-SelfIP".to_owned(),
        address: "192.168.40.233/24".to_owned(),
        vlan: "/Common/External".to_owned(),
    };
    let mut world = World::new(&SimConfig {
        version: TmosVersion::V14_1,
        self_ips: vec![self_ip],
        ..config()
    });
    let answer = world.get(&format!("{SELF_IPS}/~Common~External-SelfIP"));
    let recorded = r#"{"kind":"tm:net:self:selfstate","name":"External-SelfIP","partition":"Common","fullPath":"/Common/External-SelfIP","generation":1013,"selfLink":"https://localhost/mgmt/tm/net/self/~Common~External-SelfIP?ver=14.1.2.1","address":"192.168.40.233/24","addressSource":"from-user","floating":"disabled","inheritedTrafficGroup":"false","trafficGroup":"/Common/traffic-group-local-only","trafficGroupReference":{"link":"https://localhost/mgmt/tm/cm/traffic-group/~Common~traffic-group-local-only?ver=14.1.2.1"},"unit":0,"vlan":"/Common/External","vlanReference":{"link":"https://localhost/mgmt/tm/net/vlan/~Common~External?ver=14.1.2.1"},"allowService":["default"]}"#;
    assert_eq!(answer.text, told_by(&answer, recorded, 1013));

    let body = json!({ "name": "Defaul_Route", "description": "Default", "gw": "192.168.40.2", "network": "0.0.0.0/0" });
    let answer = world.post(ROUTES, &body);
    let recorded = r#"{"kind":"tm:net:route:routestate","name":"Defaul_Route","partition":"Common","fullPath":"/Common/Defaul_Route","generation":1017,"selfLink":"https://localhost/mgmt/tm/net/route/~Common~Defaul_Route?ver=14.1.2.1","description":"Default","gw":"192.168.40.2","mtu":0,"network":"default"}"#;
    assert_eq!(answer.text, told_by(&answer, recorded, 1017));
}

/// CIDOCS: a self IP that is called by its address.
#[test]
fn name_may_have_a_slash() {
    let mut world = world();
    let body = json!({ "name": "10.131.0.10/14", "address": "10.131.0.10/14", "vlan": TUNNEL });
    let made = world.post(SELF_IPS, &body).json();
    assert_eq!(
        [&made["name"], &made["partition"], &made["fullPath"]],
        [
            &json!("10.131.0.10/14"),
            &json!("Common"),
            &json!("/Common/10.131.0.10/14")
        ]
    );
    assert!(made.get("subPath").is_none(), "{made}");
    let link = "https://localhost/mgmt/tm/net/self/~Common~10.131.0.10~14?ver=17.1.2.1";
    assert_eq!(made["selfLink"], link);
    assert_eq!(
        world
            .get(&format!("{SELF_IPS}/~Common~10.131.0.10~14"))
            .json(),
        made
    );
}

/// A dump of 11.5.
#[test]
fn self_ip_floats_with_its_traffic_group() {
    let mut world = world();
    let body = json!({ "name": "s", "address": "10.1.1.1/24", "vlan": TUNNEL });
    let made = world.post(SELF_IPS, &body).json();
    assert_eq!(
        (&made["floating"], &made["unit"]),
        (&json!("disabled"), &json!(0))
    );
    let floating = json!({ "trafficGroup": "traffic-group-1" });
    let changed = world
        .patch(&format!("{SELF_IPS}/~Common~s"), &floating)
        .json();
    assert_eq!(
        (&changed["floating"], &changed["unit"]),
        (&json!("enabled"), &json!(1))
    );
}

/// OSA#218 and f5-openstack-lbaasv2-driver#552.
#[test]
fn self_ip_needs_a_valid_address() {
    let mut world = world();
    for address in [
        "%2/28",
        "10.1.1.1",
        "10.1.1.1/33",
        "10.1.1.1/-1",
        "10.1.1/24",
        "any6/0",
    ] {
        let body = json!({ "name": "s", "address": address, "vlan": TUNNEL });
        let expected = format!(
            r#"{{"code":400,"message":"\"{address}\" invalid address","errorStack":[],"apiError":26214401}}"#
        );
        assert_eq!(world.post(SELF_IPS, &body).text, expected);
    }
    let answer = world.get(&format!("{SELF_IPS}/~Common~s"));
    let expected = r#"{"code":404,"message":"01020036:3: The requested self IP (/Common/s) was not found.","errorStack":[],"apiError":3}"#;
    assert_eq!(answer.text, expected);
}

#[test]
fn self_ip_needs_an_address_and_existing_interface() {
    let mut world = world();
    for body in [
        json!({ "name": "s", "vlan": TUNNEL }),
        json!({ "name": "s", "address": "10.1.1.1/24" }),
    ] {
        assert_refused(&world.post(SELF_IPS, &body), 400, "01070734:3: ");
    }
    let gone = json!({ "name": "s", "address": "10.1.1.1/24", "vlan": "/Common/gone" });
    assert_refused(
        &world.post(SELF_IPS, &gone),
        404,
        "(/Common/gone) was not found.",
    );
    assert_eq!(world.get(SELF_IPS).json()["items"], json!([]));
}

#[test]
fn moved_or_repeated_address_is_not_simulated() {
    let mut world = world();
    let body = |name: &str| json!({ "name": name, "address": "10.1.1.1/24", "vlan": TUNNEL });
    world.post(SELF_IPS, &body("s"));
    assert_eq!(world.post(SELF_IPS, &body("twin")).status, 501);
    let uri = format!("{SELF_IPS}/~Common~s");
    assert_eq!(
        world
            .patch(&uri, &json!({ "address": "10.1.1.2/24" }))
            .status,
        501
    );
    assert_eq!(
        world
            .patch(&uri, &json!({ "address": "10.1.1.1/24" }))
            .status,
        200
    );

    world.post(
        ARP,
        &json!({ "name": "a", "ipAddress": "10.1.1.9", "macAddress": MAC }),
    );
    let twin = json!({ "name": "b", "ipAddress": "10.1.1.9", "macAddress": MAC });
    assert_eq!(world.post(ARP, &twin).status, 501);
}

/// The words are recorded on versions before 12.0.
#[test]
fn network_of_a_route_is_immutable() {
    let mut world = world();
    let body = json!({ "name": "pods", "network": "10.244.0.0/16", "tmInterface": TUNNEL });
    world.post(ROUTES, &body);
    let uri = format!("{ROUTES}/~Common~pods");
    let whole = world.get(&uri).json();
    assert_eq!(
        world.put(&uri, &whole).status,
        200,
        "its own network passes"
    );
    assert_eq!(world.patch(&uri, &body).status, 200);
    let other = json!({ "network": "10.0.0.0/8", "tmInterface": TUNNEL });
    for answer in [world.patch(&uri, &other), world.put(&uri, &other)] {
        let message = r#""network" may not be specified in the context of the "modify" command. "network" may be specified using the following commands: create, list"#;
        assert_eq!((answer.status, answer.message().as_str()), (400, message));
    }
    let changed = world.patch(&uri, &json!({ "mtu": 1400 })).json();
    assert_eq!(
        (&changed["mtu"], &changed["network"]),
        (&json!(1400), &json!("10.244.0.0/16"))
    );
    let replaced = world.put(&uri, &json!({ "tmInterface": TUNNEL })).json();
    assert_eq!(
        (&replaced["mtu"], &replaced["network"]),
        (&json!(0), &json!("10.244.0.0/16"))
    );
}

#[test]
fn route_has_exactly_one_destination() {
    let mut world = world();
    world.post(
        SELF_IPS,
        &json!({ "name": "s", "address": "10.1.1.1/24", "vlan": TUNNEL }),
    );
    let both =
        json!({ "name": "r", "network": "10.2.0.0/16", "gw": "10.1.1.2", "tmInterface": TUNNEL });
    let none = json!({ "name": "r", "network": "10.2.0.0/16" });
    let nowhere = json!({ "name": "r", "tmInterface": TUNNEL });
    for body in [both, none, nowhere] {
        assert_refused(&world.post(ROUTES, &body), 400, "01070734:3: ");
    }
    for network in ["10.2.0.0", "10.2.0.0/40", "default%x", ""] {
        let body = json!({ "name": "r", "network": network, "tmInterface": TUNNEL });
        assert_refused(&world.post(ROUTES, &body), 400, "invalid address");
    }
    let far = json!({ "name": "r", "network": "default", "gw": "10.1.2.2" });
    let message =
        "01070330:3: Static route gateway 10.1.2.2 is not directly connected via an interface.";
    assert_refused(&world.post(ROUTES, &far), 400, message);
    let near = json!({ "name": "r", "network": "default", "gw": "10.1.1.2" });
    assert_eq!(world.post(ROUTES, &near).json()["gw"], "10.1.1.2");
}

#[test]
fn gateway_is_reachable_only_in_its_route_domain() {
    let self_ip = |path: &str, address: &str| SelfIp {
        path: path.to_owned(),
        address: address.to_owned(),
        vlan: "/Common/internal".to_owned(),
    };
    let self_ips = vec![
        self_ip("/Common/a", "10.1.1.1%20/24"),
        self_ip("/Common/b", "fd00::1%20/64"),
        self_ip("/Common/c", "10.3.0.1/0"),
    ];
    let mut world = World::new(&SimConfig {
        self_ips,
        ..config()
    });
    let mut route = |name: &str, network: &str, gateway: &str| {
        let body = json!({ "name": name, "network": network, "gw": gateway });
        world.post(ROUTES, &body)
    };
    assert_eq!(
        route("a", "0.0.0.0%20/0", "10.1.1.9%20").json()["network"],
        "default%20"
    );
    assert_eq!(route("b", "fd01::%20/48", "fd00::9%20").status, 200);
    assert_eq!(
        route("c", "::/0", "192.0.2.1").json()["network"],
        "default-inet6"
    );
    assert_refused(
        &route("d", "10.9.0.0/16", "10.1.1.9%0%"),
        400,
        "invalid address",
    );
    assert_refused(&route("e", "10.9.0.0/16", "fd00::9"), 400, "01070330:3: ");
    assert_refused(
        &route("f", "10.9.0.0%20/16", "10.1.2.9%20"),
        400,
        "01070330:3: ",
    );
    assert_refused(
        &route("g", "10.9.0.0%21/16", "10.1.1.9%20"),
        404,
        "route domain (21)",
    );
}

/// 14.1.2.1, genieparser, with the VLANs of the simulated device; 13.1 for the number.
#[test]
fn route_domain_0_matches_14_1_2_1() {
    let tunnels = || SimConfig {
        tunnels: Vec::new(),
        ..config()
    };
    let mut world = World::new(&SimConfig {
        version: TmosVersion::V14_1,
        ..tunnels()
    });
    let recorded = r#"{"kind":"tm:net:route-domain:route-domaincollectionstate","selfLink":"https://localhost/mgmt/tm/net/route-domain?ver=14.1.2.1","items":[{"kind":"tm:net:route-domain:route-domainstate","name":"0","partition":"Common","fullPath":"/Common/0","generation":1,"selfLink":"https://localhost/mgmt/tm/net/route-domain/~Common~0?ver=14.1.2.1","connectionLimit":0,"id":0,"strict":"enabled","throughputCapacity":"infinite","vlans":["/Common/http-tunnel","/Common/socks-tunnel"],"vlansReference":[{"link":"https://localhost/mgmt/tm/net/tunnels/tunnel/~Common~http-tunnel?ver=14.1.2.1"},{"link":"https://localhost/mgmt/tm/net/tunnels/tunnel/~Common~socks-tunnel?ver=14.1.2.1"}]}]}"#;
    assert_eq!(world.get(DOMAINS).text, recorded);

    let mut older = world_of(TmosVersion::V13_1);
    assert_eq!(
        older.get(&format!("{DOMAINS}/~Common~0")).json()["throughputCapacity"],
        0
    );
}

fn vlans(world: &mut World, domain: &str) -> Value {
    world.get(&format!("{DOMAINS}/~Common~{domain}")).json()["vlans"].clone()
}

#[test]
fn interface_is_in_one_route_domain() {
    let mut world = world();
    assert_eq!(vlans(&mut world, "0")[2], TUNNEL);
    world.post(
        DOMAINS,
        &json!({ "name": "rd20", "id": 20, "vlans": [TUNNEL] }),
    );
    assert_eq!(
        vlans(&mut world, "0"),
        json!(["/Common/http-tunnel", "/Common/socks-tunnel"])
    );
    assert_eq!(vlans(&mut world, "rd20"), json!([TUNNEL]));

    let uri = format!("{DOMAINS}/~Common~rd20");
    world.patch(&uri, &json!({ "vlans": ["http-tunnel"] }));
    assert_eq!(
        vlans(&mut world, "0"),
        json!(["/Common/socks-tunnel", TUNNEL])
    );
    world.patch(&uri, &json!({ "vlans": [] }));
    assert_eq!(
        vlans(&mut world, "rd20"),
        Value::Null,
        "an empty list is not shown"
    );

    world.patch(&uri, &json!({ "vlans": [TUNNEL] }));
    assert_eq!(world.delete(&uri).status, 200);
    assert_eq!(vlans(&mut world, "0")[2], TUNNEL);
    world.state.delete_tunnel(TUNNEL);
    assert_eq!(
        vlans(&mut world, "0"),
        json!(["/Common/socks-tunnel", "/Common/http-tunnel"])
    );
}

#[test]
fn self_ip_must_match_its_interface_route_domain() {
    let mut world = world();
    world.post(DOMAINS, &json!({ "name": "rd20", "id": 20 }));
    let body = json!({ "name": "s", "address": "10.244.0.1%20/16", "vlan": TUNNEL });
    assert_refused(
        &world.post(SELF_IPS, &body),
        400,
        "must be one of the vlans in the associated route domain",
    );
    world.patch(
        &format!("{DOMAINS}/~Common~rd20"),
        &json!({ "vlans": [TUNNEL] }),
    );
    assert_eq!(
        world.post(SELF_IPS, &body).json()["address"],
        "10.244.0.1%20/16"
    );

    let missing = json!({ "name": "t", "address": "10.244.0.1%21/16", "vlan": TUNNEL });
    let message = "01020036:3: The requested route domain (21) was not found.";
    assert_refused(&world.post(SELF_IPS, &missing), 404, message);
}

/// The words are recorded, without what stands before them.
#[test]
fn route_domain_id_is_unique() {
    let mut world = world();
    assert_eq!(
        world
            .post(DOMAINS, &json!({ "name": "rd20", "id": 20 }))
            .status,
        200
    );
    let answer = world.post(DOMAINS, &json!({ "name": "other", "id": 20 }));
    assert_refused(&answer, 400, "the domain id already exists");
    let answer = world.post(DOMAINS, &json!({ "name": "other" }));
    assert_refused(&answer, 400, "01070734:3: ");
    let uri = format!("{DOMAINS}/~Common~rd20");
    assert_eq!(world.patch(&uri, &json!({ "id": 21 })).status, 501);
    assert_eq!(
        world.patch(&uri, &json!({ "parent": "0" })).json()["parent"],
        "/Common/0"
    );
}

/// OSA#402 for the default of a partition; the words of the other are recorded.
#[test]
fn route_domain_in_use_cannot_be_deleted() {
    let mut world = world();
    world.post(
        DOMAINS,
        &json!({ "name": "rd1", "id": 1, "vlans": [TUNNEL] }),
    );
    let partition = json!({ "name": "Project_8e9b", "defaultRouteDomain": 1 });
    world.post("/mgmt/tm/auth/partition", &partition);
    let uri = format!("{DOMAINS}/~Common~rd1");
    let expected = r#"{"code":400,"message":"0107097c:3: The specified route domain (1) is the default route domain for one or more partitions (Project_8e9b) and cannot be deleted.","errorStack":[],"apiError":3}"#;
    assert_eq!(world.delete(&uri).text, expected);
    world.patch(
        "/mgmt/tm/auth/partition/Project_8e9b",
        &json!({ "defaultRouteDomain": 0 }),
    );

    world.post(
        SELF_IPS,
        &json!({ "name": "s", "address": "10.1.1.1%1/24", "vlan": TUNNEL }),
    );
    assert_refused(
        &world.delete(&uri),
        400,
        "is referenced by one or more self IPs",
    );
    world.delete(&format!("{SELF_IPS}/~Common~s"));
    assert_eq!(world.delete(&uri).status, 200);
    assert_eq!(
        world.delete(&format!("{DOMAINS}/~Common~0")).status,
        501,
        "built in"
    );
}

#[test]
fn new_tunnel_is_in_its_partition_default_route_domain() {
    let mut world = world();
    world.post(DOMAINS, &json!({ "name": "rd14", "id": 14 }));
    world.post(
        "/mgmt/tm/auth/partition",
        &json!({ "name": "ocp", "defaultRouteDomain": 14 }),
    );
    let tunnel = json!({
        "name": "t", "partition": "ocp", "profile": "vxlan", "localAddress": "10.0.0.4%14",
    });
    world.post("/mgmt/tm/net/tunnels/tunnel", &tunnel);

    assert_eq!(vlans(&mut world, "rd14"), json!(["/ocp/t"]));
}
