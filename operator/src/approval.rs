//! Removals that wait for a person, and the person's answer.
//!
//! An approval is for exactly one set, held since one moment, and works once. Does no I/O; what is
//! held is shown by the status, the answer comes as an annotation.

use std::collections::BTreeSet;
use std::sync::Arc;

use bigip_tunnel_core::mac::MacAddress;
use bigip_tunnel_core::outcome::HeldRemoval;
use bigip_tunnel_crds::v1alpha1::BigIpTunnelStatus;
use jiff::Timestamp;

/// One object's held removal.
#[derive(Debug, Default)]
pub(crate) struct Approval {
    held: Option<HeldRemoval>,
    approved: Arc<BTreeSet<MacAddress>>,
    handled: Option<String>,
}

impl Approval {
    /// The removal that waits.
    pub(crate) fn held(&self) -> Option<&HeldRemoval> {
        self.held.as_ref()
    }

    /// The records that may go whatever the budget says.
    pub(crate) fn approved(&self) -> Arc<BTreeSet<MacAddress>> {
        self.approved.clone()
    }

    /// The answer that was acted on, in this process.
    pub(crate) fn handled(&self) -> Option<&str> {
        self.handled.as_deref()
    }

    /// Takes in what the devices hold now. `unwanted` are all records that are ours and not desired,
    /// on any device: the approval of a record ends when it is gone, or wanted again. The moment at
    /// which a set was first held survives a restart in the status.
    pub(crate) fn update(
        &mut self,
        over_budget: BTreeSet<MacAddress>,
        unwanted: &BTreeSet<MacAddress>,
        stored: &BigIpTunnelStatus,
        now: Timestamp,
    ) {
        if !self.approved.is_subset(unwanted) {
            self.approved = Arc::new(self.approved.intersection(unwanted).copied().collect());
        }
        if over_budget.is_empty() {
            self.held = None;
            return;
        }
        if self
            .held
            .as_ref()
            .is_some_and(|held| held.macs == over_budget)
        {
            return;
        }
        let as_stored = stored.held_removal.as_ref().and_then(|shown| {
            let held = HeldRemoval {
                macs: over_budget.clone(),
                since: shown.since.0,
            };
            // One that was approved and met a restart before it was acted on is asked again: the same
            // answer would do nothing.
            let is_answered = stored.last_handled_approval.as_ref() == Some(&shown.digest);
            (held.digest() == shown.digest && !is_answered).then_some(held)
        });
        self.held = Some(as_stored.unwrap_or(HeldRemoval {
            macs: over_budget,
            since: now,
        }));
    }

    /// Takes in the person's answer. Returns whether it lets anything go: an answer to another
    /// question does not, and one that was acted on before does not again.
    pub(crate) fn answer(&mut self, annotation: Option<&str>, last_handled: Option<&str>) -> bool {
        let Some((held, answer)) = self.held.as_ref().zip(annotation) else {
            return false;
        };
        let is_new = last_handled != Some(answer) && self.handled.as_deref() != Some(answer);
        if held.digest() != answer || !is_new {
            return false;
        }
        self.approved = Arc::new(held.macs.clone());
        self.handled = Some(answer.to_owned());
        true
    }
}

#[cfg(test)]
mod tests {
    use bigip_tunnel_crds::v1alpha1;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

    use super::*;

    fn set(last_octets: &[u8]) -> BTreeSet<MacAddress> {
        last_octets
            .iter()
            .map(|last| MacAddress::new([0x0a, 0x0a, 10, 0, 0, *last]))
            .collect()
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    /// An approval that holds these records since second 100.
    fn holding(macs: &[u8]) -> (Approval, String) {
        let mut approval = Approval::default();
        approval.update(
            set(macs),
            &set(macs),
            &BigIpTunnelStatus::default(),
            at(100),
        );
        let digest = approval.held().unwrap().digest();
        (approval, digest)
    }

    #[test]
    fn digest_of_the_blocked_set_approves_the_set() {
        let (mut approval, digest) = holding(&[1, 2]);
        assert!(approval.answer(Some(&digest), None));
        assert_eq!(*approval.approved(), set(&[1, 2]));
        assert_eq!(approval.handled(), Some(&*digest));
    }

    #[test]
    fn approval_of_another_set_has_no_effect() {
        let (_, other) = holding(&[1]);
        let (mut approval, _) = holding(&[1, 2]);
        assert!(!approval.answer(Some(&other), None));
        assert!(!approval.answer(None, None));
        assert!(approval.approved().is_empty());
    }

    #[test]
    fn approval_is_used_once() {
        let (mut approval, digest) = holding(&[1, 2]);
        assert!(approval.answer(Some(&digest), None));
        assert!(!approval.answer(Some(&digest), None));
        let (mut restarted, same) = holding(&[1, 2]);
        assert!(!restarted.answer(Some(&same), Some(&digest)));
    }

    #[test]
    fn set_blocked_again_needs_another_approval() {
        let (mut approval, digest) = holding(&[1, 2]);
        approval.update(set(&[]), &set(&[]), &BigIpTunnelStatus::default(), at(200));
        approval.update(
            set(&[1, 2]),
            &set(&[1, 2]),
            &BigIpTunnelStatus::default(),
            at(300),
        );
        assert!(!approval.answer(Some(&digest), None));
    }

    #[test]
    fn approval_ends_when_record_is_removed_or_desired() {
        let (mut approval, digest) = holding(&[1, 2]);
        approval.answer(Some(&digest), None);
        approval.update(set(&[]), &set(&[2]), &BigIpTunnelStatus::default(), at(200));
        assert_eq!(*approval.approved(), set(&[2]));
        approval.update(set(&[]), &set(&[]), &BigIpTunnelStatus::default(), at(300));
        assert!(approval.approved().is_empty());
    }

    #[test]
    fn restart_keeps_the_approval_digest() {
        let (approval, digest) = holding(&[1, 2]);
        let held = approval.held().unwrap();
        let stored = BigIpTunnelStatus {
            held_removal: Some(v1alpha1::HeldRemoval {
                digest: digest.clone(),
                since: Time(held.since),
                count: 2,
                sample: vec![],
            }),
            ..BigIpTunnelStatus::default()
        };
        let mut restarted = Approval::default();
        restarted.update(set(&[1, 2]), &set(&[1, 2]), &stored, at(900));
        assert_eq!(restarted.held().unwrap().digest(), digest);
    }

    #[test]
    fn approval_that_met_a_restart_must_be_repeated() {
        let (approval, digest) = holding(&[1, 2]);
        let stored = BigIpTunnelStatus {
            held_removal: Some(v1alpha1::HeldRemoval {
                digest: digest.clone(),
                since: Time(approval.held().unwrap().since),
                count: 2,
                sample: vec![],
            }),
            last_handled_approval: Some(digest.clone()),
            ..BigIpTunnelStatus::default()
        };
        let mut restarted = Approval::default();
        restarted.update(set(&[1, 2]), &set(&[1, 2]), &stored, at(900));
        let asked = restarted.held().unwrap().digest();
        assert_ne!(asked, digest);
        assert!(restarted.answer(Some(&asked), Some(&digest)));
    }
}
