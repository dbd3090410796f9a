//! Whether what Kubernetes says of its nodes is good enough to remove records by.
//!
//! A list that holds fewer nodes than there are would remove records of live nodes. So a list is compared
//! with a count, and each node is asked for by its name; where the answers disagree, removals stop for a
//! while. Knows nothing of requests.

use std::time::Duration;

use crate::reason::Reason;
use crate::time::Moment;

/// How long removals stop after the API server's answers about the nodes disagreed.
pub const STOP: Duration = Duration::from_secs(60);

/// How long after a stop its doubt is still shown: what is due then is tried at once, and stops again where
/// the answers still disagree.
const SHOWN_AFTER: Duration = Duration::from_secs(30);

/// How many objects there are, by the answer to a request for one object. `more` tells whether the answer
/// says that there are others, `remaining` how many. `None` when it does not say how many.
pub fn counted(items: usize, more: bool, remaining: Option<i64>) -> Option<usize> {
    if !more {
        return Some(items);
    }
    let remaining = usize::try_from(remaining?).ok()?;
    items.checked_add(remaining)
}

/// Why a list of nodes, or of what belongs to them, is not good enough to remove records by.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Doubt {
    /// It does not hold what the API server counts.
    #[error("the list of {what} has {listed} entries, and the API server counts {counted}")]
    Incomplete {
        /// The objects listed.
        what: &'static str,
        /// How many the list holds.
        listed: usize,
        /// How many there are.
        counted: usize,
    },
    /// The API server does not say how many there are.
    #[error(
        "the API server does not count the {0} (remainingItemCount), so a list cannot be checked"
    )]
    Uncounted(&'static str),
    /// It shows the past: the object itself, or a list before, was newer.
    #[error("the list of {0} is older than what was read before")]
    Stale(&'static str),
    /// The node itself, asked for by name, keeps a record that the list of nodes let go.
    #[error("node {0} exists and keeps its record, and the list of nodes does not show it so")]
    Contradicted(String),
}

impl Doubt {
    /// The reason of the condition.
    pub const fn reason(&self) -> Reason {
        match self {
            Self::Incomplete { .. } => Reason::NodeListIncomplete,
            Self::Uncounted(_) => Reason::NodeListUncounted,
            Self::Stale(_) => Reason::NodeListStale,
            Self::Contradicted(_) => Reason::NodeListContradicted,
        }
    }
}

/// Compares a list with the count of the same moment.
///
/// # Errors
///
/// Why nothing may be removed by it.
pub fn check_count(what: &'static str, listed: usize, counted: Option<usize>) -> Result<(), Doubt> {
    match counted {
        None => Err(Doubt::Uncounted(what)),
        Some(counted) if counted != listed => Err(Doubt::Incomplete {
            what,
            listed,
            counted,
        }),
        Some(_) => Ok(()),
    }
}

/// The last doubt of a process, and until when it stops removals.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Doubts(Option<(Doubt, Moment)>);

impl Doubts {
    /// Stops removals. Returns whether the doubt is another one than before.
    pub fn note(&mut self, doubt: Doubt, now: Moment) -> bool {
        let is_news = self.doubt(now) != Some(&doubt);
        self.0 = Some((doubt, now + STOP));
        is_news
    }

    /// Takes in that a list agreed with its count. A stop lasts its time all the same.
    pub fn dispel(&mut self, now: Moment) {
        if !self.stops(now) {
            self.0 = None;
        }
    }

    /// Whether removals are stopped.
    pub fn stops(&self, now: Moment) -> bool {
        self.until().is_some_and(|until| until > now)
    }

    /// When the last stop ends or has ended.
    pub fn until(&self) -> Option<Moment> {
        self.0.as_ref().map(|(_, until)| *until)
    }

    /// What is shown: the last doubt, until a list agrees with its count or none is made any more.
    pub fn doubt(&self, now: Moment) -> Option<&Doubt> {
        let shown = self
            .0
            .as_ref()
            .filter(|(_, until)| *until + SHOWN_AFTER > now);
        shown.map(|(doubt, _)| doubt)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn total_is_listed_plus_remaining_count() {
        assert_eq!(counted(0, false, None), Some(0));
        assert_eq!(counted(1, false, None), Some(1));
        assert_eq!(counted(1, true, Some(39)), Some(40));
        assert_eq!(counted(1, true, None), None);
        assert_eq!(counted(1, true, Some(-1)), None);
    }

    #[test]
    fn list_that_differs_from_its_count_is_no_evidence() {
        assert_eq!(check_count("nodes", 40, Some(40)), Ok(()));
        let cut = check_count("nodes", 24, Some(40)).unwrap_err();
        assert_eq!(cut.reason(), Reason::NodeListIncomplete);
        assert!(check_count("nodes", 41, Some(40)).is_err());
        assert_eq!(
            check_count("nodes", 1, None),
            Err(Doubt::Uncounted("nodes"))
        );
    }

    #[test]
    fn node_doubt_stops_removals_and_shows_until_agreement() {
        let now = Moment::default();
        let mut doubts = Doubts::default();
        assert!(doubts.note(Doubt::Stale("nodes"), now));
        assert!(!doubts.note(Doubt::Stale("nodes"), now + SECOND));
        // A list that agrees does not shorten the stop.
        doubts.dispel(now + STOP);
        assert!(doubts.stops(now + STOP));
        let over = now + STOP + SECOND;
        assert!(!doubts.stops(over));
        assert_eq!(doubts.doubt(over), Some(&Doubt::Stale("nodes")));
        assert_eq!(doubts.doubt(over + SHOWN_AFTER), None);
        doubts.dispel(over);
        assert_eq!(doubts, Doubts::default());
    }
}
