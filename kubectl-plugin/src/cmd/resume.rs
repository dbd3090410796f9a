//! `resume`: goes on with suspended tunnels.

use bigip_tunnel_crds::{ANNOTATION_PAUSED, ANNOTATION_SUSPEND_REASON};
use kube::ResourceExt as _;
use serde_json::{Value, json};

use super::act::{change, named};
use crate::cli::act::ResumeArgs;
use crate::context::Cluster;
use crate::error::Error;
use crate::report::act::{Acted, Action, ActionReport};

/// Does it, and notes it in the report.
pub(super) async fn collect(
    cluster: &Cluster,
    args: &ResumeArgs,
    report: &mut ActionReport,
) -> Result<(), Error> {
    let objects = named(cluster, &args.names).await?;
    let patch = json!({
        "metadata": {"annotations": {ANNOTATION_SUSPEND_REASON: Value::Null}},
        "spec": {"suspend": false},
    });
    for object in &objects {
        let annotations = object.annotations();
        let changed = object.spec.suspend || annotations.contains_key(ANNOTATION_SUSPEND_REASON);
        if changed {
            change(cluster, object, &patch, args.change.dry_run).await?;
        }
        report.tunnels.push(Acted {
            changed,
            ..Acted::new(object, Action::Resumed, args.change.dry_run)
        });
        if annotations
            .get(ANNOTATION_PAUSED)
            .is_some_and(|value| value == "true")
        {
            let name = object.name_any();
            let namespace = object.namespace().unwrap_or_default();
            report.notes.push(format!(
                "warning: the annotation {ANNOTATION_PAUSED} keeps {name} paused\nhint: kubectl \
                 annotate btun {name} -n {namespace} {ANNOTATION_PAUSED}-"
            ));
        }
    }
    Ok(())
}
