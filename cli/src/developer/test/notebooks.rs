//! Notebooks on the real kernel.

use std::collections::HashSet;
use std::fs;
use std::path::PathBuf;
use std::thread;

use anyhow::{Context, Result, bail};

use super::log::Log;
use super::{Part, QUICK_EPOCHS, QUICK_LIMIT, two_at_a_time};
use crate::commands::run;
use crate::notebooks;
use crate::project::Project;

/// Executes the English notebooks and one of the Japanese ones: the others have the same code, which
/// tests/it/documents.rs checks.
pub fn check(project: &Project, log: &Log) -> Result<()> {
    let japanese = project.path("notebooks/ja");
    let is_executed = |path: &PathBuf| {
        !path.starts_with(&japanese) || *path == japanese.join("fine_tuning.ipynb")
    };
    let notebooks: Vec<_> = notebooks::all(project)?.into_iter().filter(is_executed).collect();
    two_at_a_time(notebooks, |notebook| {
        let name = notebook.strip_prefix(project.path("notebooks")).unwrap_or(&notebook);
        let mut command = run::command(project, &notebook, Some(QUICK_EPOCHS), Some(QUICK_LIMIT))?;
        // Two programs whose threads wait actively for each other on the same cores take many times as long.
        let cores = thread::available_parallelism().map_or(1, |cores| cores.get());
        command.env("OMP_NUM_THREADS", (cores / 2).max(1).to_string());
        log.run_in_background(Part::Notebooks, &name.display().to_string(), command)
    })?;
    same_versions(project)
}

/// Cells must have been compiled with the versions in this project's Cargo.lock.
fn same_versions(project: &Project) -> Result<()> {
    let pinned = fs::read_to_string(project.path("Cargo.lock"))?;
    // The newest one is that of the kernel that has just ended.
    let locks = fs::read_dir(project.kernel_folders())?.flatten();
    let locks = locks.map(|entry| entry.path().join("Cargo.lock"));
    let time = |path: &PathBuf| fs::metadata(path).and_then(|data| data.modified()).ok();
    let lock = locks.filter(|path| path.exists()).max_by_key(time);
    let lock = fs::read_to_string(lock.context("no kernel has compiled cells")?)?;
    let packages = |text: &str| -> HashSet<String> {
        let packages = text.split("[[package]]\n").skip(1);
        packages.map(|package| package.lines().take(2).collect::<Vec<_>>().join(" ")).collect()
    };
    let other: Vec<_> = packages(&lock).difference(&packages(&pinned)).cloned().collect();
    // The cells' own package is the only one that this project does not know.
    if other != [r#"name = "ctx" version = "1.0.0""#] {
        bail!("cells are compiled with versions that Cargo.lock does not have: {other:?}");
    }
    Ok(())
}
