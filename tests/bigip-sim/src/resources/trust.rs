//! `cm/trust-domain`: the devices that trust each other; for reading.

use hyper::Method;
use serde_json::Value;

use super::objects::Address;
use super::{Answer, Call, Device, ok};
use crate::failure::Failure;
use crate::wire::{Fields, kind, segment};

const RESOURCE: &str = "cm/trust-domain";

/// The one trust domain (genieparser `cm_trust_domain`, 14.1.2.1). *Assumed*: in a pair all devices are in it,
/// and it is `initialized` then.
pub(super) fn domains(device: &Device, call: &Call<'_>, name: Option<&Address>) -> Answer {
    if *call.method != Method::GET {
        return Err(call.not_simulated());
    }
    let query = call.query()?;
    let Some(address) = name else {
        let kind = kind(RESOURCE, "collectionstate");
        return ok(&query.collection(device.links, kind, RESOURCE, vec![show(device)])?);
    };
    if address.path == "/Common/Root" {
        ok(&query.object(show(device))?)
    } else {
        Err(Failure::not_found("trust domain", &address.path))
    }
}

fn show(device: &Device) -> Fields {
    let links = device.links;
    let to = |resource: &str, path: &str| links.reference(&format!("{resource}/{}", segment(path)));
    let peers = device.peers.iter().map(|peer| peer.hostname.as_str());
    let names = [device.hostname.as_str()].into_iter().chain(peers);
    let devices: Vec<String> = names.map(|name| format!("/Common/{name}")).collect();
    let references = devices.iter().map(|path| to("cm/device", path)).collect();
    let status = if device.peers.is_empty() {
        "standalone"
    } else {
        "initialized"
    };
    Fields::default()
        .with("kind", kind(RESOURCE, "state"))
        .with("name", "Root")
        .with("partition", "Common")
        .with("fullPath", "/Common/Root")
        .with("generation", 1)
        .with("selfLink", links.to(&format!("{RESOURCE}/~Common~Root")))
        .with("caCert", "/Common/dtca.crt")
        .with_object("caCertReference", to("cm/cert", "/Common/dtca.crt"))
        .with("caCertBundle", "/Common/dtca-bundle.crt")
        .with_object(
            "caCertBundleReference",
            to("cm/cert", "/Common/dtca-bundle.crt"),
        )
        .with(
            "caDevices",
            devices.into_iter().map(Value::from).collect::<Vec<_>>(),
        )
        .with_list("caDevicesReference", references)
        .with("caKey", "/Common/dtca.key")
        .with_object("caKeyReference", to("cm/key", "/Common/dtca.key"))
        .with("status", status)
        .with("trustGroup", "/Common/device_trust_group")
        .with_object(
            "trustGroupReference",
            to("cm/device-group", "/Common/device_trust_group"),
        )
}
