//! A hidden folder in which something is made before it is moved to its place.

use std::fs::{File, OpenOptions};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::file_lock::{lock, no_follow};
use crate::{Error, Result};

/// An empty folder, locked where the system can, and removed when dropped.
pub(crate) struct WorkFolder {
    path: PathBuf,
    _lock: Option<File>,
}

impl WorkFolder {
    /// Creates the folder, or empties the one that a killed program left; waits for a
    /// program that is working in it. On a file system without locks each program has its own.
    pub(crate) fn new(path: PathBuf) -> Result<WorkFolder> {
        let lock = lock(&path, || {
            loop {
                match std::fs::create_dir(&path) {
                    Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
                    _ => {}
                }
                match no_follow(OpenOptions::new().read(true)).open(&path) {
                    // A program that has no lock either has just removed it.
                    Err(error) if error.kind() == ErrorKind::NotFound => {}
                    opened => return opened,
                }
            }
        })?;
        if lock.is_none() {
            // Only if no program is working in it.
            let _ = std::fs::remove_dir(&path);
            let own = format!("{}-", path.file_name().unwrap_or_default().to_string_lossy());
            let folder = path.parent().unwrap_or(Path::new(""));
            let own = tempfile::Builder::new().prefix(&own).tempdir_in(folder);
            let path = own.map_err(Error::io("write to the folder", folder))?.keep();
            return Ok(WorkFolder { path, _lock: None });
        }
        for entry in std::fs::read_dir(&path).map_err(Error::io("read", &path))? {
            let entry = entry.map_err(Error::io("read", &path))?.path();
            let is_folder = entry.is_dir() && !entry.is_symlink();
            let removed = if is_folder {
                std::fs::remove_dir_all(&entry)
            } else {
                std::fs::remove_file(&entry)
            };
            removed.map_err(Error::io("remove", &entry))?;
        }
        Ok(WorkFolder { path, _lock: lock })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Waits until all that is in it is on the disk. To be called before anything takes its place:
    /// a power cut may otherwise leave names of files without their content.
    pub(crate) fn sync(&self) -> Result<()> {
        sync_all(&self.path).map_err(Error::io("write", &self.path))
    }
}

/// The whole disk at once: file by file it takes a hundred times as long.
#[cfg(target_os = "linux")]
fn sync_all(folder: &Path) -> std::io::Result<()> {
    Ok(rustix::fs::syncfs(File::open(folder)?)?)
}

#[cfg(not(target_os = "linux"))]
fn sync_all(path: &Path) -> std::io::Result<()> {
    if !path.is_dir() {
        return OpenOptions::new().write(true).open(path)?.sync_all();
    }
    std::fs::read_dir(path)?.try_for_each(|entry| sync_all(&entry?.path()))
}

impl Drop for WorkFolder {
    fn drop(&mut self) {
        // The next program removes what this one cannot.
        let _ = std::fs::remove_dir_all(&self.path);
    }
}
