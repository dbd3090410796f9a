//! `cargo xtask image`: builds static programs and has images made of them.
//!
//! It must not know the format of images.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::{Args, ValueEnum};

use crate::step::{Failure, Step};

/// Where the images are, once they are published.
const REPOSITORY: &str = "ghcr.io/bigip-tunnel";

/// What an image can be made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Product {
    /// The operator.
    Operator,
    /// The simulated BIG-IP.
    Simulator,
}

impl Product {
    const ALL: [Self; 2] = [Self::Operator, Self::Simulator];

    /// Its name in the names of images.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Simulator => "simulator",
        }
    }

    /// Its package, and the program that its image runs, which has the same name.
    fn program(self) -> &'static str {
        match self {
            Self::Operator => "bigip-tunnel-operator",
            Self::Simulator => "bigip-sim",
        }
    }

    /// Other programs in its image, each with its package.
    fn also(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Operator => &[],
            Self::Simulator => &[("bigip-tunnel-dataplane", "node-stand-in")],
        }
    }

    fn port(self) -> &'static str {
        match self {
            Self::Operator => "8080",
            Self::Simulator => "8443",
        }
    }

    fn description(self) -> &'static str {
        match self {
            Self::Operator => {
                "Keeps the FDB records of F5 BIG-IPs in step with the nodes of a Cilium cluster"
            }
            Self::Simulator => {
                "A simulated F5 BIG-IP: the iControl REST resources of a tunnel, and stand-ins for nodes behind it"
            }
        }
    }
}

/// What to make, and where it goes.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Which; both where none is named.
    #[arg(value_enum)]
    pub(crate) products: Vec<Product>,
    /// Folder for the images: an OCI layout NAME and the same as an archive NAME.tar for each.
    #[arg(long, value_name = "DIR")]
    pub(crate) output: PathBuf,
    /// Where the images will be found; their names begin with it.
    #[arg(long, value_name = "PREFIX", default_value = REPOSITORY)]
    pub(crate) repository: String,
    /// Their tag.
    #[arg(long, default_value = env!("CARGO_PKG_VERSION"))]
    pub(crate) tag: String,
    /// The profile of Cargo that the programs are built with.
    #[arg(long, default_value = "release")]
    pub(crate) profile: String,
    /// Take the programs from this folder instead of building them.
    #[arg(long, value_name = "DIR")]
    pub(crate) programs: Option<PathBuf>,
    /// Whether the program that makes images has been built just now.
    #[arg(skip)]
    pub(crate) is_maker_built: bool,
}

impl Options {
    /// Both images, for tests that have built the workspace.
    pub(crate) fn for_tests(output: &Path, profile: &str) -> Self {
        Self {
            products: Vec::new(),
            output: output.to_owned(),
            repository: REPOSITORY.to_owned(),
            tag: env!("CARGO_PKG_VERSION").to_owned(),
            profile: profile.to_owned(),
            programs: None,
            is_maker_built: true,
        }
    }
}

/// Builds the programs where needed, and makes the images.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let products = match options.products.as_slice() {
        [] => Product::ALL.to_vec(),
        some => some.to_vec(),
    };
    let (root, commit) = (root(), commit()?);
    let programs = match &options.programs {
        Some(folder) => folder.clone(),
        None => build(&root, &products, &options.profile, &commit)?,
    };
    if !options.is_maker_built {
        Step::cargo("build", &["build", "--package=bigip-tunnel-image"])
            .current_dir(&root)
            .run()?;
    }
    fs::create_dir_all(&options.output)?;
    for product in products {
        make(product, options, &programs, &commit)?.run()?;
    }
    Ok(())
}

/// Builds static programs. Returns their folder.
fn build(
    root: &Path,
    products: &[Product],
    profile: &str,
    commit: &str,
) -> Result<PathBuf, Failure> {
    let target = target()?;
    let mut args = vec![
        "build",
        "--locked",
        "--profile",
        profile,
        "--target",
        &target,
    ];
    for product in products {
        let own = (product.program(), product.program());
        for (package, program) in product.also().iter().chain([&own]) {
            args.extend(["--package", *package, "--bin", *program]);
        }
    }
    Step::cargo("static programs", &args)
        .current_dir(root)
        // Cargo hands these to programs of the target alone, not to what runs while it builds.
        .env("RUSTFLAGS", flags(root))
        .env(&c_flags_name(&target), c_flags(root))
        .env("BIGIP_TUNNEL_COMMIT", commit)
        .run()?;
    let folder = std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    // Cargo names the folder of one profile otherwise than the profile.
    let profile = if profile == "dev" { "debug" } else { profile };
    Ok(root.join(folder).join(target).join(profile))
}

/// The target of this machine: its C library is linked in, so that no other has to be installed.
fn target() -> Result<String, Failure> {
    if cfg!(target_os = "linux") {
        return Ok(format!("{}-unknown-linux-gnu", std::env::consts::ARCH));
    }
    let why = "images are built on Linux; elsewhere name programs for Linux with --programs";
    Err(Failure::new(why.to_owned()))
}

/// Links statically, and keeps the folders of this machine out of the programs.
fn flags(root: &Path) -> OsString {
    let mut flags = OsString::from("-C target-feature=+crt-static --remap-path-prefix=");
    flags.push(root);
    flags.push("=. --remap-path-prefix=");
    flags.push(cargo_home());
    flags.push("=cargo");
    flags
}

/// The variable that libraries in C take their flags for this target from.
fn c_flags_name(target: &str) -> String {
    format!("CFLAGS_{}", target.replace('-', "_"))
}

/// The same for what is written in C, which names its files in its messages.
fn c_flags(root: &Path) -> OsString {
    let mut flags = OsString::from("-ffile-prefix-map=");
    flags.push(root);
    flags.push("=. -ffile-prefix-map=");
    flags.push(cargo_home());
    flags.push("=cargo");
    flags
}

fn cargo_home() -> PathBuf {
    let home = || std::env::home_dir().unwrap_or_default().join(".cargo");
    std::env::var_os("CARGO_HOME").map_or_else(home, PathBuf::from)
}

fn make(
    product: Product,
    options: &Options,
    programs: &Path,
    commit: &str,
) -> Result<Step, Failure> {
    let name = product.name();
    let mut step = Step::built("image", "image", &["build"])?
        .arg("--name")
        .arg(format!("{}/{name}:{}", options.repository, options.tag))
        .arg("--program")
        .arg(programs.join(product.program()))
        .arg("--port")
        .arg(product.port())
        .arg("--output")
        .arg(options.output.join(name))
        .arg("--archive")
        .arg(options.output.join(format!("{name}.tar")));
    for (_, program) in product.also() {
        step = step.arg("--also").arg(programs.join(program));
    }
    let labels = [
        ("title", product.program()),
        ("description", product.description()),
        ("source", env!("CARGO_PKG_REPOSITORY")),
        ("licenses", env!("CARGO_PKG_LICENSE")),
        ("version", env!("CARGO_PKG_VERSION")),
        ("revision", commit),
    ];
    for (label, value) in labels {
        step = step
            .arg("--label")
            .arg(format!("org.opencontainers.image.{label}={value}"));
    }
    Ok(step)
}

/// The commit that is checked out.
fn commit() -> Result<String, Failure> {
    let output = Command::new("git")
        .args(["rev-parse", "HEAD"])
        .current_dir(root())
        .output()?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    Err(Failure::new(
        "this is not a checkout of git: the commit is part of an image".to_owned(),
    ))
}

fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options() -> Options {
        Options {
            repository: "registry.example/team".to_owned(),
            tag: "1.2.3".to_owned(),
            ..Options::for_tests(Path::new("out"), "pods")
        }
    }

    #[test]
    fn image_is_named_by_repository_product_and_tag() {
        let step = make(Product::Simulator, &options(), Path::new("built"), "0123").unwrap();
        let text = step.to_string();
        assert!(
            text.contains("--name registry.example/team/simulator:1.2.3 "),
            "{text}"
        );
        assert!(text.contains("--program built/bigip-sim "), "{text}");
        assert!(text.contains(" --also built/node-stand-in "), "{text}");
        assert!(
            text.contains("--output out/simulator --archive out/simulator.tar"),
            "{text}"
        );
        assert!(
            text.ends_with("org.opencontainers.image.revision=0123"),
            "{text}"
        );
    }

    #[test]
    fn programs_contain_no_path_of_the_build_host() {
        let flags = flags(Path::new("/checkout")).into_string().unwrap();
        assert!(flags.contains("+crt-static"), "{flags}");
        assert!(
            flags.contains("--remap-path-prefix=/checkout=. "),
            "{flags}"
        );
        assert!(flags.ends_with("=cargo"), "{flags}");
        let flags = c_flags(Path::new("/checkout")).into_string().unwrap();
        assert!(flags.contains("-ffile-prefix-map=/checkout=. "), "{flags}");
        assert!(flags.ends_with("=cargo"), "{flags}");
        let name = c_flags_name("x86_64-unknown-linux-gnu");
        assert_eq!(name, "CFLAGS_x86_64_unknown_linux_gnu");
    }
}
