//! `cargo xtask e2e`: builds the images and the programs, then shows the product in pods.
//!
//! It must not know what is shown.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use crate::image;
use crate::step::{Failure, Step, built_programs};

/// Where the cluster comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Provider {
    /// A lean node in namespaces of its own on this machine: needs root, Linux, containerd and runc.
    Local,
    /// A cluster of kind: needs Docker, kind, kubectl and Helm.
    Kind,
    /// The cluster that KUBECONFIG names, whose nodes pull the images.
    Current,
}

impl Provider {
    fn name(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Kind => "kind",
            Self::Current => "current",
        }
    }
}

/// The cluster and the images.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Where the cluster comes from.
    #[arg(long, value_enum, default_value = "local")]
    provider: Provider,
    /// With `kind`: install Cilium.
    #[arg(long)]
    cilium: bool,
    /// Name of the operator's image, for `current`.
    #[arg(long)]
    operator_image: Option<String>,
    /// Name of the simulator's image, for `current`.
    #[arg(long)]
    simulator_image: Option<String>,
    /// Run the integration tests that share an API server on that of the cluster, too; some minutes.
    #[arg(long)]
    suite: bool,
    /// Only bring the cluster up, and keep it until standard input closes or Ctrl-C.
    #[arg(long)]
    only_cluster: bool,
}

/// The profile that the images are built with: a second release build would take longer than the tests.
const PROFILE: &str = "pods";

/// Builds, then runs the body; on the local node also shows that a killed run leaves nothing behind.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let images = root().join("target/images");
    // As the tests are built, so that what they have built is not built again.
    let build = ["build", "--workspace", "--all-targets"];
    Step::cargo("build", &build).current_dir(root()).run()?;
    if options.provider != Provider::Current {
        image::run(&image::Options::for_tests(&images, PROFILE))?;
    }
    command("run", &images, options)?.run()?;
    if options.provider == Provider::Local && !options.only_cluster {
        command("kill", &images, options)?.run()?;
    }
    Ok(())
}

fn command(task: &str, images: &Path, options: &Options) -> Result<Step, Failure> {
    let mut step = Step::built("the product in pods", "e2e", &[task])?;
    step = step.env("BIGIP_TUNNEL_BINARIES", built_programs()?);
    if options.provider != Provider::Current {
        step = step.arg("--images").arg(images);
    }
    if task == "kill" {
        return Ok(step);
    }
    step = step.arg("--provider").arg(options.provider.name());
    let flags = [
        (options.cilium, "--cilium"),
        (options.suite, "--suite"),
        (options.only_cluster, "--only-cluster"),
    ];
    for (is_set, flag) in flags {
        if is_set {
            step = step.arg(flag);
        }
    }
    let names = [
        ("--operator-image", &options.operator_image),
        ("--simulator-image", &options.simulator_image),
    ];
    for (option, name) in names {
        if let Some(name) = name {
            step = step.arg(option).arg(name);
        }
    }
    Ok(step)
}

fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(provider: Provider) -> Options {
        Options {
            provider,
            cilium: false,
            suite: false,
            operator_image: None,
            simulator_image: None,
            only_cluster: false,
        }
    }

    #[test]
    fn local_node_gets_the_images_as_files() {
        let step = command("run", Path::new("images"), &options(Provider::Local)).unwrap();
        assert_eq!(step.to_string(), "e2e run --images images --provider local");
    }

    #[test]
    fn current_cluster_gets_the_images_by_name() {
        let named = Options {
            operator_image: Some("registry.example/operator:1".to_owned()),
            simulator_image: Some("registry.example/simulator:1".to_owned()),
            ..options(Provider::Current)
        };
        let step = command("run", Path::new("images"), &named).unwrap();
        let wanted = "e2e run --provider current --operator-image registry.example/operator:1 \
                      --simulator-image registry.example/simulator:1";
        assert_eq!(step.to_string(), wanted);
    }
}
