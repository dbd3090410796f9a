//! The paths that a device has below `/mgmt/tm`, simulated or not.
//!
//! What is in `tree.txt` and has no part of the simulator of its own is answered from here, or refused as not
//! simulated; any other path is one that no device has. Recorded on 14.1.2.1. Of 12.1 the schema of 12.0 is known:
//! what it lacks is not simulated there. That the other versions have what 14.1.2.1 has is *assumed*.

use std::sync::LazyLock;

use hyper::Method;

use super::{Answer, Call, Device, ok, read_only};
use crate::failure::Failure;
use crate::tmos::TmosVersion;
use crate::wire::{Fields, kind};

const TREE: &str = include_str!("tree.txt");

/// A path of a device.
struct Node {
    path: &'static str,
    role: Role,
    /// Whether the path above lists it.
    is_listed: bool,
    /// Whether the schema of 12.0 lacks it.
    is_late: bool,
}

/// What is at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    /// A list of the paths below it.
    Organizing,
    /// A list of objects, empty on a device that was not configured.
    EmptyList,
    /// Anything else.
    Other,
}

static NODES: LazyLock<Vec<Node>> = LazyLock::new(|| {
    let lines = TREE.lines();
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(node).collect()
});

fn node(line: &'static str) -> Node {
    let without = |line: &'static str, mark| match line.strip_suffix(mark) {
        Some(rest) => (rest, true),
        None => (line, false),
    };
    let (line, is_late) = without(line, " ?");
    let (line, is_unlisted) = without(line, " -");
    let (line, is_empty) = without(line, " []");
    let (path, is_organizing) = without(line, "/");
    let role = match (is_organizing, is_empty) {
        (true, _) => Role::Organizing,
        (false, true) => Role::EmptyList,
        (false, false) => Role::Other,
    };
    Node {
        path,
        role,
        is_listed: !is_unlisted,
        is_late,
    }
}

impl Node {
    fn is_known(&self, version: TmosVersion) -> bool {
        !self.is_late || version.knows_late_paths()
    }
}

/// What follows `outer/` in `inner`.
fn below<'a>(inner: &'a str, outer: &str) -> Option<&'a str> {
    inner.strip_prefix(outer)?.strip_prefix('/')
}

/// Whether nothing is known of a path on this version, or of what it is a part of.
pub(super) fn is_unknown(version: TmosVersion, path: &str) -> bool {
    let is_part = |node: &Node| node.path == path || below(path, node.path).is_some();
    NODES
        .iter()
        .any(|node| !node.is_known(version) && is_part(node))
}

/// Answers for a path that no other part of the simulator plays.
pub(super) fn answer(device: &Device, call: &Call<'_>) -> Answer {
    let path = call.segments.join("/");
    let role = NODES
        .iter()
        .find(|node| node.path == path)
        .map(|node| node.role);
    match role {
        Some(Role::Organizing) if *call.method == Method::GET => organizing(device, call, &path),
        Some(Role::EmptyList) if *call.method == Method::GET => {
            let kind = kind(&path, "collectionstate");
            ok(&call
                .query()?
                .collection(device.links, kind, &path, Vec::new())?)
        }
        Some(_) => Err(call.not_simulated()),
        None => Err(absent(call, &path)),
    }
}

/// The refusal of a path that is not in the tree. An object of a list that has none is missing, in the words of
/// other objects (the label is *assumed*); what a device may have below other paths is not simulated.
fn absent(call: &Call<'_>, path: &str) -> Failure {
    let mut lists = NODES.iter().filter(|node| node.role == Role::EmptyList);
    let name = lists.find_map(|list| Some((list.path, below(path, list.path)?)));
    if let Some((list, name)) = name {
        let (name, is_below) = match name.split_once('/') {
            Some((name, _)) => (name, true),
            None => (name, false),
        };
        let is_special = ["example", "stats"].contains(&name);
        let is_read = *call.method == Method::GET;
        if is_special || is_below && !is_read || *call.method == Method::POST {
            return call.not_simulated();
        }
        let label = list.rsplit('/').next().unwrap_or_default();
        return Failure::not_found(&label.replace('-', " "), &name.replace('~', "/"));
    }
    if is_part_of_one(path) {
        call.not_simulated()
    } else {
        Failure::unexpected_uri(path)
    }
}

/// Whether a device has something above the path that is more than a list of paths, or something below it.
fn is_part_of_one(path: &str) -> bool {
    NODES.iter().any(|node| {
        below(node.path, path).is_some()
            || node.role != Role::Organizing && below(path, node.path).is_some()
    })
}

/// A collection that only lists others (genieparser `net_fdb` and `net_tunnels`, 14.1.2.1; FCP `sys_GET.json`,
/// 11.6.0).
fn organizing(device: &Device, call: &Call<'_>, path: &str) -> Answer {
    read_only(call, || {
        let version = device.links.version();
        let is_listed = |node: &&Node| {
            let parent = node.path.rsplit_once('/').map(|(parent, _)| parent);
            node.is_listed && node.is_known(version) && parent == Some(path)
        };
        let items = NODES.iter().filter(is_listed).map(|node| {
            let link = device.links.reference(node.path);
            Fields::default().with_object("reference", link)
        });
        let collection = Fields::default()
            .with("kind", kind(path, "collectionstate"))
            .with("selfLink", device.links.to(path));
        ok(&collection.with_list("items", items.collect()))
    })
}
