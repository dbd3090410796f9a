//! What is left behind when a tunnel, or one of its former BIG-IPs, is let go: which records, where.

use std::collections::BTreeSet;

use bigip_tunnel_core::claims::Claims;
use bigip_tunnel_core::vocabulary::condition;
use bigip_tunnel_crds::v1alpha1::{BigIpTunnel, BigIpTunnelStatus, FormerDevice};
use bigip_tunnel_crds::{ANNOTATION_RELEASE, FINALIZER, convert};
use kube::ResourceExt as _;
use serde::Serialize;

use super::status::find;
use crate::error::Obstacle;

/// The value of the annotation that releases the whole tunnel.
const WHOLE: &str = "true";

/// The records that stay.
#[derive(Serialize, Debug, Clone)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Left {
    /// Namespace and name of the tunnel.
    #[serde(skip)]
    pub(crate) tunnel: String,
    /// The former BIG-IP that is let go, if not the whole tunnel is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) device: Option<String>,
    /// The BIG-IPs with records.
    pub(crate) devices: Vec<LeftOn>,
}

/// The records that stay on one BIG-IP.
#[derive(Serialize, Debug, Clone)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LeftOn {
    pub(crate) device: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) address: Option<String>,
    /// Why they have not been removed, as one word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
    /// MAC addresses of the records.
    pub(crate) macs: Vec<String>,
}

/// Namespace and name.
pub(crate) fn title(object: &BigIpTunnel) -> String {
    format!(
        "{}/{}",
        object.namespace().unwrap_or_default(),
        object.name_any()
    )
}

impl Left {
    /// What stays when the tunnel is let go, or only this BIG-IP.
    pub(crate) fn of(object: &BigIpTunnel, device: Option<&str>) -> Result<Self, Obstacle> {
        let nothing = BigIpTunnelStatus::default();
        let status = object.status.as_ref().unwrap_or(&nothing);
        let uid = object.metadata.uid.as_deref().unwrap_or_default();
        let claims = convert::claims(status, uid)?;
        let devices = if let Some(name) = device {
            vec![former(object, status, &claims, name)?]
        } else {
            is_kept(object)?;
            let all = claims.devices();
            all.map(|name| left_on(object, status, &claims, name))
                .collect()
        };
        Ok(Self {
            tunnel: title(object),
            device: device.map(str::to_owned),
            devices,
        })
    }

    /// The annotation that lets go, and its value.
    pub(crate) fn annotation(&self) -> (&'static str, &str) {
        (ANNOTATION_RELEASE, self.device.as_deref().unwrap_or(WHOLE))
    }

    /// How many records stay.
    pub(crate) fn count(&self) -> usize {
        self.devices.iter().map(|left| left.macs.len()).sum()
    }

    /// Whether no record stays that was not shown.
    pub(crate) fn is_within(&self, shown: &Self) -> bool {
        let records = |left: &'_ Self| -> BTreeSet<(String, String)> {
            let on = left.devices.iter();
            on.flat_map(|on| on.macs.iter().map(|mac| (on.device.clone(), mac.clone())))
                .collect()
        };
        records(self).is_subset(&records(shown))
    }
}

/// Whether it is our finalizer that keeps an object which is being deleted. Released before, it would
/// leave its records on the day on which it is deleted.
fn is_kept(object: &BigIpTunnel) -> Result<(), Obstacle> {
    let this = format!(
        "{} -n {}",
        object.name_any(),
        object.namespace().unwrap_or_default()
    );
    if object.metadata.deletion_timestamp.is_none() {
        return Err(Obstacle {
            problem: "it is not being deleted, and only then it can be released".to_owned(),
            hint: format!(
                "to have it gone and its records left, set spec.deletionPolicy to Retain and kubectl \
                 delete btun {this}"
            ),
        });
    }
    if !object.finalizers().iter().any(|kept| kept == FINALIZER) {
        return Err(Obstacle {
            problem: format!("the operator does not keep it: {FINALIZER} is not there"),
            hint: format!("see what does: kubectl get btun {this} -o yaml"),
        });
    }
    Ok(())
}

fn former(
    object: &BigIpTunnel,
    status: &BigIpTunnelStatus,
    claims: &Claims,
    name: &str,
) -> Result<LeftOn, Obstacle> {
    if name == WHOLE {
        return Err(Obstacle {
            problem: format!("a BIG-IP that is named {WHOLE:?} cannot be released alone"),
            hint: "the annotation would release the whole tunnel".to_owned(),
        });
    }
    if find_former(status, name).is_some() {
        return Ok(left_on(object, status, claims, name));
    }
    if object.spec.devices.iter().any(|listed| listed.name == name) {
        return Err(Obstacle {
            problem: format!("{name} is listed, and only a BIG-IP that is not can be released"),
            hint: format!(
                "take it off spec.devices: kubectl edit btun {} -n {}",
                object.name_any(),
                object.namespace().unwrap_or_default()
            ),
        });
    }
    let former: Vec<&str> = status
        .former_devices
        .iter()
        .map(|former| &*former.name)
        .collect();
    Err(Obstacle {
        problem: format!("no records are left on a BIG-IP {name:?}"),
        hint: if former.is_empty() {
            "no BIG-IP waits to be cleaned up".to_owned()
        } else {
            format!("left are those on {}", former.join(", "))
        },
    })
}

fn find_former<'a>(status: &'a BigIpTunnelStatus, name: &str) -> Option<&'a FormerDevice> {
    let mut former = status.former_devices.iter();
    former.find(|former| former.name == name)
}

fn left_on(
    object: &BigIpTunnel,
    status: &BigIpTunnelStatus,
    claims: &Claims,
    name: &str,
) -> LeftOn {
    let former = find_former(status, name);
    let listed = object
        .spec
        .devices
        .iter()
        .find(|listed| listed.name == name);
    let address = former
        .map(|former| &former.address)
        .or(listed.map(|listed| &listed.address));
    LeftOn {
        device: name.to_owned(),
        address: address.cloned(),
        reason: match former {
            Some(former) => former.reason.clone(),
            None => failing(status, name),
        },
        macs: claims.of(name).keys().map(ToString::to_string).collect(),
    }
}

/// Why a listed BIG-IP is not as it should be.
fn failing(status: &BigIpTunnelStatus, name: &str) -> Option<String> {
    let device = status.devices.iter().find(|device| device.name == name)?;
    let kinds = [condition::REACHABLE, condition::PROGRAMMED];
    let conditions = kinds.map(|kind| find(&device.conditions, kind));
    let mut failing = conditions.into_iter().flatten();
    let failing = failing.find(|condition| condition.status != "True")?;
    Some(failing.reason.clone())
}
