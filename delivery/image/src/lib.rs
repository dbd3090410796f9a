//! Container images from files, without an engine: one static program on what a program without a distribution needs.
//!
//! The same program and the same options give the same bytes: no time, no owner, no order of a file system, no compressor
//! goes in. It must not know what the programs do.

pub mod contents;
pub mod layout;
mod program;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use contents::Entry;
use layout::Layout;
use program::Program;

/// The user and group that programs run as: numbers, so that Kubernetes can see that they are not root.
pub const USER: &str = "65532:65532";

/// Why there is no image.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// A file or folder cannot be read or written.
    #[error("cannot {action} {}: {source}", path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// With which file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The program is not one that the image can run.
    #[error("{} cannot be the program of an image: {reason}", path.display())]
    Program {
        /// The file.
        path: PathBuf,
        /// What it lacks.
        reason: &'static str,
    },
    /// Something else is in the folder for the image.
    #[error("{} is neither empty nor an image: name another folder", .0.display())]
    NotAnImage(PathBuf),
    /// The parts cannot be put together.
    #[error("cannot build the image: {0}")]
    Build(#[from] io::Error),
}

/// What an image is made of.
#[derive(Debug, Clone)]
pub struct Options {
    /// Its name, such as `ghcr.io/bigip-tunnel/operator:0.1.0`.
    pub name: String,
    /// The static program that the image runs.
    pub program: PathBuf,
    /// Other static programs that lie beside it.
    pub also: Vec<PathBuf>,
    /// The ports it listens on.
    pub ports: Vec<u16>,
    /// Labels of the image.
    pub labels: BTreeMap<String, String>,
}

/// Makes an image.
///
/// # Errors
///
/// A program cannot be read, is not for Linux on amd64 or arm64, or is not static.
pub fn build(options: &Options) -> Result<Layout, ImageError> {
    let program = Program::read(&options.program)?;
    let mut entries = entries(&program);
    for path in &options.also {
        let other = Program::read(path)?;
        if other.architecture != program.architecture {
            return Err(ImageError::Program {
                path: path.clone(),
                reason: "it is for another processor than the program that the image runs",
            });
        }
        entries.push(Entry::program(&other.name, other.bytes));
    }
    contents::sort(&mut entries);
    let layer = contents::layer(&entries)?;
    Layout::new(options, &program, layer)
}

/// Writes the files of an image below a folder, for builders that have an engine.
///
/// # Errors
///
/// As [`build`], or a file cannot be written.
pub fn write_root(program: &Path, root: &Path) -> Result<(), ImageError> {
    let entries = entries(&Program::read(program)?);
    entries.iter().try_for_each(|entry| entry.write_below(root))
}

fn entries(program: &Program) -> Vec<Entry> {
    let mut entries = contents::base();
    entries.push(Entry::program(&program.name, program.bytes.clone()));
    contents::sort(&mut entries);
    entries
}
