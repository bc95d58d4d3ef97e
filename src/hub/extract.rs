//! Unpacking an archive whole or not at all (d2l: `extract`).

use std::fs::File;
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::path::{Component, Path, PathBuf};

use super::WorkFolder;
use super::archive_stem;
use crate::display::Progress;
use crate::interrupt::check_interrupt;
use crate::{Error, Result};

/// Unpacks a `.zip`, `.tar`, `.tar.gz` or `.tgz` beside itself or into `folder`, and answers the
/// folder that came out of it: the one named like the archive, else `folder` (d2l: `extract`).
///
/// It unpacks into a hidden folder first, so that what is there under its name is whole; what a
/// killed program left there is removed. What is there already is kept.
///
/// The book: [*Utility Functions and Classes*](https://d2l.ai/chapter_appendix-tools-for-deep-learning/utils.html).
///
/// # Errors
/// Another kind of file, a damaged archive, an entry that is a link, that is there twice or would be
/// written outside the folder, or more than a hundred times as many bytes as the archive has (and
/// 100 MB).
pub fn extract(archive: &Path, folder: Option<&Path>) -> Result<PathBuf> {
    let folder = match folder {
        Some(folder) => folder.to_path_buf(),
        None => archive.parent().unwrap_or(Path::new("")).to_path_buf(),
    };
    let name = archive.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let kind = Kind::of(&name).ok_or_else(|| {
        Error::file(
            archive,
            "not an archive by its name",
            "a .zip, .tar, .tar.gz or .tgz",
            "rename the file, or unpack it by hand",
        )
    })?;
    let file = File::open(archive).map_err(Error::io("read the archive", archive))?;
    let size = file.metadata().map_err(Error::io("read the archive", archive))?.len();
    std::fs::create_dir_all(&folder).map_err(Error::io("make the folder", &folder))?;
    let work = WorkFolder::new(folder.join(format!(".{name}.unpacking")))?;
    let mut unpacker = Unpacker {
        archive,
        folder: work.path(),
        bytes: 0,
        most: size.max(1 << 20).saturating_mul(100),
    };
    match kind {
        Kind::Zip => unpacker.unzip(file)?,
        Kind::Tar => unpacker.untar(whole_tar(file, archive)?)?,
        Kind::TarGz => unpacker.untar(flate2::read::MultiGzDecoder::new(file))?,
    }
    let entries = std::fs::read_dir(work.path()).map_err(Error::io("read", &folder))?;
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

enum Kind {
    Zip,
    Tar,
    TarGz,
}

impl Kind {
    fn of(name: &str) -> Option<Kind> {
        let name = name.to_lowercase();
        let ends = [
            (".zip", Kind::Zip),
            (".tar", Kind::Tar),
            (".tar.gz", Kind::TarGz),
            (".tgz", Kind::TarGz),
        ];
        ends.into_iter().find(|(end, _)| name.ends_with(end)).map(|(_, kind)| kind)
    }
}

struct Unpacker<'a> {
    archive: &'a Path,
    folder: &'a Path,
    /// Written so far, and the most that may be.
    bytes: u64,
    most: u64,
}

impl Unpacker<'_> {
    fn unzip(&mut self, file: File) -> Result<()> {
        let mut zip = zip::ZipArchive::new(file).map_err(|error| self.damaged(&error))?;
        let mut progress = Progress::new("unpacking", zip.len() as u64);
        for i in 0..zip.len() {
            check_interrupt()?;
            let mut entry = zip.by_index(i).map_err(|error| self.damaged(&error))?;
            let name = match std::str::from_utf8(entry.name_raw()) {
                Ok(name) => name.to_string(),
                Err(_) => entry.name().map_err(|error| self.damaged(&error))?.into_owned(),
            };
            let (is_dir, is_file, size) = (entry.is_dir(), entry.is_file(), entry.size());
            self.write(Path::new(&name), is_dir, is_file, size, &mut entry)?;
            progress.advance(1);
        }
        Ok(())
    }

    fn untar(&mut self, reader: impl Read) -> Result<()> {
        let mut tar = tar::Archive::new(reader);
        let entries = tar.entries().map_err(|error| self.damaged(&error))?;
        let mut progress = Progress::new("unpacking", 0);
        for entry in entries {
            check_interrupt()?;
            let mut entry = entry.map_err(|error| self.damaged(&error))?;
            let kind = entry.header().entry_type();
            // What git puts first: a note on the archive, no file.
            if kind.is_pax_global_extensions() {
                continue;
            }
            let name = entry.path().map_err(|error| self.damaged(&error))?.into_owned();
            let is_file = kind.is_file() || kind.is_contiguous() || kind.is_gnu_sparse();
            let size = entry.size();
            self.write(&name, kind.is_dir(), is_file, size, &mut entry)?;
            progress.advance(1);
        }
        // The checksum of a .gz comes at its very end.
        let mut rest = tar.into_inner().take(self.most - self.bytes);
        std::io::copy(&mut rest, &mut std::io::sink()).map_err(|error| self.damaged(&error))?;
        Ok(())
    }

    /// Writes one entry of `size` bytes below the folder.
    fn write(
        &mut self,
        name: &Path,
        is_dir: bool,
        is_file: bool,
        size: u64,
        content: &mut impl Read,
    ) -> Result<()> {
        let inside = |part| matches!(part, Component::Normal(_) | Component::CurDir);
        if !name.components().all(inside) {
            return Err(self.refused(name, "would be written outside the folder"));
        }
        if !(is_dir || is_file) {
            return Err(self.refused(name, "is a link, a pipe or a device"));
        }
        // An entry without content takes a place on the disk, too.
        self.bytes = self.bytes.saturating_add(size.max(512));
        if self.bytes > self.most {
            let found =
                format!("would make it more than {} MB, too much for its size", self.most >> 20);
            return Err(self.refused(name, &found));
        }
        let target = self.folder.join(name);
        let parent = if is_dir { &target } else { target.parent().unwrap_or(self.folder) };
        std::fs::create_dir_all(parent).map_err(|error| self.not_written(name, error))?;
        if !is_file {
            return Ok(());
        }
        let mut file = File::create_new(&target).map_err(|error| self.not_written(name, error))?;
        let copied = std::io::copy(&mut content.take(size + 1), &mut file);
        match copied.map_err(|error| self.not_written(name, error))? {
            copied if copied == size => Ok(()),
            copied => {
                let found = format!("has {copied} bytes or more where it says {size}");
                Err(self.refused(name, &found))
            }
        }
    }

    /// Reading and writing fail alike; what the disk says is told apart by its kind.
    fn not_written(&self, name: &Path, error: std::io::Error) -> Error {
        use ErrorKind::*;
        match error.kind() {
            StorageFull | QuotaExceeded | FileTooLarge | PermissionDenied | ReadOnlyFilesystem => {
                Error::io("write", self.folder.join(name))(error)
            }
            AlreadyExists | NotADirectory | IsADirectory => self.refused(name, "is there twice"),
            _ => self.damaged(&error),
        }
    }

    fn damaged(&self, error: &dyn std::error::Error) -> Error {
        damaged(self.archive, error)
    }

    fn refused(&self, name: &Path, found: &str) -> Error {
        Error::file(
            self.archive,
            format!("the entry {name:?} {found}"),
            "files and folders below one folder, each once",
            "do not trust this archive; nothing of it was kept. If you do, unpack it by hand",
        )
    }
}

/// A tar that ends in zeros, as all do that are whole.
fn whole_tar(mut file: File, archive: &Path) -> Result<File> {
    let mut end = vec![];
    let length = file.metadata().map_or(0, |data| data.len());
    file.seek(SeekFrom::Start(length.saturating_sub(1024)))
        .and_then(|_| file.read_to_end(&mut end))
        .and_then(|_| if end == [0; 1024] { Ok(()) } else { Err(ErrorKind::UnexpectedEof.into()) })
        .and_then(|()| file.rewind())
        .map_err(|error| damaged(archive, &error))?;
    Ok(file)
}

fn damaged(archive: &Path, error: &dyn std::error::Error) -> Error {
    Error::file(
        archive,
        format!("the archive cannot be read ({error})"),
        "a whole zip or tar file",
        "remove it and run again: it will be fetched anew",
    )
}
