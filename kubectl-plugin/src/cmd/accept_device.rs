//! `accept-device`: goes on with another box behind the address of a BIG-IP.

use std::io::Write;

use super::act::{Question, decide};
use crate::cli::act::AcceptDeviceArgs;
use crate::context::Cluster;
use crate::error::Error;
use crate::person::Person;
use crate::render::{self, View};
use crate::report::accept_device::Exchange;
use crate::report::act::{Acted, Action, ActionReport, Decision};

/// Does it, and notes it in the report.
pub(super) async fn collect(
    cluster: &Cluster,
    args: &AcceptDeviceArgs,
    person: &mut Person<'_>,
    report: &mut ActionReport,
) -> Result<(), Error> {
    let look = |object: &_| Exchange::of(object, &args.device);
    let decided = decide(cluster, &args.name, &args.decision, person, look);
    let (exchange, object, changed) = decided.await?;
    let acted = Acted {
        changed,
        decision: Some(Decision::Device(exchange)),
        ..Acted::new(
            &object,
            Action::DeviceAccepted,
            args.decision.change.dry_run,
        )
    };
    let text = "The operator writes the records to it once it has seen this.";
    report.push(acted, text);
    Ok(())
}

impl Question for Exchange {
    fn annotation(&self) -> (&'static str, &str) {
        self.annotation()
    }

    fn show(&self, _: View, out: &mut dyn Write) -> Result<(), Error> {
        render::accept_device::write(self, out)
    }

    fn ask(&self) -> String {
        format!("Go on with the unit that was found as {}?", self.device)
    }

    fn is_covered_by(&self, shown: &Self) -> bool {
        self.is_same(shown)
    }
}
