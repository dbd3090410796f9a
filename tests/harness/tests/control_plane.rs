//! The harness on itself: a control plane starts, serves, and leaves nothing behind.

#![expect(
    clippy::unwrap_used,
    reason = "functions that tests share may fail them"
)]

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use bigip_tunnel_harness::control_plane::ControlPlane;
use bigip_tunnel_harness::nodes::Nodes;
use bigip_tunnel_harness::objects;
use bigip_tunnel_harness::wait::{Answer, eventually};
use k8s_openapi::api::core::v1::Node;
use kube::api::ListParams;
use kube::{Api, Client};
use rustix::process::{Pid, Signal, kill_process};

const LIMIT: Duration = Duration::from_secs(30);

async fn client() -> Client {
    ControlPlane::shared().unwrap().client().await.unwrap()
}

fn condition(node: &Node, kind: &str) -> String {
    let conditions = node.status.as_ref().unwrap().conditions.as_ref().unwrap();
    conditions
        .iter()
        .find(|condition| condition.type_ == kind)
        .unwrap()
        .status
        .clone()
}

/// Processes whose command line names the folder of a control plane.
fn processes_of(folder: &Path) -> Vec<String> {
    let folder = folder.display().to_string();
    command_lines()
        .into_iter()
        .filter(|line| line.contains(&folder))
        .collect()
}

fn command_lines() -> Vec<String> {
    let Ok(processes) = fs::read_dir("/proc") else {
        let list = Command::new("ps")
            .args(["-A", "-o", "args="])
            .output()
            .unwrap();
        return String::from_utf8_lossy(&list.stdout)
            .lines()
            .map(str::to_owned)
            .collect();
    };
    processes
        // A process that ends meanwhile is not there any more.
        .filter_map(|entry| fs::read(entry.unwrap().path().join("cmdline")).ok())
        .map(|line| String::from_utf8_lossy(&line).replace('\0', " "))
        .collect()
}

fn send(signal: Signal, process: u32) {
    let pid = Pid::from_raw(i32::try_from(process).unwrap()).unwrap();
    kill_process(pid, signal).unwrap();
}

/// Waits until neither a process nor a file of a control plane is left.
async fn until_nothing_is_left(folder: &Path) {
    eventually("no process and no file", LIMIT, async || {
        let left = (processes_of(folder), folder.exists());
        Answer::when(left, |(processes, exists)| processes.is_empty() && !exists)
    })
    .await
    .unwrap();
}

/// The folder of everything a control plane writes.
fn folder_of(control_plane: &ControlPlane) -> PathBuf {
    control_plane
        .kubeconfig()
        .parent()
        .unwrap()
        .parent()
        .unwrap()
        .to_owned()
}

#[tokio::test]
async fn node_created_with_addresses_is_ready_at_once() {
    let nodes = Nodes::new(client().await, "made");
    let node = nodes.create("made-1", "10.169.72.239").await.unwrap();
    assert_eq!(condition(&node, "Ready"), "True");
    let addresses = node.status.unwrap().addresses.unwrap();
    assert_eq!(addresses[0].type_, "InternalIP");
    assert_eq!(addresses[0].address, "10.169.72.239");
}

#[tokio::test]
async fn node_changes_match_kubelet_and_user_changes() {
    let nodes = Nodes::new(client().await, "changed");
    nodes.create("changed-1", "10.0.0.1").await.unwrap();
    let node = nodes.set_ready("changed-1", false).await.unwrap();
    assert_eq!(condition(&node, "Ready"), "Unknown");
    let beaten = nodes.heartbeat("changed-1").await.unwrap();
    assert_eq!(condition(&beaten, "Ready"), "Unknown");
    assert_ne!(
        beaten.metadata.resource_version,
        node.metadata.resource_version
    );
    let addresses = [("ExternalIP", "192.0.2.7"), ("InternalIP", "10.0.0.2")];
    let node = nodes.set_addresses("changed-1", &addresses).await.unwrap();
    assert_eq!(node.status.unwrap().addresses.unwrap().len(), 2);
    let node = nodes
        .set_label("changed-1", "pool", Some("edge"))
        .await
        .unwrap();
    assert_eq!(node.metadata.labels.unwrap()["pool"], "edge");
}

#[tokio::test]
async fn nodes_of_one_group_are_deleted_separately() {
    let client = client().await;
    let (mine, other) = (
        Nodes::new(client.clone(), "mine"),
        Nodes::new(client.clone(), "other"),
    );
    for name in ["mine-1", "mine-2"] {
        mine.create(name, "10.0.1.1").await.unwrap();
    }
    other.create("other-1", "10.0.1.2").await.unwrap();
    mine.delete_all().await.unwrap();
    let api: Api<Node> = Api::all(client);
    eventually("the nodes of the group are gone", LIMIT, async || {
        let selector = ListParams::default().labels("bigip-tunnel.dev/test=mine");
        Answer::when(api.list(&selector).await.unwrap().items.len(), |left| {
            *left == 0
        })
    })
    .await
    .unwrap();
    assert!(api.get_opt("other-1").await.unwrap().is_some());
}

#[tokio::test]
async fn custom_resource_is_served() {
    let list = objects::tunnels(&client().await, "default")
        .list(&ListParams::default())
        .await;
    assert_eq!(list.unwrap().items.len(), 0);
}

#[tokio::test]
async fn dropped_control_plane_leaves_nothing() {
    let control_plane = ControlPlane::start().unwrap();
    let folder = folder_of(&control_plane);
    assert!(
        processes_of(&folder).len() >= 2,
        "etcd and kube-apiserver should run"
    );
    drop(control_plane);
    until_nothing_is_left(&folder).await;
}

#[tokio::test]
async fn killed_control_plane_leaves_nothing() {
    let control_plane = ControlPlane::start().unwrap();
    let folder = folder_of(&control_plane);
    assert!(
        processes_of(&folder).len() >= 2,
        "etcd and kube-apiserver should run"
    );
    send(Signal::KILL, control_plane.id());
    until_nothing_is_left(&folder).await;
}

#[tokio::test]
async fn terminated_control_plane_exits_without_an_error() {
    let mut process = Command::new(env!("CARGO_BIN_EXE_control-plane"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let output = process.stdout.take().unwrap();
    BufReader::new(output).read_line(&mut line).unwrap();
    let line: serde_json::Value = serde_json::from_str(&line).unwrap();
    let kubeconfig = PathBuf::from(line["kubeconfig"].as_str().unwrap());
    send(Signal::TERM, process.id());
    assert!(process.wait().unwrap().success());
    assert!(!kubeconfig.exists());
}
