//! What the machine has: a GPU, bfloat16, space on the disk.

use d2l_common::hardware::cpu_multiplies_bf16;

use super::RUN_SETUP;
use super::State::{self, Absent, Bad, Good};
use crate::project::Project;
use crate::setup;

/// Asks the libtorch that cells use, through PyTorch.
pub fn cuda(project: &Project) -> (State, String) {
    let output = project.script("cuda_report.py").output();
    match output {
        Ok(output) if output.status.success() => {
            let text = String::from_utf8_lossy(&output.stdout).trim().to_string();
            let state = if text.starts_with("usable") { Good } else { Absent };
            (state, text)
        }
        _ => (Absent, format!("not known without torch: {RUN_SETUP}")),
    }
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
    fn cuda_is_as_torch_says() {
        let (_folder, project) = project();
        check(cuda(&project), Absent, &["not known"]);
        fake_python(&project, "echo 'usable: a GPU; CUDA 13.0, bfloat16'");
        check(cuda(&project), Good, &["usable: a GPU"]);
        fake_python(&project, "echo 'absent: this torch was built without CUDA'");
        check(cuda(&project), Absent, &["built without CUDA"]);
        fake_python(&project, "echo usable; exit 1");
        check(cuda(&project), Absent, &["not known without torch", "cargo d2l setup"]);
    }

    #[test]
    fn before_the_set_up_the_disk_needs_more_space() {
        let (_folder, project) = project();
        check(disk(&project, Some(13_000_000_000)), Good, &["13.0 GB free"]);
        let words = ["5.0 GB free", "12 GB are needed", "free some space"];
        check(disk(&project, Some(5_000_000_000)), Bad, &words);
        fake_python(&project, "exit");
        check(disk(&project, Some(5_000_000_000)), Good, &["5.0 GB free"]);
        check(disk(&project, Some(1_500_000_000)), Bad, &["1.5 GB free", "2 GB are needed"]);
        check(disk(&project, Some(0)), Bad, &["0.0 GB free"]);
        check(disk(&project, None), Absent, &["not known"]);
    }
}
