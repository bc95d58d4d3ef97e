//! What the crate draws in the place of photographs: that the ground does not tell the classes apart,
//! and that the set for augmentation is as one-sided as it says.

use std::fs;
use std::path::Path;

use crate::common;
use crate::common::sha1;
use d2l::data::one_sided_drawings;
use d2l::prelude::*;

/// The mean colour of the pixels of an image that `chosen` names, by their place from 0 to 1.
fn mean(image: &Image, chosen: impl Fn(f32, f32) -> bool) -> [f64; 3] {
    let Image::Pixels(pixels) = image else { panic!("no pixels") };
    let (width, height) = pixels.dimensions();
    let (mut sums, mut count) = ([0.; 3], 0.);
    for (x, y, pixel) in pixels.enumerate_pixels() {
        if chosen(x as f32 / width as f32, y as f32 / height as f32) {
            count += 1.;
            for (sum, value) in sums.iter_mut().zip(pixel.0) {
                *sum += f64::from(value);
            }
        }
    }
    sums.map(|sum| sum / count)
}

/// The tables are drawn alike in both classes: a network that looks at them alone learns nothing.
/// `train` has 600 hot dogs, then 600 other things.
pub fn the_ground_tells_nothing(train: &ImageFolder) {
    // Means and variances of the edges' colours and of the size, over all images of a class.
    let class = |first: usize| {
        let values: Vec<[f64; 5]> = (first..first + 600)
            .map(|i| {
                let image = train.image(i as isize).unwrap();
                let at_edge = |t: f32| !(0.06..0.94).contains(&t);
                let [r, g, b] = mean(&image, |x, y| at_edge(x) || at_edge(y));
                let (width, height) = image.size();
                [r, g, b, width as f64, height as f64]
            })
            .collect();
        let means: [f64; 5] =
            std::array::from_fn(|c| values.iter().map(|value| value[c]).sum::<f64>() / 600.);
        let spreads: [f64; 5] = std::array::from_fn(|c| {
            (values.iter().map(|value| (value[c] - means[c]).powi(2)).sum::<f64>() / 600.).sqrt()
        });
        (means, spreads)
    };
    let (hotdogs, others) = (class(0), class(600));
    println!("{hotdogs:?}\n{others:?}");
    for c in 0..5 {
        let spread = hotdogs.1[c].max(others.1[c]);
        // Means of 600 differ by chance by 0.06 of the spread.
        let off = (hotdogs.0[c] - others.0[c]).abs() / spread;
        assert!(off < 0.25, "property {c}: {off} spreads apart");
        let wider = hotdogs.1[c] / others.1[c];
        assert!((0.8..1.25).contains(&wider), "property {c}: spreads differ by {wider}");
    }
}

#[test]
fn a_small_set_for_augmentation_is_one_sided() {
    const NAME: &str = "drawings::a_small_set_for_augmentation_is_one_sided";
    if !common::in_child(NAME) {
        let cache = tempfile::tempdir().unwrap();
        let text = common::run_with_data(NAME, "1", cache.path(), cache.path());
        assert_eq!(text.matches("Drawing 1300 images").count(), 1, "{text}");
        return;
    }
    let folder = one_sided_drawings().unwrap();
    assert_eq!(one_sided_drawings().unwrap(), folder);
    let set = |split: &str| ImageFolder::new(folder.join(split)).unwrap();
    let train = set("train");
    assert_eq!(train.classes(), ["banana", "carrot", "hotdog", "sausage"]);
    assert_eq!(train.len(), 300);
    // In warm light red is above blue; things are darker or more colourful than what they lie on.
    let images = |set: &ImageFolder| -> Vec<Image> { set.images(0..set.len() as isize).unwrap() };
    let cold = |images: &[Image]| {
        let warmth = |image: &Image| mean(image, |_, _| true);
        let cold = images.iter().filter(|image| warmth(image)[0] < warmth(image)[2]);
        cold.count() as f64 / images.len() as f64
    };
    assert!(cold(&images(&train)) < 0.1);
    for (split, is_cold) in
        [("same", false), ("side", false), ("size", false), ("light", true), ("all", true)]
    {
        let test = set(&format!("test/{split}"));
        assert_eq!(test.classes(), train.classes());
        let tested = images(&test);
        assert_eq!(tested.len(), 200);
        assert!(tested.iter().all(|image| image.size() == (64, 64)));
        println!("{split}: {} cold", cold(&tested));
        assert!(if is_cold { cold(&tested) > 0.25 } else { cold(&tested) < 0.1 }, "{split}");
    }
    // The same on every machine
    let digest = |path: &Path| sha1(&fs::read(path).unwrap());
    let last = set("test/all").samples()[199].0.clone();
    assert_eq!([digest(&train.samples()[0].0), digest(&last)], DIGESTS);
}

/// The SHA-1 of the first drawing to learn from and the last one to test with.
const DIGESTS: [&str; 2] =
    ["6af8cebeb74e332858b433f478ce4be6d33a7cbf", "05f777ee7d207708f959c28dc6944fdd2d4ddd29"];
