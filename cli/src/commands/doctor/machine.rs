//! What the machine has: a GPU, bfloat16, space on the disk.

use d2l_common::hardware::cpu_multiplies_bf16;

use super::RUN_SETUP;
use super::State::{self, Absent, Bad, Good};
use crate::project::Project;
use crate::setup;
use crate::setup::cuda::{self, Processor, Report};

/// What the driver and libtorch's CUDA half say.
pub fn cuda(project: &Project) -> (State, String) {
    let torch = setup::torch_version::folder(project);
    let report = torch.and_then(|torch| {
        let needed = cuda::version(&torch);
        Ok((cuda::report(project, Some(&torch))?, needed))
    });
    match report {
        Ok((report, needed)) => told(&report, needed, cuda::chosen(project)),
        Err(_) => (Absent, format!("not known without libtorch: {RUN_SETUP}")),
    }
}

fn told(report: &Report, needed: Option<String>, chosen: Option<Processor>) -> (State, String) {
    let gpus = report.gpus.join(", ");
    let needed = needed.unwrap_or("another version".into());
    let text = match report {
        Report { driver: false, .. } => "no NVIDIA driver here; training runs on the CPU".into(),
        Report { gpus, reason, .. } if gpus.is_empty() => {
            format!("a driver is there, but no GPU ({reason}); training runs on the CPU")
        }
        Report { half: false, .. } if chosen == Some(Processor::Cpu) => format!(
            "{gpus} is not used, as the set-up was called with --cpu: `cargo d2l setup --cuda` \
             installs libtorch's CUDA half"
        ),
        Report { half: false, reason, .. } => format!(
            "{gpus} is there, but not libtorch's CUDA half ({reason}): run `cargo d2l setup --cuda`"
        ),
        Report { usable: ..=0, cuda, .. } => format!(
            "{gpus} is there, but libtorch cannot use it: its driver knows CUDA {cuda}, libtorch \
             has {needed}; update the driver if it is older"
        ),
        Report { bf16, .. } => {
            let bf16 = if *bf16 { "bfloat16" } else { "no bfloat16" };
            return (Good, format!("usable: {gpus}; CUDA {needed}, {bf16}"));
        }
    };
    (Absent, text)
}

pub fn bf16() -> (State, String) {
    match cpu_multiplies_bf16() {
        true => (Good, "this processor multiplies it: training is about twice as fast".into()),
        false => (Absent, "not on this processor: training uses f32".into()),
    }
}

pub fn disk(project: &Project, free: Option<u64>) -> (State, String) {
    let needed =
        if project.python().exists() { 2_000_000_000 } else { setup::environment::SPACE_NEEDED };
    let gigabytes = |bytes: u64| bytes as f64 / 1e9;
    match free {
        Some(free) if free < needed => {
            let (free, needed) = (gigabytes(free), gigabytes(needed));
            (Bad, format!("{free:.1} GB free, {needed:.0} GB are needed: free some space"))
        }
        Some(free) => (Good, format!("{:.1} GB free", gigabytes(free))),
        None => (Absent, "free space not known".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check, fake_python, project};
    use super::*;

    #[test]
    fn of_cuda_it_is_said_what_is_there_and_what_to_do() {
        let gpu = || Report {
            driver: true,
            gpus: vec!["NVIDIA A100".into(), "NVIDIA T4".into()],
            cuda: "12.2".into(),
            reason: "libcublas.so.13: cannot open".into(),
            ..Report::default()
        };
        let told = |report: &Report, chosen| told(report, Some("13.0".into()), chosen);
        check(told(&Report::default(), None), Absent, &["no NVIDIA driver", "on the CPU"]);
        let none = Report { gpus: vec![], reason: "no device".into(), ..gpu() };
        check(told(&none, None), Absent, &["no GPU (no device)", "on the CPU"]);
        let words = ["NVIDIA A100, NVIDIA T4", "libcublas.so.13", "run `cargo d2l setup --cuda`"];
        check(told(&gpu(), None), Absent, &words);
        check(told(&gpu(), Some(Processor::Cuda)), Absent, &words);
        let words = ["called with --cpu", "`cargo d2l setup --cuda`"];
        check(told(&gpu(), Some(Processor::Cpu)), Absent, &words);
        let old = Report { half: true, ..gpu() };
        let words = ["knows CUDA 12.2, libtorch has 13.0", "update the driver"];
        check(told(&old, None), Absent, &words);
        let usable = Report { usable: 2, half: true, ..gpu() };
        check(told(&usable, None), Good, &["usable: NVIDIA A100, NVIDIA T4; CUDA 13.0, no bf"]);
    }

    #[test]
    fn without_a_set_up_nothing_is_known_of_cuda() {
        let (_folder, project) = project();
        check(cuda(&project), Absent, &["not known without libtorch", "cargo d2l setup"]);
        std::fs::create_dir_all(project.path(".venv/lib/python3.12/site-packages/torch")).unwrap();
        fake_python(&project, "echo \"{\\\"driver\\\": false}\"");
        check(cuda(&project), Absent, &["no NVIDIA driver"]);
        fake_python(&project, "echo no JSON; exit 1");
        check(cuda(&project), Absent, &["not known without libtorch"]);
    }

    #[test]
    fn before_the_set_up_the_disk_needs_more_space() {
        let (_folder, project) = project();
        check(disk(&project, Some(13_000_000_000)), Good, &["13.0 GB free"]);
        let words = ["5.0 GB free", "6 GB are needed", "free some space"];
        check(disk(&project, Some(5_000_000_000)), Bad, &words);
        fake_python(&project, "exit");
        check(disk(&project, Some(5_000_000_000)), Good, &["5.0 GB free"]);
        check(disk(&project, Some(1_500_000_000)), Bad, &["1.5 GB free", "2 GB are needed"]);
        check(disk(&project, Some(0)), Bad, &["0.0 GB free"]);
        check(disk(&project, None), Absent, &["not known"]);
    }
}
