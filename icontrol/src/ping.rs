//! A ping that a unit sends: `util/ping`.
//!
//! Changes no configuration, and is no business of a queue of writes. Its arguments are words for a program on
//! the unit, so that they are made of parsed addresses alone. What an answer proves is not decided here.

use std::net::Ipv4Addr;

use crate::error::Error;
use crate::transport::{Body, Request, Verb};
use crate::unit::Unit;
use crate::{normalise, path, wire};

/// What came of a ping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Echo {
    /// The address answered.
    Answered {
        /// How long the answer took, in microseconds, where it is said.
        round_trip_us: Option<u64>,
    },
    /// Nothing answered in time.
    Silent,
    /// No echo request was sent.
    NotSent {
        /// What the program says, in its own words; at most 200 characters.
        said: String,
    },
}

impl Unit {
    /// Pings an address from this self IP, in route domain 0: `POST util/ping`. One echo request; where it is not
    /// answered at once, requests go on for 2 s.
    ///
    /// Always with a source: without one the request could leave by the management route. Never sent twice, also
    /// not after an uncertain answer. The form of request and answer is that of public clients of `util/ping`
    /// (f5-cloud-libs `bigIp.js` and its test); that the program is iputils is seen in what it prints there. The
    /// role that may ping is *assumed* to be Administrator or Resource Administrator.
    ///
    /// # Errors
    ///
    /// If the unit does not answer, refuses, or answers in another form. After an uncertain error the ping may
    /// have been sent.
    pub async fn ping(&self, source: Ipv4Addr, address: Ipv4Addr) -> Result<Echo, Error> {
        let body = wire::Utility {
            command: "run",
            util_cmd_args: format!("-n -c 1 -W 1 -w 2 -I {source} {address}"),
        };
        let request = Request {
            verb: Verb::Post,
            resource: normalise::ping::RESOURCE,
            path: path::PING.to_owned(),
            body: Some(normalise::render(&body)),
            deadline: self.limits().read,
        };
        let answer = self.send(&request, &mut Body::Keep).await?;
        self.parsed(normalise::ping::echo(&answer, address))
    }
}
