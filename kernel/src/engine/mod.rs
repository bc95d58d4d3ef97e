//! evcxr's side: its process, the folder it compiles cells in, and shims for the programs that it calls.

pub mod build_folder;
mod pins;
pub mod process;
mod rust_analyzer;
pub mod rustc_cache;
pub mod shims;
