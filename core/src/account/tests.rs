//! Every sentence of the login budget is one of these tests.

use proptest::prelude::*;

use super::*;
use crate::unit::PublicKeyHash;

const OWNER: &str = "bigip";
const STRANGER: &str = "stranger";

fn at_min(minutes: u64) -> Moment {
    Moment::since_start(Duration::from_secs(minutes * 60))
}

/// The wall clock when the process began.
const START: Timestamp = Timestamp::constant(1_795_000_000, 0);
/// Of passwords whose Secret does not matter.
static ANY_SECRET: SecretVersion = SecretVersion {
    uid: String::new(),
    resource_version: String::new(),
};

fn asker(namespace: &str, password: u64) -> Asker<'_> {
    Asker {
        namespace,
        password: PasswordId(password),
        secret: &ANY_SECRET,
    }
}

/// This minute on both clocks.
fn now_min(minutes: u64) -> Now {
    let elapsed = SignedDuration::from_mins(i64::try_from(minutes).unwrap());
    Now {
        moment: at_min(minutes),
        time: START + elapsed,
    }
}

/// Tries at this minute, and is refused if that is allowed.
fn refuse(account: &mut Account, asker: Asker<'_>, minute: u64) -> Result<(), Wait> {
    account.check(asker, at_min(minute))?;
    account.note(asker, LoginOutcome::Refused, now_min(minute));
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
    account.note(asker(OWNER, 1), LoginOutcome::Accepted, now_min(0));
    assert_eq!(refused_at(&mut account, 1)[..6], [0, 5, 20, 80, 140, 200]);
}

#[test]
fn user_request_restarts_the_schedule() {
    let mut account = Account::default();
    assert_eq!(refused_at(&mut account, 1).len(), 3);
    let later = at_min(3 * 24 * 60);
    assert_eq!(
        account.check(asker(OWNER, 1), later).unwrap_err().time,
        None
    );
    account.allow(asker(OWNER, 1));
    assert_eq!(account.check(asker(OWNER, 1), later), Ok(()));
}

#[test]
fn two_refusals_in_15_minutes_block_all_logins() {
    let mut account = Account::default();
    refuse(&mut account, asker(STRANGER, 1), 0).unwrap();
    refuse(&mut account, asker(STRANGER, 2), 1).unwrap();
    let wait = refuse(&mut account, asker(STRANGER, 3), 2).unwrap_err();
    assert_eq!(wait.rule, WaitRule::Budget);
    assert_eq!(wait.time, Some(Duration::from_secs(13 * 60)));
    refuse(&mut account, asker(STRANGER, 3), 15).unwrap();
}

#[test]
fn accepted_password_keeps_one_reserved_try() {
    let mut account = Account::default();
    account.note(asker(OWNER, 1), LoginOutcome::Accepted, now_min(0));
    refuse(&mut account, asker(STRANGER, 2), 1).unwrap();
    refuse(&mut account, asker(STRANGER, 3), 1).unwrap();
    assert_eq!(account.check(asker(OWNER, 1), at_min(2)), Ok(()));
    account.note(asker(OWNER, 1), LoginOutcome::Refused, now_min(2));
    // One: its next try shares the budget like all others.
    let wait = account.check(asker(OWNER, 1), at_min(8)).unwrap_err();
    assert_eq!(wait.rule, WaitRule::Budget);
}

#[test]
fn refused_foreign_namespace_leaves_next_try_to_owner() {
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
fn idle_namespace_blocks_no_other() {
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
    account.note(asker(OWNER, 1), LoginOutcome::Unanswered, now_min(0));
    account.check(asker(OWNER, 1), at_min(0)).unwrap_err();
    account.note(asker(OWNER, 2), LoginOutcome::Accepted, now_min(0));
    account.note(asker(OWNER, 2), LoginOutcome::Unanswered, now_min(1));
    assert_eq!(account.check(asker(OWNER, 2), at_min(1)), Ok(()));
}

#[test]
fn account_worth_grows_with_its_history() {
    let mut refused = Account::default();
    refuse(&mut refused, asker(OWNER, 1), 0).unwrap();
    let mut accepted = Account::default();
    accepted.note(asker(OWNER, 1), LoginOutcome::Accepted, now_min(0));
    assert!(refused.worth(at_min(1)) > accepted.worth(at_min(1)));
    assert!(refused.worth(at_min(20)) < accepted.worth(at_min(20)));
    assert!(!refused.is_unused() && !accepted.is_unused());
    assert!(Account::default().is_unused());
}

fn secret(resource_version: &str) -> SecretVersion {
    SecretVersion {
        uid: "uid".into(),
        resource_version: resource_version.into(),
    }
}

fn id() -> AccountId {
    AccountId::stored("account")
}

/// The row that an earlier process left: this many refusals of the Secret of version 1, one a minute.
fn row_of(refusals: u64) -> LoginRecord {
    let (mut account, secret) = (Account::default(), secret("1"));
    let asker = Asker {
        secret: &secret,
        ..asker(OWNER, 1)
    };
    for minute in 0..refusals {
        account.note(asker, LoginOutcome::Refused, now_min(minute));
    }
    account.record(id(), asker).unwrap()
}

/// The account of a process that begins at this minute of the one before.
fn restarted(rows: &[LoginRecord], minute: i64) -> Account {
    let mut account = Account::default();
    let now = Now {
        moment: at_min(0),
        time: START + SignedDuration::from_mins(minute),
    };
    account.restore(rows, now);
    account
}

#[test]
fn restart_keeps_every_refusal() {
    let mut account = restarted(&[row_of(2)], 2);
    // Whatever password: the two refusals count until their time is over, in minute 15 and 16.
    let wait = account.check(asker(OWNER, 9), at_min(0)).unwrap_err();
    assert_eq!(wait.rule, WaitRule::Budget);
    assert_eq!(wait.time, Some(Duration::from_secs(13 * 60)));
    assert_eq!(account.check(asker(OWNER, 9), at_min(13)), Ok(()));
}

#[test]
fn restart_continues_schedule_of_a_password() {
    let refused = secret("1");
    let asker = Asker {
        secret: &refused,
        ..asker(OWNER, 7)
    };
    let wait = restarted(&[row_of(1)], 2).check(asker, at_min(0));
    assert_eq!(wait.unwrap_err().time, Some(Duration::from_secs(3 * 60)));
    // Three refusals end its tries, however long ago they were.
    let wait = restarted(&[row_of(3)], 9_999).check(asker, at_min(0));
    assert_eq!(wait.unwrap_err().time, None);
}

#[test]
fn changed_secret_starts_its_own_schedule() {
    let changed = secret("2");
    let asker = Asker {
        secret: &changed,
        ..asker(OWNER, 7)
    };
    let mut account = restarted(&[row_of(3)], 9_999);
    assert_eq!(account.check(asker, at_min(0)), Ok(()));
}

#[test]
fn request_after_a_restart_restarts_the_schedule() {
    let refused = secret("1");
    let asker = Asker {
        secret: &refused,
        ..asker(OWNER, 7)
    };
    let mut account = restarted(&[row_of(3)], 60);
    account.allow(asker);
    assert_eq!(account.check(asker, at_min(0)), Ok(()));
}

#[test]
fn times_ahead_of_the_clock_count_as_now() {
    let mut account = restarted(&[row_of(2)], -500);
    let wait = account.check(asker(OWNER, 9), at_min(0)).unwrap_err();
    assert_eq!(wait.time, Some(Duration::from_secs(15 * 60)));
}

#[test]
fn most_careful_of_several_rows_counts() {
    let (one, two) = (row_of(1), row_of(2));
    let mut other = row_of(1);
    other.secret = secret("other");
    // One refusal in two rows is one; those of two Secrets at the same minute, seen apart, are two.
    let same = restarted(&[one.clone(), one.clone()], 1).check(asker(OWNER, 9), at_min(0));
    assert_eq!(same, Ok(()));
    let both = restarted(&[one, two], 2).check(asker(OWNER, 9), at_min(0));
    assert_eq!(both.unwrap_err().rule, WaitRule::Budget);
    other.last_tried = START + SignedDuration::from_secs(1);
    other.window_start = Some(other.last_tried);
    let apart = restarted(&[row_of(1), other], 2).check(asker(OWNER, 9), at_min(0));
    assert_eq!(apart.unwrap_err().rule, WaitRule::Budget);
}

#[test]
fn accepted_password_keeps_its_try_over_a_restart() {
    let accepted = secret("2");
    let asker = Asker {
        secret: &accepted,
        ..asker(OWNER, 2)
    };
    let mut account = Account::default();
    account.note(asker, LoginOutcome::Accepted, now_min(0));
    let row = account.record(id(), asker).unwrap();
    assert_eq!((row.refusals, row.accepted), (0, Some(START)));
    let mut account = restarted(&[row_of(2), row], 2);
    assert_eq!(account.ahead(id(), asker, now_min(0)), None);
    assert_eq!(account.check(asker, at_min(0)), Ok(()));
}

#[test]
fn acceptance_ends_refusals_that_another_row_shows() {
    let mut accepted = row_of(1);
    accepted.last_tried += SignedDuration::from_mins(30);
    (accepted.accepted, accepted.refusals) = (Some(accepted.last_tried), 0);
    let refused = secret("1");
    let asker = Asker {
        secret: &refused,
        ..asker(OWNER, 7)
    };
    let mut account = restarted(&[row_of(3), accepted], 60);
    assert_eq!(account.check(asker, at_min(0)), Ok(()));
    let row = account.record(id(), asker).unwrap();
    assert_eq!((row.refusals, row.accepted.is_some()), (0, true));
}

#[test]
fn try_is_stored_as_refused_before_it_is_made() {
    let secret = secret("1");
    let asker = Asker {
        secret: &secret,
        ..asker(OWNER, 1)
    };
    let mut account = Account::default();
    let ahead = account.ahead(id(), asker, now_min(3)).unwrap();
    assert_eq!((ahead.refusals, ahead.accepted), (1, None));
    assert_eq!(ahead.window_start, Some(ahead.last_tried));
    assert_eq!(account.record(id(), asker), None);
    account.note(asker, LoginOutcome::Refused, now_min(3));
    assert_eq!(account.record(id(), asker), Some(ahead));
}

#[test]
fn try_that_was_not_counted_leaves_no_refusal() {
    let secret = secret("1");
    let asker = Asker {
        secret: &secret,
        ..asker(OWNER, 1)
    };
    let mut account = Account::default();
    account.note(asker, LoginOutcome::NotCounted, now_min(0));
    let row = account.record(id(), asker).unwrap();
    assert_eq!(
        (row.refusals, row.accepted, row.window_start),
        (0, None, None)
    );
    assert!(account.is_unused());
    assert_eq!(restarted(&[row], 0).check(asker, at_min(0)), Ok(()));
}

#[test]
fn row_of_an_older_login_shows_later_refusals_of_the_account() {
    let (old, changed) = (secret("1"), secret("2"));
    let accepted = Asker {
        secret: &old,
        ..asker(OWNER, 1)
    };
    let wrong = Asker {
        secret: &changed,
        ..asker(OWNER, 2)
    };
    let mut account = Account::default();
    account.note(accepted, LoginOutcome::Accepted, now_min(0));
    account.note(wrong, LoginOutcome::Refused, now_min(1));
    account.note(wrong, LoginOutcome::Refused, now_min(7));
    let row = account.record(id(), accepted).unwrap();
    assert_eq!((row.refusals, row.accepted), (0, Some(START)));
    let mut account = restarted(&[row], 8);
    let wait = account.check(asker(OWNER, 9), at_min(0)).unwrap_err();
    assert_eq!(wait.rule, WaitRule::Budget);
    assert_eq!(wait.time, Some(Duration::from_secs(8 * 60)));
}

#[test]
fn acceptance_ahead_of_the_clock_ends_no_refusals() {
    let refused = secret("1");
    let asker = Asker {
        secret: &refused,
        ..asker(OWNER, 7)
    };
    let ahead = |mut row: LoginRecord| {
        row.accepted = Some(START + SignedDuration::from_hours(1));
        row
    };
    for rows in [vec![row_of(2)], vec![row_of(1), row_of(2)]] {
        let rows: Vec<_> = rows.into_iter().map(ahead).collect();
        let wait = restarted(&rows, 2).check(asker, at_min(0)).unwrap_err();
        assert_eq!((wait.rule, wait.time.is_some()), (WaitRule::Refused, true));
    }
}

#[test]
fn secrets_with_the_same_password_share_its_refusals() {
    let (one, two) = (secret("1"), secret("2"));
    let by = |secret| Asker {
        secret,
        ..asker(OWNER, 7)
    };
    let mut other = row_of(1);
    other.secret = two.clone();
    // Whichever of the Secrets asks first.
    for order in [[&one, &two], [&two, &one]] {
        let mut account = restarted(&[row_of(3), other.clone()], 9_999);
        for secret in order {
            let _: Result<(), Wait> = account.check(by(secret), at_min(0));
        }
        for secret in order {
            let wait = account.check(by(secret), at_min(0)).unwrap_err();
            assert_eq!(wait.time, None);
        }
    }
}

#[test]
fn reread_rows_do_not_undo_a_request() {
    let refused = secret("1");
    let asker = Asker {
        secret: &refused,
        ..asker(OWNER, 7)
    };
    let mut account = restarted(&[row_of(3)], 60);
    account.allow(asker);
    let now = Now {
        moment: at_min(1),
        time: START + SignedDuration::from_mins(61),
    };
    account.restore(&[row_of(3)], now);
    assert_eq!(account.check(asker, at_min(1)), Ok(()));
}

#[test]
fn restoring_twice_changes_nothing() {
    let mut account = restarted(&[row_of(2)], 2);
    let once = account.clone();
    let now = Now {
        moment: at_min(1),
        time: START + SignedDuration::from_mins(3),
    };
    account.restore(&[row_of(2)], now);
    assert_eq!(account.refused, once.refused);
}

#[test]
fn account_is_named_by_unit_and_user() {
    let name = |unit, user| AccountId::of(&PublicKeyHash([unit; 32]), user).to_string();
    assert_eq!(name(1, "admin"), name(1, "admin"));
    assert_ne!(name(1, "admin"), name(2, "admin"));
    assert_ne!(name(1, "admin"), name(1, "other"));
    assert_eq!(name(1, "admin").len(), 32);
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
            account.note(asker(OWNER, *password), LoginOutcome::Accepted, now_min(0));
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

    /// The same with a restart before each try: all that is left is what the devices' rows say.
    #[test]
    fn no_history_of_restarts_exceeds_the_budget(
        tries in prop::collection::vec((0_usize..3, 0_u64..4, 0_u64..20), 1..60),
    ) {
        let mut rows: [Option<LoginRecord>; 3] = [None, None, None];
        let (mut minute, mut refused) = (0, Vec::new());
        for (device, password, pause) in tries {
            minute += pause;
            let now = now_min(minute);
            let mut account = Account::default();
            account.restore(&rows.iter().flatten().cloned().collect::<Vec<_>>(), now);
            let secret = secret(&password.to_string());
            let asker = Asker { secret: &secret, ..asker("a", password) };
            if account.check(asker, now.moment).is_ok() {
                rows[device] = account.ahead(id(), asker, now);
                refused.push(minute);
            }
        }
        for first in &refused {
            let within = refused.iter().filter(|at| (*first..first + 15).contains(at)).count();
            prop_assert!(within <= REFUSALS_MAX, "{refused:?}");
        }
    }
}
