//! Two simulated units in pods, behind the addresses that the page names, and what they hold.
//!
//! Records are asked for as any client would, by way of the API server, so that the product does not judge itself.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use http::{Method, Request};
use serde_json::{Value, json};

use super::text;
use crate::Failure;
use crate::cluster::Cluster;

/// Where they run.
pub(super) const NAMESPACE: &str = "bigip-units";
/// The first and the second of them.
pub(super) const FIRST: &str = "bigip-a";
pub(super) const SECOND: &str = "bigip-b";
/// Their names, and the addresses that the page gives them.
const UNITS: [(&str, &str); 2] = [(FIRST, "192.0.2.11"), (SECOND, "192.0.2.12")];
/// Clusters that restrict pods elsewhere let these two have their rights.
const PRIVILEGED: &str = "pod-security.kubernetes.io/enforce=privileged";
/// The user on the page.
const USER: &str = "fdb-operator";
const RECORDS: &str = "tm/net/fdb/tunnel/~Common~flannel_vxlan/records";
/// Full path of the tunnel.
const TUNNEL: &str = "/Common/flannel_vxlan";
/// A node whose record is removed while other steps go on, whenever its time has come: that is no write of theirs.
pub(super) const LEAVING: Ipv4Addr = Ipv4Addr::new(10, 169, 72, 239);
/// What is asked for a ping, which changes nothing.
const PING: &str = "/mgmt/tm/util/ping";
/// What is asked to save the configuration.
const SAVING: &str = "/mgmt/tm/sys/config";
/// More than one record for each node that there ever is, so that an answer is whole.
const MANY: usize = 20_000;

/// The units.
pub(super) struct Units<'a> {
    cluster: &'a Cluster,
    initial_password: String,
    authorities: String,
    /// Ours, by unit: one lasts longer than the body, and a unit has 100 for a user.
    tokens: BTreeMap<&'static str, String>,
}

impl<'a> Units<'a> {
    /// Starts them, waits until they answer, and gives them what carries packets: their address in the underlay, and a
    /// route into the tunnel for the network of all pods.
    pub(super) fn start(cluster: &'a Cluster, image: &str, pods: &str) -> Result<Self, Failure> {
        let initial_password = new_password();
        cluster.kubectl(&["create", "namespace", NAMESPACE])?;
        cluster.kubectl(&["label", "namespace", NAMESPACE, PRIVILEGED])?;
        cluster.apply(&secret(&initial_password).to_string())?;
        for (place, (name, address)) in UNITS.into_iter().enumerate() {
            cluster.apply(&pod(name, address, place, image).to_string())?;
            cluster.apply(&service(name, address).to_string())?;
        }
        for (name, _) in UNITS {
            let pod = format!("pod/{name}");
            cluster.kubectl(&[
                "wait",
                &pod,
                "--namespace",
                NAMESPACE,
                "--for=condition=Ready",
                "--timeout=120s",
            ])?;
        }
        let mut units = Self {
            cluster,
            initial_password,
            authorities: String::new(),
            tokens: BTreeMap::new(),
        };
        for (name, _) in UNITS {
            let log = units.log(name)?;
            let announced = log
                .lines()
                .find_map(|line| serde_json::from_str::<Value>(line).ok());
            let missing = || Failure::Failed(format!("{name} names no authority"));
            units.authorities += text(&announced.ok_or_else(missing)?, "/ca");
            units.tokens.insert(name, units.log_in(name)?);
            units.give_network(name, pods)?;
        }
        Ok(units)
    }

    /// As a user does that makes a unit ready for its tunnel.
    fn give_network(&self, unit: &str, pods: &str) -> Result<(), Failure> {
        let pod = self.cluster.get(&["pod", unit, "--namespace", NAMESPACE])?;
        let address = format!("{}/24", text(&pod, "/status/podIP"));
        for (path, body) in [
            ("tm/net/vlan", json!({"name": "underlay"})),
            (
                "tm/net/self",
                json!({"name": "underlay-self", "address": address, "vlan": "/Common/underlay"}),
            ),
            (
                "tm/net/route",
                json!({"name": "pods", "network": pods, "tmInterface": TUNNEL}),
            ),
        ] {
            let token = self.tokens.get(unit).map(String::as_str);
            let body = body.to_string().into_bytes();
            self.ask(unit, Method::POST, path, token, body)?;
        }
        Ok(())
    }

    /// The password that the user has until it is rotated.
    pub(super) fn initial_password(&self) -> &str {
        &self.initial_password
    }

    /// Sets a new password on every unit. Returns it.
    pub(super) fn rotate_password(&self) -> Result<String, Failure> {
        let password = new_password();
        let body = json!({"password": password}).to_string();
        for (name, _) in UNITS {
            let token = self.tokens.get(name).map(String::as_str);
            let path = format!("tm/auth/user/{USER}");
            let body = body.clone().into_bytes();
            self.ask(name, Method::PATCH, &path, token, body)?;
        }
        Ok(password)
    }

    /// The certificates of those who signed the units' own.
    pub(super) fn authorities(&self) -> &str {
        &self.authorities
    }

    /// Every request so far that changes the configuration of a unit, one a line. Saving it is left out: it comes
    /// minutes after the change that it is for, whatever happens meanwhile.
    pub(super) fn writes(&self) -> Result<Vec<String>, Failure> {
        self.requests(is_write)
    }

    /// How many logins the units have refused so far.
    pub(super) fn refused_logins(&self) -> Result<usize, Failure> {
        let is_refused = |line: &&str| line.contains("/authn/login\" status=401");
        let count = |name| Ok(self.log(name)?.lines().filter(is_refused).count());
        UNITS.into_iter().map(|(name, _)| count(name)).sum()
    }

    /// Whether each unit holds the record of every node, and nothing else. Worked out here, not by the product.
    pub(super) fn hold_the_records_of_all_nodes(&self) -> Result<bool, Failure> {
        let wanted = self.wanted()?;
        for (name, _) in UNITS {
            if self.records(name)? != wanted {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether each unit has the record with this MAC address.
    pub(super) fn all_have(&self, mac: &str) -> Result<bool, Failure> {
        for (name, _) in UNITS {
            let records = self.records(name)?;
            if !records.iter().any(|record| record.starts_with(mac)) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Takes a record from a unit, as a person at its console would.
    pub(super) fn remove_record(&self, unit: &str, mac: &str) -> Result<(), Failure> {
        let token = self.tokens.get(unit).map(String::as_str);
        let path = format!("{RECORDS}/{mac}");
        self.send(unit, Method::DELETE, &path, token, Vec::new())
            .map(drop)
    }

    /// Whether an address answers a ping from the self IP of a unit.
    pub(super) fn ping(&self, unit: &str, address: Ipv4Addr) -> Result<bool, Failure> {
        let place = UNITS.iter().position(|(name, _)| *name == unit);
        let source = self_ip(place.unwrap_or_default());
        let args = format!("-n -c 1 -W 1 -w 2 -I {source} {address}");
        let body = json!({"command": "run", "utilCmdArgs": args});
        let token = self.tokens.get(unit).map(String::as_str);
        let body = body.to_string().into_bytes();
        let answer = self.ask(unit, Method::POST, "tm/util/ping", token, body)?;
        Ok(text(&answer, "/commandResult").contains(" 1 received, "))
    }

    /// Whether no unit holds a record.
    pub(super) fn are_empty(&self) -> Result<bool, Failure> {
        for (name, _) in UNITS {
            if !self.records(name)?.is_empty() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn wanted(&self) -> Result<BTreeSet<String>, Failure> {
        // Not by kubectl, which takes seconds for thousands of them.
        let request = Request::get("/api/v1/nodes").body(Vec::new());
        let request = request.map_err(|error| Failure::failed("ask for the nodes", error))?;
        let nodes: Value = serde_json::from_str(&self.cluster.request(request)?)
            .map_err(|error| Failure::failed("read JSON", error))?;
        let nodes = nodes
            .get("items")
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default();
        let addresses = nodes.iter().filter_map(|node| {
            let addresses = node.pointer("/status/addresses")?.as_array()?;
            let mut internal = addresses
                .iter()
                .filter(|one| text(one, "/type") == "InternalIP");
            internal.find_map(|one| text(one, "/address").parse::<Ipv4Addr>().ok())
        });
        Ok(addresses.map(record).collect())
    }

    fn records(&self, unit: &str) -> Result<BTreeSet<String>, Failure> {
        let token = self.tokens.get(unit).map(String::as_str);
        let path = format!("{RECORDS}?$top={MANY}");
        let answer = self.ask(unit, Method::GET, &path, token, Vec::new())?;
        let items = answer
            .get("items")
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default();
        let record = |item: &Value| format!("{} {}", text(item, "/name"), text(item, "/endpoint"));
        Ok(items.iter().map(record).collect())
    }

    fn log_in(&self, unit: &str) -> Result<String, Failure> {
        let login = json!({"username": USER, "password": self.initial_password, "loginProviderName": "tmos"});
        let body = login.to_string().into_bytes();
        let answer = self.ask(unit, Method::POST, "shared/authn/login", None, body)?;
        Ok(text(&answer, "/token/token").to_owned())
    }

    fn ask(
        &self,
        unit: &str,
        method: Method,
        path: &str,
        token: Option<&str>,
        body: Vec<u8>,
    ) -> Result<Value, Failure> {
        let answer = self.send(unit, method, path, token, body)?;
        serde_json::from_str(&answer)
            .map_err(|error| Failure::failed("read a unit's answer", error))
    }

    fn send(
        &self,
        unit: &str,
        method: Method,
        path: &str,
        token: Option<&str>,
        body: Vec<u8>,
    ) -> Result<String, Failure> {
        let uri =
            format!("/api/v1/namespaces/{NAMESPACE}/pods/https:{unit}:8443/proxy/mgmt/{path}");
        let mut request = Request::builder()
            .method(method)
            .uri(uri)
            .header("Content-Type", "application/json");
        if let Some(token) = token {
            request = request.header("X-F5-Auth-Token", token);
        }
        let request = request
            .body(body)
            .map_err(|error| Failure::failed("ask a unit", error))?;
        self.cluster.request(request)
    }

    /// The requests of this kind in the logs of the units, the first unit's first.
    fn requests(&self, is_counted: impl Fn(&str, &str) -> bool) -> Result<Vec<String>, Failure> {
        let mut found = Vec::new();
        for (name, _) in UNITS {
            for line in self.log(name)?.lines() {
                let method = field(line, "method=");
                let path = field(line, "path=").trim_matches('"');
                if !method.is_empty() && is_counted(method, path) {
                    found.push(format!("{name} {method} {path}"));
                }
            }
        }
        Ok(found)
    }

    fn log(&self, unit: &str) -> Result<String, Failure> {
        self.cluster
            .kubectl(&["logs", unit, "--namespace", NAMESPACE])
    }
}

fn new_password() -> String {
    format!("{:016x}", fastrand::u64(..))
}

fn is_write(method: &str, path: &str) -> bool {
    let is_change = !matches!(method, "GET" | "HEAD") && path.starts_with("/mgmt/tm/");
    let is_removal = method == "DELETE" && path.ends_with(&record_mac(LEAVING));
    is_change && !is_removal && path != SAVING && path != PING
}

/// The word behind a name in a line of the log.
fn field<'a>(line: &'a str, name: &str) -> &'a str {
    let rest = line.split_once(name).map_or("", |(_, rest)| rest);
    rest.split(' ').next().unwrap_or_default()
}

fn record(address: Ipv4Addr) -> String {
    format!("{} {address}%0", record_mac(address))
}

/// The MAC address of the record of a node with this address.
pub(super) fn record_mac(address: Ipv4Addr) -> String {
    let [a, b, c, d] = address.octets();
    format!("0a:0a:{a:02x}:{b:02x}:{c:02x}:{d:02x}")
}

/// The self IP of a unit on its tunnel: each one has a network of its own.
pub(super) fn self_ip(place: usize) -> String {
    format!("10.1.{}.34", 6 + place)
}

fn secret(password: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "password", "namespace": NAMESPACE},
        "stringData": {"password": password},
    })
}

/// A unit. Its tunnels are devices of the pod's network, which takes two rights of root and no other.
fn pod(name: &str, address: &str, place: usize, image: &str) -> Value {
    let args = [
        "--listen=0.0.0.0:8443".to_owned(),
        format!("--management-ip={address}"),
        format!("--hostname={name}.example.com"),
        format!("--base-mac=00:94:a1:00:0{place}:00"),
        format!("--user={USER}"),
        "--password-file=/login/password".to_owned(),
        "--tunnel=/Common/flannel_vxlan".to_owned(),
        "--dataplane=in-place".to_owned(),
        "--local-address=$(POD_IP)".to_owned(),
        format!("--self-ip={}/24", self_ip(place)),
        "--log".to_owned(),
    ];
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": NAMESPACE, "labels": {"unit": name}},
        "spec": {
            "automountServiceAccountToken": false,
            "securityContext": {"runAsUser": 0, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [{
                "name": "bigip-sim", "image": image, "imagePullPolicy": "IfNotPresent", "args": args,
                "env": [{"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}],
                "readinessProbe": {"tcpSocket": {"port": 8443}, "periodSeconds": 1},
                "volumeMounts": [{"name": "login", "mountPath": "/login", "readOnly": true}],
                "securityContext": {
                    "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true,
                    "capabilities": {"drop": ["ALL"], "add": ["NET_ADMIN", "NET_RAW"]},
                },
            }],
            "volumes": [{"name": "login", "secret": {"secretName": "password"}}],
        },
    })
}

/// Behind the address that the page names: one of documentation, which the cluster sends to the pod.
fn service(name: &str, address: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {
            "selector": {"unit": name}, "externalIPs": [address],
            // A unit does not go when the cluster takes its own node for lost.
            "publishNotReadyAddresses": true,
            "ports": [{"port": 443, "targetPort": 8443}],
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = "2026-01-01T00:00:00Z  INFO bigip_sim::server::connection: request method=POST \
                        path=\"/mgmt/tm/sys/config\" status=200 delivery=Whole";

    #[test]
    fn method_and_path_are_read_from_the_log() {
        assert_eq!(field(LINE, "method="), "POST");
        assert_eq!(field(LINE, "path="), "\"/mgmt/tm/sys/config\"");
        assert_eq!(field("TLS handshake failed", "method="), "");
    }

    #[test]
    fn changes_count_as_writes_and_saving_does_not() {
        assert!(is_write(
            "POST",
            "/mgmt/tm/net/fdb/tunnel/~Common~flannel_vxlan/records"
        ));
        assert!(is_write(
            "DELETE",
            "/mgmt/tm/net/fdb/tunnel/~Common~flannel_vxlan/records/~x"
        ));
        assert!(!is_write(
            "GET",
            "/mgmt/tm/net/fdb/tunnel/~Common~flannel_vxlan/records"
        ));
        assert!(!is_write("POST", "/mgmt/shared/authn/login"));
        assert!(!is_write("POST", SAVING));
        assert!(!is_write("POST", PING));
    }

    #[test]
    fn removal_of_the_leaving_node_alone_is_no_write() {
        let record = |mac: &str| format!("/mgmt/{RECORDS}/{mac}");
        let leaving = record(&record_mac(LEAVING));
        assert!(!is_write("DELETE", &leaving));
        assert!(is_write("PATCH", &leaving));
        let other = record_mac(Ipv4Addr::new(10, 169, 72, 230));
        assert!(is_write("DELETE", &record(&other)));
    }

    #[test]
    fn record_of_a_node_is_made_of_its_address() {
        let wanted = "0a:0a:0a:a9:48:ef 10.169.72.239%0";
        assert_eq!(record(Ipv4Addr::new(10, 169, 72, 239)), wanted);
    }
}
