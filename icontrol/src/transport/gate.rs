//! The last question before a request that changes something leaves: may it still be sent?
//!
//! A request can wait for a name, a connection, a handshake or a connection that is in use. So the
//! question is asked whenever the request moves on, and once more when the connection takes its body.
//! Knows nothing of why the answer is no.

use std::error::Error as StdError;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use hyper::body::{Body, Bytes, Frame, SizeHint};

use crate::may_write::MayWrite;

/// The request may not be sent any more.
#[derive(Debug)]
pub(super) struct Closed;

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nothing may be changed now")
    }
}

impl StdError for Closed {}

/// Permission to send one request.
#[derive(Clone)]
pub(super) struct Gate {
    may_write: MayWrite,
    /// Whether a connection has taken the body. Never true of a request without one.
    is_taken: Arc<AtomicBool>,
}

impl Gate {
    pub(super) fn new(may_write: MayWrite) -> Self {
        Self {
            may_write,
            is_taken: Arc::default(),
        }
    }

    /// A body that is handed to the connection only with permission.
    pub(super) fn body(&self, bytes: Vec<u8>) -> GatedBody {
        GatedBody {
            gate: self.clone(),
            bytes: Some(bytes.into()),
        }
    }

    /// Drives `sending` for as long as the request may be sent, and to its end once its body is taken.
    pub(super) async fn guard<T>(&self, sending: impl Future<Output = T>) -> Result<T, Closed> {
        let mut sending = std::pin::pin!(sending);
        std::future::poll_fn(|context| {
            if !self.is_taken.load(Ordering::Acquire) && !self.may_write.now() {
                return Poll::Ready(Err(Closed));
            }
            sending.as_mut().poll(context).map(Ok)
        })
        .await
    }
}

/// The body of a request that changes something.
pub(super) struct GatedBody {
    gate: Gate,
    bytes: Option<Bytes>,
}

impl Body for GatedBody {
    type Data = Bytes;
    type Error = Closed;

    /// The connection asks for the body before it sends anything of the request: a refusal here leaves
    /// nothing behind but a closed connection.
    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Closed>>> {
        let Some(bytes) = self.bytes.take() else {
            return Poll::Ready(None);
        };
        if !self.gate.may_write.now() {
            return Poll::Ready(Some(Err(Closed)));
        }
        self.gate.is_taken.store(true, Ordering::Release);
        Poll::Ready(Some(Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        let length = self.bytes.as_ref().map_or(0, Bytes::len);
        SizeHint::with_exact(u64::try_from(length).unwrap_or(u64::MAX))
    }
}
