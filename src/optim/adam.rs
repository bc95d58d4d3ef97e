//! Adam (d2l: section 12.10, `torch.optim.Adam`).

use std::fmt;

use tch::Tensor;

use super::Optimizer;
use super::optimizer::{check_parameters, forget_gradients};
use crate::{Error, Result};

const BETAS: (f64, f64) = (0.9, 0.999);
const EPS: f64 = 1e-8;

/// Adam with PyTorch's defaults: β 0.9 and 0.999, ε 1e-8, no weight decay.
///
/// What it keeps of each parameter follows it to another device.
///
/// The book: [*Adam*](https://d2l.ai/chapter_optimization/adam.html).
pub struct Adam {
    parameters: Vec<Tensor>,
    /// One for each parameter, from its first step on.
    moments: Vec<Option<Moments>>,
    lr: f64,
}

/// The running means of a gradient and of its square.
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
        if !lr.is_finite() || lr < 0. {
            let found = format!("the learning rate {lr}");
            return Err(Error::invalid("Adam", found, "a number from 0 up", "try 1e-3"));
        }
        if params.is_empty() {
            let todo = "give it net.parameters()";
            return Err(Error::invalid("Adam", "no parameters", "one parameter or more", todo));
        }
        check_parameters("Adam", [&params[..]])?;
        let moments = params.iter().map(|_| None).collect();
        Ok(Adam { parameters: params, moments, lr })
    }
}

impl Optimizer for Adam {
    fn zero_grad(&self) -> Result<()> {
        forget_gradients(&self.parameters)
    }

    fn step(&mut self) -> Result<()> {
        let _guard = tch::no_grad_guard();
        let mut steps = vec![];
        // All memory that stays is taken first: where it does not suffice no parameter has changed.
        for (parameter, moments) in self.parameters.iter().zip(&mut self.moments) {
            let gradient = parameter.f_grad()?;
            if gradient.defined() {
                let moments = Moments::beside(parameter, moments)?;
                steps.push((parameter.shallow_clone(), gradient, moments));
            }
        }
        for (parameter, gradient, moments) in steps {
            moments.step(parameter, &gradient, self.lr)?;
        }
        Ok(())
    }

    fn parameters(&self) -> &[Tensor] {
        &self.parameters
    }
}

impl Moments {
    /// Those of a parameter, new or as they are, on its device.
    fn beside<'a>(parameter: &Tensor, moments: &'a mut Option<Moments>) -> Result<&'a mut Moments> {
        let (steps, mean, square) = match moments.take() {
            None => (0, parameter.f_zeros_like()?, parameter.f_zeros_like()?),
            Some(Moments { steps, mean, square }) => (steps, mean, square),
        };
        let device = parameter.device();
        let (mean, square) = (mean.f_to_device(device)?, square.f_to_device(device)?);
        Ok(moments.insert(Moments { steps, mean, square }))
    }

    fn step(&mut self, mut parameter: Tensor, gradient: &Tensor, lr: f64) -> Result<()> {
        self.steps = self.steps.saturating_add(1);
        let left = |beta: f64| 1. - beta.powi(self.steps);
        let (mean_scale, square_scale) = (left(BETAS.0), left(BETAS.1));
        let _ = self.mean.f_lerp_(gradient, 1. - BETAS.0)?;
        let _ = self.square.f_lerp_(&gradient.f_square()?, 1. - BETAS.1)?;
        let mut root = self.square.f_sqrt()?;
        let _ = root.f_mul_scalar_(1. / square_scale.sqrt())?.f_add_scalar_(EPS)?;
        let _ = parameter.f_addcdiv_(&self.mean.f_mul_scalar(-lr / mean_scale)?, &root)?;
        Ok(())
    }
}

impl fmt::Debug for Adam {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "Adam(learning rate {})", self.lr)
    }
}
