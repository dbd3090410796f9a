//! Names that are looked up when they are wanted: in the cluster, in the kubeconfig, in the catalogue.
//!
//! A cluster that does not answer at once has no names.

use bigip_tunnel_core::condition::ConditionType;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use bigip_tunnel_crds::convert;
use bigip_tunnel_crds::v1alpha1::BigIpTunnel;
use clap_complete::engine::CompletionCandidate;
use kube::ResourceExt as _;

use super::typed::Typed;
use crate::catalogue::{ALL, reasons};
use crate::cli::completion::Completes;
use crate::context::{Cluster, ReadTunnel, readable};
use crate::error::Error;

/// How long a person who pressed a key is kept waiting.
const PATIENCE: Duration = Duration::from_secs(2);

/// The names.
pub(super) fn names(of: Completes, typed: &Typed) -> Vec<CompletionCandidate> {
    match of {
        Completes::Contexts | Completes::Clusters | Completes::Users => {
            of_kubeconfig(of, typed).unwrap_or_default()
        }
        Completes::Words => words(),
        Completes::Tunnels
        | Completes::Devices
        | Completes::FormerDevices
        | Completes::Nodes
        | Completes::Namespaces => in_time(of, typed.clone()),
    }
}

fn candidate(name: impl Into<String>, help: Option<String>) -> CompletionCandidate {
    CompletionCandidate::new(name.into()).help(help.map(Into::into))
}

fn of_kubeconfig(of: Completes, typed: &Typed) -> Result<Vec<CompletionCandidate>, Error> {
    let Some(kubeconfig) = typed.connection.kubeconfig()? else {
        return Ok(Vec::new());
    };
    let plain = |name| candidate(name, None);
    Ok(match of {
        Completes::Clusters => kubeconfig
            .clusters
            .into_iter()
            .map(|named| candidate(named.name, named.cluster.and_then(|cluster| cluster.server)))
            .collect(),
        Completes::Users => kubeconfig
            .auth_infos
            .into_iter()
            .map(|named| plain(named.name))
            .collect(),
        _ => kubeconfig
            .contexts
            .into_iter()
            .map(|named| candidate(named.name, named.context.map(|context| context.cluster)))
            .collect(),
    })
}

fn words() -> Vec<CompletionCandidate> {
    let codes = ALL
        .iter()
        .map(|code| candidate(code.name(), Some(code.title().to_owned())));
    codes
        .chain(reasons::all().map(|reason| candidate(reason.name, Some(reason.meaning))))
        .collect()
}

/// The names in the cluster, if it tells them soon. The thread that is not waited for any longer ends
/// with the process: a program that gets the login cannot be hurried.
fn in_time(of: Completes, typed: Typed) -> Vec<CompletionCandidate> {
    let (answer, answered) = mpsc::channel();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        if let Ok(Ok(names)) = runtime.map(|runtime| runtime.block_on(in_cluster(of, &typed))) {
            // Nobody may wait any longer.
            let _ = answer.send(names);
        }
    });
    answered.recv_timeout(PATIENCE).unwrap_or_default()
}

async fn in_cluster(of: Completes, typed: &Typed) -> Result<Vec<CompletionCandidate>, Error> {
    let cluster = Cluster::new_unattended(&typed.connection).await?;
    let plain = |name| candidate(name, None);
    if of == Completes::Namespaces {
        let names = cluster.namespace_names().await?;
        return Ok(names.into_iter().map(plain).collect());
    }
    // A tunnel is named in one namespace.
    if typed.connection.all_namespaces {
        return Ok(Vec::new());
    }
    if of == Completes::Tunnels {
        return Ok(tunnels(cluster.tunnels(false, None).await?, &typed.tunnels));
    }
    let Some(name) = typed.tunnels.first() else {
        return Ok(Vec::new());
    };
    let tunnel = readable(cluster.tunnel(name).await?)?;
    if of == Completes::Nodes {
        let Ok(selector) = convert::selector(&tunnel.spec) else {
            return Ok(Vec::new());
        };
        let names = cluster.node_names(&selector).await?;
        return Ok(names.into_iter().map(plain).collect());
    }
    Ok(devices(of, tunnel))
}

/// The tunnels that are not on the line yet.
fn tunnels(found: Vec<ReadTunnel>, given: &[String]) -> Vec<CompletionCandidate> {
    let tunnels = found.into_iter().map(|tunnel| match tunnel.0 {
        Ok(tunnel) => (tunnel.name_any(), state(&tunnel)),
        Err(invalid) => (invalid.metadata.name.unwrap_or_default(), None),
    });
    tunnels
        .filter(|(name, _)| !given.contains(name))
        .map(|(name, state)| candidate(name, state))
        .collect()
}

/// How it is with a tunnel, in a few words.
fn state(tunnel: &BigIpTunnel) -> Option<String> {
    let status = tunnel.status.as_ref()?;
    let ready = status
        .conditions
        .iter()
        .find(|c| c.type_ == ConditionType::Ready.as_str())?;
    let summary = status.summary.as_ref();
    let records = summary.map(|summary| format!(", {} records", summary.records));
    Some(format!("{}{}", ready.reason, records.unwrap_or_default()))
}

/// The BIG-IPs that it lists, or those that it does not list any more.
fn devices(of: Completes, tunnel: BigIpTunnel) -> Vec<CompletionCandidate> {
    if of == Completes::FormerDevices {
        let former = tunnel.status.map(|status| status.former_devices);
        return former
            .into_iter()
            .flatten()
            .map(|device| candidate(device.name, Some(device.address)))
            .collect();
    }
    let listed = tunnel.spec.devices.into_iter();
    listed
        .map(|device| candidate(device.name, Some(device.address)))
        .collect()
}
