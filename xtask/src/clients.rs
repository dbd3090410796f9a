//! `cargo xtask clients`: clients of others, unchanged, against the simulated BIG-IP on each version.
//!
//! Each client gets an environment of its own, by the pins of `tests/clients`, and a program there that makes
//! its calls and tells what became of each. A call that neither passes, nor is refused as a device refuses
//! it, nor is told to be not simulated fails the command. What came of it is a part of the manual.

mod page;

use std::fs;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use self::page::Outcomes;
use crate::step::{Failure, Step, built_programs};

/// What to do with the part of the manual, and without a client.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct Options {
    /// Only compare the manual, and fail if it is not as it would be written.
    #[arg(long)]
    check: bool,
    /// Go on without clients that cannot be installed, and say which; the manual stays as it is then.
    #[arg(long)]
    allow_missing: bool,
}

/// The versions of the simulator.
const VERSIONS: [&str; 6] = ["12.1", "13.1", "14.1", "15.1", "16.1", "17.1"];

const PASSWORD: &str = "s3cret";

/// A client of others.
struct Client {
    name: &'static str,
    /// Its pins, below `tests/clients`.
    pins: &'static str,
    kind: Kind,
}

enum Kind {
    /// A Python program, below `tests/clients`.
    Python(&'static str),
    /// The Go module in the folder of the pins.
    Go,
}

const CLIENTS: [Client; 4] = [
    Client {
        name: "bigrest",
        pins: "bigrest.txt",
        kind: Kind::Python("bigrest_calls.py"),
    },
    Client {
        name: "f5-sdk",
        pins: "f5-sdk.txt",
        kind: Kind::Python("f5_sdk_calls.py"),
    },
    Client {
        // With F5's collection of modules in it.
        name: "ansible",
        pins: "ansible.txt",
        kind: Kind::Python("ansible_calls.py"),
    },
    Client {
        name: "go-bigip",
        pins: "go-bigip/go.mod",
        kind: Kind::Go,
    },
];

/// Installs the clients, runs each against each version, and writes or compares the manual.
pub(crate) fn run(options: Options) -> Result<(), Failure> {
    Step::cargo(
        "the simulator",
        &["build", "--workspace", "--bin=bigip-sim"],
    )
    .run()?;
    let simulator = built_programs()?.join("bigip-sim");
    let (mut all, mut is_missing) = (Vec::new(), false);
    for client in &CLIENTS {
        let command = match client.install() {
            Ok(command) => command,
            Err(error) if options.allow_missing => {
                writeln!(io::stderr(), "--- without {}: {error}", client.name)?;
                is_missing = true;
                continue;
            }
            Err(error) => return Err(error),
        };
        let mut outcomes = Outcomes::new(client.name, client.version()?);
        for version in VERSIONS {
            writeln!(io::stderr(), "--- {} on {version}", client.name)?;
            let device = Device::start(&simulator, version)?;
            for line in device.run(&command)?.lines() {
                outcomes.add(version, line)?;
            }
        }
        all.push(outcomes);
    }
    let faults: Vec<String> = all.iter().flat_map(Outcomes::faults).collect();
    if !faults.is_empty() {
        let text = faults.join("\n");
        return Err(Failure::new(format!("the simulator is at fault:\n{text}")));
    }
    if is_missing {
        return Ok(());
    }
    page::write(&all, options.check)
}

impl Client {
    fn pins(&self) -> PathBuf {
        Path::new("tests/clients").join(self.pins)
    }

    /// The version that is pinned.
    fn version(&self) -> Result<String, Failure> {
        let pins = fs::read_to_string(self.pins())?;
        let version = page::pinned(&pins, self.name);
        version.ok_or_else(|| Failure::new(format!("{} is not pinned", self.name)))
    }

    /// What runs its program, after it was installed into a folder of its own.
    fn install(&self) -> Result<Vec<String>, Failure> {
        let folder = std::env::current_dir()?
            .join("target/clients")
            .join(self.name);
        let text = |path: PathBuf| path.to_string_lossy().into_owned();
        match self.kind {
            Kind::Python(program) => {
                let python = folder.join("bin/python");
                self.install_python(&folder, &python)?;
                let program = Path::new("tests/clients").join(program);
                Ok(vec![text(python), text(program)])
            }
            Kind::Go => {
                let program = folder.join("calls");
                Step::program("building a client with Go", "go", ["build", "-o"])
                    .arg(&program)
                    .arg(".")
                    .current_dir("tests/clients/go-bigip")
                    .env("GOFLAGS", "-mod=readonly")
                    .run()?;
                Ok(vec![text(program)])
            }
        }
    }

    /// Makes the environment unless it was made by the same pins. The packages are older than isolated builds:
    /// they are built with what is pinned, an old setuptools among it.
    fn install_python(&self, folder: &Path, python: &Path) -> Result<(), Failure> {
        let wanted = fs::read(self.pins())?;
        // Written last: a folder without it was left half filled.
        let mark = folder.join("pins");
        if fs::read(&mark).is_ok_and(|had| had == wanted) {
            return Ok(());
        }
        if folder.exists() {
            fs::remove_dir_all(folder)?;
        }
        let name = "installing a client with pip";
        Step::program(name, "python3", ["-m", "venv"])
            .arg(folder)
            .run()?;
        for pins in [Path::new("tests/clients/build.txt"), &self.pins()] {
            let pip = ["-m", "pip", "install", "--quiet", "--require-hashes"];
            Step::program(name, python, pip)
                .arg("--disable-pip-version-check")
                .arg("--no-build-isolation")
                .arg("--requirement")
                .arg(pins)
                .run()?;
        }
        Ok(fs::write(mark, wanted)?)
    }
}

/// A simulated BIG-IP that runs until this is dropped.
struct Device {
    process: Child,
    version: &'static str,
    address: String,
    port: String,
    ca: PathBuf,
}

impl Device {
    fn start(simulator: &Path, version: &'static str) -> Result<Self, Failure> {
        let folder = Path::new("target/clients");
        fs::create_dir_all(folder)?;
        let password = folder.join("password");
        fs::write(&password, PASSWORD)?;
        let mut process = Command::new(simulator)
            .args(["--exit-with-stdin", "--version", version])
            .args(["--tunnel", "/Common/flannel_vxlan"])
            .args(["--local-address", "10.169.72.34"])
            .args(["--answers-ping", "10.244.1.7", "--password-file"])
            .arg(password)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        if let Some(stdout) = process.stdout.take() {
            BufReader::new(stdout).read_line(&mut line)?;
        }
        let told: Value = serde_json::from_str(&line).unwrap_or_default();
        let text = |name: &str| match told.get(name)? {
            Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        };
        let not_started = || Failure::new(format!("the simulator did not start on {version}"));
        let ca = std::env::current_dir()?.join(folder).join("ca.pem");
        fs::write(&ca, text("ca").ok_or_else(not_started)?)?;
        Ok(Self {
            process,
            version,
            address: text("address").ok_or_else(not_started)?,
            port: text("port").ok_or_else(not_started)?,
            ca,
        })
    }

    /// Runs the program of a client against it, and gives back what it told.
    fn run(&self, command: &[String]) -> Result<String, Failure> {
        let (program, args) = command.split_first().unzip();
        let mut client = Command::new(program.map_or("", String::as_str))
            .args(args.unwrap_or_default())
            .args([&self.address, &self.port, PASSWORD])
            .arg(&self.ca)
            .arg(self.version)
            // What the machine trusts, and its proxy, are not the device's.
            .env_remove("REQUESTS_CA_BUNDLE")
            .env_remove("CURL_CA_BUNDLE")
            .env("NO_PROXY", &self.address)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdout(Stdio::piped())
            .spawn()?;
        let mut told = String::new();
        if let Some(mut stdout) = client.stdout.take() {
            stdout.read_to_string(&mut told)?;
        }
        let status = client.wait()?;
        if status.success() {
            return Ok(told);
        }
        let program = command.join(" ");
        let version = self.version;
        Err(Failure::new(format!(
            "{program} on {version}: {status}\n{told}"
        )))
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        // It ends with its standard input; waiting for it only leaves no process behind.
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}
