//! The conformance set: exchanges with their sources, run against a device, simulated or real.
//!
//! No BIG-IP was at hand when this was written. A fixture says what a device is expected to answer and
//! from where that is known; run against the simulator it holds the simulator to its sources, run
//! against a real device it tells which sources and assumptions hold there. It knows nothing of how the
//! simulator works: it is a client like any other.

mod expect;
mod fixture;
mod run;
mod target;

pub use fixture::{Evidence, Fixture, LoadError, Needs, load};
pub use run::{Allowed, Finding, Report, Result as FixtureResult, RunError, run};
pub use target::{Credentials, Pin, PinError, Target, TargetError, Trust};
