//! What can be typed to start with the product. Holds exactly what was typed.

use std::path::PathBuf;

use bigip_tunnel_core::node::Ipv4Net;
use bigip_tunnel_crds::v1alpha1::BundleKind;
use clap::{Args, ValueEnum};

use super::AddressSource;
use super::act::DryRun;
use super::see::DataFormat;
use super::why::Threshold;
use crate::report::new_tunnel::NewDevice;

/// Examples of `lint`. Every line without `#` is run through the parser by a test.
pub(crate) const LINT_EXAMPLES: &str = "\
Examples:
  # Check a file by the rules of the API server, without one
  kubectl bigip-tunnel lint -f prod-east.yaml

  # Check all manifests below a folder, and fail for warnings too
  kubectl bigip-tunnel lint -R -f tunnels/ --failure-threshold warning

  # Check what Kustomize makes, in a pipe
  kubectl bigip-tunnel lint -f -";

/// Examples of `create`.
pub(crate) const CREATE_EXAMPLES: &str = "\
Examples:
  # Print a tunnel on an HA pair, to be looked at and kept
  kubectl bigip-tunnel create prod-east -n bigip --tunnel /Common/flannel_vxlan --secret bigip-login \
--device bigip-a=192.0.2.11 --device bigip-b=192.0.2.12

  # Begin with looking only, and apply it after a question
  kubectl bigip-tunnel create prod-east -n bigip --tunnel flannel_vxlan --secret bigip-login \
--device bigip-a=192.0.2.11 --policy Observe --apply";

/// The examples of all verbs of this kind.
#[cfg(test)]
pub(super) const EXAMPLES: [&str; 2] = [CREATE_EXAMPLES, LINT_EXAMPLES];

#[derive(Args, Debug)]
pub(crate) struct LintArgs {
    /// File or folder with manifests, - for standard input; can be given several times
    #[arg(
        short = 'f',
        long = "filename",
        value_name = "FILE",
        value_delimiter = ',',
        required = true
    )]
    pub(crate) files: Vec<PathBuf>,

    /// Look into folders below folders too
    #[arg(short = 'R', long)]
    pub(crate) recursive: bool,

    /// From which findings on the exit code is 1
    #[arg(
        long,
        value_enum,
        value_name = "LEVEL",
        default_value_t = Threshold::Error
    )]
    pub(crate) failure_threshold: Threshold,

    /// Output format; without it, a line per finding
    #[arg(short, long, value_enum, value_name = "FORMAT")]
    pub(crate) output: Option<DataFormat>,
}

#[derive(Args, Debug)]
pub(crate) struct CreateArgs {
    /// Name of the object
    #[arg(value_name = "NAME")]
    pub(crate) name: String,

    /// The tunnel on the BIG-IPs, as /PARTITION/NAME, or its name if it is in Common
    #[arg(long, value_name = "PATH", value_parser = parse_tunnel)]
    pub(crate) tunnel: TunnelArg,

    /// A BIG-IP; can be given several times, once for each unit
    #[arg(
        long = "device",
        value_name = "NAME=ADDRESS[:PORT]",
        value_parser = parse_device,
        required = true
    )]
    pub(crate) devices: Vec<DeviceArg>,

    /// Secret with the login of the BIG-IPs
    #[arg(long, value_name = "NAME")]
    pub(crate) secret: String,

    /// What of the BIG-IPs' certificates is verified (spec.tls.verification)
    #[arg(long, value_enum, value_name = "WORD")]
    pub(crate) verification: Option<Verification>,

    /// Certificates to trust (spec.tls.caBundleRef)
    #[arg(long, value_name = "configmap|secret/NAME[:KEY]", value_parser = parse_bundle)]
    pub(crate) ca_bundle: Option<BundleArg>,

    /// SHA-256 fingerprint of a certificate to accept; can be given several times
    #[arg(long = "fingerprint", value_name = "SHA256")]
    pub(crate) fingerprints: Vec<String>,

    /// Labels of the nodes that have a record (spec.nodes.selector)
    #[arg(
        long = "node-selector",
        value_name = "KEY=VALUE",
        value_delimiter = ',',
        value_parser = parse_label
    )]
    pub(crate) node_labels: Vec<(String, String)>,

    /// Where the addresses of the nodes are taken from (spec.nodes.addressSource.type)
    #[arg(long, value_enum, value_name = "TYPE")]
    pub(crate) address_source: Option<AddressSource>,

    /// Networks of which one has to hold the address (spec.nodes.addressSource.cidrs)
    #[arg(long, value_name = "CIDR", value_delimiter = ',')]
    pub(crate) cidrs: Vec<Ipv4Net>,

    /// Networks whose addresses are never taken (spec.nodes.addressSource.excludeCIDRs)
    #[arg(long, value_name = "CIDR", value_delimiter = ',')]
    pub(crate) exclude_cidrs: Vec<Ipv4Net>,

    /// What may be written (spec.managementPolicy)
    #[arg(long, value_enum, value_name = "POLICY")]
    pub(crate) policy: Option<Policy>,

    /// Apply it, rather than print it
    #[arg(long)]
    pub(crate) apply: bool,

    /// Do not ask. Needed where there is no terminal
    #[arg(short, long, requires = "apply")]
    pub(crate) yes: bool,

    /// Only say what would be applied: by the plugin (client), or as far as the API server is asked too
    #[arg(long, value_enum, value_name = "MODE", default_value_t = DryRun::None, requires = "apply")]
    pub(crate) dry_run: DryRun,
}

/// The path of a tunnel, as typed: partition, where it is not Common, and name.
#[derive(Debug, Clone)]
pub(crate) struct TunnelArg(pub(crate) (Option<String>, String));

/// A BIG-IP, as typed.
#[derive(Debug, Clone)]
pub(crate) struct DeviceArg(pub(crate) NewDevice);

/// A CA bundle, as typed: kind, name and key.
#[derive(Debug, Clone)]
pub(crate) struct BundleArg(
    pub(crate) BundleKind,
    pub(crate) String,
    pub(crate) Option<String>,
);

/// How a certificate is verified, in the words of the spec.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verification {
    #[value(name = "Full")]
    Full,
    #[value(name = "CAOnly")]
    CaOnly,
    #[value(name = "Pinned")]
    Pinned,
    #[value(name = "None")]
    None,
}

/// What may be written, in the words of the spec.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Policy {
    #[value(name = "FDBOnly")]
    FdbOnly,
    #[value(name = "Observe")]
    Observe,
}

/// Takes a path apart. What its parts may be, the rules of the CRD say.
pub(crate) fn parse_tunnel(text: &str) -> Result<TunnelArg, &'static str> {
    let Some(path) = text.strip_prefix('/') else {
        return Ok(TunnelArg((None, text.to_owned())));
    };
    let (partition, name) = path.rsplit_once('/').ok_or("a path is /PARTITION/NAME")?;
    let partition = (partition != "Common").then(|| partition.to_owned());
    Ok(TunnelArg((partition, name.to_owned())))
}

fn parse_device(text: &str) -> Result<DeviceArg, &'static str> {
    let (name, place) = text
        .split_once('=')
        .ok_or("a BIG-IP is NAME=ADDRESS[:PORT]")?;
    let (address, port) = address_and_port(place)?;
    Ok(DeviceArg(NewDevice {
        name: name.to_owned(),
        address,
        port,
        ..NewDevice::default()
    }))
}

/// Takes an address apart. One of IPv6 with a port stands in brackets.
pub(crate) fn address_and_port(place: &str) -> Result<(String, Option<u16>), &'static str> {
    const PORT: &str = "a port is a number from 1 to 65535";
    let port = |text: &str| match text.parse() {
        Ok(0) | Err(_) => Err(PORT),
        Ok(port) => Ok(Some(port).filter(|port| *port != 443)),
    };
    if let Some(rest) = place.strip_prefix('[') {
        let (address, rest) = rest.split_once(']').ok_or("a bracket is not closed")?;
        return match rest.strip_prefix(':') {
            Some(text) => Ok((address.to_owned(), port(text)?)),
            None if rest.is_empty() => Ok((address.to_owned(), None)),
            None => Err("behind the bracket only a colon and a port may stand"),
        };
    }
    match place.split_once(':') {
        Some((address, text)) if !text.contains(':') => Ok((address.to_owned(), port(text)?)),
        _ => Ok((place.to_owned(), None)),
    }
}

fn parse_bundle(text: &str) -> Result<BundleArg, &'static str> {
    let form = "a CA bundle is configmap/NAME[:KEY] or secret/NAME[:KEY]";
    let (kind, name) = text.split_once('/').ok_or(form)?;
    let kind = match kind {
        "configmap" | "cm" => BundleKind::ConfigMap,
        "secret" => BundleKind::Secret,
        _ => return Err(form),
    };
    let (name, key) = match name.split_once(':') {
        Some((name, key)) => (name, Some(key.to_owned())),
        None => (name, None),
    };
    Ok(BundleArg(kind, name.to_owned(), key))
}

fn parse_label(text: &str) -> Result<(String, String), &'static str> {
    let (key, value) = text.split_once('=').ok_or("a label is KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}
