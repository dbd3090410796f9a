//! Another box behind the address of a BIG-IP: which one was known, and which one was found.

use bigip_tunnel_core::answers::{Answer, Heard, Subject, hear};
use bigip_tunnel_crds::v1alpha1::{BigIpTunnel, DeviceStatus};
use bigip_tunnel_crds::{ANNOTATION_ACCEPT_DEVICE, convert};
use kube::ResourceExt as _;
use serde::Serialize;

use super::release::title;
use crate::error::Obstacle;

/// One box in place of another.
#[derive(Serialize, Debug, Clone)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Exchange {
    /// Namespace and name of the tunnel.
    #[serde(skip)]
    pub(crate) tunnel: String,
    /// Name of the BIG-IP in the spec.
    pub(crate) device: String,
    /// Its address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) address: Option<String>,
    /// The box on which the records are claimed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) known_identity: Option<String>,
    /// The box that answers.
    pub(crate) found_identity: String,
    /// The answer that accepts the unit that was found.
    #[serde(skip)]
    pub(crate) answer: String,
    /// How many records are claimed on the known box.
    pub(crate) claimed: usize,
    /// A BIG-IP whose acceptance has not been acted on: there is one annotation for all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) replaces_acceptance_of: Option<String>,
}

impl Exchange {
    /// What was found in place of this BIG-IP.
    pub(crate) fn of(object: &BigIpTunnel, name: &str) -> Result<Self, Obstacle> {
        if !object.spec.devices.iter().any(|listed| listed.name == name) {
            let listed = object.spec.devices.iter().map(|device| device.name.clone());
            return Err(Obstacle {
                problem: format!("no BIG-IP {name:?} is listed"),
                hint: format!("listed are {}", listed.collect::<Vec<_>>().join(", ")),
            });
        }
        let status = object.status.as_ref();
        let devices = || status.iter().flat_map(|status| &status.devices);
        let found = devices().find(|device| device.name == name);
        let Some((device, identity)) =
            found.and_then(|device| Some((device, device.found_identity.as_ref()?)))
        else {
            return Err(nothing_found(name, found));
        };
        let uid = object.metadata.uid.as_deref().unwrap_or_default();
        let claims = status
            .map(|status| convert::claims(status, uid))
            .transpose()?;
        let handled = status.map_or(&[][..], |status| &status.handled_acceptances);
        let answer = object.annotations().get(ANNOTATION_ACCEPT_DEVICE);
        let waiting = match hear(answer.map(String::as_str), handled) {
            Heard::Answer(answer) => devices().find(|other| {
                let found = other.found_identity.as_deref();
                other.name != name && found.is_some() && answer.names(&other.name, found)
            }),
            Heard::Nothing | Heard::Malformed(_) => None,
        };
        let subject = Subject::Device {
            name: name.to_owned(),
            identity: identity.clone(),
        };
        Ok(Self {
            tunnel: title(object),
            device: name.to_owned(),
            address: device.address.clone(),
            known_identity: device.identity.clone(),
            found_identity: identity.clone(),
            answer: Answer::new(subject, handled).to_string(),
            claimed: claims.map_or(0, |claims| claims.of(name).len()),
            replaces_acceptance_of: waiting.map(|other| other.name.clone()),
        })
    }

    /// The annotation that accepts the unit that was found, and its value.
    pub(crate) fn annotation(&self) -> (&'static str, &str) {
        (ANNOTATION_ACCEPT_DEVICE, &self.answer)
    }

    /// Whether this is about the same two boxes.
    pub(crate) fn is_same(&self, shown: &Self) -> bool {
        (&self.known_identity, &self.found_identity)
            == (&shown.known_identity, &shown.found_identity)
            && self.address == shown.address
    }
}

fn nothing_found(name: &str, device: Option<&DeviceStatus>) -> Obstacle {
    let identity = device.and_then(|device| device.identity.as_deref());
    Obstacle {
        problem: match identity {
            Some(identity) => format!("no other unit than {identity} was found as {name}"),
            None => format!("no unit was found as {name} yet"),
        },
        hint: "kubectl bigip-tunnel status shows what is wrong with a BIG-IP".to_owned(),
    }
}
