//! The Jupyter kernel "Rust (d2l)": evcxr_jupyter, each time in a build folder that is warm.
//!
//! evcxr compiles cells in one folder, and two kernels in the same folder break each other. So each
//! kernel takes the first free folder below `D2L_KERNEL_DIR`; a folder that is new or out of date
//! is first filled from the template that `cargo d2l setup` has compiled.

mod environment;
mod folder;

use anyhow::Result;

fn main() -> Result<()> {
    // evcxr starts this executable again to run the cells, and as a wrapper of rustc.
    let is_helper = ["EVCXR_IS_RUNTIME", "EVCXR_RUSTC_WRAPPER"]
        .iter()
        .any(|name| std::env::var_os(name).is_some());
    let Some(base) = std::env::var_os("D2L_KERNEL_DIR").filter(|_| !is_helper) else {
        return evcxr_jupyter::main();
    };
    let base = std::path::PathBuf::from(base);
    let folder = match std::env::var_os("D2L_KERNEL_TEMPLATE") {
        Some(_) => folder::template(&base)?,
        None => folder::take_free(&base)?,
    };
    environment::set(&[
        ("EVCXR_TMPDIR", &folder.path),
        // A configuration or a kernel of evcxr's own that the user has is neither read nor updated.
        ("EVCXR_CONFIG_DIR", &base.join("config")),
        ("JUPYTER_PATH", &base.join("none")),
    ]);
    evcxr_jupyter::main()
}
