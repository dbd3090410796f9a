//! Whether this process may write, and since when it leads.
//!
//! The answer ends by itself when the lease could not be renewed, whatever the rest of the process is
//! busy with: it is a comparison with the clock. Knows nothing of how leaders are elected.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use bigip_tunnel_core::time::Moment;
use tokio::sync::watch;

use super::clock;

/// This process's leadership. Copies share it.
#[derive(Debug, Clone)]
pub(crate) struct Leadership(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// In milliseconds of the lease's clock; zero while it does not lead.
    until_ms: AtomicU64,
    /// In moments of the process's clock.
    since: watch::Sender<Option<Moment>>,
    election: RwLock<ElectionState>,
}

/// What this process knows of the election.
#[derive(Debug, Clone, Default)]
pub(crate) struct ElectionState {
    /// The process that leads: this one, or the holder of a lease that has not run out.
    pub(crate) leader: Option<String>,
    /// Why this process cannot take part until a user mends something.
    pub(crate) refusal: Option<String>,
}

impl Leadership {
    /// One that is still to come.
    pub(crate) fn none() -> Self {
        Self(Arc::new(Inner {
            until_ms: AtomicU64::new(0),
            since: watch::Sender::new(None),
            election: RwLock::default(),
        }))
    }

    /// One without an election, from the start to the end of the process.
    pub(crate) fn unelected() -> Self {
        let leadership = Self::none();
        leadership.0.until_ms.store(u64::MAX, Ordering::Relaxed);
        leadership.0.since.send_replace(Some(Moment::default()));
        leadership.set_leader(Some("this process, without an election,"));
        leadership
    }

    /// Whether anything may be written now. To be asked right before each write.
    pub(crate) fn may_write(&self) -> bool {
        milliseconds(clock::now()) < self.0.until_ms.load(Ordering::Acquire)
    }

    /// Waits until this process leads for the first time. One that no longer does ends.
    pub(crate) async fn begun(&self) {
        let mut since = self.0.since.subscribe();
        // The sender lives as long as this value.
        let _: Result<_, _> = since.wait_for(Option::is_some).await;
    }

    /// When it began, on the process's clock.
    pub(crate) fn since(&self) -> Moment {
        self.0.since.borrow().unwrap_or_default()
    }

    /// What is known of the election.
    pub(crate) fn election(&self) -> ElectionState {
        let state = self.0.election.read();
        state.unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set_leader(&self, leader: Option<&str>) {
        self.update(|state| state.leader = leader.map(str::to_owned));
    }

    pub(super) fn set_refusal(&self, refusal: Option<String>) {
        self.update(|state| state.refusal = refusal);
    }

    fn update(&self, change: impl FnOnce(&mut ElectionState)) {
        let state = self.0.election.write();
        change(&mut state.unwrap_or_else(PoisonError::into_inner));
    }

    /// Leads until then, if nothing else is said before.
    pub(super) fn set_until(&self, until: Option<Moment>, now: Moment) {
        let until_ms = until.map_or(0, milliseconds);
        self.0.until_ms.store(until_ms, Ordering::Release);
        if until.is_some() {
            self.0.since.send_if_modified(|since| {
                let begins = since.is_none();
                since.get_or_insert(now);
                begins
            });
        }
    }
}

fn milliseconds(moment: Moment) -> u64 {
    let elapsed = Moment::default().until(moment);
    u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures::FutureExt;

    use super::*;

    #[test]
    fn leadership_expires_without_a_renewal() {
        let leadership = Leadership::none();
        assert!(!leadership.may_write());
        leadership.set_until(
            Some(clock::now() + Duration::from_secs(60)),
            Moment::default(),
        );
        assert!(leadership.may_write());
        let until = clock::now() + Duration::from_millis(2);
        leadership.set_until(Some(until), Moment::default());
        while clock::now() < until {}
        assert!(!leadership.may_write());
    }

    #[test]
    fn leadership_starts_once_and_notifies_its_listeners() {
        let leadership = Leadership::none();
        assert_eq!(leadership.begun().now_or_never(), None);
        let at = |second| Moment::since_start(Duration::from_secs(second));
        leadership.set_until(Some(clock::now()), at(3));
        leadership.set_until(Some(clock::now()), at(5));
        assert_eq!(leadership.begun().now_or_never(), Some(()));
        assert_eq!(leadership.since(), at(3));
    }

    #[test]
    fn leadership_without_election_never_expires() {
        let leadership = Leadership::unelected();
        assert!(leadership.may_write());
        assert_eq!(leadership.begun().now_or_never(), Some(()));
    }
}
