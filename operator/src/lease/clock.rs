//! The clock that a leadership is measured on.
//!
//! It goes on while the machine is suspended, as time does for the other replicas: a process that wakes
//! up has to see that its lease is over. The monotonic clock of Linux stands still meanwhile.

use std::time::Duration;

use bigip_tunnel_core::time::Moment;
use rustix::time::{ClockId, clock_gettime};

#[cfg(target_os = "linux")]
const CLOCK: ClockId = ClockId::Boottime;
#[cfg(not(target_os = "linux"))]
const CLOCK: ClockId = ClockId::Monotonic;

/// Now. Such moments are compared with each other only.
pub(crate) fn now() -> Moment {
    let time = clock_gettime(CLOCK);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    let nanoseconds = u32::try_from(time.tv_nsec).unwrap_or_default();
    Moment::since_start(Duration::new(seconds, nanoseconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clock_advances() {
        let before = now();
        while now() == before {}
        assert!(before < now());
    }
}
