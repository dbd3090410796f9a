//! `reconcile`: asks the operator for a pass over all BIG-IPs now, waits until it was made, and says
//! what came of it.
//!
//! Looks again and again instead of watching: that needs no further right.

use bigip_tunnel_core::condition::ConditionType;
use std::time::Duration;

use bigip_tunnel_crds::v1alpha1::BigIpTunnel;
use bigip_tunnel_crds::{ANNOTATION_PAUSED, ANNOTATION_RECONCILE_REQUESTED_AT};
use jiff::Timestamp;
use kube::ResourceExt as _;
use serde_json::json;
use tokio::time::{Instant, sleep, timeout};

use super::act::{blocked, change, named};
use super::status::nothing_found;
use crate::cli::act::{DryRun, ReconcileArgs};
use crate::connection::Connection;
use crate::context::{Cluster, readable};
use crate::error::{Error, Obstacle};
use crate::person::Person;
use crate::report::act::{Acted, Action, ActionReport};
use crate::report::status::{TunnelReport, find};

/// The first pause between two looks; each is twice the one before, up to the last.
const PAUSE_MIN: Duration = Duration::from_millis(100);
/// The longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(2);
/// How long one look may take, also when nothing is left of the time.
const LOOK_MIN: Duration = Duration::from_secs(5);
/// After how long it is said that the operator is waited for.
const PATIENCE: Duration = Duration::from_secs(1);

/// Does it, and notes it in the report.
pub(super) async fn collect(
    cluster: &Cluster,
    connection: &Connection,
    args: &ReconcileArgs,
    person: &mut Person<'_>,
    report: &mut ActionReport,
) -> Result<(), Error> {
    let objects = chosen(cluster, connection, args, person).await?;
    // To the nanosecond, so that no two requests are alike.
    let request = Timestamp::now().to_string();
    let patch = json!({"metadata": {"annotations": {ANNOTATION_RECONCILE_REQUESTED_AT: request}}});
    for object in &objects {
        change(cluster, object, &patch, args.change.dry_run).await?;
        let acted = Acted::new(object, Action::ReconcileRequested, args.change.dry_run);
        report.tunnels.push(acted);
    }
    if args.no_wait || args.change.dry_run != DryRun::None {
        return Ok(());
    }
    let wait = Wait {
        request: &request,
        begun: Instant::now(),
        limit: args.timeout.0,
    };
    let mut failed = None;
    for acted in &mut report.tunnels {
        match wait.until_handled(cluster, acted, person).await {
            Ok(object) => acted.reconciled(&object),
            // The others may have been handled all the same.
            Err(error) => {
                failed.get_or_insert(error);
            }
        }
    }
    failed.map_or(Ok(()), Err)
}

/// The tunnels that are meant. One that is not worked on answers every request at once and does
/// nothing: named, it is an error; among all, it is left out.
async fn chosen(
    cluster: &Cluster,
    connection: &Connection,
    args: &ReconcileArgs,
    person: &mut Person<'_>,
) -> Result<Vec<BigIpTunnel>, Error> {
    if !args.all {
        let objects = named(cluster, &args.names).await?;
        for object in &objects {
            if let Some(obstacle) = paused(object) {
                return Err(blocked(object, obstacle));
            }
        }
        return Ok(objects);
    }
    let all = cluster.tunnels(connection.all_namespaces, None).await?;
    if all.is_empty() {
        person.tell(&nothing_found(connection, &cluster.namespace));
    }
    let mut objects = Vec::new();
    for tunnel in all {
        let object = readable(tunnel)?;
        match paused(&object) {
            Some(obstacle) => {
                let namespace = object.namespace().unwrap_or_default();
                let name = object.name_any();
                person.tell(&format!(
                    "{namespace}/{name} left out: {}",
                    obstacle.problem
                ));
            }
            None => objects.push(object),
        }
    }
    Ok(objects)
}

fn paused(object: &BigIpTunnel) -> Option<Obstacle> {
    let name = object.name_any();
    let namespace = object.namespace().unwrap_or_default();
    let annotation = object.annotations().get(ANNOTATION_PAUSED);
    if object.spec.suspend {
        Some(Obstacle {
            problem: "it is suspended".to_owned(),
            hint: format!("kubectl bigip-tunnel resume {name} -n {namespace}"),
        })
    } else if annotation.is_some_and(|value| value == "true") {
        Some(Obstacle {
            problem: format!("it is paused by the annotation {ANNOTATION_PAUSED}"),
            hint: format!("kubectl annotate btun {name} -n {namespace} {ANNOTATION_PAUSED}-"),
        })
    } else {
        None
    }
}

/// One request, waited for on every tunnel in one span of time.
struct Wait<'a> {
    request: &'a str,
    begun: Instant,
    limit: Option<Duration>,
}

impl Wait<'_> {
    /// Waits until the operator has handled the request. Looks once at least, also when the time was
    /// spent on another tunnel.
    async fn until_handled(
        &self,
        cluster: &Cluster,
        acted: &Acted,
        person: &mut Person<'_>,
    ) -> Result<BigIpTunnel, Error> {
        let Acted {
            namespace, name, ..
        } = acted;
        let (mut pause, mut told) = (PAUSE_MIN, false);
        loop {
            let look = timeout(
                self.left().max(LOOK_MIN),
                cluster.tunnel_in(namespace, name),
            );
            let looked = look.await.map_err(|_| self.late(acted, None))?;
            let object = readable(looked?)?;
            if is_handled(&object, self.request) || is_rejected(&object) {
                return Ok(object);
            }
            let left = self.left();
            if left.is_zero() {
                return Err(self.late(acted, Some(&object)));
            }
            if self.begun.elapsed() > PATIENCE && !told {
                person.tell(&format!("waiting for the operator: {namespace}/{name}"));
                told = true;
            }
            sleep(pause.min(left)).await;
            pause = PAUSE_MAX.min(pause * 2);
        }
    }

    /// How much of the time is left.
    fn left(&self) -> Duration {
        self.limit.map_or(Duration::MAX, |limit| {
            limit.saturating_sub(self.begun.elapsed())
        })
    }

    /// `last` is the tunnel as it was last seen.
    fn late(&self, acted: &Acted, last: Option<&BigIpTunnel>) -> Error {
        let ready = last.map(|object| TunnelReport::new(object).ready);
        let ready = ready.map_or("Unknown".to_owned(), |ready| {
            format!("{}: {}: {}", ready.status, ready.reason, ready.message)
        });
        Error::NotHandled {
            namespace: acted.namespace.clone(),
            name: acted.name.clone(),
            limit: self.limit.unwrap_or_default(),
            ready,
        }
    }
}

/// Whether this request was handled, or one that somebody made after it.
fn is_handled(object: &BigIpTunnel, request: &str) -> bool {
    let status = object.status.as_ref();
    let handled = status.and_then(|status| status.last_handled_reconcile_at.as_deref());
    let annotation = object.annotations().get(ANNOTATION_RECONCILE_REQUESTED_AT);
    handled.is_some_and(|handled| {
        handled == request || annotation.is_some_and(|asked| asked == handled)
    })
}

/// Whether the operator cannot work with the spec: then no pass is made, however long one waits.
fn is_rejected(object: &BigIpTunnel) -> bool {
    let status = object.status.as_ref();
    let accepted = status.and_then(|status| find(&status.conditions, ConditionType::Accepted));
    accepted.is_some_and(|accepted| {
        accepted.status == "False" && accepted.observed_generation == object.metadata.generation
    })
}

#[cfg(test)]
mod tests;
