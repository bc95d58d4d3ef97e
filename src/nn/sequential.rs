//! Layers one after the other (d2l: section 6.1.2, `nn.Sequential`).

use std::any::{Any, type_name};
use std::collections::HashMap;
use std::fmt;
use std::ops::Index;

use tch::Tensor;

use super::{Module, Visitor, child};
use crate::{Error, Result};

/// Layers one after the other; [`sequential!`](crate::sequential) writes one.
///
/// A layer's name is its place, `0`, `1`, …, as in PyTorch, or the one that it was given.
///
/// The book: [*Layers and Modules*](https://d2l.ai/chapter_builders-guide/model-construction.html).
///
/// ```
/// use d2l::prelude::*;
/// let mut net = sequential![Conv2d::new(3, 16, 5)?, ReLU::new(), MaxPool2d::new(2)?];
/// net.push_named("head", Conv2d::new(16, 4, 1)?)?;
/// assert_eq!(net.len(), 4);
/// assert_eq!(net[1].to_string(), "ReLU()");
/// assert_eq!(net.layer::<Conv2d>("0")?.weight.size(), [16, 3, 5, 5]);
/// let x = Tensor::zeros([1, 3, 32, 32], (Kind::Float, Device::Cpu));
/// let outputs = net.outputs(&["1", "head"], &x)?;
/// assert_eq!(outputs[0].size(), [1, 16, 28, 28]);
/// assert_eq!(outputs[1].size(), [1, 4, 14, 14]);
/// net.truncate(3); // without the head
/// assert_eq!(net.forward(&x)?.size(), [1, 16, 14, 14]);
/// # Ok::<(), d2l::Error>(())
/// ```
#[derive(Default)]
pub struct Sequential(Vec<Child>);

struct Child {
    /// A name of its own; its place otherwise.
    name: Option<String>,
    module: Box<dyn Module>,
}

/// A [`Sequential`](crate::nn::Sequential) of these layers:
/// `sequential![Conv2d::new(3, 16, 5)?, ReLU::new()]`.
#[macro_export]
macro_rules! sequential {
    ($($layer:expr),* $(,)?) => {
        $crate::nn::Sequential::from(
            ::std::vec![$(::std::boxed::Box::<dyn $crate::nn::Module>::from($layer)),*]
        )
    };
}

impl From<Vec<Box<dyn Module>>> for Sequential {
    fn from(layers: Vec<Box<dyn Module>>) -> Sequential {
        Sequential(layers.into_iter().map(|module| Child { name: None, module }).collect())
    }
}

impl Sequential {
    /// A sequence without layers.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts a layer at the end.
    pub fn push(&mut self, module: impl Into<Box<dyn Module>>) {
        self.0.push(Child { name: None, module: module.into() });
    }

    /// Puts a layer at the end, under a name (PyTorch: `net.add_module`).
    ///
    /// # Errors
    /// A name that is there before, is empty, is a number or has a dot in it.
    pub fn push_named(&mut self, name: &str, module: impl Into<Box<dyn Module>>) -> Result<()> {
        self.push_boxed(name, module.into())
    }

    fn push_boxed(&mut self, name: &str, module: Box<dyn Module>) -> Result<()> {
        let refuse = |found: &str, expected: &str, todo: &str| {
            Err(Error::invalid(format_args!("push_named: {name:?}"), found, expected, todo))
        };
        if self.0.iter().any(|child| child.name.as_deref() == Some(name)) {
            return refuse(
                "a layer has this name",
                "a name that is not there before",
                "take another one, or push(layer), which numbers it",
            );
        }
        if name.is_empty() || name.contains('.') {
            return refuse(
                "no name for a layer",
                "a name without dots: they are between the names of layers in layers",
                "take a name such as \"conv1\"",
            );
        }
        if name.chars().all(|c| c.is_ascii_digit()) {
            return refuse(
                "a number",
                "a name: numbers are those of layers without one",
                "leave it to push(layer), which numbers it",
            );
        }
        self.0.push(Child { name: Some(name.to_string()), module });
        Ok(())
    }

    /// How many layers there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The layer at this place; `net[i]` where it is there.
    pub fn get(&self, i: usize) -> Option<&dyn Module> {
        self.0.get(i).map(|child| &*child.module)
    }

    /// All layers with their names, in order (PyTorch: `named_children`).
    pub fn children(&self) -> Vec<(String, &dyn Module)> {
        self.0.iter().enumerate().map(|(i, child)| (child.name_at(i), &*child.module)).collect()
    }

    /// The layer of this name, in a sequence in this one too: `"layer1.0"` (PyTorch:
    /// `get_submodule`).
    ///
    /// # Errors
    /// There is none.
    pub fn get_submodule(&self, name: &str) -> Result<&dyn Module> {
        let names = || self.children().into_iter().map(|(name, _)| name).collect::<Vec<_>>();
        let unknown = || {
            Error::invalid(
                format_args!("Sequential: {name:?}"),
                "no layer has this name",
                format!("one of {}", names().join(", ")),
                "println!(\"{net}\") shows all names",
            )
        };
        let (first, rest) = name.split_once('.').map_or((name, None), |(a, b)| (a, Some(b)));
        let found = self.children().into_iter().find(|(name, _)| name == first);
        let module = found.ok_or_else(unknown)?.1;
        match (rest, as_layer::<Sequential>(module)) {
            (None, _) => Ok(module),
            (Some(rest), Some(inner)) => inner.get_submodule(rest),
            (Some(_), None) => Err(unknown()),
        }
    }

    /// The same as the type that it is, to look at its weight or to set it:
    /// `net.layer::<Conv2d>("conv1")?.weight`.
    ///
    /// # Errors
    /// There is none of this name, or it is of another type.
    pub fn layer<T: Module>(&self, name: &str) -> Result<&T> {
        let module = self.get_submodule(name)?;
        as_layer(module).ok_or_else(|| wrong_type(name, module, type_name::<T>()))
    }

    /// The outputs of these layers, in one pass: `["layer1", "layer4"]`, of layers in a sequence in this
    /// one too: `["blocks.2"]`. They stay as they are when a later layer works in place; layers behind
    /// the last one named are not computed.
    ///
    /// # Errors
    /// There is no layer of this name, or a layer refuses its input.
    pub fn outputs(&self, names: &[&str], x: &Tensor) -> Result<Vec<Tensor>> {
        for name in names {
            self.get_submodule(name)?;
        }
        let mut found: HashMap<String, Option<Tensor>> =
            names.iter().map(|name| (name.to_string(), None)).collect();
        if !found.is_empty() {
            let _ = self.collect("", &mut found, x)?;
        }
        Ok(names
            .iter()
            .filter_map(|&name| Some(found.get(name)?.as_ref()?.shallow_clone()))
            .collect())
    }

    /// Runs the layers until all outputs are found.
    fn collect(
        &self,
        prefix: &str,
        found: &mut HashMap<String, Option<Tensor>>,
        x: &Tensor,
    ) -> Result<Tensor> {
        let mut x = x.shallow_clone();
        for (name, module) in self.children() {
            let path = format!("{prefix}{name}");
            let within = format!("{path}.");
            x = match as_layer::<Sequential>(module) {
                Some(inner) if found.keys().any(|key| key.starts_with(&within)) => inner
                    .collect(&within, found, &x)
                    .map_err(|error| error.in_layer(&name, &module))?,
                _ => child(&name, module, &x)?,
            };
            if let Some(output) = found.get_mut(&path) {
                *output = Some(x.shallow_clone());
            }
            if found.values().all(Option::is_some) {
                break;
            }
            if found.contains_key(&path) {
                // The next layer may work in place.
                x = x.f_to_device_(x.device(), x.kind(), false, true)?;
            }
        }
        Ok(x)
    }

    /// Leaves the first `len` layers; without the last two: `net.truncate(net.len() - 2)`.
    pub fn truncate(&mut self, len: usize) {
        self.0.truncate(len);
    }

    /// Takes the layers from place `at` on; the first ones stay. Their names stay, too, and the numbers
    /// of those without one start at 0.
    pub fn split_off(&mut self, at: usize) -> Sequential {
        Sequential(self.0.split_off(at.min(self.0.len())))
    }

    /// Takes the layer at this place, if there is one; those behind it move up.
    pub fn remove(&mut self, i: usize) -> Option<Box<dyn Module>> {
        (i < self.0.len()).then(|| self.0.remove(i).module)
    }

    /// A copy with tensors of its own, on the same device.
    ///
    /// # Errors
    /// A layer does not say how it is copied, or the device's memory is full.
    pub fn copy(&self) -> Result<Sequential> {
        let copies = self.0.iter().map(|Child { name, module }| {
            Ok(Child { name: name.clone(), module: module.replicate()? })
        });
        Ok(Sequential(copies.collect::<Result<_>>()?))
    }
}

impl Child {
    fn name_at(&self, i: usize) -> String {
        self.name.clone().unwrap_or_else(|| i.to_string())
    }
}

fn as_layer<T: Module>(module: &dyn Module) -> Option<&T> {
    let any: &dyn Any = module;
    any.downcast_ref()
}

fn wrong_type(name: &str, module: &dyn Module, expected: &str) -> Error {
    let expected = expected.rsplit("::").next().unwrap_or(expected);
    let text = format!("{module:?}");
    let first = text.lines().next().unwrap_or_default();
    Error::invalid(
        format_args!("Sequential: {name:?}"),
        first,
        format!("a {expected}"),
        "name the type that it prints: net.layer::<Conv2d>(\"conv1\")?",
    )
}

/// `net[2]`; a place that is not there panics, as with a `Vec`.
impl Index<usize> for Sequential {
    type Output = dyn Module;

    fn index(&self, i: usize) -> &dyn Module {
        &*self.0[i].module
    }
}

impl Module for Sequential {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let mut x = x.shallow_clone();
        for (i, Child { name, module }) in self.0.iter().enumerate() {
            x = match name {
                Some(name) => child(name, &**module, &x)?,
                None => child(i, &**module, &x)?,
            };
        }
        Ok(x)
    }

    fn visit(&self, visitor: &mut Visitor) {
        for (name, module) in self.children() {
            visitor.child(&name, module);
        }
    }

    fn replicate(&self) -> Result<Box<dyn Module>> {
        Ok(Box::new(self.copy()?))
    }
}

/// Lines of children, as PyTorch prints them.
pub(crate) fn write_children(f: &mut fmt::Formatter, net: &Sequential) -> fmt::Result {
    for (name, module) in net.children() {
        writeln!(f, "  ({name}): {}", format!("{module:?}").replace('\n', "\n  "))?;
    }
    Ok(())
}

impl fmt::Display for Sequential {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("Sequential()");
        }
        writeln!(f, "Sequential(")?;
        write_children(f, self)?;
        f.write_str(")")
    }
}

crate::jupyter::show_as_text!(Sequential);
