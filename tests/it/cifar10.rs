//! CIFAR-10: its files, good and bad, where they come from, and the drawings in their place.

use std::fs;
use std::path::{Path, PathBuf};

use crate::common;
use crate::common::report::{refused, seen};
use crate::common::server::Server;
use crate::common::sha1;
use d2l::image::Rgb;
use d2l::prelude::*;

const FILES: [&str; 6] = [
    "data_batch_1.bin",
    "data_batch_2.bin",
    "data_batch_3.bin",
    "data_batch_4.bin",
    "data_batch_5.bin",
    "test_batch.bin",
];

/// An image whose red grows to the right and whose green grows downwards; blue identifies it.
fn record(label: u8, blue: u8) -> Vec<u8> {
    let plane = |value: fn(u8, u8) -> u8| {
        (0..32).flat_map(move |y| (0..32).map(move |x| value(x, y))).collect::<Vec<u8>>()
    };
    [vec![label], plane(|x, _| x * 8), plane(|_, y| y * 8), vec![blue; 1024]].concat()
}

/// Two images a file, labels in turn.
fn small_set(folder: &Path) {
    fs::write(folder.join("batches.meta.txt"), "cat\ndog\nship\n\n").unwrap();
    for (file, i) in FILES.into_iter().zip(0u8..) {
        fs::write(
            folder.join(file),
            [record(i % 3, 2 * i), record((i + 1) % 3, 2 * i + 1)].concat(),
        )
        .unwrap();
    }
}

#[test]
fn images_are_assembled_from_their_planes() {
    let folder = tempfile::tempdir().unwrap();
    small_set(folder.path());
    let (train, test) =
        (CIFAR10::new(folder.path(), true).unwrap(), CIFAR10::new(folder.path(), false).unwrap());
    assert_eq!((train.len(), test.len()), (10, 2));
    assert_eq!(train.classes(), ["cat", "dog", "ship"]);
    let Sample { image, target } = train.get(3).unwrap();
    let label = target.class().unwrap();
    let Image::Pixels(image) = image else { panic!("numbers") };
    assert_eq!((image.dimensions(), label), ((32, 32), 2));
    assert_eq!(*image.get_pixel(5, 9), Rgb([40, 72, 3]));
    assert_eq!(test.get(-1).unwrap().target.class().unwrap(), 0);
    assert!(train.get(10).is_err() && train.get(-11).is_err());
    // C17
    let mut rng = <Rng as rand::SeedableRng>::seed_from_u64(0);
    for index in [10, usize::MAX] {
        let error = train.sample(index, &mut rng).unwrap_err();
        refused("an index that CIFAR-10 does not have", "index", &error);
    }
}

#[test]
fn batches_come_from_it_as_from_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    small_set(folder.path());
    let augs = compose![RandomHorizontalFlip::new(0.5).unwrap(), ToTensor];
    let train = CIFAR10::with_transform(folder.path(), true, &augs).unwrap();
    let loader = DataLoader::new(train, 4).unwrap().shuffle(true);
    let batches: Vec<_> = loader.iter().map(Result::unwrap).collect();
    let sizes: Vec<_> = batches.iter().map(|(x, _)| x.size()).collect();
    assert_eq!(sizes, [[4, 3, 32, 32], [4, 3, 32, 32], [2, 3, 32, 32]]);
    // Each of the ten once, by its blue
    let blues = batches.iter().map(|(x, _)| x.select(1, 2).select(1, 0).select(1, 0) * 255.);
    let blues = Tensor::cat(&blues.collect::<Vec<_>>(), 0).round().sort(0, false).0;
    assert_eq!(Vec::<f32>::try_from(blues).unwrap(), [0., 1., 2., 3., 4., 5., 6., 7., 8., 9.]);
}

#[test]
fn damaged_sets_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    let error = |named: &str, what: &str| {
        refused(what, named, &CIFAR10::new(folder.path(), true).unwrap_err());
    };
    error("batches.meta.txt", "CIFAR-10 in a folder that has none");
    small_set(folder.path());
    let file = folder.path().join("data_batch_3.bin");
    let whole = fs::read(&file).unwrap();
    fs::write(&file, &whole[..whole.len() - 1]).unwrap();
    error("data_batch_3.bin", "a file of CIFAR-10 that is cut off");
    fs::write(&file, []).unwrap();
    error("data_batch_3.bin", "a file of CIFAR-10 with nothing in it");
    fs::write(&file, record(7, 0)).unwrap();
    error("the label 7", "a file of CIFAR-10 with a label that is no class");
    fs::remove_file(&file).unwrap();
    error("data_batch_3.bin", "CIFAR-10 without one of its files");
}

/// Runs this test again with empty data folders.
fn in_empty_folders(name: &str, offline: &str) -> String {
    let (data, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    common::run_with_data(name, offline, data.path(), cache.path())
}

#[test]
fn the_archive_is_fetched_and_unpacked_once() {
    const NAME: &str = "cifar10::the_archive_is_fetched_and_unpacked_once";
    if !common::in_child(NAME) {
        in_empty_folders(NAME, "0");
        return;
    }
    let set = tempfile::tempdir().unwrap();
    small_set(set.path());
    let mut tar = tar::Builder::new(flate2::write::GzEncoder::new(vec![], Default::default()));
    tar.append_dir_all("cifar-10-batches-bin", set.path()).unwrap();
    let archive = tar.into_inner().unwrap().finish().unwrap();
    let server = Server::file(archive.clone());
    let url = server.url("cifar-10-binary.tar.gz");
    DATA_HUB.insert("cifar10", (url, sha1(&archive)));
    let data = PathBuf::from(std::env::var_os("D2L_DATA_DIR").unwrap());
    for _ in 0..2 {
        let loader = load_cifar10(true, &compose![ToTensor], 4).unwrap();
        assert_eq!(loader.num_examples(), 10);
        assert_eq!(download_extract("cifar10").unwrap(), data.join("cifar-10-batches-bin"));
    }
    assert_eq!(server.starts().len(), 1);
}

#[test]
fn offline_ten_classes_are_drawn() {
    const NAME: &str = "cifar10::offline_ten_classes_are_drawn";
    if !common::in_child(NAME) {
        let text = in_empty_folders(NAME, "1");
        // Said once, whatever the number of calls
        let (_, notice) = text.split_once("No CIFAR-10").unwrap();
        assert!(!notice.contains("No CIFAR-10"), "{text}");
        let notice: Vec<_> = notice.lines().take(4).collect();
        seen("no CIFAR-10 and no network", &format!("No CIFAR-10{}", notice.join("\n")));
        return;
    }
    let folder = download_extract("cifar10").unwrap();
    let (train, test) =
        (CIFAR10::new(&folder, true).unwrap(), CIFAR10::new(&folder, false).unwrap());
    assert_eq!((train.len(), test.len(), train.classes().len()), (2000, 400, 10));
    let labels: Vec<i64> = (0..400).map(|i| test.get(i).unwrap().target.class().unwrap()).collect();
    for class in 0..10 {
        assert_eq!(labels.iter().filter(|&&label| label == class).count(), 40);
    }
    // Drawn once; the same images on every machine.
    assert_eq!(download_extract("cifar10").unwrap(), folder);
    assert_eq!(sha1(&fs::read(folder.join("test_batch.bin")).unwrap()), DIGEST);
}

/// The SHA-1 of the drawings to test with.
const DIGEST: &str = "b8a72bd167c4db5e1e66cab008ecf8c01ed68762";
