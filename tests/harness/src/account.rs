//! Service accounts, for programs that shall not have all rights: one with rights of its own, and the
//! login of any.
//!
//! It must not know which rights the product needs.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use k8s_openapi::api::authentication::v1::TokenRequest;
use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec,
};
use k8s_openapi::api::core::v1::ServiceAccount;
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, PolicyRule, RoleRef, Subject};
use kube::api::{ObjectMeta, Patch, PatchParams, PostParams};
use kube::config::{Kubeconfig, KubeconfigError};
use kube::{Api, Client};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::wait::{Answer, Timeout, eventually};

/// Name of the account in its namespace.
const NAME: &str = "restricted";
/// A resource that there is not.
const MARKED: &str = "marks";
/// How long the API server may take to learn of new rights; usual are some milliseconds.
const LIMIT: Duration = Duration::from_secs(30);

/// Why there is no account.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// The API server refuses it.
    #[error("the API server refuses the account: {0}")]
    Refused(#[from] kube::Error),
    /// The API server gives it no token.
    #[error("the API server gave the account no token")]
    NoToken,
    /// The kubeconfig to start from cannot be read.
    #[error("cannot read the kubeconfig: {0}")]
    Kubeconfig(#[from] KubeconfigError),
    /// Its kubeconfig cannot be made.
    #[error("cannot write the kubeconfig: {0}")]
    Write(#[from] io::Error),
    /// Its kubeconfig cannot be rendered.
    #[error("cannot render the kubeconfig: {0}")]
    Render(#[from] serde_json::Error),
    /// The API server does not go by its new rights.
    #[error(transparent)]
    Late(#[from] Timeout),
}

/// A kubeconfig with the rights of a service account. The file goes with this value.
#[derive(Debug)]
pub struct Login {
    folder: TempDir,
}

impl Login {
    /// Gets a token of this account. `admin` is a kubeconfig with all rights.
    pub async fn of(
        client: &Client,
        admin: &Path,
        namespace: &str,
        name: &str,
    ) -> Result<Self, AccountError> {
        let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), namespace);
        let request = accounts
            .create_token_request(name, &PostParams::default(), &TokenRequest::default())
            .await?;
        let token = request.status.ok_or(AccountError::NoToken)?.token;
        let folder = tempfile::Builder::new()
            .prefix("bigip-tunnel-account-")
            .tempdir()?;
        let login = Self { folder };
        write_kubeconfig(admin, &token, &login.kubeconfig())?;
        Ok(login)
    }

    /// The kubeconfig.
    pub fn kubeconfig(&self) -> PathBuf {
        self.folder.path().join("kubeconfig")
    }
}

/// A service account with rights of its own. Its kubeconfig goes with this value.
#[derive(Debug)]
pub struct Account {
    roles: Api<ClusterRole>,
    reviews: Api<SubjectAccessReview>,
    role: String,
    /// Name under which the API server knows it.
    user: String,
    changes: AtomicU32,
    login: Login,
}

/// A rule that allows these verbs on these resources of an API group.
pub fn rule(group: &str, resources: &[&str], verbs: &[&str]) -> PolicyRule {
    let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    PolicyRule {
        api_groups: Some(vec![group.to_owned()]),
        resources: Some(owned(resources)),
        verbs: owned(verbs),
        ..PolicyRule::default()
    }
}

impl Account {
    /// Makes an account that may do nothing. `admin` is a kubeconfig with all rights.
    pub async fn create(
        client: &Client,
        admin: &Path,
        namespace: &str,
    ) -> Result<Self, AccountError> {
        let role = format!("{namespace}-{NAME}");
        let named = |name: &str| ObjectMeta {
            name: Some(name.to_owned()),
            ..ObjectMeta::default()
        };
        let params = PostParams::default();
        let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), namespace);
        let account = ServiceAccount {
            metadata: named(NAME),
            ..ServiceAccount::default()
        };
        accounts.create(&params, &account).await?;
        let roles: Api<ClusterRole> = Api::all(client.clone());
        let nothing = ClusterRole {
            metadata: named(&role),
            ..ClusterRole::default()
        };
        roles.create(&params, &nothing).await?;
        let binding = ClusterRoleBinding {
            metadata: named(&role),
            role_ref: RoleRef {
                api_group: "rbac.authorization.k8s.io".to_owned(),
                kind: "ClusterRole".to_owned(),
                name: role.clone(),
            },
            subjects: Some(vec![Subject {
                kind: "ServiceAccount".to_owned(),
                name: NAME.to_owned(),
                namespace: Some(namespace.to_owned()),
                ..Subject::default()
            }]),
        };
        Api::all(client.clone()).create(&params, &binding).await?;
        let login = Login::of(client, admin, namespace, NAME).await?;
        Ok(Self {
            roles,
            reviews: Api::all(client.clone()),
            role,
            user: format!("system:serviceaccount:{namespace}:{NAME}"),
            changes: AtomicU32::new(0),
            login,
        })
    }

    /// A kubeconfig with the rights of this account.
    pub fn kubeconfig(&self) -> PathBuf {
        self.login.kubeconfig()
    }

    /// Replaces its rights, and waits until the API server goes by the new ones: it learns of them a
    /// moment later.
    pub async fn allow(&self, rules: &[PolicyRule]) -> Result<(), AccountError> {
        // A right that nobody uses, and no earlier rules had.
        let mark = format!("mark-{}", self.changes.fetch_add(1, Ordering::Relaxed));
        let mut rules = rules.to_vec();
        rules.push(rule("", &[MARKED], &[&mark]));
        let patch = Patch::Merge(json!({ "rules": rules }));
        self.roles
            .patch(&self.role, &PatchParams::default(), &patch)
            .await?;
        let known = eventually("the new rights", LIMIT, async || {
            match self.may(&mark, MARKED).await {
                Ok(true) => Answer::Done(()),
                Ok(false) => Answer::NotYet("the old rights".to_owned()),
                Err(error) => Answer::NotYet(error.to_string()),
            }
        });
        Ok(known.await?)
    }

    async fn may(&self, verb: &str, resource: &str) -> Result<bool, kube::Error> {
        let review = SubjectAccessReview {
            spec: SubjectAccessReviewSpec {
                user: Some(self.user.clone()),
                resource_attributes: Some(ResourceAttributes {
                    verb: Some(verb.to_owned()),
                    resource: Some(resource.to_owned()),
                    ..ResourceAttributes::default()
                }),
                ..SubjectAccessReviewSpec::default()
            },
            ..SubjectAccessReview::default()
        };
        let answer = self.reviews.create(&PostParams::default(), &review).await?;
        Ok(answer.status.is_some_and(|status| status.allowed))
    }
}

/// The same cluster with another login. The folder is readable by its owner only.
fn write_kubeconfig(admin: &Path, token: &str, path: &Path) -> Result<(), AccountError> {
    let mut config = serde_json::to_value(Kubeconfig::read_from(admin)?)?;
    let users = config.get_mut("users").and_then(Value::as_array_mut);
    for user in users.into_iter().flatten().filter_map(Value::as_object_mut) {
        user.insert("user".to_owned(), json!({ "token": token }));
    }
    std::fs::write(path, serde_json::to_string(&config)?)?;
    Ok(())
}
