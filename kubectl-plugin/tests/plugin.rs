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
fn usage_names_the_kubectl_command() {
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
fn finding_exits_with_1() {
    assert_eq!(run(&["macs", "127.0.0.1"]).status.code(), Some(1));
}

#[test]
fn usage_error_exits_with_2() {
    for arguments in [
        &["macs", "10.0.0"][..],
        &["status", "x", "-A"],
        &["fdb", "x", "-A"],
        &["tree", "x", "-A"],
        &["graph", "x", "-A"],
        &["events", "x", "-A"],
        &["verify", "x", "-A"],
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
fn missing_cluster_exits_with_3_and_a_remedy() {
    for arguments in [
        &["status"][..],
        &["fdb", "x"],
        &["tree", "x"],
        &["graph", "x"],
        &["events"],
        &["macs"],
        &["reconcile", "--all"],
        &["release", "x", "--yes"],
        &["verify", "x"],
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
fn cluster_that_refuses_the_connection_exits_with_3() {
    // Port 1 is reserved and served by nobody.
    let refused = run(&["status", "--server", "https://127.0.0.1:1"]);
    assert_eq!(refused.status.code(), Some(3));
    assert_eq!(
        text(&refused.stderr),
        "error: cannot reach https://127.0.0.1:1: connection refused\n\
         hint: kubectl cluster-info tells whether it is the cluster or the plugin\n"
    );
}

/// A kubeconfig whose login comes from `sh -c SCRIPT`, with canaries in everything that may be secret.
fn kubeconfig_with_plugin(command: &str, script: &str) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    let config = serde_json::json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "lab",
        "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1"}}],
        "users": [{"name": "u", "user": {"exec": {
            "apiVersion": "client.authentication.k8s.io/v1",
            "command": command,
            "args": ["-c", script, "canary-argument"],
            "env": [{"name": "SECRET", "value": "canary-environment"}],
            "installHint": "get it from the portal",
            "interactiveMode": "Never",
        }}}],
        "contexts": [{"name": "lab", "context": {"cluster": "c", "user": "u"}}],
    });
    std::fs::write(&file, config.to_string()).unwrap();
    file
}

/// A call of every verb that asks a cluster, some in several forms.
fn calls(bundle: &str) -> [Vec<&str>; 23] {
    let calls: [&[&str]; 23] = [
        &["status"],
        &["fdb", "x"],
        &["tree", "x"],
        &["graph", "x"],
        &["events"],
        &["macs"],
        &["check"],
        &["check", "--pre"],
        &["diff", "x"],
        &["report", "--file", bundle],
        &["version"],
        &["reconcile", "x"],
        &["suspend", "x", "--reason", "r"],
        &["resume", "x"],
        &["approve", "x", "--yes"],
        &["accept-device", "x", "d", "--yes"],
        &["release", "x", "--yes"],
        &["prune", "x", "--direct", "--yes"],
        &["migrate", "cis"],
        &["explain", "x"],
        &["status", "-w"],
        &["cilium", "x", "-o", "helm"],
        &["verify", "x"],
    ];
    calls.map(<[&str]>::to_vec)
}

/// Runs every verb that asks a cluster, and completion. Returns what was printed, on both streams.
fn printed_by_all_verbs(kubeconfig: &std::path::Path) -> Vec<(String, String)> {
    let folder = tempfile::tempdir().unwrap();
    let bundle = folder.path().join("bundle.zip").display().to_string();
    let kubeconfig = kubeconfig.display().to_string();
    let with_config = |arguments: &[&str]| {
        let mut command = Command::cargo_bin("kubectl-bigip_tunnel").unwrap();
        command
            .env_clear()
            .env("HOME", "/nonexistent")
            .env("PATH", "/usr/bin:/bin")
            .env("KUBECONFIG", &kubeconfig)
            .args(arguments);
        command
    };
    let mut printed = Vec::new();
    for verb in calls(&bundle) {
        let output = with_config(&verb)
            .timeout(std::time::Duration::from_secs(20))
            .output()
            .unwrap();
        let all = format!("{}{}", text(&output.stdout), text(&output.stderr));
        printed.push((verb.join(" "), all));
    }
    let mut completion = with_config(&["--", "kubectl-bigip_tunnel", "status", ""]);
    completion
        .env("COMPLETE", "bash")
        .env("_CLAP_COMPLETE_INDEX", "2");
    let output = completion.output().unwrap();
    let all = format!("{}{}", text(&output.stdout), text(&output.stderr));
    printed.push(("completion".to_owned(), all));
    if let Ok(file) = std::fs::read(&bundle) {
        printed.push((
            "bundle".to_owned(),
            String::from_utf8_lossy(&file).into_owned(),
        ));
    }
    printed
}

/// The verbs that ask no cluster.
const ALONE: [&str; 4] = ["create", "lint", "install", "completion"];

#[test]
fn leak_test_covers_every_verb_with_a_cluster() {
    let help = run(&["--help"]);
    let help = text(&help.stdout);
    let (_, verbs) = help.split_once("\nCommands:\n").unwrap();
    let (verbs, _) = verbs.split_once("\n\n").unwrap();
    let listed = verbs
        .lines()
        .filter_map(|line| line.split_whitespace().next());
    let mut missing: Vec<&str> = listed.collect();
    assert!(missing.len() > 20, "{missing:?}");
    let called = calls("bundle");
    missing.retain(|verb| !ALONE.contains(verb) && called.iter().all(|call| call[0] != *verb));
    assert_eq!(missing, [""; 0]);
}

#[test]
fn failing_credential_plugin_leaks_nothing_from_any_verb() {
    let script = "echo canary-output; echo no ticket >&2; exit 3";
    let kubeconfig = kubeconfig_with_plugin("sh", script);
    let printed = printed_by_all_verbs(kubeconfig.path());
    let named = printed.iter().filter(|(_, all)| {
        all.contains("credential plugin \"sh\" failed with exit code 3: no ticket")
    });
    assert!(named.count() >= 15, "{printed:?}");
    for (verb, all) in &printed {
        assert!(!all.contains("canary"), "{verb}: {all}");
    }
}

#[test]
fn credential_plugin_with_odd_output_leaks_nothing() {
    for script in [
        "echo canary-output",
        "echo '{\"status\": {\"token\": [\"canary\"]}}'",
    ] {
        let kubeconfig = kubeconfig_with_plugin("sh", script);
        for (verb, all) in printed_by_all_verbs(kubeconfig.path()) {
            assert!(!all.contains("canary"), "{verb}: {all}");
        }
    }
}

#[test]
fn missing_credential_plugin_is_named_with_its_install_hint() {
    let kubeconfig = kubeconfig_with_plugin("no-such-plugin", "");
    let kubeconfig = kubeconfig.path().display().to_string();
    let missing = run(&["status", "--kubeconfig", &kubeconfig]);
    assert_eq!(missing.status.code(), Some(3));
    assert_eq!(
        text(&missing.stderr),
        "error: cannot log in to https://127.0.0.1:1 (context \"lab\"): credential plugin \
         \"no-such-plugin\" not found in PATH\nhint: get it from the portal\n"
    );
}

#[test]
fn closed_stdout_is_no_error() {
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
fn version_is_that_of_the_package() {
    let version = run(&["version", "--client"]);
    let expected = concat!("Client Version: v", env!("CARGO_PKG_VERSION"), " (");
    assert!(text(&version.stdout).starts_with(expected));
    assert_eq!(text(&version.stdout).lines().count(), 1);
}
