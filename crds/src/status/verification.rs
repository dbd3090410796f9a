//! When the whole object was last verified (`status.lastVerifiedTime`).

use bigip_tunnel_core::condition::ConditionType;
use bigip_tunnel_core::outcome::TunnelReport;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::v1alpha1::BigIpTunnelStatus;

/// The least time between two moves of `lastVerifiedTime`.
const VERIFIED_GAP: SignedDuration = SignedDuration::from_mins(10);

/// The moment up to which every device is known to be right. At rest it moves rarely: a status that changes
/// every minute would wake everything that watches. A status that changes anyway carries it along, and so does the
/// first verification by a new leader.
pub(super) fn time(
    previous: &BigIpTunnelStatus,
    report: &TunnelReport<'_>,
    next: &BigIpTunnelStatus,
    leading_since: Timestamp,
) -> Option<Time> {
    let before = previous.last_verified_time.clone();
    let mut conditions = next.conditions.iter();
    if !conditions.any(|c| c.type_ == ConditionType::Ready.as_str() && c.status == "True") {
        return before;
    }
    let reads = report.devices.iter().map(|device| device.last_read_time);
    let read = reads.min().flatten();
    let is_ours = before
        .as_ref()
        .is_some_and(|before| before.0 >= leading_since);
    let gap = if is_ours && next == previous {
        VERIFIED_GAP
    } else {
        SignedDuration::ZERO
    };
    match (read, &before) {
        (Some(read), Some(before)) if read.duration_since(before.0) < gap => Some(before.clone()),
        (Some(read), _) => Some(Time(read)),
        (None, _) => before,
    }
}
