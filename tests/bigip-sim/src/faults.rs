//! Which request goes wrong, and how.
//!
//! Faults are matched here; what they do is done by the state (answers) and the server (connections).
//! It must not know what a request means.

mod effect;
mod preset;
mod script;

use hyper::Method;

pub use self::effect::{Answer, Commit, Delivery, Effect, Given, Moment};
pub use self::preset::Preset;
pub use self::script::ScriptError;

/// Something that goes wrong with the requests it matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    method: Option<Method>,
    /// All of them have to match.
    paths: Vec<String>,
    from: u64,
    times: Option<u64>,
    effect: Effect,
}

impl Fault {
    /// A fault that hits every request, until narrowed.
    pub fn new(effect: Effect) -> Self {
        Self {
            method: None,
            paths: Vec::new(),
            from: 1,
            times: None,
            effect,
        }
    }

    /// Hits this method only.
    #[must_use]
    pub fn method(mut self, method: Method) -> Self {
        self.method = Some(method);
        self
    }

    /// Hits requests whose path, as sent, is this text, in which `*` stands for any text. A pattern
    /// with `?` in it is compared with path and query.
    #[must_use]
    pub fn path(mut self, pattern: impl Into<String>) -> Self {
        self.paths.push(pattern.into());
        self
    }

    /// Hits requests whose path contains this text; the rules are those of [`Fault::path`].
    #[must_use]
    pub fn path_contains(self, text: &str) -> Self {
        self.path(format!("*{text}*"))
    }

    /// Hits requests whose path ends with this text; the rules are those of [`Fault::path`].
    #[must_use]
    pub fn path_ends_with(self, text: &str) -> Self {
        self.path(format!("*{text}"))
    }

    /// Hits one request only: the n-th that matches, counted from 1 and from when the fault was set.
    #[must_use]
    pub fn nth(self, nth: u64) -> Self {
        self.from(nth).times(1)
    }

    /// Hits the n-th request that matches, counted as by [`Fault::nth`], and those after it.
    #[must_use]
    pub fn from(mut self, nth: u64) -> Self {
        self.from = nth;
        self
    }

    /// Hits so many requests at most.
    #[must_use]
    pub fn times(mut self, times: u64) -> Self {
        self.times = Some(times);
        self
    }

    pub(crate) fn effect(&self) -> &Effect {
        &self.effect
    }

    fn matches(&self, method: &Method, path_and_query: &str) -> bool {
        let path = path_and_query.split('?').next().unwrap_or_default();
        let mut patterns = self.paths.iter();
        self.method.as_ref().is_none_or(|wanted| wanted == method)
            && patterns.all(|pattern| {
                let is_about_query = pattern.contains('?');
                let text = if is_about_query { path_and_query } else { path };
                is_like(text, pattern)
            })
    }

    /// Whether the n-th request that matches is hit.
    fn is_due(&self, nth: u64) -> bool {
        let passed = nth.checked_sub(self.from);
        passed.is_some_and(|passed| self.times.is_none_or(|times| passed < times))
    }
}

/// Whether the text is like the pattern, in which `*` stands for any text.
fn is_like(text: &str, pattern: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else {
        return text == pattern;
    };
    let Some(mut text) = text.strip_prefix(start) else {
        return false;
    };
    let mut parts = rest.split('*');
    let end = parts.next_back().unwrap_or_default();
    for part in parts {
        match text.split_once(part) {
            Some((_, after)) => text = after,
            None => return false,
        }
    }
    text.ends_with(end)
}

/// Names a fault that was set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FaultId(u64);

/// The faults of a device, in the order they were set.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    set: Vec<Counted>,
    last_id: u64,
}

#[derive(Debug)]
struct Counted {
    id: FaultId,
    fault: Fault,
    matched: u64,
}

impl Faults {
    pub(crate) fn add(&mut self, fault: Fault) -> FaultId {
        self.last_id += 1;
        let id = FaultId(self.last_id);
        self.set.push(Counted {
            id,
            fault,
            matched: 0,
        });
        id
    }

    pub(crate) fn remove(&mut self, id: FaultId) {
        self.set.retain(|counted| counted.id != id);
    }

    pub(crate) fn clear(&mut self) {
        self.set.clear();
    }

    pub(crate) fn contains(&self, id: FaultId) -> bool {
        self.set.iter().any(|counted| counted.id == id)
    }

    /// The effect that [`Self::strike`] would have, without counting the request.
    #[cfg(target_os = "linux")]
    pub(crate) fn next_effect(&self, method: &Method, path: &str) -> Option<&Effect> {
        let mut due = self.set.iter().filter(|counted| {
            counted.fault.matches(method, path) && counted.fault.is_due(counted.matched + 1)
        });
        due.next().map(|counted| &counted.fault.effect)
    }

    /// Counts the request with every fault that matches; the first that is due takes effect.
    pub(crate) fn strike(&mut self, method: &Method, path: &str) -> Option<(FaultId, Effect)> {
        let mut struck = None;
        for counted in &mut self.set {
            let fault = &counted.fault;
            if !fault.matches(method, path) {
                continue;
            }
            counted.matched += 1;
            if struck.is_none() && fault.is_due(counted.matched) {
                struck = Some((counted.id, fault.effect.clone()));
            }
        }
        struck
    }
}

#[cfg(test)]
mod tests {
    use super::is_like;

    #[test]
    fn star_matches_any_text() {
        for (text, pattern) in [
            ("/a/b", "/a/b"),
            ("/a/b", "*"),
            ("/a/b", "/a*"),
            ("/a/b", "*/b"),
            ("/a/b", "*a*b*"),
            ("/a/x/b", "/a/*/b"),
            ("aa", "a*a"),
        ] {
            assert!(is_like(text, pattern), "{text} {pattern}");
        }
        for (text, pattern) in [
            ("/a/b", "/a"),
            ("/a/b", "b*"),
            ("/a/b", "*a"),
            ("/a/b", "*b*a*"),
            ("a", "a*a"),
            ("/a/x/b/c", "/a/*/b"),
        ] {
            assert!(!is_like(text, pattern), "{text} {pattern}");
        }
    }
}
