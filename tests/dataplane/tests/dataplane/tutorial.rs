//! The tutorial, as a reader follows it: every command of the page is run, in order, and prints what the page says.
//!
//! Lines of output that the page leaves out are not compared; ages and ports differ from run to run.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use bigip_tunnel_dataplane::Underlay;
use bigip_tunnel_harness::binaries::node;
use bigip_tunnel_harness::demo::{LabFiles, lab};
use bigip_tunnel_harness::paths::workspace_root;
use bigip_tunnel_harness::progress::to_stderr;
use bigip_tunnel_harness::wait::{Answer, eventually};
use tokio::sync::oneshot;

use crate::lab::{LIMIT, is_skipped, say};

/// A command of the page, and the lines that it prints there.
#[derive(Debug, PartialEq, Eq)]
struct Typed {
    command: String,
    output: Vec<String>,
}

/// The commands between fences of `console`.
fn commands(page: &str) -> Vec<Typed> {
    let mut commands: Vec<Typed> = Vec::new();
    let blocks = page.split("```console\n").skip(1);
    let blocks = blocks.filter_map(|rest| rest.split("```").next());
    for line in blocks.flat_map(str::lines) {
        if let Some(command) = line.strip_prefix("$ ") {
            commands.push(Typed {
                command: command.to_owned(),
                output: Vec::new(),
            });
        } else if let Some(last) = commands.last_mut() {
            last.output.push(line.to_owned());
        }
    }
    commands
}

/// A line without what differs from run to run: ages, and widths that follow from them.
fn comparable(line: &str) -> String {
    let is_age = |word: &str| {
        let digits = word.trim_end_matches(['s', 'm', 'h']);
        digits.len() < word.len() && digits.chars().all(|digit| digit.is_ascii_digit())
    };
    let words = line.split_whitespace();
    let words = words.map(|word| if is_age(word) { "AGE" } else { word });
    words.collect::<Vec<_>>().join(" ")
}

/// Runs a command as a shell would in the folder of the checkout.
async fn run(command: &str, folder: &Path, kubectl: &Path) -> Output {
    let mut shell = Command::new("bash");
    let script = format!("set -o pipefail; . target/lab/env\n{command}");
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::iter::once(kubectl.to_owned()).chain(std::env::split_paths(&path));
    shell
        .args(["-c", &script])
        .current_dir(folder)
        .env("PATH", std::env::join_paths(path).unwrap());
    let ended = tokio::task::spawn_blocking(move || shell.output());
    ended.await.unwrap().unwrap()
}

/// Follows the page. A command that is followed by `echo $?` may end as that says, every other has to succeed.
async fn follow(page: &str, folder: &Path, kubectl: &Path) {
    let commands = commands(page);
    assert!(commands.len() > 30, "only {} commands", commands.len());
    for (index, typed) in commands.iter().enumerate() {
        if typed.command == "echo $?" {
            continue;
        }
        let next = commands.get(index + 1);
        let code = next.filter(|next| next.command == "echo $?");
        let code = code.map_or(0, |echo| echo.output[0].parse().unwrap());
        let ended = run(&typed.command, folder, kubectl).await;
        let printed = [&*ended.stdout, &*ended.stderr].map(String::from_utf8_lossy);
        let printed = printed.join("\n");
        let shown = format!("$ {}\n{printed}", typed.command);
        assert_eq!(ended.status.code(), Some(code), "{shown}");
        let lines: Vec<String> = printed.lines().map(comparable).collect();
        for line in &typed.output {
            assert!(lines.contains(&comparable(line)), "no {line:?} in\n{shown}");
        }
    }
}

/// The folder of kubectl: the one of this machine, else the pinned one, which is built.
fn kubectl() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).find(|folder| folder.join("kubectl").is_file());
    found.unwrap_or_else(|| node::programs(&to_stderr).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn commands_of_the_tutorial_lead_to_a_packet() {
    if is_skipped("tutorial").await {
        return;
    }
    let page = workspace_root().join("docs/tutorial/first-packet.md");
    let page = std::fs::read_to_string(page).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let in_lab = folder.path().join("target/lab");
    let files = LabFiles::new(&in_lab).unwrap();
    let (end, ended) = oneshot::channel::<()>();
    let until = async { drop(ended.await) };
    let reader = async {
        let ready = eventually("the lab", LIMIT, async || {
            Answer::when(in_lab.join("env").exists(), |is_there| *is_there)
        });
        ready.await.unwrap();
        follow(&page, folder.path(), &kubectl()).await;
        drop(end);
    };
    let out = &mut std::io::sink();
    let (kept, ()) = tokio::join!(lab(&files, out, until), reader);
    kept.unwrap();
    // An underlay can be made again: nothing of the lab is in the way.
    Underlay::new().await.unwrap();
    say("the tutorial was followed to its end");
}

#[test]
fn commands_and_their_output_are_read_from_a_page() {
    let page = "```sh\nnot this\n```\n```console\n$ a -b\nout  1\n$ c\n```\n";
    let typed = |command: &str, output: &[&str]| Typed {
        command: command.to_owned(),
        output: output.iter().map(|line| (*line).to_owned()).collect(),
    };
    assert_eq!(
        commands(page),
        [typed("a -b", &["out  1"]), typed("c", &[])]
    );
    assert_eq!(comparable("x   Ready  12s  1m"), "x Ready AGE AGE");
    assert_ne!(comparable("as ms"), comparable("1s 1m"));
}
