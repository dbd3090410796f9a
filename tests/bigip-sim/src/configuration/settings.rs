//! The settings of a device, from `settings.txt`.

use std::sync::LazyLock;

use serde_json::Value;

const TABLE: &str = include_str!("settings.txt");

/// A resource that is one object.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) resource: &'static str,
    /// In the order in which they are shown.
    pub(crate) properties: Vec<Setting>,
}

/// A property of such a resource.
#[derive(Debug)]
pub(crate) struct Setting {
    pub(crate) name: &'static str,
    pub(crate) kind: SettingKind,
    /// What it is on a new device; `None` if it is not shown there.
    pub(crate) default: Option<Value>,
}

/// What a property may be set to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SettingKind {
    /// A number up to 32 bits long.
    Count,
    /// Any text.
    Text,
    /// A list of texts.
    Texts,
    /// One of these words.
    OneOf(Vec<&'static str>),
    /// A text; to change it is not simulated.
    Fixed,
    /// Anything; to change it is not simulated.
    Told,
}

/// All of them.
pub(crate) static SETTINGS: LazyLock<Vec<Settings>> = LazyLock::new(|| {
    let mut all: Vec<Settings> = Vec::new();
    for line in TABLE.lines().filter(|line| !line.starts_with('#')) {
        match line.strip_prefix("  ") {
            None => all.push(Settings {
                resource: line,
                properties: Vec::new(),
            }),
            Some(line) => {
                if let (Some(settings), Some(setting)) = (all.last_mut(), setting(line)) {
                    settings.properties.push(setting);
                }
            }
        }
    }
    all
});

/// Reads a line of the table; `None` if it is none.
fn setting(line: &'static str) -> Option<Setting> {
    let mut parts = line.splitn(3, ' ');
    let (name, kind) = (parts.next()?, parts.next()?);
    let kind = match kind.strip_prefix("one-of:") {
        Some(words) => SettingKind::OneOf(words.split('|').collect()),
        None => match kind {
            "count" => SettingKind::Count,
            "text" => SettingKind::Text,
            "texts" => SettingKind::Texts,
            "fixed" => SettingKind::Fixed,
            "flag" | "told" => SettingKind::Told,
            _ => return None,
        },
    };
    let default = parts.next().map(serde_json::from_str).transpose().ok()?;
    Some(Setting {
        name,
        kind,
        default,
    })
}

#[cfg(test)]
mod tests {
    use super::{SETTINGS, SettingKind, TABLE, setting};
    use serde_json::json;

    #[test]
    fn every_line_of_the_table_is_read() {
        let lines = TABLE.lines().filter(|line| line.starts_with("  "));
        let properties = SETTINGS.iter().flat_map(|settings| &settings.properties);
        assert_eq!((SETTINGS.len(), properties.count()), (30, lines.count()));
    }

    #[test]
    fn invalid_line_is_not_read() {
        assert!(setting("name").is_none());
        assert!(setting("name number 1").is_none());
        assert!(setting("name text enabled").is_none());
    }

    #[test]
    fn choices_and_default_are_read() {
        let setting = setting(r#"banner one-of:disabled|enabled "enabled""#).unwrap();
        assert_eq!(
            setting.kind,
            SettingKind::OneOf(vec!["disabled", "enabled"])
        );
        assert_eq!(setting.default, Some(json!("enabled")));
    }

    #[test]
    fn default_is_one_of_its_choices() {
        for settings in SETTINGS.iter() {
            for setting in &settings.properties {
                if let SettingKind::OneOf(words) = &setting.kind {
                    let default = setting.default.as_ref().and_then(|it| it.as_str());
                    let default = default.unwrap_or_else(|| panic!("{}", setting.name));
                    assert!(words.contains(&default), "{} {default}", setting.name);
                }
            }
        }
    }
}
