//! The status of a suspended object.

use std::collections::BTreeMap;

use bigip_tunnel_core::condition::ConditionType;
use bigip_tunnel_core::conditions::{
    Before, Condition as CoreCondition, ends_when_suspended, suspended_conditions,
    suspended_device_conditions,
};
use bigip_tunnel_core::reason::Reason;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use super::{Verified, Written, clamp, merge};
use crate::v1alpha1::BigIpTunnelStatus;

/// The status of an object that is not worked on, for the generation of now: what was seen before is
/// shown as last verified. `verified` is when each device was last read, as far as this process knows.
/// A reconcile request is answered, since nothing will come of it.
pub fn paused(
    previous: &BigIpTunnelStatus,
    why: Reason,
    verified: &BTreeMap<String, Timestamp>,
    written: &Written<'_>,
) -> BigIpTunnelStatus {
    let mut status = previous.clone();
    status.observed_generation = Some(written.generation);
    let request = written.handled_request.map(|request| clamp(request, 64));
    status.last_handled_reconcile_at = request.or(status.last_handled_reconcile_at);
    for device in &mut status.devices {
        let verified = verified.get(&device.name).copied();
        let stopped = suspended_device_conditions(why, &before(&device.conditions), verified);
        let stopped = merge(&device.conditions, stopped, written);
        replace(&mut device.conditions, stopped, written);
    }
    let names = previous.devices.iter().map(|device| &device.name);
    let verified = names.map(|name| verified.get(name).copied()).min();
    let mut stopped = suspended_conditions(why, &before(&previous.conditions), verified.flatten());
    status
        .conditions
        .retain(|c| !ConditionType::parse(&c.type_).is_some_and(ends_when_suspended));
    if let Verified::Off = written.cilium {
        let is_of_cilium = |c: &Condition| c.type_ == ConditionType::CiliumReady.as_str();
        status.conditions.retain(|c| !is_of_cilium(c));
        let stays = |c: &CoreCondition| c.kind != ConditionType::CiliumReady;
        stopped.retain(stays);
    }
    let stopped = merge(&previous.conditions, stopped, written);
    replace(&mut status.conditions, stopped, written);
    status
}

fn before(conditions: &[Condition]) -> Vec<Before<'_>> {
    let before = conditions.iter().filter_map(|condition| {
        Some(Before {
            kind: ConditionType::parse(&condition.type_)?,
            status: &condition.status,
            reason: &condition.reason,
            message: &condition.message,
            since: condition.last_transition_time.0,
        })
    });
    before.collect()
}

/// Puts these conditions in the place of those of their types, the summary first.
fn replace(conditions: &mut Vec<Condition>, by: Vec<Condition>, written: &Written<'_>) {
    let mut rest = Vec::new();
    for mut condition in by {
        match conditions.iter_mut().find(|c| c.type_ == condition.type_) {
            Some(replaced) => std::mem::swap(replaced, &mut condition),
            None => rest.push(condition),
        }
    }
    let is_ready = |condition: &Condition| condition.type_ == ConditionType::Ready.as_str();
    let (ready, rest): (Vec<_>, Vec<_>) = rest.into_iter().partition(is_ready);
    conditions.splice(0..0, ready);
    conditions.extend(rest);
    for condition in conditions {
        condition.observed_generation = Some(written.generation);
    }
}
