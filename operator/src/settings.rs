//! One object's spec, read: every name parsed, every default in place.
//!
//! Whatever cannot be worked with is found here, once, before anything is dialled.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bigip_tunnel_core::desired::{Desired, desired};
use bigip_tunnel_core::drift::DriftPolicy;
use bigip_tunnel_core::mac::MacPrefix;
use bigip_tunnel_core::node::{AddressRule, NodeView};
use bigip_tunnel_core::outcome::{Failure, Transport};
use bigip_tunnel_core::reason::Reason;
use bigip_tunnel_core::tunnel::TunnelPath;
use bigip_tunnel_core::unit::Place;
use bigip_tunnel_crds::ANNOTATION_PAUSED;
use bigip_tunnel_crds::convert::{self, InvalidSpec};
use bigip_tunnel_crds::status::Access;
use bigip_tunnel_crds::v1alpha1::{
    self, BigIpTunnel, BigIpTunnelSpec, BigIpTunnelStatus, BulkWrites, DeletionPolicy, Device,
    FormerDevice, ManagementPolicy, SavePolicy, SecretRef, Tls, TlsVerification,
};
use kube::ResourceExt;
use kube::core::Selector;

/// What an object asks for.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// The tunnel, the same on every device.
    pub(crate) tunnel: TunnelPath,
    /// Prefix of the derived MAC addresses.
    pub(crate) prefix: MacPrefix,
    /// Which nodes.
    pub(crate) selector: Selector,
    /// Which of a node's addresses its record points to.
    pub(crate) addresses: AddressRule,
    /// How long a record outlives its node.
    pub(crate) removal_delay: Duration,
    /// The share of the records that may be removed within an hour, in percent.
    pub(crate) removal_percent: u8,
    /// How often a device is read back.
    pub(crate) interval: Duration,
    /// Quiet time before a save; `None` when nothing is to be saved.
    pub(crate) save_delay: Option<Duration>,
    /// Whether nothing may be written.
    pub(crate) observes: bool,
    /// What is done about records that another writer removed or changed.
    pub(crate) drift: DriftPolicy,
    /// Whether an empty tunnel may be filled by one write.
    pub(crate) bulk_writes: bool,
    /// What becomes of the records when the object is deleted.
    pub(crate) deletion_policy: DeletionPolicy,
    /// The devices, in the order of the spec.
    pub(crate) devices: Vec<DeviceSettings>,
    /// Their names.
    pub(crate) listed: Arc<BTreeSet<String>>,
    /// Addresses that the units had on the tunnel when they were last read: a Node that stands for one
    /// is none.
    pub(crate) units: BTreeSet<IpAddr>,
}

/// One device.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct DeviceSettings {
    /// Its name.
    pub(crate) name: String,
    /// Host name or IP address, in lower case.
    pub(crate) host: String,
    /// TCP port of iControl REST.
    pub(crate) port: u16,
    /// Name of the Secret with the login.
    pub(crate) secret: String,
    /// How its certificate is verified.
    pub(crate) tls: Tls,
}

impl Settings {
    /// Reads a spec.
    pub(crate) fn read(spec: &BigIpTunnelSpec) -> Result<Self, InvalidSpec> {
        let devices: Result<_, _> = spec
            .devices
            .iter()
            .map(|device| DeviceSettings::read(device, spec))
            .collect();
        let save = &spec.save_config;
        Ok(Self {
            tunnel: convert::tunnel_path(spec)?,
            prefix: convert::mac_prefix(spec)?,
            selector: convert::selector(spec)?,
            addresses: convert::address_rule(spec)?,
            removal_delay: seconds(spec.nodes.removal_delay_seconds),
            // Out of range cannot get past the schema; if it does, every removal needs an approval.
            removal_percent: u8::try_from(spec.nodes.max_removal_percent).unwrap_or_default(),
            interval: seconds(spec.drift.interval_seconds),
            save_delay: match save.policy {
                _ if spec.management_policy == ManagementPolicy::Observe => None,
                SavePolicy::OnChange => Some(seconds(save.delay_seconds)),
                SavePolicy::Never => None,
            },
            observes: spec.management_policy == ManagementPolicy::Observe,
            drift: match spec.drift.policy {
                v1alpha1::DriftPolicy::Correct => DriftPolicy::Correct,
                v1alpha1::DriftPolicy::Report => DriftPolicy::Report,
            },
            bulk_writes: spec.fdb.bulk_writes == BulkWrites::WhenEmpty,
            deletion_policy: spec.deletion_policy,
            devices: devices?,
            listed: Arc::new(spec.devices.iter().map(|d| d.name.clone()).collect()),
            units: BTreeSet::new(),
        })
    }

    /// The same, with what the status says of the units.
    pub(crate) fn with_units(self, status: Option<&BigIpTunnelStatus>) -> Self {
        let units = status.map(bigip_tunnel_crds::status::unit_addresses);
        Self {
            units: units.unwrap_or_default(),
            ..self
        }
    }

    /// The worst way in which a device's certificate is verified.
    pub(crate) fn transport(&self) -> Transport {
        let with = |verification| {
            let mut devices = self.devices.iter();
            devices.find(|device| device.tls.verification == verification)
        };
        match (with(TlsVerification::None), with(TlsVerification::Pinned)) {
            (Some(device), _) => Transport::Unverified(device.name.clone()),
            (None, Some(_)) => Transport::Pinned,
            (None, None) => Transport::Verified,
        }
    }

    /// What these nodes ask for.
    pub(crate) fn desired(&self, nodes: &[NodeView]) -> Desired {
        desired(nodes, self.prefix, &self.addresses)
    }

    /// How the devices are reached.
    pub(crate) fn access(&self) -> Vec<Access> {
        self.devices.iter().map(DeviceSettings::access).collect()
    }

    /// The device of this name.
    pub(crate) fn device(&self, name: &str) -> Option<&DeviceSettings> {
        self.devices.iter().find(|device| device.name == name)
    }
}

impl DeviceSettings {
    fn read(device: &Device, spec: &BigIpTunnelSpec) -> Result<Self, InvalidSpec> {
        let tls = device.tls.as_ref().or(spec.tls.as_ref());
        Ok(Self {
            name: device.name.clone(),
            host: device.address.to_ascii_lowercase(),
            port: convert::port(device)?,
            secret: convert::secret_name(device, spec)?.to_owned(),
            tls: tls.cloned().unwrap_or_default(),
        })
    }
}

impl DeviceSettings {
    /// A device that is no longer listed. `None` if its Secret is not known, or what is stored of it makes no
    /// sense.
    pub(crate) fn of_former(former: &FormerDevice) -> Option<Self> {
        let tls = former.tls.as_ref();
        Some(Self {
            name: former.name.clone(),
            host: former.address.to_ascii_lowercase(),
            port: u16::try_from(former.port).ok()?,
            secret: former.credentials_secret_ref.as_ref()?.name.clone(),
            tls: tls.cloned().unwrap_or_default(),
        })
    }

    /// What it takes to log in, as the status keeps it.
    pub(crate) fn access(&self) -> Access {
        Access {
            device: self.name.clone(),
            secret: SecretRef {
                name: self.secret.clone(),
            },
            tls: Some(self.tls.clone()).filter(|tls| *tls != Tls::default()),
        }
    }

    /// Where it is reached.
    pub(crate) fn place(&self) -> Place {
        Place::new(&self.host, self.port)
    }
}

/// The schema allows no negative number; if one gets here all the same it is taken for zero.
fn seconds(number: i32) -> Duration {
    Duration::from_secs(u64::try_from(number).unwrap_or_default())
}

/// An invalid spec as a user sees it.
pub(crate) fn rejected(problem: &InvalidSpec) -> Failure {
    Failure {
        reason: Reason::InvalidSpec,
        message: problem.to_string(),
        retryable: false,
    }
}

/// Why no work is to be done on this object.
pub(crate) fn paused(object: &BigIpTunnel) -> Option<Reason> {
    let annotation = object.annotations().get(ANNOTATION_PAUSED);
    if object.spec.suspend {
        Some(Reason::Suspended)
    } else if annotation.is_some_and(|value| value == "true") {
        Some(Reason::PausedByAnnotation)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn object(change: impl FnOnce(&mut Value)) -> BigIpTunnel {
        let mut object = json!({
            "apiVersion": "bigip-tunnel.dev/v1alpha1",
            "kind": "BigIpTunnel",
            "metadata": {"name": "t", "namespace": "bigip"},
            "spec": {
                "tunnel": {"name": "t"},
                "credentialsSecretRef": {"name": "login"},
                "devices": [{"name": "a", "address": "BIGIP-A.example.net"}],
            },
        });
        change(&mut object);
        serde_json::from_value(object).unwrap()
    }

    fn read(change: impl FnOnce(&mut Value)) -> Settings {
        Settings::read(&object(change).spec).unwrap()
    }

    #[test]
    fn smallest_spec_has_every_default() {
        let settings = read(|_| {});
        let device = settings.device("a").unwrap();
        assert_eq!((&*device.host, device.port), ("bigip-a.example.net", 443));
        assert_eq!(device.secret, "login");
        assert_eq!(settings.removal_delay, Duration::from_secs(60));
        assert_eq!(settings.interval, Duration::from_secs(60));
        assert_eq!(settings.removal_percent, 25);
        assert!(!settings.observes && !settings.bulk_writes && settings.save_delay.is_some());
        assert_eq!(*settings.listed, ["a".to_owned()].into());
    }

    #[test]
    fn observer_saves_nothing() {
        let settings = read(|object| object["spec"]["managementPolicy"] = json!("Observe"));
        assert!(settings.observes && settings.save_delay.is_none());
    }

    #[test]
    fn number_out_of_range_allows_no_removal() {
        let settings = read(|object| {
            object["spec"]["nodes"] = json!({"maxRemovalPercent": 300, "removalDelaySeconds": -1});
        });
        assert_eq!(settings.removal_percent, 0);
        assert_eq!(settings.removal_delay, Duration::ZERO);
    }

    #[test]
    fn worst_verification_of_a_certificate_counts() {
        let with = |verifications: &[&str]| {
            read(|object| {
                let device = |(number, verification): (usize, &&str)| {
                    json!({
                        "name": format!("d{number}"), "address": format!("192.0.2.{number}"),
                        "tls": {"verification": verification},
                    })
                };
                let devices = verifications.iter().enumerate().map(device);
                object["spec"]["devices"] = devices.collect();
            })
            .transport()
        };
        assert_eq!(with(&["Full", "CAOnly"]), Transport::Verified);
        assert_eq!(with(&["Full", "Pinned"]), Transport::Pinned);
        assert_eq!(
            with(&["Pinned", "None"]),
            Transport::Unverified("d1".into())
        );
    }

    #[test]
    fn suspended_object_is_so_whatever_its_annotation_says() {
        let paused_by = |value: &str| {
            object(|o| o["metadata"]["annotations"] = json!({ANNOTATION_PAUSED: value}))
        };
        assert_eq!(paused(&object(|_| {})), None);
        assert_eq!(paused(&paused_by("false")), None);
        assert_eq!(paused(&paused_by("true")), Some(Reason::PausedByAnnotation));
        let suspended = object(|object| object["spec"]["suspend"] = json!(true));
        assert_eq!(paused(&suspended), Some(Reason::Suspended));
    }

    #[test]
    fn former_device_without_known_secret_is_never_reached() {
        let former = |secret: Value| -> FormerDevice {
            serde_json::from_value(json!({
                "name": "a", "address": "BIGIP-A.example.net", "port": 8443,
                "credentialsSecretRef": secret, "since": "2026-11-22T06:39:22Z",
            }))
            .unwrap()
        };
        let known = DeviceSettings::of_former(&former(json!({"name": "login"}))).unwrap();
        assert_eq!(
            (known.host.as_str(), known.port),
            ("bigip-a.example.net", 8443)
        );
        assert_eq!(DeviceSettings::of_former(&former(Value::Null)), None);
    }
}
