//! libtorch's CUDA half: whether there is an NVIDIA GPU that needs it, and whether it is to be installed.
//!
//! Nothing is linked with it: tch's wrapper loads it as a program starts, where there is a driver
//! (cuda_half.cpp). So it can be added to a finished set-up, and nothing is compiled again.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::{python_packages, torch_version};
use crate::project::Project;
use crate::{output, process};

/// What the file says in which the reader's wish is kept.
const CPU: &str = "cpu";
const CUDA: &str = "cuda";

/// What is to be trained on, if the reader has said so.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Processor {
    Cpu,
    Cuda,
}

/// What cuda_report.py has found.
#[derive(Debug, Default, PartialEq)]
pub struct Report {
    /// Whether there is an NVIDIA driver.
    pub driver: bool,
    /// The names of its GPUs.
    pub gpus: Vec<String>,
    /// The newest version of CUDA that the driver knows.
    pub cuda: String,
    /// Whether all GPUs multiply bfloat16.
    pub bf16: bool,
    /// Whether libtorch's CUDA half can be loaded.
    pub half: bool,
    /// The number of GPUs that libtorch can use.
    pub usable: i64,
    /// Why there is no GPU, or why the CUDA half cannot be loaded.
    pub reason: String,
}

impl Report {
    fn read(text: &str) -> Result<Report> {
        let value: Value =
            serde_json::from_str(text.trim()).with_context(|| format!("it printed {text:?}"))?;
        let string = |value: &Value| value.as_str().unwrap_or_default().to_string();
        Ok(Report {
            driver: value["driver"].as_bool().context("it says nothing of a driver")?,
            gpus: value["gpus"].as_array().into_iter().flatten().map(string).collect(),
            cuda: string(&value["cuda"]),
            bf16: value["bf16"].as_bool().unwrap_or_default(),
            half: value["half"].as_bool().unwrap_or_default(),
            usable: value["usable"].as_i64().unwrap_or_default(),
            reason: string(&value["reason"]),
        })
    }
}

/// Asks the driver, and with libtorch's folder also libtorch. Without a Python that is an error.
pub fn report(project: &Project, torch: Option<&Path>) -> Result<Report> {
    let mut script = project.script("cuda_report.py");
    script.args(torch.map(|torch| torch.join("lib")));
    let output = script.output().context("cannot start .venv/bin/python")?;
    if !output.status.success() {
        bail!("cuda_report.py: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Report::read(&String::from_utf8_lossy(&output.stdout)).context("cuda_report.py")
}

/// Keeps what the reader has said for the set-ups to come, `None` being that nothing new was said, and
/// returns what holds.
pub fn remembered(project: &Project, said: Option<Processor>) -> Result<Option<Processor>> {
    let file = file(project);
    if let Some(processor) = said {
        let name = if processor == Processor::Cpu { CPU } else { CUDA };
        fs::write(&file, name).with_context(|| format!("cannot write {}", file.display()))?;
    }
    if said == Some(Processor::Cpu) && python_packages::has_whole_torch(project) {
        output::note(
            "libtorch's CUDA half is installed and stays; to be rid of it, remove .venv first.",
        );
    }
    Ok(chosen(project))
}

/// What the reader has said, now or before.
pub fn chosen(project: &Project) -> Option<Processor> {
    match fs::read_to_string(file(project)).ok()?.trim() {
        CPU => Some(Processor::Cpu),
        CUDA => Some(Processor::Cuda),
        _ => None,
    }
}

fn file(project: &Project) -> PathBuf {
    project.share().join("processor")
}

/// Whether the CUDA half is to be installed: as the reader has said, else where there is a GPU.
pub fn is_wanted(project: &Project, chosen: Option<Processor>) -> bool {
    match chosen {
        Some(processor) => processor == Processor::Cuda,
        None if python_packages::has_whole_torch(project) => true,
        None => has_driver_files() && has_gpu(report(project, None)),
    }
}

/// Whether it may pay to ask the driver, which takes a start of Python.
fn has_driver_files() -> bool {
    // The second one is that of Windows' subsystem for Linux.
    let files = ["/proc/driver/nvidia", "/dev/dxg"];
    process::on_path("nvidia-smi") || files.iter().any(|path| Path::new(path).exists())
}

/// Says why not, where there is a driver.
fn has_gpu(report: Result<Report>) -> bool {
    match report {
        Ok(report) if !report.driver => false,
        Ok(report) if report.gpus.is_empty() => {
            output::note(format!(
                "An NVIDIA driver is here, but no GPU that it can use ({}): training runs on the CPU. \
                 `cargo d2l setup --cuda` installs libtorch's CUDA half all the same, `--cpu` ends this \
                 message.",
                report.reason
            ));
            false
        }
        Ok(report) => {
            output::note(format!(
                "{}: libtorch's CUDA half is needed, too (`cargo d2l setup --cpu` leaves it out).",
                report.gpus.join(", ")
            ));
            true
        }
        Err(error) => {
            output::note(format!(
                "Whether there is an NVIDIA GPU is not known ({error:#}): training runs on the CPU. \
                 `cargo d2l setup --cuda` installs libtorch's CUDA half all the same."
            ));
            false
        }
    }
}

/// The version of CUDA that torch was built with, from its version.py.
pub fn version(torch: &Path) -> Option<String> {
    let text = torch_version::text(torch).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("cuda"))?;
    let value = line.split_once("= ")?.1.trim_matches(['\'', '"']);
    (value != "None").then(|| value.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project() -> (tempfile::TempDir, Project) {
        let folder = tempfile::tempdir().unwrap();
        let project = Project { root: folder.path().to_path_buf() };
        fs::create_dir_all(project.share()).unwrap();
        (folder, project)
    }

    #[test]
    fn what_was_said_holds_until_something_else_is() {
        use Processor::{Cpu, Cuda};
        let (_folder, project) = project();
        for (said, holds) in [
            (None, None),
            (Some(Cuda), Some(Cuda)),
            (None, Some(Cuda)),
            (Some(Cpu), Some(Cpu)),
            (None, Some(Cpu)),
        ] {
            assert_eq!(remembered(&project, said).unwrap(), holds);
            assert_eq!(is_wanted(&project, holds), holds == Some(Cuda));
        }
        fs::write(file(&project), "tpu").unwrap();
        assert_eq!(chosen(&project), None);
        // What is there is kept up to date.
        fs::write(project.share().join("torch-packages.stamp"), "").unwrap();
        assert!(is_wanted(&project, None) && !is_wanted(&project, Some(Cpu)));
    }

    #[test]
    fn a_gpu_is_one_that_the_driver_lists() {
        let read = |text: &str| has_gpu(Report::read(text));
        assert!(!read(r#"{"driver": false}"#));
        assert!(!read(r#"{"driver": true, "gpus": [], "reason": "no device"}"#));
        assert!(read(r#"{"driver": true, "gpus": ["NVIDIA H100"], "cuda": "13.0", "bf16": true}"#));
        for torn in ["", "{}", "Traceback", r#"{"gpus": ["NVIDIA H100"]}"#] {
            assert!(Report::read(torn).is_err(), "{torn}");
            assert!(!read(torn));
        }
    }

    /// A driver that a C compiler makes of these lines, in a folder for the loader to find it in.
    fn fake_driver(lines: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("driver.c"), lines).unwrap();
        let mut compile = process::command("cc");
        compile.args(["-shared", "-fPIC", "-w", "-o", "libcuda.so.1", "driver.c"]);
        assert!(compile.current_dir(folder.path()).status().unwrap().success());
        folder
    }

    /// The script's report, with any Python: it needs nothing but the standard library.
    fn asked(driver: &tempfile::TempDir, torch: Option<&Path>) -> Report {
        let script = Project::find().unwrap().path("cli/python/cuda_report.py");
        let mut python = process::command("python3");
        python.arg(script).args(torch).env("LD_LIBRARY_PATH", driver.path());
        let output = python.output().unwrap();
        Report::read(&String::from_utf8_lossy(&output.stdout)).unwrap()
    }

    const GPUS: &str = "
        #include <string.h>
        int cuInit(int flags) { return 0; }
        int cuDriverGetVersion(int *version) { *version = 12020; return 0; }
        int cuDeviceGetCount(int *count) { *count = 2; return 0; }
        int cuDeviceGet(int *device, int place) { *device = place; return 0; }
        int cuDeviceGetName(char *name, int size, int device) {
            strcpy(name, device ? \"Second\" : \"First\"); return 0;
        }
        int cuDeviceGetAttribute(int *value, int which, int device) {
            *value = which == 75 ? 9 - 2 * device : -1; return 0;
        }";

    #[test]
    #[cfg(target_os = "linux")]
    fn the_driver_is_asked_without_torch() {
        let gpus = Report {
            driver: true,
            gpus: vec!["First".into(), "Second".into()],
            cuda: "12.2".into(),
            ..Report::default()
        };
        assert_eq!(asked(&fake_driver(GPUS), None), gpus);
        let newer = GPUS.replace("9 - 2 * device", "8");
        assert!(asked(&fake_driver(&newer), None).bf16);
        // Not installed
        let report = asked(&fake_driver(GPUS), Some(Path::new("/no/such/torch")));
        assert!(!report.half && report.reason.contains("libtorch_cuda.so"), "{report:?}");
        for (lines, reason) in [
            (
                "int cuInit(int flags) { return 100; }
              int cuGetErrorString(int status, char **text) { *text = \"no device\"; return 0; }",
                "no device",
            ),
            (
                "int cuInit(int flags) { return 999; }
              int cuGetErrorString(int status, char **text) { return 1; }",
                "cuInit returned 999",
            ),
            (&GPUS.replace("*count = 2", "*count = 0"), "it lists no device"),
            ("int nothing;", "cuInit"),
        ] {
            let report = asked(&fake_driver(lines), None);
            assert!(report.driver && report.gpus.is_empty(), "{report:?}");
            assert!(report.reason.contains(reason), "{reason}: {report:?}");
        }
        assert_eq!(asked(&tempfile::tempdir().unwrap(), None), Report::default());
    }

    #[test]
    fn the_version_of_cuda_is_read_from_torchs_own_file() {
        let folder = tempfile::tempdir().unwrap();
        let read = |text: &str| {
            fs::write(folder.path().join("version.py"), text).unwrap();
            version(folder.path())
        };
        let text = "__version__ = '2.13.0+cu130'\ncuda: Optional[str] = '13.0'\nhip = None\n";
        assert_eq!(read(text), Some("13.0".into()));
        assert_eq!(read("cuda: Optional[str] = None\n"), None);
        assert_eq!(read("nothing"), None);
    }
}
