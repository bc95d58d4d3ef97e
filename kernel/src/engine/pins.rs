//! Pinned versions for cells.
//!
//! Cargo drops from a `Cargo.lock` what the package does not need, and the cells' package needs
//! nothing before the reader's first `:dep`. That would then take the newest version of each crate
//! from the network and compile it for minutes. So whenever cells are compiled, the versions that
//! this project is tested with are put back.

use std::collections::HashSet;
use std::fs;
use std::io::{ErrorKind, Result};
use std::path::Path;

const HEADING: &str = "\n[[package]]\n";

/// Adds to a `Cargo.lock` those packages of another one that it does not have, if the dependencies in
/// the `Cargo.toml` beside it have changed since it was written.
pub fn restore(lock: &Path, pinned: &Path) -> Result<()> {
    let time = |path: &Path| fs::metadata(path).and_then(|data| data.modified());
    let manifest = time(&lock.with_file_name("Cargo.toml"))?;
    if time(lock).is_ok_and(|lock| lock > manifest) {
        return Ok(());
    }
    let pinned = fs::read_to_string(pinned)?;
    let mut own = match fs::read_to_string(lock) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            pinned.split(HEADING).next().unwrap_or_default().to_string()
        }
        other => other?,
    };
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

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;

    #[test]
    fn missing_versions_are_put_back_and_others_stay() {
        let package = |name: &str, version: &str| {
            format!("{HEADING}name = \"{name}\"\nversion = \"{version}\"\nchecksum = \"x\"\n")
        };
        let folder = tempfile::tempdir().unwrap();
        let (lock, pinned) = (folder.path().join("Cargo.lock"), folder.path().join("pinned.lock"));
        let head = "# made by cargo\nversion = 4\n";
        fs::write(&pinned, head.to_string() + &package("a", "1") + &package("b", "1")).unwrap();
        let manifest = fs::File::create(folder.path().join("Cargo.toml")).unwrap();
        restore(&lock, &pinned).unwrap();
        assert_eq!(fs::read(&lock).unwrap(), fs::read(&pinned).unwrap());
        fs::write(&lock, head.to_string() + &package("a", "2") + &package("b", "1")).unwrap();
        manifest.set_modified(SystemTime::now() + Duration::from_secs(60)).unwrap();
        restore(&lock, &pinned).unwrap();
        let text = fs::read_to_string(&lock).unwrap();
        assert_eq!(packages(&text).map(name_and_version).collect::<HashSet<_>>().len(), 3);
        // With the same dependencies nothing is done.
        fs::write(&lock, head).unwrap();
        manifest.set_modified(SystemTime::now() - Duration::from_secs(60)).unwrap();
        restore(&lock, &pinned).unwrap();
        assert_eq!(fs::read_to_string(&lock).unwrap(), head);
    }
}
