//! `cargo d2l lab`, `cargo d2l run` and `cargo d2l bench`.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::project::Project;

/// Opens JupyterLab on a notebook and waits for its end.
pub fn lab(project: &Project, notebook: &Path, no_browser: bool) -> Result<()> {
    let notebook = find(project, notebook)?;
    let notebook = notebook.strip_prefix(&project.root).unwrap_or(&notebook);
    let mut command = project.command(project.python());
    command.args(["-m", "jupyterlab"]).arg(notebook);
    if no_browser {
        command.arg("--no-browser");
    }
    // JupyterLab refuses root without this, and in a container there is nobody else.
    let id = Command::new("id").arg("-u").output();
    if id.is_ok_and(|output| output.stdout.trim_ascii() == b"0") {
        command.arg("--allow-root");
    }
    let status = command.status().context("cannot start JupyterLab")?;
    if !status.success() {
        bail!("JupyterLab ended with {status}");
    }
    Ok(())
}

/// Executes notebooks on the kernel and writes what came out, with a page each.
pub fn run(
    project: &Project,
    notebooks: &[PathBuf],
    epochs: Option<usize>,
    limit: Option<usize>,
) -> Result<()> {
    let notebooks: Vec<PathBuf> = if notebooks.is_empty() {
        all(project)?
    } else {
        notebooks.iter().map(|path| find(project, path)).collect::<Result<_>>()?
    };
    let output = project.path("target/notebooks");
    std::fs::create_dir_all(&output)?;
    for notebook in notebooks {
        let mut command = project.script("run_notebook.py");
        command.arg(&notebook).arg(&output);
        for (name, value) in [("D2L_MAX_EPOCHS", epochs), ("D2L_DATASET_LIMIT", limit)] {
            if let Some(value) = value {
                command.env(name, value.to_string());
            }
        }
        let status = command.status().context("cannot start .venv/bin/python")?;
        if !status.success() {
            bail!("{} failed; see above", notebook.display());
        }
    }
    Ok(())
}

/// Measures ours beside the reference and prints a table.
pub fn bench(project: &Project, parts: &[String], full: bool) -> Result<()> {
    let mut build = project.cargo();
    build.args(["build", "--locked", "--release", "--example", "measure"]);
    if !build.status().context("cannot start cargo")?.success() {
        bail!("examples/measure.rs does not compile; see above");
    }
    let mut command = project.script("bench.py");
    command.args(parts).args(full.then_some("--full"));
    if !command.status().context("cannot start .venv/bin/python")?.success() {
        bail!("the benchmark failed; see above");
    }
    Ok(())
}

/// All notebooks, by name.
fn all(project: &Project) -> Result<Vec<PathBuf>> {
    let folder = project.path("notebooks");
    let mut paths = vec![];
    for entry in std::fs::read_dir(&folder).context("notebooks/ cannot be read")? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "ipynb") {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

/// A notebook named from the current folder, from the project's, or by its name alone.
fn find(project: &Project, path: &Path) -> Result<PathBuf> {
    let places = [
        std::path::absolute(path)?,
        project.root.join(path),
        project.path("notebooks").join(path).with_extension("ipynb"),
    ];
    match places.iter().find(|place| place.is_file()) {
        Some(place) => Ok(place.clone()),
        None => {
            let known: Vec<_> =
                all(project)?.iter().map(|path| path.display().to_string()).collect();
            bail!("there is no notebook {}; there are {}", path.display(), known.join(", "))
        }
    }
}
