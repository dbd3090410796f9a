//! How the demo looks. It must not know what is shown.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::process::{ExitStatus, Stdio};

use tokio::process::Command;

/// Where the demo writes.
pub(super) struct Screen<'a> {
    out: &'a mut (dyn Write + Send),
}

impl<'a> Screen<'a> {
    pub(super) fn new(out: &'a mut (dyn Write + Send)) -> Self {
        Self { out }
    }

    /// A new step.
    pub(super) fn heading(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.out, "\n==> {text}")?;
        self.out.flush()
    }

    /// Something about the step.
    pub(super) fn line(&mut self, text: &str) -> io::Result<()> {
        let indent = if text.is_empty() { "" } else { "    " };
        writeln!(self.out, "{indent}{text}")?;
        self.out.flush()
    }

    /// Runs a command as a person would type it, and shows what it prints. Returns how it ended.
    pub(super) async fn command(&mut self, shown: Shown) -> io::Result<ExitStatus> {
        self.line(&format!("$ {}", shown.text))?;
        let mut command = shown.command;
        let output = command.stdin(Stdio::null()).output().await?;
        for stream in [&output.stdout, &output.stderr] {
            for line in String::from_utf8_lossy(stream).lines() {
                self.line(line)?;
            }
        }
        Ok(output.status)
    }
}

/// A command and how a person would type it.
pub(super) struct Shown {
    pub(super) text: String,
    pub(super) command: Command,
}

/// Records in the form of `tmsh list net fdb tunnel`.
pub(super) fn tmsh_list(tunnel: &str, records: &BTreeMap<String, String>) -> Vec<String> {
    let mut lines = vec![format!("net fdb tunnel {tunnel} {{")];
    if records.is_empty() {
        lines.push("    records none".to_owned());
    } else {
        lines.push("    records {".to_owned());
        for (mac, endpoint) in records {
            lines.push(format!("        {mac} {{"));
            lines.push(format!("            endpoint {endpoint}"));
            lines.push("        }".to_owned());
        }
        lines.push("    }".to_owned());
    }
    lines.push("}".to_owned());
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_shown_in_device_format() {
        let one = BTreeMap::from([("0a:0a:0a:a9:48:ef".to_owned(), "10.169.72.239%0".to_owned())]);
        assert_eq!(
            tmsh_list("flannel_vxlan", &one).join("\n"),
            "net fdb tunnel flannel_vxlan {\n    records {\n        0a:0a:0a:a9:48:ef {\n            \
             endpoint 10.169.72.239%0\n        }\n    }\n}"
        );
        assert!(tmsh_list("t", &BTreeMap::new()).contains(&"    records none".to_owned()));
    }

    #[tokio::test]
    async fn command_is_shown_with_all_its_output() {
        let mut out = Vec::new();
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "echo found; echo 'hint: look' >&2; exit 1"]);
        let shown = Shown {
            text: "kubectl bigip-tunnel status".to_owned(),
            command,
        };
        let status = Screen::new(&mut out).command(shown).await.unwrap();
        let text = String::from_utf8(out).unwrap();
        assert_eq!(
            text,
            "    $ kubectl bigip-tunnel status\n    found\n    hint: look\n"
        );
        assert_eq!(status.code(), Some(1));
    }
}
