//! Answers of a user about one device: `accept-device` and `release`.
//!
//! An answer names the device and the identity that the user was shown, `bigip-b=IDENTITY`, and counts once.
//! What was answered is kept in the status, of each device and unit the last answer; an answer found again
//! later does nothing. A user who means
//! it once more puts a number behind it, `bigip-b=IDENTITY;2`. Pure: knows nothing of annotations and devices.

use crate::events::EventReason;
use crate::events::Occurrence;
use std::fmt;
use std::str::FromStr;

use crate::events::{Event, Kind};

/// The most characters of an answer that are kept: a name, an identity and a number.
pub const LENGTH_MAX: usize = 400;
/// How many handled answers are kept: as many as there are listed and former devices.
pub const HANDLED_MAX: usize = 16;
/// The annotation that accepts another unit.
pub const ACCEPT_DEVICE: &str = "bigip-tunnel.dev/accept-device";
/// The answer that releases the whole object.
const WHOLE: &str = "true";

/// What an answer is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// The whole object.
    Object,
    /// One device, as the unit that the user was shown.
    Device {
        /// Its name in the spec.
        name: String,
        /// The identity of the unit; empty where none is known.
        identity: String,
    },
}

/// An answer of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// What it is about.
    pub subject: Subject,
    /// Which answer about this subject it is, from 1.
    number: u32,
}

/// The text does not name a device and an identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it does not have the form DEVICE=IDENTITY")]
pub struct ParseAnswerError;

impl FromStr for Answer {
    type Err = ParseAnswerError;

    fn from_str(text: &str) -> Result<Self, ParseAnswerError> {
        let (text, number) = match text.rsplit_once(';') {
            Some((text, number)) => (text, number.parse().map_err(|_| ParseAnswerError)?),
            None => (text, 1),
        };
        let subject = match text.split_once('=') {
            None if text == WHOLE => Subject::Object,
            Some((name, identity)) if !name.is_empty() => Subject::Device {
                name: name.to_owned(),
                identity: identity.to_owned(),
            },
            _ => return Err(ParseAnswerError),
        };
        Ok(Self { subject, number })
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.number {
            1 => self.subject.fmt(f),
            number => write!(f, "{};{number}", self.subject),
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Object => f.write_str(WHOLE),
            Self::Device { name, identity } => write!(f, "{name}={identity}"),
        }
    }
}

impl Answer {
    /// The answer about this subject that has not been given yet. `handled`: those that were.
    pub fn new(subject: Subject, handled: &[String]) -> Self {
        let handled = handled.iter().filter_map(|text| text.parse::<Self>().ok());
        let handled = handled.filter(|handled| handled.subject == subject);
        let last = handled.map(|handled| handled.number).max();
        let number = last.map_or(1, |number| number.saturating_add(1));
        Self { subject, number }
    }

    /// Whether it is about this device.
    pub fn is_about(&self, device: &str) -> bool {
        matches!(&self.subject, Subject::Device { name, .. } if name == device)
    }

    /// Whether it is about this device, as this unit.
    pub fn names(&self, device: &str, identity: Option<&str>) -> bool {
        let identity = identity.unwrap_or_default();
        matches!(&self.subject, Subject::Device { name, identity: named }
            if name == device && named == identity)
    }

    fn is_replay_of(&self, handled: &str) -> bool {
        let handled = handled.parse::<Self>();
        handled
            .is_ok_and(|handled| handled.subject == self.subject && handled.number >= self.number)
    }
}

/// An answer as it stands there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// None, or one that was handled.
    Nothing,
    /// One that counts.
    Answer(Answer),
    /// One that cannot be read.
    Malformed(ParseAnswerError),
}

/// Reads an answer. `handled`: those that were.
pub fn hear(text: Option<&str>, handled: &[String]) -> Heard {
    let Some(text) = text else {
        return Heard::Nothing;
    };
    if handled.contains(&kept(text)) {
        return Heard::Nothing;
    }
    match text.parse::<Answer>() {
        Ok(answer) if handled.iter().any(|handled| answer.is_replay_of(handled)) => Heard::Nothing,
        Ok(answer) => Heard::Answer(answer),
        Err(problem) => Heard::Malformed(problem),
    }
}

/// Notes an answer as handled: in place of an older one about the same device and unit, and of those that are
/// kept at most the last [`HANDLED_MAX`].
pub fn note(handled: &mut Vec<String>, text: &str) {
    let subject = |text: &str| text.parse::<Answer>().ok().map(|answer| answer.subject);
    if hear(Some(text), handled) == Heard::Nothing {
        return;
    }
    let text = kept(text);
    let about = subject(&text);
    handled.retain(|known| subject(known) != about);
    let excess = (handled.len() + 1).saturating_sub(HANDLED_MAX);
    handled.drain(..excess);
    handled.push(text);
}

/// The answer as it is kept when it was handled.
fn kept(text: &str) -> String {
    text.chars().take(LENGTH_MAX).collect()
}

/// What becomes of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It counts until it is carried out.
    Open,
    /// It is carried out.
    Done,
    /// It is about something else than what is there, and never counts again.
    Ignored(String),
}

/// What is known of the device that an acceptance names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listed<'a> {
    /// No such device is listed.
    No,
    /// The device has not answered since the answer was given.
    Unknown,
    /// The device answers as this unit, which needs no acceptance.
    As(&'a str),
    /// Another unit than before answers, and waits for an acceptance.
    Found(&'a str),
}

/// Judges an acceptance.
pub fn judge_acceptance(answer: &Answer, listed: Listed<'_>) -> Verdict {
    let Subject::Device { name, identity } = &answer.subject else {
        return Verdict::Ignored(ParseAnswerError.to_string());
    };
    match listed {
        Listed::No => Verdict::Ignored(format!("{name} is not listed in spec.devices")),
        Listed::Unknown => Verdict::Open,
        Listed::Found(found) if found == identity => Verdict::Open,
        Listed::As(known) if known == identity => Verdict::Done,
        Listed::Found(found) => Verdict::Ignored(format!(
            "{name} answers as {found}, and {identity} was accepted"
        )),
        Listed::As(known) => Verdict::Ignored(format!(
            "{name} answers as {known}, as before, and {identity} was accepted"
        )),
    }
}

/// What is known of what a release names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Held<'a> {
    /// A former device with records, with the identity of its unit where that is known.
    Former(Option<&'a str>),
    /// A device that is listed.
    Listed,
    /// No record of the object is known there.
    Nowhere,
}

/// Judges a release. `deleting`: whether the object is being deleted.
pub fn judge_release(answer: &Answer, deleting: bool, held: Held<'_>) -> Verdict {
    let (name, identity) = match &answer.subject {
        Subject::Object if deleting => return Verdict::Open,
        Subject::Object => {
            return Verdict::Ignored("the object is not being deleted".to_owned());
        }
        Subject::Device { name, identity } => (name, identity),
    };
    match held {
        Held::Former(unit) if answer.names(name, unit) => Verdict::Open,
        Held::Former(unit) => Verdict::Ignored(format!(
            "the records of {name} are on {}, and {identity} was released",
            unit.unwrap_or("a unit whose identity is not known")
        )),
        Held::Listed => Verdict::Ignored(format!("{name} is listed in spec.devices")),
        Held::Nowhere => Verdict::Ignored(format!(
            "{name} is not a former device with records of this object"
        )),
    }
}

/// The event that tells of an answer that was ignored.
pub fn ignored(annotation: &str, why: &str) -> Event {
    Event {
        kind: Kind::Warning,
        reason: EventReason::Occurrence(Occurrence::AnswerIgnored),
        action: "Answer",
        note: format!("annotation {annotation} ignored: {why}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "bigip01.lab.local 00:0c:29:35:0d:bd";
    const NEW: &str = "new.lab.local 00:94:a1:00:ff:00";

    fn device(name: &str, identity: &str) -> Subject {
        Subject::Device {
            name: name.to_owned(),
            identity: identity.to_owned(),
        }
    }

    fn answer(text: &str) -> Answer {
        text.parse().unwrap()
    }

    #[test]
    fn answers_read_back_as_written() {
        let plain = format!("bigip-b={NEW}");
        assert_eq!(answer(&plain).subject, device("bigip-b", NEW));
        for text in [&*plain, &format!("{plain};2"), "true", "true;7", "bigip-b="] {
            assert_eq!(answer(text).to_string(), text);
        }
        for text in ["", "bigip-b", "=x", NEW, "all", "bigip-b=x;y", "True"] {
            assert_eq!(text.parse::<Answer>(), Err(ParseAnswerError), "{text}");
        }
    }

    #[test]
    fn handled_answer_has_no_second_effect() {
        let text = format!("bigip-b={NEW}");
        let handled = |text: &str| [text.to_owned()];
        assert_eq!(hear(Some(&text), &[]), Heard::Answer(answer(&text)));
        assert_eq!(hear(Some(&text), &handled(&text)), Heard::Nothing);
        // Neither does an older one.
        let second = format!("{text};2");
        assert_eq!(hear(Some(&text), &handled(&second)), Heard::Nothing);
        assert_eq!(hear(None, &handled(&text)), Heard::Nothing);
    }

    #[test]
    fn answer_restored_after_others_has_no_effect() {
        let first = format!("bigip-a={NEW}");
        let others = [format!("bigip-b={NEW}"), format!("bigip-a={OLD}")];
        let mut handled = Vec::new();
        for text in [&first].into_iter().chain(&others) {
            assert_ne!(hear(Some(text), &handled), Heard::Nothing, "{text}");
            note(&mut handled, text);
        }
        assert_eq!(hear(Some(&first), &handled), Heard::Nothing);
        // Noted once more it changes nothing, and a later one takes its place.
        let before = handled.clone();
        note(&mut handled, &first);
        assert_eq!(handled, before);
        let second = format!("{first};2");
        note(&mut handled, &second);
        assert_eq!(handled.len(), 3);
        assert_eq!(hear(Some(&first), &handled), Heard::Nothing);
        assert_eq!(
            Answer::new(device("bigip-a", NEW), &handled),
            answer(&format!("{first};3"))
        );
    }

    #[test]
    fn only_the_last_handled_answers_are_kept() {
        let mut handled = Vec::new();
        for number in 0..100 {
            note(&mut handled, &format!("bigip-a={number}"));
            note(&mut handled, &format!("malformed {number}"));
        }
        assert_eq!(handled.len(), HANDLED_MAX);
        assert_eq!(hear(Some("bigip-a=99"), &handled), Heard::Nothing);
        assert_eq!(hear(Some("malformed 99"), &handled), Heard::Nothing);
    }

    #[test]
    fn repeated_answer_counts_again() {
        let subject = || device("bigip-b", NEW);
        let first = Answer::new(subject(), &[]).to_string();
        let second = Answer::new(subject(), std::slice::from_ref(&first)).to_string();
        assert_eq!(second, format!("bigip-b={NEW};2"));
        assert_eq!(
            hear(Some(&second), &[first]),
            Heard::Answer(answer(&second))
        );
        let third = Answer::new(subject(), &[second]).to_string();
        assert_eq!(third, format!("bigip-b={NEW};3"));
        let other = Answer::new(device("bigip-c", NEW), &[third]).to_string();
        assert_eq!(other, format!("bigip-c={NEW}"));
    }

    #[test]
    fn answer_that_cannot_be_read_is_refused_once() {
        let long = "x".repeat(2 * LENGTH_MAX);
        for text in ["bigip-b", &long] {
            assert_eq!(hear(Some(text), &[]), Heard::Malformed(ParseAnswerError));
            assert_eq!(hear(Some(text), &[kept(text)]), Heard::Nothing);
        }
    }

    #[test]
    fn acceptance_counts_for_the_unit_that_was_found() {
        let accepts = |listed| judge_acceptance(&answer(&format!("bigip-b={NEW}")), listed);
        assert_eq!(accepts(Listed::Unknown), Verdict::Open);
        assert_eq!(accepts(Listed::Found(NEW)), Verdict::Open);
        assert_eq!(accepts(Listed::As(NEW)), Verdict::Done);
        for listed in [Listed::No, Listed::Found(OLD), Listed::As(OLD)] {
            assert!(matches!(accepts(listed), Verdict::Ignored(_)), "{listed:?}");
        }
        assert!(answer(&format!("bigip-b={NEW}")).names("bigip-b", Some(NEW)));
        assert!(!answer(&format!("bigip-b={NEW}")).names("bigip-a", Some(NEW)));
    }

    #[test]
    fn release_counts_for_the_unit_with_the_records() {
        let releases = |held| judge_release(&answer(&format!("bigip-b={OLD}")), false, held);
        assert_eq!(releases(Held::Former(Some(OLD))), Verdict::Open);
        for held in [
            Held::Former(Some(NEW)),
            Held::Former(None),
            Held::Listed,
            Held::Nowhere,
        ] {
            assert!(matches!(releases(held), Verdict::Ignored(_)), "{held:?}");
        }
        let unknown = judge_release(&answer("bigip-b="), false, Held::Former(None));
        assert_eq!(unknown, Verdict::Open);
    }

    #[test]
    fn whole_object_is_released_only_in_deletion() {
        let release = |deleting| judge_release(&answer("true"), deleting, Held::Nowhere);
        assert_eq!(release(true), Verdict::Open);
        assert!(matches!(release(false), Verdict::Ignored(_)));
    }
}
