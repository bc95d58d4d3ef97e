//! Figures: what they hold and how large they are.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::common;
use crate::common::report::{Comparison, refused};
use crate::common::test_image;
use d2l::prelude::*;

/// Runs the test again with a folder for figures and returns its one figure.
fn figure(name: &str) -> Option<String> {
    let name = &format!("display::{name}");
    if common::in_child(name) {
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    let text = common::run_in_child(name, &[("D2L_FIGURE_DIR", folder.path())]);
    assert!(text.contains("figure-1.svg"), "no line names the figure: {text}");
    Some(fs::read_to_string(folder.path().join("figure-1.svg")).unwrap())
}

/// Photograph-like images of many sizes, in a grid of 2×8.
#[test]
fn a_grid_is_compact_and_keeps_ratios() {
    let Some(svg) = figure("a_grid_is_compact_and_keeps_ratios") else {
        let images: Vec<Image> =
            (0..16).map(|i| test_image(300 + 70 * (i % 5), 900 - 50 * (i % 7)).into()).collect();
        return show_images(&images, 2, 8, 1.4).unwrap();
    };
    assert!(svg.len() < 1_000_000, "{} bytes", svg.len());
    assert!(svg.contains("<title>16 images in a grid</title>"));
    let embedded = decode(&svg);
    // A cell is 202 pixels wide; the first image is 300×900, so white is left and right of it.
    let white = |x: u32, y: u32| embedded.get_pixel(x, y).0.iter().all(|&v| v > 240);
    assert!(white(20, 101) && white(180, 101) && !white(101, 101));
    assert_eq!((embedded.width(), embedded.height()), (8 * 210, 2 * 210));
}

/// The image inside a figure.
pub fn decode(svg: &str) -> d2l::image::RgbImage {
    use base64::Engine;
    let data = svg.split("base64,").nth(1).unwrap().split('"').next().unwrap();
    let bytes = base64::engine::general_purpose::STANDARD.decode(data).unwrap();
    d2l::image::load_from_memory(&bytes).unwrap().into_rgb8()
}

#[test]
fn titles_are_text_and_escaped() {
    let Some(svg) = figure("titles_are_text_and_escaped") else {
        let image = Image::from(test_image(30, 30));
        return show_images_with_titles(&[image], 1, 1, &["ホットドッグ <b> & c"], 2.).unwrap();
    };
    assert!(svg.contains("ホットドッグ &lt;b&gt; &amp; c</text>"), "{svg}");
}

#[test]
fn normalised_images_are_shown_in_their_colours() {
    const NAME: &str = "normalised_images_are_shown_in_their_colours";
    let Some(svg) = figure(NAME) else {
        let image = d2l::image::RgbImage::from_pixel(64, 64, d2l::image::Rgb([200, 100, 50]));
        let normalize = Normalize::new([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]).unwrap();
        let set = tempfile::tempdir().unwrap();
        fs::create_dir_all(set.path().join("a")).unwrap();
        image.save(set.path().join("a/1.png")).unwrap();
        let folder = ImageFolder::with_transform(set.path(), &compose![ToTensor, normalize]);
        return show_images(&[folder.unwrap().image(0).unwrap()], 1, 1, 1.).unwrap();
    };
    let pixel = decode(&svg).get_pixel(72, 72).0;
    let near = pixel.iter().zip([200, 100, 50]).all(|(&a, b)| a.abs_diff(b) <= 3);
    assert!(near, "{pixel:?}");
}

#[test]
fn a_grid_with_too_few_cells_is_an_error() {
    let images: Vec<Image> = (0..5).map(|_| test_image(8, 8).into()).collect();
    let error = show_images(&images, 2, 2, 1.5).unwrap_err().to_string();
    assert!(error.contains("5 images") && error.contains("2 × 2"), "{error}");
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
fn apply_shows_a_transform_several_times() {
    let Some(svg) = figure("apply_shows_a_transform_several_times") else {
        return apply(
            &test_image(60, 40).into(),
            &RandomVerticalFlip::new(0.5).unwrap(),
            2,
            4,
            1.5,
        )
        .unwrap();
    };
    assert!(svg.contains("<title>8 images in a grid</title>"));
}

#[test]
fn apply_draws_anew_and_repeats_after_manual_seed() {
    const NAME: &str = "display::apply_draws_anew_and_repeats_after_manual_seed";
    let flip = RandomVerticalFlip::new(0.5).unwrap();
    if common::in_child(NAME) {
        for seed in [Some(3), None, Some(3)] {
            seed.into_iter().for_each(manual_seed);
            apply(&test_image(60, 40).into(), &flip, 4, 8, 0.5).unwrap();
        }
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    common::run_in_child(NAME, &[("D2L_FIGURE_DIR", folder.path())]);
    let [first, second, again] = [1, 2, 3].map(|i| {
        decode(&fs::read_to_string(folder.path().join(format!("figure-{i}.svg"))).unwrap())
    });
    assert!(first != second, "both calls drew the same random numbers");
    assert!(first == again, "the seed did not bring the same random numbers back");
}

type Point = (f64, f64);

/// An animator of five curves, of which `curve` has these points.
fn animator(xlim: Point, ylim: Point, curve: usize, points: &[Point]) -> Animator {
    let mut animator = Animator::new("x", &["0", "1", "2", "3", "4"]);
    animator = animator.xlim(xlim.0, xlim.1).ylim(ylim.0, ylim.1);
    for &(x, y) in points {
        let mut values = [None; 5];
        values[curve] = Some(y);
        animator.add(x, &values);
    }
    animator
}

/// The lines of the curves, in pixels: those within the plot, not beside their names.
fn lines(svg: &str) -> Vec<Vec<Point>> {
    let polylines = svg.split("<polyline").skip(1).filter(|line| line.contains(r#"width="20""#));
    let points = |line: &str| -> Vec<Point> {
        let text = line.split("points=\"").nth(1).unwrap().split('"').next().unwrap().to_string();
        let tenths = |number: &str| number.parse::<f64>().unwrap() / 10.;
        text.split_whitespace()
            .map(|pair| pair.split_once(',').unwrap())
            .map(|(x, y)| (tenths(x), tenths(y)))
            .collect()
    };
    polylines.map(points).filter(|line| line[0].0 < PLOT[2] + 1.).collect()
}

/// The texts of the figure, and where they are.
fn texts(svg: &str) -> Vec<(Point, String)> {
    let number = |tag: &str, name: &str| -> f64 {
        let number = tag.split(&format!("{name}=\"")).nth(1).unwrap().split('"').next().unwrap();
        number.parse::<f64>().unwrap() / 10.
    };
    let text = |part: &str| {
        let (tag, rest) = part.split_once('>').unwrap();
        let text = rest.split("</text>").next().unwrap().trim().to_string();
        ((number(tag, " x"), number(tag, " y")), text)
    };
    svg.split("<text").skip(1).map(text).collect()
}

/// The plot's left, bottom, right and top, in pixels, with names of one letter beside it and labels of
/// three on the axes.
const PLOT: [f64; 4] = [40., 254., 464.6, 12.];

/// Where a point of the plot should be.
fn pixel((x, y): Point, xlim: Point, ylim: Point) -> Point {
    let [left, bottom, right, top] = PLOT;
    (
        left + (x - xlim.0) / (xlim.1 - xlim.0) * (right - left),
        bottom + (y - ylim.0) / (ylim.1 - ylim.0) * (top - bottom),
    )
}

/// How far a point is from a line.
fn distance((x, y): Point, (from, to): (Point, Point)) -> f64 {
    let (dx, dy) = (to.0 - from.0, to.1 - from.1);
    let length = dx * dx + dy * dy;
    let part = ((x - from.0) * dx + (y - from.1) * dy) / length.max(1e-9);
    let part = part.clamp(0., 1.);
    (from.0 + part * dx - x).hypot(from.1 + part * dy - y)
}

/// What a curve is and what of it is to be seen, worked out by hand.
type Clipped = (&'static str, Point, Point, &'static [Point], &'static [&'static [Point]]);

const CLIPPED: &[Clipped] = &[
    ("begins above", (0., 2.), (0., 1.), &[(0., 2.3), (2., 0.3)], &[&[(1.3, 1.), (2., 0.3)]]),
    ("ends below", (0., 2.), (0., 1.), &[(0., 0.5), (2., -0.5)], &[&[(0., 0.5), (1., 0.)]]),
    (
        "leaves, crosses and comes back",
        (0., 4.),
        (0., 1.),
        &[(0., 0.5), (1., 2.5), (3., -1.5), (4., 0.5)],
        &[&[(0., 0.5), (0.25, 1.)], &[(1.75, 1.), (2.25, 0.)], &[(3.75, 0.), (4., 0.5)]],
    ),
    ("left and right", (1., 3.), (0., 1.), &[(0., 0.), (4., 1.)], &[&[(1., 0.25), (3., 0.75)]]),
    ("both axes", (0., 2.), (0., 1.), &[(-1., -1.), (3., 3.)], &[&[(0., 0.), (1., 1.)]]),
    ("passes by a corner", (0., 1.), (0., 1.), &[(-1., 0.5), (0.5, 2.)], &[]),
    ("is above", (0., 1.), (0., 1.), &[(0., 2.), (0.5, 1.5), (1., 3.)], &[]),
    ("is to the right", (0., 1.), (0., 1.), &[(2., 0.2), (3., 0.8)], &[]),
    ("goes straight up", (0., 1.), (0., 1.), &[(0.5, -1.), (0.5, 7.)], &[&[(0.5, 0.), (0.5, 1.)]]),
    ("lies on the edge", (0., 1.), (0., 1.), &[(0., 1.), (1., 1.)], &[&[(0., 1.), (1., 1.)]]),
    (
        "is within",
        (0., 1.),
        (0., 1.),
        &[(0., 0.), (0.5, 1.), (1., 0.)],
        &[&[(0., 0.), (0.5, 1.), (1., 0.)]],
    ),
    ("goes back in time", (0., 2.), (0., 1.), &[(2., 0.3), (0., 2.3)], &[&[(2., 0.3), (1.3, 1.)]]),
    (
        "comes from far away",
        (0., 1.),
        (0., 1.),
        &[(-1e17, 0.25), (1e17, 0.75)],
        &[&[(0., 0.5), (1., 0.5)]],
    ),
    (
        "comes from the ends of the numbers",
        (0., 1.),
        (0., 1.),
        &[(f64::MIN, 0.25), (f64::MAX, 0.25)],
        &[&[(0., 0.25), (1., 0.25)]],
    ),
    ("is mirrored", (2., 0.), (1., 0.), &[(0., 2.3), (2., 0.3)], &[&[(1.3, 1.), (2., 0.3)]]),
    (
        "is a training's loss of 2.136",
        (0., 5.),
        (0., 1.),
        &[(0.2, 2.136), (1.2, 0.136), (5., 0.136)],
        &[&[(0.768, 1.), (1.2, 0.136), (5., 0.136)]],
    ),
];

/// F2: a curve is cut where it leaves the plot, and keeps its slope; solid ones and dashed ones.
#[test]
fn curves_are_clipped_and_keep_their_slope() {
    for &(name, xlim, ylim, points, expected) in CLIPPED {
        let expected: Vec<Vec<Point>> = expected
            .iter()
            .map(|piece| piece.iter().map(|&point| pixel(point, xlim, ylim)).collect())
            .collect();
        let near = |a: Point, b: Point| (a.0 - b.0).hypot(a.1 - b.1) <= 0.15;
        // Number 4 is solid, too; the others have their dashes.
        for curve in 0..5 {
            let drawn = lines(animator(xlim, ylim, curve, points).figure().unwrap().svg());
            let what = format!("curve {curve} that {name}: {drawn:?}, not {expected:?}");
            if curve % 4 == 0 {
                assert_eq!(drawn.len(), expected.len(), "{what}");
                for (piece, expected) in drawn.iter().zip(&expected) {
                    assert_eq!(piece.len(), expected.len(), "{what}");
                    assert!(piece.iter().zip(expected).all(|(&a, &b)| near(a, b)), "{what}");
                }
                continue;
            }
            let segments = || expected.iter().flat_map(|piece| piece.windows(2));
            let is_on_curve =
                |&point: &Point| segments().any(|ends| distance(point, (ends[0], ends[1])) <= 0.3);
            assert!(drawn.iter().flatten().all(is_on_curve), "{what}");
            // A dash is at most 12 pixels long, a gap 4.
            let ends = expected.iter().flat_map(|piece| [piece[0], *piece.last().unwrap()]);
            let is_reached = |end: Point| {
                drawn.iter().flatten().any(|&point| (point.0 - end.0).hypot(point.1 - end.1) < 6.)
            };
            assert!(ends.into_iter().all(is_reached), "{what}");
        }
    }
}

/// F2: several curves in one figure, and a curve that has no value at some places.
#[test]
fn each_of_several_curves_is_clipped() {
    let mut both = Animator::new("x", &["0", "1", "2", "3", "4"]).xlim(0., 2.).ylim(0., 1.);
    both.add(0., &[Some(2.3), None, None, None, Some(-1.)]);
    both.add(1., &[None, None, None, None, None]);
    both.add(2., &[Some(0.3), None, None, None, Some(1.)]);
    let at = |x, y| pixel((x, y), (0., 2.), (0., 1.));
    let drawn = lines(both.figure().unwrap().svg());
    let expected = [[at(1.3, 1.), at(2., 0.3)], [at(1., 0.), at(2., 1.)]];
    assert_eq!(drawn.len(), 2, "{drawn:?}");
    for (line, expected) in drawn.iter().zip(expected) {
        let off = |(a, b): (&Point, Point)| (a.0 - b.0).hypot(a.1 - b.1);
        assert!(line.iter().zip(expected).all(|pair| off(pair) <= 0.15), "{drawn:?}");
    }
}

/// F2: a dot is where its point is, or nowhere.
#[test]
fn a_dot_outside_of_the_plot_is_not_drawn() {
    let figure = |points: &[Point]| {
        let animator = animator((0., 2.), (0., 1.), 1, points);
        animator.figure().unwrap().svg().to_string()
    };
    for outside in [(2.1, 0.5), (-0.1, 0.5), (1., 1.1), (1., -0.1), (1e308, -1e308)] {
        assert!(!figure(&[outside]).contains("<circle"), "{outside:?}");
    }
    for inside in [(0., 0.), (2., 1.), (0.5, 0.25), (0., 1.)] {
        let (x, y) = pixel(inside, (0., 2.), (0., 1.));
        let figure = figure(&[inside]);
        let is_there = |dx: f64| {
            let cx = (10. * x + dx).round();
            figure.contains(&format!(r#"cx="{cx}" cy="{}""#, (10. * y).round()))
        };
        assert!([-1., 0., 1.].into_iter().any(is_there), "{inside:?}: {figure}");
    }
    assert!(figure(&[(1., 0.5), (1., 0.5)]).contains("<circle"), "two points in one place");
}

/// What `make` returns, unless it takes too long.
fn in_time<T: Send + 'static>(what: &str, make: impl FnOnce() -> T + Send + 'static) -> T {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || sender.send(make()));
    let result = receiver.recv_timeout(Duration::from_secs(20));
    result.unwrap_or_else(|error| panic!("{what}: {error}"))
}

/// F11: ends that are not finite are an error, of either axis, with points or without.
#[test]
fn axes_without_an_end_are_errors() {
    let (nan, inf) = (f64::NAN, f64::INFINITY);
    let ends = [(0., inf), (nan, 1.), (0., nan), (-inf, 0.), (-inf, inf), (inf, inf), (nan, nan)];
    for (low, high) in ends {
        for points in [&[][..], &[(inf, 0.5)], &[(nan, nan)], &[(0.5, 0.5), (1., 1.)]] {
            for axis in ["xlim", "ylim"] {
                let what = format!("{axis}({low}, {high})");
                let points = points.to_vec();
                let error = in_time(&what, move || {
                    let (x, y) = if axis == "xlim" {
                        ((low, high), (0., 1.))
                    } else {
                        ((0., 1.), (low, high))
                    };
                    animator(x, y, 0, &points).figure().err()
                });
                let error = error.unwrap_or_else(|| panic!("{what}"));
                refused(&format!("an axis from {low} to {high}"), axis, &error);
            }
        }
    }
}

/// F11: all other ends make a figure at once, with marks that can be told apart, also where they are
/// huge, tiny, equal or nearly so.
#[test]
fn axes_of_every_length_have_marks() {
    let cases: &[(f64, f64, &[&str])] = &[
        (0., 1., &["0.0", "0.5", "1.0"]),
        (1., 5., &["1", "2", "3", "4", "5"]),
        (5., 1., &["5", "4", "3", "2", "1"]),
        (1., 1., &["0.6", "0.8", "1.0", "1.2", "1.4"]),
        (0., -0., &["-0.4", "-0.2", "0.0", "0.2", "0.4"]),
        (-0., 1., &["0.0", "0.5", "1.0"]),
        (-100., -100., &["-104", "-102", "-100", "-98", "-96"]),
        (f64::MIN, f64::MAX, &["-1e308", "0", "1e308"]),
        (1e308, -1e308, &["1.0e308", "5e307", "0", "-5e307", "-1.0e308"]),
        (0., 1e-300, &["0", "5e-301", "1.0e-300"]),
        (0., 5e-324, &["-0.4", "-0.2", "0.0", "0.2", "0.4"]),
        (1e-310, -3e-310, &["-0.4", "-0.2", "0.0", "0.2", "0.4"]),
        (5., 5. + 1e-16, &["4.6", "4.8", "5.0", "5.2", "5.4"]),
        (5., 5.000_000_000_000_002, &["4.6", "4.8", "5.0", "5.2", "5.4"]),
        (0., 3e6, &["0", "1e6", "2e6", "3e6"]),
        (0., 0.000_04, &["0.00000", "0.00001", "0.00002", "0.00003", "0.00004"]),
        (0., 0.3, &["0.0", "0.1", "0.2", "0.3"]),
    ];
    for &(low, high, expected) in cases {
        let what = format!("xlim({low:e}, {high:e})");
        let svg = in_time(&what, move || {
            let animator = animator((low, high), (0., 1.), 0, &[(low, 0.), (high, 1.)]);
            animator.figure().unwrap().svg().to_string()
        });
        well_formed(&svg);
        let mut marks: Vec<_> =
            texts(&svg).into_iter().filter(|((_, y), _)| *y > 260. && *y < 280.).collect();
        marks.sort_by(|a, b| a.0.0.total_cmp(&b.0.0));
        let marks: Vec<&str> = marks.iter().map(|(_, text)| text.as_str()).collect();
        assert_eq!(marks, expected, "{what}");
        // The other axis has room for as wide a text.
        let svg = in_time(&what, move || {
            animator((0., 1.), (low, high), 0, &[]).figure().unwrap().svg().to_string()
        });
        assert!(!texts(&svg).is_empty(), "{what}");
    }
    for (low, high) in [(1e16, 1e16 + 2.), (f64::MAX, f64::MAX), (f64::MIN, 0.), (1e-5, 1.1e-5)] {
        in_time(&format!("{low:e} to {high:e}"), move || {
            animator((low, high), (high, low), 0, &[(low, high)]).figure().unwrap();
        });
    }
}

/// F11: points that are not finite are left out; axes that follow points bear all that are.
#[test]
fn axes_follow_points_of_every_size() {
    const NAN: f64 = f64::NAN;
    const INF: f64 = f64::INFINITY;
    let cases: &[(&[Point], usize)] = &[
        (&[], 0),
        (&[(NAN, NAN), (NAN, 1.), (1., NAN)], 0),
        (&[(INF, 1.), (-INF, 1.), (1., INF), (1., -INF)], 0),
        (&[(3., 4.)], 1),
        (&[(3., 4.), (3., 4.), (3., 4.)], 3),
        (&[(0., 0.), (INF, INF), (1., 1.)], 2),
        (&[(5e-324, 5e-324)], 1),
        (&[(0., 5e-324), (5e-324, 0.)], 2),
        (&[(1e-300, 2e-300), (2e-300, 1e-300)], 2),
        (&[(f64::MIN, f64::MAX), (f64::MAX, f64::MIN)], 2),
        (&[(f64::MAX, f64::MAX)], 1),
        (&[(1e308, -1e308), (-1e308, 1e308), (0., 0.)], 3),
        (&[(5., 5.), (5. + 1e-15, 5. - 1e-15)], 2),
        (&[(-0., 0.), (0., -0.)], 2),
    ];
    for &(points, kept) in cases {
        let what = format!("{points:?}");
        let (svg, count) = in_time(&what, move || {
            let mut animator = Animator::new("x", &["y"]);
            points.iter().for_each(|&(x, y)| animator.add(x, &[Some(y)]));
            (animator.figure().unwrap().svg().to_string(), animator.curve("y").unwrap().len())
        });
        well_formed(&svg);
        assert_eq!(count, kept, "{what}");
        let is_seen = svg.contains("<circle") || !lines(&svg).is_empty();
        assert_eq!(is_seen, kept > 0, "{what}: {svg}");
    }
}

#[test]
fn many_points_are_drawn_quickly() {
    for (xlim, curve) in [((0., 1e5), 0), ((0., 1e5), 1), ((4e4, 5e4), 2)] {
        let points: Vec<Point> = (0..100_000).map(|i| (f64::from(i), f64::from(i).sin())).collect();
        let animator = animator(xlim, (-0.5, 0.5), curve, &points);
        let start = Instant::now();
        animator.figure().unwrap();
        assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
        println!("{xlim:?}: {:?}", start.elapsed());
    }
}

#[test]
fn figures_have_bounds() {
    let size = |width, height| {
        let figure = Animator::new("x", &["y"]).figsize(width, height).figure().unwrap();
        figure.svg().split("width=").nth(1).unwrap()[..15].to_string()
    };
    assert!(size(0, 0).starts_with(r#""200" heig"#), "{}", size(0, 0));
    assert!(size(u32::MAX, u32::MAX).starts_with(r#""10000" he"#), "{}", size(u32::MAX, u32::MAX));
}

#[test]
fn a_curve_that_is_not_there_is_none() {
    let animator = Animator::new("x", &["test acc"]);
    assert_eq!(animator.curve("test_acc"), None);
    assert_eq!(animator.curve("test acc"), Some(&[][..]));
}

/// Holds text to XML's rules: tags that are closed, attributes in quotes, known entities, characters
/// that may be.
pub fn well_formed(svg: &str) {
    let may_be =
        |c: char| matches!(c, '\n' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
    assert!(svg.chars().all(may_be), "{svg:?}");
    for entity in svg.split('&').skip(1) {
        let known = ["amp;", "lt;", "gt;", "quot;", "apos;"];
        assert!(known.iter().any(|name| entity.starts_with(name)), "&{entity}");
    }
    let mut open = vec![];
    for part in svg.split('<').skip(1) {
        let (tag, _) = part.split_once('>').unwrap_or_else(|| panic!("<{part}"));
        let name = tag.trim_start_matches('/').split([' ', '/']).next().unwrap();
        assert_eq!(tag.matches('"').count() % 2, 0, "<{tag}>");
        if tag.starts_with('/') {
            assert_eq!(open.pop(), Some(name), "{svg}");
        } else if !tag.ends_with('/') {
            open.push(name);
        }
    }
    assert!(open.is_empty(), "{open:?} in {svg}");
}

#[test]
fn text_of_every_kind_makes_whole_figures() {
    let long = "very long ".repeat(500);
    let names = [
        "a < b & c > \"d\" 'e'",
        "\u{0}\u{1}\u{7f}\u{85}\u{fffe}\u{ffff}",
        "two\nlines\rand\ttabs",
        "👩‍🔬 ホットドッグ",
        "]]> <!-- -->",
        "&#0; &amp;",
        "EVCXR_END_CONTENT\nEVCXR_END_CONTENT",
        "",
        &long,
    ];
    let mut animator = Animator::new(names[0], &names).title(names[1]);
    animator.add(0., &[Some(1.); 9]);
    well_formed(animator.figure().unwrap().svg());
    for name in names {
        let mut animator = Animator::new(name, &[name]).title(name);
        animator.add(0., &[Some(1.)]);
        let figure = animator.figure().unwrap();
        well_formed(figure.svg());
        assert!(!figure.svg().lines().any(|line| line == "EVCXR_END_CONTENT"), "{name:?}");
        assert_eq!(animator.curve(name), Some(&[(0., 1.)][..]));
    }
    let folder = tempfile::tempdir().unwrap();
    const NAME: &str = "display::text_of_every_kind_makes_whole_figures";
    if common::in_child(NAME) {
        let images: Vec<Image> = names.iter().map(|_| test_image(8, 8).into()).collect();
        return show_images_with_titles(&images, 3, 3, &names, 1.).unwrap();
    }
    common::run_in_child(NAME, &[("D2L_FIGURE_DIR", folder.path())]);
    well_formed(&fs::read_to_string(folder.path().join("figure-1.svg")).unwrap());
}

/// C17: grids that no memory holds, and numbers that do not fit into one.
#[test]
fn impossible_grids_are_errors() {
    let images: Vec<Image> = (0..5).map(|_| test_image(8, 8).into()).collect();
    let show = |rows, columns, scale| {
        in_time("a grid", {
            let images = images.clone();
            move || show_images(&images, rows, columns, scale)
        })
    };
    let max = usize::MAX;
    for (rows, columns, scale) in
        [(1000, 10_000, 1.5), (max, 2, 1.5), (1 << 63, 2, 1.), (max, max, 1.), (1, 1 << 32, 1.)]
    {
        let error = show(rows, columns, scale).unwrap_err();
        refused("a grid of more images than memory holds", "show_images", &error);
    }
    for (rows, columns) in [(0, 0), (0, max), (max, 0), (1, 4)] {
        refused("a grid without cells", "show_images", &show(rows, columns, 1.5).unwrap_err());
    }
    for scale in [0., -0., -1., 1e-3, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e300, 500.] {
        refused("an impossible scale", "show_images", &show(1, 5, scale).unwrap_err());
    }
    let error = in_time("apply", || {
        apply(&test_image(8, 8).into(), &RandomVerticalFlip::new(0.5).unwrap(), 1000, 10_000, 1.5)
            .unwrap_err()
    });
    refused("a transform, shown ten million times", "show_images", &error);
    let error =
        apply(&test_image(8, 8).into(), &RandomVerticalFlip::new(0.5).unwrap(), max, 3, 1.5)
            .unwrap_err();
    refused("a transform, shown without end", "show_images", &error);
    let nothing = Image::from(d2l::image::RgbImage::new(0, 0));
    let error = show_images(&[nothing], 1, 1, 1.).unwrap_err();
    refused("an image without pixels, shown", "0×0", &error);
}

/// Images of a line of pixels; and no image at all.
#[test]
fn odd_images_are_shown() {
    let Some(svg) = figure("odd_images_are_shown") else {
        let images: Vec<Image> = vec![test_image(5000, 1).into(), test_image(1, 5000).into()];
        show_images(&images, 1, 2, 1.).unwrap();
        return show_images(&[] as &[Image], 1, 1, 1.).unwrap();
    };
    well_formed(&svg);
    assert_eq!(decode(&svg).dimensions(), (2 * 152, 152));
}

/// Nobody reads any more, as in `program | head`: what is printed is lost, and nothing else.
#[test]
fn a_closed_pipe_does_not_end_the_work() {
    const NAME: &str = "display::a_closed_pipe_does_not_end_the_work";
    let mut progress = Progress::new("work", 3);
    if common::in_child(NAME) {
        progress.println("ready");
        std::thread::sleep(Duration::from_secs(1));
        progress.advance(3);
        progress.println("more");
        let mut animator = Animator::new("x", &["y"]);
        animator.add(1., &[Some(1.)]);
        animator.show().unwrap();
        animator.evcxr_display();
        let folder = std::env::var_os("D2L_FIGURE_DIR").unwrap();
        return fs::write(std::path::Path::new(&folder).join("done"), "").unwrap();
    }
    let folder = tempfile::tempdir().unwrap();
    let mut command = common::child(NAME);
    command.env("D2L_FIGURE_DIR", folder.path()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    assert!(output.lines().any(|line| line.unwrap().contains("ready")));
    // The test's own report fails then.
    child.wait().unwrap();
    assert_eq!(common::names(folder.path()), ["done", "figure-1.svg"]);
}

/// A tensor's values and its head.
fn shown(tensor: &Tensor) -> (String, String) {
    let text = tensor.shown().text;
    let (values, head) = text.rsplit_once('\n').unwrap();
    (values.to_string(), head.to_string())
}

#[test]
fn values_are_written_as_pytorch_writes_them() {
    use base64::Engine;
    let what = "a tensor as a cell's last expression: its values, against PyTorch's `repr`";
    let mut comparison = Comparison::new(what, "lines", 0.);
    let text = fs::read_to_string(common::reference_folder().join("shown.json")).unwrap();
    let cases: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
    assert!(cases.len() > 100);
    for case in cases {
        let [name, kind, data, expected] =
            ["name", "kind", "data", "text"].map(|key| case[key].as_str().unwrap());
        let size: Vec<i64> =
            case["size"].as_array().unwrap().iter().map(|n| n.as_i64().unwrap()).collect();
        let kind = KINDS.into_iter().find(|known| format!("{known:?}") == kind).unwrap();
        let data = base64::engine::general_purpose::STANDARD.decode(data).unwrap();
        let tensor = Tensor::from_data_size(&data, &size, kind);
        let expected = match kind {
            Kind::Bool => expected.to_lowercase(),
            _ => expected.to_string(),
        };
        let (values, head) = shown(&tensor);
        let apart = values.lines().zip(expected.lines()).filter(|(a, b)| a != b).count()
            + values.lines().count().abs_diff(expected.lines().count());
        assert!(apart == 0, "{name}:\n{values}\nis with PyTorch\n{expected}");
        comparison.add(name, apart as f64);
        assert_eq!(head, format!("{size:?} {kind:?} cpu"));
    }
}

const KINDS: [Kind; 12] = [
    Kind::Uint8,
    Kind::Int8,
    Kind::Int16,
    Kind::Int,
    Kind::Int64,
    Kind::Half,
    Kind::BFloat16,
    Kind::Float,
    Kind::Double,
    Kind::Bool,
    Kind::ComplexFloat,
    Kind::ComplexDouble,
];

/// Each would fill the memory many times over if more than its edges were copied.
#[test]
fn only_the_edges_of_large_tensors_are_read() {
    let start = Instant::now();
    let one = Tensor::from_slice(&[1.5f32, 2.5]);
    let huge = one.view([1, 2]).expand([1_000_000_000, 2], false);
    let (values, head) = shown(&huge);
    let rows = [["[1.5000, 2.5000]"; 3].join(",\n "), ["[1.5000, 2.5000]"; 3].join(",\n ")];
    assert_eq!(values, format!("[{}]", rows.join(",\n ...,\n ")));
    assert_eq!(head, "[1000000000, 2] Float cpu");
    for kind in KINDS {
        let tensor = Tensor::ones([1, 1, 1], (kind, Device::Cpu));
        let huge = tensor.expand([40_000, 50_000, 60_000], false);
        assert_eq!(shown(&huge).0.matches("...").count(), 6 * 6 + 6 + 1, "{kind:?}");
        assert!(huge.shown().html.contains("<pre"));
    }
    // Ten dimensions of which none is left out
    let many = one.narrow(0, 0, 1).view(&[1; 10][..]).expand([6; 10], false);
    assert!(shown(&many).0.contains("select"));
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}

/// Views whose memory does not hold their values as they are, in order.
#[test]
fn views_show_their_values() {
    let matrix = Tensor::from_slice(&common::noise(60 * 50, 1)).view([60, 50]);
    let pair = Tensor::complex(&matrix, &(&matrix * 2.));
    let views = [
        (matrix.transpose(0, 1), matrix.transpose(0, 1).contiguous()),
        (matrix.narrow(1, 3, 5), matrix.narrow(1, 3, 5).contiguous()),
        (matrix.slice(0, 1, 60, 2), matrix.slice(0, 1, 60, 2).contiguous()),
        (pair.conj(), Tensor::complex(&matrix, &(&matrix * -2.))),
        (pair.conj().imag(), &matrix * -2.),
        (pair.narrow(0, 0, 3).conj().imag(), matrix.narrow(0, 0, 3) * -2.),
        // Without a change of the kind, which would make the values anew
        (pair.to_kind(Kind::ComplexDouble).conj().imag(), matrix.to_kind(Kind::Double) * -2.),
        (pair.real(), matrix.copy()),
    ];
    for (i, (view, values)) in views.iter().enumerate() {
        assert_eq!(view.shown().text, values.shown().text, "{i}");
        assert_eq!(view.shown().html, values.shown().html, "{i}");
    }
    assert!(views[3].0.is_conj() && views[4].0.is_neg());
}

#[test]
fn gradients_are_mentioned_and_not_disturbed() {
    let x = Tensor::from_slice(&[1f32, 2., 3.]).set_requires_grad(true);
    assert_eq!(x.shown().text, "[1., 2., 3.]\n[3] Float cpu requires_grad");
    let y = &x * &x;
    assert!(y.shown().text.ends_with("[3] Float cpu requires_grad"));
    assert!(y.requires_grad() && x.requires_grad());
    y.sum(Kind::Float).backward();
    assert_eq!(x.grad().shown().text, "[2., 4., 6.]\n[3] Float cpu");
    let long = Tensor::ones([2000], (Kind::Float, Device::Cpu)).set_requires_grad(true);
    assert!(long.shown().text.starts_with("[1., 1., 1.,  ..., 1., 1., 1.]"));
    assert!(no_grad(|| (&x * 2.).shown().text).ends_with("Float cpu"));
}

#[test]
fn tensors_without_plain_values_are_described() {
    let matrix = Tensor::from_slice(&[0f32, 1.5, 0., 0., -2., 0.]).view([2, 3]);
    assert_eq!(Tensor::new().shown().text, "(no values)\nundefined tensor");
    let dense = "`to_dense(None, false)` has its values";
    for (sparse, word) in [
        (matrix.to_sparse_sparse_dim(2), "sparse"),
        (matrix.to_sparse_csr(None), "sparse"),
        (matrix.to_sparse_csc(None), "sparse"),
        (matrix.to_mkldnn(), "in oneDNN's layout"),
    ] {
        assert_eq!(sparse.shown().text, format!("({word}: {dense})\n[2, 3] Float cpu"));
        assert!(sparse.shown().html.contains(word));
        assert_eq!(shown(&sparse.to_dense(None, false)), shown(&matrix));
    }
    for kind in [Kind::QInt8, Kind::QUInt8, Kind::QInt32] {
        let quantized = matrix.quantize_per_tensor(0.5, 10, kind);
        let (values, head) = shown(&quantized);
        assert_eq!(values, shown(&matrix).0);
        assert_eq!(head, format!("[2, 3] {kind:?} cpu"));
    }
    for kind in [Kind::Float8e5m2, Kind::Float8e4m3fn] {
        assert_eq!(shown(&matrix.to_kind(kind)).0, shown(&matrix).0, "{kind:?}");
    }
}

#[test]
fn one_and_two_dimensions_are_tables() {
    let cells = |tensor: &Tensor| -> Vec<Vec<String>> {
        let html = tensor.shown().html;
        let of = |text: &str, name: &str| -> Vec<String> {
            let (start, end) = (format!("<{name}"), format!("</{name}>"));
            let parts = text.split(&start).skip(1).map(|part| part.split_once('>').unwrap().1);
            parts.map(|part| part.split(&end).next().unwrap().to_string()).collect()
        };
        of(&html, "tr").iter().map(|row| of(row, "td")).collect()
    };
    let matrix = Tensor::from_slice(&[1f32, -20.5, 3., 4.]).view([2, 2]);
    assert_eq!(cells(&matrix), [["1.0000", "-20.5000"], ["3.0000", "4.0000"]]);
    let html = matrix.shown().html;
    assert!(html.starts_with("<div>[2, 2] Float cpu</div><div"), "{html}");
    assert!(!html.contains("color") && html.contains("overflow-x:auto"), "{html}");
    // A vector has the lines of its text.
    let vector = Tensor::arange(100, (Kind::Int64, Device::Cpu));
    let rows = cells(&vector);
    assert_eq!(rows.concat(), (0..100).map(|i| i.to_string()).collect::<Vec<_>>());
    assert_eq!(rows.len(), shown(&vector).0.lines().count());
    let rows = cells(&Tensor::zeros([70, 80], (Kind::Float, Device::Cpu)));
    assert_eq!((rows.len(), rows[0].len()), (7, 7));
    assert_eq!(rows[3], ["..."; 7]);
    assert_eq!(rows[0], ["0.", "0.", "0.", "...", "0.", "0.", "0."]);
    for size in [&[][..], &[0], &[2, 0], &[2, 2, 2]] {
        let tensor = Tensor::zeros(size, (Kind::Float, Device::Cpu));
        assert!(cells(&tensor).is_empty() && tensor.shown().html.contains("<pre"), "{size:?}");
    }
}

#[test]
fn several_tensors_are_shown_below_each_other() {
    let x = || Tensor::from_slice(&[1f32, 2.]);
    let y = || Tensor::from(7i64);
    let text = "\
.0
    [1., 2.]
    [2] Float cpu
.1
    7
    [] Int64 cpu";
    assert_eq!((x(), y()).shown().text, text);
    assert_eq!((x(), y()).shown().html.matches("Float cpu").count(), 1);
    assert_eq!(Some(x()).shown().text, "Some\n    [1., 2.]\n    [2] Float cpu");
    assert_eq!(None::<Tensor>.shown().text, "None");
    assert_eq!(Vec::from([x(), y()]).shown().text, text.replace(".0", "[0]").replace(".1", "[1]"));
    assert_eq!([x(), y()].shown().text, [x(), y()][..].shown().text);
    assert_eq!(Vec::<Tensor>::new().shown().text, "[]");
    let many: Vec<(Tensor, Tensor)> = (0..60_000).map(|_| (x(), y())).collect();
    let text = many.shown().text;
    assert!(text.contains("\n...\n[59997]\n    .0\n        [1., 2.]\n"), "{text}");
    assert!(text.lines().count() < 50);
    let net = common::two_classes();
    let named = net.named_parameters().shown();
    assert_eq!(named.text.lines().count(), 62);
    let last = named.text.lines().last().unwrap();
    assert!(last.starts_with("fc.bias  ") && last.ends_with("  [2] Float cpu requires_grad"));
    assert!(named.html.contains("fc.bias</td>"));
    let of_all: std::collections::HashMap<_, _> =
        [("<b>".to_string(), x()), ("a".to_string(), y())].into();
    assert_eq!(of_all.shown().text, "<b>  [2] Float cpu\na    [] Int64 cpu");
    assert!(of_all.shown().html.contains("&lt;b&gt;"));
}
