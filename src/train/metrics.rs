//! What a network takes for what (d2l: sections 14.1 and 14.2, beyond the accuracy).

use std::fmt;

use tch::{Device, Kind, Tensor};

use super::evaluate::{no_images, test};
use crate::data::DataLoader;
use crate::display::ConfusionMatrixDisplay;
use crate::jupyter::Progress;
use crate::nn::{Module, check_devices, check_labels, label_range};
use crate::{Error, Result};

/// Counts which class is taken for which (scikit-learn: `confusion_matrix`).
///
/// ```
/// use d2l::prelude::*;
/// let mut table = ConfusionMatrix::new(["cat", "dog"]);
/// let scores = Tensor::from_slice(&[0.9f32, 0.1, 0.2, 0.8, 0.6, 0.4]).view([3, 2]);
/// table.add(&scores, &Tensor::from_slice(&[0i64, 1, 1]))?;
/// assert_eq!(table.recall(), [1., 0.5]);
/// println!("{table}");
/// //       truth |   cat   dog | recall
/// //         cat |     1     0 |  1.000
/// //         dog |     1     1 |  0.500
/// //   precision | 0.500 1.000 |
/// # Ok::<(), d2l::Error>(())
/// ```
#[derive(Clone)]
pub struct ConfusionMatrix {
    /// A row for each true class, a column for each prediction.
    counts: Vec<Vec<i64>>,
    classes: Vec<String>,
}

impl ConfusionMatrix {
    /// Nothing is counted yet. `classes` are the names, in the order of their numbers; further classes
    /// of a network have none.
    pub fn new<S: Into<String>>(classes: impl IntoIterator<Item = S>) -> ConfusionMatrix {
        let classes = classes.into_iter().map(S::into).collect();
        ConfusionMatrix { counts: vec![], classes }
    }

    /// Counts the examples of a batch, or pixels: scores `[N, classes, …]`, labels `[N, …]`. A label of
    /// -100 does not count.
    ///
    /// # Errors
    /// The shapes do not fit, also to those of earlier batches; a label is no class.
    pub fn add(&mut self, y_hat: &Tensor, y: &Tensor) -> Result<()> {
        check_labels(y_hat, y, label_range(y)?)?;
        check_devices(y_hat, y)?;
        self.count(y_hat, y)
    }

    /// Counts what was checked.
    fn count(&mut self, y_hat: &Tensor, y: &Tensor) -> Result<()> {
        let scores = y_hat.size();
        let classes = scores.get(1).copied().unwrap_or(0);
        if y.is_floating_point() {
            let found = format!("numbers of kind {:?}", y.kind());
            let todo = "convert them: y.to_kind(Kind::Int64)";
            return Err(Error::invalid("labels", found, "the numbers of the classes", todo));
        }
        if !self.counts.is_empty() && self.counts.len() as i64 != classes {
            let error = Error::invalid(
                "ConfusionMatrix",
                format!("scores of {classes} classes"),
                format!("{} classes, as before", self.counts.len()),
                "make a new table for another network",
            );
            return Err(error.of_shape(&scores));
        }
        // Each pair of truth and prediction has a number.
        let pairs = y.f_to_kind(Kind::Int64)?.f_mul_scalar(classes)?;
        let pairs = pairs.f_add(&y_hat.f_argmax(1, false)?)?;
        let pairs = pairs.f_masked_select(&y.f_ge(0)?)?;
        let counts = pairs.f_bincount(None::<&Tensor>, classes.saturating_mul(classes))?;
        let counts = Vec::<i64>::try_from(counts.f_to_device(Device::Cpu)?)?;
        self.counts.resize_with(classes as usize, || vec![0; classes as usize]);
        for (sum, count) in self.counts.iter_mut().flatten().zip(counts) {
            *sum += count;
        }
        Ok(())
    }

    /// Rows are the true classes, columns the predictions: `[classes, classes]` (`i64`), on the CPU.
    ///
    /// # Errors
    /// libtorch refuses.
    pub fn counts(&self) -> Result<Tensor> {
        let classes = self.counts.len() as i64;
        Ok(Tensor::f_from_slice(&self.counts.concat())?.f_view([classes, classes])?)
    }

    /// The part of all examples that was recognised, from 0 to 1.
    pub fn accuracy(&self) -> f64 {
        let right: i64 = self.of_classes().map(|(right, ..)| right).sum();
        right as f64 / self.counts.iter().flatten().sum::<i64>() as f64
    }

    /// The part of each class's examples that was recognised; NaN for a class without examples.
    pub fn recall(&self) -> Vec<f64> {
        self.of_classes().map(|(right, truth, _)| right as f64 / truth as f64).collect()
    }

    /// The part of each class's predictions that is right; NaN for a class that was never predicted.
    pub fn precision(&self) -> Vec<f64> {
        self.of_classes().map(|(right, _, predicted)| right as f64 / predicted as f64).collect()
    }

    /// Of the examples that are of a class or were taken for it, those that are both (intersection over
    /// union, the measure of segmentation); NaN for a class without either.
    pub fn iou(&self) -> Vec<f64> {
        let iou = |(right, truth, predicted)| right as f64 / (truth + predicted - right) as f64;
        self.of_classes().map(iou).collect()
    }

    /// For each class how many are right, how many there are, how many were taken for it.
    fn of_classes(&self) -> impl Iterator<Item = (i64, i64, i64)> {
        self.counts.iter().enumerate().map(|(i, row)| {
            let predicted = self.counts.iter().filter_map(|row| row.get(i)).sum();
            (row.get(i).copied().unwrap_or(0), row.iter().sum(), predicted)
        })
    }

    /// The matrix as a figure: `table.display()?.title("test images").show()?`.
    ///
    /// # Errors
    /// libtorch refuses.
    pub fn display(&self) -> Result<ConfusionMatrixDisplay> {
        let names: Vec<String> = (0..self.counts.len()).map(|class| self.name(class)).collect();
        Ok(ConfusionMatrixDisplay::new(&self.counts()?, &names))
    }

    fn name(&self, class: usize) -> String {
        self.classes.get(class).cloned().unwrap_or_else(|| class.to_string())
    }
}

/// A table, with the names; of many classes what is taken for another most often.
impl fmt::Display for ConfusionMatrix {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        /// So many columns fit on a page.
        const MOST: usize = 20;
        let count = self.counts.len();
        if count > MOST {
            let mut mistakes: Vec<(i64, usize, usize)> = vec![];
            for (i, row) in self.counts.iter().enumerate() {
                mistakes.extend(row.iter().enumerate().map(|(j, &n)| (n, i, j)));
            }
            mistakes.retain(|(n, i, j)| i != j && *n > 0);
            mistakes.sort_by_key(|(n, ..)| -n);
            write!(f, "{count} classes; most often taken for another:")?;
            for (n, truth, prediction) in mistakes.into_iter().take(MOST) {
                write!(f, "\n{n:6} {} for {}", self.name(truth), self.name(prediction))?;
            }
            return Ok(());
        }
        let names: Vec<String> = (0..count).map(|class| self.name(class)).collect();
        let width = |text: &String| text.chars().count();
        let first = names.iter().map(width).max().unwrap_or(0).max("precision".len());
        let columns: Vec<usize> = names.iter().map(|name| width(name).max(5)).collect();
        let line = |f: &mut fmt::Formatter, head: &str, cells: Vec<String>, end: &str| {
            write!(f, "{head:>first$} |")?;
            for (cell, width) in cells.iter().zip(&columns) {
                write!(f, " {cell:>width$}")?;
            }
            write!(f, " |{end}")
        };
        line(f, "truth", names.clone(), " recall\n")?;
        for ((name, row), recall) in names.iter().zip(&self.counts).zip(self.recall()) {
            let cells = row.iter().map(i64::to_string).collect();
            line(f, name, cells, &format!(" {recall:6.3}\n"))?;
        }
        let precision = self.precision().iter().map(|part| format!("{part:.3}")).collect();
        line(f, "precision", precision, "")
    }
}

crate::jupyter::show_as_text!(ConfusionMatrix);

/// Which class a network takes for which, over a loader (scikit-learn: `confusion_matrix`); as to
/// `device` and the network's mode as
/// [`evaluate_accuracy_gpu`](super::evaluate_accuracy_gpu). The names are those of the data set.
///
/// # Errors
/// As [`evaluate_accuracy_gpu`](super::evaluate_accuracy_gpu).
pub fn confusion_matrix(
    net: &dyn Module,
    data_iter: &DataLoader,
    device: Option<Device>,
) -> Result<ConfusionMatrix> {
    const NAME: &str = "confusion_matrix";
    let mut table = ConfusionMatrix::new(data_iter.dataset().classes());
    let mut progress = Progress::new("testing", data_iter.num_examples() as u64);
    test(NAME, net, data_iter, device, &mut progress, &mut |pred, y| {
        table.count(&pred, &y.f_to_device(pred.device())?)
    })?;
    if table.counts.is_empty() { Err(no_images(NAME)) } else { Ok(table) }
}

/// The probabilities `[N, classes, …]` (`f32`) that a network gives to the images of a loader, and their
/// labels `[N, …]`, in the loader's order, on the CPU; as to `device` and the network's mode as
/// [`evaluate_accuracy_gpu`](super::evaluate_accuracy_gpu). A loader that does not shuffle has the order
/// of its data set ([`indices`](DataLoader::indices)).
///
/// # Errors
/// As [`evaluate_accuracy_gpu`](super::evaluate_accuracy_gpu).
pub fn predict(
    net: &dyn Module,
    data_iter: &DataLoader,
    device: Option<Device>,
) -> Result<(Tensor, Tensor)> {
    const NAME: &str = "predict";
    let (mut probabilities, mut labels) = (vec![], vec![]);
    let mut progress = Progress::new("predicting", data_iter.num_examples() as u64);
    test(NAME, net, data_iter, device, &mut progress, &mut |pred, y| {
        probabilities.push(pred.f_softmax(1, Kind::Float)?.f_to_device(Device::Cpu)?);
        labels.push(y);
        Ok(())
    })?;
    if labels.is_empty() {
        return Err(no_images(NAME));
    }
    Ok((Tensor::f_cat(&probabilities, 0)?, Tensor::f_cat(&labels, 0)?))
}

/// The number of labels `[N, …]` that are among the `k` largest scores `[N, classes, …]` (torchvision's
/// references: `accuracy(topk=…)`); [`accuracy`](super::accuracy) with `k` 1.
///
/// # Errors
/// The shapes do not fit, or `k` is not from 1 to the number of classes.
pub fn top_k_accuracy(y_hat: &Tensor, y: &Tensor, k: i64) -> Result<f64> {
    check_labels(y_hat, y, None)?;
    check_devices(y_hat, y)?;
    let classes = y_hat.size()[1];
    if !(1..=classes).contains(&k) {
        let expected = format!("1 to {classes}, the number of classes");
        return Err(Error::invalid(
            "top_k_accuracy",
            format!("k = {k}"),
            expected,
            "give such a k",
        ));
    }
    let (_, best) = y_hat.f_topk(k, 1, true, false)?;
    let is_right = best.f_eq_tensor(&y.f_unsqueeze(1)?)?;
    Ok(is_right.f_sum(Kind::Int64)?.f_int64_value(&[])? as f64)
}
