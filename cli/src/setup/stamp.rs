//! Stamps: a step is done again only if what it was made from has changed.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

/// Runs `work` unless it was done with the same inputs and everything it made still exists.
pub fn unless_done(
    stamp: &Path,
    inputs: &str,
    made: &[PathBuf],
    work: impl FnOnce() -> Result<()>,
) -> Result<()> {
    if is_done(stamp, inputs, made) {
        return Ok(());
    }
    let _ = fs::remove_file(stamp);
    work()?;
    fs::write(stamp, inputs).with_context(|| format!("cannot write {}", stamp.display()))
}

/// Whether a step was done with these inputs, and everything it made still exists.
pub fn is_done(stamp: &Path, inputs: &str, made: &[PathBuf]) -> bool {
    let same = fs::read_to_string(stamp).is_ok_and(|text| text == inputs);
    same && made.iter().all(|path| path.exists())
}

/// A single digest of files and of all files in folders. It is the same wherever they lie.
pub fn digest(paths: &[PathBuf]) -> Result<String> {
    fn add(path: &Path, name: &Path, hasher: &mut Sha256) -> Result<()> {
        if path.is_dir() {
            let entries: Result<Vec<_>, _> = fs::read_dir(path)?.collect();
            let mut names: Vec<_> = entries?.into_iter().map(|entry| entry.file_name()).collect();
            names.sort();
            let mut each = names.iter().map(Path::new);
            return each.try_for_each(|file| add(&path.join(file), &name.join(file), hasher));
        }
        let content = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        hasher.update(name.to_string_lossy().as_bytes());
        hasher.update(content.len().to_le_bytes());
        hasher.update(content);
        Ok(())
    }
    let mut hasher = Sha256::new();
    for path in paths {
        add(path, path.file_name().map_or(path, Path::new), &mut hasher)?;
    }
    Ok(hex::encode(hasher.finalize()))
}

#[cfg(test)]
mod tests {
    use anyhow::bail;

    use super::*;

    #[test]
    fn a_step_is_done_again_only_when_its_inputs_change_or_it_failed() {
        let stamp = std::env::temp_dir().join(format!("d2l-stamp-{}", std::process::id()));
        let mut runs = 0;
        let mut step = |inputs: &str, works: bool| {
            unless_done(&stamp, inputs, &[], || {
                runs += 1;
                if works { Ok(()) } else { bail!("broken") }
            })
            .is_ok()
        };
        assert!(step("a", true) && step("a", true) && step("b", true));
        assert!(!step("c", false) && step("c", true));
        assert_eq!(runs, 4);
        fs::remove_file(stamp).unwrap();
    }

    /// The set-up makes again what the doctor finds missing: a stamp alone does not prove that it exists.
    #[test]
    fn a_step_is_done_again_if_what_it_made_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let (stamp, made) = (folder.path().join("stamp"), [folder.path().join("made")]);
        let mut runs = 0;
        let mut step = || {
            let work = || {
                runs += 1;
                Ok(fs::write(&made[0], "")?)
            };
            unless_done(&stamp, "a", &made, work).unwrap();
        };
        step();
        step();
        fs::remove_file(&made[0]).unwrap();
        step();
        assert_eq!(runs, 2);
    }

    #[test]
    fn changed_files_change_the_digest() {
        let folder = std::env::temp_dir().join(format!("d2l-digest-{}", std::process::id()));
        fs::create_dir_all(folder.join("inner")).unwrap();
        fs::write(folder.join("inner/a"), "1").unwrap();
        let first = digest(std::slice::from_ref(&folder)).unwrap();
        assert_eq!(digest(std::slice::from_ref(&folder)).unwrap(), first);
        // The same elsewhere, as the sources that a prebuilt kernel names
        let elsewhere = tempfile::tempdir().unwrap();
        let moved = elsewhere.path().join(folder.file_name().unwrap());
        fs::create_dir_all(moved.join("inner")).unwrap();
        fs::write(moved.join("inner/a"), "1").unwrap();
        assert_eq!(digest(std::slice::from_ref(&moved)).unwrap(), first);
        fs::rename(moved.join("inner/a"), moved.join("inner/b")).unwrap();
        assert_ne!(digest(&[moved]).unwrap(), first);
        fs::write(folder.join("inner/a"), "2").unwrap();
        assert_ne!(digest(std::slice::from_ref(&folder)).unwrap(), first);
        assert!(digest(&[folder.join("missing")]).is_err());
        fs::remove_dir_all(folder).unwrap();
    }
}
