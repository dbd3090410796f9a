//! Objects in general: listed, shown, made, changed and deleted as their schema says.
//!
//! All or nothing: what is refused changes nothing. It must not know of any one kind of objects.

use hyper::Method;
use serde_json::{Map, Value};

use super::query::Query;
use super::{Answer, Call, Device, members, ok};
use crate::configuration::{Configuration, FOLDER, Object};
use crate::failure::Failure;
use crate::schema::{Naming, Property, Schema, Shape, Writes, Writing};
use crate::validate;
use crate::wire::{Fields, kind, segment};

/// An object as a URI names it.
#[derive(Debug, Clone)]
pub(super) struct Address {
    pub(super) path: String,
    /// Whether the partition was left out: it is `Common` then, and shown nowhere (recorded on 12.1.2).
    is_bare: bool,
}

impl Address {
    /// A full path.
    fn of(path: String) -> Self {
        let is_bare = false;
        Self { path, is_bare }
    }

    /// Reads a decoded segment of a URI.
    pub(super) fn parse(naming: Naming, segment: &str) -> Self {
        let is_bare = naming == Naming::InFolder && !segment.starts_with('~');
        let path = match naming {
            Naming::Alone => segment.to_owned(),
            Naming::Single => String::new(),
            _ if is_bare => format!("/Common/{segment}"),
            _ => segment.replace('~', "/"),
        };
        Self { path, is_bare }
    }
}

/// The list of a resource, and the way to make an object.
pub(super) fn collection(device: &mut Device, call: &Call<'_>, schema: &'static Schema) -> Answer {
    match *call.method {
        Method::GET => {
            let query = call.query()?;
            let version = device.links.version();
            let objects = device.running.all(schema.resource);
            let objects = objects.filter(|object| (schema.exists)(version, object));
            let items = objects.map(|object| {
                let head = head(device, schema, object, false, "");
                head.with_all(body(device, schema, object, &query))
            });
            let (kind, items) = (kind(schema.resource, "collectionstate"), items.collect());
            ok(&query.collection(device.links, kind, schema.resource, items)?)
        }
        Method::POST if schema.writes == Writes::All => {
            call.refuse_options()?;
            let properties = call.properties()?;
            let mut object = place(schema, &properties)?;
            refuse_known(&device.running, schema, &object)?;
            read_into(&device.running, schema, &mut object, &properties, true)?;
            let path = store(&mut device.running, schema, object, true)?;
            answer(device, call, schema, &Address::of(path))
        }
        _ => Err(call.not_simulated()),
    }
}

/// One object. PUT does not create (data groups, 17.1.2.1).
pub(super) fn item(
    device: &mut Device,
    call: &Call<'_>,
    schema: &'static Schema,
    address: &Address,
) -> Answer {
    let missing = || Failure::not_found(schema.label, &address.path);
    let object = device.running.get(schema.resource, &address.path);
    if *call.method == Method::GET {
        object.ok_or_else(missing)?;
        return answer(device, call, schema, address);
    }
    // Recorded of pools for DELETE and PATCH (EC), of data groups for PUT (17.1.2.1).
    if object.is_none() && [Method::PUT, Method::PATCH, Method::DELETE].contains(call.method) {
        return Err(missing());
    }
    let can_be = match *call.method {
        Method::PUT | Method::PATCH => schema.writes != Writes::None,
        Method::DELETE => schema.writes == Writes::All,
        _ => false,
    };
    if !can_be {
        return Err(call.not_simulated());
    }
    call.refuse_options()?;
    if *call.method == Method::DELETE {
        let object = object.ok_or_else(missing)?.clone();
        delete(&mut device.running, schema, &object)?;
        return Ok(None);
    }
    let properties = call.properties()?;
    let mut object = object.ok_or_else(missing)?.clone();
    if *call.method == Method::PUT {
        // *Assumed*: what a PUT does not name falls back to its default.
        let stays = |property: &&Property| property.writing != Writing::Free;
        let stays: Vec<_> = schema
            .properties
            .iter()
            .filter(stays)
            .map(|it| it.name)
            .collect();
        object.values.retain(|name, _| stays.contains(name));
    }
    let written = read_into(&device.running, schema, &mut object, &properties, false)?;
    if *call.method == Method::PATCH && !written {
        return Err(Failure::no_properties());
    }
    store(&mut device.running, schema, object, false)?;
    answer(device, call, schema, address)
}

/// Shows an object that is there, as the answer to a request for it.
fn answer(device: &Device, call: &Call<'_>, schema: &'static Schema, address: &Address) -> Answer {
    let query = call.query()?;
    let object = device.running.get(schema.resource, &address.path);
    let object = object.ok_or_else(|| Failure::not_found(schema.label, &address.path))?;
    let head = head(device, schema, object, address.is_bare, &query.options());
    ok(&query.object(head.with_all(body(device, schema, object, &query)))?)
}

/// What every object starts with.
fn head(
    device: &Device,
    schema: &'static Schema,
    object: &Object,
    is_bare: bool,
    options: &str,
) -> Fields {
    let path = object.path();
    let fields = Fields::default().with("kind", kind(schema.resource, "state"));
    if schema.naming == Naming::Single {
        return fields.with("selfLink", device.links.asked(schema.resource, options));
    }
    let (fields, shown) = match schema.naming {
        Naming::InFolder if !is_bare => {
            let fields = fields.with("name", object.name.as_str());
            (in_folder(fields, &object.folder), path)
        }
        Naming::Folder if path == "/" => (fields.with("name", "/"), path),
        Naming::Folder => {
            let (folder, name) = path.rsplit_once('/').unwrap_or(("", &path));
            let fields = fields.with("name", name);
            let fields = match folder {
                "" => fields.with("subPath", "/"),
                folder => in_folder(fields, folder),
            };
            (fields, path)
        }
        Naming::InFolder | Naming::Alone | Naming::Single => {
            let name = object.name.clone();
            (fields.with("name", name.as_str()), name)
        }
    };
    let link = format!("{}/{}", schema.resource, segment(&shown));
    fields
        .with("fullPath", shown)
        .with("generation", object.generation)
        .with("selfLink", device.links.asked(&link, options))
}

/// The partition and, below it, the rest of a folder.
fn in_folder(fields: Fields, folder: &str) -> Fields {
    let mut parts = folder.trim_start_matches('/').splitn(2, '/');
    let fields = fields.with("partition", parts.next().unwrap_or_default());
    match parts.next() {
        Some(rest) => fields.with("subPath", rest),
        None => fields,
    }
}

/// The properties of an object, and the list that belongs to it.
fn body(device: &Device, schema: &'static Schema, object: &Object, query: &Query) -> Fields {
    let version = device.links.version();
    let mut fields = Fields::default();
    for property in schema.properties {
        let value = value(&device.running, schema, object, property);
        let value = value.and_then(|value| (schema.shown)(version, property, value));
        if let Some(value) = value {
            fields = show_property(device, fields, property, value);
        }
    }
    let Some(name) = schema.subcollection else {
        return fields;
    };
    // The link has the partition even where it was left out (dump of a VLAN, 11.5).
    let path = object.path();
    let link = match schema.naming {
        Naming::Single => format!("{}/{name}", schema.resource),
        _ => format!("{}/{}/{name}", schema.resource, segment(&path)),
    };
    let mut reference = device.links.subcollection(&link);
    if query.expands {
        // The shape of pools on 11.6 and virtual servers on 12.1.2 (FCP and ANS): items beside the link.
        reference = device
            .links
            .items(reference, members(device, schema, &path));
    }
    fields.with_object(format!("{name}Reference"), reference)
}

fn show_property(device: &Device, fields: Fields, property: &Property, value: Value) -> Fields {
    let link = |path: &str, resources: &[&'static str]| {
        let holder = device.running.holder(resources, path);
        let resource = holder
            .or_else(|| resources.first().copied())
            .unwrap_or_default();
        device
            .links
            .reference(&format!("{resource}/{}", segment(path)))
    };
    let reference = format!("{}Reference", property.name);
    match (&property.shape, &value) {
        (Shape::Reference(to), Value::String(path)) => {
            let link = link(path, to.resources);
            fields
                .with(property.name, value)
                .with_object(reference, link)
        }
        (Shape::References(to), Value::Array(list)) => {
            // *Assumed*: an empty list is not shown.
            if list.is_empty() {
                return fields;
            }
            let paths = list.iter().filter_map(Value::as_str);
            let links = paths.map(|path| link(path, to.resources)).collect();
            fields
                .with(property.name, value)
                .with_list(reference, links)
        }
        (Shape::Services, Value::String(word)) if word == "none" => fields,
        (Shape::Texts, Value::Array(list)) if list.is_empty() => fields,
        (Shape::Interfaces, _) => fields,
        _ => fields.with(property.name, value),
    }
}

/// What a property is: set, taken from elsewhere, or the default.
fn value(
    configuration: &Configuration,
    schema: &Schema,
    object: &Object,
    property: &Property,
) -> Option<Value> {
    let own = configuration.value(schema.resource, object, property.name);
    own.cloned().or_else(|| property.unset.value())
}

/// Where a new object goes. *Assumed*: a name may be a full path, and without `partition` it is `Common`
/// (the latter recorded on 12.1.2).
fn place(schema: &Schema, properties: &Map<String, Value>) -> Result<Object, Failure> {
    let text = |key| validate::text(properties, key);
    let name = text("name")?.unwrap_or_default();
    let bad = || Failure::bad_value("name", &Value::from(name.as_str()));
    // A tilde would be read as a slash in every URI.
    if name.is_empty() || name.contains('~') || name.contains("//") || name.ends_with('/') {
        return Err(bad());
    }
    if schema.naming == Naming::Alone {
        return if name.contains('/') {
            Err(bad())
        } else {
            Ok(Object::named("", &name))
        };
    }
    let (folder, name) = match name.rsplit_once('/') {
        Some((folder, name)) if folder.starts_with('/') => (folder.to_owned(), name.to_owned()),
        _ if name.starts_with('/') && schema.naming == Naming::InFolder => return Err(bad()),
        _ => (parent_folder(text("partition")?, text("subPath")?), name),
    };
    let name = name.trim_start_matches('/');
    Ok(match schema.naming {
        Naming::Folder => Object::named("", &format!("{folder}/{name}")),
        _ => Object::named(&folder, name),
    })
}

/// The folder that `partition` and `subPath` name; `/` for either is the top.
fn parent_folder(partition: Option<String>, sub_path: Option<String>) -> String {
    let sub_path = sub_path.unwrap_or_default();
    let partition = match partition {
        Some(partition) => partition,
        None if sub_path == "/" => String::new(),
        None => "Common".to_owned(),
    };
    let mut folder = String::new();
    for part in [partition, sub_path] {
        let part = part.trim_matches('/');
        if !part.is_empty() {
            folder.push('/');
            folder.push_str(part);
        }
    }
    folder
}

/// Refuses an object that is there already, or whose folder is not.
fn refuse_known(
    configuration: &Configuration,
    schema: &Schema,
    object: &Object,
) -> Result<(), Failure> {
    let path = object.path();
    let folder = match schema.naming {
        Naming::InFolder => object.folder.as_str(),
        Naming::Alone | Naming::Single => "/",
        Naming::Folder => match path.rsplit_once('/') {
            Some((folder, _)) if !folder.is_empty() => folder,
            _ => "/",
        },
    };
    if !configuration.has(FOLDER, folder) {
        return Err(Failure::no_folder(folder));
    }
    if configuration.has(schema.resource, &path) {
        let partition = match object.partition() {
            "" => "Common",
            partition => partition,
        };
        return Err(Failure::already_exists(schema.label, &path, partition));
    }
    Ok(())
}

/// Takes over the properties of a body; whether it had any. `null` takes a property away (OSA).
fn read_into(
    configuration: &Configuration,
    schema: &Schema,
    object: &mut Object,
    properties: &Map<String, Value>,
    is_new: bool,
) -> Result<bool, Failure> {
    let mut has_any = false;
    for (written, given) in properties {
        if is_common(written) {
            continue;
        }
        let Some(property) = schema.property(written) else {
            if given.is_null() {
                continue;
            }
            let what = format!("the property {written} of {}", schema.resource);
            return Err(Failure::not_simulated(&what));
        };
        has_any = true;
        let is_settled = !is_new && matches!(property.writing, Writing::Kept | Writing::Once);
        match property.writing {
            Writing::Device => continue,
            writing if given.is_null() => {
                if writing == Writing::Free {
                    object.values.remove(property.name);
                }
                continue;
            }
            _ => {}
        }
        let read = property.read(configuration, &object.folder, given)?;
        if is_settled || property.writing == Writing::Fixed {
            if value(configuration, schema, object, property).as_ref() != Some(&read) {
                if property.writing == Writing::Once {
                    return Err(Failure::create_only(property.name));
                }
                let what = format!("another {} of {}", property.name, schema.resource);
                return Err(Failure::not_simulated(&what));
            }
            continue;
        }
        object.values.insert(property.name, read);
    }
    Ok(has_any)
}

/// Whether it is one of the properties that every object has. They pass (a PUT with all of them was
/// recorded on 14.1.3.1, CIS#1730).
fn is_common(property: &str) -> bool {
    let common = [
        "kind",
        "name",
        "partition",
        "subPath",
        "fullPath",
        "generation",
        "selfLink",
    ];
    common.contains(&property) || property.ends_with("Reference")
}

/// Checks and stores an object, and gives back its path.
fn store(
    configuration: &mut Configuration,
    schema: &Schema,
    mut object: Object,
    is_new: bool,
) -> Result<String, Failure> {
    (schema.derive)(configuration, &mut object);
    let path = object.path();
    let required = schema
        .properties
        .iter()
        .filter(|property| property.is_required);
    for property in required {
        if value(configuration, schema, &object, property).is_none() {
            return Err(Failure::missing(schema.label, &path, property.name));
        }
    }
    (schema.check)(configuration, &object)?;
    let former = configuration.get(schema.resource, &path);
    let is_synced = |object: &Object| (schema.is_synced)(configuration, object);
    let is_synced = former.is_some_and(is_synced) || is_synced(&object);
    configuration.changes_pending |= is_synced;
    configuration.put(schema.resource, object.clone());
    (schema.stored)(configuration, &object, is_new);
    Ok(path)
}

fn delete(
    configuration: &mut Configuration,
    schema: &Schema,
    object: &Object,
) -> Result<(), Failure> {
    let path = object.path();
    if Configuration::is_built_in(schema.resource, &path) {
        let what = format!("deleting {path}, which every device has,");
        return Err(Failure::not_simulated(&what));
    }
    (schema.check_delete)(configuration, object)?;
    configuration.changes_pending |= (schema.is_synced)(configuration, object);
    configuration.remove(schema.resource, &path);
    (schema.deleted)(configuration, object);
    Ok(())
}
