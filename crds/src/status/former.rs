//! How devices are reached, as the status keeps it, and those that are no longer listed.
//!
//! Pure.

use bigip_tunnel_core::former::surplus;
use bigip_tunnel_core::outcome::{DeviceReport, Reach};

use super::{DEVICES_MAX, clamp, count};
use crate::v1alpha1::{DeviceStatus, FormerDevice, SecretRef, Tls};

/// What it takes to log in to a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    /// Name of the device.
    pub device: String,
    /// Secret with the login.
    pub secret: SecretRef,
    /// How the certificate is verified, where the spec says so.
    pub tls: Option<Tls>,
}

impl Access {
    /// Notes it in the status of the device.
    pub fn note(&self, status: &mut DeviceStatus) {
        status.credentials_secret_ref = Some(self.secret.clone());
        status.tls.clone_from(&self.tls);
    }
}

/// The former devices, with what keeps their records there.
pub(super) fn former_devices(
    reports: &[DeviceReport],
    former: &[FormerDevice],
) -> Vec<FormerDevice> {
    let since = former.iter().map(|device| (&*device.name, device.since.0));
    let surplus = surplus(since, DEVICES_MAX);
    let kept = former
        .iter()
        .filter(|device| !surplus.contains(&device.name));
    let shown = kept.map(|device| {
        let report = reports.iter().find(|report| report.name == device.name);
        let problem = report.and_then(DeviceReport::problem);
        let read = report.filter(|report| report.reach == Reach::Answered);
        let plan = read.and_then(|report| report.plan.as_ref());
        FormerDevice {
            records: plan.map(|plan| count(plan.remove.len())),
            reason: problem.map(|problem| problem.reason.as_str().to_owned()),
            message: problem.map(|problem| clamp(&problem.message, 512)),
            ..device.clone()
        }
    });
    shown.collect()
}
