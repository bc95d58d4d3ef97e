pub mod build_folder;
pub mod pins;
pub mod process;
pub mod rust_analyzer;
pub mod rustc_cache;
pub mod shims;
