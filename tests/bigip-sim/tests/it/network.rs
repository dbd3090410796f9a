//! The device over TCP and TLS, with a client that verifies it.

use std::time::Duration;

use bigip_sim::{Delivery, Effect, Fault, Method, SimConfig, Simulator, StartError, TlsProfile};
use reqwest::{Certificate, Client, RequestBuilder};
use serde_json::Value;

use crate::support::{
    ENDPOINT, LOGIN_URI, MAC, RECORDS_URI, TUNNEL, config, credentials, pair, record,
};

/// Long enough that only a fault reaches it.
const PATIENCE: Duration = Duration::from_secs(20);

struct Session {
    sim: Simulator,
    client: Client,
    token: String,
}

fn client(sim: &Simulator) -> Client {
    // Installed by whichever test comes first; the others find it there.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    Client::builder()
        .tls_certs_only([Certificate::from_pem(sim.ca_pem().as_bytes()).unwrap()])
        .no_proxy()
        .build()
        .unwrap()
}

async fn session() -> Session {
    let sim = Simulator::start(config()).await.unwrap();
    let client = client(&sim);
    let login = client
        .post(format!("https://{}{LOGIN_URI}", sim.address()))
        .json(&credentials("admin", "s3cret"));
    let body: Value = login.send().await.unwrap().json().await.unwrap();
    let token = body["token"]["token"].as_str().unwrap().to_owned();
    Session { sim, client, token }
}

impl Session {
    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client
            .request(method, format!("https://{}{path}", self.sim.address()))
            .header("X-F5-Auth-Token", &self.token)
    }

    fn add(&self) -> RequestBuilder {
        self.request(Method::POST, RECORDS_URI)
            .json(&record(MAC, ENDPOINT))
    }

    fn stored(&self) -> Vec<(String, String)> {
        self.sim.records(TUNNEL).into_iter().collect()
    }
}

#[tokio::test]
async fn record_is_written_over_verified_tls() {
    let session = session().await;
    let answer = session.add().send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.json::<Value>().await.unwrap()["endpoint"], ENDPOINT);
    assert_eq!(session.stored(), [pair(MAC, ENDPOINT)]);
    assert_eq!(
        (session.sim.logins(), session.sim.live_tokens("admin")),
        (1, 1)
    );
    assert_eq!(session.sim.mutations(), 1);

    let by_name = format!(
        "https://localhost:{}{RECORDS_URI}",
        session.sim.address().port()
    );
    let answer = session.client.get(by_name).send().await.unwrap();
    assert_eq!(
        answer.status(),
        401,
        "the name localhost is trusted, the missing token is not"
    );
    let refusal: Value = answer.json().await.unwrap();
    assert_eq!(refusal["referer"], "127.0.0.1");
}

#[tokio::test]
async fn ca_of_one_device_is_not_trusted_for_another() {
    let (one, other) = (
        Simulator::start(config()).await.unwrap(),
        Simulator::start(config()).await.unwrap(),
    );
    let asked = client(&one)
        .get(format!("https://{}/", other.address()))
        .send()
        .await;
    assert!(asked.unwrap_err().is_connect());
    assert!(other.requests().is_empty());
}

#[tokio::test]
async fn token_of_one_device_is_unknown_to_another() {
    let (one, mut other) = (session().await, session().await);
    other.token.clone_from(&one.token);
    assert_eq!(other.add().send().await.unwrap().status(), 401);
}

#[tokio::test]
async fn waiter_wakes_on_a_change() {
    let session = session().await;
    let changed = session
        .sim
        .wait_until(PATIENCE, |state| !state.records(TUNNEL).is_empty());
    let (sent, waited) = tokio::join!(session.add().send(), changed);
    assert_eq!((sent.unwrap().status().as_u16(), waited), (200, Ok(())));

    let never = session
        .sim
        .wait_until(Duration::from_millis(1), |_| false)
        .await;
    let text = "the simulated device was not in the expected state within 1 ms";
    assert_eq!(never.unwrap_err().to_string(), text);
}

#[tokio::test]
async fn record_with_a_dropped_answer_stays() {
    let session = session().await;
    session
        .sim
        .fault(Fault::new(Effect::drop_after_commit()).method(Method::POST));
    session.add().send().await.unwrap_err();
    assert_eq!(session.stored(), [pair(MAC, ENDPOINT)]);
}

#[tokio::test]
async fn stalled_write_lands_after_its_client_closed() {
    let session = session().await;
    let id = session
        .sim
        .fault(Fault::new(Effect::stall()).method(Method::POST));
    let gone = tokio::select! {
        sent = session.add().send() => panic!("answered: {sent:?}"),
        held = session.sim.wait_until(PATIENCE, |state| state.held_requests() == 1) => held,
    };
    gone.unwrap();
    assert!(session.stored().is_empty());

    session.sim.remove_fault(id);
    session
        .sim
        .wait_until(PATIENCE, |state| state.held_requests() == 0)
        .await
        .unwrap();
    assert_eq!(session.stored(), [pair(MAC, ENDPOINT)]);
}

#[tokio::test]
async fn black_hole_answers_nothing_until_responsive() {
    let session = session().await;
    session.sim.set_responsive(false);
    let patience = Duration::from_millis(50);
    let open = session.add().timeout(patience).send().await.unwrap_err();
    assert!(open.is_timeout(), "{open:?}");
    let fresh = client(&session.sim).get(format!("https://{}/", session.sim.address()));
    let fresh = fresh.timeout(patience).send().await.unwrap_err();
    assert!(fresh.is_timeout(), "{fresh:?}");
    assert_eq!(session.sim.mutations(), 0);

    session.sim.set_responsive(true);
    assert!(
        session
            .request(Method::GET, RECORDS_URI)
            .send()
            .await
            .unwrap()
            .status()
            .is_success()
    );
}

#[tokio::test]
async fn dropped_simulator_closes_its_connections() {
    let Session { sim, client, token } = session().await;
    let uri = format!("https://{}{RECORDS_URI}", sim.address());
    drop(sim);
    // The listener closes when its task ends, shortly after.
    let refused = async {
        while client
            .get(&uri)
            .header("X-F5-Auth-Token", &token)
            .send()
            .await
            .is_ok()
        {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, refused).await.unwrap();
}

#[tokio::test]
async fn used_address_is_an_error_that_names_it() {
    let sim = Simulator::start(config()).await.unwrap();
    let second = SimConfig {
        listen: sim.address(),
        ..config()
    };
    let error = Simulator::start(second).await.unwrap_err();
    assert!(matches!(error, StartError::Listen { address, .. } if address == sim.address()));
    assert_eq!(
        error.to_string(),
        format!("cannot listen on {}", sim.address())
    );
}

#[tokio::test]
async fn latency_applies_to_every_request() {
    let sim = Simulator::start(SimConfig {
        latency_ms: 30,
        ..config()
    })
    .await
    .unwrap();
    let started = std::time::Instant::now();
    let uri = format!("https://{}{RECORDS_URI}", sim.address());
    client(&sim).get(uri).send().await.unwrap();
    assert!(started.elapsed() >= Duration::from_millis(30));
}

/// What a client that trusts the device's authority gets.
async fn greeted(sim: &Simulator) -> Result<u16, String> {
    let request = client(sim).get(format!("https://{}/mgmt/tm/sys/version", sim.address()));
    let limited = request.timeout(Duration::from_millis(500)).send().await;
    limited
        .map(|answer| answer.status().as_u16())
        .map_err(|error| format!("{error:?}"))
}

#[tokio::test]
async fn tls_profiles_connect_or_are_refused() {
    for profile in TlsProfile::ALL {
        let sim = Simulator::start(SimConfig {
            tls: profile,
            ..config()
        })
        .await
        .unwrap();
        let greeted = greeted(&sim).await;
        match profile {
            TlsProfile::Authority | TlsProfile::Tls12 | TlsProfile::OldTmos => {
                assert_eq!(greeted, Ok(401), "{profile}");
            }
            _ => assert!(greeted.is_err(), "{profile}"),
        }
        assert_eq!(
            sim.requests().len(),
            usize::from(greeted.is_ok()),
            "{profile}"
        );
    }
}

#[tokio::test]
async fn certificate_can_be_renewed_by_old_or_new_ca() {
    let sim = Simulator::start(config()).await.unwrap();
    let (fingerprint, before) = (sim.fingerprint(), client(&sim));
    let ask = async |client: &Client| {
        let url = format!("https://{}/mgmt/tm/sys/version", sim.address());
        client.get(url).header("Connection", "close").send().await
    };
    sim.set_tls(TlsProfile::Authority).unwrap();
    assert_ne!(sim.fingerprint(), fingerprint);
    assert!(ask(&before).await.is_ok());
    sim.renew_authority().unwrap();
    assert!(ask(&before).await.is_err());
    assert!(ask(&client(&sim)).await.is_ok());
}

/// A read of the records that is answered in this way.
async fn delivered(delivery: Delivery) -> Result<String, reqwest::Error> {
    let session = session().await;
    let effect = Effect {
        delivery,
        ..Effect::default()
    };
    session
        .sim
        .fault(Fault::new(effect).path_contains("/records"));
    let request = session.request(Method::GET, RECORDS_URI);
    let answer = request.timeout(Duration::from_millis(500)).send().await?;
    answer.text().await
}

#[tokio::test]
async fn answer_can_be_closed_reset_dripped_or_endless() {
    let whole = delivered(Delivery::Close).await.unwrap();
    assert!(whole.ends_with('}'), "{whole}");
    assert!(delivered(Delivery::Reset).await.is_err());
    let slow = Delivery::Drip { interval_ms: 20 };
    assert!(delivered(slow).await.unwrap_err().is_timeout());
    assert!(delivered(Delivery::Endless).await.unwrap_err().is_timeout());
    let padded = delivered(Delivery::Oversized(100_000)).await.unwrap();
    assert_eq!(padded.len(), 100_000);
}
