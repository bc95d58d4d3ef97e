//! Files that are not an image of a supported kind, and what they are instead.

use super::tiff;
use crate::hub::first_bytes::Kind;

/// What to do with an image of another kind.
const SAVE: &str = "open it with the program it comes from, and save it as PNG or JPEG";
const HEIC: &str = "convert it to JPEG (heif-convert on Linux, Preview on a Mac), or have the phone \
                    take JPEGs (iPhone: Settings, Camera, Formats, Most Compatible)";
const DEVELOP: &str =
    "develop it with a raw converter (darktable, RawTherapee), and save it as JPEG or PNG";
const FRAMES: &str = "save single frames as PNG or JPEG (ffmpeg -i file frame%04d.png)";
const FETCH: &str = "look at it in a browser or an editor, and fetch the image itself: the address \
                     led to a page, perhaps one to sign in";
const POINTER: &str = "fetch the file that it stands for: run `git lfs pull` in the repository";
const ANNEX: &str = "fetch the file that it stands for: run `git annex get` in the repository";
const UNPACK: &str = "unpack it, and name the images inside";

/// First bytes, what such a file is, and what to do.
const STARTS: &[(&[u8], &str, &str)] = &[
    (b"\0\0\0\x0cjP  \r\n\x87\n", "a JPEG 2000 image", SAVE),
    (b"\xff\x4f\xff\x51", "a JPEG 2000 image", SAVE),
    (b"\0\0\0\x0cJXL \r\n\x87\n", "a JPEG XL image", SAVE),
    (b"\xff\x0a", "a JPEG XL image", SAVE),
    (b"8BPS", "a Photoshop document", SAVE),
    (b"gimp xcf", "a GIMP document", SAVE),
    (b"\0\0\x01\0", "an icon (ICO)", SAVE),
    (b"\0\0\x02\0", "a cursor (CUR)", SAVE),
    (b"icns", "an icon (ICNS)", SAVE),
    (b"DDS ", "a DDS texture", SAVE),
    (b"qoif", "a QOI image", SAVE),
    (b"farbfeld", "a farbfeld image", SAVE),
    (b"\x76\x2f\x31\x01", "an OpenEXR image", SAVE),
    (b"#?RADIANCE", "a Radiance HDR image", SAVE),
    (b"PF\n", "a PFM image", SAVE),
    (b"Pf\n", "a PFM image", SAVE),
    (b"SIMPLE  =", "a FITS image", SAVE),
    (b"\x8aMNG\r\n\x1a\n", "an MNG animation", FRAMES),
    (b"\x8bJNG\r\n\x1a\n", "a JNG image", SAVE),
    (b"BPG\xfb", "a BPG image", SAVE),
    (b"FLIF", "a FLIF image", SAVE),
    (b"FUJIFILMCCD-RAW", "a camera's raw image (RAF)", DEVELOP),
    (b"IIU\0", "a camera's raw image (RW2)", DEVELOP),
    (b"IIRO", "a camera's raw image (ORF)", DEVELOP),
    (b"IIRS", "a camera's raw image (ORF)", DEVELOP),
    (b"MMOR", "a camera's raw image (ORF)", DEVELOP),
    (b"FOVb", "a camera's raw image (X3F)", DEVELOP),
    (b"%PDF-", "a PDF document", SAVE),
    (b"%!PS", "a PostScript document", SAVE),
    (b"\x1aE\xdf\xa3", "a video (Matroska or WebM)", FRAMES),
];

/// What this file is and what to do, if it is known and not read here.
pub(super) fn unread(content: &[u8]) -> Option<(&'static str, &'static str)> {
    let start = STARTS.iter().find(|(start, ..)| content.starts_with(start));
    start
        .map(|&(_, what, todo)| (what, todo))
        .or_else(|| common(content))
        .or_else(|| iso_media(content))
        .or_else(|| riff(content))
        .or_else(|| text(content))
        .or_else(|| raw_tiff(content))
}

/// Kinds that readers of other files meet, too.
fn common(content: &[u8]) -> Option<(&'static str, &'static str)> {
    Some(match Kind::of(content)? {
        Kind::Zip => ("a zip archive", UNPACK),
        Kind::Gzip => ("a gzip archive", UNPACK),
        Kind::Bzip2 => ("a bzip2 archive", UNPACK),
        Kind::Xz => ("an xz archive", UNPACK),
        Kind::Zstandard => ("a Zstandard archive", UNPACK),
        Kind::SevenZip => ("a 7z archive", UNPACK),
        Kind::Rar => ("a RAR archive", UNPACK),
        Kind::Numpy => {
            ("an array of NumPy", "save it as PNG with Pillow: Image.fromarray(array).save(path)")
        }
        Kind::LfsPointer => ("a pointer of Git LFS, not the image itself", POINTER),
        Kind::AnnexPointer => ("a pointer of git-annex, not the image itself", ANNEX),
        Kind::Lz4 | Kind::Lzip | Kind::Lzma | Kind::Compress => return None,
    })
}

/// HEIC, AVIF and videos: boxes, whose first tells the brands.
fn iso_media(content: &[u8]) -> Option<(&'static str, &'static str)> {
    let length = u32::from_be_bytes(*content.first_chunk()?) as usize;
    let brands = content.get(4..length.clamp(12, 256).min(content.len()))?.strip_prefix(b"ftyp")?;
    let has =
        |wanted: &[&[u8; 4]]| brands.as_chunks().0.iter().any(|brand| wanted.contains(&brand));
    let known = if has(&[b"avif", b"avis"]) {
        ("an AVIF image", SAVE)
    } else if has(&[b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"]) {
        ("a HEIC or HEIF image", HEIC)
    } else if has(&[b"crx "]) {
        ("a camera's raw image (CR3)", DEVELOP)
    } else {
        ("a video (MP4 or QuickTime)", FRAMES)
    };
    Some(known)
}

fn riff(content: &[u8]) -> Option<(&'static str, &'static str)> {
    let kind = content.strip_prefix(b"RIFF")?.get(4..8)?;
    (kind == b"AVI ").then_some(("a video (AVI)", FRAMES))
}

/// A page or a drawing: text that begins with a tag, after spaces, remarks and declarations.
fn text(content: &[u8]) -> Option<(&'static str, &'static str)> {
    let content = content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(content).trim_ascii_start();
    if content.first() != Some(&b'<') {
        return None;
    }
    let start = String::from_utf8_lossy(&content[..content.len().min(4096)]).to_lowercase();
    // A page may hold a drawing; a drawing seldom holds a page.
    if ["<!doctype html", "<html", "<head", "<body"].iter().any(|tag| start.contains(tag)) {
        Some(("a web page (HTML)", FETCH))
    } else if start.contains("<svg") {
        Some(("an SVG drawing", SAVE))
    } else if start.starts_with("<?xml") {
        Some(("an XML document", FETCH))
    } else {
        None
    }
}

/// Cameras' raw images that are TIFF files with a small preview in the first place, and TIFF files
/// whose kind the decoder has no words for.
fn raw_tiff(content: &[u8]) -> Option<(&'static str, &'static str)> {
    if content.get(8..10) == Some(b"CR") && tiff::directory(content).is_some() {
        return Some(("a camera's raw image (CR2)", DEVELOP));
    }
    let tags = tiff::directory(content)?;
    let number = |wanted: u16| {
        let &(_, kind, value) = tags.iter().find(|&&(tag, ..)| tag == wanted)?;
        tiff::number(content, kind, value)
    };
    let has = |wanted: u16| tags.iter().any(|&(tag, ..)| tag == wanted);
    const DNG_VERSION: u16 = 50706;
    const SUB_IMAGES: u16 = 330;
    let is_preview = number(254).is_some_and(|kind| kind & 1 == 1);
    if has(DNG_VERSION) {
        Some(("a camera's raw image (DNG)", DEVELOP))
    } else if is_preview && has(SUB_IMAGES) || matches!(number(259), Some(32767 | 34713)) {
        Some(("a camera's raw image (such as NEF or ARW)", DEVELOP))
    } else if number(339) == Some(3) {
        Some((
            "a TIFF of floating-point numbers",
            "save it as PNG, with its values scaled to 0 to 255",
        ))
    } else if number(262) == Some(3) {
        Some(("a TIFF with a palette", "save it as PNG, or as a TIFF in RGB"))
    } else {
        None
    }
}
