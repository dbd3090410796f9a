//! The calls of a pass, one file each. Those that do I/O make no decisions; the others do no I/O.

pub(crate) mod apply;
pub(crate) mod dereference;
pub(crate) mod judge;
pub(crate) mod observe;
pub(crate) mod report;
mod write;
pub(crate) mod write_status;
