//! Tensors as what a cell is worth: their values, shape, kind and device.

use std::collections::HashMap;

use tch::Tensor;

use super::values::{EDGE, Values, head};
use crate::jupyter::{self, escape};

/// A list of more tensors than this is shown by its first and its last ones.
const MOST: usize = 10;

/// Tensors show their values where they are the last expression of a cell, as text and as a table.
///
/// The prelude brings it without its name: a cell that begins with `use d2l::prelude::*;` can end with
/// `t`, `&t`, `(x, y)`, an `Option`, a `Vec` of tensors, or with named tensors, of which it shows names
/// and shapes.
///
/// Values are written as PyTorch's `repr` writes them: four decimals or scientific notation, whichever
/// fits all of them; whole floating-point numbers as `1.`; of more than 1000 elements three at the
/// start and three at the end of each dimension. Only these are read. Then come the shape, the kind,
/// the device, and `requires_grad` where there will be a gradient.
///
/// ```
/// use d2l::prelude::*;
///
/// let t = Tensor::from_slice(&[1.5f32, -2., 0.001, 0.25]).view([2, 2]);
/// assert_eq!(t.shown().text, "\
/// [[ 1.5000e+00, -2.0000e+00],
///  [ 1.0000e-03,  2.5000e-01]]
/// [2, 2] Float cpu");
///
/// let t = Tensor::arange(100_000, (Kind::Int64, Device::Cpu));
/// assert_eq!(t.shown().text, "\
/// [    0,     1,     2,  ..., 99997, 99998, 99999]
/// [100000] Int64 cpu");
/// ```
pub trait Show {
    /// What is shown.
    fn shown(&self) -> Shown;

    /// Shows the value as the last expression of a cell; in a program, prints its text.
    fn evcxr_display(&self) {
        self.shown().evcxr_display();
    }
}

/// A value for the reader.
#[derive(Debug, Default)]
pub struct Shown {
    /// Of a tensor: its values, and a line with shape, kind and device.
    pub text: String,
    /// The same as HTML: a table for one or two dimensions, the text for others.
    pub html: String,
}

jupyter::show_with!(Shown, |shown| {
    if jupyter::in_notebook() {
        let data = [("text/html", shown.html.clone()), ("text/plain", shown.text.clone())];
        jupyter::show_as_result(&data);
    } else {
        jupyter::say(&shown.text);
    }
});

impl Show for Tensor {
    fn shown(&self) -> Shown {
        let head = head(self);
        let (text, rows) = match Values::new(self) {
            Ok(values) => (values.text(), values.rows()),
            Err(reason) => (format!("({reason})"), None),
        };
        let below = match rows {
            Some(rows) => table(rows, "right"),
            None => {
                let lines: Vec<String> = text.lines().map(escape).collect();
                let style = "margin:0;white-space:pre;overflow-x:auto";
                format!(r#"<pre style="{style}">{}</pre>"#, lines.join("\n"))
            }
        };
        Shown {
            html: format!("<div>{}</div>{below}", escape(&head)),
            text: format!("{text}\n{head}"),
        }
    }
}

impl<T: Show> Show for Option<T> {
    fn shown(&self) -> Shown {
        parts(self.iter().map(|part| ("Some".to_string(), part.shown())).collect(), "None")
    }
}

impl<A: Show, B: Show> Show for (A, B) {
    fn shown(&self) -> Shown {
        parts(vec![(".0".to_string(), self.0.shown()), (".1".to_string(), self.1.shown())], "")
    }
}

impl<T: Show> Show for [T] {
    fn shown(&self) -> Shown {
        let part = |i: usize| (format!("[{i}]"), self[i].shown());
        if self.len() <= MOST {
            return parts((0..self.len()).map(part).collect(), "[]");
        }
        let mut first: Vec<_> = (0..EDGE).map(part).collect();
        first.push(("...".to_string(), Shown::default()));
        first.extend((self.len() - EDGE..self.len()).map(part));
        parts(first, "")
    }
}

impl Show for [(String, Tensor)] {
    fn shown(&self) -> Shown {
        named(self.iter().map(|(name, tensor)| (name, tensor)))
    }
}

impl Show for HashMap<String, Tensor> {
    fn shown(&self) -> Shown {
        let mut tensors: Vec<_> = self.iter().collect();
        tensors.sort_by_key(|(name, _)| *name);
        named(tensors.into_iter())
    }
}

/// Several values, each below its label.
fn parts(parts: Vec<(String, Shown)>, empty: &str) -> Shown {
    if parts.is_empty() {
        return Shown { text: empty.to_string(), html: format!("<div>{empty}</div>") };
    }
    let (mut lines, mut html) = (vec![], String::new());
    for (label, part) in parts {
        html += &format!(r#"<div>{label}</div><div style="margin-left:2em">{}</div>"#, part.html);
        lines.push(label);
        let indent =
            |line: &str| if line.is_empty() { String::new() } else { format!("    {line}") };
        lines.extend(part.text.lines().map(indent));
    }
    Shown { text: lines.join("\n"), html }
}

/// Names and shapes: nobody looks through the values of a whole network.
fn named<'a>(tensors: impl Iterator<Item = (&'a String, &'a Tensor)>) -> Shown {
    let rows: Vec<_> = tensors.map(|(name, tensor)| vec![name.clone(), head(tensor)]).collect();
    if rows.is_empty() {
        return parts(vec![], "[]");
    }
    let width = rows.iter().map(|row| row[0].chars().count()).max().unwrap_or_default();
    let lines: Vec<_> = rows.iter().map(|row| format!("{:width$}  {}", row[0], row[1])).collect();
    Shown { text: lines.join("\n"), html: table(rows, "left") }
}

/// In the page's own colours, so that it can be read in dark themes, too.
fn table(rows: Vec<Vec<String>>, align: &str) -> String {
    let cell = |text: String| {
        format!(r#"<td style="text-align:{align};white-space:nowrap">{}</td>"#, escape(text.trim()))
    };
    let row = |cells: Vec<String>| {
        format!("<tr>{}</tr>", cells.into_iter().map(cell).collect::<String>())
    };
    let rows: String = rows.into_iter().map(row).collect();
    format!(
        r#"<div style="overflow-x:auto"><table style="margin:0;font-family:monospace"><tbody>{rows}</tbody></table></div>"#
    )
}
