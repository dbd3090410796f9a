//! `status`: are the tunnels in sync, and what to do if not.

use std::io::Write;

use jiff::Timestamp;
use tokio::time::{Instant, sleep};

use super::watch::{PAUSE, Picture, Pictures};
use crate::cli::see::{StatusArgs, StatusFormat};
use crate::connection::Connection;
use crate::context::{Cluster, ReadTunnel};
use crate::error::{Error, Outcome};
use crate::render::{self, View};
use crate::report::status::{StatusReport, TunnelReport};
use crate::style::Style;

/// Kind of the report.
const KIND: &str = "StatusReport";

/// Runs the verb.
pub(crate) async fn run(
    connection: &Connection,
    args: &StatusArgs,
    style: Style,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Result<Outcome, Error> {
    if !args.names.is_empty() {
        connection.must_be_one_namespace()?;
    }
    let look = Look {
        cluster: Cluster::new(connection).await?,
        connection,
        args,
        style,
    };
    let mut report = look.collect().await?;
    if report.tunnels.is_empty() {
        writeln!(
            err,
            "{}",
            nothing_found(connection, &look.cluster.namespace)
        )?;
    }
    let mut late = None;
    if args.watch || args.wait {
        late = look.follow(&mut report, out, err).await?;
    }
    if !args.watch {
        look.write(&report, out)?;
    }
    match late {
        // What the error is about comes first, also where both go to one place.
        Some(error) => out.flush().map_err(Error::from).and(Err(error)),
        None => Ok(report.outcome()),
    }
}

/// What is looked at, and how.
struct Look<'a> {
    cluster: Cluster,
    connection: &'a Connection,
    args: &'a StatusArgs,
    style: Style,
}

impl Look<'_> {
    async fn collect(&self) -> Result<StatusReport, Error> {
        let (names, labels) = (&self.args.names, self.args.selector.as_deref());
        if names.is_empty() {
            let all = self.connection.all_namespaces;
            let tunnels = self.cluster.tunnels(all, labels).await?;
            return self.report(&tunnels).await;
        }
        let mut tunnels = Vec::new();
        for name in names {
            tunnels.push(self.cluster.tunnel(name).await?);
        }
        self.report(&tunnels).await
    }

    /// What else is there is asked for only where a status says that a tunnel is ready.
    async fn report(&self, tunnels: &[ReadTunnel]) -> Result<StatusReport, Error> {
        let report = StatusReport::new(tunnels);
        if !report.tunnels.iter().any(TunnelReport::is_ready) {
            return Ok(report);
        }
        let around = self.cluster.surroundings().await?;
        Ok(report.beside(tunnels, &around, Timestamp::now()))
    }

    /// Looks on, until the tunnels are ready if that is waited for. What was seen last is in `report`
    /// then. Returns an error if it took too long.
    async fn follow(
        &self,
        report: &mut StatusReport,
        out: &mut dyn Write,
        err: &mut dyn Write,
    ) -> Result<Option<Error>, Error> {
        let limit = self.args.limit().filter(|_| self.args.wait);
        let deadline = limit.map(|limit| Instant::now() + limit);
        let redraws = self.args.watch && is_text(self.args.output);
        let mut pictures = Pictures::new(self.style, redraws);
        let (mut told, mut is_new) = (None, true);
        loop {
            let style = self.style.measured();
            if self.args.watch && is_new {
                pictures.show(self.picture(report, &pictures, style)?, style, out)?;
            }
            let waited_for = report.waits_for();
            if self.args.wait && waited_for.is_none() {
                return Ok(None);
            }
            let left = deadline.map(|deadline| deadline.duration_since(Instant::now()));
            if let (Some(left), Some(limit)) = (left, limit)
                && left.is_zero()
            {
                let waited_for = waited_for.unwrap_or_default();
                return Ok(Some(Error::NotReady { limit, waited_for }));
            }
            sleep(left.map_or(PAUSE, |left| left.min(PAUSE))).await;
            let seen = self.collect().await;
            is_new = seen.is_ok();
            match seen {
                Ok(newer) => *report = newer,
                Err(error) if error.is_passing() => pictures.trouble(&error, style, out, err)?,
                Err(error) => return Err(error),
            }
            let waited_for = report.waits_for();
            if !self.args.watch && told != waited_for {
                if let Some(what) = &waited_for {
                    writeln!(err, "waiting for {what}")?;
                }
                told = waited_for;
            }
        }
    }

    fn picture(
        &self,
        report: &StatusReport,
        pictures: &Pictures,
        style: Style,
    ) -> Result<Picture, Error> {
        Picture::new(KIND, report, |text| {
            if report.tunnels.is_empty() && pictures.redraws() {
                let nothing = nothing_found(self.connection, &self.cluster.namespace);
                writeln!(text, "{nothing}")?;
            }
            write(report, self.args, self.view(style), text)
        })
    }

    fn write(&self, report: &StatusReport, out: &mut dyn Write) -> Result<(), Error> {
        write(report, self.args, self.view(self.style), out)
    }

    fn view(&self, style: Style) -> View {
        View {
            wide: self.args.output == Some(StatusFormat::Wide),
            no_headers: self.args.no_headers,
            all_namespaces: self.connection.all_namespaces,
            ..View::new(style, Timestamp::now())
        }
    }
}

/// What kubectl says about other resources.
pub(super) fn nothing_found(connection: &Connection, namespace: &str) -> String {
    if connection.all_namespaces {
        "No BigIpTunnels found".to_owned()
    } else {
        format!("No BigIpTunnels found in {namespace} namespace.")
    }
}

fn is_text(format: Option<StatusFormat>) -> bool {
    matches!(format, None | Some(StatusFormat::Wide))
}

/// Prints the report.
fn write(
    report: &StatusReport,
    args: &StatusArgs,
    view: View,
    out: &mut dyn Write,
) -> Result<(), Error> {
    match args.output {
        Some(StatusFormat::Json) => render::json_looks(KIND, report, args.watch, out),
        Some(StatusFormat::Yaml) => render::yaml_looks(KIND, report, args.watch, out),
        Some(StatusFormat::Name) => render::status::write_names(report, out),
        None | Some(StatusFormat::Wide) => render::status::write(report, view, out),
    }
}

#[cfg(test)]
mod tests;
