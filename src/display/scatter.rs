//! Points of several classes in a plane.

use std::fmt::Write;

use plotters::prelude::*;
use tch::{Kind, Tensor};

use super::axis::{Axis, Marks};
use super::canvas::{
    Area, At, Drawn, Frame, INK, TEXT, TITLE, finite_numbers, paint, shortened, shown_as_figure,
    steps, text, widest,
};
use super::colours::{COLOURS, readable};
use super::figure::Figure;
use crate::{Error, Result};

/// Points of several classes, each class with a colour and a mark of its own: a map of a network's
/// features, say, which a principal component analysis takes to two dimensions.
///
/// ```
/// use d2l::prelude::*;
/// let features = Tensor::from_slice(&[0.1f32, 0.9, 0.2, 0.8, 0.9, 0.3, 0.7, 0.1, 0.8, 0.2, 0.9, 0.1]);
/// let features = features.view([4, 3]);
/// let labels = Tensor::from_slice(&[0i64, 0, 1, 1]);
///
/// let centred = &features - features.mean_dim(0, true, Kind::Float);
/// let (_, _, v) = centred.svd(true, true);
/// let points = centred.matmul(&v.narrow(1, 0, 2));
/// Scatter::new(&points, &labels, &["hotdog", "not-hotdog"]).title("features").figure()?;
/// # Ok::<(), d2l::Error>(())
/// ```
#[derive(Debug)]
pub struct Scatter {
    points: Tensor,
    labels: Tensor,
    names: Vec<String>,
    title: String,
    xlabel: String,
    ylabel: String,
    size: (u32, u32),
}

/// More points make a figure that browsers are slow with.
const MOST: i64 = 20_000;
const SUBJECT: &str = "Scatter";

impl Scatter {
    /// Points `[n, 2]`, their classes `[n]` from 0 on, and the classes' names.
    pub fn new(points: &Tensor, labels: &Tensor, names: &[impl AsRef<str>]) -> Scatter {
        Scatter {
            points: points.shallow_clone(),
            labels: labels.shallow_clone(),
            names: names.iter().map(|name| name.as_ref().to_string()).collect(),
            title: String::new(),
            xlabel: String::new(),
            ylabel: String::new(),
            size: (560, 380),
        }
    }

    /// A line of text above.
    pub fn title(mut self, title: &str) -> Scatter {
        self.title = title.to_string();
        self
    }

    /// A name for the horizontal axis.
    pub fn xlabel(mut self, xlabel: &str) -> Scatter {
        self.xlabel = xlabel.to_string();
        self
    }

    /// A name for the vertical axis.
    pub fn ylabel(mut self, ylabel: &str) -> Scatter {
        self.ylabel = ylabel.to_string();
        self
    }

    /// The figure's width and height in screen pixels, from 200 and 150 to 10,000.
    pub fn figsize(mut self, width: u32, height: u32) -> Scatter {
        self.size = (width.clamp(200, 10_000), height.clamp(150, 10_000));
        self
    }

    /// Draws the points.
    ///
    /// # Errors
    /// The points are not `[n, 2]`, or more than 20,000; the labels are not `[n]`, not whole numbers, or
    /// have no name; a coordinate is not finite.
    pub fn figure(&self) -> Result<Figure> {
        let points = self.points()?;
        let marks = Marks { most: 6, whole: false };
        let x = Axis::around(points.iter().map(|point| point.0[0]), marks);
        let y = Axis::around(points.iter().map(|point| point.0[1]), marks);
        paint(SUBJECT, self.size, &self.description(&points), |area| {
            let labels = y.marks().iter().map(|(_, label)| label.as_str());
            let width = f64::from(self.size.0);
            let right = 40. + widest(self.names.iter().map(String::as_str), TEXT);
            let title = if self.title.is_empty() { 12. } else { 34. };
            let margins = [
                (14. + widest(labels, TEXT)).clamp(40., width / 2.),
                right.min(width * 0.4),
                if self.ylabel.is_empty() { title } else { title + 18. },
                if self.xlabel.is_empty() { 28. } else { 46. },
            ];
            let frame = Frame::within(self.size, margins);
            let title = shortened(&self.title, TITLE, width - 20.);
            text(area, &title, (width / 2., 17.), At::Centre, TITLE, INK)?;
            let middle = (frame.left + frame.right) / 2.;
            text(area, &self.xlabel, (middle, frame.bottom + 32.), At::Centre, TEXT, INK)?;
            text(area, &self.ylabel, (frame.left, frame.top - 14.), At::Right, TEXT, INK)?;
            frame.draw(area, &x, &y, true)?;
            let mut tips = String::new();
            for &([a, b], class) in &points {
                let at = frame.on_canvas((&x, &y), (a, b));
                mark(area, at, class)?;
                if points.len() <= 200 {
                    let name = crate::jupyter::escape(&self.names[class]);
                    write!(
                        tips,
                        r#"<circle cx="{}" cy="{}" r="50" fill-opacity="0"><title>{name}</title></circle>"#,
                        at.0, at.1
                    )?;
                }
            }
            let room = width - frame.right - 40.;
            for (class, name) in self.names.iter().enumerate() {
                let at = (frame.right + 18., frame.top + 10. + 18. * class as f64);
                mark(area, (steps(at.0), steps(at.1)), class)?;
                let colour = readable(COLOURS[class % COLOURS.len()]);
                let name = shortened(name, TEXT, room);
                text(area, &name, (at.0 + 12., at.1), At::Right, TEXT, colour)?;
            }
            Ok(tips)
        })
    }

    /// The points with their classes.
    fn points(&self) -> Result<Vec<([f64; 2], usize)>> {
        let (size, labels) = (self.points.size(), self.labels.size());
        let &[n, 2] = size.as_slice() else {
            let todo = "give two coordinates for each point";
            return Err(Error::invalid(SUBJECT, format!("points {size:?}"), "[n, 2]", todo));
        };
        if labels != [n] {
            let (found, expected) = (format!("labels {labels:?} of {n} points"), format!("[{n}]"));
            return Err(Error::invalid(SUBJECT, found, expected, "give a class for each point"));
        }
        if n > MOST {
            let todo = "take some of them, as with `narrow(0, 0, 2000)`";
            let expected = format!("at most {MOST}");
            return Err(Error::invalid(SUBJECT, format!("{n} points"), expected, todo));
        }
        let kind = self.labels.kind();
        if !matches!(kind, Kind::Int64 | Kind::Int | Kind::Int16 | Kind::Int8 | Kind::Uint8) {
            let todo = "give classes as whole numbers, as by `to_kind(Kind::Int64)`";
            return Err(Error::invalid(SUBJECT, format!("labels of {kind:?}"), "Int64", todo));
        }
        let points = finite_numbers(SUBJECT, &self.points)?;
        let labels = finite_numbers(SUBJECT, &self.labels)?;
        let each = points.as_chunks::<2>().0.iter().zip(labels);
        each.map(|(&point, label)| {
            if !(0. ..self.names.len() as f64).contains(&label) {
                let found = format!("class {label} and {} names", self.names.len());
                let todo = "give a name for each class, from 0 on";
                return Err(Error::invalid(SUBJECT, found, "classes that have a name", todo));
            }
            Ok((point, label as usize))
        })
        .collect()
    }

    /// For those who hear the figure.
    fn description(&self, points: &[([f64; 2], usize)]) -> String {
        let count = |class: usize| points.iter().filter(|point| point.1 == class).count();
        let classes = self.names.iter().enumerate();
        let classes: Vec<_> =
            classes.map(|(class, name)| format!("{name}: {} points", count(class))).collect();
        let title = if self.title.is_empty() { "scatter plot" } else { &self.title };
        format!("{title}: {}", classes.join(", "))
    }
}

shown_as_figure!(Scatter);

/// Classes of one colour have different marks, and so have the first ones.
fn mark(area: &Area, at: (i32, i32), class: usize) -> Drawn {
    let colour = COLOURS[class % COLOURS.len()];
    let filled = colour.mix(0.7).filled();
    let turn = class / COLOURS.len();
    match (class + turn) % 3 {
        0 => area.draw(&Circle::new(at, steps(3.6), filled))?,
        1 => area.draw(&TriangleMarker::new(at, steps(4.6), filled))?,
        _ => {
            let half = steps(3.2);
            let corners = [(at.0 - half, at.1 - half), (at.0 + half, at.1 + half)];
            area.draw(&Rectangle::new(corners, filled))?;
        }
    }
    Ok(())
}
