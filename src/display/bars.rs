//! Measurements in groups, as bars.

use std::fmt::Write;

use plotters::prelude::*;

use super::axis::{Axis, Marks};
use super::canvas::{
    At, FINE, Frame, INK, TEXT, TITLE, paint, short_number, shortened, shown_as_figure, steps,
    text, text_width, widest,
};
use super::colours::{COLOURS, readable};
use super::figure::Figure;
use crate::jupyter::escape;
use crate::{Error, Result};

/// Measurements in groups: a bar is as high as their mean, which stands above it; the line on it is one
/// standard deviation (n - 1) long to either side, and the points are the measurements themselves. Bars begin at
/// 0.
///
/// ```
/// use d2l::prelude::*;
/// let mut bars = Bars::new("test accuracy, 3 seeds", &["plain", "flipped"]);
/// bars.add("50 images", &[[0.61, 0.58, 0.63], [0.70, 0.72, 0.69]]);
/// bars.add("200 images", &[[0.74, 0.75, 0.71], [0.80, 0.83, 0.81]]);
/// assert!(bars.figure()?.svg().contains("200 images, flipped: 0.813 ± 0.015"));
/// # Ok::<(), d2l::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Bars {
    ylabel: String,
    legend: Vec<String>,
    title: String,
    ylim: Option<(f64, f64)>,
    size: (u32, u32),
    groups: Vec<(String, Vec<Vec<f64>>)>,
}

const SUBJECT: &str = "Bars";

impl Bars {
    /// No bars yet: what is measured, and the names of the bars in each group. Where there is but one, its
    /// name is not shown.
    pub fn new(ylabel: &str, legend: &[impl AsRef<str>]) -> Bars {
        Bars {
            ylabel: ylabel.to_string(),
            legend: legend.iter().map(|name| name.as_ref().to_string()).collect(),
            title: String::new(),
            ylim: None,
            size: (560, 320),
            groups: vec![],
        }
    }

    /// A line of text above.
    pub fn title(mut self, title: &str) -> Bars {
        self.title = title.to_string();
        self
    }

    /// The ends of the vertical axis; without this it follows the bars.
    pub fn ylim(mut self, low: f64, high: f64) -> Bars {
        self.ylim = Some((low, high));
        self
    }

    /// The figure's width and height in screen pixels, from 200 and 150 to 10,000.
    pub fn figsize(mut self, width: u32, height: u32) -> Bars {
        self.size = (width.clamp(200, 10_000), height.clamp(150, 10_000));
        self
    }

    /// Adds a group: for each name in the legend what was measured, once or several times.
    pub fn add(&mut self, group: &str, values: &[impl AsRef<[f64]>]) {
        let values = values.iter().map(|values| values.as_ref().to_vec()).collect();
        self.groups.push((group.to_string(), values));
    }

    /// Draws what is there.
    ///
    /// # Errors
    /// A group has more or fewer bars than the legend; a bar has no measurement, or one that is not
    /// finite; an end given to [`ylim`](Self::ylim) is not finite.
    pub fn figure(&self) -> Result<Figure> {
        let groups = self.checked()?;
        let x = Axis::named(self.groups.iter().map(|(name, _)| name.clone()));
        let marks = Marks { most: 6, whole: false };
        let tops = groups.iter().flatten().flat_map(|bar| [bar.mean - bar.spread, bar.top()]);
        let y = match self.ylim {
            Some(ends) => Axis::new("ylim", ends, marks)?,
            None => Axis::from_zero(tops.chain([0.]), marks),
        };
        paint(SUBJECT, self.size, &self.description(&groups), |area| {
            let width = f64::from(self.size.0);
            let labels = y.marks().iter().map(|(_, label)| label.as_str());
            let names = widest(self.legend.iter().map(String::as_str), TEXT);
            let right = if self.legend.len() > 1 { 46. + names } else { 14. };
            let title = if self.title.is_empty() { 12. } else { 34. };
            let margins = [
                (14. + widest(labels, TEXT)).clamp(40., width / 2.),
                right.min(width * 0.4),
                if self.ylabel.is_empty() { title } else { title + 30. },
                28.,
            ];
            let frame = Frame::within(self.size, margins);
            let title = shortened(&self.title, TITLE, width - 20.);
            text(area, &title, (width / 2., 17.), At::Centre, TITLE, INK)?;
            let ylabel = shortened(&self.ylabel, TEXT, frame.width());
            // Above the number of a bar that reaches the top
            text(area, &ylabel, (frame.left, frame.top - 26.), At::Right, TEXT, INK)?;
            let group_width = frame.width() / groups.len().max(1) as f64;
            let x = x.shortened(|name| shortened(name, TEXT, group_width - 4.));
            frame.draw(area, &x, &y, true)?;
            let mut tips = String::new();
            let slot = 0.86 / self.legend.len().max(1) as f64;
            for (i, group) in groups.iter().enumerate() {
                for (j, bar) in group.iter().enumerate() {
                    let middle = i as f64 - 0.43 + slot * (j as f64 + 0.5);
                    let at = |place: f64, value: f64| frame.on_canvas((&x, &y), (place, value));
                    let (left, right) = (middle - 0.42 * slot, middle + 0.42 * slot);
                    let colour = COLOURS[j % COLOURS.len()];
                    let (a, b) = (at(left, 0.), at(right, bar.mean));
                    let corners = [(a.0, a.1.min(b.1)), (b.0, a.1.max(b.1))];
                    area.draw(&Rectangle::new(corners, colour.mix(0.75).filled()))?;
                    let ink = INK.stroke_width(steps(1.4) as u32);
                    let (centre, low) = at(middle, bar.mean - bar.spread);
                    let (_, high) = at(middle, bar.mean + bar.spread);
                    // What the axis cuts off has no end there.
                    let is_seen = |value: f64| (y.limits().0..=y.limits().1).contains(&value);
                    if bar.spread > 0. {
                        area.draw(&PathElement::new([(centre, low), (centre, high)], ink))?;
                    }
                    for (value, end) in [(-bar.spread, low), (bar.spread, high)] {
                        if value != 0. && is_seen(bar.mean + value) {
                            let ends = [(centre - steps(4.), end), (centre + steps(4.), end)];
                            area.draw(&PathElement::new(ends, ink))?;
                        }
                    }
                    let single =
                        bar.values.iter().enumerate().filter(|(_, value)| is_seen(**value));
                    for (k, value) in single.filter(|_| bar.values.len() > 1) {
                        // Beside each other, so that equal ones are seen
                        let part = (k as f64 + 0.5) / bar.values.len() as f64 - 0.5;
                        let point = at(middle + part * 0.6 * slot, *value);
                        area.draw(&Circle::new(point, steps(2.4), WHITE.filled()))?;
                        area.draw(&Circle::new(point, steps(2.), readable(colour).filled()))?;
                    }
                    let (_, top) = at(middle, bar.top().max(0.));
                    let number = short_number(bar.mean);
                    // Smaller ones where bars are narrow; none where they would touch
                    let room = group_width * slot - 2.;
                    let sizes = [TEXT - 2., TEXT - 3., TEXT - 4.];
                    let fits = |size: &f64| text_width(&number, *size) <= room;
                    if let Some(size) = sizes.into_iter().find(fits) {
                        let above = f64::from(top) / FINE - 9.;
                        let place = (f64::from(centre) / FINE, above);
                        text(area, &number, place, At::Centre, size, INK)?;
                    }
                    write!(
                        tips,
                        r#"<rect x="{}" y="{}" width="{}" height="{}" fill-opacity="0"><title>{}</title></rect>"#,
                        corners[0].0,
                        corners[0].1,
                        corners[1].0 - corners[0].0,
                        corners[1].1 - corners[0].1,
                        escape(&self.told(i, j, bar)),
                    )?;
                }
            }
            for (j, name) in self.legend.iter().enumerate().filter(|_| self.legend.len() > 1) {
                let (left, y) = (frame.right + 14., frame.top + 10. + 18. * j as f64);
                let corners = [(left, y - 6.), (left + 12., y + 6.)];
                let corners = corners.map(|(x, y)| (steps(x), steps(y)));
                let colour = COLOURS[j % COLOURS.len()];
                area.draw(&Rectangle::new(corners, colour.mix(0.75).filled()))?;
                let name = shortened(name, TEXT, width - left - 26.);
                text(area, &name, (left + 19., y), At::Right, TEXT, readable(colour))?;
            }
            Ok(tips)
        })
    }

    fn checked(&self) -> Result<Vec<Vec<Bar>>> {
        let refused = |group: &str, found: String, expected: &str, todo: &str| {
            Error::invalid(SUBJECT, format!("{found} in the group {group:?}"), expected, todo)
        };
        let bar = |group: &str, values: &Vec<f64>| {
            if values.is_empty() {
                let todo = "leave the group out";
                return Err(refused(group, "a bar of no values".into(), "one or more", todo));
            }
            if let Some(value) = values.iter().find(|value| !value.is_finite()) {
                let todo = "look for where it comes from: a training that diverged, say";
                return Err(refused(group, value.to_string(), "finite numbers", todo));
            }
            Ok(Bar::new(values))
        };
        let each = self.groups.iter().map(|(group, values)| -> Result<Vec<Bar>> {
            if values.len() != self.legend.len() {
                let found = format!("{} bars", values.len());
                let expected = format!("{}: {}", self.legend.len(), self.legend.join(", "));
                let todo = "give values for each name in the legend";
                return Err(refused(group, found, &expected, todo));
            }
            values.iter().map(|values| bar(group, values)).collect()
        });
        each.collect()
    }

    fn told(&self, group: usize, bar: usize, Bar { mean, spread, values }: &Bar) -> String {
        let name = match self.legend.as_slice() {
            [_] => String::new(),
            names => format!(", {}", names[bar]),
        };
        let spread = match values.len() {
            1 => String::new(),
            _ => format!(" ± {}", short_number(*spread)),
        };
        format!("{}{name}: {}{spread}", self.groups[group].0, short_number(*mean))
    }

    /// For those who hear the figure.
    fn description(&self, groups: &[Vec<Bar>]) -> String {
        let title = if self.title.is_empty() { "bars" } else { &self.title };
        let bars = groups.iter().enumerate().flat_map(|(i, group)| {
            group.iter().enumerate().map(move |(j, bar)| self.told(i, j, bar))
        });
        format!("{title}, {}: {}", self.ylabel, bars.collect::<Vec<_>>().join("; "))
    }
}

shown_as_figure!(Bars);

struct Bar {
    mean: f64,
    /// The standard deviation; 0 of one value.
    spread: f64,
    values: Vec<f64>,
}

impl Bar {
    fn new(values: &[f64]) -> Bar {
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let squares = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>();
        let spread = if count > 1. { (squares / (count - 1.)).sqrt() } else { 0. };
        Bar { mean, spread, values: values.to_vec() }
    }

    /// The highest that is drawn of it.
    fn top(&self) -> f64 {
        self.values.iter().copied().fold(self.mean + self.spread, f64::max)
    }
}
