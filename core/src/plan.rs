//! Desired + observed + claims → plan, for one tunnel on one device.
//!
//! Never touches a record that is not claimed. The plan is a value: whoever carries it out makes no
//! choices. Knows nothing of Kubernetes, of time, or of whether a removal is allowed now (`guard`).

use std::collections::BTreeSet;

use crate::claims::{ClaimState, DeviceClaims};
use crate::mac::{MacAddress, MacPrefix};
use crate::record::{FdbRecord, Records};

/// What separates a device from the desired records. Every MAC that is desired, observed or claimed
/// is in exactly one of the sets; only a disowned one is `foreign` as well.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// Desired, on the device and owned.
    pub unchanged: BTreeSet<MacAddress>,
    /// Desired and on the device, not owned yet: becomes ours without a device write.
    pub adopt: BTreeSet<MacAddress>,
    /// Desired and missing.
    pub add: Records,
    /// Desired and ours, on the device with another endpoint. Holds the desired one.
    pub correct: Records,
    /// Desired, on the device with another endpoint, and not ours. Holds the observed one.
    pub conflict: Records,
    /// Ours and no longer desired. Holds the observed endpoint.
    pub remove: Records,
    /// Claimed once, but somebody gave the record another endpoint since: no longer ours.
    pub disown: BTreeSet<MacAddress>,
    /// Claimed, no longer desired, and not on the device.
    pub gone: BTreeSet<MacAddress>,
    /// Not ours, and of our form: a leftover, or another cluster's.
    pub unclaimed: Records,
    /// Not ours in any way.
    pub foreign: Records,
}

impl Plan {
    /// Whether the device needs a write.
    #[cfg(test)]
    fn needs_writes(&self) -> bool {
        !(self.add.is_empty() && self.correct.is_empty() && self.remove.is_empty())
    }

    /// How many desired records are not right on the device.
    pub fn missing(&self) -> usize {
        self.add.len() + self.correct.len() + self.conflict.len()
    }

    /// The desired records that are right on the device.
    pub fn present(&self) -> BTreeSet<MacAddress> {
        self.unchanged.union(&self.adopt).copied().collect()
    }
}

/// Compares. `prefix` tells records of our form from others; it decides about display only.
pub fn plan(
    desired: &Records,
    observed: &Records,
    claims: &DeviceClaims,
    prefix: MacPrefix,
) -> Plan {
    let mut plan = Plan::default();
    for (&mac, &wanted) in desired {
        let claim = claims.get(&mac);
        match observed.get(&mac) {
            None => {
                plan.add.insert(mac, wanted);
            }
            Some(&found) if found == wanted => {
                let set = match claim {
                    Some(ClaimState::Owned) => &mut plan.unchanged,
                    _ => &mut plan.adopt,
                };
                set.insert(mac);
            }
            Some(&found) => {
                let record = FdbRecord {
                    mac,
                    endpoint: found,
                };
                let ours = match claim {
                    Some(ClaimState::Owned) => true,
                    // Removed by us once; what is there now is ours only if it is as we write it.
                    Some(ClaimState::Leaving) => record.encodes_itself(prefix),
                    // A pending claim proves nothing: somebody may have been faster than our write.
                    Some(ClaimState::Pending) | None => false,
                };
                if ours {
                    plan.correct.insert(mac, wanted);
                } else {
                    plan.conflict.insert(mac, found);
                }
            }
        }
    }
    for (&mac, &endpoint) in observed
        .iter()
        .filter(|(mac, _)| !desired.contains_key(*mac))
    {
        let record = FdbRecord { mac, endpoint };
        let ours_by_form = record.encodes_itself(prefix);
        match (claims.contains_key(&mac), ours_by_form) {
            (true, true) => plan.remove.insert(mac, endpoint),
            (false, true) => plan.unclaimed.insert(mac, endpoint),
            (claimed, false) => {
                if claimed {
                    plan.disown.insert(mac);
                }
                plan.foreign.insert(mac, endpoint)
            }
        };
    }
    let absent = |mac: &&MacAddress| !desired.contains_key(*mac) && !observed.contains_key(*mac);
    plan.gone = claims.keys().filter(absent).copied().collect();
    plan
}

#[cfg(test)]
mod tests;
