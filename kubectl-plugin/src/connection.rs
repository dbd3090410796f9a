//! kubectl's connection flags: how to reach the cluster, with the names and meanings they have there.
//!
//! All that `kubectl options` lists about the connection, but for `--cache-dir`: what kubectl keeps
//! there, the answers to discovery, is never asked for here.
//!
//! kubectl takes no flag before the name of a plugin, so the plugin has to take all of them itself.
//! Knows nothing of what is asked of the cluster.

mod access;
mod identity;

use std::env;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use http::Uri;
use jiff::SignedDuration;
use kube::Config;
use kube::config::{KubeConfigOptions, Kubeconfig, KubeconfigError};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

pub(crate) use self::access::Access;
use crate::cli::completion::Completes;
use crate::error::Error;

/// What a file with a certificate or a key has to be.
const PEM_NEEDED: &str = "a file in PEM form is needed";

/// How to reach the cluster, as typed.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Connection")]
pub(crate) struct Connection {
    /// Path of the kubeconfig file
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) kubeconfig: Option<PathBuf>,

    /// Context of the kubeconfig
    #[arg(long, global = true, value_name = "NAME", add = Completes::Contexts)]
    pub(crate) context: Option<String>,

    /// Cluster of the kubeconfig
    #[arg(long, global = true, value_name = "NAME", add = Completes::Clusters)]
    pub(crate) cluster: Option<String>,

    /// User of the kubeconfig
    #[arg(long, global = true, value_name = "NAME", add = Completes::Users)]
    pub(crate) user: Option<String>,

    /// Namespace; without it, the one of the context
    #[arg(short, long, global = true, value_name = "NAME", add = Completes::Namespaces)]
    pub(crate) namespace: Option<String>,

    /// Look into all namespaces
    #[arg(short = 'A', long, global = true, conflicts_with = "namespace")]
    pub(crate) all_namespaces: bool,

    /// User to act as
    #[arg(long = "as", global = true, value_name = "USER")]
    pub(crate) impersonate: Option<String>,

    /// Group to act as; can be given several times
    #[arg(long = "as-group", global = true, value_name = "GROUP")]
    pub(crate) impersonate_groups: Vec<String>,

    /// UID to act as
    #[arg(long = "as-uid", global = true, value_name = "UID")]
    pub(crate) impersonate_uid: Option<String>,

    /// Extra of the user to act as; can be given several times
    #[arg(
        long = "as-user-extra",
        global = true,
        value_name = "KEY=VALUE",
        value_parser = parse_extra
    )]
    pub(crate) impersonate_extra: Vec<(String, String)>,

    /// Address of the Kubernetes API server
    #[arg(short, long, global = true, value_name = "URL")]
    pub(crate) server: Option<Uri>,

    /// Bearer token for the API server
    #[arg(long, global = true, value_name = "TOKEN")]
    pub(crate) token: Option<String>,

    /// Name for basic authentication; the API server itself takes none, a proxy before it may
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) username: Option<String>,

    /// Password for basic authentication
    #[arg(long, global = true, value_name = "PASSWORD")]
    pub(crate) password: Option<String>,

    /// File with the client certificate to log in with
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) client_certificate: Option<PathBuf>,

    /// File with the key of the client certificate
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) client_key: Option<PathBuf>,

    /// File with the certificates to verify the API server by
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) certificate_authority: Option<PathBuf>,

    /// Do not verify the API server's certificate
    #[arg(long, global = true)]
    pub(crate) insecure_skip_tls_verify: bool,

    /// Name expected in the API server's certificate, if it is not the address
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) tls_server_name: Option<String>,

    /// Ask the API server not to compress its answers
    #[arg(long, global = true)]
    pub(crate) disable_compression: bool,

    /// Longest wait for one request, such as 1s, 2m or 3h; 0 for no limit
    #[arg(
        long,
        global = true,
        value_name = "TIME",
        default_value = "0",
        value_parser = parse_timeout
    )]
    pub(crate) request_timeout: RequestTimeout,
}

/// The longest wait for one request; `None` for no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct RequestTimeout(pub(crate) Option<Duration>);

/// Reads kubectl's form: a number with a unit, or a number of seconds.
pub(crate) fn parse_timeout(text: &str) -> Result<RequestTimeout, String> {
    let refused = || "a number of seconds, or a time such as 1s, 2m or 3h".to_owned();
    let time = match text.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => text
            .parse::<SignedDuration>()
            .ok()
            .and_then(|time| Duration::try_from(time).ok())
            .ok_or_else(refused)?,
    };
    Ok(RequestTimeout((!time.is_zero()).then_some(time)))
}

/// Reads `KEY=VALUE`; the value may be empty.
fn parse_extra(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("KEY=VALUE is needed".to_owned()),
    }
}

/// How the client reaches a cluster, and how messages name that.
pub(crate) struct Reached {
    /// The configuration of the client.
    pub(crate) config: Config,
    /// The cluster and its login, without secrets.
    pub(crate) access: Access,
}

impl Connection {
    /// Whoever names a tunnel means one namespace. The parser cannot refuse this: the flag is global.
    pub(crate) fn must_be_one_namespace(&self) -> Result<(), Error> {
        if self.all_namespaces {
            Err(Error::NameInAllNamespaces)
        } else {
            Ok(())
        }
    }

    /// The kubeconfig. `None` when there is none.
    pub(crate) fn kubeconfig(&self) -> Result<Option<Kubeconfig>, Error> {
        Ok(read_kubeconfig(self.kubeconfig.as_ref())?)
    }

    /// The cluster that is meant: that of the kubeconfig, else the pod's own, with the flags on top.
    pub(crate) async fn reach(&self) -> Result<Reached, Error> {
        let kubeconfig = self.kubeconfig()?;
        let current = kubeconfig.as_ref();
        let current = current.and_then(|kubeconfig| kubeconfig.current_context.clone());
        let context = self.context.clone().or(current);
        let mut config = match kubeconfig {
            Some(kubeconfig) => self.with_kubeconfig(kubeconfig).await?,
            None => self.without_kubeconfig()?,
        };
        self.apply(&mut config)?;
        let access = Access::of(&config, context);
        Ok(Reached { config, access })
    }

    async fn with_kubeconfig(&self, kubeconfig: Kubeconfig) -> Result<Config, Error> {
        let options = KubeConfigOptions {
            context: self.context.clone(),
            cluster: self.cluster.clone(),
            user: self.user.clone(),
        };
        match Config::from_custom_kubeconfig(kubeconfig, &options).await {
            Err(KubeconfigError::CurrentContextNotSet) if self.server.is_some() => {
                self.without_kubeconfig()
            }
            config => Ok(config?),
        }
    }

    fn without_kubeconfig(&self) -> Result<Config, Error> {
        match (&self.server, &self.context) {
            (_, Some(context)) => Err(KubeconfigError::LoadContext(context.clone()).into()),
            (Some(server), None) => Ok(Config::new(server.clone())),
            (None, None) => Config::incluster().map_err(|_| Error::NoCluster),
        }
    }

    fn apply(&self, config: &mut Config) -> Result<(), Error> {
        // A person waits: better an error now than a second try in silence.
        config.default_retry = false;
        if let Some(server) = &self.server {
            config.cluster_url = server.clone();
        }
        if let Some(path) = &self.certificate_authority {
            config.root_cert = Some(read_certificates(path)?);
        }
        if self.insecure_skip_tls_verify {
            config.accept_invalid_certs = true;
        }
        if self.disable_compression {
            config.disable_compression = true;
        }
        if let Some(name) = &self.tls_server_name {
            config.tls_server_name = Some(name.clone());
        }
        if let Some(namespace) = &self.namespace {
            config.default_namespace.clone_from(namespace);
        }
        identity::apply(self, &mut config.auth_info)
    }
}

/// The kubeconfig, from where kubectl takes it: the flag, `KUBECONFIG` (files that are not there are
/// left out), `~/.kube/config`. `None` when there is none.
fn read_kubeconfig(flag: Option<&PathBuf>) -> Result<Option<Kubeconfig>, KubeconfigError> {
    if let Some(path) = flag {
        return Kubeconfig::read_from(path).map(Some);
    }
    let listed = env::var_os("KUBECONFIG").unwrap_or_default();
    let listed: Vec<PathBuf> = env::split_paths(&listed)
        .filter(|path| !path.as_os_str().is_empty())
        .collect();
    if listed.is_empty() {
        return match Kubeconfig::read() {
            Err(KubeconfigError::FindPath) => Ok(None),
            Err(KubeconfigError::ReadConfig(error, _))
                if error.kind() == io::ErrorKind::NotFound =>
            {
                Ok(None)
            }
            read => read.map(Some),
        };
    }
    let mut merged = None;
    for path in listed.iter().filter(|path| path.exists()) {
        let next = Kubeconfig::read_from(path)?;
        merged = Some(match merged {
            Some(merged) => Kubeconfig::merge(merged, next)?,
            None => next,
        });
    }
    Ok(merged)
}

fn read_certificates(path: &PathBuf) -> Result<Vec<Vec<u8>>, Error> {
    let refused = |problem: String| Error::File {
        what: "certificate authority",
        path: path.clone(),
        problem,
        hint: PEM_NEEDED,
    };
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path)
        .and_then(|found| found.map(|found| found.map(|der| der.to_vec())).collect());
    match certificates {
        Err(error) => Err(refused(error.to_string())),
        Ok(certificates) if certificates.is_empty() => {
            Err(refused("no certificate is in it".to_owned()))
        }
        Ok(certificates) => Ok(certificates),
    }
}

#[cfg(test)]
mod tests;
