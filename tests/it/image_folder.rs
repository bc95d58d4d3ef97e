//! `ImageFolder` and the reading of images: good folders, and bad ones.

use std::fs;
use std::path::Path;

use crate::common;
use crate::common::report::{Comparison, refused};
use crate::common::{small_set, test_image};
use d2l::prelude::*;

#[test]
fn classes_and_images_are_in_order() {
    let set = small_set(3);
    let root = set.path().join("train");
    fs::create_dir_all(root.join(".ipynb_checkpoints")).unwrap();
    fs::create_dir_all(root.join("dark/more")).unwrap();
    test_image(9, 9).save(root.join("dark/more/絵 と 空白.PNG")).unwrap();
    fs::write(root.join("dark/notes.txt"), "not an image").unwrap();
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
    let first = folder.get(0).unwrap();
    assert_eq!((first.image.size(), first.target.class().unwrap()), ((40, 37), 0));
    let last = folder.get(-1).unwrap();
    assert_eq!((last.image.size(), last.target.class().unwrap()), ((42, 37), 1));
    assert_eq!(folder.image(-6).unwrap().size(), (40, 37));
    for index in [6, -7] {
        let error = folder.get(index).unwrap_err().to_string();
        assert!(error.contains(&index.to_string()) && error.contains("-6 to 5"), "{error}");
    }
}

/// vision#192: the same order on every machine, and it is torchvision's.
#[test]
fn images_are_in_torchvisions_order() {
    let text = fs::read_to_string(common::reference_folder().join("order.txt")).unwrap();
    let (files, order) = text.split_once("\n\n").unwrap();
    let root = tempfile::tempdir().unwrap();
    for name in files.lines() {
        let path = root.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "").unwrap();
    }
    let images = ImageFolder::new(root.path()).unwrap();
    let what =
        "`ImageFolder`: order and labels of 20 files with names of all kinds, against torchvision";
    let mut exact = Comparison::new(what, "places", 0.);
    assert_eq!(images.len(), order.lines().count());
    for ((path, label), expected) in images.samples().iter().zip(order.lines()) {
        let ours = format!("{label} {}", path.strip_prefix(root.path()).unwrap().display());
        exact.add(
            &format!("{ours}, torchvision: {expected}"),
            f64::from(u8::from(ours != expected)),
        );
    }
}

/// vision#109, vision#2831: neither hidden files nor hidden folders are taken.
#[test]
fn hidden_files_and_folders_are_skipped() {
    let set = small_set(2);
    let root = set.path().join("train");
    for folder in [".ipynb_checkpoints", ".git", "dark/.hidden"] {
        fs::create_dir_all(root.join(folder)).unwrap();
        test_image(4, 4).save(root.join(folder).join("a.png")).unwrap();
    }
    fs::write(root.join("dark/.DS_Store"), "").unwrap();
    fs::write(root.join("dark/._000.png"), "").unwrap();
    let images = ImageFolder::new(&root).unwrap();
    assert_eq!((images.classes().len(), images.len()), (2, 4));
}

#[test]
fn links_are_followed_but_not_in_a_circle() {
    use std::os::unix::fs::symlink;
    let (set, elsewhere) = (small_set(2), small_set(3));
    let dark = set.path().join("train/dark");
    symlink(&dark, dark.join("circle")).unwrap();
    symlink(set.path(), dark.join("larger circle")).unwrap();
    // Two links to one folder are two folders, as in torchvision.
    for name in ["link", "other"] {
        symlink(elsewhere.path().join("train/dark"), dark.join(name)).unwrap();
    }
    symlink(dark.join("001.png"), dark.join("linked.png")).unwrap();
    let images = ImageFolder::new(set.path().join("train")).unwrap();
    let names: Vec<_> = images.samples().iter().filter(|sample| sample.1 == 1).collect();
    // Two and the link; two through the larger circle for each of the two classes of both sets;
    // three in each of the links
    assert_eq!(names.len(), 3 + LARGER_CIRCLE + 6, "{names:?}");
    symlink(dark.join("gone"), dark.join("nowhere.png")).unwrap();
    let images = ImageFolder::new(set.path().join("train")).unwrap();
    let bad = verify_images(&images).unwrap();
    assert_eq!(bad.len(), 1);
    refused("a link to nothing", "nowhere.png", &bad[0].1);
}

/// `test` with two classes of two, and `train/bright`; `train/dark` is above.
const LARGER_CIRCLE: usize = 6;

/// vision#4925: a wrong folder, or an empty class, and what was expected.
#[test]
fn bad_folders_are_errors() {
    let set = tempfile::tempdir().unwrap();
    let error = |path: &Path| ImageFolder::new(path).unwrap_err();
    refused("a missing folder", "nowhere", &error(&set.path().join("nowhere")));
    let flat = set.path().join("flat");
    fs::create_dir_all(&flat).unwrap();
    test_image(4, 4).save(flat.join("a.png")).unwrap();
    let text = refused("a folder without classes", "flat", &error(&flat));
    assert!(text.contains("no class folders"), "{text}");
    refused("a file in place of a folder", "a.png", &error(&flat.join("a.png")));
    for class in ["birds", "cats", "dogs"] {
        fs::create_dir_all(flat.join(class)).unwrap();
    }
    test_image(4, 4).save(flat.join("birds/a.png")).unwrap();
    fs::write(flat.join("dogs/notes.txt"), "").unwrap();
    let text = refused("classes without images", "flat", &error(&flat));
    assert!(text.contains("cats, dogs"), "{text}");
    let images = ImageFolder::allow_empty(&flat).unwrap();
    assert_eq!((images.classes().len(), images.len()), (3, 1));
    fs::create_dir_all(set.path().join("nothing/class")).unwrap();
    let nothing = ImageFolder::allow_empty(set.path().join("nothing")).unwrap();
    refused("an index where there is nothing", "index 0", &nothing.get(0).unwrap_err());
    assert!(DataLoader::new(nothing, 4).unwrap().is_empty());
}

/// root may read everything, so the test becomes another user.
#[test]
fn a_folder_without_permission_is_named() {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::process::CommandExt;
    const NAME: &str = "image_folder::a_folder_without_permission_is_named";
    if common::in_child(NAME) {
        let root = std::env::var("TEST_FOLDER").unwrap();
        println!("<<{}>>", ImageFolder::new(root).unwrap_err());
        return;
    }
    let set = small_set(1);
    let restrict = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    let (root, dark) = (set.path().join("train"), set.path().join("train/dark"));
    restrict(set.path(), 0o755);
    restrict(&dark, 0);
    let is_root = fs::read_dir(&dark).is_ok();
    let mut child = common::child(NAME);
    child.env("TEST_FOLDER", &root);
    if is_root {
        child.uid(65534).gid(65534);
    }
    let output = child.output();
    restrict(&dark, 0o755);
    match output {
        Ok(output) if output.status.success() => {
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            let error = text.split("<<").nth(1).and_then(|rest| rest.split(">>").next()).unwrap();
            refused("a class that may not be read", "dark", &error);
        }
        _ => common::report::skipped(NAME, "another user cannot run this program"),
    }
}

/// C17: an index out of range is an error in every method.
#[test]
fn indices_out_of_range_are_errors() {
    let set = small_set(3);
    let folder = ImageFolder::new(set.path().join("train")).unwrap();
    let mut rng = <d2l::data::Rng as rand::SeedableRng>::seed_from_u64(0);
    for images in [folder.clone(), folder.keep_decoded(1 << 20)] {
        for index in [6, 99_999, usize::MAX] {
            let error = images.sample(index, &mut rng).unwrap_err();
            let text = refused("an index out of range", "index", &error);
            assert!(text.contains(&index.to_string()) && text.contains("0 to 5"), "{text}");
            assert!(images.name(index).contains(&index.to_string()));
        }
        assert!(images.get(isize::MIN).is_err() && images.get(isize::MAX).is_err());
    }
}

/// C25: `get` and `call` draw new random numbers each time, as in torchvision; a seed repeats them.
#[test]
fn random_transforms_differ_from_call_to_call() {
    const NAME: &str = "image_folder::random_transforms_differ_from_call_to_call";
    // The seed is global to the process.
    if !common::in_child(NAME) {
        common::run_in_child(NAME, &[]);
        return;
    }
    let set = small_set(3);
    let augs = compose![RandomResizedCrop::new(16).unwrap()];
    let images = ImageFolder::with_transform(set.path().join("train"), &augs).unwrap();
    let plain = ImageFolder::new(set.path().join("train")).unwrap().image(0).unwrap();
    let pixels = |image: Image| match image {
        Image::Pixels(pixels) => pixels.into_raw(),
        Image::Float(_) => panic!("numbers"),
    };
    use d2l::data::transforms::Transform;
    let draw = || {
        let mut all: Vec<_> = (0..8).map(|_| pixels(images.image(0).unwrap())).collect();
        all.extend((0..8).map(|_| pixels(augs.call(&plain).unwrap())));
        all
    };
    manual_seed(5);
    let first = draw();
    let different: std::collections::HashSet<_> = first.iter().collect();
    assert_eq!(different.len(), 16);
    assert_ne!(draw(), first);
    manual_seed(5);
    assert_eq!(draw(), first);
}
