//! When a program of the command line ends: at a signal, or with its standard input.

use std::io;
use std::thread;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

/// A watch on what ends a program.
#[derive(Debug)]
pub struct Shutdown {
    terminated: Signal,
    interrupted: Signal,
    stdin: Option<oneshot::Receiver<()>>,
}

impl Shutdown {
    /// Watches SIGTERM and SIGINT from now on, and the end of standard input where that counts.
    ///
    /// # Errors
    ///
    /// The system gives no signals.
    pub fn watch(with_stdin: bool) -> io::Result<Self> {
        Ok(Self {
            terminated: signal(SignalKind::terminate())?,
            interrupted: signal(SignalKind::interrupt())?,
            stdin: with_stdin.then(watch_stdin),
        })
    }

    /// Returns when the program is to end.
    pub async fn requested(mut self) {
        tokio::select! {
            _ = self.terminated.recv() => {}
            _ = self.interrupted.recv() => {}
            () = end_of(self.stdin) => {}
        }
    }
}

/// Reads standard input to its end on a thread of its own, which does not keep the process alive.
fn watch_stdin() -> oneshot::Receiver<()> {
    let (ended, end) = oneshot::channel();
    thread::spawn(move || {
        // An error ends it as much as the end does.
        let _ = io::copy(&mut io::stdin(), &mut io::sink());
        let _ = ended.send(());
    });
    end
}

/// Never returns without a watcher.
async fn end_of(stdin: Option<oneshot::Receiver<()>>) {
    match stdin {
        Some(end) => {
            let _ = end.await;
        }
        None => std::future::pending().await,
    }
}
