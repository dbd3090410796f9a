//! A device in process with a user logged in, and short ways to ask it.

use bigip_sim::{Client, Method, Reply, SimConfig, State, TmosVersion, TunnelConfig, UserConfig};
use hyper::body::Bytes;
use hyper::{HeaderMap, Request};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::net::Ipv4Addr;

pub(crate) const TUNNEL: &str = "/Common/flannel_vxlan";
pub(crate) const TUNNEL_URI: &str = "/mgmt/tm/net/fdb/tunnel/~Common~flannel_vxlan";
pub(crate) const RECORDS_URI: &str = "/mgmt/tm/net/fdb/tunnel/~Common~flannel_vxlan/records";
pub(crate) const LOGIN_URI: &str = "/mgmt/shared/authn/login";
pub(crate) const MAC: &str = "0a:0a:0a:a9:48:ef";
pub(crate) const ENDPOINT: &str = "10.169.72.239%0";

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {}", self.text))
    }

    pub(crate) fn message(&self) -> String {
        self.json()["message"].as_str().unwrap().to_owned()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }
}

/// A device, the time it is there, and the token of `admin`.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) state: State,
    pub(crate) now: Timestamp,
    pub(crate) token: String,
}

pub(crate) fn config() -> SimConfig {
    SimConfig {
        users: vec![UserConfig::new("admin", "s3cret")],
        tunnels: vec![TunnelConfig::vxlan(TUNNEL, "10.169.72.34")],
        ..SimConfig::default()
    }
}

pub(crate) fn world() -> World {
    World::new(&config())
}

pub(crate) fn world_of(version: TmosVersion) -> World {
    World::new(&SimConfig {
        version,
        ..config()
    })
}

pub(crate) fn credentials(user: &str, password: &str) -> Value {
    json!({ "username": user, "password": password, "loginProviderName": "tmos" })
}

impl World {
    pub(crate) fn new(config: &SimConfig) -> Self {
        let now = "2019-12-03T13:25:10.321Z".parse().unwrap();
        let state = State::new(config, 1).unwrap();
        let mut world = Self {
            state,
            now,
            token: String::new(),
        };
        world.token = world.login("admin", "s3cret").json()["token"]["token"]
            .as_str()
            .unwrap()
            .into();
        world
    }

    pub(crate) fn pass(&mut self, seconds: i64) {
        self.now += jiff::SignedDuration::from_secs(seconds);
    }

    pub(crate) fn login(&mut self, user: &str, password: &str) -> Answer {
        self.raw(
            Method::POST,
            LOGIN_URI,
            &[],
            &credentials(user, password).to_string(),
        )
    }

    pub(crate) fn get(&mut self, path: &str) -> Answer {
        self.send(Method::GET, path, "")
    }

    pub(crate) fn delete(&mut self, path: &str) -> Answer {
        self.send(Method::DELETE, path, "")
    }

    pub(crate) fn post(&mut self, path: &str, body: &Value) -> Answer {
        self.send(Method::POST, path, &body.to_string())
    }

    pub(crate) fn put(&mut self, path: &str, body: &Value) -> Answer {
        self.send(Method::PUT, path, &body.to_string())
    }

    pub(crate) fn patch(&mut self, path: &str, body: &Value) -> Answer {
        self.send(Method::PATCH, path, &body.to_string())
    }

    pub(crate) fn send(&mut self, method: Method, path: &str, body: &str) -> Answer {
        let token = self.token.clone();
        let headers = [
            ("x-f5-auth-token", token.as_str()),
            ("content-type", "application/json"),
        ];
        self.raw(method, path, &headers, body)
    }

    pub(crate) fn raw(
        &mut self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        self.answer_to(&request(method, path, headers, body))
    }

    pub(crate) fn answer_to(&mut self, request: &Request<Bytes>) -> Answer {
        match self.ask(request) {
            Reply::Answer(response) => answer(&response),
            other => panic!("no answer but {other:?}"),
        }
    }

    pub(crate) fn ask(&mut self, request: &Request<Bytes>) -> Reply {
        self.state.handle(request, self.now)
    }

    /// A request of the one logged in, to be given to [`World::ask`].
    pub(crate) fn request(&self, method: Method, path: &str, body: &str) -> Request<Bytes> {
        let headers = [
            ("x-f5-auth-token", &*self.token),
            ("content-type", "application/json"),
        ];
        request(method, path, &headers, body)
    }

    pub(crate) fn stored(&self) -> Vec<(String, String)> {
        self.state.records(TUNNEL).into_iter().collect()
    }
}

pub(crate) fn pair(mac: &str, endpoint: &str) -> (String, String) {
    (mac.to_owned(), endpoint.to_owned())
}

pub(crate) fn record(mac: &str, endpoint: &str) -> Value {
    json!({ "name": mac, "endpoint": endpoint })
}

pub(crate) fn answer(response: &hyper::Response<Bytes>) -> Answer {
    Answer {
        status: response.status().as_u16(),
        headers: response.headers().clone(),
        text: String::from_utf8(response.body().to_vec()).unwrap(),
    }
}

/// A request as a client sends it.
pub(crate) fn request(
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Request<Bytes> {
    let mut builder = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        builder = builder.header(*name, *value);
    }
    let mut request = builder.body(Bytes::from(body.to_owned())).unwrap();
    request
        .extensions_mut()
        .insert(Client(Ipv4Addr::new(10, 144, 138, 84).into()));
    request
}
