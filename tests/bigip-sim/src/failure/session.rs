//! Refusals of credentials: at login, of a token, of a right.
//!
//! It must not know which users there are and what each may do.

use hyper::{Method, StatusCode};
use serde_json::json;

use super::{Failure, MCPD};

/// Body of the web server's own 401: 381 bytes, as its `Content-Length` says (14.x with wrong Basic credentials,
/// projectdiscovery/nuclei-templates#8701; the same title on 15.1.5.1, terraform-provider-bigip#637).
const UNAUTHORIZED_PAGE: &str = "<!DOCTYPE HTML PUBLIC \"-//IETF//DTD HTML 2.0//EN\">\n\
    <html><head>\n<title>401 Unauthorized</title>\n</head><body>\n<h1>Unauthorized</h1>\n\
    <p>This server could not verify that you\nare authorized to access the document\n\
    requested.  Either you supplied the wrong\ncredentials (e.g., bad password), or your\n\
    browser doesn't understand how to supply\nthe credentials required.</p>\n</body></html>\n";

impl Failure {
    /// A wrong name or password at login; the password is not echoed (CIS#1462, 15.1.2.1).
    pub(crate) fn authentication_failed(user: &str, provider: &str) -> Self {
        let echo = json!({
            "username": user, "loginProviderName": provider, "generation": 0, "lastUpdateMicros": 0
        });
        Self::Restjavad {
            status: StatusCode::UNAUTHORIZED,
            message: "Authentication failed.".to_owned(),
            original_request_body: Some(echo.to_string()),
        }
    }

    /// An unknown `loginProviderName` (pr8kerl/f5er#18).
    pub(crate) fn login_provider() -> Self {
        Self::restjavad(StatusCode::UNAUTHORIZED, "loginProviderName is invalid.")
    }

    /// A login or token call whose body cannot be used. The 400 is known for a missing provider
    /// (e-XpertSolutions/f5-rest-client#1), the wording is *assumed*.
    pub(crate) fn bad_login_body(what: &str) -> Self {
        Self::restjavad(StatusCode::BAD_REQUEST, what)
    }

    /// Too many tokens (ANS#269, CIS#3780).
    pub(crate) fn too_many_tokens(user: &str) -> Self {
        let message = format!("user {user} has reached maximum active login tokens");
        Self::restjavad(StatusCode::BAD_REQUEST, message)
    }

    /// A token timeout above ten hours (`DevCentral` 287462).
    pub(crate) fn token_timeout() -> Self {
        let message = "Auth-token absolute timeout (36000 seconds) exceeded";
        Self::restjavad(StatusCode::NOT_ACCEPTABLE, message)
    }

    /// Another user's token. A 400 by third-party accounts, the wording is *assumed*.
    pub(crate) fn other_users_token() -> Self {
        let message = "a user can view, modify and delete only own tokens";
        Self::restjavad(StatusCode::BAD_REQUEST, message)
    }

    /// The token's time is over (ANS#2410, 15.1.5.1 and 17.1.1.2).
    pub(crate) fn token_expired() -> Self {
        Self::restjavad(StatusCode::UNAUTHORIZED, "X-F5-Auth-Token has expired.")
    }

    /// The token was never given out or was deleted (POSH-LTM-Rest#147).
    pub(crate) fn token_unknown() -> Self {
        Self::restjavad(StatusCode::UNAUTHORIZED, "X-F5-Auth-Token does not exist.")
    }

    /// A token named in the URI that is not there. *Assumed*: only the header's wording is known.
    pub(crate) fn token_not_found() -> Self {
        Self::restjavad(StatusCode::NOT_FOUND, "token not found")
    }

    /// No credentials at all (BRG `bigip/utils.go`).
    pub(crate) fn no_credentials(path: &str, client: &str) -> Self {
        let message = format!(
            "Authorization failed: no user authentication header or token detected. \
             Uri:http://localhost:8100{path} Referrer:{client} Sender:{client}"
        );
        Self::restjavad(StatusCode::UNAUTHORIZED, message)
    }

    /// The web server refuses the `Authorization` header: beside a token on 17.1.2.1
    /// (f5devcentral/application-study-tool#153), and alone with a wrong user or password, or where no Basic
    /// credentials are taken.
    pub(crate) fn authorization_header() -> Self {
        Self::Html {
            status: StatusCode::UNAUTHORIZED,
            page: UNAUTHORIZED_PAGE.to_owned(),
        }
    }

    /// The token's user was removed (scottdware/go-bigip#36; the sender at its end is *assumed*).
    pub(crate) fn user_gone(user: &str, path: &str, client: &str) -> Self {
        let message = format!(
            "Authorization failed: no user named {user} found. \
             Uri:http://localhost:8100{path} Referrer:{client} Sender:{client}"
        );
        Self::restjavad(StatusCode::UNAUTHORIZED, message)
    }

    /// The user has no right to this resource, says the REST front end (terraform-provider-bigip#160,
    /// 12.1.3.6; AS3#420, 15.1.1). A 401, as for an unknown user.
    pub(crate) fn no_right(user: &str, verb: &Method, path: &str, client: &str) -> Self {
        let message = format!(
            "Authorization failed: user=https://localhost/mgmt/shared/authz/users/{user} \
             resource={path} verb={verb} uri:http://localhost:8100{path} referrer:{client} \
             sender:{client}"
        );
        Self::restjavad(StatusCode::UNAUTHORIZED, message)
    }

    /// The user's role may not change this kind of object, says mcpd (FCP#1516, 13.0, role operator;
    /// the words after "access to" are those of ANS#1175).
    pub(crate) fn role_refused(user: &str, access: &str, object: &str) -> Self {
        let message = format!(
            "01070822:3: Access Denied: user ({user}) does not have {access} access to object \
             ({object})"
        );
        Self::icrd(StatusCode::BAD_REQUEST, message, MCPD)
    }

    /// The user may not write in this partition (terraform-provider-bigip#333; the status
    /// is *assumed* to be that of [`Failure::role_refused`]).
    pub(crate) fn partition_refused(user: &str, partition: &str) -> Self {
        let message = format!(
            "01070824:3: Write Access Denied: user ({user}) does not have update access to partition \
             ({partition}), check your current \"update/write\" partition settings"
        );
        Self::icrd(StatusCode::BAD_REQUEST, message, MCPD)
    }
}
