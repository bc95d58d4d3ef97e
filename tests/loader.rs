//! The loader: the same batches however they are made.

mod common;

use common::{difference, small_set};
use d2l::prelude::*;

fn folder(set: &tempfile::TempDir) -> ImageFolder {
    let augs = compose![RandomResizedCrop::new(24), RandomHorizontalFlip::new(0.5), ToTensor];
    ImageFolder::with_transform(set.path().join("train"), &augs).unwrap()
}

fn epoch(loader: &DataLoader) -> Vec<(Tensor, Tensor)> {
    loader.iter().collect::<Result<_>>().unwrap()
}

fn same(a: &[(Tensor, Tensor)], b: &[(Tensor, Tensor)]) -> bool {
    a.len() == b.len()
        && a.iter()
            .zip(b)
            .all(|(a, b)| a.0.size() == b.0.size() && difference(&a.0, &b.0) == 0. && a.1 == b.1)
}

#[test]
fn batches_do_not_depend_on_the_number_of_threads() {
    let set = small_set(9);
    let loader =
        |workers| DataLoader::new(folder(&set), 4).unwrap().shuffle(true).num_workers(workers);
    let one = loader(1);
    let expected = [epoch(&one), epoch(&one)];
    assert!(!same(&expected[0], &expected[1]), "two epochs are alike");
    for workers in [2, 3, 7] {
        let many = loader(workers);
        assert!(same(&expected[0], &epoch(&many)), "{workers} threads, first epoch");
        assert!(same(&expected[1], &epoch(&many)), "{workers} threads, second epoch");
    }
}

/// Decoded pictures that are kept give the same batches; their files are read once.
#[test]
fn kept_pictures_are_the_same_and_their_files_are_not_read_again() {
    let set = small_set(9);
    let expected = DataLoader::new(folder(&set), 4).unwrap();
    let expected = [epoch(&expected), epoch(&expected)];
    let kept = DataLoader::new(folder(&set).keep_decoded(1 << 30), 4).unwrap();
    assert!(same(&expected[0], &epoch(&kept)));
    // Room for one picture or two: the others are decoded each time.
    let few = DataLoader::new(folder(&set).keep_decoded(20_000), 4).unwrap();
    assert!(same(&expected[0], &epoch(&few)) && same(&expected[1], &epoch(&few)));
    for i in 0..kept.dataset().len() {
        std::fs::remove_file(kept.dataset().name(i)).unwrap();
    }
    assert!(same(&expected[1], &epoch(&kept)));
    assert!(few.iter().any(|batch| batch.is_err()), "all were kept");
}

/// A step of the reader's own may change each number by itself.
#[test]
fn numbers_that_do_not_follow_from_the_pixel_alone() {
    #[derive(Debug)]
    struct Number;
    impl d2l::data::transforms::Transform for Number {
        fn apply(&self, image: Image, _: &mut d2l::data::Rng) -> Result<Image> {
            let Image::Float(numbers) = image else { panic!("the picture is still pixels") };
            let (height, width) = (numbers.height(), numbers.width());
            let pixels = (0..height * width).map(|i| [i as f32, 0., 1.]).collect();
            Ok(Image::Float(d2l::data::FloatImage::new(height, width, pixels)?))
        }
    }
    let set = small_set(2);
    let normalize = Normalize::new([1., 0., 0.], [2., 1., 0.5]);
    let augs = compose![Resize::new([3, 4]), ToTensor, Number, normalize];
    let images = ImageFolder::with_transform(set.path().join("train"), &augs).unwrap();
    let x = epoch(&DataLoader::new(images, 2).unwrap())[0].0.shallow_clone();
    let channel = |c| Vec::<f32>::try_from(x.get(1).get(c).flatten(0, -1)).unwrap();
    assert_eq!(channel(0), (0..12).map(|i| (i as f32 - 1.) / 2.).collect::<Vec<_>>());
    assert_eq!((channel(1), channel(2)), (vec![0.; 12], vec![2.; 12]));
    let error = d2l::data::FloatImage::new(3, 4, vec![[0.; 3]; 11]).err().unwrap().to_string();
    assert!(error.contains("11 pixels for 4×3"), "{error}");
}

/// A panic in a step of the reader's own is an error of its batch, whatever the number of threads.
#[test]
fn a_step_that_panics_is_an_error_with_the_pictures_name() {
    #[derive(Debug)]
    struct Panics;
    impl d2l::data::transforms::Transform for Panics {
        fn apply(&self, _: Image, _: &mut d2l::data::Rng) -> Result<Image> {
            panic!("on purpose")
        }
    }
    let set = small_set(3);
    let images = ImageFolder::with_transform(set.path().join("train"), &compose![Panics]).unwrap();
    for workers in [1, 3] {
        let loader = DataLoader::new(images.clone(), 2).unwrap().num_workers(workers);
        let error = loader.iter().next().unwrap().unwrap_err().to_string();
        assert!(error.contains("panicked") && error.contains("000.png"), "{error}");
    }
}

#[test]
fn shapes_and_labels() {
    let set = small_set(9);
    let loader = DataLoader::new(folder(&set), 4).unwrap();
    assert_eq!((loader.len(), loader.num_examples()), (5, 18));
    let batches = epoch(&loader);
    let sizes: Vec<_> = batches.iter().map(|(x, _)| x.size()).collect();
    assert_eq!(sizes[0], [4, 3, 24, 24]);
    assert_eq!(sizes[4], [2, 3, 24, 24], "the last batch is what is left");
    let labels: Vec<i64> =
        batches.iter().flat_map(|(_, y)| Vec::<i64>::try_from(y).unwrap()).collect();
    assert_eq!(labels, [vec![0; 9], vec![1; 9]].concat(), "without shuffle: in order");
    assert_eq!(batches[0].0.kind(), Kind::Float);
}

#[test]
fn shuffling_keeps_every_picture_once() {
    let set = small_set(9);
    let shuffled = DataLoader::new(folder(&set), 18).unwrap().shuffle(true);
    let labels = Vec::<i64>::try_from(&epoch(&shuffled)[0].1).unwrap();
    assert_eq!(labels.iter().sum::<i64>(), 9);
    assert_ne!(labels, [vec![0; 9], vec![1; 9]].concat());
}

#[test]
fn an_epoch_can_be_left_early() {
    let set = small_set(20);
    let loader = DataLoader::new(folder(&set), 2).unwrap();
    for _ in 0..20 {
        assert!(loader.iter().next().unwrap().is_ok());
    }
}

#[test]
fn a_bad_picture_ends_the_epoch_with_its_name() {
    let set = small_set(5);
    let bad = set.path().join("train/dark/bad.png");
    std::fs::write(&bad, b"\x89PNG\r\n\x1a\nnothing").unwrap();
    let loader = DataLoader::new(folder(&set), 3).unwrap();
    let mut batches = loader.iter();
    let error = batches.by_ref().find_map(|batch| batch.err()).unwrap().to_string();
    assert!(error.contains("bad.png"), "{error}");
    assert!(batches.next().is_none());
}

#[test]
fn pictures_of_different_sizes_are_an_error() {
    let set = small_set(3);
    let augs = compose![ToTensor];
    let folder = ImageFolder::with_transform(set.path().join("train"), &augs).unwrap();
    let loader = DataLoader::new(folder, 3).unwrap();
    let error = loader.iter().next().unwrap().unwrap_err().to_string();
    assert!(error.contains("Resize") && error.contains("001.png"), "{error}");
}

#[test]
fn a_folder_without_to_tensor_is_an_error() {
    let set = small_set(3);
    let folder = ImageFolder::new(set.path().join("train")).unwrap();
    let error = DataLoader::new(folder, 3).unwrap().iter().next().unwrap().unwrap_err();
    assert!(error.to_string().contains("ToTensor"), "{error}");
    let folder = ImageFolder::new(set.path().join("train")).unwrap();
    assert!(DataLoader::new(folder, 0).is_err());
}

#[test]
fn the_limit_keeps_all_classes() {
    const NAME: &str = "the_limit_keeps_all_classes";
    if !common::in_child(NAME) {
        let limit = [("D2L_DATASET_LIMIT", std::path::Path::new("6"))];
        common::run_in_child(NAME, &limit);
        return;
    }
    let set = small_set(9);
    let loader = DataLoader::new(folder(&set), 4).unwrap();
    assert_eq!((loader.len(), loader.num_examples()), (2, 6));
    let labels: i64 = epoch(&loader).iter().map(|(_, y)| y.sum(Kind::Int64).int64_value(&[])).sum();
    assert_eq!(labels, 3);
}
