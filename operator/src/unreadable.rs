//! An object that cannot be read: what is wrong with it, and how its status comes to say so.
//!
//! An object whose claims cannot be read is one of these: what is claimed is not known, so nothing may be
//! written or removed. Works on plain JSON, because the types are what fails. Writes conditions and
//! nothing else: claims and finalizer stay as they are. Knows no device.

use bigip_tunnel_core::condition::ConditionType;
use bigip_tunnel_core::conditions::Truth;
use bigip_tunnel_core::reason::Reason;
use bigip_tunnel_crds::v1alpha1::BigIpTunnel;
use bigip_tunnel_crds::{FINALIZER, MANAGER_OPERATOR, convert};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::ResourceExt;
use kube::api::{Patch, PatchParams};
use kube::core::DynamicObject;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::index::ObjectKey;
use crate::kubernetes;
use crate::shared::Shared;
use crate::watch::{back_off, objects};

/// The most characters of a message.
const MESSAGE_MAX: usize = 512;

/// Where the claims are in an object.
const OWNERSHIP: &str = "status.ownership";

/// Why an object cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    /// Reason of its conditions.
    pub(crate) reason: Reason,
    /// The field, and what is wrong with it.
    pub(crate) text: String,
}

/// Parses an object, and its claims. The error names the field and what it should be, never its value:
/// that may be a password in the wrong place.
pub(crate) fn parse(object: &DynamicObject) -> Result<BigIpTunnel, Problem> {
    let invalid = |text| Problem {
        reason: Reason::InvalidSpec,
        text,
    };
    let unreadable = |text| Problem {
        reason: Reason::OwnershipUnreadable,
        text,
    };
    let value = serde_json::to_value(object).map_err(|_| invalid("it is not JSON".to_owned()))?;
    let parsed = serde_path_to_error::deserialize(value).map_err(|error| {
        let path = error.path().to_string();
        let text = format!("{path}: {}", without_value(&error.inner().to_string()));
        if path.starts_with(OWNERSHIP) {
            unreadable(text)
        } else {
            invalid(text)
        }
    });
    let parsed: BigIpTunnel = parsed?;
    let uid = object.uid().unwrap_or_default();
    let claims = parsed.status.as_ref();
    match claims.map(|status| convert::claims(status, &uid)) {
        Some(Err(problem)) => Err(unreadable(problem.to_string())),
        Some(Ok(_)) | None => Ok(parsed),
    }
}

/// What serde says against a value, without the value.
fn without_value(said: &str) -> String {
    if said.starts_with("missing field `") {
        return said.to_owned();
    }
    let kinds = [
        "invalid type",
        "invalid value",
        "invalid length",
        "unknown variant",
        "unknown field",
        "duplicate field",
    ];
    // The value comes before the last "expected", and may itself hold one.
    let expected = said
        .rsplit_once(", expected ")
        .map(|(_, expected)| expected);
    match (kinds.iter().find(|kind| said.starts_with(**kind)), expected) {
        (Some(kind), Some(expected)) => format!("{kind}, expected {expected}"),
        (Some(kind), None) => (*kind).to_owned(),
        (None, _) => "the value has not the right form".to_owned(),
    }
}

/// The patch of the status that says what is wrong with the object; none when it says so already.
///
/// Its resource version makes it a compare-and-swap: an object that was repaired in the meantime
/// never gets it. Without one nothing is written.
pub(crate) fn status_patch(
    object: &DynamicObject,
    problem: &Problem,
    now: Timestamp,
) -> Option<Value> {
    let version = object.resource_version()?;
    let generation = object.metadata.generation.unwrap_or_default();
    let status = object.data.get("status");
    let stored = status.and_then(|status| status.get("conditions"));
    let stored = stored
        .and_then(Value::as_array)
        .map_or(&[][..], Vec::as_slice);
    // What is stored may be what does not parse; then there is nothing to go on from.
    let previous: Vec<Condition> = stored
        .iter()
        .filter_map(|condition| Condition::deserialize(condition).ok())
        .collect();
    let text = message(object, problem);
    let wanted = conditions(&previous, (problem.reason, &text), generation, now);
    let observed = status.and_then(|status| status.get("observedGeneration"));
    let is_said = previous == wanted
        && previous.len() == stored.len()
        && observed.and_then(Value::as_i64) == Some(generation);
    (!is_said).then(|| {
        json!({
            "metadata": {"resourceVersion": version},
            "status": {"observedGeneration": generation, "conditions": wanted},
        })
    })
}

/// The problem, and what becomes of the object; cut so that the second part is always there.
fn message(object: &DynamicObject, problem: &Problem) -> String {
    let is_kept = object
        .finalizers()
        .iter()
        .any(|finalizer| finalizer == FINALIZER);
    let rest = if object.metadata.deletion_timestamp.is_some() && is_kept {
        format!(
            ". Its records stay on the BIG-IPs, and the finalizer {FINALIZER} keeps the object \
             from being deleted: repair it, or remove the finalizer by hand"
        )
    } else {
        ". Its records stay on the BIG-IPs as they are until it is repaired".to_owned()
    };
    let rest = if problem.reason == Reason::OwnershipUnreadable {
        format!(
            ". Which records belong to the object is not known, and nothing is written or removed. Run \
             the version that wrote the claims, or remove status.ownership: matching records are then \
             adopted{rest}"
        )
    } else {
        rest
    };
    let problem = format!("the object cannot be read: {}", problem.text);
    let max = MESSAGE_MAX.saturating_sub(rest.chars().count());
    problem.chars().take(max).chain(rest.chars()).collect()
}

/// The conditions of an object that does not parse. A time moves only when the status does.
fn conditions(
    previous: &[Condition],
    (reason, message): (Reason, &str),
    generation: i64,
    now: Timestamp,
) -> Vec<Condition> {
    let wanted = [
        (ConditionType::Ready, Truth::False),
        // Nobody looks, so nobody knows.
        (ConditionType::Available, Truth::Unknown),
        (ConditionType::Accepted, Truth::False),
        (ConditionType::Stalled, Truth::True),
    ];
    let complete = |(kind, truth): (ConditionType, Truth)| {
        let mut before = previous
            .iter()
            .filter(|before| before.type_ == kind.as_str());
        let same = before.find(|before| before.status == truth.as_str());
        Condition {
            type_: kind.as_str().to_owned(),
            status: truth.as_str().to_owned(),
            reason: reason.as_str().to_owned(),
            message: message.to_owned(),
            observed_generation: Some(generation),
            last_transition_time: same
                .map_or(Time(now), |before| before.last_transition_time.clone()),
        }
    };
    wanted.into_iter().map(complete).collect()
}

/// Writes such a patch, once this process leads; tries until the API server has taken it. A newer version of the object makes
/// it void (409): that one's event brings the next patch.
pub(crate) async fn write(shared: &Shared, key: &ObjectKey, patch: &Value) {
    let (namespace, name) = key;
    let api = objects(&shared.client, namespace);
    let params = PatchParams {
        field_manager: Some(MANAGER_OPERATOR.into()),
        ..PatchParams::default()
    };
    let patch = Patch::Merge(patch);
    let mut failures = 0;
    shared.leadership.begun().await;
    loop {
        let request = api.patch_status(name, &params, &patch);
        match kubernetes::write(&shared.leadership, request).await {
            Ok(_) => return shared.metrics.record_status_write(),
            Err(error) if matches!(error.code(), Some(404 | 409)) => return,
            Err(error) if failures == 0 => {
                tracing::warn!("the status could not be written: {error}");
            }
            Err(_) => {}
        }
        failures += 1;
        tokio::time::sleep(back_off(failures)).await;
    }
}

#[cfg(test)]
mod tests;
