//! The plugin as a process: what it says and how it exits, as a script and at a terminal.
//!
//! Must not know what a single test is about.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::Stdio;

use bigip_tunnel_harness::account::Account;
use bigip_tunnel_harness::products::Product;
use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use tokio::process::{Child, Command};
use tokio::task::spawn_blocking;

use super::World;

/// How the plugin ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    /// At a terminal, what was shown after the answer.
    pub(crate) err: String,
}

/// A plugin that asks a person.
pub(crate) struct Asking {
    child: Child,
    terminal: File,
    /// What the person has seen.
    pub(crate) shown: String,
}

impl World {
    /// Runs the plugin in the namespace of this world, with all rights and no terminal.
    pub(crate) async fn plugin(&self, args: &[&str]) -> Ended {
        self.run_plugin(&self.kubeconfig, args).await
    }

    /// The same with the rights of this account.
    pub(crate) async fn plugin_as(&self, account: &Account, args: &[&str]) -> Ended {
        self.run_plugin(&account.kubeconfig(), args).await
    }

    /// An account that may do nothing.
    pub(crate) async fn account(&self) -> Account {
        let account = Account::create(&self.client, &self.kubeconfig, &self.name);
        account.await.unwrap()
    }

    async fn run_plugin(&self, kubeconfig: &Path, args: &[&str]) -> Ended {
        let mut command = self.plugin_command(kubeconfig, args);
        ended(command.stdin(Stdio::null()).spawn().unwrap()).await
    }

    /// Runs the plugin at a terminal until it asks.
    pub(crate) async fn plugin_asking(&self, args: &[&str]) -> Asking {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let path = ptsname(&master, Vec::new()).unwrap();
        let flags = OFlags::RDWR | OFlags::NOCTTY;
        let side = || Stdio::from(rustix::fs::open(&*path, flags, Mode::empty()).unwrap());
        let mut command = self.plugin_command(&self.kubeconfig, args);
        let child = command.stdin(side()).stderr(side()).spawn().unwrap();
        // The command has its own copies of the terminal: without them its end can be seen.
        drop(command);
        let mut terminal = File::from(master);
        let (terminal, shown) = spawn_blocking(move || {
            let (mut shown, mut byte) = (Vec::new(), [0]);
            while !shown.ends_with(b"[y/N] ") && terminal.read(&mut byte).is_ok_and(|n| n > 0) {
                shown.extend(byte);
            }
            (terminal, String::from_utf8(shown).unwrap())
        })
        .await
        .unwrap();
        assert!(shown.ends_with("[y/N] "), "no question: {shown}");
        Asking {
            child,
            terminal,
            shown,
        }
    }

    /// The same as [`World::plugin`] with these variables in its environment.
    pub(crate) async fn plugin_in(&self, environment: &[(&str, &str)], args: &[&str]) -> Ended {
        let mut command = self.plugin_command(&self.kubeconfig, args);
        command.envs(environment.iter().copied());
        ended(command.stdin(Stdio::null()).spawn().unwrap()).await
    }

    /// What kubectl gets from the plugin for these words, of which the last is being typed. It calls it
    /// by another name.
    pub(crate) async fn complete(&self, words: &[&str]) -> Ended {
        let mut command = self.plugin_command(&self.kubeconfig, words);
        command.arg0("kubectl_complete-bigip_tunnel");
        ended(command.stdin(Stdio::null()).spawn().unwrap()).await
    }

    /// Starts the plugin with all rights and no terminal, for a test that reads while it goes on.
    pub(crate) fn start_plugin(&self, args: &[&str]) -> Child {
        let mut command = self.plugin_command(&self.kubeconfig, args);
        command.stdin(Stdio::null()).spawn().unwrap()
    }

    fn plugin_command(&self, kubeconfig: &Path, args: &[&str]) -> Command {
        let mut command = Command::new(Product::Plugin.path().unwrap());
        command
            .arg("--kubeconfig")
            .arg(kubeconfig)
            .args(["--namespace", &self.name])
            .env("LC_ALL", "C.UTF-8")
            .args(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }
}

impl Asking {
    /// Types an answer.
    pub(crate) async fn answer(mut self, answer: &str) -> Ended {
        self.terminal
            .write_all(format!("{answer}\n").as_bytes())
            .unwrap();
        let ended = ended(self.child).await;
        // Nobody has the other side open any more: what is left in between is read, then an error.
        let mut rest = Vec::new();
        let _ = self.terminal.read_to_end(&mut rest);
        Ended {
            err: String::from_utf8(rest).unwrap(),
            ..ended
        }
    }
}

async fn ended(child: Child) -> Ended {
    let output = child.wait_with_output().await.unwrap();
    Ended {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}
