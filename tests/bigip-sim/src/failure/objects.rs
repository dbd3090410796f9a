//! Refusals to make, change or delete an object, and those of transactions.

use hyper::StatusCode;
use serde_json::Value;

use super::{Failure, ICRD, MCPD, PARSER};

/// `apiError` of a transaction that failed.
const TRANSACTION: u32 = 2;

impl Failure {
    /// An object is not there: `01020036` (pools, EC and BRG; data groups on 17.1.2.1; self IPs,
    /// f5-openstack-lbaasv2-driver#552; route domains, OSA). Other labels in it are *assumed*.
    pub(crate) fn not_found(label: &str, name: &str) -> Self {
        let message = format!("01020036:3: The requested {label} ({name}) was not found.");
        Self::icrd(StatusCode::NOT_FOUND, message, MCPD)
    }

    /// A GET of a sub-collection item that is not there: names the item only (pool members, EC
    /// `LTMGetPoolMemberTests`; *assumed* for FDB records).
    pub(crate) fn object_not_found(name: &str) -> Self {
        let message = format!("Object not found - {name}");
        Self::icrd(StatusCode::NOT_FOUND, message, ICRD)
    }

    /// The object is there already: `01020066` (data groups on 17.1.2.1; other labels are *assumed*).
    pub(crate) fn already_exists(label: &str, name: &str, partition: &str) -> Self {
        let message = format!(
            "01020066:3: The requested {label} ({name}) already exists in partition {partition}."
        );
        Self::icrd(StatusCode::CONFLICT, message, MCPD)
    }

    /// The folder of a new object is not there (EC `LTMCreateBalancingPoolTests`).
    pub(crate) fn no_folder(folder: &str) -> Self {
        let message = format!("The requested folder ({folder}) was not found.");
        Self::icrd(StatusCode::BAD_REQUEST, message, PARSER)
    }

    /// Something else mcpd does not take.
    pub(crate) fn configuration(message: &str) -> Self {
        let message = format!("01070734:3: Configuration error: {message}");
        Self::icrd(StatusCode::BAD_REQUEST, message, MCPD)
    }

    /// A property that has to be there is not. *Assumed* in status and wording.
    pub(crate) fn missing(label: &str, name: &str, property: &str) -> Self {
        Self::configuration(&format!("The {label} ({name}) must have a {property}."))
    }

    /// A property with a value that it cannot have. *Assumed* in status and wording.
    pub(crate) fn bad_value(property: &str, value: &Value) -> Self {
        let message = format!("invalid property value \"{property}\":{value}");
        Self::icrd(StatusCode::BAD_REQUEST, message, PARSER)
    }

    /// A text that is no address (self IPs, OSA#218; *assumed* for other objects).
    pub(crate) fn bad_address(text: &str) -> Self {
        let message = format!("\"{text}\" invalid address");
        Self::icrd(StatusCode::BAD_REQUEST, message, PARSER)
    }

    /// A text that is too long for mcpd (BRG `bigip/requests.go`; status and `apiError` are those of its
    /// family).
    pub(crate) fn long_string() -> Self {
        let message = "01020057:3: The string with more than 65535 characters cannot be stored in \
                       a message.";
        Self::icrd(StatusCode::BAD_REQUEST, message, MCPD)
    }

    /// A property that is set when the object is made only (threads on routes before 12.0; *assumed* for
    /// other properties, and to hold still).
    pub(crate) fn create_only(property: &str) -> Self {
        let message = format!(
            "\"{property}\" may not be specified in the context of the \"modify\" command. \
             \"{property}\" may be specified using the following commands: create, list"
        );
        Self::icrd(StatusCode::BAD_REQUEST, message, PARSER)
    }

    /// Another object needs this one: `01070265` (VLANs, f5-declarative-onboarding#7; *assumed* for tunnels
    /// and profiles).
    pub(crate) fn in_use(label: &str, name: &str, user_label: &str, user: &str) -> Self {
        let message = format!(
            "01070265:3: The {label} ({name}) cannot be deleted because it is in use by a \
             {user_label} ({user})."
        );
        Self::icrd(StatusCode::BAD_REQUEST, message, MCPD)
    }

    /// A partition that holds something (AS3#126, 14.1.0.3; the type id is *assumed*).
    pub(crate) fn partition_not_empty(partition: &str) -> Self {
        let message = format!(
            "0107082a:3: All objects must be removed from a partition ({partition}) before the \
             partition may be removed, type ID (915)"
        );
        Self::icrd(StatusCode::BAD_REQUEST, message, MCPD)
    }

    /// A folder that holds something (AS3#585, 16.1.2.1).
    pub(crate) fn folder_not_empty(folder: &str, label: &str, name: &str) -> Self {
        let message = format!(
            "010713f9:3: The folder {folder} cannot be deleted because it contains configuration \
             item ({label} {name})"
        );
        Self::icrd(StatusCode::BAD_REQUEST, message, MCPD)
    }

    /// A route domain that is the default of a partition (OSA#402).
    pub(crate) fn default_domain(id: u64, partition: &str) -> Self {
        let message = format!(
            "0107097c:3: The specified route domain ({id}) is the default route domain for one or \
             more partitions ({partition}) and cannot be deleted."
        );
        Self::icrd(StatusCode::BAD_REQUEST, message, MCPD)
    }

    /// A gateway that no self IP reaches (a script for AWS pairs quotes it in a sync error; *assumed* to
    /// be said to a client, too).
    pub(crate) fn far_gateway(gateway: &str) -> Self {
        let message = format!(
            "01070330:3: Static route gateway {gateway} is not directly connected via an interface."
        );
        Self::icrd(StatusCode::BAD_REQUEST, message, MCPD)
    }

    /// A second tunnel with this VNI on one local address (CIS#804; the status and `apiError` are those of its
    /// family).
    pub(crate) fn vni_taken(tunnel: &str, vni: u64, other: &str) -> Self {
        let message = format!(
            "010716ce:3: The tunnel {tunnel} must have a unique VNI - the specified VNI({vni}) conflicts \
             with VNI of tunnel {other}."
        );
        Self::icrd(StatusCode::BAD_REQUEST, message, MCPD)
    }

    /// A self IP in a network that another VLAN has (CIS#804, where the id before the words is left out; so it
    /// is here. The status and `apiError` are those of its family).
    pub(crate) fn two_vlans(address: &str, own: &str, other: &str) -> Self {
        let message =
            format!("Self IP {address}: This network is defined on two vlans ({own} and {other})");
        Self::icrd(StatusCode::BAD_REQUEST, message, MCPD)
    }

    /// A traffic group that is not in the folder of the object that names it (ANS#229, ANS#52).
    pub(crate) fn no_traffic_group(path: &str) -> Self {
        Self::configuration(&format!("Traffic group ({path}) does not exist."))
    }

    /// A record without endpoint (FCP#733, 12.1; the status and `apiError` are those of its family).
    pub(crate) fn empty_entry(tunnel: &str, mac: &str) -> Self {
        Self::configuration(&format!(
            "The tunnel FDB record ({tunnel} {mac}) has an empty entry."
        ))
    }

    /// An endpoint in another route domain than the tunnel's local address (CIS#425, 12.1.1).
    pub(crate) fn other_route_domain(tunnel: &str, mac: &str, endpoint: &str, local: &str) -> Self {
        Self::configuration(&format!(
            "The IP address ({endpoint}) of the tunnel FDB record ({tunnel} {mac}) and the tunnel \
             local address ({local}) cannot be in different route domain."
        ))
    }

    /// No such transaction, or no longer (e-XpertSolutions/f5-rest-client#36; the `apiError` is *assumed*).
    pub(crate) fn no_transaction() -> Self {
        let message = "Missing transaction ID for this call.";
        Self::icrd(StatusCode::NOT_FOUND, message, ICRD)
    }

    /// A commit of a transaction that has no commands: a 404 by a recorded answer, whose words FCP's test of
    /// transactions looks for, too.
    pub(crate) fn no_commands() -> Self {
        let message = "there is no command to commit in the transaction.";
        Self::icrd(StatusCode::NOT_FOUND, message, ICRD)
    }

    /// What follows `commands` in the URI of a transaction is no number (f5-rest-client#36).
    pub(crate) fn bad_command_id(id: &str) -> Self {
        let message = format!("Found invalid command id {id}");
        Self::icrd(StatusCode::BAD_REQUEST, message, ICRD)
    }

    /// A request that no transaction takes (LAB quotes it with gaps; `apiError` and what fills them are
    /// *assumed*).
    pub(crate) fn not_for_transactions(id: u64, operation: &str) -> Self {
        let message = format!(
            "Transaction {id} operation {operation} is not allowed to be added to transaction."
        );
        Self::icrd(StatusCode::BAD_REQUEST, message, ICRD)
    }

    /// The first refusal of a command in a transaction (recorded for a SNAT pool and for an empty PATCH,
    /// both a 400; *assumed* to be one where the command alone would be a 404 or 409).
    pub(crate) fn transaction_failed(&self) -> Self {
        match self {
            Self::Icrd {
                status, message, ..
            } if *status != StatusCode::NOT_IMPLEMENTED => {
                let message = format!("transaction failed:{message}");
                Self::icrd(StatusCode::BAD_REQUEST, message, TRANSACTION)
            }
            other => other.clone(),
        }
    }
}
