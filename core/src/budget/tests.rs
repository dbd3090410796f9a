//! Tests of the removal budget.

use proptest::prelude::*;

use super::*;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

const NONE: Window = Window {
    nodes: None,
    steps: Vec::new(),
};

fn deselected(count: usize) -> Tally {
    Tally {
        deselected: count,
        ..Tally::default()
    }
}

fn address_changed(count: usize) -> Tally {
    Tally {
        address_changed: count,
        ..Tally::default()
    }
}

fn node_deleted(count: usize) -> Tally {
    Tally {
        node_deleted: count,
        ..Tally::default()
    }
}

/// A cluster that only ever loses nodes, each with its record.
fn take(window: &Window, claimed: usize, removed: Tally, now: i64) -> Result<Window, OverBudget> {
    let census = Census {
        claimed,
        undesired: removed.total(),
        nodes: claimed - removed.nodes_lost(),
    };
    let due = Due {
        counted: removed,
        ..Due::default()
    };
    spend(window, census, due, 25, at(now))
}

#[test]
fn quarter_of_the_records_may_go_within_an_hour() {
    for tally in [deselected, address_changed, node_deleted] {
        let window = take(&NONE, 100, tally(25), 0).unwrap();
        assert_eq!(window.baseline(), Some(100));
        assert_eq!(window.removed(), tally(25));
        let refused = take(&window, 75, tally(1), 3_599).unwrap_err();
        assert_eq!((refused.allowed, refused.cost), (25, 26));
    }
}

#[test]
fn budget_cannot_be_drained_in_small_steps() {
    for tally in [deselected, address_changed, node_deleted] {
        let (mut window, mut claimed) = (NONE, 100);
        while let Ok(next) = take(&window, claimed, tally(1), 10) {
            window = next;
            claimed -= 1;
        }
        assert_eq!(claimed, 75);
    }
}

#[test]
fn too_many_removals_are_refused_as_a_whole() {
    let refused = take(&NONE, 10, deselected(3), 0).unwrap_err();
    let expected = OverBudget {
        asked: 3,
        cost: 3,
        allowed: 2,
        baseline: 10,
    };
    assert_eq!(refused, expected);
}

#[test]
fn two_removals_pass_unless_all_need_approval() {
    assert!(take(&NONE, 3, deselected(2), 0).is_ok());
    assert!(take(&NONE, 3, deselected(3), 0).is_err());
    let census = Census {
        claimed: 101,
        undesired: 1,
        nodes: 100,
    };
    let due = |counted, approved| Due { counted, approved };
    // Also one that costs nothing.
    let replaced = Census {
        claimed: 101,
        nodes: 100,
        undesired: 1,
    };
    let noted = Window {
        nodes: Some(100),
        steps: Vec::new(),
    };
    let one = due(node_deleted(1), Tally::default());
    assert!(spend(&NONE, census, one, 0, at(0)).is_err());
    assert!(spend(&noted, replaced, one, 0, at(0)).is_err());
    let approved = due(Tally::default(), node_deleted(1));
    assert!(spend(&NONE, census, approved, 0, at(0)).is_ok());
}

#[test]
fn removal_counts_for_an_hour_of_its_own() {
    let first = take(&NONE, 20, deselected(1), 0).unwrap();
    let full = take(&first, 19, deselected(4), 3_000).unwrap();
    // The first one counts no longer, the other four still do: a quarter of 19 is four.
    assert!(take(&full, 15, deselected(1), 3_600).is_err());
    let later = take(&full, 15, deselected(2), 6_600).unwrap();
    assert_eq!(
        (later.baseline(), later.removed()),
        (Some(15), deselected(2))
    );
}

#[test]
fn clock_that_jumps_back_refills_nothing() {
    let window = take(&NONE, 20, deselected(5), 10_000).unwrap();
    assert!(take(&window, 15, deselected(1), 0).is_err());
}

#[test]
fn refused_scale_down_stays_refused_over_time() {
    let waiting = Census {
        claimed: 100,
        undesired: 40,
        nodes: 60,
    };
    let noted = Window {
        nodes: Some(100),
        steps: Vec::new(),
    };
    let ask = |window: &Window, counted, now| {
        let due = Due {
            counted,
            ..Due::default()
        };
        spend(window, waiting, due, 25, at(now))
    };
    assert_eq!(ask(&noted, node_deleted(40), 0).unwrap_err().cost, 40);
    assert!(ask(&noted, node_deleted(40), 100_000).is_err());
    // What was removed for another reason meanwhile does not lower the mark either.
    let other = ask(&noted, address_changed(1), 0).unwrap();
    assert_eq!(other.nodes, Some(100));
    assert!(ask(&other, node_deleted(40), 100_000).is_err());
    // Nor does a part of it: what is due first is held for what follows.
    assert!(ask(&noted, node_deleted(1), 0).is_err());
}

#[test]
fn approved_scale_down_makes_room_for_replacements() {
    let waiting = Census {
        claimed: 100,
        undesired: 40,
        nodes: 60,
    };
    let noted = Window {
        nodes: Some(100),
        steps: Vec::new(),
    };
    let approved = Due {
        approved: node_deleted(40),
        ..Due::default()
    };
    let window = spend(&noted, waiting, approved, 25, at(0)).unwrap();
    assert_eq!((window.nodes, &*window.steps), (Some(60), [].as_slice()));
    let replaced = Census {
        claimed: 61,
        undesired: 1,
        nodes: 60,
    };
    let one = Due {
        counted: node_deleted(1),
        ..Due::default()
    };
    let window = spend(&window, replaced, one, 25, at(60)).unwrap();
    assert_eq!(window.steps[0].nodes, 60);
}

#[test]
fn nodes_that_all_change_their_address_count_once() {
    let census = Census {
        claimed: 20,
        undesired: 10,
        nodes: 10,
    };
    let noted = Window {
        nodes: Some(10),
        steps: Vec::new(),
    };
    let ask = |count| {
        let due = Due {
            counted: address_changed(count),
            ..Due::default()
        };
        spend(&noted, census, due, 25, at(0))
    };
    assert_eq!(ask(3).unwrap_err().baseline, 10);
    assert_eq!(ask(2).unwrap().baseline(), Some(10));
}

#[test]
fn unset_node_level_is_that_of_the_claims() {
    let census = Census {
        claimed: 100,
        undesired: 40,
        nodes: 60,
    };
    assert_eq!(NONE.level(census), 100);
    let stale = Window {
        nodes: Some(500),
        steps: Vec::new(),
    };
    // Their records went in another way.
    assert_eq!(stale.level(census), 100);
    let low = Window {
        nodes: Some(3),
        steps: Vec::new(),
    };
    assert_eq!(low.level(census), 60);
}

#[test]
fn record_on_several_devices_counts_once() {
    let mac = |last| MacAddress::new([0x0a, 0x0a, 10, 0, 0, last]);
    let causes = [
        (mac(1), Cause::NodeDeleted),
        (mac(2), Cause::Deselected),
        (mac(3), Cause::AddressChanged),
        (mac(4), Cause::AddressChanged),
    ];
    let due = Due::of(&causes.into(), &[mac(2)].into(), &[mac(2), mac(3)].into());
    let counted = Tally {
        node_deleted: 1,
        address_changed: 1,
        deselected: 0,
    };
    assert_eq!(due.counted, counted);
    assert_eq!(due.approved, address_changed(1));
}

/// A cluster and its records. What the operator would know and do, without anything between.
struct Cluster {
    window: Window,
    nodes: usize,
    /// Nodes that exist and are not selected, whether or not their records wait still.
    outside: usize,
    /// Records that no node desires, by cause.
    waiting: Tally,
    now: i64,
    percent: u8,
    /// When there were how many nodes, and how many outside.
    history: Vec<(i64, usize, usize)>,
    /// When which records were removed, how many were claimed before, and how long the history was.
    removals: Vec<(i64, usize, Tally, usize)>,
}

impl Cluster {
    fn new(nodes: usize, percent: u8) -> Self {
        let mut cluster = Self {
            window: NONE,
            nodes,
            outside: 0,
            waiting: Tally::default(),
            now: 0,
            percent,
            history: Vec::new(),
            removals: Vec::new(),
        };
        cluster.note();
        cluster
    }

    fn census(&self) -> Census {
        let undesired = self.waiting.total();
        Census {
            claimed: self.nodes + undesired,
            undesired,
            nodes: self.nodes,
        }
    }

    fn note(&mut self) {
        self.window.nodes = Some(self.window.level(self.census()));
        self.history.push((self.now, self.nodes, self.outside));
    }

    fn change(&mut self, change: Change) {
        let lose = |count: usize, nodes: &mut usize| {
            let count = count.min(nodes.saturating_sub(1));
            *nodes -= count;
            count
        };
        match change {
            Change::Add(count) => self.nodes += count,
            Change::Delete(count) => self.waiting.node_deleted += lose(count, &mut self.nodes),
            Change::Deselect(count) => {
                let count = lose(count, &mut self.nodes);
                self.waiting.deselected += count;
                self.outside += count;
            }
            Change::Reselect(count) => {
                let count = count.min(self.outside);
                self.outside -= count;
                self.nodes += count;
                self.waiting.deselected = self.waiting.deselected.saturating_sub(count);
            }
            Change::Readdress(count) => self.waiting.address_changed += count.min(self.nodes),
            Change::Wait(seconds) => self.now += seconds,
        }
        self.note();
    }

    /// Removes what waits, if that is allowed.
    fn remove(&mut self) -> bool {
        let due = Due {
            counted: self.waiting,
            ..Due::default()
        };
        match spend(&self.window, self.census(), due, self.percent, at(self.now)) {
            Ok(window) => {
                self.window = window;
                let claimed = self.census().claimed;
                let so_far = self.history.len();
                self.removals
                    .push((self.now, claimed, self.waiting, so_far));
                self.waiting = Tally::default();
                true
            }
            Err(_) => false,
        }
    }

    fn allowed(&self, claimed: usize) -> usize {
        (claimed * usize::from(self.percent) / 100).max(2)
    }

    /// In no hour more went than may, by the whole history. Removals are kept in steps of five minutes, so
    /// that the records claimed at the start of an hour are those of some moment before.
    fn check(&self) -> Result<(), TestCaseError> {
        for (index, (now, _, tally, so_far)) in self.removals.iter().enumerate() {
            // An hour is judged where something goes at its end.
            if tally.total() == 0 {
                continue;
            }
            let before = self.removals.iter().take(index + 1);
            let claimed = before.clone().filter(|(at, ..)| now - at < 3_600 + 300);
            let allowed = self.allowed(claimed.map(|(_, claimed, ..)| *claimed).max().unwrap_or(0));
            let within = before.filter(|(at, ..)| now - at < 3_600);
            let removed = within.fold(Tally::default(), |sum, (_, _, tally, _)| sum.plus(*tally));
            let until_now = self.history.iter().take(*so_far);
            let (_, nodes, outside) = until_now.clone().next_back().copied().unwrap_or_default();
            // How far the nodes fell since any moment of the hour, but for those that went outside since.
            let recent = until_now.filter(|(time, ..)| now - time < 3_600);
            let fell = recent.map(|(_, before, outside_before)| {
                let went_outside = outside.saturating_sub(*outside_before);
                before.saturating_sub(nodes + went_outside)
            });
            let fell = match removed.node_deleted {
                0 => 0,
                _ => fell.max().unwrap_or(0),
            };
            let sum = removed.deselected + removed.address_changed + fell;
            prop_assert!(sum <= allowed, "{removed:?} and {fell} of {allowed}");
        }
        Ok(())
    }
}

#[derive(Debug, Clone, Copy)]
enum Change {
    Add(usize),
    Delete(usize),
    Deselect(usize),
    Reselect(usize),
    Readdress(usize),
    Wait(i64),
}

fn any_change() -> impl Strategy<Value = Change> {
    prop_oneof![
        (1_usize..30).prop_map(Change::Add),
        (1_usize..30).prop_map(Change::Delete),
        (1_usize..10).prop_map(Change::Deselect),
        (1_usize..30).prop_map(Change::Reselect),
        (1_usize..10).prop_map(Change::Readdress),
        (0_i64..2_000).prop_map(Change::Wait),
    ]
}

/// Replaces every node, `surge` at a time. With `first` the new ones come before the old ones go.
fn replaced(nodes: usize, surge: usize, first: bool, pause: i64) -> bool {
    let mut cluster = Cluster::new(nodes, 25);
    let mut left = nodes;
    while left > 0 {
        let count = surge.min(left);
        let (come, go) = (Change::Add(count), Change::Delete(count));
        let mut went = true;
        for change in if first { [come, go] } else { [go, come] } {
            cluster.change(change);
            went = cluster.remove();
        }
        if !went {
            return false;
        }
        cluster.change(Change::Wait(pause));
        left -= count;
    }
    true
}

#[test]
fn rolling_replacement_spends_no_budget() {
    for nodes in [1, 2, 3, 5, 10, 100] {
        for pause in [0, 30, 600, 4_000] {
            for first in [true, false] {
                assert!(replaced(nodes, 1, first, pause), "{nodes} {first}");
                assert!(replaced(nodes, 2, first, pause), "{nodes} {first}");
            }
        }
    }
    assert!(replaced(100, 25, true, 60));
    // Replaced together, and the old ones go before the new ones are there.
    let mut cluster = Cluster::new(100, 25);
    cluster.change(Change::Delete(40));
    assert!(!cluster.remove());
    cluster.change(Change::Add(40));
    assert!(cluster.remove());
}

#[test]
fn deselection_that_was_undone_makes_no_room() {
    let mut cluster = Cluster::new(100, 25);
    cluster.change(Change::Deselect(25));
    assert!(cluster.remove());
    cluster.change(Change::Reselect(25));
    cluster.change(Change::Delete(25));
    assert!(!cluster.remove());
    // Nor where others went before it.
    let mut cluster = Cluster::new(100, 25);
    for change in [Change::Delete(20), Change::Deselect(5)] {
        cluster.change(change);
        assert!(cluster.remove());
    }
    cluster.change(Change::Reselect(5));
    cluster.change(Change::Delete(5));
    assert!(!cluster.remove());
}

#[test]
fn deselected_node_is_not_counted_as_deleted_too() {
    let mut cluster = Cluster::new(100, 25);
    cluster.change(Change::Deselect(10));
    assert!(cluster.remove());
    cluster.change(Change::Delete(15));
    assert!(cluster.remove());
    let mut cluster = Cluster::new(100, 25);
    cluster.change(Change::Deselect(10));
    cluster.change(Change::Delete(15));
    assert!(cluster.remove());
    cluster.change(Change::Delete(1));
    assert!(!cluster.remove());
}

#[test]
fn scale_down_after_a_replacement_is_still_measured() {
    let mut cluster = Cluster::new(100, 25);
    for _ in 0..30 {
        cluster.change(Change::Add(1));
        cluster.change(Change::Delete(1));
        assert!(cluster.remove());
    }
    cluster.change(Change::Delete(26));
    assert!(!cluster.remove());
    assert_eq!(cluster.window.removed(), node_deleted(30));
}

proptest! {
    #[test]
    fn no_hour_exceeds_the_allowance(
        nodes in 1_usize..200, percent in 1_u8..=100,
        changes in proptest::collection::vec(any_change(), 0..80),
    ) {
        let mut cluster = Cluster::new(nodes, percent);
        for change in changes {
            cluster.change(change);
            cluster.remove();
            prop_assert!(cluster.window.steps.len() <= STEPS_MAX);
        }
        cluster.check()?;
    }

    #[test]
    fn merged_steps_keep_every_removal(
        times in proptest::collection::vec((0_i64..3_599, 1_usize..5, 0_usize..3), 1..60),
    ) {
        let (mut window, mut expected) = (NONE, Tally::default());
        let mut times = times;
        times.sort_unstable();
        for (time, count, kind) in times {
            let tally = [node_deleted, deselected, address_changed][kind](count);
            window.push(at(time), 1_000, 1_000, tally);
            expected = expected.plus(tally);
        }
        prop_assert!(window.steps.len() <= STEPS_MAX);
        prop_assert_eq!(window.removed(), expected);
    }
}
