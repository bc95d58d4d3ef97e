//! Finding a Python for the virtual environment.

use std::path::PathBuf;

use anyhow::{Result, bail};
use d2l_common::variables::PYTHON;

use crate::process::{self, program};

const OLDEST: (u32, u32) = (3, 10);
/// The newest version that the pinned torch has a package for.
const NEWEST: (u32, u32) = (3, 14);

/// The first Python of a version that torch supports: `D2L_PYTHON`, then those on the PATH.
pub fn find() -> Result<PathBuf> {
    let named = std::env::var_os(PYTHON).filter(|name| !name.is_empty()).map(PathBuf::from);
    let usual =
        ["python3", "python3.14", "python3.13", "python3.12", "python3.11", "python3.10", "python"];
    let candidates = match named {
        Some(path) => vec![program(&path)],
        None => usual.map(PathBuf::from).to_vec(),
    };
    let mut found = vec![];
    for path in &candidates {
        match version(path) {
            Some(version) if (OLDEST..=NEWEST).contains(&version) => return Ok(path.clone()),
            Some((major, minor)) => found.push(format!("{} is {major}.{minor}", path.display())),
            None => {}
        }
    }
    let found = if found.is_empty() { "found none".to_string() } else { found.join(", ") };
    let names: Vec<_> = candidates.iter().map(|path| path.display().to_string()).collect();
    bail!(
        "Python {}.{} to {}.{} is needed; {found} (looked for {} on the PATH)\n  what to do: \
         install one (Debian and Ubuntu: apt install python3 python3-venv), \
         or name it in {PYTHON}",
        OLDEST.0,
        OLDEST.1,
        NEWEST.0,
        NEWEST.1,
        names.join(", ")
    );
}

fn version(python: &PathBuf) -> Option<(u32, u32)> {
    let code = "import sys; print(*sys.version_info[:2])";
    let output = process::command(python).args(["-c", code]).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let (major, minor) = text.trim().split_once(' ')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}
