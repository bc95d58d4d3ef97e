//! A tensor's values in words, as PyTorch's `repr` writes them.

use tch::{Device, Kind, TchError, Tensor};

/// PyTorch's own limits (`torch.set_printoptions`): more elements than this are not shown whole, but
/// so many at the start and the end of each dimension.
const THRESHOLD: usize = 1000;
pub(super) const EDGE: usize = 3;
const LINE: usize = 80;
/// PyTorch has no such limit: ten dimensions of six elements each are sixty million, none of which is
/// left out.
const MOST: usize = 10_000;
/// In `repr`, lines begin below the bracket of `tensor([`.
const INDENT: usize = "tensor(".len();

/// The elements that are shown, in the order of the dimensions, each as text of the same width.
pub(super) struct Values {
    size: Vec<usize>,
    elided: bool,
    cells: Vec<String>,
    width: usize,
}

/// Shape, kind and device.
pub(super) fn head(tensor: &Tensor) -> String {
    if !tensor.defined() {
        return "undefined tensor".to_string();
    }
    let kind = match tensor.f_kind() {
        Ok(kind) => format!("{kind:?}"),
        Err(error) => error.to_string(),
    };
    let device = match tensor.device() {
        Device::Cuda(index) => format!("cuda:{index}"),
        device => format!("{device:?}").to_lowercase(),
    };
    let grad = if tensor.requires_grad() { " requires_grad" } else { "" };
    format!("{:?} {kind} {device}{grad}", tensor.size())
}

impl Values {
    /// Reads the elements that are shown, and no others: of a large tensor on a GPU, a few hundred.
    ///
    /// The error says in words why there are none.
    pub(super) fn new(tensor: &Tensor) -> Result<Values, String> {
        if !tensor.defined() {
            return Err("no values".to_string());
        }
        let dense = "`to_dense(None, false)` has its values";
        if tensor.is_sparse() {
            return Err(format!("sparse: {dense}"));
        }
        if tensor.is_mkldnn() {
            return Err(format!("in oneDNN's layout: {dense}"));
        }
        let size: Vec<usize> = tensor.size().iter().map(|&length| length as usize).collect();
        let count = |size: &[usize]| size.iter().fold(1_usize, |a, &b| a.saturating_mul(b));
        let elided = !size.contains(&0) && count(&size) > THRESHOLD;
        let mut values = Values { size, elided, cells: vec![], width: 0 };
        let shown: Vec<usize> = values.size.iter().map(|&length| values.shown(length)).collect();
        match count(&shown) {
            0 => return Ok(values),
            1..=MOST => (),
            _ => return Err("too many dimensions to show their edges: select from it".to_string()),
        }
        match values.read(tensor) {
            Ok(()) => Ok(values),
            // tch cannot tell these layouts.
            Err(_) if tensor.f_crow_indices().is_ok() || tensor.f_ccol_indices().is_ok() => {
                Err(format!("sparse: {dense}"))
            }
            Err(error) => {
                let text = error.to_string();
                let line = text.lines().next().unwrap_or_default();
                Err(format!("its values cannot be read: {line}"))
            }
        }
    }

    fn read(&mut self, tensor: &Tensor) -> Result<(), TchError> {
        let kind = tensor.f_kind()?;
        let wide = match kind {
            Kind::Bool | Kind::Uint8 | Kind::Int8 | Kind::Int16 | Kind::Int | Kind::Int64 => {
                Kind::Int64
            }
            Kind::ComplexHalf | Kind::ComplexFloat | Kind::ComplexDouble => Kind::ComplexDouble,
            _ => Kind::Double,
        };
        let tensor = self.edges(&tensor.f_detach()?, 0, wide)?;
        if wide == Kind::ComplexDouble {
            let numbers = Vec::<f64>::try_from(&tensor.f_view_as_real()?.f_reshape(-1)?)?;
            let part = |i: usize| numbers.iter().skip(i).step_by(2).copied();
            let (real, imaginary) = (Format::of(part(0)), Format::of(part(1)));
            let text = |(a, b)| {
                let b = imaginary.text(b);
                let plus = if b.starts_with('-') { "" } else { "+" };
                format!("{:>width$}{plus}{b}j", real.text(a), width = real.width)
            };
            self.cells = part(0).zip(part(1)).map(text).collect();
            self.width = real.width + imaginary.width + "j".len();
            return Ok(());
        }
        if wide == Kind::Int64 {
            let text = |number: i64| match kind {
                Kind::Bool => (number != 0).to_string(),
                _ => number.to_string(),
            };
            let numbers = Vec::<i64>::try_from(&tensor.f_reshape(-1)?)?;
            self.cells = numbers.into_iter().map(text).collect();
            self.width = self.cells.iter().map(String::len).max().unwrap_or_default();
        } else {
            let numbers = Vec::<f64>::try_from(&tensor.f_reshape(-1)?)?;
            let format = Format::of(numbers.iter().copied());
            self.cells = numbers.into_iter().map(|number| format.text(number)).collect();
            self.width = format.width;
        }
        let width = self.width;
        for cell in &mut self.cells {
            *cell = format!("{cell:>width$}");
        }
        Ok(())
    }

    /// How many of a dimension's elements are shown.
    fn shown(&self, length: usize) -> usize {
        if self.leaves_out(length) { 2 * EDGE } else { length }
    }

    fn leaves_out(&self, length: usize) -> bool {
        self.elided && length > 2 * EDGE
    }

    /// The shown elements from this dimension on, on the CPU. Views are taken before anything is
    /// copied.
    fn edges(&self, tensor: &Tensor, dim: usize, wide: Kind) -> Result<Tensor, TchError> {
        let Some(&length) = self.size.get(dim) else { return copy(tensor, wide) };
        if !self.leaves_out(length) {
            return self.edges(tensor, dim + 1, wide);
        }
        let part = |start: usize| {
            let part = tensor.f_narrow(dim as i64, start as i64, EDGE as i64)?;
            self.edges(&part, dim + 1, wide)
        };
        Tensor::f_cat(&[part(0)?, part(length - EDGE)?], dim as i64)
    }

    /// The values as in `repr`, without `tensor(` and what it moves to the right.
    pub(super) fn text(&self) -> String {
        if self.cells.is_empty() { "[]".to_string() } else { self.part(&self.size, &self.cells) }
    }

    fn part(&self, size: &[usize], cells: &[String]) -> String {
        let Some((&length, inner)) = size.split_first() else { return cells.concat() };
        let (parts, breaks) = if inner.is_empty() {
            (self.lines(length, cells, " ...").map(|line| line.join(", ")).collect(), 1)
        } else {
            let parts = cells.chunks(cells.len() / self.shown(length));
            let parts = parts.map(|cells| self.part(inner, cells)).collect();
            (self.with_dots(length, parts, "..."), inner.len())
        };
        let depth = self.size.len() - inner.len();
        let between = format!(",{}{}", "\n".repeat(breaks), " ".repeat(depth));
        format!("[{}]", parts.join(&between))
    }

    /// The elements of the last dimension, as many on a line as `repr` writes.
    fn lines(
        &self,
        length: usize,
        cells: &[String],
        dots: &str,
    ) -> impl Iterator<Item = Vec<String>> {
        let indent = INDENT + self.size.len() - 1;
        let on_a_line = (LINE.saturating_sub(indent) / (self.width + ", ".len())).max(1);
        let mut cells = self.with_dots(length, cells.to_vec(), dots).into_iter();
        std::iter::from_fn(move || {
            let line: Vec<String> = cells.by_ref().take(on_a_line).collect();
            (!line.is_empty()).then_some(line)
        })
    }

    fn with_dots(&self, length: usize, mut parts: Vec<String>, dots: &str) -> Vec<String> {
        if self.leaves_out(length) {
            parts.insert(EDGE, dots.to_string());
        }
        parts
    }

    /// The rows of a table: a matrix's own, a vector's lines as in the text. None for other tensors.
    pub(super) fn rows(&self) -> Option<Vec<Vec<String>>> {
        match self.size[..] {
            _ if self.cells.is_empty() => None,
            [length] => Some(self.lines(length, &self.cells, "...").collect()),
            [height, width] => {
                let rows = self.cells.chunks(self.shown(width));
                let mut rows: Vec<_> =
                    rows.map(|row| self.with_dots(width, row.to_vec(), "...")).collect();
                if self.leaves_out(height) {
                    rows.insert(EDGE, vec!["...".to_string(); rows[0].len()]);
                }
                Some(rows)
            }
            _ => None,
        }
    }
}

/// A copy on the CPU that holds each number as it is, of a kind that all operations know.
fn copy(tensor: &Tensor, wide: Kind) -> Result<Tensor, TchError> {
    let tensor = tensor.f_to_device(Device::Cpu)?;
    let tensor = match tensor.f_kind()? {
        Kind::QInt8 | Kind::QUInt8 | Kind::QInt32 => tensor.f_dequantize()?,
        _ => tensor.f_resolve_conj()?.f_resolve_neg()?,
    };
    tensor.f_to_kind(wide)
}

/// How PyTorch writes floating-point numbers that are shown together.
struct Format {
    whole: bool,
    scientific: bool,
    width: usize,
}

impl Format {
    fn of(numbers: impl Iterator<Item = f64>) -> Format {
        let numbers: Vec<f64> = numbers.filter(|x| x.is_finite() && *x != 0.).collect();
        let smallest = numbers.iter().fold(f64::INFINITY, |a, x| a.min(x.abs()));
        let largest = numbers.iter().fold(0., |a: f64, x| a.max(x.abs()));
        let mut format = Format {
            whole: numbers.iter().all(|x| x.fract() == 0.),
            scientific: largest / smallest > 1000. || largest > 1e8 || smallest < 1e-4,
            width: 1,
        };
        let widths = numbers.iter().map(|&x| format.text(x).len());
        format.width = widths.max().unwrap_or(1);
        format
    }

    fn text(&self, x: f64) -> String {
        if x.is_nan() {
            "nan".to_string()
        } else if x.is_infinite() {
            x.to_string()
        } else if self.scientific {
            let text = format!("{x:.4e}");
            match text.split_once('e') {
                Some((digits, exponent)) => {
                    let (sign, exponent) = match exponent.strip_prefix('-') {
                        Some(exponent) => ('-', exponent),
                        None => ('+', exponent),
                    };
                    format!("{digits}e{sign}{exponent:0>2}")
                }
                None => text,
            }
        } else if self.whole {
            format!("{x:.0}.")
        } else {
            format!("{x:.4}")
        }
    }
}
