//! Completion by the plugin, as kubectl and a shell ask for it, with the names of a real API server.

use std::process::Stdio;

use bigip_tunnel_harness::products::Product;

use crate::world::plugin::Ended;
use crate::world::{NAME, NODES, World};

/// The lines for kubectl. Whatever is found, nothing is said beside it.
fn lines(ended: &Ended) -> Vec<&str> {
    assert_eq!((ended.code, &*ended.err), (Some(0), ""), "{ended:?}");
    ended.out.lines().collect()
}

#[tokio::test]
async fn completed_names_are_from_the_given_namespace() {
    let world = World::in_sync("complete-names").await;
    let tunnel = format!("{NAME}\tInSync, 6/6 records");
    for words in [
        &["status", ""][..],
        &["fdb", ""],
        &["approve", ""],
        &["diff", ""],
    ] {
        let ended = world.complete(words).await;
        assert_eq!(lines(&ended), [&*tunnel, ":4"], "{words:?}");
    }
    // It is on the line already.
    assert_eq!(lines(&world.complete(&["status", NAME, ""]).await), [":4"]);
    let elsewhere = ["status", "--namespace", "default", ""];
    assert_eq!(lines(&world.complete(&elsewhere).await), [":4"]);
    let everywhere = world
        .complete(&["status", "--namespace", "complete-n"])
        .await;
    assert_eq!(lines(&everywhere), ["complete-names", ":4"]);
}

#[tokio::test]
async fn completed_devices_and_nodes_are_from_the_tunnel() {
    let world = World::in_sync("complete-parts").await;
    let words = |ended: &Ended| -> Vec<String> {
        let lines = lines(ended).into_iter();
        lines
            .map(|line| line.split('\t').next().unwrap().to_owned())
            .collect()
    };
    for line in [
        &["fdb", NAME, "--device", ""][..],
        &["diff", NAME, "--device", ""],
        &["accept-device", NAME, ""],
    ] {
        let ended = world.complete(line).await;
        assert_eq!(words(&ended), ["bigip-a", "bigip-b", ":4"], "{line:?}");
    }
    let second = world.complete(&["diff", NAME, "--device", "bigip-a,bigip-b"]);
    assert_eq!(words(&second.await), ["bigip-a,bigip-b", ":4"]);
    // Other worlds have nodes too.
    let mut nodes = NODES
        .map(|(name, _)| format!("complete-parts-{name}"))
        .to_vec();
    nodes.sort();
    nodes.push(":4".to_owned());
    assert_eq!(
        words(&world.complete(&["fdb", NAME, "--node", ""]).await),
        nodes
    );
    assert_eq!(words(&world.complete(&["release", NAME, ""]).await), [":4"]);
}

#[tokio::test]
async fn shell_with_the_script_gets_the_same_names() {
    let world = World::in_sync("complete-shell").await;
    let kubeconfig = world.kubeconfig.to_str().unwrap();
    let mut command = tokio::process::Command::new(Product::Plugin.path().unwrap());
    let output = command
        .env("KUBECTL_BIGIP_TUNNEL_COMPLETE", "bash")
        .env("_CLAP_COMPLETE_INDEX", "6")
        .args([
            "--",
            "kubectl-bigip_tunnel",
            "fdb",
            "--kubeconfig",
            kubeconfig,
        ])
        .args(["-n", "complete-shell", "prod", "--problems"])
        .stdin(Stdio::null())
        .output()
        .await
        .unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), &*err), (Some(0), ""));
    assert_eq!(String::from_utf8(output.stdout).unwrap(), NAME);
}
