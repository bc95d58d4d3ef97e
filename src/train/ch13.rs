//! The training loop of the chapter (d2l: section 14.1.3, `train_ch13`): epochs, tests, curves, the stop
//! button. One step is in batch.rs.

use tch::{Device, Kind, Tensor};

use super::batch::{check_devices, check_trainer, step};
use super::evaluate::evaluate;
use super::gradients::Replicas;
use super::{Accumulator, Summary, Timer};
use crate::data::DataLoader;
use crate::device::compute_kind;
use crate::jupyter::{self, Progress, is_live, say, stoppable};
use crate::nn::{Loss, Module};
use crate::optim::Optimizer;
use crate::{Error, Result, settings};

/// Trains, tests after each epoch, and shows the curves (d2l: `train_ch13`).
///
/// Under the kernel "Rust (d2l)" the curves grow while it trains, and a bar tells the time left; a
/// line an epoch tells how far it is, and the book's two lines what came of it. The network is borrowed:
/// it is there with what it has learned even after an error or the stop button.
///
/// The stop button ends it with what there is: `Ok`, and [`Summary::stopped`] is true. The cell comes to
/// its end then and keeps its variables; a loop of the cell's, or whatever looks for the button next,
/// ends it with an error.
///
/// The book: [*Image Augmentation*](https://d2l.ai/chapter_computer-vision/image-augmentation.html).
///
/// # Errors
/// There is nothing to learn from or to test on, both loaders' classes differ, an image cannot be read,
/// targets are no classes, the stop button was pressed before the first batch was learned, or as
/// [`train_batch_ch13`](super::train_batch_ch13).
pub fn train_ch13(
    net: &dyn Module,
    train_iter: &DataLoader,
    test_iter: &DataLoader,
    loss: &dyn Loss,
    trainer: &mut dyn Optimizer,
    num_epochs: usize,
    devices: &[Device],
) -> Result<Summary> {
    let mut summary = Summary::new();
    summary.train(net, train_iter, test_iter, loss, trainer, num_epochs, devices)?;
    say(&summary);
    if !is_live() {
        summary.animator.show()?;
    }
    Ok(summary)
}

/// A training step costs about as much as three forward passes: a weight for the progress bar.
const LEARNING: usize = 3;

impl Summary {
    /// Trains `num_epochs` more, as [`train_ch13`](super::train_ch13): epochs are counted on, and the
    /// figure grows, in each cell one of its own. An epoch that was stopped is done once more, and its
    /// points give way.
    ///
    /// `D2L_MAX_EPOCHS` bounds all epochs of the summary together. A call beyond it says so, does
    /// nothing and succeeds; so let a `for` count the calls.
    ///
    /// # Errors
    /// As [`train_ch13`](super::train_ch13). The summary has all completed epochs then. If the stop
    /// button was pressed before the first batch, it is [`Error::Interrupted`], so that a loop of such
    /// calls ends, and the summary is as it was.
    #[allow(clippy::too_many_arguments)] // The book's, and itself.
    pub fn train(
        &mut self,
        net: &dyn Module,
        train_iter: &DataLoader,
        test_iter: &DataLoader,
        loss: &dyn Loss,
        trainer: &mut dyn Optimizer,
        num_epochs: usize,
        devices: &[Device],
    ) -> Result<()> {
        let device = check_devices(devices)?;
        if num_epochs == 0 || train_iter.is_empty() {
            let found = format!("{num_epochs} epochs of {} batches", train_iter.len());
            let todo = "train for one epoch or more, on one image or more";
            return Err(Error::invalid("train_ch13", found, "something to learn from", todo));
        }
        if test_iter.is_empty() {
            let todo = "give the test loader one image or more";
            return Err(Error::invalid("train_ch13", "nothing to test on", "a test loader", todo));
        }
        same_classes(train_iter, test_iter)?;
        check_trainer(net, trainer)?;
        let most = settings::max_epochs().unwrap_or(usize::MAX);
        let num_epochs = num_epochs.min(most.saturating_sub(self.epochs));
        if num_epochs == 0 {
            if !std::mem::replace(&mut self.page.told, true) {
                say(format_args!("quick mode: no epoch after the {most} of D2L_MAX_EPOCHS"));
            }
            return Ok(());
        }
        if self.devices != devices {
            let kind = name_of(compute_kind(device));
            say(format_args!("training on {devices:?}, computing in {kind}"));
            settings::quick_mode_notice().into_iter().for_each(say);
        }
        net.to(device)?;

        let (first, last) = (self.epochs, self.epochs.saturating_add(num_epochs));
        self.devices = devices.to_vec();
        let examples = |iter: &DataLoader| num_epochs.saturating_mul(iter.num_examples());
        let all = examples(train_iter).saturating_mul(LEARNING).saturating_add(examples(test_iter));
        let mut progress = self.progress(all as u64);
        progress.begin();
        let mut replicas = Replicas::default();
        let (mut timer, num_batches) = (Timer::new(), train_iter.len());
        // Sums of the loss, of correct predictions, of examples, of labels
        let mut metric = Accumulator::new(4);
        let (mut batches, mut has_learned) = (0, false);
        let result = stoppable(|| {
            for epoch in first..last {
                metric.reset();
                batches = 0;
                for batch in train_iter.iter_for(device) {
                    let (x, y) = batch?;
                    if y.is_floating_point() {
                        return Err(no_classes(&y));
                    }
                    timer.start();
                    let (l, acc) = step(net, &x, &y, loss, trainer, devices, &mut replicas)
                        .map_err(|error| {
                            let (batch, epoch) = (batches + 1, epoch + 1);
                            error.during(format_args!("batch {batch} of epoch {epoch}"))
                        })?;
                    if !has_learned {
                        (self.stopped, self.broken, has_learned) = (false, None, true);
                        self.animator.go_on(first as f64, last as f64);
                    }
                    let count = y.size().first().copied().unwrap_or(0);
                    metric.add(&[l, acc, count as f64, y.numel() as f64]);
                    self.seconds += timer.stop();
                    self.examples += count as f64;
                    batches += 1;
                    progress.note(format!("epoch {}: loss {:.3}", epoch + 1, mean_loss(&metric)));
                    progress.advance(LEARNING as u64 * count as u64);
                    if batches % (num_batches / 5).max(1) == 0 || batches == num_batches {
                        let x = epoch as f64 + batches as f64 / num_batches as f64;
                        let points = [Some(mean_loss(&metric)), Some(accuracy(&metric)), None];
                        self.animator.add(x, &points);
                    }
                }
                self.test_acc = evaluate(net, test_iter, None, &mut progress)?;
                self.epochs = epoch + 1;
                (self.loss, self.train_acc) = (mean_loss(&metric), accuracy(&metric));
                self.animator.add(self.epochs as f64, &[None, None, Some(self.test_acc)]);
                let of = if num_epochs > 1 { format!("/{last}") } else { String::new() };
                progress.println(&format!("epoch {}{of}: {}", self.epochs, self.numbers()));
            }
            Ok(())
        });
        self.examples_per_sec = self.examples / self.seconds;
        self.animator.bring();
        progress.finish();
        match result {
            Err(Error::Interrupted) if has_learned => {
                jupyter::pass_on();
                self.stopped = true;
                if batches > 0 && self.epochs < last {
                    (self.loss, self.train_acc) = (mean_loss(&metric), accuracy(&metric));
                    self.broken = Some((batches, num_batches));
                }
            }
            other => other?,
        }
        // During the last images of the test, say.
        self.stopped |= jupyter::is_pressed();
        self.page.progress = Some(progress);
        Ok(())
    }

    /// A bar for so much work: that of an earlier call, if this cell has one.
    fn progress(&mut self, total: u64) -> Progress {
        let label = match self.epochs {
            0 => "training".to_string(),
            epochs => format!("training from epoch {}", epochs + 1),
        };
        let cell = jupyter::running_cell();
        let earlier = self.page.progress.take();
        let is_here = cell.is_some() && cell == self.page.cell;
        self.page.cell = cell;
        match earlier.filter(|_| is_here) {
            Some(mut progress) => {
                progress.restart(&label, total);
                progress
            }
            None => Progress::new(&label, total),
        }
    }
}

/// A label means the same in both sets only if their classes are the same, where both have names.
fn same_classes(train_iter: &DataLoader, test_iter: &DataLoader) -> Result<()> {
    let (train, test) = (train_iter.dataset().classes(), test_iter.dataset().classes());
    if train == test || train.is_empty() || test.is_empty() {
        return Ok(());
    }
    Err(Error::invalid(
        "train_ch13",
        format!("classes {} to learn, {} to test", train.join(", "), test.join(", ")),
        "the same classes in both, by the names of the folders",
        "compare the folders that both loaders were given",
    ))
}

fn mean_loss(metric: &Accumulator) -> f64 {
    metric[0] / metric[2]
}

fn accuracy(metric: &Accumulator) -> f64 {
    metric[1] / metric[3]
}

fn name_of(kind: Kind) -> &'static str {
    match kind {
        Kind::BFloat16 => "bfloat16 (set_precision(Precision::Full) for f32)",
        _ => "f32",
    }
}

/// What is shown of a training is how often it is right.
fn no_classes(y: &Tensor) -> Error {
    Error::invalid(
        "train_ch13",
        format!("targets of kind {:?} and shape {:?}", y.kind(), y.size()),
        "the numbers of classes, of kind Int64, to tell how often the network is right",
        "train with a loop of train_batch_ch13, which takes them",
    )
}
