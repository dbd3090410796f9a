//! The witness on itself: histories that break one rule each, and those that explain what looks like it.

use std::collections::BTreeMap;
use std::time::Duration;

use bigip_sim::{Method, RecordChange, Write};
use bigip_tunnel_harness::wait::{Answer, eventually};
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::history::{History, NodeState, ObjectState, Span};
use super::rules::{Rule, Unit, violations};
use crate::world::{NODES, World};

const PORT: u16 = 8443;
const TUNNEL: &str = "/Common/flannel_vxlan";
const MAC: &str = "0a:0a:0a:a9:48:ef";
const ENDPOINT: &str = "10.169.72.239%0";
const ELSEWHERE: &str = "192.0.2.99%0";

fn at(millis: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_millis(millis)
}

fn span<T>(name: &str, from: i64, until: Option<i64>, state: T) -> Span<T> {
    Span {
        name: name.to_owned(),
        from: at(from),
        until: until.map(at),
        state,
    }
}

/// One object that selects the pool `a` on one unit, and a node of that pool.
fn history() -> History {
    let spec = json!({
        "devices": [{"name": "bigip-a", "address": "127.0.0.1", "port": PORT}],
        "tunnel": {"name": "flannel_vxlan"},
        "nodes": {"selector": {"matchLabels": {"pool": "a"}}},
    });
    let object = ObjectState {
        spec,
        is_reconciled: true,
    };
    let node = NodeState {
        labels: BTreeMap::from([("pool".to_owned(), "a".to_owned())]),
        addresses: vec!["10.169.72.239".to_owned()],
    };
    History {
        nodes: vec![span("node", 0, None, node)],
        objects: vec![span("object", 0, None, object)],
    }
}

fn write(method: Method, path: &str, session: usize, began: i64, ended: i64) -> Write {
    Write {
        method,
        path: path.to_owned(),
        session,
        began: at(began),
        ended: Some(at(ended)),
        is_answered: true,
    }
}

fn record_write(session: usize, began: i64, ended: i64) -> Write {
    let path = "/mgmt/tm/net/fdb/tunnel/~Common~flannel_vxlan/records";
    write(Method::POST, path, session, began, ended)
}

fn unit(writes: &[Write], changes: &[RecordChange]) -> Unit {
    Unit {
        port: PORT,
        writes: writes.to_vec(),
        changes: changes.to_vec(),
    }
}

fn change(
    mac: &str,
    before: Option<&str>,
    after: Option<&str>,
    write: Option<usize>,
) -> RecordChange {
    RecordChange {
        tunnel: TUNNEL.to_owned(),
        mac: mac.to_owned(),
        before: before.map(str::to_owned),
        after: after.map(str::to_owned),
        write,
    }
}

/// A unit on which the record was made, and removed ten seconds after the beginning.
fn removal() -> Unit {
    let writes = [record_write(0, 100, 110), record_write(0, 10_000, 10_010)];
    let added = change(MAC, None, Some(ENDPOINT), Some(0));
    let removed = change(MAC, Some(ENDPOINT), None, Some(1));
    unit(&writes, &[added, removed])
}

fn broken(history: &History, unit: &Unit) -> Vec<Rule> {
    let violations = violations(history, unit).into_iter();
    violations.map(|(rule, _)| rule).collect()
}

#[test]
fn witness_sees_removal_of_a_live_nodes_record() {
    assert_eq!(broken(&history(), &removal()), [Rule::LiveRecord]);
}

#[test]
fn witness_accepts_removal_after_node_deletion() {
    let mut history = history();
    history.nodes[0].until = Some(at(9_990));
    assert_eq!(broken(&history, &removal()), []);
}

#[test]
fn witness_accepts_removal_after_deselection() {
    let mut history = history();
    let mut deselected = history.nodes[0].clone();
    history.nodes[0].until = Some(at(5_000));
    deselected.from = at(5_000);
    deselected.state.labels.clear();
    history.nodes.push(deselected);
    assert_eq!(broken(&history, &removal()), []);
}

#[test]
fn witness_sees_removal_while_address_has_another_type() {
    let mut history = history();
    let addresses = &mut history.nodes[0].state.addresses;
    addresses.insert(0, "10.0.0.1".to_owned());
    assert_eq!(broken(&history, &removal()), [Rule::LiveRecord]);
}

#[test]
fn witness_accepts_removal_for_a_deleted_or_paused_object() {
    let mut history = history();
    history.objects[0].state.is_reconciled = false;
    assert_eq!(broken(&history, &removal()), []);
}

#[test]
fn witness_accepts_removal_from_an_unlisted_device() {
    let mut history = history();
    history.objects[0].state.spec["devices"] = json!([]);
    assert_eq!(broken(&history, &removal()), []);
}

#[test]
fn witness_sees_removal_that_a_second_object_forbids() {
    let mut history = history();
    let second = span("second", 0, None, history.objects[0].state.clone());
    history.objects[0].until = Some(at(9_000));
    history.objects.push(second);
    assert_eq!(broken(&history, &removal()), [Rule::LiveRecord]);
}

#[test]
fn witness_accepts_removal_by_hand() {
    let seeded = change(MAC, None, Some(ENDPOINT), None);
    let dropped = change(MAC, Some(ENDPOINT), None, None);
    assert_eq!(broken(&history(), &unit(&[], &[seeded, dropped])), []);
}

#[test]
fn witness_sees_change_of_a_foreign_record() {
    let writes = [record_write(0, 10_000, 10_010)];
    for after in [None, Some(ENDPOINT)] {
        let foreign = change("52:54:00:c0:ff:ee", Some(ELSEWHERE), after, Some(0));
        let unit = unit(&writes, &[foreign]);
        assert_eq!(broken(&history(), &unit), [Rule::ForeignRecord]);
    }
}

#[test]
fn witness_sees_correction_of_a_record_never_owned() {
    let writes = [record_write(0, 10_000, 10_010)];
    let corrected = change(MAC, Some(ELSEWHERE), Some(ENDPOINT), Some(0));
    let unit = unit(&writes, &[corrected]);
    assert_eq!(broken(&history(), &unit), [Rule::ForeignRecord]);
}

#[test]
fn witness_accepts_correction_of_a_record_once_right() {
    let writes = [record_write(0, 10_000, 10_010)];
    let damaged = change(MAC, Some(ENDPOINT), Some(ELSEWHERE), None);
    let corrected = change(MAC, Some(ELSEWHERE), Some(ENDPOINT), Some(0));
    assert_eq!(
        broken(&history(), &unit(&writes, &[damaged, corrected])),
        []
    );
}

#[test]
fn witness_sees_change_of_another_object() {
    let saved = write(Method::POST, "/mgmt/tm/sys/config", 0, 0, 10);
    let tunnel = "/mgmt/tm/net/tunnels/tunnel/~Common~flannel_vxlan";
    let changed = write(Method::PATCH, tunnel, 0, 20, 30);
    let unit = unit(&[saved, changed], &[]);
    assert_eq!(broken(&history(), &unit), [Rule::OtherObject]);
}

#[test]
fn witness_sees_two_writes_in_flight() {
    let writes = [record_write(0, 0, 50), record_write(0, 49, 60)];
    assert_eq!(
        broken(&history(), &unit(&writes, &[])),
        [Rule::OneWriteAtATime]
    );
    let writes = [record_write(0, 0, 50), record_write(0, 50, 60)];
    assert_eq!(broken(&history(), &unit(&writes, &[])), []);
}

#[test]
fn witness_accepts_write_after_its_client_was_killed() {
    let mut killed = record_write(0, 0, 60);
    killed.is_answered = false;
    let next = record_write(1, 55, 70);
    assert_eq!(broken(&history(), &unit(&[killed, next], &[])), []);
}

#[test]
fn witness_sees_writers_that_alternate() {
    let sessions = |sessions: [usize; 3]| {
        let mut began = 0;
        let writes = sessions.map(|session| {
            began += 10;
            record_write(session, began, began + 5)
        });
        unit(&writes, &[])
    };
    assert_eq!(
        broken(&history(), &sessions([0, 1, 0])),
        [Rule::WritersInTurn]
    );
    assert_eq!(broken(&history(), &sessions([0, 1, 1])), []);
}

/// How long a watch may take to show what happened.
const LIMIT: Duration = Duration::from_secs(30);

#[tokio::test]
async fn witness_follows_nodes_objects_and_records() {
    let world = World::in_sync("witness").await;
    let witness = &world.witness;
    let history = || witness.observer.history(&world.name);
    let seen = eventually("three nodes and an object", LIMIT, async || {
        let history = history();
        Answer::when((history.nodes.len(), history.objects.len()), |seen| {
            *seen == (NODES.len(), 1)
        })
    });
    seen.await.unwrap();
    world.delete_node(NODES[0].0).await;
    let name = world.node_name(NODES[1].0);
    let labelled = world.nodes.set_label(&name, "pool", Some("a"));
    labelled.await.unwrap();
    witness.observer.catch_up();
    let nodes = history().nodes;
    let ended = nodes.iter().filter(|node| node.until.is_some());
    assert_eq!((ended.count(), nodes.len()), (2, NODES.len() + 1));
    let journal = witness.units.borrow()[0].journal();
    let changes = journal.changes().iter();
    let added = changes.filter(|change| change.write.is_some() && change.before.is_none());
    assert_eq!(added.count(), NODES.len());
    assert!(witness.judge().is_empty());
}
