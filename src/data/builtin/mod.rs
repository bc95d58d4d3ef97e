//! A small set of pictures that the crate draws itself, for a machine without the photographs.
//!
//! Hot dogs and other things, of many sizes and ratios, on several backgrounds, turned, bent, lit
//! from one side, blurred and noisy; some of the other things are a bun or a sausage by itself. The
//! same pictures come out on every machine.

mod food;
mod scene;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use image::codecs::jpeg::JpegEncoder;
use rand::RngExt;

use super::rng::generator;
use crate::display::Progress;
use crate::hub::WorkFolder;
use crate::interrupt::check_interrupt;
use crate::{Error, Result};

/// The folder's name; its number grows when the drawings change.
const FOLDER: &str = "hotdog-drawings-1";
const TRAIN: usize = 600;
const TEST: usize = 200;

/// The drawings' folder below `folder`, with `train` and `test` as in the book's set. Draws them
/// if they are not there: into a temporary folder, renamed when all are done.
pub(crate) fn hotdog_drawings(folder: &Path) -> Result<PathBuf> {
    let target = folder.join(FOLDER);
    if target.is_dir() {
        return Ok(target);
    }
    let action = "write the drawings";
    std::fs::create_dir_all(folder).map_err(Error::io(action, folder))?;
    let work = WorkFolder::new(folder.join(format!(".{FOLDER}.drawing")))?;
    // Another program may have drawn them while this one waited.
    if target.is_dir() {
        return Ok(target);
    }
    let drawn = work.path().join(FOLDER);
    let mut jobs = vec![];
    for (split, count) in [("train", TRAIN), ("test", TEST)] {
        for class in ["hotdog", "not-hotdog"] {
            let class_folder = drawn.join(split).join(class);
            std::fs::create_dir_all(&class_folder).map_err(Error::io(action, &class_folder))?;
            jobs.extend((0..count).map(|i| (class_folder.join(format!("{i:04}.jpg")), class)));
        }
    }
    println!("Drawing {} pictures into {} ...", jobs.len(), target.display());
    let next = AtomicUsize::new(0);
    let progress = Mutex::new(Progress::new("drawing", jobs.len() as u64));
    let draw_next = || -> Result<bool> {
        let seed = next.fetch_add(1, Ordering::Relaxed);
        let Some((path, class)) = jobs.get(seed) else { return Ok(false) };
        check_interrupt()?;
        std::fs::write(path, draw(*class == "hotdog", seed as u64)?)
            .map_err(Error::io(action, path))?;
        progress.lock().unwrap_or_else(PoisonError::into_inner).advance(1);
        Ok(true)
    };
    thread::scope(|scope| {
        let work = || -> Result<()> {
            // An error of one thread is the end for all.
            while draw_next().inspect_err(|_| next.store(jobs.len(), Ordering::Relaxed))? {}
            Ok(())
        };
        let count = thread::available_parallelism().map_or(1, usize::from);
        let threads: Vec<_> = (0..count).map(|_| scope.spawn(work)).collect();
        threads.into_iter().try_for_each(|thread| {
            thread.join().unwrap_or_else(|_| Err(Error::Torch("a drawing thread failed".into())))
        })
    })?;
    std::fs::rename(drawn, &target).map_err(Error::io(action, &target))?;
    Ok(target)
}

/// One picture as a JPEG file's content.
fn draw(hotdog: bool, seed: u64) -> Result<Vec<u8>> {
    let mut rng = generator(0x0d21, 0, seed);
    let picture = food::picture(hotdog, &mut rng);
    let mut jpeg = vec![];
    JpegEncoder::new_with_quality(&mut jpeg, rng.random_range(60..=92))
        .encode_image(&picture)
        .map_err(|error| Error::invalid("drawing", error.to_string(), "a JPEG", "report this"))?;
    Ok(jpeg)
}
