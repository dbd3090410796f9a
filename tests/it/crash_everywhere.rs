//! The operator is killed at every request that it makes of a device, and ends where it ends
//! undisturbed.
//!
//! One small life of an object is lived again and again, with one crash each: before every request is
//! carried out, and after it was but before its answer. A crash after the answer is one of these: the
//! process has stored nothing since the request, and it is the crash after it was carried out, or all
//! that it had to, and it is the crash before the next one. Where it stores in several steps in
//! between, those are not told apart. Must not know which requests the operator makes, or in what
//! order.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::time::{Duration, Instant};

use bigip_sim::{Effect, Fault, FaultId, LoggedRequest, Method, Simulator};
use bigip_tunnel_crds::ANNOTATION_RECONCILE_REQUESTED_AT;
use bigip_tunnel_crds::v1alpha1::{BigIpTunnelStatus, ClaimState, DeviceStatus};
use futures::StreamExt as _;

use crate::world::{
    FOREIGN, NAME, NEW_NODE, NEW_RECORD, NODES, RECORD_1, RECORD_2, RECORD_3, TUNNEL_PATH, World,
    claims, find, say, to_map,
};

/// The unit whose requests are counted; the object lists no other.
const DEVICE: &str = "bigip-a";
/// How long a device waits for a request. Longer than a step of the world may take, which says more.
const LIMIT: Duration = Duration::from_secs(120);
/// Lives that are lived at the same time.
const AT_ONCE: usize = 4;

/// What happens to the object, and when that is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Create,
    NodeCame,
    NodeLeft,
    /// Somebody removes one of its records and changes another.
    Damage,
    Verify,
    Delete,
}

impl Step {
    const ALL: [Self; 6] = [
        Self::Create,
        Self::NodeCame,
        Self::NodeLeft,
        Self::Damage,
        Self::Verify,
        Self::Delete,
    ];

    /// What the unit holds of ours in the end.
    fn records(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Create => &[RECORD_1, RECORD_2, RECORD_3],
            Self::NodeCame => &[RECORD_1, RECORD_2, RECORD_3, NEW_RECORD],
            Self::NodeLeft | Self::Damage | Self::Verify => &[RECORD_2, RECORD_3, NEW_RECORD],
            Self::Delete => &[],
        }
    }

    async fn begin(self, world: &World) {
        match self {
            Self::Create => {
                let mut spec = world.spec();
                spec["devices"].as_array_mut().unwrap().truncate(1);
                world.create(spec).await;
            }
            Self::NodeCame => world.create_node(NEW_NODE).await,
            Self::NodeLeft => world.delete_node(NODES[0].0).await,
            Self::Damage => {
                let unit = world.devices.active();
                assert!(unit.drop_record(TUNNEL_PATH, RECORD_2.0));
                unit.seed_record(TUNNEL_PATH, RECORD_3.0, FOREIGN.1)
                    .unwrap();
                self.ask(world).await;
            }
            Self::Verify => self.ask(world).await,
            Self::Delete => world.delete(NAME).await,
        }
    }

    /// Asks for a verification in the name of this step.
    async fn ask(self, world: &World) {
        let value = format!("{self:?}");
        world
            .annotate(ANNOTATION_RECONCILE_REQUESTED_AT, &value)
            .await;
    }

    /// Waits until it is done. Then the unit holds what it should, and the foreign record as it was.
    async fn end(self, world: &World) {
        let (unit, mut expected) = (world.devices.active(), self.records().to_vec());
        expected.push(FOREIGN);
        // Costs nothing to look at; the API server is asked only when it may say what is expected.
        world.until_unit(unit, &expected).await;
        if self == Self::Delete {
            world.until_gone(NAME).await;
        } else {
            let what = format!("{self:?} of {} done", world.name);
            world
                .until_status(&what, |status| self.is_shown(status))
                .await;
        }
        let seen = unit.records(TUNNEL_PATH);
        assert_eq!(seen, to_map(&expected), "{self:?} of {}", world.name);
    }

    /// Whether the status shows a device that is right.
    fn is_shown(self, status: &BigIpTunnelStatus) -> bool {
        let records = self.records();
        let claims = claims(status, DEVICE);
        let owned = claims
            .iter()
            .filter(|(_, state)| **state == ClaimState::Owned);
        let counts = status
            .devices
            .first()
            .and_then(|device| device.records.as_ref());
        let nodes = format!("{0}/{0}", records.len());
        owned.map(|(mac, _)| mac).eq(to_map(records).keys())
            && counts.is_some_and(|counts| counts.missing == 0 && counts.stale == 0)
            && status.summary.as_ref().is_some_and(|s| s.nodes == nodes)
            && find(&status.conditions, "Ready").is_some_and(|c| c.status == "True")
            && (self != Self::Verify
                || status.last_handled_reconcile_at == Some(format!("{self:?}")))
    }
}

/// On which side of its being carried out a request meets the crash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Side {
    Before,
    After,
}

/// When the operator is killed: at the n-th request of any kind, logins included.
#[derive(Debug, Clone, Copy)]
struct Crash {
    nth: u64,
    side: Side,
}

/// How things are after a step.
#[derive(Debug, PartialEq, Eq)]
struct Snapshot {
    records: BTreeMap<String, String>,
    saved_records: BTreeMap<String, String>,
    claims: BTreeMap<String, ClaimState>,
    /// Whether the status says that changes wait for a save.
    is_unsaved: bool,
}

impl Snapshot {
    async fn of(world: &World) -> Self {
        let unit = world.devices.active();
        let object = world.objects().get_opt(NAME).await.unwrap();
        let status = object.and_then(|object| object.status).unwrap_or_default();
        let is_unsaved = |device: &DeviceStatus| device.unsaved_since.is_some();
        Self {
            records: unit.records(TUNNEL_PATH),
            saved_records: unit.saved_records(TUNNEL_PATH),
            claims: claims(&status, DEVICE),
            is_unsaved: status.devices.iter().any(is_unsaved),
        }
    }
}

/// What is seen of a life. Two of them are compared.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    steps: Vec<Snapshot>,
    /// What the unit was asked to change, whether or not it was carried out.
    asked: BTreeSet<Deed>,
    /// The writes of records that were carried out, sorted; one that was made twice is there twice.
    made: Vec<Deed>,
}

/// A life, and the faults that stop its requests.
struct Life {
    world: World,
    /// Holds one request, at which the operator is killed.
    crash: Option<(FaultId, Side)>,
    /// The request at which it was killed.
    crashed_at: Option<(LoggedRequest, Side)>,
    /// Hold every write until its claim was looked up.
    gates: [FaultId; 3],
}

impl Life {
    async fn new(name: &str, crash: Option<Crash>) -> Self {
        let mut world = World::new(name).await;
        let unit = world.devices.active();
        unit.seed_record(TUNNEL_PATH, FOREIGN.0, FOREIGN.1).unwrap();
        // Set before the gates: at the request that both match it is the one that holds.
        let crash = crash.map(|Crash { nth, side }| {
            let effect = match side {
                Side::Before => Effect::stall_then_drop(),
                Side::After => Effect::commit_then_stall(),
            };
            (unit.fault(Fault::new(effect).nth(nth)), side)
        });
        let gates = set_gates(unit);
        world.create_nodes().await;
        world.start_operator().await;
        Self {
            world,
            crash,
            crashed_at: None,
            gates,
        }
    }

    fn unit(&self) -> &Simulator {
        self.world.devices.active()
    }

    async fn live(mut self) -> (Self, Outcome) {
        let mut steps = Vec::new();
        for step in Step::ALL {
            step.begin(&self.world).await;
            self.until_done(step).await;
            steps.push(Snapshot::of(&self.world).await);
        }
        self.world.nodes.delete_all().await.unwrap();
        let outcome = Outcome {
            steps,
            asked: self.asked(),
            made: self.made(),
        };
        (self, outcome)
    }

    /// Waits until the step is done, wherever in it the operator is killed. Every write that arrives
    /// meanwhile has to have been claimed.
    async fn until_done(&mut self, step: Step) {
        while let Some(request) = self.until_crash(step).await {
            let (_, side) = self.crash.take().unwrap();
            self.world.kill_operator().await;
            self.unit().clear_faults();
            let gone = self
                .unit()
                .wait_until(LIMIT, |state| state.held_requests() == 0);
            gone.await.unwrap();
            self.crashed_at = Some((request, side));
            self.gates = set_gates(self.unit());
            self.world.start_operator().await;
        }
    }

    /// Waits until the step is done, or until the request is held at which the operator is killed.
    async fn until_crash(&mut self, step: Step) -> Option<LoggedRequest> {
        let Self { world, gates, .. } = self;
        let (unit, crash) = (world.devices.active(), self.crash.map(|(id, _)| id));
        let mut done = pin!(step.end(world));
        loop {
            let holding = gates.iter().copied().chain(crash).collect::<Vec<_>>();
            let held = unit.wait_until(LIMIT, |state| {
                holding.iter().any(|id| state.held_by(*id).next().is_some())
            });
            tokio::select! {
                biased;
                held = held => held.unwrap(),
                () = &mut done => return None,
            }
            let of = |id: &FaultId| unit.held_by(*id).pop();
            let request = holding.iter().find_map(of).unwrap();
            check_claimed(world, &request).await;
            if crash.as_ref().and_then(of).is_some() {
                return Some(request);
            }
            // New gates first: no write slips in between.
            let passed = std::mem::replace(gates, set_gates(unit));
            for gate in passed {
                unit.remove_fault(gate);
            }
        }
    }

    fn asked(&self) -> BTreeSet<Deed> {
        let requests = self.unit().requests().into_iter();
        let writes = requests.filter(LoggedRequest::is_mutation);
        writes.map(|request| deed(&request)).collect()
    }

    fn made(&self) -> Vec<Deed> {
        // A request that was carried out and not answered is there without a status.
        let unanswered = self.crashed_at.as_ref();
        let unanswered = unanswered.filter(|(_, side)| *side == Side::After);
        let requests = self.unit().requests().into_iter().filter(|request| {
            let is_carried_out = request.status == Some(200)
                || unanswered.is_some_and(|(unanswered, _)| unanswered == request);
            request.is_mutation() && request.record.is_some() && is_carried_out
        });
        let mut made: Vec<_> = requests.map(|request| deed(&request)).collect();
        made.sort();
        made
    }
}

fn set_gates(unit: &Simulator) -> [FaultId; 3] {
    [Method::POST, Method::PATCH, Method::DELETE].map(|method| {
        let gate = Fault::new(Effect::stall()).method(method);
        unit.fault(gate.path_contains("/records"))
    })
}

/// Checks that what a write does to a record was stored as a claim before it came.
async fn check_claimed(world: &World, request: &LoggedRequest) {
    let Some(record) = request.record.as_ref().filter(|_| request.is_mutation()) else {
        return;
    };
    let claim = claims(&world.status().await, DEVICE).get(record).copied();
    let is_claimed = match request.method {
        Method::POST => matches!(claim, Some(ClaimState::Pending | ClaimState::Owned)),
        Method::PATCH => claim == Some(ClaimState::Owned),
        Method::DELETE => claim == Some(ClaimState::Leaving),
        _ => false,
    };
    assert!(is_claimed, "{}: {request:?} with {claim:?}", world.name);
}

/// Lives that meet a crash at each of the first `requests` requests, on both sides.
fn lives(requests: usize) -> impl Iterator<Item = impl Future<Output = (Life, Outcome)>> {
    let sides = [Side::Before, Side::After];
    let crashes = (1..)
        .take(requests)
        .flat_map(move |nth| sides.map(|side| Crash { nth, side }));
    crashes.map(async |crash| {
        let name = format!("everywhere-{}-{:?}", crash.nth, crash.side).to_lowercase();
        Life::new(&name, Some(crash)).await.live().await
    })
}

/// Method, path and record: what a request does, to find it again in another life.
type Deed = (String, String, Option<String>);

fn deed(request: &LoggedRequest) -> Deed {
    let (method, path) = (request.method.to_string(), request.path.clone());
    (method, path, request.record.clone())
}

#[tokio::test]
async fn an_operator_killed_at_any_device_request_ends_where_the_undisturbed_one_does() {
    let started = Instant::now();
    let (undisturbed, reference) = Life::new("everywhere", None).await.live().await;
    let requests = undisturbed.unit().requests();
    drop(undisturbed);

    let mut lives = futures::stream::iter(lives(requests.len())).buffer_unordered(AT_ONCE);
    let mut met = Vec::new();
    while let Some((life, outcome)) = lives.next().await {
        let crash = life.crashed_at;
        assert_eq!(
            outcome, reference,
            "{}, killed at {crash:?}",
            life.world.name
        );
        met.extend(crash);
    }
    say(&format!(
        "{} device requests, {} crashes: {} ms",
        requests.len(),
        met.len(),
        started.elapsed().as_millis()
    ));
    let met: BTreeSet<_> = met.iter().map(|(at, side)| (deed(at), *side)).collect();
    for request in requests {
        for side in [Side::Before, Side::After] {
            let is_met = met.contains(&(deed(&request), side));
            assert!(is_met, "no crash {side:?} {request:?}");
        }
    }
}
