//! The task that keeps Cilium's objects in view and judges them when something changed.

use bigip_tunnel_core::reason::Reason;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bigip_tunnel_cilium::condition::{condition, mac_mismatches};
use bigip_tunnel_cilium::seen::{Agent, Cluster, Node, VtepNode};
use bigip_tunnel_cilium::unit::Tunnel;
use bigip_tunnel_cilium::vtep::WrittenEntry;
use bigip_tunnel_cilium::{Judge, Selection};
use bigip_tunnel_crds::cilium::{AgentPod, CiliumNode};
use bigip_tunnel_crds::convert::cilium as convert;
use futures::FutureExt;
use futures::future::{BoxFuture, join_all};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{ApiResource, GroupVersionKind};
use kube::core::{DynamicObject, Selector, SelectorExt as _};
use kube::runtime::watcher;
use kube::{Api, Client};
use tokio::time::{Instant, sleep, sleep_until};

use super::board::Board;
use super::follow::{Kind, follow};
use super::seen::Seen;
use super::{Judged, Noted};
use crate::index::ObjectKey;
use crate::kubernetes::WATCH_SECONDS;
use crate::restart::{self, RESTART_DELAY};
use crate::shared::Shared;
use crate::vtep::Scene;

/// The ConfigMap that agents read.
const CONFIG: &str = "cilium-config";
/// Label of the agents' pods.
const AGENTS: &str = "k8s-app=cilium";
/// Versions of Cilium's API in which its newer kinds are served.
const VERSIONS: [&str; 2] = ["v2", "v2alpha1"];
/// Changes that follow within this time are judged together.
const COALESCE: Duration = Duration::from_millis(500);
/// The share of the time that judging may take, as its inverse.
const REST: u32 = 20;
/// Images and entries of agents that are remembered.
const IMAGES_MAX: usize = 8;
/// Objects per page of a list: a pod is large.
const PAGE_SIZE: u32 = 50;

/// Judges until the process ends. `namespace`: the one of Cilium.
pub(crate) async fn run(shared: Arc<Shared>, namespace: String) {
    let stop = shared.stop.clone();
    let begin = || work(&shared, &namespace);
    let log_panic = || async {
        tracing::error!(
            reason = Reason::InternalError.as_str(),
            "the comparison with Cilium panicked; it begins again in {} s",
            RESTART_DELAY.as_secs()
        );
    };
    stop.run_until_cancelled(restart::keep_running(&stop, begin, log_panic))
        .await;
}

async fn work(shared: &Shared, namespace: &str) {
    shared.leadership.begun().await;
    loop {
        while !shared.cilium.is_asked() {
            shared.cilium.changed.notified().await;
        }
        let seen = Seen::new();
        let following = join_all(followers(shared, namespace, &seen));
        tokio::select! {
            _ = following => {}
            () = judge_while_asked(shared, namespace, &seen) => {}
        }
    }
}

/// What keeps each kind in view.
fn followers<'a>(shared: &'a Shared, namespace: &str, seen: &'a Seen) -> Vec<BoxFuture<'a, ()>> {
    let (client, watches) = (&shared.client, &shared.metrics.watches);
    let config = Kind {
        plural: "configmaps",
        namespace: Some(namespace.to_owned()),
        apis: vec![Api::<ConfigMap>::namespaced(client.clone(), namespace)],
        config: watching().fields(&format!("metadata.name={CONFIG}")),
    };
    let agents = Kind {
        plural: "pods",
        namespace: Some(namespace.to_owned()),
        apis: vec![Api::<AgentPod>::namespaced(client.clone(), namespace)],
        config: watching().labels(AGENTS),
    };
    let cilium_nodes = Kind {
        plural: "ciliumnodes",
        namespace: None,
        apis: vec![Api::<CiliumNode>::all(client.clone())],
        config: watching(),
    };
    let dynamic = |kind: &str, plural: &'static str, namespace: Option<&str>| Kind {
        plural,
        namespace: namespace.map(str::to_owned),
        apis: VERSIONS
            .map(|version| objects(client, version, kind, plural, namespace))
            .into(),
        config: watching(),
    };
    let node_configs = dynamic("CiliumNodeConfig", "ciliumnodeconfigs", Some(namespace));
    let vtep_objects = dynamic("CiliumVTEPConfig", "ciliumvtepconfigs", None);
    let vtep_nodes = dynamic("CiliumVTEPNodeConfig", "ciliumvtepnodeconfigs", None);
    let place = namespace.to_owned();
    let config_map = move |config| Some(convert::config_map(&place, config));
    let mut images = BTreeSet::new();
    let agent = move |pod| convert::agent(&pod).map(|agent| with_shared_image(agent, &mut images));
    let mut programmed = BTreeSet::new();
    let vtep_node = move |object| {
        Some(with_shared_entries(
            convert::vtep_node(&object),
            &mut programmed,
        ))
    };
    let node = |node: CiliumNode| Some(convert::cilium_node(&node));
    vec![
        follow(config, &seen.config, watches, config_map).boxed(),
        follow(node_configs, &seen.node_configs, watches, |o| Some(bare(o))).boxed(),
        follow(vtep_objects, &seen.vtep_objects, watches, |o| Some(bare(o))).boxed(),
        follow(vtep_nodes, &seen.vtep_nodes, watches, vtep_node).boxed(),
        follow(agents, &seen.agents, watches, agent).boxed(),
        follow(cilium_nodes, &seen.cilium_nodes, watches, node).boxed(),
    ]
}

fn watching() -> watcher::Config {
    watcher::Config::default()
        .timeout(WATCH_SECONDS)
        .page_size(PAGE_SIZE)
}

/// The objects of a kind of Cilium that has no type here.
fn objects(
    client: &Client,
    version: &str,
    kind: &str,
    plural: &str,
    namespace: Option<&str>,
) -> Api<DynamicObject> {
    let kind = GroupVersionKind::gvk("cilium.io", version, kind);
    let resource = ApiResource::from_gvk_with_plural(&kind, plural);
    match namespace {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
        None => Api::all_with(client.clone(), &resource),
    }
}

/// An object without the metadata that changes although nothing of it does.
fn bare(mut object: DynamicObject) -> DynamicObject {
    let metadata = std::mem::take(&mut object.metadata);
    object.metadata.name = metadata.name;
    object.metadata.namespace = metadata.namespace;
    object
}

/// Thousands of agents run one image.
fn with_shared_image(agent: Agent, images: &mut BTreeSet<Arc<str>>) -> Agent {
    if let Some(image) = images.get(&agent.image).cloned() {
        return Agent { image, ..agent };
    }
    // Those of older versions are not worth keeping.
    if images.len() >= IMAGES_MAX {
        images.clear();
    }
    images.insert(agent.image.clone());
    agent
}

/// Agents of one cluster have programmed the same.
fn with_shared_entries(node: VtepNode, known: &mut BTreeSet<Arc<[WrittenEntry]>>) -> VtepNode {
    if let Some(programmed) = known.get(&node.programmed).cloned() {
        return VtepNode { programmed, ..node };
    }
    // Those of older configurations are not worth keeping.
    if known.len() >= IMAGES_MAX {
        known.clear();
    }
    known.insert(node.programmed.clone());
    node
}

/// Judges whenever something changed, what changes together once, until no object asks for it.
async fn judge_while_asked(shared: &Shared, namespace: &str, seen: &Seen) {
    let mut states = shared.nodes.subscribe();
    let mut board = Board::default();
    let mut due = None;
    loop {
        tokio::select! {
            () = seen.changed.notified() => {}
            () = shared.cilium.changed.notified() => {}
            changed = states.changed() => if changed.is_err() {
                // The process ends.
                return std::future::pending().await;
            },
            () = wait_until(due) => {}
        }
        if !shared.cilium.is_asked() {
            shared.metrics.cilium.forget();
            shared.cilium.judged.send_replace(Arc::default());
            shared.vtep.set_scene(None);
            return;
        }
        let begun = Instant::now();
        let nodes = states.borrow_and_update().seen();
        due = None;
        if let Some(cluster) = nodes.and_then(|nodes| seen.cluster(namespace, nodes)) {
            let tunnels = shared.cilium.tunnels();
            let (found, mismatches) = judge_all(&cluster, &tunnels);
            shared.vtep.set_scene(scene(cluster, tunnels));
            shared.metrics.cilium.set_mac_mismatches(mismatches);
            if board.update(&found, shared.clock.now()) {
                shared.cilium.judged.send_replace(Arc::new(board.shown()));
            }
            let moment = board.due(&found);
            due = moment.map(|at| Instant::now() + shared.clock.until(at));
        }
        sleep(COALESCE.max(begun.elapsed() * REST)).await;
    }
}

async fn wait_until(due: Option<Instant>) {
    match due {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// What is needed to manage CiliumVTEPConfigs. `None` where no object asks for that.
fn scene(cluster: Cluster, noted: BTreeMap<ObjectKey, Noted>) -> Option<Scene> {
    if !noted.values().any(|noted| noted.manages) {
        return None;
    }
    let tunnels = noted.into_iter().map(|(key, noted)| (key, noted.tunnel));
    Some(Scene {
        cluster,
        tunnels: tunnels.collect(),
    })
}

/// The conditions of all objects that ask for one, and how many units have another MAC address than Cilium
/// sends to.
fn judge_all(cluster: &Cluster, noted: &BTreeMap<ObjectKey, Noted>) -> (Judged, usize) {
    let tunnels = noted.values().map(|noted| &*noted.tunnel);
    let tunnels: Vec<&Tunnel> = tunnels.collect();
    let judge = Judge::new(cluster, &tunnels);
    let (mut judged, mut mismatches) = (Judged::new(), BTreeSet::new());
    // Many objects have one selector.
    let mut selections: Vec<(Option<&Selector>, Selection<'_>)> = Vec::new();
    for (key, noted) in noted.iter().filter(|(_, noted)| noted.verifies) {
        let selector = noted.selector.as_ref();
        let known = selections.iter().position(|(known, _)| *known == selector);
        let index = known.unwrap_or_else(|| {
            let selects = |node: &Node| selector.is_none_or(|s| s.matches(&node.labels));
            selections.push((selector, judge.select(selects)));
            selections.len() - 1
        });
        let Some((_, nodes)) = selections.get(index) else {
            continue;
        };
        let findings = judge.one(&noted.tunnel, nodes);
        mismatches.extend(mac_mismatches(&findings));
        judged.insert(key.clone(), condition(&findings, &noted.tunnel));
    }
    (judged, mismatches.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agent(node: &str, image: &str) -> Agent {
        Agent {
            node: node.to_owned(),
            image: image.into(),
            started: None,
            ready: true,
        }
    }

    #[test]
    fn agents_of_one_image_share_its_string() {
        let mut images = BTreeSet::new();
        let mut shared =
            |node: &str, image: &str| with_shared_image(agent(node, image), &mut images);
        let (one, two) = (shared("n1", "cilium:v1"), shared("n2", "cilium:v1"));
        assert!(Arc::ptr_eq(&one.image, &two.image));
        assert_eq!(two.node, "n2");
        for version in 0..20 {
            let image = format!("cilium:v{version}");
            assert_eq!(&*shared("n3", &image).image, image);
        }
        assert!(images.len() <= IMAGES_MAX);
    }

    #[test]
    fn version_of_an_object_is_not_kept() {
        let object = |version: &str| {
            let mut object = DynamicObject::new("x", &ApiResource::erase::<ConfigMap>(&()));
            object.metadata.resource_version = Some(version.to_owned());
            object
        };
        assert_ne!(object("1"), object("2"));
        assert_eq!(bare(object("1")), bare(object("2")));
        assert_eq!(bare(object("1")).metadata.name.as_deref(), Some("x"));
    }
}
