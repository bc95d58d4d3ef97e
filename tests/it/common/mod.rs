//! What several tests share: the reference values and the formula that made them.

pub mod report;
pub mod server;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use d2l::image::{Rgb, RgbImage};
use d2l::nn::Visitor;
use d2l::prelude::*;

/// Values made by `tests/reference/make.py`.
pub fn reference(name: &str) -> HashMap<String, Tensor> {
    let path = reference_folder().join(name).with_extension("safetensors");
    Tensor::read_safetensors(path).unwrap().into_iter().collect()
}

pub fn reference_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference")
}

/// As `noise` in make.py: `count` numbers from -0.5 to 0.5.
pub fn noise(count: usize, key: u64) -> Vec<f32> {
    (0..count as u64)
        .map(|i| {
            let mixed = (i * 2_654_435_761 + key * 40_503 + 12_345) % (1 << 32);
            let mixed = (mixed ^ (mixed >> 15)) * 2_246_822_519 % (1 << 32);
            ((mixed >> 8) as f64 / f64::from(1 << 24) - 0.5) as f32
        })
        .collect()
}

/// As `test_image` in make.py.
pub fn test_image(width: u32, height: u32) -> RgbImage {
    let grain = noise((width * height) as usize, width.into());
    RgbImage::from_fn(width, height, |x, y| {
        let grain = (grain[(y * width + x) as usize] * 64.) as i64;
        let (w, h, x, y) =
            (i64::from(width) - 1, i64::from(height) - 1, i64::from(x), i64::from(y));
        let channels =
            [255 * x / w.max(1), 255 * y / h.max(1) + grain, (x / 5 + y / 3) % 2 * 180 + grain];
        Rgb(channels.map(|value| value.clamp(0, 255) as u8))
    })
}

/// As `fill` in make.py.
pub fn fill(net: &dyn Module) {
    let _guard = d2l::tch::no_grad_guard();
    for (key, (name, mut tensor)) in net.state_dict().into_iter().enumerate() {
        if name.ends_with("num_batches_tracked") {
            continue;
        }
        let size = tensor.size();
        let values = Tensor::from_slice(&noise(tensor.numel(), key as u64)).view(&size[..]);
        let values = if name.ends_with("running_var") {
            values + 1.
        } else if name.ends_with("running_mean") {
            values * 0.2
        } else if size.len() > 1 {
            values * (24. / (tensor.numel() as f64 / size[0] as f64)).sqrt()
        } else if name.ends_with("weight") {
            values * 0.4 + 1.
        } else {
            values * 0.4
        };
        tensor.copy_(&values);
    }
}

/// A ResNet-18 with two classes, with values from `fill`.
pub fn two_classes() -> Classifier {
    let mut net = resnet18(Weights::Random).unwrap();
    net.fc = linear(512, 2).unwrap();
    fill(&net);
    net
}

/// A network of two classes for tests of what goes on around one: it looks at 16 parts of an image.
#[derive(Debug)]
pub struct Light {
    pub fc: Linear,
}

impl Light {
    pub fn new() -> Light {
        let net = Light { fc: linear(48, 2).unwrap() };
        fill(&net);
        net
    }
}

impl Module for Light {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.fc.forward(&x.f_adaptive_avg_pool2d([4, 4])?.f_flatten(1, -1)?)
    }

    fn visit(&self, visitor: &mut Visitor) {
        visitor.child("fc", &self.fc);
    }
}

/// As `inputs` in make.py.
pub fn inputs(count: i64, size: i64, key: u64) -> Tensor {
    let values = noise((count * 3 * size * size) as usize, key);
    Tensor::from_slice(&values).view([count, 3, size, size]) * 4.
}

/// All entries of a folder, hidden files too.
pub fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

pub fn sha1(body: &[u8]) -> String {
    use sha1::Digest;
    sha1::Sha1::digest(body).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The largest difference between two tensors of one shape.
pub fn difference(a: &Tensor, b: &Tensor) -> f64 {
    assert_eq!(a.size(), b.size());
    (a.to_kind(Kind::Double) - b.to_kind(Kind::Double)).abs().max().double_value(&[])
}

/// A folder of small images: `train` and `test`, two classes, `count` each.
pub fn small_set(count: usize) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for split in ["train", "test"] {
        for (class, shift) in [("bright", 40), ("dark", 0)] {
            let path = folder.path().join(split).join(class);
            std::fs::create_dir_all(&path).unwrap();
            for i in 0..count {
                let mut image = test_image(40 + i as u32, 37);
                image.pixels_mut().for_each(|p| p.0 = p.0.map(|v| v / 2 + 2 * shift));
                image.save(path.join(format!("{i:03}.png"))).unwrap();
            }
        }
    }
    folder
}

/// The photographs that a developer may have beside the project.
pub fn photographs() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/hotdog");
    let found = folder.join("test/hotdog").is_dir();
    if !found {
        report::skipped_here(&format!("there are no photographs at {}", folder.display()));
    }
    found.then_some(folder)
}

/// The test `name`, `module::function`, again, in a process of its own, where `in_child()` is true.
pub fn child(name: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", name, "--nocapture", "--test-threads=1"]);
    for variable in ["D2L_DATA_DIR", "D2L_MIRROR", "D2L_OFFLINE", "D2L_TIMEOUT"] {
        command.env_remove(variable);
    }
    // As `cargo d2l test` has it: see `crate_tests` there.
    command.env("OMP_WAIT_POLICY", "passive");
    command.env("D2L_TEST_CHILD", name);
    command
}

/// Runs the test again with these variables and returns what it printed.
pub fn run_in_child(name: &str, variables: &[(&str, &Path)]) -> String {
    let output = child(name).envs(variables.iter().copied()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("running 1 test"), "there is no test {name}");
    text
}

/// Runs this test again with these folders for data and for the cache.
pub fn run_with_data(name: &str, offline: &str, data: &Path, cache: &Path) -> String {
    let variables = [
        ("D2L_DATA_DIR", data),
        ("XDG_CACHE_HOME", cache),
        ("HOME", cache),
        ("D2L_OFFLINE", Path::new(offline)),
    ];
    run_in_child(name, &variables)
}

/// Whether this process was started by `run_in_child` for the test `name`.
pub fn in_child(name: &str) -> bool {
    std::env::var("D2L_TEST_CHILD").is_ok_and(|value| value == name)
}
