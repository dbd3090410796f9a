//! The tunnel that takes over from these CIS: what is the same for all BIG-IPs is said once.

use bigip_tunnel_crds::v1alpha1::{AddressType, BundleKind, ManagementPolicy};

use crate::cis::{Cis, place};
use crate::report::new_tunnel::{Bundle, NewDevice, NewTunnel};

/// The Secret that is named where CIS has its login from elsewhere.
pub(super) const NEW_SECRET: &str = "bigip-login";
/// TCP port of iControl REST where none is named.
const PORT: u16 = 443;
/// Most letters in the name of a BIG-IP.
const LABEL_MAX: usize = 63;

/// The tunnel that does what these do, as one that only observes.
pub(super) fn tunnel(name: String, into: Option<&str>, first: &Cis, group: &[Cis]) -> NewTunnel {
    let units = units(group);
    let is_same_login = units.iter().all(|cis| secret(cis) == secret(first));
    let is_same_bundle = units.iter().all(|cis| bundle(cis) == bundle(first));
    let mut names = Vec::new();
    let devices = units.iter().map(|cis| {
        let name = unique(device_name(&cis.address), &names);
        names.push(name.clone());
        NewDevice {
            name,
            address: cis.address.clone(),
            port: Some(cis.port).filter(|port| *port != PORT),
            secret: (!is_same_login).then(|| secret(cis)),
            ca_bundle: bundle(cis).filter(|_| !is_same_bundle),
        }
    });
    NewTunnel {
        name,
        namespace: into
            .map(str::to_owned)
            .or_else(|| first.source.namespace.clone()),
        tunnel: (Some(first.partition.clone()), first.tunnel.clone()),
        devices: devices.collect(),
        secret: is_same_login.then(|| secret(first)),
        ca_bundle: bundle(first).filter(|_| is_same_bundle),
        selector: first.selector.clone(),
        address_type: (!first.uses_internal).then_some(AddressType::ExternalIp),
        policy: Some(ManagementPolicy::Observe),
        ..NewTunnel::default()
    }
}

/// ` -n NAMESPACE` for commands about the tunnel, if it is known.
pub(super) fn place_of(tunnel: &NewTunnel) -> String {
    place(tunnel.namespace.as_deref())
}

/// One for each BIG-IP: two that write the same tunnel of one BIG-IP do the same work twice.
fn units(group: &[Cis]) -> Vec<&Cis> {
    let mut units: Vec<&Cis> = Vec::new();
    for cis in group {
        let is_known = units.iter().any(|known| {
            known.address.eq_ignore_ascii_case(&cis.address) && known.port == cis.port
        });
        if !is_known {
            units.push(cis);
        }
    }
    units
}

fn secret(cis: &Cis) -> String {
    cis.login.secret().unwrap_or(NEW_SECRET).to_owned()
}

fn bundle(cis: &Cis) -> Option<Bundle> {
    let (_, name) = cis.trusted.as_ref()?;
    Some((BundleKind::ConfigMap, name.clone(), None))
}

/// A name for a BIG-IP: the first part of its host name, or its address.
fn device_name(address: &str) -> String {
    if address.parse::<std::net::IpAddr>().is_ok() {
        return dns_label(&format!("bigip-{address}"));
    }
    dns_label(address.split('.').next().unwrap_or(address))
}

/// A text as a part of a DNS name. It holds a letter or a digit already.
pub(super) fn dns_label(text: &str) -> String {
    let letter = |c: char| {
        if c.is_ascii_alphanumeric() {
            c.to_ascii_lowercase()
        } else {
            '-'
        }
    };
    let label: String = text.chars().take(LABEL_MAX).map(letter).collect();
    label.trim_matches('-').to_owned()
}

/// The name, or the name with the first number that makes it one of its own.
pub(super) fn unique(name: String, taken: &[String]) -> String {
    let numbered = (2_u32..).map(|number| format!("{name}-{number}"));
    let mut names = std::iter::once(name.clone()).chain(numbered);
    let free = names.find(|name| !taken.contains(name));
    free.unwrap_or(name)
}
