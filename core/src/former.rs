//! Devices that have left the list and still hold records: which of them are given up, and how that is told.
//!
//! Pure: knows nothing of how they are reached.

use crate::events::EventReason;
use crate::events::Occurrence;
use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::answers::Answer;
use crate::events::{Event, Kind};
use crate::unit::Place;

/// Why the records on a device that is not listed stay there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GivenUp {
    /// Neither its address nor anything else is known.
    Unknown,
    /// `deletionPolicy` is `Retain`.
    Retained,
    /// A user has released it.
    Released,
    /// More devices have left than are kept; this one left first.
    TooMany(usize),
}

impl GivenUp {
    /// The reason, for a user.
    pub fn message(self) -> String {
        match self {
            Self::Unknown => "its address is not known".to_owned(),
            Self::Retained => "deletionPolicy is Retain".to_owned(),
            Self::Released => "it was released".to_owned(),
            Self::TooMany(max) => {
                format!("more than {max} such BIG-IPs hold records, and this one left first")
            }
        }
    }

    /// The event that tells of it.
    pub fn event(self, device: &str, records: usize) -> Event {
        let (records, stay) = match records {
            1 => ("1 record".to_owned(), "stays"),
            records => (format!("{records} records"), "stay"),
        };
        Event {
            kind: Kind::Warning,
            reason: EventReason::Occurrence(Occurrence::RecordsLeft),
            action: "Release",
            note: format!(
                "{records} {stay} on {device}, which is no longer listed: {}",
                self.message()
            ),
        }
    }
}

/// What becomes of the claims on a device that is not listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// They are those of this listed device.
    Move(String),
    /// They are dropped, and the records stay.
    GiveUp(GivenUp),
    /// The records are removed.
    CleanUp,
}

/// A device that has left the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftDevice<'a> {
    /// Its name.
    pub name: &'a str,
    /// Where it was reached; `None` where what is stored makes no sense.
    pub place: Option<Place>,
    /// The unit that its claims were made on, where that is known.
    pub identity: Option<&'a str>,
}

/// A device of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedDevice<'a> {
    /// Its name.
    pub name: &'a str,
    /// Where it is reached.
    pub place: Place,
    /// The unit that it has proven to be, in this process.
    pub identity: Option<String>,
}

/// Decides what becomes of the claims on a device that is not listed, of which `left` is known. A device has left
/// only if neither its unit nor, while that is not known, its address is listed: an entry that got another name
/// keeps its claims.
pub fn fate(
    left: Option<&LeftDevice<'_>>,
    listed: &[ListedDevice<'_>],
    is_retained: bool,
    release: Option<&Answer>,
) -> Fate {
    let Some(left) = left else {
        return Fate::GiveUp(GivenUp::Unknown);
    };
    let is_same = |listed: &&ListedDevice<'_>| match (left.identity, &listed.identity) {
        (Some(known), Some(proven)) => known == proven,
        _ => left.place.as_ref() == Some(&listed.place),
    };
    if let Some(same) = listed.iter().find(is_same) {
        Fate::Move(same.name.to_owned())
    } else if is_retained {
        Fate::GiveUp(GivenUp::Retained)
    } else if release.is_some_and(|answer| answer.names(left.name, left.identity)) {
        Fate::GiveUp(GivenUp::Released)
    } else {
        Fate::CleanUp
    }
}

/// Names of the devices over the limit: those that left first.
pub fn surplus<'a>(
    devices: impl IntoIterator<Item = (&'a str, Timestamp)>,
    max: usize,
) -> BTreeSet<String> {
    let mut devices: Vec<_> = devices.into_iter().collect();
    devices.sort_by_key(|(name, since)| (*since, *name));
    let over = devices.len().saturating_sub(max);
    let names = devices.into_iter().take(over);
    names.map(|(name, _)| name.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn ninth_former_device_drops_the_oldest() {
        let names: Vec<String> = (0..9).map(|number| format!("bigip-{number}")).collect();
        // The alphabetically first left last.
        let left = names.iter().zip((0..9).rev());
        let devices: Vec<_> = left.map(|(name, second)| (&**name, at(second))).collect();
        let up_to = |count: usize| surplus(devices.iter().take(count).copied(), 8);
        assert_eq!(up_to(8), BTreeSet::new());
        assert_eq!(up_to(9), BTreeSet::from(["bigip-8".to_owned()]));
    }

    #[test]
    fn dropped_device_is_named_with_its_records() {
        let note = |records| GivenUp::TooMany(8).event("bigip-b", records).note;
        assert_eq!(
            note(3),
            "3 records stay on bigip-b, which is no longer listed: more than 8 such BIG-IPs hold records, \
             and this one left first"
        );
        assert!(note(1).starts_with("1 record stays on bigip-b"));
    }

    fn left(identity: Option<&str>) -> LeftDevice<'_> {
        LeftDevice {
            name: "old",
            place: Some(Place::new("192.0.2.11", 443)),
            identity,
        }
    }

    fn listed(host: &str, identity: Option<&str>) -> [ListedDevice<'static>; 1] {
        [ListedDevice {
            name: "new",
            place: Place::new(host, 443),
            identity: identity.map(str::to_owned),
        }]
    }

    #[test]
    fn device_is_known_again_by_its_unit_before_its_address() {
        let moved = Fate::Move("new".into());
        for (left_unit, host, listed_unit, expected) in [
            (Some("one"), "192.0.2.99", Some("one"), moved.clone()),
            (Some("one"), "192.0.2.11", Some("two"), Fate::CleanUp),
            (Some("one"), "192.0.2.11", None, moved.clone()),
            (None, "192.0.2.11", Some("one"), moved),
            (None, "192.0.2.99", Some("one"), Fate::CleanUp),
        ] {
            let (left, listed) = (left(left_unit), listed(host, listed_unit));
            let found = fate(Some(&left), &listed, false, None);
            assert_eq!(found, expected, "{left_unit:?} {host} {listed_unit:?}");
        }
    }

    #[test]
    fn retained_released_or_unreachable_records_stay() {
        let of = |left: Option<&LeftDevice<'_>>, is_retained, release: Option<&str>| {
            let release = release.map(|text| text.parse().unwrap());
            fate(left, &[], is_retained, release.as_ref())
        };
        let known = left(Some("one"));
        assert_eq!(of(None, false, None), Fate::GiveUp(GivenUp::Unknown));
        assert_eq!(
            of(Some(&known), true, None),
            Fate::GiveUp(GivenUp::Retained)
        );
        let released = Fate::GiveUp(GivenUp::Released);
        assert_eq!(of(Some(&known), false, Some("old=one")), released);
        assert_eq!(of(Some(&known), false, Some("old=two")), Fate::CleanUp);
    }
}
