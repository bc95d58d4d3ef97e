//! `cargo d2l test`: all checks, in the order in which they are quick to fail.

use std::collections::HashSet;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Mutex;
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::commands::run;
use crate::developer::book;
use crate::developer::report;
use crate::notebooks;
use crate::output;
use crate::process::visibly;
use crate::project::Project;
use crate::setup::packages::install;
use crate::setup::patches;
use crate::steps::Steps;

const QUICK_EPOCHS: usize = 1;
const QUICK_LIMIT: usize = 32;

pub fn test(project: &Project) -> Result<()> {
    let cargo = |arguments: &[&str]| -> Command {
        let mut command = project.cargo();
        command.args(arguments);
        command
    };
    check("format", cargo(&["fmt", "--all", "--check"]))?;
    let lint = ["clippy", "--locked", "--all-targets", "-p", "d2l", "-p", "d2l-cli"];
    check("clippy", cargo(&[&lint[..], &["--", "-D", "warnings"]].concat()))?;
    // In the profile that evcxr was compiled with. `cargo clippy` would read all of rust-analyzer
    // anew; a build that clippy looks at takes what the set-up has compiled.
    let kernel = ["--locked", "--profile", "kernel", "-p", "d2l-kernel"].map(String::from);
    let kernel = [&kernel[..], &patches::arguments(project)?].concat();
    let mut lint = cargo(&["build", "--all-targets"]);
    lint.args(&kernel);
    lint.env("RUSTC_WORKSPACE_WRAPPER", "clippy-driver").env("CLIPPY_ARGS", "-Dwarnings");
    check("clippy, the kernel", lint)?;
    let mut tests = cargo(&["test"]);
    tests.args(&kernel);
    check("the kernel's unit tests", tests)?;
    check(
        "the command line's tests",
        cargo(&["test", "--locked", "--profile", "dev", "-p", "d2l-cli"]),
    )?;
    let step = "Installing what the tests need";
    install(project, &Steps::default(), step, "tests/requirements.txt", &[])?;
    let step = "Installing the book's own package";
    install(project, &Steps::default(), step, "tests/book.txt", &["--no-deps"])?;
    check("the crate's tests", report::crate_tests(project)?)?;
    report::check(project)?;
    let mut docs = cargo(&["doc", "--locked", "--no-deps", "--lib"]);
    docs.env("RUSTDOCFLAGS", "-D warnings");
    check("documentation", docs)?;

    let mut reference = project.command(project.python());
    reference.args(["tests/reference/make.py", "--check"]);
    check("reference values", reference)?;
    kernel_tests(project)?;
    output::note("== notebooks, quick mode");
    // Most of it is compiling, each cell on one core: both editions at a time.
    let japanese = project.path("notebooks/ja");
    let (japanese, english): (Vec<_>, Vec<_>) =
        notebooks::all(project)?.into_iter().partition(|path| path.starts_with(&japanese));
    let quick = |edition| run::run(project, edition, Some(QUICK_EPOCHS), Some(QUICK_LIMIT));
    both(|| quick(&english), || quick(&japanese))?;
    same_versions(project)?;
    let mut lab = project.command(project.python());
    lab.arg("tests/jupyterlab.py");
    lab.env("D2L_MAX_EPOCHS", QUICK_EPOCHS.to_string());
    lab.env("D2L_DATASET_LIMIT", QUICK_LIMIT.to_string());
    check("JupyterLab", lab)?;
    output::note("== the site");
    book::book(project)?;
    let mut site = project.command(project.python());
    site.arg("tests/book.py");
    check("the site, in a browser", site)
}

/// Two modules at a time: their kernels wait, for one call of rustc or for the test.
fn kernel_tests(project: &Project) -> Result<()> {
    let folder = project.path("tests/kernel");
    let mut modules = vec![];
    for entry in fs::read_dir(&folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with("test_") && name.ends_with(".py") {
            modules.push((entry.metadata()?.len(), name));
        }
    }
    // The longest are taken first.
    modules.sort();
    let modules = Mutex::new(modules);
    let next = || modules.lock().ok()?.pop();
    let work = || -> Result<()> {
        while let Some((_, module)) = next() {
            let mut unittest = project.command(project.python());
            unittest.current_dir(&folder).args(["-m", "unittest", "--verbose", &module]);
            let start = Instant::now();
            let output = unittest.output().context("cannot start .venv/bin/python")?;
            let text = [output.stdout, output.stderr].concat();
            let seconds = start.elapsed().as_secs_f64();
            let text = String::from_utf8_lossy(&text);
            output::note(format!("== the kernel, {module}: {seconds:.1} s\n{text}"));
            if !output.status.success() {
                bail!("the kernel, {module}: failed; see above");
            }
        }
        Ok(())
    };
    both(work, work)
}

/// Two things at a time, each to its end.
fn both(one: impl FnOnce() -> Result<()>, other: impl FnOnce() -> Result<()> + Send) -> Result<()> {
    thread::scope(|scope| {
        let other = scope.spawn(other);
        one().and(other.join().unwrap_or_else(|_| bail!("a thread failed")))
    })
}

/// Cells must have been compiled with the versions in this project's Cargo.lock.
fn same_versions(project: &Project) -> Result<()> {
    let pinned = fs::read_to_string(project.path("Cargo.lock"))?;
    // The kernel that has just ended had one of these.
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
    // The cells' own package is the one that this project does not know.
    if other != [r#"name = "ctx" version = "1.0.0""#] {
        bail!("cells are compiled with versions that Cargo.lock does not have: {other:?}");
    }
    Ok(())
}

/// Runs a command that prints for itself.
fn check(name: &str, mut command: Command) -> Result<()> {
    output::note(format!("== {name}"));
    let start = Instant::now();
    visibly(&mut command, &format!("{name}: failed"))?;
    output::note(format!("== {name}: passed in {:.1} s", start.elapsed().as_secs_f64()));
    Ok(())
}
