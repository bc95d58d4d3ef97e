//! Models against torchvision's and the package that EfficientNet-Lite0's weights come from.

use crate::common;
use crate::common::report::{Comparison, refused};
use crate::common::{difference, fill, inputs, reference};
use d2l::nn::init::{kaiming_normal_fan_out, uniform};
use d2l::prelude::*;

/// C31: the precision is global to the process, so each test that computes chooses this one.
fn full_precision() {
    set_precision(Precision::Full);
}

const CLASSIFIERS: [(Architecture, &str); 4] = [
    (Architecture::ResNet18, "resnet18"),
    (Architecture::ResNet34, "resnet34"),
    (Architecture::ResNet50, "resnet50"),
    (Architecture::EfficientNetLite0, "efficientnet_lite0"),
];

/// All models that have a reference, with their numbers of parameters.
fn models() -> Vec<(&'static str, Box<dyn Module>, usize)> {
    let counts = [11_689_512, 21_797_672, 25_557_032, 4_652_008];
    let classifiers = CLASSIFIERS.into_iter().zip(counts).map(|((architecture, name), count)| {
        let net = Classifier::new(architecture, Weights::Random).unwrap();
        (name, Box::new(net) as Box<dyn Module>, count)
    });
    let small = Box::new(d2l::resnet18(10, 3).unwrap()) as Box<dyn Module>;
    classifiers.chain([("book_resnet18", small, 11_176_970)]).collect()
}

#[test]
fn keys_and_shapes_are_those_of_the_reference() {
    let what = "keys of the state dict: names, order, shapes, and the number of parameters";
    let mut exact = Comparison::new(what, "keys", 0.);
    for (name, net, count) in models() {
        let path = common::reference_folder().join(name).with_extension("keys");
        let theirs = std::fs::read_to_string(path).unwrap();
        let state = net.state_dict();
        assert_eq!(state.len(), theirs.lines().count(), "{name}");
        for ((key, tensor), theirs) in state.iter().zip(theirs.lines()) {
            let differs = format!("{key} {:?}", tensor.size()) != theirs;
            exact.add(&format!("{name}: {key}, {theirs}"), f64::from(u8::from(differs)));
        }
        let parameters: usize = net.parameters().iter().map(Tensor::numel).sum();
        assert_eq!(parameters, count, "{name}");
    }
}

#[test]
fn outputs_agree_in_both_modes() {
    full_precision();
    let reference = reference("models");
    let mut off = Comparison::new(
        "outputs of ResNet-18, 34, 50, EfficientNet-Lite0 and the book's ResNet-18 in both modes, and \
         what training leaves in their statistics, same state dict and input",
        "of the largest",
        1e-4,
    );
    for (name, net, _) in models() {
        fill(&*net);
        let x = inputs(2, 96, 7);
        let mut close = |ours: &Tensor, mode: &str| {
            let theirs = &reference[&format!("{name}/{mode}")];
            let scale = theirs.abs().max().double_value(&[]).max(1.);
            off.add(&format!("{name}, {mode}"), difference(ours, theirs) / scale);
        };
        let _guard = d2l::tch::no_grad_guard();
        net.eval();
        close(&net.forward(&x).unwrap(), "eval");
        net.train();
        close(&net.forward(&x).unwrap(), "train");
        let running: Vec<f64> = net
            .named_buffers()
            .iter()
            .filter(|(name, _)| name.contains("running"))
            .map(|(_, tensor)| tensor.sum(Kind::Double).double_value(&[]))
            .collect();
        close(&Tensor::from_slice(&running), "running");
    }
}

/// pytorch#12259: batch norm starts with 1 and 0. Mean and spread of each layer's initial values,
/// within random variation.
#[test]
fn initial_values_are_distributed_as_torchvisions() {
    // The seed is global to the process, and other tests draw from it, too.
    const NAME: &str = "models::initial_values_are_distributed_as_torchvisions";
    if !common::in_child(NAME) {
        common::run_in_child(NAME, &[]);
        return;
    }
    manual_seed(3);
    let reference = reference("models");
    let what = "initial values of ResNet-18, 34 and 50: mean and spread of each layer";
    let mut off = Comparison::new(what, "standard errors", 6.);
    for (architecture, net) in CLASSIFIERS.into_iter().take(3) {
        let state = Classifier::new(architecture, Weights::Random).unwrap().state_dict();
        let kept = state.iter().filter(|(name, _)| !name.ends_with("num_batches_tracked"));
        for (i, (name, tensor)) in kept.enumerate() {
            let values = tensor.to_kind(Kind::Double).flatten(0, -1);
            let expected =
                |what: &str| reference[&format!("{net}/initial_{what}")].double_value(&[i as i64]);
            let std = values.std(false).double_value(&[]);
            let mean = values.mean(None).double_value(&[]);
            // Both sides are random, so the difference varies by a factor of √2 more.
            let error = expected("std") * (2. / values.numel() as f64).sqrt() + 1e-12;
            let case = format!("{net}: {name}");
            off.add(&case, (mean - expected("mean")).abs() / error);
            off.add(&case, (std - expected("std")).abs() / error);
        }
    }
}

#[test]
fn a_copy_has_tensors_of_its_own() {
    full_precision();
    let mut net = efficientnet_lite0(Weights::Random).unwrap();
    net.fc = linear(net.fc.in_features(), 2).unwrap();
    let _ = net.fc.bias.as_ref().unwrap().set_requires_grad(false);
    let copy = net.copy().unwrap();
    assert_eq!(copy.fc.out_features(), 2);
    assert!(!copy.fc.bias.as_ref().unwrap().requires_grad() && copy.fc.weight.requires_grad());
    for ((name, ours), (_, theirs)) in net.state_dict().iter().zip(copy.state_dict()) {
        assert_eq!(difference(ours, &theirs), 0., "{name}");
        assert_ne!(ours.data_ptr(), theirs.data_ptr(), "{name}");
    }
}

fn zeros(size: &[i64]) -> Tensor {
    Tensor::zeros(size, (Kind::Float, Device::Cpu))
}

/// C32: copying a network leaves the random numbers that follow as they are.
#[test]
fn a_copy_draws_no_random_numbers() {
    const NAME: &str = "models::a_copy_draws_no_random_numbers";
    if !common::in_child(NAME) {
        common::run_in_child(NAME, &[]);
        return;
    }
    let draw = || Tensor::rand([8], (Kind::Float, Device::Cpu));
    let classifiers =
        CLASSIFIERS.map(|(architecture, _)| Classifier::new(architecture, Weights::Random));
    let classifiers: Vec<Classifier> = classifiers.into_iter().map(Result::unwrap).collect();
    let book = d2l::resnet18(10, 3).unwrap();
    let layer = linear(4, 2).unwrap();
    manual_seed(4);
    let expected = draw();
    let same = |what: &str, copy: &dyn Fn()| {
        manual_seed(4);
        copy();
        assert_eq!(draw(), expected, "{what}");
    };
    for net in &classifiers {
        same(&net.architecture().to_string(), &|| drop(net.copy().unwrap()));
        same("a replica", &|| drop(net.replicate().unwrap()));
    }
    same("the book's ResNet-18", &|| drop(book.copy().unwrap()));
    same("its replica", &|| drop(book.replicate().unwrap()));
    same("a layer", &|| drop(layer.copy().unwrap()));
}

/// A copy is in the mode of the original, freezes what it freezes, and computes the same.
#[test]
fn a_copy_is_as_the_original_is() {
    full_precision();
    let frozen = |net: &dyn Module| -> Vec<bool> {
        net.parameters().iter().map(Tensor::requires_grad).collect()
    };
    for (name, net, _) in models() {
        for (i, parameter) in net.parameters().iter().enumerate() {
            let _ = parameter.set_requires_grad(i % 3 > 0);
        }
        for training in [true, false] {
            if training {
                net.train()
            } else {
                net.eval()
            }
            let copy = net.replicate().unwrap();
            assert_eq!(frozen(&*net), frozen(&*copy), "{name}");
            let x = inputs(2, 64, 1);
            let _guard = d2l::tch::no_grad_guard();
            let (ours, theirs) = (copy.forward(&x).unwrap(), net.forward(&x).unwrap());
            assert_eq!(difference(&ours, &theirs), 0., "{name}, training: {training}");
            for ((key, a), (_, b)) in net.state_dict().iter().zip(copy.state_dict()) {
                assert_eq!(difference(a, &b), 0., "{name}: {key}");
                assert_ne!(a.data_ptr(), b.data_ptr(), "{name}: {key}");
            }
        }
    }
    // A custom module in place of the features is copied by its own `replicate`.
    #[derive(Debug)]
    struct Flat;
    impl Module for Flat {
        fn forward(&self, x: &Tensor) -> Result<Tensor> {
            Ok(x.f_flatten(1, -1)?)
        }
        fn visit(&self, _: &mut Visitor) {}
        fn replicate(&self) -> Result<Box<dyn Module>> {
            Ok(Box::new(Flat))
        }
    }
    let mut net = resnet18(Weights::Random).unwrap();
    net.features = sequential![Flat];
    net.fc = linear(12, 2).unwrap();
    assert_eq!(net.copy().unwrap().forward(&zeros(&[1, 3, 2, 2])).unwrap().size(), [1, 2]);
}

/// C20: after `fc.weight = …` the weight determines what the layer is.
#[test]
fn a_replaced_weight_is_what_counts() {
    full_precision();
    for rows in [1, 2, 3, 10, 2000] {
        let mut net = resnet18(Weights::Random).unwrap();
        net.fc.weight = zeros(&[rows, 512]);
        let error = net.forward(&inputs(2, 64, 0)).unwrap_err();
        refused("a weight replaced without its bias", &format!("[{rows}, 512]"), &error);
        net.fc.bias = Some(zeros(&[rows]));
        let text = net.fc.to_string();
        assert_eq!(text, format!("Linear(in_features=512, out_features={rows}, bias=True)"));
        let copy = net.copy().unwrap();
        assert_eq!((copy.fc.in_features(), copy.fc.out_features()), (512, rows));
        assert_eq!(copy.forward(&inputs(2, 64, 0)).unwrap().size(), [2, rows]);
    }
    let mut book = d2l::resnet18(10, 3).unwrap();
    (book.fc.weight, book.fc.bias) = (zeros(&[4, 512]), Some(zeros(&[4])));
    assert_eq!(book.replicate().unwrap().forward(&inputs(2, 32, 0)).unwrap().size(), [2, 4]);
    // Other numbers of dimensions print, too.
    let mut layer = linear(2, 3).unwrap();
    layer.weight = zeros(&[4]);
    assert!(layer.to_string().starts_with("Linear("));
    let mut conv = Conv2d::new(3, 8, 3).unwrap();
    conv.weight = zeros(&[4]);
    assert!(conv.to_string().starts_with("Conv2d("));
    conv.forward(&inputs(1, 8, 0)).unwrap_err();
    conv.groups(3).unwrap().bias(true).unwrap();
    let mut norm = BatchNorm2d::new(3).unwrap();
    norm.weight = Tensor::from(1f32);
    assert!(norm.to_string().starts_with("BatchNorm2d(1"));
    norm.forward(&inputs(2, 8, 0)).unwrap_err();
    assert_eq!(norm.num_batches_tracked.int64_value(&[]), 0, "a failed forward counts no batch");
}

/// The error of a network for this input.
fn error_of(net: &dyn Module, x: &Tensor) -> Error {
    let _guard = d2l::tch::no_grad_guard();
    net.forward(x).map(|y| panic!("{x:?}: {y:?}")).unwrap_err()
}

/// Each layer of each model in turn gets the weight of another layer, for one channel or feature more.
#[test]
fn a_layer_that_does_not_fit_is_named_as_in_the_state_dict() {
    full_precision();
    let x = inputs(1, 16, 0);
    for (model, net, _) in models() {
        net.eval();
        for (name, mut weight) in net.named_parameters() {
            let Some(path) = name.strip_suffix(".weight") else { continue };
            let size = weight.size();
            let (layer, other) = match size[..] {
                [out, inputs, rows, columns] => ("Conv2d(", vec![out, inputs + 1, rows, columns]),
                [out, inputs] => ("Linear(", vec![out, inputs + 1]),
                _ => ("BatchNorm2d(", vec![size[0] + 1]),
            };
            let own = weight.data();
            weight.f_set_data(&zeros(&other)).unwrap();
            let text = error_of(&*net, &x).to_string();
            weight.f_set_data(&own).unwrap();
            assert!(text.starts_with(&format!("layer {path}, {layer}")), "{model}, {path}: {text}");
            assert!(text.contains("what to do"), "{model}, {path}: {text}");
        }
        let _guard = d2l::tch::no_grad_guard();
        let _ = net.forward(&x).unwrap();
    }
}

#[test]
fn images_that_a_model_does_not_take_are_refused_by_its_first_layer() {
    full_precision();
    let pixels = Tensor::zeros([2, 3, 32, 32], (Kind::Uint8, Device::Cpu));
    let cases = [
        ("one image", zeros(&[3, 32, 32]), "x.unsqueeze(0)"),
        ("grey images", zeros(&[2, 1, 32, 32]), "x.repeat([1, 3, 1, 1])"),
        ("images of four channels", zeros(&[2, 4, 32, 32]), "these have 4"),
        ("channels last", zeros(&[2, 32, 32, 3]), "x.permute([0, 3, 1, 2])"),
        ("a row for each image", zeros(&[2, 3072]), "without flattening"),
        ("batches of batches", zeros(&[1, 2, 3, 32, 32]), "x.squeeze_dim(0)"),
        ("one number", zeros(&[]), "[N, 3, H, W]"),
        ("images without a pixel", zeros(&[2, 3, 0, 0]), "of a pixel or more"),
        ("pixels", pixels, "still pixels"),
    ];
    for (model, net, _) in models() {
        net.eval();
        let first = match model {
            "efficientnet_lite0" => "rescale, Rescale()",
            "book_resnet18" => "0, Conv2d(3, ",
            _ => "conv1, Conv2d(3, ",
        };
        for (what, x, named) in &cases {
            let text = refused(&format!("{model}: {what}"), named, &error_of(&*net, x));
            assert!(text.starts_with(&format!("layer {first}")), "{model}: {text}");
            assert!(text.contains(&format!("{:?}", x.size())), "{model}: {text}");
        }
    }
    let net = resnet18(Weights::Random).unwrap();
    let text = error_of(&net, &inputs(1, 32, 0)).to_string();
    assert!(text.starts_with("layer layer4.0.downsample.1, BatchNorm2d(512, "), "{text}");
}

/// A custom layer, without checks of its own.
#[derive(Debug)]
struct View(Vec<i64>);

impl Module for View {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        match self.0[..] {
            [] => Err(Error::Interrupted),
            _ => Ok(x.f_view(&self.0[..])?),
        }
    }
    fn visit(&self, _: &mut Visitor) {}
}

/// A network that prints a lot.
#[derive(Debug)]
struct Wordy {
    view: View,
    _notes: &'static str,
}

impl Module for Wordy {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.view.forward(x)
    }
    fn visit(&self, _: &mut Visitor) {}
}

#[test]
fn a_sequence_names_its_layer() {
    full_precision();
    let conv = |inputs, kernel| Conv2d::new(inputs, 4, kernel).unwrap();
    let block = sequential![conv(3, 3), BatchNorm2d::new(4).unwrap()];
    let net = sequential![block, View(vec![2, -1]), linear(1152, 2).unwrap()];
    let layer = "layer 2, Linear(in_features=1152, out_features=2, bias=True): ";
    let cases = [
        ("images of another size", zeros(&[2, 3, 5, 5]), layer, "[2, 36]: 36 features"),
        ("images of four channels", zeros(&[2, 4, 5, 5]), "layer 0.0, Conv2d(3, 4, ", "3 channels"),
        ("images smaller than a kernel", zeros(&[2, 3, 5, 2]), "layer 0.0, Conv2d(", "5×2 pixels"),
        ("one image", zeros(&[3, 5, 5]), "layer 0.1, BatchNorm2d(4, eps=1e-05, ", "x.unsqueeze(0)"),
        ("a batch of one value", zeros(&[1, 3, 3, 3]), "layer 0.1, BatchNorm2d(", "net.eval()"),
    ];
    for (what, x, start, named) in &cases {
        let text = refused(&format!("a sequence of layers: {what}"), named, &error_of(&net, x));
        assert!(text.starts_with(start), "{what}: {text}");
    }
    // libtorch's error in a custom layer is one line.
    let reason = "shape '[2, -1]' is invalid for input of size 27";
    let view = || View(vec![2, -1]);
    let notes = "A custom network may print all that it has: this here is longer than the line in \
                 which an error says what has happened and where.";
    let short = sequential![view()];
    let long = sequential![Wordy { view: view(), _notes: notes }];
    for (net, name) in [(short, "View([2, -1])"), (long, "Wordy")] {
        let text = error_of(&net, &zeros(&[27])).to_string();
        assert_eq!(text, format!("layer 0, {name}: {reason}"));
    }
    // The stop button is not a fault of the layer.
    let net = sequential![View(vec![])];
    assert!(matches!(error_of(&net, &zeros(&[1])), Error::Interrupted));
}

/// The error of each layer for an input that does not fit.
#[test]
fn layers_say_what_they_take() {
    full_precision();
    let conv = Conv2d::new(3, 8, 7).unwrap().padding(1).unwrap();
    let linear = linear(12, 2).unwrap();
    let norm = BatchNorm2d::new(8).unwrap();
    let of_kind = |size: &[i64], kind| Tensor::zeros(size, (kind, Device::Cpu));
    let cases: [(&dyn Module, Tensor, &str); 9] = [
        (&linear, zeros(&[2, 3, 4]), "12 features: [N, 12]"),
        (&linear, zeros(&[]), "[N, 12]"),
        (&linear, of_kind(&[2, 12], Kind::Uint8), "still pixels"),
        (&conv, zeros(&[2, 3, 4, 9]), "5×5 pixels or more"),
        (&conv, zeros(&[2, 3]), "3 channels: [N, 3, H, W]"),
        (&conv, of_kind(&[2, 3, 9, 9], Kind::Uint8), "still pixels"),
        (&norm, zeros(&[2, 3, 4, 4]), "BatchNorm2d::new(3)?"),
        (&norm, zeros(&[8, 4, 4]), "x.unsqueeze(0)"),
        (&norm, of_kind(&[2, 8, 4, 4], Kind::Uint8), "still pixels"),
    ];
    for (layer, x, named) in &cases {
        let text = refused("an input that a layer does not accept", named, &error_of(*layer, x));
        assert!(text.starts_with(&format!("{layer:?}: ")), "{text}");
    }
    // Integers that are not pixels, and what PyTorch accepts, too: one image, one row
    let _ = linear.forward(&of_kind(&[2, 12], Kind::Int64)).unwrap();
    assert_eq!(linear.forward(&zeros(&[12])).unwrap().size(), [2]);
    assert_eq!(conv.forward(&zeros(&[3, 5, 6])).unwrap().size(), [8, 1, 2]);
}

/// C17: impossible sizes are errors, not panics.
#[test]
fn layers_refuse_impossible_sizes() {
    let most = i64::MAX;
    let conv = || Conv2d::new(8, 8, 3).unwrap();
    let cases = [
        ("groups of 0", "groups", conv().groups(0)),
        ("groups below 0", "groups", conv().groups(-8)),
        ("groups that do not divide the inputs", "groups", Conv2d::new(8, 9, 3).unwrap().groups(3)),
        (
            "groups that do not divide the outputs",
            "groups",
            Conv2d::new(9, 8, 3).unwrap().groups(3),
        ),
        ("more groups than channels", "groups", conv().groups(16)),
        ("a stride of 0", "stride", conv().stride(0)),
        ("a stride below 0", "stride", conv().stride([1, -2])),
        ("a stride beyond all sizes", "stride", conv().stride(most)),
        ("a padding below 0", "padding", conv().padding(-1)),
        ("a padding beyond all sizes", "padding", conv().padding(most)),
        ("a dilation of 0", "dilation", conv().dilation([0, 1])),
        ("a kernel of 0", "kernel_size", Conv2d::new(8, 8, 0)),
        ("a kernel below 0", "kernel_size", Conv2d::new(8, 8, [3, -3])),
        ("a kernel beyond all sizes", "kernel_size", Conv2d::new(1, 1, most)),
        ("no inputs", "in_channels", Conv2d::new(0, 8, 3)),
        ("inputs below 0", "in_channels", Conv2d::new(i64::MIN, 8, 3)),
        ("no outputs", "out_channels", Conv2d::new(8, 0, 3)),
        ("outputs below 0", "out_channels", Conv2d::new(8, -8, 3)),
        ("more than memory holds", "weight", Conv2d::new(1 << 40, 1 << 20, 3)),
        ("more than can be counted", "weight", Conv2d::new(most, most, 3)),
    ];
    for (what, named, made) in cases {
        let what = format!("a convolution with {what}");
        refused(&what, &format!("Conv2d: {named}"), &made.unwrap_err());
    }
    for (inputs, outputs) in [(most, 1), (most, most), (1 << 40, 1 << 20)] {
        let error = linear(inputs, outputs).unwrap_err();
        refused("a layer too large for memory", "Linear: weight", &error);
    }
    for (inputs, outputs) in [(-1, 2), (2, -1), (i64::MIN, 2), (2, i64::MIN), (-1, -1)] {
        let error = linear(inputs, outputs).unwrap_err();
        refused("a layer with a negative number of features", "Linear", &error);
    }
    // PyTorch allows such a layer, too.
    assert_eq!(linear(0, 2).unwrap().forward(&zeros(&[3, 0])).unwrap().size(), [3, 2]);
    for channels in [0, -1, i64::MIN] {
        let error = BatchNorm2d::new(channels).unwrap_err();
        refused("batch norm of no channels", "BatchNorm2d: num_features", &error);
    }
    for eps in [f64::NAN, -1e-5, f64::INFINITY] {
        let error = BatchNorm2d::new(8).unwrap().eps(eps).unwrap_err();
        refused("batch norm with an impossible eps", "BatchNorm2d: eps", &error);
    }
    for momentum in [f64::NAN, -0.1, 2.] {
        let error = BatchNorm2d::new(8).unwrap().momentum(momentum).unwrap_err();
        refused("batch norm with an impossible momentum", "BatchNorm2d: momentum", &error);
    }
    BatchNorm2d::new(most).unwrap_err();
    for (classes, channels) in [(-1, 3), (10, 0), (10, -3)] {
        d2l::resnet18(classes, channels).unwrap_err();
    }
    // Initialising tensors without values, and invalid bounds
    for empty in [zeros(&[0, 0]), zeros(&[0, 5]), zeros(&[3, 0, 1 << 40, 2])] {
        xavier_uniform(&empty).unwrap();
        kaiming_normal_fan_out(&empty).unwrap();
    }
    for bound in [-1., f64::NAN, f64::INFINITY] {
        refused("an impossible bound", "uniform", &uniform(&zeros(&[3]), bound).unwrap_err());
    }
    refused("initial values of a bias", "init", &xavier_uniform(&zeros(&[3])).unwrap_err());
}

/// EfficientNet-Lite0 with ImageNet's weights, and a copy of it, compute the same in training as in
/// evaluation and keep their statistics; an untrained network does not.
#[test]
fn pretrained_batch_norms_keep_their_statistics() {
    full_precision();
    let Some(pretrained) = pretrained() else { return };
    let x = Tensor::rand([4, 3, 64, 64], (Kind::Float, Device::Cpu));
    let changes = |net: &Classifier| {
        let _guard = d2l::tch::no_grad_guard();
        let before: Vec<_> = net.named_buffers().iter().map(|(_, buffer)| buffer.copy()).collect();
        net.train();
        let in_training = net.forward(&x).unwrap();
        let same = net.named_buffers().iter().zip(&before).all(|((_, now), then)| now == then);
        net.eval();
        (!same, difference(&in_training, &net.forward(&x).unwrap()) > 1e-3)
    };
    assert_eq!(changes(&pretrained), (false, false));
    assert_eq!(changes(&pretrained.copy().unwrap()), (false, false));
    assert_eq!(changes(&pretrained.untrained().unwrap()), (true, true));
}

/// EfficientNet-Lite0 with ImageNet's weights, or a note that they are not here.
fn pretrained() -> Option<Classifier> {
    let net = efficientnet_lite0(Weights::ImageNet);
    if net.is_err() {
        common::report::skipped_here("no weights, run `cargo d2l setup`");
    }
    net.ok()
}

#[test]
fn the_source_model_computes_what_its_package_computes() {
    full_precision();
    let Some(net) = pretrained() else { return };
    net.eval();
    let _guard = d2l::tch::no_grad_guard();
    let what = "EfficientNet-Lite0 with ImageNet's weights, against its own package";
    let mut off = Comparison::new(what, "of the largest", 1e-4);
    let theirs = &reference("models")["efficientnet_lite0/imagenet"];
    let ours = net.forward(&inputs(2, 224, 9)).unwrap();
    off.add("two inputs", difference(&ours, theirs) / theirs.abs().max().double_value(&[]));
}

/// How many of these images the network assigns to each class, most frequent first.
fn named(net: &Classifier, folder: &std::path::Path, step: usize) -> Vec<(i64, usize)> {
    let normalize = Normalize::new([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]).unwrap();
    let augs = compose![
        Resize::new([256, 256]).unwrap(),
        CenterCrop::new(224).unwrap(),
        ToTensor,
        normalize
    ];
    let images = ImageFolder::with_transform(folder, &augs).unwrap();
    let _guard = d2l::tch::no_grad_guard();
    net.eval();
    let mut counts = std::collections::BTreeMap::new();
    let of_hot_dogs = images.samples().iter().filter(|sample| sample.1 == 0).count();
    for i in (0..of_hot_dogs).step_by(step) {
        let x = images.image(i as isize).unwrap().to_tensor().unwrap().unsqueeze(0);
        let class = net.forward(&x).unwrap().argmax(1, false).int64_value(&[0]);
        *counts.entry(class).or_default() += 1;
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|&(_, count)| std::cmp::Reverse(count));
    counts
}

/// ImageNet's class of the hot dog.
const HOT_DOG: i64 = 934;

#[test]
fn the_source_model_recognises_hot_dogs() {
    let Some(folder) = common::photographs() else { return };
    let Some(net) = pretrained() else { return };
    let named = named(&net, &folder.join("test"), 10);
    assert!(named[0].0 == HOT_DOG && named[0].1 >= 24, "of 40 photographs: {named:?}");
}

/// The drawings that stand in for photographs must be recognisable: the folder is theirs.
pub fn the_source_model_recognises_drawn_hot_dogs(folder: &std::path::Path) {
    let Some(net) = pretrained() else { return };
    let named = named(&net, &folder.join("test"), 5);
    assert!(named[0].0 == HOT_DOG, "{named:?}");
}
