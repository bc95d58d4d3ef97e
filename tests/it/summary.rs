//! A training that goes on: numbers, curves, figures and lines.

use std::fs;
use std::path::Path;

use crate::common;
use crate::common::Light;
use crate::common::report::refused;
use d2l::prelude::*;

fn loaders(folder: &Path) -> [DataLoader; 2] {
    ["train", "test"].map(|split| {
        let augs = compose![Resize::new([32, 32]).unwrap(), ToTensor];
        DataLoader::new(ImageFolder::with_transform(folder.join(split), &augs).unwrap(), 4).unwrap()
    })
}

/// All that a training needs.
struct Parts {
    _set: tempfile::TempDir,
    net: Light,
    iters: [DataLoader; 2],
    loss: CrossEntropyLoss,
    trainer: SGD,
}

impl Parts {
    fn new(rate: f64) -> Parts {
        set_precision(Precision::Full);
        let set = common::small_set(6);
        let (net, iters) = (Light::new(), loaders(set.path()));
        let trainer = SGD::new(net.parameters(), rate).unwrap();
        Parts { _set: set, net, iters, loss: CrossEntropyLoss::new(Reduction::None), trainer }
    }

    fn train(&mut self, run: &mut Summary, num_epochs: usize) -> Result<()> {
        let Parts { net, iters: [train, test], loss, trainer, .. } = self;
        run.train(net, train, test, loss, trainer, num_epochs, &[Device::Cpu])
    }

    fn train_ch13(&mut self, num_epochs: usize) -> Result<Summary> {
        let Parts { net, iters: [train, test], loss, trainer, .. } = self;
        train_ch13(net, train, test, loss, trainer, num_epochs, &[Device::Cpu])
    }
}

fn curves(run: &Summary) -> [Vec<(f64, f64)>; 3] {
    ["train loss", "train acc", "test acc"].map(|name| run.animator.curve(name).unwrap().to_vec())
}

/// Runs a test again in a process of its own and returns what it printed there; `None` within it.
fn in_child(name: &str, variables: &[(&str, &Path)]) -> Option<String> {
    let name = format!("summary::{name}");
    (!common::in_child(&name)).then(|| common::run_in_child(&name, variables))
}

#[test]
fn epochs_one_by_one_are_the_epochs_in_one_go() {
    let name = "epochs_one_by_one_are_the_epochs_in_one_go";
    let Some(text) = in_child(name, &[]) else {
        let whole = Parts::new(1e-4).train_ch13(4).unwrap();
        println!("now one by one");
        let mut parts = Parts::new(1e-4);
        let mut run = Summary::new();
        assert_eq!((run.to_string(), run.epochs), ("no training yet".to_string(), 0));
        for epoch in 1..=4 {
            parts.train(&mut run, 1).unwrap();
            assert_eq!((run.epochs, run.stopped), (epoch, false));
        }
        assert_eq!(curves(&run), curves(&whole));
        assert_eq!(run.animator.figure().unwrap().svg(), whole.animator.figure().unwrap().svg());
        assert_eq!(
            [run.loss, run.train_acc, run.test_acc],
            [whole.loss, whole.train_acc, whole.test_acc]
        );
        let lines = |run: &Summary| run.to_string().lines().map(String::from).collect::<Vec<_>>();
        assert_eq!((lines(&run)[0].as_str(), lines(&run).len()), (lines(&whole)[0].as_str(), 2));
        assert!(run.examples_per_sec > 0. && run.devices == [Device::Cpu]);
        // What is made of `train_ch13` goes on, too.
        println!("and on");
        let mut run = parts.train_ch13(1).unwrap();
        parts.train(&mut run, 2).unwrap();
        assert_eq!(run.epochs, 3);
        return;
    };
    let (whole, rest) = text.split_once("now one by one").unwrap();
    let (single, on) = rest.split_once("and on").unwrap();
    for (text, line) in
        [(whole, "epoch 3/4: loss "), (single, "epoch 3: loss "), (on, "epoch 2/3: ")]
    {
        assert!(text.contains(line), "{text}");
    }
    // One header for a loop, one figure for `train_ch13`, and the book's lines at its end.
    assert_eq!(single.matches("training on").count(), 1, "{single}");
    assert_eq!(single.matches("examples/sec").count(), 0, "{single}");
    assert_eq!(
        [whole, single, on].map(|text| text.matches("figure: ").count()),
        [1, 0, 1],
        "{text}"
    );
    assert_eq!(whole.matches("examples/sec").count(), 1, "{whole}");
    assert_eq!(on.matches("training on").count(), 1, "{on}");
}

#[test]
fn quick_mode_bounds_the_whole_of_a_training() {
    let name = "quick_mode_bounds_the_whole_of_a_training";
    let Some(text) = in_child(name, &[("D2L_MAX_EPOCHS", Path::new("2"))]) else {
        let mut parts = Parts::new(1e-4);
        let mut run = Summary::new();
        for _ in 0..10 {
            parts.train(&mut run, 1).unwrap();
        }
        assert_eq!(run.epochs, 2);
        let before = (curves(&run), run.to_string());
        parts.train(&mut run, 5).unwrap();
        assert_eq!((curves(&run), run.to_string()), before);
        println!("another");
        let mut run = parts.train_ch13(1).unwrap();
        parts.train(&mut run, 5).unwrap();
        assert_eq!(run.epochs, 2);
        return;
    };
    let (first, second) = text.split_once("another").unwrap();
    for (line, times) in
        [("\nepoch 1: ", 1), ("\nepoch 2: ", 1), ("epoch 3", 0), ("no epoch after", 1)]
    {
        assert_eq!(first.matches(line).count(), times, "{line}: {first}");
    }
    assert!(second.contains("epoch 2: ") && !second.contains("no epoch after"), "{second}");
}

/// A step of a later call that fails costs none of the earlier epochs.
#[test]
fn an_error_leaves_what_was_completed() {
    let mut parts = Parts::new(1e-4);
    let mut run = Summary::new();
    parts.train(&mut run, 2).unwrap();
    let before = (run.to_string(), curves(&run));
    parts.trainer = SGD::new(parts.net.parameters(), 3e38).unwrap();
    let error = parts.train(&mut run, 1).unwrap_err();
    refused("a learning rate far too high, in a training that goes on", "epoch 3", &error);
    assert!(matches!(error, Error::Diverged { loss, .. } if !loss.is_finite()), "{error}");
    assert_eq!(run.to_string().lines().next(), before.0.lines().next());
    assert_eq!((run.epochs, run.stopped), (2, false));
    // A copy goes on by itself, and without the points of the epoch that failed.
    let mut copy = run.clone();
    let mut other = Parts::new(1e-4);
    other.train(&mut copy, 1).unwrap();
    let test = copy.animator.curve("test acc").unwrap().to_vec();
    assert_eq!((test.len(), &test[..2]), (3, &before.1[2][..]));
    let train = copy.animator.curve("train loss").unwrap();
    assert!(train.windows(2).all(|pair| pair[0].0 < pair[1].0), "{train:?}");
    assert_eq!((copy.epochs, run.epochs), (3, 2));
}

#[test]
fn a_call_without_epochs_is_refused_as_before() {
    let mut parts = Parts::new(1e-4);
    let mut run = Summary::new();
    let error = parts.train(&mut run, 0).unwrap_err();
    refused("`Summary::train` for no epochs", "0 epochs", &error);
    assert_eq!(run.epochs, 0);
}

/// In a live kernel: one figure and one bar in a cell, others in the next.
#[test]
fn a_cell_has_one_figure_and_the_next_cell_another() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("interrupt");
    let variables: [(&str, &Path); 3] = [
        ("EVCXR_IS_RUNTIME", Path::new("1")),
        ("JUPYTER_WIRE", Path::new("1")),
        ("JUPYTER_INTERRUPT_FILE", &file),
    ];
    let name = "a_cell_has_one_figure_and_the_next_cell_another";
    let Some(text) = in_child(name, &variables) else {
        let file = std::env::var_os("JUPYTER_INTERRUPT_FILE").unwrap();
        let cell = |id: &str| {
            fs::write(Path::new(&file).with_file_name("cell"), id).unwrap();
            println!("\ncell {id}");
        };
        let mut parts = Parts::new(1e-4);
        cell("a");
        let mut run = Summary::new();
        for _ in 0..3 {
            parts.train(&mut run, 1).unwrap();
        }
        cell("b");
        for _ in 0..2 {
            parts.train(&mut run, 1).unwrap();
        }
        cell("c");
        let mut run = parts.train_ch13(1).unwrap();
        parts.train(&mut run, 1).unwrap();
        run.animator.show().unwrap();
        cell("d");
        run.animator.show().unwrap();
        cell("e");
        drop(run);
        return;
    };
    let cells: Vec<&str> = text.split("\ncell ").skip(1).collect();
    assert_eq!(cells.len(), 5, "{text}");
    let lines = |cell: &str, kind: &str, word: &str| {
        let start = format!("\u{1e}jupyter/1 {kind}");
        let is = |line: &&str| line.starts_with(&start) && line.contains(word);
        cell.lines().filter(is).map(String::from).collect::<Vec<_>>()
    };
    let new = |cell, word| lines(cell, "display_data", word).len();
    // The figure, and the bar.
    let (figure, bar) = ("<svg", "training");
    assert_eq!(cells.iter().map(|cell| new(cell, figure)).collect::<Vec<_>>(), [1, 1, 1, 1, 0]);
    assert_eq!(cells.iter().map(|cell| new(cell, bar)).collect::<Vec<_>>(), [1, 1, 1, 0, 0]);
    for (cell, last) in [(cells[0], "epoch 3"), (cells[1], "epoch 5"), (cells[2], "epoch 2")] {
        let ids = |word| {
            let lines =
                [lines(cell, "display_data", word), lines(cell, "update_display_data", word)];
            let id =
                |line: &String| line.split("display_id\":\"").nth(1).map(|id| id[..20].to_string());
            let ids: Vec<_> = lines.concat().iter().map(id).collect();
            assert!(ids.len() > 1 && ids.iter().all(|id| id.is_some() && *id == ids[0]), "{ids:?}");
        };
        ids(figure);
        ids(bar);
        let bars = lines(cell, "update_display_data", bar);
        let end = bars.last().unwrap();
        assert!(end.contains(&format!("from {last}: done in")), "{end}");
        assert_eq!(cell.matches("training on").count(), usize::from(last != "epoch 5"), "{cell}");
    }
    assert!(!cells[4].contains('\u{1e}'), "{}", cells[4]);
}
