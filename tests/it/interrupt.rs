//! The stop button, as the crate's loops see it under a live kernel.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::common;
use crate::common::server::{Server, Step, part};
use d2l::Error;
use d2l::prelude::*;

/// Runs the test again as the program of a live kernel, and answers what it printed.
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
    // The press was seen: the next one is another.
    assert!(!file().exists());
    check_interrupt().unwrap();
}

fn loaders(folder: &Path) -> [DataLoader; 2] {
    ["train", "test"].map(|split| {
        let augs = compose![Resize::new([32, 32]), ToTensor];
        DataLoader::new(ImageFolder::with_transform(folder.join(split), &augs).unwrap(), 4).unwrap()
    })
}

#[test]
fn a_press_is_one_error_and_the_kernel_knows_that_we_look() {
    let name = "a_press_is_one_error_and_the_kernel_knows_that_we_look";
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
fn loaders_testing_and_training_stop_and_go_on() {
    if in_live_kernel("loaders_testing_and_training_stop_and_go_on").is_some() {
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
    let mut trainer = SGD::new(net.parameters(), 1e-3, 0.).unwrap();
    press();
    assert_interrupted(evaluate_accuracy_gpu(&net, &test_iter, None));
    press();
    let mut train = |epochs| {
        train_ch13(&net, &train_iter, &test_iter, &loss, &mut trainer, epochs, &[Device::Cpu])
    };
    assert_interrupted(train(1));
    assert_eq!(train(1).unwrap().animator.curve("train loss").unwrap().len(), 3);
}

/// C6: the button works while a batch is waited for, as from a slow disk.
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
        fn classes(&self) -> &[String] {
            &[]
        }
        fn name(&self, index: usize) -> String {
            index.to_string()
        }
        fn open(&self, index: usize) -> Result<(Image, i64)> {
            if index > 3 {
                std::thread::sleep(Duration::from_secs(60));
            }
            let pixel = d2l::data::FloatImage::new(1, 1, vec![[0.; 3]])?;
            Ok((Image::Float(pixel), 0))
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
        let mut trainer = SGD::new(net.parameters(), 1e-6, 0.).unwrap();
        std::thread::spawn(|| {
            std::thread::sleep(std::time::Duration::from_secs(3));
            press();
        });
        let before = net.fc.weight.copy();
        let result =
            train_ch13(&net, &train_iter, &test_iter, &loss, &mut trainer, 10_000, &[Device::Cpu]);
        assert_interrupted(result);
        assert_ne!(before, net.fc.weight);
        return;
    };
    let shown: Vec<&str> = text.lines().filter(|line| line.contains("jupyter/1 ")).collect();
    let first_curves =
        shown.iter().position(|line| line.contains("display_data") && line.contains("<svg"));
    assert!(first_curves.is_some(), "{text}");
    let last = shown.iter().rfind(|line| line.contains("training: ")).unwrap();
    assert!(last.contains("update_display_data") && last.contains("ended at"), "{last}");
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
        // Slowly, until nobody listens any more.
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

/// The server sends half and then nothing: the stop button works all the same, and the next call goes
/// on where this one ended.
#[test]
fn a_download_from_a_silent_server_stops_and_goes_on_later() {
    if in_live_kernel("a_download_from_a_silent_server_stops_and_goes_on_later").is_some() {
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
