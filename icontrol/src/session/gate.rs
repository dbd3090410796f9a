//! Whether one client tries its login: not again and again when the device refuses it.
//!
//! Pure: the moment is a parameter. Knows nothing of requests, and nothing of other clients with the
//! same user; what all of them may do together is in `budget`.

use std::time::Duration;

use tokio::time::Instant;

use crate::error::ErrorKind;

/// The pause after the n-th refusal in a row of a login that worked before.
const fn pause(refusals: usize) -> Duration {
    let minutes = match refusals {
        0 => 0,
        1 => 5,
        2 => 15,
        _ => 60,
    };
    Duration::from_secs(minutes * 60)
}

/// Why a device refused a login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// User name or password.
    Login,
    /// The login provider.
    Provider,
}

impl Refusal {
    /// What a failed login says about the login. Every 401 counts as refused: what a locked account
    /// is answered is not known.
    pub(crate) const fn of(failure: &ErrorKind) -> Option<Self> {
        match failure {
            ErrorKind::TokenRefused | ErrorKind::Forbidden { .. } => Some(Self::Login),
            ErrorKind::UnknownLoginProvider => Some(Self::Provider),
            _ => None,
        }
    }

    pub(crate) const fn kind(self) -> ErrorKind {
        match self {
            Self::Login => ErrorKind::LoginRefused,
            Self::Provider => ErrorKind::UnknownLoginProvider,
        }
    }
}

/// One client's memory of refused logins.
#[derive(Debug, Default)]
pub(crate) struct LoginGate {
    has_worked: bool,
    /// Refusals since a login worked or a person asked again.
    refusals: usize,
    last: Option<(Refusal, Instant)>,
}

impl LoginGate {
    /// Whether a login may be tried now; otherwise how the last one was refused.
    pub(crate) fn check(&self, now: Instant) -> Result<(), Refusal> {
        let Some((refusal, at)) = self.last else {
            return Ok(());
        };
        let pausing = if self.has_worked {
            now.saturating_duration_since(at) < pause(self.refusals)
        } else {
            self.refusals > 0
        };
        if pausing { Err(refusal) } else { Ok(()) }
    }

    pub(crate) fn refused(&mut self, refusal: Refusal, now: Instant) {
        self.refusals += 1;
        self.last = Some((refusal, now));
    }

    pub(crate) fn worked(&mut self) {
        self.has_worked = true;
        self.refusals = 0;
    }

    /// A person asked again.
    pub(crate) fn allow(&mut self) {
        self.refusals = 0;
    }

    pub(crate) const fn has_worked(&self) -> bool {
        self.has_worked
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn a_login_that_never_worked_is_tried_once_until_a_person_asks() {
        let now = Instant::now();
        let mut gate = LoginGate::default();
        assert_eq!(gate.check(now), Ok(()));
        gate.refused(Refusal::Provider, now);
        assert_eq!(gate.check(now + 1_000 * MINUTE), Err(Refusal::Provider));
        gate.allow();
        assert_eq!(gate.check(now), Ok(()));
    }

    #[test]
    fn a_login_that_worked_is_tried_after_5_then_15_then_every_60_minutes() {
        let mut now = Instant::now();
        let mut gate = LoginGate::default();
        gate.worked();
        for pause in [5, 15, 60, 60, 60] {
            gate.refused(Refusal::Login, now);
            let early = now + pause * MINUTE - Duration::from_secs(1);
            assert_eq!(gate.check(early), Err(Refusal::Login), "{pause}");
            now += pause * MINUTE;
            assert_eq!(gate.check(now), Ok(()), "{pause}");
        }
    }

    #[test]
    fn a_login_that_works_again_begins_anew() {
        let now = Instant::now();
        let mut gate = LoginGate::default();
        gate.worked();
        gate.refused(Refusal::Login, now);
        gate.refused(Refusal::Login, now + 5 * MINUTE);
        gate.worked();
        gate.refused(Refusal::Login, now + 100 * MINUTE);
        assert_eq!(gate.check(now + 105 * MINUTE), Ok(()));
    }
}
