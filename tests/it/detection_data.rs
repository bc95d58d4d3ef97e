//! Images with boxes: the book's layout, drawings in it, and changes of an image with its boxes.

use std::fs;
use std::path::Path;

use d2l::data::three_kinds_drawings;
use d2l::prelude::*;
use rand::SeedableRng;

use crate::common;
use crate::common::report::{Comparison, refused};
use crate::common::{difference, reference, sha1, test_image};

/// A set of two classes: `0.png` of 40×20 pixels and `1.png` of 30×30, with these rows.
fn set(rows: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for split in ["bananas_train", "bananas_val"] {
        let images = folder.path().join(split).join("images");
        fs::create_dir_all(&images).unwrap();
        test_image(40, 20).save(images.join("0.png")).unwrap();
        test_image(30, 30).save(images.join("1.png")).unwrap();
        let table = format!("img_name,label,xmin,ymin,xmax,ymax\n{rows}");
        fs::write(folder.path().join(split).join("label.csv"), table).unwrap();
    }
    fs::write(folder.path().join("classes.txt"), "banana\napple\n").unwrap();
    folder
}

fn floats(tensor: &Tensor) -> Vec<f32> {
    Vec::<f32>::try_from(tensor.contiguous().view(-1)).unwrap()
}

/// T7: the class is no length, and lengths are divided by those of the box's own image.
#[test]
fn tables_of_boxes_are_read() {
    let folder = set("0.png,1,10,5,20,20\r\n1.png,-1,0,0,0,0\n\n0.png, 0, 0, 0, 40, 10\n");
    let read = |is_train| BananasDataset::from_folder(folder.path(), is_train).unwrap();
    let (train, val) = (read(true), read(false));
    assert_eq!(
        (train.len(), val.len(), train.classes()),
        (2, 2, &["banana".into(), "apple".into()][..])
    );
    let sample = train.get(0).unwrap();
    assert_eq!(sample.image.size(), (40, 20));
    assert_eq!(
        floats(sample.target.tensor().unwrap()),
        [1., 0.25, 0.25, 0.5, 1., 0., 0., 0., 1., 0.5]
    );
    let none = train.get(-1).unwrap();
    assert_eq!(floats(none.target.tensor().unwrap()), [-1., 0., 0., 0., 0., -1., 0., 0., 0., 0.]);
    let text = train.to_string();
    assert!(text.contains("2 images, 2 boxes, classes banana, apple"), "{text}");
    let Image::Float(numbers) = &sample.image else { panic!("pixels") };
    assert!(numbers.data().iter().flatten().all(|number| (0. ..=1.).contains(number)));
    // Without classes.txt there are bananas.
    fs::remove_file(folder.path().join("classes.txt")).unwrap();
    fs::write(
        folder.path().join("bananas_val/label.csv"),
        "img_name,label,xmin,ymin,xmax,ymax\n0.png,0,10,5,20,20.5\n",
    )
    .unwrap();
    let val = BananasDataset::from_folder(folder.path(), false).unwrap();
    assert_eq!((val.len(), val.classes()), (1, &["banana".to_string()][..]));
    // Less than a pixel too far is cut.
    assert_eq!(floats(val.get(0).unwrap().target.tensor().unwrap())[4], 1.);
}

#[test]
fn boxes_go_with_their_images_through_a_loader() {
    let folder = set("0.png,0,10,5,20,20\n1.png,1,0,0,30,15\n");
    let train = BananasDataset::from_folder(folder.path(), true).unwrap();
    let train = train.augment(|sample, _| {
        sample.flip_horizontal()?.zoom_out(40, 80, 10, 0, [0; 3])?.resize(16, 16)
    });
    // The second image is not of the size that the ground has room for: 30 rows from row 10 on fit.
    let loader = DataLoader::new(train, 2).unwrap();
    let (x, y) = loader.iter().next().unwrap().unwrap();
    assert_eq!((x.size(), y.size()), (vec![2, 3, 16, 16], vec![2, 1, 5]));
    let expected = [0., 0.25, 0.375, 0.375, 0.75, 1., 0., 0.25, 0.375, 0.625];
    let apart = floats(&y).into_iter().zip(expected).map(|(a, b): (f32, f32)| (a - b).abs());
    assert!(apart.fold(0., f32::max) < 1e-6, "{y:?} {:?}", floats(&y));
}

#[test]
fn tables_that_are_wrong_are_refused_with_file_and_line() {
    let error = |folder: &Path| BananasDataset::from_folder(folder, true).unwrap_err();
    for (what, named, row) in [
        ("`label.csv` with a file that is not there", "2.png", "2.png,0,1,1,5,5"),
        ("`label.csv` with a box out of its image", "40×20", "0.png,0,1,1,42,5"),
        ("`label.csv` with a box above its image", "-3", "0.png,0,1,-3,4,5"),
        ("`label.csv` with a turned box", "xmin < xmax", "0.png,0,5,1,1,5"),
        ("`label.csv` with a box without area", "xmin < xmax", "0.png,0,5,1,5,5"),
        ("`label.csv` with a class out of range", "class 2", "0.png,2,1,1,5,5"),
        ("`label.csv` with half a class", "class 0.5", "0.png,0.5,1,1,5,5"),
        ("`label.csv` with a number that is NaN", "five numbers", "0.png,0,NaN,1,5,5"),
        ("`label.csv` with a number too few", "five numbers", "0.png,0,1,1,5"),
        ("`label.csv` with a word for a number", "five numbers", "0.png,banana,1,1,5,5"),
        ("`label.csv` with a path for a name", "five numbers", "../0.png,0,1,1,5,5"),
    ] {
        let folder = set(&format!("1.png,0,1,1,5,5\n{row}\n"));
        let text = refused(what, named, &error(folder.path()));
        assert!(text.contains("label.csv, line 3"), "{text}");
    }
    let no_image = set("0.png,0,1,1,5,5\n");
    fs::write(no_image.path().join("bananas_train/images/0.png"), "text").unwrap();
    refused("`label.csv` with a file that is no image", "line 2", &error(no_image.path()));
    let nothing = set("");
    refused("`label.csv` without rows", "label.csv", &error(nothing.path()));
    let headless = set("");
    fs::write(headless.path().join("bananas_train/label.csv"), "0.png,0,1,1,5,5\n").unwrap();
    refused("`label.csv` without its header", "line 1", &error(headless.path()));
    fs::remove_file(headless.path().join("bananas_train/label.csv")).unwrap();
    let text = error(headless.path()).to_string();
    assert!(text.contains("label.csv") && text.contains("what to do"), "{text}");
    let empty = tempfile::tempdir().unwrap();
    refused("a folder without `bananas_train`", "_train", &error(empty.path()));
    // An error of a sample names its file.
    let damaged = set("0.png,0,1,1,5,5\n");
    let image = damaged.path().join("bananas_train/images/0.png");
    let bytes = fs::read(&image).unwrap();
    fs::write(&image, &bytes[..bytes.len() / 2]).unwrap();
    let set = BananasDataset::from_folder(damaged.path(), true).unwrap();
    refused("an image of the set that is cut off", "0.png", &set.get(0).unwrap_err());
}

#[test]
fn bananas_are_drawn_where_there_are_none() {
    const NAME: &str = "detection_data::bananas_are_drawn_where_there_are_none";
    if !common::in_child(NAME) {
        let cache = tempfile::tempdir().unwrap();
        let text = common::run_with_data(NAME, "1", cache.path(), cache.path());
        assert_eq!(text.matches("Drawing 1100 images").count(), 1, "{text}");
        assert_eq!(text.matches("Drawing 1200 images").count(), 1, "{text}");
        assert!(text.contains("read 1000 training examples"), "{text}");
        assert!(text.contains("banana-detection.zip"), "{text}");
        return;
    }
    let (train, val) = load_data_bananas(32).unwrap();
    let (x, y) = val.iter().next().unwrap().unwrap();
    assert_eq!((x.size(), y.size()), (vec![32, 3, 256, 256], vec![32, 1, 5]));
    assert_eq!((train.len(), val.len()), (32, 4));
    let folder = download_extract("banana-detection").unwrap();
    let set = BananasDataset::from_folder(&folder, true).unwrap();
    let sides = |set: &BananasDataset| -> Vec<(f32, f32)> {
        let rows = (0..set.len()).flat_map(|i| {
            let sample = set.get(i as isize).unwrap();
            let rows = floats(sample.target.tensor().unwrap());
            rows.as_chunks::<5>().0.to_vec()
        });
        let real = rows.filter(|row| row[0] >= 0.);
        real.map(|row| (256. * (row[3] - row[1]), 256. * (row[4] - row[2]))).collect()
    };
    let sides_of_bananas = sides(&set);
    assert_eq!(sides_of_bananas.len(), 1000);
    assert!(sides_of_bananas.iter().all(|(w, h)| w.max(*h) > 30. && w.max(*h) < 140.));
    assert!(sides_of_bananas.iter().all(|(w, h)| w.min(*h) > 15.));
    // Hardly any is so small that none of TinySSD's anchors fits it.
    let boxes = (0..set.len()).map(|i| {
        let sample = set.get(i as isize).unwrap();
        sample.target.tensor().unwrap().narrow(1, 1, 4)
    });
    let boxes = Tensor::cat(&boxes.collect::<Vec<_>>(), 0);
    let fine = [(32, [0.2, 0.272]), (16, [0.37, 0.447])].map(|(places, sizes)| {
        let map = Tensor::zeros([places, places], (Kind::Float, Device::Cpu));
        multibox_prior(&map, &sizes, &[1., 2., 0.5]).unwrap().squeeze_dim(0)
    });
    let best = box_iou(&boxes, &Tensor::cat(&fine, 0)).unwrap().amax([1], false);
    let fit = best.ge(0.5).to_kind(Kind::Double).mean(Kind::Double).double_value(&[]);
    println!("{fit} of the bananas have an anchor");
    assert!(fit > 0.97, "{fit}");
    // The same on every machine
    let digests = |folder: &Path, files: [&str; 3]| {
        files.map(|file| sha1(&fs::read(folder.join(file)).unwrap()))
    };
    let files =
        ["bananas_train/images/0.png", "bananas_val/images/99.png", "bananas_train/label.csv"];
    assert_eq!(digests(&folder, files), BANANAS);
    let folder = three_kinds_drawings().unwrap();
    let files =
        ["objects_train/images/0.png", "objects_val/images/199.png", "objects_train/label.csv"];
    assert_eq!(digests(&folder, files), THREE_KINDS);
    let set = BananasDataset::from_folder(&folder, false).unwrap();
    assert_eq!(set.classes(), ["banana", "carrot", "doughnut"]);
    let (mut counts, mut classes) = ([0; 4], [0; 3]);
    for i in 0..set.len() {
        let sample = set.get(i as isize).unwrap();
        let rows = floats(sample.target.tensor().unwrap());
        let rows = rows.as_chunks::<5>().0.iter().filter(|row| row[0] >= 0.);
        let of_image: Vec<usize> = rows.map(|row| row[0] as usize).collect();
        counts[of_image.len()] += 1;
        of_image.into_iter().for_each(|class| classes[class] += 1);
    }
    println!("{counts:?} {classes:?}");
    assert!(counts.iter().all(|count| *count > 10) && classes.iter().all(|count| *count > 60));
}

/// The SHA-1 of the first drawing to learn from, the last one to validate with, and the first table.
const BANANAS: [&str; 3] = [
    "8ce8ff3f6654212f07a37400455727537c8cf156",
    "61e41742fa6843dda8d6ec01a8d7fcb778f5694f",
    "c0d9dfa152050cfceebe11cd62aa478273a5240c",
];
const THREE_KINDS: [&str; 3] = [
    "878811ca1087a29e5156fc33272937feb905ec7d",
    "b2040a665a2ee0f804f96cf900251cc16dfa1ed4",
    "55414ab55e176faf51810e0e9c8ff75ece31fdfb",
];

#[test]
fn images_grow_with_their_boxes_and_masks_as_torchvisions() {
    let reference = reference("joint");
    let what = "`Sample::zoom_out`, `resize`: boxes, against torchvision's v2";
    let mut of_boxes = Comparison::new(what, "of the image", 1e-6);
    let what = "`Sample::zoom_out`, `resize`: images and masks, against torchvision's v2";
    let mut exact = Comparison::new(what, "", 0.);
    let image = || Image::from(test_image(61, 47));
    let get = |key: &str| reference[key].shallow_clone();
    for key in reference.keys().filter(|key| key.starts_with("pad/") && key.ends_with("/image")) {
        let name = key.trim_end_matches("/image");
        let margins: Vec<usize> =
            name.trim_start_matches("pad/").split(',').map(|n| n.parse().unwrap()).collect();
        let [left, top, right, bottom] = margins[..] else { panic!("{name}") };
        let (height, width) = (47 + top + bottom, 61 + left + right);
        let grow =
            |sample: Sample| sample.zoom_out(height, width, top, left, [124, 116, 104]).unwrap();
        let grown = grow(Sample::new(image(), get("boxes")));
        let theirs = get(&format!("{name}/boxes"));
        of_boxes.add(name, difference(grown.target.tensor().unwrap(), &theirs));
        let ours = grown.image.to_tensor().unwrap();
        let theirs = get(key).permute([2, 0, 1]).to_kind(Kind::Float) / 255.;
        exact.add(name, difference(&ours, &theirs));
        let numbers = Image::from_tensor(&image().to_tensor().unwrap()).unwrap();
        let grown = grow(Sample::new(numbers, get("mask")));
        exact.add(name, difference(&grown.image.to_tensor().unwrap(), &theirs));
        let theirs = get(&format!("{name}/mask"));
        exact.add(name, difference(grown.target.tensor().unwrap(), &theirs));
    }
    for (height, width) in [(94, 30), (20, 200)] {
        let resized = Sample::new(image(), get("mask")).resize(height, width).unwrap();
        assert_eq!(resized.image.size(), (width, height));
        let theirs = get(&format!("resize/{height},{width}/mask"));
        exact.add("resized mask", difference(resized.target.tensor().unwrap(), &theirs));
        let resized = Sample::new(image(), get("boxes")).resize(height, width).unwrap();
        of_boxes.add("resized", difference(resized.target.tensor().unwrap(), &get("resize/boxes")));
    }
    // Random places: the image is somewhere in the ground, and so is its box.
    let mut rng = Rng::seed_from_u64(7);
    let white = Image::from_tensor(&Tensor::full([3, 20, 30], 255, (Kind::Uint8, Device::Cpu)));
    let white = white.unwrap();
    let mut larger = 0;
    for _ in 0..50 {
        let whole = Tensor::from_slice2(&[[0f32, 0., 0., 1., 1.]]);
        let sample = Sample::new(white.clone(), whole).random_zoom_out(0.5, 3., [0; 3], &mut rng);
        let sample = sample.unwrap();
        let (width, height) = sample.image.size();
        larger += usize::from((width, height) != (30, 20));
        assert!(width <= 90 && height <= 60);
        let row = floats(sample.target.tensor().unwrap());
        let pixels = sample.image.to_tensor().unwrap();
        let side = |edge: f32, all: usize| (edge * all as f32).round() as i64;
        let (left, top) = (side(row[1], width), side(row[2], height));
        let (right, bottom) = (side(row[3], width), side(row[4], height));
        let inside = pixels.narrow(1, top, bottom - top).narrow(2, left, right - left);
        let sum = |tensor: &Tensor| tensor.sum(None).double_value(&[]);
        assert_eq!((sum(&inside), sum(&pixels)), (1800., 1800.));
    }
    assert!((15..40).contains(&larger), "{larger}");
}

/// What is left of a box is in the image, and a box whose centre is outside is none.
#[test]
fn parts_of_an_image_have_a_box() {
    let mut rng = Rng::seed_from_u64(9);
    let table = Tensor::from_slice2(&[
        [0f32, 0.1, 0.1, 0.3, 0.4],
        [-1., 0., 0., 0., 0.],
        [1., 0.6, 0.5, 0.9, 0.95],
    ]);
    let (mut whole, mut with_both, mut with_one) = (0, 0, 0);
    for _ in 0..300 {
        let sample = Sample::new(test_image(60, 50).into(), table.shallow_clone());
        let sample = sample.random_iou_crop(&mut rng).unwrap();
        let (width, height) = sample.image.size();
        if (width, height) == (60, 50) {
            whole += 1;
            continue;
        }
        assert!(width >= 18 && height >= 15 && width <= 2 * height && height <= 2 * width);
        let rows = floats(sample.target.tensor().unwrap());
        let rows = rows.as_chunks::<5>().0;
        assert_eq!(rows[1][0], -1.);
        let boxes: Vec<_> = rows.iter().filter(|row| row[0] >= 0.).collect();
        assert!(boxes.iter().all(|row| row[1..].iter().all(|edge| (0. ..=1.).contains(edge))));
        assert!(boxes.iter().all(|row| row[1] < row[3] && row[2] < row[4]));
        match boxes.len() {
            1 => with_one += 1,
            2 => with_both += 1,
            count => panic!("{count} boxes"),
        }
    }
    println!("{whole} {with_both} {with_one}");
    assert!(whole > 15 && with_both > 15 && with_one > 50);
    let none = Tensor::full([2, 5], -1., (Kind::Float, Device::Cpu));
    let same = Sample::new(test_image(60, 50).into(), none).random_iou_crop(&mut rng).unwrap();
    assert_eq!(same.image.size(), (60, 50));
    let mask = Tensor::zeros([50, 60], (Kind::Int64, Device::Cpu));
    let error = Sample::new(test_image(60, 50).into(), mask).random_iou_crop(&mut rng).unwrap_err();
    refused("`random_iou_crop` of a mask", "boxes [M, 5]", &error);
}

#[test]
fn changes_that_cannot_be_are_refused() {
    let sample = || {
        let boxes = Tensor::from_slice2(&[[0f32, 0., 0., 1., 1.]]);
        Sample::new(test_image(20, 10).into(), boxes)
    };
    let mut rng = Rng::seed_from_u64(7);
    for (what, named, error) in [
        (
            "`zoom_out` to a smaller ground",
            "20×10",
            sample().zoom_out(8, 20, 0, 0, [0; 3]).unwrap_err(),
        ),
        (
            "`zoom_out` beside the ground",
            "20×10",
            sample().zoom_out(20, 40, 0, 21, [0; 3]).unwrap_err(),
        ),
        (
            "`zoom_out`, a place without end",
            "20×10",
            sample().zoom_out(20, 40, usize::MAX, 0, [0; 3]).unwrap_err(),
        ),
        ("`resize` to nothing", "height", sample().resize(0, 5).unwrap_err()),
        (
            "`random_zoom_out`, a probability of 2",
            "random_zoom_out",
            sample().random_zoom_out(2., 3., [0; 3], &mut rng).err().unwrap(),
        ),
        (
            "`random_zoom_out` below 1",
            "most",
            sample().random_zoom_out(1., 0.5, [0; 3], &mut rng).err().unwrap(),
        ),
        // T13
        ("`crop` larger than the image", "20×10", sample().crop(0, 0, 20, 20).unwrap_err()),
    ] {
        refused(what, named, &error);
    }
}
