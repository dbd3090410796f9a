//! The plugin as a process: exit codes, and what goes to which stream.

#![expect(clippy::unwrap_used, reason = "a test may fail this way")]

use std::process::Output;

use assert_cmd::Command;

/// Runs the plugin, with no cluster to be found.
fn run(arguments: &[&str]) -> Output {
    let mut command = Command::cargo_bin("kubectl-bigip_tunnel").unwrap();
    command
        .env_clear()
        .env("HOME", "/nonexistent")
        .args(arguments);
    command.output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    str::from_utf8(bytes).unwrap()
}

#[test]
fn the_usage_names_the_command_that_people_type() {
    let help = run(&["status", "--help"]);
    assert_eq!(help.status.code(), Some(0));
    assert!(text(&help.stdout).contains("Usage: kubectl bigip-tunnel status"));
    assert!(text(&help.stdout).contains("# Show one tunnel with its BIG-IPs"));
}

#[test]
fn macs_needs_no_cluster() {
    let macs = run(&["macs", "10.169.72.239"]);
    assert_eq!(macs.status.code(), Some(0));
    assert!(text(&macs.stdout).contains("0a:0a:0a:a9:48:ef   10.169.72.239%0"));
    assert_eq!(text(&macs.stderr), "");
}

#[test]
fn a_finding_exits_with_1() {
    assert_eq!(run(&["macs", "127.0.0.1"]).status.code(), Some(1));
}

#[test]
fn a_usage_error_exits_with_2() {
    for arguments in [
        &["macs", "10.0.0"][..],
        &["status", "x", "-A"],
        &["fdb", "x", "-A"],
        &["tree", "x", "-A"],
        &["graph", "x", "-A"],
        &["events", "x", "-A"],
        &["approve", "x", "-A"],
        &["suspend", "x", "--reason", "r", "-A"],
        &["reconcile", "x", "-A"],
        &[],
    ] {
        let refused = run(arguments);
        assert_eq!(refused.status.code(), Some(2), "{arguments:?}");
        assert_eq!(text(&refused.stdout), "");
    }
}

#[test]
fn without_a_cluster_it_exits_with_3_and_says_what_to_do() {
    for arguments in [
        &["status"][..],
        &["fdb", "x"],
        &["tree", "x"],
        &["graph", "x"],
        &["events"],
        &["macs"],
        &["reconcile", "--all"],
        &["release", "x", "--yes"],
    ] {
        let lost = run(arguments);
        assert_eq!(lost.status.code(), Some(3), "{arguments:?}");
        assert_eq!(text(&lost.stdout), "");
        assert_eq!(
            text(&lost.stderr),
            "error: no cluster is known: there is no kubeconfig, and this is not a pod\n\
             hint: set KUBECONFIG, or give --kubeconfig or --server\n"
        );
    }
}

#[test]
fn a_cluster_that_refuses_the_connection_exits_with_3() {
    // Port 1 is reserved and served by nobody.
    let refused = run(&["status", "--server", "https://127.0.0.1:1"]);
    assert_eq!(refused.status.code(), Some(3));
    let error = text(&refused.stderr);
    assert!(
        error.starts_with("error: the cluster cannot be reached: "),
        "{error}"
    );
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut plugin = std::process::Command::new(env!("CARGO_BIN_EXE_kubectl-bigip_tunnel"));
    let status = plugin
        .args(["macs", "10.169.72.239"])
        .stdout(writer)
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(0));
}

#[test]
fn the_version_is_that_of_the_package() {
    let version = run(&["version", "--client"]);
    let expected = concat!("Client Version: v", env!("CARGO_PKG_VERSION"), " (");
    assert!(text(&version.stdout).starts_with(expected));
    assert_eq!(text(&version.stdout).lines().count(), 1);
}
