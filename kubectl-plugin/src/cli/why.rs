//! What can be typed to find out why. Holds exactly what was typed.

use clap::{Args, ValueEnum};

use super::see::DataFormat;

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

  # Check a cluster before the operator is installed
  kubectl bigip-tunnel check --pre

  # Fail also for warnings, as in a pipeline
  kubectl bigip-tunnel check -A --failure-threshold warning -o json";

/// The examples of all verbs of this kind.
#[cfg(test)]
pub(super) const EXAMPLES: [&str; 2] = [CHECK_EXAMPLES, EXPLAIN_EXAMPLES];

#[derive(Args, Debug)]
pub(crate) struct CheckArgs {
    /// Names of the tunnels; without them, all tunnels are checked
    #[arg(value_name = "NAME")]
    pub(crate) names: Vec<String>,

    /// Check whether the operator can be installed
    #[arg(long, conflicts_with = "names")]
    pub(crate) pre: bool,

    /// Namespace of Cilium; without it, kube-system and cilium are looked at
    #[arg(long, value_name = "NAMESPACE")]
    pub(crate) cilium_namespace: Option<String>,

    /// From which findings on the exit code is 1
    #[arg(
        long,
        value_enum,
        value_name = "LEVEL",
        default_value_t = Threshold::Error
    )]
    pub(crate) failure_threshold: Threshold,

    /// Output format; without it, text
    #[arg(short, long, value_enum, value_name = "FORMAT")]
    pub(crate) output: Option<DataFormat>,
}

/// From which findings on something has failed.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Threshold {
    Warning,
    Error,
}

#[derive(Args, Debug)]
pub(crate) struct ExplainArgs {
    /// A check code or a reason; without it, all codes are listed
    #[arg(value_name = "CODE|REASON")]
    pub(crate) word: Option<String>,

    /// Output format; without it, text
    #[arg(short, long, value_enum, value_name = "FORMAT")]
    pub(crate) output: Option<DataFormat>,
}
