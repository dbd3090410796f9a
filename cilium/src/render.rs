//! VTEP entries as Helm values, as `cilium-config` and as CiliumVTEPConfigs. Every value is in double quotes,
//! and the same entries give the same bytes.

use std::fmt::Write as _;

use bigip_tunnel_core::node::Ipv4Net;

use crate::desired::Row;
use crate::finding::UnitKey;

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

    /// As one line for a person.
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

/// A CiliumVTEPConfig for each object, with its entries in their order.
pub fn vtep_configs(rows: &[Row], shape: Shape) -> String {
    let (version, list) = match shape {
        Shape::V2 => ("v2", "endpoints"),
        Shape::V2Alpha1 => ("v2alpha1", "vtepEndpoints"),
    };
    let mut text = String::new();
    let mut before: Option<(&str, &str)> = None;
    let mut number = 0;
    let mut device = "";
    for (unit, row) in rows
        .iter()
        .filter_map(|row| Some((row.unit.as_ref()?, row)))
    {
        let UnitKey {
            namespace,
            object,
            device: named,
        } = unit;
        let of = (namespace.as_str(), object.as_str());
        if before != Some(of) {
            let separator = if before.is_some() { "---\n" } else { "" };
            // Writing into a string cannot fail.
            let _ = write!(
                text,
                "{separator}apiVersion: cilium.io/{version}\nkind: CiliumVTEPConfig\nmetadata:\n  \
                 name: bigip-tunnel-{namespace}-{object}\nspec:\n  {list}:\n"
            );
            before = Some(of);
            device = "";
        }
        number = if device == named { number + 1 } else { 1 };
        device = named;
        let suffix = if number > 1 {
            format!("-{number}")
        } else {
            String::new()
        };
        let Row {
            unit: _,
            endpoint,
            cidr,
            mac,
        } = row;
        let _ = write!(
            text,
            "    - name: \"{device}{suffix}\"\n      tunnelEndpoint: \"{endpoint}\"\n      cidr: \"{cidr}\"\n      \
             mac: \"{mac}\"\n"
        );
    }
    text
}

/// What takes an entry out of the table of an agent that runs.
pub fn delete_line(cidr: Ipv4Net) -> String {
    format!("cilium-dbg bpf vtep delete {cidr}")
}
