//! Whether the owner of a client may change anything now.
//!
//! Asked right before a request is sent, however long it has waited. Knows nothing of why not.

use std::fmt;
use std::sync::Arc;

/// The question whether anything may be changed now. Always yes, if nothing else is said.
#[derive(Clone)]
pub struct MayWrite(Arc<dyn Fn() -> bool + Send + Sync>);

impl MayWrite {
    /// Yes whenever `ask` says so.
    pub fn when(ask: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(ask))
    }

    pub(crate) fn now(&self) -> bool {
        (self.0)()
    }
}

impl Default for MayWrite {
    fn default() -> Self {
        Self::when(|| true)
    }
}

impl fmt::Debug for MayWrite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MayWrite")
    }
}
