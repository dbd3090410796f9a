//! `fdb`: every node and its record on every BIG-IP.

use std::collections::BTreeSet;
use std::io::Write;
use std::time::Duration;

use bigip_tunnel_crds::convert::{self, InvalidSpec};
use bigip_tunnel_crds::v1alpha1::BigIpTunnel;
use jiff::Timestamp;
use kube::ResourceExt as _;
use tokio::time::{Instant, sleep};

use super::watch::{PAUSE, Picture, Pictures};
use crate::cli::see::{FdbArgs, TableFormat};
use crate::connection::Connection;
use crate::context::{Cluster, Nodes, readable};
use crate::error::{Error, Outcome};
use crate::render::{self, View};
use crate::report::fdb::{FdbReport, Wanted};
use crate::style::Style;

/// Kind of the report.
const KIND: &str = "FdbReport";
/// How old a list of nodes may be that is looked at again. A node that comes or goes changes the
/// tunnel, and then they are listed at once.
const NODES_AGE_MAX: Duration = Duration::from_secs(30);

/// Runs the verb.
pub(crate) async fn run(
    connection: &Connection,
    args: &FdbArgs,
    style: Style,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Result<Outcome, Error> {
    if connection.all_namespaces {
        return Err(Error::NameInAllNamespaces);
    }
    let cluster = Cluster::new(connection).await?;
    let seen = collect(&cluster, &args.name).await?;
    seen.must_know(args)?;
    if args.watch {
        return follow(&cluster, args, seen, style, out, err).await;
    }
    let report = seen.report(args)?;
    write(&report, args, view(args, style), out)?;
    Ok(report.outcome())
}

/// A tunnel and the nodes, as read.
pub(crate) struct Seen {
    pub(crate) object: BigIpTunnel,
    pub(crate) nodes: Nodes,
    listed: Instant,
}

/// Reads a tunnel and its nodes.
pub(crate) async fn collect(cluster: &Cluster, name: &str) -> Result<Seen, Error> {
    let object = read(cluster, name).await?;
    let nodes = list(cluster, &object).await?;
    Ok(Seen {
        object,
        nodes,
        listed: Instant::now(),
    })
}

async fn read(cluster: &Cluster, name: &str) -> Result<BigIpTunnel, Error> {
    readable(cluster.tunnel(name).await?)
}

async fn list(cluster: &Cluster, object: &BigIpTunnel) -> Result<Nodes, Error> {
    let refused = |problem| invalid(object, problem);
    let selector = convert::selector(&object.spec).map_err(refused)?;
    let rule = convert::address_rule(&object.spec).map_err(refused)?;
    cluster.nodes(&selector, &rule).await
}

/// An error about the spec of a tunnel.
pub(crate) fn invalid(object: &BigIpTunnel, problem: InvalidSpec) -> Error {
    Error::Invalid {
        namespace: object.namespace().unwrap_or_default(),
        name: object.name_any(),
        problem,
    }
}

impl Seen {
    fn report(&self, args: &FdbArgs) -> Result<FdbReport, Error> {
        let wanted = Wanted {
            devices: &args.devices,
            nodes: &args.nodes,
            only_problems: args.problems,
        };
        let mut report = FdbReport::new(&self.object, &self.nodes.views, &wanted)
            .map_err(|problem| invalid(&self.object, problem))?;
        report.note_readiness(&self.nodes.ready);
        Ok(report)
    }

    /// A name that nothing has is a mistake, and not a sign that all is well. A node that left counts
    /// as known where the status still names it.
    fn must_know(&self, args: &FdbArgs) -> Result<(), Error> {
        let devices = self.object.spec.devices.iter().map(|device| &device.name);
        let selected = self.nodes.views.iter().filter(|node| node.selected);
        let left = self.object.status.iter().flat_map(|s| &s.leaving_nodes);
        let nodes: BTreeSet<&String> = selected
            .map(|node| &node.name)
            .chain(left.filter_map(|node| node.name.as_ref()))
            .collect();
        let mut asked = args.devices.iter();
        if let Some(name) = asked.find(|name| !devices.clone().any(|device| device == *name)) {
            let known: Vec<&str> = devices.map(String::as_str).collect();
            return Err(self.no_such("BIG-IP", name, format!("it has {}", known.join(", "))));
        }
        if let Some(name) = args.nodes.iter().find(|name| !nodes.contains(name)) {
            let hint = "the labels of the node have to fit spec.nodes.selector: kubectl get node \
                        --show-labels";
            return Err(self.no_such("node", name, hint.to_owned()));
        }
        Ok(())
    }

    fn no_such(&self, what: &'static str, name: &str, hint: String) -> Error {
        let namespace = self.object.namespace().unwrap_or_default();
        Error::NoSuch {
            tunnel: format!("{namespace}/{}", self.object.name_any()),
            what,
            name: name.to_owned(),
            hint,
        }
    }

    /// Looks again. The nodes are listed only when they may be others.
    async fn refresh(&mut self, cluster: &Cluster) -> Result<(), Error> {
        let object = read(cluster, &self.object.name_any()).await?;
        let changed = object.resource_version() != self.object.resource_version();
        if changed || self.listed.elapsed() >= NODES_AGE_MAX {
            self.nodes = list(cluster, &object).await?;
            self.listed = Instant::now();
        }
        self.object = object;
        Ok(())
    }
}

/// Shows every change, until the person has seen enough.
async fn follow(
    cluster: &Cluster,
    args: &FdbArgs,
    mut seen: Seen,
    style: Style,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Result<Outcome, Error> {
    let is_text = matches!(args.output, None | Some(TableFormat::Wide));
    let mut pictures = Pictures::new(style, is_text);
    loop {
        let style = style.measured();
        let report = seen.report(args)?;
        let view = view(args, style);
        let picture = Picture::new(KIND, &report, |text| write(&report, args, view, text))?;
        pictures.show(picture, style, out)?;
        loop {
            sleep(PAUSE).await;
            match seen.refresh(cluster).await {
                Ok(()) => break,
                Err(error) if error.is_passing() => {
                    pictures.trouble(&error, style.measured(), out, err)?;
                }
                Err(error) => return Err(error),
            }
        }
    }
}

fn view(args: &FdbArgs, style: Style) -> View {
    View {
        style,
        now: Timestamp::now(),
        wide: args.output == Some(TableFormat::Wide),
        no_headers: false,
        all_namespaces: false,
    }
}

/// Prints the report.
fn write(report: &FdbReport, args: &FdbArgs, view: View, out: &mut dyn Write) -> Result<(), Error> {
    match args.output {
        Some(TableFormat::Json) if args.watch => render::json_line(KIND, report, out),
        Some(TableFormat::Json) => render::json(KIND, report, out),
        Some(TableFormat::Yaml) => {
            if args.watch {
                writeln!(out, "---")?;
            }
            render::yaml(KIND, report, out)
        }
        None | Some(TableFormat::Wide) => render::fdb::write(report, view, out),
    }
}

#[cfg(test)]
mod tests;
