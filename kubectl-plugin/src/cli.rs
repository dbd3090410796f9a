//! What can be typed. Holds exactly what was typed; what it means is the verbs' business.

pub(crate) mod act;
pub(crate) mod bundle;
pub(crate) mod cilium;
pub(crate) mod completion;
pub(crate) mod migrate;
pub(crate) mod see;
pub(crate) mod start;
pub(crate) mod verify;
pub(crate) mod why;

use std::net::Ipv4Addr;

use bigip_tunnel_core::endpoint::RouteDomain;
use bigip_tunnel_core::mac::MacPrefix;
use bigip_tunnel_core::node::{AddressKind, Ipv4Net};
use bigip_tunnel_crds::v1alpha1::AddressType;
use clap::builder::styling::Styles;
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::connection::Connection;
use crate::style::StyleArgs;

/// Show and steer how F5 BIG-IP tunnels keep up with the nodes of a cluster.
///
/// Exit codes: 0 all is well, 1 something was found (see the output), 2 the command line is wrong,
/// 3 the cluster cannot be reached or does not allow it, 4 it took too long.
#[derive(Parser, Debug)]
#[command(
    // kubectl calls the plugin by its file name; people know it by this one.
    bin_name = "kubectl bigip-tunnel",
    version,
    styles = Styles::plain(),
    disable_version_flag = true,
    disable_help_subcommand = true,
    arg_required_else_help = true
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) connection: Connection,

    #[command(flatten)]
    pub(crate) style: StyleArgs,

    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// Show whether tunnels are in sync, and what to do if not
    #[command(after_help = see::STATUS_EXAMPLES)]
    Status(see::StatusArgs),

    /// Show every node and its FDB record on every BIG-IP
    #[command(after_help = see::FDB_EXAMPLES)]
    Fdb(see::FdbArgs),

    /// Show a tunnel, its BIG-IPs and their records as a tree
    #[command(after_help = see::TREE_EXAMPLES)]
    Tree(see::TreeArgs),

    /// Draw which BIG-IPs lead to which nodes
    #[command(after_help = see::GRAPH_EXAMPLES)]
    Graph(see::GraphArgs),

    /// Show Kubernetes events of tunnels, newest last
    #[command(after_help = see::EVENTS_EXAMPLES)]
    Events(see::EventsArgs),

    /// Check the cluster, Cilium and tunnels for everything that is known to go wrong
    #[command(after_help = why::CHECK_EXAMPLES)]
    Check(why::CheckArgs),

    /// Print the VTEP entries that Cilium needs, or compare them with the cluster
    ///
    /// Exit codes of --diff are those of kubectl diff: 0 nothing differs, 1 something does, more than 1
    /// it could not be found out.
    #[command(after_help = cilium::CILIUM_EXAMPLES)]
    Cilium(cilium::CiliumArgs),

    /// Ping nodes from the BIG-IPs, to prove that packets reach pods
    #[command(after_help = verify::VERIFY_EXAMPLES)]
    Verify(verify::VerifyArgs),

    /// Compare BIG-IPs with what they should hold
    ///
    /// Exit codes are those of kubectl diff: 0 nothing differs, 1 something does, more than 1 it
    /// could not be found out.
    #[command(after_help = why::DIFF_EXAMPLES)]
    Diff(why::DiffArgs),

    /// Collect a file for those who shall help, without anything secret
    #[command(after_help = bundle::REPORT_EXAMPLES)]
    Report(bundle::BundleArgs),

    /// Explain a check code or the reason of a condition
    #[command(after_help = why::EXPLAIN_EXAMPLES)]
    Explain(why::ExplainArgs),

    /// Print or apply a tunnel from flags
    #[command(after_help = start::CREATE_EXAMPLES)]
    Create(start::CreateArgs),

    /// Check manifests by the rules of the API server, without one
    #[command(after_help = start::LINT_EXAMPLES)]
    Lint(start::LintArgs),

    /// Take over tunnels from another product
    #[command(subcommand, disable_help_subcommand = true)]
    Migrate(migrate::MigrateCommand),

    /// Derive the FDB records of node addresses
    #[command(after_help = MACS_EXAMPLES)]
    Macs(MacsArgs),

    #[command(flatten)]
    Act(act::ActCommand),

    /// Remove records of our form that nobody claims, with your own rights on the BIG-IPs
    #[command(after_help = act::PRUNE_EXAMPLES)]
    Prune(act::PruneArgs),

    /// Print what installs the operator
    #[command(after_help = INSTALL_EXAMPLES)]
    Install(InstallArgs),

    /// Have shells complete what is typed
    #[command(after_help = completion::COMPLETION_EXAMPLES, disable_help_subcommand = true)]
    Completion(completion::CompletionArgs),

    /// Print the versions of the plugin, the operator and the API
    #[command(after_help = why::VERSION_EXAMPLES)]
    Version(why::VersionArgs),
}

/// Examples of `macs`. Every line without `#` is run through the parser by a test.
pub(crate) const MACS_EXAMPLES: &str = "\
Examples:
  # Derive the record of one node, without a cluster
  kubectl bigip-tunnel macs 10.169.72.239

  # Print the records of all nodes of the cluster as a BIG-IP lists them
  kubectl bigip-tunnel macs -o tmsh

  # Derive the records of a tunnel with an address source of its own
  kubectl bigip-tunnel macs --address-source ExternalIP --cidrs 10.1.0.0/16,10.2.0.0/16

  # Derive a record in route domain 20
  kubectl bigip-tunnel macs 10.169.72.239 --route-domain 20";

/// Examples of `install`.
pub(crate) const INSTALL_EXAMPLES: &str = "\
Examples:
  # Look at what would be installed, into the namespace bigip-system
  kubectl bigip-tunnel install --export

  # Print the same for another namespace; '| kubectl apply --server-side -f -' behind it installs it
  kubectl bigip-tunnel install --export -n bigip

  # Print the same with an image from a registry of your own
  kubectl bigip-tunnel install --export --image registry.example.com/bigip-tunnel/operator:0.1.0

  # Print the same with the rights to write CiliumVTEPConfigs
  kubectl bigip-tunnel install --export --manage-cilium

The operator is that of this plugin's version. The Helm chart does the same, and more with its values.";

#[derive(Args, Debug)]
pub(crate) struct InstallArgs {
    /// Print it as YAML, for kubectl apply --server-side; the plugin itself installs nothing
    #[arg(long, required = true)]
    pub(crate) export: bool,

    /// Let the operator write CiliumVTEPConfigs, for tunnels with spec.cilium.vtepConfig Managed
    #[arg(long)]
    pub(crate) manage_cilium: bool,

    /// Image of the operator, such as one in a registry of your own; with a tag or a digest
    #[arg(long, value_name = "IMAGE", value_parser = image)]
    pub(crate) image: Option<String>,
}

/// A reference of a container image: what it may consist of, and a tag or digest, without which the version would
/// be left to the registry.
fn image(text: &str) -> Result<String, String> {
    const WITHOUT: &str = "name a tag or a digest, such as registry.example.com/operator:0.1.0";
    let is_word = |text: &str, others: &str| {
        text.starts_with(|c: char| c.is_ascii_alphanumeric())
            && text
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || others.contains(c))
    };
    let (named, digest) = match text.split_once('@') {
        Some((named, digest)) => (named, Some(digest)),
        None => (text, None),
    };
    let last = named.rfind('/').map_or(0, |slash| slash + 1);
    let tag = named[last..].find(':').map(|colon| last + colon);
    let (name, tag) = match tag {
        Some(colon) => (&named[..colon], Some(&named[colon + 1..])),
        None => (named, None),
    };
    let is_digest = |digest: &str| {
        let hex = digest.strip_prefix("sha256:").unwrap_or_default();
        hex.len() == 64 && hex.chars().all(|c| c.is_ascii_hexdigit())
    };
    if !is_word(name, "._-/:") || name.ends_with('/') {
        return Err("not the reference of an image".to_owned());
    }
    match (tag, digest) {
        (None, None) => Err(WITHOUT.to_owned()),
        (Some(tag), _) if !is_word(tag, "._-") => Err("not a tag".to_owned()),
        (_, Some(digest)) if !is_digest(digest) => Err("not a SHA-256 digest".to_owned()),
        _ => Ok(text.to_owned()),
    }
}

#[derive(Args, Debug)]
pub(crate) struct MacsArgs {
    /// IPv4 addresses of nodes; without them, the nodes of the cluster are asked for theirs
    #[arg(value_name = "IP")]
    pub(crate) addresses: Vec<Ipv4Addr>,

    /// Where the addresses of the nodes are taken from (spec.nodes.addressSource.type)
    #[arg(
        long,
        value_enum,
        value_name = "TYPE",
        default_value = "InternalIP",
        conflicts_with = "addresses"
    )]
    pub(crate) address_source: AddressSource,

    /// Networks of which one has to hold the address (spec.nodes.addressSource.cidrs)
    #[arg(
        long,
        value_name = "CIDR",
        value_delimiter = ',',
        conflicts_with = "addresses"
    )]
    pub(crate) cidrs: Vec<Ipv4Net>,

    /// Networks whose addresses are never taken (spec.nodes.addressSource.excludeCIDRs)
    #[arg(
        long,
        value_name = "CIDR",
        value_delimiter = ',',
        conflicts_with = "addresses"
    )]
    pub(crate) exclude_cidrs: Vec<Ipv4Net>,

    /// First two octets of the MAC addresses (spec.fdb.macPrefix)
    #[arg(long, default_value_t = MacPrefix::DEFAULT)]
    pub(crate) prefix: MacPrefix,

    /// Route domain of the endpoints: that of the tunnel's local address
    #[arg(long, default_value_t = RouteDomain::ZERO)]
    pub(crate) route_domain: RouteDomain,

    /// Output format; without it, a table
    #[arg(short, long, value_enum, value_name = "FORMAT")]
    pub(crate) output: Option<RecordFormat>,
}

/// Where addresses are taken from, in the words of the spec.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AddressSource {
    #[value(name = "InternalIP")]
    InternalIp,
    #[value(name = "ExternalIP")]
    ExternalIp,
    #[value(name = "CiliumNode")]
    CiliumNode,
}

impl AddressSource {
    /// The same in a spec.
    pub(crate) const fn in_spec(self) -> AddressType {
        match self {
            Self::InternalIp => AddressType::InternalIp,
            Self::ExternalIp => AddressType::ExternalIp,
            Self::CiliumNode => AddressType::CiliumNode,
        }
    }

    /// The same for the derivation.
    pub(crate) const fn kind(self) -> AddressKind {
        match self {
            Self::InternalIp => AddressKind::InternalIp,
            Self::ExternalIp => AddressKind::ExternalIp,
            Self::CiliumNode => AddressKind::CiliumNode,
        }
    }
}

/// How records can be printed; `Tmsh` is the form of `tmsh list net fdb tunnel`.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RecordFormat {
    Tmsh,
    Json,
    Yaml,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parse(line: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(
            line.trim()
                .replace("kubectl bigip-tunnel", "plugin")
                .split_whitespace(),
        )
    }

    #[test]
    fn command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_example_of_the_help_can_be_typed() {
        let looking = see::EXAMPLES
            .into_iter()
            .chain([MACS_EXAMPLES, INSTALL_EXAMPLES])
            .chain([bundle::REPORT_EXAMPLES, completion::COMPLETION_EXAMPLES])
            .chain([cilium::CILIUM_EXAMPLES, verify::VERIFY_EXAMPLES]);
        for examples in looking
            .chain(why::EXAMPLES)
            .chain(start::EXAMPLES)
            .chain(migrate::EXAMPLES)
            .chain(act::EXAMPLES)
        {
            let mut lines = examples
                .lines()
                .map(str::trim)
                .filter(|line| line.starts_with("kubectl"));
            assert!(lines.clone().count() >= 2);
            assert!(lines.all(|line| parse(line).is_ok()), "{examples}");
        }
    }

    #[test]
    fn kubectl_flags_are_accepted_before_and_after_the_verb() {
        for line in [
            "plugin --context c -n bigip --as me --as-group a --as-group b status",
            "plugin status --context c -n bigip --as me --as-group a --as-group b",
        ] {
            let connection = parse(line).unwrap().connection;
            assert_eq!(connection.context.as_deref(), Some("c"));
            assert_eq!(connection.namespace.as_deref(), Some("bigip"));
            assert_eq!(connection.impersonate.as_deref(), Some("me"));
            assert_eq!(connection.impersonate_groups, ["a", "b"]);
        }
    }

    #[test]
    fn every_connection_flag_of_kubectl_can_be_typed() {
        let line = "plugin status --as me --as-group g --as-uid u --as-user-extra k=v \
                    --certificate-authority f --client-certificate f --client-key f --cluster c \
                    --context c --disable-compression --insecure-skip-tls-verify --kubeconfig f \
                    -n bigip --password p --request-timeout 5s --server https://192.0.2.1 \
                    --tls-server-name n --token t --user u --username n";
        let connection = parse(line).unwrap().connection;
        assert!(connection.disable_compression);
        let extra = ("k".to_owned(), "v".to_owned());
        assert_eq!(connection.impersonate_extra, [extra]);
    }

    #[test]
    fn contradictory_verify_is_a_usage_error() {
        for line in [
            "plugin verify x --pod web",
            "plugin verify x --pod shop/Web",
            "plugin verify x --pod shop/web --node worker-01",
            "plugin verify x --all --node worker-01",
            "plugin verify x --all --sample 3",
            "plugin verify x --sample 0",
            "plugin verify --node worker-01",
            "plugin verify --device bigip-a",
            "plugin verify x -o short",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }

    #[test]
    fn invalid_command_line_is_a_usage_error() {
        for line in [
            "plugin macs 10.0.0",
            "plugin macs fd00::1",
            "plugin macs --prefix 00:50 10.0.0.1",
            "plugin macs --route-domain 65535 10.0.0.1",
            "plugin macs --address-source Hostname",
            "plugin macs --cidrs fd00::/64",
            "plugin macs --cidrs 10.0.0.0/8 10.0.0.1",
            "plugin macs -o wide",
            "plugin fdb",
            "plugin status -o tmsh",
            "plugin status -A -n bigip",
            "plugin status --request-timeout soon",
            "plugin status --as me --as-user-extra scopes",
            "plugin reconcile",
            "plugin reconcile prod-east --all",
            "plugin reconcile prod-east --no-wait --timeout 5s",
            "plugin suspend --reason upgrade",
            "plugin suspend prod-east",
            "plugin suspend prod-east --reason upgrade --yes",
            "plugin resume",
            "plugin resume prod-east --dry-run",
            "plugin approve prod-east prod-west",
            "plugin accept-device prod-east",
            "plugin release",
            "plugin release prod-east -o wide",
            "plugin status --timeout 5s",
            "plugin status x -l team=network",
            "plugin status --color sometimes",
            "plugin fdb x --device",
            "plugin tree",
            "plugin tree x -o wide",
            "plugin graph x -o svg",
            "plugin check x --pre",
            "plugin check --failure-threshold info",
            "plugin diff",
            "plugin create",
            "plugin create x --tunnel t --secret s",
            "plugin create x --tunnel t --secret s --device a=b:0",
            "plugin create x --tunnel t --secret s --device a=b --dry-run=server",
            "plugin create x --tunnel t --secret s --device a=[fd00::1]8443",
            "plugin create x --tunnel /t --secret s --device a=b",
            "plugin lint",
            "plugin lint -f x --failure-threshold info",
            "plugin diff x --allow-insecure-tls",
            "plugin diff x -o wide",
            "plugin prune x",
            "plugin prune --direct",
            "plugin prune x --direct --dry-run=server",
            "plugin events -o wide",
            "plugin install",
            "plugin report --since 2h",
            "plugin report -o wide",
            "plugin completion",
            "plugin completion tcsh",
            "plugin completion bash --dir d",
            "plugin migrate",
            "plugin migrate cis a b",
            "plugin migrate cis a -f b",
            "plugin migrate cis --cilium-name=x",
        ] {
            assert_eq!(parse(line).unwrap_err().exit_code(), 2, "{line}");
        }
    }

    #[test]
    fn image_needs_a_tag_or_a_digest() {
        let digest = "0".repeat(64);
        for image in [
            "operator:1".to_owned(),
            "registry.example.com:5000/bigip-tunnel/operator:0.1.0".to_owned(),
            format!("registry.example.com/operator@sha256:{digest}"),
            format!("operator:1@sha256:{digest}"),
        ] {
            assert_eq!(super::image(&image), Ok(image.clone()));
        }
        for image in [
            "operator",
            "operator:",
            "registry.example.com:5000/operator",
            "operator:1\",x",
            "operator:1@",
            "operator@sha256:",
            "operator:@x",
            "-operator:1",
            "registry.example.com/:1",
        ] {
            assert!(super::image(image).is_err(), "{image}");
        }
    }
}
