//! Calls to the Kubernetes API: connection, deadlines, and errors in words.
//!
//! kube's own retries are off: they repeat writes and can hold a call for minutes. Every call has a
//! deadline instead, and whoever makes it decides what a failure means.

use std::future::Future;
use std::time::Duration;

use kube::config::KubeConfigOptions;
use kube::runtime::watcher;
use kube::{Client, Config};
use tokio::time::timeout;

use crate::lease::Leadership;

/// The deadline of a read of one page or object.
pub(crate) const READ_DEADLINE: Duration = Duration::from_secs(15);
/// The deadline of a write.
const WRITE_DEADLINE: Duration = Duration::from_secs(15);
/// How long the server keeps a watch open: below the idle limits of common load balancers (240 s).
pub(crate) const WATCH_SECONDS: u32 = 180;

/// A call that did not succeed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CallError {
    /// No answer in time. A write may have been carried out all the same.
    #[error("the API server did not answer within {} s", .0.as_secs())]
    Deadline(Duration),
    /// The API server said no.
    #[error("{} ({})", .0.message, .0.code)]
    Status(Box<kube::core::Status>),
    /// It would have written, and this process does not lead now. It was not made.
    #[error("this operator does not lead, or cannot tell whether it does: nothing is written")]
    NotLeading,
    /// The object has no resource version, so the write would be no compare-and-swap. It was not made.
    #[error("the object has no resource version or no uid: nothing is written")]
    NoResourceVersion,
    /// Anything else.
    #[error("{0}")]
    Other(#[source] Box<kube::Error>),
}

impl CallError {
    /// The HTTP status, where there was an answer.
    pub(crate) fn code(&self) -> Option<u16> {
        match self {
            Self::Status(status) => Some(status.code),
            Self::Deadline(_) | Self::NotLeading | Self::NoResourceVersion | Self::Other(_) => None,
        }
    }
}

impl From<kube::Error> for CallError {
    fn from(error: kube::Error) -> Self {
        match error {
            kube::Error::Api(status) => Self::Status(status),
            other => Self::Other(Box::new(other)),
        }
    }
}

/// The HTTP status behind an error of the watch.
pub(crate) fn code_of(error: &watcher::Error) -> Option<u16> {
    match error {
        watcher::Error::InitialListFailed(error)
        | watcher::Error::WatchStartFailed(error)
        | watcher::Error::WatchFailed(error) => match error {
            kube::Error::Api(status) => Some(status.code),
            _ => None,
        },
        watcher::Error::WatchError(status) => Some(status.code),
        watcher::Error::NoResourceVersion => None,
    }
}

/// Makes a call within a deadline.
pub(crate) async fn call<T>(
    deadline: Duration,
    request: impl Future<Output = Result<T, kube::Error>>,
) -> Result<T, CallError> {
    match timeout(deadline, request).await {
        Ok(result) => result.map_err(CallError::from),
        Err(_) => Err(CallError::Deadline(deadline)),
    }
}

/// Makes a call that writes, if this process may write now.
pub(crate) async fn write<T>(
    leadership: &Leadership,
    request: impl Future<Output = Result<T, kube::Error>>,
) -> Result<T, CallError> {
    if !leadership.may_write() {
        return Err(CallError::NotLeading);
    }
    call(WRITE_DEADLINE, request).await
}

/// No configuration to reach a cluster with.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectError {
    /// Neither inside a cluster nor a usable kubeconfig.
    #[error("not inside a cluster ({in_cluster}), and no usable kubeconfig: {kubeconfig}")]
    NoConfig {
        /// Why the in-cluster configuration does not work.
        in_cluster: kube::config::InClusterError,
        /// Why the kubeconfig does not work.
        kubeconfig: kube::config::KubeconfigError,
    },
    /// The configuration cannot be used.
    #[error("the cluster's configuration cannot be used: {0}")]
    Client(#[source] Box<kube::Error>),
}

/// A client with the in-cluster configuration, else with the kubeconfig. Asks nothing yet.
pub(crate) async fn connect() -> Result<Client, ConnectError> {
    let mut config = match Config::incluster() {
        Ok(config) => config,
        Err(in_cluster) => Config::from_kubeconfig(&KubeConfigOptions::default())
            .await
            .map_err(|kubeconfig| ConnectError::NoConfig {
                in_cluster,
                kubeconfig,
            })?,
    };
    config.default_retry = false;
    config.connect_timeout = Some(Duration::from_secs(5));
    Client::try_from(config).map_err(|error| ConnectError::Client(Box::new(error)))
}
