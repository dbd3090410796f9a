//! The ARP entries of a unit, learned ones among them: `net/arp/stats`.
//!
//! Read for a proof that pods are reached. Nothing here deletes an entry, and nothing decides what one means.

use bigip_tunnel_core::arp::ArpEntry;

use crate::client::Client;
use crate::error::Error;
use crate::normalise::arp::Entries;
use crate::path;

impl Client {
    /// Reads the ARP entries with an IPv4 address: one `GET` of `net/arp/stats`, however many there are.
    ///
    /// The properties are those that public scripts read; that an entry without an answer has the MAC address
    /// `incomplete` and that the interface is a full path is seen in output of `tmsh show net arp`. Entries whose
    /// address cannot be read are left out.
    ///
    /// # Errors
    ///
    /// If the unit does not answer, refuses, or answers in another form. The list is complete or the call fails.
    pub async fn arp_entries(&self) -> Result<Vec<ArpEntry>, Error> {
        Ok(self.collection::<Entries>(path::ARP_STATS).await?.entries)
    }
}
