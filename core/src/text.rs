//! Text from elsewhere (a device, a user, another program) as a person may see it.
//!
//! The one filter of the workspace. Knows nothing of terminals, tables or where a text comes from.

/// Whether a character could make a terminal or a reader see something else than the text: control
/// characters, line separators, and characters that turn the direction of writing or are invisible.
pub fn is_unfit(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}'
                | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'
        )
}

/// The text on one line: control characters and line separators become blanks, other unfit characters go.
pub fn printable(text: &str) -> String {
    let fit = |c: char| match c {
        '\u{2028}' | '\u{2029}' => Some(' '),
        c if c.is_control() => Some(' '),
        c => (!is_unfit(c)).then_some(c),
    };
    text.chars().filter_map(fit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn printable_text_stays_unchanged() {
        for text in ["", "node-01", "größer ✔ → 日本語", "a  b"] {
            assert_eq!(printable(text), text);
        }
    }

    #[test]
    fn control_characters_become_blanks() {
        assert_eq!(printable("a\nb\x1b[31mc\u{9b}d\u{2028}e"), "a b [31mc d e");
    }

    #[test]
    fn invisible_and_bidi_characters_are_removed() {
        let turning =
            "\u{202a}\u{202b}\u{202d}\u{202e}\u{2066}\u{2067}\u{2068}\u{200e}\u{200f}\u{61c}";
        let invisible = "\u{200b}\u{200c}\u{200d}\u{2060}\u{feff}\u{ad}\u{3164}\u{e0041}\u{fe0f}";
        assert_eq!(printable(&format!("a{turning}b{invisible}c")), "abc");
    }
}
