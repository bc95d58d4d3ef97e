//! How accurate a network becomes with how many training images: from scratch, with frozen features and
//! a new output layer, and fine-tuned (d2l: section 14.2). The lesson *Fine-tuning* draws these curves.
//!
//! ```text
//! cargo run --release --example number_of_images notebooks/data/number_of_images.csv
//! cargo run --release --example number_of_images more.csv 600,1000     # these sizes
//! ```

mod features;

use std::fs::File;
use std::io::Write;
use std::sync::Arc;

use d2l::prelude::*;
use features::{extract_features, train_output_layer};

const SIZES: &str = "24,50,100,200,400";
const SEEDS: u64 = 3;
const EPOCHS: usize = 5;
const BATCH_SIZE: usize = 32;

/// The loop of `train_ch13` without its curves.
fn train(net: &Classifier, train_iter: &DataLoader, trainer: &mut SGD) -> Result<()> {
    let loss = CrossEntropyLoss::new(Reduction::None);
    for _ in 0..EPOCHS {
        for batch in train_iter {
            let (x, y) = batch?;
            train_batch_ch13(net, &x, &y, &loss, trainer, &try_all_gpus())?;
        }
    }
    Ok(())
}

/// Brings the running statistics of batch norm up to date, which lag behind while a network still
/// changes fast. Nothing is learned.
fn renew_statistics(net: &Classifier, train_iter: &DataLoader) -> Result<()> {
    net.train();
    let mut batches = 0;
    while batches < 40 {
        for batch in train_iter {
            let (x, _) = batch?;
            let _ = no_grad(|| net.forward(&x.to_device(net.device())))?;
            batches += 1;
        }
    }
    Ok(())
}

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().unwrap_or("number_of_images.csv".into());
    let sizes = arguments.next().unwrap_or(SIZES.into());
    let mut file = File::create(path)?;
    writeln!(file, "method,images,seed,accuracy")?;

    let data_dir = download_extract("hotdog")?;
    let normalize = Normalize::new([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])?;
    let train_augs = compose![
        RandomResizedCrop::new(224)?,
        RandomHorizontalFlip::new(0.5)?,
        ToTensor,
        normalize
    ];
    let test_augs = compose![Resize::new([256, 256])?, CenterCrop::new(224)?, ToTensor, normalize];
    let images = |part: &str, augs: &Compose| {
        Ok::<_, Error>(Arc::new(ImageFolder::with_transform(data_dir.join(part), augs)?))
    };
    let (augmented, plain) = (images("train", &train_augs)?, images("train", &test_augs)?);
    let test_iter = DataLoader::new(images("test", &test_augs)?, BATCH_SIZE)?;
    let per_class = plain.len() / 2; // sorted by class

    let source = pretrained_source_model()?;
    let (all_x, all_y) = extract_features(&source, &DataLoader::new(plain, BATCH_SIZE)?)?;
    let mut row = |method: &str, size: usize, seed: u64, net: &Classifier| {
        let accuracy = evaluate_accuracy_gpu(net, &test_iter, None)?;
        println!("{method}, {size} images, seed {seed}: {accuracy:.4}");
        writeln!(file, "{method},{size},{seed},{accuracy:.4}")?;
        Ok::<_, Box<dyn std::error::Error>>(())
    };
    for size in sizes.split(',').filter_map(|size| size.parse::<usize>().ok()) {
        for seed in 0..SEEDS {
            manual_seed(seed);
            // As many of each class; other images for each seed
            let order = Tensor::randperm(per_class as i64, (Kind::Int64, Device::Cpu));
            let chosen: Vec<i64> = Vec::try_from(order.narrow(0, 0, (size / 2) as i64))?;
            let rows: Vec<i64> = chosen.iter().flat_map(|&i| [i, i + per_class as i64]).collect();
            let indices: Vec<usize> = rows.iter().map(|&i| i as usize).collect();
            let rows = Tensor::from_slice(&rows);
            let train_imgs = Subset::new(augmented.clone(), indices)?;
            let train_iter = DataLoader::new(train_imgs, BATCH_SIZE)?.shuffle(true);

            let mut net = source.copy()?;
            net.fc = linear(source.fc.in_features(), 2)?;
            let (x, y) = (all_x.index_select(0, &rows), all_y.index_select(0, &rows));
            train_output_layer(&net.fc, &x, &y)?;
            row("frozen", size, seed, &net)?;

            let features = ParamGroup::new(net.features.parameters());
            let output = ParamGroup::new(net.fc.parameters()).lr(5e-4);
            let groups = vec![features, output];
            train(&net, &train_iter, &mut SGD::with_groups(groups, 5e-5)?.weight_decay(0.001)?)?;
            row("fine-tuned", size, seed, &net)?;

            let mut net = source.untrained()?;
            net.fc = linear(source.fc.in_features(), 2)?;
            train(&net, &train_iter, &mut SGD::new(net.parameters(), 5e-4)?.weight_decay(0.001)?)?;
            renew_statistics(&net, &train_iter)?;
            row("from scratch", size, seed, &net)?;
        }
    }
    Ok(())
}
