//! The data plane beside the connections: what it does before a request is carried out, and after.
//!
//! It decides nothing about requests.

use std::sync::Arc;

use hyper::body::Bytes;
use hyper::{Method, Request};
use jiff::Timestamp;
use tokio::task::JoinHandle;

use super::connection::Shared;
use crate::dataplane::{DataPlane, DataPlaneConfig, DataPlaneError};
use crate::state::{Pinged, Reply, State};

impl Shared {
    /// Makes a data plane and brings it to the configuration.
    pub(super) async fn start_data_plane(
        &mut self,
        config: &DataPlaneConfig,
    ) -> Result<(), DataPlaneError> {
        let data_plane = DataPlane::start(config).await?;
        data_plane.follow(&self.state).await?;
        self.data_plane = Some(data_plane);
        Ok(())
    }

    /// Finds out what the answer to a request depends on: sends a ping, reads what was learned.
    pub(super) async fn before(&self, request: &mut Request<Bytes>) -> Result<(), DataPlaneError> {
        let Some(data_plane) = &self.data_plane else {
            return Ok(());
        };
        let now = Timestamp::now();
        // Before the packets that it asks for.
        self.change(|state| state.arrived(request, now));
        if State::asks_for_macs(request) {
            let macs = data_plane.macs(&self.state).await?;
            self.change(|state| state.set_macs(macs));
        }
        if State::asks_what_is_learned(request) && self.change(|state| state.may_ask(request, now))
        {
            let learned = data_plane.learned(&self.state).await?;
            self.change(|state| state.set_learned(learned));
        }
        if State::asks_for_ping(request)
            && let Some(ping) = self.change(|state| state.ping_asked(request, now))
        {
            let outcome = data_plane.ping(&self.state, &ping).await?;
            request.extensions_mut().insert(Pinged(outcome));
        }
        Ok(())
    }

    /// Has the data plane follow a change before it is answered.
    pub(super) async fn after(&self, request: &Request<Bytes>, reply: Reply) -> Reply {
        match &self.data_plane {
            Some(data_plane) if *request.method() != Method::GET => {
                match data_plane.follow(&self.state).await {
                    Ok(()) => reply,
                    Err(error) => self.failed(request, &error),
                }
            }
            _ => reply,
        }
    }

    /// What a client sees of a data plane that failed.
    pub(super) fn failed(&self, request: &Request<Bytes>, error: &DataPlaneError) -> Reply {
        tracing::error!(%error, "the data plane failed");
        let answer = self.change(|state| state.data_plane_failed(request, error));
        Reply::Answer(answer)
    }
}

/// Lets the data plane, if there is one, follow what a test does behind the back of the REST interface, too.
pub(super) fn follow(shared: &Arc<Shared>) -> Option<JoinHandle<()>> {
    shared.data_plane.as_ref()?;
    let shared = Arc::clone(shared);
    Some(tokio::spawn(async move {
        let mut changes = shared.state.subscribe();
        // Fails only when the sender is gone, and that is a field of shared.
        while changes.changed().await.is_ok() {
            if let Some(data_plane) = &shared.data_plane
                && let Err(error) = data_plane.follow(&shared.state).await
            {
                tracing::error!(%error, "the data plane failed");
            }
        }
    }))
}
