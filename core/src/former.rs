//! Devices that have left the list and still hold records: which of them are given up, and how that is told.
//!
//! Pure: knows nothing of how they are reached.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::events::{Event, Kind};
use crate::vocabulary::event;

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
            reason: event::RECORDS_LEFT,
            action: "Release",
            note: format!(
                "{records} {stay} on {device}, which is no longer listed: {}",
                self.message()
            ),
        }
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
    fn ninth_former_device_gives_up_the_oldest() {
        let names: Vec<String> = (0..9).map(|number| format!("bigip-{number}")).collect();
        // The alphabetically first left last.
        let left = names.iter().zip((0..9).rev());
        let devices: Vec<_> = left.map(|(name, second)| (&**name, at(second))).collect();
        let up_to = |count: usize| surplus(devices.iter().take(count).copied(), 8);
        assert_eq!(up_to(8), BTreeSet::new());
        assert_eq!(up_to(9), BTreeSet::from(["bigip-8".to_owned()]));
    }

    #[test]
    fn given_up_device_is_named_with_its_records() {
        let note = |records| GivenUp::TooMany(8).event("bigip-b", records).note;
        assert_eq!(
            note(3),
            "3 records stay on bigip-b, which is no longer listed: more than 8 such BIG-IPs hold records, \
             and this one left first"
        );
        assert!(note(1).starts_with("1 record stays on bigip-b"));
    }
}
