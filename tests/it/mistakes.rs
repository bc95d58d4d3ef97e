//! The commonest mistakes of a beginner: each is an error of one sentence or two that names what is
//! wrong and what to do, and changes nothing. `cargo d2l report` lists them in docs/robustness.md.

use std::path::Path;

use crate::common;
use crate::common::report::mistake;
use crate::common::{small_set, two_classes};
use d2l::prelude::*;

const CPU: [Device; 1] = [Device::Cpu];

fn loader(folder: &Path, augs: &Compose) -> DataLoader {
    DataLoader::new(ImageFolder::with_transform(folder, augs).unwrap(), 2).unwrap()
}

/// The first error of an epoch over `train` of a small data set.
fn epoch_error(augs: &Compose) -> Error {
    let set = small_set(2);
    loader(&set.path().join("train"), augs).iter().find_map(Result::err).unwrap()
}

/// A training of one epoch, on images of 32×32 pixels.
fn train(net: &Classifier, trainer: &mut SGD, set: &Path) -> Result<Summary> {
    let augs = compose![Resize::new([32, 32]).unwrap(), ToTensor];
    let [train_iter, test_iter] = ["train", "test"].map(|name| loader(&set.join(name), &augs));
    let loss = CrossEntropyLoss::new(Reduction::None);
    train_ch13(net, &train_iter, &test_iter, &loss, trainer, 2, &CPU)
}

fn images(count: i64) -> Tensor {
    common::inputs(count, 32, 1)
}

/// The error of a step with these images and labels; the model is unchanged afterwards.
fn step_error_of(net: &Classifier, trainer: &mut SGD, x: &Tensor, y: &Tensor) -> Error {
    let before: Vec<Tensor> = net.state_dict().iter().map(|(_, tensor)| tensor.copy()).collect();
    let loss = CrossEntropyLoss::new(Reduction::None);
    let error = train_batch_ch13(net, x, y, &loss, trainer, &CPU).unwrap_err();
    for ((name, now), before) in net.state_dict().iter().zip(&before) {
        assert_eq!(now, before, "{name} has changed");
    }
    error
}

/// The same, with a good model and trainer.
fn step_error(x: &Tensor, y: &Tensor) -> Error {
    let net = two_classes();
    let mut trainer = SGD::new(net.parameters(), 1e-3).unwrap();
    step_error_of(&net, &mut trainer, x, y)
}

/// The same, with two good images.
fn good_step_error(net: &Classifier, trainer: &mut SGD) -> Error {
    step_error_of(net, trainer, &images(2), &Tensor::from_slice(&[0i64, 1]))
}

#[test]
fn a_path_that_is_wrong() {
    let set = small_set(1);
    let error = ImageFolder::new(set.path().join("trian")).unwrap_err();
    mistake("a path that is wrong: `ImageFolder::new(\"hotdog/trian\")`", "trian", &error);
}

#[test]
fn images_without_a_folder_for_each_class() {
    let set = small_set(1);
    let error = ImageFolder::new(set.path().join("train/bright")).unwrap_err();
    mistake(
        "images that lie in the folder itself, not in one folder for each class",
        "bright",
        &error,
    );
}

#[test]
fn a_file_that_is_not_an_image() {
    let set = small_set(1);
    std::fs::write(set.path().join("train/dark/notes.jpg"), "to do: more images").unwrap();
    let images = ImageFolder::new(set.path().join("train")).unwrap();
    let error = images.get(-1).err().unwrap();
    mistake("a text file named `.jpg` among the images", "notes.jpg", &error);
}

#[test]
fn no_to_tensor() {
    let error = epoch_error(&compose![Resize::new([32, 32]).unwrap()]);
    mistake("`compose![Resize::new([224, 224]).unwrap()]`, without `ToTensor`", "ToTensor", &error);
}

#[test]
fn normalize_before_to_tensor() {
    let normalize = Normalize::new([0.5; 3], [0.5; 3]).unwrap();
    let error = epoch_error(&compose![Resize::new([32, 32]).unwrap(), normalize, ToTensor]);
    mistake("`Normalize` before `ToTensor`", "Normalize", &error);
}

#[test]
fn images_of_several_sizes() {
    let error = epoch_error(&compose![ToTensor]);
    mistake("images of several sizes in a batch: no `Resize`, no crop", "pixels", &error);
}

#[test]
fn a_batch_size_of_zero() {
    let set = small_set(1);
    let images = ImageFolder::new(set.path().join("train")).unwrap();
    mistake("a batch size of 0", "batch size 0", &DataLoader::new(images, 0).unwrap_err());
}

#[test]
fn different_classes_in_the_test_set() {
    let set = small_set(2);
    std::fs::rename(set.path().join("test/dark"), set.path().join("test/night")).unwrap();
    let net = two_classes();
    let mut trainer = SGD::new(net.parameters(), 1e-3).unwrap();
    let error = train(&net, &mut trainer, set.path()).err().unwrap();
    mistake("a test set whose classes differ from the training set's", "night", &error);
}

#[test]
fn labels_that_start_at_one() {
    let error = step_error(&images(2), &Tensor::from_slice(&[1i64, 2]));
    mistake("labels from 1 to 2 for two classes", "label 2", &error);
}

#[test]
fn labels_that_are_floats() {
    let error = step_error(&images(2), &Tensor::from_slice(&[0f32, 1.]));
    mistake("labels that are floats: `Tensor::from_slice(&[0., 1.])`", "Float", &error);
}

#[test]
fn labels_that_are_one_hot() {
    let y = Tensor::from_slice(&[1i64, 0, 0, 1]).view([2, 2]);
    mistake("one-hot labels, `[N, classes]`", "[2, 2]", &step_error(&images(2), &y));
}

#[test]
fn fewer_labels_than_images() {
    let error = step_error(&images(3), &Tensor::from_slice(&[0i64, 1]));
    mistake("two labels for three images", "3", &error);
}

#[test]
fn an_image_without_a_batch() {
    let error = step_error(&images(1).squeeze_dim(0), &Tensor::from_slice(&[0i64]));
    mistake("one image `[3, H, W]` in place of a batch `[N, 3, H, W]`", "[3, 32, 32]", &error);
}

#[test]
fn grey_images() {
    let x = images(2).narrow(1, 0, 1);
    let error = step_error(&x, &Tensor::from_slice(&[0i64, 1]));
    mistake("grey images `[N, 1, H, W]` for a model that takes three channels", "1", &error);
}

#[test]
fn an_output_layer_that_does_not_fit() {
    let mut net = two_classes();
    net.fc = linear(1000, 2).unwrap();
    let mut trainer = SGD::new(net.parameters(), 1e-3).unwrap();
    let error = good_step_error(&net, &mut trainer);
    mistake("`net.fc = linear(1000, 2)?` where the features are 512", "1000", &error);
}

#[test]
fn a_learning_rate_that_is_too_large() {
    let set = small_set(2);
    let net = two_classes();
    let mut trainer = SGD::new(net.parameters(), 1e30).unwrap();
    let error = train(&net, &mut trainer, set.path()).err().unwrap();
    mistake("a learning rate that is far too large", "lower the learning rate", &error);
}

#[test]
fn the_trainer_of_another_network() {
    let (old, net) = (two_classes(), two_classes());
    let mut trainer = SGD::new(old.parameters(), 1e-3).unwrap();
    let error = good_step_error(&net, &mut trainer);
    mistake("a trainer that was made for another network", "parameters()", &error);
}

#[test]
fn parameters_in_two_groups() {
    let net = two_classes();
    let groups =
        vec![ParamGroup::new(net.parameters()), ParamGroup::new(net.fc.parameters()).lr(1e-2)];
    let error = SGD::with_groups(groups, 1e-3).unwrap_err();
    mistake("`net.parameters()` in one group and `net.fc.parameters()` in another", "SGD", &error);
}

#[test]
fn all_layers_frozen() {
    let net = two_classes();
    net.requires_grad_(false);
    let mut trainer = SGD::new(net.parameters(), 1e-3).unwrap();
    let error = good_step_error(&net, &mut trainer);
    mistake("all layers frozen: `net.requires_grad_(false)`", "requires_grad_", &error);
}

#[test]
fn weights_of_another_network() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hotdog.safetensors");
    let mut net = resnet18(Weights::Random).unwrap();
    save_weights(&net, &path).unwrap();
    net.fc = linear(512, 2).unwrap();
    let error = load_weights(&net, &path).unwrap_err();
    mistake("weights of a network with 1000 classes into one with two", "fc.weight", &error);
}

#[test]
fn an_old_trainer_for_a_new_network() {
    let set = small_set(2);
    let net = two_classes();
    let mut trainer = SGD::new(net.parameters(), 1e-3).unwrap();
    train(&net, &mut trainer, set.path()).unwrap();
    let net = two_classes();
    let error = train(&net, &mut trainer, set.path()).err().unwrap();
    mistake(
        "`let net = …` again, and the trainer that was made for the network before",
        "it holds none of this network's parameters",
        &error,
    );
    good_step_error(&net, &mut trainer);
    let mut adam = Adam::new(two_classes().parameters(), 1e-3).unwrap();
    let loss = CrossEntropyLoss::new(Reduction::None);
    let y = Tensor::from_slice(&[0i64, 1]);
    train_batch_ch13(&net, &images(2), &y, &loss, &mut adam, &CPU).unwrap_err();
    // Made again as well, it trains.
    let mut trainer = SGD::new(net.parameters(), 1e-3).unwrap();
    train(&net, &mut trainer, set.path()).unwrap();
}

#[test]
fn an_image_without_a_batch_for_a_forward() {
    let net = two_classes();
    net.eval();
    let error = net.forward(&images(1).squeeze_dim(0)).unwrap_err();
    mistake("`net.forward(&image)?` of one image `[3, H, W]`", "x.unsqueeze(0)", &error);
}

#[test]
fn pixels_for_a_model() {
    let x = (images(2) * 255).to_kind(Kind::Uint8);
    let error = step_error(&x, &Tensor::from_slice(&[0i64, 1]));
    mistake("images that are still pixels from 0 to 255, of kind Uint8", "layer conv1", &error);
}

#[test]
fn a_batch_of_one_in_training() {
    let error = step_error(&images(1), &Tensor::from_slice(&[0i64]));
    mistake("a batch of one small image in training, with batch norm", "BatchNorm2d(512", &error);
}

#[test]
fn a_linear_layer_for_images_of_another_size() {
    let net = sequential![Conv2d::new(3, 4, 3).unwrap(), linear(4 * 30 * 30, 2).unwrap()];
    let error = net.forward(&images(2)).unwrap_err();
    mistake("a `Linear` after a convolution, without flattening", "layer 1, Linear(", &error);
}

#[test]
fn scores_for_each_pixel() {
    let net = Conv2d::new(3, 2, 3).unwrap();
    let mut trainer = SGD::new(net.parameters(), 1e-3).unwrap();
    let loss = CrossEntropyLoss::new(Reduction::None);
    let y = Tensor::from_slice(&[0i64, 1]);
    let error = train_batch_ch13(&net, &images(2), &y, &loss, &mut trainer, &CPU).unwrap_err();
    mistake("a network that ends with a convolution, without pooling", "f_flatten(1, -1)", &error);
}

#[test]
fn scores_without_classes() {
    let loss = CrossEntropyLoss::new(Reduction::None);
    let (scores, y) = (Tensor::from_slice(&[0.5f32, -1.]), Tensor::from_slice(&[0i64, 1]));
    let error = loss.forward(&scores, &y).unwrap_err();
    mistake("one score an image, `[N]`, in place of `[N, classes]`", "shape [2]", &error);
}

#[test]
fn weights_of_convolutions_with_a_bias() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("c1.safetensors");
    let net = |bias| {
        let conv = Conv2d::new(3, 4, 3).and_then(|conv| conv.bias(bias));
        sequential![conv.unwrap(), linear(4, 2).unwrap()]
    };
    save_weights(&net(true), &path).unwrap();
    let error = load_weights(&net(false), &path).unwrap_err();
    mistake("weights of a `Conv2d` with a bias into one without", ".bias(true)?", &error);
    save_weights(&net(false), &path).unwrap();
    let error = load_weights(&net(true), &path).unwrap_err();
    mistake("weights of a `Conv2d` without a bias into one with one", ".bias(false)?", &error);
}
