//! Collections: read while they come in, page by page, within the memory of the process.
//!
//! Of a list only what is needed of its members is held, never its text. Knows nothing of what the members
//! mean; what becomes of them is theirs to say ([`Collected`]).

use serde::de::{DeserializeOwned, IgnoredAny};

use crate::client::Client;
use crate::error::{Error, ErrorKind, Mismatch};
use crate::items::{Items, Shape};
use crate::limits::RECORDS_MAX;
use crate::memory::{PLACE_BYTES, Place, SMALL_BYTES_MAX};
use crate::normalise::{self, NextPage};
use crate::transport::{Body, Reader, Request, Verb};
use crate::{path, wire};
use bigip_tunnel_core::listing::Listing;

/// Pages of one collection, to come to an end with a device that always has one more.
pub(crate) const PAGES_MAX: usize = 1_000;
/// Members of a list that is not one of records.
const MEMBERS_MAX: usize = 100_000;

/// What the members of a collection become, one by one.
pub(crate) trait Collected: Default + PartialEq + Send {
    /// `kind` of the collection.
    const KIND: &'static str;
    /// How messages name it.
    const LIST: &'static str;
    /// Where its members stand.
    const SHAPE: Shape = Shape::Items;

    /// Takes the member of this number in; `None` for one that is too long to be kept.
    fn take(&mut self, index: usize, member: Option<&[u8]>) -> Result<(), ErrorKind>;

    /// Memory that is taken by what was kept.
    fn held_bytes(&self) -> usize;
}

impl Collected for Listing {
    const KIND: &'static str = "tm:net:fdb:tunnel:records:recordscollectionstate";
    const LIST: &'static str = "list of records";

    /// A record that is odd is there all the same: a list that lacks it would be taken for a device that
    /// lacks it.
    fn take(&mut self, index: usize, member: Option<&[u8]>) -> Result<(), ErrorKind> {
        if index >= RECORDS_MAX {
            return Err(ErrorKind::TooManyRecords);
        }
        let read = member.map(serde_json::from_slice::<wire::Record>);
        let record = match (read, member) {
            (Some(Ok(record)), _) => record,
            // It is JSON, and no record.
            (Some(Err(error)), Some(json)) if error.is_data() && is_json(json) => {
                wire::Record::default()
            }
            (None, _) => wire::Record::default(),
            (Some(Err(_)), _) => {
                let resource = Self::LIST;
                return Err(Mismatch::Member { resource, index }.into());
            }
        };
        self.insert(record.name.as_deref(), record.endpoint.as_deref());
        Ok(())
    }

    fn held_bytes(&self) -> usize {
        Self::held_bytes(self)
    }
}

fn is_json(text: &[u8]) -> bool {
    serde_json::from_slice::<IgnoredAny>(text).is_ok()
}

/// A member that is kept as it is read.
pub(crate) trait Member: DeserializeOwned + PartialEq + Send {
    /// `kind` of the collection.
    const KIND: &'static str;
    /// How messages name it.
    const LIST: &'static str;

    /// Memory that it takes besides its own size.
    fn heap_bytes(&self) -> usize;
}

/// Members that are kept as they are read.
pub(crate) struct Members<T> {
    pub(crate) items: Vec<T>,
    heap_bytes: usize,
}

impl<T> Default for Members<T> {
    fn default() -> Self {
        Self {
            items: Vec::new(),
            heap_bytes: 0,
        }
    }
}

impl<T: PartialEq> PartialEq for Members<T> {
    fn eq(&self, other: &Self) -> bool {
        self.items == other.items
    }
}

impl<T: Member> Collected for Members<T> {
    const KIND: &'static str = T::KIND;
    const LIST: &'static str = T::LIST;

    fn take(&mut self, index: usize, member: Option<&[u8]>) -> Result<(), ErrorKind> {
        let resource = T::LIST;
        let json = member.filter(|_| index < MEMBERS_MAX);
        let json = json.ok_or(Mismatch::TooLarge)?;
        // The error's own text would quote the answer.
        let member: T =
            serde_json::from_slice(json).map_err(|_| Mismatch::Member { resource, index })?;
        self.heap_bytes += member.heap_bytes();
        self.items.push(member);
        Ok(())
    }

    fn held_bytes(&self) -> usize {
        self.items.capacity() * size_of::<T>() + self.heap_bytes
    }
}

/// One reading of a collection.
pub(crate) struct Reading<'a, C> {
    pub(crate) collected: C,
    /// How many members have come.
    count: usize,
    items: Items,
    place: &'a mut Option<Place>,
    /// What is held of an earlier reading.
    earlier_bytes: usize,
    /// What may still pass through.
    bytes_left: usize,
}

impl<'a, C: Collected> Reading<'a, C> {
    /// `bytes_max`: the size of all pages together.
    pub(crate) fn new(
        place: &'a mut Option<Place>,
        earlier_bytes: usize,
        bytes_max: usize,
    ) -> Self {
        Self {
            collected: C::default(),
            count: 0,
            items: Items::new(C::LIST, C::SHAPE),
            place,
            earlier_bytes,
            bytes_left: bytes_max,
        }
    }

    /// Ends a page. Returns where the collection goes on.
    pub(crate) fn end_page(&mut self) -> Result<Option<NextPage>, Mismatch> {
        let items = std::mem::replace(&mut self.items, Items::new(C::LIST, C::SHAPE));
        let around = items.finish()?;
        match C::SHAPE {
            Shape::Items => normalise::envelope(&around, C::KIND, C::LIST),
            Shape::Entries => normalise::statistics(&around, C::KIND, C::LIST).map(|()| None),
        }
    }
}

impl<C: Collected> Reader for Reading<'_, C> {
    fn read(&mut self, piece: &[u8]) -> Result<(), ErrorKind> {
        let left = self.bytes_left.checked_sub(piece.len());
        self.bytes_left = left.ok_or(Mismatch::TooLarge)?;
        let (collected, count) = (&mut self.collected, &mut self.count);
        self.items.feed(piece, |member| {
            collected.take(*count, member)?;
            *count += 1;
            Ok::<(), ErrorKind>(())
        })?;
        if self.held_bytes() > PLACE_BYTES {
            return Err(Mismatch::TooLarge.into());
        }
        Ok(())
    }

    fn needs_place(&self) -> bool {
        self.place.is_none() && self.held_bytes() > SMALL_BYTES_MAX
    }

    fn give_place(&mut self, place: Place) {
        *self.place = Some(place);
    }
}

impl<C: Collected> Reading<'_, C> {
    fn held_bytes(&self) -> usize {
        self.earlier_bytes + self.collected.held_bytes() + self.items.held_bytes()
    }
}

impl Client {
    /// All members of a collection, as they are read.
    pub(crate) async fn members<T: Member>(&self, path: &str) -> Result<Vec<T>, Error> {
        Ok(self.collection::<Members<T>>(path).await?.items)
    }

    /// A collection. One that comes in pages can change between them, so that a member is missed: it is
    /// believed if it reads the same twice.
    pub(crate) async fn collection<C: Collected>(&self, path: &str) -> Result<C, Error> {
        let after = self.limits().collection;
        let read = async {
            let mut place = None;
            let (first, pages) = self.pages::<C>(path, (&mut place, 0)).await?;
            if pages > 1 {
                let held = first.held_bytes();
                if self.pages::<C>(path, (&mut place, held)).await?.0 != first {
                    return Err(self.error(Mismatch::Changed { resource: C::LIST }));
                }
            }
            Ok(first)
        };
        let in_time = tokio::time::timeout(after, read).await;
        in_time.unwrap_or_else(|_| Err(self.error(ErrorKind::Timeout { after })))
    }

    /// One reading of a collection, and in how many pages it came.
    async fn pages<C: Collected>(
        &self,
        path: &str,
        (place, earlier_bytes): (&mut Option<Place>, usize),
    ) -> Result<(C, usize), Error> {
        let mut reading = Reading::<C>::new(place, earlier_bytes, self.limits().body_bytes);
        let mut url = path.to_owned();
        for number in 1..=PAGES_MAX {
            let before = reading.count;
            let request = Request {
                verb: Verb::Get,
                resource: C::LIST,
                path: url,
                body: None,
                deadline: self.limits().read,
            };
            self.send(&request, &mut Body::Read(&mut reading)).await?;
            let next = self.parsed(reading.end_page())?;
            match next {
                None => return Ok((reading.collected, number)),
                Some(next) if reading.count > before && next.skip == reading.count => {
                    url = path::page(path, next.top, next.skip);
                }
                Some(_) => break,
            }
        }
        Err(self.error(Mismatch::Paged { resource: C::LIST }))
    }
}

/// Reads one page in pieces of this size. For the tests of parsers.
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) fn read_in_pieces<C: Collected>(
    body: &[u8],
    size: usize,
) -> Result<(C, usize, Option<NextPage>), ErrorKind> {
    let mut place = None;
    let mut reading = Reading::<C>::new(&mut place, 0, usize::MAX);
    for piece in body.chunks(size) {
        reading.read(piece)?;
    }
    let next = reading.end_page()?;
    Ok((reading.collected, reading.count, next))
}

#[cfg(test)]
mod tests;
