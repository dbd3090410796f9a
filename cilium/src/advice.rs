//! The exact lines that put Cilium right, for findings and for what is rendered. Must not decide what is wrong.

use std::fmt::Write as _;

use bigip_tunnel_core::unit::Encapsulation;

use crate::config::Config;
use crate::unit::Unit;

/// A value of Cilium's Helm chart, and the key of `cilium-config` that it becomes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Setting {
    helm: &'static str,
    key: &'static str,
    value: String,
}

impl Setting {
    pub(crate) fn new(helm: &'static str, key: &'static str, value: impl Into<String>) -> Self {
        let value = value.into();
        Self { helm, key, value }
    }
}

/// What advice depends on besides a finding.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Advice<'a> {
    /// The namespace of Cilium.
    pub(crate) namespace: &'a str,
    /// Protocol and port of the units, where all of them have the same, and Cilium can have it.
    pub(crate) protocol: Option<(&'a Encapsulation, u16)>,
}

impl<'a> Advice<'a> {
    /// Advice in this namespace, about these units.
    pub(crate) fn new(namespace: &'a str, units: impl IntoIterator<Item = &'a Unit>) -> Self {
        let protocols = units.into_iter();
        let mut protocols = protocols.filter_map(|u| Some((u.encapsulation.as_ref()?, u.port?)));
        let is_usable = |(kind, _): &(&Encapsulation, u16)| {
            matches!(kind, Encapsulation::Vxlan | Encapsulation::Geneve)
        };
        let first = protocols.next().filter(is_usable);
        Self {
            namespace,
            protocol: first.filter(|first| protocols.all(|other| other == *first)),
        }
    }

    /// What makes agents read their configuration: they do so when they start (seen).
    pub(crate) fn restart(&self) -> String {
        restart(self.namespace)
    }

    /// What sets these values and puts them into use.
    pub(crate) fn set(&self, settings: &[Setting]) -> String {
        let (mut helm, mut keys) = (String::new(), Vec::new());
        for Setting {
            helm: name,
            key,
            value,
        } in settings
        {
            // Writing into a string cannot fail.
            let _ = write!(helm, " {name}={value}");
            keys.push(format!("{key}: {value:?}"));
        }
        let noun = if settings.len() == 1 {
            "value"
        } else {
            "values"
        };
        format!(
            "set Cilium's Helm {noun}{helm} (cilium-config: {}) and run {}",
            keys.join(", "),
            self.restart()
        )
    }

    /// What makes nodes talk through a tunnel. Until 1.13 one key, `tunnel`, said it all.
    pub(crate) fn tunnel(&self, config: Config<'_>) -> String {
        let kind = self.protocol.map_or("vxlan", |(kind, _)| match kind {
            Encapsulation::Geneve => "geneve",
            _ => "vxlan",
        });
        if config.get("routing-mode").is_empty() && !config.get("tunnel").is_empty() {
            return self.set(&[Setting::new("tunnel", "tunnel", kind)]);
        }
        self.set(&[
            Setting::new("routingMode", "routing-mode", "tunnel"),
            Setting::new("tunnelProtocol", "tunnel-protocol", kind),
        ])
    }

    /// What gives Cilium the protocol and port of the units. `None` where Cilium cannot have them.
    pub(crate) fn protocol(&self, config: Config<'_>) -> Option<String> {
        let (kind, port) = self.protocol?;
        let (kind, port) = (kind.to_string(), port.to_string());
        let protocol = if config.get("routing-mode").is_empty() && !config.get("tunnel").is_empty()
        {
            Setting::new("tunnel", "tunnel", kind)
        } else {
            Setting::new("tunnelProtocol", "tunnel-protocol", kind)
        };
        Some(self.set(&[protocol, Setting::new("tunnelPort", "tunnel-port", port)]))
    }
}

/// What restarts the agents of Cilium in this namespace.
pub fn restart(namespace: &str) -> String {
    format!("kubectl -n {namespace} rollout restart ds/cilium")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::testing::unit;

    fn units(ports: &[(Encapsulation, u16)]) -> Vec<Unit> {
        let unit = |(kind, port): &(Encapsulation, u16)| {
            let mut unit = unit("east", "a", "10.9.0.1", &[], "02:00:00:00:00:01");
            (unit.encapsulation, unit.port) = (Some(kind.clone()), Some(*port));
            unit
        };
        ports.iter().map(unit).collect()
    }

    #[test]
    fn lines_name_value_key_and_restart() {
        let none = BTreeMap::new();
        let advice = Advice::new("cilium", []);
        assert_eq!(
            advice.tunnel(Config(&none)),
            "set Cilium's Helm values routingMode=tunnel tunnelProtocol=vxlan (cilium-config: \
             routing-mode: \"tunnel\", tunnel-protocol: \"vxlan\") and run kubectl -n cilium rollout \
             restart ds/cilium"
        );
    }

    #[test]
    fn old_configuration_gets_the_old_key() {
        let old = BTreeMap::from([("tunnel".to_owned(), "disabled".to_owned())]);
        let units = units(&[(Encapsulation::Geneve, 6081)]);
        let line = Advice::new("cilium", &units).tunnel(Config(&old));
        assert!(
            line.contains("value tunnel=geneve (cilium-config: tunnel: \"geneve\")"),
            "{line}"
        );
    }

    #[test]
    fn only_a_protocol_of_all_units_can_be_set() {
        let none = BTreeMap::new();
        let of = |ports: &[(Encapsulation, u16)]| {
            let units = units(ports);
            Advice::new("cilium", &units).protocol(Config(&none))
        };
        let (vxlan, geneve) = (Encapsulation::Vxlan, Encapsulation::Geneve);
        let one = of(&[(vxlan.clone(), 4789), (vxlan.clone(), 4789)]).unwrap();
        assert!(
            one.contains("tunnelProtocol=vxlan tunnelPort=4789"),
            "{one}"
        );
        assert_eq!(of(&[(vxlan, 4789), (geneve, 6081)]), None);
        assert_eq!(of(&[(Encapsulation::Other("gre".to_owned()), 0)]), None);
        assert_eq!(of(&[]), None);
    }
}
