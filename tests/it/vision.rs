//! Boxes, anchors, detections and regions, beside the book's own functions, torchvision and COCO.

use std::collections::HashMap;

use d2l::prelude::*;

use crate::common::report::{Comparison, refused};
use crate::common::{difference, noise, reference};

fn floats(tensor: &Tensor) -> Vec<f32> {
    Vec::<f32>::try_from(tensor.contiguous().view(-1)).unwrap()
}

fn longs(tensor: &Tensor) -> Vec<i64> {
    Vec::<i64>::try_from(tensor.contiguous().view(-1)).unwrap()
}

/// As `boxes` in tests/reference/vision.py.
fn boxes(count: usize, key: u64) -> Tensor {
    let mut rows = vec![];
    for row in noise(4 * count, key).as_chunks::<4>().0 {
        let [x, y, w, h] = row.map(|number| number + 0.5);
        let (x, y) = (x * 0.7, y * 0.7);
        rows.push([x, y, x + 0.05 + 0.25 * w, y + 0.05 + 0.25 * h]);
    }
    Tensor::from_slice(rows.as_flattened()).view([count as i64, 4])
}

fn no_boxes() -> Tensor {
    Tensor::zeros([0, 4], (Kind::Float, Device::Cpu))
}

fn rows<const N: usize>(rows: &[[f32; N]]) -> Tensor {
    Tensor::from_slice(rows.as_flattened()).view([rows.len() as i64, N as i64])
}

/// The largest difference, in parts of the reference where that is above 1.
fn apart(found: &Tensor, wanted: &Tensor) -> f64 {
    if wanted.numel() == 0 {
        return if found.size() == wanted.size() { 0. } else { f64::INFINITY };
    }
    let scale = wanted.abs().clamp_min(1.);
    difference(&(found / &scale), &(wanted / &scale))
}

fn check(values: &HashMap<String, Tensor>, all: &mut Comparison, key: &str, found: &Tensor) {
    all.add(key, apart(found, &values[key]));
}

#[test]
fn boxes_anchors_and_offsets_are_the_books() {
    let v = reference("vision");
    let what = "`box_*`, `multibox_prior`, `box_iou`, `offset_*` against the book's, torchvision's `box_iou`";
    let mut all = Comparison::new(what, "of the value, or of 1", 1e-6);
    check(&v, &mut all, "centers", &box_corner_to_center(&v["corners"]).unwrap());
    check(&v, &mut all, "corners_again", &box_center_to_corner(&v["centers"]).unwrap());
    let zeros = |height, width| Tensor::zeros([1, 3, height, width], (Kind::Float, Device::Cpu));
    for (i, (height, width, sizes, ratios)) in [
        (2, 4, &[0.5, 0.25][..], &[1., 2.][..]),
        (4, 4, &[0.15], &[1., 2., 0.5]),
        (3, 5, &[0.2, 0.272, 0.9], &[1., 2., 0.5]),
        (1, 1, &[0.88, 0.961], &[1., 2., 0.5]),
    ]
    .into_iter()
    .enumerate()
    {
        let anchors = multibox_prior(&zeros(height, width), sizes, ratios).unwrap();
        check(&v, &mut all, &format!("prior/{i}"), &anchors);
    }
    let image = multibox_prior(&zeros(561, 728), &[0.75, 0.5, 0.25], &[1., 2., 0.5]).unwrap();
    assert_eq!(image.size(), [1, 2_042_040, 4]);
    let at = Tensor::arange_start_step(0, 561 * 728, 40009, (Kind::Int64, Device::Cpu));
    let some = image.view([-1, 5, 4]).index_select(0, &at);
    check(&v, &mut all, "prior/image", &some);
    let ssd = ssd_anchors();
    assert_eq!(ssd.size(), [1, 5444, 4]);
    let at = Tensor::arange_start_step(0, 5444, 37, (Kind::Int64, Device::Cpu));
    check(&v, &mut all, "prior/ssd", &ssd.get(0).index_select(0, &at));
    check(&v, &mut all, "iou", &box_iou(&v["iou/a"], &v["iou/b"]).unwrap());
    check(&v, &mut all, "offset", &offset_boxes(&v["offset/anchors"], &v["offset/boxes"]).unwrap());
    let inverse = offset_inverse(&v["offset/anchors"], &v["offset"]).unwrap();
    check(&v, &mut all, "offset/inverse", &inverse);
}

/// The anchors of the book's TinySSD on images of 256×256 pixels.
fn ssd_anchors() -> Tensor {
    let maps = [
        (32, [0.2, 0.272]),
        (16, [0.37, 0.447]),
        (8, [0.54, 0.619]),
        (4, [0.71, 0.79]),
        (1, [0.88, 0.961]),
    ];
    let all = maps.map(|(side, sizes)| {
        let map = Tensor::zeros([1, 8, side, side], (Kind::Float, Device::Cpu));
        multibox_prior(&map, &sizes, &[1., 2., 0.5]).unwrap()
    });
    Tensor::cat(&all, 1)
}

/// T1: in pixels an anchor of ratio 1 is a square, and one of ratio 2 twice as wide as high.
#[test]
fn anchors_have_their_ratio_in_pixels() {
    let map = Tensor::zeros([561, 728], (Kind::Float, Device::Cpu));
    let anchors = multibox_prior(&map, &[0.75, 0.5, 0.25], &[1., 2., 0.5]).unwrap();
    let pixels = anchors.view([561, 728, 5, 4]).i((250, 250))
        * Tensor::from_slice(&[728f32, 561., 728., 561.]);
    let sizes = floats(&box_corner_to_center(&pixels).unwrap().narrow(1, 2, 2));
    let expected =
        [[420.75, 420.75], [280.5, 280.5], [140.25, 140.25], [595.03, 297.515], [297.515, 595.03]];
    for (found, expected) in sizes.iter().zip(expected.as_flattened()) {
        assert!((found - expected).abs() < 0.01, "{sizes:?}");
    }
}

/// T28: a ratio in the image, on a map of another shape, by the formula of the documentation.
#[test]
fn anchors_on_a_square_map_can_be_squares_in_a_wide_image() {
    let map = Tensor::zeros([4, 4], (Kind::Float, Device::Cpu));
    let ratio = 1. * (4. / 4.) * (561. / 728.);
    let anchors = multibox_prior(&map, &[0.15], &[ratio]).unwrap();
    let pixels = anchors.i((0, 5)) * Tensor::from_slice(&[728f32, 561., 728., 561.]);
    let &[_, _, width, height] = &floats(&box_corner_to_center(&pixels).unwrap())[..] else {
        unreachable!()
    };
    assert!((width - height).abs() < 0.01 && width > 80., "{width} {height}");
}

/// T10: anchors that are kept are not those that a caller holds.
#[test]
fn anchors_may_be_changed_in_place() {
    let map = Tensor::zeros([3, 7], (Kind::Float, Device::Cpu));
    let mut first = multibox_prior(&map, &[0.31], &[1., 3.]).unwrap();
    let before = first.copy();
    for _ in 0..2 {
        let _ = first.fill_(7.);
        let again = multibox_prior(&map, &[0.31], &[1., 3.]).unwrap();
        assert_eq!(again, before);
        first = again;
    }
    let other = multibox_prior(&map, &[0.31], &[1., 4.]).unwrap();
    assert_ne!(other, before);
}

/// T2: what the threshold does.
#[test]
fn anchors_are_assigned_as_in_the_book() {
    let v = reference("vision");
    let what = "`assign_anchor_to_bbox` against the book's, anchors that differ";
    let mut all = Comparison::new(what, "anchors", 0.);
    for case in 0..6 {
        for threshold in [0.05, 0.3, 0.5, 0.8] {
            let key = format!("assign/{case}/{threshold}");
            let (truth, anchors) =
                (&v[&format!("assign/{case}/truth")], &v[&format!("assign/{case}/anchors")]);
            let found = assign_anchor_to_bbox(truth, anchors, threshold).unwrap();
            all.add(&key, found.ne_tensor(&v[&key]).sum(None).double_value(&[]));
        }
    }
    let truth = rows(&[[0.1, 0.08, 0.52, 0.92], [0.55, 0.2, 0.9, 0.88]]);
    let anchors = five_anchors();
    for (threshold, expected) in
        [(0.5, [-1, 0, 1, -1, 1]), (0.8, [-1, 0, -1, -1, 1]), (0.05, [0, 0, 1, 1, 1])]
    {
        assert_eq!(longs(&assign_anchor_to_bbox(&truth, &anchors, threshold).unwrap()), expected);
    }
}

fn five_anchors() -> Tensor {
    rows(&[
        [0., 0.1, 0.2, 0.3],
        [0.15, 0.2, 0.4, 0.4],
        [0.63, 0.05, 0.88, 0.98],
        [0.66, 0.45, 0.8, 0.8],
        [0.57, 0.3, 0.92, 0.9],
    ])
}

#[test]
fn of_equal_overlaps_the_first_is_taken() {
    let twice = rows(&[[0.1, 0.1, 0.5, 0.5], [0.1, 0.1, 0.5, 0.5]]);
    let anchors = rows(&[[0.1, 0.1, 0.5, 0.5], [0.1, 0.1, 0.5, 0.5], [0.1, 0.1, 0.5, 0.4]]);
    assert_eq!(longs(&assign_anchor_to_bbox(&twice, &anchors, 0.5).unwrap()), [0, 1, 0]);
}

/// The book overwrites its first anchor again and again here.
#[test]
fn more_boxes_than_anchors_leave_some_without() {
    let truth = rows(&[[0., 0., 0.2, 0.2], [0.4, 0.4, 0.6, 0.6], [0.7, 0.7, 1., 1.]]);
    let anchors = rows(&[[0.7, 0.7, 0.9, 1.], [0.4, 0.4, 0.6, 0.5]]);
    assert_eq!(longs(&assign_anchor_to_bbox(&truth, &anchors, 0.5).unwrap()), [2, 1]);
    let none = assign_anchor_to_bbox(&truth, &no_boxes(), 0.5).unwrap();
    assert_eq!((none.size(), none.kind()), (vec![0], Kind::Int64));
    assert_eq!(longs(&assign_anchor_to_bbox(&no_boxes(), &anchors, 0.5).unwrap()), [-1, -1]);
}

#[test]
fn targets_are_the_books() {
    let v = reference("vision");
    let (offset, mask, classes) = multibox_target(&ssd_anchors(), &v["target/labels"]).unwrap();
    assert_eq!((offset.size(), mask.size()), (vec![4, 21776], vec![4, 21776]));
    let mut same = Comparison::new("`multibox_target`'s classes against the book's", "anchors", 0.);
    let wanted = v["target/classes"].to_kind(Kind::Int64);
    same.add("4 images", classes.ne_tensor(&wanted).sum(None).double_value(&[]));
    let what = "`multibox_target`'s offsets against the book's";
    let mut all = Comparison::new(what, "of the value, or of 1", 1e-6);
    let of_anchors = offset.view([4, -1, 4]);
    let positive = classes.gt(0);
    check(&v, &mut all, "target/offset", &of_anchors.index(&[Some(&positive)]));
    assert_eq!(of_anchors.index(&[Some(&classes.eq(0))]).abs().max().double_value(&[]), 0.);
    let spread = positive.unsqueeze(2).expand([4, 5444, 4], false).reshape([4, -1]);
    assert_eq!(mask, spread.to_kind(Kind::Float));
}

/// T3: rows that fill up are no boxes.
#[test]
fn padded_rows_are_background() {
    let anchors = rows(&[[0.1, 0.08, 0.52, 0.90], [0.1, 0.08, 0.52, 0.92], [0.6, 0.6, 0.9, 0.9]])
        .unsqueeze(0);
    let padded = rows(&[[0., 0.1, 0.08, 0.52, 0.92], [-1.; 5]]).unsqueeze(0);
    let (offset, mask, classes) = multibox_target(&anchors, &padded).unwrap();
    assert_eq!(longs(&classes), [1, 1, 0]);
    assert_eq!(floats(&mask), [1., 1., 1., 1., 1., 1., 1., 1., 0., 0., 0., 0.]);
    let expected = [0., 0.121951, 5e-6, 0.120493, 0., 0., 5e-6, 5e-6, 0., 0., 0., 0.];
    for (found, expected) in floats(&offset).into_iter().zip(expected) {
        assert!((found - expected).abs() < 1e-5, "{offset:?}");
    }
    // Whatever else a row that fills up holds
    let nothing = rows(&[[-1.; 5], [-1., 0.9, 0.9, f32::NAN, 0.1]]).unsqueeze(0);
    let (offset, mask, classes) = multibox_target(&anchors, &nothing).unwrap();
    let sum = |tensor: &Tensor| tensor.abs().sum(None).double_value(&[]);
    assert_eq!((sum(&offset), sum(&mask), sum(&classes)), (0., 0., 0.));
    let none = Tensor::zeros([2, 0, 5], (Kind::Float, Device::Cpu));
    let (offset, _, classes) = multibox_target(&anchors, &none).unwrap();
    assert_eq!((offset.size(), classes.size(), sum(&classes)), (vec![2, 12], vec![2, 3], 0.));
    // Random tables: rows that fill up change nothing, wherever they are.
    for case in 0..20 {
        let count = 1 + case % 4;
        let classes = (Tensor::from_slice(&noise(count, 50 + case as u64)).abs() * 6.).floor();
        let truth = Tensor::cat(&[classes.unsqueeze(1), boxes(count, 60 + case as u64)], 1);
        let fill = Tensor::full([1, 5], -1., (Kind::Float, Device::Cpu));
        let apart = truth.split(1, 0);
        let mut with: Vec<&Tensor> = vec![&fill];
        with.extend(apart.iter().flat_map(|row| [row, &fill]));
        let anchors = boxes(50, 80 + case as u64).unsqueeze(0);
        let plain = multibox_target(&anchors, &truth.unsqueeze(0)).unwrap();
        let padded = multibox_target(&anchors, &Tensor::cat(&with, 0).unsqueeze(0)).unwrap();
        assert_eq!(plain.0, padded.0);
        assert_eq!(plain.2, padded.2);
        // Each box has an anchor.
        let found: std::collections::BTreeSet<i64> = longs(&plain.2).into_iter().collect();
        for class in floats(&classes) {
            assert!(found.contains(&(class as i64 + 1)), "{found:?}");
        }
    }
}

#[test]
fn a_box_far_from_all_anchors_still_gets_one() {
    let anchors = rows(&[[0.1, 0.1, 0.2, 0.2], [0.3, 0.3, 0.4, 0.4]]).unsqueeze(0);
    let far = rows(&[[0., 0.8, 0.8, 0.9, 0.9]]).unsqueeze(0);
    let (offset, _, classes) = multibox_target(&anchors, &far).unwrap();
    assert_eq!(longs(&classes), [1, 0]);
    assert!((offset.double_value(&[0, 0]) - 70.).abs() < 1e-4);
    let rivals = rows(&[[0.1, 0.1, 0.5, 0.5], [0., 0., 0.3, 0.3]]).unsqueeze(0);
    let two = rows(&[[0., 0.1, 0.1, 0.5, 0.5], [1., 0.12, 0.12, 0.5, 0.5]]).unsqueeze(0);
    assert_eq!(longs(&multibox_target(&rivals, &two).unwrap().2), [1, 2]);
}

#[test]
fn empty_batches_and_no_anchors_have_empty_targets() {
    let none = Tensor::zeros([0, 3, 5], (Kind::Float, Device::Cpu));
    let (offset, mask, classes) = multibox_target(&five_anchors().unsqueeze(0), &none).unwrap();
    assert_eq!(
        (offset.size(), mask.size(), classes.size()),
        (vec![0, 20], vec![0, 20], vec![0, 5])
    );
    let labels = rows(&[[0., 0.1, 0.1, 0.5, 0.5]]).unsqueeze(0);
    let (offset, _, classes) = multibox_target(&no_boxes().unsqueeze(0), &labels).unwrap();
    assert_eq!((offset.size(), classes.size()), (vec![1, 0], vec![1, 0]));
    let map = Tensor::zeros([1, 8, 0, 4], (Kind::Float, Device::Cpu));
    assert_eq!(multibox_prior(&map, &[0.5], &[1.]).unwrap().size(), [1, 0, 4]);
    assert_eq!(box_iou(&no_boxes(), &five_anchors()).unwrap().size(), [0, 5]);
}

#[test]
fn suppression_is_the_books_and_torchvisions() {
    let v = reference("vision");
    let what = "`nms`, `batched_nms` against the book's and torchvision's, boxes that differ";
    let mut all = Comparison::new(what, "boxes", 0.);
    let (boxes, scores) = (&v["nms/boxes"], &v["nms/scores"]);
    let classes = Tensor::arange(300, (Kind::Int64, Device::Cpu)).remainder(3);
    let mut same = |key: String, found: &Tensor| {
        let (found, wanted) = (longs(found), longs(&v[&key]));
        let differ = found.iter().zip(&wanted).filter(|(a, b)| a != b).count();
        all.add(&key, (differ + found.len().abs_diff(wanted.len())) as f64);
    };
    for threshold in [0.1, 0.3, 0.5, 0.7] {
        same(format!("nms/{threshold}"), &nms(boxes, scores, threshold).unwrap());
        let found = batched_nms(boxes, scores, &classes, threshold).unwrap();
        same(format!("batched_nms/{threshold}"), &found);
    }
    let what = "`soft_nms` against a plain loop in Python";
    let mut all = Comparison::new(what, "of the score", 1e-6);
    for sigma in [0.1, 0.5] {
        let (some, their) = (boxes.narrow(0, 0, 120), scores.narrow(0, 0, 120));
        let (kept, lowered) = soft_nms(&some, &their, sigma, 0.05).unwrap();
        assert_eq!(longs(&kept), longs(&v[&format!("soft_nms/{sigma}")]));
        check(&v, &mut all, &format!("soft_nms/{sigma}/scores"), &lowered);
    }
}

/// T5, T6, T8: nothing to suppress; classes; equal scores.
#[test]
fn suppression_keeps_the_first_of_equals_and_nothing_of_nothing() {
    let none = Tensor::zeros([0], (Kind::Float, Device::Cpu));
    let kept = nms(&no_boxes(), &none, 0.5).unwrap();
    assert_eq!((kept.size(), kept.kind()), (vec![0], Kind::Int64));
    assert_eq!(batched_nms(&no_boxes(), &none, &none, 0.5).unwrap().size(), [0]);
    assert_eq!(soft_nms(&no_boxes(), &none, 0.5, 0.).unwrap().0.size(), [0]);
    let four = rows(&[
        [0.1, 0.08, 0.52, 0.92],
        [0.08, 0.2, 0.56, 0.95],
        [0.15, 0.3, 0.62, 0.91],
        [0.55, 0.2, 0.9, 0.88],
    ]);
    let scores = Tensor::from_slice(&[0.9f32, 0.8, 0.7, 0.85]);
    for (threshold, expected) in [(0.7, &[0, 3, 2][..]), (0.55, &[0, 3, 2]), (0.3, &[0, 3])] {
        assert_eq!(longs(&nms(&four, &scores, threshold).unwrap()), expected);
    }
    let equal = Tensor::from_slice(&[0.5f32; 4]);
    assert_eq!(longs(&nms(&four, &equal, 0.5).unwrap()), [0, 3]);
    assert_eq!(longs(&soft_nms(&four, &equal, 0.5, 0.).unwrap().0)[..2], [0, 3]);
    // Many equal ones, in their order
    let apart: Vec<[f32; 4]> = (0..200).map(|i| [i as f32, 0., i as f32 + 1., 1.]).collect();
    let kept = nms(&rows(&apart), &Tensor::full([200], 0.5, (Kind::Float, Device::Cpu)), 0.5);
    assert_eq!(longs(&kept.unwrap()), (0..200).collect::<Vec<i64>>());
    let twice = rows(&[[0., 0., 1., 1.], [0., 0., 1., 0.95]]);
    let (scores, classes) = (Tensor::from_slice(&[0.9f32, 0.8]), Tensor::from_slice(&[0i64, 1]));
    assert_eq!(longs(&nms(&twice, &scores, 0.5).unwrap()), [0]);
    assert_eq!(longs(&batched_nms(&twice, &scores, &classes, 0.5).unwrap()), [0, 1]);
    // An IoU that is the threshold is not above it.
    let half = rows(&[[0., 0., 1., 1.], [0., 0., 1., 0.5]]);
    assert_eq!(longs(&nms(&half, &scores, 0.5).unwrap()), [0, 1]);
}

#[test]
fn properties_hold_for_random_boxes() {
    for case in 0..30 {
        let (a, b) = (boxes(40, 200 + case), boxes(25, 300 + case));
        let iou = box_iou(&a, &b).unwrap();
        assert!(difference(&iou, &box_iou(&b, &a).unwrap().tr()) == 0., "IoU is symmetric");
        let range = (iou.min().double_value(&[]), iou.max().double_value(&[]));
        assert!(range.0 >= 0. && range.1 <= 1., "{range:?}");
        let own = box_iou(&a, &a).unwrap().diagonal(0, 0, 1);
        assert!((own - 1.).abs().max().double_value(&[]) < 1e-6);

        let again = box_center_to_corner(&box_corner_to_center(&a).unwrap()).unwrap();
        assert!(difference(&again, &a) < 1e-6);
        let anchors = boxes(40, 400 + case);
        let offsets = offset_boxes(&anchors, &a).unwrap();
        assert!(difference(&offset_inverse(&anchors, &offsets).unwrap(), &a) < 2e-6);

        let scores = Tensor::from_slice(&noise(40, 500 + case)) + 0.5;
        let kept = nms(&a, &scores, 0.2).unwrap();
        let (survivors, theirs) = (a.index_select(0, &kept), scores.index_select(0, &kept));
        let twice = nms(&survivors, &theirs, 0.2).unwrap();
        assert_eq!(longs(&twice), (0..kept.size()[0]).collect::<Vec<i64>>(), "NMS is idempotent");
        let overlaps = box_iou(&survivors, &survivors).unwrap().triu(1);
        assert!(overlaps.max().double_value(&[]) <= 0.2 + 1e-7);
        // One class each: nothing is suppressed.
        let own = Tensor::arange(40, (Kind::Int64, Device::Cpu));
        assert_eq!(batched_nms(&a, &scores, &own, 0.2).unwrap().size(), [40]);
    }
}

#[test]
fn detections_are_the_books() {
    let v = reference("vision");
    let what = "`multibox_detection` against the book's";
    let mut all = Comparison::new(what, "of the value, or of 1", 1e-6);
    let (probs, offsets, anchors) =
        (&v["detection/probs"], &v["detection/offsets"], &v["detection/anchors"]);
    let strict = MultiboxDetection::new().nms_threshold(0.3).unwrap().pos_threshold(0.6).unwrap();
    for (key, detection) in [("detection", MultiboxDetection::new()), ("detection/0.3/0.6", strict)]
    {
        let found = detection.detect(probs, offsets, anchors).unwrap();
        assert_eq!(found.size(), [2, 80, 6]);
        for image in 0..2 {
            let (found, wanted) = (found.get(image), v[key].get(image));
            let count = found.select(1, 0).ge(0.).sum(None).int64_value(&[]);
            assert!((3..70).contains(&count), "{count}");
            let (first, wanted_first) =
                (found.narrow(0, 0, count), wanted.index(&[Some(&wanted.select(1, 0).ge(0.))]));
            all.add(&format!("{key}/{image}"), apart(&first, &wanted_first));
            // What is no detection is the same, in an order of its own.
            let sorted = |rows: &Tensor| {
                let rest = rows.index(&[Some(&rows.select(1, 0).lt(0.))]);
                let order = rest.select(1, 2).argsort(0, false);
                rest.index_select(0, &order)
            };
            all.add(&format!("{key}/{image}, the rest"), apart(&sorted(&found), &sorted(&wanted)));
        }
    }
}

#[test]
fn detections_of_the_books_example() {
    let anchors = rows(&[
        [0.1, 0.08, 0.52, 0.92],
        [0.08, 0.2, 0.56, 0.95],
        [0.15, 0.3, 0.62, 0.91],
        [0.55, 0.2, 0.9, 0.88],
    ])
    .unsqueeze(0);
    let probs = [[0f32; 4], [0.9, 0.8, 0.7, 0.1], [0.1, 0.2, 0.3, 0.9]];
    let (probs, offsets) =
        (rows(&probs).unsqueeze(0), Tensor::zeros([1, 16], (Kind::Float, Device::Cpu)));
    let found = multibox_detection(&probs, &offsets, &anchors).unwrap().get(0);
    assert_eq!(floats(&found.select(1, 0)), [0., 1., -1., -1.]);
    assert_eq!(floats(&found.select(1, 1)), [0.9, 0.9, 0.8, 0.7]);
    let all_low = Tensor::full([1, 3, 4], 0.004, (Kind::Float, Device::Cpu));
    let found = multibox_detection(&all_low, &offsets, &anchors).unwrap().get(0);
    assert_eq!(floats(&found.select(1, 0)), [-1.; 4]);
    assert!(floats(&found.select(1, 1)).iter().all(|sure| (sure - 0.996).abs() < 1e-6));
    let soft = MultiboxDetection::new().soft(0.5).unwrap();
    let found = soft.detect(&probs, &offsets, &anchors).unwrap().get(0);
    assert_eq!(floats(&found.select(1, 0)), [0., 1., 0., 0.]);
    let sure = floats(&found.select(1, 1));
    assert!((sure[2] - 0.7 * (-0.545433f32.powi(2) / 0.5).exp()).abs() < 0.1, "{sure:?}");
    assert!(sure.is_sorted_by(|a, b| a >= b));
}

/// T5, T6.
#[test]
fn detections_of_nothing_are_none_and_classes_can_be_apart() {
    let none = Tensor::zeros([2, 3, 0], (Kind::Float, Device::Cpu));
    let offsets = Tensor::zeros([2, 0], (Kind::Float, Device::Cpu));
    let found = multibox_detection(&none, &offsets, &no_boxes().unsqueeze(0)).unwrap();
    assert_eq!(found.size(), [2, 0, 6]);
    let empty = Tensor::zeros([0, 3, 5], (Kind::Float, Device::Cpu));
    let offsets = Tensor::zeros([0, 20], (Kind::Float, Device::Cpu));
    let found = multibox_detection(&empty, &offsets, &five_anchors().unsqueeze(0)).unwrap();
    assert_eq!(found.size(), [0, 5, 6]);
    // A cat close to a more certain dog, and a less certain dog
    let anchors = rows(&[[0., 0., 1., 1.], [0., 0., 1., 0.95], [0., 0., 1., 0.9]]).unsqueeze(0);
    let probs = rows(&[[0.05, 0.1, 0.2], [0.9, 0.1, 0.7], [0.05, 0.8, 0.1]]).unsqueeze(0);
    let offsets = Tensor::zeros([1, 12], (Kind::Float, Device::Cpu));
    let found = |detection: MultiboxDetection| {
        let rows = detection.detect(&probs, &offsets, &anchors).unwrap().get(0);
        (floats(&rows.select(1, 0)), floats(&rows.select(1, 1)))
    };
    let book = MultiboxDetection::new();
    assert_eq!(found(book.clone()), (vec![0., -1., -1.], vec![0.9, 0.8, 0.7]));
    assert_eq!(found(book.clone().per_class(true)), (vec![0., 1., -1.], vec![0.9, 0.8, 0.7]));
    let (classes, sure) = found(book.per_class(true).soft(0.5).unwrap());
    assert_eq!((classes, sure[1]), (vec![0., 1., 0.], 0.8));
    assert!((sure[2] - 0.7 * (-0.81f32 / 0.5).exp()).abs() < 1e-5, "{sure:?}");
    // Of equal probabilities the first class
    let half = Tensor::full([1, 3, 5], 0.5, (Kind::Float, Device::Cpu));
    let offsets = Tensor::zeros([1, 20], (Kind::Float, Device::Cpu));
    let found = multibox_detection(&half, &offsets, &five_anchors().unsqueeze(0)).unwrap();
    assert!(floats(&found.select(2, 0)).iter().all(|class| *class <= 0.));
}

#[test]
fn regions_are_pooled_as_in_torchvision() {
    let v = reference("vision");
    let what = "`roi_pool`, `roi_align` and their gradients against torchvision's";
    let mut all = Comparison::new(what, "of the value, or of 1", 1e-6);
    let rois = &v["roi/boxes"];
    for (size, scale) in [([2, 2], 0.1), ([3, 4], 0.25), ([1, 1], 0.08)] {
        let name = format!("{}x{}/{scale}", size[0], size[1]);
        let mut compare = |key: String, pool: &dyn Fn(&Tensor) -> Tensor| {
            let x = v["roi/x"].copy().set_requires_grad(true);
            let pooled = pool(&x);
            check(&v, &mut all, &key, &pooled.detach());
            let weights = Tensor::from_slice(&noise(pooled.numel(), 13)).view(&pooled.size()[..]);
            (pooled * weights).sum(None).backward();
            check(&v, &mut all, &format!("{key}/gradient"), &x.grad());
        };
        compare(format!("roi_pool/{name}"), &|x| roi_pool(x, rois, size, scale).unwrap());
        for (aligned, python) in [(false, "False"), (true, "True")] {
            for ratio in [0, 2] {
                compare(format!("roi_align/{name}/{python}/{ratio}"), &|x| {
                    roi_align(x, rois, size, scale, ratio, aligned).unwrap()
                });
            }
        }
    }
    let x = Tensor::arange(16, (Kind::Float, Device::Cpu)).view([1, 1, 4, 4]);
    for (corners, expected) in [
        ([5., 5., 14., 14.], [5., 5., 5., 5.]),
        ([15., 15., 25., 25.], [10., 11., 14., 15.]),
        ([-10., -10., 5., 5.], [0., 1., 4., 5.]),
        ([35., 35., 60., 60.], [0., 0., 0., 0.]),
        ([20., 20., 10., 10.], [10., 10., 10., 10.]),
    ] {
        let [x1, y1, x2, y2] = corners;
        let pooled = roi_pool(&x, &rows(&[[0., x1, y1, x2, y2]]), [2, 2], 0.1).unwrap();
        assert_eq!(floats(&pooled), expected, "{corners:?}");
    }
    let none = Tensor::zeros([0, 5], (Kind::Float, Device::Cpu));
    assert_eq!(roi_pool(&x, &none, [2, 2], 0.1).unwrap().size(), [0, 1, 2, 2]);
    assert_eq!(roi_align(&x, &none, [3, 2], 0.1, 0, true).unwrap().size(), [0, 1, 3, 2]);
    let flat = rows(&[[0., 10., 10., 10., 10.]]);
    assert_eq!(floats(&roi_align(&x, &flat, [1, 1], 0.1, 0, true).unwrap()), [0.]);
}

#[test]
fn average_precision_is_cocos() {
    let v = reference("vision");
    let what = "`MeanAveragePrecision` against COCO's own evaluation";
    let mut all = Comparison::new(what, "of 1", 1e-6);
    let pixels = |side: f64| (side / 400.) * (side / 400.);
    let sizes = [
        (0., f64::INFINITY),
        (0., pixels(32.)),
        (pixels(32.), pixels(96.)),
        (pixels(96.), f64::INFINITY),
    ];
    for (place, (least, most)) in sizes.into_iter().enumerate() {
        let mut ap = MeanAveragePrecision::new(["a", "b", "c"]).areas(least, most);
        // In parts, as a loader gives them
        for batch in 0..3 {
            let part = |key: &str| v[key].narrow(0, 4 * batch, 4);
            ap.add(&part("ap/detections"), &part("ap/labels")).unwrap();
        }
        let wanted = |step: i64, class: i64| v["ap"].double_value(&[step, class, place as i64]);
        let (mut sum, mut sum_50, mut count) = (0., 0., 0.);
        for class in 0..3 {
            let is_there = wanted(0, class) >= 0.;
            count += f64::from(is_there);
            for step in 0..10 {
                let threshold = 0.5 + step as f64 * ((0.95 - 0.5) / 9.);
                let found = ap.average_precision(threshold).unwrap()[class as usize];
                let case = format!("size {place}, class {class}, {threshold}");
                if is_there {
                    all.add(&case, (found - wanted(step, class)).abs());
                    sum += wanted(step, class) / 10.;
                    sum_50 += if step == 0 { wanted(0, class) } else { 0. };
                } else {
                    assert!(found.is_nan(), "{case}");
                }
            }
        }
        all.add("the mean", (ap.map() - sum / count).abs());
        all.add("the mean at 0.5", (ap.map_50() - sum_50 / count).abs());
    }
}

/// Hits in the order of their confidence 1 0 1 0 1, three truths.
#[test]
fn average_precision_of_a_small_example() {
    let truth = |i: usize| [i as f32, 0., i as f32 + 0.9, 1.];
    let labels: Vec<[f32; 5]> =
        (0..3).map(truth).map(|[a, b, c, d]| [0., a, b, c, d]).chain([[-1.; 5]]).collect();
    let mut found = vec![];
    for (row, place) in [0., 10., 1., 11., 2.].into_iter().enumerate() {
        found.push([0., 0.9 - row as f32 / 10., place, 0., place + 0.9, 1.]);
    }
    found.push([-1., 0.99, 0., 0., 1., 1.]);
    let mut ap = MeanAveragePrecision::new(["thing", "none"]);
    ap.add(&rows(&found).unsqueeze(0), &rows(&labels).unsqueeze(0)).unwrap();
    assert!((ap.map_50() - 0.756436).abs() < 1e-6, "{}", ap.map_50());
    assert!((ap.map() - 0.756436).abs() < 1e-6);
    assert!(ap.average_precision(0.5).unwrap()[1].is_nan());
    let curve = ap.precision_recall_curve(0, 0.5).unwrap();
    assert_eq!(curve.len(), 5);
    assert_eq!(curve[4], (1., 0.6));
    assert!(ap.precision_recall_curve(1, 0.5).unwrap().is_empty());
    assert!(ap.to_string().contains("thing | 0.756   0.756"), "{ap}");
    // The same box again is wrong.
    let mut twice = MeanAveragePrecision::new(["thing"]);
    let again = rows(&[[0., 0.9, 0., 0., 0.9, 1.], [0., 0.8, 0., 0., 0.9, 1.]]).unsqueeze(0);
    twice.add(&again, &rows(&labels).unsqueeze(0)).unwrap();
    let curve = twice.precision_recall_curve(0, 0.5).unwrap();
    assert_eq!(curve, [(1. / 3., 1.), (1. / 3., 0.5)]);
    // Nothing at all
    let none = MeanAveragePrecision::new(["thing"]);
    assert!(none.map_50().is_nan() && none.map().is_nan());
    let mut nothing = MeanAveragePrecision::new(["thing"]);
    let empty = Tensor::zeros([2, 0, 6], (Kind::Float, Device::Cpu));
    nothing.add(&empty, &Tensor::full([2, 1, 5], -1., (Kind::Float, Device::Cpu))).unwrap();
    assert!(nothing.map_50().is_nan());
}

fn text(result: Result<impl Sized>) -> String {
    result.err().expect("it is refused").to_string()
}

/// T4: no NaN from a logarithm of 0.
#[test]
fn boxes_that_are_none_are_refused() {
    let good = rows(&[[0.1, 0.1, 0.5, 0.5]]);
    let turned = rows(&[[0.1, 0.1, 0.5, 0.5], [0.5, 0.1, 0.1, 0.5]]);
    let endless = rows(&[[0.1, f32::NAN, 0.5, 0.5]]);
    let one = Tensor::from_slice(&[0.5f32]);
    for (what, named, error) in [
        ("`box_iou` of a turned box", "boxes2", text(box_iou(&good, &turned))),
        ("`box_iou` of NaN", "boxes1", text(box_iou(&endless, &good))),
        ("`nms` of NaN", "boxes", text(nms(&endless, &one, 0.5))),
        ("`box_iou` of rows of five", "[1, 5]", text(box_iou(&rows(&[[0.; 5]]), &good))),
        (
            "`box_corner_to_center` of rows of five",
            "[1, 5]",
            text(box_corner_to_center(&rows(&[[0.; 5]]))),
        ),
        ("`box_center_to_corner` of a number", "[]", text(box_center_to_corner(&Tensor::from(1.)))),
        (
            "`box_iou` of a tensor without values",
            "without values",
            text(box_iou(&Tensor::new(), &good)),
        ),
        (
            "`assign_anchor_to_bbox`, turned",
            "ground_truth",
            text(assign_anchor_to_bbox(&turned, &good, 0.5)),
        ),
        ("its threshold", "iou_threshold", text(assign_anchor_to_bbox(&good, &good, 5.))),
        ("`offset_boxes` of other shapes", "assigned_bb", text(offset_boxes(&good, &turned))),
        ("`offset_inverse` of other shapes", "offset_preds", text(offset_inverse(&turned, &good))),
    ] {
        refused(what, named, &error);
    }
    let anchors = five_anchors().unsqueeze(0);
    for (what, named, row) in [
        ("`multibox_target` with a turned box", "image 1", [0., 0.5, 0.1, 0.1, 0.5]),
        ("`multibox_target` with NaN", "row 1", [0., 0.1, f32::NAN, 0.5, 0.5]),
        ("`multibox_target` with an infinite box", "row 1", [0., 0.1, 0.1, f32::INFINITY, 0.5]),
        ("`multibox_target` with a box without area", "without area", [0., 0.3, 0.1, 0.3, 0.5]),
        ("`multibox_target` with half a class", "0.5", [0.5, 0.1, 0.1, 0.5, 0.5]),
        ("`multibox_target` with a class that is NaN", "class NaN", [f32::NAN, 0.1, 0.1, 0.5, 0.5]),
    ] {
        let labels = rows(&[[0., 0.1, 0.1, 0.5, 0.5], [-1.; 5], [-1.; 5], row]).view([2, 2, 5]);
        refused(what, named, &text(multibox_target(&anchors, &labels)));
    }
    let labels = rows(&[[0., 0.1, 0.1, 0.5, 0.5]]);
    for (what, named, error) in [
        (
            "`multibox_target`, labels of one image",
            "labels",
            text(multibox_target(&anchors, &labels)),
        ),
        (
            "`multibox_target`, an anchor without width",
            "anchor",
            text(multibox_target(&rows(&[[0.1, 0.1, 0.1, 0.5]]), &labels.unsqueeze(0))),
        ),
        (
            "`multibox_target`, anchors of two images",
            "[2, 5, 4]",
            text(multibox_target(&anchors.repeat([2, 1, 1]), &labels.unsqueeze(0))),
        ),
    ] {
        refused(what, named, &error);
    }
    let map = Tensor::zeros([4, 4], (Kind::Float, Device::Cpu));
    for (what, named, error) in [
        ("`multibox_prior` without sizes", "sizes", text(multibox_prior(&map, &[], &[1.]))),
        ("`multibox_prior`, a ratio of 0", "ratios", text(multibox_prior(&map, &[0.5], &[1., 0.]))),
        (
            "`multibox_prior`, a size that is NaN",
            "sizes",
            text(multibox_prior(&map, &[f64::NAN], &[1.])),
        ),
        ("`multibox_prior` of a row", "data", text(multibox_prior(&map.get(0), &[0.5], &[1.]))),
    ] {
        refused(what, named, &error);
    }
}

#[test]
fn scores_and_predictions_that_are_none_are_refused() {
    let two = rows(&[[0.1, 0.1, 0.5, 0.5], [0.2, 0.1, 0.6, 0.5]]);
    let scores = Tensor::from_slice(&[0.5f32, 0.6]);
    let nan = Tensor::from_slice(&[0.5f32, f32::NAN]);
    for (what, named, error) in [
        ("`nms` with a score that is NaN", "NaN at place 1", text(nms(&two, &nan, 0.5))),
        ("`nms` with one score", "[2]", text(nms(&two, &scores.narrow(0, 0, 1), 0.5))),
        ("`nms` with a threshold in percent", "iou_threshold", text(nms(&two, &scores, 50.))),
        (
            "`batched_nms` with one class",
            "idxs",
            text(batched_nms(&two, &scores, &nan.narrow(0, 0, 1), 0.5)),
        ),
        ("`soft_nms` with NaN", "NaN", text(soft_nms(&two, &nan, 0.5, 0.1))),
        ("`soft_nms`, sigma 0", "sigma", text(soft_nms(&two, &scores, 0., 0.1))),
        (
            "`soft_nms`, a threshold that is NaN",
            "score_threshold",
            text(soft_nms(&two, &scores, 0.5, f64::NAN)),
        ),
        (
            "`MultiboxDetection`, a threshold of 2",
            "nms_threshold",
            text(MultiboxDetection::new().nms_threshold(2.)),
        ),
        (
            "`MultiboxDetection`, a threshold of NaN",
            "pos_threshold",
            text(MultiboxDetection::new().pos_threshold(f64::NAN)),
        ),
        ("`MultiboxDetection`, sigma -1", "soft", text(MultiboxDetection::new().soft(-1.))),
    ] {
        refused(what, named, &error);
    }
    let anchors = two.unsqueeze(0);
    let options = (Kind::Float, Device::Cpu);
    let (probs, offsets) = (Tensor::full([1, 2, 2], 0.5, options), Tensor::zeros([1, 8], options));
    let detect =
        |probs: &Tensor, offsets: &Tensor| text(multibox_detection(probs, offsets, &anchors));
    for (what, named, error) in [
        ("`multibox_detection` with NaN", "cls_probs", detect(&(&probs * f64::NAN), &offsets)),
        (
            "`multibox_detection`, a box without end",
            "finite numbers",
            detect(&probs, &(&offsets + 1e6)),
        ),
        (
            "`multibox_detection`, probabilities that are not permuted",
            "cls_probs",
            detect(&Tensor::zeros([1, 2, 3], options), &offsets),
        ),
        (
            "`multibox_detection`, background alone",
            "cls_probs",
            detect(&Tensor::zeros([1, 1, 2], options), &offsets),
        ),
        (
            "`multibox_detection`, other offsets",
            "offset_preds",
            detect(&probs, &offsets.view([1, 2, 4])),
        ),
    ] {
        refused(what, named, &error);
    }
    let mut ap = MeanAveragePrecision::new(["cat", "dog"]);
    let found = |class: f32, score: f32, right: f32| {
        rows(&[[class, score, 0.1, 0.1, right, 0.5]]).unsqueeze(0)
    };
    let truth = |class: f32| rows(&[[class, 0.1, 0.1, 0.5, 0.5]]).unsqueeze(0);
    for (what, named, error) in [
        (
            "`MeanAveragePrecision`, a detection of another class",
            "class 2",
            text(ap.add(&found(2., 0.5, 0.5), &truth(0.))),
        ),
        (
            "`MeanAveragePrecision`, a confidence that is NaN",
            "row 0",
            text(ap.add(&found(0., f32::NAN, 0.5), &truth(0.))),
        ),
        (
            "`MeanAveragePrecision`, a turned box",
            "row 0",
            text(ap.add(&found(0., 0.5, 0.), &truth(0.))),
        ),
        (
            "`MeanAveragePrecision`, a label of another class",
            "labels",
            text(ap.add(&found(0., 0.5, 0.5), &truth(7.))),
        ),
        (
            "`MeanAveragePrecision`, labels of another batch",
            "labels",
            text(ap.add(&found(0., 0.5, 0.5), &truth(0.).repeat([2, 1, 1]))),
        ),
        ("`average_precision` at 50", "iou_threshold", text(ap.average_precision(50.))),
        (
            "`precision_recall_curve` of another class",
            "class",
            text(ap.precision_recall_curve(2, 0.5)),
        ),
    ] {
        refused(what, named, &error);
    }
    assert!(ap.map_50().is_nan(), "nothing was counted");
}

/// T11: the first number is the image in the batch.
#[test]
fn regions_that_are_none_are_refused() {
    let x = Tensor::zeros([1, 3, 4, 4], (Kind::Float, Device::Cpu));
    for (what, named, row) in [
        ("`roi_pool`, image 1 of one", "row 1", [1., 0., 0., 20., 20.]),
        ("`roi_pool`, image -1", "row 1", [-1., 0., 0., 20., 20.]),
        ("`roi_pool`, image 0.5", "row 1", [0.5, 0., 0., 20., 20.]),
        ("`roi_pool`, image NaN", "row 1", [f32::NAN, 0., 0., 20., 20.]),
        ("`roi_pool`, a corner that is NaN", "row 1", [0., 0., f32::NAN, 20., 20.]),
        ("`roi_pool`, a corner without end", "row 1", [0., 0., 0., f32::INFINITY, 20.]),
    ] {
        let rois = rows(&[[0., 0., 0., 20., 20.], row]);
        refused(what, named, &text(roi_pool(&x, &rois, [2, 2], 0.1)));
        text(roi_align(&x, &rois, [2, 2], 0.1, 0, false));
    }
    let rois = rows(&[[0., 0., 0., 20., 20.]]);
    let wide = rows(&[[0., 0., 0., 1e30, 20.]]);
    for (what, named, error) in [
        (
            "`roi_pool` of rows of four",
            "[1, 4]",
            text(roi_pool(&x, &rows(&[[0.; 4]]), [2, 2], 0.1)),
        ),
        ("`roi_pool` of one image", "input", text(roi_pool(&x.get(0), &rois, [2, 2], 0.1))),
        ("`roi_pool` to nothing", "output_size", text(roi_pool(&x, &rois, [0, 2], 0.1))),
        ("`roi_pool`, a scale of 0", "spatial_scale", text(roi_pool(&x, &rois, [2, 2], 0.))),
        (
            "`roi_align` of bytes",
            "input",
            text(roi_align(&x.to_kind(Kind::Uint8), &rois, [2, 2], 0.1, 0, false)),
        ),
        (
            "`roi_align` of an endless region",
            "points",
            text(roi_align(&x, &wide, [2, 2], 0.1, 0, false)),
        ),
    ] {
        refused(what, named, &error);
    }
    assert_eq!(roi_pool(&x, &wide, [2, 2], 0.1).unwrap().size(), [1, 3, 2, 2]);
}
