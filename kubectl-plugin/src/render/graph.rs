//! `graph` as text: drawn on the terminal, or in the language of a program that draws. What all of them
//! say is put into words here.

pub(crate) mod ascii;
pub(crate) mod dot;
pub(crate) mod mermaid;

use super::table::plain;
use crate::report::fdb::{Row, State};
use crate::report::graph::{GraphDevice, GraphReport};

/// What a BIG-IP is told by.
fn device_words(device: &GraphDevice) -> [String; 3] {
    let role = device.failover_state.map(|state| format!("{state:?}"));
    [
        device.name.clone(),
        role.unwrap_or_else(|| "Unknown".to_owned()),
        device.local_address.clone().unwrap_or_default(),
    ]
    .map(|word| plain(&word))
}

/// What a node is told by.
fn node_words(row: &Row) -> [String; 2] {
    let name = row.node.as_ref().or(row.mac.as_ref());
    let address = row.address.map(|address| address.to_string());
    [
        name.cloned().unwrap_or_default(),
        address.unwrap_or_default(),
    ]
    .map(|word| plain(&word))
}

/// Encapsulation, VNI and port.
fn link_words(report: &GraphReport) -> String {
    let Some(read) = &report.read else {
        return String::new();
    };
    let encapsulation = read.encapsulation.as_deref().map(str::to_uppercase);
    let vni = read.vni.map(|vni| format!("VNI {vni}"));
    let port = read.port.map(|port| format!("UDP {port}"));
    let words: Vec<String> = [encapsulation, vni, port].into_iter().flatten().collect();
    plain(&words.join(", "))
}

/// The records to draw: places of node and BIG-IP, and the word for one that is not simply there.
fn links(report: &GraphReport) -> impl Iterator<Item = (usize, usize, String)> {
    let of_nodes = report.nodes.iter().enumerate();
    of_nodes.flat_map(|(node, row)| {
        let cells = row.cells.iter().enumerate();
        let ours = cells.filter(|(_, cell)| !cell.state.is_nothing_of_ours());
        ours.map(move |(device, cell)| (node, device, record_word(cell.state, cell.verified)))
    })
}

/// The state of a record; marked where it is only what was last known. Empty where all is well.
fn record_word(state: State, verified: bool) -> String {
    match (state, verified) {
        (State::Ok, true) => String::new(),
        (State::Unknown, _) | (_, true) => state.as_str().to_owned(),
        (_, false) => format!("{}?", state.as_str()),
    }
}

/// What stands for the nodes that are not drawn: in sync, and others.
fn more_words(report: &GraphReport) -> [Option<String>; 2] {
    let words = |count: usize, what: &str| (count > 0).then(|| format!("{count} more, {what}"));
    [
        words(report.more_in_sync, "all ok"),
        words(report.more_problems, "not known to be ok"),
    ]
}
