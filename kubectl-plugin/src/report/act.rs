//! What a verb did that changes something: per tunnel one action, and what it was about.
//!
//! The same for all of these verbs, so that a script reads them alike.

use std::fmt;

use bigip_tunnel_crds::v1alpha1::BigIpTunnel;
use kube::ResourceExt as _;
use serde::Serialize;

use super::accept_device::Exchange;
use super::approve::Held;
use super::release::Left;
use super::status::{Fact, TunnelReport};
use crate::cli::act::DryRun;
use crate::error::Outcome;

/// Everything that was done.
#[derive(Serialize, Debug, Default)]
pub(crate) struct ActionReport {
    /// The tunnels, in the order in which it was done.
    pub(crate) tunnels: Vec<Acted>,
    /// What a person should know about it: no data.
    #[serde(skip)]
    pub(crate) notes: Vec<String>,
}

/// What was done to one tunnel.
#[derive(Serialize, Debug)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Acted {
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) action: Action,
    /// Whether it was not so already.
    pub(crate) changed: bool,
    /// `client` or `server`, if nothing was stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) dry_run: Option<&'static str>,
    /// What was decided about, if a decision was needed.
    #[serde(flatten)]
    pub(crate) decision: Option<Decision>,
    /// Whether the BIG-IPs hold exactly the desired records, if it was waited for that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ready: Option<Fact>,
    /// What to do next, if they do not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next: Option<String>,
}

/// What was done.
#[derive(Serialize, Debug, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Action {
    /// The operator was asked for a pass.
    ReconcileRequested,
    /// It has made that pass.
    Reconciled,
    Suspended,
    Resumed,
    RemovalApproved,
    DeviceAccepted,
    Released,
}

/// What a person was shown and agreed to.
#[derive(Serialize, Debug, Clone)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Decision {
    HeldRemoval(Held),
    Device(Exchange),
    Left(Left),
}

/// So many records.
pub(crate) fn records(count: impl TryInto<u64>) -> String {
    match count.try_into() {
        Ok(1) => "1 record".to_owned(),
        Ok(count) => format!("{count} records"),
        Err(_) => "no records".to_owned(),
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ReconcileRequested => "reconcile requested",
            Self::Reconciled => "reconciled",
            Self::Suspended => "suspended",
            Self::Resumed => "resumed",
            Self::RemovalApproved => "removal approved",
            Self::DeviceAccepted => "device accepted",
            Self::Released => "released",
        })
    }
}

impl Acted {
    /// This, done to this tunnel.
    pub(crate) fn new(object: &BigIpTunnel, action: Action, dry_run: DryRun) -> Self {
        Self {
            namespace: object.namespace().unwrap_or_default(),
            name: object.name_any(),
            action,
            changed: true,
            dry_run: match dry_run {
                DryRun::None => None,
                DryRun::Client => Some("client"),
                DryRun::Server => Some("server"),
            },
            decision: None,
            ready: None,
            next: None,
        }
    }

    /// The pass that was asked for has been made, and this came of it.
    pub(crate) fn reconciled(&mut self, object: &BigIpTunnel) {
        let TunnelReport { ready, next, .. } = TunnelReport::new(object);
        self.action = Action::Reconciled;
        self.ready = Some(ready);
        self.next = next;
    }

    /// Whether something was stored.
    pub(crate) fn is_stored(&self) -> bool {
        self.changed && self.dry_run.is_none()
    }

    /// Whether there is nothing to worry about.
    fn is_fine(&self) -> bool {
        self.ready.as_ref().is_none_or(Fact::holds)
    }
}

impl ActionReport {
    /// Adds what was done, and a note on it if it was stored.
    pub(crate) fn push(&mut self, acted: Acted, note: &str) {
        if acted.is_stored() {
            self.notes.push(note.to_owned());
        }
        self.tunnels.push(acted);
    }

    /// Whether all of it came out well.
    pub(crate) fn outcome(&self) -> Outcome {
        Outcome::fine_if(self.tunnels.iter().all(Acted::is_fine))
    }
}
