//! A mutant as it stands in its file: three lines of text, an empty one, and the patch for `git apply`.
//!
//! ```text
//! Fault: one sentence about what is broken
//! Run: --package bigip-icontrol --lib
//! Test: transport::tests::copied_certificate_is_refused_under_tls_1_2
//! ```

use std::fs;
use std::path::{Path, PathBuf};

use crate::step::Failure;

/// One mutant.
#[derive(Debug)]
pub(super) struct Patch {
    /// Name of the file, without its ending.
    pub(super) name: String,
    pub(super) file: PathBuf,
    /// What is broken.
    pub(super) fault: String,
    /// Arguments of `cargo test` that select the target of the test.
    pub(super) run: Vec<String>,
    /// Full name of the test that has to fail.
    pub(super) test: String,
}

/// All mutants of a folder, by name.
pub(super) fn read_all(folder: &Path) -> Result<Vec<Patch>, Failure> {
    let mut patches = Vec::new();
    for entry in fs::read_dir(folder)? {
        let file = entry?.path();
        if file.extension().is_some_and(|ending| ending == "patch") {
            let parsed = parse(&file, &fs::read_to_string(&file)?);
            patches.push(parsed.ok_or_else(|| {
                let file = file.display();
                Failure::new(format!("{file} lacks the lines Fault, Run and Test"))
            })?);
        }
    }
    patches.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(patches)
}

fn parse(file: &Path, content: &str) -> Option<Patch> {
    let mut lines = content.lines();
    let fault = lines.next()?.strip_prefix("Fault: ")?;
    let run = lines.next()?.strip_prefix("Run: ")?;
    let test = lines.next()?.strip_prefix("Test: ")?;
    Some(Patch {
        name: file.file_stem()?.to_str()?.to_owned(),
        file: file.to_owned(),
        fault: fault.to_owned(),
        run: run.split_whitespace().map(str::to_owned).collect(),
        test: test.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_without_all_three_lines_is_refused() {
        let text = "Fault: f\nRun: --package p --lib\nTest: a::b\n\ndiff --git a/x b/x\n";
        let patch = parse(Path::new("folder/name.patch"), text).unwrap();
        assert_eq!((patch.name.as_str(), patch.test.as_str()), ("name", "a::b"));
        assert_eq!(patch.run, ["--package", "p", "--lib"]);
        for line in ["Fault: f\n", "Run: --package p --lib\n", "Test: a::b\n"] {
            let short = text.replace(line, "");
            assert!(parse(Path::new("name.patch"), &short).is_none(), "{line}");
        }
    }
}
