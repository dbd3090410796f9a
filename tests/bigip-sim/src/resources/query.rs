//! What may stand after the `?`, and what it does to an answer.
//!
//! *Assumed* unless a source is named: the device leaves out, and cuts, what it would else have shown.

use percent_encoding::percent_decode_str;

use crate::failure::Failure;
use crate::wire::{Fields, Links};

/// The options of a request.
#[derive(Debug, Clone, Default)]
pub(super) struct Query {
    /// Options as sent, without `ver`.
    sent: Vec<String>,
    /// `expandSubcollections=true`: lists that belong to an object are shown in it.
    pub(super) expands: bool,
    select: Option<Vec<String>>,
    top: Option<usize>,
    skip: Option<usize>,
    partition: Option<String>,
    /// `options=all-properties`: statistics with all that a device knows.
    shows_all: bool,
}

impl Query {
    /// Reads the part of a URI after the `?`. What no device knows is refused as an outdated `ver` is
    /// (CIS#1508).
    pub(super) fn parse(raw: &str) -> Result<Self, Failure> {
        let mut query = Self::default();
        for sent in raw.split('&').filter(|sent| !sent.is_empty()) {
            let (name, value) = sent.split_once('=').unwrap_or((sent, ""));
            let (name, value) = (decode(name), decode(value));
            if name == "ver" {
                continue;
            }
            query.sent.push(sent.to_owned());
            query.set(&name, &value)?;
        }
        Ok(query)
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), Failure> {
        let count = || count(value).ok_or_else(Failure::invalid_option);
        match name {
            "expandSubcollections" => self.expands = value == "true",
            "$select" => self.select = Some(value.split(',').map(str::to_owned).collect()),
            // A page of nothing would have itself for the next.
            "$top" if value == "0" => return Err(Failure::invalid_option()),
            "$top" => self.top = Some(count()?),
            "$skip" => self.skip = Some(count()?),
            "$filter" => self.partition = Some(partition(value)?),
            "options" if value == "all-properties" => self.shows_all = true,
            "options" => {
                let what = "edits of lists through the query option options";
                return Err(Failure::not_simulated(what));
            }
            _ => return Err(Failure::invalid_option()),
        }
        Ok(())
    }

    /// Refuses options where no device was seen to take any: silently ignored they would make a
    /// client believe in what is not there.
    pub(super) fn refuse_all(&self) -> Result<(), Failure> {
        match self.sent.first() {
            None => Ok(()),
            Some(option) => Err(Failure::not_simulated(&format!(
                "the query option {option} here"
            ))),
        }
    }

    /// Refuses options other than `options=all-properties`; whether that is there.
    pub(super) fn all_properties(&self) -> Result<bool, Failure> {
        if self.shows_all && self.sent.len() == 1 {
            return Ok(true);
        }
        self.refuse_all().map(|()| false)
    }

    /// Refuses to show all properties where it is not known what that shows.
    fn refuse_all_properties(&self) -> Result<(), Failure> {
        if self.shows_all {
            return Err(Failure::not_simulated(
                "all properties of what is no statistics",
            ));
        }
        Ok(())
    }

    /// The options as links repeat them.
    pub(super) fn options(&self) -> String {
        self.sent.join("&")
    }

    /// A collection with the items that are asked for.
    pub(super) fn collection(
        &self,
        links: Links,
        kind: String,
        path: &str,
        mut items: Vec<Fields>,
    ) -> Result<Fields, Failure> {
        self.refuse_all_properties()?;
        if let Some(partition) = &self.partition {
            if items.iter().any(|item| item.text("partition").is_none()) {
                return Err(Failure::not_simulated(
                    "$filter of objects without partition",
                ));
            }
            items.retain(|item| item.text("partition") == Some(partition));
        }
        let (skip, total) = (self.skip.unwrap_or_default(), items.len());
        let page = items
            .into_iter()
            .skip(skip)
            .take(self.top.unwrap_or(usize::MAX));
        let items = page.map(|item| self.selected(item, &[])).collect();
        let collection = Fields::default()
            .with("kind", kind)
            .with("selfLink", links.asked(path, &self.options()));
        let collection = match self.top {
            Some(top) if skip + top < total => {
                collection.with("nextLink", self.next_link(path, top, skip + top))
            }
            _ => collection,
        };
        Ok(links.items(collection, items))
    }

    /// The link to the next page, in the form of TS.
    fn next_link(&self, path: &str, top: usize, skip: usize) -> String {
        let is_paging = |option: &&String| {
            let name = decode(option.split('=').next().unwrap_or_default());
            matches!(name.as_str(), "$top" | "$skip")
        };
        let others = self.sent.iter().filter(|option| !is_paging(option));
        let mut link = format!("https://localhost/mgmt/tm/{path}?%24top={top}&%24skip={skip}");
        for option in others {
            link.push('&');
            link.push_str(option);
        }
        link
    }

    /// An object with the fields that are asked for, which always are its kind and link, too (TS fixture of
    /// a database variable).
    pub(super) fn object(&self, object: Fields) -> Result<Fields, Failure> {
        self.refuse_all_properties()?;
        if self.top.is_some() || self.skip.is_some() || self.partition.is_some() {
            return Err(Failure::not_simulated("paging or filtering of one object"));
        }
        Ok(self.selected(object, &["kind", "selfLink"]))
    }

    fn selected(&self, object: Fields, always: &[&str]) -> Fields {
        let Some(select) = &self.select else {
            return object;
        };
        let names = select
            .iter()
            .map(String::as_str)
            .chain(always.iter().copied());
        object.select(&names.collect::<Vec<_>>())
    }
}

fn decode(text: &str) -> String {
    let spaced = text.replace('+', " ");
    percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
}

/// A number in the one form it has, so small that sums of two do not overflow.
fn count(text: &str) -> Option<usize> {
    let number: u32 = text.parse().ok()?;
    (number.to_string() == text).then(|| number.try_into().ok())?
}

/// The partition of the only filter in use.
fn partition(filter: &str) -> Result<String, Failure> {
    match filter.split(' ').collect::<Vec<_>>().as_slice() {
        ["partition", "eq", partition] => Ok((*partition).to_owned()),
        _ => Err(Failure::not_simulated(&format!("the filter {filter}"))),
    }
}
