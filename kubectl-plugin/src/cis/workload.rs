//! What runs a CIS: a Deployment of the cluster, a manifest in a file, or nothing but arguments.

use std::fmt;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Container, PodSpec};
use kube::ResourceExt as _;
use serde::Serialize;
use serde_json::Value;

/// Something with a pod.
#[derive(Debug)]
pub(crate) struct Workload {
    kind: String,
    namespace: Option<String>,
    name: Option<String>,
    pub(super) pod: PodSpec,
}

/// What should be a pod is none. Why is not said: it could be a password in the wrong place.
#[derive(Debug, thiserror::Error)]
#[error("the pod of the object is none that Kubernetes would take")]
pub(crate) struct NoPod;

/// Where it was seen what a CIS is told.
#[derive(Serialize, Debug, Clone, PartialEq, Eq)]
pub(crate) struct Source {
    /// Kind of the object; empty where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) kind: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) namespace: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) image: Option<String>,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Some(kind), Some(name)) = (&self.kind, &self.name) else {
            return f.write_str("F5 CIS");
        };
        match &self.namespace {
            Some(namespace) => write!(f, "{kind} {namespace}/{name}"),
            None => write!(f, "{kind} {name}"),
        }
    }
}

impl Workload {
    /// A Deployment of the cluster.
    pub(crate) fn of_deployment(deployment: &Deployment) -> Self {
        let template = deployment.spec.as_ref().map(|spec| &spec.template);
        Self {
            kind: "Deployment".to_owned(),
            namespace: deployment.namespace(),
            name: Some(deployment.name_any()),
            pod: template
                .and_then(|template| template.spec.clone())
                .unwrap_or_default(),
        }
    }

    /// Nothing but arguments, in this namespace if one was named.
    pub(crate) fn of_arguments(namespace: Option<&str>) -> Self {
        Self {
            kind: String::new(),
            namespace: namespace.map(str::to_owned),
            name: None,
            pod: PodSpec {
                containers: vec![Container::default()],
                ..PodSpec::default()
            },
        }
    }

    /// What has a pod in a document of a manifest, which may be a list. `namespace` is where it goes
    /// if it does not say so itself.
    pub(crate) fn of_document(
        document: &Value,
        namespace: Option<&str>,
    ) -> Result<Vec<Self>, NoPod> {
        if let Some(items) = document.get("items").and_then(Value::as_array) {
            let items = items.iter();
            let each = items.map(|item| Self::of_document(item, namespace));
            return Ok(each
                .collect::<Result<Vec<_>, _>>()?
                .into_iter()
                .flatten()
                .collect());
        }
        let kind = text(document, "/kind").unwrap_or_default();
        let place = if kind == "Pod" {
            "/spec"
        } else {
            "/spec/template/spec"
        };
        let Some(pod) = document.pointer(place) else {
            return Ok(Vec::new());
        };
        Ok(vec![Self {
            namespace: text(document, "/metadata/namespace")
                .or_else(|| namespace.map(str::to_owned)),
            name: text(document, "/metadata/name"),
            pod: serde_json::from_value(pod.clone()).map_err(|_| NoPod)?,
            kind,
        }])
    }

    /// Where a container of it is seen.
    pub(super) fn source(&self, container: &Container) -> Source {
        Source {
            kind: Some(self.kind.clone()).filter(|kind| !kind.is_empty()),
            namespace: self.namespace.clone(),
            name: self.name.clone(),
            image: container.image.clone(),
        }
    }
}

fn text(document: &Value, pointer: &str) -> Option<String> {
    let text = document.pointer(pointer)?.as_str()?;
    Some(text.to_owned())
}
