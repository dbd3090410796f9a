//! What is found where nodes have different configurations, or something could not be read.

use std::sync::Arc;

use bigip_tunnel_core::conditions::Truth;
use bigip_tunnel_core::unit::Encapsulation;

use super::*;
use crate::condition::condition;
use crate::seen::{Agent, Node, NodeConfig, Scope, Unread, VtepNode};
use crate::testing::{cluster, data, node, scope, tunnel, unit};
use crate::vtep::{VtepObject, WrittenEntry};

fn seen(data: BTreeMap<String, String>, nodes: Vec<Node>) -> Cluster {
    Cluster {
        config: Ok(Some(ConfigMap {
            data,
            ..ConfigMap::default()
        })),
        nodes: Ok(nodes.into_iter().map(Into::into).collect()),
        ..cluster()
    }
}

/// A tunnel, and names of the nodes that it selects.
struct On {
    tunnel: Tunnel,
    nodes: Vec<String>,
}

/// What is found about these tunnels together.
fn judge(cluster: &Cluster, tunnels: &[On]) -> Vec<Finding> {
    let all: Vec<Tunnel> = tunnels.iter().map(|on| on.tunnel.clone()).collect();
    let judge = Judge::new(cluster, &all);
    let selects = |on: &On, node: &Node| on.nodes.contains(&node.name);
    let selections = tunnels
        .iter()
        .map(|on| judge.select(|node| selects(on, node)));
    let selections: Vec<Selection<'_>> = selections.collect();
    let subjects = all.iter().zip(&selections);
    let subjects: Vec<_> = subjects
        .map(|(tunnel, nodes)| Subject { tunnel, nodes })
        .collect();
    let of_any = judge.select(|node| tunnels.iter().any(|on| selects(on, node)));
    judge.judge(&subjects, &of_any)
}

fn lists() -> BTreeMap<String, String> {
    data("10.9.0.1", "10.1.1.0/24", "02:00:00:00:00:01")
}

/// A tunnel of one unit that matches the lists, on these nodes.
fn east(nodes: &[&str]) -> On {
    let unit = unit(
        "east",
        "a",
        "10.9.0.1",
        &["10.1.1.1/24"],
        "02:00:00:00:00:01",
    );
    On {
        tunnel: tunnel(vec![unit]),
        nodes: nodes.iter().map(|node| (*node).to_owned()).collect(),
    }
}

fn config_of(name: &str, scope: Scope, defaults: &[(&str, &str)]) -> NodeConfig {
    NodeConfig {
        name: name.to_owned(),
        scope,
        defaults: node("", defaults).overrides,
    }
}

fn object(scope: Scope, endpoint: &str, cidr: &str) -> VtepObject {
    VtepObject {
        name: "zone".to_owned(),
        scope,
        entries: vec![WrittenEntry {
            name: "x".to_owned(),
            endpoint: endpoint.to_owned(),
            cidr: cidr.to_owned(),
            mac: "02:00:00:00:00:01".to_owned(),
        }],
        failed: Vec::new(),
    }
}

fn of(findings: &[Finding], problem: Problem) -> Vec<(Weight, &str)> {
    let meant = findings
        .iter()
        .filter(|finding| finding.problem == Some(problem));
    meant
        .map(|finding| (finding.weight, finding.text.as_str()))
        .collect()
}

/// Two zones, each with entries of its own in a CiliumNodeConfig.
fn zones() -> Cluster {
    let of_zone = |node: &str, endpoint: &str, cidr: &str| {
        let values = [
            ("enable-vtep", "true"),
            ("vtep-endpoint", endpoint),
            ("vtep-cidr", cidr),
            ("vtep-mac", "02:00:00:00:00:01"),
        ];
        config_of(node, scope(&[node]), &values)
    };
    let mut cluster = seen(BTreeMap::new(), vec![node("n1", &[]), node("n2", &[])]);
    cluster.node_configs = Ok(vec![
        of_zone("n1", "10.9.0.1", "10.1.1.0/24"),
        of_zone("n2", "10.9.0.2", "10.1.2.0/24"),
    ]);
    cluster
}

#[test]
fn tunnel_is_not_compared_with_nodes_of_another_tunnel() {
    let second = unit(
        "west",
        "b",
        "10.9.0.2",
        &["10.1.2.1/24"],
        "02:00:00:00:00:01",
    );
    let west = On {
        tunnel: tunnel(vec![second]),
        ..east(&["n2"])
    };
    let found = judge(&zones(), &[east(&["n1"]), west]);
    assert_eq!(of(&found, Problem::EndpointMissing), []);
    let found = judge(&zones(), &[east(&["n1", "n2"])]);
    assert_eq!(of(&found, Problem::EndpointMissing).len(), 1, "{found:?}");
}

#[test]
fn nodes_that_no_tunnel_selects_give_no_finding() {
    let off = config_of("off", scope(&["n2"]), &[("enable-wireguard", "true")]);
    let mut cluster = seen(lists(), vec![node("n1", &[]), node("n2", &[])]);
    cluster.node_configs = Ok(vec![off]);
    let number = |nodes: &[&str]| of(&judge(&cluster, &[east(nodes)]), Problem::Encryption).len();
    assert_eq!((number(&["n1"]), number(&["n1", "n2"])), (0, 1));
}

#[test]
fn disputed_key_hides_only_dependent_findings() {
    let mtu = config_of("mtu", Scope::All, &[("mtu", "1400")]);
    let mut values = lists();
    values.insert("mtu".to_owned(), "9000".to_owned());
    values.insert("vtep-mac".to_owned(), "02:00:00:00:00:99".to_owned());
    let mut cluster = seen(values, vec![node("n1", &[])]);
    cluster.node_configs = Ok(vec![mtu]);
    let found = judge(&cluster, &[east(&["n1"])]);
    assert_eq!(of(&found, Problem::Overridden).len(), 1);
    assert_eq!(of(&found, Problem::Mtu), []);
    assert_eq!(of(&found, Problem::MacMismatch).len(), 1, "{found:?}");
}

#[test]
fn report_of_agents_that_cannot_be_read_is_not_judged() {
    let mut cluster = seen(lists(), vec![node("n1", &[])]);
    cluster.vtep_nodes = Err(Unread("you may not list it".to_owned()));
    let unread = |cluster: &Cluster| {
        let found = judge(cluster, &[east(&["n1"])]);
        let texts = of(&found, Problem::Unreadable);
        texts
            .iter()
            .filter(|(_, text)| text.contains("CiliumVTEPNodeConfigs"))
            .count()
    };
    // Without a CiliumVTEPConfig agents report nothing.
    assert_eq!(unread(&cluster), 0);
    cluster.vtep_objects = Ok(Some(vec![object(Scope::All, "10.9.0.1", "10.1.1.0/24")]));
    assert_eq!(unread(&cluster), 1);
}

#[test]
fn agent_failure_is_reported_once_for_several_groups() {
    let mut cluster = zones();
    let mut failed = object(Scope::All, "10.8.0.1", "10.7.1.0/24");
    failed
        .failed
        .push(("x".to_owned(), "table full".to_owned()));
    cluster.vtep_objects = Ok(Some(vec![failed]));
    let found = judge(&cluster, &[east(&["n1", "n2"])]);
    let text = "CiliumVTEPConfig zone: entry x is not programmed: table full";
    assert_eq!(of(&found, Problem::NotProgrammed), [(Weight::Error, text)]);
}

#[test]
fn entry_of_an_unreadable_selector_is_not_judged() {
    let unknown = || Scope::Unknown {
        selector: String::new(),
    };
    let mut cluster = seen(BTreeMap::new(), vec![node("n1", &[])]);
    let with = |cluster: &mut Cluster, objects: Vec<VtepObject>| {
        cluster.vtep_objects = Ok(Some(objects));
        judge(cluster, &[east(&["n1"])])
    };
    let own = object(unknown(), "10.9.0.1", "10.1.1.0/24");
    let found = with(&mut cluster, vec![own.clone()]);
    let found = of(&found, Problem::EndpointMissing);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].0, Weight::NotJudged);
    let other = object(unknown(), "10.9.0.9", "10.1.1.0/24");
    let found = with(&mut cluster, vec![own, other]);
    for problem in [Problem::NetworkTwice, Problem::NetworkMismatch] {
        let weights: Vec<Weight> = of(&found, problem).into_iter().map(|(w, _)| w).collect();
        assert!(weights.iter().all(|w| *w == Weight::NotJudged), "{found:?}");
    }
    assert_eq!(of(&found, Problem::NetworkTwice).len(), 1);
}

#[test]
fn entries_that_may_be_too_many_are_not_judged() {
    let objects = |scope: &dyn Fn() -> Scope| {
        let entry = |n: usize| object(scope(), "10.9.0.1", &format!("10.1.{n}.0/24"));
        (1..=9).map(entry).collect::<Vec<_>>()
    };
    let mut cluster = seen(BTreeMap::new(), vec![node("n1", &[])]);
    let mut weight = |scope: &dyn Fn() -> Scope| {
        cluster.vtep_objects = Ok(Some(objects(scope)));
        let found = judge(&cluster, &[east(&["n1"])]);
        let found = of(&found, Problem::TooManyEntries);
        found.first().map(|(weight, _)| *weight)
    };
    let unknown = || Scope::Unknown {
        selector: "zone=a".to_owned(),
    };
    assert_eq!(weight(&|| Scope::All), Some(Weight::Error));
    assert_eq!(weight(&|| scope(&["n1"])), Some(Weight::Error));
    assert_eq!(weight(&|| scope(&["n2"])), None);
    assert_eq!(weight(&unknown), Some(Weight::NotJudged));
}

/// The sentences about a unit that is not known as far as this changes it.
fn unknown(change: fn(&mut Unit)) -> Vec<String> {
    let mut tunnel = east(&["a1"]);
    let unit = &mut tunnel.tunnel.units[0];
    unit.encapsulation = Some(Encapsulation::Vxlan);
    unit.port = Some(8472);
    change(unit);
    let findings = judge(&seen(lists(), vec![node("a1", &[])]), &[tunnel]);
    let unread = findings
        .into_iter()
        .filter(|found| found.problem == Some(Problem::Unreadable) && found.unit.is_some());
    let said = unread.map(|found| {
        assert_eq!(found.weight, Weight::NotJudged);
        found.text
    });
    said.collect()
}

#[test]
fn fully_read_unit_is_judged() {
    assert_eq!(unknown(|_| {}), Vec::<String>::new());
}

#[test]
fn unreachable_unit_is_not_reported_as_correct() {
    let said = unknown(|unit| unit.is_current = false);
    assert!(said[0].contains("last known state"), "{said:?}");
}

#[test]
fn unknown_part_of_a_unit_is_not_judged() {
    type Change = fn(&mut Unit);
    let cases: [(Change, &str); 6] = [
        (|unit| unit.vni = None, "its VNI"),
        (|unit| unit.encapsulation = None, "UDP port"),
        (|unit| unit.port = None, "UDP port"),
        (|unit| unit.local = None, "local address"),
        (|unit| unit.self_ips.clear(), "a self IP"),
        (|unit| unit.has_more_self_ips = true, "all of its self IPs"),
    ];
    for (change, part) in cases {
        let said = unknown(change);
        assert!(
            said.len() == 1 && said[0].contains(part),
            "{part}: {said:?}"
        );
    }
}

#[test]
fn nodes_that_cannot_be_read_are_not_judged() {
    let mut cluster = seen(lists(), Vec::new());
    cluster.nodes = Err(Unread("forbidden".to_owned()));
    let findings = judge(&cluster, &[east(&[])]);
    let said = of(&findings, Problem::Unreadable);
    assert!(
        said.contains(&(Weight::NotJudged, "Nodes: forbidden")),
        "{said:?}"
    );
}

/// What cures the findings of this kind.
fn fixes(findings: &[Finding], problem: Problem) -> Vec<String> {
    let meant = findings
        .iter()
        .filter(|found| found.problem == Some(problem));
    meant
        .map(|found| found.fix.clone().unwrap_or_default())
        .collect()
}

/// A tunnel that no list has, beside one whose MAC address is not known.
fn beside(mac: &str) -> [On; 2] {
    let second = unit("west", "b", "10.9.0.2", &["10.1.2.1/24"], mac);
    let west = On {
        tunnel: tunnel(vec![second]),
        ..east(&["n1"])
    };
    [east(&["n1"]), west]
}

#[test]
fn unit_without_mac_address_hides_no_lines_of_others() {
    let mut values = lists();
    values.insert("vtep-endpoint".to_owned(), "10.8.0.1".to_owned());
    values.insert("vtep-cidr".to_owned(), "10.7.1.0/24".to_owned());
    let cluster = seen(values, vec![node("n1", &[])]);
    let found = judge(&cluster, &beside(""));
    let fixes = fixes(&found, Problem::EndpointMissing);
    let [own, other] = &*fixes else {
        panic!("{found:?}");
    };
    assert!(own.contains("vtep.endpoint=\"10.8.0.1 10.9.0.1\""), "{own}");
    assert!(
        own.contains("without the entries of b of bigip/west"),
        "{own}"
    );
    assert!(
        other.starts_with("no entry can be given: b of bigip/west"),
        "{other}"
    );
    assert!(other.contains("MAC address"), "{other}");
    let found = judge(&cluster, &beside("02:00:00:00:00:02"));
    for fix in self::fixes(&found, Problem::EndpointMissing) {
        let all = "vtep.endpoint=\"10.8.0.1 10.9.0.1 10.9.0.2\"";
        assert!(fix.contains(all) && !fix.contains("without"), "{fix}");
    }
}

#[test]
fn lines_go_where_the_keys_stand() {
    let mut cluster = seen(BTreeMap::new(), vec![node("n1", &[]), node("n2", &[])]);
    let mut values = lists();
    values.insert("vtep-mac".to_owned(), "02:00:00:00:00:99".to_owned());
    let of_all = NodeConfig {
        name: "vtep".to_owned(),
        scope: Scope::All,
        defaults: values,
    };
    cluster.node_configs = Ok(vec![of_all.clone()]);
    let found = judge(&cluster, &[east(&["n1"])]);
    let fix = fixes(&found, Problem::MacMismatch).remove(0);
    assert!(
        fix.starts_with("set in spec.defaults of CiliumNodeConfig vtep "),
        "{fix}"
    );
    assert!(fix.contains("vtep-mac: \"02:00:00:00:00:01\""), "{fix}");
    // Two of them are not written as one.
    let second = NodeConfig {
        name: "more".to_owned(),
        scope: scope(&["n2"]),
        ..of_all
    };
    cluster.node_configs.as_mut().unwrap().push(second);
    let found = judge(&cluster, &[east(&["n1"])]);
    let fix = fixes(&found, Problem::MacMismatch).remove(0);
    assert!(fix.contains("set item 1 of vtep-mac"), "{fix}");
}

#[test]
fn entries_of_objects_are_given_as_entries() {
    let mut cluster = seen(BTreeMap::new(), vec![node("n1", &[])]);
    cluster.vtep_objects = Ok(Some(vec![object(Scope::All, "10.8.0.1", "10.7.1.0/24")]));
    let found = judge(&cluster, &[east(&["n1"])]);
    let fix = fixes(&found, Problem::EndpointMissing).remove(0);
    let entry = "{name: \"a\", tunnelEndpoint: \"10.9.0.1\", cidr: \"10.1.1.0/24\", mac: \"02:00:00:00:00:01\"}";
    assert!(fix.contains(entry), "{fix}");
}

#[test]
fn lists_that_cannot_be_given_say_why() {
    let mut values = lists();
    values.insert("vtep-endpoint".to_owned(), "10.8.0.1".to_owned());
    values.insert("vtep-cidr".to_owned(), "10.7.0.0/16".to_owned());
    let cluster = seen(values, vec![node("n1", &[])]);
    let found = judge(&cluster, &[east(&["n1"])]);
    let fix = fixes(&found, Problem::EndpointMissing).remove(0);
    assert!(
        fix.contains("no lists can be given") && fix.contains("equal prefixes"),
        "{fix}"
    );
}

#[test]
fn protocol_and_vni_name_both_ways_to_agree() {
    let mut tunnel = east(&["n1"]);
    let unit = &mut tunnel.tunnel.units[0];
    (unit.encapsulation, unit.port, unit.vni) = (Some(Encapsulation::Geneve), Some(6081), Some(9));
    let found = judge(&seen(lists(), vec![node("n1", &[])]), &[tunnel]);
    let fix = fixes(&found, Problem::WrongProtocol).remove(0);
    assert!(
        fix.contains("give /Common/t a vxlan profile with port 8472"),
        "{fix}"
    );
    assert!(
        fix.contains("tunnelProtocol=geneve tunnelPort=6081"),
        "{fix}"
    );
    let fix = fixes(&found, Problem::WrongVni).remove(0);
    assert!(
        fix.contains("tmsh modify net tunnels tunnel /Common/t key 2"),
        "{fix}"
    );
}

#[test]
fn missing_configuration_names_the_namespace() {
    let mut cluster = cluster();
    cluster.namespaces = vec!["network".to_owned()];
    let found = judge(&cluster, &[east(&[])]);
    let said = of(&found, Problem::ConfigMissing);
    assert!(said[0].1.ends_with("in the namespace network"), "{said:?}");
    let fix = fixes(&found, Problem::ConfigMissing).remove(0);
    assert!(fix.contains("--cilium-namespace"), "{fix}");
}

#[test]
fn advice_names_the_namespace_of_cilium() {
    let mut values = lists();
    values.insert("mtu".to_owned(), "9000".to_owned());
    let mut cluster = seen(values, vec![node("n1", &[])]);
    if let Ok(Some(config)) = &mut cluster.config {
        config.namespace = "network".to_owned();
    }
    cluster.node_configs = Ok(vec![config_of("mtu", Scope::All, &[("mtu", "1400")])]);
    cluster.cilium_nodes = Ok(Some(Vec::new()));
    let found = judge(&cluster, &[east(&["n1"])]);
    for problem in [Problem::Overridden, Problem::NodesDiffer] {
        let fix = fixes(&found, problem).remove(0);
        assert!(fix.contains("kubectl -n network "), "{problem:?}: {fix}");
    }
}

#[test]
fn failure_that_nodes_share_is_one_finding() {
    let failed = |node: &str, words: &str| VtepNode {
        node: node.to_owned(),
        failed: vec![("x".to_owned(), words.to_owned())],
        programmed: Arc::default(),
    };
    let mut cluster = seen(lists(), vec![node("n1", &[])]);
    cluster.vtep_nodes = Ok(vec![
        failed("n1", "full"),
        failed("n2", "full"),
        failed("n3", "no"),
    ]);
    let found = judge(&cluster, &[east(&["n1"])]);
    let texts: Vec<&str> = of(&found, Problem::NotProgrammed)
        .into_iter()
        .map(|(_, text)| text)
        .collect();
    let wanted = [
        "2 nodes (n1, n2): entry x is not programmed: full",
        "node n3: entry x is not programmed: no",
    ];
    assert_eq!(texts, wanted);
}

#[test]
fn agents_that_cannot_be_read_are_never_right() {
    let mut tunnel = east(&["n1"]);
    let unit = &mut tunnel.tunnel.units[0];
    (unit.encapsulation, unit.port) = (Some(Encapsulation::Vxlan), Some(8472));
    let own = tunnel.tunnel.clone();
    let mut cluster = seen(lists(), vec![node("n1", &[])]);
    let agent = Agent {
        node: "n1".to_owned(),
        image: "cilium:v1.17.13".into(),
        started: None,
        ready: true,
    };
    let tunnels = [tunnel];
    let mut of = |agents: Result<Vec<Arc<Agent>>, Unread>| {
        cluster.agents = agents;
        let found = condition(&judge(&cluster, &tunnels), &own);
        (found.truth, found.message)
    };
    assert_eq!(of(Ok(vec![agent.into()])).0, Truth::True);
    let (truth, message) = of(Err(Unread("may not list pods".to_owned())));
    assert_eq!(truth, Truth::Unknown);
    assert!(message.contains("may not list pods"), "{message}");
}

#[test]
fn many_unknown_units_make_no_long_advice() {
    let mut values = lists();
    values.insert("enable-vtep".to_owned(), "false".to_owned());
    let cluster = seen(values, vec![node("n1", &[])]);
    let fix = |number: usize| {
        let unread = (0..number).map(|n| unit("west", &format!("u{n}"), "", &[], "").key);
        let mut tunnel = east(&["n1"]);
        tunnel.tunnel.unread = unread.collect();
        fixes(&judge(&cluster, &[tunnel]), Problem::VtepOff).remove(0)
    };
    let (few, many) = (fix(3), fix(400));
    assert!(
        few.contains("u2 of bigip/west") && !few.contains("more"),
        "{few}"
    );
    assert!(many.contains("397 more") && many.len() < 1000, "{many}");
}
