//! The rules of the source itself, held by tests. Reads files and asks Cargo; starts nothing.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use bigip_tunnel_harness::paths::workspace_root;

/// The most lines of a file, not counting its tests.
const LINES_MAX: usize = 500;
/// The crates, as folders of the workspace.
const CRATES: [&str; 9] = [
    "core",
    "cilium",
    "crds",
    "icontrol",
    "operator",
    "kubectl-plugin",
    "delivery",
    "tests",
    "xtask",
];

/// The crates that decide and do no I/O.
const PURE: [&str; 2] = ["core", "cilium"];

/// A Rust file of the workspace.
struct Source {
    /// Its path in the workspace.
    path: String,
    text: String,
}

impl Source {
    /// Whether all of it is test code.
    fn is_test(&self) -> bool {
        self.path.starts_with("tests/it/")
            || self.path.contains("/tests/")
            || self.path.ends_with("/tests.rs")
    }

    /// The text before its test module.
    fn shipped(&self) -> &str {
        self.text
            .find("#[cfg(test)]\nmod tests {")
            .map_or(&self.text, |end| &self.text[..end])
    }
}

fn sources() -> Vec<Source> {
    let root = workspace_root();
    let mut files = Vec::new();
    for folder in CRATES {
        collect(&root.join(folder), &mut files);
    }
    let sources = files.into_iter().map(|file| Source {
        path: file.strip_prefix(&root).unwrap().display().to_string(),
        text: fs::read_to_string(&file).unwrap(),
    });
    let sources: Vec<Source> = sources.collect();
    // A rule over nothing would hold for ever.
    assert!(sources.len() > 50, "only {} files found", sources.len());
    sources
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && path.file_name().is_some_and(|name| name != "target") {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// The files that break a rule.
fn offenders(breaks: impl Fn(&Source) -> bool) -> Vec<String> {
    let broken = sources().into_iter().filter(breaks);
    broken.map(|source| source.path).collect()
}

/// Names of the packages that a package is built from, its own included.
fn dependencies(package: &str) -> BTreeSet<String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let tree = Command::new(cargo)
        .args(["tree", "--package", package, "--edges", "normal,build"])
        .args(["--prefix", "none", "--format", "{p}", "--locked"])
        .current_dir(workspace_root())
        .output()
        .unwrap();
    assert!(
        tree.status.success(),
        "{}",
        String::from_utf8_lossy(&tree.stderr)
    );
    let names = String::from_utf8(tree.stdout).unwrap();
    let names = names
        .lines()
        .filter_map(|line| line.split(' ').next().map(str::to_owned));
    let names: BTreeSet<String> = names.collect();
    assert!(names.contains(package), "{names:?}");
    names
}

#[test]
fn every_file_has_a_module_comment() {
    let silent = offenders(|source| !source.text.starts_with("//!"));
    assert_eq!(silent, [""; 0]);
}

#[test]
fn no_file_is_too_long_to_read() {
    let long = offenders(|source| {
        let is_tests_of_a_module = source.path.ends_with("/tests.rs");
        !is_tests_of_a_module && source.shipped().lines().count() > LINES_MAX
    });
    assert_eq!(long, [""; 0]);
}

/// The most characters of a test's name.
const NAME_MAX: usize = 60;

#[test]
fn test_names_are_short_and_begin_with_their_subject() {
    let beginnings = ["a_", "an_", "the_", "it_", "they_", "who_", "whoever_"];
    let mut offending = Vec::new();
    let mut count = 0;
    for source in sources() {
        let mut lines = source.text.lines().map(str::trim);
        while let Some(line) = lines.next() {
            if !(line.starts_with("#[test]") || line.starts_with("#[tokio::test")) {
                continue;
            }
            let Some(name) = lines.find_map(test_name) else {
                continue;
            };
            count += 1;
            if name.len() > NAME_MAX || beginnings.iter().any(|word| name.starts_with(word)) {
                offending.push(format!("{}: {name}", source.path));
            }
        }
    }
    // A rule over nothing would hold for ever.
    assert!(count > 2_000, "only {count} tests found");
    assert_eq!(offending, [""; 0]);
}

/// The name of the function that a line begins.
fn test_name(line: &str) -> Option<&str> {
    let line = line.strip_prefix("pub(crate) ").unwrap_or(line);
    let line = line.strip_prefix("async ").unwrap_or(line);
    line.strip_prefix("fn ")?.split(['(', '<']).next()
}

#[test]
fn no_test_is_ignored() {
    let attribute = concat!("#[", "ignore");
    assert_eq!(offenders(|source| source.text.contains(attribute)), [""; 0]);
}

#[test]
fn no_test_sleeps() {
    let sleep = concat!("sleep", "(");
    let sleeping = offenders(|source| {
        let tests = if source.is_test() {
            &source.text
        } else {
            &source.text[source.shipped().len()..]
        };
        tests.contains(sleep)
    });
    assert_eq!(sleeping, [""; 0]);
}

#[test]
fn pure_crates_do_no_io_and_read_no_clock() {
    for package in PURE {
        let names = dependencies(&format!("bigip-tunnel-{package}"));
        for banned in [
            "tokio",
            "reqwest",
            "hyper",
            "kube",
            "k8s-openapi",
            "axum",
            "futures",
        ] {
            assert!(!names.contains(banned), "{package} depends on {banned}");
        }
    }
    let clocks = ["Instant::now", "SystemTime", "Timestamp::now", "Zoned::now"];
    let reading = offenders(|source| {
        let shipped = source.shipped();
        let is_pure = PURE
            .iter()
            .any(|folder| source.path.starts_with(&format!("{folder}/")));
        is_pure && clocks.iter().any(|clock| shipped.contains(clock))
    });
    assert_eq!(reading, [""; 0]);
}

#[test]
fn crates_depend_on_each_other_in_one_direction() {
    let ours = |package: &str| -> Vec<String> {
        let mut names = dependencies(package);
        names.remove(package);
        let ours = |name: &String| name.contains("bigip") && !name.contains("kubectl");
        names.into_iter().filter(ours).collect()
    };
    assert_eq!(ours("bigip-tunnel-core"), [""; 0]);
    assert_eq!(ours("bigip-tunnel-cilium"), ["bigip-tunnel-core"]);
    let pure = ["bigip-tunnel-cilium", "bigip-tunnel-core"];
    assert_eq!(ours("bigip-tunnel-crds"), pure);
    assert_eq!(ours("bigip-icontrol"), ["bigip-tunnel-core"]);
    // Its own wire types, so that one mistake cannot hide in both.
    assert_eq!(ours("bigip-sim"), [""; 0]);
    for shipped in ["bigip-tunnel-operator", "kubectl-bigip-tunnel"] {
        let names = ours(shipped);
        assert!(
            !names
                .iter()
                .any(|name| name.contains("sim") || name.contains("harness")),
            "{names:?}"
        );
    }
}

#[test]
fn one_cryptography_library_is_shipped() {
    for package in ["bigip-tunnel-operator", "kubectl-bigip-tunnel"] {
        let names = dependencies(package);
        for banned in ["ring", "native-tls", "openssl", "openssl-sys"] {
            assert!(!names.contains(banned), "{package} depends on {banned}");
        }
    }
}

#[test]
fn only_the_transport_names_the_http_library() {
    let users = offenders(|source| {
        let mut lines = source.text.lines().map(str::trim_start);
        let names_it = lines.any(|line| !line.starts_with("//") && line.contains("reqwest"));
        names_it && !source.path.starts_with("tests/")
    });
    let outside = |user: &&String| !user.starts_with("icontrol/src/transport");
    assert_eq!(users.iter().find(outside), None);
    assert!(!users.is_empty());
    for (folder, uses) in [
        ("icontrol", true),
        ("operator", false),
        ("kubectl-plugin", false),
    ] {
        let manifest = workspace_root().join(folder).join("Cargo.toml");
        let names_it = fs::read_to_string(manifest).unwrap().contains("reqwest");
        assert_eq!(names_it, uses, "{folder}/Cargo.toml");
    }
}

#[test]
fn every_invariant_names_its_test() {
    let document = fs::read_to_string(workspace_root().join("ARCHITECTURE.md")).unwrap();
    assert!(
        document.lines().count() <= 200,
        "ARCHITECTURE.md is too long"
    );
    let sources = sources();
    let mut invariants = 0;
    for (start, _) in document.match_indices("*Invariant:*") {
        invariants += 1;
        let paragraph = document[start..].split("\n\n").next().unwrap();
        let (_, tests) = paragraph.rsplit_once('(').unwrap();
        let names = quoted(tests);
        assert!(!names.is_empty(), "names no test: {paragraph}");
        assert_eq!(unknown(&names, &sources), [""; 0]);
    }
    assert!(invariants > 0, "no invariant found");
}

/// What stands between backticks.
fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// The names that no function has.
fn unknown<'a>(names: &[&'a str], sources: &[Source]) -> Vec<&'a str> {
    let is_known = |name: &str| {
        let function = format!("fn {name}(");
        sources.iter().any(|source| source.text.contains(&function))
    };
    let unknown = names.iter().copied().filter(|name| !is_known(name));
    unknown.collect()
}

/// Whether a quoted word is the name of a test: a sentence, and no field, path or metric.
fn is_sentence(word: &str) -> bool {
    let is_letter = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit();
    let is_metric = word.starts_with("bigiptunnel_");
    !is_metric && word.matches('_').count() >= 2 && word.chars().all(|c| c == '_' || is_letter(c))
}

#[test]
fn every_test_and_file_that_a_document_names_is_there() {
    let (docs, sources) = (workspace_root().join("docs"), sources());
    let folders = ["explanation", "reference"].map(|name| fs::read_dir(docs.join(name)).unwrap());
    let mut count = 0;
    for entry in folders.into_iter().flatten() {
        let path = entry.unwrap().path();
        let document = fs::read_to_string(&path).unwrap();
        let mut names = quoted(&document);
        let is_rust = |word: &&&str| Path::new(word).extension().is_some_and(|end| end == "rs");
        for file in names.iter().filter(is_rust) {
            let is_there = sources.iter().any(|source| source.path == **file);
            assert!(is_there, "no file {file}: {}", path.display());
        }
        names.retain(|word| is_sentence(word));
        count += names.len();
        assert_eq!(unknown(&names, &sources), [""; 0], "{}", path.display());
    }
    // A rule over nothing would hold for ever.
    assert!(count > 50, "only {count} tests named");
}

/// The groups of the fault catalogue, and the last row of each.
const CATALOGUE: [(char, u32); 7] = [
    ('A', 33),
    ('B', 53),
    ('C', 96),
    ('D', 138),
    ('E', 154),
    ('F', 166),
    ('G', 174),
];

/// The rows of the fault catalogue, as `faults.md` writes them.
fn catalogue() -> Vec<String> {
    let mut first = 1;
    let groups = CATALOGUE.into_iter().flat_map(|(group, last)| {
        let rows = first..=last;
        first = last + 1;
        rows.map(move |row| format!("{group}{row}"))
    });
    groups.collect()
}

/// The lines of the tables of a document, with the heading that each stands under.
fn table_lines(document: &str) -> Vec<(&str, Vec<&str>)> {
    let (mut heading, mut lines) = ("", Vec::new());
    for line in document.lines() {
        if let Some(title) = line.strip_prefix("## ") {
            heading = title;
        } else if let Some(row) = line.strip_prefix("| ") {
            lines.push((heading, row.split('|').map(str::trim).collect()));
        }
    }
    lines
}

fn explanation(name: &str) -> String {
    let folder = workspace_root().join("docs/explanation");
    fs::read_to_string(folder.join(name)).unwrap()
}

#[test]
fn each_row_of_the_fault_catalogue_is_listed_once() {
    let document = explanation("faults.md");
    let lines = table_lines(&document);
    let cells = lines.iter().flat_map(|(_, cells)| cells[0].split(", "));
    let mut listed: Vec<_> = cells.filter(|row| *row != "–" && *row != "row").collect();
    let mut catalogue = catalogue();
    catalogue.sort();
    listed.sort_unstable();
    assert_eq!(listed, catalogue);
}

#[test]
fn each_fault_that_counts_as_covered_names_a_test() {
    let (document, sources) = (explanation("faults.md"), sources());
    let uncovered = ["Not covered", "Not applicable"];
    for (heading, cells) in table_lines(&document) {
        if cells[0] == "row" || uncovered.contains(&heading) {
            continue;
        }
        let names: Vec<_> = cells.iter().flat_map(|cell| quoted(cell)).collect();
        let names: Vec<_> = names.into_iter().filter(|w| is_sentence(w)).collect();
        assert!(!names.is_empty(), "no test named: {cells:?}");
        assert_eq!(unknown(&names, &sources), [""; 0], "{cells:?}");
    }
}

/// The points of what was seen, one for each line: some have several.
const BESIDE_STRANGERS: [&str; 27] = [
    "1.1", "1.2", "1.3", "1.3", "1.4", "1.5", "2.1", "2.2", "2.2", "2.3", "2.4", "2.5", "2.5",
    "2.6", "3.1", "3.1", "3.2", "3.3", "3.3", "3.4", "3.4", "3.4", "3.5", "3.5", "3.6", "4.1",
    "4.2",
];

#[test]
fn each_line_on_foreign_objects_names_its_tests() {
    let points = lines_name_tests("safety.md", "Beside strangers", 3);
    assert_eq!(points, BESIDE_STRANGERS);
}

/// The same of logins and of what is printed.
const LOGINS_AND_MESSAGES: [&str; 19] = [
    "1.1", "1.1", "1.2", "1.3", "1.4", "1.4", "1.5", "1.5", "1.6", "1.6", "1.6", "2.1", "2.1",
    "2.2", "2.2", "2.3", "2.4", "2.5", "2.6",
];

#[test]
fn each_line_of_logins_and_messages_names_its_tests() {
    let points = lines_name_tests("safety.md", "Logins and messages", 3);
    assert_eq!(points, LOGINS_AND_MESSAGES);
}

#[test]
fn binding_is_shown_in_each_secret_example() {
    for file in [
        "README.md",
        "CHANGELOG.md",
        "SECURITY.md",
        "charts/bigip-tunnel-operator/values.yaml",
        "charts/bigip-tunnel-operator/templates/NOTES.txt",
        "docs/how-to/install.md",
    ] {
        let text = fs::read_to_string(workspace_root().join(file)).unwrap();
        assert!(
            text.contains("bigip-tunnel.dev/allowed-addresses"),
            "{file}"
        );
    }
}

#[test]
fn runbook_of_refused_logins_names_their_schedule() {
    let runbook = "docs/runbooks/BigIPTunnelAuthenticationFailing.md";
    let runbook = fs::read_to_string(workspace_root().join(runbook)).unwrap();
    let words: Vec<_> = runbook.split_whitespace().collect();
    let runbook = words.join(" ");
    for told in [
        "after 5 and after 60 minutes",
        "accepted before: 5, 15, then each hour",
        "at most twice in 15 minutes",
    ] {
        assert!(runbook.contains(told), "{told}");
    }
}

#[test]
fn each_line_of_the_green_page_names_its_tests() {
    assert!(!lines_name_tests("green.md", "Lines", 2).is_empty());
}

/// Checks the table under this heading, whose cell of this number names tests. Returns its first column.
fn lines_name_tests(document: &str, heading: &str, tests: usize) -> Vec<String> {
    let (document, sources) = (explanation(document), sources());
    let mut lines: Vec<_> = table_lines(&document)
        .into_iter()
        .filter(|(of, _)| *of == heading)
        .map(|(_, cells)| cells)
        .collect();
    // The names of the columns.
    lines.remove(0);
    for cells in &lines {
        let names = quoted(cells[tests]);
        assert!(!names.is_empty(), "no test named: {cells:?}");
        assert_eq!(unknown(&names, &sources), [""; 0], "{cells:?}");
    }
    lines.iter().map(|cells| cells[0].to_owned()).collect()
}
