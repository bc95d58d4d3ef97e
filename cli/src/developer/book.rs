//! `cargo d2l book`: the notebooks as a site.

use anyhow::Result;

use crate::process::visibly;
use crate::project::Project;

/// Makes a site of all notebooks.
pub fn book(project: &Project) -> Result<()> {
    visibly(&mut project.script("book.py"), "the site was not made")
}
