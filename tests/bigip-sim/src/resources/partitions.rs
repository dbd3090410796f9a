//! `auth/partition` and `sys/folder`: a partition is a folder at the top, and the other way round.

use super::checks::known_domain_id;
use super::label;
use super::tunnels::TRAFFIC_GROUPS;
use crate::configuration::{Configuration, FDB_TUNNEL, FOLDER, Object, PARTITION};
use crate::failure::Failure;
use crate::schema::{Naming, Property, Schema, Shape, Writing};

/// A partition (genieparser `auth_partition`, 14.1.2.1).
pub(super) static PARTITIONS: Schema = Schema {
    resource: PARTITION,
    label: "partition",
    naming: Naming::Alone,
    properties: &[
        Property::new("defaultRouteDomain", Shape::Count(65534)).or_number(0),
        Property::new("description", Shape::Text),
    ],
    check: |configuration, partition| {
        let domain = partition.number("defaultRouteDomain").unwrap_or_default();
        known_domain_id(configuration, domain.try_into().unwrap_or(u16::MAX))
    },
    check_delete: |configuration, partition| {
        let name = partition.path();
        match held_by(configuration, &format!("/{name}")) {
            None => Ok(()),
            Some(_) => Err(Failure::partition_not_empty(&name)),
        }
    },
    stored: |configuration, partition, is_new| {
        if is_new {
            let folder = Object::named("", &format!("/{}", partition.path()));
            configuration.put(FOLDER, folder);
        }
    },
    deleted: |configuration, partition| {
        configuration.remove(FOLDER, &format!("/{}", partition.path()));
    },
    ..Schema::PLAIN
};

/// A folder (genieparser `sys_folder`, 14.1.2.1).
pub(super) static FOLDERS: Schema = Schema {
    resource: FOLDER,
    label: "folder",
    naming: Naming::Folder,
    properties: &[
        Property::new("description", Shape::Text),
        Property::new("deviceGroup", Shape::Text)
            .or("none")
            .written(Writing::Fixed),
        Property::new("hidden", Shape::Text)
            .or("false")
            .written(Writing::Fixed),
        inherited("inheritedDevicegroup"),
        inherited("inheritedTrafficGroup"),
        Property::new("noRefCheck", Shape::Text)
            .or("false")
            .written(Writing::Fixed),
        Property::new("trafficGroup", Shape::Reference(TRAFFIC_GROUPS))
            .or("/Common/traffic-group-1")
            .written(Writing::Fixed),
    ],
    check_delete: |configuration, folder| {
        let path = folder.path();
        match held_by(configuration, &path) {
            None => Ok(()),
            Some((label, name)) => Err(Failure::folder_not_empty(&path, label, &name)),
        }
    },
    stored: |configuration, folder, _| configuration.folder_added(&folder.path()),
    deleted: |configuration, folder| {
        configuration.remove(PARTITION, folder.path().trim_start_matches('/'));
    },
    ..Schema::PLAIN
};

/// The root inherits nothing, every other folder does.
const fn inherited(name: &'static str) -> Property {
    Property::new(name, Shape::Text)
        .or("true")
        .written(Writing::Fixed)
}

/// Something that is in this folder or below it.
fn held_by(configuration: &Configuration, folder: &str) -> Option<(&'static str, String)> {
    let below = format!("{folder}/");
    // Tunnels are in it already, as tunnels.
    let mut everything = configuration
        .everything()
        .filter(|(resource, _)| *resource != FDB_TUNNEL);
    everything.find_map(|(resource, object)| {
        let path = object.path();
        path.starts_with(&below).then(|| (label(resource), path))
    })
}
