//! Whether two devices, of two objects, are one unit.
//!
//! What sessions of this process have proven decides; a status never does. Where it is not known, the two
//! are taken for one wherever that keeps a record.

use crate::proven::Seen;
use crate::unit::Place;

/// Whether two devices are one unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SameUnit {
    /// They are.
    Same,
    /// They are two units, as both have proven to sessions of this process.
    Other,
    /// One of them has not proven itself, cannot be reached, or was exchanged.
    NotKnownYet,
}

/// What is known of the unit behind a device.
#[derive(Debug, Clone, Copy)]
pub struct UnitEvidence<'a> {
    /// Where it is reached, if that can be read.
    pub place: Option<&'a Place>,
    /// What it has proven to sessions of this process that its own object has.
    pub proven: Option<&'a Seen>,
}

impl UnitEvidence<'_> {
    /// Whether both have proven to be one unit.
    pub(super) fn has_proven_same(&self, other: &Self) -> bool {
        match (self.proven, other.proven) {
            (Some(this), Some(other)) => this.is_same(other),
            _ => false,
        }
    }

    fn is_current(&self) -> bool {
        self.proven.is_some_and(|seen| seen.is_current(self.place))
    }
}

/// Whether two devices are one unit. Identity and key decide where both have proven them. A repeated
/// identity with a key that is not known there is neither: a certificate may have been renewed, or another
/// machine may repeat what the unit says of itself.
pub fn same_unit(this: &UnitEvidence<'_>, other: &UnitEvidence<'_>) -> SameUnit {
    if this.has_proven_same(other) {
        return SameUnit::Same;
    }
    if let (Some(here), Some(there)) = (this.proven, other.proven) {
        let repeats_identity = here.unit().identity == there.unit().identity;
        if repeats_identity {
            return SameUnit::NotKnownYet;
        }
        if this.is_current() && other.is_current() {
            return SameUnit::Other;
        }
    }
    if this.place.is_some() && this.place == other.place {
        SameUnit::Same
    } else {
        SameUnit::NotKnownYet
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proven::ProvenUnits;
    use crate::testing::{proven_at, unit};

    fn verdict(
        (this_host, this): (&str, Option<&ProvenUnits>),
        (other_host, other): (&str, Option<&ProvenUnits>),
    ) -> SameUnit {
        let [here, there] = [this_host, other_host].map(|host| Place::new(host, 443));
        let seen =
            |known: Option<&ProvenUnits>| known.and_then(|known| known.seen("unit").cloned());
        let (this, other) = (seen(this), seen(other));
        let this = UnitEvidence {
            place: Some(&here),
            proven: this.as_ref(),
        };
        let other = UnitEvidence {
            place: Some(&there),
            proven: other.as_ref(),
        };
        same_unit(&this, &other)
    }

    const A: &str = "192.0.2.11";
    const B: &str = "192.0.2.12";

    #[test]
    fn proven_units_differ_independent_of_address() {
        let first = proven_at(A, &unit("bigip01", 1), 0);
        let by_name = proven_at("bigip-a.example.com", &unit("bigip01", 1), 0);
        let second = proven_at(A, &unit("bigip02", 2), 0);
        let same = verdict((A, Some(&first)), ("bigip-a.example.com", Some(&by_name)));
        assert_eq!(same, SameUnit::Same);
        let other = verdict((A, Some(&first)), (A, Some(&second)));
        assert_eq!(other, SameUnit::Other);
    }

    #[test]
    fn unproven_unit_is_never_a_different_unit() {
        let proven = proven_at(A, &unit("bigip01", 1), 0);
        assert_eq!(verdict((A, Some(&proven)), (A, None)), SameUnit::Same);
        assert_eq!(
            verdict((A, Some(&proven)), (B, None)),
            SameUnit::NotKnownYet
        );
        assert_eq!(verdict((A, None), (B, None)), SameUnit::NotKnownYet);
    }

    #[test]
    fn unit_in_doubt_is_not_another_one() {
        let proven = proven_at(A, &unit("bigip01", 1), 0);
        let mut unreachable = proven_at(B, &unit("bigip02", 2), 0);
        let verdict = |other: &ProvenUnits| verdict((A, Some(&proven)), (B, Some(other)));
        assert_eq!(verdict(&unreachable), SameUnit::Other);
        unreachable.note_doubt("unit");
        assert_eq!(verdict(&unreachable), SameUnit::NotKnownYet);
    }

    #[test]
    fn proof_at_another_address_distinguishes_nothing() {
        let proven = proven_at(A, &unit("bigip01", 1), 0);
        let moved = proven_at("192.0.2.99", &unit("bigip02", 2), 0);
        let verdict = verdict((A, Some(&proven)), (B, Some(&moved)));
        assert_eq!(verdict, SameUnit::NotKnownYet);
    }

    #[test]
    fn repeated_identity_with_unknown_key_stays_unknown() {
        let proven = proven_at(A, &unit("bigip01", 1), 0);
        let repeated = proven_at(B, &unit("bigip01", 9), 0);
        let apart = verdict((A, Some(&proven)), (B, Some(&repeated)));
        assert_eq!(apart, SameUnit::NotKnownYet);
        let mut renewed = proven_at(B, &unit("bigip01", 1), 0);
        renewed.note("unit", &Place::new(B, 443), &unit("bigip01", 9));
        let renewed = verdict((A, Some(&proven)), (B, Some(&renewed)));
        assert_eq!(renewed, SameUnit::Same);
    }
}
