//! The lesson *Fine-tuning* as one program (d2l: section 14.2).
//!
//! ```text
//! cargo run --release --example fine_tuning
//! D2L_DATA_DIR=../data cargo run --release --example fine_tuning     # ../data/hotdog
//! ```

use d2l::prelude::*;

/// Trains all layers; with `Some(factor)` the output layer learns that many times as fast as the rest.
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
    // The data
    let data_dir = download_extract("hotdog")?;
    let normalize = Normalize::new([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])?;
    let train_augs = compose![
        RandomResizedCrop::new(224)?,
        RandomHorizontalFlip::new(0.5)?,
        ToTensor,
        normalize
    ];
    let test_augs = compose![Resize::new([256, 256])?, CenterCrop::new(224)?, ToTensor, normalize];

    // The same output layer on what ImageNet taught, and on nothing
    let pretrained_net = pretrained_source_model()?;
    let mut finetune_net = pretrained_net.copy()?;
    finetune_net.fc = linear(pretrained_net.fc.in_features(), 2)?;
    xavier_uniform(&finetune_net.fc.weight)?;
    let mut scratch_net = pretrained_net.untrained()?;
    scratch_net.fc = linear(pretrained_net.fc.in_features(), 2)?;

    // For ResNets the book's values; the notebook says why EfficientNet-Lite0 takes others.
    let (batch_size, learning_rate, output_factor) = match pretrained_net.architecture() {
        Architecture::EfficientNetLite0 => (32, 2e-5, 150.),
        _ => (128, 5e-5, 10.),
    };
    let train_imgs = ImageFolder::with_transform(data_dir.join("train"), &train_augs)?;
    let test_imgs = ImageFolder::with_transform(data_dir.join("test"), &test_augs)?;
    let loaders = (
        DataLoader::new(train_imgs, batch_size)?.shuffle(true),
        DataLoader::new(test_imgs, batch_size)?,
    );

    println!("fine-tuning");
    let fine_tuned =
        train_fine_tuning(&finetune_net, &loaders, learning_rate, 5, Some(output_factor))?;
    println!("from scratch");
    let scratch = train_fine_tuning(&scratch_net, &loaders, 5e-4, 5, None)?;
    println!("fine-tuning is ahead by {:.3}", fine_tuned.test_acc - scratch.test_acc);
    Ok(())
}
