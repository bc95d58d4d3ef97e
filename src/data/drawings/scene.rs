//! A canvas and the shapes that are drawn on it, each by its distance function.

use image::{Rgb, RgbImage};
use rand::RngExt;

use crate::random::Rng;

/// Red, green and blue from 0 to 1.
pub(super) type Colour = [f32; 3];

/// A shape around the origin. Lengths are pixels.
#[derive(Clone, Copy)]
pub(super) enum Shape {
    /// A rod with round ends, bent; `taper` 1 makes a point at its right end.
    Rod { length: f32, radius: f32, bend: f32, taper: f32 },
    /// An ellipse.
    Ellipse { x: f32, y: f32 },
    /// A box with round corners.
    Slab { x: f32, y: f32, round: f32 },
    /// A line in waves, bent like a rod.
    Wave { length: f32, height: f32, period: f32, radius: f32, bend: f32 },
}

impl Shape {
    /// The distance to the edge, negative inside; near enough for an edge of one pixel.
    fn distance(self, x: f32, y: f32) -> f32 {
        match self {
            Shape::Rod { length, radius, bend, taper } => {
                let along = (x / length + 0.5).clamp(0., 1.);
                let beyond = (x.abs() - length / 2.).max(0.);
                beyond.hypot(y - curve(x, length, bend)) - radius * (1. - taper * along)
            }
            Shape::Ellipse { x: rx, y: ry } => ((x / rx).hypot(y / ry) - 1.) * rx.min(ry),
            Shape::Slab { x: half_x, y: half_y, round } => {
                let (dx, dy) = (x.abs() - half_x + round, y.abs() - half_y + round);
                dx.max(0.).hypot(dy.max(0.)) + dx.max(dy).min(0.) - round
            }
            Shape::Wave { length, height, period, radius, bend } => {
                let phase = x / period * std::f32::consts::TAU;
                let slope = height * std::f32::consts::TAU / period * phase.cos();
                let off = y - curve(x, length, bend) - height * phase.sin();
                let beyond = (x.abs() - length / 2.).max(0.);
                beyond.hypot(off / (1. + slope * slope).sqrt()) - radius
            }
        }
    }

    /// A radius around the origin that holds the shape.
    fn reach(self) -> f32 {
        match self {
            Shape::Rod { length, radius, bend, .. } => length / 2. * (1. + bend.abs()) + radius,
            Shape::Ellipse { x, y } => x.max(y),
            Shape::Slab { x, y, .. } => x.hypot(y),
            Shape::Wave { length, height, radius, bend, .. } => {
                length / 2. * (1. + bend.abs()) + height + radius
            }
        }
    }
}

/// How far a bent rod's middle line is off the straight one.
fn curve(x: f32, length: f32, bend: f32) -> f32 {
    let t = (2. * x / length).clamp(-1., 1.);
    bend * length / 2. * (t * t - 0.5)
}

/// Where an object lies: its own coordinates are shifted and turned.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub x: f32,
    pub y: f32,
    pub angle: f32,
}

impl Place {
    /// A place `(x, y)` away in this place's own coordinates, turned further by `angle`.
    pub fn at(self, x: f32, y: f32, angle: f32) -> Place {
        let (sin, cos) = self.angle.sin_cos();
        let (x, y) = (self.x + x * cos - y * sin, self.y + x * sin + y * cos);
        Place { x, y, angle: self.angle + angle }
    }
}

/// An image being painted.
pub(super) struct Canvas {
    pub width: usize,
    pub height: usize,
    pixels: Vec<Colour>,
    /// Where the light comes from.
    light: (f32, f32),
}

impl Canvas {
    pub fn new(width: usize, height: usize, light: f32) -> Canvas {
        let (y, x) = light.sin_cos();
        Canvas { width, height, pixels: vec![[0.; 3]; width * height], light: (x, y) }
    }

    /// Paints the background: a colour for each point.
    pub fn fill(&mut self, colour: impl Fn(f32, f32) -> Colour) {
        for (i, pixel) in self.pixels.iter_mut().enumerate() {
            *pixel = colour((i % self.width) as f32, (i / self.width) as f32);
        }
    }

    /// Paints a shape. `depth` is how many pixels its edge is rounded; 0 is flat.
    pub fn paint(&mut self, place: Place, shape: Shape, colour: Colour, depth: f32) {
        let (sin, cos) = place.angle.sin_cos();
        let reach = shape.reach() + 2.;
        let range = |centre: f32, limit: usize| {
            let clip = |value: f32| value.clamp(0., limit as f32) as usize;
            clip(centre - reach)..clip(centre + reach + 1.)
        };
        for row in range(place.y, self.height) {
            for column in range(place.x, self.width) {
                let (dx, dy) = (column as f32 - place.x, row as f32 - place.y);
                let distance = shape.distance(dx * cos + dy * sin, dy * cos - dx * sin);
                let cover = (0.5 - distance).clamp(0., 1.);
                if cover > 0. {
                    let rim = if depth > 0. { (1. + distance / depth).clamp(0., 1.) } else { 0. };
                    let side = (dx * self.light.0 + dy * self.light.1) / reach;
                    let shade = 1. - 0.45 * rim * rim + 0.2 * side;
                    let pixel = &mut self.pixels[row * self.width + column];
                    for c in 0..3 {
                        pixel[c] += (colour[c] * shade - pixel[c]) * cover;
                    }
                }
            }
        }
    }

    /// Darkens what lies below a shape, beside it.
    pub fn shadow(&mut self, place: Place, shape: Shape, strength: f32) {
        let shift = shape.reach() * 0.05 + 1.;
        let (x, y) = (place.x - self.light.0 * shift, place.y - self.light.1 * shift);
        let (sin, cos) = place.angle.sin_cos();
        let soft = shape.reach() * 0.12 + 2.;
        for (i, pixel) in self.pixels.iter_mut().enumerate() {
            let (dx, dy) = ((i % self.width) as f32 - x, (i / self.width) as f32 - y);
            let distance = shape.distance(dx * cos + dy * sin, dy * cos - dx * sin);
            let dark = strength * (0.5 - distance / soft).clamp(0., 1.);
            pixel.iter_mut().for_each(|value| *value *= 1. - dark);
        }
    }

    /// Develops the image: blur, exposure, noise, eight bits.
    pub fn develop(mut self, blur: usize, exposure: f32, noise: f32, rng: &mut Rng) -> RgbImage {
        for _ in 0..blur {
            self.soften();
        }
        RgbImage::from_fn(self.width as u32, self.height as u32, |x, y| {
            let pixel = self.pixels[y as usize * self.width + x as usize];
            // The sum of three uniform numbers is near enough to a normal one.
            let grain: f32 = (0..3).map(|_| rng.random::<f32>() - 0.5).sum();
            Rgb(pixel.map(|value| ((value * exposure + grain * noise) * 255.) as u8))
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
    let mix = |a: f32, b: f32, t: f32| a + (b - a) * t;
    mix(mix(corner(0, 0), corner(1, 0), tx), mix(corner(0, 1), corner(1, 1), tx), ty)
}
