//! The Jupyter kernel "Rust (d2l)": evcxr_jupyter in a build folder that is already warm, behind a
//! relay that adds live display and a stop button that loses nothing (docs/kernel.md).
//!
//! The same executable is started in several roles:
//!
//! * by Jupyter, as the relay;
//! * by the relay, as evcxr_jupyter;
//! * by evcxr, as the program that runs the cells;
//! * by evcxr, as a shim for cargo, rustup or the shell;
//! * by Cargo, in rustc's place.
//!
//! From the ground up, each of these uses only those before it (tests/it/rooms.rs of the crate `d2l`):
//!
//! * `environment`, `queue`: what all others use;
//! * `jupyter`: the kernel's sockets and their clients;
//! * `engine`: evcxr's process, and what cargo, rustc and rust-analyzer see;
//! * `program`: what runs the cells, what it prints, and how it fails;
//! * `relay`: what follows from what all of these say.

mod engine;
mod environment;
mod jupyter;
mod program;
mod queue;
mod relay;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use d2l_common::variables::{KERNEL_CALL, KERNEL_DIR, KERNEL_SOCKET, KERNEL_STOCK};

use crate::engine::{process, rustc_cache, shims};
use crate::environment::{Alone, IS_RUNTIME, IS_RUSTC, is_set};
use crate::jupyter::connection;
use crate::program::inside;

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
    let alone = unsafe { Alone::assume() };
    shims::run_if_called(&alone)?;
    if let Some(file) = std::env::var_os(KERNEL_CALL) {
        match rustc_cache::record(&file)? {}
    }
    if is_set(IS_RUSTC) || is_set(KERNEL_STOCK) {
        return evcxr_jupyter::main();
    }
    if is_set(IS_RUNTIME) {
        inside::install(alone);
        return evcxr_jupyter::main();
    }
    if is_set(KERNEL_SOCKET) {
        process::end_with_relay();
        return evcxr_jupyter::main();
    }
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    let [flag, file] = &arguments[..] else { return evcxr_jupyter::main() };
    if flag != "--control_file" {
        return evcxr_jupyter::main();
    }
    let info = connection::read(Path::new(file))?;
    let base = std::env::var_os(KERNEL_DIR).map(PathBuf::from);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let result = runtime.block_on(relay::run(&info, base));
    // Threads that wait for a program or a build are not waited for.
    runtime.shutdown_background();
    result
}
