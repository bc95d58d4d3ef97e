//! Curves that grow while a network trains (d2l: appendix, `Animator`).

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::figure::Figure;
use crate::jupyter::{self, INTERVAL, Place};
use crate::{Error, Result};

/// Collects points of several curves and draws them together (d2l: `Animator`).
///
/// Curves with "loss" in their names are drawn above the others, which have another axis
/// ([`above`](Self::above) changes that). A loss is never below 0, so its axis begins there, or is
/// logarithmic if the values differ by more than a factor of ten. Each curve's name and last value
/// stand at its end.
///
/// Under the kernel "Rust (d2l)" the figure is on the page from the first point on and drawn anew as
/// points come, ten times a second at most; [`show`](Self::show), or the animator's end, brings the
/// last ones. Elsewhere it is drawn by `show`.
///
/// The book: [*Utility Functions and Classes*](https://d2l.ai/chapter_appendix-tools-for-deep-learning/utils.html).
///
/// ```
/// use d2l::prelude::*;
/// let mut animator = Animator::new("epoch", &["train loss", "test acc"]).xlim(1., 5.).ylim(0., 1.);
/// animator.add(1., &[Some(0.7), None]);
/// animator.add(2., &[Some(0.4), Some(0.9)]);
/// assert!(animator.figure()?.svg().starts_with("<svg"));
/// # Ok::<(), d2l::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Animator {
    pub(super) title: String,
    pub(super) xlabel: String,
    pub(super) ylabel: String,
    pub(super) legend: Vec<String>,
    /// Names of the curves that have the upper axis.
    pub(super) above: Option<Vec<String>>,
    pub(super) xlim: Option<(f64, f64)>,
    pub(super) ylim: Option<(f64, f64)>,
    pub(super) xscale: Option<String>,
    pub(super) yscale: Option<String>,
    pub(super) size: Option<(u32, u32)>,
    pub(super) curves: Vec<Vec<(f64, f64)>>,
    /// Error bars of each curve: where, from, to.
    pub(super) bars: Vec<Vec<(f64, f64, f64)>>,
    beside: Option<Figure>,
    live: Live,
}

/// The figure on the page that changes as points come. A copy of an animator has one of its own.
#[derive(Debug, Default)]
struct Live(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// The cell in which the figure is.
    cell: Option<String>,
    place: Option<Place>,
    drawn: Option<Instant>,
    /// Whether there are points that it does not show.
    behind: bool,
}

impl Clone for Live {
    fn clone(&self) -> Live {
        Live::default()
    }
}

impl Animator {
    /// No points yet; one curve for each name in the legend.
    pub fn new(xlabel: &str, legend: &[impl AsRef<str>]) -> Animator {
        Animator::empty(xlabel, legend.iter().map(|name| name.as_ref().to_string()).collect())
    }

    fn empty(xlabel: &str, legend: Vec<String>) -> Animator {
        Animator {
            title: String::new(),
            xlabel: xlabel.to_string(),
            ylabel: String::new(),
            curves: vec![vec![]; legend.len()],
            bars: vec![vec![]; legend.len()],
            legend,
            above: None,
            xlim: None,
            ylim: None,
            xscale: None,
            yscale: None,
            size: None,
            beside: None,
            live: Live::default(),
        }
    }

    /// Curves that are there already, each below its new name: to compare those of several trainings, say.
    /// The points are what [`curve`](Self::curve) returns, or `Some(&points)`.
    ///
    /// # Errors
    /// A curve is `None`.
    ///
    /// ```
    /// use d2l::prelude::*;
    /// let mut run = Animator::new("epoch", &["train loss", "test acc"]);
    /// run.add(1., &[Some(0.7), Some(0.8)]);
    /// let all = [("one", run.curve("test acc")), ("other", Some(&[(1., 0.5), (2., 0.6)]))];
    /// let both = Animator::of("epoch", &all)?.ylim(0., 1.);
    /// assert_eq!(both.curve("one"), Some(&[(1., 0.8)][..]));
    /// let error = Animator::of("epoch", &[("one", run.curve("test_acc"))]).unwrap_err();
    /// assert!(error.to_string().contains("one"));
    /// # Ok::<(), d2l::Error>(())
    /// ```
    #[expect(clippy::type_complexity, reason = "a name would hide what to write in a cell")]
    pub fn of(xlabel: &str, curves: &[(&str, Option<&[(f64, f64)]>)]) -> Result<Animator> {
        let legend = curves.iter().map(|(name, _)| name.to_string()).collect();
        let mut animator = Animator::empty(xlabel, legend);
        for ((name, points), curve) in curves.iter().zip(&mut animator.curves) {
            let Some(points) = points else {
                let todo = "take the name of a curve from the legend of its Animator";
                let found = format!("the curve for {name:?} is None");
                return Err(Error::invalid("Animator::of", found, "the points of a curve", todo));
            };
            curve.extend(points.iter().filter(|(x, y)| x.is_finite() && y.is_finite()));
        }
        Ok(animator)
    }

    /// A line of text above the curves.
    pub fn title(mut self, title: &str) -> Animator {
        self.title = title.to_string();
        self
    }

    /// The ends of the horizontal axis; without this they follow the points. Curves are cut where they
    /// leave the plot. With `low` above `high` the axis is mirrored; ends that cannot be told apart are
    /// moved apart; ends that are not finite are an error of [`figure`](Self::figure).
    pub fn xlim(mut self, low: f64, high: f64) -> Animator {
        self.xlim = Some((low, high));
        self
    }

    /// The ends of the vertical axis, as those of the horizontal one ([`xlim`](Self::xlim)). Where losses
    /// have an axis of their own, this is the other one.
    pub fn ylim(mut self, low: f64, high: f64) -> Animator {
        self.ylim = Some((low, high));
        self
    }

    /// A name for the vertical axis; the lower one, if there are two.
    pub fn ylabel(mut self, ylabel: &str) -> Animator {
        self.ylabel = ylabel.to_string();
        self
    }

    /// The curves that are drawn above the others, on an axis of their own: `&["learning rate"]`, or
    /// `&[]` to have all on one axis. Without this they are those with "loss" in their names.
    ///
    /// A name that the legend does not have is an error of [`figure`](Self::figure).
    ///
    /// ```
    /// use d2l::prelude::*;
    /// let mut both = Animator::new("epoch", &["train loss", "train acc"]);
    /// both.add(1., &[Some(1.7), Some(0.4)]);
    /// assert!(both.clone().above(&[]).figure().is_ok());
    /// assert!(both.above(&["test loss"]).figure().is_err());
    /// ```
    pub fn above(mut self, names: &[&str]) -> Animator {
        self.above = Some(names.iter().map(|name| name.to_string()).collect());
        self
    }

    /// `"log"` for a logarithmic horizontal axis, as for learning rates; `"linear"` otherwise. Points that
    /// have no logarithm are not drawn on such an axis; ends of it at 0 or below are an error of
    /// [`figure`](Self::figure), and so is any other word.
    ///
    /// ```
    /// use d2l::prelude::*;
    /// let mut sweep = Animator::new("learning rate", &["test acc"]).xscale("log");
    /// for (rate, accuracy) in [(1e-5, 0.81), (1e-4, 0.94), (1e-3, 0.55)] {
    ///     sweep.add(rate, &[Some(accuracy)]);
    /// }
    /// assert!(sweep.figure()?.svg().contains("1e-4"));
    /// # Ok::<(), d2l::Error>(())
    /// ```
    pub fn xscale(mut self, scale: &str) -> Animator {
        self.xscale = Some(scale.to_string());
        self
    }

    /// The same for the vertical axis. Where losses have an axis of their own, it is that one; without
    /// this, losses decide by themselves.
    pub fn yscale(mut self, scale: &str) -> Animator {
        self.yscale = Some(scale.to_string());
        self
    }

    /// The figure's width and height in screen pixels, from 200 and 150 to 10,000. Without this 560 and
    /// 300, or 400 where losses have an axis of their own.
    pub fn figsize(mut self, width: u32, height: u32) -> Animator {
        self.size = Some((width.clamp(200, 10_000), height.clamp(150, 10_000)));
        self
    }

    /// Adds a point at `x` to each curve that has a value. A point that is not finite is left out; the
    /// curve goes on from the one before it.
    pub fn add(&mut self, x: f64, values: &[Option<f64>]) {
        for (curve, value) in self.curves.iter_mut().zip(values) {
            let point = value.map(|y| (x, y)).filter(|(x, y)| x.is_finite() && y.is_finite());
            curve.extend(point);
        }
        if jupyter::is_live() {
            let mut state = self.state();
            state.behind = true;
            if state.drawn.is_none_or(|time| time.elapsed() > INTERVAL) {
                self.redraw(&mut state);
            }
        }
    }

    /// Adds a point at `x` to each curve that has a value and its error: a bar reaches from `value - error`
    /// to `value + error` (matplotlib: `errorbar`). As error take the standard deviation over several
    /// seeds, say. What is not finite is left out.
    ///
    /// ```
    /// use d2l::prelude::*;
    /// let mut seeds = Animator::new("images", &["fine-tuned"]).xscale("log");
    /// seeds.errorbar(50., &[Some((0.84, 0.03))]);
    /// seeds.errorbar(200., &[Some((0.93, 0.01))]);
    /// assert!(seeds.figure()?.svg().contains("fine-tuned ends at 0.930"));
    /// # Ok::<(), d2l::Error>(())
    /// ```
    pub fn errorbar(&mut self, x: f64, values: &[Option<(f64, f64)>]) {
        for (bars, value) in self.bars.iter_mut().zip(values) {
            let bar = value.map(|(y, error)| (x, y - error.abs(), y + error.abs()));
            bars.extend(bar.filter(|(x, low, high)| [x, low, high].iter().all(|n| n.is_finite())));
        }
        let values: Vec<_> = values.iter().map(|value| value.map(|(y, _)| y)).collect();
        self.add(x, &values);
    }

    /// Puts a figure beside the curves, or another one in its place: each epoch the same image, say, with
    /// what the network finds in it by then. It is on the page at once, and as often as there is a new one.
    ///
    /// A figure that does not begin with its width and height is an error of [`figure`](Self::figure).
    ///
    /// ```
    /// use d2l::prelude::*;
    /// # let image = Image::from(d2l::image::RgbImage::new(64, 64));
    /// let mut animator = Animator::new("epoch", &["class error", "bbox mae"]).xlim(1., 20.);
    /// for epoch in 1..=20 {
    ///     animator.add(epoch as f64, &[Some(0.02 / epoch as f64), Some(0.01 / epoch as f64)]);
    ///     let found = [([8, 8, 40, 44], format!("banana {:.2}", epoch as f64 / 20.))];
    ///     animator.beside(ImageGrid::new([&image], 1, 1)?.scale(3.).bboxes(0, found).figure()?);
    /// }
    /// assert!(animator.figure()?.svg().contains("banana 1.00"));
    /// # Ok::<(), d2l::Error>(())
    /// ```
    pub fn beside(&mut self, figure: Figure) {
        self.beside = Some(figure);
        if jupyter::is_live() {
            let mut state = self.state();
            self.redraw(&mut state);
        }
    }

    /// Of the running cell: a figure that is in another cell stays as it is.
    fn state(&self) -> MutexGuard<'_, State> {
        let mut state = self.live.0.lock().unwrap_or_else(PoisonError::into_inner);
        let cell = jupyter::running_cell();
        if state.cell != cell {
            self.catch_up(&mut state);
            *state = State { cell, ..State::default() };
        }
        state
    }

    /// For a training that goes on: takes away what lies beyond `from`, and makes room up to `to`.
    pub(crate) fn go_on(&mut self, from: f64, to: f64) {
        self.curves.iter_mut().for_each(|curve| curve.retain(|(x, _)| *x <= from));
        self.bars.iter_mut().for_each(|bars| bars.retain(|(x, ..)| *x <= from));
        self.xlim = Some((0., to));
    }

    /// Brings the last points to the figure on the page, which may grow on in this cell.
    pub(crate) fn bring(&self) {
        let mut state = self.state();
        self.catch_up(&mut state);
        if state.cell.is_none() {
            *state = State::default();
        }
    }

    /// Draws on the page. What cannot be drawn is told by `figure` and `show`.
    fn redraw(&self, state: &mut State) {
        if let Ok(figure) = self.figure() {
            state.place.get_or_insert_with(Place::new).show(&figure.data());
        }
        (state.drawn, state.behind) = (Some(Instant::now()), false);
    }

    fn catch_up(&self, state: &mut State) {
        if state.place.is_some() && state.behind {
            self.redraw(state);
        }
    }

    /// Completes the figure on the page; the next one will be another. False if there is none.
    fn complete(&self) -> bool {
        let mut state = self.state();
        self.catch_up(&mut state);
        std::mem::take(&mut *state).place.is_some()
    }

    /// The points of a curve, `(x, y)`; `None` if the legend does not have this name.
    pub fn curve(&self, name: &str) -> Option<&[(f64, f64)]> {
        let mut curves = self.legend.iter().zip(&self.curves);
        curves.find(|(other, _)| *other == name).map(|(_, curve)| curve.as_slice())
    }

    /// Draws what is there.
    ///
    /// # Errors
    /// An end given to [`xlim`](Self::xlim) or [`ylim`](Self::ylim) is not finite, or not above 0 on a
    /// logarithmic axis; a name given to [`above`](Self::above) is not in the legend; a scale is
    /// neither `"linear"` nor `"log"`.
    pub fn figure(&self) -> Result<Figure> {
        match &self.beside {
            Some(figure) => self.drawn()?.beside(figure),
            None => self.drawn(),
        }
    }

    /// Shows what is there: completes the figure on the page, or shows one.
    ///
    /// # Errors
    /// As [`figure`](Self::figure), or the figure's file cannot be written.
    pub fn show(&self) -> Result<()> {
        let figure = self.figure()?;
        if self.complete() { Ok(()) } else { figure.show() }
    }

    fn show_at_the_end(&self) {
        if self.complete() {
            return;
        }
        match self.figure() {
            Ok(figure) => figure.evcxr_display(),
            Err(error) => jupyter::complain(error),
        }
    }
}

jupyter::show_with!(Animator, Animator::show_at_the_end);

impl Drop for Animator {
    fn drop(&mut self) {
        self.complete();
    }
}
