//! The cache of foreign programs: each is installed once, and again when what pins it has changed.
//!
//! It must not know which programs there are.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::step::{Failure, Step};

/// The cache, for this process alone.
#[derive(Debug)]
pub(crate) struct Cache {
    /// Where it is.
    pub(crate) folder: PathBuf,
    /// The lock goes with the file handle.
    _lock: File,
}

impl Cache {
    /// Waits until no other process fills it.
    pub(crate) fn lock(root: &Path) -> io::Result<Self> {
        let target = std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
        let folder = root.join(target).join("tools");
        fs::create_dir_all(&folder)?;
        let lock = File::create(folder.join(".lint.lock"))?;
        lock.lock()?;
        Ok(Self {
            folder,
            _lock: lock,
        })
    }
}

/// A folder that was filled by what `pins` holds now: as it is there, or filled anew.
pub(crate) fn prepared(
    folder: &Path,
    pins: &Path,
    install: impl FnOnce(&Path) -> Vec<Step>,
) -> Result<PathBuf, Failure> {
    let wanted = fs::read(pins)?;
    // Written last: a folder without it was left half filled.
    let mark = folder.join("pins");
    if fs::read(&mark).is_ok_and(|had| had == wanted) {
        return Ok(folder.to_owned());
    }
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    fs::create_dir_all(folder)?;
    for step in install(folder) {
        writeln!(io::stderr(), "--- {}", step.name)?;
        step.run()?;
    }
    fs::write(mark, wanted)?;
    Ok(folder.to_owned())
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// A cache and pins of a test's own.
    struct World {
        temporary: tempfile::TempDir,
        installations: Cell<u32>,
    }

    impl World {
        fn new() -> Self {
            let temporary = tempfile::tempdir().unwrap();
            fs::write(temporary.path().join("pins"), "tool 1").unwrap();
            Self {
                temporary,
                installations: Cell::new(0),
            }
        }

        fn pin(&self, text: &str) {
            fs::write(self.temporary.path().join("pins"), text).unwrap();
        }

        /// Prepares a tool whose installation is the run of `program`.
        fn prepare(&self, program: &str) -> Result<PathBuf, Failure> {
            let root = self.temporary.path();
            prepared(&root.join("cache/tool"), &root.join("pins"), |folder| {
                self.installations.set(self.installations.get() + 1);
                assert_eq!(fs::read_dir(folder).unwrap().count(), 0, "not empty");
                fs::write(folder.join("program"), "").unwrap();
                vec![Step::program("installing", program, ["--version"])]
            })
        }
    }

    #[test]
    fn tool_is_installed_once() {
        let world = World::new();
        let folder = world.prepare(env!("CARGO")).unwrap();
        assert_eq!(world.prepare(env!("CARGO")).unwrap(), folder);
        assert!(folder.join("program").exists());
        assert_eq!(world.installations.get(), 1);
    }

    #[test]
    fn changed_pins_reinstall_the_tool() {
        let world = World::new();
        world.prepare(env!("CARGO")).unwrap();
        world.pin("tool 2");
        world.prepare(env!("CARGO")).unwrap();
        assert_eq!(world.installations.get(), 2);
    }

    #[test]
    fn failed_installation_is_retried() {
        let world = World::new();
        let failure = world.prepare("no-such-program").unwrap_err();
        let text = failure.to_string();
        assert!(
            text.starts_with("installing failed: no-such-program"),
            "{text}"
        );
        world.prepare(env!("CARGO")).unwrap();
        assert_eq!(world.installations.get(), 2);
    }
}
