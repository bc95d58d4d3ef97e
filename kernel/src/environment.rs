//! The one place that changes this process's environment.
//!
//! Its functions are for the start of `main` only, before there is a second thread that could read
//! the environment. That makes them sound.

use std::path::Path;

/// Sets variables for evcxr and the processes that it starts.
pub fn set(variables: &[(&str, &Path)]) {
    for (name, value) in variables {
        // SAFETY: see above.
        unsafe { std::env::set_var(name, value) };
    }
}

/// Forgets what Cargo tells the programs that it runs, such as `cargo d2l`. Build scripts look at it,
/// and what they make would be made anew for a kernel that an editor has started.
pub fn forget_cargo() {
    let names: Vec<_> = std::env::vars_os().map(|(name, _)| name).collect();
    for name in names {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_MANIFEST_") || text.starts_with("CARGO_PKG_") {
            // SAFETY: see above.
            unsafe { std::env::remove_var(&name) };
        }
    }
}
