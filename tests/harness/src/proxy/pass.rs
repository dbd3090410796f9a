//! Passes requests on and answers back, with the fault that applies to each.
//!
//! Must not know which fault applies to which request.

use std::io;
use std::sync::Arc;

use futures::{TryStreamExt as _, stream};
use http::header::{CONTENT_LENGTH, HOST, RETRY_AFTER};
use http::{Response, StatusCode, Uri};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, Limited, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use kube::client::Body;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::Shared;
use super::rewrite::Rewrite;
use super::rule::{Loss, Request, RuleId, Seen, Traffic, Trouble};

/// The largest body of a request that is passed on.
const BODY_MAX_BYTES: usize = 4 << 20;

type Answer = Response<UnsyncBoxBody<Bytes, io::Error>>;

/// Serves every connection, until it is dropped.
pub(super) async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    // A listener on the loopback interface that fails ends the proxy, and its clients see it.
    while let Ok((stream, _)) = listener.accept().await {
        let shared = Arc::clone(&shared);
        let service = service_fn(move |request| answer(Arc::clone(&shared), request));
        let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        connections.spawn(async move {
            // Its end, in order or not, is the client's to judge.
            let _: hyper::Result<()> = connection.await;
        });
        while connections.try_join_next().is_some() {}
    }
}

/// A request under way, as long as anything may come of it.
struct UnderWay {
    shared: Arc<Shared>,
    traffic: watch::Receiver<Traffic>,
    request: Request,
}

/// What is done with a request when it arrives.
enum Arrival {
    Answer(StatusCode, Option<u32>),
    Pass,
}

/// What is done with an answer.
enum Departure {
    Lose(RuleId, Loss),
    Rewrite(RuleId, Rewrite),
    Pass,
}

impl UnderWay {
    fn new(shared: Arc<Shared>, seen: Seen) -> Self {
        let mut request = Request::new(seen);
        shared
            .traffic
            .send_modify(|traffic| traffic.arrived(&mut request));
        let traffic = shared.traffic.subscribe();
        Self {
            shared,
            traffic,
            request,
        }
    }

    fn took_effect(&self, id: RuleId) {
        self.shared
            .traffic
            .send_modify(|traffic| traffic.took_effect(id, &self.request));
    }

    fn arrival(&self) -> Arrival {
        let traffic = self.shared.traffic.borrow();
        let found = match traffic.trouble(&self.request) {
            Some((id, Trouble::Answer(code, retry_after_s))) => (id, *code, *retry_after_s),
            _ => return Arrival::Pass,
        };
        drop(traffic);
        let (id, code, retry_after_s) = found;
        self.took_effect(id);
        Arrival::Answer(code, retry_after_s)
    }

    fn departure(&self) -> Departure {
        match self.shared.traffic.borrow().trouble(&self.request) {
            Some((id, Trouble::AnswerAfter(loss))) => Departure::Lose(id, *loss),
            Some((id, Trouble::Rewrite(rewrite))) if !self.request.seen.is_watch() => {
                Departure::Rewrite(id, rewrite.clone())
            }
            _ => Departure::Pass,
        }
    }

    /// Waits while a fault holds what is on its way.
    async fn until_released(&mut self, is_held: impl Fn(&Trouble) -> bool) {
        let holder = |traffic: &Traffic, request: &Request| {
            let trouble = traffic.trouble(request);
            trouble
                .filter(|(_, trouble)| is_held(trouble))
                .map(|(id, _)| id)
        };
        let Some(id) = holder(&self.traffic.borrow(), &self.request) else {
            return;
        };
        self.took_effect(id);
        let request = &self.request;
        let is_released = |traffic: &Traffic| holder(traffic, request).is_none();
        // The sender lives as long as the proxy.
        let _: Result<_, _> = self.traffic.wait_for(is_released).await;
    }

    async fn until_heard(&mut self) {
        self.until_released(|trouble| matches!(trouble, Trouble::Silence))
            .await;
    }

    /// Waits while a part of the answer may not come.
    async fn until_part_is_due(&mut self) {
        let is_watch = self.request.seen.is_watch();
        self.until_released(|trouble| match trouble {
            Trouble::Silence => true,
            Trouble::HoldWatch => is_watch,
            Trouble::Answer(..) | Trouble::AnswerAfter(_) | Trouble::Rewrite(_) => false,
        })
        .await;
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.shared.traffic.send_modify(Traffic::left);
    }
}

async fn answer(shared: Arc<Shared>, request: http::Request<Incoming>) -> io::Result<Answer> {
    let (parts, body) = request.into_parts();
    let mut under_way = UnderWay::new(
        Arc::clone(&shared),
        Seen {
            method: parts.method.clone(),
            path: parts.uri.path().to_owned(),
            query: parts.uri.query().unwrap_or_default().to_owned(),
        },
    );
    if let Arrival::Answer(code, retry_after_s) = under_way.arrival() {
        return Ok(refusal(code, retry_after_s, "as the test wants it"));
    }
    under_way.until_heard().await;
    let Ok(body) = Limited::new(body, BODY_MAX_BYTES).collect().await else {
        return Ok(refusal(StatusCode::PAYLOAD_TOO_LARGE, None, "too large"));
    };
    let mut request = http::Request::new(Body::from(body.to_bytes().to_vec()));
    *request.method_mut() = parts.method;
    *request.uri_mut() = path_of(&parts.uri);
    *request.headers_mut() = parts.headers;
    request.headers_mut().remove(HOST);
    match shared.client.send(request).await {
        Ok(response) => pass_back(response, under_way).await,
        Err(error) => Ok(refusal(StatusCode::BAD_GATEWAY, None, &error.to_string())),
    }
}

fn path_of(uri: &Uri) -> Uri {
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    path.parse().unwrap_or_default()
}

/// Passes an answer back, or what a fault makes of it.
async fn pass_back(response: Response<Body>, mut under_way: UnderWay) -> io::Result<Answer> {
    under_way.until_heard().await;
    match under_way.departure() {
        Departure::Pass => Ok(pass_parts(response, under_way)),
        Departure::Rewrite(id, rewrite) => {
            let answer = rewritten(response, &rewrite).await;
            under_way.took_effect(id);
            answer
        }
        Departure::Lose(id, loss) => {
            // The whole answer has come, so the request was carried out.
            response.collect().await.map_err(io::Error::other)?;
            under_way.took_effect(id);
            lose(id, loss, under_way).await
        }
    }
}

/// What the client gets in place of an answer. An error ends the connection.
async fn lose(id: RuleId, loss: Loss, mut under_way: UnderWay) -> io::Result<Answer> {
    match loss {
        Loss::GatewayTimeout => {
            let message = "the gateway has waited for too long";
            return Ok(refusal(StatusCode::GATEWAY_TIMEOUT, None, message));
        }
        Loss::BrokenConnection => {}
        Loss::Silence => {
            let request = under_way.request.clone();
            let is_over = |traffic: &Traffic| {
                let trouble = traffic.trouble(&request);
                trouble.is_none_or(|(now, _)| now != id)
            };
            // The sender lives as long as the proxy.
            let _: Result<_, _> = under_way.traffic.wait_for(is_over).await;
        }
    }
    Err(io::Error::other("the answer is lost"))
}

async fn rewritten(response: Response<Body>, rewrite: &Rewrite) -> io::Result<Answer> {
    let (mut parts, body) = response.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let body = match serde_json::from_slice::<Value>(&body) {
        Ok(mut json) => {
            rewrite.apply(&mut json);
            Bytes::from(json.to_string())
        }
        Err(_) => body,
    };
    parts.headers.remove(CONTENT_LENGTH);
    Ok(Response::from_parts(parts, full(body)))
}

/// Passes an answer back as it comes, while it may be heard.
fn pass_parts(response: Response<Body>, under_way: UnderWay) -> Answer {
    let (parts, body) = response.into_parts();
    let frames = stream::unfold((body, under_way), async |(mut body, mut under_way)| {
        let frame = body.frame().await;
        under_way.until_part_is_due().await;
        Some((frame?.map_err(io::Error::other), (body, under_way)))
    });
    let frames = frames.try_filter_map(async |frame| Ok(frame.into_data().ok().map(Frame::data)));
    Response::from_parts(parts, StreamBody::new(frames).boxed_unsync())
}

fn full(bytes: Bytes) -> UnsyncBoxBody<Bytes, io::Error> {
    Full::new(bytes)
        .map_err(|never| match never {})
        .boxed_unsync()
}

fn refusal(code: StatusCode, retry_after_s: Option<u32>, message: &str) -> Answer {
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": message, "code": code.as_u16(),
    });
    let mut response = Response::new(full(Bytes::from(status.to_string())));
    *response.status_mut() = code;
    if let Some(seconds) = retry_after_s {
        response.headers_mut().insert(RETRY_AFTER, seconds.into());
    }
    response
}
