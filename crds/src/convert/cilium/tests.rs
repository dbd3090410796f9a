//! Objects as they are written, and what is read of them.

use std::collections::BTreeSet;

use serde_json::json;

use super::*;

fn object(kind: &str, content: &Value) -> DynamicObject {
    let mut whole = json!({
        "apiVersion": "cilium.io/v2", "kind": kind, "metadata": {"name": "x"},
    });
    for (key, value) in content.as_object().unwrap() {
        whole[key] = value.clone();
    }
    serde_json::from_value(whole).unwrap()
}

fn labelled(name: &str, zone: &str) -> Arc<Node> {
    let node = json!({"metadata": {"name": name, "labels": {"zone": zone}}});
    super::node(&serde_json::from_value(node).unwrap()).into()
}

#[test]
fn only_a_data_change_updates_the_config_time() {
    let entry = |fields: &Value, time: &str| json!({"manager": "m", "operation": "Update", "time": time, "fieldsV1": fields});
    let fields = [
        entry(&json!({"f:data": {"f:mtu": {}}}), "2026-11-20T06:00:00Z"),
        entry(
            &json!({"f:metadata": {"f:annotations": {}}}),
            "2026-11-22T06:00:00Z",
        ),
    ];
    let config = json!({"metadata": {"name": "cilium-config", "managedFields": fields}});
    let seen = config_map("kube-system", serde_json::from_value(config).unwrap());
    assert_eq!(seen.changed, Some("2026-11-20T06:00:00Z".parse().unwrap()));
}

#[test]
fn only_running_agents_count() {
    let pod = |phase: &str, leaving: bool| {
        let mut pod = json!({
            "metadata": {"name": "cilium-1"},
            "spec": {"nodeName": "n1", "containers": [
                {"name": "sidecar", "image": "other:v9.9.9"},
                {"name": "cilium-agent", "image": "cilium:v1.17.9"},
            ]},
            "status": {"phase": phase},
        });
        if leaving {
            pod["metadata"]["deletionTimestamp"] = json!("2026-11-22T06:00:00Z");
        }
        agent(&serde_json::from_value(pod).unwrap())
    };
    let running = pod("Running", false).unwrap();
    assert_eq!((&*running.node, &*running.image), ("n1", "cilium:v1.17.9"));
    assert_eq!(pod("Pending", false), None);
    assert_eq!(pod("Failed", false), None);
    assert_eq!(pod("Running", true), None);
    assert!(!running.ready);
}

#[test]
fn readiness_of_an_agent_is_that_of_its_pod() {
    let ready = |conditions: Value| {
        let pod = json!({"metadata": {}, "status": {"conditions": conditions}});
        is_ready(&serde_json::from_value(pod).unwrap())
    };
    let condition = |kind: &str, status: &str| json!({"type": kind, "status": status});
    assert!(ready(json!([
        condition("Initialized", "False"),
        condition("Ready", "True")
    ])));
    assert!(!ready(json!([
        condition("Initialized", "True"),
        condition("Ready", "False")
    ])));
    assert!(!ready(json!([])));
}

#[test]
fn health_endpoint_is_read_from_the_cilium_node() {
    let of = |health: Value| {
        let node = json!({"metadata": {"name": "n1"}, "spec": {"health": health}});
        cilium_node(&serde_json::from_value(node).unwrap()).health
    };
    assert_eq!(
        of(json!({"ipv4": "10.0.0.66", "ipv6": "fd00::66"})),
        Some("10.0.0.66".parse().unwrap())
    );
    assert_eq!(of(json!({})), None);
    assert_eq!(of(json!({"ipv4": "x"})), None);
}

#[test]
fn selector_of_an_object_names_its_nodes() {
    let nodes = [labelled("n1", "a"), labelled("n2", "b")];
    let of = |selector: Value| {
        let object = object(
            "CiliumVTEPConfig",
            &json!({"spec": {"nodeSelector": selector}}),
        );
        vtep_object(&object, Some(&nodes)).scope
    };
    assert_eq!(of(json!({})), Scope::All);
    assert_eq!(of(Value::Null), Scope::All);
    let zone = of(json!({"matchLabels": {"zone": "a"}}));
    assert_eq!(
        (zone.holds("n1"), zone.holds("n2")),
        (Some(true), Some(false))
    );
    let expression = json!({"key": "zone", "operator": "In", "values": ["b"]});
    let zone = of(json!({"matchExpressions": [expression]}));
    let names = BTreeSet::from(["n2".to_owned()]);
    let selector = "zone in (b)".to_owned();
    assert_eq!(
        zone,
        Scope::Some {
            selector,
            nodes: names.into()
        }
    );
}

#[test]
fn selector_without_node_list_is_unknown() {
    let selector = json!({"matchLabels": {"zone": "a"}});
    let object = object(
        "CiliumVTEPConfig",
        &json!({"spec": {"nodeSelector": selector}}),
    );
    let selector = "zone=a".to_owned();
    assert_eq!(
        vtep_object(&object, None).scope,
        Scope::Unknown { selector }
    );
}

#[test]
fn node_config_without_selector_is_for_no_node() {
    let defaults = json!({"spec": {"defaults": {"enable-vtep": "true"}}});
    let config = node_config(&object("CiliumNodeConfig", &defaults), Some(&[]));
    assert_eq!(config.scope.holds("n1"), Some(false));
    assert_eq!(config.defaults["enable-vtep"], "true");
}

#[test]
fn values_on_a_node_are_read_from_labels_and_annotations() {
    let node = json!({"metadata": {
        "name": "n1",
        "labels": {"config.cilium.io/mtu": "1400", "config.cilium.io/tunnel-port": "8473"},
        "annotations": {"config.cilium.io/mtu": "9000", "other/mtu": "1"},
    }});
    let node = super::node(&serde_json::from_value(node).unwrap());
    let overrides: Vec<_> = node
        .overrides
        .iter()
        .map(|(k, v)| format!("{k}={v}"))
        .collect();
    assert_eq!(overrides, ["mtu=9000", "tunnel-port=8473"]);
}

#[test]
fn pod_networks_of_pools_are_read() {
    let allocated = json!([{"pool": "default", "cidrs": ["10.4.0.0/27"]}]);
    let ipam = json!({"podCIDRs": ["10.0.0.0/24"], "pools": {"allocated": allocated}});
    let node = json!({"metadata": {"name": "x"}, "spec": {"ipam": ipam}});
    let node = cilium_node(&serde_json::from_value(node).unwrap());
    let cidrs: Vec<_> = node.pod_cidrs.iter().map(ToString::to_string).collect();
    assert_eq!(cidrs, ["10.0.0.0/24", "10.4.0.0/27"]);
}

#[test]
fn owner_of_a_vtep_config_needs_label_and_annotation() {
    let owner = |labels: Value, annotations: Value| {
        let content = json!({"spec": {"cidrMask": "255.0.0.0"}});
        let mut written = object("CiliumVTEPConfig", &content);
        written.metadata.labels = serde_json::from_value(labels).unwrap();
        written.metadata.annotations = serde_json::from_value(annotations).unwrap();
        let live = managed(&written, None);
        assert_eq!(live.mask.as_deref(), Some("255.0.0.0"));
        live.owner
    };
    let label = json!({"app.kubernetes.io/managed-by": "bigip-tunnel-operator"});
    let annotation = json!({"bigip-tunnel.dev/owner-uid": "u"});
    let marked = owner(label.clone(), annotation.clone());
    assert_eq!(marked.as_deref(), Some("u"));
    assert_eq!(owner(json!({}), annotation.clone()), None);
    let helms = json!({"app.kubernetes.io/managed-by": "Helm"});
    assert_eq!(owner(helms, annotation), None);
    assert_eq!(owner(label, json!({})), None);
}
