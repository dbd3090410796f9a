//! Cilium's side of tunnels: the entries that it should hold, in the form that was asked for, and what
//! stands there now. Pure.

use bigip_tunnel_cilium::config::Config;
use bigip_tunnel_cilium::desired::{self, Desired, Refusal, Row};
use bigip_tunnel_cilium::render::{Lists, Shape, delete_line, vtep_configs};
use bigip_tunnel_cilium::seen::{Cluster, ConfigMap};
use bigip_tunnel_cilium::unit::Tunnel;
use bigip_tunnel_cilium::vtep::{self, Entry};

use crate::cli::cilium::CiliumFormat;

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
    /// What a person has to know or do besides.
    pub(crate) notes: Vec<String>,
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
    let empty = ConfigMap::default();
    let config = seen.config.as_ref().ok().and_then(Option::as_ref);
    let config = config.unwrap_or(&empty);
    match format {
        CiliumFormat::Helm => lists(config, seen, tunnels, Lists::helm),
        CiliumFormat::Configmap => {
            let namespace = match config.namespace.as_str() {
                "" => "kube-system",
                namespace => namespace,
            };
            let mut report = lists(config, seen, tunnels, |lists| lists.config_map(namespace))?;
            let reverted =
                "the next helm upgrade of Cilium reverts this; set the Helm values, too (-o helm)";
            report.notes.push(reverted.to_owned());
            Ok(report)
        }
        CiliumFormat::Vtepconfig => objects(config, seen, tunnels, shape),
    }
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
    } = desired::lists(values, seen, tunnels)?;
    let mut notes = Vec::new();
    if differs {
        let namespace = match config.namespace.as_str() {
            "" => "kube-system",
            namespace => namespace,
        };
        notes.push(restart(namespace));
    }
    notes.extend(stale.iter().map(|cidr| {
        let line = delete_line(*cidr);
        format!("agents serve {cidr} until it is deleted: {line} in the agent's pod of every node")
    }));
    let live = Lists {
        endpoint: values.list("vtep-endpoint").join(" "),
        cidr: values.list("vtep-cidr").join(" "),
        mask: values.get("vtep-mask").to_owned(),
        mac: values.list("vtep-mac").join(" "),
    };
    let live = if values.is_on("enable-vtep") {
        form(&live)
    } else {
        String::new()
    };
    Ok(CiliumReport {
        wanted: form(&Lists::new(&rows)),
        live,
        notes,
    })
}

fn objects(
    config: &ConfigMap,
    seen: &Cluster,
    tunnels: &[Tunnel],
    shape: Option<Shape>,
) -> Result<CiliumReport, Vec<Refusal>> {
    let rows = desired::of_tunnels(tunnels)?;
    let overlaps = desired::overlaps(&rows, Config(&config.data), seen);
    if !overlaps.is_empty() {
        return Err(overlaps);
    }
    let mut notes = Vec::new();
    if shape.is_none() {
        let note = "the cluster does not serve CiliumVTEPConfig; this is the form of the upstream proposal";
        notes.push(note.to_owned());
    }
    let shape = shape.unwrap_or(Shape::V2Alpha1);
    let objects = seen.vtep_objects.iter().flatten().flatten();
    let others: Vec<&str> = objects
        .map(|object| object.name.as_str())
        .filter(|name| {
            !rows
                .iter()
                .any(|row| name_of(row).as_deref() == Some(*name))
        })
        .collect();
    if !others.is_empty() {
        let names = others.join(", ");
        notes.push(format!(
            "there are other CiliumVTEPConfigs ({names}); whether agents merge several is not known"
        ));
    }
    let live: Vec<Row> = live_rows(seen, &rows);
    Ok(CiliumReport {
        wanted: vtep_configs(&rows, shape),
        live: vtep_configs(&live, shape),
        notes,
    })
}

/// The name of the object that a row belongs to.
fn name_of(row: &Row) -> Option<String> {
    let unit = row.unit.as_ref()?;
    Some(format!("bigip-tunnel-{}-{}", unit.namespace, unit.object))
}

/// The entries of our objects as they are now.
fn live_rows(seen: &Cluster, wanted: &[Row]) -> Vec<Row> {
    let objects = seen.vtep_objects.iter().flatten().flatten();
    let mut rows = Vec::new();
    for object in objects {
        let is_of = |row: &&Row| name_of(row).as_deref() == Some(object.name.as_str());
        let Some(unit) = wanted.iter().find(is_of).and_then(|row| row.unit.clone()) else {
            continue;
        };
        let entries = vtep::of_objects(std::slice::from_ref(object));
        for (entry, written) in entries.iter().zip(&object.entries) {
            let Entry {
                endpoint: Ok(endpoint),
                cidr: Ok(cidr),
                mac: Ok(mac),
                ..
            } = entry
            else {
                continue;
            };
            let mut unit = unit.clone();
            unit.device.clone_from(&written.name);
            let unit = Some(unit);
            let (endpoint, cidr, mac) = (*endpoint, *cidr, *mac);
            rows.push(Row {
                unit,
                endpoint,
                cidr,
                mac,
            });
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use bigip_tunnel_cilium::seen::{Scope, Unread};
    use bigip_tunnel_cilium::vtep::VtepObject;
    use bigip_tunnel_crds::convert;
    use serde_json::json;

    use super::*;
    use crate::report::check::tests::{evidence, tunnel};

    fn tunnels() -> Vec<Tunnel> {
        vec![convert::cilium::tunnel(&tunnel().object(), None)]
    }

    fn of(seen: &Cluster, format: CiliumFormat) -> CiliumReport {
        report(seen, &tunnels(), format, Some(Shape::V2)).unwrap()
    }

    #[test]
    fn lists_that_are_right_differ_in_nothing() {
        let seen = evidence(tunnel()).cilium;
        for format in [CiliumFormat::Helm, CiliumFormat::Configmap] {
            let report = of(&seen, format);
            assert_eq!(report.wanted, report.live);
            assert!(
                !report
                    .notes
                    .iter()
                    .any(|note| note.contains("rollout restart"))
            );
        }
    }

    #[test]
    fn change_of_lists_says_that_agents_have_to_be_restarted() {
        let mut seen = evidence(tunnel()).cilium;
        let config = seen.config.as_mut().unwrap().as_mut().unwrap();
        config
            .data
            .insert("vtep-cidr".into(), "10.1.6.0/24 10.1.9.0/24".into());
        let report = of(&seen, CiliumFormat::Helm);
        assert!(
            report.wanted.contains("cidr: \"10.1.6.0/24 10.1.5.0/24\""),
            "{report:?}"
        );
        let notes = report.notes.join("\n");
        assert!(notes.contains("rollout restart ds/cilium"), "{notes}");
        assert!(
            notes.contains("cilium-dbg bpf vtep delete 10.1.9.0/24"),
            "{notes}"
        );
    }

    #[test]
    fn values_of_cilium_config_are_said_to_be_reverted() {
        let report = of(&evidence(tunnel()).cilium, CiliumFormat::Configmap);
        assert!(report.wanted.contains("namespace: kube-system"));
        assert!(report.notes[0].contains("helm upgrade"), "{report:?}");
    }

    #[test]
    fn object_that_was_applied_differs_in_nothing() {
        let mut seen = evidence(tunnel()).cilium;
        let format = CiliumFormat::Vtepconfig;
        let wanted = of(&seen, format).wanted;
        let content: serde_json::Value = serde_saphyr::from_str(&wanted).unwrap();
        let name = "bigip-tunnel-bigip-prod-east";
        assert_eq!(content["metadata"]["name"], name);
        let ours = VtepObject::new(name, Scope::All, &content);
        let other = VtepObject::new("gateway", Scope::All, &json!({}));
        seen.vtep_objects = Ok(Some(vec![ours, other]));
        let report = of(&seen, format);
        assert_eq!(report.wanted, report.live);
        assert!(report.notes[0].contains("(gateway)"), "{report:?}");
    }

    #[test]
    fn networks_of_nodes_that_are_not_known_refuse_nothing() {
        let mut seen = evidence(tunnel()).cilium;
        seen.nodes = Err(Unread("not allowed".to_owned()));
        seen.cilium_nodes = Err(Unread("not allowed".to_owned()));
        assert!(report(&seen, &tunnels(), CiliumFormat::Helm, None).is_ok());
    }
}
