//! Data sets by name (d2l: section 5.7.1), and drawings in the place of photographs, where those cannot
//! be had.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use d2l_common::files::{HOTDOG, HOTDOG_ARCHIVE};

use super::drawings;
use crate::hub::{fetch_and_extract, folders, usable_cache_dir};
use crate::jupyter::say;
use crate::{Error, Result};

/// The book's images with one banana each.
pub(super) const BANANAS: &str = "banana-detection";

/// Brings a data set here and returns its folder (d2l: `download_extract`).
///
/// An unpacked folder is taken as it is, then a zip from an earlier download, then the network.
/// Where none can be had, `hotdog`, `cifar10` and `banana-detection` are replaced by drawings, and a line
/// says so.
///
/// The book: [*Utility Functions and Classes*](https://d2l.ai/chapter_appendix-tools-for-deep-learning/utils.html).
///
/// # Errors
/// The name is unknown, the file cannot be fetched, its checksum is wrong, or the disk is full. A
/// file that is there in part is never taken for a whole one.
pub fn download_extract(name: &str) -> Result<PathBuf> {
    match fetch_and_extract(name) {
        Err(error @ Error::Download { .. }) if name == HOTDOG => hotdog(&error),
        Err(error @ Error::Download { .. }) if name == "cifar10" => cifar10(&error),
        Err(error @ Error::Download { .. }) if name == BANANAS => bananas(&error),
        other => other,
    }
}

/// Draws hot dogs and other things, if that has not been done, and says why.
fn hotdog(error: &Error) -> Result<PathBuf> {
    tell("photographs of hot dogs", HOTDOG, HOTDOG_ARCHIVE, "the book's photographs", error);
    drawings::hotdog_drawings(&usable_cache_dir()?)
}

/// Draws ten kinds of things, if that has not been done, and says why.
fn cifar10(error: &Error) -> Result<PathBuf> {
    let archive = "cifar-10-binary.tar.gz";
    tell("CIFAR-10", "cifar-10-batches-bin", archive, "the photographs", error);
    drawings::cifar10_drawings(&usable_cache_dir()?)
}

/// Draws bananas and their boxes, if that has not been done, and says why.
fn bananas(error: &Error) -> Result<PathBuf> {
    let archive = "banana-detection.zip";
    tell("images of bananas", BANANAS, archive, "the book's images", error);
    drawings::banana_drawings(&usable_cache_dir()?)
}

/// Says what is missing, once for each set.
fn tell(what: &'static str, folder: &str, archive: &str, photographs: &str, error: &Error) {
    static SAID: Mutex<Vec<&str>> = Mutex::new(vec![]);
    let mut said = SAID.lock().unwrap_or_else(PoisonError::into_inner);
    if said.contains(&what) {
        return;
    }
    said.push(what);
    let searched: Vec<_> = folders().iter().map(|folder| folder.display().to_string()).collect();
    // One that is there has another checksum, as was said before.
    let is_there = folders().iter().any(|folder| folder.join(archive).is_file());
    let archive_wanted = if is_there { "the right " } else { "" };
    let searched = searched.join(", ");
    say(format_args!("No {what}: neither {folder}/ nor {archive_wanted}{archive} in {searched},"));
    say(format_args!("and {}", error.summary()));
    say(format_args!(
        "Using drawings made by this crate instead. For {photographs} unpack {archive}"
    ));
    say("into a folder and name that folder in D2L_DATA_DIR.");
}
