//! The graph in the language of Mermaid, which web pages draw.

use std::io::{self, Write};

use bigip_tunnel_core::text::printable;

use super::{device_words, link_words, links, more_words, node_words};
use crate::error::Error;
use crate::report::graph::GraphReport;

/// Prints the graph.
pub(crate) fn write(report: &GraphReport, out: &mut dyn Write) -> Result<(), Error> {
    writeln!(out, "flowchart LR")?;
    writeln!(out, "  subgraph bigip[\"{}\"]", text(&[&report.tunnel]))?;
    for (index, device) in report.devices.iter().enumerate() {
        writeln!(out, "    d{index}[\"{}\"]", text(&device_words(device)))?;
    }
    writeln!(out, "  end")?;
    let title = format!("nodes of {}/{}", report.namespace, report.name);
    writeln!(out, "  subgraph nodes[\"{}\"]", text(&[&title]))?;
    for (index, row) in report.nodes.iter().enumerate() {
        writeln!(out, "    n{index}[\"{}\"]", text(&node_words(row)))?;
    }
    let [in_sync, problems] = more_words(report);
    for (id, words) in [("ok", &in_sync), ("rest", &problems)] {
        if let Some(words) = words {
            writeln!(out, "    {id}[\"{}\"]", text(&[words]))?;
        }
    }
    writeln!(out, "  end")?;
    edges(report, out)?;
    for device in 0..report.devices.len() {
        if in_sync.is_some() {
            writeln!(out, "  d{device} ==> ok")?;
        }
        if problems.is_some() {
            writeln!(out, "  d{device} -.-> rest")?;
        }
    }
    Ok(())
}

/// A thick line for a record that is there, a dotted one with a word for any other. The first says
/// what kind of tunnel it is.
fn edges(report: &GraphReport, out: &mut dyn Write) -> io::Result<()> {
    let mut link = text(&[&link_words(report)]);
    for (node, device, word) in links(report) {
        if !word.is_empty() {
            writeln!(out, "  d{device} -. \"{}\" .-> n{node}", text(&[&word]))?;
        } else if link.is_empty() {
            writeln!(out, "  d{device} ==> n{node}")?;
        } else {
            writeln!(out, "  d{device} ==>|\"{link}\"| n{node}")?;
            link.clear();
        }
    }
    Ok(())
}

/// Words below each other, as they may stand between quotes. `#` begins an entity.
fn text(words: &[impl AsRef<str>]) -> String {
    let words = words.iter().map(AsRef::as_ref);
    let words: Vec<String> = words.filter(|word| !word.is_empty()).map(escape).collect();
    words.join("<br/>")
}

fn escape(word: &str) -> String {
    let mut escaped = String::with_capacity(word.len());
    for letter in printable(word).chars() {
        match letter {
            '#' => escaped.push_str("#35;"),
            '"' => escaped.push_str("#quot;"),
            '<' => escaped.push_str("#lt;"),
            '>' => escaped.push_str("#gt;"),
            '&' => escaped.push_str("#amp;"),
            letter => escaped.push(letter),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn device_text_cannot_end_a_label() {
        assert_eq!(
            text(&["a\"]; x", "", "<b>#1\n"]),
            "a#quot;]; x<br/>#lt;b#gt;#35;1 "
        );
    }
}
