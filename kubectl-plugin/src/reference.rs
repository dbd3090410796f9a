//! The reference of the command line: what `--help` says of every verb, on one page.

use std::fmt::Write as _;

use clap::{Command, CommandFactory as _};

use crate::cli::Cli;

/// Characters in a line.
const WIDTH: usize = 100;

const HEAD: &str = "\
# `kubectl bigip-tunnel`

Generated from the program by `cargo xtask codegen`. This is what `kubectl bigip-tunnel VERB --help` says;
the flags of the first section belong to every verb, before it or behind it.

## Exit codes

| code | meaning |
|---|---|
| 0 | all is well; nothing differs; all checks passed |
| 1 | something was found: not ready, differences, failed checks, an object that is not there |
| 2 | the command line is wrong, or a question cannot be asked without a terminal |
| 3 | the cluster or a BIG-IP cannot be reached, or does not allow it; for `diff` every failure |
| 4 | it took longer than `--timeout` |
| 130 | interrupted |
";

/// The page, in Markdown.
pub fn markdown() -> String {
    // Not built: built, every verb would repeat the flags that all have.
    let program = Cli::command().term_width(WIDTH);
    let mut page = HEAD.to_owned();
    section(&mut page, "Flags of every verb", &program);
    verbs(&mut page, &program, "kubectl bigip-tunnel");
    page
}

fn verbs(page: &mut String, of: &Command, path: &str) {
    for verb in of.get_subcommands().filter(|verb| !verb.is_hide_set()) {
        let path = format!("{path} {}", verb.get_name());
        let verb = verb.clone().bin_name(&path).term_width(WIDTH);
        section(
            page,
            &format!("`{}`", path.replacen("kubectl bigip-tunnel ", "", 1)),
            &verb,
        );
        verbs(page, &verb, &path);
    }
}

fn section(page: &mut String, heading: &str, command: &Command) {
    let help = command.clone().render_long_help().to_string();
    let help: Vec<&str> = help.lines().map(str::trim_end).collect();
    // Writing into a string cannot fail.
    let _ = write!(
        page,
        "\n## {heading}\n\n```text\n{}\n```\n",
        help.join("\n").trim_end()
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_verb_has_a_section() {
        let page = markdown();
        let program = Cli::command();
        assert!(program.get_subcommands().count() > 15);
        for verb in program.get_subcommands() {
            let heading = format!("\n## `{}`\n", verb.get_name());
            assert!(page.contains(&heading), "{heading}");
        }
    }

    #[test]
    fn common_flags_are_documented_once() {
        let page = markdown();
        assert_eq!(page.matches("--tls-server-name").count(), 1);
        assert!(page.contains("Usage: kubectl bigip-tunnel diff"));
    }
}
