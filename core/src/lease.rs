//! Who may write: the election of one leader among the replicas, by a lease that all of them read and
//! replace by compare-and-swap.
//!
//! A leader counts from before it sent the last write of the lease that worked, and stops after
//! [`Timing::renew_deadline`]. Whoever else wants the lease has to see it unchanged for its whole, longer
//! duration, counted from when it first saw it, which is after that. So times of two machines are never
//! compared: what the lease says about time is for people. Pure: moments and answers are parameters.
//! Knows nothing of Kubernetes.

use std::time::Duration;

use crate::time::Moment;

/// How long a lease without a holder says that it is to be left alone when its holder gave it back. The
/// shortest that the API takes.
pub const GIVEN_BACK: Duration = Duration::from_secs(1);

/// The least time between the end of a leadership and the moment at which another one may begin, besides what
/// connecting takes: a busy machine may be late by so much.
pub const MARGIN: Duration = Duration::from_secs(2);

/// How long a lease lasts, and how often it is renewed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Timing {
    duration: Duration,
    renew_deadline: Duration,
    retry: Duration,
}

/// Times that do not go together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTiming {
    /// Another one could lead while the leader thinks that it still does.
    #[error(
        "the duration of the lease has to be longer than the renew deadline: else another one could lead \
         while the leader thinks that it still does"
    )]
    DeadlineTooLong,
    /// One lost answer would end a leadership.
    #[error(
        "the renew deadline has to be at least twice the retry period: else one lost answer would end a \
         leadership"
    )]
    RetryTooLong,
    /// A write could leave when another one leads.
    #[error(
        "the duration of the lease has to be at least {} s longer than the renew deadline ({} s to connect to \
         a BIG-IP and 2 s for a busy machine): set --lease-duration to {} or more, or \
         --lease-renew-deadline to {} or less",
        .least.as_secs(), .connect.as_secs(), .duration.as_secs(), .renew_deadline.as_secs()
    )]
    MarginTooShort {
        /// The least difference between the two.
        least: Duration,
        /// What connecting takes.
        connect: Duration,
        /// The least duration for this renew deadline.
        duration: Duration,
        /// The longest renew deadline for this duration.
        renew_deadline: Duration,
    },
    /// The API server would be asked without a pause.
    #[error("the retry period has to be at least a second")]
    NoPause,
}

impl Timing {
    /// These times, if they go together.
    pub fn new(
        duration: Duration,
        renew_deadline: Duration,
        retry: Duration,
    ) -> Result<Self, InvalidTiming> {
        if retry < Duration::from_secs(1) {
            return Err(InvalidTiming::NoPause);
        }
        if retry.saturating_mul(2) > renew_deadline {
            return Err(InvalidTiming::RetryTooLong);
        }
        if renew_deadline >= duration {
            return Err(InvalidTiming::DeadlineTooLong);
        }
        Ok(Self {
            duration,
            renew_deadline,
            retry,
        })
    }

    /// These times, if a write that was begun under the lease leaves before another one can lead. `connect`:
    /// what it takes to connect to a device.
    pub fn with_margin_for(self, connect: Duration) -> Result<Self, InvalidTiming> {
        let least = connect.saturating_add(MARGIN);
        let duration = self.renew_deadline.saturating_add(least);
        if self.duration < duration {
            return Err(InvalidTiming::MarginTooShort {
                least,
                connect,
                duration,
                renew_deadline: self.duration.saturating_sub(least),
            });
        }
        Ok(self)
    }

    /// How long others leave a lease alone that was not renewed.
    pub const fn duration(&self) -> Duration {
        self.duration
    }

    /// How long one call may take, so that a second one is in time.
    pub fn call_deadline(&self) -> Duration {
        self.renew_deadline / 2
    }
}

/// A lease as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Lease {
    /// Another one means that somebody has written it. Says nothing else.
    pub version: String,
    /// Who has it.
    pub holder: Option<String>,
    /// How long others are to leave it alone.
    pub duration: Option<Duration>,
    /// Whether it is as an installation creates it: no process has ever held it.
    pub is_unused: bool,
}

impl Lease {
    /// Whether its last holder has ended and recorded that. A lease that lost its holder in another way may
    /// still have a leader that does not know it yet.
    fn is_given_back(&self) -> bool {
        self.holder.is_none() && self.duration == Some(GIVEN_BACK)
    }
}

/// What is to be done next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Nothing before this moment.
    Wait(Moment),
    /// Read the lease.
    Read,
    /// Make it, without a holder: it is nobody's yet.
    Make,
    /// Write it as ours: in place of exactly this version, or, where there is none, anew.
    Take {
        /// The version to replace.
        replaces: Option<String>,
    },
    /// The leadership is over for good.
    Lost,
}

/// The lease as last seen.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Seen {
    /// `None` if there was none.
    lease: Option<Lease>,
    /// When it was first seen like this.
    since: Moment,
    /// Whether a write since then may have changed it.
    is_doubtful: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Standing {
    Candidate,
    /// Until then, unless the lease is renewed.
    Leader(Moment),
    Lost,
}

/// One process that wants to lead. Whoever owns it does what [`Elector::next`] says and tells it what
/// came of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Elector {
    identity: String,
    timing: Timing,
    seen: Option<Seen>,
    /// Whether a lease with a holder was ever read. An unused one after that is a replacement, whose leader
    /// may not know it yet.
    has_seen_holder: bool,
    /// When the next call is due.
    due: Moment,
    standing: Standing,
}

impl Elector {
    /// A candidate. No other process, before it or beside it, has its `identity`.
    pub fn new(identity: String, timing: Timing) -> Self {
        Self {
            identity,
            timing,
            seen: None,
            has_seen_holder: false,
            due: Moment::default(),
            standing: Standing::Candidate,
        }
    }

    /// Until when this process leads, unless it renews the lease. Always before another one can.
    pub fn leads_until(&self) -> Option<Moment> {
        match self.standing {
            Standing::Leader(until) => Some(until),
            Standing::Candidate | Standing::Lost => None,
        }
    }

    /// Who is said to lead, as last seen.
    pub fn holder(&self) -> Option<&str> {
        let lease = self.seen.as_ref()?.lease.as_ref()?;
        lease.holder.as_deref()
    }

    /// The process that leads, as far as this one knows: itself, or the holder of a lease that has not run
    /// out.
    pub fn leader(&self, now: Moment) -> Option<&str> {
        match self.standing {
            Standing::Lost => None,
            Standing::Leader(until) => (now < until).then_some(self.identity.as_str()),
            Standing::Candidate => {
                let seen = self.seen.as_ref()?;
                let lease = seen.lease.as_ref()?;
                let holder = lease
                    .holder
                    .as_deref()
                    .filter(|holder| *holder != self.identity);
                holder.filter(|_| now < self.free_at(seen, lease))
            }
        }
    }

    /// What to do now.
    pub fn next(&self, now: Moment) -> Step {
        let leads = match self.standing {
            Standing::Lost => return Step::Lost,
            Standing::Leader(until) if until <= now => return Step::Lost,
            Standing::Leader(_) => true,
            Standing::Candidate => false,
        };
        let wake = self.wake();
        if now < wake {
            return Step::Wait(wake);
        }
        let Some(seen) = self.seen.as_ref().filter(|seen| !seen.is_doubtful) else {
            return Step::Read;
        };
        match &seen.lease {
            None if leads => Step::Take { replaces: None },
            None => Step::Make,
            Some(lease) if leads || self.free_at(seen, lease) <= now => Step::Take {
                replaces: Some(lease.version.clone()),
            },
            Some(_) => Step::Read,
        }
    }

    /// The lease was read.
    pub fn read(&mut self, lease: Option<Lease>, sent: Moment, now: Moment) {
        let holder = lease.as_ref().and_then(|lease| lease.holder.as_ref());
        let is_anothers = holder.is_some_and(|holder| *holder != self.identity);
        if is_anothers && self.leads_until().is_some() {
            self.standing = Standing::Lost;
        }
        self.see(lease, now);
        self.due = match self.standing {
            // Nothing but doubt makes a leader read.
            Standing::Leader(_) => now,
            Standing::Candidate | Standing::Lost => sent + self.timing.retry,
        };
    }

    /// The lease was written as ours, by a call sent at `sent`.
    pub fn taken(&mut self, lease: Lease, sent: Moment, now: Moment) {
        let before = self.seen.as_ref().and_then(|seen| seen.lease.as_ref());
        // Where a write changed nothing, nobody else can see that it was made.
        let is_seen_by_others = before.is_none_or(|before| before.version != lease.version);
        self.see(Some(lease), now);
        self.due = sent + self.timing.retry;
        if is_seen_by_others && self.standing != Standing::Lost {
            self.standing = Standing::Leader(sent + self.timing.renew_deadline);
        }
    }

    /// A write was refused, because the lease is another one by now.
    pub fn overtaken(&mut self, now: Moment) {
        self.doubt();
        self.due = now;
    }

    /// A call failed. If it was a write it may have been carried out, or may still be.
    pub fn failed(&mut self, sent: Moment) {
        self.doubt();
        self.due = sent + self.timing.retry;
    }

    /// Gives the leadership up. Returns whether the lease may be ours, so that it has to be given back.
    pub fn step_down(&mut self) -> bool {
        let is_doubtful = self.seen.as_ref().is_some_and(|seen| seen.is_doubtful);
        let may_be_ours = is_doubtful || self.holder() == Some(&self.identity);
        self.standing = Standing::Lost;
        may_be_ours
    }

    fn see(&mut self, lease: Option<Lease>, now: Moment) {
        self.has_seen_holder |= lease.as_ref().is_some_and(|lease| lease.holder.is_some());
        let version = |lease: &Option<Lease>| lease.as_ref().map(|lease| lease.version.clone());
        let same = self
            .seen
            .as_ref()
            .filter(|seen| version(&seen.lease) == version(&lease));
        self.seen = Some(Seen {
            since: same.map_or(now, |seen| seen.since),
            lease,
            is_doubtful: false,
        });
    }

    fn doubt(&mut self) {
        if let Some(seen) = &mut self.seen {
            seen.is_doubtful = true;
        }
    }

    /// When to look at the next step again.
    fn wake(&self) -> Moment {
        match (&self.seen, self.standing) {
            (_, Standing::Leader(until)) => self.due.min(until),
            (Some(seen), _) if !seen.is_doubtful => {
                let free_at = seen.lease.as_ref().map(|lease| self.free_at(seen, lease));
                self.due.min(free_at.unwrap_or(seen.since))
            }
            _ => self.due,
        }
    }

    /// When a candidate may take the lease if it stays like this. Nobody else writes it in our name.
    fn free_at(&self, seen: &Seen, lease: &Lease) -> Moment {
        let is_first = lease.is_unused && !self.has_seen_holder;
        let is_ours = lease.holder.as_ref() == Some(&self.identity);
        if is_first || is_ours || lease.is_given_back() {
            return seen.since;
        }
        // A shorter duration than ours may be somebody's edit, and its leader still counts on ours.
        let duration = lease.duration.unwrap_or_default();
        seen.since + duration.max(self.timing.duration)
    }
}

#[cfg(test)]
mod tests;
