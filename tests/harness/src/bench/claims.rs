//! What one claim costs the API server when many are stored: the operator's own kind of write, sent to the
//! object that it has left behind.

use std::time::{Duration, Instant};

use bigip_tunnel_crds::v1alpha1::BigIpTunnel;
use kube::api::PostParams;
use kube::core::Request;
use kube::{Api, Client, Resource as _};
use serde_json::json;

use super::BenchError;

/// Writes that are measured.
const WRITES: u32 = 20;
/// The record that is claimed and given up in turn: no node has it.
const RECORD: &str = "0a:0a:0a:ff:ff:fe";

/// What was measured.
pub(super) struct ClaimWrite {
    /// In half the cases.
    pub(super) half: Duration,
    /// In 95 % of the cases.
    pub(super) most: Duration,
    /// Size of the stored claims.
    pub(super) bytes: usize,
}

/// Claims a record and gives it up again, by a replacement of the status that names the resource version.
pub(super) async fn measure(
    client: &Client,
    (namespace, name): (&str, &str),
    node: &str,
) -> Result<ClaimWrite, BenchError> {
    let tunnels: Api<BigIpTunnel> = Api::namespaced(client.clone(), namespace);
    let mut object = tunnels.get(name).await?;
    let requests = Request::new(tunnels.resource_url());
    let params = PostParams::default();
    let mut took = Vec::new();
    for number in 0..WRITES {
        let status = object.status.as_mut().ok_or("the object has no status")?;
        let ownership = status.ownership.as_mut().ok_or("nothing is claimed")?;
        let row = ownership.claims.first_mut().ok_or("nothing is claimed")?;
        if number % 2 == 0 {
            row.records.push(format!("{RECORD} {node}"));
        } else {
            row.records.pop();
        }
        object.metadata.managed_fields = None;
        let sent = serde_json::to_vec(&json!({
            "apiVersion": BigIpTunnel::api_version(&()),
            "kind": BigIpTunnel::kind(&()),
            "metadata": object.metadata,
            "status": object.status,
        }))?;
        let request = requests.replace_subresource("status", name, &params, sent)?;
        let started = Instant::now();
        // Read as text: what is measured is the API server.
        let answer = client.request_text(request).await?;
        took.push(started.elapsed());
        object = serde_json::from_str(&answer)?;
    }
    took.sort();
    let of = |share: usize| took.get(took.len() * share / 100).copied();
    let ownership = object.status.and_then(|status| status.ownership);
    Ok(ClaimWrite {
        half: of(50).unwrap_or_default(),
        most: of(95).unwrap_or_default(),
        bytes: serde_json::to_vec(&ownership)?.len(),
    })
}
