//! `cargo d2l test`: the whole check or parts of it, quick ones first.

mod kernel;
mod log;
mod notebooks;

use std::process::Command;
use std::sync::Mutex;
use std::thread;

use anyhow::{Result, bail};
use clap::ValueEnum;
use d2l_common::variables::{DATASET_LIMIT, MAX_EPOCHS};
use log::Log;

use crate::developer::{book, report};
use crate::output;
use crate::project::Project;
use crate::setup::{python_packages, setup};

/// The number of epochs and of images in quick mode.
const QUICK_EPOCHS: usize = 1;
const QUICK_LIMIT: usize = 32;

/// The parts of the check, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Part {
    /// Format of the Rust sources (rustfmt)
    Format,
    /// Lints (clippy) for the crate, the command line and the kernel
    Clippy,
    /// Tests of the command line and of the code it shares with the crate and the kernel
    Cli,
    /// The crate's unit, integration and doc tests; docs/ must list everything they compared
    Crate,
    /// Documentation of the crate (rustdoc), without warnings
    Doc,
    /// Reference values, computed again with PyTorch, torchvision and Pillow
    Reference,
    /// The kernel's unit tests, and the kernel driven by jupyter_client
    Kernel,
    /// Notebooks executed in quick mode: all English ones, and Fine-tuning in Japanese
    Notebooks,
    /// Notebooks in JupyterLab, in a headless Chromium
    Browser,
    /// The site of the notebooks, in a headless Chromium
    Site,
}

impl Part {
    fn name(self) -> String {
        self.to_possible_value().map_or(String::new(), |value| value.get_name().to_string())
    }

    /// Whether it runs without the set-up.
    fn is_without_setup(self) -> bool {
        matches!(self, Part::Format | Part::Cli)
    }

    fn check(self, project: &Project, log: &Log) -> Result<()> {
        let run = |name: &str, command: Command| log.run(self, name, command);
        match self {
            Part::Format => run("rustfmt", cargo(project, &["fmt", "--all", "--check"])),
            Part::Clippy => {
                let lint = [
                    "clippy",
                    "--locked",
                    "--all-targets",
                    "-p",
                    "d2l",
                    "-p",
                    "d2l-common",
                    "-p",
                    "d2l-cli",
                ];
                let deny = ["--", "-D", "warnings"];
                run("all but the kernel", cargo(project, &[&lint[..], &deny].concat()))?;
                // In the profile that evcxr was compiled with. `cargo clippy` would read all of
                // rust-analyzer again; a build that clippy looks at takes what the set-up has compiled.
                let mut lint = cargo(project, &["build", "--all-targets"]);
                lint.args(kernel::profile(project)?);
                lint.env("RUSTC_WORKSPACE_WRAPPER", "clippy-driver");
                run("kernel", with(lint, "CLIPPY_ARGS", "-Dwarnings"))
            }
            Part::Cli => {
                let tests =
                    ["test", "--locked", "--profile", "dev", "-p", "d2l-common", "-p", "d2l-cli"];
                run("tests", cargo(project, &tests))
            }
            Part::Crate => {
                python_packages::install_references(project)?;
                run("tests", report::crate_tests(project)?)?;
                report::check(project)?;
                log.skipped(self, report::skipped(project)?);
                Ok(())
            }
            Part::Doc => {
                let doc = cargo(project, &["doc", "--locked", "--no-deps", "--lib"]);
                run("rustdoc", with(doc, "RUSTDOCFLAGS", "-D warnings"))
            }
            Part::Reference => {
                python_packages::install_references(project)?;
                run("values", python(project, &["tests/reference/make.py", "--check"]))
            }
            Part::Kernel => {
                python_packages::install_references(project)?;
                let mut tests = cargo(project, &["test"]);
                tests.args(kernel::profile(project)?);
                run("unit tests", tests)?;
                kernel::modules(project, log)
            }
            Part::Notebooks => notebooks::check(project, log),
            Part::Browser => {
                python_packages::install_references(project)?;
                let lab = python(project, &["tests/jupyterlab.py"]);
                let lab = with(lab, MAX_EPOCHS, &QUICK_EPOCHS.to_string());
                run("JupyterLab", with(lab, DATASET_LIMIT, &QUICK_LIMIT.to_string()))
            }
            Part::Site => {
                python_packages::install_references(project)?;
                run("Sphinx", book::command(project))?;
                run("pages", python(project, &["tests/book.py"]))
            }
        }
    }
}

/// Runs these parts, or all, up to the first failure. At the end it prints the times of all steps and
/// the skipped tests.
pub fn test(project: &Project, parts: &[Part]) -> Result<()> {
    let (parts, log) = (chosen(parts), Log::default());
    if !parts.iter().all(|part| part.is_without_setup()) {
        setup(project, None)?;
    }
    let result = parts.iter().try_for_each(|part| part.check(project, &log));
    output::result(log.summary());
    result
}

/// The parts to run, each once, in their order.
fn chosen(parts: &[Part]) -> Vec<Part> {
    let is_chosen = |part: &Part| parts.is_empty() || parts.contains(part);
    Part::value_variants().iter().copied().filter(is_chosen).collect()
}

/// Processes the items two at a time, as a kernel mostly waits: for a single rustc, or for its test.
/// After an error no new item is started.
fn two_at_a_time<T: Send>(items: Vec<T>, work: impl Fn(T) -> Result<()> + Sync) -> Result<()> {
    let items = Mutex::new(items.into_iter());
    let next = || items.lock().ok()?.next();
    let lane = || -> Result<()> {
        while let Some(item) = next() {
            if let Err(error) = work(item) {
                while next().is_some() {}
                return Err(error);
            }
        }
        Ok(())
    };
    thread::scope(|scope| {
        let other = scope.spawn(lane);
        lane().and(other.join().unwrap_or_else(|_| bail!("a thread failed")))
    })
}

fn cargo(project: &Project, arguments: &[&str]) -> Command {
    let mut command = project.cargo();
    command.args(arguments);
    command
}

fn python(project: &Project, arguments: &[&str]) -> Command {
    let mut command = project.command(project.python());
    // Output appears immediately.
    command.args(arguments).env("PYTHONUNBUFFERED", "1");
    command
}

fn with(mut command: Command, variable: &str, value: &str) -> Command {
    command.env(variable, value);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_run_once_and_in_their_order() {
        let named = [Part::Site, Part::Format, Part::Site];
        assert_eq!(chosen(&named), [Part::Format, Part::Site]);
        assert_eq!(chosen(&[]).len(), Part::value_variants().len());
        assert_eq!(Part::Crate.name(), "crate");
    }

    #[test]
    fn an_error_ends_the_work_after_what_is_under_way() {
        let done = Mutex::new(vec![]);
        let work = |item: u32| -> Result<()> {
            done.lock().unwrap().push(item);
            if item == 3 { bail!("no 3") } else { Ok(()) }
        };
        two_at_a_time(vec![0, 1, 2], work).unwrap();
        done.lock().unwrap().sort();
        assert_eq!(*done.lock().unwrap(), [0, 1, 2]);
        let error = two_at_a_time((3..1000).collect(), work).unwrap_err();
        assert_eq!(error.to_string(), "no 3");
        assert!(done.lock().unwrap().len() < 1000);
    }
}
