//! The largest value in each part of a region (d2l: section 14.8).

use tch::{Device, Kind, Tensor};

use super::assign::tensor_on;
use super::rois::Input;
use crate::Result;

/// Pools regions of feature maps `[N, C, H, W]` to one size, `[K, C, rows, columns]`: the largest value in
/// each part of a region (d2l and torchvision: `roi_pool`). Gradients flow back to `input`.
///
/// `boxes` `[K, 5]` are rows batch index, x1, y1, x2, y2; the first is the number of the image *in the
/// batch*. Corners are multiplied by `spatial_scale` and rounded; the last row and column count, too: 0
/// to 2 are three cells. A part outside of the map is 0.
///
/// The book: [*Region-based CNNs (R-CNNs)*](https://d2l.ai/chapter_computer-vision/rcnn.html).
///
/// # Errors
/// Another shape; a batch index that is not of the batch, or no whole number; corners that are not
/// finite; an output size or a scale that is not above 0.
///
/// ```
/// use d2l::prelude::*;
/// let x = Tensor::arange(16, (Kind::Float, Device::Cpu)).view([1, 1, 4, 4]);
/// let rois = Tensor::from_slice2(&[[0f32, 0., 0., 20., 20.], [0., 0., 10., 30., 30.]]);
/// let pooled = roi_pool(&x, &rois, [2, 2], 0.1)?;
/// assert_eq!(Vec::<f32>::try_from(pooled.get(0).view(-1))?, [5., 6., 9., 10.]);
/// # Ok::<(), d2l::Error>(())
/// ```
pub fn roi_pool(
    input: &Tensor,
    boxes: &Tensor,
    output_size: [i64; 2],
    spatial_scale: f64,
) -> Result<Tensor> {
    let given = Input::new("roi_pool", input, boxes, output_size, spatial_scale)?;
    if given.rois.is_empty() || input.numel() == 0 {
        return given.nothing(input);
    }
    let [_, channels, height, width] = given.size.map(|length| length as usize);
    let values = input.f_detach()?.f_to_device(Device::Cpu)?.f_to_kind(Kind::Double)?;
    let values = Vec::<f64>::try_from(values.f_contiguous()?.f_view([-1])?)?;
    // Where the largest value is; none in an empty part
    let (mut places, mut is_empty) = (vec![], vec![]);
    for roi in &given.rois {
        let [left, top, right, bottom] = roi.corners.map(|edge| (edge * given.scale).round());
        let rows = parts(top, bottom, given.bins[0], height);
        let columns = parts(left, right, given.bins[1], width);
        for channel in 0..channels {
            let map = (roi.image * channels + channel) * height * width;
            for rows in &rows {
                for columns in &columns {
                    let cells = rows
                        .clone()
                        .flat_map(|row| columns.clone().map(move |column| row * width + column))
                        .map(|cell| map + cell);
                    let largest = cells.reduce(|a, b| if values[b] > values[a] { b } else { a });
                    places.push(largest.unwrap_or(0) as i64);
                    is_empty.push(largest.is_none());
                }
            }
        }
    }
    let device = input.device();
    let pooled = input.f_reshape([-1])?.f_take(&tensor_on(device, &places)?)?;
    let pooled = pooled.f_masked_fill(&tensor_on(device, &is_empty)?, 0.)?;
    let [rows, columns] = output_size;
    Ok(pooled.f_view([given.rois.len() as i64, given.size[1], rows, columns])?)
}

/// The rows, or columns, of each part of a region that are on the map.
fn parts(start: f64, end: f64, bins: usize, length: usize) -> Vec<std::ops::Range<usize>> {
    let size = ((end - start + 1.).max(1.) as f32) / bins as f32;
    let on_map = |edge: f64| (edge + start).clamp(0., length as f64) as usize;
    (0..bins)
        .map(|bin| {
            let (from, to) = (bin as f32 * size, (bin + 1) as f32 * size);
            on_map(f64::from(from.floor()))..on_map(f64::from(to.ceil()))
        })
        .collect()
}
