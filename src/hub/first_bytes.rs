//! Kinds of files by their first bytes: those that all readers meet, of images, archives and weights.
//! Each reader has words of its own for them.

/// A kind of file that is neither an image nor weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Zip,
    Gzip,
    Bzip2,
    Xz,
    Zstandard,
    Lz4,
    Lzip,
    Lzma,
    Compress,
    SevenZip,
    Rar,
    Numpy,
    /// What Git LFS stores in a repository in place of a large file.
    LfsPointer,
    /// The same, of git-annex.
    AnnexPointer,
}

const STARTS: [(&[u8], Kind); 17] = [
    (b"PK\x03\x04", Kind::Zip),
    (b"PK\x05\x06", Kind::Zip),
    (b"PK\x07\x08", Kind::Zip),
    (b"PK00PK\x03\x04", Kind::Zip),
    (b"\x1f\x8b", Kind::Gzip),
    (b"BZh", Kind::Bzip2),
    (b"\xfd7zXZ\0", Kind::Xz),
    (b"\x28\xb5\x2f\xfd", Kind::Zstandard),
    (b"\x04\x22\x4d\x18", Kind::Lz4),
    (b"LZIP", Kind::Lzip),
    (b"\x5d\0\0", Kind::Lzma),
    (b"\x1f\x9d", Kind::Compress),
    (b"7z\xbc\xaf\x27\x1c", Kind::SevenZip),
    (b"Rar!\x1a\x07", Kind::Rar),
    (b"\x93NUMPY", Kind::Numpy),
    (b"version https://git-lfs", Kind::LfsPointer),
    (b"/annex/objects/", Kind::AnnexPointer),
];

impl Kind {
    /// The kind that begins like this.
    pub(crate) fn of(head: &[u8]) -> Option<Kind> {
        STARTS.iter().find(|(start, _)| head.starts_with(start)).map(|&(_, kind)| kind)
    }
}
