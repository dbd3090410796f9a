//! Faults as JSON: a list that a file or a test can hold.
//!
//! The form is that of the types, with every omission and contradiction named. It must not know files.

use std::collections::BTreeMap;
use std::fmt;

use hyper::header::{HeaderName, HeaderValue};
use hyper::{Method, StatusCode};
use serde::de::{Error as _, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::{Answer, Commit, Delivery, Effect, Fault, Given, Moment};

/// A script that cannot be played.
#[derive(Debug, thiserror::Error)]
#[error("not a list of faults: {0}")]
pub struct ScriptError(serde_json::Error);

impl Fault {
    /// Reads a list of faults. `docs/reference/bigip-sim.md` describes the form.
    pub fn parse_script(json: &str) -> Result<Vec<Self>, ScriptError> {
        let Script(faults) = serde_json::from_str(json).map_err(ScriptError)?;
        Ok(faults)
    }
}

/// A list whose errors say which fault they are about: where a contradiction ends is no help.
struct Script(Vec<Fault>);

impl<'de> Deserialize<'de> for Script {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(ScriptVisitor)
    }
}

struct ScriptVisitor;

impl<'de> Visitor<'de> for ScriptVisitor {
    type Value = Script;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Script, A::Error> {
        let mut faults = Vec::new();
        loop {
            let number = faults.len() + 1;
            let next = list.next_element();
            match next.map_err(|error| A::Error::custom(format!("fault {number}: {error}")))? {
                Some(fault) => faults.push(fault),
                None => return Ok(Script(faults)),
            }
        }
    }
}

/// What contradicts itself.
#[derive(Debug, thiserror::Error)]
enum Contradiction {
    #[error("`method` is one of GET, POST, PUT, PATCH, DELETE, HEAD, not `{0}`")]
    Method(String),
    #[error("`path` starts with / or *, not as `{0}` does")]
    Path(String),
    #[error("`nth` stands alone: leave out `from` and `times`")]
    Nth,
    #[error("requests are counted from 1")]
    CountedFromOne,
    #[error("`times` of 0 is never")]
    Never,
    #[error("`late_ms` needs a `commit` or a `reply` that is late")]
    NothingLate,
    #[error("a dropped connection has no answer: leave out `answer` and `headers`")]
    DroppedAnswer,
    #[error("an effect has at least one of commit, reply, answer, headers, delivery")]
    NoEffect,
    #[error("`{0}` is no header name")]
    HeaderName(String),
    #[error("the value of the header `{0}` is none")]
    HeaderValue(String),
    #[error("{0} is no status of an answer")]
    Status(u16),
    #[error("give the answer a `body` or a `json`, not both")]
    TwoBodies,
    #[error("`object` is a path that starts with /mgmt/, `without` one that starts with /")]
    AnswerPath,
    #[error("a page has at least one item")]
    EmptyPage,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FaultForm {
    method: Option<String>,
    path: Option<String>,
    nth: Option<u64>,
    from: Option<u64>,
    times: Option<u64>,
    effect: Effect,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EffectForm {
    commit: Option<Commit>,
    reply: Option<Moment>,
    late_ms: Option<u64>,
    answer: Option<Answer>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    delivery: Option<Delivery>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GivenForm {
    status: u16,
    content_type: Option<String>,
    body: Option<String>,
    json: Option<Value>,
}

impl<'de> Deserialize<'de> for Fault {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let form = FaultForm::deserialize(deserializer)?;
        form.try_into()
            .map_err(serde::de::Error::custom::<Contradiction>)
    }
}

impl<'de> Deserialize<'de> for Effect {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let form = EffectForm::deserialize(deserializer)?;
        form.try_into()
            .map_err(serde::de::Error::custom::<Contradiction>)
    }
}

impl<'de> Deserialize<'de> for Given {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let form = GivenForm::deserialize(deserializer)?;
        form.try_into()
            .map_err(serde::de::Error::custom::<Contradiction>)
    }
}

impl TryFrom<FaultForm> for Fault {
    type Error = Contradiction;

    fn try_from(form: FaultForm) -> Result<Self, Contradiction> {
        let mut fault = Self::new(form.effect);
        fault.method = form.method.map(method).transpose()?;
        if let Some(path) = form.path {
            if !path.starts_with(['/', '*']) {
                return Err(Contradiction::Path(path));
            }
            fault = fault.path(path);
        }
        if form.nth.is_some() && (form.from.is_some() || form.times.is_some()) {
            return Err(Contradiction::Nth);
        }
        if form.nth.or(form.from) == Some(0) {
            return Err(Contradiction::CountedFromOne);
        }
        if form.times == Some(0) {
            return Err(Contradiction::Never);
        }
        fault.from = form.nth.or(form.from).unwrap_or(1);
        fault.times = form.times.or(form.nth.map(|_| 1));
        Ok(fault)
    }
}

fn method(name: String) -> Result<Method, Contradiction> {
    [
        Method::GET,
        Method::POST,
        Method::PUT,
        Method::PATCH,
        Method::DELETE,
        Method::HEAD,
    ]
    .into_iter()
    .find(|method| *method == *name)
    .ok_or(Contradiction::Method(name))
}

impl TryFrom<EffectForm> for Effect {
    type Error = Contradiction;

    fn try_from(form: EffectForm) -> Result<Self, Contradiction> {
        let is_late = form.commit == Some(Commit::Late) || form.reply == Some(Moment::Late);
        if form.late_ms.is_some() && !is_late {
            return Err(Contradiction::NothingLate);
        }
        let says_something = form.answer.is_some() || !form.headers.is_empty();
        if form.delivery == Some(Delivery::Drop) && says_something {
            return Err(Contradiction::DroppedAnswer);
        }
        if let Some(answer) = &form.answer {
            check_answer(answer)?;
        }
        let answer = form.answer.unwrap_or_default();
        let effect = Self {
            commit: form.commit.unwrap_or(answer.usual_commit()),
            reply: form.reply.unwrap_or_default(),
            late_ms: form.late_ms,
            answer,
            headers: form
                .headers
                .into_iter()
                .map(header)
                .collect::<Result<_, _>>()?,
            delivery: form.delivery.unwrap_or_default(),
        };
        if effect == Self::default() {
            return Err(Contradiction::NoEffect);
        }
        Ok(effect)
    }
}

fn header((name, value): (String, String)) -> Result<(HeaderName, HeaderValue), Contradiction> {
    let Ok(value) = HeaderValue::from_str(&value) else {
        return Err(Contradiction::HeaderValue(name));
    };
    let parsed = name.parse();
    let name = parsed.map_err(|_| Contradiction::HeaderName(name))?;
    Ok((name, value))
}

fn check_answer(answer: &Answer) -> Result<(), Contradiction> {
    match answer {
        Answer::Page(0) => Err(Contradiction::EmptyPage),
        Answer::Without(pointer) if !pointer.starts_with('/') => Err(Contradiction::AnswerPath),
        Answer::Object(path) if !path.starts_with("/mgmt/") => Err(Contradiction::AnswerPath),
        _ => Ok(()),
    }
}

impl TryFrom<GivenForm> for Given {
    type Error = Contradiction;

    fn try_from(form: GivenForm) -> Result<Self, Contradiction> {
        let is_final = StatusCode::from_u16(form.status).is_ok_and(|it| !it.is_informational());
        if !is_final {
            return Err(Contradiction::Status(form.status));
        }
        let body = match (form.body, form.json) {
            (Some(_), Some(_)) => return Err(Contradiction::TwoBodies),
            (Some(body), None) => body,
            (None, json) => json.map(|json| json.to_string()).unwrap_or_default(),
        };
        Ok(Self {
            status: form.status,
            content_type: form
                .content_type
                .unwrap_or_else(|| "application/json".to_owned()),
            body,
        })
    }
}
