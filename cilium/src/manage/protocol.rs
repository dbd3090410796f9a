//! Whether the tunnel of each unit speaks as Cilium does: an entry of another one leads to frames that are dropped.

use bigip_tunnel_core::conditions::{Condition, Truth};
use bigip_tunnel_core::reason::Reason;
use bigip_tunnel_core::unit::CILIUM_VNI;

use super::said;
use crate::config::{Config, Routing};
use crate::unit::{Tunnel, Unit};

/// Why no entry is written for these units.
pub(super) fn refusal(config: Option<Config<'_>>, tunnel: &Tunnel) -> Option<Condition> {
    let differs = tunnel.units.iter().find_map(|unit| differs(config, unit));
    differs.or_else(|| {
        let unit = tunnel.units.iter().find(|unit| unit.vni.is_none())?;
        let message = format!(
            "no CiliumVTEPConfig is written: the VNI of {} is not known yet",
            unit.key
        );
        Some(said(Truth::Unknown, Reason::Pending, message))
    })
}

fn differs(config: Option<Config<'_>>, unit: &Unit) -> Option<Condition> {
    let key = &unit.key;
    if let Some(vni) = unit.vni.filter(|vni| *vni != CILIUM_VNI) {
        let message = format!(
            "no CiliumVTEPConfig is written: {key} has VNI {vni}, Cilium uses {CILIUM_VNI}: on {}: tmsh modify net tunnels \
             tunnel {} key {CILIUM_VNI}",
            key.device, unit.path
        );
        return Some(said(Truth::False, Reason::VniMismatch, message));
    }
    let kind = unit.encapsulation.as_ref()?;
    let Routing::Tunnel { protocol, .. } = config?.routing() else {
        return None;
    };
    if *kind == protocol {
        return None;
    }
    let message = format!(
        "no CiliumVTEPConfig is written: {key} speaks {kind}, Cilium {protocol}: give {} a {protocol} profile",
        unit.path
    );
    Some(said(Truth::False, Reason::EncapsulationMismatch, message))
}
