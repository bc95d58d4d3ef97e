//! An axis: its two ends, and the values marked on it.
//!
//! plotters has axes of its own, but their search for marks counts on ordinary ends: others make it
//! panic or go on for ever.

use std::ops::Range;

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};

use crate::{Error, Result};

/// The ends are finite and apart. The first one is the higher where the axis is mirrored.
#[derive(Debug, Clone)]
pub(super) struct Axis {
    ends: (f64, f64),
    marks: Vec<f64>,
    step: f64,
}

impl Axis {
    /// From `first` to `last`, with as many marks as `most`.
    pub(super) fn new(name: &str, (first, last): (f64, f64), most: usize) -> Result<Axis> {
        if !first.is_finite() || !last.is_finite() {
            let todo = "give two finite numbers, or leave it out: the axis then follows the points";
            let found = format!("from {first} to {last}");
            return Err(Error::invalid(name, found, "finite ends of the axis", todo));
        }
        Ok(Axis::between(apart(first, last), most))
    }

    /// Around all values, which are finite, with a little room.
    pub(super) fn around(values: impl Iterator<Item = f64> + Clone, most: usize) -> Axis {
        let low = values.clone().fold(f64::INFINITY, f64::min);
        let high = values.fold(f64::NEG_INFINITY, f64::max);
        let ends = if low > high {
            (0., 1.)
        } else if are_apart(low, high) {
            wider((low, high), half_distance(low, high) * 0.1)
        } else {
            apart(low, high)
        };
        Axis::between(ends, most)
    }

    fn between(ends: (f64, f64), most: usize) -> Axis {
        let (low, high) = sorted(ends);
        // Rounding must not lose a mark at an end.
        const NEAR: f64 = 1e-9;
        let first = |step: f64| (low / step - NEAR).ceil();
        let count = |step: f64| (high / step + NEAR).floor() - first(step) + 1.;
        let magnitude = half_distance(low, high).log10() + 2f64.log10();
        let unit = 10f64.powf(magnitude.floor());
        let step = [10., 5., 2., 1., 0.5, 0.2, 0.1]
            .map(|part| part * unit)
            .into_iter()
            .filter(|step| step.is_finite())
            .take_while(|&step| count(step) <= most as f64)
            .last()
            .unwrap_or(unit);
        let mark = |i: usize| ((first(step) + i as f64) * step).clamp(low, high);
        let marks = (0..most.min(count(step) as usize)).map(mark).collect();
        Axis { ends, marks, step }
    }

    /// The lower end and the higher one.
    pub(super) fn limits(&self) -> (f64, f64) {
        sorted(self.ends)
    }

    /// The texts beside the marks.
    pub(super) fn labels(&self) -> impl Iterator<Item = String> {
        self.marks.iter().map(|mark| self.format_ext(mark))
    }
}

/// Half of it, as the whole may be more than the largest number.
fn half_distance(low: f64, high: f64) -> f64 {
    high / 2. - low / 2.
}

/// Whether there are numbers between the ends to tell apart.
fn are_apart(low: f64, high: f64) -> bool {
    let size = low.abs().max(high.abs());
    half_distance(low, high).abs() > (size * 1e-12).max(1e-305)
}

fn apart(first: f64, last: f64) -> (f64, f64) {
    if are_apart(first, last) {
        return (first, last);
    }
    let size = first.abs().max(last.abs());
    wider(sorted((first, last)), (size * 0.05).max(0.5))
}

fn wider((low, high): (f64, f64), room: f64) -> (f64, f64) {
    ((low - room).max(f64::MIN), (high + room).min(f64::MAX))
}

fn sorted((first, last): (f64, f64)) -> (f64, f64) {
    (first.min(last), first.max(last))
}

impl Ranged for Axis {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, (start, end): (i32, i32)) -> i32 {
        let (first, last) = self.ends;
        let part = half_distance(first, *value) / half_distance(first, last);
        start + (part.clamp(0., 1.) * f64::from(end - start)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<f64> {
        self.marks.clone()
    }

    fn range(&self) -> Range<f64> {
        self.ends.0..self.ends.1
    }
}

impl ValueFormatter<f64> for Axis {
    /// As many digits as tell the marks apart.
    fn format_ext(&self, value: &f64) -> String {
        let exponent = |number: f64| (number.log10() + 1e-9).floor();
        let largest = self.ends.0.abs().max(self.ends.1.abs());
        let decimals = -exponent(self.step);
        if largest < 1e6 && decimals <= 5. {
            // 0 may have a sign.
            return format!("{:.*}", decimals.max(1.) as usize, value + 0.);
        }
        if *value == 0. {
            return "0".to_string();
        }
        let digits = exponent(value.abs()) + decimals;
        format!("{value:.*e}", digits.clamp(0., 16.) as usize)
    }
}
