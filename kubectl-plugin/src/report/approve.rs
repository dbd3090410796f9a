//! A removal that waits for a person: which records it is about.
//!
//! The status names the first of them; no more is known here.

use std::net::Ipv4Addr;

use bigip_tunnel_core::claims::Claims;
use bigip_tunnel_core::mac::MacAddress;
use bigip_tunnel_crds::v1alpha1::{BigIpTunnel, BigIpTunnelStatus};
use bigip_tunnel_crds::{ANNOTATION_APPROVE_REMOVAL, convert};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde::Serialize;

use super::release::title;
use crate::error::Obstacle;

/// The records that are held.
#[derive(Serialize, Debug, Clone)]
pub(crate) struct Held {
    /// Namespace and name of the tunnel.
    #[serde(skip)]
    pub(crate) tunnel: String,
    /// Names exactly this set.
    pub(crate) digest: String,
    /// Since when it is held.
    pub(crate) since: Time,
    /// How many records it has.
    pub(crate) count: i32,
    /// The first of them.
    pub(crate) sample: Vec<HeldRecord>,
}

/// One of the records.
#[derive(Serialize, Debug, Clone)]
pub(crate) struct HeldRecord {
    pub(crate) mac: String,
    /// The node's address that the MAC is made of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) address: Option<Ipv4Addr>,
    /// Name of the node, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) node: Option<String>,
    /// The BIG-IPs that it is claimed on.
    pub(crate) devices: Vec<String>,
}

impl Held {
    /// The removal that waits for an answer.
    pub(crate) fn of(object: &BigIpTunnel) -> Result<Self, Obstacle> {
        let status = object.status.as_ref();
        let Some((status, held)) = status.and_then(|s| s.held_removal.as_ref().map(|h| (s, h)))
        else {
            return Err(Obstacle {
                problem: "no removal is held back".to_owned(),
                hint: "kubectl bigip-tunnel status shows what it waits for, if anything".to_owned(),
            });
        };
        let uid = object.metadata.uid.as_deref().unwrap_or_default();
        let claims = convert::claims(status, uid)?;
        Ok(Self {
            tunnel: title(object),
            digest: held.digest.clone(),
            since: held.since.clone(),
            count: held.count,
            sample: held
                .sample
                .iter()
                .map(|mac| record(object, status, &claims, mac))
                .collect(),
        })
    }

    /// The annotation that lets the set go, and its value.
    pub(crate) fn annotation(&self) -> (&'static str, &str) {
        (ANNOTATION_APPROVE_REMOVAL, &self.digest)
    }
}

fn record(
    object: &BigIpTunnel,
    status: &BigIpTunnelStatus,
    claims: &Claims,
    text: &str,
) -> HeldRecord {
    let mac = text.parse::<MacAddress>().ok();
    let prefix = convert::mac_prefix(&object.spec).ok();
    let address = mac
        .zip(prefix)
        .and_then(|(mac, prefix)| mac.encoded_address(prefix));
    let node = address.map(|address| address.to_string()).and_then(|at| {
        let mut leaving = status.leaving_nodes.iter();
        leaving.find(|node| node.address == at)?.name.clone()
    });
    let is_claimed = |device: &&str| mac.is_some_and(|mac| claims.of(device).contains_key(&mac));
    HeldRecord {
        mac: text.to_owned(),
        address,
        node,
        devices: claims
            .devices()
            .filter(is_claimed)
            .map(str::to_owned)
            .collect(),
    }
}
