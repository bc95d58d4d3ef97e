//! The Jupyter kernel "Rust (d2l)": evcxr_jupyter, each time in a build folder that is warm.
//!
//! evcxr compiles cells in one folder, and two kernels in the same folder break each other. So each
//! kernel takes the first free folder below `D2L_KERNEL_DIR`; a folder that is new or out of date
//! is first filled from the template that `cargo d2l setup` has compiled.

mod environment;
mod folder;
mod lock;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

fn main() -> Result<()> {
    let Some(base) = std::env::var_os("D2L_KERNEL_DIR").map(PathBuf::from) else {
        return evcxr_jupyter::main();
    };
    // evcxr starts this executable again to run the cells, and, asked to cache, to call rustc.
    let is_set = |name| std::env::var_os(name).is_some();
    if is_set("EVCXR_IS_RUNTIME") || is_set("EVCXR_RUSTC_WRAPPER") {
        return evcxr_jupyter::main();
    }
    if std::env::args_os().nth(1).is_some_and(|program| Path::new(&program).ends_with("rustc")) {
        return rustc(&base);
    }
    let folder = match std::env::var_os("D2L_KERNEL_TEMPLATE") {
        Some(_) => folder::template(&base)?,
        None => folder::take_free(&base)?,
    };
    environment::forget_cargo();
    environment::set(&[
        ("EVCXR_TMPDIR", &folder.path),
        // A configuration or a kernel of evcxr's own that the user has is neither read nor updated.
        ("EVCXR_CONFIG_DIR", &base.join("config")),
        ("JUPYTER_PATH", &base.join("none")),
        ("RUSTC_WORKSPACE_WRAPPER", &std::env::current_exe()?),
    ]);
    evcxr_jupyter::main()
}

/// Cargo calls this program with rustc's command line where it compiles cells.
fn rustc(base: &Path) -> Result<()> {
    if std::env::var_os("CARGO_PKG_NAME").is_some() {
        // Without the pinned versions a later `:dep` is slow, no more.
        let _ = lock::restore(Path::new("Cargo.lock"), &base.join("pinned.lock"));
    }
    let mut arguments = std::env::args_os().skip(1);
    let program = arguments.next().context("cargo named no rustc")?;
    let status = Command::new(program).args(arguments).status().context("cannot start rustc")?;
    std::process::exit(status.code().unwrap_or(1))
}
