//! Whether an answer is as expected. Pure; says what differs, without quoting more than a little.

use std::collections::BTreeMap;

use serde_json::Value;

use super::fixture::Expect;

/// Any value.
const ANY: &str = "*";

/// An answer as far as it is compared.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) status: u16,
    pub(crate) body: String,
}

/// Values for the placeholders of a fixture, by name.
pub(crate) type Values = BTreeMap<String, String>;

/// Replaces `{name}` by its value. Names without a value stay.
pub(crate) fn fill(text: &str, values: &Values) -> String {
    values.iter().fold(text.to_owned(), |text, (name, value)| {
        text.replace(&format!("{{{name}}}"), value)
    })
}

/// The same in every text of a value.
pub(crate) fn fill_value(value: &Value, values: &Values) -> Value {
    match value {
        Value::String(text) => Value::String(fill(text, values)),
        Value::Array(items) => items.iter().map(|item| fill_value(item, values)).collect(),
        Value::Object(members) => members
            .iter()
            .map(|(key, member)| (fill(key, values), fill_value(member, values)))
            .collect(),
        other => other.clone(),
    }
}

impl Seen {
    fn json(&self) -> Option<Value> {
        serde_json::from_str(&self.body).ok()
    }

    /// Who answered: the configuration layer, the REST daemon in front of it, or somebody else.
    pub(crate) fn family(&self) -> &'static str {
        let json = self.json();
        let has = |key: &str| json.as_ref().is_some_and(|body| body.get(key).is_some());
        if has("apiError") {
            "icrd"
        } else if has("restOperationId") {
            "restjavad"
        } else if self.body.trim().is_empty() {
            "empty"
        } else if json.is_some() {
            "json"
        } else {
            "html"
        }
    }

    /// A value of the body, as text.
    pub(crate) fn at(&self, pointer: &str) -> Option<String> {
        match self.json()?.pointer(pointer)? {
            Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        }
    }

    /// The answer in a few words: status, who answered, and the message of an error.
    pub(crate) fn summary(&self) -> String {
        let message = self.at("/message").map(|text| format!(": {text}"));
        let message = message.unwrap_or_default();
        format!("{} {}{message}", self.status, self.family())
    }
}

/// What differs, if anything does.
pub(crate) fn difference(expect: &Expect, seen: &Seen, values: &Values) -> Option<String> {
    let expected = expect.status.unwrap_or(200);
    if seen.status != expected {
        return Some(format!("status {expected} expected"));
    }
    if let Some(family) = &expect.family
        && family != seen.family()
    {
        return Some(format!("an answer of kind {family} expected"));
    }
    let body = seen.json().unwrap_or_default();
    if let Some(number) = expect.api_error
        && body.get("apiError") != Some(&Value::from(number))
    {
        return Some(format!("apiError {number} expected"));
    }
    if let Some(begin) = &expect.message {
        let begin = fill(begin, values);
        let message = body.get("message").and_then(Value::as_str);
        if !message.is_some_and(|message| message.starts_with(&begin)) {
            return Some(format!("a message expected that begins with `{begin}`"));
        }
    }
    let wanted = fill_value(&Value::Object(expect.body.clone()), values);
    if !expect.body.is_empty()
        && let Some(place) = missing(&wanted, &body, "")
    {
        return Some(place);
    }
    let there = expect
        .absent
        .iter()
        .find(|place| body.pointer(place).is_some());
    there.map(|place| format!("nothing expected at {place}"))
}

/// Where something wanted is not found.
fn missing(wanted: &Value, found: &Value, place: &str) -> Option<String> {
    match (wanted, found) {
        (Value::String(text), _) if text == ANY => None,
        (Value::Object(wanted), Value::Object(found)) => wanted.iter().find_map(|(key, value)| {
            let place = format!("{place}/{}", key.replace('~', "~0").replace('/', "~1"));
            match found.get(key) {
                Some(found) => missing(value, found, &place),
                None => Some(format!("something expected at {place}")),
            }
        }),
        (Value::Array(wanted), Value::Array(found)) => {
            if wanted.is_empty() && !found.is_empty() {
                return Some(format!("an empty list expected at {place}"));
            }
            let lacks =
                |value: &&Value| found.iter().all(|item| missing(value, item, "").is_some());
            let lacking = wanted.iter().find(lacks);
            lacking.map(|value| format!("{value} expected in the list at {place}"))
        }
        _ if wanted == found => None,
        _ => Some(format!(
            "{wanted} expected at {place}, not {}",
            cut(&found.to_string())
        )),
    }
}

fn cut(text: &str) -> String {
    text.chars().take(100).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn differs(expect: Value, status: u16, body: &Value) -> Option<String> {
        let expect: Expect = serde_json::from_value(expect).unwrap();
        let body = body.to_string();
        difference(&expect, &Seen { status, body }, &Values::new())
    }

    #[test]
    fn a_star_stands_for_any_value_that_is_there() {
        let expect = json!({"body": {"token": {"token": "*", "timeout": 1200}}});
        let body = json!({"token": {"token": "ABC", "timeout": 1200, "more": 1}});
        assert_eq!(differs(expect.clone(), 200, &body), None);
        let without = json!({"token": {"timeout": 1200}});
        let told = differs(expect, 200, &without).unwrap();
        assert_eq!(told, "something expected at /token/token");
    }

    #[test]
    fn a_list_may_hold_more_than_is_named_but_for_an_empty_one() {
        let expect = json!({"body": {"items": [{"name": "a"}]}});
        let body = json!({"items": [{"name": "b"}, {"name": "a", "x": 1}]});
        assert_eq!(differs(expect.clone(), 200, &body), None);
        assert!(differs(expect, 200, &json!({"items": [{"name": "b"}]})).is_some());
        assert!(differs(json!({"body": {"items": []}}), 200, &body).is_some());
    }

    #[test]
    fn what_must_not_be_there_is_told() {
        let expect = json!({"absent": ["/partition"]});
        assert_eq!(differs(expect.clone(), 200, &json!({})), None);
        assert!(differs(expect, 200, &json!({"partition": "Common"})).is_some());
    }

    #[test]
    fn status_kind_number_and_message_are_compared() {
        let body = json!({"code": 404, "message": "01020036:3: no", "apiError": 3});
        let expect = json!({"status": 404, "family": "icrd", "apiError": 3, "message": "01020036"});
        assert_eq!(differs(expect.clone(), 404, &body), None);
        for (key, other) in [
            ("status", json!(409)),
            ("family", json!("restjavad")),
            ("apiError", json!(1)),
            ("message", json!("01020066")),
        ] {
            let mut expect = expect.clone();
            expect[key] = other;
            assert!(differs(expect, 404, &body).is_some(), "{key}");
        }
    }
}
