//! `approve`: lets a removal go that is pending approval because it is large, after all of its records were shown.

use std::io::Write;

use bigip_tunnel_crds::convert::{self, InvalidSpec};
use bigip_tunnel_crds::v1alpha1::BigIpTunnel;

use super::act::{Question, decide};
use super::seen::invalid;
use crate::cli::act::ApproveArgs;
use crate::context::{Cluster, readable};
use crate::error::Error;
use crate::person::Person;
use crate::render::{self, View};
use crate::report::act::{Acted, Action, ActionReport, Decision, records};
use crate::report::approve::Held;

/// Does it, and notes it in the report.
pub(super) async fn collect(
    cluster: &Cluster,
    args: &ApproveArgs,
    person: &mut Person<'_>,
    report: &mut ActionReport,
) -> Result<(), Error> {
    let object = readable(cluster.tunnel(&args.name).await?)?;
    let refused = |problem: InvalidSpec| invalid(&object, problem);
    let selector = convert::selector(&object.spec).map_err(refused)?;
    let rule = convert::address_rule(&object.spec).map_err(refused)?;
    let nodes = cluster.nodes(&selector, &rule).await?.views;
    let look = |object: &BigIpTunnel| Held::of(object, &nodes);
    let decided = decide(cluster, &args.name, &args.decision, person, look);
    let (held, object, changed) = decided.await?;
    let acted = Acted {
        changed,
        decision: Some(Decision::HeldRemoval(held)),
        ..Acted::new(
            &object,
            Action::RemovalApproved,
            args.decision.change.dry_run,
        )
    };
    let text = "The operator removes them once it has seen this, where they are still due.";
    report.push(acted, text);
    Ok(())
}

impl Question for Held {
    fn annotation(&self) -> (&'static str, &str) {
        self.annotation()
    }

    fn show(&self, view: View, out: &mut dyn Write) -> Result<(), Error> {
        render::approve::write(self, view, out)
    }

    fn ask(&self) -> String {
        format!("Let {} be removed?", records(self.count))
    }

    fn is_covered_by(&self, shown: &Self) -> bool {
        self.digest == shown.digest
    }
}
