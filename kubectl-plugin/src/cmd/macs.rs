//! `macs`: the records that addresses of nodes make.

use std::io::Write;

use bigip_tunnel_core::node::AddressRule;
use kube::core::Selector;

use crate::cli::{MacsArgs, RecordFormat};
use crate::connection::Connection;
use crate::context::Cluster;
use crate::error::{Error, Outcome};
use crate::render;
use crate::report::macs::MacsReport;

/// Runs the verb.
pub(crate) async fn run(
    connection: &Connection,
    args: &MacsArgs,
    out: &mut dyn Write,
) -> Result<Outcome, Error> {
    let report = collect(connection, args).await?;
    match args.output {
        Some(RecordFormat::Json) => render::json("MacsReport", &report, out)?,
        Some(RecordFormat::Yaml) => render::yaml("MacsReport", &report, out)?,
        Some(RecordFormat::Tmsh) => render::macs::write_tmsh(&report, out)?,
        None => render::macs::write(&report, out)?,
    }
    Ok(report.outcome())
}

async fn collect(connection: &Connection, args: &MacsArgs) -> Result<MacsReport, Error> {
    if args.addresses.is_empty() {
        let cluster = Cluster::new(connection).await?;
        let rule = AddressRule {
            kind: args.address_source.kind(),
            cidrs: args.cidrs.clone(),
            exclude: args.exclude_cidrs.clone(),
        };
        let nodes = cluster.nodes(&Selector::default(), &rule).await?;
        let (prefix, domain) = (args.prefix, args.route_domain);
        Ok(MacsReport::of_nodes(&nodes.views, &rule, prefix, domain))
    } else {
        Ok(MacsReport::of_addresses(
            &args.addresses,
            args.prefix,
            args.route_domain,
        ))
    }
}

#[cfg(test)]
mod tests;
