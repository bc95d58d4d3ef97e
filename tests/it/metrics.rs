//! Confusion matrices, top-k, and the probabilities of a loader.

use crate::common;
use crate::common::report::{refused, seen};
use crate::common::{Light, difference};
use d2l::prelude::*;

/// Scores that have their largest value at these classes.
fn scores(of: &[i64], classes: i64) -> Tensor {
    Tensor::from_slice(of).onehot(classes)
}

/// The example of the segmentation section, and a third class that is never there.
#[test]
fn a_confusion_matrix_has_rows_of_truth() {
    let mut table = ConfusionMatrix::new(["cat", "dog", "a very old horse"]);
    assert_eq!(table.counts().unwrap().size(), [0, 0]);
    let truth = Tensor::from_slice(&[0i64, 0, 0, 0, 1, 1, 1]);
    table.add(&scores(&[0, 0, 0, 1, 0, 0, 1], 3), &truth).unwrap();
    table.add(&scores(&[1, 1, 1, 2], 3), &Tensor::from_slice(&[1i64, 1, 1, -100])).unwrap();
    let counts: Vec<i64> = table.counts().unwrap().flatten(0, -1).try_into().unwrap();
    assert_eq!(counts, [3, 1, 0, 2, 4, 0, 0, 0, 0]);
    assert_eq!(table.accuracy(), 0.7);
    let near = |found: Vec<f64>, expected: [f64; 2]| {
        assert!((0..2).all(|i| (found[i] - expected[i]).abs() < 1e-4), "{found:?}");
        assert!(found[2].is_nan(), "{found:?}");
    };
    near(table.recall(), [0.75, 0.6667]);
    near(table.precision(), [0.6, 0.8]);
    near(table.iou(), [0.5, 4. / 7.]);
    let lines = [
        "           truth |   cat   dog a very old horse | recall",
        "             cat |     3     1                0 |  0.750",
        "             dog |     2     4                0 |  0.667",
        "a very old horse |     0     0                0 |    NaN",
        "       precision | 0.600 0.800              NaN |",
    ];
    assert_eq!(table.to_string(), lines.join("\n"));
    assert_eq!(format!("{table:?}"), table.to_string());
}

#[test]
fn pixels_are_counted_as_images_are() {
    let truth = Tensor::arange(24, (Kind::Int64, Device::Cpu)).remainder(3).view([2, 3, 4]);
    let pixels = truth.onehot(3).permute([0, 3, 1, 2]);
    let mut table = ConfusionMatrix::new(Vec::<String>::new());
    table.add(&pixels, &truth.to_kind(Kind::Uint8)).unwrap();
    assert_eq!(table.counts().unwrap(), Tensor::eye(3, (Kind::Int64, Device::Cpu)) * 8);
    assert!(table.to_string().contains(" 2 |     0     0     8 |  1.000"), "{table}");
    assert_eq!(accuracy(&pixels, &truth).unwrap(), 24.);
    assert_eq!(top_k_accuracy(&pixels, &truth, 1).unwrap(), 24.);
}

#[test]
fn many_classes_are_told_by_their_mistakes() {
    let names: Vec<String> = (0..30).map(|i| format!("breed {i}")).collect();
    let mut table = ConfusionMatrix::new(&names);
    let truth: Vec<i64> = vec![7, 7, 7, 3, 3, 29];
    table.add(&scores(&[8, 8, 7, 4, 3, 29], 30), &Tensor::from_slice(&truth)).unwrap();
    let expected = "30 classes; most often taken for another:\n     2 breed 7 for breed 8\n     1 breed 3 for breed 4";
    assert_eq!(table.to_string(), expected);
}

#[test]
fn what_cannot_be_counted_is_refused() {
    let mut table = ConfusionMatrix::new(["a", "b"]);
    let y = |labels: &[i64]| Tensor::from_slice(labels);
    let three = scores(&[0, 1, 2], 3);
    let cases = [
        ("fewer labels than scores", y(&[0, 1]), "[2]"),
        ("a label that is no class", y(&[0, 1, 3]), "label 3"),
        ("a label below 0", y(&[0, -1, 2]), "label -1"),
        ("labels that are no whole numbers", Tensor::from_slice(&[0f32, 1., 2.]), "Float"),
    ];
    for (what, labels, named) in cases {
        let what = format!("`ConfusionMatrix`: {what}");
        refused(&what, named, &table.add(&three, &labels).unwrap_err());
    }
    assert_eq!(table.to_string().lines().count(), 2);
    table.add(&three, &y(&[0, 1, 2])).unwrap();
    let error = table.add(&scores(&[0, 1], 2), &y(&[0, 1])).unwrap_err();
    refused("`ConfusionMatrix` of two networks", "2 classes", &error);
    assert_eq!(table.accuracy(), 1.);
    for k in [0, 4, -1] {
        let error = top_k_accuracy(&three, &y(&[0, 1, 2]), k).unwrap_err();
        refused("`top_k_accuracy` of more classes than there are", "k = ", &error);
    }
    let error = top_k_accuracy(&three, &y(&[0, 1]), 2).unwrap_err();
    refused("`top_k_accuracy` of fewer labels than scores", "[2]", &error);
}

#[test]
fn the_k_best_are_counted() {
    let scores = Tensor::from_slice(&[0.1f32, 0.2, 0.7, 0.5, 0.3, 0.2, 0.3, 0.4, 0.3]).view([3, 3]);
    let y = Tensor::from_slice(&[1i64, 0, 0]);
    assert_eq!(top_k_accuracy(&scores, &y, 1).unwrap(), accuracy(&scores, &y).unwrap());
    // 0.3 and 0.3 are one as good as the other: the first row and the second tell.
    let of_two = |k| top_k_accuracy(&scores.narrow(0, 0, 2), &y.narrow(0, 0, 2), k).unwrap();
    assert_eq!([of_two(1), of_two(2)], [1., 2.]);
    assert_eq!(top_k_accuracy(&scores, &y, 3).unwrap(), 3.);
}

/// The same network, loader by loader and by hand.
#[test]
fn a_loader_is_gone_through_in_its_order() {
    let set = common::small_set(5);
    let augs = compose![Resize::new([32, 32]).unwrap(), ToTensor];
    let images = ImageFolder::with_transform(set.path().join("test"), &augs).unwrap();
    let (net, loader) = (Light::new(), DataLoader::new(images, 4).unwrap());
    net.train();
    let (probabilities, labels) = predict(&net, &loader, None).unwrap();
    assert_eq!((probabilities.size(), labels.size()), (vec![10, 2], vec![10]));
    assert_eq!(probabilities.kind(), Kind::Float);
    assert!(!probabilities.requires_grad());
    let sums = probabilities.sum_dim_intlist(1i64, false, Kind::Float);
    assert!(difference(&sums, &sums.ones_like()) < 1e-6);
    let mut first = 0;
    for batch in loader.iter() {
        let (x, y) = batch.unwrap();
        let expected = net.forward(&x).unwrap().softmax(1, Kind::Float);
        let found = probabilities.narrow(0, first, x.size()[0]);
        assert!(difference(&expected, &found) < 1e-6, "the mode is not that of a test");
        assert_eq!(labels.narrow(0, first, x.size()[0]), y);
        first += x.size()[0];
    }
    let table = confusion_matrix(&net, &loader, None).unwrap();
    assert_eq!(table.accuracy(), evaluate_accuracy_gpu(&net, &loader, None).unwrap());
    let mut by_hand = ConfusionMatrix::new(["bright", "dark"]);
    by_hand.add(&probabilities, &labels).unwrap();
    assert_eq!(table.to_string(), by_hand.to_string());
    assert_eq!(table.counts().unwrap().sum(Kind::Int64).int64_value(&[]), 10);

    let mut one = Light::new();
    one.fc = linear(48, 1).unwrap();
    refused(
        "`predict`: a label that has no output",
        "label 1",
        &predict(&one, &loader, None).unwrap_err(),
    );
    let gpu = confusion_matrix(&net, &loader, Some(Device::Cuda(1000))).unwrap_err();
    refused("`confusion_matrix` on a GPU that is not there", "Cuda(1000)", &gpu);
    seen("what a network takes for what", &table.to_string());
}
