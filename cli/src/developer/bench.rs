//! `cargo d2l bench`: this project beside the Python original.

use anyhow::Result;

use super::levers;
use crate::process::visibly;
use crate::project::Project;
use crate::setup::python_packages;
use crate::steps::Steps;

/// Measures this project and the reference alternately and prints a table.
pub fn bench(project: &Project, parts: &[String], full: bool) -> Result<()> {
    let steps = Steps::default();
    // The reference imports torch.
    python_packages::install_whole_torch(project, &steps)?;
    if parts.is_empty() || parts.iter().any(|part| part == "notebook") {
        levers::build(project, &steps)?;
    }
    let mut build = project.cargo();
    build.args(["build", "--locked", "--release", "--example", "measure"]);
    visibly(&mut build, "examples/measure.rs does not compile")?;
    let mut command = project.script("bench.py");
    command.args(parts).args(full.then_some("--full"));
    visibly(&mut command, "the benchmark failed")
}
