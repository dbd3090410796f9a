//! A tunnel and the nodes of its cluster, as several verbs read them, once or again and again.
//! Knows no verb.

use std::collections::BTreeSet;
use std::io::Write;
use std::time::Duration;

use bigip_tunnel_core::claims::Claims;
use bigip_tunnel_core::desired::desired;
use bigip_tunnel_core::node::NodeView;
use bigip_tunnel_core::plan::{Plan, plan};
use bigip_tunnel_core::record::Records;
use bigip_tunnel_crds::convert;
use bigip_tunnel_crds::v1alpha1::{BigIpTunnel, Device};
use kube::ResourceExt as _;
use tokio::time::{Instant, sleep};

use super::watch::{PAUSE, Picture, Pictures};
use crate::context::{Cluster, Nodes, readable};
use crate::direct::Live;
use crate::error::{Error, Outcome, Unusable};
use crate::report::fdb::{FdbReport, Wanted};
use crate::style::Style;

/// How old a list of nodes may be that is looked at again. A node that comes or goes changes the
/// tunnel, and then they are listed at once.
const NODES_AGE_MAX: Duration = Duration::from_secs(30);

/// A tunnel and the nodes, as read.
pub(super) struct Seen {
    pub(super) object: BigIpTunnel,
    nodes: Nodes,
    listed: Instant,
}

impl Seen {
    /// What was read at this moment.
    pub(super) fn new(object: BigIpTunnel, nodes: Nodes) -> Self {
        Self {
            object,
            nodes,
            listed: Instant::now(),
        }
    }

    /// Reads a tunnel and its nodes.
    pub(super) async fn collect(cluster: &Cluster, name: &str) -> Result<Self, Error> {
        Self::of(cluster, read(cluster, name).await?).await
    }

    /// Reads the nodes of a tunnel.
    pub(super) async fn of(cluster: &Cluster, object: BigIpTunnel) -> Result<Self, Error> {
        let nodes = list(cluster, &object).await?;
        Ok(Self::new(object, nodes))
    }

    /// Looks again. The nodes are listed only when they may be others.
    async fn refresh(&mut self, cluster: &Cluster) -> Result<(), Error> {
        let object = read(cluster, &self.object.name_any()).await?;
        let changed = object.resource_version() != self.object.resource_version();
        if changed || self.listed.elapsed() >= NODES_AGE_MAX {
            self.nodes = list(cluster, &object).await?;
            self.listed = Instant::now();
        }
        self.object = object;
        Ok(())
    }

    /// Shows every change, until the person has seen enough.
    pub(super) async fn follow(
        mut self,
        cluster: &Cluster,
        mut pictures: Pictures,
        style: Style,
        (out, err): (&mut dyn Write, &mut dyn Write),
        picture: impl Fn(&Self, Style) -> Result<Picture, Error>,
    ) -> Result<Outcome, Error> {
        loop {
            let measured = style.measured();
            pictures.show(picture(&self, measured)?, measured, out)?;
            loop {
                sleep(PAUSE).await;
                match self.refresh(cluster).await {
                    Ok(()) => break,
                    Err(error) if error.is_passing() => {
                        pictures.trouble(&error, style.measured(), out, err)?;
                    }
                    Err(error) => return Err(error),
                }
            }
        }
    }

    /// The nodes.
    pub(super) fn nodes(&self) -> &[NodeView] {
        &self.nodes.views
    }

    /// What the tunnel claims.
    pub(super) fn claims(&self) -> Result<Claims, Error> {
        let uid = self.object.uid().unwrap_or_default();
        let status = self.object.status.as_ref();
        let claims = status.map(|status| convert::claims(status, &uid));
        let claims = claims.unwrap_or(Ok(Claims::default()));
        claims.map_err(|problem| invalid(&self.object, problem))
    }

    /// What separates the records of a BIG-IP that was asked from those that it should hold.
    pub(super) fn plan(&self, device: &str, live: &Live) -> Result<Plan, Error> {
        let refused = |problem| invalid(&self.object, problem);
        let prefix = convert::mac_prefix(&self.object.spec).map_err(refused)?;
        let rule = convert::address_rule(&self.object.spec).map_err(refused)?;
        let desired = desired(self.nodes(), prefix, &rule);
        let local = live.facts.tunnel.local_address;
        let wanted = local.map_or_else(Records::new, |local| desired.records(local));
        let claims = self.claims()?;
        Ok(plan(
            &wanted,
            &live.listing.observed,
            claims.of(device),
            prefix,
        ))
    }

    /// The BIG-IPs of these names; without names, all of them.
    pub(super) fn devices(&self, asked: &[String]) -> Result<Vec<&Device>, Error> {
        self.devices_of(&self.object, asked)
    }

    /// The same of the tunnel as it may become.
    pub(super) fn devices_of<'a>(
        &self,
        object: &'a BigIpTunnel,
        asked: &[String],
    ) -> Result<Vec<&'a Device>, Error> {
        let listed = &object.spec.devices;
        let is_listed = |name: &&String| listed.iter().any(|device| device.name == **name);
        if let Some(name) = asked.iter().find(|name| !is_listed(name)) {
            let known: Vec<&str> = listed.iter().map(|device| device.name.as_str()).collect();
            let hint = format!("it has {}", known.join(", "));
            return Err(self.no_such("BIG-IP", name, hint));
        }
        let is_asked = |device: &&Device| asked.is_empty() || asked.contains(&device.name);
        Ok(listed.iter().filter(is_asked).collect())
    }

    /// The records of the nodes, as far as they are wanted.
    pub(super) fn fdb(&self, wanted: &Wanted<'_>) -> Result<FdbReport, Error> {
        let mut report = FdbReport::new(&self.object, &self.nodes.views, wanted)
            .map_err(|problem| invalid(&self.object, problem))?;
        report.note_readiness(&self.nodes.ready);
        Ok(report)
    }

    /// A name that nothing has is a mistake, and not a sign that all is well. A node that left counts
    /// as known where the status still names it.
    pub(super) fn must_know(&self, wanted: &Wanted<'_>) -> Result<(), Error> {
        self.devices(wanted.devices)?;
        let selected = self.nodes.views.iter().filter(|node| node.selected);
        let left = self.object.status.iter().flat_map(|s| &s.leaving_nodes);
        let nodes: BTreeSet<&String> = selected
            .map(|node| &node.name)
            .chain(left.filter_map(|node| node.name.as_ref()))
            .collect();
        if let Some(name) = wanted.nodes.iter().find(|name| !nodes.contains(name)) {
            let hint =
                "its labels have to fit spec.nodes.selector: kubectl get nodes --show-labels";
            return Err(self.no_such("node", name, hint.to_owned()));
        }
        Ok(())
    }

    fn no_such(&self, what: &'static str, name: &str, hint: String) -> Error {
        let namespace = self.object.namespace().unwrap_or_default();
        Error::NoSuch {
            tunnel: format!("{namespace}/{}", self.object.name_any()),
            what,
            name: name.to_owned(),
            hint,
        }
    }
}

async fn read(cluster: &Cluster, name: &str) -> Result<BigIpTunnel, Error> {
    readable(cluster.tunnel(name).await?)
}

async fn list(cluster: &Cluster, object: &BigIpTunnel) -> Result<Nodes, Error> {
    let refused = |problem| invalid(object, problem);
    let selector = convert::selector(&object.spec).map_err(refused)?;
    let rule = convert::address_rule(&object.spec).map_err(refused)?;
    cluster.nodes(&selector, &rule).await
}

pub(super) fn invalid(object: &BigIpTunnel, problem: impl Into<Unusable>) -> Error {
    Error::Invalid {
        namespace: object.namespace().unwrap_or_default(),
        name: object.name_any(),
        problem: problem.into(),
    }
}
