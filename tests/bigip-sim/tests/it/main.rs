//! Tests of the simulator by what it answers: in process first, then over TLS and as a binary.

#[cfg(test)]
mod arp;
#[cfg(test)]
mod binary;
#[cfg(test)]
mod cluster;
#[cfg(test)]
mod conformance;
#[cfg(test)]
mod conformance_program;
#[cfg(test)]
mod deliveries;
#[cfg(test)]
mod devices;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod lies;
#[cfg(test)]
mod ltm;
#[cfg(test)]
mod manual;
#[cfg(test)]
mod network;
#[cfg(test)]
mod nonsense;
#[cfg(test)]
mod paths;
#[cfg(test)]
mod provisioning;
#[cfg(test)]
mod queries;
#[cfg(test)]
mod raw;
#[cfg(test)]
mod recordings;
#[cfg(test)]
mod records;
#[cfg(test)]
mod refusals;
#[cfg(test)]
mod rights;
#[cfg(test)]
mod routing;
#[cfg(test)]
mod sessions;
#[cfg(test)]
mod support;
#[cfg(test)]
mod system;
#[cfg(test)]
mod tls;
#[cfg(test)]
mod transactions;
#[cfg(test)]
mod transcripts;
#[cfg(test)]
mod tunnel_refusals;
#[cfg(test)]
mod tunnels;
#[cfg(test)]
mod unwell;
