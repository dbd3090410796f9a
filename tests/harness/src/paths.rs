//! Where things lie in the checkout this crate was built from. It reads no files.

use std::path::{Path, PathBuf};

/// The root of the workspace.
pub fn workspace_root() -> PathBuf {
    let crate_dir = Path::new(env!("CARGO_MANIFEST_DIR"));
    crate_dir.ancestors().nth(2).unwrap_or(crate_dir).to_owned()
}

/// The folder that Cargo builds into: `CARGO_TARGET_DIR` or `target` in the workspace.
pub fn target_dir() -> PathBuf {
    let configured = std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    workspace_root().join(configured)
}

/// The project's cache of foreign programs. `cargo clean` removes it.
pub fn tools_cache() -> PathBuf {
    target_dir().join("tools")
}

/// The Go modules that pin those programs.
pub fn tools_modules() -> PathBuf {
    workspace_root().join("tests/tools")
}
