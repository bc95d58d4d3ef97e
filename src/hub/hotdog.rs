//! Drawings in the place of the hot dog photographs, where those cannot be had.

use std::path::PathBuf;

use super::cache_dir;
use crate::data::builtin;
use crate::{Error, Result};

/// Draws the set once, and says why.
pub(super) fn draw_instead(error: &Error) -> Result<PathBuf> {
    println!("No photographs of hot dogs: {}", error.summary());
    println!("Using drawings made by this crate instead. For the book's photographs unpack its");
    println!("hotdog.zip into a folder and name that folder in D2L_DATA_DIR.");
    builtin::hotdog_drawings(&cache_dir())
}
