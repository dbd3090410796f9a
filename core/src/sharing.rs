//! Several objects on one tunnel: which record may one of them not remove, and to which object is it left?
//!
//! `unit`: whether two devices are one unit. `part`: what another object has a say in on a unit. `needs`:
//! which records stay for it. A record stays while another object claims it there, or desires it and has
//! standing. Nothing here knows how objects are found; time is a parameter.

mod needs;
mod part;
mod unit;

pub use self::needs::{HeldBy, Needs, Neighbour, Wants, Why};
pub use self::part::{
    Activity, Claimed, NOT_KNOWN_YET, Ours, Part, STANDING, TheirDevice, Theirs, part,
};
pub use self::unit::{SameUnit, UnitEvidence, same_unit};
