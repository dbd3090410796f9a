//! The program that a person prefers for differences, as `kubectl diff` runs it.

use std::env;
use std::fs;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::error::Error;
use crate::render::diff::text;
use crate::report::diff::DiffReport;

/// The variable that names it, with its flags.
const VARIABLE: &str = "KUBECTL_EXTERNAL_DIFF";

/// The program and its flags, if one is named.
pub(super) fn program() -> Option<Vec<String>> {
    let words: Vec<String> = env::var(VARIABLE)
        .ok()?
        .split_whitespace()
        .map(str::to_owned)
        .collect();
    (!words.is_empty()).then_some(words)
}

/// Has it show what every BIG-IP holds and should hold: a folder for each, a file per BIG-IP. It
/// writes where the plugin would. 0 and 1 are answers of such a program, anything else a failure.
pub(super) fn show(program: &[String], report: &DiffReport) -> Result<(), Error> {
    let Some((name, flags)) = program.split_first() else {
        return Ok(());
    };
    let folder = tempfile::tempdir()?;
    let (held, wanted) = (folder.path().join("HELD"), folder.path().join("WANTED"));
    for device in &report.devices {
        write(&held, &device.device, &text(&device.held))?;
        write(&wanted, &device.device, &text(&device.wanted()))?;
    }
    let status = Command::new(name)
        .args(flags)
        .args([&held, &wanted])
        .stdin(Stdio::null())
        .status()
        .map_err(|problem| failed(name, &problem.to_string()))?;
    match status.code() {
        Some(0 | 1) => Ok(()),
        _ => Err(failed(name, &status.to_string())),
    }
}

fn failed(program: &str, problem: &str) -> Error {
    Error::Format(format!("{program} of {VARIABLE}: {problem}"))
}

fn write(folder: &Path, device: &str, text: &str) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    fs::write(folder.join(device), text)
}
