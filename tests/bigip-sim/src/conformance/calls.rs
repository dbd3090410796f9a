//! Which calls of the product a user may make: run as a user with a smaller role, this tells whether the
//! role is enough.
//!
//! It must not know why a call is made.

use std::collections::BTreeMap;

use hyper::Method;
use serde::Serialize;

use super::expect::Seen;

/// The calls of the product. A segment in braces stands for any.
const PRODUCT: [(Method, &str); 18] = [
    (Method::POST, "/mgmt/shared/authn/login"),
    (Method::PATCH, "/mgmt/shared/authz/tokens/{token}"),
    (Method::DELETE, "/mgmt/shared/authz/tokens/{token}"),
    (Method::GET, "/mgmt/tm/sys/version"),
    (Method::GET, "/mgmt/tm/sys/ready"),
    (Method::GET, "/mgmt/tm/cm/device"),
    (Method::GET, "/mgmt/tm/net/self"),
    (Method::GET, "/mgmt/tm/net/tunnels/tunnel/{tunnel}"),
    (Method::GET, "/mgmt/tm/net/tunnels/vxlan/{profile}"),
    (Method::GET, "/mgmt/tm/net/tunnels/geneve/{profile}"),
    (Method::GET, "/mgmt/tm/net/fdb/tunnel/{tunnel}"),
    (Method::GET, "/mgmt/tm/net/fdb/tunnel/{tunnel}/records"),
    (
        Method::GET,
        "/mgmt/tm/net/fdb/tunnel/{tunnel}/records/{record}",
    ),
    (Method::POST, "/mgmt/tm/net/fdb/tunnel/{tunnel}/records"),
    (
        Method::PATCH,
        "/mgmt/tm/net/fdb/tunnel/{tunnel}/records/{record}",
    ),
    (
        Method::DELETE,
        "/mgmt/tm/net/fdb/tunnel/{tunnel}/records/{record}",
    ),
    (Method::PUT, "/mgmt/tm/net/fdb/tunnel/{tunnel}"),
    (Method::POST, "/mgmt/tm/sys/config"),
];

/// Whether a call is allowed. Of several answers the last in this order counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Right {
    /// It was not made.
    #[default]
    NotAsked,
    /// It was refused, but for no lack of right.
    Refused,
    /// The user has no right to it.
    Missing,
    /// It was carried out.
    Allowed,
}

/// A call of the product, and whether it is allowed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Call {
    /// Method and path.
    pub call: String,
    /// Whether it is allowed.
    pub right: Right,
}

/// What was answered to the calls of the product.
#[derive(Debug, Default)]
pub(crate) struct Calls(BTreeMap<usize, Right>);

impl Calls {
    /// Notes an answer.
    pub(crate) fn answered(&mut self, method: &Method, path: &str, answer: &Seen) {
        let is_it = |(known, pattern): &(Method, &str)| known == method && matches(pattern, path);
        let Some(index) = PRODUCT.iter().position(is_it) else {
            return;
        };
        let right = match answer.status {
            200..300 => Right::Allowed,
            _ if answer.is_lack_of_right() => Right::Missing,
            // Nothing was there to have a right to.
            404 => return,
            _ => Right::Refused,
        };
        let known = self.0.entry(index).or_default();
        *known = right.max(*known);
    }

    /// All calls of the product.
    pub(crate) fn all(&self) -> Vec<Call> {
        let calls = PRODUCT.iter().enumerate();
        calls
            .map(|(index, (method, path))| Call {
                call: format!("{method} {path}"),
                right: self.0.get(&index).copied().unwrap_or_default(),
            })
            .collect()
    }
}

fn matches(pattern: &str, path: &str) -> bool {
    let (mut pattern, mut path) = (pattern.split('/'), path.split('/'));
    let all = pattern.by_ref().all(|wanted| {
        path.next()
            .is_some_and(|found| wanted.starts_with('{') || wanted == found)
    });
    all && path.next().is_none()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const RECORDS: &str = "/mgmt/tm/net/fdb/tunnel/~Common~t/records";

    fn refusal(message: &str) -> Seen {
        let body = json!({ "message": message }).to_string();
        Seen { status: 401, body }
    }

    fn right(calls: &Calls, call: &str) -> Right {
        let mut all = calls.all().into_iter();
        all.find(|known| known.call == call).unwrap().right
    }

    #[test]
    fn unpermitted_call_differs_from_one_not_made() {
        let mut calls = Calls::default();
        let no_right = refusal("Authorization failed: user=https://localhost/x resource=/mgmt");
        calls.answered(&Method::POST, RECORDS, &no_right);
        assert_eq!(
            right(&calls, "POST /mgmt/tm/net/fdb/tunnel/{tunnel}/records"),
            Right::Missing
        );
        assert_eq!(
            right(&calls, "GET /mgmt/tm/net/fdb/tunnel/{tunnel}/records"),
            Right::NotAsked
        );
    }

    #[test]
    fn call_that_succeeded_once_is_permitted() {
        let mut calls = Calls::default();
        let record = format!("{RECORDS}/0a:0a:c0:a8:c8:41");
        let done = || Seen {
            status: 200,
            body: String::new(),
        };
        calls.answered(&Method::DELETE, &record, &done());
        calls.answered(&Method::DELETE, &record, &refusal("01020036:3: not found"));
        let call = "DELETE /mgmt/tm/net/fdb/tunnel/{tunnel}/records/{record}";
        assert_eq!(right(&calls, call), Right::Allowed);
    }

    #[test]
    fn missing_object_is_no_evidence_about_a_permission() {
        let mut calls = Calls::default();
        let status = 404;
        let body = json!({ "code": status, "message": "01020036:3: not found" }).to_string();
        calls.answered(&Method::GET, RECORDS, &Seen { status, body });
        let call = "GET /mgmt/tm/net/fdb/tunnel/{tunnel}/records";
        assert_eq!(right(&calls, call), Right::NotAsked);
    }

    #[test]
    fn path_matches_as_a_whole() {
        assert!(matches("/a/{b}/c", "/a/x/c"));
        for other in ["/a/x", "/a/x/c/d", "/a/x/d", "/b/x/c", "/a/x/c?y"] {
            assert!(!matches("/a/{b}/c", other), "{other}");
        }
    }
}
