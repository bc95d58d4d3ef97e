//! Drawings in the place of photographs, where those cannot be had.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use super::{cache_dir, folders};
use crate::data::builtin;
use crate::{Error, Result};

/// Draws hot dogs and other things, if that has not been done, and says why.
pub(super) fn hotdog(error: &Error) -> Result<PathBuf> {
    say("photographs of hot dogs", "hotdog", "hotdog.zip", "the book's photographs", error);
    builtin::hotdog_drawings(&cache_dir())
}

/// Draws ten kinds of things, if that has not been done, and says why.
pub(super) fn cifar10(error: &Error) -> Result<PathBuf> {
    let archive = "cifar-10-binary.tar.gz";
    say("CIFAR-10", "cifar-10-batches-bin", archive, "the photographs", error);
    builtin::cifar10_drawings(&cache_dir())
}

/// Says what is missing, once for each set.
fn say(what: &'static str, folder: &str, archive: &str, photographs: &str, error: &Error) {
    static SAID: Mutex<Vec<&str>> = Mutex::new(vec![]);
    let mut said = SAID.lock().unwrap_or_else(PoisonError::into_inner);
    if said.contains(&what) {
        return;
    }
    said.push(what);
    let searched: Vec<_> = folders().iter().map(|folder| folder.display().to_string()).collect();
    println!("No {what}: neither {folder}/ nor {archive} in {},", searched.join(", "));
    println!("and {}", error.summary());
    println!("Using drawings made by this crate instead. For {photographs} unpack {archive}");
    println!("into a folder and name that folder in D2L_DATA_DIR.");
}
