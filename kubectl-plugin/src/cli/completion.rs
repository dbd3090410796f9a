//! What can be typed about completion, and what can be completed. Holds exactly what was typed.

use std::path::PathBuf;

use clap::builder::ArgExt;
use clap::{Args, Subcommand};

/// Examples of `completion`. Every line without `#` is run through the parser by a test.
pub(crate) const COMPLETION_EXAMPLES: &str = "\
Examples:
  # Have kubectl complete what follows kubectl bigip-tunnel, where kubectl itself completes
  kubectl bigip-tunnel completion install

  # The same in a directory of your choice; it has to be on the PATH
  kubectl bigip-tunnel completion install --dir /usr/local/bin

  # Complete kubectl-bigip_tunnel itself in this shell: source what this prints
  kubectl bigip-tunnel completion bash";

/// What the value of an argument is the name of. Completion looks the names up; the parser does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Completes {
    /// A tunnel of the namespace.
    Tunnels,
    /// A BIG-IP that the tunnel on the line lists.
    Devices,
    /// A BIG-IP that the tunnel on the line does not list any more.
    FormerDevices,
    /// A node that the tunnel on the line selects.
    Nodes,
    Namespaces,
    /// A context of the kubeconfig.
    Contexts,
    /// A cluster of the kubeconfig.
    Clusters,
    /// A user of the kubeconfig.
    Users,
    /// A check code, or the reason of a condition.
    Words,
}

impl ArgExt for Completes {}

#[derive(Args, Debug)]
pub(crate) struct CompletionArgs {
    #[command(subcommand)]
    pub(crate) command: CompletionCommand,
}

#[derive(Subcommand, Clone, Debug)]
pub(crate) enum CompletionCommand {
    /// Put a link where kubectl looks for the completion of its plugins
    Install(InstallArgs),
    /// Print the script for bash
    Bash,
    /// Print the script for zsh
    Zsh,
    /// Print the script for fish
    Fish,
    /// Print the script for `PowerShell`
    #[command(about = "Print the script for PowerShell")]
    Powershell,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct InstallArgs {
    /// Directory for the link; without it, that of the plugin, or the first of the PATH that can be
    /// written to
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
}
