//! `net/interface`: the interfaces of the device; for reading.

use serde_json::{Value, json};

use crate::configuration::INTERFACE;
use crate::schema::{Naming, Property, Schema, Shape, Writes};

/// An interface (genieparser `net_interface`, 14.1.2.1). The one for management shows no `mediaMax`.
pub(super) static INTERFACES: Schema = Schema {
    resource: INTERFACE,
    label: "interface",
    naming: Naming::Alone,
    writes: Writes::None,
    properties: &[
        Property::new("bundle", Shape::Text).or("not-supported"),
        Property::new("bundleSpeed", Shape::Text).or("not-supported"),
        Property::new("enabled", Shape::Told).given(|| Value::from(true)),
        Property::new("flowControl", Shape::Text).or("tx-rx"),
        Property::new("forceGigabitFiber", Shape::Text).or("disabled"),
        Property::new("forwardErrorCorrection", Shape::Text).or("not-supported"),
        Property::new("ifIndex", Shape::Count(u32::MAX)),
        Property::new("lldpAdmin", Shape::Text).or("txonly"),
        Property::new("lldpTlvmap", Shape::Count(u32::MAX)).or_number(130_943),
        Property::new("macAddress", Shape::Mac),
        Property::new("mediaActive", Shape::Text),
        Property::new("mediaFixed", Shape::Text),
        Property::new("mediaMax", Shape::Text),
        Property::new("mediaSfp", Shape::Text).or("auto"),
        Property::new("mtu", Shape::Count(65535)).or_number(1500),
        Property::new("portFwdMode", Shape::Text).or("l3"),
        Property::new("preferPort", Shape::Text).or("sfp"),
        Property::new("qinqEthertype", Shape::Text).or("0x8100"),
        Property::new("sflow", Shape::Told)
            .given(|| json!({ "pollInterval": 0, "pollIntervalGlobal": "yes" })),
        Property::new("stp", Shape::Text).or("enabled"),
        Property::new("stpAutoEdgePort", Shape::Text).or("enabled"),
        Property::new("stpEdgePort", Shape::Text).or("true"),
        Property::new("stpLinkType", Shape::Text).or("auto"),
    ],
    ..Schema::PLAIN
};
