//! A hidden folder in which something is made before it takes its place.

use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::lock::lock;
use crate::{Error, Result};

/// A locked, empty folder that goes when it is dropped.
pub(crate) struct WorkFolder {
    path: PathBuf,
    _lock: File,
}

impl WorkFolder {
    /// Makes the folder, or takes the one that a killed program left and empties it; waits for a
    /// program that is at work in it.
    pub(crate) fn new(path: PathBuf) -> Result<WorkFolder> {
        let lock = lock(&path, || {
            match std::fs::create_dir(&path) {
                Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
                _ => {}
            }
            File::open(&path)
        })?;
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
}

impl Drop for WorkFolder {
    fn drop(&mut self) {
        // The next program removes what this one cannot.
        let _ = std::fs::remove_dir_all(&self.path);
    }
}
