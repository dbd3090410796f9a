//! Names alone, for those who type them: nothing else of the objects is read.

use std::fmt::Debug;

use k8s_openapi::api::core::v1::{Namespace, Node};
use kube::api::ListParams;
use kube::core::{PartialObjectMeta, Selector};
use kube::{Api, Resource};
use serde::de::DeserializeOwned;

use super::Cluster;
use crate::error::Error;

impl Cluster {
    /// The names of the nodes with these labels.
    pub(crate) async fn node_names(&self, selector: &Selector) -> Result<Vec<String>, Error> {
        let params = ListParams::default().labels_from(selector);
        self.names::<Node>("nodes", params).await
    }

    /// The names of the namespaces.
    pub(crate) async fn namespace_names(&self) -> Result<Vec<String>, Error> {
        let all = ListParams::default();
        self.names::<Namespace>("namespaces", all).await
    }

    async fn names<K>(&self, what: &'static str, params: ListParams) -> Result<Vec<String>, Error>
    where
        K: Clone + Debug + DeserializeOwned + Resource<DynamicType = ()>,
    {
        let api: Api<K> = Api::all(self.client.clone());
        let page = async |params: &ListParams| api.list_metadata(params).await;
        let name = |object: PartialObjectMeta<K>| object.metadata.name.unwrap_or_default();
        self.all_pages(params, what, page, name).await
    }
}
