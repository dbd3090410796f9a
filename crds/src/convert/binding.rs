//! Where a Secret lets its password be sent.
//!
//! A user who may edit a `BigIpTunnel` chooses the address that the operator logs in to; only the Secret's own
//! annotation says that the password may go there. Knows no value of a Secret.

use bigip_tunnel_core::reason::Reason;
use k8s_openapi::api::core::v1::Secret;

use super::{port, secret_name};
use crate::ANNOTATION_ALLOWED_ADDRESSES;
use crate::v1alpha1::BigIpTunnelSpec;

/// A host, without brackets, and its port, as a Secret may name them.
pub type HostPort<'a> = (&'a str, u16);

/// TCP port that an address means if it names none.
const HTTPS: u16 = 443;

/// Why a password is not sent to an address. The message ends with the command that allows it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BindingProblem {
    /// The Secret names no addresses.
    #[error(
        "Secret {secret} does not name the addresses that its password may be sent to. If these are your \
         BIG-IPs, allow them: {command}"
    )]
    Unbound {
        /// Name of the Secret.
        secret: String,
        /// What names all devices with this Secret.
        command: String,
    },
    /// The Secret names other addresses.
    #[error(
        "Secret {secret} does not allow its password to be sent to {host} (port {port}). If this is your \
         BIG-IP, allow it: {command}"
    )]
    Refused {
        /// Name of the Secret.
        secret: String,
        /// Host of the device.
        host: String,
        /// Its TCP port.
        port: u16,
        /// What names this device beside the others.
        command: String,
    },
}

impl BindingProblem {
    /// The reason for conditions.
    pub const fn reason(&self) -> Reason {
        match self {
            Self::Unbound { .. } => Reason::SecretNotBound,
            Self::Refused { .. } => Reason::AddressNotAllowed,
        }
    }
}

/// Checks that the Secret's annotation `bigip-tunnel.dev/allowed-addresses` names this device, whatever the
/// case. A spec that is changed to name another host does not get the password sent there. `devices` are all
/// that share the Secret.
///
/// # Errors
///
/// Fails if there is no such annotation, or if it does not name the device.
pub fn check_binding(
    secret: &Secret,
    (host, port): HostPort<'_>,
    devices: &[HostPort<'_>],
) -> Result<(), BindingProblem> {
    let annotations = secret.metadata.annotations.as_ref();
    let allowed = annotations.and_then(|all| all.get(ANNOTATION_ALLOWED_ADDRESSES));
    let name = secret.metadata.name.clone().unwrap_or_default();
    let namespace = secret.metadata.namespace.as_deref();
    match allowed {
        Some(allowed) if names(allowed, (host, port)) => Ok(()),
        Some(allowed) => Err(BindingProblem::Refused {
            command: binding_command(namespace, &name, allowed, &[(host, port)]),
            secret: name,
            host: host.to_owned(),
            port,
        }),
        None => Err(BindingProblem::Unbound {
            command: binding_command(namespace, &name, "", devices),
            secret: name,
        }),
    }
}

/// The devices of a spec whose password is in this Secret.
pub fn devices_with_secret<'a>(spec: &'a BigIpTunnelSpec, secret: &str) -> Vec<HostPort<'a>> {
    spec.devices
        .iter()
        .filter(|device| secret_name(device, spec).is_ok_and(|name| name == secret))
        .filter_map(|device| Some((device.address.as_str(), port(device).ok()?)))
        .collect()
}

/// The command that has a Secret name these devices, beside what it names already.
pub fn binding_command(
    namespace: Option<&str>,
    secret: &str,
    allowed: &str,
    devices: &[HostPort<'_>],
) -> String {
    let entries = allowed.split(',').map(str::trim);
    // What no address holds would be a command of its own to a shell.
    let is_address = |entry: &&str| !entry.is_empty() && entry.chars().all(in_address);
    let mut entries: Vec<String> = entries.filter(is_address).map(str::to_owned).collect();
    for (host, port) in devices {
        let entry = match (host.contains(':'), *port) {
            (_, HTTPS) => (*host).to_owned(),
            (false, port) => format!("{host}:{port}"),
            (true, port) => format!("[{host}]:{port}"),
        };
        if !entries.contains(&entry) {
            entries.push(entry);
        }
    }
    let place = namespace.map(|namespace| format!(" -n {namespace}"));
    format!(
        "kubectl annotate --overwrite secret {secret}{} '{ANNOTATION_ALLOWED_ADDRESSES}={}'",
        place.unwrap_or_default(),
        entries.join(",")
    )
}

/// Whether the annotation's comma list names the device, by its host or by host and port.
fn names(allowed: &str, (host, port): HostPort<'_>) -> bool {
    let bracketed = format!("[{host}]");
    let with_port = if host.contains(':') {
        format!("{bracketed}:{port}")
    } else {
        format!("{host}:{port}")
    };
    let names = [host, bracketed.as_str(), with_port.as_str()];
    let mut entries = allowed.split(',').map(str::trim);
    entries.any(|entry| names.iter().any(|name| name.eq_ignore_ascii_case(entry)))
}

const fn in_address(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | ':' | '-' | '[' | ']')
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEVICES: [HostPort<'static>; 3] =
        [("192.0.2.11", 443), ("bigip-b", 8443), ("fd00::1", 8443)];

    fn secret(allowed: Option<&str>) -> Secret {
        let annotation =
            |allowed: &str| [(ANNOTATION_ALLOWED_ADDRESSES.to_owned(), allowed.to_owned())].into();
        let mut secret = Secret::default();
        secret.metadata.name = Some("bigip-login".into());
        secret.metadata.namespace = Some("bigip".into());
        secret.metadata.annotations = allowed.map(annotation);
        secret
    }

    fn check(allowed: &str, device: HostPort<'_>) -> Result<(), BindingProblem> {
        check_binding(&secret(Some(allowed)), device, &DEVICES)
    }

    #[test]
    fn password_goes_only_where_its_secret_allows() {
        for (allowed, host, port) in [
            ("192.0.2.11, bigip-b", "bigip-b", 8443),
            ("BIGIP-A.example.com:443", "bigip-a.example.com", 443),
            ("[fd00::1]:443", "fd00::1", 443),
            ("fd00::1", "fd00::1", 443),
        ] {
            assert_eq!(check(allowed, (host, port)), Ok(()), "{allowed}");
        }
        for (allowed, host, port) in [
            ("bigip-a:443", "bigip-a", 8443),
            ("192.0.2.11", "192.0.2.110", 443),
            ("", "192.0.2.11", 443),
        ] {
            let problem = check(allowed, (host, port)).unwrap_err();
            assert_eq!(problem.reason(), Reason::AddressNotAllowed, "{allowed}");
        }
    }

    #[test]
    fn unbound_secret_shows_command_for_all_devices() {
        let problem = check_binding(&secret(None), DEVICES[0], &DEVICES).unwrap_err();
        assert_eq!(problem.reason(), Reason::SecretNotBound);
        let command = "kubectl annotate --overwrite secret bigip-login -n bigip \
                       'bigip-tunnel.dev/allowed-addresses=192.0.2.11,bigip-b:8443,[fd00::1]:8443'";
        assert!(problem.to_string().ends_with(command), "{problem}");
    }

    #[test]
    fn refused_device_is_added_to_the_allowed_addresses() {
        let problem = check("192.0.2.11,x';reboot '", ("bigip-b", 8443)).unwrap_err();
        let command = "'bigip-tunnel.dev/allowed-addresses=192.0.2.11,bigip-b:8443'";
        assert!(problem.to_string().ends_with(command), "{problem}");
    }

    #[test]
    fn suggested_command_allows_all_devices() {
        let problem = check_binding(&secret(None), DEVICES[0], &DEVICES).unwrap_err();
        let text = problem.to_string();
        let (_, allowed) = text.rsplit_once('=').unwrap();
        let allowed = allowed.trim_end_matches('\'');
        for device in DEVICES {
            assert_eq!(check(allowed, device), Ok(()), "{device:?}");
        }
    }
}
