//! The log: its form, the fields that every line about an object or a device has, and its level, which a
//! file can change while the process runs.
//!
//! Knows nothing of what is logged.

use std::fmt;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::str::FromStr as _;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serializer as _;
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tracing::{Event, Span, Subscriber};
use tracing_serde::fields::AsMap as _;
use tracing_subscriber::filter::{LevelFilter, ParseError};
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, JsonFields, Writer};
use tracing_subscriber::fmt::{FmtContext, FormattedFields};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::reload::{self, Handle};
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _, Registry};

use crate::args::LogFormat;

/// How often the file is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Without a file and without `RUST_LOG`.
const LEVEL: &str = "info";

/// What a file has to hold, for people.
const HINT: &str =
    "it is one of error, warn, info, debug and trace, or a list such as info,bigip_icontrol=debug";

/// A log that runs.
pub(crate) struct Log {
    level: Handle<EnvFilter, Registry>,
    file: Option<PathBuf>,
    /// What the file held when it was last looked at.
    seen: Option<Result<String, String>>,
}

impl Log {
    /// Begins to log on stderr. The level is that of the file if there is one, else that of `RUST_LOG`, else
    /// `info`.
    pub(crate) fn start(format: LogFormat, file: Option<PathBuf>) -> Self {
        let level = std::env::var(EnvFilter::DEFAULT_ENV).unwrap_or_else(|_| LEVEL.to_owned());
        let parsed = parse(level.trim());
        let refused = parsed.as_ref().err().map(ToString::to_string);
        let level = parsed.unwrap_or_else(|_| EnvFilter::new(LEVEL));
        let (filter, level) = reload::Layer::new(level);
        let lines = match format {
            LogFormat::Json => tracing_subscriber::fmt::layer()
                .fmt_fields(JsonFields::new())
                .event_format(FlatJson)
                .with_writer(std::io::stderr)
                .boxed(),
            LogFormat::Text => tracing_subscriber::fmt::layer()
                .with_ansi(std::io::stderr().is_terminal())
                .with_writer(std::io::stderr)
                .boxed(),
        };
        tracing_subscriber::registry()
            .with(filter)
            .with(lines)
            .init();
        if let Some(error) = refused {
            tracing::warn!("the level of the log is {LEVEL}: RUST_LOG: {error}; {HINT}");
        }
        let mut log = Self {
            level,
            file,
            seen: None,
        };
        log.look();
        log
    }

    /// Follows the file, if there is one, until `stop`.
    pub(crate) async fn follow(mut self, stop: CancellationToken) {
        while self.file.is_some() {
            let pause = tokio::time::sleep(LOOK_EVERY);
            if stop.run_until_cancelled(pause).await.is_none() {
                return;
            }
            self.look();
        }
    }

    /// Takes the level from the file if it is another one. What cannot be used is told once, and the level
    /// stays.
    fn look(&mut self) {
        let Some(file) = self.file.as_deref() else {
            return;
        };
        let now = read(file);
        if self.seen.as_ref() == Some(&now) {
            return;
        }
        match &now {
            Ok(text) => match parse(text) {
                Ok(filter) => {
                    if self.level.reload(filter).is_ok() {
                        tracing::info!(level_set = text, "the level of the log is set");
                    }
                }
                Err(error) => tracing::warn!(
                    file = %file.display(),
                    level_set = text,
                    "the level of the log stays: {error}; {HINT}"
                ),
            },
            Err(error) => tracing::warn!(
                file = %file.display(),
                "the level of the log stays: the file cannot be read: {error}"
            ),
        }
        self.seen = Some(now);
    }
}

fn read(file: &Path) -> Result<String, String> {
    let text = std::fs::read_to_string(file).map_err(|error| error.to_string())?;
    Ok(text.trim().to_owned())
}

/// No level.
#[derive(Debug, thiserror::Error)]
enum NoLevel {
    /// A word that is none. The library would take it for the name of a part, and log nothing else.
    #[error("{0:?} is no level")]
    Word(String),
    /// Something else is wrong with it.
    #[error(transparent)]
    Syntax(#[from] ParseError),
}

fn parse(text: &str) -> Result<EnvFilter, NoLevel> {
    for part in text.split(',') {
        let (_, level) = part.rsplit_once('=').unwrap_or(("", part));
        if LevelFilter::from_str(level.trim()).is_err() || level.trim().is_empty() {
            return Err(NoLevel::Word(part.to_owned()));
        }
    }
    // The client's own errors say neither what was asked nor for whom, once per try.
    let quiet = match LevelFilter::from_str(text.trim()) {
        Ok(level) if level <= LevelFilter::INFO => ",kube_client=off",
        _ => "",
    };
    Ok(EnvFilter::builder().parse(format!("{text}{quiet}"))?)
}

/// One JSON object per line: when, how bad and where, the fields of the event, and then those of its spans from
/// the inside out, as far as no other field has their name. The formatter of tracing-subscriber keeps the fields
/// of spans in objects of their own, where nobody looks for them.
struct FlatJson;

impl<S, N> FormatEvent<S, N> for FlatJson
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        ctx: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let metadata = event.metadata();
        let mut line = Line::default();
        line.add("timestamp", Timestamp::now().to_string().into());
        line.add("level", metadata.level().as_str().into());
        line.add("target", metadata.target().into());
        line.add_all(serde_json::to_value(event.field_map()).ok());
        for span in ctx.event_scope().into_iter().flatten() {
            let extensions = span.extensions();
            let fields = extensions.get::<FormattedFields<N>>();
            line.add_all(fields.and_then(|fields| serde_json::from_str(fields).ok()));
        }
        writeln!(writer, "{}", line.text().map_err(|_| fmt::Error)?)
    }
}

/// The fields of a line, in their order.
#[derive(Default)]
struct Line(Vec<(String, Value)>);

impl Line {
    fn add(&mut self, name: &str, value: Value) {
        if self.0.iter().all(|(known, _)| known != name) {
            self.0.push((name.to_owned(), value));
        }
    }

    fn add_all(&mut self, fields: Option<Value>) {
        if let Some(Value::Object(fields)) = fields {
            for (name, value) in fields {
                self.add(&name, value);
            }
        }
    }

    fn text(self) -> serde_json::Result<String> {
        let mut text = Vec::new();
        let mut serializer = serde_json::Serializer::new(&mut text);
        serializer.collect_map(self.0)?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }
}

/// What the work on an object logs has these fields.
pub(crate) fn of_object(namespace: &str, name: &str) -> Span {
    tracing::error_span!("tunnel", namespace, name)
}

/// What the work on a device of it logs has this field as well.
pub(crate) fn of_device(device: &str) -> Span {
    tracing::error_span!("device", device)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_fields_with_one_name_the_first_counts() {
        let mut line = Line::default();
        line.add("name", "prod-east".into());
        line.add_all(Some(
            serde_json::json!({"name": "other", "device": "bigip-a"}),
        ));
        let text = line.text().unwrap();
        assert_eq!(text, r#"{"name":"prod-east","device":"bigip-a"}"#);
    }

    #[test]
    fn log_level_may_name_modules_and_invalid_is_refused() {
        for text in ["debug", "info,bigip_icontrol=debug", "warn,kube=off"] {
            assert!(parse(text).is_ok(), "{text}");
        }
        for text in [
            "warning",
            "loud",
            "",
            "info,",
            "info,kube",
            "info,x=very",
            "loud,,=",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
