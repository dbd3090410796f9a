//! Whether the CiliumVTEPConfig of a tunnel is written now, and what is to be said about it.
//!
//! Decides from one list of objects, read just before. What is not known is never written: a wrong entry cuts pods off
//! on every node. Must not know how an object is sent, or to whom a condition is shown.

mod programmed;
mod protocol;
mod refused;

use bigip_tunnel_core::condition::ConditionType;
use std::collections::BTreeSet;

use bigip_tunnel_core::conditions::{Condition, Truth};
use bigip_tunnel_core::node::Ipv4Net;
use bigip_tunnel_core::reason::Reason;

use serde_json::Value;

use crate::config::Config;
use crate::objects::{self, Object};
use crate::overlap;
use crate::render::Shape;
use crate::revision::Revision;
use crate::seen::{Cluster, Scope};
use crate::unit::{Tunnel, Unit};
use crate::vtep::{self, Entry, VtepObject, WrittenEntry};
use crate::words::some_of;

/// A CiliumVTEPConfig, as it was listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Live {
    /// The object.
    pub object: VtepObject,
    /// uid of the object that it was written for. `None` without the marks of the operator.
    pub owner: Option<String>,
    /// Its one mask for all networks, where it has one.
    pub mask: Option<String>,
    /// Names of the entries that its status calls programmed.
    pub synced: BTreeSet<String>,
    /// Those of them of which it shows that they are the entries of the present spec.
    pub confirmed: BTreeSet<String>,
    /// Whether its status says that it is about an older spec.
    pub is_outdated: bool,
    /// Its finalizers, while it is being deleted.
    pub leaving: Option<Vec<String>>,
}

impl Live {
    /// An object with this content (`spec` and `status`) and revision, which is not being deleted.
    pub fn new(
        object: VtepObject,
        owner: Option<String>,
        content: &Value,
        revision: Revision,
    ) -> Self {
        let status = content.get("status");
        let mask = content
            .pointer("/spec/cidrMask")
            .and_then(Value::as_str)
            .map(str::to_owned);
        Self {
            object,
            owner,
            mask,
            synced: vtep::synced(status),
            confirmed: revision.confirmed(status),
            is_outdated: revision.is_outdated(status),
            leaving: None,
        }
    }
}

/// What is decided about.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// The cluster, with these objects.
    pub cluster: &'a Cluster,
    /// Every CiliumVTEPConfig.
    pub live: &'a [Live],
    /// The form in which they are served.
    pub shape: Shape,
    /// Name of the tunnel's CiliumVTEPConfig.
    pub name: &'a str,
    /// uid of the tunnel's object.
    pub uid: &'a str,
    /// The tunnel.
    pub tunnel: &'a Tunnel,
    /// Whether the object only looks.
    pub observes: bool,
}

/// What is to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write {
    /// The object.
    pub object: Object,
    /// Its one mask for all networks, where it has one.
    pub mask: Option<String>,
}

/// What comes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// What is to be written.
    pub apply: Option<Write>,
    /// What is to be said, as long as nothing is written.
    pub condition: Condition,
}

/// The condition with this status, reason and message.
pub fn said(truth: Truth, reason: Reason, message: impl Into<String>) -> Condition {
    Condition {
        kind: ConditionType::VtepConfigured,
        truth,
        reason,
        message: message.into(),
    }
}

/// Decides.
pub fn decide(question: &Question<'_>) -> Decision {
    let compared = wanted(question).and_then(|object| compare(question, object));
    compared.unwrap_or_else(|condition| Decision {
        apply: None,
        condition,
    })
}

impl Question<'_> {
    fn own(&self) -> Option<&Live> {
        let mut live = self.live.iter();
        live.find(|live| live.object.name == self.name)
    }

    fn others(&self) -> Vec<&str> {
        let names = self.live.iter().map(|live| &*live.object.name);
        names.filter(|name| *name != self.name).collect()
    }
}

/// The object as it should be, unless it may not be written.
fn wanted(question: &Question<'_>) -> Result<Object, Condition> {
    let name = question.name;
    if let Some(own) = question.own()
        && own.owner.as_deref() != Some(question.uid)
    {
        return Err(not_ours(question, own));
    }
    let others = question.others();
    if question.shape == Shape::V2 && !others.is_empty() {
        let message = format!(
            "CiliumVTEPConfig {name} is not written while others exist ({}): whether agents of cilium.io/v2 merge several is \
             not known. Delete them, or put the entries of this tunnel into them (kubectl bigip-tunnel cilium)",
            some_of(&others)
        );
        return Err(said(Truth::False, Reason::VtepConfigNotAlone, message));
    }
    if let Some(finalizers) = question.own().and_then(|own| own.leaving.as_ref()) {
        return Err(leaving(name, finalizers));
    }
    let config = config(question.cluster);
    if let Some(condition) = protocol::refusal(config, question.tunnel) {
        return Err(condition);
    }
    let made = objects::of_tunnels(
        config,
        question.cluster,
        std::slice::from_ref(question.tunnel),
    );
    let object = match made {
        Ok(made) => made.wanted.into_iter().next(),
        Err(refusals) => return Err(refused::condition(&refusals)),
    };
    let object = object
        .filter(|object| object.name == name)
        .ok_or_else(|| said(Truth::Unknown, Reason::Pending, "no BIG-IP was read yet"))?;
    match beside(config, &object) {
        Some(condition) => Err(condition),
        None => Ok(object),
    }
}

fn config(cluster: &Cluster) -> Option<Config<'_>> {
    let config = cluster.config.as_ref().ok()?.as_ref();
    config.map(|config| Config(&config.data))
}

/// What is said of an object that is being deleted and is wanted.
fn leaving(name: &str, finalizers: &[String]) -> Condition {
    let finalizers: Vec<&str> = finalizers.iter().map(String::as_str).collect();
    let held = if finalizers.is_empty() {
        String::new()
    } else {
        format!(" (finalizers: {})", some_of(&finalizers))
    };
    let message = format!(
        "CiliumVTEPConfig {name} is being deleted{held}; it is created again when it is gone"
    );
    said(Truth::Unknown, Reason::Pending, message)
}

fn not_ours(question: &Question<'_>, own: &Live) -> Condition {
    let Question { name, uid, .. } = question;
    let of = own.owner.as_ref().map_or_else(
        || "was not written by this operator".to_owned(),
        |owner| format!("was written for an object with the uid {owner}"),
    );
    let message = format!(
        "CiliumVTEPConfig {name} {of}, and is not touched. Delete it, or hand it over: set its label \
         app.kubernetes.io/managed-by to bigip-tunnel-operator and its annotation bigip-tunnel.dev/owner-uid to {uid}"
    );
    said(Truth::False, Reason::VtepConfigNotOurs, message)
}

/// Entries of the lists that the object would not have: which of both agents use is not known.
fn beside(config: Option<Config<'_>>, object: &Object) -> Option<Condition> {
    let config = config.filter(|config| config.is_on("enable-vtep"))?;
    let ours = [VtepObject {
        name: object.name.clone(),
        scope: Scope::All,
        entries: object.entries.clone(),
        failed: Vec::new(),
    }];
    let ours = vtep::of_objects(&ours);
    let is_same = |one: &Entry, other: &Entry| {
        (&one.endpoint, &one.cidr, &one.mac) == (&other.endpoint, &other.cidr, &other.mac)
    };
    let (lists, _) = vtep::of_lists(config);
    let other = lists
        .iter()
        .find(|entry| !ours.iter().any(|own| is_same(own, entry)))?;
    let message = format!(
        "cilium-config holds {other}, which differs from the entries of this tunnel: which of both agents use is not \
         known. Remove the lists vtep-* from Cilium's configuration first"
    );
    Some(said(Truth::False, Reason::VtepSourcesDiffer, message))
}

/// Compares the object with what it should be.
fn compare(question: &Question<'_>, object: Object) -> Result<Decision, Condition> {
    let live = question.own();
    let entries: Vec<WrittenEntry> = live.map_or_else(Vec::new, |live| {
        live.object.entries.iter().map(objects::normal).collect()
    });
    let name = &object.name;
    if live.is_some_and(|live| live.object.scope != Scope::All) {
        let message = format!(
            "CiliumVTEPConfig {name} has a nodeSelector, which this operator did not write: remove it; it is not \
             overwritten"
        );
        return Err(said(Truth::False, Reason::VtepConfigConflict, message));
    }
    let mask = mask(live, &object)?;
    let is_masked = live.and_then(|live| live.mask.as_ref()) == mask.as_ref();
    let wanted = object.entries.iter();
    let missing: Vec<&WrittenEntry> = wanted.filter(|entry| !entries.contains(entry)).collect();
    if live.is_some() && missing.is_empty() && entries.len() == object.entries.len() && is_masked {
        let condition = programmed::condition(question, &object);
        return Ok(Decision {
            apply: None,
            condition,
        });
    }
    check_known(question, &missing)?;
    let verb = if live.is_some() { "changed" } else { "created" };
    if question.observes {
        let message = format!(
            "managementPolicy Observe: nothing is written. CiliumVTEPConfig {name} would be {verb}"
        );
        return Err(said(Truth::Unknown, Reason::Observed, message));
    }
    let message = format!("CiliumVTEPConfig {name} is being {verb}");
    Ok(Decision {
        apply: Some(Write { object, mask }),
        condition: said(Truth::Unknown, Reason::Progressing, message),
    })
}

/// The mask that the object needs, where it has one for all networks: in one revision of `cilium.io/v2`.
fn mask(live: Option<&Live>, object: &Object) -> Result<Option<String>, Condition> {
    if live.is_none_or(|live| live.mask.is_none()) {
        return Ok(None);
    }
    let networks = object.entries.iter().map(|entry| entry.cidr.parse());
    let networks: Vec<Ipv4Net> = networks.filter_map(Result::ok).collect();
    let masks: BTreeSet<String> = networks
        .iter()
        .map(|net| net.netmask().to_string())
        .collect();
    let mut masks = masks.into_iter();
    let first = masks.next();
    if masks.next().is_none() {
        return Ok(first);
    }
    let networks: Vec<String> = networks.iter().map(ToString::to_string).collect();
    let message = format!(
        "CiliumVTEPConfig {} is not written: it has one mask for all networks in the version that is served, and the \
         prefixes of {} differ; use equal prefixes",
        object.name,
        networks.join(", ")
    );
    Err(said(Truth::False, Reason::VtepPrefixesDiffer, message))
}

/// What is said of an object that is not as it should be although it was just written.
pub fn not_effective(name: &str) -> Condition {
    let message = format!(
        "CiliumVTEPConfig {name} holds other values than were written: entries or fields of another client, or of a \
         webhook. Remove them; they are not overwritten"
    );
    said(Truth::False, Reason::VtepConfigConflict, message)
}

/// Whether everything is known that a write depends on.
fn check_known(question: &Question<'_>, missing: &[&WrittenEntry]) -> Result<(), Condition> {
    let is_of = |unit: &Unit, entry: &WrittenEntry| {
        unit.local.map(|local| local.to_string()).as_ref() == Some(&entry.endpoint)
    };
    let silent = question
        .tunnel
        .units
        .iter()
        .find(|unit| !unit.is_current && missing.iter().any(|entry| is_of(unit, entry)));
    let name = question.name;
    if let Some(unit) = silent {
        let message = format!(
            "{} does not answer with its tunnel now: CiliumVTEPConfig {name} is not written from what it said before",
            unit.key.device
        );
        return Err(said(Truth::Unknown, Reason::Pending, message));
    }
    let unknown = overlap::not_seen(config(question.cluster), question.cluster);
    if unknown.is_empty() {
        return Ok(());
    }
    let message = format!(
        "CiliumVTEPConfig {name} is not written: whether its networks overlap is not known without {}",
        unknown.join("; ")
    );
    Err(said(Truth::Unknown, Reason::CiliumUnreadable, message))
}

#[cfg(test)]
mod tests;
