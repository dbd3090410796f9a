//! Builders for the tests of a pass's decisions. Not compiled into the library.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::assignment::{Assignment, Purpose};
use super::inputs::{ClaimView, Inputs, NodeEvidence, Removals};
use super::memory::{Beginning, Memory};
use crate::claims::DeviceClaims;
use crate::drift::DriftPolicy;
use crate::mac::MacPrefix;
use crate::node::{AddressRule, NodeView};
use crate::outcome::DeviceReport;
use crate::sharing::Needs;
use crate::testing::tunnel;
use crate::time::Moment;

/// The wall clock of the tests.
pub(crate) const NOW: Timestamp = Timestamp::UNIX_EPOCH;

/// So many seconds after the process began.
pub(crate) fn at(second: u64) -> Moment {
    Moment::since_start(Duration::from_secs(second))
}

/// The memory of a task that has just begun, without a settle period.
pub(crate) fn memory() -> Memory {
    Memory::after_restart(Beginning {
        report: DeviceReport::pending("a".into(), "192.0.2.11".into(), 443),
        claims: &DeviceClaims::new(),
        identity: None,
        has_foreign_records: false,
        led_since: at(0),
        settle_period: Duration::ZERO,
        now: at(0),
        time: NOW,
    })
}

/// Maintaining the records of these nodes on device `a`, without saving and without a removal delay.
pub(crate) fn assignment(nodes: &[NodeView]) -> Assignment {
    Assignment {
        device: "a".into(),
        host: "192.0.2.11".into(),
        port: 443,
        purpose: Purpose::Maintain,
        tunnel: tunnel(),
        prefix: MacPrefix::DEFAULT,
        addresses: AddressRule::default(),
        removal_delay: Duration::ZERO,
        removal_percent: 100,
        save_delay: None,
        drift: DriftPolicy::Correct,
        bulk_writes: false,
        listed: Arc::new(["a".to_owned()].into()),
        nodes: nodes.into(),
        arrivals: Arc::default(),
        approved: Arc::default(),
        against_nodes: Arc::default(),
        accepted: None,
    }
}

/// These claims and nodes, listed for a removal; no other object needs anything.
pub(crate) fn inputs(claims: &DeviceClaims, nodes: &[NodeView]) -> Inputs {
    let stored = ClaimView {
        claims: claims.clone(),
        names: Arc::default(),
        removals: Removals {
            staying: claims.keys().copied().collect(),
            room_bytes: 1 << 20,
            ..Removals::default()
        },
        version: 0,
    };
    let evidence = NodeEvidence {
        nodes: nodes.into(),
        may_remove: true,
    };
    Inputs {
        needs: Some(Needs::default()),
        ..Inputs::new(stored, evidence)
    }
}
