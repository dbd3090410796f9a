//! `sys/db`: database variables.

use serde_json::Value;

use super::objects::Address;
use super::{Answer, Call, Device, objects};
use crate::configuration::{Configuration, DB, Object, TRAFFIC_CONTROL, variable};
use crate::failure::Failure;
use crate::schema::{Naming, Property, Schema, Shape, Writes, Writing};
use crate::tmos::TmosVersion;

/// A variable (ANS fixture, 11.6.1; genieparser `sys_db`, 14.1.2.1). None is made or deleted (FCP). The label
/// is *assumed*.
pub(super) static VARIABLES: Schema = Schema {
    resource: DB,
    label: "database variable",
    naming: Naming::Alone,
    writes: Writes::Changes,
    properties: &[
        Property::new("defaultValue", Shape::Text).written(Writing::Device),
        Property::new("scfConfig", Shape::Text)
            .or("true")
            .written(Writing::Device),
        Property::new("value", Shape::Text),
        Property::new("valueRange", Shape::Text).written(Writing::Device),
    ],
    derive: |_, variable| {
        // Taken away, a value falls back to its default (*assumed*).
        let default = variable.text("defaultValue").unwrap_or_default().to_owned();
        variable
            .values
            .entry("value")
            .or_insert(Value::from(default));
    },
    check: |_, variable| {
        let value = variable.text("value").unwrap_or_default();
        if is_in(value, variable.text("valueRange").unwrap_or_default()) {
            Ok(())
        } else {
            Err(Failure::bad_value("value", &Value::from(value)))
        }
    },
    stored: |configuration, variable, _| mirror_ip_options(configuration, variable),
    exists: |version, variable| knowledge(version, &variable.name) == Knowledge::Simulated,
    // *Assumed*: some are carried, none of these is.
    is_synced: |_, _| false,
    ..Schema::PLAIN
};

/// What is known of a variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Knowledge {
    /// It is simulated.
    Simulated,
    /// Devices have it.
    NameOnly,
    /// No device of this version has it. Recorded on 14.1.2.1, *assumed* of others.
    None,
}

fn knowledge(version: TmosVersion, name: &str) -> Knowledge {
    let has = |since: Option<TmosVersion>| since.is_none_or(|since| since <= version);
    match variable(name).map(|variable| variable.simulated) {
        Some(Some(simulated)) if has(simulated.since) => Knowledge::Simulated,
        Some(None) => Knowledge::NameOnly,
        _ => Knowledge::None,
    }
}

/// One variable. One that devices have and that is not simulated is refused as such; any other is missing, in
/// the words of other objects.
pub(super) fn item(device: &mut Device, call: &Call<'_>, name: &str) -> Answer {
    match knowledge(device.links.version(), name) {
        Knowledge::Simulated => objects::item(
            device,
            call,
            &VARIABLES,
            &Address::parse(Naming::Alone, name),
        ),
        Knowledge::NameOnly => Err(Failure::not_simulated(&format!(
            "the database variable {name}"
        ))),
        Knowledge::None => Err(Failure::not_found(VARIABLES.label, name)),
    }
}

/// `tm.acceptipoptions` is the setting of traffic control of that name (*assumed*).
fn mirror_ip_options(configuration: &mut Configuration, variable: &Object) {
    if variable.name == "tm.acceptipoptions" {
        let is_on = variable.text("value") == Some("enable");
        let value = if is_on { "enabled" } else { "disabled" };
        configuration.set_single(TRAFFIC_CONTROL, "acceptIpOptions", value);
    }
}

/// Whether a value is in a range as devices write it: `integer min:0 max:100`, `unsigned integer`, `string`
/// (with lengths, which are not checked), or the words to choose from.
fn is_in(value: &str, range: &str) -> bool {
    if range == "string" || range.starts_with("string ") {
        return true;
    }
    let range = range.strip_prefix("unsigned ").unwrap_or(range);
    let Some(bounds) = range.strip_prefix("integer ") else {
        return range.split(' ').any(|word| word == value);
    };
    let bound = |name: &str| -> Option<u64> {
        let mut words = bounds.split(' ');
        words.find_map(|word| word.strip_prefix(name)?.parse().ok())
    };
    let number: Option<u64> = value.parse().ok();
    number.is_some_and(|number| {
        bound("min:").is_none_or(|min| number >= min)
            && bound("max:").is_none_or(|max| number <= max)
    })
}
