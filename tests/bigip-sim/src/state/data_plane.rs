//! What a data plane has to know of the device, and what it says to it.

use std::collections::BTreeMap;

use hyper::body::Bytes;
use hyper::{Method, Request, Response, StatusCode};
use jiff::Timestamp;

use super::State;
use super::handling::Arrived;
use super::routing::{path_and_query, plain, segments};
use crate::dataplane::{DataPlaneError, Desired, Unsupported};
use crate::failure::Failure;
use crate::faults::Commit;
use crate::ping::PingArguments;
use crate::resources::{self, COORDINATION, Call, Learned};

impl State {
    /// What the kernel has to hold for the configuration as it is now.
    pub(crate) fn desired(&self) -> Result<Desired, Unsupported> {
        let device = &self.device;
        Desired::of(&device.running, &device.base_mac, &device.macs)
    }

    /// Answers from the configuration, and refuses a change that the data plane could not follow.
    pub(super) fn answer_with_data_plane(&mut self, call: &Call<'_>) -> resources::Answer {
        let follows = self.has_data_plane && *call.method != Method::GET;
        let before = follows.then(|| self.device.running.clone());
        let answer = resources::answer(&mut self.device, call);
        let desired = before.as_ref().map_or(Ok(()), |_| self.desired().map(drop));
        match (desired, before) {
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

    /// The ping that such a request asks for, if its sender may and it is carried out at once: neither queued in a
    /// transaction nor kept from it by a fault.
    pub(crate) fn ping_asked(
        &mut self,
        request: &Request<Bytes>,
        now: Timestamp,
    ) -> Option<PingArguments> {
        let is_queued = request.headers().contains_key(COORDINATION);
        let has_options = request.uri().query().is_some_and(|query| !query.is_empty());
        let path = path_and_query(request.uri());
        let effect = self.faults.next_effect(request.method(), path);
        let commits = effect.is_none_or(|effect| effect.commit == Commit::Now);
        if is_queued || has_options || !commits || !self.may_ask(request, now) {
            return None;
        }
        let arguments = resources::ping_arguments(request.headers(), request.body());
        arguments.ok().map(|(_, arguments)| arguments)
    }

    /// Whether the sender of a request has the right to it. Nothing is counted for it yet.
    pub(crate) fn may_ask(&mut self, request: &Request<Bytes>, now: Timestamp) -> bool {
        let admitted = self.rehearse(None, |state| state.admit(request, now));
        admitted.is_ok()
    }

    /// Whether the answer to a request is of what the data plane has learned.
    pub(crate) fn asks_what_is_learned(request: &Request<Bytes>) -> bool {
        let segments = segments(request.uri().path());
        *request.method() == Method::GET && segments == ["mgmt", "tm", "net", "arp", "stats"]
    }

    /// Whether the answer to a request may show the MAC address of a tunnel.
    pub(crate) fn asks_for_macs(request: &Request<Bytes>) -> bool {
        let segments = segments(request.uri().path());
        let tunnels = ["mgmt", "tm", "net", "tunnels", "tunnel"];
        let is_below = segments.iter().take(tunnels.len()).eq(&tunnels);
        let is_stats = segments.last().is_some_and(|last| last == "stats");
        *request.method() == Method::GET && is_below && is_stats
    }

    /// Replaces what is known of the tunnels' interfaces.
    pub(crate) fn set_macs(&mut self, macs: BTreeMap<String, String>) {
        self.device.macs.seen = macs;
    }

    /// Replaces what the device has learned by ARP.
    pub(crate) fn set_learned(&mut self, learned: Vec<Learned>) {
        self.device.learned = learned;
    }

    /// The answer to a request that the data plane failed. No device gives it.
    pub(crate) fn data_plane_failed(
        &mut self,
        request: &Request<Bytes>,
        error: &DataPlaneError,
    ) -> Response<Bytes> {
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        if let Some(Arrived(entry)) = request.extensions().get() {
            self.log.answered(*entry, status.as_u16());
        }
        let text = format!("bigip-sim: the data plane failed: {error}\n");
        plain(status, "text/plain", text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{SimConfig, UserConfig};
    use crate::faults::{Effect, Fault, Preset};

    const PING: &str = "/mgmt/tm/util/ping";

    fn state() -> State {
        let config = SimConfig {
            users: vec![UserConfig::new("admin", "admin")],
            ..SimConfig::default()
        };
        State::new(&config, 1).unwrap()
    }

    fn request(uri: &str) -> Request<Bytes> {
        let body = r#"{"command": "run", "utilCmdArgs": "-c 1 10.0.0.7"}"#;
        Request::post(uri)
            .header("content-type", "application/json")
            .header("authorization", "Basic YWRtaW46YWRtaW4=")
            .body(Bytes::from_static(body.as_bytes()))
            .unwrap()
    }

    fn asks(state: &mut State, request: &Request<Bytes>) -> bool {
        let now = "2026-11-30T12:00:00Z".parse().unwrap();
        state.ping_asked(request, now).is_some()
    }

    #[test]
    fn executed_ping_is_sent() {
        assert!(asks(&mut state(), &request(PING)));
    }

    #[test]
    fn ping_without_credentials_is_not_sent() {
        let mut request = request(PING);
        request.headers_mut().remove("authorization");
        assert!(!asks(&mut state(), &request));
    }

    #[test]
    fn ping_in_a_transaction_is_not_sent() {
        let mut request = request(PING);
        let id = "1".parse().unwrap();
        request.headers_mut().insert(COORDINATION, id);
        assert!(!asks(&mut state(), &request));
    }

    #[test]
    fn ping_with_an_option_is_not_sent() {
        let uri = format!("{PING}?expandSubcollections=true");
        assert!(!asks(&mut state(), &request(&uri)));
    }

    #[test]
    fn late_or_uncommitted_ping_is_not_sent() {
        for (effect, is_sent) in [
            (Effect::drop_before_commit(), false),
            (Effect::drop_then_commit(), false),
            (Effect::stall(), false),
            (Effect::preset(Preset::Restarting), false),
            (Effect::drop_after_commit(), true),
            (Effect::commit_then_stall(), true),
        ] {
            let mut state = state();
            state.fault(Fault::new(effect.clone()));
            assert_eq!(asks(&mut state, &request(PING)), is_sent, "{effect:?}");
        }
    }

    #[test]
    fn fault_of_the_second_ping_leaves_the_first_one() {
        let mut state = state();
        state.fault(Fault::new(Effect::drop_before_commit()).nth(2));
        assert!(asks(&mut state, &request(PING)));
        state.handle(&request(PING), "2026-11-30T12:00:00Z".parse().unwrap());
        assert!(!asks(&mut state, &request(PING)));
    }
}
