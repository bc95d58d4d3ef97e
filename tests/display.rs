//! Figures: what they hold and how large they are.

mod common;

use std::fs;

use common::picture;
use d2l::prelude::*;

/// Runs the test again with a folder for figures and answers the one figure.
fn figure(name: &str) -> Option<String> {
    if common::in_child(name) {
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    let text = common::run_in_child(name, &[("D2L_FIGURE_DIR", folder.path())]);
    assert!(text.contains("figure-1.svg"), "no line names the figure: {text}");
    Some(fs::read_to_string(folder.path().join("figure-1.svg")).unwrap())
}

/// Photograph-like pictures of many sizes, in a grid of 2×8.
#[test]
fn a_grid_is_compact_and_keeps_ratios() {
    let Some(svg) = figure("a_grid_is_compact_and_keeps_ratios") else {
        let images: Vec<Image> =
            (0..16).map(|i| picture(300 + 70 * (i % 5), 900 - 50 * (i % 7)).into()).collect();
        return show_images(&images, 2, 8, 1.4).unwrap();
    };
    assert!(svg.len() < 1_000_000, "{} bytes", svg.len());
    assert!(svg.contains("<title>16 pictures in a grid</title>"));
    let embedded = decode(&svg);
    // A cell is 202 pixels wide; the first picture is 300×900, so white is left and right of it.
    let white = |x: u32, y: u32| embedded.get_pixel(x, y).0.iter().all(|&v| v > 240);
    assert!(white(20, 101) && white(180, 101) && !white(101, 101));
    assert_eq!((embedded.width(), embedded.height()), (8 * 210, 2 * 210));
}

/// The picture inside of a figure.
fn decode(svg: &str) -> d2l::image::RgbImage {
    use base64::Engine;
    let data = svg.split("base64,").nth(1).unwrap().split('"').next().unwrap();
    let bytes = base64::engine::general_purpose::STANDARD.decode(data).unwrap();
    d2l::image::load_from_memory(&bytes).unwrap().into_rgb8()
}

#[test]
fn titles_are_text_and_escaped() {
    let Some(svg) = figure("titles_are_text_and_escaped") else {
        let image = Image::from(picture(30, 30));
        return show_images_with_titles(&[image], 1, 1, &["ホットドッグ <b> & c"], 2.).unwrap();
    };
    assert!(svg.contains("ホットドッグ &lt;b&gt; &amp; c</text>"), "{svg}");
}

#[test]
fn normalised_pictures_are_shown_in_their_colours() {
    const NAME: &str = "normalised_pictures_are_shown_in_their_colours";
    let Some(svg) = figure(NAME) else {
        let image = d2l::image::RgbImage::from_pixel(64, 64, d2l::image::Rgb([200, 100, 50]));
        let normalize = Normalize::new([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]);
        let set = tempfile::tempdir().unwrap();
        fs::create_dir_all(set.path().join("a")).unwrap();
        image.save(set.path().join("a/1.png")).unwrap();
        let folder = ImageFolder::with_transform(set.path(), &compose![ToTensor, normalize]);
        return show_images(&[folder.unwrap().get(0).unwrap().0], 1, 1, 1.).unwrap();
    };
    let pixel = decode(&svg).get_pixel(72, 72).0;
    let near = pixel.iter().zip([200, 100, 50]).all(|(&a, b)| a.abs_diff(b) <= 3);
    assert!(near, "{pixel:?}");
}

#[test]
fn too_few_places_are_an_error() {
    let images: Vec<Image> = (0..5).map(|_| picture(8, 8).into()).collect();
    let error = show_images(&images, 2, 2, 1.5).unwrap_err().to_string();
    assert!(error.contains("5 pictures") && error.contains("2 × 2"), "{error}");
    assert!(show_images(&images, 0, 8, 1.5).is_err());
    for scale in [0., -1., f64::NAN, 1e9] {
        assert!(show_images(&images, 1, 5, scale).is_err(), "{scale}");
    }
}

#[test]
fn curves_have_names_limits_and_gaps() {
    let mut animator = Animator::new("epoch", &["loss <1>", "accuracy"]).xlim(1., 5.).ylim(0., 1.);
    let empty = animator.figure().unwrap();
    animator.add(1., &[Some(0.9), None]);
    animator.add(2., &[Some(0.5), Some(f64::NAN)]);
    animator.add(3., &[Some(0.2), Some(0.8)]);
    let figure = animator.figure().unwrap();
    assert!(figure.svg().contains("loss &lt;1&gt;") && figure.svg().contains("epoch"));
    assert!(figure.svg().matches("<polyline").count() > empty.svg().matches("<polyline").count());
    // One point of a curve is a dot.
    assert!(figure.svg().contains("<circle"));
    let path = tempfile::tempdir().unwrap();
    assert!(figure.save(path.path().join("no/such/folder.svg")).is_err());
    figure.save(path.path().join("curves.svg")).unwrap();
    assert_eq!(fs::read_to_string(path.path().join("curves.svg")).unwrap(), figure.svg());
}

#[test]
fn a_curve_of_one_value_can_be_drawn() {
    let mut animator = Animator::new("x", &["y"]);
    animator.figure().unwrap();
    animator.add(2., &[Some(3.)]);
    animator.figure().unwrap();
    Animator::new("x", &["y"]).xlim(1., 1.).ylim(2., 1.).figure().unwrap();
}

#[test]
fn apply_shows_what_a_transform_makes_several_times() {
    let Some(svg) = figure("apply_shows_what_a_transform_makes_several_times") else {
        return apply(&picture(60, 40).into(), &RandomVerticalFlip::new(0.5), 2, 4, 1.5).unwrap();
    };
    assert!(svg.contains("<title>8 pictures in a grid</title>"));
}
