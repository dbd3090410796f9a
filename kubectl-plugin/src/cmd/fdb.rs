//! `fdb`: every node and its record on every BIG-IP.

use std::io::Write;

use bigip_tunnel_core::node::NodeView;
use bigip_tunnel_crds::convert::{self, InvalidSpec};
use bigip_tunnel_crds::v1alpha1::BigIpTunnel;
use jiff::Timestamp;

use crate::cli::{FdbArgs, TableFormat};
use crate::connection::Connection;
use crate::context::{Cluster, readable};
use crate::error::{Error, Outcome};
use crate::render;
use crate::report::fdb::FdbReport;

/// Runs the verb.
pub(crate) async fn run(
    connection: &Connection,
    args: &FdbArgs,
    out: &mut dyn Write,
) -> Result<Outcome, Error> {
    if connection.all_namespaces {
        return Err(Error::NameInAllNamespaces);
    }
    let cluster = Cluster::new(connection).await?;
    let (object, nodes) = collect(&cluster, &args.name).await?;
    let report = FdbReport::new(&object, &nodes)
        .map_err(|problem| invalid(&cluster, &args.name, problem))?;
    write(&report, args.output, Timestamp::now(), out)?;
    Ok(report.outcome())
}

async fn collect(cluster: &Cluster, name: &str) -> Result<(BigIpTunnel, Vec<NodeView>), Error> {
    let object = readable(cluster.tunnel(name).await?)?;
    let refused = |problem| invalid(cluster, name, problem);
    let selector = convert::selector(&object.spec).map_err(refused)?;
    let rule = convert::address_rule(&object.spec).map_err(refused)?;
    let nodes = cluster.nodes(&selector, &rule).await?;
    Ok((object, nodes))
}

fn invalid(cluster: &Cluster, name: &str, problem: InvalidSpec) -> Error {
    Error::Invalid {
        namespace: cluster.namespace.clone(),
        name: name.to_owned(),
        problem,
    }
}

/// Prints the report.
fn write(
    report: &FdbReport,
    format: Option<TableFormat>,
    now: Timestamp,
    out: &mut dyn Write,
) -> Result<(), Error> {
    match format {
        Some(TableFormat::Json) => render::json("FdbReport", report, out),
        Some(TableFormat::Yaml) => render::yaml("FdbReport", report, out),
        wide => render::fdb::write(report, wide.is_some(), now, out),
    }
}

#[cfg(test)]
mod tests;
