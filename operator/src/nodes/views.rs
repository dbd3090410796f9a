//! The nodes as objects see them, made once for all objects that see them alike.
//!
//! Hundreds of objects with one selector cost as much as one. What was made of other lists is forgotten.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use bigip_tunnel_core::node::NodeView;

use super::NodeEntry;
use super::cilium::CiliumEntry;
use super::store::Entries;

/// The lists that views are made of.
type Lists<'a> = (&'a Entries<NodeEntry>, Option<&'a Entries<CiliumEntry>>);

/// The views of the last lists, by whether `CiliumNode`s are part of them and by selector.
#[derive(Debug, Clone, Default)]
pub(super) struct Views(Arc<Mutex<[Made; 2]>>);

#[derive(Debug, Default)]
struct Made {
    of: Option<(Entries<NodeEntry>, Option<Entries<CiliumEntry>>)>,
    by_selector: BTreeMap<String, Arc<[NodeView]>>,
}

impl Made {
    fn is_of(&self, (nodes, cilium): Lists<'_>) -> bool {
        self.of.as_ref().is_some_and(|(known, known_cilium)| {
            let same_cilium = match (known_cilium, cilium) {
                (Some(known), Some(cilium)) => Arc::ptr_eq(known, cilium),
                (None, None) => true,
                _ => false,
            };
            Arc::ptr_eq(known, nodes) && same_cilium
        })
    }
}

impl Views {
    /// The views of these lists for this selector: those that were made before, else what `make` makes.
    pub(super) fn of(
        &self,
        lists: Lists<'_>,
        selector: String,
        make: impl FnOnce() -> Arc<[NodeView]>,
    ) -> Arc<[NodeView]> {
        let known = self.with(lists, |made| made.by_selector.get(&selector).cloned());
        known.unwrap_or_else(|| {
            // Not while others wait: each may see the nodes in its own way.
            let views = make();
            self.with(lists, |made| {
                made.by_selector.insert(selector, views.clone())
            });
            views
        })
    }

    fn with<T>(&self, lists: Lists<'_>, ask: impl FnOnce(&mut Made) -> T) -> T {
        let mut both = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let [plain, with_cilium] = &mut *both;
        let made = if lists.1.is_some() {
            with_cilium
        } else {
            plain
        };
        if !made.is_of(lists) {
            *made = Made {
                of: Some((lists.0.clone(), lists.1.cloned())),
                by_selector: BTreeMap::new(),
            };
        }
        ask(made)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn views_are_made_once_per_lists_and_selector() {
        let (views, mut count) = (Views::default(), 0);
        let (first, second): (Entries<NodeEntry>, Entries<NodeEntry>) = Default::default();
        let cilium: Entries<CiliumEntry> = Entries::default();
        let mut ask = |lists: Lists<'_>, selector: &str| {
            views.of(lists, selector.to_owned(), || {
                count += 1;
                Arc::default()
            });
        };
        for selector in ["a", "a", "b", "a"] {
            ask((&first, None), selector);
        }
        ask((&first, Some(&cilium)), "a");
        ask((&first, None), "b");
        ask((&second, None), "a");
        ask((&second, None), "a");
        assert_eq!(count, 4);
    }
}
