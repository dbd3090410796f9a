//! What the `control-plane` program does: starts etcd and kube-apiserver on loopback ports of
//! their own, installs the custom resource, and ends both together with their files.
//!
//! It must not know who uses the API server.

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bigip_tunnel_crds::CRD_YAML;
use http::Request;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::PostParams;
use kube::runtime::wait::{await_condition, conditions};
use kube::{Api, Client};
use tempfile::TempDir;
use tokio::time::{sleep, timeout};

use super::credentials::Credentials;
use super::{Announcement, ControlPlaneError, client};
use crate::binaries::Binaries;
use crate::supervise::{Process, Supervised, own_folder};

/// How long the API server may take; usual are 6 s on two idle cores.
const READY_TIMEOUT: Duration = Duration::from_secs(120);
/// How often it is asked.
const READY_INTERVAL: Duration = Duration::from_millis(100);
/// How long the API server may take to serve the custom resource.
const CRD_TIMEOUT: Duration = Duration::from_secs(30);
/// A free port can be taken by somebody else before it is used; then others are tried.
const ATTEMPTS: usize = 3;
/// Lines of a program's output that go into an error.
const ERROR_LINES: usize = 5;

/// etcd and kube-apiserver, ready to be used. Both end when this value goes.
#[derive(Debug)]
pub struct Server {
    /// How to reach it.
    pub announcement: Announcement,
    etcd: Process,
    kube_apiserver: Process,
    folder: TempDir,
}

impl Server {
    /// Starts it and waits until the `BigIpTunnel` resource is served. `supervisor` is the
    /// `control-plane` program.
    pub async fn start(supervisor: &Path, binaries: &Binaries) -> Result<Self, ControlPlaneError> {
        let mut attempt = 1;
        loop {
            let server = Self::spawn(supervisor, binaries)?;
            match server.until_ready().await {
                Ok(client) => {
                    install_crd(client).await?;
                    return Ok(server);
                }
                Err(ControlPlaneError::Ended { .. }) if attempt < ATTEMPTS => attempt += 1,
                Err(error) => return Err(error),
            }
        }
    }

    /// Waits until one of the programs ends by itself, which is an error.
    pub async fn failed(&self) -> ControlPlaneError {
        tokio::select! {
            _ = self.etcd.wait() => {}
            _ = self.kube_apiserver.wait() => {}
        }
        self.ended().unwrap_or(ControlPlaneError::NotStarted)
    }

    /// Ends both programs and waits until their files are gone.
    pub async fn stop(self) {
        self.kube_apiserver.kill();
        self.etcd.kill();
        self.kube_apiserver.wait().await;
        self.etcd.wait().await;
        // The supervisors removed it, unless one of them was killed.
        drop(self.folder);
    }

    fn spawn(supervisor: &Path, binaries: &Binaries) -> Result<Self, ControlPlaneError> {
        let system = |action| move |source| ControlPlaneError::System { action, source };
        let folder = tempfile::Builder::new()
            .prefix("bigip-tunnel-control-plane-")
            .tempdir()
            .map_err(system("make a temporary folder"))?;
        let own = |name| own_folder(folder.path(), name).map_err(system("make a temporary folder"));
        let (etcd_folder, api_folder) = (own("etcd")?, own("kube-apiserver")?);
        let (etcd_port, api_port) = free_ports().map_err(system("find free ports"))?;
        let (etcd_url, server) = (
            format!("http://127.0.0.1:{etcd_port}"),
            format!("https://127.0.0.1:{api_port}"),
        );
        let credentials = Credentials::create(&api_folder)?;
        let kubeconfig = credentials
            .write_kubeconfig(&api_folder, &server)
            .map_err(system("write the kubeconfig"))?;
        let etcd = etcd(supervisor, binaries, &etcd_url, &etcd_folder.join("data"))
            .remove_afterwards(&etcd_folder)
            .spawn(|_| {})
            .map_err(system("start etcd"))?;
        let kube_apiserver =
            kube_apiserver(supervisor, binaries, &credentials, &etcd_url, api_port)
                .remove_afterwards(&api_folder)
                .spawn(|_| {})
                .map_err(system("start kube-apiserver"))?;
        let announcement = Announcement {
            kubeconfig,
            server,
            source: binaries.source.to_string(),
        };
        Ok(Self {
            announcement,
            etcd,
            kube_apiserver,
            folder,
        })
    }

    async fn until_ready(&self) -> Result<Client, ControlPlaneError> {
        let client = client(&self.announcement.kubeconfig).await?;
        let deadline = Instant::now() + READY_TIMEOUT;
        loop {
            if let Some(error) = self.ended() {
                return Err(error);
            }
            let last = match get(&client, "/readyz").await {
                Ok(_) => return Ok(client),
                Err(error) => error.to_string(),
            };
            if Instant::now() >= deadline {
                let (seconds, log) = (READY_TIMEOUT.as_secs(), tail(&self.kube_apiserver));
                return Err(ControlPlaneError::NotReady { seconds, last, log });
            }
            sleep(READY_INTERVAL).await;
        }
    }

    /// Which program has ended, etcd first: the API server does not survive it.
    fn ended(&self) -> Option<ControlPlaneError> {
        [
            ("etcd", &self.etcd),
            ("kube-apiserver", &self.kube_apiserver),
        ]
        .into_iter()
        .find_map(|(program, process)| {
            let exit = process.exited()?;
            Some(ControlPlaneError::Ended {
                program,
                exit,
                log: tail(process),
            })
        })
    }
}

fn etcd(supervisor: &Path, binaries: &Binaries, url: &str, data: &Path) -> Supervised {
    Supervised::new(supervisor, &binaries.etcd)
        .arg("--data-dir")
        .arg(data)
        .arg(format!("--listen-client-urls={url}"))
        .arg(format!("--advertise-client-urls={url}"))
        // A single member never dials itself: any free port does.
        .arg("--listen-peer-urls=http://127.0.0.1:0")
        // Nothing of it has to survive a crash of the machine.
        .arg("--unsafe-no-fsync=true")
        .arg("--log-level=warn")
}

fn kube_apiserver(
    supervisor: &Path,
    binaries: &Binaries,
    credentials: &Credentials,
    etcd_url: &str,
    port: u16,
) -> Supervised {
    let file = |flag: &str, path: &PathBuf| format!("--{flag}={}", path.display());
    Supervised::new(supervisor, &binaries.kube_apiserver)
        .arg(format!("--etcd-servers={etcd_url}"))
        .arg("--bind-address=127.0.0.1")
        .arg("--advertise-address=127.0.0.1")
        .arg(format!("--secure-port={port}"))
        .arg(file("tls-cert-file", &credentials.certificate))
        .arg(file("tls-private-key-file", &credentials.key))
        .arg("--service-account-issuer=https://kubernetes.default.svc")
        .arg(file(
            "service-account-key-file",
            &credentials.account_public_key,
        ))
        .arg(file(
            "service-account-signing-key-file",
            &credentials.account_key,
        ))
        .arg(file("token-auth-file", &credentials.tokens))
        .arg("--authorization-mode=RBAC")
        .arg("--service-cluster-ip-range=10.0.0.0/24")
        // No controller makes service accounts here.
        .arg("--disable-admission-plugins=ServiceAccount")
}

/// Two different free ports: both are held until both are known.
fn free_ports() -> io::Result<(u16, u16)> {
    let listen = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    let (first, second) = (listen()?, listen()?);
    Ok((first.local_addr()?.port(), second.local_addr()?.port()))
}

async fn install_crd(client: Client) -> Result<(), ControlPlaneError> {
    let refused = |error: &dyn std::fmt::Display| ControlPlaneError::Crd(error.to_string());
    let crd: CustomResourceDefinition =
        serde_saphyr::from_str(CRD_YAML).map_err(|error| refused(&error))?;
    let crds: Api<CustomResourceDefinition> = Api::all(client.clone());
    let created = crds
        .create(&PostParams::default(), &crd)
        .await
        .map_err(|error| refused(&error))?;
    let name = created.metadata.name.unwrap_or_default();
    let established = async {
        await_condition(crds, &name, conditions::is_crd_established())
            .await
            .map_err(|error| refused(&error))?;
        // The condition comes a moment before the resource is served.
        let spec = &created.spec;
        for version in spec.versions.iter().filter(|version| version.served) {
            let path = format!(
                "/apis/{}/{}/{}",
                spec.group, version.name, spec.names.plural
            );
            while get(&client, &path).await.is_err() {
                sleep(READY_INTERVAL).await;
            }
        }
        Ok(())
    };
    timeout(CRD_TIMEOUT, established)
        .await
        .unwrap_or_else(|_| Err(refused(&format!("not after {} s", CRD_TIMEOUT.as_secs()))))
}

async fn get(client: &Client, path: &str) -> Result<String, kube::Error> {
    let request = Request::get(path)
        .body(Vec::new())
        .map_err(kube::Error::HttpError)?;
    client.request_text(request).await
}

fn tail(process: &Process) -> String {
    let lines = process.log();
    let from = lines.len().saturating_sub(ERROR_LINES);
    lines.get(from..).unwrap_or_default().join(" / ")
}
