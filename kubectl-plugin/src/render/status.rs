//! `status` as text: one tunnel on one screen, several with a line each.

use bigip_tunnel_core::condition::ConditionType;
use bigip_tunnel_core::reason::Reason;
use std::io::{self, Write};

use bigip_tunnel_crds::v1alpha1::{DeviceStatus, FailoverState, RecordCounts};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use unicode_width::UnicodeWidthStr as _;

use super::table::{Cell, NONE, Table, UNKNOWN, plain};
use super::{View, tone};
use crate::age;
use crate::error::Error;
use crate::report::status::{DeviceReport, Fact, StatusReport, TunnelReport, find, is_verified};
use crate::style::{Style, Tone};

/// Lines that one tunnel may take, with its BIG-IPs and what to do next.
const LINES_MAX: usize = 24;
/// Lines that the message of a condition may take.
const MESSAGE_LINES_MAX: usize = 3;
/// Width of the names of the fields.
const NAME_WIDTH: usize = 13;
/// What stands before the next step.
const NEXT: &str = "Next: ";

/// Prints the report: one tunnel on one screen, several with a line each.
pub(crate) fn write(report: &StatusReport, view: View, out: &mut dyn Write) -> Result<(), Error> {
    match report.tunnels.as_slice() {
        [] => {}
        [tunnel] if !view.no_headers => write_one(tunnel, view, out)?,
        tunnels => write_many(tunnels, view, out)?,
    }
    Ok(())
}

/// Prints the names of the resources.
pub(crate) fn write_names(report: &StatusReport, out: &mut dyn Write) -> Result<(), Error> {
    for tunnel in &report.tunnels {
        writeln!(out, "bigiptunnel.bigip-tunnel.dev/{}", tunnel.name)?;
    }
    Ok(())
}

fn write_many(tunnels: &[TunnelReport], view: View, out: &mut dyn Write) -> io::Result<()> {
    let mut headers = vec![
        "NAME", "READY", "BIG-IPS", "NODES", "RECORDS", "SINCE", "REASON",
    ];
    if view.all_namespaces {
        headers.insert(0, "NAMESPACE");
    }
    if view.wide {
        headers.extend(["TUNNEL", "MESSAGE"]);
    }
    let mut table = Table::new(headers).with_headers(!view.no_headers);
    for tunnel in tunnels {
        let summary = tunnel.summary.clone().unwrap_or_default();
        let ready = &tunnel.ready;
        let tone = tone::of_fact(ready);
        let mut cells = vec![
            Cell::from(tunnel.name.clone()),
            Cell::new(tone, &ready.status),
            summary.devices.into(),
            summary.nodes.into(),
            summary.records.into(),
            age_of(ready.since.as_ref(), view.now).into(),
            Cell::new(tone, &ready.reason),
        ];
        if view.all_namespaces {
            cells.insert(0, tunnel.namespace.clone().into());
        }
        if view.wide {
            cells.extend([
                tunnel.tunnel.clone().unwrap_or_default().into(),
                ready.message.clone().into(),
            ]);
        }
        table.row(cells);
    }
    table.write(view.style, out)?;
    if view.no_headers {
        return Ok(());
    }
    let ready = tunnels.iter().filter(|tunnel| tunnel.is_ready()).count();
    writeln!(out, "{ready} of {} ready", tunnels.len())
}

/// At most 24 lines, whatever happens.
fn write_one(tunnel: &TunnelReport, view: View, out: &mut dyn Write) -> io::Result<()> {
    // What is wide may be wider than the terminal.
    let terminal = view.style.terminal().filter(|_| !view.wide);
    let width = terminal.map(|terminal| terminal.width);
    let mut fields = fields(tunnel, view.now);
    let table = device_table(&tunnel.devices, view.wide, view.now);
    let has_devices = !tunnel.devices.is_empty();
    let below = if has_devices { table.height() + 1 } else { 0 };
    let next = tunnel.next.as_deref().map(|next| format!("{NEXT}{next}"));
    let next_lines = next.as_deref().map_or(0, |next| {
        1 + width.map_or(1, |width| next.width().div_ceil(width.max(1)))
    });
    if fields.len() + below + next_lines >= LINES_MAX {
        // Of all that can be said it is the least.
        fields.retain(|field| field.name != VERIFIED);
    }
    let room = LINES_MAX.saturating_sub(fields.len() + below + next_lines);

    for field in &fields {
        writeln!(out, "{}", field.line(width, view.style))?;
        if field.name == STATUS {
            for line in message(&tunnel.ready.message, width, room, view.style) {
                writeln!(out, "{}", format!("{:NAME_WIDTH$}{line}", "").trim_end())?;
            }
        }
    }
    if has_devices {
        writeln!(out)?;
        table.write(view.style, out)?;
    }
    if let Some(next) = next {
        writeln!(out, "\n{}", plain(&next))?;
    }
    Ok(())
}

/// The message of a condition, in as many lines as there is room for.
fn message(text: &str, width: Option<usize>, room: usize, style: Style) -> Vec<String> {
    let text = plain(text);
    match width {
        Some(width) => style.wrap(
            &text,
            width.saturating_sub(NAME_WIDTH),
            room.clamp(1, MESSAGE_LINES_MAX),
        ),
        None => vec![text],
    }
}

/// Name of the field that the message belongs to.
const STATUS: &str = "Status";
/// Name of the field that gives way where there is too much to say.
const VERIFIED: &str = "Verified";

/// A line about a tunnel.
struct Field {
    name: &'static str,
    tone: Tone,
    /// The words that the tone is about.
    verdict: String,
    text: String,
}

impl Field {
    fn plain(name: &'static str, text: String) -> Self {
        Self {
            name,
            tone: Tone::Plain,
            verdict: String::new(),
            text,
        }
    }

    fn toned(name: &'static str, tone: Tone, verdict: &str, text: &str) -> Self {
        Self {
            name,
            tone,
            verdict: verdict.to_owned(),
            text: text.to_owned(),
        }
    }

    fn line(&self, width: Option<usize>, style: Style) -> String {
        let sign = style.sign(self.tone);
        let gap = usize::from(!sign.is_empty());
        let text = plain(&self.text);
        let text = match width {
            Some(width) => {
                let used = NAME_WIDTH + sign.width() + gap + self.verdict.width();
                style.cut(&text, width.saturating_sub(used))
            }
            None => text,
        };
        let verdict = style.signed(self.tone, &self.verdict);
        let line = format!("{:<NAME_WIDTH$}{verdict}{text}", self.name);
        line.trim_end().to_owned()
    }
}

/// What there is to say before the BIG-IPs.
fn fields(tunnel: &TunnelReport, now: Timestamp) -> Vec<Field> {
    let mut fields = vec![Field::plain("Tunnel", title(tunnel)), verdict(tunnel, now)];
    if let Some(available) = &tunnel.available {
        fields.push(availability(available));
    }
    fields.extend(tunnel.cilium.as_ref().map(cilium));
    fields.extend(tunnel.vtep_config.as_ref().map(vtep_config));
    if let Some(peer) = &tunnel.unlisted_peer {
        fields.push(Field::toned("Peers", Tone::Warn, "", &peer.message));
    }
    if let Some(first) = tunnel.former_devices.first() {
        let why = first
            .message
            .as_deref()
            .unwrap_or("its records are being removed");
        let count = i32::try_from(tunnel.former_devices.len()).unwrap_or(i32::MAX);
        let text = format!("{}: {why}{}", first.name, more(count));
        fields.push(Field::plain("Unlisted", text));
    }
    if let Some(paused) = &tunnel.paused {
        let why = tunnel.suspend_reason.as_ref();
        let why = why.map_or_else(String::new, |why| format!(" ({why})"));
        let text = format!("{why}: {}", paused.message);
        fields.push(Field::toned("Paused", Tone::Warn, &paused.reason, &text));
    }
    if let Some(held) = &tunnel.held_removal {
        let removals = if held.count == 1 {
            "removal"
        } else {
            "removals"
        };
        let text = format!(
            "{} {removals} for {}, until a person approves",
            held.count,
            age::since(held.since.0, now)
        );
        fields.push(Field::plain("Held", text));
    }
    fields.extend(node_fields(tunnel, now));
    if let Some(verified) = &tunnel.last_verified_time {
        let text = format!("{} ago", age::since(verified.0, now));
        fields.push(Field::plain(VERIFIED, text));
    }
    fields
}

fn node_fields(tunnel: &TunnelReport, now: Timestamp) -> Vec<Field> {
    let mut fields = Vec::new();
    if let Some(nodes) = &tunnel.nodes {
        let text = format!(
            "{} programmed of {} selected, {} leaving, {} skipped",
            nodes.programmed, nodes.selected, nodes.leaving, nodes.skipped
        );
        let joining = match nodes.joining {
            0 => String::new(),
            count => format!(", {count} joining"),
        };
        fields.push(Field::plain("Nodes", text + &joining));
    }
    if let Some(first) = tunnel.skipped_nodes.first() {
        let more = more(tunnel.nodes.as_ref().map_or(0, |nodes| nodes.skipped));
        let text = format!("{}: {}{more}", first.name, first.message);
        fields.push(Field::plain("Skipped", text));
    }
    if let Some(first) = tunnel.leaving_nodes.first() {
        let name = first.name.as_deref().unwrap_or(&first.address);
        let when = match &first.removable_at {
            Some(at) => format!("record goes in {}", age::until(at.0, now)),
            None => "record is kept for now".to_owned(),
        };
        let more = more(tunnel.nodes.as_ref().map_or(0, |nodes| nodes.leaving));
        fields.push(Field::plain("Leaving", format!("{name}: {when}{more}")));
    }
    fields
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

fn verdict(tunnel: &TunnelReport, now: Timestamp) -> Field {
    let ready = &tunnel.ready;
    let word = match (tunnel.deleting, ready.status.as_str()) {
        (true, _) => "Being deleted",
        (false, "True") => "Ready",
        (false, "False") => "Not ready",
        _ => "Unknown",
    };
    let text = match &ready.since {
        Some(since) => format!(" for {}: {}", age::since(since.0, now), ready.reason),
        None => format!(": {}", ready.reason),
    };
    Field::toned(STATUS, tone::of_fact(ready), word, &text)
}

fn availability(available: &Fact) -> Field {
    let word = match available.status.as_str() {
        "True" => "Yes",
        "False" => "No",
        _ => "Unknown",
    };
    let text = format!(": {}", available.message);
    Field::toned("Available", tone::of_fact(available), word, &text)
}

fn cilium(cilium: &Fact) -> Field {
    let (word, text) = match cilium.status.as_str() {
        "True" => ("Ready", format!(": {}", cilium.message)),
        "False" => (
            "Not ready",
            format!(": {}: {}", cilium.reason, cilium.message),
        ),
        _ => (
            "Unknown",
            format!(": {}: {}", cilium.reason, cilium.message),
        ),
    };
    Field::toned("Cilium", tone::of_fact(cilium), word, &text)
}

fn vtep_config(configured: &Fact) -> Field {
    let (word, text) = match configured.status.as_str() {
        "True" => ("Programmed", format!(": {}", configured.message)),
        "False" => (
            "Failed",
            format!(": {}: {}", configured.reason, configured.message),
        ),
        _ => (
            "Unknown",
            format!(": {}: {}", configured.reason, configured.message),
        ),
    };
    Field::toned("VTEP config", tone::of_fact(configured), word, &text)
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
            "MAC",
            "PROFILE",
        ]);
    }
    let mut table = Table::new(headers);
    for DeviceReport { state, status } in devices {
        let records = |count: &dyn Fn(&RecordCounts) -> String| {
            Cell::from(or_unknown(status.records.as_ref().map(count)))
        };
        // What a BIG-IP that cannot be verified holds is not known.
        let is_known = is_verified(status);
        let known = |count: i32| {
            if is_known {
                count.to_string()
            } else {
                "?".to_owned()
            }
        };
        let mut cells = vec![
            Cell::from(status.name.clone()),
            status.address.clone().unwrap_or_default().into(),
            Cell::new(tone::of_device(state), state),
            failover(status.failover_state).to_owned().into(),
            records(&|counts| format!("{}/{}", known(counts.present), counts.desired)),
            records(&|counts| known(counts.stale)),
            records(&|counts| known(counts.unclaimed.saturating_add(counts.foreign))),
            saved(status),
        ];
        if wide {
            let tunnel = status.tunnel.clone().unwrap_or_default();
            cells.extend([
                records(&|counts| known(counts.missing)),
                age_of(status.last_change_time.as_ref(), now).into(),
                or_unknown(status.hostname.clone()).into(),
                or_unknown(status.version.clone()).into(),
                or_unknown(tunnel.local_address).into(),
                or_unknown(tunnel.mac).into(),
                or_unknown(tunnel.profile).into(),
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
fn saved(status: &DeviceStatus) -> Cell {
    match find(&status.conditions, ConditionType::Saved) {
        Some(saved) if saved.status == "True" => Cell::new(Tone::Good, Reason::Saved.as_str()),
        Some(saved) if saved.reason == Reason::SaveFailed.as_str() => {
            Cell::new(Tone::Bad, &saved.reason)
        }
        Some(saved) => Cell::new(Tone::Warn, &saved.reason),
        None => Cell::new(Tone::Plain, NONE),
    }
}

fn age_of(time: Option<&Time>, now: Timestamp) -> String {
    time.map_or_else(String::new, |time| age::since(time.0, now))
}
