//! `sys/provision`: how much of the device each module gets.
//!
//! *Assumed*: a change of level is there at once; a device restarts daemons for it, for minutes.

use crate::configuration::PROVISION;
use crate::schema::{Naming, Property, Schema, Shape, Writes};

/// A module (genieparser `sys_provision`, 14.1.2.1). The levels are those of ANS `bigip_provision`.
pub(super) static MODULES: Schema = Schema {
    resource: PROVISION,
    label: "module",
    naming: Naming::Alone,
    writes: Writes::Changes,
    properties: &[
        Property::new("cpuRatio", Shape::Count(255)).or_number(0),
        Property::new("diskRatio", Shape::Count(255)).or_number(0),
        Property::new(
            "level",
            Shape::Word(&["none", "nominal", "minimum", "dedicated", "custom"]),
        )
        .or("none"),
        Property::new("memoryRatio", Shape::Count(255)).or_number(0),
    ],
    is_synced: |_, _| false,
    ..Schema::PLAIN
};
