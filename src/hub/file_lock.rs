//! Two programs that make the same file: the second one waits.

use std::fs::{File, OpenOptions};
use std::path::Path;
use std::time::Duration;

use crate::jupyter::check_interrupt;
use crate::jupyter::say;
use crate::{Error, Result};

/// Opens `path` with `open`, and locks it until the file is dropped; the system unlocks it when a
/// program is killed. Waits for a program that has it, and starts over if that one has moved or
/// removed it in the meantime. `None` on a file system that knows no locks.
pub(super) fn lock(path: &Path, open: impl Fn() -> std::io::Result<File>) -> Result<Option<File>> {
    let mut told = false;
    loop {
        // What is written here must not end up elsewhere.
        if path.is_symlink() {
            let expected = "nothing, or what an earlier call left";
            return Err(Error::file(path, "a link is in the way", expected, "remove the link"));
        }
        let file = open().map_err(Error::io("write", path))?;
        match file.try_lock() {
            Ok(()) if is_at(&file, path) => return Ok(Some(file)),
            Ok(()) => continue,
            Err(std::fs::TryLockError::WouldBlock) => {}
            Err(std::fs::TryLockError::Error(_)) => return Ok(None),
        }
        if !std::mem::replace(&mut told, true) {
            say(format_args!(
                "Waiting for another program that is at work on {} ...",
                path.display()
            ));
        }
        check_interrupt()?;
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Opens no link, should one be put there between the look and the opening.
#[cfg(unix)]
pub(super) fn no_follow(options: &mut OpenOptions) -> &mut OpenOptions {
    use std::os::unix::fs::OpenOptionsExt;
    options.custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed())
}

#[cfg(not(unix))]
pub(super) fn no_follow(options: &mut OpenOptions) -> &mut OpenOptions {
    options
}

/// Whether the open file is the one that the path names now.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let id = |data: std::io::Result<std::fs::Metadata>| data.ok().map(|d| (d.dev(), d.ino()));
    id(file.metadata()).is_some_and(|id_of_file| Some(id_of_file) == id(path.symlink_metadata()))
}

#[cfg(not(unix))]
fn is_at(_: &File, path: &Path) -> bool {
    path.exists()
}
