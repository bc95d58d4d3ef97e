//! Image files of many kinds, against Pillow.

use std::fs;

use crate::common;
use crate::common::report::{Comparison, refused};
use crate::common::{reference, test_image};
use d2l::image::RgbImage;
use d2l::prelude::*;

fn pixels(image: Image) -> RgbImage {
    match image {
        Image::Pixels(pixels) => pixels,
        Image::Float(_) => panic!("numbers"),
    }
}

/// The largest difference and the mean one, of 255.
fn differences(ours: &RgbImage, theirs: &Tensor, case: &str) -> (f64, f64) {
    assert_eq!(theirs.size(), [i64::from(ours.height()), i64::from(ours.width()), 3], "{case}");
    let theirs = Vec::<u8>::try_from(theirs.flatten(0, -1)).unwrap();
    let off = ours.as_raw().iter().zip(&theirs).map(|(a, b)| f64::from(a.abs_diff(*b)));
    let sum: f64 = off.clone().sum();
    (off.fold(0., f64::max), sum / theirs.len() as f64)
}

/// Grey, palettes, transparency, 16 bits, CMYK, many formats: as Pillow's `convert("RGB")`.
#[test]
fn images_of_every_kind_are_read_as_pillow_does() {
    let what = "lossless image files: PNG, BMP, PNM, TIFF, GIF, WebP of all kinds, against Pillow";
    let mut exact = Comparison::new(what, "of 255", 0.);
    let what = "lossy image files: JPEG (4:4:4, 4:2:2, 4:2:0, progressive, grey, restarts), WebP";
    let mut largest = Comparison::new(what, "of 255", LARGEST);
    let mut mean = Comparison::new("lossy image files, the mean difference", "of 255", 0.5);
    let reference = reference("images");
    let folder = common::reference_folder().join("images");
    // Pillow reads these; we refuse them by name.
    let unread = "palette.tif";
    let error = Image::open(folder.join(unread)).unwrap_err();
    let text = refused("a TIFF with a palette", unread, &error);
    assert!(text.contains("save it as PNG") && text.contains("palette"), "{text}");
    for name in common::names(&folder).into_iter().filter(|name| name != unread) {
        let ours = pixels(Image::open(folder.join(&name)).unwrap());
        let (most, average) = differences(&ours, &reference[&name], &name);
        if name.starts_with("jpeg") || name.starts_with("lossy") {
            largest.add(&name, most);
            mean.add(&name, average);
        } else {
            exact.add(&name, most);
        }
    }
}

/// Two decoders round the same file differently, most where chroma is subsampled.
const LARGEST: f64 = 4.;

/// Where there are photographs and the reference: JPEG files as cameras and editors write them.
#[test]
fn photographs_are_read_and_resized_as_pillow_does() {
    use d2l::data::transforms::Transform;
    use rand::SeedableRng;
    let Some(folder) = common::photographs() else { return };
    let images = ImageFolder::new(folder.join("test")).unwrap();
    let paths: Vec<_> = images.samples().iter().step_by(8).map(|sample| &sample.0).collect();
    let made = tempfile::tempdir().unwrap();
    let made = made.path().join("made.safetensors");
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut python = std::process::Command::new(root.join(".venv/bin/python"));
    python.arg(common::reference_folder().join("photographs.py")).arg(&made).args(&paths);
    if !python.status().is_ok_and(|status| status.success()) {
        return common::report::skipped_here("no Python with Pillow in .venv");
    }
    let theirs: std::collections::HashMap<_, _> =
        Tensor::read_safetensors(made).unwrap().into_iter().collect();
    let mut largest = Comparison::new("photographs, decoded, against Pillow", "of 255", 10.);
    let mut mean = Comparison::new("photographs, decoded, the mean difference", "of 255", 0.5);
    let what = "photographs, decoded and resized to 256×256, against torchvision on Pillow";
    let mut resized = Comparison::new(what, "of 255", 8.);
    let mut rng = d2l::data::Rng::seed_from_u64(0);
    for (i, path) in paths.iter().enumerate() {
        let (image, case) = (Image::open(path).unwrap(), path.display().to_string());
        let (most, average) = differences(&pixels(image.clone()), &theirs[&i.to_string()], &case);
        largest.add(&case, most);
        mean.add(&case, average);
        let ours = pixels(Resize::new([256, 256]).unwrap().apply(image, &mut rng).unwrap());
        resized.add(&case, differences(&ours, &theirs[&format!("{i}/256")], &case).0);
    }
}

/// image#1958, vision#7977, Pillow#9109: as in torchvision, the orientation is applied only on request.
#[test]
fn the_cameras_orientation_is_applied_on_demand() {
    let reference = reference("images");
    let root = tempfile::tempdir().unwrap();
    let class = root.path().join("class");
    fs::create_dir(&class).unwrap();
    let folder = common::reference_folder().join("images");
    let names: Vec<String> =
        common::names(&folder).into_iter().filter(|name| name.contains("turned")).collect();
    for name in &names {
        fs::copy(folder.join(name), class.join(name)).unwrap();
    }
    let what = "EXIF orientations, `exif_transpose`, against Pillow";
    let mut off = Comparison::new(what, "of 255", LARGEST);
    let images = ImageFolder::new(root.path()).unwrap();
    let upright = images.clone().exif_transpose();
    for (i, name) in names.iter().enumerate() {
        let as_it_is = images.image(i as isize).unwrap();
        assert_eq!(as_it_is.size(), (37, 29), "{name}");
        let turned = pixels(upright.image(i as isize).unwrap());
        off.add(name, differences(&turned, &reference[&format!("upright/{name}")], name).0);
    }
}

/// The files in tests/reference/kinds whose names begin like this.
fn kinds(start: &str) -> Vec<(String, std::path::PathBuf)> {
    let folder = common::reference_folder().join("kinds");
    let names = common::names(&folder).into_iter().filter(|name| name.starts_with(start));
    let files: Vec<_> = names.map(|name| (name.clone(), folder.join(name))).collect();
    assert!(files.len() > 2, "{start}");
    files
}

fn reported(name: &str) -> std::path::PathBuf {
    common::reference_folder().join("reported").join(name)
}

/// F4: data after the image decides nothing; a file that is cut off is still refused.
#[test]
fn a_jpeg_ends_where_its_image_does() {
    let reference = reference("kinds");
    let what = "JPEG files followed by videos, other images and garbage, against Pillow";
    let mut largest = Comparison::new(what, "of 255", LARGEST);
    let mut compare = |key: &str, path: &std::path::Path| {
        let ours = pixels(Image::open(path).unwrap());
        largest.add(key, differences(&ours, &reference[key], key).0);
    };
    for name in ["motion_photo.jpg", "trailing_ffda.jpg"] {
        compare(&format!("reported/{name}"), &reported(name));
    }
    for (name, path) in kinds("end_") {
        compare(&name, &path);
    }
    for name in ["no_eoi.jpg", "cut_with_trailer.jpg"] {
        let text =
            refused("a JPEG that is cut off", name, &Image::open(reported(name)).unwrap_err());
        assert!(text.contains("no end") && text.contains("cut off"), "{text}");
    }
    // Cut in the scan, with anything that may follow: another end marker, too.
    let folder = tempfile::tempdir().unwrap();
    let large = folder.path().join("large.jpg");
    test_image(320, 240).save(&large).unwrap();
    let whole = &fs::read(large).unwrap()[..];
    let progressive =
        fs::read(common::reference_folder().join("images/jpeg_progressive.jpg")).unwrap();
    let trailers: [&[u8]; 6] = [
        b"",
        b"\0\0\0\x18ftypmp42 moov SEFT",
        whole,
        b"\0\0\0\x18ftypmp42\xff\x4f moov \xff\xd9",
        &[&[0; 40][..], b"\xff\xd9SEFT"].concat(),
        b"\xff\xd9",
    ];
    // A progressive image that ends early is a coarse one, in Pillow, too.
    let without_end = &trailers[..4];
    for (kind, jpeg, trailers) in
        [("baseline", whole, &trailers[..]), ("progressive", &progressive, without_end)]
    {
        for part in [50, 65, 80] {
            for (i, trailer) in trailers.iter().enumerate() {
                let path = folder.path().join(format!("{kind}_{part}_{i}.jpg"));
                fs::write(&path, [&jpeg[..jpeg.len() * part / 100], trailer].concat()).unwrap();
                let what = "a JPEG that is cut off, and something after it";
                let error = match Image::open(&path) {
                    Ok(_) => panic!("{} is read", path.display()),
                    Err(error) => error,
                };
                refused(what, ".jpg", &error);
            }
        }
    }
}

/// All rows of an image of one colour are in the last few bytes, which decoders read ahead.
#[test]
fn an_even_jpeg_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("even.jpg");
    for (width, height) in [(17, 200), (64, 640), (640, 64), (1, 1), (8, 4000)] {
        for value in [0, 128, 200] {
            let even = RgbImage::from_pixel(width, height, d2l::image::Rgb([value; 3]));
            even.save(&path).unwrap();
            let ours = pixels(Image::open(&path).unwrap());
            assert_eq!(ours.dimensions(), (width, height));
            assert!(ours.iter().all(|&it| it.abs_diff(value) < 2), "{width}×{height}, {value}");
        }
    }
}

/// F12: orientations in files of all kinds, as phones and editors write them, as Pillow reads them.
#[test]
fn orientations_are_read_as_pillow_does() {
    let reference = reference("kinds");
    let root = tempfile::tempdir().unwrap();
    let class = root.path().join("class");
    fs::create_dir(&class).unwrap();
    let mut files = kinds("turned_");
    files.push(("exif.tif".into(), reported("exif.tif")));
    for (name, path) in &files {
        fs::copy(path, class.join(name)).unwrap();
    }
    let what =
        "orientations in JPEG, PNG, WebP and TIFF files, as opened, and with `exif_transpose`";
    let mut off = Comparison::new(what, "of 255", LARGEST);
    let images = ImageFolder::new(root.path()).unwrap();
    assert_eq!(images.len(), files.len());
    for (upright, images) in [("", images.clone()), ("upright/", images.exif_transpose())] {
        for (path, _) in images.samples() {
            let name = path.file_name().unwrap().to_str().unwrap();
            let key = if name == "exif.tif" { "reported/exif.tif" } else { name };
            let key = format!("{upright}{key}");
            let index = images.samples().iter().position(|sample| sample.0 == *path).unwrap();
            let ours = pixels(images.image(index as isize).unwrap());
            off.add(&key, differences(&ours, &reference[&key], &key).0);
        }
    }
}

/// The cached images are the oriented ones, whichever option is set first.
#[test]
fn cached_images_are_oriented_too() {
    let root = tempfile::tempdir().unwrap();
    let class = root.path().join("class");
    fs::create_dir(&class).unwrap();
    let name = "jpeg_turned_6.jpg";
    fs::copy(common::reference_folder().join("images").join(name), class.join(name)).unwrap();
    let images = ImageFolder::new(root.path()).unwrap();
    let kept = images.clone().keep_decoded(1 << 20);
    assert_eq!(kept.image(0).unwrap().size(), (37, 29));
    let expected = pixels(images.clone().exif_transpose().image(0).unwrap());
    assert_eq!(expected.dimensions(), (29, 37));
    for turned in [kept.exif_transpose(), images.exif_transpose().keep_decoded(1 << 20)] {
        for _ in 0..2 {
            assert_eq!(pixels(turned.image(0).unwrap()), expected);
        }
    }
}

/// F13 and F14: a JPEG's colours are Pillow's, or the file is refused as an unsupported kind.
#[test]
fn a_jpegs_colours_are_pillows_or_refused() {
    let reference = reference("kinds");
    let what = "JPEG files whose colours decoders disagree about: marks, names, sampling factors";
    let mut largest = Comparison::new(what, "of 255", LARGEST);
    let mut mean = Comparison::new("the same, the mean difference", "of 255", 0.5);
    let (mut read, mut unread) = (0, vec![]);
    let mut files = kinds("colour_");
    files.extend(kinds("sampled_"));
    for name in ["adobe0_jfif.jpg", "cjpeg_chroma_finer.jpg"] {
        files.push((format!("reported/{name}"), reported(name)));
    }
    for (name, path) in files {
        match Image::open(&path) {
            Ok(image) => {
                let (most, average) = differences(&pixels(image), &reference[&name], &name);
                largest.add(&name, most);
                mean.add(&name, average);
                read += 1;
            }
            Err(error) => {
                let text = refused("a JPEG of a rare kind", ".jpg", &error);
                assert!(text.contains("not read here") && text.contains("save it anew"), "{text}");
                let name = name.trim_end_matches(".jpg").trim_end_matches("_progressive");
                unread.push(name.to_string());
            }
        }
    }
    unread.dedup();
    // Only these; those that are new were read before.
    assert_eq!(unread, UNREAD, "{read} are read");
}

/// Colours in scans of their own, luma coarser than chroma, thirds.
const UNREAD: [&str; 15] = [
    "colour_scans",
    "colour_scans_half",
    "colour_scans_two",
    "sampled_11_11_22",
    "sampled_11_21",
    "sampled_11_22",
    "sampled_11_41",
    "sampled_12_13",
    "sampled_12_21",
    "sampled_14_12",
    "sampled_31_11",
    "sampled_31_21",
    "sampled_32_21",
    "sampled_41_12",
    "reported/cjpeg_chroma_finer",
];

/// Kinds in which decoders differ a little.
#[test]
fn small_differences_are_tolerated() {
    let reference = reference("kinds");
    let what = "grey of 16 bits with a key, plain PNM with remarks, GIF frames smaller or larger than \
                their screen, run-length BMP that jumps, BMP of 16 bits, against Pillow";
    let mut exact = Comparison::new(what, "of 255", 0.);
    for (name, path) in kinds("exact_") {
        let ours = pixels(Image::open(path).unwrap());
        exact.add(&name, differences(&ours, &reference[&name], &name).0);
    }
    // A run-length code that ends early: Pillow refuses it; the rest is what a jump skips.
    let jump = common::reference_folder().join("kinds/exact_jump_8_delta.bmp");
    let mut content = fs::read(&jump).unwrap();
    let line_end = content.len() - 7;
    content[line_end] = 1;
    let folder = tempfile::tempdir().unwrap();
    let short = folder.path().join("short.bmp");
    fs::write(&short, content).unwrap();
    let [whole, short] = [jump, short].map(|path| pixels(Image::open(path).unwrap()));
    assert!(short.rows().next().unwrap().all(|pixel| pixel.0 == [250, 40, 10]));
    assert!(whole.rows().skip(1).flatten().eq(short.rows().skip(1).flatten()));
}

/// A file's name, its content, and what the message says that it is.
fn other_kinds() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let boxes = |brands: &[u8]| {
        [&(8 + brands.len() as u32).to_be_bytes()[..], b"ftyp", brands, &[0; 200]].concat()
    };
    let jpeg = fs::read(common::reference_folder().join("images/jpeg_444.jpg")).unwrap();
    let frame = jpeg.windows(4).position(|part| part == [0xff, 0xc0, 0, 17]).unwrap();
    let with_frame = |marker: u8, precision: u8| {
        let mut jpeg = jpeg.clone();
        jpeg[frame + 1] = marker;
        jpeg[frame + 4] = precision;
        jpeg
    };
    // A directory of tags of one number each
    let tiff = |tags: &[(u16, u32)]| {
        let mut content = b"II*\0\x10\0\0\0CR\x02\0\0\0\0\0".to_vec();
        if !tags.is_empty() {
            content[8..10].fill(0);
        }
        content.extend((tags.len() as u16).to_le_bytes());
        for (tag, value) in tags {
            content.extend(tag.to_le_bytes());
            content.extend([4, 0, 1, 0, 0, 0]);
            content.extend(value.to_le_bytes());
        }
        [&content[..], &[0; 64]].concat()
    };
    let head = |start: &[u8]| [start, &[0; 64]].concat();
    vec![
        ("photo.heic", boxes(b"heic\0\0\0\0mif1heic"), "HEIC"),
        ("photo.jpg", boxes(b"heix\0\0\0\0mif1heixmiaf"), "HEIC"),
        ("still.heif", boxes(b"mif1\0\0\0\0mif1heic"), "HEIC"),
        ("web.avif", boxes(b"avif\0\0\0\0mif1avifmiaf"), "AVIF"),
        ("web.jpg", boxes(b"mif1\0\0\0\0mif1avif"), "AVIF"),
        ("sequence.avifs", boxes(b"avis\0\0\0\0avismsf1"), "AVIF"),
        ("raw.cr3", boxes(b"crx \0\0\0\x01crx isom"), "CR3"),
        ("film.jpg", boxes(b"isom\0\0\x02\0isomiso2mp41"), "video"),
        ("scan.jp2", head(b"\0\0\0\x0cjP  \r\n\x87\n\0\0\0\x14ftypjp2 "), "JPEG 2000"),
        ("scan.jpg", head(b"\xff\x4f\xff\x51\0\x2f"), "JPEG 2000"),
        ("new.jxl", head(b"\xff\x0a\xfa\x7f"), "JPEG XL"),
        ("new.jpg", head(b"\0\0\0\x0cJXL \r\n\x87\n"), "JPEG XL"),
        ("layers.psd", head(b"8BPS\0\x01"), "Photoshop"),
        ("raw.cr2", tiff(&[]), "CR2"),
        ("raw.dng", tiff(&[(254, 1), (50706, 0x0401)]), "DNG"),
        ("raw.nef", tiff(&[(254, 1), (256, 160), (330, 100)]), "raw"),
        ("raw.arw", tiff(&[(256, 160), (259, 32767)]), "raw"),
        ("raw.raf", head(b"FUJIFILMCCD-RAW 0201"), "RAF"),
        ("raw.rw2", head(b"IIU\0\x18\0\0\0"), "RW2"),
        ("float.tif", tiff(&[(256, 2), (257, 2), (258, 32), (339, 3)]), "floating-point"),
        ("palette.tif", tiff(&[(256, 2), (257, 2), (258, 8), (262, 3)]), "palette"),
        ("icon.png", head(b"\0\0\x01\0\x01\0\x10\x10"), "ICO"),
        ("drawing.svg", b"<svg xmlns=\"http://www.w3.org/2000/svg\"/>".to_vec(), "SVG"),
        ("drawing.png", b"<?xml version=\"1.0\"?>\n<!-- x -->\n<svg/>".to_vec(), "SVG"),
        ("paper.pdf", head(b"%PDF-1.7\n"), "PDF"),
        ("page.png", b"\xef\xbb\xbf\n<!DOCTYPE html><title>Sign in</title>".to_vec(), "HTML"),
        ("error.jpg", b"<HTML><BODY>403</BODY></HTML>".to_vec(), "HTML"),
        (
            "denied.jpg",
            b"<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code></Error>".to_vec(),
            "XML",
        ),
        (
            "pointer.jpg",
            b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n".to_vec(),
            "Git LFS",
        ),
        ("archive.jpg", head(b"PK\x03\x04"), "zip archive"),
        ("animation.mng", head(b"\x8aMNG\r\n\x1a\n"), "MNG"),
        ("film.avi", head(b"RIFF\0\0\0\0AVI LIST"), "AVI"),
        ("arithmetic.jpg", with_frame(0xc9, 8), "arithmetic"),
        ("arithmetic_progressive.jpg", with_frame(0xca, 8), "arithmetic"),
        ("lossless.jpg", with_frame(0xc3, 8), "lossless"),
        ("hierarchical.jpg", with_frame(0xc5, 8), "hierarchical"),
        ("twelve.jpg", with_frame(0xc1, 12), "12 bits"),
        ("ls.jpg", with_frame(0xf7, 8), "JPEG-LS"),
        ("jpeg.bmp", bmp_of_kind(4), "JPEG compression"),
        ("png.bmp", bmp_of_kind(5), "PNG compression"),
    ]
}

/// A BMP with its pixels packed in this way.
fn bmp_of_kind(kind: u8) -> Vec<u8> {
    let mut content = fs::read(common::reference_folder().join("images/rgb.bmp")).unwrap();
    content[30] = kind;
    content
}

/// F15: unsupported kinds are told apart from damage, with what it is and what to save it as.
#[test]
fn unsupported_kinds_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let mut files: Vec<_> = vec![
        (reported("heic_named.jpg"), "HEIC"),
        (reported("cjpeg_arithmetic.jpg"), "arithmetic"),
        (common::reference_folder().join("images/palette.tif"), "palette"),
    ];
    for (name, content, what) in other_kinds() {
        let path = folder.path().join(name);
        fs::write(&path, content).unwrap();
        files.push((path, what));
    }
    for (path, what) in files {
        let name = path.file_name().unwrap().to_str().unwrap();
        let error = Image::open(&path).unwrap_err();
        let text = refused(&format!("a file of another kind: {what}"), name, &error);
        assert!(text.contains(what) && text.contains("not read here"), "{name}: {text}");
        assert!(!text.contains("cut off") && !text.contains("decoded"), "{name}: {text}");
    }
}

/// What is wrong with a file, its name, its content, and a part of the message.
fn bad_files() -> Vec<(&'static str, &'static str, Vec<u8>, &'static str)> {
    let folder = tempfile::tempdir().unwrap();
    let saved = |name: &str| {
        test_image(64, 64).save(folder.path().join(name)).unwrap();
        fs::read(folder.path().join(name)).unwrap()
    };
    let half = |name: &str| {
        let whole = saved(name);
        whole[..whole.len() / 2].to_vec()
    };
    let progressive = common::reference_folder().join("images/jpeg_progressive.jpg");
    let progressive = fs::read(progressive).unwrap();
    let mut wrong_bit = saved("a.png");
    let middle = wrong_bit.len() / 2;
    wrong_bit[middle] ^= 1;
    let mut no_frame =
        fs::read(common::reference_folder().join("kinds/exact_screen_inner.gif")).unwrap();
    no_frame[30] = 0;
    vec![
        ("an empty file", "empty.png", vec![], "empty"),
        ("a page named .jpg", "page.jpg", b"<html>404</html>".to_vec(), "web page"),
        ("a text named .png", "絵 と 空白.png", "文章".into(), "no image"),
        ("a JPEG that is cut off", "cut.jpg", half("b.jpg"), "no end"),
        (
            "a progressive JPEG that is cut off",
            "progressive.jpg",
            progressive[..progressive.len() - 9].to_vec(),
            "no end",
        ),
        ("a JPEG with its head alone", "head.jpg", saved("b.jpg")[..100].to_vec(), "decoded"),
        ("a PNG that is cut off", "cut.png", half("c.png"), "decoded"),
        ("a PNG with a flipped bit", "bit.png", wrong_bit, "decoded"),
        (
            "a PNG with its signature alone",
            "signature.png",
            saved("c.png")[..8].to_vec(),
            "decoded",
        ),
        ("a GIF that is cut off", "cut.gif", half("d.gif"), "decoded"),
        ("a GIF whose frame is empty", "nothing.gif", no_frame, "no pixels"),
        ("a PNM without columns", "nothing.pgm", b"P5 0 3 255\n".to_vec(), "decoded"),
        ("a WebP that is cut off", "cut.webp", half("e.webp"), "decoded"),
        ("a TIFF that is cut off", "cut.tif", half("f.tif"), "decoded"),
        ("a BMP that is cut off", "cut.bmp", half("g.bmp"), "decoded"),
        ("a PNM that is cut off", "cut.ppm", half("h.ppm"), "decoded"),
        ("a bomb: 2 500 000 000 pixels in a few bytes", "bomb.png", bomb(), "pixels or fewer"),
    ]
}

/// The head of a PNG of 50000×50000 pixels, and the beginning of its data.
fn bomb() -> Vec<u8> {
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    let side = 50_000u32.to_be_bytes();
    let head = [&side[..], &side, &[8, 2, 0, 0, 0]].concat();
    for (kind, data) in [(b"IHDR", &head[..]), (b"IDAT", &[0x78, 1]), (b"IEND", &[])] {
        png.extend((data.len() as u32).to_be_bytes());
        let chunk = [&kind[..], data].concat();
        let mut crc = flate2::Crc::new();
        crc.update(&chunk);
        png.extend(&chunk);
        png.extend(crc.sum().to_be_bytes());
    }
    png
}

/// vision#138, vision#485: a bad image is an error that names it.
#[test]
fn a_bad_image_is_an_error_with_its_path() {
    let folder = tempfile::tempdir().unwrap();
    for (what, name, content, reason) in bad_files() {
        let path = folder.path().join(name);
        fs::write(&path, content).unwrap();
        let text = refused(what, name, &Image::open(&path).unwrap_err());
        assert!(text.contains(reason), "{what}: {text}");
    }
    let path = |name: &str| folder.path().join(name);
    refused("a missing image", "gone.jpg", &Image::open(path("gone.jpg")).unwrap_err());
    fs::create_dir(path("folder.jpg")).unwrap();
    refused("a folder named .jpg", "folder.jpg", &Image::open(path("folder.jpg")).unwrap_err());
    let pipe = path("pipe.jpg");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    refused("a pipe named .jpg", "pipe.jpg", &Image::open(&pipe).unwrap_err());
    // An image by its content, whatever its name
    test_image(5, 5).save(path("whole.png")).unwrap();
    fs::copy(path("whole.png"), path("whole.jpg")).unwrap();
    assert!(Image::open(path("whole.jpg")).is_ok());
}

/// vision#864: all bad images are found before a training starts, none is passed over.
#[test]
fn verify_images_lists_all_bad_images_with_reasons() {
    let set = common::small_set(4);
    let root = set.path().join("train");
    let images = ImageFolder::new(&root).unwrap();
    assert!(verify_images(&images).unwrap().is_empty());
    let mut expected = vec![];
    for (_, name, content, reason) in bad_files() {
        let path = root.join("dark").join(name);
        fs::write(&path, content).unwrap();
        // torchvision does not list .gif either.
        if !name.ends_with(".gif") {
            expected.push((path, reason));
        }
    }
    expected.sort();
    let bad = verify_images(&ImageFolder::new(&root).unwrap()).unwrap();
    assert_eq!(bad.len(), expected.len());
    for ((path, error), (expected, reason)) in bad.iter().zip(&expected) {
        assert_eq!(path, expected);
        let text = error.to_string();
        assert!(text.contains(reason) && text.contains(&path.display().to_string()), "{text}");
    }
}

/// Threads whose stacks no memory holds: the system starts none, and the images are looked at.
#[test]
fn images_are_verified_without_other_threads() {
    const NAME: &str = "images::images_are_verified_without_other_threads";
    if !common::in_child(NAME) {
        let stack = (1usize << 46).to_string();
        let stack = std::path::Path::new(&stack);
        let text = common::run_in_child(NAME, &[("RUST_MIN_STACK", stack)]);
        assert!(text.contains("1 passed"), "{text}");
        return;
    }
    assert!(std::thread::Builder::new().spawn(|| ()).is_err());
    let set = common::small_set(4);
    let root = set.path().join("train");
    fs::write(root.join("dark/bad.png"), "no image").unwrap();
    let bad = verify_images(&ImageFolder::new(&root).unwrap()).unwrap();
    assert_eq!(bad.len(), 1);
    refused("a bad image, where no thread can be started", "bad.png", &bad[0].1);
}

/// Whatever becomes of a byte in the heads of these files, which are read here before they are
/// decoded: an image, or an error. A process of its own, as the limit is one for all.
#[test]
fn a_changed_byte_is_an_image_or_an_error() {
    const NAME: &str = "images::a_changed_byte_is_an_image_or_an_error";
    if !common::in_child(NAME) {
        common::run_in_child(NAME, &[]);
        return;
    }
    set_max_image_pixels(10_000);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("changed");
    let files = ["screen", "jump", "bits"].map(|kind| kinds(&format!("exact_{kind}")));
    for (_, file) in files.into_iter().flatten().step_by(5) {
        let content = fs::read(file).unwrap();
        for at in 0..content.len().min(96) {
            for value in [0x7f, 0xff] {
                let mut changed = content.clone();
                changed[at] = value;
                fs::write(&path, changed).unwrap();
                let _ = Image::open(&path);
            }
            fs::write(&path, &content[..at]).unwrap();
            let _ = Image::open(&path);
        }
    }
}

/// The limit can be raised and lowered; a process of its own, as it is one for all.
#[test]
fn the_limit_of_pixels_can_be_changed() {
    const NAME: &str = "images::the_limit_of_pixels_can_be_changed";
    if !common::in_child(NAME) {
        common::run_in_child(NAME, &[]);
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.png");
    test_image(40, 30).save(&path).unwrap();
    set_max_image_pixels(40 * 30 - 1);
    let text =
        refused("an image above the user's own limit", "a.png", &Image::open(&path).unwrap_err());
    assert!(text.contains("40×30") && text.contains("set_max_image_pixels"), "{text}");
    set_max_image_pixels(40 * 30);
    assert!(Image::open(&path).is_ok());
}
