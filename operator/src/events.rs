//! (I/O) Kubernetes events: written beside the work, which never waits for them.
//!
//! kube's `Recorder` is not used: for six minutes it takes two events of one reason for the same, whatever
//! their notes, counts the second and loses what it says. Here only the same note counts up an event.
//! Decides nothing: what is told is `core::events`' business.

use std::collections::HashMap;
use std::time::Duration;

use bigip_tunnel_core::events::{Event as Told, EventReason, Kind};
use bigip_tunnel_crds::MANAGER_OPERATOR;
use bigip_tunnel_crds::v1alpha1::BigIpTunnel;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::events::v1::{Event, EventSeries};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client, Resource};
use serde_json::json;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::kubernetes::{self, CallError};
use crate::lease::Leadership;

/// Who writes: a domain-prefixed name, as the API wants it.
const CONTROLLER: &str = "bigip-tunnel.dev/operator";
/// How many events may wait for the API server; more are lost.
const QUEUE_MAX: usize = 256;
/// The longest note that the API server takes, in bytes.
const NOTE_MAX: usize = 1024;
/// How long an event that is repeated counts up, as kubectl and the API server's own clients have it.
const SERIES_AGE_MAX: Duration = Duration::from_secs(6 * 60);
/// How often, and how long after, a write that the API server did not answer is tried again.
const RETRIES: [Duration; 2] = [Duration::from_secs(2), Duration::from_secs(10)];

/// Where events are put.
#[derive(Debug, Clone)]
pub(crate) struct Events(mpsc::Sender<(ObjectReference, Told, Timestamp)>);

impl Events {
    /// Writes events in the name of this process until `stop`, while it leads.
    pub(crate) fn start(
        client: Client,
        writer: &str,
        leadership: Leadership,
        stop: CancellationToken,
    ) -> Self {
        let (sender, mut receiver) = mpsc::channel(QUEUE_MAX);
        let mut recorder = Recorder {
            client,
            leadership,
            instance: writer.to_owned(),
            series: HashMap::new(),
            is_refused: false,
        };
        tokio::spawn(stop.run_until_cancelled_owned(async move {
            while let Some((about, told, time)) = receiver.recv().await {
                recorder.record(&about, &told, time).await;
            }
        }));
        Self(sender)
    }

    /// Tells of an object. Never waits.
    pub(crate) fn tell(&self, object: &BigIpTunnel, told: impl IntoIterator<Item = Told>) {
        let about = object.object_ref(&());
        for event in told {
            let event = (about.clone(), event, Timestamp::now());
            if self.0.try_send(event).is_err() {
                tracing::debug!(name = about.name, "an event is lost: too many wait");
            }
        }
    }
}

/// What makes two events one that is repeated.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    uid: Option<String>,
    reason: EventReason,
    note: String,
}

/// An event that may be repeated.
struct Series {
    name: String,
    count: i32,
    last: Instant,
}

/// Writes them, one at a time.
struct Recorder {
    client: Client,
    leadership: Leadership,
    instance: String,
    series: HashMap<Key, Series>,
    /// Whether the log says that events are refused.
    is_refused: bool,
}

impl Recorder {
    async fn record(&mut self, about: &ObjectReference, told: &Told, time: Timestamp) {
        let mut written = self.write(about, told, time).await;
        for pause in RETRIES {
            if written.is_ok() || is_answer(&written) {
                break;
            }
            tokio::time::sleep(pause).await;
            written = self.write(about, told, time).await;
        }
        match written {
            Ok(()) => self.is_refused = false,
            // That the leadership is over is told elsewhere.
            Err(error) if self.is_refused || matches!(error, CallError::NotLeading) => {
                tracing::debug!("an event is lost: {error}");
            }
            Err(error) => {
                self.is_refused = true;
                tracing::warn!(
                    namespace = about.namespace,
                    name = about.name,
                    "Events refused: {error}. The work goes on, and conditions say the same; the \
                     operator needs the rights to create and patch events.events.k8s.io"
                );
            }
        }
    }

    async fn write(
        &mut self,
        about: &ObjectReference,
        told: &Told,
        time: Timestamp,
    ) -> Result<(), CallError> {
        let namespace = about.namespace.as_deref().unwrap_or("default");
        let api: Api<Event> = Api::namespaced(self.client.clone(), namespace);
        self.series
            .retain(|_, series| series.last.elapsed() < SERIES_AGE_MAX);
        let key = Key {
            uid: about.uid.clone(),
            reason: told.reason,
            note: clipped(&told.note).to_owned(),
        };
        if let Some(series) = self.series.get_mut(&key)
            && count_up(&api, &self.leadership, series, time).await?
        {
            return Ok(());
        }
        let event = event(about, told, time, &self.instance);
        let name = event.metadata.name.clone().unwrap_or_default();
        let params = PostParams::default();
        kubernetes::write(&self.leadership, api.create(&params, &event)).await?;
        let series = Series {
            name,
            count: 1,
            last: Instant::now(),
        };
        self.series.insert(key, series);
        Ok(())
    }
}

/// Counts an event up. Returns whether it was still there.
async fn count_up(
    api: &Api<Event>,
    leadership: &Leadership,
    series: &mut Series,
    time: Timestamp,
) -> Result<bool, CallError> {
    let repeated = EventSeries {
        count: series.count.saturating_add(1),
        last_observed_time: MicroTime(time),
    };
    let patch = Patch::Merge(json!({ "series": repeated }));
    let params = PatchParams {
        field_manager: Some(MANAGER_OPERATOR.into()),
        ..PatchParams::default()
    };
    let request = api.patch(&series.name, &params, &patch);
    match kubernetes::write(leadership, request).await {
        Ok(_) => {
            series.count = repeated.count;
            series.last = Instant::now();
            Ok(true)
        }
        Err(error) if error.code() == Some(404) => Ok(false),
        Err(error) => Err(error),
    }
}

fn event(about: &ObjectReference, told: &Told, time: Timestamp, instance: &str) -> Event {
    let object: String = about
        .name
        .iter()
        .flat_map(|name| name.chars())
        .take(230)
        .collect();
    let object = object.trim_end_matches(['.', '-']);
    let kind = match told.kind {
        Kind::Normal => "Normal",
        Kind::Warning => "Warning",
    };
    Event {
        metadata: ObjectMeta {
            name: Some(format!("{object}.{:016x}", fastrand::u64(..))),
            namespace: about.namespace.clone(),
            ..ObjectMeta::default()
        },
        type_: Some(kind.to_owned()),
        reason: Some(told.reason.to_string()),
        action: Some(told.action.to_owned()),
        note: Some(clipped(&told.note).to_owned()),
        event_time: Some(MicroTime(time)),
        regarding: Some(about.clone()),
        reporting_controller: Some(CONTROLLER.to_owned()),
        reporting_instance: Some(instance.to_owned()),
        ..Event::default()
    }
}

/// Whether the API server said no, and will say so again.
fn is_answer(written: &Result<(), CallError>) -> bool {
    let code = written.as_ref().err().and_then(CallError::code);
    code.is_some_and(|code| code < 500 && code != 429)
}

/// As much of a note as the API server takes.
fn clipped(note: &str) -> &str {
    let mut end = note.len().min(NOTE_MAX);
    while !note.is_char_boundary(end) {
        end -= 1;
    }
    note.get(..end).unwrap_or(note)
}

#[cfg(test)]
mod tests {
    use bigip_tunnel_core::events::Event as Told;
    use bigip_tunnel_core::reason::Reason;

    use super::*;

    fn told(note: String) -> Told {
        Told {
            kind: Kind::Warning,
            reason: Reason::DeviceUnreachable.into(),
            action: "Connect",
            note,
        }
    }

    fn about(name: &str) -> ObjectReference {
        ObjectReference {
            name: Some(name.to_owned()),
            namespace: Some("bigip".to_owned()),
            ..ObjectReference::default()
        }
    }

    #[test]
    fn long_note_is_truncated_at_a_character() {
        let note = format!("{}€€", "x".repeat(NOTE_MAX - 1));
        let event = event(&about("a"), &told(note), Timestamp::UNIX_EPOCH, "pod_1");
        assert_eq!(event.note, Some("x".repeat(NOTE_MAX - 1)));
    }

    #[test]
    fn longest_object_name_fits_into_an_event_name() {
        let longest = "a.".repeat(126) + "b";
        let event = event(
            &about(&longest),
            &told("n".into()),
            Timestamp::UNIX_EPOCH,
            "p",
        );
        let name = event.metadata.name.unwrap();
        assert!(name.len() <= 253 && !name.contains(".."), "{name}");
    }
}
