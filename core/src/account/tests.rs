//! Every sentence of the login budget is one of these tests.

use proptest::prelude::*;

use super::*;

const OWNER: &str = "bigip";
const STRANGER: &str = "stranger";

fn at_min(minutes: u64) -> Moment {
    Moment::since_start(Duration::from_secs(minutes * 60))
}

fn asker(namespace: &str, password: u64) -> Asker<'_> {
    Asker {
        namespace,
        password: PasswordId(password),
    }
}

/// Tries at this minute, and is refused if that is allowed.
fn refuse(account: &mut Account, asker: Asker<'_>, minute: u64) -> Result<(), Wait> {
    account.check(asker, at_min(minute))?;
    account.note(asker, LoginOutcome::Refused, at_min(minute));
    Ok(())
}

/// The minutes of two days at which this password is tried and refused.
fn refused_at(account: &mut Account, password: u64) -> Vec<u64> {
    let asker = asker(OWNER, password);
    (0..2 * 24 * 60)
        .filter(|minute| refuse(account, asker, *minute).is_ok())
        .collect()
}

#[test]
fn password_never_accepted_is_tried_three_times() {
    // At once, after 5 and after 60 minutes; then no more.
    assert_eq!(refused_at(&mut Account::default(), 1), [0, 5, 65]);
}

#[test]
fn password_once_accepted_is_tried_for_good() {
    let mut account = Account::default();
    account.note(asker(OWNER, 1), LoginOutcome::Accepted, at_min(0));
    assert_eq!(refused_at(&mut account, 1)[..6], [0, 5, 20, 80, 140, 200]);
}

#[test]
fn request_of_a_user_begins_the_schedule_again() {
    let mut account = Account::default();
    assert_eq!(refused_at(&mut account, 1).len(), 3);
    let later = at_min(3 * 24 * 60);
    assert_eq!(
        account.check(asker(OWNER, 1), later).unwrap_err().time,
        None
    );
    account.allow(PasswordId(1));
    assert_eq!(account.check(asker(OWNER, 1), later), Ok(()));
}

#[test]
fn two_refusals_in_15_minutes_end_the_tries_of_all() {
    let mut account = Account::default();
    refuse(&mut account, asker(STRANGER, 1), 0).unwrap();
    refuse(&mut account, asker(STRANGER, 2), 1).unwrap();
    let wait = refuse(&mut account, asker(STRANGER, 3), 2).unwrap_err();
    assert_eq!(wait.rule, WaitRule::Budget);
    assert_eq!(wait.time, Some(Duration::from_secs(13 * 60)));
    refuse(&mut account, asker(STRANGER, 3), 15).unwrap();
}

#[test]
fn accepted_password_keeps_one_try_of_its_own() {
    let mut account = Account::default();
    account.note(asker(OWNER, 1), LoginOutcome::Accepted, at_min(0));
    refuse(&mut account, asker(STRANGER, 2), 1).unwrap();
    refuse(&mut account, asker(STRANGER, 3), 1).unwrap();
    assert_eq!(account.check(asker(OWNER, 1), at_min(2)), Ok(()));
    account.note(asker(OWNER, 1), LoginOutcome::Refused, at_min(2));
    // One: its next try shares the budget like all others.
    let wait = account.check(asker(OWNER, 1), at_min(8)).unwrap_err();
    assert_eq!(wait.rule, WaitRule::Budget);
}

#[test]
fn stranger_that_was_refused_leaves_the_next_try_to_the_owner() {
    let mut account = Account::default();
    refuse(&mut account, asker(STRANGER, 1), 0).unwrap();
    refuse(&mut account, asker(STRANGER, 2), 1).unwrap();
    // The owner's password was never accepted there; it waits.
    account.check(asker(OWNER, 9), at_min(2)).unwrap_err();
    for password in 3..9 {
        let wait = account
            .check(asker(STRANGER, password), at_min(16))
            .unwrap_err();
        assert_eq!(wait.rule, WaitRule::Turn);
    }
    assert_eq!(account.check(asker(OWNER, 9), at_min(16)), Ok(()));
}

#[test]
fn namespace_that_no_longer_asks_stops_no_other() {
    let mut account = Account::default();
    refuse(&mut account, asker(STRANGER, 1), 0).unwrap();
    refuse(&mut account, asker(STRANGER, 2), 0).unwrap();
    account.check(asker("gone", 9), at_min(1)).unwrap_err();
    account.check(asker(STRANGER, 3), at_min(16)).unwrap_err();
    assert_eq!(account.check(asker(STRANGER, 3), at_min(21)), Ok(()));
}

#[test]
fn login_without_an_answer_counts_unless_accepted_before() {
    let mut account = Account::default();
    account.note(asker(OWNER, 1), LoginOutcome::Unanswered, at_min(0));
    account.check(asker(OWNER, 1), at_min(0)).unwrap_err();
    account.note(asker(OWNER, 2), LoginOutcome::Accepted, at_min(0));
    account.note(asker(OWNER, 2), LoginOutcome::Unanswered, at_min(1));
    assert_eq!(account.check(asker(OWNER, 2), at_min(1)), Ok(()));
}

#[test]
fn account_with_history_is_worth_more_the_more_it_holds() {
    let mut refused = Account::default();
    refuse(&mut refused, asker(OWNER, 1), 0).unwrap();
    let mut accepted = Account::default();
    accepted.note(asker(OWNER, 1), LoginOutcome::Accepted, at_min(0));
    assert!(refused.worth(at_min(1)) > accepted.worth(at_min(1)));
    assert!(refused.worth(at_min(20)) < accepted.worth(at_min(20)));
    assert!(!refused.is_unused() && !accepted.is_unused());
    assert!(Account::default().is_unused());
}

proptest! {
    /// Whatever asks, with whatever passwords: never more than two refusals within 15 minutes, and one more for
    /// each password that was accepted.
    #[test]
    fn no_history_exceeds_the_budget(
        tries in prop::collection::vec((0_u64..4, 0_u64..6, 0_u64..20), 1..120),
        accepted in prop::collection::btree_set(0_u64..6, 0..3),
    ) {
        let mut account = Account::default();
        for password in &accepted {
            account.note(asker(OWNER, *password), LoginOutcome::Accepted, at_min(0));
        }
        let names = ["a", "b", "c", "d"];
        let (mut minute, mut refused) = (0, Vec::new());
        for (namespace, password, pause) in tries {
            minute += pause;
            let asker = asker(names[usize::try_from(namespace).unwrap()], password);
            if refuse(&mut account, asker, minute).is_ok() {
                refused.push(minute);
            }
        }
        for first in &refused {
            let within = refused.iter().filter(|at| (*first..first + 15).contains(at)).count();
            prop_assert!(within <= REFUSALS_MAX + accepted.len(), "{refused:?}");
        }
    }
}
