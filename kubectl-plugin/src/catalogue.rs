//! What can be found, and what to do about it: the check codes and the reasons.
//!
//! The pages in `docs/` are the only place where this is written; they are part of the program. Knows
//! no cluster and no verb.

mod page;
pub(crate) mod reasons;

use std::fmt;

use serde::{Serialize, Serializer};

use page::Page;

/// A check code, such as `BTN0101`. Keeps its meaning for ever.
#[derive(Clone, Copy)]
pub(crate) struct Code {
    name: &'static str,
    text: &'static str,
}

/// Where the pages can be read.
const PAGES: &str = concat!(env!("CARGO_PKG_REPOSITORY"), "/blob/main/docs/codes/");

/// Defines a constant for every code, from its page, and the list of them all.
macro_rules! codes {
    ($($name:ident),+ $(,)?) => {
        $(pub(crate) const $name: Code = Code {
            name: stringify!($name),
            text: include_str!(concat!("../../docs/codes/", stringify!($name), ".md")),
        };)+
        /// All codes, in their order.
        pub(crate) const ALL: &[Code] = &[$($name),+];
    };
}

codes! {
    BTN0001, BTN0002, BTN0003, BTN0004, BTN0005, BTN0007, BTN0008, BTN0009, BTN0010, BTN0011,
    BTN0101, BTN0102, BTN0103, BTN0104, BTN0105, BTN0106, BTN0107, BTN0110, BTN0111, BTN0112,
    BTN0113, BTN0114, BTN0115,
    BTN0201, BTN0202, BTN0203, BTN0204, BTN0205, BTN0206, BTN0207, BTN0208, BTN0209, BTN0210,
    BTN0213, BTN0214, BTN0215, BTN0216, BTN0217,
    BTN0301, BTN0302, BTN0303, BTN0304, BTN0305, BTN0306, BTN0307, BTN0308, BTN0309, BTN0310,
    BTN0311, BTN0312, BTN0313,
    BTN0401, BTN0402, BTN0403, BTN0404, BTN0405, BTN0406, BTN0407, BTN0408, BTN0409, BTN0410,
    BTN0411, BTN0412, BTN0413, BTN0414, BTN0415, BTN0416, BTN0417, BTN0419,
    BTN0420, BTN0421, BTN0422,
}

impl Code {
    /// The code of this name, in capitals or not.
    pub(crate) fn find(name: &str) -> Option<Self> {
        let mut all = ALL.iter().copied();
        all.find(|code| code.name.eq_ignore_ascii_case(name))
    }

    /// Its name.
    pub(crate) const fn name(self) -> &'static str {
        self.name
    }

    /// What it says, in a few words.
    pub(crate) fn title(self) -> &'static str {
        Page::new(self.text).title()
    }

    /// What it means.
    pub(crate) fn meaning(self) -> String {
        Page::new(self.text).section("Meaning").unwrap_or_default()
    }

    /// What to do about it.
    pub(crate) fn fix(self) -> String {
        Page::new(self.text).section("Fix").unwrap_or_default()
    }

    /// Where it is known from, if the page says so.
    pub(crate) fn source(self) -> Option<String> {
        Page::new(self.text).section("Source")
    }

    /// Where its page can be read.
    pub(crate) fn link(self) -> String {
        format!("{PAGES}{}.md", self.name)
    }
}

impl PartialEq for Code {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Code {}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name)
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    use super::*;

    fn folder() -> std::path::PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/codes")
    }

    #[test]
    fn every_page_states_meaning_and_remedy_of_its_code() {
        for code in ALL {
            assert!(code.text.starts_with(&format!("# {code}: ")), "{code}");
            for text in [code.title(), &code.meaning(), &code.fix()] {
                assert!(text.len() > 10, "{code}: {text:?}");
            }
            assert!(code.title().len() <= 70, "{code}");
        }
    }

    #[test]
    fn every_page_belongs_to_a_code() {
        let files = fs::read_dir(folder()).unwrap();
        let pages: BTreeSet<String> = files
            .map(|file| file.unwrap().file_name().into_string().unwrap())
            .filter(|name| name != "README.md")
            .collect();
        let codes: BTreeSet<String> = ALL.iter().map(|code| format!("{code}.md")).collect();
        assert_eq!(pages, codes);
    }

    #[test]
    fn list_of_codes_has_every_title() {
        let list = fs::read_to_string(folder().join("README.md")).unwrap();
        for code in ALL {
            let line = format!("| [{code}]({code}.md) | {} |", code.title());
            assert!(list.contains(&line), "{line}");
        }
        assert_eq!(list.matches("| [BTN").count(), ALL.len());
    }

    #[test]
    fn code_is_found_in_any_spelling() {
        assert_eq!(Code::find("btn0305"), Some(BTN0305));
        assert_eq!(Code::find("BTN9999"), None);
        assert!(BTN0305.link().ends_with("/docs/codes/BTN0305.md"));
    }
}
