//! `create`: a tunnel from flags, printed or applied.

use std::io::Write;
use std::path::Path;

use bigip_tunnel_crds::v1alpha1::{ManagementPolicy, TlsVerification};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use serde_json::Value;

use crate::cli::AddressSource;
use crate::cli::act::DryRun;
use crate::cli::start::{BundleArg, CreateArgs, Policy, Verification};
use crate::connection::Connection;
use crate::context::Cluster;
use crate::error::{Error, Outcome};
use crate::manifest;
use crate::person::Person;
use crate::render::to_yaml;
use crate::report::lint::{FileReport, Level, LintReport, Rules, Secrets};
use crate::report::new_tunnel::NewTunnel;

/// Runs the verb. What the API server would refuse is neither printed nor applied.
pub(crate) async fn run(
    connection: &Connection,
    args: &CreateArgs,
    out: &mut dyn Write,
    person: &mut Person<'_>,
) -> Result<Outcome, Error> {
    connection.must_be_one_namespace()?;
    let mut wanted = wanted(args, connection.namespace.clone());
    if !args.apply {
        let text = with_binding(&wanted, &checked(&wanted.object())?);
        out.write_all(text.as_bytes())?;
        return Ok(Outcome::Fine);
    }
    let cluster = Cluster::new(connection).await?;
    wanted.namespace = Some(cluster.namespace.clone());
    let object = wanted.object();
    let text = with_binding(&wanted, &checked(&object)?);
    person.show(|err| Ok(err.write_all(text.as_bytes())?))?;
    if args.dry_run == DryRun::None && !args.yes {
        person.must_agree(&format!("Apply this to namespace {}?", cluster.namespace))?;
    }
    cluster.apply(&wanted.name, &object, args.dry_run).await?;
    let dry_run = match args.dry_run {
        DryRun::None => "",
        DryRun::Client => " (dry run)",
        DryRun::Server => " (server dry run)",
    };
    writeln!(
        out,
        "bigiptunnel.bigip-tunnel.dev/{} applied{dry_run}",
        wanted.name
    )?;
    Ok(Outcome::Fine)
}

/// The object with what has to be done beside it, as comments.
fn with_binding(wanted: &NewTunnel, object: &str) -> String {
    let mut text =
        "# The operator logs in only to the addresses that the Secret names:\n".to_owned();
    for command in wanted.binding_commands() {
        text.push_str("#   ");
        text.push_str(&command);
        text.push('\n');
    }
    text.push_str(object);
    text
}

/// The object as text, if it is one that is accepted.
pub(super) fn checked(object: &Value) -> Result<String, Error> {
    let text = to_yaml(object)?;
    let rules = Rules::new()
        .ok_or_else(|| Error::Format("the rules of the CRD cannot be applied".to_owned()))?;
    let documents = manifest::documents(&text)
        .map_err(|problem| manifest::unusable(Path::new("-"), &problem))?;
    let file = FileReport::new(String::new(), &documents, &rules, &Secrets::default());
    let report = LintReport::new(vec![file], Level::Error);
    let mut findings = report.files.into_iter().flat_map(|file| file.findings);
    match findings.find(|finding| finding.level == Level::Error) {
        Some(finding) => Err(Error::NotAccepted {
            path: finding.path,
            problem: finding.message,
        }),
        None => Ok(text),
    }
}

fn wanted(args: &CreateArgs, namespace: Option<String>) -> NewTunnel {
    NewTunnel {
        name: args.name.clone(),
        namespace,
        tunnel: args.tunnel.0.clone(),
        secret: Some(args.secret.clone()),
        devices: args.devices.iter().map(|device| device.0.clone()).collect(),
        verification: args.verification.map(|word| match word {
            Verification::Full => TlsVerification::Full,
            Verification::CaOnly => TlsVerification::CaOnly,
            Verification::Pinned => TlsVerification::Pinned,
            Verification::None => TlsVerification::None,
        }),
        ca_bundle: args
            .ca_bundle
            .clone()
            .map(|BundleArg(kind, name, key)| (kind, name, key)),
        fingerprints: args.fingerprints.clone(),
        selector: (!args.node_labels.is_empty()).then(|| LabelSelector {
            match_labels: Some(args.node_labels.iter().cloned().collect()),
            ..LabelSelector::default()
        }),
        address_type: args.address_source.map(AddressSource::in_spec),
        cidrs: args.cidrs.iter().map(ToString::to_string).collect(),
        exclude_cidrs: args.exclude_cidrs.iter().map(ToString::to_string).collect(),
        policy: args.policy.map(|policy| match policy {
            Policy::FdbOnly => ManagementPolicy::FdbOnly,
            Policy::Observe => ManagementPolicy::Observe,
        }),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::{Cli, Command};

    /// What is printed for a command line.
    fn printed(line: &str) -> Result<String, Error> {
        let cli = Cli::try_parse_from(line.split_whitespace()).unwrap();
        let Command::Create(args) = cli.command else {
            panic!("{line}");
        };
        let wanted = wanted(&args, cli.connection.namespace);
        Ok(with_binding(&wanted, &checked(&wanted.object())?))
    }

    #[test]
    fn manifest_has_only_the_given_fields() {
        let line = "plugin create prod-east -n bigip --tunnel flannel_vxlan --secret bigip-login \
                    --device bigip-a=192.0.2.11 --device bigip-b=192.0.2.12:8443";
        insta::assert_snapshot!(printed(line).unwrap());
    }

    #[test]
    fn manifest_has_every_given_field() {
        let line = "plugin create prod-east --tunnel /Common/app/cilium_vxlan --secret bigip-login \
                    --device bigip-a=[2001:db8::11]:8443 --verification CAOnly --ca-bundle \
                    configmap/bigip-ca:bundle.pem --node-selector role=worker,zone=a \
                    --address-source CiliumNode --cidrs 10.0.0.0/8 --exclude-cidrs 10.0.0.9/32 --policy Observe";
        insta::assert_snapshot!(printed(line).unwrap());
    }

    #[test]
    fn manifest_refused_by_the_api_server_is_not_printed() {
        let line = "plugin create prod-east --tunnel t --secret s --device bigip-a=192.0.2.11 \
                    --verification Pinned";
        let error = printed(line).unwrap_err();
        assert!(error.to_string().contains("sha256Fingerprints"), "{error}");
        assert_eq!(error.code(), 2);
    }
}
