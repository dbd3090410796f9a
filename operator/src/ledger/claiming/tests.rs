//! Claims against an API server of a few lines, on a clock that the tests move.

use std::convert::Infallible;
use std::slice::from_ref;
use std::sync::{Arc, Mutex};

use bigip_tunnel_core::claims::ClaimState;
use bigip_tunnel_crds::v1alpha1::{BigIpTunnel, SecretRef};
use futures::FutureExt as _;
use http::{Method, Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::client::Body;
use kube::{Api, Client};
use serde_json::{Value, json};

use super::*;
use crate::lease::Leadership;

/// What becomes of a write.
#[derive(Clone, Copy)]
enum Fate {
    Stored,
    /// Answered with this code and not stored.
    Refused(u16),
    /// Stored, and answered 504.
    StoredUnheard,
    /// Taken, and stored without the claims.
    Emptied,
    Lost,
}

/// An API server that knows one object, and the writes that came.
#[derive(Clone)]
struct Server {
    fates: Arc<Mutex<Vec<Fate>>>,
    object: Arc<Mutex<Value>>,
    writes: Arc<Mutex<Vec<Value>>>,
}

impl Server {
    /// The first writes have these fates, all others are stored.
    fn new(fates: &[Fate]) -> Self {
        let object = json!({
            "apiVersion": "bigip-tunnel.dev/v1alpha1", "kind": "BigIpTunnel",
            "metadata": {"name": "prod", "namespace": "bigip", "uid": "uid", "resourceVersion": "1"},
            "spec": {"devices": [], "tunnel": {"name": "t"}}, "status": {},
        });
        Self {
            fates: Arc::new(Mutex::new(fates.to_vec())),
            object: Arc::new(Mutex::new(object)),
            writes: Arc::default(),
        }
    }

    fn ledger(&self) -> Ledger {
        let object = self.object.lock().unwrap().clone();
        let object: BigIpTunnel = serde_json::from_value(object).unwrap();
        let server = self.clone();
        let service = tower::service_fn(move |request| {
            let server = server.clone();
            async move { Ok::<_, Infallible>(server.answer(request).await) }
        });
        let api = Api::namespaced(Client::new(service, "bigip"), "bigip");
        Ledger::new(api, &object, "writer", Leadership::unelected())
    }

    async fn answer(&self, request: Request<Body>) -> Response<Body> {
        let is_read = request.method() == Method::GET;
        let body = request.into_body().collect().await.unwrap().to_bytes();
        if is_read {
            return self.shown();
        }
        let fate = {
            let mut fates = self.fates.lock().unwrap();
            if fates.is_empty() {
                Fate::Stored
            } else {
                fates.remove(0)
            }
        };
        let sent = serde_json::from_slice(&body).unwrap();
        self.writes.lock().unwrap().push(sent);
        match fate {
            Fate::Lost => std::future::pending().await,
            Fate::Refused(code) => refusal(code),
            Fate::StoredUnheard => {
                self.carry_out();
                refusal(504)
            }
            Fate::Stored | Fate::Emptied => {
                if !self.carry_out() {
                    return refusal(409);
                }
                if matches!(fate, Fate::Emptied) {
                    self.object.lock().unwrap()["status"]["ownership"] = json!({"uid": "uid"});
                }
                self.shown()
            }
        }
    }

    fn shown(&self) -> Response<Body> {
        let object = self.object.lock().unwrap().to_string();
        Response::new(Body::from(object.into_bytes()))
    }

    /// Takes the status of the last write over, as long as it is about the object as it is now.
    fn carry_out(&self) -> bool {
        let writes = self.writes.lock().unwrap();
        let mut object = self.object.lock().unwrap();
        let sent = writes.last().unwrap();
        let is_current =
            ["uid", "resourceVersion"].map(|f| sent["metadata"][f] == object["metadata"][f]);
        if is_current != [true, true] {
            return false;
        }
        object["status"] = sent["status"].clone();
        let version = &mut object["metadata"]["resourceVersion"];
        let number: u64 = version.as_str().unwrap().parse().unwrap();
        *version = (number + 1).to_string().into();
        true
    }

    fn writes(&self) -> usize {
        self.writes.lock().unwrap().len()
    }
}

fn refusal(code: u16) -> Response<Body> {
    let status = json!({"kind": "Status", "code": code, "message": "no", "status": "Failure"});
    let mut response = Response::new(Body::from(status.to_string().into_bytes()));
    *response.status_mut() = StatusCode::from_u16(code).unwrap();
    response
}

fn addition() -> ClaimChanges {
    let mac = "0a:0a:0a:a9:48:ef".parse().unwrap();
    ClaimChanges::from([(mac, Some(ClaimState::Pending))])
}

fn named() -> NodeChanges {
    let mac = "0a:0a:0a:a9:48:ef".parse().unwrap();
    NodeChanges::from([(mac, ["worker-01".into()].into())])
}

async fn claim(ledger: &Ledger, device: &str) -> Result<DeviceClaims, LedgerError> {
    ledger
        .claim(device, &addition(), &named(), None, None)
        .await
}

#[tokio::test(start_paused = true)]
async fn concurrent_claims_of_two_devices_are_one_write() {
    let server = Server::new(&[]);
    let ledger = server.ledger();
    let (a, b) = tokio::join!(claim(&ledger, "a"), claim(&ledger, "b"));
    // Each is answered with its own claims, also the one whose claim the other has written.
    let mac = *addition().keys().next().unwrap();
    let pending = DeviceClaims::from([(mac, ClaimState::Pending)]);
    assert_eq!((a.unwrap(), b.unwrap()), (pending.clone(), pending));
    assert_eq!(server.writes(), 1);
    for device in ["a", "b"] {
        assert_eq!(ledger.claims_of(device).await.len(), 1);
    }
    claim(&ledger, "a").await.unwrap();
    assert_eq!(server.writes(), 1, "what is stored is not written again");
}

#[tokio::test(start_paused = true)]
async fn failed_shared_write_fails_all_its_claims() {
    let server = Server::new(&[Fate::Refused(403)]);
    let ledger = server.ledger();
    let (a, b) = tokio::join!(claim(&ledger, "a"), claim(&ledger, "b"));
    assert!(matches!(a, Err(LedgerError::Call(_))), "{a:?}");
    assert!(matches!(b, Err(LedgerError::Call(_))), "{b:?}");
    assert_eq!(server.writes(), 1);
    assert!(ledger.claims().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn aborted_shared_write_is_repeated_for_other_devices() {
    let server = Server::new(&[Fate::Lost]);
    let ledger = server.ledger();
    let mut a = Box::pin(claim(&ledger, "a"));
    let mut b = Box::pin(claim(&ledger, "b"));
    // Both wait; then the first one writes for both.
    assert!(a.as_mut().now_or_never().is_none() && b.as_mut().now_or_never().is_none());
    tokio::time::advance(2 * GATHER).await;
    assert!(a.as_mut().now_or_never().is_none() && b.as_mut().now_or_never().is_none());
    while server.writes() == 0 {
        assert!(a.as_mut().now_or_never().is_none());
        tokio::task::yield_now().await;
    }
    drop(a);
    b.await.unwrap();
    assert_eq!(server.writes(), 2);
    assert_eq!(ledger.claims_of("b").await.len(), 1);
    assert!(ledger.claims_of("a").await.is_empty());
}

fn device(name: &str, unsaved_since_s: Option<i64>) -> DeviceStatus {
    DeviceStatus {
        name: name.into(),
        unsaved_since: unsaved_since_s.map(|s| Time(Timestamp::from_second(s).unwrap())),
        ..DeviceStatus::default()
    }
}

fn note(devices: &[DeviceStatus], name: &str) -> Option<Vec<DeviceStatus>> {
    let claim = Claim {
        device: name.to_owned(),
        changes: ClaimChanges::new(),
        nodes: NodeChanges::new(),
        note: Some(device(name, Some(100))),
    };
    let mut devices = devices.to_vec();
    claim.note_device(&mut devices).then_some(devices)
}

#[test]
fn unsaved_change_is_noted_once_per_device() {
    let noted = device("a", Some(100));
    assert_eq!(note(&[], "a"), Some(vec![noted.clone()]));
    let known = [device("a", None), device("b", Some(50))];
    assert_eq!(note(&known, "a"), Some(vec![noted, known[1].clone()]));
    assert_eq!(note(&known, "b"), None);
    let third = note(&known, "c").unwrap();
    assert_eq!(
        third,
        [known[0].clone(), known[1].clone(), device("c", Some(100))]
    );
    let full: Vec<_> = (0..DEVICES_MAX)
        .map(|n| device(&n.to_string(), None))
        .collect();
    assert_eq!(note(&full, "c"), None);
}

#[test]
fn login_of_a_device_is_noted_with_its_first_claim() {
    let secret = |name: &str| Some(SecretRef { name: name.into() });
    let at = |address: &str, login: &str| DeviceStatus {
        address: Some(address.into()),
        credentials_secret_ref: secret(login),
        ..device("a", None)
    };
    let note = |known: &[DeviceStatus], new: DeviceStatus| {
        let claim = Claim {
            device: "a".to_owned(),
            changes: ClaimChanges::new(),
            nodes: NodeChanges::new(),
            note: Some(new),
        };
        let mut devices = known.to_vec();
        claim.note_device(&mut devices).then_some(devices)
    };
    let first = at("192.0.2.1", "login");
    assert_eq!(note(&[], first.clone()), Some(vec![first.clone()]));
    assert_eq!(note(from_ref(&first), first.clone()), None);
    let rotated = at("192.0.2.1", "other-login");
    assert_eq!(note(from_ref(&first), rotated.clone()), Some(vec![rotated]));
    // The login of another address is no login of this one.
    assert_eq!(note(&[first], at("192.0.2.9", "other-login")), None);
}

#[tokio::test(start_paused = true)]
async fn claim_that_was_stored_and_answered_504_is_written_once() {
    let server = Server::new(&[Fate::StoredUnheard]);
    let ledger = server.ledger();
    claim(&ledger, "a").await.unwrap();
    assert_eq!(server.writes(), 1);
    assert_eq!(ledger.claims_of("a").await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn claim_that_is_refused_as_a_conflict_each_time_is_not_made() {
    let server = Server::new(&[Fate::Refused(409); 32]);
    let ledger = server.ledger();
    let refused = claim(&ledger, "a").await.unwrap_err();
    assert!(matches!(refused, LedgerError::Busy), "{refused}");
    assert_eq!(server.writes(), 5);
}

#[tokio::test(start_paused = true)]
async fn claim_that_the_answer_does_not_show_is_not_made() {
    let server = Server::new(&[Fate::Emptied]);
    let ledger = server.ledger();
    let refused = claim(&ledger, "a").await.unwrap_err();
    assert!(matches!(refused, LedgerError::NotAsSent), "{refused}");
    assert!(ledger.claims().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn unreadable_claims_refuse_new_claims_and_stay() {
    let server = Server::new(&[]);
    let ledger = server.ledger();
    claim(&ledger, "a").await.unwrap();
    let row = json!([{"devices": ["a"], "state": "Owned", "records": ["x"]}]);
    let object = {
        let mut object = server.object.lock().unwrap();
        object["status"]["ownership"]["claims"] = row;
        object["metadata"]["resourceVersion"] = json!("100");
        serde_json::from_value(object.clone()).unwrap()
    };
    ledger.observe(&object).await;
    let writes = server.writes();
    // Also one that is stored as far as is known.
    let refused = claim(&ledger, "a").await.unwrap_err();
    assert!(matches!(refused, LedgerError::Unreadable(_)), "{refused}");
    assert_eq!(server.writes(), writes);
    assert_eq!(ledger.claims_of("a").await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn taking_over_reads_claims_that_the_watch_has_not_shown() {
    let server = Server::new(&[]);
    let stale = server.ledger();
    claim(&server.ledger(), "a").await.unwrap();
    assert!(stale.claims().await.is_empty());
    stale.take_over().await.unwrap();
    assert_eq!(stale.claims_of("a").await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn claim_repeats_unchanged_fields() {
    let server = Server::new(&[]);
    {
        let mut object = server.object.lock().unwrap();
        object["metadata"]["labels"] = json!({"team": "net"});
        object["status"] = json!({
            "lastHandledApproval": "a", "devices": [{"name": "a", "identity": "unit"}],
            "provisioning": {"of": "a newer version"},
        });
    }
    claim(&server.ledger(), "a").await.unwrap();
    let sent = server.writes.lock().unwrap()[0].clone();
    assert_eq!(sent["metadata"]["labels"], json!({"team": "net"}));
    let expected = json!({
        "lastHandledApproval": "a", "devices": [{"name": "a", "identity": "unit"}],
        "provisioning": {"of": "a newer version"}, "writer": "writer",
        "ownership": {"uid": "uid", "claims": [
            {"devices": ["a"], "state": "Pending", "records": ["0a:0a:0a:a9:48:ef worker-01"]},
        ]},
    });
    assert_eq!(sent["status"], expected);
}

#[tokio::test(start_paused = true)]
async fn claim_on_an_object_that_changed_is_made_on_the_new_one() {
    let server = Server::new(&[]);
    let ledger = server.ledger();
    {
        let mut object = server.object.lock().unwrap();
        object["metadata"]["resourceVersion"] = json!("100");
        object["status"]["lastHandledApproval"] = json!("b");
    }
    claim(&ledger, "a").await.unwrap();
    assert_eq!(server.writes(), 2);
    let object = server.object.lock().unwrap();
    assert_eq!(object["status"]["lastHandledApproval"], "b");
}

#[tokio::test(start_paused = true)]
async fn claims_changed_by_another_client_are_not_written_over() {
    let server = Server::new(&[]);
    let ledger = server.ledger();
    let theirs = json!({"uid": "uid", "claims": [
        {"devices": ["a"], "state": "Owned", "records": ["0a:0a:0a:a9:48:f0 worker-02"]},
    ]});
    {
        let mut object = server.object.lock().unwrap();
        object["metadata"]["resourceVersion"] = json!("100");
        object["status"]["ownership"] = theirs.clone();
    }
    let refused = claim(&ledger, "a").await.unwrap_err();
    assert!(matches!(refused, LedgerError::Overtaken), "{refused}");
    assert_eq!(server.writes(), 1);
    assert_eq!(server.object.lock().unwrap()["status"]["ownership"], theirs);
}

#[tokio::test(start_paused = true)]
async fn writer_that_took_over_meanwhile_is_not_overwritten() {
    let server = Server::new(&[]);
    let ledger = server.ledger();
    {
        let mut object = server.object.lock().unwrap();
        object["metadata"]["resourceVersion"] = json!("100");
        object["status"]["writer"] = json!("another");
    }
    let refused = claim(&ledger, "a").await.unwrap_err();
    assert!(matches!(refused, LedgerError::Displaced(_)), "{refused}");
    assert_eq!(server.writes(), 1);
}

#[tokio::test(start_paused = true)]
async fn another_writer_of_the_object_is_not_overwritten() {
    let server = Server::new(&[]);
    server.object.lock().unwrap()["status"]["writer"] = json!("another");
    let refused = claim(&server.ledger(), "a").await.unwrap_err();
    assert!(matches!(refused, LedgerError::Displaced(_)), "{refused}");
    assert_eq!(server.writes(), 0);
}

#[tokio::test(start_paused = true)]
async fn name_of_a_claimed_node_is_completed_once() {
    let server = Server::new(&[]);
    let ledger = server.ledger();
    let nameless = NodeChanges::new();
    let addition = addition();
    let stored = ledger.claim("a", &addition, &nameless, None, None).await;
    stored.unwrap();
    claim(&ledger, "a").await.unwrap();
    claim(&ledger, "a").await.unwrap();
    assert_eq!(server.writes(), 2);
    let mac = *addition.keys().next().unwrap();
    assert!(!ledger.claims().await.nodes().is_unknown(mac));
}
