//! What can be typed to find out why. Holds exactly what was typed.

use std::path::PathBuf;

use clap::{ArgGroup, Args, ValueEnum};

use super::completion::Completes;
use super::see::DataFormat;
use crate::connection::{RequestTimeout, parse_timeout};

/// Examples of `explain`. Every line without `#` is run through the parser by a test.
pub(crate) const EXPLAIN_EXAMPLES: &str = "\
Examples:
  # Say what a check code means, and what to do
  kubectl bigip-tunnel explain BTN0305

  # The same for the reason of a condition
  kubectl bigip-tunnel explain MassRemovalBlocked

  # List all codes
  kubectl bigip-tunnel explain";

/// Examples of `check`.
pub(crate) const CHECK_EXAMPLES: &str = "\
Examples:
  # Check the cluster, Cilium and the tunnels of the current namespace
  kubectl bigip-tunnel check

  # Check one tunnel
  kubectl bigip-tunnel check prod-east -n bigip

  # Have the BIG-IPs asked too: routes, self IPs, what virtual servers send from
  kubectl bigip-tunnel check prod-east -n bigip --direct

  # Check a cluster before the operator is installed
  kubectl bigip-tunnel check --pre

  # Wait until nothing fails any more, and print a line per finding
  kubectl bigip-tunnel check prod-east -n bigip --wait --timeout 2m -o short

  # Fail also for warnings, as in a pipeline
  kubectl bigip-tunnel check -A --failure-threshold warning -o json";

/// Examples of `diff`.
pub(crate) const DIFF_EXAMPLES: &str = "\
Examples:
  # Show what separates the BIG-IPs from what they should hold, as the status has it
  kubectl bigip-tunnel diff prod-east -n bigip

  # Ask the BIG-IPs themselves
  kubectl bigip-tunnel diff prod-east -n bigip --direct

  # Show what a person would type on one of them
  kubectl bigip-tunnel diff prod-east -n bigip --device bigip-b -o tmsh

  # Show what applying a file would do
  kubectl bigip-tunnel diff -n bigip -f prod-east.yaml";

/// Examples of `version`.
pub(crate) const VERSION_EXAMPLES: &str = "\
Examples:
  # Print the versions of the plugin, the operator and the API
  kubectl bigip-tunnel version

  # Print that of the plugin, without a cluster
  kubectl bigip-tunnel version --client -o json";

/// The examples of all verbs of this kind.
#[cfg(test)]
pub(super) const EXAMPLES: [&str; 4] = [
    CHECK_EXAMPLES,
    DIFF_EXAMPLES,
    EXPLAIN_EXAMPLES,
    VERSION_EXAMPLES,
];

#[derive(Args, Debug)]
pub(crate) struct CheckArgs {
    /// Names of the tunnels; without them, all tunnels are checked
    #[arg(value_name = "NAME", add = Completes::Tunnels)]
    pub(crate) names: Vec<String>,

    /// Check whether the operator can be installed
    #[arg(long, conflicts_with_all = ["names", "direct"])]
    pub(crate) pre: bool,

    /// Namespace of Cilium; without it, kube-system and cilium are searched
    #[arg(long, value_name = "NAMESPACE", add = Completes::Namespaces)]
    pub(crate) cilium_namespace: Option<String>,

    #[command(flatten)]
    pub(crate) direct: DirectArgs,

    /// From which findings on the exit code is 1
    #[arg(
        long,
        value_enum,
        value_name = "LEVEL",
        default_value_t = Threshold::Error
    )]
    pub(crate) failure_threshold: Threshold,

    /// Exit with 1 also when a check could not be made
    #[arg(long)]
    pub(crate) strict: bool,

    /// Check again until nothing fails
    #[arg(long)]
    pub(crate) wait: bool,

    /// Longest time for --wait, such as 30s or 5m; 0 for no limit
    #[arg(
        long,
        value_name = "TIME",
        default_value = "5m",
        value_parser = parse_timeout,
        requires = "wait"
    )]
    pub(crate) timeout: RequestTimeout,

    /// Output format; without it, text
    #[arg(short, long, value_enum, value_name = "FORMAT")]
    pub(crate) output: Option<CheckFormat>,
}

/// How a report of `check` can be printed; `Short` is a line per finding.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CheckFormat {
    Short,
    Json,
    Yaml,
}

/// From which findings on something has failed.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Threshold {
    Warning,
    Error,
}

#[derive(Args, Debug)]
pub(crate) struct VersionArgs {
    /// Only the plugin: ask no cluster
    #[arg(long)]
    pub(crate) client: bool,

    /// Output format; without it, text
    #[arg(short, long, value_enum, value_name = "FORMAT")]
    pub(crate) output: Option<DataFormat>,
}

#[derive(Args, Debug)]
pub(crate) struct ExplainArgs {
    /// A check code or a reason; without it, all codes are listed
    #[arg(value_name = "CODE|REASON", add = Completes::Words)]
    pub(crate) word: Option<String>,

    /// Output format; without it, text
    #[arg(short, long, value_enum, value_name = "FORMAT")]
    pub(crate) output: Option<DataFormat>,
}

/// That BIG-IPs are asked by the plugin itself.
#[derive(Args, Debug)]
pub(crate) struct DirectArgs {
    /// Ask the BIG-IPs themselves, with the login of the tunnel's Secret
    #[arg(long)]
    pub(crate) direct: bool,

    /// Send the password also where the spec says that nobody is verified
    #[arg(long, requires = "direct")]
    pub(crate) allow_insecure_tls: bool,
}

#[derive(Args, Debug)]
#[command(group(ArgGroup::new("which").args(["name", "file"]).required(true).multiple(true)))]
pub(crate) struct DiffArgs {
    /// Name of the tunnel
    #[arg(value_name = "NAME", add = Completes::Tunnels)]
    pub(crate) name: Option<String>,

    /// File with the tunnel as it shall be, - for standard input: what applying it would do
    #[arg(short, long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,

    /// Only these BIG-IPs
    #[arg(
        long = "device",
        value_name = "NAME",
        value_delimiter = ',',
        add = Completes::Devices
    )]
    pub(crate) devices: Vec<String>,

    #[command(flatten)]
    pub(crate) direct: DirectArgs,

    /// Output format; without it, a list per BIG-IP. `unified` obeys `KUBECTL_EXTERNAL_DIFF`
    #[arg(short, long, value_enum, value_name = "FORMAT")]
    pub(crate) output: Option<DiffFormat>,
}

/// How differences can be printed; `Tmsh` is what a person would type on the BIG-IPs.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DiffFormat {
    Unified,
    Tmsh,
    Json,
    Yaml,
}
