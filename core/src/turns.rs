//! Which object writes next to one unit: exclusive turns, new records first, fair between namespaces and
//! objects.
//!
//! One object writes at a time. A turn ends when its write does, and at the latest at its deadline: a write
//! that hangs keeps another object waiting for one turn and not longer, because an object whose turn was slow
//! waits for a while behind the others with equally urgent writes. Pure: moments are parameters. Knows nothing of what is written.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::time::Moment;

/// A turn that lasts this long is slow: a write takes far less than a second.
const SLOW_AFTER: Duration = Duration::from_secs(10);
/// How long the turns of an object count after its last one.
const REMEMBERED_FOR: Duration = Duration::from_secs(300);
/// A waiting write counts as urgent after this time, so that a backlog is written too.
const PATIENCE: Duration = Duration::from_secs(10);
/// In this time what an object has used counts half.
const HALF_LIFE: Duration = Duration::from_secs(60);

/// The object that wants to write.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Applicant {
    /// Its namespace. Namespaces get equal shares, however many objects each has.
    pub namespace: String,
    /// Its name.
    pub object: String,
}

/// How soon a write has to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Urgency {
    /// The record of a node that has just come.
    NewNode,
    /// Everything else.
    Backlog,
}

/// One request for a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(u64);

/// A request that waits.
#[derive(Debug, Clone)]
struct Waiting {
    applicant: Applicant,
    urgency: Urgency,
    /// How long the turn may last.
    limit: Duration,
    since: Moment,
}

/// The turn under way.
#[derive(Debug, Clone)]
struct Running {
    ticket: Ticket,
    applicant: Applicant,
    began: Moment,
    ends_by: Moment,
}

/// What the turns of one object were like.
#[derive(Debug, Clone, Copy, Default)]
struct Past {
    used: Duration,
    ended: Moment,
    was_slow: bool,
}

impl Past {
    /// The time that counts against the object now.
    fn used_at(self, now: Moment) -> Duration {
        let half_lives = self.ended.until(now).as_secs() / HALF_LIFE.as_secs();
        let halvings = u32::try_from(half_lives).unwrap_or(u32::MAX);
        self.used / 2_u32.checked_pow(halvings).unwrap_or(u32::MAX)
    }
}

/// What decides between two requests: the lower one is next.
type Rank = (Urgency, u8, Duration, Duration, Ticket);

/// The turns of one unit.
#[derive(Debug, Clone, Default)]
pub struct Turns {
    waiting: BTreeMap<Ticket, Waiting>,
    running: Option<Running>,
    past: BTreeMap<Applicant, Past>,
    tickets: u64,
    /// Whether the last turn went to a backlog: then a new node that waits is next, however long another
    /// backlog has waited.
    after_backlog: bool,
}

impl Turns {
    /// Asks for a turn that lasts at most `limit`.
    pub fn ask(
        &mut self,
        applicant: Applicant,
        urgency: Urgency,
        limit: Duration,
        now: Moment,
    ) -> Ticket {
        self.tickets = self.tickets.saturating_add(1);
        let ticket = Ticket(self.tickets);
        let waiting = Waiting {
            applicant,
            urgency,
            limit,
            since: now,
        };
        self.waiting.insert(ticket, waiting);
        ticket
    }

    /// Begins the next turn, if none is under way or the one under way is over its deadline. Returns the
    /// request that has the turn from now on.
    pub fn next(&mut self, now: Moment) -> Option<Ticket> {
        match &self.running {
            Some(running) if now < running.ends_by => return None,
            Some(running) => self.end(running.ticket, now),
            None => {}
        }
        self.past
            .retain(|_, past| past.ended.until(now) < REMEMBERED_FOR);
        let waiting = self.waiting.iter();
        let (&ticket, _) =
            waiting.min_by_key(|(ticket, waiting)| self.rank(**ticket, waiting, now))?;
        let Waiting {
            applicant,
            urgency,
            limit,
            ..
        } = self.waiting.remove(&ticket)?;
        self.after_backlog = urgency == Urgency::Backlog;
        self.running = Some(Running {
            ticket,
            applicant,
            began: now,
            ends_by: now + limit,
        });
        Some(ticket)
    }

    /// Ends the turn of this request, or withdraws the request if it waits still.
    pub fn end(&mut self, ticket: Ticket, now: Moment) {
        self.waiting.remove(&ticket);
        let Some(running) = self.running.take_if(|running| running.ticket == ticket) else {
            return;
        };
        let lasted = running.began.until(now);
        let past = self.past.entry(running.applicant).or_default();
        past.used = past.used_at(now).saturating_add(lasted);
        past.ended = now;
        past.was_slow = lasted >= SLOW_AFTER;
    }

    /// Whether no turn is under way and none is waited for.
    pub fn is_idle(&self) -> bool {
        self.running.is_none() && self.waiting.is_empty()
    }

    /// Until when the turn under way lasts at most.
    pub fn ends_by(&self) -> Option<Moment> {
        self.running.as_ref().map(|running| running.ends_by)
    }

    fn rank(&self, ticket: Ticket, waiting: &Waiting, now: Moment) -> Rank {
        let Waiting {
            applicant,
            urgency,
            since,
            ..
        } = waiting;
        let urgency = if since.until(now) >= PATIENCE && !self.after_backlog {
            Urgency::NewNode
        } else {
            *urgency
        };
        let used = |past: &Past| past.used_at(now);
        let by_object = self.past.get(applicant).map(used).unwrap_or_default();
        let peers = self.past.iter();
        let peers = peers.filter(|(other, _)| other.namespace == applicant.namespace);
        let by_namespace = peers.fold(Duration::ZERO, |sum, (_, past)| {
            sum.saturating_add(used(past))
        });
        let conduct = self.conduct(applicant);
        (urgency, conduct, by_namespace, by_object, ticket)
    }

    /// Among equally urgent requests: while turns on this unit are slow, an object that had a quick one goes first, one whose turn was slow
    /// last: between them those that had none, whose writes may hang too.
    fn conduct(&self, applicant: &Applicant) -> u8 {
        match self.past.get(applicant) {
            Some(past) if past.was_slow => 2,
            Some(_) => 0,
            None => u8::from(self.past.values().any(|past| past.was_slow)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What one write may take.
    const LIMIT: Duration = Duration::from_secs(65);

    fn at(seconds: u64) -> Moment {
        Moment::since_start(Duration::from_secs(seconds))
    }

    fn applicant(namespace: &str, object: &str) -> Applicant {
        Applicant {
            namespace: namespace.to_owned(),
            object: object.to_owned(),
        }
    }

    fn ask(turns: &mut Turns, name: (&str, &str), urgency: Urgency, now: u64) -> Ticket {
        turns.ask(applicant(name.0, name.1), urgency, LIMIT, at(now))
    }

    /// A unit at which this object has made a quick write.
    fn used_by(name: (&str, &str)) -> Turns {
        let mut turns = Turns::default();
        let ticket = ask(&mut turns, name, Urgency::Backlog, 0);
        assert_eq!(turns.next(at(0)), Some(ticket));
        turns.end(ticket, at(0));
        turns
    }

    /// Lets 8 objects whose writes hang ask, gives the first one its turn, and has this object ask. Returns
    /// after how many seconds it has its turn.
    fn wait_beside_hanging_writes(mut turns: Turns, hang_in: &str, owner: (&str, &str)) -> u64 {
        let names: Vec<String> = (0..8).map(|index| format!("hangs-{index}")).collect();
        for name in &names {
            ask(&mut turns, (hang_in, name), Urgency::NewNode, 1);
        }
        let mut running = turns.next(at(1)).unwrap();
        let own = ask(&mut turns, owner, Urgency::NewNode, 2);
        let mut now = 1;
        while running != own {
            now += 65;
            turns.end(running, at(now));
            // It tries again at once.
            ask(&mut turns, (hang_in, "hangs-0"), Urgency::NewNode, now);
            running = turns.next(at(now)).unwrap();
        }
        now - 2
    }

    #[test]
    fn owner_waits_one_turn_beside_eight_hanging_objects() {
        let owner = ("team", "prod");
        assert!(wait_beside_hanging_writes(used_by(owner), "stranger", owner) <= 65);
        assert!(wait_beside_hanging_writes(Turns::default(), "stranger", owner) <= 65);
    }

    #[test]
    fn hanging_objects_of_one_namespace_delay_by_one_turn() {
        let owner = ("team", "prod");
        assert!(wait_beside_hanging_writes(used_by(owner), "team", owner) <= 65);
    }

    #[test]
    fn turn_over_its_deadline_ends() {
        let mut turns = Turns::default();
        let hangs = ask(&mut turns, ("a", "hangs"), Urgency::NewNode, 0);
        assert_eq!(turns.next(at(0)), Some(hangs));
        let waits = ask(&mut turns, ("a", "waits"), Urgency::Backlog, 1);
        assert_eq!(turns.next(at(64)), None);
        assert_eq!(turns.ends_by(), Some(at(65)));
        assert_eq!(turns.next(at(65)), Some(waits));
        // The one that lost its turn ends no other one's.
        turns.end(hangs, at(66));
        assert_eq!(turns.next(at(67)), None);
    }

    #[test]
    fn record_of_a_new_node_goes_before_a_backlog() {
        let mut turns = Turns::default();
        let backlog = ask(&mut turns, ("a", "one"), Urgency::Backlog, 0);
        let new = ask(&mut turns, ("a", "two"), Urgency::NewNode, 1);
        assert_eq!(turns.next(at(1)), Some(new));
        turns.end(new, at(1));
        assert_eq!(turns.next(at(1)), Some(backlog));
    }

    #[test]
    fn backlog_that_has_waited_is_urgent() {
        let mut turns = Turns::default();
        let backlog = ask(&mut turns, ("a", "one"), Urgency::Backlog, 0);
        ask(&mut turns, ("a", "two"), Urgency::NewNode, 9);
        assert_eq!(turns.next(at(10)), Some(backlog));
    }

    #[test]
    fn new_node_after_a_hung_turn_goes_before_a_backlog() {
        let mut turns = used_by(("b", "quick"));
        let hangs = ask(&mut turns, ("a", "one"), Urgency::NewNode, 0);
        assert_eq!(turns.next(at(0)), Some(hangs));
        turns.end(hangs, at(65));
        let backlog = ask(&mut turns, ("b", "quick"), Urgency::Backlog, 65);
        let new = ask(&mut turns, ("a", "one"), Urgency::NewNode, 66);
        assert_eq!(turns.next(at(66)), Some(new));
        turns.end(new, at(66));
        assert_eq!(turns.next(at(66)), Some(backlog));
    }

    #[test]
    fn new_node_waits_for_one_of_many_backlogs() {
        let mut turns = used_by(("b", "quick"));
        let hangs = ask(&mut turns, ("a", "one"), Urgency::NewNode, 0);
        assert_eq!(turns.next(at(0)), Some(hangs));
        // They wait for as long as the write hangs.
        for number in 0..50 {
            ask(&mut turns, ("b", &format!("{number}")), Urgency::Backlog, 1);
        }
        turns.end(hangs, at(65));
        let new = ask(&mut turns, ("a", "one"), Urgency::NewNode, 65);
        let first = turns.next(at(65)).unwrap();
        turns.end(first, at(66));
        assert!(first == new || turns.next(at(66)) == Some(new));
    }

    #[test]
    fn backlog_beside_hanging_new_nodes_waits_one_turn() {
        let mut turns = Turns::default();
        let first = ask(&mut turns, ("a", "0"), Urgency::NewNode, 0);
        assert_eq!(turns.next(at(0)), Some(first));
        for number in 1..8 {
            ask(&mut turns, ("a", &format!("{number}")), Urgency::NewNode, 0);
        }
        let own = ask(&mut turns, ("team", "prod"), Urgency::Backlog, 1);
        turns.end(first, at(65));
        assert_eq!(turns.next(at(65)), Some(own));
    }

    #[test]
    fn objects_with_a_backlog_take_turns() {
        let mut turns = Turns::default();
        let mut order = Vec::new();
        let mut tickets: BTreeMap<Ticket, &str> = BTreeMap::new();
        for object in ["one", "two"] {
            let ticket = ask(&mut turns, ("a", object), Urgency::Backlog, 0);
            tickets.insert(ticket, object);
        }
        for now in 0..6 {
            let ticket = turns.next(at(now)).unwrap();
            let object = tickets[&ticket];
            order.push(object);
            turns.end(ticket, at(now + 1));
            let again = ask(&mut turns, ("a", object), Urgency::Backlog, now + 1);
            tickets.insert(again, object);
        }
        assert_eq!(order, ["one", "two", "one", "two", "one", "two"]);
    }

    #[test]
    fn namespaces_share_turns_equally() {
        let mut turns = Turns::default();
        let mut names = BTreeMap::new();
        for name in [("many", "1"), ("many", "2"), ("many", "3"), ("few", "1")] {
            let ticket = ask(&mut turns, name, Urgency::Backlog, 0);
            names.insert(ticket, name);
        }
        let mut few = 0;
        for now in 0..20 {
            let ticket = turns.next(at(now)).unwrap();
            let name = names[&ticket];
            few += usize::from(name.0 == "few");
            turns.end(ticket, at(now + 1));
            names.insert(ask(&mut turns, name, Urgency::Backlog, now + 1), name);
        }
        assert!((9..=11).contains(&few), "{few} of 20");
    }

    #[test]
    fn slow_turn_expires_from_the_history() {
        let mut turns = Turns::default();
        let slow = ask(&mut turns, ("a", "slow"), Urgency::Backlog, 0);
        turns.next(at(0));
        turns.end(slow, at(60));
        let slow = ask(&mut turns, ("a", "slow"), Urgency::Backlog, 100);
        let other = ask(&mut turns, ("b", "other"), Urgency::Backlog, 101);
        let mut early = turns.clone();
        assert_eq!(early.next(at(102)), Some(other));
        assert_eq!(turns.next(at(360)), Some(slow));
    }

    #[test]
    fn turns_are_idle_when_none_runs_or_waits() {
        let mut turns = Turns::default();
        assert!(turns.is_idle());
        let one = ask(&mut turns, ("a", "one"), Urgency::Backlog, 0);
        assert!(!turns.is_idle());
        turns.next(at(0));
        assert!(!turns.is_idle());
        turns.end(one, at(1));
        assert!(turns.is_idle());
    }

    #[test]
    fn withdrawn_request_gets_no_turn() {
        let mut turns = Turns::default();
        let gone = ask(&mut turns, ("a", "one"), Urgency::NewNode, 0);
        let stays = ask(&mut turns, ("a", "two"), Urgency::Backlog, 0);
        turns.end(gone, at(0));
        assert_eq!(turns.next(at(0)), Some(stays));
    }
}
