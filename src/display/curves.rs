//! How an `Animator` is drawn: losses above, all other curves below them, names at the curves' ends.

use std::fmt::Write;

use plotters::element::DashedPathElement;
use plotters::prelude::*;

use super::animator::Animator;
use super::axis::{Axis, Marks};
use super::canvas::{
    Area, At, Drawn, FINE, Frame, INK, TEXT, TITLE, paint, short_number, shortened, steps, text,
    text_width, widest,
};
use super::clip::{Point, contains, visible};
use super::colours::{COLOURS, readable};
use super::figure::Figure;
use crate::jupyter::escape;
use crate::{Error, Result};

/// Length of dash and gap in screen pixels; 0 is a solid line.
const DASHES: [(f64, f64); 4] = [(0., 0.), (8., 4.), (3., 3.), (12., 3.)];
/// Points that are this far from each other, in screen pixels, have dots.
const SPARSE: f64 = 24.;
/// A line of text, and the sample of a curve's line beside its name.
const LINE: f64 = 16.;
const SAMPLE: f64 = 22.;

/// Curves that share a vertical axis.
struct Panel {
    /// Their places in the legend.
    curves: Vec<usize>,
    y: Axis,
}

impl Animator {
    pub(super) fn drawn(&self) -> Result<Figure> {
        let x_is_log = is_log("xscale", self.xscale.as_deref())? == Some(true);
        let y_is_log = is_log("yscale", self.yscale.as_deref())?;
        let epochs = ["epoch", "エポック"].iter().any(|name| self.xlabel.contains(name));
        let marks = Marks { most: if epochs { 11 } else { 5 }, whole: epochs };
        let all = || self.curves.iter().flatten().map(|point| point.0);
        let x = match (self.xlim, x_is_log) {
            (Some(ends), false) => Axis::new("xlim", ends, marks)?,
            (Some(ends), true) => Axis::log("xlim", ends)?.marked_at(all()),
            (None, false) => Axis::around(all(), marks),
            (None, true) => Axis::log_around(all()).marked_at(all()),
        };
        let panels = self.panels(y_is_log)?;
        let default = if panels.len() > 1 { (560, 400) } else { (560, 300) };
        let size = self.size.unwrap_or(default);
        paint("Animator", size, &self.description(), |area| {
            let labels = panels.iter().flat_map(|panel| panel.y.marks()).map(|(_, label)| label);
            let left = 14. + widest(labels.map(String::as_str), TEXT);
            // Room for values that are yet to come
            let names = widest(self.legend.iter().map(String::as_str), TEXT);
            let right = 18. + SAMPLE + names + text_width(" 0.0000", TEXT);
            let width = f64::from(size.0);
            let margins = [
                left.clamp(40., width / 2.),
                right.min(width * 0.45),
                if self.title.is_empty() { 12. } else { 34. },
                if self.xlabel.is_empty() { 28. } else { 46. },
            ];
            let whole = Frame::within(size, margins);
            if !self.title.is_empty() {
                let title = shortened(&self.title, TITLE, width - 20.);
                text(area, &title, (width / 2., 17.), At::Centre, TITLE, INK)?;
            }
            let xlabel = shortened(&self.xlabel, TEXT, whole.width());
            let middle = (whole.left + whole.right) / 2.;
            text(area, &xlabel, (middle, whole.bottom + 32.), At::Centre, TEXT, INK)?;
            let mut tips = String::new();
            let gap = 22.;
            let each = (whole.height() + gap) / panels.len() as f64;
            for (i, panel) in panels.iter().enumerate() {
                let is_last = i + 1 == panels.len();
                let mut top = whole.top + each * i as f64;
                let bottom = (top + each - gap).max(top + 10.);
                if is_last && !self.ylabel.is_empty() {
                    let ylabel = shortened(&self.ylabel, TEXT, whole.width());
                    text(area, &ylabel, (whole.left, top), At::Right, TEXT, INK)?;
                    top = (top + LINE).min(bottom - 10.);
                }
                let frame = Frame { top, bottom, ..whole };
                frame.draw(area, &x, &panel.y, is_last)?;
                for &curve in &panel.curves {
                    self.draw_curve(area, frame, (&x, &panel.y), curve, &mut tips)?;
                }
                let room = width - whole.right - 13.;
                self.draw_names(area, panel, frame, room)?;
            }
            Ok(tips)
        })
    }

    /// Losses, if there are others; then the others.
    fn panels(&self, y_is_log: Option<bool>) -> Result<Vec<Panel>> {
        let is_above = |name: &String| match &self.above {
            Some(names) => names.contains(name),
            None => is_loss(name),
        };
        for name in self.above.iter().flatten() {
            if !self.legend.contains(name) {
                let expected = format!("names of curves: {}", self.legend.join(", "));
                let todo = "take names from the legend";
                return Err(Error::invalid("above", format!("{name:?}"), expected, todo));
            }
        }
        let (above, below): (Vec<usize>, Vec<usize>) =
            (0..self.legend.len()).partition(|&i| is_above(&self.legend[i]));
        // The limits that are given are those of the lower axis, or of the only one.
        if above.is_empty() || below.is_empty() {
            let curves = [above, below].concat();
            let y = self.vertical(&curves, self.ylim, y_is_log, 6)?;
            return Ok(vec![Panel { curves, y }]);
        }
        let upper = self.vertical(&above, None, y_is_log, 5)?;
        let lower = self.vertical(&below, self.ylim, Some(false), 6)?;
        Ok(vec![Panel { curves: above, y: upper }, Panel { curves: below, y: lower }])
    }

    fn vertical(
        &self,
        curves: &[usize],
        ylim: Option<Point>,
        y_is_log: Option<bool>,
        most: usize,
    ) -> Result<Axis> {
        let marks = Marks { most, whole: false };
        let points = curves.iter().flat_map(|&i| &self.curves[i]).map(|point| point.1);
        let bars = curves.iter().flat_map(|&i| &self.bars[i]);
        let values = points.chain(bars.flat_map(|&(_, low, high)| [low, high]));
        let losses = !curves.is_empty() && curves.iter().all(|&i| is_loss(&self.legend[i]));
        Ok(match (ylim, y_is_log) {
            (Some(ends), Some(true)) => Axis::log("ylim", ends)?,
            (Some(ends), _) => Axis::new("ylim", ends, marks)?,
            (None, Some(true)) => Axis::log_around(values),
            (None, None) if losses && spans_a_decade(values.clone()) => Axis::log_around(values),
            (None, _) if losses => Axis::from_zero(values, marks),
            (None, _) => Axis::around(values, marks),
        })
    }

    /// A curve's line, cut at the axes, and dots where its points are few.
    fn draw_curve(
        &self,
        area: &Area,
        frame: Frame,
        (x, y): (&Axis, &Axis),
        curve: usize,
        tips: &mut String,
    ) -> Drawn {
        let colour = COLOURS[curve % COLOURS.len()];
        let style = colour.stroke_width(steps(2.) as u32);
        let place = |&(a, b): &Point| Some((x.place(a)?, y.place(b)?));
        let limits = (x.limits(), y.limits());
        let points: Vec<Point> = self.curves[curve].iter().filter_map(place).collect();
        let on_canvas = |point| frame.on_canvas((x, y), point);
        let pieces = |points: &[Point]| {
            let pieces = visible(points, limits.0, limits.1).into_iter();
            pieces.map(|piece| piece.into_iter().map(on_canvas).collect()).collect()
        };
        draw_line(area, pieces(&points), curve, style)?;
        for &(at, low, high) in &self.bars[curve] {
            let (Some(at), Some(high)) = (x.place(at), y.place(high)) else { continue };
            let low = y.place(low).unwrap_or(limits.1.0);
            for piece in pieces(&[(at, low), (at, high)]) {
                area.draw(&PathElement::new(piece, style))?;
            }
            let ends = [(at, low), (at, high)].into_iter();
            for end in ends.filter(|&end| contains(end, limits.0, limits.1)) {
                let ((left, height), half) = (on_canvas(end), steps(4.));
                let cap = [(left - half, height), (left + half, height)];
                area.draw(&PathElement::new(cap, style))?;
            }
        }
        let places: Vec<_> = points.iter().map(|&point| on_canvas(point).0).collect();
        let length = places.iter().max().zip(places.iter().min()).map_or(0, |(a, b)| a - b);
        let is_sparse = f64::from(length) >= (points.len() as f64 - 1.) * SPARSE * FINE;
        // A single point makes no line.
        let is_dot = points.iter().all(|point| points.first() == Some(point));
        if !is_sparse && !is_dot {
            return Ok(());
        }
        for (point, (at, value)) in points.iter().zip(&self.curves[curve]) {
            if !contains(*point, limits.0, limits.1) {
                continue;
            }
            let (cx, cy) = on_canvas(*point);
            area.draw(&Circle::new((cx, cy), steps(3.5), colour.filled()))?;
            let (name, xlabel) = (escape(&self.legend[curve]), escape(&self.xlabel));
            let (at, value) = (short_x(*at), short_number(*value));
            write!(
                tips,
                r#"<circle cx="{cx}" cy="{cy}" r="80" fill-opacity="0"><title>{name}, {xlabel} {at}: {value}</title></circle>"#
            )?;
            if is_dot {
                break;
            }
        }
        Ok(())
    }

    /// The curves' names right of the plot, each as near to its curve's end as the others allow.
    fn draw_names(&self, area: &Area, panel: &Panel, frame: Frame, room: f64) -> Drawn {
        let distance = LINE.min(frame.height() / panel.curves.len().max(1) as f64);
        let end = |&curve: &usize| {
            let last = self.curves[curve].last();
            let place = last.and_then(|&(_, value)| panel.y.place(value));
            let height = place.map(|place| panel.y.along(place, (frame.bottom, frame.top)));
            height.unwrap_or((frame.top + frame.bottom) / 2.)
        };
        let mut names: Vec<(f64, usize)> =
            panel.curves.iter().map(|curve| (end(curve), *curve)).collect();
        names.sort_by(|a, b| a.0.total_cmp(&b.0));
        let heights = spread(names.iter().map(|name| name.0), distance, (frame.top, frame.bottom));
        let size = TEXT.min(distance);
        for ((_, curve), y) in names.into_iter().zip(heights) {
            let colour = COLOURS[curve % COLOURS.len()];
            let style = colour.stroke_width(steps(2.) as u32);
            let left = frame.right + 12.;
            let sample = vec![(steps(left), steps(y)), (steps(left + SAMPLE), steps(y))];
            draw_line(area, vec![sample], curve, style)?;
            let value = match self.curves[curve].last() {
                Some((_, value)) => format!(" {}", short_number(*value)),
                None => String::new(),
            };
            let left = left + SAMPLE + 6.;
            let room = room - SAMPLE - 6. - text_width(&value, size);
            let name = shortened(&self.legend[curve], size, room) + &value;
            text(area, &name, (left, y), At::Right, size, readable(colour))?;
        }
        Ok(())
    }

    /// For those who hear the figure.
    fn description(&self) -> String {
        let curve = |(name, points): (&String, &Vec<Point>)| match points.last() {
            Some((_, value)) => format!("{name} ends at {}", short_number(*value)),
            None => format!("{name} has no points"),
        };
        let curves: Vec<_> = self.legend.iter().zip(&self.curves).map(curve).collect();
        let title = if self.title.is_empty() { "curves" } else { &self.title };
        format!("{title}, over {}: {}", self.xlabel, curves.join(", "))
    }
}

/// Pieces of a curve's line, with its dashes.
fn draw_line(area: &Area, pieces: Vec<Vec<(i32, i32)>>, curve: usize, style: ShapeStyle) -> Drawn {
    let (dash, gap) = DASHES[curve % DASHES.len()];
    for piece in pieces {
        if dash == 0. {
            area.draw(&PathElement::new(piece, style))?;
        } else {
            area.draw(&DashedPathElement::new(piece, steps(dash), steps(gap), style))?;
        }
    }
    Ok(())
}

fn is_log(name: &str, scale: Option<&str>) -> Result<Option<bool>> {
    match scale {
        None => Ok(None),
        Some("linear") => Ok(Some(false)),
        Some("log") => Ok(Some(true)),
        Some(other) => {
            let expected = r#""linear" or "log""#;
            let todo = "give one of these, or leave it out";
            Err(Error::invalid(name, format!("{other:?}"), expected, todo))
        }
    }
}

fn is_loss(name: &str) -> bool {
    name.to_lowercase().contains("loss") || name.contains("損失")
}

fn spans_a_decade(values: impl Iterator<Item = f64> + Clone) -> bool {
    let low = values.clone().fold(f64::INFINITY, f64::min);
    low > 0. && values.fold(0., f64::max) / low > 10.
}

/// A place on the horizontal axis in few digits.
fn short_x(value: f64) -> String {
    if value.fract() == 0. && value.abs() < 1e6 { value.to_string() } else { short_number(value) }
}

/// Moves heights, the smallest first, apart from each other and within the limits, as little as that
/// takes.
fn spread(
    heights: impl Iterator<Item = f64>,
    distance: f64,
    (top, bottom): (f64, f64),
) -> Vec<f64> {
    let mut least = top + distance / 2.;
    let mut heights: Vec<f64> = heights
        .map(|height| {
            let moved = height.max(least);
            least = moved + distance;
            moved
        })
        .collect();
    let mut most = bottom - distance / 2.;
    for height in heights.iter_mut().rev() {
        *height = height.min(most);
        most = *height - distance;
    }
    heights
}
