//! The token of a login: how long it lasts, and when it is extended.
//!
//! Knows nothing of requests.

use std::time::Duration;

use secrecy::SecretString;
use tokio::time::Instant;

/// A token's lifetime where the login does not tell (14.1 to 17.1 answer 1,200 s).
const LIFETIME_DEFAULT: Duration = Duration::from_secs(1_200);
/// The shortest that is believed. A token that ends sooner is refused then, and that has its own pause.
const LIFETIME_MIN: Duration = Duration::from_secs(60);
/// The longest that BIG-IP gives (`DevCentral` 287462).
const LIFETIME_MAX: Duration = Duration::from_secs(36_000);

/// A token that the device gave.
#[derive(Clone)]
pub(super) struct Token {
    pub(super) value: SecretString,
    started: Instant,
    /// From `started` on.
    lifetime: Duration,
    /// What the login gave, and every extension adds to the time that has passed.
    span: Duration,
}

impl Token {
    /// A token of a login that began at `started`, with the lifetime that the login told.
    pub(super) fn new(value: SecretString, started: Instant, lifetime: Option<Duration>) -> Self {
        let lifetime = lifetime.unwrap_or(LIFETIME_DEFAULT);
        let lifetime = lifetime.clamp(LIFETIME_MIN, LIFETIME_MAX);
        Self {
            value,
            started,
            lifetime,
            span: lifetime,
        }
    }

    /// The same token with the lifetime that it was given.
    pub(super) fn extended(&self, lifetime: Duration) -> Self {
        Self {
            lifetime: lifetime.min(LIFETIME_MAX),
            ..self.clone()
        }
    }

    /// A quarter of the span is left for calls under way: 300 s, of which a save needs up to 120.
    fn margin(&self) -> Duration {
        self.span / 4
    }

    pub(super) fn is_fresh(&self, now: Instant) -> bool {
        now < self.started + self.lifetime.saturating_sub(self.margin())
    }

    /// The lifetime to ask for, or `None` if the token has ended or has been extended as far as BIG-IP
    /// allows. It counts from the login, not from the request (go-bigip).
    pub(super) fn extension(&self, now: Instant) -> Option<Duration> {
        let age = now.saturating_duration_since(self.started);
        let wanted = age + self.span;
        (age < self.lifetime && wanted <= LIFETIME_MAX).then_some(wanted)
    }
}
