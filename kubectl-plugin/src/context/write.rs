//! The ways in which the plugin changes something: a merge patch of one tunnel, and the application of
//! a new one.
//!
//! Needs the right to patch `BigIpTunnel`s. Must not know what a change is for.

use bigip_tunnel_crds::MANAGER_CLI;
use bigip_tunnel_crds::v1alpha1::BigIpTunnel;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::Value;

use super::Cluster;
use crate::cli::act::DryRun;
use crate::error::Error;

/// What became of a patch.
enum Patched {
    Done,
    Gone,
    Changed,
}

impl Cluster {
    /// Merges `patch` into a tunnel. One that names a `resourceVersion` fails with
    /// [`Error::Changed`] when the tunnel has another one by now.
    pub(crate) async fn change(
        &self,
        namespace: &str,
        name: &str,
        patch: &Value,
        dry_run: DryRun,
    ) -> Result<(), Error> {
        if dry_run == DryRun::Client {
            return Ok(());
        }
        let api: Api<BigIpTunnel> = Api::namespaced(self.client.clone(), namespace);
        let params = PatchParams {
            dry_run: dry_run == DryRun::Server,
            field_manager: Some(MANAGER_CLI.to_owned()),
            ..PatchParams::default()
        };
        let merge = Patch::Merge(patch);
        let request = async {
            // The claims of a large tunnel need not come back.
            match api.patch_metadata(name, &params, &merge).await {
                Ok(_) => Ok(Patched::Done),
                Err(kube::Error::Api(status)) if status.code == 404 => Ok(Patched::Gone),
                Err(kube::Error::Api(status)) if status.code == 409 => Ok(Patched::Changed),
                Err(error) => Err(error),
            }
        };
        match self.call("patch", "bigiptunnels", request).await? {
            Patched::Done => Ok(()),
            Patched::Gone => Err(self.missing(namespace, name).await),
            Patched::Changed => Err(Error::Changed {
                namespace: namespace.to_owned(),
                name: name.to_owned(),
            }),
        }
    }

    /// Applies a tunnel to the current namespace. Fields that somebody else manages and that would get
    /// another value are a refusal of the API server.
    pub(crate) async fn apply(
        &self,
        name: &str,
        object: &Value,
        dry_run: DryRun,
    ) -> Result<(), Error> {
        if dry_run == DryRun::Client {
            return Ok(());
        }
        let api: Api<BigIpTunnel> = Api::namespaced(self.client.clone(), &self.namespace);
        let params = PatchParams {
            dry_run: dry_run == DryRun::Server,
            ..PatchParams::apply(MANAGER_CLI)
        };
        let apply = Patch::Apply(object);
        let request = api.patch_metadata(name, &params, &apply);
        self.call("patch", "bigiptunnels", request).await?;
        Ok(())
    }
}
