//! The loader: the same batches, whatever the number of threads.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use crate::common;
use crate::common::report::refused;
use crate::common::{difference, small_set};
use d2l::data::FloatImage;
use d2l::prelude::*;

fn folder(set: &tempfile::TempDir) -> ImageFolder {
    let augs = compose![
        RandomResizedCrop::new(24).unwrap(),
        RandomHorizontalFlip::new(0.5).unwrap(),
        ToTensor
    ];
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

/// Cached images give the same batches; their files are read once.
#[test]
fn cached_images_are_the_same_and_their_files_are_read_once() {
    let set = small_set(9);
    let expected = DataLoader::new(folder(&set), 4).unwrap();
    let expected = [epoch(&expected), epoch(&expected)];
    let kept = DataLoader::new(folder(&set).keep_decoded(1 << 30), 4).unwrap();
    assert!(same(&expected[0], &epoch(&kept)));
    // Space for one image or two: the others are decoded each time.
    let few = DataLoader::new(folder(&set).keep_decoded(20_000), 4).unwrap();
    assert!(same(&expected[0], &epoch(&few)) && same(&expected[1], &epoch(&few)));
    for i in 0..kept.dataset().len() {
        std::fs::remove_file(kept.dataset().name(i)).unwrap();
    }
    assert!(same(&expected[1], &epoch(&kept)));
    assert!(few.iter().any(|batch| batch.is_err()), "all were kept");
}

/// A custom transform may change each value independently.
#[test]
fn values_that_depend_on_more_than_the_pixel() {
    #[derive(Debug)]
    struct Number;
    impl d2l::data::transforms::Transform for Number {
        fn apply(&self, image: Image, _: &mut d2l::data::Rng) -> Result<Image> {
            let Image::Float(numbers) = image else { panic!("the image is still pixels") };
            let (height, width) = (numbers.height(), numbers.width());
            let pixels = (0..height * width).map(|i| [i as f32, 0., 1.]).collect();
            Ok(Image::Float(d2l::data::FloatImage::new(height, width, pixels)?))
        }
    }
    let set = small_set(2);
    let normalize = Normalize::new([1., 0., 0.], [2., 1., 0.5]).unwrap();
    let augs = compose![Resize::new([3, 4]).unwrap(), ToTensor, Number, normalize];
    let images = ImageFolder::with_transform(set.path().join("train"), &augs).unwrap();
    let x = epoch(&DataLoader::new(images, 2).unwrap())[0].0.shallow_clone();
    let channel = |c| Vec::<f32>::try_from(x.get(1).get(c).flatten(0, -1)).unwrap();
    assert_eq!(channel(0), (0..12).map(|i| (i as f32 - 1.) / 2.).collect::<Vec<_>>());
    assert_eq!((channel(1), channel(2)), (vec![0.; 12], vec![2.; 12]));
    let error = d2l::data::FloatImage::new(3, 4, vec![[0.; 3]; 11]).err().unwrap().to_string();
    assert!(error.contains("11 pixels for 4×3"), "{error}");
}

/// A panic in a custom transform is an error of its batch, whatever the number of threads.
#[test]
fn a_transform_that_panics_is_an_error_with_the_images_name() {
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
fn shuffling_yields_every_image_once() {
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
fn a_bad_image_ends_the_epoch_with_its_name() {
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
fn images_of_different_sizes_are_an_error() {
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

/// A custom data set: each image is one pixel, its index in the set.
#[derive(Debug)]
struct Own {
    len: usize,
    name: fn(usize) -> String,
    open: fn(usize) -> Result<Sample>,
}

impl Dataset for Own {
    fn len(&self) -> usize {
        self.len
    }

    fn sample(&self, index: usize, _: &mut Rng) -> Result<Sample> {
        (self.open)(index)
    }

    fn name(&self, index: usize) -> String {
        (self.name)(index)
    }
}

fn pixel(index: usize) -> Image {
    Image::Float(FloatImage::new(1, 1, vec![[index as f32; 3]]).unwrap())
}

/// The sample of a pixel and its label.
fn labelled(index: usize, label: i64) -> Result<Sample> {
    Ok(Sample::new(pixel(index), label))
}

fn own(len: usize, open: fn(usize) -> Result<Sample>) -> Own {
    Own { len, name: |index| format!("number {index}"), open }
}

/// The last item of a loader's first epoch, if it ends.
fn last(loader: DataLoader) -> Option<Result<(Tensor, Tensor)>> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || sender.send(loader.iter().last()));
    receiver.recv_timeout(Duration::from_secs(20)).expect("the epoch does not end")
}

fn labels(batches: &[(Tensor, Tensor)]) -> Vec<i64> {
    batches.iter().flat_map(|(_, y)| Vec::<i64>::try_from(y).unwrap()).collect()
}

#[test]
fn a_data_set_of_the_readers_own() {
    let open = |index| labelled(index, -100 - index as i64);
    for workers in [0, 1, 3, 1_000_000, usize::MAX] {
        let loader = DataLoader::new(own(7, open), 3).unwrap().num_workers(workers);
        let batches = epoch(&loader);
        // Labels are up to the data set: -100 is one that losses ignore.
        assert_eq!(labels(&batches), [-100, -101, -102, -103, -104, -105, -106], "{workers}");
        let pixels = |(x, _): &(Tensor, Tensor)| Vec::<f32>::try_from(x.flatten(0, -1)).unwrap();
        assert_eq!(pixels(&batches[2]), [6.; 3]);
    }
    let whole = DataLoader::new(own(7, open), usize::MAX).unwrap();
    assert_eq!((whole.len(), epoch(&whole)[0].0.size()), (1, vec![7, 3, 1, 1]));
    let empty = DataLoader::new(own(0, open), 3).unwrap();
    assert!(empty.is_empty() && empty.iter().next().is_none());
    let without_pixels =
        |_| FloatImage::new(0, 0, vec![]).map(|numbers| Sample::new(Image::Float(numbers), 0));
    let nothing = DataLoader::new(own(2, without_pixels), 2).unwrap();
    assert_eq!(epoch(&nothing)[0].0.size(), [2, 3, 0, 0]);
}

/// C5: whatever method of a data set panics, its batch is an error; no thread that others wait for dies.
#[test]
fn a_data_set_that_panics_does_not_hang_the_epoch() {
    type Open = fn(usize) -> Result<Sample>;
    let bad = |_| -> String { panic!("a name, on purpose") };
    let cases: [(&str, &str, Open); 5] = [
        ("images that are still pixels", "still pixels", |index| match index {
            5 => Ok(Sample::new(common::test_image(1, 1).into(), 0)),
            _ => labelled(index, 0),
        }),
        ("images of two sizes", "2×1 pixels", |index| match index {
            5 => Ok(Sample::new(Image::Float(FloatImage::new(1, 2, vec![[0.; 3]; 2])?), 0)),
            _ => labelled(index, 0),
        }),
        ("a panic", "panicked", |index| match index {
            5 => panic!("an image, on purpose"),
            _ => labelled(index, 0),
        }),
        ("an index out of range", "panicked", |index| labelled([0, 1, 2, 3, 4][index], 0)),
        ("an error", "cannot read", |index| match index {
            5 => Image::open("/no/such.png").map(|image| Sample::new(image, 0)),
            _ => labelled(index, 0),
        }),
    ];
    for (what, found, open) in cases {
        for workers in [1, 2, 3, 8] {
            let loader = |name| {
                let dataset = Own { len: 8, name, open };
                DataLoader::new(dataset, 3).unwrap().num_workers(workers)
            };
            let named = last(loader(|index| format!("number {index}"))).unwrap().unwrap_err();
            let unnamed = last(loader(bad)).unwrap().unwrap_err();
            assert!(unnamed.to_string().contains(found), "{what}: {unnamed}");
            if found != "cannot read" {
                refused(&format!("a custom data set with {what}"), "number 5", &named);
                refused(&format!("the same, whose names fail: {what}"), "sample 5", &unnamed);
            }
        }
    }
}

/// C5: a transform's error names its image; that name may panic as well.
#[test]
fn a_transform_that_fails_in_a_set_whose_names_panic_is_an_error() {
    #[derive(Debug)]
    struct Unnamed(Compose);
    impl Dataset for Unnamed {
        fn len(&self) -> usize {
            6
        }
        fn sample(&self, index: usize, rng: &mut Rng) -> Result<Sample> {
            Ok(Sample::new(self.0.apply(pixel(index), rng)?, 0))
        }
        fn name(&self, _: usize) -> String {
            panic!("a name, on purpose")
        }
    }
    for workers in [1, 4] {
        let dataset = Unnamed(compose![Resize::new([2, 2]).unwrap()]);
        let loader = DataLoader::new(dataset, 2).unwrap().num_workers(workers);
        let error = last(loader).unwrap().unwrap_err();
        assert!(error.to_string().contains("sample 0"), "{error}");
    }
}

/// C5: after a panic in the reader's own thread, the loader is as it was.
#[test]
fn a_loader_survives_a_data_set_that_panics() {
    struct Moody(Arc<AtomicBool>);
    impl Moody {
        fn ask(&self) {
            assert!(!self.0.load(Ordering::Relaxed), "on purpose");
        }
    }
    impl std::fmt::Debug for Moody {
        fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
            self.ask();
            f.write_str("Moody")
        }
    }
    impl Dataset for Moody {
        fn len(&self) -> usize {
            self.ask();
            5
        }
        fn classes(&self) -> &[String] {
            self.ask();
            &[]
        }
        fn sample(&self, index: usize, _: &mut Rng) -> Result<Sample> {
            labelled(index, index as i64)
        }
    }
    let mood = Arc::new(AtomicBool::new(true));
    let loader = DataLoader::new(Moody(mood.clone()), 2).unwrap();
    let panics = |ask: &dyn Fn()| catch_unwind(AssertUnwindSafe(ask)).is_err();
    assert!(
        panics(&|| drop(loader.iter()))
            && panics(&|| {
                let _ = loader.len();
            })
    );
    assert!(panics(&|| drop(format!("{loader:?}"))));
    assert!(panics(&|| drop(loader.dataset().classes().to_vec())));
    mood.store(false, Ordering::Relaxed);
    let mut batches = loader.iter();
    mood.store(true, Ordering::Relaxed);
    let rest: Result<Vec<_>> = batches.by_ref().collect();
    assert_eq!(labels(&rest.unwrap()), [0, 1, 2, 3, 4]);
}

/// An epoch that is abandoned stops loading: each thread finishes its image, no more.
#[test]
fn an_abandoned_epoch_stops_loading() {
    static MADE: AtomicUsize = AtomicUsize::new(0);
    let slow = own(10_000, |index| {
        MADE.fetch_add(1, Ordering::Relaxed);
        thread::sleep(Duration::from_millis(20));
        labelled(index, 0)
    });
    let loader = DataLoader::new(slow, 100).unwrap().num_workers(2);
    let batches = loader.iter();
    thread::sleep(Duration::from_millis(200));
    drop(batches);
    let before = MADE.load(Ordering::Relaxed);
    thread::sleep(Duration::from_millis(500));
    let after = MADE.load(Ordering::Relaxed);
    assert!(before > 0 && after <= before + 2, "{before}, then {after}");
}

/// An epoch takes memory for the batches in flight, not for all.
#[test]
fn a_large_data_set_takes_little_memory() {
    const NAME: &str = "loader::a_large_data_set_takes_little_memory";
    if !common::in_child(NAME) {
        common::run_in_child(NAME, &[]);
        return;
    }
    let Ok(before) = memory() else {
        return common::report::skipped_here("there is no /proc/self/status");
    };
    let large = own(10_000_000, |index| labelled(index, 0));
    let mut batches = DataLoader::new(large, 32).unwrap().shuffle(true).iter();
    assert!(batches.next().unwrap().is_ok());
    let more = memory().unwrap() - before;
    // Eight bytes per image are its place in the order.
    assert!(more < 200_000, "{more} KB");
}

/// The most memory that this process has had so far, in KB.
fn memory() -> std::io::Result<usize> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    Ok(line.split_whitespace().nth(1).unwrap().parse().unwrap())
}

/// Stacks larger than memory: the system starts no thread.
#[test]
fn a_system_that_starts_no_thread_is_an_error() {
    const NAME: &str = "loader::a_system_that_starts_no_thread_is_an_error";
    if !common::in_child(NAME) {
        let stack = (1usize << 46).to_string();
        let text = common::run_in_child(NAME, &[("RUST_MIN_STACK", Path::new(&stack))]);
        assert!(text.contains("1 passed"), "{text}");
        return;
    }
    let open = |index| labelled(index, 0);
    let loader = DataLoader::new(own(9, open), 2).unwrap().num_workers(4);
    let mut batches = loader.iter();
    let error = batches.next().unwrap().unwrap_err();
    refused("a system that starts no thread", "no thread", &error);
    assert!(batches.next().is_none());
}

/// C27: pinned memory is for those who ask for it, and for training on a GPU.
#[test]
fn pinned_memory_can_be_requested_anywhere() {
    for pin in [true, false] {
        let set = own(5, |index| labelled(index, index as i64));
        let loader = DataLoader::new(set, 2).unwrap().pin_memory(pin);
        assert_eq!(labels(&epoch(&loader)), [0, 1, 2, 3, 4]);
    }
}

/// `D2L_DATASET_LIMIT` takes the same images each time, and leaves no class out, however they
/// are ordered.
#[test]
fn the_limit_keeps_all_classes() {
    const NAME: &str = "loader::the_limit_keeps_all_classes";
    if !common::in_child(NAME) {
        for limit in ["1", "6", "32", "64", "200", "100000000000"] {
            common::run_in_child(NAME, &[("D2L_DATASET_LIMIT", Path::new(limit))]);
        }
        return;
    }
    let limit = d2l::settings::dataset_limit().unwrap();
    // The label of an image, by its index: alternating, by threes, by eights, and class by class.
    type Label = fn(usize) -> i64;
    let sets: [(&str, usize, i64, Label); 6] = [
        ("alternating", 256, 2, |i| i as i64 % 2),
        ("threes", 600, 3, |i| i as i64 % 3),
        ("eights", 1600, 8, |i| i as i64 % 8),
        ("training drawings", 1200, 2, |i| i as i64 / 600),
        ("test drawings", 400, 2, |i| i as i64 / 200),
        ("training photographs", 2000, 2, |i| i as i64 / 1000),
    ];
    for (what, len, classes, label) in sets {
        let loader = |batch_size| {
            let set = own(len, |index| labelled(index, index as i64));
            DataLoader::new(set, batch_size).unwrap()
        };
        let indices = loader(4).indices();
        assert_eq!(indices.len(), limit.min(len), "{what}");
        assert_eq!(indices.len(), loader(4).num_examples(), "{what}");
        assert_eq!(indices.len().div_ceil(4), loader(4).len(), "{what}");
        // Each once, in the set's order.
        assert!(indices.is_sorted_by(|a, b| a < b) && indices.iter().all(|&i| i < len), "{what}");
        d2l::data::manual_seed(17);
        let other = loader(7).shuffle(true);
        assert_eq!(other.indices(), indices, "{what}: another seed");
        // The batches hold these, in this order or shuffled.
        let all: Vec<i64> = indices.iter().map(|&index| index as i64).collect();
        assert_eq!(labels(&epoch(&loader(4))), all, "{what}");
        let shuffled: BTreeSet<i64> = labels(&epoch(&other)).into_iter().collect();
        assert_eq!(shuffled.into_iter().collect::<Vec<_>>(), all, "{what}");
        if limit > len {
            assert_eq!(indices, (0..len).collect::<Vec<_>>(), "{what}");
        }
        for class in 0..classes {
            let count = indices.iter().filter(|&&index| label(index) == class).count() as i64;
            let share = indices.len() as i64 / classes;
            if what.contains("drawings") || what.contains("photographs") {
                assert!((count - share).abs() <= 1, "{what}, class {class}: {count} of {share}");
            } else if limit >= 32 {
                assert!(
                    count > if classes == 8 { 0 } else { share / 3 },
                    "{what}, class {class}: {count} of {share}"
                );
            }
        }
    }
    let set = small_set(9);
    let loader = DataLoader::new(folder(&set), 4).unwrap();
    assert_eq!(loader.num_examples(), limit.min(18));
    if limit > 1 {
        assert_eq!(labels(&epoch(&loader)).iter().sum::<i64>(), limit.min(18) as i64 / 2);
    }
}
