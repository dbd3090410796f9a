//! Writes the files that are made from the chart: `chartgen`. With `--check` it compares instead.
//!
//! Called by `cargo xtask codegen` and by the checks; no part of the product.

use std::error::Error;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};

use bigip_tunnel_harness::binaries::tools::Tool;
use bigip_tunnel_harness::chart::{self, Helm};
use bigip_tunnel_harness::paths;
use bigip_tunnel_harness::progress::to_stderr;
use clap::Parser;

/// Name of everything that is installed without Helm.
const NAME: &str = "bigip-tunnel-operator";
/// Where that is installed; the plugin replaces it.
const NAMESPACE: &str = "bigip-system";
/// How lines begin that only make sense to Helm.
const HELMS: [&str; 3] = [
    "# Source: ",
    "helm.sh/chart: ",
    "app.kubernetes.io/managed-by: ",
];
/// What a manifest begins with: the chart does not make its namespace.
const HEAD: &str = "\
# The operator with its resource definition and rights. Generated from charts/bigip-tunnel-operator by
# `cargo xtask codegen`.
---
apiVersion: v1
kind: Namespace
metadata:
  name: bigip-system
  labels:
    app.kubernetes.io/part-of: bigip-tunnel
    pod-security.kubernetes.io/enforce: restricted
";

/// What the optional rights begin with.
const MANAGE_HEAD: &str = "\
# The rights to write CiliumVTEPConfigs, beside install.yaml; the operator needs the argument
# --feature-gates=VTEPConfig=true with them. Generated from charts/bigip-tunnel-operator by `cargo xtask codegen`.
";

/// Writes the files that are made from the chart.
#[derive(Debug, Parser)]
struct Args {
    /// Only compare, and fail if a file is not as it would be written.
    #[arg(long)]
    check: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(&Args::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            to_stderr(&format!("chartgen: {error}"));
            ExitCode::FAILURE
        }
    }
}

async fn run(args: &Args) -> Result<(), Box<dyn Error>> {
    let files = [
        ("docs/reference/helm-values.md", values_reference()?),
        ("config/default/install.yaml", manifest().await?),
        ("config/default/manage-cilium.yaml", manage_cilium().await?),
    ];
    for (file, wanted) in files {
        let path: PathBuf = paths::workspace_root().join(file);
        if !args.check {
            std::fs::write(path, &wanted)?;
        } else if !std::fs::read_to_string(path).is_ok_and(|found| found == wanted) {
            return Err(format!("{file} is out of date; run `cargo xtask codegen`").into());
        }
    }
    Ok(())
}

/// What the chart installs with its default values, for people without Helm.
async fn manifest() -> Result<String, Box<dyn Error>> {
    Ok(format!("{HEAD}{}", rendered(&[]).await?))
}

/// What it installs besides with `cilium.manage.enabled`.
async fn manage_cilium() -> Result<String, Box<dyn Error>> {
    let only = "--show-only=templates/rbac-manage.yaml";
    let objects = rendered(&["--set=cilium.manage.enabled=true", only]).await?;
    Ok(format!("{MANAGE_HEAD}{objects}"))
}

async fn rendered(args: &[&str]) -> Result<String, Box<dyn Error>> {
    let folder = chart::folder();
    let folder = folder.to_string_lossy();
    let mut template = vec!["template", NAME, &folder, "--namespace", NAMESPACE];
    // Nobody but Helm understands its hooks and its annotation.
    template.extend(["--no-hooks", "--set=crds.keep=false"]);
    template.extend(args);
    let rendered = Helm::new()?.run(&template).await?;
    let is_helms = |line: &&str| HELMS.iter().any(|text| line.trim_start().starts_with(text));
    let lines = rendered.lines().filter(|line| !line.is_empty());
    let lines: Vec<&str> = lines.filter(|line| !is_helms(line)).collect();
    Ok(format!("{}\n", lines.join("\n")))
}

/// All values with their defaults and comments, by helm-docs.
fn values_reference() -> Result<String, Box<dyn Error>> {
    let output = Command::new(Tool::HelmDocs.path(&to_stderr)?)
        .args(["--dry-run", "--skip-version-footer", "--log-level=warning"])
        .args([
            "--sort-values-order=file",
            "--template-files=values.md.gotmpl",
        ])
        // Of the chart itself, not of the one inside.
        .arg("--chart-to-generate=.")
        .current_dir(chart::folder())
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()?;
    if !output.status.success() {
        return Err("helm-docs failed; its message is above".into());
    }
    let text = String::from_utf8(output.stdout)?.trim().to_owned() + "\n";
    // What it cannot read it leaves out without failing.
    if !text.contains("| `watchNamespaces` |") {
        return Err("helm-docs could not read the chart; its message is above".into());
    }
    match text.lines().find(|line| line.ends_with("|  |")) {
        Some(line) => Err(format!("a value has no comment: {line}").into()),
        None => Ok(text),
    }
}
