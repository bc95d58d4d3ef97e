//! Stochastic gradient descent with momentum (d2l: sections 12.4 and 12.6, `torch.optim.SGD`).

use std::fmt;

use tch::Tensor;

use super::groups::{Groups, check_number};
use super::room::Room;
use super::{Optimizer, OptimizerState, ParamGroup};
use crate::{Error, Result};

/// Stochastic gradient descent (PyTorch: `torch.optim.SGD`), without momentum and weight decay unless
/// they are given.
///
/// The momentum follows its parameters to another device.
///
/// The book: [*Stochastic Gradient Descent*](https://d2l.ai/chapter_optimization/sgd.html) and
/// [*Momentum*](https://d2l.ai/chapter_optimization/momentum.html).
///
/// ```
/// use d2l::prelude::*;
/// let weight = Tensor::from_slice(&[1f32]).set_requires_grad(true);
/// let mut trainer = SGD::new(vec![weight.shallow_clone()], 0.1)?.momentum(0.9)?;
/// for expected in [0.9, 0.71, 0.439] {
///     trainer.zero_grad()?;
///     weight.sum(Kind::Float).backward();
///     trainer.step()?;
///     assert!((weight.double_value(&[0]) - expected).abs() < 1e-6);
/// }
/// # Ok::<(), d2l::Error>(())
/// ```
pub struct SGD {
    groups: Groups,
    momentum: f64,
    dampening: f64,
    nesterov: bool,
    /// One for each parameter, from its first step with momentum on.
    buffers: Vec<Option<Tensor>>,
}

impl SGD {
    /// One group of parameters. Frozen ones may be among them: they stay as they are.
    ///
    /// # Errors
    /// No parameters, one of them twice, or a learning rate that is no number from 0 up.
    pub fn new(params: Vec<Tensor>, lr: f64) -> Result<SGD> {
        SGD::with_groups(vec![ParamGroup::new(params)], lr)
    }

    /// Several groups; those without a learning rate of their own take `lr`. One without parameters
    /// is kept and changes nothing, as in PyTorch.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_groups(groups: Vec<ParamGroup>, lr: f64) -> Result<SGD> {
        let groups = Groups::new("SGD", groups, lr, 0.)?;
        let buffers = groups.parameters.iter().map(|_| None).collect();
        Ok(SGD { groups, momentum: 0., dampening: 0., nesterov: false, buffers })
    }

    /// How much of the last step goes into the next one, from 0 to 1.
    ///
    /// # Errors
    /// Another number, or 0 with Nesterov's momentum.
    pub fn momentum(self, momentum: f64) -> Result<SGD> {
        SGD { momentum, ..self }.checked()
    }

    /// The part of a gradient that is left out of the momentum, from 0 to 1.
    ///
    /// # Errors
    /// Another number, or not 0 with Nesterov's momentum.
    pub fn dampening(self, dampening: f64) -> Result<SGD> {
        SGD { dampening, ..self }.checked()
    }

    /// Looks ahead by the momentum, as Nesterov does.
    ///
    /// # Errors
    /// There is no momentum, or a dampening.
    pub fn nesterov(self, nesterov: bool) -> Result<SGD> {
        SGD { nesterov, ..self }.checked()
    }

    /// Adds this part of each parameter to its gradient, from 0 up; in groups that have none of their own.
    ///
    /// # Errors
    /// Another number.
    pub fn weight_decay(mut self, weight_decay: f64) -> Result<SGD> {
        self.groups.set_weight_decay(weight_decay)?;
        Ok(self)
    }

    fn checked(self) -> Result<SGD> {
        let SGD { momentum, dampening, nesterov, .. } = self;
        check_number("SGD", "momentum", momentum, 1., "0.9 is usual; 0 is none")?;
        check_number("SGD", "dampening", dampening, 1., "0 is usual")?;
        if nesterov && (momentum == 0. || dampening != 0.) {
            return Err(Error::invalid(
                "SGD",
                format!("nesterov with momentum {momentum} and dampening {dampening}"),
                "a momentum above 0 and no dampening",
                "set the momentum first: SGD::new(params, lr)?.momentum(0.9)?.nesterov(true)?",
            ));
        }
        Ok(self)
    }
}

impl Optimizer for SGD {
    fn step(&mut self) -> Result<()> {
        let _guard = tch::no_grad_guard();
        let learning = self.groups.learning()?;
        let mut room = Room::of(learning.iter().map(|l| &l.parameter))?;
        let mut steps = vec![];
        for l in learning {
            let mut number = |value| room.number(value, &l.parameter);
            let rate = number(-l.group.lr)?;
            let decay = match l.group.weight_decay {
                0. => None,
                decay => Some(number(decay)?),
            };
            let momentum = match self.momentum {
                0. => None,
                momentum => {
                    let factors = (number(1. - self.dampening)?, number(momentum)?);
                    let buffer = self.buffers.get(l.place).and_then(Option::as_ref);
                    let is_first = buffer.is_none();
                    let buffer = match buffer {
                        None => l.parameter.f_empty_like()?,
                        Some(buffer) => buffer.f_to_device(l.parameter.device())?,
                    };
                    Some((buffer, is_first, factors))
                }
            };
            let way = room.like(&l.parameter)?;
            steps.push((l.place, l.parameter, l.gradient, way, rate, decay, momentum));
        }
        for (place, mut parameter, gradient, way, rate, decay, momentum) in steps {
            let mut change = gradient;
            if let Some(decay) = decay {
                change = change.f_addcmul_out(&way, &parameter, &decay)?;
            }
            if let Some((mut buffer, is_first, (part, factor))) = momentum {
                if is_first {
                    buffer.f_copy_(&change)?;
                } else {
                    let _ = buffer.f_mul_scalar_(self.momentum)?.f_addcmul_(&change, &part)?;
                }
                change = match self.nesterov {
                    true => change.f_addcmul_out(&way, &buffer, &factor)?,
                    false => buffer.shallow_clone(),
                };
                if let Some(place) = self.buffers.get_mut(place) {
                    *place = Some(buffer);
                }
            }
            let _ = parameter.f_addcmul_(&change, &rate)?;
        }
        Ok(())
    }

    fn parameters(&self) -> &[Tensor] {
        &self.groups.parameters
    }

    fn learning_rates(&self) -> Vec<f64> {
        self.groups.rates()
    }

    fn set_learning_rates(&mut self, rates: &[f64]) -> Result<()> {
        self.groups.set_rates(rates)
    }

    fn state_dict(&self) -> Result<OptimizerState> {
        let mut state = self.groups.state();
        let nesterov = if self.nesterov { 1. } else { 0. };
        for (name, number) in
            [("momentum", self.momentum), ("dampening", self.dampening), ("nesterov", nesterov)]
        {
            state.numbers.insert(name.into(), vec![number]);
        }
        let buffers: Vec<_> = self.buffers.iter().map(Option::as_ref).collect();
        state.insert_beside("momentum_buffer", &buffers);
        Ok(state)
    }

    fn load_state_dict(&mut self, state: &OptimizerState) -> Result<()> {
        let groups = self.groups.restored(state)?;
        let buffers = groups.parameters.iter().enumerate();
        let buffers = buffers.map(|(i, parameter)| state.beside(parameter, "momentum_buffer", i));
        let buffers = buffers.collect::<Result<_>>()?;
        let (momentum, dampening) = (state.number("momentum")?, state.number("dampening")?);
        let nesterov = state.number("nesterov")? != 0.;
        *self = SGD { groups, momentum, dampening, nesterov, buffers }.checked()?;
        Ok(())
    }
}

impl fmt::Display for SGD {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let SGD { momentum, dampening, nesterov, .. } = self;
        let between = format!("momentum={momentum}, dampening={dampening}, nesterov={nesterov}");
        self.groups.show(f, &between)
    }
}

crate::jupyter::show_as_text!(SGD);
