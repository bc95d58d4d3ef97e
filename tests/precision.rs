//! `Precision::Auto` against `Precision::Full`. A file of its own, as the precision is one for a
//! whole process.

mod common;

use common::{difference, fill, inputs};
use d2l::prelude::*;

#[test]
fn automatic_precision_stays_near_full() {
    let net = resnet18(Weights::Random).unwrap();
    fill(&net);
    net.eval();
    let x = inputs(2, 96, 7);
    let _guard = d2l::tch::no_grad_guard();
    // bfloat16 keeps eight bits; over 18 layers a few percent are lost where it is used.
    set_precision(Precision::Auto);
    let rough = net.forward(&x).unwrap();
    set_precision(Precision::Full);
    let exact = net.forward(&x).unwrap();
    let scale = exact.abs().max().double_value(&[]);
    let off = difference(&rough, &exact) / scale;
    assert!(off < 0.05, "off by {off} of the largest score");
}
