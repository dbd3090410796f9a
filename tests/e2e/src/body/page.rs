//! `docs/how-to/install.md`: the page that users follow, as scripts. It must not know what they do.

use std::fs;

use bigip_tunnel_harness::paths::workspace_root;

use crate::Failure;

/// The page.
#[derive(Debug)]
pub(super) struct Page(String);

impl Page {
    pub(super) fn read() -> Result<Self, Failure> {
        let path = workspace_root().join("docs/how-to/install.md");
        let text =
            fs::read_to_string(path).map_err(|error| Failure::failed("read the page", error))?;
        Ok(Self(text))
    }

    /// All of it.
    pub(super) fn text(&self) -> &str {
        &self.0
    }

    /// The scripts of the section whose heading begins so: one for each block of commands. Lines that the page shows
    /// as output are left out.
    pub(super) fn scripts(&self, heading: &str) -> Result<Vec<String>, Failure> {
        let scripts: Vec<String> = self
            .blocks(heading, "console")
            .into_iter()
            .map(script)
            .collect();
        if scripts.is_empty() {
            return Err(Failure::Wrong(format!(
                "the page has no commands under “{heading}”"
            )));
        }
        Ok(scripts)
    }

    /// The only block of YAML under a heading.
    pub(super) fn yaml(&self, heading: &str) -> Result<&str, Failure> {
        match self.blocks(heading, "yaml")[..] {
            [yaml] => Ok(yaml),
            _ => Err(Failure::Wrong(format!(
                "the page has not one file under “{heading}”"
            ))),
        }
    }

    fn blocks<'a>(&'a self, heading: &str, language: &str) -> Vec<&'a str> {
        let sections = self.0.split("\n## ").skip(1);
        let section = sections.filter(|section| section.starts_with(heading));
        let fence = format!("```{language}\n");
        section
            .flat_map(|section| section.split(fence.as_str()).skip(1).collect::<Vec<_>>())
            .filter_map(|rest| rest.split("```").next())
            .collect()
    }
}

fn script(block: &str) -> String {
    let typed: Vec<&str> = block
        .lines()
        .filter_map(|line| line.strip_prefix("$ "))
        .collect();
    if typed.is_empty() {
        return block.to_owned();
    }
    typed.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The sections that the body runs.
    const RUN: [&str; 9] = [
        "1. ",
        "2. ",
        "3. ",
        "4. ",
        "5. ",
        "6. ",
        "Upgrade",
        "Uninstall",
        "Several releases",
    ];

    #[test]
    fn output_on_the_page_is_not_run() {
        let page = Page("\n## One\n```console\n$ first\nits output\n$ second\n```\n".to_owned());
        assert_eq!(page.scripts("One").unwrap(), ["first\nsecond"]);
    }

    #[test]
    fn block_without_prompts_is_run_whole() {
        let page = Page(
            "\n## One\n```console\nfirst\nsecond\n```\n## Two\n```console\nother\n```".to_owned(),
        );
        assert_eq!(page.scripts("One").unwrap(), ["first\nsecond\n"]);
    }

    #[test]
    fn section_without_commands_is_an_error() {
        let page = Page("\n## One\nprose\n".to_owned());
        assert!(page.scripts("One").is_err());
        assert!(page.scripts("Two").is_err());
    }

    #[test]
    fn every_section_with_commands_is_run() {
        let page = Page::read().unwrap();
        for section in page.0.split("\n## ").skip(1) {
            let has_commands = section.contains("```console\n");
            let is_run = RUN.iter().any(|heading| section.starts_with(heading));
            assert_eq!(has_commands, is_run, "{section}");
        }
    }
}
