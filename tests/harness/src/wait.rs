//! Waiting for something to become true, with a message that says what was last seen.
//!
//! It asks in short intervals, because a test looks at Kubernetes, at devices and at processes
//! together, and not all of them can be watched. It knows nothing of what is waited for.

use std::fmt;
use std::time::{Duration, Instant};

use tokio::time::sleep;

/// How often the question is asked.
const INTERVAL: Duration = Duration::from_millis(20);

/// The answer to a question that is asked again until it is the right one.
#[derive(Debug)]
pub enum Answer<T> {
    /// It became true.
    Done(T),
    /// Not yet; this was seen instead.
    NotYet(String),
}

impl<T> Answer<T> {
    /// Done if `is_right`, else not yet, and `value` is what was seen.
    pub fn when(value: T, is_right: impl FnOnce(&T) -> bool) -> Self
    where
        T: fmt::Debug,
    {
        if is_right(&value) {
            Self::Done(value)
        } else {
            Self::NotYet(format!("{value:?}"))
        }
    }
}

/// It did not become true in time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}: not after {} ms; last seen: {last}", waited.as_millis())]
pub struct Timeout {
    /// What was waited for.
    pub what: String,
    /// How long.
    pub waited: Duration,
    /// What was seen last.
    pub last: String,
}

/// Asks until the answer is `Done`, for at most `limit`. A question that does not come back counts
/// as not answered.
pub async fn eventually<T>(
    what: impl Into<String>,
    limit: Duration,
    mut question: impl AsyncFnMut() -> Answer<T>,
) -> Result<T, Timeout> {
    let (what, started) = (what.into(), Instant::now());
    let mut last = "nothing".to_owned();
    let asking = async {
        loop {
            match question().await {
                Answer::Done(value) => return value,
                Answer::NotYet(seen) => last = seen,
            }
            sleep(INTERVAL).await;
        }
    };
    let answered = tokio::time::timeout(limit, asking).await;
    answered.map_err(|_| Timeout {
        what,
        waited: started.elapsed(),
        last,
    })
}

/// The same for a program without a runtime, which asks every `interval`: an answer that has come by `limit` counts.
///
/// # Errors
///
/// The answer is not `Done` in time, or the question cannot be asked.
pub fn eventually_blocking<T, E: From<Timeout>>(
    what: impl Into<String>,
    (limit, interval): (Duration, Duration),
    mut question: impl FnMut() -> Result<Answer<T>, E>,
) -> Result<T, E> {
    let started = Instant::now();
    loop {
        let last = match question()? {
            Answer::Done(value) => return Ok(value),
            Answer::NotYet(seen) => seen,
        };
        let waited = started.elapsed();
        if waited >= limit {
            let what = what.into();
            return Err(Timeout { what, waited, last }.into());
        }
        std::thread::sleep(interval);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocking_wait_ends_with_the_answer_or_the_limit() {
        let mut count = 0;
        let pace = (Duration::from_secs(5), Duration::ZERO);
        let seen = eventually_blocking("the count", pace, || {
            count += 1;
            Ok::<_, Timeout>(Answer::when(count, |count| *count == 3))
        });
        assert_eq!(seen, Ok(3));
        let never = || Ok::<Answer<()>, Timeout>(Answer::NotYet("nothing yet".to_owned()));
        let over = eventually_blocking("never", (Duration::ZERO, Duration::ZERO), never);
        assert_eq!(over.unwrap_err().last, "nothing yet");
    }

    #[tokio::test]
    async fn eventually_polls_until_the_answer_matches() {
        let mut count = 0;
        let seen = eventually("the count", Duration::from_secs(5), async || {
            count += 1;
            Answer::when(count, |count| *count == 3)
        })
        .await;
        assert_eq!(seen, Ok(3));
    }

    #[tokio::test]
    async fn timeout_error_shows_expected_and_last_value() {
        let error = eventually("two records", Duration::from_millis(1), async || {
            Answer::when(vec!["0a:0a:0a:a9:48:ef"], |records| records.len() == 2)
        })
        .await
        .unwrap_err()
        .to_string();
        assert!(error.starts_with("two records: not after "), "{error}");
        assert!(
            error.ends_with("last seen: [\"0a:0a:0a:a9:48:ef\"]"),
            "{error}"
        );
    }

    #[tokio::test]
    async fn hanging_poll_times_out() {
        let never = eventually("an answer", Duration::from_millis(1), async || {
            std::future::pending::<Answer<()>>().await
        });
        assert_eq!(never.await.unwrap_err().last, "nothing");
    }
}
