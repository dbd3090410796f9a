//! What a person does next about a tunnel that is not ready: one line, by the reason.
//!
//! Names only commands that exist. Knows nothing that the object does not say.

use std::collections::BTreeSet;

use bigip_tunnel_core::reason::Reason;
use bigip_tunnel_crds::convert;
use bigip_tunnel_crds::v1alpha1::{BigIpTunnel, Device};
use kube::ResourceExt as _;

use super::status::{DeviceReport, Fact};
use crate::catalogue::reasons;
use crate::operator;

/// The line.
pub(crate) fn next(object: &BigIpTunnel, ready: &Fact, devices: &[DeviceReport]) -> String {
    let this = format!(
        "{} -n {}",
        object.name_any(),
        object.namespace().unwrap_or_default()
    );
    let of_object = ready
        .known_reason()
        .and_then(|reason| about_object(object, reason, &this));
    let of_device = || {
        let (device, reason) = to_look_at(object, ready, devices)?;
        about_device(object, device, reason?)
    };
    of_object
        .or_else(of_device)
        .unwrap_or_else(|| explain(&ready.reason, &this))
}

/// What the object's own reason asks for. `None` where a device says more, or nothing is to be done.
fn about_object(object: &BigIpTunnel, reason: Reason, this: &str) -> Option<String> {
    Some(match reason {
        Reason::Pending => operator::SEE_WHETHER_IT_RUNS.to_owned(),
        Reason::Progressing => {
            format!("it is worked on; to wait for it: kubectl bigip-tunnel status {this} --wait")
        }
        Reason::Conflict
        | Reason::RecordUnreadable
        | Reason::NodesSkipped
        | Reason::DriftReported => format!("see which: kubectl bigip-tunnel fdb {this}"),
        Reason::NoNodesSelected => {
            "compare spec.nodes.selector with the labels: kubectl get nodes --show-labels"
                .to_owned()
        }
        Reason::CiliumNodesUnavailable => {
            "see whether there are any: kubectl get ciliumnodes".to_owned()
        }
        Reason::MassRemovalBlocked => {
            format!("if these nodes are really gone: kubectl bigip-tunnel approve {this}")
        }
        Reason::ForeignWriter => "see whether F5 CIS has the same tunnel: kubectl get deploy \
                                  -A -o yaml | grep -e flannel-name -e cilium-name"
            .to_owned(),
        Reason::HeldByNeighbour => {
            format!("see which object needs the records: kubectl describe btun {this}")
        }
        Reason::TooManyNodes => {
            format!("select fewer nodes (spec.nodes.selector): kubectl edit btun {this}")
        }
        Reason::CleaningUp => {
            format!("to wait for it: kubectl wait --for=delete --timeout=5m btun {this}")
        }
        Reason::InternalError => {
            "report it with a support bundle: kubectl bigip-tunnel bundle".to_owned()
        }
        Reason::CleanupFailed => return release(object, this),
        Reason::TunnelUnusable => return unusable(object),
        Reason::InvalidSpec => format!("correct the spec: kubectl edit btun {this}"),
        Reason::Suspended | Reason::PausedByAnnotation => {
            format!("to go on: kubectl bigip-tunnel resume {this}")
        }
        _ => return None,
    })
}

/// What any other reason asks for: its own page where there is one.
fn explain(reason: &str, this: &str) -> String {
    match reasons::find(reason) {
        Some(reason) if reason.code.is_some() => {
            format!("what to do: kubectl bigip-tunnel explain {}", reason.name)
        }
        _ => describe(this),
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
    let devices = object.status.iter().flat_map(|status| &status.devices);
    let tunnels = devices.filter_map(|device| device.tunnel.as_ref());
    let kinds: BTreeSet<&str> = tunnels
        .filter_map(|tunnel| tunnel.encapsulation.as_deref())
        .collect();
    let commands = [format!("tunnel {path}")].into_iter();
    let commands = commands.chain(kinds.into_iter().map(str::to_owned));
    let commands: Vec<String> = commands
        .map(|command| format!("tmsh list net tunnels {command}; "))
        .collect();
    Some(format!(
        "on the BIG-IP: {}tmsh list net self",
        commands.concat()
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
) -> Option<(&'a Device, Option<Reason>)> {
    let failing = || devices.iter().filter(|device| device.is_failing());
    let same_reason = failing().find(|device| device.state == ready.reason);
    let device = same_reason.or_else(|| failing().next())?;
    let listed = object
        .spec
        .devices
        .iter()
        .find(|listed| listed.name == device.status.name)?;
    Some((listed, device.reason()))
}

fn about_device(object: &BigIpTunnel, device: &Device, reason: Reason) -> Option<String> {
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
    Some(match reason {
        Reason::Timeout
        | Reason::ConnectionRefused
        | Reason::ConnectionFailed
        | Reason::NameNotResolved => {
            format!("see whether {name} answers inside the cluster: https://{address}")
        }
        Reason::CertificateInvalid => {
            format!("compare with the CA bundle: openssl s_client -connect {address} -showcerts")
        }
        Reason::CaBundleNotFound | Reason::CaBundleForbidden | Reason::CaBundleInvalid => {
            format!("correct what tls.caBundleRef of {name} names")
        }
        Reason::AuthenticationFailed
        | Reason::NewPasswordRefused
        | Reason::AccountLocked
        | Reason::PasswordExpired
        | Reason::SecretNotFound
        | Reason::SecretForbidden
        | Reason::SecretInvalid
        | Reason::SecretNotBound
        | Reason::AddressNotAllowed => format!("correct {}", secret()?),
        Reason::AuthorizationFailed => {
            format!("give the user of {} more rights on {name}", secret()?)
        }
        Reason::DeviceIdentityChanged => format!(
            "if {name} was replaced on purpose: kubectl bigip-tunnel accept-device {} {name} -n {}",
            object.name_any(),
            object.namespace()?
        ),
        Reason::TunnelNotFound | Reason::TunnelMismatch => {
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
    fn said(reason: Reason, device_reason: Reason) -> String {
        let tunnel = Tunnel::new("prod-east")
            .ready("False", reason, "m")
            .device(device_failing("bigip-a", device_reason));
        let report = StatusReport::new(&[tunnel.read()]);
        report.tunnels[0].next.clone().unwrap()
    }

    #[test]
    fn blocked_removal_shows_the_approve_command() {
        let said = said(Reason::MassRemovalBlocked, Reason::InSync);
        assert!(
            said.ends_with("kubectl bigip-tunnel approve prod-east -n bigip"),
            "{said}"
        );
    }

    #[test]
    fn device_with_the_reason_is_shown_first() {
        let tunnel = Tunnel::new("prod-east")
            .ready("False", Reason::AuthenticationFailed, "m")
            .device(device_failing("bigip-a", Reason::Timeout))
            .device(device_failing("bigip-b", Reason::AuthenticationFailed));
        let report = StatusReport::new(&[tunnel.read()]);
        let next = report.tunnels[0].next.as_deref();
        assert_eq!(next, Some("correct Secret bigip-login in namespace bigip"));
    }

    #[test]
    fn blocked_cleanup_shows_the_release_command() {
        let failed = Tunnel::new("prod-east").ready("False", Reason::CleanupFailed, "m");
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
    fn replaced_unit_shows_the_accept_command() {
        assert_eq!(
            said(Reason::DeviceIdentityChanged, Reason::DeviceIdentityChanged),
            "if bigip-a was replaced on purpose: kubectl bigip-tunnel accept-device prod-east \
             bigip-a -n bigip"
        );
    }

    /// Reasons that ask for nothing beyond `kubectl describe`: they are good, pass by themselves, or are never shown
    /// as the reason of `Ready` or of a device.
    const NOTHING_TO_DO: &[Reason] = &[
        Reason::InSync,
        Reason::ProgressingWithRetry,
        Reason::Accepted,
        Reason::DevicesProgrammed,
        Reason::NodeListIncomplete,
        Reason::NodeListUncounted,
        Reason::NodeListStale,
        Reason::NodeListContradicted,
        Reason::Answered,
        Reason::Verified,
        Reason::Pinned,
        Reason::Usable,
        Reason::PeersListed,
        Reason::CiliumVerified,
        Reason::CiliumVerificationOff,
        Reason::VtepProgrammed,
        Reason::VtepNotConfirmed,
        Reason::FeatureGateDisabled,
        Reason::VtepConfigNotServed,
        Reason::VtepConfigForbidden,
        Reason::VtepConfigConflict,
        Reason::VtepConfigNotOurs,
        Reason::VtepConfigNotAlone,
        Reason::VtepConfigRejected,
        Reason::VtepMacUnknown,
        Reason::VtepMacInvalid,
        Reason::VtepMacAmbiguous,
        Reason::VtepPrefixesDiffer,
        Reason::SelfIpFloating,
        Reason::TooManySelfIps,
        Reason::NameTooLong,
        Reason::Saved,
        Reason::SavePending,
    ];

    #[test]
    fn every_reason_has_a_next_step() {
        let described: Vec<Reason> = Reason::ALL
            .iter()
            .copied()
            .filter(|reason| said(*reason, *reason).starts_with("see all conditions"))
            .collect();
        assert_eq!(described, NOTHING_TO_DO);
    }

    #[test]
    fn next_step_follows_from_the_reason() {
        let steps = [
            said(Reason::Pending, Reason::Pending),
            said(Reason::Conflict, Reason::Conflict),
            said(Reason::NodesSkipped, Reason::InSync),
            said(Reason::NoNodesSelected, Reason::InSync),
            said(Reason::CiliumNodesUnavailable, Reason::InSync),
            said(Reason::InvalidSpec, Reason::Pending),
            said(Reason::DeviceUnreachable, Reason::Timeout),
            said(Reason::CertificateInvalid, Reason::CertificateInvalid),
            said(Reason::CaBundleNotFound, Reason::CaBundleNotFound),
            said(Reason::AuthenticationFailed, Reason::AuthenticationFailed),
            said(Reason::AuthorizationFailed, Reason::AuthorizationFailed),
            said(Reason::TunnelNotFound, Reason::TunnelNotFound),
            said(Reason::WriteNotEffective, Reason::WriteNotEffective),
            said(Reason::NodeListFailed, Reason::InSync),
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
        what to do: kubectl bigip-tunnel explain WriteNotEffective
        what to do: kubectl bigip-tunnel explain NodeListFailed
        ");
    }
}
