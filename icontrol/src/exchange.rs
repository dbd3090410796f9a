//! Tells whoever wants to know of every request: what it was, how it ended and how long it took.
//!
//! Knows nothing of what is made of it. Holds no path and no body.

use bigip_tunnel_core::reason::Reason;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// A request that has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exchange<'a> {
    /// `host:port` of the device.
    pub address: &'a str,
    /// HTTP method.
    pub verb: &'static str,
    /// Kind of resource: one of a fixed set of words, never a path.
    pub resource: &'static str,
    /// Status of the answer, or the reason why there was none.
    pub outcome: Result<u16, Reason>,
    /// From sending to the end of the answer.
    pub took: Duration,
    /// When the certificate that the device last presented expires, in seconds since 1970. Nothing where none
    /// was accepted yet, and where its time does not count.
    pub certificate_expires_unix_s: Option<i64>,
}

/// Whom to tell. Nobody, if nothing else is said.
#[derive(Clone)]
pub struct Observer(Arc<dyn Fn(&Exchange<'_>) + Send + Sync>);

impl Observer {
    /// Tells it to `hear`, which must not block.
    pub fn new(hear: impl Fn(&Exchange<'_>) + Send + Sync + 'static) -> Self {
        Self(Arc::new(hear))
    }

    pub(crate) fn tell(&self, exchange: &Exchange<'_>) {
        (self.0)(exchange);
    }
}

impl Default for Observer {
    fn default() -> Self {
        Self::new(|_| ())
    }
}

impl fmt::Debug for Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Observer")
    }
}
