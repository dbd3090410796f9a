//! What is written, what is refused, and what is said of an object that is as it should be.

use std::sync::Arc;

use serde_json::json;

use super::*;
use bigip_tunnel_core::reason::Reason;
use bigip_tunnel_core::unit::Encapsulation;

use crate::seen::{ConfigMap, Node, Unread, VtepNode};
use crate::testing::{cluster, data, scope, tunnel, unit};
use crate::unit::Unit;

const NAME: &str = "bigip-tunnel.bigip.east";
const UID: &str = "u";
const MAC: &str = "02:00:00:00:00:01";

fn unit_a() -> Unit {
    unit("east", "a", "10.9.0.1", &["10.1.1.1/24"], MAC)
}

fn unit_b() -> Unit {
    unit(
        "east",
        "b",
        "10.9.0.2",
        &["10.1.2.2/24"],
        "02:00:00:00:00:02",
    )
}

fn entry(name: &str, endpoint: &str, cidr: &str, mac: &str) -> WrittenEntry {
    WrittenEntry {
        name: name.to_owned(),
        endpoint: endpoint.to_owned(),
        cidr: cidr.to_owned(),
        mac: mac.to_owned(),
    }
}

fn entry_a() -> WrittenEntry {
    entry("a", "10.9.0.1", "10.1.1.0/24", MAC)
}

fn entry_b() -> WrittenEntry {
    entry("b", "10.9.0.2", "10.1.2.0/24", "02:00:00:00:00:02")
}

/// An object of this operator for this uid.
fn live(name: &str, owner: &str, entries: Vec<WrittenEntry>) -> Live {
    Live {
        object: VtepObject {
            name: name.to_owned(),
            scope: Scope::All,
            entries,
            failed: Vec::new(),
        },
        owner: Some(owner.to_owned()),
        mask: None,
        synced: BTreeSet::new(),
        confirmed: BTreeSet::new(),
        is_outdated: false,
        leaving: None,
    }
}

/// What is known, and what is there: two nodes with pods and agents, and no object.
struct Case {
    cluster: Cluster,
    live: Vec<Live>,
    shape: Shape,
    units: Vec<Unit>,
    observes: bool,
}

impl Case {
    fn new() -> Self {
        let node = |name: &str, cidr: &str| Node {
            name: name.to_owned(),
            pod_cidrs: vec![cidr.parse().unwrap()],
            ..Node::default()
        };
        let nodes = [node("n1", "10.244.0.0/24"), node("n2", "10.244.1.0/24")].map(Arc::new);
        let config = ConfigMap {
            namespace: "kube-system".to_owned(),
            ..ConfigMap::default()
        };
        Self {
            cluster: Cluster {
                config: Ok(Some(config)),
                nodes: Ok(nodes.to_vec()),
                cilium_nodes: Ok(Some(nodes.to_vec())),
                ..cluster()
            },
            live: Vec::new(),
            shape: Shape::V2Alpha1,
            units: vec![unit_a(), unit_b()],
            observes: false,
        }
    }

    fn with(live: Vec<Live>) -> Self {
        Self {
            live,
            ..Self::new()
        }
    }

    fn as_it_should_be() -> Self {
        Self::with(vec![live(NAME, UID, vec![entry_a(), entry_b()])])
    }

    fn decide(&mut self) -> Decision {
        let objects = self.live.iter().map(|live| live.object.clone());
        self.cluster.vtep_objects = Ok(Some(objects.collect()));
        decide(&Question {
            cluster: &self.cluster,
            live: &self.live,
            shape: self.shape,
            name: NAME,
            uid: UID,
            tunnel: &tunnel(self.units.clone()),
            observes: self.observes,
        })
    }

    /// Names of the entries that are written, status and reason.
    fn result(&mut self) -> (Option<Vec<String>>, Truth, Reason) {
        let Decision { apply, condition } = self.decide();
        let names = apply.map(|write| {
            let entries = write.object.entries.into_iter();
            entries.map(|entry| entry.name).collect()
        });
        (names, condition.truth, condition.reason)
    }

    /// Status and reason, where nothing is written.
    fn held(&mut self) -> (Truth, Reason) {
        let (names, truth, reason) = self.result();
        assert_eq!(names, None, "{reason}");
        (truth, reason)
    }
}

fn both() -> Vec<String> {
    vec!["a".to_owned(), "b".to_owned()]
}

#[test]
fn object_that_is_missing_or_differs_is_written() {
    let written = (Some(both()), Truth::Unknown, Reason::Progressing);
    assert_eq!(Case::new().result(), written);
    let moved = entry("b", "10.9.0.9", "10.1.2.0/24", "02:00:00:00:00:02");
    for entries in [
        vec![entry_a()],
        vec![entry_a(), moved],
        vec![
            entry_a(),
            entry_b(),
            entry("c", "10.9.0.3", "10.1.3.0/24", MAC),
        ],
    ] {
        let mut case = Case::with(vec![live(NAME, UID, entries)]);
        assert_eq!(case.result(), written);
    }
}

#[test]
fn object_that_is_as_it_should_be_is_not_written() {
    assert_eq!(
        Case::as_it_should_be().held(),
        (Truth::Unknown, Reason::VtepNotConfirmed)
    );
    let spelled = entry("a", "10.9.0.1", "10.1.1.7/24", "02-00-00-00-00-01");
    let mut case = Case::with(vec![live(NAME, UID, vec![entry_b(), spelled])]);
    assert_eq!(case.held().1, Reason::VtepNotConfirmed);
}

#[test]
fn object_of_another_owner_is_never_written() {
    let unmarked = Live {
        owner: None,
        ..live(NAME, UID, vec![entry_a()])
    };
    for foreign in [unmarked, live(NAME, "another", vec![])] {
        let mut case = Case::with(vec![foreign]);
        assert_eq!(case.held(), (Truth::False, Reason::VtepConfigNotOurs));
        assert!(case.decide().condition.message.contains("owner-uid to u"));
    }
}

#[test]
fn v2_is_refused_beside_any_other_object() {
    let other = live("hybrid-gateway", "", vec![]);
    let refused = (Truth::False, Reason::VtepConfigNotAlone);
    for mut case in [
        Case::with(vec![other.clone()]),
        Case::with(vec![other.clone(), live(NAME, UID, vec![entry_a()])]),
    ] {
        case.shape = Shape::V2;
        assert_eq!(case.held(), refused);
        assert!(case.decide().condition.message.contains("hybrid-gateway"));
        case.shape = Shape::V2Alpha1;
        assert_eq!(case.result().0, Some(both()));
    }
}

#[test]
fn unit_that_does_not_say_its_mac_is_refused() {
    let mut case = Case::as_it_should_be();
    case.units[1].mac = None;
    assert_eq!(case.held(), (Truth::False, Reason::VtepMacUnknown));
    let message = case.decide().condition.message;
    assert!(message.contains("b of bigip/east"), "{message}");
}

#[test]
fn each_refusal_has_its_reason() {
    let with = |change: fn(&mut Case)| {
        let mut case = Case::new();
        change(&mut case);
        case.held()
    };
    for (change, reason) in [
        (
            (|case| case.units[0].mac = "03:00:00:00:00:01".parse().ok()) as fn(&mut Case),
            Reason::VtepMacInvalid,
        ),
        (|case| case.units[0].local = None, Reason::TunnelMismatch),
        (
            |case| case.units[0].self_ips.clear(),
            Reason::TunnelUnusable,
        ),
        (
            |case| case.units[0].has_more_self_ips = true,
            Reason::TooManySelfIps,
        ),
        (
            |case| case.units[1].self_ips = case.units[0].self_ips.clone(),
            Reason::SelfIpFloating,
        ),
        (
            |case| case.units[0].self_ips = vec!["10.244.0.9/24".parse().unwrap()],
            Reason::VtepNetworkOverlap,
        ),
        (
            |case| {
                case.live = vec![live(
                    "x",
                    "",
                    vec![entry("z", "10.9.0.8", "10.1.1.0/24", MAC)],
                )];
            },
            Reason::VtepNetworkDuplicate,
        ),
        (
            |case| {
                case.units[1].local = case.units[0].local;
                case.units[1].self_ips = vec!["10.1.1.2/24".parse().unwrap()];
            },
            Reason::VtepMacAmbiguous,
        ),
    ] {
        assert_eq!(with(change), (Truth::False, reason));
    }
}

#[test]
fn unread_tunnel_is_waited_for() {
    let mut case = Case::new();
    let mut own = tunnel(vec![unit_a()]);
    own.unread.push(unit_b().key);
    case.cluster.vtep_objects = Ok(Some(Vec::new()));
    let decision = decide(&Question {
        cluster: &case.cluster,
        live: &[],
        shape: Shape::V2Alpha1,
        name: NAME,
        uid: UID,
        tunnel: &own,
        observes: false,
    });
    assert_eq!(decision.apply, None);
    assert_eq!(decision.condition.reason, Reason::Pending);
}

#[test]
fn silent_unit_keeps_its_entry_and_no_other() {
    let moved = entry("a", "10.9.0.1", "10.1.1.0/24", "02:00:00:00:00:07");
    let mut case = Case::with(vec![live(NAME, UID, vec![moved, entry_b()])]);
    case.units[1].is_current = false;
    assert_eq!(case.result().0, Some(both()));
    case.units[0].is_current = false;
    assert_eq!(case.held(), (Truth::Unknown, Reason::Pending));
    let mut new = Case::new();
    new.units[1].is_current = false;
    assert_eq!(new.held(), (Truth::Unknown, Reason::Pending));
}

#[test]
fn nothing_is_written_while_overlaps_are_not_known() {
    let unread = || Unread("may not be listed".to_owned());
    for change in [
        (|case, unread| case.cluster.config = Err(unread)) as fn(&mut Case, Unread),
        |case, _| case.cluster.config = Ok(None),
        |case, unread| case.cluster.cilium_nodes = Err(unread),
        |case, unread| case.cluster.nodes = Err(unread),
    ] {
        let mut case = Case::new();
        change(&mut case, unread());
        assert_eq!(case.held(), (Truth::Unknown, Reason::CiliumUnreadable));
    }
}

#[test]
fn lists_with_other_entries_are_refused() {
    let mut case = Case::new();
    let with = |case: &mut Case, endpoint: &str| {
        let data = data(endpoint, "10.1.1.0/24", MAC);
        case.cluster.config = Ok(Some(ConfigMap {
            data,
            ..ConfigMap::default()
        }));
    };
    with(&mut case, "10.9.0.8");
    assert_eq!(case.held(), (Truth::False, Reason::VtepSourcesDiffer));
    with(&mut case, "10.9.0.1");
    assert_eq!(case.result().0, Some(both()));
}

#[test]
fn node_selector_of_another_client_is_a_conflict() {
    let mut case = Case::as_it_should_be();
    case.live[0].object.scope = scope(&["n1"]);
    assert_eq!(case.held(), (Truth::False, Reason::VtepConfigConflict));
}

#[test]
fn object_that_only_looks_says_what_it_would_write() {
    let mut case = Case::new();
    case.observes = true;
    assert_eq!(case.held(), (Truth::Unknown, Reason::Observed));
    let mut case = Case::as_it_should_be();
    case.observes = true;
    assert_eq!(case.held().1, Reason::VtepNotConfirmed);
}

/// The mask that is written, if anything is.
fn mask_of(mask: Option<&str>, units: Vec<Unit>, entries: Vec<WrittenEntry>) -> Decision {
    let own = Live {
        mask: mask.map(str::to_owned),
        ..live(NAME, UID, entries)
    };
    let mut case = Case::with(vec![own]);
    (case.units, case.shape) = (units, Shape::V2);
    case.decide()
}

#[test]
fn mask_follows_the_networks_where_the_object_has_one() {
    let wide = || unit("east", "a", "10.9.0.1", &["10.1.0.1/16"], MAC);
    let entries = || vec![entry("a", "10.9.0.1", "10.1.0.0/16", MAC)];
    let written = |decision: Decision| decision.apply.map(|write| write.mask);
    let mask = Some(Some("255.255.0.0".to_owned()));
    let default = Some("255.255.255.0");
    assert_eq!(written(mask_of(default, vec![wide()], vec![])), mask);
    assert_eq!(written(mask_of(default, vec![wide()], entries())), mask);
    let fits = mask_of(Some("255.255.0.0"), vec![wide()], entries());
    assert_eq!(written(fits), None);
    assert_eq!(written(mask_of(None, vec![wide()], entries())), None);
    let differ = mask_of(
        default,
        vec![wide(), unit("east", "b", "10.9.0.2", &["10.2.2.2/24"], MAC)],
        vec![],
    );
    assert_eq!(differ.apply, None);
    assert_eq!(differ.condition.reason, Reason::VtepPrefixesDiffer);
}

/// What the agent of a node says it has programmed.
fn says(node: &str, entries: Vec<WrittenEntry>) -> VtepNode {
    VtepNode {
        node: node.to_owned(),
        failed: Vec::new(),
        programmed: entries.into(),
    }
}

#[test]
fn programmed_by_every_node_is_true() {
    let mut case = Case::as_it_should_be();
    let other = entry("a", "10.9.0.8", "10.1.8.0/24", MAC);
    let all = || vec![entry_a(), entry_b(), other.clone()];
    for (nodes, found) in [
        (vec![], (Truth::Unknown, Reason::VtepNotConfirmed)),
        (
            vec![says("n1", all())],
            (Truth::Unknown, Reason::VtepNotConfirmed),
        ),
        (
            vec![says("n1", all()), says("n2", vec![entry_a()])],
            (Truth::Unknown, Reason::VtepNotConfirmed),
        ),
        (
            vec![says("n1", all()), says("n2", all())],
            (Truth::True, Reason::VtepProgrammed),
        ),
    ] {
        case.cluster.vtep_nodes = Ok(nodes);
        assert_eq!(case.held(), found);
    }
    // Another MAC address is not what was written.
    let older = vec![
        entry("a", "10.9.0.1", "10.1.1.0/24", "02:00:00:00:00:07"),
        entry_b(),
    ];
    case.cluster.vtep_nodes = Ok(vec![says("n1", all()), says("n2", older)]);
    assert_eq!(case.held().1, Reason::VtepNotConfirmed);
    assert!(
        case.decide()
            .condition
            .message
            .contains("1 of 2 nodes; not by n2")
    );
    case.cluster.vtep_nodes = Err(Unread("no".to_owned()));
    assert_eq!(case.held(), (Truth::Unknown, Reason::VtepNotConfirmed));
}

#[test]
fn failing_node_is_named_with_its_words() {
    let mut case = Case::as_it_should_be();
    let failed = |name: &str| VtepNode {
        failed: vec![(name.to_owned(), "table full".to_owned())],
        ..says("n2", vec![])
    };
    for name in ["a", ""] {
        case.cluster.vtep_nodes = Ok(vec![failed(name)]);
        assert_eq!(case.held(), (Truth::False, Reason::VtepNotProgrammed));
        let message = case.decide().condition.message;
        assert!(
            message.contains("n2") && message.ends_with("table full"),
            "{message}"
        );
    }
    case.cluster.vtep_nodes = Ok(vec![failed("of-others")]);
    assert_eq!(case.held(), (Truth::Unknown, Reason::VtepNotConfirmed));
}

#[test]
fn v2_is_judged_by_the_status_of_the_object() {
    let mut case = Case::as_it_should_be();
    case.shape = Shape::V2;
    assert_eq!(case.held(), (Truth::Unknown, Reason::VtepNotConfirmed));
    case.live[0].synced = ["a".to_owned()].into();
    assert_eq!(case.held(), (Truth::Unknown, Reason::VtepNotConfirmed));
    case.live[0].synced.insert("b".to_owned());
    // Names stay when a MAC address changes: a status of before proves nothing.
    assert_eq!(case.held(), (Truth::Unknown, Reason::VtepNotConfirmed));
    case.live[0].confirmed = case.live[0].synced.clone();
    assert_eq!(case.held(), (Truth::True, Reason::VtepProgrammed));
    case.live[0].is_outdated = true;
    assert_eq!(case.held(), (Truth::Unknown, Reason::VtepNotConfirmed));
    case.live[0].is_outdated = false;
    case.live[0].object.failed = vec![("b".to_owned(), "full".to_owned())];
    assert_eq!(case.held(), (Truth::False, Reason::VtepNotProgrammed));
}

#[test]
fn status_about_an_older_spec_is_outdated() {
    let of = |observed: Option<i64>| {
        let content = json!({
            "spec": {"cidrMask": "255.255.0.0"},
            "status": {
                "endpointStatuses": [{"name": "a", "synced": true}],
                "conditions": [{"type": "Ready", "status": "True", "observedGeneration": observed}],
            },
        });
        let object = live(NAME, UID, vec![]).object;
        let revision = Revision {
            generation: Some(2),
            changed: None,
        };
        let live = Live::new(object, None, &content, revision);
        assert_eq!(live.mask.as_deref(), Some("255.255.0.0"));
        assert_eq!(live.synced, BTreeSet::from(["a".to_owned()]));
        (live.is_outdated, live.confirmed.len())
    };
    assert_eq!(of(Some(2)), (false, 1));
    assert_eq!(of(Some(1)), (true, 0));
    assert_eq!(of(None), (false, 0));
}

#[test]
fn unit_that_speaks_otherwise_is_refused_first() {
    let mut case = Case::as_it_should_be();
    case.units[1].vni = Some(3);
    assert_eq!(case.held(), (Truth::False, Reason::VniMismatch));
    case.units[1].vni = None;
    assert_eq!(case.held(), (Truth::Unknown, Reason::Pending));
    case.units[1].vni = Some(2);
    case.units[0].encapsulation = Some(Encapsulation::Geneve);
    assert_eq!(case.held(), (Truth::False, Reason::EncapsulationMismatch));
    case.units[0].encapsulation = Some(Encapsulation::Vxlan);
    assert_eq!(case.held().1, Reason::VtepNotConfirmed);
}

#[test]
fn object_that_is_being_deleted_is_not_programmed() {
    let mut case = Case::as_it_should_be();
    case.live[0].leaving = Some(vec!["example.com/hold".to_owned()]);
    assert_eq!(case.held(), (Truth::Unknown, Reason::Pending));
    let message = case.decide().condition.message;
    assert!(message.contains("example.com/hold"), "{message}");
}
