//! The kernel's executable: from a wheel, or compiled.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use indicatif::ProgressBar;

use super::cargo::{locked_version, rustc_version};
use super::stamp::{digest, is_done, unless_done};
use super::{patches, wheels};
use crate::process::quietly;
use crate::project::Project;
use crate::steps::Steps;

/// Makes the kernel, with our patches, unless nothing has changed.
pub fn build(project: &Project, steps: &Steps) -> Result<()> {
    let (stamp, made) = (project.share().join("kernel.stamp"), [project.kernel()]);
    let sources = sources(project)?;
    // Which rustc compiled it makes no difference to cells; whoever compiles gets what is newest.
    let (from_wheel, compiled) =
        (format!("{sources} from a wheel"), format!("{sources} {}", rustc_version()?));
    if is_done(&stamp, &from_wheel, &made) || is_done(&stamp, &compiled, &made) {
        return Ok(());
    }
    if wheels::take_kernel(project, steps, &version(project)?, &sources)? {
        return fs::write(&stamp, from_wheel)
            .with_context(|| format!("cannot write {}", stamp.display()));
    }
    unless_done(&stamp, &compiled, &made, || {
        steps.run("Building the kernel", "6 minutes the first time", |bar| {
            // Renamed into place: a running kernel keeps the old file.
            let new = project.share().join("d2l-kernel.new");
            compile(project, bar, patches::arguments(project)?, &new)?;
            Ok(fs::rename(new, project.kernel())?)
        })
    })
}

/// Compiles the kernel with patched evcxr, which these arguments for Cargo name, into a file.
pub fn compile(
    project: &Project,
    bar: &ProgressBar,
    patched: [String; 2],
    file: &Path,
) -> Result<()> {
    let mut cargo = project.cargo();
    cargo.args(["build", "--locked", "--profile", "kernel", "--package", "d2l-kernel"]);
    quietly(cargo.args(patched), bar)?;
    fs::copy(project.path("target/kernel/d2l-kernel"), file)
        .with_context(|| format!("cannot write {}", file.display()))?;
    Ok(())
}

/// The digest of what the kernel is compiled from.
pub fn sources(project: &Project) -> Result<String> {
    digest(&["Cargo.lock", "Cargo.toml", "common", "kernel"].map(|name| project.path(name)))
}

/// The kernel's version.
fn version(project: &Project) -> Result<String> {
    let lock = fs::read_to_string(project.path("Cargo.lock"))?;
    locked_version(&lock, "d2l-kernel").context("Cargo.lock has no d2l-kernel")
}
