//! What the person who asks may do, as the API server tells everybody about themselves.

use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec,
};
use kube::Api;
use kube::api::PostParams;

use super::Cluster;
use crate::error::Error;
use crate::report::check::evidence::RightSeen;

/// What an installation creates: group, resource, and whether it is in the operator's namespace.
const INSTALLED: [(&str, &str, bool); 7] = [
    ("apiextensions.k8s.io", "customresourcedefinitions", false),
    ("rbac.authorization.k8s.io", "clusterroles", false),
    ("rbac.authorization.k8s.io", "clusterrolebindings", false),
    ("rbac.authorization.k8s.io", "roles", true),
    ("rbac.authorization.k8s.io", "rolebindings", true),
    ("", "serviceaccounts", true),
    ("apps", "deployments", true),
];

impl Cluster {
    /// The rights that an installation in the current namespace needs.
    pub(crate) async fn rights_to_install(&self) -> Result<Vec<RightSeen>, Error> {
        let mut rights = Vec::new();
        for (group, resource, is_namespaced) in INSTALLED {
            let namespace = is_namespaced.then(|| self.namespace.clone());
            let place = namespace.as_ref().map(|name| format!(" in {name}"));
            rights.push(RightSeen {
                what: format!("create {resource}{}", place.unwrap_or_default()),
                is_granted: self.may_create(group, resource, namespace).await?,
            });
        }
        Ok(rights)
    }

    async fn may_create(
        &self,
        group: &str,
        resource: &str,
        namespace: Option<String>,
    ) -> Result<bool, Error> {
        let review = SelfSubjectAccessReview {
            spec: SelfSubjectAccessReviewSpec {
                resource_attributes: Some(ResourceAttributes {
                    verb: Some("create".to_owned()),
                    group: Some(group.to_owned()),
                    resource: Some(resource.to_owned()),
                    namespace,
                    ..ResourceAttributes::default()
                }),
                ..SelfSubjectAccessReviewSpec::default()
            },
            ..SelfSubjectAccessReview::default()
        };
        let api = Api::all(self.client.clone());
        let params = PostParams::default();
        let asked = api.create(&params, &review);
        let answer = self
            .call("create", "selfsubjectaccessreviews", asked)
            .await?;
        Ok(answer.status.is_some_and(|status| status.allowed))
    }
}
