//! `image`: makes an image from a static program. `cargo xtask image` builds the program first.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use bigip_tunnel_image::{ImageError, Options, build, write_root};
use clap::{Args, Parser, Subcommand};

/// Makes container images from files, without an engine.
#[derive(Debug, Parser)]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Make an OCI image, and print its digest.
    Build(Build),
    /// Write the files of an image below a folder, for a build by an engine.
    Root {
        /// The static program.
        #[arg(long, value_name = "FILE")]
        program: PathBuf,
        /// Where the files go.
        #[arg(long, value_name = "FOLDER")]
        output: PathBuf,
    },
}

#[derive(Debug, Args)]
struct Build {
    /// Name of the image.
    #[arg(long)]
    name: String,
    /// The static program that the image runs.
    #[arg(long, value_name = "FILE")]
    program: PathBuf,
    /// Another static program that lies beside it; may be repeated.
    #[arg(long, value_name = "FILE")]
    also: Vec<PathBuf>,
    /// A port that it listens on; may be repeated.
    #[arg(long = "port", value_name = "PORT")]
    ports: Vec<u16>,
    /// A label, as NAME=VALUE; may be repeated.
    #[arg(long = "label", value_name = "NAME=VALUE", value_parser = label)]
    labels: Vec<(String, String)>,
    /// Folder for the OCI layout.
    #[arg(long, value_name = "FOLDER")]
    output: PathBuf,
    /// The same as one archive.
    #[arg(long, value_name = "FILE")]
    archive: Option<PathBuf>,
}

fn label(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("a label is NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

fn main() -> ExitCode {
    let done = match Cli::parse().task {
        Task::Build(arguments) => make(arguments),
        Task::Root { program, output } => write_root(&program, &output),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // There is no other place for it if standard error is closed.
            let _ = writeln!(io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn make(arguments: Build) -> Result<(), ImageError> {
    let layout = build(&Options {
        name: arguments.name,
        program: arguments.program,
        also: arguments.also,
        ports: arguments.ports,
        labels: BTreeMap::from_iter(arguments.labels),
    })?;
    layout.write(&arguments.output)?;
    if let Some(path) = &arguments.archive {
        let failed = |source| ImageError::File {
            action: "write",
            path: Path::to_owned(path),
            source,
        };
        let file = File::create(path).map_err(failed)?;
        layout.archive(BufWriter::new(file)).map_err(failed)?;
    }
    writeln!(io::stdout(), "{}", layout.digest())?;
    Ok(())
}
