//! Which conditions are shown. Pure: the moment is a parameter.
//!
//! While agents are restarted one by one, a count in a message moves with each of them. A status that is written
//! every second wakes everything that watches, so that a message alone moves rarely.

use std::collections::BTreeMap;
use std::time::Duration;

use bigip_tunnel_core::conditions::Condition;
use bigip_tunnel_core::time::Moment;

use super::Judged;
use crate::index::ObjectKey;

/// The least time between two messages of one condition that says the same otherwise.
const MESSAGE_GAP: Duration = Duration::from_secs(60);

/// The conditions that are shown, and since when.
#[derive(Debug, Default)]
pub(super) struct Board(BTreeMap<ObjectKey, (Condition, Moment)>);

impl Board {
    /// Takes in what was found. Returns whether that changes what is shown.
    pub(super) fn update(&mut self, found: &Judged, now: Moment) -> bool {
        let before = self.0.len();
        self.0.retain(|key, _| found.contains_key(key));
        let mut changed = self.0.len() != before;
        for (key, condition) in found {
            if self.shows(key, condition, now) {
                self.0.insert(key.clone(), (condition.clone(), now));
                changed = true;
            }
        }
        changed
    }

    /// Whether a condition takes the place of the one that is shown.
    fn shows(&self, key: &ObjectKey, found: &Condition, now: Moment) -> bool {
        let Some((shown, since)) = self.0.get(key) else {
            return true;
        };
        let is_other = (shown.truth, shown.reason) != (found.truth, found.reason);
        is_other || shown.message != found.message && since.until(now) >= MESSAGE_GAP
    }

    /// When a message that was found may take the place of the one that is shown, if one waits for that.
    pub(super) fn due(&self, found: &Judged) -> Option<Moment> {
        let waiting = self.0.iter().filter(|(key, (shown, _))| {
            let found = found.get(*key);
            found.is_some_and(|found| found.message != shown.message)
        });
        waiting.map(|(_, (_, since))| *since + MESSAGE_GAP).min()
    }

    /// What is shown.
    pub(super) fn shown(&self) -> Judged {
        let shown = self.0.iter();
        shown
            .map(|(key, (condition, _))| (key.clone(), condition.clone()))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use bigip_tunnel_core::condition::ConditionType;
    use bigip_tunnel_core::conditions::Truth;
    use bigip_tunnel_core::reason::Reason;

    use super::*;

    fn at(second: u64) -> Moment {
        Moment::since_start(Duration::from_secs(second))
    }

    fn found(truth: Truth, message: &str) -> Judged {
        let condition = Condition {
            kind: ConditionType::CiliumReady,
            truth,
            reason: Reason::AgentsOutdated,
            message: message.to_owned(),
        };
        [(("bigip".to_owned(), "east".to_owned()), condition)].into()
    }

    fn message(board: &Board) -> Vec<String> {
        let shown = board.shown().into_values();
        shown.map(|condition| condition.message).collect()
    }

    #[test]
    fn same_condition_changes_nothing() {
        let mut board = Board::default();
        let one = found(Truth::Unknown, "3 of 5");
        assert!(board.update(&one, at(0)));
        assert!(!board.update(&one, at(1)));
        assert!(!board.update(&one, at(600)));
        assert_eq!(board.due(&one), None);
    }

    #[test]
    fn message_alone_moves_once_a_minute() {
        let mut board = Board::default();
        board.update(&found(Truth::Unknown, "3 of 5"), at(10));
        let two = found(Truth::Unknown, "2 of 5");
        assert!(!board.update(&two, at(20)));
        assert_eq!(message(&board), ["3 of 5"]);
        assert_eq!(board.due(&two), Some(at(70)));
        assert!(board.update(&two, at(70)));
        assert_eq!(message(&board), ["2 of 5"]);
        assert_eq!(board.due(&two), None);
    }

    #[test]
    fn other_status_is_shown_at_once() {
        let mut board = Board::default();
        board.update(&found(Truth::Unknown, "1 of 5"), at(10));
        assert!(board.update(&found(Truth::True, "matches"), at(11)));
        assert_eq!(message(&board), ["matches"]);
    }

    #[test]
    fn object_without_verdict_is_not_shown() {
        let mut board = Board::default();
        board.update(&found(Truth::True, "matches"), at(10));
        assert!(board.update(&Judged::new(), at(11)));
        assert!(!board.update(&Judged::new(), at(12)));
        assert_eq!(message(&board), [""; 0]);
    }
}
