//! Logins and CA bundles, out of what a Secret or a ConfigMap holds.
//!
//! No error here holds a value, only the name of its key. Does not read certificates; that is the
//! device client's business.

use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use secrecy::SecretString;

/// Key of the user name.
const USERNAME: &str = "username";
/// Key of the password.
const PASSWORD: &str = "password";
/// Key of the login provider, the only optional one.
const LOGIN_PROVIDER: &str = "loginProviderName";
/// The login provider of users that are stored on the BIG-IP itself.
const LOCAL_PROVIDER: &str = "tmos";

/// The login for a BIG-IP.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// User name.
    pub username: String,
    /// Password. Never shown.
    pub password: SecretString,
    /// `loginProviderName` of the token request.
    pub login_provider: String,
}

/// Why a Secret holds no usable login.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SecretProblem {
    /// The key is not there.
    #[error("key {key} is missing; add it")]
    Missing {
        /// Name of the key.
        key: &'static str,
    },
    /// Nothing is in it.
    #[error("key {key} is empty")]
    Empty {
        /// Name of the key.
        key: &'static str,
    },
    /// Its value is no text.
    #[error("key {key} is not UTF-8 text")]
    NotText {
        /// Name of the key.
        key: &'static str,
    },
    /// Its value cannot be what was meant: no login holds a line break or a control character.
    #[error("key {key} holds a line break or another control character")]
    ControlCharacter {
        /// Name of the key.
        key: &'static str,
    },
}

/// The login in a Secret with the keys `username`, `password` and, if it is not a local user,
/// `loginProviderName`. One trailing line break is not part of a value: many tools put it there.
pub fn credentials_from_secret(secret: &Secret) -> Result<Credentials, SecretProblem> {
    let login_provider = match value(secret, LOGIN_PROVIDER) {
        Err(SecretProblem::Missing { .. }) => LOCAL_PROVIDER,
        provider => provider?,
    };
    Ok(Credentials {
        username: value(secret, USERNAME)?.to_owned(),
        password: value(secret, PASSWORD)?.into(),
        login_provider: login_provider.to_owned(),
    })
}

fn value<'a>(secret: &'a Secret, key: &'static str) -> Result<&'a str, SecretProblem> {
    let data = secret.data.as_ref().and_then(|data| data.get(key));
    let bytes = data.ok_or(SecretProblem::Missing { key })?;
    let text = str::from_utf8(&bytes.0).map_err(|_| SecretProblem::NotText { key })?;
    let text = match text.strip_suffix('\n') {
        Some(line) => line.strip_suffix('\r').unwrap_or(line),
        None => text,
    };
    if text.is_empty() {
        return Err(SecretProblem::Empty { key });
    }
    if text.contains(char::is_control) {
        return Err(SecretProblem::ControlCharacter { key });
    }
    Ok(text)
}

/// Why an object holds no CA bundle.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BundleProblem {
    /// The key is not there.
    #[error("key {key:?} is missing; add it, or name another one in caBundleRef.key")]
    Missing {
        /// Name of the key.
        key: String,
    },
    /// Nothing is in it.
    #[error("key {key:?} is empty")]
    Empty {
        /// Name of the key.
        key: String,
    },
}

/// The bytes under `key` of a ConfigMap, from `data` or `binaryData`. Certificates in PEM form are
/// expected in them.
pub fn ca_from_config_map(object: &ConfigMap, key: &str) -> Result<Vec<u8>, BundleProblem> {
    let text = object
        .data
        .as_ref()
        .and_then(|data| data.get(key))
        .map(String::as_bytes);
    let bytes = object.binary_data.as_ref().and_then(|data| data.get(key));
    bundle(text.or(bytes.map(|bytes| bytes.0.as_slice())), key)
}

/// The same, from a Secret.
pub fn ca_from_secret(object: &Secret, key: &str) -> Result<Vec<u8>, BundleProblem> {
    let bytes = object.data.as_ref().and_then(|data| data.get(key));
    bundle(bytes.map(|bytes| bytes.0.as_slice()), key)
}

fn bundle(bytes: Option<&[u8]>, key: &str) -> Result<Vec<u8>, BundleProblem> {
    match bytes {
        None => Err(BundleProblem::Missing {
            key: key.to_owned(),
        }),
        Some(bytes) if bytes.trim_ascii().is_empty() => Err(BundleProblem::Empty {
            key: key.to_owned(),
        }),
        Some(bytes) => Ok(bytes.to_vec()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use k8s_openapi::ByteString;
    use secrecy::ExposeSecret as _;

    use super::*;

    fn secret(entries: &[(&str, &[u8])]) -> Secret {
        let entries = entries
            .iter()
            .map(|(key, bytes)| ((*key).into(), ByteString(bytes.to_vec())));
        Secret {
            data: Some(entries.collect()),
            ..Secret::default()
        }
    }

    fn problem(entries: &[(&str, &[u8])]) -> SecretProblem {
        credentials_from_secret(&secret(entries)).unwrap_err()
    }

    #[test]
    fn login_provider_defaults_to_local_users() {
        let local = secret(&[("username", b"admin"), ("password", b"s3cret")]);
        let credentials = credentials_from_secret(&local).unwrap();
        assert_eq!(credentials.username, "admin");
        assert_eq!(credentials.password.expose_secret(), "s3cret");
        assert_eq!(credentials.login_provider, "tmos");

        let remote = [
            ("loginProviderName", b"ldap".as_slice()),
            ("username", b"u"),
            ("password", b"p"),
        ];
        assert_eq!(
            credentials_from_secret(&secret(&remote))
                .unwrap()
                .login_provider,
            "ldap"
        );
    }

    #[test]
    fn exactly_one_trailing_line_break_is_not_part_of_a_value() {
        for ending in ["", "\n", "\r\n"] {
            let password = format!("s3cret{ending}");
            let secret = secret(&[("username", b"admin\n"), ("password", password.as_bytes())]);
            let credentials = credentials_from_secret(&secret).unwrap();
            assert_eq!(credentials.username, "admin");
            assert_eq!(credentials.password.expose_secret(), "s3cret");
        }
        let two = problem(&[("username", b"admin"), ("password", b"s3cret\n\n")]);
        assert_eq!(two, SecretProblem::ControlCharacter { key: "password" });
    }

    #[test]
    fn spaces_are_part_of_a_password() {
        let secret = secret(&[("username", b"admin"), ("password", b" two words ")]);
        let credentials = credentials_from_secret(&secret).unwrap();
        assert_eq!(credentials.password.expose_secret(), " two words ");
    }

    #[test]
    fn unusable_value_is_named_by_its_key() {
        let user = ("username", b"admin".as_slice());
        assert_eq!(problem(&[]), SecretProblem::Missing { key: "username" });
        assert_eq!(problem(&[user]), SecretProblem::Missing { key: "password" });
        assert_eq!(
            problem(&[user, ("password", b"\n")]),
            SecretProblem::Empty { key: "password" }
        );
        assert_eq!(
            problem(&[user, ("password", b"\xff\xfe")]),
            SecretProblem::NotText { key: "password" }
        );
        assert_eq!(
            problem(&[user, ("password", b"p"), ("loginProviderName", b"")]),
            SecretProblem::Empty {
                key: "loginProviderName"
            }
        );
        assert_eq!(
            credentials_from_secret(&Secret::default())
                .unwrap_err()
                .to_string(),
            "key username is missing; add it"
        );
    }

    #[test]
    fn password_appears_in_no_text() {
        let secret = secret(&[("username", b"admin"), ("password", b"canary")]);
        assert!(!format!("{:?}", credentials_from_secret(&secret).unwrap()).contains("canary"));
        for password in [b"canary\nx".as_slice(), b"canary\xff"] {
            let refused = problem(&[("username", b"admin"), ("password", password)]);
            assert!(!format!("{refused} {refused:?}").contains("canary"));
        }
    }

    #[test]
    fn bundle_is_read_from_every_supported_source() {
        fn map<T>(value: T) -> BTreeMap<String, T> {
            BTreeMap::from([("ca.crt".to_owned(), value)])
        }
        let pem = "-----BEGIN CERTIFICATE-----";
        let text = ConfigMap {
            data: Some(map(pem.to_owned())),
            ..ConfigMap::default()
        };
        let bytes = ConfigMap {
            binary_data: Some(map(ByteString(pem.into()))),
            ..ConfigMap::default()
        };
        assert_eq!(ca_from_config_map(&text, "ca.crt").unwrap(), pem.as_bytes());
        assert_eq!(
            ca_from_config_map(&bytes, "ca.crt").unwrap(),
            pem.as_bytes()
        );
        assert_eq!(ca_from_secret(&secret(&[("k", b"x")]), "k").unwrap(), b"x");
    }

    #[test]
    fn missing_bundle_is_named_by_its_key() {
        let missing = BundleProblem::Missing {
            key: "ca.crt".into(),
        };
        assert_eq!(
            ca_from_config_map(&ConfigMap::default(), "ca.crt"),
            Err(missing.clone())
        );
        assert_eq!(ca_from_secret(&Secret::default(), "ca.crt"), Err(missing));
        let empty = BundleProblem::Empty { key: "k".into() };
        assert_eq!(ca_from_secret(&secret(&[("k", b" \n")]), "k"), Err(empty));
    }
}
