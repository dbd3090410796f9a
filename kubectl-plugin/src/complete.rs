//! Completion: what may come next on a line that is being typed.
//!
//! It is asked for in two ways: by kubectl, which calls the program by another name, and by a shell
//! that has sourced the script of `completion`. Whoever presses a key wants words and no messages: what
//! cannot be found out in a moment is left out in silence.

mod names;
mod typed;

use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::builder::ValueHint;
use clap::{Command, CommandFactory as _};
use clap_complete::engine::{ArgValueCandidates, ArgValueCompleter, CompletionCandidate};
use clap_complete::env::EnvCompleter;

use crate::cli::Cli;
use crate::cli::completion::Completes;
use typed::Typed;

/// Name of the program under which kubectl asks, without what a system puts behind it.
pub(crate) const LINK: &str = "kubectl_complete-bigip_tunnel";
/// Name of the program.
pub(crate) const PLUGIN: &str = "kubectl-bigip_tunnel";
/// Environment variable by which the scripts ask; its value is the shell.
const VARIABLE: &str = "KUBECTL_BIGIP_TUNNEL_COMPLETE";
/// What tells kubectl that files make sense where nothing was found, and that they do not: directives
/// of cobra, which kubectl's command line is made with.
const FILES: &str = ":0";
const NO_FILES: &str = ":4";

/// Answers if the program was called to complete a line: whether it was, and whether that went well.
pub(crate) fn answer(words: &[OsString], out: &mut dyn Write) -> Option<io::Result<()>> {
    let (program, line) = words.split_first()?;
    if is_link(program) {
        return Some(out.write_all(for_kubectl(line).as_bytes()));
    }
    let shell = std::env::var(VARIABLE).ok()?;
    Some(for_shell(&shell, line, out))
}

/// Writes the script that makes a shell ask. `program`: how it calls this one.
pub(crate) fn write_script(shell: &str, program: &str, out: &mut dyn Write) -> io::Result<()> {
    completer(shell)?.write_registration(VARIABLE, PLUGIN, PLUGIN, program, out)
}

fn is_link(program: &OsStr) -> bool {
    let name = Path::new(program).file_name().unwrap_or_default();
    name.to_string_lossy().starts_with(LINK)
}

fn completer(shell: &str) -> io::Result<Box<dyn EnvCompleter>> {
    match shell {
        "bash" => Ok(Box::new(clap_complete::env::Bash)),
        "zsh" => Ok(Box::new(clap_complete::env::Zsh)),
        "fish" => Ok(Box::new(clap_complete::env::Fish)),
        "powershell" => Ok(Box::new(clap_complete::env::Powershell)),
        _ => Err(io::Error::other(format!("no shell is known as {shell:?}"))),
    }
}

/// What a shell gets that has the script: `-- PROGRAM WORD...`, the rest is in its environment.
fn for_shell(shell: &str, line: &[OsString], out: &mut dyn Write) -> io::Result<()> {
    let line: Vec<OsString> = line
        .iter()
        .skip_while(|w| *w != "--")
        .skip(1)
        .cloned()
        .collect();
    let typed = Typed::of(line.get(1..).unwrap_or_default());
    let mut command = completing(Cli::command(), &Arc::new(typed), None);
    let here = std::env::current_dir().ok();
    completer(shell)?.write_complete(&mut command, line, here.as_deref(), out)
}

/// What kubectl gets that has given the words so far, the last of them maybe empty: a candidate per
/// line, behind a tab what it is, and a directive on the last.
fn for_kubectl(line: &[OsString]) -> String {
    let current = line.last().map(|word| word.to_string_lossy());
    let current = current.unwrap_or_default();
    let is_path = Arc::new(AtomicBool::new(false));
    let mut answer = String::new();
    for candidate in candidates(line, &is_path) {
        let value = candidate.get_value().to_string_lossy();
        // Flags only for those who have begun one, as kubectl does.
        if value.starts_with('-') && !current.starts_with('-') {
            continue;
        }
        // Shells have the part before the value already.
        let value = match current.split_once('=') {
            Some((flag, _)) if flag.starts_with('-') => {
                value.strip_prefix(&format!("{flag}=")).unwrap_or(&value)
            }
            _ => &value,
        };
        let help = candidate.get_help().map(ToString::to_string);
        let help = help.as_deref().and_then(|help| help.lines().next());
        // Writing into a string cannot fail.
        let _ = match help {
            Some(help) => writeln!(answer, "{value}\t{}", help.replace('\t', " ")),
            None => writeln!(answer, "{value}"),
        };
    }
    answer.push_str(if is_path.load(Ordering::Relaxed) {
        FILES
    } else {
        NO_FILES
    });
    answer.push('\n');
    answer
}

/// What can follow. `is_path` becomes true if it is a path.
fn candidates(line: &[OsString], is_path: &Arc<AtomicBool>) -> Vec<CompletionCandidate> {
    let typed = Arc::new(Typed::of(line));
    let mut command = completing(Cli::command(), &typed, Some(is_path));
    let mut words = vec![OsString::from(PLUGIN)];
    words.extend(line.iter().cloned());
    let current = words.len().saturating_sub(1).max(1);
    words.resize(current.saturating_add(1), OsString::new());
    // No answer where the line makes no sense.
    clap_complete::engine::complete(&mut command, words, current, None).unwrap_or_default()
}

/// The command line with live names. Paths are left to the shell if it notes in `is_path` that one is
/// wanted.
fn completing(
    command: Command,
    typed: &Arc<Option<Typed>>,
    is_path: Option<&Arc<AtomicBool>>,
) -> Command {
    let hints = [ValueHint::AnyPath, ValueHint::FilePath, ValueHint::DirPath];
    command
        .mut_args(|arg| {
            if let Some(&of) = arg.get::<Completes>() {
                let typed = Arc::clone(typed);
                let names = move || match &*typed {
                    Some(typed) => names::names(of, typed),
                    None => Vec::new(),
                };
                return arg.add(ArgValueCandidates::new(names));
            }
            match is_path {
                Some(is_path) if hints.contains(&arg.get_value_hint()) => {
                    let is_path = Arc::clone(is_path);
                    arg.add(ArgValueCompleter::new(move |_: &OsStr| {
                        is_path.store(true, Ordering::Relaxed);
                        Vec::new()
                    }))
                }
                _ => arg,
            }
        })
        .mut_subcommands(|verb| completing(verb, typed, is_path))
}

#[cfg(test)]
mod tests;
