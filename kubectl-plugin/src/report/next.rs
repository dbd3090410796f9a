//! What a person does next about a tunnel that is not ready: one line, by the reason.
//!
//! Names only commands that exist. Knows nothing that the object does not say.

use bigip_tunnel_core::vocabulary::reason;
use bigip_tunnel_crds::convert;
use bigip_tunnel_crds::v1alpha1::{BigIpTunnel, Device};
use kube::ResourceExt as _;

use super::status::{DeviceReport, Fact};
use crate::operator;

/// The line.
pub(crate) fn next(object: &BigIpTunnel, ready: &Fact, devices: &[DeviceReport]) -> String {
    let this = format!(
        "{} -n {}",
        object.name_any(),
        object.namespace().unwrap_or_default()
    );
    match (ready.reason.as_str(), to_look_at(object, ready, devices)) {
        (reason::PENDING, _) => operator::SEE_WHETHER_IT_RUNS.to_owned(),
        (reason::PROGRESSING, _) => {
            format!("it is worked on; to wait for it: kubectl bigip-tunnel status {this} --wait")
        }
        (
            reason::CONFLICT
            | reason::RECORD_UNREADABLE
            | reason::NODES_SKIPPED
            | reason::DRIFT_REPORTED,
            _,
        ) => format!("see which: kubectl bigip-tunnel fdb {this}"),
        (reason::NO_NODES_SELECTED, _) => {
            "compare spec.nodes.selector with the labels: kubectl get nodes --show-labels"
                .to_owned()
        }
        (reason::CILIUM_NODES_UNAVAILABLE, _) => {
            "see whether there are any: kubectl get ciliumnodes".to_owned()
        }
        (reason::MASS_REMOVAL_BLOCKED, _) => {
            format!("if these nodes are really gone: kubectl bigip-tunnel approve {this}")
        }
        (reason::FOREIGN_WRITER, _) => {
            "see whether F5 CIS has the same tunnel: kubectl get deploy \
                                         -A -o yaml | grep -e flannel-name -e cilium-name"
                .to_owned()
        }
        (reason::CLEANUP_FAILED, _) => release(object, &this).unwrap_or_else(|| describe(&this)),
        (reason::TUNNEL_UNUSABLE, _) => unusable(object).unwrap_or_else(|| describe(&this)),
        (reason::INVALID_SPEC, _) => format!("correct the spec: kubectl edit btun {this}"),
        (_, Some((device, state))) => {
            about_device(object, device, state).unwrap_or_else(|| describe(&this))
        }
        _ => describe(&this),
    }
}

/// How that is let go of which cannot be cleaned up.
fn release(object: &BigIpTunnel, this: &str) -> Option<String> {
    let lost = "if it cannot be reached any more: kubectl bigip-tunnel release";
    if object.metadata.deletion_timestamp.is_some() {
        return Some(format!("{lost} {this}"));
    }
    let mut former = object.status.iter().flat_map(|s| &s.former_devices);
    let device = &former.find(|former| former.reason.is_some())?.name;
    let (name, namespace) = (object.name_any(), object.namespace()?);
    Some(format!("{lost} {name} {device} -n {namespace}"))
}

/// How the tunnel and its profile are looked at on a BIG-IP.
fn unusable(object: &BigIpTunnel) -> Option<String> {
    let path = convert::tunnel_path(&object.spec).ok()?;
    Some(format!(
        "on the BIG-IP: tmsh list net tunnels tunnel {path}; tmsh list net tunnels vxlan; tmsh list \
         net self"
    ))
}

fn describe(this: &str) -> String {
    format!("see all conditions: kubectl describe btun {this}")
}

/// The BIG-IP to look at, as listed in the spec, and what is wrong with it: the one that the tunnel's
/// own reason comes from, else the first.
fn to_look_at<'a>(
    object: &'a BigIpTunnel,
    ready: &Fact,
    devices: &'a [DeviceReport],
) -> Option<(&'a Device, &'a str)> {
    let failing = || devices.iter().filter(|device| device.is_failing());
    let same_reason = failing().find(|device| device.state == ready.reason);
    let device = same_reason.or_else(|| failing().next())?;
    let listed = object
        .spec
        .devices
        .iter()
        .find(|listed| listed.name == device.status.name)?;
    Some((listed, &device.state))
}

fn about_device(object: &BigIpTunnel, device: &Device, state: &str) -> Option<String> {
    let (name, port) = (&device.name, device.port);
    let address = if device.address.contains(':') {
        format!("[{}]:{port}", device.address)
    } else {
        format!("{}:{port}", device.address)
    };
    let secret = || {
        let secret = convert::secret_name(device, &object.spec).ok()?;
        Some(format!(
            "Secret {secret} in namespace {}",
            object.namespace()?
        ))
    };
    Some(match state {
        reason::TIMEOUT
        | reason::CONNECTION_REFUSED
        | reason::CONNECTION_FAILED
        | reason::NAME_NOT_RESOLVED => {
            format!("see whether {name} answers inside the cluster: https://{address}")
        }
        reason::CERTIFICATE_INVALID => {
            format!("compare with the CA bundle: openssl s_client -connect {address} -showcerts")
        }
        reason::CA_BUNDLE_NOT_FOUND | reason::CA_BUNDLE_FORBIDDEN | reason::CA_BUNDLE_INVALID => {
            format!("correct what tls.caBundleRef of {name} names")
        }
        reason::AUTHENTICATION_FAILED
        | reason::NEW_PASSWORD_REFUSED
        | reason::ACCOUNT_LOCKED
        | reason::PASSWORD_EXPIRED
        | reason::SECRET_NOT_FOUND
        | reason::SECRET_FORBIDDEN
        | reason::SECRET_INVALID
        | reason::SECRET_NOT_BOUND
        | reason::ADDRESS_NOT_ALLOWED => format!("correct {}", secret()?),
        reason::AUTHORIZATION_FAILED => {
            format!("give the user of {} more rights on {name}", secret()?)
        }
        reason::DEVICE_IDENTITY_CHANGED => format!(
            "if {name} was replaced on purpose: kubectl bigip-tunnel accept-device {} {name} -n {}",
            object.name_any(),
            object.namespace()?
        ),
        reason::TUNNEL_NOT_FOUND | reason::TUNNEL_MISMATCH => {
            let path = convert::tunnel_path(&object.spec).ok()?;
            format!("on {name}: tmsh list net tunnels tunnel {path}")
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::report::status::StatusReport;
    use crate::testing::{Tunnel, device_failing};

    /// What is said about a tunnel with this reason, and this one of its first BIG-IP.
    fn said(reason: &'static str, device_reason: &'static str) -> String {
        let tunnel = Tunnel::new("prod-east")
            .ready("False", reason, "m")
            .device(device_failing("bigip-a", device_reason));
        let report = StatusReport::new(&[tunnel.read()]);
        report.tunnels[0].next.clone().unwrap()
    }

    #[test]
    fn a_held_removal_says_how_it_is_approved() {
        let said = said(reason::MASS_REMOVAL_BLOCKED, reason::IN_SYNC);
        assert!(
            said.ends_with("kubectl bigip-tunnel approve prod-east -n bigip"),
            "{said}"
        );
    }

    #[test]
    fn the_device_that_the_reason_comes_from_is_looked_at_first() {
        let tunnel = Tunnel::new("prod-east")
            .ready("False", reason::AUTHENTICATION_FAILED, "m")
            .device(device_failing("bigip-a", reason::TIMEOUT))
            .device(device_failing("bigip-b", reason::AUTHENTICATION_FAILED));
        let report = StatusReport::new(&[tunnel.read()]);
        let next = report.tunnels[0].next.as_deref();
        assert_eq!(next, Some("correct Secret bigip-login in namespace bigip"));
    }

    #[test]
    fn what_cannot_be_cleaned_up_is_released() {
        let failed = Tunnel::new("prod-east").ready("False", reason::CLEANUP_FAILED, "m");
        let next = |tunnel: Tunnel| {
            let report = StatusReport::new(&[tunnel.read()]);
            report.tunnels[0].next.clone().unwrap()
        };
        let going = failed.clone().with(
            "/metadata/deletionTimestamp",
            &json!("2026-11-22T06:00:00Z"),
        );
        assert_eq!(
            next(going),
            "if it cannot be reached any more: kubectl bigip-tunnel release prod-east -n bigip"
        );
        let former = failed.former("bigip-c", "192.0.2.13");
        assert_eq!(
            next(former),
            "if it cannot be reached any more: kubectl bigip-tunnel release prod-east bigip-c -n bigip"
        );
    }

    #[test]
    fn a_box_that_was_exchanged_is_accepted() {
        assert_eq!(
            said(
                reason::DEVICE_IDENTITY_CHANGED,
                reason::DEVICE_IDENTITY_CHANGED
            ),
            "if bigip-a was replaced on purpose: kubectl bigip-tunnel accept-device prod-east \
             bigip-a -n bigip"
        );
    }

    #[test]
    fn every_reason_has_a_next_step() {
        let steps = [
            said(reason::PENDING, reason::PENDING),
            said(reason::CONFLICT, reason::CONFLICT),
            said(reason::NODES_SKIPPED, reason::IN_SYNC),
            said(reason::NO_NODES_SELECTED, reason::IN_SYNC),
            said(reason::CILIUM_NODES_UNAVAILABLE, reason::IN_SYNC),
            said(reason::INVALID_SPEC, reason::PENDING),
            said(reason::DEVICE_UNREACHABLE, reason::TIMEOUT),
            said(reason::CERTIFICATE_INVALID, reason::CERTIFICATE_INVALID),
            said(reason::CA_BUNDLE_NOT_FOUND, reason::CA_BUNDLE_NOT_FOUND),
            said(reason::AUTHENTICATION_FAILED, reason::AUTHENTICATION_FAILED),
            said(reason::AUTHORIZATION_FAILED, reason::AUTHORIZATION_FAILED),
            said(reason::TUNNEL_NOT_FOUND, reason::TUNNEL_NOT_FOUND),
            said(reason::WRITE_NOT_EFFECTIVE, reason::WRITE_NOT_EFFECTIVE),
            said(reason::NODE_LIST_FAILED, reason::IN_SYNC),
        ];
        insta::assert_snapshot!(steps.join("\n"), @"
        see whether the operator runs: kubectl get pods -A -l app.kubernetes.io/name=bigip-tunnel-operator
        see which: kubectl bigip-tunnel fdb prod-east -n bigip
        see which: kubectl bigip-tunnel fdb prod-east -n bigip
        compare spec.nodes.selector with the labels: kubectl get nodes --show-labels
        see whether there are any: kubectl get ciliumnodes
        correct the spec: kubectl edit btun prod-east -n bigip
        see whether bigip-a answers inside the cluster: https://192.0.2.11:443
        compare with the CA bundle: openssl s_client -connect 192.0.2.11:443 -showcerts
        correct what tls.caBundleRef of bigip-a names
        correct Secret bigip-login in namespace bigip
        give the user of Secret bigip-login in namespace bigip more rights on bigip-a
        on bigip-a: tmsh list net tunnels tunnel /Common/flannel_vxlan
        see all conditions: kubectl describe btun prod-east -n bigip
        see all conditions: kubectl describe btun prod-east -n bigip
        ");
    }
}
