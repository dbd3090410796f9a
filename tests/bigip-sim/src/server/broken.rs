//! Answers as no HTTP library would send them: cut off, drop by drop, without end.
//!
//! It must not know why.

use std::fmt::Write as _;
use std::io;
use std::time::Duration;

use hyper::Response;
use hyper::body::Bytes;
use hyper::ext::ReasonPhrase;
use hyper::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use crate::faults::Delivery;

/// What follows an answer that is too long.
const SPACES: &[u8] = &[b' '; 16 * 1024];

/// A connection, with TLS or without.
pub(super) trait Socket: AsyncRead + AsyncWrite + Send + Unpin {
    fn tcp(&self) -> &TcpStream;
}

impl Socket for TcpStream {
    fn tcp(&self) -> &TcpStream {
        self
    }
}

impl Socket for TlsStream<TcpStream> {
    fn tcp(&self) -> &TcpStream {
        self.get_ref().0
    }
}

/// Sends an answer in this way; the connection ends with it.
pub(super) async fn send(
    mut stream: impl Socket,
    response: &Response<Bytes>,
    delivery: Delivery,
) -> io::Result<()> {
    let body = response.body();
    let length = body.len();
    let sized = |length| head(response, &format!("{CONTENT_LENGTH}: {length}"));
    match delivery {
        Delivery::Drop => {}
        Delivery::Whole | Delivery::Close => {
            stream.write_all(&sized(length)).await?;
            stream.write_all(body).await?;
        }
        Delivery::Reset => {
            stream.write_all(&sized(length)).await?;
            stream
                .write_all(body.get(..length / 2).unwrap_or_default())
                .await?;
            stream.flush().await?;
            // Closed with this the connection is reset.
            return stream.tcp().set_zero_linger();
        }
        Delivery::Drip { interval_ms } => {
            for byte in sized(length).iter().chain(body) {
                stream.write_all(&[*byte]).await?;
                stream.flush().await?;
                tokio::time::sleep(Duration::from_millis(interval_ms)).await;
            }
        }
        Delivery::Oversized(bytes) => {
            let missing = bytes.saturating_sub(u64::try_from(length).unwrap_or(u64::MAX));
            stream
                .write_all(&sized(
                    length + usize::try_from(missing).unwrap_or(usize::MAX),
                ))
                .await?;
            stream.write_all(body).await?;
            let mut spaces = tokio::io::AsyncReadExt::take(tokio::io::repeat(b' '), missing);
            tokio::io::copy(&mut spaces, &mut stream).await?;
        }
        Delivery::Endless => {
            let head = head(response, &format!("{TRANSFER_ENCODING}: chunked"));
            stream.write_all(&head).await?;
            write_chunk(&mut stream, body).await?;
            // Until the reader goes away.
            loop {
                write_chunk(&mut stream, SPACES).await?;
            }
        }
    }
    stream.shutdown().await
}

/// Status line and headers, with one that says where the body ends.
fn head(response: &Response<Bytes>, length: &str) -> Vec<u8> {
    let status = response.status();
    let mut head = format!("HTTP/1.1 {} ", status.as_u16()).into_bytes();
    match response.extensions().get::<ReasonPhrase>() {
        Some(phrase) => head.extend_from_slice(phrase.as_bytes()),
        None => head.extend_from_slice(status.canonical_reason().unwrap_or_default().as_bytes()),
    }
    head.extend_from_slice(b"\r\n");
    for (name, value) in response.headers() {
        head.extend_from_slice(name.as_str().as_bytes());
        head.extend_from_slice(b": ");
        head.extend_from_slice(value.as_bytes());
        head.extend_from_slice(b"\r\n");
    }
    head.extend_from_slice(length.as_bytes());
    head.extend_from_slice(b"\r\n\r\n");
    head
}

async fn write_chunk(stream: &mut impl Socket, chunk: &[u8]) -> io::Result<()> {
    let mut size = String::new();
    // Writing to a text cannot fail.
    let _ = write!(size, "{:x}\r\n", chunk.len());
    stream.write_all(size.as_bytes()).await?;
    stream.write_all(chunk).await?;
    stream.write_all(b"\r\n").await
}
