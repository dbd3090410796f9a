//! The removal of a CiliumVTEPConfig: exactly the one that was written for the object, and no other.

use bigip_tunnel_cilium::manage::said;
use bigip_tunnel_core::conditions::{Condition, Truth};
use bigip_tunnel_core::reason::Reason;

use super::Outcome;
use super::failure;
use super::noted::{Duty, Noted};
use super::task::{Next, disabled, may_still};
use super::view::View;
use crate::index::ObjectKey;
use crate::kubernetes::CallError;
use crate::shared::Shared;

/// Has the CiliumVTEPConfig of an object gone.
pub(super) async fn remove(shared: &Shared, key: &ObjectKey, noted: &Noted, view: &View) -> Next {
    let gone = || Outcome {
        uid: noted.uid.clone(),
        condition: None,
        name: None,
        is_removal: true,
    };
    let left = |condition: Condition| Outcome {
        uid: noted.uid.clone(),
        condition: Some(condition),
        name: noted.claim.clone(),
        is_removal: true,
    };
    let Some(name) = &noted.claim else {
        return Next::Found(gone());
    };
    let served = match view {
        View::Nothing => return Next::Stays,
        View::Failed(condition) => return Next::Again(left(condition.clone())),
        View::NotServed => return Next::Found(gone()),
        View::Served(served) => served,
    };
    let Some(at) = served.version(name) else {
        return Next::Found(gone());
    };
    if served.owner(name) != Some(&noted.uid) {
        tracing::warn!(
            object = name,
            "it is left: the marks of this object are missing"
        );
        return Next::Found(gone());
    }
    if !shared.vtep.is_enabled {
        return Next::Found(Outcome {
            is_removal: true,
            ..disabled(noted)
        });
    }
    if noted.observes {
        let message = format!(
            "managementPolicy Observe: nothing is written. CiliumVTEPConfig {name} would be removed"
        );
        return Next::Found(left(said(Truth::Unknown, Reason::Observed, message)));
    }
    let finalizers = served.finalizers(name).unwrap_or_default();
    if let Some(message) = held_by(name, finalizers) {
        return Next::Again(left(said(Truth::False, Reason::CleanupFailed, message)));
    }
    match may_still(shared, key, |now| is_removed(shared, key, noted, now)).await {
        Ok(true) => {}
        Ok(false) => return Next::Stays,
        Err(error) => return Next::Again(left(failure::condition(&error, "delete"))),
    }
    let removing = || {
        let message = format!("CiliumVTEPConfig {name} is being removed");
        left(said(Truth::False, Reason::CleaningUp, message))
    };
    match served.configs.delete(&shared.leadership, name, at).await {
        Ok(()) => {
            tracing::info!(object = name, "CiliumVTEPConfig removed");
            // Whether it is gone is read once more: a finalizer may hold it.
            Next::Again(removing())
        }
        Err(CallError::NotLeading) => Next::Stays,
        Err(error) if failure::is_outrun(&error) => Next::Again(removing()),
        Err(error) => Next::Again(left(failure::condition(&error, "delete"))),
    }
}

/// Whether the CiliumVTEPConfig is to be removed by what the object is now.
fn is_removed(shared: &Shared, key: &ObjectKey, noted: &Noted, now: &Noted) -> bool {
    let is_leaving = shared.vtep.is_leaving(key, &noted.uid);
    now.uid == noted.uid && now.duty(&shared.writer, is_leaving) == Duty::Remove
}

/// What is said of an object that is being deleted already, and is held: another DELETE changes nothing.
fn held_by(name: &str, finalizers: &[String]) -> Option<String> {
    (!finalizers.is_empty()).then(|| {
        format!(
            "CiliumVTEPConfig {name} is being deleted and held by the finalizers {}: have their owners remove them",
            finalizers.join(", ")
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finalizers_of_others_are_named() {
        assert_eq!(held_by("x", &[]), None);
        let held = ["a.com/one".to_owned(), "b.com/two".to_owned()];
        let message = held_by("x", &held).unwrap();
        assert!(message.contains("a.com/one, b.com/two"), "{message}");
    }
}
