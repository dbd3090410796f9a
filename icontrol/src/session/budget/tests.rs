//! The budget at chosen moments.

use proptest::prelude::*;

use super::*;

const MINUTE: Duration = Duration::from_secs(60);

fn password(number: u8) -> SecretString {
    format!("canary-{number}").into()
}

/// Tries a login that the device refuses, if the budget lets it. Returns whether it did.
fn tries(refusals: &mut Refusals, number: u8, now: Instant) -> bool {
    let allowed = refusals.check(&password(number), now).is_ok();
    if allowed {
        refusals.note(&password(number), Refusal::Login, now);
    }
    allowed
}

#[test]
fn a_wrong_password_is_refused_twice_at_most_within_15_minutes() {
    let now = Instant::now();
    let mut refusals = Refusals::default();
    assert!(tries(&mut refusals, 0, now));
    assert!(tries(&mut refusals, 0, now + MINUTE));
    assert!(!tries(&mut refusals, 0, now + 14 * MINUTE));
    assert!(tries(&mut refusals, 0, now + 15 * MINUTE));
    assert!(!tries(&mut refusals, 0, now + 15 * MINUTE));
    assert!(tries(&mut refusals, 0, now + 16 * MINUTE));
}

#[test]
fn a_changed_password_is_tried_once_more_though_two_logins_were_refused() {
    let now = Instant::now();
    let mut refusals = Refusals::default();
    assert!(tries(&mut refusals, 0, now));
    assert!(tries(&mut refusals, 0, now));
    assert!(tries(&mut refusals, 1, now + MINUTE));
    assert!(!tries(&mut refusals, 1, now + MINUTE));
    assert!(!tries(&mut refusals, 0, now + MINUTE));
}

#[test]
fn after_four_refusals_no_password_is_tried() {
    let now = Instant::now();
    let mut refusals = Refusals::default();
    for number in 0..4 {
        assert!(tries(&mut refusals, number, now), "{number}");
    }
    assert!(!tries(&mut refusals, 4, now + 14 * MINUTE));
    assert!(tries(&mut refusals, 4, now + 15 * MINUTE));
}

#[test]
fn a_login_that_is_not_tried_is_told_how_the_same_password_was_refused() {
    let now = Instant::now();
    let mut refusals = Refusals::default();
    refusals.note(&password(0), Refusal::Provider, now);
    refusals.note(&password(1), Refusal::Login, now);
    assert_eq!(refusals.check(&password(0), now), Err(Refusal::Provider));
    assert_eq!(refusals.check(&password(1), now), Err(Refusal::Login));
}

#[tokio::test(start_paused = true)]
async fn a_budget_with_a_refused_login_is_not_dropped_for_15_minutes() {
    let budget = LoginBudget::default();
    assert!(budget.is_unused());
    let mut refusals = budget.turn().await;
    refusals.note(&password(0), Refusal::Login, Instant::now());
    drop(refusals);
    tokio::time::advance(14 * MINUTE).await;
    assert!(!budget.is_unused());
    tokio::time::advance(MINUTE).await;
    assert!(budget.is_unused());
}

#[test]
fn a_budget_that_a_client_holds_is_not_dropped() {
    let budget = LoginBudget::default();
    let held = budget.clone();
    assert!(!budget.is_unused());
    drop(held);
    assert!(budget.is_unused());
}

#[tokio::test]
async fn debug_output_shows_nothing_of_a_password() {
    let budget = LoginBudget::default();
    let mut refusals = budget.turn().await;
    refusals.note(&password(0), Refusal::Login, Instant::now());
    drop(refusals);
    assert_eq!(format!("{budget:?}"), "LoginBudget { .. }");
}

proptest! {
    #[test]
    fn no_sequence_of_logins_exceeds_the_budget(
        logins in prop::collection::vec((0_u32..300, 0_u8..5), 1..200)
    ) {
        let mut now = Instant::now();
        let mut refusals = Refusals::default();
        let mut refused: Vec<(u8, Instant)> = Vec::new();
        for (seconds, number) in logins {
            now += Duration::from_secs(seconds.into());
            if tries(&mut refusals, number, now) {
                refused.push((number, now));
            }
        }
        for five in refused.windows(5) {
            prop_assert!(five[4].1 - five[0].1 >= WINDOW);
        }
        for (place, (number, at)) in refused.iter().enumerate() {
            let before = || refused[..place].iter().filter(|(_, other)| *at - *other < WINDOW);
            let repeats = before().any(|(other, _)| other == number);
            prop_assert!(!repeats || before().count() < REFUSALS_MAX);
        }
    }
}
