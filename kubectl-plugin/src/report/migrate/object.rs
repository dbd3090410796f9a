//! The object that takes over: as short as it can be, so that a person sees all of it.

use bigip_tunnel_crds::v1alpha1::SecretRef;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use serde::Serialize;

use crate::cis::{Cis, place};

/// The Secret that is named where CIS has its login from elsewhere.
pub(super) const NEW_SECRET: &str = "bigip-login";
/// TCP port of iControl REST where none is named.
const PORT: u16 = 443;
/// Most letters in the name of a BIG-IP.
const LABEL_MAX: usize = 63;

/// A `BigIpTunnel` with nothing in it that is so by default, but that it only observes.
#[derive(Serialize, Debug)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Object {
    api_version: &'static str,
    kind: &'static str,
    pub(super) metadata: Metadata,
    pub(super) spec: Spec,
}

#[derive(Serialize, Debug)]
pub(super) struct Metadata {
    pub(super) name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) namespace: Option<String>,
}

#[derive(Serialize, Debug)]
#[serde(rename_all = "camelCase")]
pub(super) struct Spec {
    management_policy: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    credentials_secret_ref: Option<SecretRef>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tls: Option<Tls>,
    pub(super) devices: Vec<Device>,
    tunnel: Tunnel,
    #[serde(skip_serializing_if = "Option::is_none")]
    nodes: Option<Nodes>,
}

#[derive(Serialize, Debug)]
#[serde(rename_all = "camelCase")]
pub(super) struct Device {
    name: String,
    pub(super) address: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) port: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    credentials_secret_ref: Option<SecretRef>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tls: Option<Tls>,
}

#[derive(Serialize, Debug, Clone, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
struct Tls {
    ca_bundle_ref: Bundle,
}

#[derive(Serialize, Debug, Clone, PartialEq, Eq)]
struct Bundle {
    kind: &'static str,
    name: String,
}

#[derive(Serialize, Debug)]
struct Tunnel {
    partition: String,
    name: String,
}

#[derive(Serialize, Debug)]
#[serde(rename_all = "camelCase")]
struct Nodes {
    #[serde(skip_serializing_if = "Option::is_none")]
    selector: Option<LabelSelector>,
    #[serde(skip_serializing_if = "Option::is_none")]
    address_source: Option<AddressSource>,
}

#[derive(Serialize, Debug)]
struct AddressSource {
    #[serde(rename = "type")]
    kind: &'static str,
}

impl Object {
    /// The object that does what these do. What is the same for all BIG-IPs is said once.
    pub(super) fn new(name: String, into: Option<&str>, first: &Cis, group: &[Cis]) -> Self {
        let units = units(group);
        let is_same_login = units.iter().all(|cis| secret(cis) == secret(first));
        let is_same_tls = units.iter().all(|cis| tls(cis) == tls(first));
        let mut names = Vec::new();
        let devices = units.iter().map(|cis| {
            let name = unique(device_name(&cis.address), &names);
            names.push(name.clone());
            Device {
                name,
                address: cis.address.clone(),
                port: Some(cis.port).filter(|port| *port != PORT),
                credentials_secret_ref: (!is_same_login).then(|| secret(cis)),
                tls: tls(cis).filter(|_| !is_same_tls),
            }
        });
        let devices = devices.collect();
        let address_source = (!first.uses_internal).then_some(AddressSource { kind: "ExternalIP" });
        let has_nodes = first.selector.is_some() || address_source.is_some();
        Self {
            api_version: "bigip-tunnel.dev/v1alpha1",
            kind: "BigIpTunnel",
            metadata: Metadata {
                name,
                namespace: into
                    .map(str::to_owned)
                    .or_else(|| first.source.namespace.clone()),
            },
            spec: Spec {
                management_policy: "Observe",
                credentials_secret_ref: is_same_login.then(|| secret(first)),
                tls: tls(first).filter(|_| is_same_tls),
                devices,
                tunnel: Tunnel {
                    partition: first.partition.clone(),
                    name: first.tunnel.clone(),
                },
                nodes: has_nodes.then(|| Nodes {
                    selector: first.selector.clone(),
                    address_source,
                }),
            },
        }
    }

    /// ` -n NAMESPACE` for commands, if it is known.
    pub(super) fn place(&self) -> String {
        place(self.metadata.namespace.as_deref())
    }
}

/// One for each BIG-IP: two that write the same tunnel of one BIG-IP do the same work twice.
fn units(group: &[Cis]) -> Vec<&Cis> {
    let mut units: Vec<&Cis> = Vec::new();
    for cis in group {
        let is_known = |known: &&&Cis| {
            known.address.eq_ignore_ascii_case(&cis.address) && known.port == cis.port
        };
        if !units.iter().any(|known| is_known(&known)) {
            units.push(cis);
        }
    }
    units
}

fn secret(cis: &Cis) -> SecretRef {
    SecretRef {
        name: cis.login.secret().unwrap_or(NEW_SECRET).to_owned(),
    }
}

fn tls(cis: &Cis) -> Option<Tls> {
    let (_, name) = cis.trusted.as_ref()?;
    Some(Tls {
        ca_bundle_ref: Bundle {
            kind: "ConfigMap",
            name: name.clone(),
        },
    })
}

/// A name for a BIG-IP: the first part of its host name, or its address.
fn device_name(address: &str) -> String {
    if address.parse::<std::net::IpAddr>().is_ok() {
        return dns_label(&format!("bigip-{address}"));
    }
    dns_label(address.split('.').next().unwrap_or(address))
}

/// A text as a part of a DNS name. It holds a letter or a digit already.
pub(super) fn dns_label(text: &str) -> String {
    let letter = |c: char| {
        if c.is_ascii_alphanumeric() {
            c.to_ascii_lowercase()
        } else {
            '-'
        }
    };
    let label: String = text.chars().take(LABEL_MAX).map(letter).collect();
    label.trim_matches('-').to_owned()
}

/// The name, or the name with the first number that makes it one of its own.
pub(super) fn unique(name: String, taken: &[String]) -> String {
    let numbered = (2_u32..).map(|number| format!("{name}-{number}"));
    let mut names = std::iter::once(name.clone()).chain(numbered);
    let free = names.find(|name| !taken.contains(name));
    free.unwrap_or(name)
}
