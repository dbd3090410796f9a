//! What the operator stores of the last login on a BIG-IP.
//!
//! Doc comments are written for users, since they become the descriptions in the CRD. Must not know what is
//! decided by it.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The last login that was tried for a BIG-IP, so that refused logins stay rare over restarts of the operator:
/// BIG-IP locks accounts. Holds no password, no hash of one and no user name.
#[derive(JsonSchema, Serialize, Deserialize, Debug, Clone, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct LoginStatus {
    /// Whose login it was: the first 128 bits, in hex digits, of the SHA-256 of the SHA-256 of the unit's public
    /// key (32 bytes) followed by the user name.
    #[schemars(length(max = 32), regex(pattern = "^[0-9a-f]{32}$"))]
    pub account: String,
    /// `metadata.uid` of the Secret that the password was read from.
    #[serde(rename = "secretUID")]
    #[schemars(length(max = 64))]
    pub secret_uid: String,
    /// `metadata.resourceVersion` of that Secret.
    #[schemars(length(max = 64))]
    pub secret_resource_version: String,
    /// When a login with this password was last accepted there; absent if none was. Moves at most once a day
    /// while logins are accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted_time: Option<MicroTime>,
    /// How many logins with this password were refused in a row. A password that was never accepted there is
    /// counted before it is sent, and one whose answer did not come counts as refused.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub refusals: i32,
    /// When the refusals began that use up the account's budget of 2 in 15 minutes, whatever passwords they were
    /// of; absent if none counted at the last login.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window_start: Option<MicroTime>,
    /// When the login was tried, or when a later one of the account was refused. Moves at most once a day while
    /// logins are accepted.
    pub last_tried_time: MicroTime,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
const fn is_zero(number: &i32) -> bool {
    *number == 0
}
