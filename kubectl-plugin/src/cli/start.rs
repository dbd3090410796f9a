//! What can be typed to start with the product. Holds exactly what was typed.

use std::path::PathBuf;

use clap::Args;

use super::see::DataFormat;
use super::why::Threshold;

/// Examples of `lint`. Every line without `#` is run through the parser by a test.
pub(crate) const LINT_EXAMPLES: &str = "\
Examples:
  # Check a file by the rules of the API server, without one
  kubectl bigip-tunnel lint -f prod-east.yaml

  # Check all manifests below a folder, and fail for warnings too
  kubectl bigip-tunnel lint -R -f tunnels/ --failure-threshold warning

  # Check what Kustomize makes, in a pipe
  kubectl bigip-tunnel lint -f -";

/// The examples of all verbs of this kind.
#[cfg(test)]
pub(super) const EXAMPLES: [&str; 1] = [LINT_EXAMPLES];

#[derive(Args, Debug)]
pub(crate) struct LintArgs {
    /// File or folder with manifests, - for standard input; can be given several times
    #[arg(
        short = 'f',
        long = "filename",
        value_name = "FILE",
        value_delimiter = ',',
        required = true
    )]
    pub(crate) files: Vec<PathBuf>,

    /// Look into folders below folders too
    #[arg(short = 'R', long)]
    pub(crate) recursive: bool,

    /// From which findings on the exit code is 1
    #[arg(
        long,
        value_enum,
        value_name = "LEVEL",
        default_value_t = Threshold::Error
    )]
    pub(crate) failure_threshold: Threshold,

    /// Output format; without it, a line per finding
    #[arg(short, long, value_enum, value_name = "FORMAT")]
    pub(crate) output: Option<DataFormat>,
}
