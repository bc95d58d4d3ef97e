//! The one place that changes this process's environment.

use std::path::Path;

/// Sets variables for evcxr and the processes that it starts.
pub fn set(variables: &[(&str, &Path)]) {
    for (name, value) in variables {
        // SAFETY: called at the start of `main`, before there is a second thread that could read
        // the environment.
        unsafe { std::env::set_var(name, value) };
    }
}
