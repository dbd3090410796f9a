//! What `version` found: the plugin, the operators in the cluster, and the CRD that it serves.

use std::cmp::Ordering;

use serde::Serialize;

use bigip_tunnel_cilium::seen::Readable;

use super::check::evidence::OperatorSeen;
use crate::catalogue::{BTN0001, Code};

/// The commit that the plugin was built from, where whoever built it said so.
const COMMIT: Option<&str> = option_env!("BIGIP_TUNNEL_COMMIT");

/// Everything that `version` found.
#[derive(Serialize, Debug)]
pub(crate) struct VersionReport {
    pub(crate) client: ClientVersion,
    /// Why the cluster could not be asked, or a part of it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) unread: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) operators: Vec<OperatorVersion>,
    /// The versions of the API that the cluster serves.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) served: Vec<String>,
}

/// The plugin.
#[derive(Serialize, Debug)]
pub(crate) struct ClientVersion {
    pub(crate) version: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) commit: Option<&'static str>,
    /// What it was built for, such as `x86_64-linux`.
    pub(crate) platform: String,
}

/// An operator.
#[derive(Serialize, Debug)]
pub(crate) struct OperatorVersion {
    pub(crate) namespace: String,
    pub(crate) name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) version: Option<String>,
    /// What its version says of the plugin's, if they are of different minor versions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) skew: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) code: Option<Code>,
}

impl VersionReport {
    /// The plugin alone.
    pub(crate) fn of_client() -> Self {
        Self {
            client: ClientVersion {
                version: env!("CARGO_PKG_VERSION"),
                commit: COMMIT,
                platform: format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS),
            },
            unread: Vec::new(),
            operators: Vec::new(),
            served: Vec::new(),
        }
    }

    /// Adds what the cluster says.
    pub(crate) fn add(
        &mut self,
        operators: Readable<Vec<OperatorSeen>>,
        served: Readable<Vec<String>>,
    ) {
        match operators {
            Ok(operators) => self.operators = operators.into_iter().map(operator).collect(),
            Err(why) => self.unread.push(format!("operators: {why}")),
        }
        match served {
            Ok(served) => self.served = served,
            Err(why) => self.unread.push(format!("versions of the API: {why}")),
        }
    }
}

fn operator(seen: OperatorSeen) -> OperatorVersion {
    let skew = seen.version.as_deref().and_then(skew);
    OperatorVersion {
        namespace: seen.namespace,
        name: seen.name,
        code: skew.is_some().then_some(BTN0001),
        version: seen.version,
        skew,
    }
}

/// What an operator's version says of the plugin's, if they are of different minor versions.
pub(crate) fn skew(theirs: &str) -> Option<String> {
    let ours = env!("CARGO_PKG_VERSION");
    let word = match minor(ours)?.cmp(&minor(theirs)?) {
        Ordering::Equal => return None,
        Ordering::Less => "older",
        Ordering::Greater => "newer",
    };
    Some(format!(
        "plugin {ours} is {word} than the operator {theirs}"
    ))
}

/// The first two numbers of a version.
fn minor(version: &str) -> Option<(u64, u64)> {
    let mut numbers = version.trim_start_matches('v').split(['.', '-', '+']);
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_differ_by_their_minor_number() {
        let ours = env!("CARGO_PKG_VERSION");
        assert_eq!(skew(ours), None);
        assert_eq!(skew(&format!("v{ours}-rc.1")), None);
        let newer = skew("0.0.9").unwrap();
        assert!(
            newer.ends_with("is newer than the operator 0.0.9"),
            "{newer}"
        );
        assert!(skew("999.0.0").unwrap().contains("older"));
        assert_eq!(skew("latest"), None);
    }
}
