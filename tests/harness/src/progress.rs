//! How steps that take long say what they are doing. It knows nothing of the steps.

use std::io::Write as _;

/// Takes one line of progress, without a line end.
pub type Progress<'a> = &'a dyn Fn(&str);

/// Writes the line to standard error. A closed standard error is no failure: nobody reads it.
pub fn to_stderr(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
