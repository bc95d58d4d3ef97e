//! The gradients of a batch, on one device or several (d2l: section 13.6, *Concise Implementation
//! for Multiple GPUs*).

use std::any::Any;
use std::thread;

use tch::{Device, Kind, Tensor};

use super::evaluate::num_correct;
use crate::nn::{Loss, Module, check_labels, label_range};
use crate::optim::forget_gradients;
use crate::{Error, Result};

/// A batch where it is needed, and its smallest and largest label, which are looked at before a GPU
/// has them: it would end the program over a wrong one.
pub(super) struct Batch {
    x: Tensor,
    y: Tensor,
    range: Option<(i64, i64)>,
}

pub(super) fn on_device(x: &Tensor, y: &Tensor, device: Device) -> Result<Batch> {
    let range = label_range(y)?;
    // From the loader's memory a copy to a GPU goes on beside what is being computed there.
    let send = |tensor: &Tensor| tensor.f_to_device_(device, tensor.kind(), true, false);
    Ok(Batch { x: send(x)?, y: send(y)?, range })
}

/// What is known of a step before it is taken.
#[derive(Clone, Copy, Default)]
pub(super) struct Sums {
    pub(super) loss: f64,
    /// The number of correct predictions.
    pub(super) right: f64,
    /// The sum of all gradients: finite if each of them is, but for an overflow.
    pub(super) gradients: f64,
}

/// The gradients of a batch, added to those that the network has.
pub(super) fn forward_backward(net: &dyn Module, batch: &Batch, loss: &dyn Loss) -> Result<Sums> {
    let Batch { x, y, range } = batch;
    let pred = net.forward(x)?;
    let are_classes = !y.is_floating_point();
    if are_classes {
        check_labels(&pred, y, *range)?;
    }
    let sum = loss.forward(&pred, y)?.f_sum(None)?;
    if !sum.requires_grad() {
        return Err(Error::invalid(
            "the loss",
            "it has no gradient",
            "a loss that comes from the network's parameters",
            "call this outside of no_grad, and detach nothing in the layers or in the loss",
        ));
    }
    sum.f_backward()?;
    let right = if are_classes { num_correct(&pred, y)? } else { Tensor::from(f64::NAN) };
    let mut all = vec![sum.f_detach()?, right];
    for parameter in net.parameters() {
        let gradient = parameter.f_grad()?;
        if gradient.defined() {
            all.push(gradient.f_sum(None)?);
        }
    }
    // All in one piece: a GPU is waited for once.
    let there = |sum: &Tensor| sum.f_to_device_(pred.device(), Kind::Double, false, false);
    let all: Vec<Tensor> = all.iter().map(there).collect::<Result<_, _>>()?;
    let all = Tensor::f_stack(&all, 0)?.f_to_device(Device::Cpu)?;
    let gradients = all.f_narrow(0, 2, all.numel() as i64 - 2)?.f_sum(None)?;
    Ok(Sums {
        loss: all.f_double_value(&[0])?,
        right: all.f_double_value(&[1])?,
        gradients: gradients.f_double_value(&[])?,
    })
}

/// Copies of a network on further devices, kept from step to step.
#[derive(Debug, Default)]
pub(super) struct Replicas(Vec<Box<dyn Module>>);

impl Replicas {
    /// Gives each device a part of the batch and a replica of the network, and sums their gradients
    /// (PyTorch: `nn.DataParallel`). The network itself takes the first part, so that its batch norms
    /// keep the statistics of that part, as there.
    pub(super) fn forward_backward(
        &mut self,
        net: &dyn Module,
        parts: Vec<Batch>,
        loss: &dyn Loss,
    ) -> Result<Sums> {
        for (i, part) in parts.iter().skip(1).enumerate() {
            if i == self.0.len() {
                self.0.push(net.replicate()?);
            }
            follow(net, &*self.0[i], part.x.device())?;
        }
        let mut parts = parts.into_iter();
        let first = parts.next();
        let totals: Vec<Result<Sums>> = thread::scope(|scope| {
            let threads: Vec<_> = self
                .0
                .iter_mut()
                .zip(parts)
                .map(|(replica, part)| {
                    let work = move || forward_backward(&**replica, &part, loss);
                    thread::Builder::new().spawn_scoped(scope, work)
                })
                .collect();
            let own: Vec<_> = first.iter().map(|part| forward_backward(net, part, loss)).collect();
            let others = threads.into_iter().map(|thread| match thread {
                Ok(thread) => thread.join().unwrap_or_else(|panic| Err(panicked(&*panic))),
                Err(error) => Err(failed(format!("no thread for it: {error}"))),
            });
            own.into_iter().chain(others).collect()
        });
        let count = totals.len();
        let mut sums = Sums::default();
        for total in totals {
            let Sums { loss, right, gradients } = total?;
            sums.loss += loss;
            sums.right += right;
            sums.gradients += gradients;
        }
        for replica in self.0.iter().take(count.saturating_sub(1)) {
            for (own, other) in net.parameters().iter().zip(replica.parameters()) {
                add_gradient(own, &other.f_grad()?)?;
            }
        }
        Ok(sums)
    }
}

/// Splits a batch into a part for each device; a small batch into fewer (d2l: `split_batch`).
pub(super) fn split_batch(x: &Tensor, y: &Tensor, devices: &[Device]) -> Result<Vec<Batch>> {
    let count = devices.len() as i64;
    let xs = x.f_chunk(count, 0)?;
    let ys = y.f_chunk(count, 0)?;
    let pairs = xs.iter().zip(&ys).zip(devices);
    pairs.map(|((x, y), &device)| on_device(x, y, device)).collect()
}

/// Makes a replica equal to the network, which may have learned or been frozen since.
fn follow(net: &dyn Module, replica: &dyn Module, device: Device) -> Result<()> {
    replica.to(device)?;
    let (own, other) = (net.state_dict(), replica.state_dict());
    let alike =
        |(a, b): (&(String, Tensor), &(String, Tensor))| a.0 == b.0 && a.1.size() == b.1.size();
    if own.len() != other.len() || !own.iter().zip(&other).all(alike) {
        return Err(Error::invalid(
            "replicate",
            "a network with other parameters or buffers than the original's",
            "the same names and shapes, in the same order",
            "copy each part in Module::replicate, as with Linear::copy and Sequential::copy",
        ));
    }
    {
        let _guard = tch::no_grad_guard();
        for ((_, own), (_, mut other)) in own.into_iter().zip(other) {
            other.f_copy_(&own)?;
        }
    }
    for (own, other) in net.parameters().iter().zip(replica.parameters()) {
        let _ = other.f_set_requires_grad(own.requires_grad())?;
    }
    forget_gradients(&replica.parameters())?;
    replica.train();
    Ok(())
}

/// Adds a replica's gradient to a parameter's, where either may have none.
fn add_gradient(parameter: &Tensor, other: &Tensor) -> Result<()> {
    if !other.defined() {
        return Ok(());
    }
    let other = other.f_to_device(parameter.device())?;
    let mut own = parameter.f_grad()?;
    if own.defined() {
        let _guard = tch::no_grad_guard();
        let _ = own.f_add_(&other)?;
    } else {
        // tch cannot set a gradient; this sum has the wanted one.
        parameter.f_mul(&other)?.f_sum(None)?.f_backward()?;
    }
    Ok(())
}

fn panicked(panic: &(dyn Any + Send)) -> Error {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
    failed(format!("it panicked: {}", text.lines().next().unwrap_or_default()))
}

fn failed(found: String) -> Error {
    Error::invalid(
        "a replica of the network",
        found,
        "a result or an error from each layer",
        "train on one device to see where: &devices[..1]",
    )
}
