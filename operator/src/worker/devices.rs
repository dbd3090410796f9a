//! The tasks of an object's devices: begun and ended as the list of devices changes.

use std::sync::Arc;

use bigip_tunnel_core::outcome::DeviceReport;
use bigip_tunnel_crds::status;
use bigip_tunnel_crds::v1alpha1::BigIpTunnelStatus;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use super::Worker;
use crate::device::{DeviceContext, DeviceUpdate, keep_running};
use crate::log;
use crate::settings::DeviceSettings;

/// A running device task, and what it reported last.
pub(super) struct DeviceHandle {
    pub(super) stop: CancellationToken,
    pub(super) last: Option<DeviceUpdate>,
}

impl Worker {
    pub(super) fn start_device(&mut self, device: &DeviceSettings, stored: &BigIpTunnelStatus) {
        let name = &device.name;
        let Some(work) = self.phase.sender() else {
            return;
        };
        let (namespace, object) = self.key.clone();
        let stop = self.stop.child_token();
        let ctx = Arc::new(DeviceContext {
            shared: self.shared.clone(),
            namespace,
            object,
            device: name.clone(),
            metrics: self.shared.metrics.objects.device(&self.key, name),
            ledger: self.ledger.clone(),
            identities: self.identities.clone(),
            stop: stop.clone(),
        });
        let pending = DeviceReport::pending(name.clone(), device.host.clone(), device.port);
        let report = status::resume(pending, stored);
        let run = keep_running(ctx, report, work.subscribe(), self.updates.0.clone());
        // In the span of the object, which this task is in.
        self.tasks.spawn(run.instrument(log::of_device(name)));
        self.devices
            .insert(name.clone(), DeviceHandle { stop, last: None });
    }

    pub(super) fn stop_devices(&mut self, which: impl Fn(&str) -> bool) {
        self.devices.retain(|name, device| {
            let stops = which(name);
            if stops {
                device.stop.cancel();
                self.shared.metrics.objects.forget_device(&self.key, name);
            }
            !stops
        });
    }
}
