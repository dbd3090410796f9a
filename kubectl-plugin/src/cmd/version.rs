//! `version`: which plugin this is. Asks no cluster.

use std::io::Write;

use crate::error::{Error, Outcome};

/// Runs the verb.
pub(crate) fn run(out: &mut dyn Write) -> Result<Outcome, Error> {
    writeln!(out, "Client Version: v{}", env!("CARGO_PKG_VERSION"))?;
    Ok(Outcome::Fine)
}
