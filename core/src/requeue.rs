//! When a device is looked at again.
//!
//! A BIG-IP sends no events, so there is always a next time. Randomness is a parameter.

use std::time::Duration;

/// The longest wait between two tries.
pub const RETRY_MAX: Duration = Duration::from_secs(60);

/// How a pass over a device ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The device is as it should be.
    Settled,
    /// Something failed that another try may mend.
    Retry {
        /// How many passes in a row have ended so, this one included.
        attempt: u32,
        /// What the device asked for.
        retry_after: Option<Duration>,
    },
    /// Only a person can mend it; looked at again every minute, to see whether one has.
    NeedsPerson,
}

/// The time until the next pass when nothing else happens. `random` is uniform in 0..1.
///
/// Settled: the interval ± 10 %, so that many objects do not ask one BIG-IP in step. Retry:
/// between half of and a whole limit that doubles from 1 s to 60 s, but never sooner than the device asked for.
pub fn next_delay(ended: Ended, interval: Duration, random: f64) -> Duration {
    let random = random.clamp(0.0, 1.0);
    match ended {
        Ended::Settled => interval.mul_f64(0.9 + 0.2 * random),
        Ended::NeedsPerson => interval.min(RETRY_MAX).mul_f64(0.9 + 0.1 * random),
        Ended::Retry {
            attempt,
            retry_after,
        } => {
            let doublings = attempt.saturating_sub(1).min(6);
            let limit = Duration::from_secs(1 << doublings).min(RETRY_MAX);
            // Half a step at least: a jitter of zero would make a busy loop of a fast failure.
            let jittered = limit.mul_f64(0.5 + 0.5 * random);
            jittered.max(retry_after.unwrap_or_default().min(RETRY_MAX))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_secs(60);

    fn retry(attempt: u32) -> Ended {
        Ended::Retry {
            attempt,
            retry_after: None,
        }
    }

    #[test]
    fn in_sync_device_is_verified_each_interval_within_10_pct() {
        assert_eq!(
            next_delay(Ended::Settled, INTERVAL, 0.0),
            Duration::from_secs(54)
        );
        assert_eq!(
            next_delay(Ended::Settled, INTERVAL, 1.0),
            Duration::from_secs(66)
        );
    }

    #[test]
    fn user_fix_is_noticed_within_a_minute() {
        let day = Duration::from_secs(86_400);
        assert_eq!(next_delay(Ended::NeedsPerson, day, 1.0), RETRY_MAX);
    }

    #[test]
    fn retries_begin_within_a_second_and_end_at_one_a_minute() {
        assert_eq!(next_delay(retry(1), INTERVAL, 1.0), Duration::from_secs(1));
        assert_eq!(next_delay(retry(3), INTERVAL, 1.0), Duration::from_secs(4));
        assert_eq!(next_delay(retry(u32::MAX), INTERVAL, 1.0), RETRY_MAX);
    }

    #[test]
    fn retry_is_never_immediate() {
        assert_eq!(
            next_delay(retry(1), INTERVAL, 0.0),
            Duration::from_millis(500)
        );
    }

    #[test]
    fn retry_after_is_respected_up_to_a_minute() {
        let asked = |seconds| Ended::Retry {
            attempt: 1,
            retry_after: Some(Duration::from_secs(seconds)),
        };
        assert_eq!(
            next_delay(asked(30), INTERVAL, 0.5),
            Duration::from_secs(30)
        );
        assert_eq!(next_delay(asked(3600), INTERVAL, 0.5), RETRY_MAX);
    }
}
