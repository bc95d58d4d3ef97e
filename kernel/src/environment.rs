//! The one place that changes this process's environment.
//!
//! Its functions are for the start of `main` only, before there is a second thread that could read
//! the environment. That makes them sound.

/// Sets a variable for the program that runs the cells.
pub fn set(name: &str, value: impl AsRef<std::ffi::OsStr>) {
    // SAFETY: see above.
    unsafe { std::env::set_var(name, value) };
}

/// Takes a variable from the program that runs the cells.
pub fn remove(name: &str) {
    // SAFETY: see above.
    unsafe { std::env::remove_var(name) };
}
