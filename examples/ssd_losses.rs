//! What becomes of the lesson *Single shot multibox detection* (d2l: section 14.7) with other losses,
//! anchors and images. Its answers show the results; its own setting is measured over three seeds.
//!
//! ```text
//! cargo run --release --example ssd_losses notebooks/data/ssd_losses.csv
//! cargo run --release --example ssd_losses some.csv focal,flips    # these variants
//! D2L_DATA_DIR=../data cargo run --release --example ssd_losses photographs.csv lesson
//! ```

mod tiny_ssd;

use std::f64::consts::PI;
use std::fs::File;
use std::io::Write;

use d2l::prelude::*;
use tiny_ssd::{Predicted, SIZES, TinySSD, train_batch};

const BATCH_SIZE: usize = 8;
const LEARNING_RATE: f64 = 2e-3;
const EPOCHS: usize = 10;
const FEW_EPOCHS: usize = 3;
const SEEDS: u64 = 3;
const BOOK_SIZES: [[f64; 2]; 5] =
    [[0.2, 0.272], [0.37, 0.447], [0.54, 0.619], [0.71, 0.79], [0.88, 0.961]];

/// The lesson's setting over three seeds, then each change for a few epochs.
const VARIANTS: &str = "lesson,base,book's sizes,smooth L1,focal,hard neg.,classes 5:1,\
                        offsets 1:5,book's loss,flips";

fn num_positives(of: &Predicted) -> Tensor {
    of.cls_labels.gt(0).sum(Kind::Float).clamp_min(1.)
}

/// Sums over all anchors, by the number of those that have an object.
fn weighted_loss(of: &Predicted, cls_weight: f64, bbox_weight: f64) -> Result<Tensor> {
    let cls = of.cls_loss()?.sum(Kind::Float) * cls_weight;
    Ok((cls + of.bbox_loss().sum(Kind::Float) * bbox_weight) / num_positives(of))
}

/// The book's: means over all anchors and over all offsets.
fn mean_loss(of: &Predicted) -> Result<Tensor> {
    Ok(of.cls_loss()?.mean(Kind::Float) + of.bbox_loss().mean(Kind::Float))
}

fn smooth_l1_loss(of: &Predicted) -> Result<Tensor> {
    let distance = of.bbox_loss();
    let smooth = (distance.square() / 2.).where_self(&distance.lt(1.), &(&distance - 0.5));
    Ok((of.cls_loss()?.sum(Kind::Float) + smooth.sum(Kind::Float)) / num_positives(of))
}

fn focal_loss(of: &Predicted) -> Result<Tensor> {
    let losses = of.cls_loss()?;
    let wrong: Tensor = 1. - (-&losses).exp();
    let focal = wrong.clamp_min(1e-6).square() * losses;
    Ok((focal.sum(Kind::Float) + of.bbox_loss().sum(Kind::Float)) / num_positives(of))
}

/// Of each image's background the hardest anchors, three for each that has an object.
fn mined_loss(of: &Predicted) -> Result<Tensor> {
    let (losses, positive) = (of.cls_loss()?, of.cls_labels.gt(0));
    let of_background = losses.detach().masked_fill(&positive, -1.);
    let rank = of_background.argsort(1, true).argsort(1, false);
    let most = (positive.sum_dim_intlist(1i64, true, Kind::Float) * 3.).clamp_min(3.);
    let counts = positive.logical_or(&rank.less_tensor(&most)).to_kind(Kind::Float);
    let sum = (losses * counts).sum(Kind::Float) + of.bbox_loss().sum(Kind::Float);
    Ok(sum / num_positives(of))
}

fn evaluate_ap(net: &TinySSD, data_iter: &DataLoader) -> Result<MeanAveragePrecision> {
    net.eval();
    let mut ap = MeanAveragePrecision::new(data_iter.dataset().classes().to_vec());
    for batch in data_iter {
        let (x, y) = batch?;
        let (anchors, cls_preds, bbox_preds) =
            no_grad(|| net.predictions(&x.to_device(net.device())))?;
        let cls_probs = cls_preds.softmax(2, Kind::Float).permute([0, 2, 1]);
        ap.add(&multibox_detection(&cls_probs, &bbox_preds, &anchors)?, &y)?;
    }
    Ok(ap)
}

/// The learning rate's factor after so many steps: up, then down.
fn rate_factor(step: usize, num_steps: usize) -> f64 {
    let part = step as f64 / num_steps as f64;
    if part < 0.05 { (part + 0.01) / 0.06 } else { (1. + ((part - 0.05) / 0.95 * PI).cos()) / 2. }
}

fn train(
    net: &TinySSD,
    train_iter: &DataLoader,
    trainer: &mut dyn Optimizer,
    num_epochs: usize,
    loss: &dyn Fn(&Predicted) -> Result<Tensor>,
) -> Result<()> {
    let num_steps = num_epochs * train_iter.len();
    let mut schedule = LambdaLR::new(move |step| rate_factor(step, num_steps));
    schedule.start(trainer)?;
    net.train();
    for _ in 0..num_epochs {
        for batch in train_iter {
            let (x, y) = batch?;
            train_batch(net, (&x, &y), trainer, loss)?;
            schedule.step(trainer)?;
        }
    }
    Ok(())
}

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().unwrap_or("ssd_losses.csv".into());
    let variants = arguments.next().unwrap_or(VARIANTS.into());
    let mut file = File::create(path)?;
    writeln!(file, "variant,epochs,seed,AP50,AP")?;
    let valid_iter = DataLoader::new(BananasDataset::new(false)?, BATCH_SIZE)?;
    for variant in variants.split(',') {
        let is_lesson = variant == "lesson";
        let num_epochs = if is_lesson { EPOCHS } else { FEW_EPOCHS };
        for seed in 0..if is_lesson { SEEDS } else { 1 } {
            manual_seed(seed);
            let train_set = BananasDataset::new(true)?;
            let train_set = match variant {
                "flips" => train_set.augment(|sample, rng| sample.random_horizontal_flip(0.5, rng)),
                _ => train_set,
            };
            let train_iter = DataLoader::new(train_set, BATCH_SIZE)?.shuffle(true);
            let sizes = if variant == "book's sizes" { BOOK_SIZES } else { SIZES };
            let net = TinySSD::new(1, sizes)?;
            net.to(try_gpu(0))?;
            let mut trainer: Box<dyn Optimizer> = match variant {
                "book's loss" => Box::new(SGD::new(net.parameters(), 0.2)?.weight_decay(5e-4)?),
                _ => Box::new(Adam::new(net.parameters(), LEARNING_RATE)?),
            };
            let loss: &dyn Fn(&Predicted) -> Result<Tensor> = match variant {
                "smooth L1" => &smooth_l1_loss,
                "focal" => &focal_loss,
                "hard neg." => &mined_loss,
                "classes 5:1" => &|of| weighted_loss(of, 5., 1.),
                "offsets 1:5" => &|of| weighted_loss(of, 1., 5.),
                "book's loss" => &mean_loss,
                _ => &|of| weighted_loss(of, 1., 1.),
            };
            train(&net, &train_iter, &mut *trainer, num_epochs, loss)?;
            let ap = evaluate_ap(&net, &valid_iter)?;
            let (ap_50, ap) = (ap.map_50(), ap.map());
            println!("{variant}, {num_epochs} epochs, seed {seed}: AP50 {ap_50:.3}, AP {ap:.3}");
            writeln!(file, "{variant},{num_epochs},{seed},{ap_50:.4},{ap:.4}")?;
        }
    }
    Ok(())
}
