//! An axis: its two ends, and the values marked on it.
//!
//! plotters has axes of its own, but their search for marks counts on ordinary ends: others make it
//! panic or go on for ever.

use crate::{Error, Result};

/// The ends are finite and apart. The first one is the higher where the axis is mirrored. Places on it
/// are values, or their logarithms to the base 10 where the axis is logarithmic.
#[derive(Debug, Clone)]
pub(super) struct Axis {
    ends: (f64, f64),
    marks: Vec<(f64, String)>,
    is_log: bool,
    has_lines: bool,
}

/// How many marks there are at most, and whether at whole numbers only.
#[derive(Debug, Clone, Copy)]
pub(super) struct Marks {
    pub(super) most: usize,
    pub(super) whole: bool,
}

const FINITE: &str = "give two finite numbers, or leave it out: the axis then follows the points";

impl Axis {
    /// From `first` to `last`.
    pub(super) fn new(name: &str, (first, last): (f64, f64), marks: Marks) -> Result<Axis> {
        if !first.is_finite() || !last.is_finite() {
            let found = format!("from {first} to {last}");
            return Err(Error::invalid(name, found, "finite ends of the axis", FINITE));
        }
        Ok(Axis::between(apart(first, last), marks))
    }

    /// Around all values, which are finite, with a little room.
    pub(super) fn around(values: impl Iterator<Item = f64>, marks: Marks) -> Axis {
        let ends = match span(values) {
            None => (0., 1.),
            Some((low, high)) if are_apart(low, high) => {
                wider((low, high), half_distance(low, high) * 0.1)
            }
            Some((low, high)) => apart(low, high),
        };
        Axis::between(ends, marks)
    }

    /// From 0 to a little more than the largest value, which is finite, as all others; around them if
    /// there are some below 0.
    pub(super) fn from_zero(values: impl Iterator<Item = f64> + Clone, marks: Marks) -> Axis {
        match span(values.clone()) {
            Some((low, high)) if low >= 0. && are_apart(0., high) => {
                let top = wider((0., high), high * 0.05).1;
                Axis::between((0., top), marks)
            }
            _ => Axis::around(values, marks),
        }
    }

    /// Logarithmic, from `first` to `last`.
    pub(super) fn log(name: &str, (first, last): (f64, f64)) -> Result<Axis> {
        if !(first > 0. && last > 0. && first.max(last).is_finite()) {
            let found = format!("from {first} to {last} on a logarithmic axis");
            return Err(Error::invalid(name, found, "ends above 0", FINITE));
        }
        Ok(Axis::log_between((first.log10(), last.log10())))
    }

    /// Logarithmic, around all values above 0, with a little room.
    pub(super) fn log_around(values: impl Iterator<Item = f64>) -> Axis {
        let (low, high) = span(values.filter(|&value| value > 0.)).unwrap_or((0.1, 1.));
        let (low, high) = (low.log10(), high.log10());
        Axis::log_between(wider((low, high), (high - low) * 0.05))
    }

    /// The same with the values themselves as marks, where they are few and apart: rates that were tried
    /// say more than powers of ten.
    pub(super) fn marked_at(mut self, values: impl Iterator<Item = f64>) -> Axis {
        let (low, high) = self.limits();
        let mut places: Vec<f64> = values.filter_map(|value| self.place(value)).collect();
        places.retain(|place| (low..=high).contains(place));
        places.sort_by(f64::total_cmp);
        places.dedup();
        let least = (high - low) / 10.;
        let are_apart = places.windows(2).all(|two| two[1] - two[0] >= least);
        if places.len() > 1 && are_apart {
            let mark = |place: f64| (place, short(10f64.powf(place)));
            self.marks = places.into_iter().map(mark).collect();
        }
        self
    }

    /// A place for each name: 0, 1, and so on, with half a place around.
    pub(super) fn named(names: impl Iterator<Item = String>) -> Axis {
        let marks: Vec<_> = (0..).map(f64::from).zip(names).collect();
        let ends = (-0.5, marks.len().max(1) as f64 - 0.5);
        Axis { ends, marks, is_log: false, has_lines: false }
    }

    /// With shorter texts at its marks.
    pub(super) fn shortened(mut self, shorter: impl Fn(&str) -> String) -> Axis {
        self.marks.iter_mut().for_each(|(_, label)| *label = shorter(label));
        self
    }

    fn between(ends: (f64, f64), Marks { most, whole }: Marks) -> Axis {
        let (places, step) = places(sorted(ends), most, whole);
        let largest = ends.0.abs().max(ends.1.abs());
        let marks = places.into_iter().map(|place| (place, label(place, step, largest))).collect();
        Axis { ends, marks, is_log: false, has_lines: true }
    }

    fn log_between(ends: (f64, f64)) -> Axis {
        let ends = if are_apart(ends.0, ends.1) { ends } else { wider(sorted(ends), 0.3) };
        Axis { ends, marks: log_marks(sorted(ends)), is_log: true, has_lines: true }
    }

    /// The lower end and the higher one, as places.
    pub(super) fn limits(&self) -> (f64, f64) {
        sorted(self.ends)
    }

    /// Where a value lies; nowhere if it has no logarithm.
    pub(super) fn place(&self, value: f64) -> Option<f64> {
        if self.is_log { (value > 0.).then(|| value.log10()) } else { Some(value) }
    }

    /// The marks' places and texts.
    pub(super) fn marks(&self) -> &[(f64, String)] {
        &self.marks
    }

    /// Whether there is a line across the plot at each mark.
    pub(super) fn has_lines(&self) -> bool {
        self.has_lines
    }

    /// Where a place lies between `start`, where the axis begins, and `end`.
    pub(super) fn along(&self, place: f64, (start, end): (f64, f64)) -> f64 {
        let (first, last) = self.ends;
        let part = half_distance(first, place) / half_distance(first, last);
        start + part.clamp(0., 1.) * (end - start)
    }
}

fn span(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    values.fold(None, |ends, value| {
        let (low, high) = ends.unwrap_or((value, value));
        Some((low.min(value), high.max(value)))
    })
}

/// Where the marks are, and how far apart.
fn places((low, high): (f64, f64), most: usize, whole: bool) -> (Vec<f64>, f64) {
    // Rounding must not lose a mark at an end.
    const NEAR: f64 = 1e-9;
    let first = |step: f64| (low / step - NEAR).ceil();
    let count = |step: f64| (high / step + NEAR).floor() - first(step) + 1.;
    let magnitude = half_distance(low, high).log10() + 2f64.log10();
    let unit = 10f64.powf(magnitude.floor());
    let step = [10., 5., 2., 1., 0.5, 0.2, 0.1]
        .map(|part| part * unit)
        .into_iter()
        .filter(|&step| step.is_finite() && !(whole && step.fract() != 0.))
        .take_while(|&step| count(step) <= most as f64)
        .last()
        .unwrap_or(if whole { unit.max(1.) } else { unit });
    let mark = |i: usize| ((first(step) + i as f64) * step).clamp(low, high);
    ((0..most.min(count(step) as usize)).map(mark).collect(), step)
}

/// As many digits as tell the marks apart.
fn label(value: f64, step: f64, largest: f64) -> String {
    let exponent = |number: f64| (number.log10() + 1e-9).floor();
    let decimals = -exponent(step);
    if largest < 1e6 && decimals <= 5. {
        // 0 may have a sign.
        return format!("{:.*}", decimals.max(0.) as usize, value + 0.);
    }
    if value == 0. {
        return "0".to_string();
    }
    let digits = exponent(value.abs()) + decimals;
    format!("{value:.*e}", digits.clamp(0., 16.) as usize)
}

/// At powers of ten, some of them, or twice and five times these, too; for less than that, as on a
/// linear axis.
fn log_marks((low, high): (f64, f64)) -> Vec<(f64, String)> {
    const NEAR: f64 = 1e-9;
    let distance = high - low;
    let every = (distance / 6.).ceil().max(1.) as i32;
    let parts: &[u32] = if distance > 2.2 { &[1] } else { &[1, 2, 5] };
    let decades = (low.floor() as i32..=high.ceil() as i32).filter(|decade| decade % every == 0);
    let marks: Vec<_> = decades
        .flat_map(|decade| parts.iter().map(move |part| format!("{part}e{decade}")))
        .filter_map(|text| {
            let value: f64 = text.parse().ok()?;
            let place = value.log10();
            let is_long = !(1e-2..1e4).contains(&value);
            let text = if is_long { text } else { value.to_string() };
            (place >= low - NEAR && place <= high + NEAR).then(|| (place.clamp(low, high), text))
        })
        .collect();
    if marks.len() > 1 {
        return marks;
    }
    let ends = (10f64.powf(low), 10f64.powf(high));
    let (places, step) = places(ends, 4, false);
    let mark = |value: f64| (value.log10().clamp(low, high), label(value, step, ends.1));
    places.into_iter().filter(|&value| value > 0.).map(mark).collect()
}

/// Four digits of it, at most.
fn short(value: f64) -> String {
    let value: f64 = format!("{value:.3e}").parse().unwrap_or(value);
    if (1e-2..1e4).contains(&value) { value.to_string() } else { format!("{value:e}") }
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
