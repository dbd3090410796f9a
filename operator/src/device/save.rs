//! A save under way, beside the passes.

use bigip_tunnel_core::outcome::Failure;
use bigip_tunnel_core::pass::{Fault, RequestError};
use bigip_tunnel_core::reason::Reason;
use bigip_tunnel_core::time::Moment;
use tokio::task::JoinHandle;

/// A save under way.
pub(super) struct Save {
    /// When it was begun.
    pub(super) begun: Moment,
    /// The request.
    pub(super) task: JoinHandle<Result<(), RequestError>>,
}

/// A save that has ended.
pub(super) struct Saved {
    /// When it was begun.
    pub(super) begun: Moment,
    /// How it ended.
    pub(super) result: Result<(), RequestError>,
}

/// Waits for a save under way; for ever when there is none.
pub(super) async fn join(save: &mut Option<Save>) -> Saved {
    let Some(Save { begun, task }) = save else {
        return std::future::pending().await;
    };
    let (begun, joined) = (*begun, task.await);
    *save = None;
    Saved {
        begun,
        result: joined.unwrap_or_else(|_| Err(save_broke_off())),
    }
}

/// The task that saves ended without a result.
fn save_broke_off() -> RequestError {
    RequestError {
        fault: Fault::Unreachable,
        failure: Failure {
            reason: Reason::InternalError,
            message: "the save ended unexpectedly; please file a bug".into(),
            retryable: true,
        },
        code: None,
        is_uncertain: true,
        retry_after: None,
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn save_that_panics_has_failed_and_is_over() {
        let mut save = Some(Save {
            begun: Moment::default(),
            task: tokio::spawn(async { panic!("a fault of ours") }),
        });
        let saved = join(&mut save).await;
        assert!(saved.result.is_err() && save.is_none());
        assert!(join(&mut save).now_or_never().is_none());
    }
}
