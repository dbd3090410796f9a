//! What is found: a sentence, its weight, and the kind of problem. Knows no check codes and no conditions.

/// How a question ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// It is as it should be.
    Holds,
    /// It could not be judged.
    NotJudged,
    /// It may be a fault.
    Warning,
    /// It is a fault.
    Error,
}

/// Kinds of problems, each with an advice of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Problem {
    /// Something could not be read, or is not said by the cluster.
    Unreadable,
    /// A unit's tunnel has another VNI than Cilium uses.
    WrongVni,
    /// A unit's tunnel speaks another protocol, or to another port.
    WrongProtocol,
    /// VTEP is off, or has no endpoint.
    VtepOff,
    /// No entry has a unit's local address.
    EndpointMissing,
    /// An entry has another MAC address than the tunnel.
    MacMismatch,
    /// A self IP is outside the networks of its entries, or the mask does not match them.
    NetworkMismatch,
    /// Agents started before the configuration changed.
    AgentsOutdated,
    /// Nodes talk without a tunnel.
    NativeRouting,
    /// Encryption is in the way, or is not known to work.
    Encryption,
    /// There are more entries than the table holds.
    TooManyEntries,
    /// An entry cannot be read.
    InvalidEntry,
    /// A version with a broken VTEP runs.
    BrokenVersion,
    /// Policies let nothing in from outside.
    PoliciesClosed,
    /// The network of an entry overlaps one of the cluster.
    NetworkOverlap,
    /// Two entries have one network.
    NetworkTwice,
    /// The underlay, or the whole cluster, is IPv6.
    NoIpv4,
    /// Nodes and CiliumNodes differ.
    NodesDiffer,
    /// There is no `cilium-config`.
    ConfigMissing,
    /// Values are overridden for some nodes, and which of them counts is not known.
    Overridden,
    /// Entries stand in `cilium-config` and in objects, and differ.
    TwoSources,
    /// An agent could not program an entry.
    NotProgrammed,
    /// Pods send larger packets than a BIG-IP expects.
    Mtu,
}

impl Problem {
    /// All kinds.
    pub const ALL: [Self; 23] = [
        Self::Unreadable,
        Self::WrongVni,
        Self::WrongProtocol,
        Self::VtepOff,
        Self::EndpointMissing,
        Self::MacMismatch,
        Self::NetworkMismatch,
        Self::AgentsOutdated,
        Self::NativeRouting,
        Self::Encryption,
        Self::TooManyEntries,
        Self::InvalidEntry,
        Self::BrokenVersion,
        Self::PoliciesClosed,
        Self::NetworkOverlap,
        Self::NetworkTwice,
        Self::NoIpv4,
        Self::NodesDiffer,
        Self::ConfigMissing,
        Self::Overridden,
        Self::TwoSources,
        Self::NotProgrammed,
        Self::Mtu,
    ];
}

/// The answer to one question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How it ended.
    pub weight: Weight,
    /// The kind of problem, where there is one.
    pub problem: Option<Problem>,
    /// What was found, as a sentence.
    pub text: String,
    /// What to do, where that is more exact than the general advice for the problem.
    pub fix: Option<String>,
    /// Namespace, name and device of the unit that it is about, if it is about one.
    pub unit: Option<UnitKey>,
}

/// The unit of a tunnel.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct UnitKey {
    /// Namespace of the object.
    pub namespace: String,
    /// Name of the object.
    pub object: String,
    /// Name of the device.
    pub device: String,
}

impl Finding {
    /// It is as it should be.
    pub fn holds(text: impl Into<String>) -> Self {
        Self::new(Weight::Holds, None, text.into())
    }

    /// It may be a fault.
    pub fn warning(problem: Problem, text: impl Into<String>) -> Self {
        Self::new(Weight::Warning, Some(problem), text.into())
    }

    /// It is a fault.
    pub fn error(problem: Problem, text: impl Into<String>) -> Self {
        Self::new(Weight::Error, Some(problem), text.into())
    }

    /// It could not be judged.
    pub fn not_judged(problem: Problem, text: impl Into<String>) -> Self {
        Self::new(Weight::NotJudged, Some(problem), text.into())
    }

    /// The same with an advice of its own.
    #[must_use]
    pub fn with_fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = Some(fix.into());
        self
    }

    /// The same about this unit.
    #[must_use]
    pub fn about(mut self, unit: &UnitKey) -> Self {
        self.unit = Some(unit.clone());
        self
    }

    fn new(weight: Weight, problem: Option<Problem>, text: String) -> Self {
        Self {
            weight,
            problem,
            text,
            fix: None,
            unit: None,
        }
    }
}
