//! A confusion matrix as a figure (scikit-learn: `ConfusionMatrixDisplay`).

use plotters::prelude::*;
use tch::Tensor;

use super::canvas::{
    Area, At, Drawn, FINE, GREY, INK, TEXT, TITLE, finite_numbers, paint, shortened,
    shown_as_figure, steps, text, text_width, widest,
};
use super::colours::{COLOURS, is_light};
use super::figure::Figure;
use crate::jupyter::plain;
use crate::{Error, Result};

/// Which classes a network takes for which, as a figure (scikit-learn: `ConfusionMatrixDisplay`): a row
/// for what the images are, a column for what they are taken for. Correct predictions lie on the
/// diagonal, in blue; mistakes are orange. A cell is the darker the larger a part of its row it is.
///
/// ```
/// use d2l::prelude::*;
/// let labels = Tensor::from_slice(&[0i64, 0, 0, 1, 1]);
/// let predicted = Tensor::from_slice(&[0i64, 0, 1, 1, 1]);
/// let counts = (labels * 2 + predicted).bincount(None::<Tensor>, 4).view([2, 2]);
///
/// let matrix = ConfusionMatrixDisplay::new(&counts, &["hotdog", "not-hotdog"]);
/// assert!(matrix.figure()?.svg().contains("hotdog taken for not-hotdog: 1"));
/// # Ok::<(), d2l::Error>(())
/// ```
#[derive(Debug)]
pub struct ConfusionMatrixDisplay {
    counts: Tensor,
    names: Vec<String>,
    title: String,
    xlabel: String,
    ylabel: String,
}

/// More classes than this make cells that nobody can tell apart.
const MOST: usize = 100;
/// Cells of this many screen pixels have room for a second line.
const LARGE: f64 = 60.;
const GRID: RGBColor = RGBColor(210, 210, 210);

impl ConfusionMatrixDisplay {
    /// How many images of each class (rows) are taken for each class (columns): a tensor `[k, k]`, and the
    /// classes' `k` names.
    pub fn new(counts: &Tensor, names: &[impl AsRef<str>]) -> ConfusionMatrixDisplay {
        ConfusionMatrixDisplay {
            counts: counts.shallow_clone(),
            names: names.iter().map(|name| name.as_ref().to_string()).collect(),
            title: String::new(),
            xlabel: "predicted".to_string(),
            ylabel: "true".to_string(),
        }
    }

    /// A line of text above.
    pub fn title(mut self, title: &str) -> ConfusionMatrixDisplay {
        self.title = title.to_string();
        self
    }

    /// What columns are; `predicted` without this.
    pub fn xlabel(mut self, xlabel: &str) -> ConfusionMatrixDisplay {
        self.xlabel = xlabel.to_string();
        self
    }

    /// What rows are; `true` without this.
    pub fn ylabel(mut self, ylabel: &str) -> ConfusionMatrixDisplay {
        self.ylabel = ylabel.to_string();
        self
    }

    /// Draws the matrix.
    ///
    /// # Errors
    /// The counts are not `[k, k]`, or `k` is not from 1 to 100; there are more or fewer names; a count is
    /// below 0 or not finite.
    pub fn figure(&self) -> Result<Figure> {
        let counts = self.counts()?;
        let k = self.names.len();
        // Sizes in screen pixels
        let cell = (420. / k as f64).clamp(if k > 20 { 12. } else { 30. }, 92.).round();
        let size = TEXT.min(cell - 2.);
        let names = self.names.iter().map(String::as_str);
        let row_names = widest(names.clone(), size).min(160.);
        let are_flat = names.clone().all(|name| text_width(name, size) <= cell - 4.);
        let column_names = if are_flat { 18. } else { widest(names, size).min(120.) + 10. };
        let left = 20. + row_names.max(text_width(&self.ylabel, TEXT));
        let top = if self.title.is_empty() { 28. } else { 50. };
        let side = cell * k as f64;
        let width = left + side.max(text_width(&self.title, TITLE) - left) + 16.;
        let height = top + side + column_names + 28.;
        let canvas = (width.ceil() as u32, height.ceil() as u32);
        paint("ConfusionMatrixDisplay", canvas, &self.description(&counts), |area| {
            let title = shortened(&self.title, TITLE, width - 20.);
            text(area, &title, (width / 2., 18.), At::Centre, TITLE, INK)?;
            for (row, counts) in counts.chunks(k).enumerate() {
                let y = top + cell * row as f64;
                let name = shortened(&self.names[row], size, 160.);
                text(area, &name, (left - 8., y + cell / 2.), At::Left, size, INK)?;
                let all: f64 = counts.iter().sum();
                for (column, &count) in counts.iter().enumerate() {
                    let corner = (left + cell * column as f64, y);
                    let share = if all > 0. { count / all } else { 0. };
                    draw_cell(area, corner, cell, (count, share), row == column)?;
                }
            }
            let under = top + side;
            let line = GRID.stroke_width(FINE as u32);
            for i in 0..=k {
                let place = cell * i as f64;
                let across = [(left, top + place), (left + side, top + place)];
                let down = [(left + place, top), (left + place, under)];
                for ends in [across, down] {
                    let ends = ends.map(|(x, y)| (steps(x), steps(y)));
                    area.draw(&PathElement::new(ends, line))?;
                }
            }
            for (column, name) in self.names.iter().enumerate() {
                let x = left + cell * (column as f64 + 0.5);
                if are_flat {
                    text(area, name, (x, under + 12.), At::Centre, size, INK)?;
                } else {
                    standing_text(area, &shortened(name, size, 120.), (x, under + 6.), size)?;
                }
            }
            let below = (left + side / 2., under + column_names + 12.);
            text(area, &self.xlabel, below, At::Centre, TEXT, GREY)?;
            text(area, &self.ylabel, (left - 8., top - 10.), At::Left, TEXT, GREY)?;
            Ok(String::new())
        })
    }

    fn counts(&self) -> Result<Vec<f64>> {
        const NAME: &str = "ConfusionMatrixDisplay";
        let size = self.counts.size();
        let &[rows, columns] = size.as_slice() else {
            let todo = "give a row of counts for each class";
            return Err(Error::invalid(NAME, format!("counts {size:?}"), "[k, k]", todo));
        };
        if rows != columns || !(1..=MOST as i64).contains(&rows) {
            let expected = format!("[k, k] with k from 1 to {MOST}");
            let todo = "give as many rows as columns";
            return Err(Error::invalid(NAME, format!("counts {size:?}"), expected, todo));
        }
        if self.names.len() as i64 != rows {
            let found = format!("{} names for counts {size:?}", self.names.len());
            let todo = "give the classes' names in their order, as `classes()` has them";
            return Err(Error::invalid(NAME, found, format!("{rows} names"), todo));
        }
        let counts = finite_numbers(NAME, &self.counts)?;
        if let Some(count) = counts.iter().find(|&&count| count < 0.) {
            let todo = "count images";
            return Err(Error::invalid(NAME, format!("a count of {count}"), "0 or more", todo));
        }
        Ok(counts)
    }

    /// For those who hear the figure: how many are right, and the most frequent mistakes.
    fn description(&self, counts: &[f64]) -> String {
        let all: f64 = counts.iter().sum();
        let (mut right, mut mistakes) = (0., vec![]);
        for (row, name) in counts.chunks(self.names.len()).zip(&self.names) {
            for (&count, other) in row.iter().zip(&self.names) {
                if std::ptr::eq(name, other) {
                    right += count;
                } else if count > 0. {
                    mistakes.push((count, name, other));
                }
            }
        }
        mistakes.sort_by(|a, b| b.0.total_cmp(&a.0));
        let title = if self.title.is_empty() { "confusion matrix" } else { &self.title };
        let mut text = format!("{title}: {} of {} right", number(right), number(all));
        for (count, name, other) in mistakes.into_iter().take(10) {
            text += &format!("; {name} taken for {other}: {}", number(count));
        }
        text
    }
}

shown_as_figure!(ConfusionMatrixDisplay);

fn draw_cell(
    area: &Area,
    (x, y): (f64, f64),
    cell: f64,
    (count, share): (f64, f64),
    is_right: bool,
) -> Drawn {
    // In a large matrix what is not there says nothing.
    if count == 0. && cell < LARGE {
        return Ok(());
    }
    let RGBColor(r, g, b) = if is_right { COLOURS[0] } else { COLOURS[1] };
    let mixed = |channel: u8| (255. - (255. - f64::from(channel)) * share.sqrt()).round() as u8;
    let colour = RGBColor(mixed(r), mixed(g), mixed(b));
    let corners = [(steps(x), steps(y)), (steps(x + cell), steps(y + cell))];
    area.draw(&Rectangle::new(corners, colour.filled()))?;
    let size = (cell * 0.42).clamp(8., 18.);
    let label = number(count);
    if text_width(&label, size) > cell - 2. || cell < 18. {
        return Ok(());
    }
    let ink = if is_light(colour) { INK } else { WHITE };
    let middle = (x + cell / 2., y + cell / 2.);
    if cell < LARGE {
        return text(area, &label, middle, At::Centre, size, ink);
    }
    text(area, &label, (middle.0, middle.1 - 9.), At::Centre, size, ink)?;
    let share = format!("{:.0} %", 100. * share);
    text(area, &share, (middle.0, middle.1 + 12.), At::Centre, TEXT, ink)
}

/// A count as it is, a part with two decimals.
fn number(count: f64) -> String {
    if count.fract() == 0. { count.to_string() } else { format!("{count:.2}") }
}

/// Text that is read from below, its end at this point.
fn standing_text(area: &Area, text: &str, (x, y): (f64, f64), size: f64) -> Drawn {
    use plotters::style::text_anchor::{HPos, Pos, VPos};
    let font = (super::figure::FONTS, size * FINE * 1.24).into_font();
    let style = TextStyle::from(font.transform(FontTransform::Rotate270))
        .color(&INK)
        .pos(Pos::new(HPos::Right, VPos::Center));
    area.draw_text(&plain(text), &style, (steps(x + 0.09 * size), steps(y)))?;
    Ok(())
}
