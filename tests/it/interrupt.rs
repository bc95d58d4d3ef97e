//! The stop button, as the crate's loops see it under a live kernel.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::common;
use crate::common::server::{Server, Step, part};
use d2l::Error;
use d2l::prelude::*;

/// Runs the test again as the program of a live kernel, and returns what it printed.
fn in_live_kernel(name: &str) -> Option<String> {
    let name = &format!("interrupt::{name}");
    if common::in_child(name) {
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    let text = common::run_in_child(
        name,
        &[
            ("EVCXR_IS_RUNTIME", Path::new("1")),
            ("JUPYTER_WIRE", Path::new("1")),
            ("JUPYTER_INTERRUPT_FILE", &folder.path().join("interrupt")),
        ],
    );
    Some(text)
}

fn file() -> PathBuf {
    std::env::var_os("JUPYTER_INTERRUPT_FILE").unwrap().into()
}

fn press() {
    fs::write(file(), "").unwrap();
}

fn assert_interrupted<T>(result: Result<T>) {
    assert!(matches!(result, Err(Error::Interrupted)));
    // The press was consumed: the next one is a new one.
    assert!(!file().exists());
    check_interrupt().unwrap();
}

fn loaders(folder: &Path) -> [DataLoader; 2] {
    ["train", "test"].map(|split| {
        let augs = compose![Resize::new([32, 32]).unwrap(), ToTensor];
        DataLoader::new(ImageFolder::with_transform(folder.join(split), &augs).unwrap(), 4).unwrap()
    })
}

#[test]
fn a_press_is_one_error_and_the_kernel_knows_that_we_check() {
    let name = "a_press_is_one_error_and_the_kernel_knows_that_we_check";
    let Some(text) = in_live_kernel(name) else {
        check_interrupt().unwrap();
        press();
        return assert_interrupted(check_interrupt());
    };
    // At most one line a second.
    assert_eq!(text.matches("\u{1e}jupyter/1 listening {}\n").count(), 1, "{text}");
}

#[test]
fn outside_a_notebook_there_is_no_button() {
    check_interrupt().unwrap();
    clear_output(true);
}

#[test]
fn loaders_testing_and_training_stop_and_continue() {
    if in_live_kernel("loaders_testing_and_training_stop_and_continue").is_some() {
        return;
    }
    let set = common::small_set(6);
    let [train_iter, test_iter] = loaders(set.path());
    let mut batches = train_iter.iter();
    let _first = batches.next().unwrap().unwrap();
    press();
    assert_interrupted(batches.next().unwrap());
    assert!(batches.next().is_none());

    let mut net = resnet18(Weights::Random).unwrap();
    net.fc = linear(512, 2).unwrap();
    let loss = CrossEntropyLoss::new(Reduction::None);
    let mut trainer = SGD::new(net.parameters(), 1e-3).unwrap();
    press();
    assert_interrupted(evaluate_accuracy_gpu(&net, &test_iter, None));
    press();
    let mut train = |epochs| {
        train_ch13(&net, &train_iter, &test_iter, &loss, &mut trainer, epochs, &[Device::Cpu])
    };
    assert_interrupted(train(1));
    assert_eq!(train(1).unwrap().animator.curve("train loss").unwrap().len(), 3);
}

/// C6: the button works while the loader waits for a batch, as from a slow disk.
#[test]
fn a_loader_stops_while_it_waits() {
    if in_live_kernel("a_loader_stops_while_it_waits").is_some() {
        return;
    }
    #[derive(Debug)]
    struct Slow;
    impl Dataset for Slow {
        fn len(&self) -> usize {
            100
        }
        fn sample(&self, index: usize, _: &mut Rng) -> Result<Sample> {
            if index > 3 {
                std::thread::sleep(Duration::from_secs(60));
            }
            let pixel = d2l::data::FloatImage::new(1, 1, vec![[0.; 3]])?;
            Ok(Sample::new(Image::Float(pixel), 0))
        }
    }
    for workers in [1, 3] {
        let loader = DataLoader::new(Slow, 4).unwrap().num_workers(workers);
        let mut batches = loader.iter();
        assert!(batches.next().unwrap().is_ok());
        std::thread::spawn(|| {
            std::thread::sleep(Duration::from_millis(300));
            press();
        });
        let start = Instant::now();
        assert_interrupted(batches.next().unwrap());
        assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
        assert!(batches.next().is_none());
    }
}

#[test]
fn a_training_stops_in_its_middle_with_its_curves() {
    let Some(text) = in_live_kernel("a_training_stops_in_its_middle_with_its_curves") else {
        let set = common::small_set(6);
        let [train_iter, test_iter] = loaders(set.path());
        let net = resnet18(Weights::Random).unwrap();
        let loss = CrossEntropyLoss::new(Reduction::None);
        let mut trainer = SGD::new(net.parameters(), 1e-6).unwrap();
        std::thread::spawn(|| {
            std::thread::sleep(std::time::Duration::from_secs(3));
            press();
        });
        let before = net.fc.weight.copy();
        let summary =
            train_ch13(&net, &train_iter, &test_iter, &loss, &mut trainer, 10_000, &[Device::Cpu])
                .unwrap();
        assert!(summary.stopped && summary.loss.is_finite(), "{summary}");
        assert!(!summary.animator.curve("train loss").unwrap().is_empty());
        assert_ne!(before, net.fc.weight);
        // Whoever looks next ends the cell.
        assert_interrupted(check_interrupt());
        return;
    };
    let shown: Vec<&str> = text.lines().filter(|line| line.contains("jupyter/1 ")).collect();
    let first_curves =
        shown.iter().position(|line| line.contains("display_data") && line.contains("<svg"));
    assert!(first_curves.is_some(), "{text}");
    let last = shown.iter().rfind(|line| line.contains("training: ")).unwrap();
    assert!(last.contains("update_display_data") && last.contains("ended at"), "{last}");
}

/// Presses the button while batch number `at`, from 0, is learned; `cell` says that a function of the
/// cell's is in between, which unwinds.
fn pressing(at: usize, cell: bool) -> impl Loss {
    let count = AtomicUsize::new(0);
    move |y_hat: &Tensor, y: &Tensor| {
        if count.fetch_add(1, Ordering::Relaxed) == at {
            press();
            if cell {
                std::panic::resume_unwind(Box::new("EVCXR_INTERRUPTED"));
            }
        }
        CrossEntropyLoss::new(Reduction::None).forward(y_hat, y)
    }
}

/// Three batches an epoch: where the button is pressed, what was tested by then, and what is told.
#[test]
fn a_stopped_training_says_where_and_what_is_known() {
    if in_live_kernel("a_stopped_training_says_where_and_what_is_known").is_some() {
        return;
    }
    set_precision(Precision::Full);
    let set = common::small_set(6);
    let [train_iter, test_iter] = loaders(set.path());
    let cases = [
        (0, false, 0, "stopped in epoch 1, after batch 1 of 3"),
        (1, false, 0, "stopped in epoch 1, after batch 2 of 3"),
        // The last batch: the test does not begin.
        (2, false, 0, "stopped in epoch 1, after batch 3 of 3"),
        (4, false, 1, "stopped in epoch 2, after batch 2 of 3"),
        (1, true, 0, "stopped in epoch 1, after batch 1 of 3"),
        (3, true, 1, "stopped after epoch 1"),
    ];
    for (at, cell, epochs, place) in cases {
        let net = common::Light::new();
        let mut trainer = SGD::new(net.parameters(), 1e-4).unwrap();
        let loss = pressing(at, cell);
        let summary =
            train_ch13(&net, &train_iter, &test_iter, &loss, &mut trainer, 5, &[Device::Cpu])
                .unwrap();
        assert_eq!((summary.stopped, summary.epochs), (true, epochs), "{place}");
        let text = summary.to_string();
        assert!(text.ends_with(place), "{text}");
        assert!(summary.loss.is_finite() && (0. ..=1.).contains(&summary.train_acc), "{text}");
        assert_eq!(text.contains("test acc not tested"), epochs == 0, "{text}");
        assert_eq!(summary.test_acc.is_nan(), epochs == 0, "{text}");
        assert_eq!(summary.animator.curve("test acc").unwrap().len(), epochs);
        assert_interrupted(check_interrupt());
        // What was learned is what this many whole batches teach.
        let unbroken = common::Light::new();
        let mut other = SGD::new(unbroken.parameters(), 1e-4).unwrap();
        let all = (0..2).flat_map(|_| train_iter.iter());
        for batch in all.take(if cell { at } else { at + 1 }) {
            let (x, y) = batch.unwrap();
            let loss = CrossEntropyLoss::new(Reduction::None);
            train_batch_ch13(&unbroken, &x, &y, &loss, &mut other, &[Device::Cpu]).unwrap();
        }
        for ((name, a), (_, b)) in net.state_dict().iter().zip(unbroken.state_dict()) {
            assert_eq!(common::difference(a, &b), 0., "{place}: {name}");
        }
    }
}

/// A loop of trainings ends at a press, whether it looks at `stopped` or not, and what it has is kept.
#[test]
fn a_loop_of_trainings_does_not_go_on() {
    if in_live_kernel("a_loop_of_trainings_does_not_go_on").is_some() {
        return;
    }
    let set = common::small_set(6);
    let [train_iter, test_iter] = loaders(set.path());
    let net = common::Light::new();
    let mut trainer = SGD::new(net.parameters(), 1e-4).unwrap();
    let loss = pressing(4, false);
    let mut run = Summary::new();
    let mut calls = 0;
    let mut train = |run: &mut Summary| {
        calls += 1;
        run.train(&net, &train_iter, &test_iter, &loss, &mut trainer, 1, &[Device::Cpu])
    };
    let mut careless = || -> Result<()> {
        for _ in 0..10 {
            train(&mut run)?;
        }
        Ok(())
    };
    // The second call is stopped and returns, the third has nothing to return.
    assert_interrupted(careless());
    assert!(run.stopped && run.epochs == 1, "{run}");
    let broken = run.animator.curve("train loss").unwrap().to_vec();
    assert_eq!(broken.len(), 5, "{broken:?}");
    // In the next cell the epoch is done once more.
    train(&mut run).unwrap();
    assert_eq!((run.stopped, run.epochs, calls), (false, 2, 4));
    assert!(!run.to_string().contains("stopped"), "{run}");
    let points: Vec<f64> =
        run.animator.curve("train loss").unwrap().iter().map(|point| point.0).collect();
    assert_eq!(points.len(), 6);
    assert!(points.windows(2).all(|pair| pair[0] < pair[1]), "{points:?}");
}

/// Pressed while the last images are tested: all is done, and a loop that looks at `stopped` ends here.
#[test]
fn a_press_at_the_very_end_is_told() {
    if in_live_kernel("a_press_at_the_very_end_is_told").is_some() {
        return;
    }
    #[derive(Debug)]
    struct Pressing(common::Light, AtomicUsize);
    impl Module for Pressing {
        fn forward(&self, x: &Tensor) -> Result<Tensor> {
            // Three batches to learn from and three to test on.
            if self.1.fetch_add(1, Ordering::Relaxed) == 5 {
                press();
            }
            self.0.forward(x)
        }

        fn visit(&self, visitor: &mut d2l::nn::Visitor) {
            self.0.visit(visitor);
        }
    }
    let set = common::small_set(6);
    let [train_iter, test_iter] = loaders(set.path());
    let net = Pressing(common::Light::new(), AtomicUsize::new(0));
    let mut trainer = SGD::new(net.parameters(), 1e-4).unwrap();
    let loss = CrossEntropyLoss::new(Reduction::None);
    let run =
        train_ch13(&net, &train_iter, &test_iter, &loss, &mut trainer, 1, &[Device::Cpu]).unwrap();
    assert_eq!((run.stopped, run.epochs), (true, 1));
    assert!(run.to_string().ends_with("stopped after epoch 1"), "{run}");
    assert_interrupted(check_interrupt());
}

/// A panic of a layer's is none of the button's.
#[test]
fn other_panics_go_through_a_training() {
    if in_live_kernel("other_panics_go_through_a_training").is_some() {
        return;
    }
    let set = common::small_set(2);
    let [train_iter, test_iter] = loaders(set.path());
    let net = common::Light::new();
    let mut trainer = SGD::new(net.parameters(), 1e-4).unwrap();
    let loss =
        |_: &Tensor, _: &Tensor| -> Result<Tensor> { std::panic::resume_unwind(Box::new("else")) };
    let work = std::panic::AssertUnwindSafe(|| {
        train_ch13(&net, &train_iter, &test_iter, &loss, &mut trainer, 1, &[Device::Cpu])
    });
    let panic = std::panic::catch_unwind(work).unwrap_err();
    assert_eq!(panic.downcast_ref::<&str>(), Some(&"else"));
    check_interrupt().unwrap();
}

#[test]
fn a_download_stops_and_leaves_nothing() {
    if in_live_kernel("a_download_stops_and_leaves_nothing").is_some() {
        return;
    }
    let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/file.zip", server.local_addr().unwrap());
    std::thread::spawn(move || {
        use std::io::{Read, Write};
        let (mut stream, _) = server.accept().unwrap();
        let _ = stream.read(&mut [0; 1024]);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100000000\r\n\r\n");
        // Slowly, until the client is gone.
        while stream.write_all(&[0; 10_000]).is_ok() {
            std::thread::sleep(std::time::Duration::from_millis(20));
            if !file().exists() {
                press();
            }
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let result = download_url(&address, folder.path(), None);
    assert!(matches!(result, Err(Error::Interrupted)), "{result:?}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

/// The server sends half and then nothing: the stop button works all the same, and the next call
/// resumes where this one ended.
#[test]
fn a_download_from_a_silent_server_stops_and_resumes_later() {
    if in_live_kernel("a_download_from_a_silent_server_stops_and_resumes_later").is_some() {
        return;
    }
    let body = vec![7; 100_000];
    let whole = body.clone();
    let server = Server::start(move |request| match request.start {
        None => {
            let half = part(&whole, None)[..50_000].to_vec();
            vec![Step::Send(half), Step::Wait(std::time::Duration::from_secs(60))]
        }
        start => vec![Step::Send(part(&whole, start))],
    });
    let folder = tempfile::tempdir().unwrap();
    let get = || download_url(&server.url("set.zip"), folder.path(), Some(&common::sha1(&body)));
    std::thread::spawn(|| {
        std::thread::sleep(std::time::Duration::from_millis(500));
        press();
    });
    let start = std::time::Instant::now();
    assert_interrupted(get());
    assert!(start.elapsed().as_secs() < 10);
    assert_eq!(common::names(folder.path()), [".set.zip.part"]);
    assert_eq!(fs::read(get().unwrap()).unwrap(), body);
    assert!(server.starts()[1].is_some());
}
