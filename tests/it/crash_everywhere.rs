//! The operator is killed at every request that it makes of a device, and at every write to Kubernetes, and
//! ends where it ends undisturbed.
//!
//! One small life of an object is lived again and again, with one crash each: before every request is
//! carried out, and after it was but before its answer. A crash after the answer is one of these: it is the
//! crash before the next request to a device or write to Kubernetes. Events are no part of the work and do
//! not count. Must not know which requests the operator makes, or in what order.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::time::{Duration, Instant};

use bigip_sim::{Effect, Fault, FaultId, LoggedRequest, Method, Simulator};
use bigip_tunnel_crds::ANNOTATION_RECONCILE_REQUESTED_AT;
use bigip_tunnel_crds::v1alpha1::{BigIpTunnelStatus, ClaimState, DeviceStatus};
use bigip_tunnel_harness::proxy::{Loss, Proxy, Rule, RuleId, Seen, Trouble};
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

impl Side {
    const BOTH: [Self; 2] = [Self::Before, Self::After];
}

/// Whose requests are counted: all of a device, logins included, or the writes to Kubernetes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Device,
    Kubernetes,
}

/// When the operator is killed: at the n-th request of a place.
#[derive(Debug, Clone, Copy)]
struct Crash {
    nth: usize,
    side: Side,
}

/// What holds the request at which the operator is killed.
#[derive(Debug, Clone, Copy)]
enum Holder {
    Device(FaultId),
    Kubernetes(RuleId),
}

/// The request at which it was killed.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Met {
    Device(LoggedRequest),
    Kubernetes(Seen),
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
    /// On the operator's way to the API server.
    proxy: Proxy,
    /// Holds one request, at which the operator is killed.
    crash: Option<(Holder, Side)>,
    /// The request at which it was killed.
    crashed_at: Option<(Met, Side)>,
    /// Hold every write until its claim was looked up.
    gates: [FaultId; 3],
}

impl Life {
    async fn new(name: &str, place: Place, crash: Option<Crash>) -> Self {
        let mut world = World::new(name).await;
        let proxy = world.start_proxy().await;
        let unit = world.devices.active();
        unit.seed_record(TUNNEL_PATH, FOREIGN.0, FOREIGN.1).unwrap();
        // Set before the gates: at the request that both match it is the one that holds.
        let crash = crash.map(|Crash { nth, side }| {
            let holder = match place {
                Place::Device => hold_at_device(unit, nth, side),
                Place::Kubernetes => hold_at_api_server(&proxy, nth, side),
            };
            (holder, side)
        });
        let gates = set_gates(unit);
        world.create_nodes().await;
        world.start_operator().await;
        Self {
            world,
            proxy,
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
        while let Some(met) = self.until_crash(step).await {
            let (_, side) = self.crash.take().unwrap();
            self.world.kill_operator().await;
            // What was not passed on is not passed on any more.
            self.proxy.until_idle(LIMIT).await.unwrap();
            self.proxy.clear();
            self.unit().clear_faults();
            let gone = self
                .unit()
                .wait_until(LIMIT, |state| state.held_requests() == 0);
            gone.await.unwrap();
            self.crashed_at = Some((met, side));
            self.gates = set_gates(self.unit());
            self.world.start_operator().await;
            if self.has_lost_login().await {
                step.ask(&self.world).await;
            }
        }
    }

    /// Whether the operator was killed between the first login and its answer. That login counts as refused: it is
    /// tried again after minutes, or when a user asks.
    async fn has_lost_login(&self) -> bool {
        let object = self.world.objects().get_opt(NAME).await.unwrap();
        let status = object.and_then(|object| object.status).unwrap_or_default();
        let logins = status
            .devices
            .iter()
            .filter_map(|device| device.login.as_ref());
        logins.into_iter().any(|login| login.refusals > 0)
    }

    /// Waits until the step is done, or until the request is held at which the operator is killed.
    async fn until_crash(&mut self, step: Step) -> Option<Met> {
        let Self {
            world,
            proxy,
            gates,
            ..
        } = self;
        let unit = world.devices.active();
        let (crash, rule) = match self.crash {
            Some((Holder::Device(fault), _)) => (Some(fault), None),
            Some((Holder::Kubernetes(rule), _)) => (None, Some(rule)),
            None => (None, None),
        };
        let mut done = pin!(step.end(world));
        let mut stopped = pin!(until_stopped(proxy, rule));
        loop {
            let holding = gates.iter().copied().chain(crash).collect::<Vec<_>>();
            let held = unit.wait_until(LIMIT, |state| {
                holding.iter().any(|id| state.held_by(*id).next().is_some())
            });
            tokio::select! {
                biased;
                held = held => held.unwrap(),
                seen = &mut stopped => return Some(Met::Kubernetes(seen)),
                () = &mut done => return None,
            }
            let of = |id: &FaultId| unit.held_by(*id).pop();
            let request = holding.iter().find_map(of).unwrap();
            check_claimed(world, &request).await;
            if crash.as_ref().and_then(of).is_some() {
                return Some(Met::Device(request));
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
            let is_unanswered =
                |(met, _): &(Met, Side)| matches!(met, Met::Device(at) if at == request);
            let is_carried_out =
                request.status == Some(200) || unanswered.is_some_and(is_unanswered);
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

fn hold_at_device(unit: &Simulator, nth: usize, side: Side) -> Holder {
    let effect = match side {
        Side::Before => Effect::stall_then_drop(),
        Side::After => Effect::commit_then_stall(),
    };
    let nth = nth.try_into().unwrap();
    Holder::Device(unit.fault(Fault::new(effect).nth(nth)))
}

fn hold_at_api_server(proxy: &Proxy, nth: usize, side: Side) -> Holder {
    let trouble = match side {
        Side::Before => Trouble::Silence,
        Side::After => Trouble::AnswerAfter(Loss::Silence),
    };
    Holder::Kubernetes(proxy.add(Rule::new(trouble, is_write).nth(nth)))
}

/// Whether it is a write to the object or its status.
fn is_write(seen: &Seen) -> bool {
    seen.is_mutation() && seen.path.contains("/bigiptunnels/")
}

/// Waits until the proxy holds the request at which the operator is killed; for ever if it holds none.
async fn until_stopped(proxy: &Proxy, rule: Option<RuleId>) -> Seen {
    let Some(rule) = rule else {
        return std::future::pending().await;
    };
    // Undisturbed for all of the life, where the request never comes.
    while proxy.until_effects(rule, 1, LIMIT).await.is_err() {}
    proxy.first_effect(rule).unwrap()
}

/// Lives that meet a crash at each of the first `requests` requests of a place, on both sides.
fn lives(
    place: Place,
    requests: usize,
) -> impl Iterator<Item = impl Future<Output = (Life, Outcome)>> {
    let crashes = (1..)
        .take(requests)
        .flat_map(move |nth| Side::BOTH.map(|side| Crash { nth, side }));
    crashes.map(move |crash| async move {
        let name = format!("everywhere-{place:?}-{}-{:?}", crash.nth, crash.side);
        let life = Life::new(&name.to_lowercase(), place, Some(crash)).await;
        life.live().await
    })
}

/// Method, path and record: what a request does, to find it again in another life.
type Deed = (String, String, Option<String>);

fn deed(request: &LoggedRequest) -> Deed {
    let (method, path) = (request.method.to_string(), request.path.clone());
    (method, path, request.record.clone())
}

/// Lives every life with a crash at this place, and checks that each ends where the undisturbed one does.
/// Returns the requests of the undisturbed life, and at which requests the others were killed.
async fn live_all<T>(
    place: Place,
    requests: impl Fn(&Life) -> Vec<T>,
) -> (Vec<T>, Vec<(Met, Side)>) {
    let started = Instant::now();
    let name = format!("everywhere-{place:?}").to_lowercase();
    let (undisturbed, reference) = Life::new(&name, place, None).await.live().await;
    let requests = requests(&undisturbed);
    drop(undisturbed);
    let lives = lives(place, requests.len());
    let mut lives = futures::stream::iter(lives).buffer_unordered(AT_ONCE);
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
        "{place:?}: {} requests, {} crashes: {} ms",
        requests.len(),
        met.len(),
        started.elapsed().as_millis()
    ));
    (requests, met)
}

#[tokio::test]
async fn kill_at_any_device_request_ends_the_same() {
    let (requests, met) = live_all(Place::Device, |life| life.unit().requests()).await;
    let met: BTreeSet<_> = met
        .iter()
        .filter_map(|(met, side)| match met {
            Met::Device(at) => Some((deed(at), *side)),
            Met::Kubernetes(_) => None,
        })
        .collect();
    for request in requests {
        for side in Side::BOTH {
            let is_met = met.contains(&(deed(&request), side));
            assert!(is_met, "no crash {side:?} {request:?}");
        }
    }
}

#[tokio::test]
async fn operator_killed_at_any_kubernetes_write_ends_the_same() {
    let (writes, met) = live_all(Place::Kubernetes, |life| life.proxy.seen(is_write)).await;
    // How many status writes there are depends on what is ready together: each life may have a few less.
    let points = 2 * writes.len();
    assert!(met.len() * 4 >= points * 3, "{} of {points}", met.len());
    for (write, side) in met {
        assert!(matches!(write, Met::Kubernetes(_)), "{write:?} {side:?}");
    }
}
