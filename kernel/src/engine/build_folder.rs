//! The folders in which cells are compiled.

use std::ffi::OsStr;
use std::fs::{self, File, TryLockError};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use rustix::io::{FdFlags, fcntl_setfd};

const TEMPLATE: &str = "template";
/// Written by the set-up when the template is whole; says what it was compiled from.
const STAMP: &str = "d2l-stamp";

/// How the name of a kernel's folder among the temporary files begins.
pub const SCRATCH: &str = "d2l-kernel-";

/// A folder that this kernel has to itself, until it and all that it has started have ended.
pub struct BuildFolder {
    pub path: PathBuf,
    /// Exists while a kernel uses the folder, and after a crash; names its scratch folder.
    in_use: PathBuf,
    _lock: File,
}

impl BuildFolder {
    /// Marks a folder that was left in order.
    pub fn leave(&self) {
        let _ = fs::remove_file(&self.in_use);
    }
}

/// The template itself, for the set-up to warm.
pub fn template(base: &Path) -> Result<BuildFolder> {
    match take(base, TEMPLATE)? {
        Some(folder) => Ok(folder),
        None => bail!("{}: another set-up is at work here; wait for it", base.display()),
    }
}

/// The first folder that no other kernel has, as warm as the template.
///
/// `scratch` is the kernel's folder among the temporary files, `report` is called with what is being
/// done that may take a while.
pub fn take_free(base: &Path, scratch: &Path, report: impl Fn(&str)) -> Result<BuildFolder> {
    for i in 0..1000 {
        let name = format!("kernel-{i}");
        if let Some(folder) = take(base, &name)? {
            if let Ok(left) = fs::read(&folder.in_use) {
                // Leftovers of a crash are removed.
                let _ = fs::remove_file(folder.path.join(STAMP));
                let left = Path::new(OsStr::from_bytes(&left));
                if is_scratch(left, scratch) {
                    let _ = fs::remove_dir_all(left);
                }
            }
            refresh(&base.join(TEMPLATE), &folder.path, report)?;
            fs::write(&folder.in_use, scratch.as_os_str().as_bytes())
                .with_context(|| format!("cannot write {}", folder.in_use.display()))?;
            return Ok(folder);
        }
    }
    bail!("{}: a thousand kernels are running; shut some down", base.display())
}

/// Whether a path that a file names is the folder of a kernel such as ours, which has `own`: nothing
/// else is removed, whatever the file says.
fn is_scratch(path: &Path, own: &Path) -> bool {
    let name = path.file_name().map(OsStr::as_bytes);
    let is_beside = [own.parent(), Some(&std::env::temp_dir())].contains(&path.parent());
    is_beside && path.is_absolute() && name.is_some_and(|name| name.starts_with(SCRATCH.as_bytes()))
}

fn take(base: &Path, name: &str) -> Result<Option<BuildFolder>> {
    let path = base.join(name);
    fs::create_dir_all(&path).with_context(|| format!("cannot make {}", path.display()))?;
    let lock_path = base.join(format!("{name}.lock"));
    let lock = File::create(&lock_path)
        .with_context(|| format!("cannot write {}", lock_path.display()))?;
    match lock.try_lock() {
        Ok(()) => {
            // evcxr, cargo and the program hold it too, so that nobody takes the folder from a
            // build that has outlived its kernel.
            fcntl_setfd(&lock, FdFlags::empty())?;
            Ok(Some(BuildFolder { path, in_use: base.join(format!("{name}.in-use")), _lock: lock }))
        }
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("cannot lock {}", lock_path.display()))
        }
    }
}

/// Fills the folder from the template unless it was filled from the same one.
fn refresh(template: &Path, folder: &Path, report: impl Fn(&str)) -> Result<()> {
    let Ok(stamp) = fs::read(template.join(STAMP)) else {
        report("The build is not warm: run `cargo d2l setup`, or the first cell takes minutes.");
        return Ok(());
    };
    if fs::read(folder.join(STAMP)).is_ok_and(|own| own == stamp) {
        return Ok(());
    }
    report("Filling a build folder with what the set-up has compiled ...");
    let filled = fs::remove_dir_all(folder).and_then(|()| copy(template, folder));
    filled.with_context(|| format!("cannot fill {}; is the disk full?", folder.display()))?;
    fs::write(folder.join(STAMP), stamp)
        .with_context(|| format!("cannot write to {}", folder.display()))
}

/// Copies a folder, with its times, so that Cargo sees that nothing changed. Large files, which the
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

#[cfg(test)]
mod tests {
    use super::*;

    fn warm_base() -> tempfile::TempDir {
        let base = tempfile::tempdir().unwrap();
        fs::create_dir_all(base.path().join("template/inner")).unwrap();
        fs::write(base.path().join("template/inner/file"), "warm").unwrap();
        fs::write(base.path().join("template/d2l-stamp"), "1").unwrap();
        base
    }

    #[test]
    fn kernels_have_folders_of_their_own() {
        let base = warm_base();
        let scratch = base.path().join("d2l-kernel-x");
        let first = take_free(base.path(), &scratch, |_| {}).unwrap();
        let second = take_free(base.path(), &scratch, |_| {}).unwrap();
        assert_ne!(first.path, second.path);
        for folder in [&first, &second] {
            assert_eq!(fs::read(folder.path.join("inner/file")).unwrap(), b"warm");
        }
        let path = first.path.clone();
        first.leave();
        drop(first);
        assert_eq!(take_free(base.path(), &scratch, |_| {}).unwrap().path, path);
    }

    #[test]
    fn a_folder_is_filled_anew_after_a_crash_and_a_new_set_up_only() {
        let base = warm_base();
        let file = base.path().join("kernel-0/inner/file");
        let scratch = base.path().join("d2l-kernel-x");
        let take = |crash: bool| {
            let folder = take_free(base.path(), &scratch, |_| {}).unwrap();
            if !crash {
                folder.leave();
            }
        };
        take(false);
        fs::write(&file, "the kernel's own").unwrap();
        take(true);
        assert_eq!(fs::read(&file).unwrap(), b"the kernel's own");
        fs::create_dir(&scratch).unwrap();
        take(false);
        assert!(!scratch.exists());
        assert_eq!(fs::read(&file).unwrap(), b"warm");
        fs::write(&file, "the kernel's own").unwrap();
        fs::write(base.path().join("template/d2l-stamp"), "2").unwrap();
        take(false);
        assert_eq!(fs::read(&file).unwrap(), b"warm");
    }

    /// A file that was overwritten, by accident or by somebody else, must not cause a folder to be removed.
    #[test]
    fn only_a_kernel_s_own_scratch_folder_is_removed() {
        let own = Path::new("/tmp/x/d2l-kernel-own");
        let temporary = std::env::temp_dir();
        for path in [Path::new("/tmp/x/d2l-kernel-abc"), &temporary.join("d2l-kernel-abc")] {
            assert!(is_scratch(path, own), "{path:?}");
        }
        for path in [
            "",
            "/",
            "d2l-kernel-abc",
            "/home/reader/d2l-kernel-notes/thesis",
            "/home/reader/d2l-kernel-notes",
            "/tmp/x/d2l-kernel-abc/..",
            "/tmp/x/d2l-kernel-abc/bin",
            "/tmp/x/old-d2l-kernel-abc",
            "/tmp/x",
        ] {
            assert!(!is_scratch(Path::new(path), own), "{path:?}");
        }
    }

    #[test]
    fn what_a_file_names_falsely_is_left_alone() {
        let base = warm_base();
        let scratch = base.path().join("d2l-kernel-x");
        let precious = base.path().join("d2l-kernel-notes/thesis");
        fs::create_dir_all(&precious).unwrap();
        drop(take_free(base.path(), &scratch, |_| {}).unwrap());
        for content in [precious.as_os_str().as_bytes(), b"\xff\xfe", b""] {
            fs::write(base.path().join("kernel-0.in-use"), content).unwrap();
            fs::write(base.path().join("kernel-0/inner/file"), "half written").unwrap();
            take_free(base.path(), &scratch, |_| {}).unwrap().leave();
            assert!(precious.exists());
            // Whatever it says, there was a crash.
            assert_eq!(fs::read(base.path().join("kernel-0/inner/file")).unwrap(), b"warm");
        }
    }
}
