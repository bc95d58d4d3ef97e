//! Parameters in groups, each with its learning rate and weight decay (d2l: section 14.2.2,
//! `torch.optim`: `param_groups`).

use std::collections::HashMap;
use std::fmt;

use tch::Tensor;

use super::OptimizerState;
use crate::nn::memory;
use crate::{Error, Result};

/// Parameters that share a learning rate and a weight decay.
///
/// The book: [*Fine-Tuning*](https://d2l.ai/chapter_computer-vision/fine-tuning.html).
#[derive(Debug)]
pub struct ParamGroup {
    params: Vec<Tensor>,
    lr: Option<f64>,
    weight_decay: Option<f64>,
}

impl ParamGroup {
    /// Parameters with the optimizer's learning rate and weight decay.
    pub fn new(params: Vec<Tensor>) -> ParamGroup {
        ParamGroup { params, lr: None, weight_decay: None }
    }

    /// Gives the group a learning rate of its own, from 0 up.
    pub fn lr(self, lr: f64) -> ParamGroup {
        ParamGroup { lr: Some(lr), ..self }
    }

    /// Gives the group a weight decay of its own, from 0 up.
    pub fn weight_decay(self, weight_decay: f64) -> ParamGroup {
        ParamGroup { weight_decay: Some(weight_decay), ..self }
    }
}

/// A group without its parameters.
#[derive(Clone)]
pub(super) struct Group {
    pub lr: f64,
    /// `None`: the optimizer's.
    own_decay: Option<f64>,
    pub weight_decay: f64,
}

/// The parameters of an optimizer.
pub(super) struct Groups {
    optimizer: &'static str,
    pub parameters: Vec<Tensor>,
    /// The group of each of them.
    of: Vec<usize>,
    groups: Vec<Group>,
}

/// A parameter that has a gradient.
pub(super) struct Learning<'a> {
    /// Its place among all parameters.
    pub place: usize,
    pub parameter: Tensor,
    pub gradient: Tensor,
    pub group: &'a Group,
}

impl Groups {
    pub(super) fn new(
        optimizer: &'static str,
        groups: Vec<ParamGroup>,
        lr: f64,
        weight_decay: f64,
    ) -> Result<Groups> {
        if groups.iter().all(|group| group.params.is_empty()) {
            let todo = "give it net.parameters()";
            return Err(Error::invalid(optimizer, "no parameters", "one parameter or more", todo));
        }
        check_parameters(optimizer, groups.iter().map(|group| &group.params[..]))?;
        let mut made = Groups { optimizer, parameters: vec![], of: vec![], groups: vec![] };
        for (i, ParamGroup { params, lr: own_lr, weight_decay: own_decay }) in
            groups.into_iter().enumerate()
        {
            made.of.extend(params.iter().map(|_| i));
            made.parameters.extend(params);
            let (lr, weight_decay) = (own_lr.unwrap_or(lr), own_decay.unwrap_or(weight_decay));
            made.groups.push(Group { lr, own_decay, weight_decay });
        }
        made.check_rates(&made.rates())?;
        made.check_decays()?;
        Ok(made)
    }

    /// The parameters that a step changes: those that have a gradient, as in PyTorch.
    pub(super) fn learning(&self) -> Result<Vec<Learning<'_>>> {
        let mut learning = vec![];
        for (place, (parameter, &group)) in self.parameters.iter().zip(&self.of).enumerate() {
            let gradient = parameter.f_grad()?;
            if let (true, Some(group)) = (gradient.defined(), self.groups.get(group)) {
                let parameter = parameter.shallow_clone();
                learning.push(Learning { place, parameter, gradient, group });
            }
        }
        Ok(learning)
    }

    pub(super) fn rates(&self) -> Vec<f64> {
        self.groups.iter().map(|group| group.lr).collect()
    }

    pub(super) fn set_rates(&mut self, rates: &[f64]) -> Result<()> {
        self.check_rates(rates)?;
        for (group, &rate) in self.groups.iter_mut().zip(rates) {
            group.lr = rate;
        }
        Ok(())
    }

    /// The weight decay of the groups that have none of their own.
    pub(super) fn set_weight_decay(&mut self, weight_decay: f64) -> Result<()> {
        for group in &mut self.groups {
            group.weight_decay = group.own_decay.unwrap_or(weight_decay);
        }
        // All groups may have one of their own.
        check_number(self.optimizer, "weight decay", weight_decay, f64::MAX, USUAL_DECAY)?;
        self.check_decays()
    }

    fn check_rates(&self, rates: &[f64]) -> Result<()> {
        let (found, expected) = (rates.len(), self.groups.len());
        if found != expected {
            return Err(Error::invalid(
                self.optimizer,
                format!("{found} learning rates"),
                format!("{expected}, one for each group of parameters"),
                "trainer.learning_rates() shows those that it has; set_learning_rate(lr) is for all groups",
            ));
        }
        let usual = "1e-3 is usual for Adam, the lesson's are 5e-5 and 5e-4";
        self.check_each("learning rate", rates, usual)
    }

    fn check_decays(&self) -> Result<()> {
        let decays: Vec<f64> = self.groups.iter().map(|group| group.weight_decay).collect();
        self.check_each("weight decay", &decays, USUAL_DECAY)
    }

    fn check_each(&self, what: &str, numbers: &[f64], todo: &str) -> Result<()> {
        for (i, &number) in numbers.iter().enumerate() {
            let what = match numbers.len() {
                1 => what.to_string(),
                _ => format!("group {i} (from 0), {what}"),
            };
            check_number(self.optimizer, &what, number, f64::MAX, todo)?;
        }
        Ok(())
    }

    /// What a checkpoint keeps of the groups.
    pub(super) fn state(&self) -> OptimizerState {
        let decays = self.groups.iter().map(|group| group.weight_decay).collect();
        let sizes = (0..self.groups.len()).map(|i| self.of.iter().filter(|&&of| of == i).count());
        let mut state = OptimizerState { name: self.optimizer.into(), ..OptimizerState::default() };
        state.numbers.insert("lr".into(), self.rates());
        state.numbers.insert("weight_decay".into(), decays);
        state.numbers.insert("params".into(), sizes.map(|size| size as f64).collect());
        state
    }

    /// The groups with the rates and decays of a state, if it is one of such groups.
    pub(super) fn restored(&self, state: &OptimizerState) -> Result<Groups> {
        let own = self.state();
        if state.name != own.name {
            return Err(state.unfit(format!("one of {}", own.name)));
        }
        let count = self.groups.len();
        let sizes = own.several("params", count)?;
        // Files of earlier editions do not say how many parameters a group has.
        let found = state.numbers.get("params").map_or(sizes, Vec::as_slice);
        if found != sizes {
            return Err(Error::invalid(
                self.optimizer,
                format!("a state of groups with {} parameters", listed(found)),
                format!("groups with {}", listed(sizes)),
                "make the optimizer with the groups that it was saved with",
            ));
        }
        let pairs = state.several("lr", count)?.iter().zip(state.several("weight_decay", count)?);
        let groups = pairs.map(|(&lr, &weight_decay)| {
            let own_decay = Some(weight_decay);
            Group { lr, own_decay, weight_decay }
        });
        let restored = Groups {
            optimizer: self.optimizer,
            parameters: self.parameters.iter().map(Tensor::shallow_clone).collect(),
            of: self.of.clone(),
            groups: groups.collect(),
        };
        restored.check_rates(&restored.rates())?;
        restored.check_decays()?;
        Ok(restored)
    }

    /// `lr=0.1, …, weight_decay=0`, with lists where there are several groups.
    pub(super) fn show(&self, f: &mut fmt::Formatter, between: &str) -> fmt::Result {
        let decays: Vec<f64> = self.groups.iter().map(|group| group.weight_decay).collect();
        let several = self.groups.len() > 1;
        let shown = |numbers: &[f64]| match several {
            true => listed(numbers),
            false => numbers.iter().sum::<f64>().to_string(),
        };
        let (rates, decays) = (shown(&self.rates()), shown(&decays));
        write!(f, "{}(lr={rates}, {between}, weight_decay={decays})", self.optimizer)
    }
}

fn listed(numbers: &[f64]) -> String {
    let numbers: Vec<String> = numbers.iter().map(f64::to_string).collect();
    format!("[{}]", numbers.join(", "))
}

const USUAL_DECAY: &str = "1e-3 is the lesson's; 0 is none";

/// An error for a number that is not from 0 to `most`.
pub(super) fn check_number(
    optimizer: &str,
    what: &str,
    number: f64,
    most: f64,
    todo: &str,
) -> Result<()> {
    if (0. ..=most).contains(&number) {
        return Ok(());
    }
    let expected = match most {
        f64::MAX => "a number from 0 up".to_string(),
        _ => format!("a number from 0 to {most}"),
    };
    Err(Error::invalid(optimizer, format!("{what} {number}"), expected, todo))
}

/// An error for parameters that an optimizer cannot take, as in `torch.optim`.
///
/// Parameters are compared by where their values lie. So a view of the beginning of one is refused,
/// too, where `torch.optim` would let it be changed twice.
fn check_parameters<'a>(
    optimizer: &str,
    groups: impl IntoIterator<Item = &'a [Tensor]>,
) -> Result<()> {
    let mut places = HashMap::new();
    for (i, group) in groups.into_iter().enumerate() {
        for (k, parameter) in group.iter().enumerate() {
            let refused = |what: &str, expected: &str, todo: &str| {
                let found = format!("parameter {k} of group {i} (both from 0){what}");
                Err(Error::invalid(optimizer, found, expected, todo))
            };
            if !parameter.defined() {
                return refused(" is no tensor", "tensors", "give it net.parameters()");
            }
            let shape = parameter.size();
            if parameter.requires_grad() && !parameter.is_leaf() {
                return refused(
                    &format!(", of shape {shape:?}, was computed from others"),
                    "parameters themselves: what is computed from them has no gradient of its own",
                    "give it net.parameters(), without taking parts of them",
                );
            }
            if let Some((first, other)) =
                memory(parameter).and_then(|place| places.insert(place, (i, k)))
            {
                return refused(
                    &format!(
                        ", of shape {shape:?}, is there before: parameter {other} of group {first}"
                    ),
                    "each parameter once, or a step would change it twice",
                    "leave it out of one of the two: the lesson has net.features.parameters() in one \
                     group and net.fc.parameters() in the other",
                );
            }
        }
    }
    Ok(())
}
