//! Basic credentials: the header and what it says.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

/// The user and the password of an `Authorization` header; `None` if it holds none.
pub(super) fn credentials(header: &[u8]) -> Option<(String, String)> {
    let text = str::from_utf8(header).ok()?;
    let (scheme, encoded) = text.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = BASE64_STANDARD.decode(encoded.trim()).ok()?;
    let text = String::from_utf8(decoded).ok()?;
    let (user, password) = text.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}
