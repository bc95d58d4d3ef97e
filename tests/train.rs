//! Training against PyTorch, and what training must and must not do.

mod common;

use common::{difference, fill, inputs, reference};
use d2l::prelude::*;

fn two_classes() -> Classifier {
    let mut net = resnet18(Weights::Random).unwrap();
    net.fc = linear(512, 2).unwrap();
    fill(&net);
    net
}

fn batch(step: i64) -> (Tensor, Tensor) {
    let y = (Tensor::arange(6, (Kind::Int64, Device::Cpu)) + step).remainder(2);
    (inputs(6, 64, 100 + step as u64), y)
}

fn groups(net: &Classifier, rate: f64) -> SGD {
    let groups = vec![
        ParamGroup::new(net.features.parameters()),
        ParamGroup::new(net.fc.parameters()).lr(rate * 10.),
    ];
    SGD::with_groups(groups, rate, 0.001).unwrap()
}

/// Two groups with rates of their own, weight decay, summed losses: the reference's ten steps.
#[test]
fn ten_steps_agree_with_pytorch() {
    set_precision(Precision::Full);
    let reference = reference("training");
    let net = two_classes();
    let mut trainer = groups(&net, 2e-4);
    let loss = CrossEntropyLoss::new(Reduction::None);
    for step in 0..10 {
        let (x, y) = batch(step);
        let (sum, right) =
            train_batch_ch13(&net, &x, &y, &loss, &mut trainer, &[Device::Cpu]).unwrap();
        let expected = reference["loss"].double_value(&[step]);
        assert!((sum - expected).abs() < 1e-3 * expected, "step {step}: {sum}, PyTorch {expected}");
        assert_eq!(right, reference["right"].int64_value(&[step]) as f64, "step {step}");
    }
    assert!(difference(&net.fc.weight, &reference["fc"]) < 1e-4);
    for (i, (name, p)) in net.named_parameters().iter().enumerate() {
        let norm = p.to_kind(Kind::Double).norm().double_value(&[]);
        let expected = reference["norms"].double_value(&[i as i64]);
        assert!((norm - expected).abs() < 1e-4 * expected, "{name}: {norm}, PyTorch {expected}");
        let sum = p.sum(Kind::Double).double_value(&[]);
        let off = (sum - reference["sums"].double_value(&[i as i64])).abs();
        assert!(off < 1e-4 * expected * (p.numel() as f64).sqrt(), "{name}: sum off by {off}");
    }
}

/// A net without batch norm, whose statistics belong to each device by itself.
#[derive(Debug)]
struct Small {
    hidden: Linear,
    out: Linear,
}

impl Small {
    fn new() -> Small {
        let net = Small { hidden: linear(27, 8).unwrap(), out: linear(8, 2).unwrap() };
        fill(&net);
        net
    }
}

impl Module for Small {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.out.forward(&self.hidden.forward(&x.f_flatten(1, -1)?)?.f_tanh()?)
    }

    fn visit(&self, visitor: &mut d2l::nn::Visitor) {
        visitor.child("hidden", &self.hidden);
        visitor.child("out", &self.out);
    }

    fn replicate(&self) -> Result<Box<dyn Module>> {
        let copy = Small::new();
        copy.load_state_dict(&self.state_dict())?;
        Ok(Box::new(copy))
    }
}

#[test]
fn two_replicas_take_the_step_of_one() {
    set_precision(Precision::Full);
    let loss = CrossEntropyLoss::new(Reduction::None);
    let mut nets = vec![];
    let mut results = vec![];
    for devices in [vec![Device::Cpu], vec![Device::Cpu; 2], vec![Device::Cpu; 4]] {
        let net = Small::new();
        let mut trainer = SGD::new(net.parameters(), 0.1, 0.001).unwrap();
        let mut last = (0., 0.);
        for step in 0..3 {
            // Seven examples: the parts differ in size, and four devices get two, two, two, one.
            let (x, y) = (inputs(7, 3, step), Tensor::from_slice(&[0i64, 1, 1, 0, 1, 0, 0]));
            last = train_batch_ch13(&net, &x, &y, &loss, &mut trainer, &devices).unwrap();
        }
        nets.push(net);
        results.push(last);
    }
    for (net, result) in nets.iter().zip(&results).skip(1) {
        assert!((result.0 - results[0].0).abs() < 1e-4 && result.1 == results[0].1, "{results:?}");
        for (a, b) in nets[0].parameters().iter().zip(net.parameters()) {
            assert!(difference(a, &b) < 1e-6);
        }
    }
}

#[test]
fn a_net_with_batch_norm_trains_on_two_replicas() {
    set_precision(Precision::Full);
    let net = two_classes();
    let before = net.fc.weight.copy();
    let mut trainer = groups(&net, 1e-4);
    let (x, y) = batch(0);
    let loss = CrossEntropyLoss::new(Reduction::None);
    let devices = [Device::Cpu, Device::Cpu];
    let (sum, right) = train_batch_ch13(&net, &x, &y, &loss, &mut trainer, &devices).unwrap();
    assert!(sum.is_finite() && (0. ..=6.).contains(&right));
    assert!(difference(&before, &net.fc.weight) > 0.);
}

#[test]
fn frozen_layers_stay_and_the_output_layer_learns() {
    let net = two_classes();
    net.requires_grad_(false);
    net.fc.requires_grad_(true);
    let before: Vec<Tensor> = net.parameters().iter().map(Tensor::copy).collect();
    let mut trainer = groups(&net, 1e-3);
    let loss = CrossEntropyLoss::new(Reduction::None);
    let (x, y) = batch(0);
    train_batch_ch13(&net, &x, &y, &loss, &mut trainer, &[Device::Cpu]).unwrap();
    for ((name, now), before) in net.named_parameters().iter().zip(&before) {
        let moved = difference(now, before) > 0.;
        assert_eq!(moved, name.starts_with("fc."), "{name}");
    }
}

fn loaders(folder: &std::path::Path, batch_size: usize) -> (DataLoader, DataLoader) {
    let augs = compose![Resize::new([32, 32]), ToTensor];
    let train = ImageFolder::with_transform(folder.join("train"), &augs).unwrap();
    let test = ImageFolder::with_transform(folder.join("test"), &augs).unwrap();
    (
        DataLoader::new(train, batch_size).unwrap().shuffle(true),
        DataLoader::new(test, batch_size).unwrap(),
    )
}

#[test]
fn a_net_learns_light_from_dark() {
    manual_seed(1);
    let set = common::small_set(10);
    // Three batches of 8, 8 and 4: fewer than five, where the book's own function fails.
    let (train_iter, test_iter) = loaders(set.path(), 8);
    let mut net = resnet18(Weights::Random).unwrap();
    net.fc = linear(512, 2).unwrap();
    let mut trainer = SGD::new(net.parameters(), 5e-3, 0.001).unwrap();
    let loss = CrossEntropyLoss::new(Reduction::None);
    let devices = try_all_gpus();
    let summary =
        train_ch13(&net, &train_iter, &test_iter, &loss, &mut trainer, 6, &devices).unwrap();
    assert!(summary.train_acc > 0.9 && summary.loss < 0.5, "{summary}");
    let lines = summary.to_string();
    let lines: Vec<&str> = lines.lines().collect();
    assert!(lines[0].starts_with("loss 0.") && lines[0].contains(", train acc "), "{lines:?}");
    assert!(lines[1].contains("examples/sec on [Cpu]") || lines[1].contains("Cuda"), "{lines:?}");
    let svg = summary.animator.figure().unwrap().svg().to_string();
    for name in ["train loss", "train acc", "test acc", "epoch"] {
        assert!(svg.contains(name), "the figure does not name {name}");
    }
    let again = evaluate_accuracy_gpu(&net, &test_iter, None).unwrap();
    assert_eq!(again, summary.test_acc);
}

#[test]
fn a_loss_that_is_no_number_ends_training_with_advice() {
    let set = common::small_set(2);
    let (train_iter, test_iter) = loaders(set.path(), 4);
    let net = two_classes();
    let mut trainer = SGD::new(net.parameters(), 1e30, 0.).unwrap();
    let loss = CrossEntropyLoss::new(Reduction::None);
    let result = train_ch13(&net, &train_iter, &test_iter, &loss, &mut trainer, 3, &try_all_gpus());
    let error = result.unwrap_err().to_string();
    assert!(error.contains("lower the learning rate"), "{error}");
}

#[test]
fn wrong_arguments_are_errors() {
    let net = Small::new();
    let loss = CrossEntropyLoss::new(Reduction::None);
    let mut trainer = SGD::new(net.parameters(), 0.1, 0.).unwrap();
    let (x, y) = (inputs(2, 3, 0), Tensor::from_slice(&[0i64, 5]));
    let out_of_range = train_batch_ch13(&net, &x, &y, &loss, &mut trainer, &[Device::Cpu]);
    assert!(out_of_range.unwrap_err().to_string().contains('5'));
    let y = Tensor::from_slice(&[0i64, 1]);
    assert!(train_batch_ch13(&net, &x, &y, &loss, &mut trainer, &[]).is_err());
    assert!(SGD::new(vec![], 0.1, 0.).is_err());
    for rate in [f64::NAN, -0.1, f64::INFINITY] {
        assert!(SGD::new(net.parameters(), rate, 0.).is_err(), "{rate}");
    }
}
