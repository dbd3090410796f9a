//! How the objects of an operator are found. Asks nothing.

/// A literal, so that hints can be made of it.
macro_rules! selector {
    () => {
        "app.kubernetes.io/name=bigip-tunnel-operator"
    };
}

/// Selects what belongs to an operator, by its label.
pub(crate) const SELECTOR: &str = selector!();
/// What to do where no operator seems to run.
pub(crate) const SEE_WHETHER_IT_RUNS: &str = concat!(
    "see whether the operator runs: kubectl get pods -A -l ",
    selector!()
);
