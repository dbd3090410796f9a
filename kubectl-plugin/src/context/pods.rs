//! One pod, for a verb that pings it. Nothing of it is read but where it is.

use std::net::{IpAddr, Ipv4Addr};

use k8s_openapi::api::core::v1::Pod;
use kube::Api;

use super::Cluster;
use crate::error::Error;

/// Where a pod is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PodSeen {
    pub(crate) node: String,
    pub(crate) address: Ipv4Addr,
}

impl Cluster {
    /// A pod that can be pinged: it is Ready, and has an IPv4 address of its own.
    pub(crate) async fn pod(&self, namespace: &str, name: &str) -> Result<PodSeen, Error> {
        let api: Api<Pod> = Api::namespaced(self.client.clone(), namespace);
        let pod = self.call("get", "pods", api.get_opt(name)).await?;
        let seen = pod.ok_or("does not exist").and_then(|pod| seen(&pod));
        seen.map_err(|problem| Error::Pod {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            problem: problem.to_owned(),
        })
    }
}

fn is_ready(pod: &Pod) -> bool {
    let status = pod.status.iter();
    let mut conditions = status.flat_map(|status| status.conditions.iter().flatten());
    conditions.any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

fn seen(pod: &Pod) -> Result<PodSeen, &'static str> {
    let spec = pod.spec.as_ref().ok_or("has no spec")?;
    if spec.host_network == Some(true) {
        return Err("has the address of its node, which is not reached through the tunnel");
    }
    if !is_ready(pod) {
        return Err("is not Ready");
    }
    let status = pod.status.iter();
    let listed = status.clone().flat_map(|status| {
        let all = status.pod_ips.iter().flatten();
        all.map(|address| address.ip.as_str())
    });
    let mut addresses = listed.chain(status.filter_map(|status| status.pod_ip.as_deref()));
    let address = addresses.find_map(|text| match text.parse() {
        Ok(IpAddr::V4(address)) => Some(address),
        _ => None,
    });
    Ok(PodSeen {
        node: spec.node_name.clone().ok_or("is on no node yet")?,
        address: address.ok_or("has no IPv4 address")?,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn of(change: impl Fn(&mut Value)) -> Result<PodSeen, &'static str> {
        let mut pod = json!({
            "metadata": {"name": "web"},
            "spec": {"nodeName": "worker-01", "containers": []},
            "status": {
                "podIP": "fd00::7",
                "podIPs": [{"ip": "fd00::7"}, {"ip": "10.0.1.7"}],
                "conditions": [{"type": "Ready", "status": "True"}],
            },
        });
        change(&mut pod);
        seen(&serde_json::from_value(pod).unwrap())
    }

    #[test]
    fn ready_pod_is_pinged_at_its_ipv4_address() {
        let expected = PodSeen {
            node: "worker-01".to_owned(),
            address: "10.0.1.7".parse().unwrap(),
        };
        assert_eq!(of(|_| ()), Ok(expected));
    }

    #[test]
    fn unpingable_pod_names_the_cause() {
        let host = of(|pod| pod["spec"]["hostNetwork"] = json!(true));
        assert!(host.unwrap_err().contains("address of its node"));
        let pending = of(|pod| pod["status"]["conditions"] = json!([]));
        assert_eq!(pending, Err("is not Ready"));
        let other = of(|pod| pod["status"]["podIPs"] = json!([]));
        assert_eq!(other, Err("has no IPv4 address"));
        let unscheduled = of(|pod| pod["spec"]["nodeName"] = Value::Null);
        assert_eq!(unscheduled, Err("is on no node yet"));
    }
}
