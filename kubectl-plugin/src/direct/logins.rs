//! What the status of an object says of refused logins, so that `--direct` does not use up what the operator's
//! restraint has left of an account.
//!
//! Writes nothing: what is refused here is counted for the time of one call only.

use std::sync::Arc;

use bigip_icontrol::{KnownLogins, LoginStore, NotStored, Stored};
use bigip_tunnel_core::account::{AccountId, LoginRecord, SecretVersion};
use bigip_tunnel_crds::convert;
use bigip_tunnel_crds::v1alpha1::BigIpTunnel;

/// The refused logins that an object shows.
pub(super) struct KnownRefusals {
    object: BigIpTunnel,
    secret: SecretVersion,
}

impl KnownRefusals {
    /// Those of this object, for a login with the password of this Secret.
    pub(super) fn of(object: &BigIpTunnel, secret: SecretVersion) -> Arc<Self> {
        Arc::new(Self {
            object: object.clone(),
            secret,
        })
    }
}

impl LoginStore for KnownRefusals {
    fn secret(&self) -> SecretVersion {
        self.secret.clone()
    }

    fn known<'a>(&'a self, account: &'a AccountId) -> Stored<'a, KnownLogins> {
        let status = self.object.status.iter();
        let records = status.flat_map(|status| convert::logins(status, account));
        let known = KnownLogins {
            records: records.collect(),
            // Another object may show more.
            complete: false,
        };
        Box::pin(std::future::ready(known))
    }

    fn store<'a>(&'a self, _: &'a LoginRecord) -> Stored<'a, Result<(), NotStored>> {
        Box::pin(std::future::ready(Ok(())))
    }
}
