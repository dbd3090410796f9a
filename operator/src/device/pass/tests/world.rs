//! Ports in memory: a cluster, a ledger and one unit, and what was asked of them.

use std::cell::{RefCell, RefMut};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bigip_tunnel_core::answers::{Answer, Subject};
use bigip_tunnel_core::claims::{ClaimState, Claims, DeviceClaims};
use bigip_tunnel_core::drift::DriftPolicy;
use bigip_tunnel_core::mac::{MacAddress, MacPrefix};
use bigip_tunnel_core::node::{AddressRule, INTERNAL_IP, NodeAddress, NodeTraits, NodeView};
use bigip_tunnel_core::outcome::DeviceReport;
use bigip_tunnel_core::pass::assignment::{Assignment, Purpose};
use bigip_tunnel_core::pass::memory::{Beginning, Memory};
use bigip_tunnel_core::pass::{Depth, PassError, PassOutcome};
use bigip_tunnel_core::record::Records;
use bigip_tunnel_core::tunnel::TunnelPath;
use bigip_tunnel_core::unit::UnitIdentity;

use super::fakes::{FakeAccess, FakeCluster, FakeLedger};
use crate::clock::Clock;
use crate::device::pass::pass;
use crate::device::ports::Ports;

pub(super) const M1: &str = "0a:0a:0a:00:00:01";
pub(super) const M2: &str = "0a:0a:0a:00:00:02";
/// A record of another writer.
pub(super) const FOREIGN: &str = "52:54:00:00:00:07";
pub(super) const DEVICE: &str = "a";

/// A selected node with the address 10.0.0.`host`.
pub(super) fn node(name: &str, host: u8) -> NodeView {
    let kind = INTERNAL_IP.to_owned();
    let value = format!("10.0.0.{host}");
    NodeView {
        name: name.to_owned(),
        uid: format!("uid-{name}"),
        created: None,
        selected: true,
        addresses: vec![NodeAddress { kind, value }],
        cilium_addresses: None,
        damped: None,
        traits: NodeTraits::default(),
    }
}

/// What was asked of a port.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Event {
    Facts,
    Listed,
    Read(&'static str),
    ListedNodes,
    AskedFor(String),
    Claimed(Vec<(&'static str, Option<ClaimState>)>),
    Added(&'static str),
    Corrected(&'static str),
    Removed(&'static str),
    Filled,
    Saved,
}

/// What becomes of the next write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is not carried out, and not answered.
    LostBefore,
    /// It is carried out, and not answered.
    LostAfter,
    Refused,
}

/// What happens between a write and its read-back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AfterWrite {
    /// The task is asked to end.
    Stop,
    /// The unit answers no more.
    Silence,
}

/// The state of everything outside the pass.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fault that a test switches on"
)]
pub(super) struct State {
    pub(super) events: Vec<Event>,
    pub(super) nodes: Arc<[NodeView]>,
    /// Nodes that exist and that no list shows.
    pub(super) hidden: Vec<NodeView>,
    pub(super) list_is_doubted: bool,
    pub(super) contradictions: Vec<String>,
    pub(super) is_superseded: bool,
    pub(super) claims: Claims,
    pub(super) drops_claims: bool,
    pub(super) refuses_claims: bool,
    pub(super) records: Records,
    pub(super) identity: String,
    pub(super) login: u64,
    pub(super) has_tunnel: bool,
    pub(super) is_leading: bool,
    pub(super) is_doubted: bool,
    pub(super) is_stopping: bool,
    /// No read is answered.
    pub(super) is_silent: bool,
    pub(super) has_secret: bool,
    pub(super) version: &'static str,
    /// How often the unit's queue was joined.
    pub(super) joined: u32,
    /// How often the device was noted as verified.
    pub(super) verified: u32,
    /// What happens after so many further writes.
    pub(super) after_write: Option<(usize, AfterWrite)>,
    pub(super) fate: Option<Fate>,
    pub(super) comes_before_second_read: bool,
}

pub(super) type Shared = Rc<RefCell<State>>;

/// One object on one device.
pub(super) struct World {
    state: Shared,
    pub(super) clock: Clock,
    pub(super) assignment: Assignment,
    memory: Option<Memory>,
}

impl World {
    /// A unit without records and a task that has just begun, past its settle period.
    pub(super) fn new(nodes: &[NodeView]) -> Self {
        let clock = Clock::start();
        let state = State {
            events: Vec::new(),
            nodes: nodes.into(),
            hidden: Vec::new(),
            list_is_doubted: false,
            contradictions: Vec::new(),
            is_superseded: false,
            claims: Claims::default(),
            drops_claims: false,
            refuses_claims: false,
            records: Records::new(),
            identity: "unit".into(),
            login: 0,
            has_tunnel: true,
            is_leading: true,
            is_doubted: false,
            is_stopping: false,
            is_silent: false,
            has_secret: true,
            version: "17.1.2.1",
            joined: 0,
            verified: 0,
            after_write: None,
            fate: None,
            comes_before_second_read: false,
        };
        let memory = Memory::after_restart(Beginning {
            report: DeviceReport::pending(DEVICE.into(), "192.0.2.11".into(), 443),
            claims: &DeviceClaims::new(),
            identity: None,
            has_foreign_records: false,
            led_since: clock.now(),
            settle_period: Duration::ZERO,
            now: clock.now(),
            time: clock.time(),
        });
        Self {
            state: Rc::new(RefCell::new(state)),
            clock,
            assignment: assignment(nodes),
            memory: Some(memory),
        }
    }

    pub(super) fn state(&self) -> RefMut<'_, State> {
        self.state.borrow_mut()
    }

    pub(super) fn memory(&self) -> &Memory {
        self.memory.as_ref().unwrap()
    }

    /// Changes the nodes, for the API server and for the assignment.
    pub(super) fn publish(&mut self, nodes: &[NodeView]) {
        self.state().nodes = nodes.into();
        self.assignment.nodes = nodes.into();
    }

    /// Puts a record on the device, as another writer.
    pub(super) fn put(&mut self, mac: &str, endpoint: &str) {
        let (mac, endpoint) = (mac.parse().unwrap(), endpoint.parse().unwrap());
        self.state().records.insert(mac, endpoint);
    }

    /// Puts another unit behind the address, without records.
    pub(super) fn replace_unit(&mut self, name: &str) {
        let mut state = self.state();
        name.clone_into(&mut state.identity);
        state.login += 1;
        state.records.clear();
        state.events.clear();
    }

    /// Accepts the unit of this name, as a user.
    pub(super) fn accept(&mut self, name: &str) {
        let subject = Subject::Device {
            name: DEVICE.into(),
            identity: identity(name).to_string(),
        };
        self.assignment.accepted = Some(Answer::new(subject, &[]));
    }

    /// Makes one pass.
    pub(super) async fn pass(&mut self, depth: Depth) -> Result<PassOutcome, PassError> {
        let mut cluster = FakeCluster(self.state.clone());
        let mut access = FakeAccess(self.state.clone());
        let ports = Ports {
            cluster: &mut cluster,
            access: &mut access,
            ledger: &FakeLedger(self.state.clone()),
            clock: self.clock,
        };
        let memory = self.memory.take().unwrap();
        let (memory, ended) = pass(ports, memory, &self.assignment, depth).await;
        self.memory = Some(memory);
        ended
    }

    /// Makes passes until none follows at once.
    pub(super) async fn settle(&mut self) -> PassOutcome {
        let mut depth = Depth::Verify;
        for _ in 0..20 {
            match self.pass(depth).await {
                Ok(PassOutcome::Requeue(next)) => depth = next,
                Err(PassError::Restart) => depth = Depth::Verify,
                ended => return ended.unwrap(),
            }
        }
        panic!("passes follow each other without end");
    }

    /// Everything that was asked since it was last looked at.
    pub(super) fn all_events(&self) -> Vec<Event> {
        std::mem::take(&mut self.state().events)
    }

    /// The same, from the first claim or write on.
    pub(super) fn events(&self) -> Vec<Event> {
        let changes = |event: &Event| matches!(event, Event::Claimed(_)) || is_write(event);
        let events = self.all_events();
        let first = events.iter().position(changes);
        first.map_or_else(Vec::new, |first| events[first..].to_vec())
    }

    /// The writes that were sent to the device.
    pub(super) fn writes(&self) -> Vec<Event> {
        let state = self.state.borrow();
        state
            .events
            .iter()
            .filter(|e| is_write(e))
            .cloned()
            .collect()
    }

    /// What is claimed.
    pub(super) fn claims(&self) -> Vec<(&'static str, ClaimState)> {
        let state = self.state.borrow();
        let claims = state.claims.of(DEVICE).iter();
        claims.map(|(mac, state)| (text(*mac), *state)).collect()
    }

    /// What is on the device.
    pub(super) fn records(&self) -> Vec<&'static str> {
        let state = self.state.borrow();
        state.records.keys().map(|mac| text(*mac)).collect()
    }
}

fn is_write(event: &Event) -> bool {
    use Event::{Added, Corrected, Filled, Removed, Saved};
    matches!(event, Added(_) | Corrected(_) | Removed(_) | Filled | Saved)
}

/// A MAC address as the tests write it.
pub(super) fn text(mac: MacAddress) -> &'static str {
    let known = [M1, M2, FOREIGN];
    let text = mac.to_string();
    let known = known.into_iter().find(|known| *known == text);
    known.unwrap_or_else(|| text.leak())
}

fn assignment(nodes: &[NodeView]) -> Assignment {
    Assignment {
        device: DEVICE.into(),
        host: "192.0.2.11".into(),
        port: 443,
        purpose: Purpose::Maintain,
        tunnel: TunnelPath::new("Common".parse().unwrap(), "t".parse().unwrap()),
        prefix: MacPrefix::DEFAULT,
        addresses: AddressRule::default(),
        removal_delay: Duration::ZERO,
        removal_percent: 100,
        save_delay: None,
        drift: DriftPolicy::Correct,
        bulk_writes: false,
        listed: Arc::new([DEVICE.to_owned()].into()),
        nodes: nodes.into(),
        arrivals: Arc::default(),
        approved: Arc::default(),
        against_nodes: Arc::default(),
        accepted: None,
    }
}

pub(super) fn identity(name: &str) -> UnitIdentity {
    UnitIdentity {
        device_name: name.to_owned(),
        base_mac: "00:0c:29:35:0d:bd".into(),
    }
}
