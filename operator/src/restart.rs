//! Restarts work that panicked: one object or device that brings out a fault of ours stops no other.
//!
//! Must not know what the work is.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures::FutureExt;
use tokio_util::sync::CancellationToken;

/// How long after a panic the work restarts.
pub(crate) const RESTART_DELAY: Duration = Duration::from_secs(10);

/// Does the work that `begin` makes until it ends by itself. When it panics, `report` is done and the
/// work restarts after a while, unless `stop` comes first.
pub(crate) async fn keep_running<W, T>(
    stop: &CancellationToken,
    begin: impl Fn() -> W,
    report: impl Fn() -> T,
) where
    W: Future<Output = ()>,
    T: Future<Output = ()>,
{
    while AssertUnwindSafe(begin()).catch_unwind().await.is_err() {
        report().await;
        let pause = tokio::time::sleep(RESTART_DELAY);
        if stop.run_until_cancelled(pause).await.is_none() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use tokio::time::Instant;

    use super::*;

    /// Work that panics this often, counting how often it began.
    async fn panics(times: u32, begun: &Cell<u32>) {
        begun.set(begun.get() + 1);
        tokio::task::yield_now().await;
        assert!(begun.get() > times, "a fault of ours");
    }

    #[tokio::test(start_paused = true)]
    async fn panic_is_reported_and_work_restarts_after_a_while() {
        let (begun, reported) = (Cell::new(0), Cell::new(0));
        let report = || async { reported.set(reported.get() + 1) };
        let (stop, started) = (CancellationToken::new(), Instant::now());
        keep_running(&stop, || panics(2, &begun), report).await;
        assert_eq!((begun.get(), reported.get()), (3, 2));
        assert_eq!(started.elapsed(), 2 * RESTART_DELAY);
    }

    #[tokio::test(start_paused = true)]
    async fn repeated_panics_stop_no_other_task() {
        let begun = Cell::new(0);
        let (stop, started) = (CancellationToken::new(), Instant::now());
        let other = async {
            tokio::time::timeout(10 * RESTART_DELAY, std::future::pending::<()>())
                .await
                .unwrap_err();
            stop.cancel();
        };
        let panicking = keep_running(&stop, || panics(u32::MAX, &begun), || async {});
        tokio::join!(panicking, other);
        assert_eq!(started.elapsed(), 10 * RESTART_DELAY);
        assert!(begun.get() >= 10, "{}", begun.get());
    }

    #[tokio::test(start_paused = true)]
    async fn stopped_work_does_not_restart() {
        let begun = Cell::new(0);
        let (stop, started) = (CancellationToken::new(), Instant::now());
        stop.cancel();
        keep_running(&stop, || panics(u32::MAX, &begun), || async {}).await;
        assert_eq!((begun.get(), started.elapsed()), (1, Duration::ZERO));
    }
}
