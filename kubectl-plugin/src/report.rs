//! What the verbs found: plain data that can be printed as JSON or YAML as it is.
//!
//! Fields are only ever added. Knows no terminal and no cluster.

pub(crate) mod accept_device;
pub(crate) mod act;
pub(crate) mod approve;
pub(crate) mod bundle;
pub(crate) mod check;
pub(crate) mod cilium;
pub(crate) mod diff;
pub(crate) mod events;
pub(crate) mod explain;
pub(crate) mod fdb;
pub(crate) mod graph;
pub(crate) mod lint;
pub(crate) mod macs;
pub(crate) mod migrate;
pub(crate) mod new_tunnel;
mod next;
pub(crate) mod prune;
pub(crate) mod release;
pub(crate) mod status;
pub(crate) mod tree;
pub(crate) mod verify;
pub(crate) mod version;

use serde::Serialize;

/// Version of the reports' form.
const API_VERSION: &str = "cli.bigip-tunnel.dev/v1";

/// A report with its kind and version.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Envelope<'a, R> {
    api_version: &'static str,
    kind: &'static str,
    #[serde(flatten)]
    report: &'a R,
}

impl<'a, R> Envelope<'a, R> {
    /// The report, as one of this kind.
    pub(crate) fn new(kind: &'static str, report: &'a R) -> Self {
        Self {
            api_version: API_VERSION,
            kind,
            report,
        }
    }
}
