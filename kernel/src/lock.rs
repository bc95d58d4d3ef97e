//! Pinned versions for the cells.
//!
//! Cargo drops from a `Cargo.lock` what the package does not need, and the cells' package needs
//! nothing before the reader's first `:dep`. That would then take the newest version of each crate
//! from the network and compile it for minutes. So whenever cells are compiled, the versions that
//! this project is tested with are put back.

use std::collections::HashSet;
use std::fs;
use std::io::Result;
use std::path::Path;

const HEADING: &str = "\n[[package]]\n";

/// Adds to a `Cargo.lock` those packages of another one that it does not have.
pub fn restore(lock: &Path, pinned: &Path) -> Result<()> {
    let (mut own, pinned) = (fs::read_to_string(lock)?, fs::read_to_string(pinned)?);
    let known: HashSet<String> = packages(&own).map(name_and_version).collect();
    let missing: String = packages(&pinned)
        .filter(|package| !known.contains(&name_and_version(package)))
        .map(|package| format!("{HEADING}{package}"))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    own += &missing;
    let whole = lock.with_extension("lock.new");
    fs::write(&whole, own)?;
    fs::rename(whole, lock)
}

fn packages(lock: &str) -> impl Iterator<Item = &str> {
    lock.split(HEADING).skip(1)
}

fn name_and_version(package: &str) -> String {
    package.lines().take(2).collect()
}
