//! Looking at all pictures before a training starts.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use super::{Dataset, ImageFolder};
use crate::display::Progress;
use crate::interrupt::check_interrupt;
use crate::{Error, Result};

/// Decodes every picture of a folder, and lists those that cannot be read, each with its reason
/// (fastai: `verify_images`).
///
/// A training ends at the first bad picture; this finds all of them beforehand. It changes nothing: look
/// at the reasons before you move a file away, as one may be a network drive that was not there.
///
/// # Errors
/// The stop button was pressed.
///
/// ```no_run
/// use d2l::prelude::*;
/// let train_imgs = ImageFolder::new("hotdog/train")?;
/// for (_, reason) in verify_images(&train_imgs)? {
///     println!("{reason}");
/// }
/// # Ok::<(), d2l::Error>(())
/// ```
pub fn verify_images(folder: &ImageFolder) -> Result<Vec<(PathBuf, Error)>> {
    let count = folder.len();
    let (next, stopped) = (AtomicUsize::new(0), AtomicBool::new(false));
    let mut progress = Progress::new("looking at pictures", count as u64);
    let mut bad = vec![];
    thread::scope(|scope| -> Result<()> {
        let (sender, results) = mpsc::channel();
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            let (sender, next, stopped) = (sender.clone(), &next, &stopped);
            scope.spawn(move || {
                while !stopped.load(Ordering::Relaxed) {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    // Both end when there is nothing more to do.
                    if index >= count || sender.send((index, folder.decode(index).err())).is_err() {
                        break;
                    }
                }
            });
        }
        drop(sender);
        loop {
            check_interrupt().inspect_err(|_| stopped.store(true, Ordering::Relaxed))?;
            match results.recv_timeout(Duration::from_millis(50)) {
                Ok((index, error)) => {
                    bad.extend(error.map(|error| (index, error)));
                    progress.advance(1);
                }
                Err(mpsc::RecvTimeoutError::Timeout) => {}
                Err(mpsc::RecvTimeoutError::Disconnected) => return Ok(()),
            }
        }
    })?;
    bad.sort_by_key(|(index, _)| *index);
    let path = |index: usize| folder.samples()[index].0.clone();
    Ok(bad.into_iter().map(|(index, error)| (path(index), error)).collect())
}
