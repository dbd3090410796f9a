//! `cargo xtask licences`: the licences of everything that the shipped programs are made of, as one text.
//!
//! What a crate is licensed under is said by its manifest; the texts are those that its package holds.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Args;
use serde_json::Value;

use crate::step::Failure;

/// The packages that are shipped.
const SHIPPED: [&str; 2] = ["bigip-tunnel-operator", "kubectl-bigip-tunnel"];
/// How files begin that hold a licence or a notice.
const TEXTS: [&str; 5] = ["license", "licence", "copying", "notice", "copyright"];

/// Where it goes.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// File to write.
    #[arg(long)]
    output: PathBuf,
}

/// A crate of others.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Part {
    name: String,
    version: String,
    licence: String,
    folder: PathBuf,
}

/// Writes the text.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let parts = parts(&metadata()?)?;
    Ok(fs::write(&options.output, text(&parts)?)?)
}

fn metadata() -> Result<Value, Failure> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version=1", "--locked"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()?;
    if !output.status.success() {
        let why = String::from_utf8_lossy(&output.stderr);
        return Err(Failure::new(format!("cargo metadata failed: {why}")));
    }
    serde_json::from_slice(&output.stdout)
        .map_err(|error| Failure::new(format!("cargo metadata cannot be read: {error}")))
}

/// A member of an object; nothing where it is not there.
fn member<'a>(value: &'a Value, name: &str) -> &'a Value {
    value.get(name).unwrap_or(&Value::Null)
}

fn text_of(value: &Value, name: &str) -> String {
    let text = member(value, name).as_str();
    text.unwrap_or_default().to_owned()
}

fn list_of<'a>(value: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    member(value, name).as_array().into_iter().flatten()
}

/// The crates of others that the shipped packages are built from, in order.
fn parts(metadata: &Value) -> Result<Vec<Part>, Failure> {
    let packages: BTreeMap<String, &Value> = list_of(metadata, "packages")
        .map(|package| (text_of(package, "id"), package))
        .collect();
    let shipped = packages.iter().filter(|(_, package)| {
        let name = text_of(package, "name");
        SHIPPED.contains(&&*name)
    });
    let shipped: Vec<String> = shipped.map(|(id, _)| id.clone()).collect();
    if shipped.len() != SHIPPED.len() {
        return Err(Failure::new("a shipped package is missing".to_owned()));
    }
    let built_from = built_from(metadata, shipped);
    let of_others = built_from.iter().filter_map(|id| packages.get(id));
    let of_others = of_others.filter(|package| !member(package, "source").is_null());
    let mut parts: Vec<Part> = of_others.map(|package| part(package)).collect();
    parts.sort_by(|one, other| (&one.name, &one.version).cmp(&(&other.name, &other.version)));
    Ok(parts)
}

/// The packages that these are built from, these included. What only builds or tests is not part of what is shipped.
fn built_from(metadata: &Value, shipped: Vec<String>) -> BTreeSet<String> {
    let nodes: BTreeMap<String, &Value> = list_of(member(metadata, "resolve"), "nodes")
        .map(|node| (text_of(node, "id"), node))
        .collect();
    let mut seen: BTreeSet<String> = shipped.iter().cloned().collect();
    let mut open = shipped;
    while let Some(id) = open.pop() {
        for dependency in nodes
            .get(&id)
            .into_iter()
            .flat_map(|node| list_of(node, "deps"))
        {
            let is_shipped =
                list_of(dependency, "dep_kinds").any(|kind| member(kind, "kind").is_null());
            let id = text_of(dependency, "pkg");
            if is_shipped && seen.insert(id.clone()) {
                open.push(id);
            }
        }
    }
    seen
}

fn part(package: &Value) -> Part {
    let manifest = PathBuf::from(text_of(package, "manifest_path"));
    Part {
        name: text_of(package, "name"),
        version: text_of(package, "version"),
        licence: text_of(package, "license"),
        folder: manifest.parent().unwrap_or(Path::new("")).to_owned(),
    }
}

/// A list of the parts, then each text once, with the parts that it belongs to.
fn text(parts: &[Part]) -> io::Result<String> {
    let mut written =
        "What the programs of bigip-tunnel are made of, and its licences.\n\n".to_owned();
    let mut texts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for part in parts {
        let name = format!("{} {}", part.name, part.version);
        let licence = match &*part.licence {
            "" => "see its text",
            licence => licence,
        };
        // Writing to a string does not fail.
        let _ = writeln!(written, "{name}: {licence}");
        for text in texts_of(&part.folder)? {
            texts.entry(text).or_default().push(name.clone());
        }
    }
    for (text, names) in texts {
        let line = "-".repeat(80);
        let _ = write!(
            written,
            "\n{line}\n{}\n\n{}\n",
            names.join(", "),
            text.trim_end()
        );
    }
    Ok(written)
}

/// The texts in the folder of a package, in the order of their names.
fn texts_of(folder: &Path) -> io::Result<Vec<String>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let name = name.to_lowercase();
        if path.is_file() && TEXTS.iter().any(|start| name.starts_with(start)) {
            files.push(path);
        }
    }
    files.sort();
    let read = |path: PathBuf| Ok(String::from_utf8_lossy(&fs::read(path)?).into_owned());
    files.into_iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shipped_crate_is_named_with_its_licence() {
        let parts = parts(&metadata().unwrap()).unwrap();
        let names: Vec<&str> = parts.iter().map(|part| &*part.name).collect();
        for name in ["kube", "rustls", "tokio", "aws-lc-rs", "clap"] {
            assert!(names.contains(&name), "{name}");
        }
        // Only tests use these, and these are ours.
        for name in ["proptest", "insta", "bigip-tunnel-core"] {
            assert!(!names.contains(&name), "{name}");
        }
        let unknown = parts.iter().find(|part| part.licence.is_empty());
        assert_eq!(unknown, None);
    }

    #[test]
    fn text_that_two_crates_share_is_there_once() {
        let folder = tempfile::tempdir().unwrap();
        let part = |name: &str| {
            let folder = folder.path().join(name);
            fs::create_dir(&folder).unwrap();
            fs::write(folder.join("LICENSE-MIT"), "Permission is granted\n").unwrap();
            fs::write(folder.join("README.md"), "no licence\n").unwrap();
            Part {
                name: name.to_owned(),
                version: "1.0.0".to_owned(),
                licence: "MIT".to_owned(),
                folder,
            }
        };
        let text = text(&[part("a"), part("b")]).unwrap();
        assert!(text.contains("a 1.0.0: MIT\nb 1.0.0: MIT\n"), "{text}");
        assert!(
            text.contains("a 1.0.0, b 1.0.0\n\nPermission is granted"),
            "{text}"
        );
        assert_eq!(text.matches("Permission").count(), 1);
        assert!(!text.contains("no licence"));
    }
}
