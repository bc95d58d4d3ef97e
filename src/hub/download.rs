//! Fetching a file whole or not at all (d2l: `download`).

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha1::Sha1;
use tempfile::NamedTempFile;

use super::digest::file_digest;
use super::{DATA_HUB, folders, writable_folder};
use crate::display::Progress;
use crate::interrupt::check_interrupt;
use crate::{Error, Result};

/// Fetches a data set's file, unless it is here already, and answers its path (d2l: `download`).
///
/// # Errors
/// The name is unknown, or as [`download_url`].
pub fn download(name: &str) -> Result<PathBuf> {
    let (url, sha1) = DATA_HUB.get(name)?;
    let file = file_name(&url);
    for folder in folders() {
        let path = folder.join(&file);
        if path.is_file() && file_digest::<Sha1>(&path)? == sha1 {
            return Ok(path);
        }
    }
    download_url(&url, &writable_folder()?, Some(&sha1))
}

/// Fetches `url` into `folder` and answers the file's path (d2l: `download` with an address).
///
/// A file that is there with the right SHA-1 is not fetched again. The new one is written beside
/// its place, checked, and only then given its name. The proxy variables (`https_proxy`, …) count.
///
/// # Errors
/// No network, an answer other than 200, a body that ends too early, a wrong checksum, no space.
pub fn download_url(url: &str, folder: &Path, sha1: Option<&str>) -> Result<PathBuf> {
    let target = folder.join(file_name(url));
    if let Some(expected) = sha1
        && target.is_file()
        && file_digest::<Sha1>(&target)? == expected
    {
        return Ok(target);
    }
    let part = fetch(url, folder)?;
    if let Some(expected) = sha1 {
        check(url, &part, expected, &file_digest::<Sha1>(part.path())?)?;
    }
    part.persist(&target).map_err(|error| Error::io("write", &target)(error.error))?;
    Ok(target)
}

/// The body of `url` in a temporary file of `folder`, which goes when it is dropped.
pub(super) fn fetch(url: &str, folder: &Path) -> Result<NamedTempFile> {
    let failed = |reason: String| Error::Download {
        url: url.to_string(),
        reason,
        todo: format!(
            "check the network and https_proxy, or fetch the file by other means and put it into \
             {}",
            folder.display()
        ),
    };
    if std::env::var_os("D2L_OFFLINE").is_some_and(|value| !value.is_empty() && value != "0") {
        return Err(failed("not asked for, as D2L_OFFLINE is set".into()));
    }
    std::fs::create_dir_all(folder).map_err(Error::io("make the folder", folder))?;
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_connect(Some(Duration::from_secs(10)))
        .timeout_recv_response(Some(Duration::from_secs(30)))
        .build()
        .into();
    let response = agent.get(url).call().map_err(|error| failed(error.to_string()))?;
    let length = response.body().content_length();
    let size = length.map_or("unknown size".into(), |bytes| format!("{} MB", bytes / 1_000_000));
    println!("Downloading {url} ({size}) to {} ...", folder.display());

    let mut body = response.into_body().into_reader();
    let mut part = tempfile::Builder::new()
        .prefix(".d2l-")
        .suffix(".part")
        .tempfile_in(folder)
        .map_err(Error::io("write to the folder", folder))?;
    let mut buffer = vec![0; 1 << 16];
    let (mut progress, mut received) = (Progress::new("downloading", length.unwrap_or(0)), 0);
    loop {
        check_interrupt()?;
        let count = body
            .read(&mut buffer)
            .map_err(|error| failed(format!("cut off after {received} bytes: {error}")))?;
        if count == 0 {
            break;
        }
        part.write_all(&buffer[..count]).map_err(Error::io("write", part.path()))?;
        received += count as u64;
        progress.note(format!("{:.1} MB", received as f64 / 1e6));
        progress.advance(count as u64);
    }
    match length {
        Some(length) if length != received => {
            Err(failed(format!("cut off after {received} of {length} bytes")))
        }
        _ => Ok(part),
    }
}

pub(super) fn check(url: &str, part: &NamedTempFile, expected: &str, found: &str) -> Result<()> {
    if found.starts_with(expected) {
        return Ok(());
    }
    let size = part.as_file().metadata().map_or(0, |data| data.len());
    Err(Error::Download {
        url: url.to_string(),
        reason: format!(
            "the file that came has {size} bytes and the checksum {found}, expected {expected}; it \
             was thrown away"
        ),
        todo: "try again; a proxy or a log-in page may have answered in the server's place".into(),
    })
}

pub(super) fn file_name(url: &str) -> String {
    let path = url.split(['?', '#']).next().unwrap_or(url);
    path.rsplit('/').next().unwrap_or(path).to_string()
}
