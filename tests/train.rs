//! Training against PyTorch, and what training must and must not do.

mod common;

use common::report::{Comparison, refused};
use common::{difference, fill, inputs, reference, two_classes};
use d2l::nn::{BatchNorm2d, Conv2d, ConvConfig, Visitor};
use d2l::prelude::*;

/// C31: the precision is one for the whole process, so that each test chooses this one; those that
/// do not are processes of their own.
fn full_precision() {
    set_precision(Precision::Full);
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

/// tch-rs#584: two groups with rates of their own, weight decay, summed losses.
#[test]
fn three_steps_agree_with_the_books_function() {
    full_precision();
    let reference = reference("training");
    let net = two_classes();
    let mut trainer = groups(&net, 2e-4);
    let loss = CrossEntropyLoss::new(Reduction::None);
    let mut losses = Comparison::new(
        "three steps of `train_batch_ch13`, two groups, weight decay: the losses, against the book's \
         own function",
        "of the loss",
        // Other vector units of the same processor make it 9e-5.
        1e-3,
    );
    for step in 0..3 {
        let (x, y) = batch(step);
        let (sum, right) =
            train_batch_ch13(&net, &x, &y, &loss, &mut trainer, &[Device::Cpu]).unwrap();
        let expected = reference["loss"].double_value(&[step]);
        losses.add(&format!("step {step}"), (sum - expected).abs() / expected);
        assert_eq!(right, reference["right"].int64_value(&[step]) as f64, "step {step}");
    }
    let what = "three steps of `train_batch_ch13`: every parameter afterwards, at up to 64 places, and its norm";
    let mut off = Comparison::new(what, "of the largest", 1e-4);
    let mut place = 0;
    for (i, (name, p)) in net.named_parameters().iter().enumerate() {
        let count = p.numel() as i64;
        let values = p.flatten(0, -1).slice(0, 0, count, (count / 64).max(1));
        let values = values.narrow(0, 0, values.size()[0].min(64));
        let theirs = reference["values"].narrow(0, place, values.numel() as i64);
        place += values.numel() as i64;
        off.add(name, difference(&values, &theirs) / theirs.abs().max().double_value(&[]));
        let expected = reference["norms"].double_value(&[i as i64]);
        let norm = p.to_kind(Kind::Double).norm().double_value(&[]);
        off.add(name, (norm - expected).abs() / expected);
    }
    assert_eq!(place, reference["values"].numel() as i64);
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

    fn visit(&self, visitor: &mut Visitor) {
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
    full_precision();
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

/// A network with batch norm, as in make.py.
#[derive(Debug)]
struct Normed {
    conv: Conv2d,
    bn: BatchNorm2d,
    fc: Linear,
}

impl Normed {
    fn new() -> Normed {
        let config = ConvConfig { padding: 1, ..Default::default() };
        let net = Normed {
            conv: Conv2d::new(3, 8, 3, config).unwrap(),
            bn: BatchNorm2d::new(8, 1e-5).unwrap(),
            fc: linear(8, 3).unwrap(),
        };
        fill(&net);
        net
    }
}

impl Module for Normed {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let x = self.bn.forward(&self.conv.forward(x)?)?.f_relu()?;
        self.fc.forward(&x.f_adaptive_avg_pool2d([1, 1])?.f_flatten(1, -1)?)
    }

    fn visit(&self, visitor: &mut Visitor) {
        visitor.child("conv", &self.conv);
        visitor.child("bn", &self.bn);
        visitor.child("fc", &self.fc);
    }

    fn replicate(&self) -> Result<Box<dyn Module>> {
        let (conv, bn, fc) = (self.conv.copy()?, self.bn.copy()?, self.fc.copy()?);
        Ok(Box::new(Normed { conv, bn, fc }))
    }
}

/// All values of a network, one after the other.
fn values(net: &dyn Module) -> Tensor {
    let state = net.state_dict();
    let state: Vec<_> =
        state.iter().map(|(_, t)| t.detach().to_kind(Kind::Float).flatten(0, -1)).collect();
    Tensor::cat(&state, 0)
}

/// C3, F19: replicas with batch norm and frozen layers, against PyTorch's rule.
#[test]
fn replicas_learn_as_pytorchs_data_parallel() {
    full_precision();
    let reference = reference("parallel");
    let loss = CrossEntropyLoss::new(Reduction::None);
    let mut off = Comparison::new(
        "four steps on two and three devices with batch norm, some layers frozen or none: losses, \
         parameters and statistics, against what `nn.DataParallel` does",
        "of the largest",
        1e-5,
    );
    for devices in [2, 3] {
        for (case, frozen) in [("all", vec![]), ("frozen", vec!["conv.weight", "bn.bias"])] {
            let net = Normed::new();
            for (name, parameter) in net.named_parameters() {
                let _ = parameter.set_requires_grad(!frozen.contains(&name.as_str()));
            }
            let mut trainer = SGD::new(net.parameters(), 0.05, 0.001).unwrap();
            let mut losses = vec![];
            for step in 0..4 {
                let y = (Tensor::arange(7, (Kind::Int64, Device::Cpu)) + step).remainder(3);
                let x = inputs(7, 8, 100 + step as u64);
                let devices = vec![Device::Cpu; devices];
                let sums = train_batch_ch13(&net, &x, &y, &loss, &mut trainer, &devices);
                losses.push(sums.unwrap().0);
            }
            for (what, ours) in [("loss", Tensor::from_slice(&losses)), ("state", values(&net))] {
                let key = format!("{case}/{devices}/{what}");
                let theirs = &reference[&key];
                let scale = theirs.abs().max().double_value(&[]);
                off.add(&key, difference(&ours, theirs) / scale);
            }
        }
    }
}

/// Every network of the crate, small images, and a step's batch for it.
fn networks() -> Vec<(&'static str, Box<dyn Module>)> {
    let classifier = |mut net: Classifier| {
        net.fc = linear(net.fc.in_features, 2).unwrap();
        fill(&net);
        Box::new(net) as Box<dyn Module>
    };
    let book = d2l::resnet18(2, 3).unwrap();
    fill(&book);
    let mut layers = Sequential::new();
    layers.push(Normed::new());
    layers.push(linear(3, 2).unwrap());
    vec![
        ("ResNet-18", classifier(resnet18(Weights::Random).unwrap())),
        ("ResNet-50", classifier(resnet50(Weights::Random).unwrap())),
        ("EfficientNet-Lite0", classifier(efficientnet_lite0(Weights::Random).unwrap())),
        ("the book's ResNet-18", Box::new(book)),
        ("a sequence", Box::new(layers)),
        ("a network of one's own", Box::new(Small::new())),
        ("another of one's own", Box::new(Normed::new())),
    ]
}

/// What goes into a network of `networks`: those with one fixed size take images of 3×3.
fn batch_for(name: &str, step: u64) -> (Tensor, Tensor) {
    let size = if name == "a network of one's own" { 3 } else { 32 };
    (inputs(6, size, step), Tensor::from_slice(&[0i64, 1, 1, 0, 1, 0]))
}

/// F19, C4: what is frozen when a step begins stays as it is, on replicas too; the rest learns.
#[test]
fn frozen_layers_stay_frozen_on_replicas() {
    full_precision();
    let loss = CrossEntropyLoss::new(Reduction::None);
    type Learns = fn(usize, &str) -> bool;
    let patterns: [(&str, Learns); 4] = [
        ("but for the last layer", |_, name| name.starts_with("fc.") || name.ends_with("1.bias")),
        ("the first layer", |i, _| i > 0),
        ("every other parameter", |i, _| i % 2 == 1),
        ("weights", |_, name| name.ends_with("bias")),
    ];
    for (name, net) in networks() {
        let mut trainer = SGD::new(net.parameters(), 1e-4, 0.).unwrap();
        for (what, learns) in patterns {
            let before: Vec<Tensor> = net.parameters().iter().map(Tensor::copy).collect();
            let own: Vec<(String, Tensor)> = net.named_parameters();
            let mut learning = 0;
            for (i, (key, parameter)) in own.iter().enumerate() {
                let last = name == "a network of one's own" && key.starts_with("out");
                let learns = learns(i, key) || last;
                learning += usize::from(learns);
                let _ = parameter.set_requires_grad(learns);
            }
            assert!(0 < learning && learning < own.len(), "{name}, {what}");
            let (x, y) = batch_for(name, 0);
            let devices = [Device::Cpu, Device::Cpu];
            train_batch_ch13(&*net, &x, &y, &loss, &mut trainer, &devices)
                .unwrap_or_else(|error| panic!("{name}, frozen {what}: {error}"));
            let mut moved = 0;
            for ((key, parameter), before) in own.iter().zip(&before) {
                let change = difference(parameter, before);
                assert!(change == 0. || parameter.requires_grad(), "{name}, {what}: {key}");
                assert!(change.is_finite(), "{name}, {what}: {key}");
                moved += usize::from(change > 0.);
            }
            assert!(moved > 0, "{name}, frozen {what}: nothing has learned");
        }
    }
}

/// A part of the batch may not reach a parameter that another part reaches.
#[derive(Debug)]
struct Branch {
    always: Linear,
    only_three: Linear,
}

impl Module for Branch {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let x = x.f_flatten(1, -1)?;
        let y = self.always.forward(&x)?;
        if x.size()[0] == 3 { Ok(y.f_add(&self.only_three.forward(&x)?)?) } else { Ok(y) }
    }

    fn visit(&self, visitor: &mut Visitor) {
        visitor.child("always", &self.always);
        visitor.child("only_three", &self.only_three);
    }

    fn replicate(&self) -> Result<Box<dyn Module>> {
        let (always, only_three) = (self.always.copy()?, self.only_three.copy()?);
        Ok(Box::new(Branch { always, only_three }))
    }
}

/// F19: a gradient may be undefined in the network and defined in a replica, and the other way
/// round.
#[test]
fn gradients_that_only_one_part_has_are_summed() {
    full_precision();
    let loss = CrossEntropyLoss::new(Reduction::Sum);
    // Parts of 4 and 3, of 3 and 2, of 3 and 3, of 2 and 2
    for count in [7, 5, 6, 4] {
        let net = Branch { always: linear(27, 2).unwrap(), only_three: linear(27, 2).unwrap() };
        fill(&net);
        let before = net.only_three.weight.copy();
        let (x, y) = (inputs(count, 3, 0), Tensor::zeros([count], (Kind::Int64, Device::Cpu)));
        let expected = Tensor::zeros_like(&before);
        for (x, y) in x.chunk(2, 0).iter().zip(y.chunk(2, 0)) {
            loss.forward(&net.forward(x).unwrap(), &y).unwrap().backward();
        }
        let gradient = net.only_three.weight.grad();
        let expected = if gradient.defined() { gradient.copy() } else { expected };
        let mut trainer = SGD::new(net.parameters(), 0.1, 0.).unwrap();
        let devices = [Device::Cpu, Device::Cpu];
        train_batch_ch13(&net, &x, &y, &loss, &mut trainer, &devices).unwrap();
        let step = (before - &net.only_three.weight).detach();
        assert!(difference(&step, &(expected * 0.1)) < 1e-6, "{count} images");
    }
}

/// C3: no replica draws from the seeded random numbers, in a step or in a training.
#[test]
fn seeded_trainings_on_one_and_two_devices_draw_alike() {
    const NAME: &str = "seeded_trainings_on_one_and_two_devices_draw_alike";
    if !common::in_child(NAME) {
        common::run_in_child(NAME, &[]);
        return;
    }
    full_precision();
    let set = common::small_set(2);
    let loss = CrossEntropyLoss::new(Reduction::None);
    let draw = || Tensor::rand([8], (Kind::Float, Device::Cpu));
    for i in 0..networks().len() {
        let mut next = vec![];
        for count in [1, 2, 3] {
            let (name, net) = networks().swap_remove(i);
            if name == "a network of one's own" {
                continue; // makes its replicas by drawing
            }
            let mut trainer = SGD::new(net.parameters(), 1e-5, 0.).unwrap();
            let (x, y) = batch_for(name, 0);
            let devices = vec![Device::Cpu; count];
            manual_seed(9);
            train_batch_ch13(&*net, &x, &y, &loss, &mut trainer, &devices).unwrap();
            next.push(draw());
            if i == 3 {
                let iters = loaders(set.path(), 4);
                let iters = (&iters.0, &iters.1);
                train_ch13(&*net, iters.0, iters.1, &loss, &mut trainer, 1, &devices).unwrap();
                next.push(draw());
            }
        }
        let half = next.len() / 3;
        for k in half..next.len() {
            assert_eq!(next[k], next[k % half], "network {i}");
        }
    }
}

/// C3: replicas are kept over a training, and still follow the network.
#[test]
fn a_training_on_two_devices_is_the_training_on_one() {
    full_precision();
    let set = common::small_set(4);
    let loss = CrossEntropyLoss::new(Reduction::None);
    let mut results = vec![];
    for count in [1, 2] {
        let net = Small::new();
        let augs = compose![Resize::new([3, 3]), ToTensor];
        let images = |part| ImageFolder::with_transform(set.path().join(part), &augs).unwrap();
        let train_iter = DataLoader::new(images("train"), 3).unwrap();
        let test_iter = DataLoader::new(images("test"), 3).unwrap();
        let mut trainer = SGD::new(net.parameters(), 0.05, 0.001).unwrap();
        let devices = vec![Device::Cpu; count];
        let summary =
            train_ch13(&net, &train_iter, &test_iter, &loss, &mut trainer, 3, &devices).unwrap();
        results.push((summary.loss, values(&net)));
    }
    assert!((results[0].0 - results[1].0).abs() < 1e-6);
    assert!(difference(&results[0].1, &results[1].1) < 1e-6);
    assert!(difference(&results[0].1, &values(&Small::new())) > 1e-3, "nothing was learned");
}

#[test]
fn frozen_layers_stay_and_the_output_layer_learns() {
    full_precision();
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
    full_precision();
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

/// A training for errors, and its parameters before and after.
fn refused_training(
    what: &str,
    named: &str,
    net: &dyn Module,
    rate: f64,
    (train_iter, test_iter): (DataLoader, DataLoader),
) -> String {
    let mut trainer = SGD::new(net.parameters(), rate, 0.).unwrap();
    let loss = CrossEntropyLoss::new(Reduction::None);
    let result = train_ch13(net, &train_iter, &test_iter, &loss, &mut trainer, 3, &try_all_gpus());
    refused(what, named, &result.unwrap_err())
}

#[test]
fn a_loss_that_is_no_number_ends_training_before_the_step() {
    full_precision();
    let set = common::small_set(2);
    let net = two_classes();
    let iters = loaders(set.path(), 4);
    let text = refused_training("a learning rate far too high", "the loss is", &net, 1e30, iters);
    assert!(
        text.contains("batch 1 of epoch 2") && text.contains("lower the learning rate"),
        "{text}"
    );
    let finite = |p: &Tensor| p.isfinite().all().int64_value(&[]) == 1;
    assert!(net.parameters().iter().all(finite), "the step was taken");
    // What is in the pictures may be no number, too.
    let (x, y) = (inputs(2, 3, 0) * f64::NAN, Tensor::from_slice(&[0i64, 1]));
    let net = Small::new();
    let before: Vec<Tensor> = net.parameters().iter().map(Tensor::copy).collect();
    let mut trainer = SGD::new(net.parameters(), 0.1, 0.).unwrap();
    let loss = CrossEntropyLoss::new(Reduction::None);
    let result = train_batch_ch13(&net, &x, &y, &loss, &mut trainer, &[Device::Cpu]);
    assert!(result.unwrap_err().to_string().contains("NaN"));
    assert!(net.parameters() == before);
}

#[test]
fn labels_without_an_output_are_named() {
    full_precision();
    let set = common::small_set(2);
    let mut net = two_classes();
    net.fc = linear(512, 1).unwrap();
    let what = "more classes than outputs";
    let text = refused_training(what, "label 1", &net, 1e-3, loaders(set.path(), 4));
    assert!(text.contains("linear(…, 2)"), "{text}");
    // Frozen and in testing alike: a label that no output stands for is never right.
    let error = evaluate_accuracy_gpu(&net, &loaders(set.path(), 4).1, None).unwrap_err();
    refused("more classes than outputs, in testing", "label 1", &error);
}

#[test]
fn other_classes_to_test_than_to_learn_are_an_error() {
    full_precision();
    let set = common::small_set(2);
    std::fs::rename(set.path().join("test/dark"), set.path().join("test/night")).unwrap();
    let iters = loaders(set.path(), 4);
    let what = "other classes to test than to learn";
    let text = refused_training(what, "train_ch13", &two_classes(), 1e-3, iters);
    assert!(text.contains("bright, dark") && text.contains("bright, night"), "{text}");
}

/// One picture is left for the last batch, and its features have one value a channel.
#[test]
fn a_batch_of_one_with_batch_norm_says_what_to_do() {
    full_precision();
    let set = common::small_set(2);
    std::fs::remove_file(set.path().join("train/dark/001.png")).unwrap();
    let iters = loaders(set.path(), 2);
    let what = "a last batch of one, small pictures, batch norm";
    let text = refused_training(what, "batch 2 of epoch 1", &two_classes(), 1e-4, iters);
    assert!(text.contains("batches of two pictures or more"), "{text}");
    // Larger pictures have more values a channel.
    let net = two_classes();
    let mut trainer = SGD::new(net.parameters(), 1e-4, 0.).unwrap();
    let (x, y) = (inputs(1, 64, 0), Tensor::from_slice(&[1i64]));
    let loss = CrossEntropyLoss::new(Reduction::None);
    train_batch_ch13(&net, &x, &y, &loss, &mut trainer, &[Device::Cpu]).unwrap();
}

/// Asks for more memory than there is, as a GPU with too large a batch does.
#[derive(Debug)]
struct Greedy(Small);

impl Module for Greedy {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let _ = Tensor::f_zeros([1 << 45], (Kind::Float, Device::Cpu))?;
        self.0.forward(x)
    }

    fn visit(&self, visitor: &mut Visitor) {
        self.0.visit(visitor);
    }
}

/// fastai#3082: the batch size, and half of it.
#[test]
fn memory_that_is_full_names_the_batch_size_and_half_of_it() {
    full_precision();
    let net = Greedy(Small::new());
    let mut trainer = SGD::new(net.parameters(), 0.1, 0.).unwrap();
    let y = Tensor::zeros([6], (Kind::Int64, Device::Cpu));
    let loss = CrossEntropyLoss::new(Reduction::None);
    let result = train_batch_ch13(&net, &inputs(6, 3, 0), &y, &loss, &mut trainer, &[Device::Cpu]);
    let text = refused("memory is full", "a batch of 6", &result.unwrap_err());
    assert!(text.contains("batch size of 3") && text.contains("the net is as it was"), "{text}");
    let set = common::small_set(2);
    let error = evaluate_accuracy_gpu(&net, &loaders(set.path(), 4).1, None).unwrap_err();
    refused("memory is full, in testing", "a batch of 4", &error);
}

/// Two epochs in one go, or one, a checkpoint, and another in a net and an optimizer made anew.
#[test]
fn a_training_goes_on_from_a_checkpoint_as_if_unbroken() {
    full_precision();
    let set = common::small_set(6);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("half-way.safetensors");
    let loss = CrossEntropyLoss::new(Reduction::None);
    let epoch = |net: &Classifier, trainer: &mut SGD, iters: &(DataLoader, DataLoader)| {
        train_ch13(net, &iters.0, &iters.1, &loss, trainer, 1, &[Device::Cpu]).unwrap();
    };
    let (unbroken, iters) = (two_classes(), augmented(set.path(), 4, 2));
    let mut trainer = groups(&unbroken, 1e-4);
    epoch(&unbroken, &mut trainer, &iters);
    save_checkpoint(&unbroken, &trainer, &path).unwrap();
    epoch(&unbroken, &mut trainer, &iters);

    let resumed = resnet18(Weights::Random).map(|mut net| {
        net.fc = linear(512, 2).unwrap();
        net
    });
    let resumed = resumed.unwrap();
    let mut trainer = groups(&resumed, 99.);
    load_checkpoint(&resumed, &mut trainer, &path).unwrap();
    assert!(format!("{trainer:?}").contains("[0.0001, 0.001]"), "{trainer:?}");
    let iters = augmented(set.path(), 4, 2);
    iters.0.set_epoch(1);
    epoch(&resumed, &mut trainer, &iters);
    for ((name, a), (_, b)) in unbroken.state_dict().iter().zip(resumed.state_dict()) {
        assert_eq!(difference(a, &b), 0., "{name}");
    }
    // The net alone, and what is no checkpoint
    load_weights(&two_classes(), &path).unwrap();
    let mut one_group = SGD::new(resumed.parameters(), 0.1, 0.).unwrap();
    let error = load_checkpoint(&resumed, &mut one_group, &path).unwrap_err();
    refused("a checkpoint of an optimizer with other groups", "half-way", &error);
    save_weights(&resumed, &path).unwrap();
    let error = load_checkpoint(&resumed, &mut trainer, &path).unwrap_err();
    let text = refused("weights in place of a checkpoint", "half-way", &error);
    assert!(text.contains("load_weights"), "{text}");
    for (name, tensor) in resumed.named_parameters() {
        assert!(tensor.requires_grad(), "{name}");
    }
}

/// Loaders with augmentation by chance.
fn augmented(
    folder: &std::path::Path,
    batch_size: usize,
    threads: usize,
) -> (DataLoader, DataLoader) {
    let augs = compose![RandomResizedCrop::new(32), RandomHorizontalFlip::new(0.5), ToTensor];
    let loader = |name| {
        let images = ImageFolder::with_transform(folder.join(name), &augs).unwrap();
        DataLoader::new(images, batch_size).unwrap().shuffle(true).num_workers(threads)
    };
    (loader("train"), loader("test"))
}

/// vision#192, pytorch#31465: threads, not processes, and one seed for order, augmentation and
/// initial values.
#[test]
fn one_seed_gives_the_same_training_whatever_the_number_of_threads() {
    // libtorch's seed is one for the whole process, and other tests draw from it, too.
    const NAME: &str = "one_seed_gives_the_same_training_whatever_the_number_of_threads";
    if !common::in_child(NAME) {
        common::run_in_child(NAME, &[]);
        return;
    }
    let set = common::small_set(6);
    let train = |threads| {
        manual_seed(5);
        let mut net = resnet18(Weights::Random).unwrap();
        net.fc = linear(512, 2).unwrap();
        let (train_iter, test_iter) = augmented(set.path(), 4, threads);
        let mut trainer = SGD::new(net.parameters(), 1e-3, 0.).unwrap();
        let loss = CrossEntropyLoss::new(Reduction::None);
        let devices = [Device::Cpu];
        train_ch13(&net, &train_iter, &test_iter, &loss, &mut trainer, 2, &devices).unwrap();
        net
    };
    let expected = train(1);
    for threads in [2, 5] {
        let net = train(threads);
        for ((name, a), (_, b)) in expected.state_dict().iter().zip(net.state_dict()) {
            assert_eq!(difference(a, &b), 0., "{threads} threads: {name}");
        }
    }
}

#[test]
fn wrong_arguments_are_errors() {
    full_precision();
    let net = Small::new();
    let loss = CrossEntropyLoss::new(Reduction::None);
    let mut trainer = SGD::new(net.parameters(), 0.1, 0.).unwrap();
    let (x, y) = (inputs(2, 3, 0), Tensor::from_slice(&[0i64, 5]));
    let result = train_batch_ch13(&net, &x, &y, &loss, &mut trainer, &[Device::Cpu]);
    refused("a label out of range", "label 5", &result.unwrap_err());
    let y = Tensor::from_slice(&[0i64, 1]);
    // d2l-en#2562
    let error = train_batch_ch13(&net, &x, &y, &loss, &mut trainer, &[]).unwrap_err();
    refused("an empty list of devices", "devices", &error);
    refused("an optimizer without parameters", "SGD", &SGD::new(vec![], 0.1, 0.).unwrap_err());
    for rate in [f64::NAN, -0.1, f64::INFINITY] {
        let error = SGD::new(net.parameters(), rate, 0.).unwrap_err();
        refused("a learning rate that is none", "SGD", &error);
    }
}

/// jupyterlab#5326: no carriage returns and no escapes, which break output that is line by line.
#[test]
fn output_is_whole_lines() {
    const NAME: &str = "output_is_whole_lines";
    if common::in_child(NAME) {
        let set = common::small_set(4);
        let (train_iter, test_iter) = loaders(set.path(), 4);
        let net = two_classes();
        let mut trainer = groups(&net, 1e-5);
        let loss = CrossEntropyLoss::new(Reduction::None);
        let devices = [Device::Cpu];
        train_ch13(&net, &train_iter, &test_iter, &loss, &mut trainer, 2, &devices).unwrap();
        return;
    }
    let text = common::run_in_child(NAME, &[]);
    assert!(text.contains("epoch 2/2: loss") && !text.contains(['\r', '\x1b', '\x08']), "{text:?}");
}

#[test]
fn adam_steps_as_pytorchs() {
    full_precision();
    let layer = linear(12, 3).unwrap();
    fill(&layer);
    let mut trainer = Adam::new(layer.parameters(), 0.01).unwrap();
    let loss = CrossEntropyLoss::new(Reduction::None);
    let y = Tensor::from_slice(&[0i64, 1, 2, 0, 1]);
    for step in 0..20 {
        let x = Tensor::from_slice(&common::noise(60, step)).view([5, 12]);
        train_batch_ch13(&layer, &x, &y, &loss, &mut trainer, &[Device::Cpu]).unwrap();
    }
    let ours: Vec<Tensor> = layer.parameters().iter().map(|p| p.detach().flatten(0, -1)).collect();
    let mut off = Comparison::new(
        "twenty steps of `Adam` with `train_batch_ch13`: all parameters, against PyTorch's",
        "of the largest",
        1e-4,
    );
    let theirs = &reference("training")["adam"];
    let scale = theirs.abs().max().double_value(&[]);
    off.add("a layer of 12 × 3", difference(&Tensor::cat(&ours, 0), theirs) / scale);
    refused("`Adam` without parameters", "no parameters", &Adam::new(vec![], 0.01).unwrap_err());
    let error = Adam::new(layer.parameters(), f64::NAN).unwrap_err();
    refused("`Adam` with a learning rate that is no number", "NaN", &error);
}
