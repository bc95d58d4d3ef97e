//! `cargo d2l test`: all checks, in the order in which they are quick to fail.

use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::notebooks;
use crate::project::Project;

const QUICK_EPOCHS: usize = 1;
const QUICK_LIMIT: usize = 64;

pub fn test(project: &Project) -> Result<()> {
    let cargo = |arguments: &[&str]| -> Command {
        let mut command = project.cargo();
        command.args(arguments);
        command
    };
    check("format", cargo(&["fmt", "--all", "--check"]))?;
    check("clippy", cargo(&["clippy", "--locked", "--all-targets", "--", "-D", "warnings"]))?;
    // The members are linted in the profiles in which they are built anyway.
    check("clippy", cargo(&["clippy", "--locked", "-p", "d2l-cli", "--", "-D", "warnings"]))?;
    check("unit tests", cargo(&["test", "--locked", "-p", "d2l-cli"]))?;
    check("tests", cargo(&["test", "--locked", "--all-targets"]))?;
    check("doc tests", cargo(&["test", "--locked", "--doc"]))?;
    let mut docs = cargo(&["doc", "--locked", "--no-deps", "--lib"]);
    docs.env("RUSTDOCFLAGS", "-D warnings");
    check("documentation", docs)?;
    eprintln!("== notebooks, quick mode");
    notebooks::run(project, &[], Some(QUICK_EPOCHS), Some(QUICK_LIMIT))
}

/// Runs a command that prints for itself.
fn check(name: &str, mut command: Command) -> Result<()> {
    eprintln!("== {name}");
    let start = Instant::now();
    let status = command.status().with_context(|| format!("cannot start the {name}"))?;
    if !status.success() {
        bail!("{name} failed; see above");
    }
    eprintln!("== {name}: passed in {:.1} s", start.elapsed().as_secs_f64());
    Ok(())
}
