//! What a refused login says to a user.

use std::fmt;
use std::time::Duration;

use bigip_tunnel_core::reason::Reason;

use super::DeviceText;

/// Why a login was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoginRefusal {
    /// User name or password.
    Credentials,
    /// The account is locked. *Assumed* from the words of `pam_tally2`; no answer of a locked account was recorded.
    Locked,
    /// The password has expired. *Assumed* in the same way.
    Expired,
    /// The login provider is not known.
    Provider,
    /// None was sent: the account's budget is used up, or another namespace comes first.
    NotTried,
}

impl LoginRefusal {
    /// What the device's own words say.
    pub(crate) fn of(said: &DeviceText) -> Self {
        let said = said.to_string().to_ascii_lowercase();
        let has = |text: &str| said.contains(text);
        if has("maximum number of login attempts") || has("account is locked") || has("locked out")
        {
            Self::Locked
        } else if has("password") && has("expired") {
            Self::Expired
        } else {
            Self::Credentials
        }
    }

    pub(crate) const fn reason(self) -> Reason {
        match self {
            Self::Credentials | Self::Provider | Self::NotTried => Reason::AuthenticationFailed,
            Self::Locked => Reason::AccountLocked,
            Self::Expired => Reason::PasswordExpired,
        }
    }

    pub(crate) const fn remedy(self) -> &'static str {
        match self {
            Self::Credentials => "Correct user name and password in the Secret",
            Self::Locked => {
                "Unlock the account on the BIG-IP: tmsh reset-stats auth login-failures USER"
            }
            Self::Expired => "Set a new password on the BIG-IP and in the Secret",
            Self::Provider => "Correct loginProviderName in the Secret",
            Self::NotTried => "Correct the Secrets that name this user",
        }
    }
}

impl fmt::Display for LoginRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Credentials => "login refused",
            Self::Locked => "login refused, the account is locked",
            Self::Expired => "login refused, the password has expired",
            Self::Provider => "login refused, the login provider is not known",
            Self::NotTried => "no login attempted: logins of this user were refused on this unit",
        })
    }
}

/// When a login is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NextLogin {
    /// This long after the refused one.
    After(Duration),
    /// Within this time.
    Within(Duration),
    /// Not before the Secret changes or a user asks.
    OnRequest,
}

impl fmt::Display for NextLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let minutes = |time: &Duration| time.as_secs().div_ceil(60).max(1);
        match self {
            Self::After(time) => write!(
                f,
                "next attempt {} min later or when the Secret changes",
                minutes(time)
            ),
            Self::Within(time) => write!(f, "next attempt within {} min", minutes(time)),
            Self::OnRequest => f.write_str(
                "next attempt when the Secret changes or on kubectl bigip-tunnel reconcile",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locked_account_differs_from_a_wrong_password() {
        let reason = |said: &str| LoginRefusal::of(&DeviceText::new(said, &[])).reason();
        let locked = "Maximum number of login attempts exceeded.";
        assert_eq!(reason(locked), Reason::AccountLocked);
        assert_eq!(reason("Password expired."), Reason::PasswordExpired);
        let wrong = "Authentication failed.";
        assert_eq!(reason(wrong), Reason::AuthenticationFailed);
        assert_eq!(reason(""), Reason::AuthenticationFailed);
    }
}
