//! The body of a collection, taken apart while it comes in.
//!
//! A list of many members is never held as a whole: each member is handed on when it is complete, and what is
//! around them is kept. The members are the items of a list, or the entries of an object as statistics have them. Finds out no more than where a member begins and ends; whether it is JSON is for those
//! to say that get it.

use crate::error::Mismatch;

/// What is around the members of a collection: `kind`, `selfLink`, `nextLink`.
const ENVELOPE_BYTES_MAX: usize = 64 << 10;
/// One member. No recorded one is longer than 2 kB.
const MEMBER_BYTES_MAX: usize = 1 << 20;

/// Where the members of a collection stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// In the list `items`.
    Items,
    /// In the object `entries`, each an object under a key of its own. The key is not handed on.
    Entries,
}

impl Shape {
    /// The key of the list or object, as it stands in a body.
    const fn key(self) -> &'static [u8] {
        match self {
            Self::Items => b"\"items\"",
            Self::Entries => b"\"entries\"",
        }
    }

    const fn opening(self) -> u8 {
        match self {
            Self::Items => b'[',
            Self::Entries => b'{',
        }
    }

    const fn closing(self) -> u8 {
        match self {
            Self::Items => b']',
            Self::Entries => b'}',
        }
    }
}

/// What may come next between members.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    MemberOrEnd,
    CommaOrEnd,
    Member,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Around,
    Between(Next),
    /// Inside the key of an entry.
    Key,
    /// Behind the key of an entry.
    Colon,
    /// Behind the colon of an entry.
    Value,
    /// Inside a member: an object, a list or a text.
    Inside,
    /// Inside a number or a word.
    Bare,
}

/// Takes a body apart.
pub(crate) struct Items {
    resource: &'static str,
    shape: Shape,
    place: Place,
    /// Brackets that are open, those of a member counted by themselves.
    depth: usize,
    in_text: bool,
    is_escaped: bool,
    /// Everything but the members.
    envelope: Vec<u8>,
    member: Vec<u8>,
    is_too_long: bool,
}

impl Items {
    /// Takes a body of this kind of resource apart.
    pub(crate) fn new(resource: &'static str, shape: Shape) -> Self {
        Self {
            resource,
            shape,
            place: Place::Around,
            depth: 0,
            in_text: false,
            is_escaped: false,
            envelope: Vec::new(),
            member: Vec::new(),
            is_too_long: false,
        }
    }

    /// Bytes that are kept.
    pub(crate) fn held_bytes(&self) -> usize {
        self.envelope.capacity() + self.member.capacity()
    }

    /// Takes the next piece of the body. `take` gets each member that is complete; `None` for one that is too
    /// long to be kept.
    pub(crate) fn feed<E: From<Mismatch>>(
        &mut self,
        piece: &[u8],
        mut take: impl FnMut(Option<&[u8]>) -> Result<(), E>,
    ) -> Result<(), E> {
        for &byte in piece {
            if self.place == Place::Bare && (byte.is_ascii_whitespace() || b",]".contains(&byte)) {
                self.hand_on(&mut take)?;
            }
            match self.place {
                Place::Around => self.around(byte)?,
                Place::Between(next) => self.between(byte, next)?,
                Place::Key => self.key(byte),
                Place::Colon => self.colon(byte)?,
                Place::Value => self.value(byte)?,
                Place::Bare => self.keep(byte),
                Place::Inside => {
                    self.keep(byte);
                    self.note(byte);
                }
            }
            if self.place == Place::Inside && self.depth == 0 && !self.in_text {
                self.hand_on(&mut take)?;
            }
        }
        Ok(())
    }

    /// What was around the members, once the body is complete.
    pub(crate) fn finish(self) -> Result<Vec<u8>, Mismatch> {
        let is_complete = self.place == Place::Around && self.depth == 0 && !self.in_text;
        let cut = self.cut();
        is_complete.then_some(self.envelope).ok_or(cut)
    }

    fn hand_on<E>(
        &mut self,
        take: &mut impl FnMut(Option<&[u8]>) -> Result<(), E>,
    ) -> Result<(), E> {
        take((!self.is_too_long).then_some(&self.member))?;
        self.member.clear();
        self.is_too_long = false;
        // The list itself, in the object.
        self.depth = 2;
        self.place = Place::Between(Next::CommaOrEnd);
        Ok(())
    }

    fn keep(&mut self, byte: u8) {
        if self.member.len() < MEMBER_BYTES_MAX {
            self.member.push(byte);
        } else {
            self.is_too_long = true;
        }
    }

    /// Counts brackets and finds the end of texts.
    fn note(&mut self, byte: u8) {
        if self.in_text {
            self.in_text = self.is_escaped || byte != b'"';
            self.is_escaped = byte == b'\\' && !self.is_escaped;
            return;
        }
        match byte {
            b'"' => self.in_text = true,
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
    }

    fn around(&mut self, byte: u8) -> Result<(), Mismatch> {
        let begins = byte == self.shape.opening() && !self.in_text && self.depth == 1;
        if begins && is_after_key(&self.envelope, self.shape.key()) {
            self.place = Place::Between(Next::MemberOrEnd);
        }
        if self.envelope.len() == ENVELOPE_BYTES_MAX {
            return Err(Mismatch::TooLarge);
        }
        self.envelope.push(byte);
        self.note(byte);
        Ok(())
    }

    fn between(&mut self, byte: u8, next: Next) -> Result<(), Mismatch> {
        let is_end = byte == self.shape.closing();
        match (byte, next) {
            _ if byte.is_ascii_whitespace() => {}
            (_, Next::MemberOrEnd | Next::CommaOrEnd) if is_end => {
                self.place = Place::Around;
                self.around(byte)?;
            }
            (b',', Next::CommaOrEnd) => self.place = Place::Between(Next::Member),
            (b',', _) | (_, Next::CommaOrEnd) => return Err(self.cut()),
            _ if is_end => return Err(self.cut()),
            (b'"', _) if self.shape == Shape::Entries => {
                self.place = Place::Key;
                self.note(byte);
            }
            _ if self.shape == Shape::Entries => return Err(self.cut()),
            _ => {
                let is_bare = !b"{[\"".contains(&byte);
                self.place = if is_bare { Place::Bare } else { Place::Inside };
                self.depth = 0;
                self.keep(byte);
                if !is_bare {
                    self.note(byte);
                }
            }
        }
        Ok(())
    }
}

impl Items {
    /// The key of an entry says nothing that its value does not, so that it is passed over.
    fn key(&mut self, byte: u8) {
        self.note(byte);
        if !self.in_text {
            self.place = Place::Colon;
        }
    }

    fn colon(&mut self, byte: u8) -> Result<(), Mismatch> {
        match byte {
            b':' => self.place = Place::Value,
            _ if byte.is_ascii_whitespace() => {}
            _ => return Err(self.cut()),
        }
        Ok(())
    }

    /// The value of an entry is an object; anything else is not in the form of statistics.
    fn value(&mut self, byte: u8) -> Result<(), Mismatch> {
        match byte {
            b'{' => {
                self.place = Place::Inside;
                self.depth = 0;
                self.keep(byte);
                self.note(byte);
            }
            _ if byte.is_ascii_whitespace() => {}
            _ => return Err(self.cut()),
        }
        Ok(())
    }

    const fn cut(&self) -> Mismatch {
        Mismatch::Cut {
            resource: self.resource,
        }
    }
}

/// Whether these bytes end with this key of an object, and its colon.
fn is_after_key(bytes: &[u8], key: &[u8]) -> bool {
    let before = bytes.trim_ascii_end().strip_suffix(b":");
    let before = before.and_then(|before| before.trim_ascii_end().strip_suffix(key));
    before.is_some_and(|before| {
        before.trim_ascii_end().ends_with(b"{") || before.trim_ascii_end().ends_with(b",")
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    /// A member, unless it is too long.
    type Found = Option<Vec<u8>>;

    /// The members and the rest of a body that comes in pieces of this size.
    fn apart(body: &[u8], size: usize) -> Result<(Vec<Found>, Vec<u8>), Mismatch> {
        apart_as(Shape::Items, body, size)
    }

    /// The same of a body of this shape.
    fn apart_as(shape: Shape, body: &[u8], size: usize) -> Result<(Vec<Found>, Vec<u8>), Mismatch> {
        let mut members = Vec::new();
        let mut items = Items::new("list", shape);
        for piece in body.chunks(size) {
            items.feed(piece, |member: Option<&[u8]>| {
                members.push(member.map(<[u8]>::to_vec));
                Ok::<(), Mismatch>(())
            })?;
        }
        Ok((members, items.finish()?))
    }

    fn values(members: Vec<Found>) -> Value {
        let read = |member: Found| serde_json::from_slice::<Value>(&member.unwrap());
        members
            .into_iter()
            .map(read)
            .collect::<Result<_, _>>()
            .unwrap()
    }

    #[test]
    fn members_of_any_type_are_passed_in_order() {
        let members = json!([{"a": "]},{"}, [1, [2]], "\\\"]", 7, -1.5e3, true, null, {}, [], ""]);
        for text in [
            json!({"kind": "k", "items": members, "next": {"items": [1]}}).to_string(),
            format!(r#"{{ "items" : {members} , "kind": "k" , "next": {{"items": [1]}} }}"#),
            format!(
                "{{\n\"kind\":\"k\",\t\"items\"\n:\r\n{members:#},\"next\":{{\"items\":[1]}}}}"
            ),
        ] {
            for size in [1, 2, 7, text.len()] {
                let (found, envelope) = apart(text.as_bytes(), size).unwrap();
                assert_eq!(values(found), members, "{text}");
                let rest: Value = serde_json::from_slice(&envelope).unwrap();
                assert_eq!(
                    rest,
                    json!({"kind": "k", "items": [], "next": {"items": [1]}})
                );
            }
        }
    }

    #[test]
    fn only_the_key_of_the_object_itself_names_the_members() {
        for text in [
            r#"{"a":{"items":[1]}}"#,
            r#"{"x\"items":[1]}"#,
            r#"{"no items":[1]}"#,
            r#"["items",[1]]"#,
            r#"{"a":"\"items\":[1]"}"#,
        ] {
            let (members, envelope) = apart(text.as_bytes(), 3).unwrap();
            assert!(members.is_empty(), "{text}");
            assert_eq!(envelope, text.as_bytes());
        }
    }

    #[test]
    fn body_that_is_cut_or_has_no_commas_is_refused() {
        let cut = Err(Mismatch::Cut { resource: "list" });
        for text in [
            "{",
            r#"{"items":["#,
            r#"{"items":[{"a":1}"#,
            r#"{"items":[{"a":"#,
            r#"{"items":[{},]}"#,
            r#"{"items":[,{}]}"#,
            r#"{"items":[{}{}]}"#,
            r#"{"items":[{}]"#,
            r#"{"items":["a]}"#,
        ] {
            assert_eq!(apart(text.as_bytes(), 4), cut, "{text}");
        }
    }

    #[test]
    fn statistics_entries_are_passed_without_keys() {
        let text = json!({
            "kind": "k",
            "entries": {
                "https://localhost/a\"}": {"nestedStats": {"entries": {"x": {"value": 1}}}},
                "b": {"nestedStats": {"entries": {"y": {"description": "]},{"}}}},
            },
            "selfLink": "s",
        });
        for text in [text.to_string(), format!("{text:#}").replace(':', " : ")] {
            for size in [1, 7, text.len()] {
                let (found, around) = apart_as(Shape::Entries, text.as_bytes(), size).unwrap();
                let found = values(found);
                assert_eq!(
                    found[0]["nestedStats"]["entries"]["y"]["description"],
                    "]},{"
                );
                assert_eq!(found[1]["nestedStats"]["entries"]["x"]["value"], 1);
                let around: Value = serde_json::from_slice(&around).unwrap();
                assert_eq!(around, json!({"kind": "k", "entries": {}, "selfLink": "s"}));
            }
        }
    }

    #[test]
    fn statistics_that_are_cut_or_hold_no_objects_are_refused() {
        for text in [
            r#"{"entries":{"#,
            r#"{"entries":{"a""#,
            r#"{"entries":{"a":"#,
            r#"{"entries":{"a":{}"#,
            r#"{"entries":{"a":{}}"#,
            r#"{"entries":{"a":1}}"#,
            r#"{"entries":{"a":[]}}"#,
            r#"{"entries":{"a"{}}}"#,
            r#"{"entries":{{}}}"#,
            r#"{"entries":{"a":{},}}"#,
            r#"{"entries":{"a":{}"b":{}}}"#,
        ] {
            let cut = Err(Mismatch::Cut { resource: "list" });
            assert_eq!(apart_as(Shape::Entries, text.as_bytes(), 3), cut, "{text}");
        }
    }

    #[test]
    fn long_member_is_skipped_without_buffering() {
        let long = "x".repeat(4 * MEMBER_BYTES_MAX);
        let text = json!({"items": [1, {"a": long}, 2]}).to_string();
        let (members, _) = apart(text.as_bytes(), 8 << 10).unwrap();
        assert_eq!(members, [Some(b"1".to_vec()), None, Some(b"2".to_vec())]);
    }

    #[test]
    fn envelope_around_the_members_is_limited() {
        let text = json!({"items": [], "x": "x".repeat(ENVELOPE_BYTES_MAX)}).to_string();
        assert_eq!(apart(text.as_bytes(), 100), Err(Mismatch::TooLarge));
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_splitter_panic(body: Vec<u8>, size in 1_usize..9) {
            let _ = apart(&body, size);
            let mut list = br#"{"items":["#.to_vec();
            list.extend(&body);
            let _ = apart(&list, size);
            let mut entries = br#"{"entries":{"#.to_vec();
            entries.extend(body);
            let _ = apart_as(Shape::Entries, &entries, size);
        }
    }
}
