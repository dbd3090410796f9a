//! Where a device's logins are remembered: in the status of its object. What counts against an account is read
//! in the statuses of all objects, since several may name it.
//!
//! Decides nothing: whether a login may be tried is asked of `core`.

use std::sync::Arc;
use std::time::Duration;

use bigip_icontrol::{KnownLogins, LoginStore, Stored};
use bigip_tunnel_core::account::{AccountId, LoginRecord, SecretVersion};
use bigip_tunnel_crds::convert;
use bigip_tunnel_crds::v1alpha1::DeviceStatus;

use crate::device::DeviceContext;
use crate::ledger::Ledger;
use crate::settings::DeviceSettings;
use crate::shared::Shared;

/// How long the first login of a process waits until all objects have been seen. A namespace that cannot be listed
/// does not stop the others for ever.
const ALL_SEEN: Duration = Duration::from_secs(5);

/// The logins of one device.
pub(crate) struct StatusLogins {
    shared: Arc<Shared>,
    ledger: Arc<Ledger>,
    /// The device as the status names it.
    device: DeviceStatus,
    secret: SecretVersion,
}

impl StatusLogins {
    /// The logins of this task's device with the password of this Secret.
    pub(crate) fn new(ctx: &DeviceContext, device: &DeviceSettings, secret: SecretVersion) -> Self {
        let mut status = DeviceStatus {
            name: ctx.device.clone(),
            address: Some(device.host.clone()),
            port: Some(i32::from(device.port)),
            ..DeviceStatus::default()
        };
        device.access().note(&mut status);
        Self {
            shared: ctx.shared.clone(),
            ledger: ctx.ledger.clone(),
            device: status,
            secret,
        }
    }

    /// Has the next status show this login. A Secret that was only annotated since is the one to remember.
    pub(crate) fn show(&self, login: LoginRecord) {
        let secret = self.secret.clone();
        self.ledger
            .note_login(&self.device.name, LoginRecord { secret, ..login });
    }

    async fn read(&self, account: &AccountId) -> KnownLogins {
        let complete = self.shared.index.seen_all();
        let complete = tokio::time::timeout(ALL_SEEN, complete).await.is_ok();
        let mut records = self.shared.index.logins(account);
        // What this object stored last may not have come back by the watch.
        records.extend(convert::logins(&self.ledger.status().await, account));
        KnownLogins { records, complete }
    }
}

impl LoginStore for StatusLogins {
    fn secret(&self) -> SecretVersion {
        self.secret.clone()
    }

    fn known<'a>(&'a self, account: &'a AccountId) -> Stored<'a, KnownLogins> {
        Box::pin(self.read(account))
    }

    fn store<'a>(&'a self, login: &'a LoginRecord) -> Stored<'a, Result<(), String>> {
        let stored = self.ledger.store_login(&self.device, login);
        Box::pin(async { stored.await.map_err(|error| error.to_string()) })
    }
}
