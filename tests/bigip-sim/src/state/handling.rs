//! What becomes of one request: logged, hit by a fault or not, carried out, answered.
//!
//! It must not know what a request means, nor how an answer is sent.

use std::net::IpAddr;

use hyper::body::Bytes;
use hyper::header::AUTHORIZATION;
use hyper::{Method, Request, Response, StatusCode, Uri};
use jiff::Timestamp;

use super::routing::{Admission, client, path_and_query, plain, record_of};
use super::{State, edits};
use crate::accounts::TOKEN_HEADER;
use crate::configuration::Configuration;
use crate::failure::Failure;
use crate::faults::{Answer, Commit, Delivery, Effect, FaultId, Given, Moment, Preset};
use crate::journal::WriteId;
use crate::log::{EntryId, asks_to_change};
use crate::ping::PingOutcome;
use crate::resources::COORDINATION;

/// What becomes of a request.
#[derive(Debug)]
pub enum Reply {
    /// Send this answer, whole.
    Answer(Response<Bytes>),
    /// Send this answer, but in this way.
    Broken(Response<Bytes>, Delivery),
    /// End the connection without an answer.
    Drop,
    /// Wait until [`State::holds`] is false or [`Held::late_ms`] are over, then call [`State::resume`].
    Hold(Held),
    /// Do the first at once. Then wait as with [`Reply::Hold`], but drop what comes of it: the request is
    /// only carried out.
    Late(Box<Self>, Held),
}

/// A request that waits.
#[derive(Debug)]
pub struct Held {
    fault: Option<FaultId>,
    late_ms: Option<u64>,
    entry: EntryId,
    rest: Rest,
}

impl Held {
    /// How long it waits at most, in milliseconds.
    pub fn late_ms(&self) -> Option<u64> {
        self.late_ms
    }
}

/// What is left to do with a request that waits.
#[derive(Debug)]
enum Rest {
    /// It is answered with this, if anything.
    Send(Box<(Option<Response<Bytes>>, Effect)>),
    /// It is answered so.
    Answer(Box<Struck>),
    /// It is carried out; it was answered before.
    CarryOut(Admitted),
}

/// Whether the sender may do what the request asks for, as found on its arrival.
type Admitted = Result<Admission, Failure>;

/// A request that a fault hit.
#[derive(Debug)]
struct Struck {
    admitted: Admitted,
    effect: Effect,
    /// The configuration of when the fault was set.
    past: Option<Configuration>,
}

/// What became of the ping that a request asks for, put into the extensions of the request. Without it the outcome is
/// what a test has set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pinged(pub(crate) PingOutcome);

/// The entry of the log for a request that waited for the data plane, put into the extensions of the request. Without
/// it a request arrives when it is carried out.
#[cfg_attr(
    not(target_os = "linux"),
    expect(dead_code, reason = "only a data plane has requests wait")
)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Arrived(pub(super) EntryId);

/// The sender's address, put into the extensions of a request. Without it refusals do not name one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Client(pub IpAddr);

impl State {
    /// Notes the arrival of a write. The name that it gets belongs into the extensions of the request.
    pub(crate) fn write_began(
        &mut self,
        request: &Request<Bytes>,
        now: Timestamp,
    ) -> Option<WriteId> {
        let path = path_and_query(request.uri());
        let token = request.headers().get(TOKEN_HEADER);
        self.journal.began(request.method(), path, token, now)
    }

    /// Notes that nothing more comes of it for its client.
    pub(crate) fn write_ended(&mut self, id: WriteId, is_answered: bool, now: Timestamp) {
        self.journal.ended(id, is_answered, now);
    }

    /// Takes a request: logs it, lets the faults have it, else carries it out.
    pub fn handle(&mut self, request: &Request<Bytes>, now: Timestamp) -> Reply {
        self.noting_changes(request, |state| state.take(request, now))
    }

    /// Goes on with a request that waited. Faults do not get it a second time.
    pub fn resume(&mut self, request: &Request<Bytes>, held: &Held, now: Timestamp) -> Reply {
        self.noting_changes(request, |state| state.go_on(request, held, now))
    }

    fn noting_changes<T>(
        &mut self,
        request: &Request<Bytes>,
        action: impl FnOnce(&mut Self) -> T,
    ) -> T {
        if !asks_to_change(request.method(), request.uri().path()) {
            return action(self);
        }
        let write = request.extensions().get::<WriteId>().copied();
        let record = record_of(request);
        self.noting(write, record.as_deref(), action)
    }

    /// Logs the arrival of a request that is handled after something else was done for it.
    #[cfg(target_os = "linux")]
    pub(crate) fn arrived(&mut self, request: &mut Request<Bytes>, now: Timestamp) {
        let entry = self.log_arrival(request, now);
        request.extensions_mut().insert(Arrived(entry));
    }

    fn log_arrival(&mut self, request: &Request<Bytes>, now: Timestamp) -> EntryId {
        let path = path_and_query(request.uri());
        let record = record_of(request);
        let is_queued = request.headers().contains_key(COORDINATION);
        self.log
            .arrived(request.method(), path, record, is_queued, now)
    }

    fn take(&mut self, request: &Request<Bytes>, now: Timestamp) -> Reply {
        let path = path_and_query(request.uri());
        let entry = match request.extensions().get() {
            Some(Arrived(entry)) => *entry,
            None => self.log_arrival(request, now),
        };
        let struck = self.faults.strike(request.method(), path);
        let struck = struck.map(|(fault, effect)| (Some(fault), effect));
        let struck = struck.or_else(|| Some((None, self.slow_login(request)?)));
        let admitted = self.admit(request, now);
        let Some((fault, effect)) = struck else {
            let response = self.carry_out(request, &admitted, now);
            return self.deliver(entry, Some(response), &Effect::default());
        };
        let past = fault.and_then(|fault| self.pasts.get(&fault).cloned());
        let struck = Struck {
            admitted,
            effect,
            past,
        };
        self.afflict(request, fault, entry, struck, now)
    }

    /// Does at once what a fault has done at once.
    fn afflict(
        &mut self,
        request: &Request<Bytes>,
        fault: Option<FaultId>,
        entry: EntryId,
        struck: Struck,
        now: Timestamp,
    ) -> Reply {
        let late_ms = struck.effect.late_ms;
        let held = |rest| Held {
            fault,
            late_ms,
            entry,
            rest,
        };
        let commits = struck.effect.commit == Commit::Now;
        match (struck.effect.reply, struck.effect.commit) {
            (Moment::Now, Commit::Now | Commit::Never) => {
                let response = self.answer(request, &struck, commits, now);
                self.deliver(entry, response, &struck.effect)
            }
            (Moment::Now, Commit::Late) => {
                let response = self.answer(request, &struck, commits, now);
                let first = self.deliver(entry, response, &struck.effect);
                self.held.push((fault, entry));
                Reply::Late(Box::new(first), held(Rest::CarryOut(struck.admitted)))
            }
            (Moment::Late, Commit::Now) => {
                let response = self.answer(request, &struck, commits, now);
                self.held.push((fault, entry));
                Reply::Hold(held(Rest::Send(Box::new((response, struck.effect)))))
            }
            (Moment::Late, Commit::Late | Commit::Never) => {
                self.held.push((fault, entry));
                Reply::Hold(held(Rest::Answer(Box::new(struck))))
            }
        }
    }

    /// Whether the request has to wait still, its time apart.
    pub fn holds(&self, held: &Held) -> bool {
        held.fault.is_none_or(|fault| self.faults.contains(fault))
    }

    fn go_on(&mut self, request: &Request<Bytes>, held: &Held, now: Timestamp) -> Reply {
        self.held.retain(|(_, entry)| *entry != held.entry);
        match &held.rest {
            Rest::Send(sent) => {
                let (response, effect) = &**sent;
                self.deliver(held.entry, response.clone(), effect)
            }
            Rest::Answer(struck) => {
                let commits = struck.effect.commit == Commit::Late;
                let response = self.answer(request, struck, commits, now);
                self.deliver(held.entry, response, &struck.effect)
            }
            Rest::CarryOut(admitted) => {
                self.carry_out(request, admitted, now);
                Reply::Drop
            }
        }
    }

    /// A login with an `Authorization` header, where that takes long.
    fn slow_login(&self, request: &Request<Bytes>) -> Option<Effect> {
        let is_login = request.method() == Method::POST
            && request.uri().path().ends_with("/shared/authn/login");
        let late_ms = self.version().basic_login_ms();
        let is_slow = is_login && request.headers().contains_key(AUTHORIZATION);
        late_ms.filter(|_| is_slow).map(|late_ms| Effect {
            late_ms: Some(late_ms),
            ..Effect::stall()
        })
    }

    /// What the request is answered with, if it is at all. `commits` says whether it is carried out, too.
    fn answer(
        &mut self,
        request: &Request<Bytes>,
        struck: &Struck,
        commits: bool,
        now: Timestamp,
    ) -> Option<Response<Bytes>> {
        let admitted = &struck.admitted;
        let done = commits.then(|| self.carry_out(request, admitted, now));
        if struck.effect.delivery == Delivery::Drop {
            return None;
        }
        let ask = |state: &mut Self| state.carry_out(request, admitted, now);
        let own = |state: &mut Self| done.unwrap_or_else(|| state.rehearse(None, ask));
        Some(match &struck.effect.answer {
            Answer::Own => own(self),
            Answer::Given(given) => given_response(given),
            Answer::Preset(preset) => self.preset_response(*preset, request),
            Answer::FirstItems(count) => edits::first_items(own(self), *count),
            Answer::Without(pointer) => edits::without(own(self), pointer),
            Answer::Page(size) => {
                let (whole, skip) = edits::without_paging(request);
                let own = self.rehearse(None, |state| state.carry_out(&whole, admitted, now));
                edits::page(own, request.uri().path(), skip, *size)
            }
            Answer::Stale => self.rehearse(struck.past.clone(), ask),
            Answer::Unloaded => self.rehearse(Some(self.unloaded.clone()), ask),
            Answer::Object(path) => self.look_at(path, request, now),
        })
    }

    /// Finds out what an action would come to, on another configuration if one is given, and forgets it.
    pub(super) fn rehearse<T>(
        &mut self,
        configuration: Option<Configuration>,
        action: impl FnOnce(&mut Self) -> T,
    ) -> T {
        let (device, accounts) = (self.device.clone(), self.accounts.clone());
        if let Some(configuration) = configuration {
            self.device.running = configuration;
        }
        let result = action(self);
        self.device = device;
        self.accounts = accounts;
        result
    }

    /// What the same sender sees at another path.
    fn look_at(&mut self, path: &str, request: &Request<Bytes>, now: Timestamp) -> Response<Bytes> {
        let mut look = request.clone();
        *look.method_mut() = Method::GET;
        *look.body_mut() = Bytes::new();
        *look.uri_mut() = path.parse().unwrap_or_else(|_| Uri::from_static("/"));
        let admitted = self.admit(&look, now);
        self.rehearse(None, |state| state.carry_out(&look, &admitted, now))
    }

    fn preset_response(&mut self, preset: Preset, request: &Request<Bytes>) -> Response<Bytes> {
        let sender = client(request);
        let name = sender.as_deref().unwrap_or("Unknown");
        let failure = preset.failure(request.method(), request.uri().path(), name);
        let named = sender.as_deref().filter(|_| preset.knows_sender());
        self.refuse(&failure, named)
    }

    /// Says how the answer, if there is one, is sent, and logs it.
    fn deliver(
        &mut self,
        entry: EntryId,
        response: Option<Response<Bytes>>,
        effect: &Effect,
    ) -> Reply {
        let Some(mut response) = response else {
            return Reply::Drop;
        };
        for (name, value) in &effect.headers {
            response.headers_mut().insert(name, value.clone());
        }
        self.log.answered(entry, response.status().as_u16());
        match effect.delivery {
            Delivery::Whole => Reply::Answer(response),
            Delivery::Drop => Reply::Drop,
            broken => Reply::Broken(response, broken),
        }
    }
}

fn given_response(given: &Given) -> Response<Bytes> {
    let status = StatusCode::from_u16(given.status);
    let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    plain(status, &given.content_type, given.body.clone())
}
