//! Fetching a file whole or not at all (d2l: `download`).

use std::fs::{File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::checksum::Checksum;
use super::content::Content;
use super::file_lock::{lock, no_follow};
use super::request::{Head, News, Problem, Request};
use super::{DATA_HUB, folders, sync_folder, usable_cache_dir, writable_folder};
use crate::jupyter::{Progress, check_interrupt, say};
use crate::{Error, Result, settings};

/// Fetches a data set's file, unless it is here already, and returns its path (d2l: `download`).
///
/// A file of yours with this name in `D2L_DATA_DIR` that has another checksum is left as it is, and
/// a line says so.
///
/// The book: [*Utility Functions and Classes*](https://d2l.ai/chapter_appendix-tools-for-deep-learning/utils.html).
///
/// # Errors
/// The name is unknown, or as [`download_url`].
pub fn download(name: &str) -> Result<PathBuf> {
    let (url, digits) = DATA_HUB.get(name)?;
    let (file, checksum) = (file_name(&url)?, Checksum::of(&digits));
    checksum.check(&url)?;
    let mut is_in_the_way = false;
    for folder in folders() {
        let path = folder.join(&file);
        if !path.is_file() {
            continue;
        }
        let Some(differs) = checksum.mismatch(&path)? else { return Ok(path) };
        // What is in the cache folder was downloaded: it is damaged, and is downloaded again.
        if folder != settings::folders().cache {
            is_in_the_way = true;
            say(format_args!(
                "{} is not the file of {name:?}: it has {differs}.\nIt is left as it is and is not \
                 used. To use it, unpack it and name the folder around that in D2L_DATA_DIR.",
                path.display()
            ));
        }
    }
    let folder = if is_in_the_way { usable_cache_dir()? } else { writable_folder()? };
    fetch(&url, &folder, checksum)
}

/// Fetches `url` into `folder` and returns the file's path (d2l: `download` with an address).
///
/// A file that is there with the right SHA-1 is not fetched again; any other of its name is
/// replaced. The new one is written beside its place, checked, and only then given its name. A
/// download that broke off, by whatever cause, goes on where it ended when its SHA-1 is given, and
/// without one where the server says by an `ETag` or a date that it still has the same file; a
/// second program waits for the first.
///
/// The proxy variables (`https_proxy`, `no_proxy`, …) count, and `SSL_CERT_FILE` and `SSL_CERT_DIR`
/// where they name certificates to be trusted in place of the system's. `D2L_MIRROR` names addresses
/// of folders that are asked first (where no checksum is known, last), and `D2L_TIMEOUT` the seconds without a byte after which a server
/// is given up (30). A server that does not say how much will come may send as much as half of what
/// is free on the disk.
///
/// The book: [*Utility Functions and Classes*](https://d2l.ai/chapter_appendix-tools-for-deep-learning/utils.html).
///
/// # Errors
/// No network, a status other than 200 (after a few tries, if it may pass), a page in place of the
/// file, a wrong checksum, a certificate that is not trusted, no space.
pub fn download_url(url: &str, folder: impl AsRef<Path>, sha1: Option<&str>) -> Result<PathBuf> {
    fetch_checked(url, folder.as_ref(), sha1)
}

fn fetch_checked(url: &str, folder: &Path, sha1: Option<&str>) -> Result<PathBuf> {
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
    if settings::is_offline() {
        return Err(Error::Download {
            url: url.to_string(),
            reason: "not asked for, as D2L_OFFLINE is set".into(),
            todo: format!("put the file into {}, or unset D2L_OFFLINE", folder.display()),
        });
    }
    std::fs::create_dir_all(folder).map_err(Error::io("make the folder", folder))?;
    let mut part = Part::open(folder, &name, checksum)?;
    // Another program may have made it while this one waited.
    if is_here()? {
        return Ok(target);
    }
    // One that was killed may have fetched all of it.
    if part.length > 0 && checksum.is_known() && checksum.mismatch(&part.path)?.is_none() {
        part.become_whole(&target)?;
        return Ok(target);
    }
    let (mut reasons, mut todo, mut is_other_file) = (vec![], vec![], false);
    for address in addresses(url, &name, checksum) {
        let Some(problem) = part.fetch(&address, folder)? else {
            part.become_whole(&target)?;
            return Ok(target);
        };
        let from = if address == url { String::new() } else { format!("{address}: ") };
        reasons.push(from + &problem.reason);
        is_other_file |= problem.is_other_file;
        todo.extend(problem.todo.filter(|advice| !todo.contains(advice)));
    }
    if todo.is_empty() {
        todo.push("check the network and https_proxy, name another address in D2L_MIRROR".into());
    }
    let by_hand = "or fetch the file by other means and put it into";
    let error = Error::Download {
        url: url.to_string(),
        reason: reasons.join("; "),
        todo: format!("{}, {by_hand} {}", todo.join("; "), folder.display()),
    };
    Err(if is_other_file { Error::Checksum { reason: Box::new(error) } } else { error })
}

/// Where to ask: the mirrors, then the address itself. Without a checksum the address comes first:
/// what has the same name on a mirror may be another file.
fn addresses(url: &str, name: &str, checksum: Checksum) -> Vec<String> {
    let mirrors = settings::mirrors().into_iter().map(|mirror| format!("{mirror}/{name}"));
    let (mirrors, address) = (mirrors.collect(), vec![url.to_string()]);
    if checksum.is_known() { [mirrors, address].concat() } else { [address, mirrors].concat() }
}

/// Where the beginning of a file came from.
#[derive(Clone, Default)]
struct Source {
    url: String,
    /// What the server says by its `ETag` or date.
    validator: Option<String>,
    /// How long it says that the whole file is.
    whole: Option<u64>,
}

impl Source {
    fn read(path: &Path) -> Option<Source> {
        let text = std::fs::read_to_string(path).ok()?;
        let mut lines = text.lines().map(String::from);
        let (url, validator) = (lines.next()?, lines.next()?);
        let whole = lines.next().and_then(|whole| whole.parse().ok());
        Some(Source { url, validator: Some(validator), whole })
    }

    /// Without a validator there is nothing to keep.
    fn write(&self, path: &Path) -> Result<()> {
        let Some(validator) = &self.validator else { return Ok(()) };
        let whole = self.whole.map_or(String::new(), |whole| whole.to_string());
        no_follow(OpenOptions::new().create(true).truncate(true).write(true))
            .open(path)
            .and_then(|mut file| write!(file, "{}\n{validator}\n{whole}\n", self.url))
            .map_err(Error::io("write", path))
    }
}

/// The file beside its place, locked. It stays for the next call where that can go on with it.
struct Part<'a> {
    file: File,
    path: PathBuf,
    length: u64,
    checksum: Checksum<'a>,
    /// Where the bytes came from, and the file in which that stands.
    source: Source,
    source_path: PathBuf,
    stays: bool,
}

impl Part<'_> {
    fn open<'a>(folder: &Path, name: &str, checksum: Checksum<'a>) -> Result<Part<'a>> {
        let path = folder.join(format!(".{name}.part"));
        let locked = lock(&path, || {
            no_follow(OpenOptions::new().create(true).truncate(false).read(true).write(true))
                .open(&path)
        })?;
        // Where nothing can be locked, each program has a part of its own.
        let (file, path, is_locked) = match locked {
            Some(file) => (file, path, true),
            None => {
                let _ = std::fs::remove_file(&path);
                let own = super::beside(&path)?.keep();
                let (file, path) = own.map_err(|error| Error::io("write", &path)(error.error))?;
                (file, path, false)
            }
        };
        let length = file.metadata().map_err(Error::io("read", &path))?.len();
        let source_path = folder.join(format!(".{name}.part.from"));
        // Without a checksum nothing says at the end that the parts belong together.
        let stays = is_locked && checksum.is_known();
        let source = if stays { Source::read(&source_path) } else { None }.unwrap_or_default();
        let mut part = Part { file, path, length, checksum, source, source_path, stays };
        if !stays {
            part.restart()?;
        }
        Ok(part)
    }

    /// Fetches the whole file from one address; returns why it could not be had.
    fn fetch(&mut self, url: &str, folder: &Path) -> Result<Option<Problem>> {
        /// A server may fail for a moment; more progress between two cuts starts the count over.
        const PAUSES: [u64; 3] = [500, 1000, 2000];
        const LONG_WAY: u64 = 1 << 20;
        let mut pauses = PAUSES.iter();
        // A way that was gone before is no longer way.
        let mut furthest = self.length;
        loop {
            let start = self.length;
            let problem = match self.attempt(url, folder)? {
                Ok(()) => match self.checksum.mismatch(&self.path)? {
                    None => return Ok(None),
                    Some(differs) => {
                        let found = format!(
                            "the file that came has {} bytes and {differs}; it was thrown away (a \
                             proxy or a log-in page may have answered in the server's place)",
                            self.length
                        );
                        self.restart()?;
                        // What was there before may have been of another file.
                        let passing = start > 0;
                        Problem { passing, is_other_file: true, ..Problem::lasting(found) }
                    }
                },
                Err(problem) => problem,
            };
            if !problem.passing {
                return Ok(Some(problem));
            }
            if self.length > furthest.saturating_add(LONG_WAY) {
                furthest = self.length;
                pauses = PAUSES.iter();
            }
            let Some(&pause) = pauses.next() else { return Ok(Some(problem)) };
            say(format_args!("{}; trying again", problem.reason));
            let until = Instant::now() + Duration::from_millis(pause);
            while Instant::now() < until {
                check_interrupt()?;
                std::thread::sleep(Duration::from_millis(20));
            }
        }
    }

    /// One request, which goes on where the part ends, if that can be.
    fn attempt(&mut self, url: &str, folder: &Path) -> Result<Result<(), Problem>> {
        let validator = self.source.validator.clone().filter(|_| self.source.url == url);
        if validator.is_none() && !self.checksum.is_known() {
            self.restart()?;
        }
        let request = Request::new(url, self.length, validator.as_deref());
        let head = match request.next()? {
            News::Head(head) => head,
            News::Failed(problem) => return Ok(Err(problem)),
            News::Bytes(_) | News::End => return Ok(Err(Problem::lasting("no head"))),
        };
        let name = url.split(['?', '#']).next().unwrap_or(url).to_lowercase();
        let may_be_page = [".html", ".htm", ".xhtml"].iter().any(|end| name.ends_with(end));
        let page = "a page came in place of the file: a proxy or a log-in may have answered";
        if head.is_page && head.status == 200 && !may_be_page {
            return Ok(Err(Problem::lasting(page)));
        }
        // How much of it comes now, and how long the whole file is.
        let (promised, whole) = match head.status {
            206 if self.length > 0 => match self.rest(&head, validator.as_deref()) {
                Ok((count, whole)) => {
                    let end = SeekFrom::Start(self.length);
                    self.file.seek(end).map_err(Error::io("write", &self.path))?;
                    (Some(count), whole)
                }
                Err(reason) => {
                    self.restart()?;
                    let reason =
                        format!("the server's response does not fit what was asked: {reason}");
                    return Ok(Err(Problem::passing(reason)));
                }
            },
            206 => {
                let reason = "the server answered 206, a part, when asked for the whole file";
                return Ok(Err(Problem::lasting(reason)));
            }
            200 => {
                self.restart()?;
                if let Some(encoding) = head.unknown_encoding.filter(|_| !self.checksum.is_known())
                {
                    let reason =
                        format!("it came encoded as {encoding:?}, which was not asked for");
                    return Ok(Err(Problem::lasting(reason)));
                }
                let validator = head.validator.filter(|_| !head.packed);
                self.source = Source { url: url.to_string(), validator, whole: head.length };
                if self.stays {
                    self.source.write(&self.source_path)?;
                }
                (head.length, head.length)
            }
            416 => {
                self.restart()?;
                return Ok(Err(Problem::passing("the server cannot go on where it broke off")));
            }
            status => {
                let reason = format!("the server answered {status}");
                let passing = matches!(status, 408 | 425 | 429 | 500..=599);
                return Ok(Err(Problem { passing, ..Problem::lasting(reason) }));
            }
        };
        let size =
            whole.map_or("unknown size".into(), |bytes| format!("{:.1} MB", bytes as f64 / 1e6));
        let rest = if self.length > 0 { "the rest of " } else { "" };
        say(format_args!("Downloading {rest}{url} ({size}) to {} ...", folder.display()));
        let mut progress = Progress::new("downloading", whole.unwrap_or(0));
        progress.advance(self.length);
        // A server that does not declare a length may send forever.
        let most =
            whole.or_else(|| Some(self.length + free_space(folder)? / 2)).unwrap_or(u64::MAX);
        let until = promised.map_or(u64::MAX, |count| self.length.saturating_add(count));
        loop {
            let problem = match request.next()? {
                News::Bytes(piece) => {
                    self.file.write_all(&piece).map_err(Error::io("write", &self.path))?;
                    self.length += piece.len() as u64;
                    progress.note(format!("{:.1} MB", self.length as f64 / 1e6));
                    progress.advance(piece.len() as u64);
                    if self.length > until {
                        self.restart()?;
                        let reason = "more came than the server said that it would send";
                        return Ok(Err(Problem::passing(reason)));
                    }
                    if self.length > most {
                        return self.too_long(most).map(Err);
                    }
                    continue;
                }
                News::End if self.length < until && promised.is_some() => self.cut_off(whole, ""),
                News::End if whole.is_none_or(|whole| whole == self.length) => {
                    if self.checksum.is_known() {
                        return Ok(Ok(()));
                    }
                    // Without a checksum the file's beginning is all that tells.
                    let content = Content::of_file(&self.file);
                    let content = content.map_err(Error::io("read", &self.path))?;
                    if content == Content::Page && !may_be_page {
                        self.restart()?;
                        return Ok(Err(Problem::lasting(page)));
                    }
                    if whole.is_none() {
                        say(format_args!(
                            "{url}: the server did not say how long the file is; {} bytes came",
                            self.length
                        ));
                    }
                    return Ok(Ok(()));
                }
                News::End | News::Head(_) => self.cut_off(whole, ""),
                News::Failed(problem) => {
                    let cut_off = self.cut_off(whole, &problem.reason);
                    Problem { todo: problem.todo, ..cut_off }
                }
            };
            // Of what was unpacked on the way, nobody can send the rest.
            if head.packed {
                self.restart()?;
            }
            return Ok(Err(problem));
        }
    }

    /// How many bytes a response 206 brings, and how long the whole file is; a text, if it is not
    /// the rest of what is here.
    fn rest(
        &self,
        head: &Head,
        validator: Option<&str>,
    ) -> std::result::Result<(u64, Option<u64>), String> {
        let Some(words) = &head.range else { return Err("it has no Content-Range".into()) };
        let range = Range::parse(words).ok_or_else(|| format!("Content-Range is {words:?}"))?;
        let count = range.last - range.first + 1;
        let from = self.length;
        if range.first != from {
            return Err(format!("Content-Range is {words:?}, asked for was from byte {from} on"));
        }
        if head.packed || head.unknown_encoding.is_some() {
            return Err("a part that is encoded".into());
        }
        if head.length.is_some_and(|length| length != count) {
            return Err(format!("Content-Range is {words:?}, Content-Length another"));
        }
        // Of another address the checksum decides in the end.
        let known = self.source.whole.filter(|_| validator.is_some());
        if let (Some(whole), Some(before)) = (range.whole, known)
            && whole != before
        {
            return Err(format!("the file had {before} bytes before, now it has {whole}"));
        }
        let has_changed = match (head.validator.as_deref(), validator) {
            (Some(now), Some(before)) => now != before,
            _ => !self.checksum.is_known(),
        };
        if has_changed {
            return Err("the file may have changed: its ETag or date is not what it was".into());
        }
        let whole = range.whole.or(known);
        if whole.is_none() && !self.checksum.is_known() {
            return Err("it does not say how long the whole file is".into());
        }
        Ok((count, whole))
    }

    fn cut_off(&self, whole: Option<u64>, reason: &str) -> Problem {
        let of = whole.map_or(String::new(), |whole| format!(" of {whole}"));
        let reason = if reason.is_empty() { String::new() } else { format!(": {reason}") };
        Problem::passing(format!("cut off after {}{of} bytes{reason}", self.length))
    }

    /// It would fill the disk.
    fn too_long(&mut self, most: u64) -> Result<Problem> {
        self.restart()?;
        let reason = format!(
            "more than {} MB came, half of what is free on the disk, and the server does not say how \
             much is to come; it was thrown away",
            most >> 20
        );
        let todo = "check the address, free some disk space";
        Ok(Problem { todo: Some(todo.into()), ..Problem::lasting(reason) })
    }

    /// Throws away what has come.
    fn restart(&mut self) -> Result<()> {
        self.length = 0;
        self.source = Source::default();
        self.file
            .set_len(0)
            .and_then(|()| self.file.seek(SeekFrom::Start(0)))
            .map_err(Error::io("write", &self.path))?;
        self.forget_source();
        Ok(())
    }

    /// Takes its place.
    fn become_whole(mut self, target: &Path) -> Result<()> {
        self.file.sync_all().map_err(Error::io("write", &self.path))?;
        std::fs::rename(&self.path, target).map_err(Error::io("write", target))?;
        // Nothing is left to remove.
        self.path.clear();
        self.forget_source();
        sync_folder(target.parent().unwrap_or(Path::new(".")));
        Ok(())
    }

    fn forget_source(&self) {
        // There is none, most of the time.
        let _ = std::fs::remove_file(&self.source_path);
    }
}

impl Drop for Part<'_> {
    fn drop(&mut self) {
        let is_moved = self.path.as_os_str().is_empty();
        if !is_moved && (!self.stays || self.length == 0) {
            // Best effort: a part that is left is harmless.
            let _ = std::fs::remove_file(&self.path);
            self.forget_source();
        }
    }
}

/// What `Content-Range` says: the first and the last byte, and how long the whole file is.
struct Range {
    first: u64,
    last: u64,
    whole: Option<u64>,
}

impl Range {
    fn parse(words: &str) -> Option<Range> {
        let number = |digits: &str| {
            let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
            is_number.then(|| digits.parse::<u64>().ok()).flatten()
        };
        let (unit, range) = words.trim().split_once(' ')?;
        let (range, whole) = range.trim().split_once('/')?;
        let (first, last) = range.split_once('-')?;
        let whole = if whole == "*" { None } else { Some(number(whole)?) };
        let (first, last) = (number(first)?, number(last)?);
        let fits = first <= last && last < whole.unwrap_or(u64::MAX);
        (unit.eq_ignore_ascii_case("bytes") && fits).then_some(Range { first, last, whole })
    }
}

/// What is free on a folder's disk for this user.
#[cfg(unix)]
fn free_space(folder: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(folder).ok()?;
    disk.f_bavail.checked_mul(disk.f_frsize)
}

#[cfg(not(unix))]
fn free_space(_: &Path) -> Option<u64> {
    None
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
