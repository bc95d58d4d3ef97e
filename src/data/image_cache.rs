//! Decoded images that stay in memory.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use image::RgbImage;

use crate::Result;

/// A place for each image of a folder, and the bytes that may still be taken.
pub(super) struct Kept {
    images: Vec<OnceLock<RgbImage>>,
    free: AtomicUsize,
}

impl Kept {
    pub(super) fn new(count: usize, bytes: usize) -> Kept {
        let images = (0..count).map(|_| OnceLock::new()).collect();
        Kept { images, free: AtomicUsize::new(bytes) }
    }

    /// Image number `index`, which `decode` makes if it is not here; kept if there is room.
    pub(super) fn get(
        &self,
        index: usize,
        decode: impl FnOnce() -> Result<RgbImage>,
    ) -> Result<RgbImage> {
        let Some(place) = self.images.get(index) else { return decode() };
        if let Some(picture) = place.get() {
            return Ok(picture.clone());
        }
        let picture = decode()?;
        let size = picture.as_raw().len();
        let take = |free: usize| free.checked_sub(size);
        let has_room = self.free.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok();
        // Another thread may have been faster: its copy stays.
        if has_room && place.set(picture.clone()).is_err() {
            self.free.fetch_add(size, Ordering::Relaxed);
        }
        Ok(picture)
    }
}
