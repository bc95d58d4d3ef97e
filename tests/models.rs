//! Nets against torchvision's and the package that EfficientNet-Lite0's weights belong to.

mod common;

use common::{difference, fill, inputs, reference};
use d2l::prelude::*;

const NETS: [(Architecture, &str); 2] =
    [(Architecture::ResNet18, "resnet18"), (Architecture::EfficientNetLite0, "efficientnet_lite0")];

#[test]
fn keys_and_shapes_are_those_of_the_reference() {
    for (architecture, name) in NETS {
        let net = Classifier::new(architecture, Weights::Random).unwrap();
        let ours: String = net
            .state_dict()
            .iter()
            .map(|(name, tensor)| format!("{name} {:?}\n", tensor.size()))
            .collect();
        let path = common::reference_folder().join(name).with_extension("keys");
        assert_eq!(ours, std::fs::read_to_string(path).unwrap(), "{name}");
    }
}

#[test]
fn outputs_agree_in_both_modes() {
    set_precision(Precision::Full);
    let reference = reference("models");
    for (architecture, name) in NETS {
        let net = Classifier::new(architecture, Weights::Random).unwrap();
        fill(&net);
        let x = inputs(2, 96, 7);
        let close = |ours: &Tensor, mode: &str| {
            let theirs = &reference[&format!("{name}/{mode}")];
            let scale = theirs.abs().max().double_value(&[]).max(1.);
            let off = difference(ours, theirs) / scale;
            assert!(off < 1e-4, "{name}, {mode}: off by {off}");
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

/// Mean and spread of each layer's initial values, up to chance.
#[test]
fn initial_values_are_distributed_as_torchvisions() {
    manual_seed(3);
    let reference = reference("models");
    let state = resnet18(Weights::Random).unwrap().state_dict();
    let kept = state.iter().filter(|(name, _)| !name.ends_with("num_batches_tracked"));
    for (i, (name, tensor)) in kept.enumerate() {
        let values = tensor.to_kind(Kind::Double).flatten(0, -1);
        let (std, mean) =
            (values.std(false).double_value(&[]), values.mean(None).double_value(&[]));
        let expected_std = reference["resnet18/initial_std"].double_value(&[i as i64]);
        let expected_mean = reference["resnet18/initial_mean"].double_value(&[i as i64]);
        let count = values.numel() as f64;
        let tolerance = 5. * expected_std / count.sqrt() + 1e-9;
        assert!(
            (std - expected_std).abs() < tolerance,
            "{name}: {std}, torchvision {expected_std}"
        );
        let tolerance = 2. * tolerance;
        assert!((mean - expected_mean).abs() < tolerance, "{name}: {mean}, {expected_mean}");
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
    let Ok(pretrained) = efficientnet_lite0(Weights::ImageNet) else {
        println!("skipped: EfficientNet-Lite0's weights are not here, run `cargo d2l setup`");
        return;
    };
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

/// The 1000 ImageNet classes: a photograph of a hot dog is class 934.
#[test]
fn the_source_model_knows_hot_dogs() {
    let Some(folder) = common::photographs() else { return };
    let Ok(net) = efficientnet_lite0(Weights::ImageNet) else {
        println!("skipped: EfficientNet-Lite0's weights are not here, run `cargo d2l setup`");
        return;
    };
    net.eval();
    let normalize = Normalize::new([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]);
    let augs = compose![Resize::new([256, 256]), CenterCrop::new(224), ToTensor, normalize];
    let images = ImageFolder::with_transform(folder.join("test"), &augs).unwrap();
    let _guard = d2l::tch::no_grad_guard();
    let named = (0..40)
        .filter(|&i| {
            let x = images.get(i * 10).unwrap().0.to_tensor().unwrap().unsqueeze(0);
            net.forward(&x).unwrap().argmax(1, false).int64_value(&[0]) == 934
        })
        .count();
    assert!(named >= 24, "{named} of 40 hot dogs are named hot dog");
}
