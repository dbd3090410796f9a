//! Logins, tokens and their ends, against a server with a script.

use bigip_tunnel_core::reason::Reason;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bigip_tunnel_core::account::{AccountId, LoginRecord, SecretVersion};
use bigip_tunnel_core::record::{FdbRecord, Records};
use bigip_tunnel_core::tunnel::TunnelPath;
use jiff::Timestamp;

use super::*;
use crate::client::Client;
use crate::config::{Trust, Verification};
use crate::exchange::{Exchange, Observer};
use crate::login_store::{KnownLogins, NotStored, Stored};
use crate::testing::{Authority, PASSWORD, Reply, Seen, Server, add, recorded, save, short_limits};

fn path() -> TunnelPath {
    TunnelPath::new("Common".parse().unwrap(), "flannel_vxlan".parse().unwrap())
}

fn refused_login(_: &Seen, _: usize) -> Reply {
    Reply::Body(401, recorded::LOGIN_REFUSED.into())
}

/// A client with this password.
fn client(server: &Server, password: &str, accounts: &Accounts) -> Client {
    let mut config = server.config();
    config.credentials.password = password.into();
    Client::with_accounts(config, accounts.clone()).unwrap()
}

/// Tries a login that is refused, by the device or before it is sent.
async fn assert_refused(client: &Client) {
    let error = client.records(&path()).await.unwrap_err();
    assert!(is_refused(&error), "{error}");
    assert_eq!(error.reason(), Reason::AuthenticationFailed);
}

fn is_refused(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::LoginRefused { .. })
}

fn empty(_: &Seen, _: usize) -> Reply {
    Reply::ok(recorded::NO_RECORDS)
}

/// Puts the clock forward, without sockets noticing that it stood still.
async fn let_pass(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}

#[tokio::test]
async fn nothing_is_dialled_before_the_first_call() {
    let server = Server::with_login(empty).await;
    let client = Client::new(server.config()).unwrap();
    client.logout().await;
    assert!(!client.has_logged_in());
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn observer_gets_each_request_and_certificate_expiry() {
    let server = Server::with_login(empty).await;
    let told: Arc<Mutex<Vec<String>>> = Arc::default();
    let mut config = server.config();
    let list = told.clone();
    config.observer = Observer::new(move |exchange| {
        let Exchange { verb, resource, .. } = exchange;
        let line = format!("{verb} {resource} {:?}", exchange.outcome);
        assert!(exchange.certificate_expires_unix_s.is_some(), "{line}");
        list.lock().unwrap().push(line);
    });
    let client = Client::new(config).unwrap();
    client.records(&path()).await.unwrap();
    let told = told.lock().unwrap().clone();
    assert_eq!(told, ["POST login Ok(200)", "GET list of records Ok(200)"]);
}

#[tokio::test]
async fn revoked_write_permission_allows_only_token_release() {
    let server = Server::with_login(empty).await;
    let may_write = Arc::new(AtomicBool::new(false));
    let asked = may_write.clone();
    let mut config = server.config();
    config.may_write = MayWrite::when(move || asked.load(Ordering::Relaxed));
    let client = Client::new(config).unwrap();
    let held = |error: Error| {
        assert_eq!(*error.kind(), ErrorKind::MayNotWrite);
        assert!(error.is_retryable() && !error.is_uncertain());
    };
    held(client.records(&path()).await.unwrap_err());
    assert!(server.seen().is_empty());

    may_write.store(true, Ordering::Relaxed);
    client.records(&path()).await.unwrap();
    may_write.store(false, Ordering::Relaxed);
    held(save(&client).await.unwrap_err());
    client.records(&path()).await.unwrap();
    client.logout().await;
    let changing: Vec<String> = server.lines();
    let changing = changing.iter().filter(|line| !line.starts_with("GET "));
    let verbs: Vec<_> = changing.filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(verbs, ["POST", "DELETE"]);
}

#[tokio::test]
async fn no_kind_of_write_is_sent_without_permission() {
    let server = Server::with_login(empty).await;
    let may_write = Arc::new(AtomicBool::new(true));
    let asked = may_write.clone();
    let mut config = server.config();
    config.may_write = MayWrite::when(move || asked.load(Ordering::Relaxed));
    let client = Client::new(config).unwrap();
    client.records(&path()).await.unwrap();
    may_write.store(false, Ordering::Relaxed);
    let before = server.seen().len();
    for verb in [Verb::Post, Verb::Put, Verb::Patch, Verb::Delete] {
        let request = Request {
            verb,
            resource: "record",
            path: crate::path::records(&path()),
            body: None,
            deadline: short_limits().read,
        };
        let error = client
            .send(&request, &mut crate::transport::Body::Keep)
            .await
            .unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::MayNotWrite);
    }
    assert_eq!(server.seen().len(), before);
}

#[tokio::test]
async fn call_carries_only_the_token() {
    let server = Server::with_login(|_, _| {
        let cookie = "Set-Cookie: BIGIPAuthCookie=opaque; path=/; Secure; HttpOnly".to_owned();
        Reply::With(200, cookie, recorded::NO_RECORDS.into())
    })
    .await;
    let client = Client::new(server.config()).unwrap();
    client.records(&path()).await.unwrap();
    client.records(&path()).await.unwrap();
    assert!(client.has_logged_in());

    let seen = server.seen();
    let body: serde_json::Value = serde_json::from_str(&seen[0].body).unwrap();
    let expected =
        serde_json::json!({"username":"admin","password":PASSWORD,"loginProviderName":"tmos"});
    assert_eq!(body, expected);
    assert_eq!(seen[0].header("x-f5-auth-token"), None);
    assert_eq!(seen[0].header("content-type"), Some("application/json"));
    assert_eq!(seen.len(), 3, "one login for both calls");
    for call in &seen[1..] {
        assert_eq!(call.header("x-f5-auth-token"), Some("TOKEN0"));
    }
    for call in &seen {
        assert_eq!(call.header("authorization"), None);
        assert_eq!(call.header("cookie"), None);
        assert_eq!(
            call.header("user-agent"),
            Some(concat!("bigip-tunnel/", env!("CARGO_PKG_VERSION")))
        );
        assert!(!call.line.contains("ver="));
    }
}

#[tokio::test]
async fn peer_key_is_proven_under_every_verification() {
    let own = Authority::not_marked_as_ca("bigip01");
    let (pem, pin, key) = (own.pem().into_bytes(), own.fingerprint(), own.key_hash());
    let server = Server::presenting(own, |seen, _| match seen.line.as_str() {
        line if line.ends_with("/login") => Reply::login("TOKEN"),
        _ => Reply::ok(recorded::NO_RECORDS),
    })
    .await;
    for verification in [
        Verification::Full(Trust::Bundle(pem.clone())),
        Verification::CaOnly(Trust::Bundle(pem)),
        Verification::Pinned(vec![pin]),
        Verification::Nothing,
    ] {
        let mut config = server.config();
        config.verification = verification;
        let client = Client::new(config).unwrap();
        assert_eq!((client.login(), client.peer_key()), (None, None));
        client.records(&path()).await.unwrap();
        assert!(client.login().is_some());
        assert_eq!(client.peer_key(), Some(key));
    }
}

#[tokio::test]
async fn each_login_of_the_process_differs() {
    let server = Server::with_login(empty).await;
    let clients = [(); 2].map(|()| Client::new(server.config()).unwrap());
    let mut logins = Vec::new();
    for client in &clients {
        for _ in 0..2 {
            client.records(&path()).await.unwrap();
            client.records(&path()).await.unwrap();
            logins.push(client.login().unwrap());
            client.logout().await;
        }
    }
    assert_eq!(server.logins(), 4);
    let distinct: std::collections::HashSet<_> = logins.iter().collect();
    assert_eq!(distinct.len(), 4);
}

#[tokio::test]
async fn callers_at_the_same_time_share_one_login() {
    let server = Server::with_login(empty).await;
    let client = Client::new(server.config()).unwrap();
    let path = path();
    let (a, b, c) = tokio::join!(
        client.records(&path),
        client.records(&path),
        client.records(&path)
    );
    assert!(a.is_ok() && b.is_ok() && c.is_ok());
    assert_eq!(server.logins(), 1);
}

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn refused_login_is_tried_three_times_in_all() {
    let server = Server::start(refused_login).await;
    let client = Client::new(server.config()).unwrap();
    for _ in 0..40 {
        assert_refused(&client).await;
        let_pass(10 * MINUTE).await;
    }
    assert_eq!(server.logins(), 3);
}

#[tokio::test]
async fn suspended_login_opens_no_connection() {
    let server = Server::start(refused_login).await;
    let client = Client::new(server.config()).unwrap();
    assert_refused(&client).await;
    let handshakes = server.handshakes().len();
    for _ in 0..5 {
        assert_refused(&client).await;
    }
    assert_eq!(server.handshakes().len(), handshakes);
}

#[tokio::test]
async fn repeated_requests_keep_two_refusals_per_15_minutes() {
    let server = Server::start(refused_login).await;
    let client = Client::new(server.config()).unwrap();
    for _ in 0..5 {
        client.allow_login();
        assert_refused(&client).await;
    }
    assert_eq!(server.logins(), 2);
    let_pass(15 * MINUTE).await;
    client.allow_login();
    assert_refused(&client).await;
    assert_eq!(server.logins(), 3);
}

#[tokio::test]
async fn clients_of_one_account_share_its_budget() {
    let server = Server::start(refused_login).await;
    let accounts = Accounts::default();
    let mut logins = tokio::task::JoinSet::new();
    for number in 0..5 {
        let client = client(&server, &format!("canary-{number}"), &accounts);
        logins.spawn(async move { assert_refused(&client).await });
    }
    logins.join_all().await;
    assert_eq!(server.logins(), 2);
}

#[tokio::test]
async fn addresses_of_one_unit_share_one_account() {
    let server = Server::start(refused_login).await;
    let accounts = Accounts::default();
    for (number, host) in ["127.0.0.1", "localhost", "LOCALHOST", "127.0.0.1"]
        .iter()
        .enumerate()
    {
        let mut config = server.config();
        config.host = (*host).to_owned();
        config.server_name = Some("127.0.0.1".to_owned());
        config.credentials.password = format!("canary-{number}").into();
        let client = Client::with_accounts(config, accounts.clone()).unwrap();
        assert_refused(&client).await;
    }
    assert_eq!(server.logins(), 2);
}

/// Takes one password and refuses all others.
async fn taking(right: &'static str) -> Server {
    Server::start(move |seen, _| match seen.is_login() {
        true if seen.body.contains(right) => Reply::login("TOKEN"),
        true => Reply::Body(401, recorded::LOGIN_REFUSED.into()),
        false => Reply::ok(recorded::NO_RECORDS),
    })
    .await
}

#[tokio::test]
async fn right_password_works_once_the_budget_allows() {
    let server = taking("canary-right").await;
    let accounts = Accounts::default();
    for wrong in ["canary-1", "canary-2"] {
        assert_refused(&client(&server, wrong, &accounts)).await;
    }
    let right = client(&server, "canary-right", &accounts);
    assert_refused(&right).await;
    let_pass(15 * MINUTE).await;
    right.records(&path()).await.unwrap();
    assert!(right.has_logged_in());
}

#[tokio::test]
async fn password_that_worked_is_not_stopped_by_others() {
    let server = taking("canary-right").await;
    let accounts = Accounts::default();
    client(&server, "canary-right", &accounts)
        .records(&path())
        .await
        .unwrap();
    for wrong in ["canary-1", "canary-2", "canary-3", "canary-4"] {
        assert_refused(&client(&server, wrong, &accounts)).await;
    }
    // A new session, as after a change of the certificate's settings.
    let right = client(&server, "canary-right", &accounts);
    right.records(&path()).await.unwrap();
}

#[tokio::test]
async fn login_without_an_answer_counts_as_refused() {
    let server = Server::start(|_, _| Reply::Stall).await;
    let accounts = Accounts::default();
    for _ in 0..4 {
        let client = Client::build(server.config(), short_limits(), accounts.clone()).unwrap();
        client.records(&path()).await.unwrap_err();
        let_pass(6 * MINUTE).await;
    }
    assert_eq!(server.logins(), 2);
}

#[tokio::test]
async fn abandoned_login_counts_as_refused() {
    let server = Server::start(|_, _| Reply::Stall).await;
    let accounts = Accounts::default();
    for password in ["canary-1", "canary-2", "canary-3", "canary-4"] {
        let client = client(&server, password, &accounts);
        let (tunnel, before) = (path(), server.logins());
        let is_sent = async {
            while server.logins() == before {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            refused = client.records(&tunnel) => assert!(is_refused(&refused.unwrap_err())),
            () = is_sent => {}
        }
    }
    assert_eq!(server.logins(), 2);
}

#[tokio::test]
async fn refusal_quotes_the_device_and_names_the_next_attempt() {
    for (said, reason, shown) in [
        (
            "Authentication failed.",
            Reason::AuthenticationFailed,
            "login refused: Authentication failed.",
        ),
        (
            "Maximum number of login attempts exceeded.",
            Reason::AccountLocked,
            "the account is locked: Maximum number of login attempts exceeded.",
        ),
        (
            "Password expired. Update password via /mgmt/shared/authz/users.",
            Reason::PasswordExpired,
            "the password has expired: Password expired.",
        ),
    ] {
        let server = Server::start(move |_, _| Reply::restjavad(401, said)).await;
        let error = Client::new(server.config()).unwrap().records(&path()).await;
        let error = error.unwrap_err();
        assert_eq!(error.reason(), reason);
        let text = error.to_string();
        assert!(text.contains(shown), "{text}");
        let next = "next attempt 5 min later or when the Secret changes";
        assert!(text.contains(next), "{text}");
    }
    let echo = Server::start(|seen, _| Reply::restjavad(401, &seen.body.replace('"', "'"))).await;
    let error = Client::new(echo.config()).unwrap().records(&path()).await;
    assert!(!error.unwrap_err().to_string().contains(PASSWORD));
}

#[tokio::test]
async fn pending_login_delays_another_by_deadline_at_most() {
    let server = Server::with_login(empty).await;
    let accounts = Accounts::default();
    let client = Client::build(server.config(), short_limits(), accounts.clone()).unwrap();
    client.records(&path()).await.unwrap();
    client.logout().await;
    let requests = server.seen().len();
    let account = accounts.of(client.peer_key().unwrap(), "admin");
    let turn = account.1.lock().await;
    let tunnel = path();
    let asked = tokio::time::timeout(Duration::from_secs(20), client.records(&tunnel));
    let error = asked.await.expect("no deadline").unwrap_err();
    assert_eq!(error.reason(), Reason::Timeout);
    assert!(error.is_login_delayed() && !error.is_uncertain(), "{error}");
    assert_eq!(server.seen().len(), requests);
    drop(turn);
    client.records(&path()).await.unwrap();
}

#[tokio::test]
async fn unknown_login_provider_differs_from_wrong_password() {
    let server = Server::start(|_, _| Reply::restjavad(401, "loginProviderName is invalid.")).await;
    let client = Client::new(server.config()).unwrap();
    for _ in 0..2 {
        let error = client.records(&path()).await.unwrap_err();
        assert!(error.to_string().contains("loginProviderName"), "{error}");
    }
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn accepted_login_is_retried_after_five_minutes() {
    // The token ends, the password was changed meanwhile, and then changed back.
    let server = Server::start(|seen, before| match (seen.is_login(), before) {
        (true, 1) => Reply::Body(401, recorded::LOGIN_REFUSED.into()),
        (true, _) => Reply::login(&format!("TOKEN{before}")),
        (false, 1) => Reply::Body(401, recorded::TOKEN_EXPIRED.into()),
        (false, _) => Reply::ok(recorded::NO_RECORDS),
    })
    .await;
    let client = Client::new(server.config()).unwrap();
    client.records(&path()).await.unwrap();
    assert_refused(&client).await;
    let requests = server.seen().len();
    let_pass(Duration::from_secs(4 * 60)).await;
    assert_refused(&client).await;
    assert_eq!(server.seen().len(), requests, "not dialled before its time");
    let_pass(Duration::from_secs(60)).await;
    client.records(&path()).await.unwrap();
    assert_eq!(server.logins(), 3);
}

#[tokio::test]
async fn refused_token_gives_one_login_and_one_retry() {
    let server = Server::with_login(|_, before| match before {
        0 => Reply::Body(401, recorded::TOKEN_EXPIRED.into()),
        _ => Reply::ok(recorded::NO_RECORDS),
    })
    .await;
    let client = Client::new(server.config()).unwrap();
    client.records(&path()).await.unwrap();
    let records = "GET /mgmt/tm/net/fdb/tunnel/~Common~flannel_vxlan/records";
    assert_eq!(
        server.lines(),
        [
            "POST /mgmt/shared/authn/login",
            records,
            "POST /mgmt/shared/authn/login",
            "DELETE /mgmt/shared/authz/tokens/TOKEN0",
            records,
        ]
    );
    let seen = server.seen();
    assert_eq!(seen[3].header("x-f5-auth-token"), Some("TOKEN1"));
    assert_eq!(seen[4].header("x-f5-auth-token"), Some("TOKEN1"));
}

/// The records of the tunnel, in this method.
fn about_records(method: &str) -> String {
    format!("{method} /mgmt/tm/net/fdb/tunnel/~Common~flannel_vxlan/records")
}

fn record() -> FdbRecord {
    FdbRecord {
        mac: "0a:0a:c0:a8:c8:41".parse().unwrap(),
        endpoint: "192.168.200.65%0".parse().unwrap(),
    }
}

#[tokio::test]
async fn write_with_a_refused_token_is_not_sent_again() {
    let server = Server::with_login(|seen, _| match seen.line.split(' ').next() {
        Some("GET") => Reply::ok(recorded::NO_RECORDS),
        _ => Reply::Body(401, recorded::TOKEN_EXPIRED.into()),
    })
    .await;
    let client = Client::new(server.config()).unwrap();
    let unit = client.unit().await.unwrap();
    let error = unit.add_record(&path(), record()).await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::LoginEnded);
    assert!(error.is_retryable() && !error.is_uncertain());
    // Neither that one nor any other call of that unit is sent from now on.
    let tunnel = path();
    let errors = [
        unit.add_record(&tunnel, record()).await.unwrap_err(),
        unit.save().await.unwrap_err(),
        unit.records(&tunnel).await.unwrap_err(),
    ];
    for error in errors {
        assert_eq!(*error.kind(), ErrorKind::LoginEnded);
    }
    let login = "POST /mgmt/shared/authn/login".to_owned();
    assert_eq!(server.lines(), [login, about_records("POST")]);
}

#[tokio::test]
async fn writes_never_accepted_make_no_login_loop() {
    let server = Server::with_login(|seen, _| match seen.line.split(' ').next() {
        Some("GET") => Reply::ok(recorded::NO_RECORDS),
        _ => Reply::Body(401, recorded::TOKEN_EXPIRED.into()),
    })
    .await;
    let client = Client::new(server.config()).unwrap();
    let mut last = None;
    for _ in 0..10 {
        last = add(&client, &path(), record()).await.err();
    }
    let last = last.unwrap();
    assert_eq!(*last.kind(), ErrorKind::TokenRefused);
    assert_eq!(last.retry_after(), Some(Duration::from_secs(60)));
    assert_eq!(server.logins(), 2);
}

#[tokio::test]
async fn list_read_under_one_login_is_not_written_under_another() {
    let server = Server::with_login(|seen, before| match (seen.line.as_str(), before) {
        (line, 0) if line.starts_with("GET") => Reply::Body(401, recorded::TOKEN_EXPIRED.into()),
        (line, _) if line.starts_with("GET") => Reply::ok(recorded::FDB),
        _ => Reply::ok("{}"),
    })
    .await;
    let client = Client::new(server.config()).unwrap();
    let unit = client.unit().await.unwrap();
    let written = unit.replace_records(&path(), &Records::new()).await;
    assert_eq!(*written.unwrap_err().kind(), ErrorKind::LoginEnded);
    assert!(server.lines().iter().all(|line| !line.starts_with("PUT")));
}

#[tokio::test]
async fn holder_of_another_key_gets_no_token_and_no_write() {
    let server = Server::with_login(empty).await;
    let client = Client::new(server.config()).unwrap();
    let unit = client.unit().await.unwrap();
    let key = client.peer_key();
    let other = server.replaced_by(empty_with_login).await;
    let error = unit.add_record(&path(), record()).await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::LoginEnded);
    assert!(!error.is_uncertain());
    assert_eq!(other.lines(), [""; 0]);

    client.records(&path()).await.unwrap();
    assert_ne!(client.login(), Some(unit.made_under()));
    assert!(client.peer_key().is_some() && client.peer_key() != key);
    let login = "POST /mgmt/shared/authn/login".to_owned();
    assert_eq!(other.lines(), [login, about_records("GET")]);
    assert_eq!(other.seen()[1].header("x-f5-auth-token"), Some("OTHER"));
}

#[tokio::test]
async fn read_goes_on_under_the_login_of_another_key() {
    let server = Server::with_login(empty).await;
    let client = Client::new(server.config()).unwrap();
    client.records(&path()).await.unwrap();
    let other = server.replaced_by(empty_with_login).await;
    client.records(&path()).await.unwrap();
    assert_eq!(other.logins(), 1);
    let seen = other.seen();
    let tokens = seen
        .iter()
        .filter_map(|seen| seen.header("x-f5-auth-token"));
    assert_eq!(tokens.collect::<Vec<_>>(), ["OTHER"]);
}

#[tokio::test]
async fn extended_token_keeps_its_login() {
    let server = Server::with_login(extending).await;
    let client = Client::new(server.config()).unwrap();
    let unit = client.unit().await.unwrap();
    let_pass(Duration::from_secs(1_200 - 120)).await;
    unit.save().await.unwrap();
    assert_eq!(client.login(), Some(unit.made_under()));
    assert_eq!(server.logins(), 1);
}

/// A server of its own that answers logins with the token `OTHER`.
fn empty_with_login(seen: &Seen, _: usize) -> Reply {
    if seen.is_login() {
        Reply::login("OTHER")
    } else {
        Reply::ok(recorded::NO_RECORDS)
    }
}

#[tokio::test]
async fn tokens_that_are_never_accepted_make_no_login_loop() {
    let server = Server::with_login(|_, _| Reply::Body(401, recorded::TOKEN_EXPIRED.into())).await;
    let client = Client::new(server.config()).unwrap();
    let error = client.records(&path()).await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::TokenRefused);
    assert_eq!(error.reason(), Reason::AuthenticationFailed);
    assert_eq!(error.retry_after(), Some(Duration::from_secs(60)));
    assert_eq!(server.logins(), 2);
}

#[tokio::test]
async fn always_refused_tokens_give_two_logins_a_minute() {
    let server = Server::with_login(|_, _| Reply::Body(401, recorded::TOKEN_EXPIRED.into())).await;
    let client = Client::new(server.config()).unwrap();
    for _ in 0..10 {
        let error = client.records(&path()).await.unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::TokenRefused);
    }
    assert_eq!(server.logins(), 2);
    let_pass(Duration::from_secs(61)).await;
    client.records(&path()).await.unwrap_err();
    assert_eq!(server.logins(), 3);
}

#[tokio::test]
async fn pending_callers_share_login_failure_and_pause() {
    let message = "user has reached maximum active login tokens";
    let server = Server::start(move |_, _| Reply::restjavad(400, message)).await;
    let client = Client::new(server.config()).unwrap();
    let path = path();
    let mut set = tokio::task::JoinSet::new();
    for _ in 0..10 {
        let (client, path) = (client.clone(), path.clone());
        set.spawn(async move { client.records(&path).await });
    }
    while let Some(result) = set.join_next().await {
        assert_eq!(
            *result.unwrap().unwrap_err().kind(),
            ErrorKind::TooManyTokens
        );
    }
    for _ in 0..10 {
        let error = client.records(&path).await.unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::TooManyTokens);
    }
    assert_eq!(server.logins(), 1);
    // A person may ask again.
    client.allow_login();
    client.records(&path).await.unwrap_err();
    assert_eq!(server.logins(), 2);
}

#[tokio::test]
async fn missing_permission_causes_no_new_login() {
    let server = Server::with_login(|_, _| Reply::Body(401, recorded::FORBIDDEN.into())).await;
    let client = Client::new(server.config()).unwrap();
    let error = client.records(&path()).await.unwrap_err();
    assert_eq!(error.reason(), Reason::AuthorizationFailed);
    assert_eq!(server.seen().len(), 2);
}

/// Answers the extension of a token with what it asks for, the rest as [`empty`].
fn extending(seen: &Seen, before: usize) -> Reply {
    if seen
        .line
        .starts_with("PATCH /mgmt/shared/authz/tokens/TOKEN")
    {
        // The token itself, not inside another object.
        Reply::ok(
            &seen
                .body
                .replace('{', r#"{"token":"TOKEN0","generation":2,"#),
        )
    } else {
        empty(seen, before)
    }
}

#[tokio::test]
async fn token_is_extended_in_time_without_a_login() {
    let server = Server::with_login(extending).await;
    let client = Client::new(server.config()).unwrap();
    client.records(&path()).await.unwrap();
    let_pass(Duration::from_secs(1_200 - 120)).await;
    client.records(&path()).await.unwrap();
    client.records(&path()).await.unwrap();
    let (seen, lines) = (server.seen(), server.lines());
    assert_eq!(lines[2], "PATCH /mgmt/shared/authz/tokens/TOKEN0");
    assert_eq!(
        seen[2].body, r#"{"timeout":2280}"#,
        "it counts from the login"
    );
    assert_eq!(seen[2].header("x-f5-auth-token"), Some("TOKEN0"));
    assert_eq!(seen[3].header("x-f5-auth-token"), Some("TOKEN0"));
    assert_eq!((server.logins(), lines.len()), (1, 5));
}

#[tokio::test]
async fn token_is_extended_for_ten_hours_then_replaced() {
    let server = Server::with_login(extending).await;
    let client = Client::new(server.config()).unwrap();
    for _ in 0..39 {
        client.records(&path()).await.unwrap();
        let_pass(Duration::from_secs(910)).await;
    }
    assert_eq!(server.logins(), 1);
    client.records(&path()).await.unwrap();
    assert_eq!(server.logins(), 2);
    let deleted = "DELETE /mgmt/shared/authz/tokens/TOKEN0".to_owned();
    assert!(server.lines().contains(&deleted));
    let asked = server
        .seen()
        .into_iter()
        .filter(|seen| seen.line.starts_with("PATCH"));
    let too_long = asked.filter(|seen| seen.body.len() > r#"{"timeout":36000}"#.len());
    assert_eq!(too_long.count(), 0);
}

/// Passes most of a token's time, with a server that answers the extension so.
async fn assert_replaced(extension: impl Fn() -> Reply + Send + Sync + 'static) {
    let server = Server::with_login(move |seen, before| match seen.line.as_str() {
        line if line.starts_with("PATCH") => extension(),
        _ => empty(seen, before),
    })
    .await;
    let client = Client::new(server.config()).unwrap();
    client.records(&path()).await.unwrap();
    let_pass(Duration::from_secs(1_200 - 120)).await;
    client.records(&path()).await.unwrap();
    client.records(&path()).await.unwrap();
    let lines = server.lines();
    assert_eq!(lines[2], "PATCH /mgmt/shared/authz/tokens/TOKEN0");
    assert_eq!(lines[3], "POST /mgmt/shared/authn/login");
    assert_eq!(lines[4], "DELETE /mgmt/shared/authz/tokens/TOKEN0");
    assert_eq!(server.seen()[5].header("x-f5-auth-token"), Some("TOKEN1"));
    assert_eq!(lines.len(), 7);
}

#[tokio::test]
async fn token_refused_for_extension_is_replaced_and_deleted() {
    assert_replaced(|| Reply::restjavad(400, "no")).await;
    assert_replaced(|| Reply::Body(401, recorded::TOKEN_EXPIRED.into())).await;
    // Whether a token that is gone is answered so is not known.
    assert_replaced(|| Reply::restjavad(404, "no")).await;
}

#[tokio::test]
async fn extension_without_effect_is_tried_once() {
    assert_replaced(|| Reply::ok(r#"{"token":"TOKEN0","timeout":1200}"#)).await;
    assert_replaced(|| Reply::ok("{}")).await;
}

#[tokio::test]
async fn unanswered_extension_causes_no_login_nor_uncertainty() {
    let server = Server::with_login(|seen, before| match seen.line.as_str() {
        line if line.starts_with("PATCH") => Reply::Stall,
        _ => empty(seen, before),
    })
    .await;
    let client = Client::with_limits(server.config(), short_limits()).unwrap();
    client.records(&path()).await.unwrap();
    let_pass(Duration::from_secs(1_200 - 120)).await;
    let error = save(&client).await.unwrap_err();
    assert_eq!(error.reason(), Reason::Timeout);
    assert!(!error.is_uncertain());
    assert_eq!(server.logins(), 1);
}

#[tokio::test]
async fn expired_token_is_not_extended() {
    let server = Server::with_login(extending).await;
    let client = Client::new(server.config()).unwrap();
    client.records(&path()).await.unwrap();
    let_pass(Duration::from_secs(1_201)).await;
    client.records(&path()).await.unwrap();
    assert_eq!(server.lines()[2], "POST /mgmt/shared/authn/login");
}

#[tokio::test]
async fn logout_deletes_token_and_next_call_logs_in() {
    let server = Server::with_login(empty).await;
    let client = Client::new(server.config()).unwrap();
    client.records(&path()).await.unwrap();
    client.logout().await;
    client.logout().await;
    assert_eq!(server.lines()[2], "DELETE /mgmt/shared/authz/tokens/TOKEN0");
    assert_eq!(server.seen()[2].header("x-f5-auth-token"), Some("TOKEN0"));
    assert_eq!(
        server.seen().len(),
        3,
        "the second logout has nothing to do"
    );
    client.records(&path()).await.unwrap();
    assert_eq!(server.logins(), 2);
}

#[tokio::test]
async fn unanswered_logout_times_out() {
    let server = Server::start(|seen, _| match seen.line.split(' ').next() {
        Some("POST") => Reply::login("TOKEN"),
        Some("DELETE") => Reply::Stall,
        _ => Reply::ok(recorded::NO_RECORDS),
    })
    .await;
    let client = Client::with_limits(server.config(), short_limits()).unwrap();
    client.records(&path()).await.unwrap();
    client.logout().await;
    assert_eq!(server.seen().len(), 3);
}

#[tokio::test]
async fn answer_without_a_token_is_no_login() {
    for body in [
        "",
        "null",
        "<html>login</html>",
        "{}",
        r#"{"token":{"token":""}}"#,
    ] {
        let server = Server::start(move |_, _| Reply::ok(body)).await;
        let client = Client::new(server.config()).unwrap();
        let error = client.records(&path()).await.unwrap_err();
        assert_eq!(error.reason(), Reason::ProtocolError, "{body}");
        assert!(!client.has_logged_in());
        assert_eq!(server.seen().len(), 1, "{body}");
    }
}

#[tokio::test]
async fn token_limit_of_user_pauses_logins_for_a_minute() {
    let text = "user admin has reached maximum active login tokens";
    let server = Server::start(move |_, _| Reply::restjavad(400, text)).await;
    let error = Client::new(server.config())
        .unwrap()
        .records(&path())
        .await
        .unwrap_err();
    assert_eq!(error.reason(), Reason::TooManyTokens);
    assert!(error.is_retryable());
    assert_eq!(error.retry_after(), Some(Duration::from_secs(60)));
}

#[tokio::test]
async fn starting_device_is_not_a_refused_login() {
    let server = Server::start(|seen, before| match (seen.is_login(), before) {
        (true, 0) => Reply::Body(503, recorded::RESTARTING.into()),
        (true, 1) => Reply::restjavad(404, "Public URI path not registered: /shared/authn/login"),
        (true, _) => Reply::login("TOKEN"),
        _ => Reply::ok(recorded::NO_RECORDS),
    })
    .await;
    let client = Client::new(server.config()).unwrap();
    for _ in 0..2 {
        let error = client.records(&path()).await.unwrap_err();
        assert_eq!(error.reason(), Reason::DeviceNotReady);
    }
    client.records(&path()).await.unwrap();
}

/// What a process stores, kept for the next one.
#[derive(Default)]
struct Kept {
    rows: Mutex<Vec<LoginRecord>>,
    /// How many logins the server had seen when each was stored.
    seen: Mutex<Vec<usize>>,
    fails: AtomicBool,
    hangs: AtomicBool,
}

struct Keeps(Arc<Kept>, Arc<Server>);

impl LoginStore for Keeps {
    fn secret(&self) -> SecretVersion {
        SecretVersion {
            uid: "uid".into(),
            resource_version: "1".into(),
        }
    }

    fn known<'a>(&'a self, _: &'a AccountId) -> Stored<'a, KnownLogins> {
        let known = KnownLogins {
            records: self.0.rows.lock().unwrap().clone(),
            complete: true,
        };
        Box::pin(std::future::ready(known))
    }

    fn store<'a>(&'a self, login: &'a LoginRecord) -> Stored<'a, Result<(), NotStored>> {
        if self.0.hangs.load(Ordering::Relaxed) {
            return Box::pin(std::future::pending());
        }
        if self.0.fails.load(Ordering::Relaxed) {
            return Box::pin(std::future::ready(Err(NotStored {
                reason: Reason::TooManyNodes,
                cause: "refused".into(),
            })));
        }
        *self.0.rows.lock().unwrap() = vec![login.clone()];
        self.0.seen.lock().unwrap().push(self.1.logins());
        Box::pin(std::future::ready(Ok(())))
    }
}

/// A client of a process that has just begun.
fn restarted(server: &Arc<Server>, kept: &Arc<Kept>) -> Client {
    let client = client(server, PASSWORD, &Accounts::default());
    client.remembering(Arc::new(Keeps(kept.clone(), server.clone())))
}

#[tokio::test]
async fn restarts_send_a_wrong_password_twice_at_most() {
    let server = Arc::new(Server::start(refused_login).await);
    let kept = Arc::default();
    for _ in 0..4 {
        assert_refused(&restarted(&server, &kept)).await;
    }
    // The password itself waits 5 minutes for its second try.
    assert_eq!(server.logins(), 1);
    kept.rows.lock().unwrap()[0].secret.resource_version = "0".into();
    for _ in 0..4 {
        assert_refused(&restarted(&server, &kept)).await;
        kept.rows.lock().unwrap()[0].secret.resource_version = "0".into();
    }
    assert_eq!(server.logins(), 2);
    // Each was stored before it was sent, and once.
    assert_eq!(*kept.seen.lock().unwrap(), [0, 1]);
}

#[tokio::test]
async fn try_that_cannot_be_stored_is_not_sent() {
    let server = Arc::new(Server::with_login(empty).await);
    let kept: Arc<Kept> = Arc::default();
    kept.fails.store(true, Ordering::Relaxed);
    let client = restarted(&server, &kept);
    let error = client.unit().await.unwrap_err();
    assert_eq!(error.reason(), Reason::TooManyNodes);
    assert!(error.is_retryable(), "{error}");
    assert_eq!(server.logins(), 0);
    kept.fails.store(false, Ordering::Relaxed);
    client.unit().await.unwrap();
}

#[tokio::test]
async fn accepted_password_is_sent_without_being_stored_first() {
    let server = Arc::new(Server::with_login(empty).await);
    let kept: Arc<Kept> = Arc::default();
    let first = restarted(&server, &kept);
    first.unit().await.unwrap();
    let row = first.login_record().unwrap();
    assert!(row.accepted.is_some() && row.refusals == 0);
    *kept.rows.lock().unwrap() = vec![row];
    kept.fails.store(true, Ordering::Relaxed);
    restarted(&server, &kept).unit().await.unwrap();
    assert_eq!(server.logins(), 2);
}

#[tokio::test]
async fn refusal_of_an_accepted_password_is_stored_at_once() {
    let server = Arc::new(Server::start(refused_login).await);
    let kept: Arc<Kept> = Arc::default();
    let long_ago = Timestamp::UNIX_EPOCH;
    let accepted = LoginRecord {
        account: AccountId::stored("any"),
        secret: Keeps(kept.clone(), server.clone()).secret(),
        accepted: Some(long_ago),
        refusals: 0,
        window_start: None,
        last_tried: long_ago,
    };
    *kept.rows.lock().unwrap() = vec![accepted];
    for _ in 0..4 {
        assert_refused(&restarted(&server, &kept)).await;
    }
    assert_eq!(server.logins(), 1);
    let rows = kept.rows.lock().unwrap();
    assert_eq!((rows[0].refusals, rows[0].accepted), (1, Some(long_ago)));
}

#[tokio::test]
async fn store_that_does_not_answer_is_named_and_ends() {
    let server = Arc::new(Server::with_login(empty).await);
    let kept: Arc<Kept> = Arc::default();
    kept.hangs.store(true, Ordering::Relaxed);
    let client = Client::build(server.config(), short_limits(), Accounts::default()).unwrap();
    let client = client.remembering(Arc::new(Keeps(kept.clone(), server.clone())));
    let asked = tokio::time::timeout(Duration::from_secs(20), client.unit());
    let error = asked.await.expect("no deadline").unwrap_err();
    assert_eq!(error.reason(), Reason::KubernetesUnavailable);
    assert!(error.is_login_delayed(), "{error}");
    assert!(error.to_string().contains("API server"), "{error}");
    assert_eq!(server.logins(), 0);
}

#[tokio::test]
async fn login_that_was_not_refused_leaves_no_refusal_stored() {
    for (status, body) in [(503, recorded::RESTARTING), (200, "{}")] {
        let server = Server::start(move |seen, before| match (seen.is_login(), before) {
            (true, 0) => Reply::Body(status, body.into()),
            (true, _) => Reply::login("TOKEN"),
            _ => Reply::ok(recorded::NO_RECORDS),
        });
        let server = Arc::new(server.await);
        let kept: Arc<Kept> = Arc::default();
        restarted(&server, &kept).unit().await.unwrap_err();
        let row = kept.rows.lock().unwrap()[0].clone();
        assert_eq!((row.refusals, row.window_start), (0, None));
        restarted(&server, &kept).unit().await.unwrap();
    }
}

#[tokio::test]
async fn login_that_was_not_sent_leaves_no_refusal_stored() {
    let server = Arc::new(Server::with_login(empty).await);
    let kept: Arc<Kept> = Arc::default();
    let mut config = server.config();
    config.may_write = MayWrite::when(|| false);
    let client = Client::new(config).unwrap();
    let client = client.remembering(Arc::new(Keeps(kept.clone(), server.clone())));
    client.unit().await.unwrap_err();
    assert_eq!(server.logins(), 0);
    assert_eq!(kept.rows.lock().unwrap()[0].refusals, 0);
    restarted(&server, &kept).unit().await.unwrap();
}

#[tokio::test]
async fn first_acceptance_is_stored_at_once() {
    let server = Arc::new(Server::with_login(empty).await);
    let kept: Arc<Kept> = Arc::default();
    // Each process ends right after its login, and has shown nothing of it.
    for _ in 0..4 {
        restarted(&server, &kept).unit().await.unwrap();
    }
    let row = kept.rows.lock().unwrap()[0].clone();
    assert!(row.accepted.is_some() && row.refusals == 0, "{row:?}");
    assert_eq!(server.logins(), 4);
    // Before the first was sent, and when it was accepted.
    assert_eq!(*kept.seen.lock().unwrap(), [0, 1]);
}

#[tokio::test]
async fn record_of_an_older_login_shows_what_was_refused_since() {
    let has_ended = Arc::new(AtomicBool::new(false));
    let ended = has_ended.clone();
    let server = Server::start(move |seen, _| match seen.is_login() {
        true if ended.load(Ordering::Relaxed) => Reply::restjavad(401, "Authentication failed."),
        true => Reply::login("TOKEN"),
        false => Reply::ok(recorded::NO_RECORDS),
    });
    let server = Arc::new(server.await);
    let kept: Arc<Kept> = Arc::default();
    let accounts = Accounts::default();
    let with = |password| {
        let client = client(&server, password, &accounts);
        client.remembering(Arc::new(Keeps(kept.clone(), server.clone())))
    };
    let right = with(PASSWORD);
    right.unit().await.unwrap();
    has_ended.store(true, Ordering::Relaxed);
    with("wrong").unit().await.unwrap_err();
    let refused = kept.rows.lock().unwrap()[0].clone();
    let row = right.login_record().unwrap();
    assert_eq!((row.refusals, row.accepted.is_some()), (0, true));
    assert_eq!(row.window_start, refused.window_start);
    assert_eq!(row.last_tried, refused.last_tried);
}
