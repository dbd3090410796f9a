//! What the records of nodes do for packets: joined, lost, stale, swapped, gone.

use std::time::{Duration, Instant};

use crate::lab::{Lab, Learned, Ping, TUNNEL_PATH, mac, node_mac, say, since};

const NODE: &str = "10.169.72.239";
const POD: &str = "10.0.0.130";
const NEW_POD: &str = "10.0.0.131";
const OTHER_NODE: &str = "10.169.72.233";
const OTHER_POD: &str = "10.0.1.7";

#[tokio::test(flavor = "multi_thread")]
async fn pod_answers_when_its_node_joins() {
    let Some(lab) = Lab::new("joins").await else {
        return;
    };
    let node = lab.start_node(NODE, &[POD]).await;
    assert_eq!(lab.ping(0, POD).await, Ping::Silent);
    assert_eq!(node.seen().arp_requests, 0);

    let started = Instant::now();
    let joins = async {
        lab.join(NODE).await;
        lab.until_record(NODE, true).await;
        started.elapsed()
    };
    let (records, first, second) = tokio::join!(
        joins,
        lab.until_answered(0, POD),
        lab.until_answered(1, POD)
    );

    let ms = |time: Duration| time.as_millis();
    say(&format!(
        "node joined: its record was on both units after {} ms, its pod answered them after {} and {} ms",
        ms(records),
        ms(first),
        ms(second)
    ));
    let answer = lab.http(0, POD).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn both_units_reach_every_node_from_their_networks() {
    let Some(lab) = Lab::new("units").await else {
        return;
    };
    let _nodes = [
        lab.add_node(NODE, &[POD]).await,
        lab.add_node(OTHER_NODE, &[OTHER_POD]).await,
    ];

    for unit in [0, 1] {
        for pod in [POD, OTHER_POD] {
            assert_eq!(
                lab.ping(unit, pod).await,
                Ping::Answered,
                "{pod} from unit {unit}"
            );
            let answer = lab.http(unit, pod).await.unwrap();
            assert!(answer.ends_with("pod\n"), "{answer}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_record_cuts_off_new_pods_until_it_is_repaired() {
    let Some(lab) = Lab::new("lost").await else {
        return;
    };
    let _node = lab.add_node(NODE, &[POD, NEW_POD]).await;
    let _other = lab.add_node(OTHER_NODE, &[OTHER_POD]).await;
    assert_eq!(lab.ping(0, POD).await, Ping::Answered);

    lab.lose_record(0, NODE).await;
    assert_eq!(lab.ping(0, NEW_POD).await, Ping::Silent);
    assert_eq!(lab.learned(0, NEW_POD).await, Learned::Incomplete);
    // A pod in use goes on, on a path that was learned; other nodes and the other unit have lost nothing.
    assert_eq!(lab.ping(0, POD).await, Ping::Answered);
    assert_eq!(lab.ping(0, OTHER_POD).await, Ping::Answered);
    assert_eq!(lab.ping(1, NEW_POD).await, Ping::Answered);
    lab.assert_lost(0, NODE);

    lab.reconcile("repair").await;
    lab.until_record(NODE, true).await;
    lab.until_answered(0, NEW_POD).await;
    let node = Learned::Resolved(node_mac(NODE));
    assert_eq!(lab.learned(0, NEW_POD).await, node);
}

#[tokio::test(flavor = "multi_thread")]
async fn stale_record_attracts_arp_and_nothing_else() {
    let Some(lab) = Lab::new("stale").await else {
        return;
    };
    let stranger = lab.start_node("10.169.72.250", &[]).await;
    let unit = lab.unit(0);
    unit.seed_record(TUNNEL_PATH, "02:00:00:00:00:01", "10.169.72.250%0")
        .unwrap();
    // No host has this one.
    unit.seed_record(TUNNEL_PATH, "02:00:00:00:00:02", "10.169.72.251%0")
        .unwrap();
    let _node = lab.add_node(NODE, &[POD, NEW_POD]).await;

    for pod in [POD, NEW_POD] {
        assert_eq!(lab.ping(0, pod).await, Ping::Answered, "{pod}");
    }
    let seen = stranger.seen();
    // A request for each pod at least; it is repeated where the answer takes long.
    assert!(seen.arp_requests >= 2, "{seen:?}");
    assert_eq!((seen.arp_answers, seen.strangers), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn swapped_endpoints_are_harmless() {
    let Some(lab) = Lab::new("swapped").await else {
        return;
    };
    let _nodes = [
        lab.add_node(NODE, &[POD]).await,
        lab.add_node(OTHER_NODE, &[OTHER_POD]).await,
    ];
    lab.come_to_rest().await;
    let unit = lab.unit(0);
    let swapped = [(NODE, OTHER_NODE), (OTHER_NODE, NODE)]
        .map(|(node, endpoint)| (mac(node), format!("{endpoint}%0")));
    for (mac, endpoint) in &swapped {
        unit.seed_record(TUNNEL_PATH, mac, endpoint).unwrap();
    }

    for (pod, node) in [(POD, NODE), (OTHER_POD, OTHER_NODE)] {
        assert_eq!(lab.ping(0, pod).await, Ping::Answered, "{pod}");
        let own = Learned::Resolved(node_mac(node));
        assert_eq!(lab.learned(0, pod).await, own, "{pod}");
    }
    assert_eq!(unit.records(TUNNEL_PATH), swapped.into());
}

#[tokio::test(flavor = "multi_thread")]
async fn deleted_node_keeps_only_learned_paths() {
    let Some(lab) = Lab::new("left").await else {
        return;
    };
    let node = lab.add_node(NODE, &[POD, NEW_POD]).await;
    let _other = lab.add_node(OTHER_NODE, &[OTHER_POD]).await;
    assert_eq!(lab.ping(0, POD).await, Ping::Answered);

    lab.leave(NODE).await;
    // The machine still runs: what was learned goes on until it ages.
    assert_eq!(lab.ping(0, POD).await, Ping::Answered);
    let before = node.seen();
    assert_eq!(lab.ping(0, NEW_POD).await, Ping::Silent);
    assert_eq!(since(before, node.seen()).arp_requests, 0);
    assert_eq!(lab.ping(0, OTHER_POD).await, Ping::Answered);

    node.stop().await;
    assert_eq!(lab.ping(0, POD).await, Ping::Silent);
}

#[tokio::test(flavor = "multi_thread")]
async fn node_as_a_program_answers_too() {
    let Some(lab) = Lab::new("program").await else {
        return;
    };
    let _node = lab.start_program(NODE, POD).await;
    lab.join(NODE).await;
    lab.until_record(NODE, true).await;

    assert_eq!(lab.ping(0, POD).await, Ping::Answered);
    assert_eq!(lab.ping(1, POD).await, Ping::Answered);
}
