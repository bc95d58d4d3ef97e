//! Transforms against Pillow and torchvision.

use crate::common;
use crate::common::report::{Comparison, refused};
use crate::common::{reference, test_image};
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
        Image::Pixels(pixels) => pixels,
        Image::Float(_) => panic!("numbers"),
    }
}

fn bytes(tensor: &Tensor) -> Vec<u8> {
    Vec::<u8>::try_from(tensor.flatten(0, -1)).unwrap()
}

/// Compares pixels: the largest difference, and the fraction of values that differ at all.
fn compare(
    ours: &RgbImage,
    theirs: &Tensor,
    case: &str,
    largest: &mut Comparison,
    differing: &mut Comparison,
) {
    assert_eq!(theirs.size(), [i64::from(ours.height()), i64::from(ours.width()), 3], "{case}");
    let theirs = bytes(theirs);
    let off: Vec<u8> = ours.as_raw().iter().zip(&theirs).map(|(a, b)| a.abs_diff(*b)).collect();
    largest.add(case, off.iter().max().copied().unwrap_or(0).into());
    let count = off.iter().filter(|&&off| off > 0).count();
    differing.add(case, 100. * count as f64 / theirs.len() as f64);
}

#[test]
fn test_images_are_those_of_the_reference() {
    let reference = reference("transforms");
    for (width, height) in SIZES {
        let key = format!("source/{width}x{height}");
        assert_eq!(test_image(width, height).as_raw(), &bytes(&reference[&key]), "{key}");
    }
}

/// vision#2950: with antialiasing, as in Pillow.
#[test]
fn resize_agrees_with_pillow() {
    let reference = reference("transforms");
    let mut largest = Comparison::new("`Resize`, against torchvision on Pillow", "of 255", 1.);
    let mut differing =
        Comparison::new("`Resize`, values that differ from Pillow's at all", "%", 1.);
    for (width, height) in SIZES {
        for (resize, name) in [
            (Resize::new([40, 56]).unwrap(), "40x56"),
            (Resize::new([96, 96]).unwrap(), "96x96"),
            (Resize::new([1, 1]).unwrap(), "1x1"),
            (Resize::new([height, 300]).unwrap(), "wide"),
            (Resize::new([300, width]).unwrap(), "tall"),
            (Resize::new(29).unwrap(), "29"),
            (Resize::new(311).unwrap(), "311"),
        ] {
            let key = format!("resize/{width}x{height}/{name}");
            let ours = pixels(resize.apply(test_image(width, height).into(), &mut rng(0)).unwrap());
            compare(&ours, &reference[&key], &key, &mut largest, &mut differing);
        }
    }
}

#[test]
fn center_crop_and_flip_agree_with_torchvision() {
    let reference = reference("transforms");
    let what = "`CenterCrop`, `RandomHorizontalFlip`, `RandomVerticalFlip`, against torchvision";
    let mut exact = Comparison::new(what, "of 255", 0.);
    let mut compare = |ours: Image, key: String| {
        let off = bytes(&reference[&key]) != *pixels(ours).as_raw();
        exact.add(&key, f64::from(u8::from(off)));
    };
    for (width, height) in SIZES {
        let source = || Image::from(test_image(width, height));
        for size in [1, 24, 52, 101] {
            let ours = CenterCrop::new(size).unwrap().apply(source(), &mut rng(0)).unwrap();
            compare(ours, format!("center_crop/{width}x{height}/{size}"));
        }
        let ours = RandomHorizontalFlip::new(1.).unwrap().apply(source(), &mut rng(0)).unwrap();
        compare(ours, format!("flip/{width}x{height}"));
        let ours = RandomVerticalFlip::new(1.).unwrap().apply(source(), &mut rng(0)).unwrap();
        compare(ours, format!("vertical_flip/{width}x{height}"));
        let kept = RandomHorizontalFlip::new(0.).unwrap().apply(source(), &mut rng(0)).unwrap();
        assert_eq!(pixels(kept), test_image(width, height));
    }
}

/// The box is random, so it is drawn from ranges that leave one choice.
#[test]
fn resized_crop_agrees_with_pillow() {
    let reference = reference("transforms");
    let what = "`RandomResizedCrop` with its box given, against torchvision on Pillow";
    let mut largest = Comparison::new(what, "of 255", 1.);
    let what = "`RandomResizedCrop` with its box given, values that differ from Pillow's at all";
    let mut differing = Comparison::new(what, "%", 1.);
    for (width, height) in SIZES {
        let (w, h) = (width / 3, height / 2);
        let key = format!("resized_crop/{width}x{height}");
        let area = f64::from(w * h) / f64::from(width * height);
        let ratio = f64::from(w) / f64::from(h);
        let crop = RandomResizedCrop::new(48)
            .unwrap()
            .scale(area, area)
            .unwrap()
            .ratio(ratio, ratio)
            .unwrap();
        let seed =
            (0..).find(|&seed| crop.get_params(width, height, &mut rng(seed)) == (5, 3, w, h));
        let ours = crop.apply(test_image(width, height).into(), &mut rng(seed.unwrap())).unwrap();
        compare(&pixels(ours), &reference[&key], &key, &mut largest, &mut differing);
    }
}

/// vision#618: ratios are drawn on a logarithmic scale; where no box fits, the central one is taken.
#[test]
fn boxes_are_distributed_as_torchvisions() {
    let reference = reference("transforms");
    let what = "`RandomResizedCrop`'s boxes, 20 000 draws: Kolmogorov-Smirnov distance from \
                torchvision's area and log-ratio, at 19 quantiles";
    // Exceeded randomly once in a thousand times: 1.95 √(2 / 20 000)
    let mut distance = Comparison::new(what, "of probability", 0.0195);
    let crop = RandomResizedCrop::new(224).unwrap();
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
            for (column, (name, ours)) in [("area", &areas), ("ratio", &ratios)].iter().enumerate()
            {
                let value = expected.double_value(&[i as i64, column as i64]);
                // Many draws may have this very value.
                let part = |end: f64| ours.partition_point(|&x| x < end) as f64 / ours.len() as f64;
                let (below, up_to) = (part(value - 1e-9), part(value + 1e-9));
                let off = (below - quantile).max(quantile - up_to).max(0.);
                distance.add(&format!("{width}x{height}, {name} at {quantile}"), off);
            }
        }
    }
}

/// Images so tall or so wide that none of ten boxes fits.
#[test]
fn the_box_from_the_middle_is_torchvisions() {
    let reference = reference("transforms");
    let what = "`RandomResizedCrop`'s box where none fits";
    let mut exact = Comparison::new(what, "pixels", 0.);
    for (width, height) in [(1000, 1), (1, 1000), (997, 3), (3, 997)] {
        let crop = RandomResizedCrop::new(8).unwrap().scale(1., 1.).unwrap();
        let (left, top, w, h) = crop.get_params(width, height, &mut rng(0));
        let key = format!("fallback/{width}x{height}");
        let theirs = Vec::<i64>::try_from(&reference[&key]).unwrap();
        let ours = [top, left, h, w].map(i64::from);
        let off = ours.iter().zip(&theirs).map(|(a, b)| (a - b).abs()).max().unwrap_or(0);
        exact.add(&key, off as f64);
    }
}

#[test]
fn numbers_agree_with_torchvision() {
    let steps =
        compose![ToTensor, Normalize::new([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]).unwrap()];
    let image = steps.apply(test_image(61, 47).into(), &mut rng(0)).unwrap();
    let what = "`ToTensor` and `Normalize`, against torchvision";
    let mut off = Comparison::new(what, "", 1e-6);
    let theirs = &reference("transforms")["normalize/61x47"];
    off.add("61x47", common::difference(&image.to_tensor().unwrap(), theirs));
}

#[test]
fn a_transform_in_the_wrong_place_says_where_it_belongs() {
    let numbers = ToTensor.apply(test_image(8, 8).into(), &mut rng(0)).unwrap();
    let error = RandomResizedCrop::new(4).unwrap().apply(numbers, &mut rng(0)).unwrap_err();
    let text = refused("a transform for pixels after `ToTensor`", "RandomResizedCrop", &error);
    assert!(text.contains("before ToTensor"), "{text}");
    let normalize = Normalize::new([0.; 3], [1.; 3]).unwrap();
    let error = normalize.apply(test_image(8, 8).into(), &mut rng(0)).unwrap_err();
    let text = refused("`Normalize` without `ToTensor`", "Normalize", &error);
    assert!(text.contains("put ToTensor before"), "{text}");
}

#[test]
fn impossible_sizes_are_errors() {
    let apply = |step: &dyn Transform, image: RgbImage| {
        step.apply(image.into(), &mut rng(0)).unwrap_err().to_string()
    };
    for refused_size in [Resize::new([0, 5]), Resize::new([5, 0]), Resize::new(0)] {
        refused("`Resize` to nothing", "Resize", &refused_size.unwrap_err());
    }
    for step in [Resize::new([u32::MAX, u32::MAX]).unwrap(), Resize::new([1, u32::MAX]).unwrap()] {
        let error = apply(&step, test_image(8, 8));
        refused("`Resize` to more than memory holds", "pixels or fewer", &error);
    }
    // A strip: its longer edge would be in proportion.
    let error = apply(&Resize::new(60_000).unwrap(), test_image(1, 90));
    refused("`Resize` of a long strip by its shorter edge", "pixels or fewer", &error);
    let error = apply(&CenterCrop::new(u32::MAX).unwrap(), test_image(8, 8));
    refused("`CenterCrop` to more than memory holds", "CenterCrop", &error);
}

#[test]
fn colours_are_pillows() {
    let reference = reference("transforms");
    let what = "brightness, contrast, saturation and hue, against torchvision on Pillow";
    let mut exact = Comparison::new(what, "of 255", 0.);
    type Adjust = fn(Image, f64) -> Result<Image>;
    let kinds: [(&str, Adjust, &[f64]); 4] = [
        ("brightness", adjust_brightness, &[0., 0.35, 1., 1.7]),
        ("contrast", adjust_contrast, &[0., 0.35, 1., 1.7]),
        ("saturation", adjust_saturation, &[0., 0.35, 1., 1.7]),
        ("hue", adjust_hue, &[-0.5, -0.21, 0., 0.1, 0.5]),
    ];
    for (width, height) in [(61, 47), (31, 150)] {
        for (kind, adjust, factors) in kinds {
            for &factor in factors {
                let key = format!("{kind}/{width}x{height}/{factor:?}");
                let ours = pixels(adjust(test_image(width, height).into(), factor).unwrap());
                let theirs = bytes(&reference[&key]);
                let off = ours.as_raw().iter().zip(&theirs).map(|(a, b)| a.abs_diff(*b)).max();
                exact.add(&key, off.unwrap_or(0).into());
            }
        }
    }
}

/// Each property is changed within its bounds and alone, and the order changes.
#[test]
fn colour_jitter_stays_within_its_bounds() {
    let grey = || Image::from(RgbImage::from_pixel(4, 4, d2l::image::Rgb([100; 3])));
    let values = |augs: ColorJitter| -> Vec<u8> {
        let each = |seed| pixels(augs.apply(grey(), &mut rng(seed)).unwrap()).get_pixel(0, 0).0[0];
        (0..200).map(each).collect()
    };
    let lights = values(ColorJitter::new(0.5, 0., 0., 0.).unwrap());
    assert!(lights.iter().all(|light| (50..=150).contains(light)), "{lights:?}");
    assert!(lights.iter().any(|&light| light < 60) && lights.iter().any(|&light| light > 140));
    // Grey has no colours to change, and is its own mean.
    for augs in
        [ColorJitter::new(0., 0., 0.9, 0.5).unwrap(), ColorJitter::new(0., 0.9, 0., 0.).unwrap()]
    {
        assert!(values(augs).iter().all(|&light| light == 100));
    }
    let untouched =
        ColorJitter::new(0., 0., 0., 0.).unwrap().apply(test_image(61, 47).into(), &mut rng(1));
    assert_eq!(pixels(untouched.unwrap()), test_image(61, 47));
}

#[test]
fn impossible_colours_are_errors() {
    for (augs, named) in [
        (ColorJitter::new(-0.1, 0., 0., 0.), "brightness -0.1"),
        (ColorJitter::new(0., f64::NAN, 0., 0.), "contrast NaN"),
        (ColorJitter::new(0., 0., f64::INFINITY, 0.), "saturation inf"),
        (ColorJitter::new(0., 0., 0., 0.6), "hue 0.6"),
    ] {
        refused("an impossible `ColorJitter`", named, &augs.unwrap_err());
    }
    let error = adjust_hue(test_image(61, 47).into(), 0.7).unwrap_err();
    refused("a hue shifted by more than half a circle", "0.7", &error);
    let error = adjust_brightness(test_image(61, 47).into(), -1.).unwrap_err();
    refused("a negative brightness", "-1", &error);
}

/// C26: impossible values are errors that name the transform, where it is made.
#[test]
fn impossible_transforms_are_errors() {
    let normalize = |mean, std| Normalize::new([0.5, mean, 0.5], [0.2, 0.2, std]).map(drop);
    let crop = || RandomResizedCrop::new(4).unwrap();
    for (step, name, found) in [
        (normalize(0., 0.), "Normalize", "0.0]"),
        (normalize(0., f32::NAN), "Normalize", "NaN"),
        (normalize(0., f32::INFINITY), "Normalize", "inf"),
        (normalize(f32::NAN, 1.), "Normalize", "NaN"),
        (RandomHorizontalFlip::new(50.).map(drop), "RandomHorizontalFlip", "50"),
        (RandomHorizontalFlip::new(-0.1).map(drop), "RandomHorizontalFlip", "-0.1"),
        (RandomVerticalFlip::new(f64::NAN).map(drop), "RandomVerticalFlip", "NaN"),
        (RandomVerticalFlip::new(1.1).map(drop), "RandomVerticalFlip", "1.1"),
        (crop().scale(0.5, 0.1).map(drop), "RandomResizedCrop", "scale from 0.5 to 0.1"),
        (crop().scale(0., 1.).map(drop), "RandomResizedCrop", "scale from 0 to 1"),
        (crop().scale(f64::NAN, 1.).map(drop), "RandomResizedCrop", "scale from NaN"),
        (crop().ratio(2., 0.5).map(drop), "RandomResizedCrop", "ratio from 2 to 0.5"),
        (crop().ratio(-1., 1.).map(drop), "RandomResizedCrop", "ratio from -1"),
        (crop().ratio(0., 1.).map(drop), "RandomResizedCrop", "ratio from 0"),
        (crop().ratio(1., f64::INFINITY).map(drop), "RandomResizedCrop", "ratio from 1 to inf"),
        (RandomResizedCrop::new(0).map(drop), "RandomResizedCrop", "size of 0"),
        (RandomResizedCrop::new([4, 0]).map(drop), "RandomResizedCrop", "size of 0"),
        (CenterCrop::new(0).map(drop), "CenterCrop", "size of 0"),
        (CenterCrop::new([0, 4]).map(drop), "CenterCrop", "size of 0"),
    ] {
        let text = refused("a transform with impossible values", name, &step.unwrap_err());
        assert!(text.contains(found), "{text}");
    }
    let nothing = RgbImage::new(0, 0);
    assert!(crop().apply(nothing.into(), &mut rng(0)).is_err());
    // What torchvision takes is taken.
    let numbers = ToTensor.apply(test_image(8, 8).into(), &mut rng(0)).unwrap();
    Normalize::new([0.; 3], [-1.; 3]).unwrap().apply(numbers, &mut rng(0)).unwrap();
    crop().scale(1., 2.).unwrap().apply(test_image(8, 8).into(), &mut rng(0)).unwrap();
}

/// Steps print as torchvision's.
#[test]
fn steps_print_as_torchvisions() {
    let jitter = ColorJitter::new(0.5, 0., 0., 0.1).unwrap();
    let normalize = Normalize::new([0.5, 0.25, 0.], [1.; 3]).unwrap();
    let crop = RandomResizedCrop::new([48, 64]).unwrap();
    for (step, text) in [
        (&CenterCrop::new(224).unwrap() as &dyn Transform, "CenterCrop(size=(224, 224))"),
        (&Resize::new(256).unwrap(), "Resize(size=256)"),
        (&Resize::new([256, 300]).unwrap(), "Resize(size=[256, 300])"),
        (&crop, "RandomResizedCrop(size=(48, 64), scale=(0.08, 1), ratio=(0.75, 1.3333))"),
        (&RandomHorizontalFlip::default(), "RandomHorizontalFlip(p=0.5)"),
        (&RandomVerticalFlip::new(1.).unwrap(), "RandomVerticalFlip(p=1)"),
        (&jitter, "ColorJitter(brightness=0.5, contrast=0, saturation=0, hue=0.1)"),
        (&normalize, "Normalize(mean=[0.5, 0.25, 0.0], std=[1.0, 1.0, 1.0])"),
        (&compose![ToTensor, normalize], "Compose(ToTensor(), Normalize("),
    ] {
        assert!(format!("{step:?}").starts_with(text), "{step:?}");
    }
}
