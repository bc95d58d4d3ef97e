//! Our side of `cargo d2l bench`: measures one thing and prints a line of JSON.
//!
//! ```text
//! measure facts                                   where the photographs are; has it bfloat16?
//! measure loader FOLDER THREADS BATCH [keep]      pictures/s of a loader; keep decoded ones
//! measure step auto|full STEPS BATCH              pictures/s of training ResNet-18
//! measure lesson FOLDER SEED EPOCHS BATCH         the lesson with ResNet-18, seconds and accuracy
//! ```

use std::path::Path;
use std::time::Instant;

use d2l::device::multiplies_bf16;
use d2l::prelude::*;
use serde_json::{Value, json};

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let number = |text: &str| text.parse::<usize>().unwrap_or(1);
    let measured = match arguments[..] {
        ["facts"] => json!({
            "folder": download_extract("hotdog")?,
            "has_bf16": multiplies_bf16(try_gpu(0)),
        }),
        ["loader", folder, threads, batch, ref keep @ ..] => {
            loader(folder.as_ref(), number(threads), number(batch), !keep.is_empty())?
        }
        ["step", precision, steps, batch] => step(precision, number(steps), number(batch) as i64)?,
        ["lesson", folder, seed, epochs, batch] => {
            lesson(folder.as_ref(), number(seed), number(epochs), number(batch))?
        }
        _ => panic!("what to measure is said at the head of examples/measure.rs"),
    };
    println!("{measured}");
    Ok(())
}

fn train_augs() -> Compose {
    let normalize = Normalize::new([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]);
    compose![RandomResizedCrop::new(224), RandomHorizontalFlip::new(0.5), ToTensor, normalize]
}

fn test_augs() -> Compose {
    let normalize = Normalize::new([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]);
    compose![Resize::new([256, 256]), CenterCrop::new(224), ToTensor, normalize]
}

/// One epoch for the page cache, then one that counts; `D2L_DATASET_LIMIT` bounds both.
fn loader(folder: &Path, threads: usize, batch: usize, keep: bool) -> Result<Value> {
    let mut pictures = ImageFolder::with_transform(folder.join("train"), &train_augs())?;
    if keep {
        pictures = pictures.keep_decoded(4_000_000_000);
    }
    let loader = DataLoader::new(pictures, batch)?.shuffle(true).num_workers(threads);
    let mut rate = 0.;
    for _ in 0..2 {
        let (start, mut count) = (Instant::now(), 0);
        for batch in loader.iter() {
            count += batch?.1.size()[0];
        }
        rate = count as f64 / start.elapsed().as_secs_f64();
    }
    Ok(json!({ "pictures_per_second": rate }))
}

/// Two steps to warm up, then those that count.
fn step(precision: &str, steps: usize, batch: i64) -> Result<Value> {
    set_precision(if precision == "full" { Precision::Full } else { Precision::Auto });
    let net = resnet18(Weights::Random)?;
    let loss = CrossEntropyLoss::new(Reduction::None);
    let mut trainer = SGD::new(net.parameters(), 1e-5, 1e-3)?;
    let devices = try_all_gpus();
    net.to(devices[0])?;
    let x = Tensor::rand([batch, 224, 224, 3], (Kind::Float, devices[0])).permute([0, 3, 1, 2]);
    let y = Tensor::zeros([batch], (Kind::Int64, devices[0]));
    let mut timer = Timer::new();
    for i in 0..steps + 2 {
        if i == 2 {
            timer = Timer::new();
        }
        timer.start();
        train_batch_ch13(&net, &x, &y, &loss, &mut trainer, &devices)?;
        timer.stop();
    }
    Ok(json!({ "pictures_per_second": batch as f64 * steps as f64 / timer.sum() }))
}

/// The lesson's fine-tuning with the book's values, from random ones: its time is the same.
fn lesson(folder: &Path, seed: usize, epochs: usize, batch: usize) -> Result<Value> {
    manual_seed(seed as u64);
    let start = Instant::now();
    let mut net = resnet18(Weights::Random)?;
    net.fc = linear(net.fc.in_features(), 2)?;
    xavier_uniform(&net.fc.weight)?;
    let train_imgs = ImageFolder::with_transform(folder.join("train"), &train_augs())?;
    let test_imgs = ImageFolder::with_transform(folder.join("test"), &test_augs())?;
    let train_iter = DataLoader::new(train_imgs, batch)?.shuffle(true);
    let test_iter = DataLoader::new(test_imgs, batch)?;
    let loss = CrossEntropyLoss::new(Reduction::None);
    let mut trainer = SGD::new(net.parameters(), 5e-4, 0.001)?;
    let devices = try_all_gpus();
    let summary = train_ch13(&net, &train_iter, &test_iter, &loss, &mut trainer, epochs, &devices)?;
    Ok(json!({ "seconds": start.elapsed().as_secs_f64(), "test_acc": summary.test_acc }))
}
