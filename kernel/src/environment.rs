//! The one place that changes this process's environment.

use std::ffi::OsStr;
use std::marker::PhantomData;

/// Whoever has it knows that there is no second thread that could read the environment. It stays on
/// the first thread, and is not used any more when another one is started.
pub struct Alone(PhantomData<*const ()>);

impl Alone {
    /// # Safety
    ///
    /// No other thread may run as long as the value is in use.
    pub unsafe fn assume() -> Alone {
        Alone(PhantomData)
    }

    /// Sets a variable for the program that runs the cells.
    pub fn set(&self, name: &str, value: impl AsRef<OsStr>) {
        // SAFETY: no other thread runs.
        unsafe { std::env::set_var(name, value) };
    }

    /// Takes a variable from the program that runs the cells.
    pub fn remove(&self, name: &str) {
        // SAFETY: no other thread runs.
        unsafe { std::env::remove_var(name) };
    }
}
