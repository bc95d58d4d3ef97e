//! Figures of a reader's own: images from anywhere, tensors, SVG, plotters, curves of several trainings.

use std::fs;

use crate::common;
use crate::common::report::refused;
use crate::common::test_image;
use crate::display::{decode, well_formed};
use d2l::prelude::*;

/// Curves of two trainings in one figure; points that cannot be drawn are left out, as by `add`.
#[test]
fn curves_of_several_animators_make_one_figure() {
    let mut run = Animator::new("epoch", &["loss", "acc"]);
    run.add(1., &[Some(0.9), Some(0.1)]);
    run.add(2., &[Some(0.7), Some(0.2)]);
    let own = [(1., 0.3), (2., f64::NAN), (f64::INFINITY, 0.4), (3., 0.5)];
    let curves = [("of the run", run.curve("acc")), ("of my own <b>", Some(&own[..]))];
    let both = Animator::of("epoch", &curves).unwrap().xlim(1., 3.).title("both");
    assert_eq!(both.curve("of the run"), run.curve("acc"));
    assert_eq!(both.curve("of my own <b>"), Some(&[(1., 0.3), (3., 0.5)][..]));
    let figure = both.figure().unwrap();
    well_formed(figure.svg());
    assert!(figure.svg().contains("of the run") && figure.svg().contains("of my own &lt;b&gt;"));
    assert!(Animator::of("epoch", &[]).unwrap().figure().is_ok());
    let error = Animator::of("epoch", &[("of the run", run.curve("accuracy"))]).unwrap_err();
    refused("a curve that no Animator has, in a figure of several", "of the run", &error);
}

#[test]
fn images_come_in_any_collection() {
    const NAME: &str = "figures::images_come_in_any_collection";
    if common::in_child(NAME) {
        let images: Vec<Image> = (0..3).map(|_| test_image(8, 8).into()).collect();
        let (first, tensor) = (&images[0], images[1].to_tensor().unwrap());
        show_images(images.iter().chain(&images), 1, 6, 1.).unwrap();
        show_images(&images, 1, 3, 1.).unwrap();
        let one = &[first];
        show_images(one, 1, 1, 1.).unwrap();
        show_images([first, first], 1, 2, 1.).unwrap();
        show_images(&images[..2], 1, 2, 1.).unwrap();
        show_images(images.iter().filter(|image| image.size() == (8, 8)), 1, 3, 1.).unwrap();
        show_images([&tensor, &tensor], 1, 2, 1.).unwrap();
        show_images(vec![tensor.copy()], 1, 1, 1.).unwrap();
        show_images(&tensor, 1, 1, 1.).unwrap();
        show_images(tensor.unsqueeze(0), 1, 1, 1.).unwrap();
        show_images_with_titles(images.iter().rev(), 1, 3, &["a", "b", "c"], 1.).unwrap();
        return show_images(images, 1, 3, 1.).unwrap();
    }
    let folder = tempfile::tempdir().unwrap();
    common::run_in_child(NAME, &[("D2L_FIGURE_DIR", folder.path())]);
    for (i, count) in [6, 3, 1, 2, 2, 3, 2, 1, 1, 1, 3, 3].into_iter().enumerate() {
        let svg = fs::read_to_string(folder.path().join(format!("figure-{}.svg", i + 1))).unwrap();
        let title =
            if count == 1 { "an image".into() } else { format!("{count} images in a grid") };
        assert!(svg.contains(&format!("<title>{title}")), "{i}: {title}");
    }
}

/// What the values of a tensor are shown as, by kind and number of channels.
#[test]
fn tensors_are_shown_as_images() {
    const NAME: &str = "figures::tensors_are_shown_as_images";
    let ramp = Tensor::from_slice(&[0f32, 0.2, 0.4, 0.6, 0.8, 1.]);
    let grey = |values: &Tensor| values.view([1, 1, -1]).expand([1, 6, -1], false);
    let colour = Tensor::from_slice(&[200u8, 100, 50]).view([3, 1, 1]).expand([3, 9, 9], false);
    let unit = colour.to_kind(Kind::Float) / 255.;
    let channel = |values: [f64; 3]| Tensor::from_slice(&values).view([3, 1, 1]);
    let normalised = (&unit - channel([0.485, 0.456, 0.406])) / channel([0.229, 0.224, 0.225]);
    let with_gradient = unit.copy().set_requires_grad(true);
    let black_to_white = [0u8, 51, 102, 153, 204, 255].map(|value| [value; 3]).to_vec();
    let one = vec![[200, 100, 50]];
    let cases: Vec<(Tensor, Vec<[u8; 3]>)> = vec![
        (colour.copy(), one.clone()),
        (unit.copy(), one.clone()),
        (unit.to_kind(Kind::BFloat16), one.clone()),
        (normalised, one.clone()),
        (with_gradient, one),
        (grey(&ramp), black_to_white.clone()),
        (grey(&ramp).squeeze_dim(0), black_to_white.clone()),
        (grey(&(&ramp * 255.)).to_kind(Kind::Uint8), black_to_white.clone()),
        // Of a feature map the least is black.
        (grey(&(&ramp * 7. - 3.)), black_to_white.clone()),
        (grey(&((&ramp - 0.5) * 3e38 * 2.)), black_to_white),
        (grey(&(&ramp * 0. - 3.)), vec![[0; 3]]),
        (grey(&ramp.gt(0.5)), vec![[0; 3], [255; 3]]),
        (grey(&(&ramp * f64::NAN)), vec![[0; 3]]),
    ];
    if common::in_child(NAME) {
        cases.iter().for_each(|(tensor, _)| show_images(tensor, 1, 1, 3.).unwrap());
        let batch = Tensor::stack(&[&unit, &(&unit / 2.)], 0);
        show_images(&batch, 1, 2, 3.).unwrap();
        return show_images(batch.narrow(1, 0, 1), 1, 2, 3.).unwrap();
    }
    let folder = tempfile::tempdir().unwrap();
    common::run_in_child(NAME, &[("D2L_FIGURE_DIR", folder.path())]);
    let read =
        |i| decode(&fs::read_to_string(folder.path().join(format!("figure-{i}.svg"))).unwrap());
    for (i, (tensor, colours)) in cases.iter().enumerate() {
        let embedded = read(i + 1);
        for (place, colour) in colours.iter().enumerate() {
            // The middle of its part of the image, which has 432 pixels and half a gap before it.
            let x = 432 * (2 * place + 1) / (2 * colours.len());
            let pixel = embedded.get_pixel(x as u32, 216).0;
            let near = pixel.iter().zip(colour).all(|(&a, &b)| a.abs_diff(b) <= 4);
            assert!(near, "case {i}, {tensor:?} at {place}: {pixel:?}, not {colour:?}");
        }
    }
    for (figure, channel) in [(cases.len() + 1, 0), (cases.len() + 2, 2)] {
        let batch = read(figure);
        let values = [216, 216 + 440].map(|x| batch.get_pixel(x, 216).0[channel]);
        assert!(values[0].abs_diff(200) <= 4 && values[1].abs_diff(100) <= 4, "{values:?}");
    }
}

#[test]
fn tensors_that_are_no_images_are_errors() {
    let floats = |size: &[i64]| Tensor::zeros(size, (Kind::Float, Device::Cpu));
    for (tensor, named) in [
        (floats(&[]), "[]"),
        (floats(&[7]), "[7]"),
        (floats(&[2, 5, 5]), "[2, 5, 5]"),
        (floats(&[5, 5, 3]), "[5, 5, 3]"),
        (floats(&[4, 2, 5, 5]), "[2, 5, 5]"),
        (floats(&[1, 1, 3, 5, 5]), "[1, 1, 3, 5, 5]"),
        (floats(&[3, 0, 5]), "0"),
        (floats(&[0, 0]), "0"),
        (Tensor::zeros([3, 5, 5], (Kind::Int64, Device::Cpu)), "Int64"),
        (Tensor::zeros([3, 5, 5], (Kind::ComplexFloat, Device::Cpu)), "ComplexFloat"),
    ] {
        let error = show_images(&tensor, 9, 9, 1.).unwrap_err();
        refused("a tensor that is no image, shown", named, &error);
    }
    let error = show_images(floats(&[5, 3, 8, 8]), 2, 2, 1.).unwrap_err();
    refused("a batch with more images than places", "5 images", &error);
}

#[test]
fn a_figure_of_any_svg() {
    let svg =
        r#"<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><circle r="3"/></svg>"#;
    for before in [
        "",
        "\n  ",
        "\u{feff}",
        r#"<?xml version="1.0" encoding="utf-8"?>"#,
        "<!-- a > b <svg> -->\n",
        "<?xml version=\"1.0\"?>\n<!DOCTYPE svg PUBLIC \"-//W3C//DTD SVG 1.1//EN\" \"svg11.dtd\">\n<!-- -->",
    ] {
        assert_eq!(Figure::from_svg(format!("{before}{svg}\n")).unwrap().svg(), svg, "{before}");
    }
    let empty = r#"<svg xmlns="http://www.w3.org/2000/svg"/>"#;
    assert_eq!(Figure::from_svg(empty).unwrap().svg(), empty);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.svg");
    Figure::from_svg(svg).unwrap().save(&path).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), svg);
    let with_a_mark = svg.replace("<circle", "\nEVCXR_END_CONTENT\n<circle");
    for (text, named) in [
        ("", "no text"),
        ("figure.svg", "figure.svg"),
        ("<html><body></body></html>", "<html>"),
        ("<svgx></svgx>", "<svgx>"),
        ("<?xml version=\"1.0\"", "no text"),
        (&svg[..svg.len() - 3], "</svg>"),
        ("<svg", "<svg"),
        ("<svg></svg>", "namespace"),
        (&with_a_mark, "evcxr's marks"),
    ] {
        refused("SVG that is none, or not whole", named, &Figure::from_svg(text).unwrap_err());
    }
}

#[test]
fn a_figure_that_plotters_draws() {
    use d2l::plotters::coord::Shift;
    use d2l::plotters::prelude::*;
    let figure = Figure::draw(320, 240, |root| {
        let mut chart = ChartBuilder::on(&root)
            .caption("a <histogram>", ("sans-serif", 16))
            .set_all_label_area_size(30)
            .build_cartesian_2d((0..5).into_segmented(), 0..4)?;
        chart.configure_mesh().draw()?;
        let values = [1, 2, 2, 3, 3, 3].map(|value| (value, 1));
        chart.draw_series(Histogram::vertical(&chart).style(BLUE.filled()).data(values))?;
        chart.draw_series([Circle::new((SegmentValue::Exact(1), 2), 3, RED.filled())])?;
        Ok(())
    });
    let svg = figure.unwrap().svg().to_string();
    well_formed(&svg);
    // On white, so that it can be read on a dark page, too
    let ground = r##"width="320" height="240" opacity="1" fill="#FFFFFF""##;
    assert!(svg.contains(ground) && svg.contains("a &lt;histogram&gt;"), "{svg}");
    assert_eq!(svg.matches(r##"fill="#0000FF""##).count(), 3, "{svg}");
    assert_eq!(svg.matches("<circle").count(), 1);
    for (width, height) in [(0, 10), (10, 0), (10_001, 10), (u32::MAX, u32::MAX)] {
        let error = Figure::draw(width, height, |_| Ok(())).unwrap_err();
        refused("a figure of no size, or of one that no page holds", "Figure", &error);
    }
    let of_plotters = |root: DrawingArea<SVGBackend, Shift>| {
        ChartBuilder::on(&root).build_cartesian_2d(0..1, 0..1)?;
        Err("nothing to draw".into())
    };
    let error = Figure::draw(320, 240, of_plotters).unwrap_err();
    refused("a closure that cannot draw", "nothing to draw", &error);
    // An error of the crate's is itself.
    let error = Figure::draw(320, 240, |_| Ok(DATA_HUB.get("nothing").map(drop)?)).unwrap_err();
    assert!(error.to_string().starts_with("DATA_HUB: "), "{error}");
}
