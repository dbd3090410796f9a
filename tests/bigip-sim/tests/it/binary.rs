//! The program: its line, its end, its complaints.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use reqwest::{Certificate, Client};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::{LOGIN_URI, MAC, RECORDS_URI, credentials};

const TUNNEL_ARGS: [&str; 4] = [
    "--tunnel",
    "/Common/flannel_vxlan",
    "--local-address",
    "10.169.72.34",
];

/// A program that does not outlive its test.
struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn password_file(text: &str) -> (TempDir, PathBuf) {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("password");
    fs::write(&path, text).unwrap();
    (dir, path)
}

fn command(password_file: &PathBuf) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bigip-sim"));
    command
        .args(TUNNEL_ARGS)
        .arg("--password-file")
        .arg(password_file);
    command
}

fn start(mut command: Command) -> (Program, Value) {
    let spawned = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut program = Program(spawned.spawn().unwrap());
    let mut line = String::new();
    BufReader::new(program.0.stdout.as_mut().unwrap())
        .read_line(&mut line)
        .unwrap();
    (program, serde_json::from_str(&line).unwrap())
}

async fn ask(ready: &Value) -> Value {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let ca = Certificate::from_pem(ready["ca"].as_str().unwrap().as_bytes()).unwrap();
    let client = Client::builder()
        .tls_certs_only([ca])
        .no_proxy()
        .build()
        .unwrap();
    let base = format!(
        "https://{}:{}",
        ready["address"].as_str().unwrap(),
        ready["port"]
    );
    let login = client
        .post(format!("{base}{LOGIN_URI}"))
        .json(&credentials("admin", "s3cret"));
    let body: Value = login.send().await.unwrap().json().await.unwrap();
    let records = client
        .get(format!("{base}{RECORDS_URI}"))
        .header("X-F5-Auth-Token", body["token"]["token"].as_str().unwrap());
    records.send().await.unwrap().json().await.unwrap()
}

#[tokio::test]
async fn program_prints_address_serves_and_ends_with_stdin() {
    let (_dir, path) = password_file("s3cret\n");
    let mut command = command(&path);
    command.args([
        "--record",
        &format!("{MAC}=10.169.72.239%0"),
        "--log",
        "--exit-with-stdin",
    ]);
    command.args(["--version", "14.1"]);
    let (mut program, ready) = start(command);
    assert_eq!(ready["address"], "127.0.0.1");
    let records = ask(&ready).await;
    assert_eq!(records["items"][0]["name"], MAC);
    assert!(
        records["selfLink"]
            .as_str()
            .unwrap()
            .ends_with("?ver=14.1.2.1")
    );

    drop(program.0.stdin.take());
    assert!(program.0.wait().unwrap().success());
    let mut log = String::new();
    program
        .0
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut log)
        .unwrap();
    assert!(log.contains(RECORDS_URI), "{log}");
    assert!(!log.contains("s3cret"), "{log}");
}

#[test]
fn program_exits_with_0_on_sigterm() {
    let (_dir, path) = password_file("s3cret");
    let (mut program, _) = start(command(&path));
    let pid = program.0.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-TERM", &pid])
            .status()
            .unwrap()
            .success()
    );
    assert!(program.0.wait().unwrap().success());
}

fn complaint(command: &mut Command) -> String {
    let Output { status, stderr, .. } = command.output().unwrap();
    assert!(!status.success());
    String::from_utf8(stderr).unwrap()
}

#[test]
fn error_messages_name_the_remedy() {
    let (_dir, path) = password_file("\n");
    assert!(complaint(&mut command(&path)).contains("is empty"));

    let missing = path.with_file_name("missing");
    let text = complaint(&mut command(&missing));
    assert!(text.contains("cannot read the password file"), "{text}");

    let (_dir, path) = password_file("s3cret");
    for (flag, value, mend) in [
        (
            "--version",
            "11.6",
            "choose 12.1, 13.1, 14.1, 15.1, 16.1 or 17.1",
        ),
        ("--tls", "ssl3", "old-tmos, stall, plain"),
        ("--rights", "root", "manager:PARTITION"),
        ("--profile", "gre", "vxlan, geneve"),
        (
            "--failover-state",
            "up",
            "active, standby, offline, forced-offline",
        ),
        ("--peer", "bigip02", "NAME=BASE_MAC@ADDRESS"),
        ("--record", "0a:0a:0a:a9:48:ef", "MAC=ENDPOINT"),
    ] {
        let text = complaint(command(&path).args([flag, value]));
        assert!(text.contains(mend), "{flag}: {text}");
    }
    let mut odd = Command::new(env!("CARGO_BIN_EXE_bigip-sim"));
    odd.args([
        "--tunnel",
        "flannel",
        "--local-address",
        "10.1.1.1",
        "--password-file",
    ])
    .arg(&path);
    let text = complaint(&mut odd);
    assert!(
        text.contains("`flannel` is no full path; write it as /Common/name"),
        "{text}"
    );
}
