//! `status` as text: one tunnel on one screen, several with a line each.

use std::io::{self, Write};

use bigip_tunnel_core::vocabulary::{condition, reason};
use bigip_tunnel_crds::v1alpha1::{DeviceStatus, FailoverState, RecordCounts};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::table::{NONE, Table, UNKNOWN, plain};
use crate::age;
use crate::error::Error;
use crate::report::status::{DeviceReport, Fact, StatusReport, TunnelReport, find, is_verified};

/// Prints the report. With `all_namespaces` a line says which one the tunnel is in.
pub(crate) fn write(
    report: &StatusReport,
    all_namespaces: bool,
    wide: bool,
    now: Timestamp,
    out: &mut dyn Write,
) -> Result<(), Error> {
    match report.tunnels.as_slice() {
        [] => {}
        [tunnel] => write_one(tunnel, wide, now, out)?,
        tunnels => write_many(tunnels, all_namespaces, wide, now, out)?,
    }
    Ok(())
}

fn write_many(
    tunnels: &[TunnelReport],
    all_namespaces: bool,
    wide: bool,
    now: Timestamp,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut headers = vec![
        "NAME", "READY", "BIG-IPS", "NODES", "RECORDS", "SINCE", "REASON",
    ];
    if all_namespaces {
        headers.insert(0, "NAMESPACE");
    }
    if wide {
        headers.extend(["TUNNEL", "MESSAGE"]);
    }
    let mut table = Table::new(headers);
    for tunnel in tunnels {
        let summary = tunnel.summary.clone().unwrap_or_default();
        let ready = &tunnel.ready;
        let mut cells = vec![
            tunnel.name.clone(),
            ready.status.clone(),
            summary.devices,
            summary.nodes,
            summary.records,
            age_of(ready.since.as_ref(), now),
            ready.reason.clone(),
        ];
        if all_namespaces {
            cells.insert(0, tunnel.namespace.clone());
        }
        if wide {
            cells.extend([
                tunnel.tunnel.clone().unwrap_or_default(),
                ready.message.clone(),
            ]);
        }
        table.row(cells);
    }
    for line in table.lines() {
        writeln!(out, "{line}")?;
    }
    let ready = tunnels.iter().filter(|tunnel| tunnel.is_ready()).count();
    writeln!(out, "{ready} of {} ready", tunnels.len())
}

/// At most 24 lines, whatever happens.
fn write_one(
    tunnel: &TunnelReport,
    wide: bool,
    now: Timestamp,
    out: &mut dyn Write,
) -> io::Result<()> {
    field(out, "Tunnel", &title(tunnel))?;
    field(out, "Status", &verdict(tunnel, now))?;
    field(out, "", &tunnel.ready.message)?;
    if let Some(available) = &tunnel.available {
        field(out, "Available", &availability(available))?;
    }
    if let Some(peer) = &tunnel.unlisted_peer {
        field(out, "Peers", &peer.message)?;
    }
    if let Some(first) = tunnel.former_devices.first() {
        let why = first
            .message
            .as_deref()
            .unwrap_or("its records are being removed");
        let count = i32::try_from(tunnel.former_devices.len()).unwrap_or(i32::MAX);
        let more = more(count);
        field(out, "Unlisted", &format!("{}: {why}{more}", first.name))?;
    }
    if let Some(paused) = &tunnel.paused {
        let why = tunnel.suspend_reason.as_ref();
        let why = why.map_or_else(String::new, |why| format!(" ({why})"));
        let text = format!("{}{why}: {}", paused.reason, paused.message);
        field(out, "Paused", &text)?;
    }
    if let Some(nodes) = &tunnel.nodes {
        let text = format!(
            "{} programmed of {} selected, {} leaving, {} skipped",
            nodes.programmed, nodes.selected, nodes.leaving, nodes.skipped
        );
        field(out, "Nodes", &text)?;
    }
    if let Some(first) = tunnel.skipped_nodes.first() {
        let more = more(tunnel.nodes.as_ref().map_or(0, |nodes| nodes.skipped));
        field(
            out,
            "Skipped",
            &format!("{}: {}{more}", first.name, first.message),
        )?;
    }
    if let Some(first) = tunnel.leaving_nodes.first() {
        let name = first.name.as_deref().unwrap_or(&first.address);
        let when = match &first.removable_at {
            Some(at) => format!("record goes in {}", age::until(at.0, now)),
            None => "record is kept for now".to_owned(),
        };
        let more = more(tunnel.nodes.as_ref().map_or(0, |nodes| nodes.leaving));
        field(out, "Leaving", &format!("{name}: {when}{more}"))?;
    }
    if let Some(verified) = &tunnel.last_verified_time {
        field(
            out,
            "Verified",
            &format!("{} ago", age::since(verified.0, now)),
        )?;
    }
    if !tunnel.devices.is_empty() {
        writeln!(out)?;
        for line in device_table(&tunnel.devices, wide, now).lines() {
            writeln!(out, "{line}")?;
        }
    }
    if let Some(next) = &tunnel.next {
        writeln!(out, "\nNext: {}", plain(next))?;
    }
    Ok(())
}

fn field(out: &mut dyn Write, name: &str, text: &str) -> io::Result<()> {
    writeln!(out, "{}", format!("{name:<13}{}", plain(text)).trim_end())
}

fn more(count: i32) -> String {
    match count {
        ..=1 => String::new(),
        _ => format!(" (and {} more)", count - 1),
    }
}

fn title(tunnel: &TunnelReport) -> String {
    let mut parts = vec![format!("{}/{}", tunnel.namespace, tunnel.name)];
    parts.extend(tunnel.tunnel.clone());
    let read = tunnel
        .devices
        .iter()
        .find_map(|device| device.status.tunnel.as_ref());
    if let Some(read) = read {
        let encapsulation = read.encapsulation.as_deref().map(str::to_uppercase);
        let vni = read.vni.map(|vni| format!("VNI {vni}"));
        let port = read.port.map(|port| format!("UDP {port}"));
        let facts: Vec<String> = [encapsulation, vni, port].into_iter().flatten().collect();
        parts.push(facts.join(", "));
    }
    parts.join("   ")
}

fn verdict(tunnel: &TunnelReport, now: Timestamp) -> String {
    let ready = &tunnel.ready;
    let word = match (tunnel.deleting, ready.status.as_str()) {
        (true, _) => "Being deleted",
        (false, "True") => "Ready",
        (false, "False") => "Not ready",
        _ => "Unknown",
    };
    match &ready.since {
        Some(since) => format!("{word} for {}: {}", age::since(since.0, now), ready.reason),
        None => format!("{word}: {}", ready.reason),
    }
}

fn availability(available: &Fact) -> String {
    let word = match available.status.as_str() {
        "True" => "Yes",
        "False" => "No",
        _ => "Unknown",
    };
    format!("{word}: {}", available.message)
}

fn device_table(devices: &[DeviceReport], wide: bool, now: Timestamp) -> Table {
    let mut headers = vec![
        "BIG-IP", "ADDRESS", "STATE", "HA", "RECORDS", "STALE", "EXTRA", "SAVED",
    ];
    if wide {
        headers.extend([
            "MISSING",
            "CHANGED",
            "HOSTNAME",
            "VERSION",
            "LOCAL-ADDRESS",
            "PROFILE",
        ]);
    }
    let mut table = Table::new(headers);
    for DeviceReport { state, status } in devices {
        let records = |count: &dyn Fn(&RecordCounts) -> String| {
            or_unknown(status.records.as_ref().map(count))
        };
        // Counters of a BIG-IP that cannot be verified are what was last known.
        let mark = if is_verified(status) { "" } else { "?" };
        let mut cells = vec![
            status.name.clone(),
            status.address.clone().unwrap_or_default(),
            state.clone(),
            failover(status.failover_state).to_owned(),
            records(&|counts| format!("{}/{}{mark}", counts.present, counts.desired)),
            records(&|counts| counts.stale.to_string()),
            records(&|counts| counts.unclaimed.saturating_add(counts.foreign).to_string()),
            saved(status).to_owned(),
        ];
        if wide {
            let tunnel = status.tunnel.clone().unwrap_or_default();
            cells.extend([
                records(&|counts| counts.missing.to_string()),
                age_of(status.last_change_time.as_ref(), now),
                or_unknown(status.hostname.clone()),
                or_unknown(status.version.clone()),
                or_unknown(tunnel.local_address),
                or_unknown(tunnel.profile),
            ]);
        }
        table.row(cells);
    }
    table
}

fn or_unknown(value: Option<String>) -> String {
    value.unwrap_or_else(|| UNKNOWN.to_owned())
}

fn failover(state: Option<FailoverState>) -> &'static str {
    match state {
        Some(FailoverState::Active) => "Active",
        Some(FailoverState::Standby) => "Standby",
        Some(FailoverState::ForcedOffline) => "ForcedOffline",
        Some(FailoverState::Offline) => "Offline",
        Some(FailoverState::Unknown) | None => UNKNOWN,
    }
}

/// Whether a reboot would lose nothing of ours: `Saved`, or what stands in the way.
fn saved(status: &DeviceStatus) -> &str {
    match find(&status.conditions, condition::SAVED) {
        Some(saved) if saved.status == "True" => reason::SAVED,
        Some(saved) => &saved.reason,
        None => NONE,
    }
}

fn age_of(time: Option<&Time>, now: Timestamp) -> String {
    time.map_or_else(String::new, |time| age::since(time.0, now))
}
