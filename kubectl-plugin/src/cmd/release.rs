//! `release`: lets go of a tunnel, or of a former BIG-IP, that cannot be cleaned up.

use std::io::Write;

use super::act::{Question, decide};
use crate::cli::act::ReleaseArgs;
use crate::context::Cluster;
use crate::error::Error;
use crate::person::Person;
use crate::render::{self, View};
use crate::report::act::{Acted, Action, ActionReport, Decision};
use crate::report::release::Left;

/// Does it, and notes it in the report.
pub(super) async fn collect(
    cluster: &Cluster,
    args: &ReleaseArgs,
    person: &mut Person<'_>,
    report: &mut ActionReport,
) -> Result<(), Error> {
    let look = |object: &_| Left::of(object, args.device.as_deref());
    let decided = decide(cluster, &args.name, &args.decision, person, look);
    let (left, object, changed) = decided.await?;
    let acted = Acted {
        changed,
        decision: Some(Decision::Left(left)),
        ..Acted::new(&object, Action::Released, args.decision.change.dry_run)
    };
    report.push(acted, "The operator lets go once it has seen this.");
    Ok(())
}

impl Question for Left {
    fn annotation(&self) -> (&'static str, &str) {
        self.annotation()
    }

    fn show(&self, view: View, out: &mut dyn Write) -> Result<(), Error> {
        render::release::write(self, view.style, out)
    }

    fn ask(&self) -> String {
        match &self.device {
            Some(device) => format!("Let go of {device}?"),
            None => format!("Let go of {}?", self.tunnel),
        }
    }

    fn is_covered_by(&self, shown: &Self) -> bool {
        self.is_within(shown)
    }
}
