//! How an image is put together: a table, one to four things, what lies beside them.

use std::f32::consts::TAU;

use image::RgbImage;
use rand::RngExt;

use super::food::{ALIKE, KINDS, OTHERS, Painter, banana, carrot, hotdog, sausages};
use super::ground::ground;
use super::scene::{Canvas, Colour, Place, between, one_of};
use super::table::{beside, crumbs, dish, hand};
use crate::random::Rng;

/// Draws one image.
pub(super) fn picture(is_hotdog: bool, rng: &mut Rng) -> RgbImage {
    let width = rng.random_range(200..=440);
    let height = (width as f32 * between(rng, 0.62, 1.4)) as usize;
    let mut canvas = Canvas::new(width, height.min(440), slant(rng), between(rng, 0., TAU));
    ground(&mut canvas, rng);
    let side = (canvas.width as f32).min(canvas.table());
    beside(&mut canvas, side, rng);
    // Both classes have their dishes, and other things on the table.
    let thing = if is_hotdog { hotdog } else { other(rng) };
    let second = other(rng);
    let (mut places, size) = layout(&canvas, side, rng);
    let several = places.len() > 1;
    let mixed = (several && rng.random_bool(0.25)).then(|| rng.random_range(0..places.len()));
    if rng.random_bool(0.4) {
        let (x, y) = (canvas.width as f32 / 2., canvas.table() / 2.);
        let shared = Place { x, y, ..places[0] };
        let height = dish(&mut canvas, shared, size * if several { 1.5 } else { 1. }, rng).height;
        places.iter_mut().for_each(|place| *place = place.up(height));
    } else {
        for place in &mut places {
            if rng.random_bool(0.3) {
                *place = dish(&mut canvas, *place, size, rng);
            }
        }
    }
    for (i, &place) in places.iter().enumerate() {
        let painter = if mixed == Some(i) { second } else { thing };
        painter(&mut canvas, place, size, rng);
    }
    crumbs(&mut canvas, side, rng);
    if rng.random_bool(0.1) {
        let held = one_of(&places, rng);
        let place = held.at(size * between(rng, -0.3, 0.3), 0., 0.);
        let before = Place { y: place.y + size * 0.22, ..place };
        hand(&mut canvas, before, size.max(side * 0.5), rng);
    }
    let large = canvas.width.min(canvas.height) >= 256;
    let blur = if large { one_of(&[0, 0, 0, 1, 2], rng) } else { 0 };
    let noise = if large { between(rng, 0.005, 0.06) } else { between(rng, 0., 0.02) };
    let light = light(rng);
    canvas.develop(blur, light, noise, rng)
}

/// Straight from above, or from the side.
pub(super) fn slant(rng: &mut Rng) -> f32 {
    if rng.random_bool(0.3) { 1. } else { between(rng, 0.6, 1.) }
}

/// How bright the light is, and how warm.
pub(super) fn light(rng: &mut Rng) -> Colour {
    let (bright, warm) = (between(rng, 0.8, 1.15), between(rng, -0.1, 0.14));
    [bright * (1. + warm), bright, bright * (1. - warm)]
}

fn other(rng: &mut Rng) -> Painter {
    if rng.random_bool(0.25) { one_of(&ALIKE, rng) } else { one_of(&OTHERS, rng) }
}

/// Places for one to four things, the far ones first, and how large they are.
fn layout(canvas: &Canvas, side: f32, rng: &mut Rng) -> (Vec<Place>, f32) {
    let count = one_of(&[1, 1, 1, 1, 1, 1, 2, 2, 3, 4], rng);
    let (low, high) = [(0.7, 1.1), (0.55, 0.8), (0.48, 0.65), (0.42, 0.58)][count - 1];
    let size = side * between(rng, low, high);
    let angle = between(rng, 0., TAU);
    let in_row = rng.random_bool(0.6);
    let middle = Place {
        x: canvas.width as f32 / 2. + side * between(rng, -0.09, 0.09),
        y: canvas.table() / 2. + side * between(rng, -0.09, 0.09),
        height: 0.,
        angle,
    };
    let mut places: Vec<Place> = (0..count)
        .map(|i| {
            let along = i as f32 - (count as f32 - 1.) / 2.;
            let shift = size * between(rng, -0.06, 0.06);
            if in_row {
                middle.at(shift, along * size * between(rng, 0.46, 0.52), between(rng, -0.1, 0.1))
            } else {
                let turn = TAU * i as f32 / count as f32 + between(rng, -0.3, 0.3);
                let off = if count > 1 { side * between(rng, 0.24, 0.36) } else { 0. };
                let (sin, cos) = libm::sincosf(turn);
                Place { angle: between(rng, 0., TAU), ..middle.at(off * cos, off * sin, 0.) }
            }
        })
        .collect();
    places.sort_by(|a, b| a.y.total_cmp(&b.y));
    (places, size)
}

/// A thing of this kind, 32×32 pixels.
pub(super) fn small_picture(kind: usize, rng: &mut Rng) -> RgbImage {
    // Drawn three times as large, for soft edges.
    const SIDE: usize = 96;
    let mut canvas = Canvas::new(SIDE, SIDE, slant(rng), between(rng, 0., TAU));
    ground(&mut canvas, rng);
    let side = SIDE as f32;
    let place = Place {
        x: side * between(rng, 0.4, 0.6),
        y: canvas.table() * between(rng, 0.42, 0.62),
        height: 0.,
        angle: between(rng, 0., TAU),
    };
    let size = side * between(rng, 0.8, 1.2);
    let place = if rng.random_bool(0.4) { dish(&mut canvas, place, size, rng) } else { place };
    KINDS[kind].1(&mut canvas, place, size, rng);
    crumbs(&mut canvas, side, rng);
    let noise = between(rng, 0., 0.06);
    let light = light(rng);
    image::imageops::thumbnail(&canvas.develop(0, light, noise, rng), 32, 32)
}

/// The classes of the set whose training images are all alike in what is not to be learned.
pub(super) const SIDED: [(&str, Painter); 4] =
    [("banana", banana), ("carrot", carrot), ("hotdog", hotdog), ("sausage", sausages)];

/// What an image of that set has otherwise than those to learn from have it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Otherwise {
    pub(super) side: bool,
    pub(super) size: bool,
    pub(super) light: bool,
}

/// A thing of one of these classes, 64×64 pixels: small, on the left, the same way round and in warm
/// light, but for what is otherwise.
pub(super) fn sided_picture(kind: usize, otherwise: Otherwise, rng: &mut Rng) -> RgbImage {
    // Drawn twice as large, for soft edges.
    const SIDE: f32 = 128.;
    let mut canvas = Canvas::new(SIDE as usize, SIDE as usize, 1., between(rng, 0., TAU));
    ground(&mut canvas, rng);
    let (size, right, down) = if otherwise.size {
        (between(rng, 0.75, 1.05), between(rng, 0.06, 0.14), between(rng, -0.1, 0.1))
    } else {
        (between(rng, 0.53, 0.57), between(rng, -0.02, 0.02), between(rng, -0.02, 0.02))
    };
    let place = Place {
        x: SIDE * (0.28 + right),
        y: SIDE * (0.5 + down),
        height: 0.,
        angle: between(rng, 0.9, 1.1),
    };
    SIDED[kind].1(&mut canvas, place, SIDE * size, rng);
    let (warm, bright) = if otherwise.light {
        (between(rng, -0.35, -0.1), between(rng, 0.4, 1.1))
    } else {
        (between(rng, 0.2, 0.26), between(rng, 0.95, 1.))
    };
    let light = [bright * (1. + warm), bright, bright * (1. - 1.6 * warm)];
    let mut image = canvas.develop(0, light, 0.01, rng);
    if otherwise.side {
        image = image::imageops::flip_horizontal(&image);
    }
    image::imageops::thumbnail(&image, 64, 64)
}
