//! A canvas and the shapes that are drawn on it, each by its distance function.
//!
//! Sine and cosine are `libm`'s, and nothing else here is left to the system's own mathematics: all
//! machines draw the same bits.

use std::f32::consts::TAU;

use image::{Rgb, RgbImage};
use rand::RngExt;

use crate::random::Rng;

/// Red, green and blue from 0 to 1.
pub(super) type Colour = [f32; 3];

/// A shape around the origin. Lengths are pixels.
#[derive(Clone, Copy)]
pub(super) enum Shape {
    /// A bent rod with round ends. `taper` 1 makes a point at its right end, `belly` at both ends.
    Rod { length: f32, radius: f32, bend: f32, taper: f32, belly: f32 },
    /// A line in waves, bent like a rod.
    Wave { length: f32, height: f32, period: f32, radius: f32, bend: f32 },
    /// An ellipse that lies on the table.
    Ellipse { x: f32, y: f32 },
    /// A box with round corners that lies on the table.
    Slab { x: f32, y: f32, round: f32 },
    /// A ring that lies on the table.
    Ring { radius: f32, hole: f32 },
    /// A disc that is not quite round, and lies on the table.
    Blob { radius: f32, waves: [f32; 4] },
}

pub(super) fn length(x: f32, y: f32) -> f32 {
    (x * x + y * y).sqrt()
}

impl Shape {
    /// A straight rod.
    pub fn rod(length: f32, radius: f32) -> Shape {
        Shape::bent(length, radius, 0.)
    }

    pub fn bent(length: f32, radius: f32, bend: f32) -> Shape {
        Shape::Rod { length, radius, bend, taper: 0., belly: 0. }
    }

    pub fn disc(radius: f32) -> Shape {
        Shape::Ellipse { x: radius, y: radius }
    }

    pub fn blob(radius: f32, uneven: f32, rng: &mut Rng) -> Shape {
        Shape::Blob { radius, waves: std::array::from_fn(|_| between(rng, -uneven, uneven)) }
    }

    /// The distance to the edge, negative inside; near enough for an edge of one pixel.
    fn distance(self, x: f32, y: f32) -> f32 {
        match self {
            Shape::Rod { length: long, radius, bend, taper, belly } => {
                let along = (x / long + 0.5).clamp(0., 1.);
                let middle = 2. * along - 1.;
                let beyond = (x.abs() - long / 2.).max(0.);
                let thick = radius * (1. - taper * along - belly * middle * middle);
                length(beyond, y - curve(x, long, bend)) - thick
            }
            Shape::Wave { length: long, height, period, radius, bend } => {
                let (sin, cos) = libm::sincosf(x / period * TAU);
                let slope = height * TAU / period * cos;
                let off = y - curve(x, long, bend) - height * sin;
                let beyond = (x.abs() - long / 2.).max(0.);
                length(beyond, off / (1. + slope * slope).sqrt()) - radius
            }
            Shape::Ellipse { x: rx, y: ry } => (length(x / rx, y / ry) - 1.) * rx.min(ry),
            Shape::Slab { x: half_x, y: half_y, round } => {
                let (dx, dy) = (x.abs() - half_x + round, y.abs() - half_y + round);
                length(dx.max(0.), dy.max(0.)) + dx.max(dy).min(0.) - round
            }
            Shape::Ring { radius, hole } => {
                (length(x, y) - (radius + hole) / 2.).abs() - (radius - hole) / 2.
            }
            Shape::Blob { radius, waves: [a, b, c, d] } => {
                let off = length(x, y).max(1e-3);
                let (cos, sin) = (x / off, y / off);
                let two = a * (cos * cos - sin * sin) + b * 2. * sin * cos;
                let three = c * cos * (4. * cos * cos - 3.) + d * sin * (3. - 4. * sin * sin);
                off - radius * (1. + two + three)
            }
        }
    }

    /// A radius around the origin that holds the shape.
    pub fn reach(self) -> f32 {
        match self {
            Shape::Rod { length, radius, bend, .. } => length / 2. * (1. + bend.abs()) + radius,
            Shape::Wave { length, height, radius, bend, .. } => {
                length / 2. * (1. + bend.abs()) + height + radius
            }
            Shape::Ellipse { x, y } => x.max(y),
            Shape::Slab { x, y, .. } => length(x, y),
            Shape::Ring { radius, .. } => radius,
            Shape::Blob { radius, waves } => {
                radius * (1. + waves.iter().map(|wave| wave.abs()).sum::<f32>())
            }
        }
    }
}

/// How far a bent rod's middle line is off the straight one.
fn curve(x: f32, length: f32, bend: f32) -> f32 {
    let t = (2. * x / length).clamp(-1., 1.);
    bend * length / 2. * (t * t - 0.5)
}

/// Where an object lies on the table, how high above it, and how it is turned.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub x: f32,
    pub y: f32,
    pub height: f32,
    pub angle: f32,
}

impl Place {
    /// A place `(x, y)` away in this place's own coordinates, turned further by `angle`.
    pub fn at(self, x: f32, y: f32, angle: f32) -> Place {
        let (sin, cos) = libm::sincosf(self.angle);
        Place {
            x: self.x + x * cos - y * sin,
            y: self.y + x * sin + y * cos,
            angle: self.angle + angle,
            ..self
        }
    }

    pub fn up(self, height: f32) -> Place {
        Place { height: self.height + height, ..self }
    }

    /// The same, turned so that its second axis points to who looks at it.
    pub fn facing(self) -> Place {
        let turn = if libm::cosf(self.angle) < 0. { TAU / 2. } else { 0. };
        Place { angle: self.angle + turn, ..self }
    }
}

/// A shape as it is seen: where on the image, and the way from there to its own coordinates.
struct Seen {
    shape: Shape,
    x: f32,
    y: f32,
    sin: f32,
    cos: f32,
    slant: f32,
}

impl Seen {
    fn own(&self, column: usize, row: usize) -> (f32, f32) {
        let (dx, dy) = (column as f32 - self.x, (row as f32 - self.y) / self.slant);
        (dx * self.cos + dy * self.sin, dy * self.cos - dx * self.sin)
    }
}

/// What a shape's surface is like.
#[derive(Clone, Copy)]
pub(super) struct Surface {
    /// How many pixels its edge is rounded; 0 is flat.
    pub depth: f32,
    /// How bright the light is mirrored.
    pub gloss: f32,
    /// How steep its edge is; 1 is upright.
    pub steep: f32,
}

impl Surface {
    pub const fn new(depth: f32, gloss: f32) -> Surface {
        Surface { depth, gloss, steep: 0.97 }
    }

    /// The same all over as its edge: what is seen of it is a side.
    pub fn side(self, steep: f32) -> Surface {
        Surface { depth: 1e4, steep, ..self }
    }
}

/// An image being painted.
pub(super) struct Canvas {
    pub width: usize,
    pub height: usize,
    /// The sine of the angle at which the table is seen; 1 is straight from above.
    pub slant: f32,
    pixels: Vec<Colour>,
    /// Towards the light.
    light: [f32; 3],
    /// First and last column and row that a shape has covered by half or more, since `mark`.
    marked: Option<[usize; 4]>,
}

impl Canvas {
    pub fn new(width: usize, height: usize, slant: f32, light: f32) -> Canvas {
        let (y, x) = libm::sincosf(light);
        let light = [x * 0.66, y * 0.66, 0.75];
        let pixels = vec![[0.; 3]; width * height];
        Canvas { width, height, slant, pixels, light, marked: None }
    }

    /// Paints with `paint`, and says in which rectangle it has covered pixels by half or more: left, top,
    /// and right and bottom one further than the last. Shadows do not count. `None` if it covered none.
    pub fn bounds_of(&mut self, paint: impl FnOnce(&mut Canvas)) -> Option<[usize; 4]> {
        self.marked = None;
        paint(self);
        self.marked.map(|[left, top, right, bottom]| [left, top, right + 1, bottom + 1])
    }

    /// How much of the table is seen from front to back.
    pub fn table(&self) -> f32 {
        self.height as f32 / self.slant
    }

    /// Paints the background: a colour for each point of the table.
    pub fn fill(&mut self, colour: impl Fn(f32, f32) -> Colour) {
        for (i, pixel) in self.pixels.iter_mut().enumerate() {
            let (column, row) = (i % self.width, i / self.width);
            *pixel = colour(column as f32, row as f32 / self.slant);
        }
    }

    /// What lies flat is shortened from front to back. What is round keeps its thickness, and
    /// is turned and shortened along its length.
    fn seen(&self, place: Place, shape: Shape) -> Seen {
        let (sin, cos) = libm::sincosf(place.angle);
        let lift = place.height * (1. - self.slant * self.slant).sqrt();
        let (x, y) = (place.x, place.y * self.slant - lift);
        let shorter = length(cos, sin * self.slant);
        let round = |shape| Seen {
            shape,
            x,
            y,
            sin: sin * self.slant / shorter,
            cos: cos / shorter,
            slant: 1.,
        };
        let bending = self.slant / (shorter * shorter);
        match shape {
            Shape::Rod { length, radius, bend, taper, belly } => round(Shape::Rod {
                length: length * shorter,
                radius,
                bend: bend * bending,
                taper,
                belly,
            }),
            Shape::Wave { length, height, period, radius, bend } => round(Shape::Wave {
                length: length * shorter,
                height: height * self.slant / shorter,
                period: period * shorter,
                radius,
                bend: bend * bending,
            }),
            flat => Seen { shape: flat, x, y, sin, cos, slant: self.slant },
        }
    }

    /// Paints a shape in one colour.
    pub fn paint(&mut self, place: Place, shape: Shape, colour: Colour, depth: f32) {
        self.cover(place, shape, Surface::new(depth, 0.06), |_, _| colour);
    }

    /// Paints a shape with a colour for each point in its own coordinates.
    pub fn cover(
        &mut self,
        place: Place,
        shape: Shape,
        surface: Surface,
        colour: impl Fn(f32, f32) -> Colour,
    ) {
        let seen = self.seen(place, shape);
        let reach = seen.shape.reach() + 2.;
        let [lx, ly, lz] = self.light;
        // Half-way between the light and the eye.
        let half = length(length(lx, ly), lz + 1.);
        let columns = clip(seen.x, reach, self.width);
        for row in clip(seen.y, reach, self.height) {
            for column in columns.clone() {
                let (u, v) = seen.own(column, row);
                let distance = seen.shape.distance(u, v);
                let cover = (0.5 - distance).clamp(0., 1.);
                if cover <= 0. {
                    continue;
                }
                if cover >= 0.5 {
                    let [left, top, right, bottom] =
                        self.marked.unwrap_or([column, row, column, row]);
                    let (left, top) = (left.min(column), top.min(row));
                    self.marked = Some([left, top, right.max(column), bottom.max(row)]);
                }
                let rim = (1. + distance / surface.depth.max(1e-3)).clamp(0., 1.);
                let (mut nx, mut ny, mut nz) = (0., 0., 1.);
                if rim > 0. {
                    let du = seen.shape.distance(u + 0.5, v) - distance;
                    let dv = seen.shape.distance(u, v + 0.5) - distance;
                    let (dx, dy) = (du * seen.cos - dv * seen.sin, du * seen.sin + dv * seen.cos);
                    let steep = surface.steep * rim / length(dx, dy).max(1e-3);
                    (nx, ny) = (dx * steep, dy * steep);
                    nz = (1. - nx * nx - ny * ny).max(0.).sqrt();
                }
                let lit = (nx * lx + ny * ly + nz * lz).max(0.);
                let shade = (0.44 + 0.74 * lit) * (1. - 0.2 * rim * rim * rim);
                let mirror = ((nx * lx + ny * ly + nz * (lz + 1.)) / half).max(0.);
                let mirror = (0..5).fold(mirror, |value, _| value * value) * surface.gloss;
                let colour = colour(u, v);
                let pixel = &mut self.pixels[row * self.width + column];
                for c in 0..3 {
                    pixel[c] += (colour[c] * shade + mirror - pixel[c]) * cover;
                }
            }
        }
    }

    /// Paints a flat shape that stands up to `height` above the table.
    pub fn stack(
        &mut self,
        place: Place,
        shape: Shape,
        height: f32,
        surface: Surface,
        colour: impl Fn(f32, f32) -> Colour,
    ) {
        let seen = height * (1. - self.slant * self.slant).sqrt();
        let steps = (seen / 1.5) as usize + 1;
        for step in 0..=steps {
            let at = place.up(height * step as f32 / steps as f32);
            // Only the rim of the lower ones remains in sight.
            let surface = if step == steps { surface } else { surface.side(0.97) };
            self.cover(at, shape, surface, &colour);
        }
    }

    /// Darkens the table below a shape that stands up to `height`.
    pub fn shadow(&mut self, place: Place, shape: Shape, height: f32) {
        let away = height * 0.6;
        let fallen =
            Place { x: place.x - self.light[0] * away, y: place.y - self.light[1] * away, ..place };
        let seen = self.seen(fallen, shape);
        let soft = height * 0.7 + 2.;
        let reach = seen.shape.reach() + soft;
        let columns = clip(seen.x, reach, self.width);
        for row in clip(seen.y, reach, self.height) {
            for column in columns.clone() {
                let (u, v) = seen.own(column, row);
                let dark = 0.5 * (0.5 - seen.shape.distance(u, v) / soft).clamp(0., 1.);
                let pixel = &mut self.pixels[row * self.width + column];
                pixel.iter_mut().for_each(|value| *value *= 1. - dark);
            }
        }
    }

    /// Paints what is beyond the table's far edge, from the image's top down to `edge`.
    pub fn beyond(&mut self, edge: usize, colour: Colour) {
        let (width, height) = (self.width, edge.min(self.height));
        for (i, pixel) in self.pixels.iter_mut().take(width * height).enumerate() {
            let row = i / width;
            let light =
                if row + 3 > height { 0.5 } else { 0.75 + 0.5 * row as f32 / height as f32 };
            *pixel = colour.map(|value| value * light);
        }
    }

    /// Develops the image: the light's colour, darker corners, blur, noise, eight bits.
    pub fn develop(mut self, blur: usize, light: Colour, noise: f32, rng: &mut Rng) -> RgbImage {
        for _ in 0..blur {
            self.soften();
        }
        let (width, height) = (self.width as f32, self.height as f32);
        let corners = between(rng, 0., 0.5);
        RgbImage::from_fn(self.width as u32, self.height as u32, |x, y| {
            let pixel = self.pixels[y as usize * self.width + x as usize];
            // The sum of three uniform numbers is near enough to a normal one.
            let grain: f32 = (0..3).map(|_| rng.random::<f32>() - 0.5).sum();
            let (dx, dy) = (x as f32 / width - 0.5, y as f32 / height - 0.5);
            let dim = 1. - corners * (dx * dx + dy * dy);
            let value = |c: usize| (pixel[c] * light[c] * dim + grain * noise) * 255.;
            Rgb(std::array::from_fn(|c| value(c) as u8))
        })
    }

    /// Averages each pixel with its neighbours.
    fn soften(&mut self) {
        let (width, height) = (self.width, self.height);
        let before = self.pixels.clone();
        for y in 1..height - 1 {
            for x in 1..width - 1 {
                let i = y * width + x;
                let near = [i, i - 1, i + 1, i - width, i + width];
                self.pixels[i] =
                    std::array::from_fn(|c| near.iter().map(|&j| before[j][c]).sum::<f32>() / 5.);
            }
        }
    }
}

/// The rows or columns that are no further than `reach` from `centre`.
fn clip(centre: f32, reach: f32, limit: usize) -> std::ops::Range<usize> {
    let clip = |value: f32| value.clamp(0., limit as f32) as usize;
    clip(centre - reach)..clip(centre + reach + 1.)
}

/// Noise that changes smoothly over a distance of `grain` pixels, from -1 to 1.
pub(super) fn smooth_noise(x: f32, y: f32, grain: f32, seed: u32) -> f32 {
    let (x, y) = (x / grain, y / grain);
    let (left, top) = (x.floor(), y.floor());
    let ease = |t: f32| t * t * (3. - 2. * t);
    let (tx, ty) = (ease(x - left), ease(y - top));
    let corner = |dx: i32, dy: i32| {
        let mut hash = (left as i32 + dx) as u32;
        hash =
            hash.wrapping_mul(0x9e37_79b1) ^ ((top as i32 + dy) as u32).wrapping_mul(0x85eb_ca6b);
        hash = (hash ^ seed ^ (hash >> 15)).wrapping_mul(0x2c1b_3c6d);
        hash = (hash ^ (hash >> 12)).wrapping_mul(0x297a_2d39);
        (hash >> 8) as f32 / (1 << 23) as f32 - 1.
    };
    mix(mix(corner(0, 0), corner(1, 0), tx), mix(corner(0, 1), corner(1, 1), tx), ty)
}

pub(super) fn mix(a: f32, b: f32, t: f32) -> f32 {
    a + (b - a) * t
}

/// A colour between two.
pub(super) fn blend(a: Colour, b: Colour, t: f32) -> Colour {
    std::array::from_fn(|c| mix(a[c], b[c], t))
}

pub(super) fn between(rng: &mut Rng, low: f32, high: f32) -> f32 {
    low + (high - low) * rng.random::<f32>()
}

/// A colour near another one.
pub(super) fn near(colour: Colour, spread: f32, rng: &mut Rng) -> Colour {
    let light = between(rng, 1. - spread, 1. + spread);
    colour.map(|value| (value * light + between(rng, -spread, spread) * 0.2).clamp(0.02, 1.))
}

pub(super) fn one_of<T: Copy>(these: &[T], rng: &mut Rng) -> T {
    these[rng.random_range(0..these.len())]
}
