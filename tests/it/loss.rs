//! The losses against PyTorch, forward and backward.

use crate::common::report::{Comparison, refused};
use crate::common::{difference, fill, inputs, noise, reference};
use d2l::nn::Visitor;
use d2l::prelude::*;

const REDUCTIONS: [(&str, Reduction); 3] =
    [("none", Reduction::None), ("mean", Reduction::Mean), ("sum", Reduction::Sum)];

fn drawn(shape: &[i64], key: u64) -> Tensor {
    Tensor::from_slice(&noise(shape.iter().product::<i64>() as usize, key)).view(shape)
}

/// As in losses.py.
fn labels(shape: &[i64]) -> Tensor {
    let mut y: Vec<i64> = (0..shape.iter().product()).map(|i| i * 7 % 5).collect();
    y[3] = -100;
    Tensor::from_slice(&y).view(shape)
}

fn compare(off: &mut Comparison, name: &str, loss: &dyn Loss, y_hat: Tensor, y: &Tensor) {
    let theirs = reference("losses");
    let y_hat = y_hat.set_requires_grad(true);
    let ours = loss.forward(&y_hat, y).unwrap();
    ours.sum(Kind::Float).backward();
    let gradient = format!("{name}/gradient");
    for (name, ours) in [(name, ours.detach()), (&gradient, y_hat.grad())] {
        let scale = theirs[name].abs().max().double_value(&[]);
        off.add(name, difference(&ours, &theirs[name]) / scale);
    }
}

#[test]
fn cross_entropy_is_pytorchs() {
    let weight = Tensor::from_slice(&[1f32, 0.5, 2., 0., 3.]);
    let mut off = Comparison::new(
        "`CrossEntropyLoss` of images, masks and probabilities, with weights of classes and label \
         smoothing, for each reduction: the loss and its gradient, against PyTorch",
        "of the largest",
        1e-6,
    );
    for (reduction_name, reduction) in REDUCTIONS {
        for weighted in [false, true] {
            for smoothing in [0., 0.1] {
                let mut loss = CrossEntropyLoss::new(reduction).label_smoothing(smoothing).unwrap();
                if weighted {
                    loss = loss.weight(&weight).unwrap();
                }
                let kind = if weighted { "weighted" } else { "plain" };
                let name = |what| format!("{what}/{reduction_name}/{kind}/{smoothing:?}");
                let scores = || drawn(&[6, 5], 0) * 8.;
                compare(&mut off, &name("images"), &loss, scores(), &labels(&[6]));
                let parts = (drawn(&[6, 5], 9) * 4.).softmax(1, Kind::Float);
                compare(&mut off, &name("parts"), &loss, scores(), &parts);
                let scores = drawn(&[2, 5, 3, 4], 1) * 8.;
                compare(&mut off, &name("masks"), &loss, scores, &labels(&[2, 3, 4]));
            }
        }
    }
}

#[test]
fn l1_is_pytorchs() {
    let what = "`L1Loss` for each reduction: the loss and its gradient, against PyTorch";
    let mut off = Comparison::new(what, "of the largest", 1e-6);
    for (name, reduction) in REDUCTIONS {
        let (y_hat, y) = (drawn(&[3, 8], 1), drawn(&[3, 8], 2));
        compare(&mut off, &format!("l1/{name}"), &L1Loss::new(reduction), y_hat, &y);
    }
}

#[test]
fn what_makes_no_loss_is_refused() {
    let loss = || CrossEntropyLoss::new(Reduction::None);
    for part in [-0.1, 1.1, f64::NAN, f64::INFINITY] {
        let error = loss().label_smoothing(part).unwrap_err();
        refused("label smoothing that is no part of 1", "label_smoothing", &error);
    }
    loss().label_smoothing(1.).unwrap();
    let row = |values: &[f32]| Tensor::from_slice(values);
    let cases = [
        ("weights that are no list", row(&[1., 2.]).view([1, 2]), "[1, 2]"),
        ("no weights", row(&[]), "[0]"),
        ("no tensor of weights", Tensor::new(), "[]"),
        ("a weight below 0", row(&[1., -2.]), "-2"),
        ("a weight that is no number", row(&[1., f32::NAN]), "NaN"),
    ];
    for (what, weight, named) in cases {
        refused(what, named, &loss().weight(&weight).unwrap_err());
    }
    let two = loss().weight(&row(&[1., 2.])).unwrap();
    let (scores, y) = (Tensor::zeros([4, 3], (Kind::Float, Device::Cpu)), labels(&[4]));
    let error = two.forward(&scores, &y.clamp_max(2)).unwrap_err();
    refused("other weights than the network has outputs", "2 weights", &error);
    // Whole numbers, and one example without a dimension of its own.
    let three = loss().weight(&Tensor::from_slice(&[1i64, 2, 3])).unwrap();
    let one = three.forward(&scores.get(0), &Tensor::from(1i64)).unwrap();
    assert!((one.double_value(&[]) - 2. * 3f64.ln()).abs() < 1e-6);
    let error = L1Loss::new(Reduction::Sum).forward(&scores, &scores.get(0)).unwrap_err();
    refused("`L1Loss` of targets of another shape", "targets", &error);
    assert!(matches!(error, Error::ShapeMismatch { ref shape, .. } if shape == &[3]), "{error}");
}

/// A network that gives each pixel its scores.
#[derive(Debug)]
struct Pixels(Linear);

impl Pixels {
    fn new() -> Pixels {
        let net = Pixels(linear(3, 4).unwrap());
        fill(&net);
        net
    }
}

impl Module for Pixels {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        Ok(self.0.forward(&x.f_permute([0, 2, 3, 1])?)?.f_permute([0, 3, 1, 2])?)
    }

    fn visit(&self, visitor: &mut Visitor) {
        self.0.visit(visitor);
    }

    fn replicate(&self) -> Result<Box<dyn Module>> {
        Ok(Box::new(Pixels(self.0.copy()?)))
    }
}

/// The book's loss of section 14.11.
fn mean_over_pixels(scores: &Tensor, masks: &Tensor) -> Result<Tensor> {
    let pixels = CrossEntropyLoss::new(Reduction::None).forward(scores, masks)?;
    Ok(pixels.f_mean_dim(&[1i64, 2][..], false, Kind::Float)?)
}

/// Masks `[N, H, W]` go through the book's step as labels `[N]` do.
#[test]
fn masks_are_learned_from() {
    set_precision(Precision::Full);
    let x = inputs(5, 6, 3);
    let mut masks = Tensor::arange(180, (Kind::Int64, Device::Cpu)).remainder(4).view([5, 6, 6]);
    let scores = Pixels::new().forward(&x).unwrap();
    let expected = mean_over_pixels(&scores, &masks).unwrap().sum(Kind::Double).double_value(&[]);
    let right = scores.argmax(1, false).eq_tensor(&masks).sum(Kind::Int64).int64_value(&[]);
    assert_eq!(accuracy(&scores, &masks).unwrap(), right as f64);
    assert!(right > 0 && right < 180);
    for count in [1, 2, 3] {
        let net = Pixels::new();
        let before = net.0.weight.copy();
        let mut trainer = SGD::new(net.parameters(), 0.1).unwrap();
        let devices = vec![Device::Cpu; count];
        let (loss, found) =
            train_batch_ch13(&net, &x, &masks, &mean_over_pixels, &mut trainer, &devices).unwrap();
        assert!((loss - expected).abs() < 1e-5 && found == right as f64, "{loss}, {expected}");
        assert!(difference(&before, &net.0.weight) > 1e-3);
        // Pixels that do not count, and labels that are no class.
        let _ = masks.get(0).fill_(-100);
        let step = train_batch_ch13(&net, &x, &masks, &mean_over_pixels, &mut trainer, &devices);
        assert!(step.unwrap().0 < loss);
        let _ = masks.get(0).fill_(255);
        let step = train_batch_ch13(&net, &x, &masks, &mean_over_pixels, &mut trainer, &devices);
        refused("a mask with a colour that is no class", "label 255", &step.unwrap_err());
        masks.copy_(&Tensor::arange(180, (Kind::Int64, Device::Cpu)).remainder(4).view([5, 6, 6]));
    }
    let net = Pixels::new();
    let mut trainer = SGD::new(net.parameters(), 0.1).unwrap();
    let small = masks.narrow(2, 0, 5);
    let loss = CrossEntropyLoss::new(Reduction::None);
    let step = train_batch_ch13(&net, &x, &small, &loss, &mut trainer, &[Device::Cpu]);
    refused("masks of another size than the scores", "[5, 6, 5]", &step.unwrap_err());
}

/// Numbers as targets: there is a loss, and no accuracy.
#[test]
fn numbers_are_learned_from() {
    set_precision(Precision::Full);
    let x = drawn(&[6, 3], 1);
    let y = x.matmul(&drawn(&[3, 2], 2));
    for count in [1, 2] {
        let net = linear(3, 2).unwrap();
        fill(&net);
        let mut trainer = SGD::new(net.parameters(), 0.05).unwrap();
        let devices = vec![Device::Cpu; count];
        let mut step = |loss: &dyn Loss, y: &Tensor| {
            train_batch_ch13(&net, &x, y, loss, &mut trainer, &devices)
        };
        let l1 = L1Loss::new(Reduction::None);
        let (first, right) = step(&l1, &y).unwrap();
        let last = (0..100).map(|_| step(&l1, &y).unwrap().0).last().unwrap();
        assert!(last < 0.7 * first && right.is_nan(), "{first}, {last}, {right}");
        let error = step(&l1, &y.narrow(1, 0, 1)).unwrap_err();
        refused("targets of another shape than the predictions", "targets", &error);
        // Probabilities, as of two images that are mixed
        let parts = (drawn(&[6, 2], 3) * 4.).softmax(1, Kind::Float);
        let (sum, right) = step(&CrossEntropyLoss::new(Reduction::None), &parts).unwrap();
        assert!(sum > 0. && right.is_nan());
    }
}
