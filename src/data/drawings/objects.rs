//! Images with objects in known places, for detection: tables with other things beside the objects.

use std::f32::consts::TAU;

use image::RgbImage;
use rand::RngExt;

use super::food::{
    Painter, carrot, chips, cookies, corn, courgette, croissant, cucumber, doughnut, eclair, egg,
    fruit, loaf, one_banana, pen, sausages, wrap,
};
use super::ground::ground;
use super::picture::{light, slant};
use super::scene::{Canvas, Place, between, length, one_of};
use super::table::{beside, crumbs};
use crate::random::Rng;

pub(super) const SIDE: usize = 256;

/// What an image shows, and what may lie beside that.
pub(super) struct Objects {
    /// The folders' names begin so: `bananas` for `bananas_train`.
    pub prefix: &'static str,
    pub classes: &'static [(&'static str, Painter)],
    /// How many objects an image has.
    pub counts: &'static [usize],
    /// The smallest and the largest size that they are painted with, in pixels; as seen, a banana is half to
    /// three quarters as long.
    sizes: [f32; 2],
    beside: &'static [Painter],
}

/// One banana, large enough for the anchors of the book's network; what is long, yellow or bent lies
/// beside it.
pub(super) const BANANAS: Objects = Objects {
    prefix: "bananas",
    classes: &[("banana", one_banana)],
    counts: &[1],
    sizes: [82., 158.],
    beside: &[
        courgette, courgette, corn, carrot, chips, cucumber, pen, loaf, wrap, croissant, fruit,
        sausages, eclair, doughnut, egg,
    ],
};

/// None to three things of three kinds; some are smaller than that network's anchors.
pub(super) const THREE_KINDS: Objects = Objects {
    prefix: "objects",
    classes: &[("banana", one_banana), ("carrot", carrot), ("doughnut", doughnut)],
    counts: &[0, 1, 1, 2, 2, 3, 3],
    sizes: [60., 145.],
    beside: &[
        courgette, corn, chips, cucumber, pen, loaf, wrap, croissant, fruit, sausages, eclair,
        cookies, egg,
    ],
};

/// An object's class, and its box in pixels: left, top, right, bottom.
pub(super) type Labelled = (usize, [usize; 4]);

impl Objects {
    /// Draws one image, and says what is where in it.
    pub fn picture(&self, rng: &mut Rng) -> (RgbImage, Vec<Labelled>) {
        let side = SIDE as f32;
        let mut canvas = Canvas::new(SIDE, SIDE, slant(rng), between(rng, 0., TAU));
        ground(&mut canvas, rng);
        beside(&mut canvas, side, rng);
        for _ in 0..rng.random_range(1..=5) {
            let (x, y) = (between(rng, 0., side), between(rng, 0., side));
            let place = lying(&canvas, x, y, rng);
            one_of(self.beside, rng)(&mut canvas, place, between(rng, 60., 140.), rng);
        }
        crumbs(&mut canvas, side, rng);
        let mut objects = vec![];
        for (x, y, size) in places(one_of(self.counts, rng), self.sizes, rng) {
            let class = rng.random_range(0..self.classes.len());
            let place = lying(&canvas, x, y, rng);
            let paint = self.classes[class].1;
            let bounds = canvas.bounds_of(|canvas| paint(canvas, place, size, rng));
            objects.extend(bounds.map(|bounds| (class, bounds)));
        }
        let light = light(rng);
        let noise = between(rng, 0., 0.015);
        (canvas.develop(one_of(&[0, 0, 1], rng), light, noise, rng), objects)
    }
}

/// A place on the table, by where it is seen.
fn lying(canvas: &Canvas, x: f32, y: f32, rng: &mut Rng) -> Place {
    Place { x, y: y / canvas.slant, height: 0., angle: between(rng, 0., TAU) }
}

/// Where objects lie and how large they are: wholly in the image, and none on top of another.
fn places(count: usize, [small, large]: [f32; 2], rng: &mut Rng) -> Vec<(f32, f32, f32)> {
    let mut places: Vec<(f32, f32, f32)> = vec![];
    // Large ones leave little room: then it may be one less.
    for _ in 0..40 * count {
        let size = between(rng, small, large);
        let margin = size * 0.5;
        let x = between(rng, margin, SIDE as f32 - margin);
        let y = between(rng, margin, SIDE as f32 - margin);
        let is_apart = |&(other_x, other_y, other): &(f32, f32, f32)| {
            length(x - other_x, y - other_y) > 0.36 * (size + other)
        };
        if places.len() < count && places.iter().all(is_apart) {
            places.push((x, y, size));
        }
    }
    places
}
