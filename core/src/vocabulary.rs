//! Every string that users see as an API: condition types, reasons, and what events are called.
//!
//! Operator, plugin, documents and alerts take them from here, so that a word means one thing
//! everywhere. A word that was released is never given another meaning.

/// Condition types, of the object and of its devices.
pub mod condition {
    /// Object: all devices hold exactly the desired records. The summary.
    pub const READY: &str = "Ready";
    /// Object: every active unit is programmed, so traffic flows.
    pub const AVAILABLE: &str = "Available";
    /// Object: the spec can be worked on.
    pub const ACCEPTED: &str = "Accepted";
    /// Object: work goes on by itself. Present only while true (kstatus).
    pub const RECONCILING: &str = "Reconciling";
    /// Object: a person has to act. Present only while true (kstatus).
    pub const STALLED: &str = "Stalled";
    /// Object: no work is done on it. Present only while true.
    pub const PAUSED: &str = "Paused";
    /// Object: the tunnels are as Cilium needs them.
    pub const TUNNEL_USABLE: &str = "TunnelUsable";
    /// Object: what Kubernetes says of its nodes agrees. Present only while it does not, and no record is
    /// removed then.
    pub const NODES_RESOLVED: &str = "NodesResolved";
    /// Object: every unit that could take over is listed.
    pub const PEERS_COVERED: &str = "PeersCovered";
    /// Object: Cilium's configuration matches the tunnels. Missing with `cilium.verify: Off`, and no part of
    /// `Ready`.
    pub const CILIUM_READY: &str = "CiliumReady";
    /// Object: whoever answers is verified before it gets a password.
    pub const SECURE_TRANSPORT: &str = "SecureTransport";
    /// Device: iControl REST answers with our login.
    pub const REACHABLE: &str = "Reachable";
    /// Device: its records are as desired.
    pub const PROGRAMMED: &str = "Programmed";
    /// Device: its stored configuration holds our changes.
    pub const SAVED: &str = "Saved";
}

/// Reasons of conditions, and of skipped nodes and problems.
pub mod reason {
    /// Everything is as desired.
    pub const IN_SYNC: &str = "InSync";
    /// `managementPolicy` is `Observe`: what would be done is only said.
    pub const OBSERVED: &str = "Observed";
    /// Work is under way.
    pub const PROGRESSING: &str = "Progressing";
    /// Something failed that another try may mend.
    pub const PROGRESSING_WITH_RETRY: &str = "ProgressingWithRetry";
    /// `spec.suspend` is set.
    pub const SUSPENDED: &str = "Suspended";
    /// The annotation `bigip-tunnel.dev/paused` is set.
    pub const PAUSED_BY_ANNOTATION: &str = "PausedByAnnotation";
    /// The spec is valid.
    pub const ACCEPTED: &str = "Accepted";
    /// The spec holds a value that cannot be worked with.
    pub const INVALID_SPEC: &str = "InvalidSpec";
    /// Every active device is programmed.
    pub const DEVICES_PROGRAMMED: &str = "DevicesProgrammed";
    /// An active device is not programmed, or its state is not known.
    pub const ACTIVE_DEVICE_NOT_PROGRAMMED: &str = "ActiveDeviceNotProgrammed";
    /// Nodes are selected that cannot have a record.
    pub const NODES_SKIPPED: &str = "NodesSkipped";
    /// The nodes could not be listed.
    pub const NODE_LIST_FAILED: &str = "NodeListFailed";
    /// A list of nodes does not hold as many as the API server counts.
    pub const NODE_LIST_INCOMPLETE: &str = "NodeListIncomplete";
    /// The API server does not say how many nodes there are.
    pub const NODE_LIST_UNCOUNTED: &str = "NodeListUncounted";
    /// A list of nodes is older than what was read before.
    pub const NODE_LIST_STALE: &str = "NodeListStale";
    /// A node, asked for by name, keeps a record that the list of nodes let go.
    pub const NODE_LIST_CONTRADICTED: &str = "NodeListContradicted";
    /// The spec takes addresses from `CiliumNode`s, and there are none or they may not be read.
    pub const CILIUM_NODES_UNAVAILABLE: &str = "CiliumNodesUnavailable";
    /// No node is selected; what is on the devices stays.
    pub const NO_NODES_SELECTED: &str = "NoNodesSelected";
    /// More records are due for removal than the budget allows; a person has to approve it.
    pub const MASS_REMOVAL_BLOCKED: &str = "MassRemovalBlocked";
    /// Records are due for removal, and stay because another object needs them or may need them.
    pub const HELD_BY_NEIGHBOUR: &str = "HeldByNeighbour";
    /// The object is being deleted and its records are not all gone yet.
    pub const CLEANING_UP: &str = "CleaningUp";
    /// The object is being deleted and a device keeps its records from being removed.
    pub const CLEANUP_FAILED: &str = "CleanupFailed";

    /// A device cannot be reached; its own condition says how that shows.
    pub const DEVICE_UNREACHABLE: &str = "DeviceUnreachable";
    /// The device answered.
    pub const ANSWERED: &str = "Answered";
    /// The device has not been asked yet.
    pub const PENDING: &str = "Pending";
    /// No answer within the deadline.
    pub const TIMEOUT: &str = "Timeout";
    /// The device's host refuses the connection.
    pub const CONNECTION_REFUSED: &str = "ConnectionRefused";
    /// The connection could not be made or broke.
    pub const CONNECTION_FAILED: &str = "ConnectionFailed";
    /// The device's host name has no address.
    pub const NAME_NOT_RESOLVED: &str = "NameNotResolved";
    /// The certificate is not trusted, expired, or made out to another name.
    pub const CERTIFICATE_INVALID: &str = "CertificateInvalid";
    /// Device and operator have no protocol version or cipher of TLS in common.
    pub const TLS_NO_COMMON_CIPHER: &str = "TLSNoCommonCipher";
    /// The spec asks for no verification, and the operator does not allow that.
    pub const INSECURE_TLS_NOT_ALLOWED: &str = "InsecureTLSNotAllowed";
    /// Every certificate is verified.
    pub const VERIFIED: &str = "Verified";
    /// Certificates are verified, some of them by their fingerprint.
    pub const PINNED: &str = "Pinned";
    /// A certificate is not verified: whoever answers gets the password.
    pub const VERIFICATION_DISABLED: &str = "VerificationDisabled";
    /// User name or password is wrong.
    pub const AUTHENTICATION_FAILED: &str = "AuthenticationFailed";
    /// The unit has locked the account.
    pub const ACCOUNT_LOCKED: &str = "AccountLocked";
    /// The unit wants a new password.
    pub const PASSWORD_EXPIRED: &str = "PasswordExpired";
    /// The user lacks a right.
    pub const AUTHORIZATION_FAILED: &str = "AuthorizationFailed";
    /// The device answers under the login from before, and refuses the password that the Secret holds now.
    pub const NEW_PASSWORD_REFUSED: &str = "NewPasswordRefused";
    /// The user holds as many tokens as BIG-IP allows (100).
    pub const TOO_MANY_TOKENS: &str = "TooManyTokens";
    /// The login ended while it was in use; what was read under it is read again.
    pub const LOGIN_ENDED: &str = "LoginEnded";
    /// Units with different keys answer in turn behind one address.
    pub const UNIT_KEY_ALTERNATES: &str = "UnitKeyAlternates";
    /// The device is starting or its configuration is not loaded.
    pub const DEVICE_NOT_READY: &str = "DeviceNotReady";
    /// The device is busy with another task.
    pub const DEVICE_BUSY: &str = "DeviceBusy";
    /// The device answered with an error of its own.
    pub const SERVER_ERROR: &str = "ServerError";
    /// The answer is not what iControl REST answers.
    pub const PROTOCOL_ERROR: &str = "ProtocolError";
    /// The device refused the request.
    pub const REQUEST_REFUSED: &str = "RequestRefused";
    /// TMOS is older than 13.1.
    pub const UNSUPPORTED_VERSION: &str = "UnsupportedVersion";
    /// The box behind the address is another one than before; a person has to accept it.
    pub const DEVICE_IDENTITY_CHANGED: &str = "DeviceIdentityChanged";
    /// Two entries of `devices` are one box.
    pub const DUPLICATE_UNIT: &str = "DuplicateUnit";

    /// The tunnel is not on the device.
    pub const TUNNEL_NOT_FOUND: &str = "TunnelNotFound";
    /// The tunnel's local address is not a plain IPv4 address.
    pub const TUNNEL_MISMATCH: &str = "TunnelMismatch";
    /// A record of a desired MAC is on the device, not ours, with another endpoint.
    pub const CONFLICT: &str = "Conflict";
    /// A record of a desired MAC is on the device in a form that cannot be read.
    pub const RECORD_UNREADABLE: &str = "RecordUnreadable";
    /// Somebody else keeps taking our records away, or changing them.
    pub const FOREIGN_WRITER: &str = "ForeignWriter";
    /// Records of ours were taken away or changed, and `drift.policy` is `Report`.
    pub const DRIFT_REPORTED: &str = "DriftReported";
    /// The tunnel has more records than a list is read of.
    pub const TOO_MANY_RECORDS: &str = "TooManyRecords";
    /// There are more nodes than claims can be stored for.
    pub const TOO_MANY_NODES: &str = "TooManyNodes";
    /// The claims in the status cannot be read, so it is not known which records are this object's.
    pub const OWNERSHIP_UNREADABLE: &str = "OwnershipUnreadable";
    /// The tunnel can be used with Cilium.
    pub const USABLE: &str = "Usable";
    /// The tunnel, its profile or its self IP keeps pods from being reached, whatever its records.
    pub const TUNNEL_UNUSABLE: &str = "TunnelUnusable";
    /// Every unit of the trust domain is listed.
    pub const PEERS_LISTED: &str = "PeersListed";
    /// A unit of the trust domain is not listed.
    pub const PEER_NOT_LISTED: &str = "PeerNotListed";
    /// A write was answered with success and is not there.
    pub const WRITE_NOT_EFFECTIVE: &str = "WriteNotEffective";

    /// Cilium's side of the tunnel is as it has to be.
    pub const CILIUM_VERIFIED: &str = "CiliumVerified";
    /// Something of Cilium may not be read, could not be read, or is not said by the cluster.
    pub const CILIUM_UNREADABLE: &str = "CiliumUnreadable";
    /// There is no `cilium-config`.
    pub const CILIUM_CONFIG_MISSING: &str = "CiliumConfigMissing";
    /// Values are overridden for some nodes, and which of them counts is not known.
    pub const CILIUM_CONFIG_OVERRIDDEN: &str = "CiliumConfigOverridden";
    /// A version of Cilium with a broken VTEP runs.
    pub const CILIUM_VERSION_BROKEN: &str = "CiliumVersionBroken";
    /// Nodes and `CiliumNode`s differ.
    pub const CILIUM_NODES_DIFFER: &str = "CiliumNodesDiffer";
    /// Agents started before the configuration changed.
    pub const AGENTS_OUTDATED: &str = "AgentsOutdated";
    /// Nodes talk without a tunnel.
    pub const NATIVE_ROUTING: &str = "NativeRouting";
    /// Encryption is in the way, or is not known to work.
    pub const ENCRYPTION_UNSUPPORTED: &str = "EncryptionUnsupported";
    /// The underlay, or the whole cluster, is IPv6.
    pub const NO_IPV4: &str = "NoIPv4";
    /// Pods send larger packets than a BIG-IP expects.
    pub const MTU_TOO_LARGE: &str = "MTUTooLarge";
    /// A tunnel has another VNI than Cilium.
    pub const VNI_MISMATCH: &str = "VNIMismatch";
    /// A tunnel has another protocol or port than Cilium.
    pub const ENCAPSULATION_MISMATCH: &str = "EncapsulationMismatch";
    /// VTEP is off, or has no endpoint.
    pub const VTEP_DISABLED: &str = "VTEPDisabled";
    /// No VTEP entry has a unit's local address.
    pub const VTEP_ENDPOINT_MISSING: &str = "VTEPEndpointMissing";
    /// A VTEP entry has another MAC address than the tunnel.
    pub const VTEP_MAC_MISMATCH: &str = "VTEPMACMismatch";
    /// A self IP is outside the networks of its VTEP entries, or the mask does not fit them.
    pub const VTEP_NETWORK_MISMATCH: &str = "VTEPNetworkMismatch";
    /// The network of a VTEP entry overlaps one of the cluster.
    pub const VTEP_NETWORK_OVERLAP: &str = "VTEPNetworkOverlap";
    /// Two VTEP entries have one network.
    pub const VTEP_NETWORK_DUPLICATE: &str = "VTEPNetworkDuplicate";
    /// A VTEP entry cannot be read.
    pub const VTEP_ENTRY_INVALID: &str = "VTEPEntryInvalid";
    /// There are more VTEP entries than an agent's table holds.
    pub const TOO_MANY_VTEP_ENTRIES: &str = "TooManyVTEPEntries";
    /// VTEP entries stand in `cilium-config` and in objects, and differ.
    pub const VTEP_SOURCES_DIFFER: &str = "VTEPSourcesDiffer";
    /// An agent could not program a VTEP entry.
    pub const VTEP_NOT_PROGRAMMED: &str = "VTEPNotProgrammed";

    /// The Secret does not exist.
    pub const SECRET_NOT_FOUND: &str = "SecretNotFound";
    /// The operator may not read the Secret.
    pub const SECRET_FORBIDDEN: &str = "SecretForbidden";
    /// The Secret of a device that is no longer listed is not known, and none is guessed.
    pub const CREDENTIALS_UNKNOWN: &str = "CredentialsUnknown";
    /// The Secret lacks a key or holds an unusable value.
    pub const SECRET_INVALID: &str = "SecretInvalid";
    /// The Secret does not name the addresses that its password may be sent to.
    pub const SECRET_NOT_BOUND: &str = "SecretNotBound";
    /// The Secret does not allow its password to be sent to this address.
    pub const ADDRESS_NOT_ALLOWED: &str = "AddressNotAllowed";
    /// The CA bundle's ConfigMap or Secret does not exist.
    pub const CA_BUNDLE_NOT_FOUND: &str = "CABundleNotFound";
    /// The operator may not read the CA bundle.
    pub const CA_BUNDLE_FORBIDDEN: &str = "CABundleForbidden";
    /// The CA bundle holds no usable certificate.
    pub const CA_BUNDLE_INVALID: &str = "CABundleInvalid";
    /// The Kubernetes API could not be asked.
    pub const KUBERNETES_UNAVAILABLE: &str = "KubernetesUnavailable";

    /// The operator that was asked does not lead, or cannot tell whether it does. It writes nothing, this
    /// word included: it is seen in logs and metrics.
    pub const NOT_LEADING: &str = "NotLeading";

    /// All changes are in the device's stored configuration.
    pub const SAVED: &str = "Saved";
    /// Changes wait for the quiet time before they are saved.
    pub const SAVE_PENDING: &str = "SavePending";
    /// The device did not save.
    pub const SAVE_FAILED: &str = "SaveFailed";

    /// Node: no address of the wanted type is listed.
    pub const NODE_ADDRESS_MISSING: &str = "NodeAddressMissing";
    /// Node: the addresses of the wanted type are not IPv4.
    pub const NODE_ADDRESS_NOT_IPV4: &str = "NodeAddressNotIPv4";
    /// Node: its address is loopback, multicast, broadcast or unspecified.
    pub const NODE_ADDRESS_UNUSABLE: &str = "NodeAddressUnusable";
    /// Node: no address is inside `nodes.addressSource.cidrs`.
    pub const NODE_ADDRESS_OUTSIDE_CIDRS: &str = "NodeAddressOutsideCIDRs";
    /// Node: its addresses are inside `nodes.addressSource.excludeCIDRs`.
    pub const NODE_ADDRESS_EXCLUDED: &str = "NodeAddressExcluded";
    /// Node: its address keeps changing, so that its record stays as it is until one lasts.
    pub const NODE_ADDRESS_UNSTABLE: &str = "NodeAddressUnstable";
    /// Node: an older node has the same address.
    pub const DUPLICATE_ADDRESS: &str = "DuplicateAddress";
    /// Node: its address is the tunnel's own local address.
    pub const OWN_ADDRESS: &str = "OwnAddress";

    /// A part of the operator failed in a way it should not.
    pub const INTERNAL_ERROR: &str = "InternalError";
}

/// Reasons of events that tell of something other than a condition that turned bad. An event about a
/// condition carries the condition's reason.
pub mod event {
    /// Records that were there as wanted belong to the object from now on.
    pub const RECORDS_ADOPTED: &str = "RecordsAdopted";
    /// Records were added.
    pub const RECORDS_ADDED: &str = "RecordsAdded";
    /// Records that somebody else had taken away or changed are right again.
    pub const DRIFT_CORRECTED: &str = "DriftCorrected";
    /// Records were removed.
    pub const RECORDS_REMOVED: &str = "RecordsRemoved";
    /// Nodes are gone, and their records wait for their removal.
    pub const NODE_LEAVING: &str = "NodeLeaving";
    /// A device answers again.
    pub const DEVICE_RECOVERED: &str = "DeviceRecovered";
    /// A device's stored configuration holds our changes.
    pub const CONFIG_SAVED: &str = "ConfigSaved";
    /// The object is worked on again.
    pub const RESUMED: &str = "Resumed";
    /// The object goes, and nothing of it is left.
    pub const CLEANUP_COMPLETE: &str = "CleanupComplete";
    /// An answer of a user is about something else than what is there, and does nothing.
    pub const ANSWER_IGNORED: &str = "AnswerIgnored";
    /// Records stay on a device that is no longer looked after: the object goes, or the device is given up.
    pub const RECORDS_LEFT: &str = "RecordsLeft";
}
