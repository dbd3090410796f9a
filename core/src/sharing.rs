//! Several objects on one tunnel: whose record is it when more than one claims it?
//!
//! A record stays while any object claims or desires it. So that two objects that both once claimed
//! a record do not wait for each other for ever, exactly one of them keeps its claim: one that
//! desires the record, else the one whose name sorts first. Knows nothing of how objects are found.

use std::collections::BTreeSet;

use crate::mac::MacAddress;

/// Another object on the same device and tunnel.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Neighbour {
    /// What its nodes ask for.
    pub desired: BTreeSet<MacAddress>,
    /// What it claims there and does not let go.
    pub claimed: BTreeSet<MacAddress>,
    /// Whether its name sorts before this object's.
    pub comes_first: bool,
}

/// What the others need of a device and tunnel.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Needs {
    /// Whether there is another object on the device and tunnel at all.
    pub is_shared: bool,
    /// Nobody else may remove these.
    pub needed: BTreeSet<MacAddress>,
    /// Of these another object takes care. Whoever does not desire them gives its claim up.
    pub theirs: BTreeSet<MacAddress>,
}

/// What the neighbours need.
pub fn needs(neighbours: &[Neighbour]) -> Needs {
    let mut needs = Needs {
        is_shared: !neighbours.is_empty(),
        ..Needs::default()
    };
    for neighbour in neighbours {
        needs
            .needed
            .extend(neighbour.desired.union(&neighbour.claimed));
        needs.theirs.extend(&neighbour.desired);
        if neighbour.comes_first {
            needs.theirs.extend(&neighbour.claimed);
        }
    }
    needs
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::mac;

    const M1: &str = "0a:0a:0a:00:00:01";

    fn neighbour(desired: &[&str], claimed: &[&str], comes_first: bool) -> Neighbour {
        let set = |macs: &[&str]| macs.iter().map(|m| mac(m)).collect();
        Neighbour {
            desired: set(desired),
            claimed: set(claimed),
            comes_first,
        }
    }

    #[test]
    fn what_another_object_desires_is_needed_and_its_own_to_care_for() {
        let needs = needs(&[neighbour(&[M1], &[], false)]);
        assert_eq!(
            needs,
            Needs {
                is_shared: true,
                needed: [mac(M1)].into(),
                theirs: [mac(M1)].into()
            }
        );
    }

    #[test]
    fn what_another_object_only_claims_is_needed_all_the_same() {
        assert_eq!(
            needs(&[neighbour(&[], &[M1], false)]).needed,
            [mac(M1)].into()
        );
    }

    #[test]
    fn of_two_objects_that_only_claim_a_record_exactly_one_gives_it_up() {
        let seen_by_second = needs(&[neighbour(&[], &[M1], true)]);
        let seen_by_first = needs(&[neighbour(&[], &[M1], false)]);
        assert!(seen_by_second.theirs.contains(&mac(M1)));
        assert!(!seen_by_first.theirs.contains(&mac(M1)));
    }
}
