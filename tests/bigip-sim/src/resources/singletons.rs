//! Resources that are one object: settings of the device.
//!
//! None does anything beyond being kept (*assumed*), `acceptIpOptions` apart. What is known of each is in
//! `configuration/settings.txt`.

use std::sync::LazyLock;

use crate::configuration::{
    Configuration, Object, SETTINGS, Setting, SettingKind, Settings, TRAFFIC_CONTROL,
};
use crate::schema::{Naming, Property, Schema, Shape, Unset, Writes, Writing};

/// All of them.
pub(super) static ALL: LazyLock<Vec<Schema>> =
    LazyLock::new(|| SETTINGS.iter().map(single).collect());

/// The schema of one; made once, so that what it leaks is as good as static.
fn single(settings: &'static Settings) -> Schema {
    let properties: Vec<Property> = settings.properties.iter().map(property).collect();
    Schema {
        resource: settings.resource,
        label: settings.resource,
        naming: Naming::Single,
        writes: Writes::Changes,
        properties: properties.leak(),
        subcollection: (settings.resource == "sys/ntp").then_some("restrict"),
        stored: match settings.resource {
            TRAFFIC_CONTROL => |configuration, settings, _| {
                mirror_ip_options(configuration, settings);
            },
            _ => Schema::PLAIN.stored,
        },
        is_synced: |_, _| false,
        ..Schema::PLAIN
    }
}

fn property(setting: &'static Setting) -> Property {
    let shape = match &setting.kind {
        SettingKind::Count => Shape::Count(u32::MAX),
        SettingKind::Text | SettingKind::Fixed => Shape::Text,
        SettingKind::Texts => Shape::Texts,
        SettingKind::OneOf(words) => Shape::Word(words),
        SettingKind::Told => Shape::Told,
    };
    let property = Property::new(setting.name, shape).written(match setting.kind {
        SettingKind::Fixed => Writing::Fixed,
        SettingKind::Told => Writing::Device,
        _ => Writing::Free,
    });
    Property {
        unset: match &setting.default {
            // An empty list is not shown (recorded on 14.1.2.1, genieparser `sys_dns`).
            Some(default) if default.as_array().is_some_and(Vec::is_empty) => Unset::None,
            Some(default) => Unset::Value(default),
            None => Unset::None,
        },
        ..property
    }
}

/// The setting has a database variable of its own, `tm.acceptipoptions` (both recorded on 14.1.2.1; that they
/// are one is *assumed* from the name).
fn mirror_ip_options(configuration: &mut Configuration, settings: &Object) {
    let is_on = settings.text("acceptIpOptions") == Some("enabled");
    configuration.set_variable(
        "tm.acceptipoptions",
        if is_on { "enable" } else { "disable" },
    );
}
