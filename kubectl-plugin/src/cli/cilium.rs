//! What can be typed to get Cilium's side of a tunnel. Holds exactly what was typed.

use clap::{Args, ValueEnum};

use super::completion::Completes;

/// Examples of `cilium`. Every line without `#` is run through the parser by a test.
pub(crate) const CILIUM_EXAMPLES: &str = "\
Examples:
  # Print the Helm values of Cilium for all tunnels of the cluster
  kubectl bigip-tunnel cilium -A

  # Print the keys of cilium-config for one tunnel, beside the entries that others have
  kubectl bigip-tunnel cilium prod-east -n bigip -o configmap

  # Show what differs from the cluster; exit code 1 says that something does
  kubectl bigip-tunnel cilium -A --diff

  # Print CiliumVTEPConfigs, where agents can read them
  kubectl bigip-tunnel cilium -A -o vtepconfig";

#[derive(Args, Debug)]
pub(crate) struct CiliumArgs {
    /// Names of the tunnels; without them, all tunnels of the namespace
    #[arg(value_name = "NAME", add = Completes::Tunnels)]
    pub(crate) names: Vec<String>,

    /// Namespace of Cilium; without it, kube-system and cilium are searched
    #[arg(long, value_name = "NAMESPACE", add = Completes::Namespaces)]
    pub(crate) cilium_namespace: Option<String>,

    /// Compare with what the cluster has, instead of printing it
    #[arg(long)]
    pub(crate) diff: bool,

    /// What is printed: Helm values, cilium-config, or objects
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t = CiliumFormat::Helm)]
    pub(crate) output: CiliumFormat,
}

/// How VTEP entries can be printed.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CiliumFormat {
    /// Values of Cilium's Helm chart
    Helm,
    /// The keys of cilium-config; the next helm upgrade reverts them
    Configmap,
    /// CiliumVTEPConfigs
    Vtepconfig,
}
