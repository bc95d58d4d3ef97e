//! What was run, how long it took, and what was skipped.

use std::process::{Command, Output};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use anyhow::{Result, bail};

use super::Part;
use crate::output;
use crate::process::{captured, watched};

pub struct Log {
    start: Instant,
    steps: Mutex<Vec<Step>>,
    skipped: Mutex<Vec<String>>,
}

struct Step {
    part: Part,
    name: String,
    passed: bool,
    seconds: f64,
}

impl Default for Log {
    fn default() -> Log {
        Log { start: Instant::now(), steps: Mutex::default(), skipped: Mutex::default() }
    }
}

impl Log {
    /// Runs a step of a part, a command that prints for itself.
    pub fn run(&self, part: Part, name: &str, mut command: Command) -> Result<()> {
        output::note(format!("== {}, {name}", part.name()));
        let start = Instant::now();
        let result = watched(&mut command, &format!("{}, {name}: failed", part.name()));
        self.add(part, name, result.is_ok(), start);
        self.skipped(part, skips(&result?));
        Ok(())
    }

    /// The same for a step that runs beside another: its output is printed when it has ended.
    pub fn run_in_background(&self, part: Part, name: &str, mut command: Command) -> Result<()> {
        let start = Instant::now();
        let Output { status, stdout, stderr } = captured(&mut command)?;
        self.add(part, name, status.success(), start);
        let text = [stdout, stderr].concat();
        let text = String::from_utf8_lossy(&text);
        let seconds = start.elapsed().as_secs_f64();
        let shown = format!("== {}, {name}: {seconds:.1} s\n{text}", part.name());
        self.skipped(part, skips(&text));
        if !status.success() {
            output::error(shown);
            bail!("{}, {name}: failed; see above", part.name());
        }
        output::note(shown);
        Ok(())
    }

    fn add(&self, part: Part, name: &str, passed: bool, start: Instant) {
        let seconds = start.elapsed().as_secs_f64();
        lock(&self.steps).push(Step { part, name: name.into(), passed, seconds });
    }

    /// Records skipped tests, each with the reason.
    pub fn skipped(&self, part: Part, tests: Vec<String>) {
        let tests = tests.into_iter().map(|test| format!("{}, {test}", part.name()));
        lock(&self.skipped).extend(tests);
    }

    /// A table of all steps with their times, and a list of what was skipped.
    pub fn summary(&self) -> String {
        let (mut steps, skipped) = (lock(&self.steps), lock(&self.skipped));
        // Steps that ran side by side ended in any order.
        steps.sort_by_key(|step| step.part);
        let width = steps.iter().map(|step| step.name.chars().count()).max().unwrap_or(0);
        let row = |part: &str, name: &str, seconds: f64, result: &str| {
            format!("{part:<9}  {name:<width$}  {seconds:>7.1} s  {result}").trim_end().to_string()
        };
        let rows = steps.iter().map(|step| {
            let result = if step.passed { "passed" } else { "FAILED" };
            row(&step.part.name(), &step.name, step.seconds, result)
        });
        let all = row("all", "", self.start.elapsed().as_secs_f64(), "");
        let count =
            format!("{} skipped{}", skipped.len(), if skipped.is_empty() { "" } else { ":" });
        let skipped = skipped.iter().map(|test| format!("  {test}"));
        let lines = rows.chain([all, String::new(), count]).chain(skipped);
        lines.collect::<Vec<_>>().join("\n")
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The skipped tests in an output: Cargo's ignored ones, those of Python's unittest, and lines that
/// begin with `skipped: `.
fn skips(output: &str) -> Vec<String> {
    let skip = |line: &str| {
        if let Some(test) = line.strip_prefix("skipped: ") {
            return Some(test.to_string());
        }
        if let Some(test) = line.strip_prefix("test ") {
            let (name, reason) = test.split_once(" ... ignored")?;
            return Some(format!("{name}: {}", reason.strip_prefix(", ").unwrap_or("ignored")));
        }
        let (name, reason) = line.split_once(" ... skipped ")?;
        Some(format!("{name}: {}", reason.trim_matches(['\'', '"'])))
    };
    output.lines().filter_map(skip).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::command;

    fn shell(script: &str) -> Command {
        let mut shell = command("sh");
        shell.args(["-c", script]);
        shell
    }

    #[test]
    fn skipped_tests_are_found_in_what_is_printed() {
        let cargo = "running 3 tests\n\
                     test gpu::two_gpus ... ignored, needs two GPUs\n\
                     test src/lib.rs - Net (line 3) ... ignored\n\
                     test tests::nothing_is_ignored ... ok\n\
                     test result: ok. 1 passed; 0 failed; 2 ignored; 0 measured\n";
        let expected = ["gpu::two_gpus: needs two GPUs", "src/lib.rs - Net (line 3): ignored"];
        assert_eq!(skips(cargo), expected);
        let unittest = "test_stop (test_stop.Stop.test_stop) ... ok\n\
                        test_suite (test_suite.Suite.test_suite) ... skipped 'no suite here'\n\
                        setUpClass (test_speed.Speed) ... skipped \"it isn't built\"\n\n\
                        OK (skipped=2)\n";
        let expected = [
            "test_suite (test_suite.Suite.test_suite): no suite here",
            "setUpClass (test_speed.Speed): it isn't built",
        ];
        assert_eq!(skips(unittest), expected);
        assert_eq!(
            skips("skipped: JupyterLab: no Chromium\nnothing skipped: here\n"),
            ["JupyterLab: no Chromium"]
        );
    }

    #[test]
    fn the_summary_has_all_steps_and_all_that_was_skipped() {
        let log = Log::default();
        log.run_in_background(Part::Site, "pages", shell("echo 'skipped: a page: no browser'"))
            .unwrap();
        log.run(Part::Format, "rustfmt", shell("true")).unwrap();
        let error = log.run(Part::Cli, "tests", shell("exit 3")).unwrap_err();
        assert_eq!(error.to_string(), "cli, tests: failed; see above");
        assert!(log.run_in_background(Part::Cli, "more", shell("exit 1")).is_err());
        log.skipped(Part::Crate, vec!["gpu::one_gpu: no GPU".into()]);
        let summary = log.summary();
        let lines: Vec<Vec<&str>> =
            summary.lines().map(|line| line.split_whitespace().collect()).collect();
        let first: Vec<_> = lines.iter().filter_map(|line| line.first().copied()).collect();
        assert_eq!(first[..5], ["format", "cli", "cli", "site", "all"]);
        let last = |row: usize| *lines[row].last().unwrap();
        assert_eq!([last(0), last(1), last(2), last(3)], ["passed", "FAILED", "FAILED", "passed"]);
        let skipped = "\n\n2 skipped:\n  site, a page: no browser\n  crate, gpu::one_gpu: no GPU";
        assert!(summary.ends_with(skipped), "{summary}");
        assert!(Log::default().summary().ends_with("\n\n0 skipped"));
    }
}
