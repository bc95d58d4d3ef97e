//! The lesson *Fine-tuning* as one program (d2l: section 14.2).
//!
//! ```text
//! cargo run --release --example fine_tuning
//! D2L_DATA_DIR=../data cargo run --release --example fine_tuning     # ../data/hotdog
//! ```

use d2l::prelude::*;

fn main() -> Result<()> {
    // The data
    let data_dir = download_extract("hotdog")?;
    let normalize = Normalize::new([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]);
    let train_augs =
        compose![RandomResizedCrop::new(224), RandomHorizontalFlip::new(0.5), ToTensor, normalize];
    let test_augs = compose![Resize::new([256, 256]), CenterCrop::new(224), ToTensor, normalize];
    let train_imgs = ImageFolder::with_transform(data_dir.join("train"), &train_augs)?;
    let test_imgs = ImageFolder::with_transform(data_dir.join("test"), &test_augs)?;

    // The same output layer on what ImageNet taught, and on nothing
    let pretrained_net = pretrained_source_model()?;
    let mut finetune_net = pretrained_net.copy()?;
    finetune_net.fc = linear(pretrained_net.fc.in_features, 2)?;
    xavier_uniform(&finetune_net.fc.weight)?;
    let mut scratch_net = pretrained_net.untrained()?;
    scratch_net.fc = linear(pretrained_net.fc.in_features, 2)?;

    let train_fine_tuning = |net: &Classifier, learning_rate: f64, param_group: bool| {
        let train_iter = DataLoader::new(train_imgs.clone(), 128)?.shuffle(true);
        let test_iter = DataLoader::new(test_imgs.clone(), 128)?;
        let mut trainer = if param_group {
            let (fc, features): (Vec<_>, Vec<_>) =
                net.named_parameters().into_iter().partition(|(name, _)| name.starts_with("fc."));
            let tensors = |named: Vec<(String, Tensor)>| named.into_iter().map(|p| p.1).collect();
            let groups = vec![
                ParamGroup::new(tensors(features)),
                ParamGroup::new(tensors(fc)).lr(learning_rate * 10.),
            ];
            SGD::with_groups(groups, learning_rate, 0.001)?
        } else {
            SGD::new(net.parameters(), learning_rate, 0.001)?
        };
        let loss = CrossEntropyLoss::new(Reduction::None);
        train_ch13(net, &train_iter, &test_iter, &loss, &mut trainer, 5, &try_all_gpus())
    };
    println!("fine-tuning");
    let fine_tuned = train_fine_tuning(&finetune_net, 5e-5, true)?;
    println!("from scratch");
    let scratch = train_fine_tuning(&scratch_net, 5e-4, false)?;
    println!("fine-tuning is ahead by {:.3}", fine_tuned.test_acc - scratch.test_acc);
    Ok(())
}
