//! What `events` found: the Kubernetes events about tunnels, newest last.

use k8s_openapi::api::core::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde::Serialize;

/// Everything that `events` found.
#[derive(Serialize, Debug)]
pub(crate) struct EventsReport {
    pub(crate) events: Vec<EventReport>,
}

/// One event, or several that say the same.
#[derive(Serialize, Debug)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EventReport {
    pub(crate) namespace: String,
    /// Name of the tunnel.
    pub(crate) tunnel: String,
    /// `Normal` or `Warning`.
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) reason: String,
    pub(crate) message: String,
    /// How often it was said.
    pub(crate) count: i32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) first_seen: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) last_seen: Option<Time>,
}

impl EventsReport {
    /// The events about the tunnels of these names; without names, about all.
    pub(crate) fn new(events: Vec<Event>, names: &[String]) -> Self {
        let is_asked_for = |event: &EventReport| names.is_empty() || names.contains(&event.tunnel);
        let mut events: Vec<EventReport> = events
            .into_iter()
            .map(EventReport::from)
            .filter(is_asked_for)
            .collect();
        events.sort_by_key(|event| event.last_seen.as_ref().map(|time| time.0));
        Self { events }
    }
}

impl From<Event> for EventReport {
    /// An event has its times in one place or another, as old as the client that wrote it.
    fn from(event: Event) -> Self {
        let once = event.event_time.map(|time| Time(time.0));
        let created = event.metadata.creation_timestamp;
        let first_seen = event.first_timestamp.or(once.clone());
        let series = event.series.unwrap_or_default();
        let repeated = series.last_observed_time.map(|time| Time(time.0));
        let last = repeated.or(event.last_timestamp).or(once);
        Self {
            namespace: event.involved_object.namespace.unwrap_or_default(),
            tunnel: event.involved_object.name.unwrap_or_default(),
            kind: event.type_.unwrap_or_default(),
            reason: event.reason.unwrap_or_default(),
            message: event.message.unwrap_or_default(),
            count: series.count.or(event.count).unwrap_or(1).max(1),
            last_seen: last.or(first_seen.clone()).or(created.clone()),
            first_seen: first_seen.or(created),
        }
    }
}
