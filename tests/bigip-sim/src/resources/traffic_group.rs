//! `cm/traffic-group`: what fails over together.

use serde_json::json;

use super::checks::refuse_users;
use crate::configuration::{Configuration, Object, SELF_IP, TRAFFIC_GROUP, TUNNEL};
use crate::failure::Failure;
use crate::schema::{Property, Schema, Shape, Writing};

/// A traffic group (genieparser `cm_traffic_group`, 14.1.2.1; ANS fixtures, 13.0.0). *Assumed*: a new one gets
/// the next unit.
pub(super) static TRAFFIC_GROUPS: Schema = Schema {
    resource: TRAFFIC_GROUP,
    label: "traffic group",
    properties: &[
        Property::new("autoFailbackEnabled", Shape::Word(&["false", "true"])).or("false"),
        Property::new("autoFailbackTime", Shape::Count(65535)).or_number(60),
        Property::new("description", Shape::Text),
        Property::new("failoverMethod", Shape::Word(&["ha-order", "ha-score"])).or("ha-order"),
        Property::new("haLoadFactor", Shape::Count(1000)).or_number(1),
        Property::new("isFloating", Shape::Text)
            .or("true")
            .written(Writing::Device),
        Property::new("mac", Shape::Text).or("none"),
        Property::new("monitor", Shape::Told)
            .given(|| json!({}))
            .written(Writing::Device),
        Property::new("unitId", Shape::Count(15)).written(Writing::Device),
    ],
    derive: |configuration, group| {
        if group.number("unitId").is_none() {
            let others = configuration.all(TRAFFIC_GROUP);
            let taken = others.filter_map(|other| other.number("unitId")).max();
            group
                .values
                .insert("unitId", json!(taken.unwrap_or_default() + 1));
        }
    },
    check_delete: check_unused,
    ..Schema::PLAIN
};

/// In the words of VLANs (`01070265`), *assumed* here.
fn check_unused(configuration: &Configuration, group: &Object) -> Result<(), Failure> {
    let users = [
        (SELF_IP, "trafficGroup", "self IP"),
        (TUNNEL, "trafficGroup", "Tunnel"),
    ];
    refuse_users(configuration, ("traffic group", &group.path()), &users)
}
