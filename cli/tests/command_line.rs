//! The program itself: exit statuses, a reader that goes, and what it is called with.

use std::process::{Command, Output, Stdio};

/// `cargo d2l` with these arguments, where it finds no tools and no data.
fn d2l(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_d2l-cli"));
    command.args(arguments).env("PATH", "/no/such/folder").env("HOME", "/no/such/home");
    for variable in ["CXX", "D2L_PYTHON", "D2L_DATA_DIR", "XDG_CACHE_HOME", "TORCH_HOME", "CARGO"] {
        command.env_remove(variable);
    }
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[track_caller]
fn refused(arguments: &[&str], status: i32, words: &[&str]) {
    let output = d2l(arguments).output().unwrap();
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(status), "{arguments:?}: {error}");
    assert!(output.stdout.is_empty(), "{arguments:?}");
    for word in words {
        assert!(error.contains(word), "{arguments:?}: {word:?} is not in {error}");
    }
}

fn row(output: &Output, name: &str) -> String {
    let text = text(&output.stdout);
    let line = text.lines().find(|line| line.get(9..).is_some_and(|rest| rest.starts_with(name)));
    line.unwrap_or_else(|| panic!("no row {name}: {text}")).to_string()
}

/// C28: scripts go by the exit status.
#[test]
fn the_doctor_ends_with_1_if_something_is_missing() {
    for path in ["/no/such/folder", ""] {
        let output = d2l(&["doctor"]).env("PATH", path).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert_eq!(text(&output.stderr), "");
        assert!(row(&output, "Rust").starts_with("MISSING  Rust"));
        assert!(row(&output, "Rust").ends_with("install Rust with rustup"));
        assert!(row(&output, "C++ compiler").ends_with("or name one in CXX"));
        assert!(row(&output, "disk").starts_with("absent "));
        let all = text(&output.stdout);
        let missing = all.lines().filter(|line| line.starts_with("MISSING")).count();
        let end = format!("\n\n{missing} missing. The last words of a line say what to do.\n");
        assert!(all.ends_with(&end), "{all}");
    }
}

#[test]
fn the_doctor_knows_what_variables_name() {
    let (cache, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let weights = cache.path().join("torch/hub/checkpoints");
    std::fs::create_dir_all(cache.path().join("d2l/hotdog")).unwrap();
    std::fs::create_dir_all(&weights).unwrap();
    std::fs::write(weights.join("resnet18-f37072fd.pth"), "").unwrap();
    std::fs::create_dir(data.path().join("hotdog")).unwrap();
    let mut doctor = d2l(&["doctor"]);
    doctor.env("XDG_CACHE_HOME", cache.path()).env("HOME", cache.path());
    doctor.env("CXX", "/no/such/c++");
    let output = doctor.output().unwrap();
    assert!(row(&output, "C++ compiler").contains("/no/such/c++ is not there"));
    if cfg!(target_os = "linux") {
        assert!(row(&output, "hot dogs").ends_with("/d2l/hotdog"));
        assert!(row(&output, "ResNet-18 weights").ends_with("/resnet18-f37072fd.pth"));
    }
    let named = doctor.env("D2L_DATA_DIR", data.path()).output().unwrap();
    let unpacked = data.path().join("hotdog").display().to_string();
    assert!(row(&named, "hot dogs").ends_with(&unpacked));
    // An empty value is none: it does not mean the current folder.
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("hotdog")).unwrap();
    let mut doctor = d2l(&["doctor"]);
    doctor
        .current_dir(folder.path())
        .env("D2L_DATA_DIR", "")
        .env("XDG_CACHE_HOME", "")
        .env("CXX", "");
    let output = doctor.output().unwrap();
    assert!(row(&output, "hot dogs").contains("no photographs here"));
    assert!(row(&output, "C++ compiler").contains("c++ is not there"));
}

/// `cargo d2l doctor | head -1`: the program ends quietly, as SIGPIPE would end it.
#[test]
fn a_reader_that_goes_is_no_failure_to_tell_of() {
    let closed = || {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        writer
    };
    let output = d2l(&["doctor"]).stdout(closed()).stderr(Stdio::piped()).output().unwrap();
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(141), String::new()));
    // The work goes on if nobody reads of it, and ends with its own status.
    let output = d2l(&["run", "no-such"]).stderr(closed()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let status = d2l(&["--help"]).stdout(closed()).status().unwrap();
    assert!(status.code().is_some_and(|code| code != 101), "{status}");
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_is_told() {
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let output = d2l(&["doctor"]).stdout(full).stderr(Stdio::piped()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let error = text(&output.stderr);
    assert!(error.starts_with("error: cannot write on standard output: No space left"), "{error}");
}

/// Nobody waits for a set-up to hear of a slip of the pen.
#[test]
fn an_unknown_notebook_is_refused_before_the_set_up() {
    let known = "fine_tuning, image_augmentation, ja/fine_tuning";
    let words = ["error: there is no notebook finetuning", "what to do: name one of", known];
    refused(&["run", "finetuning"], 1, &words);
    refused(&["run", "fine_tuning", "finetuning"], 1, &words);
    refused(&["lab", "finetuning"], 1, &words);
    let words =
        ["there is no notebook x", "name one of fine_tuning, image_augmentation, solutions/"];
    refused(&["lab", "--lang", "ja", "x"], 1, &words);
    refused(&["run", "Cargo.toml"], 1, &["Cargo.toml is not a notebook", ".ipynb"]);
    refused(&["run", "/no/such/a.ipynb"], 1, &["there is no notebook /no/such/a.ipynb"]);
}

#[test]
fn bounds_are_whole_numbers_above_0() {
    for option in ["--epochs", "--limit"] {
        for value in ["0", "-1", "1.5", "all", "", "99999999999999999999999"] {
            refused(&["run", option, value], 2, &["invalid value", option]);
        }
        refused(&["run", option, "0"], 2, &["0 is not in 1.."]);
        refused(&["run", option], 2, &["a value is required", option]);
    }
}

#[test]
fn what_is_not_known_is_refused_with_what_is() {
    refused(&[], 2, &["Usage: cargo d2l", "doctor"]);
    refused(&["docter"], 2, &["docter", "doctor"]);
    refused(&["lab", "--lang", "de"], 2, &["de", "en, ja"]);
    refused(&["bench", "lessons"], 2, &["lessons", "loader, step, lesson, notebook, display"]);
    refused(&["run", "--epoch", "1"], 2, &["--epoch", "--epochs"]);
}
