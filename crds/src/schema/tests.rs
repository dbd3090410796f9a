//! What the schema promises to users and to the API server. The API server itself has its say in the
//! integration tests.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{
    Condition, LabelSelector, LabelSelectorRequirement, Time,
};
use kube::Resource as _;
use kube_cel::{Validator, apply_defaults};
use serde_json::{Value, json};

use super::*;
use crate::v1alpha1::{BigIpTunnelSpec, BigIpTunnelStatus};
use crate::{ANNOTATION_RECONCILE_REQUESTED_AT, CRD_YAML, FINALIZER, GROUP};

/// The schema of the one version, as JSON.
fn schema() -> Value {
    let crd = crd();
    let schema = crd.spec.versions[0].schema.as_ref().unwrap();
    serde_json::to_value(schema.open_api_v3_schema.as_ref().unwrap()).unwrap()
}

fn spec_schema() -> Value {
    schema()["properties"]["spec"].clone()
}

/// Calls `visit` with the path and schema of every property and every list item.
fn walk(path: &str, schema: &Value, visit: &mut impl FnMut(&str, &Value)) {
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}.{name}");
        visit(&path, property);
        walk(&path, property, visit);
    }
    for (key, name) in [("items", "[]"), ("additionalProperties", "{}")] {
        if let Some(below) = schema.get(key) {
            let path = format!("{path}{name}");
            visit(&path, below);
            walk(&path, below, visit);
        }
    }
}

/// The paths of the properties and items for which `wrong` holds.
fn offenders(wrong: impl Fn(&str, &Value) -> bool) -> Vec<String> {
    let mut paths = Vec::new();
    walk("", &schema(), &mut |path, schema| {
        if wrong(path, schema) {
            paths.push(path.to_owned());
        }
    });
    paths
}

fn smallest() -> Value {
    json!({
        "credentialsSecretRef": {"name": "bigip-login"},
        "devices": [
            {"name": "bigip-a", "address": "192.0.2.11"},
            {"name": "bigip-b", "address": "192.0.2.12"},
        ],
        "tunnel": {"name": "flannel_vxlan"},
    })
}

#[test]
fn committed_crd_yaml_is_up_to_date() {
    assert!(
        yaml().unwrap() == CRD_YAML,
        "out of date; run `cargo xtask codegen`"
    );
}

#[test]
fn crd_yaml_parses_to_the_crd() {
    let read: CustomResourceDefinition = serde_saphyr::from_str(CRD_YAML).unwrap();
    assert_eq!(read, crd());
}

#[test]
fn every_property_is_described() {
    let is_item = |path: &str| path.ends_with("[]") || path.ends_with("{}");
    let bare = offenders(|path, schema| !is_item(path) && schema["description"].is_null());
    assert_eq!(bare, [""; 0]);
}

#[test]
fn every_string_and_list_is_bounded() {
    let unbounded = offenders(|_, schema| match schema["type"].as_str() {
        Some("string") => ["maxLength", "enum", "format"]
            .iter()
            .all(|k| schema[k].is_null()),
        Some("array") => schema["maxItems"].is_null(),
        Some("object") => {
            !schema["additionalProperties"].is_null() && schema["maxProperties"].is_null()
        }
        _ => false,
    });
    assert_eq!(unbounded, [""; 0]);
}

#[test]
fn every_list_has_a_list_type() {
    let unsaid = offenders(|_, schema| {
        schema["type"] == "array" && schema["x-kubernetes-list-type"].is_null()
    });
    assert_eq!(unsaid, [""; 0]);
}

#[test]
fn no_property_may_be_null() {
    assert_eq!(
        offenders(|_, schema| schema.get("nullable").is_some()),
        [""; 0]
    );
}

#[test]
fn new_object_counts_as_in_progress() {
    assert_eq!(
        schema()["properties"]["status"]["default"],
        json!({"observedGeneration": -1})
    );
}

#[test]
fn smallest_object_gets_all_defaults() {
    let defaulted = apply_defaults(&spec_schema(), &smallest());
    assert_eq!(
        defaulted,
        json!({
            "credentialsSecretRef": {"name": "bigip-login"},
            "devices": [
                {"name": "bigip-a", "address": "192.0.2.11", "port": 443},
                {"name": "bigip-b", "address": "192.0.2.12", "port": 443},
            ],
            "suspend": false,
            "tunnel": {"name": "flannel_vxlan", "partition": "Common"},
            "nodes": {
                "addressSource": {"type": "InternalIP"},
                "removalDelaySeconds": 60,
                "maxRemovalPercent": 25,
            },
            "fdb": {"macPrefix": "0a:0a", "bulkWrites": "Never"},
            "managementPolicy": "FDBOnly",
            "deletionPolicy": "Delete",
            "drift": {"policy": "Correct", "intervalSeconds": 60},
            "saveConfig": {"policy": "OnChange", "delaySeconds": 300},
            "cilium": {"verify": "Auto", "vtepConfig": "None"},
        })
    );
}

#[test]
fn types_and_schema_agree_on_the_defaults() {
    let full = json!({
        "credentialsSecretRef": {"name": "bigip-login"},
        "devices": [{
            "name": "bigip-a",
            "address": "192.0.2.11",
            "tls": {"caBundleRef": {"kind": "Secret", "name": "ca"}},
        }],
        "tunnel": {"name": "flannel_vxlan"},
        "nodes": {},
        "fdb": {},
        "drift": {},
        "saveConfig": {},
        "cilium": {},
    });
    for written in [smallest(), full] {
        let typed: BigIpTunnelSpec = serde_json::from_value(written.clone()).unwrap();
        let defaulted = apply_defaults(&spec_schema(), &written);
        assert_eq!(serde_json::to_value(typed).unwrap(), defaulted);
    }
}

/// The messages with which the rules refuse a spec, in the place of `old` if there was one.
fn refusals(spec: &Value, old: Option<&Value>) -> Vec<String> {
    let old = old.map(|old| apply_defaults(&spec_schema(), old));
    let result = Validator::new().validate_with_defaults(&spec_schema(), spec, old.as_ref());
    let errors = result
        .err()
        .map(kube_cel::ValidationErrors::into_vec)
        .unwrap_or_default();
    errors.into_iter().map(|error| error.message).collect()
}

/// The smallest spec with the value at `pointer` replaced.
fn with(pointer: &str, value: &Value) -> Value {
    let mut spec = smallest();
    let (parent, field) = pointer.rsplit_once('/').unwrap();
    spec.pointer_mut(parent).unwrap()[field] = value.clone();
    spec
}

fn without_secret(devices: &Value) -> Value {
    let mut spec = with("/devices", devices);
    spec.as_object_mut().unwrap().remove("credentialsSecretRef");
    spec
}

#[test]
fn good_specs_are_accepted() {
    let own = json!({"name": "own"});
    for spec in [
        smallest(),
        with("/devices/0/address", &json!("bigip-a.example.net")),
        with("/devices/0/address", &json!("2001:db8::11")),
        // Two ports of one address, as behind a port forwarding.
        with(
            "/devices",
            &json!([
                {"name": "a", "address": "192.0.2.11"},
                {"name": "b", "address": "192.0.2.11", "port": 8443},
            ]),
        ),
        without_secret(&json!([{"name": "a", "address": "a", "credentialsSecretRef": own}])),
        with("/nodes", &json!({"addressSource": {"type": "CiliumNode"}})),
        with(
            "/nodes",
            &json!({"addressSource": {"cidrs": ["10.0.0.0/8", "192.0.2.7/32"]}}),
        ),
        // A present but empty object is filled with its defaults.
        with("/fdb", &json!({})),
    ] {
        assert_eq!(refusals(&spec, None), [""; 0], "{spec}");
    }
}

#[test]
fn bad_specs_are_refused_with_a_message() {
    let secret = "set spec.credentialsSecretRef, or credentialsSecretRef on every device";
    let twice = "two devices have the same address and port";
    let port_inside = "must be a host name or an IP address, without a port";
    let not_a_cidr = "must be a CIDR of IPv4, such as 10.0.0.0/8: \
                      records are made of IPv4 addresses";
    let with_cidr = |cidr: &str| {
        let source = json!({"cidrs": ["192.0.2.0/24", cidr]});
        with("/nodes", &json!({"addressSource": source}))
    };
    let own = json!({"name": "own"});
    for (spec, message) in [
        (
            without_secret(&json!([{"name": "a", "address": "a"}])),
            secret,
        ),
        (
            without_secret(&json!([
                {"name": "a", "address": "a", "credentialsSecretRef": own},
                {"name": "b", "address": "b"},
            ])),
            secret,
        ),
        (
            with(
                "/devices",
                &json!([
                    {"name": "a", "address": "bigip.example.net"},
                    {"name": "b", "address": "BIGIP.example.net", "port": 443},
                ]),
            ),
            twice,
        ),
        (
            with("/devices/0/address", &json!("192.0.2.11:8443")),
            port_inside,
        ),
        (
            with("/devices/0/address", &json!("bigip-a:443")),
            port_inside,
        ),
        (with_cidr("10.0.0.0"), not_a_cidr),
        (with_cidr("10.0.0.0/33"), not_a_cidr),
        (with_cidr("fd00::/64"), not_a_cidr),
    ] {
        assert_eq!(refusals(&spec, None), [message], "{spec}");
    }
}

#[test]
fn fields_that_identify_records_are_immutable() {
    for (pointer, value, message) in [
        (
            "/tunnel/name",
            json!("other"),
            "tunnel.name is immutable; create a new BigIpTunnel",
        ),
        (
            "/tunnel/partition",
            json!("Other"),
            "tunnel.partition is immutable; create a new BigIpTunnel",
        ),
        (
            "/fdb",
            json!({"macPrefix": "0e:0e"}),
            "fdb.macPrefix is immutable; create a new BigIpTunnel",
        ),
    ] {
        let changed = with(pointer, &value);
        assert_eq!(refusals(&changed, Some(&smallest())), [message]);
        assert_eq!(refusals(&changed, Some(&changed)), [""; 0]);
    }
}

#[test]
fn everything_else_can_be_changed() {
    let changed = with("/devices", &json!([{"name": "c", "address": "192.0.2.13"}]));
    assert_eq!(refusals(&changed, Some(&smallest())), [""; 0]);
}

#[test]
fn kubectl_get_shows_the_documented_columns() {
    let version = &crd().spec.versions[0];
    let columns = version.additional_printer_columns.as_deref().unwrap();
    let names = |wide: bool| -> Vec<&str> {
        let of_width = columns
            .iter()
            .filter(|column| column.priority.is_some() == wide);
        of_width.map(|column| column.name.as_str()).collect()
    };
    assert_eq!(
        names(false),
        ["Ready", "Devices", "Nodes", "Records", "Reason", "Age"]
    );
    assert_eq!(
        names(true),
        ["Tunnel", "Partition", "Policy", "Suspended", "Message"]
    );
}

#[test]
fn product_names_agree_in_the_crd() {
    let crd = crd();
    assert_eq!(BigIpTunnel::group(&()), GROUP);
    assert_eq!(
        crd.metadata.name.as_deref(),
        Some("bigiptunnels.bigip-tunnel.dev")
    );
    assert_eq!(
        crd.spec.names.short_names.as_deref(),
        Some(["btun".to_owned()].as_slice())
    );
    assert_eq!(
        crd.spec.names.categories.as_deref(),
        Some(["bigip".to_owned()].as_slice())
    );
    for key in [FINALIZER, ANNOTATION_RECONCILE_REQUESTED_AT] {
        assert!(key.starts_with(&format!("{GROUP}/")), "{key}");
    }
}

/// Asserts that `schema` has exactly the properties of `value`.
fn assert_same_fields(schema: &Value, value: &Value) {
    let names =
        |value: &Value| -> Vec<String> { value.as_object().unwrap().keys().cloned().collect() };
    assert_eq!(names(&schema["properties"]), names(value));
}

#[test]
fn condition_schema_has_the_fields_of_kubernetes() {
    let condition = Condition {
        type_: "Ready".into(),
        status: "True".into(),
        observed_generation: Some(1),
        last_transition_time: Time("2026-01-01T00:00:00Z".parse().unwrap()),
        reason: "InSync".into(),
        message: String::new(),
    };
    let status = &schema()["properties"]["status"]["properties"];
    let value = serde_json::to_value(condition).unwrap();
    assert_same_fields(&status["conditions"]["items"], &value);
    assert_eq!(
        status["devices"]["items"]["properties"]["conditions"]["items"],
        status["conditions"]["items"]
    );
}

#[test]
fn selector_schema_has_the_fields_of_kubernetes() {
    let requirement = LabelSelectorRequirement {
        key: "zone".into(),
        operator: "In".into(),
        values: Some(vec!["a".into()]),
    };
    let selector = LabelSelector {
        match_expressions: Some(vec![requirement]),
        match_labels: Some([("pool".to_owned(), "edge".to_owned())].into()),
    };
    let value = serde_json::to_value(selector).unwrap();
    let schema = &spec_schema()["properties"]["nodes"]["properties"]["selector"];
    assert_same_fields(schema, &value);
    assert_same_fields(
        &schema["properties"]["matchExpressions"]["items"],
        &value["matchExpressions"][0],
    );
}

#[test]
fn status_without_content_is_empty() {
    assert_eq!(
        serde_json::to_value(BigIpTunnelStatus::default()).unwrap(),
        json!({})
    );
}

#[test]
fn stored_status_parses_and_serialises_equal() {
    let stored = json!({
        "observedGeneration": 3,
        "lastVerifiedTime": "2026-11-22T06:31:07Z",
        "summary": {"devices": "1/1", "nodes": "1/2", "records": "1/1"},
        "nodes": {"selected": 2, "programmed": 1, "leaving": 1, "skipped": 1},
        "skippedNodes": [{"name": "w2", "reason": "NodeAddressMissing"}],
        "leavingNodes": [{"address": "10.0.0.9", "since": "2026-11-22T06:31:07Z"}],
        "devices": [{
            "name": "bigip-a",
            "failoverState": "Active",
            "tunnel": {"fullPath": "/Common/t", "vni": 2},
            "records": {
                "desired": 1, "present": 1, "missing": 0, "stale": 1, "unclaimed": 0, "foreign": 1
            },
            "problems": [{"mac": "0a:0a:0a:00:00:09", "kind": "Stale"}],
        }],
        "ownership": {"uid": "u", "claims": [
            {"devices": ["bigip-a"], "state": "Owned", "records": ["0a:0a:0a:00:00:01 w1"]},
            {"devices": ["bigip-a"], "state": "Leaving", "macs": ["0a:0a:0a:00:00:02"]},
        ]},
    });
    let status: BigIpTunnelStatus = serde_json::from_value(stored.clone()).unwrap();
    assert_eq!(serde_json::to_value(&status).unwrap(), stored);
}
