//! What is left behind when a tunnel, or one of its former BIG-IPs, is let go: which records, where.

use bigip_tunnel_core::condition::ConditionType;
use std::collections::BTreeSet;

use bigip_tunnel_core::answers::{Answer, Subject};
use bigip_tunnel_core::claims::Claims;
use bigip_tunnel_crds::v1alpha1::{BigIpTunnel, BigIpTunnelStatus, FormerDevice};
use bigip_tunnel_crds::{ANNOTATION_RELEASE, FINALIZER, convert};
use kube::ResourceExt as _;
use serde::Serialize;

use super::status::find;
use crate::error::Obstacle;

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
    /// The answer that releases it.
    #[serde(skip)]
    pub(crate) answer: String,
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
    /// How many records of the tunnel it held when it was last read; absent while it does not answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) records: Option<usize>,
    /// MAC addresses of the records that are claimed there.
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
        let subject = match device {
            Some(name) => Subject::Device {
                name: name.to_owned(),
                identity: find_former(status, name)
                    .and_then(|former| former.identity.clone())
                    .unwrap_or_default(),
            },
            None => Subject::Object,
        };
        let handled = &status.handled_releases;
        Ok(Self {
            tunnel: title(object),
            device: device.map(str::to_owned),
            answer: Answer::new(subject, handled).to_string(),
            devices,
        })
    }

    /// The annotation that lets go, and its value.
    pub(crate) fn annotation(&self) -> (&'static str, &str) {
        (ANNOTATION_RELEASE, &self.answer)
    }

    /// How many records stay, at most.
    pub(crate) fn count(&self) -> usize {
        self.devices.iter().map(LeftOn::count).sum()
    }

    /// Whether all of these BIG-IPs answer, so that it is known how many records stay.
    pub(crate) fn is_known(&self) -> bool {
        self.devices.iter().all(|left| left.records.is_some())
    }

    /// How many records are claimed.
    pub(crate) fn claimed(&self) -> usize {
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

impl LeftOn {
    /// How many records stay on it: those that it was seen to hold, or, where it does not answer, those that
    /// are claimed.
    fn count(&self) -> usize {
        let claimed = self.macs.len();
        self.records.map_or(claimed, |records| records.min(claimed))
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
        records: match former {
            Some(former) => former
                .records
                .and_then(|records| usize::try_from(records).ok()),
            None => held(status, name),
        },
        macs: claims.of(name).keys().map(ToString::to_string).collect(),
    }
}

/// How many records of the tunnel a listed BIG-IP holds, if it answers.
fn held(status: &BigIpTunnelStatus, name: &str) -> Option<usize> {
    let device = status.devices.iter().find(|device| device.name == name)?;
    let reachable = find(&device.conditions, ConditionType::Reachable)?;
    let records = device.records.as_ref()?;
    let held = records.present.saturating_add(records.stale);
    let held = usize::try_from(held).ok()?;
    (reachable.status == "True").then_some(held)
}

/// Why a listed BIG-IP is not as it should be.
fn failing(status: &BigIpTunnelStatus, name: &str) -> Option<String> {
    let device = status.devices.iter().find(|device| device.name == name)?;
    let kinds = [ConditionType::Reachable, ConditionType::Programmed];
    let conditions = kinds.map(|kind| find(&device.conditions, kind));
    let mut failing = conditions.into_iter().flatten();
    let failing = failing.find(|condition| condition.status != "True")?;
    Some(failing.reason.clone())
}
