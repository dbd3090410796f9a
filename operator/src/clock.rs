//! The two clocks: the monotonic one that decisions use, and the wall clock for a person's eye.

use std::time::Duration;

use bigip_tunnel_core::time::Moment;
use jiff::Timestamp;
use tokio::time::Instant;

/// The process's clock. Copies agree with each other.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    start: Instant,
}

impl Clock {
    /// A clock that begins now.
    pub(crate) fn start() -> Self {
        Self {
            start: Instant::now(),
        }
    }

    /// Time since the process began.
    pub(crate) fn now(self) -> Moment {
        Moment::since_start(self.start.elapsed())
    }

    /// The wall clock, in whole seconds: what a status can hold.
    #[expect(clippy::unused_self, reason = "both clocks are asked for in one way")]
    pub(crate) fn time(self) -> Timestamp {
        let now = Timestamp::now();
        Timestamp::from_second(now.as_second()).unwrap_or(now)
    }

    /// The same moment on both.
    pub(crate) fn both(self) -> (Moment, Timestamp) {
        (self.now(), self.time())
    }

    /// How long it is until `moment`; zero when it has passed.
    pub(crate) fn until(self, moment: Moment) -> Duration {
        self.now().until(moment)
    }
}
