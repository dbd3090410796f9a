//! Kubernetes objects to the plain values of `core`, the same for the operator and the plugin.
//!
//! Says what cannot be used and which field to fix. Does no I/O and decides nothing about records.

mod binding;
pub mod cilium;
mod claims;
mod credentials;
mod login;
mod node;
mod seen;
mod spec;

pub use self::binding::{
    BindingProblem, HostPort, binding_command, check_binding, devices_with_secret,
};
pub use self::claims::{UnreadableClaims, claims, ownership, removal_window, stored_window};
pub use self::credentials::{
    BundleProblem, Credentials, SecretProblem, ca_from_config_map, ca_from_secret,
    credentials_from_secret,
};
pub(crate) use self::login::stored_login;
pub use self::login::{login, logins};
pub use self::node::{NodeParts, addresses, has_kubelet, node_traits, node_view, traits_of};
pub use self::seen::seen;
pub use self::spec::{
    InvalidSpec, address_rule, mac_prefix, port, secret_name, selector, tunnel_path,
};
