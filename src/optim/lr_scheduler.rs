//! Learning rates that change from epoch to epoch (d2l: section 12.11, `torch.optim.lr_scheduler`).

use std::f64::consts::PI;
use std::fmt::{self, Debug, Display};

use super::Optimizer;
use crate::{Error, Result};

/// Sets an optimizer's learning rates after each epoch (PyTorch: `torch.optim.lr_scheduler`). Each
/// group's rate is reckoned from the one that it had at first.
///
/// One of your own says how, has a [`SchedulerState`], and says with `Display` what it is, by which a
/// checkpoint knows it.
///
/// The book: [*Learning Rate Scheduling*](https://d2l.ai/chapter_optimization/lr-scheduler.html).
///
/// ```
/// use d2l::optim::StepLR;
/// use d2l::prelude::*;
/// let net = linear(2, 1)?;
/// let mut trainer = SGD::new(net.parameters(), 0.1)?;
/// let mut schedule = StepLR::new(2, 0.5)?;
/// let mut rates = vec![];
/// for epoch in 0..5 {
///     rates.extend(trainer.learning_rates()); // and one epoch of training
///     schedule.step(&mut trainer)?;
/// }
/// assert_eq!(rates, [0.1, 0.1, 0.05, 0.05, 0.025]);
/// # Ok::<(), d2l::Error>(())
/// ```
pub trait LRScheduler: Debug + Display {
    /// The learning rate in an epoch, counted from 0, of a group that had the rate `base` at first.
    fn learning_rate(&self, base: f64, epoch: usize) -> f64;

    /// How far it is.
    fn state(&self) -> &SchedulerState;

    /// How far it is, to be changed.
    fn state_mut(&mut self) -> &mut SchedulerState;

    /// Sets the rates of the epoch that comes, which a schedule needs before its first one where that
    /// has another rate than the optimizer was made with: [`LinearLR`] does.
    ///
    /// # Errors
    /// The optimizer has other groups than at first, or no learning rates that can be set.
    fn start(&mut self, trainer: &mut dyn Optimizer) -> Result<()> {
        let state = self.state().begun(trainer)?;
        trainer.set_learning_rates(&rates(self, &state))?;
        *self.state_mut() = state;
        Ok(())
    }

    /// Sets the rates of the next epoch, after one has ended.
    ///
    /// # Errors
    /// As [`start`](LRScheduler::start), or that was left out where it is needed.
    fn step(&mut self, trainer: &mut dyn Optimizer) -> Result<()> {
        let mut state = self.state().begun(trainer)?;
        let is_new = self.state().base.is_empty();
        if is_new
            && rates(self, &state).iter().zip(&state.base).any(|(rate, base)| differ(*rate, *base))
        {
            return Err(Error::invalid(
                &self,
                "it has not been started, and the first epoch has a rate of its own",
                "start before the first epoch",
                "call schedule.start(&mut trainer)? before the loop",
            ));
        }
        state.epoch = state.epoch.saturating_add(1);
        trainer.set_learning_rates(&rates(self, &state))?;
        *self.state_mut() = state;
        Ok(())
    }

    /// The epoch whose learning rates are set, from 0.
    fn last_epoch(&self) -> usize {
        self.state().epoch
    }
}

/// How far a schedule is: its epoch, and the rates that each group had at first.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SchedulerState {
    pub(super) epoch: usize,
    /// None yet before the first epoch.
    pub(super) base: Vec<f64>,
}

impl SchedulerState {
    /// The same with the optimizer's rates, where it has none yet.
    fn begun(&self, trainer: &dyn Optimizer) -> Result<SchedulerState> {
        let rates = trainer.learning_rates();
        if self.base.is_empty() {
            return Ok(SchedulerState { epoch: self.epoch, base: rates });
        }
        if rates.len() != self.base.len() {
            return Err(Error::invalid(
                "the schedule",
                format!("an optimizer with {} groups of parameters", rates.len()),
                format!("one with {}, as when it began", self.base.len()),
                "make a new schedule for a new optimizer",
            ));
        }
        Ok(self.clone())
    }
}

fn rates<S: LRScheduler + ?Sized>(schedule: &S, state: &SchedulerState) -> Vec<f64> {
    state.base.iter().map(|&base| schedule.learning_rate(base, state.epoch)).collect()
}

/// But for rounding.
fn differ(a: f64, b: f64) -> bool {
    (a - b).abs() > 1e-9 * b.abs()
}

macro_rules! schedule {
    ($type:ty) => {
        impl LRScheduler for $type {
            fn learning_rate(&self, base: f64, epoch: usize) -> f64 {
                self.rate(base, epoch)
            }

            fn state(&self) -> &SchedulerState {
                &self.state
            }

            fn state_mut(&mut self) -> &mut SchedulerState {
                &mut self.state
            }
        }
    };
}

/// Multiplies the learning rates by `gamma` every `step_size` epochs (PyTorch: `StepLR`).
///
/// The book: [*Learning Rate Scheduling*](https://d2l.ai/chapter_optimization/lr-scheduler.html).
pub struct StepLR {
    step_size: usize,
    gamma: f64,
    state: SchedulerState,
}

impl StepLR {
    /// # Errors
    /// `step_size` is 0, or `gamma` is no number from 0 up.
    pub fn new(step_size: usize, gamma: f64) -> Result<StepLR> {
        check_count("StepLR", "step_size", step_size)?;
        check_factor("StepLR", "gamma", gamma, 0. ..=f64::MAX)?;
        Ok(StepLR { step_size, gamma, state: SchedulerState::default() })
    }

    fn rate(&self, base: f64, epoch: usize) -> f64 {
        base * power(self.gamma, epoch.checked_div(self.step_size).unwrap_or_default())
    }
}

impl Display for StepLR {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "StepLR(step_size={}, gamma={})", self.step_size, self.gamma)
    }
}

schedule!(StepLR);

/// Lets the learning rates fall to `eta_min` over `t_max` epochs, as half a wave of the cosine (PyTorch:
/// `CosineAnnealingLR`). They rise again after that.
///
/// The book: [*Learning Rate Scheduling*](https://d2l.ai/chapter_optimization/lr-scheduler.html).
pub struct CosineAnnealingLR {
    t_max: usize,
    eta_min: f64,
    state: SchedulerState,
}

impl CosineAnnealingLR {
    /// Down to 0.
    ///
    /// # Errors
    /// `t_max` is 0.
    pub fn new(t_max: usize) -> Result<CosineAnnealingLR> {
        check_count("CosineAnnealingLR", "t_max", t_max)?;
        Ok(CosineAnnealingLR { t_max, eta_min: 0., state: SchedulerState::default() })
    }

    /// The lowest learning rate, of all groups.
    ///
    /// # Errors
    /// It is no number from 0 up.
    pub fn eta_min(self, eta_min: f64) -> Result<CosineAnnealingLR> {
        check_factor("CosineAnnealingLR", "eta_min", eta_min, 0. ..=f64::MAX)?;
        Ok(CosineAnnealingLR { eta_min, ..self })
    }

    fn rate(&self, base: f64, epoch: usize) -> f64 {
        let part = epoch as f64 / self.t_max as f64;
        self.eta_min + (base - self.eta_min) * (1. + (PI * part).cos()) / 2.
    }
}

impl Display for CosineAnnealingLR {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "CosineAnnealingLR(t_max={}, eta_min={})", self.t_max, self.eta_min)
    }
}

schedule!(CosineAnnealingLR);

/// Leads the learning rates from a third of themselves to all over some epochs: a warm-up (PyTorch:
/// `LinearLR`). [`start`](LRScheduler::start) it before the first epoch.
///
/// The book: [*Learning Rate Scheduling*](https://d2l.ai/chapter_optimization/lr-scheduler.html).
pub struct LinearLR {
    total_iters: usize,
    start_factor: f64,
    end_factor: f64,
    state: SchedulerState,
}

impl LinearLR {
    /// From a third in epoch 0 to the whole rate in epoch `total_iters`.
    ///
    /// # Errors
    /// `total_iters` is 0.
    pub fn new(total_iters: usize) -> Result<LinearLR> {
        check_count("LinearLR", "total_iters", total_iters)?;
        let (start_factor, end_factor) = (1. / 3., 1.);
        Ok(LinearLR { total_iters, start_factor, end_factor, state: SchedulerState::default() })
    }

    /// The part of the rate in epoch 0, above 0, 1 at most.
    ///
    /// # Errors
    /// Another number.
    pub fn start_factor(self, start_factor: f64) -> Result<LinearLR> {
        check_factor("LinearLR", "start_factor", start_factor, f64::MIN_POSITIVE..=1.)?;
        Ok(LinearLR { start_factor, ..self })
    }

    /// The part of the rate at the end, from 0 to 1.
    ///
    /// # Errors
    /// Another number.
    pub fn end_factor(self, end_factor: f64) -> Result<LinearLR> {
        check_factor("LinearLR", "end_factor", end_factor, 0. ..=1.)?;
        Ok(LinearLR { end_factor, ..self })
    }

    fn rate(&self, base: f64, epoch: usize) -> f64 {
        let part = epoch.min(self.total_iters) as f64 / self.total_iters as f64;
        base * (self.start_factor + (self.end_factor - self.start_factor) * part)
    }
}

impl Display for LinearLR {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let LinearLR { total_iters, start_factor, end_factor, .. } = self;
        write!(
            f,
            "LinearLR(total_iters={total_iters}, start_factor={start_factor}, end_factor={end_factor})"
        )
    }
}

schedule!(LinearLR);

/// Multiplies the learning rates by what a function says of the epoch (PyTorch: `LambdaLR`).
/// [`start`](LRScheduler::start) it before the first epoch if that is not 1 in epoch 0.
///
/// The book: [*Learning Rate Scheduling*](https://d2l.ai/chapter_optimization/lr-scheduler.html).
///
/// ```
/// use d2l::optim::LambdaLR;
/// use d2l::prelude::*;
/// let net = linear(2, 1)?;
/// let mut trainer = SGD::new(net.parameters(), 0.1)?;
/// let mut square_root = LambdaLR::new(|epoch| (epoch as f64 + 1.).powf(-0.5));
/// for _ in 0..3 {
///     square_root.step(&mut trainer)?;
/// }
/// assert_eq!(trainer.learning_rates(), [0.05]);
/// # Ok::<(), d2l::Error>(())
/// ```
pub struct LambdaLR {
    factor: Box<dyn Fn(usize) -> f64 + Send>,
    state: SchedulerState,
}

impl LambdaLR {
    /// The factor of each epoch, from 0.
    pub fn new(factor: impl Fn(usize) -> f64 + Send + 'static) -> LambdaLR {
        LambdaLR { factor: Box::new(factor), state: SchedulerState::default() }
    }

    fn rate(&self, base: f64, epoch: usize) -> f64 {
        base * (self.factor)(epoch)
    }
}

impl Display for LambdaLR {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("LambdaLR")
    }
}

schedule!(LambdaLR);

/// One schedule up to an epoch, and then another, which counts its epochs from there (PyTorch:
/// `SequentialLR`).
///
/// The book: [*Learning Rate Scheduling*](https://d2l.ai/chapter_optimization/lr-scheduler.html).
///
/// ```
/// use d2l::optim::{CosineAnnealingLR, LinearLR, SequentialLR};
/// use d2l::prelude::*;
/// let net = linear(2, 1)?;
/// let mut trainer = SGD::new(net.parameters(), 0.3)?;
/// let warm_up = LinearLR::new(5)?;
/// let mut schedule = SequentialLR::new(warm_up, 5, CosineAnnealingLR::new(20)?)?;
/// schedule.start(&mut trainer)?;
/// assert!((trainer.learning_rates()[0] - 0.1).abs() < 1e-9);
/// # Ok::<(), d2l::Error>(())
/// ```
pub struct SequentialLR {
    first: Box<dyn LRScheduler + Send>,
    milestone: usize,
    second: Box<dyn LRScheduler + Send>,
    state: SchedulerState,
}

impl SequentialLR {
    /// The second begins with epoch `milestone`.
    ///
    /// # Errors
    /// `milestone` is 0.
    pub fn new(
        first: impl LRScheduler + Send + 'static,
        milestone: usize,
        second: impl LRScheduler + Send + 'static,
    ) -> Result<SequentialLR> {
        check_count("SequentialLR", "milestone", milestone)?;
        let (first, second) = (Box::new(first), Box::new(second));
        Ok(SequentialLR { first, milestone, second, state: SchedulerState::default() })
    }

    fn rate(&self, base: f64, epoch: usize) -> f64 {
        match epoch.checked_sub(self.milestone) {
            None => self.first.learning_rate(base, epoch),
            Some(epoch) => self.second.learning_rate(base, epoch),
        }
    }
}

impl Display for SequentialLR {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let SequentialLR { first, milestone, second, .. } = self;
        write!(f, "SequentialLR({first}, milestone={milestone}, {second})")
    }
}

schedule!(SequentialLR);

fn power(number: f64, times: usize) -> f64 {
    number.powi(i32::try_from(times).unwrap_or(i32::MAX))
}

fn check_count(schedule: &str, name: &str, count: usize) -> Result<()> {
    if count > 0 {
        return Ok(());
    }
    let todo = "count in epochs, or in whatever schedule.step is called after";
    Err(Error::invalid(schedule, format!("{name} 0"), "1 or more", todo))
}

fn check_factor(
    schedule: &str,
    name: &str,
    factor: f64,
    allowed: std::ops::RangeInclusive<f64>,
) -> Result<()> {
    if allowed.contains(&factor) {
        return Ok(());
    }
    let expected = match (*allowed.start() > 0., *allowed.end()) {
        (_, f64::MAX) => "a number from 0 up",
        (true, _) => "a number above 0, 1 at most",
        (false, _) => "a number from 0 to 1",
    };
    let todo = "0.1 is a tenth of the learning rate";
    Err(Error::invalid(schedule, format!("{name} {factor}"), expected, todo))
}

crate::jupyter::show_as_text!(StepLR, CosineAnnealingLR, LinearLR, LambdaLR, SequentialLR);
