//! An output layer on a network's features as they are, as the lesson *Fine-tuning* trains it.

use d2l::prelude::*;

/// Features `[N, in_features]` and labels `[N]` of all images of a loader, in order.
pub fn extract_features(net: &Classifier, data_iter: &DataLoader) -> Result<(Tensor, Tensor)> {
    net.eval();
    let (mut features, mut labels) = (vec![], vec![]);
    for batch in data_iter {
        let (x, y) = batch?;
        let of_batch = no_grad(|| net.features.forward(&x.to_device(net.device())))?;
        features.push(of_batch.to_kind(Kind::Float).to_device(Device::Cpu));
        labels.push(y);
    }
    Ok((Tensor::cat(&features, 0), Tensor::cat(&labels, 0)))
}

/// Trains an output layer on features: all of them in each of 400 steps.
pub fn train_output_layer(fc: &Linear, x: &Tensor, y: &Tensor) -> Result<()> {
    xavier_uniform(&fc.weight)?;
    let loss = CrossEntropyLoss::new(Reduction::Mean);
    let mut trainer = SGD::new(fc.parameters(), 0.02)?.momentum(0.9)?.weight_decay(0.001)?;
    for _ in 0..400 {
        trainer.zero_grad()?;
        loss.forward(&fc.forward(x)?, y)?.backward();
        trainer.step()?;
    }
    Ok(())
}
