//! What can be typed to change something.
//!
//! Holds exactly what was typed. A flag is only where it means something: `--yes` belongs to the verbs
//! that ask.

use clap::builder::TypedValueParser as _;
use clap::{ArgGroup, Args, Subcommand, ValueEnum};

use super::completion::Completes;
use super::see::DataFormat;
use super::why::DirectArgs;
use crate::connection::{RequestTimeout, parse_timeout};

/// The verbs that change something.
#[derive(Subcommand, Debug)]
pub(crate) enum ActCommand {
    /// Ask the operator to work on tunnels now, and wait until it has
    #[command(after_help = RECONCILE_EXAMPLES)]
    Reconcile(ReconcileArgs),

    /// Stop work on tunnels; the BIG-IPs keep their records
    #[command(after_help = SUSPEND_EXAMPLES)]
    Suspend(SuspendArgs),

    /// Go on with suspended tunnels
    #[command(after_help = RESUME_EXAMPLES)]
    Resume(ResumeArgs),

    /// Let a removal go that is pending approval because it is large
    #[command(after_help = APPROVE_EXAMPLES)]
    Approve(ApproveArgs),

    /// Accept another box behind the address of a BIG-IP
    #[command(after_help = ACCEPT_DEVICE_EXAMPLES)]
    AcceptDevice(AcceptDeviceArgs),

    /// Let go of a tunnel, or of a BIG-IP, that cannot be cleaned up; its records stay
    #[command(after_help = RELEASE_EXAMPLES)]
    Release(ReleaseArgs),
}

impl ActCommand {
    /// What all of them have.
    pub(crate) const fn change(&self) -> &ChangeArgs {
        match self {
            Self::Reconcile(args) => &args.change,
            Self::Suspend(args) => &args.change,
            Self::Resume(args) => &args.change,
            Self::Approve(args) => &args.decision.change,
            Self::AcceptDevice(args) => &args.decision.change,
            Self::Release(args) => &args.decision.change,
        }
    }
}

/// The examples of all of them.
#[cfg(test)]
pub(crate) const EXAMPLES: [&str; 7] = [
    RECONCILE_EXAMPLES,
    SUSPEND_EXAMPLES,
    RESUME_EXAMPLES,
    APPROVE_EXAMPLES,
    ACCEPT_DEVICE_EXAMPLES,
    RELEASE_EXAMPLES,
    PRUNE_EXAMPLES,
];

const RECONCILE_EXAMPLES: &str = "\
Examples:
  # Have the BIG-IPs of a tunnel read and put right now
  kubectl bigip-tunnel reconcile prod-east -n bigip

  # Only ask for it
  kubectl bigip-tunnel reconcile prod-east -n bigip --no-wait

  # Do it for all tunnels of all namespaces, within two minutes
  kubectl bigip-tunnel reconcile --all -A --timeout 2m";

const SUSPEND_EXAMPLES: &str = "\
Examples:
  # Leave the BIG-IPs of a tunnel alone during an upgrade
  kubectl bigip-tunnel suspend prod-east -n bigip --reason CHG0012345

  # See whether the API server would accept it
  kubectl bigip-tunnel suspend prod-east -n bigip --reason CHG0012345 --dry-run=server";

const RESUME_EXAMPLES: &str = "\
Examples:
  # Go on with a tunnel
  kubectl bigip-tunnel resume prod-east -n bigip

  # Go on with several
  kubectl bigip-tunnel resume prod-east prod-west -n bigip";

const APPROVE_EXAMPLES: &str = "\
Examples:
  # Show which records are pending approval, and let them go after a question
  kubectl bigip-tunnel approve prod-east -n bigip

  # Only show them
  kubectl bigip-tunnel approve prod-east -n bigip --dry-run=client";

const ACCEPT_DEVICE_EXAMPLES: &str = "\
Examples:
  # Show which box answers as bigip-b, and go on with it after a question
  kubectl bigip-tunnel accept-device prod-east bigip-b -n bigip

  # Accept it in a script
  kubectl bigip-tunnel accept-device prod-east bigip-b -n bigip --yes";

const RELEASE_EXAMPLES: &str = "\
Examples:
  # Let go of a tunnel that is being deleted and whose BIG-IPs cannot be cleaned up
  kubectl bigip-tunnel release prod-east -n bigip

  # Let go of a BIG-IP that was taken off the list and does not answer any more
  kubectl bigip-tunnel release prod-east bigip-b -n bigip";

/// Examples of `prune`. Every line without `#` is run through the parser by a test.
pub(crate) const PRUNE_EXAMPLES: &str = "\
Examples:
  # Show the records of our form that nobody claims, and remove them after a question
  kubectl bigip-tunnel prune prod-east -n bigip --direct

  # Only show those of one BIG-IP
  kubectl bigip-tunnel prune prod-east -n bigip --direct --device bigip-b --dry-run=client";

/// What all verbs have that change something.
#[derive(Args, Debug)]
pub(crate) struct ChangeArgs {
    /// Only say what would be done: by the plugin (client), or as far as the API server is asked too
    #[arg(long, value_enum, value_name = "MODE", default_value_t = DryRun::None)]
    pub(crate) dry_run: DryRun,

    /// Output format; without it, a line per tunnel
    #[arg(short, long, value_enum, value_name = "FORMAT")]
    pub(crate) output: Option<ActionFormat>,
}

/// What all verbs have that ask before they change something.
#[derive(Args, Debug)]
pub(crate) struct DecisionArgs {
    /// Do not ask. Needed where there is no terminal
    #[arg(short, long)]
    pub(crate) yes: bool,

    #[command(flatten)]
    pub(crate) change: ChangeArgs,
}

/// Whether anything is stored.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DryRun {
    None,
    Client,
    Server,
}

/// How it can be printed what was done; `Name` is the name of the resource.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ActionFormat {
    Name,
    Json,
    Yaml,
}

#[derive(Args, Debug)]
#[command(group(ArgGroup::new("which").args(["names", "all"]).required(true)))]
pub(crate) struct ReconcileArgs {
    /// Names of the tunnels
    #[arg(value_name = "NAME", add = Completes::Tunnels)]
    pub(crate) names: Vec<String>,

    /// All tunnels that are not suspended
    #[arg(long)]
    pub(crate) all: bool,

    /// How long to wait, such as 30s or 2m; 0 for no limit
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = parse_timeout)]
    pub(crate) timeout: RequestTimeout,

    /// Do not wait for the operator
    #[arg(long, conflicts_with = "timeout")]
    pub(crate) no_wait: bool,

    #[command(flatten)]
    pub(crate) change: ChangeArgs,
}

#[derive(Args, Debug)]
pub(crate) struct SuspendArgs {
    /// Names of the tunnels
    #[arg(value_name = "NAME", required = true, add = Completes::Tunnels)]
    pub(crate) names: Vec<String>,

    /// Why, for those who find the tunnel suspended
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: String,

    #[command(flatten)]
    pub(crate) change: ChangeArgs,
}

#[derive(Args, Debug)]
pub(crate) struct ResumeArgs {
    /// Names of the tunnels
    #[arg(value_name = "NAME", required = true, add = Completes::Tunnels)]
    pub(crate) names: Vec<String>,

    #[command(flatten)]
    pub(crate) change: ChangeArgs,
}

#[derive(Args, Debug)]
pub(crate) struct ApproveArgs {
    /// Name of the tunnel
    #[arg(value_name = "NAME", add = Completes::Tunnels)]
    pub(crate) name: String,

    #[command(flatten)]
    pub(crate) decision: DecisionArgs,
}

#[derive(Args, Debug)]
pub(crate) struct AcceptDeviceArgs {
    /// Name of the tunnel
    #[arg(value_name = "NAME", add = Completes::Tunnels)]
    pub(crate) name: String,

    /// Name of the BIG-IP in spec.devices
    #[arg(value_name = "DEVICE", add = Completes::Devices)]
    pub(crate) device: String,

    #[command(flatten)]
    pub(crate) decision: DecisionArgs,
}

#[derive(Args, Debug)]
pub(crate) struct ReleaseArgs {
    /// Name of the tunnel
    #[arg(value_name = "NAME", add = Completes::Tunnels)]
    pub(crate) name: String,

    /// Name of a BIG-IP that is no longer listed; without it, the tunnel itself, which has to be in
    /// deletion
    #[arg(value_name = "DEVICE", add = Completes::FormerDevices)]
    pub(crate) device: Option<String>,

    #[command(flatten)]
    pub(crate) decision: DecisionArgs,
}

#[derive(Args, Debug)]
#[command(group(ArgGroup::new("how").args(["direct"]).required(true)))]
pub(crate) struct PruneArgs {
    /// Name of the tunnel
    #[arg(value_name = "NAME", add = Completes::Tunnels)]
    pub(crate) name: String,

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

    /// Do not ask. Needed where there is no terminal
    #[arg(short, long)]
    pub(crate) yes: bool,

    /// Save the configuration of a BIG-IP from which something was removed, with everybody's changes
    #[arg(long)]
    pub(crate) save: bool,

    /// Only say what would be removed; a BIG-IP has no dry run of its own
    #[arg(
        long,
        value_enum,
        value_name = "MODE",
        default_value_t = DryRun::None,
        value_parser = clap::builder::EnumValueParser::<DryRun>::new().try_map(of_the_plugin)
    )]
    pub(crate) dry_run: DryRun,

    /// Output format; without it, a line per record
    #[arg(short, long, value_enum, value_name = "FORMAT")]
    pub(crate) output: Option<DataFormat>,
}

/// A dry run that needs nobody else.
fn of_the_plugin(mode: DryRun) -> Result<DryRun, &'static str> {
    match mode {
        DryRun::Server => Err("a BIG-IP has no dry run; client shows what would be removed"),
        mode => Ok(mode),
    }
}
