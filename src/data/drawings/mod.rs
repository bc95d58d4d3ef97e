//! Small sets of images that the crate draws itself, for a machine without the photographs.
//!
//! Hot dogs and other things, one to four of them, on tables, cloths, paper, stone and grass, seen
//! from above or at a slant, with cutlery, cups and hands beside them. Tables and what lies beside
//! are the same in both classes, so that nothing but the hot dog tells them apart; two of five other
//! things are like one: an empty bun, sausages, a sandwich, a baguette. Some images show both, and
//! some show a sausage beside its bun.
//! Ten kinds of such things come in the size and the files of CIFAR-10, too, four of them in a set
//! to show what image augmentation does, and bananas, and things of three kinds, with their boxes, in the
//! folders and files of the book's set of bananas. The same images come out on every machine.

mod food;
mod ground;
mod objects;
mod picture;
mod scene;
mod table;

use std::io::Cursor;
use std::path::{Path, PathBuf};

use d2l_common::files::HOTDOG_DRAWINGS;
use image::codecs::jpeg::JpegEncoder;
use image::{ImageFormat, RgbImage};
use rand::RngExt;

use self::picture::Otherwise;
use super::parallel::on_all_cores;
use crate::hub::{WorkFolder, usable_cache_dir};
use crate::jupyter::say;
use crate::random::generator;
use crate::{Error, Result};

/// The folders' names; the number grows when the drawings change.
const CIFAR10: &str = "cifar10-drawings-2";
const ONE_SIDED: &str = "one-sided-drawings-2";
const BANANAS: &str = "banana-detection-drawings-2";
const THREE_KINDS: &str = "three-kinds-drawings-1";

/// The folder of hot dogs and other things below `folder`, with `train` and `test` as in the book's
/// set. Draws them if they are not there.
pub(crate) fn hotdog_drawings(folder: &Path) -> Result<PathBuf> {
    make(folder, HOTDOG_DRAWINGS, |drawn, name| {
        let mut jobs = vec![];
        for (split, count) in [("train", 600), ("test", 200)] {
            for class in ["hotdog", "not-hotdog"] {
                let class_folder = drawn.join(split).join(class);
                create(&class_folder)?;
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
        create(drawn)?;
        let classes: String = food::KINDS.iter().map(|(name, _)| format!("{name}\n")).collect();
        write("batches.meta.txt", classes.as_bytes())?;
        let records = draw(EACH * files.len(), name, |i| {
            let mut rng = generator(0x0c1f, 0, i as u64);
            // The classes in turn, but in no order within ten.
            let class = (i % 10 + (i / 10) * 7) % 10;
            Ok(record(class, &picture::small_picture(class, &mut rng)))
        })?;
        files
            .iter()
            .zip(records.chunks(EACH))
            .try_for_each(|(file, part)| write(file, &part.concat()))
    })
}

/// The folder of a small set that shows what image augmentation does, drawn by this crate: bananas,
/// carrots, hot dogs and sausages, 64×64 pixels, in folders as [`ImageFolder`](super::ImageFolder) reads
/// them. Draws them if they are not there.
///
/// | folder | images | the thing is |
/// | --- | --- | --- |
/// | `train`, `test/same` | 300, 200 | small, on the left, the same way round, in warm light |
/// | `test/side` | 200 | mirrored, on the right |
/// | `test/size` | 200 | larger, and not always at the same place |
/// | `test/light` | 200 | in cold or dim light |
/// | `test/all` | 200 | otherwise in each of these three, with a probability of one half |
///
/// For: [*Image Augmentation*](https://d2l.ai/chapter_computer-vision/image-augmentation.html).
///
/// # Errors
/// There is no folder to write to, or the disk is full.
pub fn one_sided_drawings() -> Result<PathBuf> {
    let cache = usable_cache_dir()?;
    make(&cache, ONE_SIDED, |drawn, name| {
        let classes = picture::SIDED;
        let mut jobs = vec![];
        let splits = ["train", "test/same", "test/side", "test/size", "test/light", "test/all"];
        for split in splits {
            for (class, _) in classes {
                create(&drawn.join(split).join(class))?;
            }
            let count = if split == "train" { 300 } else { 200 };
            jobs.extend((0..count).map(|i| {
                let (kind, file) = (i % classes.len(), format!("{:04}.png", i / classes.len()));
                (kind, split, drawn.join(split).join(classes[kind].0).join(file))
            }));
        }
        let each = |seed: usize| -> Result<()> {
            let (kind, split, path) = &jobs[seed];
            let mut rng = generator(0x51de, 0, seed as u64);
            let mut is = |name| *split == name || *split == "test/all" && rng.random_bool(0.5);
            let otherwise =
                Otherwise { side: is("test/side"), size: is("test/size"), light: is("test/light") };
            let png = png(&picture::sided_picture(*kind, otherwise, &mut rng))?;
            std::fs::write(path, png).map_err(Error::io("write the drawings", path))
        };
        draw(jobs.len(), name, each).map(drop)
    })
}

/// The folder of images with one banana each and its box, below `folder`, with `bananas_train` and
/// `bananas_val` as in the book's set. Draws them if they are not there.
pub(crate) fn banana_drawings(folder: &Path) -> Result<PathBuf> {
    with_boxes(folder, BANANAS, &objects::BANANAS, 0xba9a)
}

/// The folder of a set for detection, drawn by this crate: none to three bananas, carrots and doughnuts in
/// each image, 256×256 pixels, 1000 images in `objects_train` and 200 in `objects_val`, for
/// [`BananasDataset::from_folder`](super::BananasDataset::from_folder). Draws them if they are not there.
///
/// For: [*The Object Detection Dataset*](https://d2l.ai/chapter_computer-vision/object-detection-dataset.html).
///
/// # Errors
/// There is no folder to write to, or the disk is full.
pub fn three_kinds_drawings() -> Result<PathBuf> {
    with_boxes(&usable_cache_dir()?, THREE_KINDS, &objects::THREE_KINDS, 0x0b1e)
}

/// Images with boxes in the book's folders: `…_train/images/0.png`, `…_train/label.csv`.
fn with_boxes(folder: &Path, name: &str, objects: &objects::Objects, seed: u64) -> Result<PathBuf> {
    let validation = if objects.classes.len() == 1 { 100 } else { 200 };
    make(folder, name, |drawn, name| {
        let mut jobs = vec![];
        for (split, count) in [("train", 1000), ("val", validation)] {
            let split = drawn.join(format!("{}_{split}", objects.prefix));
            create(&split.join("images"))?;
            jobs.extend((0..count).map(|i| (split.clone(), format!("{i}.png"))));
        }
        let rows = draw(jobs.len(), name, |i| {
            let (split, file) = &jobs[i];
            let (picture, labelled) = objects.picture(&mut generator(seed, 0, i as u64));
            let path = split.join("images").join(file);
            std::fs::write(&path, png(&picture)?)
                .map_err(Error::io("write the drawings", &path))?;
            let row = |(class, [x1, y1, x2, y2]): objects::Labelled| {
                format!("{file},{class},{x1},{y1},{x2},{y2}\n")
            };
            Ok(match labelled.is_empty() {
                true => format!("{file},-1,0,0,0,0\n"),
                false => labelled.into_iter().map(row).collect::<String>(),
            })
        })?;
        let classes = objects.classes.iter().map(|(name, _)| format!("{name}\n"));
        write(&drawn.join("classes.txt"), &classes.collect::<String>())?;
        for split in ["train", "val"] {
            let split = drawn.join(format!("{}_{split}", objects.prefix));
            let of_split = jobs.iter().zip(&rows).filter(|((folder, _), _)| *folder == split);
            let table: String = of_split.map(|(_, rows)| rows.as_str()).collect();
            let head = "img_name,label,xmin,ymin,xmax,ymax\n";
            write(&split.join("label.csv"), &format!("{head}{table}"))?;
        }
        Ok(())
    })
}

fn write(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text).map_err(Error::io("write the drawings", path))
}

fn png(picture: &RgbImage) -> Result<Vec<u8>> {
    let mut png = Cursor::new(vec![]);
    picture.write_to(&mut png, ImageFormat::Png).map_err(not_encoded("a PNG"))?;
    Ok(png.into_inner())
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
    create(folder)?;
    let work = WorkFolder::new(folder.join(format!(".{name}.drawing")))?;
    // Another program may have drawn them while this one waited.
    if target.is_dir() {
        return Ok(target);
    }
    let drawn = work.path().join(name);
    fill(&drawn, &target)?;
    work.sync()?;
    std::fs::rename(drawn, &target).map_err(Error::io("write the drawings", &target))?;
    Ok(target)
}

fn create(folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(Error::io("write the drawings", folder))
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
    let picture = picture::picture(hotdog, &mut rng);
    let mut jpeg = vec![];
    JpegEncoder::new_with_quality(&mut jpeg, rng.random_range(60..=92))
        .encode_image(&picture)
        .map_err(not_encoded("a JPEG"))?;
    Ok(jpeg)
}

fn not_encoded(expected: &'static str) -> impl Fn(image::ImageError) -> Error {
    move |error| Error::invalid("drawing", error.to_string(), expected, "report this")
}
