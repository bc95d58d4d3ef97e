//! The environment of the kernel's processes. Names that are not here are in [`d2l_common::variables`].

use std::ffi::OsStr;
use std::marker::PhantomData;

/// evcxr's own: this process runs the cells.
pub const IS_RUNTIME: &str = "EVCXR_IS_RUNTIME";
/// evcxr's own: this process is called in rustc's place.
pub const IS_RUSTC: &str = "EVCXR_RUSTC_WRAPPER";
/// evcxr's own, set for Cargo: the file from which it reads the path of a cell's library.
pub const LIBRARY_PATH: &str = "EVCXR_EXECUTION_SO_PATH";
/// evcxr's own: the folder in which it has cells compiled.
pub const BUILD_FOLDER: &str = "EVCXR_TMPDIR";

/// Whether a variable is set, if only to nothing.
pub fn is_set(name: &str) -> bool {
    std::env::var_os(name).is_some()
}

/// Changes this process's environment, which nothing else does. Whoever has it knows that there is no
/// second thread that could read the environment. It stays on the first thread, and is not used any
/// more when another one is started.
pub struct Alone(PhantomData<*const ()>);

impl Alone {
    /// # Safety
    ///
    /// No other thread may run as long as the value is in use.
    pub unsafe fn assume() -> Alone {
        Alone(PhantomData)
    }

    /// Sets a variable for this process and those that it starts.
    pub fn set(&self, name: &str, value: impl AsRef<OsStr>) {
        // SAFETY: no other thread runs.
        unsafe { std::env::set_var(name, value) };
    }

    /// Removes a variable for this process and those that it starts.
    pub fn remove(&self, name: &str) {
        // SAFETY: no other thread runs.
        unsafe { std::env::remove_var(name) };
    }
}
