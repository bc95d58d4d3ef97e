//! The Jupyter kernel "Rust (d2l)": evcxr_jupyter in a build folder that is already warm, behind a
//! relay that adds live display and a stop button that loses nothing (docs/kernel.md).
//!
//! The same executable is started in several roles:
//!
//! * by Jupyter, as the relay;
//! * by the relay, as evcxr_jupyter;
//! * by evcxr, as the program that runs the cells;
//! * by evcxr, as a stand-in for cargo, rustup or the shell;
//! * by Cargo, in rustc's place.

mod engine;
mod environment;
mod jupyter;
mod names;
mod program;
mod queue;
mod relay;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("d2l-kernel: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    // SAFETY: this is the first thread, and no other one is started before the last use of `alone`.
    let alone = unsafe { environment::Alone::assume() };
    engine::shims::run_if_called(&alone)?;
    let is_set = |name| std::env::var_os(name).is_some();
    if let Some(place) = std::env::var_os(names::CALL) {
        match engine::rustc_cache::note(&place)? {}
    }
    if is_set(names::IS_RUSTC) || is_set(names::STOCK) {
        return evcxr_jupyter::main();
    }
    if is_set(names::IS_RUNTIME) {
        program::inside::install(alone);
        return evcxr_jupyter::main();
    }
    if is_set(names::SOCKET) {
        engine::process::end_with_relay();
        return evcxr_jupyter::main();
    }
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    let [flag, file] = &arguments[..] else { return evcxr_jupyter::main() };
    if flag != "--control_file" {
        return evcxr_jupyter::main();
    }
    let info = jupyter::connection::read(Path::new(file))?;
    let base = std::env::var_os(names::KERNEL_DIR).map(PathBuf::from);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let result = runtime.block_on(relay::run(&info, base));
    // Threads that wait for a program or a build are not waited for.
    runtime.shutdown_background();
    result
}
