//! What the operator says of itself: its metrics and its log; and with which rights it runs.
//!
//! Must not know what a single test is about.

use bigip_tunnel_crds::v1alpha1::BigIpTunnelStatus;
use bigip_tunnel_harness::account::{Account, Login};
use bigip_tunnel_harness::operator::OperatorProcess;
use bigip_tunnel_harness::proxy::Proxy;
use bigip_tunnel_harness::wait::{Answer, eventually};
use k8s_openapi::api::coordination::v1::Lease;
use kube::Api;
use kube::api::PostParams;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{LIMIT, World, find};

/// Name of the lease.
pub(crate) const LEASE: &str = "bigip-tunnel-operator";

/// What an operator answers on one of its endpoints, status line and all.
pub(crate) async fn get(operator: &OperatorProcess, path: &str) -> String {
    let address = operator.listen_address();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

impl World {
    /// Value of one of the operator's counters, summed over those of its labels that contain `label`.
    pub(crate) async fn counter(&self, metric: &str, label: &str) -> u64 {
        let text = self.metrics().await;
        let lines = text
            .lines()
            .filter(|line| line.starts_with(metric) && line.contains(label));
        lines
            .map(|line| {
                let (_, value) = line.rsplit_once(' ').unwrap();
                value.parse::<u64>().unwrap()
            })
            .sum()
    }

    /// All metrics, as they are scraped.
    pub(crate) async fn metrics(&self) -> String {
        get(self.operator(), "/metrics").await
    }

    /// Waits until Cilium's side was judged by what the units say: there is no Cilium in a world that has none made.
    pub(crate) async fn until_cilium_is_judged(&self) {
        let is_judged = |status: &BigIpTunnelStatus| {
            let found = find(&status.conditions, "CiliumReady");
            found.is_some_and(|found| found.reason == "CiliumConfigMissing")
        };
        self.until_status("CiliumConfigMissing", is_judged).await;
    }

    /// Waits until such a counter has reached a value.
    pub(crate) async fn until_counter(&self, metric: &str, label: &str, at_least: u64) {
        let reached = eventually(format!("{metric} {label}"), LIMIT, async || {
            Answer::when(self.counter(metric, label).await, |value| {
                *value >= at_least
            })
        });
        self.must(reached.await).await;
    }

    /// The operator.
    pub(crate) fn operator(&self) -> &OperatorProcess {
        self.operator.as_ref().unwrap()
    }

    /// Creates the lease as the manifests do, so that the first operator has it at once, and has operators
    /// from now on elected by it.
    pub(crate) async fn elect(&mut self, args: &[&str]) {
        self.election = Some(args.iter().map(|arg| (*arg).to_owned()).collect());
        let lease = serde_json::from_value(json!({"metadata": {"name": LEASE}})).unwrap();
        self.leases()
            .create(&PostParams::default(), &lease)
            .await
            .unwrap();
    }

    /// The lease as the harness names it, if operators are elected.
    pub(super) fn lease(&self) -> Option<(String, String)> {
        let is_elected = self.election.is_some();
        is_elected.then(|| (self.name.clone(), LEASE.to_owned()))
    }

    /// The leases of this world.
    pub(crate) fn leases(&self) -> Api<Lease> {
        Api::namespaced(self.client.clone(), &self.name)
    }

    /// Has operators from now on reach the cluster over a proxy.
    pub(crate) async fn start_proxy(&mut self) -> Proxy {
        let proxy = Proxy::start(&self.kubeconfig).await.unwrap();
        self.kubeconfig = proxy.kubeconfig();
        proxy
    }

    /// All that the operator has logged.
    pub(crate) fn operator_log(&self) -> Vec<String> {
        self.operator().log()
    }

    /// Waits until the operator has logged a line with all of these texts.
    pub(crate) async fn until_logged(&self, texts: &[&str]) {
        let logged = eventually(format!("a line with {texts:?}"), LIMIT, async || {
            let log = self.operator_log();
            let has_all = |line: &String| texts.iter().all(|text| line.contains(text));
            Answer::when(log.iter().any(has_all), |is_there| *is_there)
        });
        self.must(logged.await).await;
    }

    /// Makes an account that may do nothing, and starts every operator from now on with its rights.
    pub(crate) async fn restrict_operator(&mut self) -> Account {
        let account = Account::create(&self.client, &self.kubeconfig, &self.name);
        let account = account.await.unwrap();
        self.kubeconfig = account.kubeconfig();
        account
    }

    /// Starts every operator from now on under this account, with the rights that it has.
    pub(crate) async fn run_operator_as(&mut self, namespace: &str, account: &str) -> Login {
        let login = Login::of(&self.client, &self.kubeconfig, namespace, account);
        let login = login.await.unwrap();
        self.kubeconfig = login.kubeconfig();
        login
    }
}
