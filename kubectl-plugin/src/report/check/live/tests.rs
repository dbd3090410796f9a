//! What is found in what a BIG-IP said.

use bigip_tunnel_core::endpoint::RouteDomain;
use bigip_tunnel_core::mac::MacAddress;
use bigip_tunnel_core::record::Records;
use bigip_tunnel_core::unit::{Encapsulation, FailoverState, TunnelFacts, UnitIdentity};

use bigip_icontrol::{SnatPools, Translation};

use super::*;
use crate::catalogue::{BTN0104, BTN0217, Code};
use crate::report::check::Verdict;
use crate::report::check::tests::{evidence, tunnel};
use crate::testing::{Tunnel, device};

const TUNNEL: &str = "/Common/flannel_vxlan";
const ERROR: Verdict = Verdict::Error;
const WARNING: Verdict = Verdict::Warning;

fn self_ip(address: &str, interface: &str, floats: bool) -> SelfIp {
    SelfIp {
        path: "/Common/self".to_owned(),
        address: address.parse().unwrap(),
        route_domain: RouteDomain::ZERO,
        interface: interface.to_owned(),
        floats,
        lets_in: true,
    }
}

fn route(network: &str, interface: &str) -> Route {
    Route {
        path: "/Common/r".to_owned(),
        network: network.parse().unwrap(),
        route_domain: RouteDomain::ZERO,
        interface: Some(interface.to_owned()),
    }
}

fn snat_pool(path: &str, members: &[Option<&str>]) -> SnatPools {
    let members = members.iter();
    let members = members.map(|member| member.map(|text| text.parse().unwrap()));
    SnatPools::from([(path.to_owned(), members.collect())])
}

fn server(translation: Translation) -> VirtualServer {
    VirtualServer {
        path: "/Common/web".to_owned(),
        pool: Some("/Common/web_pool".to_owned()),
        translation,
    }
}

/// A BIG-IP with which all is well.
pub(crate) fn seen() -> LiveSeen {
    let pool = |path: &str, address: &str| {
        Ok(Pools::from([(
            path.to_owned(),
            vec![address.parse().unwrap()],
        )]))
    };
    LiveSeen {
        facts: UnitFacts {
            identity: UnitIdentity {
                device_name: "bigip-a.example.net".to_owned(),
                base_mac: "00:94:a1:00:0a:00".to_owned(),
            },
            hostname: "bigip-a.example.net".to_owned(),
            version: "17.1.2.1".parse().unwrap(),
            failover_state: FailoverState::Active,
            peers: Vec::new(),
            tunnel: TunnelFacts {
                full_path: TUNNEL.to_owned(),
                local_address: Some("10.169.72.34%0".parse().unwrap()),
                vni: 2,
                profile: "/Common/p".to_owned(),
                encapsulation: Encapsulation::Vxlan,
                port: Some(8472),
                flooding_type: Some("multipoint".to_owned()),
                self_ips: vec!["10.1.6.34/24".to_owned()],
                mac: None,
            },
        },
        nodes: ["worker-01", "worker-02", "worker-03"]
            .map(str::to_owned)
            .into(),
        plan: Plan::default(),
        self_ips: Ok(vec![
            self_ip("10.1.6.34/24", TUNNEL, false),
            self_ip("10.169.72.34/24", "/Common/internal", false),
        ]),
        routes: Ok(vec![
            route("10.0.0.0/16", TUNNEL),
            route("0.0.0.0/0", "/Common/internal"),
        ]),
        virtual_servers: Ok(vec![server(Translation::Automap)]),
        pools: pool("/Common/web_pool", "10.0.1.57"),
        snat_pools: Ok(snat_pool("/Common/snat", &[Some("10.1.6.99")])),
        sync_status: Ok("In Sync".to_owned()),
    }
}

fn found(seen: &Result<LiveSeen, Trouble>) -> Vec<(Verdict, Code)> {
    let checks = checks("bigip-a", seen, &evidence(tunnel()));
    let found = checks.iter();
    found
        .filter_map(|check| Some((check.result, check.code?)))
        .collect()
}

/// What is found if something is otherwise.
fn with(change: impl FnOnce(&mut LiveSeen)) -> Vec<(Verdict, Code)> {
    let mut seen = seen();
    change(&mut seen);
    found(&Ok(seen))
}

#[test]
fn correct_bigip_has_no_finding() {
    assert_eq!(found(&Ok(seen())), []);
}

#[test]
fn unreachable_bigip_names_the_cause() {
    let trouble = Trouble {
        reason: Reason::AuthenticationFailed,
        message: "m".to_owned(),
    };
    assert_eq!(found(&Err(trouble)), [(ERROR, BTN0104)]);
}

#[test]
fn client_side_failure_is_no_verdict_about_the_bigip() {
    for reason in [Reason::Timeout, Reason::SecretForbidden] {
        let trouble = Trouble {
            reason,
            message: "m".to_owned(),
        };
        assert_eq!(found(&Err(trouble)), [(Verdict::Skipped, BTN0011)]);
    }
}

#[test]
fn missing_local_address_gives_no_record_finding() {
    let none = with(|seen| seen.facts.tunnel.local_address = None);
    assert_eq!(none, [(ERROR, BTN0210)]);
}

#[test]
fn records_that_are_not_right_are_counted() {
    let record: (MacAddress, Endpoint) = (
        "0a:0a:0a:a9:48:e9".parse().unwrap(),
        "10.169.72.233%0".parse().unwrap(),
    );
    let of = |set: fn(&mut Plan) -> &mut Records| with(|seen| set(&mut seen.plan).extend([record]));
    assert_eq!(of(|plan| &mut plan.add), [(ERROR, BTN0301)]);
    assert_eq!(of(|plan| &mut plan.conflict), [(ERROR, BTN0309)]);
    assert_eq!(of(|plan| &mut plan.unclaimed), [(WARNING, BTN0303)]);
    let foreign = with(|seen| seen.plan.foreign.extend([(record.0, None)]));
    assert_eq!(foreign, []);
    let unreadable = with(|seen| seen.plan.unreadable.extend([record.0]));
    assert_eq!(unreadable, [(ERROR, BTN0309)]);
}

#[test]
fn records_claimed_by_another_tunnel_are_not_orphaned() {
    let mac = "0a:0a:0a:a9:48:e9";
    let mut seen = seen();
    let record: (MacAddress, Endpoint) = (mac.parse().unwrap(), "10.169.72.233%0".parse().unwrap());
    seen.plan.unclaimed.extend([record]);
    let mut evidence = evidence(tunnel());
    let mut told = |other: Option<&str>| {
        let claims = other.map(|mac| {
            let device = device("bigip-z", "192.0.2.99", "Active");
            let other = Tunnel::new("other").device(device);
            other.claim(&["bigip-z"], "Owned", &[mac]).read()
        });
        evidence.tunnels.as_mut().unwrap().extend(claims);
        let checks = records("bigip-a", &seen.plan, &evidence);
        checks.iter().find_map(|check| check.code)
    };
    assert_eq!(told(None), Some(BTN0303));
    assert_eq!(told(Some("0a:0a:0a:a9:48:e8")), Some(BTN0303));
    assert_eq!(told(Some(mac)), None);
}

#[test]
fn self_ip_of_the_tunnel_allows_a_ping() {
    let silent = with(|seen| seen.self_ips.as_mut().unwrap()[0].lets_in = false);
    assert_eq!(silent, [(WARNING, BTN0207)]);
}

#[test]
fn local_address_is_a_self_ip() {
    let none = with(|seen| {
        seen.self_ips.as_mut().unwrap().pop();
    });
    assert_eq!(none, [(ERROR, BTN0210)]);
}

#[test]
fn every_pod_network_is_behind_the_tunnel() {
    let none = with(|seen| seen.routes = Ok(Vec::new()));
    assert_eq!(none, [(ERROR, BTN0208)]);
    let elsewhere = with(|seen| {
        let routes = seen.routes.as_mut().unwrap();
        routes.push(route("10.0.1.0/24", "/Common/internal"));
    });
    assert_eq!(elsewhere, [(ERROR, BTN0208)]);
    let of_another_domain = with(|seen| {
        seen.routes.as_mut().unwrap()[0].route_domain = RouteDomain::new(2).unwrap();
    });
    assert_eq!(of_another_domain, [(ERROR, BTN0208)]);
}

#[test]
fn narrower_route_decides_for_its_part() {
    let part = with(|seen| {
        let routes = seen.routes.as_mut().unwrap();
        routes.push(route("10.0.1.128/25", "/Common/internal"));
    });
    assert_eq!(part, [(ERROR, BTN0208)]);
    let halves = with(|seen| {
        let routes = ["10.0.0.0/24", "10.0.1.0/25", "10.0.1.128/25", "10.0.2.0/24"];
        seen.routes = Ok(routes.map(|net| route(net, TUNNEL)).to_vec());
    });
    assert_eq!(halves, []);
}

#[test]
fn pods_of_an_unselected_node_need_no_route() {
    let one = with(|seen| {
        seen.nodes = BTreeSet::from(["worker-01".to_owned()]);
        seen.routes = Ok(vec![route("10.0.0.0/24", TUNNEL)]);
    });
    assert_eq!(one, []);
}

#[test]
fn no_node_is_behind_the_tunnel() {
    // Nodes are in a network that the unit is in itself, and that is narrower than any route.
    let connected = with(|seen| seen.routes = Ok(vec![route("10.0.0.0/8", TUNNEL)]));
    assert_eq!(connected, []);
    let all = with(|seen| {
        seen.routes = Ok(vec![route("10.0.0.0/8", TUNNEL)]);
        let local = self_ip("10.169.72.34/30", "/Common/internal", false);
        seen.self_ips.as_mut().unwrap()[1] = local;
    });
    assert_eq!(all, [(ERROR, BTN0209)]);
}

#[test]
fn unsynced_pair_is_a_finding() {
    let pending = with(|seen| seen.sync_status = Ok("Changes Pending".to_owned()));
    assert_eq!(pending, [(WARNING, BTN0214)]);
}

#[test]
fn automap_to_an_outside_floating_address_is_a_finding() {
    let floating = |on_tunnel| {
        with(|seen| {
            let self_ips = seen.self_ips.as_mut().unwrap();
            self_ips.push(self_ip("192.0.2.1/24", "/Common/external", true));
            if on_tunnel {
                self_ips.push(self_ip("10.1.6.40/24", TUNNEL, true));
            }
        })
    };
    assert_eq!(floating(false), [(ERROR, BTN0217)]);
    assert_eq!(floating(true), []);
}

#[test]
fn snat_pool_lies_inside_the_overlay() {
    let pool = |path: &str, members: &[Option<&str>]| {
        with(|seen| {
            seen.virtual_servers = Ok(vec![server(Translation::Pool(path.to_owned()))]);
            seen.snat_pools = Ok(snat_pool("/Common/snat", members));
        })
    };
    assert_eq!(pool("/Common/snat", &[Some("10.1.6.99")]), []);
    assert_eq!(
        pool("/Common/snat", &[Some("10.1.5.99")]),
        [(ERROR, BTN0217)]
    );
    assert_eq!(
        pool("/Common/snat", &[None, Some("10.1.5.99")]),
        [(ERROR, BTN0217)]
    );
    // What is not known is neither right nor wrong.
    let unknown = [(Verdict::Skipped, BTN0011)];
    assert_eq!(pool("/Common/snat", &[None, Some("10.1.6.99")]), unknown);
    assert_eq!(pool("/Common/hidden", &[Some("10.1.6.99")]), unknown);
}

#[test]
fn floating_address_of_another_route_domain_is_unused() {
    let found = with(|seen| {
        let mut other = self_ip("192.0.2.1/24", "/Common/external", true);
        other.route_domain = RouteDomain::new(2).unwrap();
        seen.self_ips.as_mut().unwrap().push(other);
    });
    assert_eq!(found, []);
}

#[test]
fn virtual_server_without_pods_may_use_any_source() {
    let other = with(|seen| {
        seen.virtual_servers = Ok(vec![server(Translation::None)]);
        let pool = (
            "/Common/web_pool".to_owned(),
            vec!["192.0.2.77".parse().unwrap()],
        );
        seen.pools = Ok(Pools::from([pool]));
    });
    assert_eq!(other, []);
    let serving = with(|seen| seen.virtual_servers = Ok(vec![server(Translation::None)]));
    assert_eq!(serving, [(WARNING, BTN0217)]);
}

#[test]
fn unreadable_parts_are_skipped() {
    let trouble = || Trouble {
        reason: Reason::AuthorizationFailed,
        message: "m".to_owned(),
    };
    let found = with(|seen| {
        seen.routes = Err(trouble());
        seen.virtual_servers = Err(trouble());
        seen.sync_status = Err(trouble());
    });
    assert_eq!(found, [(Verdict::Skipped, BTN0011); 3]);
}
