//! The mean in each part of a region, read between cells (He and others, 2017; d2l: section 14.8.4).

use tch::Tensor;

use super::assign::tensor_on;
use super::rois::Input;
use crate::{Error, Result};

/// More points than these would not fit into memory.
const MOST_POINTS: f64 = 1e8;

/// Pools regions of feature maps `[N, C, H, W]` to one size, `[K, C, rows, columns]`, without rounding:
/// the mean of values read between cells (torchvision: `ops.roi_align`). Gradients flow back to `input`.
///
/// `boxes` are as [`roi_pool`](super::roi_pool()) takes them. Each part has `sampling_ratio` × as many
/// points, or, with 0, one for each cell that it covers. With `aligned` a cell's value is at its centre,
/// half a cell further than without, as Detectron2 has it; torchvision's default is `false`.
///
/// The book: [*Region-based CNNs (R-CNNs)*](https://d2l.ai/chapter_computer-vision/rcnn.html).
///
/// # Errors
/// As [`roi_pool`](super::roi_pool()), or there would be too many points.
///
/// ```
/// use d2l::prelude::*;
/// let x = Tensor::arange(16, (Kind::Float, Device::Cpu)).view([1, 1, 4, 4]);
/// let rois = Tensor::from_slice2(&[[0f32, 0., 0., 20., 20.]]);
/// let pooled = roi_align(&x, &rois, [2, 2], 0.1, 0, false)?;
/// assert_eq!(Vec::<f32>::try_from(pooled.view(-1))?, [2.5, 3.5, 6.5, 7.5]);
/// # Ok::<(), d2l::Error>(())
/// ```
pub fn roi_align(
    input: &Tensor,
    boxes: &Tensor,
    output_size: [i64; 2],
    spatial_scale: f64,
    sampling_ratio: usize,
    aligned: bool,
) -> Result<Tensor> {
    let given = Input::new("roi_align", input, boxes, output_size, spatial_scale)?;
    if given.rois.is_empty() || input.numel() == 0 {
        return given.nothing(input);
    }
    let [_, channels, height, width] = given.size;
    let [rows, columns] = output_size;
    // Cells of all images side by side, one row for each channel
    let cells = input.f_permute([1, 0, 2, 3])?.f_reshape([channels, -1])?;
    let shift = if aligned { 0.5 } else { 0. };
    let scale = given.scale as f32;
    let mut pooled = vec![];
    for roi in &given.rois {
        let [left, top, right, bottom] = roi.corners.map(|edge| edge as f32 * scale - shift);
        let down = Axis::new((top, bottom), given.bins[0], sampling_ratio, aligned);
        let across = Axis::new((left, right), given.bins[1], sampling_ratio, aligned);
        let in_bin = down.points as f64 * across.points as f64;
        if in_bin == 0. {
            let options = (input.kind(), input.device());
            pooled.push(Tensor::f_zeros([channels, rows, columns], options)?);
            continue;
        }
        let points = in_bin * (rows * columns) as f64;
        if points > MOST_POINTS {
            let found = format!("a region {:?}: {points:.0} points", roi.corners);
            let todo = "give a sampling_ratio, such as 2, or look at the region's corners";
            let expected = format!("at most {MOST_POINTS:.0} points");
            return Err(Error::invalid("roi_align: boxes", found, expected, todo));
        }
        let from_image = roi.image as i64 * height * width;
        let (mut places, mut shares) = (vec![], vec![]);
        let (down_cells, across_cells) = (down.cells(height), across.cells(width));
        for row in down_cells.chunks(down.points) {
            for column in across_cells.chunks(across.points) {
                for (y, x) in row.iter().flat_map(|y| column.iter().map(move |x| (y, x))) {
                    for ((y, share_y), (x, share_x)) in
                        y.iter().flat_map(|y| x.iter().map(move |x| (y, x)))
                    {
                        places.push(from_image + y * width + x);
                        shares.push(share_y * share_x);
                    }
                }
            }
        }
        let bins = rows * columns;
        let device = input.device();
        let shares = tensor_on(device, &shares)?.f_to_kind(input.kind())?;
        let read = cells.f_index_select(1, &tensor_on(device, &places)?)?.f_mul(&shares)?;
        let sums = read.f_view([channels, bins, -1])?.f_sum_dim_intlist(-1, false, None)?;
        pooled.push(sums.f_div_scalar(in_bin)?.f_view([channels, rows, columns])?);
    }
    Ok(Tensor::f_stack(&pooled, 0)?)
}

/// Where points lie along one axis of a region.
struct Axis {
    start: f32,
    bin: f32,
    bins: usize,
    /// Points in each bin.
    points: usize,
}

/// The two cells between which a point lies, and the share of each.
type Between = [(i64, f32); 2];

impl Axis {
    fn new((start, end): (f32, f32), bins: usize, sampling_ratio: usize, aligned: bool) -> Axis {
        let length = if aligned { end - start } else { (end - start).max(1.) };
        let bin = length / bins as f32;
        let points = if sampling_ratio > 0 { sampling_ratio } else { bin.ceil().max(0.) as usize };
        Axis { start, bin, bins, points }
    }

    /// For each point of each bin; outside of the map both shares are 0.
    fn cells(&self, length: i64) -> Vec<Between> {
        let points = self.points;
        let place = |bin: usize, point: usize| {
            let within = (point as f32 + 0.5) * self.bin / points as f32;
            self.start + bin as f32 * self.bin + within
        };
        let all = (0..self.bins).flat_map(|bin| (0..points).map(move |point| (bin, point)));
        all.map(|(bin, point)| between(place(bin, point), length)).collect()
    }
}

fn between(place: f32, length: i64) -> Between {
    if !(-1. ..=length as f32).contains(&place) {
        return [(0, 0.); 2];
    }
    let place = place.max(0.);
    let cell = place as i64;
    if cell >= length - 1 {
        return [(length - 1, 1.), (length - 1, 0.)];
    }
    let share = place - cell as f32;
    [(cell, 1. - share), (cell + 1, share)]
}
