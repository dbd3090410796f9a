//! `cilium`: the VTEP entries that Cilium needs for tunnels, to be applied by a person, or compared.

use std::io::Write;

use bigip_tunnel_crds::convert;

use crate::cli::cilium::{CiliumArgs, CiliumFormat};
use crate::connection::Connection;
use crate::context::{Cluster, readable};
use crate::error::{Error, Outcome};
use crate::render;
use crate::report::cilium::{CiliumReport, report};

/// Runs the verb.
pub(crate) async fn run(
    connection: &Connection,
    args: &CiliumArgs,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Result<Outcome, Error> {
    let report = collect(connection, args).await?;
    write(&report, args.diff, out, err)
}

/// Prints the entries or the comparison, and beside them what has to be known.
fn write(
    report: &CiliumReport,
    diff: bool,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Result<Outcome, Error> {
    for note in &report.notes {
        writeln!(err, "{note}")?;
    }
    if !diff {
        out.write_all(report.wanted.as_bytes())?;
        return Ok(report.outcome(diff));
    }
    render::cilium::write_diff(report, out)?;
    Ok(report.outcome(diff))
}

async fn collect(connection: &Connection, args: &CiliumArgs) -> Result<CiliumReport, Error> {
    if !args.names.is_empty() {
        connection.must_be_one_namespace()?;
    }
    let cluster = Cluster::new(connection).await?;
    let mut objects = Vec::new();
    if args.names.is_empty() {
        for tunnel in cluster.tunnels(connection.all_namespaces, None).await? {
            objects.push(readable(tunnel)?);
        }
    }
    for name in &args.names {
        objects.push(readable(cluster.tunnel(name).await?)?);
    }
    let seen = cluster
        .cilium_seen(args.cilium_namespace.as_deref())
        .await?;
    // What others have there has to be known: the lists are written as a whole.
    let needed = match args.output {
        CiliumFormat::Helm | CiliumFormat::Configmap => seen.config.as_ref().err(),
        CiliumFormat::Vtepconfig => seen.vtep_objects.as_ref().err(),
    };
    if let Some(why) = needed {
        return Err(Error::CiliumUnread(why.to_string()));
    }
    let shape = match args.output {
        CiliumFormat::Helm | CiliumFormat::Configmap => None,
        CiliumFormat::Vtepconfig => cluster.vtep_shape().await?,
    };
    let tunnels: Vec<_> = objects.iter().map(convert::cilium::tunnel).collect();
    report(&seen, &tunnels, args.output, shape).map_err(|refusals| {
        let refusals: Vec<String> = refusals.iter().map(ToString::to_string).collect();
        Error::NoEntries(refusals.join("; "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(differs: bool) -> CiliumReport {
        CiliumReport {
            wanted: "mask: \"255.255.255.0\"\n".to_owned(),
            live: if differs {
                "mask: \"\"\n"
            } else {
                "mask: \"255.255.255.0\"\n"
            }
            .to_owned(),
            differs,
            lacks: false,
            notes: vec!["a note".to_owned()],
        }
    }

    /// How it exits, and what it prints: the output and the notes.
    fn shown(report: &CiliumReport, diff: bool) -> (Outcome, String, String) {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let outcome = write(report, diff, &mut out, &mut err).unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (outcome, text(out), text(err))
    }

    #[test]
    fn entries_are_printed_to_stdout_and_notes_to_stderr() {
        let (outcome, out, err) = shown(&report(true), false);
        assert_eq!(outcome, Outcome::Fine);
        assert_eq!(out, "mask: \"255.255.255.0\"\n");
        assert_eq!(err, "a note\n");
    }

    #[test]
    fn entries_that_are_missing_exit_with_findings() {
        for diff in [false, true] {
            let mut report = report(false);
            report.lacks = true;
            assert_eq!(shown(&report, diff).0, Outcome::Findings, "{diff}");
        }
    }

    #[test]
    fn differing_comparison_exits_with_findings() {
        let (outcome, out, _) = shown(&report(true), true);
        assert_eq!(outcome, Outcome::Findings);
        let wanted = "--- live\n+++ wanted\n@@ -1 +1 @@\n-mask: \"\"\n+mask: \"255.255.255.0\"\n";
        assert_eq!(out, wanted);
        let (outcome, out, _) = shown(&report(false), true);
        assert_eq!((outcome, out.as_str()), (Outcome::Fine, ""));
    }
}
