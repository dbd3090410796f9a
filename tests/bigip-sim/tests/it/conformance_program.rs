//! The program that asks a BIG-IP: its exit codes, its report, its complaints.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use bigip_sim::{Effect, Fault, Method, Preset, Simulator, State};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::{TUNNEL, config};

fn folder(password: &str) -> (TempDir, PathBuf) {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("password");
    fs::write(&file, password).unwrap();
    (folder, file)
}

fn command(url: &str, password_file: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bigip-conformance"));
    command
        .args(["--url", url, "--password-file"])
        .arg(password_file);
    command.stdin(Stdio::null());
    command
}

/// Runs it while the simulator goes on.
async fn output(mut command: Command) -> Output {
    tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap()
}

async fn asked(simulator: &Simulator, args: &[&str]) -> (i32, String, String) {
    let (_folder, password) = folder("s3cret\n");
    let mut command = command(&format!("https://{}", simulator.address()), &password);
    command.args(["--pin", &simulator.fingerprint()]).args(args);
    let Output {
        status,
        stdout,
        stderr,
    } = output(command).await;
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code().unwrap(), text(stdout), text(stderr))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn conforming_device_is_reported_as_text_and_json() {
    let simulator = Simulator::start(config()).await.unwrap();
    let (code, text, stderr) = asked(&simulator, &["--write", "--tunnel", TUNNEL]).await;
    assert_eq!((code, stderr.as_str()), (0, ""), "{text}");
    let assumption = "  holds     the description of a record is kept\n            \
                      answered: 200 json; /description: bigip-tunnel\n";
    for part in [
        "TMOS 17.1.2.1\n\nKnown\n",
        "\nAssumed\n",
        assumption,
        "\nOpen\n  told      what a record looks like\n            answered: 200 json; ",
        "  not asked a wrong password is refused without being repeated (needs --wrong-password-login)\n",
        "  allowed   POST /mgmt/tm/net/fdb/tunnel/{tunnel}/records\n",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains("s3cret"), "{text}");

    let (code, text, _) = asked(&simulator, &["-o", "json"]).await;
    let report: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((code, &report["version"]), (0, &"17.1.2.1".into()));
    assert_eq!(report["findings"][0]["result"], "skipped");
    assert_eq!(report["findings"][0]["why"], "needs --write");
    assert_eq!(report["calls"][0]["right"], "allowed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn difference_is_reported_with_source_and_exits_with_1() {
    let simulator = Simulator::start(config()).await.unwrap();
    simulator
        .fault(Fault::new(Effect::preset(Preset::Restarting)).path_contains("no-such-partition"));
    let (code, text, _) = asked(&simulator, &[]).await;
    let told = "  DIFFERS   a tunnel in a partition that is not there is answered as one that is not there\n            \
                GET /mgmt/tm/net/tunnels/tunnel/~no-such-partition-of-bigip-tunnel~t: status 404 expected\n            \
                answered: 503 html\n            known from: not known; ";
    assert!(text.contains(told), "{text}");
    assert!(
        text.contains("            then: it is reported as refused"),
        "{text}"
    );
    assert_eq!(code, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn untrusted_certificate_gets_no_password() {
    let simulator = Simulator::start(config()).await.unwrap();
    let (_folder, password) = folder("s3cret");
    let url = format!("https://{}", simulator.address());
    let other_pin = "ab".repeat(32);
    for trust in [&["--pin", other_pin.as_str()][..], &[]] {
        let mut command = command(&url, &password);
        command.args(trust);
        let Output { status, stderr, .. } = output(command).await;
        let text = String::from_utf8(stderr).unwrap();
        assert_eq!(status.code(), Some(3), "{text}");
        assert!(text.contains("error: the device does not answer"), "{text}");
    }
    assert_eq!(simulator.requests().len(), 0);

    let mut command = command(&url, &password);
    command.arg("--insecure");
    assert_eq!(output(command).await.status.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unreachable_or_refused_target_exits_with_3() {
    let simulator = Simulator::start(config()).await.unwrap();
    let url = format!("https://{}", simulator.address());
    for (password, complaint) in [
        (
            "wrong",
            "error: the login is refused (401 restjavad: Authentication failed.)",
        ),
        ("\n", "error: the password is empty"),
    ] {
        let (_folder, file) = folder(password);
        let mut command = command(&url, &file);
        command.args(["--pin", &simulator.fingerprint()]);
        let Output { status, stderr, .. } = output(command).await;
        let text = String::from_utf8(stderr).unwrap();
        assert!(text.starts_with(complaint), "{text}");
        assert_eq!(status.code(), Some(3));
    }
    assert_eq!(simulator.failed_logins(), 1);

    let (code, _, text) = asked(&simulator, &["--write", "--tunnel", "/Common/gone"]).await;
    assert!(
        text.contains("error: the tunnel /Common/gone cannot be read (404 icrd: "),
        "{text}"
    );
    assert_eq!(code, 3);

    let (code, _, text) = asked(&simulator, &["--write"]).await;
    assert!(text.contains("--tunnel"), "{text}");
    assert_eq!(code, 2, "the command line is wrong");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn interrupt_during_a_write_leaves_nothing() {
    let simulator = Simulator::start(config()).await.unwrap();
    let writes = Fault::new(Effect::stall()).method(Method::POST);
    let held = simulator.fault(writes.path_ends_with("/records").nth(1));
    let (_folder, password) = folder("s3cret");
    let mut command = command(&format!("https://{}", simulator.address()), &password);
    command.args([
        "--pin",
        &simulator.fingerprint(),
        "--write",
        "--tunnel",
        TUNNEL,
    ]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut program = command.spawn().unwrap();
    let arrived = |state: &State| state.held_requests() == 1;
    let patience = Duration::from_secs(60);
    simulator.wait_until(patience, arrived).await.unwrap();

    let interrupt = ["-INT", &program.id().to_string()].map(str::to_owned);
    assert!(
        Command::new("kill")
            .args(interrupt)
            .status()
            .unwrap()
            .success()
    );
    let mut line = String::new();
    let mut stderr = BufReader::new(program.stderr.take().unwrap());
    stderr.read_line(&mut line).unwrap();
    assert!(
        line.starts_with("ending, and removing what was written"),
        "{line}"
    );
    simulator.remove_fault(held);
    let ended = tokio::task::spawn_blocking(move || program.wait_with_output().unwrap());
    let Output { status, stdout, .. } = ended.await.unwrap();
    let text = String::from_utf8(stdout).unwrap();
    assert_eq!(status.code(), Some(130));
    assert!(text.contains("(interrupted)"), "{text}");
    assert!(simulator.records(TUNNEL).is_empty());
    assert_eq!(
        (simulator.mutations() > 0, simulator.live_tokens("admin")),
        (true, 0)
    );
}
