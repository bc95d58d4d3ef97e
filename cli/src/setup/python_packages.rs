//! Python packages, torch among them: installed by pip.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};

use super::disk;
use super::stamp::unless_done;
use crate::process::quietly;
use crate::project::Project;
use crate::steps::Steps;

/// Disk space for the whole of torch: 3.4 GB, and the packages while they are unpacked.
const WHOLE_TORCH: u64 = 6_000_000_000;

/// Packages that are installed in one step.
struct Packages {
    /// Names the step's stamp.
    name: &'static str,
    step: &'static str,
    /// How long that takes.
    takes: &'static str,
    /// A file of requirements; behind it those that it includes.
    files: &'static [&'static str],
    options: &'static [&'static str],
}

/// Installs libtorch's CPU half. Nothing of torch's Python code is compiled, as nobody imports it.
pub fn install_libtorch(project: &Project, steps: &Steps) -> Result<()> {
    let packages = Packages {
        name: "libtorch",
        step: "Installing libtorch",
        takes: "1.1 GB, a minute with a fast network",
        files: &["torch.txt"],
        options: &["--no-deps", "--no-compile"],
    };
    install(project, steps, packages)
}

/// Installs what notebooks need, JupyterLab above all.
pub fn install_notebooks(project: &Project, steps: &Steps) -> Result<()> {
    let packages = Packages {
        name: "notebooks",
        step: "Installing JupyterLab",
        takes: "half a minute",
        files: &["requirements.txt"],
        options: &[],
    };
    install(project, steps, packages)
}

/// Installs all that torch requires: libtorch's CUDA half, and what `import torch` needs.
pub fn install_whole_torch(project: &Project, steps: &Steps) -> Result<()> {
    let packages = Packages {
        name: "torch",
        step: "Installing the whole of torch, with CUDA",
        takes: "3.4 GB more, 2 minutes with a fast network",
        files: &["torch.txt"],
        options: &[],
    };
    if !has_whole_torch(project) {
        let todo = "free some space; notebooks need it for a GPU only, and `cargo d2l setup --cpu` \
                    leaves it out";
        disk::check(&project.root, WHOLE_TORCH, "the whole of torch, with CUDA,", todo)?;
    }
    install(project, steps, packages)
}

/// Installs what only tests need.
pub fn install_references(project: &Project) -> Result<()> {
    let steps = Steps::default();
    install_whole_torch(project, &steps)?;
    let tests = Packages {
        name: "tests",
        step: "Installing what the tests need",
        takes: "a minute",
        files: &["tests/requirements.txt", "torch.txt", "requirements.txt"],
        options: &[],
    };
    install(project, &steps, tests)?;
    let book = Packages {
        name: "book",
        step: "Installing the book's own package",
        takes: "seconds",
        files: &["tests/book.txt"],
        options: &["--no-deps"],
    };
    install(project, &steps, book)
}

/// Installs what makes a wheel of the kernel.
pub fn install_maturin(project: &Project, steps: &Steps) -> Result<()> {
    let packages = Packages {
        name: "wheel",
        step: "Installing maturin",
        takes: "seconds",
        files: &["tests/wheel.txt"],
        options: &[],
    };
    install(project, steps, packages)
}

/// Whether the whole of torch was installed, by the set-up or for the tests.
pub fn has_whole_torch(project: &Project) -> bool {
    stamp(project, "torch").exists()
}

/// Whether anything was installed.
pub fn have_begun(project: &Project) -> bool {
    stamp(project, "libtorch").exists()
}

fn stamp(project: &Project, name: &str) -> PathBuf {
    project.share().join(format!("{name}-packages.stamp"))
}

fn install(project: &Project, steps: &Steps, packages: Packages) -> Result<()> {
    let Packages { name, step, takes, files, options } = packages;
    let texts: Result<Vec<_>, _> =
        files.iter().map(|file| fs::read_to_string(project.path(file))).collect();
    let texts = texts.with_context(|| format!("cannot read {}", files.join(", ")))?.concat();
    unless_done(&stamp(project, name), &texts, &[project.python()], || {
        steps.run(step, takes, |bar| {
            let mut pip = project.command(project.python());
            pip.args(["-m", "pip", "install", "--disable-pip-version-check"]);
            pip.args(["--progress-bar", "off", "-r", files[0]]).args(options);
            quietly(&mut pip, bar).with_context(|| {
                format!(
                    "pip could not install {}; check the network, the proxy and the disk, and run \
                     again: finished downloads are not repeated",
                    files[0]
                )
            })
        })
    })
}
