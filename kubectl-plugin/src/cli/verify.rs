//! What can be typed to have paths to pods proven. Holds exactly what was typed.

use clap::builder::RangedU64ValueParser;
use clap::{Args, ValueEnum};

use super::completion::Completes;
use crate::connection::{RequestTimeout, parse_timeout};

/// Examples of `verify`. Every line without `#` is run through the parser by a test.
pub(crate) const VERIFY_EXAMPLES: &str = "\
Examples:
  # Ping a sample of nodes from every BIG-IP of a tunnel, the nodes of the last hour among them
  kubectl bigip-tunnel verify prod-east -n bigip

  # Ping one node from one BIG-IP, and show addresses and times
  kubectl bigip-tunnel verify prod-east -n bigip --node worker-02 --device bigip-b -o wide

  # Ping a pod, where the nodes have no health endpoint
  kubectl bigip-tunnel verify prod-east -n bigip --pod shop/web-5d7f9

  # Show what pinging all nodes costs, and do it after a question
  kubectl bigip-tunnel verify prod-east -n bigip --all

  # Do it in a pipeline, with a result for its reports
  kubectl bigip-tunnel verify prod-east -n bigip --all --yes -o junit

Exit codes: 0 every node that was asked for answers, 1 a node does not, 3 a node or a BIG-IP could not be
asked, 4 --timeout was over before all were.";

#[derive(Args, Debug)]
pub(crate) struct VerifyArgs {
    /// Name of the tunnel; without it, all tunnels of the namespace
    #[arg(value_name = "NAME", add = Completes::Tunnels)]
    pub(crate) name: Option<String>,

    /// Only these nodes
    #[arg(
        long = "node",
        value_name = "NAME",
        value_delimiter = ',',
        requires = "name",
        add = Completes::Nodes
    )]
    pub(crate) nodes: Vec<String>,

    /// Ping this pod; without it, the health endpoint that Cilium has on every node
    #[arg(
        long,
        value_name = "NAMESPACE/NAME",
        value_parser = pod,
        conflicts_with_all = ["nodes", "sample", "all"]
    )]
    pub(crate) pod: Option<PodName>,

    /// Only from these BIG-IPs
    #[arg(
        long = "device",
        value_name = "NAME",
        value_delimiter = ',',
        requires = "name",
        add = Completes::Devices
    )]
    pub(crate) devices: Vec<String>,

    /// How many nodes to ping besides those of the last hour
    #[arg(
        long,
        value_name = "NUMBER",
        default_value_t = 16,
        value_parser = RangedU64ValueParser::<usize>::new().range(1..=20_000),
        conflicts_with_all = ["nodes", "all"]
    )]
    pub(crate) sample: usize,

    /// Ping all nodes; says what it costs, and asks
    #[arg(long, conflicts_with = "nodes")]
    pub(crate) all: bool,

    /// Do not ask. Needed for many nodes where there is no terminal
    #[arg(short, long)]
    pub(crate) yes: bool,

    /// Namespace of Cilium; without it, kube-system and cilium are searched
    #[arg(long, value_name = "NAMESPACE", add = Completes::Namespaces)]
    pub(crate) cilium_namespace: Option<String>,

    /// Send the password also where the spec turns the verification of the certificate off
    #[arg(long)]
    pub(crate) allow_insecure_tls: bool,

    /// Longest time for the pings, such as 30s or 5m; 0 for no limit
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = parse_timeout)]
    pub(crate) timeout: RequestTimeout,

    /// Output format; without it, a table and the likely causes
    #[arg(short, long, value_enum, value_name = "FORMAT")]
    pub(crate) output: Option<VerifyFormat>,
}

/// How a report of `verify` can be printed.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum VerifyFormat {
    Wide,
    Json,
    Yaml,
    /// A test suite per BIG-IP and a test case per node
    Junit,
}

/// A pod, as typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PodName {
    pub(crate) namespace: String,
    pub(crate) name: String,
}

fn pod(text: &str) -> Result<PodName, &'static str> {
    const NEEDED: &str = "namespace and name are needed, such as shop/web-5d7f9";
    let (namespace, name) = text.split_once('/').ok_or(NEEDED)?;
    let is_name = |text: &str| {
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.".contains(c);
        !text.is_empty() && text.len() <= 253 && text.chars().all(fits)
    };
    if !is_name(namespace) || !is_name(name) {
        return Err(NEEDED);
    }
    Ok(PodName {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
    })
}
