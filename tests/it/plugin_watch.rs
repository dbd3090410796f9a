//! The verbs of the plugin that look and go on looking.

use std::net::SocketAddr;
use std::time::Duration;

use bigip_tunnel_harness::control_plane::ControlPlane;
use kube::config::Kubeconfig;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, ChildStdout};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;

use crate::world::{NAME, NEW_NODE, World};

/// How long a line may take that is waited for. Far more than it does take.
const LIMIT: Duration = Duration::from_secs(60);

/// A plugin that is looked at while it goes on.
struct Watching {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Watching {
    fn new(world: &World, args: &[&str]) -> Self {
        let mut child = world.start_plugin(args);
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    /// The first line from here that is about this.
    async fn until(&mut self, is_about: impl Fn(&Value) -> bool) -> Value {
        let found = timeout(LIMIT, async {
            loop {
                let line = self.lines.next_line().await.unwrap().unwrap();
                let line: Value = serde_json::from_str(&line).unwrap();
                if is_about(&line) {
                    return line;
                }
            }
        });
        found.await.unwrap()
    }
}

#[tokio::test]
async fn every_change_is_a_json_line_until_the_pipe_closes() {
    let world = World::in_sync("see-watch").await;
    let mut status = Watching::new(&world, &["status", NAME, "-w", "-o", "json"]);
    let mut fdb = Watching::new(&world, &["fdb", NAME, "-w", "-o", "json"]);
    let first = status.until(|_| true).await;
    assert_eq!(first["kind"], "StatusReport");
    assert_eq!(first["tunnels"][0]["ready"]["status"], "True");
    assert_eq!(fdb.until(|_| true).await["records"], json!({"ok": 6}));

    world.create_node(NEW_NODE).await;
    status
        .until(|line| line["tunnels"][0]["summary"]["nodes"] == "4/4")
        .await;
    let all_there = |line: &Value| line["records"] == json!({"ok": 8});
    let line = fdb.until(all_there).await;
    assert_eq!(line["rows"][3]["node"], "see-watch-4");

    // Nobody reads on: the next change has nowhere to go, and that is no failure.
    for (watching, node) in [(status, "5"), (fdb, "6")] {
        let Watching { mut child, lines } = watching;
        drop(lines);
        let address = format!("10.169.72.24{node}");
        world.create_node((node, &address)).await;
        let ended = timeout(LIMIT, child.wait()).await.unwrap().unwrap();
        assert_eq!(ended.code(), Some(0));
    }
}

/// A way to the API server that can be closed.
struct Way {
    address: SocketAddr,
    passing: JoinHandle<()>,
}

impl Way {
    /// Opens a way at this address; port 0 takes any.
    async fn open(address: SocketAddr) -> Self {
        let control_plane = ControlPlane::shared().unwrap();
        let clusters = Kubeconfig::read_from(control_plane.kubeconfig())
            .unwrap()
            .clusters;
        let server = clusters[0]
            .cluster
            .as_ref()
            .unwrap()
            .server
            .clone()
            .unwrap();
        let target = server.trim_start_matches("https://").to_owned();
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let passing = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((mut from, _)) = listener.accept().await {
                let target = target.clone();
                connections.spawn(async move {
                    let mut to = TcpStream::connect(target).await?;
                    copy_bidirectional(&mut from, &mut to).await
                });
            }
        });
        Self { address, passing }
    }

    /// Closes it, with everything that is under way.
    async fn close(self) -> SocketAddr {
        self.passing.abort();
        let ended = self.passing.await;
        assert!(ended.unwrap_err().is_cancelled());
        self.address
    }
}

#[tokio::test]
async fn watch_resumes_after_a_cluster_outage() {
    let world = World::in_sync("see-outage").await;
    let way = Way::open(([127, 0, 0, 1], 0).into()).await;
    let server = format!("https://{}", way.address);
    let args = ["status", NAME, "-w", "-o", "json", "--server", &server];
    let mut watching = Watching::new(&world, &args);
    watching.until(|_| true).await;
    let mut warnings = BufReader::new(watching.child.stderr.take().unwrap()).lines();

    let address = way.close().await;
    let warning = timeout(LIMIT, warnings.next_line()).await.unwrap().unwrap();
    let warning = warning.unwrap();
    assert!(
        warning.starts_with("warning: cannot reach https://"),
        "{warning}"
    );
    assert!(warning.ends_with("; trying again"), "{warning}");
    world.create_node(NEW_NODE).await;

    let _way = Way::open(address).await;
    watching
        .until(|line| line["tunnels"][0]["summary"]["nodes"] == "4/4")
        .await;
}
