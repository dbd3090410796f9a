//! What can be typed to come here from another product. Holds exactly what was typed.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::see::DataFormat;

/// Examples of `migrate cis`. Every line without `#` is run through the parser by a test.
pub(crate) const CIS_EXAMPLES: &str = "\
Examples:
  # Make objects of all F5 CIS in a namespace that write the records of a tunnel
  kubectl bigip-tunnel migrate cis -n kube-system

  # Make one of a certain Deployment; '> prod-east.yaml' behind it keeps it
  kubectl bigip-tunnel migrate cis k8s-bigip-ctlr -n kube-system

  # Make one for the namespace of the operator
  kubectl bigip-tunnel migrate cis k8s-bigip-ctlr -n kube-system --into bigip-system

  # Make one of a manifest, without a cluster
  kubectl bigip-tunnel migrate cis -f cis.yaml

  # The same of what Helm renders, with 'helm template ... |' before it
  kubectl bigip-tunnel migrate cis -f -

  # Add what the Deployment does not tell, since its Secret has it
  kubectl bigip-tunnel migrate cis k8s-bigip-ctlr -n kube-system -- --bigip-url=192.0.2.11

  # Make one of nothing but the arguments of CIS
  kubectl bigip-tunnel migrate cis -n bigip -- --cilium-name=/Common/flannel_vxlan --bigip-url=192.0.2.11

Nothing is changed, neither in the cluster nor on a BIG-IP. What is printed only observes; the comments before
it say what to do, in which order. Passwords are not printed, and Secrets are not read.";

/// The examples of all verbs of this kind.
#[cfg(test)]
pub(super) const EXAMPLES: [&str; 1] = [CIS_EXAMPLES];

#[derive(Subcommand, Debug)]
pub(crate) enum MigrateCommand {
    /// Make a BigIpTunnel from F5 CIS (k8s-bigip-ctlr), and say how to take over from it
    #[command(after_help = CIS_EXAMPLES)]
    Cis(CisArgs),
}

#[derive(Args, Debug)]
pub(crate) struct CisArgs {
    /// Name of the Deployment; without it, all of the namespace are looked at
    #[arg(value_name = "DEPLOYMENT")]
    pub(crate) deployment: Option<String>,

    /// Manifest of the Deployment or Pod instead, - for standard input
    #[arg(short, long, value_name = "FILE", conflicts_with = "deployment")]
    pub(crate) file: Option<PathBuf>,

    /// Namespace for the object; without it, that of CIS and its Secret
    #[arg(long, value_name = "NAMESPACE")]
    pub(crate) into: Option<String>,

    /// Output format; without it, a manifest with comments
    #[arg(short, long, value_enum, value_name = "FORMAT")]
    pub(crate) output: Option<DataFormat>,

    /// Arguments of CIS: in addition to those of the Deployment or the file, or on their own
    #[arg(last = true, value_name = "CIS-ARGUMENT")]
    pub(crate) arguments: Vec<String>,
}
