//! How messages name a cluster and the login to it: as kubectl does, and without secrets.
//!
//! Knows nothing of errors.

use kube::Config;

/// A cluster and the login to it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Access {
    server: String,
    context: Option<String>,
    /// The credential plugin, where the login comes from one.
    pub(crate) plugin: Option<CredentialPlugin>,
}

/// A program of the kubeconfig that prints a login (`users[].user.exec`). Its arguments and environment
/// may hold secrets and are left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CredentialPlugin {
    /// The command, as the kubeconfig names it.
    pub(crate) command: String,
    /// `installHint` of the kubeconfig.
    pub(crate) install_hint: Option<String>,
}

impl Access {
    /// What this configuration leads to. `context`: of the kubeconfig, if it has a part in it.
    pub(crate) fn of(config: &Config, context: Option<String>) -> Self {
        let exec = config.auth_info.exec.as_ref();
        let url = &config.cluster_url;
        // Without a user and password in front of the host, and without a path.
        let host = url.host().unwrap_or_default();
        let port = url.port_u16();
        let port = port.map_or_else(String::new, |port| format!(":{port}"));
        Self {
            server: format!("{}://{host}{port}", url.scheme_str().unwrap_or("https")),
            context,
            plugin: exec.and_then(|exec| {
                Some(CredentialPlugin {
                    command: exec.command.clone()?,
                    install_hint: exec.install_hint.clone(),
                })
            }),
        }
    }

    /// The server, with the context that it comes from.
    pub(crate) fn at(&self) -> String {
        let server = &self.server;
        match &self.context {
            Some(context) => format!("{server} (context {context:?})"),
            None => server.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn server_is_named_without_login_and_path() {
        let url = "https://admin:canary@api.example.com:6443/clusters/canary?token=canary";
        let access = Access::of(&Config::new(url.parse().unwrap()), Some("prod".into()));
        assert_eq!(
            access.at(),
            "https://api.example.com:6443 (context \"prod\")"
        );
        let access = Access::of(&Config::new("http://[::1]".parse().unwrap()), None);
        assert_eq!(access.at(), "http://[::1]");
    }
}
