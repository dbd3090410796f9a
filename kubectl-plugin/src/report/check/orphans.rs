//! Records of our MAC scheme that no tunnel of the cluster claims.
//!
//! What another tunnel claims is no leftover, and removing it is not advised.

use std::collections::BTreeSet;

use bigip_tunnel_core::mac::MacAddress;
use bigip_tunnel_core::record::Records;
use bigip_tunnel_crds::convert;
use bigip_tunnel_crds::v1alpha1::{BigIpTunnel, DeviceStatus};
use kube::ResourceExt as _;

use super::evidence::Evidence;
use super::{Check, count};
use crate::catalogue::BTN0303;
use crate::report::prune::{Needed, claimed};

/// How many records that are not its own a unit holds by its tunnel's status, and how many of them other
/// tunnels claim there; `None` where that cannot be read.
pub(super) fn by_status(
    name: &str,
    tunnel: &BigIpTunnel,
    status: &DeviceStatus,
    evidence: &Evidence,
) -> Option<Check> {
    let unclaimed = status.records.as_ref()?.unclaimed;
    let unclaimed = usize::try_from(unclaimed).unwrap_or_default();
    let others = claimed_beside(tunnel, status, evidence);
    found(
        name,
        unclaimed,
        others.map(|others| unclaimed.saturating_sub(others)),
    )
}

/// The same by what the unit said itself.
pub(super) fn by_records(name: &str, unclaimed: &Records, evidence: &Evidence) -> Option<Check> {
    let all = evidence.all_tunnels.as_ref().ok();
    let needed = all.and_then(|all| Needed::by(&[], all).ok());
    let orphaned = needed.map(|needed| {
        let mut orphaned = unclaimed.clone();
        orphaned.retain(|mac, endpoint| !needed.has(*mac, *endpoint));
        orphaned.len()
    });
    found(name, unclaimed.len(), orphaned)
}

fn found(name: &str, unclaimed: usize, orphaned: Option<usize>) -> Option<Check> {
    match (unclaimed, orphaned) {
        (0, _) | (_, Some(0)) => None,
        (_, Some(orphaned)) => {
            let records = count(orphaned, "orphaned record");
            let text = format!("{name}: {records} (our MAC scheme, claimed by no BigIpTunnel)");
            Some(Check::warning(BTN0303, text))
        }
        (unclaimed, None) => {
            let records = count(unclaimed, "record");
            let text = format!(
                "{name}: {records} of our MAC scheme that this tunnel does not claim; whether another one \
                 does cannot be read"
            );
            let hint = "see the tunnels of all namespaces: kubectl bigip-tunnel status -A";
            Some(Check::warning(BTN0303, text).with_hint(hint))
        }
    }
}

/// How many records other tunnels claim on this unit and tunnel that this one does not claim.
fn claimed_beside(
    tunnel: &BigIpTunnel,
    status: &DeviceStatus,
    evidence: &Evidence,
) -> Option<usize> {
    let mut beside: BTreeSet<MacAddress> = BTreeSet::new();
    let mut own = BTreeSet::new();
    let path = convert::tunnel_path(&tunnel.spec).ok()?;
    for read in evidence.all_tunnels.as_ref().ok()? {
        let claimed = claimed(read).ok()?;
        let Ok(other) = &read.0 else { continue };
        let is_own =
            other.namespace() == tunnel.namespace() && other.name_any() == tunnel.name_any();
        let is_beside = convert::tunnel_path(&other.spec).ok().as_ref() == Some(&path);
        for (device, macs) in claimed {
            let devices = other.status.iter().flat_map(|status| &status.devices);
            let mut known = devices.filter(|known| known.name == device);
            let is_here =
                known.any(|known| known.identity.is_some() && known.identity == status.identity);
            if is_own {
                own.extend(macs);
            } else if is_beside && is_here {
                beside.extend(macs);
            }
        }
    }
    Some(beside.difference(&own).count())
}
