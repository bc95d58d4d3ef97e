//! The lesson *Fine-tuning* as one program (d2l: section 14.2).
//!
//! ```text
//! cargo run --release --example fine_tuning
//! D2L_DATA_DIR=../data cargo run --release --example fine_tuning     # ../data/hotdog
//! ```

mod features;

use d2l::prelude::*;
use features::{extract_features, train_output_layer};

/// Trains all layers; with `Some(factor)` the output layer's learning rate is that many times the others'.
fn train_fine_tuning(
    net: &Classifier,
    (train_iter, test_iter): &(DataLoader, DataLoader),
    learning_rate: f64,
    num_epochs: usize,
    param_group: Option<f64>,
) -> Result<Summary> {
    let loss = CrossEntropyLoss::new(Reduction::None);
    let mut trainer = if let Some(factor) = param_group {
        let features = ParamGroup::new(net.features.parameters());
        let output = ParamGroup::new(net.fc.parameters()).lr(learning_rate * factor);
        SGD::with_groups(vec![features, output], learning_rate)?.weight_decay(0.001)?
    } else {
        SGD::new(net.parameters(), learning_rate)?.weight_decay(0.001)?
    };
    train_ch13(net, train_iter, test_iter, &loss, &mut trainer, num_epochs, &try_all_gpus())
}

fn main() -> Result<()> {
    // The data: 400 images to learn from, 200 to choose by, and the test set
    let data_dir = download_extract("hotdog")?;
    let normalize = Normalize::new([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])?;
    let train_augs = compose![
        RandomResizedCrop::new(224)?,
        RandomHorizontalFlip::new(0.5)?,
        ToTensor,
        normalize
    ];
    let test_augs = compose![Resize::new([256, 256])?, CenterCrop::new(224)?, ToTensor, normalize];
    let (batch_size, train_dir) = (32, data_dir.join("train"));
    let all = ImageFolder::new(&train_dir)?;
    let num_rest = all.len().saturating_sub(600);
    let [train_part, valid_part, _rest] = random_split(all, [400, 200, num_rest])?;
    let part = |part: &Subset, augs: &Compose| {
        let images = ImageFolder::with_transform(&train_dir, augs)?;
        DataLoader::new(Subset::new(images, part.indices().to_vec())?, batch_size)
    };
    let loaders = (part(&train_part, &train_augs)?.shuffle(true), part(&valid_part, &test_augs)?);
    let test_imgs = ImageFolder::with_transform(data_dir.join("test"), &test_augs)?;
    let test_iter = DataLoader::new(test_imgs, batch_size)?;

    // First an output layer on the features as they are, then all layers
    let pretrained_net = pretrained_source_model()?;
    let (x, y) = extract_features(&pretrained_net, &part(&train_part, &test_augs)?)?;
    let mut net = pretrained_net.copy()?;
    net.fc = linear(pretrained_net.fc.in_features(), 2)?;
    train_output_layer(&net.fc, &x, &y)?;
    let frozen = evaluate_accuracy_gpu(&net, &test_iter, None)?;
    println!("fine-tuning");
    train_fine_tuning(&net, &loaders, 5e-5, 5, Some(10.))?;
    let fine_tuned = evaluate_accuracy_gpu(&net, &test_iter, None)?;

    println!("from scratch");
    let mut net = pretrained_net.untrained()?;
    net.fc = linear(pretrained_net.fc.in_features(), 2)?;
    train_fine_tuning(&net, &loaders, 5e-4, 5, None)?;
    let scratch = evaluate_accuracy_gpu(&net, &test_iter, None)?;
    println!(
        "test accuracy: frozen {frozen:.3}, fine-tuned {fine_tuned:.3}, from scratch {scratch:.3}"
    );
    Ok(())
}
