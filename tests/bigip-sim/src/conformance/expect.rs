//! Whether an answer is as expected. Pure; says what differs, without quoting more than a little.

use std::collections::BTreeMap;
use std::fmt::Write as _;

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
pub(crate) type Values = BTreeMap<String, Value>;

/// Replaces `{name}` by its value. Names without a value stay, and so does what looks like a placeholder
/// in a value: a password may hold braces.
pub(crate) fn fill(text: &str, values: &Values) -> String {
    fill_with(text, values, as_text)
}

/// The same in a JSON pointer.
pub(crate) fn fill_pointer(pointer: &str, values: &Values) -> String {
    let escaped = |value: &Value| as_text(value).replace('~', "~0").replace('/', "~1");
    fill_with(pointer, values, escaped)
}

/// The same in every text of a value. A text that is nothing but a placeholder becomes the value as it
/// is, also a number.
pub(crate) fn fill_value(value: &Value, values: &Values) -> Value {
    match value {
        Value::String(text) => {
            let name = text
                .strip_prefix('{')
                .and_then(|rest| rest.strip_suffix('}'));
            let alone = name.and_then(|name| values.get(name)).cloned();
            alone.unwrap_or_else(|| Value::String(fill(text, values)))
        }
        Value::Array(items) => items.iter().map(|item| fill_value(item, values)).collect(),
        Value::Object(members) => members
            .iter()
            .map(|(key, member)| (fill(key, values), fill_value(member, values)))
            .collect(),
        other => other.clone(),
    }
}

fn fill_with(text: &str, values: &Values, shown: impl Fn(&Value) -> String) -> String {
    let (mut filled, mut rest) = (String::new(), text);
    while let Some((before, after)) = rest.split_once('{') {
        filled.push_str(before);
        let placeholder = after.split_once('}');
        let known = placeholder.and_then(|(name, tail)| Some((values.get(name)?, tail)));
        if let Some((value, tail)) = known {
            filled.push_str(&shown(value));
            rest = tail;
        } else {
            filled.push('{');
            rest = after;
        }
    }
    filled + rest
}

/// A value as it stands in a path or a text.
pub(crate) fn as_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

impl Seen {
    fn json(&self) -> Option<Value> {
        serde_json::from_str(&self.body).ok()
    }

    /// What answered: the configuration layer, the REST daemon in front of it, or another program.
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

    /// A value of the body.
    pub(crate) fn at(&self, pointer: &str) -> Option<Value> {
        self.json()?.pointer(pointer).cloned()
    }

    /// A text of the body.
    pub(crate) fn text_at(&self, pointer: &str) -> Option<String> {
        Some(self.at(pointer)?.as_str()?.to_owned())
    }

    /// Whether the sender is known and lacks the right to this call: by the REST daemon (AS3#420, 15.1.1)
    /// or by mcpd (FCP#1516, 13.0; F5Networks/terraform-provider-bigip#333).
    pub(crate) fn is_lack_of_right(&self) -> bool {
        let message = self.text_at("/message").unwrap_or_default();
        message.starts_with("Authorization failed: user=")
            || message.contains("Access Denied: user")
    }

    /// The answer in a few words: status, who answered, the message of an error, and what is at these
    /// places: of objects the names of their members, of lists their length.
    pub(crate) fn summary(&self, places: &[String]) -> String {
        let message = self.text_at("/message").map(|text| format!(": {text}"));
        let mut summary = format!("{} {}", self.status, self.family());
        summary.push_str(&message.unwrap_or_default());
        if self.status == 200 {
            for place in places {
                let found = self.at(place).as_ref().map_or("-".to_owned(), outline);
                let place = if place.is_empty() { "body" } else { place };
                // Writing into a String cannot fail.
                let _ = write!(summary, "; {place}: {found}");
            }
        }
        summary
    }
}

fn outline(value: &Value) -> String {
    match value {
        Value::Object(members) => {
            let names: Vec<&str> = members.keys().map(String::as_str).collect();
            format!("{{{}}}", names.join(", "))
        }
        Value::Array(items) => format!("list of {}", items.len()),
        other => as_text(other),
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
    fn placeholder_text_in_a_value_is_not_replaced() {
        let values = [("password", "{user}{"), ("user", "admin")]
            .map(|(name, value)| (name.to_owned(), value.into()))
            .into();
        assert_eq!(
            fill("{user} {password} {other} {", &values),
            "admin {user}{ {other} {"
        );
        assert_eq!(
            fill_value(&json!(["{password}"]), &values),
            json!(["{user}{"])
        );
    }

    #[test]
    fn stored_number_is_compared_as_a_number() {
        let values = [("end".to_owned(), json!(7))].into();
        assert_eq!(
            fill_value(&json!({"end": "{end}"}), &values),
            json!({"end": 7})
        );
        assert_eq!(fill("/{end}", &values), "/7");
    }

    #[test]
    fn pointer_reaches_a_member_with_tildes_and_slashes() {
        let values = [("tunnel".to_owned(), json!("~Common~t/x"))].into();
        let body = json!({"of ~Common~t/x": 1}).to_string();
        let pointer = fill_pointer("/of {tunnel}", &values);
        assert_eq!(Seen { status: 200, body }.at(&pointer), Some(json!(1)));
    }

    #[test]
    fn summary_shows_names_and_lengths_of_large_content() {
        let body =
            json!({"items": [{"name": "a"}], "more": {"x": 1, "y": 2}, "end": 3}).to_string();
        let places = ["/items", "/more", "/end", "/gone", ""].map(str::to_owned);
        let summary = Seen { status: 200, body }.summary(&places);
        let told = "200 json; /items: list of 1; /more: {x, y}; /end: 3; /gone: -; body: {end, items, more}";
        assert_eq!(summary, told);
    }

    /// AS3#420; FCP#1516; terraform-provider-bigip#333.
    #[test]
    fn missing_permission_differs_from_other_refusals() {
        for (message, lacks) in [
            (
                "Authorization failed: user=https://localhost/mgmt/shared/authz/users/x resource=/mgmt/tm",
                true,
            ),
            (
                "01070822:3: Access Denied: user (x) does not have create access to object (y)",
                true,
            ),
            (
                "01070824:3: Write Access Denied: user (x) does not have update access to partition (Common)",
                true,
            ),
            (
                "Authorization failed: no user authentication header or token detected.",
                false,
            ),
            (
                "01020036:3: The requested Tunnel (/Common/t) was not found.",
                false,
            ),
        ] {
            let body = json!({ "message": message }).to_string();
            let seen = Seen { status: 401, body };
            assert_eq!(seen.is_lack_of_right(), lacks, "{message}");
        }
    }

    #[test]
    fn star_matches_any_present_value() {
        let expect = json!({"body": {"token": {"token": "*", "timeout": 1200}}});
        let body = json!({"token": {"token": "ABC", "timeout": 1200, "more": 1}});
        assert_eq!(differs(expect.clone(), 200, &body), None);
        let without = json!({"token": {"timeout": 1200}});
        let told = differs(expect, 200, &without).unwrap();
        assert_eq!(told, "something expected at /token/token");
    }

    #[test]
    fn list_may_have_more_items_unless_expected_empty() {
        let expect = json!({"body": {"items": [{"name": "a"}]}});
        let body = json!({"items": [{"name": "b"}, {"name": "a", "x": 1}]});
        assert_eq!(differs(expect.clone(), 200, &body), None);
        assert!(differs(expect, 200, &json!({"items": [{"name": "b"}]})).is_some());
        assert!(differs(json!({"body": {"items": []}}), 200, &body).is_some());
    }

    #[test]
    fn forbidden_member_is_reported() {
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
