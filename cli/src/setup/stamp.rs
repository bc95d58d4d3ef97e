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
    let same = fs::read_to_string(stamp).is_ok_and(|text| text == inputs);
    if same && made.iter().all(|path| path.exists()) {
        return Ok(());
    }
    let _ = fs::remove_file(stamp);
    work()?;
    fs::write(stamp, inputs).with_context(|| format!("cannot write {}", stamp.display()))
}

/// A single digest of files and of all files in folders.
pub fn digest(paths: &[PathBuf]) -> Result<String> {
    fn add(path: &Path, hasher: &mut Sha256) -> Result<()> {
        if path.is_dir() {
            let entries: Result<Vec<_>, _> = fs::read_dir(path)?.collect();
            let mut paths: Vec<_> = entries?.into_iter().map(|entry| entry.path()).collect();
            paths.sort();
            return paths.iter().try_for_each(|path| add(path, hasher));
        }
        let content = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        hasher.update(path.to_string_lossy().as_bytes());
        hasher.update(content.len().to_le_bytes());
        hasher.update(content);
        Ok(())
    }
    let mut hasher = Sha256::new();
    paths.iter().try_for_each(|path| add(path, &mut hasher))?;
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
        fs::write(folder.join("inner/a"), "2").unwrap();
        assert_ne!(digest(std::slice::from_ref(&folder)).unwrap(), first);
        assert!(digest(&[folder.join("missing")]).is_err());
        fs::remove_dir_all(folder).unwrap();
    }
}
