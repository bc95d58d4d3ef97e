//! What must hold on a GPU. Without one, each test reports that it is skipped.

use crate::common;
use crate::common::report::refused;
use crate::common::{difference, inputs, small_set, two_classes};
use d2l::prelude::*;

fn gpu() -> Option<Device> {
    if num_gpus() == 0 {
        common::report::skipped_here("there is no GPU that libtorch can use");
    }
    (num_gpus() > 0).then_some(Device::Cuda(0))
}

fn two_classes_on(device: Device) -> Classifier {
    let net = two_classes();
    net.to(device).unwrap();
    net
}

fn here(tensor: &Tensor) -> Tensor {
    tensor.detach().to_device(Device::Cpu)
}

/// A difference relative to the largest value.
fn off(a: &Tensor, b: &Tensor) -> f64 {
    difference(&here(a), &here(b)) / here(b).abs().max().double_value(&[])
}

/// As in PyTorch, convolutions on a GPU use TF32, with a mantissa of ten bits; three steps
/// amplify the difference.
#[test]
fn a_gpu_takes_the_steps_of_the_cpu() {
    let Some(gpu) = gpu() else { return };
    const NAME: &str = "gpu::a_gpu_takes_the_steps_of_the_cpu";
    if !common::in_child(NAME) {
        common::run_in_child(NAME, &[]);
        return;
    }
    for (precision, allowed) in [(Precision::Full, 2e-2), (Precision::Auto, 1e-1)] {
        set_precision(Precision::Full);
        let loss = CrossEntropyLoss::new(Reduction::None);
        let mut results = vec![];
        for device in [Device::Cpu, gpu] {
            if device == gpu {
                set_precision(precision);
            }
            let net = two_classes_on(device);
            let mut trainer =
                SGD::new(net.parameters(), 2e-4).unwrap().weight_decay(0.001).unwrap();
            let mut losses = vec![];
            for step in 0..3 {
                let y = (Tensor::arange(6, (Kind::Int64, Device::Cpu)) + step).remainder(2);
                let x = inputs(6, 64, 100 + step as u64);
                let sums = train_batch_ch13(&net, &x, &y, &loss, &mut trainer, &[device]).unwrap();
                losses.push(sums.0);
            }
            assert!(net.parameters().iter().all(|p| p.device() == device));
            net.eval();
            let scores = d2l::tch::no_grad(|| net.forward(&inputs(6, 64, 9).to_device(device)));
            results.push((Tensor::from_slice(&losses), scores.unwrap()));
        }
        let (losses, scores) =
            (off(&results[1].0, &results[0].0), off(&results[1].1, &results[0].1));
        println!("{precision:?}: losses differ by {losses:.1e}, scores by {scores:.1e}");
        assert!(losses < allowed && scores < allowed, "{precision:?}");
    }
}

/// The error says what is on another device than the model or the scores.
#[test]
fn tensors_on_two_devices_are_named() {
    let Some(gpu) = gpu() else { return };
    let net = two_classes_on(gpu);
    net.eval();
    let error = net.forward(&inputs(2, 32, 0)).unwrap_err();
    let text = refused("images on the CPU, a model on a GPU", "on Cpu", &error);
    assert!(text.starts_with("layer conv1, Conv2d(") && text.contains("on Cuda(0)"), "{text}");
    assert!(text.contains("x.to_device(Device::Cuda(0))"), "{text}");
    let norm = BatchNorm2d::new(3).unwrap();
    norm.to(gpu).unwrap();
    let error = norm.forward(&inputs(2, 32, 0)).unwrap_err();
    refused("an input on the CPU, batch norm on a GPU", "net.to(Device::Cpu)?", &error);
    let features = Tensor::zeros([2, 512], (Kind::Float, Device::Cpu));
    let error = net.fc.forward(&features).unwrap_err();
    refused("features on the CPU, a layer on a GPU", "Linear(", &error);
    let scores = Tensor::zeros([2, 2], (Kind::Float, gpu));
    let y = Tensor::from_slice(&[0i64, 1]);
    let error = CrossEntropyLoss::new(Reduction::None).forward(&scores, &y).unwrap_err();
    refused("labels on the CPU, scores on a GPU", "y_hat.device()", &error);
    refused("`accuracy` of both", "y_hat.device()", &accuracy(&scores, &y).unwrap_err());
}

/// Pinned memory, from which a GPU copies while it computes, and the same values as without one.
#[test]
fn batches_lie_in_pinned_memory() {
    let Some(gpu) = gpu() else { return };
    let set = small_set(6);
    let augs = compose![Resize::new([32, 32]).unwrap(), ToTensor];
    let images = || ImageFolder::with_transform(set.path().join("train"), &augs).unwrap();
    let loader = || DataLoader::new(images(), 4).unwrap();
    let (x, _) = loader().iter().next().unwrap().unwrap();
    assert!(!x.is_pinned(gpu), "C27: not where nobody has asked for it");
    let mut count = 0;
    for batch in loader().pin_memory(true).iter() {
        let (x, y) = batch.unwrap();
        assert!(x.is_pinned(gpu) && y.is_pinned(gpu));
        assert_eq!(x.stride(), [3 * 32 * 32, 1, 3 * 32, 3], "channels last");
        let sent = x.f_to_device_(gpu, Kind::Float, true, false).unwrap();
        for i in 0..y.numel() {
            let Sample { image, target } = images().get(count as isize).unwrap();
            assert_eq!(difference(&here(&sent.get(i as i64)), &image.to_tensor().unwrap()), 0.);
            assert_eq!(y.int64_value(&[i as i64]), target.class().unwrap());
            count += 1;
        }
    }
    assert_eq!(count, 12);
}

/// The next batch is loaded while a GPU copies this one: neither may change meanwhile.
#[test]
fn a_network_learns_the_same_while_batches_are_loaded() {
    let Some(gpu) = gpu() else { return };
    const NAME: &str = "gpu::a_network_learns_the_same_while_batches_are_loaded";
    if !common::in_child(NAME) {
        common::run_in_child(NAME, &[]);
        return;
    }
    set_precision(Precision::Full);
    let set = small_set(20);
    let augs = compose![Resize::new([64, 64]).unwrap(), ToTensor];
    let mut losses = vec![];
    for device in [Device::Cpu, gpu] {
        manual_seed(3);
        let images = |part| ImageFolder::with_transform(set.path().join(part), &augs).unwrap();
        let train_iter = DataLoader::new(images("train"), 4).unwrap().shuffle(true);
        let test_iter = DataLoader::new(images("test"), 4).unwrap();
        let net = two_classes_on(device);
        let loss = CrossEntropyLoss::new(Reduction::None);
        let mut trainer = SGD::new(net.parameters(), 1e-4).unwrap();
        let devices = [device];
        let run =
            train_ch13(&net, &train_iter, &test_iter, &loss, &mut trainer, 2, &devices).unwrap();
        losses.push(run.loss);
    }
    assert!((losses[1] / losses[0] - 1.).abs() < 0.02, "{losses:?}");
}

#[test]
fn weights_from_a_gpu_can_be_loaded_anywhere() {
    let Some(gpu) = gpu() else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("net.safetensors");
    let learned = two_classes_on(gpu);
    save_weights(&learned, &path).unwrap();
    let mut loaded = resnet18(Weights::Random).unwrap();
    loaded.fc = linear(512, 2).unwrap();
    load_weights(&loaded, &path).unwrap();
    for ((name, a), (_, b)) in learned.state_dict().iter().zip(loaded.state_dict()) {
        assert_eq!(b.device(), Device::Cpu, "{name}");
        assert_eq!(difference(&here(a), &b), 0., "{name}");
    }
}

/// The reader can continue with a smaller batch, in the same program.
#[test]
fn a_batch_that_does_not_fit_is_refused_and_the_next_goes_on() {
    let Some(gpu) = gpu() else { return };
    let net = two_classes_on(gpu);
    let mut trainer = SGD::new(net.parameters(), 1e-4).unwrap();
    let loss = CrossEntropyLoss::new(Reduction::None);
    let y = Tensor::zeros([4096], (Kind::Int64, Device::Cpu));
    // Hundreds of gigabytes, if allocated in full.
    let x = Tensor::zeros([1, 3, 1, 1], (Kind::Float, gpu)).expand([4096, 3, 4096, 4096], false);
    let error = train_batch_ch13(&net, &x, &y, &loss, &mut trainer, &[gpu]).unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("batch size of 2048") && text.contains("the network is as it was"),
        "{text}"
    );
    let (x, y) = (inputs(4, 64, 0), Tensor::from_slice(&[0i64, 1, 0, 1]));
    train_batch_ch13(&net, &x, &y, &loss, &mut trainer, &[gpu]).unwrap();
}

/// C21: the state of an optimizer follows a network to another device and back.
#[test]
fn optimizers_follow_the_network_to_another_device() {
    let Some(gpu) = gpu() else { return };
    const NAME: &str = "gpu::optimizers_follow_the_network_to_another_device";
    if !common::in_child(NAME) {
        common::run_in_child(NAME, &[]);
        return;
    }
    set_precision(Precision::Full);
    let loss = CrossEntropyLoss::new(Reduction::None);
    let y = Tensor::from_slice(&[0i64, 1, 0, 1]);
    type Make = fn(&Linear) -> Box<dyn Optimizer>;
    let makers: [Make; 3] = [
        |net| Box::new(Adam::new(net.parameters(), 0.01).unwrap()),
        |net| Box::new(AdamW::new(net.parameters(), 0.01).unwrap()),
        |net| {
            let sgd = SGD::new(net.parameters(), 0.01).unwrap().momentum(0.9).unwrap();
            Box::new(sgd.nesterov(true).unwrap().weight_decay(0.1).unwrap())
        },
    ];
    for make in makers {
        let mut results = vec![];
        for way in [[Device::Cpu; 4], [Device::Cpu, gpu, gpu, Device::Cpu]] {
            let layer = linear(12, 2).unwrap();
            common::fill(&layer);
            let mut trainer = make(&layer);
            for (step, device) in way.into_iter().enumerate() {
                layer.to(device).unwrap();
                let x = Tensor::from_slice(&common::noise(48, step as u64)).view([4, 12]);
                train_batch_ch13(&layer, &x, &y, &loss, &mut *trainer, &[device]).unwrap();
            }
            results.push(here(&layer.weight));
        }
        assert!(off(&results[1], &results[0]) < 1e-3);
    }
}

/// C18: a label beyond the outputs is an error on a GPU, too, which stays usable.
#[test]
fn a_wrong_label_does_not_end_the_program() {
    let Some(gpu) = gpu() else { return };
    let net = two_classes_on(gpu);
    let mut trainer = SGD::new(net.parameters(), 1e-4).unwrap();
    let loss = CrossEntropyLoss::new(Reduction::None);
    for label in [-1, 2, -7, i64::MAX, i64::MIN] {
        for device in [Device::Cpu, gpu] {
            let y = Tensor::from_slice(&[0, label, 1, 0]).to_device(device);
            let x = inputs(4, 64, 0);
            let error = train_batch_ch13(&net, &x, &y, &loss, &mut trainer, &[gpu]).unwrap_err();
            assert!(error.to_string().contains(&format!("label {label}")), "{error}");
        }
    }
    let (x, y) = (inputs(4, 64, 0), Tensor::from_slice(&[0i64, 1, 0, 1]));
    train_batch_ch13(&net, &x, &y, &loss, &mut trainer, &[gpu]).unwrap();
}

/// The network is on the first device, or it is an error.
#[test]
fn a_network_on_another_device_than_its_batch_is_an_error() {
    let Some(gpu) = gpu() else { return };
    let net = two_classes();
    let mut trainer = SGD::new(net.parameters(), 1e-4).unwrap();
    let loss = CrossEntropyLoss::new(Reduction::None);
    let (x, y) = (inputs(4, 64, 0), Tensor::from_slice(&[0i64, 1, 0, 1]));
    let error = train_batch_ch13(&net, &x, &y, &loss, &mut trainer, &[gpu]).unwrap_err();
    assert!(error.to_string().contains("net.to(Device::Cuda(0))"), "{error}");
    // Gradients move with their parameters.
    train_batch_ch13(&net, &x, &y, &loss, &mut trainer, &[Device::Cpu]).unwrap();
    net.to(gpu).unwrap();
    assert!(net.parameters().iter().all(|p| p.grad().device() == gpu));
    train_batch_ch13(&net, &x, &y, &loss, &mut trainer, &[gpu]).unwrap();
}

/// C3: a replica on a GPU of a network on the CPU, and the other way round, takes the step of
/// one device.
#[test]
fn replicas_on_a_gpu_take_the_step_of_one_device() {
    let Some(gpu) = gpu() else { return };
    const NAME: &str = "gpu::replicas_on_a_gpu_take_the_step_of_one_device";
    if !common::in_child(NAME) {
        common::run_in_child(NAME, &[]);
        return;
    }
    set_precision(Precision::Full);
    let loss = CrossEntropyLoss::new(Reduction::None);
    let y = Tensor::from_slice(&[0i64, 1, 0, 1, 1]);
    let mut results = vec![];
    for devices in [vec![Device::Cpu], vec![Device::Cpu, gpu], vec![gpu, Device::Cpu]] {
        let layer = linear(12, 2).unwrap();
        common::fill(&layer);
        layer.to(devices[0]).unwrap();
        let mut trainer = SGD::new(layer.parameters(), 0.1).unwrap();
        for step in 0..3 {
            let x = Tensor::from_slice(&common::noise(60, step)).view([5, 12]);
            train_batch_ch13(&layer, &x, &y, &loss, &mut trainer, &devices).unwrap();
        }
        results.push(here(&layer.weight));
    }
    assert!(results.iter().all(|weight| off(weight, &results[0]) < 1e-3));
}
