//! (I/O) The lease in Kubernetes: reads and writes it as `bigip_tunnel_core::lease` says.
//!
//! One call at a time, each with a short deadline and none sent twice. Every write names the version that
//! it replaces, so that of two processes one is refused. What the lease says about time is for people.
//! Decides nothing about who leads.

mod clock;
mod leadership;

use std::collections::BTreeMap;
use std::time::Duration;

use bigip_tunnel_core::lease::{Elector, GIVEN_BACK, Lease as Seen, Step, Timing};
use bigip_tunnel_core::time::Moment;
use bigip_tunnel_crds::MANAGER_OPERATOR;
use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client, ResourceExt};
use tokio_util::sync::CancellationToken;

pub(crate) use self::leadership::{ElectionState, Leadership};
use crate::clock::Clock;
use crate::kubernetes::{CallError, call};

/// The deadline of each of the two calls that give the lease back.
const GIVE_BACK_DEADLINE: Duration = Duration::from_secs(2);
/// How often a follower verifies that it may update the lease, which it does for the first time when it is needed.
const VERIFY_EVERY: Duration = Duration::from_secs(30);
/// On a lease that a process has held. The manifests do not have it, so that applying them takes it from no lease.
const HELD: &str = "bigip-tunnel.dev/lease-held";

/// The leadership is over: the lease could not be renewed in time, or names somebody else.
#[derive(Debug, thiserror::Error)]
#[error("the lease {0} is lost: it could not be renewed in time, or somebody else has it")]
pub(crate) struct Lost(String);

/// Where the lease is, and how long it lasts.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    /// Its namespace.
    pub(crate) namespace: String,
    /// Its name.
    pub(crate) name: String,
    /// Its times.
    pub(crate) timing: Timing,
}

/// One process's part in the election.
pub(crate) struct Election {
    api: Api<Lease>,
    options: Options,
    identity: String,
    elector: Elector,
    leadership: Leadership,
    clock: Clock,
    /// As last read or written: what is written is this with another holder.
    stored: Option<Lease>,
    /// What does not work, and was said; with what a user has to mend, if it is that.
    failing: BTreeMap<&'static str, Option<String>>,
    /// When the right to update is to be verified again.
    verify_at: Moment,
}

impl Election {
    /// A candidate of this name, which no other process has. Asks nothing yet.
    pub(crate) fn new(
        client: Client,
        options: Options,
        identity: String,
        leadership: Leadership,
        clock: Clock,
    ) -> Self {
        Self {
            api: Api::namespaced(client, &options.namespace),
            elector: Elector::new(identity.clone(), options.timing),
            options,
            identity,
            leadership,
            clock,
            stored: None,
            failing: BTreeMap::new(),
            verify_at: Moment::default(),
        }
    }

    /// Takes the lease when it is free, and renews it until `stop`; then gives it back.
    pub(crate) async fn run(mut self, stop: CancellationToken) -> Result<(), Lost> {
        while !stop.is_cancelled() {
            let now = clock::now();
            match self.elector.next(now) {
                Step::Lost => {
                    self.publish();
                    return Err(Lost(self.to_string()));
                }
                Step::Wait(until) => {
                    let pause = tokio::time::sleep(now.until(until));
                    stop.run_until_cancelled(pause).await;
                }
                Step::Read => self.read().await,
                Step::Make => self.make().await,
                Step::Take { replaces } => self.take(replaces.is_some()).await,
            }
            self.publish();
        }
        let is_ours = self.elector.step_down();
        self.publish();
        if is_ours && let Err(error) = self.give_back().await {
            tracing::warn!("the lease {self} was not given back and runs out: {error}");
        }
        Ok(())
    }

    async fn read(&mut self) {
        let sent = clock::now();
        let name = &self.options.name;
        match call(self.deadline(), self.api.get_opt(name)).await {
            Ok(lease) => {
                self.works("read");
                if lease.is_some() {
                    self.works("create");
                }
                self.see(lease, sent);
                self.verify_right_to_update(sent).await;
            }
            Err(error) => self.failed("read", &error, sent),
        }
    }

    /// Sends the lease of another process back as it is, as a dry run: a follower without this right could not
    /// take over.
    async fn verify_right_to_update(&mut self, now: Moment) {
        let follows = self
            .elector
            .holder()
            .is_some_and(|holder| *holder != self.identity);
        let Some(lease) = self
            .stored
            .as_ref()
            .filter(|_| follows && self.verify_at <= now)
        else {
            return;
        };
        self.verify_at = now + VERIFY_EVERY;
        let params = PostParams {
            dry_run: true,
            ..params()
        };
        let sent = self.api.replace(&self.options.name, &params, lease);
        match call(self.deadline(), sent).await {
            Err(error) if is_denied(&error) => self.report("update", &error),
            Err(error) if error.code() != Some(409) => {}
            Ok(_) | Err(_) => self.works("update"),
        }
    }

    async fn make(&mut self) {
        let sent = clock::now();
        let spec = LeaseSpec {
            lease_duration_seconds: Some(whole_seconds(self.options.timing.duration())),
            ..LeaseSpec::default()
        };
        let lease = self.new_lease(spec);
        match self.create(&lease).await {
            Ok(lease) => {
                self.works("create");
                tracing::info!(
                    "made the lease {self}, which did not exist; it is free when it has lasted"
                );
                self.see(Some(lease), sent);
            }
            Err(error) => self.refused("create", &error, sent),
        }
    }

    /// Writes the lease as ours, in place of the stored one or as a new one.
    async fn take(&mut self, replaces: bool) {
        let sent = clock::now();
        let stored = self.stored.take().filter(|_| replaces);
        let written = if let Some(stored) = stored {
            let spec = self.taken(stored.spec.clone().unwrap_or_default());
            let mut lease = Lease {
                spec: Some(spec),
                ..stored
            };
            lease.annotations_mut().insert(HELD.into(), "true".into());
            self.replace(self.deadline(), &lease).await
        } else {
            let mut lease = self.new_lease(self.taken(LeaseSpec::default()));
            lease.annotations_mut().insert(HELD.into(), "true".into());
            self.create(&lease).await
        };
        match written {
            Ok(lease) => {
                self.failing.clear();
                self.publish_refusal();
                let before = self.elector.leads_until();
                self.elector.taken(seen(&lease), sent, clock::now());
                self.stored = Some(lease);
                if before.is_none() && self.elector.leads_until().is_some() {
                    tracing::info!(identity = self.identity, "leading by the lease {self}");
                }
            }
            Err(error) => self.refused(if replaces { "update" } else { "create" }, &error, sent),
        }
    }

    /// The last thing a process does with it, when nothing of its work is left.
    async fn give_back(&mut self) -> Result<(), CallError> {
        let read = call(GIVE_BACK_DEADLINE, self.api.get_opt(&self.options.name));
        let Some(lease) = read.await? else {
            return Ok(());
        };
        if seen(&lease).holder.as_ref() != Some(&self.identity) {
            return Ok(());
        }
        let spec = LeaseSpec {
            holder_identity: None,
            lease_duration_seconds: Some(whole_seconds(GIVEN_BACK)),
            renew_time: Some(MicroTime(Timestamp::now())),
            ..lease.spec.clone().unwrap_or_default()
        };
        let lease = Lease {
            spec: Some(spec),
            ..lease
        };
        self.replace(GIVE_BACK_DEADLINE, &lease).await?;
        tracing::info!("the lease {self} is given back");
        Ok(())
    }

    fn taken(&self, before: LeaseSpec) -> LeaseSpec {
        let now = Some(MicroTime(Timestamp::now()));
        let is_renewal = before.holder_identity.as_ref() == Some(&self.identity);
        let transitions = before.lease_transitions.unwrap_or_default();
        LeaseSpec {
            holder_identity: Some(self.identity.clone()),
            lease_duration_seconds: Some(whole_seconds(self.options.timing.duration())),
            acquire_time: before.acquire_time.filter(|_| is_renewal).or(now.clone()),
            renew_time: now,
            lease_transitions: Some(transitions.saturating_add(i32::from(!is_renewal))),
            ..LeaseSpec::default()
        }
    }

    fn new_lease(&self, spec: LeaseSpec) -> Lease {
        Lease {
            metadata: ObjectMeta {
                name: Some(self.options.name.clone()),
                ..ObjectMeta::default()
            },
            spec: Some(spec),
        }
    }

    async fn create(&self, lease: &Lease) -> Result<Lease, CallError> {
        call(self.deadline(), self.api.create(&params(), lease)).await
    }

    async fn replace(&self, deadline: Duration, lease: &Lease) -> Result<Lease, CallError> {
        let (name, params) = (&self.options.name, params());
        call(deadline, self.api.replace(name, &params, lease)).await
    }

    fn deadline(&self) -> Duration {
        self.options.timing.call_deadline()
    }

    fn see(&mut self, lease: Option<Lease>, sent: Moment) {
        let before = self.elector.holder().map(str::to_owned);
        self.elector
            .read(lease.as_ref().map(seen), sent, clock::now());
        self.stored = lease;
        if let Some(holder) = self.elector.holder()
            && before.as_deref() != Some(holder)
            && holder != self.identity
        {
            tracing::info!(holder, "another process leads by the lease {self}");
        }
    }

    /// A write that did not succeed: the lease may be another one by now.
    fn refused(&mut self, verb: &'static str, error: &CallError, sent: Moment) {
        let is_gone = verb == "update" && error.code() == Some(404);
        if is_gone || error.code() == Some(409) {
            self.elector.overtaken(clock::now());
        } else {
            self.failed(verb, error, sent);
        }
    }

    fn failed(&mut self, verb: &'static str, error: &CallError, sent: Moment) {
        self.elector.failed(sent);
        self.report(verb, error);
    }

    /// Logs the first failure of a kind. One that only a user can end makes the replica not ready.
    fn report(&mut self, verb: &'static str, error: &CallError) {
        let hint = match (error.code(), verb) {
            (_, "create") if is_denied(error) => {
                "; create the lease, or grant the right to create leases in this namespace"
            }
            _ if is_denied(error) => "; grant the rights to get and update this lease",
            (Some(404), "create") => "; is the namespace there (--lease-namespace)?",
            _ => "",
        };
        let refusal = format!("cannot {verb} the lease {self}: {error}{hint}");
        let refusal = Some(refusal).filter(|_| !hint.is_empty());
        if self.failing.insert(verb, refusal).is_none() {
            tracing::warn!("cannot {verb} the lease {self}, tries again: {error}{hint}");
        }
        self.publish_refusal();
    }

    /// What this verb is for was done, by this process or another one.
    fn works(&mut self, verb: &'static str) {
        if self.failing.remove(verb).is_some() {
            self.publish_refusal();
        }
    }

    fn publish_refusal(&self) {
        let refusal = self.failing.values().flatten().next();
        self.leadership.set_refusal(refusal.cloned());
    }

    fn publish(&self) {
        let until = self.elector.leads_until();
        self.leadership.set_until(until, self.clock.now());
        self.leadership
            .set_leader(self.elector.leader(clock::now()));
    }
}

impl std::fmt::Display for Election {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.options.namespace, self.options.name)
    }
}

/// The lease as the decision sees it.
fn seen(lease: &Lease) -> Seen {
    let spec = lease.spec.as_ref();
    let holder = spec.and_then(|spec| spec.holder_identity.clone());
    let seconds = spec.and_then(|spec| u64::try_from(spec.lease_duration_seconds?).ok());
    Seen {
        version: lease.resource_version().unwrap_or_default(),
        holder: holder.filter(|holder| !holder.is_empty()),
        duration: seconds.map(Duration::from_secs),
        is_unused: spec.is_none_or(|spec| *spec == LeaseSpec::default())
            && !lease.annotations().contains_key(HELD),
    }
}

/// Whether a user has to grant something first.
fn is_denied(error: &CallError) -> bool {
    matches!(error.code(), Some(401 | 403))
}

fn params() -> PostParams {
    PostParams {
        field_manager: Some(MANAGER_OPERATOR.into()),
        ..PostParams::default()
    }
}

fn whole_seconds(duration: Duration) -> i32 {
    i32::try_from(duration.as_secs()).unwrap_or(i32::MAX)
}
