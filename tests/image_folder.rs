//! `ImageFolder` and the reading of pictures: good folders, and bad ones.

mod common;

use std::fs;

use common::{picture, small_set};
use d2l::prelude::*;

#[test]
fn classes_and_pictures_are_in_order() {
    let set = small_set(3);
    let root = set.path().join("train");
    fs::create_dir_all(root.join(".ipynb_checkpoints")).unwrap();
    fs::create_dir_all(root.join("dark/more")).unwrap();
    picture(9, 9).save(root.join("dark/more/絵 と 空白.PNG")).unwrap();
    fs::write(root.join("dark/notes.txt"), "no picture").unwrap();
    fs::write(root.join("dark/._000.png"), "what macOS leaves").unwrap();
    let folder = ImageFolder::new(&root).unwrap();
    assert_eq!(folder.classes(), ["bright", "dark"]);
    assert_eq!(folder.len(), 7);
    let labels: Vec<i64> = folder.samples().iter().map(|sample| sample.1).collect();
    assert_eq!(labels, [0, 0, 0, 1, 1, 1, 1]);
    assert!(folder.samples()[6].0.ends_with("dark/more/絵 と 空白.PNG"));
}

#[test]
fn an_index_may_count_from_the_end() {
    let set = small_set(3);
    let folder = ImageFolder::new(set.path().join("train")).unwrap();
    let (first, label) = folder.get(0).unwrap();
    assert_eq!((first.size(), label), ((40, 37), 0));
    let (last, label) = folder.get(-1).unwrap();
    assert_eq!((last.size(), label), ((42, 37), 1));
    assert_eq!(folder.get(-6).unwrap().0.size(), (40, 37));
    for index in [6, -7] {
        let error = folder.get(index).unwrap_err().to_string();
        assert!(error.contains(&index.to_string()) && error.contains("-6 to 5"), "{error}");
    }
}

#[test]
fn grey_and_transparent_pictures_become_rgb() {
    let folder = tempfile::tempdir().unwrap();
    let grey = folder.path().join("grey.png");
    d2l::image::GrayImage::from_pixel(3, 2, d2l::image::Luma([7])).save(&grey).unwrap();
    let clear = folder.path().join("clear.png");
    d2l::image::RgbaImage::from_pixel(3, 2, d2l::image::Rgba([1, 2, 3, 0])).save(&clear).unwrap();
    for (path, expected) in [(grey, [7, 7, 7]), (clear, [1, 2, 3])] {
        let Image::Pixels(picture) = Image::open(path).unwrap() else { panic!("numbers") };
        assert!(picture.pixels().all(|pixel| pixel.0 == expected));
    }
}

/// The message of an error, which names the folder or the file.
fn message<T>(result: Result<T>, name: &str) -> String {
    let text = result.err().expect("an error").to_string();
    assert!(text.contains(name), "{text:?} does not name {name}");
    assert!(text.contains("what to do"), "{text:?} does not say what to do");
    text
}

#[test]
fn bad_folders_are_errors() {
    let set = tempfile::tempdir().unwrap();
    message(ImageFolder::new(set.path().join("nowhere")), "nowhere");
    let flat = set.path().join("flat");
    fs::create_dir_all(&flat).unwrap();
    picture(4, 4).save(flat.join("a.png")).unwrap();
    assert!(message(ImageFolder::new(&flat), "flat").contains("no class folders"));
    fs::create_dir_all(flat.join("cats")).unwrap();
    fs::create_dir_all(flat.join("dogs")).unwrap();
    assert!(message(ImageFolder::new(&flat), "flat").contains("cats, dogs"));
}

#[test]
fn bad_pictures_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    message(Image::open(path("missing.jpg")), "missing.jpg");
    fs::write(path("page.jpg"), "<html>404</html>").unwrap();
    assert!(message(Image::open(path("page.jpg")), "page.jpg").contains("no picture"));
    fs::write(path("empty.png"), "").unwrap();
    message(Image::open(path("empty.png")), "empty.png");
    for name in ["whole.png", "whole.jpg"] {
        picture(64, 64).save(path(name)).unwrap();
        assert!(Image::open(path(name)).is_ok());
        let whole = fs::read(path(name)).unwrap();
        let cut = name.replace("whole", "cut");
        fs::write(path(&cut), &whole[..whole.len() / 2]).unwrap();
        assert!(message(Image::open(path(&cut)), &cut).contains("cannot be decoded"));
    }
    // A picture by its content, whatever its name
    fs::copy(path("whole.png"), path("png.jpg")).unwrap();
    assert!(Image::open(path("png.jpg")).is_ok());
}
