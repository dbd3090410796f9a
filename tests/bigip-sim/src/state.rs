//! The device as one state machine: a request and the time go in, an answer comes out.
//!
//! No input, no output, no clock. It must not know of connections: what it cannot say with an answer
//! (drop, wait) it says with a [`Reply`].

use std::collections::BTreeMap;
use std::net::IpAddr;

use hyper::body::Bytes;
use hyper::ext::ReasonPhrase;
use hyper::header::{CONNECTION, CONTENT_TYPE, HeaderName, HeaderValue, WWW_AUTHENTICATE};
use hyper::{Method, Request, Response, StatusCode};
use jiff::Timestamp;
use percent_encoding::percent_decode_str;
use serde_json::Value;

use crate::accounts::Accounts;
use crate::config::{ConfigError, FailoverState, FloodingType, SelfIp, SimConfig, TunnelConfig};
use crate::configuration::Configuration;
use crate::failure::{Failure, RESTARTING_PAGE};
use crate::faults::{Effect, Fault, FaultId, Faults};
use crate::log::{EntryId, Log, LoggedRequest};
use crate::resources::{self, COORDINATION, Call, Device, Transactions};
use crate::tmos::TmosVersion;
use crate::wire::Links;

/// A simulated device.
#[derive(Debug)]
pub struct State {
    device: Device,
    accounts: Accounts,
    faults: Faults,
    log: Log,
    held: Vec<(FaultId, EntryId)>,
    /// `restOperationId` of the last restjavad answer.
    operations: u64,
}

/// What becomes of a request.
#[derive(Debug)]
pub enum Reply {
    /// Send this answer.
    Answer(Response<Bytes>),
    /// End the connection without an answer.
    Drop,
    /// Wait until [`State::holds`] is false, then call [`State::resume`].
    Hold(Held),
}

/// A request that waits for a fault to be removed.
#[derive(Debug)]
pub struct Held {
    fault: FaultId,
    entry: EntryId,
    /// Whether it is carried out and answered then; else its connection ends.
    goes_on: bool,
}

/// The sender's address, put into the extensions of a request. Without it refusals do not name one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Client(pub IpAddr);

impl State {
    /// A device just started: what is configured is saved. Token values depend on `seed`.
    pub fn new(config: &SimConfig, seed: u64) -> Result<Self, ConfigError> {
        let configuration = Configuration::new(config)?;
        let device = Device {
            links: Links::new(config.version),
            hostname: config.hostname.clone(),
            base_mac: config.base_mac.clone(),
            management_ip: config.management_ip.clone(),
            failover_state: config.failover_state,
            peers: config.peers.clone(),
            saved: configuration.clone(),
            running: configuration,
            transactions: Transactions::default(),
        };
        Ok(Self {
            device,
            accounts: Accounts::new(config.version, &config.users, seed),
            faults: Faults::default(),
            log: Log::default(),
            held: Vec::new(),
            operations: 0,
        })
    }

    /// Takes a request: logs it, lets the faults have it, else carries it out.
    pub fn handle(&mut self, request: &Request<Bytes>, now: Timestamp) -> Reply {
        let path = path_and_query(request);
        let record = record_of(request);
        let is_queued = request.headers().contains_key(COORDINATION);
        let entry = self
            .log
            .arrived(request.method(), path, record, is_queued, now);
        let Some((fault, effect)) = self.faults.strike(request.method(), path) else {
            return self.complete(request, entry, now);
        };
        match effect {
            Effect::Status {
                code,
                content_type,
                body,
            } => {
                let code = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                self.answered(entry, plain(code, &content_type, body))
            }
            Effect::Html503 => {
                let page = plain(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "text/html",
                    RESTARTING_PAGE,
                );
                self.answered(entry, page)
            }
            Effect::NotRegistered404 => {
                let failure = Failure::not_registered(below_mgmt(request.uri().path()));
                let response = self.refuse(&failure, client(request).as_deref());
                self.answered(entry, response)
            }
            Effect::DropBeforeCommit => Reply::Drop,
            Effect::DropAfterCommit => {
                self.perform(request, now);
                Reply::Drop
            }
            Effect::Stall => self.hold(fault, entry, true),
            Effect::StallThenDrop => self.hold(fault, entry, false),
            Effect::CommitThenStall => {
                self.perform(request, now);
                self.hold(fault, entry, false)
            }
        }
    }

    fn hold(&mut self, fault: FaultId, entry: EntryId, goes_on: bool) -> Reply {
        self.held.push((fault, entry));
        Reply::Hold(Held {
            fault,
            entry,
            goes_on,
        })
    }

    /// Whether the request has to wait still.
    pub fn holds(&self, held: &Held) -> bool {
        self.faults.contains(held.fault)
    }

    /// Goes on with a request that waited. Faults do not get it a second time.
    pub fn resume(&mut self, request: &Request<Bytes>, held: &Held, now: Timestamp) -> Reply {
        self.held.retain(|(_, entry)| *entry != held.entry);
        if held.goes_on {
            self.complete(request, held.entry, now)
        } else {
            Reply::Drop
        }
    }

    fn complete(&mut self, request: &Request<Bytes>, entry: EntryId, now: Timestamp) -> Reply {
        let response = self.perform(request, now);
        self.answered(entry, response)
    }

    fn answered(&mut self, entry: EntryId, response: Response<Bytes>) -> Reply {
        self.log.answered(entry, response.status().as_u16());
        Reply::Answer(response)
    }

    fn perform(&mut self, request: &Request<Bytes>, now: Timestamp) -> Response<Bytes> {
        let client = client(request);
        match self.route(request, client.as_deref(), now) {
            Ok(body) => self.accept(body),
            Err(failure) => self.refuse(&failure, client.as_deref()),
        }
    }

    /// Finds who answers: login, tokens or the configuration, the latter two for known senders only.
    fn route(
        &mut self,
        request: &Request<Bytes>,
        client: Option<&str>,
        now: Timestamp,
    ) -> resources::Answer {
        let (method, uri, body) = (request.method(), request.uri(), request.body());
        let segments = segments(uri.path());
        let known: Vec<&str> = segments.iter().map(String::as_str).collect();
        if known.as_slice() == ["mgmt", "shared", "authn", "login"] && *method == Method::POST {
            return self
                .accounts
                .login(body, client, now)
                .map(|login| Some(login.to_string()));
        }
        let user = self
            .accounts
            .authorize(request.headers(), uri.path(), client, now)?;
        let call = |segments| Call {
            method,
            segments,
            query: uri.query(),
            headers: request.headers(),
            body,
            now,
        };
        match known.as_slice() {
            ["mgmt", "shared", "authz", "tokens", id] => {
                let token = self.accounts.token(method, id, &user, body, now)?;
                Ok(Some(token.to_string()))
            }
            ["mgmt", "tm", _, ..] => resources::answer(
                &mut self.device,
                &call(segments.get(2..).unwrap_or_default()),
            ),
            ["mgmt", "shared", "echo", "available"] => resources::available(&call(&[])),
            _ => Err(Failure::not_registered(below_mgmt(uri.path()))),
        }
    }

    fn version(&self) -> TmosVersion {
        self.device.links.version()
    }

    fn accept(&self, body: Option<String>) -> Response<Bytes> {
        let mut response = match body {
            Some(json) => plain(StatusCode::OK, self.version().json_content_type(), json),
            None => Response::new(Bytes::new()),
        };
        self.add_headers(&mut response);
        response
    }

    fn refuse(&mut self, failure: &Failure, client: Option<&str>) -> Response<Bytes> {
        self.operations += 1;
        let content_type = self.version().json_content_type();
        let mut response = match (failure, failure.json(client, self.operations)) {
            (Failure::Html { page, .. }, _) => plain(failure.status(), "text/html", *page),
            (_, Some(json)) => plain(failure.status(), content_type, json),
            (_, None) => plain(failure.status(), content_type, ""),
        };
        self.add_headers(&mut response);
        match failure {
            Failure::Icrd { closes: true, .. } => {
                response
                    .headers_mut()
                    .insert(CONNECTION, HeaderValue::from_static("close"));
            }
            Failure::Restjavad { status, .. } if *status == StatusCode::UNAUTHORIZED => {
                // Recorded with expired tokens (ANS#2410), *assumed* for the other 401.
                let phrase = ReasonPhrase::from_static(b"F5 Authorization Required");
                response.extensions_mut().insert(phrase);
            }
            Failure::Html { .. } => {
                let realm = HeaderValue::from_static("Basic realm=\"Enterprise Manager\"");
                response.headers_mut().insert(WWW_AUTHENTICATE, realm);
            }
            _ => {}
        }
        response
    }

    fn add_headers(&self, response: &mut Response<Bytes>) {
        for (name, value) in self.version().headers() {
            let name = HeaderName::from_static(name);
            response
                .headers_mut()
                .append(name, HeaderValue::from_static(value));
        }
    }
}

/// What a test may look at.
impl State {
    /// The records of a tunnel as stored, MAC address to endpoint; empty if there is no such tunnel.
    pub fn records(&self, tunnel: &str) -> BTreeMap<String, String> {
        records_in(&self.device.running, tunnel)
    }

    /// The same as of the last save.
    pub fn saved_records(&self, tunnel: &str) -> BTreeMap<String, String> {
        records_in(&self.device.saved, tunnel)
    }

    /// Requests to change the configuration, whatever came of them: single ones, and the commands of
    /// every transaction whose commit was asked for. Clearing the log does not reset it.
    pub fn mutations(&self) -> u64 {
        self.log.mutations() + self.device.transactions.carried_out()
    }

    /// The requests since the log was cleared, oldest first.
    pub fn requests(&self) -> impl Iterator<Item = &LoggedRequest> {
        self.log.requests()
    }

    /// Requests that wait for a fault to be removed.
    pub fn held_requests(&self) -> usize {
        self.held.len()
    }

    /// The requests that one fault holds.
    pub fn held_by(&self, fault: FaultId) -> impl Iterator<Item = &LoggedRequest> {
        let held = self.held.iter().filter(move |(by, _)| *by == fault);
        held.filter_map(|(_, entry)| self.log.get(*entry))
    }

    /// Login attempts.
    pub fn logins(&self) -> u64 {
        self.accounts.logins()
    }

    /// Login attempts refused for a wrong name or password.
    pub fn failed_logins(&self) -> u64 {
        self.accounts.failed_logins()
    }

    /// Tokens of a user that are good at this time.
    pub fn live_tokens(&self, user: &str, now: Timestamp) -> usize {
        self.accounts.live_tokens(user, now)
    }
}

/// What a test may do behind the back of the REST interface. Nothing of it is logged or counted.
impl State {
    /// Writes a record as a person at tmsh would, but takes any text for MAC address and endpoint.
    pub fn seed_record(
        &mut self,
        tunnel: &str,
        mac: &str,
        endpoint: &str,
    ) -> Result<(), ConfigError> {
        if self.device.running.put_record(tunnel, mac, endpoint, None) {
            Ok(())
        } else {
            Err(ConfigError::NoSuchTunnel(tunnel.to_owned()))
        }
    }

    /// Removes a record as a person at tmsh would; false if there was none.
    pub fn drop_record(&mut self, tunnel: &str, mac: &str) -> bool {
        self.device.running.remove_record(tunnel, mac)
    }

    /// Makes a tunnel, and its profile if it is new.
    pub fn add_tunnel(&mut self, tunnel: &TunnelConfig) -> Result<(), ConfigError> {
        self.device.running.add_tunnel(tunnel)
    }

    /// Makes a self IP, or changes the one of this path.
    pub fn add_self_ip(&mut self, self_ip: &SelfIp) -> Result<(), ConfigError> {
        self.device.running.add_self_ip(self_ip)
    }

    /// Deletes a self IP; false if there was none.
    pub fn delete_self_ip(&mut self, path: &str) -> bool {
        self.device.running.delete_self_ip(path)
    }

    /// Changes how the profile of a tunnel floods; false if there is no such tunnel.
    pub fn set_flooding_type(&mut self, tunnel: &str, flooding_type: FloodingType) -> bool {
        self.device.running.set_flooding_type(tunnel, flooding_type)
    }

    /// Changes the local address of a tunnel; false if there is no such tunnel.
    pub fn set_local_address(&mut self, tunnel: &str, address: &str) -> bool {
        self.device.running.set_local_address(tunnel, address)
    }

    /// Restarts with the saved configuration, as a reboot does. Tokens stay good (*assumed*).
    pub fn reboot(&mut self) {
        self.device.running = self.device.saved.clone();
        self.device.transactions.drop_all();
    }

    /// Deletes a tunnel, its records and the self IPs on it; false if there was none.
    pub fn delete_tunnel(&mut self, path: &str) -> bool {
        self.device.running.delete_tunnel(path)
    }

    /// Changes a password, or adds the user. Tokens given out before stay good (*assumed*).
    pub fn set_password(&mut self, user: &str, password: &str) {
        self.accounts.set_password(user, password);
    }

    /// Changes what this device does in its pair; what it believes of its peers stays.
    pub fn set_failover_state(&mut self, state: FailoverState) {
        self.device.failover_state = state;
    }

    /// Sets a fault; it stays until it is removed, also when it can strike no more.
    pub fn fault(&mut self, fault: Fault) -> FaultId {
        self.faults.add(fault)
    }

    /// Removes a fault; requests it held go on.
    pub fn remove_fault(&mut self, id: FaultId) {
        self.faults.remove(id);
    }

    /// Removes all faults.
    pub fn clear_faults(&mut self) {
        self.faults.clear();
    }

    /// Forgets the logged requests; the counters stay.
    pub fn clear_log(&mut self) {
        self.log.clear();
    }
}

fn records_in(configuration: &Configuration, tunnel: &str) -> BTreeMap<String, String> {
    let records = configuration.records(tunnel);
    records
        .map(|record| (record.name.clone(), record.endpoint.clone()))
        .collect()
}

fn plain(status: StatusCode, content_type: &str, body: impl Into<Bytes>) -> Response<Bytes> {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    if let Ok(value) = HeaderValue::from_str(content_type) {
        response.headers_mut().insert(CONTENT_TYPE, value);
    }
    response
}

fn client(request: &Request<Bytes>) -> Option<String> {
    request
        .extensions()
        .get::<Client>()
        .map(|client| client.0.to_string())
}

fn path_and_query(request: &Request<Bytes>) -> &str {
    request
        .uri()
        .path_and_query()
        .map_or("/", hyper::http::uri::PathAndQuery::as_str)
}

/// The record that a request is about.
fn record_of(request: &Request<Bytes>) -> Option<String> {
    let segments = segments(request.uri().path());
    let known: Vec<&str> = segments.iter().map(String::as_str).collect();
    match known.as_slice() {
        ["mgmt", "tm", "net", "fdb", "tunnel", _, "records", name] => Some((*name).to_owned()),
        ["mgmt", "tm", "net", "fdb", "tunnel", _, "records"] => {
            let body: Value = serde_json::from_slice(request.body()).ok()?;
            Some(body.get("name")?.as_str()?.to_owned())
        }
        _ => None,
    }
}

fn below_mgmt(path: &str) -> &str {
    path.strip_prefix("/mgmt").unwrap_or(path)
}

/// The decoded segments of a path. A slash at the end is nothing (CIS puts one, CIS#1730); `%3A` for a
/// colon is the same as a colon (*assumed*).
fn segments(path: &str) -> Vec<String> {
    path.trim_matches('/')
        .split('/')
        .map(|segment| percent_decode_str(segment).decode_utf8_lossy().into_owned())
        .collect()
}
