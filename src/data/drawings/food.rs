//! What is in the drawings: hot dogs, and things that are none.

use std::f32::consts::TAU;

use rand::RngExt;

use super::scene::{
    Canvas, Colour, Place, Shape, Surface, between, blend, length, near, one_of, smooth_noise,
};
use super::table::{cup, dyed, leaf};
use crate::random::Rng;

const BREAD: Colour = [0.85, 0.62, 0.35];
const BAKED: Colour = [0.62, 0.36, 0.15];
const CRUMB: Colour = [0.95, 0.88, 0.70];
const SAUSAGE: Colour = [0.64, 0.27, 0.17];
const MUSTARD: Colour = [0.92, 0.72, 0.10];
const KETCHUP: Colour = [0.74, 0.09, 0.06];
const MAYONNAISE: Colour = [0.94, 0.91, 0.80];
const LETTUCE: Colour = [0.42, 0.62, 0.20];
const TOMATO: Colour = [0.82, 0.20, 0.13];
const CHOCOLATE: Colour = [0.30, 0.17, 0.10];
const WHITE: Colour = [0.95, 0.94, 0.91];
const CHIP: Colour = [0.91, 0.74, 0.36];

/// Paints a thing of a size at a place.
pub(super) type Painter = fn(&mut Canvas, Place, f32, &mut Rng);

/// Things that are taken for hot dogs.
pub(super) const ALIKE: [Painter; 11] =
    [bun, sausages, apart, sandwich, sandwich, loaf, eclair, wrap, banana, carrot, corn];

/// Things that are not.
pub(super) const OTHERS: [Painter; 14] = [
    burger, burger, pizza, doughnut, egg, chips, salad, fruit, cookies, cake, croissant, cucumber,
    mug, pen,
];

/// The kinds of things in the drawings for CIFAR-10.
pub(super) const KINDS: [(&str, Painter); 10] = [
    ("banana", banana),
    ("burger", burger),
    ("carrot", carrot),
    ("doughnut", doughnut),
    ("egg", egg),
    ("hotdog", hotdog),
    ("loaf", loaf),
    ("pen", pen),
    ("pizza", pizza),
    ("sandwich", sandwich),
];

/// Something round with its shadow, in one colour with a few darker spots.
fn round(canvas: &mut Canvas, place: Place, shape: Shape, thick: f32, gloss: f32, colour: Colour) {
    canvas.shadow(place, shape, thick);
    let surface = Surface::new(thick, gloss);
    canvas.cover(place, shape, surface, |u, v| {
        let spots = smooth_noise(u, v, thick * 0.5, 7);
        colour.map(|value| value * (1. + 0.06 * spots))
    });
}

/// How a piece of bread is baked: a pale seam, a brown top, a rough crust.
struct Crust {
    pale: Colour,
    brown: Colour,
    seed: u32,
}

impl Crust {
    fn new(rng: &mut Rng) -> Crust {
        let baked = between(rng, 0.3, 1.);
        let pale = near(BREAD, 0.14, rng);
        Crust { pale, brown: blend(pale, near(BAKED, 0.15, rng), baked), seed: rng.random() }
    }

    /// The colour at a point; `top` is 1 on top of the bread and 0 at its edge.
    fn colour(&self, u: f32, v: f32, top: f32, size: f32) -> Colour {
        let patch = smooth_noise(u, v, size, self.seed);
        let rough = smooth_noise(u, v, 2., self.seed ^ 1);
        blend(self.pale, self.brown, (top + 0.3 * patch).clamp(0., 1.))
            .map(|value| value * (1. + 0.05 * rough))
    }

    /// A roll, or half of one.
    fn roll(&self, canvas: &mut Canvas, place: Place, shape: Shape, radius: f32) {
        let surface = Surface::new(radius, 0.10);
        canvas.cover(place, shape, surface, |u, v| {
            let top = 1. - (v / radius) * (v / radius);
            self.colour(u, v, top, radius)
        });
    }

    /// The white of a roll that was cut.
    fn cut(&self, canvas: &mut Canvas, place: Place, shape: Shape, radius: f32) {
        let pale = blend(CRUMB, self.pale, 0.25);
        let surface = Surface::new(radius * 0.6, 0.);
        canvas.cover(place, shape, surface, |u, v| {
            let pores = smooth_noise(u, v, 2.4, self.seed ^ 2);
            pale.map(|value| value * (1. + 0.07 * pores))
        });
    }
}

/// Sesame or poppy seeds on something `x` long and `y` wide.
fn seeds(canvas: &mut Canvas, place: Place, (x, y): (f32, f32), size: f32, rng: &mut Rng) {
    let colour = if rng.random_bool(0.75) { [0.96, 0.89, 0.70] } else { [0.2, 0.18, 0.17] };
    for _ in 0..rng.random_range(14..34) {
        let (sin, cos) = libm::sincosf(between(rng, 0., TAU));
        let off = between(rng, 0., 1.).sqrt();
        let spot = place.at(x * off * cos, y * off * sin, between(rng, 0., TAU));
        canvas.paint(spot, Shape::Ellipse { x: size, y: size * 0.6 }, colour, size * 0.5);
    }
}

/// The skin of a sausage: pale or red, grilled or boiled.
fn sausage(canvas: &mut Canvas, place: Place, shape: Shape, radius: f32, rng: &mut Rng) {
    let meats = [SAUSAGE, SAUSAGE, [0.76, 0.38, 0.25], [0.48, 0.20, 0.12], [0.77, 0.46, 0.33]];
    let meat = near(one_of(&meats, rng), 0.16, rng);
    let (seed, every) = (rng.random(), radius * between(rng, 1., 2.));
    let grilled = if rng.random_bool(0.45) { between(rng, 0.3, 0.65) } else { 0. };
    let lean = between(rng, -0.7, 0.7);
    let surface = Surface::new(radius, between(rng, 0.2, 0.55));
    canvas.cover(place, shape, surface, |u, v| {
        let skin = 0.10 * smooth_noise(u / 2., v, radius * 0.5, seed);
        let rough = smooth_noise(u, v, radius * 0.4, seed ^ 1);
        let mark = ((u + lean * v) / every + 0.12 * rough).rem_euclid(1.);
        let burnt = if mark < 0.3 { grilled * (1. - mark / 0.3 * 0.5) } else { 0. };
        meat.map(|value| value * (1. + skin) * (1. - burnt))
    });
}

fn sauce(canvas: &mut Canvas, place: Place, long: f32, bend: f32, rng: &mut Rng) {
    let colour = near(one_of(&[MUSTARD, MUSTARD, KETCHUP, KETCHUP, MAYONNAISE], rng), 0.08, rng);
    let radius = long * between(rng, 0.012, 0.026);
    let height = long * one_of(&[0., 0.012, 0.025, 0.04], rng);
    let period = long * between(rng, 0.1, 0.28);
    let wave = Shape::Wave { length: long, height, period, radius, bend };
    let surface = Surface::new(radius, 0.5);
    canvas.cover(place, wave, surface, |_, _| colour);
}

/// Onions, relish, cheese or herbs along a roll.
fn topping(canvas: &mut Canvas, place: Place, long: f32, wide: f32, rng: &mut Rng) {
    let kinds = [
        [0.92, 0.88, 0.80],
        [0.42, 0.52, 0.16],
        [0.95, 0.68, 0.18],
        [0.45, 0.20, 0.12],
        [0.72, 0.50, 0.26],
    ];
    let kind = one_of(&kinds, rng);
    let size = wide * between(rng, 0.16, 0.34);
    for _ in 0..rng.random_range(16..48) {
        let spot = place.at(long * between(rng, -0.5, 0.5), wide * between(rng, -0.6, 0.6), 0.);
        let piece = Place { angle: between(rng, 0., TAU), ..spot };
        let shape = Shape::bent(size * between(rng, 0.4, 1.6), size * 0.4, 0.2);
        canvas.paint(piece, shape, near(kind, 0.15, rng), size * 0.4);
    }
}

/// What a roll with something in it has: how long, thick and bent it is, and its crust.
struct Roll {
    place: Place,
    long: f32,
    radius: f32,
    bend: f32,
    crust: Crust,
}

impl Roll {
    fn new(place: Place, size: f32, rng: &mut Rng) -> Roll {
        Roll {
            place: place.facing(),
            long: size * between(rng, 0.6, 0.78),
            radius: size * between(rng, 0.1, 0.15),
            bend: between(rng, -0.14, 0.14),
            crust: Crust::new(rng),
        }
    }

    fn half(&self, share: f32) -> Shape {
        Shape::bent(self.long, self.radius * share, self.bend)
    }

    /// The half behind what is in the roll, and its cut.
    fn behind(&self, canvas: &mut Canvas, open: f32) {
        let (place, radius) = (self.place, self.radius);
        canvas.shadow(place, self.half(1.7 + open), radius);
        self.crust.roll(canvas, place.at(0., -radius * (0.75 + open), 0.), self.half(1.), radius);
        let cut = place.at(0., -radius * (0.45 + open), 0.).up(radius * 0.25);
        self.crust.cut(canvas, cut, self.half(0.82), radius);
        let floor = place.at(0., radius * 0.1, 0.).up(radius * 0.1);
        self.crust.cut(canvas, floor, self.half(0.7), radius);
    }

    /// The half before it.
    fn before(&self, canvas: &mut Canvas, open: f32, rng: &mut Rng) {
        let (place, radius) = (self.place, self.radius);
        let cut = place.at(0., radius * (0.72 + open), 0.).up(radius * 0.2);
        self.crust.cut(canvas, cut, self.half(0.86), radius);
        let half = place.at(0., radius * (0.95 + open), 0.);
        self.crust.roll(canvas, half, self.half(0.98), radius);
        if rng.random_bool(0.2) {
            let area = (self.long * 0.5, radius * 0.5);
            seeds(canvas, half.up(radius * 0.3), area, radius * 0.11, rng);
        }
    }

    /// A frill of lettuce.
    fn frill(&self, canvas: &mut Canvas, rng: &mut Rng) {
        let radius = self.radius;
        let wave = Shape::Wave {
            length: self.long * 1.02,
            height: radius * 0.2,
            period: radius * between(rng, 0.7, 1.2),
            radius: radius * 0.3,
            bend: self.bend,
        };
        let (leaf, seed) = (near(LETTUCE, 0.2, rng), rng.random());
        let place = self.place.at(0., -radius * 0.4, 0.).up(radius * 0.5);
        canvas.cover(place, wave, Surface::new(radius * 0.3, 0.1), |u, v| {
            let vein = smooth_noise(u, v, radius * 0.3, seed);
            leaf.map(|value| value * (1. + 0.25 * vein))
        });
    }
}

pub(super) fn hotdog(canvas: &mut Canvas, place: Place, size: f32, rng: &mut Rng) {
    let roll = Roll::new(place, size, rng);
    let (place, radius, long) = (roll.place, roll.radius, roll.long);
    let open = between(rng, 0., 0.35);
    roll.behind(canvas, open);
    if rng.random_bool(0.25) {
        roll.frill(canvas, rng);
    }
    let thick = radius * between(rng, 0.62, 0.85);
    let belly = between(rng, 0., 0.25);
    let meat = Shape::Rod {
        length: long * between(rng, 0.92, 1.25),
        radius: thick,
        bend: roll.bend,
        taper: 0.,
        belly,
    };
    let inside = place.up(radius * 0.6);
    canvas.shadow(inside, meat, radius * 0.3);
    sausage(canvas, inside, meat, thick, rng);
    roll.before(canvas, open, rng);
    let top = place.at(0., -thick * between(rng, 0., 0.2), 0.).up(radius * 0.6 + thick * 0.7);
    for _ in 0..one_of(&[0, 1, 1, 1, 2], rng) {
        sauce(canvas, top.at(0., thick * between(rng, -0.2, 0.2), 0.), long * 0.92, roll.bend, rng);
    }
    if rng.random_bool(0.25) {
        topping(canvas, top, long * 0.9, thick * 1.2, rng);
    }
}

/// A hot dog's bun with nothing in it, or with salad and sauce only.
fn bun(canvas: &mut Canvas, place: Place, size: f32, rng: &mut Rng) {
    let roll = Roll::new(place, size, rng);
    let open = between(rng, -0.3, 0.2);
    roll.behind(canvas, open);
    if rng.random_bool(0.3) {
        roll.frill(canvas, rng);
    }
    if rng.random_bool(0.3) {
        let inside = roll.place.up(roll.radius * 0.5);
        sauce(canvas, inside, roll.long * 0.85, roll.bend, rng);
    }
    roll.before(canvas, open, rng);
}

/// One to three sausages, with sauce or without.
pub(super) fn sausages(canvas: &mut Canvas, place: Place, size: f32, rng: &mut Rng) {
    let count = rng.random_range(1..=3);
    let bend = between(rng, -0.3, 0.3);
    for i in 0..count {
        let radius = size * between(rng, 0.06, 0.09);
        let off = (i as f32 - (count as f32 - 1.) / 2.) * size * 0.2;
        let at = place.facing().at(0., off, between(rng, -0.1, 0.1));
        let long = size * between(rng, 0.6, 0.85);
        let shape =
            Shape::Rod { length: long, radius, bend, taper: 0., belly: between(rng, 0., 0.25) };
        canvas.shadow(at, shape, radius);
        sausage(canvas, at, shape, radius, rng);
        if rng.random_bool(0.3) {
            sauce(canvas, at.up(radius * 0.7), long * 0.9, bend, rng);
        }
    }
}

/// A sausage beside its bun: is that a hot dog? Its label says that it is none.
fn apart(canvas: &mut Canvas, place: Place, size: f32, rng: &mut Rng) {
    let place = place.facing();
    let (near, far) = (place.at(0., size * 0.2, 0.), place.at(0., -size * 0.2, 0.));
    bun(canvas, far, size, rng);
    let radius = size * between(rng, 0.06, 0.09);
    let shape = Shape::bent(size * between(rng, 0.6, 0.8), radius, between(rng, -0.2, 0.2));
    canvas.shadow(near, shape, radius);
    sausage(canvas, near, shape, radius, rng);
}

/// A long roll with salad, tomato, cheese or ham.
fn sandwich(canvas: &mut Canvas, place: Place, size: f32, rng: &mut Rng) {
    let mut roll = Roll::new(place, size, rng);
    roll.bend *= 0.3;
    let open = between(rng, 0., 0.25);
    roll.behind(canvas, open);
    roll.frill(canvas, rng);
    let radius = roll.radius;
    let fillings = [
        TOMATO,
        TOMATO,
        [0.90, 0.62, 0.58],
        [0.95, 0.76, 0.28],
        [0.93, 0.90, 0.84],
        [0.55, 0.66, 0.30],
    ];
    let mut inside = roll.place.up(radius * 0.7);
    for _ in 0..rng.random_range(1..=3) {
        let filling = one_of(&fillings, rng);
        let count = rng.random_range(3..6);
        for i in 0..count {
            let along = roll.long * ((i as f32 + 0.5) / count as f32 - 0.5) * 0.95;
            let spot = inside.at(along, radius * between(rng, -0.1, 0.3), between(rng, -0.3, 0.3));
            let slice = Shape::Ellipse { x: roll.long / count as f32 * 0.62, y: radius * 0.62 };
            let surface = Surface::new(radius * 0.12, 0.15);
            let colour = near(filling, 0.12, rng);
            canvas.stack(spot, slice, radius * 0.1, surface, |_, _| colour);
        }
        inside = inside.at(0., radius * 0.12, 0.).up(radius * 0.12);
    }
    roll.before(canvas, open, rng);
}

/// Bread with cuts across.
pub(super) fn loaf(canvas: &mut Canvas, place: Place, size: f32, rng: &mut Rng) {
    let crust = Crust::new(rng);
    let (long, radius) = (size * between(rng, 0.5, 0.85), size * between(rng, 0.1, 0.18));
    let shape = Shape::Rod { length: long, radius, bend: 0., taper: 0., belly: 0.25 };
    let place = place.facing();
    canvas.shadow(place, shape, radius);
    crust.roll(canvas, place, shape, radius);
    let cuts = rng.random_range(3..7);
    for i in 0..cuts {
        let along = long * ((i as f32 + 0.5) / cuts as f32 - 0.5) * 0.9;
        let cut = Shape::Rod {
            length: radius * 1.1,
            radius: radius * 0.13,
            bend: 0.15,
            taper: 0.,
            belly: 0.9,
        };
        let colour = blend(CRUMB, crust.pale, between(rng, 0.1, 0.6));
        canvas.paint(place.at(along, 0., 0.8).up(radius * 0.5), cut, colour, radius * 0.1);
    }
}

/// A long cake with chocolate on it.
pub(super) fn eclair(canvas: &mut Canvas, place: Place, size: f32, rng: &mut Rng) {
    let crust = Crust::new(rng);
    let (long, radius) = (size * between(rng, 0.5, 0.65), size * between(rng, 0.1, 0.14));
    let place = place.facing();
    canvas.shadow(place, Shape::rod(long, radius), radius);
    crust.roll(canvas, place, Shape::rod(long, radius), radius);
    let icings = [CHOCOLATE, CHOCOLATE, CHOCOLATE, [0.93, 0.72, 0.74], WHITE];
    let icing = near(one_of(&icings, rng), 0.15, rng);
    let top = place.up(radius * 0.4);
    let surface = Surface::new(radius * 0.6, 0.3);
    canvas.cover(top, Shape::rod(long * 0.96, radius * 0.72), surface, |_, _| icing);
    if rng.random_bool(0.4) {
        let line = Shape::Wave {
            length: long * 0.9,
            height: radius * 0.4,
            period: radius * 0.9,
            radius: radius * 0.07,
            bend: 0.,
        };
        canvas.paint(top.up(radius * 0.2), line, WHITE, radius * 0.07);
    }
}

/// A wrap: a pale tube, cut, so that its filling shows at one end; some are wrapped in foil.
pub(super) fn wrap(canvas: &mut Canvas, place: Place, size: f32, rng: &mut Rng) {
    let (dough, seed) = (near([0.90, 0.80, 0.60], 0.1, rng), rng.random());
    let (long, radius) = (size * between(rng, 0.5, 0.7), size * between(rng, 0.1, 0.14));
    let place = place.facing();
    let foil = rng.random_bool(0.5);
    canvas.shadow(place, Shape::rod(long, radius), radius);
    let surface = Surface::new(radius, 0.15);
    canvas.cover(place, Shape::rod(long, radius), surface, |u, v| {
        let wrapped = foil && u < -0.05 * long;
        let spots = smooth_noise(u, v, radius * 0.4, seed);
        let crease = smooth_noise(u / 2., v, radius * 0.3, seed ^ 1);
        let toasted = if spots > 0.45 { 0.75 } else { 1. };
        if wrapped {
            [0.70, 0.71, 0.72].map(|value| value * (1. + 0.3 * crease))
        } else {
            dough.map(|value| value * toasted)
        }
    });
    let end = place.at(long * 0.5, 0., 0.);
    canvas.paint(end, Shape::Ellipse { x: radius * 0.6, y: radius * 0.85 }, CRUMB, radius * 0.1);
    for colour in [LETTUCE, TOMATO, [0.55, 0.33, 0.2], LETTUCE] {
        let spot = end.at(radius * between(rng, -0.3, 0.2), radius * between(rng, -0.5, 0.5), 0.);
        canvas.paint(spot, Shape::blob(radius * 0.28, 0.15, rng), near(colour, 0.2, rng), 2.);
    }
}

pub(super) fn banana(canvas: &mut Canvas, place: Place, size: f32, rng: &mut Rng) {
    let colour = near([0.90, 0.76, 0.22], 0.12, rng);
    let (bend, seed) = (between(rng, 0.35, 0.65), rng.random());
    let count = rng.random_range(1..=3);
    for i in 0..count {
        let (long, radius) = (size * 0.66, size * between(rng, 0.065, 0.085));
        let turn = 0.12 * i as f32;
        let at = place.at(0., (i as f32 - count as f32 * 0.5 + 0.5) * size * 0.13, turn);
        curved(canvas, at, (long, radius, bend), colour, seed);
    }
}

/// One banana: yellow, green or with brown spots, bent either way, with its stem.
pub(super) fn one_banana(canvas: &mut Canvas, place: Place, size: f32, rng: &mut Rng) {
    let ripe = one_of(&[[0.90, 0.76, 0.22], [0.93, 0.80, 0.20], [0.74, 0.76, 0.24]], rng);
    let (colour, seed) = (near(ripe, 0.1, rng), rng.random());
    let (long, radius) = (size * between(rng, 0.58, 0.7), size * between(rng, 0.075, 0.1));
    let bend = between(rng, 0.3, 0.65);
    let stem = place.at(-long * 0.5 - radius * 0.5, bend * long * 0.25, -bend * 0.9);
    let brown = colour.map(|value| value * 0.55);
    canvas.paint(stem, Shape::rod(radius * 0.9, radius * 0.3), brown, radius * 0.3);
    curved(canvas, place, (long, radius, bend), colour, seed);
}

/// A banana's body: how long, thick and bent it is.
fn curved(
    canvas: &mut Canvas,
    place: Place,
    (long, radius, bend): (f32, f32, f32),
    colour: Colour,
    seed: u32,
) {
    let shape = Shape::Rod { length: long, radius, bend, taper: 0.1, belly: 0.45 };
    canvas.shadow(place, shape, radius);
    canvas.cover(place, shape, Surface::new(radius, 0.12), |u, v| {
        let freckle = smooth_noise(u / 2., v, radius * 0.3, seed);
        let ripe = if freckle > 0.6 { 0.6 } else { 1. };
        let tip = if u.abs() > long * 0.5 { 0.45 } else { 1. };
        colour.map(|value| value * ripe * tip)
    });
}

/// As yellow and as long as a banana, but straight.
pub(super) fn courgette(canvas: &mut Canvas, place: Place, size: f32, rng: &mut Rng) {
    let (colour, seed) = (near([0.90, 0.75, 0.20], 0.1, rng), rng.random());
    let (long, radius) = (size * between(rng, 0.5, 0.7), size * between(rng, 0.06, 0.1));
    let shape = Shape::Rod { length: long, radius, bend: 0., taper: 0.25, belly: 0. };
    canvas.shadow(place, shape, radius);
    canvas.cover(place, shape, Surface::new(radius, 0.25), |u, v| {
        let stripe = smooth_noise(u / 12., v, radius * 0.3, seed);
        colour.map(|value| value * (1. + 0.1 * stripe))
    });
    let stem = place.at(long * 0.5 + radius, 0., 0.);
    canvas.paint(stem, Shape::rod(radius, radius * 0.5), [0.45, 0.55, 0.18], radius * 0.4);
}

pub(super) fn carrot(canvas: &mut Canvas, place: Place, size: f32, rng: &mut Rng) {
    let (long, radius) = (size * between(rng, 0.5, 0.68), size * between(rng, 0.06, 0.1));
    let shape =
        Shape::Rod { length: long, radius, bend: between(rng, -0.1, 0.1), taper: 0.85, belly: 0. };
    for i in 0..5 {
        let leaf = Shape::bent(size * between(rng, 0.18, 0.28), size * 0.013, 0.25);
        let root = place.at(-long * 0.52, 0., 0.3 * (i as f32 - 2.)).at(-size * 0.11, 0., 0.);
        canvas.paint(root, leaf, near([0.30, 0.50, 0.16], 0.25, rng), size * 0.012);
    }
    canvas.shadow(place, shape, radius);
    let (colour, seed) = (near([0.88, 0.45, 0.12], 0.12, rng), rng.random());
    canvas.cover(place, shape, Surface::new(radius, 0.15), |u, v| {
        let groove = smooth_noise(u, v / 5., radius * 0.25, seed);
        colour.map(|value| value * if groove > 0.55 { 0.78 } else { 1. })
    });
}

/// A cob of corn.
pub(super) fn corn(canvas: &mut Canvas, place: Place, size: f32, rng: &mut Rng) {
    let (long, radius) = (size * between(rng, 0.45, 0.62), size * between(rng, 0.08, 0.11));
    let shape = Shape::Rod { length: long, radius, bend: 0., taper: 0.25, belly: 0.15 };
    for side in [-1., 1.] {
        let husk = Shape::Rod {
            length: size * 0.4,
            radius: radius * 0.7,
            bend: 0.3,
            taper: 0.8,
            belly: 0.,
        };
        let at = place.at(-long * 0.4, side * radius * 0.6, 0.25 * side);
        round(canvas, at, husk, radius * 0.6, 0.05, near([0.56, 0.66, 0.30], 0.15, rng));
    }
    canvas.shadow(place, shape, radius);
    let colour = near([0.93, 0.76, 0.24], 0.1, rng);
    let grain = radius * 0.42;
    canvas.cover(place, shape, Surface::new(radius, 0.2), |u, v| {
        let edge = |t: f32| (t / grain - (t / grain).floor() - 0.5).abs();
        let gap = edge(u).max(edge(v));
        colour.map(|value| value * if gap > 0.4 { 0.7 } else { 1. })
    });
}

fn burger(canvas: &mut Canvas, place: Place, size: f32, rng: &mut Rng) {
    let crust = Crust::new(rng);
    let radius = size * between(rng, 0.28, 0.4);
    let flat = |colour: Colour| move |_: f32, _: f32| colour;
    canvas.shadow(place, Shape::disc(radius), radius * 0.5);
    let dull = Surface::new(3., 0.05);
    canvas.stack(place, Shape::disc(radius), radius * 0.25, dull, flat(crust.pale));
    let mut at = place.up(radius * 0.25);
    let salad = Shape::blob(radius * 1.06, 0.05, rng);
    canvas.stack(at, salad, radius * 0.06, dull, flat(near(LETTUCE, 0.2, rng)));
    at = at.up(radius * 0.06);
    let meat = Shape::blob(radius * 1.02, 0.02, rng);
    canvas.stack(at, meat, radius * 0.24, dull, flat(near([0.33, 0.19, 0.12], 0.2, rng)));
    at = at.up(radius * 0.24);
    let cheese = Shape::Slab { x: radius * 0.86, y: radius * 0.86, round: 3. };
    let turned = at.at(0., 0., between(rng, 0., TAU));
    canvas.stack(turned, cheese, 2., dull, flat(near([0.94, 0.66, 0.16], 0.1, rng)));
    if rng.random_bool(0.6) {
        let slice = Shape::disc(radius * 0.9);
        canvas.stack(at, slice, radius * 0.08, dull, flat(near(TOMATO, 0.12, rng)));
        at = at.up(radius * 0.08);
    }
    // The upper half: discs that grow smaller.
    let high = radius * between(rng, 0.45, 0.65);
    for i in 0..30 {
        let (share, steep) = libm::sincosf(i as f32 / 30. * TAU / 4.);
        let surface = Surface::new(0., 0.15).side(steep);
        canvas.cover(at.up(high * share), Shape::disc(radius * steep), surface, |u, v| {
            let top = 1. - (u * u + v * v) / (radius * radius);
            crust.colour(u, v, top, radius * 0.4)
        });
    }
    if rng.random_bool(0.6) {
        let area = radius * 0.65;
        seeds(canvas, at.up(high * 0.8), (area, area), radius * 0.045, rng);
    }
}

/// A whole pizza, or a slice.
fn pizza(canvas: &mut Canvas, place: Place, size: f32, rng: &mut Rng) {
    let crust = Crust::new(rng);
    let radius = size * between(rng, 0.36, 0.5);
    let (cheese, seed) = (near([0.92, 0.74, 0.38], 0.1, rng), rng.random());
    let surface = Surface::new(radius * 0.06, 0.1);
    canvas.shadow(place, Shape::disc(radius), radius * 0.1);
    canvas.stack(place, Shape::blob(radius, 0.015, rng), radius * 0.08, surface, |u, v| {
        crust.colour(u, v, 0.7, radius * 0.15)
    });
    let top = place.up(radius * 0.08);
    canvas.cover(top, Shape::blob(radius * 0.87, 0.02, rng), surface, |u, v| {
        let melt = smooth_noise(u, v, radius * 0.13, seed);
        let red = (melt - 0.1).clamp(0., 0.5) * 1.4;
        blend(cheese, [0.78, 0.28, 0.12], red)
    });
    let toppings = [[0.70, 0.18, 0.12], TOMATO, [0.36, 0.50, 0.18], [0.16, 0.14, 0.14], MAYONNAISE];
    for kind in [one_of(&toppings, rng), one_of(&toppings, rng)] {
        for i in 0..rng.random_range(4..10) {
            let (sin, cos) = libm::sincosf(i as f32 * 2.4 + between(rng, 0., 0.6));
            let off = radius * between(rng, 0.1, 0.7);
            let piece = Shape::disc(radius * between(rng, 0.08, 0.13));
            canvas.paint(
                top.at(off * cos, off * sin, 0.),
                piece,
                near(kind, 0.12, rng),
                radius * 0.04,
            );
        }
    }
    if rng.random_bool(0.5) {
        for i in 0..4 {
            let cut = Shape::Slab { x: radius, y: 0.8, round: 0. };
            canvas.paint(top.at(0., 0., TAU / 8. * i as f32), cut, [0.5, 0.3, 0.15], 0.);
        }
    }
}

pub(super) fn doughnut(canvas: &mut Canvas, place: Place, size: f32, rng: &mut Rng) {
    let crust = Crust::new(rng);
    let (radius, inner) = (size * between(rng, 0.28, 0.38), between(rng, 0.28, 0.36));
    let ring = Shape::Ring { radius, hole: radius * inner };
    let thick = radius * (1. - inner) / 2.;
    canvas.shadow(place, ring, thick);
    let surface = Surface::new(thick, 0.12);
    canvas.stack(place, ring, thick * 0.5, surface, |u, v| crust.colour(u, v, 0.6, radius * 0.3));
    if rng.random_bool(0.75) {
        let icings = [CHOCOLATE, [0.92, 0.62, 0.68], WHITE, [0.78, 0.50, 0.24]];
        let icing = near(one_of(&icings, rng), 0.12, rng);
        let glaze = Shape::Ring { radius: radius * 0.94, hole: radius * (inner + 0.07) };
        let top = place.up(thick * 0.65);
        canvas.cover(top, glaze, Surface::new(thick * 0.8, 0.4), |_, _| icing);
        if rng.random_bool(0.6) {
            let sprinkles = [WHITE, KETCHUP, MUSTARD, [0.3, 0.5, 0.75], [0.92, 0.55, 0.65]];
            for i in 0..30 {
                let (sin, cos) = libm::sincosf(i as f32 * 2.4);
                let off = radius * between(rng, inner + 0.14, 0.86);
                let spot = top.at(off * cos, off * sin, between(rng, 0., TAU));
                let shape = Shape::rod(radius * 0.07, radius * 0.018);
                canvas.paint(spot, shape, one_of(&sprinkles, rng), 0.);
            }
        }
    }
}

/// A fried egg.
pub(super) fn egg(canvas: &mut Canvas, place: Place, size: f32, rng: &mut Rng) {
    let radius = size * between(rng, 0.24, 0.36);
    let (white, seed) = (near(WHITE, 0.03, rng), rng.random());
    let shape = Shape::blob(radius, 0.08, rng);
    canvas.shadow(place, shape, radius * 0.06);
    let brown = between(rng, 0., 0.5);
    canvas.cover(place, shape, Surface::new(radius * 0.12, 0.25), |u, v| {
        let off = length(u, v) / radius;
        let edge = ((off - 0.85) * 5. + 0.5 * smooth_noise(u, v, radius * 0.1, seed)).clamp(0., 1.);
        blend(white, [0.65, 0.42, 0.20], edge * brown)
    });
    let yolk = place.at(radius * between(rng, -0.2, 0.2), radius * between(rng, -0.2, 0.2), 0.);
    let disc = Shape::disc(radius * between(rng, 0.34, 0.44));
    let colour = near([0.96, 0.66, 0.10], 0.08, rng);
    let surface = Surface::new(radius * 0.3, 0.6);
    canvas.cover(yolk.up(radius * 0.05), disc, surface, |_, _| colour);
}

/// A heap of chips.
pub(super) fn chips(canvas: &mut Canvas, place: Place, size: f32, rng: &mut Rng) {
    canvas.shadow(place, Shape::disc(size * 0.3), size * 0.06);
    for i in 0..rng.random_range(16..36) {
        let (sin, cos) = libm::sincosf(i as f32 * 2.4);
        let off = size * 0.28 * between(rng, 0., 1.).sqrt();
        let heap = size * 0.12 * (1. - off / (size * 0.28)) + size * 0.02;
        let at = place.at(off * cos, off * sin, between(rng, 0., TAU)).up(heap);
        let (x, y) = (size * between(rng, 0.09, 0.17), size * between(rng, 0.022, 0.03));
        let shape = Shape::Slab { x, y, round: y * 0.5 };
        let colour = near(CHIP, 0.12, rng);
        canvas.shadow(at, shape, y);
        canvas.stack(at, shape, y, Surface::new(y * 0.6, 0.08), |_, _| colour);
    }
}

/// Leaves, tomatoes and cucumber.
fn salad(canvas: &mut Canvas, place: Place, size: f32, rng: &mut Rng) {
    for _ in 0..10 {
        let spot = place.at(size * between(rng, -0.2, 0.2), size * between(rng, -0.2, 0.2), 0.);
        leaf(canvas, spot, size * 0.9, rng);
    }
    for _ in 0..rng.random_range(2..7) {
        let spot = place.at(size * between(rng, -0.22, 0.22), size * between(rng, -0.22, 0.22), 0.);
        let colour = near(one_of(&[TOMATO, [0.70, 0.80, 0.48], MAYONNAISE], rng), 0.12, rng);
        let radius = size * between(rng, 0.05, 0.08);
        round(canvas, spot.up(radius * 0.5), Shape::disc(radius), radius * 0.6, 0.25, colour);
    }
}

/// Apples, oranges, tomatoes.
pub(super) fn fruit(canvas: &mut Canvas, place: Place, size: f32, rng: &mut Rng) {
    let kinds = [[0.72, 0.12, 0.10], [0.55, 0.66, 0.18], [0.90, 0.52, 0.10], [0.85, 0.70, 0.25]];
    let colour = near(one_of(&kinds, rng), 0.15, rng);
    let (radius, seed) = (size * between(rng, 0.22, 0.34), rng.random());
    let at = place.up(radius * 0.6);
    canvas.shadow(place, Shape::disc(radius * 0.9), radius);
    // A ball is as round from any side as a rod without length.
    let ball = Shape::rod(1., radius);
    canvas.cover(at, ball, Surface::new(radius, 0.4), |u, v| {
        let streak = smooth_noise(u, v / 4., radius * 0.15, seed);
        colour.map(|value| value * (1. + 0.12 * streak))
    });
    let stem = Shape::bent(radius * 0.4, radius * 0.05, 0.3);
    canvas.paint(at.up(radius * 0.8), stem, [0.28, 0.2, 0.12], radius * 0.05);
}

pub(super) fn cookies(canvas: &mut Canvas, place: Place, size: f32, rng: &mut Rng) {
    let crust = Crust::new(rng);
    for i in 0..rng.random_range(1..=4) {
        let (sin, cos) = libm::sincosf(i as f32 * 2.1);
        let off = if i == 0 { 0. } else { size * 0.25 };
        let radius = size * between(rng, 0.17, 0.24);
        let at = place.at(off * cos, off * sin, between(rng, 0., TAU));
        let shape = Shape::blob(radius, 0.03, rng);
        canvas.shadow(at, shape, radius * 0.2);
        canvas.stack(at, shape, radius * 0.15, Surface::new(radius * 0.4, 0.05), |u, v| {
            crust.colour(u, v, 0.5, radius * 0.3)
        });
        for _ in 0..rng.random_range(4..10) {
            let spot =
                at.at(radius * between(rng, -0.6, 0.6), radius * between(rng, -0.6, 0.6), 0.);
            let chip = Shape::blob(radius * between(rng, 0.06, 0.12), 0.15, rng);
            canvas.paint(spot.up(radius * 0.15), chip, near(CHOCOLATE, 0.15, rng), radius * 0.08);
        }
    }
}

/// A cake with icing, round or a bar.
fn cake(canvas: &mut Canvas, place: Place, size: f32, rng: &mut Rng) {
    let radius = size * between(rng, 0.22, 0.34);
    let shape = if rng.random_bool(0.5) {
        Shape::disc(radius)
    } else {
        Shape::Slab { x: radius * 1.2, y: radius * 0.7, round: 2. }
    };
    let icings = [CHOCOLATE, WHITE, [0.90, 0.66, 0.70], [0.88, 0.80, 0.60]];
    let (icing, dough) =
        (near(one_of(&icings, rng), 0.1, rng), near([0.78, 0.58, 0.33], 0.25, rng));
    let (layer, dull) = (radius * between(rng, 0.14, 0.22), Surface::new(3., 0.05));
    canvas.shadow(place, shape, layer * 3.);
    let mut at = place;
    for colour in [dough, icing, dough, icing] {
        canvas.stack(at, shape, layer, dull, |_, _| colour);
        at = at.up(layer);
    }
    for i in 0..one_of(&[0, 6, 8], rng) {
        let (sin, cos) = libm::sincosf(i as f32 * 0.8);
        let berry = near(one_of(&[KETCHUP, [0.25, 0.2, 0.4], WHITE], rng), 0.15, rng);
        let spot = at.at(radius * 0.55 * cos, radius * 0.5 * sin, 0.);
        round(canvas, spot, Shape::disc(radius * 0.13), radius * 0.12, 0.4, berry);
    }
}

pub(super) fn croissant(canvas: &mut Canvas, place: Place, size: f32, rng: &mut Rng) {
    let crust = Crust::new(rng);
    let (long, radius) = (size * between(rng, 0.5, 0.65), size * between(rng, 0.12, 0.16));
    let bend = between(rng, 0.35, 0.6);
    let shape = Shape::Rod { length: long, radius, bend, taper: 0., belly: 0.62 };
    canvas.shadow(place, shape, radius);
    let step = long / between(rng, 5., 8.);
    canvas.cover(place, shape, Surface::new(radius, 0.25), |u, v| {
        let fold = (u + 0.35 * v * if u < 0. { 1. } else { -1. }) / step;
        let dark = fold - fold.floor();
        crust.colour(u, v, 0.25 + 0.75 * dark, radius).map(|value| value * (0.65 + 0.45 * dark))
    });
}

/// A cucumber, whole or in slices.
pub(super) fn cucumber(canvas: &mut Canvas, place: Place, size: f32, rng: &mut Rng) {
    let (long, radius) = (size * between(rng, 0.4, 0.7), size * between(rng, 0.06, 0.09));
    let (skin, seed) = (near([0.20, 0.36, 0.14], 0.2, rng), rng.random());
    let shape = Shape::bent(long, radius, between(rng, -0.15, 0.15));
    canvas.shadow(place, shape, radius);
    canvas.cover(place, shape, Surface::new(radius, 0.25), |u, v| {
        let stripe = smooth_noise(u / 12., v, radius * 0.3, seed);
        skin.map(|value| value * (1. + 0.3 * stripe))
    });
    for i in 0..rng.random_range(0..5) {
        let at =
            place.at(long * 0.5 + radius * (0.8 + 0.9 * i as f32), radius * 0.3 * i as f32, 0.);
        let disc = Shape::disc(radius);
        canvas.shadow(at, disc, 2.);
        canvas.paint(at, disc, skin, 0.);
        canvas.paint(at, Shape::disc(radius * 0.9), near([0.74, 0.83, 0.55], 0.06, rng), 0.);
    }
}

fn mug(canvas: &mut Canvas, place: Place, size: f32, rng: &mut Rng) {
    cup(canvas, place, size * 1.5, rng);
}

pub(super) fn pen(canvas: &mut Canvas, place: Place, size: f32, rng: &mut Rng) {
    let (long, radius) = (size * between(rng, 0.6, 0.85), size * between(rng, 0.025, 0.05));
    let (body, cap) = (dyed(rng), dyed(rng));
    let plastic = Surface::new(radius, 0.5);
    canvas.shadow(place, Shape::rod(long, radius), radius);
    let tip =
        Shape::Rod { length: radius * 3., radius: radius * 0.8, bend: 0., taper: 0.9, belly: 0. };
    canvas
        .cover(place.at(-long * 0.5 - radius, 0., TAU / 2.), tip, plastic, |_, _| [0.3, 0.3, 0.3]);
    canvas.cover(place, Shape::rod(long, radius), plastic, |_, _| body);
    canvas.cover(
        place.at(long * 0.36, 0., 0.),
        Shape::rod(long * 0.26, radius * 1.1),
        plastic,
        |_, _| cap,
    );
}
