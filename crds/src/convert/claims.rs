//! Claims as stored in the status, to and from core's.
//!
//! Claims that cannot be read, all or in part, are an error and never taken for none: what is claimed is
//! then not known, and nothing may be written or removed.

use std::sync::Arc;

use bigip_tunnel_core::budget::{Step, Tally, Window};
use bigip_tunnel_core::claims::{ClaimRow, ClaimState, ClaimedRecord, Claims};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::v1alpha1::{self, BigIpTunnelStatus, Claim, Ownership, RemovalStep, RemovalWindow};

/// Bytes of the longest name that a Node can have.
const NODE_NAME_MAX: usize = 253;

/// Claims that cannot be read. The fields are positions, so that a user finds the place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnreadableClaims {
    /// An entry is not a MAC address, nor one with the name of a node.
    #[error(
        "status.ownership.claims[{row}].{list}[{entry}] is not a MAC address followed by the name of a node"
    )]
    Record {
        /// Position of the row.
        row: usize,
        /// The list in the row.
        list: &'static str,
        /// Position of the entry.
        entry: usize,
    },
    /// A row names no device.
    #[error("status.ownership.claims[{row}] names no device")]
    NoDevice {
        /// Position of the row.
        row: usize,
    },
}

/// The claims in this status. Void, that is none, when they were made for an object with another
/// uid: a status that was restored or copied owns nothing.
///
/// # Errors
///
/// What cannot be read. The claims then count as not known.
pub fn claims(status: &BigIpTunnelStatus, uid: &str) -> Result<Claims, UnreadableClaims> {
    let ownership = status.ownership.iter();
    let ownership = ownership.filter(|ownership| ownership.uid == uid);
    let rows = ownership.flat_map(|ownership| ownership.claims.iter().enumerate());
    let rows = rows.map(|(row, claim)| read_row(row, claim));
    Ok(Claims::from_rows(rows.collect::<Result<Vec<_>, _>>()?))
}

fn read_row(row: usize, claim: &Claim) -> Result<ClaimRow, UnreadableClaims> {
    let Claim {
        devices,
        state,
        records,
        macs,
    } = claim;
    let read = |list: &'static str, (entry, text): (usize, &String)| {
        read_record(text).ok_or(UnreadableClaims::Record { row, list, entry })
    };
    let named = records.iter().enumerate().map(|item| read("records", item));
    let older = macs.iter().enumerate().map(|item| read("macs", item));
    let records = named.chain(older).collect::<Result<Vec<_>, _>>()?;
    if devices.is_empty() && !records.is_empty() {
        return Err(UnreadableClaims::NoDevice { row });
    }
    Ok(ClaimRow {
        devices: devices.clone(),
        state: match state {
            v1alpha1::ClaimState::Pending => ClaimState::Pending,
            v1alpha1::ClaimState::Owned => ClaimState::Owned,
            v1alpha1::ClaimState::Leaving => ClaimState::Leaving,
        },
        records,
    })
}

fn read_record(text: &str) -> Option<ClaimedRecord> {
    let Some((mac, node)) = text.split_once(' ') else {
        let mac = text.parse().ok()?;
        return Some(ClaimedRecord { mac, node: None });
    };
    let is_part = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let is_name = node
        .bytes()
        .all(|byte| is_part(byte) || b".-".contains(&byte));
    if node.is_empty() || node.len() > NODE_NAME_MAX || !is_name {
        return None;
    }
    Some(ClaimedRecord {
        mac: mac.parse().ok()?,
        node: Some(Arc::from(node)),
    })
}

/// A claimed record as it is stored.
fn stored_record(record: &ClaimedRecord) -> String {
    let ClaimedRecord { mac, node } = record;
    match node {
        Some(node) => format!("{mac} {node}"),
        None => mac.to_string(),
    }
}

/// These claims as the status of the object with this uid holds them.
pub fn ownership(claims: &Claims, uid: &str) -> Ownership {
    let claim = |row: ClaimRow| Claim {
        devices: row.devices,
        state: match row.state {
            ClaimState::Pending => v1alpha1::ClaimState::Pending,
            ClaimState::Owned => v1alpha1::ClaimState::Owned,
            ClaimState::Leaving => v1alpha1::ClaimState::Leaving,
        },
        records: row.records.iter().map(stored_record).collect(),
        macs: Vec::new(),
    };
    Ownership {
        uid: uid.to_owned(),
        claims: claims.to_rows().into_iter().map(claim).collect(),
    }
}

/// The removals of the last hour, as stored. Numbers that make no sense count as none left.
pub fn removal_window(status: &BigIpTunnelStatus) -> Window {
    let stored = status.removal_window.as_ref();
    let count = |number: i32| usize::try_from(number).unwrap_or_default();
    let step = |step: &RemovalStep| {
        let (node_deleted, deselected) = (count(step.node_deleted), count(step.deselected));
        let removed = usize::try_from(step.removed).unwrap_or(usize::MAX);
        Step {
            time: step.time.0,
            claimed: count(step.claimed),
            nodes: count(step.nodes),
            removed: Tally {
                node_deleted,
                deselected,
                // Versions that did not count by cause compared no removal with the number of nodes.
                address_changed: removed.saturating_sub(node_deleted.saturating_add(deselected)),
            },
        }
    };
    Window {
        nodes: stored
            .and_then(|window| window.nodes)
            .and_then(|nodes| usize::try_from(nodes).ok()),
        steps: stored
            .iter()
            .flat_map(|window| &window.steps)
            .map(step)
            .collect(),
    }
}

/// The removals of the last hour, to be stored.
pub fn stored_window(window: &Window) -> RemovalWindow {
    let number = |number: usize| i32::try_from(number).unwrap_or(i32::MAX);
    let step = |step: &Step| RemovalStep {
        time: Time(step.time),
        claimed: number(step.claimed),
        nodes: number(step.nodes),
        removed: number(step.removed.total()),
        node_deleted: number(step.removed.node_deleted),
        deselected: number(step.removed.deselected),
    };
    RemovalWindow {
        start: window.steps.first().map(|step| Time(step.time)),
        baseline: window.baseline().map(number),
        removed: number(window.removed().total()),
        nodes: window.nodes.map(number),
        steps: window.steps.iter().map(step).collect(),
    }
}

#[cfg(test)]
mod tests {
    use bigip_tunnel_core::claims::{OWNERSHIP_BYTES_MAX, stored_bytes};
    use bigip_tunnel_core::mac::MacAddress;

    use super::*;

    const NAMED: &str = "0a:0a:0a:00:00:01 worker-1.example.com";
    const NAMELESS: &str = "0a:0a:0a:00:00:02";

    fn status(uid: &str, records: &[&str]) -> BigIpTunnelStatus {
        let claim = Claim {
            devices: vec!["bigip-a".into()],
            state: v1alpha1::ClaimState::Owned,
            records: records.iter().map(|text| (*text).to_owned()).collect(),
            macs: Vec::new(),
        };
        let ownership = Ownership {
            uid: uid.into(),
            claims: vec![claim],
        };
        BigIpTunnelStatus {
            ownership: Some(ownership),
            ..BigIpTunnelStatus::default()
        }
    }

    fn read(records: &[&str]) -> Result<Claims, UnreadableClaims> {
        claims(&status("uid-1", records), "uid-1")
    }

    #[test]
    fn stored_claims_parse_to_the_same() {
        let stored = status("uid-1", &[NAMED, NAMELESS]);
        let read = claims(&stored, "uid-1").unwrap();
        assert_eq!(read.len(), 2);
        assert_eq!(Some(ownership(&read, "uid-1")), stored.ownership);
    }

    #[test]
    fn claims_of_another_object_are_void() {
        let stored = status("uid-1", &[NAMED, "x"]);
        assert!(claims(&stored, "uid-2").unwrap().is_empty());
    }

    #[test]
    fn invalid_entry_makes_all_claims_unreadable() {
        let long = format!("{NAMELESS} {}", "n".repeat(254));
        for entry in [
            "x",
            "",
            "0a:0a:0a:00:00:02 ",
            " worker-1",
            "0a:0a:0a:00:00:02  worker-1",
            "0a:0a:0a:00:00:02 worker-1 worker-2",
            "0a:0a:0a:00:00:02 Worker",
            &long,
        ] {
            let problem = read(&[NAMED, entry]).unwrap_err();
            let place = "status.ownership.claims[0].records[1]";
            assert!(problem.to_string().starts_with(place), "{entry}");
        }
    }

    #[test]
    fn row_without_device_is_unreadable() {
        let mut stored = status("uid-1", &[NAMED]);
        stored.ownership.as_mut().unwrap().claims[0].devices.clear();
        assert!(claims(&stored, "uid-1").is_err());
    }

    #[test]
    fn claims_of_an_older_version_are_read_without_names() {
        let stored = include_str!("../../../tests/fixtures/status/v0.1-macs.json");
        let object: v1alpha1::BigIpTunnel = serde_json::from_str(stored).unwrap();
        let uid = object.metadata.uid.unwrap();
        let read = claims(&object.status.unwrap(), &uid).unwrap();
        assert_eq!(read.of("bigip-a"), read.of("bigip-b"));
        assert_eq!(read.of("bigip-a").len(), 3);
        for mac in read.of("bigip-a").keys() {
            assert!(read.nodes().is_unknown(*mac));
        }
    }

    #[test]
    fn claims_take_up_no_more_bytes_than_are_counted() {
        let (devices, name) = (["bigip-a", "bigip-b"], "n".repeat(45));
        let mut claims = Claims::default();
        let macs = (0..5000_u16).map(|n| {
            let [high, low] = n.to_be_bytes();
            MacAddress::new([0x0a, 0x0a, 10, 0, high, low])
        });
        let changes = macs.clone().map(|mac| (mac, Some(ClaimState::Owned)));
        for device in devices {
            claims.apply(device, &changes.clone().collect());
        }
        let names = macs.map(|mac| (mac, [Arc::from(name.as_str())].into()));
        claims.note_nodes(&names.collect());
        let stored = serde_json::to_string(&ownership(&claims, "uid-1")).unwrap();
        assert!(stored.len() <= 350_000, "{}", stored.len());
        assert!(stored.len() <= OWNERSHIP_BYTES_MAX - claims.room_bytes());
    }

    #[test]
    fn claims_of_20000_long_names_are_stored_up_to_the_limit() {
        let name: Arc<str> = Arc::from("n".repeat(63));
        let mut claims = Claims::default();
        let macs = (0..20_000_u16).map(|n| {
            let [high, low] = n.to_be_bytes();
            MacAddress::new([0x0a, 0x0a, 10, 0, high, low])
        });
        let mut room = claims.room_bytes() - 1_000;
        let fit = |_: &MacAddress| {
            let rest = room.checked_sub(stored_bytes(Some(&name)));
            room = rest.unwrap_or(room);
            rest.is_some()
        };
        let stored: Vec<_> = macs.filter(fit).collect();
        assert!((12_000..13_000).contains(&stored.len()), "{}", stored.len());
        let changes = stored.iter().map(|mac| (*mac, Some(ClaimState::Owned)));
        for device in ["bigip-a", "bigip-b"] {
            claims.apply(device, &changes.clone().collect());
        }
        let names = stored.iter().map(|mac| (*mac, [name.clone()].into()));
        claims.note_nodes(&names.collect());
        assert!(claims.room_bytes() < 1_000);
        let text = serde_json::to_string(&ownership(&claims, "uid-1")).unwrap();
        assert!(text.len() <= OWNERSHIP_BYTES_MAX, "{}", text.len());
    }
}
