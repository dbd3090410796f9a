//! What a user may do with the configuration: the refusals that are no wrong password.
//!
//! Real roles are finer. Here are the ways in which a device was seen to refuse one.

use hyper::Method;
use serde_json::Value;

use crate::config::Rights;
use crate::failure::Failure;

/// A call below `/mgmt/tm`, as far as rights go.
#[derive(Debug)]
pub(crate) struct Access<'a> {
    pub(crate) method: &'a Method,
    /// As sent.
    pub(crate) path: &'a str,
    /// Decoded segments after `/mgmt/tm/`.
    pub(crate) segments: &'a [String],
    pub(crate) body: &'a [u8],
    pub(crate) client: &'a str,
}

impl Access<'_> {
    /// What mcpd calls this kind of access (`create` and `modify` recorded, `delete` *assumed*);
    /// `None` for a look.
    fn change(&self) -> Option<&'static str> {
        match *self.method {
            Method::GET | Method::HEAD => None,
            Method::POST => Some("create"),
            Method::DELETE => Some("delete"),
            _ => Some("modify"),
        }
    }

    /// A label for the kind of object. *Assumed*: mcpd has names of its own, such as
    /// `virtual_server_metadata` (ANS#1175).
    fn object(&self) -> String {
        let is_class = |segment: &&String| {
            segment
                .chars()
                .all(|letter| letter.is_ascii_lowercase() || letter == '-')
        };
        let classes: Vec<&str> = self
            .segments
            .iter()
            .filter(is_class)
            .map(String::as_str)
            .collect();
        classes.join("_").replace('-', "_")
    }

    fn is_of_users(&self) -> bool {
        self.segments.first().is_some_and(|module| module == "auth")
    }

    /// The partition of the object that is written, if it is in one.
    fn partition(&self) -> Option<String> {
        let in_path = self.segments.iter().find_map(|segment| {
            let path = segment.strip_prefix('~')?;
            path.split('~').next().map(str::to_owned)
        });
        in_path.or_else(|| self.partition_in_body())
    }

    /// The partition of a new object; `Common` unless it says another.
    fn partition_in_body(&self) -> Option<String> {
        if self.segments.first().is_none_or(|module| module != "net") {
            return None;
        }
        let body: Value = serde_json::from_slice(self.body).ok()?;
        let text = |key| body.get(key).and_then(Value::as_str);
        let full_path = text("name").and_then(|name| name.strip_prefix('/'));
        let partition = full_path.and_then(|path| path.split('/').next());
        let partition = partition.or(text("partition")).unwrap_or("Common");
        Some(partition.to_owned())
    }
}

/// Whether these rights allow the call.
pub(super) fn check(rights: &Rights, user: &str, access: &Access<'_>) -> Result<(), Failure> {
    let change = access.change();
    let no_right = || Failure::no_right(user, access.method, access.path, access.client);
    match (rights, change) {
        (Rights::None, _) | (Rights::ReadOnly, Some(_)) => Err(no_right()),
        (Rights::Operator, Some(change)) => {
            Err(Failure::role_refused(user, change, &access.object()))
        }
        // Users are for administrators (that it is this text is *assumed*).
        (Rights::Manager(_), Some(change)) if access.is_of_users() => {
            Err(Failure::role_refused(user, change, &access.object()))
        }
        (Rights::Manager(own), Some(_)) => match access.partition() {
            Some(partition) if partition != *own => {
                Err(Failure::partition_refused(user, &partition))
            }
            _ => Ok(()),
        },
        (Rights::All, _) | (Rights::ReadOnly | Rights::Operator | Rights::Manager(_), None) => {
            Ok(())
        }
    }
}
