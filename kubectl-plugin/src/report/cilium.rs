//! Cilium's side of tunnels: the entries that it should hold, in the form that was asked for, and what
//! stands there now. Pure.

use bigip_tunnel_cilium::config::Config;
use bigip_tunnel_cilium::desired::{self, Desired, Refusal};
use bigip_tunnel_cilium::objects::{self, Objects};
use bigip_tunnel_cilium::render::{Lists, Shape, delete_line, vtep_configs};
use bigip_tunnel_cilium::seen::{Cluster, ConfigMap};
use bigip_tunnel_cilium::unit::Tunnel;

use crate::cli::cilium::CiliumFormat;
use crate::error::Outcome;

/// What restarts the agents of this namespace.
fn restart(namespace: &str) -> String {
    format!("agents read it when they start: kubectl -n {namespace} rollout restart ds/cilium")
}

/// Entries in one form.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct CiliumReport {
    /// As they should be.
    pub(crate) wanted: String,
    /// As they are now, in the same form.
    pub(crate) live: String,
    /// Whether they mean something else now.
    pub(crate) differs: bool,
    /// What a person has to know or do besides.
    pub(crate) notes: Vec<String>,
}

impl CiliumReport {
    /// How a comparison exits.
    pub(crate) fn outcome(&self) -> Outcome {
        Outcome::fine_if(!self.differs)
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
    } = desired::lists(values, seen, tunnels)?;
    let mut notes = cautions;
    if differs {
        notes.push(restart(&config.namespace));
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
    let objects = objects::of_tunnels(values, seen, tunnels)?;
    let differs = objects.differ();
    let Objects {
        wanted,
        live,
        cautions,
    } = objects;
    let mut notes = cautions;
    if shape.is_none() {
        let note = "the cluster does not serve CiliumVTEPConfig; this is the form of the upstream proposal";
        notes.push(note.to_owned());
    }
    let shape = shape.unwrap_or(Shape::V2Alpha1);
    Ok(CiliumReport {
        wanted: vtep_configs(&wanted, shape),
        live: vtep_configs(&live, shape),
        differs,
        notes,
    })
}

#[cfg(test)]
mod tests;
