//! Transforms against Pillow and torchvision.

mod common;

use common::{picture, reference};
use d2l::data::transforms::Transform;
use d2l::image::RgbImage;
use d2l::prelude::*;
use rand::SeedableRng;

const SIZES: [(u32, u32); 4] = [(61, 47), (200, 33), (31, 150), (300, 301)];

fn rng(seed: u64) -> d2l::data::Rng {
    d2l::data::Rng::seed_from_u64(seed)
}

fn pixels(image: Image) -> RgbImage {
    match image {
        Image::Pixels(picture) => picture,
        Image::Float(_) => panic!("numbers"),
    }
}

fn bytes(tensor: &Tensor) -> Vec<u8> {
    Vec::<u8>::try_from(tensor.flatten(0, -1)).unwrap()
}

/// The largest difference, and the part of values that differ.
fn compare(ours: &RgbImage, reference: &Tensor) -> (u8, f64) {
    assert_eq!(reference.size(), [i64::from(ours.height()), i64::from(ours.width()), 3]);
    let theirs = bytes(reference);
    let differences: Vec<u8> =
        ours.as_raw().iter().zip(&theirs).map(|(a, b)| a.abs_diff(*b)).collect();
    let differing = differences.iter().filter(|&&d| d > 0).count();
    let largest = differences.iter().max().copied().unwrap_or(0);
    (largest, differing as f64 / theirs.len() as f64)
}

#[test]
fn pictures_are_those_of_the_reference() {
    let reference = reference("transforms");
    for (width, height) in SIZES {
        let key = format!("source/{width}x{height}");
        assert_eq!(compare(&picture(width, height), &reference[&key]), (0, 0.), "{key}");
    }
}

#[test]
fn resize_agrees_with_pillow() {
    let reference = reference("transforms");
    for (width, height) in SIZES {
        let source = || Image::from(picture(width, height));
        let cases = [
            (Resize::new([40, 56]), "40x56"),
            (Resize::new([96, 96]), "96x96"),
            (Resize::new(29), "29"),
        ];
        for (resize, name) in cases {
            let key = format!("resize/{width}x{height}/{name}");
            let ours = pixels(resize.apply(source(), &mut rng(0)).unwrap());
            let (largest, differing) = compare(&ours, &reference[&key]);
            assert!(largest <= 1 && differing < 0.2, "{key}: {largest} {differing}");
        }
    }
}

#[test]
fn center_crop_and_flip_agree_with_torchvision() {
    let reference = reference("transforms");
    for (width, height) in SIZES {
        let source = || Image::from(picture(width, height));
        for size in [24, 52] {
            let key = format!("center_crop/{width}x{height}/{size}");
            let ours = pixels(CenterCrop::new(size).apply(source(), &mut rng(0)).unwrap());
            assert_eq!(compare(&ours, &reference[&key]), (0, 0.), "{key}");
        }
        let key = format!("flip/{width}x{height}");
        let ours = pixels(RandomHorizontalFlip::new(1.).apply(source(), &mut rng(0)).unwrap());
        assert_eq!(compare(&ours, &reference[&key]), (0, 0.), "{key}");
        let kept = RandomHorizontalFlip::new(0.).apply(source(), &mut rng(0)).unwrap();
        assert_eq!(pixels(kept), picture(width, height));
    }
}

/// The box is drawn by chance, so it is drawn from ranges that leave one choice.
#[test]
fn resized_crop_agrees_with_pillow() {
    let reference = reference("transforms");
    for (width, height) in SIZES {
        let (w, h) = (width / 3, height / 2);
        let key = format!("resized_crop/{width}x{height}");
        let area = f64::from(w * h) / f64::from(width * height);
        let ratio = f64::from(w) / f64::from(h);
        let crop = RandomResizedCrop::new(48).scale(area, area).ratio(ratio, ratio);
        let seed =
            (0..).find(|&seed| crop.get_params(width, height, &mut rng(seed)) == (5, 3, w, h));
        let ours = crop.apply(picture(width, height).into(), &mut rng(seed.unwrap())).unwrap();
        let (largest, differing) = compare(&pixels(ours), &reference[&key]);
        assert!(largest <= 1 && differing < 0.2, "{key}: {largest} {differing}");
    }
}

#[test]
fn boxes_are_distributed_as_torchvisions() {
    let reference = reference("transforms");
    let crop = RandomResizedCrop::new(224);
    for (width, height) in [(400, 300), (100, 900)] {
        let mut rng = rng(1);
        let count = 20_000;
        let (mut areas, mut ratios) = (vec![], vec![]);
        for _ in 0..count {
            let (left, top, w, h) = crop.get_params(width, height, &mut rng);
            assert!(left + w <= width && top + h <= height && w > 0 && h > 0);
            areas.push(f64::from(w * h) / f64::from(width * height));
            ratios.push((f64::from(w) / f64::from(h)).ln());
        }
        areas.sort_by(f64::total_cmp);
        ratios.sort_by(f64::total_cmp);
        let expected = &reference[&format!("boxes/{width}x{height}")];
        for (i, quantile) in (1..20).map(|i| f64::from(i) / 20.).enumerate() {
            let place = (quantile * f64::from(count - 1)) as usize;
            let (area, ratio) = (areas[place], ratios[place]);
            // About four standard errors of a quantile of 20 000 draws
            let e = expected.double_value(&[i as i64, 0]);
            assert!((area - e).abs() < 0.02, "area at {quantile}: {area}, torchvision {e}");
            let e = expected.double_value(&[i as i64, 1]);
            assert!((ratio - e).abs() < 0.02, "ratio at {quantile}: {ratio}, torchvision {e}");
        }
    }
}

#[test]
fn numbers_agree_with_torchvision() {
    let steps = compose![ToTensor, Normalize::new([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])];
    let image = steps.apply(picture(61, 47).into(), &mut rng(0)).unwrap();
    let ours = image.to_tensor().unwrap();
    assert!(common::difference(&ours, &reference("transforms")["normalize/61x47"]) < 1e-6);
}

#[test]
fn a_step_in_the_wrong_place_says_where_it_belongs() {
    let numbers = ToTensor.apply(picture(8, 8).into(), &mut rng(0)).unwrap();
    let error = RandomResizedCrop::new(4).apply(numbers, &mut rng(0)).unwrap_err().to_string();
    assert!(error.contains("RandomResizedCrop") && error.contains("before ToTensor"), "{error}");
    let normalize = Normalize::new([0.; 3], [1.; 3]);
    let error = normalize.apply(picture(8, 8).into(), &mut rng(0)).unwrap_err().to_string();
    assert!(error.contains("put ToTensor before"), "{error}");
    let error = Resize::new([0, 5]).apply(picture(8, 8).into(), &mut rng(0)).unwrap_err();
    assert!(error.to_string().contains("Resize"), "{error}");
}
