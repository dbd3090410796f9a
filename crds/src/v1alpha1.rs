//! Version `v1alpha1` of `BigIpTunnel`: plain data, exactly as stored in the Kubernetes API.
//!
//! The doc comments of the fields are the manual: `kubectl explain` shows them. Nothing here
//! decides anything or knows what the values are used for.

mod cilium;
#[expect(
    unreachable_pub,
    reason = "the derive of `KubeSchema` repeats the types inside of a function"
)]
mod device;
mod login;
mod ownership;
mod removal;
#[expect(
    clippy::duplicated_attributes,
    reason = "printer columns have their type and priority in common"
)]
#[expect(
    unreachable_pub,
    reason = "the derive of `KubeSchema` repeats the types inside of a function"
)]
mod spec;
mod status;

pub use self::cilium::*;
pub use self::device::*;
pub use self::login::*;
pub use self::ownership::*;
pub use self::removal::*;
pub use self::spec::*;
pub use self::status::*;
