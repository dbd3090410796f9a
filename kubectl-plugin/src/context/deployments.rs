//! Deployments that matter to a tunnel: the operator's, and those of F5 CIS that write records.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Container;
use kube::api::ListParams;
use kube::{Api, ResourceExt as _};

use super::Cluster;
use crate::cis;
use crate::error::{DEPLOYMENTS, Error};
use crate::report::check::evidence::{CisSeen, OperatorSeen};

/// Label that names what a Deployment runs, its value for the operator, and the label of its version.
const NAME: &str = "app.kubernetes.io/name";
const OPERATOR: &str = "bigip-tunnel-operator";
const VERSION: &str = "app.kubernetes.io/version";

impl Cluster {
    /// The Deployment of this name in the current namespace, if there is one.
    pub(crate) async fn deployment(&self, name: &str) -> Result<Option<Deployment>, Error> {
        let api: Api<Deployment> = Api::namespaced(self.client.clone(), &self.namespace);
        self.call("get", DEPLOYMENTS, api.get_opt(name)).await
    }

    /// The Deployments of the current namespace, or of all.
    pub(crate) async fn deployments(&self, all_namespaces: bool) -> Result<Vec<Deployment>, Error> {
        let api: Api<Deployment> = if all_namespaces {
            Api::all(self.client.clone())
        } else {
            Api::namespaced(self.client.clone(), &self.namespace)
        };
        let all = ListParams::default();
        self.list_all(&api, all, DEPLOYMENTS, |deployment| deployment)
            .await
    }
}

/// The Deployment, if it is one of the operator.
pub(super) fn operator(deployment: &Deployment) -> Option<OperatorSeen> {
    if deployment.labels().get(NAME)? != OPERATOR {
        return None;
    }
    let spec = deployment.spec.as_ref();
    let status = deployment.status.as_ref();
    let tag = || {
        let image = containers(deployment).first()?.image.as_deref()?;
        let (_, tag) = image.split('@').next()?.rsplit_once(':')?;
        Some(tag.to_owned())
    };
    Some(OperatorSeen {
        namespace: deployment.namespace().unwrap_or_default(),
        name: deployment.name_any(),
        version: deployment.labels().get(VERSION).cloned().or_else(tag),
        wanted: spec.and_then(|spec| spec.replicas).unwrap_or(1),
        ready: status
            .and_then(|status| status.ready_replicas)
            .unwrap_or_default(),
        lease: lease_of(deployment),
        leader: None,
    })
}

/// The lease that the operator's arguments name: the chart's is beside the operator.
fn lease_of(deployment: &Deployment) -> Option<(String, String)> {
    let args = containers(deployment)
        .iter()
        .flat_map(|container| container.args.iter().flatten());
    // The last one counts, as for the operator.
    let last = |flag: &str| {
        args.clone()
            .filter_map(|arg| arg.strip_prefix(flag))
            .next_back()
    };
    if last("--leader-elect=") == Some("false") {
        return None;
    }
    let namespace = last("--lease-namespace=").map(str::to_owned);
    let name = last("--lease-name=")?.to_owned();
    Some((namespace.or_else(|| deployment.namespace())?, name))
}

/// The Deployment, if it is one of F5 CIS that writes the records of a tunnel.
pub(super) fn cis(deployment: &Deployment) -> Option<CisSeen> {
    let replicas = deployment.spec.as_ref().and_then(|spec| spec.replicas);
    if replicas == Some(0) {
        return None;
    }
    let mut containers = containers(deployment).iter();
    let (flag, tunnel) =
        containers.find_map(|container| cis::arguments_of(container, &[]).tunnel())?;
    Some(CisSeen {
        namespace: deployment.namespace().unwrap_or_default(),
        name: deployment.name_any(),
        argument: format!("--{flag}"),
        tunnel,
    })
}

fn containers(deployment: &Deployment) -> &[Container] {
    let template = deployment.spec.as_ref().map(|spec| &spec.template);
    let pod = template.and_then(|template| template.spec.as_ref());
    pod.map_or(&[], |pod| &pod.containers)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn deployment(labels: &Value, image: &str, args: &[&str]) -> Deployment {
        serde_json::from_value(json!({
            "metadata": {"name": "d", "namespace": "ns", "labels": labels},
            "spec": {
                "replicas": 2,
                "selector": {},
                "template": {"spec": {"containers": [{"name": "c", "image": image, "args": args}]}},
            },
            "status": {"readyReplicas": 1},
        }))
        .unwrap()
    }

    #[test]
    fn operator_is_recognised_by_its_label() {
        let labels = json!({"app.kubernetes.io/name": "bigip-tunnel-operator"});
        let seen = operator(&deployment(&labels, "reg:5000/op:v0.4.1@sha256:00", &[])).unwrap();
        assert_eq!(seen.version.as_deref(), Some("v0.4.1"));
        assert_eq!((seen.wanted, seen.ready), (2, 1));
        assert_eq!(seen.lease, None);
        let elects = ["--leader-elect=true", "--lease-name=op"];
        let seen = operator(&deployment(&labels, "op:v0.4.1", &elects)).unwrap();
        assert_eq!(seen.lease, Some(("ns".to_owned(), "op".to_owned())));
        let elsewhere = ["--lease-name=op", "--lease-namespace=other"];
        let seen = operator(&deployment(&labels, "op:v0.4.1", &elsewhere)).unwrap();
        assert_eq!(seen.lease, Some(("other".to_owned(), "op".to_owned())));
        let alone = [
            "--lease-name=op",
            "--leader-elect=true",
            "--leader-elect=false",
        ];
        let seen = operator(&deployment(&labels, "op:v0.4.1", &alone)).unwrap();
        assert_eq!(seen.lease, None);
        assert!(operator(&deployment(&json!({}), "op:v0.4.1", &[])).is_none());
    }

    #[test]
    fn cis_is_recognised_by_its_argument() {
        let tunnel = |args: &[&str]| {
            let deployment = deployment(&json!({}), "f5networks/k8s-bigip-ctlr:2.20.4", args);
            cis(&deployment).map(|cis| (cis.argument, cis.tunnel))
        };
        let expected =
            |argument: &str| Some((argument.to_owned(), "/Common/flannel_vxlan".to_owned()));
        let joined = [
            "--bigip-partition=k8s",
            "--cilium-name=/Common/flannel_vxlan",
        ];
        assert_eq!(tunnel(&joined), expected("--cilium-name"));
        assert_eq!(
            tunnel(&["-flannel-name", "flannel_vxlan"]),
            expected("--flannel-name")
        );
        assert_eq!(tunnel(&["--pool-member-type=nodeport"]), None);
    }
}
