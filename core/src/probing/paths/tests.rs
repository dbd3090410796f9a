//! Tests of the order of pings, and of what they add up to.

use super::*;
use crate::desired::DesiredNode;
use crate::mac::MacPrefix;

const INTERVAL: Duration = Duration::from_secs(300);

fn at(second: u64) -> (Moment, Timestamp) {
    let moment = Moment::since_start(Duration::from_secs(second));
    let time = Timestamp::from_second(i64::try_from(second).unwrap()).unwrap();
    (moment, time)
}

/// Nodes with these last octets.
fn nodes(numbers: &[u8]) -> Arc<Desired> {
    let node = |number: &u8| {
        let address = Ipv4Addr::new(10, 0, 0, *number);
        let node = DesiredNode {
            name: format!("node-{number}"),
            uid: format!("uid-{number}"),
            address,
        };
        (MacPrefix::DEFAULT.derive(address), node)
    };
    Arc::new(Desired {
        nodes: numbers.iter().map(node).collect(),
        ..Desired::default()
    })
}

/// The health endpoint of a node.
fn health(name: &str) -> Result<Ipv4Addr, NotAsked> {
    let number = name.strip_prefix("node-");
    let number = number.and_then(|number| number.parse().ok());
    let address = number.map(|number| Ipv4Addr::new(10, 1, 0, number));
    address.ok_or_else(|| NotAsked::NoAddress("no node".to_owned()))
}

fn no_health(_: &str) -> Result<Ipv4Addr, NotAsked> {
    Err(NotAsked::NoAddress(
        "its Cilium agent is not Ready".to_owned(),
    ))
}

fn begun(numbers: &[u8]) -> Paths {
    let mut paths = Paths::default();
    paths.update(nodes(numbers), None, &BTreeMap::new(), at(0).0);
    paths
}

/// A node comes to those that are there.
fn join(paths: &mut Paths, numbers: &[u8], newcomer: u8, second: u64) {
    let came = at(second).0;
    let arrivals = BTreeMap::from([(format!("node-{newcomer}"), came)]);
    paths.update(nodes(numbers), None, &arrivals, came);
}

fn picked(paths: &mut Paths, limit: usize, second: u64) -> Vec<u8> {
    let targets = paths.pick(limit, health, at(second));
    let number = |target: &Target| target.address.octets()[3];
    targets.iter().map(number).collect()
}

/// Pings one node, however soon it is.
fn ping(paths: &mut Paths, number: u8, outcome: Outcome, second: u64) -> Option<Duration> {
    let endpoint = Ipv4Addr::new(10, 0, 0, number);
    let target = Target {
        mac: MacPrefix::DEFAULT.derive(endpoint),
        endpoint,
        address: Ipv4Addr::new(10, 1, 0, number),
    };
    paths.note(&target, outcome, INTERVAL, at(second))
}

fn known_path() -> Outcome {
    Outcome::Reached(vec![Doubt::KnownBefore])
}

fn counts(paths: &Paths, second: u64) -> [usize; 5] {
    let counts = paths.report(at(second).0).counts;
    [
        counts.proven,
        counts.reached,
        counts.not_reached,
        counts.not_asked,
        counts.waiting,
    ]
}

#[test]
fn each_node_is_pinged_once_per_interval() {
    let mut paths = begun(&[1, 2, 3]);
    assert_eq!(picked(&mut paths, 64, 0), [1, 2, 3]);
    for number in [1, 2, 3] {
        ping(&mut paths, number, Outcome::Proven, 10);
    }
    assert_eq!(picked(&mut paths, 64, 309), [0; 0]);
    assert_eq!(paths.next_due(), Some(at(310).0));
    assert_eq!(picked(&mut paths, 2, 310), [1, 2]);
}

#[test]
fn new_nodes_come_first_then_those_that_missed() {
    let mut paths = begun(&[1, 2, 3]);
    ping(&mut paths, 3, Outcome::NoArpAnswer, 0);
    join(&mut paths, &[1, 2, 3, 4], 4, 50);
    assert_eq!(picked(&mut paths, 64, 50), [4, 3, 1, 2]);
    ping(&mut paths, 4, Outcome::Proven, 51);
    assert_eq!(picked(&mut paths, 64, 351), [3, 1, 2, 4]);
}

#[test]
fn third_miss_in_a_row_counts() {
    let mut paths = begun(&[1]);
    ping(&mut paths, 1, Outcome::Proven, 0);
    for second in [300, 305] {
        ping(&mut paths, 1, Outcome::NoArpAnswer, second);
        assert_eq!(counts(&paths, second), [1, 0, 0, 0, 0]);
    }
    ping(&mut paths, 1, Outcome::NoArpAnswer, 315);
    assert_eq!(counts(&paths, 315), [0, 0, 1, 0, 0]);
    let problem = &paths.report(at(315).0).problems[0];
    assert_eq!(
        (problem.node.as_str(), problem.outcome),
        ("node-1", "NoARPAnswer")
    );
    // It stays one problem, since when it began.
    ping(&mut paths, 1, Outcome::ArpMacZero, 335);
    let problem = &paths.report(at(335).0).problems[0];
    assert_eq!((problem.outcome, problem.since), ("ARPMACZero", at(315).1));
    ping(&mut paths, 1, known_path(), 400);
    assert_eq!(counts(&paths, 400), [0, 1, 0, 0, 0]);
    assert!(paths.report(at(400).0).problems.is_empty());
}

#[test]
fn answer_between_misses_begins_the_count_again() {
    let mut paths = begun(&[1]);
    for outcome in [Outcome::NoArpAnswer, Outcome::NoArpAnswer, Outcome::Proven] {
        ping(&mut paths, 1, outcome.clone(), 0);
        ping(&mut paths, 1, outcome, 0);
        ping(&mut paths, 1, known_path(), 0);
    }
    assert_eq!(counts(&paths, 0), [1, 0, 0, 0, 0]);
}

#[test]
fn known_path_takes_no_proof_back() {
    let mut paths = begun(&[1, 2]);
    ping(&mut paths, 1, known_path(), 0);
    ping(&mut paths, 2, Outcome::Proven, 0);
    ping(&mut paths, 2, known_path(), 300);
    assert_eq!(counts(&paths, 300), [1, 1, 0, 0, 0]);
    assert_eq!(paths.report(at(300).0).last_proven, Some(at(0).1));
}

#[test]
fn answer_without_its_record_is_in_trouble() {
    let mut paths = begun(&[1]);
    ping(&mut paths, 1, Outcome::Proven, 0);
    let without = Outcome::Reached(vec![Doubt::NoRecord, Doubt::KnownBefore]);
    ping(&mut paths, 1, without, 300);
    let report = paths.report(at(300).0);
    assert_eq!((report.counts.reached, report.unproven), (1, 1));
    assert_eq!(report.problems[0].outcome, "Reached");
}

#[test]
fn record_that_changed_begins_anew() {
    let mut paths = begun(&[1]);
    ping(&mut paths, 1, Outcome::Proven, 0);
    let mut other = Desired::clone(&nodes(&[1]));
    for node in other.nodes.values_mut() {
        node.uid = "another".to_owned();
    }
    paths.update(Arc::new(other), None, &BTreeMap::new(), at(10).0);
    assert_eq!(counts(&paths, 10), [0, 0, 0, 0, 1]);
    paths.update(nodes(&[]), None, &BTreeMap::new(), at(20).0);
    assert_eq!(counts(&paths, 20), [0; 5]);
}

#[test]
fn own_address_of_the_tunnel_is_not_pinged() {
    let mut paths = Paths::default();
    let own = Some("10.0.0.1".parse().unwrap());
    paths.update(nodes(&[1, 2]), own, &BTreeMap::new(), at(0).0);
    assert_eq!(picked(&mut paths, 64, 0), [2]);
}

#[test]
fn newcomer_has_a_grace_before_it_counts() {
    let mut paths = begun(&[1]);
    join(&mut paths, &[1, 2], 2, 1000);
    for second in [1000, 1005, 1015, 1035, 1075] {
        ping(&mut paths, 2, Outcome::NoArpAnswer, second);
    }
    let report = paths.report(at(1075).0);
    assert_eq!((report.counts.not_reached, report.joining), (0, 1));
    ping(&mut paths, 2, Outcome::NoArpAnswer, 1155);
    assert_eq!(paths.report(at(1155).0).counts.not_reached, 1);
}

#[test]
fn first_proof_of_a_newcomer_is_timed_once() {
    let mut paths = begun(&[1]);
    assert_eq!(ping(&mut paths, 1, Outcome::Proven, 5), None);
    join(&mut paths, &[1, 2], 2, 1000);
    assert_eq!(ping(&mut paths, 2, known_path(), 1002), None);
    let first = ping(&mut paths, 2, Outcome::Proven, 1003);
    assert_eq!(first, Some(Duration::from_secs(3)));
    assert_eq!(ping(&mut paths, 2, Outcome::Proven, 1400), None);
}

#[test]
fn node_without_address_is_looked_at_again_soon() {
    let mut paths = begun(&[1]);
    assert!(paths.pick(64, no_health, at(0)).is_empty());
    assert_eq!(counts(&paths, 0), [0, 0, 0, 1, 0]);
    assert_eq!(paths.next_due(), Some(at(10).0));
    assert_eq!(picked(&mut paths, 64, 10), [1]);
    ping(&mut paths, 1, Outcome::Proven, 10);
    // An agent that restarts takes nothing back at once.
    assert!(paths.pick(64, no_health, at(310)).is_empty());
    assert_eq!(counts(&paths, 310), [1, 0, 0, 0, 0]);
    assert!(paths.pick(64, no_health, at(430)).is_empty());
    assert_eq!(counts(&paths, 430), [0, 0, 0, 1, 0]);
}

#[test]
fn node_without_address_takes_no_place_in_a_round() {
    let mut paths = begun(&[1, 2]);
    let one_has = |name: &str| match name {
        "node-1" => no_health(name),
        _ => health(name),
    };
    assert_eq!(paths.pick(1, one_has, at(0)).len(), 1);
}

#[test]
fn problems_name_those_not_reached_first_and_end_at_16() {
    let numbers: Vec<u8> = (1..=40).collect();
    let mut paths = begun(&numbers);
    assert!(paths.pick(64, no_health, at(0)).is_empty());
    for second in [10, 15, 25] {
        ping(&mut paths, 30, Outcome::NoArpAnswer, second);
    }
    let report = paths.report(at(25).0);
    assert_eq!(report.problems.len(), 16);
    assert_eq!(report.problems[0].node, "node-30");
    assert_eq!(report.counts.not_asked, 39);
}
