//! (pure) How a watch goes: whether its silence means that nothing changes, that a list does not come, or that it is
//! time for another list; and how often it failed without working in between.
//!
//! The moment is a parameter. Knows nothing of what is watched, or of what is done about it.

use std::time::Duration;

use kube::runtime::watcher;
use tokio::time::Instant;

use crate::kubernetes::READ_DEADLINE;

/// A watch that was begun again and sends nothing for so long works again.
pub(super) const CALM: Duration = Duration::from_secs(30);

/// How a watch goes.
#[derive(Debug)]
pub(crate) struct Progress {
    /// When everything is listed again at the latest.
    relist_at: Instant,
    /// When the next part of a list is due, while a list is read.
    list_by: Option<Instant>,
    /// Failures since the watch last worked.
    failures: u32,
    /// When a watch that failed counts as working again, unless it fails once more.
    calm_at: Option<Instant>,
}

/// What it means that a watch sends nothing.
#[derive(Debug, PartialEq)]
pub(crate) enum Silence {
    /// Nothing changes.
    Quiet,
    /// Nothing changes, after failures.
    Recovered,
    /// It is time for another list.
    Old,
    /// A list does not come.
    NoList,
}

impl Progress {
    /// A watch that begins with a list now, and with another one after this interval.
    pub(crate) fn new(now: Instant, relist_interval: Duration) -> Self {
        Self {
            relist_at: now + relist_interval,
            list_by: Some(now + READ_DEADLINE),
            failures: 0,
            calm_at: None,
        }
    }

    /// Begins again with a list; failures before count on.
    pub(crate) fn restart(&mut self, now: Instant, relist_interval: Duration) {
        self.relist_at = now + relist_interval;
        self.list_by = Some(now + READ_DEADLINE);
    }

    /// Until when silence means nothing.
    pub(crate) fn until(&self) -> Instant {
        let quiet = self
            .calm_at
            .map_or(self.relist_at, |at| at.min(self.relist_at));
        self.list_by.unwrap_or(quiet)
    }

    /// Takes an event in. Returns whether the watch works again after failures.
    pub(crate) fn advance<K>(&mut self, event: &watcher::Event<K>, now: Instant) -> bool {
        let (list_by, has_recovered) = match event {
            watcher::Event::Init | watcher::Event::InitApply(_) => {
                (Some(now + READ_DEADLINE), false)
            }
            watcher::Event::InitDone => {
                // The list worked; whether the watch after it does is not known yet.
                self.calm_at = self.calm_at.map(|_| now + CALM);
                (None, false)
            }
            watcher::Event::Apply(_) | watcher::Event::Delete(_) => (None, self.recover()),
        };
        self.list_by = list_by;
        has_recovered
    }

    /// What it means that nothing came until now, which is not before [`Self::until`].
    pub(crate) fn silence(&mut self, now: Instant) -> Silence {
        if self.list_by.is_some() {
            return Silence::NoList;
        }
        if now >= self.relist_at {
            return Silence::Old;
        }
        if self.recover() {
            Silence::Recovered
        } else {
            Silence::Quiet
        }
    }

    /// Counts a failure. Returns how many there are now.
    pub(crate) fn fail(&mut self) -> u32 {
        self.failures = self.failures.saturating_add(1);
        self.failures
    }

    /// Goes on after the pause that follows a failure.
    pub(crate) fn resume(&mut self, now: Instant) {
        self.calm_at = Some(now + CALM);
    }

    /// Gives a list that is read another deadline: the pause after a failure is not the server's.
    pub(crate) fn extend_list(&mut self, now: Instant) {
        self.list_by = self.list_by.map(|_| now + READ_DEADLINE);
    }

    /// Forgets failures. Returns whether there were any.
    fn recover(&mut self) -> bool {
        self.failures = 0;
        self.calm_at.take().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_secs(3600);
    const FAILURES: u32 = 5;

    type Event = watcher::Event<()>;

    /// A watch whose list is complete.
    fn listed(now: Instant) -> Progress {
        let mut progress = Progress::new(now, INTERVAL);
        progress.advance(&Event::Init, now);
        progress.advance(&Event::InitDone, now);
        progress
    }

    #[test]
    fn pending_list_is_not_a_silent_watch() {
        let now = Instant::now();
        let mut progress = Progress::new(now, INTERVAL);
        assert_eq!(progress.until(), now + READ_DEADLINE);
        assert_eq!(progress.silence(progress.until()), Silence::NoList);
        let later = now + READ_DEADLINE * 2;
        progress.advance(&Event::InitApply(()), later);
        assert_eq!(progress.until(), later + READ_DEADLINE);
        assert_eq!(progress.silence(progress.until()), Silence::NoList);
    }

    #[test]
    fn quiet_watch_is_listed_again_after_an_hour() {
        let now = Instant::now();
        let mut progress = listed(now);
        assert_eq!(progress.until(), now + INTERVAL);
        assert_eq!(progress.silence(progress.until()), Silence::Old);
    }

    #[test]
    fn failures_far_apart_do_not_add_up() {
        let mut now = Instant::now();
        let mut progress = listed(now);
        for _ in 0..FAILURES {
            assert_eq!(progress.fail(), 1);
            progress.resume(now);
            now = progress.until();
            assert_eq!(progress.silence(now), Silence::Recovered);
        }
    }

    #[test]
    fn failures_in_a_row_add_up_although_lists_work() {
        let now = Instant::now();
        let mut progress = listed(now);
        for failures in 1..=FAILURES {
            assert_eq!(progress.fail(), failures);
            progress.resume(now);
            progress.advance(&Event::Init, now);
            progress.advance(&Event::InitDone, now);
        }
    }
}
