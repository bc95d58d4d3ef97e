//! `cargo d2l book`: the notebooks as a site.

use std::process::Command;

use anyhow::Result;

use crate::process::visibly;
use crate::project::Project;

/// Makes a site of all notebooks.
pub fn book(project: &Project) -> Result<()> {
    visibly(&mut command(project), "the site was not made")
}

/// The command that makes it.
pub fn command(project: &Project) -> Command {
    project.script("book.py")
}
