//! The scripts of a release, run on programs that stand in for ours: what is packed is what is installed.
//!
//! Needs bash, curl and GNU tar; reaches no network.

#![expect(clippy::unwrap_used, reason = "a test may fail this way")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

const VERSION: &str = "1.2.3";
const PLUGIN: &str = "kubectl-bigip_tunnel";
const OPERATOR: &str = "bigip-tunnel-operator";
const PLATFORMS: [&str; 6] = [
    "linux-amd64",
    "linux-arm64",
    "darwin-amd64",
    "darwin-arm64",
    "windows-amd64",
    "windows-arm64",
];

/// A release of programs that print their name and platform, laid out as a mirror has it.
struct Release {
    temporary: TempDir,
}

impl Release {
    /// The programs, not packed yet.
    fn built() -> Self {
        let release = Self {
            temporary: tempfile::tempdir().unwrap(),
        };
        fs::create_dir_all(release.path("dist")).unwrap();
        let licences = release.path("dist/THIRD-PARTY-LICENSES.txt");
        fs::write(licences, "kube 1.0.0: Apache-2.0\n").unwrap();
        for platform in PLATFORMS {
            let folder = release.path("dist").join(platform);
            fs::create_dir_all(&folder).unwrap();
            let suffix = if platform.starts_with("windows") {
                ".exe"
            } else {
                ""
            };
            for program in [PLUGIN, OPERATOR] {
                let text = format!("#!/bin/sh\necho {program} for {platform}\n");
                fs::write(folder.join(format!("{program}{suffix}")), text).unwrap();
            }
        }
        release
    }

    fn packed() -> Self {
        let release = Self::built();
        let packed = release.pack("mirror/v1.2.3");
        assert!(packed.status.success(), "{}", errors(&packed));
        release
    }

    fn path(&self, name: &str) -> PathBuf {
        self.temporary.path().join(name)
    }

    fn pack(&self, into: &str) -> Output {
        let mut command = Command::new(root().join("delivery/package.sh"));
        command.args([VERSION.as_ref(), self.path("dist").as_os_str()]);
        // A time of its own, so that no history is needed.
        command.arg(self.path(into)).arg("1700000000");
        command.output().unwrap()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.path("mirror/v1.2.3").join(name)
    }

    /// Runs the script of the release with an empty home.
    fn install(&self, args: &[&str]) -> Output {
        Command::new(self.file("install.sh"))
            .args(args)
            .env("HOME", self.path("home"))
            .env(
                "BIGIP_TUNNEL_MIRROR",
                format!("file://{}", self.path("mirror").display()),
            )
            .output()
            .unwrap()
    }

    fn installed(&self) -> PathBuf {
        self.path("home/.local/bin").join(PLUGIN)
    }
}

fn root() -> PathBuf {
    let this = Path::new(env!("CARGO_MANIFEST_DIR"));
    this.parent().unwrap().to_owned()
}

fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// What `sha256sum` says of the files of a folder.
fn checksums(folder: &Path) -> String {
    let mut command = Command::new("sh");
    command.args(["-c", "sha256sum -- *"]).current_dir(folder);
    String::from_utf8(command.output().unwrap().stdout).unwrap()
}

/// The names in an archive.
fn names(archive: &Path) -> String {
    let output = Command::new("tar").arg("-tzf").arg(archive).output();
    String::from_utf8(output.unwrap().stdout).unwrap()
}

#[test]
fn install_script_installs_the_packed_program() {
    let release = Release::packed();
    let output = release.install(&["--version", VERSION]);
    assert!(output.status.success(), "{}", errors(&output));
    let run = Command::new(release.installed()).output().unwrap();
    let said = String::from_utf8(run.stdout).unwrap();
    assert!(said.starts_with("kubectl-bigip_tunnel for "), "{said}");
}

#[test]
fn archive_with_another_checksum_is_not_installed() {
    let release = Release::packed();
    let sums = fs::read_to_string(release.file("SHA256SUMS")).unwrap();
    let wrong: Vec<String> = sums
        .lines()
        .map(|line| format!("{:064}{}\n", 0, &line[64..]))
        .collect();
    fs::write(release.file("SHA256SUMS"), wrong.concat()).unwrap();
    let output = release.install(&["--version", VERSION]);
    assert!(!output.status.success());
    let text = errors(&output);
    assert!(text.contains("has the checksum"), "{text}");
    assert!(!release.installed().exists());
}

#[test]
fn archive_without_a_listed_checksum_is_not_installed() {
    let release = Release::packed();
    fs::write(release.file("SHA256SUMS"), "").unwrap();
    let output = release.install(&["--version", VERSION]);
    assert!(!output.status.success());
    let text = errors(&output);
    assert!(text.contains("does not name"), "{text}");
    assert!(!release.installed().exists());
}

#[test]
fn checksums_cover_all_files() {
    let release = Release::packed();
    let folder = release.path("mirror/v1.2.3");
    let said = fs::read_to_string(folder.join("SHA256SUMS")).unwrap();
    fs::remove_file(folder.join("SHA256SUMS")).unwrap();
    assert_eq!(said, checksums(&folder));
    // Four operators, six plugins, krew's and Homebrew's file, two manifests, one script.
    assert_eq!(said.lines().count(), 15, "{said}");
}

#[test]
fn equal_programs_give_equal_archives() {
    let release = Release::packed();
    assert!(release.pack("again").status.success());
    let first = checksums(&release.path("mirror/v1.2.3"));
    assert_eq!(checksums(&release.path("again")), first);
}

#[test]
fn archive_holds_the_program_and_all_licences() {
    let release = Release::packed();
    let names = |name: &str| names(&release.file(name));
    let unix = names("kubectl-bigip_tunnel-v1.2.3-darwin-arm64.tar.gz");
    assert_eq!(
        unix,
        "LICENSE\nTHIRD-PARTY-LICENSES.txt\nkubectl-bigip_tunnel\n"
    );
    let windows = names("kubectl-bigip_tunnel-v1.2.3-windows-amd64.tar.gz");
    assert_eq!(
        windows,
        "LICENSE\nTHIRD-PARTY-LICENSES.txt\nkubectl-bigip_tunnel.exe\n"
    );
}

#[test]
fn manifests_list_each_archive_with_its_checksum() {
    let release = Release::packed();
    let sums = fs::read_to_string(release.file("SHA256SUMS")).unwrap();
    for (manifest, platforms) in [
        ("bigip-tunnel.yaml", &PLATFORMS[..]),
        ("kubectl-bigip-tunnel.rb", &PLATFORMS[..4]),
    ] {
        let text = fs::read_to_string(release.file(manifest)).unwrap();
        for platform in platforms {
            let archive = format!("{PLUGIN}-v{VERSION}-{platform}.tar.gz");
            let sum = sums.lines().find(|line| line.ends_with(&archive)).unwrap();
            let (_, after) = text.split_once(&format!("/v{VERSION}/{archive}")).unwrap();
            let next = after.lines().nth(1).unwrap();
            assert!(next.contains(&sum[..64]), "{manifest}: {platform}: {next}");
        }
    }
}

#[test]
fn missing_program_stops_the_packaging() {
    let release = Release::built();
    fs::remove_file(release.path("dist/darwin-arm64").join(PLUGIN)).unwrap();
    let output = release.pack("out");
    assert!(!output.status.success());
    let text = errors(&output);
    assert!(
        text.contains("darwin-arm64/kubectl-bigip_tunnel: build it first"),
        "{text}"
    );
    assert!(!release.path("out/SHA256SUMS").exists());
}

#[test]
fn missing_licences_stop_the_packing() {
    let release = Release::built();
    fs::remove_file(release.path("dist/THIRD-PARTY-LICENSES.txt")).unwrap();
    let packed = release.pack("mirror/v1.2.3");
    assert!(!packed.status.success());
    assert!(
        errors(&packed).contains("cargo xtask licences"),
        "{}",
        errors(&packed)
    );
}

#[test]
fn one_version_is_in_all_files() {
    let version = |args: &[&str]| {
        let mut command = Command::new(root().join("delivery/version.sh"));
        command.args(args).output().unwrap()
    };
    let output = version(&[]);
    assert!(output.status.success(), "{}", errors(&output));
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(said.trim_end(), env!("CARGO_PKG_VERSION"));
    let other = version(&["v99.0.0"]);
    assert!(!other.status.success());
    assert!(
        errors(&other).contains("the tag says 99.0.0"),
        "{}",
        errors(&other)
    );
}
