//! A supervised process obeys orders and ends with its parent.

#![expect(
    clippy::unwrap_used,
    reason = "functions that tests share may fail them"
)]

use std::path::Path;
use std::time::Duration;

use bigip_tunnel_harness::supervise::{Exit, Process, Supervised};
use bigip_tunnel_harness::wait::{Answer, eventually};
use rustix::process::{Pid, test_kill_process};

const SUPERVISOR: &str = env!("CARGO_BIN_EXE_control-plane");
const LIMIT: Duration = Duration::from_secs(30);

/// A shell under a supervisor.
fn shell(script: &str) -> Supervised {
    Supervised::new(Path::new(SUPERVISOR), Path::new("/bin/sh"))
        .arg("-c")
        .arg(script)
}

/// Starts a script and waits until it says `ready`.
async fn started(supervised: Supervised) -> Process {
    let (sender, mut ready) = tokio::sync::watch::channel(false);
    let process = supervised
        .spawn(move |line| {
            sender.send_replace(line == "ready");
        })
        .unwrap();
    tokio::time::timeout(LIMIT, ready.wait_for(|ready| *ready))
        .await
        .unwrap()
        .unwrap();
    process
}

#[tokio::test]
async fn sigterm_reaches_the_program_and_its_code_comes_back() {
    let script = "trap 'echo bye >&2; exit 7' TERM; echo ready >&2; while :; do sleep 0.01; done";
    let process = started(shell(script)).await;
    process.terminate();
    assert_eq!(process.wait().await, Exit::Code(7));
    assert_eq!(process.log(), ["ready", "bye"]);
}

#[tokio::test]
async fn sigkill_ends_a_program_that_ignores_sigterm() {
    let process = started(shell("trap '' TERM; echo ready >&2; exec sleep 1000")).await;
    process.terminate();
    process.kill();
    assert_eq!(process.wait().await, Exit::Code(128 + 9));
}

#[tokio::test]
async fn program_exit_ends_its_supervisor_and_removes_folder() {
    let shared = tempfile::tempdir().unwrap();
    let own = shared.path().join("program");
    std::fs::create_dir(&own).unwrap();
    std::fs::write(own.join("file"), "").unwrap();
    let process = shell("exit 3")
        .remove_afterwards(&own)
        .spawn(|_| {})
        .unwrap();
    assert_eq!(process.wait().await, Exit::Code(3));
    assert!(!shared.path().exists());
}

#[tokio::test]
async fn paused_program_stays_stopped_until_resumed() {
    let script = "trap 'echo bye >&2; exit 7' TERM; echo ready >&2; while :; do sleep 0.01; done";
    let process = started(shell(script)).await;
    process.pause();
    process.terminate();
    let exit = tokio::time::timeout(Duration::from_millis(300), process.wait()).await;
    assert!(exit.is_err(), "{exit:?}");
    process.resume();
    assert_eq!(process.wait().await, Exit::Code(7));
}

#[tokio::test]
async fn program_ends_when_its_pipe_is_closed() {
    let (sender, mut pid) = tokio::sync::watch::channel(None);
    let process = shell("echo $$ >&2; exec sleep 1000")
        .spawn(move |line| {
            sender.send_replace(line.parse().ok().and_then(Pid::from_raw));
        })
        .unwrap();
    let pid = tokio::time::timeout(LIMIT, pid.wait_for(Option::is_some))
        .await
        .unwrap();
    let pid = pid.unwrap().unwrap();
    drop(process);
    eventually("the program is gone", LIMIT, async || {
        Answer::when(test_kill_process(pid).is_ok(), |alive| !alive)
    })
    .await
    .unwrap();
}
