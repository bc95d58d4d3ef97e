//! Our side of `cargo d2l bench`: measures one thing and prints a line of JSON.
//!
//! ```text
//! measure facts                                   where the photographs are; has it bfloat16?
//! measure loader FOLDER THREADS BATCH [keep]      images/s of a loader; keep decoded ones
//! measure step auto|full STEPS BATCH              images/s of training ResNet-18
//! measure optimizer NAME ours|libtorch STEPS      ms of a step of sgd, momentum, adam or adamw, ResNet-18
//! measure ssd WHAT TIMES                          ms of TinySSD's parts, 5444 anchors: step, step-full,
//!                                                 targets, nms, detection
//! measure lesson FOLDER SEED EPOCHS BATCH         the lesson with ResNet-18, seconds and accuracy
//! ```

mod tiny_ssd;

use std::path::Path;
use std::time::Instant;

use d2l::device::multiplies_bf16;
use d2l::prelude::*;
use d2l::tch::COptimizer;
use serde_json::{Value, json};
use tiny_ssd::{Predicted, SIZES, TinySSD, train_batch};

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
        ["optimizer", name, whose, steps] => optimizer(name, whose == "ours", number(steps))?,
        ["ssd", what, times] => ssd(what, number(times))?,
        ["lesson", folder, seed, epochs, batch] => {
            lesson(folder.as_ref(), number(seed), number(epochs), number(batch))?
        }
        _ => panic!("what to measure is said at the head of examples/measure.rs"),
    };
    println!("{measured}");
    Ok(())
}

fn train_augs() -> Result<Compose> {
    let normalize = Normalize::new([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])?;
    Ok(compose![RandomResizedCrop::new(224)?, RandomHorizontalFlip::new(0.5)?, ToTensor, normalize])
}

fn test_augs() -> Result<Compose> {
    let normalize = Normalize::new([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])?;
    Ok(compose![Resize::new([256, 256])?, CenterCrop::new(224)?, ToTensor, normalize])
}

/// One epoch for the page cache, then one that counts; `D2L_DATASET_LIMIT` bounds both.
fn loader(folder: &Path, threads: usize, batch: usize, keep: bool) -> Result<Value> {
    let mut images = ImageFolder::with_transform(folder.join("train"), &train_augs()?)?;
    if keep {
        images = images.keep_decoded(4_000_000_000);
    }
    let loader = DataLoader::new(images, batch)?.shuffle(true).num_workers(threads);
    let mut rate = 0.;
    for _ in 0..2 {
        let (start, mut count) = (Instant::now(), 0);
        for batch in loader.iter() {
            count += batch?.1.size()[0];
        }
        rate = count as f64 / start.elapsed().as_secs_f64();
    }
    Ok(json!({ "images_per_second": rate }))
}

/// Two steps to warm up, then those that count.
fn step(precision: &str, steps: usize, batch: i64) -> Result<Value> {
    set_precision(if precision == "full" { Precision::Full } else { Precision::Auto });
    let net = resnet18(Weights::Random)?;
    let loss = CrossEntropyLoss::new(Reduction::None);
    let mut trainer = SGD::new(net.parameters(), 1e-5)?.weight_decay(1e-3)?;
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
    Ok(json!({ "images_per_second": batch as f64 * steps as f64 / timer.sum() }))
}

/// The shortest of some steps: of what else runs on the machine nothing is wanted here.
fn optimizer(name: &str, ours: bool, steps: usize) -> Result<Value> {
    let net = resnet18(Weights::Random)?;
    net.to(try_gpu(0))?;
    for parameter in net.parameters() {
        (parameter.f_mul(&parameter.f_rand_like()?)?).f_sum(None)?.f_backward()?;
    }
    let mut trainer: Box<dyn FnMut() -> Result<()>> = if ours {
        let mut trainer: Box<dyn Optimizer> = match name {
            "sgd" => Box::new(SGD::new(net.parameters(), 1e-5)?.weight_decay(1e-3)?),
            "momentum" => {
                Box::new(SGD::new(net.parameters(), 1e-5)?.weight_decay(1e-3)?.momentum(0.9)?)
            }
            "adam" => Box::new(Adam::new(net.parameters(), 1e-5)?),
            _ => Box::new(AdamW::new(net.parameters(), 1e-5)?),
        };
        Box::new(move || trainer.step())
    } else {
        let mut trainer = match name {
            "sgd" => COptimizer::sgd(1e-5, 0., 0., 1e-3, false)?,
            "momentum" => COptimizer::sgd(1e-5, 0.9, 0., 1e-3, false)?,
            "adam" => COptimizer::adam(1e-5, 0.9, 0.999, 0., 1e-8, false)?,
            _ => COptimizer::adamw(1e-5, 0.9, 0.999, 0.01, 1e-8, false)?,
        };
        for parameter in net.parameters() {
            trainer.add_parameters(&parameter, 0)?;
        }
        Box::new(move || Ok(trainer.step()?))
    };
    let mut shortest = f64::INFINITY;
    for _ in 0..steps {
        let start = Instant::now();
        trainer()?;
        if let Device::Cuda(index) = net.device() {
            d2l::tch::Cuda::synchronize(index as i64);
        }
        shortest = shortest.min(start.elapsed().as_secs_f64());
    }
    Ok(json!({ "milliseconds": 1e3 * shortest }))
}

/// The shortest of some times: a training step with a batch of 32, in bfloat16 where there is that, or in
/// `f32` (`step-full`); its targets alone; the suppression of all anchors, moved a little, with random
/// scores; the detections in an image of which the network has learned nothing yet.
fn ssd(what: &str, times: usize) -> Result<Value> {
    set_precision(if what == "step-full" { Precision::Full } else { Precision::Auto });
    let options = (Kind::Float, try_gpu(0));
    let net = TinySSD::new(1, SIZES)?;
    net.to(options.1)?;
    let images = Tensor::rand([32, 256, 256, 3], options).permute([0, 3, 1, 2]);
    let (anchors, ..) = no_grad(|| net.predictions(&images.narrow(0, 0, 1)))?;
    let mut trainer = SGD::new(net.parameters(), 1e-5)?.weight_decay(5e-4)?;
    let mean_loss = |of: &Predicted| -> Result<Tensor> {
        Ok(of.cls_loss()?.mean(Kind::Float) + of.bbox_loss().mean(Kind::Float))
    };
    let labels = || {
        let (corner, size) =
            (Tensor::rand([32, 1, 2], options) * 0.6, Tensor::rand([32, 1, 2], options));
        let end = &corner + size * 0.25 + 0.15;
        Tensor::cat(&[Tensor::zeros([32, 1, 1], options), corner, end], 2)
    };
    let offsets = || Tensor::randn([1, 4 * 5444], options) * 0.5;
    let mut shortest = f64::INFINITY;
    for _ in 0..times {
        let (labels, offsets, scores) = (labels(), offsets(), Tensor::rand([5444], options));
        let probs = Tensor::randn([1, 2, 5444], options).softmax(1, Kind::Float);
        let boxes = offset_inverse(&anchors.get(0), &offsets.view([5444, 4]))?;
        let start = Instant::now();
        match what {
            "step" | "step-full" => {
                train_batch(&net, (&images, &labels), &mut trainer, &mean_loss)?;
            }
            "targets" => drop(multibox_target(&anchors, &labels)?),
            "nms" => drop(nms(&boxes, &scores, 0.5)?),
            _ => drop(multibox_detection(&probs, &offsets, &anchors)?),
        }
        if let Device::Cuda(index) = options.1 {
            d2l::tch::Cuda::synchronize(index as i64);
        }
        shortest = shortest.min(start.elapsed().as_secs_f64());
    }
    Ok(json!({ "milliseconds": 1e3 * shortest }))
}

/// The lesson's fine-tuning with the book's values, from random ones: its time is the same.
fn lesson(folder: &Path, seed: usize, epochs: usize, batch: usize) -> Result<Value> {
    manual_seed(seed as u64);
    let start = Instant::now();
    let mut net = resnet18(Weights::Random)?;
    net.fc = linear(net.fc.in_features(), 2)?;
    xavier_uniform(&net.fc.weight)?;
    let train_imgs = ImageFolder::with_transform(folder.join("train"), &train_augs()?)?;
    let test_imgs = ImageFolder::with_transform(folder.join("test"), &test_augs()?)?;
    let train_iter = DataLoader::new(train_imgs, batch)?.shuffle(true);
    let test_iter = DataLoader::new(test_imgs, batch)?;
    let loss = CrossEntropyLoss::new(Reduction::None);
    let mut trainer = SGD::new(net.parameters(), 5e-4)?.weight_decay(0.001)?;
    let devices = try_all_gpus();
    let summary = train_ch13(&net, &train_iter, &test_iter, &loss, &mut trainer, epochs, &devices)?;
    Ok(json!({ "seconds": start.elapsed().as_secs_f64(), "test_acc": summary.test_acc }))
}
