//! The rights that the chart gives: enough for the operator as a process, and no more; and what they let
//! people do.

use std::time::Duration;

use bigip_tunnel_harness::account::Login;
use bigip_tunnel_harness::chart::{self, Helm};
use bigip_tunnel_harness::control_plane::{self, ControlPlane};
use bigip_tunnel_harness::objects;
use bigip_tunnel_harness::wait::{Answer, eventually};
use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec,
};
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, RoleRef, Subject};
use kube::api::{ListParams, PostParams};
use kube::{Api, Client};

use crate::world::{
    NAME, NEW_NODE, NEW_RECORD, RECORD_1, RECORD_2, RECORD_3, TUNNEL_PATH, World, condition,
};

/// How long the API server may take to learn of a right; usual are some milliseconds.
const LIMIT: Duration = Duration::from_secs(30);

/// Installs a release of this name, and no resource definition: the API server has it. Returns the name
/// of everything that it makes.
pub(crate) async fn install(release: &str, namespace: &str, values: &[&str]) -> String {
    helm(&["install", release], namespace, values).await;
    format!("{release}-bigip-tunnel-operator")
}

async fn helm(action: &[&str], namespace: &str, values: &[&str]) {
    let kubeconfig = ControlPlane::shared().unwrap().kubeconfig();
    let folder = chart::folder();
    let folder = folder.to_string_lossy();
    let mut args = action.to_vec();
    args.extend([&folder, "--namespace", namespace]);
    for value in ["crds={\"enabled\":false}"].iter().chain(values) {
        args.extend(["--set-json", value]);
    }
    Helm::on(kubeconfig).unwrap().run(&args).await.unwrap();
}

#[tokio::test]
async fn chart_permissions_suffice_for_a_tunnel_lifecycle() {
    let mut world = World::new("chart-life").await;
    let account = install("chart-life", &world.name, &[]).await;
    let namespace = world.name.clone();
    let _login = world.run_operator_as(&namespace, &account).await;
    let world = world.into_sync().await;
    world.create_node(NEW_NODE).await;
    world
        .until_records(&[RECORD_1, RECORD_2, RECORD_3, NEW_RECORD])
        .await;
    world.delete_node("1").await;
    world.until_records(&[RECORD_2, RECORD_3, NEW_RECORD]).await;
    world.delete(NAME).await;
    world.until_gone(NAME).await;
    for unit in world.devices.units() {
        assert!(unit.records(TUNNEL_PATH).is_empty());
    }
    let refused = |line: &String| line.contains("orbidden") || line.contains("may not");
    assert_eq!(world.operator_log().into_iter().find(refused), None);
}

#[tokio::test]
async fn inaccessible_secret_is_reported_with_the_chart_value() {
    let mut world = World::new("chart-reach").await;
    let system = "chart-reach-system";
    objects::create_namespace(&world.client, system)
        .await
        .unwrap();
    let account = install("chart-reach", system, &[]).await;
    let _login = world.run_operator_as(system, &account).await;
    world.create_nodes().await;
    world.start_operator().await;
    world.create(world.spec()).await;
    let status = world.until_reason("SecretForbidden").await;
    let message = &condition(&status.conditions, "Ready").message;
    assert!(
        message.contains("add chart-reach to the value watchNamespaces"),
        "{message}"
    );
    let watched = r#"watchNamespaces=["chart-reach"]"#;
    helm(&["upgrade", "chart-reach"], system, &[watched]).await;
    world.reconcile().await;
    world.until_ready().await;
}

/// A right: verb, group, resource, name, namespace; empty is none or all.
pub(crate) type Right = (
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    &'static str,
);

/// Whether a user has a right.
async fn may(client: &Client, user: &str, right: Right) -> bool {
    let (verb, group, resource, name, namespace) = right;
    let text = |text: &str| Some(text.to_owned());
    let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
    let review = SubjectAccessReview {
        spec: SubjectAccessReviewSpec {
            user: text(user),
            groups: Some(vec!["system:authenticated".to_owned()]),
            resource_attributes: Some(ResourceAttributes {
                verb: text(verb),
                group: text(group),
                resource: text(resource),
                subresource: text(subresource),
                name: text(name),
                namespace: text(namespace),
                ..ResourceAttributes::default()
            }),
            ..SubjectAccessReviewSpec::default()
        },
        ..SubjectAccessReview::default()
    };
    let api: Api<SubjectAccessReview> = Api::all(client.clone());
    let answer = api.create(&PostParams::default(), &review).await.unwrap();
    answer.status.unwrap().allowed
}

/// Waits until the API server has learned of a right, which it does a moment after it was given.
pub(crate) async fn until_may(client: &Client, user: &str, right: Right) {
    let learned = eventually(format!("{user}: {right:?}"), LIMIT, async || {
        Answer::when(may(client, user, right).await, |allowed| *allowed)
    });
    learned.await.unwrap();
}

const OURS: &str = "bigip-tunnel.dev";
const DEFINITION: &str = "bigiptunnels.bigip-tunnel.dev";

/// What the operator needs, in the namespace of its release.
const NEEDED: [Right; 30] = [
    ("get", "", "nodes", "any", ""),
    ("list", "", "nodes", "", ""),
    ("watch", "", "nodes", "", ""),
    ("get", "cilium.io", "ciliumnodes", "any", ""),
    ("list", "cilium.io", "ciliumnodes", "", ""),
    ("watch", "cilium.io", "ciliumnodes", "", ""),
    ("list", "", "configmaps", "cilium-config", "kube-system"),
    ("watch", "", "configmaps", "cilium-config", "kube-system"),
    ("list", "", "pods", "", "kube-system"),
    ("watch", "", "pods", "", "kube-system"),
    ("list", "cilium.io", "ciliumnodeconfigs", "", "kube-system"),
    ("watch", "cilium.io", "ciliumnodeconfigs", "", "kube-system"),
    ("list", "cilium.io", "ciliumvtepconfigs", "", ""),
    ("watch", "cilium.io", "ciliumvtepconfigs", "", ""),
    ("list", "cilium.io", "ciliumvtepnodeconfigs", "", ""),
    ("watch", "cilium.io", "ciliumvtepnodeconfigs", "", ""),
    ("get", OURS, "bigiptunnels", "any", "elsewhere"),
    ("list", OURS, "bigiptunnels", "", ""),
    ("watch", OURS, "bigiptunnels", "", ""),
    ("patch", OURS, "bigiptunnels", "any", "elsewhere"),
    ("patch", OURS, "bigiptunnels/status", "any", "elsewhere"),
    ("update", OURS, "bigiptunnels/status", "any", "elsewhere"),
    ("create", "events.k8s.io", "events", "", "elsewhere"),
    ("patch", "events.k8s.io", "events", "any", "elsewhere"),
    (
        "get",
        "apiextensions.k8s.io",
        "customresourcedefinitions",
        DEFINITION,
        "",
    ),
    ("get", "", "secrets", "any", "chart-table"),
    ("get", "", "configmaps", "any", "chart-table"),
    ("get", "", "configmaps", "any", "chart-table-more"),
    (
        "get",
        "coordination.k8s.io",
        "leases",
        "chart-table-bigip-tunnel-operator",
        "chart-table",
    ),
    (
        "update",
        "coordination.k8s.io",
        "leases",
        "chart-table-bigip-tunnel-operator",
        "chart-table",
    ),
];

/// What whoever took the operator over would try.
const FORBIDDEN: [Right; 49] = [
    ("list", "", "secrets", "", "chart-table"),
    ("watch", "", "secrets", "", "chart-table"),
    ("create", "", "secrets", "", "chart-table"),
    ("update", "", "secrets", "any", "chart-table"),
    ("patch", "", "secrets", "any", "chart-table"),
    ("delete", "", "secrets", "any", "chart-table"),
    ("get", "", "secrets", "any", "kube-system"),
    ("list", "", "secrets", "", ""),
    ("list", "", "configmaps", "", "chart-table"),
    ("update", "", "configmaps", "any", "chart-table"),
    ("get", "", "configmaps", "any", "kube-system"),
    ("update", "", "nodes", "any", ""),
    ("patch", "", "nodes", "any", ""),
    ("patch", "", "nodes/status", "any", ""),
    ("delete", "", "nodes", "any", ""),
    ("get", "", "nodes/proxy", "any", ""),
    ("get", "", "pods", "any", "chart-table"),
    ("create", "", "pods", "", "chart-table"),
    ("create", "", "pods/exec", "any", "chart-table"),
    ("create", "apps", "deployments", "", "chart-table"),
    ("patch", "apps", "deployments", "any", "chart-table"),
    ("get", "", "namespaces", "any", ""),
    ("list", "", "namespaces", "", ""),
    ("create", "", "serviceaccounts/token", "any", "chart-table"),
    ("impersonate", "", "users", "admin", ""),
    (
        "create",
        "rbac.authorization.k8s.io",
        "clusterrolebindings",
        "",
        "",
    ),
    (
        "escalate",
        "rbac.authorization.k8s.io",
        "clusterroles",
        "any",
        "",
    ),
    (
        "bind",
        "rbac.authorization.k8s.io",
        "clusterroles",
        "any",
        "",
    ),
    ("list", "events.k8s.io", "events", "", "chart-table"),
    ("delete", "events.k8s.io", "events", "any", "chart-table"),
    ("create", "", "events", "", "chart-table"),
    ("create", OURS, "bigiptunnels", "", "chart-table"),
    ("update", OURS, "bigiptunnels", "any", "chart-table"),
    ("delete", OURS, "bigiptunnels", "any", "chart-table"),
    ("patch", "cilium.io", "ciliumnodes", "any", ""),
    ("patch", "cilium.io", "ciliumvtepconfigs", "any", ""),
    ("create", "cilium.io", "ciliumvtepconfigs", "", ""),
    ("patch", "", "configmaps", "cilium-config", "kube-system"),
    ("list", "", "configmaps", "", "kube-system"),
    ("delete", "", "pods", "any", "kube-system"),
    ("create", "", "pods/exec", "any", "kube-system"),
    ("list", "", "pods", "", ""),
    (
        "get",
        "apiextensions.k8s.io",
        "customresourcedefinitions",
        "others.example.com",
        "",
    ),
    (
        "delete",
        "apiextensions.k8s.io",
        "customresourcedefinitions",
        DEFINITION,
        "",
    ),
    (
        "patch",
        "apiextensions.k8s.io",
        "customresourcedefinitions",
        DEFINITION,
        "",
    ),
    ("create", "coordination.k8s.io", "leases", "", "chart-table"),
    (
        "update",
        "coordination.k8s.io",
        "leases",
        "other",
        "chart-table",
    ),
    (
        "patch",
        "coordination.k8s.io",
        "leases",
        "chart-table-bigip-tunnel-operator",
        "chart-table",
    ),
    ("list", "coordination.k8s.io", "leases", "", "chart-table"),
];

/// A release of this name in a namespace of the same name. Returns the name that the API server has for
/// its account.
async fn account(client: &Client, release: &str, values: &[&str]) -> String {
    objects::create_namespace(client, release).await.unwrap();
    let name = install(release, release, values).await;
    format!("system:serviceaccount:{release}:{name}")
}

#[tokio::test]
async fn operator_has_the_needed_permissions_only() {
    let client = ControlPlane::shared().unwrap().client().await.unwrap();
    objects::create_namespace(&client, "chart-table-more")
        .await
        .unwrap();
    let watched = r#"watchNamespaces=["chart-table-more"]"#;
    let user = account(&client, "chart-table", &[watched]).await;
    for right in NEEDED {
        until_may(&client, &user, right).await;
    }
    for right in FORBIDDEN {
        assert!(!may(&client, &user, right).await, "{right:?}");
    }
}

#[tokio::test]
async fn login_secret_is_readable_by_name_but_not_listable() {
    let control_plane = ControlPlane::shared().unwrap();
    let client = control_plane.client().await.unwrap();
    let namespace = "chart-list";
    objects::create_namespace(&client, namespace).await.unwrap();
    let name = install(namespace, namespace, &[]).await;
    let login = Login::of(&client, control_plane.kubeconfig(), namespace, &name).await;
    let login = login.unwrap();
    let restricted = control_plane::client(&login.kubeconfig()).await.unwrap();
    let user = format!("system:serviceaccount:{namespace}:{name}");
    let reads = ("get", "", "secrets", "bigip-login", "chart-list");
    until_may(&client, &user, reads).await;
    let secrets: Api<Secret> = Api::namespaced(restricted.clone(), namespace);
    assert_eq!(secrets.get_opt("bigip-login").await.unwrap(), None);
    let listed = secrets.list(&ListParams::default()).await;
    assert!(listed.unwrap_err().to_string().contains("forbidden"));
    let elsewhere: Api<Secret> = Api::namespaced(restricted, "default");
    let got = elsewhere.get_opt("bigip-login").await;
    assert!(got.unwrap_err().to_string().contains("forbidden"));
}

#[tokio::test]
async fn all_namespaces_are_readable_only_if_enabled() {
    let client = ControlPlane::shared().unwrap().client().await.unwrap();
    let user = account(&client, "chart-wide", &["watchAllNamespaces=true"]).await;
    let reads = ("get", "", "secrets", "any", "kube-system");
    until_may(&client, &user, reads).await;
    for forbidden in [
        ("list", "", "secrets", "", "kube-system"),
        ("list", "", "secrets", "", ""),
        ("update", "", "secrets", "any", "kube-system"),
    ] {
        assert!(!may(&client, &user, forbidden).await, "{forbidden:?}");
    }
}

#[tokio::test]
async fn view_and_edit_roles_may_not_write_claims() {
    let client = ControlPlane::shared().unwrap().client().await.unwrap();
    objects::create_namespace(&client, "chart-people")
        .await
        .unwrap();
    let name = install("chart-people", "chart-people", &[]).await;
    // The cluster's own controller would put the rules into these.
    let roles: Api<ClusterRole> = Api::all(client.clone());
    for (role, aggregated) in [("view", "view edit admin"), ("edit", "edit admin")] {
        let labels = roles.get(&format!("{name}-{role}")).await.unwrap();
        let labels = labels.metadata.labels.unwrap_or_default();
        for to in ["view", "edit", "admin"] {
            let label = format!("rbac.authorization.k8s.io/aggregate-to-{to}");
            assert_eq!(
                labels.contains_key(&label),
                aggregated.contains(to),
                "{role} {to}"
            );
        }
        bind(
            &client,
            &format!("{name}-{role}"),
            &format!("chart-people-{role}"),
        )
        .await;
    }
    let right = |verb, resource| (verb, OURS, resource, "any", "default");
    for (user, verb, resource, allowed) in [
        ("chart-people-view", "get", "bigiptunnels", true),
        ("chart-people-view", "watch", "bigiptunnels", true),
        ("chart-people-view", "patch", "bigiptunnels", false),
        ("chart-people-edit", "create", "bigiptunnels", true),
        ("chart-people-edit", "patch", "bigiptunnels", true),
        ("chart-people-edit", "delete", "bigiptunnels", true),
        ("chart-people-edit", "patch", "bigiptunnels/status", false),
        ("chart-people-edit", "update", "bigiptunnels/status", false),
        ("chart-people-view", "patch", "bigiptunnels/status", false),
    ] {
        if allowed {
            until_may(&client, user, right(verb, resource)).await;
        } else {
            let answer = may(&client, user, right(verb, resource)).await;
            assert!(!answer, "{user} {verb} {resource}");
        }
    }
}

/// Gives a cluster role to a user.
pub(crate) async fn bind(client: &Client, role: &str, user: &str) {
    let binding = ClusterRoleBinding {
        metadata: objects::named(&format!("{role}:{user}")),
        role_ref: RoleRef {
            api_group: "rbac.authorization.k8s.io".to_owned(),
            kind: "ClusterRole".to_owned(),
            name: role.to_owned(),
        },
        subjects: Some(vec![Subject {
            api_group: Some("rbac.authorization.k8s.io".to_owned()),
            kind: "User".to_owned(),
            name: user.to_owned(),
            namespace: None,
        }]),
    };
    let api = Api::all(client.clone());
    api.create(&PostParams::default(), &binding).await.unwrap();
}
