//! Which replica of each operator leads: its lease, and whether the process that the lease names still runs.

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Pod;
use kube::api::ListParams;
use kube::{Api, ResourceExt as _};

use super::Cluster;
use super::evidence::optional;
use crate::error::Error;
use crate::operator;
use crate::report::check::evidence::{Deployments, LeaderSeen};
use bigip_tunnel_cilium::seen::Readable;

impl Cluster {
    /// The Deployments of the cluster, each operator with what its lease says.
    pub(super) async fn deployments_with_leaders(&self) -> Result<Readable<Deployments>, Error> {
        let mut seen = optional(self.deployments_seen().await)?;
        let operators = seen.iter_mut().flat_map(|seen| &mut seen.operators);
        for operator in operators {
            if let Some((namespace, name)) = &operator.lease {
                let leader = self.leader(namespace, name, &operator.namespace).await;
                operator.leader = Some(optional(leader)?);
            }
        }
        Ok(seen)
    }

    async fn leader(&self, namespace: &str, name: &str, pods: &str) -> Result<LeaderSeen, Error> {
        let api: Api<Lease> = Api::namespaced(self.client.clone(), namespace);
        let lease = self.call("get", "leases", api.get_opt(name)).await?;
        let spec = lease.and_then(|lease| lease.spec).unwrap_or_default();
        let renewed = spec.renew_time.map(|time| time.0);
        let holder = spec.holder_identity.filter(|holder| !holder.is_empty());
        // Without the right to list pods the holder is taken for running.
        let pods = match &holder {
            Some(_) => optional(self.operator_pods(pods).await)?.unwrap_or_default(),
            None => Vec::new(),
        };
        let named = holder.as_deref().zip(renewed);
        Ok(LeaderSeen {
            has_ended: named.is_some_and(|(holder, renewed)| has_ended(&pods, holder, renewed)),
            holder,
            silent_s: renewed.map(|time| Timestamp::now().duration_since(time).as_secs()),
        })
    }

    async fn operator_pods(&self, namespace: &str) -> Result<Vec<Pod>, Error> {
        let api: Api<Pod> = Api::namespaced(self.client.clone(), namespace);
        let pods = ListParams::default().labels(operator::SELECTOR);
        self.list_all(&api, pods, "pods", |pod: Pod| pod).await
    }
}

/// Whether the process that holds a lease is known to have ended: none of the pods has its name, or the container
/// was started after the lease was renewed. Pods in the network of their node do not have their own name there.
fn has_ended(pods: &[Pod], holder: &str, renewed: Timestamp) -> bool {
    let shares_host = |pod: &Pod| {
        pod.spec
            .as_ref()
            .is_some_and(|spec| spec.host_network == Some(true))
    };
    let Some((host, _)) = holder
        .rsplit_once('_')
        .filter(|_| !pods.iter().any(shares_host))
    else {
        return false;
    };
    match pods.iter().find(|pod| pod.name_any() == host) {
        Some(pod) => started(pod).is_some_and(|started| started > renewed),
        None => !pods.is_empty(),
    }
}

/// When the operator's container of this pod was started.
fn started(pod: &Pod) -> Option<Timestamp> {
    let containers = pod.status.as_ref()?.container_statuses.as_ref()?;
    let operator = containers
        .iter()
        .find(|container| container.name == "operator")?;
    let running = operator.state.as_ref()?.running.as_ref()?;
    running.started_at.as_ref().map(|time| time.0)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn pod(name: &str, spec: &Value, started: &str) -> Pod {
        let state = json!({"running": {"startedAt": started}});
        let container = json!({"name": "operator", "state": state, "ready": true,
            "image": "", "imageID": "", "restartCount": 0});
        let pod = json!({"metadata": {"name": name}, "spec": spec,
            "status": {"containerStatuses": [container]}});
        serde_json::from_value(pod).unwrap()
    }

    fn ended(pods: &[Pod]) -> bool {
        has_ended(
            pods,
            "op-7f9c_0a1b",
            "2026-11-30T12:00:00Z".parse().unwrap(),
        )
    }

    #[test]
    fn holder_started_before_its_renewal_leads() {
        let spec = json!({"containers": []});
        assert!(!ended(&[pod("op-7f9c", &spec, "2026-11-30T11:00:00Z")]));
    }

    #[test]
    fn restarted_holder_has_ended() {
        let spec = json!({"containers": []});
        assert!(ended(&[pod("op-7f9c", &spec, "2026-11-30T12:00:01Z")]));
    }

    #[test]
    fn holder_without_a_pod_has_ended() {
        let spec = json!({"containers": []});
        assert!(ended(&[pod("op-1111", &spec, "2026-11-30T11:00:00Z")]));
        assert!(!ended(&[]));
    }

    #[test]
    fn pods_in_the_host_network_are_no_evidence() {
        let spec = json!({"containers": [], "hostNetwork": true});
        assert!(!ended(&[pod("op-1111", &spec, "2026-11-30T12:00:01Z")]));
    }
}
