//! Whether the status of an object is about its present spec. Nothing counts without positive evidence: names of entries
//! stay when their values change.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::Value;

use crate::vtep;

/// What the metadata of an object shows of its present spec.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Revision {
    /// Its generation.
    pub generation: Option<i64>,
    /// When the spec was changed last, by its managed fields.
    pub changed: Option<Timestamp>,
}

impl Revision {
    /// Whether a status says that it is about an older spec.
    pub(crate) fn is_outdated(self, status: Option<&Value>) -> bool {
        let generation = self.generation;
        generation.is_some_and(|generation| observed(status).any(|seen| seen < generation))
    }

    /// Names of the entries that a status calls programmed, and of which it shows that they are those of the present
    /// spec: by `observedGeneration`, or because each was synchronized after the last change.
    pub(crate) fn confirmed(self, status: Option<&Value>) -> BTreeSet<String> {
        if self.is_outdated(status) {
            return BTreeSet::new();
        }
        let synced = vtep::synced(status);
        let generation = self.generation;
        if generation.is_some_and(|generation| observed(status).any(|seen| seen == generation)) {
            return synced;
        }
        let is_later = |entry: &Value| {
            let time = entry.get("lastSyncTime").and_then(Value::as_str);
            let time = time.and_then(|time| time.parse::<Timestamp>().ok());
            matches!((time, self.changed), (Some(time), Some(changed)) if time > changed)
        };
        let is_confirmed = |name: &String| {
            let mut of_name = vtep::statuses(status)
                .filter(|entry| entry.get("name").and_then(Value::as_str) == Some(name));
            of_name.all(is_later)
        };
        synced.into_iter().filter(is_confirmed).collect()
    }
}

/// The generations that a status says to be about.
fn observed(status: Option<&Value>) -> impl Iterator<Item = i64> + use<'_> {
    let conditions = status.and_then(|status| status.get("conditions")?.as_array());
    let of_conditions = conditions
        .into_iter()
        .flatten()
        .filter_map(|condition| condition.get("observedGeneration")?.as_i64());
    let own = status.and_then(|status| status.get("observedGeneration")?.as_i64());
    of_conditions.chain(own)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn confirmed(status: &Value, generation: i64) -> Vec<String> {
        let revision = Revision {
            generation: Some(generation),
            changed: Some("2026-01-01T00:00:10Z".parse().unwrap()),
        };
        revision.confirmed(Some(status)).into_iter().collect()
    }

    #[test]
    fn observed_generation_confirms_the_present_spec_alone() {
        let status = json!({
            "endpointStatuses": [{"name": "a", "synced": true}, {"name": "b", "synced": false}],
            "conditions": [{"type": "Ready", "status": "True", "observedGeneration": 2}],
        });
        assert_eq!(confirmed(&status, 2), ["a"]);
        assert_eq!(confirmed(&status, 3), [""; 0]);
        let own = json!({
            "endpointStatuses": [{"name": "a", "synced": true}], "observedGeneration": 2,
        });
        assert_eq!(confirmed(&own, 2), ["a"]);
        assert_eq!(confirmed(&own, 3), [""; 0]);
    }

    #[test]
    fn sync_before_the_last_change_confirms_nothing() {
        let synced = |time: &str| json!({"vtepEndpointStatuses": [{"name": "a", "synced": true, "lastSyncTime": time}]});
        assert_eq!(confirmed(&synced("2026-01-01T00:00:11Z"), 1), ["a"]);
        for time in ["2026-01-01T00:00:10Z", "2026-01-01T00:00:09Z", "yesterday"] {
            assert_eq!(confirmed(&synced(time), 1), [""; 0], "{time}");
        }
        let silent = json!({"vtepEndpointStatuses": [{"name": "a", "synced": true}]});
        assert_eq!(confirmed(&silent, 1), [""; 0]);
        let unknown = Revision::default();
        let later = synced("2026-01-01T00:00:11Z");
        assert!(unknown.confirmed(Some(&later)).is_empty());
    }
}
