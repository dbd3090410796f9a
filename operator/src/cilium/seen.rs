//! What is known of Cilium's objects, in the form in which it is judged. Must not know how it is read.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bigip_tunnel_cilium::seen::{Agent, Cluster, ConfigMap, Node, Readable, Unread, VtepNode};
use bigip_tunnel_crds::convert::cilium as convert;
use kube::core::DynamicObject;
use tokio::sync::Notify;

/// Objects of one kind, by name.
#[derive(Debug, Clone)]
pub(super) enum Known<T> {
    /// They were not asked for yet.
    Pending,
    /// The cluster does not know the kind.
    NotServed,
    /// They cannot be read.
    Unread(Unread),
    /// All of them.
    Read(BTreeMap<String, Arc<T>>),
}

/// The place of one kind.
#[derive(Debug)]
pub(super) struct Slot<T> {
    known: Mutex<Known<T>>,
    changed: Arc<Notify>,
}

impl<T: PartialEq> Slot<T> {
    fn new(changed: &Arc<Notify>) -> Self {
        Self {
            known: Mutex::new(Known::Pending),
            changed: changed.clone(),
        }
    }

    /// Replaces everything.
    pub(super) fn set(&self, known: Known<T>) {
        let is_same = match (&*self.lock(), &known) {
            (Known::Pending, Known::Pending) | (Known::NotServed, Known::NotServed) => true,
            (Known::Unread(before), Known::Unread(now)) => before == now,
            (Known::Read(before), Known::Read(now)) => before == now,
            _ => false,
        };
        if !is_same {
            *self.lock() = known;
            self.changed.notify_one();
        }
    }

    /// Notes that a read failed. What was read before counts on.
    pub(super) fn fail(&self, why: Unread) {
        if matches!(&*self.lock(), Known::Pending | Known::Unread(_)) {
            self.set(Known::Unread(why));
        }
    }

    /// Replaces one object; with nothing, it goes.
    pub(super) fn put(&self, name: String, object: Option<T>) {
        let mut known = self.lock();
        let Known::Read(objects) = &mut *known else {
            return;
        };
        let before = objects.get(&name).map(|object| &**object);
        if before == object.as_ref() {
            return;
        }
        match object {
            Some(object) => objects.insert(name, Arc::new(object)),
            None => objects.remove(&name),
        };
        self.changed.notify_one();
    }

    /// An object of a new list: the known one where both are equal, so that two lists take up the memory of one.
    pub(super) fn share(&self, name: &str, object: T) -> Arc<T> {
        match &*self.lock() {
            Known::Read(objects) => match objects.get(name).filter(|known| ***known == object) {
                Some(known) => known.clone(),
                None => Arc::new(object),
            },
            _ => Arc::new(object),
        }
    }

    /// The objects, and `None` for a kind that is not served. Nothing while they were not asked for yet.
    fn objects(&self) -> Option<Readable<Option<Vec<Arc<T>>>>> {
        Some(match &*self.lock() {
            Known::Pending => return None,
            Known::NotServed => Ok(None),
            Known::Unread(why) => Err(why.clone()),
            Known::Read(objects) => Ok(Some(objects.values().cloned().collect())),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Known<T>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Everything that is read.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) config: Slot<ConfigMap>,
    pub(super) node_configs: Slot<DynamicObject>,
    pub(super) vtep_objects: Slot<DynamicObject>,
    pub(super) vtep_nodes: Slot<VtepNode>,
    pub(super) agents: Slot<Agent>,
    pub(super) cilium_nodes: Slot<Node>,
    /// Notified when any of them changes.
    pub(super) changed: Arc<Notify>,
}

impl Seen {
    /// Nothing is known yet.
    pub(super) fn new() -> Self {
        let changed = Arc::new(Notify::new());
        Self {
            config: Slot::new(&changed),
            node_configs: Slot::new(&changed),
            vtep_objects: Slot::new(&changed),
            vtep_nodes: Slot::new(&changed),
            agents: Slot::new(&changed),
            cilium_nodes: Slot::new(&changed),
            changed,
        }
    }

    /// The cluster with these nodes. `None` until every kind was asked for.
    pub(super) fn cluster(
        &self,
        namespace: &str,
        nodes: Readable<Vec<Arc<Node>>>,
    ) -> Option<Cluster> {
        let known = nodes.as_deref().ok();
        let config = self.config.objects()?;
        let node_configs = self.node_configs.objects()?.map(Option::unwrap_or_default);
        let vtep_objects = self.vtep_objects.objects()?;
        let vtep_nodes = self.vtep_nodes.objects()?.map(Option::unwrap_or_default);
        Some(Cluster {
            namespaces: vec![namespace.to_owned()],
            config: config.map(|found| {
                let mut found = found.into_iter().flatten();
                found.next().map(|config| ConfigMap::clone(&config))
            }),
            node_configs: node_configs.map(|objects| {
                let objects = objects.iter();
                objects
                    .map(|object| convert::node_config(object, known))
                    .collect()
            }),
            vtep_objects: vtep_objects.map(|objects| {
                objects.map(|objects| {
                    let objects = objects.iter();
                    objects
                        .map(|object| convert::vtep_object(object, known))
                        .collect()
                })
            }),
            vtep_nodes: vtep_nodes.map(|nodes| nodes.iter().map(|n| VtepNode::clone(n)).collect()),
            agents: self.agents.objects()?.map(Option::unwrap_or_default),
            // What lets pods be reached is a matter of their namespaces, and not of the tunnel.
            policies: None,
            cilium_nodes: self.cilium_nodes.objects()?,
            nodes,
        })
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    /// Whether there was a change since the last call.
    fn is_notified(slot: &Slot<u8>) -> bool {
        slot.changed.notified().now_or_never().is_some()
    }

    fn read(objects: &[(&str, u8)]) -> Known<u8> {
        let objects = objects.iter();
        Known::Read(
            objects
                .map(|(name, object)| ((*name).to_owned(), Arc::new(*object)))
                .collect(),
        )
    }

    #[test]
    fn only_a_difference_is_notified() {
        let slot = Slot::new(&Arc::new(Notify::new()));
        slot.set(read(&[("a", 1)]));
        assert!(is_notified(&slot));
        slot.set(read(&[("a", 1)]));
        slot.put("a".to_owned(), Some(1));
        slot.put("b".to_owned(), None);
        assert!(!is_notified(&slot));
        for change in [("a", Some(2)), ("b", Some(1)), ("b", None)] {
            slot.put(change.0.to_owned(), change.1);
            assert!(is_notified(&slot), "{change:?}");
        }
        slot.set(Known::NotServed);
        assert!(is_notified(&slot));
        slot.set(Known::NotServed);
        slot.put("a".to_owned(), Some(1));
        assert!(!is_notified(&slot));
    }

    #[test]
    fn equal_object_of_a_new_list_is_the_known_one() {
        let slot = Slot::new(&Arc::new(Notify::new()));
        slot.set(read(&[("a", 1)]));
        let known = slot.objects().unwrap().unwrap().unwrap().remove(0);
        assert!(Arc::ptr_eq(&slot.share("a", 1), &known));
        for (name, object) in [("a", 2), ("b", 1)] {
            assert!(!Arc::ptr_eq(&slot.share(name, object), &known), "{name}");
        }
    }

    #[test]
    fn failure_counts_where_nothing_was_read_before() {
        let why = || Unread("no answer".to_owned());
        let slot = Slot::<u8>::new(&Arc::new(Notify::new()));
        slot.fail(why());
        assert_eq!(slot.objects(), Some(Err(why())));
        slot.set(read(&[("a", 1)]));
        slot.fail(why());
        assert!(slot.objects().unwrap().is_ok());
    }

    #[test]
    fn no_verdict_before_each_type_was_read() {
        let seen = Seen::new();
        let cluster = || seen.cluster("cilium", Ok(Vec::new()));
        let is_known = || cluster().is_some();
        seen.config.set(Known::Read(BTreeMap::new()));
        seen.node_configs.set(Known::NotServed);
        seen.vtep_objects.set(Known::NotServed);
        seen.vtep_nodes.set(Known::NotServed);
        seen.cilium_nodes.set(Known::NotServed);
        assert!(!is_known());
        seen.agents.set(Known::Unread(Unread("no".to_owned())));
        assert!(is_known());
        let cluster = cluster().unwrap();
        assert_eq!(cluster.config, Ok(None));
        assert_eq!(cluster.namespace(), "cilium");
        assert_eq!(cluster.cilium_nodes, Ok(None));
        assert!(cluster.agents.is_err());
        assert!(cluster.policies.is_none());
    }
}
