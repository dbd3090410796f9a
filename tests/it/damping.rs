//! A node whose address keeps changing: it adds a bounded number of records, and all other nodes get, keep and
//! lose theirs as if it were not there.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use bigip_sim::{Method, Simulator};
use bigip_tunnel_crds::ANNOTATION_APPROVE_REMOVAL;
use bigip_tunnel_crds::v1alpha1::BigIpTunnelStatus;
use bigip_tunnel_harness::wait::{Answer, eventually};
use serde_json::json;
use tokio::task::JoinHandle;

use crate::world::{RECORD_2, TUNNEL_PATH, World, requests};

const LIMIT: Duration = Duration::from_secs(90);
/// How often the address changes.
const EVERY: Duration = Duration::from_millis(250);
/// The node, and the address that it has in the end.
const FLAPPING: &str = "flapping";
const LAST: (&str, &str) = ("10.31.9.9", "0a:0a:0a:1f:09:09");
/// How the MAC addresses of its records begin.
const OWN: &str = "0a:0a:0a:1f:";

/// A node that gets another address again and again, until it is ended.
struct Flapping {
    count: Arc<AtomicU32>,
    ends: Arc<AtomicBool>,
    task: JoinHandle<()>,
}

impl Flapping {
    fn begin(world: &World) -> Self {
        let (nodes, name) = (world.nodes.clone(), world.node_name(FLAPPING));
        let count = Arc::new(AtomicU32::new(0));
        let ends = Arc::new(AtomicBool::new(false));
        let (counted, ended) = (count.clone(), ends.clone());
        let task = tokio::spawn(async move {
            let mut pace = tokio::time::interval(EVERY);
            while !ended.load(Ordering::Relaxed) {
                pace.tick().await;
                let number = counted.fetch_add(1, Ordering::Relaxed) + 1;
                let address = format!("10.31.{}.{}", number / 250, number % 250 + 1);
                let addresses = [("InternalIP", &*address)];
                nodes.set_addresses(&name, &addresses).await.unwrap();
            }
        });
        Self { count, ends, task }
    }

    /// Waits until the address has changed so many more times.
    async fn until_changed(&self, times: u32) {
        let until = self.count.load(Ordering::Relaxed) + times;
        let changed = eventually("the address changed", LIMIT, async || {
            let count = self.count.load(Ordering::Relaxed);
            Answer::when(count, |count| *count >= until)
        });
        changed.await.unwrap();
    }

    /// Ends it with an address that stays.
    async fn end(self, world: &World) {
        self.ends.store(true, Ordering::Relaxed);
        self.task.await.unwrap();
        let name = world.node_name(FLAPPING);
        let addresses = [("InternalIP", LAST.0)];
        world.nodes.set_addresses(&name, &addresses).await.unwrap();
    }
}

/// A world in sync with the three nodes and one more.
async fn with_flapping_node(name: &str, percent: u8) -> World {
    let world = World::new(name).await;
    world.create_node((FLAPPING, "10.31.8.8")).await;
    let world = world.into_sync().await;
    world
        .patch_spec(json!({"nodes": {"maxRemovalPercent": percent}}))
        .await;
    world.until_ready().await;
    world
}

/// Waits until the status names the node.
async fn until_unstable(world: &World) -> BigIpTunnelStatus {
    let name = world.node_name(FLAPPING);
    world
        .until_status("an unstable node", |status| {
            let mut nodes = status.skipped_nodes.iter();
            nodes.any(|node| node.name == name && node.reason == "NodeAddressUnstable")
        })
        .await
}

/// Records of the flapping node that the unit was asked to add.
fn added(unit: &Simulator) -> BTreeSet<String> {
    let added = requests(unit, &Method::POST).into_iter();
    let macs = added.filter_map(|request| request.record);
    let macs = macs.map(|mac| mac.to_lowercase());
    macs.filter(|mac| mac.starts_with(OWN)).collect()
}

/// The records of both units.
fn records_of(world: &World) -> [BTreeMap<String, String>; 2] {
    let units = world.devices.units();
    units.each_ref().map(|unit| unit.records(TUNNEL_PATH))
}

#[tokio::test]
async fn flapping_node_affects_no_other_node() {
    let world = with_flapping_node("damping-others", 25).await;
    world.devices.units().iter().for_each(Simulator::clear_log);
    let flapping = Flapping::begin(&world);
    flapping.until_changed(8).await;
    world.create_many_nodes(20).await;
    world.delete_node("2").await;
    let others = eventually("the records of all others", LIMIT, async || {
        let records = records_of(&world);
        Answer::when(records, |records| {
            records.iter().all(|records| {
                let new = records.keys().filter(|mac| mac.starts_with("0a:0a:0a:14:"));
                new.count() == 20 && !records.contains_key(RECORD_2.0)
            })
        })
    });
    world.must(others.await).await;
    let status = until_unstable(&world).await;
    assert_eq!(status.held_removal, None);
    flapping.end(&world).await;
    let last = eventually("the last address's record alone", LIMIT, async || {
        let records = records_of(&world);
        Answer::when(records, |records| {
            records.iter().all(|records| {
                let own = records.keys().filter(|mac| mac.starts_with(OWN));
                own.eq([LAST.1])
            })
        })
    });
    world.must(last.await).await;
    for unit in world.devices.units() {
        // Its first change and its last.
        assert_eq!(added(unit).len(), 2, "{:?}", added(unit));
    }
    world.until_ready().await;
}

#[tokio::test]
async fn flapping_node_does_not_outdate_an_approval() {
    let world = with_flapping_node("damping-approval", 0).await;
    world.delete_node("2").await;
    world.until_reason("MassRemovalBlocked").await;
    let flapping = Flapping::begin(&world);
    until_unstable(&world).await;
    // What its first change leaves is held for a moment, until the node is known to be unstable.
    let settled = eventually("an approval that stays", LIMIT, async || {
        let before = world.status().await.held_removal.unwrap();
        flapping.until_changed(8).await;
        let after = world.status().await.held_removal.unwrap();
        let is_same = before.digest == after.digest && after.sample == [RECORD_2.0];
        Answer::when(after, |_| is_same)
    });
    let held = world.must(settled.await).await;
    world
        .annotate(ANNOTATION_APPROVE_REMOVAL, &held.digest)
        .await;
    let gone = eventually("the approved record gone", LIMIT, async || {
        let records = records_of(&world);
        Answer::when(records, |records| {
            records
                .iter()
                .all(|records| !records.contains_key(RECORD_2.0))
        })
    });
    world.must(gone.await).await;
    flapping.end(&world).await;
}
