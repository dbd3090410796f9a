//! Changes of an answer's JSON body.
//!
//! Must not know why an answer is changed.

use std::fmt;
use std::sync::Arc;

use serde_json::Value;

/// A change of an answer. The status of the answer stays as it is.
#[derive(Clone)]
pub struct Rewrite(Arc<dyn Fn(&mut Value) + Send + Sync>);

impl Rewrite {
    /// Any change of the body.
    pub fn with(change: impl Fn(&mut Value) + Send + Sync + 'static) -> Self {
        Self(Arc::new(change))
    }

    /// Cuts a list to its first `count` items. Its metadata stay: see [`Self::drop_continue`].
    pub fn cut(count: usize) -> Self {
        Self::with(move |body| {
            if let Some(items) = body.get_mut("items").and_then(Value::as_array_mut) {
                items.truncate(count);
            }
        })
    }

    /// Removes `continue` and `remainingItemCount`, so that a page of a list looks like the whole of it.
    pub fn drop_continue() -> Self {
        Self::with(|body| {
            if let Some(metadata) = body.get_mut("metadata").and_then(Value::as_object_mut) {
                metadata.remove("continue");
                metadata.remove("remainingItemCount");
            }
        })
    }

    /// Replaces the whole body, for example by an older list with its older `resourceVersion`.
    pub fn replace(snapshot: Value) -> Self {
        Self::with(move |body| body.clone_from(&snapshot))
    }

    /// This change, then another one.
    #[must_use]
    pub fn and(self, then: Self) -> Self {
        Self::with(move |body| {
            self.apply(body);
            then.apply(body);
        })
    }

    pub(super) fn apply(&self, body: &mut Value) {
        (self.0)(body);
    }
}

impl fmt::Debug for Rewrite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rewrite").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn cut_keeps_the_first_items_and_the_metadata() {
        let mut list = json!({"metadata": {"continue": "x"}, "items": [1, 2, 3]});
        Rewrite::cut(2).apply(&mut list);
        assert_eq!(
            list,
            json!({"metadata": {"continue": "x"}, "items": [1, 2]})
        );
    }

    #[test]
    fn changes_are_applied_in_their_order() {
        let page = json!({
            "metadata": {"resourceVersion": "7", "continue": "x", "remainingItemCount": 3},
            "items": [1, 2, 3],
        });
        let mut list = json!({});
        Rewrite::replace(page)
            .and(Rewrite::drop_continue())
            .and(Rewrite::cut(1))
            .apply(&mut list);
        assert_eq!(
            list,
            json!({"metadata": {"resourceVersion": "7"}, "items": [1]})
        );
    }

    #[test]
    fn other_body_than_a_list_is_unchanged() {
        let mut object = json!({"kind": "Node"});
        Rewrite::cut(0)
            .and(Rewrite::drop_continue())
            .apply(&mut object);
        assert_eq!(object, json!({"kind": "Node"}));
    }
}
