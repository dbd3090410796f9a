//! What only a reader can know of a status: whether an operator leads, and whether the status is older than
//! the nodes.
//!
//! A status that may be out of date is not shown as ready. Pure; what could not be read makes no doubt.

use bigip_tunnel_core::reason::Reason;
use std::collections::BTreeMap;
use std::net::IpAddr;

use bigip_tunnel_crds::v1alpha1::BigIpTunnel;
use bigip_tunnel_crds::{convert, status};
use jiff::{SignedDuration, Timestamp};
use kube::core::SelectorExt as _;

use super::{Fact, StatusReport, TRUE, UNKNOWN};
use crate::context::ReadTunnel;
use crate::report::check::evidence::{Leader, OperatorSeen};

/// How old a node is that the operator must have seen.
const NODE_AGE: SignedDuration = SignedDuration::from_secs(10);

/// What was read beside the tunnels.
#[derive(Debug, Default)]
pub(crate) struct Surroundings {
    /// The operators in the cluster; none where they could not be read.
    pub(crate) operators: Vec<OperatorSeen>,
    /// The nodes; none where they could not be read.
    pub(crate) nodes: Vec<NodeBirth>,
}

/// What shows whether a status knows a node.
#[derive(Debug, Clone, Default)]
pub(crate) struct NodeBirth {
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) created: Option<Timestamp>,
    /// The address in flannel's annotation: the node may stand for a unit, and is not selected then.
    pub(crate) stands_for: Option<IpAddr>,
}

impl StatusReport {
    /// The same, where tunnels whose status may be out of date are not ready.
    pub(crate) fn beside(
        mut self,
        tunnels: &[ReadTunnel],
        around: &Surroundings,
        now: Timestamp,
    ) -> Self {
        for (report, tunnel) in self.tunnels.iter_mut().zip(tunnels) {
            let Ok(tunnel) = &tunnel.0 else { continue };
            if report.ready.status != TRUE {
                continue;
            }
            if let Some(message) = around.doubt(tunnel, now) {
                report.ready = Fact {
                    status: UNKNOWN.to_owned(),
                    reason: Reason::Pending.to_string(),
                    message,
                    since: None,
                };
                report.next = Some(super::next(tunnel, &report.ready, &report.devices));
            }
        }
        self
    }
}

impl Surroundings {
    /// Why the status of this tunnel may be out of date.
    fn doubt(&self, tunnel: &BigIpTunnel, now: Timestamp) -> Option<String> {
        self.without_leader()
            .or_else(|| self.unseen_nodes(tunnel, now))
    }

    /// Every operator elects a leader, and there is none. What elects none, and a lease that cannot be
    /// read, says nothing.
    fn without_leader(&self) -> Option<String> {
        let is_led = |operator: &OperatorSeen| match &operator.leader {
            Some(Ok(seen)) => matches!(seen.leader(), Leader::Leads(_)),
            Some(Err(_)) | None => true,
        };
        let first = self.operators.first()?;
        if self.operators.iter().any(is_led) {
            return None;
        }
        let (namespace, name) = first.lease.as_ref()?;
        Some(format!(
            "no operator is the leader (lease {namespace}/{name}): the status is the last one that was \
             written"
        ))
    }

    fn unseen_nodes(&self, tunnel: &BigIpTunnel, now: Timestamp) -> Option<String> {
        let selector = convert::selector(&tunnel.spec).ok()?;
        let stored = tunnel.status.as_ref()?;
        let units = status::unit_addresses(stored);
        let must_be_seen = |node: &&NodeBirth| {
            let is_old = node.created.is_some_and(|created| created + NODE_AGE < now);
            let may_stand_in = node
                .stands_for
                .is_some_and(|address| units.contains(&address));
            is_old && !may_stand_in && selector.matches(&node.labels)
        };
        let selected = self.nodes.iter().filter(must_be_seen).count();
        let seen = usize::try_from(stored.nodes.as_ref()?.selected).unwrap_or_default();
        let unseen = selected.checked_sub(seen).filter(|unseen| *unseen > 0)?;
        let nodes = if unseen == 1 { "node" } else { "nodes" };
        Some(format!(
            "the status is older than {unseen} selected {nodes}: the operator has seen {seen} of \
             {selected}"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Outcome;
    use crate::report::check::evidence::LeaderSeen;
    use crate::testing::Tunnel;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn report(around: &Surroundings) -> StatusReport {
        let tunnels = [Tunnel::healthy("prod-east").read()];
        StatusReport::new(&tunnels).beside(&tunnels, around, at(1_000))
    }

    fn nodes(created: &[i64]) -> Surroundings {
        let node = |second: &i64| NodeBirth {
            created: Some(at(*second)),
            ..NodeBirth::default()
        };
        Surroundings {
            nodes: created.iter().map(node).collect(),
            ..Surroundings::default()
        }
    }

    fn operator(leader: LeaderSeen) -> OperatorSeen {
        OperatorSeen {
            lease: Some(("bigip-system".to_owned(), "operator".to_owned())),
            leader: Some(Ok(leader)),
            ..OperatorSeen::default()
        }
    }

    #[test]
    fn status_older_than_a_node_is_not_ready() {
        let report = report(&nodes(&[1, 2, 3, 989]));
        assert_eq!(report.outcome(), Outcome::Findings);
        let ready = &report.tunnels[0].ready;
        assert_eq!((&*ready.status, &*ready.reason), ("Unknown", "Pending"));
        let expected = "the status is older than 1 selected node: the operator has seen 3 of 4";
        assert_eq!(ready.message, expected);
        assert!(report.tunnels[0].next.is_some());
    }

    #[test]
    fn node_younger_than_ten_seconds_keeps_ready() {
        assert_eq!(report(&nodes(&[1, 2, 3, 991])).outcome(), Outcome::Fine);
        assert_eq!(report(&Surroundings::default()).outcome(), Outcome::Fine);
    }

    #[test]
    fn status_without_a_leader_is_not_ready() {
        let with = |leaders: Vec<LeaderSeen>| {
            let around = Surroundings {
                operators: leaders.into_iter().map(operator).collect(),
                ..Surroundings::default()
            };
            report(&around).outcome()
        };
        let seen = |holder: Option<&str>, silent_s| LeaderSeen {
            holder: holder.map(str::to_owned),
            silent_s,
            has_ended: false,
        };
        assert_eq!(with(vec![seen(None, None)]), Outcome::Findings);
        assert_eq!(with(vec![seen(Some("a"), Some(61))]), Outcome::Findings);
        let ended = LeaderSeen {
            has_ended: true,
            ..seen(Some("a"), Some(5))
        };
        assert_eq!(with(vec![ended]), Outcome::Findings);
        assert_eq!(with(vec![seen(Some("a"), Some(5))]), Outcome::Fine);
        let two = vec![seen(None, None), seen(Some("b"), Some(5))];
        assert_eq!(with(two), Outcome::Fine);
    }
}
