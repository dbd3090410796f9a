//! `report` of the plugin on a real API server: what is in a bundle, what is not, and for whom.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use bigip_tunnel_harness::account::rule;
use bigip_tunnel_harness::devices::USER;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::Api;
use kube::api::{ListParams, PostParams};
use serde_json::{Value, json};
use zip::ZipArchive;

use crate::devices::create_secret;
use crate::world::{NAME, RECORD_1, World};

/// A password that also stands where none should.
const PASSWORD: &str = "correct-horse-battery-staple";
/// What the operator is known by.
const LABELS: [(&str, &str); 2] = [
    ("app.kubernetes.io/name", "bigip-tunnel-operator"),
    ("app", "operator"),
];

/// The entries of a bundle.
fn unpacked(path: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut archive = ZipArchive::new(File::open(path).unwrap()).unwrap();
    let mut entries = BTreeMap::new();
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).unwrap();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        entries.insert(entry.name().unwrap().into_owned(), content);
    }
    entries
}

fn holds(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

fn json(entries: &BTreeMap<String, Vec<u8>>, name: &str) -> Value {
    let entry = entries.get(name);
    let entry = entry.unwrap_or_else(|| panic!("no {name} in {:?}", entries.keys()));
    serde_json::from_slice(entry).unwrap()
}

/// What an installation has beside tunnels: a Deployment and a Pod whose environment holds a password.
async fn create_operator_objects(world: &World) {
    let env = json!([{"name": "HTTPS_PROXY", "value": format!("http://u:{PASSWORD}@proxy:3128")}]);
    let containers = json!([{"name": "operator", "image": "operator:0.1.0", "env": env}]);
    let labels = BTreeMap::from(LABELS);
    let metadata = json!({
        "name": "operator",
        "labels": labels,
        "annotations": {"kubectl.kubernetes.io/last-applied-configuration": PASSWORD},
    });
    let spec = json!({"containers": containers});
    let template = json!({"metadata": {"labels": labels}, "spec": spec});
    let selector = json!({"matchLabels": {"app": "operator"}});
    let deployment: Deployment = serde_json::from_value(json!({
        "metadata": metadata, "spec": {"selector": selector, "template": template},
    }))
    .unwrap();
    let pod = serde_json::from_value(json!({"metadata": metadata, "spec": spec})).unwrap();
    let (client, params) = (&world.client, PostParams::default());
    let deployments: Api<Deployment> = Api::namespaced(client.clone(), &world.name);
    deployments.create(&params, &deployment).await.unwrap();
    let pods: Api<Pod> = Api::namespaced(client.clone(), &world.name);
    pods.create(&params, &pod).await.unwrap();
}

#[tokio::test]
async fn no_value_of_any_secret_is_in_a_bundle() {
    let world = World::in_sync("report-secrets").await;
    let login = [("username", "somebody-else"), ("password", PASSWORD)];
    create_secret(&world, "other-login", &login).await;
    world
        .patch_standby(&json!({"credentialsSecretRef": {"name": "other-login"}}))
        .await;
    create_operator_objects(&world).await;
    let applied = "kubectl.kubernetes.io/last-applied-configuration";
    world.annotate(applied, PASSWORD).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bundle.zip");
    let ended = world
        .plugin(&["report", "--logs", "-f", file.to_str().unwrap()])
        .await;
    assert_eq!(ended.code, Some(0), "{ended:?}");

    let entries = unpacked(&file);
    let secrets: Api<Secret> = Api::namespaced(world.client.clone(), &world.name);
    let secrets = secrets.list(&ListParams::default()).await.unwrap();
    let values = secrets.items.iter().flat_map(|secret| &secret.data);
    let values: Vec<&[u8]> = values.flatten().map(|(_, value)| &*value.0).collect();
    // The name of the product is a user name here.
    let hidden = values.iter().filter(|value| **value != USER.as_bytes());
    assert!(hidden.clone().count() >= 3, "{}", values.len());
    for value in hidden {
        for (name, content) in &entries {
            assert!(!holds(content, value), "{name}");
        }
        assert!(!holds(ended.out.as_bytes(), value) && !holds(ended.err.as_bytes(), value));
    }
    // They were looked at all the same, and so was what the password stood in.
    let keys = &json(&entries, "secrets.json")["secrets"];
    let other = keys.as_array().unwrap().iter();
    let other: Vec<_> = other
        .filter(|secret| secret["name"] == "other-login")
        .collect();
    assert_eq!(other[0]["keys"], json!(["password", "username"]));
    for kind in ["deployment", "pod"] {
        let object = json(
            &entries,
            &format!("operator/report-secrets/operator.{kind}.json"),
        );
        assert!(object.to_string().contains("HTTPS_PROXY"), "{object}");
    }
    // The Pod runs nowhere and has nothing to say.
    let log = entries.get("operator/report-secrets/operator.operator.log");
    assert_eq!(log.map(Vec::len), Some(0), "{ended:?}");
}

#[tokio::test]
async fn bundle_contains_tunnel_records_and_trust() {
    let world = World::in_sync("report-whole").await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bundle.zip");
    let args = ["report", NAME, "-o", "json", "-f", file.to_str().unwrap()];
    let ended = world.plugin(&args).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let entries = unpacked(&file);
    let of_tunnel = |name: &str| json(&entries, &format!("tunnels/report-whole/{NAME}/{name}"));
    let object = of_tunnel("object.json");
    assert_eq!(object["kind"], "BigIpTunnel");
    assert_eq!(object["metadata"].get("managedFields"), None);
    assert_eq!(
        of_tunnel("status.json")["tunnels"][0]["ready"]["reason"],
        "InSync"
    );
    assert_eq!(of_tunnel("fdb.json")["rows"][0]["mac"], RECORD_1.0);
    let index = json(&entries, "index.json");
    assert_eq!(index["apiVersion"], "cli.bigip-tunnel.dev/v1");
    assert_eq!(index, serde_json::from_str::<Value>(&ended.out).unwrap());
    let included = index["included"].as_array().unwrap().iter();
    let files = included.flat_map(|part| part["files"].as_array().unwrap());
    let files: Vec<&str> = files.map(|file| file.as_str().unwrap()).collect();
    for name in entries.keys().filter(|name| *name != "index.json") {
        assert!(files.contains(&name.as_str()), "{name}: {files:?}");
    }
    assert!(
        files
            .iter()
            .any(|file| file.starts_with("ca/report-whole/")),
        "{files:?}"
    );
    let node = &json(&entries, "nodes.json")["nodes"][0];
    assert!(
        node["labels"].is_object() && node["addresses"].is_array(),
        "{node}"
    );
}

#[tokio::test]
async fn reader_bundle_lists_what_is_missing() {
    let world = World::in_sync("report-reader").await;
    let account = world.account().await;
    let rules = [
        rule("", &["nodes"], &["get", "list"]),
        rule("bigip-tunnel.dev", &["bigiptunnels"], &["get", "list"]),
    ];
    account.allow(&rules).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bundle.zip");
    let args = ["report", "-f", file.to_str().unwrap()];
    let ended = world.plugin_as(&account, &args).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.out.starts_with("Wrote "), "{ended:?}");
    assert!(
        ended.out.contains("Addresses and host names are inside"),
        "{ended:?}"
    );
    let entries = unpacked(&file);
    for name in ["object.json", "status.json", "fdb.json"] {
        json(&entries, &format!("tunnels/report-reader/{NAME}/{name}"));
    }
    let index = json(&entries, "index.json");
    let missing = index["missing"].as_array().unwrap();
    let why = |what: &str| {
        let found = missing.iter().find(|missing| missing["what"] == what);
        found.unwrap_or_else(|| panic!("no {what}: {index}"))["why"].clone()
    };
    assert_eq!(why("events"), "not allowed to list events");
    assert_eq!(why("Pods of the operator"), "not allowed to list pods");
    assert_eq!(why("cilium-config"), "not allowed to get configmaps");
    assert_eq!(why("logs of the operator"), "not asked for: --logs");
    let line = "‼ events: not allowed to list events; left out\n";
    assert!(ended.err.contains(line), "{ended:?}");
}

#[tokio::test]
async fn missing_tunnel_makes_no_bundle() {
    let world = World::new("report-none").await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bundle.zip");
    let args = ["report", "no-such", "-f", file.to_str().unwrap()];
    let ended = world.plugin(&args).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.err.contains("\"no-such\" not found"), "{ended:?}");
    assert_eq!(folder.path().read_dir().unwrap().count(), 0);
}
