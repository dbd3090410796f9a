//! What can be typed to look at something. Holds exactly what was typed.

use std::time::Duration;

use clap::{Args, ValueEnum};

use super::completion::Completes;
use crate::connection::{RequestTimeout, parse_timeout};

/// Examples of `status`. Every line without `#` is run through the parser by a test.
pub(crate) const STATUS_EXAMPLES: &str = "\
Examples:
  # Show all tunnels of the current namespace
  kubectl bigip-tunnel status

  # Show one tunnel with its BIG-IPs
  kubectl bigip-tunnel status prod-east -n bigip

  # Keep looking at it
  kubectl bigip-tunnel status prod-east -n bigip -w

  # Wait until all tunnels with a label are ready; exit with 4 after two minutes
  kubectl bigip-tunnel status -A -l team=network --wait --timeout 2m

  # Show the tunnels of all namespaces as JSON
  kubectl bigip-tunnel status -A -o json";

/// Examples of `fdb`.
pub(crate) const FDB_EXAMPLES: &str = "\
Examples:
  # Show the records of a tunnel
  kubectl bigip-tunnel fdb prod-east -n bigip

  # Show only what is not as it should be, with endpoints
  kubectl bigip-tunnel fdb prod-east -n bigip --problems -o wide

  # Keep looking at the record of one node on one BIG-IP
  kubectl bigip-tunnel fdb prod-east -n bigip --node worker-02 --device bigip-b -w";

/// Examples of `tree`.
pub(crate) const TREE_EXAMPLES: &str = "\
Examples:
  # Show a tunnel with its BIG-IPs and their records
  kubectl bigip-tunnel tree prod-east -n bigip

  # Show every single record
  kubectl bigip-tunnel tree prod-east -n bigip --no-grouping";

/// Examples of `graph`.
pub(crate) const GRAPH_EXAMPLES: &str = "\
Examples:
  # Draw a tunnel on the terminal
  kubectl bigip-tunnel graph prod-east -n bigip

  # Draw it for a web page; with dot, Graphviz makes a picture of it
  kubectl bigip-tunnel graph prod-east -n bigip -o mermaid";

/// Examples of `events`.
pub(crate) const EVENTS_EXAMPLES: &str = "\
Examples:
  # Show what happened to a tunnel lately
  kubectl bigip-tunnel events prod-east -n bigip

  # Show what happened to all tunnels
  kubectl bigip-tunnel events -A";

#[derive(Args, Debug, Default)]
pub(crate) struct StatusArgs {
    /// Names of the tunnels; without them, all tunnels are shown
    #[arg(value_name = "NAME", add = Completes::Tunnels)]
    pub(crate) names: Vec<String>,

    /// Only tunnels with these labels, such as team=network
    #[arg(short = 'l', long, value_name = "LABELS", conflicts_with = "names")]
    pub(crate) selector: Option<String>,

    /// Output format; without it, a table
    #[arg(short, long, value_enum, value_name = "FORMAT")]
    pub(crate) output: Option<StatusFormat>,

    /// Print a line per tunnel and nothing else, also for a single one
    #[arg(long)]
    pub(crate) no_headers: bool,

    /// Keep looking, and show every change
    #[arg(short, long)]
    pub(crate) watch: bool,

    /// Wait until the tunnels are ready
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
}

impl StatusArgs {
    /// The longest time to wait, if there is a limit.
    pub(crate) const fn limit(&self) -> Option<Duration> {
        self.timeout.0
    }
}

#[derive(Args, Debug)]
pub(crate) struct FdbArgs {
    /// Name of the tunnel
    #[arg(value_name = "NAME", add = Completes::Tunnels)]
    pub(crate) name: String,

    /// Only this BIG-IP; can be given several times
    #[arg(long = "device", value_name = "NAME", add = Completes::Devices)]
    pub(crate) devices: Vec<String>,

    /// Only this node; can be given several times
    #[arg(long = "node", value_name = "NAME", add = Completes::Nodes)]
    pub(crate) nodes: Vec<String>,

    /// Only nodes whose record is not known to be right everywhere
    #[arg(long)]
    pub(crate) problems: bool,

    /// Output format; without it, a table
    #[arg(short, long, value_enum, value_name = "FORMAT")]
    pub(crate) output: Option<TableFormat>,

    /// Keep looking, and show every change
    #[arg(short, long)]
    pub(crate) watch: bool,
}

#[derive(Args, Debug)]
pub(crate) struct TreeArgs {
    /// Name of the tunnel
    #[arg(value_name = "NAME", add = Completes::Tunnels)]
    pub(crate) name: String,

    /// Give every record a line, also where many are alike
    #[arg(long)]
    pub(crate) no_grouping: bool,

    /// Output format; without it, a tree
    #[arg(short, long, value_enum, value_name = "FORMAT")]
    pub(crate) output: Option<DataFormat>,

    /// Keep looking, and show every change
    #[arg(short, long)]
    pub(crate) watch: bool,
}

#[derive(Args, Debug)]
pub(crate) struct GraphArgs {
    /// Name of the tunnel
    #[arg(value_name = "NAME", add = Completes::Tunnels)]
    pub(crate) name: String,

    /// Draw every node, also where many are alike
    #[arg(long)]
    pub(crate) no_grouping: bool,

    /// Output format
    #[arg(
        short,
        long,
        value_enum,
        value_name = "FORMAT",
        default_value = "ascii"
    )]
    pub(crate) output: GraphFormat,
}

#[derive(Args, Debug)]
pub(crate) struct EventsArgs {
    /// Names of the tunnels; without them, the events of all tunnels are shown
    #[arg(value_name = "NAME", add = Completes::Tunnels)]
    pub(crate) names: Vec<String>,

    /// Output format; without it, a table
    #[arg(short, long, value_enum, value_name = "FORMAT")]
    pub(crate) output: Option<DataFormat>,
}

/// How a graph can be drawn: for a terminal, or in the language of a program that draws.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GraphFormat {
    Ascii,
    Mermaid,
    Dot,
    Json,
    Yaml,
}

/// How a report can be printed for a program.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DataFormat {
    Json,
    Yaml,
}

/// How `status` can be printed; `Wide` is the table with more columns, `Name` the name of the resource.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StatusFormat {
    Wide,
    Name,
    Json,
    Yaml,
}

/// How a report that has a table can be printed; `Wide` is the table with more columns.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TableFormat {
    Wide,
    Json,
    Yaml,
}

/// The examples of all verbs that look.
#[cfg(test)]
pub(crate) const EXAMPLES: [&str; 5] = [
    STATUS_EXAMPLES,
    FDB_EXAMPLES,
    TREE_EXAMPLES,
    GRAPH_EXAMPLES,
    EVENTS_EXAMPLES,
];
