//! From an image file to pixels, as Pillow's `Image.open(path).convert("RGB")` does it.

use std::fs;
use std::io::Cursor;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits, RgbImage};

use super::orientation::orientation;
use super::unsupported::unread;
use super::{bmp, gif, jpeg};
use crate::{Error, Result};

const KINDS: &str = "a JPEG, PNG, GIF, BMP, WebP, TIFF or PNM file";
/// What to do with a file that is no image.
const ANOTHER: &str = "name another file; in a data set, move this one out of its folder";

const AS_PNG: &str = "save it as PNG";
/// Where a PNG says whether it is grey.
const PNG_KIND: usize = 25;

/// As Pillow's limit for an error: a quarter of a gigabyte of pixels, in three bytes each, twice.
static MAX_IMAGE_PIXELS: AtomicU64 = AtomicU64::new(178_956_970);

/// Sets the most pixels that an image may have, before decoding it or after a transform (Pillow:
/// `Image.MAX_IMAGE_PIXELS`).
///
/// A file of a few kilobytes can hold an image that fills the memory. The limit is 178 956 970 at
/// the start, where Pillow refuses, too.
pub fn set_max_image_pixels(pixels: u64) {
    MAX_IMAGE_PIXELS.store(pixels, Ordering::Relaxed);
}

/// An error if an image of this size would have too many pixels.
pub(super) fn check_pixels(subject: &str, width: u64, height: u64) -> Result<()> {
    let most = MAX_IMAGE_PIXELS.load(Ordering::Relaxed);
    match width.checked_mul(height) {
        Some(pixels) if pixels <= most => Ok(()),
        _ => Err(Error::invalid(
            subject,
            format!("an image of {width}×{height} pixels"),
            format!("{most} pixels or fewer"),
            "leave it out, or raise the limit with set_max_image_pixels(n) if it is to be so large",
        )),
    }
}

/// Reads an image; `upright` turns it as the camera notes.
pub(crate) fn decode(path: &Path, upright: bool) -> Result<RgbImage> {
    let data = fs::metadata(path).map_err(Error::io("read the image", path))?;
    // Reading a pipe or a device could take for ever; no image needs sixteen bytes a pixel.
    let most = MAX_IMAGE_PIXELS.load(Ordering::Relaxed).saturating_mul(16);
    if !data.is_file() || data.len() > most {
        let found = match data.is_file() {
            true => format!("{} bytes", data.len()),
            false => "this is no file".into(),
        };
        let expected = format!("an image file of at most {most} bytes");
        return Err(Error::file(path, found, expected, ANOTHER));
    }
    let content = fs::read(path).map_err(Error::io("read the image", path))?;
    if content.is_empty() {
        return Err(Error::file(path, "this file is empty", KINDS, ANOTHER));
    }
    if let Some((what, todo)) = unread(&content) {
        return Err(unsupported(path, what, todo));
    }
    let mut content = plain_text(content);
    // The library reads a BigTIFF, but does not know one by its start.
    let is_big_tiff = content.starts_with(b"II+\0") || content.starts_with(b"MM\0+");
    let guessed = image::guess_format(&content).ok();
    let Some(format) = guessed.or(is_big_tiff.then_some(ImageFormat::Tiff)) else {
        return Err(Error::file(path, "this file is no image", KINDS, ANOTHER));
    };
    let picture = if format == ImageFormat::Jpeg {
        jpeg::decode(path, &content)?
    } else {
        let screen = if format == ImageFormat::Gif { gif::first_frame(&mut content) } else { None };
        let rest = if format == ImageFormat::Bmp { bmp::prepare(&mut content) } else { None };
        let refused = |error: ImageError| match error {
            ImageError::Unsupported(error) => unsupported(path, &error.to_string(), AS_PNG),
            other => damaged(path, &other.to_string()),
        };
        let mut limits = Limits::no_limits();
        limits.max_alloc = Some(most);
        let mut reader = ImageReader::with_format(Cursor::new(&content), format);
        reader.limits(limits);
        let decoder = reader.into_decoder().map_err(refused)?;
        let (width, height) = decoder.dimensions();
        if width == 0 || height == 0 {
            return Err(damaged(path, "it has no pixels"));
        }
        let (width, height) = screen.as_ref().map_or((width, height), |it| (it.width, it.height));
        check_pixels(&path.display().to_string(), width.into(), height.into())?;
        let picture = DynamicImage::from_decoder(decoder).map_err(refused)?;
        if matches!(picture, DynamicImage::ImageRgb32F(_) | DynamicImage::ImageRgba32F(_)) {
            return Err(unsupported(path, "an image of floating-point numbers", AS_PNG));
        }
        // A key of transparency makes it two channels, but its kind is still grey.
        let is_grey = format == ImageFormat::Png && content.get(PNG_KIND) == Some(&0);
        let mut picture = to_rgb8(picture, is_grey);
        if let Some(rest) = rest {
            rest.apply(&mut picture);
        }
        match screen {
            Some(screen) => screen.with(&picture),
            None => picture,
        }
    };
    // Pillow turns a TIFF while it reads it.
    if !upright && format != ImageFormat::Tiff {
        return Ok(picture);
    }
    let mut picture = DynamicImage::from(picture);
    picture.apply_orientation(orientation(&content, format));
    Ok(picture.into_rgb8())
}

/// A file of a kind that is read, but not whole.
pub(super) fn damaged(path: &Path, reason: &str) -> Error {
    Error::file(
        path,
        format!("the image cannot be decoded ({reason})"),
        "a whole image",
        "replace the file, or remove it: it may have been cut off while it was copied",
    )
}

/// A file that is whole, but of a kind that is not read.
pub(super) fn unsupported(path: &Path, what: &str, todo: &str) -> Error {
    Error::file(path, format!("{what}, a kind of file that is not read here"), KINDS, todo)
}

/// Netpbm's plain kinds without their remarks, which may stand among the samples.
fn plain_text(content: Vec<u8>) -> Vec<u8> {
    if !matches!(content.get(..3), Some([b'P', b'1'..=b'3', after]) if after.is_ascii_whitespace() || *after == b'#')
    {
        return content;
    }
    let mut in_remark = false;
    let mut keep = |byte: &u8| {
        in_remark = *byte == b'#' || in_remark && !matches!(byte, b'\n' | b'\r');
        !in_remark
    };
    content.into_iter().filter(|byte| keep(byte)).collect()
}

/// As Pillow, which of 16 bits takes the higher eight, but cuts grey ones at 255.
fn to_rgb8(picture: DynamicImage, is_grey: bool) -> RgbImage {
    let (width, height) = (picture.width(), picture.height());
    let high = |value: u16| (value >> 8) as u8;
    let bytes: Vec<u8> = match &picture {
        DynamicImage::ImageLuma16(grey) => {
            grey.iter().flat_map(|&value| [value.min(255) as u8; 3]).collect()
        }
        DynamicImage::ImageLumaA16(grey) => {
            let value = |value: u16| if is_grey { value.min(255) as u8 } else { high(value) };
            grey.pixels().flat_map(|pixel| [value(pixel.0[0]); 3]).collect()
        }
        DynamicImage::ImageRgb16(colours) => colours.iter().map(|&value| high(value)).collect(),
        DynamicImage::ImageRgba16(colours) => {
            let rgb = colours.pixels().flat_map(|pixel| [pixel.0[0], pixel.0[1], pixel.0[2]]);
            rgb.map(high).collect()
        }
        _ => return picture.into_rgb8(),
    };
    // Three bytes a pixel, so there is an image.
    RgbImage::from_raw(width, height, bytes).unwrap_or_default()
}
