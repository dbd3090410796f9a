//! Tests of the simulator by what it answers: in process first, then over TLS and as a binary.

#[cfg(test)]
mod arp;
#[cfg(test)]
mod binary;
#[cfg(test)]
mod cluster;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod network;
#[cfg(test)]
mod nonsense;
#[cfg(test)]
mod objects;
#[cfg(test)]
mod queries;
#[cfg(test)]
mod records;
#[cfg(test)]
mod refusals;
#[cfg(test)]
mod routing;
#[cfg(test)]
mod sessions;
#[cfg(test)]
mod support;
#[cfg(test)]
mod system;
#[cfg(test)]
mod transactions;
#[cfg(test)]
mod transcripts;
#[cfg(test)]
mod tunnels;
