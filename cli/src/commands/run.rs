//! `cargo d2l run`: notebooks without a browser.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use d2l_common::variables::{DATASET_LIMIT, MAX_EPOCHS};

use crate::notebooks::{self, Language, Lesson, output_folder};
use crate::output;
use crate::process::visibly;
use crate::project::Project;

/// Executes notebooks on the kernel and writes the executed copies, with a page for each.
pub fn run(
    project: &Project,
    notebooks: &[PathBuf],
    epochs: Option<usize>,
    limit: Option<usize>,
) -> Result<()> {
    for notebook in notebooks {
        if epochs.is_none() && limit.is_none() {
            let lesson = Lesson::read(notebook);
            output::note(format!("{}: {}", lesson.title, lesson.takes()));
        }
        let mut command = command(project, notebook, epochs, limit)?;
        if output::is_quiet() {
            command.stdout(Stdio::null());
        }
        visibly(&mut command, &format!("{} failed", notebook.display()))?;
    }
    Ok(())
}

/// Prints the lessons in a language, with the time that each takes.
pub fn list(project: &Project, lang: Language) -> Result<()> {
    output::result(table(project, &notebooks::all_in(project, lang)?));
    Ok(())
}

fn table(project: &Project, notebooks: &[PathBuf]) -> String {
    let rows = notebooks.iter().map(|path| {
        let lesson = Lesson::read(path);
        [notebooks::name(project, path), lesson.takes(), lesson.title]
    });
    let rows: Vec<_> = rows.collect();
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let (names, times) = (width(0), width(1));
    let lines = rows.iter().map(|[name, takes, title]| {
        format!("{name:<names$}  {takes:<times$}  {title}").trim_end().to_string()
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The command that executes one notebook.
pub fn command(
    project: &Project,
    notebook: &Path,
    epochs: Option<usize>,
    limit: Option<usize>,
) -> Result<Command> {
    let folder = output_folder(project, notebook);
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("cannot make {}", folder.display()))?;
    let mut command = project.script("run_notebook.py");
    command.arg(notebook).arg(&folder);
    for (name, value) in [(MAX_EPOCHS, epochs), (DATASET_LIMIT, limit)] {
        if let Some(value) = value {
            command.env(name, value.to_string());
        }
    }
    Ok(command)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn lessons_are_listed_with_their_times() {
        let folder = tempfile::tempdir().unwrap();
        let project = Project { root: folder.path().to_path_buf() };
        let mut paths = vec![];
        for (name, text) in [
            ("a", r##"{"cells": [{"source": "# 初め"}], "metadata": {"d2l": {"seconds": 200}}}"##),
            ("ja/long_name", r##"{"cells": [{"source": "# Second"}]}"##),
            ("torn", ""),
        ] {
            let path = project.path(&format!("notebooks/{name}.ipynb"));
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, text).unwrap();
            paths.push(path);
        }
        let expected = "a             about 3 minutes   初め\n\
                        ja/long_name  not measured yet  Second\n\
                        torn          not measured yet";
        assert_eq!(table(&project, &paths), expected);
    }

    /// The result of `run_notebook.py` for a notebook with this content; nothing without a set-up.
    fn executed(name: &str, content: &[u8], stdout: Stdio) -> Option<(Option<i32>, String)> {
        let project = Project::find().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        fs::write(&path, content).unwrap();
        let mut command = project.script("run_notebook.py");
        // As in a locale that is not UTF-8
        command.env("LC_ALL", "C").env("PYTHONCOERCECLOCALE", "0");
        command.arg(&path).arg(folder.path()).stdout(stdout);
        let Ok(output) = command.output() else {
            output::result("skipped: run_notebook.py: there is no .venv; run `cargo d2l setup`");
            return None;
        };
        Some((output.status.code(), String::from_utf8(output.stderr).unwrap()))
    }

    #[test]
    fn a_file_that_is_no_notebook_in_rust_is_refused() {
        const UNREADABLE: &str = "is not a notebook that can be read";
        let whole = fs::read(Project::find().unwrap().path("notebooks/fine_tuning.ipynb")).unwrap();
        let python = br#"{"nbformat": 4, "nbformat_minor": 4, "metadata": {"kernelspec":
            {"language": "python", "name": "python3", "display_name": ""}}, "cells": [{"cell_type":
            "code", "metadata": {}, "source": "1", "outputs": [], "execution_count": null}]}"#;
        let empty = br#"{"nbformat": 4, "nbformat_minor": 4, "metadata": {}, "cells": []}"#;
        let newer = br#"{"nbformat": 99, "nbformat_minor": 0, "metadata": {}, "cells": []}"#;
        for (name, content, found) in [
            ("a list", &b"[]"[..], UNREADABLE),
            ("not UTF-8", b"{\"cells\": [\"caf\xe9\"]}", UNREADABLE),
            ("a file that was cut", &whole[..whole.len() / 2], UNREADABLE),
            ("a newer format", newer, UNREADABLE),
            ("in Python", python, "is a notebook in python, not in rust"),
            ("no cells, \u{e9}", empty, "has no cell with code"),
        ] {
            let Some((status, error)) = executed(name, content, Stdio::piped()) else { return };
            assert_eq!(status, Some(1), "{name}: {error}");
            assert!(error.contains(&format!("{name} {found}")), "{name}: {error}");
            assert!(
                error.contains("what to do") && !error.contains("Traceback"),
                "{name}: {error}"
            );
        }
    }

    /// `cargo d2l run | head`, before a kernel has been started
    #[test]
    fn nobody_who_reads_is_no_error_of_the_notebook() {
        let cells =
            br#"{"nbformat": 4, "nbformat_minor": 4, "metadata": {}, "cells": [{"cell_type":
            "code", "metadata": {}, "source": "1", "outputs": [], "execution_count": null}]}"#;
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let Some(end) = executed("a.ipynb", cells, writer.into()) else { return };
        assert_eq!(end, (Some(output::READER_GONE), String::new()));
    }
}
