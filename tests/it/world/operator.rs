//! What the operator says of itself: its metrics and its log; and with which rights it runs.
//!
//! Must not know what a single test is about.

use bigip_tunnel_harness::account::{Account, Login};
use bigip_tunnel_harness::wait::{Answer, eventually};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{LIMIT, World};

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
        let address = self.operator.as_ref().unwrap().listen_address();
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request =
            format!("GET /metrics HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
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

    /// All that the operator has logged.
    pub(crate) fn operator_log(&self) -> Vec<String> {
        self.operator.as_ref().unwrap().log()
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
