//! What all layers and networks have in common (d2l: section 6.1, *Layers and Modules*).

use std::any::Any;
use std::collections::{HashMap, HashSet};
use std::fmt::{self, Debug, Display};
use std::sync::atomic::{AtomicBool, Ordering};

use tch::{Device, Kind, Tensor};

use super::state_dict::Differences;
use crate::{Error, Result, device};

/// One thing that a module owns.
#[derive(Debug)]
pub enum Part<'a> {
    /// A tensor that is learned.
    Parameter(&'a Tensor),
    /// A tensor that is kept with the network but not learned, such as a running mean.
    Buffer(&'a Tensor),
    /// The switch between training and evaluation.
    Mode(&'a AtomicBool),
}

/// Walks through a module and its children, and hands out each part with its full name.
///
/// The book: [*Layers and Modules*](https://d2l.ai/chapter_builders-guide/model-construction.html).
pub struct Visitor<'a> {
    prefix: String,
    each: &'a mut dyn FnMut(&str, Part),
}

impl Visitor<'_> {
    /// Visits a parameter.
    pub fn parameter(&mut self, name: &str, tensor: &Tensor) {
        (self.each)(&format!("{}{name}", self.prefix), Part::Parameter(tensor));
    }

    /// Visits a buffer.
    pub fn buffer(&mut self, name: &str, tensor: &Tensor) {
        (self.each)(&format!("{}{name}", self.prefix), Part::Buffer(tensor));
    }

    /// Visits the switch between training and evaluation.
    pub fn mode(&mut self, mode: &AtomicBool) {
        (self.each)(&self.prefix, Part::Mode(mode));
    }

    /// Visits a child: its parts' names start with `name` and a dot.
    pub fn child(&mut self, name: &str, module: &dyn Module) {
        let length = self.prefix.len();
        self.prefix.push_str(name);
        self.prefix.push('.');
        module.visit(self);
        self.prefix.truncate(length);
    }
}

/// A layer or a network.
///
/// A type of your own needs [`forward`](Module::forward) and [`visit`](Module::visit), in which it
/// names its tensors and its children in the order of PyTorch's `state_dict`; the rest follows.
///
/// Tensors are handles: those that these functions return share their storage with the module.
///
/// The book: [*Layers and Modules*](https://d2l.ai/chapter_builders-guide/model-construction.html).
///
/// ```
/// use d2l::nn::Visitor;
/// use d2l::prelude::*;
///
/// #[derive(Debug)]
/// struct MLP {
///     hidden: Linear,
///     out: Linear,
/// }
///
/// impl Module for MLP {
///     fn forward(&self, x: &Tensor) -> Result<Tensor> {
///         self.out.forward(&self.hidden.forward(x)?.f_relu()?)
///     }
///     fn visit(&self, visitor: &mut Visitor) {
///         visitor.child("hidden", &self.hidden);
///         visitor.child("out", &self.out);
///     }
/// }
///
/// let net = MLP { hidden: linear(20, 256)?, out: linear(256, 10)? };
/// let x = Tensor::rand([2, 20], (Kind::Float, Device::Cpu));
/// assert_eq!(net.forward(&x)?.size(), [2, 10]);
/// let names: Vec<String> = net.named_parameters().into_iter().map(|(name, _)| name).collect();
/// assert_eq!(names, ["hidden.weight", "hidden.bias", "out.weight", "out.bias"]);
/// # Ok::<(), d2l::Error>(())
/// ```
pub trait Module: Any + Debug + Send {
    /// Computes the output for a batch.
    ///
    /// # Errors
    /// A shape that does not fit, or libtorch is out of memory.
    fn forward(&self, x: &Tensor) -> Result<Tensor>;

    /// Names all tensors and children, in order.
    fn visit(&self, visitor: &mut Visitor);

    /// A copy with tensors of its own, to train on a second device.
    ///
    /// # Errors
    /// The module does not say how it is copied.
    fn replicate(&self) -> Result<Box<dyn Module>> {
        Err(Error::invalid(
            "replicate",
            "this network does not say how it is copied to another device",
            "an implementation of Module::replicate",
            "add one, or train on one device: &[try_gpu(0)]",
        ))
    }

    /// All parameters with PyTorch's names, in PyTorch's order. One that the module uses in two
    /// places is there once, under its first name.
    fn named_parameters(&self) -> Vec<(String, Tensor)> {
        let mut parameters = vec![];
        let mut seen = HashSet::new();
        walk(self, &mut |name, part| {
            if let Part::Parameter(tensor) = part
                && memory(tensor).is_none_or(|place| seen.insert(place))
            {
                parameters.push((name.to_string(), tensor.shallow_clone()));
            }
        });
        parameters
    }

    /// All parameters, in PyTorch's order.
    fn parameters(&self) -> Vec<Tensor> {
        self.named_parameters().into_iter().map(|(_, tensor)| tensor).collect()
    }

    /// All buffers with PyTorch's names.
    fn named_buffers(&self) -> Vec<(String, Tensor)> {
        let mut buffers = vec![];
        walk(self, &mut |name, part| {
            if let Part::Buffer(tensor) = part {
                buffers.push((name.to_string(), tensor.shallow_clone()));
            }
        });
        buffers
    }

    /// Parameters and buffers with PyTorch's names, in the order of PyTorch's `state_dict`.
    fn state_dict(&self) -> Vec<(String, Tensor)> {
        let mut state = vec![];
        walk(self, &mut |name, part| match part {
            Part::Parameter(tensor) | Part::Buffer(tensor) => {
                state.push((name.to_string(), tensor.shallow_clone()));
            }
            Part::Mode(_) => {}
        });
        state
    }

    /// Copies the values of a state dict into this module, by name.
    ///
    /// As in PyTorch, batch norm's `num_batches_tracked` may be missing, as older files lack it, and a
    /// single number may have the shape `[1]`.
    ///
    /// # Errors
    /// Keys that are missing or left over and shapes that differ, named at once; the module is then
    /// unchanged.
    fn load_state_dict(&self, state: &[(String, Tensor)]) -> Result<()> {
        let own = self.state_dict();
        let shapes: Vec<_> =
            own.iter().map(|(name, tensor)| (name.clone(), tensor.size())).collect();
        let theirs: HashMap<&str, &Tensor> =
            state.iter().map(|(name, tensor)| (&**name, tensor)).collect();
        let their_shapes = theirs.iter().map(|(&name, tensor)| (name, Some(tensor.size())));
        let differences = Differences::between(&shapes, their_shapes.collect());
        if !differences.is_empty() {
            return Err(Error::invalid(
                "load_state_dict",
                differences.to_string(),
                "the keys and shapes of this network",
                differences.advice(),
            ));
        }
        let _guard = tch::no_grad_guard();
        for (name, mut tensor) in own {
            if let Some(value) = theirs.get(&*name) {
                tensor.f_copy_(&value.f_reshape(tensor.size())?)?;
            }
        }
        Ok(())
    }

    /// Turns training on: batch norm normalises by the batch (PyTorch: `net.train()`).
    fn train(&self) {
        set_mode(self, true);
    }

    /// Turns evaluation on: batch norm normalises by its running statistics (PyTorch: `net.eval()`).
    fn eval(&self) {
        set_mode(self, false);
    }

    /// Freezes all parameters (`false`) or lets them learn (`true`).
    fn requires_grad_(&self, requires_grad: bool) {
        for tensor in self.parameters() {
            let _ = tensor.set_requires_grad(requires_grad);
        }
    }

    /// Moves all tensors and their gradients to a device; optimizers that hold them follow.
    ///
    /// # Errors
    /// The device is not there or its memory is full. The module is then where it was.
    fn to(&self, device: Device) -> Result<()> {
        device::check(device)?;
        let _guard = tch::no_grad_guard();
        let state = self.state_dict().into_iter().map(|(_, tensor)| tensor);
        let gradients: Vec<Tensor> =
            self.parameters().iter().map(Tensor::f_grad).collect::<Result<_, _>>()?;
        let gradients = gradients.into_iter().filter(Tensor::defined);
        let mut moves = vec![];
        for tensor in state.chain(gradients).filter(|tensor| tensor.device() != device) {
            let moved = tensor.f_to_device(device)?;
            moves.push((tensor, moved));
        }
        for (mut tensor, moved) in moves {
            tensor.f_set_data(&moved)?;
        }
        Ok(())
    }

    /// The device of the first parameter; the CPU for a network without parameters.
    fn device(&self) -> Device {
        self.parameters().first().map_or(Device::Cpu, Tensor::device)
    }
}

impl<M: Module> From<M> for Box<dyn Module> {
    fn from(module: M) -> Box<dyn Module> {
        Box::new(module)
    }
}

/// The same text as `{:?}`: `println!("{}", net[2])`.
impl Display for dyn Module {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        Debug::fmt(self, f)
    }
}

/// The output of a child; an error says which child it is. `name` is the one that
/// [`visit`](Module::visit) gives it.
pub(crate) fn child<M: Module + ?Sized>(
    name: impl Display,
    module: &M,
    x: &Tensor,
) -> Result<Tensor> {
    module.forward(x).map_err(|error| error.in_layer(name, &module))
}

/// An error for images that are still pixels, from 0 to 255: layers would compute with them in silence.
pub(crate) fn check_numbers(layer: &dyn Display, x: &Tensor) -> Result<()> {
    if x.kind() != Kind::Uint8 {
        return Ok(());
    }
    Err(Error::invalid(
        layer,
        format!("an input of shape {:?} and kind Uint8: still pixels", x.size()),
        "numbers of kind Float",
        "put ToTensor at the end of the transform; a tensor of one's own: x.to_kind(Kind::Float) / 255.",
    ))
}

/// An error for an input that is on another device than a layer's weight.
pub(crate) fn check_place(layer: &dyn Display, weight: &Tensor, x: &Tensor) -> Result<()> {
    let (own, found) = (weight.device(), x.device());
    if own == found {
        return Ok(());
    }
    Err(Error::invalid(
        layer,
        format!("the input is on {found:?}, the weights are on {own:?}"),
        "both on one device",
        format!(
            "move the input, x.to_device(Device::{own:?}), or the model, net.to(Device::{found:?})?"
        ),
    ))
}

/// Copies values into a layer's parameter; no gradient flows through it.
pub(crate) fn assign(
    layer: &dyn Display,
    name: &str,
    parameter: &Tensor,
    values: &Tensor,
) -> Result<()> {
    let (own, found) = (parameter.size(), values.size());
    if own != found {
        return Err(Error::invalid(
            format_args!("{layer}: {name}"),
            format!("values of shape {found:?}"),
            format!("the shape {own:?}"),
            "give a value for each place, or make the layer for other sizes",
        ));
    }
    let _guard = tch::no_grad_guard();
    parameter.shallow_clone().f_copy_(values)?;
    Ok(())
}

/// The same of a bias, where there is one.
pub(crate) fn assign_bias(
    layer: &dyn Display,
    bias: Option<&Tensor>,
    values: &Tensor,
) -> Result<()> {
    match bias {
        Some(bias) => assign(layer, "bias", bias, values),
        None => Err(Error::invalid(
            format_args!("{layer}: bias"),
            "the layer has none",
            "a layer with a bias",
            "make it with one: .bias(true)?",
        )),
    }
}

/// Where a tensor's values lie: handles of one tensor name one place. An empty one lies nowhere.
pub(crate) fn memory(tensor: &Tensor) -> Option<usize> {
    let lies = tensor.defined() && !tensor.is_sparse() && !tensor.is_mkldnn();
    (lies && tensor.numel() > 0).then(|| tensor.data_ptr() as usize)
}

/// The same values in memory of their own, on the same device; they learn if the original does.
pub(crate) fn copy(tensor: &Tensor) -> Result<Tensor> {
    let copy = tensor.f_detach()?.f_to_device_(tensor.device(), tensor.kind(), false, true)?;
    Ok(copy.f_set_requires_grad(tensor.requires_grad())?)
}

pub(crate) fn walk<M: Module + ?Sized>(module: &M, each: &mut dyn FnMut(&str, Part)) {
    module.visit(&mut Visitor { prefix: String::new(), each });
}

fn set_mode<M: Module + ?Sized>(module: &M, training: bool) {
    walk(module, &mut |_, part| {
        if let Part::Mode(mode) = part {
            mode.store(training, Ordering::Relaxed);
        }
    });
}
