//! A model of the operator against random faults: `core`'s decisions, put together as the operator
//! puts them together, on the simulator's store, with an observer that knows the truth.
//!
//! No network, no clock and no Kubernetes, so that thousands of histories are tried in seconds. Must
//! not know how `core` decides; only `decisions.rs` calls it.

mod apply;
mod cluster;
mod decisions;
mod device;
mod operation;
mod operator;
mod rest;
mod witness;
mod world;

use proptest::prelude::*;

use self::operation::operations;
use self::world::World;

/// Enough to meet each pair of faults many times.
const CASES: u32 = 1024;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(CASES))]

    #[test]
    fn no_history_breaks_a_promise_and_every_history_comes_to_rest(
        saves in any::<bool>(),
        operations in operations(),
    ) {
        let mut world = World::new(saves);
        for operation in &operations {
            world.step(operation).map_err(TestCaseError::fail)?;
        }
        world.come_to_rest().map_err(TestCaseError::fail)?;
        world.check_rest().map_err(TestCaseError::fail)?;
    }
}
