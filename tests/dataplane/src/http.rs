//! A request to a pod, as a BIG-IP sends one.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use bigip_sim::netns::Namespace;

const PORT: u16 = 80;

/// Asks a pod for `/` from inside a namespace, such as that of a simulated BIG-IP, and returns the whole answer.
///
/// # Errors
///
/// The namespace cannot be entered, or the pod does not answer in time.
pub async fn http_get(
    namespace: &Namespace,
    pod: Ipv4Addr,
    timeout: Duration,
) -> io::Result<String> {
    let namespace = namespace.clone();
    let get = move || {
        namespace
            .within(|| get(pod, timeout))
            .map_err(io::Error::other)
    };
    tokio::task::spawn_blocking(get)
        .await
        .map_err(io::Error::other)??
}

fn get(pod: Ipv4Addr, timeout: Duration) -> io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&SocketAddr::from((pod, PORT)), timeout)?;
    stream.set_read_timeout(Some(timeout))?;
    stream.write_all(b"GET / HTTP/1.1\r\nHost: pod\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}
