//! What a file is, by its first bytes and by its name: what is unpacked here is told from what is
//! not, and both from a page or a pointer that was saved in a file's place.

use std::fs::File;
use std::io::{Read, Seek};

use super::first_bytes::Kind;

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Content {
    Zip,
    Gzip,
    Tar,
    /// Packed in a way that is not read here.
    Foreign(&'static Foreign),
    /// A page for people (HTML).
    Page,
    /// XML: a page, an error of a server, or data.
    Xml,
    /// What Git LFS or git-annex keep in a repository in place of a large file.
    Pointer,
    /// One of several files that an archive was cut into.
    Piece,
    Unknown,
}

/// A kind of compression or archive that is not read here.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Foreign {
    /// What it is called.
    pub(super) name: &'static str,
    kind: Kind,
    /// How their names end.
    ends: &'static [&'static str],
    /// The program that unpacks it. One that is for single files unpacks a tar by way of `tar`.
    tool: &'static str,
    single: bool,
}

const FOREIGN: [Foreign; 9] = [
    foreign("xz", Kind::Xz, &[".xz", ".txz"], "xz -dk", true),
    foreign("bzip2", Kind::Bzip2, &[".bz2", ".tbz", ".tbz2"], "bzip2 -dk", true),
    foreign("Zstandard", Kind::Zstandard, &[".zst", ".tzst"], "zstd -d", true),
    foreign("LZ4", Kind::Lz4, &[".lz4"], "lz4 -d", true),
    foreign("lzip", Kind::Lzip, &[".lz", ".tlz"], "lzip -dk", true),
    foreign("LZMA", Kind::Lzma, &[".lzma"], "xz -dk", true),
    foreign("compress", Kind::Compress, &[".Z", ".taz"], "gzip -dk", true),
    foreign("7-Zip", Kind::SevenZip, &[".7z"], "7z x", false),
    foreign("RAR", Kind::Rar, &[".rar"], "unrar x", false),
];

const fn foreign(
    name: &'static str,
    kind: Kind,
    ends: &'static [&'static str],
    tool: &'static str,
    single: bool,
) -> Foreign {
    Foreign { name, kind, ends, tool, single }
}

impl Foreign {
    /// The command that unpacks the file `name`.
    pub(super) fn command(&self, name: &str) -> String {
        let lower = name.to_lowercase();
        let is_tar = lower.contains(".tar")
            || [".txz", ".tbz", ".tbz2", ".tzst", ".tlz", ".taz"]
                .iter()
                .any(|end| lower.ends_with(end));
        let tool = if self.single && is_tar { "tar -xf" } else { self.tool };
        format!("{tool} {name}")
    }

    fn has_name(&self, name: &str) -> bool {
        let lower = name.to_lowercase();
        self.ends.iter().any(|end| lower.ends_with(&end.to_lowercase()))
    }
}

impl Content {
    /// How many bytes from the start are enough to tell.
    pub(super) const HEAD: u64 = 512;

    /// What a file is, by its beginning; it is read from there afterwards.
    pub(super) fn of_file(mut file: &File) -> std::io::Result<Content> {
        let mut head = vec![];
        file.rewind()?;
        file.take(Content::HEAD).read_to_end(&mut head)?;
        file.rewind()?;
        Ok(Content::of(&head))
    }

    /// What begins like this.
    pub(super) fn of(head: &[u8]) -> Content {
        if is_tar(head) {
            return Content::Tar;
        }
        let kind = Kind::of(head);
        match kind {
            Some(Kind::Zip) => return Content::Zip,
            Some(Kind::Gzip) => return Content::Gzip,
            Some(Kind::LfsPointer | Kind::AnnexPointer) => return Content::Pointer,
            _ => {}
        }
        if let Some(foreign) = FOREIGN.iter().find(|foreign| Some(foreign.kind) == kind) {
            return Content::Foreign(foreign);
        }
        let text = String::from_utf8_lossy(head);
        let text = text.trim_start_matches('\u{feff}').trim_start();
        let begins = |with: &str| {
            text.as_bytes()
                .get(..with.len())
                .is_some_and(|text| text.eq_ignore_ascii_case(with.as_bytes()))
        };
        if ["<!doctype html", "<html", "<head>", "<body>"].into_iter().any(begins) {
            Content::Page
        } else if ["<?xml", "<!doctype", "<!--"].into_iter().any(begins) {
            Content::Xml
        } else {
            Content::Unknown
        }
    }

    /// What a name promises; `.gz` alone is one compressed file.
    pub(super) fn of_name(name: &str) -> Content {
        let lower = name.to_lowercase();
        if lower.ends_with(".zip") {
            Content::Zip
        } else if [".tar", ".tar.gz", ".tgz"].iter().any(|end| lower.ends_with(end)) {
            Content::Tar
        } else if lower.ends_with(".gz") {
            Content::Gzip
        } else if is_piece(&lower) {
            Content::Piece
        } else {
            let foreign = FOREIGN.iter().find(|foreign| foreign.has_name(name));
            foreign.map_or(Content::Unknown, Content::Foreign)
        }
    }
}

/// Whether it is named like one piece of several: `set.z01`, `set.zip.001`.
fn is_piece(name: &str) -> bool {
    let end = name.rsplit_once('.').map_or("", |(_, end)| end);
    let digits = end.strip_prefix('z').filter(|digits| digits.len() == 2).unwrap_or(end);
    (end.len() == 3) && digits.chars().all(|c| c.is_ascii_digit())
}

/// Whether it begins with the head of an entry, whose sum is right.
fn is_tar(head: &[u8]) -> bool {
    let Some(block) = head.get(..512) else { return false };
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    // The sum is taken with spaces in its own place.
    let own: u32 = block.iter().skip(148).take(8).map(|byte| u32::from(*byte)).sum();
    let noted = tar::Header::from_byte_slice(block).cksum().ok();
    sum > 0 && noted == Some(sum - own + 8 * 32)
}
