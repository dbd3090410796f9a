//! `sys/ready`, `sys/mcp-state`, `sys/version`, `sys/clock`, `sys/config`, `cli/version`, and whether workers
//! are there.

use hyper::Method;
use serde_json::json;

use super::{Answer, Call, Device, ok, read_only};
use crate::failure::Failure;
use crate::tmos::TmosVersion;
use crate::validate;
use crate::wire::{Fields, description};

/// Whether the device has its configuration, licence and provisioning (genieparser `sys_ready`).
pub(super) fn ready(device: &Device, call: &Call<'_>) -> Answer {
    read_only(call, || {
        let entries = json!({
            "configReady": description("yes"),
            "licenseReady": description("yes"),
            "provisionReady": description("yes"),
        });
        ok(&device.links.stats("sys/ready", &entries))
    })
}

/// What the configuration daemon is doing (genieparser `sys_mcp_state`).
pub(super) fn mcp_state(device: &Device, call: &Call<'_>) -> Answer {
    read_only(call, || {
        let entries = json!({
            "endPlatformIdReceived": description("true"),
            "lastLoad": description("full-config-load-succeed"),
            "phase": description("running"),
        });
        ok(&device.links.stats("sys/mcp-state", &entries))
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
        ok(&device.links.stats("sys/version", &entries))
    })
}

/// The time (genieparser `sys_clock`), always in UTC.
pub(super) fn clock(device: &Device, call: &Call<'_>) -> Answer {
    read_only(call, || {
        let now = call.now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        let entries = json!({ "fullDate": description(&now) });
        ok(&device.links.stats("sys/clock", &entries))
    })
}

/// The versions whose commands the device understands (genieparser `cli_version`). *Assumed*: all that are
/// simulated here, up to its own; a device has more.
pub(super) fn cli_version(device: &Device, call: &Call<'_>) -> Answer {
    read_only(call, || {
        let own = device.links.version();
        let older = TmosVersion::ALL
            .into_iter()
            .filter(|version| *version <= own);
        let supported: Vec<&str> = older.map(TmosVersion::number).collect();
        let entries = json!({
            "active": description(own.number()),
            "latest": description(own.number()),
            "supported": description(&format!("{{ {} }}", supported.join(" "))),
        });
        ok(&device.links.stats("cli/version", &entries))
    })
}

/// Saves the running configuration, other people's changes too.
pub(super) fn config(device: &mut Device, call: &Call<'_>) -> Answer {
    if *call.method != Method::POST {
        return Err(call.not_simulated());
    }
    call.refuse_options()?;
    let properties = call.properties()?;
    match validate::text(&properties, "command")?.as_deref() {
        Some("save") => {
            device.saved = device.running.clone();
            let answer = Fields::default()
                .with("kind", "tm:sys:config:savestate")
                .with("command", "save");
            ok(&answer)
        }
        Some(command) => Err(Failure::not_simulated(&format!("the command {command}"))),
        None => Err(Failure::bad_value("command", &json!(null))),
    }
}

/// `…/available`: a 200 once the worker answers (CLIBS); its JSON is *assumed* to be empty.
pub(crate) fn available(call: &Call<'_>) -> Answer {
    read_only(call, || ok(&json!({})))
}
