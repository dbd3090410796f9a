//! Names of the reasons, condition types and event reasons.

/// Condition types.
pub mod condition {
    use crate::condition::ConditionType;

    /// [`ConditionType::Ready`]
    pub const READY: ConditionType = ConditionType::Ready;
    /// [`ConditionType::Available`]
    pub const AVAILABLE: ConditionType = ConditionType::Available;
    /// [`ConditionType::Accepted`]
    pub const ACCEPTED: ConditionType = ConditionType::Accepted;
    /// [`ConditionType::Reconciling`]
    pub const RECONCILING: ConditionType = ConditionType::Reconciling;
    /// [`ConditionType::Stalled`]
    pub const STALLED: ConditionType = ConditionType::Stalled;
    /// [`ConditionType::Paused`]
    pub const PAUSED: ConditionType = ConditionType::Paused;
    /// [`ConditionType::TunnelUsable`]
    pub const TUNNEL_USABLE: ConditionType = ConditionType::TunnelUsable;
    /// [`ConditionType::NodesResolved`]
    pub const NODES_RESOLVED: ConditionType = ConditionType::NodesResolved;
    /// [`ConditionType::PeersCovered`]
    pub const PEERS_COVERED: ConditionType = ConditionType::PeersCovered;
    /// [`ConditionType::CiliumReady`]
    pub const CILIUM_READY: ConditionType = ConditionType::CiliumReady;
    /// [`ConditionType::VtepConfigured`]
    pub const VTEP_CONFIGURED: ConditionType = ConditionType::VtepConfigured;
    /// [`ConditionType::SecureTransport`]
    pub const SECURE_TRANSPORT: ConditionType = ConditionType::SecureTransport;
    /// [`ConditionType::Reachable`]
    pub const REACHABLE: ConditionType = ConditionType::Reachable;
    /// [`ConditionType::Programmed`]
    pub const PROGRAMMED: ConditionType = ConditionType::Programmed;
    /// [`ConditionType::Saved`]
    pub const SAVED: ConditionType = ConditionType::Saved;
}

/// Reasons.
pub mod reason {
    use crate::reason::Reason;

    /// [`Reason::InSync`]
    pub const IN_SYNC: Reason = Reason::InSync;
    /// [`Reason::Observed`]
    pub const OBSERVED: Reason = Reason::Observed;
    /// [`Reason::Progressing`]
    pub const PROGRESSING: Reason = Reason::Progressing;
    /// [`Reason::ProgressingWithRetry`]
    pub const PROGRESSING_WITH_RETRY: Reason = Reason::ProgressingWithRetry;
    /// [`Reason::Suspended`]
    pub const SUSPENDED: Reason = Reason::Suspended;
    /// [`Reason::PausedByAnnotation`]
    pub const PAUSED_BY_ANNOTATION: Reason = Reason::PausedByAnnotation;
    /// [`Reason::Accepted`]
    pub const ACCEPTED: Reason = Reason::Accepted;
    /// [`Reason::InvalidSpec`]
    pub const INVALID_SPEC: Reason = Reason::InvalidSpec;
    /// [`Reason::DevicesProgrammed`]
    pub const DEVICES_PROGRAMMED: Reason = Reason::DevicesProgrammed;
    /// [`Reason::ActiveDeviceNotProgrammed`]
    pub const ACTIVE_DEVICE_NOT_PROGRAMMED: Reason = Reason::ActiveDeviceNotProgrammed;
    /// [`Reason::NodesSkipped`]
    pub const NODES_SKIPPED: Reason = Reason::NodesSkipped;
    /// [`Reason::NodeListFailed`]
    pub const NODE_LIST_FAILED: Reason = Reason::NodeListFailed;
    /// [`Reason::NodeListIncomplete`]
    pub const NODE_LIST_INCOMPLETE: Reason = Reason::NodeListIncomplete;
    /// [`Reason::NodeListUncounted`]
    pub const NODE_LIST_UNCOUNTED: Reason = Reason::NodeListUncounted;
    /// [`Reason::NodeListStale`]
    pub const NODE_LIST_STALE: Reason = Reason::NodeListStale;
    /// [`Reason::NodeListContradicted`]
    pub const NODE_LIST_CONTRADICTED: Reason = Reason::NodeListContradicted;
    /// [`Reason::CiliumNodesUnavailable`]
    pub const CILIUM_NODES_UNAVAILABLE: Reason = Reason::CiliumNodesUnavailable;
    /// [`Reason::NoNodesSelected`]
    pub const NO_NODES_SELECTED: Reason = Reason::NoNodesSelected;
    /// [`Reason::MassRemovalBlocked`]
    pub const MASS_REMOVAL_BLOCKED: Reason = Reason::MassRemovalBlocked;
    /// [`Reason::HeldByNeighbour`]
    pub const HELD_BY_NEIGHBOUR: Reason = Reason::HeldByNeighbour;
    /// [`Reason::CleaningUp`]
    pub const CLEANING_UP: Reason = Reason::CleaningUp;
    /// [`Reason::CleanupFailed`]
    pub const CLEANUP_FAILED: Reason = Reason::CleanupFailed;
    /// [`Reason::DeviceUnreachable`]
    pub const DEVICE_UNREACHABLE: Reason = Reason::DeviceUnreachable;
    /// [`Reason::Answered`]
    pub const ANSWERED: Reason = Reason::Answered;
    /// [`Reason::Pending`]
    pub const PENDING: Reason = Reason::Pending;
    /// [`Reason::Timeout`]
    pub const TIMEOUT: Reason = Reason::Timeout;
    /// [`Reason::ConnectionRefused`]
    pub const CONNECTION_REFUSED: Reason = Reason::ConnectionRefused;
    /// [`Reason::ConnectionFailed`]
    pub const CONNECTION_FAILED: Reason = Reason::ConnectionFailed;
    /// [`Reason::NameNotResolved`]
    pub const NAME_NOT_RESOLVED: Reason = Reason::NameNotResolved;
    /// [`Reason::CertificateInvalid`]
    pub const CERTIFICATE_INVALID: Reason = Reason::CertificateInvalid;
    /// [`Reason::TlsNoCommonCipher`]
    pub const TLS_NO_COMMON_CIPHER: Reason = Reason::TlsNoCommonCipher;
    /// [`Reason::InsecureTlsNotAllowed`]
    pub const INSECURE_TLS_NOT_ALLOWED: Reason = Reason::InsecureTlsNotAllowed;
    /// [`Reason::Verified`]
    pub const VERIFIED: Reason = Reason::Verified;
    /// [`Reason::Pinned`]
    pub const PINNED: Reason = Reason::Pinned;
    /// [`Reason::VerificationDisabled`]
    pub const VERIFICATION_DISABLED: Reason = Reason::VerificationDisabled;
    /// [`Reason::AuthenticationFailed`]
    pub const AUTHENTICATION_FAILED: Reason = Reason::AuthenticationFailed;
    /// [`Reason::AccountLocked`]
    pub const ACCOUNT_LOCKED: Reason = Reason::AccountLocked;
    /// [`Reason::PasswordExpired`]
    pub const PASSWORD_EXPIRED: Reason = Reason::PasswordExpired;
    /// [`Reason::AuthorizationFailed`]
    pub const AUTHORIZATION_FAILED: Reason = Reason::AuthorizationFailed;
    /// [`Reason::NewPasswordRefused`]
    pub const NEW_PASSWORD_REFUSED: Reason = Reason::NewPasswordRefused;
    /// [`Reason::TooManyTokens`]
    pub const TOO_MANY_TOKENS: Reason = Reason::TooManyTokens;
    /// [`Reason::LoginEnded`]
    pub const LOGIN_ENDED: Reason = Reason::LoginEnded;
    /// [`Reason::UnitKeyAlternates`]
    pub const UNIT_KEY_ALTERNATES: Reason = Reason::UnitKeyAlternates;
    /// [`Reason::DeviceNotReady`]
    pub const DEVICE_NOT_READY: Reason = Reason::DeviceNotReady;
    /// [`Reason::DeviceBusy`]
    pub const DEVICE_BUSY: Reason = Reason::DeviceBusy;
    /// [`Reason::ServerError`]
    pub const SERVER_ERROR: Reason = Reason::ServerError;
    /// [`Reason::ProtocolError`]
    pub const PROTOCOL_ERROR: Reason = Reason::ProtocolError;
    /// [`Reason::RequestRefused`]
    pub const REQUEST_REFUSED: Reason = Reason::RequestRefused;
    /// [`Reason::UnsupportedVersion`]
    pub const UNSUPPORTED_VERSION: Reason = Reason::UnsupportedVersion;
    /// [`Reason::DeviceIdentityChanged`]
    pub const DEVICE_IDENTITY_CHANGED: Reason = Reason::DeviceIdentityChanged;
    /// [`Reason::DuplicateUnit`]
    pub const DUPLICATE_UNIT: Reason = Reason::DuplicateUnit;
    /// [`Reason::TunnelNotFound`]
    pub const TUNNEL_NOT_FOUND: Reason = Reason::TunnelNotFound;
    /// [`Reason::TunnelMismatch`]
    pub const TUNNEL_MISMATCH: Reason = Reason::TunnelMismatch;
    /// [`Reason::Conflict`]
    pub const CONFLICT: Reason = Reason::Conflict;
    /// [`Reason::RecordUnreadable`]
    pub const RECORD_UNREADABLE: Reason = Reason::RecordUnreadable;
    /// [`Reason::ForeignWriter`]
    pub const FOREIGN_WRITER: Reason = Reason::ForeignWriter;
    /// [`Reason::DriftReported`]
    pub const DRIFT_REPORTED: Reason = Reason::DriftReported;
    /// [`Reason::TooManyRecords`]
    pub const TOO_MANY_RECORDS: Reason = Reason::TooManyRecords;
    /// [`Reason::TooManyNodes`]
    pub const TOO_MANY_NODES: Reason = Reason::TooManyNodes;
    /// [`Reason::OwnershipUnreadable`]
    pub const OWNERSHIP_UNREADABLE: Reason = Reason::OwnershipUnreadable;
    /// [`Reason::Usable`]
    pub const USABLE: Reason = Reason::Usable;
    /// [`Reason::TunnelUnusable`]
    pub const TUNNEL_UNUSABLE: Reason = Reason::TunnelUnusable;
    /// [`Reason::PeersListed`]
    pub const PEERS_LISTED: Reason = Reason::PeersListed;
    /// [`Reason::PeerNotListed`]
    pub const PEER_NOT_LISTED: Reason = Reason::PeerNotListed;
    /// [`Reason::WriteNotEffective`]
    pub const WRITE_NOT_EFFECTIVE: Reason = Reason::WriteNotEffective;
    /// [`Reason::CiliumVerified`]
    pub const CILIUM_VERIFIED: Reason = Reason::CiliumVerified;
    /// [`Reason::CiliumUnreadable`]
    pub const CILIUM_UNREADABLE: Reason = Reason::CiliumUnreadable;
    /// [`Reason::CiliumVerificationOff`]
    pub const CILIUM_VERIFICATION_OFF: Reason = Reason::CiliumVerificationOff;
    /// [`Reason::CiliumConfigMissing`]
    pub const CILIUM_CONFIG_MISSING: Reason = Reason::CiliumConfigMissing;
    /// [`Reason::CiliumConfigOverridden`]
    pub const CILIUM_CONFIG_OVERRIDDEN: Reason = Reason::CiliumConfigOverridden;
    /// [`Reason::CiliumVersionBroken`]
    pub const CILIUM_VERSION_BROKEN: Reason = Reason::CiliumVersionBroken;
    /// [`Reason::CiliumNodesDiffer`]
    pub const CILIUM_NODES_DIFFER: Reason = Reason::CiliumNodesDiffer;
    /// [`Reason::AgentsOutdated`]
    pub const AGENTS_OUTDATED: Reason = Reason::AgentsOutdated;
    /// [`Reason::NativeRouting`]
    pub const NATIVE_ROUTING: Reason = Reason::NativeRouting;
    /// [`Reason::EncryptionUnsupported`]
    pub const ENCRYPTION_UNSUPPORTED: Reason = Reason::EncryptionUnsupported;
    /// [`Reason::NoIpv4`]
    pub const NO_IPV4: Reason = Reason::NoIpv4;
    /// [`Reason::MtuTooLarge`]
    pub const MTU_TOO_LARGE: Reason = Reason::MtuTooLarge;
    /// [`Reason::VniMismatch`]
    pub const VNI_MISMATCH: Reason = Reason::VniMismatch;
    /// [`Reason::EncapsulationMismatch`]
    pub const ENCAPSULATION_MISMATCH: Reason = Reason::EncapsulationMismatch;
    /// [`Reason::VtepDisabled`]
    pub const VTEP_DISABLED: Reason = Reason::VtepDisabled;
    /// [`Reason::VtepEndpointMissing`]
    pub const VTEP_ENDPOINT_MISSING: Reason = Reason::VtepEndpointMissing;
    /// [`Reason::VtepMacMismatch`]
    pub const VTEP_MAC_MISMATCH: Reason = Reason::VtepMacMismatch;
    /// [`Reason::VtepNetworkMismatch`]
    pub const VTEP_NETWORK_MISMATCH: Reason = Reason::VtepNetworkMismatch;
    /// [`Reason::VtepNetworkOverlap`]
    pub const VTEP_NETWORK_OVERLAP: Reason = Reason::VtepNetworkOverlap;
    /// [`Reason::VtepNetworkDuplicate`]
    pub const VTEP_NETWORK_DUPLICATE: Reason = Reason::VtepNetworkDuplicate;
    /// [`Reason::VtepEntryInvalid`]
    pub const VTEP_ENTRY_INVALID: Reason = Reason::VtepEntryInvalid;
    /// [`Reason::TooManyVtepEntries`]
    pub const TOO_MANY_VTEP_ENTRIES: Reason = Reason::TooManyVtepEntries;
    /// [`Reason::VtepSourcesDiffer`]
    pub const VTEP_SOURCES_DIFFER: Reason = Reason::VtepSourcesDiffer;
    /// [`Reason::VtepNotProgrammed`]
    pub const VTEP_NOT_PROGRAMMED: Reason = Reason::VtepNotProgrammed;
    /// [`Reason::VtepProgrammed`]
    pub const VTEP_PROGRAMMED: Reason = Reason::VtepProgrammed;
    /// [`Reason::VtepNotConfirmed`]
    pub const VTEP_NOT_CONFIRMED: Reason = Reason::VtepNotConfirmed;
    /// [`Reason::FeatureGateDisabled`]
    pub const FEATURE_GATE_DISABLED: Reason = Reason::FeatureGateDisabled;
    /// [`Reason::VtepConfigNotServed`]
    pub const VTEP_CONFIG_NOT_SERVED: Reason = Reason::VtepConfigNotServed;
    /// [`Reason::VtepConfigForbidden`]
    pub const VTEP_CONFIG_FORBIDDEN: Reason = Reason::VtepConfigForbidden;
    /// [`Reason::VtepConfigConflict`]
    pub const VTEP_CONFIG_CONFLICT: Reason = Reason::VtepConfigConflict;
    /// [`Reason::VtepConfigNotOurs`]
    pub const VTEP_CONFIG_NOT_OURS: Reason = Reason::VtepConfigNotOurs;
    /// [`Reason::VtepConfigNotAlone`]
    pub const VTEP_CONFIG_NOT_ALONE: Reason = Reason::VtepConfigNotAlone;
    /// [`Reason::VtepConfigRejected`]
    pub const VTEP_CONFIG_REJECTED: Reason = Reason::VtepConfigRejected;
    /// [`Reason::VtepMacUnknown`]
    pub const VTEP_MAC_UNKNOWN: Reason = Reason::VtepMacUnknown;
    /// [`Reason::VtepMacInvalid`]
    pub const VTEP_MAC_INVALID: Reason = Reason::VtepMacInvalid;
    /// [`Reason::VtepMacAmbiguous`]
    pub const VTEP_MAC_AMBIGUOUS: Reason = Reason::VtepMacAmbiguous;
    /// [`Reason::VtepPrefixesDiffer`]
    pub const VTEP_PREFIXES_DIFFER: Reason = Reason::VtepPrefixesDiffer;
    /// [`Reason::SelfIpFloating`]
    pub const SELF_IP_FLOATING: Reason = Reason::SelfIpFloating;
    /// [`Reason::TooManySelfIps`]
    pub const TOO_MANY_SELF_IPS: Reason = Reason::TooManySelfIps;
    /// [`Reason::NameTooLong`]
    pub const NAME_TOO_LONG: Reason = Reason::NameTooLong;
    /// [`Reason::SecretNotFound`]
    pub const SECRET_NOT_FOUND: Reason = Reason::SecretNotFound;
    /// [`Reason::SecretForbidden`]
    pub const SECRET_FORBIDDEN: Reason = Reason::SecretForbidden;
    /// [`Reason::CredentialsUnknown`]
    pub const CREDENTIALS_UNKNOWN: Reason = Reason::CredentialsUnknown;
    /// [`Reason::SecretInvalid`]
    pub const SECRET_INVALID: Reason = Reason::SecretInvalid;
    /// [`Reason::SecretNotBound`]
    pub const SECRET_NOT_BOUND: Reason = Reason::SecretNotBound;
    /// [`Reason::AddressNotAllowed`]
    pub const ADDRESS_NOT_ALLOWED: Reason = Reason::AddressNotAllowed;
    /// [`Reason::CaBundleNotFound`]
    pub const CA_BUNDLE_NOT_FOUND: Reason = Reason::CaBundleNotFound;
    /// [`Reason::CaBundleForbidden`]
    pub const CA_BUNDLE_FORBIDDEN: Reason = Reason::CaBundleForbidden;
    /// [`Reason::CaBundleInvalid`]
    pub const CA_BUNDLE_INVALID: Reason = Reason::CaBundleInvalid;
    /// [`Reason::KubernetesUnavailable`]
    pub const KUBERNETES_UNAVAILABLE: Reason = Reason::KubernetesUnavailable;
    /// [`Reason::NotLeading`]
    pub const NOT_LEADING: Reason = Reason::NotLeading;
    /// [`Reason::Saved`]
    pub const SAVED: Reason = Reason::Saved;
    /// [`Reason::SavePending`]
    pub const SAVE_PENDING: Reason = Reason::SavePending;
    /// [`Reason::SaveFailed`]
    pub const SAVE_FAILED: Reason = Reason::SaveFailed;
    /// [`Reason::NodeAddressMissing`]
    pub const NODE_ADDRESS_MISSING: Reason = Reason::NodeAddressMissing;
    /// [`Reason::NodeAddressNotIpv4`]
    pub const NODE_ADDRESS_NOT_IPV4: Reason = Reason::NodeAddressNotIpv4;
    /// [`Reason::NodeAddressUnusable`]
    pub const NODE_ADDRESS_UNUSABLE: Reason = Reason::NodeAddressUnusable;
    /// [`Reason::NodeAddressOutsideCidrs`]
    pub const NODE_ADDRESS_OUTSIDE_CIDRS: Reason = Reason::NodeAddressOutsideCidrs;
    /// [`Reason::NodeAddressExcluded`]
    pub const NODE_ADDRESS_EXCLUDED: Reason = Reason::NodeAddressExcluded;
    /// [`Reason::NodeAddressUnstable`]
    pub const NODE_ADDRESS_UNSTABLE: Reason = Reason::NodeAddressUnstable;
    /// [`Reason::DuplicateAddress`]
    pub const DUPLICATE_ADDRESS: Reason = Reason::DuplicateAddress;
    /// [`Reason::OwnAddress`]
    pub const OWN_ADDRESS: Reason = Reason::OwnAddress;
    /// [`Reason::InternalError`]
    pub const INTERNAL_ERROR: Reason = Reason::InternalError;
}

/// Reasons of events.
pub mod event {
    use crate::events::{EventReason, Occurrence};

    /// [`Occurrence::RecordsAdopted`]
    pub const RECORDS_ADOPTED: EventReason = EventReason::Occurrence(Occurrence::RecordsAdopted);
    /// [`Occurrence::RecordsAdded`]
    pub const RECORDS_ADDED: EventReason = EventReason::Occurrence(Occurrence::RecordsAdded);
    /// [`Occurrence::DriftCorrected`]
    pub const DRIFT_CORRECTED: EventReason = EventReason::Occurrence(Occurrence::DriftCorrected);
    /// [`Occurrence::RecordsRemoved`]
    pub const RECORDS_REMOVED: EventReason = EventReason::Occurrence(Occurrence::RecordsRemoved);
    /// [`Occurrence::NodeLeaving`]
    pub const NODE_LEAVING: EventReason = EventReason::Occurrence(Occurrence::NodeLeaving);
    /// [`Occurrence::DeviceRecovered`]
    pub const DEVICE_RECOVERED: EventReason = EventReason::Occurrence(Occurrence::DeviceRecovered);
    /// [`Occurrence::ConfigSaved`]
    pub const CONFIG_SAVED: EventReason = EventReason::Occurrence(Occurrence::ConfigSaved);
    /// [`Occurrence::Resumed`]
    pub const RESUMED: EventReason = EventReason::Occurrence(Occurrence::Resumed);
    /// [`Occurrence::CleanupComplete`]
    pub const CLEANUP_COMPLETE: EventReason = EventReason::Occurrence(Occurrence::CleanupComplete);
    /// [`Occurrence::AnswerIgnored`]
    pub const ANSWER_IGNORED: EventReason = EventReason::Occurrence(Occurrence::AnswerIgnored);
    /// [`Occurrence::RecordsLeft`]
    pub const RECORDS_LEFT: EventReason = EventReason::Occurrence(Occurrence::RecordsLeft);
    /// [`Occurrence::VtepConfigLeft`]
    pub const VTEP_CONFIG_LEFT: EventReason = EventReason::Occurrence(Occurrence::VtepConfigLeft);
}
