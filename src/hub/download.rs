//! Fetching a file whole or not at all (d2l: `download`).

use std::fs::{File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::digest::Checksum;
use super::lock::lock;
use super::request::{News, Request};
use super::{DATA_HUB, folders, writable_folder};
use crate::display::Progress;
use crate::interrupt::check_interrupt;
use crate::{Error, Result};

/// Fetches a data set's file, unless it is here already, and answers its path (d2l: `download`).
///
/// The book: [*Utility Functions and Classes*](https://d2l.ai/chapter_appendix-tools-for-deep-learning/utils.html).
///
/// # Errors
/// The name is unknown, or as [`download_url`].
pub fn download(name: &str) -> Result<PathBuf> {
    let (url, digits) = DATA_HUB.get(name)?;
    let (file, checksum) = (file_name(&url)?, Checksum::of(&digits));
    checksum.check(&url)?;
    for folder in folders() {
        let path = folder.join(&file);
        if path.is_file() && checksum.mismatch(&path)?.is_none() {
            return Ok(path);
        }
    }
    fetch(&url, &writable_folder()?, checksum)
}

/// Fetches `url` into `folder` and answers the file's path (d2l: `download` with an address).
///
/// A file that is there with the right SHA-1 is not fetched again. The new one is written beside
/// its place, checked, and only then given its name. A download that broke off, by whatever cause,
/// goes on where it ended when its SHA-1 is given; a second program waits for the first.
///
/// The proxy variables (`https_proxy`, `no_proxy`, …) count; `D2L_MIRROR` names addresses of folders
/// that are asked first, and `D2L_TIMEOUT` the seconds without a byte after which a server is given
/// up (30).
///
/// The book: [*Utility Functions and Classes*](https://d2l.ai/chapter_appendix-tools-for-deep-learning/utils.html).
///
/// # Errors
/// No network, an answer other than 200 (after a few tries, if it may pass), a page in place of the
/// file, a wrong checksum, no space.
pub fn download_url(url: &str, folder: &Path, sha1: Option<&str>) -> Result<PathBuf> {
    let checksum = sha1.map_or(Checksum::Unknown, Checksum::Sha1);
    checksum.check(url)?;
    fetch(url, folder, checksum)
}

/// As [`download_url`], with any checksum.
pub(super) fn fetch(url: &str, folder: &Path, checksum: Checksum) -> Result<PathBuf> {
    let name = file_name(url)?;
    let target = folder.join(&name);
    let is_here = || -> Result<bool> {
        Ok(checksum.is_known() && target.is_file() && checksum.mismatch(&target)?.is_none())
    };
    if is_here()? {
        return Ok(target);
    }
    let failed = |reason: String| Error::Download {
        url: url.to_string(),
        reason,
        todo: format!(
            "check the network and https_proxy, name another address in D2L_MIRROR, or fetch the \
             file by other means and put it into {}",
            folder.display()
        ),
    };
    if std::env::var_os("D2L_OFFLINE").is_some_and(|value| !value.is_empty() && value != "0") {
        return Err(Error::Download {
            url: url.to_string(),
            reason: "not asked for, as D2L_OFFLINE is set".into(),
            todo: format!("put the file into {}, or unset D2L_OFFLINE", folder.display()),
        });
    }
    std::fs::create_dir_all(folder).map_err(Error::io("make the folder", folder))?;
    let mut part = Part::open(folder.join(format!(".{name}.part")), checksum.is_known())?;
    // Another program may have made it while this one waited.
    if is_here()? {
        return Ok(target);
    }
    // One that was killed may have fetched all of it.
    if part.length > 0 && checksum.mismatch(&part.path)?.is_none() {
        part.become_whole(&target)?;
        return Ok(target);
    }
    let mut reasons = vec![];
    for address in addresses(url, &name) {
        match part.fetch(&address, folder, checksum)? {
            None => {
                part.become_whole(&target)?;
                return Ok(target);
            }
            Some(reason) if address == url => reasons.push(reason),
            Some(reason) => reasons.push(format!("{address}: {reason}")),
        }
    }
    Err(failed(reasons.join("; ")))
}

/// Where to ask: the mirrors, then the address itself.
fn addresses(url: &str, name: &str) -> Vec<String> {
    let mirrors = std::env::var("D2L_MIRROR").unwrap_or_default();
    let mirrors = mirrors.split([',', ' ']).filter(|mirror| !mirror.is_empty());
    let mirrors = mirrors.map(|mirror| format!("{}/{name}", mirror.trim_end_matches('/')));
    mirrors.chain([url.to_string()]).collect()
}

/// How an attempt ended that brought no whole file.
enum Failure {
    /// It may be otherwise a moment later.
    Passing(String),
    /// It will be the same again.
    Lasting(String),
}

/// The file beside its place, locked. It stays for the next call where that can go on with it.
struct Part {
    file: File,
    path: PathBuf,
    length: u64,
    stays: bool,
}

impl Part {
    fn open(path: PathBuf, stays: bool) -> Result<Part> {
        let file = lock(&path, || {
            OpenOptions::new().create(true).truncate(false).read(true).write(true).open(&path)
        })?;
        let length = file.metadata().map_err(Error::io("read", &path))?.len();
        let mut part = Part { file, path, length, stays };
        if !stays {
            part.restart()?;
        }
        Ok(part)
    }

    /// Fetches the whole file from one address; the text says why it could not be had.
    fn fetch(&mut self, url: &str, folder: &Path, checksum: Checksum) -> Result<Option<String>> {
        /// A server may pass through a bad moment; a longer way between cuts starts the count anew.
        const PAUSES: [u64; 3] = [500, 1000, 2000];
        const LONG_WAY: u64 = 1 << 20;
        let mut pauses = PAUSES.iter();
        loop {
            let start = self.length;
            let failure = match self.attempt(url, folder)? {
                Ok(()) => match checksum.mismatch(&self.path)? {
                    None => return Ok(None),
                    Some(differs) => {
                        let found = format!(
                            "the file that came has {} bytes and {differs}; it was thrown away (a \
                             proxy or a log-in page may have answered in the server's place)",
                            self.length
                        );
                        self.restart()?;
                        // What was there before may have been of another file.
                        if start > 0 { Failure::Passing(found) } else { Failure::Lasting(found) }
                    }
                },
                Err(failure) => failure,
            };
            let reason = match failure {
                Failure::Lasting(reason) => return Ok(Some(reason)),
                Failure::Passing(reason) => reason,
            };
            if self.length > start + LONG_WAY {
                pauses = PAUSES.iter();
            }
            let Some(&pause) = pauses.next() else { return Ok(Some(reason)) };
            println!("{reason}; trying again");
            let until = Instant::now() + Duration::from_millis(pause);
            while Instant::now() < until {
                check_interrupt()?;
                std::thread::sleep(Duration::from_millis(20));
            }
        }
    }

    /// One request, which goes on where the part ends.
    fn attempt(&mut self, url: &str, folder: &Path) -> Result<Result<(), Failure>> {
        let request = Request::new(url, self.length);
        let (status, length, is_page) = match request.next()? {
            News::Head { status, length, is_page } => (status, length, is_page),
            News::Failed { reason, passing: true } => return Ok(Err(Failure::Passing(reason))),
            News::Failed { reason, .. } => return Ok(Err(Failure::Lasting(reason))),
            News::Bytes(_) | News::End => return Ok(Err(Failure::Lasting("no head".into()))),
        };
        let name = url.split(['?', '#']).next().unwrap_or(url);
        if is_page && status == 200 && !name.ends_with(".html") && !name.ends_with(".htm") {
            let found = "a page came in place of the file: a proxy or a log-in may have answered";
            return Ok(Err(Failure::Lasting(found.into())));
        }
        match status {
            206 => {
                let end = SeekFrom::Start(self.length);
                self.file.seek(end).map_err(Error::io("write", &self.path))?;
            }
            200 => self.restart()?,
            416 => {
                self.restart()?;
                return Ok(Err(Failure::Passing(
                    "the server cannot go on where it broke off".into(),
                )));
            }
            408 | 425 | 429 | 500..=599 => {
                return Ok(Err(Failure::Passing(format!("the server answered {status}"))));
            }
            _ => return Ok(Err(Failure::Lasting(format!("the server answered {status}")))),
        }
        let whole = length.map(|length| self.length + length);
        let size =
            whole.map_or("unknown size".into(), |bytes| format!("{:.1} MB", bytes as f64 / 1e6));
        let rest = if self.length > 0 { "the rest of " } else { "" };
        println!("Downloading {rest}{url} ({size}) to {} ...", folder.display());
        let mut progress = Progress::new("downloading", whole.unwrap_or(0));
        progress.advance(self.length);
        loop {
            match request.next()? {
                News::Bytes(piece) => {
                    self.file.write_all(&piece).map_err(Error::io("write", &self.path))?;
                    self.length += piece.len() as u64;
                    progress.note(format!("{:.1} MB", self.length as f64 / 1e6));
                    progress.advance(piece.len() as u64);
                }
                News::End if whole.is_none_or(|whole| whole == self.length) => return Ok(Ok(())),
                News::End | News::Head { .. } => return Ok(Err(self.cut_off(whole, ""))),
                News::Failed { reason, .. } => return Ok(Err(self.cut_off(whole, &reason))),
            }
        }
    }

    fn cut_off(&self, whole: Option<u64>, reason: &str) -> Failure {
        let of = whole.map_or(String::new(), |whole| format!(" of {whole}"));
        let reason = if reason.is_empty() { String::new() } else { format!(": {reason}") };
        Failure::Passing(format!("cut off after {}{of} bytes{reason}", self.length))
    }

    /// Throws away what has come.
    fn restart(&mut self) -> Result<()> {
        self.length = 0;
        self.file
            .set_len(0)
            .and_then(|()| self.file.seek(SeekFrom::Start(0)))
            .map_err(Error::io("write", &self.path))?;
        Ok(())
    }

    /// Takes its place.
    fn become_whole(mut self, target: &Path) -> Result<()> {
        self.stays = true;
        self.file.sync_all().map_err(Error::io("write", &self.path))?;
        std::fs::rename(&self.path, target).map_err(Error::io("write", target))?;
        // Nothing is left to remove.
        self.path.clear();
        Ok(())
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if !self.stays || self.length == 0 {
            // It is in nobody's way, should this fail.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// The file that an address names.
pub(super) fn file_name(url: &str) -> Result<String> {
    let path = url.split(['?', '#']).next().unwrap_or(url);
    let name = path.split_once("://").map_or(path, |(_, rest)| rest).rsplit_once('/');
    match name {
        Some((_, name)) if !matches!(name, "" | "." | "..") => Ok(name.to_string()),
        _ => Err(Error::invalid(
            format!("the address {url:?}"),
            "no name of a file at its end",
            "an address such as https://example.org/set.zip",
            "give the address of one file",
        )),
    }
}
