//! Logins and units that objects share.
//!
//! A session (token, connections, TLS) belongs to one address, Secret version and CA bundle: no
//! object ever uses another object's login. How often an account may be tried is shared by all of them, so that
//! no number of objects locks it. A writer queue belongs
//! to one unit, by whatever address it is reached. Knows nothing of records.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bigip_icontrol::{Accounts, Client, ConfigError, DeviceConfig};
use bigip_tunnel_core::account::PasswordId;
use bigip_tunnel_core::turns::{Applicant, Urgency};
use bigip_tunnel_core::unit::ProvenUnit;
use bigip_tunnel_crds::v1alpha1::TlsVerification;

use crate::clock::Clock;
use crate::writer_queue::{Turn, WriterQueue};

/// The longest turn in which nothing is written.
const MOVE_LIMIT: Duration = Duration::from_secs(1);

/// What makes two logins the same.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct SessionKey {
    /// Host, in lower case.
    pub(crate) host: String,
    /// TCP port.
    pub(crate) port: u16,
    /// What of the certificate is verified.
    pub(crate) verification: TlsVerification,
    /// Name expected in the certificate, if it is not the host.
    pub(crate) server_name: Option<String>,
    /// Fingerprints of certificates to accept.
    pub(crate) fingerprints: Vec<String>,
    /// `namespace/name` and uid of the Secret, and the credentials in it: one that is only annotated is the same.
    pub(crate) secret: (String, String, PasswordId),
    /// The CA bundle itself: a bundle that reads the same is the same.
    pub(crate) ca_bundle: Option<Vec<u8>>,
}

impl SessionKey {
    /// Whether it counts when the certificate expires.
    pub(crate) fn looks_at_expiry(&self) -> bool {
        match self.verification {
            TlsVerification::Full | TlsVerification::CaOnly => true,
            TlsVerification::Pinned | TlsVerification::None => false,
        }
    }
}

/// A login on a device, with the queue of its unit.
#[derive(Debug)]
pub(crate) struct Session {
    /// The client. One token at a time.
    pub(crate) client: Client,
    queue: Mutex<Arc<WriterQueue>>,
}

impl Session {
    /// The queue that every write goes through.
    pub(crate) fn queue(&self) -> Arc<WriterQueue> {
        lock(&self.queue).clone()
    }

    /// Waits for this object's turn to write to the unit, which lasts at most `limit`.
    pub(crate) async fn turn(
        &self,
        applicant: &Applicant,
        urgency: Urgency,
        limit: Duration,
    ) -> Turn {
        loop {
            let queue = self.queue();
            let turn = queue.clone().turn(applicant.clone(), urgency, limit).await;
            // The session may have moved while the request waited.
            if Arc::ptr_eq(&queue, &self.queue()) {
                return turn;
            }
        }
    }
}

/// Whose queue it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum QueueKey {
    /// A unit whose identity is not known yet: host, in lower case, and port.
    Address(String, u16),
    /// A unit that has proven its identity.
    Unit(ProvenUnit),
}

/// All sessions, accounts and queues of the process.
#[derive(Debug)]
pub(crate) struct DevicePool {
    clock: Clock,
    sessions: Mutex<HashMap<SessionKey, Arc<Session>>>,
    accounts: Accounts,
    queues: Mutex<HashMap<QueueKey, Arc<WriterQueue>>>,
}

impl DevicePool {
    /// A pool without sessions.
    pub(crate) fn new(clock: Clock) -> Self {
        Self {
            clock,
            sessions: Mutex::default(),
            accounts: Accounts::default(),
            queues: Mutex::default(),
        }
    }

    /// The session of this key, made if there is none. Dials nothing yet.
    pub(crate) fn session(
        &self,
        key: &SessionKey,
        config: DeviceConfig,
    ) -> Result<Arc<Session>, ConfigError> {
        let mut sessions = lock(&self.sessions);
        if let Some(session) = sessions.get(key) {
            return Ok(session.clone());
        }
        let client = Client::with_accounts(config, self.accounts.clone())?;
        let queue = self.queue(QueueKey::Address(key.host.clone(), key.port));
        let session = Arc::new(Session {
            client,
            queue: Mutex::new(queue),
        });
        sessions.insert(key.clone(), session.clone());
        Ok(session)
    }

    /// The accounts of all sessions.
    pub(crate) fn accounts(&self) -> &Accounts {
        &self.accounts
    }

    fn queue(&self, key: QueueKey) -> Arc<WriterQueue> {
        let mut queues = lock(&self.queues);
        let queue = queues.entry(key);
        let queue = queue.or_insert_with(|| Arc::new(WriterQueue::new(self.clock)));
        queue.clone()
    }

    /// Moves a session to the queue of the unit that it has proven to lead to: two addresses of one unit
    /// have one queue. Called before anything is written. The session moves in a turn of its own, so that
    /// none of its writes is in flight; its next one waits for the writes of the other queue.
    pub(crate) async fn join_unit(
        &self,
        session: &Session,
        unit: &ProvenUnit,
        applicant: &Applicant,
    ) {
        let queue = self.queue(QueueKey::Unit(unit.clone()));
        if Arc::ptr_eq(&queue, &session.queue()) {
            return;
        }
        let _turn = session.turn(applicant, Urgency::NewNode, MOVE_LIMIT).await;
        *lock(&session.queue) = queue;
    }

    /// The addresses that there are such sessions for, as the client names them.
    pub(crate) fn addresses(&self, which: impl Fn(&SessionKey) -> bool) -> BTreeSet<String> {
        let sessions = lock(&self.sessions);
        let sessions = sessions.iter().filter(|(key, _)| which(key));
        let addresses = sessions.map(|(_, session)| session.client.address());
        addresses.map(str::to_owned).collect()
    }

    /// Logs out of the sessions that are no longer in use: a rotated Secret, a removed object. An
    /// account outlives its sessions for as long as it holds a login back: an object that is
    /// deleted and made again gets no further tries.
    pub(crate) async fn drop_unused(&self) {
        let unused: Vec<Arc<Session>> = lock(&self.sessions)
            .extract_if(|_, session| Arc::strong_count(session) == 1)
            .map(|(_, session)| session)
            .collect();
        log_out(unused).await;
        self.accounts.drop_unused();
        // A queue remembers when its unit was saved.
        lock(&self.queues)
            .retain(|_, queue| Arc::strong_count(queue) > 1 || queue.last_save_try().is_some());
    }

    /// Logs out everywhere. Bounded by the client's own deadline for a logout.
    pub(crate) async fn log_out_all(&self) {
        let all = std::mem::take(&mut *lock(&self.sessions));
        log_out(all.into_values().collect()).await;
    }
}

async fn log_out(sessions: Vec<Arc<Session>>) {
    let logouts = sessions.iter().map(|session| session.client.logout());
    futures::future::join_all(logouts).await;
}

/// A panic while one of these locks was held cannot leave its map half changed.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use bigip_icontrol::{BodyMemory, Credentials, MayWrite, Observer, Trust, Verification};
    use bigip_tunnel_core::unit::{PublicKeyHash, UnitIdentity};
    use futures::FutureExt as _;

    use super::*;

    /// A client needs a CA to trust; nothing is dialled here.
    const CA: &str = "\
-----BEGIN CERTIFICATE-----
MIIBhjCCASugAwIBAgIUFzZQDQcMF6jlRT1SsAkDoxWSpLswCgYIKoZIzj0EAwIw
FzEVMBMGA1UEAwwMQ0Egb2YgYSB0ZXN0MCAXDTI2MTEyMzIyMjA1NloYDzIxMjYx
MDMwMjIyMDU2WjAXMRUwEwYDVQQDDAxDQSBvZiBhIHRlc3QwWTATBgcqhkjOPQIB
BggqhkjOPQMBBwNCAASNxwBiIcK75EPN+VUlEOkPQKoUG7ZY48zVfuKZmBwe5cwj
d0tK+8CQd1IUQCmSZPA0pHTbRstBfWYevt5S166+o1MwUTAdBgNVHQ4EFgQUhC//
4B1mQFomEOUpOVVAWkNziI0wHwYDVR0jBBgwFoAUhC//4B1mQFomEOUpOVVAWkNz
iI0wDwYDVR0TAQH/BAUwAwEB/zAKBggqhkjOPQQDAgNJADBGAiEAqCVGeilrlRPO
tu/J+Udx/2YdVXjrxh4F+xXL/lq/Wz8CIQD3vIsLvYp9GjoD0y1LPmREKbpciWQx
y8izs/eq7/JmCw==
-----END CERTIFICATE-----
";

    fn session(pool: &DevicePool, secret: &str, username: &str) -> Arc<Session> {
        session_at(pool, "192.0.2.11", secret, username)
    }

    fn session_at(pool: &DevicePool, host: &str, secret: &str, username: &str) -> Arc<Session> {
        let host = host.to_owned();
        let key = SessionKey {
            host: host.clone(),
            port: 443,
            verification: TlsVerification::Full,
            server_name: None,
            fingerprints: Vec::new(),
            secret: (format!("default/{secret}"), "uid".into(), PasswordId(1)),
            ca_bundle: Some(CA.into()),
        };
        let config = DeviceConfig {
            host,
            port: 443,
            server_name: None,
            networks: Arc::default(),
            verification: Verification::Full(Trust::Bundle(CA.into())),
            may_write: MayWrite::default(),
            observer: Observer::default(),
            memory: BodyMemory::default(),
            credentials: Credentials {
                username: username.into(),
                password: secret.into(),
                login_provider: "tmos".into(),
            },
            tenant: "default".into(),
        };
        pool.session(&key, config).unwrap()
    }

    #[tokio::test]
    async fn addresses_are_kept_as_long_as_their_session() {
        let pool = DevicePool::new(Clock::start());
        let session = session(&pool, "login", "admin");
        let there = BTreeSet::from(["192.0.2.11:443".to_owned()]);
        assert_eq!(pool.addresses(SessionKey::looks_at_expiry), there);
        assert!(pool.addresses(|key| !key.looks_at_expiry()).is_empty());
        drop(session);
        pool.drop_unused().await;
        assert!(pool.addresses(|_| true).is_empty());
    }

    #[tokio::test]
    async fn two_addresses_of_one_unit_have_one_queue() {
        let pool = DevicePool::new(Clock::start());
        let one = session_at(&pool, "192.0.2.11", "login", "admin");
        let two = session_at(&pool, "bigip-a.example.com", "login", "admin");
        assert!(!Arc::ptr_eq(&one.queue(), &two.queue()));
        pool.join_unit(&one, &unit(1), &applicant("one")).await;
        pool.join_unit(&two, &unit(1), &applicant("two")).await;
        assert!(Arc::ptr_eq(&one.queue(), &two.queue()));
        pool.join_unit(&two, &unit(2), &applicant("two")).await;
        assert!(!Arc::ptr_eq(&one.queue(), &two.queue()));
    }

    #[tokio::test]
    async fn repeated_unit_name_with_another_key_blocks_no_turn() {
        let pool = DevicePool::new(Clock::start());
        let owner = session_at(&pool, "192.0.2.11", "login", "admin");
        let stranger = session_at(&pool, "192.0.2.66", "theirs", "admin");
        pool.join_unit(&owner, &unit(1), &applicant("prod")).await;
        pool.join_unit(&stranger, &unit(2), &applicant("x")).await;
        let limit = Duration::from_secs(65);
        let backlog = Urgency::Backlog;
        let _hangs = stranger.turn(&applicant("x"), backlog, limit).await;
        let prod = applicant("prod");
        let turn = owner.turn(&prod, backlog, limit);
        assert!(turn.now_or_never().is_some());
    }

    #[tokio::test]
    async fn session_moves_when_it_has_no_write_in_flight() {
        let pool = DevicePool::new(Clock::start());
        let session = session(&pool, "login", "admin");
        let limit = Duration::from_secs(65);
        let backlog = Urgency::Backlog;
        let in_flight = session.turn(&applicant("one"), backlog, limit).await;
        let (two, three) = (applicant("two"), applicant("three"));
        let unit = unit(1);
        let mut moves = Box::pin(pool.join_unit(&session, &unit, &two));
        assert!((&mut moves).now_or_never().is_none());
        let mut waits = Box::pin(session.turn(&three, backlog, limit));
        assert!((&mut waits).now_or_never().is_none());
        drop(in_flight);
        assert!(moves.now_or_never().is_some());
        // The request that waited in the queue before writes in that of the unit.
        let _turn = waits.now_or_never().unwrap();
        let next = session.turn(&two, backlog, limit);
        assert!(next.now_or_never().is_none());
    }

    fn applicant(object: &str) -> Applicant {
        Applicant {
            namespace: "default".into(),
            object: object.into(),
        }
    }

    /// A unit of one name, with this key.
    fn unit(key: u8) -> ProvenUnit {
        ProvenUnit {
            identity: UnitIdentity {
                device_name: "bigip01".into(),
                base_mac: "00:0c:29:35:0d:bd".into(),
            },
            key: PublicKeyHash([key; 32]),
        }
    }
}
