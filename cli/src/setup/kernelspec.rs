//! The kernelspec: the kernel's description for Jupyter.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use d2l_common::variables;
use serde_json::json;

use super::{NOT_UTF8, cargo, torch_version};
use crate::project::Project;

/// Writes the kernelspec into .venv, with all the environment variables that the kernel needs, so that
/// any program can start it.
pub fn write(project: &Project) -> Result<()> {
    let folder = project.path(".venv/share/jupyter/kernels/rust-d2l");
    fs::create_dir_all(&folder)?;
    let home = |name: &str, default: &str| -> Result<PathBuf> {
        let home = std::env::home_dir().unwrap_or_default();
        let folder = std::env::var_os(name).map_or_else(|| home.join(default), PathBuf::from);
        folder.to_str().with_context(|| format!("{}: {NOT_UTF8}", folder.display()))?;
        Ok(folder)
    };
    let cargo_home = home("CARGO_HOME", ".cargo")?;
    let toolchain = cargo::toolchain()?;
    // The toolchain comes before rustup's proxies, which look it up at each call.
    let path = [toolchain.clone(), cargo_home.join("bin")].into_iter();
    let inherited = std::env::var_os("PATH").unwrap_or_default();
    let path = path.chain(std::env::split_paths(&inherited));
    let mut unique: Vec<PathBuf> = vec![];
    for folder in path {
        if !unique.contains(&folder) {
            unique.push(folder);
        }
    }
    let torch = torch_version::folder(project)?;
    let libraries = std::env::join_paths([project.share().join("lib"), torch.join("lib")])?;
    let variable = if cfg!(target_os = "macos") { "DYLD_LIBRARY_PATH" } else { "LD_LIBRARY_PATH" };
    let spec = json!({
        "argv": [project.kernel(), "--control_file", "{connection_file}"],
        "display_name": "Rust (d2l)",
        "language": "rust",
        "interrupt_mode": "message",
        "env": {
            variable: libraries.to_string_lossy(),
            "PATH": std::env::join_paths(unique)?.to_string_lossy(),
            "CARGO_HOME": cargo_home,
            "RUSTUP_HOME": home("RUSTUP_HOME", ".rustup")?,
            "RUSTC": toolchain.join("rustc"),
            variables::KERNEL_DIR: project.kernel_folders(),
            variables::PRETRAINED_DIR: project.share(),
            // libtorch asks for large pages, which makes a training step a third faster.
            "THP_MEM_ALLOC_ENABLE": "1",
        },
    });
    let text = serde_json::to_string_pretty(&spec)?;
    let file = folder.join("kernel.json");
    if fs::read_to_string(&file).is_ok_and(|old| old == text) {
        return Ok(());
    }
    fs::write(folder.join("logo-svg.svg"), include_str!("logo.svg"))?;
    Ok(fs::write(file, text)?)
}
