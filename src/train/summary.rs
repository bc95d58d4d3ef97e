//! A training's course: its loop, numbers and curves (d2l: section 14.1.3).

use std::fmt;

use tch::{Device, Kind};

use super::ch13::{check_devices, check_trainer, same_classes, step};
use super::evaluate::evaluate;
use super::gradients::Replicas;
use super::{Accumulator, Timer};
use crate::data::DataLoader;
use crate::device::compute_kind;
use crate::display::Animator;
use crate::jupyter::{self, Progress, say, stoppable};
use crate::nn::{Loss, Module};
use crate::optim::Optimizer;
use crate::{Error, Result, settings};

/// The result of a training run, which can go on: [`train`](Self::train) adds epochs.
///
/// A schedule is a loop around it, and so is stopping early, as here. In a cell there is one figure that
/// grows, and a line for each epoch:
///
/// ```no_run
/// # use d2l::prelude::*;
/// # let (net, loss) = (resnet18(Weights::Random)?, CrossEntropyLoss::new(Reduction::None));
/// # let augs = compose![ToTensor];
/// # let (train_iter, test_iter) = (load_cifar10(true, &augs, 32)?, load_cifar10(false, &augs, 32)?);
/// # let mut trainer = Adam::new(net.parameters(), 1e-3)?;
/// let mut run = Summary::new();
/// let mut best = 0.;
/// for _ in 0..20 {
///     run.train(&net, &train_iter, &test_iter, &loss, &mut trainer, 1, &try_all_gpus())?;
///     if run.stopped || run.test_acc < best {
///         break;
///     }
///     best = run.test_acc;
/// }
/// println!("{run}");
/// # Ok::<(), d2l::Error>(())
/// ```
///
/// The book: [*Image Augmentation*](https://d2l.ai/chapter_computer-vision/image-augmentation.html).
#[derive(Clone)]
pub struct Summary {
    /// The mean loss of the last epoch's examples, of those that there were if it was stopped; NaN
    /// before the first.
    pub loss: f64,
    /// Training accuracy over the same, in [0, 1].
    pub train_acc: f64,
    /// Test accuracy after the last completed epoch, in [0, 1]; NaN if there is none.
    pub test_acc: f64,
    /// Examples per second of training, without loading and testing, as the book counts.
    pub examples_per_sec: f64,
    /// The devices trained on.
    pub devices: Vec<Device>,
    /// The curves.
    pub animator: Animator,
    /// The number of completed epochs: learned and tested.
    pub epochs: usize,
    /// Whether the stop button ended the training. All here is of what was done until then.
    pub stopped: bool,
    /// How many batches of how many were learned of the epoch that was stopped.
    broken: Option<(usize, usize)>,
    examples: f64,
    seconds: f64,
    page: Page,
}

/// The progress bar of the running cell, in which a training that goes on has its own. A copy of a
/// summary has none.
#[derive(Default)]
struct Page {
    cell: Option<String>,
    progress: Option<Progress>,
    /// Whether it was said that quick mode has no more epochs.
    told: bool,
}

impl Clone for Page {
    fn clone(&self) -> Page {
        Page::default()
    }
}

/// A training step costs about as much as three forward passes: a weight for the progress bar.
const LEARNING: usize = 3;

impl Summary {
    /// Of a training that has not begun.
    pub fn new() -> Summary {
        let legend = ["train loss", "train acc", "test acc"];
        Summary {
            loss: f64::NAN,
            train_acc: f64::NAN,
            test_acc: f64::NAN,
            examples_per_sec: f64::NAN,
            devices: vec![],
            animator: Animator::new("epoch", &legend).ylim(0., 1.),
            epochs: 0,
            stopped: false,
            broken: None,
            examples: 0.,
            seconds: 0.,
            page: Page::default(),
        }
    }

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

    /// The book's first line.
    fn numbers(&self) -> String {
        let Summary { loss, train_acc, test_acc, .. } = self;
        let test = if self.epochs == 0 { "not tested".into() } else { format!("{test_acc:.3}") };
        format!("loss {loss:.3}, train acc {train_acc:.3}, test acc {test}")
    }
}

impl Default for Summary {
    fn default() -> Self {
        Summary::new()
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Summary { examples_per_sec, devices, epochs, .. } = self;
        if self.examples == 0. {
            return f.write_str("no training yet");
        }
        writeln!(f, "{}", self.numbers())?;
        write!(f, "{examples_per_sec:.1} examples/sec on {devices:?}")?;
        match self.broken {
            Some((batches, all)) => {
                write!(f, "\nstopped in epoch {}, after batch {batches} of {all}", epochs + 1)
            }
            None if self.stopped => write!(f, "\nstopped after epoch {epochs}"),
            None => Ok(()),
        }
    }
}

crate::jupyter::show_as_text!(Summary);

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
fn no_classes(y: &tch::Tensor) -> Error {
    Error::invalid(
        "train_ch13",
        format!("targets of kind {:?} and shape {:?}", y.kind(), y.size()),
        "the numbers of classes, of kind Int64, to tell how often the network is right",
        "train with a loop of train_batch_ch13, which takes them",
    )
}
