//! Python packages, torch among them: installed by pip.

use std::fs;

use anyhow::{Context, Result};

use super::stamp::unless_done;
use crate::process::quietly;
use crate::project::Project;
use crate::steps::Steps;

/// Installs what the notebooks and the set-up need.
pub fn install_all(project: &Project, steps: &Steps) -> Result<()> {
    let step = "Installing Python packages (about 3 GB the first time)";
    install(project, steps, step, "requirements.txt", &[])
}

/// Installs a requirements file into .venv, unless that has been done.
pub fn install(
    project: &Project,
    steps: &Steps,
    step: &str,
    file: &str,
    options: &[&str],
) -> Result<()> {
    let requirements = fs::read_to_string(project.path(file))?;
    let stamp = format!("{}.stamp", file.replace('/', "-"));
    unless_done(&project.share().join(stamp), &requirements, &[project.python()], || {
        steps.run(step, |bar| {
            let mut pip = project.command(project.python());
            pip.args(["-m", "pip", "install", "--disable-pip-version-check"]);
            pip.args(["--progress-bar", "off", "-r", file]).args(options);
            quietly(&mut pip, bar).with_context(|| {
                format!(
                    "pip could not install {file}; check the network, the proxy and the disk, and \
                     run again: finished downloads are not repeated"
                )
            })
        })
    })
}
