//! What of a curve lies within the plot. plotters moves what does not to the edge, which draws lines
//! that nobody has asked for.

pub(super) type Point = (f64, f64);
type Limits = (f64, f64);

/// The pieces of a curve within the limits, cut where it leaves them.
pub(super) fn visible(curve: &[Point], x: Limits, y: Limits) -> Vec<Vec<Point>> {
    let mut pieces: Vec<Vec<Point>> = vec![];
    for (&from, &to) in curve.iter().zip(curve.iter().skip(1)) {
        let Some((from, to)) = segment(from, to, x, y) else { continue };
        match pieces.last_mut() {
            Some(piece) if piece.last() == Some(&from) => piece.push(to),
            _ => pieces.push(vec![from, to]),
        }
    }
    pieces
}

pub(super) fn contains((x, y): Point, (left, right): Limits, (low, high): Limits) -> bool {
    (left..=right).contains(&x) && (low..=high).contains(&y)
}

/// The part of a line within the limits: first from left to right, then, of what is left, from low to
/// high. What is cut lies on the limit exactly.
fn segment(from: Point, to: Point, x: Limits, y: Limits) -> Option<(Point, Point)> {
    let swap = |(x, y): Point| (y, x);
    let (from, to) = cut(from, to, x)?;
    let (from, to) = cut(swap(from), swap(to), y)?;
    Some((swap(from), swap(to)))
}

/// The part of a line whose first coordinate is within the limits.
fn cut(from: Point, to: Point, (low, high): Limits) -> Option<(Point, Point)> {
    if from.0.max(to.0) < low || from.0.min(to.0) > high {
        return None;
    }
    let within = |point: Point| {
        let bound = point.0.clamp(low, high);
        if bound == point.0 {
            return point;
        }
        // Halves: a distance may be more than the largest number.
        let part = (bound / 2. - from.0 / 2.) / (to.0 / 2. - from.0 / 2.);
        // The smallest numbers have no half.
        let part = if part.is_finite() { part } else { 0. };
        (bound, from.1 * (1. - part) + to.1 * part)
    };
    Some((within(from), within(to)))
}
