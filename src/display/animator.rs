//! Curves that grow while a network trains (d2l: appendix, `Animator`).

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use plotters::element::DashedPathElement;
use plotters::prelude::*;

use super::axis::Axis;
use super::clip::{contains, visible};
use super::figure::{FONTS, Figure};
use crate::jupyter::{self, INTERVAL, Place, escape, plain};
use crate::{Error, Result};

/// Colours that a colour-blind reader can tell apart (Okabe and Ito); dashes tell them apart too.
const COLOURS: [RGBColor; 6] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
];
/// Length of dash and gap; 0 is a solid line.
const DASHES: [(i32, i32); 4] = [(0, 0), (8, 4), (3, 3), (12, 3)];

/// Collects points of several curves and draws them together (d2l: `Animator`).
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
    title: String,
    xlabel: String,
    legend: Vec<String>,
    xlim: Option<(f64, f64)>,
    ylim: Option<(f64, f64)>,
    size: (u32, u32),
    curves: Vec<Vec<(f64, f64)>>,
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
            curves: vec![vec![]; legend.len()],
            legend,
            xlim: None,
            ylim: None,
            size: (420, 300),
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

    /// The ends of the vertical axis, as those of the horizontal one ([`xlim`](Self::xlim)).
    pub fn ylim(mut self, low: f64, high: f64) -> Animator {
        self.ylim = Some((low, high));
        self
    }

    /// The figure's width and height in screen pixels, from 200 and 150 to 10,000.
    pub fn figsize(mut self, width: u32, height: u32) -> Animator {
        self.size = (width.clamp(200, 10_000), height.clamp(150, 10_000));
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
    /// An end given to [`xlim`](Self::xlim) or [`ylim`](Self::ylim) is not finite.
    pub fn figure(&self) -> Result<Figure> {
        let points = self.curves.iter().flatten();
        let x = match self.xlim {
            Some(ends) => Axis::new("xlim", ends, 5)?,
            None => Axis::around(points.clone().map(|point| point.0), 5),
        };
        let y = match self.ylim {
            Some(ends) => Axis::new("ylim", ends, 6)?,
            None => Axis::around(points.map(|point| point.1), 6),
        };
        let mut svg = String::new();
        self.draw(x, y, &mut svg).map_err(|error| {
            let todo = "please report this";
            Error::invalid("Animator", error.to_string(), "a figure", todo)
        })?;
        let names = escape(&self.legend.join(", "));
        let role = format!(r#"<svg role="img" aria-label="curves: {names}" "#);
        Ok(Figure::new(svg.trim().replacen("<svg ", &role, 1)))
    }

    /// Shows what is there: completes the figure on the page, or shows one.
    ///
    /// # Errors
    /// As [`figure`](Self::figure), or the figure's file cannot be written.
    pub fn show(&self) -> Result<()> {
        let figure = self.figure()?;
        if self.complete() { Ok(()) } else { figure.show() }
    }

    fn draw(
        &self,
        x: Axis,
        y: Axis,
        svg: &mut String,
    ) -> std::result::Result<(), Box<dyn std::error::Error>> {
        let area = SVGBackend::with_string(svg, self.size).into_drawing_area();
        area.fill(&WHITE)?;
        let font = (FONTS, 13);
        let longest = y.labels().map(|label| label.len()).max().unwrap_or(0) as u32;
        let label_width = (12 + 7 * longest).clamp(42, self.size.0 / 2);
        let mut builder = ChartBuilder::on(&area);
        builder.margin(10).margin_right(16).x_label_area_size(38).y_label_area_size(label_width);
        if !self.title.is_empty() {
            builder.caption(plain(&self.title), (FONTS, 15));
        }
        let (x_limits, y_limits) = (x.limits(), y.limits());
        let mut chart = builder.build_cartesian_2d(x, y)?;
        chart
            .configure_mesh()
            .x_desc(plain(&self.xlabel))
            .label_style(font)
            .axis_desc_style(font)
            .light_line_style(TRANSPARENT)
            .bold_line_style(BLACK.mix(0.12))
            .draw()?;
        for (i, (points, name)) in self.curves.iter().zip(&self.legend).enumerate() {
            let style = COLOURS[i % COLOURS.len()].stroke_width(2);
            let (dash, gap) = DASHES[i % DASHES.len()];
            let pieces = visible(points, x_limits, y_limits).into_iter();
            let series = if dash == 0 {
                chart.draw_series(pieces.map(|piece| PathElement::new(piece, style)))?
            } else {
                let dashed = |piece| DashedPathElement::new(piece, dash, gap, style);
                chart.draw_series(pieces.map(dashed))?
            };
            series.label(plain(name)).legend(move |(x, y)| {
                let ends = [(x, y), (x + 24, y)];
                if dash == 0 {
                    PathElement::new(ends.to_vec(), style).into_dyn()
                } else {
                    DashedPathElement::new(ends, dash, gap, style).into_dyn()
                }
            });
            // A single point makes no line.
            if let Some((&first, others)) = points.split_first()
                && others.iter().all(|&other| other == first)
                && contains(first, x_limits, y_limits)
            {
                chart.draw_series([Circle::new(first, 3, style.filled())])?;
            }
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::MiddleRight)
            .background_style(WHITE.mix(0.85))
            .border_style(BLACK.mix(0.2))
            .legend_area_size(28)
            .label_font(font)
            .draw()?;
        area.present()?;
        Ok(())
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
