//! Links of Markdown files: where they lead, and the anchors of headings as GitHub makes them.
//!
//! Only what leads into the repository is followed. Blocks and spans of code hold no links.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use super::pages::markdown;

/// A Markdown file as far as links are concerned.
#[derive(Debug, Default, PartialEq, Eq)]
struct Page {
    links: Vec<String>,
    anchors: BTreeSet<String>,
}

/// A line for each link of the repository that leads nowhere.
pub(super) fn broken(root: &Path) -> io::Result<Vec<String>> {
    let mut pages = BTreeMap::new();
    for path in markdown(root, root)? {
        let text = fs::read_to_string(root.join(&path))?;
        pages.insert(path, page(&text));
    }
    let mut wrong = Vec::new();
    for (path, page) in &pages {
        for link in &page.links {
            if let Some(why) = follow(root, &pages, path, link) {
                wrong.push(format!("{}: {link}: {why}", path.display()));
            }
        }
    }
    Ok(wrong)
}

/// Why a link leads nowhere, if it does.
fn follow(
    root: &Path,
    pages: &BTreeMap<PathBuf, Page>,
    from: &Path,
    link: &str,
) -> Option<&'static str> {
    if is_elsewhere(link) {
        return None;
    }
    let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
    let target = if file.is_empty() {
        from.to_owned()
    } else {
        let Some(target) = resolve(from, file) else {
            return Some("leads out of the repository");
        };
        target
    };
    if !root.join(&target).exists() {
        return Some("no such file");
    }
    let has_anchor = |page: &Page| page.anchors.contains(anchor);
    match pages.get(&target) {
        Some(page) if !anchor.is_empty() && !has_anchor(page) => Some("no such heading"),
        _ => None,
    }
}

/// Whether a link leads to another site.
pub(super) fn is_elsewhere(link: &str) -> bool {
    link.contains("://") || link.starts_with("mailto:") || link.starts_with("data:")
}

/// The path that a relative link names, seen from a file; nothing where it leads above the root.
pub(super) fn resolve(from: &Path, link: &str) -> Option<PathBuf> {
    let mut path = from.parent().unwrap_or(Path::new("")).to_owned();
    for part in Path::new(link).components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                if !path.pop() {
                    return None;
                }
            }
            part => path.push(part),
        }
    }
    Some(path)
}

fn page(text: &str) -> Page {
    let mut page = Page::default();
    let mut fence = None;
    for line in text.lines() {
        let start = line.trim_start();
        let marker = ["```", "~~~"]
            .into_iter()
            .find(|mark| start.starts_with(mark));
        match (fence, marker) {
            (None, Some(marker)) => fence = Some(marker),
            (Some(open), Some(marker)) if open == marker => fence = None,
            (Some(_), _) => {}
            (None, None) => read(line, &mut page),
        }
    }
    page
}

fn read(line: &str, page: &mut Page) {
    let plain = without_code(line);
    if let Some(heading) = line.strip_prefix('#') {
        let heading = heading.trim_start_matches('#');
        if heading.starts_with(' ') {
            let anchor = anchor(heading.trim());
            let same = |number: usize| match number {
                0 => anchor.clone(),
                _ => format!("{anchor}-{number}"),
            };
            let free = (0..=page.anchors.len())
                .map(same)
                .find(|name| !page.anchors.contains(name));
            page.anchors.extend(free);
        }
    }
    for attribute in ["href=\"", "src=\"", "srcset=\""] {
        page.links.extend(between(&plain, attribute, '"'));
    }
    for attribute in ["id=\"", "name=\""] {
        page.anchors.extend(between(&plain, attribute, '"'));
    }
    let targets = between(&plain, "](", ')');
    // Behind the address there may be a title.
    let address = |target: String| target.split(' ').next().map(str::to_owned);
    page.links.extend(targets.filter_map(address));
    if let Some((_, target)) = definition(&plain) {
        page.links.push(target.to_owned());
    }
}

/// A link that stands elsewhere under a name.
fn definition(line: &str) -> Option<(&str, &str)> {
    let (name, target) = line.strip_prefix('[')?.split_once("]: ")?;
    Some((name, target.trim()))
}

fn between(text: &str, open: &str, close: char) -> impl Iterator<Item = String> {
    let parts: Vec<String> = text
        .split(open)
        .skip(1)
        .filter_map(|rest| rest.split_once(close))
        .map(|(inside, _)| inside.to_owned())
        .collect();
    parts.into_iter()
}

/// The line without what stands between backticks.
fn without_code(line: &str) -> String {
    line.split('`').step_by(2).collect::<Vec<_>>().join("``")
}

/// The anchor of a heading: letters in lower case, digits, `-` and `_`; blanks become `-`.
fn anchor(heading: &str) -> String {
    let text = shown(heading);
    let letters = text.chars().filter_map(|letter| match letter {
        ' ' => Some('-'),
        '-' | '_' => Some(letter),
        letter if letter.is_alphanumeric() => Some(letter),
        _ => None,
    });
    letters.flat_map(char::to_lowercase).collect()
}

/// A heading as it is shown: of a link, its text.
fn shown(heading: &str) -> String {
    let mut text = heading.to_owned();
    while let Some(middle) = text.find("](") {
        let (Some(open), Some(close)) = (
            text.get(..middle).and_then(|before| before.rfind('[')),
            text.get(middle..).and_then(|after| after.find(')')),
        ) else {
            break;
        };
        text.replace_range(middle..=middle + close, "");
        text.replace_range(open..=open, "");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_and_anchors_are_read_outside_of_code() {
        let text = "# The [tunnel](t.md) `x_y`, twice\n\n[a](b.md#c \"title\") `[no](no.md)`\n\
                    ```console\n[no](no.md)\n# no\n```\n<img src=\"p.svg\" id=\"here\">\n[d]: e.md\n";
        let page = page(text);
        assert_eq!(page.links, ["t.md", "b.md#c", "p.svg", "e.md"]);
        let anchors: Vec<&str> = page.anchors.iter().map(String::as_str).collect();
        assert_eq!(anchors, ["here", "the-tunnel-x_y-twice"]);
    }

    #[test]
    fn same_headings_get_numbers() {
        let page = page("## Steps\n## Steps\n");
        assert!(page.anchors.contains("steps") && page.anchors.contains("steps-1"));
    }

    #[test]
    fn link_to_nothing_is_told_with_its_reason() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        write(
            "a.md",
            "# A\n[1](b.md#b) [2](b.md#no) [3](no.md) [4](../x.md) [5](#a)\n",
        );
        write("b.md", "## B\n[there](https://example.com/no)\n");
        assert_eq!(
            broken(folder.path()).unwrap(),
            [
                "a.md: b.md#no: no such heading",
                "a.md: no.md: no such file",
                "a.md: ../x.md: leads out of the repository",
            ]
        );
    }
}
