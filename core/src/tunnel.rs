//! Names on the BIG-IP: partition, tunnel name and the path made of both.
//!
//! Parsed once at the edge, so that everything behind it can build request paths without asking
//! again whether a name is safe. Knows nothing of URL encoding (that is the client's business).

use std::fmt;
use std::str::FromStr;

/// The path of a tunnel: partition (which may name folders) and name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TunnelPath {
    partition: Partition,
    name: TunnelName,
}

impl TunnelPath {
    /// The tunnel `name` in `partition`.
    pub fn new(partition: Partition, name: TunnelName) -> Self {
        Self { partition, name }
    }

    /// The path's segments: partition, folders, name. Never empty.
    pub fn segments(&self) -> impl Iterator<Item = &str> {
        self.partition
            .0
            .split('/')
            .chain(std::iter::once(self.name.0.as_str()))
    }
}

impl fmt::Display for TunnelPath {
    /// The full path as BIG-IP shows it: `/Common/app/flannel_vxlan`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/{}/{}", self.partition.0, self.name.0)
    }
}

/// The name of a tunnel, without partition: a letter, then letters, digits, `_`, `.` or `-`; at most
/// 63 characters. Narrower than what BIG-IP takes: a tilde or a slash would make its path ambiguous.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TunnelName(String);

/// An administrative partition, with folders where there are any (`Common/app`); at most 255
/// characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Partition(String);

/// Why a text is not a name that a BIG-IP object may have here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ParseNameError {
    /// Empty, or longer than BIG-IP and this product allow.
    #[error("empty or too long")]
    Length,
    /// Begins with something else than a letter, or holds a forbidden character.
    #[error("must begin with a letter and hold only letters, digits, '_', '.' and '-'")]
    Character,
}

fn check_segment(text: &str) -> Result<(), ParseNameError> {
    let mut bytes = text.bytes();
    match bytes.next() {
        None => return Err(ParseNameError::Length),
        Some(first) if !first.is_ascii_alphabetic() => return Err(ParseNameError::Character),
        Some(_) => {}
    }
    if bytes.all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-')) {
        Ok(())
    } else {
        Err(ParseNameError::Character)
    }
}

impl FromStr for TunnelName {
    type Err = ParseNameError;

    fn from_str(text: &str) -> Result<Self, ParseNameError> {
        if text.len() > 63 {
            return Err(ParseNameError::Length);
        }
        check_segment(text)?;
        Ok(Self(text.to_owned()))
    }
}

impl FromStr for Partition {
    type Err = ParseNameError;

    fn from_str(text: &str) -> Result<Self, ParseNameError> {
        if text.len() > 255 {
            return Err(ParseNameError::Length);
        }
        text.split('/').try_for_each(check_segment)?;
        Ok(Self(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_with_folders_keeps_its_segments() {
        let path = TunnelPath::new(
            "Common/app".parse().unwrap(),
            "flannel_vxlan".parse().unwrap(),
        );
        assert_eq!(path.to_string(), "/Common/app/flannel_vxlan");
        assert_eq!(
            path.segments().collect::<Vec<_>>(),
            ["Common", "app", "flannel_vxlan"]
        );
    }

    #[test]
    fn names_with_path_traversal_are_refused() {
        for text in [
            "", "..", "a/b", "a~b", "a b", "a%2f", "a?x", "a#", "a\r\n", "9a", "ä",
        ] {
            assert!(text.parse::<TunnelName>().is_err(), "{text}");
        }
        for text in [
            "",
            "/Common",
            "Common/",
            "Common//app",
            "Common/..",
            "Common/~app",
        ] {
            assert!(text.parse::<Partition>().is_err(), "{text}");
        }
        assert!("a".repeat(64).parse::<TunnelName>().is_err());
    }
}
