//! `cargo d2l doctor`: what is installed, what is missing, and how to fix it.

mod data;
mod installed;
mod machine;
mod tools;

use std::process::ExitCode;

use console::style;
use d2l_common::folders::Folders;

use crate::project::Project;
use crate::{output, setup};

/// The state of a thing.
#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    Good,
    /// Not there, and the lesson runs without it.
    Absent,
    Bad,
}

use State::{Absent, Bad, Good};

const RUN_SETUP: &str = "run `cargo d2l setup`";
/// The set-up makes an environment only if there is none.
const MAKE_ANEW: &str = "remove .venv and run `cargo d2l setup`";

/// Prints a line for each thing. The exit status is 1 if something is missing, else 0.
pub fn doctor(project: &Project) -> ExitCode {
    let (text, status) = diagnosis(&rows(project));
    output::result(text);
    status
}

fn diagnosis(rows: &[Row]) -> (String, ExitCode) {
    let mut lines = vec![];
    for (name, (state, text)) in rows {
        let mark = match state {
            Good => style("ok     ").green(),
            Absent => style("absent ").yellow(),
            Bad => style("MISSING").red(),
        };
        lines.push(format!("{mark}  {name:<19} {}\n", text.replace('\n', " ")));
    }
    let missing = rows.iter().filter(|(_, (state, _))| *state == Bad).count();
    let (end, status) = match missing {
        0 => ("Everything the lesson needs is installed.".into(), ExitCode::SUCCESS),
        n => (format!("{n} missing; the end of a line says how to fix it."), ExitCode::FAILURE),
    };
    (lines.concat() + "\n" + &end, status)
}

type Row = (&'static str, (State, String));

fn rows(project: &Project) -> [Row; 13] {
    let folders = Folders::of_this_user();
    let compiler = setup::wrapper::compiler(std::env::var_os("CXX"));
    [
        ("Rust", tools::rust()),
        ("C++ compiler", tools::compiler(&compiler)),
        ("Python", tools::python(project)),
        ("torch", installed::torch(project)),
        ("tch's wrapper", installed::wrapper(project)),
        ("kernel", installed::kernel(project)),
        ("warm build", installed::warm_build(project)),
        ("CUDA", machine::cuda(project)),
        ("bfloat16", machine::bf16()),
        ("hot dogs", data::hotdogs(&folders)),
        ("ResNet-18 weights", data::resnet_weights(&folders)),
        ("EfficientNet-Lite0", installed::efficientnet_weights(project)),
        ("disk", machine::disk(project, setup::disk::free_space(&project.root))),
    ]
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use super::*;
    use crate::process;

    /// A project's folder with nothing in it.
    pub fn project() -> (tempfile::TempDir, Project) {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().to_path_buf();
        (folder, Project { root })
    }

    pub fn write(path: PathBuf, text: &str) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// A program in the place of .venv/bin/python. A process of its own writes it: were it open here
    /// while another test starts a program, it could not be run.
    pub fn fake_python(project: &Project, script: &str) {
        let path = project.python();
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let make = "printf '#!/bin/sh\n%s\n' \"$1\" > \"$0\" && chmod +x \"$0\"";
        let status = process::command("sh").args(["-c", make]).arg(path).arg(script).status();
        assert!(status.unwrap().success());
    }

    #[track_caller]
    pub fn check(row: (State, String), state: State, words: &[&str]) {
        for word in words {
            assert!(row.1.contains(word), "{word:?} is not in {row:?}");
        }
        assert_eq!(row.0, state, "{row:?}");
    }

    /// C28: scripts go by the exit status.
    #[test]
    fn the_status_is_1_if_something_is_missing() {
        let rows = |states: &[State]| -> Vec<Row> {
            states.iter().map(|&state| ("a thing", (state, "as it is\n  do this".into()))).collect()
        };
        for states in [&[Good, Good][..], &[Absent, Good, Absent], &[]] {
            let (text, status) = diagnosis(&rows(states));
            assert!(text.ends_with("\nEverything the lesson needs is installed."), "{text}");
            assert_eq!(status, ExitCode::SUCCESS);
        }
        for (states, count) in [(&[Bad][..], 1), (&[Good, Bad, Absent, Bad, Good], 2)] {
            let (text, status) = diagnosis(&rows(states));
            assert!(text.contains(&format!("\n{count} missing; ")), "{text}");
            assert_eq!(status, ExitCode::FAILURE);
            // A row is a line.
            assert_eq!(text.lines().count(), states.len() + 2);
        }
    }

    #[test]
    fn of_an_empty_project_all_that_the_set_up_makes_is_missing() {
        let (_folder, project) = project();
        let rows = rows(&project);
        let state = |name: &str| rows.iter().find(|row| row.0 == name).unwrap().1.clone();
        for name in
            ["Python", "torch", "tch's wrapper", "kernel", "warm build", "EfficientNet-Lite0"]
        {
            let (state, text) = state(name);
            assert_eq!(state, Bad, "{name}: {text}");
            assert!(text.contains("cargo d2l setup") || name == "Python", "{name}: {text}");
        }
        check(state("CUDA"), Absent, &["not known without libtorch"]);
        assert_eq!(diagnosis(&rows).1, ExitCode::FAILURE);
    }
}
