//! `Precision::Auto` against `Precision::Full`.

use crate::common;
use crate::common::report::Comparison;
use crate::common::{difference, fill, inputs};
use d2l::device::multiplies_bf16;
use d2l::prelude::*;

const MODELS: [Architecture; 3] =
    [Architecture::ResNet18, Architecture::ResNet50, Architecture::EfficientNetLite0];

/// C31: bfloat16 keeps eight bits: over many layers a few percent are lost where it is used.
#[test]
fn automatic_precision_stays_near_full() {
    // Elsewhere both are `f32`, and there is nothing to compare.
    if !multiplies_bf16(Device::Cpu) {
        common::report::skipped_here("this processor does not multiply bfloat16");
        return;
    }
    const NAME: &str = "precision::automatic_precision_stays_near_full";
    if !common::in_child(NAME) {
        common::run_in_child(NAME, &[]);
        return;
    }
    let what = "scores in `Precision::Auto`, against `Full`: three models, no training";
    let mut off = Comparison::new(what, "of the largest", 0.1);
    let what = "ten steps in `Precision::Auto`, against `Full`: the losses";
    let mut losses = Comparison::new(what, "of the loss", 0.15);
    for architecture in MODELS {
        let net = Classifier::new(architecture, Weights::Random).unwrap();
        fill(&net);
        net.eval();
        let x = inputs(2, 96, 7);
        let scores = |precision| {
            let _guard = d2l::tch::no_grad_guard();
            set_precision(precision);
            net.forward(&x).unwrap()
        };
        let (rough, exact) = (scores(Precision::Auto), scores(Precision::Full));
        let scale = exact.abs().max().double_value(&[]);
        assert!(difference(&rough, &exact) > 0., "{architecture} computes in one precision only");
        off.add(&architecture.to_string(), difference(&rough, &exact) / scale);
    }
    let ten_steps = |precision| {
        set_precision(precision);
        let mut net = resnet18(Weights::Random).unwrap();
        net.fc = linear(512, 2).unwrap();
        fill(&net);
        let mut trainer = SGD::new(net.parameters(), 2e-4).unwrap().weight_decay(0.001).unwrap();
        let loss = CrossEntropyLoss::new(Reduction::None);
        let step = |i: u64| {
            let (x, y) = (inputs(6, 64, 100 + i), Tensor::from_slice(&[0i64, 1, 0, 1, 0, 1]));
            train_batch_ch13(&net, &x, &y, &loss, &mut trainer, &[Device::Cpu]).unwrap().0
        };
        (0..10).map(step).collect::<Vec<f64>>()
    };
    let (rough, exact) = (ten_steps(Precision::Auto), ten_steps(Precision::Full));
    for (i, (a, b)) in rough.iter().zip(&exact).enumerate() {
        losses.add(&format!("step {i}"), (a - b).abs() / b);
    }
}
