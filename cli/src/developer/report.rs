//! `cargo d2l report`: tables in docs/ of what the crate's tests compared and which inputs they refused.
//!
//! Tests record each comparison with the reference, each bad input and each skipped test
//! (tests/it/common/report.rs) in the folder that [`REPORT_DIR`] names.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use d2l_common::hardware::cpu_multiplies_bf16;
use d2l_common::variables::{DATA_DIR, DATASET_LIMIT, MAX_EPOCHS, OFFLINE, REPORT_DIR};
use serde_json::Value;

use crate::output;
use crate::process::visibly;
use crate::project::Project;

const END: &str = "<!-- end -->\n";

/// A table in a document, between a line that names it and `END`.
struct Table {
    document: &'static str,
    name: &'static str,
    text: String,
}

impl Table {
    fn begin(&self) -> String {
        format!("<!-- {}, written by `cargo d2l report` -->\n", self.name)
    }
}

/// The crate's tests, including doc tests; they record what they did.
pub fn crate_tests(project: &Project) -> Result<Command> {
    let folder = folder(project);
    if folder.exists() {
        fs::remove_dir_all(&folder)
            .with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    let mut tests = project.cargo();
    tests.args(["test", "--locked"]).env(REPORT_DIR, folder);
    // libtorch's threads spin while they wait, and several tests run at a time: on two cores they would
    // take most of the time from each other.
    tests.env("OMP_WAIT_POLICY", "passive");
    for variable in [OFFLINE, DATA_DIR, MAX_EPOCHS, DATASET_LIMIT] {
        tests.env_remove(variable);
    }
    Ok(tests)
}

/// Runs the tests and writes the tables.
pub fn report(project: &Project) -> Result<()> {
    visibly(&mut crate_tests(project)?, "a test failed")?;
    for document in write(project)? {
        output::result(format!("{document}: written"));
    }
    let skipped = skipped(project)?;
    skipped.iter().for_each(|test| output::note(format!("skipped: {test}")));
    output::note(format!("{} skipped", skipped.len()));
    Ok(())
}

/// Writes the tables into their documents, and returns what was written.
fn write(project: &Project) -> Result<Vec<String>> {
    let mut written = vec![];
    for table in tables(project)? {
        let (path, begin) = (project.path(table.document), table.begin());
        let text = read(&path)?;
        let parts = text.split_once(&begin).and_then(|(before, rest)| {
            let (_, after) = rest.split_once(END)?;
            Some((before, after))
        });
        let (before, after) =
            parts.with_context(|| format!("{} has no place for {}", table.document, table.name))?;
        fs::write(&path, format!("{before}{begin}{}{END}{after}", table.text))
            .with_context(|| format!("cannot write {}", path.display()))?;
        written.push(format!("{}, {}", table.document, table.name));
    }
    Ok(written)
}

/// Prints how much the tests did; an error if docs/ does not list all of it.
pub fn check(project: &Project) -> Result<()> {
    done(project)?.iter().for_each(output::note);
    all_is_named(project)
}

fn done(project: &Project) -> Result<[String; 4]> {
    let sum = |kind: &str| -> Result<(usize, u64)> {
        let rows = rows(project, kind)?;
        let cases = rows.iter().map(|row| row["cases"].as_u64().unwrap_or(1)).sum();
        Ok((rows.len(), cases))
    };
    let (comparisons, cases) = sum("compared")?;
    Ok([
        format!(
            "{comparisons} comparisons with the reference, {cases} cases, all within their bounds"
        ),
        format!("{} bad inputs, each with an error that says what to do", sum("refused")?.1),
        format!("{} mistakes of beginners, likewise", sum("mistake")?.1),
        format!("{} inputs saved by the fuzzers", sum("fuzzed")?.1),
    ])
}

/// The documents must have a row for each record. Numbers are not compared: they differ between machines.
fn all_is_named(project: &Project) -> Result<()> {
    for Table { document, text: table, .. } in tables(project)? {
        let text = read(&project.path(document))?;
        let first = |line: &str| line.split(" | ").next().unwrap_or_default().to_string();
        let mut named = table.lines().filter(|line| line.starts_with("| ")).map(first);
        let missing = named.find(|row| !text.contains(row.as_str()));
        if let Some(row) = missing {
            bail!("{document} has no row {row:?}\n  what to do: run `cargo d2l report`");
        }
    }
    Ok(())
}

/// The tests that this machine could not run, and why: Cargo counts them as passed.
pub fn skipped(project: &Project) -> Result<Vec<String>> {
    let rows = match notes(project, "skipped").exists() {
        true => rows(project, "skipped")?,
        false => vec![],
    };
    let text = |value: &Value| value.as_str().unwrap_or_default().to_string();
    let line = |row: &Value| {
        format!("{}::{}: {}", text(&row["part"]), text(&row["what"]), text(&row["why"]))
    };
    Ok(rows.iter().map(line).collect())
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

fn folder(project: &Project) -> PathBuf {
    project.path("target/report")
}

/// The file into which tests write records of a kind.
fn notes(project: &Project, kind: &str) -> PathBuf {
    folder(project).join(kind).with_extension("jsonl")
}

fn tables(project: &Project) -> Result<[Table; 3]> {
    let mut correctness = format!(
        "Made on a machine with {}.\n\n| what | cases | largest difference | allowed \
         |\n| --- | --- | --- | --- |\n",
        processor()
    );
    for row in rows(project, "compared")? {
        let number = |name: &str| {
            let value = row[name].as_f64().unwrap_or_default();
            let text = if value == 0. || (0.001..1e6).contains(&value) {
                let text = format!("{value:.4}");
                text.trim_end_matches('0').trim_end_matches('.').to_string()
            } else {
                format!("{value:.1e}")
            };
            format!("{text} {}", row["unit"].as_str().unwrap_or_default()).trim().to_string()
        };
        let what = row["what"].as_str().unwrap_or_default();
        let (largest, allowed) = (number("largest"), number("allowed"));
        correctness += &format!("| {what} | {} | {largest} | {allowed} |\n", row["cases"]);
    }
    let robustness = "docs/robustness.md";
    let messages = |kind, head: &str| -> Result<String> {
        let mut table = format!("| {head} | what the reader sees |\n| --- | --- |\n");
        for row in rows(project, kind)? {
            let text = row["text"].as_str().unwrap_or_default();
            let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
            let text = text.replace('|', "\\|").replace('*', "\\*").replace('\n', "<br>");
            table += &format!("| {} | {text} |\n", row["what"].as_str().unwrap_or_default());
        }
        Ok(table)
    };
    Ok([
        Table { document: "docs/correctness.md", name: "comparisons", text: correctness },
        Table { document: robustness, name: "mistakes", text: messages("mistake", "mistake")? },
        Table { document: robustness, name: "bad input", text: messages("refused", "what")? },
    ])
}

/// The records of a kind, sorted by test file and name; of several with one name, the first.
fn rows(project: &Project, kind: &str) -> Result<Vec<Value>> {
    let path = notes(project, kind);
    let text = read(&path)?;
    let mut rows = BTreeMap::new();
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    for line in lines {
        let row: Value = serde_json::from_str(line)
            .with_context(|| format!("{} has the line {line:?}", path.display()))?;
        let key = [&row["part"], &row["what"]].map(|part| part.as_str().unwrap_or("").to_string());
        rows.entry(key).or_insert(row);
    }
    Ok(rows.into_values().collect())
}

fn processor() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with("model name"));
    let model = line.and_then(|line| line.split_once(": ")).map(|(_, model)| model);
    let model = model.unwrap_or(std::env::consts::ARCH);
    let bfloat16 = if cpu_multiplies_bf16() { ", bfloat16" } else { "" };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    format!("{cores} cores, {model}{bfloat16}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A project with both documents and these records of tests.
    fn project(notes: &[(&str, &str)]) -> (tempfile::TempDir, Project) {
        let folder = tempfile::tempdir().unwrap();
        let project = Project { root: folder.path().to_path_buf() };
        fs::create_dir_all(project.path("target/report")).unwrap();
        fs::create_dir_all(project.path("docs")).unwrap();
        let table = |name| {
            let table = Table { document: "", name, text: String::new() };
            format!("before\n{}old\n{END}after\n", table.begin())
        };
        fs::write(project.path("docs/correctness.md"), table("comparisons")).unwrap();
        let tables = table("mistakes") + &table("bad input");
        fs::write(project.path("docs/robustness.md"), tables).unwrap();
        for (kind, text) in notes {
            fs::write(super::notes(&project, kind), text).unwrap();
        }
        (folder, project)
    }

    const COMPARED: &str = r#"{"part":"b","what":"crops","cases":3,"unit":"","largest":0.25,"allowed":1.0}
{"part":"a","what":"losses","cases":40,"unit":"of the largest","largest":1.5e-7,"allowed":0.0001}
{"part":"b","what":"crops","cases":3,"unit":"","largest":0.25,"allowed":1.0}
"#;
    const REFUSED: &str = r#"{"part":"image","what":"a cut file","text":"a.png: <cut> | *one* & all\n  what to do: fetch it again"}
"#;
    const ALL: [(&str, &str); 4] = [
        ("compared", COMPARED),
        ("refused", REFUSED),
        ("mistake", r#"{"part":"mistakes","what":"a wrong path","text":"trian: not there"}"#),
        ("fuzzed", r#"{"part":"fuzz_corpus","what":"zip","cases":12}"#),
    ];

    #[test]
    fn what_tests_have_noted_becomes_tables() {
        let (_folder, project) = project(&ALL);
        write(&project).unwrap();
        let text = fs::read_to_string(project.path("docs/correctness.md")).unwrap();
        assert!(text.starts_with("before\n") && text.ends_with("after\n") && !text.contains("old"));
        // By the test file, each once
        let rows: Vec<&str> = text.lines().filter(|line| line.starts_with("| ")).collect();
        let losses = "| losses | 40 | 1.5e-7 of the largest | 1.0e-4 of the largest |";
        assert_eq!(rows[2..], [losses, "| crops | 3 | 0.25 | 1 |"]);
        let text = fs::read_to_string(project.path("docs/robustness.md")).unwrap();
        let row = r"| a cut file | a.png: &lt;cut&gt; \| \*one\* &amp; all<br>  what to do: fetch it again |";
        assert!(text.contains(row), "{text}");
        assert!(
            text.contains("mistakes, written by `cargo d2l report` -->\n| mistake |"),
            "{text}"
        );
        assert!(text.contains("| a wrong path | trian: not there |"), "{text}");
        all_is_named(&project).unwrap();
        let done = done(&project).unwrap().join("\n");
        for part in ["2 comparisons", "43 cases", "1 bad inputs", "1 mistakes", "12 inputs"] {
            assert!(done.contains(part), "{part}: {done}");
        }
    }

    #[test]
    fn a_document_that_does_not_name_all_is_refused() {
        let (_folder, project) = project(&ALL);
        let error = all_is_named(&project).unwrap_err().to_string();
        assert!(error.contains("docs/correctness.md has no row"), "{error}");
        assert!(error.contains("what to do: run `cargo d2l report`"), "{error}");
        write(&project).unwrap();
        let other = COMPARED.replace("crops", "crops of another kind");
        fs::write(notes(&project, "compared"), other).unwrap();
        let error = all_is_named(&project).unwrap_err().to_string();
        assert!(error.contains("crops of another kind"), "{error}");
        // Numbers may differ.
        fs::write(notes(&project, "compared"), COMPARED.replace("0.25", "0.5")).unwrap();
        all_is_named(&project).unwrap();
        fs::write(project.path("docs/robustness.md"), "no marks").unwrap();
        let error = write(&project).unwrap_err().to_string();
        assert_eq!(error, "docs/robustness.md has no place for mistakes");
    }

    #[test]
    fn notes_that_cannot_be_read_are_named() {
        for (notes, named) in [
            (vec![], "report/compared.jsonl"),
            (vec![("compared", COMPARED)], "report/mistake.jsonl"),
            (
                vec![("compared", "{\"what\": "), ("refused", REFUSED)],
                "report/compared.jsonl has the line",
            ),
        ] {
            let (_folder, project) = project(&notes);
            let error = format!("{:#}", write(&project).unwrap_err());
            assert!(error.contains(named), "{error}");
            assert!(all_is_named(&project).is_err());
            assert!(done(&project).is_err());
        }
    }

    /// Cargo hides the output of tests that pass, and skipped ones count as passed.
    #[test]
    fn what_was_skipped_is_told() {
        let notes = r#"{"part":"gpu","what":"two_gpus","why":"this machine has no GPU"}
{"part":"download","what":"a_full_disk","why":"this user cannot mount a disk"}
{"part":"gpu","what":"one_gpu","why":"this machine has no GPU"}
{"part":"gpu","what":"two_gpus","why":"this machine has no GPU"}
"#;
        let (_folder, project) = project(&[("skipped", notes)]);
        let expected = [
            "download::a_full_disk: this user cannot mount a disk",
            "gpu::one_gpu: this machine has no GPU",
            "gpu::two_gpus: this machine has no GPU",
        ];
        assert_eq!(skipped(&project).unwrap(), expected);
        // Nothing was skipped, or nothing recorded.
        fs::remove_file(super::notes(&project, "skipped")).unwrap();
        assert!(skipped(&project).unwrap().is_empty());
        fs::remove_dir_all(project.path("target")).unwrap();
        assert!(skipped(&project).unwrap().is_empty());
    }

    #[test]
    fn each_run_begins_with_no_notes() {
        let (_folder, project) = project(&ALL);
        let tests = crate_tests(&project).unwrap();
        assert!(!folder(&project).exists());
        let value =
            |name: &str| tests.get_envs().find(|(key, _)| *key == name).map(|(_, value)| value);
        assert_eq!(value("D2L_REPORT_DIR"), Some(Some(folder(&project).as_os_str())));
        assert_eq!(value("D2L_OFFLINE"), Some(None));
        // Also where there are none yet
        crate_tests(&project).unwrap();
    }
}
