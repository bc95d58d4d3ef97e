//! `cargo d2l lab`: a notebook in JupyterLab.

use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::project::Project;

/// Opens JupyterLab on a notebook and waits for its end.
pub fn lab(project: &Project, notebook: &Path, no_browser: bool) -> Result<()> {
    let notebook = notebook.strip_prefix(&project.root).unwrap_or(notebook);
    let mut command = project.command(project.python());
    command.args(["-m", "jupyterlab"]).arg(notebook);
    if no_browser {
        command.arg("--no-browser");
    }
    // JupyterLab refuses to run as root without this; in a container there is often no other user.
    if rustix::process::geteuid().is_root() {
        command.arg("--allow-root");
    }
    // While JupyterLab starts, which takes longer.
    let mut trust = project.script("trust.py").spawn().context("cannot start .venv/bin/python")?;
    let status = command.status().context("cannot start JupyterLab")?;
    trust.wait()?;
    if !status.success() {
        bail!("JupyterLab ended with {status}");
    }
    Ok(())
}
