//! What became of the work: per device after its last pass, and for the whole object.
//!
//! The only thing that conditions and status are made from. Knows nothing of how they are stored.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write as _};
use std::net::{IpAddr, Ipv4Addr};

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use crate::desired::{Desired, DesiredNode, SkippedNode};
use crate::mac::MacAddress;
use crate::node_evidence::Doubt;
use crate::plan::Plan;
use crate::reason::Reason;
use crate::sharing::HeldBy;
use crate::unit::{PublicKeyHash, UnitFacts};

/// Something that went wrong, in the words that users see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What it is called in the API.
    pub reason: Reason,
    /// What is wrong and what to fix. Never holds a secret or a response body.
    pub message: String,
    /// Whether another try may mend it without a person.
    pub retryable: bool,
}

/// Whether the device answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// Not asked yet in this process.
    Pending,
    /// It answered the last pass.
    Answered,
    /// It did not, or what is needed to ask it is missing.
    Failed(Failure),
}

/// One device after its last pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceReport {
    /// Its name in the spec.
    pub name: String,
    /// Its address in the spec.
    pub address: String,
    /// TCP port of iControl REST in the spec.
    pub port: u16,
    /// Whether it answers.
    pub reach: Reach,
    /// What it told about itself, at the last pass that read it.
    pub facts: Option<UnitFacts>,
    /// Which box it was last known to be, also before this process.
    pub identity: Option<String>,
    /// The key that the unit proved when its facts were last read, in this process.
    pub key: Option<PublicKeyHash>,
    /// Which box answers in its place, where that is another one that nobody has accepted.
    pub found_identity: Option<String>,
    /// What still separated it from the desired records when the last pass that read them ended.
    pub plan: Option<Plan>,
    /// Why it cannot be programmed although it answers.
    pub failure: Option<Failure>,
    /// Why it refuses the password that the Secret holds now, while the login from before is still used.
    pub password_refused: Option<Failure>,
    /// Records that wait for their removal, in the order of their addresses.
    pub leaving: Vec<Leaving>,
    /// Records whose removal only the budget holds.
    pub over_budget: BTreeSet<MacAddress>,
    /// Records that are due for removal and stay for other objects.
    pub held_by_neighbours: Option<NeighbourHold>,
    /// Whether it is only looked at.
    pub observing: bool,
    /// Records of ours that somebody took away or changed, and that are left so on purpose.
    pub reported_drift: usize,
    /// Whether somebody keeps taking our records away.
    pub contended: bool,
    /// When the product last changed its records.
    pub last_change_time: Option<Timestamp>,
    /// When its records were last read.
    pub last_read_time: Option<Timestamp>,
    /// Whether our changes are in its stored configuration.
    pub save: SaveReport,
}

/// How far saving has come on a device.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SaveReport {
    /// Whether the spec asks for saving at all.
    pub enabled: bool,
    /// The oldest change that is not saved.
    pub unsaved_since: Option<Timestamp>,
    /// The last successful save.
    pub last_save_time: Option<Timestamp>,
    /// Why the last save failed, if it did.
    pub failure: Option<Failure>,
}

impl DeviceReport {
    /// A device that has not been asked yet.
    pub fn pending(name: String, address: String, port: u16) -> Self {
        Self {
            name,
            address,
            port,
            reach: Reach::Pending,
            facts: None,
            identity: None,
            key: None,
            found_identity: None,
            plan: None,
            failure: None,
            password_refused: None,
            leaving: Vec::new(),
            over_budget: BTreeSet::new(),
            held_by_neighbours: None,
            observing: false,
            reported_drift: 0,
            contended: false,
            last_change_time: None,
            last_read_time: None,
            save: SaveReport::default(),
        }
    }

    /// What keeps the device from being right, wherever it lies.
    pub fn problem(&self) -> Option<&Failure> {
        match &self.reach {
            Reach::Failed(failure) => Some(failure),
            Reach::Pending | Reach::Answered => self.failure.as_ref(),
        }
    }

    /// Whether the device was last seen to hold the record of this node: `false` also when it was
    /// never read.
    pub fn holds(&self, mac: MacAddress, address: Ipv4Addr) -> bool {
        let present = |plan: &Plan| plan.unchanged.contains(&mac) || plan.adopt.contains(&mac);
        self.plan.as_ref().is_some_and(present) || self.is_own_address(IpAddr::V4(address))
    }

    /// Whether this is the tunnel's own address there, for which no record can be wanted.
    pub fn is_own_address(&self, address: IpAddr) -> bool {
        let local = self
            .facts
            .as_ref()
            .and_then(|facts| facts.tunnel.local_address);
        local.is_some_and(|local| local.address == address)
    }

    /// Whether what the report says of the device is so now: it answered the last pass.
    pub fn is_verified(&self) -> bool {
        self.reach == Reach::Answered
    }

    /// What a user should know of its login although it answers.
    pub fn login_remark(&self) -> Option<String> {
        let refused = self.password_refused.as_ref();
        let refused = refused.filter(|_| self.is_verified())?;
        Some(format!(
            "the login from before the Secret changed is used until its token ends; {}",
            refused.message
        ))
    }

    /// Whether the device answers and is as it should be.
    pub fn is_in_sync(&self, desired: &Desired) -> bool {
        self.is_verified() && self.failure.is_none() && self.holds_all(desired)
    }

    /// Whether the device was last seen to hold every desired record.
    pub fn holds_all(&self, desired: &Desired) -> bool {
        self.plan.is_some()
            && desired
                .nodes
                .iter()
                .all(|(mac, n)| self.holds(*mac, n.address))
    }
}

/// How it is made sure that a password goes to a BIG-IP and to nobody else.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Transport {
    /// Every certificate is verified by its issuer.
    #[default]
    Verified,
    /// Every certificate is verified, one or more by their fingerprint.
    Pinned,
    /// The certificate of this device is not verified.
    Unverified(String),
}

/// The whole object: what its status is made from.
#[derive(Debug, Clone, Copy)]
pub struct TunnelReport<'a> {
    /// What in the spec cannot be worked with.
    pub rejected: Option<&'a Failure>,
    /// Why the nodes are not known.
    pub nodes_failure: Option<&'a Failure>,
    /// Why what Kubernetes says of its nodes is not good enough to remove records by.
    pub nodes_doubt: Option<&'a Doubt>,
    /// What the nodes ask for.
    pub desired: &'a Desired,
    /// The devices, in the order of the spec.
    pub devices: &'a [DeviceReport],
    /// Devices that are no longer listed and still hold records of this object.
    pub former: &'a [DeviceReport],
    /// Whether the object only looks.
    pub observing: bool,
    /// How certificates are verified; `None` where the spec does not say it in a usable way.
    pub transport: Option<&'a Transport>,
    /// Removals that wait for a person.
    pub held: Option<&'a HeldRemoval>,
    /// Whether the object is being deleted.
    pub deleting: bool,
    /// Now, by the clock that dates objects.
    pub now: Timestamp,
}

/// Removals that are more than the budget allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldRemoval {
    /// The records.
    pub macs: BTreeSet<MacAddress>,
    /// When exactly this set was first held.
    pub since: Timestamp,
}

impl HeldRemoval {
    /// Names this set at this time, by SHA-256 over the time and the sorted records: what a person approves
    /// is this and nothing else. A set that is held again later has another digest, so that an old approval
    /// does nothing.
    pub fn digest(&self) -> String {
        let mut hasher = Sha256::new();
        hasher.update(self.since.as_second().to_be_bytes());
        for mac in &self.macs {
            hasher.update(mac.octets());
        }
        let hash = hasher.finalize();
        let mut digest = String::new();
        for byte in hash {
            // Writing to a string does not fail.
            let _: fmt::Result = write!(digest, "{byte:02x}");
        }
        digest
    }
}

/// Records that stay on a device only for other objects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NeighbourHold {
    /// How many.
    pub count: usize,
    /// The first object that one of them stays for; `None` while not all objects were seen.
    pub by: Option<HeldBy>,
}

impl fmt::Display for NeighbourHold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.count {
            1 => f.write_str("1 record is due for removal and stays: ")?,
            count => write!(f, "{count} records are due for removal and stay: ")?,
        }
        match &self.by {
            Some(by) => by.fmt(f),
            None => f.write_str(
                "not all BigIpTunnels have been read yet, so it is not known what others need",
            ),
        }
    }
}

/// A record whose node is gone and which has not been removed yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaving {
    /// The node's name, where it is known.
    pub node: Option<String>,
    /// The node's address.
    pub address: IpAddr,
    /// When the node was first seen missing.
    pub since: Timestamp,
    /// When the record may go at the earliest, if only time keeps it.
    pub removable_at: Option<Timestamp>,
}

impl TunnelReport<'_> {
    /// How many nodes have their record on every device. `None` while a device does not answer: what it
    /// holds is not known.
    pub fn programmed_nodes(&self) -> Option<usize> {
        if !self.devices.iter().all(DeviceReport::is_verified) {
            return None;
        }
        let on_all = |(mac, node): &(&MacAddress, &DesiredNode)| {
            self.devices
                .iter()
                .all(|device| device.holds(**mac, node.address))
        };
        Some(self.desired.nodes.iter().filter(on_all).count())
    }

    /// Selected nodes without a usable address, apart from those that have just joined. One that keeps a
    /// record had an address before.
    pub fn skipped(&self) -> impl Iterator<Item = &SkippedNode> {
        let is_joining = |node: &SkippedNode| {
            node.is_joining(self.now) && self.kept_record(&node.name).is_none()
        };
        let skipped = self.desired.skipped.iter();
        skipped.filter(move |node| !is_joining(node))
    }

    /// The nodes that a user should know of: those without a record, and those whose record may not be the
    /// right one.
    pub fn troubled(&self) -> impl Iterator<Item = &SkippedNode> {
        self.skipped().chain(&self.desired.unstable)
    }

    /// How many nodes have just joined and wait for their address.
    pub fn joining(&self) -> usize {
        self.desired.skipped.len() - self.skipped().count()
    }

    /// The record that a node without a usable address keeps: that of an address it had before.
    pub fn kept_record(&self, node: &str) -> Option<&Leaving> {
        let mut leaving = self.devices.iter().flat_map(|device| &device.leaving);
        leaving.find(|leaving| leaving.node.as_deref() == Some(node))
    }

    /// The nodes whose record waits for its removal somewhere, each once. Those that only wait for their
    /// time come first: what is left of those that are due is held.
    pub fn leaving_nodes(&self) -> Vec<&Leaving> {
        let all = self.devices.iter().flat_map(|device| &device.leaving);
        let by_address: BTreeMap<IpAddr, &Leaving> = all.map(|l| (l.address, l)).collect();
        let mut leaving: Vec<&Leaving> = by_address.into_values().collect();
        leaving.sort_by_key(|leaving| leaving.removable_at.is_none());
        leaving
    }
}
