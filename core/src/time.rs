//! Points on the process's monotonic clock, as plain values.
//!
//! Delays, settle times and deadlines are measured on it, so that a wall clock that jumps removes
//! nothing early. Never reads a clock: the caller passes the moment in.

use std::ops::Add;
use std::time::Duration;

/// Time since the process began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Moment(Duration);

impl Moment {
    /// The moment this long after the process began.
    pub const fn since_start(elapsed: Duration) -> Self {
        Self(elapsed)
    }

    /// How long it is from `self` to `later`; zero when `later` is not later.
    pub const fn until(self, later: Self) -> Duration {
        later.0.saturating_sub(self.0)
    }
}

impl Add<Duration> for Moment {
    type Output = Self;

    fn add(self, delay: Duration) -> Self {
        Self(self.0.saturating_add(delay))
    }
}
