//! Unpacking an archive whole or not at all (d2l: `extract`).

use std::cell::Cell;
use std::fs::File;
use std::io::{BufReader, ErrorKind, Read, Seek, SeekFrom};
use std::path::{Component, Path, PathBuf};

use zip::read::{ArchiveOffset, Config};
use zip::result::ZipError;

use super::content::Content;
use super::gzip::Gzip;
use super::{WorkFolder, archive_stem, sync_folder};
use crate::jupyter::Progress;
use crate::jupyter::check_interrupt;
use crate::{Error, Result, settings};

/// Unpacks a `.zip`, `.tar`, `.tar.gz` or `.tgz` beside itself or into `folder`, and returns the
/// folder that came out of it: the one named like the archive, else `folder` (d2l: `extract`).
///
/// It unpacks into a hidden folder first, so that what is there under its name is whole; what a
/// killed program left there is removed. What is there already stays.
///
/// The book: [*Utility Functions and Classes*](https://d2l.ai/chapter_appendix-tools-for-deep-learning/utils.html).
///
/// # Errors
/// A kind of archive, compression or entry that is not read here (the message says what it is and
/// how to unpack it); a damaged archive; an entry that is a link, that is there twice or would be
/// written outside the folder; more than a hundred times as many bytes as the archive has (and
/// 100 MB).
///
/// ```no_run
/// use d2l::prelude::*;
/// let folder = extract("set.zip", None)?;
/// # Ok::<(), d2l::Error>(())
/// ```
pub fn extract(archive: impl AsRef<Path>, folder: Option<&Path>) -> Result<PathBuf> {
    unpack(archive.as_ref(), folder)
}

fn unpack(archive: &Path, folder: Option<&Path>) -> Result<PathBuf> {
    let folder = match folder {
        Some(folder) => folder.to_path_buf(),
        None => archive.parent().unwrap_or(Path::new("")).to_path_buf(),
    };
    let name = archive.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let file = File::open(archive).map_err(Error::io("read the archive", archive))?;
    let size = file.metadata().map_err(Error::io("read the archive", archive))?.len();
    let content = Content::of_file(&file).map_err(Error::io("read the archive", archive))?;
    let kind = Kind::of(archive, &name, content)?;
    std::fs::create_dir_all(&folder).map_err(Error::io("make the folder", &folder))?;
    let work = WorkFolder::new(folder.join(format!(".{name}.unpacking")))?;
    let mut unpacker = Unpacker {
        archive,
        folder: work.path(),
        bytes: 0,
        most: size.max(1 << 20).saturating_mul(100),
    };
    match kind {
        Kind::Zip => unpacker.unzip(file, content == Content::Zip)?,
        Kind::Tar => unpacker.untar(BufReader::new(whole_tar(file, archive)?))?,
        Kind::TarGz => {
            unpacker.check_gzip(&file)?;
            unpacker.untar(Gzip::new(file))?;
        }
    }
    work.sync()?;
    let entries = std::fs::read_dir(work.path()).map_err(Error::io("read", &folder))?;
    for entry in entries {
        let entry = entry.map_err(Error::io("read", &folder))?;
        let target = folder.join(entry.file_name());
        if target.exists() {
            continue;
        }
        // Another program may be first by a moment: what it has put there is whole, too.
        if let Err(error) = std::fs::rename(entry.path(), &target)
            && !target.exists()
        {
            return Err(Error::io("write", &target)(error));
        }
    }
    sync_folder(&folder);
    let unpacked = folder.join(archive_stem(&name));
    Ok(if unpacked.is_dir() { unpacked } else { folder })
}

enum Kind {
    Zip,
    Tar,
    TarGz,
}

impl Kind {
    /// How to read the archive, by its name and its first bytes; an error for what is not read here.
    fn of(archive: &Path, name: &str, content: Content) -> Result<Kind> {
        let expected = "a .zip, .tar, .tar.gz or .tgz";
        let error = |found: String, todo: String| Err(Error::file(archive, found, expected, todo));
        let rename = |is: &str, end: &str| {
            error(
                format!("{is}, which its name does not say"),
                format!("rename the file so that its name ends in {end}"),
            )
        };
        let by_name = Content::of_name(name);
        match (by_name, content) {
            (_, Content::Foreign(foreign)) | (Content::Foreign(foreign), Content::Unknown) => {
                error(
                    format!("packed by {}, which is not read here", foreign.name),
                    format!("unpack it by hand: `{}`", foreign.command(name)),
                )
            }
            (_, Content::Page | Content::Xml) => error(
                "a page (HTML or XML), not an archive: an error or a log-in was saved in its place"
                    .into(),
                "open the address in a browser, save the file itself and put it here".into(),
            ),
            (_, Content::Pointer) => error(
                "a pointer of Git LFS or git-annex, not the archive itself".into(),
                "run `git lfs pull` or `git annex get` in the repository that it came from, or \
                 download the file itself from the repository's page"
                    .into(),
            ),
            (Content::Piece, _) => error(
                "one piece of an archive that was cut into several".into(),
                "join the pieces by hand: `cat set.zip.* > set.zip` for .001, .002, …, or \
                 `zip -s 0 set.zip --out whole.zip` for .z01, .z02, …"
                    .into(),
            ),
            (Content::Zip, Content::Zip | Content::Unknown) => Ok(Kind::Zip),
            // As in Python, the content decides: servers and browsers unpack a .gz on the way.
            (Content::Tar, Content::Tar) => Ok(Kind::Tar),
            (Content::Tar, Content::Gzip) => Ok(Kind::TarGz),
            (Content::Tar, Content::Unknown) if name.to_lowercase().ends_with("gz") => {
                Ok(Kind::TarGz)
            }
            (Content::Tar, Content::Unknown) => Ok(Kind::Tar),
            (Content::Gzip, Content::Gzip) => error(
                "compressed by gzip, and no .tar.gz by its name".into(),
                format!(
                    "if there is one file in it, unpack it by hand: `gzip -dk {name}`; if there is \
                     a tar in it, rename it so that its name ends in .tar.gz"
                ),
            ),
            (_, Content::Zip) => rename("a zip", ".zip"),
            (_, Content::Tar) => rename("a tar", ".tar"),
            (_, Content::Gzip) => rename("compressed by gzip", ".tar.gz, if there is a tar in it"),
            (_, _) => error(
                "not an archive by its name".into(),
                "rename the file, or unpack it by hand".into(),
            ),
        }
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
    /// `from_start`: the archive begins where the file does, as all do but those that unpack
    /// themselves, which have a program before it. Only there may its start be looked for.
    fn unzip(&mut self, file: File, from_start: bool) -> Result<()> {
        let start = if from_start { ArchiveOffset::Known(0) } else { ArchiveOffset::Detect };
        let mut zip = zip::ZipArchive::with_config(Config { archive_offset: start }, file)
            .map_err(|error| self.unreadable(error, None))?;
        if zip.has_duplicate_names() {
            return Err(self.refused("an entry", "is there twice"));
        }
        if zip.decompressed_size().is_some_and(|size| size > self.most.into()) {
            return Err(self.too_much("all entries together"));
        }
        let mut progress = Progress::new("unpacking", zip.len() as u64);
        for i in 0..zip.len() {
            check_interrupt()?;
            let listed = zip.name_for_index(i).and_then(|name| name.ok().map(String::from));
            let mut entry = zip.by_index(i).map_err(|error| self.unreadable(error, listed))?;
            let name = match std::str::from_utf8(entry.name_raw()) {
                Ok(name) => name.to_string(),
                Err(_) => entry.name().map_err(|error| self.damaged(&error))?.into_owned(),
            };
            let (is_dir, is_file, size) = (entry.is_dir(), entry.is_file(), entry.size());
            let name = Path::new(&name);
            if !(is_dir || is_file) {
                return Err(self.is_link(name));
            }
            self.write(name, is_dir, size, &mut entry)?;
            progress.advance(1);
        }
        Ok(())
    }

    /// A `.tar.gz` has a tar in it; what else it may be is told from a damaged one by its checksum.
    fn check_gzip(&self, mut file: &File) -> Result<()> {
        let mut inside = vec![];
        let mut gzip = Gzip::new(file);
        let read = gzip.by_ref().take(Content::HEAD).read_to_end(&mut inside);
        read.map_err(|error| self.damaged(&error))?;
        let is_empty = inside.iter().all(|byte| *byte == 0);
        if !is_empty && Content::of(&inside) != Content::Tar {
            let rest = std::io::copy(&mut gzip.take(self.most), &mut std::io::sink());
            rest.map_err(|error| self.damaged(&error))?;
            let name = self.archive.file_name().unwrap_or_default().to_string_lossy();
            let what = match Content::of(&inside) {
                Content::Gzip => "a file that is compressed by gzip once more",
                Content::Zip => "a zip",
                Content::Page | Content::Xml => "a page (HTML or XML)",
                _ => "one file of another kind",
            };
            return Err(self.unsupported(
                format!("compressed by gzip, but there is no tar in it: {what}"),
                format!("unpack it by hand and look at it: `gzip -dc {name} > unpacked`"),
            ));
        }
        file.rewind().map_err(Error::io("read the archive", self.archive))
    }

    fn untar(&mut self, reader: impl Read) -> Result<()> {
        /// Names and notes on the next entry are held in memory, whatever size they say they have.
        const NOTES: u64 = 1 << 20;
        let left = Cell::new(NOTES);
        let mut tar = tar::Archive::new(Limited { reader, left: &left });
        let mut entries = tar.entries().map_err(|error| self.damaged(&error))?;
        let mut progress = Progress::new("unpacking", 0);
        loop {
            check_interrupt()?;
            left.set(NOTES);
            let Some(entry) = entries.next() else { break };
            let mut entry = entry.map_err(|error| match left.get() {
                0 => self.refused("an entry", "has a name or a note of more than 1 MB"),
                _ => self.damaged(&error),
            })?;
            let size = entry.size();
            left.set(size);
            let kind = entry.header().entry_type();
            let name = entry.path().map_err(|error| self.damaged(&error))?.into_owned();
            // A note on the archive, as git puts first, or its label: no file
            let is_note = kind.is_pax_global_extensions() || kind.as_byte() == b'V';
            if is_note {
                self.charge(&name, size)?;
            } else {
                let is_file = kind.is_file() || kind.is_contiguous() || kind.is_gnu_sparse();
                if !(is_file || kind.is_dir()) {
                    return Err(self.odd_entry(&name, kind));
                }
                let notes = entry.pax_extensions().ok().flatten();
                let is_sparse = notes.is_some_and(|mut notes| {
                    notes.any(|note| note.is_ok_and(|n| n.key_bytes().starts_with(b"GNU.sparse.")))
                });
                if is_sparse {
                    return Err(self.unsupported(
                        format!("the entry {name:?} is a file with holes in the pax form"),
                        self.by_hand("tar -xf"),
                    ));
                }
                self.write(&name, kind.is_dir(), size, &mut entry)?;
            }
            // What is left of a folder's or a note's content
            let rest = std::io::copy(&mut entry, &mut std::io::sink());
            rest.map_err(|error| self.damaged(&error))?;
            progress.advance(1);
        }
        // The checksum of a .gz comes at its very end.
        left.set(self.most.saturating_sub(self.bytes).saturating_add(1));
        std::io::copy(&mut tar.into_inner(), &mut std::io::sink()).map_err(|error| {
            if left.get() == 0 {
                self.too_much("what follows its end")
            } else {
                self.damaged(&error)
            }
        })?;
        Ok(())
    }

    /// Counts an entry of `size` bytes.
    fn charge(&mut self, name: &Path, size: u64) -> Result<()> {
        // An entry without content takes a place on the disk, too.
        self.bytes = self.bytes.saturating_add(size.max(512));
        if self.bytes > self.most {
            return Err(self.too_much(&format!("the entry {name:?}")));
        }
        Ok(())
    }

    /// Writes one folder, or one file of `size` bytes, below the folder.
    fn write(
        &mut self,
        name: &Path,
        is_dir: bool,
        size: u64,
        content: &mut impl Read,
    ) -> Result<()> {
        let entry = format!("the entry {name:?}");
        let inside = |part| matches!(part, Component::Normal(_) | Component::CurDir);
        if !name.components().all(inside) {
            return Err(self.refused(&entry, "would be written outside the folder"));
        }
        self.charge(name, size)?;
        let target = self.folder.join(name);
        let parent = if is_dir { &target } else { target.parent().unwrap_or(self.folder) };
        std::fs::create_dir_all(parent).map_err(|error| self.not_written(name, error))?;
        if is_dir {
            return Ok(());
        }
        let mut file = File::create_new(&target).map_err(|error| self.not_written(name, error))?;
        let copied = std::io::copy(&mut content.take(size.saturating_add(1)), &mut file);
        match copied.map_err(|error| self.not_written(name, error))? {
            copied if copied == size => Ok(()),
            copied => {
                let found = format!("has {copied} bytes or more where it says {size}");
                Err(self.refused(&entry, &found))
            }
        }
    }

    /// Reading and writing fail alike; what the disk says is told apart by its kind.
    fn not_written(&self, name: &Path, error: std::io::Error) -> Error {
        use ErrorKind::*;
        if let Some(error) = error.get_ref().and_then(|inner| inner.downcast_ref::<ZipError>()) {
            return self.unreadable(error.clone(), Some(name.display().to_string()));
        }
        match error.kind() {
            StorageFull | QuotaExceeded | FileTooLarge | PermissionDenied | ReadOnlyFilesystem
            | InvalidFilename => Error::io("write", self.folder.join(name))(error),
            AlreadyExists | NotADirectory | IsADirectory => {
                self.refused(&format!("the entry {name:?}"), "is there twice")
            }
            _ => self.damaged(&error),
        }
    }

    /// What the reader of zips says: what it does not know is told from what is damaged.
    fn unreadable(&self, error: ZipError, entry: Option<String>) -> Error {
        let entry = entry.map_or("an entry".into(), |name| format!("the entry {name:?}"));
        match error {
            ZipError::CompressionMethodNotSupported(method) => self.unsupported(
                format!("{entry} is compressed by {}, which is not read here", zip_method(method)),
                self.by_hand("7z x"),
            ),
            ZipError::InvalidPassword
            | ZipError::UnsupportedArchive(ZipError::PASSWORD_REQUIRED) => self.unsupported(
                format!("{entry} is encrypted and needs a password"),
                self.by_hand("7z x"),
            ),
            error if error.to_string().to_lowercase().contains("multi-disk") => self.unsupported(
                "the last piece of an archive that was cut into several".into(),
                "join the pieces by hand: `zip -s 0 set.zip --out whole.zip`".into(),
            ),
            ZipError::UnsupportedArchive(what) => self.unsupported(
                format!("a zip of a kind not read here ({what})"),
                self.by_hand("7z x"),
            ),
            error => self.damaged(&error),
        }
    }

    fn odd_entry(&self, name: &Path, kind: tar::EntryType) -> Error {
        let is_special = kind.is_symlink()
            || kind.is_hard_link()
            || kind.is_fifo()
            || kind.is_character_special()
            || kind.is_block_special();
        if is_special {
            return self.is_link(name);
        }
        let kind = char::from(kind.as_byte()).escape_default();
        self.unsupported(
            format!("the entry {name:?} is of the kind '{kind}', which is not read here"),
            self.by_hand("tar -xf"),
        )
    }

    /// What to do with what is not read here.
    fn by_hand(&self, tool: &str) -> String {
        let name = self.archive.file_name().unwrap_or_default().to_string_lossy();
        format!("unpack it by hand: `{tool} {name}`")
    }

    fn unsupported(&self, found: String, todo: String) -> Error {
        let expected = "a zip (stored or deflated), a tar or a tar.gz of plain files and folders";
        Error::file(self.archive, found, expected, todo)
    }

    fn damaged(&self, error: &dyn std::error::Error) -> Error {
        damaged(self.archive, error)
    }

    fn is_link(&self, name: &Path) -> Error {
        self.refused(&format!("the entry {name:?}"), "is a link, a pipe or a device")
    }

    fn too_much(&self, what: &str) -> Error {
        let found =
            format!("would make it more than {} MB, too much for its size", self.most >> 20);
        self.refused(what, &found)
    }

    fn refused(&self, what: &str, found: &str) -> Error {
        Error::file(
            self.archive,
            format!("{what} {found}"),
            "files and folders below one folder, each once",
            "do not trust this archive; nothing of it was kept. If you do, unpack it by hand",
        )
    }
}

/// Reads no more than is left, then fails.
struct Limited<'a, R> {
    reader: R,
    left: &'a Cell<u64>,
}

impl<R: Read> Read for Limited<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let most = buffer.len().min(usize::try_from(self.left.get()).unwrap_or(usize::MAX));
        if most == 0 && !buffer.is_empty() {
            return Err(std::io::Error::other("more than may be"));
        }
        let count = self.reader.read(buffer.get_mut(..most).unwrap_or_default())?;
        self.left.set(self.left.get() - count as u64);
        Ok(count)
    }
}

/// A method of compression in a zip by its number.
fn zip_method(number: u16) -> String {
    let name = match number {
        1 => "Shrink",
        2..=5 => "Reduce",
        6 => "Implode",
        9 => "Deflate64",
        12 => "bzip2",
        14 => "LZMA",
        20 | 93 => "Zstandard",
        94 => "MP3",
        95 => "xz",
        96 => "JPEG",
        97 => "WavPack",
        98 => "PPMd",
        _ => return format!("method {number}"),
    };
    format!("{name} (method {number})")
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
    // Only what was fetched is fetched again.
    let todo = if archive.starts_with(settings::folders().cache) {
        "remove it and run again: it will be fetched anew"
    } else {
        "get a whole copy from where it came: this one was cut off or changed on its way"
    };
    Error::file(
        archive,
        format!("the archive cannot be read ({error})"),
        "a whole zip or tar file",
        todo,
    )
}
