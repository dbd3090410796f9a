//! `cargo xtask docs`: builds the book of `docs/`, and checks every link and anchor, of the sources and of what was
//! built.
//!
//! mdBook comes from the registry at the version that `tests/tools/mdbook` pins; Cargo verifies its checksum and those
//! of the crates that it names in its own lock file. The book needs no network when it is read.

mod book;
mod links;
mod pages;

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use clap::Args;

use crate::cache::{Cache, prepared};
use crate::step::{Failure, Step};

/// Where the book is built.
const BOOK: &str = "target/book";
/// What pins mdBook.
const PIN: &str = "tests/tools/mdbook/version";

/// How far it goes.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Check the sources only: needs no mdBook.
    #[arg(long)]
    links: bool,
}

/// Checks the sources, then builds the book and checks it.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let root = root();
    let mut wrong = pages::outside_of_the_book(&root)?;
    wrong.extend(links::broken(&root)?);
    if wrong.is_empty() && !options.links {
        let folder = root.join(BOOK);
        build(&root, &folder)?;
        let found = book::finish(&root, &folder)?;
        wrong.extend(found.broken);
        writeln!(
            io::stderr(),
            "{} pages and {} links in {}",
            found.pages,
            found.links,
            folder.join("index.html").display()
        )?;
    }
    if wrong.is_empty() {
        return Ok(());
    }
    Err(Failure::new(wrong.join("\nerror: ")))
}

fn build(root: &Path, folder: &Path) -> Result<(), Failure> {
    let mdbook = {
        let cache = Cache::lock(root)?;
        prepared(&cache.folder.join("mdbook"), &root.join(PIN), |folder| {
            vec![install(root, folder)]
        })?
    };
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    Step::program("the book", mdbook.join("bin/mdbook"), ["build"])
        .arg("--dest-dir")
        .arg(folder)
        .arg(root)
        .run()
}

/// Without the server and the watcher, which nothing here uses.
fn install(root: &Path, folder: &Path) -> Step {
    // A missing file fails as an unknown version does.
    let version = fs::read_to_string(root.join(PIN)).unwrap_or_default();
    let args = [
        "install",
        "mdbook",
        "--locked",
        "--debug",
        "--no-default-features",
        "--features=search",
    ];
    Step::cargo("building mdBook with Cargo", &args)
        .arg(format!("--version={}", version.trim()))
        .arg("--root")
        .arg(folder)
}

/// The root of the workspace.
fn root() -> PathBuf {
    let this = Path::new(env!("CARGO_MANIFEST_DIR"));
    this.parent().unwrap_or(this).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_link_of_the_sources_leads_somewhere() {
        assert_eq!(links::broken(&root()).unwrap(), [""; 0]);
    }

    #[test]
    fn every_page_is_in_the_book_once() {
        assert_eq!(pages::outside_of_the_book(&root()).unwrap(), [""; 0]);
    }
}
