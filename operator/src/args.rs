//! Command line and environment of the operator.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::Duration;

use axum::http::Uri;
use bigip_icontrol::CONNECT_DEADLINE;
use bigip_tunnel_core::lease::{InvalidTiming, Timing};
use clap::error::ErrorKind;
use clap::{ArgAction, CommandFactory, Parser, Subcommand, ValueEnum};
use ipnet::IpNet;

use crate::features::FeatureGates;

/// Keeps one FDB record per node on every BIG-IP that a BigIpTunnel names.
///
/// Reaches the cluster with the in-cluster configuration, else with KUBECONFIG.
#[derive(Debug, Clone, Parser)]
#[command(name = "bigip-tunnel-operator", version = version(), args_override_self = true,
          args_conflicts_with_subcommands = true)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of the command line"
)]
pub(crate) struct Args {
    /// What to do instead of running the operator
    #[command(subcommand)]
    pub(crate) command: Option<Command>,

    /// Address of /livez, /readyz, /leaderz and /metrics
    #[arg(long, env = "LISTEN", default_value = "0.0.0.0:8080")]
    pub(crate) listen: SocketAddr,

    /// Namespace whose BigIpTunnels are worked on; repeat it for several, leave it out for all
    #[arg(
        long = "watch-namespace",
        env = "WATCH_NAMESPACE",
        value_delimiter = ','
    )]
    pub(crate) watch_namespaces: Vec<String>,

    /// Elect a leader among the replicas by a lease; without it exactly one replica may run
    #[arg(long, env = "LEADER_ELECT", action = ArgAction::Set, num_args = 0..=1,
          default_value_t = true, default_missing_value = "true")]
    pub(crate) leader_elect: bool,

    /// Name of the lease
    #[arg(
        long,
        env = "LEASE_NAME",
        value_name = "NAME",
        default_value = "bigip-tunnel-operator"
    )]
    pub(crate) lease_name: String,

    /// Namespace of the lease; that of the pod if it is left out
    #[arg(long, env = "LEASE_NAMESPACE", value_name = "NAMESPACE")]
    pub(crate) lease_namespace: Option<String>,

    /// Seconds after which another replica takes a lease over that was not renewed; the same for all
    #[arg(long, env = "LEASE_DURATION", value_name = "SECONDS", default_value = "15",
          value_parser = seconds)]
    pub(crate) lease_duration: Duration,

    /// Seconds after which a leader that could not renew the lease writes nothing more, and ends; at least 7 less
    /// than the duration
    #[arg(long, env = "LEASE_RENEW_DEADLINE", value_name = "SECONDS", default_value = "8",
          value_parser = seconds)]
    pub(crate) lease_renew_deadline: Duration,

    /// Seconds between two looks at the lease
    #[arg(long, env = "LEASE_RETRY_PERIOD", value_name = "SECONDS", default_value = "2",
          value_parser = seconds)]
    pub(crate) lease_retry_period: Duration,

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
          default_value_t = false, default_missing_value = "true")]
    pub(crate) allow_insecure_tls: bool,

    /// Send a password only to the addresses that its Secret names (annotation
    /// bigip-tunnel.dev/allowed-addresses); false also sends those of Secrets without the annotation
    #[arg(long, env = "REQUIRE_SECRET_BINDING", action = ArgAction::Set, num_args = 0..=1,
          default_value_t = true, default_missing_value = "true")]
    pub(crate) require_secret_binding: bool,

    /// Features to switch on or off, such as VTEPConfig=true; of one that is named twice, the last counts
    ///
    /// `VTEPConfig` (default false): tunnels with spec.cilium.vtepConfig Managed have a CiliumVTEPConfig written.
    #[arg(
        long,
        env = "FEATURE_GATES",
        value_name = "NAME=BOOL,…",
        default_value = ""
    )]
    pub(crate) feature_gates: FeatureGates,

    /// Namespace of Cilium, whose configuration and agents are compared with the tunnels; nothing there is changed
    #[arg(
        long,
        env = "CILIUM_NAMESPACE",
        value_name = "NAMESPACE",
        default_value = "kube-system"
    )]
    pub(crate) cilium_namespace: String,

    /// Compare Cilium's configuration with the tunnels, for a condition of each; false reads nothing of Cilium for it,
    /// and the condition is Unknown
    #[arg(long, env = "CILIUM_VERIFY", action = ArgAction::Set, num_args = 0..=1,
          default_value_t = true, default_missing_value = "true")]
    pub(crate) cilium_verify: bool,

    /// Form of the log on stderr
    #[arg(long, env = "LOG_FORMAT", value_enum, default_value_t = LogFormat::Json)]
    pub(crate) log_format: LogFormat,

    /// File that holds the level of the log, such as info or debug; looked at every 5 s
    ///
    /// A level for each part goes too: warn,kube=debug. Without a file the environment variable `RUST_LOG` sets it.
    #[arg(long, env = "LOG_LEVEL_FILE", value_name = "FILE")]
    pub(crate) log_level_file: Option<PathBuf>,

    /// Seconds after the beginning of a leadership in which nothing is removed; shorter only for tests and
    /// demos
    #[arg(long, env = "SETTLE_SECONDS", value_name = "SECONDS", default_value = "75",
          value_parser = seconds)]
    pub(crate) settle_seconds: Duration,
}

/// What the program does besides running the operator.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum Command {
    /// Wait until every URL answers with success, such as /readyz and /leaderz of a running operator
    ///
    /// For `helm test` and for images without a shell. Exits with 1 if one of them does not in time.
    Probe(Probe),
}

/// The URLs to wait for.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Probe {
    /// URL, http only
    #[arg(required = true, value_name = "URL", value_parser = http_url)]
    pub(crate) urls: Vec<Uri>,

    /// Seconds until it gives up
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = seconds)]
    pub(crate) timeout: Duration,
}

/// The commit that it was built from, if whoever built it told.
pub(crate) const COMMIT: Option<&str> = option_env!("BIGIP_TUNNEL_COMMIT");

/// What `--version` says.
fn version() -> &'static str {
    static VERSION: LazyLock<String> = LazyLock::new(|| version_of(COMMIT));
    &VERSION
}

/// Version, commit if whoever built it told one, and what it was built for: as the plugin says it.
fn version_of(commit: Option<&str>) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let commit = commit.map(|commit| format!("{commit}, "));
    let commit = commit.unwrap_or_default();
    format!("{version} ({commit}{})", platform())
}

/// What it was built for.
pub(crate) fn platform() -> String {
    format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS)
}

/// Form of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// One JSON object per line
    Json,
    /// For people
    Text,
}

fn http_url(text: &str) -> Result<Uri, String> {
    let is_whole = |url: &Uri| url.scheme_str() == Some("http") && url.host().is_some();
    let url = text.parse().ok().filter(is_whole);
    url.ok_or_else(|| "not a URL of the form http://HOST[:PORT]/PATH".to_owned())
}

fn seconds(text: &str) -> Result<Duration, std::num::ParseIntError> {
    text.parse().map(Duration::from_secs)
}

impl Args {
    /// Reads the command line and the environment. A mistake in them ends the process with the code of a
    /// usage error.
    pub(crate) fn read() -> Self {
        let args = Self::parse();
        if let Err(problem) = args.lease_timing() {
            Self::command()
                .error(ErrorKind::ValueValidation, problem)
                .exit();
        }
        args
    }

    /// The times of the lease.
    pub(crate) fn lease_timing(&self) -> Result<Timing, InvalidTiming> {
        Timing::new(
            self.lease_duration,
            self.lease_renew_deadline,
            self.lease_retry_period,
        )?
        .with_margin_for(CONNECT_DEADLINE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operator_arguments_are_well_formed() {
        Args::command().debug_assert();
    }

    #[test]
    fn probe_takes_urls_and_a_time() {
        let args = Args::try_parse_from(["operator", "probe", "http://a/readyz", "--timeout=5"]);
        let Some(Command::Probe(probe)) = args.unwrap().command else {
            panic!("no probe");
        };
        assert_eq!(probe.urls, ["http://a/readyz"]);
        assert_eq!(probe.timeout, Duration::from_secs(5));
        assert!(Args::try_parse_from(["operator", "probe"]).is_err());
        for refused in ["https://a/readyz", "a:8080/readyz", "http:///readyz"] {
            assert!(Args::try_parse_from(["operator", "probe", refused]).is_err());
        }
    }

    #[test]
    fn leader_election_is_on_unless_disabled() {
        let elects = |args: &[&str]| Args::try_parse_from(args).unwrap().leader_elect;
        assert!(elects(&["operator"]));
        assert!(elects(&["operator", "--leader-elect"]));
        assert!(!elects(&["operator", "--leader-elect=false"]));
        assert!(!elects(&["operator", "--leader-elect", "false"]));
        assert!(elects(&["operator", "--leader-elect", "--listen=[::]:80"]));
    }

    #[test]
    fn switches_take_their_value_in_both_forms() {
        type Switch = (&'static str, fn(&Args) -> bool);
        let switches: [Switch; 3] = [
            ("--allow-insecure-tls", |args| args.allow_insecure_tls),
            ("--cilium-verify", |args| args.cilium_verify),
            ("--require-secret-binding", |args| {
                args.require_secret_binding
            }),
        ];
        for (flag, value) in switches {
            let of = |args: &[&str]| value(&Args::try_parse_from(args).unwrap());
            for (text, wanted) in [("true", true), ("false", false)] {
                assert_eq!(of(&["operator", flag, text]), wanted);
                assert_eq!(of(&["operator", &format!("{flag}={text}")]), wanted);
            }
            assert!(of(&["operator", flag]));
        }
    }

    #[test]
    fn cilium_is_verified_by_default() {
        assert!(Args::try_parse_from(["operator"]).unwrap().cilium_verify);
    }

    #[test]
    fn passwords_are_bound_to_addresses_by_default() {
        let args = Args::try_parse_from(["operator"]).unwrap();
        assert!(args.require_secret_binding && !args.allow_insecure_tls);
    }

    #[test]
    fn inconsistent_lease_times_are_refused_as_arguments() {
        let timing = |args: &[&str]| Args::try_parse_from(args).unwrap().lease_timing();
        assert!(timing(&["operator"]).is_ok());
        let too_short = ["operator", "--lease-duration=8"];
        assert_eq!(timing(&too_short), Err(InvalidTiming::DeadlineTooLong));
    }

    #[test]
    fn lease_without_time_to_connect_is_refused() {
        let timing = |duration: &str, renew: &str| {
            let args = ["operator", duration, renew, "--lease-retry-period=1"];
            Args::try_parse_from(args).unwrap().lease_timing()
        };
        for (duration, renew) in [(3, 2), (15, 10), (15, 9)] {
            let duration = format!("--lease-duration={duration}");
            let refused = timing(&duration, &format!("--lease-renew-deadline={renew}"));
            let problem = refused.unwrap_err().to_string();
            assert!(problem.contains("set --lease-duration to"), "{problem}");
        }
        assert!(timing("--lease-duration=15", "--lease-renew-deadline=8").is_ok());
        let problem = timing("--lease-duration=15", "--lease-renew-deadline=10").unwrap_err();
        assert_eq!(
            problem.to_string(),
            "the duration of the lease has to be at least 7 s longer than the renew deadline (5 s to connect to \
             a BIG-IP and 2 s for a busy machine): set --lease-duration to 17 or more, or \
             --lease-renew-deadline to 8 or less"
        );
    }

    #[test]
    fn version_names_commit_and_platform() {
        let platform = format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS);
        let version = env!("CARGO_PKG_VERSION");
        let expected = format!("{version} (0123abc, {platform})");
        assert_eq!(version_of(Some("0123abc")), expected);
        assert_eq!(version_of(None), format!("{version} ({platform})"));
        let error = Args::try_parse_from(["operator", "--version"]).unwrap_err();
        assert!(error.to_string().contains(&platform), "{error}");
    }

    #[test]
    fn last_of_a_repeated_argument_counts() {
        let args = ["operator", "--leader-elect=true", "--leader-elect=false"];
        assert!(!Args::try_parse_from(args).unwrap().leader_elect);
    }

    #[test]
    fn networks_may_be_repeated() {
        let args = [
            "operator",
            "--device-cidrs=10.1.0.0/16",
            "--device-cidrs=10.2.0.0/16",
        ];
        let networks = Args::try_parse_from(args).unwrap().device_networks;
        assert_eq!(networks.len(), 2);
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
