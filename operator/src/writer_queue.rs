//! The queue of one unit: waits for an object's turn to write, as `bigip_tunnel_core::turns` gives it.
//!
//! One write at a time. A turn ends when it is dropped, also by a task that panics or ends. Decides nothing
//! about the order.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bigip_tunnel_core::time::Moment;
use bigip_tunnel_core::turns::{Applicant, Ticket, Turns, Urgency};
use tokio::sync::oneshot;

use crate::clock::Clock;

/// The queue of one unit.
#[derive(Debug)]
pub(crate) struct WriterQueue {
    clock: Clock,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    turns: Turns,
    /// Where requests that wait learn of their turn.
    waiting: HashMap<Ticket, oneshot::Sender<()>>,
    last_save_try: Option<Moment>,
}

impl State {
    /// Begins the next turn, if it is time for it.
    fn advance(&mut self, now: Moment) {
        while let Some(ticket) = self.turns.next(now) {
            let waiting = self.waiting.remove(&ticket);
            if waiting.is_some_and(|waiting| waiting.send(()).is_ok()) {
                return;
            }
            self.turns.end(ticket, now);
        }
    }
}

/// An object's turn to write, or its request for one. Dropping it ends the turn, or withdraws the request.
#[derive(Debug)]
pub(crate) struct Turn {
    queue: Arc<WriterQueue>,
    ticket: Ticket,
}

impl Drop for Turn {
    fn drop(&mut self) {
        let now = self.queue.clock.now();
        let mut state = self.queue.state();
        state.waiting.remove(&self.ticket);
        state.turns.end(self.ticket, now);
        state.advance(now);
    }
}

impl WriterQueue {
    /// A queue in which nothing waits.
    pub(crate) fn new(clock: Clock) -> Self {
        Self {
            clock,
            state: Mutex::default(),
        }
    }

    /// Waits for this object's turn to write, which lasts at most `limit`.
    pub(crate) async fn turn(
        self: Arc<Self>,
        applicant: Applicant,
        urgency: Urgency,
        limit: Duration,
    ) -> Turn {
        let (turn, mut given) = self.ask(applicant, urgency, limit);
        loop {
            let ends_by = turn.queue.state().turns.ends_by();
            let Some(ends_by) = ends_by else {
                // Between two turns: the next one is given now.
                turn.queue.advance();
                continue;
            };
            let rest = turn.queue.clock.until(ends_by);
            if tokio::time::timeout(rest, &mut given).await.is_ok() {
                return turn;
            }
            turn.queue.advance();
        }
    }

    fn ask(
        self: Arc<Self>,
        applicant: Applicant,
        urgency: Urgency,
        limit: Duration,
    ) -> (Turn, oneshot::Receiver<()>) {
        let now = self.clock.now();
        let (sender, given) = oneshot::channel();
        let mut state = self.state();
        let ticket = state.turns.ask(applicant, urgency, limit, now);
        state.waiting.insert(ticket, sender);
        state.advance(now);
        drop(state);
        let queue = self;
        (Turn { queue, ticket }, given)
    }

    fn advance(&self) {
        self.state().advance(self.clock.now());
    }

    /// When the unit was last told to save its configuration.
    pub(crate) fn last_save_try(&self) -> Option<Moment> {
        self.state().last_save_try
    }

    /// Notes that the unit is told to save now.
    pub(crate) fn note_save_try(&self) {
        self.state().last_save_try = Some(self.clock.now());
    }

    /// A panic while it was locked cannot leave the order half changed.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(65);

    fn queue() -> Arc<WriterQueue> {
        Arc::new(WriterQueue::new(Clock::start()))
    }

    fn object(name: &str) -> Applicant {
        Applicant {
            namespace: "default".into(),
            object: name.into(),
        }
    }

    async fn turn(queue: &Arc<WriterQueue>, name: &str) -> Turn {
        let queue = queue.clone();
        queue.turn(object(name), Urgency::Backlog, LIMIT).await
    }

    #[tokio::test]
    async fn turn_begins_when_the_one_before_is_dropped() {
        let queue = queue();
        let first = turn(&queue, "one").await;
        let mut second = Box::pin(turn(&queue, "two"));
        assert!((&mut second).now_or_never().is_none());
        drop(first);
        assert!(second.now_or_never().is_some());
    }

    #[tokio::test]
    async fn request_that_is_dropped_keeps_no_other_waiting() {
        let queue = queue();
        let first = turn(&queue, "one").await;
        let mut given_up = Box::pin(turn(&queue, "two"));
        assert!((&mut given_up).now_or_never().is_none());
        let mut third = Box::pin(turn(&queue, "three"));
        assert!((&mut third).now_or_never().is_none());
        drop(first);
        // It was given the turn, and ends without having used it.
        drop(given_up);
        assert!(third.now_or_never().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn turn_that_never_ends_is_over_at_its_deadline() {
        let queue = queue();
        let _hangs = turn(&queue, "one").await;
        let began = queue.clock.now();
        let _next = turn(&queue, "two").await;
        let waited = began.until(queue.clock.now());
        assert!((LIMIT..LIMIT * 2).contains(&waited), "{waited:?}");
    }
}
