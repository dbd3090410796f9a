//! `transaction`: several changes that happen together or not at all.
//!
//! A request with the header of a transaction is put into it, and carried out when it is committed: on
//! a copy of the configuration, which takes the place of the running one when nothing was refused.

use std::collections::BTreeMap;

use hyper::{HeaderMap, Method};
use jiff::Timestamp;
use serde_json::{Map, Value};

use super::{Answer, Call, Device, dispatch, ok};
use crate::failure::Failure;
use crate::wire::{Fields, Links};

/// Names the transaction that a request goes into.
pub(crate) const COORDINATION: &str = "x-f5-rest-coordination-id";

const RESOURCE: &str = "transaction";

/// After how many seconds without a use a transaction is gone (recorded on 12.1.2).
const TIMEOUT_S: u32 = 120;

/// The open transactions of a device.
#[derive(Debug, Clone, Default)]
pub(crate) struct Transactions {
    open: BTreeMap<u64, Transaction>,
    /// Commands of committed transactions.
    carried_out: u64,
}

#[derive(Debug, Clone)]
struct Transaction {
    timeout_s: u32,
    validate_only: bool,
    used: Timestamp,
    state: &'static str,
    failure_reason: String,
    commands: Vec<Command>,
}

/// A request that waits in a transaction.
#[derive(Debug, Clone)]
struct Command {
    method: Method,
    segments: Vec<String>,
    query: Option<String>,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Transactions {
    /// How many commands transactions have carried out, or tried to: each was a request to change the
    /// configuration then, and not before.
    pub(crate) fn carried_out(&self) -> u64 {
        self.carried_out
    }

    /// Forgets what was not committed, as a restart does.
    pub(crate) fn drop_all(&mut self) {
        self.open.clear();
    }

    /// A transaction that is still there. Looking at it is a use, too (*assumed*).
    fn get(&mut self, id: &str, now: Timestamp) -> Result<(u64, &mut Transaction), Failure> {
        self.open.retain(|_, transaction| {
            let idle = now.duration_since(transaction.used);
            idle.as_secs() < i64::from(transaction.timeout_s)
        });
        let id = id.parse().map_err(|_| Failure::no_transaction())?;
        let transaction = self.open.get_mut(&id);
        let transaction = transaction.ok_or_else(Failure::no_transaction)?;
        transaction.used = now;
        Ok((id, transaction))
    }
}

/// The transaction that a request is for; `None` if it is for none.
pub(super) fn named(call: &Call<'_>) -> Option<String> {
    let id = call.headers.get(COORDINATION)?;
    Some(String::from_utf8_lossy(id.as_bytes()).into_owned())
}

/// Puts a request into a transaction; nothing of it is carried out yet. Only its body is looked at now
/// (*assumed*).
pub(super) fn add(device: &mut Device, call: &Call<'_>, id: &str) -> Answer {
    let links = device.links;
    let (id, transaction) = device.transactions.get(id, call.now)?;
    let path = call.segments.join("/");
    let is_change = matches!(
        *call.method,
        Method::POST | Method::PUT | Method::PATCH | Method::DELETE
    );
    // Recorded of looking and of committing with the header still on (LAB).
    if !is_change || call.segments.first().is_some_and(|first| first == RESOURCE) {
        let operation = format!("{} /tm/{path}", call.method);
        return Err(Failure::not_for_transactions(id, &operation));
    }
    if matches!(path.as_str(), "cm" | "sys/config") {
        let what = format!("{} of /mgmt/tm/{path} in a transaction", call.method);
        return Err(Failure::not_simulated(&what));
    }
    if *call.method != Method::DELETE {
        call.properties()?;
    }
    transaction.commands.push(Command {
        method: call.method.clone(),
        segments: call.segments.to_vec(),
        query: call.query.map(str::to_owned),
        headers: call.headers.clone(),
        body: call.body.to_vec(),
    });
    let number = transaction.commands.len();
    let shown = transaction
        .commands
        .last()
        .map(|command| command.show(links, id, number));
    ok(&shown.unwrap_or_default())
}

/// `transaction`: opens one.
pub(super) fn open(device: &mut Device, call: &Call<'_>) -> Answer {
    if *call.method != Method::POST {
        return Err(call.not_simulated());
    }
    call.refuse_options()?;
    let mut transaction = Transaction {
        timeout_s: TIMEOUT_S,
        validate_only: false,
        used: call.now,
        state: "STARTED",
        failure_reason: String::new(),
        commands: Vec::new(),
    };
    transaction.read(&call.properties()?)?;
    // Recorded are microseconds since 1970; that they differ is what counts.
    let now = u64::try_from(call.now.as_microsecond()).unwrap_or_default();
    let open = &mut device.transactions.open;
    let last = open.last_key_value().map_or(0, |(id, _)| *id);
    let id = now.max(last + 1);
    let shown = transaction.show(device.links, id);
    open.insert(id, transaction);
    ok(&shown)
}

/// `transaction/ID`: shows, commits or drops one.
pub(super) fn item(device: &mut Device, call: &Call<'_>, id: &str) -> Answer {
    call.refuse_options()?;
    let links = device.links;
    let (id, transaction) = device.transactions.get(id, call.now)?;
    match *call.method {
        Method::GET => ok(&transaction.show(links, id)),
        Method::DELETE => {
            device.transactions.open.remove(&id);
            Ok(None)
        }
        Method::PATCH => {
            let mut properties = call.properties()?;
            let state = properties.remove("state");
            transaction.read(&properties)?;
            match state.as_ref().and_then(Value::as_str) {
                Some("VALIDATING") => commit(device, call, id),
                None if state.is_none() && !properties.is_empty() => {
                    ok(&transaction.show(links, id))
                }
                None if state.is_none() => Err(Failure::no_properties()),
                _ => Err(Failure::bad_value("state", &state.unwrap_or_default())),
            }
        }
        _ => Err(call.not_simulated()),
    }
}

/// `transaction/ID/commands`: what is in it, all or one.
pub(super) fn commands(
    device: &mut Device,
    call: &Call<'_>,
    id: &str,
    number: &[String],
) -> Answer {
    if *call.method != Method::GET {
        return Err(call.not_simulated());
    }
    let links = device.links;
    let (id, transaction) = device.transactions.get(id, call.now)?;
    let numbered = transaction.commands.iter().enumerate();
    let mut items = numbered.map(|(index, command)| command.show(links, id, index + 1));
    if !number.is_empty() {
        let text = number.join("/");
        let number: usize = text.parse().map_err(|_| Failure::bad_command_id(&text))?;
        // *Assumed* as with other items of a list; numbers start at 1.
        let found = number.checked_sub(1).and_then(|index| items.nth(index));
        let command = found.ok_or_else(|| Failure::object_not_found(&text))?;
        return ok(&call.query()?.object(command)?);
    }
    let path = format!("{RESOURCE}/{id}/commands");
    let (kind, items) = (
        "tm:transaction:commandscollectionstate".to_owned(),
        items.collect(),
    );
    ok(&call.query()?.collection(links, kind, &path, items)?)
}

/// Carries out all commands, or none. A transaction that failed stays, to be looked at (*assumed*), and so does
/// one without commands.
///
/// With `validateOnly` the commands are tried and nothing stays of them (so say FCP and BIGREST, which send
/// it). *Assumed*: that the state is `COMPLETED` then, that the transaction is gone, and that a refusal is the
/// same as without it.
fn commit(device: &mut Device, call: &Call<'_>, id: u64) -> Answer {
    let open = &mut device.transactions.open;
    let Some(mut transaction) = open.remove(&id) else {
        return Err(Failure::no_transaction());
    };
    if transaction.commands.is_empty() {
        open.insert(id, transaction);
        return Err(Failure::no_commands());
    }
    let before = device.running.clone();
    let refusal = transaction
        .commands
        .iter()
        .find_map(|command| dispatch(device, &command.call(call.now)).err());
    if refusal.is_some() || transaction.validate_only {
        device.running = before;
    }
    if !transaction.validate_only {
        let count = transaction.commands.len();
        device.transactions.carried_out += u64::try_from(count).unwrap_or_default();
    }
    let Some(refusal) = refusal else {
        transaction.state = "COMPLETED";
        return ok(&transaction.show(device.links, id));
    };
    let refusal = refusal.transaction_failed();
    transaction.state = "FAILED";
    transaction.failure_reason = String::from(refusal.message());
    device.transactions.open.insert(id, transaction);
    Err(refusal)
}

impl Transaction {
    /// Takes over what a client may set. Asynchronous ones are not simulated.
    fn read(&mut self, properties: &Map<String, Value>) -> Result<(), Failure> {
        for (name, value) in properties {
            let bad = || Failure::bad_value(name, value);
            match (name.as_str(), value) {
                ("timeoutSeconds", value) => {
                    let seconds = value.as_u64().and_then(|seconds| seconds.try_into().ok());
                    self.timeout_s = seconds.ok_or_else(bad)?;
                }
                ("validateOnly", Value::Bool(only)) => self.validate_only = *only,
                ("asyncExecution", Value::Bool(false)) => {}
                _ => {
                    let what = format!("the property {name} of a transaction");
                    return Err(Failure::not_simulated(&what));
                }
            }
        }
        Ok(())
    }

    /// A transaction (recorded on 12.1.2 and 13.1).
    fn show(&self, links: Links, id: u64) -> Fields {
        Fields::default()
            .with("transId", id)
            .with("state", self.state)
            .with("timeoutSeconds", self.timeout_s)
            .with("asyncExecution", false)
            .with("validateOnly", self.validate_only)
            .with("executionTimeout", 300)
            .with("executionTime", 0)
            .with("failureReason", self.failure_reason.as_str())
            .with("kind", "tm:transactionstate")
            .with("selfLink", links.to(&format!("{RESOURCE}/{id}")))
    }
}

impl Command {
    /// The request as if it came now. It names no transaction any more.
    fn call(&self, now: Timestamp) -> Call<'_> {
        Call {
            method: &self.method,
            segments: &self.segments,
            query: self.query.as_deref(),
            headers: &self.headers,
            body: &self.body,
            now,
            pinged: None,
        }
    }

    /// A command (recorded on 12.1.2). *Assumed*: without a body there is no such field.
    fn show(&self, links: Links, id: u64, number: usize) -> Fields {
        let uri = format!("https://localhost/mgmt/tm/{}", self.segments.join("/"));
        let fields = Fields::default()
            .with("method", self.method.as_str())
            .with("uri", uri);
        let body: Option<Value> = serde_json::from_slice(&self.body).ok();
        let fields = match body {
            Some(body) => fields.with("body", body),
            None => fields,
        };
        fields
            .with("evalOrder", number)
            .with("commandId", number)
            .with("kind", "tm:transaction:commandsstate")
            .with(
                "selfLink",
                links.to(&format!("{RESOURCE}/{id}/commands/{number}")),
            )
    }
}
