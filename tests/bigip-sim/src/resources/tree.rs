//! Which paths a device has below `/mgmt/tm`, simulated or not.
//!
//! What is in `tree.txt` and has no part of the simulator of its own is answered from here, or refused as not
//! simulated; any other path is one that no device has. Recorded on 14.1.2.1, *assumed* of other versions.

use hyper::Method;

use super::{Answer, Call, Device, ok, read_only};
use crate::failure::Failure;
use crate::wire::{Fields, kind};

const TREE: &str = include_str!("tree.txt");

/// A path of a device.
struct Node {
    path: &'static str,
    role: Role,
    /// Whether the path above lists it.
    is_listed: bool,
}

/// What is at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    /// A list of the paths below it.
    Organizing,
    /// A list of objects, empty on a device that nobody has configured.
    EmptyList,
    /// Anything else.
    Other,
}

fn nodes() -> impl Iterator<Item = Node> {
    let lines = TREE.lines();
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| {
        let (line, is_listed) = match line.strip_suffix(" -") {
            Some(line) => (line, false),
            None => (line, true),
        };
        let (path, role) = if let Some(path) = line.strip_suffix(" []") {
            (path, Role::EmptyList)
        } else if let Some(path) = line.strip_suffix('/') {
            (path, Role::Organizing)
        } else {
            (line, Role::Other)
        };
        Node {
            path,
            role,
            is_listed,
        }
    })
}

/// Answers for a path that no other part of the simulator plays.
pub(super) fn answer(device: &Device, call: &Call<'_>) -> Answer {
    let path = call.segments.join("/");
    let role = nodes().find(|node| node.path == path).map(|node| node.role);
    match role {
        Some(Role::Organizing) if *call.method == Method::GET => organizing(device, call, &path),
        Some(Role::EmptyList) if *call.method == Method::GET => {
            let kind = kind(&path, "collectionstate");
            ok(&call
                .query()?
                .collection(device.links, kind, &path, Vec::new())?)
        }
        Some(_) => Err(call.not_simulated()),
        None if is_part_of_one(&path) => Err(call.not_simulated()),
        None => Err(Failure::unexpected_uri(&path)),
    }
}

/// Whether a device has something above the path that is more than a list of paths, or something below it.
fn is_part_of_one(path: &str) -> bool {
    let is_below = |inner: &str, outer: &str| {
        inner
            .strip_prefix(outer)
            .is_some_and(|rest| rest.starts_with('/'))
    };
    nodes().any(|node| {
        is_below(node.path, path) || node.role != Role::Organizing && is_below(path, node.path)
    })
}

/// A collection that only lists others (genieparser `net_fdb` and `net_tunnels`, 14.1.2.1; FCP `sys_GET.json`,
/// 11.6.0).
fn organizing(device: &Device, call: &Call<'_>, path: &str) -> Answer {
    read_only(call, || {
        let is_listed = |node: &Node| {
            let parent = node.path.rsplit_once('/').map(|(parent, _)| parent);
            node.is_listed && parent == Some(path)
        };
        let items = nodes().filter(is_listed).map(|node| {
            let link = device.links.reference(node.path);
            Fields::default().with_object("reference", link)
        });
        let collection = Fields::default()
            .with("kind", kind(path, "collectionstate"))
            .with("selfLink", device.links.to(path));
        ok(&collection.with_list("items", items.collect()))
    })
}
