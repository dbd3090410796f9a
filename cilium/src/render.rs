//! VTEP entries as Helm values, as `cilium-config` and as CiliumVTEPConfigs. Every value is in double quotes,
//! and the same entries give the same bytes.

use std::fmt::Write as _;
use std::net::Ipv4Addr;

use bigip_tunnel_core::node::Ipv4Net;

use crate::config::Config;
use crate::desired::Row;
use crate::objects::Object;
use crate::vtep::{self, Entry, WrittenEntry};

/// The values of the lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lists {
    /// `vtep-endpoint`.
    pub endpoint: String,
    /// `vtep-cidr`.
    pub cidr: String,
    /// `vtep-mask`.
    pub mask: String,
    /// `vtep-mac`.
    pub mac: String,
}

impl Lists {
    /// The lists of these entries, which have one prefix.
    pub fn new(rows: &[Row]) -> Self {
        let joined = |text: &dyn Fn(&Row) -> String| {
            let items: Vec<String> = rows.iter().map(text).collect();
            items.join(" ")
        };
        let mask = rows.first().map(|row| row.cidr.netmask());
        Self {
            endpoint: joined(&|row| row.endpoint.to_string()),
            cidr: joined(&|row| row.cidr.to_string()),
            mask: mask.map(|mask| mask.to_string()).unwrap_or_default(),
            mac: joined(&|row| row.mac.to_string()),
        }
    }

    /// The lists of a configuration as they are: in the form of [`Self::new`] where they can be read, and as
    /// written otherwise. `None`: VTEP is off.
    pub fn live(config: Config<'_>) -> Option<Self> {
        if !config.is_on("enable-vtep") {
            return None;
        }
        let (entries, lengths) = vtep::of_lists(config);
        let row = |entry: &Entry| match (&entry.endpoint, &entry.cidr, &entry.mac) {
            (Ok(endpoint), Ok(cidr), Ok(mac)) => Some(Row {
                unit: None,
                endpoint: *endpoint,
                cidr: *cidr,
                mac: *mac,
            }),
            _ => None,
        };
        let rows: Option<Vec<Row>> = entries.iter().map(row).collect();
        let rows = rows.filter(|_| lengths.are_equal());
        let prefix = config.vtep_prefix();
        let mask = prefix.and_then(|prefix| Ipv4Net::new(Ipv4Addr::UNSPECIFIED, prefix).ok());
        Some(match rows.zip(mask) {
            Some((rows, mask)) => Self {
                mask: mask.netmask().to_string(),
                ..Self::new(&rows)
            },
            None => Self {
                endpoint: config.list("vtep-endpoint").join(" "),
                cidr: config.list("vtep-cidr").join(" "),
                mask: config.get("vtep-mask").to_owned(),
                mac: config.list("vtep-mac").join(" "),
            },
        })
    }

    /// As values of Cilium's Helm chart.
    pub fn helm(&self) -> String {
        let Self {
            endpoint,
            cidr,
            mask,
            mac,
        } = self;
        format!(
            "vtep:\n  enabled: true\n  endpoint: \"{endpoint}\"\n  cidr: \"{cidr}\"\n  mask: \"{mask}\"\n  \
             mac: \"{mac}\"\n"
        )
    }

    /// As a part of `cilium-config` in this namespace.
    pub fn config_map(&self, namespace: &str) -> String {
        let Self {
            endpoint,
            cidr,
            mask,
            mac,
        } = self;
        format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: cilium-config\n  namespace: {namespace}\n\
             data:\n  enable-vtep: \"true\"\n  vtep-endpoint: \"{endpoint}\"\n  vtep-cidr: \"{cidr}\"\n  \
             vtep-mask: \"{mask}\"\n  vtep-mac: \"{mac}\"\n"
        )
    }

    /// As keys of `cilium-config`, for a sentence.
    pub(crate) fn keys(&self) -> String {
        let Self {
            endpoint,
            cidr,
            mask,
            mac,
        } = self;
        format!(
            "enable-vtep: \"true\", vtep-endpoint: \"{endpoint}\", vtep-cidr: \"{cidr}\", vtep-mask: \"{mask}\", \
             vtep-mac: \"{mac}\""
        )
    }

    /// As Helm values, for a sentence.
    pub fn line(&self) -> String {
        let Self {
            endpoint,
            cidr,
            mask,
            mac,
        } = self;
        format!(
            "vtep.enabled=true vtep.endpoint=\"{endpoint}\" vtep.cidr=\"{cidr}\" vtep.mask=\"{mask}\" \
             vtep.mac=\"{mac}\""
        )
    }
}

/// The shapes in which CiliumVTEPConfig is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// `cilium.io/v2`, with `endpoints` (builds of AWS).
    V2,
    /// `cilium.io/v2alpha1`, with `vtepEndpoints` (upstream, not merged).
    V2Alpha1,
}

impl Shape {
    /// Its version.
    pub const fn version(self) -> &'static str {
        match self {
            Self::V2 => "v2",
            Self::V2Alpha1 => "v2alpha1",
        }
    }

    /// The field of its list of entries.
    pub const fn list(self) -> &'static str {
        match self {
            Self::V2 => "endpoints",
            Self::V2Alpha1 => "vtepEndpoints",
        }
    }
}

/// These CiliumVTEPConfigs, in their order.
pub fn vtep_configs(objects: &[Object], shape: Shape) -> String {
    let (version, list) = (shape.version(), shape.list());
    let object = |Object { name, entries }: &Object| {
        let mut text = format!(
            "apiVersion: cilium.io/{version}\nkind: CiliumVTEPConfig\nmetadata:\n  name: {name}\nspec:\n  \
             {list}:\n"
        );
        for entry in entries {
            let WrittenEntry {
                name,
                endpoint,
                cidr,
                mac,
            } = entry;
            // Writing into a string cannot fail.
            let _ = write!(
                text,
                "    - name: \"{name}\"\n      tunnelEndpoint: \"{endpoint}\"\n      cidr: \"{cidr}\"\n      \
                 mac: \"{mac}\"\n"
            );
        }
        text
    };
    let texts: Vec<String> = objects.iter().map(object).collect();
    texts.join("---\n")
}

/// What takes an entry out of the table of an agent that runs.
pub fn delete_line(cidr: Ipv4Net) -> String {
    format!("cilium-dbg bpf vtep delete {cidr}")
}
