//! Drawings in the place of the hot dog photographs, where those cannot be had.

use std::path::PathBuf;

use super::{cache_dir, folders};
use crate::data::builtin;
use crate::{Error, Result};

/// Draws the set once, and says why.
pub(super) fn draw_instead(error: &Error) -> Result<PathBuf> {
    let searched: Vec<_> = folders().iter().map(|folder| folder.display().to_string()).collect();
    println!(
        "No photographs of hot dogs: neither hotdog/ nor hotdog.zip in {},",
        searched.join(", ")
    );
    println!("and {}", error.summary());
    println!("Using drawings made by this crate instead. For the book's photographs unpack its");
    println!("hotdog.zip into a folder and name that folder in D2L_DATA_DIR.");
    builtin::hotdog_drawings(&cache_dir())
}
