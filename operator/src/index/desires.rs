//! What an object desires, worked out once for each generation of it and each state of the nodes.
//!
//! Knows nothing of why it is asked for.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use bigip_tunnel_core::mac::MacAddress;
use bigip_tunnel_core::sharing::Wants;

use crate::nodes::NodeState;
use crate::settings::Settings;

/// The last answer.
#[derive(Debug, Default)]
pub(super) struct Desires(Mutex<Option<Known>>);

#[derive(Debug)]
struct Known {
    generation: i64,
    nodes: NodeState,
    macs: Arc<BTreeSet<MacAddress>>,
}

impl Desires {
    /// What an object of this generation desires of these nodes.
    pub(super) fn of(
        &self,
        generation: i64,
        settings: Option<&Settings>,
        nodes: &NodeState,
    ) -> Wants {
        let Some(settings) = settings else {
            return Wants::Unknown;
        };
        self.remembered(generation, nodes, || {
            let views = nodes.views(settings).ok()?;
            Some(settings.desired(&views).nodes.into_keys().collect())
        })
    }

    /// Whether nothing was worked out.
    #[cfg(test)]
    pub(super) fn is_unasked(&self) -> bool {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_none()
    }

    fn remembered(
        &self,
        generation: i64,
        nodes: &NodeState,
        derive: impl FnOnce() -> Option<BTreeSet<MacAddress>>,
    ) -> Wants {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_current =
            |known: &&Known| known.generation == generation && known.nodes.is_same(nodes);
        if let Some(known) = known.as_ref().filter(is_current) {
            return Wants::These(known.macs.clone());
        }
        let Some(macs) = derive() else {
            return Wants::Unknown;
        };
        let macs = Arc::new(macs);
        *known = Some(Known {
            generation,
            nodes: nodes.clone(),
            macs: macs.clone(),
        });
        Wants::These(macs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn desires_are_derived_once_per_generation_and_nodes() {
        let (desires, mut count) = (Desires::default(), 0);
        let (nodes, others) = (NodeState::empty(), NodeState::empty());
        for (generation, nodes) in [
            (1, &nodes),
            (1, &nodes),
            (2, &nodes),
            (2, &others),
            (2, &others),
        ] {
            desires.remembered(generation, nodes, || {
                count += 1;
                Some(BTreeSet::new())
            });
        }
        assert_eq!(count, 3);
    }

    #[test]
    fn desires_without_derivation_are_unknown() {
        let desires = Desires::default();
        assert_eq!(desires.of(1, None, &NodeState::empty()), Wants::Unknown);
        let failed = desires.remembered(1, &NodeState::empty(), || None);
        assert_eq!(failed, Wants::Unknown);
    }
}
