//! The virtual environment, `.venv`.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use super::{disk, python, python_packages};
use crate::process::{self, quietly};
use crate::project::Project;
use crate::steps::Steps;

/// Disk space that the virtual environment and the builds take, and packages while they are unpacked;
/// without libtorch's CUDA half.
pub const SPACE_NEEDED: u64 = 6_000_000_000;

/// Makes .venv, unless there is one with a pip.
pub fn make(project: &Project, steps: &Steps) -> Result<()> {
    let works = |python: &PathBuf| {
        let output = process::command(python).args(["-c", "import pip"]).output();
        output.is_ok_and(|output| output.status.success())
    };
    // If packages have been installed with this Python, it need not be started.
    let is_in_use = python_packages::have_begun(project);
    if project.python().exists() && (is_in_use || works(&project.python())) {
        return Ok(());
    }
    let python = python::find()?;
    let todo = "free some space, or clone the project onto another disk";
    disk::check(&project.root, SPACE_NEEDED, "the set-up", todo)?;
    steps.run("Making .venv", "seconds", |bar| {
        let mut command = project.command(&python);
        command.args(["-m", "venv", "--clear", ".venv"]);
        if std::env::var_os("CONDA_PREFIX").is_some() {
            // environment.yml has installed the packages already.
            command.arg("--system-site-packages");
        }
        quietly(&mut command, bar).with_context(|| {
            format!(
                "{} cannot make a virtual environment (Debian and Ubuntu: apt install python3-venv)",
                python.display()
            )
        })?;
        if !works(&project.python()) {
            bail!(".venv has no pip (Debian and Ubuntu: apt install python3-venv)");
        }
        Ok(())
    })?;
    Ok(fs::create_dir_all(project.share())?)
}
