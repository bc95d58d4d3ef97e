//! How a camera was held, as Pillow reads it: from EXIF, else from XMP, in each kind of file.

use std::borrow::Cow;
use std::io::Read;

use image::ImageFormat;
use image::metadata::Orientation;

use super::{jpeg, tiff};

/// The note in a file of this format. A note that cannot be read is none.
pub(super) fn orientation(content: &[u8], format: ImageFormat) -> Orientation {
    let notes = match format {
        ImageFormat::Jpeg => of_jpeg(content),
        ImageFormat::Png => of_png(content),
        ImageFormat::WebP => of_webp(content),
        ImageFormat::Tiff => {
            Notes { exif: Some(content.into()), xmp: tag(content, 700).map(|it| it.1.into()) }
        }
        _ => Notes::default(),
    };
    let mut exif = notes.exif.as_deref().unwrap_or_default();
    while let Some(rest) = exif.strip_prefix(EXIF) {
        exif = rest;
    }
    let value = match tag(exif, 274) {
        // One that is no whole number is there, but turns nothing.
        Some((kind, value)) => tiff::number(exif, kind, value),
        None => notes.xmp.as_deref().and_then(in_xmp),
    };
    let orientation = value.and_then(|value| Orientation::from_exif(u8::try_from(value).ok()?));
    orientation.unwrap_or(Orientation::NoTransforms)
}

/// The kind and the value of a tag in the first directory.
fn tag(exif: &[u8], wanted: u16) -> Option<(u16, &[u8])> {
    let tags = tiff::directory(exif)?;
    tags.into_iter().rfind(|&(tag, ..)| tag == wanted).map(|(_, kind, value)| (kind, value))
}

/// What may hold the note: EXIF without its prefix, or with it; and a packet of XMP.
#[derive(Default)]
struct Notes<'a> {
    exif: Option<Cow<'a, [u8]>>,
    xmp: Option<Cow<'a, [u8]>>,
}

const EXIF: &[u8] = b"Exif\0\0";

fn of_jpeg(content: &[u8]) -> Notes<'_> {
    let mut notes = Notes::default();
    for (marker, data) in jpeg::notes(content) {
        if marker != 0xe1 {
            continue;
        }
        if let Some(exif) = data.strip_prefix(EXIF) {
            // What does not fit into one segment goes on in the next.
            notes.exif.get_or_insert_default().to_mut().extend(exif);
        } else if let Some(xmp) = data.strip_prefix(b"http://ns.adobe.com/xap/1.0/\0") {
            notes.xmp = Some(xmp.into());
        }
    }
    notes
}

fn of_png(content: &[u8]) -> Notes<'_> {
    let (mut notes, mut profile) = (Notes::default(), None);
    let mut rest = content.get(8..).unwrap_or_default();
    while let Some((length, after)) = rest.split_first_chunk::<4>()
        && let Some((kind, after)) = after.split_first_chunk::<4>()
        && let length = u32::from_be_bytes(*length) as usize
        && let Some(data) = after.get(..length)
    {
        match kind {
            b"eXIf" => notes.exif = Some(data.into()),
            b"tEXt" | b"zTXt" | b"iTXt" => match text(kind, data) {
                Some((b"Raw profile type exif", value)) => profile = from_hex(&value),
                Some((b"exif", value)) => notes.exif = Some(value.into()),
                Some((b"XML:com.adobe.xmp", value)) => notes.xmp = Some(value.into()),
                _ => {}
            },
            _ => {}
        }
        rest = after.get(length + 4..).unwrap_or_default();
    }
    notes.exif = notes.exif.or(profile.map(Cow::Owned));
    notes
}

/// The key and the value of a text in a PNG.
fn text<'a>(kind: &[u8; 4], data: &'a [u8]) -> Option<(&'a [u8], Vec<u8>)> {
    let until_zero = |data: &'a [u8]| {
        let end = data.iter().position(|&byte| byte == 0)?;
        Some((&data[..end], &data[end + 1..]))
    };
    let inflate = |data: &[u8]| {
        let mut value = vec![];
        // As long as Pillow allows a text to be.
        let limited = flate2::read::ZlibDecoder::new(data).take(1 << 20);
        std::io::BufReader::new(limited).read_to_end(&mut value).ok().map(|_| value)
    };
    let (key, value) = until_zero(data)?;
    let value = match kind {
        b"tEXt" => value.to_vec(),
        b"zTXt" => inflate(value.get(1..)?)?,
        _ => {
            let is_compressed = *value.first()? != 0;
            let (_language, value) = until_zero(value.get(2..)?)?;
            let (_translated, value) = until_zero(value)?;
            if is_compressed { inflate(value)? } else { value.to_vec() }
        }
    };
    Some((key, value))
}

/// ImageMagick's way: three lines, then the bytes in hexadecimal.
fn from_hex(text: &[u8]) -> Option<Vec<u8>> {
    let digits: Vec<u8> = text
        .split(|&byte| byte == b'\n')
        .skip(3)
        .flatten()
        .copied()
        .filter(|byte| !byte.is_ascii_whitespace())
        .collect();
    let (pairs, []) = digits.as_chunks::<2>() else { return None };
    let byte = |pair: &[u8; 2]| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok();
    pairs.iter().map(byte).collect()
}

fn of_webp(content: &[u8]) -> Notes<'_> {
    let mut notes = Notes::default();
    let mut rest = content.get(12..).unwrap_or_default();
    while let Some((kind, after)) = rest.split_first_chunk::<4>()
        && let Some((length, after)) = after.split_first_chunk::<4>()
        && let length = u32::from_le_bytes(*length) as usize
        && let Some(data) = after.get(..length)
    {
        match kind {
            b"EXIF" => _ = notes.exif.get_or_insert(data.into()),
            b"XMP " => _ = notes.xmp.get_or_insert(data.into()),
            _ => {}
        }
        // Chunks have an even length.
        rest = after.get(length + length % 2..).unwrap_or_default();
    }
    notes
}

fn in_xmp(xmp: &[u8]) -> Option<i64> {
    const NAME: &[u8] = b"tiff:Orientation";
    xmp.windows(NAME.len()).enumerate().filter(|(_, window)| *window == NAME).find_map(|(at, _)| {
        let rest = &xmp[at + NAME.len()..];
        let digit = rest.strip_prefix(b"=\"").or_else(|| rest.strip_prefix(b">"))?.first()?;
        digit.is_ascii_digit().then(|| i64::from(digit - b'0'))
    })
}
