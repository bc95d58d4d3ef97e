//! A stopwatch (d2l: section 12.5, `Timer`).

use std::time::Instant;

/// Measures several stretches of time, in seconds (d2l: `Timer`); the first starts at once.
///
/// The book: [*Minibatch Stochastic Gradient Descent*](https://d2l.ai/chapter_optimization/minibatch-sgd.html).
#[derive(Debug, Clone)]
pub struct Timer {
    start: Instant,
    times: Vec<f64>,
}

impl Timer {
    /// A running stopwatch.
    pub fn new() -> Timer {
        Timer { start: Instant::now(), times: vec![] }
    }

    /// Starts a stretch.
    pub fn start(&mut self) {
        self.start = Instant::now();
    }

    /// Ends the stretch and returns its length.
    pub fn stop(&mut self) -> f64 {
        let time = self.start.elapsed().as_secs_f64();
        self.times.push(time);
        time
    }

    /// The sum of all stretches.
    pub fn sum(&self) -> f64 {
        self.times.iter().sum()
    }

    /// The mean of all stretches; 0 if there is none.
    pub fn avg(&self) -> f64 {
        self.sum() / self.times.len().max(1) as f64
    }

    /// The sums up to each stretch.
    pub fn cumsum(&self) -> Vec<f64> {
        let grow = |sum: &mut f64, time: &f64| {
            *sum += time;
            Some(*sum)
        };
        self.times.iter().scan(0., grow).collect()
    }
}

impl Default for Timer {
    fn default() -> Self {
        Timer::new()
    }
}
