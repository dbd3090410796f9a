//! A running stand-in for a node: its socket, its datapath and its pods, on a task of its own.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket as StdUdpSocket};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bigip_sim::netns::{Namespace, NamespaceError};
use smoltcp::time::Instant;
use smoltcp::wire::EthernetAddress;
use tokio::net::UdpSocket;
use tokio::task::JoinHandle;

use crate::datapath::{Datapath, Seen, Verdict, VtepTable};
use crate::pod::Pod;

/// `tunnel-port` of Cilium.
const PORT: u16 = 8472;
/// The longest UDP payload.
const PAYLOAD_BYTES: usize = 65_535;
/// How long nothing may happen before timers are checked again.
const IDLE: Duration = Duration::from_secs(1);

/// A stand-in cannot start.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// Its namespace cannot be entered.
    #[error(transparent)]
    Namespace(#[from] NamespaceError),
    /// Its port is taken.
    #[error("cannot listen on UDP {PORT}")]
    Listen(#[from] io::Error),
}

/// A node with Cilium. It ends when this value goes.
#[derive(Debug)]
pub struct Node {
    inner: Arc<Mutex<Inner>>,
    task: JoinHandle<()>,
}

struct Inner {
    datapath: Datapath,
    pods: BTreeMap<Ipv4Addr, Pod>,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let pods: Vec<_> = self.pods.keys().collect();
        f.debug_struct("Inner")
            .field("datapath", &self.datapath)
            .field("pods", &pods)
            .finish()
    }
}

impl Node {
    /// Starts it, without pods, in the namespace that has its address. To be called on a Tokio runtime.
    ///
    /// # Errors
    ///
    /// The namespace cannot be entered, or its port is taken.
    pub fn start(
        namespace: &Namespace,
        address: Ipv4Addr,
        vteps: VtepTable,
    ) -> Result<Self, NodeError> {
        let socket = namespace.within(|| StdUdpSocket::bind((Ipv4Addr::UNSPECIFIED, PORT)))??;
        socket.set_nonblocking(true)?;
        let socket = UdpSocket::from_std(socket)?;
        let [a, b, c, d] = address.octets();
        let inner = Arc::new(Mutex::new(Inner {
            datapath: Datapath {
                mac: EthernetAddress([0x06, 0xc1, a, b, c, d]),
                address,
                vteps,
                arp_mac_is_zero: false,
                seen: Seen::default(),
            },
            pods: BTreeMap::new(),
        }));
        let task = tokio::spawn(run(socket, Arc::clone(&inner)));
        Ok(Self { inner, task })
    }

    /// Starts a pod on it.
    pub fn add_pod(&self, address: Ipv4Addr) {
        let pod = Pod::new(address, Instant::now());
        lock(&self.inner).pods.insert(address, pod);
    }

    /// Answers ARP with the MAC address 0 from now on, as Cilium does without the fix of cilium#44453.
    pub fn answer_arp_with_mac_zero(&self) {
        lock(&self.inner).datapath.arp_mac_is_zero = true;
    }

    /// Replaces the VTEP configuration, as a restart of the agent does.
    pub fn set_vteps(&self, vteps: VtepTable) {
        lock(&self.inner).datapath.vteps = vteps;
    }

    /// What has arrived.
    pub fn seen(&self) -> Seen {
        lock(&self.inner).datapath.seen
    }

    /// Ends it, and returns when it has ended: from then on it sends nothing.
    pub async fn stop(mut self) {
        self.task.abort();
        // That it was aborted is what was asked for.
        let _ = (&mut self.task).await;
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn lock(inner: &Mutex<Inner>) -> MutexGuard<'_, Inner> {
    // A test that fails with the lock held fails anyway.
    inner.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn run(socket: UdpSocket, inner: Arc<Mutex<Inner>>) {
    let mut buffer = vec![0; PAYLOAD_BYTES];
    let mut idle = IDLE;
    loop {
        let received = tokio::time::timeout(idle, socket.recv_from(&mut buffer)).await;
        let payload = match &received {
            Ok(Ok((length, _))) => buffer.get(..*length),
            // Nothing came, or an ICMP error for something sent: what is due is done all the same.
            Ok(Err(_)) | Err(_) => None,
        };
        let (sends, delay) = lock(&inner).step(payload, Instant::now());
        for (endpoint, payload) in sends {
            // As on a network, nothing is known of what is lost.
            let _ = socket
                .send_to(&payload, SocketAddr::from((endpoint, PORT)))
                .await;
        }
        idle = delay.map_or(IDLE, |delay| delay.min(IDLE));
    }
}

impl Inner {
    /// What is to be sent now, and when something is due again.
    fn step(
        &mut self,
        payload: Option<&[u8]>,
        now: Instant,
    ) -> (Vec<(Ipv4Addr, Vec<u8>)>, Option<Duration>) {
        let mut sends = Vec::new();
        if let Some(payload) = payload {
            let pods = &self.pods;
            match self
                .datapath
                .receive(payload, |address| pods.contains_key(&address))
            {
                Verdict::Drop => {}
                Verdict::Send(endpoint, payload) => sends.push((endpoint, payload)),
                Verdict::Deliver(address, packet) => {
                    if let Some(pod) = self.pods.get_mut(&address) {
                        pod.deliver(packet);
                    }
                }
            }
        }
        let mut delay: Option<Duration> = None;
        for pod in self.pods.values_mut() {
            let mac = pod.mac;
            let packets = pod.poll(now);
            sends.extend(
                packets
                    .iter()
                    .filter_map(|packet| self.datapath.transmit(mac, packet)),
            );
            let due = pod.poll_delay(now);
            delay = delay.into_iter().chain(due).min();
        }
        (sends, delay)
    }
}
