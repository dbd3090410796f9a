//! What another object on the same tunnel has a say in on a unit.
//!
//! What an object says of itself costs a stranger nothing; so objects of other namespaces count by what the
//! operator has seen with their own logins, or noted with their claims. Within a namespace, where its users
//! trust each other, the doubt keeps records, for a while.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::unit::{SameUnit, UnitEvidence, same_unit};
use crate::mac::MacAddress;
use crate::proven::Seen;
use crate::time::Moment;
use crate::tunnel::TunnelPath;
use crate::unit::{Place, ProvenUnit};

/// How long after its last verification an object has standing on a unit and tunnel.
pub const STANDING: Duration = Duration::from_secs(600);
/// How long what an object of the same namespace desires counts without standing, since this process first
/// saw it at that address, port and tunnel.
pub const NOT_KNOWN_YET: Duration = Duration::from_secs(600);

/// What an object does with its claims.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Activity {
    /// It observes, is paused or suspended: it writes nothing, so it gives up no claim either.
    Idle,
    /// It works.
    Working,
    /// It is being deleted.
    Leaving,
}

/// This object, and the device whose records are judged.
#[derive(Debug, Clone, Copy)]
pub struct Ours<'a> {
    /// The unit behind the device.
    pub unit: UnitEvidence<'a>,
    /// The tunnel.
    pub tunnel: &'a TunnelPath,
    /// Whether the object works or is being deleted.
    pub activity: Activity,
}

/// One device of another object.
#[derive(Debug, Clone, Copy)]
pub struct TheirDevice<'a> {
    /// Where it is reached, if that can be read.
    pub place: Option<&'a Place>,
    /// What it has proven to sessions of this process.
    pub proven: Option<&'a Seen>,
    /// What the status says that it had proven when it was last read.
    pub recorded: Option<&'a ProvenUnit>,
    /// What the object claims on it and does not remove.
    pub claimed: &'a Claimed,
    /// Whether the object lists it.
    pub is_listed: bool,
    /// When this process first saw the object with this device at this place and tunnel; `None` where that
    /// was not noted, which counts as long ago.
    pub first_seen: Option<Moment>,
}

/// The claims of an object on one of its devices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claimed {
    /// These records.
    These(Arc<BTreeSet<MacAddress>>),
    /// They cannot be read.
    Unreadable,
}

/// Another object on the same tunnel, or on one that cannot be read.
#[derive(Debug, Clone)]
pub struct Theirs<'a> {
    /// Whether it is in the namespace of this object.
    pub is_near: bool,
    /// Whether its name sorts before the one of this object.
    pub comes_first: bool,
    /// What it does with its claims.
    pub activity: Activity,
    /// Its devices: listed ones, those that have left its list, and others that its claims name.
    pub devices: Vec<TheirDevice<'a>>,
}

/// What another object has a say in on the unit and tunnel.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Part {
    /// Claims that count: the unit may be the same.
    pub claimed: Vec<Claimed>,
    /// Claims on what is known to be the same unit. Only to these a record is left.
    pub claimed_here: Vec<Claimed>,
    /// Whether what it desires counts.
    pub desires_count: bool,
    /// When what it desires stops to count if nothing else happens.
    pub until: Option<Moment>,
    /// Whether it keeps its claim where both objects only claim a record.
    pub precedes: bool,
}

impl Part {
    /// Whether anything depends on what the object desires: it counts, or decides which of two objects keeps
    /// its claim.
    pub const fn depends_on_desires(&self) -> bool {
        self.desires_count || !self.claimed_here.is_empty()
    }
}

/// What another object has a say in on this unit and tunnel; `None` when it has no part in them.
pub fn part(ours: &Ours<'_>, theirs: &Theirs<'_>, now: Moment) -> Option<Part> {
    let mut part = None;
    for device in &theirs.devices {
        let unit = UnitEvidence {
            place: device.place,
            proven: device.proven,
        };
        let verdict = same_unit(&ours.unit, &unit);
        let has_proven_same = ours.unit.has_proven_same(&unit);
        let is_recorded = is_recorded_here(ours, device);
        let may_count = match verdict {
            SameUnit::Other => false,
            SameUnit::Same => true,
            SameUnit::NotKnownYet => theirs.is_near || is_recorded,
        };
        if !may_count {
            continue;
        }
        let part = part.get_or_insert_with(|| Part {
            precedes: theirs.precedes(ours),
            ..Part::default()
        });
        // An address that a stranger writes down is worth nothing by itself.
        if theirs.is_near || has_proven_same || is_recorded {
            part.claimed.push(device.claimed.clone());
        }
        let is_here =
            has_proven_same || is_recorded || (theirs.is_near && verdict == SameUnit::Same);
        if is_here {
            part.claimed_here.push(device.claimed.clone());
        }
        if theirs.activity != Activity::Working || !device.is_listed {
            continue;
        }
        let has_standing = has_proven_same && has_standing(device.proven, ours.tunnel, now);
        let until = device
            .first_seen
            .map(|first_seen| first_seen + NOT_KNOWN_YET);
        let is_new = theirs.is_near && until.is_some_and(|until| now < until);
        part.desires_count |= has_standing || is_new;
        if is_new && !has_standing {
            part.until = part.until.max(until);
        }
    }
    part
}

impl Theirs<'_> {
    /// Of two objects that only claim a record exactly one keeps its claim: one that is not being deleted
    /// before one that is, one that writes nothing before both, and else the first by name.
    fn precedes(&self, ours: &Ours<'_>) -> bool {
        match self.activity.cmp(&ours.activity) {
            std::cmp::Ordering::Less => true,
            std::cmp::Ordering::Equal => self.comes_first,
            std::cmp::Ordering::Greater => false,
        }
    }
}

/// Whether the status noted this unit with the claims, with a key that this object's own sessions saw.
fn is_recorded_here(ours: &Ours<'_>, device: &TheirDevice<'_>) -> bool {
    match (ours.unit.proven, device.recorded) {
        (Some(seen), Some(recorded)) => seen.has_proven(recorded),
        _ => false,
    }
}

/// Whether the operator has logged in to this unit for the object, read the tunnel, and verified it lately.
fn has_standing(seen: Option<&Seen>, tunnel: &TunnelPath, now: Moment) -> bool {
    let verified = seen.and_then(Seen::verified);
    verified.is_some_and(|verified| verified.tunnel == *tunnel && now <= verified.at + STANDING)
}

#[cfg(test)]
mod tests;
