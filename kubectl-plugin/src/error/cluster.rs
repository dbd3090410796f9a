//! What a failure of the Kubernetes client means, in words of our own.
//!
//! The client's own texts hold what a person must not see: the arguments, the environment and the standard
//! output of a credential plugin (that is, the token), parts of the kubeconfig, URLs. So no text of the
//! client is passed on here; what is not known by its kind is named by a general sentence.

use std::error::Error as StdError;
use std::io;
use std::path::Path;
use std::process::Output;

use bigip_tunnel_core::text::printable;
use kube::client::AuthError;
use kube::config::{KubeconfigError, LoadDataError};
use rustls::CertificateError;

use super::Error;
use crate::connection::Access;

/// The most characters of what a credential plugin said.
const SAID_MAX: usize = 300;

/// A request that the API server did not answer.
pub(super) fn unanswered(error: &kube::Error, access: &Access) -> Error {
    match find::<AuthError>(error) {
        Some(problem) => login(problem, access),
        None => Error::Unreachable(format!("{}: {}", access.at(), cause(error))),
    }
}

/// The first cause of this type.
fn find<'a, E: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a E> {
    causes(error).find_map(|cause| cause.downcast_ref())
}

/// The error and all causes below it. An `io::Error` hides the error that it carries behind that one's
/// own cause.
fn causes<'a>(
    error: &'a (dyn StdError + 'static),
) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |&error| {
        let carried = error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref);
        match carried {
            Some(carried) => Some(carried),
            None => error.source(),
        }
    })
}

fn login(problem: &AuthError, access: &Access) -> Error {
    let plugin = access.plugin.as_ref();
    let install_hint = || plugin.and_then(|plugin| plugin.install_hint.clone());
    let named = plugin.map_or_else(
        || "the credential plugin".to_owned(),
        |plugin| format!("credential plugin {:?}", plugin.command),
    );
    let (problem, hint) = match problem {
        AuthError::AuthExecStart(error) if error.kind() == io::ErrorKind::NotFound => {
            (format!("{named} not found in PATH"), install_hint())
        }
        AuthError::AuthExecStart(error) => (
            format!("{named} cannot be started: {}", io_problem(error)),
            install_hint(),
        ),
        AuthError::AuthExecRun { out, .. } => (failed_plugin(&named, out), install_hint()),
        AuthError::AuthExecParse(_) | AuthError::ExecPluginFailed => (
            format!("{named} printed no ExecCredential with a status"),
            None,
        ),
        AuthError::MalformedTokenExpirationDate(_) => (
            format!("{named} printed an expirationTimestamp that is not an RFC 3339 time"),
            None,
        ),
        AuthError::MissingCommand => (
            "the kubeconfig has a credential plugin without a command".to_owned(),
            None,
        ),
        AuthError::ReadTokenFile(error, path) => (
            format!(
                "cannot read token file {}: {}",
                shown(path),
                io_problem(error)
            ),
            None,
        ),
        AuthError::InvalidBearerToken(_) => (
            "the token has a character that no HTTP header can carry".to_owned(),
            None,
        ),
        AuthError::InvalidBasicAuth(_) => (
            "user name or password has a character that no HTTP header can carry".to_owned(),
            None,
        ),
        AuthError::Oidc(_) => (
            "the OIDC token is expired and cannot be refreshed".to_owned(),
            Some("log in again as your identity provider asks for".to_owned()),
        ),
        AuthError::NoValidNativeRootCA(_) => (
            "this machine has no CA certificates to verify the server by".to_owned(),
            Some("give --certificate-authority".to_owned()),
        ),
        _ => (
            "the login of the kubeconfig cannot be used".to_owned(),
            None,
        ),
    };
    let at = access.at();
    Error::Login { at, problem, hint }
}

/// A credential plugin that ended with an error. Its standard output may be a token; its standard error is
/// what it has to say, and is empty where it went to the terminal already.
fn failed_plugin(named: &str, output: &Output) -> String {
    let ended = output.status.code().map_or_else(
        || "ended by a signal".to_owned(),
        |code| format!("failed with exit code {code}"),
    );
    let said = String::from_utf8_lossy(&output.stderr);
    let said: String = printable(said.trim()).chars().take(SAID_MAX).collect();
    if said.is_empty() {
        format!("{named} {ended}")
    } else {
        format!("{named} {ended}: {said}")
    }
}

/// Why there was no answer.
fn cause(error: &kube::Error) -> String {
    if let Some(tls) = find::<rustls::Error>(error) {
        return tls_problem(tls);
    }
    let mut io_errors = causes(error).filter_map(|cause| cause.downcast_ref::<io::Error>());
    // The one at the bottom: those above it carry it.
    if let Some(found) = io_errors.by_ref().last() {
        return io_problem(found);
    }
    let text = match error {
        kube::Error::SerdeError(_) | kube::Error::FromUtf8(_) => {
            "the answer is not one of a Kubernetes API server"
        }
        kube::Error::ProxyProtocolUnsupported { .. }
        | kube::Error::ProxyProtocolDisabled { .. } => {
            "the proxy's protocol is not supported; use http, https or socks5"
        }
        kube::Error::TlsRequired | kube::Error::RustlsTls(_) => {
            "certificate or key of the kubeconfig cannot be used"
        }
        kube::Error::BuildRequest(_) | kube::Error::HttpError(_) => "the request cannot be built",
        _ => "the connection ended before the answer was complete",
    };
    text.to_owned()
}

fn tls_problem(error: &rustls::Error) -> String {
    let text = match error {
        rustls::Error::InvalidCertificate(problem) => match problem {
            CertificateError::UnknownIssuer => "certificate signed by an unknown authority",
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                "certificate has expired"
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                "certificate is not valid yet"
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                "certificate is not valid for the name of the server; give --tls-server-name"
            }
            _ => "certificate cannot be verified",
        },
        rustls::Error::AlertReceived(_) => {
            "the server ended the TLS handshake; it may need a client certificate"
        }
        rustls::Error::InvalidMessage(_) => "the server does not speak TLS on this port",
        _ => "TLS handshake failed",
    };
    text.to_owned()
}

/// An error of the operating system. Its text is passed on, cleaned: it holds no secret.
fn io_problem(error: &io::Error) -> String {
    let text = match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused",
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => "connection reset",
        io::ErrorKind::TimedOut => "connection timed out",
        io::ErrorKind::UnexpectedEof => "the server closed the connection",
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
            "no route to the host"
        }
        io::ErrorKind::NotFound => "no such file",
        io::ErrorKind::PermissionDenied => "permission denied",
        // The resolver's errors have no kind of their own.
        _ if error.to_string().contains("lookup address") => "host name not found",
        _ if error.raw_os_error().is_some() => {
            return printable(&error.to_string())
                .chars()
                .take(SAID_MAX)
                .collect();
        }
        _ => "input/output error",
    };
    text.to_owned()
}

/// Why a kubeconfig cannot be used.
pub(super) fn kubeconfig_problem(error: &KubeconfigError) -> String {
    match error {
        KubeconfigError::CurrentContextNotSet => "no current context is set".to_owned(),
        KubeconfigError::LoadContext(name) => format!("no context {name:?}"),
        KubeconfigError::LoadClusterOfContext(name) => {
            format!("no cluster of context {name:?}")
        }
        KubeconfigError::FindPath => "no kubeconfig found".to_owned(),
        KubeconfigError::ReadConfig(error, path) => {
            format!("cannot read {}: {}", shown(path), io_problem(error))
        }
        KubeconfigError::Parse(error) => {
            let line = error.location().map(|location| location.line());
            let line = line.map_or_else(String::new, |line| format!(" in line {line}"));
            format!("not a kubeconfig: invalid YAML or a field of the wrong type{line}")
        }
        KubeconfigError::MissingClusterUrl => "the cluster has no server".to_owned(),
        KubeconfigError::ParseClusterUrl(_) => "the server of the cluster is not a URL".to_owned(),
        KubeconfigError::ParseProxyUrl(_) => "proxy-url is not a URL".to_owned(),
        KubeconfigError::LoadCertificateAuthority(error) => data("certificate-authority", error),
        KubeconfigError::LoadClientCertificate(error) => data("client-certificate", error),
        KubeconfigError::LoadClientKey(error) => data("client-key", error),
        KubeconfigError::ParseCertificates(_) => {
            "certificate-authority-data is not in PEM form".to_owned()
        }
        KubeconfigError::KindMismatch | KubeconfigError::ApiVersionMismatch => {
            "the files that KUBECONFIG names differ in kind or apiVersion".to_owned()
        }
        KubeconfigError::ParseNoProxy(_) => {
            "the environment variable NO_PROXY cannot be used".to_owned()
        }
    }
}

fn data(field: &str, error: &LoadDataError) -> String {
    match error {
        LoadDataError::DecodeBase64(_) => format!("{field}-data is not base64"),
        LoadDataError::ReadFile(error, path) => {
            format!("{field} {}: {}", shown(path), io_problem(error))
        }
        LoadDataError::NoBase64DataOrFile => format!("{field} has neither data nor a file"),
    }
}

fn shown(path: &Path) -> String {
    format!("{:?}", path.display().to_string())
}

#[cfg(test)]
mod tests;
