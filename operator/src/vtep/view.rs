//! The CiliumVTEPConfigs of one pass, read at its beginning and kept up to date with what it writes.

use std::sync::Arc;

use bigip_tunnel_cilium::manage::Live;
use bigip_tunnel_cilium::seen::{Cluster, Unread};
use bigip_tunnel_core::conditions::Condition;
use bigip_tunnel_crds::convert::cilium as convert;
use kube::ResourceExt as _;
use kube::core::DynamicObject;

use super::api::{Version, VtepConfigs};
use super::{Scene, failure};
use crate::kubernetes::CallError;
use crate::shared::Shared;

/// What is known of them.
pub(super) enum View {
    /// They were not read: nothing is to be done with them, or this process does not lead.
    Nothing,
    /// The cluster does not serve them.
    NotServed,
    /// They could not be read.
    Failed(Condition),
    /// All of them.
    Served(Box<Served>),
}

/// The CiliumVTEPConfigs, beside everything else that is known of Cilium.
pub(super) struct Served {
    pub(super) configs: Arc<VtepConfigs>,
    /// What is known of Cilium and of the tunnels. `None` until it was read.
    pub(super) scene: Option<Arc<Scene>>,
    objects: Vec<DynamicObject>,
    pub(super) live: Vec<Live>,
    /// The cluster of the scene, with these objects.
    pub(super) cluster: Cluster,
}

impl View {
    /// Reads them.
    pub(super) async fn read(shared: &Shared, scene: Option<Arc<Scene>>) -> Self {
        match read(shared).await {
            Ok(Some((configs, objects))) => {
                Self::Served(Box::new(Served::new(Arc::new(configs), scene, objects)))
            }
            Ok(None) => Self::NotServed,
            Err(CallError::NotLeading) => Self::Nothing,
            Err(error) => Self::Failed(failure::condition(&error, "list")),
        }
    }
}

async fn read(shared: &Shared) -> Result<Option<(VtepConfigs, Vec<DynamicObject>)>, CallError> {
    let Some(configs) = VtepConfigs::find(&shared.client).await? else {
        return Ok(None);
    };
    let objects = configs.list().await?;
    Ok(Some((configs, objects)))
}

impl Served {
    fn new(
        configs: Arc<VtepConfigs>,
        scene: Option<Arc<Scene>>,
        objects: Vec<DynamicObject>,
    ) -> Self {
        let nodes = scene
            .as_ref()
            .and_then(|scene| scene.cluster.nodes.as_deref().ok());
        let live: Vec<Live> = objects
            .iter()
            .map(|object| convert::managed(object, nodes))
            .collect();
        let cluster = scene
            .as_ref()
            .map_or_else(unread, |scene| scene.cluster.clone());
        let seen = live.iter().map(|live| live.object.clone());
        let cluster = Cluster {
            vtep_objects: Ok(Some(seen.collect())),
            ..cluster
        };
        Self {
            configs,
            scene,
            objects,
            live,
            cluster,
        }
    }

    /// Takes in an object as it is now.
    pub(super) fn take(&mut self, object: DynamicObject) {
        *self = self.with(object);
    }

    /// The same with this object as it is now, or would be.
    pub(super) fn with(&self, object: DynamicObject) -> Self {
        let name = object.name_any();
        let others = self.objects.iter().filter(|known| known.name_any() != name);
        let mut objects: Vec<DynamicObject> = others.cloned().collect();
        objects.push(object);
        Self::new(self.configs.clone(), self.scene.clone(), objects)
    }

    /// Which version of an object was read. `None` where it does not exist.
    pub(super) fn version(&self, name: &str) -> Option<Version> {
        let mut objects = self.objects.iter();
        Version::of(objects.find(|object| object.name_any() == name)?)
    }

    /// The finalizers of an object that is being deleted. `None` where it is not.
    pub(super) fn finalizers(&self, name: &str) -> Option<&[String]> {
        let mut live = self.live.iter();
        let found = live.find(|live| live.object.name == name)?;
        found.leaving.as_deref()
    }

    /// uid of the object for which one of this name was written. `None` where it does not exist, or lacks the marks.
    pub(super) fn owner(&self, name: &str) -> Option<&String> {
        let mut live = self.live.iter();
        live.find(|live| live.object.name == name)?.owner.as_ref()
    }
}

/// A cluster of which nothing is known.
fn unread() -> Cluster {
    let not_yet = || Unread("not read yet".to_owned());
    Cluster {
        namespaces: Vec::new(),
        config: Err(not_yet()),
        node_configs: Err(not_yet()),
        vtep_objects: Err(not_yet()),
        vtep_nodes: Err(not_yet()),
        agents: Err(not_yet()),
        policies: None,
        nodes: Err(not_yet()),
        cilium_nodes: Err(not_yet()),
    }
}
