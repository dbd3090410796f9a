//! Requests to the units of a lab: pings, what they have learned by ARP, and their REST interface.

use std::io;
use std::time::{Duration, Instant};

use bigip_tunnel_dataplane::http_get;
use bigip_tunnel_harness::devices::USER;
use futures::TryStreamExt as _;
use rtnetlink::packet_route::link::LinkAttribute;
use serde_json::{Value, json};

use super::{HTTP_LIMIT, Lab, Learned, Ping};

impl Lab {
    /// Pings from the self IP of a unit, as `kubectl bigip-tunnel verify` does.
    pub(crate) async fn ping(&self, unit: usize, address: &str) -> Ping {
        self.ping_with(unit, address, "-c 1 -W 1 -w 2").await
    }

    /// Pings until there is an answer, every 50 ms, and says how long that took.
    pub(crate) async fn until_answered(&self, unit: usize, address: &str) -> Duration {
        let started = Instant::now();
        let ping = self
            .ping_with(unit, address, "-c 1 -i 0.05 -W 1 -w 30")
            .await;
        assert_eq!(ping, Ping::Answered, "{address} from unit {unit}");
        started.elapsed()
    }

    async fn ping_with(&self, unit: usize, address: &str, options: &str) -> Ping {
        let source = self.units[unit].self_ip;
        let args = format!("-n {options} -I {source} {address}");
        let body = json!({"command": "run", "utilCmdArgs": args});
        let answer = self.rest(unit, "POST", "util/ping", Some(body)).await;
        let text = answer["commandResult"].as_str().unwrap_or_default();
        if text.contains(" 1 received, ") {
            Ping::Answered
        } else {
            assert!(text.contains(" 0 received, "), "{answer}");
            Ping::Silent
        }
    }

    /// What a unit has learned of an address.
    pub(crate) async fn learned(&self, unit: usize, address: &str) -> Learned {
        let answer = self.rest(unit, "GET", "net/arp/stats", None).await;
        let entries = answer["entries"].as_object().cloned().unwrap_or_default();
        let value = |entry: &Value, name: &str| {
            let value = &entry["nestedStats"]["entries"][name]["description"];
            value.as_str().unwrap_or_default().to_owned()
        };
        let mut entries = entries.values();
        let Some(entry) = entries.find(|entry| value(entry, "ipAddress") == address) else {
            return Learned::Absent;
        };
        let mac = value(entry, "macAddress");
        match (mac.as_str(), value(entry, "status").as_str()) {
            (_, "resolved") => Learned::Resolved(mac),
            ("incomplete", "unknown") => Learned::Incomplete,
            other => panic!("{address}: {other:?}"),
        }
    }

    /// The MAC address of the tunnel as a unit shows it.
    pub(crate) async fn shown_mac(&self, unit: usize) -> String {
        let path = "net/tunnels/tunnel/~Common~flannel_vxlan/stats?options=all-properties";
        let stats = self.rest(unit, "GET", path, None).await;
        let entries = stats["entries"].as_object().unwrap().values().next();
        let entries = &entries.unwrap()["nestedStats"]["entries"];
        let mac = entries["macAddr"]["description"].as_str().unwrap();
        mac.to_owned()
    }

    /// The MAC address that the tunnel's interface has.
    pub(crate) async fn device_mac(&self, unit: usize) -> String {
        let links = self.unit(unit).namespace().unwrap().netlink().unwrap();
        let links: Vec<_> = links.link().get().execute().try_collect().await.unwrap();
        let attributes = |name: &str| {
            let mut links = links.iter().map(|link| &link.attributes);
            let is_named = |one: &LinkAttribute| matches!(one, LinkAttribute::IfName(found) if found.starts_with(name));
            links
                .find(|attributes| attributes.iter().any(is_named))
                .unwrap()
        };
        let mac = attributes("tunnel")
            .iter()
            .find_map(|attribute| match attribute {
                LinkAttribute::Address(mac) => Some(mac),
                _ => None,
            });
        let bytes: Vec<String> = mac
            .unwrap()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        bytes.join(":")
    }

    /// Sends an HTTP request from a unit to a pod; an error where there is no answer.
    pub(crate) async fn http(&self, unit: usize, address: &str) -> io::Result<String> {
        let namespace = self.unit(unit).namespace().unwrap();
        http_get(namespace, address.parse().unwrap(), HTTP_LIMIT).await
    }

    /// Sends a request to a unit, which has to accept it.
    pub(crate) async fn rest(
        &self,
        unit: usize,
        method: &str,
        path: &str,
        body: Option<Value>,
    ) -> Value {
        let (status, body) = self.send(unit, method, path, body).await;
        assert_eq!(status, 200, "{method} {path}: {body}");
        body
    }

    /// Sends a request to a unit; the status code and body of its answer.
    pub(crate) async fn send(
        &self,
        unit: usize,
        method: &str,
        path: &str,
        body: Option<Value>,
    ) -> (u16, Value) {
        let unit = self.unit(unit);
        let authority = reqwest::Certificate::from_pem(unit.ca_pem().as_bytes()).unwrap();
        let client = reqwest::Client::builder()
            .tls_certs_only([authority])
            .build()
            .unwrap();
        let url = format!("https://{}/mgmt/tm/{path}", unit.address());
        let request = client.request(method.parse().unwrap(), url);
        let request = request.basic_auth(USER, Some(self.devices.password()));
        let request = match body {
            Some(body) => request.json(&body),
            None => request,
        };
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        let body = response.bytes().await.unwrap();
        // An answer to DELETE has no body.
        (status, serde_json::from_slice(&body).unwrap_or_default())
    }
}
