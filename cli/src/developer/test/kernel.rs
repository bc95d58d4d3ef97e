//! The kernel's tests: unit tests, and modules in Python that drive it as Jupyter does.

use std::fs;

use anyhow::Result;

use super::log::Log;
use super::{Part, python, two_at_a_time};
use crate::project::Project;
use crate::setup::patches;

/// Arguments for Cargo that build the kernel as the set-up does: in its profile, with patched evcxr.
pub fn profile(project: &Project) -> Result<Vec<String>> {
    let kernel = ["--locked", "--profile", "kernel", "-p", "d2l-kernel"].map(String::from);
    Ok([&kernel[..], &patches::arguments(project)?].concat())
}

/// Runs the modules of tests/kernel.
pub fn modules(project: &Project, log: &Log) -> Result<()> {
    let folder = project.path("tests/kernel");
    let mut modules = vec![];
    for entry in fs::read_dir(&folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with("test_") && name.ends_with(".py") {
            modules.push((entry.metadata()?.len(), name));
        }
    }
    // Longest first, so that both lanes end at about the same time.
    modules.sort_by(|one, other| other.cmp(one));
    two_at_a_time(modules, |(_, module)| {
        let mut unittest = python(project, &["-m", "unittest", "--verbose", &module]);
        unittest.current_dir(&folder);
        log.run_in_background(Part::Kernel, &module, unittest)
    })
}
