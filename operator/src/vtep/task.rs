//! The task that writes and removes CiliumVTEPConfigs, one after the other, while this process leads.

use bigip_tunnel_core::reason::Reason;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bigip_tunnel_cilium::manage::{self, Decision, Question, Write, said};
use bigip_tunnel_cilium::objects;
use bigip_tunnel_core::conditions::{Condition, Truth};
use bigip_tunnel_crds::v1alpha1::BigIpTunnel;
use kube::Api;
use tokio::time::{Instant, sleep};
use tracing::Instrument as _;

use super::api::Version;
use super::failure;
use super::noted::{Duty, Noted};
use super::view::{Served, View};
use super::{Outcome, Vtep};
use crate::index::ObjectKey;
use crate::kubernetes::{CallError, READ_DEADLINE, call};
use crate::log;
use crate::restart::{self, RESTART_DELAY};
use crate::shared::Shared;
use crate::watch::back_off;

/// How often everything is read again although nothing seems to have changed: marks of objects are not watched.
const INTERVAL: Duration = Duration::from_secs(60);
/// Changes that follow within this time are taken together.
const COALESCE: Duration = Duration::from_millis(500);

/// What the API server refused, and refuses again as long as the object and what is to be written are the same.
pub(super) type Refused = BTreeMap<ObjectKey, (Option<Version>, Write, Condition)>;

/// What comes after an object was looked at.
pub(super) enum Next {
    /// This was found.
    Found(Outcome),
    /// This was found, and is looked at again soon.
    Again(Outcome),
    /// What was said before stays.
    Stays,
}

/// Works until the process ends. A request in flight is finished.
pub(crate) async fn run(shared: Arc<Shared>) {
    let stop = shared.stop.clone();
    if stop
        .run_until_cancelled(shared.leadership.begun())
        .await
        .is_none()
    {
        return;
    }
    let begin = || work(&shared);
    let tell = || async {
        tracing::error!(
            reason = Reason::InternalError.as_str(),
            "the task of CiliumVTEPConfigs panicked; it begins again in {} s",
            RESTART_DELAY.as_secs()
        );
    };
    restart::keep_running(&stop, begin, tell).await;
}

async fn work(shared: &Shared) {
    let (mut refused, mut failures) = (Refused::new(), 0_u32);
    loop {
        let pass = pass(shared, &mut refused).await;
        failures = if pass.is_again {
            failures.saturating_add(1)
        } else {
            0
        };
        let pause = match (pass.is_again, pass.is_asked) {
            (true, _) => back_off(failures),
            (false, true) => INTERVAL,
            (false, false) => Duration::MAX,
        };
        tokio::select! {
            () = shared.stop.cancelled() => return,
            () = shared.vtep.changed.notified() => {}
            () = sleep_for(pause) => {}
        }
        if shared
            .stop
            .run_until_cancelled(sleep(COALESCE))
            .await
            .is_none()
        {
            return;
        }
    }
}

async fn sleep_for(pause: Duration) {
    match Instant::now().checked_add(pause) {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// What a pass leads to.
struct Pass {
    /// Whether an object asks for anything.
    is_asked: bool,
    /// Whether something is to be tried again.
    is_again: bool,
}

async fn pass(shared: &Shared, refused: &mut Refused) -> Pass {
    let vtep = &shared.vtep;
    let duties: Vec<(ObjectKey, Noted, Duty)> = vtep
        .noted()
        .into_iter()
        .map(|(key, noted)| {
            let is_leaving = vtep.is_leaving(&key, &noted.uid);
            let duty = noted.duty(&shared.writer, is_leaving);
            (key, noted, duty)
        })
        .collect();
    vtep.keep_outcomes(&duties);
    refused.retain(|key, _| {
        duties
            .iter()
            .any(|(known, _, duty)| known == key && *duty == Duty::Keep)
    });
    let is_read = |duty: Duty| duty == Duty::Remove || (duty == Duty::Keep && vtep.is_enabled);
    let mut pass = Pass {
        is_asked: duties.iter().any(|(.., duty)| *duty != Duty::None),
        is_again: false,
    };
    let mut view = if duties.iter().any(|(.., duty)| is_read(*duty)) {
        View::read(shared, vtep.scene()).await
    } else {
        View::Nothing
    };
    pass.is_again |= matches!(view, View::Failed(_));
    for (key, noted, duty) in duties {
        if shared.stop.is_cancelled() {
            break;
        }
        let span = log::of_object(&key.0, &key.1);
        let next = match duty {
            Duty::None | Duty::Wait => continue,
            Duty::Keep if !vtep.is_enabled => Next::Found(disabled(&noted)),
            Duty::Keep => {
                keep(shared, &key, &noted, &mut view, refused)
                    .instrument(span)
                    .await
            }
            Duty::Remove => {
                super::removal::remove(shared, &key, &noted, &view)
                    .instrument(span)
                    .await
            }
        };
        match next {
            Next::Found(outcome) => vtep.publish(&key, outcome),
            Next::Again(outcome) => {
                pass.is_again = true;
                vtep.publish(&key, outcome);
            }
            Next::Stays => {}
        }
    }
    pass
}

impl Vtep {
    /// Forgets the outcomes of objects that are gone, or ask for nothing.
    fn keep_outcomes(&self, duties: &[(ObjectKey, Noted, Duty)]) {
        self.outcomes.send_if_modified(|outcomes| {
            let is_kept = |key: &ObjectKey, outcome: &Outcome| {
                duties.iter().any(|(known, noted, duty)| {
                    known == key && noted.uid == outcome.uid && *duty != Duty::None
                })
            };
            let mut kept = (**outcomes).clone();
            kept.retain(|key, outcome| is_kept(key, outcome));
            let is_changed = kept.len() != outcomes.len();
            if is_changed {
                *outcomes = Arc::new(kept);
            }
            is_changed
        });
    }

    fn publish(&self, key: &ObjectKey, outcome: Outcome) {
        self.outcomes.send_if_modified(|outcomes| {
            let is_changed = outcomes.get(key) != Some(&outcome);
            if is_changed {
                let mut changed = (**outcomes).clone();
                changed.insert(key.clone(), outcome);
                *outcomes = Arc::new(changed);
            }
            is_changed
        });
    }
}

/// What is said while the feature gate is closed.
pub(super) fn disabled(noted: &Noted) -> Outcome {
    let left = noted.claim.as_ref().map_or_else(
        || "no CiliumVTEPConfig is written".to_owned(),
        |name| format!("CiliumVTEPConfig {name} stays as it is"),
    );
    let message = format!(
        "{left}: the operator runs without the feature gate VTEPConfig (--feature-gates=VTEPConfig=true, the chart's value \
         cilium.manage.enabled)"
    );
    Outcome {
        uid: noted.uid.clone(),
        condition: Some(said(Truth::False, Reason::FeatureGateDisabled, message)),
        name: noted.claim.clone(),
        is_removal: false,
    }
}

fn not_served() -> Condition {
    let message = "the cluster serves no CiliumVTEPConfig (cilium.io/v2 or v2alpha1): set Cilium's static VTEP \
                   configuration (kubectl bigip-tunnel cilium -o helm), or spec.cilium.vtepConfig to None";
    said(Truth::False, Reason::VtepConfigNotServed, message)
}

fn cilium_not_read() -> Condition {
    let message = "the operator reads nothing of Cilium (--cilium-verify=false, the chart's value \
                   cilium.verify.enabled), and writes no CiliumVTEPConfig without";
    said(Truth::Unknown, Reason::CiliumUnreadable, message)
}

/// What came of a CiliumVTEPConfig that is wanted.
fn outcome_of(noted: &Noted, condition: Condition, name: Option<String>) -> Outcome {
    Outcome {
        uid: noted.uid.clone(),
        condition: Some(condition),
        name,
        is_removal: false,
    }
}

/// Has the CiliumVTEPConfig of an object be as it should be.
async fn keep(
    shared: &Shared,
    key: &ObjectKey,
    noted: &Noted,
    view: &mut View,
    refused: &mut Refused,
) -> Next {
    let outcome = |condition, name| outcome_of(noted, condition, name);
    let served = match view {
        View::Nothing => return Next::Stays,
        View::Failed(condition) => {
            return Next::Again(outcome(condition.clone(), noted.claim.clone()));
        }
        View::NotServed => {
            return Next::Found(outcome(not_served(), noted.claim.clone()));
        }
        View::Served(served) => served,
    };
    if !shared.vtep.reads_cilium {
        return Next::Found(outcome(cilium_not_read(), noted.claim.clone()));
    }
    let name = objects::name_of(&key.0, &key.1);
    let Some(Decision { apply, condition }) = decided(key, noted, &name, served) else {
        return Next::Stays;
    };
    let is_own = served.owner(&name) == Some(&noted.uid);
    let claim = noted.claim.clone().or_else(|| is_own.then(|| name.clone()));
    let Some(write) = apply else {
        refused.remove(key);
        return Next::Found(outcome(condition, claim));
    };
    // Its name is stored before it is written; the status with it brings us here again.
    if !noted.may_write(&shared.writer, &name) {
        return Next::Found(outcome(condition, Some(name)));
    }
    let at = served.version(&name);
    if let Some((known, before, condition)) = refused.get(key)
        && (known, before) == (&at, &write)
    {
        return Next::Found(outcome(condition.clone(), claim));
    }
    let written = write_it(shared, key, noted, served, &write, at.as_ref()).await;
    let condition = match written {
        Ok(Some(condition)) => condition,
        Ok(None) | Err(CallError::NotLeading) => return Next::Stays,
        Err(error) if failure::is_outrun(&error) => return Next::Again(outcome(condition, claim)),
        Err(error) => {
            let condition = failure::condition(&error, "write");
            if failure::is_uncertain(&error) {
                // It may exist now: nothing is decided any more from what was read before.
                *view = View::Nothing;
            }
            if !failure::is_lasting(&error) {
                return Next::Again(outcome(condition, claim));
            }
            refused.insert(key.clone(), (at, write, condition.clone()));
            return Next::Found(outcome(condition, claim));
        }
    };
    let is_refused = [Reason::VtepConfigConflict, Reason::VtepPrefixesDiffer];
    if is_refused.contains(&condition.reason) {
        refused.insert(
            key.clone(),
            (served.version(&name), write, condition.clone()),
        );
    }
    Next::Found(outcome(condition, claim))
}

/// Writes an object, and says what it is then. `None`: it may not be written any more.
async fn write_it(
    shared: &Shared,
    key: &ObjectKey,
    noted: &Noted,
    served: &mut Served,
    write: &Write,
    at: Option<&Version>,
) -> Result<Option<Condition>, CallError> {
    let (configs, leadership) = (&served.configs, &shared.leadership);
    let name = &write.object.name;
    let mut write = write.clone();
    if configs.may_have_mask() {
        // Which fields the API server adds by itself is not known before.
        let trial = configs
            .apply(leadership, &write, &noted.uid, at, true)
            .await?;
        let trial = served.with(trial);
        match decided(key, noted, name, &trial) {
            Some(Decision {
                apply: Some(masked),
                ..
            }) => write = masked,
            Some(decision) if decision.condition.reason == Reason::VtepPrefixesDiffer => {
                return Ok(Some(decision.condition));
            }
            _ => {}
        }
    }
    if !may_still(shared, key, |now| now.may_write(&shared.writer, name)).await? {
        return Ok(None);
    }
    let answer = configs
        .apply(leadership, &write, &noted.uid, at, false)
        .await?;
    tracing::info!(object = name, "CiliumVTEPConfig written");
    served.take(answer);
    Ok(Some(match decided(key, noted, name, served) {
        Some(Decision {
            apply: None,
            condition,
        }) => condition,
        _ => manage::not_effective(name),
    }))
}

fn decided(key: &ObjectKey, noted: &Noted, name: &str, served: &Served) -> Option<Decision> {
    let scene = served.scene.as_ref()?;
    Some(manage::decide(&Question {
        cluster: &served.cluster,
        live: &served.live,
        shape: served.configs.shape,
        name,
        uid: &noted.uid,
        tunnel: scene.tunnels.get(key)?,
        observes: noted.observes,
    }))
}

/// Whether something holds of the object as it is now: what is watched may be behind.
pub(super) async fn may_still(
    shared: &Shared,
    key: &ObjectKey,
    holds: impl Fn(&Noted) -> bool,
) -> Result<bool, CallError> {
    let api: Api<BigIpTunnel> = Api::namespaced(shared.client.clone(), &key.0);
    let object = call(READ_DEADLINE, api.get_opt(&key.1)).await?;
    Ok(object.is_some_and(|object| holds(&Noted::of(&object))))
}
