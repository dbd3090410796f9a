//! What a pass reads besides the device: claims, nodes, what other objects need.
//!
//! Values only. Where they are read is decided by the operator's adapters.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use crate::budget::{self, Census, Due, OverBudget, Window};
use crate::cause::Cause;
use crate::claims::{ClaimState, Claims, DeviceClaims, NodeNames};
use crate::desired::Desired;
use crate::mac::MacAddress;
use crate::node::NodeView;
use crate::plan::Plan;
use crate::sharing::Needs;
use crate::time::Moment;

use super::Depth;
use super::assignment::Assignment;

/// The claims of an object, as far as one device needs them.
#[derive(Debug, Clone)]
pub struct ClaimView {
    /// What is claimed on the device.
    pub claims: DeviceClaims,
    /// The nodes of the claimed records.
    pub names: Arc<NodeNames>,
    /// What removals are judged by.
    pub removals: Removals,
    /// The resource version of the object as stored: a list of nodes that is older shows the past.
    pub version: u128,
}

/// The nodes of a pass.
#[derive(Debug, Clone)]
pub struct NodeEvidence {
    /// All nodes. Listed for this pass if it is one for removals.
    pub nodes: Arc<[NodeView]>,
    /// Whether a record may be removed by them: they were listed for this pass and nothing contradicts the
    /// list, or they do not count because all records are removed.
    pub may_remove: bool,
}

impl NodeEvidence {
    /// Whether a pass of this depth needs a complete list of the nodes, made for it. Where all records of the
    /// object are removed, what nodes desire does not count any more.
    pub fn needs_list(work: &Assignment, depth: Depth) -> bool {
        depth == Depth::Removal && !work.purpose.is_clean_up()
    }

    /// The nodes that were listed; else those of the assignment, by which nothing is removed. `None` also where
    /// the API server's answers disagree.
    pub fn of(work: &Assignment, listed: Option<Arc<[NodeView]>>) -> Self {
        match listed {
            _ if work.purpose.is_clean_up() => Self {
                nodes: Arc::default(),
                may_remove: true,
            },
            Some(nodes) => Self {
                nodes,
                may_remove: true,
            },
            None => Self {
                nodes: work.nodes.clone(),
                may_remove: false,
            },
        }
    }
}

/// What a pass needs besides the device.
#[derive(Debug, Clone)]
pub struct Inputs {
    /// What is claimed on the device.
    pub claims: DeviceClaims,
    /// The nodes of the claimed records.
    pub names: Arc<NodeNames>,
    /// What removals are judged by.
    pub removals: Removals,
    /// All nodes.
    pub nodes: Arc<[NodeView]>,
    /// Whether a record may be removed by them.
    pub may_remove: bool,
    /// Until when removals are stopped, because the API server's answers about the nodes disagreed.
    pub removals_stop_until: Option<Moment>,
    /// What other objects need on this unit and tunnel, if that is known.
    pub needs: Option<Needs>,
}

impl Inputs {
    /// What was read, before it is known which unit the device is, and so what others need.
    pub fn new(stored: ClaimView, evidence: NodeEvidence) -> Self {
        Self {
            claims: stored.claims,
            names: stored.names,
            removals: stored.removals,
            nodes: evidence.nodes,
            may_remove: evidence.may_remove,
            removals_stop_until: None,
            needs: None,
        }
    }
}

/// Whether it has to be known what other objects need: a record that is added waits for no neighbour.
pub fn depends_on_neighbours(work: &Assignment, plan: &Plan) -> bool {
    work.bulk_writes || !plan.remove.is_empty()
}

/// What is known of an object's removals.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Removals {
    /// The removals of the last hour.
    pub window: Window,
    /// Records that are claimed and not leaving.
    pub staying: BTreeSet<MacAddress>,
    /// How many more bytes of claims can be stored.
    pub room_bytes: usize,
    /// Records that are leaving on some device.
    pub leaving: BTreeSet<MacAddress>,
    /// Records that stay claimed on another device than the one that is asked for.
    pub elsewhere: BTreeSet<MacAddress>,
}

impl Removals {
    /// What these claims say of the removals on `device`. A device that is no longer listed is cleaned up
    /// without being counted, and pays for nothing.
    pub fn of(
        (claims, room_bytes): (&Claims, usize),
        window: Window,
        device: &str,
        listed: &BTreeSet<String>,
    ) -> Self {
        let is_listed = |name: &str| listed.contains(name);
        let (staying, leaving) = claims.staying_and_leaving(&is_listed);
        let mut elsewhere = BTreeSet::new();
        let others = claims.devices().filter(|name| is_listed(name));
        for other in others.filter(|name| *name != device) {
            let kept = claims.of(other).iter();
            let kept = kept.filter(|(_, state)| **state != ClaimState::Leaving);
            elsewhere.extend(kept.map(|(mac, _)| *mac));
        }
        Self {
            window,
            staying,
            room_bytes,
            leaving,
            elsewhere,
        }
    }

    /// The records and nodes that there are.
    pub fn census(&self, desired: &Desired) -> Census {
        Census::of(&self.staying, desired)
    }
}

/// Removals that are about to be claimed, and what they are paid from.
#[derive(Debug, Clone)]
pub struct Spending {
    /// The devices of the spec.
    pub listed: Arc<BTreeSet<String>>,
    /// The records that are about to be removed, and why.
    pub removing: BTreeMap<MacAddress, Cause>,
    /// The records that nodes desire.
    pub desired: BTreeSet<MacAddress>,
    /// `nodes.maxRemovalPercent`.
    pub percent: u8,
    /// Records whose removal a user has approved.
    pub approved: Arc<BTreeSet<MacAddress>>,
    /// Now.
    pub now: Timestamp,
}

impl Spending {
    /// The window after these removals, or `None` when they cost nothing.
    ///
    /// # Errors
    ///
    /// More records would be removed than the budget allows.
    pub fn window(&self, removals: &Removals) -> Result<Option<Window>, OverBudget> {
        let due = Due::of(&self.removing, &removals.leaving, &self.approved);
        if due.is_nothing() {
            return Ok(None);
        }
        let census = Census::of_desired(&removals.staying, &self.desired);
        budget::spend(&removals.window, census, due, self.percent, self.now).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::claims::{ClaimRow, ClaimedRecord};
    use crate::testing::mac;

    const M1: &str = "0a:0a:0a:00:00:01";

    fn row(device: &str, state: ClaimState) -> ClaimRow {
        let (mac, node) = (mac(M1), None);
        ClaimRow {
            devices: vec![device.to_owned()],
            state,
            records: vec![ClaimedRecord { mac, node }],
        }
    }

    fn removals(listed: &[&str]) -> Removals {
        let claims = Claims::from_rows([
            row("listed", ClaimState::Owned),
            row("left", ClaimState::Leaving),
        ]);
        let listed = listed.iter().map(|name| (*name).to_owned()).collect();
        Removals::of((&claims, 1), Window::default(), "listed", &listed)
    }

    #[test]
    fn removed_device_pays_for_no_removal() {
        let one = removals(&["listed"]);
        assert_eq!((one.staying.len(), one.leaving.len()), (1, 0));
        let both = removals(&["listed", "left"]);
        assert_eq!((both.staying.len(), both.leaving.len()), (0, 1));
    }

    #[test]
    fn removal_that_is_under_way_costs_nothing() {
        let spending = Spending {
            listed: Arc::default(),
            removing: [(mac(M1), Cause::NodeDeleted)].into(),
            desired: BTreeSet::new(),
            percent: 0,
            approved: Arc::default(),
            now: Timestamp::UNIX_EPOCH,
        };
        assert_eq!(spending.window(&removals(&["listed", "left"])), Ok(None));
        // Zero percent: each new removal needs an approval.
        assert!(spending.window(&removals(&["listed"])).is_err());
    }
}
