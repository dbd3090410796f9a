//! What is pinged for a tunnel: its nodes, and one address of each.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use bigip_tunnel_cilium::seen;
use bigip_tunnel_core::desired::{Desired, desired};
use bigip_tunnel_core::mac::MacAddress;
use bigip_tunnel_core::node::NodeView;
use bigip_tunnel_core::verify::NotAsked;
use bigip_tunnel_core::verify::sample::{Candidate, Extent, sample};
use bigip_tunnel_crds::convert;
use bigip_tunnel_crds::v1alpha1::BigIpTunnel;
use jiff::Timestamp;

use crate::cli::verify::VerifyArgs;
use crate::cmd::seen::{Seen, invalid};
use crate::context::{Cluster, PodSeen};
use crate::error::Error;
use crate::report::fdb::Wanted;
use crate::report::verify::target::health_endpoint;

/// What is pinged for a tunnel.
pub(super) struct Targets {
    pub(super) seen: Seen,
    /// How many nodes have a record, or should have one.
    pub(super) nodes: usize,
    /// In the order of their names.
    pub(super) all: Vec<Target>,
}

/// A node that is asked for.
pub(super) struct Target {
    pub(super) node: String,
    /// Its record: the key, and the address that it leads to. Nothing for a node that cannot have one.
    pub(super) record: Option<(MacAddress, Ipv4Addr)>,
    /// What is pinged, or why nothing is.
    pub(super) address: Result<Ipv4Addr, NotAsked>,
}

impl Targets {
    /// What is pinged for this object. Nothing where the pod to ping is not on one of its nodes and the object was
    /// not named.
    pub(super) async fn of(
        cluster: &Cluster,
        object: BigIpTunnel,
        (cilium, pod): (&seen::Cluster, Option<&PodSeen>),
        args: &VerifyArgs,
    ) -> Result<Option<Self>, Error> {
        let seen = Seen::of(cluster, object).await?;
        let refused = |problem| invalid(&seen.object, problem);
        let prefix = convert::mac_prefix(&seen.object.spec).map_err(refused)?;
        let rule = convert::address_rule(&seen.object.spec).map_err(refused)?;
        let is_node = |node: &&NodeView| node.traits.stands_for.is_none();
        let nodes: Vec<NodeView> = seen.nodes().iter().filter(is_node).cloned().collect();
        let desired = desired(&nodes, prefix, &rule);
        let names = match pod {
            Some(pod) => BTreeSet::from([pod.node.clone()]),
            None if args.nodes.is_empty() => sampled(&nodes, &desired, args),
            None => args.nodes.iter().cloned().collect(),
        };
        if let Err(unknown) = must_know(&seen, &names) {
            return match pod {
                Some(_) if args.name.is_none() => Ok(None),
                _ => Err(unknown),
            };
        }
        let address = |name: &str| match pod {
            Some(pod) => Ok(pod.address),
            None => health_endpoint(cilium, name),
        };
        let all = names
            .into_iter()
            .map(|name| target(name, &desired, address));
        Ok(Some(Self {
            nodes: desired.nodes.len(),
            all: all.collect(),
            seen,
        }))
    }

    /// How many addresses are pinged.
    pub(super) fn addresses(&self) -> usize {
        let all = self.all.iter();
        all.filter(|target| target.address.is_ok()).count()
    }
}

fn must_know(seen: &Seen, names: &BTreeSet<String>) -> Result<(), Error> {
    let nodes: Vec<String> = names.iter().cloned().collect();
    seen.must_know(&Wanted {
        nodes: &nodes,
        ..Wanted::default()
    })
}

/// The names of the nodes that are asked where none is named.
fn sampled(nodes: &[NodeView], desired: &Desired, args: &VerifyArgs) -> BTreeSet<String> {
    let with_record: BTreeSet<&str> = desired.nodes.values().map(|node| &*node.name).collect();
    let candidates = nodes
        .iter()
        .filter(|node| node.selected && with_record.contains(&*node.name))
        .map(|node| Candidate {
            name: &node.name,
            created: node.created,
        });
    let candidates: Vec<Candidate<'_>> = candidates.collect();
    let extent = if args.all {
        Extent::All
    } else {
        Extent::Sample(args.sample)
    };
    let names = sample(&candidates, Timestamp::now(), extent);
    names.into_iter().map(str::to_owned).collect()
}

fn target(
    node: String,
    desired: &Desired,
    address: impl Fn(&str) -> Result<Ipv4Addr, NotAsked>,
) -> Target {
    let mut records = desired.nodes.iter();
    let record = records.find(|(_, known)| known.name == node);
    let skipped = || {
        let mut skipped = desired
            .skipped
            .iter()
            .filter(|skipped| skipped.name == node);
        let why = skipped.next().map(|skipped| skipped.message.clone());
        why.unwrap_or_else(|| "it is gone".to_owned())
    };
    Target {
        address: match record {
            Some(_) => address(&node),
            None => Err(NotAsked::NoAddress(format!(
                "it has no record: {}",
                skipped()
            ))),
        },
        record: record.map(|(mac, known)| (*mac, known.address)),
        node,
    }
}
