//! Optimizers, schedules, gradient clipping and checkpoints against PyTorch's (tests/reference/optim.py).

use std::path::Path;

use d2l::optim::{OptimizerState, SchedulerState};
use d2l::prelude::*;
use d2l::tch::{COptimizer, no_grad_guard};

use crate::common::report::{Comparison, refused};
use crate::common::{self, difference, fill, noise, reference};

fn parameters() -> Vec<Tensor> {
    let sizes: [&[i64]; 3] = [&[3, 4], &[5], &[2, 3]];
    let all = sizes.into_iter().zip(1..).map(|(size, key)| {
        let count = size.iter().product::<i64>() as usize;
        Tensor::from_slice(&noise(count, key)).view(size).set_requires_grad(true)
    });
    all.collect()
}

/// As `backward` in optim.py.
fn backward(parameters: &[Tensor], step: u64) {
    for (i, parameter) in parameters.iter().take(2).enumerate() {
        if i == 0 || step % 3 != 1 {
            let factors = noise(parameter.numel(), 100 + 10 * step + i as u64);
            let factors = Tensor::from_slice(&factors).view_as(parameter);
            (parameter * &factors * 4. + &factors).tanh().sum(Kind::Float).backward();
        }
    }
}

fn values(parameters: &[Tensor]) -> Tensor {
    let flat: Vec<Tensor> = parameters.iter().map(|p| p.detach().flatten(0, -1)).collect();
    Tensor::cat(&flat, 0)
}

/// The first parameter with the optimizer's rate and decay, the others with their own.
fn two_groups(parameters: &[Tensor]) -> Vec<ParamGroup> {
    let handles = |some: &[Tensor]| some.iter().map(Tensor::shallow_clone).collect();
    let (first, rest) = parameters.split_at(1);
    vec![ParamGroup::new(handles(first)), ParamGroup::new(handles(rest)).lr(0.2).weight_decay(0.07)]
}

fn optimizer(name: &str, groups: Vec<ParamGroup>, lr: f64) -> Result<Box<dyn Optimizer>> {
    let sgd = |groups| SGD::with_groups(groups, lr);
    Ok(match name {
        "sgd" => Box::new(sgd(groups)?),
        "sgd_decay" => Box::new(sgd(groups)?.weight_decay(0.03)?),
        "sgd_momentum" => Box::new(sgd(groups)?.momentum(0.9)?),
        "sgd_dampening" => {
            Box::new(sgd(groups)?.momentum(0.8)?.dampening(0.3)?.weight_decay(0.03)?)
        }
        "sgd_nesterov" => Box::new(sgd(groups)?.momentum(0.9)?.nesterov(true)?.weight_decay(0.03)?),
        "adam" => Box::new(Adam::with_groups(groups, lr)?),
        "adam_betas" => Box::new(Adam::with_groups(groups, lr)?.betas(0.7, 0.95)?.eps(1e-3)?),
        "adam_decay" => Box::new(Adam::with_groups(groups, lr)?.weight_decay(0.1)?),
        "adamw" => Box::new(AdamW::with_groups(groups, lr)?),
        _ => Box::new(AdamW::with_groups(groups, lr)?.weight_decay(0.3)?.betas(0.8, 0.99)?),
    })
}

const NAMES: [&str; 10] = [
    "sgd",
    "sgd_decay",
    "sgd_momentum",
    "sgd_dampening",
    "sgd_nesterov",
    "adam",
    "adam_betas",
    "adam_decay",
    "adamw",
    "adamw_decay",
];

#[test]
fn optimizers_step_as_pytorchs() {
    let mut off = Comparison::new(
        "twenty steps of `SGD`, `Adam` and `AdamW` with their options and two groups, one parameter \
         without a gradient in some steps and one frozen, against PyTorch's",
        "of the largest",
        1e-6,
    );
    let reference = reference("optim");
    for name in NAMES {
        let parameters = parameters();
        let _ = parameters[2].set_requires_grad(false);
        let mut trainer = optimizer(name, two_groups(&parameters), 0.05).unwrap();
        for step in 0..20 {
            trainer.zero_grad().unwrap();
            backward(&parameters, step);
            trainer.step().unwrap();
            let theirs = reference[name].get(step as i64);
            let scale = theirs.abs().max().double_value(&[]);
            off.add(
                &format!("{name}, step {step}"),
                difference(&values(&parameters), &theirs) / scale,
            );
        }
    }
}

/// Of sizes that processors handle in lanes, and with a rest.
fn odd_parameters() -> Vec<Tensor> {
    let sizes = [1, 7, 64, 1003];
    let all = sizes
        .map(|count| Tensor::from_slice(&noise(count as usize, count)).set_requires_grad(true));
    all.into()
}

/// Gradients alike for parameters alike.
fn learn(parameters: &[Tensor], step: u64) {
    for parameter in parameters {
        let factors = Tensor::from_slice(&noise(parameter.numel(), 77 + step));
        (parameter * &factors * 3. + factors).sin().sum(Kind::Float).backward();
    }
}

/// The lessons' numbers come from libtorch's own SGD.
#[test]
fn sgd_steps_as_libtorchs_to_the_bit() {
    for (momentum, dampening, decay, nesterov) in [
        (0., 0., 0., false),
        (0., 0., 0.001, false),
        (0.9, 0., 0., false),
        (0.9, 0.2, 0.01, false),
        (0.8, 0., 0.01, true),
    ] {
        let (ours, theirs) = (odd_parameters(), odd_parameters());
        let mut own = COptimizer::sgd(0.03, momentum, dampening, decay, nesterov).unwrap();
        theirs.iter().for_each(|p| own.add_parameters(p, 0).unwrap());
        let handles = ours.iter().map(Tensor::shallow_clone).collect();
        let trainer = SGD::new(handles, 0.03).unwrap().momentum(momentum).unwrap();
        let trainer = trainer.dampening(dampening).unwrap().weight_decay(decay).unwrap();
        let mut trainer = trainer.nesterov(nesterov).unwrap();
        for step in 0..10 {
            trainer.zero_grad().unwrap();
            own.zero_grad().unwrap();
            learn(&ours, step);
            learn(&theirs, step);
            trainer.step().unwrap();
            own.step().unwrap();
            assert_eq!(difference(&values(&ours), &values(&theirs)), 0., "{trainer}, step {step}");
        }
    }
}

/// The lessons' numbers come from these operations, in this order.
#[test]
fn adam_steps_as_before_to_the_bit() {
    let (ours, theirs) = (odd_parameters(), odd_parameters());
    let zeros = || theirs.iter().map(Tensor::zeros_like).collect::<Vec<_>>();
    let (mut means, mut squares) = (zeros(), zeros());
    let mut trainer = Adam::new(ours.iter().map(Tensor::shallow_clone).collect(), 0.01).unwrap();
    for step in 1..=10 {
        trainer.zero_grad().unwrap();
        learn(&ours, step);
        trainer.step().unwrap();
        theirs.iter().for_each(|p| p.shallow_clone().zero_grad());
        learn(&theirs, step);
        let _guard = no_grad_guard();
        for ((p, mean), square) in theirs.iter().zip(&mut means).zip(&mut squares) {
            let left = |beta: f64| 1. - beta.powi(step as i32);
            let _ = mean.lerp_(&p.grad(), 1. - 0.9);
            let _ = square.lerp_(&p.grad().square(), 1. - 0.999);
            let mut root = square.sqrt();
            let _ =
                root.f_mul_scalar_(1. / left(0.999).sqrt()).unwrap().f_add_scalar_(1e-8).unwrap();
            let change = &*mean * (-0.01 / left(0.9));
            let _ = p.shallow_clone().addcdiv_(&change, &root);
        }
        assert_eq!(difference(&values(&ours), &values(&theirs)), 0., "step {step}");
    }
}

fn schedule(name: &str) -> Result<Box<dyn LRScheduler>> {
    Ok(match name {
        "step" => Box::new(StepLR::new(7, 0.3)?),
        "cosine" => Box::new(CosineAnnealingLR::new(30)?.eta_min(0.01)?),
        "cosine_again" => Box::new(CosineAnnealingLR::new(8)?),
        "linear" => Box::new(LinearLR::new(5)?),
        "linear_to" => Box::new(LinearLR::new(8)?.start_factor(0.1)?.end_factor(0.9)?),
        "lambda" => Box::new(LambdaLR::new(|epoch| (epoch as f64 + 1.).powf(-0.5))),
        _ => {
            let warm_up = LinearLR::new(5)?.start_factor(0.2)?;
            Box::new(SequentialLR::new(warm_up, 5, CosineAnnealingLR::new(25)?)?)
        }
    })
}

/// An optimizer with the learning rates 0.1 and 0.5.
fn of_two_rates() -> SGD {
    let handles = parameters();
    let (first, rest) = (handles[0].shallow_clone(), handles[1].shallow_clone());
    SGD::with_groups(vec![ParamGroup::new(vec![first]), ParamGroup::new(vec![rest]).lr(0.5)], 0.1)
        .unwrap()
}

#[test]
fn schedules_go_as_pytorchs() {
    let mut off = Comparison::new(
        "thirty epochs of each schedule with two groups, against PyTorch's",
        "of the largest",
        1e-12,
    );
    let reference = reference("optim");
    for name in ["step", "cosine", "cosine_again", "linear", "linear_to", "lambda", "warm_up"] {
        let mut trainer = of_two_rates();
        let mut schedule = schedule(name).unwrap();
        schedule.start(&mut trainer).unwrap();
        let mut rates = vec![];
        for epoch in 0..30 {
            assert_eq!(schedule.last_epoch(), epoch);
            rates.extend(trainer.learning_rates());
            schedule.step(&mut trainer).unwrap();
        }
        let theirs = &reference[&format!("schedule/{name}")];
        let ours = Tensor::from_slice(&rates).view_as(theirs);
        off.add(name, difference(&ours, theirs) / theirs.max().double_value(&[]));
    }
}

/// Those that begin with the optimizer's own rates need no start, and a start in the middle is none.
#[test]
fn a_schedule_is_started_where_it_must_be() {
    let mut trainer = of_two_rates();
    for name in ["step", "cosine", "cosine_again", "lambda"] {
        schedule(name).unwrap().step(&mut trainer).unwrap();
        trainer.set_learning_rates(&[0.1, 0.5]).unwrap();
    }
    for name in ["linear", "warm_up"] {
        let mut schedule = schedule(name).unwrap();
        let error = schedule.step(&mut trainer).unwrap_err();
        refused("a warm-up that was not started", "schedule.start(&mut trainer)?", &error);
        assert_eq!(trainer.learning_rates(), [0.1, 0.5]);
        schedule.start(&mut trainer).unwrap();
        schedule.step(&mut trainer).unwrap();
        let rates = trainer.learning_rates();
        schedule.start(&mut trainer).unwrap();
        assert_eq!((trainer.learning_rates(), schedule.last_epoch()), (rates, 1));
        trainer.set_learning_rates(&[0.1, 0.5]).unwrap();
    }
}

#[test]
fn gradients_are_clipped_as_pytorchs() {
    let mut off = Comparison::new(
        "`clip_grad_norm_` and `clip_grad_value_`: gradients and their norm, against PyTorch's",
        "of the largest",
        1e-6,
    );
    let reference = reference("optim");
    for name in ["norm", "norm_large", "value"] {
        let parameters = parameters();
        backward(&parameters, 0);
        let total = match name {
            "norm" => Some(clip_grad_norm_(&parameters, 0.7).unwrap()),
            "norm_large" => Some(clip_grad_norm_(&parameters, 70.).unwrap()),
            _ => {
                clip_grad_value_(&parameters, 0.25).unwrap();
                None
            }
        };
        let gradients: Vec<Tensor> = parameters.iter().take(2).map(Tensor::grad).collect();
        let theirs = &reference[&format!("clip/{name}")];
        let scale = theirs.abs().max().double_value(&[]);
        off.add(name, difference(&values(&gradients), theirs) / scale);
        if let Some(total) = total {
            let theirs = reference[&format!("clip/{name}/total")].double_value(&[]);
            off.add(&format!("{name}, total"), (total - theirs).abs() / theirs);
        }
    }
}

/// Nothing is clipped where a gradient is not finite, not even the others; without gradients there is
/// nothing to do.
#[test]
fn gradients_that_are_not_finite_are_not_clipped() {
    let parameters = parameters();
    assert_eq!(clip_grad_norm_(&parameters, 1.).unwrap(), 0.);
    clip_grad_value_(&parameters, 1.).unwrap();
    for bad in [f64::NAN, f64::INFINITY] {
        backward(&parameters, 0);
        let _ = parameters[1].grad().get(0).fill_(bad);
        let before = parameters[0].grad().copy();
        let error = clip_grad_norm_(&parameters, 0.1).unwrap_err();
        refused("gradients that are not finite, in `clip_grad_norm_`", "total norm", &error);
        let error = clip_grad_value_(&parameters, 0.1).unwrap_err();
        refused("gradients that are not finite, in `clip_grad_value_`", "shape [5]", &error);
        assert_eq!(difference(&before, &parameters[0].grad()), 0.);
    }
    for bound in [0., -1., f64::NAN] {
        let error = clip_grad_norm_(&parameters, bound).unwrap_err();
        refused("a bound of gradients that is none", "max_norm", &error);
        clip_grad_value_(&parameters, bound).unwrap_err();
    }
}

/// A small network, its optimizer, and a loader with augmentation by chance.
struct Run {
    net: Linear,
    trainer: Box<dyn Optimizer>,
    schedule: Option<Box<dyn LRScheduler>>,
    train_iter: DataLoader,
}

impl Run {
    fn new(name: &str, schedule_name: &str, folder: &Path) -> Run {
        let net = linear(3 * 8 * 8, 2).unwrap();
        fill(&net);
        let groups = vec![
            ParamGroup::new(vec![net.weight.shallow_clone()]),
            ParamGroup::new(vec![net.bias.as_ref().unwrap().shallow_clone()]).lr(0.013),
        ];
        let trainer = optimizer(name, groups, 0.0071).unwrap();
        let augs = compose![
            Resize::new([8, 8]).unwrap(),
            RandomHorizontalFlip::new(0.5).unwrap(),
            ToTensor
        ];
        let images = ImageFolder::with_transform(folder.join("train"), &augs).unwrap();
        let train_iter = DataLoader::new(images, 5).unwrap().shuffle(true);
        let schedule = (schedule_name != "none").then(|| schedule(schedule_name).unwrap());
        Run { net, trainer, schedule, train_iter }
    }

    fn epochs(&mut self, epochs: std::ops::Range<usize>) {
        let loss = CrossEntropyLoss::new(Reduction::None);
        if let Some(schedule) = &mut self.schedule {
            schedule.start(&mut *self.trainer).unwrap();
        }
        for epoch in epochs {
            self.train_iter.set_epoch(epoch as u64);
            for batch in self.train_iter.iter() {
                let (x, y) = batch.unwrap();
                let x = x.flatten(1, -1);
                let scores = self.net.forward(&x).unwrap();
                self.trainer.zero_grad().unwrap();
                loss.forward(&scores, &y).unwrap().sum(Kind::Float).backward();
                self.trainer.step().unwrap();
            }
            if let Some(schedule) = &mut self.schedule {
                schedule.step(&mut *self.trainer).unwrap();
            }
        }
    }

    fn save(&self, epoch: usize, path: &Path) -> Result<()> {
        save_checkpoint(&self.net, &*self.trainer, self.schedule.as_deref(), epoch, path)
    }

    fn load(&mut self, path: &Path) -> Result<usize> {
        let schedule =
            self.schedule.as_mut().map(|schedule| &mut **schedule as &mut dyn LRScheduler);
        load_checkpoint(&self.net, &mut *self.trainer, schedule, path)
    }

    /// All that a training has: values, the optimizer's state, and how far the schedule is.
    fn all(&self) -> (Vec<f64>, String, Option<SchedulerState>) {
        let OptimizerState { name, numbers, tensors } = self.trainer.state_dict().unwrap();
        let own = self.net.state_dict().into_iter().map(|(_, tensor)| tensor);
        let flat: Vec<Tensor> = own.chain(tensors.into_values()).collect();
        let flat = values(&flat).to_kind(Kind::Double);
        let state = self.schedule.as_ref().map(|schedule| schedule.state().clone());
        (Vec::try_from(flat).unwrap(), format!("{name} {numbers:?}"), state)
    }
}

/// Five epochs in one go, or two, a checkpoint, and three with everything made anew.
#[test]
fn a_training_goes_on_from_a_checkpoint_to_the_bit() {
    let set = common::small_set(6);
    let path = set.path().join("half-way.safetensors");
    for (name, schedule) in [
        ("sgd_decay", "none"),
        ("sgd_momentum", "step"),
        ("sgd_nesterov", "cosine"),
        ("adam", "warm_up"),
        ("adam_decay", "lambda"),
        ("adamw_decay", "step"),
    ] {
        let mut unbroken = Run::new(name, schedule, set.path());
        unbroken.epochs(0..2);
        unbroken.save(2, &path).unwrap();
        let half_way = unbroken.all();
        unbroken.epochs(2..5);

        let mut resumed = Run::new(name, schedule, set.path());
        resumed.trainer.set_learning_rate(99.).unwrap();
        assert_eq!(resumed.load(&path).unwrap(), 2, "{name}");
        assert_eq!(resumed.all(), half_way, "{name}");
        resumed.epochs(2..5);
        assert_eq!(resumed.all(), unbroken.all(), "{name}, {schedule}");
        // The network alone
        let net = linear(3 * 8 * 8, 2).unwrap();
        load_weights(&net, &path).unwrap();
        assert_ne!(difference(&net.weight, &resumed.net.weight), 0.);
        // What was loaded is the trainer's own.
        let state = resumed.trainer.state_dict().unwrap();
        let mut other = Run::new(name, schedule, set.path());
        other.trainer.load_state_dict(&state).unwrap();
        let before = resumed.all();
        other.epochs(0..1);
        assert_eq!(resumed.all(), before);
    }
}

/// A checkpoint that does not fit leaves network, optimizer and schedule as they are.
#[test]
fn checkpoints_that_do_not_fit_are_refused() {
    let set = common::small_set(2);
    let path = set.path().join("half-way.safetensors");
    let mut saved = Run::new("sgd_momentum", "step", set.path());
    saved.epochs(0..2);
    saved.save(2, &path).unwrap();
    let refuse = |what: &str, named: &str, run: &mut Run| {
        let before = run.all();
        let error = run.load(&path).unwrap_err();
        let text = refused(what, named, &error);
        assert!(text.contains("half-way"), "{text}");
        assert_eq!(run.all(), before, "{what}");
    };
    let new = |name: &str, schedule: &str| Run::new(name, schedule, set.path());
    refuse("SGD's checkpoint for `Adam`", "a state of SGD", &mut new("adam", "step"));
    refuse("a checkpoint without its schedule", "StepLR", &mut new("sgd_momentum", "none"));
    refuse("a checkpoint with another schedule", "CosineAnnealingLR", &mut new("sgd", "cosine"));
    let handles = |net: &Linear| net.parameters();
    let mut one_group = new("sgd", "step");
    one_group.trainer = Box::new(SGD::new(handles(&one_group.net), 0.1).unwrap());
    refuse("a checkpoint of two groups for one", "[1, 1]", &mut one_group);
    let mut turned = new("sgd", "step");
    let groups = handles(&turned.net).into_iter().rev().map(|p| ParamGroup::new(vec![p])).collect();
    turned.trainer = Box::new(SGD::with_groups(groups, 0.1).unwrap());
    refuse("a checkpoint of groups in another order", "momentum_buffer.0", &mut turned);
    let mut wider = new("sgd_momentum", "step");
    wider.net = linear(3 * 8 * 8, 3).unwrap();
    refuse("a checkpoint of a network with other outputs", "weight", &mut wider);

    let mut adam = new("adamw", "none");
    adam.epochs(0..1);
    adam.save(1, &path).unwrap();
    let refuse = |what: &str, named: &str, run: &mut Run| {
        let before = run.all();
        refused(what, named, &run.load(&path).unwrap_err());
        assert_eq!(run.all(), before, "{what}");
    };
    refuse("`AdamW`'s checkpoint for `Adam`", "a state of AdamW", &mut new("adam", "none"));
    refuse("a schedule for a checkpoint without one", "no schedule", &mut new("adamw", "step"));
    save_weights(&adam.net, &path).unwrap();
    refuse("weights in place of a checkpoint", "no optimizer", &mut new("adamw", "none"));
}

/// A file as text and numbers, as save_checkpoint of the first edition wrote it.
fn write(path: &Path, notes: &serde_json::Value, tensors: &[(&str, &[i64], &[f32])]) {
    let mut head = serde_json::json!({ "__metadata__": notes });
    let mut bytes: Vec<u8> = vec![];
    for (name, shape, numbers) in tensors {
        let from = bytes.len();
        bytes.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
        head[name] = serde_json::json!({
            "dtype": "F32", "shape": shape, "data_offsets": [from, bytes.len()],
        });
    }
    let head = head.to_string();
    let length = (head.len() as u64).to_le_bytes();
    std::fs::write(path, [&length[..], head.as_bytes(), &bytes].concat()).unwrap();
}

#[test]
fn checkpoints_of_the_first_edition_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("old.safetensors");
    let tensors: [(&str, &[i64], &[f32]); 2] =
        [("weight", &[1, 2], &[0.5, -2.]), ("bias", &[1], &[3.])];
    let note = |text: &str| serde_json::json!({ "sgd": text });
    write(&path, &note(r#"{"learning_rates":[0.25,0.125],"weight_decay":0.001}"#), &tensors);
    let net = linear(2, 1).unwrap();
    let groups = || net.parameters().into_iter().map(|p| ParamGroup::new(vec![p])).collect();
    let mut trainer = SGD::with_groups(groups(), 0.1).unwrap();
    assert_eq!(load_checkpoint(&net, &mut trainer, None, &path).unwrap(), 0);
    assert_eq!(trainer.learning_rates(), [0.25, 0.125]);
    assert!(trainer.to_string().contains("weight_decay=[0.001, 0.001]"), "{trainer}");
    assert_eq!(Vec::<f32>::try_from(net.weight.flatten(0, -1)).unwrap(), [0.5, -2.]);

    let mut adam = Adam::with_groups(groups(), 0.1).unwrap();
    let error = load_checkpoint(&net, &mut adam, None, &path).unwrap_err();
    refused("SGD's checkpoint of the first edition for `Adam`", "a state of SGD", &error);
    for (what, notes, named) in [
        (
            "a checkpoint with a learning rate below 0",
            note(r#"{"learning_rates":[0.25,-1],"weight_decay":0}"#),
            "learning rate -1",
        ),
        (
            "a checkpoint with too few learning rates",
            note(r#"{"learning_rates":[0.25],"weight_decay":0}"#),
            "2 numbers under \"lr\"",
        ),
        ("a checkpoint whose optimizer is cut off", note("{"), "no optimizer"),
        (
            "a checkpoint with a momentum of 2",
            serde_json::json!({ "optimizer": serde_json::json!({ "name": "SGD", "numbers": {
                "lr": ["1", "1"], "weight_decay": ["0", "0"], "momentum": ["2"], "dampening": ["0"],
                "nesterov": ["0"],
            }}).to_string() }),
            "momentum 2",
        ),
        (
            "a checkpoint whose epoch is no number",
            serde_json::json!({ "optimizer": r#"{"name":"SGD","numbers":{}}"#, "epoch": "-1" }),
            "\"-1\"",
        ),
    ] {
        write(&path, &notes, &tensors);
        let before = trainer.to_string();
        let error = load_checkpoint(&net, &mut trainer, None, &path).unwrap_err();
        refused(what, named, &error);
        assert_eq!(trainer.to_string(), before);
    }
    let mut adam = Adam::with_groups(groups(), 0.1).unwrap();
    let numbers = serde_json::json!({
        "lr": ["1", "1"], "weight_decay": ["0", "0"], "betas": ["0.9", "0.9"], "eps": ["0"],
        "step": ["3", "0"],
    });
    let note = serde_json::json!({ "name": "Adam", "numbers": numbers }).to_string();
    let mean: (&str, &[i64], &[f32]) = ("optimizer/exp_avg.0", &[1, 2], &[1., 1.]);
    let tensors = [&tensors[..], &[mean]].concat();
    write(&path, &serde_json::json!({ "optimizer": note }), &tensors);
    let error = load_checkpoint(&net, &mut adam, None, &path).unwrap_err();
    refused("a checkpoint of `Adam` without one of its means", "both means of parameter 0", &error);
}

#[test]
fn options_that_cannot_work_are_refused() {
    let new = || SGD::new(parameters(), 0.1).unwrap();
    let refuse = |what: &str, named: &str, result: Result<SGD>| {
        refused(what, named, &result.unwrap_err());
    };
    for momentum in [2., -0.1, f64::NAN] {
        refuse("a momentum that is none", "momentum", new().momentum(momentum));
    }
    refuse("a dampening above 1", "dampening 1.5", new().dampening(1.5));
    refuse("Nesterov's momentum without any", "nesterov", new().nesterov(true));
    let nesterov = || new().momentum(0.9).unwrap().nesterov(true).unwrap();
    refuse("Nesterov's momentum with dampening", "dampening 0.1", nesterov().dampening(0.1));
    refuse("Nesterov's momentum, and then none", "momentum 0", nesterov().momentum(0.));
    refuse("a weight decay below 0", "weight decay -1", new().weight_decay(-1.));
    let group = |p: &Tensor| ParamGroup::new(vec![p.shallow_clone()]);
    let all = parameters();
    for (what, named, second) in [
        (
            "a group's learning rate below 0",
            "group 1 (from 0), learning rate -1",
            group(&all[1]).lr(-1.),
        ),
        (
            "a group's weight decay that is no number",
            "group 1 (from 0), weight decay NaN",
            group(&all[1]).weight_decay(f64::NAN),
        ),
    ] {
        refuse(what, named, SGD::with_groups(vec![group(&all[0]), second], 0.1));
    }
    let own = vec![group(&all[0]).weight_decay(0.1)];
    refuse(
        "a weight decay for groups with their own",
        "NaN",
        SGD::with_groups(own, 0.1).unwrap().weight_decay(f64::NAN),
    );

    let adam = || Adam::new(parameters(), 0.1).unwrap();
    for (mean, square) in [(1., 0.9), (0.9, 1.), (-0.1, 0.9), (f64::NAN, 0.9)] {
        refused("betas that are none", "betas", &adam().betas(mean, square).unwrap_err());
    }
    refused("an eps below 0", "Adam: eps", &adam().eps(-1e-8).unwrap_err());
    let adamw = || AdamW::new(parameters(), 0.1).unwrap();
    refused(
        "`AdamW` with a weight decay below 0",
        "AdamW",
        &adamw().weight_decay(-1.).unwrap_err(),
    );
    refused("`AdamW` with beta 1", "AdamW: betas", &adamw().betas(0.9, 1.).unwrap_err());
    refused("`AdamW` without parameters", "AdamW", &AdamW::new(vec![], 0.1).unwrap_err());

    let mut trainer = of_two_rates();
    for (what, named, rates) in [
        ("one learning rate for two groups", "1 learning rates", vec![0.1]),
        ("three learning rates for two groups", "3 learning rates", vec![0.1; 3]),
        (
            "a learning rate that is set below 0",
            "group 1 (from 0), learning rate -2",
            vec![1., -2.],
        ),
    ] {
        refused(what, named, &trainer.set_learning_rates(&rates).unwrap_err());
        assert_eq!(trainer.learning_rates(), [0.1, 0.5]);
    }

    refused("`StepLR` of 0 epochs", "step_size 0", &StepLR::new(0, 0.1).unwrap_err());
    refused("`StepLR` with a factor below 0", "gamma -1", &StepLR::new(3, -1.).unwrap_err());
    refused("`CosineAnnealingLR` of 0 epochs", "t_max 0", &CosineAnnealingLR::new(0).unwrap_err());
    let error = CosineAnnealingLR::new(3).unwrap().eta_min(f64::NAN).unwrap_err();
    refused("`CosineAnnealingLR` down to NaN", "eta_min NaN", &error);
    let warm_up = || LinearLR::new(5).unwrap();
    refused("`LinearLR` of 0 epochs", "total_iters 0", &LinearLR::new(0).unwrap_err());
    refused("`LinearLR` from 0", "start_factor 0", &warm_up().start_factor(0.).unwrap_err());
    refused("`LinearLR` to 2", "end_factor 2", &warm_up().end_factor(2.).unwrap_err());
    let error = SequentialLR::new(warm_up(), 0, warm_up()).unwrap_err();
    refused("`SequentialLR` that begins with its second", "milestone 0", &error);
    let mut falling = LambdaLR::new(|epoch| 1. - epoch as f64);
    falling.step(&mut trainer).unwrap();
    let error = falling.step(&mut trainer).unwrap_err();
    refused("`LambdaLR` that leads below 0", "learning rate -0.1", &error);
    assert_eq!((falling.last_epoch(), trainer.learning_rates()), (1, vec![0., 0.]));
    let error = falling.step(&mut adam()).unwrap_err();
    refused("a schedule for an optimizer with other groups", "1 groups", &error);
}

/// An optimizer of the reader's own, with only what the trait asks for.
#[derive(Debug)]
struct Own(Vec<Tensor>);

impl Optimizer for Own {
    fn step(&mut self) -> Result<()> {
        let _guard = no_grad_guard();
        for parameter in &mut self.0 {
            let _ = parameter.f_sub_(&(parameter.grad() * 0.1))?;
        }
        Ok(())
    }

    fn parameters(&self) -> &[Tensor] {
        &self.0
    }
}

#[test]
fn an_optimizer_of_ones_own_needs_little() {
    #[derive(Debug)]
    struct Nothing;
    impl Optimizer for Nothing {
        fn step(&mut self) -> Result<()> {
            Ok(())
        }
    }
    let net = linear(3, 2).unwrap();
    let mut own = Own(net.parameters());
    let before = net.weight.copy();
    net.forward(&Tensor::ones([1, 3], (Kind::Float, Device::Cpu)))
        .unwrap()
        .sum(Kind::Float)
        .backward();
    own.step().unwrap();
    assert!(difference(&(before - &net.weight), &net.weight.full_like(0.1)) < 1e-6);
    own.zero_grad().unwrap();
    assert!(!net.weight.grad().defined());
    let refuse = |what: &str, named: &str, error: Error| refused(what, named, &error);
    refuse(
        "an optimizer of one's own without learning rates",
        "Own: it does not say its learning rates",
        own.set_learning_rate(0.1).unwrap_err(),
    );
    let error = StepLR::new(1, 0.1).unwrap().step(&mut own).unwrap_err();
    refuse(
        "a schedule for an optimizer of one's own without learning rates",
        "set_learning_rates",
        error,
    );
    let path = Path::new("own.safetensors");
    let error = save_checkpoint(&net, &own, None, 1, path).unwrap_err();
    refuse("a checkpoint of an optimizer of one's own without state", "state_dict", error);
    refuse(
        "an optimizer of one's own without parameters",
        "Nothing",
        Nothing.zero_grad().unwrap_err(),
    );
}

#[test]
fn optimizers_and_schedules_say_what_they_are() {
    let trainer = SGD::new(parameters(), 0.1).unwrap().momentum(0.9).unwrap();
    let text = "SGD(lr=0.1, momentum=0.9, dampening=0, nesterov=false, weight_decay=0)";
    assert_eq!(format!("{trainer} {trainer:?}"), format!("{text} {text}"));
    let adam = Adam::with_groups(two_groups(&parameters()), 0.01).unwrap();
    let text = "Adam(lr=[0.01, 0.2], betas=(0.9, 0.999), eps=1e-8, weight_decay=[0, 0.07])";
    assert_eq!(adam.to_string(), text);
    let text = "AdamW(lr=0.01, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01)";
    assert_eq!(AdamW::new(parameters(), 0.01).unwrap().to_string(), text);
    let text = "SequentialLR(LinearLR(total_iters=5, start_factor=0.2, end_factor=1), milestone=5, \
                CosineAnnealingLR(t_max=25, eta_min=0))";
    assert_eq!(schedule("warm_up").unwrap().to_string(), text);
}
