//! What a support bundle holds and what it does not: the index. Knows no cluster and no file.

pub(crate) mod outline;
pub(crate) mod redact;

use jiff::Timestamp;
use serde::Serialize;

/// Kind of the index.
pub(crate) const KIND: &str = "SupportBundle";

/// What every bundle says of itself.
const NOTICE: &str = "Addresses and host names are inside. Of Secrets only the names of the keys are, of \
                      environment variables only the names.";

/// What is in the bundle.
#[derive(Serialize, Debug)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BundleReport {
    pub(crate) created: Timestamp,
    /// Version of the plugin.
    plugin: &'static str,
    /// Version of Kubernetes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) kubernetes: Option<String>,
    pub(crate) notice: &'static str,
    pub(crate) included: Vec<Included>,
    pub(crate) missing: Vec<Missing>,
}

/// A kind of things, and where it is.
#[derive(Serialize, Debug)]
pub(crate) struct Included {
    pub(crate) what: String,
    pub(crate) files: Vec<String>,
}

/// What could not be read, or was not asked for.
#[derive(Serialize, Debug)]
pub(crate) struct Missing {
    pub(crate) what: String,
    pub(crate) why: String,
}

impl BundleReport {
    /// A bundle with nothing in it.
    pub(crate) const fn new(created: Timestamp) -> Self {
        Self {
            created,
            plugin: env!("CARGO_PKG_VERSION"),
            kubernetes: None,
            notice: NOTICE,
            included: Vec::new(),
            missing: Vec::new(),
        }
    }
}
