//! Secrets and CA bundles, for the verbs that talk to BIG-IPs themselves. Read one by one, and only
//! where a person asks for it.

use bigip_tunnel_core::reason::Reason;
use bigip_tunnel_crds::convert;
use bigip_tunnel_crds::v1alpha1::{BundleKind, CaBundleRef};
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::Api;

use super::Cluster;
use crate::direct::Trouble;
use crate::error::Error;

impl Cluster {
    /// The Secret with a login.
    pub(crate) async fn secret(&self, namespace: &str, name: &str) -> Result<Secret, Trouble> {
        let api: Api<Secret> = Api::namespaced(self.client.clone(), namespace);
        let read = self.call("get", "secrets", api.get_opt(name)).await;
        let what = format!("Secret {namespace}/{name}");
        found(
            read,
            &what,
            (Reason::SecretNotFound, Reason::SecretForbidden),
        )
    }

    /// The certificates that a reference leads to.
    pub(crate) async fn ca_bundle(
        &self,
        namespace: &str,
        bundle: &CaBundleRef,
    ) -> Result<Vec<u8>, Trouble> {
        const REASONS: (Reason, Reason) = (Reason::CaBundleNotFound, Reason::CaBundleForbidden);
        let (client, name) = (self.client.clone(), bundle.name.as_str());
        let (what, bytes) = match bundle.kind {
            BundleKind::ConfigMap => {
                let api: Api<ConfigMap> = Api::namespaced(client, namespace);
                let read = self.call("get", "configmaps", api.get_opt(name)).await;
                let what = format!("ConfigMap {namespace}/{name}");
                let object = found(read, &what, REASONS)?;
                (what, convert::ca_from_config_map(&object, &bundle.key))
            }
            BundleKind::Secret => {
                let api: Api<Secret> = Api::namespaced(client, namespace);
                let read = self.call("get", "secrets", api.get_opt(name)).await;
                let what = format!("Secret {namespace}/{name}");
                let object = found(read, &what, REASONS)?;
                (what, convert::ca_from_secret(&object, &bundle.key))
            }
        };
        bytes.map_err(|problem| Trouble {
            reason: Reason::CaBundleInvalid,
            message: format!("{what}: {problem}"),
        })
    }
}

/// The object. `reasons`: for one that is not there, and for one that may not be read.
fn found<T>(
    read: Result<Option<T>, Error>,
    what: &str,
    (missing, forbidden): (Reason, Reason),
) -> Result<T, Trouble> {
    match read {
        Ok(Some(object)) => Ok(object),
        Ok(None) => Err(Trouble {
            reason: missing,
            message: format!("{what} does not exist"),
        }),
        Err(Error::Forbidden { .. }) => Err(Trouble {
            reason: forbidden,
            message: format!("you may not get {what}, without which no BIG-IP is asked"),
        }),
        Err(error) => Err(Trouble {
            reason: Reason::KubernetesUnavailable,
            message: format!("{what}: {error}"),
        }),
    }
}
