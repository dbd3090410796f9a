//! `kubectl bigip-tunnel`: what a network engineer asks about `BigIpTunnel` objects.
//!
//! Reads Kubernetes and nothing else, unless a person says `--direct` or `verify`: no BIG-IP, no Secret. The verbs
//! that act do it by what they write into the object. Every verb collects a report (plain,
//! serialisable data) and renders it; this file only wires the parts together.

mod age;
mod catalogue;
mod cis;
mod cli;
mod cmd;
mod complete;
mod connection;
mod context;
mod direct;
mod error;
mod manifest;
mod operator;
mod person;
pub mod reference;
mod render;
mod report;
mod style;
#[cfg(test)]
mod testing;

use std::env;
use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;

use crate::cli::{Cli, Command};
use crate::error::{Error, Outcome};
use crate::person::Person;
use crate::style::Style;

/// The whole program: reads its arguments, writes to standard output and standard error.
pub fn main() -> ExitCode {
    // Fails only if a provider is installed already, and then there is one.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let mut out = io::stdout().lock();
    let words: Vec<OsString> = env::args_os().collect();
    if let Some(answered) = complete::answer(&words, &mut out) {
        return ExitCode::from(u8::from(answered.is_err()));
    }
    let cli = Cli::parse();
    let result = run(&cli, &mut out).and_then(|outcome| {
        out.flush()?;
        Ok(outcome)
    });
    ExitCode::from(match result {
        Ok(outcome) => outcome.code(),
        Err(error) => {
            // Nobody is left to tell when stderr is closed.
            let _ = error.tell(&mut io::stderr().lock());
            // To those who ask for differences 1 says that there are some.
            match &cli.command {
                Command::Diff(_) if error.code() == 1 => 3,
                Command::Cilium(args) if args.diff && error.code() == 1 => 3,
                _ => error.code(),
            }
        }
    })
}

fn run(cli: &Cli, out: &mut dyn Write) -> Result<Outcome, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let (style, asked) = (Style::of_stdout(&cli.style), Style::of_stderr(&cli.style));
    let (connection, err) = (&cli.connection, &mut io::stderr());
    runtime.block_on(async {
        match &cli.command {
            Command::Status(args) => cmd::status::run(connection, args, style, out, err).await,
            Command::Fdb(args) => cmd::fdb::run(connection, args, style, out, err).await,
            Command::Tree(args) => cmd::tree::run(connection, args, style, out, err).await,
            Command::Graph(args) => cmd::graph::run(connection, args, style, out).await,
            Command::Events(args) => cmd::events::run(connection, args, style, out, err).await,
            Command::Check(args) => {
                Box::pin(cmd::check::run(connection, args, style, out, err)).await
            }
            Command::Cilium(args) => Box::pin(cmd::cilium::run(connection, args, out, err)).await,
            Command::Verify(args) => {
                let mut input = io::stdin().lock();
                let mut person = Person::at(&mut input, err, asked);
                Box::pin(cmd::verify::run(connection, args, style, out, &mut person)).await
            }
            Command::Diff(args) => cmd::diff::run(connection, args, style, out, err).await,
            Command::Report(args) => {
                Box::pin(cmd::bundle::run(connection, args, style, out, err)).await
            }
            Command::Explain(args) => cmd::explain::run(args, style, out),
            Command::Create(args) => {
                let mut input = io::stdin().lock();
                let mut person = Person::at(&mut input, err, asked);
                cmd::create::run(connection, args, out, &mut person).await
            }
            Command::Lint(args) => cmd::lint::run(args, style, out),
            Command::Macs(args) => cmd::macs::run(connection, args, out).await,
            Command::Migrate(command) => cmd::migrate::run(connection, command, style, out).await,
            Command::Act(command) => {
                let mut input = io::stdin().lock();
                let mut person = Person::at(&mut input, err, asked);
                cmd::act::run(connection, command, out, &mut person).await
            }
            Command::Prune(args) => {
                let mut input = io::stdin().lock();
                let mut person = Person::at(&mut input, err, asked);
                cmd::prune::run(connection, args, out, &mut person).await
            }
            Command::Install(args) => cmd::install::run(connection, args, out),
            Command::Completion(args) => cmd::completion::run(args, out, err),
            Command::Version(args) => cmd::version::run(connection, args, style, out, err).await,
        }
    })
}
