//! Unpacking an archive whole or not at all (d2l: `extract`).

use std::fs::File;
use std::path::{Component, Path, PathBuf};

use super::archive_stem;
use crate::display::Progress;
use crate::interrupt::check_interrupt;
use crate::{Error, Result};

/// Unpacks a `.zip`, `.tar`, `.tar.gz` or `.tgz` beside itself or into `folder`, and answers the
/// folder that came out of it: the one named like the archive, else `folder` (d2l: `extract`).
///
/// It unpacks into a temporary folder first, so that what is there under its name is whole. What is
/// there already is kept.
///
/// # Errors
/// Another kind of file, a damaged archive, or an entry that would be written outside the folder.
pub fn extract(archive: &Path, folder: Option<&Path>) -> Result<PathBuf> {
    let folder = match folder {
        Some(folder) => folder.to_path_buf(),
        None => archive.parent().unwrap_or(Path::new("")).to_path_buf(),
    };
    let name = archive.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    std::fs::create_dir_all(&folder).map_err(Error::io("make the folder", &folder))?;
    let file = File::open(archive).map_err(Error::io("read the archive", archive))?;
    let temporary = tempfile::Builder::new()
        .prefix(".d2l-extract-")
        .tempdir_in(&folder)
        .map_err(Error::io("write to the folder", &folder))?;
    if name.ends_with(".zip") {
        unzip(file, archive, temporary.path())?;
    } else if name.ends_with(".tar.gz") || name.ends_with(".tgz") {
        untar(flate2::read::GzDecoder::new(file), archive, temporary.path())?;
    } else if name.ends_with(".tar") {
        untar(file, archive, temporary.path())?;
    } else {
        return Err(Error::file(
            archive,
            "not an archive by its name",
            "a .zip, .tar, .tar.gz or .tgz",
            "rename the file, or unpack it by hand",
        ));
    }
    let entries = std::fs::read_dir(temporary.path()).map_err(Error::io("read", &folder))?;
    for entry in entries {
        let entry = entry.map_err(Error::io("read", &folder))?;
        let target = folder.join(entry.file_name());
        if !target.exists() {
            std::fs::rename(entry.path(), &target).map_err(Error::io("write", &target))?;
        }
    }
    let unpacked = folder.join(archive_stem(&name));
    Ok(if unpacked.is_dir() { unpacked } else { folder })
}

fn unzip(file: File, archive: &Path, folder: &Path) -> Result<()> {
    let mut zip = zip::ZipArchive::new(file).map_err(|error| damaged(archive, &error))?;
    let mut progress = Progress::new("unpacking", zip.len() as u64);
    for i in 0..zip.len() {
        check_interrupt()?;
        let mut entry = zip.by_index(i).map_err(|error| damaged(archive, &error))?;
        let name = entry
            .enclosed_name()
            .ok_or_else(|| unsafe_entry(archive, &String::from_utf8_lossy(entry.name_raw())))?;
        write_entry(archive, folder, &name, entry.is_dir(), entry.is_file(), &mut entry)?;
        progress.advance(1);
    }
    Ok(())
}

fn untar(reader: impl std::io::Read, archive: &Path, folder: &Path) -> Result<()> {
    let mut tar = tar::Archive::new(reader);
    let entries = tar.entries().map_err(|error| damaged(archive, &error))?;
    let mut progress = Progress::new("unpacking", 0);
    for entry in entries {
        check_interrupt()?;
        let mut entry = entry.map_err(|error| damaged(archive, &error))?;
        let name = entry.path().map_err(|error| damaged(archive, &error))?.into_owned();
        let kind = entry.header().entry_type();
        write_entry(archive, folder, &name, kind.is_dir(), kind.is_file(), &mut entry)?;
        progress.advance(1);
    }
    Ok(())
}

/// Writes one entry below `folder`; refuses names that leave it, links and devices.
fn write_entry(
    archive: &Path,
    folder: &Path,
    name: &Path,
    is_dir: bool,
    is_file: bool,
    content: &mut impl std::io::Read,
) -> Result<()> {
    let inside = |part| matches!(part, Component::Normal(_) | Component::CurDir);
    if !name.components().all(inside) || !(is_dir || is_file) {
        return Err(unsafe_entry(archive, &name.to_string_lossy()));
    }
    let target = folder.join(name);
    let parent = if is_dir { &target } else { target.parent().unwrap_or(folder) };
    std::fs::create_dir_all(parent).map_err(Error::io("make the folder", parent))?;
    if is_file {
        let mut file = File::create(&target).map_err(Error::io("write", &target))?;
        // Reading and writing fail alike here; a full disk is told apart by its kind.
        std::io::copy(content, &mut file).map_err(|error| match error.kind() {
            std::io::ErrorKind::StorageFull => Error::io("write", &target)(error),
            _ => damaged(archive, &error),
        })?;
    }
    Ok(())
}

fn damaged(archive: &Path, error: &dyn std::error::Error) -> Error {
    Error::file(
        archive,
        format!("the archive cannot be read ({error})"),
        "a whole zip or tar file",
        "remove it and run again: it will be fetched anew",
    )
}

fn unsafe_entry(archive: &Path, name: &str) -> Error {
    Error::file(
        archive,
        format!("the entry {name:?} is a link or would be written outside the folder"),
        "files and folders below one folder",
        "do not trust this archive; nothing of it was kept",
    )
}
