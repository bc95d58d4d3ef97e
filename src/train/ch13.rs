//! The training loop of the chapter (d2l: section 14.1.3, `train_ch13`).

use std::fmt;
use std::thread;

use tch::{Device, Kind, Tensor};

use super::evaluate::{check_labels, evaluate, largest_label, num_correct};
use super::memory::out_of_memory;
use super::{Accumulator, Optimizer, Timer};
use crate::data::DataLoader;
use crate::device::compute_kind;
use crate::display::{Animator, Progress};
use crate::nn::{Loss, Module};
use crate::{Error, Result, quick};

/// What a training came to.
///
/// The book: [*Image Augmentation*](https://d2l.ai/chapter_computer-vision/image-augmentation.html).
#[derive(Clone)]
pub struct Summary {
    /// The mean loss of the last epoch's examples.
    pub loss: f64,
    /// The part of right answers during the last epoch, from 0 to 1.
    pub train_acc: f64,
    /// The part of right answers on the test data after the last epoch, from 0 to 1.
    pub test_acc: f64,
    /// Examples per second of training, without loading and testing, as the book counts.
    pub examples_per_sec: f64,
    /// The devices trained on.
    pub devices: Vec<Device>,
    /// The curves.
    pub animator: Animator,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Summary { loss, train_acc, test_acc, examples_per_sec, devices, .. } = self;
        writeln!(f, "loss {loss:.3}, train acc {train_acc:.3}, test acc {test_acc:.3}")?;
        write!(f, "{examples_per_sec:.1} examples/sec on {devices:?}")
    }
}

crate::display::show_as_text!(Summary);

/// Takes one step on a batch, on one device or several (d2l: `train_batch_ch13`). Answers the sum
/// of the losses and the number of right answers.
///
/// `x` is `[N, 3, H, W]`, `y` is `[N]`. Losses are added up, not averaged, whatever the number of
/// devices.
///
/// The book: [*Image Augmentation*](https://d2l.ai/chapter_computer-vision/image-augmentation.html).
///
/// # Errors
/// Shapes that do not fit, a label out of range, a loss that is no longer a number, or a device's
/// memory is full. No step is taken then: the net keeps its values.
pub fn train_batch_ch13(
    net: &dyn Module,
    x: &Tensor,
    y: &Tensor,
    loss: &dyn Loss,
    trainer: &mut dyn Optimizer,
    devices: &[Device],
) -> Result<(f64, f64)> {
    net.train();
    trainer.zero_grad()?;
    let sums = match devices {
        [] => return Err(no_device()),
        [device] => on_device(x, y, *device).and_then(|batch| forward_backward(net, &batch, loss)),
        _ => data_parallel(net, x, y, loss, devices),
    };
    let (loss_sum, correct) = sums.map_err(|error| out_of_memory(error, x))?;
    if !loss_sum.is_finite() {
        return Err(diverged(loss_sum));
    }
    trainer.step()?;
    Ok((loss_sum, correct))
}

/// A batch where it is needed, and its largest label, which a GPU would not tell without waiting.
struct Batch {
    x: Tensor,
    y: Tensor,
    largest: Option<i64>,
}

fn on_device(x: &Tensor, y: &Tensor, device: Device) -> Result<Batch> {
    let largest = largest_label(y)?;
    // From the loader's memory a copy to a GPU goes on beside what is being computed there.
    let send = |tensor: &Tensor| tensor.f_to_device_(device, tensor.kind(), true, false);
    Ok(Batch { x: send(x)?, y: send(y)?, largest })
}

/// The gradients of a batch, added to those that the net has.
fn forward_backward(net: &dyn Module, batch: &Batch, loss: &dyn Loss) -> Result<(f64, f64)> {
    let Batch { x, y, largest } = batch;
    let pred = net.forward(x)?;
    check_labels(&pred, *largest)?;
    let sum = loss.forward(&pred, y)?.f_sum(None)?;
    sum.f_backward()?;
    // Both in one piece: a GPU is waited for once.
    let right = num_correct(&pred, y)?.f_to_kind(Kind::Double)?;
    let both = Tensor::f_stack(&[sum.f_detach()?.f_to_kind(Kind::Double)?, right], 0)?;
    let both = both.f_to_device(Device::Cpu)?;
    Ok((both.f_double_value(&[0])?, both.f_double_value(&[1])?))
}

/// Gives each device a part of the batch and a replica of the net, and sums their gradients.
fn data_parallel(
    net: &dyn Module,
    x: &Tensor,
    y: &Tensor,
    loss: &dyn Loss,
    devices: &[Device],
) -> Result<(f64, f64)> {
    let parts = split_batch(x, y, devices)?;
    let mut replicas = vec![];
    for &device in &devices[1..parts.len()] {
        let replica = net.replicate()?;
        replica.to(device)?;
        replica.train();
        replicas.push(replica);
    }
    let mut parts = parts.into_iter();
    let first = parts.next().ok_or_else(no_device)?;
    let totals: Vec<Result<(f64, f64)>> = thread::scope(|scope| {
        let threads: Vec<_> = replicas
            .iter_mut()
            .zip(parts)
            .map(|(replica, part)| scope.spawn(move || forward_backward(&**replica, &part, loss)))
            .collect();
        let own = forward_backward(net, &first, loss);
        let others = threads.into_iter().map(|thread| {
            thread.join().unwrap_or_else(|_| Err(Error::Torch("a replica's thread failed".into())))
        });
        [own].into_iter().chain(others).collect()
    });
    let mut sums = (0., 0.);
    for total in totals {
        let (loss_sum, correct) = total?;
        sums = (sums.0 + loss_sum, sums.1 + correct);
    }
    let _guard = tch::no_grad_guard();
    for replica in &replicas {
        for (own, other) in net.parameters().iter().zip(replica.parameters()) {
            if other.grad().defined() {
                let _ = own.grad().f_add_(&other.grad().f_to_device(own.device())?)?;
            }
        }
    }
    Ok(sums)
}

/// Splits a batch into a part for each device; a small batch into fewer (d2l: `split_batch`).
fn split_batch(x: &Tensor, y: &Tensor, devices: &[Device]) -> Result<Vec<Batch>> {
    let count = devices.len() as i64;
    let xs = x.f_chunk(count, 0)?;
    let ys = y.f_chunk(count, 0)?;
    let pairs = xs.iter().zip(&ys).zip(devices);
    pairs.map(|((x, y), &device)| on_device(x, y, device)).collect()
}

/// Learning from a picture takes about so many times as long as testing with it.
const LEARNING: usize = 3;

/// Trains, tests after each epoch, and shows the curves (d2l: `train_ch13`).
///
/// Under the kernel "Rust (d2l)" the curves grow while it trains, and a bar tells the time left; a
/// line an epoch tells how far it is, and the book's two lines what came of it. The net is borrowed:
/// it is there with what it has learned even after an error or the stop button.
///
/// The book: [*Image Augmentation*](https://d2l.ai/chapter_computer-vision/image-augmentation.html).
///
/// # Errors
/// Both loaders' classes differ, a picture cannot be read, the stop button was pressed, or as
/// [`train_batch_ch13`].
pub fn train_ch13(
    net: &dyn Module,
    train_iter: &DataLoader,
    test_iter: &DataLoader,
    loss: &dyn Loss,
    trainer: &mut dyn Optimizer,
    num_epochs: usize,
    devices: &[Device],
) -> Result<Summary> {
    let device = *devices.first().ok_or_else(no_device)?;
    let num_epochs = quick::max_epochs().map_or(num_epochs, |most| num_epochs.min(most));
    if num_epochs == 0 || train_iter.is_empty() {
        let found = format!("{num_epochs} epochs of {} batches", train_iter.len());
        let todo = "train for one epoch or more, on one picture or more";
        return Err(Error::invalid("train_ch13", found, "something to learn from", todo));
    }
    same_classes(train_iter, test_iter)?;
    println!("training on {devices:?}, computing in {}", name_of(compute_kind(device)));
    quick::notice().into_iter().for_each(|notice| println!("{notice}"));

    net.to(device)?;
    let (mut timer, num_batches) = (Timer::new(), train_iter.len());
    let mut animator = Animator::new("epoch", &["train loss", "train acc", "test acc"])
        .xlim(0., num_epochs as f64)
        .ylim(0., 1.);
    let examples = (num_epochs * train_iter.num_examples(), num_epochs * test_iter.num_examples());
    let mut progress = Progress::new("training", (LEARNING * examples.0 + examples.1) as u64);
    let mut test_acc = 0.;
    let mut metric = Accumulator::new(3);
    for epoch in 0..num_epochs {
        // Sums of the loss, of right answers, of examples
        metric.reset();
        for (i, batch) in train_iter.iter_for(device).enumerate() {
            let (x, y) = batch?;
            timer.start();
            let (l, acc) = train_batch_ch13(net, &x, &y, loss, trainer, devices)
                .map_err(|error| error.during(format!("batch {} of epoch {}", i + 1, epoch + 1)))?;
            metric.add(&[l, acc, y.numel() as f64]);
            timer.stop();
            progress.note(format!("epoch {}: loss {:.3}", epoch + 1, metric[0] / metric[2]));
            progress.advance(LEARNING as u64 * y.size().first().copied().unwrap_or(0) as u64);
            if (i + 1) % (num_batches / 5).max(1) == 0 || i == num_batches - 1 {
                let x = epoch as f64 + (i + 1) as f64 / num_batches as f64;
                animator.add(x, &[Some(metric[0] / metric[2]), Some(metric[1] / metric[2]), None]);
            }
        }
        test_acc = evaluate(net, test_iter, None, &mut progress)?;
        animator.add((epoch + 1) as f64, &[None, None, Some(test_acc)]);
        progress.println(&format!(
            "epoch {}/{num_epochs}: loss {:.3}, train acc {:.3}, test acc {test_acc:.3}",
            epoch + 1,
            metric[0] / metric[2],
            metric[1] / metric[2]
        ));
    }
    let summary = Summary {
        loss: metric[0] / metric[2],
        train_acc: metric[1] / metric[2],
        test_acc,
        examples_per_sec: examples.0 as f64 / timer.sum(),
        devices: devices.to_vec(),
        animator,
    };
    drop(progress);
    println!("{summary}");
    summary.animator.show()?;
    Ok(summary)
}

fn name_of(kind: Kind) -> &'static str {
    match kind {
        Kind::BFloat16 => "bfloat16 (set_precision(Precision::Full) for f32)",
        _ => "f32",
    }
}

fn no_device() -> Error {
    Error::invalid("devices", "an empty list", "one device or more", "give it &try_all_gpus()")
}

fn diverged(loss: f64) -> Error {
    Error::invalid(
        "train_batch_ch13",
        format!("the loss is {loss}"),
        "a finite loss",
        "lower the learning rate, and start from a fresh net or a checkpoint: earlier steps have \
         spoilt this one",
    )
}

/// A label means the same in both sets only if their classes are the same.
fn same_classes(train_iter: &DataLoader, test_iter: &DataLoader) -> Result<()> {
    let (train, test) = (train_iter.dataset().classes(), test_iter.dataset().classes());
    if train == test {
        return Ok(());
    }
    Err(Error::invalid(
        "train_ch13",
        format!("classes {} to learn, {} to test", train.join(", "), test.join(", ")),
        "the same classes in both, by the names of the folders",
        "compare the folders that both loaders were given",
    ))
}
