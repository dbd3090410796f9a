//! Why a claim or a status could not be written, and what the answers of the API server mean for that.

use bigip_tunnel_core::reason::Reason;
use std::sync::Arc;

use bigip_tunnel_core::budget::OverBudget;
use bigip_tunnel_core::outcome::Failure;
use bigip_tunnel_crds::convert::UnreadableClaims;

use super::patch::PatchError;
use crate::kubernetes::CallError;

/// Why a claim or a status could not be written.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum LedgerError {
    /// The object is gone, or another one of the same name has taken its place.
    #[error("the object is gone")]
    Gone,
    /// Another client changed the claims: what was planned on them has to be planned again.
    #[error("the claims were changed by another client")]
    Overtaken,
    /// More records were to go than may be removed within an hour.
    #[error(transparent)]
    OverBudget(#[from] OverBudget),
    /// Another operator process has taken the object over. Nothing is written any more.
    #[error("another operator works on the object: {0}")]
    Displaced(String),
    /// Others keep changing the object.
    #[error("the object kept changing while its status was written")]
    Busy,
    /// What is claimed is not known, so nothing is written or removed.
    #[error("the claims of the object cannot be read: {0}")]
    Unreadable(#[from] UnreadableClaims),
    /// The API server took the write and shows other claims than those that were sent.
    #[error("the API server stored other claims than were sent: apply the CRD of this version")]
    NotAsSent,
    /// The API server took a login and does not show it.
    #[error(
        "the API server dropped the login from the status: the CRD is older than the operator; apply \
         the CRD of this version"
    )]
    LoginDropped,
    /// The object would be larger than the API server takes.
    #[error(
        "more claims than the API server can store: select fewer nodes, and the others in a second object"
    )]
    TooLarge,
    /// The patch could not be built.
    #[error("the status could not be written: {0}")]
    Patch(Arc<PatchError>),
    /// The API server did not take the write.
    #[error("the status could not be written: {0}")]
    Call(Arc<CallError>),
}

impl From<PatchError> for LedgerError {
    fn from(error: PatchError) -> Self {
        Self::Patch(Arc::new(error))
    }
}

impl From<CallError> for LedgerError {
    fn from(error: CallError) -> Self {
        Self::Call(Arc::new(error))
    }
}

impl LedgerError {
    /// The failure as a user sees it.
    pub(crate) fn failure(&self) -> Failure {
        let reason = match self {
            Self::OverBudget(_) => Reason::MassRemovalBlocked,
            Self::Call(error) if matches!(**error, CallError::NotLeading) => Reason::NotLeading,
            Self::Unreadable(_) => Reason::OwnershipUnreadable,
            Self::TooLarge => Reason::TooManyNodes,
            Self::Patch(_) => Reason::InternalError,
            Self::Gone
            | Self::Overtaken
            | Self::Displaced(_)
            | Self::Busy
            | Self::NotAsSent
            | Self::LoginDropped
            | Self::Call(_) => Reason::KubernetesUnavailable,
        };
        Failure {
            reason,
            message: self.to_string(),
            retryable: !matches!(self, Self::Unreadable(_) | Self::TooLarge),
        }
    }
}

/// Whether the API server, or its database, does not take an object of this size.
pub(super) fn is_too_large(error: &CallError) -> bool {
    let CallError::Status(status) = error else {
        return false;
    };
    let says = |text| status.message.contains(text);
    status.code == 413
        || status.code >= 500 && (says("request is too large") || says("larger than max"))
}

/// Whether the object has to be read again before anything is known: another client was faster (409), or
/// the write may have been carried out although its answer is missing.
pub(super) fn may_be_stored(error: &CallError) -> bool {
    match error.code() {
        Some(code) => code == 409 || code >= 500,
        None => !matches!(error, CallError::NotLeading | CallError::NoResourceVersion),
    }
}

#[cfg(test)]
mod tests {
    use kube::core::Status;

    use super::*;

    #[test]
    fn object_that_the_api_server_cannot_store_is_too_large() {
        let refused = |code, message: &str| {
            let mut status = Status::failure(message, "Failure");
            status.code = code;
            is_too_large(&CallError::Status(Box::new(status)))
        };
        assert!(refused(413, "limit is 3145728"));
        assert!(refused(500, "etcdserver: request is too large"));
        assert!(refused(
            500,
            "trying to send message larger than max (2098 vs. 2097)"
        ));
        assert!(!refused(500, "etcdserver: request timed out"));
        assert!(!refused(409, "request is too large"));
    }
}
