//! What a data plane has to know of the device, and what it says to it.

use hyper::body::Bytes;
use hyper::{Method, Request, Response, StatusCode};
use jiff::Timestamp;

use super::State;
use super::routing::{plain, segments};
use crate::dataplane::{DataPlaneError, Unsupported, Wanted};
use crate::failure::Failure;
use crate::ping::PingArguments;
use crate::resources::{self, Call, Learned};

impl State {
    /// What the kernel has to hold for the configuration as it is now.
    pub(crate) fn wanted(&self) -> Result<Wanted, Unsupported> {
        Wanted::of(&self.device.running, &self.device.base_mac)
    }

    /// Answers from the configuration, and refuses a change that the data plane could not follow.
    pub(super) fn answer_with_data_plane(&mut self, call: &Call<'_>) -> resources::Answer {
        let follows = self.has_data_plane && *call.method != Method::GET;
        let before = follows.then(|| self.device.running.clone());
        let answer = resources::answer(&mut self.device, call);
        let wanted = before.as_ref().map_or(Ok(()), |_| self.wanted().map(drop));
        match (wanted, before) {
            (Err(unsupported), Some(before)) => {
                self.device.running = before;
                Err(Failure::not_simulated(&unsupported.to_string()))
            }
            _ => answer,
        }
    }

    /// Whether a request asks for a ping.
    pub(crate) fn asks_for_ping(request: &Request<Bytes>) -> bool {
        let segments = segments(request.uri().path());
        *request.method() == Method::POST && segments == ["mgmt", "tm", "util", "ping"]
    }

    /// The ping that such a request asks for, if its sender may.
    pub(crate) fn ping_asked(
        &mut self,
        request: &Request<Bytes>,
        now: Timestamp,
    ) -> Option<PingArguments> {
        self.rehearse(None, |state| state.admit(request, now))
            .ok()?;
        let arguments = resources::ping_arguments(request.headers(), request.body());
        arguments.ok().map(|(_, arguments)| arguments)
    }

    /// Whether the answer to a request is of what the data plane has learned.
    pub(crate) fn asks_what_is_learned(request: &Request<Bytes>) -> bool {
        let segments = segments(request.uri().path());
        *request.method() == Method::GET && segments == ["mgmt", "tm", "net", "arp", "stats"]
    }

    /// Replaces what the device has learned by ARP.
    pub(crate) fn set_learned(&mut self, learned: Vec<Learned>) {
        self.device.learned = learned;
    }

    /// The answer to a request that the data plane failed. No device gives it.
    pub(crate) fn data_plane_failed(error: &DataPlaneError) -> Response<Bytes> {
        let text = format!("bigip-sim: the data plane failed: {error}\n");
        plain(StatusCode::INTERNAL_SERVER_ERROR, "text/plain", text)
    }
}
