//! Command line and environment of the operator.

use std::net::SocketAddr;
use std::sync::LazyLock;
use std::time::Duration;

use clap::{ArgAction, Parser, ValueEnum};
use ipnet::IpNet;

/// Keeps one FDB record per node on every BIG-IP that a BigIpTunnel names.
///
/// Reaches the cluster with the in-cluster configuration, else with KUBECONFIG.
#[derive(Debug, Clone, Parser)]
#[command(name = "bigip-tunnel-operator", version = version())]
pub(crate) struct Args {
    /// Address of /livez, /readyz and /metrics
    #[arg(long, env = "LISTEN", default_value = "0.0.0.0:8080")]
    pub(crate) listen: SocketAddr,

    /// Namespace whose BigIpTunnels are worked on; repeat it for several, leave it out for all
    #[arg(
        long = "watch-namespace",
        env = "WATCH_NAMESPACE",
        value_delimiter = ','
    )]
    pub(crate) watch_namespaces: Vec<String>,

    /// Whether replicas elect a leader; only `false` works so far, with exactly one replica
    #[arg(
        long, env = "LEADER_ELECT", action = ArgAction::Set, num_args = 0..=1,
        default_value_t = false, default_missing_value = "true", require_equals = true,
        value_parser = leader_elect
    )]
    pub(crate) leader_elect: bool,

    /// Network that devices may be in, such as 10.1.0.0/16; repeat it for several, leave it out for all
    ///
    /// No other address is dialled, whatever a BigIpTunnel names. Link-local and metadata addresses never
    /// are.
    #[arg(
        long = "device-cidrs",
        env = "DEVICE_CIDRS",
        value_name = "CIDR",
        value_delimiter = ','
    )]
    pub(crate) device_networks: Vec<IpNet>,

    /// Let objects switch the verification of certificates off (tls.verification None): whoever answers
    /// gets the password
    #[arg(long, env = "ALLOW_INSECURE_TLS", action = ArgAction::Set, num_args = 0..=1,
          default_value_t = false, default_missing_value = "true", require_equals = true)]
    pub(crate) allow_insecure_tls: bool,

    /// Send a password only where its Secret says so (annotation bigip-tunnel.dev/allowed-addresses)
    #[arg(long, env = "REQUIRE_SECRET_BINDING", action = ArgAction::Set, num_args = 0..=1,
          default_value_t = false, default_missing_value = "true", require_equals = true)]
    pub(crate) require_secret_binding: bool,

    /// Form of the log on stderr
    #[arg(long, env = "LOG_FORMAT", value_enum, default_value_t = LogFormat::Json)]
    pub(crate) log_format: LogFormat,

    /// Seconds after the start in which nothing is removed; shorter only for tests and demos
    #[arg(long, env = "SETTLE_SECONDS", value_name = "SECONDS", default_value = "75",
          value_parser = seconds)]
    pub(crate) settle_seconds: Duration,
}

/// What `--version` says.
fn version() -> &'static str {
    static VERSION: LazyLock<String> =
        LazyLock::new(|| version_of(option_env!("BIGIP_TUNNEL_COMMIT")));
    &VERSION
}

/// Version, commit if whoever built it told one, and what it was built for: as the plugin says it.
fn version_of(commit: Option<&str>) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let commit = commit.map(|commit| format!("{commit}, "));
    let commit = commit.unwrap_or_default();
    let (machine, system) = (std::env::consts::ARCH, std::env::consts::OS);
    format!("{version} ({commit}{machine}-{system})")
}

/// Form of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// One JSON object per line
    Json,
    /// For people
    Text,
}

fn seconds(text: &str) -> Result<Duration, std::num::ParseIntError> {
    text.parse().map(Duration::from_secs)
}

fn leader_elect(text: &str) -> Result<bool, String> {
    match text {
        "false" => Ok(false),
        "true" => Err(
            "leader election does not exist yet: run exactly one replica, with \
                       --leader-elect=false"
                .into(),
        ),
        _ => Err("must be true or false".into()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Args::command().debug_assert();
    }

    #[test]
    fn the_version_names_commit_and_platform() {
        let platform = format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS);
        let version = env!("CARGO_PKG_VERSION");
        let expected = format!("{version} (0123abc, {platform})");
        assert_eq!(version_of(Some("0123abc")), expected);
        assert_eq!(version_of(None), format!("{version} ({platform})"));
        let error = Args::try_parse_from(["operator", "--version"]).unwrap_err();
        assert!(error.to_string().contains(&platform), "{error}");
    }

    #[test]
    fn leader_election_is_refused_with_the_way_out() {
        for flag in ["--leader-elect", "--leader-elect=true"] {
            let error = Args::try_parse_from(["operator", flag])
                .unwrap_err()
                .to_string();
            assert!(error.contains("--leader-elect=false"), "{error}");
        }
        assert!(
            !Args::try_parse_from(["operator", "--leader-elect=false"])
                .unwrap()
                .leader_elect
        );
    }

    #[test]
    fn namespaces_may_be_repeated() {
        let args = ["operator", "--watch-namespace", "a", "--watch-namespace=b"];
        assert_eq!(
            Args::try_parse_from(args).unwrap().watch_namespaces,
            ["a", "b"]
        );
    }
}
