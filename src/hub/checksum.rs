//! Checksums of files.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use sha1::{Digest, Sha1};
use sha2::Sha256;

use crate::{Error, Result};

/// What a file must be. Digits in hexadecimal, upper or lower case.
#[derive(Debug, Clone, Copy)]
pub(super) enum Checksum<'a> {
    /// Nothing is known.
    Unknown,
    /// All digits of its SHA-1.
    Sha1(&'a str),
    /// The first digits of its SHA-256.
    Sha256(&'a str),
}

impl<'a> Checksum<'a> {
    /// A SHA-256, if there are as many digits as one has, else a SHA-1.
    pub(super) fn of(digits: &'a str) -> Checksum<'a> {
        if digits.len() == 64 { Checksum::Sha256(digits) } else { Checksum::Sha1(digits) }
    }

    /// Whether anything is known of the file.
    pub(super) fn is_known(&self) -> bool {
        !matches!(self, Checksum::Unknown)
    }

    /// An error for what can be no checksum.
    pub(super) fn check(&self, subject: &str) -> Result<()> {
        let (digits, fits, expected) = match self {
            Checksum::Unknown => return Ok(()),
            Checksum::Sha1(digits) => (digits, digits.len() == 40, "a SHA-1 of 40 digits"),
            Checksum::Sha256(digits) => (digits, digits.len() >= 8, "a SHA-256 of 8 or more"),
        };
        if fits && digits.chars().all(|c| c.is_ascii_hexdigit()) {
            return Ok(());
        }
        let todo = "`sha1sum FILE` prints it; give None where it is not known";
        Err(Error::invalid(subject, format!("the checksum {digits:?}"), expected, todo))
    }

    /// `None` if the file is what it must be, else what it is and what it must be.
    pub(super) fn mismatch(&self, path: &Path) -> Result<Option<String>> {
        let (expected, found) = match self {
            Checksum::Unknown => return Ok(None),
            Checksum::Sha1(digits) => (digits, file_digest::<Sha1>(path)?),
            Checksum::Sha256(digits) => (digits, file_digest::<Sha256>(path)?),
        };
        let expected = expected.to_lowercase();
        let differs = !found.starts_with(&expected);
        Ok(differs.then(|| format!("the checksum {found}, expected {expected}")))
    }
}

/// The digest of a file in hexadecimal, read in pieces.
pub(crate) fn file_digest<D: Digest>(path: &Path) -> Result<String> {
    let mut hasher = D::new();
    let mut file = File::open(path).map_err(Error::io("read", path))?;
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer).map_err(Error::io("read", path))? {
            0 => break,
            count => hasher.update(&buffer[..count]),
        }
    }
    Ok(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}
