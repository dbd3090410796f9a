//! What becomes of an object now: its devices have work, or there is a reason why they have none.

use std::sync::Arc;

use bigip_tunnel_core::outcome::Failure;
use bigip_tunnel_core::reason::Reason;
use bigip_tunnel_core::time::Moment;
use tokio::sync::watch;

use crate::device::Work;

/// The phase of an object.
#[derive(Debug)]
pub(super) enum Phase {
    /// Nothing was given to the devices yet.
    Idle,
    /// The devices work on this.
    Working(watch::Sender<Arc<Work>>),
    /// The object is suspended or paused, for this reason of its condition.
    Paused(Reason),
    /// The spec cannot be worked with.
    Rejected(Failure),
    /// Another operator writes the object.
    Displaced,
}

impl Phase {
    /// Leaves a phase that is over: the object is neither paused nor rejected now.
    pub(super) fn resume(&mut self) {
        if !matches!(self, Self::Working(_)) {
            *self = Self::Idle;
        }
    }

    /// What the devices work on.
    pub(super) fn work(&self) -> Option<Arc<Work>> {
        self.sender().map(|sender| sender.borrow().clone())
    }

    /// Where the devices get their work.
    pub(super) const fn sender(&self) -> Option<&watch::Sender<Arc<Work>>> {
        match self {
            Self::Working(sender) => Some(sender),
            Self::Idle | Self::Paused(_) | Self::Rejected(_) | Self::Displaced => None,
        }
    }

    /// Why the spec cannot be worked with.
    pub(super) const fn rejected(&self) -> Option<&Failure> {
        match self {
            Self::Rejected(failure) => Some(failure),
            Self::Idle | Self::Working(_) | Self::Paused(_) | Self::Displaced => None,
        }
    }

    /// Gives the devices this work. Returns whether it asks anything new of them. Nodes that are not selected, and
    /// what an unstable one shows, wake no device.
    pub(super) fn publish(&mut self, mut work: Work, now: Moment) -> bool {
        let Self::Working(sender) = self else {
            *self = Self::Working(watch::channel(Arc::new(work)).0);
            return true;
        };
        let before = sender.borrow().clone();
        let has_same_nodes = work.has_same_nodes(&before);
        work.arrivals = if has_same_nodes {
            before.arrivals.clone()
        } else {
            Arc::new(work.arrivals_since(&before, now))
        };
        let is_new = !has_same_nodes || work.asks_for_more(&before);
        sender.send_if_modified(|known| {
            *known = Arc::new(work);
            is_new
        });
        is_new
    }

    /// Changes what the devices work on, and wakes them.
    pub(super) fn update(&self, change: impl FnOnce(&mut Work)) {
        if let Self::Working(sender) = self {
            sender.send_modify(|work| change(Arc::make_mut(work)));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::device::testing::{node, work};

    fn at(second: u64) -> Moment {
        Moment::since_start(Duration::from_secs(second))
    }

    #[test]
    fn work_survives_only_while_it_is_worked_on() {
        let mut phase = Phase::Idle;
        assert!(phase.publish(work(&[]), at(0)));
        phase.resume();
        assert!(phase.work().is_some());
        phase = Phase::Paused(Reason::Suspended);
        assert!(phase.work().is_none());
        phase.resume();
        assert!(matches!(phase, Phase::Idle));
    }

    #[test]
    fn only_what_a_device_depends_on_wakes_it() {
        let mut phase = Phase::Idle;
        phase.publish(work(&[node("a", true)]), at(0));
        let mut devices = phase.sender().unwrap().subscribe();
        assert!(!phase.publish(work(&[node("a", true), node("b", false)]), at(1)));
        assert!(!devices.has_changed().unwrap());
        assert_eq!(
            devices.borrow_and_update().nodes.len(),
            2,
            "it is known all the same"
        );
        let mut asked = work(&[node("a", true)]);
        asked.request = Some("now".into());
        assert!(phase.publish(asked, at(2)) && devices.has_changed().unwrap());
    }

    #[test]
    fn node_that_comes_later_has_an_arrival() {
        let mut phase = Phase::Idle;
        phase.publish(work(&[node("a", true)]), at(0));
        phase.publish(work(&[node("a", true), node("b", true)]), at(5));
        let arrivals = phase.work().unwrap().arrivals.clone();
        assert_eq!(*arrivals, [("b".to_owned(), at(5))].into());
        // A change that is not about nodes keeps it.
        phase.update(|work| work.generation = 2);
        assert_eq!(phase.work().unwrap().arrivals, arrivals);
    }
}
