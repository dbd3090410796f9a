//! The spec, read: names parsed, references resolved to the one that counts.
//!
//! The schema refuses most of what is refused here. It is checked again all the same: an object may
//! be older than the schema, and what is behind builds request paths from these names.

use bigip_tunnel_core::mac::{MacPrefix, ParsePrefixError};
use bigip_tunnel_core::node::{AddressKind, AddressRule, Ipv4Net};
use bigip_tunnel_core::tunnel::{ParseNameError, TunnelPath};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, LabelSelectorRequirement};
use kube::core::Selector;

use crate::v1alpha1::{AddressType, BigIpTunnelSpec, Device};

/// Why a spec cannot be worked with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSpec {
    /// The name is none that a tunnel may have.
    #[error("spec.tunnel.name {name:?}: {problem}")]
    TunnelName {
        /// The name as written.
        name: String,
        /// What is wrong with it.
        problem: ParseNameError,
    },
    /// The name is none that a partition may have.
    #[error("spec.tunnel.partition {partition:?}: {problem}")]
    Partition {
        /// The partition as written.
        partition: String,
        /// What is wrong with it.
        problem: ParseNameError,
    },
    /// The prefix is none that derived MAC addresses may have.
    #[error("spec.fdb.macPrefix {prefix:?}: {problem}")]
    MacPrefix {
        /// The prefix as written.
        prefix: String,
        /// What is wrong with it.
        problem: ParsePrefixError,
    },
    /// The selector says something that Kubernetes has no meaning for.
    #[error("spec.nodes.selector: key {key:?}: {problem}")]
    Selector {
        /// The label key of the expression.
        key: String,
        /// What is wrong with it.
        problem: SelectorProblem,
    },
    /// The network is none that an IPv4 address can be in.
    #[error(
        "spec.nodes.addressSource.{field} {cidr:?}: must be a CIDR of IPv4, such as 10.0.0.0/8"
    )]
    Cidr {
        /// The field that it is in.
        field: &'static str,
        /// The network as written.
        cidr: String,
    },
    /// The port is no TCP port.
    #[error("spec.devices {device}: port {port} is not between 1 and 65535")]
    Port {
        /// Name of the device.
        device: String,
        /// The port as written.
        port: i32,
    },
    /// Nothing names the Secret with the login.
    #[error(
        "spec.devices {device}: no Secret is named; set spec.credentialsSecretRef, or \
         credentialsSecretRef of the device"
    )]
    NoSecret {
        /// Name of the device.
        device: String,
    },
}

/// What is wrong with an expression of a label selector. Kubernetes refuses the same elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SelectorProblem {
    /// There is no such operator.
    #[error("the operator must be In, NotIn, Exists or DoesNotExist")]
    Operator,
    /// `In` or `NotIn` without values.
    #[error("the operators In and NotIn need values")]
    NoValues,
    /// `Exists` or `DoesNotExist` with values.
    #[error("the operators Exists and DoesNotExist take no values")]
    Values,
}

/// The path of the tunnel, the same on every device.
pub fn tunnel_path(spec: &BigIpTunnelSpec) -> Result<TunnelPath, InvalidSpec> {
    let (partition, name) = (&spec.tunnel.partition, &spec.tunnel.name);
    Ok(TunnelPath::new(
        partition
            .parse()
            .map_err(|problem| InvalidSpec::Partition {
                partition: partition.clone(),
                problem,
            })?,
        name.parse().map_err(|problem| InvalidSpec::TunnelName {
            name: name.clone(),
            problem,
        })?,
    ))
}

/// The prefix of the derived MAC addresses.
pub fn mac_prefix(spec: &BigIpTunnelSpec) -> Result<MacPrefix, InvalidSpec> {
    let prefix = &spec.fdb.mac_prefix;
    prefix.parse().map_err(|problem| InvalidSpec::MacPrefix {
        prefix: prefix.clone(),
        problem,
    })
}

/// The selector of the nodes. Without one, and with an empty one, every node is selected.
pub fn selector(spec: &BigIpTunnelSpec) -> Result<Selector, InvalidSpec> {
    let Some(selector) = &spec.nodes.selector else {
        return Ok(Selector::default());
    };
    for expression in selector.match_expressions.iter().flatten() {
        check(expression).map_err(|problem| InvalidSpec::Selector {
            key: expression.key.clone(),
            problem,
        })?;
    }
    let checked = LabelSelector::clone(selector);
    // What is left that the conversion could refuse is an unknown operator, and that was checked.
    checked.try_into().map_err(|_| InvalidSpec::Selector {
        key: String::new(),
        problem: SelectorProblem::Operator,
    })
}

/// Which of a node's addresses counts.
pub fn address_rule(spec: &BigIpTunnelSpec) -> Result<AddressRule, InvalidSpec> {
    let source = &spec.nodes.address_source;
    Ok(AddressRule {
        kind: match source.kind {
            AddressType::InternalIp => AddressKind::InternalIp,
            AddressType::ExternalIp => AddressKind::ExternalIp,
            AddressType::CiliumNode => AddressKind::CiliumNode,
        },
        cidrs: networks("cidrs", &source.cidrs)?,
        exclude: networks("excludeCIDRs", &source.exclude_cidrs)?,
    })
}

fn networks(field: &'static str, cidrs: &[String]) -> Result<Vec<Ipv4Net>, InvalidSpec> {
    let networks = cidrs.iter().map(|cidr| {
        let refused = |_| InvalidSpec::Cidr {
            field,
            cidr: cidr.clone(),
        };
        cidr.parse().map_err(refused)
    });
    networks.collect()
}

/// The conversion to `Selector` takes `In` with an empty list for "no node" and `NotIn` for "every
/// node", where Kubernetes refuses both.
fn check(expression: &LabelSelectorRequirement) -> Result<(), SelectorProblem> {
    let has_values = expression
        .values
        .as_ref()
        .is_some_and(|values| !values.is_empty());
    match (expression.operator.as_str(), has_values) {
        ("In" | "NotIn", true) | ("Exists" | "DoesNotExist", false) => Ok(()),
        ("In" | "NotIn", false) => Err(SelectorProblem::NoValues),
        ("Exists" | "DoesNotExist", true) => Err(SelectorProblem::Values),
        _ => Err(SelectorProblem::Operator),
    }
}

/// The TCP port of a device's iControl REST.
pub fn port(device: &Device) -> Result<u16, InvalidSpec> {
    let refused = || InvalidSpec::Port {
        device: device.name.clone(),
        port: device.port,
    };
    u16::try_from(device.port)
        .ok()
        .filter(|port| *port > 0)
        .ok_or_else(refused)
}

/// The name of the Secret with a device's login: its own, else the one of the spec.
pub fn secret_name<'a>(
    device: &'a Device,
    spec: &'a BigIpTunnelSpec,
) -> Result<&'a str, InvalidSpec> {
    let reference = device
        .credentials_secret_ref
        .as_ref()
        .or(spec.credentials_secret_ref.as_ref());
    match reference {
        Some(reference) => Ok(&reference.name),
        None => Err(InvalidSpec::NoSecret {
            device: device.name.clone(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use kube::core::SelectorExt;
    use serde_json::{Value, json};

    use super::*;

    /// The smallest spec, with `part` in the place of what it names.
    fn spec(part: &Value) -> BigIpTunnelSpec {
        let mut spec = json!({
            "credentialsSecretRef": {"name": "bigip-login"},
            "devices": [{"name": "bigip-a", "address": "192.0.2.11"}],
            "tunnel": {"name": "flannel_vxlan"},
        });
        let fields = spec.as_object_mut().unwrap();
        fields.extend(part.as_object().unwrap().clone());
        fields.retain(|_, value| !value.is_null());
        serde_json::from_value(spec).unwrap()
    }

    fn select(selector: &Value) -> Result<Selector, InvalidSpec> {
        super::selector(&spec(&json!({"nodes": {"selector": selector}})))
    }

    #[test]
    fn tunnel_partition_defaults_to_common() {
        assert_eq!(
            tunnel_path(&spec(&json!({}))).unwrap().to_string(),
            "/Common/flannel_vxlan"
        );
        let elsewhere = spec(&json!({"tunnel": {"name": "t", "partition": "Common/app"}}));
        assert_eq!(
            tunnel_path(&elsewhere).unwrap().to_string(),
            "/Common/app/t"
        );
    }

    #[test]
    fn name_with_path_traversal_is_refused_by_field() {
        let name = spec(&json!({"tunnel": {"name": "../x"}}));
        assert!(
            tunnel_path(&name)
                .unwrap_err()
                .to_string()
                .starts_with("spec.tunnel.name \"../x\"")
        );
        let partition = spec(&json!({"tunnel": {"name": "t", "partition": "a//b"}}));
        assert!(
            tunnel_path(&partition)
                .unwrap_err()
                .to_string()
                .starts_with("spec.tunnel.partition \"a//b\"")
        );
    }

    #[test]
    fn mac_prefix_defaults_to_that_of_f5_cis() {
        assert_eq!(mac_prefix(&spec(&json!({}))), Ok(MacPrefix::DEFAULT));
        let vendor = spec(&json!({"fdb": {"macPrefix": "00:50"}}));
        assert_eq!(
            mac_prefix(&vendor),
            Err(InvalidSpec::MacPrefix {
                prefix: "00:50".into(),
                problem: ParsePrefixError::NotLocalUnicast,
            })
        );
    }

    #[test]
    fn without_a_selector_every_node_is_selected() {
        assert!(super::selector(&spec(&json!({}))).unwrap().selects_all());
        assert!(select(&json!({})).unwrap().selects_all());
    }

    #[test]
    fn all_parts_of_a_selector_count() {
        let selector = select(&json!({
            "matchLabels": {"pool": "edge"},
            "matchExpressions": [
                {"key": "zone", "operator": "In", "values": ["a", "b"]},
                {"key": "retired", "operator": "DoesNotExist"},
            ],
        }))
        .unwrap();
        let matches = |labels: &[(&str, &str)]| {
            let labels = labels
                .iter()
                .map(|(key, value)| ((*key).into(), (*value).into()));
            selector.matches(&labels.collect())
        };
        assert!(matches(&[("pool", "edge"), ("zone", "b")]));
        assert!(!matches(&[("pool", "edge"), ("zone", "c")]));
        assert!(!matches(&[("zone", "b")]));
        assert!(!matches(&[
            ("pool", "edge"),
            ("zone", "b"),
            ("retired", "")
        ]));
    }

    #[test]
    fn invalid_selector_is_refused_and_selects_nothing() {
        for (expression, problem) in [
            (
                json!({"key": "k", "operator": "In"}),
                SelectorProblem::NoValues,
            ),
            (
                json!({"key": "k", "operator": "NotIn", "values": []}),
                SelectorProblem::NoValues,
            ),
            (
                json!({"key": "k", "operator": "Exists", "values": ["v"]}),
                SelectorProblem::Values,
            ),
            (
                json!({"key": "k", "operator": "Like", "values": ["v"]}),
                SelectorProblem::Operator,
            ),
        ] {
            let refused = select(&json!({"matchExpressions": [expression]}));
            assert_eq!(
                refused,
                Err(InvalidSpec::Selector {
                    key: "k".into(),
                    problem
                })
            );
        }
    }

    #[test]
    fn address_source_defaults_to_any_internal_address() {
        assert_eq!(address_rule(&spec(&json!({}))), Ok(AddressRule::default()));
    }

    #[test]
    fn address_source_is_read_with_its_networks() {
        let source = json!({
            "type": "CiliumNode",
            "cidrs": ["10.0.0.0/8", "192.0.2.7/24"],
            "excludeCIDRs": ["10.0.0.1/32"],
        });
        let rule = address_rule(&spec(&json!({"nodes": {"addressSource": source}}))).unwrap();
        assert_eq!(rule.kind, AddressKind::CiliumNode);
        assert!(rule.cidrs[1].contains(&std::net::Ipv4Addr::new(192, 0, 2, 99)));
        assert!(rule.exclude[0].contains(&std::net::Ipv4Addr::new(10, 0, 0, 1)));
        let external = spec(&json!({"nodes": {"addressSource": {"type": "ExternalIP"}}}));
        assert_eq!(
            address_rule(&external).unwrap().kind,
            AddressKind::ExternalIp
        );
    }

    #[test]
    fn non_ipv4_network_is_refused() {
        for field in ["cidrs", "excludeCIDRs"] {
            for cidr in ["fd00::/64", "10.0.0.0", "10.0.0.0/33", "x"] {
                let source = json!({field: [cidr]});
                let refused = address_rule(&spec(&json!({"nodes": {"addressSource": source}})));
                let cidr = cidr.to_owned();
                assert_eq!(refused, Err(InvalidSpec::Cidr { field, cidr }));
            }
        }
    }

    #[test]
    fn port_outside_the_tcp_range_is_refused() {
        let with_port = |port: i32| {
            let devices = json!([{"name": "bigip-a", "address": "192.0.2.11", "port": port}]);
            super::port(&spec(&json!({"devices": devices})).devices[0])
        };
        assert_eq!(with_port(8443), Ok(8443));
        for number in [0, -1, 65536] {
            let refused = InvalidSpec::Port {
                device: "bigip-a".into(),
                port: number,
            };
            assert_eq!(with_port(number), Err(refused));
        }
    }

    #[test]
    fn secret_of_the_device_precedes_that_of_the_spec() {
        let own = json!({"devices": [
            {"name": "a", "address": "a", "credentialsSecretRef": {"name": "own"}},
            {"name": "b", "address": "b"},
        ]});
        let spec = spec(&own);
        assert_eq!(secret_name(&spec.devices[0], &spec), Ok("own"));
        assert_eq!(secret_name(&spec.devices[1], &spec), Ok("bigip-login"));
    }

    #[test]
    fn device_without_any_secret_is_named() {
        let spec = spec(&json!({"credentialsSecretRef": null}));
        let refused = InvalidSpec::NoSecret {
            device: "bigip-a".into(),
        };
        assert_eq!(secret_name(&spec.devices[0], &spec), Err(refused));
    }
}
