//! What the words of a report mean to the person who reads them. Knows no colours.

use bigip_tunnel_core::reason::Reason;

use crate::report::fdb::State;
use crate::report::status::Fact;
use crate::style::Tone;

/// Reasons for not being ready that somebody has asked for, or that pass by themselves.
const PASSING: [Reason; 5] = [
    Reason::Progressing,
    Reason::ProgressingWithRetry,
    Reason::CleaningUp,
    Reason::Suspended,
    Reason::PausedByAnnotation,
];

/// A condition that should hold.
pub(crate) fn of_fact(fact: &Fact) -> Tone {
    match fact.status.as_str() {
        "True" => Tone::Good,
        "False"
            if fact
                .known_reason()
                .is_some_and(|reason| PASSING.contains(&reason)) =>
        {
            Tone::Warn
        }
        "False" => Tone::Bad,
        _ => Tone::Pending,
    }
}

/// The state of a BIG-IP.
pub(crate) fn of_device(state: &str) -> Tone {
    match Reason::parse(state) {
        Some(Reason::InSync | Reason::Observed) => Tone::Good,
        Some(Reason::Pending) => Tone::Pending,
        Some(reason) if PASSING.contains(&reason) => Tone::Warn,
        _ => Tone::Bad,
    }
}

/// The state of a record on a BIG-IP, as it was when that was last verified or some time before.
pub(crate) const fn of_record(state: State, verified: bool) -> Tone {
    match state {
        State::Ok if verified => Tone::Good,
        State::Ok | State::Unknown => Tone::Pending,
        State::Pending | State::Leaving | State::Removed => Tone::Warn,
        State::Missing
        | State::Incorrect
        | State::Conflict
        | State::Unreadable
        | State::Skipped => Tone::Bad,
        State::Own | State::Unclaimed | State::Foreign | State::Absent => Tone::Plain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ready(status: &str, reason: Reason) -> Tone {
        of_fact(&Fact {
            status: status.to_owned(),
            reason: reason.to_string(),
            message: String::new(),
            since: None,
        })
    }

    #[test]
    fn temporary_problem_differs_from_a_lasting_one() {
        assert_eq!(ready("True", Reason::InSync), Tone::Good);
        assert_eq!(ready("False", Reason::Progressing), Tone::Warn);
        assert_eq!(ready("False", Reason::AuthenticationFailed), Tone::Bad);
        assert_eq!(ready("Unknown", Reason::Pending), Tone::Pending);
        assert_eq!(of_device(Reason::Progressing.as_str()), Tone::Warn);
        assert_eq!(of_device(Reason::Timeout.as_str()), Tone::Bad);
    }

    #[test]
    fn only_a_verified_record_is_good() {
        assert_eq!(of_record(State::Ok, true), Tone::Good);
        assert_eq!(of_record(State::Ok, false), Tone::Pending);
        assert_eq!(of_record(State::Missing, false), Tone::Bad);
    }
}
