//! Checksums of files.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use sha1::Digest;

use crate::{Error, Result};

/// The digest of a file in hexadecimal, read in pieces.
pub(super) fn file_digest<D: Digest>(path: &Path) -> Result<String> {
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
