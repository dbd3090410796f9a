//! When a unit is not pinged although it could be reached: after a refusal, or after rounds that failed.
//!
//! Knows nothing of nodes, and nothing of how a round is made.

use std::time::Duration;

use crate::account::SecretVersion;
use crate::outcome::Failure;
use crate::time::Moment;

/// How long a unit is left alone whose user may not ping, unless Secret or spec change.
const REFUSED_FOR: Duration = Duration::from_secs(3600);
/// How soon a unit is asked again that cannot ping because of its configuration.
const UNABLE_FOR: Duration = Duration::from_secs(60);
/// How soon after the first round that failed the next one is made. Each further one doubles it.
const FAILED_FOR: Duration = Duration::from_secs(30);
/// The longest time between two rounds that fail.
const FAILED_FOR_MAX: Duration = Duration::from_secs(600);
/// Rounds in a row that fail before that is reported.
const FAILURES_MAX: u32 = 3;
/// Logins in a row that end at a ping before the ping is taken for what ends them.
const LOGINS_MAX: u32 = 2;

/// What a user changes after a refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Basis {
    /// `metadata.generation` of the object.
    pub generation: i64,
    /// The Secret with the login.
    pub secret: SecretVersion,
}

/// How a round ended that was not completed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Broken {
    /// The user may not ping.
    Refused(Failure),
    /// The login ended at a ping.
    LoginEnded(Failure),
    /// The unit's configuration allows no ping.
    Unable(Failure),
    /// A call failed.
    Failed(Failure),
}

/// Why the unit is not pinged now.
#[derive(Debug, Clone, Default)]
pub struct Holds {
    held: Option<Held>,
    failures: u32,
    logins: u32,
}

#[derive(Debug, Clone)]
struct Held {
    why: Failure,
    until: Moment,
    /// A refusal ends when this changes.
    basis: Option<Basis>,
    is_shown: bool,
}

impl Holds {
    /// Takes in that a round was completed.
    pub fn note_complete(&mut self) {
        *self = Self::default();
    }

    /// Takes in that a round was broken off.
    pub fn note_broken(&mut self, broken: Broken, basis: &Basis, now: Moment) {
        let refused = |why| Held {
            why,
            until: now + REFUSED_FOR,
            basis: Some(basis.clone()),
            is_shown: true,
        };
        self.held = Some(match broken {
            Broken::Refused(why) => refused(why),
            Broken::LoginEnded(why) => {
                self.logins = self.logins.saturating_add(1);
                if self.logins < LOGINS_MAX {
                    self.held = None;
                    return;
                }
                refused(why)
            }
            Broken::Unable(why) => Held {
                why,
                until: now + UNABLE_FOR,
                basis: None,
                is_shown: true,
            },
            Broken::Failed(why) => {
                let factor = 2_u32.saturating_pow(self.failures);
                let pause = FAILED_FOR.saturating_mul(factor).min(FAILED_FOR_MAX);
                self.failures = self.failures.saturating_add(1);
                Held {
                    why,
                    until: now + pause,
                    basis: None,
                    is_shown: self.failures >= FAILURES_MAX,
                }
            }
        });
    }

    /// Until when the unit is not pinged, if it is held.
    pub fn until(&mut self, basis: &Basis, now: Moment) -> Option<Moment> {
        let changed = |held: &Held| held.basis.as_ref().is_some_and(|before| before != basis);
        if self.held.as_ref().is_some_and(changed) {
            *self = Self::default();
        }
        let held = self.held.as_ref()?;
        (now < held.until).then_some(held.until)
    }

    /// Why the unit is not pinged, where that is reported: also while it is tried again.
    pub fn shown(&self) -> Option<&Failure> {
        let held = self.held.as_ref().filter(|held| held.is_shown)?;
        Some(&held.why)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reason::Reason;

    fn at(second: u64) -> Moment {
        Moment::since_start(Duration::from_secs(second))
    }

    fn why() -> Failure {
        Failure {
            reason: Reason::AuthorizationFailed,
            message: "no".to_owned(),
            retryable: false,
        }
    }

    fn basis(generation: i64, version: &str) -> Basis {
        let secret = SecretVersion {
            uid: "uid".to_owned(),
            resource_version: version.to_owned(),
        };
        Basis { generation, secret }
    }

    #[test]
    fn refused_unit_is_left_alone_for_an_hour() {
        let mut holds = Holds::default();
        let of = basis(1, "1");
        holds.note_broken(Broken::Refused(why()), &of, at(10));
        assert_eq!(holds.until(&of, at(3609)), Some(at(3610)));
        assert_eq!(holds.shown(), Some(&why()));
        assert_eq!(holds.until(&of, at(3610)), None);
        // It is reported until a round is completed.
        assert_eq!(holds.shown(), Some(&why()));
        holds.note_complete();
        assert_eq!(holds.shown(), None);
    }

    #[test]
    fn edit_of_secret_or_spec_ends_a_refusal() {
        for changed in [basis(2, "1"), basis(1, "2")] {
            let mut holds = Holds::default();
            holds.note_broken(Broken::Refused(why()), &basis(1, "1"), at(10));
            assert_eq!(holds.until(&changed, at(11)), None);
            assert_eq!(holds.shown(), None);
        }
    }

    #[test]
    fn failed_rounds_are_reported_after_the_third() {
        let (mut holds, of) = (Holds::default(), basis(1, "1"));
        let mut pauses = Vec::new();
        for round in 1..=7 {
            holds.note_broken(Broken::Failed(why()), &of, at(0));
            pauses.push(at(0).until(holds.until(&of, at(0)).unwrap()).as_secs());
            assert_eq!(holds.shown().is_some(), round >= FAILURES_MAX, "{round}");
        }
        assert_eq!(pauses, [30, 60, 120, 240, 480, 600, 600]);
    }

    #[test]
    fn second_login_that_ends_at_a_ping_is_a_refusal() {
        let (mut holds, of) = (Holds::default(), basis(1, "1"));
        holds.note_broken(Broken::LoginEnded(why()), &of, at(10));
        assert_eq!(holds.until(&of, at(10)), None);
        assert_eq!(holds.shown(), None);
        holds.note_broken(Broken::LoginEnded(why()), &of, at(20));
        assert_eq!(holds.until(&of, at(20)), Some(at(3620)));
    }
}
