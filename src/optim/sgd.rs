//! Stochastic gradient descent with groups of parameters (d2l: section 12.4, `torch.optim.SGD`).

use std::fmt;

use serde_json::{Value, json};
use tch::{COptimizer, Tensor};

use super::Optimizer;
use super::optimizer::check_parameters;
use crate::{Error, Result};

/// Parameters that share a learning rate.
///
/// The book: [*Fine-Tuning*](https://d2l.ai/chapter_computer-vision/fine-tuning.html).
#[derive(Debug)]
pub struct ParamGroup {
    params: Vec<Tensor>,
    lr: Option<f64>,
}

impl ParamGroup {
    /// Parameters with the optimizer's learning rate.
    pub fn new(params: Vec<Tensor>) -> ParamGroup {
        ParamGroup { params, lr: None }
    }

    /// Gives the group a learning rate of its own.
    pub fn lr(self, lr: f64) -> ParamGroup {
        ParamGroup { lr: Some(lr), ..self }
    }
}

/// libtorch's own SGD, without momentum (PyTorch: `torch.optim.SGD`).
///
/// The book: [*Stochastic Gradient Descent*](https://d2l.ai/chapter_optimization/sgd.html).
pub struct SGD {
    optimizer: COptimizer,
    parameters: Vec<Tensor>,
    /// The groups that libtorch has: up to the last with parameters.
    groups: usize,
    rates: Vec<f64>,
    weight_decay: f64,
}

impl SGD {
    /// One group of parameters. Frozen ones may be among them: they stay as they are.
    ///
    /// # Errors
    /// No parameters, one of them twice, or a learning rate or weight decay that is no number from 0
    /// up.
    pub fn new(params: Vec<Tensor>, lr: f64, weight_decay: f64) -> Result<SGD> {
        SGD::with_groups(vec![ParamGroup::new(params)], lr, weight_decay)
    }

    /// Several groups; those without a learning rate of their own take `lr`. One without parameters
    /// is kept and changes nothing, as in PyTorch.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_groups(groups: Vec<ParamGroup>, lr: f64, weight_decay: f64) -> Result<SGD> {
        let rates: Vec<f64> = groups.iter().map(|group| group.lr.unwrap_or(lr)).collect();
        if !valid(&rates, weight_decay) {
            return Err(Error::invalid(
                "SGD",
                format!("learning rates {rates:?}, weight decay {weight_decay}"),
                "numbers from 0 up",
                "the lesson's are 5e-5 and 1e-3",
            ));
        }
        if groups.iter().all(|group| group.params.is_empty()) {
            let todo = "give it net.parameters()";
            return Err(Error::invalid("SGD", "no parameters", "one parameter or more", todo));
        }
        check_parameters("SGD", groups.iter().map(|group| &group.params[..]))?;
        let mut optimizer = COptimizer::sgd(lr, 0., 0., weight_decay, false)?;
        let (mut parameters, mut made) = (vec![], 0);
        for (i, group) in groups.into_iter().enumerate() {
            for tensor in group.params {
                optimizer.add_parameters(&tensor, i)?;
                parameters.push(tensor);
                made = i + 1;
            }
        }
        let mut trainer = SGD { optimizer, parameters, groups: made, rates: vec![], weight_decay };
        trainer.set_state((rates, weight_decay))?;
        Ok(trainer)
    }
}

impl Optimizer for SGD {
    fn zero_grad(&self) -> Result<()> {
        Ok(self.optimizer.zero_grad()?)
    }

    fn step(&mut self) -> Result<()> {
        Ok(self.optimizer.step()?)
    }

    fn parameters(&self) -> &[Tensor] {
        &self.parameters
    }
}

fn valid(rates: &[f64], weight_decay: f64) -> bool {
    rates.iter().chain([&weight_decay]).all(|x| x.is_finite() && *x >= 0.)
}

/// What a checkpoint keeps: each group's learning rate, and the weight decay.
pub(super) type State = (Vec<f64>, f64);

impl SGD {
    pub(super) fn state(&self) -> Value {
        json!({ "learning_rates": self.rates, "weight_decay": self.weight_decay })
    }

    /// The state that `state` wrote, if it is one for these groups; else what was found and what was
    /// expected.
    pub(super) fn checked(&self, state: &Value) -> Result<State, (String, String)> {
        let rates = state["learning_rates"].as_array().into_iter().flatten();
        let rates: Option<Vec<f64>> = rates.map(Value::as_f64).collect();
        match (rates, state["weight_decay"].as_f64()) {
            (Some(rates), Some(decay)) if !valid(&rates, decay) => {
                Err((format!("an optimizer with {state}"), "numbers from 0 up".to_string()))
            }
            (Some(rates), Some(decay)) if rates.len() == self.rates.len() => Ok((rates, decay)),
            _ => Err((
                format!("an optimizer with {state}"),
                format!("one with as many groups of parameters as this one: {}", self.rates.len()),
            )),
        }
    }

    pub(super) fn set_state(&mut self, (rates, weight_decay): State) -> Result<()> {
        for (i, &rate) in rates.iter().enumerate().take(self.groups) {
            self.optimizer.set_learning_rate_group(i, rate)?;
            self.optimizer.set_weight_decay_group(i, weight_decay)?;
        }
        (self.rates, self.weight_decay) = (rates, weight_decay);
        Ok(())
    }
}

impl fmt::Debug for SGD {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "SGD(learning rates {:?}, weight decay {})", self.rates, self.weight_decay)
    }
}
