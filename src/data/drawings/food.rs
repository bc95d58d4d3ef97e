//! What is in the drawings: hot dogs, and things that are none.

use std::f32::consts::{PI, TAU};

use image::RgbImage;
use rand::RngExt;

use super::scene::{Canvas, Colour, Place, Shape, smooth_noise};
use crate::random::Rng;

const BREAD: Colour = [0.82, 0.60, 0.33];
const CRUMB: Colour = [0.95, 0.86, 0.66];
const SAUSAGE: Colour = [0.66, 0.26, 0.16];
const MUSTARD: Colour = [0.93, 0.76, 0.12];
const KETCHUP: Colour = [0.78, 0.10, 0.07];
const LETTUCE: Colour = [0.42, 0.66, 0.22];
const TOMATO: Colour = [0.85, 0.22, 0.15];
const WHITE: Colour = [0.94, 0.93, 0.90];

/// Draws one image.
pub(super) fn picture(hotdog: bool, rng: &mut Rng) -> RgbImage {
    let width = rng.random_range(150..=420);
    let height = (width as f32 * between(rng, 0.62, 1.5)) as usize;
    let mut canvas = Canvas::new(width, height.min(440), between(rng, 0., TAU));
    background(&mut canvas, rng);
    let things = if rng.random_bool(0.25) { 2 } else { 1 };
    let side = canvas.width.min(canvas.height) as f32;
    for i in 0..things {
        let size = side * between(rng, 0.6, 1.05) / (things as f32).sqrt();
        let spread = if things == 2 { 0.22 * (i as f32 * 2. - 1.) } else { 0. };
        let place = Place {
            x: canvas.width as f32 * (0.5 + spread + between(rng, -0.1, 0.1)),
            y: canvas.height as f32 * (0.5 + spread + between(rng, -0.1, 0.1)),
            angle: between(rng, 0., TAU),
        };
        if rng.random_bool(0.4) {
            plate(&mut canvas, place, size, rng);
        }
        if hotdog {
            draw_hotdog(&mut canvas, place, size, rng);
        } else {
            let things =
                [burger, pizza, banana, carrot, sausages, sandwich, loaf, doughnut, pen, egg, bun];
            things[rng.random_range(0..things.len())](&mut canvas, place, size, rng);
        }
    }
    clutter(&mut canvas, side, rng);
    let (blur, exposure) = (rng.random_range(0..=3), between(rng, 0.65, 1.2));
    let noise = between(rng, 0.02, 0.14);
    canvas.develop(blur, exposure, noise, rng)
}

type Painter = fn(&mut Canvas, Place, f32, &mut Rng);

/// The kinds of things in the drawings for CIFAR-10.
pub(super) const KINDS: [(&str, Painter); 10] = [
    ("banana", banana),
    ("burger", burger),
    ("carrot", carrot),
    ("doughnut", doughnut),
    ("egg", egg),
    ("hotdog", draw_hotdog),
    ("loaf", loaf),
    ("pen", pen),
    ("pizza", pizza),
    ("sandwich", sandwich),
];

/// A thing of this kind, 32×32 pixels.
pub(super) fn small_picture(kind: usize, rng: &mut Rng) -> RgbImage {
    // Drawn three times as large, for soft edges.
    const SIDE: usize = 96;
    let mut canvas = Canvas::new(SIDE, SIDE, between(rng, 0., TAU));
    background(&mut canvas, rng);
    let side = SIDE as f32;
    let place = Place {
        x: side * between(rng, 0.38, 0.62),
        y: side * between(rng, 0.38, 0.62),
        angle: between(rng, 0., TAU),
    };
    let size = side * between(rng, 0.7, 1.1);
    if rng.random_bool(0.4) {
        plate(&mut canvas, place, size, rng);
    }
    KINDS[kind].1(&mut canvas, place, size, rng);
    clutter(&mut canvas, side, rng);
    let (blur, exposure) = (rng.random_range(0..=3), between(rng, 0.65, 1.2));
    let noise = between(rng, 0.02, 0.2);
    let picture = canvas.develop(blur, exposure, noise, rng);
    image::imageops::thumbnail(&picture, 32, 32)
}

fn between(rng: &mut Rng, low: f32, high: f32) -> f32 {
    low + (high - low) * rng.random::<f32>()
}

/// A colour near another one.
fn near(colour: Colour, spread: f32, rng: &mut Rng) -> Colour {
    let light = between(rng, 1. - spread, 1. + spread);
    colour.map(|value| (value * light + between(rng, -spread, spread) * 0.25).clamp(0.02, 1.))
}

fn any_colour(rng: &mut Rng) -> Colour {
    std::array::from_fn(|_| between(rng, 0.08, 0.95))
}

/// A table, a cloth, grass, or a plain colour.
fn background(canvas: &mut Canvas, rng: &mut Rng) {
    let (first, second) = (any_colour(rng), any_colour(rng));
    let kind = rng.random_range(0..4);
    let seed: u32 = rng.random();
    let size = between(rng, 14., 60.);
    let (sin, cos) = between(rng, 0., PI).sin_cos();
    let wood = near([0.55, 0.38, 0.24], 0.4, rng);
    let grass = near([0.30, 0.45, 0.16], 0.4, rng);
    canvas.fill(|x, y| {
        let (u, v) = (x * cos + y * sin, y * cos - x * sin);
        let rough = smooth_noise(x, y, size, seed);
        match kind {
            0 => first.map(|value| value * (1. + 0.15 * rough)),
            1 => {
                let grain = smooth_noise(u / 14., v, 3., seed);
                let gap = if (v / size).rem_euclid(1.) < 0.05 { 0.5 } else { 1. };
                wood.map(|value| value * gap * (1. + 0.18 * grain + 0.12 * rough))
            }
            2 => {
                let stripe = |t: f32| (t / size).rem_euclid(1.) < 0.5;
                let mix = 0.5 * f32::from(stripe(u)) + 0.5 * f32::from(stripe(v));
                std::array::from_fn(|c| first[c] + (second[c] - first[c]) * mix)
            }
            _ => {
                let blades = smooth_noise(x, y, 3., seed);
                grass.map(|value| value * (1. + 0.4 * blades + 0.2 * rough))
            }
        }
    });
}

/// Small things that mean nothing, in both classes.
fn clutter(canvas: &mut Canvas, side: f32, rng: &mut Rng) {
    for _ in 0..rng.random_range(0..6) {
        let place = Place {
            x: between(rng, 0., canvas.width as f32),
            y: between(rng, 0., canvas.height as f32),
            angle: between(rng, 0., TAU),
        };
        let (a, b) = (side * between(rng, 0.01, 0.07), side * between(rng, 0.01, 0.05));
        let shape = match rng.random_range(0..3) {
            0 => Shape::Ellipse { x: a, y: b },
            1 => Shape::Slab { x: a * 2., y: b, round: 1. },
            _ => Shape::Rod { length: a * 4., radius: b * 0.6, bend: 0.2, taper: 0. },
        };
        let colour = any_colour(rng);
        canvas.shadow(place, shape, 0.3);
        canvas.paint(place, shape, colour, b * 0.5);
    }
}

fn plate(canvas: &mut Canvas, place: Place, size: f32, rng: &mut Rng) {
    let colour = if rng.random_bool(0.7) { near(WHITE, 0.1, rng) } else { any_colour(rng) };
    let radius = size * between(rng, 0.55, 0.75);
    let disc = |r: f32| Shape::Ellipse { x: r, y: r };
    canvas.shadow(place, disc(radius), 0.4);
    canvas.paint(place, disc(radius), colour, radius * 0.1);
    canvas.paint(place, disc(radius * 0.72), colour.map(|value| value * 0.95), radius * 0.06);
}

/// A rod with its shadow.
fn rod(canvas: &mut Canvas, place: Place, shape: Shape, colour: Colour) {
    let Shape::Rod { radius, .. } = shape else { return };
    canvas.shadow(place, shape, 0.35);
    canvas.paint(place, shape, colour, radius * 0.7);
}

fn sauce(canvas: &mut Canvas, place: Place, length: f32, bend: f32, rng: &mut Rng) {
    let colours = [MUSTARD, KETCHUP, [0.93, 0.90, 0.80]];
    let colour = near(colours[rng.random_range(0..3)], 0.12, rng);
    let wave = Shape::Wave {
        length,
        height: length * between(rng, 0.015, 0.045),
        period: length * between(rng, 0.12, 0.3),
        radius: length * between(rng, 0.012, 0.026),
        bend,
    };
    canvas.paint(place, wave, colour, length * 0.02);
}

fn draw_hotdog(canvas: &mut Canvas, place: Place, size: f32, rng: &mut Rng) {
    let bend = between(rng, -0.16, 0.16);
    let (bread, crumb) = (near(BREAD, 0.22, rng), near(CRUMB, 0.12, rng));
    let meat = near(SAUSAGE, 0.4, rng);
    let length = size * between(rng, 0.62, 0.8);
    let radius = size * between(rng, 0.13, 0.2);
    let half = |radius| Shape::Rod { length, radius, bend, taper: 0. };
    // Seen from above the two halves are alike; from the side the near one hides more.
    let (far, close) = if rng.random_bool(0.5) { (0.75, 0.75) } else { (0.5, 1.05) };
    rod(canvas, place.at(0., -radius * far, 0.), half(radius), bread);
    rod(canvas, place.at(0., -radius * far * 0.6, 0.), half(radius * 0.8), crumb);
    if rng.random_bool(0.3) {
        let leaf = near(LETTUCE, 0.25, rng);
        let wave = Shape::Wave {
            length: length * 1.05,
            height: radius * 0.25,
            period: length * 0.13,
            radius: radius * 0.3,
            bend,
        };
        canvas.paint(place.at(0., -radius * 0.4, 0.), wave, leaf, radius * 0.2);
    }
    let thick = radius * between(rng, 0.48, 0.66);
    let long = length * between(rng, 1., 1.3);
    let sausage = Shape::Rod { length: long, radius: thick, bend, taper: 0. };
    rod(canvas, place, sausage, meat);
    rod(canvas, place.at(0., radius * close, 0.), half(radius * 0.85), bread);
    for _ in 0..rng.random_range(0..=2) {
        let off = between(rng, -0.25, 0.1) * thick;
        sauce(canvas, place.at(0., off, 0.), length * 0.95, bend, rng);
    }
}

/// A hot dog's bun with nothing in it, or with salad only.
fn bun(canvas: &mut Canvas, place: Place, size: f32, rng: &mut Rng) {
    let bend = between(rng, -0.16, 0.16);
    let (bread, crumb) = (near(BREAD, 0.22, rng), near(CRUMB, 0.12, rng));
    let (length, radius) = (size * between(rng, 0.62, 0.8), size * between(rng, 0.13, 0.2));
    let half = |radius| Shape::Rod { length, radius, bend, taper: 0. };
    rod(canvas, place.at(0., -radius * 0.6, 0.), half(radius), bread);
    rod(canvas, place.at(0., -radius * 0.35, 0.), half(radius * 0.8), crumb);
    rod(canvas, place.at(0., radius * 0.8, 0.), half(radius * 0.9), bread);
    if rng.random_bool(0.5) {
        sauce(canvas, place.at(0., radius * 0.9, 0.), length * 0.9, bend, rng);
    }
}

fn sausages(canvas: &mut Canvas, place: Place, size: f32, rng: &mut Rng) {
    let count = rng.random_range(1..=3);
    let bend = between(rng, -0.25, 0.25);
    for i in 0..count {
        let colour = near(SAUSAGE, 0.4, rng);
        let radius = size * between(rng, 0.06, 0.11);
        let shape = Shape::Rod { length: size * between(rng, 0.6, 0.95), radius, bend, taper: 0. };
        rod(canvas, place.at(0., (i as f32 - 1.) * radius * 2.3, 0.), shape, colour);
    }
    if rng.random_bool(0.4) {
        sauce(canvas, place, size * 0.6, bend, rng);
    }
}

/// A long roll with salad, tomato and cheese.
fn sandwich(canvas: &mut Canvas, place: Place, size: f32, rng: &mut Rng) {
    let (bread, leaf) = (near(BREAD, 0.22, rng), near(LETTUCE, 0.25, rng));
    let (length, radius) = (size * between(rng, 0.6, 0.8), size * between(rng, 0.13, 0.2));
    let half = Shape::Rod { length, radius, bend: 0., taper: 0. };
    rod(canvas, place.at(0., -radius * 0.75, 0.), half, bread);
    let wave = Shape::Wave {
        length: length * 1.1,
        height: radius * 0.3,
        period: length * 0.12,
        radius: radius * 0.4,
        bend: 0.,
    };
    canvas.paint(place, wave, leaf, radius * 0.2);
    for i in 0..4 {
        let slice = Shape::Ellipse { x: radius * 0.7, y: radius * 0.4 };
        let spot = place.at(length * (i as f32 / 4. - 0.38), radius * 0.15, 0.);
        canvas.paint(spot, slice, near(TOMATO, 0.2, rng), radius * 0.1);
    }
    rod(canvas, place.at(0., radius * 0.9, 0.), half, bread);
}

/// Bread with cuts across.
fn loaf(canvas: &mut Canvas, place: Place, size: f32, rng: &mut Rng) {
    let colour = near(BREAD, 0.3, rng);
    let (length, radius) = (size * between(rng, 0.5, 0.8), size * between(rng, 0.12, 0.2));
    rod(canvas, place, Shape::Rod { length, radius, bend: 0., taper: 0. }, colour);
    for i in 0..4 {
        let cut = Shape::Rod { length: radius * 1.2, radius: radius * 0.1, bend: 0.1, taper: 0. };
        let spot = place.at(length * (i as f32 / 4. - 0.38), 0., 0.9);
        canvas.paint(spot, cut, near(CRUMB, 0.1, rng), radius * 0.1);
    }
}

fn burger(canvas: &mut Canvas, place: Place, size: f32, rng: &mut Rng) {
    let (bread, meat) = (near(BREAD, 0.22, rng), near([0.36, 0.20, 0.12], 0.3, rng));
    let width = size * between(rng, 0.32, 0.45);
    let layer = |y: f32| Shape::Slab { x: width, y: size * y, round: size * y * 0.8 };
    canvas.shadow(place, Shape::Ellipse { x: width, y: width * 0.9 }, 0.35);
    canvas.paint(place.at(0., size * 0.2, 0.), layer(0.09), bread, size * 0.05);
    canvas.paint(place.at(0., size * 0.08, 0.), layer(0.07), meat, size * 0.04);
    canvas.paint(place.at(0., size * 0.01, 0.), layer(0.02), near(MUSTARD, 0.1, rng), 0.);
    let leaf = Shape::Wave {
        length: width * 2.1,
        height: size * 0.02,
        period: size * 0.12,
        radius: size * 0.03,
        bend: 0.,
    };
    canvas.paint(place.at(0., -size * 0.03, 0.), leaf, near(LETTUCE, 0.25, rng), size * 0.02);
    let dome = Shape::Ellipse { x: width, y: size * 0.17 };
    canvas.paint(place.at(0., -size * 0.14, 0.), dome, bread, size * 0.08);
}

fn pizza(canvas: &mut Canvas, place: Place, size: f32, rng: &mut Rng) {
    let radius = size * between(rng, 0.36, 0.48);
    let squash = between(rng, 0.65, 1.);
    let disc = |r: f32| Shape::Ellipse { x: r, y: r * squash };
    canvas.shadow(place, disc(radius), 0.35);
    canvas.paint(place, disc(radius), near(BREAD, 0.2, rng), radius * 0.15);
    canvas.paint(place, disc(radius * 0.85), near([0.90, 0.70, 0.35], 0.15, rng), 0.);
    let topping = if rng.random_bool(0.6) { TOMATO } else { near(LETTUCE, 0.2, rng) };
    for i in 0..rng.random_range(5..10) {
        let (angle, off) = (i as f32 * 2.4, radius * between(rng, 0.1, 0.65));
        let spot = place.at(off * angle.cos(), off * angle.sin() * squash, 0.);
        canvas.paint(spot, disc(radius * 0.14), near(topping, 0.2, rng), radius * 0.04);
    }
}

fn banana(canvas: &mut Canvas, place: Place, size: f32, rng: &mut Rng) {
    let colour = near([0.92, 0.78, 0.20], 0.2, rng);
    let bend = between(rng, 0.3, 0.6);
    for i in 0..rng.random_range(1..=3) {
        let length = size * 0.75;
        let shape = Shape::Rod { length, radius: size * 0.075, bend, taper: 0.3 };
        rod(canvas, place.at(0., i as f32 * size * 0.12, i as f32 * 0.1), shape, colour);
    }
}

fn carrot(canvas: &mut Canvas, place: Place, size: f32, rng: &mut Rng) {
    let length = size * between(rng, 0.55, 0.75);
    let shape =
        Shape::Rod { length, radius: size * between(rng, 0.07, 0.11), bend: 0., taper: 0.85 };
    for angle in [-0.5, 0., 0.5] {
        let leaf = Shape::Rod { length: size * 0.3, radius: size * 0.025, bend: 0.2, taper: 0. };
        let root = place.at(-length / 2., 0., angle).at(-size * 0.15, 0., 0.);
        canvas.paint(root, leaf, near(LETTUCE, 0.3, rng), size * 0.02);
    }
    rod(canvas, place, shape, near([0.92, 0.47, 0.12], 0.2, rng));
}

fn doughnut(canvas: &mut Canvas, place: Place, size: f32, rng: &mut Rng) {
    let radius = size * between(rng, 0.3, 0.42);
    let disc = |r: f32| Shape::Ellipse { x: r, y: r };
    canvas.shadow(place, disc(radius), 0.35);
    canvas.paint(place, disc(radius), near(BREAD, 0.2, rng), radius * 0.3);
    canvas.paint(place, disc(radius * 0.85), any_colour(rng), radius * 0.3);
    for i in 0..24 {
        let (angle, off) = (i as f32 * 2.4, radius * between(rng, 0.45, 0.75));
        let spot = place.at(off * angle.cos(), off * angle.sin(), angle * 3.);
        let crumb =
            Shape::Rod { length: radius * 0.1, radius: radius * 0.025, bend: 0., taper: 0. };
        canvas.paint(spot, crumb, any_colour(rng), 0.);
    }
    canvas.paint(place, disc(radius * 0.28), near(WHITE, 0.3, rng), 0.);
}

fn pen(canvas: &mut Canvas, place: Place, size: f32, rng: &mut Rng) {
    let (length, radius) = (size * between(rng, 0.6, 0.9), size * between(rng, 0.05, 0.1));
    let colour = any_colour(rng);
    let shape = Shape::Slab { x: length / 2., y: radius, round: radius * 0.3 };
    canvas.shadow(place, shape, 0.35);
    canvas.paint(place, shape, colour, radius * 0.7);
    let cap = Shape::Slab { x: length * 0.15, y: radius * 1.05, round: radius * 0.3 };
    canvas.paint(place.at(length * 0.35, 0., 0.), cap, any_colour(rng), radius * 0.7);
}

fn egg(canvas: &mut Canvas, place: Place, size: f32, rng: &mut Rng) {
    let radius = size * between(rng, 0.25, 0.4);
    for i in 0..5 {
        let angle = i as f32 * TAU / 5.;
        let blob = Shape::Ellipse { x: radius * 0.7, y: radius * 0.6 };
        let off = radius * between(rng, 0.25, 0.45);
        let spot = place.at(off * angle.cos(), off * angle.sin(), angle);
        canvas.paint(spot, blob, near(WHITE, 0.05, rng), radius * 0.05);
    }
    let yolk = Shape::Ellipse { x: radius * 0.38, y: radius * 0.38 };
    canvas.paint(place, yolk, near(MUSTARD, 0.1, rng), radius * 0.2);
}
