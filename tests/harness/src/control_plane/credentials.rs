//! Keys, certificate, token and kubeconfig of a control plane that lives for one run.
//!
//! It must not know how the API server is started.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use k8s_openapi::ByteString;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose,
};
use serde_json::json;

use super::ControlPlaneError;

/// Files of the credentials, and what a kubeconfig needs of them.
pub(super) struct Credentials {
    /// Certificate of the API server for the loopback address.
    pub(super) certificate: PathBuf,
    /// Its key.
    pub(super) key: PathBuf,
    /// Key that signs the tokens of service accounts.
    pub(super) account_key: PathBuf,
    /// The public half of it.
    pub(super) account_public_key: PathBuf,
    /// The static tokens.
    pub(super) tokens: PathBuf,
    token: String,
    ca_pem: String,
}

impl Credentials {
    /// Makes new ones and writes their files into `folder`.
    pub(super) fn create(folder: &Path) -> Result<Self, ControlPlaneError> {
        let ca_key = KeyPair::generate()?;
        let ca = CertifiedIssuer::self_signed(authority(), ca_key)?;
        let key = KeyPair::generate()?;
        let certificate = server().and_then(|params| params.signed_by(&key, &ca))?;
        let account = KeyPair::generate()?;
        let token = random_token();
        let write = |name: &str, text: &str| {
            write_private(&folder.join(name), text).map_err(|source| ControlPlaneError::System {
                action: "write the credentials of the control plane",
                source,
            })
        };
        Ok(Self {
            certificate: write("server.crt", &certificate.pem())?,
            key: write("server.key", &key.serialize_pem())?,
            account_key: write("accounts.key", &account.serialize_pem())?,
            account_public_key: write("accounts.pub", &account.public_key_pem())?,
            tokens: write(
                "tokens.csv",
                &format!("{token},admin,admin,\"system:masters\"\n"),
            )?,
            token,
            ca_pem: ca.pem(),
        })
    }

    /// Writes a kubeconfig that needs no other file.
    pub(super) fn write_kubeconfig(&self, folder: &Path, server: &str) -> io::Result<PathBuf> {
        let name = "bigip-tunnel";
        let kubeconfig = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": name, "cluster": {
                "server": server,
                "certificate-authority-data": ByteString(self.ca_pem.clone().into_bytes()),
            }}],
            "users": [{"name": name, "user": {"token": self.token}}],
            "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
            "current-context": name,
        });
        write_private(&folder.join("kubeconfig"), &format!("{kubeconfig:#}\n"))
    }
}

fn authority() -> CertificateParams {
    let mut params = CertificateParams::default();
    params
        .distinguished_name
        .push(DnType::CommonName, "bigip-tunnel control plane");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn server() -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(["127.0.0.1".to_owned(), "localhost".to_owned()])?;
    params
        .distinguished_name
        .push(DnType::CommonName, "kube-apiserver");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    Ok(params)
}

/// Anybody on the machine can reach the port, so the token is a secret.
fn random_token() -> String {
    let mut bytes = [0; 16];
    // The generator fails only where the system has no randomness; certificates fail there too.
    let _ = aws_lc_rs::rand::fill(&mut bytes);
    format!("{:032x}", u128::from_be_bytes(bytes))
}

fn write_private(path: &Path, text: &str) -> io::Result<PathBuf> {
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(text.as_bytes())?;
    Ok(path.to_owned())
}
