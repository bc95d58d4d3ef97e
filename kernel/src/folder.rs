//! The folders in which cells are compiled.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

const TEMPLATE: &str = "template";
/// Written by the set-up when the template is whole; says what it was compiled from.
const STAMP: &str = "d2l-stamp";

/// A folder that this kernel has to itself until it ends.
pub struct Folder {
    pub path: PathBuf,
    _lock: File,
}

/// The template itself, for the set-up to warm.
pub fn template(base: &Path) -> Result<Folder> {
    match take(base, TEMPLATE)? {
        Some(folder) => Ok(folder),
        None => bail!("{}: another set-up is at work here; wait for it", base.display()),
    }
}

/// The first folder that no other kernel has, as warm as the template.
pub fn take_free(base: &Path) -> Result<Folder> {
    for i in 0..1000 {
        let name = format!("kernel-{i}");
        if let Some(folder) = take(base, &name)? {
            refresh(&base.join(TEMPLATE), &folder.path)?;
            return Ok(folder);
        }
    }
    bail!("{}: a thousand kernels are running; shut some down", base.display())
}

fn take(base: &Path, name: &str) -> Result<Option<Folder>> {
    let path = base.join(name);
    fs::create_dir_all(&path).with_context(|| format!("cannot make {}", path.display()))?;
    let lock_path = base.join(format!("{name}.lock"));
    let lock = File::create(&lock_path)
        .with_context(|| format!("cannot write {}", lock_path.display()))?;
    match lock.try_lock() {
        Ok(()) => Ok(Some(Folder { path, _lock: lock })),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("cannot lock {}", lock_path.display()))
        }
    }
}

/// Fills the folder from the template unless it was filled from the same one.
fn refresh(template: &Path, folder: &Path) -> Result<()> {
    let Ok(stamp) = fs::read(template.join(STAMP)) else {
        eprintln!("The build is not warm: run `cargo d2l setup`, or the first cell takes minutes.");
        return Ok(());
    };
    if fs::read(folder.join(STAMP)).is_ok_and(|own| own == stamp) {
        return Ok(());
    }
    let filled = fs::remove_dir_all(folder).and_then(|()| copy(template, folder));
    filled.with_context(|| format!("cannot fill {}; is the disk full?", folder.display()))?;
    fs::write(folder.join(STAMP), stamp)?;
    Ok(())
}

/// Copies a folder; times are kept, for Cargo to see that nothing changed. Large files, which the
/// compiler replaces but never changes in place, are linked.
fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    const LARGE: u64 = 1 << 16;
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        let data = entry.metadata()?;
        if data.is_dir() {
            copy(&source, &target)?;
        } else if entry.file_name() != STAMP
            && (data.len() < LARGE || fs::hard_link(&source, &target).is_err())
        {
            fs::copy(&source, &target)?;
            File::options().write(true).open(&target)?.set_modified(data.modified()?)?;
        }
    }
    Ok(())
}
