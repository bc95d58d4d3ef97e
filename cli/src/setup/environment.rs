//! The virtual environment, `.venv`.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use super::disk::free_space;
use super::python;
use crate::process::{self, quietly};
use crate::project::Project;
use crate::steps::Steps;

/// Disk space that the virtual environment and the builds take.
pub const SPACE_NEEDED: u64 = 12_000_000_000;

/// Makes .venv, unless there is one with a pip.
pub fn make(project: &Project, steps: &Steps) -> Result<()> {
    let works = |python: &PathBuf| {
        let output = process::command(python).args(["-c", "import pip"]).output();
        output.is_ok_and(|output| output.status.success())
    };
    // If packages have been installed with this Python, it need not be started.
    let stamp = project.share().join("requirements.txt.stamp");
    if project.python().exists() && (stamp.exists() || works(&project.python())) {
        return Ok(());
    }
    let python = python::find()?;
    if let Some(free) = free_space(&project.root).filter(|&free| free < SPACE_NEEDED) {
        bail!(
            "{} has {:.1} GB free, the set-up needs about {:.0} GB\n  what to do: free some space, \
             or clone the project onto another disk",
            project.root.display(),
            free as f64 / 1e9,
            SPACE_NEEDED as f64 / 1e9
        );
    }
    steps.run("Making .venv", |bar| {
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
