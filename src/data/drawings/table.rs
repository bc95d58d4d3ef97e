//! What lies on the table beside the things that the drawings show, alike in both classes.

use std::f32::consts::TAU;

use rand::RngExt;

use super::ground::DYES;
use super::scene::{
    Canvas, Colour, Place, Shape, Surface, between, blend, near, one_of, smooth_noise,
};
use crate::random::Rng;

const CHINA: Colour = [0.93, 0.92, 0.89];
const STEEL: Colour = [0.66, 0.67, 0.68];
const COFFEE: Colour = [0.24, 0.14, 0.08];

const GLAZED: Surface = Surface::new(4., 0.3);

/// A colour of cloth, china or plastic.
pub(super) fn dyed(rng: &mut Rng) -> Colour {
    near(one_of(&DYES, rng), 0.2, rng)
}

/// A plate, a board, a sheet of paper or a tray, large enough for a thing of this size.
pub(super) fn dish(canvas: &mut Canvas, place: Place, size: f32, rng: &mut Rng) -> Place {
    let radius = size * between(rng, 0.56, 0.72);
    match rng.random_range(0..6) {
        0..3 => {
            let colour = if rng.random_bool(0.65) { near(CHINA, 0.08, rng) } else { dyed(rng) };
            let long = if rng.random_bool(0.3) { 1.3 } else { 1. };
            let disc = |share: f32| Shape::Ellipse { x: radius * share * long, y: radius * share };
            let rim = size * 0.03;
            canvas.shadow(place, disc(1.), rim * 2.);
            canvas.stack(place, disc(1.), rim, GLAZED, |_, _| colour);
            let well = place.up(rim);
            let surface = Surface::new(radius * 0.05, 0.2);
            canvas.cover(well, disc(between(rng, 0.66, 0.8)), surface, |_, _| {
                colour.map(|value| value * 0.95)
            });
            if rng.random_bool(0.25) {
                let line = Shape::Ring { radius: radius * 0.95, hole: radius * 0.92 };
                if long == 1. {
                    canvas.paint(well, line, dyed(rng), 0.);
                }
            }
            well
        }
        3 => {
            let wood = near([0.66, 0.47, 0.29], 0.25, rng);
            let (seed, high) = (rng.random(), size * 0.05);
            let shape = Shape::Slab { x: radius * 1.2, y: radius * 0.75, round: radius * 0.12 };
            let at = place.at(0., 0., between(rng, -0.1, 0.1));
            canvas.shadow(at, shape, high);
            canvas.stack(at, shape, high, Surface::new(3., 0.05), |u, v| {
                let grain = smooth_noise(u / 12., v, 4., seed);
                wood.map(|value| value * (1. + 0.12 * grain))
            });
            at.up(high)
        }
        4 => {
            let paper = near([0.85, 0.82, 0.76], 0.12, rng);
            let dye = dyed(rng);
            let (seed, check) = (rng.random(), rng.random_bool(0.4));
            let side = size * 0.07;
            let shape = Shape::Slab { x: radius * 1.1, y: radius * 0.85, round: 2. };
            let at = place.at(0., 0., between(rng, -0.3, 0.3));
            canvas.shadow(at, shape, 3.);
            canvas.cover(at, shape, Surface::new(2., 0.), |u, v| {
                let crease = (1. - 8. * smooth_noise(u, v, size * 0.3, seed).abs()).max(0.);
                let stripe = |t: f32| 0.4 * f32::from((t / side).rem_euclid(2.) < 1.);
                let share = if check { stripe(u) + stripe(v) } else { 0. };
                blend(paper, dye, share).map(|value| value * (1. - 0.1 * crease))
            });
            at
        }
        _ => {
            let colour = if rng.random_bool(0.5) { near(CHINA, 0.1, rng) } else { dyed(rng) };
            let high = size * 0.08;
            let (x, y) = (radius * 1.15, radius * 0.7);
            let shape = Shape::Slab { x, y, round: radius * 0.15 };
            canvas.shadow(place, shape, high);
            canvas.stack(place, shape, high, Surface::new(3., 0.1), |_, _| colour);
            let floor = Shape::Slab { x: x * 0.93, y: y * 0.9, round: radius * 0.12 };
            let dim = colour.map(|value| value * 0.86);
            canvas.paint(place.up(high), floor, dim, radius * 0.06);
            place.up(high * 0.6)
        }
    }
}

/// Cutlery, cups, napkins and the like around the middle of the table.
pub(super) fn beside(canvas: &mut Canvas, side: f32, rng: &mut Rng) {
    let middle = (canvas.width as f32 / 2., canvas.table() / 2.);
    for _ in 0..one_of(&[0, 0, 1, 1, 2, 3], rng) {
        let (sin, cos) = libm::sincosf(between(rng, 0., TAU));
        let off = between(rng, 0.75, 1.05);
        let place = Place {
            x: middle.0 * (1. + cos * off),
            y: middle.1 * (1. + sin * off),
            height: 0.,
            angle: between(rng, 0., TAU),
        };
        let things = [fork, knife, spoon, cup, cup, napkin, napkin, bottle, glass, leaf];
        one_of(&things, rng)(canvas, place, side * between(rng, 0.7, 1.1), rng);
    }
}

/// Small things that mean nothing, some of them on top of what the image shows.
pub(super) fn crumbs(canvas: &mut Canvas, side: f32, rng: &mut Rng) {
    for _ in 0..rng.random_range(0..8) {
        let place = Place {
            x: between(rng, 0., canvas.width as f32),
            y: between(rng, 0., canvas.table()),
            height: 0.,
            angle: between(rng, 0., TAU),
        };
        let kinds =
            [[0.80, 0.62, 0.36], [0.35, 0.52, 0.20], [0.93, 0.88, 0.78], [0.30, 0.20, 0.14]];
        let (colour, radius) =
            (near(one_of(&kinds, rng), 0.2, rng), side * between(rng, 0.006, 0.02));
        let shape = Shape::blob(radius, 0.12, rng);
        canvas.shadow(place, shape, radius);
        canvas.paint(place, shape, colour, radius);
    }
}

fn steel(canvas: &mut Canvas, place: Place, shape: Shape) {
    canvas.cover(place, shape, Surface::new(5., 0.7), |_, _| STEEL);
}

fn fork(canvas: &mut Canvas, place: Place, size: f32, _: &mut Rng) {
    let handle =
        Shape::Rod { length: size * 0.5, radius: size * 0.022, bend: 0., taper: 0.45, belly: 0. };
    canvas.shadow(place, Shape::rod(size * 0.8, size * 0.02), 5.);
    steel(canvas, place, handle);
    steel(
        canvas,
        place.at(size * 0.31, 0., 0.),
        Shape::Ellipse { x: size * 0.08, y: size * 0.045 },
    );
    for i in 0..4 {
        let off = size * 0.024 * (i as f32 - 1.5);
        let tine = Shape::rod(size * 0.14, size * 0.007);
        steel(canvas, place.at(size * 0.42, off, 0.), tine);
    }
}

fn knife(canvas: &mut Canvas, place: Place, size: f32, rng: &mut Rng) {
    let colour = if rng.random_bool(0.5) { STEEL } else { near([0.2, 0.14, 0.1], 0.3, rng) };
    canvas.shadow(place, Shape::rod(size * 0.8, size * 0.025), 5.);
    let blade = Shape::Slab { x: size * 0.24, y: size * 0.03, round: size * 0.028 };
    steel(canvas, place.at(size * 0.2, 0., 0.), blade);
    let handle = Shape::rod(size * 0.36, size * 0.027);
    let surface = Surface::new(size * 0.02, 0.3);
    canvas.cover(place.at(-size * 0.2, 0., 0.), handle, surface, |_, _| colour);
}

fn spoon(canvas: &mut Canvas, place: Place, size: f32, _: &mut Rng) {
    canvas.shadow(place, Shape::rod(size * 0.7, size * 0.02), 5.);
    steel(canvas, place, Shape::rod(size * 0.5, size * 0.014));
    let bowl = place.at(size * 0.34, 0., 0.);
    steel(canvas, bowl, Shape::Ellipse { x: size * 0.1, y: size * 0.065 });
    let hollow = Surface::new(size * 0.06, 0.5);
    let inner = Shape::Ellipse { x: size * 0.085, y: size * 0.052 };
    canvas.cover(bowl, inner, hollow, |_, _| STEEL.map(|value| value * 0.8));
}

/// A cup of coffee, tea or milk.
pub(super) fn cup(canvas: &mut Canvas, place: Place, size: f32, rng: &mut Rng) {
    let colour = if rng.random_bool(0.6) { near(CHINA, 0.08, rng) } else { dyed(rng) };
    let radius = size * between(rng, 0.16, 0.24);
    let high = radius * between(rng, 1., 1.8);
    canvas.shadow(place, Shape::disc(radius), high * 0.6);
    if rng.random_bool(0.6) {
        let ear = Shape::Ring { radius: radius * 0.5, hole: radius * 0.3 };
        let at = place.up(high * 0.5).at(radius * 1.2, 0., 0.);
        canvas.stack(at, ear, radius * 0.15, GLAZED, |_, _| colour);
    }
    canvas.stack(place, Shape::disc(radius), high, GLAZED, |_, _| colour);
    let drink = near(one_of(&[COFFEE, COFFEE, [0.5, 0.33, 0.2], CHINA], rng), 0.2, rng);
    let top = place.up(high);
    canvas.paint(top, Shape::disc(radius * 0.9), colour.map(|value| value * 0.6), 0.);
    let surface = Surface::new(radius * 0.1, 0.5);
    canvas.cover(top, Shape::disc(radius * 0.84), surface, |_, _| drink);
}

/// A glass of juice, water or cola.
fn glass(canvas: &mut Canvas, place: Place, size: f32, rng: &mut Rng) {
    let drinks = [[0.20, 0.09, 0.05], [0.90, 0.58, 0.14], [0.70, 0.76, 0.78], [0.84, 0.66, 0.22]];
    let drink = near(one_of(&drinks, rng), 0.15, rng);
    let radius = size * between(rng, 0.12, 0.18);
    let high = radius * between(rng, 2., 3.);
    let surface = Surface::new(radius * 0.4, 0.8);
    canvas.shadow(place, Shape::disc(radius), high * 0.5);
    canvas.stack(place, Shape::disc(radius), high * 0.8, surface, |_, _| drink);
    let light = drink.map(|value| value * 0.6 + 0.38);
    let ring = Shape::Ring { radius, hole: radius * 0.88 };
    canvas.stack(place.up(high * 0.8), ring, high * 0.2, surface, |_, _| light);
}

fn napkin(canvas: &mut Canvas, place: Place, size: f32, rng: &mut Rng) {
    let (colour, seed) = (dyed(rng), rng.random());
    let shape = Shape::Slab { x: size * 0.3, y: size * between(rng, 0.14, 0.3), round: 3. };
    for step in 0..2 {
        let at = place.at(size * 0.02 * step as f32, 0., 0.05 * step as f32);
        canvas.shadow(at, shape, 3.);
        canvas.cover(at, shape, Surface::new(3., 0.), |u, v| {
            let fold = smooth_noise(u / 2., v, size * 0.06, seed);
            colour.map(|value| value * (1. + 0.08 * fold))
        });
    }
}

/// A bottle of sauce, lying.
fn bottle(canvas: &mut Canvas, place: Place, size: f32, rng: &mut Rng) {
    let bottles = [[0.72, 0.09, 0.06], [0.93, 0.74, 0.10], [0.92, 0.90, 0.82], [0.18, 0.32, 0.16]];
    let (colour, radius) = (near(one_of(&bottles, rng), 0.1, rng), size * 0.1);
    let plastic = Surface::new(radius, 0.5);
    canvas.shadow(place, Shape::rod(size * 0.5, radius), radius);
    let neck = place.at(size * 0.34, 0., 0.);
    let tip =
        Shape::Rod { length: size * 0.2, radius: radius * 0.5, bend: 0., taper: 0.7, belly: 0. };
    canvas.cover(neck, tip, plastic, |_, _| colour);
    canvas.cover(place, Shape::rod(size * 0.42, radius), plastic, |u, _| {
        if u.abs() < size * 0.1 { colour.map(|value| value * 0.5 + 0.45) } else { colour }
    });
}

/// A leaf of lettuce.
pub(super) fn leaf(canvas: &mut Canvas, place: Place, size: f32, rng: &mut Rng) {
    let (green, seed) = (near([0.40, 0.58, 0.20], 0.2, rng), rng.random());
    let radius = size * between(rng, 0.1, 0.18);
    let shape = Shape::blob(radius, 0.13, rng);
    canvas.shadow(place, shape, size * 0.03);
    let surface = Surface::new(radius * 0.15, 0.08);
    canvas.cover(place, shape, surface, |u, v| {
        // Pale along the middle, with veins to both sides.
        let vein = ((u + v.abs()) / (radius * 0.22)).rem_euclid(1.) < 0.2;
        let ruffle = smooth_noise(u, v, radius * 0.25, seed);
        let pale = (1. - v.abs() / (radius * 0.2)).max(if vein { 0.35 } else { 0. });
        blend(green, [0.78, 0.85, 0.58], pale).map(|value| value * (1. + 0.2 * ruffle))
    });
}

/// The skin of hands: light to dark.
const SKINS: [Colour; 5] = [
    [0.91, 0.73, 0.62],
    [0.85, 0.64, 0.50],
    [0.72, 0.50, 0.36],
    [0.53, 0.35, 0.24],
    [0.36, 0.23, 0.16],
];

/// A hand that reaches in from the front and holds what lies at the place.
pub(super) fn hand(canvas: &mut Canvas, place: Place, size: f32, rng: &mut Rng) {
    let skin = near(one_of(&SKINS, rng), 0.1, rng);
    let surface = |radius: f32| Surface::new(radius, 0.06);
    // The arm comes from below, more or less; its own first axis points to the fingers' tips.
    let hand = Place { angle: -TAU / 4. + between(rng, -0.6, 0.6), ..place };
    let wide = size * between(rng, 0.05, 0.065);
    let sleeve = dyed(rng);
    let arm = hand.at(-size * 0.9, 0., 0.);
    canvas.shadow(arm, Shape::rod(size, wide * 2.), wide);
    canvas.cover(arm, Shape::rod(size * 0.9, wide * 1.6), surface(wide * 1.6), |_, _| skin);
    if rng.random_bool(0.7) {
        let cuff = arm.at(-size * 0.3, 0., 0.);
        canvas.cover(cuff, Shape::rod(size * 0.7, wide * 2.2), surface(wide * 2.), |_, _| sleeve);
    }
    let palm = hand.at(-size * 0.28, 0., 0.).up(wide);
    let back = Shape::Slab { x: size * 0.17, y: wide * 2.3, round: wide * 1.8 };
    canvas.cover(palm, back, surface(wide * 1.6), |_, _| skin);
    let thumb = hand.at(-size * 0.2, wide * 2.2, 0.35).up(wide * 1.3);
    canvas.cover(
        thumb,
        Shape::bent(size * 0.26, wide * 0.72, -0.2),
        surface(wide * 0.7),
        |_, _| skin,
    );
    for i in 0..4 {
        let off = wide * 1.15 * (i as f32 - 1.7);
        let long = size * [0.24, 0.29, 0.27, 0.22][i];
        let finger = hand.at(long * 0.5 - size * 0.17, off, 0.04 * (i as f32 - 1.5)).up(wide * 1.8);
        let shape = Shape::bent(long, wide * 0.62, between(rng, -0.06, 0.06));
        canvas.cover(finger, shape, surface(wide * 0.62), |u, v| {
            // The knuckles' folds, and the nail.
            let fold = (u / long + 0.02).abs() < 0.012 || (u / long - 0.25).abs() < 0.01;
            let nail = u > long * 0.42 && v.abs() < wide * 0.36;
            let light = if fold { 0.85 } else { 1. };
            blend(skin.map(|value| value * light), [0.92, 0.74, 0.68], if nail { 0.5 } else { 0. })
        });
    }
}
