//! Cilium's side of tunnels: the entries that it should hold, in the form that was asked for, and what
//! stands there now. Pure.

use bigip_tunnel_cilium::config::Config;
use bigip_tunnel_cilium::desired::{self, Desired, Refusal};
use bigip_tunnel_cilium::objects::{self, Objects};
use bigip_tunnel_cilium::render::{Lists, Shape, delete_line, vtep_configs};
use bigip_tunnel_cilium::restart;
use bigip_tunnel_cilium::seen::{Cluster, ConfigMap};
use bigip_tunnel_cilium::unit::Tunnel;

use crate::cli::cilium::CiliumFormat;
use crate::error::Outcome;

/// Entries in one form.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct CiliumReport {
    /// As they should be.
    pub(crate) wanted: String,
    /// As they are now, in the same form.
    pub(crate) live: String,
    /// Whether they mean something else now.
    pub(crate) differs: bool,
    /// Whether entries of a unit are missing, because they are not known.
    pub(crate) lacks: bool,
    /// What a person has to know or do besides.
    pub(crate) notes: Vec<String>,
}

impl CiliumReport {
    /// How it exits, as a comparison (`diff`) or not: entries that are missing are a finding in either.
    pub(crate) fn outcome(&self, diff: bool) -> Outcome {
        let is_found = self.lacks || diff && self.differs;
        Outcome::fine_if(!is_found)
    }
}

/// The entries of these tunnels in this form. `shape`: the one in which objects are served.
///
/// # Errors
///
/// Every reason not to give them.
pub(crate) fn report(
    seen: &Cluster,
    tunnels: &[Tunnel],
    format: CiliumFormat,
    shape: Option<Shape>,
) -> Result<CiliumReport, Vec<Refusal>> {
    let config = seen.config.as_ref().ok().and_then(Option::as_ref);
    if format == CiliumFormat::Vtepconfig {
        return objects(config, seen, tunnels, shape);
    }
    // The lists are written as a whole: without those of now, the entries of others would be lost.
    let Some(config) = config else {
        let of_tunnels = desired::of_tunnels(tunnels).err().unwrap_or_default();
        return Err([vec![Refusal::NoConfig], of_tunnels].concat());
    };
    let namespace = &config.namespace;
    if format == CiliumFormat::Helm {
        return lists(config, seen, tunnels, Lists::helm);
    }
    let mut report = lists(config, seen, tunnels, |lists| lists.config_map(namespace))?;
    let reverted =
        "the next helm upgrade of Cilium reverts this; set the Helm values, too (-o helm)";
    report.notes.push(reverted.to_owned());
    Ok(report)
}

fn lists(
    config: &ConfigMap,
    seen: &Cluster,
    tunnels: &[Tunnel],
    form: impl Fn(&Lists) -> String,
) -> Result<CiliumReport, Vec<Refusal>> {
    let values = Config(&config.data);
    let Desired {
        rows,
        stale,
        differs,
        cautions,
        left_out,
    } = desired::lists(values, seen, tunnels)?;
    let mut notes = missing(&left_out);
    notes.extend(cautions);
    if differs {
        let restart = restart(&config.namespace);
        notes.push(format!("agents read it when they start: {restart}"));
    }
    notes.extend(stale.iter().map(|cidr| {
        let line = delete_line(*cidr);
        format!("agents serve {cidr} until it is deleted: {line} in the agent's pod of every node")
    }));
    Ok(CiliumReport {
        wanted: form(&Lists::new(&rows)),
        live: Lists::live(values)
            .map(|lists| form(&lists))
            .unwrap_or_default(),
        differs,
        lacks: !left_out.is_empty(),
        notes,
    })
}

fn objects(
    config: Option<&ConfigMap>,
    seen: &Cluster,
    tunnels: &[Tunnel],
    shape: Option<Shape>,
) -> Result<CiliumReport, Vec<Refusal>> {
    let values = config.map(|config| Config(&config.data));
    // An object has all entries of its tunnel, or would take some away.
    let (mut known, mut left_out) = (Vec::new(), Vec::new());
    for tunnel in tunnels {
        match desired::of_tunnels(std::slice::from_ref(tunnel)) {
            Ok(_) => known.push(tunnel.clone()),
            Err(refusals) => left_out.extend(refusals),
        }
    }
    if known.is_empty() && !left_out.is_empty() {
        return Err(left_out);
    }
    let objects = objects::of_tunnels(values, seen, &known)?;
    let differs = objects.differ();
    let Objects {
        wanted,
        live,
        cautions,
    } = objects;
    let mut notes = missing(&left_out);
    notes.extend(cautions);
    if shape.is_none() {
        let note = "the cluster does not serve CiliumVTEPConfig; this is the form of the upstream proposal";
        notes.push(note.to_owned());
    }
    let shape = shape.unwrap_or(Shape::V2Alpha1);
    Ok(CiliumReport {
        wanted: vtep_configs(&wanted, shape),
        live: vtep_configs(&live, shape),
        differs,
        lacks: !left_out.is_empty(),
        notes,
    })
}

/// Which entries are missing, and why.
fn missing(left_out: &[Refusal]) -> Vec<String> {
    let each = left_out.iter();
    each.map(|refusal| format!("left out: {refusal}")).collect()
}

#[cfg(test)]
mod tests;
