//! Nets against torchvision's and the package that EfficientNet-Lite0's weights belong to.

mod common;

use common::report::Comparison;
use common::{difference, fill, inputs, reference};
use d2l::prelude::*;

const NETS: [(Architecture, &str); 4] = [
    (Architecture::ResNet18, "resnet18"),
    (Architecture::ResNet34, "resnet34"),
    (Architecture::ResNet50, "resnet50"),
    (Architecture::EfficientNetLite0, "efficientnet_lite0"),
];

/// All nets that have a reference, with their numbers of parameters.
fn nets() -> Vec<(&'static str, Box<dyn Module>, usize)> {
    let counts = [11_689_512, 21_797_672, 25_557_032, 4_652_008];
    let classifiers = NETS.into_iter().zip(counts).map(|((architecture, name), count)| {
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
    for (name, net, count) in nets() {
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
    set_precision(Precision::Full);
    let reference = reference("models");
    let mut off = Comparison::new(
        "outputs of ResNet-18, 34, 50, EfficientNet-Lite0 and the book's ResNet-18 in both modes, and \
         what training leaves in their statistics, same state dict and input",
        "of the largest",
        1e-4,
    );
    for (name, net, _) in nets() {
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
/// up to chance.
#[test]
fn initial_values_are_distributed_as_torchvisions() {
    // The seed is one for the whole process, and other tests draw from it, too.
    const NAME: &str = "initial_values_are_distributed_as_torchvisions";
    if !common::in_child(NAME) {
        common::run_in_child(NAME, &[]);
        return;
    }
    manual_seed(3);
    let reference = reference("models");
    let what = "initial values of ResNet-18, 34 and 50: mean and spread of each layer";
    let mut off = Comparison::new(what, "standard errors", 6.);
    for (architecture, net) in NETS.into_iter().take(3) {
        let state = Classifier::new(architecture, Weights::Random).unwrap().state_dict();
        let kept = state.iter().filter(|(name, _)| !name.ends_with("num_batches_tracked"));
        for (i, (name, tensor)) in kept.enumerate() {
            let values = tensor.to_kind(Kind::Double).flatten(0, -1);
            let expected =
                |what: &str| reference[&format!("{net}/initial_{what}")].double_value(&[i as i64]);
            let std = values.std(false).double_value(&[]);
            let mean = values.mean(None).double_value(&[]);
            // Both sides are drawn, so the difference varies by the root of two more.
            let error = expected("std") * (2. / values.numel() as f64).sqrt() + 1e-12;
            let case = format!("{net}: {name}");
            off.add(&case, (mean - expected("mean")).abs() / error);
            off.add(&case, (std - expected("std")).abs() / error);
        }
    }
}

#[test]
fn a_copy_has_tensors_of_its_own() {
    let mut net = efficientnet_lite0(Weights::Random).unwrap();
    net.fc = linear(net.fc.in_features, 2).unwrap();
    let _ = net.fc.bias.set_requires_grad(false);
    let copy = net.copy().unwrap();
    assert_eq!(copy.fc.out_features, 2);
    assert!(!copy.fc.bias.requires_grad() && copy.fc.weight.requires_grad());
    for ((name, ours), (_, theirs)) in net.state_dict().iter().zip(copy.state_dict()) {
        assert_eq!(difference(ours, &theirs), 0., "{name}");
        assert_ne!(ours.data_ptr(), theirs.data_ptr(), "{name}");
    }
}

/// EfficientNet-Lite0 with ImageNet's weights, and a copy of it, compute the same in training as in
/// evaluation and keep their statistics; a net that has learned nothing does not.
#[test]
fn pretrained_batch_norms_keep_their_statistics() {
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

/// EfficientNet-Lite0 with ImageNet's weights, or a line that says that they are not here.
fn pretrained() -> Option<Classifier> {
    let net = efficientnet_lite0(Weights::ImageNet);
    if net.is_err() {
        common::report::skipped_here("no weights, run `cargo d2l setup`");
    }
    net.ok()
}

#[test]
fn the_source_model_computes_what_its_package_computes() {
    let Some(net) = pretrained() else { return };
    set_precision(Precision::Full);
    net.eval();
    let _guard = d2l::tch::no_grad_guard();
    let what = "EfficientNet-Lite0 with ImageNet's weights, against its own package";
    let mut off = Comparison::new(what, "of the largest", 1e-4);
    let theirs = &reference("models")["efficientnet_lite0/imagenet"];
    let ours = net.forward(&inputs(2, 224, 9)).unwrap();
    off.add("two inputs", difference(&ours, theirs) / theirs.abs().max().double_value(&[]));
}

/// How many of these pictures the net takes for each class, from the most on.
fn named(net: &Classifier, folder: &std::path::Path, step: usize) -> Vec<(i64, usize)> {
    let normalize = Normalize::new([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]);
    let augs = compose![Resize::new([256, 256]), CenterCrop::new(224), ToTensor, normalize];
    let images = ImageFolder::with_transform(folder, &augs).unwrap();
    let _guard = d2l::tch::no_grad_guard();
    net.eval();
    let mut counts = std::collections::BTreeMap::new();
    let of_hot_dogs = images.samples().iter().filter(|sample| sample.1 == 0).count();
    for i in (0..of_hot_dogs).step_by(step) {
        let x = images.get(i as isize).unwrap().0.to_tensor().unwrap().unsqueeze(0);
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
fn the_source_model_knows_hot_dogs() {
    let Some(folder) = common::photographs() else { return };
    let Some(net) = pretrained() else { return };
    let named = named(&net, &folder.join("test"), 10);
    assert!(named[0].0 == HOT_DOG && named[0].1 >= 24, "of 40 photographs: {named:?}");
}

/// What the crate draws where there are no photographs is to be taken for what it shows.
#[test]
fn the_source_model_knows_drawn_hot_dogs() {
    const NAME: &str = "the_source_model_knows_drawn_hot_dogs";
    if !common::in_child(NAME) {
        let cache = tempfile::tempdir().unwrap();
        let offline = std::path::Path::new("1");
        common::run_in_child(NAME, &[("XDG_CACHE_HOME", cache.path()), ("D2L_OFFLINE", offline)]);
        return;
    }
    let Some(net) = pretrained() else { return };
    let folder = download_extract("hotdog").unwrap();
    let named = named(&net, &folder.join("test"), 5);
    println!("{named:?}");
    assert!(named[0].0 == HOT_DOG, "{named:?}");
}
