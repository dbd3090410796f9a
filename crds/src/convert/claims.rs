//! Claims as stored in the status, to and from core's.
//!
//! A claim that does not parse is left out: it stays on the device and is reported as unclaimed,
//! which is the careful mistake.

use bigip_tunnel_core::budget::{Step, Window};
use bigip_tunnel_core::claims::{ClaimRow, ClaimState, Claims};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::v1alpha1::{self, BigIpTunnelStatus, Claim, Ownership, RemovalStep, RemovalWindow};

/// The claims in this status. Void, that is none, when they were made for an object with another
/// uid: a status that was restored or copied owns nothing.
pub fn claims(status: &BigIpTunnelStatus, uid: &str) -> Claims {
    let ownership = status
        .ownership
        .as_ref()
        .filter(|ownership| ownership.uid == uid);
    let rows = ownership
        .into_iter()
        .flat_map(|ownership| &ownership.claims);
    Claims::from_rows(rows.map(|claim| {
        ClaimRow {
            devices: claim.devices.clone(),
            state: match claim.state {
                v1alpha1::ClaimState::Pending => ClaimState::Pending,
                v1alpha1::ClaimState::Owned => ClaimState::Owned,
                v1alpha1::ClaimState::Leaving => ClaimState::Leaving,
            },
            macs: claim
                .macs
                .iter()
                .filter_map(|mac| mac.parse().ok())
                .collect(),
        }
    }))
}

/// These claims as the status of the object with this uid holds them.
pub fn ownership(claims: &Claims, uid: &str) -> Ownership {
    let claim = |row: ClaimRow| Claim {
        devices: row.devices,
        state: match row.state {
            ClaimState::Pending => v1alpha1::ClaimState::Pending,
            ClaimState::Owned => v1alpha1::ClaimState::Owned,
            ClaimState::Leaving => v1alpha1::ClaimState::Leaving,
        },
        macs: row.macs.iter().map(ToString::to_string).collect(),
    };
    Ownership {
        uid: uid.to_owned(),
        claims: claims.to_rows().into_iter().map(claim).collect(),
    }
}

/// The removals of the last hour, as stored. Numbers that make no sense count as none left.
pub fn removal_window(status: &BigIpTunnelStatus) -> Window {
    let steps = status
        .removal_window
        .iter()
        .flat_map(|window| &window.steps);
    let step = |step: &RemovalStep| Step {
        time: step.time.0,
        claimed: usize::try_from(step.claimed).unwrap_or_default(),
        removed: usize::try_from(step.removed).unwrap_or(usize::MAX),
    };
    Window {
        steps: steps.map(step).collect(),
    }
}

/// The removals of the last hour, to be stored.
pub fn stored_window(window: &Window) -> Option<RemovalWindow> {
    let number = |number: usize| i32::try_from(number).unwrap_or(i32::MAX);
    let step = |step: &Step| RemovalStep {
        time: Time(step.time),
        claimed: number(step.claimed),
        removed: number(step.removed),
    };
    Some(RemovalWindow {
        start: Time(window.steps.first()?.time),
        baseline: number(window.baseline()?),
        removed: number(window.removed()),
        steps: window.steps.iter().map(step).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(uid: &str, macs: &[&str]) -> BigIpTunnelStatus {
        let claim = Claim {
            devices: vec!["bigip-a".into()],
            state: v1alpha1::ClaimState::Owned,
            macs: macs.iter().map(|mac| (*mac).to_owned()).collect(),
        };
        let ownership = Ownership {
            uid: uid.into(),
            claims: vec![claim],
        };
        BigIpTunnelStatus {
            ownership: Some(ownership),
            ..BigIpTunnelStatus::default()
        }
    }

    #[test]
    fn stored_claims_are_read_back_the_same() {
        let stored = status("uid-1", &["0a:0a:0a:00:00:01", "0a:0a:0a:00:00:02"]);
        assert_eq!(
            Some(ownership(&claims(&stored, "uid-1"), "uid-1")),
            stored.ownership
        );
    }

    #[test]
    fn claims_of_another_object_are_void() {
        assert!(claims(&status("uid-1", &["0a:0a:0a:00:00:01"]), "uid-2").is_empty());
    }

    #[test]
    fn a_claim_that_does_not_parse_claims_nothing() {
        assert_eq!(
            claims(&status("uid-1", &["0a:0a:0a:00:00:01", "x"]), "uid-1").len(),
            1
        );
    }
}
