//! `suspend`: stops work on tunnels. Cuts nothing: the BIG-IPs keep what they hold.

use bigip_tunnel_crds::ANNOTATION_SUSPEND_REASON;
use bigip_tunnel_crds::v1alpha1::BigIpTunnel;
use kube::ResourceExt as _;
use serde_json::json;

use super::act::{blocked, change, named};
use crate::cli::act::SuspendArgs;
use crate::context::Cluster;
use crate::error::{Error, Obstacle};
use crate::report::act::{Acted, Action, ActionReport};

/// Said once something is suspended.
const CONSEQUENCE: &str = "The BIG-IPs keep their records; nodes that join from now on are not \
                           reachable from\nthem. A tunnel that is deleted meanwhile leaves its records.";

/// Does it, and notes it in the report.
pub(super) async fn collect(
    cluster: &Cluster,
    args: &SuspendArgs,
    report: &mut ActionReport,
) -> Result<(), Error> {
    let objects = named(cluster, &args.names).await?;
    for object in &objects {
        may_be_suspended(object).map_err(|obstacle| blocked(object, obstacle))?;
    }
    let patch = json!({
        "metadata": {"annotations": {ANNOTATION_SUSPEND_REASON: args.reason}},
        "spec": {"suspend": true},
    });
    for object in &objects {
        let reason = object.annotations().get(ANNOTATION_SUSPEND_REASON);
        let changed = !object.spec.suspend || reason != Some(&args.reason);
        if changed {
            change(cluster, object, &patch, args.change.dry_run).await?;
        }
        report.tunnels.push(Acted {
            changed,
            ..Acted::new(object, Action::Suspended, args.change.dry_run)
        });
    }
    if report.tunnels.iter().any(Acted::is_stored) {
        report.notes.push(CONSEQUENCE.to_owned());
    }
    Ok(())
}

/// A tunnel that is suspended while it is deleted goes at once and leaves its records: that is what
/// `release` is for, which shows them and asks.
fn may_be_suspended(object: &BigIpTunnel) -> Result<(), Obstacle> {
    if object.metadata.deletion_timestamp.is_none() {
        return Ok(());
    }
    Err(Obstacle {
        problem: "it is being deleted; suspended, it would go at once and leave its records"
            .to_owned(),
        hint: format!(
            "if that is meant: kubectl bigip-tunnel release {} -n {}",
            object.name_any(),
            object.namespace().unwrap_or_default()
        ),
    })
}
