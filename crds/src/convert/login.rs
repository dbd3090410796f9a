//! The rows of logins in a status ↔ core.

use bigip_tunnel_core::account::{AccountId, LoginRecord, SecretVersion};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;

use crate::v1alpha1::{BigIpTunnelStatus, LoginStatus};

/// What a status says of logins of this account.
pub fn logins(status: &BigIpTunnelStatus, account: &AccountId) -> Vec<LoginRecord> {
    let listed = status.devices.iter().filter_map(|d| d.login.as_ref());
    let former = status
        .former_devices
        .iter()
        .filter_map(|d| d.login.as_ref());
    let rows = listed.chain(former).map(login);
    rows.filter(|row| row.account == *account).collect()
}

/// A row.
pub fn login(row: &LoginStatus) -> LoginRecord {
    let time = |time: &MicroTime| time.0;
    LoginRecord {
        account: AccountId::stored(&row.account),
        secret: SecretVersion {
            uid: row.secret_uid.clone(),
            resource_version: row.secret_resource_version.clone(),
        },
        accepted: row.accepted_time.as_ref().map(time),
        refusals: u32::try_from(row.refusals).unwrap_or_default(),
        window_start: row.window_start.as_ref().map(time),
        last_tried: time(&row.last_tried_time),
    }
}

/// The row of a login.
pub(crate) fn stored_login(login: &LoginRecord) -> LoginStatus {
    LoginStatus {
        account: login.account.to_string(),
        secret_uid: login.secret.uid.clone(),
        secret_resource_version: login.secret.resource_version.clone(),
        accepted_time: login.accepted.map(MicroTime),
        refusals: i32::try_from(login.refusals).unwrap_or(i32::MAX),
        window_start: login.window_start.map(MicroTime),
        last_tried_time: MicroTime(login.last_tried),
    }
}
