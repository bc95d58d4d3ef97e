//! Picture files of many kinds, against Pillow.

mod common;

use std::fs;

use common::report::{Comparison, refused};
use common::{picture, reference};
use d2l::image::RgbImage;
use d2l::prelude::*;

fn pixels(image: Image) -> RgbImage {
    match image {
        Image::Pixels(picture) => picture,
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
fn pictures_of_every_kind_are_read_as_pillow_does() {
    let what =
        "picture files without loss: PNG, BMP, PNM, TIFF, GIF, WebP of all kinds, against Pillow";
    let mut exact = Comparison::new(what, "of 255", 0.);
    let what =
        "picture files with loss: JPEG (4:4:4, 4:2:2, 4:2:0, progressive, grey, restarts), WebP";
    let mut largest = Comparison::new(what, "of 255", LARGEST);
    let mut mean = Comparison::new("picture files with loss, the mean difference", "of 255", 0.5);
    let reference = reference("pictures");
    let folder = common::reference_folder().join("pictures");
    // Pillow reads these; we say that we do not.
    let unread = "palette.tif";
    let error = Image::open(folder.join(unread)).unwrap_err();
    let text = refused("a TIFF with a palette", unread, &error);
    assert!(text.contains("save it as PNG"), "{text}");
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

/// Two decoders round the same file otherwise, most where colours have half the size.
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
        let ours = pixels(Resize::new([256, 256]).apply(image, &mut rng).unwrap());
        resized.add(&case, differences(&ours, &theirs[&format!("{i}/256")], &case).0);
    }
}

/// image#1958, vision#7977, Pillow#9109: as torchvision, turned only where one asks for it.
#[test]
fn the_cameras_orientation_is_applied_on_demand() {
    let reference = reference("pictures");
    let root = tempfile::tempdir().unwrap();
    let class = root.path().join("class");
    fs::create_dir(&class).unwrap();
    let folder = common::reference_folder().join("pictures");
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
        let (as_it_is, _) = images.get(i as isize).unwrap();
        assert_eq!(as_it_is.size(), (37, 29), "{name}");
        let turned = pixels(upright.get(i as isize).unwrap().0);
        off.add(name, differences(&turned, &reference[&format!("upright/{name}")], name).0);
    }
}

/// What is wrong with a file, its name, its content, and a part of the message.
fn bad_files() -> Vec<(&'static str, &'static str, Vec<u8>, &'static str)> {
    let folder = tempfile::tempdir().unwrap();
    let saved = |name: &str| {
        picture(64, 64).save(folder.path().join(name)).unwrap();
        fs::read(folder.path().join(name)).unwrap()
    };
    let half = |name: &str| {
        let whole = saved(name);
        whole[..whole.len() / 2].to_vec()
    };
    let progressive = common::reference_folder().join("pictures/jpeg_progressive.jpg");
    let progressive = fs::read(progressive).unwrap();
    let mut wrong_bit = saved("a.png");
    let middle = wrong_bit.len() / 2;
    wrong_bit[middle] ^= 1;
    vec![
        ("an empty file", "empty.png", vec![], "empty"),
        ("a page named .jpg", "page.jpg", b"<html>404</html>".to_vec(), "no picture"),
        ("a text named .png", "絵 と 空白.png", "文章".into(), "no picture"),
        ("a JPEG that is cut off", "cut.jpg", half("b.jpg"), "no end"),
        (
            "a progressive JPEG that is cut off",
            "progressive.jpg",
            progressive[..progressive.len() - 9].to_vec(),
            "no end",
        ),
        ("a JPEG with its head alone", "head.jpg", saved("b.jpg")[..100].to_vec(), "decoded"),
        ("a PNG that is cut off", "cut.png", half("c.png"), "decoded"),
        ("a PNG with a wrong bit", "bit.png", wrong_bit, "decoded"),
        (
            "a PNG with its signature alone",
            "signature.png",
            saved("c.png")[..8].to_vec(),
            "decoded",
        ),
        ("a GIF that is cut off", "cut.gif", half("d.gif"), "decoded"),
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

/// vision#138, vision#485: a bad picture is an error that names it.
#[test]
fn a_bad_picture_is_an_error_with_its_path() {
    let folder = tempfile::tempdir().unwrap();
    for (what, name, content, reason) in bad_files() {
        let path = folder.path().join(name);
        fs::write(&path, content).unwrap();
        let text = refused(what, name, &Image::open(&path).unwrap_err());
        assert!(text.contains(reason), "{what}: {text}");
    }
    let path = |name: &str| folder.path().join(name);
    refused("a picture that is not there", "gone.jpg", &Image::open(path("gone.jpg")).unwrap_err());
    fs::create_dir(path("folder.jpg")).unwrap();
    refused("a folder named .jpg", "folder.jpg", &Image::open(path("folder.jpg")).unwrap_err());
    let pipe = path("pipe.jpg");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    refused("a pipe named .jpg", "pipe.jpg", &Image::open(&pipe).unwrap_err());
    // A picture by its content, whatever its name
    picture(5, 5).save(path("whole.png")).unwrap();
    fs::copy(path("whole.png"), path("whole.jpg")).unwrap();
    assert!(Image::open(path("whole.jpg")).is_ok());
}

/// vision#864: all bad pictures are found before a training starts, none is passed over.
#[test]
fn verify_images_lists_all_bad_pictures_with_reasons() {
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

/// The limit can be raised and lowered; a process of its own, as it is one for all.
#[test]
fn the_limit_of_pixels_can_be_changed() {
    const NAME: &str = "the_limit_of_pixels_can_be_changed";
    if !common::in_child(NAME) {
        common::run_in_child(NAME, &[]);
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.png");
    picture(40, 30).save(&path).unwrap();
    set_max_image_pixels(40 * 30 - 1);
    let text =
        refused("a picture above a limit of one's own", "a.png", &Image::open(&path).unwrap_err());
    assert!(text.contains("40×30") && text.contains("set_max_image_pixels"), "{text}");
    set_max_image_pixels(40 * 30);
    assert!(Image::open(&path).is_ok());
}
