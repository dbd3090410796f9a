//! Tests of damping.

use proptest::prelude::*;

use super::*;
use crate::testing::{node, worker};

fn at(millis: u64) -> Moment {
    Moment::since_start(Duration::from_millis(millis))
}

fn ip(last: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 0, 0, last)
}

/// No record is claimed.
fn never(_: Ipv4Addr) -> bool {
    false
}

fn shows(last: u8) -> [NodeView; 1] {
    [worker("worker", &ip(last).to_string())]
}

/// The address in use after these looks: milliseconds, and the last octet that the node shows.
struct Case {
    damping: Damping,
    /// Records that were in use at any time.
    used: BTreeSet<Ipv4Addr>,
}

impl Case {
    fn new() -> Self {
        let mut case = Self {
            damping: Damping::default(),
            used: BTreeSet::new(),
        };
        case.look(0, 1);
        case
    }

    fn look(&mut self, millis: u64, last: u8) -> (Ipv4Addr, Settled) {
        let rule = AddressRule::default();
        let settled = self.damping.settle(&shows(last), &rule, &never, at(millis));
        let damped = settled.damped.get("worker");
        let address = damped.map_or(ip(last), |damped| damped.address);
        self.used.insert(address);
        (address, settled)
    }
}

#[test]
fn first_change_takes_effect_at_once() {
    let mut case = Case::new();
    assert_eq!(case.look(1_000, 2), (ip(2), Settled::default()));
    assert_eq!(case.look(601_000, 3), (ip(3), Settled::default()));
}

#[test]
fn further_change_takes_effect_after_it_lasted() {
    let mut case = Case::new();
    case.look(1_000, 2);
    let (address, settled) = case.look(2_000, 3);
    assert_eq!((address, settled.next), (ip(2), Some(at(12_000))));
    assert_eq!(case.look(11_999, 3).0, ip(2));
    assert_eq!(case.look(12_000, 3), (ip(3), Settled::default()));
}

#[test]
fn flapping_node_leaves_only_one_record() {
    let mut case = Case::new();
    let mut last = 1;
    for step in 1..=600 {
        last = if last == 250 { 2 } else { last + 1 };
        case.look(step * 250, last);
    }
    assert_eq!(case.used.len(), 2);
    let (address, settled) = case.look(150_001, last);
    assert_eq!(address, ip(2));
    assert!(settled.damped["worker"].is_shown);
    assert_eq!(
        case.damping.against_nodes(MacPrefix::DEFAULT, 25),
        [].into()
    );
    // It ends where the node ends.
    assert_eq!(case.look(160_001, last), (ip(last), Settled::default()));
}

#[test]
fn node_that_changes_back_and_forth_stays_unstable() {
    let mut case = Case::new();
    case.look(1_000, 2);
    for step in 8..80 {
        let (address, settled) = case.look(step * 250, if step % 2 == 0 { 1 } else { 2 });
        assert_eq!(address, ip(2));
        assert!(settled.damped.contains_key("worker"), "{step}");
    }
    let (_, settled) = case.look(20_000, 2);
    assert!(settled.damped.contains_key("worker"));
    assert_eq!(case.look(40_000, 2), (ip(2), Settled::default()));
}

#[test]
fn node_over_its_share_of_records_is_frozen() {
    let mut case = Case::new();
    let mut now = 1_000;
    for last in 2..=10 {
        case.look(now, last);
        now += 10_000;
        assert_eq!(case.look(now, last).0, ip(last));
        now += 1_000;
    }
    // The first one counts as every removal does, the eight others against the node.
    let against = case.damping.against_nodes(MacPrefix::DEFAULT, 25);
    let expected = (2..=9).map(|last| MacPrefix::DEFAULT.derive(ip(last)));
    assert_eq!(against, expected.collect());
    case.look(now, 11);
    let (address, settled) = case.look(now + 299_999, 11);
    assert_eq!(address, ip(10));
    let damped = &settled.damped["worker"];
    assert_eq!(
        (damped.lasting, damped.is_shown),
        (STABLE_WHEN_FROZEN, true)
    );
    assert_eq!(case.look(now + 300_000, 11).0, ip(11));
    let after = case.damping.against_nodes(MacPrefix::DEFAULT, 25);
    assert_eq!(after.len(), AGAINST_NODE_MAX);
}

/// The records of these last octets that count against nodes.
fn against(damping: &Damping) -> Vec<u8> {
    let prefix = MacPrefix::DEFAULT;
    let macs = damping.against_nodes(prefix, 25);
    (1..=250)
        .filter(|last| macs.contains(&prefix.derive(ip(*last))))
        .collect()
}

/// Several nodes and their records, none of which ever goes: the budget holds them.
struct Held {
    damping: Damping,
    claimed: BTreeSet<Ipv4Addr>,
}

impl Held {
    fn new() -> Self {
        Self {
            damping: Damping::default(),
            claimed: BTreeSet::new(),
        }
    }

    fn look(&mut self, second: u64, lasts: &[u8]) {
        let nodes = lasts.iter().enumerate();
        let nodes = nodes.map(|(n, last)| worker(&format!("w-{n}"), &ip(*last).to_string()));
        let nodes: Vec<NodeView> = nodes.collect();
        let rule = AddressRule::default();
        let is_claimed = |address| self.claimed.contains(&address);
        self.damping
            .settle(&nodes, &rule, &is_claimed, at(second * 1_000));
        let memories = self.damping.nodes.values();
        self.claimed.extend(memories.map(|memory| memory.accepted));
    }

    /// Shows these addresses for long enough.
    fn shows(&mut self, second: u64, lasts: &[u8]) {
        self.look(second, lasts);
        self.look(second + 10, lasts);
        let memories = self.damping.nodes.values();
        let mut accepted: Vec<_> = memories.map(|memory| memory.accepted).collect();
        let mut shown: Vec<_> = lasts.iter().map(|last| ip(*last)).collect();
        accepted.sort_unstable();
        shown.sort_unstable();
        assert_eq!(accepted, shown);
    }

    fn changes(&self) -> Vec<usize> {
        let memories = self.damping.nodes.values();
        memories.map(|memory| memory.changes.len()).collect()
    }
}

#[test]
fn flapping_of_all_nodes_is_not_exempt() {
    let (first, second) = ([1, 2, 3, 4, 5], [101, 102, 103, 104, 105]);
    let mut case = Held::new();
    case.shows(0, &first);
    case.shows(20, &second);
    case.shows(40, &first);
    case.shows(60, &second);
    assert_eq!(case.changes(), [3; 5]);
    // The first records are those of the cluster, the second ones came with the changes.
    assert_eq!(against(&case.damping), second);
    // Also when the first changes were more than an hour ago and the last ones were not.
    case.look(3_655, &second);
    assert_eq!(case.changes(), [1; 5]);
    assert_eq!(against(&case.damping), [0_u8; 0]);
}

#[test]
fn record_left_again_after_an_hour_still_counts() {
    let mut case = Held::new();
    case.shows(0, &[1]);
    case.shows(20, &[2]);
    case.shows(40, &[1]);
    // The change that left 1 first is forgotten, the one back to it is not.
    case.shows(3_630, &[2]);
    assert_eq!(case.changes(), [2]);
    assert_eq!(against(&case.damping), [2]);
}

#[test]
fn record_from_before_the_changes_counts() {
    // A process that has begun since, and a record of a node that is gone.
    let mut case = Held::new();
    case.claimed = [ip(1), ip(3)].into();
    case.shows(0, &[2]);
    for (second, last) in [(20, 1), (40, 3), (60, 4), (80, 5)] {
        case.shows(second, &[last]);
    }
    assert_eq!(case.changes(), [4]);
    assert_eq!(against(&case.damping), [4]);
}

#[test]
fn record_counted_for_one_node_counts_for_all() {
    let mut case = Held::new();
    // Each takes the address of the other, and leaves it.
    case.shows(0, &[1, 2]);
    case.shows(20, &[2, 1]);
    case.shows(40, &[11, 12]);
    assert_eq!(against(&case.damping), [0_u8; 0]);
}

#[test]
fn recreated_record_is_exempt_for_its_node() {
    let mut case = Held::new();
    case.shows(0, &[1]);
    case.shows(20, &[2]);
    case.claimed.remove(&ip(1));
    case.shows(40, &[1]);
    case.shows(60, &[2]);
    assert_eq!(against(&case.damping), [1, 2]);
}

#[test]
fn exemption_is_off_if_all_removals_need_approval() {
    let mut case = Case::new();
    case.look(1_000, 2);
    case.look(11_000, 3);
    case.look(21_000, 3);
    assert_eq!(against(&case.damping), [2]);
    let none = case.damping.against_nodes(MacPrefix::DEFAULT, 0);
    assert_eq!(none, [].into());
}

#[test]
fn edit_of_the_spec_is_not_damped() {
    let both = |external: u8| {
        let node = node("worker").address("InternalIP", "10.0.0.1");
        [node
            .address("ExternalIP", &ip(external).to_string())
            .build()]
    };
    let rule = |kind| AddressRule {
        kind,
        ..AddressRule::default()
    };
    let internal = rule(crate::node::AddressKind::InternalIp);
    let external = rule(crate::node::AddressKind::ExternalIp);
    let mut damping = Damping::default();
    for (millis, rule) in [(0, &internal), (100, &external), (200, &internal)] {
        assert_eq!(
            damping.settle(&both(9), rule, &never, at(millis)),
            Settled::default()
        );
    }
    // Nor does it count: the first change of the node is its first.
    damping.settle(&both(9), &external, &never, at(300));
    assert_eq!(
        damping.settle(&both(8), &external, &never, at(400)),
        Settled::default()
    );
}

#[test]
fn recreated_node_starts_without_history() {
    let mut case = Case::new();
    case.look(1_000, 2);
    let again = NodeView {
        uid: "uid-2".into(),
        ..worker("worker", "10.0.0.3")
    };
    let rule = AddressRule::default();
    let settled = case.damping.settle(&[again], &rule, &never, at(1_100));
    assert_eq!(settled, Settled::default());
    assert_eq!(case.damping.nodes.len(), 1);
}

#[test]
fn node_that_loses_and_regains_its_address_is_stable() {
    let mut damping = Damping::default();
    let rule = AddressRule::default();
    for (millis, nodes) in [
        (0, shows(1)),
        (100, [node("worker").build()]),
        (200, shows(1)),
    ] {
        assert_eq!(
            damping.settle(&nodes, &rule, &never, at(millis)),
            Settled::default()
        );
    }
}

#[test]
fn list_shows_nodes_with_the_addresses_in_use() {
    let rule = AddressRule::default();
    let damped = Damped {
        address: ip(1),
        lasting: STABLE,
        is_shown: true,
    };
    let unstable = NodeView {
        damped: Some(damped),
        ..worker("unstable", "10.0.0.9")
    };
    let known = [unstable, worker("changed", "10.0.0.2")];
    let mut listed = [
        worker("unstable", "10.0.0.8"),
        worker("changed", "10.0.0.3"),
        worker("new", "10.0.0.4"),
    ];
    settle_list(&mut listed, &known, &rule);
    let addresses = listed.each_ref().map(|node| node.tunnel_address(&rule));
    assert_eq!(addresses, [Ok(ip(1)), Ok(ip(2)), Ok(ip(4))]);
    // What it lists itself counts as well: its record is not removed.
    assert!(listed[0].lists(ip(8)));
}

#[test]
fn damped_address_is_no_change_of_the_nodes() {
    let rule = AddressRule::default();
    let same = |before: &NodeView, after: &NodeView| {
        let nodes = |node: &NodeView| [node.clone(), node_that_is_not_selected()];
        same_selected(&nodes(before), &nodes(after), &rule)
    };
    let stable = worker("a", "10.0.0.1");
    let unstable = |shown: &str, is_shown| NodeView {
        damped: Some(Damped {
            address: ip(1),
            lasting: STABLE,
            is_shown,
        }),
        ..worker("a", shown)
    };
    assert!(same(&stable, &unstable("10.0.0.2", false)));
    assert!(same(
        &unstable("10.0.0.2", false),
        &unstable("10.0.0.3", false)
    ));
    assert!(!same(
        &unstable("10.0.0.2", false),
        &unstable("10.0.0.3", true)
    ));
    assert!(!same(
        &unstable("10.0.0.2", false),
        &worker("a", "10.0.0.2")
    ));
    assert!(!same(&stable, &worker("a", "10.0.0.2")));
    assert!(!same_selected(&[stable], &[], &rule));
}

fn node_that_is_not_selected() -> NodeView {
    node("other").unselected().build()
}

proptest! {
    #[test]
    fn records_left_within_an_hour_are_bounded(
        steps in proptest::collection::vec((1_u64..30_000, 1_u8..250), 1..400),
    ) {
        let mut case = Case::new();
        let (mut now, mut changes) = (0, Vec::new());
        let mut before = ip(1);
        for (pause, last) in steps {
            now += pause;
            let (address, _) = case.look(now, last);
            if address != before {
                changes.push(now);
                before = address;
            }
            let within = changes.iter().filter(|at| now - **at < 3_600_000).count();
            // Nine at most, and then one in five minutes.
            prop_assert!(within <= 1 + AGAINST_NODE_MAX + 12, "{within}");
        }
        let against = case.damping.against_nodes(MacPrefix::DEFAULT, 25);
        prop_assert!(against.len() <= AGAINST_NODE_MAX + 1);
    }

    #[test]
    fn lasting_address_takes_effect(
        steps in proptest::collection::vec((1_u64..2_000, 1_u8..5), 1..100), last in 1_u8..5,
    ) {
        let mut case = Case::new();
        let mut now = 0;
        for (pause, last) in steps {
            now += pause;
            case.look(now, last);
        }
        case.look(now, last);
        let mut next = Some(at(now));
        while let Some(due) = next {
            let millis = u64::try_from(at(0).until(due).as_millis()).unwrap();
            next = case.look(millis, last).1.next;
        }
        prop_assert_eq!(case.look(now + 300_000, last), (ip(last), Settled::default()));
    }
}
