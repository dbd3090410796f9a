//! Numbers and lists in sentences. Knows nothing of what they count.

/// The names that a sentence lists before it counts the rest.
const FIRST: usize = 3;

/// The first names, and how many more there are.
pub fn some_of<S: AsRef<str>>(names: &[S]) -> String {
    let first: Vec<&str> = names.iter().take(FIRST).map(AsRef::as_ref).collect();
    let first = first.join(", ");
    match names.len().saturating_sub(FIRST) {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}

/// A number and its noun: `1 node`, `2 nodes`, `2 entries`.
pub fn count(number: usize, noun: &str) -> String {
    let consonant = |stem: &&str| !stem.ends_with(['a', 'e', 'i', 'o', 'u']);
    match (number, noun.strip_suffix('y').filter(consonant)) {
        (1, _) => format!("1 {noun}"),
        (_, Some(stem)) => format!("{number} {stem}ies"),
        (_, None) if noun.ends_with(['s', 'x']) => format!("{number} {noun}es"),
        (_, None) => format!("{number} {noun}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nouns_follow_their_number() {
        assert_eq!(count(1, "node"), "1 node");
        assert_eq!(count(0, "node"), "0 nodes");
        assert_eq!(count(2, "entry"), "2 entries");
        assert_eq!(count(2, "address"), "2 addresses");
        assert_eq!(count(2, "key"), "2 keys");
        assert_eq!(count(2, "prefix"), "2 prefixes");
    }

    #[test]
    fn long_lists_end_with_a_number() {
        assert_eq!(some_of(&["a", "b"]), "a, b");
        assert_eq!(some_of(&["a", "b", "c", "d", "e"]), "a, b, c and 2 more");
    }
}
