//! A cell's failure in words: what a reader sees of a panic, an error value, or a program that ended.

use std::path::Path;

use serde_json::{Value, json};

const RED: &str = "\u{1b}[31m";
const PLAIN: &str = "\u{1b}[0m";

/// What Jupyter calls an error.
#[derive(Debug, Clone, PartialEq)]
pub struct Failure {
    pub name: String,
    pub message: String,
    /// Lines below the message.
    pub trace: Vec<String>,
}

impl Failure {
    pub fn new(name: &str, message: impl Into<String>) -> Failure {
        Failure { name: name.into(), message: message.into(), trace: vec![] }
    }

    /// The same, with the line of the cell.
    pub fn at(mut self, at: Place, code: &str, sources: &Path) -> Failure {
        let place = in_cell(&format!("src/lib.rs:{}", at.source), at.statement, code, sources);
        self.trace.splice(0..0, place.map(|place| format!("  at {place}")));
        self
    }

    /// The content of an `error` message, and part of the reply to the request.
    pub fn content(&self) -> Value {
        let mut traceback = vec![format!("{RED}{}{PLAIN}: {}", self.name, self.message)];
        traceback.extend(self.trace.iter().cloned());
        json!({"ename": self.name, "evalue": self.message, "traceback": traceback})
    }
}

/// Where a cell fails, by the marks of our patches. Zero is not known.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Place {
    /// The first line of the cell's statement.
    statement: usize,
    /// The line of the source that evcxr has made of the cell.
    source: usize,
}

impl Place {
    pub fn read(text: &str) -> Place {
        let mut numbers = text.split(':').map(|number| number.parse().unwrap_or(0));
        Place { statement: numbers.next().unwrap_or(0), source: numbers.next().unwrap_or(0) }
    }

    /// A line of the cell, for the reader.
    fn line(number: usize, code: &str) -> Option<String> {
        let line = code.lines().nth(number.checked_sub(1)?)?.trim();
        Some(format!("line {number} of the cell: {line}"))
    }
}

/// What the program wrote to its standard error when it panicked: text before it, and the panic.
/// `pid` is the program's.
pub fn split_panic(text: &str, pid: u32) -> (&str, Option<&str>) {
    let reports = text.match_indices("thread '").map(|(place, _)| place).filter(|&place| {
        let line_start = place == 0 || text[..place].ends_with('\n');
        line_start && head(&text[place..]).contains("panicked at ")
    });
    let reports: Vec<usize> = reports.collect();
    // Cells run on the first thread, whose number on Linux is the process's; else the last one it is.
    let first_thread = format!("({pid})");
    let own = reports.iter().rfind(|&&place| head(&text[place..]).contains(&first_thread));
    match own.or(reports.last()) {
        // The report begins with an empty line.
        Some(&place) => (text[..place].strip_suffix('\n').unwrap_or(""), Some(&text[place..])),
        None => (text, None),
    }
}

fn head(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

/// Reads a panic's report. `code` is the cell's; `sources` is the folder in which it was compiled.
pub fn panic(report: &str, at: Place, code: &str, sources: &Path) -> Failure {
    let (head, body) = report.split_once('\n').unwrap_or((report, ""));
    let place =
        head.split_once("panicked at ").map_or("", |(_, place)| place.trim_end_matches(':'));
    let is_end = |line: &str| {
        line.starts_with("note: run with `RUST_BACKTRACE") || line.starts_with("stack backtrace:")
    };
    let end = body.lines().position(is_end).unwrap_or(usize::MAX);
    let message: Vec<&str> = body.lines().take(end).collect();
    let message = message.join("\n");
    // There is one if the reader has asked for it.
    let backtrace = body.lines().skip(end).filter(|line| !line.starts_with("note: "));
    let mut backtrace: Vec<_> = backtrace.map(str::to_string).collect();
    let mut failure = Failure::new("panic", message.trim_end());
    let torch = torch_error(&message, place, code);
    let operation = torch.as_ref().and_then(|torch| torch.operation.clone());
    if let Some(torch) = torch {
        failure.message = torch.message;
        if !backtrace.is_empty() {
            backtrace.splice(0..0, torch.trace);
        }
    }
    let place = in_cell(place, at.statement, code, sources)
        .or_else(|| statement(at.statement, operation.as_deref(), code))
        .unwrap_or_else(|| place.to_string());
    failure.trace.push(format!("  at {place}"));
    failure.trace.extend(backtrace);
    failure
}

/// What our patches put into a cell's lines, for the stop button.
const CHECKS: [&str; 3] =
    ["{/**/crate::evcxr_check_interrupt();", "crate::evcxr_check_interrupt();", "/**/}"];

/// A place in the source that evcxr has made of the cell, as a place in the cell. Of lines that are the
/// same, that is meant which comes first in the statement.
fn in_cell(place: &str, statement: usize, code: &str, sources: &Path) -> Option<String> {
    let number: usize = place.strip_prefix("src/lib.rs:")?.split(':').next()?.parse().ok()?;
    let source = std::fs::read_to_string(sources.join("src/lib.rs")).ok()?;
    let mut line = source.lines().nth(number.checked_sub(1)?)?.trim().to_string();
    for check in CHECKS {
        line = line.replace(check, "");
    }
    let is_same =
        |&number: &usize| code.lines().nth(number - 1).is_some_and(|other| other.contains(&line));
    let lines = 1..=code.lines().count();
    let found = lines.clone().skip(statement.saturating_sub(1)).find(is_same);
    Some(match found.or_else(|| lines.clone().find(is_same)) {
        Some(number) => format!("line {number} of the cell: {line}"),
        None => format!("a line of an earlier cell: {line}"),
    })
}

/// The line of a cell in which a library panicked: that of the statement, or the one line from there on
/// that has the operation.
fn statement(first: usize, operation: Option<&str>, code: &str) -> Option<String> {
    let calls = operation.map(|operation| format!(".{operation}("));
    let mut lines = code.lines().enumerate().skip(first.checked_sub(1)?);
    let mut calling =
        lines.by_ref().filter(|(_, line)| calls.as_ref().is_some_and(|calls| line.contains(calls)));
    let number = match (calling.next(), calling.next()) {
        (Some((number, _)), None) => number + 1,
        _ => first,
    };
    Place::line(number, code)
}

/// What libtorch says in an error.
struct TorchError {
    message: String,
    operation: Option<String>,
    /// The C++ stack.
    trace: Vec<String>,
}

/// Reads an error of tch's in a panic's message. `place` is where tch panicked.
fn torch_error(message: &str, place: &str, code: &str) -> Option<TorchError> {
    let (_, error) = message.split_once("on an `Err` value: ")?;
    let (kind, text) = error.split_once("(\"")?;
    if !matches!(kind, "Torch" | "Shape" | "Convert") {
        return None;
    }
    let text = text.trim_end().strip_suffix("\")")?;
    let text = text.replace("\\n", "\n").replace("\\\"", "\"").replace("\\'", "'");
    let (message, trace) = split_torch(&text);
    let operation = operation(place).map(|name| as_called(name, code));
    let name = operation.as_ref().map(|name| format!("{name}: ")).unwrap_or_default();
    Some(TorchError {
        message: format!("{name}{}", with_advice(message)),
        operation,
        trace: trace.lines().map(str::to_string).collect(),
    })
}

/// Cuts libtorch's text into what is wrong and the C++ stack.
fn split_torch(text: &str) -> (&str, &str) {
    let starts = ["\nException raised from ", "\nframe #"];
    let cut = starts.iter().filter_map(|start| text.find(start)).min().unwrap_or(text.len());
    (text[..cut].trim_end(), text[cut..].trim_start())
}

/// Layers compute in bfloat16 where the processor does, and what comes of them has that kind, which not all
/// of libtorch's operations take.
fn with_advice(message: &str) -> String {
    let is_kind = |kind: &str| message.contains(&format!("not implemented for '{kind}'"));
    let advice = if is_kind("BFloat16") || is_kind("Half") {
        "\n  what to do: `.to_kind(Kind::Float)` before it"
    } else {
        ""
    };
    format!("{message}{advice}")
}

/// The name as the cell has it: `view` is called `view_` within tch.
fn as_called(operation: String, code: &str) -> String {
    let short = operation.trim_end_matches('_');
    let is_called = |name: &str| code.contains(&format!(".{name}("));
    if is_called(short) && !is_called(&operation) { short.to_string() } else { operation }
}

/// tch's methods that panic call the one that returns an error: `self.f_matmul(other).unwrap()`.
fn operation(place: &str) -> Option<String> {
    let mut parts = place.rsplitn(3, ':');
    let (_, line, file) = (parts.next()?, parts.next()?, parts.next()?);
    let source = std::fs::read_to_string(file).ok()?;
    let line = source.lines().nth(line.parse::<usize>().ok()?.checked_sub(1)?)?;
    let (_, call) = line.split_once("f_")?;
    let name = call.split('(').next()?;
    // An operator's: `&a + &b` is g_add.
    Some(name.strip_prefix("g_").unwrap_or(name).to_string())
}

/// Reads what was on standard error when `?` returned an error. The first part is other text. The C++
/// stack of an error of libtorch's is there `with_trace`.
pub fn error_value(text: &str, with_trace: bool) -> (String, Failure) {
    let is_warning = |line: &&str| line.starts_with("[W") || line.starts_with("Warning");
    let (warnings, message): (Vec<&str>, Vec<&str>) = text.lines().partition(is_warning);
    let text = message.join("\n");
    let (message, trace) = split_torch(text.trim());
    let message = match message {
        "" => "the cell returned an error; its text is above".to_string(),
        message => with_advice(message),
    };
    let warnings: String = warnings.iter().map(|line| format!("{line}\n")).collect();
    let mut failure = Failure::new("Error", message);
    if with_trace {
        failure.trace.extend(trace.lines().map(str::to_string));
    }
    (warnings, failure)
}

/// A loop of the cell's own has seen the stop button.
pub fn stopped(at: Place, code: &str) -> Failure {
    let place = Place::line(at.statement, code);
    let mut failure = Failure::new(
        "Interrupted",
        "stopped; what earlier cells made is kept, unless this one gave it away",
    );
    failure.trace.extend(place.map(|place| format!("  in {place}")));
    failure
}

/// What evcxr says of a program that has ended, in words that help.
pub fn program_ended(evcxr: &str) -> Failure {
    let status = evcxr.rsplit("terminated with status: ").next().unwrap_or(evcxr).trim();
    let reason = match status {
        s if s.starts_with("signal: 9") => {
            "the system killed it, most likely because memory was short; a smaller batch needs less"
        }
        s if s.starts_with("signal: 6") => {
            "it aborted; libtorch or another library in C++ gave up, and what it said is above"
        }
        s if s.starts_with("signal: ") => {
            "it crashed; likely causes are a function that calls itself without end, and unsafe code in \
             a library"
        }
        _ => "the cell, or something that it called, ended it (std::process::exit)",
    };
    let message = format!("Rust's process ended with {status}: {reason}");
    Failure { trace: vec![LOST.into()], ..Failure::new("ProgramEnded", message) }
}

/// The program was ended by the stop button, and why.
pub fn program_ended_by_us(reason: String) -> Failure {
    Failure { trace: vec![LOST.into()], ..Failure::new("Interrupted", reason) }
}

/// What is lost with the program.
const LOST: &str = "All variables are lost; `use`, functions, types and `:dep` are kept. Run the \
                        cells that made the variables again.";

#[cfg(test)]
mod tests {
    use super::*;

    const REPORT: &str = "thread 'main' (77) panicked at src/lib.rs:3:5:\nno such thing\nat all\n\
                          note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace\n";

    #[test]
    fn a_panic_names_the_line_of_the_cell() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("src")).unwrap();
        let source = "fn generated() {}\nlet a = 1;\n    boom(a);\n";
        std::fs::write(folder.path().join("src/lib.rs"), source).unwrap();
        let at = Place::read("2");
        let failure = panic(REPORT, at, "// a comment\nlet a = 1;\n  2; boom(a);", folder.path());
        assert_eq!((&*failure.name, &*failure.message), ("panic", "no such thing\nat all"));
        assert_eq!(failure.trace, ["  at line 3 of the cell: boom(a);"]);
        let elsewhere = panic(REPORT, at, "f()", folder.path());
        assert_eq!(elsewhere.trace, ["  at a line of an earlier cell: boom(a);"]);
        let unknown = panic(REPORT, Place::default(), "f()", Path::new("/nowhere"));
        assert_eq!(unknown.trace, ["  at src/lib.rs:3:5"]);
        // The same line stands in two places of the cell; the statement tells which.
        let twice = panic(REPORT, Place::read("3"), "boom(a);\n\nboom(a);", folder.path());
        assert_eq!(twice.trace, ["  at line 3 of the cell: boom(a);"]);
        let value = Failure::new("Error", "no").at(Place::read("1:3"), "boom(a);", folder.path());
        assert_eq!(value.trace, ["  at line 1 of the cell: boom(a);"]);
        assert!(
            Failure::new("Error", "no").at(Place::read(""), "f()", folder.path()).trace.is_empty()
        );
    }

    /// F17, C24: libtorch's errors come as panics of tch's, in pages of C++.
    #[test]
    fn an_error_of_libtorchs_is_one_line_at_the_line_of_the_cell() {
        let folder = tempfile::tempdir().unwrap();
        let tch = folder.path().join("tensor_generated.rs");
        let methods = "self.f_matmul(other).unwrap()\nself.f_g_add(other).unwrap()\nself.f_view_(size).unwrap()\nx.unwrap()";
        std::fs::write(&tch, methods).unwrap();
        let code = "let a = f();\nfor i in 0..3 {\n    let c = 1;\n    let b = a.matmul(&c);\n}\na.view(3)";
        for (line, at, error, message, place) in [
            (
                1,
                "2",
                "Torch(\"shapes (2x3 and \\'2x3\\')\\nException raised from meta at /a.cpp:1\\nframe #0: x\")",
                "matmul: shapes (2x3 and '2x3')",
                "line 4 of the cell: let b = a.matmul(&c);",
            ),
            (
                2,
                "2",
                "Torch(\"sizes\\nException raised from f\\nframe #0\")",
                "add: sizes",
                "line 2 of the cell: for i in 0..3 {",
            ),
            (
                3,
                "6",
                "Torch(\"size 3\\nof 4\")",
                "view: size 3\nof 4",
                "line 6 of the cell: a.view(3)",
            ),
            (
                2,
                "2",
                // An allocator's
                "Torch(\"no memory\\nframe #0: c10::alloc\")",
                "add: no memory",
                "line 2 of the cell: for i in 0..3 {",
            ),
            (
                3,
                "6",
                "Torch(\"\\\"svd\\\" not implemented for \\'BFloat16\\'\")",
                "view: \"svd\" not implemented for 'BFloat16'\n  what to do: `.to_kind(Kind::Float)` before it",
                "line 6 of the cell: a.view(3)",
            ),
            (4, "1", "Shape(\"bad \\\"x\\\"\")", "bad \"x\"", "line 1 of the cell: let a = f();"),
            (9, "1", "Torch(\"who knows\")", "who knows", "line 1 of the cell: let a = f();"),
        ] {
            let report = format!(
                "thread 'main' (77) panicked at {}:{line}:30:\ncalled `Result::unwrap()` on an `Err` value: {error}\n\
                 note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace\n",
                tch.display()
            );
            let failure = panic(&report, Place::read(at), code, folder.path());
            assert_eq!(failure.message, message);
            assert_eq!(failure.trace, [format!("  at {place}")]);
        }
        // The C++ stack is there when the backtrace was asked for.
        let report = format!(
            "thread 'main' panicked at {}:1:1:\ncalled `Result::unwrap()` on an `Err` value: \
             Torch(\"a\\nException raised from b\\nframe #0: c\")\nstack backtrace:\n   0: f\n",
            tch.display()
        );
        let trace = panic(&report, Place::read("1"), code, folder.path()).trace;
        assert_eq!(
            trace[1..],
            ["Exception raised from b", "frame #0: c", "stack backtrace:", "   0: f"]
        );
        // Others' errors are as they were.
        let other = "thread 'main' panicked at /x.rs:1:1:\ncalled `Result::unwrap()` on an `Err` value: Other(\"Torch\")\n";
        assert!(
            panic(other, Place::default(), "", folder.path()).message.starts_with("called `Result")
        );
        let value = "Internal torch error: sizes\nException raised from f at g\nframe #0: h\n";
        let failure = error_value(value, false).1;
        assert_eq!((&*failure.message, failure.trace.len()), ("Internal torch error: sizes", 0));
        let failure = error_value(value, true).1;
        assert_eq!(failure.trace, ["Exception raised from f at g", "frame #0: h"]);
    }

    #[test]
    fn a_backtrace_that_was_asked_for_is_kept() {
        let report =
            "thread 'main' panicked at /c/x.rs:1:2:\nno\nstack backtrace:\n   0: f\nnote: Some\n";
        let failure = panic(report, Place::default(), "", Path::new("/nowhere"));
        assert_eq!(failure.trace, ["  at /c/x.rs:1:2", "stack backtrace:", "   0: f"]);
        let content = failure.content();
        assert_eq!(content["traceback"].as_array().unwrap().len(), 4);
        assert!(content["traceback"][0].as_str().unwrap().ends_with(": no"));
    }

    #[test]
    fn the_cells_own_panic_is_found() {
        let other = "thread '<unnamed>' (3) panicked at src/lib.rs:1:1:\nno\n";
        let quoted = "he said thread 'main' panicked at noon\n";
        assert_eq!(split_panic(quoted, 77), (quoted, None));
        let before = format!("{other}\n{REPORT}");
        assert_eq!(split_panic(&before, 77), (other, Some(REPORT)));
        let after = format!("{REPORT}\n{other}");
        assert_eq!(split_panic(&after, 77), ("", Some(&*after)));
        assert_eq!(split_panic(other, 77), ("", Some(other)));
    }

    #[test]
    fn error_values_are_told_from_warnings() {
        let (other, failure) =
            error_value("[W123 x.cpp] hm\n./a: not there\n  what to do: look\n", false);
        assert_eq!(other, "[W123 x.cpp] hm\n");
        assert_eq!(failure.message, "./a: not there\n  what to do: look");
        assert!(error_value("\n", false).1.message.contains("is above"));
    }

    #[test]
    fn ends_are_explained() {
        for (status, word) in [
            ("signal: 9 (SIGKILL)", "memory"),
            ("signal: 6 (SIGABRT) (core dumped)", "aborted"),
            ("signal: 11 (SIGSEGV)", "crashed"),
            ("exit status: 3", "std::process::exit"),
        ] {
            let failure =
                program_ended(&format!("text\nSubprocess terminated with status: {status}"));
            assert!(
                failure.message.contains(status) && failure.message.contains(word),
                "{failure:?}"
            );
        }
    }
}
