//! What can be typed to find out why. Holds exactly what was typed.

use clap::Args;

use super::see::DataFormat;

/// Examples of `explain`. Every line without `#` is run through the parser by a test.
pub(crate) const EXPLAIN_EXAMPLES: &str = "\
Examples:
  # Say what a check code means, and what to do
  kubectl bigip-tunnel explain BTN0305

  # The same for the reason of a condition
  kubectl bigip-tunnel explain MassRemovalBlocked

  # List all codes
  kubectl bigip-tunnel explain";

/// The examples of all verbs of this kind.
#[cfg(test)]
pub(super) const EXAMPLES: [&str; 1] = [EXPLAIN_EXAMPLES];

#[derive(Args, Debug)]
pub(crate) struct ExplainArgs {
    /// A check code or a reason; without it, all codes are listed
    #[arg(value_name = "CODE|REASON")]
    pub(crate) word: Option<String>,

    /// Output format; without it, text
    #[arg(short, long, value_enum, value_name = "FORMAT")]
    pub(crate) output: Option<DataFormat>,
}
