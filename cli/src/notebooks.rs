//! `cargo d2l lab`, `cargo d2l run`, `cargo d2l bench` and `cargo d2l book`.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use clap::ValueEnum;

use crate::project::Project;

/// A language that the notebooks are there in.
#[derive(Clone, Copy, Default, ValueEnum)]
pub enum Language {
    /// English
    #[default]
    En,
    /// Japanese
    Ja,
}

impl Language {
    /// The folder of its notebooks, below notebooks/.
    fn folder(self) -> &'static str {
        match self {
            Language::En => "",
            Language::Ja => "ja",
        }
    }
}

/// Opens JupyterLab on a notebook and waits for its end.
pub fn lab(project: &Project, notebook: &Path, lang: Language, no_browser: bool) -> Result<()> {
    let notebook = find(project, notebook, lang)?;
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
    // Beside JupyterLab's own start, which takes longer.
    let mut trust = project.script("trust.py").spawn().context("cannot start .venv/bin/python")?;
    let status = command.status().context("cannot start JupyterLab")?;
    trust.wait()?;
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
        notebooks.iter().map(|path| find(project, path, Language::En)).collect::<Result<_>>()?
    };
    for notebook in notebooks {
        // An edition in another language has the same name.
        let folder = notebook.strip_prefix(project.path("notebooks")).ok().and_then(Path::parent);
        let output = project.path("target/notebooks").join(folder.unwrap_or(Path::new("")));
        std::fs::create_dir_all(&output)?;
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

/// Makes a site of all notebooks.
pub fn book(project: &Project) -> Result<()> {
    let status = project.script("book.py").status().context("cannot start .venv/bin/python")?;
    if !status.success() {
        bail!("the site was not made; see above");
    }
    Ok(())
}

/// All notebooks: those of notebooks/ by name, then those of its folders.
pub fn all(project: &Project) -> Result<Vec<PathBuf>> {
    let mut notebooks = vec![];
    let mut folders = vec![project.path("notebooks")];
    while let Some(folder) = folders.pop() {
        let action = || format!("{} cannot be read", folder.display());
        let mut paths = vec![];
        for entry in std::fs::read_dir(&folder).with_context(action)? {
            paths.push(entry?.path());
        }
        paths.sort();
        let is_visible = |path: &PathBuf| {
            path.file_name().is_some_and(|name| !name.as_encoded_bytes().starts_with(b"."))
        };
        folders
            .extend(paths.iter().rev().filter(|path| path.is_dir() && is_visible(path)).cloned());
        let is_notebook =
            |path: &PathBuf| path.extension().is_some_and(|extension| extension == "ipynb");
        notebooks.extend(paths.into_iter().filter(is_notebook));
    }
    Ok(notebooks)
}

/// A notebook named from the current folder, from the project's, or by its name alone.
fn find(project: &Project, path: &Path, lang: Language) -> Result<PathBuf> {
    let by_name = project.path("notebooks").join(lang.folder()).join(path);
    let places =
        [std::path::absolute(path)?, project.root.join(path), by_name.with_extension("ipynb")];
    match places.iter().find(|place| place.is_file()) {
        Some(place) => Ok(place.clone()),
        None => {
            let known: Vec<_> =
                all(project)?.iter().map(|path| path.display().to_string()).collect();
            bail!("there is no notebook {}; there are {}", path.display(), known.join(", "))
        }
    }
}
