//! The database variables of a new device, from `variables.txt`.

use std::sync::LazyLock;

use super::{Configuration, DB, Object};
use crate::tmos::TmosVersion;

const TABLE: &str = include_str!("variables.txt");

/// A variable of the table.
pub(crate) struct Variable {
    name: &'static str,
    /// What is known of it beyond its name; without this it is not simulated.
    pub(crate) simulated: Option<Simulated>,
}

/// A variable that is simulated.
#[derive(Clone, Copy)]
pub(crate) struct Simulated {
    default: &'static str,
    range: &'static str,
    /// Whether it is part of a single configuration file.
    in_file: &'static str,
    /// The first version that has it; `None` if all have it.
    pub(crate) since: Option<TmosVersion>,
}

/// The variables, in the order of their names.
static VARIABLES: LazyLock<Vec<Variable>> = LazyLock::new(|| {
    let lines = TABLE.lines().filter(|line| !line.starts_with('#'));
    let mut variables: Vec<Variable> = lines.map(read).collect();
    variables.sort_unstable_by_key(|variable| variable.name);
    variables
});

fn read(line: &'static str) -> Variable {
    let mut fields = line.split('\t');
    let name = fields.next().unwrap_or_default();
    let mut simulated = || {
        Some(Simulated {
            default: fields.next()?,
            range: fields.next()?,
            in_file: fields.next()?,
            since: fields.next().and_then(|version| version.parse().ok()),
        })
    };
    let simulated = simulated();
    Variable { name, simulated }
}

/// The variable of this name.
pub(crate) fn variable(name: &str) -> Option<&'static Variable> {
    let found = VARIABLES.binary_search_by_key(&name, |variable| variable.name);
    VARIABLES.get(found.ok()?)
}

/// Variables of which a device that was set up has another value than the default (14.1.2.1, genieparser
/// `sys_db`).
const SET_UP: [(&str, &str); 3] = [
    ("failover.linksup", "true"),
    ("setup.run", "false"),
    ("vendor.wwwurl", "http://www.f5.com"),
];

impl Configuration {
    pub(super) fn add_variables(&mut self) {
        for Variable { name, simulated } in VARIABLES.iter() {
            let Some(simulated) = simulated else {
                continue;
            };
            let set_up = SET_UP.iter().find(|(known, _)| known == name);
            let variable = Object::named("", name)
                .with("defaultValue", simulated.default)
                .with("scfConfig", simulated.in_file)
                .with(
                    "value",
                    set_up.map_or(simulated.default, |(_, value)| *value),
                )
                .with("valueRange", simulated.range);
            self.insert_built_in(DB, variable);
        }
    }

    /// The value of a variable.
    pub(crate) fn variable(&self, name: &str) -> Option<&str> {
        self.get(DB, name)?.text("value")
    }

    /// Sets a variable that the device has.
    pub(crate) fn set_variable(&mut self, name: &str, value: &str) {
        if let Some(variable) = self.edit(DB, name) {
            variable.values.insert("value", value.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{VARIABLES, variable};

    #[test]
    fn table_has_every_variable_once() {
        assert_eq!(VARIABLES.len(), 2257 + 3);
        assert!(VARIABLES.is_sorted_by(|a, b| a.name < b.name));
        let simulated = VARIABLES.iter().filter(|it| it.simulated.is_some());
        assert_eq!(simulated.count(), 67);
        assert!(variable("arp.maxentries").is_some());
        assert!(variable("no.such.variable").is_none());
    }
}
