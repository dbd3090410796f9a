//! Recorded answers of a device that is not well.
//!
//! The words are those of `failure`; here they get a name for tests and scripts.

use hyper::Method;
use serde::Deserialize;

use crate::failure::Failure;

/// A recorded answer of a device that is not well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Preset {
    /// 503, the HTML page of a restarting web front end (ANS `module_utils/bigip.py`).
    Restarting,
    /// 404 of the REST front end while its workers start (BRG `bigip/utils.go`).
    NotRegistered,
    /// The same in its second wording.
    NotRegisteredYet,
    /// 500, the connection to mcpd is lost (BRG `bigip/utils.go`).
    McpdLost,
    /// 503, an asynchronous task is active (CIS#3538, CIS#2192).
    TaskActive,
    /// 400 with a Java exception: the process behind the REST front end is not there (ANS
    /// `bigip_device_info.py`).
    ConnectionRefused,
    /// 400, the REST front end waited too long for the process behind it (AS3#188).
    IcrdTimeout,
    /// 500, the HTML page of Jetty when it waited too long (AS3#750, AS3#780).
    JettyTimeout,
    /// 400, modules are being provisioned (issue threads).
    Provisioning,
    /// 400, the interface of a self IP that was just made is not there yet (DO#234); over when tried again.
    DeviceIndex,
    /// 401, no token was seen although there was one (BRG `bigip/utils.go`, terraform#469).
    NoCredentials,
    /// 401, the token is over (ANS#2410).
    TokenExpired,
    /// 401, the token does not exist (POSH-LTM-Rest#147).
    TokenUnknown,
}

impl Preset {
    /// Every one of them.
    pub const ALL: [Self; 13] = [
        Self::Restarting,
        Self::NotRegistered,
        Self::NotRegisteredYet,
        Self::McpdLost,
        Self::TaskActive,
        Self::ConnectionRefused,
        Self::IcrdTimeout,
        Self::JettyTimeout,
        Self::Provisioning,
        Self::DeviceIndex,
        Self::NoCredentials,
        Self::TokenExpired,
        Self::TokenUnknown,
    ];

    /// The refusal of a request for this path (with `/mgmt`) from this sender.
    pub(crate) fn failure(self, method: &Method, path: &str, client: &str) -> Failure {
        match self {
            Self::Restarting => Failure::restarting(),
            Self::NotRegistered => {
                Failure::not_registered(path.strip_prefix("/mgmt").unwrap_or(path))
            }
            Self::NotRegisteredYet => Failure::not_registered_yet(path),
            Self::McpdLost => Failure::mcpd_lost(),
            Self::TaskActive => Failure::task_active(),
            Self::ConnectionRefused => Failure::connection_refused(),
            Self::IcrdTimeout => Failure::no_answer_from_icrd(method, client),
            Self::JettyTimeout => Failure::async_context_timeout(path),
            Self::Provisioning => Failure::provisioning(),
            Self::DeviceIndex => Failure::no_device_index(),
            Self::NoCredentials => Failure::no_credentials(path, client),
            Self::TokenExpired => Failure::token_expired(),
            Self::TokenUnknown => Failure::token_unknown(),
        }
    }

    /// Whether the sender is named in the refusal where others name it: an early one does not.
    pub(crate) fn knows_sender(self) -> bool {
        self != Self::NotRegisteredYet
    }
}
