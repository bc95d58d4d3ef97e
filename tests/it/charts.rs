//! Figures: what is drawn where, what they say to those who hear them, and what they refuse.

use crate::common;
use crate::common::report::refused;
use crate::common::test_image;
use d2l::display::BBox;
use d2l::image::{Rgb, RgbImage};
use d2l::prelude::*;

type Point = (f64, f64);

const NAMES: [&str; 3] = ["train loss", "train acc", "test acc"];

/// A training whose loss falls from the first value to the last.
fn training(losses: &[f64]) -> Animator {
    let mut animator = Animator::new("epoch", &NAMES).xlim(0., losses.len() as f64).ylim(0., 1.);
    for (epoch, &loss) in (1..).zip(losses) {
        for part in 1..=5 {
            let x = f64::from(epoch - 1) + f64::from(part) / 5.;
            animator.add(x, &[Some(loss), Some(0.5 + 0.04 * x), None]);
        }
        animator.add(f64::from(epoch), &[None, None, Some(0.6 + 0.05 * f64::from(epoch))]);
    }
    animator
}

/// A tag's attribute, a length in screen pixels.
fn attribute(tag: &str, name: &str) -> f64 {
    let value = tag.split(&format!(" {name}=\"")).nth(1).unwrap().split('"').next().unwrap();
    value.parse::<f64>().unwrap() / 10.
}

/// All texts of a figure that plotters has drawn, with their places.
fn texts(svg: &str) -> Vec<(Point, String)> {
    let text = |part: &str| {
        let (tag, rest) = part.split_once('>').unwrap();
        let text = rest.split("</text>").next().unwrap().trim().to_string();
        ((attribute(tag, "x"), attribute(tag, "y")), text)
    };
    svg.split("<text").skip(1).map(text).collect()
}

fn place(svg: &str, text: &str) -> Point {
    let all = texts(svg);
    all.iter().find(|(_, other)| other == text).unwrap_or_else(|| panic!("{text}: {all:?}")).0
}

/// The points of the lines in a colour, the samples beside the names among them.
fn points(svg: &str, colour: &str) -> Vec<Point> {
    let lines = svg.split("<polyline").filter(|line| line.contains(colour));
    let text = lines.map(|line| line.split("points=\"").nth(1).unwrap().split('"').next().unwrap());
    let pair = |pair: &str| {
        let (x, y) = pair.split_once(',').unwrap();
        (x.parse::<f64>().unwrap() / 10., y.parse::<f64>().unwrap() / 10.)
    };
    text.flat_map(|text| text.split_whitespace().map(pair)).collect()
}

const BLUE: &str = "#0072B2";
const ORANGE: &str = "#D55E00";
const GREEN: &str = "#009E73";

/// A loss of 2.3 was drawn as 1.0 below an accuracy's limit: it has an axis of its own.
#[test]
fn losses_are_drawn_above_the_others() {
    let svg = training(&[2.3, 1.9, 1.7]).figure().unwrap().svg().to_string();
    let (loss, accuracy) = (points(&svg, BLUE), points(&svg, ORANGE));
    let lowest = |points: &[Point]| points.iter().map(|point| point.1).fold(0., f64::max);
    let highest = |points: &[Point]| points.iter().map(|point| point.1).fold(1e9, f64::min);
    assert!(lowest(&loss) < highest(&accuracy), "{loss:?} {accuracy:?}");
    // The three heights of the loss are three heights, in the ratio of the values.
    let heights: Vec<f64> = [2.3, 1.9, 1.7]
        .iter()
        .zip([0.4, 1.4, 2.4])
        .map(|(_, x)| {
            let near = |point: &&Point| (point.0 - along(&svg, x)).abs() < 0.2;
            loss.iter().find(near).unwrap_or_else(|| panic!("{x}: {loss:?}")).1
        })
        .collect();
    let ratio = (heights[1] - heights[0]) / (heights[2] - heights[1]);
    assert!((ratio - 2.).abs() < 0.05, "{heights:?}");
    // All on one axis, if the reader wants that; then the limits hold for the loss, too.
    let one = training(&[2.3, 1.9, 1.7]).above(&[]).figure().unwrap().svg().to_string();
    assert_eq!(points(&one, BLUE).len(), 2, "a loss above 1 was drawn: {:?}", points(&one, BLUE));
    assert!(texts(&one).len() < texts(&svg).len());
    // And others above, if wanted.
    let other = training(&[0.3]).above(&["test acc"]).figure().unwrap().svg().to_string();
    assert!(lowest(&points(&other, GREEN)) < highest(&points(&other, BLUE)));
    let error = training(&[0.3]).above(&["test_acc"]).figure().unwrap_err();
    refused("a curve that is not there, above the others", "test_acc", &error);
}

/// Where an epoch is, by the marks' labels.
fn along(svg: &str, epoch: f64) -> f64 {
    let (zero, one) = (label(svg, "0"), label(svg, "1"));
    zero + (one - zero) * epoch
}

/// Where a mark of the horizontal axis is: its label is the lowest of this text.
fn label(svg: &str, text: &str) -> f64 {
    let same = texts(svg).into_iter().filter(|(_, other)| other == text);
    same.max_by(|a, b| a.0.1.total_cmp(&b.0.1)).unwrap_or_else(|| panic!("{text}: {svg}")).0.0
}

#[test]
fn a_loss_that_spans_a_decade_has_a_log_axis() {
    let log = training(&[5., 0.5, 0.05]).figure().unwrap().svg().to_string();
    let heights: Vec<f64> = [0.4, 1.4, 2.4]
        .map(|x| along(&log, x))
        .iter()
        .map(|x| points(&log, BLUE).iter().find(|point| (point.0 - x).abs() < 0.2).unwrap().1)
        .collect();
    assert!((heights[1] - heights[0] - (heights[2] - heights[1])).abs() < 0.3, "{heights:?}");
    // Otherwise it begins at 0, and with "linear" always.
    let linear = training(&[5., 0.5, 0.05]).yscale("linear").figure().unwrap().svg().to_string();
    let near = training(&[0.9, 0.5]).figure().unwrap().svg().to_string();
    for svg in [linear, near] {
        let zeros = texts(&svg).into_iter().filter(|(_, text)| text == "0.0" || text == "0");
        assert_eq!(zeros.filter(|((x, _), _)| *x < 40.).count(), 2, "{svg}");
    }
    // Values that have no logarithm are no reason for one, and are left out of one.
    assert!(training(&[5., 0., 1.]).figure().is_ok() && training(&[5., -1.]).figure().is_ok());
    assert!(training(&[5., 0., -1.]).yscale("log").figure().is_ok());
}

/// Equal factors are equally far apart, for curves, marks and error bars.
#[test]
fn a_log_axis_shows_rates_evenly() {
    let mut sweep = Animator::new("learning rate", &["test acc"]).xscale("log").xlim(1e-6, 1e-2);
    for rate in [1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0., -1.] {
        sweep.add(rate, &[Some(0.5)]);
    }
    let svg = sweep.figure().unwrap().svg().to_string();
    let at: Vec<f64> =
        ["1e-6", "1e-5", "1e-4", "1e-3", "0.01"].map(|text| label(&svg, text)).into();
    for three in at.windows(3) {
        assert!((three[2] - three[1] - (three[1] - three[0])).abs() < 0.2, "{at:?}");
    }
    let curve = points(&svg, BLUE);
    for (point, mark) in curve.iter().zip(&at) {
        assert!((point.0 - mark).abs() < 0.2, "{curve:?} {at:?}");
    }
    // The rates that were tried are the marks; of many, powers of ten are.
    let mut tried = Animator::new("learning rate", &["test acc"]).xscale("log");
    for rate in [5e-6, 2e-5, 8e-5, 3.2e-4, 2e-5 * 64.] {
        tried.add(rate, &[Some(0.5)]);
    }
    let svg = tried.figure().unwrap().svg().to_string();
    for rate in ["5e-6", "2e-5", "8e-5", "3.2e-4", "1.28e-3"] {
        label(&svg, rate);
    }
    (1..100).for_each(|i| tried.add(1e-7 * f64::from(i), &[Some(0.5)]));
    label(tried.figure().unwrap().svg(), "1e-7");
    // Half a decade has marks, too.
    for (low, high) in [(0.002, 0.004), (1., 1.), (0.9, 1.1), (1e-300, 1e300), (7., 71.)] {
        let svg = Animator::new("x", &["y"]).xscale("log").xlim(low, high).figure().unwrap();
        let marks = texts(svg.svg()).into_iter().filter(|((_, y), _)| *y > 260. && *y < 280.);
        assert!((2..=8).contains(&marks.count()), "{low} to {high}: {}", svg.svg());
    }
    for (low, high) in [(0., 1.), (-1., 1.), (1., 0.), (1., f64::INFINITY), (f64::NAN, 1.)] {
        for axis in ["xlim", "ylim"] {
            let one = Animator::new("x", &["y"]);
            let one = match axis {
                "xlim" => one.xscale("log").xlim(low, high),
                _ => one.yscale("log").ylim(low, high),
            };
            let what = format!("a logarithmic axis from {low} to {high}");
            refused(&what, axis, &one.figure().unwrap_err());
        }
    }
    let error = Animator::new("x", &["y"]).xscale("logarithmic").figure().unwrap_err();
    refused("a scale that there is not", "xscale", &error);
    let error = Animator::new("x", &["y"]).yscale("Log").figure().unwrap_err();
    refused("a scale that there is not, of the vertical axis", "yscale", &error);
}

#[test]
fn each_epoch_has_a_mark() {
    for epochs in [1, 2, 5, 10] {
        let svg = training(&vec![0.5; epochs]).figure().unwrap().svg().to_string();
        let lowest = texts(&svg).iter().map(|text| text.0.1).fold(0., f64::max);
        let mut marks: Vec<i64> = texts(&svg)
            .into_iter()
            .filter(|((_, y), _)| (10. ..25.).contains(&(lowest - y)))
            .map(|(_, text)| text.parse().unwrap_or_else(|_| panic!("{text}")))
            .collect();
        marks.sort();
        assert_eq!(marks, (0..=epochs as i64).collect::<Vec<_>>());
    }
    let svg = training(&[0.5; 40]).figure().unwrap().svg().to_string();
    assert!(texts(&svg).iter().any(|text| text.1 == "40") && !svg.contains("\n39\n"));
}

/// The test accuracy is measured once an epoch: a line alone would say more than is known.
#[test]
fn few_points_are_marked() {
    let dots = |svg: &str, colour: &str| {
        let circles = svg.split("<circle").skip(1);
        circles.filter(|circle| circle.contains(&format!(r#"fill="{colour}""#))).count()
    };
    let svg = training(&[0.5; 5]).figure().unwrap().svg().to_string();
    assert_eq!((dots(&svg, GREEN), dots(&svg, ORANGE), dots(&svg, BLUE)), (5, 0, 0));
    assert!(svg.contains("<title>test acc, epoch 2: 0.700</title>"), "{svg}");
}

/// No name is over a curve, none over another, and none outside of the figure, in both languages.
#[test]
fn names_stand_beside_the_plot() {
    let long = "とても長い名前の曲線".repeat(9);
    let japanese = ["訓練損失", "訓練正解率", "テスト正解率", long.as_str()];
    for names in [&["a", "b", "c", "train acc, augmented"], &japanese] {
        for values in [[0.5; 4], [0., 0.01, 0.02, 0.03], [1., 0.99, 1., 7.]] {
            let mut animator = Animator::new("epoch", names).ylim(0., 1.).above(&[]);
            animator.add(0., &[Some(0.5); 4]);
            animator.add(1., &values.map(Some));
            let svg = animator.figure().unwrap().svg().to_string();
            let right = points(&svg, BLUE)[1].0;
            let mut heights = vec![];
            for (i, name) in names.iter().enumerate() {
                let start: String = name.chars().take(4).collect();
                let (at, text) =
                    texts(&svg).into_iter().find(|text| text.1.starts_with(&start)).unwrap();
                assert!(at.0 > right + 10., "{text} at {at:?}, the plot ends at {right}");
                let wide = |c: char| if c.is_ascii() { 0.55 } else { 1. };
                let width: f64 = text.chars().map(|c| 12. * wide(c)).sum();
                assert!(at.0 + width < 560., "{text} at {at:?} is {width} wide");
                let end = if text.contains('…') { i == 3 } else { text.starts_with(name) };
                assert!(end, "{text}");
                heights.push(at.1);
            }
            heights.sort_by(f64::total_cmp);
            assert!(heights.windows(2).all(|two| two[1] - two[0] > 12.), "{heights:?}");
            assert!(heights[0] > 12. && heights[3] < 300., "{heights:?}");
        }
    }
    // As many as there may be
    let names: Vec<String> = (0..60).map(|i| format!("curve {i}")).collect();
    let mut many = Animator::new("x", &names);
    many.add(1., &[Some(1.); 60]);
    let svg = many.figure().unwrap().svg().to_string();
    let mut heights: Vec<f64> =
        names.iter().map(|name| place(&svg, &format!("{name} 1.000")).1).collect();
    heights.sort_by(f64::total_cmp);
    assert!(heights.windows(2).all(|two| two[1] - two[0] > 3.) && heights[59] < 300.);
}

#[test]
fn curves_are_told_to_those_who_hear_them() {
    let figure = training(&[0.5, 0.3]).title("<hot dogs>").figure().unwrap();
    let label = figure.svg().split("aria-label=\"").nth(1).unwrap().split('"').next().unwrap();
    let ends = "train loss ends at 0.300, train acc ends at 0.580, test acc ends at 0.700";
    assert_eq!(label, format!("&lt;hot dogs&gt;, over epoch: {ends}"));
    assert!(figure.svg().contains(r#"role="img""#));
    // As wide as the page, at most
    assert!(figure.svg().contains("max-width:100%"));
    let empty = Animator::new("epoch", &["test acc"]).figure().unwrap();
    assert!(empty.svg().contains("test acc has no points"));
}

#[test]
fn error_bars_reach_as_far_as_the_error() {
    let mut animator = Animator::new("x", &["0", "1"]).xlim(0., 4.).ylim(0., 1.);
    animator.errorbar(1., &[Some((0.5, 0.25)), None]);
    animator.errorbar(2., &[Some((0.9, -0.3)), Some((f64::NAN, 0.1))]);
    animator.errorbar(3., &[Some((0.5, f64::INFINITY)), None]);
    let svg = animator.figure().unwrap().svg().to_string();
    assert!(svg.contains("0 ends at 0.500, 1 has no points"), "{svg}");
    let height = |value: f64| 254. + (12. - 254.) * value;
    let at = |x: f64| label(&svg, "0") + (label(&svg, "1") - label(&svg, "0")) * x;
    let of_bar = |x: f64| -> (f64, f64) {
        let near = points(&svg, BLUE).into_iter().filter(|point| (point.0 - at(x)).abs() < 5.);
        let heights: Vec<f64> = near.map(|point| point.1).collect();
        (heights.iter().copied().fold(0., f64::max), heights.iter().copied().fold(1e9, f64::min))
    };
    let near = |a: (f64, f64), b: (f64, f64)| (a.0 - b.0).abs() < 0.2 && (a.1 - b.1).abs() < 0.2;
    assert!(near(of_bar(1.), (height(0.25), height(0.75))), "{:?}", of_bar(1.));
    // Cut at the axis, not moved
    assert!(near(of_bar(2.), (height(0.6), height(1.))), "{:?}", of_bar(2.));
    assert!(near(of_bar(3.), (height(0.5), height(0.5))), "{:?}", of_bar(3.));
}

fn images(count: u32) -> Vec<Image> {
    (0..count).map(|i| test_image(40 + i, 30).into()).collect()
}

#[test]
fn a_grid_has_titles_of_rows_and_colours() {
    let grid = ImageGrid::new(images(4), 2, 2).unwrap().titles(&["a", "", "c", "<d>"]);
    let figure =
        grid.row_titles(&["hotdog", "それ以外"]).colors(&["", "", "red", "g"]).figure().unwrap();
    let svg = figure.svg();
    for (text, colour) in [("hotdog", "#262626"), ("それ以外", "#262626"), ("a", "#262626")] {
        assert!(svg.contains(&format!(r#"fill="{colour}">{text}</text>"#)), "{text}: {svg}");
    }
    assert!(svg.contains(r##"fill="#994300">c</text>"##), "{svg}");
    assert!(svg.contains(r##"fill="#007152">&lt;d&gt;</text>"##), "{svg}");
    assert!(svg.contains("max-width:100%;height:auto"));
    assert!(
        svg.contains(
            "<title>4 images in a grid; rows: hotdog, それ以外; titles: a, , c, &lt;d&gt;"
        )
    );
    // Rows of landscapes are not as high as they are wide.
    let height = |svg: &str| {
        svg.split(" height=\"").nth(1).unwrap().split('"').next().unwrap().parse::<f64>().unwrap()
    };
    assert!(height(svg) < 2. * (108. + 4. + 20.) - 50., "{}", height(svg));
    let two = || ImageGrid::new(images(4), 2, 2).unwrap();
    let error = two().titles(&["a"]).figure().unwrap_err();
    refused("fewer titles than images", "titles", &error);
    let error = two().row_titles(&["a", "b", "c"]).figure().unwrap_err();
    refused("more titles of rows than rows", "row_titles", &error);
    let error = two().titles(&["a"; 4]).colors(&["red"; 5]).figure().unwrap_err();
    refused("more colours than images", "colors", &error);
    let error = two().titles(&["a"; 4]).colors(&["reddish"; 4]).figure().unwrap_err();
    refused("a colour that there is not", "reddish", &error);
    assert!(two().titles(&["a"; 4]).colors(&["#0072b2"; 4]).figure().is_ok());
}

/// Boxes are where their pixels are, whatever the scale.
#[test]
fn boxes_lie_over_their_pixels() {
    let image = Image::from(test_image(200, 100));
    let boxes = [([20., 10., 120., 60.], "dog", "blue"), ([-50., 90., 1e9, 95.], "", "w")];
    let figure =
        ImageGrid::new([&image], 1, 1).unwrap().scale(4.).bboxes(0, boxes).figure().unwrap();
    let svg = figure.svg();
    // The image is 288 pixels wide: 1.44 for one of its own.
    let dog =
        r##"<rect x="28.80" y="14.40" width="144.00" height="72.00" fill="none" stroke="#0072b2""##;
    assert!(svg.contains(dog), "{svg}");
    // What lies outside is not seen, but the box is not closed there.
    let cut =
        r##"<rect x="-9.00" y="129.60" width="306.00" height="7.20" fill="none" stroke="#ffffff""##;
    assert!(svg.contains(cut), "{svg}");
    assert!(svg.contains(r#"<svg x="0" y="0" width="288" height="144">"#), "{svg}");
    assert!(svg.contains(">dog</text>") && svg.contains("<title>an image; boxes: dog</title>"));
    // The same from a tensor, with whole numbers, and with a label of one's own
    let tensor = Tensor::from_slice2(&[[20f32, 10., 120., 60.]]);
    let of_tensor =
        BBox::from_tensor(&tensor).unwrap().into_iter().map(|b| b.color("b").label("x"));
    let figure =
        ImageGrid::new([&image], 1, 1).unwrap().scale(4.).bboxes(0, of_tensor).figure().unwrap();
    assert!(figure.svg().contains(dog) && figure.svg().contains(">x</text>"));
    let whole = ImageGrid::new([&image], 1, 1).unwrap().scale(4.).bboxes(0, [[20u32, 10, 120, 60]]);
    assert!(whole.figure().unwrap().svg().contains(dog));
    // Numbers of pixels
    let axis = ImageGrid::new([&image], 1, 1).unwrap().scale(4.).axis(true).figure().unwrap();
    for text in ["0", "50", "100", "150", "200"] {
        assert!(axis.svg().contains(&format!(">{text}</text>")), "{text}: {}", axis.svg());
    }
    // The last of them is not cut: 34 pixels on the left, 288 of image, and half of a number on the right
    assert!(axis.svg().contains(r#"width="338""#), "{}", axis.svg());
    let nan = f64::NAN;
    for corners in
        [[50., 10., 20., 60.], [20., 60., 50., 10.], [nan, 0., 1., 1.], [0., 0., 1., f64::INFINITY]]
    {
        let error =
            ImageGrid::new([&image], 1, 1).unwrap().bboxes(0, [corners]).figure().unwrap_err();
        refused(&format!("a box {corners:?}"), "bboxes", &error);
    }
    let error =
        ImageGrid::new([&image], 1, 1).unwrap().bboxes(1, [[0., 0., 1., 1.]]).figure().unwrap_err();
    refused("a box of an image that is not there", "image 1", &error);
    let error = BBox::from_tensor(&tensor.view([2, 2])).unwrap_err();
    refused("boxes of two numbers", "[2, 2]", &error);
    let error = BBox::from_tensor(&(&tensor * nan)).unwrap_err();
    refused("boxes of no numbers", "bboxes", &error);
}

/// Labels lie above all boxes, and not over each other.
#[test]
fn labels_keep_off_each_other() {
    let image = Image::from(test_image(200, 100));
    let boxes = [
        ([20., 40., 120., 90.], "dog"),
        ([22., 42., 120., 90.], "dog"),
        ([22., 38., 124., 92.], "cat"),
    ];
    let figure =
        ImageGrid::new([&image], 1, 1).unwrap().scale(4.).bboxes(0, boxes).figure().unwrap();
    let (frames, labels) = figure.svg().split_at(figure.svg().find("<text").unwrap());
    assert_eq!(frames.matches(r#"fill="none""#).count(), 6, "a label before a box: {frames}");
    assert_eq!(labels.matches("</text>").count(), 3);
    let corners = |svg: &str| -> Vec<[f64; 2]> {
        let place = |rect: &str, name: &str| {
            rect.split(&format!(" {name}=\""))
                .nth(1)
                .unwrap()
                .split('"')
                .next()
                .unwrap()
                .parse()
                .unwrap()
        };
        let rects = svg.split("<rect").filter(|rect| rect.contains("<text"));
        rects.map(|rect| [place(rect, "x"), place(rect, "y")]).collect()
    };
    let places = corners(figure.svg());
    assert_eq!(places.len(), 3, "{}", figure.svg());
    for (i, [x, y]) in places.iter().enumerate() {
        for [other_x, other_y] in &places[..i] {
            // A label is 15 pixels high, and wider than that.
            let apart = (x - other_x).abs() >= 15. || (y - other_y).abs() >= 15.;
            assert!(apart, "two labels at {places:?}");
        }
    }
}

/// Titles without letters take no room.
#[test]
fn empty_titles_take_no_room() {
    let of = |grid: ImageGrid| grid.figure().unwrap().svg().to_string();
    let grid = || ImageGrid::new(images(2), 1, 2).unwrap();
    assert!(of(grid().titles(&["", ""])) == of(grid()), "empty titles are seen or heard");
}

#[test]
fn heat_shines_where_it_is() {
    let grey = Image::from(RgbImage::from_pixel(4, 4, Rgb([100; 3])));
    let pixels = |map: &Tensor, alpha: f64| {
        let Image::Pixels(picture) = overlay_heat_map(&grey, map, alpha).unwrap() else { panic!() };
        picture
    };
    let map = Tensor::from_slice2(&[[0f32, 0.], [0., 8.]]);
    let hot = pixels(&map, 1.);
    assert_eq!((hot.get_pixel(0, 0).0, hot.get_pixel(3, 3).0), ([20, 11, 53], [252, 255, 164]));
    // Bilinear, corners not aligned: at (1, 1) it is a quarter squared, at (2, 2) three quarters
    // squared, of the way from the smallest to the largest.
    let stops = [
        [20., 11., 53.],
        [101., 21., 110.],
        [188., 55., 84.],
        [249., 142., 9.],
        [252., 255., 164.],
    ];
    let half = pixels(&map, 0.5);
    for (at, heat) in [(1, 1f64 / 16.), (2, 9. / 16.)] {
        let (first, part) = ((heat * 4.) as usize, (heat * 4.).fract());
        let colour = |c: usize| stops[first][c] * (1. - part) + stops[first + 1][c] * part;
        let mixed = [0, 1, 2].map(|c| (50. + colour(c) / 2.).round() as u8);
        assert_eq!(half.get_pixel(at, at).0, mixed, "{at}");
    }
    assert!(pixels(&map, 0.).pixels().all(|pixel| pixel.0 == [100; 3]));
    assert!(pixels(&map.ones_like(), 1.).pixels().all(|pixel| pixel.0 == [20, 11, 53]));
    let refuse = |what: &str, named: &str, map: &Tensor, alpha: f64| {
        refused(what, named, &overlay_heat_map(&grey, map, alpha).unwrap_err());
    };
    refuse("a map of heat with channels", "[1, 2, 2]", &map.unsqueeze(0), 0.5);
    refuse("a map of heat without pixels", "[0, 2]", &map.narrow(0, 0, 0), 0.5);
    refuse("a map of heat that is no number", "NaN", &(&map * f64::NAN), 0.5);
    refuse("more heat than all", "alpha", &map, 1.5);
    let nothing = Image::from(RgbImage::new(0, 0));
    let error = overlay_heat_map(&nothing, &map, 0.5).unwrap_err();
    refused("heat over an image without pixels", "0×0", &error);
}

#[test]
fn a_confusion_matrix_counts() {
    let counts = Tensor::from_slice2(&[[188i64, 12], [6, 194]]);
    let names = ["ホットドッグ", "<else>"];
    let figure =
        ConfusionMatrixDisplay::new(&counts, &names).title("t").xlabel("予測").figure().unwrap();
    let svg = figure.svg();
    for text in
        ["188", "12", "6", "194", "94 %", "6 %", "3 %", "97 %", "ホットドッグ", "予測", "true"]
    {
        assert!(texts(svg).iter().any(|(_, other)| other == text), "{text}: {svg}");
    }
    // A row for what the images are: 12 are right of 188, 6 are below.
    let [right, wrong, below] = ["188", "12", "6"].map(|text| place(svg, text));
    assert!(wrong.0 > right.0 + 50. && wrong.1 == right.1 && below.1 > right.1 + 50.);
    let told = "t: 382 of 400 right; ホットドッグ taken for &lt;else&gt;: 12; &lt;else&gt; taken for ホットドッグ: 6";
    assert!(svg.contains(&format!(r#"aria-label="{told}""#)), "{svg}");
    // Parts of a whole; a class without images; many classes
    let parts = Tensor::from_slice2(&[[0.25f32, 0.75], [0., 0.]]);
    assert!(ConfusionMatrixDisplay::new(&parts, &names).figure().unwrap().svg().contains("0.75"));
    let hundred = Tensor::eye(100, (Kind::Float, Device::Cpu));
    let of_hundred = vec!["a class with a rather long name"; 100];
    ConfusionMatrixDisplay::new(&hundred, &of_hundred).figure().unwrap();
    let refuse = |what: &str, named: &str, counts: &Tensor, names: &[&str]| {
        refused(what, named, &ConfusionMatrixDisplay::new(counts, names).figure().unwrap_err());
    };
    refuse("counts that are no matrix", "[4]", &counts.view([4]), &names);
    refuse("counts that are no square", "[1, 4]", &counts.view([1, 4]), &names);
    refuse("no counts", "[0, 0]", &counts.narrow(0, 0, 0).narrow(1, 0, 0), &[]);
    refuse("fewer names than classes", "1 names", &counts, &["hotdog"]);
    refuse("a count below 0", "-188", &-&counts, &names);
    refuse(
        "a count that is no number",
        "NaN",
        &(&parts / 0.).nan_to_num(f64::NAN, None, None),
        &names,
    );
}

#[test]
fn bars_show_mean_and_spread() {
    let mut bars = Bars::new("accuracy", &["plain", "<flip>"]).ylim(0., 1.);
    bars.add("50", &[vec![0.4, 0.5, 0.6], vec![0.75]]);
    bars.add("200", &[vec![0.6, 0.6], vec![0.9, 1.3]]);
    let figure = bars.figure().unwrap();
    let svg = figure.svg();
    for text in ["50, plain: 0.500 ± 0.100", "50, &lt;flip&gt;: 0.750<", "200, plain: 0.600 ± 0"]
    {
        assert!(svg.contains(text), "{text}: {svg}");
    }
    for text in ["50", "200", "plain", "&lt;flip&gt;", "0.500", "accuracy"] {
        assert!(texts(svg).iter().any(|(_, other)| other == text), "{text}: {svg}");
    }
    // From 0 to the mean: the first bar is half as high as the plot.
    let rect = svg.split("<rect").find(|rect| rect.contains(r##"fill="#0072B2""##)).unwrap();
    let (top, height) = (attribute(rect, "y"), attribute(rect, "height"));
    assert!(
        (top + height - 292.).abs() < 0.2 && (height - (292. - 42.) / 2.).abs() < 0.2,
        "{rect}"
    );
    // One kind of bars needs no legend; none at all is a figure, too; bars may hang.
    let mut one = Bars::new("loss", &["only"]);
    one.figure().unwrap();
    one.add("a", &[[-0.5, -0.25]]);
    let svg = one.figure().unwrap().svg().to_string();
    assert!(!svg.contains("only") && svg.contains("a: -0.375"), "{svg}");
    let refuse = |what: &str, named: &str, values: &[Vec<f64>]| {
        let mut bars = Bars::new("accuracy", &["plain", "flip"]);
        bars.add("all", values);
        refused(what, named, &bars.figure().unwrap_err());
    };
    refuse("fewer bars than names", "1 bars in the group \"all\"", &[vec![1.]]);
    refuse("a bar without a value", "a bar of no values", &[vec![1.], vec![]]);
    refuse("a bar that is no number", "NaN in the group", &[vec![1.], vec![f64::NAN]]);
    let error = Bars::new("a", &["b"]).ylim(0., f64::NAN).figure().unwrap_err();
    refused("bars on an axis without an end", "ylim", &error);
}

#[test]
fn a_scatter_plot_shows_classes() {
    let points = Tensor::from_slice2(&[[0f32, 0.], [1., 1.], [2., 0.], [3., 1.]]);
    let labels = Tensor::from_slice(&[0i64, 1, 2, 1]);
    let names = ["hotdog", "<else>", "パン"];
    let plot = |points: &Tensor, labels: &Tensor| Scatter::new(points, labels, &names).figure();
    let figure = plot(&points, &labels).unwrap();
    let svg = figure.svg();
    assert!(svg.contains("hotdog: 1 points, &lt;else&gt;: 2 points, パン: 1 points"), "{svg}");
    // A mark for each point and one beside each name, each class with its own
    for (tag, colour, count) in [("<circle", BLUE, 2), ("<polygon", ORANGE, 3), ("<rect", GREEN, 2)]
    {
        let of_colour = |part: &&str| part.contains(&format!(r#"fill="{colour}""#));
        let seen =
            svg.split(tag).skip(1).filter(|part| of_colour(&part.split("/>").next().unwrap()));
        assert_eq!(seen.count(), count, "{tag}: {svg}");
    }
    let refuse = |what: &str, named: &str, points: &Tensor, labels: &Tensor| {
        refused(what, named, &plot(points, labels).unwrap_err());
    };
    refuse("points of three dimensions", "[2, 4]", &points.view([2, 4]), &labels);
    refuse("fewer classes than points", "labels [3]", &points, &labels.narrow(0, 0, 3));
    refuse("a class without a name", "class 3", &points, &(&labels + 1));
    refuse("a class below 0", "class -1", &points, &(&labels - 1));
    refuse("classes that are no whole numbers", "Float", &points, &labels.to_kind(Kind::Float));
    refuse("a point that is no number", "NaN", &(&points * f64::NAN), &labels);
    let (many, classes) = (points.repeat([6000, 1]), labels.repeat([6000]));
    refuse("more points than a browser bears", "24000 points", &many, &classes);
    assert!(plot(&points.narrow(0, 0, 0), &labels.narrow(0, 0, 0)).is_ok());
}

/// A dark and a light line around each box, and the classes' names and colours.
#[test]
fn detections_are_drawn_readably() {
    let image = Image::from(test_image(200, 100));
    let rows = Tensor::from_slice2(&[
        [0f32, 0.9712, 0.1, 0.1, 0.6, 0.6],
        [1., 0.8, 0.5, 0.5, 1., 1.],
        [1., 0.3, 0., 0., 1., 1.],
        [-1., 0.9, 0., 0., 1., 1.],
    ]);
    let draw = |boxes: Vec<BBox>| {
        ImageGrid::new([&image], 1, 1).unwrap().scale(4.).bboxes(0, boxes).figure().unwrap()
    };
    let found = BBox::detections(&rows, &["banana", "pear"], image.size(), 0.5).unwrap();
    assert_eq!(found.len(), 2);
    let svg = draw(found).svg().to_string();
    for part in [
        ">banana 0.97</text>",
        ">pear 0.80</text>",
        r##"<rect x="28.80" y="14.40" width="144.00" height="72.00" fill="none" stroke="white" stroke-width="4""##,
        r##"<rect x="28.80" y="14.40" width="144.00" height="72.00" fill="none" stroke="#0072b2" stroke-width="2""##,
        r##"stroke="#d55e00" stroke-width="2""##,
    ] {
        assert!(svg.contains(part), "{part}: {svg}");
    }
    // A class without a name has its number of colours only; no detections leave the image as it is.
    let unnamed = BBox::detections(&rows, &[""; 0], image.size(), 0.9).unwrap();
    assert!(draw(unnamed).svg().contains(">0.97</text>"));
    let none = Tensor::zeros([0, 6], (Kind::Float, Device::Cpu));
    let none = BBox::detections(&none, &["banana"], image.size(), 0.5).unwrap();
    assert!(!draw(none).svg().contains("stroke-width"));
    let truth = Tensor::from_slice2(&[[1f32, 0.1, 0.1, 0.6, 0.6], [-1., 0., 0., 0., 0.]]);
    let truth = BBox::labels(&truth, &["banana", "pear"], image.size()).unwrap();
    let svg = draw(truth).svg().to_string();
    assert!(svg.contains(">pear</text>") && !svg.contains("banana"), "{svg}");
    let error = BBox::detections(&rows.unsqueeze(0), &["a"], (2, 2), 0.5).unwrap_err();
    refused("`BBox::detections` of a batch", "[1, 4, 6]", &error);
    let error = BBox::labels(&rows, &["a"], (2, 2)).unwrap_err();
    refused("`BBox::labels` of detections", "[4, 6]", &error);
    let error = BBox::detections(&(&rows * f64::NAN), &["a"], (2, 2), 0.5).unwrap_err();
    refused("`BBox::detections` of NaN", "detections", &error);
}

/// A training seen live: the figure beside the curves is the last one, at its own size.
#[test]
fn a_figure_stands_beside_the_curves() {
    let image = Image::from(test_image(100, 100));
    let found = |text: &str| {
        let boxes = [([10., 10., 50., 50.], text)];
        ImageGrid::new([&image], 1, 1).unwrap().scale(2.).bboxes(0, boxes).figure().unwrap()
    };
    let mut animator = Animator::new("epoch", &["class error"]).xlim(1., 3.);
    for epoch in 1..=3 {
        animator.add(epoch.into(), &[Some(0.5 / f64::from(epoch))]);
        animator.beside(found(&format!("epoch {epoch}")));
    }
    let figure = animator.figure().unwrap();
    let svg = figure.svg();
    assert!(svg.contains(">epoch 3</text>") && !svg.contains(">epoch 2</text>"), "{svg}");
    assert!(svg.contains("class error ends at 0.167"), "{svg}");
    let alone = found("");
    let tag = |svg: &str| svg.split_once('>').unwrap().0.to_string();
    let size = |svg: &str, name: &str| -> f64 {
        let rest = svg.split_once(&format!(" {name}=\"")).unwrap().1;
        rest.split_once('"').unwrap().0.parse().unwrap()
    };
    let wide = size(&tag(alone.svg()), "width");
    assert_eq!(size(&tag(svg), "width"), 560. + 12. + wide);
    assert_eq!(size(&tag(svg), "height"), 300.);
    // Parts have places, and no style that means the whole page.
    assert_eq!(svg.matches("max-width").count(), 1);
    assert!(svg.contains(r#"<svg x="572" y=""#) && svg.contains(r#"<svg x="0" y="0" "#), "{svg}");
    let sizeless = r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"></svg>"#;
    let sizeless = Figure::from_svg(sizeless).unwrap();
    let error = figure.beside(&sizeless).unwrap_err();
    refused("a figure without a size beside another", "Figure::beside", &error);
    animator.beside(sizeless);
    assert!(animator.figure().is_err());
}

#[test]
fn show_bboxes_draws_as_in_the_book() {
    const NAME: &str = "charts::show_bboxes_draws_as_in_the_book";
    if !common::in_child(NAME) {
        let folder = tempfile::tempdir().unwrap();
        common::run_in_child(NAME, &[("D2L_FIGURE_DIR", folder.path())]);
        let svg = std::fs::read_to_string(folder.path().join("figure-1.svg")).unwrap();
        for part in [">s=0.75</text>", ">200</text>", "#0072b2", "#009e73"] {
            assert!(svg.contains(part), "{part}: {svg}");
        }
        assert_eq!(svg.matches(r##"stroke="#0072b2" stroke-width="2""##).count(), 2, "{svg}");
        let empty = std::fs::read_to_string(folder.path().join("figure-2.svg")).unwrap();
        assert!(!empty.contains("stroke-width"));
        return;
    }
    let image = Image::from(test_image(200, 100));
    let boxes = Tensor::from_slice2(&[
        [20f32, 10., 120., 60.],
        [30., 20., 130., 70.],
        [40., 30., 140., 80.],
    ]);
    show_bboxes(&image, &boxes, &["s=0.75", ""], &["b", "g"]).unwrap();
    show_bboxes(&image, &boxes.narrow(0, 0, 0), &[], &[]).unwrap();
    let error = show_bboxes(&image, &boxes, &[], &["reddish"]).unwrap_err();
    refused("`show_bboxes` in a colour that there is not", "reddish", &error);
}
