//! What kinds of objects there are, each described by a [`Schema`]: its properties with their defaults
//! and rules, and what else holds of it.
//!
//! It must not know of requests: what a schema says is carried out by `resources::objects`.

use serde_json::Value;

use crate::configuration::{Configuration, Object};
use crate::failure::Failure;
use crate::resources::read_interfaces;
use crate::tmos::TmosVersion;
use crate::validate;

/// A kind of objects.
pub(crate) struct Schema {
    /// Path of the collection, after `/mgmt/tm/`.
    pub(crate) resource: &'static str,
    /// What mcpd calls such an object when it is missing or there already.
    pub(crate) label: &'static str,
    pub(crate) naming: Naming,
    pub(crate) writes: Writes,
    /// In the order in which they are shown.
    pub(crate) properties: &'static [Property],
    /// Name of the list that belongs to every such object, such as `records`.
    pub(crate) subcollection: Option<&'static str>,
    /// Sets what the device itself finds out about an object before it is stored.
    pub(crate) derive: fn(&Configuration, &mut Object),
    /// Refuses an object that goes against more than one property, or against other objects.
    pub(crate) check: fn(&Configuration, &Object) -> Result<(), Failure>,
    /// Refuses to delete an object that others need.
    pub(crate) check_delete: fn(&Configuration, &Object) -> Result<(), Failure>,
    /// Does what storing an object brings about; `true` if the object is new.
    pub(crate) stored: fn(&mut Configuration, &Object, bool),
    /// Does what deleting an object brings about.
    pub(crate) deleted: fn(&mut Configuration, &Object),
    /// Whether config-sync carries such an object.
    pub(crate) is_synced: fn(&Configuration, &Object) -> bool,
    /// Whether this version has an object that others have.
    pub(crate) exists: fn(TmosVersion, &Object) -> bool,
    /// A value as this version shows it; `None` if it does not.
    pub(crate) shown: fn(TmosVersion, &Property, Value) -> Option<Value>,
}

/// How objects are called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Naming {
    /// By a folder and a name: `/Common/app/t`.
    InFolder,
    /// By a name alone, without slash or partition.
    Alone,
    /// They are the folders.
    Folder,
    /// There is one of the kind, without a name.
    Single,
}

/// How far objects can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Writes {
    /// Made, changed and deleted.
    All,
    /// Changed only.
    Changes,
    /// Not at all, or not in the common way.
    None,
}

impl Schema {
    /// A kind without properties that nothing special is known of.
    pub(crate) const PLAIN: Self = Self {
        resource: "",
        label: "",
        naming: Naming::InFolder,
        writes: Writes::All,
        properties: &[],
        subcollection: None,
        derive: |_, _| {},
        check: |_, _| Ok(()),
        check_delete: |_, _| Ok(()),
        stored: |_, _, _| {},
        deleted: |_, _| {},
        is_synced: |_, _| true,
        exists: |_, _| true,
        shown: |_, _, value| Some(value),
    };

    /// The property of this name. It may be written as in tmsh, with dashes (recorded on 12.1.2:
    /// `ike-phase2-encrypt-algorithm`).
    pub(crate) fn property(&self, written: &str) -> Option<&'static Property> {
        let name = camel_case(written);
        self.properties
            .iter()
            .find(|property| property.name == name)
    }
}

fn camel_case(written: &str) -> String {
    let mut words = written.split('-');
    let mut name = words.next().unwrap_or_default().to_owned();
    for word in words {
        let mut letters = word.chars();
        name.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        name.push_str(letters.as_str());
    }
    name
}

/// A property of a kind of objects.
pub(crate) struct Property {
    pub(crate) name: &'static str,
    pub(crate) shape: Shape,
    pub(crate) unset: Unset,
    /// Whether an object cannot be without it. How a device says so is *assumed* where no device was heard.
    pub(crate) is_required: bool,
    pub(crate) writing: Writing,
}

/// What a property may hold.
pub(crate) enum Shape {
    /// Any text.
    Text,
    /// A number from 0 to this. A number as text is *assumed* to be refused.
    Count(u32),
    /// One of these words.
    Word(&'static [&'static str]),
    /// An address, network or the like, brought into the form in which it is shown.
    Address(fn(&str) -> Option<String>),
    /// A MAC address.
    Mac,
    /// An object of one of these resources, or a list of them.
    Reference(Reference),
    References(Reference),
    /// `default`, `all`, `none` or a list of services.
    Services,
    /// A list of texts; an empty one is not shown.
    Texts,
    /// The interfaces of a VLAN, which are shown as a list of their own.
    Interfaces,
    /// Something that only the device was told and shows as it is.
    Told,
}

/// What a reference points at.
#[derive(Clone, Copy)]
pub(crate) struct Reference {
    pub(crate) resources: &'static [&'static str],
    /// What mcpd calls it when it is missing.
    pub(crate) label: &'static str,
    /// Objects of other resources that a device has, too; to point at them is not simulated.
    pub(crate) others: &'static [&'static str],
    /// Whether a bare name is looked for in the folder alone, and in which words it is missed there.
    pub(crate) in_folder: Option<fn(&str) -> Failure>,
}

/// What a property is until it is set.
pub(crate) enum Unset {
    /// Not shown.
    None,
    Text(&'static str),
    Number(u32),
    Value(&'static Value),
    /// What this gives.
    Given(fn() -> Value),
}

impl Unset {
    pub(crate) fn value(&self) -> Option<Value> {
        match self {
            Self::None => None,
            Self::Text(text) => Some(Value::from(*text)),
            Self::Number(number) => Some(Value::from(*number)),
            Self::Value(value) => Some((*value).clone()),
            Self::Given(value) => Some(value()),
        }
    }
}

/// Whether and when a property may be set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Writing {
    /// Anybody at any time.
    Free,
    /// Only when the object is made; later another value than it has is refused (threads on routes). Its own
    /// value passes: clients write back a whole route that they read (BIGREST `save`, Terraform's acceptance
    /// test of routes).
    Once,
    /// When the object is made; to change it later is not simulated.
    Kept,
    /// To give it another value than it has is not simulated.
    Fixed,
    /// The device alone; what a client writes is passed over.
    Device,
}

impl Property {
    /// A property that may be set at any time.
    pub(crate) const fn new(name: &'static str, shape: Shape) -> Self {
        Self {
            name,
            shape,
            unset: Unset::None,
            is_required: false,
            writing: Writing::Free,
        }
    }

    pub(crate) const fn or(mut self, text: &'static str) -> Self {
        self.unset = Unset::Text(text);
        self
    }

    pub(crate) const fn or_number(mut self, number: u32) -> Self {
        self.unset = Unset::Number(number);
        self
    }

    pub(crate) const fn given(mut self, value: fn() -> Value) -> Self {
        self.unset = Unset::Given(value);
        self
    }

    pub(crate) const fn required(mut self) -> Self {
        self.is_required = true;
        self
    }

    pub(crate) const fn written(mut self, writing: Writing) -> Self {
        self.writing = writing;
        self
    }

    /// Takes a value as a client writes it for an object in this folder, and gives it back as it is stored.
    pub(crate) fn read(
        &self,
        configuration: &Configuration,
        folder: &str,
        value: &Value,
    ) -> Result<Value, Failure> {
        let bad = || Failure::bad_value(self.name, value);
        let text = value.as_str().ok_or_else(bad);
        match &self.shape {
            Shape::Text => text.map(Value::from),
            Shape::Count(max) => {
                let number = value.as_u64().filter(|number| *number <= u64::from(*max));
                number.map(Value::from).ok_or_else(bad)
            }
            Shape::Word(words) => {
                let text = text?;
                let word = words.iter().find(|word| **word == text);
                word.map(|word| Value::from(*word)).ok_or_else(bad)
            }
            Shape::Address(form) => {
                let text = text?;
                let shown = form(text).ok_or_else(|| Failure::bad_address(text))?;
                Ok(Value::from(shown))
            }
            Shape::Mac => text
                .ok()
                .filter(|text| validate::is_mac(text))
                .map(Value::from)
                .ok_or_else(bad),
            Shape::Reference(reference) => reference.find(configuration, folder, text?),
            Shape::References(reference) => {
                let list = value.as_array().ok_or_else(bad)?;
                let paths = list.iter().map(|item| {
                    let text = item.as_str().ok_or_else(bad)?;
                    reference.find(configuration, folder, text)
                });
                paths.collect()
            }
            Shape::Services => services(value).ok_or_else(bad),
            Shape::Texts => match value.as_array() {
                Some(list) if list.iter().all(Value::is_string) => Ok(value.clone()),
                _ => Err(bad()),
            },
            Shape::Interfaces => read_interfaces(value).ok_or_else(bad),
            Shape::Told => Err(bad()),
        }
    }
}

impl Reference {
    /// The full path of what a client names. A bare name is looked for in the folder of the object that
    /// names it (OSA names a tunnel so) and in `Common` (recorded on 12.1.2).
    fn find(
        self,
        configuration: &Configuration,
        folder: &str,
        written: &str,
    ) -> Result<Value, Failure> {
        let has = |path: &str| configuration.holder(self.resources, path).is_some();
        let full = |folder: &str| format!("{folder}/{written}");
        let candidates = if written.starts_with('/') {
            vec![written.to_owned()]
        } else if self.in_folder.is_some() {
            vec![full(folder)]
        } else {
            vec![full(folder), full("/Common")]
        };
        let found = candidates.iter().find(|path| has(path));
        let named = candidates.last().map_or(written, String::as_str);
        match found {
            Some(path) => Ok(Value::from(path.as_str())),
            None if self.others.contains(&named) => Err(Failure::not_simulated(named)),
            None => Err(match self.in_folder {
                Some(missed) => missed(named),
                None => Failure::not_found(self.label, named),
            }),
        }
    }
}

/// `all` stays a word, `default` becomes a list (both recorded), `none` is *assumed* to be shown as nothing.
fn services(value: &Value) -> Option<Value> {
    match value {
        Value::String(word) if word == "all" || word == "none" => Some(value.clone()),
        Value::String(word) if word == "default" => Some(Value::from(vec!["default"])),
        Value::Array(list) if list.iter().all(Value::is_string) => Some(value.clone()),
        _ => None,
    }
}
