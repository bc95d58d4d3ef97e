//! The kernel's executable.

use std::fs;

use anyhow::Result;

use super::cargo::rustc_version;
use super::patches;
use super::stamp::{digest, unless_done};
use crate::process::quietly;
use crate::project::Project;
use crate::steps::Steps;

/// Builds the kernel with our patches, unless nothing has changed.
pub fn build(project: &Project, steps: &Steps) -> Result<()> {
    let files = ["Cargo.lock", "Cargo.toml", "common", "kernel"].map(|name| project.path(name));
    let inputs = format!("{} {}", digest(&files)?, rustc_version()?);
    unless_done(&project.share().join("kernel.stamp"), &inputs, &[project.kernel()], || {
        steps.run("Building the kernel", "6 minutes the first time", |bar| {
            let mut cargo = project.cargo();
            cargo.args(["build", "--locked", "--profile", "kernel", "--package", "d2l-kernel"]);
            cargo.args(patches::arguments(project)?);
            quietly(&mut cargo, bar)?;
            // Renamed into place: a running kernel keeps the old file.
            let new = project.share().join("d2l-kernel.new");
            fs::copy(project.path("target/kernel/d2l-kernel"), &new)?;
            Ok(fs::rename(new, project.kernel())?)
        })
    })
}
