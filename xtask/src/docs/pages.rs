//! The pages of `docs/` and the table of contents that names them.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The table of contents.
const SUMMARY: &str = "SUMMARY.md";

/// The Markdown files below a folder, in order, with paths relative to `root`.
pub(super) fn markdown(root: &Path, folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let (path, name) = (entry.path(), entry.file_name());
            let is_foreign = || {
                [".git", "target", "node_modules"]
                    .iter()
                    .any(|foreign| name == *foreign)
            };
            if entry.file_type()?.is_dir() {
                if !is_foreign() {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|end| end == "md") {
                found.push(path.strip_prefix(root).unwrap_or(&path).to_owned());
            }
        }
    }
    found.sort();
    Ok(found)
}

/// What is wrong with the table of contents: pages that it does not name, or names twice.
pub(super) fn outside_of_the_book(root: &Path) -> io::Result<Vec<String>> {
    let docs = root.join("docs");
    let summary = fs::read_to_string(docs.join(SUMMARY))?;
    let pages = markdown(&docs, &docs)?;
    let pages = pages.iter().map(|page| page.display().to_string());
    Ok(compare(&summary, pages.filter(|page| page != SUMMARY)))
}

fn compare(summary: &str, pages: impl Iterator<Item = String>) -> Vec<String> {
    let mut named: BTreeMap<&str, usize> = BTreeMap::new();
    for rest in summary.split("](").skip(1) {
        if let Some((page, _)) = rest.split_once(')') {
            *named.entry(page).or_default() += 1;
        }
    }
    let mut wrong = Vec::new();
    for page in pages {
        match named.remove(&*page) {
            Some(1) => {}
            Some(_) => wrong.push(format!("docs/{SUMMARY} names {page} twice")),
            None => wrong.push(format!("docs/{SUMMARY} does not name {page}")),
        }
    }
    let absent = named.into_keys();
    wrong.extend(absent.map(|page| format!("docs/{SUMMARY} names {page}, which is not there")));
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn page_that_is_missing_or_named_twice_is_told() {
        let summary = "- [One](one.md)\n- [Two](two.md)\n- [Again](two.md)\n- [Gone](gone.md)\n";
        let pages = ["one.md", "two.md", "three.md"].map(str::to_owned);
        let wrong = compare(summary, pages.into_iter());
        assert_eq!(
            wrong,
            [
                "docs/SUMMARY.md names two.md twice",
                "docs/SUMMARY.md does not name three.md",
                "docs/SUMMARY.md names gone.md, which is not there",
            ]
        );
    }
}
