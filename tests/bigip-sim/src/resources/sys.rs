//! `sys/ready`, `sys/version` and `sys/config`.

use hyper::Method;
use serde_json::json;

use super::{Answer, Call, Device, ok, read_only};
use crate::failure::Failure;
use crate::validate;
use crate::wire::description;

/// Whether the device has its configuration, licence and provisioning (genieparser `sys_ready`).
pub(super) fn ready(device: &Device, call: &Call<'_>) -> Answer {
    read_only(call, || {
        let entries = json!({
            "configReady": description("yes"),
            "licenseReady": description("yes"),
            "provisionReady": description("yes"),
        });
        ok(&device
            .links
            .stats("tm:sys:ready:readystats", "sys/ready", &entries))
    })
}

/// The running software (genieparser `sys_version`).
pub(super) fn version(device: &Device, call: &Call<'_>) -> Answer {
    read_only(call, || {
        let version = device.links.version();
        let entries = json!({
            "Build": description(version.build()),
            "Date": description(version.date()),
            "Edition": description(version.edition()),
            "Product": description("BIG-IP"),
            "Title": description("Main Package"),
            "Version": description(version.number()),
        });
        ok(&device
            .links
            .stats("tm:sys:version:versionstats", "sys/version", &entries))
    })
}

/// Saves the running configuration, other people's changes too.
pub(super) fn config(device: &mut Device, call: &Call<'_>) -> Answer {
    if *call.method != Method::POST {
        return Err(call.not_simulated());
    }
    match validate::text(&call.properties()?, "command")?.as_deref() {
        Some("save") => {
            device.saved = device.running.clone();
            ok(&json!({ "kind": "tm:sys:config:savestate", "command": "save" }))
        }
        Some(command) => Err(Failure::not_simulated(&format!("the command {command}"))),
        None => Err(Failure::bad_property("command")),
    }
}
