//! Data sets of the reader's own, parts of data sets, and changes of an image with its target.

use std::path::Path;
use std::sync::Arc;

use crate::common;
use crate::common::report::{Comparison, refused};
use crate::common::{difference, reference, small_set, test_image};
use d2l::data::FloatImage;
use d2l::prelude::*;
use rand::SeedableRng;

/// What makes the target of a sample.
type Make = fn(usize) -> Target;

/// A set whose images are one pixel, which is the sample's number.
#[derive(Debug, Clone)]
struct Own {
    len: usize,
    target: Make,
}

impl Dataset for Own {
    fn len(&self) -> usize {
        self.len
    }

    fn sample(&self, index: usize, _: &mut Rng) -> Result<Sample> {
        Ok(Sample::new(pixel(index), (self.target)(index)))
    }
}

fn own(len: usize, target: Make) -> Own {
    Own { len, target }
}

fn pixel(index: usize) -> Image {
    Image::Float(FloatImage::new(1, 1, vec![[index as f32; 3]]).unwrap())
}

fn rng(seed: u64) -> Rng {
    Rng::seed_from_u64(seed)
}

fn epoch(loader: &DataLoader) -> Vec<(Tensor, Tensor)> {
    loader.iter().collect::<Result<_>>().unwrap()
}

/// The numbers of the samples of a batch, by their pixels.
fn numbers(x: &Tensor) -> Vec<i64> {
    Vec::try_from(x.select(1, 0).flatten(0, -1).to_kind(Kind::Int64)).unwrap()
}

type Kinds = [(&'static str, Make, Kind, &'static [i64]); 7];

/// Targets of all kinds that the book's sections have, their kind and shape.
const KINDS: Kinds = [
    ("classes", |i| Target::Class(i as i64), Kind::Int64, &[]),
    (
        "boxes",
        |i| (Tensor::ones([3, 5], (Kind::Float, Device::Cpu)) * i as f64).into(),
        Kind::Float,
        &[3, 5],
    ),
    (
        "masks",
        |i| Tensor::full([4, 6], i as i64, (Kind::Int64, Device::Cpu)).into(),
        Kind::Int64,
        &[4, 6],
    ),
    (
        "masks of bytes",
        |i| Tensor::full([4, 6], i as i64, (Kind::Uint8, Device::Cpu)).into(),
        Kind::Uint8,
        &[4, 6],
    ),
    ("a number", |i| Tensor::from(i as f64).into(), Kind::Double, &[]),
    ("numbers", |i| Tensor::from_slice(&[i as f32, -1.]).into(), Kind::Float, &[2]),
    (
        "no boxes",
        |_| Tensor::zeros([0, 5], (Kind::Float, Device::Cpu)).into(),
        Kind::Float,
        &[0, 5],
    ),
];

/// Each target in its place, whatever its kind, the number of threads and the order.
#[test]
fn targets_of_all_kinds_come_in_batches() {
    for (what, target, kind, shape) in KINDS {
        for (workers, shuffle) in [(1, false), (4, false), (1, true), (4, true)] {
            let loader = DataLoader::new(own(10, target), 4).unwrap();
            let loader = loader.num_workers(workers).shuffle(shuffle);
            let batches = epoch(&loader);
            let mut seen = vec![];
            for ((x, y), count) in batches.iter().zip([4, 4, 2]) {
                assert_eq!(y.kind(), kind, "{what}");
                assert_eq!(y.size(), [&[count], shape].concat(), "{what}");
                let samples = numbers(x);
                for (i, &number) in samples.iter().enumerate() {
                    let expected = match target(number as usize) {
                        Target::Class(class) => Tensor::from(class),
                        Target::Tensor(tensor) => tensor,
                    };
                    assert_eq!(y.get(i as i64), expected, "{what}, sample {number}");
                }
                seen.extend(samples);
            }
            assert_eq!(seen.is_sorted(), !shuffle, "{what}");
            seen.sort();
            assert_eq!(seen, (0..10).collect::<Vec<i64>>(), "{what}");
        }
    }
}

#[test]
fn the_last_batch_can_be_dropped() {
    for (len, size, count) in [(10, 4, 2), (8, 4, 2), (3, 4, 0), (0, 4, 0), (5, usize::MAX, 0)] {
        for workers in [1, 4] {
            let loader = DataLoader::new(own(len, KINDS[1].1), size).unwrap();
            let loader = loader.num_workers(workers).drop_last(true);
            assert_eq!((loader.len(), loader.is_empty()), (count, count == 0), "{len}");
            assert_eq!(loader.num_examples(), if count == 0 { 0 } else { count * size });
            let batches = epoch(&loader);
            assert_eq!(batches.len(), count);
            assert!(batches.iter().all(|(_, y)| y.size() == [size as i64, 3, 5]));
        }
    }
    // Those that are left out differ from epoch to epoch.
    let loader = DataLoader::new(own(10, KINDS[0].1), 4).unwrap().shuffle(true).drop_last(true);
    let left_out =
        || -> i64 { 45 - epoch(&loader).iter().flat_map(|(x, _)| numbers(x)).sum::<i64>() };
    let sums: std::collections::HashSet<i64> = (0..8).map(|_| left_out()).collect();
    assert!(sums.len() > 1, "{sums:?}");
}

#[test]
fn a_loader_is_what_a_for_loop_takes() {
    let loader = DataLoader::new(own(7, KINDS[0].1), 3).unwrap();
    let mut count = 0;
    for batch in &loader {
        count += batch.unwrap().1.numel();
    }
    assert_eq!(count, 7);
    let mut batches = loader.iter();
    assert_eq!(batches.size_hint(), (1, Some(3)));
    assert!(batches.next().unwrap().is_ok());
    assert_eq!(batches.size_hint(), (1, Some(2)));
    assert_eq!((batches.by_ref().count(), batches.size_hint()), (2, (0, Some(0))));
    let text = loader.to_string();
    assert!(text.contains("batch_size=3, 3 batches, shuffle=false, drop_last=false"), "{text}");
}

/// The limit, `drop_last` and the place in an epoch, with targets of boxes.
#[test]
fn limits_hold_for_all_targets() {
    const NAME: &str = "datasets::limits_hold_for_all_targets";
    if !common::in_child(NAME) {
        common::run_in_child(NAME, &[("D2L_DATASET_LIMIT", Path::new("10"))]);
        return;
    }
    for (what, target, ..) in KINDS {
        let loader = || DataLoader::new(own(100, target), 4).unwrap().num_workers(2);
        let all = |loader: &DataLoader| -> Vec<i64> {
            epoch(loader).iter().flat_map(|(x, _)| numbers(x)).collect()
        };
        let (whole, cut) = (loader(), loader().drop_last(true));
        assert_eq!((whole.len(), whole.num_examples()), (3, 10), "{what}");
        assert_eq!((cut.len(), cut.num_examples()), (2, 8), "{what}");
        assert_eq!(all(&cut), all(&whole)[..8], "{what}");
        for (place, number) in (0..).zip(all(&whole)) {
            assert_eq!(whole.index(place).unwrap() as i64, number, "{what}");
        }
        refused("a place beyond an epoch's images", "place 8", &cut.index(8).unwrap_err());
        assert!(whole.index(10).is_err());
    }
    // A part of a set is limited by itself.
    let part = Subset::new(own(100, KINDS[0].1), 50..70).unwrap();
    let loader = DataLoader::new(part, 4).unwrap();
    assert_eq!(loader.num_examples(), 10);
    assert!(epoch(&loader).iter().flat_map(|(x, _)| numbers(x)).all(|i| (50..70).contains(&i)));
}

#[test]
fn places_in_an_epoch_are_numbers_of_the_set() {
    let loader = || DataLoader::new(own(5, KINDS[0].1), 2).unwrap();
    assert_eq!((0..5).map(|i| loader().index(i).unwrap()).collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
    for place in [-1, 5, i64::MAX, i64::MIN] {
        let error = loader().index(place).unwrap_err();
        refused("a place that an epoch has not", &format!("place {place}"), &error);
    }
    let error = loader().shuffle(true).index(0).unwrap_err();
    refused("a place in an epoch of a loader that shuffles", "shuffle", &error);
}

/// Samples that cannot be one batch: both are named.
#[test]
fn targets_that_differ_are_errors() {
    let cases: [(&str, Make, &str, &str); 5] = [
        (
            "boxes of two numbers",
            |i| Tensor::zeros([if i == 5 { 2 } else { 1 }, 5], (Kind::Float, Device::Cpu)).into(),
            "Float [2, 5]",
            "Float [1, 5]",
        ),
        (
            "masks of two kinds",
            |i| {
                Tensor::zeros([2, 2], (if i == 5 { Kind::Uint8 } else { Kind::Int64 }, Device::Cpu))
                    .into()
            },
            "Uint8 [2, 2]",
            "Int64 [2, 2]",
        ),
        (
            "a class among boxes",
            |i| if i == 5 { 7.into() } else { Tensor::from(1.5).into() },
            "class 7",
            "Double []",
        ),
        (
            "boxes among classes",
            |i| if i == 5 { Tensor::from(1.5).into() } else { 7.into() },
            "Double []",
            "class 7",
        ),
        (
            "a tensor without values",
            |i| if i == 5 { Tensor::new().into() } else { Tensor::from(1.5).into() },
            "without values",
            "Double []",
        ),
    ];
    for (what, target, found, expected) in cases {
        for workers in [1, 4] {
            let loader = DataLoader::new(own(8, target), 4).unwrap().num_workers(workers);
            let mut batches = loader.iter();
            let error = batches.find_map(Result::err).unwrap();
            let text = refused(&format!("a batch with {what}"), "sample 5", &error);
            assert!(text.contains(found) && text.contains(expected), "{text}");
            assert!(text.contains("sample 4"), "the other one: {text}");
            assert!(batches.next().is_none());
        }
    }
    let error = DataLoader::new(own(2, |_| Tensor::new().into()), 2).unwrap().iter().next();
    assert!(error.unwrap().is_err());
}

/// An error of a sample has its name, whatever the set says.
#[test]
fn errors_of_samples_have_their_names() {
    #[derive(Debug)]
    struct Fails(Compose);
    impl Dataset for Fails {
        fn len(&self) -> usize {
            2
        }
        fn sample(&self, _: usize, rng: &mut Rng) -> Result<Sample> {
            let image = ToTensor.apply(test_image(8, 8).into(), rng)?;
            Ok(Sample::new(self.0.apply(image, rng)?, 0))
        }
    }
    let set = Arc::new(Fails(compose![CenterCrop::new(4).unwrap()]));
    let error = set.get(-1).unwrap_err();
    refused("a transform that fails in a set of one's own", "sample 1: CenterCrop", &error);
    let error = DataLoader::new(set, 1).unwrap().iter().next().unwrap().unwrap_err();
    assert!(error.to_string().starts_with("sample 0: CenterCrop"), "{error}");
    // A file is named once.
    let set = small_set(1);
    std::fs::write(set.path().join("train/dark/000.png"), "text").unwrap();
    let error = ImageFolder::new(set.path().join("train")).unwrap().get(1).unwrap_err().to_string();
    assert_eq!(error.matches("000.png").count(), 1, "{error}");
}

#[test]
fn targets_say_what_they_are() {
    let (class, boxes): (Target, Target) = (3.into(), Tensor::from_slice(&[1f32, 2.]).into());
    assert_eq!((class.class().unwrap(), boxes.tensor().unwrap().size()), (3, vec![2]));
    refused("a class where a tensor is asked for", "class 3", &class.tensor().unwrap_err());
    refused("a tensor where a class is asked for", "Float [2]", &boxes.class().unwrap_err());
    let sample = Sample::new(test_image(8, 6).into(), 3);
    assert_eq!(sample.to_string(), "Sample(Image(8×6, RGB, pixels, 0 to 255), class 3)");
}

/// One set for two loaders, and sets of a type that is chosen later.
#[test]
fn a_set_can_be_shared() {
    let set = small_set(3);
    let augs = compose![Resize::new([8, 8]).unwrap(), ToTensor];
    let images = Arc::new(ImageFolder::with_transform(set.path().join("train"), &augs).unwrap());
    let loaders = [2, 3].map(|size| DataLoader::new(images.clone(), size).unwrap());
    let all = loaders.each_ref().map(|loader| {
        let (x, y): (Vec<_>, Vec<_>) = epoch(loader).into_iter().unzip();
        (Tensor::cat(&x, 0), Tensor::cat(&y, 0))
    });
    assert_eq!(difference(&all[0].0, &all[1].0), 0.);
    assert_eq!(all[0].1, all[1].1);
    assert_eq!((images.len(), images.classes().len()), (6, 2));
    assert_eq!(loaders[0].dataset().classes(), images.classes());
    assert_eq!(loaders[0].dataset().name(2), images.name(2));
    let boxed: Box<dyn Dataset> = Box::new(images.clone());
    assert_eq!((boxed.len(), boxed.is_empty()), (6, false));
    assert!(DataLoader::new(boxed, 2).unwrap().iter().all(|batch| batch.is_ok()));
    let shared: Arc<dyn Dataset> = images;
    assert_eq!(shared.images(0..2).unwrap().len(), 2);
}

#[test]
fn ranges_of_images() {
    let set = own(10, KINDS[0].1);
    let at = |range| -> Vec<f32> {
        set.images(range)
            .unwrap()
            .iter()
            .map(|image| match image {
                Image::Float(numbers) => numbers.data()[0][0],
                Image::Pixels(_) => panic!("pixels"),
            })
            .collect()
    };
    assert_eq!(at(0..3), [0., 1., 2.]);
    assert_eq!(at(-3..0), [7., 8., 9.]);
    assert_eq!(at(-1..2), [9., 0., 1.]);
    assert_eq!((at(4..4), at(99..99)), (vec![], vec![]));
    for range in [0..11, -11..0, 9..isize::MAX, isize::MIN..0, -11..11] {
        refused(
            "a range of images beyond the set",
            "images: index",
            &set.images(range).unwrap_err(),
        );
    }
    let backwards = std::ops::Range { start: 0, end: -1 };
    refused("a range that ends before it starts", "0..-1", &set.images(backwards).unwrap_err());
    assert_eq!(set.image(-1).unwrap().size(), (1, 1));
    refused("an image beyond the set", "index 10", &set.image(10).unwrap_err());
    // An error does not print all that a set holds.
    #[derive(Debug)]
    #[expect(dead_code, reason = "printed by Debug")]
    struct Large(Vec<usize>);
    impl Dataset for Large {
        fn len(&self) -> usize {
            3
        }
        fn sample(&self, index: usize, _: &mut Rng) -> Result<Sample> {
            Ok(Sample::new(pixel(index), 0))
        }
    }
    let large = Large((0..10_000).collect());
    let text = refused("an index beyond a set of one's own", "index 3", &large.get(3).unwrap_err());
    assert!(text.contains("Large has 3 images") && text.len() < 200, "{text}");
    assert!(DataLoader::new(large, 2).unwrap().to_string().len() < 200);
}

#[test]
fn parts_of_a_set() {
    let set = small_set(3);
    let images = ImageFolder::new(set.path().join("train")).unwrap();
    let part = Subset::new(images.clone(), [4, 0, 4]).unwrap();
    assert_eq!((part.len(), part.classes()), (3, images.classes()));
    assert_eq!((part.indices(), part.name(0)), (&[4, 0, 4][..], images.name(4)));
    let labels: Vec<i64> = (0..3).map(|i| part.get(i).unwrap().target.class().unwrap()).collect();
    assert_eq!(labels, [1, 0, 1]);
    let inner = Subset::new(part.clone(), 1..2).unwrap();
    assert_eq!((inner.len(), inner.name(0)), (1, images.name(0)));
    assert!(inner.to_string().starts_with("Subset(1 of Subset(3 of ImageFolder("), "{inner}");
    assert!(Subset::new(images.clone(), []).unwrap().is_empty());
    for bad in [6, usize::MAX] {
        let error = Subset::new(images.clone(), [0, bad, 1]).unwrap_err();
        let text = refused("a subset with a number that the set has not", "Subset", &error);
        assert!(text.contains(&format!("index {bad}")) && text.contains("0 to 5"), "{text}");
    }
    let mut rng = rng(0);
    for index in [3, usize::MAX] {
        assert!(part.sample(index, &mut rng).is_err());
        assert!(part.name(index).contains(&index.to_string()));
    }
}

#[test]
fn lengths_of_splits_are_pytorchs() {
    let reference = reference("joint");
    let what = "`random_split`: lengths of the parts by fractions, against PyTorch";
    let mut exact = Comparison::new(what, "samples", 0.);
    let mut compare = |key: &str, parts: &[Subset]| {
        let theirs = Vec::<i64>::try_from(&reference[key]).unwrap();
        assert_eq!(parts.len(), theirs.len());
        for (part, length) in parts.iter().zip(theirs) {
            exact.add(key, (part.len() as f64 - length as f64).abs());
        }
    };
    let set = |len| own(len, KINDS[0].1);
    compare("split/2000/2", &random_split(set(2000), [0.8, 0.2]).unwrap());
    compare("split/10/3", &random_split(set(10), [0.3, 0.3, 0.4]).unwrap());
    compare("split/17/3", &random_split(set(17), [0.5, 0.25, 0.25]).unwrap());
    compare("split/17/10", &random_split(set(17), [0.1; 10]).unwrap());
}

#[test]
fn a_split_has_each_sample_once() {
    const NAME: &str = "datasets::a_split_has_each_sample_once";
    // The seed is one for the whole process.
    if !common::in_child(NAME) {
        common::run_in_child(NAME, &[]);
        return;
    }
    let split = || random_split(own(100, KINDS[0].1), [70, 20, 10]).unwrap();
    let indices =
        |parts: &[Subset]| parts.iter().map(|part| part.indices().to_vec()).collect::<Vec<_>>();
    manual_seed(3);
    let (first, second) = (indices(&split()), indices(&split()));
    assert_eq!(first.iter().map(Vec::len).collect::<Vec<_>>(), [70, 20, 10]);
    let mut all = first.concat();
    assert!(!all.is_sorted(), "in order");
    all.sort();
    assert_eq!(all, (0..100).collect::<Vec<_>>());
    assert_ne!(first, second);
    manual_seed(3);
    assert_eq!((indices(&split()), indices(&split())), (first, second));
    let [all, none] = random_split(own(3, KINDS[0].1), [1., 0.]).unwrap();
    assert_eq!((all.len(), none.len()), (3, 0));
    let [] = random_split(own(0, KINDS[0].1), [0usize; 0]).unwrap();
    let [a, b] = random_split(own(0, KINDS[0].1), [0.5, 0.5]).unwrap();
    assert!(a.is_empty() && b.is_empty());
}

#[test]
fn splits_that_cannot_be_are_errors() {
    use d2l::data::Length;
    let set = || own(10, KINDS[0].1);
    let error = |named: &str, result: Result<[Subset; 2]>| {
        let text = refused("a `random_split` that cannot be", "random_split", &result.unwrap_err());
        assert!(text.contains(named), "{text}");
    };
    error("a sum of 10", random_split(set(), [7, 2]));
    error("a sum of 10", random_split(set(), [usize::MAX, 11]));
    error("whose sum is 0.9", random_split(set(), [0.8, 0.1]));
    error("whose sum is 1.1", random_split(set(), [0.8, 0.3]));
    error("-0.5", random_split(set(), [-0.5, 1.5]));
    error("NaN", random_split(set(), [f64::NAN, 0.5]));
    error("0.01 of 10 samples", random_split(set(), [0.99, 0.01]));
    error("fractions, or numbers", random_split(set(), [Length::Fraction(0.5), Length::Count(5)]));
}

fn boxes(rows: &[[f32; 5]]) -> Tensor {
    Tensor::from_slice2(rows)
}

/// An image's pixels as `[H, W, 3]`.
fn bytes(image: Image) -> Tensor {
    let Image::Pixels(pixels) = image else { panic!("numbers") };
    let size = [i64::from(pixels.height()), i64::from(pixels.width()), 3];
    Tensor::from_slice(pixels.as_raw()).view(size)
}

fn numbers_of(image: &Image) -> Image {
    ToTensor.apply(image.clone(), &mut rng(0)).unwrap()
}

#[test]
fn images_change_with_their_boxes_and_masks_as_torchvisions() {
    let reference = reference("joint");
    let what = "`Sample::flip_horizontal` and `crop`: boxes, against torchvision's v2";
    let mut of_boxes = Comparison::new(what, "of the image", 1e-6);
    let what = "`Sample::flip_horizontal` and `crop`: images and masks, against torchvision's v2";
    let mut exact = Comparison::new(what, "", 0.);
    let image = || Image::from(test_image(61, 47));
    let get = |key: &str| reference[key].shallow_clone();
    let with_boxes = |image| Sample::new(image, get("boxes"));
    // Whether pixels or numbers, whether these follow from the pixels alone or not.
    let plain = Image::from_tensor(&numbers_of(&image()).to_tensor().unwrap()).unwrap();
    let variants = [image(), numbers_of(&image()), plain];

    let flipped = with_boxes(image()).flip_horizontal().unwrap();
    of_boxes.add("flip", difference(flipped.target.tensor().unwrap(), &get("flip/boxes")));
    exact.add("flip", difference(&bytes(flipped.image), &pixels_flipped()));
    let flipped = Sample::new(image(), get("mask")).flip_horizontal().unwrap();
    exact.add("flipped mask", difference(flipped.target.tensor().unwrap(), &get("flip/mask")));
    of_boxes.add("resized", difference(&get("boxes"), &get("resize/boxes")));

    for key in reference.keys().filter(|key| key.starts_with("crop/") && key.ends_with("/image")) {
        let name = key.trim_end_matches("/image");
        let lengths: Vec<usize> =
            name.trim_start_matches("crop/").split(',').map(|n| n.parse().unwrap()).collect();
        let [top, left, height, width] = lengths[..] else { panic!("{name}") };
        for image in &variants {
            let cropped = with_boxes(image.clone()).crop(top, left, height, width).unwrap();
            let theirs = get(&format!("{name}/boxes"));
            of_boxes.add(name, difference(cropped.target.tensor().unwrap(), &theirs));
            let (theirs, ours) = (get(key), cropped.image);
            let off = match &ours {
                Image::Pixels(_) => difference(&bytes(ours), &theirs),
                Image::Float(_) => {
                    let theirs = theirs.permute([2, 0, 1]).to_kind(Kind::Float) / 255.;
                    difference(&ours.to_tensor().unwrap(), &theirs)
                }
            };
            exact.add(name, off);
        }
        let cropped = Sample::new(image(), get("mask")).crop(top, left, height, width).unwrap();
        let theirs = get(&format!("{name}/mask"));
        let ours = cropped.target.tensor().unwrap();
        assert_eq!((ours.kind(), ours.size()), (theirs.kind(), theirs.size()));
        exact.add(name, difference(ours, &theirs));
    }
}

/// Torchvision's, which the transform is compared with elsewhere.
fn pixels_flipped() -> Tensor {
    reference("transforms")["flip/61x47"].shallow_clone()
}

/// Numbers are flipped as pixels are.
#[test]
fn numbers_are_flipped_too() {
    let image = Image::from(test_image(7, 5));
    let expected = image.clone().to_tensor().unwrap().flip([2]);
    let plain = Image::from_tensor(&image.to_tensor().unwrap()).unwrap();
    for numbers in [numbers_of(&image), plain] {
        assert_eq!(difference(&numbers.flip_horizontal().to_tensor().unwrap(), &expected), 0.);
    }
}

/// The same rectangle of both; each place may come, and all of them do.
#[test]
fn random_changes_are_of_image_and_target_alike() {
    let places = Tensor::arange(5 * 4, (Kind::Float, Device::Cpu)).view([5, 4]);
    let image = Image::from_tensor(&(&places / 32.)).unwrap();
    let sample = || Sample::new(image.clone(), places.to_kind(Kind::Int64));
    let alike = |sample: &Sample| {
        let image = sample.image.to_tensor().unwrap().get(0) * 32.;
        difference(&image, sample.target.tensor().unwrap()) == 0.
    };
    let mut starts = std::collections::BTreeMap::new();
    let mut rng = rng(4);
    for _ in 0..1200 {
        let cropped = sample().random_crop(3, 2, &mut rng).unwrap();
        assert_eq!(cropped.image.size(), (2, 3));
        assert!(alike(&cropped));
        *starts.entry(cropped.target.tensor().unwrap().int64_value(&[0, 0])).or_insert(0) += 1;
    }
    // Three rows and three columns to start at, about 133 times each
    assert_eq!(starts.keys().copied().collect::<Vec<_>>(), [0, 1, 2, 4, 5, 6, 8, 9, 10]);
    assert!(starts.values().all(|count| (90..180).contains(count)), "{starts:?}");
    let whole = sample().random_crop(5, 4, &mut rng).unwrap();
    assert_eq!(whole.target.tensor().unwrap(), sample().target.tensor().unwrap());
    let count = (0..1000)
        .filter(|_| {
            let flipped = sample().random_horizontal_flip(0.25, &mut rng).unwrap();
            assert!(alike(&flipped));
            flipped.target.tensor().unwrap().int64_value(&[0, 0]) == 3
        })
        .count();
    assert!((200..300).contains(&count), "{count}");
    let kept = sample().random_horizontal_flip(0., &mut rng).unwrap();
    assert_eq!(kept.target.tensor().unwrap(), sample().target.tensor().unwrap());
    // A class is what it was.
    let classed = Sample::new(image.clone(), 3).random_crop(2, 2, &mut rng).unwrap();
    assert_eq!((classed.image.size(), classed.target.class().unwrap()), ((2, 2), 3));
}

#[test]
fn changes_that_cannot_be_are_errors() {
    let image = || Image::from(test_image(6, 4));
    let nothing = || Image::from(d2l::image::RgbImage::new(0, 0));
    let mut rng = rng(0);
    for (top, left, height, width) in [
        (0, 0, 5, 6),
        (0, 0, 4, 7),
        (1, 0, 4, 6),
        (0, 1, 4, 6),
        (0, 0, 0, 3),
        (0, 0, 3, 0),
        (usize::MAX, 0, 2, 2),
    ] {
        for result in [
            image().crop(top, left, height, width).map(drop),
            numbers_of(&image()).crop(top, left, height, width).map(drop),
            Sample::new(image(), 0).crop(top, left, height, width).map(drop),
        ] {
            refused("a crop that does not lie in the image", "6×4 pixels", &result.unwrap_err());
        }
    }
    for (height, width) in [(5, 6), (4, 7), (0, 1), (usize::MAX, usize::MAX)] {
        let error = Sample::new(image(), 0).random_crop(height, width, &mut rng).unwrap_err();
        refused("a random crop larger than the image, or of nothing", "crop", &error);
    }
    assert!(Sample::new(nothing(), 0).random_crop(1, 1, &mut rng).is_err());
    assert!(Sample::new(nothing(), 0).flip_horizontal().is_ok());
    let error = Sample::new(image(), 0).random_horizontal_flip(50., &mut rng).unwrap_err();
    refused("a flip of an image with its target, with probability 50", "50", &error);
    let bad_targets: [(&str, &str, Tensor); 8] = [
        ("boxes in pixels", "row 1", boxes(&[[0., 0., 0., 0.5, 1.], [0., 3., 1., 5., 2.]])),
        ("a box that is turned", "row 0", boxes(&[[0., 0.6, 0., 0.5, 1.]])),
        ("a box of NaN", "NaN", boxes(&[[0., f32::NAN, 0., 0.5, 1.]])),
        ("a box without a class", "NaN", boxes(&[[f32::NAN, 0., 0., 0.5, 1.]])),
        (
            "a mask of another size",
            "Int64 [6, 4]",
            Tensor::zeros([6, 4], (Kind::Int64, Device::Cpu)),
        ),
        (
            "boxes without classes",
            "Float [2, 4]",
            Tensor::zeros([2, 4], (Kind::Float, Device::Cpu)),
        ),
        ("numbers", "Float [3]", Tensor::zeros([3], (Kind::Float, Device::Cpu))),
        ("a tensor without values", "without values", Tensor::new()),
    ];
    for (what, named, target) in bad_targets {
        let sample = || Sample::new(image(), target.shallow_clone());
        for result in [sample().flip_horizontal(), sample().crop(0, 0, 2, 2)] {
            refused(&format!("an image that is changed with {what}"), named, &result.unwrap_err());
        }
    }
    // No boxes at all, and boxes of another kind.
    for (rows, kind) in [(0, Kind::Float), (2, Kind::Double)] {
        let table = Tensor::zeros([rows, 5], (kind, Device::Cpu));
        let flipped = Sample::new(image(), table).flip_horizontal().unwrap();
        let table = flipped.target.tensor().unwrap();
        assert_eq!((table.size(), table.kind()), (vec![rows, 5], kind));
    }
}

#[test]
fn images_are_made_of_tensors_and_back() {
    let float = (Kind::Float, Device::Cpu);
    let colours = Tensor::rand([3, 4, 6], float);
    let grey = Tensor::rand([4, 6], float);
    let same =
        |image: &Image, expected: &Tensor| difference(&image.to_tensor().unwrap(), expected) == 0.;
    let three = grey.expand([3, 4, 6], false);
    for (tensor, expected) in [(&colours, &colours), (&grey, &three), (&grey.unsqueeze(0), &three)]
    {
        let image = Image::from_tensor(tensor).unwrap();
        assert_eq!(image.size(), (6, 4));
        assert!(same(&image, expected));
    }
    // Not in one piece, and part of a computation.
    let turned = Tensor::rand([6, 4, 3], float).set_requires_grad(true).permute([2, 1, 0]);
    assert!(same(&Image::from_tensor(&turned).unwrap(), &turned));
    // Normalised numbers stay, so that a loader's images can be shown.
    let normalised = &colours * 4. - 2.;
    assert!(same(&Image::from_tensor(&normalised).unwrap(), &normalised));
    // Bytes are pixels.
    let pixels = bytes(test_image(6, 4).into());
    let image = Image::from_tensor(&pixels.permute([2, 0, 1])).unwrap();
    assert_eq!(bytes(image), pixels);
    let image = Image::from_tensor(&pixels.select(2, 1)).unwrap();
    assert_eq!(bytes(image), pixels.select(2, 1).unsqueeze(2).expand([4, 6, 3], false));
}

#[test]
fn tensors_that_are_no_images_are_errors() {
    let zeros = |shape: &[i64], kind| Tensor::zeros(shape, (kind, Device::Cpu));
    for (what, named, tensor) in [
        ("a batch", "[2, 3, 4, 6]", zeros(&[2, 3, 4, 6], Kind::Float)),
        ("channels at the end", "[4, 6, 3]", zeros(&[4, 6, 3], Kind::Float)),
        ("four channels", "[4, 6, 6]", zeros(&[4, 6, 6], Kind::Float)),
        ("one dimension", "[6]", zeros(&[6], Kind::Float)),
        ("no dimension", "[]", zeros(&[], Kind::Float)),
        ("no pixels", "[3, 0, 6]", zeros(&[3, 0, 6], Kind::Float)),
        ("whole numbers", "Int64", zeros(&[3, 4, 6], Kind::Int64)),
        ("numbers of 64 bits", "Double", zeros(&[3, 4, 6], Kind::Double)),
        ("truths", "Bool", zeros(&[4, 6], Kind::Bool)),
        ("NaN", "NaN", zeros(&[4, 6], Kind::Float) / 0.),
        ("infinity", "infinite", (zeros(&[4, 6], Kind::Float) + 1.) / 0.),
        ("no values", "without values", Tensor::new()),
    ] {
        let error = Image::from_tensor(&tensor).unwrap_err();
        let text =
            refused(&format!("an image of a tensor with {what}"), "Image::from_tensor", &error);
        assert!(text.contains(named), "{text}");
    }
}

/// Crops of two sides, against torchvision.
#[test]
fn crops_need_not_be_squares() {
    let reference = reference("joint");
    let what = "`CenterCrop` of a height and a width, against torchvision";
    let mut exact = Comparison::new(what, "of 255", 0.);
    for [height, width] in [[24, 52], [60, 20], [9, 100]] {
        let crop = CenterCrop::new([height, width]).unwrap();
        let ours = bytes(crop.apply(test_image(61, 47).into(), &mut rng(0)).unwrap());
        let key = format!("center_crop/{height},{width}");
        assert_eq!(ours.size(), reference[&key].size());
        exact.add(&key, difference(&ours, &reference[&key]));
    }
    let what =
        "`RandomResizedCrop` to a height and a width, with its box given, against torchvision";
    let mut off = Comparison::new(what, "of 255", 1.);
    let (area, ratio) = (20. * 23. / (61. * 47.), 20. / 23.);
    let crop = RandomResizedCrop::new([24, 48]).unwrap().scale(area, area).unwrap();
    let crop = crop.ratio(ratio, ratio).unwrap();
    let seed =
        (0..).find(|&seed| crop.get_params(61, 47, &mut rng(seed)) == (5, 3, 20, 23)).unwrap();
    let ours = bytes(crop.apply(test_image(61, 47).into(), &mut rng(seed)).unwrap());
    let off_by =
        difference(&ours.to_kind(Kind::Float), &reference["resized_crop"].to_kind(Kind::Float));
    assert_eq!(ours.size(), [24, 48, 3]);
    off.add("resized_crop", off_by);
}
