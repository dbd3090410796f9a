//! The ports of a pass, carried out on the state of a world in memory.

use std::cell::RefMut;
use std::sync::Arc;
use std::time::Duration;

use bigip_tunnel_core::budget::Window;
use bigip_tunnel_core::claims::{DeviceClaims, OWNERSHIP_BYTES_MAX};
use bigip_tunnel_core::endpoint::Endpoint;
use bigip_tunnel_core::listing::{Listing, RecordName};
use bigip_tunnel_core::mac::MacAddress;
use bigip_tunnel_core::node::NodeView;
use bigip_tunnel_core::outcome::Failure;
use bigip_tunnel_core::pass::claiming::ClaimRequest;
use bigip_tunnel_core::pass::inputs::{ClaimView, Removals};
use bigip_tunnel_core::pass::writing::{Permit, StoredClaims, Write};
use bigip_tunnel_core::pass::{Fault, PassError, RequestError};
use bigip_tunnel_core::reason::Reason;
use bigip_tunnel_core::sharing::Needs;
use bigip_tunnel_core::time::Moment;
use bigip_tunnel_core::turns::Urgency;
use bigip_tunnel_core::unit::{
    Encapsulation, FailoverState, Login, PublicKeyHash, TunnelFacts, UnitFacts, UnitIdentity,
};
use jiff::Timestamp;

use super::world::{AfterWrite, DEVICE, Event, FOREIGN, Fate, Shared, State, identity, text};
use crate::device::ports::{self, LoggedIn, Password};

fn refusal(reason: Reason) -> Failure {
    Failure {
        reason,
        message: "no".into(),
        retryable: false,
    }
}

pub(super) struct FakeCluster(pub(super) Shared);

impl ports::Cluster for FakeCluster {
    async fn list_nodes(&mut self, _floor: u128) -> Result<Option<Arc<[NodeView]>>, PassError> {
        let mut state = self.0.borrow_mut();
        state.events.push(Event::ListedNodes);
        let is_known = !state.list_is_doubted;
        Ok(is_known.then(|| state.nodes.clone()))
    }

    async fn get_node(&self, name: &str) -> Result<Option<NodeView>, PassError> {
        let mut state = self.0.borrow_mut();
        state.events.push(Event::AskedFor(name.to_owned()));
        let mut nodes = state.nodes.iter().chain(&state.hidden);
        Ok(nodes.find(|node| node.name == name).cloned())
    }

    fn note_contradiction(&self, node: &str) {
        self.0.borrow_mut().contradictions.push(node.to_owned());
    }

    fn removals_stop_until(&self) -> Option<Moment> {
        let is_stopped = !self.0.borrow().contradictions.is_empty();
        is_stopped.then(|| Moment::since_start(Duration::from_secs(3600)))
    }

    fn neighbours(&self) -> Option<Needs> {
        Some(Needs::default())
    }

    fn is_superseded(&self) -> bool {
        self.0.borrow().is_superseded
    }

    fn new_nodes(&self) -> Option<Arc<[NodeView]>> {
        None
    }

    fn latest_nodes(&self) -> Arc<[NodeView]> {
        self.0.borrow().nodes.clone()
    }
}

pub(super) struct FakeLedger(pub(super) Shared);

impl ports::Ledger for FakeLedger {
    async fn view(&self) -> ClaimView {
        let state = self.0.borrow();
        let listed = [DEVICE.to_owned()].into();
        let claims = (&state.claims, OWNERSHIP_BYTES_MAX);
        ClaimView {
            claims: state.claims.of(DEVICE).clone(),
            names: state.claims.nodes().clone(),
            removals: Removals::of(claims, Window::default(), DEVICE, &listed),
            version: 1,
        }
    }

    async fn claims(&self) -> DeviceClaims {
        self.0.borrow().claims.of(DEVICE).clone()
    }

    async fn claim(&self, request: ClaimRequest) -> Result<StoredClaims, PassError> {
        let mut state = self.0.borrow_mut();
        if state.refuses_claims {
            let failure = refusal(Reason::KubernetesUnavailable);
            return Err(PassError::Refused(failure));
        }
        let mut wanted = state.claims.clone();
        let is_applied = wanted.apply(DEVICE, &request.changes);
        let is_noted = wanted.note_nodes(&request.nodes);
        if (is_applied || is_noted) && !state.drops_claims {
            let changes = request.changes.iter();
            let changes = changes.map(|(mac, change)| (text(*mac), *change));
            let event = Event::Claimed(changes.collect());
            state.events.push(event);
            state.claims = wanted;
        }
        Ok(StoredClaims::of(state.claims.of(DEVICE).clone()))
    }
}

pub(super) struct FakeAccess(pub(super) Shared);

impl ports::Access for FakeAccess {
    type Session = ();
    type Unit = FakeUnit;

    async fn prepare(&mut self, _trusts_session: bool) -> Result<(), PassError> {
        if self.0.borrow().has_secret {
            return Ok(());
        }
        Err(PassError::unreachable(refusal(Reason::SecretNotFound)))
    }

    async fn log_in(&mut self, (): ()) -> Result<LoggedIn<FakeUnit>, PassError> {
        if self.0.borrow().is_stopping {
            return Err(PassError::Stopping);
        }
        let login = Login(self.0.borrow().login);
        Ok(LoggedIn {
            unit: FakeUnit(self.0.clone()),
            login,
            password: Password::Accepted,
        })
    }

    fn note_doubt(&self) {
        self.0.borrow_mut().is_doubted = true;
    }
}

pub(super) struct FakeUnit(pub(super) Shared);

impl FakeUnit {
    /// The unit, whose tunnel is there.
    fn of_tunnel(&self) -> Result<RefMut<'_, State>, PassError> {
        let state = self.0.borrow_mut();
        if state.is_silent {
            Err(PassError::unreachable(refusal(Reason::Timeout)))
        } else if state.has_tunnel {
            Ok(state)
        } else {
            let failure = refusal(Reason::TunnelNotFound);
            Err(PassError::Refused(failure))
        }
    }
}

impl FakeUnit {
    /// The unit's state for a read that is given up when the task is to end.
    fn read_unless_stopping(&self) -> Result<RefMut<'_, State>, PassError> {
        if self.0.borrow().is_stopping {
            return Err(PassError::Stopping);
        }
        self.of_tunnel()
    }
}

/// The records as a list.
fn list(mut state: RefMut<'_, State>) -> Listing {
    state.events.push(Event::Listed);
    let mut listing = Listing::default();
    for (mac, endpoint) in &state.records {
        listing.insert(Some(&mac.to_string()), Some(&endpoint.to_string()));
    }
    listing
}

impl ports::UnitReader for FakeUnit {
    type Writer = FakeWriter;

    async fn facts(&self) -> Result<UnitFacts, PassError> {
        let mut state = self.read_unless_stopping()?;
        state.events.push(Event::Facts);
        Ok(UnitFacts {
            identity: identity(&state.identity),
            hostname: "bigip.example.net".into(),
            version: state.version.parse().unwrap(),
            failover_state: FailoverState::Active,
            peers: Vec::new(),
            tunnel: TunnelFacts {
                full_path: "/Common/t".into(),
                local_address: Some("10.0.0.254".parse().unwrap()),
                vni: 2,
                profile: "/Common/vxlan-multipoint".into(),
                encapsulation: Encapsulation::Vxlan,
                port: Some(8472),
                flooding_type: Some("multipoint".into()),
                self_ips: Vec::new(),
                mac: None,
            },
        })
    }

    async fn identity(&self) -> Result<UnitIdentity, PassError> {
        Ok(identity(&self.0.borrow().identity))
    }

    async fn join_queue(&self) -> Result<(), PassError> {
        self.0.borrow_mut().joined += 1;
        Ok(())
    }

    async fn records(&self) -> Result<Listing, PassError> {
        self.read_unless_stopping().map(list)
    }

    fn note_verified(&self, _began: Moment, _time: Timestamp) {
        self.0.borrow_mut().verified += 1;
    }

    async fn records_after_write(&self) -> Result<Listing, PassError> {
        self.of_tunnel().map(list)
    }

    async fn record_after_write(&self, name: &RecordName) -> Result<Option<Endpoint>, PassError> {
        let mut state = self.of_tunnel()?;
        let mac: MacAddress = name.as_str().parse().unwrap();
        state.events.push(Event::Read(text(mac)));
        Ok(state.records.get(&mac).copied())
    }

    fn key(&self) -> Option<PublicKeyHash> {
        None
    }

    fn twin(&self) -> Option<String> {
        None
    }

    async fn pause(&self, duration: Duration) -> Result<(), PassError> {
        tokio::time::advance(duration).await;
        let mut state = self.0.borrow_mut();
        if state.comes_before_second_read {
            let (mac, endpoint) = (FOREIGN.parse().unwrap(), "192.0.2.7%0".parse().unwrap());
            state.records.insert(mac, endpoint);
        }
        Ok(())
    }

    async fn writer(
        &self,
        permit: Permit,
        _urgency: Urgency,
        _limit: Duration,
    ) -> Result<FakeWriter, PassError> {
        if self.0.borrow().is_stopping {
            return Err(PassError::Stopping);
        }
        if !self.0.borrow().is_leading {
            return Err(PassError::unreachable(refusal(Reason::NotLeading)));
        }
        Ok(FakeWriter(self.0.clone(), permit))
    }
}

impl ports::Saver for FakeUnit {
    async fn save(&self) -> Result<(), RequestError> {
        self.0.borrow_mut().events.push(Event::Saved);
        Ok(())
    }
}

pub(super) struct FakeWriter(pub(super) Shared, pub(super) Permit);

impl ports::UnitWriter for FakeWriter {
    async fn send(self) -> Result<bool, RequestError> {
        let mut state = self.0.borrow_mut();
        let write = self.1.write().clone();
        // What is stored when the write is sent has to permit it, too.
        let stored = StoredClaims::of(state.claims.of(DEVICE).clone());
        stored.permit(write.clone()).unwrap();
        let fate = state.fate.take();
        if fate == Some(Fate::Refused) {
            return Err(failed(Fault::Refused, Reason::RequestRefused, false));
        }
        let is_new = fate != Some(Fate::LostBefore) && state.carry_out(write);
        match state.after_write.take() {
            Some((1, AfterWrite::Stop)) => state.is_stopping = true,
            Some((1, AfterWrite::Silence)) => state.is_silent = true,
            later => state.after_write = later.map(|(writes, what)| (writes - 1, what)),
        }
        match fate {
            None => Ok(is_new),
            Some(_) => Err(failed(Fault::Unreachable, Reason::Timeout, true)),
        }
    }
}

impl State {
    /// Carries a write out, as a BIG-IP does. Returns whether the device holds something new.
    fn carry_out(&mut self, write: Write) -> bool {
        match write {
            Write::Add(record) => {
                self.events.push(Event::Added(text(record.mac)));
                let is_new = !self.records.contains_key(&record.mac);
                self.records.entry(record.mac).or_insert(record.endpoint);
                is_new
            }
            Write::Correct(_, record) => {
                self.events.push(Event::Corrected(text(record.mac)));
                self.records.insert(record.mac, record.endpoint);
                true
            }
            Write::Remove(_, mac) => {
                self.events.push(Event::Removed(text(mac)));
                self.records.remove(&mac);
                true
            }
            Write::Fill(records) => {
                self.events.push(Event::Filled);
                self.records = records;
                true
            }
        }
    }
}

fn failed(fault: Fault, reason: Reason, is_uncertain: bool) -> RequestError {
    RequestError {
        fault,
        failure: refusal(reason),
        code: None,
        is_uncertain,
        retry_after: None,
    }
}
