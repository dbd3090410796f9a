//! What a user says about one BIG-IP: where it is, how to log in, how its certificate is verified.
//!
//! Doc comments are written for users, since they become the descriptions in the CRD. Must not know
//! how a value is carried out.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Secret in the namespace of this object. Its keys are `username`, `password` and, where the user
/// is not a local one, `loginProviderName` (default `tmos`). Its annotation
/// `bigip-tunnel.dev/allowed-addresses` (a comma list of `host` or `host:port`) names the addresses that the
/// password may be sent to; without it the operator does not log in, unless it runs with
/// `--require-secret-binding=false`.
#[derive(JsonSchema, Serialize, Deserialize, Debug, Clone, PartialEq, Eq)]
#[schemars(extend("x-kubernetes-map-type" = "atomic"))]
pub struct SecretRef {
    /// Name of the Secret.
    #[schemars(
        length(min = 1, max = 253),
        regex(pattern = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")
    )]
    pub name: String,
}

/// One BIG-IP.
#[derive(KubeSchema, Serialize, Deserialize, Debug, Clone, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Device {
    /// Short name of the BIG-IP, used in status and metrics.
    #[schemars(
        length(min = 1, max = 63),
        regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")
    )]
    // The annotation `release` names a BIG-IP, or says `true` for the whole object.
    #[x_kube(
        validation = Rule::new("self != 'true'")
            .message("a BIG-IP cannot be called true: the release annotation says so of the whole object")
    )]
    pub name: String,

    /// Host name or IP address of the unit's iControl REST: its management address, or a
    /// non-floating self IP that allows the port. No scheme, path or port.
    #[schemars(
        length(min = 1, max = 253),
        regex(pattern = r"^[A-Za-z0-9:]([A-Za-z0-9.:-]*[A-Za-z0-9:])?$")
    )]
    #[x_kube(
        validation = Rule::new("!self.contains(':') || isIP(self)")
            .message("must be a host name or an IP address, without a port")
    )]
    pub address: String,

    /// TCP port of iControl REST.
    #[serde(default = "default_port")]
    #[schemars(range(min = 1, max = 65535))]
    pub port: i32,

    /// Secret with the login for this BIG-IP, instead of the one of the spec.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials_secret_ref: Option<SecretRef>,

    /// How this BIG-IP's certificate is verified, instead of what the spec says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<Tls>,
}

fn default_port() -> i32 {
    443
}

/// How a certificate is verified.
#[derive(KubeSchema, Serialize, Deserialize, Debug, Clone, PartialEq, Eq, Default)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("(self.verification == 'Pinned') == (has(self.sha256Fingerprints) && self.sha256Fingerprints.size() > 0)")
        .message("sha256Fingerprints are set with verification Pinned, and only with it"),
    validation = Rule::new("self.verification != 'CAOnly' || has(self.caBundleRef)")
        .message("verification CAOnly needs caBundleRef"),
)]
pub struct Tls {
    /// What of the certificate is verified. `Full`: chain, time and name. `CAOnly`: chain and time, for
    /// a certificate without a name, as a BIG-IP makes it for itself. `Pinned`: the certificate itself, by
    /// its fingerprint. `None`: nothing, the password is sent to any host that answers; refused unless the
    /// operator runs with `--allow-insecure-tls`.
    #[serde(default)]
    pub verification: TlsVerification,

    /// Certificates to trust instead of the system's certificate authorities: those of the authorities
    /// that issued the BIG-IPs' certificates, or these certificates themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_bundle_ref: Option<CaBundleRef>,

    /// Name expected in the certificate, where it is not the address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub server_name: Option<String>,

    /// SHA-256 fingerprints of certificates to accept, as OpenSSL prints them or without colons. More
    /// than one while a certificate is exchanged.
    #[serde(
        default,
        rename = "sha256Fingerprints",
        skip_serializing_if = "Vec::is_empty"
    )]
    #[schemars(
        length(max = 4),
        inner(length(max = 95), regex(pattern = "^[0-9A-Fa-f]{2}(:?[0-9A-Fa-f]{2}){31}$")),
        extend("x-kubernetes-list-type" = "atomic")
    )]
    pub sha256_fingerprints: Vec<String>,
}

/// What of a certificate is verified.
#[derive(JsonSchema, Serialize, Deserialize, Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum TlsVerification {
    /// Chain, time and name.
    #[default]
    Full,
    /// Chain and time.
    #[serde(rename = "CAOnly")]
    CaOnly,
    /// The certificate itself.
    Pinned,
    /// Nothing.
    None,
}

/// ConfigMap or Secret in the namespace of this object that holds certificates in PEM form.
#[derive(JsonSchema, Serialize, Deserialize, Debug, Clone, PartialEq, Eq)]
#[schemars(extend("x-kubernetes-map-type" = "atomic"))]
pub struct CaBundleRef {
    /// Kind of the object.
    pub kind: BundleKind,

    /// Name of the object.
    #[schemars(
        length(min = 1, max = 253),
        regex(pattern = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")
    )]
    pub name: String,

    /// Key under which the certificates are.
    #[serde(default = "default_bundle_key")]
    #[schemars(length(min = 1, max = 253))]
    pub key: String,
}

fn default_bundle_key() -> String {
    "ca.crt".into()
}

/// Kind of the object that holds a CA bundle.
#[derive(JsonSchema, Serialize, Deserialize, Debug, Clone, Copy, PartialEq, Eq)]
pub enum BundleKind {
    /// A ConfigMap.
    ConfigMap,
    /// A Secret.
    Secret,
}
