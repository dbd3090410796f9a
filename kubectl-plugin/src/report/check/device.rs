//! Checks of one BIG-IP, from what the operator says of it.

use bigip_tunnel_core::condition::ConditionType;
use bigip_tunnel_core::reason::Reason;
use bigip_tunnel_crds::v1alpha1::{DeviceStatus, RecordCounts, TunnelStatus};

use super::Check;
use super::tunnel::condition_of;
use crate::catalogue::{
    BTN0008, BTN0010, BTN0113, BTN0203, BTN0206, BTN0210, BTN0213, BTN0216, BTN0301, BTN0302,
    BTN0303, Code, reasons,
};

/// The checks.
pub(super) fn checks(name: &str, status: Option<&DeviceStatus>) -> Vec<Check> {
    let Some(status) = status else {
        let text = format!("{name}: the operator has not looked at it yet");
        return vec![Check::warning(BTN0008, text)];
    };
    let mut checks = vec![reachable(name, status)];
    if let Some(tunnel) = &status.tunnel {
        checks.extend(usable(name, tunnel));
    }
    checks.extend(programmed(name, status));
    if let Some(records) = &status.records {
        checks.extend(leftovers(name, records));
    }
    checks.extend(saved(name, status));
    checks
}

/// The code that a reason leads to.
pub(crate) fn code_of(reason: &str, otherwise: Code) -> Code {
    let code = reasons::find(reason).and_then(|reason| reason.code);
    code.unwrap_or(otherwise)
}

fn reachable(name: &str, status: &DeviceStatus) -> Check {
    let known = condition_of(&status.conditions, ConditionType::Reachable);
    match known {
        Some(known) if known.status == "True" => {
            let version = status.version.as_deref().unwrap_or("of unknown version");
            let part = status.failover_state.map(|state| format!("{state:?}"));
            let part = part.unwrap_or_default();
            Check::ok(format!("{name} answers: TMOS {version} {part}").trim_end())
        }
        Some(known) if known.status == "False" => {
            let text = format!("{name}: {}", known.message);
            Check::error(code_of(&known.reason, BTN0113), text)
        }
        _ => Check::warning(BTN0008, format!("{name}: it has not been asked yet")),
    }
}

/// The tunnel as read: what keeps pods from being reached whatever its records. What it has to be for
/// Cilium is checked with Cilium.
fn usable(name: &str, tunnel: &TunnelStatus) -> Vec<Check> {
    let path = &tunnel.full_path;
    let mut checks = Vec::new();
    let encapsulation = tunnel.encapsulation.as_deref().unwrap_or("unknown");
    if !matches!(encapsulation, "vxlan" | "geneve") {
        let text = format!("{name}: the profile of {path} is of the kind {encapsulation}");
        checks.push(Check::error(BTN0203, text));
    } else if tunnel.flooding_type.as_deref() != Some("multipoint") {
        let flooding = tunnel.flooding_type.as_deref().unwrap_or("not set");
        let text = format!("{name}: the flooding type of {path} is {flooding}");
        checks.push(Check::error(BTN0206, text));
    }
    if tunnel.local_address.is_none() {
        let text = format!("{name}: the local address of {path} is no plain IPv4 address");
        checks.push(Check::error(BTN0210, text));
    }
    if tunnel.self_ips.is_empty() {
        checks.push(Check::error(
            BTN0216,
            format!("{name}: {path} has no self IP"),
        ));
    }
    if checks.is_empty() {
        let vni = tunnel
            .vni
            .map_or_else(|| "?".to_owned(), |vni| vni.to_string());
        let port = tunnel
            .port
            .map_or_else(|| "?".to_owned(), |port| port.to_string());
        checks.push(Check::ok(format!(
            "{name} has {path}: {encapsulation} {vni}, UDP {port}, multipoint, self IP {}",
            tunnel.self_ips.join(", ")
        )));
    }
    checks
}

fn programmed(name: &str, status: &DeviceStatus) -> Option<Check> {
    let known = condition_of(&status.conditions, ConditionType::Programmed)?;
    let counts = status.records.clone().unwrap_or_default();
    let present = format!(
        "{name}: {} of {} records present",
        counts.present, counts.desired
    );
    Some(match known.status.as_str() {
        "True" => Check::ok(present),
        // What is meant to be so is no failure.
        _ if known.reason == Reason::Observed.as_str() => {
            Check::warning(BTN0010, format!("{name}: {}", known.message))
        }
        "False" => {
            let text = format!("{name}: {}", known.message);
            Check::error(code_of(&known.reason, BTN0301), text)
        }
        // Why nothing is known is what `Reachable` says.
        _ if condition_of(&status.conditions, ConditionType::Reachable)
            .is_some_and(|reachable| reachable.status != "True") =>
        {
            return None;
        }
        _ => Check::warning(
            code_of(&known.reason, BTN0008),
            format!("{name}: {}", known.message),
        ),
    })
}

fn leftovers(name: &str, records: &RecordCounts) -> Vec<Check> {
    let mut checks = Vec::new();
    if records.stale > 0 {
        let text = format!("{name}: {} records of former nodes wait", records.stale);
        checks.push(Check::warning(BTN0302, text));
    }
    if records.unclaimed > 0 {
        let text = format!(
            "{name}: {} records of our form that this tunnel does not claim",
            records.unclaimed
        );
        checks.push(Check::warning(BTN0303, text));
    }
    checks
}

fn saved(name: &str, status: &DeviceStatus) -> Option<Check> {
    let known = condition_of(&status.conditions, ConditionType::Saved)?;
    if known.status == "True" || known.reason == Reason::SavePending.as_str() {
        return None;
    }
    Some(Check::warning(
        BTN0213,
        format!("{name}: {}", known.message),
    ))
}
