//! The conformance set: exchanges with their sources, run against a device, simulated or real.
//!
//! No BIG-IP was at hand when this was written. A fixture says what a device is expected to answer and
//! from where that is known; run against the simulator it holds the simulator to its sources, run
//! against a real device it tells which sources and assumptions hold there, and what it answers to questions
//! on which nothing depends. It knows nothing of how the simulator works: it is a client like any other.

mod calls;
mod conversation;
mod expect;
mod fixture;
mod report;
mod run;
mod target;
mod throwaway;

pub use calls::{Call, Right};
pub use fixture::{Evidence, Expect, Fixture, LoadError, Needs, Step, load};
pub use report::{Finding, Outcome, Report};
pub use run::{Allowed, RunError, run};
pub use target::{Credentials, Pin, PinError, Target, TargetError, Trust};
