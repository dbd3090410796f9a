//! Which records stay for other objects on the same unit and tunnel.
//!
//! Asked record by record, so that a neighbour with many nodes costs nothing where no record is to go.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use super::part::{Claimed, Part};
use crate::mac::MacAddress;
use crate::time::Moment;

/// The records that an object desires.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wants {
    /// These.
    These(Arc<BTreeSet<MacAddress>>),
    /// Its spec or its nodes cannot be read.
    Unknown,
}

/// Another object with a part in the unit and tunnel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Neighbour {
    /// Its namespace.
    pub namespace: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
    /// Whether it is in the namespace of this object.
    pub is_near: bool,
    /// What it has a say in.
    pub part: Part,
    /// What it desires, whether that counts or not, if [`Part::depends_on_desires`].
    pub wants: Wants,
}

/// What the others need of a unit and tunnel.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Needs(Vec<Neighbour>);

/// The object that a record stays for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldBy {
    /// Its namespace.
    pub namespace: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
    /// Whether it is in the namespace of this object, whose readers may know its name.
    pub is_near: bool,
    /// Why the record stays for it.
    pub why: Why,
}

/// Why a record stays for another object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// It claims the record.
    Claims,
    /// It desires the record.
    Desires,
    /// What it claims cannot be read.
    ClaimsUnreadable,
    /// What it desires is not known.
    DesiresUnknown,
}

impl fmt::Display for HeldBy {
    /// For the status, which only readers of this object's namespace see.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_near {
            write!(f, "BigIpTunnel {}", self.name)?;
        } else {
            f.write_str("a BigIpTunnel in another namespace (named in the log of the operator)")?;
        }
        f.write_str(match self.why {
            Why::Claims => " claims them too",
            Why::Desires => " selects their nodes",
            Why::ClaimsUnreadable => " may claim them: its claims cannot be read",
            Why::DesiresUnknown => {
                " may need them: its spec or its nodes cannot be read, or its BIG-IP has not answered yet"
            }
        })
    }
}

impl Needs {
    /// What these neighbours need.
    pub const fn of(neighbours: Vec<Neighbour>) -> Self {
        Self(neighbours)
    }

    /// Whether another object has a part in the unit and tunnel.
    pub const fn is_shared(&self) -> bool {
        !self.0.is_empty()
    }

    /// The object that keeps this record from being removed.
    pub fn holder(&self, mac: MacAddress) -> Option<HeldBy> {
        self.0.iter().find_map(|neighbour| {
            Some(HeldBy {
                why: neighbour.why_held(mac)?,
                namespace: neighbour.namespace.clone(),
                name: neighbour.name.clone(),
                is_near: neighbour.is_near,
            })
        })
    }

    /// Whether another object takes care of this record, which this object does not desire: its claim is
    /// left to that one.
    pub fn is_left_to_another(&self, mac: MacAddress) -> bool {
        self.0.iter().any(|neighbour| neighbour.takes(mac))
    }

    /// When a desire that counts only for a while stops to count.
    pub fn next_change(&self) -> Option<Moment> {
        self.0
            .iter()
            .filter_map(|neighbour| neighbour.part.until)
            .min()
    }
}

impl Neighbour {
    fn why_held(&self, mac: MacAddress) -> Option<Why> {
        let claims = |claimed: &Claimed| match claimed {
            Claimed::These(macs) => macs.contains(&mac).then_some(Why::Claims),
            Claimed::Unreadable => Some(Why::ClaimsUnreadable),
        };
        let desires = || match &self.wants {
            Wants::These(macs) => macs.contains(&mac).then_some(Why::Desires),
            Wants::Unknown => Some(Why::DesiresUnknown),
        };
        let claimed = self.part.claimed.iter().filter_map(claims).min();
        claimed.or_else(|| desires().filter(|_| self.part.desires_count))
    }

    fn takes(&self, mac: MacAddress) -> bool {
        let claims = |claimed: &Claimed| match claimed {
            Claimed::These(macs) => macs.contains(&mac),
            Claimed::Unreadable => false,
        };
        let desires = match &self.wants {
            Wants::These(macs) => macs.contains(&mac),
            Wants::Unknown => false,
        };
        self.part.claimed_here.iter().any(claims) && (desires || self.part.precedes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::mac;

    const M1: &str = "0a:0a:0a:00:00:01";
    const M2: &str = "0a:0a:0a:00:00:02";

    fn macs(macs: &[&str]) -> Arc<BTreeSet<MacAddress>> {
        Arc::new(macs.iter().map(|text| mac(text)).collect())
    }

    fn neighbour(claimed: &[&str], desired: &[&str], precedes: bool) -> Neighbour {
        let claimed = vec![Claimed::These(macs(claimed))];
        Neighbour {
            namespace: "bigip".into(),
            name: "b".into(),
            is_near: true,
            part: Part {
                claimed: claimed.clone(),
                claimed_here: claimed,
                desires_count: true,
                until: None,
                precedes,
            },
            wants: Wants::These(macs(desired)),
        }
    }

    fn why(neighbour: Neighbour, text: &str) -> Option<Why> {
        Needs::of(vec![neighbour])
            .holder(mac(text))
            .map(|held| held.why)
    }

    fn is_left(neighbour: Neighbour) -> bool {
        Needs::of(vec![neighbour]).is_left_to_another(mac(M1))
    }

    #[test]
    fn desired_record_stays_unless_a_peer_claims_it() {
        assert_eq!(why(neighbour(&[], &[M1], true), M1), Some(Why::Desires));
        assert!(!is_left(neighbour(&[], &[M1], true)));
        assert!(is_left(neighbour(&[M1], &[M1], false)));
    }

    #[test]
    fn claimed_record_passes_to_the_preceding_object() {
        assert_eq!(why(neighbour(&[M1], &[], false), M1), Some(Why::Claims));
        assert!(!is_left(neighbour(&[M1], &[], false)));
        assert!(is_left(neighbour(&[M1], &[], true)));
        assert_eq!(why(neighbour(&[M1], &[], true), M2), None);
    }

    #[test]
    fn claim_on_unproven_unit_takes_no_record_over() {
        let mut far = neighbour(&[M1], &[M1], true);
        far.part.claimed_here.clear();
        assert_eq!(why(far.clone(), M1), Some(Why::Claims));
        assert!(!is_left(far));
    }

    #[test]
    fn desires_without_standing_decide_only_the_handover() {
        let mut lapsed = neighbour(&[M1], &[M1, M2], false);
        lapsed.part.desires_count = false;
        assert_eq!(why(lapsed.clone(), M2), None);
        assert!(is_left(lapsed));
    }

    #[test]
    fn unreadable_claims_hold_every_record_and_take_none() {
        let mut unreadable = neighbour(&[], &[], true);
        unreadable.part.claimed = vec![Claimed::Unreadable];
        unreadable.part.claimed_here = vec![Claimed::Unreadable];
        assert_eq!(why(unreadable.clone(), M1), Some(Why::ClaimsUnreadable));
        assert!(!is_left(unreadable));
    }

    #[test]
    fn unknown_desires_keep_records_only_while_they_count() {
        let mut unknown = neighbour(&[], &[], false);
        unknown.wants = Wants::Unknown;
        assert_eq!(why(unknown.clone(), M1), Some(Why::DesiresUnknown));
        unknown.part.desires_count = false;
        assert_eq!(why(unknown, M1), None);
    }

    #[test]
    fn object_of_another_namespace_is_not_named_in_the_status() {
        let mut stranger = neighbour(&[M1], &[], false);
        let said = |neighbour: Neighbour| {
            let held = Needs::of(vec![neighbour]).holder(mac(M1));
            held.map(|held| held.to_string()).unwrap_or_default()
        };
        assert_eq!(said(stranger.clone()), "BigIpTunnel b claims them too");
        stranger.is_near = false;
        assert!(!said(stranger.clone()).contains("BigIpTunnel b "));
        assert!(said(stranger).ends_with("claims them too"));
    }
}
