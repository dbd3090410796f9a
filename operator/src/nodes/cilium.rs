//! The `CiliumNode`s of the cluster, as a source of addresses.
//!
//! They are asked for only when an object takes its addresses from them: not every cluster has them,
//! and not every installation grants the right to read them.

use bigip_tunnel_core::outcome::Failure;
use bigip_tunnel_core::reason::Reason;
use bigip_tunnel_crds::cilium::{CiliumNode, CiliumNodeAddress};

use super::NodeState;
use super::store::{Kept, Known};

/// What a record can depend on, of one `CiliumNode`.
pub(super) type CiliumEntry = Vec<CiliumNodeAddress>;

impl Kept for CiliumNode {
    type Entry = CiliumEntry;

    const PLURAL: &str = "CiliumNodes";

    fn into_entry(self) -> Option<(String, CiliumEntry)> {
        Some((self.metadata.name?, self.spec.addresses.unwrap_or_default()))
    }

    fn failure(code: Option<u16>, cause: &str) -> Failure {
        let unavailable = |message: &str| Failure {
            reason: Reason::CiliumNodesUnavailable,
            message: message.into(),
            retryable: false,
        };
        match code {
            Some(404) => unavailable(
                "the cluster has no CiliumNodes (cilium.io/v2): install Cilium, or set another \
                 spec.nodes.addressSource.type",
            ),
            Some(401 | 403) => unavailable(
                "the operator may not read CiliumNodes: grant it the rights to get, list and watch \
                 ciliumnodes.cilium.io, or set another spec.nodes.addressSource.type",
            ),
            _ => Failure {
                reason: Reason::NodeListFailed,
                message: format!("the CiliumNodes could not be listed: {cause}"),
                retryable: true,
            },
        }
    }

    fn part(state: &NodeState) -> &Known<CiliumEntry> {
        &state.cilium
    }

    fn part_mut(state: &mut NodeState) -> &mut Known<CiliumEntry> {
        &mut state.cilium
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_cilium_nodes_or_permission_is_not_retryable() {
        for (code, text) in [
            (404, "has no CiliumNodes"),
            (403, "may not read CiliumNodes"),
        ] {
            let failure = CiliumNode::failure(Some(code), "cause");
            assert_eq!(failure.reason, Reason::CiliumNodesUnavailable);
            assert!(failure.message.contains(text), "{}", failure.message);
            assert!(!failure.retryable);
        }
    }

    #[test]
    fn failing_api_server_is_no_verdict_about_cilium() {
        for code in [None, Some(410), Some(500)] {
            let failure = CiliumNode::failure(code, "no answer");
            assert_eq!(failure.reason, Reason::NodeListFailed);
            assert!(failure.retryable);
        }
    }
}
