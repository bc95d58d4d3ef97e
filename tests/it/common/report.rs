//! Notes for docs/correctness.md and docs/robustness.md, which `cargo d2l report` makes, and of what was
//! skipped.

use std::io::Write;
use std::path::PathBuf;

/// A comparison with the reference, case by case.
pub struct Comparison {
    what: &'static str,
    /// What a difference is counted in.
    unit: &'static str,
    allowed: f64,
    cases: usize,
    largest: f64,
}

impl Comparison {
    pub fn new(what: &'static str, unit: &'static str, allowed: f64) -> Comparison {
        Comparison { what, unit, allowed, cases: 0, largest: 0. }
    }

    /// A case, and by how much it differs.
    pub fn add(&mut self, case: &str, difference: f64) {
        let Comparison { what, unit, allowed, .. } = self;
        assert!(
            difference <= *allowed,
            "{what}, {case}: differs by {difference} {unit}, {allowed} is allowed"
        );
        self.cases += 1;
        self.largest = self.largest.max(difference);
    }
}

impl Drop for Comparison {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert!(self.cases > 0, "{}: no case", self.what);
            note(
                "compared",
                &serde_json::json!({
                    "what": self.what, "cases": self.cases, "unit": self.unit,
                    "largest": self.largest, "allowed": self.allowed,
                }),
            );
        }
    }
}

/// A bad input, and the error that the reader sees: it names its subject and says what to do.
pub fn refused(what: &str, named: &str, error: &impl std::fmt::Display) -> String {
    let text = helpful(what, named, error);
    seen(what, &text);
    text
}

/// A mistake that beginners make, and the error that they see, short enough to be read.
pub fn mistake(what: &str, named: &str, error: &impl std::fmt::Display) {
    let text = helpful(what, named, error);
    assert!(text.len() < 700 && text.lines().count() <= 6, "{what}: {text}");
    note("mistake", &serde_json::json!({ "what": what, "text": without_folders(&text) }));
}

/// An error's text, which names its subject and says what to do.
fn helpful(what: &str, named: &str, error: &impl std::fmt::Display) -> String {
    let text = error.to_string();
    assert!(text.contains(named), "{what}: {text:?} does not name {named}");
    assert!(text.contains("what to do") || text.contains("are kept"), "{what}: {text:?}");
    text
}

/// Anything else that the reader sees of a bad input.
pub fn seen(what: &str, text: &str) {
    note("refused", &serde_json::json!({ "what": what, "text": without_folders(text) }));
}

/// Inputs saved by a fuzzer.
pub fn fuzzed(target: &str, count: usize) {
    note("fuzzed", &serde_json::json!({ "what": target, "cases": count }));
}

/// A test, or a part of one, that this machine cannot run, and why not. `cargo d2l test` lists it:
/// the output of a test that passes is not shown.
pub fn skipped(name: &str, why: &str) {
    println!("skipped: {name}: {why}");
    note("skipped", &serde_json::json!({ "what": name, "why": why }));
}

/// The same of the test that is running.
pub fn skipped_here(why: &str) {
    skipped(test().split("::").last().unwrap_or_default(), why);
}

/// The test that is running, `module::function`. With one thread for all tests, the thread does not
/// have its name; in a child the variable has.
fn test() -> String {
    let child = std::env::var("D2L_TEST_CHILD").ok();
    child.or_else(|| std::thread::current().name().map(String::from)).unwrap_or_default()
}

/// One line in a file of `D2L_REPORT_DIR`, if it is named; tests run side by side.
fn note(kind: &str, row: &serde_json::Value) {
    let Some(folder) = std::env::var_os("D2L_REPORT_DIR").map(PathBuf::from) else { return };
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join(kind).with_extension("jsonl");
    let mut row = row.clone();
    row["part"] = test().split("::").next().into();
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
    file.write_all(format!("{row}\n").as_bytes()).unwrap();
}

/// Temporary folders and ports differ from run to run.
fn without_folders(text: &str) -> String {
    let start = std::env::temp_dir().join(".tmp").display().to_string();
    let mut parts = text.split(&start);
    let first = parts.next().unwrap_or_default().to_string();
    let text = parts.fold(first, |text, part| text + "…" + part.get(6..).unwrap_or_default());
    let mut parts = text.split("127.0.0.1:");
    let first = parts.next().unwrap_or_default().to_string();
    let rest = |part: &str| part.trim_start_matches(|c: char| c.is_ascii_digit()).to_string();
    let text = parts.fold(first, |text, part| text + "127.0.0.1" + &rest(part));
    text.replace(env!("CARGO_MANIFEST_DIR"), "…")
}
