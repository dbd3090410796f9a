//! What a line that is not finished says already. Knows no cluster.

use std::ffi::OsString;

use clap::error::ErrorKind;
use clap::{ArgMatches, Command, CommandFactory as _, FromArgMatches as _};

use crate::cli::Cli;
use crate::cli::completion::Completes;
use crate::complete::PLUGIN;
use crate::connection::Connection;

/// Stands for the word that is being typed, so that the flag before it has a value. Nothing in
/// Kubernetes can have this name.
const UNFINISHED: &str = "_";

/// What is known before the line is finished.
#[derive(Clone, Debug)]
pub(super) struct Typed {
    /// Where the names are looked up.
    pub(super) connection: Connection,
    /// Names of tunnels that are on the line.
    pub(super) tunnels: Vec<String>,
}

impl Typed {
    /// What these words say, of which the last is being typed. `None` if they say something that the
    /// program does not know: it could be the wrong cluster that is asked.
    pub(super) fn of(words: &[OsString]) -> Option<Self> {
        let (current, before) = words.split_last()?;
        let mut line = vec![OsString::from(PLUGIN)];
        line.extend(before.iter().cloned());
        line.push(unfinished(&current.to_string_lossy()).into());
        let command = Cli::command();
        if let Err(error) = command.clone().try_get_matches_from(&line) {
            match error.kind() {
                // The rest may follow, or the line will be refused when it is finished.
                ErrorKind::MissingRequiredArgument
                | ErrorKind::MissingSubcommand
                | ErrorKind::InvalidSubcommand
                | ErrorKind::ArgumentConflict => {}
                _ => return None,
            }
        }
        let tolerant = command.clone().ignore_errors(true);
        let matches = tolerant.try_get_matches_from(&line).ok()?;
        Some(Self {
            connection: Connection::from_arg_matches(&matches).ok()?,
            tunnels: tunnels(&command, &matches),
        })
    }
}

fn unfinished(current: &str) -> String {
    match current.split_once('=') {
        Some((flag, _)) if flag.starts_with('-') => format!("{flag}={UNFINISHED}"),
        _ if current.len() > 1 && current.starts_with('-') => current.to_owned(),
        _ => UNFINISHED.to_owned(),
    }
}

fn tunnels(command: &Command, matches: &ArgMatches) -> Vec<String> {
    let Some((verb, matches)) = matches.subcommand() else {
        return Vec::new();
    };
    let Some(verb) = command.find_subcommand(verb) else {
        return Vec::new();
    };
    let mut arguments = verb.get_arguments();
    let argument = arguments.find(|arg| arg.get() == Some(&Completes::Tunnels));
    let values = argument.and_then(|arg| matches.try_get_many(arg.get_id().as_str()).ok()?);
    let values = values.into_iter().flatten().cloned();
    values
        .filter(|value: &String| value != UNFINISHED)
        .collect()
}
