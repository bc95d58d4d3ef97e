//! The detector of the lesson *Single shot multibox detection* (d2l: section 14.7).

use d2l::prelude::*;

pub const SIZES: [[f64; 2]; 5] = [[0.1, 0.15], [0.22, 0.3], [0.4, 0.5], [0.6, 0.7], [0.8, 0.9]];
const RATIOS: [f64; 3] = [1., 2., 0.5];
const NUM_ANCHORS: i64 = 4;

fn down_sample_blk(in_channels: i64, out_channels: i64) -> Result<Sequential> {
    Ok(sequential![
        Conv2d::new(in_channels, out_channels, 3)?.padding(1)?,
        BatchNorm2d::new(out_channels)?,
        ReLU::new(),
        Conv2d::new(out_channels, out_channels, 3)?.padding(1)?,
        BatchNorm2d::new(out_channels)?,
        ReLU::new(),
        MaxPool2d::new(2)?,
    ])
}

/// The maximum of each channel: `[N, C, H, W]` to `[N, C, 1, 1]`.
#[derive(Debug)]
struct GlobalMaxPool;

impl Module for GlobalMaxPool {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        Ok(x.f_amax([2, 3], true)?)
    }

    fn visit(&self, _: &mut Visitor) {}
}

fn get_blk(i: usize) -> Result<Box<dyn Module>> {
    let base_net = || -> Result<Sequential> {
        Ok(sequential![down_sample_blk(3, 16)?, down_sample_blk(16, 32)?, down_sample_blk(32, 64)?])
    };
    Ok(match i {
        0 => base_net()?.into(),
        1 => down_sample_blk(64, 128)?.into(),
        2 | 3 => down_sample_blk(128, 128)?.into(),
        _ => GlobalMaxPool.into(),
    })
}

/// The book's network, with its names; the anchors' sizes are the lesson's, or others.
#[derive(Debug)]
pub struct TinySSD {
    num_classes: i64,
    sizes: [[f64; 2]; 5],
    blk: Vec<Box<dyn Module>>,
    cls: Vec<Conv2d>,
    bbox: Vec<Conv2d>,
}

impl TinySSD {
    pub fn new(num_classes: i64, sizes: [[f64; 2]; 5]) -> Result<TinySSD> {
        let mut net = TinySSD { num_classes, sizes, blk: vec![], cls: vec![], bbox: vec![] };
        let mut scores = vec![0f32; num_classes as usize + 1];
        scores[0] = 4.; // at first all is background
        for i in 0..5 {
            let channels = if i == 0 { 64 } else { 128 };
            let num_scores = NUM_ANCHORS * (num_classes + 1);
            let cls = Conv2d::new(channels, num_scores, 3)?.padding(1)?;
            cls.set_bias(&Tensor::from_slice(&scores).repeat([NUM_ANCHORS]))?;
            net.blk.push(get_blk(i)?);
            net.cls.push(cls);
            net.bbox.push(Conv2d::new(channels, NUM_ANCHORS * 4, 3)?.padding(1)?);
        }
        Ok(net)
    }

    /// Anchors `[1, A, 4]`, scores `[N, A, q + 1]`, offsets `[N, 4·A]`.
    pub fn predictions(&self, x: &Tensor) -> Result<(Tensor, Tensor, Tensor)> {
        let mut x = x.shallow_clone();
        let (mut anchors, mut cls_preds, mut bbox_preds) = (vec![], vec![], vec![]);
        let flatten_pred = |pred: Tensor| pred.permute([0, 2, 3, 1]).flatten(1, -1);
        for (i, sizes) in self.sizes.iter().enumerate() {
            x = self.blk[i].forward(&x)?;
            anchors.push(multibox_prior(&x, sizes, &RATIOS)?);
            cls_preds.push(flatten_pred(self.cls[i].forward(&x)?));
            bbox_preds.push(flatten_pred(self.bbox[i].forward(&x)?));
        }
        let cls_preds = Tensor::cat(&cls_preds, 1).to_kind(Kind::Float);
        let cls_preds = cls_preds.reshape([x.size()[0], -1, self.num_classes + 1]);
        let bbox_preds = Tensor::cat(&bbox_preds, 1).to_kind(Kind::Float);
        Ok((Tensor::cat(&anchors, 1), cls_preds, bbox_preds))
    }
}

impl Module for TinySSD {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        Ok(self.predictions(x)?.1)
    }

    fn visit(&self, visitor: &mut Visitor) {
        for i in 0..5 {
            visitor.child(&format!("blk_{i}"), &*self.blk[i]);
            visitor.child(&format!("cls_{i}"), &self.cls[i]);
            visitor.child(&format!("bbox_{i}"), &self.bbox[i]);
        }
    }
}

/// What a loss is computed from: scores `[N, A, q + 1]` and classes `[N, A]`, offsets, theirs, and
/// their mask, all `[N, 4·A]`.
pub struct Predicted {
    pub cls_preds: Tensor,
    pub cls_labels: Tensor,
    pub bbox_preds: Tensor,
    pub bbox_labels: Tensor,
    pub bbox_masks: Tensor,
}

impl Predicted {
    /// The cross entropy of each anchor, `[N, A]`.
    pub fn cls_loss(&self) -> Result<Tensor> {
        let scores = self.cls_preds.reshape([-1, self.cls_preds.size()[2]]);
        let loss = CrossEntropyLoss::new(Reduction::None);
        Ok(loss.forward(&scores, &self.cls_labels.reshape([-1]))?.view_as(&self.cls_labels))
    }

    /// The absolute error of each offset, 0 for those of background, `[N, 4·A]`.
    pub fn bbox_loss(&self) -> Tensor {
        ((&self.bbox_preds - &self.bbox_labels) * &self.bbox_masks).abs()
    }
}

/// A training step.
pub fn train_batch(
    net: &TinySSD,
    (x, y): (&Tensor, &Tensor),
    trainer: &mut dyn Optimizer,
    loss: &dyn Fn(&Predicted) -> Result<Tensor>,
) -> Result<()> {
    let (anchors, cls_preds, bbox_preds) = net.predictions(&x.to_device(net.device()))?;
    let (bbox_labels, bbox_masks, cls_labels) = multibox_target(&anchors, y)?;
    trainer.zero_grad()?;
    loss(&Predicted { cls_preds, cls_labels, bbox_preds, bbox_labels, bbox_masks })?.backward();
    trainer.step()
}
