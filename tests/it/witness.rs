//! The witness: judges every world of these tests when it ends, from what the units noted and from what
//! happened to nodes and objects meanwhile.
//!
//! It judges in its own words, with no decision of the product: no record of a live selected node is removed,
//! no foreign record and no other object of a unit is changed, a unit has one write in flight at a time, and
//! two writers never alternate on it. What it cannot know for certain it does not judge. A test that breaks a
//! rule on purpose says so with [`Witness::exempt`].

mod history;
mod rules;
mod tests;

use std::cell::RefCell;
use std::path::Path;
use std::sync::Arc;

use bigip_sim::{Simulator, Watched};

use self::history::Observer;
pub(crate) use self::rules::Rule;
use self::rules::{Unit, violations};

/// Watches one world, and fails its test at the end if a rule was broken.
pub(crate) struct Witness {
    observer: Arc<Observer>,
    /// The world's nodes carry it as their group and at the beginning of their names.
    world: String,
    units: RefCell<Vec<Watched>>,
    exempt: RefCell<Vec<Rule>>,
}

impl Witness {
    /// Watches the nodes of a world and the objects of its namespace.
    pub(crate) fn new(kubeconfig: &Path, world: &str) -> Self {
        Self {
            observer: Observer::of(kubeconfig),
            world: world.to_owned(),
            units: RefCell::default(),
            exempt: RefCell::default(),
        }
    }

    /// Watches a unit, too.
    pub(crate) fn watch(&self, unit: &Simulator) {
        self.units.borrow_mut().push(unit.watched());
    }

    /// Lets this world break a rule. `reason` is for the reader of the test.
    pub(crate) fn exempt(&self, rule: Rule, reason: &str) {
        assert!(!reason.is_empty(), "an exemption has a reason");
        self.exempt.borrow_mut().push(rule);
    }

    fn judge(&self) -> Vec<String> {
        let history = self.observer.history(&self.world);
        let units = self.units.borrow();
        let found = units.iter().flat_map(|unit| {
            let unit = Unit::new(unit.address().port(), &unit.journal());
            violations(&history, &unit)
        });
        let exempt = self.exempt.borrow();
        found
            .filter(|(rule, _)| !exempt.contains(rule))
            .map(|(rule, what)| format!("{rule:?}: {what}"))
            .collect()
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        if std::thread::panicking() || self.judge().is_empty() {
            return;
        }
        // An event may be on its way that explains it.
        self.observer.catch_up();
        let broken = self.judge();
        assert!(
            broken.is_empty(),
            "the witness of {} saw:\n{}",
            self.world,
            broken.join("\n")
        );
    }
}
