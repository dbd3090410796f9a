//! A simulated F5 BIG-IP: the part of iControl REST that has to do with tunnels and their forwarding
//! database (FDB), over TLS.
//!
//! Every behaviour names where it was seen, or is called *assumed*. Most sources are recordings in
//! public repositories and issue threads: genieparser (`CiscoTestAutomation`), CIS
//! (F5Networks/k8s-bigip-ctlr), FCP (F5Networks/f5-common-python), CCCL (f5devcentral/f5-cccl), OSA
//! (F5Networks/f5-openstack-agent), ANS (F5Networks/f5-ansible), BRG (f5devcentral/f5-bigip-rest-go),
//! EC (electric-cloud-community/EC-BigIp), AS3 (F5Networks/f5-appsvcs-extension), TS
//! (F5Networks/f5-telemetry-streaming), CLIBS (F5Networks/f5-cloud-libs), CIDOCS
//! (f5devcentral/f5-ci-docs), LAB (f5devcentral/f5-automation-labs), SWG
//! (bmarshall13/f5-rest-swagger), BIGREST (leonardobdes/BIGREST), POSH-LTM-Rest; `#n` is an issue
//! there. What a device has and is not simulated is refused with 501 rather than guessed; what no device has, as a
//! device refuses it. Clients of others run unchanged against it, and answers of devices are replayed
//! (`tests/clients`, `tests/fixtures/recordings`).
//!
//! [`State`] is the device without a network, [`Simulator`] the same behind a socket. The crate uses
//! no type of the product it tests, so that one mistake cannot hide in both.
//!
//! ```
//! use bigip_sim::{Effect, Fault, Method, SimConfig, Simulator, TunnelConfig, UserConfig};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let sim = Simulator::start(SimConfig {
//!     users: vec![UserConfig::new("admin", "s3cret")],
//!     tunnels: vec![TunnelConfig::vxlan("/Common/flannel_vxlan", "10.169.72.34")],
//!     ..SimConfig::default()
//! })
//! .await?;
//! // A foreign record, and a device that answers the second POST with a closed connection.
//! sim.seed_record("/Common/flannel_vxlan", "02:00:00:00:00:01", "10.9.9.9%0")?;
//! sim.fault(Fault::new(Effect::drop_after_commit()).method(Method::POST).nth(2));
//! // … point a client at sim.address(), trusting sim.ca_pem(), then look at what it did:
//! assert_eq!(sim.records("/Common/flannel_vxlan").len(), 1);
//! assert_eq!(sim.mutations(), 0);
//! # Ok(())
//! # }
//! ```

mod accounts;
mod addresses;
mod config;
mod configuration;
pub mod conformance;
#[cfg(target_os = "linux")]
mod dataplane;
mod failure;
mod faults;
mod journal;
mod log;
#[cfg(target_os = "linux")]
pub mod netns;
mod ping;
mod resources;
mod schema;
mod server;
#[cfg(unix)]
pub mod shutdown;
mod state;
mod tls;
mod tmos;
mod validate;
mod wire;

pub use config::{
    ConfigError, DEFAULT_TOKEN_LIMIT, FailoverState, FloodingType, Peer, Profile, ProfileKind,
    RepeatedRecords, Rights, SelfIp, SimConfig, SourceTranslation, TunnelConfig, TwoCredentials,
    UnknownValue, UserConfig, VirtualServer,
};
#[cfg(target_os = "linux")]
pub use dataplane::{DataPlaneConfig, DataPlaneError};
pub use faults::{
    Answer, Commit, Delivery, Effect, Fault, FaultId, Given, Moment, Preset, ScriptError,
};
pub use hyper::Method;
pub use hyper::header::{HeaderName, HeaderValue};
pub use journal::{Journal, RecordChange, Write};
pub use log::LoggedRequest;
pub use ping::{PingArguments, PingArgumentsError};
pub use server::{Simulator, StartError, Timeout, Watched};
pub use state::{Client, Held, Reboot, Reply, Snapshot, State};
pub use tls::{TlsError, TlsProfile};
pub use tmos::{TmosVersion, UnknownVersion};
