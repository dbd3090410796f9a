//! F5 CIS (`k8s-bigip-ctlr`): what it is told on its command line about a tunnel.
//!
//! From its source as it was public until December 2025 (`cmd/k8s-bigip-ctlr/main.go`, `pkg/vxlan`).
//! Knows neither cluster nor terminal, and never holds a password.

pub(crate) mod login;
mod selector;
pub(crate) mod workload;

use k8s_openapi::api::core::v1::Container;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

use self::login::{Login, SecretKey};
use self::workload::{Source, Workload};
use crate::error::Obstacle;

/// Flags with which CIS writes the records of a tunnel. It takes one of them.
const TUNNEL_FLAGS: [&str; 3] = ["cilium-name", "flannel-name", "openshift-sdn-name"];
/// Other flags that say something about the tunnel. Their values are the next word, whatever it is.
const VALUE_FLAGS: [&str; 6] = [
    URL,
    "bigip-username",
    "bigip-password",
    "credentials-directory",
    TRUSTED,
    SELECTOR,
];
/// Flags whose values are nobody's business, and must not be taken for flags.
const SECRET_FLAGS: [&str; 2] = ["gtm-bigip-username", "gtm-bigip-password"];
/// Flags that are on when they stand alone.
const SWITCHES: [&str; 3] = [INSECURE, INTERNAL, IPV6];
const URL: &str = "bigip-url";
const TRUSTED: &str = "trusted-certs-cfgmap";
const SELECTOR: &str = "node-label-selector";
const INSECURE: &str = "insecure";
const INTERNAL: &str = "use-node-internal";
const IPV6: &str = "enable-ipv6";

/// The flags of a command line, in their order.
#[derive(Debug, Default)]
pub(crate) struct Arguments(Vec<(String, Option<String>)>);

impl Arguments {
    /// Reads `--a=b`, `--a b`, `-a=b` and `-a b`, as CIS does; words that are no flags say nothing.
    pub(crate) fn of<'a>(words: impl IntoIterator<Item = &'a str>) -> Self {
        let mut words = words.into_iter().peekable();
        let mut flags = Vec::new();
        while let Some(word) = words.next() {
            let Some(flag) = word.strip_prefix("--").or_else(|| word.strip_prefix('-')) else {
                continue;
            };
            if let Some((name, value)) = flag.split_once('=') {
                flags.push((name.to_owned(), Some(unquoted(value))));
                continue;
            }
            let takes_next = |next: &&str| {
                let any = [&TUNNEL_FLAGS[..], &VALUE_FLAGS, &SECRET_FLAGS].concat();
                any.contains(&flag) || (!SWITCHES.contains(&flag) && !next.starts_with('-'))
            };
            let value = words.next_if(takes_next).map(unquoted);
            flags.push((flag.to_owned(), value));
        }
        Self(flags)
    }

    /// The value of a flag: the last one, if it stands there several times.
    fn value(&self, name: &str) -> Option<&str> {
        let mut flags = self.0.iter().rev();
        flags
            .find(|(flag, _)| flag == name)
            .and_then(|(_, value)| value.as_deref())
            .filter(|value| !value.is_empty())
    }

    /// Whether a switch is on; `None` if nothing is said about it.
    fn is_on(&self, name: &str) -> Option<bool> {
        let (_, value) = self.0.iter().rev().find(|(flag, _)| flag == name)?;
        let is_on = |value: &str| matches!(value, "1" | "t" | "T" | "true" | "TRUE" | "True");
        Some(value.as_deref().is_none_or(is_on))
    }

    /// The flags that make CIS write the records of a tunnel, and the tunnel as they name it.
    fn tunnels(&self) -> Vec<(&'static str, &str)> {
        let named = TUNNEL_FLAGS.into_iter();
        named
            .filter_map(|flag| Some((flag, self.value(flag)?)))
            .collect()
    }

    /// The one of them that counts, and the path of its tunnel.
    pub(crate) fn tunnel(&self) -> Option<(&'static str, String)> {
        let (flag, value) = self.tunnels().into_iter().next()?;
        let (partition, name) = split(value);
        Some((flag, format!("/{partition}/{name}")))
    }

    /// The flags that say nothing about the tunnel, each once. What does not look like a flag of CIS
    /// is left out: it may be a password that was typed in the wrong place.
    fn others(&self) -> Vec<String> {
        let is_ours = |name: &str| {
            [&TUNNEL_FLAGS[..], &VALUE_FLAGS, &[INSECURE, INTERNAL]]
                .concat()
                .contains(&name)
        };
        let is_flag = |name: &str| {
            name.contains('-') && name.chars().all(|c| c.is_ascii_lowercase() || c == '-')
        };
        let mut names: Vec<String> = Vec::new();
        for (name, _) in &self.0 {
            let shown = format!("--{name}");
            if !is_ours(name) && is_flag(name) && !names.contains(&shown) {
                names.push(shown);
            }
        }
        names
    }
}

/// What one CIS is told about a tunnel.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Cis {
    pub(crate) source: Source,
    /// The flag that names the tunnel, without its dashes.
    pub(crate) flag: &'static str,
    pub(crate) partition: String,
    pub(crate) tunnel: String,
    /// Where the BIG-IP is.
    pub(crate) address: String,
    pub(crate) port: u16,
    /// Where the login comes from.
    pub(crate) login: Login,
    /// A Secret whose key `url` says where the BIG-IP is, if it has that key, and not the argument.
    pub(crate) url_secret: Option<String>,
    /// Namespace and name of the ConfigMap with certificates.
    pub(crate) trusted: Option<(Option<String>, String)>,
    pub(crate) insecure: bool,
    /// Whether `InternalIP`s make the records, else `ExternalIP`s.
    pub(crate) uses_internal: bool,
    pub(crate) selector: Option<LabelSelector>,
    /// The selector as it is written.
    pub(crate) selector_text: Option<String>,
    /// Whether it is told to use IPv6, and then writes no records at all.
    pub(crate) is_ipv6: bool,
    /// Flags that say nothing about the tunnel.
    pub(crate) others: Vec<String>,
}

impl Cis {
    /// Whether a workload runs one that writes the records of a tunnel.
    pub(crate) fn is_in(workload: &Workload) -> bool {
        let mut containers = workload.pod.containers.iter();
        containers.any(|container| !arguments_of(container, &[]).tunnels().is_empty())
    }

    /// Every CIS in a workload that writes the records of a tunnel, `more` added to its arguments.
    pub(crate) fn all_in(workload: &Workload, more: &[String]) -> Result<Vec<Self>, Obstacle> {
        let mut found = Vec::new();
        for container in &workload.pod.containers {
            let arguments = arguments_of(container, more);
            if !arguments.tunnels().is_empty() {
                found.push(Self::of(workload, container, &arguments)?);
            }
        }
        Ok(found)
    }

    fn of(
        workload: &Workload,
        container: &Container,
        arguments: &Arguments,
    ) -> Result<Self, Obstacle> {
        let source = workload.source(container);
        let tunnels = arguments.tunnels();
        let [(flag, path)] = tunnels.as_slice() else {
            let names: Vec<String> = tunnels
                .iter()
                .map(|(flag, _)| format!("--{flag}"))
                .collect();
            return Err(Obstacle {
                problem: format!("{source} has {}", names.join(" and ")),
                hint: "CIS itself refuses more than one of them; take away all but one".to_owned(),
            });
        };
        let (partition, tunnel) = split(path);
        check_name(&source, flag, &partition, &tunnel)?;
        let login = Login::of(&workload.pod, container, arguments);
        let (address, port) = address(&source, arguments, &login)?;
        let selector_text = arguments.value(SELECTOR).map(str::to_owned);
        let selector = selector_text.as_deref().map(selector::parse).transpose();
        Ok(Self {
            flag,
            partition,
            tunnel,
            address,
            port,
            url_secret: login.directory.clone(),
            login,
            trusted: arguments
                .value(TRUSTED)
                .map(|value| match value.split_once('/') {
                    Some((namespace, name)) => (Some(namespace.to_owned()), name.to_owned()),
                    None => (None, value.to_owned()),
                }),
            insecure: arguments.is_on(INSECURE).unwrap_or_default(),
            uses_internal: arguments.is_on(INTERNAL).unwrap_or(true),
            selector: selector.map_err(|problem| Obstacle {
                problem: format!("{source}: --{SELECTOR}: {problem}"),
                hint: format!("give one that can be carried over behind --: -- --{SELECTOR}=..."),
            })?,
            selector_text,
            is_ipv6: arguments.is_on(IPV6).unwrap_or_default(),
            others: arguments.others(),
            source,
        })
    }
}

/// The arguments of a container, with the variables in them that are plain text.
pub(crate) fn arguments_of(container: &Container, more: &[String]) -> Arguments {
    let own = [&container.command, &container.args];
    let words: Vec<String> = own
        .into_iter()
        .flatten()
        .flatten()
        .chain(more)
        .map(|word| login::expanded(word, container))
        .collect();
    Arguments::of(words.iter().map(String::as_str))
}

/// Partition and name of the tunnel. Without a partition it is `Common`.
fn split(path: &str) -> (String, String) {
    let path = path.trim_start_matches('/');
    let (partition, name) = path.rsplit_once('/').unwrap_or(("Common", path));
    (partition.to_owned(), name.to_owned())
}

/// ` -n NAMESPACE` for commands, if it is known.
pub(crate) fn place(namespace: Option<&str>) -> String {
    let place = namespace.map(|namespace| format!(" -n {namespace}"));
    place.unwrap_or_default()
}

/// Quotes that YAML takes for part of the value, and nobody means.
fn unquoted(value: &str) -> String {
    value.trim_matches(['"', '\'']).to_owned()
}

fn check_name(source: &Source, flag: &str, partition: &str, name: &str) -> Result<(), Obstacle> {
    use bigip_tunnel_core::tunnel::{Partition, TunnelName};
    let partition = partition.parse::<Partition>().err();
    let problem = name.parse::<TunnelName>().err().or(partition);
    match problem {
        None => Ok(()),
        Some(problem) => Err(Obstacle {
            problem: format!("{source}: --{flag}: the path of the tunnel: {problem}"),
            hint: "a path such as /Common/flannel_vxlan is needed".to_owned(),
        }),
    }
}

/// Where the BIG-IP is. The value is never part of a message: a URL can hold a password.
fn address(
    source: &Source,
    arguments: &Arguments,
    login: &Login,
) -> Result<(String, u16), Obstacle> {
    let Some(url) = arguments.value(URL) else {
        return Err(unknown_address(source, login.directory.as_deref(), "url"));
    };
    if let Some(SecretKey { secret, key }) = &login.url {
        return Err(unknown_address(source, Some(secret), key));
    }
    let refused = || Obstacle {
        problem: format!("{source}: the value of --{URL} is no address of a BIG-IP"),
        hint: "such as https://192.0.2.11, 192.0.2.11:8443 or bigip-a.example.net is needed"
            .to_owned(),
    };
    let url = if url.contains("://") {
        url.to_owned()
    } else {
        format!("https://{url}")
    };
    let uri: http::Uri = url.parse().map_err(|_| refused())?;
    let host = uri.host().unwrap_or_default();
    let port = port(&uri, host).ok_or_else(refused)?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':');
    let is_edge = |c: char| c.is_ascii_alphanumeric() || c == ':';
    let is_host =
        host.chars().all(is_allowed) && host.starts_with(is_edge) && host.ends_with(is_edge);
    let is_root = matches!(uri.path(), "" | "/") && uri.query().is_none();
    if uri.scheme_str() != Some("https") || !is_root || !is_host {
        return Err(refused());
    }
    Ok((host.to_owned(), port))
}

/// The port behind the host; `None` if what stands there is none.
fn port(uri: &http::Uri, host: &str) -> Option<u16> {
    let (_, behind) = uri.authority()?.as_str().rsplit_once(host)?;
    match behind.strip_prefix(':') {
        None => Some(443),
        Some(port) => port.parse().ok().filter(|port| *port > 0),
    }
}

fn unknown_address(source: &Source, secret: Option<&str>, key: &str) -> Obstacle {
    let place = secret.map(|secret| format!("; key {key} of Secret {secret} may tell"));
    let command = secret.map(|secret| {
        format!(
            " (kubectl get secret {secret}{} -o jsonpath='{{.data.{key}}}' | base64 -d)",
            self::place(source.namespace.as_deref())
        )
    });
    Obstacle {
        problem: format!(
            "{source} does not tell the address of its BIG-IP in --{URL}{}",
            place.unwrap_or_default()
        ),
        hint: format!(
            "look it up{} and give it behind --: -- --{URL}=ADDRESS",
            command.unwrap_or_default()
        ),
    }
}

#[cfg(test)]
mod tests;
