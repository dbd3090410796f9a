//! A call that failed, as a condition. Decides nothing else.

use bigip_tunnel_cilium::manage::said;
use bigip_tunnel_core::conditions::{Condition, Truth};
use bigip_tunnel_core::reason::Reason;

use crate::kubernetes::CallError;

/// Whether another client changed the object meanwhile: it is read and decided again.
pub(super) fn is_outrun(error: &CallError) -> bool {
    matches!(error.code(), Some(404 | 409)) && !is_of_manager(error)
}

/// Whether the same request fails again as long as the object is what it is.
pub(super) fn is_lasting(error: &CallError) -> bool {
    is_of_manager(error) || matches!(error.code(), Some(400 | 405 | 413 | 422))
}

/// Whether the request may have been carried out although it failed.
pub(super) fn is_uncertain(error: &CallError) -> bool {
    !matches!(error.code(), Some(400..=499)) && !matches!(error, CallError::NotLeading)
}

/// Whether another field manager has a part of what would be written.
fn is_of_manager(error: &CallError) -> bool {
    let CallError::Status(status) = error else {
        return false;
    };
    let causes = status.details.iter().flat_map(|details| &details.causes);
    let mut reasons = causes.map(|cause| &*cause.reason);
    status.code == 409 && reasons.any(|reason| reason == "FieldManagerConflict")
}

/// What is to be said. `verb`: what was tried.
pub(super) fn condition(error: &CallError, verb: &str) -> Condition {
    match error.code() {
        Some(403) => {
            let message = format!(
                "the operator may not {verb} ciliumvtepconfigs; the chart's value cilium.manage.enabled grants it"
            );
            said(Truth::False, Reason::VtepConfigForbidden, message)
        }
        Some(409) if is_of_manager(error) => {
            let message = format!(
                "another client has set a part of the CiliumVTEPConfig, and it is not overwritten: {error}. Have that \
                 client give it up"
            );
            said(Truth::False, Reason::VtepConfigConflict, message)
        }
        Some(400 | 405 | 413 | 422) => {
            let message = format!("the API server refuses the CiliumVTEPConfig: {error}");
            said(Truth::False, Reason::VtepConfigRejected, message)
        }
        _ => {
            let message = format!("could not {verb} ciliumvtepconfigs: {error}");
            said(Truth::Unknown, Reason::KubernetesUnavailable, message)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;

    fn answered(code: u16, cause: &str) -> CallError {
        let status = json!({
            "status": "Failure", "code": code, "message": "said", "reason": "r",
            "details": {"causes": [{"reason": cause, "message": "m", "field": "f"}]},
        });
        CallError::Status(serde_json::from_value(status).unwrap())
    }

    #[test]
    fn each_answer_has_its_reason() {
        let of = |error: &CallError| condition(error, "write").reason.as_str();
        assert_eq!(of(&answered(403, "")), "VTEPConfigForbidden");
        assert_eq!(of(&answered(422, "")), "VTEPConfigRejected");
        assert_eq!(
            of(&answered(409, "FieldManagerConflict")),
            "VTEPConfigConflict"
        );
        assert_eq!(of(&answered(409, "")), "KubernetesUnavailable");
        let late = CallError::Deadline(Duration::from_secs(15));
        assert_eq!(of(&late), "KubernetesUnavailable");
        assert!(
            condition(&answered(403, ""), "delete")
                .message
                .contains("delete")
        );
    }

    #[test]
    fn only_a_conflict_of_versions_is_tried_again_at_once() {
        assert!(is_outrun(&answered(409, "")) && is_outrun(&answered(404, "")));
        assert!(!is_outrun(&answered(409, "FieldManagerConflict")));
        assert!(is_lasting(&answered(409, "FieldManagerConflict")));
        assert!(is_lasting(&answered(422, "")));
        assert!(is_uncertain(&answered(500, "")));
        assert!(is_uncertain(&CallError::Deadline(Duration::from_secs(15))));
        assert!(!is_uncertain(&answered(403, "")) && !is_uncertain(&CallError::NotLeading));
        assert!(!is_lasting(&answered(403, "")) && !is_lasting(&answered(500, "")));
    }
}
