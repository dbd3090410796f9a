//! How long and how much: the deadlines of calls and the size of answers.
//!
//! One place, so that tests can shorten them. Knows nothing of what is called.

use std::time::Duration;

/// Records of one tunnel that are read. More than a tunnel has nodes, and as many as fit into the memory for one
/// device however they are spelled.
pub(crate) const RECORDS_MAX: usize = 40_000;

/// The longest that a connection to a device takes: name resolution, TCP connection and TLS handshake.
pub const CONNECT_DEADLINE: Duration = Duration::from_secs(5);

/// Deadlines from sending a request to the end of its answer, and the size of answers.
///
/// A BIG-IP works up to 60 s on a request (`icrd.timeout`, `restjavad.timeout`; K94602685). A write
/// deadline below that would leave writes that land after the client gave up.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Name resolution, TCP connection and TLS handshake together.
    pub(crate) connect: Duration,
    /// A read, and a login.
    pub(crate) read: Duration,
    /// A write of one record.
    pub(crate) write: Duration,
    /// A write of the whole list.
    pub(crate) bulk_write: Duration,
    /// Saving the configuration.
    pub(crate) save: Duration,
    /// Giving a token back.
    pub(crate) logout: Duration,
    /// A whole collection, however many pages it comes in.
    pub(crate) collection: Duration,
    /// What may pass through of the answers that make one collection, in bytes; how much of it may be held
    /// says `memory`. 40,000 records make about 12 MB (300 bytes each, as recorded on 16.1.2).
    pub(crate) body_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: CONNECT_DEADLINE,
            read: Duration::from_secs(30),
            write: Duration::from_secs(65),
            bulk_write: Duration::from_secs(90),
            save: Duration::from_secs(120),
            logout: Duration::from_secs(5),
            collection: Duration::from_secs(120),
            body_bytes: 32 << 20,
        }
    }
}
