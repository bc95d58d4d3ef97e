//! `cargo d2l report`: what the crate's tests have compared and refused, as tables in docs/.
//!
//! Tests note each comparison with the reference and each bad input (tests/common/report.rs) in the
//! folder that `D2L_REPORT_DIR` names.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::doctor::multiplies_bf16;
use crate::project::Project;

const BEGIN: &str = "<!-- written by `cargo d2l report` -->\n";
const END: &str = "<!-- end -->\n";

/// The crate's tests, doc tests among them; they note what they did.
pub fn crate_tests(project: &Project) -> Result<Command> {
    let folder = folder(project);
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    let mut tests = project.cargo();
    tests.args(["test", "--locked"]).env("D2L_REPORT_DIR", folder);
    for variable in ["D2L_OFFLINE", "D2L_DATA_DIR", "D2L_MAX_EPOCHS", "D2L_DATASET_LIMIT"] {
        tests.env_remove(variable);
    }
    Ok(tests)
}

/// Runs the tests and writes the tables.
pub fn report(project: &Project) -> Result<()> {
    if !crate_tests(project)?.status().context("cannot start cargo")?.success() {
        bail!("a test failed; see above");
    }
    for (document, table) in tables(project)? {
        let path = project.path(document);
        let text = fs::read_to_string(&path)?;
        let parts = text.split_once(BEGIN).and_then(|(before, rest)| {
            let (_, after) = rest.split_once(END)?;
            Some((before, after))
        });
        let (before, after) = parts.with_context(|| format!("{document} has no place for it"))?;
        fs::write(path, format!("{before}{BEGIN}{table}{END}{after}"))?;
        println!("{document}: written");
    }
    Ok(())
}

/// How much the tests have done; an error if docs/ does not name all of it.
pub fn check(project: &Project) -> Result<()> {
    let sum = |kind: &str| -> Result<(usize, u64)> {
        let rows = rows(project, kind)?;
        let cases = rows.iter().map(|row| row["cases"].as_u64().unwrap_or(1)).sum();
        Ok((rows.len(), cases))
    };
    let (comparisons, cases) = sum("compared")?;
    eprintln!(
        "{comparisons} comparisons with the reference, {cases} cases, all within their bounds"
    );
    eprintln!("{} bad inputs, each with an error that says what to do", sum("refused")?.1);
    eprintln!("{} inputs that fuzzers have kept", sum("fuzzed")?.1);
    for (document, table) in tables(project)? {
        let text = fs::read_to_string(project.path(document))?;
        // Figures differ from one machine to the next; what was tried does not.
        let first = |line: &str| line.split(" | ").next().unwrap_or_default().to_string();
        let mut named = table.lines().filter(|line| line.starts_with("| ")).map(first);
        let missing = named.find(|row| !text.contains(row.as_str()));
        if let Some(row) = missing {
            bail!("{document} has no row {row:?}\n  what to do: run `cargo d2l report`");
        }
    }
    Ok(())
}

fn folder(project: &Project) -> PathBuf {
    project.path("target/report")
}

/// The documents and their tables.
fn tables(project: &Project) -> Result<[(&'static str, String); 2]> {
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
    let mut robustness = "| what | what the reader sees |\n| --- | --- |\n".to_string();
    for row in rows(project, "refused")? {
        let text = row["text"].as_str().unwrap_or_default();
        let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        let text = text.replace('|', "\\|").replace('*', "\\*").replace('\n', "<br>");
        robustness += &format!("| {} | {text} |\n", row["what"].as_str().unwrap_or_default());
    }
    Ok([("docs/correctness.md", correctness), ("docs/robustness.md", robustness)])
}

/// The notes of a kind, by test file and name; of one name the first by its text.
fn rows(project: &Project, kind: &str) -> Result<Vec<Value>> {
    let path = folder(project).join(kind).with_extension("jsonl");
    let text = fs::read_to_string(&path).with_context(|| format!("no {}", path.display()))?;
    let mut rows = BTreeMap::new();
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    for line in lines {
        let row: Value = serde_json::from_str(line)?;
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
    let bfloat16 = if multiplies_bf16() { ", bfloat16" } else { "" };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    format!("{cores} cores, {model}{bfloat16}")
}
