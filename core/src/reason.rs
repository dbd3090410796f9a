//! Reasons of conditions, of skipped nodes and of problems: strings that users read as an API.
//!
//! Operator, plugin, documents and alerts take them from here. A reason that was released never gets another
//! meaning.

use strum::{Display, EnumString, IntoStaticStr, VariantArray};

/// Why a condition has its status, or a node has no record.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Display,
    EnumString,
    IntoStaticStr,
    VariantArray,
)]
pub enum Reason {
    /// Everything is as desired.
    InSync,
    /// `managementPolicy` is `Observe`: what would be done is only said.
    Observed,
    /// Work is under way.
    Progressing,
    /// Something failed that another try may mend.
    ProgressingWithRetry,
    /// `spec.suspend` is set.
    Suspended,
    /// The annotation `bigip-tunnel.dev/paused` is set.
    PausedByAnnotation,
    /// The spec is valid.
    Accepted,
    /// The spec holds a value that cannot be worked with.
    InvalidSpec,
    /// Every active device is programmed.
    DevicesProgrammed,
    /// An active device is not programmed, or its state is not known.
    ActiveDeviceNotProgrammed,
    /// Nodes are selected that cannot have a record.
    NodesSkipped,
    /// The nodes could not be listed.
    NodeListFailed,
    /// A list of nodes does not hold as many as the API server counts.
    NodeListIncomplete,
    /// The API server does not say how many nodes there are.
    NodeListUncounted,
    /// A list of nodes is older than what was read before.
    NodeListStale,
    /// A node, asked for by name, keeps a record that the list of nodes let go.
    NodeListContradicted,
    /// The spec takes addresses from `CiliumNode`s, and there are none or they may not be read.
    CiliumNodesUnavailable,
    /// No node is selected; what is on the devices stays.
    NoNodesSelected,
    /// More records are due for removal than the budget allows; a person has to approve it.
    MassRemovalBlocked,
    /// Records are due for removal, and stay because another object needs them or may need them.
    HeldByNeighbour,
    /// The object is being deleted and its records are not all gone yet.
    CleaningUp,
    /// The object is being deleted and a device keeps its records from being removed.
    CleanupFailed,
    /// A device cannot be reached; its own condition says how that shows.
    DeviceUnreachable,
    /// The device answered.
    Answered,
    /// The device has not been asked yet.
    Pending,
    /// No answer within the deadline.
    Timeout,
    /// The device's host refuses the connection.
    ConnectionRefused,
    /// The connection could not be made or broke.
    ConnectionFailed,
    /// The device's host name has no address.
    NameNotResolved,
    /// The certificate is not trusted, expired, or made out to another name.
    CertificateInvalid,
    /// Device and operator have no protocol version or cipher of TLS in common.
    #[strum(serialize = "TLSNoCommonCipher")]
    TlsNoCommonCipher,
    /// The spec asks for no verification, and the operator does not allow that.
    #[strum(serialize = "InsecureTLSNotAllowed")]
    InsecureTlsNotAllowed,
    /// Every certificate is verified.
    Verified,
    /// Certificates are verified, some of them by their fingerprint.
    Pinned,
    /// A certificate is not verified: the password is sent to any host that answers.
    VerificationDisabled,
    /// User name or password is wrong.
    AuthenticationFailed,
    /// The unit has locked the account.
    AccountLocked,
    /// The unit wants a new password.
    PasswordExpired,
    /// The user lacks a right.
    AuthorizationFailed,
    /// The device answers under the login from before, and refuses the password that the Secret holds now.
    NewPasswordRefused,
    /// The user holds as many tokens as BIG-IP allows (100).
    TooManyTokens,
    /// The login ended while it was in use; what was read under it is read again.
    LoginEnded,
    /// Units with different keys answer in turn behind one address.
    UnitKeyAlternates,
    /// The device is starting or its configuration is not loaded.
    DeviceNotReady,
    /// The device is busy with another task.
    DeviceBusy,
    /// The device answered with an error of its own.
    ServerError,
    /// The answer is not what iControl REST answers.
    ProtocolError,
    /// The device refused the request.
    RequestRefused,
    /// TMOS is older than 13.1.
    UnsupportedVersion,
    /// The box behind the address is another one than before; a person has to accept it.
    DeviceIdentityChanged,
    /// Two entries of `devices` are one box.
    DuplicateUnit,
    /// The tunnel is not on the device.
    TunnelNotFound,
    /// The tunnel's local address is not a plain IPv4 address.
    TunnelMismatch,
    /// A record of a desired MAC is on the device, not ours, with another endpoint.
    Conflict,
    /// A record of a desired MAC is on the device in a form that cannot be read.
    RecordUnreadable,
    /// Another writer keeps removing or changing records of this object.
    ForeignWriter,
    /// Records of ours were taken away or changed, and `drift.policy` is `Report`.
    DriftReported,
    /// The tunnel has more records than a list is read of.
    TooManyRecords,
    /// There are more nodes than claims can be stored for.
    TooManyNodes,
    /// The claims in the status cannot be read, so it is not known which records are this object's.
    OwnershipUnreadable,
    /// The tunnel can be used with Cilium.
    Usable,
    /// The tunnel, its profile or its self IP keeps pods from being reached, whatever its records.
    TunnelUnusable,
    /// Every unit of the trust domain is listed.
    PeersListed,
    /// A unit of the trust domain is not listed.
    PeerNotListed,
    /// A write was answered with success and is not there.
    WriteNotEffective,
    /// Cilium's side of the tunnel is as it has to be.
    CiliumVerified,
    /// Something of Cilium may not be read, could not be read, or is not said by the cluster.
    CiliumUnreadable,
    /// The operator was started to read nothing of Cilium.
    CiliumVerificationOff,
    /// There is no `cilium-config`.
    CiliumConfigMissing,
    /// Values are overridden for some nodes, and which of them counts is not known.
    CiliumConfigOverridden,
    /// A version of Cilium with a broken VTEP runs.
    CiliumVersionBroken,
    /// Nodes and `CiliumNode`s differ.
    CiliumNodesDiffer,
    /// Agents started before the configuration changed.
    AgentsOutdated,
    /// Nodes talk without a tunnel.
    NativeRouting,
    /// Encryption is in the way, or is not known to work.
    EncryptionUnsupported,
    /// The underlay, or the whole cluster, is IPv6.
    #[strum(serialize = "NoIPv4")]
    NoIpv4,
    /// Pods send larger packets than a BIG-IP expects.
    #[strum(serialize = "MTUTooLarge")]
    MtuTooLarge,
    /// A tunnel has another VNI than Cilium.
    #[strum(serialize = "VNIMismatch")]
    VniMismatch,
    /// A tunnel has another protocol or port than Cilium.
    EncapsulationMismatch,
    /// VTEP is off, or has no endpoint.
    #[strum(serialize = "VTEPDisabled")]
    VtepDisabled,
    /// No VTEP entry has a unit's local address.
    #[strum(serialize = "VTEPEndpointMissing")]
    VtepEndpointMissing,
    /// A VTEP entry has another MAC address than the tunnel.
    #[strum(serialize = "VTEPMACMismatch")]
    VtepMacMismatch,
    /// A self IP is outside the networks of its VTEP entries, or the mask does not fit them.
    #[strum(serialize = "VTEPNetworkMismatch")]
    VtepNetworkMismatch,
    /// The network of a VTEP entry overlaps one of the cluster.
    #[strum(serialize = "VTEPNetworkOverlap")]
    VtepNetworkOverlap,
    /// Two VTEP entries have one network.
    #[strum(serialize = "VTEPNetworkDuplicate")]
    VtepNetworkDuplicate,
    /// A VTEP entry cannot be read.
    #[strum(serialize = "VTEPEntryInvalid")]
    VtepEntryInvalid,
    /// There are more VTEP entries than an agent's table holds.
    #[strum(serialize = "TooManyVTEPEntries")]
    TooManyVtepEntries,
    /// VTEP entries stand in `cilium-config` and in objects, and differ.
    #[strum(serialize = "VTEPSourcesDiffer")]
    VtepSourcesDiffer,
    /// An agent could not program a VTEP entry.
    #[strum(serialize = "VTEPNotProgrammed")]
    VtepNotProgrammed,
    /// The `CiliumVTEPConfig` is as it has to be, and agents say that they have programmed it.
    #[strum(serialize = "VTEPProgrammed")]
    VtepProgrammed,
    /// The `CiliumVTEPConfig` is as it has to be, and not every agent says yet that it has programmed it.
    #[strum(serialize = "VTEPNotConfirmed")]
    VtepNotConfirmed,
    /// The object asks for something that the operator runs without.
    FeatureGateDisabled,
    /// The cluster does not serve `CiliumVTEPConfig`.
    #[strum(serialize = "VTEPConfigNotServed")]
    VtepConfigNotServed,
    /// The operator may not list or write `CiliumVTEPConfig`s.
    #[strum(serialize = "VTEPConfigForbidden")]
    VtepConfigForbidden,
    /// Another field manager has a part of the `CiliumVTEPConfig`.
    #[strum(serialize = "VTEPConfigConflict")]
    VtepConfigConflict,
    /// A `CiliumVTEPConfig` of this name was not written for this object.
    #[strum(serialize = "VTEPConfigNotOurs")]
    VtepConfigNotOurs,
    /// Another `CiliumVTEPConfig` exists, and agents are not known to merge several.
    #[strum(serialize = "VTEPConfigNotAlone")]
    VtepConfigNotAlone,
    /// The API server refuses the `CiliumVTEPConfig`.
    #[strum(serialize = "VTEPConfigRejected")]
    VtepConfigRejected,
    /// A unit does not say its tunnel's MAC address.
    #[strum(serialize = "VTEPMACUnknown")]
    VtepMacUnknown,
    /// A tunnel has a MAC address to which no frame can be sent.
    #[strum(serialize = "VTEPMACInvalid")]
    VtepMacInvalid,
    /// Two units share local address and network, and have different MAC addresses.
    #[strum(serialize = "VTEPMACAmbiguous")]
    VtepMacAmbiguous,
    /// The networks have prefixes of different lengths, and the object has one mask for all.
    #[strum(serialize = "VTEPPrefixesDiffer")]
    VtepPrefixesDiffer,
    /// A self IP moves between tunnels with different local addresses.
    #[strum(serialize = "SelfIPFloating")]
    SelfIpFloating,
    /// The status does not list all self IPs of a tunnel.
    #[strum(serialize = "TooManySelfIPs")]
    TooManySelfIps,
    /// The name of the object makes too long a name for its `CiliumVTEPConfig`.
    NameTooLong,
    /// The Secret does not exist.
    SecretNotFound,
    /// The operator may not read the Secret.
    SecretForbidden,
    /// The Secret of a device that is no longer listed is not known, and none is guessed.
    CredentialsUnknown,
    /// The Secret lacks a key or holds an unusable value.
    SecretInvalid,
    /// The Secret does not name the addresses that its password may be sent to.
    SecretNotBound,
    /// The Secret does not allow its password to be sent to this address.
    AddressNotAllowed,
    /// The CA bundle's ConfigMap or Secret does not exist.
    #[strum(serialize = "CABundleNotFound")]
    CaBundleNotFound,
    /// The operator may not read the CA bundle.
    #[strum(serialize = "CABundleForbidden")]
    CaBundleForbidden,
    /// The CA bundle holds no usable certificate.
    #[strum(serialize = "CABundleInvalid")]
    CaBundleInvalid,
    /// The Kubernetes API could not be asked.
    KubernetesUnavailable,
    /// The operator that was asked does not lead, or cannot tell whether it does. It writes nothing, this
    /// word included: it is seen in logs and metrics.
    NotLeading,
    /// All changes are in the device's stored configuration.
    Saved,
    /// Changes wait for the quiet time before they are saved.
    SavePending,
    /// The device did not save.
    SaveFailed,
    /// Node: no address of the wanted type is listed.
    NodeAddressMissing,
    /// Node: the addresses of the wanted type are not IPv4.
    #[strum(serialize = "NodeAddressNotIPv4")]
    NodeAddressNotIpv4,
    /// Node: its address is loopback, multicast, broadcast or unspecified.
    NodeAddressUnusable,
    /// Node: no address is inside `nodes.addressSource.cidrs`.
    #[strum(serialize = "NodeAddressOutsideCIDRs")]
    NodeAddressOutsideCidrs,
    /// Node: its addresses are inside `nodes.addressSource.excludeCIDRs`.
    NodeAddressExcluded,
    /// Node: its address keeps changing, so that its record stays as it is until one lasts.
    NodeAddressUnstable,
    /// Node: an older node has the same address.
    DuplicateAddress,
    /// Node: its address is the tunnel's own local address.
    OwnAddress,
    /// A part of the operator failed in a way it should not.
    InternalError,
}

impl Reason {
    /// Every one of them, in the order of this file.
    pub const ALL: &[Self] = Self::VARIANTS;

    /// The string in the API.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Reads the string of the API; `None` for one that this version does not know.
    pub fn parse(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}
