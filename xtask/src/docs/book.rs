//! The book as it was built: links to the page of a folder get its name in the book, links out of the book lead to the
//! repository, and all others are followed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::links::{is_elsewhere, resolve};

/// Where readers find what is not in the book.
const REPOSITORY: &str = "https://github.com/bigip-tunnel/operator";
/// Where the pages come from, in the repository.
const SOURCE: &str = "docs";

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) pages: usize,
    pub(super) links: usize,
    pub(super) broken: Vec<String>,
}

/// Rewrites what leads out of the book in `folder`, then follows every link.
pub(super) fn finish(root: &Path, folder: &Path) -> io::Result<Found> {
    let mut found = Found::default();
    let mut pages = BTreeMap::new();
    for path in html(folder)? {
        let text = fs::read_to_string(folder.join(&path))?;
        let rewritten = rewrite(root, &path, &text);
        if rewritten != text {
            fs::write(folder.join(&path), &rewritten)?;
        }
        pages.insert(path, rewritten);
    }
    let anchors: BTreeMap<&Path, BTreeSet<&str>> = pages
        .iter()
        .map(|(path, text)| (path.as_path(), values(text, "id").collect()))
        .collect();
    for (path, text) in &pages {
        found.pages += 1;
        for link in values(text, "href").chain(values(text, "src")) {
            if is_elsewhere(link) || link.is_empty() {
                continue;
            }
            found.links += 1;
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = match file {
                "" => Some(path.clone()),
                file => resolve(path, file),
            };
            let is_there = target.is_some_and(|target| {
                let has = |names: &BTreeSet<&str>| anchor.is_empty() || names.contains(anchor);
                let known = anchors.get(&*target).is_none_or(has);
                folder.join(&target).is_file() && known
            });
            if !is_there {
                found
                    .broken
                    .push(format!("book: {}: {link} leads nowhere", path.display()));
            }
        }
    }
    Ok(found)
}

/// Has links to files of the repository that are not in the book lead to the repository.
fn rewrite(root: &Path, page: &Path, text: &str) -> String {
    let mut rewritten = text.to_owned();
    for link in values(text, "href") {
        let source = Path::new(SOURCE).join(page);
        let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
        if is_elsewhere(link) || file.is_empty() {
            continue;
        }
        let Some(mut target) = resolve(&source, file) else {
            continue;
        };
        if target.starts_with(SOURCE) {
            if target.ends_with("README.html") {
                // The page of a folder has another name in the book.
                let there = link.replace("README.html", "index.html");
                rewritten = replaced(&rewritten, link, &there);
            }
            continue;
        }
        if target.extension().is_some_and(|end| end == "html") && !root.join(&target).exists() {
            target.set_extension("md");
        }
        let kind = match fs::metadata(root.join(&target)) {
            Ok(target) if target.is_dir() => "tree",
            Ok(_) => "blob",
            Err(_) => continue,
        };
        let mut there = format!("{REPOSITORY}/{kind}/main/{}", target.display());
        if !anchor.is_empty() {
            there = format!("{there}#{anchor}");
        }
        rewritten = replaced(&rewritten, link, &there);
    }
    rewritten
}

fn replaced(text: &str, link: &str, by: &str) -> String {
    text.replace(&format!("href=\"{link}\""), &format!("href=\"{by}\""))
}

fn html(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(inside) = folders.pop() {
        for entry in fs::read_dir(inside)? {
            let entry = entry?;
            let path = entry.path();
            if entry.file_type()?.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "html") {
                found.push(path.strip_prefix(folder).unwrap_or(&path).to_owned());
            }
        }
    }
    found.sort();
    Ok(found)
}

/// The values of an attribute.
fn values<'a>(text: &'a str, attribute: &str) -> impl Iterator<Item = &'a str> {
    let open = format!(" {attribute}=\"");
    let parts: Vec<&str> = text.split(&*open).skip(1).collect();
    let value = |part: &'a str| part.split_once('"').map(|(value, _)| value);
    parts.into_iter().filter_map(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A repository with a licence and a book of two pages.
    fn world(first: &str, second: &str) -> (tempfile::TempDir, Found, String) {
        let folder = tempfile::tempdir().unwrap();
        let book = folder.path().join("book");
        fs::create_dir_all(book.join("how-to")).unwrap();
        fs::write(folder.path().join("LICENSE"), "").unwrap();
        fs::write(book.join("index.html"), first).unwrap();
        fs::write(book.join("how-to/a.html"), second).unwrap();
        let found = finish(folder.path(), &book).unwrap();
        let second = fs::read_to_string(book.join("how-to/a.html")).unwrap();
        (folder, found, second)
    }

    #[test]
    fn link_out_of_the_book_leads_to_the_repository() {
        let (_folder, found, page) = world("", "<a href=\"../../LICENSE\">licence</a>");
        assert_eq!(found.broken, [""; 0]);
        let there = "href=\"https://github.com/bigip-tunnel/operator/blob/main/LICENSE\"";
        assert!(page.contains(there), "{page}");
    }

    #[test]
    fn page_of_a_folder_is_linked_by_its_name_in_the_book() {
        let first = "<a href=\"how-to/README.html\">how-to</a>";
        let (folder, _, _) = world(first, "");
        let page = fs::read_to_string(folder.path().join("book/index.html")).unwrap();
        assert_eq!(page, "<a href=\"how-to/index.html\">how-to</a>");
    }

    #[test]
    fn link_to_no_page_and_to_no_heading_is_told() {
        let first = "<a href=\"how-to/a.html#there\"></a><a href=\"how-to/a.html#no\"></a>";
        let (_folder, found, _) = world(first, "<h2 id=\"there\"></h2><img src=\"no.svg\">");
        assert_eq!((found.pages, found.links), (2, 3));
        assert_eq!(
            found.broken,
            [
                "book: how-to/a.html: no.svg leads nowhere",
                "book: index.html: how-to/a.html#no leads nowhere",
            ]
        );
    }
}
