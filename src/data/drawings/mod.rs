//! Small sets of images that the crate draws itself, for a machine without the photographs.
//!
//! Hot dogs and other things, of many sizes and ratios, on several backgrounds, turned, bent, lit
//! from one side, blurred and noisy; some of the other things are a bun or a sausage by itself. And
//! ten kinds of such things in the size and the files of CIFAR-10. The same images come out on
//! every machine.

mod food;
mod scene;

use std::path::{Path, PathBuf};

use d2l_common::files::HOTDOG_DRAWINGS;
use image::RgbImage;
use image::codecs::jpeg::JpegEncoder;
use rand::RngExt;

use super::parallel::on_all_cores;
use crate::hub::WorkFolder;
use crate::jupyter::say;
use crate::random::generator;
use crate::{Error, Result};

/// The folder's name; its number grows when the drawings change.
const CIFAR10: &str = "cifar10-drawings-1";

/// The folder of hot dogs and other things below `folder`, with `train` and `test` as in the book's
/// set. Draws them if they are not there.
pub(crate) fn hotdog_drawings(folder: &Path) -> Result<PathBuf> {
    make(folder, HOTDOG_DRAWINGS, |drawn, name| {
        let mut jobs = vec![];
        for (split, count) in [("train", 600), ("test", 200)] {
            for class in ["hotdog", "not-hotdog"] {
                let class_folder = drawn.join(split).join(class);
                std::fs::create_dir_all(&class_folder)
                    .map_err(Error::io("write the drawings", &class_folder))?;
                jobs.extend((0..count).map(|i| (class_folder.join(format!("{i:04}.jpg")), class)));
            }
        }
        let each = |seed: usize| -> Result<()> {
            let (path, class) = &jobs[seed];
            let picture = jpeg(*class == "hotdog", seed as u64)?;
            std::fs::write(path, picture).map_err(Error::io("write the drawings", path))
        };
        draw(jobs.len(), name, each).map(drop)
    })
}

/// The folder of ten kinds of things below `folder`, with the files of CIFAR-10's binary edition.
/// Draws them if they are not there.
pub(crate) fn cifar10_drawings(folder: &Path) -> Result<PathBuf> {
    const EACH: usize = 400;
    let files = (1..=5).map(|i| format!("data_batch_{i}.bin")).chain(["test_batch.bin".into()]);
    let files: Vec<String> = files.collect();
    make(folder, CIFAR10, |drawn, name| {
        let write = |file: &str, content: &[u8]| {
            let path = drawn.join(file);
            std::fs::write(&path, content).map_err(Error::io("write the drawings", &path))
        };
        std::fs::create_dir_all(drawn).map_err(Error::io("write the drawings", drawn))?;
        let classes: String = food::KINDS.iter().map(|(name, _)| format!("{name}\n")).collect();
        write("batches.meta.txt", classes.as_bytes())?;
        let records = draw(EACH * files.len(), name, |i| {
            let mut rng = generator(0x0c1f, 0, i as u64);
            // The classes in turn, but in no order within ten.
            let class = (i % 10 + (i / 10) * 7) % 10;
            Ok(record(class, &food::small_picture(class, &mut rng)))
        })?;
        files
            .iter()
            .zip(records.chunks(EACH))
            .try_for_each(|(file, part)| write(file, &part.concat()))
    })
}

/// A record of CIFAR-10's binary edition: the label, then all reds, all greens, all blues.
fn record(class: usize, picture: &RgbImage) -> Vec<u8> {
    let channels = (0..3).flat_map(|channel| picture.pixels().map(move |pixel| pixel.0[channel]));
    [class as u8].into_iter().chain(channels).collect()
}

/// A folder that `fill` fills, if it is not there: first under another name, renamed when it is whole.
fn make(
    folder: &Path,
    name: &str,
    fill: impl FnOnce(&Path, &Path) -> Result<()>,
) -> Result<PathBuf> {
    let target = folder.join(name);
    if target.is_dir() {
        return Ok(target);
    }
    let action = "write the drawings";
    std::fs::create_dir_all(folder).map_err(Error::io(action, folder))?;
    let work = WorkFolder::new(folder.join(format!(".{name}.drawing")))?;
    // Another program may have drawn them while this one waited.
    if target.is_dir() {
        return Ok(target);
    }
    let drawn = work.path().join(name);
    fill(&drawn, &target)?;
    work.sync()?;
    std::fs::rename(drawn, &target).map_err(Error::io(action, &target))?;
    Ok(target)
}

/// Draws `count` images for the folder `target`, on all cores; what `each` returns, in order.
fn draw<T: Send>(
    count: usize,
    target: &Path,
    each: impl Fn(usize) -> Result<T> + Sync,
) -> Result<Vec<T>> {
    say(format_args!("Drawing {count} images into {} ...", target.display()));
    on_all_cores("drawing", count, each)
}

/// One image as a JPEG file's content.
fn jpeg(hotdog: bool, seed: u64) -> Result<Vec<u8>> {
    let mut rng = generator(0x0d21, 0, seed);
    let picture = food::picture(hotdog, &mut rng);
    let mut jpeg = vec![];
    JpegEncoder::new_with_quality(&mut jpeg, rng.random_range(60..=92))
        .encode_image(&picture)
        .map_err(|error| Error::invalid("drawing", error.to_string(), "a JPEG", "report this"))?;
    Ok(jpeg)
}
