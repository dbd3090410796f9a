//! The parts of a support bundle, one after the other. Each that cannot be read is left out and noted.

use std::collections::{BTreeMap, BTreeSet};

use bigip_tunnel_crds::v1alpha1::{BigIpTunnel, BundleKind, CaBundleRef, Tls};
use kube::ResourceExt as _;
use serde_json::Value;

use super::Collector;
use crate::cmd::seen::Seen;
use crate::context::bundle::{DEPLOYMENTS, PODS, Resource, TUNNELS, VTEP_CONFIGS};
use crate::context::{CILIUM_CONFIG, CILIUM_NAMESPACES, ReadTunnel};
use crate::error::Error;
use crate::operator;
use crate::report::Envelope;
use crate::report::bundle::outline::{CaOutline, NodesOutline, SecretsOutline, is_public};
use crate::report::bundle::redact::{bare, without_values};
use crate::report::events::EventsReport;
use crate::report::fdb::Wanted;
use crate::report::status::StatusReport;

/// The most that is taken of one log.
const LOG_BYTES_MAX: usize = 10 << 20;

impl Collector<'_> {
    /// Collects it all. Fails only if the cluster does not answer at first, if there is no tunnel of a
    /// name that was given, or if the file cannot be written.
    pub(super) async fn collect(&mut self) -> Result<(), Error> {
        let version = self.cluster.version().await;
        if let Err(error @ (Error::Unreachable(_) | Error::Timeout(_) | Error::Unauthorized)) =
            version
        {
            return Err(error);
        }
        self.report.kubernetes = self.read("version of Kubernetes", version)?;
        let tunnels = self.tunnels().await?;
        self.fdbs(&tunnels).await?;
        self.events().await?;
        self.nodes().await?;
        self.operator().await?;
        self.cilium().await?;
        self.secrets(&tunnels).await?;
        self.ca_bundles(&tunnels).await
    }

    /// The tunnels and their status. Returns those that can be read.
    async fn tunnels(&mut self) -> Result<Vec<BigIpTunnel>, Error> {
        const WHAT: &str = "BigIpTunnels";
        let mut objects = Vec::new();
        for name in &self.args.names {
            match self.cluster.raw_tunnel(name).await {
                Ok(tunnel) => objects.push(tunnel),
                Err(error @ Error::NotFound { .. }) => return Err(error),
                Err(error) => self.missing(WHAT, &error)?,
            }
        }
        if self.args.names.is_empty() {
            let here = self.cluster.namespace.clone();
            let namespace = (!self.all_namespaces).then_some(here.as_str());
            let listed = self.cluster.raw(&TUNNELS, namespace, "").await;
            objects.extend(self.read(WHAT, listed)?.into_iter().flatten());
        }
        let (mut readable, mut files) = (Vec::new(), Vec::new());
        for object in objects {
            let object = bare(object);
            let folder = format!("tunnels/{}", place(&object));
            self.add(&mut files, format!("{folder}/object.json"), &object)?;
            let tunnel: Result<ReadTunnel, _> = serde_json::from_value(object);
            let tunnel = tunnel.map_err(|error| Error::Format(error.to_string()))?;
            let status = StatusReport::new(std::slice::from_ref(&tunnel));
            let status = Envelope::new("StatusReport", &status);
            self.add(&mut files, format!("{folder}/status.json"), &status)?;
            readable.extend(tunnel.0.ok());
        }
        if !files.is_empty() {
            self.included(WHAT.to_owned(), files)?;
        }
        Ok(readable)
    }

    /// Every node with its record on every BIG-IP.
    async fn fdbs(&mut self, tunnels: &[BigIpTunnel]) -> Result<(), Error> {
        let mut files = Vec::new();
        for tunnel in tunnels {
            let place = place_of(tunnel);
            let seen = Seen::of(&self.cluster, tunnel.clone()).await;
            let report = seen.and_then(|seen| seen.fdb(&Wanted::default()));
            if let Some(report) = self.read(&format!("FDB of {place}"), report)? {
                let report = Envelope::new("FdbReport", &report);
                self.add(&mut files, format!("tunnels/{place}/fdb.json"), &report)?;
            }
        }
        if files.is_empty() {
            return Ok(());
        }
        self.included("nodes and their records".to_owned(), files)
    }

    async fn events(&mut self) -> Result<(), Error> {
        const WHAT: &str = "events";
        let events = self.cluster.events(self.all_namespaces).await;
        let Some(events) = self.read(WHAT, events)? else {
            return Ok(());
        };
        let report = EventsReport::new(events, &self.args.names);
        let mut files = Vec::new();
        let report = Envelope::new("EventsReport", &report);
        self.add(&mut files, "events.json".to_owned(), &report)?;
        self.included(WHAT.to_owned(), files)
    }

    async fn nodes(&mut self) -> Result<(), Error> {
        const WHAT: &str = "nodes";
        let nodes = self.cluster.node_outlines().await;
        let Some(nodes) = self.read(WHAT, nodes)? else {
            return Ok(());
        };
        let nodes = NodesOutline { nodes };
        let mut files = Vec::new();
        let nodes = Envelope::new("Nodes", &nodes);
        self.add(&mut files, "nodes.json".to_owned(), &nodes)?;
        self.included(WHAT.to_owned(), files)
    }

    /// Deployments, Pods and logs of the operator, in whatever namespace it runs.
    async fn operator(&mut self) -> Result<(), Error> {
        for (kind, what, end) in [
            (&DEPLOYMENTS, "Deployments of the operator", "deployment"),
            (&PODS, "Pods of the operator", "pod"),
        ] {
            let Some(objects) = self.of_operator(kind, what).await? else {
                continue;
            };
            let mut files = Vec::new();
            for object in &objects {
                let name = format!("operator/{}.{end}.json", place(object));
                self.add(&mut files, name, &without_values(object.clone()))?;
            }
            self.included(format!("{what}: {}", objects.len()), files)?;
            if end == "pod" && self.args.logs {
                self.logs(&objects).await?;
            }
        }
        if !self.args.logs {
            // That is what was asked for, and nothing to warn of.
            self.report.missing.push(super::Missing {
                what: "logs of the operator".to_owned(),
                why: "not asked for: --logs".to_owned(),
            });
        }
        Ok(())
    }

    /// Whoever may not look into all namespaces may be allowed to look into this one.
    async fn of_operator(
        &mut self,
        kind: &Resource,
        what: &str,
    ) -> Result<Option<Vec<Value>>, Error> {
        let listed = match self.cluster.raw(kind, None, operator::SELECTOR).await {
            Err(error @ Error::Forbidden { .. }) => {
                let here = self.cluster.namespace.clone();
                let listed = self
                    .cluster
                    .raw(kind, Some(&here), operator::SELECTOR)
                    .await;
                listed.map_err(|_| error)
            }
            listed => listed,
        };
        self.read(what, listed)
    }

    async fn logs(&mut self, pods: &[Value]) -> Result<(), Error> {
        let mut files = Vec::new();
        for pod in pods {
            for (container, restarts) in containers(pod) {
                self.log(&mut files, pod, &container, false).await?;
                if restarts > 0 {
                    self.log(&mut files, pod, &container, true).await?;
                }
            }
        }
        if files.is_empty() {
            return Ok(());
        }
        self.included("logs of the operator".to_owned(), files)
    }

    async fn log(
        &mut self,
        files: &mut Vec<String>,
        pod: &Value,
        container: &str,
        is_previous: bool,
    ) -> Result<(), Error> {
        let which = if is_previous { ".previous" } else { "" };
        let name = format!("operator/{}.{container}{which}.log", place(pod));
        let (namespace, pod) = (metadata(pod, "namespace"), metadata(pod, "name"));
        let since = self.args.since.0;
        let source = (namespace.as_str(), pod.as_str(), container);
        let read = self.cluster.log(source, since, is_previous, LOG_BYTES_MAX);
        let Some(text) = self.read(&name, read.await)? else {
            return Ok(());
        };
        self.archive.add(&name, text.as_bytes())?;
        if text.len() >= LOG_BYTES_MAX {
            self.missing(
                &format!("the end of {name}"),
                &"a shorter --since leads to it",
            )?;
        }
        files.push(name);
        Ok(())
    }

    /// Cilium's configuration, in whichever form there is one.
    async fn cilium(&mut self) -> Result<(), Error> {
        let (mut files, mut problem) = (Vec::new(), None);
        for namespace in CILIUM_NAMESPACES {
            match self.cluster.config_map(namespace, CILIUM_CONFIG).await {
                Ok(Some(data)) => {
                    let name = format!("cilium/{namespace}.{CILIUM_CONFIG}.json");
                    self.add(&mut files, name, &data)?;
                }
                Ok(None) => {}
                Err(error) => problem = Some(error.to_string()),
            }
        }
        if files.is_empty() {
            let nothing = || format!("there is none in {}", CILIUM_NAMESPACES.join(" and "));
            self.missing(CILIUM_CONFIG, &problem.unwrap_or_else(nothing))?;
        }
        for kind in &VTEP_CONFIGS {
            match self.cluster.raw(kind, None, "").await {
                // The cluster does not know this version of the kind.
                Err(Error::NoCrd) => {}
                listed => {
                    for object in self
                        .read("CiliumVTEPConfigs", listed)?
                        .into_iter()
                        .flatten()
                    {
                        let name = format!("cilium/{}.vtepconfig.json", metadata(&object, "name"));
                        self.add(&mut files, name, &bare(object))?;
                    }
                    break;
                }
            }
        }
        if files.is_empty() {
            return Ok(());
        }
        self.included("configuration of Cilium".to_owned(), files)
    }

    /// Which keys the Secrets have that the tunnels name.
    async fn secrets(&mut self, tunnels: &[BigIpTunnel]) -> Result<(), Error> {
        let names: BTreeSet<_> = tunnels.iter().flat_map(secrets).collect();
        let mut secrets = Vec::new();
        for (namespace, name) in names {
            let outline = self.cluster.secret_outline(&namespace, &name).await;
            secrets.extend(self.read(&format!("keys of Secret {namespace}/{name}"), outline)?);
        }
        if secrets.is_empty() {
            return Ok(());
        }
        let secrets = SecretsOutline { secrets };
        let mut files = Vec::new();
        let secrets = Envelope::new("Secrets", &secrets);
        self.add(&mut files, "secrets.json".to_owned(), &secrets)?;
        self.included("keys of Secrets, without values".to_owned(), files)
    }

    /// The certificates that the tunnels trust, where they are in the open.
    async fn ca_bundles(&mut self, tunnels: &[BigIpTunnel]) -> Result<(), Error> {
        let bundles = tunnels.iter().flat_map(ca_bundles);
        let bundles: BTreeSet<_> = bundles
            .filter(|(_, bundle)| bundle.kind == BundleKind::ConfigMap)
            .map(|(namespace, bundle)| (namespace, bundle.name.clone(), bundle.key.clone()))
            .collect();
        let mut files = Vec::new();
        for (namespace, name, key) in bundles {
            let what = format!("CA bundle {namespace}/{name}");
            let data = self.cluster.config_map(&namespace, &name).await;
            let Some(data) = self.read(&what, data)? else {
                continue;
            };
            match data.as_ref().and_then(|data| data.get(&key)) {
                Some(pem) if is_public(pem) => {
                    let outline = CaOutline {
                        namespace: &namespace,
                        name: &name,
                        key: &key,
                        certificates: pem,
                    };
                    let file = format!("ca/{namespace}/{name}.{key}.json");
                    self.add(&mut files, file, &outline)?;
                }
                Some(_) => self.missing(&what, &"it holds something else than certificates")?,
                None => {
                    let why = format!("there is no such ConfigMap with key {key}");
                    self.missing(&what, &why)?;
                }
            }
        }
        if files.is_empty() {
            return Ok(());
        }
        self.included("CA bundles".to_owned(), files)
    }
}

/// A field of an object's metadata.
fn metadata(object: &Value, field: &str) -> String {
    let field = object
        .get("metadata")
        .and_then(|metadata| metadata.get(field));
    field.and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// Namespace and name of an object, as a path.
fn place(object: &Value) -> String {
    format!(
        "{}/{}",
        metadata(object, "namespace"),
        metadata(object, "name")
    )
}

fn place_of(tunnel: &BigIpTunnel) -> String {
    let namespace = tunnel.namespace().unwrap_or_default();
    format!("{namespace}/{}", tunnel.name_any())
}

/// The containers of a Pod, and how often each was started again.
fn containers(pod: &Value) -> BTreeMap<String, u64> {
    let list = |pointer| {
        pod.pointer(pointer)
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
    };
    let name = |item: &Value| item.get("name").and_then(Value::as_str).map(str::to_owned);
    let mut containers: BTreeMap<String, u64> = list("/spec/containers")
        .filter_map(|container| Some((name(container)?, 0)))
        .collect();
    for status in list("/status/containerStatuses") {
        let restarts = status.get("restartCount").and_then(Value::as_u64);
        if let Some(count) = name(status).and_then(|name| containers.get_mut(&name)) {
            *count = restarts.unwrap_or_default();
        }
    }
    containers
}

/// Namespace and name of the Secrets that a tunnel needs.
fn secrets(tunnel: &BigIpTunnel) -> Vec<(String, String)> {
    let namespace = tunnel.namespace().unwrap_or_default();
    let spec = &tunnel.spec;
    let devices = spec
        .devices
        .iter()
        .map(|device| &device.credentials_secret_ref);
    let former = tunnel
        .status
        .iter()
        .flat_map(|status| &status.former_devices);
    let logins = devices
        .chain([&spec.credentials_secret_ref])
        .chain(former.map(|device| &device.credentials_secret_ref))
        .flatten()
        .map(|secret| secret.name.clone());
    let bundles = ca_bundles(tunnel).into_iter().map(|(_, bundle)| bundle);
    let bundles = bundles.filter(|bundle| bundle.kind == BundleKind::Secret);
    logins
        .chain(bundles.map(|bundle| bundle.name.clone()))
        .map(|name| (namespace.clone(), name))
        .collect()
}

/// The CA bundles that a tunnel names, with their namespace.
fn ca_bundles(tunnel: &BigIpTunnel) -> Vec<(String, &CaBundleRef)> {
    let namespace = tunnel.namespace().unwrap_or_default();
    let former = tunnel
        .status
        .iter()
        .flat_map(|status| &status.former_devices);
    let devices = tunnel.spec.devices.iter().map(|device| &device.tls);
    let tls = devices.chain(former.map(|device| &device.tls));
    tls.chain([&tunnel.spec.tls])
        .flatten()
        .filter_map(|tls: &Tls| tls.ca_bundle_ref.as_ref())
        .map(|bundle| (namespace.clone(), bundle))
        .collect()
}
