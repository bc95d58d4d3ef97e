//! Sums that grow (d2l: appendix, `Accumulator`).

use std::ops::Index;

/// `n` sums, each from 0 (d2l: `Accumulator`).
///
/// The book: [*Utility Functions and Classes*](https://d2l.ai/chapter_appendix-tools-for-deep-learning/utils.html).
///
/// ```
/// use d2l::prelude::*;
/// let mut metric = Accumulator::new(2);
/// metric.add(&[1.5, 2.]);
/// metric.add(&[0.5, 3.]);
/// assert_eq!((metric[0], metric[1]), (2., 5.));
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Accumulator(Vec<f64>);

impl Accumulator {
    /// `n` sums.
    pub fn new(n: usize) -> Accumulator {
        Accumulator(vec![0.; n])
    }

    /// Adds a value to each sum; values beyond the last sum are dropped.
    pub fn add(&mut self, values: &[f64]) {
        for (sum, value) in self.0.iter_mut().zip(values) {
            *sum += value;
        }
    }

    /// Starts again from 0.
    pub fn reset(&mut self) {
        self.0.fill(0.);
    }
}

impl Index<usize> for Accumulator {
    type Output = f64;

    /// Sum number `i`. As with a slice there must be one.
    fn index(&self, i: usize) -> &f64 {
        &self.0[i]
    }
}
