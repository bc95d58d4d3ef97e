//! From samples to a batch (PyTorch: `default_collate`).

use tch::{Kind, Tensor};

use super::{FloatImage, Image, Sample, Target, batch_memory};
use crate::{Error, Result};

/// Images `[N, 3, H, W]`, and labels `[N]` or targets `[N, …]`. `name` is what messages call the sample
/// of an index.
pub(super) fn collate(
    indices: &[usize],
    samples: Vec<Result<Sample>>,
    name: impl Fn(usize) -> String,
) -> Result<(Tensor, Tensor)> {
    let (mut images, mut targets) = (vec![], vec![]);
    let first = || indices.first().map_or_else(String::new, |&index| name(index));
    for (&index, sample) in indices.iter().zip(samples) {
        let Sample { image, target } = sample?;
        let Image::Float(numbers) = image else {
            let todo = "put ToTensor at the end of the data set's transform";
            return Err(Error::invalid(
                name(index),
                "still pixels",
                "numbers for the network",
                todo,
            ));
        };
        let size = |numbers: &FloatImage| (numbers.width(), numbers.height());
        let (width, height) = size(images.first().unwrap_or(&numbers));
        if size(&numbers) != (width, height) {
            return Err(Error::invalid(
                name(index),
                format!("{}×{} pixels after the transform", numbers.width(), numbers.height()),
                format!("{width}×{height}, as the batch's first image, {}", first()),
                "make all images one size with RandomResizedCrop, or Resize([256, 256])",
            ));
        }
        if let Some(other) = targets.first().filter(|other| layout(other) != layout(&target)) {
            return Err(Error::invalid(
                name(index),
                format!("the target {target}"),
                format!("{other}, as the batch's first, {}", first()),
                "make all targets one kind and shape: fill tables of boxes up with rows of class -1, \
                 crop or resize masks with their images; or take batches of 1",
            ));
        }
        images.push(numbers);
        targets.push(target);
    }
    Ok((stack_images(&images)?, stack_targets(targets)?))
}

/// What has to be alike in a batch: a tensor's kind and shape; a class has neither.
fn layout(target: &Target) -> Option<(Option<Kind>, Vec<i64>)> {
    match target {
        Target::Class(_) => None,
        // Without values, it has no shape; stacking says so.
        Target::Tensor(tensor) if !tensor.defined() => Some((None, vec![])),
        Target::Tensor(tensor) => Some((tensor.f_kind().ok(), tensor.size())),
    }
}

/// `[N, 3, H, W]`. Channels lie side by side in memory: libtorch's channels-last layout.
fn stack_images(images: &[FloatImage]) -> Result<Tensor> {
    let (height, width) = images.first().map_or((0, 0), |first| (first.height(), first.width()));
    let x = batch_memory::pixels([images.len(), height, width], |places| {
        let mut places = places.iter_mut();
        for image in images {
            image.each(|pixel| {
                if let Some(place) = places.next() {
                    place.write(pixel);
                }
            });
        }
    })?;
    Ok(x.f_permute([0, 3, 1, 2])?)
}

/// `[N]` (`i64`) of classes, `[N, …]` of tensors.
fn stack_targets(targets: Vec<Target>) -> Result<Tensor> {
    let (mut classes, mut tensors) = (vec![], vec![]);
    for target in targets {
        match target {
            Target::Class(class) => classes.push(class),
            Target::Tensor(tensor) => tensors.push(tensor),
        }
    }
    // They are alike.
    if tensors.is_empty() {
        Ok(Tensor::f_from_slice(&classes)?)
    } else {
        Ok(Tensor::f_stack(&tensors, 0)?)
    }
}
