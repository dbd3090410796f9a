//! Developer commands: `cargo xtask test | lint | codegen | demo | docs | bench | mutants | clients | conformance | image | licences | e2e`.
//!
//! It depends on nothing of the product, so that it builds at once and works while the product does
//! not. What a command does beyond calling Cargo is done by programs of the workspace.

mod bench;
mod cache;
mod clients;
mod codegen;
mod conformance;
mod demo;
mod docs;
mod e2e;
mod image;
mod licences;
mod lint;
mod mutants;
mod step;
mod test;

use std::io::Write as _;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::step::Step;

/// Developer commands.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Args {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Everything a change has to pass: format, lints, generated files, all tests.
    Test,
    /// Write the files that are generated from the types and from the chart.
    Codegen {
        /// Only compare, and fail if a file is not as it would be written.
        #[arg(long)]
        check: bool,
    },
    /// Lint what is not Rust: workflows, the Dockerfile, scripts; and the supply chain where cargo-deny is there.
    Lint {
        /// Go on without linters that cannot be fetched, and say which.
        #[arg(long)]
        allow_missing: bool,
    },
    /// See the product work: a real API server, the operator, two simulated BIG-IPs.
    Demo(demo::Options),
    /// Build the book of the documentation, and check every link and anchor.
    Docs(docs::Options),
    /// Measure the product at a size: memory, processor, time until a record is there.
    #[command(disable_help_flag = true)]
    Bench {
        /// Passed on; `--help` tells which there are.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Break one rule after the other, and require the test of each rule to fail.
    Mutants {
        /// Only those whose name contains one of these.
        names: Vec<String>,
    },
    /// Run clients of others, unchanged, against the simulated BIG-IP, and write what became of their calls.
    Clients(clients::Options),
    /// Write the licences of everything that the shipped programs are made of.
    Licences(licences::Options),
    /// Make container images from files, without an engine.
    Image(image::Options),
    /// See the product in pods: image, chart and operator on a cluster, as the how-to installs them.
    E2e(e2e::Options),
    /// Ask a BIG-IP whether it does what is known and assumed of it.
    #[command(disable_help_flag = true)]
    Conformance {
        /// Passed on; `--help` tells which there are.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
}

fn main() -> ExitCode {
    let done = match Args::parse().task {
        Task::Test => test::run(),
        Task::Codegen { check } => codegen::steps(check).into_iter().try_for_each(Step::run),
        Task::Lint { allow_missing } => lint::run(allow_missing),
        Task::Demo(options) => demo::run(options),
        Task::Docs(options) => docs::run(&options),
        Task::Bench { args } => bench::run(&args),
        Task::Mutants { names } => mutants::run(&names),
        Task::Clients(options) => clients::run(options),
        Task::Licences(options) => licences::run(&options),
        Task::Image(options) => image::run(&options),
        Task::E2e(options) => e2e::run(&options),
        Task::Conformance { args } => Err(conformance::run(&args)),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody is left to tell if standard error is closed.
            let _ = writeln!(std::io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn command_line_is_consistent() {
        super::Args::command().debug_assert();
    }
}
