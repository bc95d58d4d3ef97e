//! The warm build: what cells need, compiled ahead.

use std::fs;

use anyhow::Result;

use super::cargo::rustc_version;
use super::stamp::{digest, unless_done};
use crate::process::quietly;
use crate::project::Project;
use crate::steps::Steps;

/// Dependencies of cells are optimised, as decoding and resizing images would be slow otherwise; cells
/// themselves keep the checks of a debug build.
const PROFILE: &str = "\
[profile.dev.package.\"*\"]
opt-level = 3
debug-assertions = false
overflow-checks = false
# Procedural macros: to optimise them takes longer than they run.
[profile.dev.package]
serde_derive.opt-level = 0
syn.opt-level = 0
thiserror-impl.opt-level = 0
zerocopy-derive.opt-level = 0
zeroize_derive.opt-level = 0
";

/// Compiles what cells need, once, in the template of the kernels' build folders.
pub fn make(project: &Project, steps: &Steps) -> Result<()> {
    let names = ["src", "build.rs", "Cargo.toml", "Cargo.lock", "common", "cli/python/warm.py"];
    let mut files = names.map(|name| project.path(name)).to_vec();
    files.extend(["cargo.toml", "kernel.stamp"].map(|name| project.share().join(name)));
    let inputs = format!("{} {}\n{PROFILE}", digest(&files)?, rustc_version()?);
    let template = project.kernel_folders().join("template");
    unless_done(&template.join("d2l-stamp"), &inputs, &[], || {
        steps.run("Compiling d2l for the notebooks' cells", "4 minutes the first time", |bar| {
            fs::create_dir_all(&template)?;
            let configuration = project.kernel_folders().join(".cargo");
            fs::create_dir_all(&configuration)?;
            fs::write(configuration.join("config.toml"), PROFILE)?;
            // The kernel gives cells the versions that this project is tested with.
            fs::copy(project.path("Cargo.lock"), project.kernel_folders().join("pinned.lock"))?;
            quietly(&mut project.script("warm.py"), bar)
        })
    })
}

/// Whether the warm build exists.
pub fn is_there(project: &Project) -> bool {
    project.kernel_folders().join("template/d2l-stamp").exists()
}
