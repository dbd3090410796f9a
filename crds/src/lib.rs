//! The custom resource `BigIpTunnel`: its types, its schema, and the way from Kubernetes objects to
//! the plain values of `core`.
//!
//! Shared by the operator and the plugin, so that both read one object alike. Does no I/O and knows
//! no BIG-IP; what is decided with the values is `core`'s business.

pub mod cilium;
pub mod convert;
pub mod schema;
pub mod status;
pub mod v1alpha1;

/// The CRD as YAML, as `cargo xtask codegen` writes it.
pub const CRD_YAML: &str = include_str!("../bigiptunnels.bigip-tunnel.dev.yaml");

/// API group of the custom resource, and prefix of everything the product puts on objects.
pub const GROUP: &str = "bigip-tunnel.dev";

/// Finalizer that keeps an object until its records are gone from the BIG-IPs.
pub const FINALIZER: &str = "bigip-tunnel.dev/cleanup";

/// Annotation that asks for an immediate pass: any new value does. The value that was acted on is in
/// `status.lastHandledReconcileAt`.
pub const ANNOTATION_RECONCILE_REQUESTED_AT: &str = "bigip-tunnel.dev/reconcile-requested-at";

/// Annotation that stops work on an object when its value is `true`, like `spec.suspend`, but out of
/// reach of tools that write the spec again and again.
pub const ANNOTATION_PAUSED: &str = "bigip-tunnel.dev/paused";

/// Annotation that says why `spec.suspend` is set: for people, the operator does not read it.
pub const ANNOTATION_SUSPEND_REASON: &str = "bigip-tunnel.dev/suspend-reason";

/// Annotation that lets a held removal go: its value is `status.heldRemoval.digest`. The value that
/// was acted on is in `status.lastHandledApproval`.
pub const ANNOTATION_APPROVE_REMOVAL: &str = "bigip-tunnel.dev/approve-removal";

/// Annotation that accepts another unit behind a device's address: `DEVICE=IDENTITY`, with the identity
/// that the status shows as found. Values that were acted on are in `status.handledAcceptances`.
pub const ANNOTATION_ACCEPT_DEVICE: &str = bigip_tunnel_core::answers::ACCEPT_DEVICE;

/// Annotation of the object: releases what cannot be cleaned up, and leaves its records where they are.
/// `true` drops the finalizer of an object that is being deleted; `DEVICE=IDENTITY` of a BIG-IP that is no
/// longer listed ends its clean-up. Values that were acted on are in `status.handledReleases`.
pub const ANNOTATION_RELEASE: &str = "bigip-tunnel.dev/release";

/// Annotation of a Secret: the only addresses its password is sent to, as a comma list of `host` or
/// `host:port`.
pub const ANNOTATION_ALLOWED_ADDRESSES: &str = "bigip-tunnel.dev/allowed-addresses";

/// Label of a CiliumVTEPConfig that the operator wrote; its value is [`MANAGER_OPERATOR`].
pub const LABEL_MANAGED_BY: &str = "app.kubernetes.io/managed-by";

/// Annotation of a CiliumVTEPConfig: uid of the `BigIpTunnel` that it was written for.
pub const ANNOTATION_OWNER_UID: &str = "bigip-tunnel.dev/owner-uid";

/// Field manager of everything that the operator writes to Kubernetes.
pub const MANAGER_OPERATOR: &str = "bigip-tunnel-operator";

/// Field manager of what a person writes to Kubernetes with the plugin.
pub const MANAGER_CLI: &str = "bigip-tunnel-cli";
