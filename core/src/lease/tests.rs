//! The rules of the election one by one, and all interleavings of two candidates.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use super::*;

fn at(second: u64) -> Moment {
    Moment::since_start(Duration::from_secs(second))
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn usual() -> Timing {
    Timing::new(seconds(15), seconds(10), seconds(2)).unwrap()
}

fn elector() -> Elector {
    Elector::new("us".into(), usual())
}

fn lease(version: &str, holder: Option<&str>, duration_seconds: u64) -> Lease {
    Lease {
        version: version.into(),
        holder: holder.map(str::to_owned),
        duration: Some(seconds(duration_seconds)),
        is_unused: false,
    }
}

/// A lease as an installation creates it.
fn unused(version: &str) -> Lease {
    Lease {
        version: version.into(),
        holder: None,
        duration: None,
        is_unused: true,
    }
}

fn take(version: &str) -> Step {
    Step::Take {
        replaces: Some(version.into()),
    }
}

/// A leader since second 0.
fn leader() -> Elector {
    let mut elector = elector();
    elector.read(Some(lease("1", None, 1)), at(0), at(0));
    elector.taken(lease("2", Some("us"), 15), at(0), at(1));
    elector
}

#[test]
fn inconsistent_lease_times_are_refused() {
    let timing = |d, r, p| Timing::new(seconds(d), seconds(r), seconds(p));
    assert!(timing(15, 10, 2).is_ok());
    assert_eq!(timing(10, 10, 2), Err(InvalidTiming::DeadlineTooLong));
    assert_eq!(timing(15, 10, 6), Err(InvalidTiming::RetryTooLong));
    assert_eq!(timing(15, 10, 0), Err(InvalidTiming::NoPause));
}

#[test]
fn released_lease_is_acquired_at_once() {
    let mut elector = elector();
    assert_eq!(elector.next(at(0)), Step::Read);
    elector.read(Some(lease("1", None, 1)), at(0), at(0));
    assert_eq!(elector.next(at(0)), take("1"));
}

#[test]
fn unused_lease_is_acquired_at_once() {
    let mut elector = elector();
    elector.read(Some(unused("1")), at(0), at(0));
    assert_eq!(elector.next(at(0)), take("1"));
}

#[test]
fn emptied_held_lease_is_acquired_after_its_duration() {
    let mut elector = elector();
    elector.read(Some(lease("1", Some("other"), 15)), at(0), at(0));
    elector.read(Some(unused("2")), at(2), at(2));
    assert_eq!(elector.next(at(16)), Step::Read);
    assert_eq!(elector.next(at(17)), take("2"));
}

#[test]
fn leader_is_reported_until_its_lease_expires() {
    let mut elector = elector();
    assert_eq!(elector.leader(at(0)), None);
    elector.read(Some(lease("1", Some("other"), 15)), at(0), at(1));
    assert_eq!(elector.leader(at(15)), Some("other"));
    assert_eq!(elector.leader(at(16)), None);
    elector.read(Some(lease("2", None, 1)), at(17), at(17));
    assert_eq!(elector.leader(at(17)), None);
}

#[test]
fn own_leadership_is_reported_until_renew_deadline() {
    let mut elector = leader();
    assert_eq!(elector.leader(at(9)), Some("us"));
    assert_eq!(elector.leader(at(10)), None);
    elector.step_down();
    assert_eq!(elector.leader(at(1)), None);
}

#[test]
fn unchanged_foreign_lease_is_acquired_after_duration() {
    let mut elector = elector();
    elector.read(Some(lease("1", Some("other"), 15)), at(0), at(1));
    assert_eq!(elector.next(at(1)), Step::Wait(at(2)));
    assert_eq!(elector.next(at(2)), Step::Read);
    elector.read(Some(lease("1", Some("other"), 15)), at(14), at(15));
    assert_eq!(elector.next(at(15)), Step::Wait(at(16)));
    assert_eq!(elector.next(at(16)), take("1"));
}

#[test]
fn renewed_foreign_lease_is_not_acquired() {
    let mut elector = elector();
    for second in 0..100 {
        let version = (second / 10).to_string();
        let moment = at(second);
        elector.read(Some(lease(&version, Some("other"), 15)), moment, moment);
        let next = elector.next(moment);
        assert!(!matches!(next, Step::Take { .. }), "{second}: {next:?}");
    }
}

#[test]
fn foreign_lease_is_kept_for_its_own_duration() {
    let mut elector = elector();
    elector.read(Some(lease("1", Some("other"), 60)), at(0), at(0));
    assert_eq!(elector.next(at(59)), Step::Read);
    assert_eq!(elector.next(at(60)), take("1"));
}

#[test]
fn shorter_lease_duration_counts_as_configured_one() {
    for duration in [None, Some(seconds(1))] {
        let mut elector = elector();
        let edited = Lease {
            duration,
            ..lease("1", Some("other"), 15)
        };
        elector.read(Some(edited), at(0), at(0));
        assert_eq!(elector.next(at(14)), Step::Read);
        assert_eq!(elector.next(at(15)), take("1"));
    }
}

#[test]
fn lease_with_deleted_holder_keeps_its_duration() {
    let mut elector = elector();
    elector.read(Some(lease("1", None, 15)), at(0), at(0));
    assert_eq!(elector.next(at(14)), Step::Read);
    assert_eq!(elector.next(at(15)), take("1"));
}

#[test]
fn created_lease_is_not_acquired_by_its_creation() {
    let mut elector = elector();
    elector.read(None, at(0), at(0));
    assert_eq!(elector.next(at(0)), Step::Make);
    elector.read(Some(lease("1", None, 15)), at(0), at(1));
    assert_eq!(elector.next(at(1)), Step::Wait(at(2)));
    assert_eq!(elector.leads_until(), None);
    assert_eq!(elector.next(at(16)), take("1"));
}

#[test]
fn leadership_counts_from_before_the_write() {
    let mut elector = elector();
    elector.read(Some(lease("1", None, 1)), at(0), at(0));
    elector.taken(lease("2", Some("us"), 15), at(3), at(8));
    assert_eq!(elector.leads_until(), Some(at(13)));
}

#[test]
fn leader_keeps_lease_with_slow_answers() {
    let answer_after = usual().call_deadline().mul_f64(0.99);
    let (mut elector, mut now) = (leader(), at(1));
    for version in 3..100 {
        while let Step::Wait(until) = elector.next(now) {
            now = until;
        }
        assert!(matches!(elector.next(now), Step::Take { .. }), "{now:?}");
        let sent = now;
        now = sent + answer_after;
        assert!(elector.leads_until().is_some_and(|until| now < until));
        elector.taken(lease(&version.to_string(), Some("us"), 15), sent, now);
    }
}

#[test]
fn leader_renews_in_time_and_ends_when_renewal_fails() {
    let mut elector = leader();
    assert_eq!(elector.next(at(1)), Step::Wait(at(2)));
    assert_eq!(elector.next(at(2)), take("2"));
    elector.failed(at(2));
    assert_eq!(elector.next(at(4)), Step::Read);
    elector.failed(at(9));
    assert_eq!(elector.next(at(9)), Step::Wait(at(10)));
    assert_eq!(elector.next(at(10)), Step::Lost);
}

#[test]
fn renewal_with_lost_answer_is_detected_and_repeated() {
    let mut elector = leader();
    elector.failed(at(2));
    assert_eq!(elector.next(at(4)), Step::Read);
    elector.read(Some(lease("3", Some("us"), 15)), at(4), at(4));
    assert_eq!(elector.leads_until(), Some(at(10)));
    assert_eq!(elector.next(at(4)), take("3"));
    elector.taken(lease("4", Some("us"), 15), at(4), at(5));
    assert_eq!(elector.leads_until(), Some(at(14)));
}

#[test]
fn deleted_or_emptied_lease_is_reacquired_at_once() {
    let mut elector = leader();
    elector.overtaken(at(2));
    assert_eq!(elector.next(at(2)), Step::Read);
    elector.read(None, at(2), at(2));
    assert_eq!(elector.next(at(2)), Step::Take { replaces: None });
    elector.overtaken(at(3));
    elector.read(Some(lease("7", None, 15)), at(3), at(3));
    assert_eq!(elector.next(at(3)), take("7"));
}

#[test]
fn leader_ends_at_once_if_lease_names_another_holder() {
    let mut elector = leader();
    elector.overtaken(at(2));
    elector.read(Some(lease("7", Some("ghost"), 15)), at(2), at(2));
    assert_eq!(elector.leads_until(), None);
    assert_eq!(elector.next(at(2)), Step::Lost);
}

#[test]
fn write_without_a_change_renews_nothing() {
    let mut elector = leader();
    elector.taken(lease("2", Some("us"), 15), at(5), at(5));
    assert_eq!(elector.leads_until(), Some(at(10)));
}

#[test]
fn step_down_ends_leadership_and_releases_the_lease() {
    let mut elector = leader();
    assert!(elector.step_down());
    assert_eq!(elector.leads_until(), None);
    assert_eq!(elector.next(at(1)), Step::Lost);
    // An answer that comes now changes nothing.
    elector.taken(lease("3", Some("us"), 15), at(1), at(1));
    assert_eq!(elector.leads_until(), None);

    let mut follower = self::elector();
    follower.read(Some(lease("1", Some("other"), 15)), at(0), at(0));
    assert!(!follower.step_down());
    let mut uncertain = self::elector();
    uncertain.read(Some(lease("1", None, 1)), at(0), at(0));
    uncertain.failed(at(0));
    assert!(uncertain.step_down());
}

/// Two candidates and a store, in every order of sending, arriving, answering, losing and waiting, with
/// a person who deletes, empties and makes the lease. Seconds are long enough to be counted: what counts
/// is their order.
mod every_interleaving {
    use super::*;

    const NAMES: [&str; 2] = ["a", "b"];
    /// The second that every world is shifted to: what counts is how long ago things were, so that there
    /// are finitely many worlds and no end of time.
    const NOW: u64 = 10;

    /// What is written into the store.
    #[derive(Clone, PartialEq, Eq, Hash)]
    enum Request {
        Read,
        Make,
        Take { replaces: Option<String> },
        GiveBack { replaces: String },
    }

    impl Request {
        fn version(&mut self) -> Option<&mut String> {
            match self {
                Self::Take { replaces } => replaces.as_mut(),
                Self::GiveBack { replaces } => Some(replaces),
                Self::Read | Self::Make => None,
            }
        }
    }

    #[derive(Clone, PartialEq, Eq, Hash)]
    enum Answer {
        Lease(Option<Lease>),
        Conflict,
    }

    #[derive(Clone, PartialEq, Eq, Hash)]
    struct Call {
        request: Request,
        sent: Moment,
        answer: Option<Answer>,
    }

    #[derive(Clone, PartialEq, Eq, Hash)]
    struct Candidate {
        elector: Elector,
        has_ended: bool,
        call: Option<Call>,
        /// A request that its sender has given up waiting for, and that is still on its way.
        late: Option<Request>,
    }

    #[derive(Clone, PartialEq, Eq, Hash)]
    struct World {
        lease: Option<Lease>,
        versions: u32,
        candidates: [Candidate; 2],
        /// How often the person may still do something.
        hand: u8,
        /// Whether a request may arrive after its sender has given up waiting.
        is_late_possible: bool,
    }

    /// Takes a change that leads to a world that may come next.
    type Then<'a> = &'a mut dyn FnMut(&dyn Fn(&mut World));

    impl World {
        fn new(hand: u8, is_late_possible: bool) -> Self {
            let timing = Timing::new(seconds(3), seconds(2), seconds(1)).unwrap();
            let candidate = |name: &str| Candidate {
                elector: Elector::new(name.into(), timing),
                has_ended: false,
                call: None,
                late: None,
            };
            Self {
                lease: Some(unused("0")),
                versions: 0,
                candidates: NAMES.map(candidate),
                hand,
                is_late_possible,
            }
            .normal()
        }

        /// A second passes.
        fn tick(&mut self) {
            let back = |moment: &mut Moment| {
                let second = Moment::default().until(*moment).as_secs();
                *moment = at(second - 1);
            };
            for Candidate { elector, call, .. } in &mut self.candidates {
                back(&mut elector.due);
                elector
                    .seen
                    .iter_mut()
                    .for_each(|seen| back(&mut seen.since));
                if let Some(call) = call {
                    back(&mut call.sent);
                }
                if let Standing::Leader(until) = &mut elector.standing {
                    back(until);
                }
            }
        }

        /// Every version that is remembered.
        fn versions(&mut self) -> Vec<&mut String> {
            let mut versions: Vec<&mut String> = Vec::new();
            versions.extend(self.lease.iter_mut().map(|lease| &mut lease.version));
            for Candidate {
                elector,
                call,
                late,
                ..
            } in &mut self.candidates
            {
                let seen = elector.seen.iter_mut();
                let seen = seen.filter_map(|seen| seen.lease.as_mut());
                versions.extend(seen.map(|lease| &mut lease.version));
                if let Some(call) = call {
                    versions.extend(call.request.version());
                    if let Some(Answer::Lease(Some(lease))) = &mut call.answer {
                        versions.push(&mut lease.version);
                    }
                }
                versions.extend(late.as_mut().and_then(Request::version));
            }
            versions
        }

        /// The same world as all others that differ from it only in what makes no difference.
        fn normal(mut self) -> Self {
            for Candidate {
                elector,
                call,
                has_ended,
                ..
            } in &mut self.candidates
            {
                if *has_ended {
                    // Nobody asks it any more.
                    (*elector, *call) = (Elector::new(String::new(), elector.timing), None);
                }
                let Timing {
                    duration,
                    retry,
                    renew_deadline,
                } = elector.timing;
                let oldest = |age: Duration| at(NOW - age.as_secs());
                elector.due = elector.due.max(at(NOW));
                if let Some(seen) = &mut elector.seen {
                    seen.since = seen.since.max(oldest(duration));
                }
                if let Some(call) = call {
                    let counts = match call.request {
                        Request::Take { .. } => renew_deadline,
                        _ => retry,
                    };
                    call.sent = call.sent.max(oldest(counts));
                }
                if let Standing::Leader(until) = &mut elector.standing {
                    *until = (*until).max(at(NOW));
                }
            }
            self.settle();
            let mut names: Vec<String> = Vec::new();
            for version in self.versions() {
                let known = names.iter().position(|name| name == version);
                let number = known.unwrap_or_else(|| {
                    names.push(version.clone());
                    names.len() - 1
                });
                *version = number.to_string();
            }
            self.versions = u32::try_from(names.len()).unwrap();
            self
        }

        /// Stands for the world among those that were looked at.
        fn fingerprint(&self) -> u64 {
            let mut hasher = DefaultHasher::new();
            self.hash(&mut hasher);
            hasher.finish()
        }

        /// A version that was replaced never comes back: what is still on its way to replace it is as good
        /// as refused.
        fn settle(&mut self) {
            let version = self.lease.as_ref().map(|lease| lease.version.clone());
            let is_void = |request: &Request| match request {
                Request::Take { replaces: Some(v) } | Request::GiveBack { replaces: v } => {
                    Some(v) != version.as_ref()
                }
                Request::Read | Request::Make | Request::Take { replaces: None } => false,
            };
            for Candidate { call, late, .. } in &mut self.candidates {
                late.take_if(|late| is_void(late));
                if let Some(call) = call.as_mut().filter(|call| is_void(&call.request)) {
                    call.answer.get_or_insert(Answer::Conflict);
                }
            }
        }

        fn may_write(&self, index: usize) -> bool {
            let Candidate {
                elector, has_ended, ..
            } = &self.candidates[index];
            let leads = elector.leads_until().is_some_and(|until| at(NOW) < until);
            leads && !has_ended
        }

        fn store(&mut self, holder: Option<&str>, duration: Option<Duration>) -> Answer {
            self.versions += 1;
            self.lease = Some(Lease {
                version: self.versions.to_string(),
                holder: holder.map(str::to_owned),
                duration,
                is_unused: false,
            });
            Answer::Lease(self.lease.clone())
        }

        /// The store works on a request.
        fn serve(&mut self, index: usize, request: &Request) -> Answer {
            let version = self.lease.as_ref().map(|lease| lease.version.clone());
            let duration = Some(self.candidates[index].elector.timing.duration);
            match request {
                Request::Read => Answer::Lease(self.lease.clone()),
                Request::Make if version.is_none() => self.store(None, duration),
                Request::Take { replaces } if *replaces == version => {
                    self.store(Some(NAMES[index]), duration)
                }
                Request::GiveBack { replaces } if Some(replaces) == version.as_ref() => {
                    self.store(None, Some(GIVEN_BACK))
                }
                _ => Answer::Conflict,
            }
        }

        /// All worlds that may come next.
        fn next(&self) -> Vec<Self> {
            let mut worlds = Vec::new();
            let mut then = |change: &dyn Fn(&mut Self)| {
                let mut world = self.clone();
                change(&mut world);
                worlds.push(world.normal());
            };
            then(&Self::tick);
            for index in 0..NAMES.len() {
                self.of_candidate(index, &mut then);
            }
            if self.hand > 0 {
                self.of_person(&mut then);
            }
            worlds
        }

        fn of_candidate(&self, index: usize, then: Then<'_>) {
            let is_late_possible = self.is_late_possible;
            let candidate = &self.candidates[index];
            if let Some(late) = candidate.late.clone() {
                then(&|world| {
                    world.candidates[index].late = None;
                    world.serve(index, &late);
                });
            }
            if candidate.has_ended {
                return;
            }
            match &candidate.call {
                None => self.begin(index, then),
                Some(Call {
                    answer: None,
                    request,
                    sent,
                }) => {
                    then(&|world| {
                        let answer = world.serve(index, request);
                        let call = world.candidates[index].call.as_mut().unwrap();
                        call.answer = Some(answer);
                    });
                    then(&|world| {
                        let candidate = &mut world.candidates[index];
                        candidate.call = None;
                        let arrives = is_late_possible && *request != Request::Read;
                        candidate.late = arrives.then(|| request.clone());
                        candidate.elector.failed(*sent);
                    });
                }
                Some(Call {
                    answer: Some(answer),
                    request,
                    sent,
                }) => {
                    then(&|world| {
                        let now = at(NOW);
                        let candidate = &mut world.candidates[index];
                        candidate.call = None;
                        let elector = &mut candidate.elector;
                        match (answer.clone(), request) {
                            (Answer::Conflict, _) => elector.overtaken(now),
                            (Answer::Lease(Some(lease)), Request::Take { .. }) => {
                                elector.taken(lease, *sent, now);
                            }
                            (Answer::Lease(lease), _) => elector.read(lease, *sent, now),
                        }
                    });
                    then(&|world| {
                        let candidate = &mut world.candidates[index];
                        candidate.call = None;
                        candidate.elector.failed(*sent);
                    });
                }
            }
        }

        fn begin(&self, index: usize, then: Then<'_>) {
            let elector = &self.candidates[index].elector;
            let request = match elector.next(at(NOW)) {
                Step::Wait(_) => None,
                Step::Read => Some(Request::Read),
                Step::Make => Some(Request::Make),
                Step::Take { replaces } => Some(Request::Take { replaces }),
                Step::Lost => {
                    then(&|world| world.candidates[index].has_ended = true);
                    None
                }
            };
            if let Some(request) = request {
                then(&|world| {
                    world.candidates[index].call = Some(Call {
                        request: request.clone(),
                        sent: at(NOW),
                        answer: None,
                    });
                });
            }
            let seen = elector.seen.as_ref().and_then(|seen| seen.lease.as_ref());
            let own = seen.filter(|lease| lease.holder.as_deref() == Some(NAMES[index]));
            if let Some(lease) = own {
                then(&|world| {
                    let candidate = &mut world.candidates[index];
                    assert!(candidate.elector.step_down());
                    candidate.has_ended = true;
                    candidate.late = Some(Request::GiveBack {
                        replaces: lease.version.clone(),
                    });
                });
            }
        }

        /// Whatever a user does to the lease, except what says that a holder has ended that has not: to give
        /// it back, or to replace it by an unused one.
        fn of_person(&self, then: Then<'_>) {
            let Some(lease) = &self.lease else {
                then(&|world| {
                    world.hand -= 1;
                    world.store(None, None);
                });
                return;
            };
            then(&|world| {
                world.hand -= 1;
                world.lease = None;
            });
            if lease.holder.is_some() {
                then(&|world| {
                    world.hand -= 1;
                    world.store(None, lease.duration);
                });
            }
        }
    }

    /// Looks at every world that can come of this one. In some of them each has to lead: else there would
    /// be nothing to see.
    fn explore(first: World) {
        let mut known = HashSet::from([first.fingerprint()]);
        let mut left = vec![first];
        let mut led = [false; 2];
        while let Some(world) = left.pop() {
            let leads = [world.may_write(0), world.may_write(1)];
            assert_ne!(leads, [true; 2], "two leaders");
            led = [led[0] | leads[0], led[1] | leads[1]];
            let next = world.next().into_iter();
            left.extend(next.filter(|next| known.insert(next.fingerprint())));
        }
        assert_eq!(led, [true; 2]);
    }

    #[test]
    fn at_most_one_candidate_leads_despite_late_or_lost_calls() {
        explore(World::new(0, true));
    }

    #[test]
    fn at_most_one_candidate_leads_despite_lease_edits() {
        explore(World::new(1, false));
    }
}
