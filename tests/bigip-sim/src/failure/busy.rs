//! Refusals of a device that restarts or is busy.
//!
//! It must not know when a device is.

use hyper::{Method, StatusCode};

use super::{Failure, MCPD};

/// Body of the 503 while the web front end restarts; ANS `module_utils/bigip.py` looks for this text.
const RESTARTING_PAGE: &str = "<html><head><title>BIG-IP</title></head>\
    <body><h1>Configuration Utility restarting...</h1></body></html>\n";

/// `apiError` of a lost connection to mcpd (`0x01f4_0001`).
const NO_MCPD: u32 = 32_768_001;
/// `apiError` of an asynchronous task in the way (`0x01f7_0001`).
const TASK_ACTIVE: u32 = 32_964_609;

impl Failure {
    /// The web front end restarts (ANS `module_utils/bigip.py`).
    pub(crate) fn restarting() -> Self {
        Self::Html {
            status: StatusCode::SERVICE_UNAVAILABLE,
            page: RESTARTING_PAGE.to_owned(),
        }
    }

    /// No worker answers for this path: also what a starting device says of any path (BRG
    /// `bigip/utils.go`). `path` starts after `/mgmt`.
    pub(crate) fn not_registered(path: &str) -> Self {
        let message = format!("Public URI path not registered: {path}");
        Self::restjavad(StatusCode::NOT_FOUND, message)
    }

    /// The same in its second wording, recorded without a `referer` (BRG `bigip/utils.go`).
    pub(crate) fn not_registered_yet(path: &str) -> Self {
        let message = format!(
            "URI path {path} not registered.  Please verify URI is supported and wait for \
             /available suffix to be responsive."
        );
        Self::restjavad(StatusCode::NOT_FOUND, message)
    }

    /// mcpd restarts (BRG `bigip/utils.go`).
    pub(crate) fn mcpd_lost() -> Self {
        let message = "The connection to mcpd has been lost, try again.";
        Self::icrd(StatusCode::INTERNAL_SERVER_ERROR, message, NO_MCPD)
    }

    /// Something else is at work on the configuration: reads are refused too (CIS#3538, 17.1.1.3;
    /// CIS#2192, 15.1.4).
    pub(crate) fn task_active() -> Self {
        let message = "There is an active asynchronous task executing.";
        Self::icrd(StatusCode::SERVICE_UNAVAILABLE, message, TASK_ACTIVE)
    }

    /// The process behind the REST front end is not there (ANS `bigip_device_info.py`).
    pub(crate) fn connection_refused() -> Self {
        let message = "java.net.ConnectException: Connection refused (Connection refused)";
        Self::restjavad(StatusCode::BAD_REQUEST, message)
    }

    /// The REST front end waited too long for the process behind it, which may still be at work
    /// (AS3#188).
    pub(crate) fn no_answer_from_icrd(method: &Method, client: &str) -> Self {
        let message = format!("remoteSender:{client}, method:{method} ");
        Self::restjavad(StatusCode::BAD_REQUEST, message)
    }

    /// Jetty gave up on a request that may still be at work (AS3#750, 15.1.9.1; AS3#780, 16.1.4.1).
    pub(crate) fn async_context_timeout(path: &str) -> Self {
        let page = format!(
            "<html>\n<head>\n\
             <meta http-equiv=\"Content-Type\" content=\"text/html;charset=ISO-8859-1\"/>\n\
             <title>Error 500 AsyncContext timeout</title>\n</head>\n\
             <body><h2>HTTP ERROR 500 AsyncContext timeout</h2>\n<table>\n\
             <tr><th>URI:</th><td>{path}</td></tr>\n\
             <tr><th>STATUS:</th><td>500</td></tr>\n\
             <tr><th>MESSAGE:</th><td>AsyncContext timeout</td></tr>\n\
             <tr><th>SERVLET:</th><td>com.f5.rest.app.RestServerServlet-11f39f9</td></tr>\n\
             </table>\n<hr/><a href=\"https://eclipse.org/jetty\">\
             Powered by Jetty:// 9.4.49.v20220914</a><hr/>\n\n</body>\n</html>\n"
        );
        Self::Html {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            page,
        }
    }

    /// An interface that was just made is not there yet (DO#234, 15.1.2.1, on a self IP); the names in it are
    /// *assumed*.
    pub(crate) fn no_device_index() -> Self {
        let message = "01070712:3: Cannot get device index for flannel_vxlan in rd0 - ioctl failed: No \
                       such device";
        Self::icrd(StatusCode::BAD_REQUEST, message, MCPD)
    }

    /// Modules are being provisioned (issue threads, URL not kept).
    pub(crate) fn provisioning() -> Self {
        let message = "01071003:3: A previous provisioning operation is in progress. Try again when \
                       the BIGIP is active.";
        Self::icrd(StatusCode::BAD_REQUEST, message, MCPD)
    }
}
