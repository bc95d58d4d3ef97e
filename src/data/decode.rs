//! From a picture file to pixels, as Pillow's `Image.open(path).convert("RGB")` does it.

use std::fs;
use std::io::Cursor;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits, RgbImage};

use crate::{Error, Result};

/// What to do with a file that is no picture.
const ANOTHER: &str = "name another file; in a data set, move this one out of its folder";

/// As Pillow's limit for an error: a quarter of a gigabyte of pixels, in three bytes each, twice.
static MAX_IMAGE_PIXELS: AtomicU64 = AtomicU64::new(178_956_970);

/// Sets the most pixels that a picture may have, before decoding it or after a transform (Pillow:
/// `Image.MAX_IMAGE_PIXELS`).
///
/// A file of a few kilobytes can hold a picture that fills the memory. The limit is 178 956 970 at
/// the start, where Pillow refuses, too.
pub fn set_max_image_pixels(pixels: u64) {
    MAX_IMAGE_PIXELS.store(pixels, Ordering::Relaxed);
}

/// An error if a picture of this size would have too many pixels.
pub(super) fn check_pixels(subject: &str, width: u64, height: u64) -> Result<()> {
    let most = MAX_IMAGE_PIXELS.load(Ordering::Relaxed);
    match width.checked_mul(height) {
        Some(pixels) if pixels <= most => Ok(()),
        _ => Err(Error::invalid(
            subject,
            format!("a picture of {width}×{height} pixels"),
            format!("{most} pixels or fewer"),
            "leave it out, or raise the limit with set_max_image_pixels(n) if it is to be so large",
        )),
    }
}

/// Reads a picture; `upright` turns it as the camera notes.
pub(super) fn decode(path: &Path, upright: bool) -> Result<RgbImage> {
    let data = fs::metadata(path).map_err(Error::io("read the picture", path))?;
    // Reading a pipe or a device could take for ever; no picture needs sixteen bytes a pixel.
    let most = MAX_IMAGE_PIXELS.load(Ordering::Relaxed).saturating_mul(16);
    if !data.is_file() || data.len() > most {
        let found = match data.is_file() {
            true => format!("{} bytes", data.len()),
            false => "this is no file".into(),
        };
        let expected = format!("a picture file of at most {most} bytes");
        return Err(Error::file(path, found, expected, ANOTHER));
    }
    let content = fs::read(path).map_err(Error::io("read the picture", path))?;
    let mut reader = ImageReader::new(Cursor::new(&content))
        .with_guessed_format()
        .map_err(Error::io("read the picture", path))?;
    if reader.format().is_none() {
        return Err(Error::file(
            path,
            if content.is_empty() { "this file is empty" } else { "this file is no picture" },
            "a JPEG, PNG, GIF, BMP, WebP, TIFF or PNM file",
            ANOTHER,
        ));
    }
    let damaged = |reason: String| {
        Error::file(
            path,
            format!("the picture cannot be decoded ({reason})"),
            "a whole picture",
            "replace the file, or remove it: it may have been cut off while it was copied",
        )
    };
    let refused = |error: ImageError| match error {
        ImageError::Unsupported(error) => Error::file(
            path,
            format!("a kind of picture that is not read here ({error})"),
            "a common kind",
            "save it as PNG",
        ),
        other => damaged(other.to_string()),
    };
    // The decoder fills what a JPEG lacks with grey.
    if reader.format() == Some(ImageFormat::Jpeg) && is_cut_off(&content) {
        return Err(damaged("the JPEG has no end".into()));
    }
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(most);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(refused)?;
    let (width, height) = decoder.dimensions();
    check_pixels(&path.display().to_string(), width.into(), height.into())?;
    // A note that cannot be read is none.
    let orientation = decoder.orientation().ok().filter(|_| upright);
    let mut picture = DynamicImage::from_decoder(decoder).map_err(refused)?;
    if let Some(orientation) = orientation {
        picture.apply_orientation(orientation);
    }
    Ok(to_rgb8(picture))
}

/// As Pillow, which of 16 bits takes the higher eight, but cuts grey ones at 255.
fn to_rgb8(picture: DynamicImage) -> RgbImage {
    let (width, height) = (picture.width(), picture.height());
    let high = |value: u16| (value >> 8) as u8;
    let bytes: Vec<u8> = match &picture {
        DynamicImage::ImageLuma16(grey) => {
            grey.iter().flat_map(|&value| [value.min(255) as u8; 3]).collect()
        }
        DynamicImage::ImageLumaA16(grey) => {
            grey.pixels().flat_map(|pixel| [high(pixel.0[0]); 3]).collect()
        }
        DynamicImage::ImageRgb16(colours) => colours.iter().map(|&value| high(value)).collect(),
        DynamicImage::ImageRgba16(colours) => {
            let rgb = colours.pixels().flat_map(|pixel| [pixel.0[0], pixel.0[1], pixel.0[2]]);
            rgb.map(high).collect()
        }
        _ => return picture.into_rgb8(),
    };
    // Three bytes a pixel, so there is a picture.
    RgbImage::from_raw(width, height, bytes).unwrap_or_default()
}

/// Whether a JPEG's last scan is not followed by the mark of the end; neither mark occurs in a scan.
fn is_cut_off(jpeg: &[u8]) -> bool {
    if jpeg.ends_with(&[0xff, 0xd9]) {
        return false;
    }
    let pairs = || jpeg.windows(2);
    let last_scan = pairs().rposition(|pair| pair == [0xff, 0xda]).unwrap_or(0);
    !pairs().skip(last_scan).any(|pair| pair == [0xff, 0xd9])
}
