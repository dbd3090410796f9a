//! Which requests a fault applies to, and what has come over the proxy.
//!
//! Must not know how a fault is carried out.

use std::fmt;
use std::sync::Arc;

use http::{Method, StatusCode};

use super::rewrite::Rewrite;

/// What happens to a request, instead of being passed on and answered.
#[derive(Debug, Clone)]
pub enum Trouble {
    /// It is answered with this code, and with how many seconds to wait.
    Answer(StatusCode, Option<u32>),
    /// It is never answered. Nothing more comes of what was answered before, either: so it is behind a
    /// network that drops everything. It is passed on when the fault is removed, unless its client has
    /// gone meanwhile.
    Silence,
    /// It is passed on and carried out, and its answer is lost.
    AnswerAfter(Loss),
    /// Its answer is changed. Answers that are no JSON, and events of watches, stay as they are.
    Rewrite(Rewrite),
    /// A watch stays open, and its events (bookmarks and its end included) are held until the fault is
    /// removed; then they come in their order. Requests that are no watch are passed on.
    HoldWatch,
}

/// What the client gets instead of the answer that is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// 504 of a gateway that has waited for too long.
    GatewayTimeout,
    /// A connection that ends without an answer.
    BrokenConnection,
    /// Nothing, until the client or the fault goes; then the connection ends without an answer.
    Silence,
}

/// A request that came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Its method.
    pub method: Method,
    /// Its path, without the query.
    pub path: String,
    /// Its query, as it was sent.
    pub query: String,
}

impl Seen {
    /// Whether it asks for a watch.
    pub fn is_watch(&self) -> bool {
        matches!(self.parameter("watch"), Some("1" | "true"))
    }

    /// Whether it asks for a list of such things, for example `nodes`: for all of it or for a page.
    pub fn is_list_of(&self, plural: &str) -> bool {
        let end = self.path.rsplit('/').next();
        self.method == Method::GET && !self.is_watch() && end == Some(plural)
    }

    /// Whether it asks to change something.
    pub fn is_mutation(&self) -> bool {
        !matches!(self.method, Method::GET | Method::HEAD | Method::OPTIONS)
    }

    /// A parameter of its query, as it was sent.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        let mut pairs = self
            .query
            .split('&')
            .filter_map(|pair| pair.split_once('='));
        pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
    }
}

/// Names a fault of the proxy.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct RuleId(u64);

/// A fault, and which requests it applies to.
pub struct Rule {
    trouble: Trouble,
    matches: Arc<dyn Fn(&Seen) -> bool + Send + Sync>,
    /// Only this one of the requests that match, counted from 1.
    nth: Option<usize>,
}

impl Rule {
    /// A fault for every such request, and for what is under way for such requests.
    pub fn new(trouble: Trouble, matches: impl Fn(&Seen) -> bool + Send + Sync + 'static) -> Self {
        Self {
            trouble,
            matches: Arc::new(matches),
            nth: None,
        }
    }

    /// Only for the n-th such request from now on, counted from 1.
    #[must_use]
    pub fn nth(mut self, nth: usize) -> Self {
        self.nth = Some(nth);
        self
    }
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rule")
            .field("trouble", &self.trouble)
            .field("nth", &self.nth)
            .finish_non_exhaustive()
    }
}

/// A fault that was added.
#[derive(Debug)]
struct Added {
    id: RuleId,
    rule: Rule,
    /// Requests that matched.
    matched: usize,
}

/// What was asked for over the proxy, and what happens to it.
#[derive(Debug, Default)]
pub(super) struct Traffic {
    rules: Vec<Added>,
    last_id: u64,
    seen: Vec<Seen>,
    effects: Vec<(RuleId, Seen)>,
    under_way: usize,
}

/// A request under way.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) seen: Seen,
    /// The faults that chose this request by its number.
    chosen: Vec<RuleId>,
}

impl Request {
    pub(super) fn new(seen: Seen) -> Self {
        Self {
            seen,
            chosen: Vec::new(),
        }
    }
}

impl Traffic {
    pub(super) fn add(&mut self, rule: Rule) -> RuleId {
        self.last_id += 1;
        let id = RuleId(self.last_id);
        self.rules.push(Added {
            id,
            rule,
            matched: 0,
        });
        id
    }

    pub(super) fn remove(&mut self, id: RuleId) {
        self.rules.retain(|added| added.id != id);
    }

    pub(super) fn clear(&mut self) {
        self.rules.clear();
    }

    /// Notes a request, and which faults choose it.
    pub(super) fn arrived(&mut self, request: &mut Request) {
        self.seen.push(request.seen.clone());
        self.under_way += 1;
        for added in &mut self.rules {
            if (added.rule.matches)(&request.seen) {
                added.matched += 1;
                if added.rule.nth == Some(added.matched) {
                    request.chosen.push(added.id);
                }
            }
        }
    }

    /// Notes that nothing more comes of a request.
    pub(super) fn left(&mut self) {
        self.under_way -= 1;
    }

    /// The first fault that applies to this request.
    pub(super) fn trouble(&self, request: &Request) -> Option<(RuleId, &Trouble)> {
        let applies = |added: &&Added| match added.rule.nth {
            Some(_) => request.chosen.contains(&added.id),
            None => (added.rule.matches)(&request.seen),
        };
        let added = self.rules.iter().find(applies)?;
        Some((added.id, &added.rule.trouble))
    }

    /// Notes that a fault took effect on this request.
    pub(super) fn took_effect(&mut self, id: RuleId, request: &Request) {
        self.effects.push((id, request.seen.clone()));
    }

    pub(super) fn seen(&self, matches: impl Fn(&Seen) -> bool) -> impl Iterator<Item = &Seen> {
        self.seen.iter().filter(move |seen| matches(seen))
    }

    pub(super) fn effects(&self, id: RuleId) -> usize {
        self.effects.iter().filter(|(of, _)| *of == id).count()
    }

    pub(super) fn first_effect(&self, id: RuleId) -> Option<&Seen> {
        let mut effects = self.effects.iter().filter(|(of, _)| *of == id);
        effects.next().map(|(_, seen)| seen)
    }

    pub(super) fn under_way(&self) -> usize {
        self.under_way
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(path: &str, query: &str) -> Seen {
        Seen {
            method: Method::GET,
            path: path.to_owned(),
            query: query.to_owned(),
        }
    }

    #[test]
    fn watch_differs_from_list_and_object() {
        let list = get("/api/v1/nodes", "limit=500");
        assert!(list.is_list_of("nodes") && !list.is_watch());
        assert_eq!(list.parameter("limit"), Some("500"));
        let watch = get("/api/v1/nodes", "limit=1&watch=true");
        assert!(watch.is_watch() && !watch.is_list_of("nodes"));
        assert!(!get("/api/v1/nodes/n1", "").is_list_of("nodes"));
    }

    #[test]
    fn first_fault_that_applies_is_taken() {
        let mut traffic = Traffic::default();
        let first = traffic.add(Rule::new(Trouble::Silence, |_| true).nth(2));
        let second = traffic.add(Rule::new(Trouble::HoldWatch, |_| true));
        let of = |traffic: &Traffic, request| traffic.trouble(request).unwrap().0;
        let mut requests = [(); 3].map(|()| Request::new(get("/", "")));
        for request in &mut requests {
            traffic.arrived(request);
        }
        let met = requests.each_ref().map(|request| of(&traffic, request));
        assert_eq!(met, [second, first, second]);
        traffic.remove(first);
        assert_eq!(of(&traffic, &requests[1]), second);
        traffic.clear();
        assert!(traffic.trouble(&requests[0]).is_none());
    }
}
