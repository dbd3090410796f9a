//! What `graph` draws: BIG-IPs on one side, nodes on the other, and how well each is reached.
//!
//! Of nodes that are alike only the first are drawn, unless all are wanted; what is not right comes
//! first. Must not know in which language it is drawn.

use bigip_tunnel_crds::v1alpha1::{BigIpTunnel, FailoverState, TunnelStatus};
use serde::Serialize;

use super::fdb::{FdbReport, Row, State};
use super::status::TunnelReport;
use crate::error::Outcome;

/// Nodes that are drawn if none of them has a problem.
const NODES_MAX: usize = 8;
/// Nodes with a problem that are drawn.
const PROBLEMS_MAX: usize = 16;

/// Everything that is drawn.
#[derive(Serialize, Debug)]
#[serde(rename_all = "camelCase")]
pub(crate) struct GraphReport {
    pub(crate) namespace: String,
    pub(crate) name: String,
    /// Path of the tunnel on the BIG-IPs.
    pub(crate) tunnel: String,
    /// The tunnel as the first BIG-IP shows it that does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) read: Option<TunnelStatus>,
    pub(crate) devices: Vec<GraphDevice>,
    /// The nodes that are drawn.
    pub(crate) nodes: Vec<Row>,
    /// How many more there are whose record is right on every BIG-IP.
    pub(crate) more_in_sync: usize,
    /// How many more there are of which that is not known.
    pub(crate) more_problems: usize,
    #[serde(skip)]
    is_fine: bool,
}

/// One BIG-IP.
#[derive(Serialize, Debug)]
#[serde(rename_all = "camelCase")]
pub(crate) struct GraphDevice {
    pub(crate) name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) failover_state: Option<FailoverState>,
    /// Local address of the tunnel, which the nodes answer to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) local_address: Option<String>,
    /// The reason to show for it, as in `status`.
    pub(crate) state: String,
}

impl GraphReport {
    /// Puts together what is known of a tunnel and its records.
    pub(crate) fn new(object: &BigIpTunnel, fdb: FdbReport, grouping: bool) -> Self {
        let tunnel = TunnelReport::new(object);
        let is_fine = tunnel.is_ready() && fdb.outcome() == Outcome::Fine;
        let read = |report: &TunnelReport| {
            let mut read = report.devices.iter().map(|device| &device.status.tunnel);
            read.find_map(Clone::clone)
        };
        let mut rows = fdb.rows;
        rows.retain(|row| row.skipped.is_some() || row.cells.iter().any(is_drawn));
        let (more_in_sync, more_problems) = if grouping {
            thin_out(&mut rows)
        } else {
            (0, 0)
        };
        Self {
            read: read(&tunnel),
            devices: tunnel
                .devices
                .into_iter()
                .map(|device| GraphDevice {
                    name: device.status.name,
                    failover_state: device.status.failover_state,
                    local_address: device.status.tunnel.and_then(|read| read.local_address),
                    state: device.state,
                })
                .collect(),
            namespace: fdb.namespace,
            name: fdb.name,
            tunnel: fdb.tunnel,
            nodes: rows,
            more_in_sync,
            more_problems,
            is_fine,
        }
    }

    /// Whether the tunnel is ready and every node is known to be served.
    pub(crate) const fn outcome(&self) -> Outcome {
        Outcome::fine_if(self.is_fine)
    }
}

/// A record of somebody else leads to none of our nodes, and one that is gone leads nowhere.
fn is_drawn(cell: &super::fdb::Cell) -> bool {
    !cell.state.is_nothing_of_ours() && cell.state != State::Removed
}

/// Whether there is anything to say about a node but that it is reached.
fn is_plain(row: &Row) -> bool {
    let is_ok = |cell: &super::fdb::Cell| cell.verified && cell.state == State::Ok;
    row.cells.iter().all(is_ok)
}

/// Leaves the first problems, and as many others as fit. Returns how many others and how many
/// problems went.
fn thin_out(rows: &mut Vec<Row>) -> (usize, usize) {
    let problems = rows.iter().filter(|row| !is_plain(row)).count();
    let mut plain_left = NODES_MAX.saturating_sub(problems);
    if rows.len() <= NODES_MAX {
        return (0, 0);
    }
    let mut problems_left = PROBLEMS_MAX;
    let (mut plain_gone, mut problems_gone) = (0, 0);
    rows.retain(|row| {
        let (left, gone) = if is_plain(row) {
            (&mut plain_left, &mut plain_gone)
        } else {
            (&mut problems_left, &mut problems_gone)
        };
        let stays = *left > 0;
        *left = left.saturating_sub(1);
        *gone += usize::from(!stays);
        stays
    });
    (plain_gone, problems_gone)
}
