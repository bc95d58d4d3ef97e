//! Adam and AdamW (d2l: section 12.10, `torch.optim.Adam`).

use std::fmt;

use tch::{Device, Tensor};

use super::groups::{Groups, Learning, check_number};
use super::room::Room;
use super::{Optimizer, OptimizerState, ParamGroup};
use crate::{Error, Result};

/// Adam (PyTorch: `torch.optim.Adam`): β 0.9 and 0.999, ε 1e-8 and no weight decay unless others are
/// given.
///
/// What it keeps of each parameter follows it to another device.
///
/// The book: [*Adam*](https://d2l.ai/chapter_optimization/adam.html).
pub struct Adam {
    groups: Groups,
    betas: (f64, f64),
    eps: f64,
    /// Whether weights decay apart from the gradients, as in AdamW.
    decoupled: bool,
    /// One for each parameter, from its first step on.
    moments: Vec<Option<Moments>>,
}

/// The running means of a gradient and of its square.
#[derive(Debug)]
struct Moments {
    steps: i32,
    mean: Tensor,
    square: Tensor,
}

impl Adam {
    /// One group of parameters; PyTorch's own learning rate is 1e-3.
    ///
    /// # Errors
    /// No parameters, one of them twice, or a learning rate that is no number from 0 up.
    pub fn new(params: Vec<Tensor>, lr: f64) -> Result<Adam> {
        Adam::with_groups(vec![ParamGroup::new(params)], lr)
    }

    /// Several groups; those without a learning rate of their own take `lr`. One without parameters
    /// is kept and changes nothing, as in PyTorch.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_groups(groups: Vec<ParamGroup>, lr: f64) -> Result<Adam> {
        Adam::of(Groups::new("Adam", groups, lr, 0.)?, false)
    }

    fn of(groups: Groups, decoupled: bool) -> Result<Adam> {
        let moments = groups.parameters.iter().map(|_| None).collect();
        Ok(Adam { groups, betas: (0.9, 0.999), eps: 1e-8, decoupled, moments })
    }

    /// How much of the running means of gradients and of their squares stays at a step, both from 0 to
    /// below 1.
    ///
    /// # Errors
    /// Other numbers.
    pub fn betas(self, mean: f64, square: f64) -> Result<Adam> {
        Adam { betas: (mean, square), ..self }.checked()
    }

    /// What is added to the root of the mean square, from 0 up.
    ///
    /// # Errors
    /// Another number.
    pub fn eps(self, eps: f64) -> Result<Adam> {
        Adam { eps, ..self }.checked()
    }

    /// Adds this part of each parameter to its gradient, from 0 up; in groups that have none of their own.
    ///
    /// # Errors
    /// Another number.
    pub fn weight_decay(mut self, weight_decay: f64) -> Result<Adam> {
        self.groups.set_weight_decay(weight_decay)?;
        Ok(self)
    }

    fn name(&self) -> &'static str {
        if self.decoupled { "AdamW" } else { "Adam" }
    }

    fn checked(self) -> Result<Adam> {
        let (mean, square) = self.betas;
        if ![mean, square].iter().all(|beta| (0. ..1.).contains(beta)) {
            return Err(Error::invalid(
                self.name(),
                format!("betas ({mean}, {square})"),
                "two numbers from 0 to below 1",
                "(0.9, 0.999) is usual",
            ));
        }
        check_number(self.name(), "eps", self.eps, f64::MAX, "1e-8 is usual")?;
        Ok(self)
    }
}

impl Optimizer for Adam {
    fn step(&mut self) -> Result<()> {
        let _guard = tch::no_grad_guard();
        let learning = self.groups.learning()?;
        let parameters = || learning.iter().map(|l| &l.parameter);
        let (mut room, root_room) = (Room::of(parameters())?, Room::of(parameters())?);
        let adds_decay = |l: &Learning| !self.decoupled && l.group.weight_decay != 0.;
        let decaying = learning.iter().filter(|&l| adds_decay(l)).map(|l| &l.parameter);
        let sum_room = Room::of(decaying)?;
        let mut steps = vec![];
        for l in learning {
            let moments = self.moments.get(l.place).and_then(Option::as_ref);
            let moments = Moments::beside(&l.parameter, moments)?;
            let scratch = [room.like(&l.parameter)?, root_room.like(&l.parameter)?];
            let decay = l.group.weight_decay;
            let added = match adds_decay(&l) {
                true => Some((sum_room.like(&l.parameter)?, room.number(decay, &l.parameter)?)),
                false => None,
            };
            let kept = if self.decoupled { 1. - l.group.lr * decay } else { 1. };
            steps.push((l, moments, scratch, added, kept));
        }
        for (l, mut moments, [way, root], added, kept) in steps {
            moments.steps = moments.steps.saturating_add(1);
            for part in parts(&l.parameter, [&l.gradient, &moments.mean, &moments.square])? {
                let [mut parameter, mut gradient, mean, square] = part;
                let scratch = |memory: &Tensor| beginning(memory, &parameter);
                let (way, root) = (scratch(&way)?, scratch(&root)?);
                let added = match &added {
                    Some((sum, decay)) => Some((scratch(sum)?, decay)),
                    None => None,
                };
                if kept != 1. {
                    let _ = parameter.f_mul_scalar_(kept)?;
                }
                if let Some((sum, decay)) = added {
                    gradient = gradient.f_addcmul_out(&sum, &parameter, decay)?;
                }
                let moments = Moments { steps: moments.steps, mean, square };
                moments.step(
                    &mut parameter,
                    &gradient,
                    l.group.lr,
                    self.betas,
                    self.eps,
                    (way, root),
                )?;
            }
            if let Some(place) = self.moments.get_mut(l.place) {
                *place = Some(moments);
            }
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
        let moments = || self.moments.iter().map(Option::as_ref);
        let steps = moments().map(|m| m.map_or(0., |m| f64::from(m.steps))).collect();
        state.numbers.insert("step".into(), steps);
        state.numbers.insert("betas".into(), vec![self.betas.0, self.betas.1]);
        state.numbers.insert("eps".into(), vec![self.eps]);
        let means: Vec<_> = moments().map(|m| m.map(|m| &m.mean)).collect();
        let squares: Vec<_> = moments().map(|m| m.map(|m| &m.square)).collect();
        state.insert_beside("exp_avg", &means);
        state.insert_beside("exp_avg_sq", &squares);
        Ok(state)
    }

    fn load_state_dict(&mut self, state: &OptimizerState) -> Result<()> {
        let groups = self.groups.restored(state)?;
        let steps = state.several("step", groups.parameters.len())?;
        let mut moments = vec![];
        for (i, (parameter, &steps)) in groups.parameters.iter().zip(steps).enumerate() {
            let mean = state.beside(parameter, "exp_avg", i)?;
            moments.push(match (mean, state.beside(parameter, "exp_avg_sq", i)?) {
                (Some(mean), Some(square)) if steps >= 1. && steps <= f64::from(i32::MAX) => {
                    Some(Moments { steps: steps as i32, mean, square })
                }
                (None, None) if steps == 0. => None,
                _ => return Err(state.unfit(format!("steps and both means of parameter {i}"))),
            });
        }
        let betas = state.several("betas", 2)?;
        let betas = (betas.iter().take(1).sum(), betas.iter().skip(1).sum());
        let (eps, decoupled) = (state.number("eps")?, self.decoupled);
        *self = Adam { groups, betas, eps, decoupled, moments }.checked()?;
        Ok(())
    }
}

impl Moments {
    /// Those of a parameter, new or as they are, on its device.
    fn beside(parameter: &Tensor, moments: Option<&Moments>) -> Result<Moments> {
        let Some(Moments { steps, mean, square }) = moments else {
            let (mean, square) = (parameter.f_zeros_like()?, parameter.f_zeros_like()?);
            return Ok(Moments { steps: 0, mean, square });
        };
        let device = parameter.device();
        let (mean, square) = (mean.f_to_device(device)?, square.f_to_device(device)?);
        Ok(Moments { steps: *steps, mean, square })
    }

    /// Changes a parameter, or a part of one whose moments these are.
    fn step(
        mut self,
        parameter: &mut Tensor,
        gradient: &Tensor,
        lr: f64,
        betas: (f64, f64),
        eps: f64,
        (way, root): (Tensor, Tensor),
    ) -> Result<()> {
        let left = |beta: f64| 1. - beta.powi(self.steps);
        let (mean_scale, square_scale) = (left(betas.0), left(betas.1));
        let _ = self.mean.f_lerp_(gradient, 1. - betas.0)?;
        let _ = self.square.f_lerp_(&gradient.f_square_out(&way)?, 1. - betas.1)?;
        let mut root = self.square.f_sqrt_out(&root)?;
        let _ = root.f_mul_scalar_(1. / square_scale.sqrt())?.f_add_scalar_(eps)?;
        let change = self.mean.f_mul_scalar_out(&way, -lr / mean_scale)?;
        let _ = parameter.f_addcdiv_(&change, &root)?;
        Ok(())
    }
}

/// As many numbers of each of these tensors stay in a processor's cache from one operator to the next.
const PART: i64 = 1 << 18;

/// A parameter and what belongs to it, part by part, where all of them lie in one piece on the CPU; else
/// as they are.
fn parts(parameter: &Tensor, others: [&Tensor; 3]) -> Result<Vec<[Tensor; 4]>> {
    let [a, b, c] = others;
    let count = parameter.numel() as i64;
    let is_flat = |tensor: &Tensor| tensor.is_contiguous() && tensor.device() == Device::Cpu;
    if count <= PART || ![parameter, a, b, c].into_iter().all(is_flat) {
        return Ok(vec![[parameter, a, b, c].map(Tensor::shallow_clone)]);
    }
    let part = |tensor: &Tensor, start: i64| -> Result<Tensor> {
        Ok(tensor.f_view(-1)?.f_narrow(0, start, PART.min(count - start))?)
    };
    let starts = (0..count).step_by(PART as usize);
    starts.map(|i| Ok([part(parameter, i)?, part(a, i)?, part(b, i)?, part(c, i)?])).collect()
}

/// So much of a parameter's scratch memory as a part of it needs.
fn beginning(memory: &Tensor, part: &Tensor) -> Result<Tensor> {
    if memory.size() == part.size() {
        return Ok(memory.shallow_clone());
    }
    Ok(memory.f_view(-1)?.f_narrow(0, 0, part.numel() as i64)?)
}

impl fmt::Display for Adam {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let between = format!("betas=({}, {}), eps={:e}", self.betas.0, self.betas.1, self.eps);
        self.groups.show(f, &between)
    }
}

crate::jupyter::show_as_text!(Adam);

/// Adam whose weights decay apart from the gradients (PyTorch: `torch.optim.AdamW`), by 0.01 unless
/// another number is given.
///
/// What it keeps of each parameter follows it to another device.
///
/// The book: [*Adam*](https://d2l.ai/chapter_optimization/adam.html).
pub struct AdamW(Adam);

impl AdamW {
    /// One group of parameters; PyTorch's own learning rate is 1e-3.
    ///
    /// # Errors
    /// No parameters, one of them twice, or a learning rate that is no number from 0 up.
    pub fn new(params: Vec<Tensor>, lr: f64) -> Result<AdamW> {
        AdamW::with_groups(vec![ParamGroup::new(params)], lr)
    }

    /// Several groups; those without a learning rate of their own take `lr`. One without parameters
    /// is kept and changes nothing, as in PyTorch.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_groups(groups: Vec<ParamGroup>, lr: f64) -> Result<AdamW> {
        Ok(AdamW(Adam::of(Groups::new("AdamW", groups, lr, 0.01)?, true)?))
    }

    /// As [`Adam::betas`].
    ///
    /// # Errors
    /// As there.
    pub fn betas(self, mean: f64, square: f64) -> Result<AdamW> {
        self.0.betas(mean, square).map(AdamW)
    }

    /// As [`Adam::eps`].
    ///
    /// # Errors
    /// As there.
    pub fn eps(self, eps: f64) -> Result<AdamW> {
        self.0.eps(eps).map(AdamW)
    }

    /// Takes this part of each parameter away at a step, times the learning rate; from 0 up, in groups
    /// that have none of their own.
    ///
    /// # Errors
    /// Another number.
    pub fn weight_decay(self, weight_decay: f64) -> Result<AdamW> {
        self.0.weight_decay(weight_decay).map(AdamW)
    }
}

impl Optimizer for AdamW {
    fn step(&mut self) -> Result<()> {
        self.0.step()
    }

    fn parameters(&self) -> &[Tensor] {
        self.0.parameters()
    }

    fn learning_rates(&self) -> Vec<f64> {
        self.0.learning_rates()
    }

    fn set_learning_rates(&mut self, rates: &[f64]) -> Result<()> {
        self.0.set_learning_rates(rates)
    }

    fn state_dict(&self) -> Result<OptimizerState> {
        self.0.state_dict()
    }

    fn load_state_dict(&mut self, state: &OptimizerState) -> Result<()> {
        self.0.load_state_dict(state)
    }
}

impl fmt::Display for AdamW {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        self.0.fmt(f)
    }
}

crate::jupyter::show_as_text!(AdamW);
