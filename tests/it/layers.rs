//! Layers against PyTorch's, by themselves and in networks that a reader puts together in cells.

use crate::common;
use crate::common::report::{Comparison, refused};
use crate::common::{difference, fill, inputs, noise, reference, reference_folder};
use d2l::nn::{Pair, ReLU6};
use d2l::prelude::*;

/// C31: the precision is one for the whole process, so that each test that computes chooses this one.
fn full_precision() {
    set_precision(Precision::Full);
}

fn zeros(size: &[i64]) -> Tensor {
    Tensor::zeros(size, (Kind::Float, Device::Cpu))
}

/// As in layers.py: `numel` numbers by formula.
fn values(size: &[i64], key: u64) -> Tensor {
    Tensor::from_slice(&noise(size.iter().product::<i64>() as usize, key)).view(size)
}

type Case = (&'static str, Box<dyn Module>, Vec<i64>);

fn case(name: &'static str, layer: impl Into<Box<dyn Module>>, shape: &[i64]) -> Case {
    (name, layer.into(), shape.to_vec())
}

fn lenet() -> Result<Sequential> {
    Ok(sequential![
        Conv2d::new(1, 6, 5)?.padding(2)?,
        Sigmoid::new(),
        AvgPool2d::new(2)?.stride(2)?,
        Conv2d::new(6, 16, 5)?,
        Sigmoid::new(),
        AvgPool2d::new(2)?.stride(2)?,
        Flatten::new(),
        Linear::new(16 * 5 * 5, 120)?,
        Sigmoid::new(),
        Linear::new(120, 84)?,
        Sigmoid::new(),
        Linear::new(84, 10)?,
    ])
}

/// A body, a layer that scores each place, and one that brings the scores to the image's size.
fn fcn() -> Result<Sequential> {
    let mut net = sequential![
        Conv2d::new(3, 8, 3)?.stride(2)?.padding(1)?.bias(false)?,
        BatchNorm2d::new(8)?,
        ReLU::new().inplace(true),
    ];
    net.push_named("final_conv", Conv2d::new(8, 4, 1)?)?;
    net.push_named("transpose_conv", ConvTranspose2d::new(4, 4, 4)?.stride(2)?.padding(1)?)?;
    Ok(net)
}

/// A block that halves height and width, and a layer that says what is at each place.
fn ssd() -> Result<Sequential> {
    let block = sequential![
        Conv2d::new(3, 6, 3)?.padding(1)?,
        BatchNorm2d::new(6)?,
        ReLU::new(),
        MaxPool2d::new(2)?,
    ];
    Ok(sequential![block, AdaptiveAvgPool2d::new([2, 3])?, Conv2d::new(6, 4 * 2, 3)?.padding(1)?])
}

/// The layers of layers.py.
fn cases() -> Result<Vec<Case>> {
    let conv_all = Conv2d::new(4, 8, [3, 5])?.stride([2, 1])?.padding([1, 2])?.dilation([2, 1])?;
    let transpose_all = ConvTranspose2d::new(4, 6, [3, 4])?.stride([3, 2])?.padding([1, 0])?;
    let transpose_all = transpose_all.output_padding([2, 1])?.groups(2)?.bias(false)?;
    let dilated = ConvTranspose2d::new(2, 3, 3)?.dilation(3)?.output_padding(2)?;
    let max_pool_all = MaxPool2d::new([3, 2])?.stride([2, 3])?.padding(1)?.dilation([2, 3])?;
    let avg_pool_all = AvgPool2d::new([3, 2])?.stride(2)?.padding(1)?.ceil_mode(true);
    Ok(vec![
        case("conv", Conv2d::new(3, 8, 5)?, &[2, 3, 12, 10]),
        case("conv_all", conv_all.groups(2)?.bias(false)?, &[2, 4, 13, 11]),
        case(
            "conv_depthwise",
            Conv2d::new(6, 6, 3)?.stride(2)?.padding(1)?.groups(6)?,
            &[2, 6, 9, 8],
        ),
        case("conv_of_one", Conv2d::new(3, 8, 3)?, &[3, 6, 7]),
        case("transpose", ConvTranspose2d::new(3, 8, 4)?, &[2, 3, 5, 6]),
        case(
            "transpose_stride",
            ConvTranspose2d::new(4, 6, 4)?.stride(2)?.padding(1)?,
            &[2, 4, 5, 6],
        ),
        case("transpose_all", transpose_all.dilation([1, 2])?, &[2, 4, 5, 6]),
        case("transpose_dilated", dilated, &[2, 2, 4, 5]),
        case("transpose_of_one", ConvTranspose2d::new(2, 3, 3)?.stride(2)?, &[2, 4, 5]),
        case("max_pool", MaxPool2d::new(2)?, &[2, 3, 9, 8]),
        case("max_pool_all", max_pool_all.ceil_mode(true), &[2, 3, 12, 11]),
        case("max_pool_of_one", MaxPool2d::new(3)?.stride(2)?.padding(1)?, &[3, 8, 8]),
        case("avg_pool", AvgPool2d::new(2)?, &[2, 3, 9, 8]),
        case("avg_pool_all", avg_pool_all.count_include_pad(false), &[2, 3, 8, 7]),
        case("avg_pool_padded", AvgPool2d::new(3)?.stride(1)?.padding(1)?, &[2, 3, 8, 7]),
        case("adaptive", AdaptiveAvgPool2d::new(1)?, &[2, 3, 7, 5]),
        case("adaptive_pair", AdaptiveAvgPool2d::new([3, 2])?, &[2, 3, 7, 5]),
        case("relu", ReLU::new(), &[2, 3, 4]),
        case("relu_inplace", ReLU::new().inplace(true), &[2, 3, 4]),
        case("relu6", ReLU6::new(), &[40]),
        case("relu6_inplace", ReLU6::new().inplace(true), &[40]),
        case("sigmoid", Sigmoid::new(), &[5, 7]),
        case("flatten", Flatten::new(), &[2, 3, 4, 5]),
        case("linear", Linear::new(12, 5)?, &[4, 12]),
        case("linear_without_bias", Linear::new(12, 5)?.bias(false)?, &[2, 3, 12]),
        case("batch_norm", BatchNorm2d::new(5)?, &[3, 5, 4, 2]),
        case("batch_norm_all", BatchNorm2d::new(5)?.eps(0.05)?.momentum(0.3)?, &[3, 5, 4, 2]),
        case("dropout_of_nothing", Dropout::new(0.)?, &[3, 4]),
        case("dropout_of_all", Dropout::new(1.)?, &[3, 4]),
        case("lenet", lenet()?, &[2, 1, 28, 28]),
        case("fcn", fcn()?, &[2, 3, 8, 12]),
        case("ssd", ssd()?, &[2, 3, 16, 12]),
    ])
}

/// Outputs, the gradients of input and parameters, and what training leaves in buffers; a copy
/// computes the same.
#[test]
fn layers_compute_what_pytorchs_compute() {
    full_precision();
    let reference = reference("layers");
    let what = "convolutions, transposed ones, pooling, activations, batch norm, LeNet, a small FCN and \
                SSD: outputs, gradients, buffers";
    let mut off = Comparison::new(what, "of the largest", 1e-5);
    let mut compared = 0;
    for (name, layer, shape) in cases().unwrap() {
        fill(&*layer);
        for layer in [layer.replicate().unwrap(), layer] {
            let x = (values(&shape, 77) * 16).set_requires_grad(true);
            let y = layer.forward(&(&x * 1)).unwrap();
            (&y * values(&y.size(), 78)).sum(Kind::Float).backward();
            let parameters = layer.named_parameters().into_iter();
            let gradients = parameters.map(|(name, tensor)| {
                let values = tensor.grad().flatten(0, -1);
                let count = values.numel() as i64;
                (name, values.narrow(0, 0, count.min(500)))
            });
            let own = [("y".to_string(), y), ("x".to_string(), x.grad())].into_iter();
            for (key, ours) in own.chain(gradients).chain(layer.named_buffers()) {
                let case = format!("{name}/{key}");
                let theirs = &reference[&case];
                let largest = theirs.abs().max().double_value(&[]).max(1.);
                off.add(&case, difference(&ours, theirs) / largest);
                compared += 1;
            }
        }
    }
    let stored = reference.keys().filter(|key| !key.starts_with("drawn/")).count();
    assert_eq!(compared, 2 * stored, "all that is stored is compared");
}

#[test]
fn layers_print_and_name_their_tensors_as_pytorchs_do() {
    let path = reference_folder().join("layers.json");
    let theirs: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    for (name, layer, _) in cases().unwrap() {
        let keys = layer.state_dict().into_iter();
        let keys: Vec<_> = keys.map(|(key, tensor)| format!("{key} {:?}", tensor.size())).collect();
        assert_eq!(serde_json::json!(keys), theirs[name]["keys"], "{name}");
        assert_eq!(format!("{layer:?}"), theirs[name]["repr"].as_str().unwrap(), "{name}");
    }
    assert_eq!(theirs.as_object().unwrap().len(), cases().unwrap().len());
}

/// The same seed, the same values, as far as PyTorch draws in the same order.
#[test]
fn initial_values_are_pytorchs() {
    // The seed is one for the whole process, and other tests draw from it, too.
    const NAME: &str = "layers::initial_values_are_pytorchs";
    if !common::in_child(NAME) {
        common::run_in_child(NAME, &[]);
        return;
    }
    let reference = reference("layers");
    let what = "initial values of layers and of LeNet, and what dropout drops, after the same seed";
    let mut off = Comparison::new(what, "of the largest", 1e-6);
    type Make = fn() -> Result<Box<dyn Module>>;
    let makers: [(&str, Make); 7] = [
        ("conv", || Ok(Conv2d::new(3, 8, 5)?.into())),
        ("conv_pair", || Ok(Conv2d::new(4, 8, [3, 1])?.bias(false)?.into())),
        ("transpose", || Ok(ConvTranspose2d::new(3, 8, 4)?.stride(2)?.into())),
        ("transpose_without_bias", || Ok(ConvTranspose2d::new(3, 8, 4)?.bias(false)?.into())),
        ("linear", || Ok(Linear::new(20, 6)?.into())),
        ("linear_without_bias", || Ok(Linear::new(20, 6)?.bias(false)?.into())),
        ("lenet", || Ok(lenet()?.into())),
    ];
    for (name, make) in makers {
        manual_seed(7);
        for (key, ours) in make().unwrap().named_parameters() {
            let case = format!("drawn/{name}/{key}");
            let theirs = &reference[&case];
            let ours = ours.flatten(0, -1).narrow(0, 0, theirs.numel() as i64);
            off.add(&case, difference(&ours, theirs) / theirs.abs().max().double_value(&[]));
        }
    }
    manual_seed(7);
    let dropped = Dropout::new(0.3).unwrap().forward(&zeros(&[6, 50]).ones_like()).unwrap();
    off.add("dropout", difference(&dropped, &reference["drawn/dropout"]));
}

/// What options draw: groups both tensors anew, a bias itself alone.
#[test]
fn initial_values_stay_within_pytorchs_bounds() {
    let within = |name: &str, tensor: &Tensor, fan_in: f64| {
        let (least, most) = (tensor.min(), tensor.max());
        let bound = 1. / fan_in.sqrt();
        let (least, most) = (least.double_value(&[]), most.double_value(&[]));
        // Of so many values the outermost are not far from the bounds.
        assert!(-bound <= least && most <= bound, "{name}: {least} to {most} for {bound}");
        assert!(
            least < -0.7 * bound && 0.7 * bound < most,
            "{name}: {least} to {most} for {bound}"
        );
    };
    let conv = Conv2d::new(32, 64, [3, 5]).unwrap();
    within("conv", &conv.weight, 480.);
    within("conv's bias", conv.bias.as_ref().unwrap(), 480.);
    let conv = conv.groups(8).unwrap();
    assert_eq!(conv.weight.size(), [64, 4, 3, 5]);
    within("groups", &conv.weight, 60.);
    within("groups' bias", conv.bias.as_ref().unwrap(), 60.);
    let weight = conv.weight.copy();
    let conv = conv.bias(false).unwrap().bias(true).unwrap().groups(8).unwrap();
    assert_eq!(conv.weight, weight);
    within("a bias again", conv.bias.as_ref().unwrap(), 60.);
    let layer = ConvTranspose2d::new(32, 64, 4).unwrap().groups(2).unwrap();
    assert_eq!(layer.weight.size(), [32, 32, 4, 4]);
    within("transposed", &layer.weight, 512.);
    let layer = layer.bias(false).unwrap().bias(true).unwrap();
    assert_eq!(layer.bias.as_ref().unwrap().size(), [64]);
    within("transposed bias", layer.bias.as_ref().unwrap(), 512.);
    let layer = Linear::new(50, 40).unwrap().bias(false).unwrap().bias(true).unwrap();
    within("linear bias", layer.bias.as_ref().unwrap(), 50.);
    assert!(layer.parameters().iter().all(Tensor::requires_grad));
}

#[test]
fn dropout_is_for_training() {
    let net = sequential![sequential![Dropout::new(0.5).unwrap()]];
    let x = zeros(&[100, 100]).ones_like();
    let y = net.forward(&x).unwrap();
    let dropped = y.eq(0.).sum(Kind::Int64).int64_value(&[]);
    assert!((4700..5300).contains(&dropped), "{dropped}");
    assert_eq!(y.max().double_value(&[]), 2.);
    net.eval();
    assert_eq!(net.forward(&x).unwrap(), x);
    assert_eq!(net.copy().unwrap().forward(&x).unwrap(), x, "a copy is in the same mode");
    net.train();
    assert_ne!(net.forward(&x).unwrap(), x);
}

#[test]
fn values_of_ones_own_become_a_layers() {
    full_precision();
    let (fc, conv) = (linear(3, 2).unwrap(), Conv2d::new(3, 2, 1).unwrap());
    let transpose = ConvTranspose2d::new(2, 3, 2).unwrap();
    let weight = Tensor::from_slice(&[1f64, 2., 3., 4., 5., 6.]).set_requires_grad(true);
    fc.set_weight(&weight.view([2, 3])).unwrap();
    fc.set_bias(&Tensor::from_slice(&[10i64, 20])).unwrap();
    let y = fc.forward(&zeros(&[1, 3]).ones_like()).unwrap();
    assert_eq!(Vec::<f32>::try_from(y.flatten(0, -1)).unwrap(), [16., 35.]);
    assert!(fc.weight.requires_grad() && fc.weight.is_leaf() && !weight.grad().defined());
    conv.set_weight(&fc.weight.view([2, 3, 1, 1])).unwrap();
    conv.set_bias(fc.bias.as_ref().unwrap()).unwrap();
    let y = conv.forward(&zeros(&[1, 3, 1, 1]).ones_like()).unwrap();
    assert_eq!(Vec::<f32>::try_from(y.flatten(0, -1)).unwrap(), [16., 35.]);
    transpose.set_weight(&zeros(&[2, 3, 2, 2])).unwrap();
    transpose.set_bias(&Tensor::from_slice(&[1f32, 2., 3.])).unwrap();
    let y = transpose.forward(&zeros(&[1, 2, 1, 1])).unwrap();
    assert_eq!(y.sum(Kind::Float).double_value(&[]), 24.);
    let without = linear(3, 2).unwrap().bias(false).unwrap();
    let cases = [
        ("a weight turned over", "weight", fc.set_weight(&zeros(&[3, 2]))),
        ("a weight in a row", "[6]", conv.set_weight(&zeros(&[6]))),
        ("one number for a bias", "bias", transpose.set_bias(&zeros(&[]))),
        ("a bias for a layer without one", ".bias(true)?", without.set_bias(&zeros(&[2]))),
    ];
    for (what, named, result) in cases {
        refused(what, named, &result.unwrap_err());
    }
}

#[test]
fn options_that_cannot_be_are_refused() {
    let transpose = || ConvTranspose2d::new(4, 6, 3).unwrap();
    let error = |made: Result<ConvTranspose2d>| made.unwrap_err();
    let max = || MaxPool2d::new(3).unwrap();
    let most = i64::MAX;
    let cases = [
        ("groups of 0", "ConvTranspose2d: groups", error(transpose().groups(0))),
        ("groups that do not divide", "ConvTranspose2d: groups", error(transpose().groups(4))),
        ("a stride of 0", "ConvTranspose2d: stride", error(transpose().stride([2, 0]))),
        ("a padding below 0", "ConvTranspose2d: padding", error(transpose().padding(-1))),
        ("a dilation of 0", "ConvTranspose2d: dilation", error(transpose().dilation(0))),
        (
            "an output padding as large as the stride",
            "ConvTranspose2d: output_padding",
            error(transpose().stride(2).and_then(|layer| layer.output_padding(2))),
        ),
        (
            "an output padding before its stride",
            ".stride(2)?.output_padding(1)?",
            error(transpose().output_padding(1)),
        ),
        (
            "a stride that becomes too small",
            "ConvTranspose2d: output_padding",
            error(transpose().stride(2).and_then(|layer| layer.output_padding(1)?.stride(1))),
        ),
        (
            "an output padding below 0",
            "ConvTranspose2d: output_padding",
            error(transpose().output_padding(-1)),
        ),
        ("a kernel of 0", "ConvTranspose2d: kernel_size", error(ConvTranspose2d::new(4, 6, 0))),
        ("no inputs", "ConvTranspose2d: in_channels", error(ConvTranspose2d::new(0, 6, 3))),
        ("no outputs", "ConvTranspose2d: out_channels", error(ConvTranspose2d::new(4, 0, 3))),
        (
            "more than memory holds",
            "ConvTranspose2d: weight",
            error(ConvTranspose2d::new(1 << 40, 1 << 20, 3)),
        ),
        ("a window of 0", "MaxPool2d: kernel_size", MaxPool2d::new(0).unwrap_err()),
        ("a window beyond all sizes", "MaxPool2d: kernel_size", MaxPool2d::new(most).unwrap_err()),
        ("a window's stride of 0", "MaxPool2d: stride", max().stride(0).unwrap_err()),
        ("a window's padding below 0", "MaxPool2d: padding", max().padding(-1).unwrap_err()),
        ("padding above half of the window", "take 1 or less", max().padding(2).unwrap_err()),
        ("a window's dilation of 0", "MaxPool2d: dilation", max().dilation(0).unwrap_err()),
        ("a mean over nothing", "AvgPool2d: kernel_size", AvgPool2d::new([2, 0]).unwrap_err()),
        (
            "a mean's stride of 0",
            "AvgPool2d: stride",
            AvgPool2d::new(2).unwrap().stride(0).unwrap_err(),
        ),
        (
            "a mean's padding above half of the window",
            "AvgPool2d: padding",
            AvgPool2d::new(2).unwrap().padding([1, 2]).unwrap_err(),
        ),
        (
            "a mean of no size",
            "AdaptiveAvgPool2d: output_size",
            AdaptiveAvgPool2d::new([1, 0]).unwrap_err(),
        ),
        ("a probability of 2", "Dropout: p", Dropout::new(2.).unwrap_err()),
        ("a probability below 0", "Dropout: p", Dropout::new(-0.1).unwrap_err()),
        ("a probability that is none", "Dropout: p", Dropout::new(f64::NAN).unwrap_err()),
    ];
    for (what, named, error) in &cases {
        refused(&format!("a layer with {what}"), named, error);
    }
    // The dilation makes the window larger.
    let wide = max().dilation(2).unwrap().padding(2).unwrap();
    refused("a dilation less", "MaxPool2d: padding", &wide.dilation(1).unwrap_err());
    assert_eq!(Pair::from(3), Pair::from([3, 3]));
}

/// What each layer says of an input that is not for it.
#[test]
fn layers_say_what_they_take() {
    full_precision();
    let transpose = ConvTranspose2d::new(3, 2, 3).unwrap().padding(2).unwrap();
    let pool = MaxPool2d::new(3).unwrap();
    let mean = AvgPool2d::new([2, 4]).unwrap();
    let adaptive = AdaptiveAvgPool2d::new(1).unwrap();
    let (relu, relu6, sigmoid) = (ReLU::new(), ReLU6::new(), Sigmoid::new());
    let (flatten, dropout) = (Flatten::new(), Dropout::new(0.5).unwrap());
    let without = linear(3, 2).unwrap().bias(false).unwrap();
    let layers: [&dyn Module; 10] = [
        &transpose, &pool, &mean, &adaptive, &relu, &relu6, &sigmoid, &flatten, &dropout, &without,
    ];
    let pixels = Tensor::zeros([2, 3, 8, 8], (Kind::Uint8, Device::Cpu));
    let mut cases: Vec<(&dyn Module, Tensor, &str)> =
        layers.into_iter().map(|layer| (layer, pixels.shallow_clone(), "still pixels")).collect();
    cases.extend([
        (&transpose as &dyn Module, zeros(&[2, 4, 8, 8]), "3 channels: [N, 3, H, W]"),
        (&transpose, zeros(&[2, 3]), "without flattening"),
        (&transpose, zeros(&[2, 3, 1, 4]), "-1×2 pixels would come out"),
        (&pool, zeros(&[2, 3, 2, 8]), "3×3 pixels or more"),
        (&pool, zeros(&[2, 3]), "[N, C, H, W]"),
        (&pool, zeros(&[2, 3, 0, 4]), "of a pixel or more"),
        (&mean, zeros(&[3, 1, 8]), "2×4 pixels or more"),
        (&mean, zeros(&[]), "[N, C, H, W]"),
        (&adaptive, zeros(&[1, 2, 3, 8, 8]), "x.squeeze_dim(0)"),
        (&adaptive, zeros(&[2, 3, 0, 0]), "of a pixel or more"),
        (&flatten, zeros(&[3]), "x.unsqueeze(0)"),
        (&without, zeros(&[2, 4]), "3 features: [N, 3]"),
    ]);
    for (layer, x, named) in &cases {
        let error = layer.forward(x).map(|y| panic!("{layer:?}: {y:?}")).unwrap_err();
        let text = refused("an input that a layer does not take", named, &error);
        assert!(text.starts_with(&format!("{layer:?}: ")), "{text}");
        let is_shape = matches!(&error, Error::ShapeMismatch { shape, .. } if *shape == x.size());
        assert_eq!(is_shape, *named != "still pixels", "{text}");
    }
}

#[test]
fn a_sequence_is_taken_apart() {
    full_precision();
    let mut net = fcn().unwrap();
    let names =
        |net: &Sequential| net.children().into_iter().map(|(name, _)| name).collect::<Vec<_>>();
    assert_eq!(names(&net), ["0", "1", "2", "final_conv", "transpose_conv"]);
    assert_eq!((net.len(), net.is_empty(), Sequential::new().is_empty()), (5, false, true));
    assert_eq!(Sequential::new().to_string(), "Sequential()");
    assert_eq!(format!("{:?}", &net[2]), "ReLU(inplace=True)");
    assert!(net.get(5).is_none());
    assert_eq!(net.layer::<Conv2d>("final_conv").unwrap().weight.size(), [4, 8, 1, 1]);

    let x = inputs(2, 8, 3);
    let whole = net.forward(&x).unwrap();
    let head = net.split_off(3);
    assert_eq!(names(&head), ["final_conv", "transpose_conv"]);
    assert_eq!(head.forward(&net.forward(&x).unwrap()).unwrap(), whole);
    assert!(net.split_off(9).is_empty());
    let norm = net.remove(1).unwrap();
    assert!(net.remove(2).is_none());
    assert_eq!(names(&net), ["0", "1"], "those without a name are numbered");
    net.push(norm);
    net.truncate(9);
    assert_eq!(format!("{:?}", &net[2]).split('(').next(), Some("BatchNorm2d"));
    net.truncate(1);
    // Layers in layers have names with a dot.
    let outer = sequential![net, head];
    assert_eq!(outer.layer::<Conv2d>("1.final_conv").unwrap().weight.size(), [4, 8, 1, 1]);

    let mut net = Sequential::new();
    net.push_named("conv1", Conv2d::new(3, 4, 3).unwrap()).unwrap();
    for (what, name) in [
        ("a name twice", "conv1"),
        ("no name", ""),
        ("a name with a dot", "layer1.0"),
        ("a number for a name", "1"),
    ] {
        let error = net.push_named(name, ReLU::new()).unwrap_err();
        refused(&format!("a sequence: {what}"), &format!("{name:?}"), &error);
    }
    assert_eq!(net.len(), 1);
    let error = net.layer::<BatchNorm2d>("conv1").unwrap_err();
    refused("a sequence: a layer of another type", "a BatchNorm2d", &error);
    for name in ["conv2", "conv1.0", ""] {
        let error = net.layer::<Conv2d>(name).unwrap_err();
        refused("a sequence: a name that is not there", "one of conv1", &error);
        net.outputs(&["conv1", name], &x).unwrap_err();
    }
    assert!(net.outputs(&[], &x).unwrap().is_empty());
}

/// As on their way through, also where the next layer works in place.
#[test]
fn outputs_of_chosen_layers() {
    full_precision();
    let net = resnet18(Weights::Random).unwrap();
    fill(&net);
    net.eval();
    let x = inputs(2, 64, 1);
    let names = ["layer4", "bn1", "layer2.1", "layer2", "layer4"];
    let outputs = net.features.outputs(&names, &x).unwrap();
    let mut found = vec![];
    let mut y = x.shallow_clone();
    for (name, layer) in net.features.children() {
        y = layer.forward(&y).unwrap();
        if names.contains(&name.as_str()) {
            found.push((name, y.copy()));
        }
    }
    assert_eq!(found.len(), 3);
    for (name, expected) in &found {
        for (i, _) in names.iter().enumerate().filter(|(_, other)| other == &name) {
            assert_eq!(outputs[i], *expected, "{name}");
        }
    }
    assert_eq!(outputs[2], outputs[3], "the last block is what the layer puts out");
    assert!(outputs[1].min().double_value(&[]) < 0., "before its activation");
    // Gradients flow back through them, and the scores are the network's.
    let features = &net.features.outputs(&["bn1", "flatten"], &x).unwrap();
    assert_eq!(net.fc.forward(&features[1]).unwrap(), net.forward(&x).unwrap());
    (features[0].sum(Kind::Float) + features[1].sum(Kind::Float)).backward();
    let conv1 = net.features.layer::<Conv2d>("conv1").unwrap();
    assert!(conv1.weight.grad().abs().sum(Kind::Float).double_value(&[]) > 0.);
    // What a layer in the sequence refuses is named as in a forward pass.
    let error = net.features.outputs(&["layer2.1"], &zeros(&[3, 8, 8])).unwrap_err();
    assert!(error.to_string().starts_with("layer conv1, Conv2d(3, 64, "), "{error}");
    net.features.layer::<Sequential>("layer2").unwrap();
    let narrow = sequential![sequential![Conv2d::new(3, 4, 1).unwrap(), linear(2, 2).unwrap()]];
    let error = narrow.outputs(&["0.1"], &zeros(&[1, 3, 8, 8])).unwrap_err();
    assert!(error.to_string().starts_with("layer 0.1, Linear("), "{error}");
}

/// Which places of an image speak for a class (Zhou et al., 2016).
#[test]
fn a_class_activation_map_is_a_few_lines() {
    full_precision();
    let net = common::two_classes();
    net.eval();
    let x = inputs(1, 96, 2);

    let maps = net.features.outputs(&["layer4"], &x).unwrap().remove(0); // [1, 512, 3, 3]
    let scores = net.fc.forward(&maps.mean_dim([2, 3].as_slice(), false, Kind::Float)).unwrap();
    let class = scores.argmax(1, false);
    let weight = net.fc.weight.index_select(0, &class).view([1, -1, 1, 1]);
    let cam = (&maps * weight).sum_dim_intlist(1, false, Kind::Float); // [1, 3, 3]

    assert_eq!(cam.size(), [1, 3, 3]);
    // Their mean and the bias are the class's score.
    let bias = net.fc.bias.as_ref().unwrap().index_select(0, &class);
    let score = net.forward(&x).unwrap().index_select(1, &class).squeeze();
    let difference = (cam.mean(Kind::Float) + bias.squeeze() - &score).abs().double_value(&[]);
    assert!(difference < 1e-4 * score.abs().double_value(&[]).max(1.), "{difference}");
    assert!(cam.std(false).double_value(&[]) > 1e-3, "places differ");
}

/// Networks put together in cells learn: their loss becomes smaller.
#[test]
fn networks_from_cells_learn() {
    full_precision();
    let (x, grey) = (inputs(4, 16, 5), inputs(4, 28, 5).narrow(1, 0, 1));
    let y = Tensor::from_slice(&[0i64, 1, 2, 3]);
    let masks = x.narrow(1, 0, 1).squeeze_dim(1).gt(0.).to_kind(Kind::Int64);
    let (lenet, fcn) = (lenet().unwrap(), fcn().unwrap());
    init_cnn(&lenet).unwrap();
    let mut ssd = ssd().unwrap();
    ssd.push(Flatten::new());
    ssd.push(Dropout::new(0.1).unwrap());
    ssd.push(linear(48, 4).unwrap());
    let cases: [(&str, &dyn Module, &Tensor, &Tensor, f64); 3] = [
        ("LeNet", &lenet, &grey, &y, 0.9),
        ("a small FCN", &fcn, &x, &masks, 0.2),
        ("a small SSD", &ssd, &x, &y, 0.2),
    ];
    for (name, net, x, y, rate) in cases {
        let loss = || {
            let scores = net.forward(x).unwrap();
            scores.cross_entropy_loss::<Tensor>(y, None, Reduction::Mean, -100, 0.)
        };
        let first = loss().double_value(&[]);
        for _ in 0..60 {
            net.parameters().iter_mut().for_each(Tensor::zero_grad);
            loss().backward();
            let _guard = d2l::tch::no_grad_guard();
            for mut p in net.parameters() {
                let step = p.grad() * rate;
                let _ = p.g_sub_(&step);
            }
        }
        net.eval();
        let last = loss().double_value(&[]);
        assert!(last < 0.8 * first, "{name}: {first} to {last}");
    }
}

/// In bfloat16 outputs stay near, and have its type where a layer multiplies; gradients come through.
#[test]
fn layers_in_automatic_precision() {
    if !d2l::device::multiplies_bf16(Device::Cpu) {
        common::report::skipped_here("this processor does not multiply bfloat16");
        return;
    }
    const NAME: &str = "layers::layers_in_automatic_precision";
    if !common::in_child(NAME) {
        common::run_in_child(NAME, &[]);
        return;
    }
    let what = "layers in `Precision::Auto`, against `Full`: outputs and the inputs' gradients";
    let mut off = Comparison::new(what, "of the largest", 0.05);
    // Where the largest of a window changes, so does the place that the gradient goes to.
    let cases = cases().unwrap().into_iter().filter(|(name, ..)| *name != "ssd");
    for (name, layer, shape) in cases {
        fill(&*layer);
        let compute = |precision| {
            set_precision(precision);
            let x = (values(&shape, 77) * 16).set_requires_grad(true);
            let y = layer.forward(&(&x * 1)).unwrap();
            (&y * values(&y.size(), 78)).sum(Kind::Float).backward();
            (y, x.grad())
        };
        let (exact, rough) = (compute(Precision::Full), compute(Precision::Auto));
        if name.starts_with("conv") || name.starts_with("transpose") {
            assert_eq!((exact.0.kind(), rough.0.kind()), (Kind::Float, Kind::BFloat16), "{name}");
        }
        for (what, exact, rough) in [("y", exact.0, rough.0), ("x", exact.1, rough.1)] {
            let largest = exact.abs().max().double_value(&[]).max(1.);
            off.add(&format!("{name}/{what}"), difference(&rough, &exact) / largest);
        }
    }
}
