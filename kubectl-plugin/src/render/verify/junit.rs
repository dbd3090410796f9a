//! `verify` for the reports of a pipeline: `JUnit`, a suite per BIG-IP and a case per node.
//!
//! A path that was not asked for is an error and not skipped: what is skipped shows as green.

use std::io::{self, Write};

use quick_xml::events::{BytesDecl, BytesText, Event};
use quick_xml::writer::Writer;

use crate::error::Error;
use crate::render::table::plain;
use crate::report::verify::{DevicePaths, Kind, Path, TunnelPaths, VerifyReport};

/// Prints the report.
pub(crate) fn write_junit(report: &VerifyReport, out: &mut dyn Write) -> Result<(), Error> {
    let mut writer = Writer::new_with_indent(Vec::new(), b' ', 2);
    let declaration = BytesDecl::new("1.0", Some("UTF-8"), None);
    writer.write_event(Event::Decl(declaration))?;
    let suites = writer
        .create_element("testsuites")
        .with_attribute(("name", "kubectl bigip-tunnel verify"));
    suites.write_inner_content(|writer| {
        for tunnel in &report.tunnels {
            for device in &tunnel.devices {
                suite(tunnel, device, writer)?;
            }
        }
        Ok(())
    })?;
    out.write_all(&writer.into_inner())?;
    Ok(writeln!(out)?)
}

fn suite(
    tunnel: &TunnelPaths,
    device: &DevicePaths,
    writer: &mut Writer<Vec<u8>>,
) -> io::Result<()> {
    let name = plain(&format!(
        "{}/{} {}",
        tunnel.namespace, tunnel.name, device.device
    ));
    let number = |is_meant: fn(Kind) -> bool| {
        let paths = device.paths.iter().filter(|path| is_meant(path.kind()));
        paths.count().to_string()
    };
    let failures = number(|kind| kind == Kind::NotReached);
    let errors = number(|kind| matches!(kind, Kind::NotAsked | Kind::OutOfTime));
    let suite = writer
        .create_element("testsuite")
        .with_attribute(("name", &*name))
        .with_attribute(("tests", &*device.paths.len().to_string()))
        .with_attribute(("failures", &*failures))
        .with_attribute(("errors", &*errors));
    suite.write_inner_content(|writer| {
        device
            .paths
            .iter()
            .try_for_each(|path| case(&name, path, writer))
    })?;
    Ok(())
}

fn case(suite: &str, path: &Path, writer: &mut Writer<Vec<u8>>) -> io::Result<()> {
    let time = path
        .round_trip_us
        .map(|us| format!("{}.{:06}", us / 1_000_000, us % 1_000_000));
    let node = plain(&path.node);
    let mut case = writer
        .create_element("testcase")
        .with_attribute(("classname", suite))
        .with_attribute(("name", &*node));
    if let Some(time) = &time {
        case = case.with_attribute(("time", &**time));
    }
    let element = match path.kind() {
        // Which of both it was.
        Kind::Proven | Kind::Reached => "system-out",
        Kind::NotReached => "failure",
        Kind::NotAsked | Kind::OutOfTime => "error",
    };
    let likely = path.cause.as_ref();
    let likely = likely.map(|why| format!("{} {}: {}", why.code, why.text, why.hint));
    let message = plain(&format!("{}: {}", path.outcome, path.message));
    case.write_inner_content(|writer| {
        let inner = writer.create_element(element);
        if element == "system-out" {
            inner.write_text_content(BytesText::new(&message))?;
        } else {
            let likely = likely.map(|text| plain(&text)).unwrap_or_default();
            inner
                .with_attribute(("type", path.outcome))
                .with_attribute(("message", &*message))
                .write_text_content(BytesText::new(&likely))?;
        }
        Ok(())
    })?;
    Ok(())
}
