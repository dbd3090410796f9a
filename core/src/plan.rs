//! Desired + observed + claims → plan, for one tunnel on one device.
//!
//! Never touches a record that is not claimed. The plan is a value: whoever carries it out makes no
//! choices. Knows nothing of Kubernetes, of time, or of whether a removal is allowed now (`guard`).

use std::collections::{BTreeMap, BTreeSet};

use crate::claims::{ClaimState, DeviceClaims};
use crate::endpoint::Endpoint;
use crate::mac::{MacAddress, MacPrefix};
use crate::record::{FdbRecord, ObservedRecords, Records};

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
    /// Not ours in any way. The endpoint is there where it can be read: a record that is not of our MAC
    /// scheme is foreign by its MAC address alone.
    pub foreign: BTreeMap<MacAddress, Option<Endpoint>>,
    /// How many records have a name that is not a MAC address. They are foreign too.
    pub unnamed: usize,
    /// Desired, and on the device in a form that cannot be read: neither added nor corrected.
    pub unreadable: BTreeSet<MacAddress>,
    /// Ours, no longer desired, and on the device in a form that cannot be read: not removed.
    pub unreadable_stale: BTreeSet<MacAddress>,
    /// Not ours, of our MAC scheme, and not readable either.
    pub unreadable_unclaimed: BTreeSet<MacAddress>,
}

impl Plan {
    /// Whether the device needs a write.
    #[cfg(test)]
    fn needs_writes(&self) -> bool {
        !(self.add.is_empty() && self.correct.is_empty() && self.remove.is_empty())
    }

    /// How many desired records are not right on the device.
    pub fn missing(&self) -> usize {
        self.add.len() + self.correct.len() + self.conflict.len() + self.unreadable.len()
    }

    /// Whether a record is on the device that this product neither claims nor desires.
    pub fn shows_others(&self) -> bool {
        let Self {
            unclaimed,
            foreign,
            unreadable_unclaimed,
            ..
        } = self;
        let is_alone = unclaimed.is_empty() && foreign.is_empty() && self.unnamed == 0;
        !(is_alone && unreadable_unclaimed.is_empty())
    }

    /// The desired records that are right on the device.
    pub fn present(&self) -> BTreeSet<MacAddress> {
        self.unchanged.union(&self.adopt).copied().collect()
    }
}

/// Compares. `prefix` tells records of our MAC scheme from others.
pub fn plan(
    desired: &Records,
    observed: &ObservedRecords,
    claims: &DeviceClaims,
    prefix: MacPrefix,
) -> Plan {
    let mut plan = Plan {
        unnamed: observed.unnamed,
        ..Plan::default()
    };
    for (&mac, &wanted) in desired {
        if observed.unreadable.contains(&mac) {
            plan.unreadable.insert(mac);
        } else {
            let found = observed.records.get(&mac).copied();
            plan.compare((mac, wanted), found, claims.get(&mac).copied(), prefix);
        }
    }
    let is_extra = |mac: &MacAddress| !desired.contains_key(mac);
    for (&mac, &endpoint) in observed.records.iter().filter(|(mac, _)| is_extra(mac)) {
        let record = FdbRecord { mac, endpoint };
        match (claims.contains_key(&mac), record.encodes_itself(prefix)) {
            (true, true) => {
                plan.remove.insert(mac, endpoint);
            }
            (false, true) => {
                plan.unclaimed.insert(mac, endpoint);
            }
            (claimed, false) => plan.leave_to_others(mac, Some(endpoint), claimed),
        }
    }
    for &mac in observed.unreadable.iter().filter(|mac| is_extra(mac)) {
        match (claims.contains_key(&mac), mac.encoded_address(prefix)) {
            (true, Some(_)) => {
                plan.unreadable_stale.insert(mac);
            }
            (false, Some(_)) => {
                plan.unreadable_unclaimed.insert(mac);
            }
            (claimed, None) => plan.leave_to_others(mac, None, claimed),
        }
    }
    let absent = |mac: &&MacAddress| is_extra(mac) && !observed.contains(**mac);
    plan.gone = claims.keys().filter(absent).copied().collect();
    plan
}

impl Plan {
    /// Takes a desired record in, as it is or is not on the device.
    fn compare(
        &mut self,
        (mac, wanted): (MacAddress, Endpoint),
        found: Option<Endpoint>,
        claim: Option<ClaimState>,
        prefix: MacPrefix,
    ) {
        let Some(endpoint) = found else {
            self.add.insert(mac, wanted);
            return;
        };
        if endpoint == wanted {
            let set = match claim {
                Some(ClaimState::Owned) => &mut self.unchanged,
                _ => &mut self.adopt,
            };
            set.insert(mac);
            return;
        }
        let ours = match claim {
            Some(ClaimState::Owned) => true,
            // Removed by us once; what is there now is ours only if it is as we write it.
            Some(ClaimState::Leaving) => FdbRecord { mac, endpoint }.encodes_itself(prefix),
            // A pending claim proves nothing: another writer may have been faster than our write.
            Some(ClaimState::Pending) | None => false,
        };
        if ours {
            self.correct.insert(mac, wanted);
        } else {
            self.conflict.insert(mac, endpoint);
        }
    }

    /// Takes a record in that is not ours, or no longer.
    fn leave_to_others(&mut self, mac: MacAddress, endpoint: Option<Endpoint>, claimed: bool) {
        if claimed {
            self.disown.insert(mac);
        }
        self.foreign.insert(mac, endpoint);
    }
}

#[cfg(test)]
mod tests;
