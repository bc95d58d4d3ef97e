//! What came of a training run: numbers and curves (d2l: section 14.1.3). The loop is in ch13.rs.

use std::fmt;

use tch::Device;

use crate::display::Animator;
use crate::jupyter::Progress;

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
    pub(super) broken: Option<(usize, usize)>,
    pub(super) examples: f64,
    pub(super) seconds: f64,
    pub(super) page: Page,
}

/// The progress bar of the running cell, in which a training that goes on has its own. A copy of a
/// summary has none.
#[derive(Default)]
pub(super) struct Page {
    pub(super) cell: Option<String>,
    pub(super) progress: Option<Progress>,
    /// Whether it was said that quick mode has no more epochs.
    pub(super) told: bool,
}

impl Clone for Page {
    fn clone(&self) -> Page {
        Page::default()
    }
}

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

    /// The book's first line.
    pub(super) fn numbers(&self) -> String {
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
