//! Where a device's logins are remembered: in the status of its object. What counts against an account is read
//! in the statuses of all objects, since several may name it.
//!
//! Decides nothing: whether a login may be tried is asked of `core`.

use bigip_tunnel_core::reason::Reason;
use std::sync::Arc;
use std::time::Duration;

use bigip_icontrol::{KnownLogins, LoginStore, NotStored, Stored};
use bigip_tunnel_core::account::{AccountId, LoginRecord, SecretVersion};
use bigip_tunnel_crds::convert;
use bigip_tunnel_crds::v1alpha1::DeviceStatus;

use crate::device::DeviceContext;
use crate::ledger::Ledger;
use crate::settings::DeviceSettings;
use crate::shared::Shared;

/// How long a login waits until all objects have been seen. A namespace that cannot be listed does not stop the
/// passwords that were accepted before.
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

    /// Has the next status show this login.
    pub(crate) fn show(&self, login: LoginRecord) {
        self.ledger.note_login(&self.device.name, login);
    }

    /// Stores a login. A try that comes first is not stored, and so not made, while rows of its account may be
    /// missing.
    async fn write(&self, login: &LoginRecord) -> Result<(), NotStored> {
        let may_be_first = login.accepted.is_none() && login.refusals > 0;
        if may_be_first && !self.shared.index.has_seen_all() {
            return Err(NotStored {
                reason: Reason::KubernetesUnavailable,
                cause: "not all BigIPTunnels have been listed yet, and one may show refused logins of this user \
                        on this unit; see that the operator may list them in all its namespaces"
                    .into(),
            });
        }
        let stored = self.ledger.store_login(&self.device, login).await;
        stored.map_err(|error| {
            let failure = error.failure();
            NotStored {
                reason: failure.reason,
                cause: failure.message,
            }
        })
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

    fn store<'a>(&'a self, login: &'a LoginRecord) -> Stored<'a, Result<(), NotStored>> {
        Box::pin(self.write(login))
    }
}
