//! What can be typed about a support bundle. Holds exactly what was typed.

use std::path::PathBuf;

use clap::Args;

use super::completion::Completes;
use super::see::DataFormat;
use crate::connection::{RequestTimeout, parse_timeout};

/// Examples of `report`. Every line without `#` is run through the parser by a test.
pub(crate) const REPORT_EXAMPLES: &str = "\
Examples:
  # Collect what helps others to see what is wrong with the tunnels of a namespace
  kubectl bigip-tunnel report -n bigip

  # The same for one tunnel, with what the operator has logged lately
  kubectl bigip-tunnel report prod-east -n bigip --logs --since 2h -f prod-east.zip

Inside are the tunnels, their status, records and events, the operator's Deployments and Pods, Cilium's
configuration, and of nodes the name, labels, addresses, pod networks and conditions: addresses and host
names are to be read there. Of Secrets only the names of the keys are inside, of environment variables
only the names. What you may not read is left out, and index.json says so.";

#[derive(Args, Debug)]
pub(crate) struct BundleArgs {
    /// Names of the tunnels; without them, all tunnels of the namespace
    #[arg(value_name = "NAME", add = Completes::Tunnels)]
    pub(crate) names: Vec<String>,

    /// File to write; without it, bigip-tunnel-report-TIME.zip
    #[arg(short, long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,

    /// Put the operator's logs in too, at most 10 MiB of every container
    #[arg(long)]
    pub(crate) logs: bool,

    /// How old the logs may be, such as 30m or 48h; 0 for no limit
    #[arg(
        long,
        value_name = "TIME",
        default_value = "48h",
        value_parser = parse_timeout,
        requires = "logs"
    )]
    pub(crate) since: RequestTimeout,

    /// Print the index in this form; without it, where the bundle is
    #[arg(short, long, value_enum, value_name = "FORMAT")]
    pub(crate) output: Option<DataFormat>,
}
