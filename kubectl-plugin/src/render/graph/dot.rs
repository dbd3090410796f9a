//! The graph in the language of Graphviz.

use std::io::{self, Write};

use bigip_tunnel_core::text::printable;

use super::{device_words, link_words, links, more_words, node_words};
use crate::error::Error;
use crate::report::graph::GraphReport;

/// Prints the graph.
pub(crate) fn write(report: &GraphReport, out: &mut dyn Write) -> Result<(), Error> {
    let title = format!("{}/{}", report.namespace, report.name);
    writeln!(out, "digraph {} {{", quoted(&[&title]))?;
    writeln!(out, "  rankdir=LR;")?;
    writeln!(out, "  node [shape=box];")?;
    writeln!(out, "  subgraph cluster_bigip {{")?;
    let label = [report.tunnel.clone(), link_words(report)];
    writeln!(out, "    label={};", quoted(&label))?;
    for (index, device) in report.devices.iter().enumerate() {
        let label = quoted(&device_words(device));
        writeln!(out, "    d{index} [label={label}];")?;
    }
    writeln!(out, "  }}")?;
    writeln!(out, "  subgraph cluster_nodes {{")?;
    writeln!(
        out,
        "    label={};",
        quoted(&[&format!("nodes of {title}")])
    )?;
    for (index, row) in report.nodes.iter().enumerate() {
        writeln!(out, "    n{index} [label={}];", quoted(&node_words(row)))?;
    }
    let [in_sync, problems] = more_words(report);
    for (id, words) in [("ok", &in_sync), ("rest", &problems)] {
        if let Some(words) = words {
            writeln!(out, "    {id} [label={}];", quoted(&[words]))?;
        }
    }
    writeln!(out, "  }}")?;
    edges(report, out)?;
    for device in 0..report.devices.len() {
        if in_sync.is_some() {
            writeln!(out, "  d{device} -> ok;")?;
        }
        if problems.is_some() {
            writeln!(out, "  d{device} -> rest [style=dashed];")?;
        }
    }
    writeln!(out, "}}")?;
    Ok(())
}

/// A plain line for a record that is there, a dashed one with a word for any other.
fn edges(report: &GraphReport, out: &mut dyn Write) -> io::Result<()> {
    for (node, device, word) in links(report) {
        if word.is_empty() {
            writeln!(out, "  d{device} -> n{node};")?;
        } else {
            let label = quoted(&[&word]);
            writeln!(out, "  d{device} -> n{node} [style=dashed, label={label}];")?;
        }
    }
    Ok(())
}

/// Words below each other, between quotes.
fn quoted(words: &[impl AsRef<str>]) -> String {
    let words = words.iter().map(AsRef::as_ref);
    let words: Vec<String> = words.filter(|word| !word.is_empty()).map(escape).collect();
    format!("\"{}\"", words.join("\\n"))
}

fn escape(word: &str) -> String {
    let word = word.replace('\\', "\\\\").replace('"', "\\\"");
    printable(&word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn device_text_cannot_end_a_label() {
        assert_eq!(quoted(&["a\"b\\", "", "c\n"]), r#""a\"b\\\nc ""#);
    }
}
