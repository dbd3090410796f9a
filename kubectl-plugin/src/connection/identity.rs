//! Who is asking: the logins and impersonation of the flags, on top of those of the kubeconfig.
//!
//! A login that was typed replaces those that would come before it. Knows nothing of the network.

use std::collections::HashMap;
use std::path::Path;

use kube::config::AuthInfo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::{Connection, PEM_NEEDED};
use crate::error::Error;

/// Puts the flags on top of what the kubeconfig says.
pub(super) fn apply(flags: &Connection, identity: &mut AuthInfo) -> Result<(), Error> {
    apply_token(flags, identity)?;
    apply_basic(flags, identity)?;
    apply_certificate(flags, identity)?;
    apply_impersonation(flags, identity)
}

fn apply_token(flags: &Connection, identity: &mut AuthInfo) -> Result<(), Error> {
    let Some(token) = &flags.token else {
        return Ok(());
    };
    if flags.username.is_some() {
        return Err(Error::Flags {
            problem: "a token and a user name are two logins",
            hint: "leave out --token, or --username and --password",
        });
    }
    forget_programs(identity);
    identity.token = Some(token.clone().into());
    identity.token_file = None;
    identity.username = None;
    identity.password = None;
    Ok(())
}

fn apply_basic(flags: &Connection, identity: &mut AuthInfo) -> Result<(), Error> {
    let (username, password) = match (&flags.username, &flags.password) {
        (None, None) => return Ok(()),
        (Some(username), Some(password)) => (username, password),
        _ => {
            return Err(Error::Flags {
                problem: "a user name and a password are needed together",
                hint: "give both --username and --password",
            });
        }
    };
    forget_programs(identity);
    identity.token = None;
    identity.token_file = None;
    identity.username = Some(username.clone());
    identity.password = Some(password.clone().into());
    Ok(())
}

fn apply_certificate(flags: &Connection, identity: &mut AuthInfo) -> Result<(), Error> {
    if let Some(path) = &flags.client_certificate {
        check::<CertificateDer<'_>>("client certificate", path)?;
        // A program could give a certificate of its own, which would come before this one.
        forget_programs(identity);
        identity.client_certificate = Some(path.to_string_lossy().into_owned());
        identity.client_certificate_data = None;
    }
    if let Some(path) = &flags.client_key {
        check::<PrivateKeyDer<'_>>("client key", path)?;
        identity.client_key = Some(path.to_string_lossy().into_owned());
        identity.client_key_data = None;
    }
    let certificate =
        identity.client_certificate.is_some() || identity.client_certificate_data.is_some();
    let key = identity.client_key.is_some() || identity.client_key_data.is_some();
    if certificate != key {
        return Err(Error::Flags {
            problem: "a client certificate and its key are needed together",
            hint: "give both --client-certificate and --client-key",
        });
    }
    Ok(())
}

fn apply_impersonation(flags: &Connection, identity: &mut AuthInfo) -> Result<(), Error> {
    if let Some(user) = &flags.impersonate {
        identity.impersonate = Some(user.clone());
    }
    if let Some(uid) = &flags.impersonate_uid {
        identity.impersonate_uid = Some(uid.clone());
    }
    if !flags.impersonate_groups.is_empty() {
        identity.impersonate_groups = Some(flags.impersonate_groups.clone());
    }
    if !flags.impersonate_extra.is_empty() {
        // They take the place of all extras of the kubeconfig, as the groups do.
        let mut extra = HashMap::<String, Vec<String>>::new();
        for (key, value) in &flags.impersonate_extra {
            extra.entry(key.clone()).or_default().push(value.clone());
        }
        identity.impersonate_user_extra = Some(extra);
    }
    let more = identity.impersonate_uid.is_some()
        || identity.impersonate_groups.is_some()
        || identity.impersonate_user_extra.is_some();
    if more && identity.impersonate.is_none() {
        return Err(Error::Flags {
            problem: "a UID, groups or extras can only be acted as together with a user",
            hint: "give --as too",
        });
    }
    Ok(())
}

/// The programs and providers that a kubeconfig can get a login from.
fn forget_programs(identity: &mut AuthInfo) {
    identity.auth_provider = None;
    identity.exec = None;
}

/// Says what is wrong with a file before the client does, which would not name it.
fn check<P: PemObject>(what: &'static str, path: &Path) -> Result<(), Error> {
    P::from_pem_file(path)
        .map(drop)
        .map_err(|error| Error::File {
            what,
            path: path.to_owned(),
            problem: error.to_string(),
            hint: PEM_NEEDED,
        })
}
