//! The chart: what it renders, what it refuses, and what becomes of it on a real API server.

mod values;

use std::collections::BTreeMap;
use std::time::Duration;

use bigip_tunnel_harness::binaries::definitions;
use bigip_tunnel_harness::chart::{self, Helm};
use bigip_tunnel_harness::control_plane::ControlPlane;
use bigip_tunnel_harness::objects;
use bigip_tunnel_harness::paths;
use bigip_tunnel_harness::progress::to_stderr;
use bigip_tunnel_harness::wait::{Answer, eventually};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{Namespace, Pod};
use k8s_openapi::api::rbac::v1::Role;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{DeleteParams, DynamicObject, Patch, PatchParams, PostParams, ValidationDirective};
use kube::core::GroupVersionKind;
use kube::discovery::{Scope, pinned_kind};
use kube::{Api, Client};
use serde_json::{Value, json};

use self::values::{OTHER_VALUES, full_values};

/// Name of the releases.
const RELEASE: &str = "tunnels";
/// Name of everything that a release of this name makes.
const FULL_NAME: &str = "tunnels-bigip-tunnel-operator";
/// Name of the resource definition.
const DEFINITION: &str = "bigiptunnels.bigip-tunnel.dev";
/// How long the API server may take to serve a new resource.
const LIMIT: Duration = Duration::from_secs(60);

/// The one object of this kind.
fn only<'a>(objects: &'a [Value], kind: &str) -> &'a Value {
    let mut of_kind = objects.iter().filter(|object| object["kind"] == kind);
    let found = of_kind.next().unwrap();
    assert_eq!(of_kind.count(), 0, "{kind}");
    found
}

/// The pods that a rendered release leads to.
fn pods(objects: &[Value]) -> [Value; 2] {
    let template = &only(objects, "Deployment")["spec"]["template"];
    let mut pod = json!({"apiVersion": "v1", "kind": "Pod"});
    pod["metadata"] = template["metadata"].clone();
    pod["metadata"]["name"] = json!("operator");
    pod["spec"] = template["spec"].clone();
    [pod, only(objects, "Pod").clone()]
}

/// The arguments of the operator.
fn arguments(objects: &[Value]) -> Vec<&str> {
    let container = &only(objects, "Deployment")["spec"]["template"]["spec"]["containers"][0];
    let arguments = container["args"].as_array().unwrap().iter();
    arguments
        .map(|argument| argument.as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn helm_lint_accepts_the_chart() {
    let helm = Helm::new().unwrap();
    let folder = chart::folder();
    let folder = folder.to_string_lossy();
    helm.run(&["lint", "--strict", &folder]).await.unwrap();
}

#[tokio::test]
async fn invalid_chart_value_is_refused_and_named() {
    let helm = Helm::new().unwrap();
    for (value, named) in [
        ("watchNamespace=[\"bigip\"]", "watchNamespace"),
        ("watchNamespaces=\"bigip\"", "/watchNamespaces"),
        ("watchNamespaces=[\"Big_IP\"]", "/watchNamespaces/0"),
        ("watchAllNamespaces=\"yes\"", "/watchAllNamespaces"),
        ("operator={\"logformat\":\"json\"}", "logformat"),
        ("operator={\"logFormat\":\"xml\"}", "/operator/logFormat"),
        ("operator={\"logLevel\":\"warning\"}", "/operator/logLevel"),
        (
            "operator={\"deviceCIDRs\":[\"192.0.2.11\"]}",
            "/operator/deviceCIDRs/0",
        ),
        ("operator={\"password\":\"secret\"}", "password"),
        ("image={\"digest\":\"latest\"}", "/image/digest"),
        ("port=\"http\"", "/port"),
        ("port=70000", "/port"),
        ("replicas=3", "replicas"),
        (
            "networkPolicy={\"flavor\":\"calico\"}",
            "/networkPolicy/flavor",
        ),
        ("metrics={\"serviceMonitor\":{\"enable\":true}}", "enable"),
        (
            r#"metrics={"prometheusRule":{"overrides":{"BigIPTunnelDown":{"for":"1m"}}}}"#,
            "BigIPTunnelDown",
        ),
        (
            r#"metrics={"prometheusRule":{"overrides":{"BigIPTunnelStalled":{"threshold":1}}}}"#,
            "threshold",
        ),
        ("crds={\"kept\":false}", "kept"),
        (
            "podDisruptionBudget={\"maxUnavailable\":0}",
            "/podDisruptionBudget/maxUnavailable",
        ),
        (
            "terminationGracePeriodSeconds=5",
            "/terminationGracePeriodSeconds",
        ),
        ("test={\"image\":\"busybox\"}", "/test"),
    ] {
        let rendered = helm.render(RELEASE, "x", &[value]).await;
        let error = rendered.unwrap_err().to_string();
        assert!(
            error.contains("don't meet the specifications of the schema"),
            "{value}: {error}"
        );
        assert!(error.contains(named), "{value}: {error}");
    }
}

#[tokio::test]
async fn two_monitors_that_scrape_the_same_are_refused() {
    let both = r#"metrics={"serviceMonitor":{"enabled":true},"podMonitor":{"enabled":true}}"#;
    let rendered = Helm::new().unwrap().render(RELEASE, "x", &[both]).await;
    let error = rendered.unwrap_err().to_string();
    assert!(error.contains("enable one of them"), "{error}");
}

#[tokio::test]
async fn crd_in_the_chart_is_generated_and_outlives_a_release() {
    let objects = Helm::new()
        .unwrap()
        .render(RELEASE, "x", &[])
        .await
        .unwrap();
    let rendered = only(&objects, "CustomResourceDefinition");
    let generated = chart::objects(bigip_tunnel_crds::CRD_YAML).unwrap();
    assert_eq!(rendered["spec"], generated[0]["spec"]);
    let policy = &rendered["metadata"]["annotations"]["helm.sh/resource-policy"];
    assert_eq!(policy, "keep");
}

#[tokio::test]
async fn operator_accepts_every_argument_of_the_chart() {
    let helm = Helm::new().unwrap();
    let full = full_values("x");
    let full: Vec<&str> = full.iter().map(String::as_str).collect();
    for values in [&[][..], &full] {
        let objects = helm.render(RELEASE, "x", values).await.unwrap();
        let program = bigip_tunnel_harness::products::Product::Operator
            .path()
            .unwrap();
        // It reads all arguments before it says its version.
        let run = std::process::Command::new(program)
            .args(arguments(&objects))
            .arg("--help")
            .output();
        let run = run.unwrap();
        assert!(
            run.status.success(),
            "{}",
            String::from_utf8_lossy(&run.stderr)
        );
    }
}

#[tokio::test]
async fn other_namespaces_are_watched_unless_ignored() {
    let helm = Helm::new().unwrap();
    let covered = r#"watchNamespaces=["b","a","b-c"]"#;
    let objects = helm.render(RELEASE, "x", &[covered]).await.unwrap();
    let watches = |argument: &&str| argument.starts_with("--watch-namespace");
    assert_eq!(arguments(&objects).into_iter().find(watches), None);
    let ignoring = [covered, "ignoreOtherNamespaces=true"];
    let objects = helm.render(RELEASE, "x", &ignoring).await.unwrap();
    let named: Vec<&str> = arguments(&objects).into_iter().filter(watches).collect();
    let expected = ["a", "b", "b-c", "x"].map(|name| format!("--watch-namespace={name}"));
    assert_eq!(named, expected);
}

/// Applies an object without storing it; unknown and doubled fields are errors.
async fn try_apply(client: &Client, object: &Value) -> Result<DynamicObject, kube::Error> {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str);
    let (group, version) = text("/apiVersion")
        .unwrap()
        .rsplit_once('/')
        .unwrap_or_default();
    let version = if group.is_empty() { "v1" } else { version };
    let kind = GroupVersionKind::gvk(group, version, text("/kind").unwrap());
    let (resource, capabilities) = pinned_kind(client, &kind).await?;
    let api: Api<DynamicObject> = match (&capabilities.scope, text("/metadata/namespace")) {
        (Scope::Namespaced, namespace) => {
            Api::namespaced_with(client.clone(), namespace.unwrap(), &resource)
        }
        (Scope::Cluster, None) => Api::all_with(client.clone(), &resource),
        (Scope::Cluster, Some(_)) => panic!("a namespace where there is none: {object}"),
    };
    let params = PatchParams {
        dry_run: true,
        ..PatchParams::apply("chart-test")
            .force()
            .validation(ValidationDirective::Strict)
    };
    api.patch(
        text("/metadata/name").unwrap(),
        &params,
        &Patch::Apply(object),
    )
    .await
}

/// Makes the API server know the resources of others that the chart can have objects of.
async fn install_definitions(client: &Client) {
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    for yaml in definitions::of_others(&to_stderr).unwrap() {
        let definition = chart::objects(&yaml).unwrap().remove(0);
        let definition: CustomResourceDefinition = serde_json::from_value(definition).unwrap();
        api.create(&PostParams::default(), &definition)
            .await
            .unwrap();
        let names = &definition.spec;
        let version = names
            .versions
            .iter()
            .find(|version| version.served)
            .unwrap();
        let kind = GroupVersionKind::gvk(&names.group, &version.name, &names.names.kind);
        let served = eventually(
            format!("{kind:?} served"),
            LIMIT,
            async || match pinned_kind(client, &kind).await {
                Ok(_) => Answer::Done(()),
                Err(error) => Answer::NotYet(error.to_string()),
            },
        );
        served.await.unwrap();
    }
}

#[tokio::test]
async fn api_server_accepts_the_chart_with_any_values() {
    let client = ControlPlane::shared().unwrap().client().await.unwrap();
    let namespace = "chart-render";
    for name in [namespace, "chart-render-other"] {
        objects::create_namespace(&client, name).await.unwrap();
    }
    install_definitions(&client).await;
    let helm = Helm::new().unwrap();
    let full = full_values(namespace);
    let full: Vec<&str> = full.iter().map(String::as_str).collect();
    let mut kinds = BTreeMap::new();
    for values in [&[][..], &full, &OTHER_VALUES] {
        for object in helm.render(RELEASE, namespace, values).await.unwrap() {
            let applied = try_apply(&client, &object).await;
            assert!(applied.is_ok(), "{applied:?}: {object}");
            *kinds
                .entry(object["kind"].as_str().unwrap().to_owned())
                .or_insert(0) += 1;
        }
    }
    for (kind, count) in [
        ("NetworkPolicy", 2),
        ("CiliumNetworkPolicy", 1),
        ("ServiceMonitor", 1),
        ("PodMonitor", 1),
    ] {
        assert_eq!(kinds.get(kind), Some(&count), "{kinds:?}");
    }
}

#[tokio::test]
async fn port_is_reached_from_pods_of_the_cluster_alone() {
    let helm = Helm::new().unwrap();
    let objects = helm.render(RELEASE, "bigip-system", &[]).await.unwrap();
    let policy = &only(&objects, "NetworkPolicy")["spec"];
    let port = json!({"port": "http", "protocol": "TCP"});
    let from_pods = json!([{"ports": [port], "from": [{"namespaceSelector": {}}]}]);
    assert_eq!(policy["policyTypes"], json!(["Ingress"]));
    assert_eq!(policy["ingress"], from_pods);
    // Of the operator's pods, at a port that they have.
    let template = &only(&objects, "Deployment")["spec"]["template"];
    let labels = template["metadata"]["labels"].as_object().unwrap();
    let selected = policy["podSelector"]["matchLabels"].as_object().unwrap();
    assert!(!selected.is_empty() && selected.iter().all(|(key, value)| labels[key] == *value));
    let ports = &template["spec"]["containers"][0]["ports"];
    assert_eq!(ports[0]["name"], "http");
    let off = [r#"networkPolicy={"ingress":false}"#];
    let objects = helm.render(RELEASE, "bigip-system", &off).await.unwrap();
    assert!(
        objects
            .iter()
            .all(|object| object["kind"] != "NetworkPolicy")
    );
}

#[tokio::test]
async fn api_server_accepts_the_manifest_without_helm() {
    let client = ControlPlane::shared().unwrap().client().await.unwrap();
    let base = paths::workspace_root().join("config/default");
    let read = |name: &str| chart::objects(&std::fs::read_to_string(base.join(name)).unwrap());
    let kustomization = read("kustomization.yaml").unwrap().remove(0);
    assert_eq!(kustomization["resources"], json!(["install.yaml"]));
    let manifest = read("install.yaml").unwrap();
    // Nothing is stored, so that its own namespace would not be there.
    let namespace = only(&manifest, "Namespace")["metadata"]["name"]
        .as_str()
        .unwrap();
    objects::create_namespace(&client, namespace).await.unwrap();
    for object in &manifest {
        let applied = try_apply(&client, object).await;
        assert!(applied.is_ok(), "{applied:?}: {object}");
        assert!(!object["metadata"].to_string().contains("helm"), "{object}");
    }
}

#[tokio::test]
async fn restricted_namespace_admits_the_pods() {
    let client = ControlPlane::shared().unwrap().client().await.unwrap();
    let namespace = "chart-restricted";
    objects::create_namespace(&client, namespace).await.unwrap();
    let enforce =
        json!({"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}});
    Api::<Namespace>::all(client.clone())
        .patch(namespace, &PatchParams::default(), &Patch::Merge(&enforce))
        .await
        .unwrap();
    let helm = Helm::new().unwrap();
    let api: Api<Pod> = Api::namespaced(client, namespace);
    let params = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    let admit = async |pod: Value| {
        api.create(&params, &serde_json::from_value(pod).unwrap())
            .await
            .map(drop)
    };
    let full = full_values(namespace);
    let mut full: Vec<&str> = full.iter().map(String::as_str).collect();
    // The priority class and the runtime class are not what this is about.
    full.extend(["priorityClassName=\"\"", "runtimeClassName=\"\""]);
    for values in [&[][..], &full] {
        for pod in pods(&helm.render(RELEASE, namespace, values).await.unwrap()) {
            admit(pod).await.unwrap();
        }
    }
    // The namespace does enforce it.
    let objects = helm
        .render(RELEASE, namespace, &["hostNetwork=true"])
        .await
        .unwrap();
    let [pod, _] = pods(&objects);
    let error = admit(pod).await.unwrap_err().to_string();
    assert!(error.contains("violates PodSecurity"), "{error}");
}

/// Tells whether there is such an object.
async fn has<K>(api: &Api<K>, name: &str) -> bool
where
    K: Clone + std::fmt::Debug + serde::de::DeserializeOwned,
{
    api.get_opt(name).await.unwrap().is_some()
}

/// Makes a tunnel in a new namespace, as soon as the resource is served.
async fn make_tunnel(client: &Client, namespace: &str) {
    objects::create_namespace(client, namespace).await.unwrap();
    let spec = json!({
        "credentialsSecretRef": {"name": "bigip-login"},
        "devices": [{"name": "bigip-a", "address": "192.0.2.11"}],
        "tunnel": {"name": "flannel_vxlan"},
    });
    let created = eventually(
        "the resource served",
        LIMIT,
        async || match objects::create_tunnel(client, namespace, "prod-east", spec.clone()).await {
            Ok(_) => Answer::Done(()),
            Err(error) => Answer::NotYet(error.to_string()),
        },
    );
    created.await.unwrap();
}

#[tokio::test]
async fn uninstalled_release_leaves_crd_and_tunnels() {
    let own = ControlPlane::start().unwrap();
    let client = own.client().await.unwrap();
    let definitions: Api<CustomResourceDefinition> = Api::all(client.clone());
    // The chart brings it.
    definitions
        .delete(DEFINITION, &DeleteParams::default())
        .await
        .unwrap();
    let gone = eventually("definition gone", LIMIT, async || {
        Answer::when(has(&definitions, DEFINITION).await, |is_there| !is_there)
    });
    gone.await.unwrap();
    let (helm, namespace) = (Helm::on(own.kubeconfig()).unwrap(), "bigip-system");
    let folder = chart::folder();
    let folder = folder.to_string_lossy();
    let install = [
        "install",
        RELEASE,
        &folder,
        "--namespace",
        namespace,
        "--create-namespace",
    ];
    let notes = helm.run(&install).await.unwrap();
    assert!(
        notes.contains("kubectl create secret generic bigip-login -n bigip-system"),
        "{notes}"
    );
    let deployments: Api<Deployment> = Api::namespaced(client.clone(), namespace);
    let roles: Api<Role> = Api::namespaced(client.clone(), "bigip");
    assert!(has(&deployments, FULL_NAME).await);

    make_tunnel(&client, "bigip").await;

    let leases: Api<Lease> = Api::namespaced(client.clone(), namespace);
    let taken =
        Patch::Merge(json!({"spec": {"holderIdentity": "operator-1", "leaseDurationSeconds": 15}}));
    let manager = PatchParams::default();
    leases.patch(FULL_NAME, &manager, &taken).await.unwrap();

    let upgrade = ["upgrade", RELEASE, &folder, "--namespace", namespace];
    let wider = ["--set-json", r#"watchNamespaces=["bigip"]"#];
    helm.run(&[&upgrade[..], &wider].concat()).await.unwrap();
    let role = "tunnels-bigip-tunnel-operator-credentials";
    assert!(has(&roles, role).await);
    helm.run(&[&upgrade[..], &["--reset-values"]].concat())
        .await
        .unwrap();
    assert!(!has(&roles, role).await);

    // An upgrade takes the lease from nobody.
    let lease = leases
        .get(FULL_NAME)
        .await
        .unwrap()
        .spec
        .unwrap_or_default();
    assert_eq!(lease.holder_identity.as_deref(), Some("operator-1"));
    assert_eq!(lease.lease_duration_seconds, Some(15));

    let mut beside = vec!["install", "tunnels-b", &folder, "--namespace", "team-b"];
    beside.extend(["--create-namespace", "--set=ignoreOtherNamespaces=true"]);
    helm.run(&[&beside[..], &["--set=crds.enabled=false"]].concat())
        .await
        .unwrap();

    let uninstall = ["uninstall", RELEASE, "--namespace", namespace];
    helm.run(&uninstall).await.unwrap();
    assert!(!has(&deployments, FULL_NAME).await);
    assert!(has(&definitions, DEFINITION).await);
    assert!(has(&objects::tunnels(&client, "bigip"), "prod-east").await);
    // And what was left is taken up again.
    helm.run(&install).await.unwrap();
    assert!(has(&deployments, FULL_NAME).await);
}
