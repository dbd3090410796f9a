//! `completion`: the script for a shell, or the link that kubectl looks for. Asks no cluster.
//!
//! kubectl completes the words behind a plugin's name by calling a program of another name. It is the
//! plugin itself, which looks at the name that it was called by.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use crate::cli::completion::{CompletionArgs, CompletionCommand, InstallArgs};
use crate::complete::{LINK, PLUGIN, write_script};
use crate::error::{Error, Outcome};

/// What is made, as errors name it.
const WHAT: &str = "completion link";

/// Runs the verb.
pub(crate) fn run(
    args: &CompletionArgs,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Result<Outcome, Error> {
    let shell = match &args.command {
        CompletionCommand::Install(args) => {
            install(args, &Place::here()?, out, err)?;
            return Ok(Outcome::Fine);
        }
        CompletionCommand::Bash => "bash",
        CompletionCommand::Zsh => "zsh",
        CompletionCommand::Fish => "fish",
        CompletionCommand::Powershell => "powershell",
    };
    let place = Place::here()?;
    // By its name where the shell finds it: the script outlives the place.
    let program = if place.is_on_path(place.folder()) {
        PLUGIN.to_owned()
    } else {
        place.plugin.to_string_lossy().into_owned()
    };
    write_script(shell, &program, out)?;
    Ok(Outcome::Fine)
}

/// Where the plugin is and where programs are looked for.
#[derive(Debug)]
struct Place {
    /// The plugin as it was called: a link of krew, say, which outlives the file behind it.
    plugin: PathBuf,
    path: Vec<PathBuf>,
}

/// What became of a link.
#[derive(Debug, PartialEq, Eq)]
enum Made {
    New,
    /// It was there already.
    Same,
}

impl Place {
    fn here() -> Result<Self, Error> {
        let path: Vec<PathBuf> = env::var_os("PATH")
            .map(|path| env::split_paths(&path).collect())
            .unwrap_or_default();
        let called = env::args_os().next().map(PathBuf::from).unwrap_or_default();
        let plugin = if called.components().count() > 1 {
            std::path::absolute(called)?
        } else {
            let files = path.iter().map(|folder| folder.join(&called));
            let found = files.into_iter().find(|file| file.is_file());
            found.map_or_else(env::current_exe, Ok)?
        };
        Ok(Self { plugin, path })
    }

    fn folder(&self) -> &Path {
        self.plugin.parent().unwrap_or(Path::new(""))
    }

    fn is_on_path(&self, folder: &Path) -> bool {
        self.path.iter().any(|entry| is_same(entry, folder))
    }

    /// Folders for the link, the best first. kubectl looks nowhere but on the PATH.
    fn folders(&self) -> Vec<&Path> {
        let near = Some(self.folder()).filter(|folder| self.is_on_path(folder));
        let others = self.path.iter().map(PathBuf::as_path);
        let absolute = others.filter(|folder| folder.is_absolute());
        near.into_iter().chain(absolute).collect()
    }
}

/// Makes the link, and says so.
fn install(
    args: &InstallArgs,
    place: &Place,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Result<(), Error> {
    let (link, made) = match &args.dir {
        Some(folder) => {
            let link = folder.join(link_name());
            let made = make(&link, &place.plugin).map_err(|error| refused(&link, &error))?;
            (link, made)
        }
        None => make_somewhere(place)?,
    };
    match made {
        Made::New => writeln!(out, "{} created", link.display())?,
        Made::Same => writeln!(out, "{} unchanged", link.display())?,
    }
    let folder = link.parent().unwrap_or(Path::new(""));
    if place.is_on_path(folder) {
        writeln!(
            err,
            "kubectl 1.26 or later completes kubectl bigip-tunnel where kubectl itself completes: \
             kubectl completion --help"
        )?;
    } else {
        writeln!(
            err,
            "warning: {} is not on the PATH, where kubectl looks for it",
            folder.display()
        )?;
    }
    Ok(())
}

/// Makes the link in the first folder that can be written to.
fn make_somewhere(place: &Place) -> Result<(PathBuf, Made), Error> {
    for folder in place.folders() {
        let link = folder.join(link_name());
        match make(&link, &place.plugin) {
            Ok(made) => return Ok((link, made)),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                return Err(refused(&link, &error));
            }
            // No such folder, or none of this person's: the next one.
            Err(_) => {}
        }
    }
    Err(Error::File {
        what: WHAT,
        path: link_name().into(),
        problem: "no directory of the PATH can be written to".to_owned(),
        hint: "give one with --dir, and put it on the PATH",
    })
}

fn refused(link: &Path, error: &io::Error) -> Error {
    let path = link.to_owned();
    match error.kind() {
        ErrorKind::AlreadyExists => Error::InTheWay(path),
        _ => Error::File {
            what: WHAT,
            path,
            problem: error.to_string(),
            hint: "give another directory with --dir",
        },
    }
}

/// Makes the link lead to the plugin. What leads to another file than the plugin is left alone.
fn make(link: &Path, plugin: &Path) -> io::Result<Made> {
    let beside = link.parent().zip(plugin.parent());
    let target = match plugin.file_name() {
        // Still right when both are moved.
        Some(name) if beside.is_some_and(|(a, b)| is_same(a, b)) => Path::new(name),
        _ => plugin,
    };
    match put(target, plugin, link) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        result => return result.map(|()| Made::New),
    }
    if is_same(link, plugin) {
        return Ok(Made::Same);
    }
    // A link that was made for a plugin that is gone, or is somewhere else.
    let old = fs::read_link(link).map_err(|_| ErrorKind::AlreadyExists)?;
    if old.file_name() != Some(OsStr::new(&plugin_name())) {
        return Err(ErrorKind::AlreadyExists.into());
    }
    fs::remove_file(link)?;
    put(target, plugin, link).map(|()| Made::New)
}

#[cfg(unix)]
fn put(target: &Path, _plugin: &Path, link: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(target, link)
}

/// Where links need a right of their own it is a copy.
#[cfg(not(unix))]
fn put(_target: &Path, plugin: &Path, link: &Path) -> io::Result<()> {
    let mut copy = fs::File::create_new(link)?;
    io::copy(&mut fs::File::open(plugin)?, &mut copy).map(|_| ())
}

fn link_name() -> String {
    format!("{LINK}{}", env::consts::EXE_SUFFIX)
}

fn plugin_name() -> String {
    format!("{PLUGIN}{}", env::consts::EXE_SUFFIX)
}

/// Whether both are the same file; links are followed.
fn is_same(a: &Path, b: &Path) -> bool {
    match (a.canonicalize(), b.canonicalize()) {
        (Ok(a), Ok(b)) => a == b,
        _ => false,
    }
}

#[cfg(test)]
mod tests;
