//! The admission policy of the chart: who may edit a tunnel may not decide everything about it.

use std::time::Duration;

use bigip_tunnel_crds::{
    ANNOTATION_ACCEPT_DEVICE, ANNOTATION_APPROVE_REMOVAL, ANNOTATION_PAUSED, ANNOTATION_RELEASE,
};
use bigip_tunnel_harness::account::Login;
use bigip_tunnel_harness::control_plane::{self, ControlPlane};
use bigip_tunnel_harness::objects;
use bigip_tunnel_harness::wait::{Answer, eventually};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::Client;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use crate::chart_rights::{bind, install, until_may};
use crate::world::NAME;

/// How long the API server may take to go by a new policy.
const LIMIT: Duration = Duration::from_secs(60);

/// One who may edit tunnels, and one who may approve as well, under the policy.
struct People {
    namespace: String,
    editor: Client,
    approver: Client,
    _logins: [Login; 2],
}

impl People {
    async fn new(name: &str) -> Self {
        let control_plane = ControlPlane::shared().unwrap();
        let admin = control_plane.client().await.unwrap();
        objects::create_namespace(&admin, name).await.unwrap();
        let all = install(name, name, &["admissionPolicies={\"enabled\":true}"]).await;
        let login = async |person: &str, roles: &[&str]| {
            let account = ServiceAccount {
                metadata: objects::named(person),
                ..ServiceAccount::default()
            };
            let accounts = kube::Api::namespaced(admin.clone(), name);
            accounts
                .create(&PostParams::default(), &account)
                .await
                .unwrap();
            let user = format!("system:serviceaccount:{name}:{person}");
            for role in roles {
                bind(&admin, &format!("{all}-{role}"), &user).await;
            }
            let verb = if roles.contains(&"approve") {
                "approve"
            } else {
                "patch"
            };
            until_may(
                &admin,
                &user,
                (verb, "bigip-tunnel.dev", "bigiptunnels", NAME, "default"),
            )
            .await;
            Login::of(&admin, control_plane.kubeconfig(), name, person)
                .await
                .unwrap()
        };
        let logins = [
            login("editor", &["view", "edit"]).await,
            login("approver", &["view", "edit", "approve"]).await,
        ];
        let client =
            async |login: &Login| control_plane::client(&login.kubeconfig()).await.unwrap();
        let people = Self {
            namespace: name.to_owned(),
            editor: client(&logins[0]).await,
            approver: client(&logins[1]).await,
            _logins: logins,
        };
        people.until_policy().await;
        people
    }

    /// Waits until the API server goes by the policy.
    async fn until_policy(&self) {
        let in_force = eventually("the policy", LIMIT, async || {
            let annotations = json!({ANNOTATION_RELEASE: "all"});
            let created = self.create(&self.editor, "probe", &annotations, json!({}));
            if let Err(error) = created.await {
                return Answer::when(error, |error| error.contains("needs the right"));
            }
            let tunnels = objects::tunnels(&self.approver, &self.namespace);
            let params = DeleteParams::default();
            tunnels.delete("probe", &params).await.unwrap();
            Answer::NotYet("accepted".to_owned())
        });
        in_force.await.unwrap();
    }

    /// Makes a tunnel with these annotations, and these fields in its spec.
    async fn create(
        &self,
        client: &Client,
        name: &str,
        annotations: &Value,
        fields: Value,
    ) -> Result<(), String> {
        let mut spec = json!({
            "credentialsSecretRef": {"name": "bigip-login"},
            "devices": [{"name": "bigip-a", "address": "192.0.2.11"}],
            "tunnel": {"name": "flannel_vxlan"},
        });
        let fields = fields.as_object().unwrap().clone();
        spec.as_object_mut().unwrap().extend(fields);
        let object = json!({
            "apiVersion": "bigip-tunnel.dev/v1alpha1",
            "kind": "BigIpTunnel",
            "metadata": {"name": name, "annotations": annotations},
            "spec": spec,
        });
        let object = serde_json::from_value(object).unwrap();
        let tunnels = objects::tunnels(client, &self.namespace);
        let created = tunnels.create(&PostParams::default(), &object).await;
        created.map(drop).map_err(|error| error.to_string())
    }

    /// Changes the tunnel of the usual name.
    async fn patch(&self, client: &Client, patch: Value) -> Result<(), String> {
        let tunnels = objects::tunnels(client, &self.namespace);
        let (params, patch) = (PatchParams::default(), Patch::Merge(patch));
        let patched = tunnels.patch(NAME, &params, &patch).await;
        patched.map(drop).map_err(|error| error.to_string())
    }
}

fn annotated(name: &str, value: &str) -> Value {
    json!({"metadata": {"annotations": {name: value}}})
}

#[tokio::test]
async fn decisions_need_the_approve_permission_but_edits_do_not() {
    let people = People::new("policy-decisions").await;
    let (editor, approver) = (&people.editor, &people.approver);
    people
        .create(approver, NAME, &json!({}), json!({}))
        .await
        .unwrap();
    let suspend = json!({"spec": {"suspend": true}});
    for edit in [suspend.clone(), annotated(ANNOTATION_PAUSED, "true")] {
        people.patch(editor, edit).await.unwrap();
    }
    let decisions = [
        ANNOTATION_RELEASE,
        ANNOTATION_APPROVE_REMOVAL,
        ANNOTATION_ACCEPT_DEVICE,
    ];
    for annotation in decisions {
        let decision = annotated(annotation, "x");
        let refusal = people.patch(editor, decision.clone()).await.unwrap_err();
        assert!(
            refusal.contains(&format!("setting {annotation} needs the right")),
            "{refusal}"
        );
        let refusal = people
            .create(editor, "born", &json!({annotation: "x"}), json!({}))
            .await;
        assert!(refusal.unwrap_err().contains("needs the right"));
        people.patch(approver, decision).await.unwrap();
    }
    // What was decided stands in nobody's way, and is not changed by the way.
    people
        .patch(editor, json!({"spec": {"suspend": false}}))
        .await
        .unwrap();
    let refusal = people
        .patch(editor, annotated(ANNOTATION_RELEASE, "y"))
        .await;
    assert!(refusal.unwrap_err().contains("needs the right"));
    let withdrawn = json!({"metadata": {"annotations": {ANNOTATION_RELEASE: null}}});
    people.patch(editor, withdrawn).await.unwrap();
}

#[tokio::test]
async fn new_destination_of_a_password_needs_the_right_to_approve() {
    const REFUSAL: &str = "a new destination of a password";
    let people = People::new("policy-destination").await;
    let (editor, approver) = (&people.editor, &people.approver);
    let created = people.create(editor, NAME, &json!({}), json!({})).await;
    assert!(created.unwrap_err().contains(REFUSAL));
    people
        .create(approver, NAME, &json!({}), json!({}))
        .await
        .unwrap();
    let device = |fields: Value| {
        let mut device = json!({"name": "bigip-a", "address": "192.0.2.11"});
        let fields = fields.as_object().unwrap().clone();
        device.as_object_mut().unwrap().extend(fields);
        json!({"spec": {"devices": [device]}})
    };
    let pin = json!({"verification": "Pinned", "sha256Fingerprints": ["ab".repeat(32)]});
    let elsewhere = [
        device(json!({"address": "198.51.100.1"})),
        // The own host of the one who edits, with its own certificate pinned.
        device(json!({"address": "198.51.100.1", "tls": pin})),
        device(json!({"port": 8443})),
        device(json!({"tls": {"verification": "None"}})),
        device(json!({"tls": {"serverName": "other"}})),
        device(json!({"credentialsSecretRef": {"name": "other"}})),
        json!({"spec": {"tls": {"verification": "None"}}}),
        json!({"spec": {"tls": pin}}),
        json!({"spec": {"credentialsSecretRef": {"name": "other"}}}),
    ];
    for edit in &elsewhere {
        let refusal = people.patch(editor, edit.clone()).await.unwrap_err();
        assert!(refusal.contains(REFUSAL), "{edit}: {refusal}");
    }
    let named = json!({"name": "renamed"});
    for edit in [device(named), json!({"spec": {"suspend": true}})] {
        people.patch(editor, edit).await.unwrap();
    }
    for edit in elsewhere {
        people.patch(approver, edit.clone()).await.unwrap();
        // What was approved is in the way of no other edit.
        people
            .patch(editor, json!({"spec": {"suspend": false}}))
            .await
            .unwrap();
        people
            .patch(editor, json!({"spec": {"suspend": true}}))
            .await
            .unwrap();
    }
}
