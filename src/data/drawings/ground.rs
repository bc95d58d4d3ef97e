//! What the things in the drawings lie on: tables, cloths, paper, stone, grass.

use rand::RngExt;

use super::scene::{Canvas, Colour, between, blend, mix, near, one_of, smooth_noise};
use crate::random::Rng;

/// Oak, pine, walnut, teak, cherry, grey and dark boards, painted white.
const WOODS: [Colour; 8] = [
    [0.70, 0.52, 0.34],
    [0.82, 0.67, 0.47],
    [0.37, 0.25, 0.17],
    [0.56, 0.37, 0.22],
    [0.50, 0.26, 0.15],
    [0.55, 0.52, 0.48],
    [0.20, 0.16, 0.13],
    [0.86, 0.85, 0.81],
];

/// White, cream, linen, grey, navy, brick, sage, sky, ochre, charcoal, rose, forest.
pub(super) const DYES: [Colour; 12] = [
    [0.92, 0.91, 0.89],
    [0.90, 0.85, 0.74],
    [0.78, 0.72, 0.62],
    [0.58, 0.58, 0.58],
    [0.15, 0.20, 0.34],
    [0.62, 0.17, 0.14],
    [0.50, 0.57, 0.45],
    [0.55, 0.66, 0.75],
    [0.75, 0.59, 0.29],
    [0.19, 0.19, 0.21],
    [0.79, 0.61, 0.58],
    [0.13, 0.30, 0.21],
];

/// Granite, marble, slate, concrete, sandstone.
const STONES: [Colour; 5] = [
    [0.52, 0.50, 0.49],
    [0.88, 0.87, 0.86],
    [0.25, 0.27, 0.29],
    [0.66, 0.65, 0.63],
    [0.74, 0.65, 0.52],
];

/// Wrapping paper, white paper, newsprint.
const PAPERS: [Colour; 3] = [[0.70, 0.55, 0.38], [0.92, 0.92, 0.90], [0.83, 0.81, 0.76]];

type Ground = fn(&mut Canvas, &mut Rng);

/// Paints the table; seen at a slant, now and then with its far edge and what is behind it.
pub(super) fn ground(canvas: &mut Canvas, rng: &mut Rng) {
    let grounds: [Ground; 10] =
        [boards, boards, boards, cloth, cloth, checks, stripes, paper, stone, grass];
    one_of(&grounds, rng)(canvas, rng);
    if canvas.slant < 0.8 && rng.random_bool(0.35) {
        let edge = canvas.height as f32 * between(rng, 0.05, 0.2);
        let wall = near(one_of(&DYES, rng), 0.2, rng).map(|value| value * 0.7);
        canvas.beyond(edge as usize, wall);
    }
}

/// A turn of the pattern: its two axes on the table.
fn axes(rng: &mut Rng) -> impl Fn(f32, f32) -> (f32, f32) + use<> {
    let (sin, cos) = libm::sincosf(between(rng, 0., std::f32::consts::PI));
    move |x, y| (x * cos + y * sin, y * cos - x * sin)
}

fn boards(canvas: &mut Canvas, rng: &mut Rng) {
    let (wood, seed, turn) = (near(one_of(&WOODS, rng), 0.15, rng), rng.random(), axes(rng));
    let wide = between(rng, 40., 200.);
    let strength = between(rng, 0.05, 0.16);
    canvas.fill(|x, y| {
        let (u, v) = turn(x, y);
        let board = (v / wide).floor();
        let across = v / wide - board;
        let tone = 0.10 * smooth_noise(board * 7.3, 0.5, 1., seed);
        let bent = v + 8. * smooth_noise(u, v, 80., seed);
        let rings = smooth_noise(u / 24. + board * 91., bent, 4., seed);
        let fine = smooth_noise(u / 30., bent, 1.5, seed ^ 1);
        let gap = if across < 1.6 / wide { 0.45 } else { 1. };
        wood.map(|value| value * gap * (1. + tone + strength * rings + 0.05 * fine))
    });
}

/// Plain cloth: a weave, and soft folds.
fn cloth(canvas: &mut Canvas, rng: &mut Rng) {
    let (dye, seed, turn) = (near(one_of(&DYES, rng), 0.12, rng), rng.random(), axes(rng));
    let folds = between(rng, 0.02, 0.12);
    canvas.fill(|x, y| {
        let (u, v) = turn(x, y);
        let weave = smooth_noise(u / 3., v, 1.4, seed) + smooth_noise(u, v / 3., 1.4, seed ^ 1);
        let fold = smooth_noise(u / 3., v, 30., seed ^ 2);
        dye.map(|value| value * (1. + 0.05 * weave + folds * fold))
    });
}

/// Checked cloth, one dye on white or cream.
fn checks(canvas: &mut Canvas, rng: &mut Rng) {
    pattern(canvas, rng, |u, v| {
        let stripe = |t: f32| f32::from((t - t.floor()) < 0.5) * 0.5;
        stripe(u) + stripe(v)
    });
}

fn stripes(canvas: &mut Canvas, rng: &mut Rng) {
    let wide = between(rng, 0.1, 0.6);
    pattern(canvas, rng, |u, _| f32::from((u - u.floor()) < wide));
}

fn pattern(canvas: &mut Canvas, rng: &mut Rng, share: impl Fn(f32, f32) -> f32) {
    let light = near(DYES[rng.random_range(0..2)], 0.08, rng);
    let dye = near(one_of(&DYES[2..], rng), 0.15, rng);
    let (seed, turn, size) = (rng.random(), axes(rng), between(rng, 14., 60.));
    canvas.fill(|x, y| {
        let (u, v) = turn(x, y);
        let weave = smooth_noise(u, v, 1.4, seed);
        let fold = smooth_noise(x, y, 45., seed ^ 1);
        blend(light, dye, share(u / size, v / size))
            .map(|value| value * (1. + 0.06 * weave + 0.06 * fold))
    });
}

/// Paper, with creases; newsprint has lines of text.
fn paper(canvas: &mut Canvas, rng: &mut Rng) {
    let kind = rng.random_range(0..PAPERS.len());
    let paper = near(PAPERS[kind], 0.08, rng);
    let (seed, turn, line) = (rng.random(), axes(rng), between(rng, 5., 9.));
    canvas.fill(|x, y| {
        let (u, v) = turn(x, y);
        let crease = (1. - 8. * smooth_noise(u, v, 70., seed).abs()).max(0.);
        let fibre = smooth_noise(u / 4., v, 1.8, seed ^ 1);
        let row = (v / line).floor();
        let printed = kind == 2
            && v / line - row < 0.5
            && smooth_noise(u, row * line * 7., line * 0.4, seed ^ 2) > -0.3
            && u.rem_euclid(line * 14.) > line;
        let ink = if printed { 0.65 } else { 1. };
        paper.map(|value| value * ink * (1. - 0.08 * crease + 0.04 * fibre))
    });
}

fn stone(canvas: &mut Canvas, rng: &mut Rng) {
    let stone = near(one_of(&STONES, rng), 0.12, rng);
    let (seed, speckle, veins) = (rng.random(), between(rng, 0.03, 0.22), between(rng, 0., 0.2));
    canvas.fill(|x, y| {
        let spots = smooth_noise(x, y, 2.2, seed);
        let cloud = smooth_noise(x, y, 50., seed ^ 1);
        let bent = smooth_noise(x + 20. * cloud, y + 0.6 * x, 70., seed ^ 2).abs();
        let vein = veins * (1. - 9. * bent).max(0.);
        stone.map(|value| value * (1. + speckle * spots + 0.08 * cloud - vein))
    });
}

fn grass(canvas: &mut Canvas, rng: &mut Rng) {
    let (green, dry) = (near([0.27, 0.40, 0.14], 0.25, rng), near([0.50, 0.47, 0.25], 0.2, rng));
    let (seed, turn) = (rng.random(), axes(rng));
    canvas.fill(|x, y| {
        let (u, v) = turn(x, y);
        let blades = smooth_noise(u / 3., v, 2., seed) + smooth_noise(v / 3., u, 2.6, seed ^ 1);
        let patch = smooth_noise(x, y, 60., seed ^ 2);
        blend(green, dry, mix(0.2, 0.5, patch)).map(|value| value * (1. + 0.35 * blades))
    });
}
