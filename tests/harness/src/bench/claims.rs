//! What one claim costs the API server when many are stored: the operator's own kind of write, sent to the
//! object that it has left behind.

use std::time::{Duration, Instant};

use bigip_tunnel_crds::v1alpha1::BigIpTunnel;
use kube::api::{Patch, PatchParams};
use kube::core::Request;
use kube::{Api, Client};
use serde_json::{Value, json};

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

/// Claims a record and gives it up again, by a patch of one entry that names the resource version.
pub(super) async fn measure(
    client: &Client,
    (namespace, name): (&str, &str),
    node: &str,
) -> Result<ClaimWrite, BenchError> {
    let tunnels: Api<BigIpTunnel> = Api::namespaced(client.clone(), namespace);
    let mut object = tunnels.get(name).await?;
    let requests = Request::new(tunnels.resource_url());
    let mut took = Vec::new();
    for number in 0..WRITES {
        let entries = object.status.as_ref();
        let entries = entries.and_then(|status| status.ownership.as_ref()?.claims.first());
        let entries = entries.map_or(0, |row| row.records.len());
        let change = if number % 2 == 0 {
            let entry = format!("{RECORD} {node}");
            json!({"op": "add", "path": "/status/ownership/claims/0/records/-", "value": entry})
        } else {
            let path = format!(
                "/status/ownership/claims/0/records/{}",
                entries.saturating_sub(1)
            );
            json!({"op": "remove", "path": path})
        };
        let version = object.metadata.resource_version.clone();
        let checked =
            json!({"op": "replace", "path": "/metadata/resourceVersion", "value": version});
        let patch: Value = json!([checked, change]);
        let patch = Patch::Json::<()>(serde_json::from_value(patch)?);
        let params = PatchParams::default();
        let request = requests.patch_subresource("status", name, &params, &patch)?;
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
